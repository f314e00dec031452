//! EXIT: where a thread ends, with a failure of the workflow's own or with an output.

use crate::api::littlehorse as lh;
use crate::engine::core::run::node::{Progress, Visit};
use crate::engine::core::run::{Run, Trouble};
use crate::engine::core::value::{EvalError, evaluate, message};
use lh::exit_node::Result as Outcome;
use lh::{LhStatus, ThreadType};

/// Marks the NodeRun.
pub fn arrive(node_run: &mut lh::NodeRun) {
    node_run.node_type = Some(lh::node_run::NodeType::Exit(lh::ExitRun {}));
}

/// Throws, or waits for the threads started here, or ends the thread.
pub fn check(run: &mut Run<'_, '_>, visit: &Visit<'_>, node: &lh::ExitNode) -> Result<Progress, Trouble> {
    let number = visit.thread();
    if let Some(Outcome::FailureDef(definition)) = &node.result {
        return Err(thrown(run, number, definition));
    }
    let thread = run.thread(number)?;
    let mut failed = Vec::new();
    for child in &thread.child_thread_ids {
        match run.status_of(*child) {
            Some(LhStatus::Starting | LhStatus::Running | LhStatus::Halting) => return Ok(Progress::Waiting),
            // One that can go on is waited for: a WfRun that is done must not have threads that still run some day.
            Some(LhStatus::Halted) if !run.is_over(*child)? => return Ok(Progress::Waiting),
            Some(LhStatus::Error | LhStatus::Exception) => {
                // The failure of a handler was that of its thread already.
                let is_child = run.thread(*child)?.r#type() == ThreadType::Child;
                if is_child && !thread.handled_failed_children.contains(child) {
                    failed.push(child.to_string());
                }
            }
            Some(LhStatus::Completed | LhStatus::Halted) | None => {}
        }
    }
    if !failed.is_empty() {
        let message = format!("Child thread (or threads) failed: {}", failed.join(" "));
        return Err(Trouble::new("CHILD_FAILURE", &message));
    }
    if let Some(Outcome::ReturnContent(content)) = &node.result {
        let output = evaluate(content, &run.scope(number))
            .map_err(|error| Trouble::of("VAR_ERROR", "Failed calculating threadRun output: ", error))?;
        run.thread_mut(number)?.output = Some(message(output));
    }
    Ok(Progress::Done(None))
}

fn thrown(run: &Run<'_, '_>, number: i32, definition: &lh::FailureDef) -> Trouble {
    let mut failure = lh::Failure {
        failure_name: definition.failure_name.clone(),
        message: definition.message.clone(),
        // What an author throws has content, be it null.
        content: Some(message(None)),
        ..Default::default()
    };
    match definition.content.as_ref().map(|content| evaluate(content, &run.scope(number))) {
        None => {}
        Some(Ok(content)) => failure.content = Some(message(content)),
        Some(Err(EvalError::Wrong(wrong))) => {
            failure.message.push_str(&format!("\n\nWARNING: Unable to assign output content: {wrong}"));
        }
        Some(Err(EvalError::Fault(fault))) => return Trouble::Fault(fault),
    }
    Trouble::Failure(failure)
}
