//! Threads that their WfRun does not list: those that wait to begin, and those that have left it.
//!
//! A WfRun is written with every step, so it stays small: at most [`MAX_ACTIVE`] threads run at a time, others queue in
//! the order in which they were started, and those that are done leave. Handlers of interrupts and failures never queue:
//! somebody stands still for them. Only threads that are COMPLETED leave, so that nobody has to look at them again.

use std::collections::BTreeMap;

use crate::api::{littlehorse as lh, store::v1 as store};
use crate::engine::core::key::{Kind, ObjKey, damaged};
use crate::engine::core::record::InactiveThreadRecord;
use crate::engine::core::run::halt::has_ended;
use crate::engine::core::run::{Run, Trouble, delete};
use crate::engine::core::timer::Timer;
use crate::engine::core::value::{Value, message};
use crate::engine::core::{Fault, Reader, RunRef, Tx};
use lh::inactive_thread_run::InactiveReason;
use lh::node_run::NodeType;
use lh::{LhStatus, ThreadType};

/// Threads that run in one WfRun at a time.
const MAX_ACTIVE: usize = 65;
/// Listed threads at which those that are done leave: 90 % of that.
const CROWDED: usize = 59;
/// Threads that are listed or queued at most.
const MAX_THREADS: usize = 10_000;

/// Which timers of a WfRun mean what.
const RETENTION: u16 = 0;
const ADVANCE: u16 = 1;

/// The timers that a WfRun asks for.
pub(in crate::engine::core) fn timers(facts: &store::WfRunFacts) -> impl Iterator<Item = (i64, u16)> {
    let retention = facts.delete_at.map(|due| (due, RETENTION));
    retention.into_iter().chain(facts.advance_at.map(|due| (due, ADVANCE)))
}

/// What happens when a time has come that a WfRun asked for.
pub(in crate::engine::core) fn due(tx: &mut Tx<'_>, timer: &Timer) -> Result<(), Fault> {
    let run = RunRef(timer.owner.scope);
    if timer.slot == RETENTION {
        return delete::doom(tx, run);
    }
    let Some(mut record) = tx.read().wf_run(run)? else { return Ok(()) };
    record.facts.advance_at = None;
    tx.put_wf_run(run, &record)?;
    tx.wake(run);
    Ok(())
}

fn inactive_key(run: RunRef, thread: u32) -> ObjKey {
    ObjKey::new(run.0, Kind::InactiveThread, thread.into(), 0)
}

impl Reader<'_> {
    /// A thread that its WfRun does not list.
    pub fn inactive_thread(&self, run: RunRef, thread: u32) -> Result<Option<InactiveThreadRecord>, Fault> {
        self.object(inactive_key(run, thread))
    }
}

/// The threads that a WfRun neither lists nor has seen to its end: those in the queue, and those that never begin.
pub fn unlisted(record: &lh::WfRun, facts: &store::WfRunFacts) -> BTreeMap<i32, LhStatus> {
    let queued = record.thread_run_queue.iter().map(|number| (*number, LhStatus::Starting));
    queued.chain(facts.never_begun.iter().map(|number| (*number, LhStatus::Halted))).collect()
}

impl Run<'_, '_> {
    /// Fails the node that would start more threads than a WfRun can have.
    pub fn check_room(&self, more: usize) -> Result<(), Trouble> {
        let now = self.record.message.thread_runs.len() + self.record.message.thread_run_queue.len();
        let wanted = now.saturating_add(more);
        if wanted <= MAX_THREADS {
            return Ok(());
        }
        let text = format!(
            "WfRun would have {wanted} ThreadRuns, exceeding the maximum number of ThreadRuns per WfRun: {MAX_THREADS}. \
             Reduce the number of spawned ThreadRuns."
        );
        Err(Trouble::new("INTERNAL_ERROR", &text))
    }

    /// Whether another thread must wait for its turn.
    pub fn is_full(&self) -> Result<bool, Fault> {
        Ok(!self.record.message.thread_run_queue.is_empty() || self.active()?.len() >= MAX_ACTIVE)
    }

    /// Whether threads wait for others to end, and those do end by and by.
    pub fn has_queue_in_order(&self) -> Result<bool, Fault> {
        Ok(!self.record.message.thread_run_queue.is_empty() && self.active()?.len() <= MAX_ACTIVE)
    }

    /// The threads that run or may go on running.
    fn active(&self) -> Result<Vec<i32>, Fault> {
        let listed = self.record.message.thread_runs.iter().filter(|thread| !has_ended(thread.status()));
        let mut active = Vec::new();
        for thread in listed {
            if !self.is_over(thread.number)? {
                active.push(thread.number);
            }
        }
        Ok(active)
    }

    /// Lets a thread wait for its turn.
    pub fn enqueue(&mut self, thread: lh::ThreadRun, given: BTreeMap<String, Option<Value>>) -> Result<(), Fault> {
        let number = thread.number;
        let input_vars = given.into_iter().map(|(name, value)| (name, message(value))).collect();
        self.store_inactive(thread, InactiveReason::Queued(lh::QueuedThreadRunInfo { input_vars }))?;
        self.record.message.thread_run_queue.push(number);
        self.unlisted.insert(number, LhStatus::Starting);
        Ok(())
    }

