//! AssignUserTaskRun.

use crate::api::littlehorse as lh;
use crate::engine::core::run::Run;
use crate::engine::core::user_task::life::{self, Room};
use crate::engine::core::user_task::{find, hook, is_blank};
use crate::engine::core::{Refusal, Tx, id};

/// AssignUserTaskRun: exactly the given pair; what is left out is cleared. Releasing to the group is an assignment too.
pub fn assign(tx: &mut Tx<'_>, request: lh::AssignUserTaskRunRequest) -> Result<(), Refusal> {
    if request.user_id.as_deref().is_some_and(is_blank) {
        return Err(Refusal::invalid("UserId can't be empty"));
    }
    if request.user_group.as_deref().is_some_and(is_blank) {
        return Err(Refusal::invalid("UserGroup can't be empty"));
    }
    if request.user_id.is_none() && request.user_group.is_none() {
        return Err(Refusal::invalid("must provide either UserGroup or userId"));
    }
    let id = request.user_task_run_id.unwrap_or_default();
    let missing = format!("Couldn't find UserTaskRun {}", id::user_task_run_text(&id));
    let (run, place, mut record) = find(tx, &id, missing)?;
    if let Some(user) = record.message.user_id.as_ref().filter(|_| !request.override_claim) {
        return Err(Refusal::precondition(format!("User Task Run already assigned to {user}")));
    }
    if !life::is_open(&record) {
        let status = record.message.status().as_str_name();
        // Two blanks, as clients know it.
        let text = format!("Couldn't reassign User Task Run since it  is in terminal status {status}");
        return Err(Refusal::precondition(text));
    }
    let is_new_owner = request.user_id.is_some() && request.user_id != record.message.user_id;
    life::assign(tx, run, place, &mut record, request.user_id, request.user_group)?;
    if is_new_owner && record.facts.hooks_of_owners {
        let mut run = Run::load(tx, run)?;
        let node = hook::node_of(&mut run, place)?;
        hook::of_owner(&mut run, place, &mut record, &node)?;
    }
    life::check_size(&record, Room::Words)?;
    tx.put_user_task_run(run, place, &record)?;
    Ok(())
}
