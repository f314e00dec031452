//! What is checked of the interrupts of a WfSpec.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::littlehorse as lh;
use crate::engine::core::Reader;
use crate::engine::core::definition::wf_spec::validate::{INPUT, Invalid};
use crate::engine::core::definition::wf_spec::var_name;

/// Checks the interrupts of every thread; the error comes with the name of its thread.
pub(super) fn check<'a>(reader: &Reader<'_>, spec: &'a lh::WfSpec) -> Result<(), (&'a str, Invalid)> {
    let mut interrupts: BTreeMap<&str, &str> = BTreeMap::new();
    let nodes = spec.thread_specs.values().flat_map(|thread| thread.nodes.values());
    let waited_for: BTreeSet<&str> = nodes
        .filter_map(|node| match &node.node {
            Some(lh::node::Node::ExternalEvent(event)) => Some(event.external_event_def_id.as_ref()?.name.as_str()),
            _ => None,
        })
        .collect();
    for (name, thread) in &spec.thread_specs {
        for interrupt in &thread.interrupt_defs {
            let def = interrupt.external_event_def_id.as_ref().map(|id| id.name.as_str()).unwrap_or_default();
            one(reader, spec, def, &interrupt.handler_spec_name).map_err(|invalid| (name.as_str(), invalid))?;
            let text = if waited_for.contains(def) {
                format!("ExternalEventDef {def} used for Node and Interrupt!")
            } else if interrupts.insert(def, name).is_some_and(|other| other != name) {
                format!("ExternalEventDef {def} used by multiple threads as interrupt!")
            } else {
                continue;
            };
            return Err((name, text.into()));
        }
    }
    Ok(())
}

fn one(reader: &Reader<'_>, spec: &lh::WfSpec, def: &str, handler: &str) -> Result<(), Invalid> {
    if reader.external_event_def(def)?.is_none() {
        return Err("Refers to missing ExternalEventDef".into());
    }
    let Some(thread) = spec.thread_specs.get(handler) else {
        return Err(format!("Refers to missing ThreadSpec: {handler}").into());
    };
    match thread.variable_defs.as_slice() {
        [] => Ok(()),
        [only] if var_name(only) == INPUT => Ok(()),
        _ => Err(format!("Interrupt handler {handler} may have one variable only, named '{INPUT}'").into()),
    }
}
