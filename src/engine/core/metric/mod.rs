//! Numbers by minute: how runs of each WfSpec and tasks of each TaskDef changed their status, and how long that took.
//!
//! A command counts while it works and writes each window once, in its own commit. A new window takes old ones away,
//! so nothing grows for ever and no timer is needed for it.

pub mod quota_usage;

use std::ops::ControlFlow;

use crate::api::littlehorse as lh;
use crate::engine::core::derive::{Derived, Derives, Numbers};
use crate::engine::core::key::{self, KeyIndex, Kind, ObjKey, Word, after_prefix, take_u32, take_u64};
use crate::engine::core::record::{MetricWindowRecord, TaskRunRecord, WfRunRecord};
use crate::engine::core::{Fault, Order, Reader, Table, Tx, id, quota};
use lh::metric_window::Metric;
use lh::metric_window_id::Id;
use lh::{LhStatus, MetricWindowType, TaskStatus};

/// Milliseconds of a window.
pub const WINDOW: i64 = 60_000;
/// Minutes for which windows are kept: a week.
pub const KEPT: u32 = 7 * 24 * 60;
/// Old windows that a new one takes away at most: more than one, so that they run out.
const PRUNED: usize = 16;

/// One change of a status, to be counted when the command ends.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    of: Id,
    change: Change,
    latency: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    RunStarted,
    RunCompleted,
    RunError,
    RunException,
    RunHalted,
    RunResumed,
    TaskCompleted,
    TaskError,
    TaskException,
    AttemptScheduled,
    AttemptRunning,
    AttemptError,
    AttemptSuccess,
    AttemptException,
}

impl Change {
    const ALL: [Self; 14] = [
        Self::RunStarted,
        Self::RunCompleted,
        Self::RunError,
        Self::RunException,
        Self::RunHalted,
        Self::RunResumed,
        Self::TaskCompleted,
        Self::TaskError,
        Self::TaskException,
        Self::AttemptScheduled,
        Self::AttemptRunning,
        Self::AttemptError,
        Self::AttemptSuccess,
        Self::AttemptException,
    ];

    /// Where it is counted.
    fn slot(self, metric: &mut Metric) -> Option<&mut Option<lh::CountAndTiming>> {
        Some(match (metric, self) {
            (Metric::Workflow(runs), Self::RunStarted) => &mut runs.started,
            (Metric::Workflow(runs), Self::RunCompleted) => &mut runs.running_to_completed,
            (Metric::Workflow(runs), Self::RunError) => &mut runs.running_to_error,
            (Metric::Workflow(runs), Self::RunException) => &mut runs.running_to_exception,
            (Metric::Workflow(runs), Self::RunHalted) => &mut runs.running_to_halted,
            (Metric::Workflow(runs), Self::RunResumed) => &mut runs.halted_to_running,
            (Metric::Task(tasks), Self::TaskCompleted) => &mut tasks.taskrun_created_to_completed,
            (Metric::Task(tasks), Self::TaskError) => &mut tasks.taskrun_created_to_error,
            (Metric::Task(tasks), Self::TaskException) => &mut tasks.taskrun_created_to_exception,
            (Metric::Task(tasks), Self::AttemptScheduled) => &mut tasks.taskattempt_pending_to_scheduled,
            (Metric::Task(tasks), Self::AttemptRunning) => &mut tasks.taskattempt_scheduled_to_running,
            (Metric::Task(tasks), Self::AttemptError) => &mut tasks.taskattempt_running_to_error,
            (Metric::Task(tasks), Self::AttemptSuccess) => &mut tasks.taskattempt_running_to_success,
            (Metric::Task(tasks), Self::AttemptException) => &mut tasks.taskattempt_running_to_exception,
            _ => return None,
        })
    }
}

