//! Tasks: rows and events.

use jiff::Timestamp;

use super::{task_id, time, value};
use crate::api::littlehorse as lh;
use crate::api::ostler::v1;
use crate::domain::{DefId, Event, EventKind, Status, TaskRow, Untrusted};
use lh::user_task_event::Event as Kind;

/// The status by its number. A number that this version does not know is taken for open, by whether somebody owns it:
/// the server then says itself what cannot be done.
pub(in crate::gateway) fn status(number: i32, owned: bool) -> Status {
    match lh::UserTaskRunStatus::try_from(number) {
        Ok(lh::UserTaskRunStatus::Unassigned) => Status::Unassigned,
        Ok(lh::UserTaskRunStatus::Assigned) => Status::Assigned,
        Ok(lh::UserTaskRunStatus::Done) => Status::Done,
        Ok(lh::UserTaskRunStatus::Cancelled) => Status::Cancelled,
        Err(_) if owned => Status::Assigned,
        Err(_) => Status::Unassigned,
    }
}

/// The other way round.
pub(in crate::gateway) fn status_number(status: Status) -> i32 {
    let status = match status {
        Status::Unassigned => lh::UserTaskRunStatus::Unassigned,
        Status::Assigned => lh::UserTaskRunStatus::Assigned,
        Status::Done => lh::UserTaskRunStatus::Done,
        Status::Cancelled => lh::UserTaskRunStatus::Cancelled,
    };
    status.into()
}

/// The row of a whole UserTaskRun. It does not tell the workflow.
pub(in crate::gateway) fn detail_row(run: &lh::UserTaskRun, workflow: Option<&str>) -> TaskRow {
    TaskRow {
        id: task_id(&run.id.clone().unwrap_or_default()),
        def: def_id(run.user_task_def_id.as_ref()),
        status: status(run.status, run.user_id.is_some()),
        user: text(&run.user_id),
        group: text(&run.user_group),
        notes: text(&run.notes),
        scheduled: run.scheduled_time.as_ref().and_then(time),
        workflow: workflow.map(Untrusted::from),
    }
}

/// A row as an ostler host lists it.
pub(in crate::gateway) fn row_of_page(row: &v1::TaskRow) -> TaskRow {
    TaskRow {
        id: task_id(&row.id.clone().unwrap_or_default()),
        def: def_id(row.user_task_def_id.as_ref()),
        status: status(row.status, row.user_id.is_some()),
        user: text(&row.user_id),
        group: text(&row.user_group),
        notes: text(&row.notes),
        scheduled: row.scheduled_time.as_ref().and_then(time),
        workflow: (!row.wf_spec_name.is_empty()).then(|| row.wf_spec_name.as_str().into()),
    }
}

/// One entry of the audit trail. An entry without a time gets that of its neighbour before.
pub(in crate::gateway) fn event(event: &lh::UserTaskEvent, before: Option<Timestamp>) -> Event {
    let what = match &event.event {
        Some(Kind::Assigned(assigned)) => EventKind::Assigned {
            old_user: text(&assigned.old_user_id),
            old_group: text(&assigned.old_user_group),
            new_user: text(&assigned.new_user_id),
            new_group: text(&assigned.new_user_group),
        },
        Some(Kind::Saved(saved)) => {
            EventKind::Saved { by: saved.user_id.as_str().into(), values: value::values(&saved.results) }
        }
        Some(Kind::CommentAdded(comment)) => EventKind::Commented {
            id: comment.user_comment_id,
            by: comment.user_id.as_str().into(),
            text: comment.comment.as_str().into(),
        },
        Some(Kind::CommentEdited(comment)) => EventKind::CommentEdited {
            id: comment.user_comment_id,
            by: comment.user_id.as_str().into(),
            text: comment.comment.as_str().into(),
        },
        Some(Kind::CommentDeleted(comment)) => {
            EventKind::CommentDeleted { id: comment.user_comment_id, by: comment.user_id.as_str().into() }
        }
        Some(Kind::TaskExecuted(executed)) => {
            let task_run = executed.task_run.as_ref().map_or("", |id| id.task_guid.as_str());
            EventKind::ReminderRan { task_run: task_run.into() }
        }
        Some(Kind::Cancelled(cancelled)) => EventKind::Cancelled { message: cancelled.message.as_str().into() },
        Some(Kind::Completed(_)) => EventKind::Completed,
        None => EventKind::Unknown,
    };
    let at = event.time.as_ref().and_then(time).or(before).unwrap_or(Timestamp::UNIX_EPOCH);
    Event { at, what }
}

fn def_id(id: Option<&lh::UserTaskDefId>) -> DefId {
    DefId { name: id.map_or("", |id| id.name.as_str()).into(), version: id.map_or(0, |id| id.version) }
}

fn text(text: &Option<String>) -> Option<Untrusted> {
    text.as_deref().map(Untrusted::from)
}
