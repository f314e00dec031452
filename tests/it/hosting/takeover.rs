//! Two processes of the real program on one data directory: attach, stop, die, take over.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};

use ostler::api::ostler::v1::ostler_client::OstlerClient;
use ostler::cli::local::LocalConnector;
use ostler::domain::Place;
use ostler::gateway::Connector;
use rustix::process::{Pid, Signal, kill_process};

use super::*;

/// `ostler serve` in a process of its own; killed when the test ends.
struct Server {
    child: Child,
    listen: Option<String>,
    socket: PathBuf,
}

impl Server {
    fn command(ground: &Ground) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ostler"));
        std::fs::create_dir_all(ground.root.path().join("home")).expect("a home");
        command
            .arg("serve")
            .arg("--data-dir")
            .arg(ground.data())
            .arg("--allow-network-fs")
            .env("HOME", ground.root.path().join("home"))
            .env("XDG_RUNTIME_DIR", ground.root.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn start(ground: &Ground) -> Self {
        let mut child = Self::command(ground).args(["--listen", "127.0.0.1:0"]).spawn().expect("ostler serve");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut line = |name: &str| {
            let line = lines.next().expect("a line").expect("text");
            line.strip_prefix(name).unwrap_or_else(|| panic!("{line}")).trim().to_owned()
        };
        let listen = Some(line("listening on"));
        let socket = PathBuf::from(line("socket"));
        line("data");
        Self { child, listen, socket }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    fn wait(&mut self) -> ExitStatus {
        self.child.wait().expect("its end")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn connect(connector: &LocalConnector) -> Channel {
    tokio::time::timeout(PATIENCE, connector.connect()).await.expect("an outcome").expect("a channel")
}

#[tokio::test]
async fn a_signal_ends_the_server_in_order() {
    for signal in [Signal::TERM, Signal::INT] {
        let ground = Ground::new();
        let mut server = Server::start(&ground);
        assert!(server.socket.exists());
        server.signal(signal);
        assert_eq!(server.wait().code(), Some(0), "{signal:?}");
        assert!(!server.socket.exists());
    }
}

#[tokio::test]
async fn a_second_server_says_who_is_in_its_way() {
    let ground = Ground::new();
    let server = Server::start(&ground);
    let second = Server::command(&ground).output().expect("ostler serve");
    assert_eq!(second.status.code(), Some(4));
    let said = String::from_utf8(second.stderr).unwrap();
    let named = format!("process {}", server.child.id());
    assert!(said.contains(&named) && said.contains(server.listen.as_deref().unwrap()), "{said}");
}

#[tokio::test]
async fn when_the_host_is_killed_the_attached_one_takes_over_with_everything() {
    let ground = Ground::new();
    let mut server = Server::start(&ground);
    let connector = LocalConnector::new(ground.options());
    let store_id = connector.open().await.expect("attaching is fine");
    let attached = connect(&connector).await;
    assert_eq!(connector.place(), Place::Attached);
    let mut lh = client(attached.clone());
    for number in 0..20 {
        lh.put_user_task_def(form(&format!("form-{number}"))).await.unwrap();
    }
    server.signal(Signal::KILL);
    server.wait();
    assert!(server.socket.exists(), "a killed host leaves its socket");

    let mut hosting = client(connect(&connector).await);
    assert_eq!(connector.place(), Place::Local);
    let mut ostler = OstlerClient::new(connect(&connector).await);
    assert_eq!(ostler.get_host(()).await.unwrap().into_inner().store_id, store_id);
    for number in 0..20 {
        hosting.get_user_task_def(form_id(&format!("form-{number}"))).await.unwrap();
    }
    // The old channel finds its way too, after a call or two that tell of the break.
    let healed = async {
        while lh.get_user_task_def(form_id("form-0")).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, healed).await.expect("the old channel works again");
    connector.stop().await;
}

#[tokio::test]
async fn when_the_host_ends_one_attached_takes_over_and_the_other_attaches_to_it() {
    let ground = Ground::new();
    let mut server = Server::start(&ground);
    let connectors = [LocalConnector::new(ground.options()), LocalConnector::new(ground.options())];
    for connector in &connectors {
        client(connect(connector).await).put_user_task_def(form("form")).await.unwrap();
        assert_eq!(connector.place(), Place::Attached);
    }
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
    let [one, two] = &connectors;
    let (first, second) = tokio::join!(connect(one), connect(two));
    for channel in [first, second] {
        client(channel).get_user_task_def(form_id("form")).await.unwrap();
    }
    let mut places = [one.place(), two.place()];
    places.sort_by_key(|place| *place == Place::Attached);
    assert_eq!(places, [Place::Local, Place::Attached]);
    for connector in &connectors {
        connector.stop().await;
    }
    drop(server);
    Server::start(&ground);
}

#[tokio::test]
async fn what_cannot_be_hosted_is_refused_and_not_tried_for_ever() {
    let ground = Ground::new();
    std::fs::write(ground.data(), "not a directory").unwrap();
    let connector = LocalConnector::new(ground.options());
    let refused = connector.connect().await.unwrap_err();
    assert!(!refused.is_temporary(), "{refused}");
    assert!(refused.to_string().contains("is not a directory"), "{refused}");
}
