//! What is checked of a node by its kind.

use crate::api::littlehorse as lh;
use crate::engine::core::definition::wf_spec::typing::Thread;
use crate::engine::core::definition::wf_spec::validate::Invalid;
use crate::engine::core::definition::wf_spec::{actions, task, threads};
use crate::engine::core::definition::wf_spec::{child_nodes, event_nodes};
use crate::engine::core::id::is_valid_name;
use crate::engine::core::{Reader, Refusal};
use lh::node::Node;
use lh::variable_assignment::Source;

/// Looks up the definitions that a node names, and writes their versions into it.
pub(super) fn pin(reader: &Reader<'_>, node: &mut lh::Node) -> Result<(), Invalid> {
    match &mut node.node {
        Some(Node::Entrypoint(_) | Node::Exit(_) | Node::Nop(_)) => Ok(()),
        Some(Node::StartThread(_) | Node::StartMultipleThreads(_) | Node::WaitForThreads(_)) => Ok(()),
        Some(Node::UserTask(task)) => pin_user_task(reader, task),
        Some(Node::Task(task)) => task::pin(reader, task),
        Some(Node::ExternalEvent(node)) => event_nodes::pin_external_event(reader, node),
        Some(Node::Sleep(_) | Node::WaitForCondition(_) | Node::WaitForChildWf(_)) => Ok(()),
        Some(Node::ThrowEvent(node)) => child_nodes::pin_throw_event(reader, node),
        Some(Node::RunChildWf(node)) => child_nodes::pin_run_child(reader, node),
        None => Err("it has no kind".into()),
    }
}

fn pin_user_task(reader: &Reader<'_>, task: &mut lh::UserTaskNode) -> Result<(), Invalid> {
    let def_name = &task.user_task_def_name;
    let found = match task.user_task_def_version {
        None => reader.latest_user_task_def(def_name, false)?,
        Some(version) => {
            let id = lh::UserTaskDefId { name: def_name.clone(), version };
            reader.user_task_def(&id)?.filter(|record| record.facts.deleted.is_none())
        }
    };
    let Some(found) = found else {
        let version = task.user_task_def_version.map_or("null".to_owned(), |version| version.to_string());
        return Err(format!("Specified UserTaskDef {def_name}/{version} not found").into());
    };
    task.user_task_def_version = Some(found.message.version);
    if task.user_id.is_none() && task.user_group.is_none() {
        return Err("Must specify userGroup or userId".into());
    }
    for (what, assignment) in [("UserId", &task.user_id), ("UserGroup", &task.user_group)] {
        let Some(Source::LiteralValue(literal)) = assignment.as_ref().and_then(|some| some.source.as_ref()) else {
            continue;
        };
        match &literal.value {
            Some(lh::variable_value::Value::Str(text)) if text.trim().is_empty() => {
                return Err(format!("{what} can't be empty").into());
            }
            Some(lh::variable_value::Value::Str(_)) => {}
            _ => return Err(format!("{what} must be a text").into()),
        }
    }
    actions::pin(reader, &mut task.actions)
}

/// Checks a node of a kind that [`pin`] let through.
pub(super) fn check(thread: Thread<'_>, name: &str, node: &lh::Node) -> Result<(), Invalid> {
    match &node.node {
        Some(Node::Exit(exit)) => exit_node(thread, exit)?,
        // --- Tasks
        Some(Node::Task(node)) => task::check(thread, node)?,
        // --- Events
        Some(Node::ExternalEvent(node)) => event_nodes::check_external_event(thread, node)?,
        Some(Node::Sleep(sleep)) => event_nodes::check_sleep(thread, sleep)?,
        Some(Node::WaitForCondition(wait)) => event_nodes::check_wait_for_condition(thread, name, wait)?,
        Some(Node::ThrowEvent(node)) => child_nodes::check_throw_event(thread, node)?,
        Some(Node::RunChildWf(node)) => child_nodes::check_run_child(thread, node)?,
        Some(Node::WaitForChildWf(node)) => child_nodes::check_wait_for_child(thread, node)?,
        // --- Runs
        Some(Node::StartThread(node)) => threads::start(thread, node)?,
        Some(Node::StartMultipleThreads(node)) => threads::start_multiple(thread, node)?,
        Some(Node::WaitForThreads(node)) => threads::wait(thread, node)?,
        _ => {}
    }
    if let Some(Node::WaitForThreads(node)) = &node.node {
        failure_handlers(&node.per_thread_failure_handlers)?;
    }
    failure_handlers(&node.failure_handlers)
}

fn exit_node(thread: Thread<'_>, exit: &lh::ExitNode) -> Result<(), Invalid> {
    match &exit.result {
        Some(lh::exit_node::Result::ReturnContent(content)) => {
            thread.content(content).map_err(|wrong| format!("Invalid output type for the Node: {wrong}"))?;
        }
        Some(lh::exit_node::Result::FailureDef(failure)) => {
            let name = &failure.failure_name;
            if lh::LhErrorType::from_str_name(name).is_some() {
                return Err(Refusal::invalid(format!("Failure name {name} is reserved!")).into());
            }
            if !is_valid_name(name) {
                return Err(Refusal::invalid(format!("Invalid name for exception: {name}")).into());
            }
            if let Some(content) = &failure.content {
                thread.content(content)?;
            }
        }
        None => {}
    }
    Ok(())
}

/// Handlers name an error, an exception, or a kind of failure. Their threads need not exist until they are needed.
fn failure_handlers(handlers: &[lh::FailureHandlerDef]) -> Result<(), Invalid> {
    use lh::failure_handler_def::{FailureToCatch, LhFailureType};
    let mut wrong = Vec::new();
    for handler in handlers {
        match &handler.failure_to_catch {
            Some(FailureToCatch::SpecificFailure(name))
                if lh::LhErrorType::from_str_name(name).is_none() && !is_valid_name(name) =>
            {
                wrong.push(name.as_str());
            }
            Some(FailureToCatch::AnyFailureOfType(number)) if LhFailureType::try_from(*number).is_err() => {
                return Err(Refusal::invalid(format!("Unknown LHFailureType {number}")).into());
            }
            _ => {}
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Refusal::invalid(format!("Invalid names for exception handlers: {}", wrong.join(", "))).into())
}
