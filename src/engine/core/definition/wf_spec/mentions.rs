//! Which variables a thread mentions.

use crate::api::littlehorse as lh;
use crate::engine::core::definition::wf_spec::assignments;
use lh::variable_assignment::Source;

/// Calls `visit` with the name of every variable that the thread reads or writes.
pub(super) fn of_thread<'a>(thread: &'a lh::ThreadSpec, visit: &mut dyn FnMut(&'a str)) {
    for node in thread.nodes.values() {
        let edges = &node.outgoing_edges;
        let on_edges = edges.iter().flat_map(assignments::of_edge);
        for assignment in assignments::of_node(node).into_iter().chain(on_edges) {
            assignments::each(assignment, &mut |part| {
                if let Some(Source::VariableName(name)) = &part.source {
                    visit(name);
                }
            });
        }
        for mutation in edges.iter().flat_map(|edge| &edge.variable_mutations) {
            visit(&mutation.lhs_name);
        }
    }
}
