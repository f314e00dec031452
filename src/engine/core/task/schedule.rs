//! Creating TaskRuns.

use prost::Message as _;

use crate::api::{littlehorse as lh, store::v1 as store};
use crate::engine::core::key::damaged;
use crate::engine::core::record::TaskRunRecord;
use crate::engine::core::run::{Run, Trouble};
use crate::engine::core::task::store::{TaskRef, guid};
use crate::engine::core::task::{LARGEST, attempt};
use crate::engine::core::value::{EvalError, Wrong, admit, cast, evaluate, message, to_text};
use crate::engine::core::{Fault, Place};
use lh::task_node::TaskToExecute;
use lh::task_run_source::TaskRunSource;

/// The TaskDef that a node, or the task of a reminder, means as a thread sees it.
pub fn definition(run: &Run<'_, '_>, thread: i32, node: &lh::TaskNode) -> Result<lh::TaskDef, Trouble> {
    match &node.task_to_execute {
        Some(TaskToExecute::TaskDefId(id)) => match run.tx.read().task_def(&id.name)? {
            Some(record) => Ok(record.message),
            None => Err(Trouble::new("TASK_ERROR", "Appears that TaskDef was deleted!")),
        },
        Some(TaskToExecute::DynamicTask(assignment)) => {
            let failed = |error| Trouble::of("VAR_SUB_ERROR", "Failed calculating dynamic task: ", error);
            let name = evaluate(assignment, &run.scope(thread)).map_err(failed)?;
            let name = name.as_ref().map_or_else(|| "null".to_owned(), to_text);
            let missing = || failed(Wrong::new(format!("No TaskDef named {name}!")).into());
            Ok(run.tx.read().task_def(&name)?.ok_or_else(missing)?.message)
        }
        None => Err(Trouble::new("INTERNAL_ERROR", "The task names no TaskDef")),
    }
}

/// Creates a TaskRun with inputs as a thread sees them, and puts it into the queue of its TaskDef. What it fails with
/// is the failure of the node; then nothing was created.
pub fn schedule(
    run: &mut Run<'_, '_>,
    thread: i32,
    node: &lh::TaskNode,
    source: TaskRunSource,
) -> Result<lh::TaskRunId, Trouble> {
    let def = definition(run, thread, node)?;
    let wrong_inputs = |error| Trouble::of("VAR_SUB_ERROR", "Failed calculating TaskRun Input Vars: ", error);
    let input_variables = inputs(run, thread, &def, &node.variables).map_err(wrong_inputs)?;
    let id = lh::TaskRunId { wf_run_id: Some(run.id()), task_guid: guid(&source) };
    let now = run.tx.now();
    let ordinal = run.tx.next_ordinal(Some(&now))?;
    let task = match &source {
        TaskRunSource::TaskNode(reference) => TaskRef::of_node(run.run, place(reference)?),
        TaskRunSource::UserTaskTrigger(_) => TaskRef::of_reminder(run.run, ordinal),
    };
    let mut record = TaskRunRecord {
        message: lh::TaskRun {
            id: Some(id.clone()),
            task_def_id: def.id,
            input_variables,
            source: Some(lh::TaskRunSource { task_run_source: Some(source), wf_spec_id: None }),
            scheduled_at: Some(now),
            timeout_seconds: node.timeout_seconds,
            total_attempts: node.retries.saturating_add(1),
            exponential_backoff: node.exponential_backoff,
            ..Default::default()
        },
        facts: store::TaskRunFacts {
            ordinal,
            return_type: def.return_type.and_then(|returns| returns.return_type),
            ..Default::default()
        },
    };
    attempt::begin(&mut record);
    attempt::enqueue(run.tx, &mut record)?;
    let size = record.message.encoded_len();
    if size > LARGEST {
        let text = format!("the TaskRun would have {size} bytes, which exceeds its limit of {LARGEST} bytes");
        return Err(wrong_inputs(Wrong::new(text).into()));
    }
    run.tx.put_task_run(task, &record)?;
    Ok(id)
}

fn place(reference: &lh::TaskNodeReference) -> Result<Place, Fault> {
    let place = reference.node_run_id.as_ref().and_then(|id| Place::new(id.thread_run_number, id.position));
    place.ok_or_else(|| damaged(format!("{reference:?}"), "not a place"))
}

/// Each value is held against what the TaskDef declares, then cast to it.
fn inputs(
    run: &Run<'_, '_>,
    thread: i32,
    def: &lh::TaskDef,
    given: &[lh::VariableAssignment],
) -> Result<Vec<lh::VarNameAndVal>, EvalError> {
    let wanted = def.input_vars.len();
    if wanted != given.len() {
        let name = def.id.as_ref().map(|id| id.name.as_str()).unwrap_or_default();
        let text = format!("For TaskDef {name} we need {wanted} input vars, but we have {}", given.len());
        return Err(Wrong::new(text).into());
    }
    let scope = run.scope(thread);
    let one = |(input, assignment): (&lh::VariableDef, _)| {
        let declared = input.type_def.clone().unwrap_or_default();
        let value = admit(&scope, &declared, evaluate(assignment, &scope)?)?;
        let value = Some(message(cast(value, &declared)?));
        Ok(lh::VarNameAndVal { var_name: input.name.clone(), value, masked: declared.masked })
    };
    def.input_vars.iter().zip(given).map(one).collect()
}
