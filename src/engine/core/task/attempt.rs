//! The attempts of a TaskRun: each is queued, claimed, ended, and maybe followed by another.

use prost::Message as _;

use crate::api::{littlehorse as lh, store::v1 as store};
use crate::engine::core::record::TaskRunRecord;
use crate::engine::core::run::Trouble;
use crate::engine::core::task::LARGEST;
use crate::engine::core::task::store::TaskRef;
use crate::engine::core::value::Value;
use crate::engine::core::{Fault, Tx};
use lh::TaskStatus;
use lh::task_attempt::Result as Outcome;

/// Bytes that an attempt takes before anything is reported; the ids of workers are short.
const ROOM_FOR_ATTEMPT: usize = 256;

/// Appends an attempt, which is not in any queue yet.
pub(super) fn begin(record: &mut TaskRunRecord) {
    let masked_value = record.facts.return_type.as_ref().is_some_and(|returns| returns.masked);
    let status = TaskStatus::TaskPending.into();
    record.message.attempts.push(lh::TaskAttempt { status, masked_value, ..Default::default() });
    record.facts.attempts.push(store::TaskAttemptFacts::default());
    record.message.status = status;
}

/// Puts the newest attempt at the end of its queue.
pub(super) fn enqueue(tx: &mut Tx<'_>, record: &mut TaskRunRecord) -> Result<(), Fault> {
    let now = tx.now();
    if let Some(attempt) = record.message.attempts.last_mut() {
        attempt.status = TaskStatus::TaskScheduled.into();
        attempt.schedule_time = Some(now);
    }
    record.message.status = TaskStatus::TaskScheduled.into();
    record.facts.queued = tx.queue_turn()?;
    record.facts.due = None;
    let def = record.message.task_def_id.as_ref().map(|id| id.name.as_str()).unwrap_or_default();
    tx.announce_task(def);
    tx.measure_attempt(record, TaskStatus::TaskPending);
    Ok(())
}

/// After the newest attempt ended with this status: lets another follow where the policy says so, and its WfRun go on
/// where not. Stores the TaskRun.
pub(super) fn follow(
    tx: &mut Tx<'_>,
    task: TaskRef,
    mut record: TaskRunRecord,
    status: TaskStatus,
) -> Result<(), Fault> {
    record.message.status = status.into();
    record.facts.due = None;
    tx.measure_attempt(&record, TaskStatus::TaskRunning);
    let made = record.message.attempts.len();
    // A TaskRun that is as large as it may be has no room for another attempt.
    let retryable = matches!(status, TaskStatus::TaskFailed | TaskStatus::TaskTimeout)
        && record.message.encoded_len() + ROOM_FOR_ATTEMPT <= LARGEST;
    if !retryable || made >= usize::try_from(record.message.total_attempts).unwrap_or_default() {
        tx.measure_task(&record);
        tx.put_task_run(task, &record)?;
        tx.wake(task.run);
        return Ok(());
    }
    begin(&mut record);
    match &record.message.exponential_backoff {
        Some(policy) => record.facts.due = Some(tx.context().now.saturating_add(delay(policy, made))),
        None => enqueue(tx, &mut record)?,
    }
    tx.put_task_run(task, &record)
}

/// How many milliseconds to wait after so many attempts.
fn delay(policy: &lh::ExponentialBackoffRetryPolicy, made: usize) -> i64 {
    let exponent = i32::try_from(made).unwrap_or(i32::MAX).saturating_sub(1);
    let delay = f64::from(policy.base_interval_ms) * f64::from(policy.multiplier).powi(exponent);
    // A cast of a float stops at the ends of the range.
    (delay as i64).min(policy.max_delay_ms)
}

/// The timer of a TaskRun: a running attempt is out of time, a pending one has waited long enough.
pub fn due(tx: &mut Tx<'_>, task: TaskRef) -> Result<(), Fault> {
    let Some(mut record) = tx.read().task_run(task)? else { return Ok(()) };
    match record.message.status() {
        TaskStatus::TaskRunning => {
            let now = tx.now();
            if let Some(attempt) = record.message.attempts.last_mut() {
                attempt.status = TaskStatus::TaskTimeout.into();
                attempt.end_time = Some(now);
            }
            follow(tx, task, record, TaskStatus::TaskTimeout)
        }
        TaskStatus::TaskPending => {
            enqueue(tx, &mut record)?;
            tx.put_task_run(task, &record)
        }
        _ => {
            record.facts.due = None;
            tx.put_task_run(task, &record)
        }
    }
}

/// Whether nothing more happens to a TaskRun.
pub fn has_ended(task: &lh::TaskRun) -> bool {
    !matches!(task.status(), TaskStatus::TaskScheduled | TaskStatus::TaskRunning | TaskStatus::TaskPending)
}

/// What a TaskRun means to its node: an output, a failure, or nothing yet.
pub fn outcome(task: &lh::TaskRun) -> Result<Option<Option<Value>>, Trouble> {
    let outcome = task.attempts.last().and_then(|attempt| attempt.result.as_ref());
    let (name, message) = match task.status() {
        TaskStatus::TaskScheduled | TaskStatus::TaskRunning | TaskStatus::TaskPending => return Ok(None),
        TaskStatus::TaskSuccess => {
            return Ok(Some(match outcome {
                Some(Outcome::Output(output)) => output.value.clone(),
                _ => None,
            }));
        }
        TaskStatus::TaskFailed => ("TASK_FAILURE", "Task execution failed"),
        TaskStatus::TaskTimeout => ("TIMEOUT", "Task timed out"),
        TaskStatus::TaskOutputSerdeError => ("VAR_MUTATION_ERROR", "Failed serializing or deserializing Task Output"),
        TaskStatus::TaskInputVarSubError => ("VAR_SUB_ERROR", "Failed calculating Task Input Variables"),
        TaskStatus::TaskException => match outcome {
            Some(Outcome::Exception(exception)) if !exception.name.is_empty() => {
                return Err(Trouble::Failure(lh::Failure {
                    failure_name: exception.name.clone(),
                    message: exception.message.clone(),
                    content: exception.content.clone(),
                    ..Default::default()
                }));
            }
            // An exception that nothing could catch by its name.
            _ => ("TASK_FAILURE", "Task threw an exception without a name"),
        },
    };
    Err(Trouble::new(name, message))
}
