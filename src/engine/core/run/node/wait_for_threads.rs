//! WAIT_FOR_THREADS: waits for all, the first, or any of some threads to end, and handles the failures of each.

use crate::api::littlehorse as lh;
use crate::engine::core::Fault;
use crate::engine::core::run::failure::{failure, is_error};
use crate::engine::core::run::halt::has_ended;
use crate::engine::core::run::node::{Progress, Visit};
use crate::engine::core::run::{Run, Trouble};
use crate::engine::core::value::{EvalError, Value, Wrong, evaluate, from_json, kind_name, parse_json};
use lh::node_run::NodeType;
use lh::thread_halt_reason::Reason;
use lh::wait_for_threads_node::ThreadsToWaitForOneOf as Awaited;
use lh::wait_for_threads_run::{WaitForThread, WaitingThreadStatus as Waiting};
use lh::{LhStatus, ThreadType, WaitForThreadsStrategy as Strategy};

/// Finds out which threads to wait for.
pub fn arrive(
    run: &mut Run<'_, '_>,
    visit: &Visit<'_>,
    node: &lh::WaitForThreadsNode,
    node_run: &mut lh::NodeRun,
) -> Result<(), Trouble> {
    node_run.node_type = Some(NodeType::WaitForThreads(lh::WaitForThreadsRun::default()));
    let numbers = numbers(run, visit, node)
        .map_err(|error| Trouble::of("VAR_SUB_ERROR", "Failed determining thread run number to wait for: ", error))?;
    let mut threads = Vec::with_capacity(numbers.len());
    for number in numbers {
        let known = i32::try_from(number).ok().and_then(|number| Some((number, run.status_of(number)?)));
        let Some((number, status)) = known else {
            return Err(Trouble::new("VAR_SUB_ERROR", &format!("Couldn't wait for nonexistent threadRun: {number}")));
        };
        if run.is_at_or_above(number, visit.thread()) {
            return Err(Trouble::new("VAR_SUB_ERROR", &format!("Determined threadrunnumber {number} is a parent!")));
        }
        threads.push(WaitForThread { thread_status: status.into(), thread_run_number: number, ..Default::default() });
    }
    node_run.node_type = Some(NodeType::WaitForThreads(lh::WaitForThreadsRun { threads }));
    Ok(())
}

fn numbers(run: &Run<'_, '_>, visit: &Visit<'_>, node: &lh::WaitForThreadsNode) -> Result<Vec<i64>, EvalError> {
    let scope = run.scope(visit.thread());
    let wrong =
        |wanted: &str, value: Option<&Value>| Wrong::new(format!("Expected {wanted}, got {}", kind_name(value)));
    let number = |value: Option<Value>| match value {
        Some(Value::Int(number)) => Ok(number),
        other => Err(wrong("INT", other.as_ref())),
    };
    let mut all = Vec::new();
    match &node.threads_to_wait_for {
        None => {}
        Some(Awaited::Threads(threads)) => {
            for thread in &threads.threads {
                let assignment = thread.thread_run_number.as_ref();
                let assignment =
                    assignment.ok_or_else(|| Wrong::new("VariableAssignment passed with missing source"))?;
                all.push(number(evaluate(assignment, &scope)?)?);
            }
        }
        Some(Awaited::ThreadList(list)) => match evaluate(list, &scope)? {
            Some(Value::JsonArr(text)) => {
                for item in parse_json(&text)?.as_array().into_iter().flatten() {
                    all.push(number(from_json(item)?)?);
                }
            }
            Some(Value::Array(array)) => {
                for item in array.items {
                    all.push(number(item.value)?);
                }
            }
            other => return Err(wrong("JSON_ARR", other.as_ref()).into()),
        },
    }
    Ok(all)
}

/// Looks at every thread, starts handlers for those that failed, then decides.
pub fn check(
    run: &mut Run<'_, '_>,
    visit: &Visit<'_>,
    node: &lh::WaitForThreadsNode,
    node_run: &mut lh::NodeRun,
) -> Result<Progress, Trouble> {
    let Some(NodeType::WaitForThreads(wait)) = &mut node_run.node_type else { return Ok(Progress::Done(None)) };
    for entry in &mut wait.threads {
        look_at(run, visit, node, entry)?;
    }
    let failed =
        |entry: &&WaitForThread| matches!(entry.waiting_status(), Waiting::ThreadUnsuccessful | Waiting::ThreadStopped);
    let done = |entry: &&WaitForThread| entry.waiting_status() == Waiting::ThreadCompletedOrFailureHandled;
    let mut entries = wait.threads.iter();
    let decided = match node.strategy() {
        Strategy::WaitForAll => match entries.find(failed) {
            Some(entry) => Some(Err(failure_of(run, entry)?)),
            None => wait.threads.iter().all(|entry| done(&entry)).then_some(Ok(())),
        },
        // With nothing to wait for there is nothing to decide.
        _ if wait.threads.is_empty() => Some(Ok(())),
        Strategy::WaitForFirst => match entries.find(|entry| done(entry) || failed(entry)) {
            Some(entry) if done(&entry) => Some(Ok(())),
            Some(entry) => Some(Err(failure_of(run, entry)?)),
            None => None,
        },
        Strategy::WaitForAny if entries.any(|entry| done(&entry)) => Some(Ok(())),
        Strategy::WaitForAny => {
            let all = wait.threads.iter().all(|entry| failed(&entry));
            all.then(|| Err(failure("CHILD_FAILURE", "All child threads failed")))
        }
    };
    let Some(outcome) = decided else { return Ok(Progress::Waiting) };
    let is_early = match node.strategy() {
        Strategy::WaitForAll => false,
        Strategy::WaitForFirst => true,
        Strategy::WaitForAny => outcome.is_ok(),
    };
    if is_early {
        for entry in &mut wait.threads {
            leave(run, visit, entry)?;
        }
    }
    outcome.map(|()| Progress::Done(None)).map_err(Trouble::Failure)
}

