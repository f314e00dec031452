//! The one writer: commands that wait together are applied in order and made durable by one commit.
//!
//! There is no timer that waits for company: the commit in progress is the time in which the next batch gathers.
//! Nothing is answered before the commit that holds it, and neither is a refusal that may have seen something of the
//! same batch that is not durable yet. Readers take snapshots on their own threads and never wait for the writer.

mod batch;
mod clock;
mod queue;
mod stats;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{broadcast, oneshot, watch};

use crate::api::littlehorse as lh;
use crate::engine::core::command::Reply;
use crate::engine::core::{Command, Fault, Refusal};
use crate::engine::store::{
    Disk, NewStore, OpenError, RestoreError, Restored, Snapshot, Store, StoreOptions, Trouble, Usage,
};

pub use batch::{Execute, MAX_TIMERS, Writer};
pub use clock::{Clock, SystemClock};
pub use queue::Bounds;
use queue::{Change, Job, Queue, Rejected};
pub use stats::{Commands, Distribution, Histogram, Stats};

/// How an engine is opened.
#[derive(Clone)]
pub struct EngineOptions {
    /// Bytes of the store's page cache.
    pub cache_bytes: usize,
    /// Bytes of its commit log that are used before its tables are flushed.
    pub log_bytes: usize,
    /// What may wait for the writer.
    pub bounds: Bounds,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            cache_bytes: StoreOptions::DEFAULT_CACHE,
            log_bytes: StoreOptions::DEFAULT_LOG,
            bounds: Bounds::default(),
            clock: Arc::new(SystemClock),
        }
    }
}

/// Something became durable.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Committed {
    /// Rises by one with each commit that touched a task and each restore, within the life of one engine.
    pub sequence: u64,
    /// The store was restored: everything may be another than before. Nothing else is told with it.
    pub restored: bool,
    /// The tasks it touched.
    pub tasks: Arc<[lh::UserTaskRunId]>,
    /// Queues in which it put TaskRuns: tenant and name of the TaskDef.
    pub scheduled: Arc<[(String, String)]>,
    /// WorkflowEvents that it threw, with their tenants.
    pub thrown: Arc<[(String, lh::WorkflowEventId)]>,
}

/// Changes that a slow subscriber may fall behind before it misses some and is told so.
const FEED: usize = 1024;

struct Shared {
    store: Store,
    queue: Queue,
    clock: Arc<dyn Clock>,
    stats: Stats,
    feed: broadcast::Sender<Committed>,
    sequence: AtomicU64,
    restores: AtomicU64,
    stopped: watch::Sender<bool>,
}

/// Closes the queue when the last handle goes, so that an engine nobody holds ends by itself.
struct Handle {
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.queue.close();
    }
}

/// A running engine; clones are handles to the same one.
#[derive(Clone)]
pub struct Engine {
    handle: Arc<Handle>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("store", &self.store_id()).finish_non_exhaustive()
    }
}

impl Engine {
    /// Opens the store on `disk`, made first when there is none, and starts the writer. Nothing is rebuilt.
    pub fn open(disk: &dyn Disk, options: EngineOptions) -> Result<Self, OpenError> {
        let (engine, mut writer) = Self::open_stepped(disk, options, crate::engine::core::execute)?;
        std::thread::Builder::new()
            .name("ostler-writer".into())
            .spawn(move || writer.run())
            .map_err(|source| OpenError::Disk { doing: "start the writer's thread", source })?;
        Ok(engine)
    }

    /// As [`open`](Self::open), but whoever holds the [`Writer`] runs it: simulations decide when a batch is taken,
    /// and what executes a command.
    pub fn open_stepped(
        disk: &dyn Disk,
        options: EngineOptions,
        execute: Execute,
    ) -> Result<(Self, Writer), OpenError> {
        let new_id = uuid::Uuid::new_v4().as_u128();
        let EngineOptions { cache_bytes, log_bytes, bounds, clock } = options;
        let store = Store::open(disk, &StoreOptions { cache_bytes, log_bytes, new_id })?;
        let shared = Arc::new(Shared {
            store,
            queue: Queue::new(bounds),
            clock,
            stats: Stats::default(),
            feed: broadcast::Sender::new(FEED),
            sequence: AtomicU64::new(0),
            restores: AtomicU64::new(0),
            stopped: watch::Sender::new(false),
        });
        let writer = Writer::new(shared.clone(), execute);
        Ok((Self { handle: Arc::new(Handle { shared }) }, writer))
    }

