//! What follows from events and their definitions.

use prost::Message;

use crate::engine::core::derive::{Derived, Derives, Numbers, listed};
use crate::engine::core::event::{correlated, external};
use crate::engine::core::key::{self, IdKind, Index, KeyIndex, Kind, ObjKey, Word, take_u64};
use crate::engine::core::record::{
    CorrelatedEventRecord, ExternalEventDefRecord, ExternalEventRecord, WorkflowEventDefRecord, WorkflowEventRecord,
};
use crate::engine::core::{Fault, id};

impl Derives for ExternalEventDefRecord {
    fn derive(&self, _: ObjKey, tenant: u32, _: &mut Numbers<'_>) -> Result<Derived, Fault> {
        let name = self.message.id.as_ref().map(|id| id.name.as_str()).unwrap_or_default();
        Ok(listed(KeyIndex::ExternalEventDefs, tenant, name, 0, true))
    }
}

impl Derives for WorkflowEventDefRecord {
    fn derive(&self, _: ObjKey, tenant: u32, _: &mut Numbers<'_>) -> Result<Derived, Fault> {
        let name = self.message.id.as_ref().map(|id| id.name.as_str()).unwrap_or_default();
        Ok(listed(KeyIndex::WorkflowEventDefs, tenant, name, 0, true))
    }
}

/// Whether an event lies under its tenant: its WfRun is yet to come.
pub fn is_early(key: ObjKey) -> bool {
    key.kind == Kind::ExternalEvent && u32::try_from(key.scope).is_ok()
}

impl Derives for ExternalEventRecord {
    fn derive(&self, key: ObjKey, tenant: u32, numbers: &mut Numbers<'_>) -> Result<Derived, Fault> {
        let mut derived = Derived::default();
        let event_id = self.message.id.clone().unwrap_or_default();
        let ordinal = key.sub;
        let def = event_id.external_event_def_id.as_ref().map(|def| def.name.as_str()).unwrap_or_default();
        let def = numbers(Word::Name, def)?;
        let (kind, text) = match is_early(key) {
            true => {
                let run = external::future_run(&event_id.wf_run_id.clone().unwrap_or_default());
                let waiting = format!("{run}/");
                derived
                    .keys
                    .insert(key::key_index(KeyIndex::EarlyEvents, tenant, waiting.as_bytes(), ordinal), Vec::new());
                (IdKind::EarlyEvent, external::id_text(&run, &event_id))
            }
            false => {
                if !self.message.claimed {
                    let of_run = [&key.scope.to_be_bytes()[..], &def.to_be_bytes()].concat();
                    derived
                        .keys
                        .insert(key::key_index(KeyIndex::UnclaimedEvents, tenant, &of_run, ordinal), Vec::new());
                }
                (IdKind::ExternalEvent, external::id_text(&format!("{:016x}", key.scope), &event_id))
            }
        };
        derived.ids.insert(key::id(tenant, kind, &text), ordinal);
        let created = self.message.created_at.as_ref().map(id::milliseconds).unwrap_or_default();
        let facets = Facets { created, id: event_id };
        derived.rows.insert((Index::EventsByDef, def, u8::from(self.message.claimed), ordinal), facets.encode());
        if let Some(due) = self.facts.expires.filter(|_| !self.message.claimed) {
            derived.timer(tenant, due, key, 0);
        }
        Ok(derived)
    }
}

impl Derives for WorkflowEventRecord {
    fn derive(&self, _: ObjKey, _: u32, numbers: &mut Numbers<'_>) -> Result<Derived, Fault> {
        let mut derived = Derived::default();
        let event_id = self.message.id.clone().unwrap_or_default();
        let def = event_id.workflow_event_def_id.as_ref().map(|def| def.name.as_str()).unwrap_or_default();
        let def = numbers(Word::Name, def)?;
        let created = self.message.created_at.as_ref().map(id::milliseconds).unwrap_or_default();
        let facets = Facets { created, id: event_id };
        derived.rows.insert((Index::WorkflowEventsByDef, def, 0, self.facts.ordinal), facets.encode());
        Ok(derived)
    }
}

impl Derives for CorrelatedEventRecord {
    fn derive(&self, key: ObjKey, tenant: u32, numbers: &mut Numbers<'_>) -> Result<Derived, Fault> {
        let mut derived = Derived::default();
        let event_id = self.message.id.clone().unwrap_or_default();
        let name = event_id.external_event_def_id.as_ref().map(|def| def.name.as_str()).unwrap_or_default();
        derived.ids.insert(key::id(tenant, IdKind::CorrelatedEvent, &format!("{name}/{}", event_id.key)), key.sub);
        let def = numbers(Word::Name, name)?;
        let created = self.message.created_at.as_ref().map(id::milliseconds).unwrap_or_default();
        let served = u8::from(!self.message.external_events.is_empty());
        let facets = Facets { created, id: event_id };
        derived.rows.insert((Index::CorrelatedByDef, def, served, key.sub), facets.encode());
        for (due, slot) in correlated::timers(&self.facts) {
            derived.timer(tenant, due, key, slot);
        }
        Ok(derived)
    }
}

/// Layout of the values of indexes; a new one gets a new number.
const LAYOUT: u8 = 1;

/// What an index of events knows of each: when it was made, and its id.
#[derive(Clone, Debug, PartialEq)]
pub struct Facets<I> {
    /// When it was made, in milliseconds since 1970.
    pub created: i64,
    /// Its id.
    pub id: I,
}

impl<I: Message + Default> Facets<I> {
    /// As a value of the index.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![LAYOUT];
        bytes.extend(self.created.to_be_bytes());
        bytes.extend(self.id.encode_to_vec());
        bytes
    }

    /// Back from a value of the index.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (created, id) = take_u64(bytes.strip_prefix(&[LAYOUT])?)?;
        Some(Self { created: created.cast_signed(), id: I::decode(id).ok()? })
    }
}
