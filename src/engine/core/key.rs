//! Keys of the typed layer: what lies where in the tables of bytes.
//!
//! Numbers are big-endian, so byte order is number order. Objects of one WfRun lie together under its ordinal;
//! definitions lie under the number of their tenant. Ordinals start above every tenant number, so the two never meet.

use crate::engine::core::{Fault, Table};

/// What kind of object a row of [`Table::Obj`] holds. The numbers are on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Scope 0, sub = number of the tenant.
    Tenant = 1,
    /// Scope tenant, sub = name, n = version.
    UserTaskDef = 2,
    /// Scope tenant, sub = name << 32 | major version, n = revision.
    WfSpec = 3,
    /// Scope tenant, sub = name.
    TaskDef = 4,
    /// Scope tenant, sub = name.
    ExternalEventDef = 5,
    /// Scope tenant, sub = name.
    WorkflowEventDef = 6,
    /// Scope tenant, sub = name, n = version.
    StructDef = 7,
    /// Scope tenant, sub = own ordinal.
    ScheduledWfRun = 8,
    /// Scope 0, sub = number of its id under tenant 0.
    Principal = 9,
    /// Scope 0, sub = number of the tenant << 32 | number of the principal, 0 for the whole tenant.
    Quota = 10,
    /// Scope tenant, sub = own ordinal.
    BulkJob = 11,
    /// Scope tenant, sub = name.
    MigrationPlan = 12,
    /// Scope tenant, sub = own ordinal.
    CorrelatedEvent = 13,
    /// Scope tenant, sub = name of the TaskDef.
    TaskWorkerGroup = 14,
    /// Scope tenant, sub = what is measured, n = minutes since 1970.
    MetricWindow = 15,
    /// Scope run. Sorts before everything else of its run.
    WfRun = 16,
    /// Scope run, sub = thread << 32 | position.
    NodeRun = 17,
    /// Scope run, sub = thread << 32 | name.
    Variable = 18,
    /// Scope run, sub = thread << 32 | position; n = 0 is the UserTaskRun, n = i + 1 its event number i.
    UserTaskRun = 19,
    /// Scope run, sub = thread << 32 | name of the node: its newest output.
    NodeOutput = 20,
    /// Scope run, sub = thread << 32 | position of the node, or for a reminder of a user task its own ordinal with the
    /// highest bit set.
    TaskRun = 21,
    /// Scope run, sub = that of its TaskRun, n = number.
    Checkpoint = 22,
    /// Scope run, or the tenant while the run is yet to come; sub = own ordinal.
    ExternalEvent = 23,
    /// Scope run, sub = name of the definition, n = number.
    WorkflowEvent = 24,
    /// Scope run, sub = thread number.
    InactiveThread = 25,
    /// Scope run: what is left of a deleted run goes away piece by piece.
    DoomedRun = 26,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 26] = [
        Kind::Tenant,
        Kind::UserTaskDef,
        Kind::WfSpec,
        Kind::TaskDef,
        Kind::ExternalEventDef,
        Kind::WorkflowEventDef,
        Kind::StructDef,
        Kind::ScheduledWfRun,
        Kind::Principal,
        Kind::Quota,
        Kind::BulkJob,
        Kind::MigrationPlan,
        Kind::CorrelatedEvent,
        Kind::TaskWorkerGroup,
        Kind::MetricWindow,
        Kind::WfRun,
        Kind::NodeRun,
        Kind::Variable,
        Kind::UserTaskRun,
        Kind::NodeOutput,
        Kind::TaskRun,
        Kind::Checkpoint,
        Kind::ExternalEvent,
        Kind::WorkflowEvent,
        Kind::InactiveThread,
        Kind::DoomedRun,
    ];

    /// The kind with this number on disk.
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// The kinds of interned text. The numbers are on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Word {
    /// A tenant; these lie under tenant number 0.
    Tenant = 0,
    /// Names of definitions, variables and nodes.
    Name = 1,
    /// User ids.
    User = 2,
    /// User groups.
    Group = 3,
    /// One version of a WfSpec: `name/major/revision`.
    WfSpecVersion = 4,
    /// Ids of principals; these lie under tenant number 0.
    Principal = 50,
}

