//! Names of things, as LittleHorse gives them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Untrusted;

/// A WfRun: the chain of its parents and its own id, root first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(Vec<String>);

impl RunId {
    /// From the chain of ids, root first; the last one is the run's own.
    pub fn new(chain: Vec<String>) -> Self {
        Self(chain)
    }

    /// A run without a parent.
    pub fn root(id: impl Into<String>) -> Self {
        Self(vec![id.into()])
    }

    /// The chain of ids, root first.
    pub fn chain(&self) -> &[String] {
        &self.0
    }

    /// The run's own id when a person gave it, else the first eight characters of it: enough to recognise it beside its
    /// workflow's name.
    pub fn short(&self) -> String {
        let own = self.0.last().map_or("", String::as_str);
        let safe = super::display_line(own);
        if super::display_width(&safe) <= 20 {
            return safe.into_owned();
        }
        let head: String = safe.chars().take(8).collect();
        if head.len() < safe.len() { format!("{head}…") } else { head }
    }
}

/// The text form that LittleHorse uses: `<parent>_<child>`. Safe to print.
impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&super::display_line(&self.0.join("_")))
    }
}

/// A UserTaskRun. Its guid is unique only inside its WfRun and is opaque text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TaskId {
    /// The run that the task belongs to.
    pub run: RunId,
    /// The task's own part.
    pub guid: String,
}

/// The text form that LittleHorse uses: `<run>/<guid>`. Safe to print.
impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.run, super::display_line(&self.guid))
    }
}

/// A UserTaskDef in one version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DefId {
    /// The definition's name.
    pub name: Untrusted,
    /// Its version.
    pub version: i32,
}
