//! What really happened, from the task before and after: pure functions.
//!
//! What counts is the audit trail: an entry that came after the first look and says what was to be done. How the task
//! stands is not enough: somebody may have done something else right afterwards.

use super::super::tasks::events;
use super::convert;
use crate::api::littlehorse as lh;
use crate::domain::{Act, Event, EventKind, Happened, Identity, Status, Untrusted, Value, Values};

/// What a task shows of an action.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Seen {
    /// It was carried out.
    Done,
    /// It was not, and this is why.
    Prevented(Happened),
    /// Neither.
    Nothing,
}

impl Seen {
    pub(super) fn into_happened(self, nothing: &str) -> Happened {
        match self {
            Seen::Done => Happened::Done,
            Seen::Prevented(happened) => happened,
            Seen::Nothing => Happened::Unconfirmed { why: nothing.to_owned() },
        }
    }
}

/// Compares the task after an action with the one before.
pub(super) fn verdict(act: &Act, me: &Identity, before: &lh::UserTaskRun, after: &lh::UserTaskRun) -> Seen {
    let trail = events(after);
    let new = trail.get(before.events.len()..).unwrap_or_default();
    let values = convert::values(&after.results);
    let user = after.user_id.as_deref().map(Untrusted::from);
    if new.iter().any(|event| tells(act, me, event, user.as_ref(), &values)) {
        return Seen::Done;
    }
    match prevented(act, me, after) {
        // Not prevented, but done before by the very same person with the same values: nobody can tell the difference.
        Some(Happened::Done) => Seen::Done,
        Some(happened) => Seen::Prevented(happened),
        None => Seen::Nothing,
    }
}

/// Whether an entry says that the action was carried out.
fn tells(act: &Act, me: &Identity, event: &Event, user: Option<&Untrusted>, values: &Values) -> bool {
    let same = |text: &Option<Untrusted>, wanted: Option<&str>| text.as_ref().map(Untrusted::raw) == wanted;
    match (act, &event.what) {
        (Act::Claim { .. }, EventKind::Assigned { new_user, .. }) => same(new_user, Some(&me.user)),
        (Act::Release { group, .. }, EventKind::Assigned { new_user, new_group, .. }) => {
            new_user.is_none() && same(new_group, Some(group.raw()))
        }
        (Act::Assign { user, group, .. }, EventKind::Assigned { new_user, new_group, .. }) => {
            same(new_user, user.as_deref()) && same(new_group, group.as_deref())
        }
        (Act::Save { values, .. }, EventKind::Saved { by, values: saved }) => me.is_me(by) && values == saved,
        (Act::Complete { values: mine, .. }, EventKind::Completed) => {
            user.is_some_and(|user| me.is_me(user)) && holds(values, mine)
        }
        (Act::Cancel { .. }, EventKind::Cancelled { .. }) => true,
        (Act::Comment { text }, EventKind::Commented { by, text: written, .. }) => {
            me.is_me(by) && written.raw() == text
        }
        _ => false,
    }
}

/// What stands in the way of an action: the task is over, or somebody else owns it and it is not to be taken. Of a
/// completion by the same person with the same values it says that it is done.
pub(super) fn prevented(act: &Act, me: &Identity, task: &lh::UserTaskRun) -> Option<Happened> {
    let user = task.user_id.as_deref().map(Untrusted::from);
    let status = convert::status(task.status, user.is_some());
    let trail = events(task);
    if !status.is_open() {
        let at = trail.iter().rev().find_map(|event| match &event.what {
            EventKind::Completed if status == Status::Done => Some(event.at),
            EventKind::Cancelled { .. } if status == Status::Cancelled => Some(event.at),
            _ => None,
        });
        let by = user.filter(|_| status == Status::Done);
        return match act {
            Act::Comment { .. } => None,
            Act::Complete { values, .. }
                if by.as_ref().is_some_and(|by| me.is_me(by)) && holds(&convert::values(&task.results), values) =>
            {
                Some(Happened::Done)
            }
            _ => Some(Happened::TooLate { status, by, at }),
        };
    }
    let takes = match act {
        Act::Claim { take_over, .. }
        | Act::Release { take_over, .. }
        | Act::Assign { take_over, .. }
        | Act::Complete { take_over, .. } => *take_over,
        Act::Save { ignore_claim, .. } => *ignore_claim,
        // These ask for no ownership.
        Act::Cancel { .. } | Act::Comment { .. } => true,
    };
    let by = user.filter(|user| !takes && !me.is_me(user))?;
    let since = trail.iter().rev().find_map(|event| match &event.what {
        EventKind::Assigned { old_user, new_user, .. } if old_user != new_user => Some(event.at),
        _ => None,
    });
    Some(Happened::Taken { by, since })
}

/// Whether all these values are there; a null is no value.
fn holds(values: &Values, wanted: &Values) -> bool {
    wanted.iter().all(|(name, value)| *value == Value::Null || values.get(name) == Some(value))
}
