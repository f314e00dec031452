//! RUN_CHILD_WF, WAIT_FOR_CHILD_WF and THROW_EVENT: what is checked when a WfSpec is put.

use crate::api::littlehorse as lh;
use crate::engine::core::Reader;
use crate::engine::core::definition::wf_spec::threads;
use crate::engine::core::definition::wf_spec::typing::{self, Thread};
use crate::engine::core::definition::wf_spec::validate::Invalid;
use lh::VariableType;
use lh::node::Node;
use lh::run_child_wf_node::WfSpec as Named;

/// RUN_CHILD_WF: the workflow exists, and its major version is written in.
pub(super) fn pin_run_child(reader: &Reader<'_>, node: &mut lh::RunChildWfNode) -> Result<(), Invalid> {
    let name = match &node.wf_spec {
        Some(Named::WfSpecName(name)) if !name.is_empty() => name,
        Some(Named::WfSpecVar(_)) => return Ok(()),
        _ => return Err("A valid WfSpec name must be specified".into()),
    };
    let major = Some(node.major_version).filter(|major| *major >= 0);
    let Some(found) = reader.latest_wf_spec(name, major, false)? else {
        let version = major.map(|major| format!(" with version {major}")).unwrap_or_default();
        return Err(format!("Could not find WfSpec {name}{version}").into());
    };
    node.major_version = found.message.id.as_ref().map(|id| id.major_version).unwrap_or_default();
    Ok(())
}

/// RUN_CHILD_WF: its inputs are those that the entrypoint of the other workflow declares, as far as it is known.
pub(super) fn check_run_child(thread: Thread<'_>, node: &lh::RunChildWfNode) -> Result<(), Invalid> {
    if let Some(id) = &node.child_id {
        thread.assignment(id)?;
    }
    match &node.wf_spec {
        Some(Named::WfSpecName(name)) => match thread.catalogue.child(name, node.major_version) {
            Some(child) => threads::inputs(thread, &child.entrypoint_name, &child.inputs, &node.inputs),
            None => Ok(()),
        },
        Some(Named::WfSpecVar(name)) => {
            for assignment in node.inputs.values().chain([name]) {
                thread.assignment(assignment)?;
            }
            Ok(())
        }
        None => Ok(()),
    }
}

/// WAIT_FOR_CHILD_WF: its source starts a child, and what it waits for can be one.
pub(super) fn check_wait_for_child(thread: Thread<'_>, node: &lh::WaitForChildWfNode) -> Result<(), Invalid> {
    let source = &node.child_wf_run_source_node;
    match thread.spec.nodes.get(source).map(|node| &node.node) {
        Some(Some(Node::RunChildWf(_))) => {}
        Some(_) => return Err(format!("Node {source} is not a RUN_CHILD_WF node").into()),
        None => return Err(format!("Node {source} not present in threadspec {}", thread.name).into()),
    }
    let Some(assignment) = &node.child_wf_run_id else {
        return Err("VariableAssignment passed with missing source".into());
    };
    let wf_run_id = typing::primitive(VariableType::WfRunId);
    match thread.assignment(assignment)? {
        Some(known) if !typing::is_null(&known) && !typing::is_assignable(&wf_run_id, &known) => {
            Err("The id of a child WfRun must be WF_RUN_ID".into())
        }
        _ => Ok(()),
    }
}

/// THROW_EVENT: its definition exists.
pub(super) fn pin_throw_event(reader: &Reader<'_>, node: &lh::ThrowEventNode) -> Result<(), Invalid> {
    let name = node.event_def_id.as_ref().map(|def| def.name.as_str()).unwrap_or_default();
    match reader.workflow_event_def(name)? {
        Some(_) => Ok(()),
        None => Err("Refers to missing workflowEventDef".into()),
    }
}

/// THROW_EVENT: the type of its content is not held against its definition.
pub(super) fn check_throw_event(thread: Thread<'_>, node: &lh::ThrowEventNode) -> Result<(), Invalid> {
    if let Some(content) = &node.content {
        thread.assignment(content)?;
    }
    Ok(())
}
