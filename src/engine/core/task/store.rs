//! Where TaskDefs and TaskRuns lie, and the rows that follow from them.

use std::ops::ControlFlow;

use crate::api::littlehorse as lh;
use crate::engine::core::derive::{Derived, Derives, Numbers, listed};
use crate::engine::core::index::status_byte;
use crate::engine::core::key::{
    self, IdKind, Index, KeyIndex, Kind, ObjKey, Place, RunRef, Word, after_prefix, damaged, take_u32, take_u64,
};
use crate::engine::core::record::{TaskDefRecord, TaskRunRecord};
use crate::engine::core::{Fault, Order, Reader, Table, Tx, id};
use lh::task_run_source::TaskRunSource;

/// The bit that tells a reminder from the TaskRun of a node: places never have it.
const REMINDER: u64 = 1 << 63;
/// Layout of the values of the index; a new one gets a new number.
const LAYOUT: u8 = 1;

/// Where a TaskRun lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TaskRef {
    /// Its WfRun.
    pub run: RunRef,
    /// Which one of it.
    pub sub: u64,
}

impl TaskRef {
    /// The TaskRun of a node.
    pub fn of_node(run: RunRef, place: Place) -> Self {
        Self { run, sub: place.sub() }
    }

    /// A reminder with this ordinal.
    pub fn of_reminder(run: RunRef, ordinal: u64) -> Self {
        Self { run, sub: ordinal | REMINDER }
    }

    /// The key of the TaskRun.
    pub fn key(self) -> ObjKey {
        ObjKey::new(self.run.0, Kind::TaskRun, self.sub, 0)
    }

    /// Back from the key.
    pub fn from_key(key: ObjKey) -> Self {
        Self { run: RunRef(key.scope), sub: key.sub }
    }

    fn is_reminder(self) -> bool {
        self.sub & REMINDER != 0
    }
}

/// The guid of a TaskRun, which follows from what made it.
pub(super) fn guid(source: &TaskRunSource) -> String {
    let place = |id: &Option<lh::NodeRunId>| {
        id.as_ref().map(|id| format!("{}-{}", id.thread_run_number, id.position)).unwrap_or_default()
    };
    match source {
        TaskRunSource::TaskNode(node) => place(&node.node_run_id),
        TaskRunSource::UserTaskTrigger(trigger) => {
            format!("ut-{}-{}", place(&trigger.node_run_id), trigger.user_task_event_number)
        }
    }
}

/// The key of a TaskDef.
fn task_def_key(tenant: u32, name: u32) -> ObjKey {
    ObjKey::new(u64::from(tenant), Kind::TaskDef, u64::from(name), 0)
}

/// The text form of the id of a TaskRun.
fn text(id: &lh::TaskRunId) -> String {
    format!("{}/{}", id.wf_run_id.as_ref().map(id::wf_run_text).unwrap_or_default(), id.task_guid)
}

impl Reader<'_> {
    /// A TaskDef.
    pub fn task_def(&self, name: &str) -> Result<Option<TaskDefRecord>, Fault> {
        match (self.tenant, self.number(Word::Name, name)?) {
            (Some(tenant), Some(name)) => self.object(task_def_key(tenant, name)),
            _ => Ok(None),
        }
    }

    /// Where a TaskRun lies, if it is there.
    pub fn task_run_ref(&self, id: &lh::TaskRunId) -> Result<Option<TaskRef>, Fault> {
        let Some(run) = self.run_ref(&id.wf_run_id.clone().unwrap_or_default())? else { return Ok(None) };
        if let Some(place) = Place::from_guid(&id.task_guid) {
            return Ok(Some(TaskRef::of_node(run, place)));
        }
        let tenant = self.tenant.unwrap_or_default();
        match self.state.get(Table::Ids, &key::id(tenant, IdKind::Reminder, &text(id)))? {
            Some(bytes) => Ok(Some(TaskRef { run, sub: key::read_u64(&bytes, Table::Ids)? })),
            None => Ok(None),
        }
    }

    /// A TaskRun, unmasked.
    pub fn task_run(&self, task: TaskRef) -> Result<Option<TaskRunRecord>, Fault> {
        self.object(task.key())
    }

    /// A TaskRun by its id, unmasked, and where it lies.
    pub fn task_run_by_id(&self, id: &lh::TaskRunId) -> Result<Option<(TaskRef, TaskRunRecord)>, Fault> {
        let Some(task) = self.task_run_ref(id)? else { return Ok(None) };
        Ok(self.task_run(task)?.map(|record| (task, record)))
    }

    /// The first tasks of the queue of a TaskDef, at most `limit`.
    pub fn queue(&self, task_def: &str, limit: usize) -> Result<Vec<TaskRef>, Fault> {
        let mut found = Vec::new();
        let (Some(tenant), Some(name)) = (self.tenant, self.number(Word::Name, task_def)?) else { return Ok(found) };
        let mut prefix = key::key_index_prefix(KeyIndex::TaskQueue, tenant);
        prefix.extend(name.to_be_bytes());
        let (end, mut outcome) = (after_prefix(&prefix), Ok(()));
        self.state.scan(Table::KeyIdx, &prefix, end.as_deref(), Order::Ascending, &mut |key, _| {
            let rest =
                key.get(prefix.len()..).and_then(|rest| take_u64(rest)).and_then(|(_queued, rest)| take_u64(rest));
            match rest.and_then(|(run, rest)| Some((run, take_u64(rest)?.0))) {
                Some((run, sub)) => found.push(TaskRef { run: RunRef(run), sub }),
                None => outcome = Err(damaged("KeyIdx row", "not a place in a queue")),
            }
            if found.len() < limit && outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        outcome.map(|()| found)
    }
}

impl Tx<'_> {
    /// Stores a TaskDef.
    pub fn put_task_def(&mut self, record: &TaskDefRecord) -> Result<(), Fault> {
        let name = record.message.id.clone().unwrap_or_default().name;
        let name = self.intern(Word::Name, &name)?;
        self.store(task_def_key(self.tenant(), name), record)
    }

    /// Removes a TaskDef.
    pub fn remove_task_def(&mut self, name: &str) -> Result<(), Fault> {
        let name = self.intern(Word::Name, name)?;
        self.erase(task_def_key(self.tenant(), name))
    }

    /// Stores a TaskRun.
    pub fn put_task_run(&mut self, task: TaskRef, record: &TaskRunRecord) -> Result<(), Fault> {
        self.store(task.key(), record)
    }
}

