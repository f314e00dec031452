//! One host for each data directory.
//!
//! The kernel's lock on `engine.lock` decides, and it ends with the process, however that ends. What stands in the
//! file is for others to read: who holds the lock, and where to attach. The file itself is never removed: a lock on
//! a removed file would keep nobody out.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The name of the lock file in the data directory.
pub const LOCK_FILE: &str = "engine.lock";

/// Who hosts a data directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The machine.
    pub host: String,
    /// Which start of that machine; empty where the system does not say.
    pub boot_id: String,
    /// The process.
    pub pid: u32,
    /// Its version of ostler.
    pub version: String,
    /// The store's name for good.
    pub store_id: String,
    /// The Unix socket it serves.
    pub socket: PathBuf,
    /// Its TCP address, when it listens.
    pub listen: Option<String>,
}

impl Holder {
    /// This process.
    pub(super) fn this_process(store_id: String, socket: PathBuf, listen: Option<String>) -> Self {
        Self {
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            boot_id: std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
                .map(|id| id.trim().to_owned())
                .unwrap_or_default(),
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            store_id,
            socket,
            listen,
        }
    }
}

/// Somebody else holds the lock.
#[derive(Debug)]
pub(super) enum Busy {
    /// The lock is held; by whom, when that is known already.
    Held(Option<Box<Holder>>),
    /// The file cannot be opened, locked or written.
    Io(io::Error),
}

/// The held lock; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock of a data directory, without waiting.
    pub(super) fn take(directory: &Path) -> Result<Self, Busy> {
        let path = directory.join(LOCK_FILE);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(Busy::Io)?;
        match file.try_lock() {
            Ok(()) => {
                // What a dead host left behind must not send anybody to its socket.
                file.set_len(0).map_err(Busy::Io)?;
                Ok(Self { file })
            }
            Err(TryLockError::WouldBlock) => Err(Busy::Held(holder(&file))),
            Err(TryLockError::Error(error)) => Err(Busy::Io(error)),
        }
    }

    /// Tells others who holds it; called once the socket answers.
    pub(super) fn announce(&mut self, holder: &Holder) -> io::Result<()> {
        let mut line = serde_json::to_vec(holder)?;
        line.push(b'\n');
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(&line)
    }

    /// Sends nobody to a socket that is about to go.
    pub(super) fn withdraw(&mut self) -> io::Result<()> {
        self.file.set_len(0)
    }
}

/// What the holder wrote; nothing while it is starting or stopping.
fn holder(mut file: &File) -> Option<Box<Holder>> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok().map(Box::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn somebody() -> Holder {
        Holder::this_process("store".into(), "/run/somewhere.sock".into(), Some("127.0.0.1:2023".into()))
    }

    #[test]
    fn the_second_one_learns_who_was_first() {
        let directory = tempfile::tempdir().unwrap();
        let mut first = Lock::take(directory.path()).unwrap();
        assert!(matches!(Lock::take(directory.path()), Err(Busy::Held(None))));
        first.announce(&somebody()).unwrap();
        match Lock::take(directory.path()) {
            Err(Busy::Held(Some(holder))) => assert_eq!(*holder, somebody()),
            other => panic!("{other:?}"),
        }
        first.withdraw().unwrap();
        assert!(matches!(Lock::take(directory.path()), Err(Busy::Held(None))));
    }

    #[test]
    fn a_lock_ends_with_its_holder_and_leaves_no_address() {
        let directory = tempfile::tempdir().unwrap();
        let mut first = Lock::take(directory.path()).unwrap();
        first.announce(&somebody()).unwrap();
        drop(first);
        let second = Lock::take(directory.path()).unwrap();
        assert!(matches!(Lock::take(directory.path()), Err(Busy::Held(None))));
        drop(second);
    }
}
