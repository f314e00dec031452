//! WAIT_FOR_CONDITION: waits until a condition holds, asked on every advance of the WfRun.

use crate::api::littlehorse as lh;
use crate::engine::core::run::node::{Progress, Visit};
use crate::engine::core::run::{Run, Trouble};
use crate::engine::core::value::{EvalError, Wrong, condition, legacy_condition};
use lh::node_run::NodeType;
use lh::wait_for_condition_node::NodeCondition;

/// Marks the NodeRun.
pub fn arrive(node_run: &mut lh::NodeRun) {
    node_run.node_type = Some(NodeType::WaitForCondition(lh::WaitForConditionRun {}));
}

/// Done when the condition holds.
pub fn check(run: &Run<'_, '_>, visit: &Visit<'_>, node: &lh::WaitForConditionNode) -> Result<Progress, Trouble> {
    let scope = run.scope(visit.thread());
    let holds = match &node.node_condition {
        Some(NodeCondition::Condition(assignment)) => condition(assignment, &scope),
        Some(NodeCondition::LegacyCondition(legacy)) => legacy_condition(legacy, &scope),
        None => Err(EvalError::Wrong(Wrong::new("the node has no condition"))),
    };
    let failing = "Failed evaluating condition on WAIT_FOR_CONDITION_NODE: ";
    match holds.map_err(|error| Trouble::of("VAR_SUB_ERROR", failing, error))? {
        true => Ok(Progress::Done(None)),
        false => Ok(Progress::Waiting),
    }
}
