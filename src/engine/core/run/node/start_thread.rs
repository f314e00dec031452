//! START_THREAD and START_MULTIPLE_THREADS: threads that run beside this one. Done at once.

use std::collections::BTreeMap;

use crate::api::littlehorse as lh;
use crate::engine::core::Fault;
use crate::engine::core::run::inputs::{self, INPUT};
use crate::engine::core::run::node::{Progress, Visit};
use crate::engine::core::run::{Run, Trouble};
use crate::engine::core::value::{EvalError, Value, evaluate, from_json, message, parse_json, value_type_name};
use lh::ThreadType;
use lh::node_run::NodeType;

/// Before what is wrong with the inputs that a node computes.
const INPUTS: &str = "Failed constructing input variables for thread: ";

/// What is given to a new thread.
type Given = BTreeMap<String, lh::VariableValue>;
/// The same, checked.
type Admitted = BTreeMap<String, Option<Value>>;

/// START_THREAD: starts the thread.
pub fn arrive(
    run: &mut Run<'_, '_>,
    visit: &Visit<'_>,
    node: &lh::StartThreadNode,
    node_run: &mut lh::NodeRun,
) -> Result<(), Trouble> {
    let mut started = lh::StartThreadRun { child_thread_id: None, thread_spec_name: node.thread_spec_name.clone() };
    node_run.node_type = Some(NodeType::StartThread(started.clone()));
    let given = inputs_of(run, visit, &node.variables)?;
    let given = admit(run, visit, &node.thread_spec_name, given)?;
    run.check_room(1)?;
    started.child_thread_id = Some(start(run, visit, &node.thread_spec_name, given)?);
    node_run.node_type = Some(NodeType::StartThread(started));
    Ok(())
}

/// START_MULTIPLE_THREADS: starts a thread for each item of a list. All or none.
pub fn arrive_multiple(
    run: &mut Run<'_, '_>,
    visit: &Visit<'_>,
    node: &lh::StartMultipleThreadsNode,
    node_run: &mut lh::NodeRun,
) -> Result<(), Trouble> {
    let name = &node.thread_spec_name;
    let mut started = lh::StartMultipleThreadsRun { thread_spec_name: name.clone(), child_thread_ids: Vec::new() };
    node_run.node_type = Some(NodeType::StartMultipleThreads(started.clone()));
    let given = inputs_of(run, visit, &node.variables)?;
    let items = items(run, visit, node)?;
    let takes_item = visit.spec.thread_specs.get(name).is_some_and(|thread| {
        thread.variable_defs.iter().filter_map(|def| def.var_def.as_ref()).any(|variable| variable.name == INPUT)
    });
    let mut admitted = Vec::with_capacity(items.len());
    for item in items {
        let mut given = given.clone();
        if takes_item {
            given.insert(INPUT.to_owned(), message(item));
        }
        admitted.push(admit(run, visit, name, given)?);
    }
    run.check_room(admitted.len())?;
    for given in admitted {
        started.child_thread_ids.push(start(run, visit, name, given)?);
    }
    node_run.node_type = Some(NodeType::StartMultipleThreads(started));
    Ok(())
}

/// Done; the numbers of the threads are the output.
pub fn check(node_run: &lh::NodeRun) -> Progress {
    Progress::Done(match &node_run.node_type {
        Some(NodeType::StartThread(started)) => started.child_thread_id.map(|number| Some(Value::Int(number.into()))),
        Some(NodeType::StartMultipleThreads(started)) => {
            let numbers: Vec<String> = started.child_thread_ids.iter().map(i32::to_string).collect();
            Some(Some(Value::JsonArr(format!("[{}]", numbers.join(",")))))
        }
        _ => None,
    })
}

fn inputs_of(
    run: &Run<'_, '_>,
    visit: &Visit<'_>,
    variables: &BTreeMap<String, lh::VariableAssignment>,
) -> Result<Given, Trouble> {
    let scope = run.scope(visit.thread());
    let value = |(name, assignment): (&String, &lh::VariableAssignment)| {
        evaluate(assignment, &scope).map(|value| (name.clone(), message(value)))
    };
    let given: Result<Given, EvalError> = variables.iter().map(value).collect();
    given.map_err(|error| Trouble::of("VAR_SUB_ERROR", INPUTS, error))
}

fn items(
    run: &Run<'_, '_>,
    visit: &Visit<'_>,
    node: &lh::StartMultipleThreadsNode,
) -> Result<Vec<Option<Value>>, Trouble> {
    let wrong = |error: EvalError| Trouble::of("VAR_SUB_ERROR", INPUTS, error);
    let iterable = node.iterable.as_ref().map(|iterable| evaluate(iterable, &run.scope(visit.thread())));
    match iterable.transpose().map_err(wrong)?.flatten() {
        Some(Value::JsonArr(text)) => {
            let json = parse_json(&text).map_err(|error| wrong(error.into()))?;
            let items = json.as_array().into_iter().flatten().map(from_json);
            items.collect::<Result<_, _>>().map_err(|error| wrong(error.into()))
        }
        Some(Value::Array(array)) => Ok(array.items.into_iter().map(|item| item.value).collect()),
        other => {
            let kind = value_type_name(other.as_ref());
            let text = format!("{INPUTS}Iterable must be ARRAY or JSON_ARR, got {kind}");
            Err(Trouble::new("VAR_SUB_ERROR", &text))
        }
    }
}

/// Checks what is given to a thread against what it declares.
fn admit(run: &Run<'_, '_>, visit: &Visit<'_>, name: &str, given: Given) -> Result<Admitted, Trouble> {
    let Some(thread) = visit.spec.thread_specs.get(name) else {
        return Err(Trouble::new("VAR_SUB_ERROR", &format!("{INPUTS}There is no ThreadSpec {name}")));
    };
    let checked = inputs::check(&run.tx.read(), name, thread, given);
    checked.map_err(|error| Trouble::of("VAR_SUB_ERROR", "Invalid input variables for child thread: ", error))
}

/// Starts one thread under that of the node.
fn start(run: &mut Run<'_, '_>, visit: &Visit<'_>, name: &str, given: Admitted) -> Result<i32, Fault> {
    let thread_spec_name = name.to_owned();
    let child = lh::ThreadRun { thread_spec_name, r#type: ThreadType::Child.into(), ..Default::default() };
    run.start_under(visit.thread(), child, given)
}
