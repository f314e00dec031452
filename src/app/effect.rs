//! What the runtime is asked to do, as data.

use crate::domain::{Act, Cursor, Draft, DraftKey, FieldPath, Order, RunId, TaskId, Values, View};

/// Numbers the reads of one [`Slot`]; only the answer to the newest one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Generation(pub u64);

/// Numbers everything that changes something, uniquely for the life of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Ticket(pub u64);

/// A place for one read at a time: starting a read in a slot aborts the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    /// Pages of the list.
    Page,
    /// The numbers on the tabs.
    Counts,
    /// The open task.
    Task,
    /// The names of all workflows.
    Workflows,
    /// One workflow's inputs.
    Workflow,
    /// One run.
    Run,
    /// What is known of the host.
    Host,
}

/// Something to do. Each variant says which [`Msg`](super::Msg) answers it; exactly one answer comes for each effect
/// that has one, except for reads whose slot was taken by a newer read.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Read a part of a view. Slot `Page`; answered by `Msg::Page`.
    LoadPage {
        /// To be given back.
        generation: Generation,
        /// Which view.
        view: View,
        /// Which end first.
        order: Order,
        /// Where to go on; `None` from the start.
        cursor: Option<Cursor>,
        /// How many rows at most, 1 to 1000.
        limit: usize,
    },
    /// Count every view. Slot `Counts`; answered by `Msg::Counts`.
    LoadCounts {
        /// To be given back.
        generation: Generation,
    },
    /// Read a task with its definition, its run and its next steps. Slot `Task`; answered by `Msg::Task`.
    LoadTask {
        /// To be given back.
        generation: Generation,
        /// Which.
        task: TaskId,
    },
    /// Read the names of all workflows. Slot `Workflows`; answered by `Msg::Workflows`.
    LoadWorkflows {
        /// To be given back.
        generation: Generation,
    },
    /// Read a workflow's inputs, latest version. Slot `Workflow`; answered by `Msg::Workflow`.
    LoadWorkflow {
        /// To be given back.
        generation: Generation,
        /// Its name.
        name: String,
    },
    /// Read a run: its steps, where it waits, where and why it failed. Slot `Run`; answered by `Msg::Run`.
    LoadRun {
        /// To be given back.
        generation: Generation,
        /// Which.
        run: RunId,
    },
    /// Read what is known of the host. Slot `Host`; answered by `Msg::Host` (also sent unasked when it changes).
    LoadHost {
        /// To be given back.
        generation: Generation,
    },
    /// Change a task as this person and read it back. Never aborted, never repeated after an unknown outcome without
    /// looking first. Answered by `Msg::Acted`.
    Act {
        /// To be given back.
        ticket: Ticket,
        /// Which task.
        task: TaskId,
        /// What to do with it.
        act: Act,
    },
    /// Start a run. Never aborted. Answered by `Msg::Started`.
    RunWorkflow {
        /// To be given back.
        ticket: Ticket,
        /// The workflow's name, latest version.
        name: String,
        /// Its inputs.
        inputs: Values,
    },
    /// Load the four examples and start some of them. Never aborted. Answered by `Msg::ExamplesLoaded`.
    LoadExamples {
        /// To be given back.
        ticket: Ticket,
    },
    /// Keep a draft on the disk, replacing the one of the same key. Kept drafts of one key are written in the order of
    /// the effects, and all before the program ends. Answered by `Msg::DraftKept`.
    KeepDraft {
        /// To be given back.
        ticket: Ticket,
        /// What was typed.
        draft: Draft,
    },
    /// Look for a draft. Answered by `Msg::DraftFound`.
    FindDraft {
        /// Whose.
        key: DraftKey,
    },
    /// Remove a draft: its values are on the server, or its person gave it up. In order with `KeepDraft`. No answer.
    DropDraft {
        /// Whose.
        key: DraftKey,
    },
    /// Install the service that runs the engine without an inbox. Answered by `Msg::ServiceInstalled`.
    InstallService,
    /// Put a text on the clipboard, as well as the terminal can. No answer.
    Copy {
        /// The text; may have several lines, has no control characters beside line breaks.
        text: String,
    },
    /// Give the terminal to `$VISUAL`, `$EDITOR` or `vi` with this text. Answered by `Msg::Edited` once the terminal is
    /// back.
    Edit {
        /// To be given back.
        ticket: Ticket,
        /// The field, for the file's name.
        field: FieldPath,
        /// The text to begin with.
        text: String,
    },
    /// Give the terminal back and stop (Ctrl-Z). Drafts before it in the list are written first. After going on,
    /// `Msg::Signal(Signal::Continue)` comes.
    Suspend,
    /// End the program: drafts are written, the terminal is given back, `exit` is handed to the caller. No answer.
    Quit {
        /// How it ends.
        exit: Exit,
    },
}

/// How the program ends.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exit {
    /// What to print on the normal screen afterwards, line by line: actions whose outcome is unknown.
    pub notes: Vec<String>,
    /// The signal that ended it, if one did.
    pub signal: Option<super::Signal>,
}
