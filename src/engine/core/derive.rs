//! What follows from an object: index rows, external ids, counts and timers.
//!
//! Everything beside the objects is a function of them, and that function is here and nowhere else: the write side
//! ([`Tx::store`](crate::engine::core::Tx::store)) keeps the rows by it, the check holds a store to it, and a repair
//! rebuilds them from it. A timer is such a row too, so it lives and dies in the same commit as the state that asks
//! for it.

use std::collections::BTreeMap;

use prost::Message;

use crate::engine::core::definition::wf_spec::task_defs;
use crate::engine::core::index::{self, KeyRows, Rows};
use crate::engine::core::key::{self, Index, Kind, ObjKey, Word};
use crate::engine::core::record::{
    BulkJobRecord, DoomedRunRecord, InactiveThreadRecord, MetricWindowRecord, MigrationPlanRecord, PrincipalRecord,
    QuotaRecord, Record, StructDefRecord, TenantRecord, UserTaskDefRecord, UserTaskEventRecord, UserTaskRunRecord,
    WfRunRecord, WfSpecRecord,
};
use crate::engine::core::record::{CheckpointRecord, TaskDefRecord, TaskRunRecord, TaskWorkerGroupRecord};
use crate::engine::core::record::{
    CorrelatedEventRecord, ExternalEventDefRecord, ExternalEventRecord, ScheduledWfRunRecord, WorkflowEventDefRecord,
    WorkflowEventRecord,
};
use crate::engine::core::{Fault, timer, variable};

/// Finds the number of a text of the object's tenant, or makes it on the write side.
pub type Numbers<'a> = dyn FnMut(Word, &str) -> Result<u32, Fault> + 'a;

/// The rows that one object asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Derived {
    /// Rows of the fixed-width indexes; each is counted as well.
    pub rows: Rows,
    /// Rows of the indexes over byte keys.
    pub keys: KeyRows,
    /// Rows of external ids, with the ordinal that each leads to.
    pub ids: BTreeMap<Vec<u8>, u64>,
    /// What the object adds to counters that have no rows behind them.
    pub counts: BTreeMap<[u8; 6], u64>,
    /// Keys of the timers, see [`timer::key`].
    pub timers: BTreeMap<Vec<u8>, u32>,
}

impl Derived {
    /// Asks for a timer: at `due` (milliseconds since 1970) the object is told that this slot of it is due.
    pub fn timer(&mut self, tenant: u32, due: i64, owner: ObjKey, slot: u16) {
        self.timers.insert(timer::key(due, owner, slot).to_vec(), tenant);
    }

    /// Adds one to a counter without rows.
    pub fn count(&mut self, index: Index, attribute: u32, status: u8) {
        *self.counts.entry(key::count(index, attribute, status)).or_default() += 1;
    }
}

/// An object from which rows follow.
pub trait Derives {
    /// False when nothing ever follows from objects of this kind: they are written without a look at the old one.
    const DERIVES: bool = true;

    /// False when nothing follows from this one, whatever becomes of it.
    fn derives(&self) -> bool {
        Self::DERIVES
    }

    /// The rows of the object that lies under `key` and belongs to `tenant`.
    fn derive(&self, key: ObjKey, tenant: u32, numbers: &mut Numbers<'_>) -> Result<Derived, Fault>;
}

/// Says of kinds of objects that nothing follows from them.
macro_rules! derives_nothing {
    ($($record:ty),+ $(,)?) => {
        $(impl $crate::engine::core::derive::Derives for $record {
            const DERIVES: bool = false;

            fn derive(
                &self,
                _: $crate::engine::core::key::ObjKey,
                _: u32,
                _: &mut $crate::engine::core::derive::Numbers<'_>,
            ) -> Result<$crate::engine::core::derive::Derived, $crate::engine::core::Fault> {
                Ok($crate::engine::core::derive::Derived::default())
            }
        })+
    };
}
#[allow(unused_imports)] // for the files of the other kinds
pub(super) use derives_nothing;

use crate::engine::core::record::{NodeOutputRecord, NodeRunRecord, VariableRecord};
derives_nothing!(TenantRecord, NodeOutputRecord, UserTaskEventRecord);

impl Derives for UserTaskDefRecord {
    fn derive(&self, _: ObjKey, tenant: u32, _: &mut Numbers<'_>) -> Result<Derived, Fault> {
        let version = u64::from(self.message.version.unsigned_abs());
        Ok(listed(key::KeyIndex::UserTaskDefs, tenant, &self.message.name, version, self.facts.deleted.is_none()))
    }
}

impl Derives for WfSpecRecord {
    fn derive(&self, _: ObjKey, tenant: u32, _: &mut Numbers<'_>) -> Result<Derived, Fault> {
        let id = self.message.id.clone().unwrap_or_default();
        let version = key::pair(id.major_version.unsigned_abs(), id.revision.unsigned_abs());
        let mut derived = listed(key::KeyIndex::WfSpecs, tenant, &id.name, version, self.facts.deleted.is_none());
        if self.facts.deleted.is_none() {
            for task_def in task_defs(&self.message.thread_specs) {
                let text = format!("{task_def}/{}/", id.name);
                let row = key::key_index(key::KeyIndex::WfSpecsByTaskDef, tenant, text.as_bytes(), version);
                derived.keys.insert(row, Vec::new());
            }
        }
        Ok(derived)
    }
}

impl Derives for StructDefRecord {
    fn derive(&self, _: ObjKey, tenant: u32, _: &mut Numbers<'_>) -> Result<Derived, Fault> {
        let id = self.message.id.clone().unwrap_or_default();
        let version = u64::from(id.version.unsigned_abs());
        Ok(listed(key::KeyIndex::StructDefs, tenant, &id.name, version, self.facts.deleted.is_none()))
    }
}

/// The row that lists a definition by name while it is not deleted: `name/`, then the version.
pub(super) fn listed(index: key::KeyIndex, tenant: u32, name: &str, version: u64, live: bool) -> Derived {
    let mut derived = Derived::default();
    if live {
        derived.keys.insert(key::key_index(index, tenant, format!("{name}/").as_bytes(), version), Vec::new());
    }
    derived
}

impl Derives for VariableRecord {
    fn derives(&self) -> bool {
        variable::is_searchable(&self.facts)
    }