/// The kinds of external ids in [`Table::Ids`]. The numbers are on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum IdKind {
    /// WfRunId in its text form.
    WfRun = 16,
    /// A reminder of a user task: the WfRunId in its text form, `/`, the guid.
    Reminder = 20,
    /// Ordinal of the WfRun as 16 hex digits, `/`, the definition, `/`, the guid.
    ExternalEvent = 30,
    /// WfRunId of a run that is yet to come, `/`, the definition, `/`, the guid.
    EarlyEvent = 31,
    /// The definition, `/`, the key.
    CorrelatedEvent = 32,
    /// Id of a schedule.
    ScheduledWfRun = 33,
    /// Ids of BulkJobs.
    BulkJob = 50,
}

/// Fixed-width indexes over attribute x status. The numbers are on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Index {
    /// UserTaskRuns of a tenant.
    TasksAll = 0,
    /// UserTaskRuns of a UserTaskDef name.
    TasksByDef = 1,
    /// UserTaskRuns of a user.
    TasksByUser = 2,
    /// UserTaskRuns of a group.
    TasksByGroup = 3,
    /// WfRuns of a WfSpec name.
    RunsBySpec = 16,
    /// WfRuns of one version of a WfSpec.
    RunsByVersion = 17,
    /// TaskRuns of a TaskDef name.
    TaskRunsByDef = 20,
    /// NodeRuns of one version of a WfSpec; only counted.
    NodesByVersion = 21,
    /// ExternalEvents of a definition; the status is whether they are claimed.
    EventsByDef = 30,
    /// WorkflowEvents of a definition.
    WorkflowEventsByDef = 31,
    /// CorrelatedEvents of a definition; the status is whether they served a node.
    CorrelatedByDef = 32,
    /// ScheduledWfRuns of a WfSpec name.
    SchedulesBySpec = 33,
    /// WfRuns under one without a parent: a counter without rows.
    RunsByTree = 40,
    /// Principals with all rights: a counter without rows.
    Administrators = 50,
}

/// Indexes over byte keys. The numbers are on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum KeyIndex {
    /// Live UserTaskDef versions: `name/`, then the version in the place of the ordinal.
    UserTaskDefs = 2,
    /// Live WfSpec versions: `name/`, then major << 32 | revision in the place of the ordinal.
    WfSpecs = 3,
    /// Live StructDef versions: `name/`, then the version in the place of the ordinal.
    StructDefs = 60,
    /// Variables by value: WfSpec name, variable, value, ordinal of the WfRun, then the thread.
    Variables = 61,
    /// WfRuns by parent: the parent's ordinal, then their own.
    RunsByParent = 16,
    /// TaskDefs: `name/`, then 0 in the place of the ordinal.
    TaskDefs = 20,
    /// Live WfSpec versions by a TaskDef that they use: its name, `/`, then as in `WfSpecs`.
    WfSpecsByTaskDef = 22,
    /// NodeRuns of EXTERNAL_EVENT nodes: number of the ExternalEventDef, status, run, then thread << 32 | position in the
    /// place of the ordinal.
    NodesByEvent = 23,
    /// TaskRuns that wait for a worker: TaskDef name, the command that put them there, run, then what they are in it in
    /// the place of the ordinal.
    TaskQueue = 21,
    /// ExternalEventDefs: `name/`, then 0.
    ExternalEventDefs = 30,
    /// WorkflowEventDefs: `name/`, then 0.
    WorkflowEventDefs = 31,
    /// ExternalEvents that no node and no interrupt has claimed: ordinal of the run, name of the definition, own
    /// ordinal.
    UnclaimedEvents = 32,
    /// ExternalEvents whose run is yet to come: its id, `/`, own ordinal.
    EarlyEvents = 33,
    /// EXTERNAL_EVENT nodes that wait under a key: name of the definition, length of the key, the key, ordinal of the
    /// run, then where they are in it in the place of the ordinal.
    WaitingNodes = 34,
    /// Principals of the whole store: `id/`. When each was made (8 bytes) and whether it is an administrator.
    Principals = 50,
    /// Principals with rights of their own in a tenant: `id/`, with the same value.
    PrincipalsByTenant = 51,
    /// Quotas, under the number of their tenant: id of the principal (empty for the whole tenant), `/`.
    Quotas = 52,
    /// Windows of metrics: their minute (4 bytes), then what they measure in the place of the ordinal.
    MetricWindows = 53,
    /// BulkJobs: their ordinal alone. Their status (1 byte) and id.
    BulkJobs = 54,
    /// Migration plans: `name/`, then 0.
    MigrationPlans = 55,
}

