//! A view as parts that a search can ask for.

use crate::api::littlehorse as lh;
use crate::api::ostler::v1;
use crate::domain::{Identity, Status, TaskRow, View};
use crate::gateway::convert;

/// Tasks in one status, and of one user or group. The legs of a view never overlap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leg {
    status: Status,
    user: Option<String>,
    group: Option<String>,
}

/// The parts of a view. None at all: nothing can be in it.
pub(super) fn legs(view: View, me: &Identity) -> Vec<Leg> {
    let any = |status| Leg { status, user: None, group: None };
    let mut groups: Vec<&String> = Vec::new();
    for group in &me.groups {
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    let of_groups = |status| groups.iter().map(move |group| Leg { status, user: None, group: Some((*group).clone()) });
    match view {
        View::ForMe => {
            let mine = Leg { status: Status::Assigned, user: Some(me.user.clone()), group: None };
            std::iter::once(mine).chain(of_groups(Status::Unassigned)).collect()
        }
        View::MyGroups => of_groups(Status::Unassigned).chain(of_groups(Status::Assigned)).collect(),
        View::AllOpen => vec![any(Status::Unassigned), any(Status::Assigned)],
        View::Done => vec![any(Status::Done)],
        View::Cancelled => vec![any(Status::Cancelled)],
    }
}

impl Leg {
    /// For `ostler.v1`.
    pub(super) fn filter(&self) -> v1::TaskFilter {
        v1::TaskFilter {
            statuses: vec![convert::status_number(self.status)],
            user_id: self.user.clone(),
            user_group: self.group.clone(),
            user_task_def_name: None,
        }
    }

    /// For the plain API; with start times in milliseconds, both ends included.
    pub(super) fn search(&self, window: Option<(i64, i64)>, limit: i32) -> lh::SearchUserTaskRunRequest {
        let time = |ms: i64| prost_types::Timestamp {
            seconds: ms.div_euclid(1000),
            nanos: i32::try_from(ms.rem_euclid(1000) * 1_000_000).unwrap_or_default(),
        };
        lh::SearchUserTaskRunRequest {
            bookmark: None,
            limit: Some(limit),
            status: Some(convert::status_number(self.status)),
            user_task_def_name: None,
            user_id: self.user.clone(),
            user_group: self.group.clone(),
            earliest_start: window.map(|(from, _)| time(from)),
            latest_start: window.map(|(_, to)| time(to)),
        }
    }

    /// Whether a task is really in it: a LittleHorse server also finds `finance/approvers` for `finance`, and a task may
    /// have changed since it was found.
    pub(super) fn holds(&self, row: &TaskRow) -> bool {
        let same = |wanted: &Option<String>, is: &Option<crate::domain::Untrusted>| match wanted {
            Some(wanted) => is.as_ref().is_some_and(|is| is.raw() == wanted),
            None => true,
        };
        row.status == self.status && same(&self.user, &row.user) && same(&self.group, &row.group)
    }
}
