//! The writer: takes a batch, applies it, commits it, answers it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::oneshot;

use super::queue::{Change, Job, Popped, Task};
use super::{Committed, Shared, read_only};
use crate::engine::core::command::{Reply, Request};
use crate::engine::core::{Applied, Command, Effects, Fault, Refusal, State, Table, WriteSet, timer};
use crate::engine::store::{Outcome, RestoreError, Transaction, Trouble, kept_name};

/// What decides a command: [`core::execute`](crate::engine::core::execute).
pub type Execute = fn(&dyn State, &Command) -> Result<Applied, Refusal>;

/// Commands in one commit at most. Not more: while one batch is written, those who were answered by the one before it
/// can ask again. With 256 everybody waited for everybody, and 128 clients completed a third fewer tasks a second.
const MAX_COMMANDS: usize = 64;
/// Timers in one commit at most, so that a flood of them leaves room for commands.
pub const MAX_TIMERS: usize = 128;
/// How long the writer sleeps at most: a clock that was set, or a machine that slept, is noticed that soon.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
/// Bytes of writes in one commit, after which no further command is taken.
const MAX_BYTES: usize = 1 << 20;

type Answer = (oneshot::Sender<Result<Reply, Refusal>>, Result<Reply, Refusal>);

/// What one commit holds.
#[derive(Default)]
struct Batch {
    answers: Vec<Answer>,
    effects: Effects,
    bytes: usize,
    /// Whether a timer came or went.
    timers: bool,
    /// When the timers that it carried out were due.
    fired: Vec<i64>,
}

impl Batch {
    /// Counts writes in.
    fn take(&mut self, writes: &WriteSet) {
        self.bytes += writes.size();
        self.timers |= writes.touches(Table::Timer);
    }

    fn is_full(&self) -> bool {
        self.answers.len() >= MAX_COMMANDS || self.bytes >= MAX_BYTES
    }
}

