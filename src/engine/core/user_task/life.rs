//! What happens to UserTaskRuns, whatever command or node makes it happen: assignment, events, size.

use prost::Message as _;

use crate::api::littlehorse as lh;
use crate::engine::core::command::Channel;
use crate::engine::core::record::UserTaskRunRecord;
use crate::engine::core::{Fault, Place, Refusal, RunRef, Tx};
use lh::UserTaskRunStatus;
use lh::user_task_event::{Event, UteAssigned};

/// The failure that a cancellation gives to its node where the workflow names none.
pub const CANCELLED: &str = "USER_TASK_CANCELLED";

/// The largest whole UserTaskRun: clients receive messages of 4 MiB, and a page holds more than the task.
pub const LIMIT: usize = 3_670_016;
/// What drafts leave free for what comes after them: completion, cancellation, assignments, comments.
pub const KEPT_FOR_LIFE: usize = 256 * 1024;
/// What assignments and comments leave free of that, so that a full task can still be completed.
const KEPT_FOR_END: usize = 64 * 1024;

/// How much a step may fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// A draft.
    Draft,
    /// An assignment or a comment.
    Words,
    /// The completion.
    End,
}

impl Room {
    fn limit(self) -> usize {
        match self {
            Room::Draft => LIMIT - KEPT_FOR_LIFE,
            Room::Words => LIMIT - KEPT_FOR_END,
            Room::End => LIMIT,
        }
    }
}

/// Bytes of the whole UserTaskRun as Get answers it.
pub fn size(record: &UserTaskRunRecord) -> usize {
    // Each event comes with a tag and its length.
    let framing = 5 * u64::from(record.facts.events);
    let events = usize::try_from(record.facts.event_bytes + framing).unwrap_or(usize::MAX);
    record.message.encoded_len().saturating_add(events)
}

/// Whether a UserTaskRun of this size, about to be created, leaves room for its life; the text says why not.
pub fn room_to_begin(size: usize) -> Result<(), String> {
    within(size, Room::Draft.limit())
}

fn within(size: usize, limit: usize) -> Result<(), String> {
    if size > limit {
        return Err(format!("the UserTaskRun would have {size} bytes, which exceeds its limit of {limit} bytes"));
    }
    Ok(())
}

/// Refuses a step that made the UserTaskRun larger than it may be. Asked after the step: a refused command writes
/// nothing.
pub fn check_size(record: &UserTaskRunRecord, room: Room) -> Result<(), Refusal> {
    within(size(record), room.limit()).map_err(|text| Refusal::exhausted(format!("Record too large: {text}")))
}

/// Whether an assignment or a comment of so many bytes still finds its room.
pub fn has_room(record: &UserTaskRunRecord, bytes: usize) -> bool {
    // What is around the texts of an event.
    const FRAME: usize = 64;
    within(size(record).saturating_add(bytes + FRAME), Room::Words.limit()).is_ok()
}

/// Whether it is neither DONE nor CANCELLED.
pub fn is_open(record: &UserTaskRunRecord) -> bool {
    matches!(record.message.status(), UserTaskRunStatus::Unassigned | UserTaskRunStatus::Assigned)
}

/// Ends an open UserTaskRun: nothing happens to it by itself any more.
pub fn end(record: &mut UserTaskRunRecord, status: UserTaskRunStatus) {
    record.message.status = status.into();
    record.facts.hooks.clear();
}

/// Appends an event at the command's time; what a timer does is told at the time it was really done, which may be long
/// after it was due.
pub fn append(
    tx: &mut Tx<'_>,
    run: RunRef,
    place: Place,
    record: &mut UserTaskRunRecord,
    event: Event,
) -> Result<(), Fault> {
    let time = if tx.context().actor.channel == Channel::Timer { tx.now() } else { tx.at() };
    let event = lh::UserTaskEvent { time: Some(time), event: Some(event) };
    tx.append_user_task_event(run, place, record, event)
}

/// Gives an open UserTaskRun to exactly this pair. Counts as an assignment even if nothing changes. What was armed for
/// another owner ends; [`hook::of_owner`](super::hook::of_owner) arms what is for the new one. The caller stores the
/// record.
pub fn assign(
    tx: &mut Tx<'_>,
    run: RunRef,
    place: Place,
    record: &mut UserTaskRunRecord,
    user_id: Option<String>,
    user_group: Option<String>,
) -> Result<(), Fault> {
    let task = &mut record.message;
    if task.user_id != user_id {
        record.facts.hooks.retain(|hook| !hook.of_owner);
    }
    let status = if user_id.is_some() { UserTaskRunStatus::Assigned } else { UserTaskRunStatus::Unassigned };
    let event = UteAssigned {
        old_user_id: std::mem::replace(&mut task.user_id, user_id.clone()),
        old_user_group: std::mem::replace(&mut task.user_group, user_group.clone()),
        new_user_id: user_id,
        new_user_group: user_group,
    };
    task.epoch = task.epoch.saturating_add(1);
    task.status = status.into();
    append(tx, run, place, record, Event::Assigned(event))
}
