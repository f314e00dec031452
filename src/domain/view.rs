//! The views of the inbox, and pages of rows.

use jiff::Timestamp;

use super::TaskRow;

/// A view: which tasks are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum View {
    /// Open and mine, or open, unowned and of one of my groups: what I can act on.
    ForMe,
    /// Open and of one of my groups, whoever owns it.
    MyGroups,
    /// Every open task.
    AllOpen,
    /// Every completed task.
    Done,
    /// Every cancelled task.
    Cancelled,
}

impl View {
    /// All views in the order of their keys.
    pub const ALL: [Self; 5] = [Self::ForMe, Self::MyGroups, Self::AllOpen, Self::Done, Self::Cancelled];

    /// The name on its tab.
    pub fn label(self) -> &'static str {
        match self {
            Self::ForMe => "For me",
            Self::MyGroups => "My groups",
            Self::AllOpen => "All open",
            Self::Done => "Done",
            Self::Cancelled => "Cancelled",
        }
    }

    /// Place among all views, from 0.
    pub fn index(self) -> usize {
        match self {
            Self::ForMe => 0,
            Self::MyGroups => 1,
            Self::AllOpen => 2,
            Self::Done => 3,
            Self::Cancelled => 4,
        }
    }
}

/// Which end of a view comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// The newest task is at the top.
    #[default]
    NewestFirst,
    /// The oldest task is at the top.
    OldestFirst,
}

/// Where a page ended. Only the gateway that made it can read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub Vec<u8>);

/// A part of a view, in its order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TaskPage {
    /// The rows.
    pub rows: Vec<TaskRow>,
    /// Where to go on; `None` when this was the end.
    pub next: Option<Cursor>,
    /// Set while a server that only lists oldest first is searched backwards: tasks older than this were not looked at
    /// yet, so the page may be short, or empty, though there are more.
    pub looked_back_to: Option<Timestamp>,
}

/// How many tasks a view has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Count {
    /// Nobody knows.
    #[default]
    Unknown,
    /// So many.
    Exactly(u64),
    /// So many and maybe more (a server without counts was searched so far).
    AtLeast(u64),
}
