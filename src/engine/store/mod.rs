//! Durable storage of the engine on redb; all file I/O goes through [`Disk`].
//!
//! One file, `db.redb`: a header, a commit log, and one table for each [`Table`](crate::engine::core::Table). Five
//! decisions matter:
//!
//! * A commit goes to the log and is flushed once; every so often all that the log has, and what is too large
//!   for it, goes to the tables.
//! * Every flush of the tables saves the allocator's state (`set_quick_repair`): without it, reopening a million
//!   objects after kill -9 walks the whole file.
//! * The file is made under another name, initialised, flushed and renamed: a power cut inside redb's own creation
//!   leaves a file that never opens again.
//! * A store of an older format is migrated before anything else, and a copy of it is kept.
//! * After the first error of the disk nothing is ever written again: the store is [frozen](Store::is_frozen) and
//!   reopened over memory, so that reads go on. A retry after a failed flush may report success for pages that the
//!   kernel has dropped.

pub mod archive;
mod backend;
mod disk;
mod format;
mod frame;
mod hot;
mod log;
mod migrate;
mod restore;
mod tables;
mod write;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use redb::ReadableDatabase;

use crate::engine::core::{Fault, rebuild};

use backend::{Frozen, Latch};
pub use disk::{Disk, DiskFile, RealDisk};
pub use format::{FORMAT_VERSION, NAME as STORE_FILE, OpenError};
use frame::Frame;
pub use restore::{NewStore, RestoreError, Restored, kept_name};
pub use tables::{Snapshot, Transaction};
pub use write::Outcome;
use write::Writing;

/// How a store is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// Bytes that redb may use for its page cache.
    pub cache_bytes: usize,
    /// Bytes of the commit log that are used before the tables are flushed: with none, each commit flushes them.
    pub log_bytes: usize,
    /// The name for good of a store that does not exist yet.
    pub new_id: u128,
}

impl StoreOptions {
    /// What serves a person's own engine: a working set of some 100,000 tasks fits, and memory stays small.
    pub const DEFAULT_CACHE: usize = 64 << 20;
    /// Below this even one commit does not fit.
    pub const MIN_CACHE: usize = 16 << 20;
    /// Some hundred commits of a person or of a few workers, or four full batches. Measured from 64 to 960 KiB: with
    /// less, 32 clients complete fewer tasks a second; with more, whoever asks during a flush waits longer.
    pub const DEFAULT_LOG: usize = 640 << 10;
}

/// Why the store takes no more writes: plain words for a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// ENOSPC or a quota.
    #[error("the disk is full")]
    Full,
    /// Any other error of the disk.
    #[error("the disk reported an error ({0})")]
    Failed(String),
    /// The file holds something that it should not, or the engine itself went wrong while it wrote.
    #[error("the store cannot be trusted any more ({0})")]
    Damaged(String),
    /// The store was closed.
    #[error("the engine is stopped")]
    Closed,
}

impl Trouble {
    /// What an error of the disk is in these words.
    fn of(error: &std::io::Error) -> Self {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        match error.kind() {
            StorageFull | QuotaExceeded => Self::Full,
            _ => Self::Failed(error.to_string()),
        }
    }
}

/// How large a store is, and who looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of its file; none when they cannot be read, or the store is closed.
    pub bytes: Option<u64>,
    /// Snapshots that are open. An old one keeps the pages of its time from being used again.
    pub snapshots: usize,
}

struct Opened {
    database: Arc<redb::Database>,
    latch: Arc<Latch>,
    file: Arc<dyn DiskFile>,
    frame: Frame,
    /// The last record of the log that is on the disk.
    logged: Arc<AtomicU64>,
}

/// An open store.
pub struct Store {
    opened: RwLock<Option<Opened>>,
    writing: Mutex<Writing>,
    frozen: std::sync::OnceLock<Trouble>,
    cache_bytes: usize,
    id: u128,
    snapshots: Arc<AtomicUsize>,
}

impl Store {
    /// Opens the store on `disk`, or makes one where there is none.
    pub fn open(disk: &dyn Disk, options: &StoreOptions) -> Result<Self, OpenError> {
        let cache_bytes = options.cache_bytes.max(StoreOptions::MIN_CACHE);
        let file = match format::find(disk)? {
            Some(file) => file,
            None => format::create(disk, cache_bytes, options.new_id)?,
        };
        Self::open_file(disk, file, cache_bytes, options.log_bytes)
    }

