//! What a service manager is told: that the engine serves, how it is, that it stops. systemd's own protocol, a
//! datagram of lines to the socket in `NOTIFY_SOCKET`; without that variable there is nobody to tell.

use std::io;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The service manager, if one started this process.
#[derive(Debug, Default)]
pub(super) struct Manager {
    line: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl Manager {
    /// The one that the environment names.
    pub(super) fn find() -> Self {
        let variable = |name: &str| std::env::var(name).ok();
        Self::named(variable("NOTIFY_SOCKET").as_deref(), variable("WATCHDOG_USEC"), variable("WATCHDOG_PID"))
    }

    fn named(socket: Option<&str>, watchdog: Option<String>, watched: Option<String>) -> Self {
        let Some(socket) = socket.filter(|socket| !socket.is_empty()) else { return Self::default() };
        let line = address(socket).and_then(|address| Ok((UnixDatagram::unbound()?, address)));
        // The variables reach children too; the watchdog then is for their parent.
        let ours = watched.is_none_or(|pid| pid == std::process::id().to_string());
        let micros = watchdog.filter(|_| ours).and_then(|micros| micros.parse().ok()).filter(|micros| *micros > 0);
        match line {
            Ok(line) => Self { line: Some(line), watchdog: micros.map(Duration::from_micros) },
            Err(error) => {
                tracing::warn!("the service manager at {socket} cannot be told anything: {error}");
                Self::default()
            }
        }
    }

    /// How often it wants to hear that all is well; half of the time after which it would end this process.
    pub(super) fn heartbeat(&self) -> Option<Duration> {
        self.watchdog.map(|limit| limit / 2)
    }

    /// The engine serves.
    pub(super) fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={}", one_line(status)));
    }

    /// What it is about, for `systemctl status`.
    pub(super) fn status(&self, status: &str) {
        self.tell(&format!("STATUS={}", one_line(status)));
    }

    /// All is well.
    pub(super) fn alive(&self) {
        self.tell("WATCHDOG=1");
    }

    /// The engine stops.
    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=Making the last commands durable");
    }

    fn tell(&self, lines: &str) {
        if let Some((socket, address)) = &self.line
            && let Err(error) = socket.send_to_addr(lines.as_bytes(), address)
        {
            tracing::warn!("the service manager cannot be told {lines:?}: {error}");
        }
    }
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

#[cfg(target_os = "linux")]
fn address(socket: &str) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt;
    match socket.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(socket),
    }
}

#[cfg(not(target_os = "linux"))]
fn address(socket: &str) -> io::Result<SocketAddr> {
    SocketAddr::from_pathname(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_in_its_own_words() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let heard = || {
            let mut bytes = [0; 200];
            let length = socket.recv(&mut bytes).unwrap();
            String::from_utf8(bytes[..length].to_vec()).unwrap()
        };
        let manager = Manager::named(path.to_str(), Some("3000000".into()), None);
        assert_eq!(manager.heartbeat(), Some(Duration::from_millis(1500)));
        manager.ready("Serving /data\nEVIL=1");
        assert_eq!(heard(), "READY=1\nSTATUS=Serving /data EVIL=1");
        manager.alive();
        assert_eq!(heard(), "WATCHDOG=1");
        manager.stopping();
        assert!(heard().starts_with("STOPPING=1\n"));
    }

    #[test]
    fn nobody_is_told_where_nobody_listens() {
        Manager::named(None, Some("1000000".into()), None).ready("x");
        assert_eq!(Manager::named(Some(""), Some("1000000".into()), None).heartbeat(), None);
        let another = Manager::named(Some("@ostler-no-such-socket"), Some("1000000".into()), Some("1".into()));
        assert_eq!(another.heartbeat(), None);
        another.ready("x");
    }
}
