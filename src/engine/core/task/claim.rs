//! A task worker takes a task: what PollTask waits for.

use crate::api::{littlehorse as lh, store::v1 as store};
use crate::engine::core::key::{Kind, ObjKey, damaged};
use crate::engine::core::record::describe;
use crate::engine::core::task::TaskRef;
use crate::engine::core::{Fault, Refusal, Table, Tx};
use lh::TaskStatus;

/// Gives the first task of a queue to a worker. Nothing in the answer when none waits: somebody else was faster.
pub fn claim(tx: &mut Tx<'_>, request: store::ClaimTask) -> Result<lh::PollTaskResponse, Refusal> {
    let Some(task) = first(tx, &request.task_def_name)? else { return Ok(lh::PollTaskResponse::default()) };
    let missing = || damaged(describe(task.key()), "queued, but missing");
    let mut record = tx.read().task_run(task)?.ok_or_else(missing)?;
    let (now, actor) = (tx.now(), tx.actor());
    let message = &mut record.message;
    let attempt = message.attempts.last_mut().ok_or_else(|| damaged(describe(task.key()), "has no attempt"))?;
    attempt.status = TaskStatus::TaskRunning.into();
    attempt.start_time = Some(now);
    attempt.task_worker_id = request.task_worker_id;
    attempt.task_worker_version = request.task_worker_version;
    message.status = TaskStatus::TaskRunning.into();
    if let Some(facts) = record.facts.attempts.last_mut() {
        facts.claimed_by = Some(actor);
    }
    record.facts.due = Some(deadline(tx, message));
    record.facts.queued = 0;
    tx.measure_attempt(&record, TaskStatus::TaskScheduled);
    tx.put_task_run(task, &record)?;
    let message = record.message;
    let result = lh::ScheduledTask {
        attempt_number: i32::try_from(message.attempts.len().saturating_sub(1)).unwrap_or(i32::MAX),
        task_run_id: message.id,
        task_def_id: message.task_def_id,
        variables: message.input_variables,
        created_at: message.scheduled_at,
        source: message.source,
        total_observed_checkpoints: message.total_checkpoints,
    };
    Ok(lh::PollTaskResponse { result: Some(result) })
}

/// When an attempt is out of time that was given all of it now.
pub(super) fn deadline(tx: &Tx<'_>, task: &lh::TaskRun) -> i64 {
    tx.context().now.saturating_add(i64::from(task.timeout_seconds).saturating_mul(1000))
}

/// The first task of a queue. What is left there of WfRuns that are being deleted goes away on the way.
fn first(tx: &mut Tx<'_>, task_def: &str) -> Result<Option<TaskRef>, Fault> {
    while let Some(task) = tx.read().queue(task_def, 1)?.pop() {
        let run = ObjKey::new(task.run.0, Kind::WfRun, 0, 0);
        if tx.read().state.get(Table::Obj, &run.bytes())?.is_some() {
            return Ok(Some(task));
        }
        tx.erase(task.key())?;
    }
    Ok(None)
}
