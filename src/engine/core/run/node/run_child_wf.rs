//! RUN_CHILD_WF: starts a WfRun under this one and goes on. The child makes its first steps in the same command, after
//! this one's.

use crate::api::littlehorse as lh;
use crate::engine::core::id;
use crate::engine::core::run::node::{Progress, Visit};
use crate::engine::core::run::{Run, Trouble, start, tree};
use crate::engine::core::value::{Value, Wrong, evaluate, message, value_type_name};
use lh::node_run::NodeType;
use lh::run_child_wf_node::WfSpec as Named;

/// Starts the child.
pub fn arrive(
    run: &mut Run<'_, '_>,
    visit: &Visit<'_>,
    node: &lh::RunChildWfNode,
    node_run: &mut lh::NodeRun,
) -> Result<(), Trouble> {
    let mut child = lh::RunChildWfNodeRun::default();
    node_run.node_type = Some(NodeType::RunChildWf(child.clone()));
    let thread = visit.thread();
    for (name, assignment) in &node.inputs {
        let value = evaluate(assignment, &run.scope(thread)).map_err(|error| {
            Trouble::of("VAR_SUB_ERROR", "Failed constructing input variables for child workflow: ", error)
        })?;
        child.inputs.insert(name.clone(), message(value));
    }
    node_run.node_type = Some(NodeType::RunChildWf(child.clone()));
    let (name, major) = match &node.wf_spec {
        Some(Named::WfSpecName(name)) => (name.clone(), Some(node.major_version)),
        Some(Named::WfSpecVar(assignment)) => (text(run, thread, assignment, "name of child workflow")?, None),
        None => return Err(Trouble::new("CHILD_FAILURE", "The node names no WfSpec")),
    };
    let spec = run.tx.read().latest_wf_spec(&name, major, false)?;
    let spec = spec.ok_or_else(|| Trouble::new("CHILD_FAILURE", &format!("Couldn't find WfSpec {name}")))?;
    let spec = &spec.message;
    let own = match &node.child_id {
        Some(assignment) => text(run, thread, assignment, "id of child WfRun")?,
        None => run.tx.new_guid(),
    };
    if !id::is_valid_name(&own) {
        return Err(Trouble::new("VAR_SUB_ERROR", &format!("The id of a WfRun must be a valid hostname, not {own}")));
    }
    let child_id = lh::WfRunId { id: own, parent_wf_run_id: Some(Box::new(run.id())) };
    if run.tx.read().run_ref(&child_id)?.is_some() {
        return Err(Trouble::new("CHILD_FAILURE", &format!("WfRun with id {} already exists!", child_id.id)));
    }
    if let Some(wrong) = start::too_deep(&child_id) {
        return Err(Trouble::new("CHILD_FAILURE", &wrong));
    }
    if let Some(wrong) = tree::full(&run.tx.read(), tree::root(run.run, &run.record.facts))? {
        return Err(Trouble::new("CHILD_FAILURE", &wrong));
    }
    if !run.tx.may_start_child(run.run) {
        return Err(Trouble::new("CHILD_FAILURE", "Too many child WfRuns would be started at once"));
    }
    let trigger =
        lh::wf_run::ParentTriggerReference { triggering_node_run: node_run.id.clone(), waiting_node_run: None };
    let given = child.inputs.iter().map(|(name, value)| (name.clone(), value.value.clone())).collect();
    let now = run.tx.now();
    child.child_wf_run_id = Some(child_id.clone());
    child.wf_spec_id.clone_from(&spec.id);
    let begun = start::begin(run.tx, spec, child_id, now, given, Some(trigger))?;
    run.tx.child_started(begun);
    node_run.node_type = Some(NodeType::RunChildWf(child));
    Ok(())
}

/// Done at once, with the id of the child.
pub fn check(node_run: &lh::NodeRun) -> Progress {
    let id = match &node_run.node_type {
        Some(NodeType::RunChildWf(child)) => child.child_wf_run_id.clone(),
        _ => None,
    };
    Progress::Done(Some(id.map(Value::WfRunId)))
}

fn text(run: &Run<'_, '_>, thread: i32, assignment: &lh::VariableAssignment, what: &str) -> Result<String, Trouble> {
    let value = evaluate(assignment, &run.scope(thread)).and_then(|value| match value {
        Some(Value::Str(text)) => Ok(text),
        other => Err(Wrong::new(format!("it must be STR, not {}", value_type_name(other.as_ref()))).into()),
    });
    value.map_err(|error| Trouble::of("VAR_SUB_ERROR", &format!("Failed determining {what}: "), error))
}