impl Tx<'_> {
    /// Counts what became of a WfRun since it was counted last, and remembers that in its facts.
    pub fn measure_run(&mut self, record: &mut WfRunRecord) {
        let now = self.context().now;
        let status = record.message.status();
        let before = record.facts.counted_status.map(|status| LhStatus::try_from(status).unwrap_or_default());
        if before == Some(status) {
            return;
        }
        let since = std::mem::replace(&mut record.facts.counted_at, now);
        record.facts.counted_status = Some(status.into());
        let of = Id::WfSpecId(record.message.wf_spec_id.clone().unwrap_or_default());
        let mut latency = if before.is_none() { 0 } else { now.saturating_sub(since) };
        let mut before = before;
        if before == Some(LhStatus::Halted) && status != LhStatus::Running {
            // It went on and ended in one command.
            self.measured(Sample { of: of.clone(), change: Change::RunResumed, latency });
            (before, latency) = (Some(LhStatus::Running), 0);
        }
        let change = match (before, status) {
            (None, LhStatus::Running) => Change::RunStarted,
            (Some(LhStatus::Running), LhStatus::Completed) => Change::RunCompleted,
            (Some(LhStatus::Running), LhStatus::Error) => Change::RunError,
            (Some(LhStatus::Running), LhStatus::Exception) => Change::RunException,
            (Some(LhStatus::Running), LhStatus::Halted) => Change::RunHalted,
            (Some(LhStatus::Halted), LhStatus::Running) => Change::RunResumed,
            _ => return,
        };
        self.measured(Sample { of, change, latency });
    }

    /// Counts that the newest attempt of a TaskRun has another status now than `before`.
    pub fn measure_attempt(&mut self, record: &TaskRunRecord, before: TaskStatus) {
        let task = &record.message;
        let Some(attempt) = task.attempts.last() else { return };
        let now = self.context().now;
        let since = |time: &Option<prost_types::Timestamp>| {
            now.saturating_sub(time.as_ref().map_or(now, id::milliseconds)).max(0)
        };
        let (change, latency) = match (before, attempt.status()) {
            (TaskStatus::TaskPending, TaskStatus::TaskScheduled) => {
                let ended = task.attempts.iter().rev().nth(1).map(|earlier| &earlier.end_time);
                (Change::AttemptScheduled, since(ended.unwrap_or(&task.scheduled_at)))
            }
            (TaskStatus::TaskScheduled, TaskStatus::TaskRunning) => {
                (Change::AttemptRunning, since(&attempt.schedule_time))
            }
            (TaskStatus::TaskRunning, ended) => {
                let change = match ended {
                    TaskStatus::TaskSuccess => Change::AttemptSuccess,
                    TaskStatus::TaskException => Change::AttemptException,
                    _ => Change::AttemptError,
                };
                (change, since(&attempt.start_time))
            }
            _ => return,
        };
        let of = Id::TaskDefId(task.task_def_id.clone().unwrap_or_default());
        self.measured(Sample { of, change, latency });
    }

    /// Counts the end of a TaskRun.
    pub fn measure_task(&mut self, record: &TaskRunRecord) {
        let task = &record.message;
        let change = match task.status() {
            TaskStatus::TaskSuccess => Change::TaskCompleted,
            TaskStatus::TaskException => Change::TaskException,
            _ => Change::TaskError,
        };
        let created = task.scheduled_at.as_ref().map_or(self.context().now, id::milliseconds);
        let latency = self.context().now.saturating_sub(created).max(0);
        let of = Id::TaskDefId(task.task_def_id.clone().unwrap_or_default());
        self.measured(Sample { of, change, latency });
    }
}

/// Writes what the command counted.
pub fn flush(tx: &mut Tx<'_>) -> Result<(), Fault> {
    let mut samples = tx.take_measured();
    let minute = u32::try_from(tx.context().now.div_euclid(WINDOW)).unwrap_or_default();
    while let Some(first) = samples.first() {
        let of = first.of.clone();
        let (these, others) = samples.into_iter().partition(|sample| sample.of == of);
        samples = others;
        count(tx, of, minute, these)?;
    }
    Ok(())
}

