//! The commit log in front of the tables.
//!
//! To make a small commit durable in redb takes two flushes, and some hundred KiB for the state of its allocator in a
//! store of a million tasks. So what a commit wrote goes into the log with one flush, and into the tables without any;
//! when the log is nearly full, or a commit too large for it, the tables are flushed, say up to where the log is in
//! them, and the log begins anew. That takes some milliseconds, and is done when everybody is answered.
//!
//! ```text
//! record, at a multiple of 4 KiB: [crc32c u32 of the rest] [length u32 of the rows] [sequence u64] [rows]
//! row: [table u8] [length of the key u32] [length of the value u32, or u32::MAX: removed] [key] [value]
//! ```
//!
//! The rows are those of the tables, not commands: what they do depends on no version of the program, and doing it
//! twice is doing it once. Sequences rise by one and never come again, so a record of an earlier round is not taken
//! for one of this. A sector with something acknowledged in it is not written again before the tables have it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use redb::{Database, ReadableDatabase, StorageBackend, TableDefinition, TableError, WriteTransaction};

use super::backend::Region;
use super::hot::HotRows;
use super::tables::{Transaction, number_of, numbered};
use crate::engine::core::{Table, WriteSet};

/// What a record begins at: at least the sector of any disk, and the page of the kernel.
const BLOCK: usize = 4096;
/// Checksum, length and sequence.
const HEAD: usize = 16;
const REMOVED: u32 = u32::MAX;
/// The longest record, and the room that is kept for it, of a log that is not smaller than three of them: a full batch
/// of commands fits. A commit with more in it is worth a flush of the tables of its own.
const LONGEST: usize = 192 << 10;

/// The last record that the tables hold, in a table that the core does not know: it says something about this file,
/// and is not part of a backup.
const APPLIED: TableDefinition<'_, (), u64> = TableDefinition::new("log_applied");

/// What one commit writes, in the form of the log.
#[derive(Debug)]
pub(super) struct Record {
    bytes: Vec<u8>,
    most: usize,
}

impl Record {
    /// A record that has no place in any log.
    pub(super) fn none() -> Self {
        Self { bytes: Vec::new(), most: 0 }
    }

    /// An empty one that may become `most` bytes long.
    fn up_to(most: usize) -> Self {
        Self { bytes: vec![0; HEAD], most }
    }

    /// Adds a row. One that is too long is given up as a whole.
    pub(super) fn add(&mut self, table: Table, key: &[u8], value: Option<&[u8]>) {
        let size = 9 + key.len() + value.map_or(0, <[u8]>::len);
        let lengths = (u32::try_from(key.len()), value.map_or(Ok(REMOVED), |value| u32::try_from(value.len())));
        match lengths {
            (Ok(key_length), Ok(value_length)) if self.bytes.len() + size <= self.most => {
                self.bytes.push(number_of(table));
                self.bytes.extend(key_length.to_be_bytes());
                self.bytes.extend(value_length.to_be_bytes());
                self.bytes.extend(key);
                self.bytes.extend(value.unwrap_or_default());
            }
            _ => *self = Self::none(),
        }
    }

    fn is_none(&self) -> bool {
        self.most == 0
    }

    /// Completes the head.
    fn sealed(mut self, sequence: u64, salt: u64) -> Vec<u8> {
        let length = u32::try_from(self.bytes.len() - HEAD).unwrap_or(REMOVED);
        self.bytes[4..8].copy_from_slice(&length.to_be_bytes());
        self.bytes[8..HEAD].copy_from_slice(&sequence.to_be_bytes());
        let sum = checksum(salt, &self.bytes[4..]);
        self.bytes[..4].copy_from_slice(&sum.to_be_bytes());
        self.bytes
    }
}

/// The salt is the file's own and known to nobody else: what a client sends is in the log too, byte by byte, and must
/// never pass for a record.
fn checksum(salt: u64, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&salt.to_be_bytes()), bytes)
}

/// The rows of a record; none when they have another form.
fn rows(mut bytes: &[u8]) -> Option<WriteSet> {
    let mut writes = WriteSet::default();
    while !bytes.is_empty() {
        let (table, rest) = bytes.split_first()?;
        let (key_length, rest) = rest.split_first_chunk::<4>()?;
        let (value_length, rest) = rest.split_first_chunk::<4>()?;
        let (key, rest) = rest.split_at_checked(u32::from_be_bytes(*key_length).try_into().ok()?)?;
        let table = numbered(*table)?;
        bytes = match u32::from_be_bytes(*value_length) {
            REMOVED => {
                writes.remove(table, key);
                rest
            }
            length => {
                let (value, rest) = rest.split_at_checked(length.try_into().ok()?)?;
                writes.put(table, key, value);
                rest
            }
        };
    }
    Some(writes)
}

/// The log of an open store.
#[derive(Debug)]
pub(super) struct Log {
    region: Region,
    /// How many bytes it has.
    length: usize,
    /// How many of them are used before the tables are flushed.
    most: usize,
    salt: u64,
    /// Where the next record goes.
    at: usize,
    /// The last record that is on the disk; others read it to know what was acknowledged.
    last: Arc<AtomicU64>,
    /// The last record that is in the tables as they are on the disk.
    applied: u64,
}

impl Log {
    /// The log in the first `length` bytes of `region`, of which `most` are used. Nothing is read:
    /// [`recover`](Self::recover) does that.
    pub(super) fn new(region: Region, length: usize, salt: u64, most: usize) -> Self {
        Self { region, length, most: most.min(length), salt, at: 0, last: Arc::default(), applied: 0 }
    }

