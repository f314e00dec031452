//! Runs: where they stand, what they did, where and why they failed.

use super::{run_id, time};
use crate::api::littlehorse as lh;
use crate::domain::{RunBrief, RunFailure, RunStatus, RunStep, Untrusted};
use lh::node::Node as Kind;
use lh::node_run::NodeType;

/// The status by its number; one that this version does not know is taken for running.
fn status(number: i32) -> RunStatus {
    match lh::LhStatus::try_from(number) {
        Ok(lh::LhStatus::Starting) => RunStatus::Starting,
        Ok(lh::LhStatus::Completed) => RunStatus::Completed,
        Ok(lh::LhStatus::Halting) => RunStatus::Halting,
        Ok(lh::LhStatus::Halted) => RunStatus::Halted,
        Ok(lh::LhStatus::Error) => RunStatus::Error,
        Ok(lh::LhStatus::Exception) => RunStatus::Exception,
        Ok(lh::LhStatus::Running) | Err(_) => RunStatus::Running,
    }
}

/// `major.revision`.
pub(in crate::gateway) fn spec_version(id: Option<&lh::WfSpecId>) -> String {
    id.map_or_else(String::new, |id| format!("{}.{}", id.major_version, id.revision))
}

/// What a WfRun says about itself; where it is and why it failed stand elsewhere.
pub(in crate::gateway) fn brief(run: &lh::WfRun, at: Vec<Untrusted>, failure: Option<RunFailure>) -> RunBrief {
    RunBrief {
        id: run_id(&run.id.clone().unwrap_or_default()),
        workflow: run.wf_spec_id.as_ref().map_or("", |id| id.name.as_str()).into(),
        version: spec_version(run.wf_spec_id.as_ref()),
        status: status(run.status),
        at,
        failure,
    }
}

/// A node by the name a person knows: a user task's definition, `end` for an exit, else the node's name without the
/// number before and the kind behind it that the SDKs add (`3-pay-invoice-TASK`).
pub(in crate::gateway) fn node_words(name: &str, spec: Option<&lh::WfSpec>, thread: &str) -> Untrusted {
    let node = spec.and_then(|spec| spec.thread_specs.get(thread)).and_then(|thread| thread.nodes.get(name));
    match node.and_then(|node| node.node.as_ref()) {
        Some(Kind::UserTask(task)) if !task.user_task_def_name.is_empty() => task.user_task_def_name.as_str().into(),
        Some(Kind::Exit(_)) => "end".into(),
        _ => plain_name(name).into(),
    }
}

fn plain_name(name: &str) -> &str {
    let Some((number, rest)) = name.split_once('-') else { return name };
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return name;
    }
    match rest.rsplit_once('-') {
        Some((plain, kind)) if !plain.is_empty() && kind.bytes().all(|b| b.is_ascii_uppercase() || b == b'_') => plain,
        _ => rest,
    }
}

/// One step of a run.
pub(in crate::gateway) fn run_step(node: &lh::NodeRun, spec: Option<&lh::WfSpec>) -> RunStep {
    let kind = match &node.node_type {
        Some(NodeType::Task(_)) => "task of a worker",
        Some(NodeType::ExternalEvent(_)) => "waits for an event",
        Some(NodeType::Entrypoint(_)) => "start",
        Some(NodeType::Exit(_)) => "end",
        Some(NodeType::StartThread(_)) => "starts a thread",
        Some(NodeType::WaitForThreads(_)) => "waits for threads",
        Some(NodeType::Sleep(_)) => "waits for a time",
        Some(NodeType::UserTask(_)) => "user task",
        Some(NodeType::StartMultipleThreads(_)) => "starts threads",
        Some(NodeType::ThrowEvent(_)) => "tells an event",
        Some(NodeType::WaitForCondition(_)) => "waits for a condition",
        Some(NodeType::RunChildWf(_)) => "starts a workflow",
        Some(NodeType::WaitForChildWf(_)) => "waits for a workflow",
        // A NodeRun of a NOP says nothing about its kind.
        None => "decides",
    };
    let told = node.failures.last().map(|failure| failure.message.as_str());
    RunStep {
        node: node_words(&node.node_name, spec, &node.thread_spec_name),
        kind: kind.to_owned(),
        status: status(node.status),
        at: node.arrival_time.as_ref().and_then(time),
        problem: node.error_message.as_deref().or(told).filter(|text| !text.is_empty()).map(Untrusted::from),
    }
}

/// Where and why a run failed, from its NodeRuns: the first failure that nobody handled. That of a child thread shows
/// up in its parent once more, as `CHILD_FAILURE`: the child's own comes first.
pub(in crate::gateway) fn failure(
    run: &lh::WfRun,
    nodes: &[lh::NodeRun],
    spec: Option<&lh::WfSpec>,
) -> Option<RunFailure> {
    if !status(run.status).failed() {
        return None;
    }
    let mut unhandled: Vec<_> = nodes
        .iter()
        .flat_map(|node| node.failures.iter().map(move |failure| (node, failure)))
        .filter(|(_, failure)| !failure.was_properly_handled)
        .collect();
    unhandled.sort_by_key(|(node, failure)| {
        let at = node.end_time.as_ref().or(node.arrival_time.as_ref());
        (failure.failure_name == "CHILD_FAILURE", at.map(|at| (at.seconds, at.nanos)))
    });
    if let Some((node, failure)) = unhandled.first() {
        return Some(RunFailure {
            name: failure.failure_name.as_str().into(),
            message: failure.message.as_str().into(),
            node: node_words(&node.node_name, spec, &node.thread_spec_name),
            thread: node.thread_spec_name.as_str().into(),
            at: node.end_time.as_ref().or(node.arrival_time.as_ref()).and_then(time),
        });
    }
    // The server keeps no failure at all for some faults, only the thread's words.
    let thread = run.thread_runs.iter().find(|thread| status(thread.status).failed())?;
    Some(RunFailure {
        name: match status(thread.status) {
            RunStatus::Exception => "EXCEPTION".into(),
            _ => "ERROR".into(),
        },
        message: thread.error_message.as_deref().unwrap_or_default().into(),
        node: "".into(),
        thread: thread.thread_spec_name.as_str().into(),
        at: thread.end_time.as_ref().and_then(time),
    })
}
