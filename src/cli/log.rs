//! Where the log goes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::config::LogFormat;

/// A log grows to this size, then it becomes the old one and a new one begins.
const LARGEST: u64 = 4 * 1024 * 1024;

/// What is logged, in the syntax of `tracing_subscriber`; warnings if not set.
const VARIABLE: &str = "OSTLER_LOG";

fn filter(level: LevelFilter) -> EnvFilter {
    EnvFilter::builder().with_default_directive(level.into()).with_env_var(VARIABLE).from_env_lossy()
}

/// For a program without a screen. As JSON, with one object a line, it also tells when it starts and stops: programs
/// read it, not a person who has just typed the command.
pub(super) fn to_stderr(format: LogFormat) {
    // It is set once only, at the start; a second time would be a test in the same process.
    let _ = match format {
        LogFormat::Text => {
            let log = tracing_subscriber::fmt().with_env_filter(filter(LevelFilter::WARN));
            log.with_ansi(io::stderr().is_terminal()).with_writer(io::stderr).try_init()
        }
        LogFormat::Json => {
            let log = tracing_subscriber::fmt().with_env_filter(filter(LevelFilter::INFO));
            log.json().flatten_event(true).with_writer(io::stderr).try_init()
        }
    };
}

/// For the inbox, whose screen nothing else may write to. Without a log file there is no log: that is no reason not
/// to work.
pub(super) fn to_file(path: &Path) {
    if let Ok(file) = open(path) {
        let log =
            tracing_subscriber::fmt().with_env_filter(filter(LevelFilter::WARN)).with_ansi(false).with_writer(file);
        let _ = log.try_init();
    }
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(directory) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    if fs::metadata(path).is_ok_and(|log| log.len() > LARGEST) {
        fs::rename(path, path.with_extension("log.old"))?;
    }
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_log_is_private_and_does_not_grow_for_ever() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state/ostler.log");
        open(&path).unwrap().write_all(&vec![b'x'; LARGEST as usize + 1]).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        open(&path).unwrap().write_all(b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(path.with_extension("log.old")).unwrap().len(), LARGEST + 1);
    }
}