impl Derives for TaskDefRecord {
    fn derive(&self, _: ObjKey, tenant: u32, _: &mut Numbers<'_>) -> Result<Derived, Fault> {
        let name = self.message.id.as_ref().map(|id| id.name.as_str()).unwrap_or_default();
        Ok(listed(KeyIndex::TaskDefs, tenant, name, 0, self.facts.deleted.is_none()))
    }
}

impl Derives for TaskRunRecord {
    fn derive(&self, key: ObjKey, tenant: u32, numbers: &mut Numbers<'_>) -> Result<Derived, Fault> {
        let (task, message, facts) = (TaskRef::from_key(key), &self.message, &self.facts);
        let id = message.id.clone().unwrap_or_default();
        let def = message.task_def_id.as_ref().map(|id| id.name.as_str()).unwrap_or_default();
        let def = numbers(Word::Name, def)?;
        let facet = TaskFacet {
            scheduled: message.scheduled_at.as_ref().map(id::milliseconds).unwrap_or_default(),
            guid: id.task_guid.clone(),
            run_text: id.wf_run_id.as_ref().map(id::wf_run_text).unwrap_or_default(),
        };
        let mut derived = Derived::default();
        let row = (Index::TaskRunsByDef, def, status_byte(message.status), facts.ordinal);
        derived.rows.insert(row, facet.encode());
        if message.status() == lh::TaskStatus::TaskScheduled {
            let place = [&def.to_be_bytes()[..], &facts.queued.to_be_bytes(), &task.run.0.to_be_bytes()].concat();
            derived.keys.insert(key::key_index(KeyIndex::TaskQueue, tenant, &place, task.sub), Vec::new());
        }
        if task.is_reminder() {
            derived.ids.insert(key::id(tenant, IdKind::Reminder, &text(&id)), task.sub);
        }
        if let Some(due) = facts.due {
            derived.timer(tenant, due, key, 0);
        }
        Ok(derived)
    }
}

/// What the index knows of a TaskRun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskFacet {
    /// When it was created, in milliseconds since 1970.
    pub scheduled: i64,
    /// Its guid.
    pub guid: String,
    /// Text form of the id of the WfRun.
    pub run_text: String,
}

impl TaskFacet {
    /// As a value of the index.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![LAYOUT];
        bytes.extend(self.scheduled.to_be_bytes());
        bytes.extend(u32::try_from(self.guid.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend(self.guid.as_bytes());
        bytes.extend(self.run_text.as_bytes());
        bytes
    }

    /// Back from a value of the index.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (scheduled, rest) = take_u64(bytes.strip_prefix(&[LAYOUT])?)?;
        let (length, rest) = take_u32(rest)?;
        let (guid, run_text) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(str::to_owned);
        Some(Self { scheduled: scheduled.cast_signed(), guid: text(guid)?, run_text: text(run_text)? })
    }

    /// The public id.
    pub fn id(&self) -> lh::TaskRunId {
        lh::TaskRunId { wf_run_id: Some(id::wf_run_id(&self.run_text)), task_guid: self.guid.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn facets_come_back(scheduled: i64, guid: String, run_text: String, cut in 0usize..60) {
            let facet = TaskFacet { scheduled, guid, run_text };
            let bytes = facet.encode();
            let _ = TaskFacet::decode(&bytes[..cut.min(bytes.len())]);
            prop_assert_eq!(TaskFacet::decode(&bytes), Some(facet));
        }
    }
}
