//! What is done to a store that nobody hosts: reading it out, putting a backup in its place, repairing it. The lock is
//! held meanwhile, so no host can start.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::lock::{Busy, Lock};
use super::{StartError, directory};
use crate::engine::store::archive::{Archive, ArchiveError};
use crate::engine::store::{
    NewStore, RealDisk, RestoreError, Restored, STORE_FILE, Store, StoreOptions, Trouble, kept_name,
};

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
    /// It was not restored.
    #[error(transparent)]
    Restore(#[from] RestoreError),
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
    /// under a name with the time `now` in it (milliseconds since 1970). At every moment one of the two is whole and
    /// in its place.
    pub fn restore(&self, backup: &Path, now: i64) -> Result<Restored, UpkeepError> {
        let file = File::open(backup).map_err(while_doing(format!("open {}", backup.display())))?;
        let archive = Archive::open(BufReader::new(file))?;
        let new = NewStore::make(Arc::new(RealDisk::new(&self.data_dir)), archive, None)?;
        Ok(new.take_place(&kept_name("restore", now))?)
    }

    /// Rebuilds what follows from the objects. The store as it was is kept beside it, and its path answered.
    pub fn repair(&self, now: i64) -> Result<PathBuf, UpkeepError> {
        let kept = self.data_dir.join(kept_name("repair", now));
        fs::copy(self.data_dir.join(STORE_FILE), &kept)
            .and_then(|_| File::open(&kept)?.sync_all())
            .and_then(|()| self.sync_names())
            .map_err(while_doing("copy the store before it is repaired"))?;
        let store = self.open()?;
        store.rebuild()?;
        Ok(kept)
    }

    fn sync_names(&self) -> io::Result<()> {
        File::open(&self.data_dir)?.sync_all()
    }
}
