//! The state of the inbox.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Update;
use super::effect::{Effect, Exit};
use super::msg::{Msg, Now, Signal};
use crate::domain::{Connection, HostInfo, Identity};

/// The size of the screen in cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
}

/// How it may look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Colours; false under `NO_COLOR`: then no colour at all is sent, only bold, dim and reverse.
    pub color: bool,
    /// Signs and lines beyond ASCII; false where the locale has no UTF-8.
    pub unicode: bool,
}

/// What the model starts with.
#[derive(Debug, Clone)]
pub struct Setup {
    /// As whom the person acts.
    pub me: Identity,
    /// The person's time zone.
    pub zone: TimeZone,
    /// How it may look.
    pub look: Look,
    /// The size of the screen.
    pub size: Size,
    /// The time.
    pub now: Now,
    /// Any number: spreads the polls of many ostlers over time.
    pub seed: u64,
}

/// The state of the inbox. Read it through `ui`; change it through [`update`](super::update).
#[derive(Debug, Clone)]
pub struct Model {
    pub(crate) me: Identity,
    pub(crate) zone: TimeZone,
    pub(crate) look: Look,
    pub(crate) size: Size,
    pub(crate) now: Now,
    pub(crate) connection: Connection,
    pub(crate) host: Option<HostInfo>,
}

impl Model {
    /// The state before the first message. Its first effects come from [`Model::start`].
    pub fn new(setup: Setup) -> Self {
        Self {
            me: setup.me,
            zone: setup.zone,
            look: setup.look,
            size: setup.size,
            now: setup.now,
            connection: Connection::Connecting,
            host: None,
        }
    }

    /// The effects to begin with: the first page, the counts, the host. Called once; the first frame does not wait for
    /// their answers.
    pub fn start(&mut self) -> Update {
        Update { effects: Vec::new(), redraw: true }
    }

    /// When the next [`Msg::Tick`] is due at the latest, in [`Now::since_start`]; `None` while nothing waits for time.
    pub fn next_deadline(&self) -> Option<Duration> {
        None
    }

    /// As whom the person acts.
    pub fn me(&self) -> &Identity {
        &self.me
    }

    /// The wall clock of the last tick.
    pub fn wall(&self) -> Timestamp {
        self.now.wall
    }

    pub(super) fn take(&mut self, msg: Msg) -> Update {
        match msg {
            Msg::Tick(now) => {
                self.now = now;
                Update::default()
            }
            Msg::Resize(size) => {
                self.size = size;
                Update { effects: Vec::new(), redraw: true }
            }
            Msg::Signal(signal @ (Signal::Terminate | Signal::Hangup)) => Update {
                effects: vec![Effect::Quit { exit: Exit { notes: Vec::new(), signal: Some(signal) } }],
                redraw: false,
            },
            _ => Update::default(),
        }
    }
}