/// Brings one entry up to date.
fn look_at(
    run: &mut Run<'_, '_>,
    visit: &Visit<'_>,
    node: &lh::WaitForThreadsNode,
    entry: &mut WaitForThread,
) -> Result<(), Trouble> {
    let number = entry.thread_run_number;
    match entry.waiting_status() {
        Waiting::ThreadInProgress => {
            let status = run.status_of(number).unwrap_or_default();
            entry.thread_status = status.into();
            let next = match status {
                LhStatus::Completed => Waiting::ThreadCompletedOrFailureHandled,
                LhStatus::Error | LhStatus::Exception => {
                    let failure = run.newest_failure(number)?;
                    let mut handlers = node.per_thread_failure_handlers.iter();
                    match handlers.find(|handler| handler.catches(&failure.failure_name)) {
                        Some(handler) => {
                            let handler = start_handler(run, visit, &handler.handler_spec_name, number, failure)?;
                            entry.failure_handler_thread_run_id = Some(handler);
                            Waiting::ThreadHandlingFailure
                        }
                        None => Waiting::ThreadUnsuccessful,
                    }
                }
                _ if run.is_over(number)? => Waiting::ThreadStopped,
                _ => Waiting::ThreadInProgress,
            };
            entry.set_waiting_status(next);
        }
        Waiting::ThreadHandlingFailure => {
            let handler = entry.failure_handler_thread_run_id.unwrap_or_default();
            match run.status_of(handler) {
                Some(LhStatus::Completed) => {
                    entry.set_waiting_status(Waiting::ThreadCompletedOrFailureHandled);
                    run.count_as_handled(visit.thread(), number)?;
                }
                Some(LhStatus::Error | LhStatus::Exception) => entry.set_waiting_status(Waiting::ThreadUnsuccessful),
                _ => {}
            }
        }
        Waiting::ThreadCompletedOrFailureHandled | Waiting::ThreadUnsuccessful | Waiting::ThreadStopped => {}
    }
    Ok(())
}

/// Starts the handler of the failure of one thread, under that.
fn start_handler(
    run: &mut Run<'_, '_>,
    visit: &Visit<'_>,
    handler: &str,
    failed: i32,
    failure: lh::Failure,
) -> Result<i32, Trouble> {
    if !visit.spec.thread_specs.contains_key(handler) {
        let text = format!("There is no ThreadSpec {handler} to handle the failure");
        return Err(Trouble::new("INTERNAL_ERROR", &text));
    }
    let content = failure.content.and_then(|content| content.value);
    let thread = lh::ThreadRun {
        thread_spec_name: handler.to_owned(),
        r#type: ThreadType::FailureHandler.into(),
        ..Default::default()
    };
    Ok(run.start_handler(failed, thread, content)?)
}

/// What the failure of a thread means to who waits for it.
fn failure_of(run: &Run<'_, '_>, entry: &WaitForThread) -> Result<lh::Failure, Fault> {
    let number = entry.thread_run_number;
    if entry.waiting_status() == Waiting::ThreadStopped {
        return Ok(failure("CHILD_FAILURE", &format!("Child thread {number} was halted and never goes on")));
    }
    let failed = run.newest_failure(entry.failure_handler_thread_run_id.unwrap_or(number))?;
    if !is_error(&failed.failure_name) {
        return Ok(lh::Failure { failure_handler_threadrun_id: None, was_properly_handled: false, ..failed });
    }
    let (name, message) = (&failed.failure_name, &failed.message);
    Ok(failure("CHILD_FAILURE", &format!("Child thread {number} failed with {name}: {message}")))
}

/// Waits no longer for a thread: one that still runs is halted for good, a failure needs no handling any more.
fn leave(run: &mut Run<'_, '_>, visit: &Visit<'_>, entry: &mut WaitForThread) -> Result<(), Fault> {
    let number = entry.thread_run_number;
    let reason = Reason::HaltedByParent(lh::HaltedByParentNodeHaltReason {
        parent_thread_run_number: visit.thread(),
        waiting_node_run_position: visit.place.position.cast_signed(),
    });
    if run.status_of(number).is_some_and(has_ended) {
        run.count_as_handled(visit.thread(), number)?;
    } else {
        run.halt(number, reason.clone())?;
        run.close_user_tasks(number)?;
    }
    if let Some(handler) = entry.failure_handler_thread_run_id {
        run.halt(handler, reason)?;
        run.close_user_tasks(handler)?;
    }
    entry.thread_status = run.status_of(number).unwrap_or_default().into();
    Ok(())
}
