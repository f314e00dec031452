//! The file: how it is made, found, and told apart from what this program cannot read.

use std::io;
use std::sync::Arc;

use redb::{Builder, Database, DatabaseError, StorageError};

use super::backend::{Latch, Region};
use super::disk::{Disk, DiskFile};
use super::tables::Snapshot;
use super::write::{Outcome, Writing};
use super::{Trouble, frame, restore};
use crate::engine::core::{State, Table, WriteSet, rebuild};
use redb::ReadableDatabase;

/// The layout of tables, keys and records that this program writes.
///
/// 1 had the user tasks and what they need; 2 has timers, the other objects of a workflow, and more indexes; 3 has a
/// header and a commit log before the tables.
pub const FORMAT_VERSION: u32 = 3;
/// The oldest program that may open what this one writes, told by its own [`FORMAT_VERSION`].
const MIN_READER: u32 = 3;
/// The oldest format that this program migrates.
const OLDEST: u32 = 1;

/// The name of the store's file.
pub const NAME: &str = "db.redb";
pub(super) const NEW_NAME: &str = "db.redb.new";

const KEY_FORMAT_VERSION: &[u8] = b"format_version";
const KEY_MIN_READER: &[u8] = b"min_reader";
const KEY_STORE_UUID: &[u8] = b"store_uuid";
const KEY_CREATED_BY: &[u8] = b"created_by";