/// The ordinal of a WfRun: the scope of everything in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunRef(pub u64);

/// Where a NodeRun or UserTaskRun is inside its WfRun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Thread run number.
    pub thread: u32,
    /// Position of the NodeRun in its thread.
    pub position: u32,
}

impl Place {
    /// The place named by the numbers of an id; none when one is negative.
    pub fn new(thread: i32, position: i32) -> Option<Self> {
        Some(Self { thread: u32::try_from(thread).ok()?, position: u32::try_from(position).ok()? })
    }

    /// As the `sub` of an object key.
    pub fn sub(self) -> u64 {
        pair(self.thread, self.position)
    }

    /// Back from the `sub` of an object key.
    pub fn from_sub(sub: u64) -> Self {
        let (thread, position) = unpair(sub);
        Self { thread, position }
    }

    /// The guid of the TaskRun or UserTaskRun that lives here.
    pub fn guid(self) -> String {
        format!("{}-{}", self.thread, self.position)
    }

    /// Back from a guid; none for every other text (also for one with signs or leading zeros).
    pub fn from_guid(guid: &str) -> Option<Self> {
        let (thread, position) = guid.split_once('-')?;
        let place = Self { thread: thread.parse().ok()?, position: position.parse().ok()? };
        (place.guid() == guid).then_some(place)
    }
}

/// Two numbers as one, ordered by the first.
pub fn pair(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

/// Back from [`pair`].
pub fn unpair(both: u64) -> (u32, u32) {
    #[allow(clippy::cast_possible_truncation)] // taking halves apart is the point
    ((both >> 32) as u32, both as u32)
}

/// Key of a row of [`Table::Obj`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjKey {
    /// Ordinal of the WfRun, number of the tenant, or 0.
    pub scope: u64,
    /// What it is.
    pub kind: Kind,
    /// Which one.
    pub sub: u64,
    /// Which part or version of it.
    pub n: u32,
}

/// Whether a row of [`Table::Obj`] is an object of a tenant or of the whole store (a definition, a quota, a window of
/// metrics), not of a run: their scopes are below every ordinal.
pub fn is_of_tenant(key: &[u8]) -> bool {
    key.starts_with(&[0; 4])
}

impl ObjKey {
    /// A key from its parts.
    pub fn new(scope: u64, kind: Kind, sub: u64, n: u32) -> Self {
        Self { scope, kind, sub, n }
    }

    /// As stored.
    pub fn bytes(self) -> [u8; 21] {
        let mut bytes = [0; 21];
        bytes[..8].copy_from_slice(&self.scope.to_be_bytes());
        bytes[8] = self.kind as u8;
        bytes[9..17].copy_from_slice(&self.sub.to_be_bytes());
        bytes[17..].copy_from_slice(&self.n.to_be_bytes());
        bytes
    }

    /// Back from the stored form.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (scope, rest) = take_u64(bytes)?;
        let (kind, rest) = rest.split_first()?;
        let (sub, rest) = take_u64(rest)?;
        let (n, rest) = take_u32(rest)?;
        rest.is_empty().then_some(())?;
        Some(Self { scope, kind: Kind::from_byte(*kind)?, sub, n })
    }
}

/// Key of a row of [`Table::Idx`].
pub fn idx(index: Index, attribute: u32, status: u8, ordinal: u64) -> [u8; 14] {
    let mut bytes = [0; 14];
    bytes[..6].copy_from_slice(&count(index, attribute, status));
    bytes[6..].copy_from_slice(&ordinal.to_be_bytes());
    bytes
}

/// Key of a row of [`Table::Count`].
pub fn count(index: Index, attribute: u32, status: u8) -> [u8; 6] {
    let mut bytes = [0; 6];
    bytes[0] = index as u8;
    bytes[1..5].copy_from_slice(&attribute.to_be_bytes());
    bytes[5] = status;
    bytes
}

