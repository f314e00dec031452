//! The kinds of nodes: what each does on arrival, and how it knows that it is done.

mod entrypoint;
mod exit;
mod external_event;
mod nop;
mod run_child_wf;
mod sleep;
mod start_thread;
mod task;
mod throw_event;
mod user_task;
mod wait_for_child_wf;
mod wait_for_condition;
mod wait_for_threads;

use crate::api::littlehorse as lh;
use crate::engine::core::key::damaged;
use crate::engine::core::record::NodeRunRecord;
use crate::engine::core::run::{Run, Trouble};
use crate::engine::core::value::Value;
use crate::engine::core::{Fault, Place};
use lh::node::Node as Kind;

/// One NodeRun with what its WfSpec says about it.
#[derive(Clone, Copy)]
pub struct Visit<'a> {
    /// The WfSpec.
    pub spec: &'a lh::WfSpec,
    /// The name of the ThreadSpec in it.
    pub thread_spec_name: &'a str,
    /// The name of the node in that.
    pub node_name: &'a str,
    /// The node.
    pub node: &'a lh::Node,
    /// Where the NodeRun is.
    pub place: Place,
}

impl<'a> Visit<'a> {
    /// Looks the node of a NodeRun up.
    pub fn new(spec: &'a lh::WfSpec, place: Place, node_run: &lh::NodeRun) -> Result<Self, Fault> {
        let thread = spec.thread_specs.get_key_value(&node_run.thread_spec_name);
        let found = thread.and_then(|(name, thread)| Some((name, thread.nodes.get_key_value(&node_run.node_name)?)));
        let (thread_spec_name, (node_name, node)) = found.ok_or_else(|| {
            damaged(format!("node {} of thread {}", node_run.node_name, node_run.thread_spec_name), "missing")
        })?;
        Ok(Self { spec, thread_spec_name, node_name, node, place })
    }

    /// The thread's number.
    pub fn thread(&self) -> i32 {
        self.place.thread.cast_signed()
    }

    /// Whether the thread ends here.
    pub fn is_exit(&self) -> bool {
        matches!(self.node.node, Some(Kind::Exit(_)))
    }
}

/// Whether a thread begins at this node.
pub fn is_entrypoint(node: &lh::Node) -> bool {
    matches!(node.node, Some(Kind::Entrypoint(_)))
}

/// How far a node is.
#[derive(Debug)]
pub enum Progress {
    /// Something must happen first.
    Waiting,
    /// Done, with this output where the node has one.
    Done(Option<Option<Value>>),
}

/// What happens once, when a thread reaches the node.
pub fn arrive(run: &mut Run<'_, '_>, visit: &Visit<'_>, node_run: &mut NodeRunRecord) -> Result<(), Trouble> {
    match &visit.node.node {
        Some(Kind::Entrypoint(_)) => entrypoint::arrive(&mut node_run.message),
        Some(Kind::Nop(_)) => nop::arrive(&mut node_run.message),
        Some(Kind::Exit(_)) => exit::arrive(&mut node_run.message),
        Some(Kind::UserTask(node)) => return user_task::arrive(run, visit, node, &mut node_run.message),
        // --- Tasks
        Some(Kind::Task(node)) => return task::arrive(run, visit, node, &mut node_run.message),
        // --- Events
        Some(Kind::ExternalEvent(node)) => return external_event::arrive(run, visit, node, node_run),
        Some(Kind::Sleep(node)) => return sleep::arrive(run, visit, node, &mut node_run.message),
        Some(Kind::WaitForCondition(_)) => wait_for_condition::arrive(&mut node_run.message),
        Some(Kind::ThrowEvent(node)) => return throw_event::arrive(run, visit, node, &mut node_run.message),
        Some(Kind::RunChildWf(node)) => return run_child_wf::arrive(run, visit, node, &mut node_run.message),
        Some(Kind::WaitForChildWf(node)) => return wait_for_child_wf::arrive(run, visit, node, &mut node_run.message),
        // --- Runs
        Some(Kind::StartThread(node)) => return start_thread::arrive(run, visit, node, &mut node_run.message),
        Some(Kind::StartMultipleThreads(node)) => {
            return start_thread::arrive_multiple(run, visit, node, &mut node_run.message);
        }
        Some(Kind::WaitForThreads(node)) => return wait_for_threads::arrive(run, visit, node, &mut node_run.message),
        _ => return Err(unknown(visit)),
    }
    Ok(())
}

/// Whether the node is done, asked on every advance. What it changes of its NodeRun is stored, whatever it says.
pub fn check(run: &mut Run<'_, '_>, visit: &Visit<'_>, node_run: &mut NodeRunRecord) -> Result<Progress, Trouble> {
    match &visit.node.node {
        Some(Kind::Entrypoint(_) | Kind::Nop(_)) => Ok(Progress::Done(None)),
        Some(Kind::Exit(node)) => exit::check(run, visit, node),
        Some(Kind::UserTask(_)) => user_task::check(run, visit, &node_run.message),
        // --- Tasks
        Some(Kind::Task(_)) => task::check(run, visit),
        // --- Events
        Some(Kind::ExternalEvent(_)) => external_event::check(run, visit, node_run),
        Some(Kind::Sleep(node)) => sleep::check(run, visit, node, &mut node_run.message),
        Some(Kind::WaitForCondition(node)) => wait_for_condition::check(run, visit, node),
        Some(Kind::ThrowEvent(_)) => Ok(Progress::Done(None)),
        Some(Kind::RunChildWf(_)) => Ok(run_child_wf::check(&node_run.message)),
        Some(Kind::WaitForChildWf(_)) => wait_for_child_wf::check(run, &node_run.message),
        // --- Runs
        Some(Kind::StartThread(_) | Kind::StartMultipleThreads(_)) => Ok(start_thread::check(&node_run.message)),
        Some(Kind::WaitForThreads(node)) => wait_for_threads::check(run, visit, node, &mut node_run.message),
        _ => Err(unknown(visit)),
    }
}

/// Whether a thread can stand still at the node now. Where not, the thread is HALTING until the node lets it go. What
/// happens to a node meanwhile counts once the thread goes on.
pub fn is_haltable(run: &Run<'_, '_>, visit: &Visit<'_>, _: &lh::NodeRun) -> Result<bool, Fault> {
    match &visit.node.node {
        // --- Tasks
        Some(Kind::Task(_)) => task::is_haltable(run, visit),
        _ => Ok(true),
    }
}

/// PutWfSpec lets no such node in; only a WfSpec from elsewhere could have one.
fn unknown(visit: &Visit<'_>) -> Trouble {
    Trouble::new("INTERNAL_ERROR", &format!("Node {} is of a kind that this engine does not run", visit.node_name))
}
