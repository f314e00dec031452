//! What the model is told.

use std::time::Duration;

use jiff::Timestamp;

use super::effect::{Generation, Ticket};
use super::model::Size;
use crate::domain::{
    Acted, Connection, Count, Draft, DraftKey, HostInfo, RunDetail, RunId, TaskDetail, TaskId, TaskPage, Trouble,
    Untrusted, Workflow,
};
use crate::input::Chord;

/// The time, twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Since the program started; never steps back. Deadlines are given in it.
    pub since_start: Duration,
    /// By the wall clock, for ages and for what is shown.
    pub wall: Timestamp,
}

/// A signal from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT from outside (the key Ctrl-C comes as a key) or SIGTERM: end in order.
    Terminate,
    /// SIGHUP: the terminal is gone. Keep what was typed and end.
    Hangup,
    /// SIGTSTP from outside (the key Ctrl-Z comes as a key).
    Suspend,
    /// SIGCONT: the terminal is ours again.
    Continue,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Msg {
    /// The time. Sent before each batch of other messages and when a deadline is due.
    Tick(Now),
    /// A key.
    Key(Chord),
    /// A bracketed paste, as it came: line breaks may be `\n`, `\r` or both.
    Paste(String),
    /// The size of the screen.
    Resize(Size),
    /// Whether the terminal has the focus.
    Focus(bool),
    /// A signal.
    Signal(Signal),
    /// How the connection is, whenever that changes.
    Connection(Connection),
    /// What is known of the host: answers `LoadHost`, and comes unasked (without a generation) after each new
    /// connection and when it changes.
    Host {
        /// Of the effect it answers.
        generation: Option<Generation>,
        /// What is known, or why not.
        result: Result<HostInfo, Trouble>,
    },
    /// The host tells that tasks changed.
    Changed {
        /// Which; empty with `missed`.
        tasks: Vec<TaskId>,
        /// Some changes were not told: read everything again.
        missed: bool,
    },
    /// Answers `LoadPage`.
    Page {
        /// Of the effect.
        generation: Generation,
        /// The page.
        result: Result<TaskPage, Trouble>,
    },
    /// Answers `LoadCounts`.
    Counts {
        /// Of the effect.
        generation: Generation,
        /// One for each of [`View::ALL`](crate::domain::View::ALL), in that order.
        result: Result<[Count; 5], Trouble>,
    },
    /// Answers `LoadTask`.
    Task {
        /// Of the effect.
        generation: Generation,
        /// The task.
        result: Result<Box<TaskDetail>, Trouble>,
    },
    /// Answers `LoadWorkflows`.
    Workflows {
        /// Of the effect.
        generation: Generation,
        /// The names, in order, each once.
        result: Result<Vec<Untrusted>, Trouble>,
    },
    /// Answers `LoadWorkflow`.
    Workflow {
        /// Of the effect.
        generation: Generation,
        /// The workflow.
        result: Result<Box<Workflow>, Trouble>,
    },
    /// Answers `LoadRun`.
    Run {
        /// Of the effect.
        generation: Generation,
        /// The run.
        result: Result<Box<RunDetail>, Trouble>,
    },
    /// Answers `Act`.
    Acted {
        /// Of the effect.
        ticket: Ticket,
        /// What really happened. `Trouble::OutcomeUnknown` only when looking afterwards did not tell either.
        result: Result<Acted, Trouble>,
    },
    /// Answers `RunWorkflow`.
    Started {
        /// Of the effect.
        ticket: Ticket,
        /// The new run's id.
        result: Result<RunId, Trouble>,
    },
    /// Answers `LoadExamples`.
    ExamplesLoaded {
        /// Of the effect.
        ticket: Ticket,
        /// Done, or why not.
        result: Result<(), Trouble>,
    },
    /// Answers `KeepDraft`.
    DraftKept {
        /// Of the effect.
        ticket: Ticket,
        /// On the disk, or why not.
        result: Result<(), Trouble>,
    },
    /// Answers `FindDraft`.
    DraftFound {
        /// Whose.
        key: DraftKey,
        /// The draft, if there is one that can be read.
        result: Result<Option<Draft>, Trouble>,
    },
    /// Answers `InstallService`.
    ServiceInstalled {
        /// What was done, in sentences, or why it was not.
        result: Result<Vec<String>, Trouble>,
    },
    /// Answers `Edit`.
    Edited {
        /// Of the effect.
        ticket: Ticket,
        /// The text after editing, or why there is none.
        result: Result<String, Trouble>,
    },
}
