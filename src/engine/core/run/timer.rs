//! What happens when the time that a NodeRun waits for has come.

use crate::api::littlehorse::node_run::NodeType;
use crate::engine::core::key::ObjKey;
use crate::engine::core::record::NodeRunRecord;
use crate::engine::core::{Fault, RunRef, Tx};

/// Records that a NodeRun's time has come, and lets its WfRun see to it. A halted thread sees to it when it goes on.
pub fn due(tx: &mut Tx<'_>, owner: ObjKey) -> Result<(), Fault> {
    let Some(mut node_run): Option<NodeRunRecord> = tx.read().object(owner)? else { return Ok(()) };
    match &mut node_run.message.node_type {
        Some(NodeType::Sleep(sleep)) => sleep.matured = true,
        Some(NodeType::ExternalEvent(event)) => event.timed_out = true,
        _ => return Ok(()),
    }
    tx.store(owner, &node_run)?;
    tx.wake(RunRef(owner.scope));
    Ok(())
}
