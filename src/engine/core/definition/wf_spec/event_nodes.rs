//! What is checked of the nodes that wait for an event, a time or a condition.

use crate::api::littlehorse as lh;
use crate::engine::core::Reader;
use crate::engine::core::definition::wf_spec::typing::{Thread, as_primitive, is_null};
use crate::engine::core::definition::wf_spec::validate::{self, Invalid};
use crate::engine::core::value::type_name;
use lh::VariableType;
use lh::sleep_node::SleepLength;
use lh::wait_for_condition_node::NodeCondition;

/// EXTERNAL_EVENT: its definition exists.
pub(super) fn pin_external_event(reader: &Reader<'_>, node: &lh::ExternalEventNode) -> Result<(), Invalid> {
    let name = node.external_event_def_id.as_ref().map(|def| def.name.as_str()).unwrap_or_default();
    match reader.external_event_def(name)? {
        Some(_) => Ok(()),
        None => Err(format!("Refers to nonexistent ExternalEventDef {name}").into()),
    }
}

/// EXTERNAL_EVENT: the types of its timeout and its correlation key show at run time.
pub(super) fn check_external_event(thread: Thread<'_>, node: &lh::ExternalEventNode) -> Result<(), Invalid> {
    for assignment in node.timeout_seconds.iter().chain(&node.correlation_key) {
        thread.assignment(assignment)?;
    }
    Ok(())
}

/// SLEEP: it has a length, of a type that says one.
pub(super) fn check_sleep(thread: Thread<'_>, node: &lh::SleepNode) -> Result<(), Invalid> {
    use VariableType::{Int, Str, Timestamp};
    let (form, length, types) = match &node.sleep_length {
        Some(SleepLength::RawSeconds(length)) => ("raw_seconds", length, &[Int][..]),
        Some(SleepLength::IsoDate(length)) => ("iso_date", length, &[Str][..]),
        Some(SleepLength::Timestamp(length)) => ("timestamp", length, &[Int, Timestamp][..]),
        None => return Err("SLEEP node without a length".into()),
    };
    let Some(known) = thread.assignment(length)? else { return Ok(()) };
    if is_null(&known) || as_primitive(&known).is_some_and(|kind| types.contains(&kind)) {
        return Ok(());
    }
    let wanted: Vec<&str> = types.iter().map(VariableType::as_str_name).collect();
    Err(format!("{form} of a SLEEP node must be {}, not {}", wanted.join(" or "), type_name(&known)).into())
}

/// WAIT_FOR_CONDITION: as the condition of an edge.
pub(super) fn check_wait_for_condition(
    thread: Thread<'_>,
    name: &str,
    node: &lh::WaitForConditionNode,
) -> Result<(), Invalid> {
    let place = "Condition";
    match &node.node_condition {
        Some(NodeCondition::Condition(condition)) => validate::condition(thread, name, place, condition),
        Some(NodeCondition::LegacyCondition(legacy)) => validate::legacy_condition(thread, place, legacy),
        None => Err("WAIT_FOR_CONDITION node without a condition".into()),
    }
}
