//! The end of a WfRun's data: DeleteWfRun, and retention.
//!
//! The WfRun itself goes at once, and with it its id, its place in every search and its timers. What lies under it may
//! be much; a command takes a bounded number of objects away, and a [`DoomedRun`](Kind::DoomedRun) under the old ordinal
//! asks for a timer that goes on with the rest. Child WfRuns stay.

use std::ops::ControlFlow;

use crate::api::{littlehorse as lh, store::v1 as store};
use crate::engine::core::derive::{Derived, Derives, Numbers};
use crate::engine::core::key::{Kind, ObjKey};
use crate::engine::core::read;
use crate::engine::core::record::{DoomedRunRecord, UserTaskRunRecord, WfRunRecord};
use crate::engine::core::run::{Run, advance};
use crate::engine::core::{Fault, Order, Refusal, RunRef, Tx};
use lh::workflow_retention_policy::WfGcPolicy;

/// How many objects one command takes away.
const MOST: usize = 1000;

/// What lies under a WfRun: first what searches and timers lead to.
const KINDS: [Kind; 9] = [
    Kind::UserTaskRun,
    Kind::TaskRun,
    Kind::ExternalEvent,
    Kind::WorkflowEvent,
    Kind::NodeRun,
    Kind::Variable,
    Kind::NodeOutput,
    Kind::Checkpoint,
    Kind::InactiveThread,
];

/// DeleteWfRun: whatever its status. One that is not there is deleted already.
pub fn delete(tx: &mut Tx<'_>, request: lh::DeleteWfRunRequest) -> Result<(), Refusal> {
    match tx.read().run_ref(&request.id.unwrap_or_default())? {
        Some(run) => Ok(doom(tx, run)?),
        None => Ok(()),
    }
}

/// Deletes a WfRun, in this command or soon after it. Its id is free again at once.
pub fn doom(tx: &mut Tx<'_>, run: RunRef) -> Result<(), Fault> {
    let Some(record) = tx.read().wf_run(run)? else { return Ok(()) };
    tx.erase(read::wf_run_key(run))?;
    // Whoever waits for it must learn that it is gone.
    for waiting in advance::awaited_by(&record) {
        tx.wake(waiting);
    }
    clear(tx, run, tx.soon())
}

/// Takes away what is left under a WfRun that is gone, or as much as one command may.
fn clear(tx: &mut Tx<'_>, run: RunRef, due: i64) -> Result<(), Fault> {
    let mut left = MOST;
    for kind in KINDS {
        let mut found = Vec::new();
        // The last first: the events of a UserTaskRun go before it.
        tx.read().objects(run.0, kind, (0, 0), (u64::MAX, u32::MAX), Order::Descending, &mut |key, _| {
            if found.len() == left {
                return Ok(ControlFlow::Break(()));
            }
            found.push(key);
            Ok(ControlFlow::Continue(()))
        })?;
        left -= found.len();
        for key in found {
            if (key.kind, key.n) == (Kind::UserTaskRun, 0) {
                let task: Option<UserTaskRunRecord> = tx.read().object(key)?;
                tx.touch(task.and_then(|task| task.message.id).unwrap_or_default());
            }
            tx.erase(key)?;
        }
        if left == 0 {
            let facts = store::DoomedRunFacts { tenant: tx.tenant(), due };
            return tx.store(doomed_key(run), &DoomedRunRecord { message: (), facts });
        }
    }
    tx.erase(doomed_key(run))
}

/// Goes on with what an earlier command began.
pub fn go_on(tx: &mut Tx<'_>, owner: ObjKey) -> Result<(), Fault> {
    let Some(record): Option<DoomedRunRecord> = tx.read().object(owner)? else { return Ok(()) };
    let due = tx.soon().max(record.facts.due.saturating_add(1));
    clear(tx, RunRef(owner.scope), due)
}

/// Where the rest of a deleted WfRun is remembered.
pub(in crate::engine::core) fn doomed_key(run: RunRef) -> ObjKey {
    ObjKey::new(run.0, Kind::DoomedRun, 0, 0)
}

impl Derives for DoomedRunRecord {
    fn derive(&self, key: ObjKey, tenant: u32, _: &mut Numbers<'_>) -> Result<Derived, Fault> {
        let mut derived = Derived::default();
        derived.timer(tenant, self.facts.due, key, 0);
        Ok(derived)
    }
}

/// A WfRun that runs again is kept.
pub fn keep(record: &mut WfRunRecord) {
    record.facts.delete_at = None;
}

impl Run<'_, '_> {
    /// Settles when the WfRun, which has ended, is deleted.
    pub fn arm_retention(&mut self) -> Result<(), Fault> {
        let spec = self.record.message.wf_spec_id.clone().unwrap_or_default();
        let spec = self.spec(&spec)?;
        let spec = &spec.message;
        let policy = spec.retention_policy.as_ref().and_then(|policy| policy.wf_gc_policy.as_ref());
        self.record.facts.delete_at = policy.map(|WfGcPolicy::SecondsAfterWfTermination(seconds)| {
            self.tx.context().now.saturating_add(seconds.max(&0).saturating_mul(1000))
        });
        Ok(())
    }
}
