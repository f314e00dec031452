//! TASK: waits for a task worker.

use crate::api::littlehorse as lh;
use crate::engine::core::Fault;
use crate::engine::core::key::damaged;
use crate::engine::core::record::describe;
use crate::engine::core::run::node::{Progress, Visit};
use crate::engine::core::run::{Run, Trouble};
use crate::engine::core::task::{self, TaskRef};
use lh::node_run::NodeType;
use lh::task_run_source::TaskRunSource;

/// Creates the TaskRun. A NodeRun that fails here refers to none.
pub fn arrive(
    run: &mut Run<'_, '_>,
    visit: &Visit<'_>,
    node: &lh::TaskNode,
    node_run: &mut lh::NodeRun,
) -> Result<(), Trouble> {
    node_run.node_type = Some(NodeType::Task(lh::TaskNodeRun { task_run_id: None }));
    let source = TaskRunSource::TaskNode(lh::TaskNodeReference { node_run_id: node_run.id.clone() });
    let id = task::schedule(run, visit.thread(), node, source)?;
    node_run.node_type = Some(NodeType::Task(lh::TaskNodeRun { task_run_id: Some(id) }));
    Ok(())
}

/// Done when the TaskRun succeeded; fails when it failed for good.
pub fn check(run: &mut Run<'_, '_>, visit: &Visit<'_>) -> Result<Progress, Trouble> {
    let task = TaskRef::of_node(run.run, visit.place);
    let missing = || damaged(describe(task.key()), "missing");
    let record = run.tx.read().task_run(task)?.ok_or_else(missing)?;
    Ok(match task::outcome(&record.message)? {
        Some(output) => Progress::Done(Some(output)),
        None => Progress::Waiting,
    })
}

/// A worker that has a task is not called back: the thread stands still once the TaskRun has ended.
pub fn is_haltable(run: &Run<'_, '_>, visit: &Visit<'_>) -> Result<bool, Fault> {
    // One that failed on arrival has no TaskRun.
    let stored = run.tx.read().task_run(TaskRef::of_node(run.run, visit.place))?;
    Ok(stored.is_none_or(|record| task::has_ended(&record.message)))
}
