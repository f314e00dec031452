//! CompleteUserTaskRun.

use crate::api::littlehorse as lh;
use crate::engine::core::record::UserTaskRunRecord;
use crate::engine::core::run::Run;
use crate::engine::core::user_task::life::{self, Room};
use crate::engine::core::user_task::results::{self, Results};
use crate::engine::core::user_task::{definition, find, finished, is_blank};
use crate::engine::core::{Fault, Place, Refusal, RunRef, Tx};
use lh::UserTaskRunStatus;
use lh::user_task_event::{Event, UteCompleted};

/// CompleteUserTaskRun: takes the results and lets the workflow go on. Another user than the owner becomes the owner.
pub fn complete(tx: &mut Tx<'_>, request: lh::CompleteUserTaskRunRequest) -> Result<(), Refusal> {
    let id = request.user_task_run_id.unwrap_or_default();
    let (run, place, mut record) = find(tx, &id, "Couldn't find provided UserTaskRun")?;
    if !life::is_open(&record) {
        // Who asks again because the first answer got lost must not be told that it failed.
        let repeat = is_repeat(tx, run, place, &record, &request.user_id, request.results)?;
        return if repeat { Ok(()) } else { Err(finished(&record)) };
    }
    if is_blank(&request.user_id) {
        return Err(Refusal::invalid("The userId must be provided."));
    }
    let def = definition(tx, &record)?;
    let def = &def.message;
    let given = results::check(def, request.results)?;
    if record.message.user_id.as_ref() != Some(&request.user_id) {
        let group = record.message.user_group.clone();
        life::assign(tx, run, place, &mut record, Some(request.user_id), group)?;
    }
    record.message.results = results::merge(def, &record.message.results, given);
    life::end(&mut record, UserTaskRunStatus::Done);
    life::append(tx, run, place, &mut record, Event::Completed(UteCompleted {}))?;
    life::check_size(&record, Room::End)?;
    tx.put_user_task_run(run, place, &record)?;
    let mut run = Run::load(tx, run)?;
    run.advance()?;
    run.finish()?;
    Ok(())
}

/// Whether a completion is the one that was already done: by the same user, with the results that it would have had
/// from the draft of that time.
fn is_repeat(
    tx: &Tx<'_>,
    run: RunRef,
    place: Place,
    record: &UserTaskRunRecord,
    user_id: &str,
    given: Results,
) -> Result<bool, Fault> {
    if record.message.status() != UserTaskRunStatus::Done || record.message.user_id.as_deref() != Some(user_id) {
        return Ok(false);
    }
    let def = definition(tx, record)?;
    let def = &def.message;
    let Ok(given) = results::check(def, given) else { return Ok(false) };
    let events = tx.read().user_task_events(run, place)?;
    let draft = events.into_iter().rev().find_map(|event| match event.message.event {
        Some(Event::Saved(saved)) => Some(saved.results),
        _ => None,
    });
    Ok(results::merge(def, &draft.unwrap_or_default(), given) == record.message.results)
}
