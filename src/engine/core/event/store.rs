//! Where events and their definitions lie.

use std::ops::ControlFlow;

use crate::api::littlehorse as lh;
use crate::engine::core::event::external;
use crate::engine::core::key::{self, IdKind, KeyIndex, Kind, ObjKey, RunRef, Word, after_prefix, damaged, take_u64};
use crate::engine::core::record::{
    CorrelatedEventRecord, ExternalEventDefRecord, ExternalEventRecord, WorkflowEventDefRecord,
};
use crate::engine::core::{Fault, Order, Place, Reader, Table, Tx};

impl Reader<'_> {
    /// The ExternalEventDef of this name.
    pub fn external_event_def(&self, name: &str) -> Result<Option<ExternalEventDefRecord>, Fault> {
        match self.named(Kind::ExternalEventDef, name)? {
            Some(key) => self.object(key),
            None => Ok(None),
        }
    }

    /// The WorkflowEventDef of this name.
    pub fn workflow_event_def(&self, name: &str) -> Result<Option<WorkflowEventDefRecord>, Fault> {
        match self.named(Kind::WorkflowEventDef, name)? {
            Some(key) => self.object(key),
            None => Ok(None),
        }
    }

    /// Where a definition without versions would lie.
    fn named(&self, kind: Kind, name: &str) -> Result<Option<ObjKey>, Fault> {
        let (Some(tenant), Some(name)) = (self.tenant, self.number(Word::Name, name)?) else { return Ok(None) };
        Ok(Some(ObjKey::new(tenant.into(), kind, name.into(), 0)))
    }

    /// Where an ExternalEvent lies: under its WfRun, or under the tenant when there is none yet.
    pub fn external_event_key(&self, run: Option<RunRef>, ordinal: u64) -> ObjKey {
        let scope = run.map_or_else(|| self.tenant.unwrap_or_default().into(), |run| run.0);
        ObjKey::new(scope, Kind::ExternalEvent, ordinal, 0)
    }

    /// An ExternalEvent by its id, and where it lies.
    pub fn external_event_by_id(
        &self,
        id: &lh::ExternalEventId,
    ) -> Result<Option<(ObjKey, ExternalEventRecord)>, Fault> {
        let Some(tenant) = self.tenant else { return Ok(None) };
        let run_id = id.wf_run_id.clone().unwrap_or_default();
        let run = self.run_ref(&run_id)?;
        let (kind, scope) = match run {
            Some(run) => (IdKind::ExternalEvent, format!("{:016x}", run.0)),
            None => (IdKind::EarlyEvent, external::future_run(&run_id)),
        };
        let row = key::id(tenant, kind, &external::id_text(&scope, id));
        let Some(bytes) = self.state.get(Table::Ids, &row)? else { return Ok(None) };
        let key = self.external_event_key(run, key::read_u64(&bytes, Table::Ids)?);
        match self.object(key)? {
            Some(record) => Ok(Some((key, record))),
            None => Err(damaged("Ids row", "leads to an ExternalEvent that is not there")),
        }
    }

    /// The events that came for a WfRun before it, in order.
    pub fn early_events(&self, id: &lh::WfRunId) -> Result<Vec<ObjKey>, Fault> {
        let waiting = format!("{}/", external::future_run(id));
        let mut found = Vec::new();
        self.key_rows(KeyIndex::EarlyEvents, waiting.as_bytes(), &mut |ordinal| {
            found.push(self.external_event_key(None, ordinal));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// The earliest event of a definition in a WfRun that a visit of a node may claim.
    pub fn first_unclaimed(
        &self,
        run: RunRef,
        def: u32,
        place: Place,
    ) -> Result<Option<(ObjKey, ExternalEventRecord)>, Fault> {
        let of_run = [&run.0.to_be_bytes()[..], &def.to_be_bytes()].concat();
        let mut found = None;
        self.key_rows(KeyIndex::UnclaimedEvents, &of_run, &mut |ordinal| {
            let key = self.external_event_key(Some(run), ordinal);
            let record: Option<ExternalEventRecord> = self.object(key)?;
            let record = record.ok_or_else(|| damaged("KeyIdx row", "leads to an ExternalEvent that is not there"))?;
            let is_for = |wanted: Option<i32>, number: u32| wanted.is_none_or(|wanted| wanted == number.cast_signed());
            let event = &record.message;
            if !is_for(event.thread_run_number, place.thread) || !is_for(event.node_run_position, place.position) {
                return Ok(ControlFlow::Continue(()));
            }
            found = Some((key, record));
            Ok(ControlFlow::Break(()))
        })?;
        Ok(found)
    }

    /// A CorrelatedEvent by its key, and where it lies.
    pub fn correlated_event(&self, def: &str, key: &str) -> Result<Option<(ObjKey, CorrelatedEventRecord)>, Fault> {
        let Some(tenant) = self.tenant else { return Ok(None) };
        let row = key::id(tenant, IdKind::CorrelatedEvent, &format!("{def}/{key}"));
        let Some(bytes) = self.state.get(Table::Ids, &row)? else { return Ok(None) };
        let key = ObjKey::new(tenant.into(), Kind::CorrelatedEvent, key::read_u64(&bytes, Table::Ids)?, 0);
        match self.object(key)? {
            Some(record) => Ok(Some((key, record))),
            None => Err(damaged("Ids row", "leads to a CorrelatedEvent that is not there")),
        }
    }

    /// The ordinals at the ends of the rows of an index over byte keys that begin with `text`, until `visit` breaks.
    fn key_rows(
        &self,
        index: KeyIndex,
        text: &[u8],
        visit: &mut dyn FnMut(u64) -> Result<ControlFlow<()>, Fault>,
    ) -> Result<(), Fault> {
        self.key_row_ends(index, text, &mut |end| match take_u64(end) {
            Some((ordinal, [])) => visit(ordinal),
            _ => Err(damaged("KeyIdx row", "its key has an unknown form")),
        })
    }

    /// As [`key_rows`](Self::key_rows), of an index with another number before the ordinal.
    pub(super) fn key_rows_of_two(
        &self,
        index: KeyIndex,
        text: &[u8],
        visit: &mut dyn FnMut(u64, u64) -> Result<ControlFlow<()>, Fault>,
    ) -> Result<(), Fault> {
        self.key_row_ends(index, text, &mut |end| {
            let both = take_u64(end).and_then(|(first, rest)| Some((first, take_u64(rest)?)));
            match both {
                Some((first, (ordinal, []))) => visit(first, ordinal),
                _ => Err(damaged("KeyIdx row", "its key has an unknown form")),
            }
        })
    }

    #[allow(clippy::type_complexity)] // a name for it would not say more
    fn key_row_ends(
        &self,
        index: KeyIndex,
        text: &[u8],
        visit: &mut dyn FnMut(&[u8]) -> Result<ControlFlow<()>, Fault>,
    ) -> Result<(), Fault> {
        let Some(tenant) = self.tenant else { return Ok(()) };
        let mut prefix = key::key_index_prefix(index, tenant);
        prefix.extend(text);
        let mut outcome = Ok(());
        self.state.scan(
            Table::KeyIdx,
            &prefix,
            after_prefix(&prefix).as_deref(),
            Order::Ascending,
            &mut |key, _| match visit(key.strip_prefix(prefix.as_slice()).unwrap_or_default()) {
                Ok(flow) => flow,
                Err(fault) => {
                    outcome = Err(fault);
                    ControlFlow::Break(())
                }
            },
        )?;
        outcome
    }
}

impl Tx<'_> {
    /// Stores an ExternalEventDef.
    pub fn put_external_event_def(&mut self, record: &ExternalEventDefRecord) -> Result<(), Fault> {
        let name = record.message.id.as_ref().map(|id| id.name.clone()).unwrap_or_default();
        let key = self.named(Kind::ExternalEventDef, &name)?;
        self.store(key, record)
    }

    /// Removes an ExternalEventDef; false when there is none.
    pub fn erase_external_event_def(&mut self, name: &str) -> Result<bool, Fault> {
        let there = self.read().external_event_def(name)?.is_some();
        if there {
            let key = self.named(Kind::ExternalEventDef, name)?;
            self.erase(key)?;
        }
        Ok(there)
    }

    /// Stores a WorkflowEventDef.
    pub fn put_workflow_event_def(&mut self, record: &WorkflowEventDefRecord) -> Result<(), Fault> {
        let name = record.message.id.as_ref().map(|id| id.name.clone()).unwrap_or_default();
        let key = self.named(Kind::WorkflowEventDef, &name)?;
        self.store(key, record)
    }

    /// Removes a WorkflowEventDef; false when there is none.
    pub fn erase_workflow_event_def(&mut self, name: &str) -> Result<bool, Fault> {
        let there = self.read().workflow_event_def(name)?.is_some();
        if there {
            let key = self.named(Kind::WorkflowEventDef, name)?;
            self.erase(key)?;
        }
        Ok(there)
    }

    fn named(&mut self, kind: Kind, name: &str) -> Result<ObjKey, Fault> {
        let name = self.intern(Word::Name, name)?;
        Ok(ObjKey::new(self.read().tenant.unwrap_or_default().into(), kind, name.into(), 0))
    }
}
