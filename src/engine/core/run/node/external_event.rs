//! EXTERNAL_EVENT: waits for an event, and takes the earliest that is there for it.

use crate::api::littlehorse as lh;
use crate::engine::core::event;
use crate::engine::core::key::damaged;
use crate::engine::core::record::NodeRunRecord;
use crate::engine::core::run::node::{Progress, Visit};
use crate::engine::core::run::{Run, Trouble};
use crate::engine::core::value::{Value, Wrong, evaluate, value_type_name};
use lh::node_run::NodeType;

/// What is shown instead of a masked key.
const MASK: &str = "*****";

/// Finds out how long to wait, and under which key.
pub fn arrive(
    run: &mut Run<'_, '_>,
    visit: &Visit<'_>,
    node: &lh::ExternalEventNode,
    node_run: &mut NodeRunRecord,
) -> Result<(), Trouble> {
    let waiting = lh::ExternalEventNodeRun {
        external_event_def_id: node.external_event_def_id.clone(),
        mask_correlation_key: node.mask_correlation_key,
        ..Default::default()
    };
    node_run.message.node_type = Some(NodeType::ExternalEvent(waiting));
    if let Some(timeout) = &node.timeout_seconds {
        let seconds = evaluate(timeout, &run.scope(visit.thread())).and_then(|value| match value {
            Some(Value::Int(seconds)) => Ok(seconds),
            other => {
                Err(Wrong::new(format!("the seconds must be INT, not {}", value_type_name(other.as_ref()))).into())
            }
        });
        let failing = "Failed determining timeout for ext evt node: ";
        let seconds = seconds.map_err(|error| Trouble::of("VAR_ERROR", failing, error))?;
        node_run.facts.timeout_due = Some(run.tx.context().now.saturating_add(seconds.saturating_mul(1000)).max(0));
    }
    if let Some(key) = &node.correlation_key {
        let key = evaluate(key, &run.scope(visit.thread())).and_then(|value| match value {
            Some(Value::Str(key)) => Ok(key),
            other => {
                let kind = other.as_ref().map_or("null".to_owned(), |other| value_type_name(Some(other)));
                Err(Wrong::new(format!("Resulting correlation id was of type {kind} not STR!")).into())
            }
        });
        let failing = "Failed determining correlationId for ext evt node: ";
        let key = key.map_err(|error| Trouble::of("VAR_ERROR", failing, error))?;
        if let Some(NodeType::ExternalEvent(waiting)) = &mut node_run.message.node_type {
            let shown = if node.mask_correlation_key { MASK.to_owned() } else { key.clone() };
            waiting.correlation_key = Some(shown);
        }
        node_run.facts.correlation_key = Some(key);
    }
    Ok(())
}

/// Done with the content of the event that it has claimed.
pub fn check(run: &mut Run<'_, '_>, visit: &Visit<'_>, node_run: &mut NodeRunRecord) -> Result<Progress, Trouble> {
    let Some(NodeType::ExternalEvent(waiting)) = &mut node_run.message.node_type else {
        return Err(damaged(format!("NodeRun {} of WfRun {}", visit.place.guid(), run.run.0), "of another kind").into());
    };
    if waiting.timed_out {
        return Err(Trouble::new("TIMEOUT", "ExternalEvent did not arrive in time"));
    }
    let def = waiting.external_event_def_id.as_ref().map(|def| def.name.as_str()).unwrap_or_default();
    let mut claimed = event::claim(run.tx, run.run, def, visit.place)?;
    if claimed.is_none()
        && let Some(key) = &node_run.facts.correlation_key
        && event::correlate(run.tx, run.id(), visit.place, def, key)?
    {
        claimed = event::claim(run.tx, run.run, def, visit.place)?;
    }
    match claimed {
        Some(event) => {
            node_run.facts.correlation_key = None;
            waiting.external_event_id = event.id;
            waiting.event_time = event.created_at;
            Ok(Progress::Done(Some(event.content.and_then(|content| content.value))))
        }
        None => Ok(Progress::Waiting),
    }
}