/// The start of the keys of one [`KeyIndex`] of one tenant.
pub fn key_index_prefix(index: KeyIndex, tenant: u32) -> Vec<u8> {
    let mut bytes = vec![index as u8];
    bytes.extend(tenant.to_be_bytes());
    bytes
}

/// Key of a row of [`Table::KeyIdx`].
pub fn key_index(index: KeyIndex, tenant: u32, text: &[u8], ordinal: u64) -> Vec<u8> {
    let mut bytes = key_index_prefix(index, tenant);
    bytes.extend(text);
    bytes.extend(ordinal.to_be_bytes());
    bytes
}

/// Key of a row of [`Table::Dict`].
pub fn dict(tenant: u32, word: Word, text: &str) -> Vec<u8> {
    named(tenant, word as u8, text)
}

/// Key of a row of [`Table::DictRev`].
pub fn dict_rev(tenant: u32, word: Word, number: u32) -> [u8; 9] {
    let mut bytes = [0; 9];
    bytes[..4].copy_from_slice(&tenant.to_be_bytes());
    bytes[4] = word as u8;
    bytes[5..].copy_from_slice(&number.to_be_bytes());
    bytes
}

/// Key of a row of [`Table::Ids`].
pub fn id(tenant: u32, kind: IdKind, text: &str) -> Vec<u8> {
    named(tenant, kind as u8, text)
}

fn named(tenant: u32, kind: u8, text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(5 + text.len());
    bytes.extend(tenant.to_be_bytes());
    bytes.push(kind);
    bytes.extend(text.as_bytes());
    bytes
}

/// The smallest key greater than every key that starts with `prefix`; none when there is no such key.
pub fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = prefix.to_vec();
    while let Some(last) = bytes.pop() {
        if let Some(next) = last.checked_add(1) {
            bytes.push(next);
            return Some(bytes);
        }
    }
    None
}

/// Splits a number off the front.
pub fn take_u64(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u64::from_be_bytes(*number), rest))
}

/// Splits a number off the front.
pub fn take_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u32::from_be_bytes(*number), rest))
}

/// Reads a stored number that must be exactly eight bytes.
pub fn read_u64(bytes: &[u8], table: Table) -> Result<u64, Fault> {
    match <[u8; 8]>::try_from(bytes) {
        Ok(bytes) => Ok(u64::from_be_bytes(bytes)),
        Err(_) => Err(damaged(format!("{table:?} row"), "not a number")),
    }
}

/// Reads a stored number that must be exactly four bytes.
pub fn read_u32(bytes: &[u8], table: Table) -> Result<u32, Fault> {
    match <[u8; 4]>::try_from(bytes) {
        Ok(bytes) => Ok(u32::from_be_bytes(bytes)),
        Err(_) => Err(damaged(format!("{table:?} row"), "not a number")),
    }
}

/// A fault for something stored that should not look like that.
pub fn damaged(object: impl Into<String>, detail: impl Into<String>) -> Fault {
    Fault::Damaged { object: object.into(), detail: detail.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_the_plain_form_is_a_guid() {
        assert_eq!(Place::from_guid("0-1"), Some(Place { thread: 0, position: 1 }));
        for text in ["", "-", "0", "0-", "-1", "00-1", "0-01", "+0-1", "0-1-2", "0-4294967296", "a-b", " 0-1"] {
            assert_eq!(Place::from_guid(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn object_keys_come_back_and_sort_like_their_parts(
            a: (u64, u64, u32), b: (u64, u64, u32), ka in 0..Kind::ALL.len(), kb in 0..Kind::ALL.len(),
        ) {
            let a = ObjKey::new(a.0, Kind::ALL[ka], a.1, a.2);
            let b = ObjKey::new(b.0, Kind::ALL[kb], b.1, b.2);
            prop_assert_eq!(ObjKey::parse(&a.bytes()), Some(a));
            prop_assert_eq!(a.bytes().cmp(&b.bytes()), a.cmp(&b));
        }

        #[test]
        fn a_prefix_ends_where_its_keys_end(prefix: Vec<u8>, rest: Vec<u8>) {
            let mut key = prefix.clone();
            key.extend(rest);
            prop_assert!(after_prefix(&prefix).is_none_or(|end| key < end));
        }
    }
}
