//! `ostler serve` as a service manager and a monitoring system see it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ostler::api::littlehorse as lh;
use ostler::api::littlehorse::little_horse_client::LittleHorseClient;
use rustix::process::{Pid, Signal, kill_process};
use tonic::transport::{Channel, Endpoint};

use crate::store::workload::{run_wf, task_def, wf_spec};

/// Nothing here takes nearly as long; a test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A program that is killed when the test ends, and the values it announced.
struct Serving {
    child: Child,
    lines: Vec<String>,
}

impl Serving {
    fn start(root: &Path, change: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ostler"));
        command.arg("serve");
        Self::run(root, command, change)
    }

    fn run(root: &Path, mut command: Command, change: impl FnOnce(&mut Command)) -> Self {
        std::fs::create_dir_all(root.join("home")).unwrap();
        command
            .args(["--allow-network-fs", "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--data-dir"])
            .arg(root.join("data"))
            .env("HOME", root.join("home"))
            .env("XDG_RUNTIME_DIR", root)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        change(&mut command);
        let mut child = command.spawn().unwrap();
        let mut lines = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            lines.push(line.unwrap());
            if lines.last().is_some_and(|line| line.starts_with("data ")) {
                break;
            }
        }
        Self { child, lines }
    }

    fn value(&self, name: &str) -> &str {
        self.lines.iter().find_map(|line| line.strip_prefix(name)).unwrap().trim()
    }

    fn get(&self, path: &str) -> String {
        ask(self.value("metrics on"), &format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"))
    }

    async fn client(&self) -> LittleHorseClient<Channel> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.value("listening on"))).unwrap();
        LittleHorseClient::new(endpoint.connect().await.unwrap())
    }

    /// Ends it as a service manager does, and gives what it wrote to standard error.
    fn stop(mut self) -> (Option<i32>, String) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let status = self.child.wait().unwrap();
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        (status.code(), log)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ask(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // Whoever sends more than is read is reset after the answer.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

async fn define(client: &mut LittleHorseClient<Channel>) {
    client.put_user_task_def(task_def("x")).await.unwrap();
    client.put_wf_spec(wf_spec("finance")).await.unwrap();
}

/// The value of a metric, with its labels as they are written.
fn metric(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
}

#[test]
fn health_and_metrics_tell_what_the_engine_does() {
    let root = tempfile::tempdir().unwrap();
    let serving = Serving::start(root.path(), |_| {});
    assert!(serving.get("/healthz").ends_with("\r\n\r\nok\n"), "{}", serving.get("/healthz"));
    runtime().block_on(async {
        let mut client = serving.client().await;
        define(&mut client).await;
        for run in ["a", "b"] {
            client.run_wf(run_wf(run, "x")).await.unwrap();
        }
        assert!(client.run_wf(run_wf("a", "x")).await.is_err());
    });
    let text = serving.get("/metrics");
    assert!(text.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4"), "{text}");
    assert_eq!(metric(&text, "ostler_commands_total{command=\"RunWf\",code=\"OK\"}"), 2.0);
    assert_eq!(metric(&text, "ostler_commands_total{command=\"RunWf\",code=\"ALREADY_EXISTS\"}"), 1.0);
    assert_eq!(metric(&text, "ostler_wf_runs{status=\"RUNNING\"}"), 2.0);
    assert_eq!(metric(&text, "ostler_user_task_runs{status=\"UNASSIGNED\"}"), 2.0);
    assert_eq!(metric(&text, "ostler_up"), 1.0);
    assert_eq!(metric(&text, "ostler_read_only"), 0.0);
    assert_eq!(metric(&text, "ostler_queue_commands"), 0.0);
    let commits = metric(&text, "ostler_commit_seconds_count");
    assert!(commits >= 4.0 && commits == metric(&text, "ostler_commit_seconds_bucket{le=\"+Inf\"}"), "{text}");
    assert!(metric(&text, "ostler_committed_commands_total") >= commits);
    assert!(metric(&text, "ostler_store_bytes") > 100_000.0);
    assert!(metric(&text, "ostler_uptime_seconds") > 0.0);
    // Every family says what it is, once, before its samples.
    let body = text.split("\r\n\r\n").nth(1).unwrap();
    for line in body.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        assert_eq!(body.matches(&format!("# TYPE {family} ")).count(), 1, "{line}");
    }
}

#[test]
fn a_caller_of_the_metrics_cannot_hold_it_up() {
    let root = tempfile::tempdir().unwrap();
    let serving = Serving::start(root.path(), |_| {});
    let address = serving.value("metrics on");
    for (request, status) in [
        ("GET / HTTP/1.0\r\n\r\n", "404"),
        ("POST /metrics HTTP/1.1\r\n\r\n", "405"),
        ("nonsense\r\n\r\n", "400"),
        ("\0\0\r\n\r\n", "400"),
        ("HEAD /healthz HTTP/1.1\r\n\r\n", "200"),
        ("GET /healthz?verbose HTTP/1.1\r\n\r\n", "200"),
    ] {
        assert!(ask(address, request).starts_with(&format!("HTTP/1.1 {status} ")), "{request:?}");
    }
    // A head without an end is cut off at its limit; callers who say nothing keep nobody else out for long.
    assert!(
        ask(address, &format!("GET /healthz HTTP/1.1\r\nX: {}", "x".repeat(64 * 1024))).starts_with("HTTP/1.1 200")
    );
    let silent: Vec<TcpStream> = (0..10).map(|_| TcpStream::connect(address).unwrap()).collect();
    assert!(serving.get("/healthz").ends_with("ok\n"));
    drop(silent);
}

#[test]
fn the_service_manager_hears_that_it_is_ready_that_it_lives_and_that_it_stops() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let heard = || {
        let mut bytes = [0; 500];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    };
    let serving = Serving::start(root.path(), |command| {
        command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "100000").args(["--log-format", "json"]);
    });
    assert!(heard().starts_with("READY=1\nSTATUS=Serving "));
    assert_eq!([heard(), heard(), heard()], ["WATCHDOG=1"; 3]);
    let (code, log) = serving.stop();
    assert_eq!(code, Some(0), "{log}");
    let mut last = heard();
    while last == "WATCHDOG=1" {
        last = heard();
    }
    assert!(last.starts_with("STOPPING=1\n"), "{last}");
    let messages: Vec<String> = log
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["message"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(messages, ["serving", "stopping"]);
}

