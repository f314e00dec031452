//! Who acts, where, and how the connection is.

use jiff::Timestamp;

use super::Untrusted;

/// As whom the person acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user id.
    pub user: String,
    /// The groups, the most important first.
    pub groups: Vec<String>,
}

impl Identity {
    /// Whether a user id is this person's.
    pub fn is_me(&self, user: &Untrusted) -> bool {
        user.raw() == self.user
    }

    /// Whether a group is one of this person's.
    pub fn is_mine(&self, group: &Untrusted) -> bool {
        self.groups.iter().any(|mine| mine == group.raw())
    }
}

/// Where the tasks come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The engine in this process.
    Local,
    /// The engine in another ostler of this machine.
    Attached,
    /// A LittleHorse server, by the address that was asked for.
    Server(String),
}

/// What is known of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostInfo {
    /// Where it is.
    pub place: Place,
    /// Its version, when it told.
    pub version: Option<Untrusted>,
    /// Address of the listener for SDK programs, when there is one.
    pub listen: Option<String>,
    /// False after a disk error: reads go on, commands are refused.
    pub writable: bool,
    /// Timers that stop with the last ostler; `None` when the host is no ostler.
    pub pending_timers: Option<u64>,
    /// True for the engine of `ostler demo`, which keeps nothing.
    pub throwaway: bool,
    /// True when the host tells of changes; else the inbox asks every few seconds.
    pub tells_changes: bool,
}

/// How the connection is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connection {
    /// Not there yet, never was.
    Connecting,
    /// Answers come.
    Online,
    /// No answer.
    Offline {
        /// Since when.
        since: Timestamp,
        /// When the next try is due, if there is one.
        retry_at: Option<Timestamp>,
        /// What is wrong, in words.
        why: String,
    },
}
