//! The bounded queue in front of the writer.
//!
//! A condition variable and not a channel: the bound counts bytes as well as commands, closing must work when the
//! queue is full, and the writer takes what waits without a wake-up for each command.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::engine::core::command::Reply;
use crate::engine::core::{Command, Refusal};

/// A command that waits, and where its answer goes.
pub(super) struct Job {
    pub(super) command: Command,
    pub(super) answer: oneshot::Sender<Result<Reply, Refusal>>,
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

    /// The next command; sleeps until there is one. `None` when the queue is closed and empty.
    pub(super) fn pop(&self) -> Option<Job> {
        let mut waiting = self.lock();
        loop {
            if let Some(job) = Self::take(&mut waiting) {
                return Some(job);
            }
            if waiting.closed {
                return None;
            }
            waiting = self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
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