/// The thread that writes, or what a simulation steps in its place.
pub struct Writer {
    shared: Arc<Shared>,
    execute: Execute,
    /// When the next timer is due, in milliseconds since 1970.
    next_due: Option<i64>,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, execute: Execute) -> Self {
        let mut writer = Self { shared, execute, next_due: None };
        writer.look_for_timers();
        writer
    }

    /// Works until the engine is closed and everything that waited is answered. Timers that are due meanwhile wait for
    /// the next start.
    pub fn run(&mut self) {
        loop {
            match self.shared.queue.pop(self.until_due()) {
                Popped::Task(task) => self.take(task),
                Popped::Nothing if self.is_due() => self.commit_with(None),
                Popped::Nothing => {}
                Popped::Closed => return,
            }
        }
    }

    /// Makes one batch of what waits now and of the timers that are due, or another store that of the engine. False
    /// when there was nothing.
    pub fn step(&mut self) -> bool {
        match self.shared.queue.try_pop() {
            Some(task) => self.take(task),
            None if self.is_due() => self.commit_with(None),
            None => return false,
        }
        true
    }

    fn take(&mut self, task: Task) {
        match task {
            Task::Job(job) => self.commit_with(Some(job)),
            Task::Change(change) => self.change_store(*change),
        }
    }

    /// Lets another store take the place of the one in use. What was answered before is in the old one, and nothing of
    /// what comes after.
    fn change_store(&mut self, change: Change) {
        let Change { new, answer } = change;
        self.shared.stats.begin();
        let changed = self.shared.store.replace(new, &kept_name("restore", self.shared.clock.now()));
        self.shared.stats.end(0);
        if matches!(changed, Ok(_) | Err(RestoreError::Unsettled(_))) {
            // After the change: who reads the number before a snapshot never takes what is old for new.
            self.shared.restores.fetch_add(1, Ordering::AcqRel);
            self.look_for_timers();
            let sequence = self.shared.sequence.fetch_add(1, Ordering::AcqRel) + 1;
            // Nobody may be watching.
            let _ = self.shared.feed.send(Committed { sequence, restored: true, ..Committed::default() });
        }
        // Somebody who went away reads it in the log.
        let _ = answer.send(changed);
    }

    fn is_due(&self) -> bool {
        self.next_due.is_some_and(|due| due <= self.shared.clock.now()) && self.shared.store.is_frozen().is_none()
    }

    /// How long until the next timer, or until it is time to look at the clock again.
    pub(super) fn until_due(&self) -> Duration {
        match self.next_due {
            Some(due) => {
                let left = due.saturating_sub(self.shared.clock.now());
                Duration::from_millis(u64::try_from(left).unwrap_or_default()).min(LONGEST_SLEEP)
            }
            None => LONGEST_SLEEP,
        }
    }

    fn look_for_timers(&mut self) {
        let next = self.shared.store.snapshot().and_then(|snapshot| timer::next_due(&snapshot));
        // Without a snapshot the store is closed or damaged: no timer can do anything.
        self.next_due = next.unwrap_or(None);
    }

    /// One transaction: the timers that are due, `first`, and what waits behind it.
    fn commit_with(&mut self, first: Option<Box<Job>>) {
        let mut batch = Batch::default();
        let mut next = first;
        let store = &self.shared.store;
        let due = self.is_due();
        self.shared.stats.begin();
        // A panic outside a command would be one of the store's. What it left is unknown, so nothing is written
        // after it, as after an error of the disk.
        let stored = catch_unwind(AssertUnwindSafe(|| {
            store.write(|open| {
                if due {
                    self.fire(open, &mut batch)?;
                }
                while let Some(job) = next.take() {
                    self.carry_out(*job, open, &mut batch)?;
                    if !batch.is_full() {
                        next = self.shared.queue.try_pop_job();
                    }
                }
                Ok(((), if batch.bytes > 0 { Outcome::Commit } else { Outcome::Abort }))
            })
        }));
        let stored = stored.unwrap_or_else(|panic| Err(store.freeze(Trouble::Damaged(text_of(&*panic)))));
        let durable = if stored.is_ok() && batch.bytes > 0 { batch.answers.len() + batch.fired.len() } else { 0 };
        self.shared.stats.end(durable);
        match stored {
            Ok(()) => {
                self.shared.stats.fired(&batch.fired, self.shared.clock.now());
                if batch.timers || due {
                    self.look_for_timers();
                }
                self.publish(batch);
                self.settle();
            }
            Err(trouble) => {
                fail(batch, &trouble);
                // The store may have been frozen before the transaction began.
                if let Some(job) = next {
                    let _ = job.answer.send(Err(read_only(&trouble)));
                }
            }
        }
    }

    /// What the store has left to do once everybody is answered. A trouble is the store's to remember, a panic too;
    /// whoever comes next is told.
    fn settle(&self) {
        let store = &self.shared.store;
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| store.settle())) {
            store.freeze(Trouble::Damaged(text_of(&*panic)));
        }
    }

    /// Carries the timers out that are due. One that fails is dropped with a line in the log: it would fail for ever.
    fn fire(&self, open: &mut Transaction<'_>, batch: &mut Batch) -> Result<(), Fault> {
        for command in timer::due(open, self.shared.clock.now(), MAX_TIMERS)? {
            batch.fired.push(command.context.at);
            let writes = match self.decide(open, &command) {
                Ok(Applied { writes, effects, .. }) => {
                    batch.effects.add(effects);
                    writes
                }
                Err(refusal) => {
                    tracing::error!(code = ?refusal.code, "a timer failed and is dropped: {}", refusal.message);
                    match &command.request {
                        Request::DueTimer(timer) => timer::discard(timer),
                        _ => continue,
                    }
                }
            };
            batch.take(&writes);
            open.apply(&writes)?;
        }
        Ok(())
    }

    fn decide(&self, open: &Transaction<'_>, command: &Command) -> Result<Applied, Refusal> {
        let decided = catch_unwind(AssertUnwindSafe(|| (self.execute)(open, command)))
            .unwrap_or_else(|panic| Err(blame(command, &text_of(&*panic))));
        self.shared.stats.answered(command.request.kind(), &decided);
        decided
    }

    /// Decides one command and puts its writes into the transaction.
    fn carry_out(&self, job: Job, open: &mut Transaction<'_>, batch: &mut Batch) -> Result<(), Fault> {
        let Job { mut command, answer } = job;
        command.context.now = self.shared.clock.now().max(command.context.at);
        match self.decide(open, &command) {
            Ok(Applied { writes, reply, effects }) => {
                batch.take(&writes);
                batch.effects.add(effects);
                batch.answers.push((answer, Ok(reply)));
                open.apply(&writes)
            }
            // Nothing of this batch was there to be seen, so the refusal rests on durable state alone.
            Err(refusal) if batch.bytes == 0 => {
                let _ = answer.send(Err(refusal));
                Ok(())
            }
            Err(refusal) => {
                batch.answers.push((answer, Err(refusal)));
                Ok(())
            }
        }
    }

    /// Everything in the batch is durable: tells those who asked, then those who watch.
    fn publish(&self, batch: Batch) {
        for (answer, result) in batch.answers {
            // Somebody who went away reads it later.
            let _ = answer.send(result);
        }
        let Effects { changed, scheduled, thrown, notes } = batch.effects;
        for note in notes {
            tracing::warn!("{note}");
        }
        if changed.is_empty() && scheduled.is_empty() && thrown.is_empty() {
            return;
        }
        let mut tasks = Vec::with_capacity(changed.len());
        for task in changed {
            if !tasks.contains(&task) {
                tasks.push(task);
            }
        }
        let sequence = match tasks.is_empty() {
            true => self.shared.sequence.load(Ordering::Acquire),
            false => self.shared.sequence.fetch_add(1, Ordering::AcqRel) + 1,
        };
        let committed = Committed {
            sequence,
            restored: false,
            tasks: tasks.into(),
            scheduled: scheduled.into(),
            thrown: thrown.into(),
        };
        // Nobody may be watching.
        let _ = self.shared.feed.send(committed);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.queue.close();
        // Dropping what waits tells its senders that the engine is gone.
        while self.shared.queue.try_pop().is_some() {}
        self.shared.store.close();
        self.shared.stopped.send_replace(true);
    }
}

/// Answers a batch whose commit failed. Whether it is kept is unknown, also for those that were refused: what they
/// saw may be gone.
fn fail(batch: Batch, trouble: &Trouble) {
    for (answer, _) in batch.answers {
        let message = format!(
            "This may or may not be kept, because {trouble}. The engine is read-only until ostler is started again."
        );
        let _ = answer.send(Err(Refusal::new(tonic::Code::Unavailable, message)));
    }
}

/// The refusal of a command that panicked, and the line of the log that it points to.
fn blame(command: &Command, panic: &str) -> Refusal {
    let reference = format!("{:08x}", command.context.seed & 0xffff_ffff);
    tracing::error!(%reference, panic, "a command panicked");
    let message = format!("ostler failed at this command; nothing was changed. The log has more under {reference}.");
    Refusal::new(tonic::Code::Internal, message)
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a text".into())
}
