//! NOP: a place for conditions to meet. Done at once.

use crate::api::littlehorse as lh;

/// Marks the NodeRun, with the branch of ENTRYPOINT: NodeRun has none for NOP, and that is what LittleHorse shows.
pub fn arrive(node_run: &mut lh::NodeRun) {
    node_run.node_type = Some(lh::node_run::NodeType::Entrypoint(lh::EntrypointRun {}));
}