    /// Opens the store on `disk`, where there is one.
    pub fn open_existing(disk: &dyn Disk, cache_bytes: usize) -> Result<Self, OpenError> {
        let file = format::find(disk)?.ok_or(OpenError::Missing)?;
        Self::open_file(disk, file, cache_bytes.max(StoreOptions::MIN_CACHE), StoreOptions::DEFAULT_LOG)
    }

    fn open_file(
        disk: &dyn Disk,
        file: Arc<dyn DiskFile>,
        cache_bytes: usize,
        log_bytes: usize,
    ) -> Result<Self, OpenError> {
        let (file, frame) = match frame::read(&*file)? {
            Some(frame) => (file, frame),
            None => migrate::wrap(disk, file, cache_bytes)?,
        };
        let latch = Arc::new(Latch::default());
        let tables = frame.tables(file.clone(), latch.clone());
        let database = format::open_database(tables, cache_bytes).map_err(|error| format::explain(error, &latch))?;
        let explain = |detail| format::explain_text(detail, &latch);
        // Refused before anything is written.
        let format = format::check(&database)?.format;
        let mut log = frame.log(file.clone(), latch.clone(), log_bytes);
        let commits = log.recover(&database, None).map_err(explain)?;
        if commits > 0 {
            tracing::info!(commits, "brought the log into the tables");
        }
        if format < FORMAT_VERSION {
            tracing::warn!(from = format, to = FORMAT_VERSION, "migrating the store");
            migrate::begin(&database, format).map_err(explain)?;
        }
        let found = format::check(&database)?;
        if found.rebuilding {
            migrate::finish(&database).map_err(explain)?;
        }
        let logged = log.acknowledged();
        Ok(Self {
            opened: RwLock::new(Some(Opened { database: Arc::new(database), latch, file, frame, logged })),
            writing: Mutex::new(Writing::with(log)),
            frozen: std::sync::OnceLock::new(),
            cache_bytes,
            id: found.id,
            snapshots: Arc::default(),
        })
    }

    /// The store's name for good, given when it was made.
    pub fn id(&self) -> u128 {
        self.id
    }

    /// The trouble that ended writing, if any did.
    pub fn is_frozen(&self) -> Option<&Trouble> {
        self.frozen.get()
    }

    /// The state as last committed; it does not change any more.
    pub fn snapshot(&self) -> Result<Snapshot, Fault> {
        let database = self.healthy_database().map_err(|trouble| Fault::Storage(trouble.to_string()))?;
        let transaction = database.begin_read().map_err(|error| Fault::Storage(error.to_string()))?;
        Ok(Snapshot::new(transaction, self.snapshots.clone()))
    }

    /// How large the store is, and how many look at it.
    pub fn usage(&self) -> Usage {
        let opened = self.opened.read().unwrap_or_else(PoisonError::into_inner);
        let bytes = opened.as_ref().and_then(|opened| opened.file.len().ok());
        Usage { bytes, snapshots: self.snapshots.load(Ordering::Relaxed) }
    }

    /// Runs `work` in a write transaction and commits it durably when `work` says so. One at a time: a second caller
    /// waits. An error means that the outcome of a commit is unknown and that the store is frozen from now on.
    pub fn write<R>(
        &self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<(R, Outcome), Fault>,
    ) -> Result<R, Trouble> {
        if let Some(trouble) = self.frozen.get() {
            return Err(trouble.clone());
        }
        // Held to the end, as the transaction is.
        let mut writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let (database, latch) = self.current().ok_or(Trouble::Closed)?;
        writing.write(&database, work).map_err(|detail| {
            let trouble = latch.trouble().unwrap_or(Trouble::Damaged(detail));
            self.freeze(trouble)
        })
    }

