//! What is said at the bottom of the screen after something happened.

use super::sheet::Tone;
use crate::domain::TaskId;

/// A sentence about what happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// How it is meant.
    pub tone: Tone,
    /// The sentence.
    pub text: String,
    /// What Enter and `y` do about it.
    pub(crate) after: Option<AfterDone>,
}

/// After a completion: the next task, and the receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AfterDone {
    pub(crate) task: TaskId,
    pub(crate) receipt: String,
}

impl Notice {
    pub(crate) fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self { tone, text: text.into(), after: None }
    }
}
