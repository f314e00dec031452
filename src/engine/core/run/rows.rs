//! What follows from a NodeRun: the timers of those that wait for a time.

use crate::api::littlehorse as lh;
use crate::engine::core::derive::{Derived, Derives, Numbers};
use crate::engine::core::key::ObjKey;
use crate::engine::core::record::NodeRunRecord;
use crate::engine::core::{Fault, id};
use lh::LhStatus;
use lh::node_run::NodeType;

impl Derives for NodeRunRecord {
    fn derive(&self, key: ObjKey, tenant: u32, _: &mut Numbers<'_>) -> Result<Derived, Fault> {
        let mut derived = Derived::default();
        if let Some(due) = due(self) {
            derived.timer(tenant, due, key, 0);
        }
        Ok(derived)
    }
}

/// Whether a NodeRun still waits for something, be it with its thread halted.
pub(in crate::engine::core) fn is_open(node_run: &lh::NodeRun) -> bool {
    matches!(node_run.status(), LhStatus::Running | LhStatus::Halting | LhStatus::Halted)
}

/// When a NodeRun is to be looked at again.
fn due(node_run: &NodeRunRecord) -> Option<i64> {
    if !is_open(&node_run.message) {
        return None;
    }
    match &node_run.message.node_type {
        Some(NodeType::Sleep(sleep)) if !sleep.matured => sleep.maturation_time.as_ref().map(id::milliseconds),
        Some(NodeType::ExternalEvent(event)) if event.external_event_id.is_none() && !event.timed_out => {
            node_run.facts.timeout_due
        }
        _ => None,
    }
}