fn count(tx: &mut Tx<'_>, of: Id, minute: u32, samples: Vec<Sample>) -> Result<(), Fault> {
    let number = match &of {
        Id::WfSpecId(spec) => tx.intern(Word::WfSpecVersion, &id::wf_spec_text(spec))?,
        Id::TaskDefId(def) => tx.intern(Word::Name, &def.name)?,
        Id::UserTaskDefId(_) | Id::QuotaId(_) => return Ok(()),
    };
    let Some(tenant) = tx.read().tenant else { return Ok(()) };
    let key = window_key(tenant, u64::from(number), minute);
    let mut record: MetricWindowRecord = match tx.read().object(key)? {
        Some(record) => record,
        None => {
            prune(tx, tenant, minute)?;
            let (metric, kind) = match &of {
                Id::TaskDefId(_) => (Metric::Task(no_tasks()), MetricWindowType::TaskMetric),
                _ => (Metric::Workflow(no_runs()), MetricWindowType::WorkflowMetric),
            };
            let id = lh::MetricWindowId {
                id: Some(of),
                tenant_id: None,
                window_start: Some(id::timestamp(i64::from(minute) * WINDOW)),
                metric_type: Some(kind.into()),
            };
            MetricWindowRecord { message: lh::MetricWindow { id: Some(id), metric: Some(metric) }, facts: () }
        }
    };
    for sample in samples {
        if let Some(slot) = record.message.metric.as_mut().and_then(|metric| sample.change.slot(metric)) {
            add(slot, sample.latency);
        }
    }
    tx.store(key, &record)
}

/// The numbers of runs, before anything happened: all are there, as a LittleHorse server has it.
pub fn no_runs() -> lh::WfMetrics {
    let none = Some(lh::CountAndTiming::default());
    lh::WfMetrics {
        started: none,
        running_to_completed: none,
        running_to_error: none,
        running_to_exception: none,
        running_to_halting: none,
        running_to_halted: none,
        halting_to_halted: none,
        halted_to_running: none,
    }
}

/// The numbers of tasks, before anything happened.
pub fn no_tasks() -> lh::TaskMetrics {
    let none = Some(lh::CountAndTiming::default());
    lh::TaskMetrics {
        taskrun_created_to_completed: none,
        taskrun_created_to_error: none,
        taskrun_created_to_exception: none,
        taskattempt_pending_to_scheduled: none,
        taskattempt_scheduled_to_running: none,
        taskattempt_running_to_error: none,
        taskattempt_running_to_success: none,
        taskattempt_running_to_exception: none,
    }
}

fn add(slot: &mut Option<lh::CountAndTiming>, latency: i64) {
    let (count, total_latency_ms) = (1, latency);
    let one = lh::CountAndTiming { count, min_latency_ms: latency, max_latency_ms: latency, total_latency_ms };
    join(slot, Some(one));
}

fn join(slot: &mut Option<lh::CountAndTiming>, more: Option<lh::CountAndTiming>) {
    let Some(more) = more.filter(|more| more.count > 0) else { return };
    let slot = slot.get_or_insert_default();
    if slot.count == 0 {
        *slot = more;
        return;
    }
    slot.count = slot.count.saturating_add(more.count);
    slot.min_latency_ms = slot.min_latency_ms.min(more.min_latency_ms);
    slot.max_latency_ms = slot.max_latency_ms.max(more.max_latency_ms);
    slot.total_latency_ms = slot.total_latency_ms.saturating_add(more.total_latency_ms);
}

/// Adds the numbers of one window to those of another, where both are of one kind.
pub fn sum(to: &mut Metric, from: &Metric) {
    let mut from = *from;
    for change in Change::ALL {
        if let (Some(to), Some(from)) = (change.slot(to), change.slot(&mut from)) {
            join(to, *from);
        }
    }
}

