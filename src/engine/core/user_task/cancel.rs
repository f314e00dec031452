//! CancelUserTaskRun.

use crate::api::littlehorse as lh;
use crate::engine::core::record::UserTaskRunRecord;
use crate::engine::core::run::Run;
use crate::engine::core::user_task::{find, finished, is_blank, life};
use crate::engine::core::value::{EvalError, evaluate, to_text};
use crate::engine::core::{Fault, Place, Refusal, Tx};
use lh::UserTaskRunStatus;
use lh::node::Node as Kind;
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

/// Marks an open UserTaskRun as cancelled. No check of its size: the event is small and comes once, and every task can
/// be cancelled.
fn mark(run: &mut Run<'_, '_>, place: Place, record: &mut UserTaskRunRecord) -> Result<(), Fault> {
    record.facts.cancellation_name = failure_name(run, place)?;
    record.message.status = UserTaskRunStatus::Cancelled.into();
    let event = Event::Cancelled(UteCancelled { message: "UserTaskRun was cancelled".to_owned() });
    life::append(run.tx, run.run, place, record, event)?;
    run.tx.put_user_task_run(run.run, place, record)
}

/// The failure that the workflow wants for this cancellation. A name that cannot be computed, or is blank, is the usual
/// one: a task that cannot be cancelled would be worse.
fn failure_name(run: &mut Run<'_, '_>, place: Place) -> Result<String, Fault> {
    let node_run = run.node_run(place)?.message;
    let spec = run.spec(&node_run.wf_spec_id.unwrap_or_default())?;
    let thread = spec.thread_specs.get(&node_run.thread_spec_name);
    let Some(Kind::UserTask(node)) = thread.and_then(|t| t.nodes.get(&node_run.node_name)?.node.as_ref()) else {
        return Ok(String::new());
    };
    let Some(assignment) = &node.on_cancellation_exception_name else { return Ok(String::new()) };
    match evaluate(assignment, &run.scope(place.thread.cast_signed())) {
        Ok(Some(value)) => Ok(Some(to_text(&value)).filter(|name| !is_blank(name)).unwrap_or_default()),
        Ok(None) | Err(EvalError::Wrong(_)) => Ok(String::new()),
        Err(EvalError::Fault(fault)) => Err(fault),
    }
}
