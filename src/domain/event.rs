//! The audit trail of a task.

use jiff::Timestamp;

use super::{Identity, Untrusted, Values};

/// One entry of the audit trail.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: EventKind,
}

/// What an entry tells.
#[derive(Debug, Clone, PartialEq)]
pub enum EventKind {
    /// The owner or the group changed. The server does not tell who did it.
    Assigned {
        /// Owner before.
        old_user: Option<Untrusted>,
        /// Group before.
        old_group: Option<Untrusted>,
        /// Owner now.
        new_user: Option<Untrusted>,
        /// Group now.
        new_group: Option<Untrusted>,
    },
    /// Values were saved; they replaced what was there.
    Saved {
        /// By whom.
        by: Untrusted,
        /// All values of that moment.
        values: Values,
    },
    /// A comment.
    Commented {
        /// Its number in the task.
        id: i32,
        /// By whom.
        by: Untrusted,
        /// Its text.
        text: Untrusted,
    },
    /// A comment got another text.
    CommentEdited {
        /// Its number.
        id: i32,
        /// Who changed it.
        by: Untrusted,
        /// The new text.
        text: Untrusted,
    },
    /// A comment was taken away.
    CommentDeleted {
        /// Its number.
        id: i32,
        /// Who did it.
        by: Untrusted,
    },
    /// A reminder ran.
    ReminderRan {
        /// Which task run.
        task_run: Untrusted,
    },
    /// The task was cancelled. The server does not tell who did it.
    Cancelled {
        /// What the server says about it.
        message: Untrusted,
    },
    /// The task was completed by its owner.
    Completed,
    /// Something that this ostler does not know.
    Unknown,
}

impl EventKind {
    /// The entry in words. `owner` is who completes: the owner at the end of the trail. `first` is true for the first
    /// entry of a trail, which tells of the arrival.
    pub fn words(&self, me: &Identity, owner: Option<&Untrusted>, first: bool) -> String {
        let name = |user: &Untrusted| if me.is_me(user) { "you".to_owned() } else { shown(user) };
        match self {
            Self::Assigned { old_user, old_group, new_user, new_group } => {
                let came = if first { "came to " } else { "went to " };
                match (new_user, new_group) {
                    (Some(user), group) => {
                        let of = group.as_ref().map(|group| format!(" ({})", shown(group))).unwrap_or_default();
                        match old_user {
                            Some(old) if old == user && old_group == new_group => {
                                format!("stayed with {}{of}", name(user))
                            }
                            Some(old) if old == user => {
                                format!("stayed with {}, now {}", name(user), group_words(group))
                            }
                            Some(old) => format!("{came}{}{of}, from {}", name(user), name(old)),
                            None => format!("{came}{}{of}", name(user)),
                        }
                    }
                    (None, Some(group)) => match old_user {
                        Some(old) => format!("{} let go; back to the group {}", name(old), shown(group)),
                        None => format!("{came}the group {}", shown(group)),
                    },
                    (None, None) => format!("{came}nobody"),
                }
            }
            Self::Saved { by, values } if values.is_empty() => format!("{} saved the form empty", name(by)),
            Self::Saved { by, .. } => format!("{} saved the form", name(by)),
            Self::Commented { by, .. } => format!("{} wrote", name(by)),
            Self::CommentEdited { id, by, .. } => format!("{} changed comment {id}", name(by)),
            Self::CommentDeleted { id, by } => format!("{} took comment {id} away", name(by)),
            Self::ReminderRan { task_run } => format!("a reminder ran ({})", task_run.display()),
            Self::Cancelled { .. } => "cancelled".to_owned(),
            Self::Completed => match owner {
                Some(user) => format!("{} completed it", name(user)),
                None => "completed".to_owned(),
            },
            Self::Unknown => "something this version of ostler does not know".to_owned(),
        }
    }

    /// The longer text that belongs to an entry.
    pub fn text(&self) -> Option<&Untrusted> {
        match self {
            Self::Commented { text, .. } | Self::CommentEdited { text, .. } => Some(text),
            _ => None,
        }
    }
}

fn shown(text: &Untrusted) -> String {
    if text.is_blank() { "(an empty name)".to_owned() } else { text.display().into_owned() }
}

fn group_words(group: &Option<Untrusted>) -> String {
    match group {
        Some(group) => format!("of the group {}", shown(group)),
        None => "of no group".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assigned(old: (Option<&str>, Option<&str>), new: (Option<&str>, Option<&str>)) -> EventKind {
        let text = |text: Option<&str>| text.map(Untrusted::from);
        EventKind::Assigned {
            old_user: text(old.0),
            old_group: text(old.1),
            new_user: text(new.0),
            new_group: text(new.1),
        }
    }

    #[test]
    fn the_trail_reads_as_sentences() {
        let me = Identity { user: "amy".to_owned(), groups: vec!["finance".to_owned()] };
        let bob = Untrusted::from("bob");
        let cases = [
            (assigned((None, None), (None, Some("finance"))), true, "came to the group finance"),
            (assigned((None, None), (Some("amy"), None)), true, "came to you"),
            (assigned((None, Some("finance")), (Some("amy"), Some("finance"))), false, "went to you (finance)"),
            (assigned((Some("bob"), None), (Some("amy"), None)), false, "went to you, from bob"),
            (
                assigned((Some("amy"), Some("finance")), (None, Some("finance"))),
                false,
                "you let go; back to the group finance",
            ),
            (assigned((Some("amy"), None), (Some("amy"), None)), false, "stayed with you"),
            (assigned((Some("amy"), None), (Some("amy"), Some("ops"))), false, "stayed with you, now of the group ops"),
            (assigned((None, None), (Some(""), None)), true, "came to (an empty name)"),
            (EventKind::Saved { by: "bob".into(), values: Values::new() }, false, "bob saved the form empty"),
            (EventKind::Completed, false, "bob completed it"),
        ];
        for (event, first, words) in cases {
            assert_eq!(event.words(&me, Some(&bob), first), words);
        }
    }
}
