//! THROW_EVENT: tells the outside something and goes on.

use crate::api::littlehorse as lh;
use crate::engine::core::event;
use crate::engine::core::run::node::Visit;
use crate::engine::core::run::{Run, Trouble};
use crate::engine::core::value::{evaluate, message};
use lh::node_run::NodeType;

/// Throws the event. Its content is not held against the type of its definition, as in LittleHorse.
pub fn arrive(
    run: &mut Run<'_, '_>,
    visit: &Visit<'_>,
    node: &lh::ThrowEventNode,
    node_run: &mut lh::NodeRun,
) -> Result<(), Trouble> {
    node_run.node_type = Some(NodeType::ThrowEvent(lh::ThrowEventNodeRun::default()));
    let failing = "Failed calculating content of workflow Event: ";
    let content = match &node.content {
        Some(content) => evaluate(content, &run.scope(visit.thread()))
            .map_err(|error| Trouble::of("VAR_SUB_ERROR", failing, error))?,
        None => None,
    };
    let def = node.event_def_id.clone().unwrap_or_default();
    let id = event::throw(run.tx, run.run, &def, message(content), node_run.id.clone().unwrap_or_default())?;
    node_run.node_type = Some(NodeType::ThrowEvent(lh::ThrowEventNodeRun { workflow_event_id: Some(id) }));
    Ok(())
}