    /// Brings into the tables what only the log has, durably: up to `until`, or all of it. Returns how many commits
    /// that were.
    pub(super) fn recover(&mut self, database: &Database, until: Option<u64>) -> Result<u64, String> {
        self.applied = applied(database)?;
        let (mut at, mut last) = (0, self.applied);
        let mut writes = WriteSet::default();
        while until.is_none_or(|until| last < until)
            && let Some((sequence, found)) = self.record_at(at).map_err(text)?
            // Else it is one of an earlier round.
            && sequence > last
        {
            if sequence != last + 1 {
                return Err(format!("its log goes on at {sequence}, but its tables end at {last}"));
            }
            let rows = found.get(HEAD..).and_then(rows);
            writes.add(rows.ok_or_else(|| format!("its log has an unknown form at {sequence}"))?);
            at += found.len().next_multiple_of(BLOCK);
            last = sequence;
        }
        if until.is_none() && self.goes_on_after(at, last + 1).map_err(text)? {
            return Err(format!("its log cannot be read at {}", last + 1));
        }
        self.last.store(last, Ordering::Release);
        if self.is_ahead() {
            let transaction = database.begin_write().map_err(text)?;
            {
                let mut open = Transaction::open(&transaction, HotRows::default(), Record::none()).map_err(text)?;
                open.apply(&writes).map_err(text)?;
                open.finish().map_err(text)?;
            }
            let commits = last - self.applied;
            self.flush(transaction)?;
            return Ok(commits);
        }
        Ok(0)
    }

    /// True when something was written after the record with this sequence, which is not to be found at `at`: then it
    /// is not one that a power cut left unfinished, but was acknowledged, and is damaged.
    fn goes_on_after(&self, at: usize, sequence: u64) -> io::Result<bool> {
        for at in (at..self.length).step_by(BLOCK) {
            if self.record_at(at)?.is_some_and(|(found, _)| found > sequence) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The record at an offset, with its sequence; none where no whole one is.
    fn record_at(&self, at: usize) -> io::Result<Option<(u64, Vec<u8>)>> {
        let space = self.length.saturating_sub(at);
        if space < HEAD {
            return Ok(None);
        }
        let mut bytes = vec![0; HEAD];
        self.region.read(at as u64, &mut bytes)?;
        let head = <[u8; HEAD]>::try_from(bytes.as_slice()).unwrap_or_default();
        let [_, _, _, _, a, b, c, d, sequence @ ..] = head;
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        if length > space - HEAD {
            return Ok(None);
        }
        bytes.resize(HEAD + length, 0);
        let (_, body) = bytes.split_at_mut(HEAD);
        self.region.read((at + HEAD) as u64, body)?;
        let whole = head[..4] == checksum(self.salt, &bytes[4..]).to_be_bytes();
        Ok(whole.then_some((u64::from_be_bytes(sequence), bytes)))
    }

    /// What the next commit may write to be taken by the log.
    pub(super) fn record(&self) -> Record {
        match self.most.saturating_sub(self.at).min(LONGEST) {
            room if room > HEAD => Record::up_to(room),
            _ => Record::none(),
        }
    }

    /// True when a long record may find no room.
    pub(super) fn is_nearly_full(&self) -> bool {
        self.is_ahead() && self.most.saturating_sub(self.at) < LONGEST.min(self.most / 3)
    }

    /// True when the tables on the disk lack something that the log has.
    pub(super) fn is_ahead(&self) -> bool {
        self.last() > self.applied
    }

    /// The last record that is on the disk, as it moves on.
    pub(super) fn acknowledged(&self) -> Arc<AtomicU64> {
        self.last.clone()
    }

    fn last(&self) -> u64 {
        self.last.load(Ordering::Acquire)
    }

    /// Commits a transaction durably: by the log, when `record` holds all that was written, else by the tables. An
    /// error means that the outcome is unknown.
    pub(super) fn commit(&mut self, mut transaction: WriteTransaction, record: Record) -> Result<(), String> {
        if record.is_none() {
            return self.flush(transaction);
        }
        // First the disk, then the eyes of others: a snapshot must not show what may be lost.
        let sequence = self.last() + 1;
        let bytes = record.sealed(sequence, self.salt);
        self.region.write(self.at as u64, &bytes).map_err(text)?;
        self.region.sync_data().map_err(text)?;
        self.at += bytes.len().next_multiple_of(BLOCK);
        self.last.store(sequence, Ordering::Release);
        transaction.set_durability(redb::Durability::None).map_err(text)?;
        transaction.commit().map_err(text)
    }

    /// Commits a transaction by the tables, with everything that only the log had.
    fn flush(&mut self, transaction: WriteTransaction) -> Result<(), String> {
        if self.is_ahead() {
            transaction.open_table(APPLIED).map_err(text)?.insert((), self.last()).map_err(text)?;
        }
        commit_tables(transaction)?;
        self.applied = self.last();
        self.at = 0;
        Ok(())
    }
}

/// Commits a transaction by the tables alone. They save the state of their allocator with it: without that, to open
/// a million objects after kill -9 takes a walk through the whole file.
pub(super) fn commit_tables(mut transaction: WriteTransaction) -> Result<(), String> {
    transaction.set_quick_repair(true);
    transaction.commit().map_err(text)
}

/// The last record that the tables hold.
fn applied(database: &Database) -> Result<u64, String> {
    match database.begin_read().map_err(text)?.open_table(APPLIED) {
        Ok(table) => Ok(table.get(()).map_err(text)?.map_or(0, |applied| applied.value())),
        Err(TableError::TableDoesNotExist(_)) => Ok(0),
        Err(error) => Err(error.to_string()),
    }
}

/// What redb or the core says, as words.
pub(super) fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests;
