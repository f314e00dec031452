//! What lies over the panes: questions, prompts and pages to read.

use super::edit::TextEdit;
use super::model::Model;
use super::pages;
use crate::domain::{TaskRow, Untrusted};

/// What lies over the panes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Overlay {
    /// Help for the place below.
    Help { scroll: usize },
    /// The values before they are sent; from whom a completion takes the task, as the person was told.
    Review { scroll: usize, takes_from: Option<Untrusted> },
    /// Typed answers beside the server's.
    Compare { scroll: usize },
    /// How to connect to a server.
    Connect { scroll: usize },
    /// How to make tasks of one's own.
    HowTo { scroll: usize },
    /// Whether to take something from its owner.
    Take(Take),
    /// A text to be typed for a task.
    Prompt(Prompt),
    /// The command line.
    Line(LinePrompt),
    /// A filter being typed; the one before.
    Find { edit: TextEdit, before: String },
}

/// Something that takes a task from its owner, or writes over the owner's values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Take {
    pub(crate) task: TaskRow,
    pub(crate) what: TakeWhat,
}

/// What is done with a task of somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TakeWhat {
    /// Make it mine.
    Claim,
    /// Give it back to its group.
    Release,
    /// Write my values.
    Save,
}

/// A text for a task.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Prompt {
    pub(crate) task: TaskRow,
    pub(crate) kind: PromptKind,
    pub(crate) edit: TextEdit,
    /// Why it was not taken.
    pub(crate) problem: Option<String>,
}

/// What the text is for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum PromptKind {
    /// The user to give it to; the group stands in a second buffer.
    Assign { group: TextEdit, on_group: bool },
    /// A comment.
    Comment,
    /// The reason of a cancellation.
    Cancel,
}

impl PromptKind {
    /// For remembering a text that was left.
    pub(crate) fn number(&self) -> u8 {
        match self {
            Self::Assign { .. } => 0,
            Self::Comment => 1,
            Self::Cancel => 2,
        }
    }
}

/// The command line being typed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LinePrompt {
    pub(crate) edit: TextEdit,
    /// What was typed before Tab began to go through the candidates, and which one shows.
    pub(crate) picking: Option<(String, usize)>,
    /// How far back in the lines typed before.
    pub(crate) back: usize,
    pub(crate) problem: Option<String>,
}

impl LinePrompt {
    pub(crate) fn new(text: &str) -> Self {
        Self { edit: TextEdit::new(text, false), picking: None, back: 0, problem: None }
    }
}

impl Overlay {
    /// The scroll position of a page to read.
    pub(crate) fn scroll_mut(&mut self) -> Option<&mut usize> {
        match self {
            Self::Help { scroll }
            | Self::Review { scroll, .. }
            | Self::Compare { scroll }
            | Self::Connect { scroll }
            | Self::HowTo { scroll } => Some(scroll),
            _ => None,
        }
    }
}

impl Model {
    /// Keeps a page's scrolling within what there is.
    pub(crate) fn settle_overlay(&mut self) {
        let Some(mut overlay) = self.overlay.take() else { return };
        let area = pages::overlay_area(self, &overlay);
        if let Some(sheet) = pages::overlay_sheet(self, &overlay, area.columns())
            && let Some(scroll) = overlay.scroll_mut()
        {
            *scroll = pages::scroll(&sheet, *scroll, area.rows(), None);
        }
        self.overlay = Some(overlay);
    }
}
