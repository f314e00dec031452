//! What was typed and not sent yet.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{DefId, Event, EventKind, FieldPath, Identity, TaskId, Untrusted, Values};

/// What a draft belongs to. The place (store or server) and the tenant are added where drafts are kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DraftKey {
    /// A task's form.
    Task(TaskId),
    /// The inputs of a workflow, by its name.
    Run(String),
}

/// The texts of a form as they were typed, right or wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    /// What it belongs to.
    pub key: DraftKey,
    /// The definition that the form was built from; `None` for the inputs of a workflow.
    pub def: Option<DefId>,
    /// When the last key fell.
    pub at: Timestamp,
    /// The text of every field that differs from the base.
    pub texts: BTreeMap<String, DraftText>,
    /// What the server had when typing began.
    pub base: Base,
}

/// One field of a draft. The map's key is the printable path, this holds the real one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DraftText {
    /// The field.
    pub path: FieldPath,
    /// What was typed.
    pub text: String,
}

/// The server's side when typing began: what a draft is compared with later.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Base {
    /// How many events the task had.
    pub events: usize,
    /// The values it had.
    pub values: Values,
}

/// What happened to a task's values since a draft's base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Since {
    /// Nothing that concerns the values.
    Nothing,
    /// Somebody saved.
    Saved {
        /// Who saved last.
        by: Untrusted,
        /// When.
        at: Timestamp,
    },
}

impl Base {
    /// What happened to the values since. A save of one's own that left other values than the base counts too: it came
    /// from another terminal.
    pub fn since(&self, events: &[Event], values: &Values, me: &Identity) -> Since {
        let later = events.iter().skip(self.events).rev().find_map(|event| match &event.what {
            EventKind::Saved { by, .. } => Some((by.clone(), event.at)),
            _ => None,
        });
        match later {
            Some((by, at)) if *values != self.values || !me.is_me(&by) => Since::Saved { by, at },
            _ => Since::Nothing,
        }
    }
}