    fn shared(&self) -> &Shared {
        &self.handle.shared
    }

    /// Gives a command to the writer; the answer comes when its effect is durable. When the future is dropped the
    /// command is carried out all the same.
    pub async fn command(&self, command: Command) -> Result<Reply, Refusal> {
        self.submit(command)?.await.unwrap_or_else(|_| Err(stopping()))
    }

    /// As [`command`](Self::command), for callers that wait elsewhere: the command has its place in the order when
    /// this returns.
    pub fn submit(&self, command: Command) -> Result<oneshot::Receiver<Result<Reply, Refusal>>, Refusal> {
        self.writable()?;
        let (answer, answered) = oneshot::channel();
        match self.shared().queue.push(Job { command, answer }) {
            Ok(()) => Ok(answered),
            Err(Rejected::Full) => {
                self.shared().stats.turned_away();
                Err(Refusal::exhausted("The engine is busy: too many commands wait. Try again."))
            }
            Err(Rejected::Closed) => Err(stopping()),
        }
    }

    /// Lets another store take the place of the one in use, in the order of the commands: what was answered before is
    /// in the old one, which is kept, and what is given from now on goes to the new one. It must be of the same name for
    /// good. When the future is dropped it is done all the same.
    pub async fn replace_store(&self, new: NewStore) -> Result<Restored, RestoreError> {
        let (answer, answered) = oneshot::channel();
        self.shared().queue.push_change(Change { new, answer });
        // Without an answer it was dropped unused.
        answered.await.unwrap_or(Err(RestoreError::Frozen(Trouble::Closed)))
    }

    /// How often that was done. Read before a snapshot is taken, it says what the snapshot is at least as new as.
    pub fn restores(&self) -> u64 {
        self.shared().restores.load(Ordering::Acquire)
    }

    /// Nothing, or the refusal of every command.
    pub fn writable(&self) -> Result<(), Refusal> {
        self.shared().store.is_frozen().map_or(Ok(()), |trouble| Err(read_only(trouble)))
    }

    /// The state as last committed.
    pub fn snapshot(&self) -> Result<Snapshot, Fault> {
        self.shared().store.snapshot()
    }

    /// What is committed from now on. A subscriber that falls behind gets `Lagged` once and goes on.
    pub fn subscribe(&self) -> broadcast::Receiver<Committed> {
        self.shared().feed.subscribe()
    }

    /// The sequence of the last change told to subscribers.
    pub fn sequence(&self) -> u64 {
        self.shared().sequence.load(Ordering::Acquire)
    }

    /// False after an error of the disk: reads go on, commands are refused.
    pub fn is_writable(&self) -> bool {
        self.trouble().is_none()
    }

    /// What ended writing, in plain words.
    pub fn trouble(&self) -> Option<Trouble> {
        self.shared().store.is_frozen().cloned()
    }

    /// What the writer counted about itself.
    pub fn stats(&self) -> &Stats {
        &self.shared().stats
    }

    /// How many commands wait for the writer, and how many bytes they have.
    pub fn waiting(&self) -> (usize, usize) {
        self.shared().queue.waiting()
    }

    /// True once the writer has ended, whyever it did.
    pub fn has_stopped(&self) -> bool {
        *self.shared().stopped.borrow()
    }

    /// What the store is made of and used for at this moment.
    pub fn usage(&self) -> Usage {
        self.shared().store.usage()
    }

    /// The store's name for good.
    pub fn store_id(&self) -> String {
        uuid::Uuid::from_u128(self.store_number()).to_string()
    }

    /// The same as a number.
    pub fn store_number(&self) -> u128 {
        self.shared().store.id()
    }

    /// Takes no more commands, lets those that wait become durable and answers them, and gives the file back. Returns
    /// when all that is done; snapshots fail from then on.
    pub async fn close(&self) {
        self.shared().queue.close();
        let mut stopped = self.shared().stopped.subscribe();
        // The sender lives as long as this handle, so waiting cannot fail.
        let _ = stopped.wait_for(|stopped| *stopped).await;
    }
}

fn stopping() -> Refusal {
    Refusal::new(tonic::Code::Unavailable, "The engine is stopping.")
}

fn read_only(trouble: &Trouble) -> Refusal {
    let message = format!(
        "The engine is read-only because {trouble}. Nothing was changed; see to the disk and start ostler again."
    );
    Refusal::new(tonic::Code::Unavailable, message)
}
