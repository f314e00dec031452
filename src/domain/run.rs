//! Workflow runs as the inbox shows them.

use jiff::Timestamp;

use super::{Form, RunId, TaskRow, Untrusted};

/// Where a WfRun, one of its threads or one of its nodes stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunStatus {
    /// About to run.
    Starting,
    /// Runs, or waits for something.
    Running,
    /// Ended well.
    Completed,
    /// Being held.
    Halting,
    /// Held.
    Halted,
    /// Ended by a technical failure.
    Error,
    /// Ended by a failure that the workflow itself names.
    Exception,
}

impl RunStatus {
    /// The status in a word or two.
    pub fn words(self) -> &'static str {
        match self {
            Self::Starting => "is starting",
            Self::Running => "is running",
            Self::Completed => "completed",
            Self::Halting => "is being halted",
            Self::Halted => "is halted",
            Self::Error => "failed",
            Self::Exception => "ended with an exception",
        }
    }

    /// Whether it ended badly.
    pub fn failed(self) -> bool {
        matches!(self, Self::Error | Self::Exception)
    }
}

/// A run as far as a task's detail shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunBrief {
    /// Which.
    pub id: RunId,
    /// The workflow's name.
    pub workflow: Untrusted,
    /// Its version, `major.revision`.
    pub version: String,
    /// Where it stands.
    pub status: RunStatus,
    /// The nodes that it is at now, by the names a person knows: a user task's definition, else the node's name
    /// without the SDK's number and kind.
    pub at: Vec<Untrusted>,
    /// Why it failed, when it did.
    pub failure: Option<RunFailure>,
}

/// Where and why a run failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFailure {
    /// The failure's name: `USER_TASK_CANCELLED`, `VAR_ERROR`.
    pub name: Untrusted,
    /// What it says.
    pub message: Untrusted,
    /// The node where it happened.
    pub node: Untrusted,
    /// The thread where it happened.
    pub thread: Untrusted,
    /// When, if known.
    pub at: Option<Timestamp>,
}

/// A possible next step of a task's run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextStep {
    /// Under which condition, in words: `approved = yes`; `None` when nothing is asked.
    pub when: Option<Untrusted>,
    /// The node, by the name a person knows; `end` for the exit.
    pub to: Untrusted,
}

/// What a cancellation does to the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnCancel {
    /// The run fails.
    Fails {
        /// With a failure of this name.
        failure: Untrusted,
    },
    /// The workflow handles it.
    Handled {
        /// In the thread of this name.
        handler: Untrusted,
    },
    /// The workflow could not be read.
    Unknown,
}

/// A run with its steps.
#[derive(Debug, Clone, PartialEq)]
pub struct RunDetail {
    /// What the brief says.
    pub brief: RunBrief,
    /// When it started.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// What it did so far, in order.
    pub steps: Vec<RunStep>,
    /// The user tasks that it waits for.
    pub tasks: Vec<TaskRow>,
}

/// One step of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunStep {
    /// The node, by the name a person knows.
    pub node: Untrusted,
    /// What kind of node, in words: `user task`, `start`, `end`.
    pub kind: String,
    /// Where it stands.
    pub status: RunStatus,
    /// When it was reached.
    pub at: Option<Timestamp>,
    /// What went wrong there.
    pub problem: Option<Untrusted>,
}

/// A workflow that can be run.
#[derive(Debug, Clone, PartialEq)]
pub struct Workflow {
    /// Its name.
    pub name: Untrusted,
    /// Its version, `major.revision`.
    pub version: String,
    /// What it wants to be told.
    pub inputs: Form,
}
