//! Outputs of nodes: kept while some assignment of the thread's spec may ask for them.

use crate::api::{littlehorse as lh, store::v1 as store};
use crate::engine::core::Fault;
use crate::engine::core::definition::wf_spec::assignments;
use crate::engine::core::run::Run;
use crate::engine::core::run::node::Visit;
use crate::engine::core::value::{Value, message};
use lh::variable_assignment::Source;
use lh::variable_mutation::RhsValue;

impl Run<'_, '_> {
    /// Keeps the output of a node that is done, if anything refers to it; the newest wins.
    pub fn remember_output(&mut self, visit: &Visit<'_>, output: Option<Value>) -> Result<(), Fault> {
        let thread = visit.spec.thread_specs.get(visit.thread_spec_name);
        if !thread.is_some_and(|thread| is_referred_to(thread, visit.node_name)) {
            return Ok(());
        }
        let output = store::NodeOutput { position: visit.place.position.cast_signed(), value: Some(message(output)) };
        self.tx.put_node_output(self.run, visit.place.thread, visit.node_name, output)
    }
}

/// Whether some assignment of a ThreadSpec reads the output of a node.
fn is_referred_to(thread: &lh::ThreadSpec, node: &str) -> bool {
    thread.nodes.iter().any(|(name, from)| {
        let own = |mutation: &lh::VariableMutation| {
            name == node && matches!(mutation.rhs_value, Some(RhsValue::NodeOutput(_)))
        };
        let edges = from.outgoing_edges.iter();
        edges.clone().flat_map(|edge| &edge.variable_mutations).any(own)
            || edges
                .flat_map(assignments::of_edge)
                .chain(assignments::of_node(from))
                .any(|assignment| reads(assignment, node))
    })
}

/// Whether an assignment reads the output of a node, anywhere inside it.
fn reads(assignment: &lh::VariableAssignment, node: &str) -> bool {
    let mut found = false;
    assignments::each(assignment, &mut |part| {
        found |= matches!(&part.source, Some(Source::NodeOutput(reference)) if reference.node_name == node);
    });
    found
}