    fn derive(&self, key: ObjKey, tenant: u32, numbers: &mut Numbers<'_>) -> Result<Derived, Fault> {
        variable::rows(key::RunRef(key.scope), tenant, self, numbers)
    }
}

impl Derives for WfRunRecord {
    fn derive(&self, key: ObjKey, tenant: u32, numbers: &mut Numbers<'_>) -> Result<Derived, Fault> {
        index::wf_run(key::RunRef(key.scope), tenant, self, numbers)
    }
}

impl Derives for UserTaskRunRecord {
    fn derive(&self, key: ObjKey, tenant: u32, numbers: &mut Numbers<'_>) -> Result<Derived, Fault> {
        index::user_task_run(key::RunRef(key.scope), key::Place::from_sub(key.sub), tenant, self, numbers)
    }
}

derives_nothing!(InactiveThreadRecord);

/// The rows of any object as it is stored, whatever its kind.
pub fn of(key: ObjKey, bytes: &[u8], tenant: u32, numbers: &mut Numbers<'_>) -> Result<Derived, Fault> {
    match key.kind {
        Kind::Tenant => of_record::<TenantRecord>(key, bytes, tenant, numbers),
        Kind::UserTaskDef => of_record::<UserTaskDefRecord>(key, bytes, tenant, numbers),
        Kind::WfSpec => of_record::<WfSpecRecord>(key, bytes, tenant, numbers),
        Kind::WfRun => of_record::<WfRunRecord>(key, bytes, tenant, numbers),
        Kind::NodeRun => of_record::<NodeRunRecord>(key, bytes, tenant, numbers),
        Kind::Variable => of_record::<VariableRecord>(key, bytes, tenant, numbers),
        Kind::UserTaskRun if key.n == 0 => of_record::<UserTaskRunRecord>(key, bytes, tenant, numbers),
        Kind::UserTaskRun => of_record::<UserTaskEventRecord>(key, bytes, tenant, numbers),
        Kind::NodeOutput => of_record::<NodeOutputRecord>(key, bytes, tenant, numbers),
        // --- Definitions and administration
        Kind::StructDef => of_record::<StructDefRecord>(key, bytes, tenant, numbers),
        Kind::MetricWindow => of_record::<MetricWindowRecord>(key, bytes, tenant, numbers),
        Kind::BulkJob => of_record::<BulkJobRecord>(key, bytes, tenant, numbers),
        Kind::MigrationPlan => of_record::<MigrationPlanRecord>(key, bytes, tenant, numbers),
        Kind::Quota => of_record::<QuotaRecord>(key, bytes, tenant, numbers),
        Kind::Principal => of_record::<PrincipalRecord>(key, bytes, tenant, numbers),
        // --- Tasks
        Kind::TaskDef => of_record::<TaskDefRecord>(key, bytes, tenant, numbers),
        Kind::TaskWorkerGroup => of_record::<TaskWorkerGroupRecord>(key, bytes, tenant, numbers),
        Kind::TaskRun => of_record::<TaskRunRecord>(key, bytes, tenant, numbers),
        Kind::Checkpoint => of_record::<CheckpointRecord>(key, bytes, tenant, numbers),
        // --- Events
        Kind::ExternalEventDef => of_record::<ExternalEventDefRecord>(key, bytes, tenant, numbers),
        Kind::WorkflowEventDef => of_record::<WorkflowEventDefRecord>(key, bytes, tenant, numbers),
        Kind::WorkflowEvent => of_record::<WorkflowEventRecord>(key, bytes, tenant, numbers),
        Kind::CorrelatedEvent => of_record::<CorrelatedEventRecord>(key, bytes, tenant, numbers),
        Kind::ScheduledWfRun => of_record::<ScheduledWfRunRecord>(key, bytes, tenant, numbers),
        Kind::ExternalEvent => of_record::<ExternalEventRecord>(key, bytes, tenant, numbers),
        // --- Runs
        Kind::InactiveThread => of_record::<InactiveThreadRecord>(key, bytes, tenant, numbers),
        Kind::DoomedRun => of_record::<DoomedRunRecord>(key, bytes, tenant, numbers),
    }
}

/// A record of one kind: decodes and derives.
trait Decodes: Derives + Sized {
    fn decoded(key: ObjKey, bytes: &[u8]) -> Result<Self, Fault>;
}

impl<M: Message + Default, F: Message + Default> Decodes for Record<M, F>
where
    Record<M, F>: Derives,
{
    fn decoded(key: ObjKey, bytes: &[u8]) -> Result<Self, Fault> {
        Record::decode(key, bytes)
    }
}

fn of_record<R: Decodes>(key: ObjKey, bytes: &[u8], tenant: u32, numbers: &mut Numbers<'_>) -> Result<Derived, Fault> {
    R::decoded(key, bytes)?.derive(key, tenant, numbers)
}
