//! The bounded queue in front of the writer.
//!
//! A condition variable and not a channel: the bound counts bytes as well as commands, closing must work when the
//! queue is full, and the writer takes what waits without a wake-up for each command.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::engine::core::command::Reply;
use crate::engine::core::{Command, Refusal};
use crate::engine::store::{NewStore, RestoreError, Restored};

/// A command that waits, and where its answer goes.
pub(super) struct Job {
    pub(super) command: Command,
    pub(super) answer: oneshot::Sender<Result<Reply, Refusal>>,
}

/// A store that waits to take the place of the one in use, and where the answer goes.
pub(super) struct Change {
    pub(super) new: NewStore,
    pub(super) answer: oneshot::Sender<Result<Restored, RestoreError>>,
}

/// What waits for the writer.
pub(super) enum Task {
    /// A command.
    Job(Box<Job>),
    /// A step of its own between two batches.
    Change(Box<Change>),
}

/// What waiting for something to do came to.
pub(super) enum Popped {
    /// This.
    Task(Task),
    /// The time is over.
    Nothing,
    /// The queue is closed and empty.
    Closed,
}

/// Why a command was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rejected {
    /// As much waits as may wait.
    Full,
    /// The engine stops.
    Closed,
}

/// What may wait at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Commands.
    pub commands: usize,
    /// Bytes of their requests.
    pub bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { commands: 4096, bytes: 64 << 20 }
    }
}

#[derive(Default)]
struct Waiting {
    tasks: VecDeque<(Task, usize)>,
    bytes: usize,
    closed: bool,
}

pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    bounds: Bounds,
}

impl Queue {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { waiting: Mutex::default(), arrived: Condvar::new(), bounds }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a command wait. It never blocks: a full queue is the caller's to know.
    pub(super) fn push(&self, job: Job) -> Result<(), Rejected> {
        let size = job.command.request.size();
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(Rejected::Closed);
        }
        // One command always fits, so that a bound below the largest request locks nobody out.
        let full = waiting.tasks.len() >= self.bounds.commands || waiting.bytes + size > self.bounds.bytes;
        if full && !waiting.tasks.is_empty() {
            return Err(Rejected::Full);
        }
        waiting.bytes += size;
        waiting.tasks.push_back((Task::Job(Box::new(job)), size));
        drop(waiting);
        self.arrived.notify_one();
        Ok(())
    }

    /// Lets another store wait, however many commands do: there is one at a time. False when the engine stops.
    pub(super) fn push_change(&self, change: Change) -> bool {
        let mut waiting = self.lock();
        if waiting.closed {
            return false;
        }
        waiting.tasks.push_back((Task::Change(Box::new(change)), 0));
        drop(waiting);
        self.arrived.notify_one();
        true
    }

    /// The next task, when one waits.
    pub(super) fn try_pop(&self) -> Option<Task> {
        Self::take(&mut self.lock())
    }

    /// The next task, when it is a command.
    pub(super) fn try_pop_job(&self) -> Option<Box<Job>> {
        let mut waiting = self.lock();
        let (task, size) = waiting.tasks.pop_front()?;
        match task {
            Task::Job(job) => {
                waiting.bytes -= size;
                Some(job)
            }
            change @ Task::Change(_) => {
                waiting.tasks.push_front((change, size));
                None
            }
        }
    }

    /// The next task; sleeps until there is one, but no longer than `limit`.
    pub(super) fn pop(&self, limit: Duration) -> Popped {
        let end = Instant::now() + limit;
        let mut waiting = self.lock();
        loop {
            if let Some(task) = Self::take(&mut waiting) {
                return Popped::Task(task);
            }
            if waiting.closed {
                return Popped::Closed;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Popped::Nothing;
            }
            waiting = self.arrived.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// How many commands wait, and their bytes.
    pub(super) fn waiting(&self) -> (usize, usize) {
        let waiting = self.lock();
        (waiting.tasks.len(), waiting.bytes)
    }

    /// Takes nothing more; what waits is still handed out.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
    }

    fn take(waiting: &mut Waiting) -> Option<Task> {
        let (task, size) = waiting.tasks.pop_front()?;
        waiting.bytes -= size;
        Some(task)
    }
}
