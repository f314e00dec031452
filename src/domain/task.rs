//! A task: as a row, in detail, and what is done with it.

use jiff::Timestamp;

use super::{DefId, Event, EventKind, Form, NextStep, OnCancel, RunBrief, TaskId, Untrusted, Values};

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Open, owned by nobody.
    Unassigned,
    /// Open, owned by somebody.
    Assigned,
    /// Completed.
    Done,
    /// Cancelled.
    Cancelled,
}

impl Status {
    /// Whether something can still be done with it.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Unassigned | Self::Assigned)
    }
}

/// A task as the list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskRow {
    /// Which.
    pub id: TaskId,
    /// Its definition.
    pub def: DefId,
    /// Where it stands.
    pub status: Status,
    /// Who owns it.
    pub user: Option<Untrusted>,
    /// Whose group it is.
    pub group: Option<Untrusted>,
    /// What it is about.
    pub notes: Option<Untrusted>,
    /// When it was reached.
    pub scheduled: Option<Timestamp>,
    /// The workflow, when it is known.
    pub workflow: Option<Untrusted>,
}

/// A task with all that is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskDetail {
    /// What the list shows.
    pub row: TaskRow,
    /// The form, or why there is none (the definition was deleted).
    pub form: Result<Form, Untrusted>,
    /// The values saved or completed last.
    pub values: Values,
    /// The audit trail, in order.
    pub events: Vec<Event>,
    /// The run, when it could be read.
    pub run: Option<RunBrief>,
    /// What may come next; empty when it could not be read.
    pub next: Vec<NextStep>,
    /// What a cancellation would do.
    pub on_cancel: OnCancel,
}

impl TaskDetail {
    /// Since when the owner owns it: the last time the owner changed.
    pub fn owned_since(&self) -> Option<Timestamp> {
        self.row.user.as_ref()?;
        self.events.iter().rev().find_map(|event| match &event.what {
            EventKind::Assigned { old_user, new_user, .. } if old_user != new_user => Some(event.at),
            _ => None,
        })
    }

    /// When it was completed or cancelled.
    pub fn finished_at(&self) -> Option<Timestamp> {
        self.events.iter().rev().find_map(|event| match &event.what {
            EventKind::Completed | EventKind::Cancelled { .. } => Some(event.at),
            _ => None,
        })
    }
}

/// Something that changes a task.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Make it mine and keep its group.
    Claim {
        /// The group to keep: an assignment replaces both.
        group: Option<Untrusted>,
        /// Take it from whoever owns it. Without this the server refuses when somebody was faster.
        take_over: bool,
    },
    /// Give it back to its group.
    Release {
        /// The group.
        group: Untrusted,
        /// Release what somebody else owns. Without this only one's own claim is given back.
        take_over: bool,
    },
    /// Give it to a user, a group or both. What is left out is cleared.
    Assign {
        /// The user.
        user: Option<String>,
        /// The group.
        group: Option<String>,
        /// Take it from whoever owns it.
        take_over: bool,
    },
    /// Keep the values on the server. They replace what is there.
    Save {
        /// All values, those that no field knows included.
        values: Values,
        /// Save although somebody else owns it.
        ignore_claim: bool,
    },
    /// Complete it as me.
    Complete {
        /// The values of the form's fields.
        values: Values,
        /// Complete although somebody else owns it; they lose it. Without this, whoever claimed the task while the form
        /// was being filled in keeps it.
        take_over: bool,
    },
    /// Cancel it.
    Cancel {
        /// Kept as a comment, written before the cancellation.
        reason: Option<String>,
    },
    /// Write a comment as me.
    Comment {
        /// The text.
        text: String,
    },
}

/// What came of an [`Act`], as read back from the server.
#[derive(Debug, Clone, PartialEq)]
pub struct Acted {
    /// What really happened.
    pub happened: Happened,
    /// The task as it is now; `None` when reading it back failed.
    pub task: Option<Box<TaskDetail>>,
}

/// What really happened. A LittleHorse server answers OK to a completion that came too late and drops it, so this
/// is what was read back, not what was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    /// It was carried out.
    Done,
    /// It was not: the task had been completed or cancelled before.
    TooLate {
        /// [`Status::Done`] or [`Status::Cancelled`].
        status: Status,
        /// Who completed it, when that is known.
        by: Option<Untrusted>,
        /// When.
        at: Option<Timestamp>,
    },
    /// It was not: somebody else owns the task, and it was not to be taken from them.
    Taken {
        /// Who.
        by: Untrusted,
        /// Since when, if that is known.
        since: Option<Timestamp>,
    },
    /// It was answered, but what came of it could not be read back: it may have happened.
    Unconfirmed {
        /// Why it could not be read back.
        why: String,
    },
}