    /// Does what the commits before have left to do: flushes the tables when the log has little room left. To be
    /// called when they are answered; without it a later commit does it before it is answered.
    pub fn settle(&self) -> Result<(), Trouble> {
        // First, as for a transaction: whoever holds it decides which database is the present one.
        let mut writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let (None, Some((database, latch))) = (self.frozen.get(), self.current()) else { return Ok(()) };
        writing.settle(&database).map_err(|detail| {
            let trouble = latch.trouble().unwrap_or(Trouble::Damaged(detail));
            self.freeze(trouble)
        })
    }

    /// Builds everything anew that follows from the objects, a bounded number of rows in a commit. Meanwhile the store
    /// serves nobody; what is cut off goes on when it is opened again.
    pub fn rebuild(&self) -> Result<(), Trouble> {
        self.write(|open| Ok((open.apply(&rebuild::begin())?, Outcome::Commit)))?;
        while self.write(migrate::step)? {}
        Ok(())
    }

    /// Has redb walk its whole file. False when it found pages that it could not trust and had to repair; nobody else
    /// may use the store meanwhile.
    pub fn check_pages(&self) -> Result<bool, OpenError> {
        let mut opened = self.opened.write().unwrap_or_else(PoisonError::into_inner);
        let current = opened.as_mut().ok_or_else(|| OpenError::Damaged(Trouble::Closed.to_string()))?;
        let database = Arc::get_mut(&mut current.database).ok_or(OpenError::InUse)?;
        database.check_integrity().map_err(|error| format::explain(error, &current.latch))
    }

    /// Ends writing for good and lets reads go on. Returns the trouble that came first.
    pub fn freeze(&self, trouble: Trouble) -> Trouble {
        let first = self.frozen.get_or_init(|| {
            tracing::error!(%trouble, "the store is read-only from now on");
            trouble
        });
        self.reopen_frozen();
        first.clone()
    }

    /// Gives the file back. Reads and writes fail from now on.
    pub fn close(&self) {
        let mut writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if let (None, Some((database, _))) = (self.frozen.get(), self.current())
            && let Err(error) = writing.checkpoint(&database)
        {
            // Nothing is lost: the log has it.
            tracing::warn!(%error, "the tables could not be flushed at the end");
        }
        // The log has the file too.
        *writing = Writing::default();
        let opened = self.opened.write().unwrap_or_else(PoisonError::into_inner).take();
        drop(opened);
    }

    fn current(&self) -> Option<(Arc<redb::Database>, Arc<Latch>)> {
        let opened = self.opened.read().unwrap_or_else(PoisonError::into_inner);
        opened.as_ref().map(|opened| (opened.database.clone(), opened.latch.clone()))
    }

    /// The database to read from: a reader that hits an error of the disk freezes the store as a writer does, because
    /// redb answers nothing at all after one.
    fn healthy_database(&self) -> Result<Arc<redb::Database>, Trouble> {
        let (database, latch) = self.current().ok_or(Trouble::Closed)?;
        let Some(trouble) = latch.trouble() else { return Ok(database) };
        drop(database);
        self.freeze(trouble);
        match self.current() {
            Some((database, latch)) => match latch.trouble() {
                None => Ok(database),
                Some(trouble) => Err(trouble),
            },
            None => Err(Trouble::Closed),
        }
    }

    /// Replaces a database that failed by one whose writes stay in memory. It starts from what is on the disk, as after
    /// a crash; the disk is only read.
    fn reopen_frozen(&self) {
        let mut opened = self.opened.write().unwrap_or_else(PoisonError::into_inner);
        let Some(current) = opened.as_mut() else { return };
        current.latch.seal();
        let latch = Arc::new(Latch::default());
        let logged = current.logged.load(Ordering::Acquire);
        let frozen = Frozen::over(current.file.clone()).map_err(|error| error.to_string()).and_then(|file| {
            let file: Arc<dyn DiskFile> = Arc::new(file);
            let tables = current.frame.tables(file.clone(), latch.clone());
            let database = format::open_database(tables, self.cache_bytes).map_err(|error| error.to_string())?;
            current.frame.log(file, latch.clone(), 0).recover(&database, Some(logged))?;
            Ok(database)
        });
        match frozen {
            Ok(database) => {
                current.database = Arc::new(database);
                current.latch = latch;
            }
            // The disk cannot even be read. The old database stays and answers every read with its error; the next
            // read tries again.
            Err(error) => tracing::error!(%error, "the store cannot be read"),
        }
    }
}
