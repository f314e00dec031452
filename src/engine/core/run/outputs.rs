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
    let within = |part: Option<&lh::VariableAssignment>| part.is_some_and(|part| reads(part, node));
    let by_path = match &assignment.path {
        Some(lh::variable_assignment::Path::LhPath(path)) => {
            path.path.iter().any(|selector| match &selector.selector_type {
                Some(lh::lh_path::selector::SelectorType::Dynamic(inner)) => reads(inner, node),
                _ => false,
            })
        }
        _ => false,
    };
    by_path
        || match &assignment.source {
            Some(Source::NodeOutput(reference)) => reference.node_name == node,
            Some(Source::FormatString(format)) => {
                within(format.format.as_deref()) || format.args.iter().any(|argument| reads(argument, node))
            }
            Some(Source::Expression(expression)) => {
                within(expression.lhs.as_deref()) || within(expression.rhs.as_deref())
            }
            Some(Source::SizeOf(size)) => within(size.operand.as_deref()),
            Some(Source::StructBuilder(builder)) => {
                builder.value.as_ref().is_some_and(|inner| struct_reads(inner, node))
            }
            Some(Source::MapBuilder(builder)) => {
                builder.entries.iter().any(|entry| within(entry.key.as_ref()) || within(entry.value.as_ref()))
            }
            Some(Source::VariableName(_) | Source::LiteralValue(_)) | None => false,
        }
}

fn struct_reads(builder: &lh::InlineStructBuilder, node: &str) -> bool {
    use lh::inline_struct_field_value::StructValue;
    builder.fields.values().any(|field| match &field.struct_value {
        Some(StructValue::SimpleValue(assignment)) => reads(assignment, node),
        Some(StructValue::SubStructure(inner)) => struct_reads(inner, node),
        None => false,
    })
}
