//! START_THREAD, START_MULTIPLE_THREADS, WAIT_FOR_THREADS: what is checked when a WfSpec is put.

use std::collections::BTreeMap;

use crate::api::littlehorse as lh;
use crate::engine::core::Refusal;
use crate::engine::core::definition::wf_spec::typing::{self, Thread};
use crate::engine::core::definition::wf_spec::validate::Invalid;
use crate::engine::core::definition::wf_spec::var_name;
use crate::engine::core::value::type_name;
use lh::VariableType;
use lh::type_definition::DefinedType;
use lh::wait_for_threads_node::ThreadsToWaitForOneOf as Awaited;

/// The thread exists, is another one, and gets the inputs that it declares.
pub(super) fn start(thread: Thread<'_>, node: &lh::StartThreadNode) -> Result<(), Invalid> {
    let name = &node.thread_spec_name;
    if name == thread.name {
        return Err(Refusal::invalid("Tried to start same thread").into());
    }
    let Some(started) = thread.all.get(name) else {
        return Err(Refusal::invalid(format!("Tried to start nonexistent thread {name}")).into());
    };
    inputs(thread, name, &started.variable_defs, &node.variables)
}

/// What is given to a thread, here or in another workflow, is what it declares.
pub(super) fn inputs(
    thread: Thread<'_>,
    name: &str,
    declared: &[lh::ThreadVarDef],
    given: &BTreeMap<String, lh::VariableAssignment>,
) -> Result<(), Invalid> {
    for (input, assignment) in given {
        let Some(def) = declared.iter().find(|def| var_name(def) == input) else {
            return Err(format!("Var {input} provided but not needed for thread {name}").into());
        };
        let declared_type = def.var_def.as_ref().and_then(|var| var.type_def.as_ref());
        if let (Some(declared), Some(given)) = (declared_type, thread.assignment(assignment)?)
            && (typing::is_null(&given) || !typing::is_assignable(declared, &given))
        {
            return Err(format!("Var {input} should be {}", type_name(declared)).into());
        }
    }
    let is_missing = |def: &&lh::ThreadVarDef| def.required && !given.contains_key(var_name(def));
    match declared.iter().find(is_missing) {
        Some(missing) => Err(format!("Missing required variable {}", var_name(missing)).into()),
        None => Ok(()),
    }
}

/// Nothing but that its assignments have sense: the thread and the list are looked at when it runs.
pub(super) fn start_multiple(thread: Thread<'_>, node: &lh::StartMultipleThreadsNode) -> Result<(), Invalid> {
    for assignment in node.variables.values().chain(&node.iterable) {
        thread.assignment(assignment)?;
    }
    Ok(())
}

/// What says which threads to wait for can be numbers.
pub(super) fn wait(thread: Thread<'_>, node: &lh::WaitForThreadsNode) -> Result<(), Invalid> {
    let must_be =
        |kind: &str| Invalid::from(format!("`threadRunNumber` for WAIT_FOR_THREAD node must resolve to {kind}!"));
    if lh::WaitForThreadsStrategy::try_from(node.strategy).is_err() {
        return Err(format!("Unknown WaitForThreadsStrategy {}", node.strategy).into());
    }
    match &node.threads_to_wait_for {
        Some(Awaited::Threads(threads)) => {
            for awaited in &threads.threads {
                let Some(number) = &awaited.thread_run_number else {
                    return Err("VariableAssignment passed with missing source".into());
                };
                let known = thread.assignment(number)?;
                let int = typing::primitive(VariableType::Int);
                if known.is_some_and(|known| typing::is_null(&known) || !typing::is_assignable(&int, &known)) {
                    return Err(must_be("INT"));
                }
            }
            Ok(())
        }
        Some(Awaited::ThreadList(list)) => {
            let is_list = |known: lh::TypeDefinition| {
                typing::as_primitive(&known) == Some(VariableType::JsonArr)
                    || matches!(known.defined_type, Some(DefinedType::InlineArrayDef(_)))
            };
            match thread.assignment(list)?.is_none_or(is_list) {
                true => Ok(()),
                false => Err(must_be("JSON_ARR")),
            }
        }
        // There is nothing to wait for.
        None => Ok(()),
    }
}
