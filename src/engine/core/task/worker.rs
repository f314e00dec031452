//! RegisterTaskWorker: the heartbeat of task workers, and who of them is alive.

use crate::api::{littlehorse as lh, store::v1 as store};
use crate::engine::core::derive::{Derived, Derives, Numbers};
use crate::engine::core::key::{Kind, ObjKey, Word};
use crate::engine::core::record::TaskWorkerGroupRecord;
use crate::engine::core::{Fault, Reader, Refusal, Tx, id};

/// A worker that was silent for so many milliseconds counts as gone.
const SILENCE: i64 = 90_000;
/// Workers of one TaskDef at most: each heartbeat writes them all.
const MOST: usize = 1000;

fn group_key(tenant: u32, task_def: u32) -> ObjKey {
    ObjKey::new(u64::from(tenant), Kind::TaskWorkerGroup, u64::from(task_def), 0)
}

impl Reader<'_> {
    /// The workers of a TaskDef, which need not exist.
    pub fn task_worker_group(&self, task_def: &str) -> Result<Option<TaskWorkerGroupRecord>, Fault> {
        match (self.tenant, self.number(Word::Name, task_def)?) {
            (Some(tenant), Some(name)) => self.object(group_key(tenant, name)),
            _ => Ok(None),
        }
    }
}

/// A group asks to be looked at when the first of its workers counts as gone.
impl Derives for TaskWorkerGroupRecord {
    fn derive(&self, key: ObjKey, tenant: u32, _: &mut Numbers<'_>) -> Result<Derived, Fault> {
        let mut derived = Derived::default();
        if let Some(first) = self.message.task_workers.values().map(gone_at).min() {
            derived.timer(tenant, first, key, 0);
        }
        Ok(derived)
    }
}

fn gone_at(worker: &lh::TaskWorkerMetadata) -> i64 {
    worker.latest_heartbeat.as_ref().map(id::milliseconds).unwrap_or_default().saturating_add(SILENCE)
}

/// RegisterTaskWorker: notes that the worker is alive, and tells it where to poll.
pub fn register(
    tx: &mut Tx<'_>,
    request: store::RegisterTaskWorker,
) -> Result<lh::RegisterTaskWorkerResponse, Refusal> {
    let now = tx.now();
    let mut record = tx.read().task_worker_group(&request.task_def_name)?.unwrap_or_default();
    let group = &mut record.message;
    if group.id.is_none() {
        let task_def_id = Some(lh::TaskDefId { name: request.task_def_name.clone() });
        group.id = Some(lh::TaskWorkerGroupId { task_def_id });
        group.created_at = Some(now);
    }
    group.task_workers.retain(|_, worker| gone_at(worker) > tx.context().now);
    if group.task_workers.len() >= MOST && !group.task_workers.contains_key(&request.task_worker_id) {
        let name = &request.task_def_name;
        return Err(Refusal::exhausted(format!("TaskDef {name} has {MOST} task workers already")));
    }
    let host = lh::LhHostInfo { host: request.host, port: request.port };
    let hosts: Vec<_> = Some(host).filter(|host| !host.host.is_empty()).into_iter().collect();
    let worker = lh::TaskWorkerMetadata {
        task_worker_id: request.task_worker_id.clone(),
        latest_heartbeat: Some(now),
        hosts: hosts.clone(),
    };
    group.task_workers.insert(request.task_worker_id, worker);
    let name = tx.intern(Word::Name, &request.task_def_name)?;
    tx.store(group_key(tx.tenant(), name), &record)?;
    Ok(lh::RegisterTaskWorkerResponse { your_hosts: hosts, is_cluster_healthy: None })
}

/// The timer of a group: drops who was silent for too long. A group of nobody is none.
pub fn drop_silent(tx: &mut Tx<'_>, key: ObjKey) -> Result<(), Fault> {
    let Some(mut record): Option<TaskWorkerGroupRecord> = tx.read().object(key)? else { return Ok(()) };
    record.message.task_workers.retain(|_, worker| gone_at(worker) > tx.context().now);
    if record.message.task_workers.is_empty() { tx.erase(key) } else { tx.store(key, &record) }
}

impl Tx<'_> {
    /// Forgets the workers of a TaskDef.
    pub fn remove_task_worker_group(&mut self, task_def: &str) -> Result<(), Fault> {
        let name = self.intern(Word::Name, task_def)?;
        self.erase(group_key(self.tenant(), name))
    }
}
