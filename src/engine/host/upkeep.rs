//! What is done to a store that nobody hosts: reading it out, putting a backup in its place, repairing it. The lock is
//! held meanwhile, so no host can start.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::lock::{Busy, Lock};
use super::{StartError, directory};
use crate::engine::core::{self, Discrepancy};
use crate::engine::store::archive::{self, Archive, ArchiveError};
use crate::engine::store::{RealDisk, STORE_FILE, Store, StoreOptions, Trouble};

/// Where a backup is made into a store before it takes the place of the old one.
const NEW_STORE: &str = "restore.new";

/// A data directory that nobody hosts, as long as this is held.
#[derive(Debug)]
pub struct Offline {
    data_dir: PathBuf,
    _lock: Lock,
}

/// Why something could not be done to a store.
#[derive(Debug, thiserror::Error)]
pub enum UpkeepError {
    /// The backup or the store made from it.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The store could not be opened.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It could not be written.
    #[error("the store cannot be written: {0}")]
    Write(#[from] Trouble),
    /// What came out of a backup does not agree with itself.
    #[error(
        "what is in the backup does not agree with itself ({0} problems, the first: {1}); the store was left as it was"
    )]
    Disagrees(usize, Discrepancy),
    /// The operating system refused.
    #[error("cannot {doing}: {source}")]
    Io {
        /// What was tried.
        doing: String,
        /// What it said.
        source: io::Error,
    },
}

fn while_doing(doing: impl Into<String>) -> impl FnOnce(io::Error) -> UpkeepError {
    move |source| UpkeepError::Io { doing: doing.into(), source }
}

/// What a restore did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Rows read from the backup.
    pub rows: u64,
    /// When the backup was made: milliseconds since 1970.
    pub made_at: i64,
    /// The store that was there before, if there was one.
    pub kept: Option<PathBuf>,
}

impl Offline {
    /// Takes the lock of a data directory, which is made when it is missing.
    pub fn take(data_dir: &Path, allow_network_fs: bool) -> Result<Self, StartError> {
        let data_dir = directory::prepare(data_dir, allow_network_fs)?;
        match Lock::take(&data_dir) {
            Ok(lock) => Ok(Self { data_dir, _lock: lock }),
            Err(Busy::Held(holder)) => Err(StartError::Locked { data_dir, holder }),
            Err(Busy::Io(source)) => Err(StartError::Lock { data_dir, source }),
        }
    }

    /// Opens the store; one of an older format is migrated.
    pub fn open(&self) -> Result<Store, StartError> {
        Store::open_existing(&RealDisk::new(&self.data_dir), StoreOptions::DEFAULT_CACHE)
            .map_err(|source| StartError::Store { data_dir: self.data_dir.clone(), source })
    }

    /// Makes a store out of a backup, looks it over, and puts it in the place of the one that is there, which is kept
    /// under the name `db.redb.before-restore-<stamp>`. At every moment one of the two is whole and in its place.
    pub fn restore(&self, backup: &Path, stamp: &str) -> Result<Restored, UpkeepError> {
        let file = File::open(backup).map_err(while_doing(format!("open {}", backup.display())))?;
        let archive = Archive::open(BufReader::new(file))?;
        let made_at = archive.header().made_at;
        let new = self.data_dir.join(NEW_STORE);
        // One that was cut off.
        remove_dir(&new).map_err(while_doing("remove an unfinished restore"))?;
        fs::DirBuilder::new().mode(0o700).create(&new).map_err(while_doing("make a place for the new store"))?;
        let rows = self.fill(&new, archive);
        let rows = rows.inspect_err(|_| {
            // What is left of it is removed by the next one at the latest.
            let _ = remove_dir(&new);
        })?;
        let kept = self.keep("restore", stamp)?;
        let renamed = fs::rename(new.join(STORE_FILE), self.data_dir.join(STORE_FILE));
        renamed.and_then(|()| self.sync_names()).map_err(while_doing("put the restored store into its place"))?;
        remove_dir(&new).map_err(while_doing("clean up after the restore"))?;
        Ok(Restored { rows, made_at, kept })
    }

    fn fill(&self, directory: &Path, archive: Archive<BufReader<File>>) -> Result<u64, UpkeepError> {
        let (store, rows) = archive::restore(&RealDisk::new(directory), archive)?;
        let snapshot = store.snapshot().map_err(ArchiveError::from)?;
        let found = core::check(&snapshot).map_err(ArchiveError::from)?;
        match found.first() {
            Some(first) => Err(UpkeepError::Disagrees(found.len(), first.clone())),
            None => Ok(rows),
        }
    }

    /// Rebuilds what follows from the objects. The store as it was is kept beside it, and its path answered.
    pub fn repair(&self, stamp: &str) -> Result<PathBuf, UpkeepError> {
        let kept = self.data_dir.join(format!("{STORE_FILE}.before-repair-{stamp}"));
        fs::copy(self.data_dir.join(STORE_FILE), &kept)
            .and_then(|_| File::open(&kept)?.sync_all())
            .and_then(|()| self.sync_names())
            .map_err(while_doing("copy the store before it is repaired"))?;
        let store = self.open()?;
        store.rebuild()?;
        Ok(kept)
    }

    /// Gives the store a second name, so that it is there when the first one is given to another.
    fn keep(&self, what: &str, stamp: &str) -> Result<Option<PathBuf>, UpkeepError> {
        let kept = self.data_dir.join(format!("{STORE_FILE}.before-{what}-{stamp}"));
        match fs::hard_link(self.data_dir.join(STORE_FILE), &kept) {
            Ok(()) => {
                self.sync_names().map_err(while_doing("keep the old store"))?;
                Ok(Some(kept))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(UpkeepError::Io { doing: format!("keep the old store as {}", kept.display()), source }),
        }
    }

    fn sync_names(&self) -> io::Result<()> {
        File::open(&self.data_dir)?.sync_all()
    }
}

fn remove_dir(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
