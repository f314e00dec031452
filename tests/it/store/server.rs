//! `ostler serve` in a process of its own, for tests and benchmarks.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use hyper_util::rt::TokioIo;
use tonic::transport::{Channel, Endpoint, Uri};

/// A running server; killed with SIGKILL when it is dropped.
pub struct Server {
    child: Child,
    /// Its Unix socket.
    pub socket: PathBuf,
    /// Its TCP address.
    pub listen: String,
}

impl Server {
    /// Starts one on `root/data` and returns when it says where it listens.
    pub fn start(root: &Path) -> Self {
        std::fs::create_dir_all(root.join("home")).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_ostler"))
            .args(["serve", "--allow-network-fs", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(root.join("data"))
            .env("HOME", root.join("home"))
            .env("XDG_RUNTIME_DIR", root)
            .env_remove("XDG_CONFIG_HOME")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut value = |name: &str| {
            let line = lines.next().unwrap_or_else(|| panic!("the server ended before it said {name:?}")).unwrap();
            line.strip_prefix(name).unwrap_or_else(|| panic!("{line}")).trim().to_owned()
        };
        let listen = value("listening on");
        let socket = PathBuf::from(value("socket"));
        Self { child, socket, listen }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as a power cut of the process would: SIGKILL, at once.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// A connection through the Unix socket.
    pub async fn over_socket(&self) -> Channel {
        let socket = self.socket.clone();
        let dial = tower::service_fn(move |_: Uri| {
            let socket = socket.clone();
            async move { tokio::net::UnixStream::connect(socket).await.map(TokioIo::new) }
        });
        Endpoint::from_static("http://socket").connect_with_connector(dial).await.unwrap()
    }

    /// A connection through loopback TCP.
    pub async fn over_tcp(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.listen)).unwrap().tcp_nodelay(true).connect().await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