#[test]
fn with_wait_it_serves_when_the_one_before_it_ends() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let first = Serving::start(root.path(), |_| {});
    let second = std::thread::scope(|scope| {
        let second = scope.spawn(|| {
            Serving::start(root.path(), |command| {
                command.arg("--wait").env("NOTIFY_SOCKET", &path);
            })
        });
        let mut bytes = [0; 1000];
        let length = socket.recv(&mut bytes).unwrap();
        let said = String::from_utf8_lossy(&bytes[..length]).into_owned();
        assert!(said.starts_with("STATUS=Waiting: ") && said.contains(&first.child.id().to_string()), "{said}");
        assert_eq!(first.stop().0, Some(0));
        second.join().unwrap()
    });
    assert!(second.get("/healthz").ends_with("ok\n"));
}

/// A file that may not grow any more stands for a disk that is full: the write fails in the middle of a commit.
#[test]
fn a_disk_that_takes_no_more_makes_it_read_only_and_everybody_is_told() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let mut shell = Command::new("sh");
    let limited = "trap '' XFSZ; ulimit -f 8192; exec \"$0\" serve \"$@\"";
    shell.args(["-c", limited, env!("CARGO_BIN_EXE_ostler")]);
    let serving = Serving::run(root.path(), shell, |command| {
        command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000").stderr(Stdio::null());
    });
    let kept = runtime().block_on(async {
        let mut client = serving.client().await;
        define(&mut client).await;
        let big = "x".repeat(200_000);
        let mut kept = 0;
        let refused = loop {
            match client.run_wf(run_wf(&format!("run-{kept}"), &big)).await {
                Ok(_) => kept += 1,
                Err(refused) => break refused,
            }
            assert!(kept < 1000, "the limit of the shell does not hold");
        };
        assert_eq!(refused.code(), tonic::Code::Unavailable);
        assert!(refused.message().contains("may or may not be kept"), "{refused}");
        let refused = client.run_wf(run_wf("later", "x")).await.unwrap_err();
        assert!(refused.message().contains("read-only"), "{refused}");
        for run in 0..kept {
            let id = lh::WfRunId { id: format!("run-{run}"), parent_wf_run_id: None };
            client.get_wf_run(id).await.unwrap();
        }
        kept
    });
    assert!(kept > 0);
    let health = serving.get("/healthz");
    assert!(health.starts_with("HTTP/1.1 503 ") && health.contains("read-only because"), "{health}");
    let text = serving.get("/metrics");
    assert_eq!((metric(&text, "ostler_read_only"), metric(&text, "ostler_up")), (1.0, 0.0));
    assert!(metric(&text, "ostler_wf_runs{status=\"RUNNING\"}") >= f64::from(kept));
    // The manager reads why, and the heartbeat goes on: another start would find the same disk.
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let until = Instant::now() + PATIENCE;
    let (mut told, mut beats) = (false, 0);
    while beats < 2 {
        assert!(Instant::now() < until);
        let mut bytes = [0; 1000];
        let length = socket.recv(&mut bytes).unwrap();
        let said = String::from_utf8_lossy(&bytes[..length]).into_owned();
        told |= said.starts_with("STATUS=the engine is read-only");
        beats += usize::from(told && said == "WATCHDOG=1");
    }
}

#[test]
fn other_machines_read_the_metrics_only_when_that_is_insisted_on() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(root.path().join("home")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_ostler"))
        .args(["serve", "--metrics", "0.0.0.0:0", "--data-dir"])
        .arg(root.path().join("data"))
        .env("HOME", root.path().join("home"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(8), "{said}");
    assert!(said.contains("--metrics-anywhere"), "{said}");
    let serving = Serving::start(root.path(), |command| {
        // The last one counts.
        command.args(["--metrics-anywhere"]);
    });
    assert!(serving.get("/healthz").ends_with("ok\n"));
}
