//! What the threads of a WfSpec see of the threads above them, for plans that move threads to another version.

use std::collections::BTreeSet;

use crate::api::littlehorse as lh;
use crate::engine::core::definition::wf_spec::catalogue::Catalogue;
use crate::engine::core::definition::wf_spec::typing::{self, Thread};
use crate::engine::core::definition::wf_spec::{mentions, var_name};
use crate::engine::core::value::type_name;
use crate::engine::core::{Reader, Refusal};
use lh::node::Node;

/// Whether a thread declares a variable.
pub fn declares(thread: &lh::ThreadSpec, name: &str) -> bool {
    thread.variable_defs.iter().any(|def| var_name(def) == name)
}

/// The variables that a thread mentions and does not declare: a thread above it must have them.
pub fn needed(thread: &lh::ThreadSpec) -> BTreeSet<&str> {
    let mut needed = BTreeSet::new();
    mentions::of_thread(thread, &mut |name| {
        if !declares(thread, name) {
            needed.insert(name);
        }
    });
    needed
}

/// The threads that may stand above one: those that start it, as a child, a handler or an interrupt, and those above
/// them.
pub fn above<'a>(spec: &'a lh::WfSpec, name: &str) -> BTreeSet<&'a str> {
    let (mut above, mut next) = (BTreeSet::new(), vec![name.to_owned()]);
    while let Some(child) = next.pop() {
        for (parent, thread) in &spec.thread_specs {
            if starts(thread).any(|started| started == child) && above.insert(parent.as_str()) {
                next.push(parent.clone());
            }
        }
    }
    above
}

fn starts(thread: &lh::ThreadSpec) -> impl Iterator<Item = &str> {
    let of_nodes = thread.nodes.values().flat_map(|node| {
        let (started, handlers) = match &node.node {
            Some(Node::StartThread(start)) => (Some(&start.thread_spec_name), &[][..]),
            Some(Node::StartMultipleThreads(start)) => (Some(&start.thread_spec_name), &[][..]),
            Some(Node::WaitForThreads(wait)) => (None, &wait.per_thread_failure_handlers[..]),
            _ => (None, &[][..]),
        };
        let handlers = node.failure_handlers.iter().chain(handlers).map(|handler| &handler.handler_spec_name);
        started.into_iter().chain(handlers)
    });
    of_nodes.chain(thread.interrupt_defs.iter().map(|interrupt| &interrupt.handler_spec_name)).map(String::as_str)
}

/// Refuses a value for a variable that can never have its type, as a thread of this spec would compute it.
pub fn check_value(
    reader: &Reader<'_>,
    spec: &lh::WfSpec,
    thread: &str,
    variable: &lh::VariableDef,
    value: &lh::VariableAssignment,
) -> Result<(), Refusal> {
    let invalid = |what: &str| Refusal::invalid(format!("Migration variable '{}' is invalid: {what}", variable.name));
    let Some(thread_spec) = spec.thread_specs.get(thread) else { return Ok(()) };
    let catalogue = &Catalogue::of(reader, &spec.thread_specs)?;
    let thread = Thread { all: &spec.thread_specs, name: thread, spec: thread_spec, catalogue, lenient: false };
    let given = thread.assignment(value).map_err(|text| invalid(&text))?;
    match (&variable.type_def, given) {
        (Some(declared), Some(given)) if !typing::is_assignable(declared, &given) => {
            let (given, declared) = (type_name(&given), type_name(declared));
            Err(invalid(&format!("Cannot assign {given} to {declared} without explicit casting.")))
        }
        _ => Ok(()),
    }
}
