//! A store made out of a backup, and how it takes the place of the one that is there.
//!
//! It is made beside the old one, in files whose names begin with `restore-`. Then the old file gets a second name,
//! under which it is kept, and the new one is renamed over the first: at every moment one of the two is whole and in
//! its place.

use std::io::{self, Read};
use std::sync::{Arc, PoisonError};

use jiff::Timestamp;

use super::archive::{self, Archive, ArchiveError};
use super::disk::{Disk, DiskFile};
use super::format::{NAME, NEW_NAME};
use super::{Store, Trouble};
use crate::engine::core::{self, Discrepancy};

/// Why a backup did not take the place of a store.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The backup, or the store made from it.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// What came out of a backup does not agree with itself.
    #[error(
        "what is in the backup does not agree with itself ({0} problems, the first: {1}); the store was left as it was"
    )]
    Disagrees(usize, Discrepancy),
    /// It is of a store with another name for good.
    #[error("the backup is of another store than the one that is being served; nothing was changed")]
    Foreign,
    /// The disk refused.
    #[error("cannot {doing}: {source}; the store was left as it was")]
    Disk {
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The store that is there takes no change.
    #[error("the engine is read-only because {0}; nothing was changed")]
    Frozen(Trouble),
    /// The restored store is in its place.
    #[error(
        "the restored store is in its place, but {0}: after a power cut the old one may be there again. The engine is \
         read-only until ostler is started again"
    )]
    Unsettled(Trouble),
}

fn while_doing(doing: &'static str) -> impl FnOnce(io::Error) -> RestoreError {
    move |source| RestoreError::Disk { doing, source }
}

/// What a restore did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Rows read from the backup.
    pub rows: u64,
    /// When the backup was made: milliseconds since 1970.
    pub made_at: i64,
    /// The name of the store that was there before, if there was one.
    pub kept: Option<String>,
}

/// The name under which a store is kept that makes room for another, at a time in milliseconds since 1970.
pub fn kept_name(what: &str, now: i64) -> String {
    let stamp = Timestamp::from_millisecond(now).unwrap_or_default().strftime("%Y%m%dT%H%M%S.%3fZ");
    format!("{NAME}.before-{what}-{stamp}")
}

fn beside(name: &str) -> String {
    format!("restore-{name}")
}

/// The same directory, under names that a store in use does not have.
struct Beside<'d>(&'d dyn Disk);

impl Disk for Beside<'_> {
    fn secret(&self) -> u64 {
        self.0.secret()
    }

    fn open(&self, name: &str) -> io::Result<Option<Arc<dyn DiskFile>>> {
        self.0.open(&beside(name))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.0.create(&beside(name))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename(&beside(from), &beside(to))
    }

    fn link(&self, from: &str, to: &str) -> io::Result<bool> {
        self.0.link(&beside(from), &beside(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(&beside(name))
    }

    fn sync_names(&self) -> io::Result<()> {
        self.0.sync_names()
    }
}

/// Removes what a restore that was cut off left behind.
pub(super) fn clear(disk: &dyn Disk) -> io::Result<()> {
    disk.remove(&beside(NEW_NAME))?;
    disk.remove(&beside(NAME))
}

/// A store that was made out of a backup and looked over. Unless it takes its place, its files go away with this.
pub struct NewStore {
    disk: Arc<dyn Disk>,
    store: Option<Store>,
    rows: u64,
    made_at: i64,
}

impl std::fmt::Debug for NewStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewStore").field("rows", &self.rows).field("made_at", &self.made_at).finish_non_exhaustive()
    }
}

