//! ENTRYPOINT: where a thread begins. Done at once.

use crate::api::littlehorse as lh;

/// Marks the NodeRun.
pub fn arrive(node_run: &mut lh::NodeRun) {
    node_run.node_type = Some(lh::node_run::NodeType::Entrypoint(lh::EntrypointRun {}));
}
