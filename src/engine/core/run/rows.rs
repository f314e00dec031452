//! What follows from a NodeRun: the timers of those that wait for a time, how many there are, who waits for which event
//! and under which key.

use crate::api::littlehorse as lh;
use crate::engine::core::derive::{Derived, Derives, Numbers};
use crate::engine::core::index::status_byte;
use crate::engine::core::key::{self, Index, KeyIndex, ObjKey, Word};
use crate::engine::core::record::NodeRunRecord;
use crate::engine::core::{Fault, event, id};
use lh::LhStatus;
use lh::node_run::NodeType;

impl Derives for NodeRunRecord {
    fn derive(&self, key: ObjKey, tenant: u32, numbers: &mut Numbers<'_>) -> Result<Derived, Fault> {
        let mut derived = Derived::default();
        let message = &self.message;
        let version = numbers(Word::WfSpecVersion, &id::wf_spec_text(&message.wf_spec_id.clone().unwrap_or_default()))?;
        derived.count(Index::NodesByVersion, version, 0);
        if let Some(NodeType::ExternalEvent(event)) = &message.node_type {
            let def = event.external_event_def_id.as_ref().map(|id| id.name.as_str()).unwrap_or_default();
            let def = numbers(Word::Name, def)?;
            let text = by_event(def, message.status, Some(key.scope));
            let row = key::key_index(KeyIndex::NodesByEvent, tenant, &text, key.sub);
            derived.keys.insert(row, node_facet(message));
            if let Some(waited) = self.facts.correlation_key.as_deref().filter(|_| is_open(message)) {
                let mut text = event::waiting_text(def, waited);
                text.extend(key.scope.to_be_bytes());
                derived.keys.insert(key::key_index(KeyIndex::WaitingNodes, tenant, &text, key.sub), Vec::new());
            }
        }
        if let Some(due) = due(self) {
            derived.timer(tenant, due, key, 0);
        }
        Ok(derived)
    }
}

/// The part of the rows of EXTERNAL_EVENT nodes behind the index: the event, the status, the WfRun.
pub(in crate::engine::core) fn by_event(def: u32, status: i32, run: Option<u64>) -> Vec<u8> {
    let mut bytes = def.to_be_bytes().to_vec();
    bytes.push(status_byte(status));
    bytes.extend(run.map(u64::to_be_bytes).into_iter().flatten());
    bytes
}

/// What such a row holds: when the NodeRun was reached, and the text form of the id of its WfRun.
fn node_facet(node_run: &lh::NodeRun) -> Vec<u8> {
    let reached = node_run.arrival_time.as_ref().map(id::milliseconds).unwrap_or_default();
    let run = node_run.id.as_ref().and_then(|id| id.wf_run_id.as_ref()).map(id::wf_run_text).unwrap_or_default();
    [&reached.to_be_bytes()[..], run.as_bytes()].concat()
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