impl NewStore {
    /// Makes a store out of a backup, with everything that follows from its objects, and compares all of it with all
    /// of it. With `of`, a backup of a store with another name for good is refused.
    pub fn make<R: Read>(disk: Arc<dyn Disk>, archive: Archive<R>, of: Option<u128>) -> Result<Self, RestoreError> {
        let header = archive.header();
        if of.is_some_and(|id| header.store_id != id.to_be_bytes()) {
            return Err(RestoreError::Foreign);
        }
        clear(&*disk).map_err(while_doing("remove an unfinished restore"))?;
        let mut new = Self { disk, store: None, rows: 0, made_at: header.made_at };
        let (store, rows) = archive::restore(&Beside(&*new.disk), archive)?;
        let store = new.store.insert(store);
        new.rows = rows;
        let snapshot = store.snapshot().map_err(ArchiveError::from)?;
        let found = core::check(&snapshot).map_err(ArchiveError::from)?;
        match found.first() {
            Some(first) => Err(RestoreError::Disagrees(found.len(), first.clone())),
            None => Ok(new),
        }
    }

    /// Takes the place of a store that nobody has open, if there is one; that is kept under the name `kept`.
    pub fn take_place(mut self, kept: &str) -> Result<Restored, RestoreError> {
        self.store = None;
        let kept = self.rename_over(kept)?;
        self.disk.sync_names().map_err(|error| RestoreError::Unsettled(Trouble::of(&error)))?;
        Ok(self.restored(kept))
    }

    fn restored(&self, kept: Option<String>) -> Restored {
        Restored { rows: self.rows, made_at: self.made_at, kept }
    }

    /// Gives the old file its second name and the new one the first. After an error nothing has changed; without one,
    /// the names must be made durable yet.
    fn rename_over(&self, kept: &str) -> Result<Option<String>, RestoreError> {
        let disk = &*self.disk;
        let was_there = disk.link(NAME, kept).map_err(while_doing("keep the old store under another name"))?;
        let renamed = disk
            .sync_names()
            .and_then(|()| disk.rename(&beside(NAME), NAME))
            .map_err(while_doing("put the restored store into its place"));
        if renamed.is_err() && was_there {
            // It would be one more name of the store in use.
            let _ = disk.remove(kept);
        }
        renamed.map(|()| was_there.then(|| kept.to_owned()))
    }
}

impl Drop for NewStore {
    fn drop(&mut self) {
        self.store = None;
        // What stays is removed when the store is opened the next time.
        let _ = clear(&*self.disk);
    }
}

impl Store {
    /// Puts `new` into the place of the store that this has open, as one step between two transactions: what was
    /// committed before is in the old file, which is kept under the name `kept`, and what is committed from now on in
    /// the new one. Snapshots that are open go on seeing the old one.
    pub fn replace(&self, new: NewStore, kept: &str) -> Result<Restored, RestoreError> {
        let mut writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(trouble) = self.is_frozen() {
            return Err(RestoreError::Frozen(trouble.clone()));
        }
        let closed = || RestoreError::Frozen(Trouble::Closed);
        let (_, old) = self.current().ok_or_else(closed)?;
        let store = new.store.as_ref().ok_or_else(closed)?;
        if store.id != self.id {
            return Err(RestoreError::Foreign);
        }
        let kept = new.rename_over(kept)?;
        // From here on the new one is what the next start finds, whatever happens.
        let named = new.disk.sync_names();
        // The log has all that the tables of the old file lack. So nothing more is written to it, not even when the
        // last snapshot of it goes.
        old.seal();
        *writing = std::mem::take(&mut *store.writing.lock().unwrap_or_else(PoisonError::into_inner));
        let opened = store.opened.write().unwrap_or_else(PoisonError::into_inner).take();
        let old = std::mem::replace(&mut *self.opened.write().unwrap_or_else(PoisonError::into_inner), opened);
        drop(old);
        match (named, self.is_frozen()) {
            (Ok(()), None) => Ok(new.restored(kept)),
            (Err(error), _) => Err(RestoreError::Unsettled(self.freeze(Trouble::of(&error)))),
            // A reader found the old one broken meanwhile.
            (Ok(()), Some(trouble)) => Err(RestoreError::Unsettled(self.freeze(trouble.clone()))),
        }
    }
}

#[cfg(test)]
mod tests;
