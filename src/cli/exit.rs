//! How the program ends: in words, and with a code for each kind of failure.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::app::Signal;
use crate::config::ConfigError;
use crate::engine::host::{DirectoryError, StartError, UpkeepError};

/// What `--help` says of the codes. 2 is clap's own.
pub(super) const HELP: &str = "\
Exit codes:
  0  done
  1  something went wrong in ostler itself or at the terminal
  2  the command line is wrong
  3  the doctor found something in the store that does not agree with the rest
  4  another ostler hosts this data directory, and this cannot be done meanwhile
  5  the server refused
  6  the configuration is wrong, or asks for what ostler cannot do yet
  7  the data directory, the store in it or a backup of it cannot be used
  8  the address to listen on cannot be used
  128 + n  signal n ended the inbox; everything typed was kept";

/// The code of a doctor who found something.
pub(super) const DISAGREES: u8 = 3;

/// Why the program ends without having done what it was asked to.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Options that do not go together, beyond what the parser sees.
    #[error("{0}")]
    Usage(String),
    /// The configuration.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// A server address or a tenant that nothing can be reached with.
    #[error("{0}")]
    Address(String),
    /// The bundled engine does not start.
    #[error("{0}")]
    Start(#[from] StartError),
    /// Something could not be done to a store.
    #[error("{0}")]
    Upkeep(UpkeepError),
    /// There is nothing to work on.
    #[error("there is no store in {0}; name another data directory with --data-dir")]
    NoStore(PathBuf),
    /// It is being served, and this cannot be done meanwhile.
    #[error("{0}")]
    InUse(String),
    /// The host could make nothing of a backup, or could make nothing from it.
    #[error("{0}")]
    NotRestored(String),
    /// The server said no.
    #[error("{0}")]
    Refused(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl From<UpkeepError> for Failure {
    fn from(error: UpkeepError) -> Self {
        match error {
            UpkeepError::Start(error) => Self::Start(error),
            other => Self::Upkeep(other),
        }
    }
}

impl Failure {
    /// Its exit code.
    pub(super) fn code(&self) -> u8 {
        match self {
            Failure::Other(_) => 1,
            Failure::Upkeep(_) | Failure::NotRestored(_) | Failure::NoStore(_) => 7,
            Failure::Usage(_) => 2,
            Failure::Start(StartError::Locked { .. }) | Failure::InUse(_) => 4,
            Failure::Refused(_) => 5,
            Failure::Config(_) | Failure::Address(_) => 6,
            Failure::Start(
                StartError::Listen { .. } | StartError::NotLoopback(_) | StartError::MetricsNotLoopback(_),
            ) => 8,
            Failure::Start(StartError::Threads(_) | StartError::Socket(_)) => 1,
            Failure::Start(StartError::Directory(_) | StartError::Lock { .. } | StartError::Store { .. }) => 7,
        }
    }

    /// What can be done about it, where that is not plain from the text.
    fn advice(&self) -> Option<&'static str> {
        match self {
            Failure::Start(StartError::Locked { .. }) => {
                Some("Without --listen, ostler attaches to it; or stop it, or name another directory with --data-dir.")
            }
            Failure::InUse(_) => Some("This cannot be done under a running host: stop it first."),
            Failure::Start(StartError::Listen { .. }) => Some("Name another port, or port 0 for a free one."),
            Failure::Start(StartError::Directory(DirectoryError::Io { .. })) => {
                Some("Name another directory with --data-dir.")
            }
            _ => None,
        }
    }

    /// Says it on standard error, and gives the code to end with.
    pub(super) fn report(&self) -> ExitCode {
        let mut text = sentence(&self.to_string());
        if let Some(advice) = self.advice() {
            text = format!("{text} {advice}");
        }
        // Nothing is left to be said to when standard error is closed.
        let _ = writeln!(std::io::stderr(), "ostler: {text}");
        ExitCode::from(self.code())
    }
}

/// The code of a program that a signal ended, as shells know it.
pub(super) fn after_signal(signal: Signal) -> u8 {
    let number = match signal {
        Signal::Hangup => 1,
        Signal::Terminate | Signal::Suspend | Signal::Continue => 15,
    };
    128 + number
}

fn sentence(text: &str) -> String {
    if text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}
