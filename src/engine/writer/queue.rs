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

/// A command that waits, and where its answer goes.
pub(super) struct Job {
    pub(super) command: Command,
    pub(super) answer: oneshot::Sender<Result<Reply, Refusal>>,
}

/// What waiting for a command came to.
pub(super) enum Popped {
    /// A command.
    Job(Box<Job>),
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
    jobs: VecDeque<(Job, usize)>,
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
        let full = waiting.jobs.len() >= self.bounds.commands || waiting.bytes + size > self.bounds.bytes;
        if full && !waiting.jobs.is_empty() {
            return Err(Rejected::Full);
        }
        waiting.bytes += size;
        waiting.jobs.push_back((job, size));
        drop(waiting);
        self.arrived.notify_one();
        Ok(())
    }

    /// The next command, when one waits.
    pub(super) fn try_pop(&self) -> Option<Job> {
        Self::take(&mut self.lock())
    }

    /// The next command; sleeps until there is one, but no longer than `limit`.
    pub(super) fn pop(&self, limit: Duration) -> Popped {
        let end = Instant::now() + limit;
        let mut waiting = self.lock();
        loop {
            if let Some(job) = Self::take(&mut waiting) {
                return Popped::Job(Box::new(job));
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
        (waiting.jobs.len(), waiting.bytes)
    }

    /// Takes nothing more; what waits is still handed out.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
    }

    fn take(waiting: &mut Waiting) -> Option<Job> {
        let (job, size) = waiting.jobs.pop_front()?;
        waiting.bytes -= size;
        Some(job)
    }
}