    /// Lets threads begin while there is room, first come first served; tells whether any did. One whose parent stands
    /// still goes to the end of the queue.
    pub fn dequeue(&mut self) -> Result<bool, Fault> {
        if self.record.message.thread_run_queue.is_empty() {
            return Ok(false);
        }
        let mut room = MAX_ACTIVE.saturating_sub(self.active()?.len());
        let mut changed = false;
        for _ in 0..self.record.message.thread_run_queue.len() {
            if room == 0 {
                break;
            }
            if self.begin_next()? {
                (changed, room) = (true, room - 1);
            }
        }
        Ok(changed)
    }

    /// Lets the first thread of the queue begin although there is no room: all that run wait for threads, so without it
    /// none would ever go on.
    pub fn unblock(&mut self) -> Result<bool, Fault> {
        if self.record.message.thread_run_queue.is_empty() {
            return Ok(false);
        }
        let active = self.active()?;
        for number in &active {
            let (_, node_run) = self.current_node(*number)?;
            let waits = matches!(node_run.message.node_type, Some(NodeType::Exit(_) | NodeType::WaitForThreads(_)));
            if active.len() < MAX_ACTIVE || !waits || self.thread(*number)?.status() != LhStatus::Running {
                return Ok(false);
            }
        }
        for _ in 0..self.record.message.thread_run_queue.len() {
            if self.begin_next()? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes the first thread out of the queue: it begins, or goes to the end.
    fn begin_next(&mut self) -> Result<bool, Fault> {
        let number = self.record.message.thread_run_queue.remove(0);
        let key = self.inactive_key(number)?;
        let record: Option<InactiveThreadRecord> = self.tx.read().object(key)?;
        let stored = record.and_then(|record| Some((record.message.thread_run?, record.message.inactive_reason?)));
        let Some((thread, InactiveReason::Queued(queued))) = stored else {
            return Err(damaged(format!("queued ThreadRun {number} of WfRun {}", self.run.0), "missing"));
        };
        let parent = thread.parent_thread_id.unwrap_or_default();
        if self.status_of(parent) != Some(LhStatus::Running) {
            self.record.message.thread_run_queue.push(number);
            return Ok(false);
        }
        self.tx.erase(key)?;
        self.unlisted.remove(&number);
        let spec = self.spec_of_thread(parent)?;
        let spec = &spec.message;
        let given = queued.input_vars.into_iter().map(|(name, value)| (name, value.value)).collect();
        self.start_thread(spec, thread, given)?;
        Ok(true)
    }

    /// Lets a thread in the queue never begin.
    pub fn drop_queued(&mut self, number: i32) {
        if self.unlisted.get(&number) == Some(&LhStatus::Starting) {
            self.record.message.thread_run_queue.retain(|queued| *queued != number);
            self.record.facts.never_begun.push(number);
            self.unlisted.insert(number, LhStatus::Halted);
        }
    }

    /// Lets all threads leave that are done, when the WfRun is crowded.
    pub fn relieve(&mut self) -> Result<(), Fault> {
        if self.record.message.thread_runs.len() < CROWDED {
            return Ok(());
        }
        self.archive(&mut |_, _| Ok(true))
    }

    /// Lets threads leave that are done and whose ThreadSpec wants that by now.
    pub fn retire(&mut self) -> Result<(), Fault> {
        let now = self.tx.context().now;
        self.archive(&mut |run, thread| {
            use lh::thread_retention_policy::ThreadGcPolicy;
            let spec = run.spec(&thread.wf_spec_id.clone().unwrap_or_default())?;
            let spec = &spec.message;
            let policy =
                spec.thread_specs.get(&thread.thread_spec_name).and_then(|spec| spec.retention_policy.as_ref());
            let seconds = policy.and_then(|policy| policy.thread_gc_policy.as_ref());
            let ended = thread.end_time.as_ref().map(crate::engine::core::id::milliseconds).unwrap_or_default();
            Ok(seconds.is_some_and(|ThreadGcPolicy::SecondsAfterThreadTermination(seconds)| {
                ended.saturating_add(seconds.saturating_mul(1000)) <= now
            }))
        })
    }

    #[allow(clippy::type_complexity)] // a name for it would not say more
    fn archive(
        &mut self,
        leaves: &mut dyn FnMut(&mut Self, &lh::ThreadRun) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        let is_done = |thread: &lh::ThreadRun| {
            thread.status() == LhStatus::Completed && thread.r#type() != ThreadType::Entrypoint
        };
        if !self.record.message.thread_runs.iter().any(is_done) {
            return Ok(());
        }
        let mut kept = Vec::new();
        for thread in std::mem::take(&mut self.record.message.thread_runs) {
            if is_done(&thread) && leaves(self, &thread)? {
                self.store_inactive(thread, InactiveReason::Archived(lh::ArchivedThreadRunInfo {}))?;
            } else {
                kept.push(thread);
            }
        }
        self.record.message.thread_runs = kept;
        Ok(())
    }

    fn store_inactive(&mut self, thread: lh::ThreadRun, reason: InactiveReason) -> Result<(), Fault> {
        let key = self.inactive_key(thread.number)?;
        let id = lh::InactiveThreadRunId { wf_run_id: Some(self.id()), thread_run_number: thread.number };
        let message = lh::InactiveThreadRun { id: Some(id), thread_run: Some(thread), inactive_reason: Some(reason) };
        self.tx.store(key, &InactiveThreadRecord { message, facts: () })
    }

    fn inactive_key(&self, number: i32) -> Result<ObjKey, Fault> {
        match u32::try_from(number) {
            Ok(number) => Ok(inactive_key(self.run, number)),
            Err(_) => Err(damaged(format!("ThreadRun {number} of WfRun {}", self.run.0), "its number is negative")),
        }
    }
}
