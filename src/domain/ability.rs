//! What may be done with a task now, and why not.

use super::{Identity, Status, TaskRow, Untrusted};

/// Whether an action is possible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ability {
    /// It is.
    Yes,
    /// It is, but it takes the task from this person: ask first.
    Takes(Untrusted),
    /// It is not, and why.
    No(String),
}

impl Ability {
    /// Whether the action can be started, with a question or without.
    pub fn possible(&self) -> bool {
        !matches!(self, Self::No(_))
    }
}

/// What may be done with one task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Abilities {
    /// Make it mine.
    pub claim: Ability,
    /// Give it back to its group.
    pub release: Ability,
    /// Give it to somebody.
    pub assign: Ability,
    /// Keep values on the server.
    pub save: Ability,
    /// Complete it.
    pub complete: Ability,
    /// Cancel it.
    pub cancel: Ability,
    /// Write a comment.
    pub comment: Ability,
}

impl Abilities {
    /// The rules. `writable` is false while the host refuses commands.
    pub fn of(task: &TaskRow, me: &Identity, writable: bool) -> Self {
        if !writable {
            let why =
                || Ability::No("the store is read-only after a disk error; nothing can be changed now.".to_owned());
            return Self {
                claim: why(),
                release: why(),
                assign: why(),
                save: why(),
                complete: why(),
                cancel: why(),
                comment: why(),
            };
        }
        if !task.status.is_open() {
            let ended = match task.status {
                Status::Cancelled => "it is cancelled",
                _ => "it is completed",
            };
            let over = |hint: &str| Ability::No(format!("{ended}; {hint}"));
            return Self {
                claim: over("there is nothing left to claim."),
                release: over("there is nothing left to release."),
                assign: over("it cannot be given to anybody."),
                save: over("its values stay as they are."),
                complete: over("its values stay as they are."),
                cancel: over("there is nothing left to cancel."),
                comment: Ability::Yes,
            };
        }
        let other = task.user.as_ref().filter(|user| !me.is_me(user));
        let takes = || other.map_or(Ability::Yes, |owner| Ability::Takes(owner.clone()));
        let mine = task.user.as_ref().is_some_and(|user| me.is_me(user));
        Self {
            claim: if mine { Ability::No("it is yours already.".to_owned()) } else { takes() },
            release: match (&task.user, &task.group) {
                (None, _) => Ability::No("nobody has claimed it.".to_owned()),
                (Some(_), None) => {
                    Ability::No("there is no group to release it to. Assign it to somebody instead (a).".to_owned())
                }
                (Some(_), Some(_)) => takes(),
            },
            assign: takes(),
            save: takes(),
            complete: takes(),
            cancel: takes(),
            comment: Ability::Yes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{DefId, RunId, TaskId};

    fn task(status: Status, user: Option<&str>, group: Option<&str>) -> TaskRow {
        TaskRow {
            id: TaskId { run: RunId::root("r"), guid: "0-1".to_owned() },
            def: DefId { name: "approve".into(), version: 0 },
            status,
            user: user.map(Untrusted::from),
            group: group.map(Untrusted::from),
            notes: None,
            scheduled: None,
            workflow: None,
        }
    }

    #[test]
    fn the_rules_say_what_is_possible_and_why_not() {
        let me = Identity { user: "amy".to_owned(), groups: vec!["finance".to_owned()] };
        let can = |task: &TaskRow| Abilities::of(task, &me, true);

        let free = can(&task(Status::Unassigned, None, Some("finance")));
        assert_eq!(free.claim, Ability::Yes);
        assert_eq!(free.complete, Ability::Yes);
        assert_eq!(free.release, Ability::No("nobody has claimed it.".to_owned()));

        let mine = can(&task(Status::Assigned, Some("amy"), None));
        assert!(!mine.claim.possible());
        assert_eq!(
            mine.release,
            Ability::No("there is no group to release it to. Assign it to somebody instead (a).".to_owned())
        );

        let bobs = can(&task(Status::Assigned, Some("bob"), Some("finance")));
        assert_eq!(bobs.claim, Ability::Takes("bob".into()));
        assert_eq!(bobs.release, Ability::Takes("bob".into()));
        assert_eq!(bobs.comment, Ability::Yes);

        let done = can(&task(Status::Done, Some("bob"), None));
        assert!(!done.complete.possible() && !done.cancel.possible() && done.comment.possible());

        let broken = Abilities::of(&task(Status::Unassigned, None, Some("finance")), &me, false);
        assert!(!broken.claim.possible() && !broken.comment.possible());
    }
}