/// Why a store does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("the store is in use by another process")]
    InUse,
    /// It needs a newer ostler.
    #[error(
        "the store was written by a newer ostler: it is of format {found} and needs a program that knows format \
         {needed}, this one knows up to {FORMAT_VERSION}; nothing was changed"
    )]
    Newer {
        /// The format of the file.
        found: u32,
        /// The format that a program must know to read it.
        needed: u32,
    },
    /// It is not a store, or damaged.
    #[error("{NAME} is damaged or is no store of ostler: {0}")]
    Damaged(String),
    /// There is none.
    #[error("there is no store ({NAME})")]
    Missing,
    /// The disk refused.
    #[error("cannot {doing}: {source}")]
    Disk {
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

pub(super) fn while_doing(doing: &'static str) -> impl FnOnce(io::Error) -> OpenError {
    move |source| OpenError::Disk { doing, source }
}

/// The locked file of the store, if there is one.
pub(super) fn find(disk: &dyn Disk) -> Result<Option<Arc<dyn DiskFile>>, OpenError> {
    let Some(file) = disk.open(NAME).map_err(while_doing("open the store"))? else { return Ok(None) };
    lock(&*file)?;
    if file.is_empty().map_err(while_doing("read the store"))? {
        // redb would fill an empty file anew; a store that has lost everything must not look like a new one.
        return Err(OpenError::Damaged("it is empty".into()));
    }
    disk.remove(NEW_NAME).and_then(|()| restore::clear(disk)).map_err(while_doing("remove an unfinished store"))?;
    Ok(Some(file))
}

/// The locked file of a new store.
pub(super) fn create(disk: &dyn Disk, cache_bytes: usize, new_id: u128) -> Result<Arc<dyn DiskFile>, OpenError> {
    // A power cut inside redb's own creation leaves a file that never opens, so it gets its name only when finished.
    let file = disk.create(NEW_NAME).map_err(while_doing("create a store"))?;
    lock(&*file)?;
    let latch = Arc::new(Latch::default());
    let frame = frame::write(disk, &*file).map_err(while_doing("create a store"))?;
    let tables = frame.tables(file.clone(), latch.clone());
    let database = open_database(tables, cache_bytes).map_err(|error| explain(error, &latch))?;
    initialise(&database, new_id).map_err(|detail| explain_text(detail, &latch))?;
    drop(database);
    file.sync().map_err(while_doing("flush the new store"))?;
    disk.rename(NEW_NAME, NAME).map_err(while_doing("name the new store"))?;
    disk.sync_names().map_err(while_doing("flush the directory of the new store"))?;
    Ok(file)
}

fn lock(file: &dyn DiskFile) -> Result<(), OpenError> {
    match file.try_lock().map_err(while_doing("lock the store"))? {
        true => Ok(()),
        false => Err(OpenError::InUse),
    }
}

/// The rows that say of which format a store is.
pub(super) fn version() -> WriteSet {
    let mut writes = WriteSet::default();
    writes.put(Table::Meta, KEY_FORMAT_VERSION, FORMAT_VERSION.to_be_bytes());
    writes.put(Table::Meta, KEY_MIN_READER, MIN_READER.to_be_bytes());
    writes
}

fn initialise(database: &Database, id: u128) -> Result<(), String> {
    let mut writes = version();
    writes.put(Table::Meta, KEY_STORE_UUID, id.to_be_bytes());
    writes.put(Table::Meta, KEY_CREATED_BY, concat!("ostler ", env!("CARGO_PKG_VERSION")));
    // Opening a table for writing creates it, so the first commit leaves all of them.
    Writing::default().write(database, |transaction| {
        transaction.apply(&writes)?;
        Ok(((), Outcome::Commit))
    })
}

/// Opens redb over `tables`; a crash before leads to a repair that quick-repair commits make short.
pub(super) fn open_database(tables: Region, cache_bytes: usize) -> Result<Database, DatabaseError> {
    Builder::new()
        .set_cache_size(cache_bytes)
        .set_repair_callback(|session| {
            tracing::warn!(percent = session.progress() * 100.0, "repairing the store");
        })
        .create_with_backend(tables)
}

/// What a store says of itself.
pub(super) struct Found {
    /// Its name for good.
    pub(super) id: u128,
    /// Its format.
    pub(super) format: u32,
    /// A rebuild was begun and not finished.
    pub(super) rebuilding: bool,
}

/// Refuses what this program cannot read.
pub(super) fn check(database: &Database) -> Result<Found, OpenError> {
    let transaction = database.begin_read().map_err(|error| OpenError::Damaged(error.to_string()))?;
    read(&Snapshot::new(transaction, Arc::default()))
}

/// What a store says of itself, or that this program cannot read it.
pub(super) fn read(snapshot: &Snapshot) -> Result<Found, OpenError> {
    let damaged = |detail: String| OpenError::Damaged(detail);
    let read = |key: &[u8]| {
        let found = snapshot.get(Table::Meta, key).map_err(|fault| damaged(fault.to_string()))?;
        found.ok_or_else(|| damaged(format!("it has no {}", String::from_utf8_lossy(key))))
    };
    let number = |key: &[u8]| -> Result<u32, OpenError> {
        let bytes = read(key)?.try_into().map_err(|_| damaged(format!("bad {}", String::from_utf8_lossy(key))))?;
        Ok(u32::from_be_bytes(bytes))
    };
    let (found, needed) = (number(KEY_FORMAT_VERSION)?, number(KEY_MIN_READER)?);
    if needed > FORMAT_VERSION {
        return Err(OpenError::Newer { found, needed });
    }
    if found < OLDEST {
        return Err(damaged(format!("its format_version is {found}")));
    }
    let id = read(KEY_STORE_UUID)?.try_into().map_err(|_| damaged("bad store_uuid".into()))?;
    let rebuilding = rebuild::is_under_way(snapshot).map_err(|fault| damaged(fault.to_string()))?;
    Ok(Found { id: u128::from_be_bytes(id), format: found, rebuilding })
}

/// What redb says about a file that does not open, in our terms.
pub(super) fn explain(error: DatabaseError, latch: &Latch) -> OpenError {
    match error {
        DatabaseError::DatabaseAlreadyOpen => OpenError::InUse,
        // redb calls a file with a wrong magic number an I/O error; the latch knows whether the disk really failed.
        DatabaseError::Storage(StorageError::Io(source)) if latch.trouble().is_some() => {
            OpenError::Disk { doing: "open the store", source }
        }
        other => explain_text(other.to_string(), latch),
    }
}

pub(super) fn explain_text(detail: String, latch: &Latch) -> OpenError {
    match latch.trouble() {
        Some(Trouble::Full) => OpenError::Disk { doing: "create a store", source: io::ErrorKind::StorageFull.into() },
        Some(trouble) => OpenError::Disk { doing: "open the store", source: io::Error::other(trouble) },
        None => OpenError::Damaged(detail),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{RealDisk, Store, StoreOptions};
    use super::*;

    fn options() -> StoreOptions {
        StoreOptions { cache_bytes: StoreOptions::MIN_CACHE, log_bytes: StoreOptions::DEFAULT_LOG, new_id: 7 }
    }

    #[test]
    fn a_new_store_keeps_its_id_and_leaves_no_unfinished_file() {
        let directory = tempfile::tempdir().unwrap();
        let disk = RealDisk::new(directory.path());
        std::fs::write(directory.path().join(NEW_NAME), "half of a store").unwrap();
        let first = Store::open(&disk, &options()).unwrap();
        assert_eq!(first.id(), 7);
        drop(first);
        let again = Store::open(&disk, &StoreOptions { new_id: 8, ..options() }).unwrap();
        assert_eq!(again.id(), 7);
        let names: Vec<_> =
            std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, [NAME]);
    }

    #[test]
    fn a_store_that_is_open_is_not_opened_again() {
        let directory = tempfile::tempdir().unwrap();
        let disk = RealDisk::new(directory.path());
        let first = Store::open(&disk, &options()).unwrap();
        assert!(matches!(Store::open(&disk, &options()).err(), Some(OpenError::InUse)));
        first.close();
        assert!(Store::open(&disk, &options()).is_ok());
    }

    #[test]
    fn a_newer_store_is_refused_and_an_equal_one_with_a_newer_tail_is_not() {
        let next = FORMAT_VERSION + 1;
        for (format, needed, refused) in [(next, next, true), (next, FORMAT_VERSION, false), (next + 6, next + 1, true)]
        {
            let directory = tempfile::tempdir().unwrap();
            let disk = RealDisk::new(directory.path());
            let store = Store::open(&disk, &options()).unwrap();
            let mut writes = WriteSet::default();
            writes.put(Table::Meta, KEY_FORMAT_VERSION, format.to_be_bytes());
            writes.put(Table::Meta, KEY_MIN_READER, needed.to_be_bytes());
            store.write(|open| Ok((open.apply(&writes)?, crate::engine::store::Outcome::Commit))).unwrap();
            drop(store);
            let opened = Store::open(&disk, &options());
            assert_eq!(matches!(opened, Err(OpenError::Newer { found, .. }) if found == format), refused);
            if let Err(error) = opened {
                assert!(error.to_string().contains("newer ostler"), "{error}");
            }
        }
    }

    #[test]
    fn what_is_no_store_is_told_and_left_alone() {
        for bytes in [&b""[..], b"just some text", &[0; 8192]] {
            let directory = tempfile::tempdir().unwrap();
            std::fs::write(directory.path().join(NAME), bytes).unwrap();
            let opened = Store::open(&RealDisk::new(directory.path()), &options());
            assert!(matches!(opened, Err(OpenError::Damaged(_))), "{:?}", opened.err());
            assert_eq!(std::fs::read(directory.path().join(NAME)).unwrap(), bytes);
        }
    }

    #[test]
    fn a_directory_that_is_not_there_is_the_disks_error() {
        let directory = tempfile::tempdir().unwrap();
        let opened = Store::open(&RealDisk::new(directory.path().join("missing")), &options());
        assert!(matches!(opened, Err(OpenError::Disk { .. })));
    }
}
