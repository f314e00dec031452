//! TASK nodes, and the tasks of reminders: which TaskDef, with which inputs, how often, how long.

use crate::api::littlehorse as lh;
use crate::engine::core::Reader;
use crate::engine::core::definition::wf_spec::typing::{self, Thread};
use crate::engine::core::definition::wf_spec::validate::Invalid;
use crate::engine::core::value::type_name;
use lh::task_node::TaskToExecute;

/// The timeout of a task that names none.
const DEFAULT_TIMEOUT_SECONDS: i32 = 60;

/// Looks the TaskDef up and fills the timeout in.
pub(super) fn pin(reader: &Reader<'_>, task: &mut lh::TaskNode) -> Result<(), Invalid> {
    match &task.task_to_execute {
        Some(TaskToExecute::TaskDefId(id)) => {
            if reader.task_def(&id.name)?.is_none() {
                return Err(format!("Refers to nonexistent TaskDef {}", id.name).into());
            }
        }
        Some(TaskToExecute::DynamicTask(_)) => {}
        None => return Err("it names no TaskDef".into()),
    }
    if task.timeout_seconds == 0 {
        task.timeout_seconds = DEFAULT_TIMEOUT_SECONDS;
    }
    Ok(())
}

/// Checks inputs against the TaskDef, and the policy for retries. Of a dynamic task nothing is known but that.
pub(super) fn check(thread: Thread<'_>, task: &lh::TaskNode) -> Result<(), Invalid> {
    match &task.task_to_execute {
        Some(TaskToExecute::TaskDefId(id)) => {
            if let Some(def) = thread.catalogue.task_def(&id.name) {
                inputs(thread, def, &task.variables)?;
            }
        }
        Some(TaskToExecute::DynamicTask(name)) => {
            thread.assignment(name)?;
            for assignment in &task.variables {
                thread.assignment(assignment)?;
            }
        }
        None => {}
    }
    policy(task)
}

/// How often it is tried again, and after how long.
pub(super) fn policy(task: &lh::TaskNode) -> Result<(), Invalid> {
    if task.retries < 0 {
        return Err("Cannot have negative retries!".into());
    }
    if let Some(policy) = &task.exponential_backoff {
        backoff(policy)?;
    }
    Ok(())
}

fn inputs(thread: Thread<'_>, def: &lh::TaskDef, given: &[lh::VariableAssignment]) -> Result<(), String> {
    let (wanted, name) = (def.input_vars.len(), def.id.as_ref().map(|id| id.name.as_str()).unwrap_or_default());
    if wanted != given.len() {
        return Err(format!("For TaskDef {name} we need {wanted} input vars, but we have {}", given.len()));
    }
    for (position, (input, assignment)) in def.input_vars.iter().zip(given).enumerate() {
        let name = &input.name;
        let uncast = lh::VariableAssignment { target_type: None, ..assignment.clone() };
        let place = |wrong| format!("Task input variable with name {name} at position {position}: {wrong}");
        thread.assignment(&uncast).map_err(place)?;
        let (Some(to), Some(from)) = (&input.type_def, thread.assignment(assignment)?) else { continue };
        if !typing::is_assignable(to, &from) {
            let (from, to) = (type_name(&from), type_name(to));
            return Err(format!("Cannot assign {from} to {to} without explicit casting."));
        }
    }
    Ok(())
}

fn backoff(policy: &lh::ExponentialBackoffRetryPolicy) -> Result<(), String> {
    if policy.base_interval_ms <= 0 {
        return Err("Exponential Backoff Base interval must be > 0!".to_owned());
    }
    // Not a number is no multiplier either.
    if policy.multiplier < 1.0 || policy.multiplier.is_nan() {
        return Err("Exponential Backoff Multiplier must be at least 1.0!".to_owned());
    }
    if policy.max_delay_ms < i64::from(policy.base_interval_ms) {
        return Err("Exponential Backoff max delay cannot be less than base delay".to_owned());
    }
    Ok(())
}
