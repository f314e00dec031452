//! SaveUserTaskRunProgress.

use crate::api::littlehorse as lh;
use crate::engine::core::user_task::life::{self, Room};
use crate::engine::core::user_task::{find, finished, whole};
use crate::engine::core::{Refusal, Tx};
use lh::save_user_task_run_progress_request::SaveUserTaskRunAssignmentPolicy as Policy;
use lh::user_task_event::{Event, UteSaved};

/// SaveUserTaskRunProgress: replaces the draft, whatever it holds, and keeps every one in an event.
pub fn save(tx: &mut Tx<'_>, request: lh::SaveUserTaskRunProgressRequest) -> Result<lh::UserTaskRun, Refusal> {
    let policy = Policy::try_from(request.policy)
        .map_err(|_| Refusal::invalid(format!("Unknown assignment policy number {}", request.policy)))?;
    let id = request.user_task_run_id.unwrap_or_default();
    let (run, place, mut record) = find(tx, &id, "Couldn't find provided UserTaskRun")?;
    let claimed = record.message.user_id.as_ref().is_some_and(|owner| *owner != request.user_id);
    if claimed && policy == Policy::FailIfClaimedByOther {
        return Err(Refusal::precondition("UserTaskRun is assigned to another user"));
    }
    if !life::is_open(&record) {
        return Err(finished(&record));
    }
    record.message.results.clone_from(&request.results);
    let event = Event::Saved(UteSaved { user_id: request.user_id, results: request.results });
    life::append(tx, run, place, &mut record, event)?;
    life::check_size(&record, Room::Draft)?;
    tx.put_user_task_run(run, place, &record)?;
    whole(tx, run, place)
}
