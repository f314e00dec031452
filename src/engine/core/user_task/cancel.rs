//! CancelUserTaskRun.

use crate::api::littlehorse as lh;
use crate::engine::core::record::UserTaskRunRecord;
use crate::engine::core::run::Run;
use crate::engine::core::user_task::{find, finished, hook, is_blank, life};
use crate::engine::core::value::{EvalError, evaluate, to_text};
use crate::engine::core::{Fault, Place, Refusal, RunRef, Tx};
use lh::UserTaskRunStatus;
use lh::user_task_event::{Event, UteCancelled};

/// CancelUserTaskRun: the task ends without results, and its node fails. Cancelling twice is once.
pub fn cancel(tx: &mut Tx<'_>, request: lh::CancelUserTaskRunRequest) -> Result<(), Refusal> {
    let id = request.user_task_run_id.unwrap_or_default();
    let (run, place, mut record) = find(tx, &id, "Couldn't find specified UserTaskRun")?;
    match record.message.status() {
        UserTaskRunStatus::Cancelled => return Ok(()),
        UserTaskRunStatus::Done => return Err(finished(&record)),
        UserTaskRunStatus::Unassigned | UserTaskRunStatus::Assigned => {}
    }
    let mut wf_run = Run::load(tx, run)?;
    mark(&mut wf_run, place, &mut record)?;
    wf_run.advance()?;
    wf_run.finish()?;
    Ok(())
}

/// Marks an open UserTaskRun as cancelled, with the failure that the workflow wants.
pub fn mark(run: &mut Run<'_, '_>, place: Place, record: &mut UserTaskRunRecord) -> Result<(), Fault> {
    let name = failure_name(run, place)?;
    mark_as(run.tx, run.run, place, record, &name, String::new())
}

/// Marks an open UserTaskRun as cancelled, with this failure; empty texts stand for the usual ones. No check of its
/// size: the event is small and comes once, and every task can be cancelled.
pub fn mark_as(
    tx: &mut Tx<'_>,
    run: RunRef,
    place: Place,
    record: &mut UserTaskRunRecord,
    name: &str,
    message: String,
) -> Result<(), Fault> {
    name.clone_into(&mut record.facts.cancellation_name);
    record.facts.cancellation_message = message;
    life::end(record, UserTaskRunStatus::Cancelled);
    tell(tx, run, place, record)
}

fn tell(tx: &mut Tx<'_>, run: RunRef, place: Place, record: &mut UserTaskRunRecord) -> Result<(), Fault> {
    let event = Event::Cancelled(UteCancelled { message: "UserTaskRun was cancelled".to_owned() });
    life::append(tx, run, place, record, event)?;
    tx.put_user_task_run(run, place, record)
}

/// Cancels a UserTaskRun, if it is open, because its thread has left its node.
pub fn close_for_good(tx: &mut Tx<'_>, run: RunRef, place: Place) -> Result<(), Fault> {
    match tx.read().user_task_run(run, place)? {
        Some(mut record) if life::is_open(&record) => mark_as(tx, run, place, &mut record, "", String::new()),
        _ => Ok(()),
    }
}

/// Cancels a UserTaskRun, if it is open, because its thread never goes on. What was armed for it stays in its facts.
pub fn close(tx: &mut Tx<'_>, run: RunRef, place: Place) -> Result<(), Fault> {
    match tx.read().user_task_run(run, place)? {
        Some(mut record) if life::is_open(&record) => {
            record.facts.closed = true;
            record.message.status = UserTaskRunStatus::Cancelled.into();
            tell(tx, run, place, &mut record)
        }
        _ => Ok(()),
    }
}

/// Opens a UserTaskRun that [`close`] cancelled, for the same people: its thread goes on after all.
pub fn reopen(tx: &mut Tx<'_>, run: RunRef, place: Place) -> Result<(), Fault> {
    let Some(mut record) = tx.read().user_task_run(run, place)?.filter(|record| record.facts.closed) else {
        return Ok(());
    };
    record.facts.closed = false;
    let (user, group) = (record.message.user_id.clone(), record.message.user_group.clone());
    life::assign(tx, run, place, &mut record, user, group)?;
    tx.put_user_task_run(run, place, &record)
}

/// The failure that the workflow wants for this cancellation. A name that cannot be computed, or is blank, is the usual
/// one: a task that cannot be cancelled would be worse.
fn failure_name(run: &mut Run<'_, '_>, place: Place) -> Result<String, Fault> {
    let Some(assignment) = hook::node_of(run, place)?.on_cancellation_exception_name else { return Ok(String::new()) };
    match evaluate(&assignment, &run.scope(place.thread.cast_signed())) {
        Ok(Some(value)) => Ok(Some(to_text(&value)).filter(|name| !is_blank(name)).unwrap_or_default()),
        Ok(None) | Err(EvalError::Wrong(_)) => Ok(String::new()),
        Err(EvalError::Fault(fault)) => Err(fault),
    }
}
