//! The server under test: the real binary on a data directory of its own.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long the server may take to say its address, and to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running `ostler serve`; ended and removed when dropped.
pub struct Server {
    child: Child,
    address: SocketAddr,
    data: TempDir,
}

impl Server {
    /// Starts one on a free port of the loopback and waits until it says where.
    ///
    /// # Errors
    ///
    /// What it printed instead.
    pub fn start() -> Result<Self, String> {
        let data = tempfile::tempdir().map_err(|error| format!("no temporary directory: {error}"))?;
        let (child, address) = serve(data.path(), "127.0.0.1:0")?;
        Ok(Self { child, address, data })
    }

    /// Kills it with -9 and starts it again at the same address on the same data.
    ///
    /// # Errors
    ///
    /// What the second one printed instead of its address.
    pub fn kill_and_start_again(&mut self) -> Result<(), String> {
        // On Unix this is SIGKILL.
        self.child
            .kill()
            .and_then(|()| self.child.wait())
            .map_err(|error| format!("cannot kill the server: {error}"))?;
        (self.child, self.address) = serve(self.data.path(), &self.address.to_string())?;
        Ok(())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Starts the program and waits until it says where it listens.
fn serve(data: &Path, listen: &str) -> Result<(Child, SocketAddr), String> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ostler"))
        .args(["serve", "--listen", listen, "--data-dir"])
        .arg(data)
        .env("XDG_RUNTIME_DIR", data)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("ostler serve does not start: {error}"))?;
    let said = lines_of(&mut child);
    let (mut text, until) = (String::new(), Instant::now() + PATIENCE);
    while let Ok(line) = said.recv_timeout(until.saturating_duration_since(Instant::now())) {
        if let Some(address) = address_in(&line) {
            return Ok((child, address));
        }
        text = format!("{text}{line}\n");
    }
    drop(child.kill());
    drop(child.wait());
    Err(format!("ostler serve said no address; it said:\n{text}"))
}

/// What a child says, line by line, on both outputs until both have ended: it never waits for a reader.
pub fn lines_of(child: &mut Child) -> Receiver<String> {
    let (lines, said) = mpsc::channel();
    let outputs: [Option<Box<dyn Read + Send>>; 2] =
        [child.stdout.take().map(|out| Box::new(out) as _), child.stderr.take().map(|err| Box::new(err) as _)];
    for output in outputs.into_iter().flatten() {
        let lines = lines.clone();
        std::thread::spawn(move || {
            BufReader::new(output).lines().map_while(Result::ok).for_each(|line| drop(lines.send(line)));
        });
    }
    said
}

/// The first loopback address with a port in a line.
fn address_in(line: &str) -> Option<SocketAddr> {
    let from = line.find("127.0.0.1:")?;
    let rest = line.get(from..)?;
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':').unwrap_or(rest.len());
    rest.get(..end)?.trim_end_matches(['.', ':']).parse().ok()
}
