//! From an older format to the present one.
//!
//! The file is copied first, as `db.redb.bak-v<N>`. Then one commit says that the store is of the present format and
//! that a rebuild is under way, so that an older ostler refuses it from then on; then the rebuild goes through the
//! objects, a bounded number in a commit. What was cut off goes on where it stood at the next start.

use std::sync::Arc;

use redb::{Database, TableHandle, WriteTransaction};

use super::disk::{Disk, DiskFile};
use super::format::{OpenError, while_doing};
use super::hot::HotRows;
use super::tables::Transaction;
use super::{Outcome, Store, format};
use crate::engine::core::{Fault, rebuild};

/// Rows that one commit of a rebuild looks at.
const ROWS: usize = 1000;

/// Bytes copied at a time.
const PIECE: usize = 1 << 20;

/// The tables of format 1 whose keys have another form since. Both were always empty.
const OUTLIVED: [&str; 2] = ["timer", "timer_by"];

/// The name of the copy that is kept of a store of an older format.
fn copy_name(format: u32) -> String {
    format!("{}.bak-v{format}", format::NAME)
}

/// Keeps a copy of the file, which nobody writes to meanwhile. It gets its name when it is complete.
pub(super) fn keep_copy(disk: &dyn Disk, file: &dyn DiskFile, format: u32) -> Result<(), OpenError> {
    let name = copy_name(format);
    let unfinished = format!("{name}.new");
    let copied = copy(disk, file, &unfinished).and_then(|()| {
        disk.rename(&unfinished, &name)?;
        disk.sync_names()
    });
    if copied.is_err() {
        // There may be no room even for this; the next start replaces it.
        let _ = disk.remove(&unfinished);
    }
    copied.map_err(while_doing("copy the store before it is migrated"))
}

fn copy(disk: &dyn Disk, from: &dyn DiskFile, name: &str) -> std::io::Result<()> {
    let to = disk.create(name)?;
    let length = from.len()?;
    to.set_len(length)?;
    let mut piece = vec![0; PIECE];
    let mut at = 0;
    while at < length {
        let size = usize::try_from(length - at).unwrap_or(PIECE).min(PIECE);
        let Some(part) = piece.get_mut(..size) else { break };
        from.read_at(at, part)?;
        // What is all zeros is a hole already.
        if part.iter().any(|byte| *byte != 0) {
            to.write_at(at, part)?;
        }
        at += size as u64;
    }
    to.sync()
}

/// The commit that makes the store one of the present format, with a rebuild under way.
pub(super) fn begin(database: &Database) -> Result<(), String> {
    let mut transaction = database.begin_write().map_err(text)?;
    transaction.set_quick_repair(true);
    drop_outlived(&transaction)?;
    {
        let mut open = Transaction::open(&transaction, HotRows::default()).map_err(text)?;
        let mut writes = format::version();
        writes.add(rebuild::begin());
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
pub(super) fn finish(database: &Arc<Database>) -> Result<(), String> {
    let mut steps = 0_u64;
    let mut hot = HotRows::default();
    loop {
        if !Store::write_to(database, &mut hot, step)? {
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

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