/// Takes the oldest windows of the tenant away that are too old by now.
fn prune(tx: &mut Tx<'_>, tenant: u32, minute: u32) -> Result<(), Fault> {
    let prefix = key::key_index_prefix(KeyIndex::MetricWindows, tenant);
    let oldest = minute.saturating_sub(KEPT);
    let mut old = Vec::new();
    let end = after_prefix(&prefix);
    tx.read().state.scan(Table::KeyIdx, &prefix, end.as_deref(), Order::Ascending, &mut |row, _| {
        let parsed = row.get(prefix.len()..).and_then(take_u32);
        let parsed = parsed.and_then(|(of, rest)| Some((of, take_u64(rest)?.0)));
        match parsed {
            Some((of, number)) if of < oldest && old.len() < PRUNED => {
                old.push((of, number));
                ControlFlow::Continue(())
            }
            _ => ControlFlow::Break(()),
        }
    })?;
    for (of, number) in old {
        tx.erase(ObjKey::new(u64::from(tenant), Kind::MetricWindow, number, of))?;
    }
    Ok(())
}

/// `number` is that of a word, which has 32 bits, or that of a quota, which has more.
fn window_key(tenant: u32, number: u64, minute: u32) -> ObjKey {
    ObjKey::new(u64::from(tenant), Kind::MetricWindow, number, minute)
}

impl Reader<'_> {
    /// The windows of a WfSpec version, a TaskDef or a quota of the tenant that begin in these minutes, oldest first,
    /// until `visit` breaks.
    pub fn metric_windows(
        &self,
        of: &Id,
        from: u32,
        to: u32,
        visit: &mut dyn FnMut(lh::MetricWindow) -> ControlFlow<()>,
    ) -> Result<(), Fault> {
        let number = match of {
            Id::WfSpecId(spec) => self.number(Word::WfSpecVersion, &id::wf_spec_text(spec))?.map(u64::from),
            Id::TaskDefId(def) => self.number(Word::Name, &def.name)?.map(u64::from),
            Id::QuotaId(quota) => quota::number(self, quota)?,
            Id::UserTaskDefId(_) => None,
        };
        let (Some(tenant), Some(number)) = (self.tenant, number) else { return Ok(()) };
        let (from, to) = ((number, from), (number, to));
        self.objects(u64::from(tenant), Kind::MetricWindow, from, to, Order::Ascending, &mut |key, bytes| {
            Ok(visit(MetricWindowRecord::decode(key, bytes)?.message))
        })
    }
}

impl Reader<'_> {
    /// All windows of the tenant that begin in these minutes, oldest first.
    pub fn all_metric_windows(
        &self,
        from: u32,
        to: u32,
        visit: &mut dyn FnMut(u32, lh::MetricWindow),
    ) -> Result<(), Fault> {
        let Some(tenant) = self.tenant else { return Ok(()) };
        let prefix = key::key_index_prefix(KeyIndex::MetricWindows, tenant);
        let begin = [&prefix[..], &from.to_be_bytes()].concat();
        let end = after_prefix(&[&prefix[..], &to.to_be_bytes()].concat());
        let mut found = Vec::new();
        self.state.scan(Table::KeyIdx, &begin, end.as_deref(), Order::Ascending, &mut |row, _| {
            let parsed = row.get(prefix.len()..).and_then(take_u32);
            found.extend(parsed.and_then(|(minute, rest)| Some((minute, take_u64(rest)?.0))));
            ControlFlow::Continue(())
        })?;
        for (minute, number) in found {
            let key = ObjKey::new(u64::from(tenant), Kind::MetricWindow, number, minute);
            let stored: Option<MetricWindowRecord> = self.object(key)?;
            if let Some(stored) = stored {
                visit(minute, stored.message);
            }
        }
        Ok(())
    }
}

impl Derives for MetricWindowRecord {
    fn derive(&self, key: ObjKey, tenant: u32, _: &mut Numbers<'_>) -> Result<Derived, Fault> {
        let mut derived = Derived::default();
        let minute = key.n.to_be_bytes();
        derived.keys.insert(key::key_index(KeyIndex::MetricWindows, tenant, &minute, key.sub), Vec::new());
        Ok(derived)
    }
}

#[cfg(test)]
mod tests;
