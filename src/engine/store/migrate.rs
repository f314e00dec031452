//! From an older format to the present one.
//!
//! The file is copied first, as `db.redb.bak-v<N>`, and one that is redb's database alone is put into a divided file.
//! Then one commit says that the store is of the present format and, where the older one needs it, that a rebuild is
//! under way; then the rebuild goes through the objects, a bounded number in a commit. What was cut off goes on where it
//! stood at the next start.

use std::sync::Arc;

use redb::{Database, TableHandle, WriteTransaction};

use super::backend::{Latch, Region, copy};
use super::disk::{Disk, DiskFile};
use super::format::{self, OpenError, while_doing};
use super::frame::{self, Frame};
use super::hot::HotRows;
use super::log::{Record, text};
use super::tables::Transaction;
use super::write::{Outcome, Writing};
use crate::engine::core::{Fault, rebuild};

/// Rows that one commit of a rebuild looks at.
const ROWS: usize = 1000;

/// The tables of format 1 whose keys have another form since. Both were always empty.
const OUTLIVED: [&str; 2] = ["timer", "timer_by"];

/// The last format that changed what follows from the objects: an older store is rebuilt.
const REBUILT_SINCE: u32 = 2;

/// The name of the copy that is kept of a store of an older format.
fn copy_name(format: u32) -> String {
    format!("{}.bak-v{format}", format::NAME)
}

/// Brings an undivided store, of a format that this program migrates, into a divided file; a copy of it is kept.
pub(super) fn wrap(
    disk: &dyn Disk,
    file: Arc<dyn DiskFile>,
    cache_bytes: usize,
) -> Result<(Arc<dyn DiskFile>, Frame), OpenError> {
    let latch = Arc::new(Latch::default());
    let tables = Region::new(file.clone(), latch.clone(), 0);
    let database = format::open_database(tables, cache_bytes).map_err(|error| format::explain(error, &latch))?;
    let found = format::check(&database)?;
    // redb may write as long as it has the file, and the copies are to be of a closed store.
    drop(database);
    keep_copy(disk, &*file, found.format)?;
    let wrapped = frame::wrap(disk, &*file);
    if wrapped.is_err() {
        // There may be no room for it; what is left of it is removed by the next start at the latest.
        let _ = disk.remove(format::NEW_NAME);
    }
    wrapped.map_err(while_doing("write the store in its new form"))
}

/// Keeps a copy of the file, which nobody writes to meanwhile. It gets its name when it is complete.
pub(super) fn keep_copy(disk: &dyn Disk, file: &dyn DiskFile, format: u32) -> Result<(), OpenError> {
    let name = copy_name(format);
    let unfinished = format!("{name}.new");
    let copied = disk.create(&unfinished).and_then(|to| {
        copy(file, &*to, 0)?;
        to.sync()?;
        disk.rename(&unfinished, &name)?;
        disk.sync_names()
    });
    if copied.is_err() {
        // There may be no room even for this; the next start replaces it.
        let _ = disk.remove(&unfinished);
    }
    copied.map_err(while_doing("copy the store before it is migrated"))
}

/// The commit that makes a store of an older format one of the present, with a rebuild under way where it needs one.
pub(super) fn begin(database: &Database, from: u32) -> Result<(), String> {
    let mut transaction = database.begin_write().map_err(text)?;
    transaction.set_quick_repair(true);
    drop_outlived(&transaction)?;
    {
        let mut open = Transaction::open(&transaction, HotRows::default(), Record::none()).map_err(text)?;
        let mut writes = format::version();
        if from < REBUILT_SINCE {
            writes.add(rebuild::begin());
        }
        open.apply(&writes).map_err(text)?;
        open.finish().map_err(text)?;
    }
    transaction.commit().map_err(text)
}

fn drop_outlived(transaction: &WriteTransaction) -> Result<(), String> {
    let tables: Vec<_> = transaction.list_tables().map_err(text)?.collect();
    for table in tables {
        if OUTLIVED.contains(&table.name()) {
            transaction.delete_table(table).map_err(text)?;
        }
    }
    Ok(())
}

/// Goes on with a rebuild until it is done; nothing happens when none is under way.
pub(super) fn finish(database: &Database) -> Result<(), String> {
    let mut steps = 0_u64;
    let mut writing = Writing::default();
    loop {
        if !writing.write(database, step)? {
            return Ok(());
        }
        steps += 1;
        if steps.is_multiple_of(1000) {
            tracing::warn!(rows = steps * ROWS as u64, "still rebuilding what follows from the objects");
        }
    }
}

/// One step of the rebuild that is under way; false when none is.
pub(super) fn step(open: &mut Transaction<'_>) -> Result<(bool, Outcome), Fault> {
    match rebuild::step(open, ROWS)? {
        Some(writes) => {
            open.apply(&writes)?;
            Ok((true, Outcome::Commit))
        }
        None => Ok((false, Outcome::Abort)),
    }
}
