//! ReportTask.

use prost::Message as _;

use crate::api::littlehorse as lh;
use crate::engine::core::task::{LARGEST, attempt};
use crate::engine::core::value::{EvalError, StructDefs, Value, admit, message, parse_json};
use crate::engine::core::{Fault, Refusal, Tx};
use lh::report_task_run::Result as Reported;
use lh::task_attempt::Result as Outcome;
use lh::{LhErrorType, TaskStatus};

/// ReportTask: what became of an attempt. A report for one that is not running (unknown, late, repeated) is taken and
/// changes nothing, as LittleHorse does it: the worker can do nothing about it.
pub fn report(tx: &mut Tx<'_>, request: lh::ReportTaskRun) -> Result<(), Refusal> {
    let status = match TaskStatus::try_from(request.status) {
        Ok(TaskStatus::TaskScheduled | TaskStatus::TaskRunning | TaskStatus::TaskPending) | Err(_) => {
            return Err(Refusal::invalid(format!("A task cannot be reported with status {}", request.status)));
        }
        Ok(status) => status,
    };
    let id = request.task_run_id.clone().unwrap_or_default();
    let Some((task, mut record)) = tx.read().task_run_by_id(&id)? else { return Ok(()) };
    let number = usize::try_from(request.attempt_number).ok();
    let running = |attempt: &lh::TaskAttempt| attempt.status() == TaskStatus::TaskRunning;
    if record.message.attempts.last().is_none_or(|last| !running(last))
        || number != record.message.attempts.len().checked_sub(1)
    {
        return Ok(());
    }
    let size = request.encoded_len();
    let end_time = request.time.filter(|time| *time != prost_types::Timestamp::default()).unwrap_or_else(|| tx.now());
    let (mut status, mut result) = outcome(&tx.read(), status, request.result, record.facts.return_type.as_ref())?;
    let mut log_output = request.log_output;
    let actor = tx.actor();
    if let Some(facts) = record.facts.attempts.last_mut() {
        facts.reported_by = Some(actor);
    }
    let added = |result: &Option<Outcome>, log: &Option<lh::VariableValue>| {
        lh::TaskAttempt { result: result.clone(), log_output: log.clone(), ..Default::default() }.encoded_len()
    };
    let whole = record.message.encoded_len() + added(&result, &log_output);
    if size.max(whole) > LARGEST {
        let text = format!("RESOURCE_EXHAUSTED: the report makes a TaskRun of {whole} bytes; the limit is {LARGEST}");
        (status, result) = serde_error(LhErrorType::TaskError, text);
        log_output = None;
    }
    if let Some(attempt) = record.message.attempts.last_mut() {
        attempt.status = status.into();
        attempt.end_time = Some(end_time);
        attempt.log_output = log_output;
        attempt.result = result;
    }
    attempt::follow(tx, task, record, status)?;
    Ok(())
}

/// What a report comes to, after a look at its output.
fn outcome(
    defs: &dyn StructDefs,
    status: TaskStatus,
    reported: Option<Reported>,
    returns: Option<&lh::TypeDefinition>,
) -> Result<(TaskStatus, Option<Outcome>), Fault> {
    let output = match (status, reported) {
        (TaskStatus::TaskSuccess, Some(Reported::Output(output))) => output.value,
        // Nothing is nothing, in every form.
        (TaskStatus::TaskSuccess, _) => None,
        (status, Some(Reported::Output(output))) => return Ok((status, Some(Outcome::Output(output)))),
        (status, Some(Reported::Error(error))) => return Ok((status, Some(Outcome::Error(error)))),
        (status, Some(Reported::Exception(exception))) => return Ok((status, Some(Outcome::Exception(exception)))),
        (status, None) => return Ok((status, None)),
    };
    let unreadable = match &output {
        Some(Value::JsonObj(text)) if parse_json(text).is_err() => Some("Error deserializing JSON Obj"),
        Some(Value::JsonArr(text)) if parse_json(text).is_err() => Some("Error deserializing JSON Arr"),
        _ => None,
    };
    if let Some(text) = unreadable {
        return Ok(serde_error(LhErrorType::VarSubError, text.to_owned()));
    }
    Ok(match admit(defs, returns.unwrap_or(&lh::TypeDefinition::default()), output) {
        Ok(output) => (status, Some(Outcome::Output(message(output)))),
        Err(EvalError::Fault(fault)) => return Err(fault),
        Err(EvalError::Wrong(wrong)) => serde_error(
            LhErrorType::VarSubError,
            format!("Task output incompatible with declared return type: {wrong}"),
        ),
    })
}

fn serde_error(kind: LhErrorType, message: String) -> (TaskStatus, Option<Outcome>) {
    let error = lh::LhTaskError { r#type: kind.into(), message };
    (TaskStatus::TaskOutputSerdeError, Some(Outcome::Error(error)))
}
