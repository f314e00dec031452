//! WAIT_FOR_CHILD_WF: waits for the end of another WfRun, usually a child of this one.

use crate::api::littlehorse as lh;
use crate::engine::core::Place;
use crate::engine::core::id;
use crate::engine::core::run::node::{Progress, Visit};
use crate::engine::core::run::{Run, Trouble};
use crate::engine::core::value::{Value, Wrong, evaluate, value_type_name};
use lh::LhStatus;
use lh::node_run::NodeType;

/// Finds out which WfRun it is, and tells it who waits.
pub fn arrive(
    run: &mut Run<'_, '_>,
    visit: &Visit<'_>,
    node: &lh::WaitForChildWfNode,
    node_run: &mut lh::NodeRun,
) -> Result<(), Trouble> {
    node_run.node_type = Some(NodeType::WaitForChildWf(lh::WaitForChildWfNodeRun::default()));
    let assignment = node.child_wf_run_id.clone().unwrap_or_default();
    let child_id = evaluate(&assignment, &run.scope(visit.thread())).and_then(|value| match value {
        Some(Value::WfRunId(id)) => Ok(id),
        other => Err(Wrong::new(format!("it must be WF_RUN_ID, not {}", value_type_name(other.as_ref()))).into()),
    });
    let failing = "Failed determining id of child WfRun: ";
    let child_id = child_id.map_err(|error| Trouble::of("VAR_SUB_ERROR", failing, error))?;
    let text = id::wf_run_text(&child_id);
    // A WfRun ends after those that it waits for, so it must be none of them.
    let own = run.id();
    if std::iter::successors(Some(&own), |id| id.parent_wf_run_id.as_deref()).any(|own| *own == child_id) {
        let wrong = format!("WfRun {text} is this one or above it, and cannot be waited for");
        return Err(Trouble::new("VAR_SUB_ERROR", &wrong));
    }
    let Some((child, mut record)) = run.tx.read().wf_run_by_id(&child_id)? else { return Err(gone(&text)) };
    let trigger = record.message.parent_trigger.get_or_insert_default();
    trigger.waiting_node_run.clone_from(&node_run.id);
    if !record.facts.awaited_by.contains(&run.run.0) && record.facts.parent != run.run.0 {
        record.facts.awaited_by.push(run.run.0);
    }
    run.tx.put_wf_run(child, &record)?;
    let waiting = lh::WaitForChildWfNodeRun { child_wf_run_id: Some(child_id) };
    node_run.node_type = Some(NodeType::WaitForChildWf(waiting));
    Ok(())
}

/// Done with the output of the other WfRun, or failed with its failure.
pub fn check(run: &Run<'_, '_>, node_run: &lh::NodeRun) -> Result<Progress, Trouble> {
    let child_id = match &node_run.node_type {
        Some(NodeType::WaitForChildWf(waiting)) => waiting.child_wf_run_id.clone().unwrap_or_default(),
        _ => lh::WfRunId::default(),
    };
    let text = id::wf_run_text(&child_id);
    let Some((child, record)) = run.tx.read().wf_run_by_id(&child_id)? else { return Err(gone(&text)) };
    let entrypoint = record.message.thread_runs.iter().find(|thread| thread.number == 0);
    match record.message.status() {
        LhStatus::Completed => {
            let output = entrypoint.and_then(|thread| thread.output.clone());
            Ok(Progress::Done(output.map(|output| output.value)))
        }
        LhStatus::Error => Err(Trouble::new("CHILD_FAILURE", &format!("Child WfRun {text} failed"))),
        LhStatus::Exception => {
            let place = entrypoint.and_then(|thread| Place::new(0, thread.current_node_position));
            let node_run = match place {
                Some(place) => run.tx.read().node_run(child, place)?,
                None => None,
            };
            let thrown = node_run.and_then(|mut node_run| node_run.message.failures.pop());
            let thrown = thrown.ok_or_else(|| Trouble::new("CHILD_FAILURE", &format!("Child WfRun {text} failed")))?;
            Err(Trouble::Failure(lh::Failure {
                message: format!("Child WfRun failed: {}", thrown.message),
                failure_name: thrown.failure_name,
                content: thrown.content,
                ..Default::default()
            }))
        }
        LhStatus::Starting | LhStatus::Running | LhStatus::Halting | LhStatus::Halted => Ok(Progress::Waiting),
    }
}

fn gone(id: &str) -> Trouble {
    Trouble::new("CHILD_FAILURE", &format!("Child WfRun {id} does not exist"))
}
