//! The writer: takes a batch, applies it, commits it, answers it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::oneshot;

use super::queue::Job;
use super::{Committed, Shared, read_only};
use crate::api::littlehorse as lh;
use crate::engine::core::command::Reply;
use crate::engine::core::{Applied, Command, Fault, Refusal, State};
use crate::engine::store::{Outcome, Transaction, Trouble};

/// What decides a command: [`core::execute`](crate::engine::core::execute).
pub type Execute = fn(&dyn State, &Command) -> Result<Applied, Refusal>;

/// Commands in one commit at most: bounds the time in which the first of them waits for the last.
const MAX_COMMANDS: usize = 256;
/// Bytes of writes in one commit, after which no further command is taken.
const MAX_BYTES: usize = 1 << 20;

type Answer = (oneshot::Sender<Result<Reply, Refusal>>, Result<Reply, Refusal>);

/// What one commit holds.
#[derive(Default)]
struct Batch {
    answers: Vec<Answer>,
    tasks: Vec<lh::UserTaskRunId>,
    bytes: usize,
}

impl Batch {
    fn is_full(&self) -> bool {
        self.answers.len() >= MAX_COMMANDS || self.bytes >= MAX_BYTES
    }
}

/// The thread that writes, or what a simulation steps in its place.
pub struct Writer {
    shared: Arc<Shared>,
    execute: Execute,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, execute: Execute) -> Self {
        Self { shared, execute }
    }

    /// Works until the engine is closed and everything that waited is answered.
    pub fn run(&mut self) {
        while let Some(job) = self.shared.queue.pop() {
            self.commit_with(job);
        }
    }

    /// Makes one batch of what waits now. False when nothing did.
    pub fn step(&mut self) -> bool {
        match self.shared.queue.try_pop() {
            Some(job) => {
                self.commit_with(job);
                true
            }
            None => false,
        }
    }

    /// One transaction: `first` and what waits behind it.
    fn commit_with(&mut self, first: Job) {
        let mut batch = Batch::default();
        let mut next = Some(first);
        let store = &self.shared.store;
        // A panic outside a command would be one of the store's. What it left is unknown, so nothing is written
        // after it, as after an error of the disk.
        let stored = catch_unwind(AssertUnwindSafe(|| {
            store.write(|open| {
                while let Some(job) = next.take() {
                    self.carry_out(job, open, &mut batch)?;
                    if !batch.is_full() {
                        next = self.shared.queue.try_pop();
                    }
                }
                Ok(((), if batch.bytes > 0 { Outcome::Commit } else { Outcome::Abort }))
            })
        }));
        let stored = stored.unwrap_or_else(|panic| Err(store.freeze(Trouble::Damaged(text_of(&*panic)))));
        match stored {
            Ok(()) => self.publish(batch),
            Err(trouble) => {
                fail(batch, &trouble);
                // The store may have been frozen before the transaction began.
                if let Some(job) = next {
                    let _ = job.answer.send(Err(read_only(&trouble)));
                }
            }
        }
    }

    /// Decides one command and puts its writes into the transaction.
    fn carry_out(&self, job: Job, open: &mut Transaction<'_>, batch: &mut Batch) -> Result<(), Fault> {
        let Job { mut command, answer } = job;
        command.context.now = self.shared.clock.now().max(command.context.at);
        let decided = catch_unwind(AssertUnwindSafe(|| (self.execute)(open, &command)))
            .unwrap_or_else(|panic| Err(blame(&command, &text_of(&*panic))));
        match decided {
            Ok(Applied { writes, reply, changed }) => {
                batch.bytes += writes.size();
                batch.tasks.extend(changed);
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
        if !batch.tasks.is_empty() {
            let mut tasks: Vec<lh::UserTaskRunId> = Vec::with_capacity(batch.tasks.len());
            for task in batch.tasks {
                if !tasks.contains(&task) {
                    tasks.push(task);
                }
            }
            let sequence = self.shared.sequence.fetch_add(1, Ordering::AcqRel) + 1;
            // Nobody may be watching.
            let _ = self.shared.feed.send(Committed { sequence, tasks: tasks.into() });
        }
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
