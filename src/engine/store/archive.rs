//! A backup: the whole store as one stream of bytes, independent of redb.
//!
//! It holds what cannot be rebuilt (facts about the store, the dictionary, the objects) and none of what follows from
//! the objects; reading it back rebuilds that. So a backup of an older format is migrated by being restored.
//!
//! ```text
//! "ostler backup\n" [version u32] [header: length u32, BackupHeader]
//! [block: length u32 > 0, [length u8, name of the table], rows of [length u32, key, length u32, value]] ...
//! [0 u32] [rows u64] [SHA-256 of everything before it]
//! ```

use std::io::{self, Read, Write};
use std::ops::ControlFlow;

use prost::Message;
use sha2::{Digest, Sha256};

use super::tables::{name_of, named};
use super::{Disk, OpenError, Outcome, Snapshot, Store, StoreOptions, Trouble, format};
use crate::api::store::v1::BackupHeader;
use crate::engine::core::{Fault, Order, State, Table, WriteSet, rebuild};

const MAGIC: &[u8] = b"ostler backup\n";
const VERSION: u32 = 1;
/// What is kept; the rest follows from it.
const KEPT: [Table; 5] = [Table::Meta, Table::Dict, Table::DictRev, Table::Obj, Table::Change];
/// A block is written when it has this many bytes; one row more fits in any case.
const BLOCK: usize = 64 << 10;
/// No block is longer: a row has a few megabytes at most.
const LONGEST_BLOCK: usize = 64 << 20;
const LONGEST_HEADER: usize = 64 << 10;
/// Bytes that one commit of a restore writes.
const COMMIT: usize = 4 << 20;

/// Why a backup cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] Fault),
    /// The backup cannot be read or written.
    #[error("the backup cannot be read or written: {0}")]
    Io(#[from] io::Error),
    /// It is something else, cut off, or changed.
    #[error("this is no whole backup of ostler: {0}")]
    Damaged(String),
    /// It needs a newer ostler.
    #[error("the backup was made by a newer ostler: its store is of format {found}, this one knows up to {known}")]
    Newer {
        /// The format in the backup.
        found: u32,
        /// The newest format that this program knows.
        known: u32,
    },
    /// The store that it is restored to cannot be made.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// That store cannot be written.
    #[error("the restored store cannot be written: {0}")]
    Write(#[from] Trouble),
}

fn damaged(detail: impl Into<String>) -> ArchiveError {
    ArchiveError::Damaged(detail.into())
}

/// Passes bytes on and keeps their hash.
struct Hashed<T> {
    inner: T,
    hash: Sha256,
}

impl<T> Hashed<T> {
    fn new(inner: T) -> Self {
        Self { inner, hash: Sha256::new() }
    }
}

impl<W: Write> Hashed<W> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.inner.write_all(bytes)
    }

    fn put_length(&mut self, length: usize) -> io::Result<()> {
        self.put(&length_bytes(length)?)
    }
}

fn length_bytes(length: usize) -> io::Result<[u8; 4]> {
    u32::try_from(length).map(u32::to_be_bytes).map_err(io::Error::other)
}

/// Writes a backup of what `snapshot` sees, made at `now` (milliseconds since 1970). Returns the number of rows.
pub fn write(snapshot: &Snapshot, now: i64, out: &mut dyn Write) -> Result<u64, ArchiveError> {
    let found = format::read(snapshot)?;
    let header = BackupHeader {
        format: found.format,
        store_id: found.id.to_be_bytes().to_vec(),
        made_at: now,
        made_by: concat!("ostler ", env!("CARGO_PKG_VERSION")).to_owned(),
    };
    let mut out = Hashed::new(out);
    out.put(MAGIC)?;
    out.put(&VERSION.to_be_bytes())?;
    let header = header.encode_to_vec();
    out.put_length(header.len())?;
    out.put(&header)?;
    let mut rows = 0;
    for table in KEPT {
        rows += write_table(snapshot, table, &mut out)?;
    }
    out.put(&[0; 4])?;
    out.put(&rows.to_be_bytes())?;
    let hash = out.hash.finalize();
    out.inner.write_all(&hash)?;
    out.inner.flush()?;
    Ok(rows)
}

fn write_table<W: Write>(snapshot: &Snapshot, table: Table, out: &mut Hashed<W>) -> Result<u64, ArchiveError> {
    let name = name_of(table).as_bytes();
    let head = [&[u8::try_from(name.len()).unwrap_or_default()], name].concat();
    let mut block = head.clone();
    let (mut rows, mut outcome) = (0, Ok(()));
    let mut flush = |block: &mut Vec<u8>| -> io::Result<()> {
        out.put_length(block.len())?;
        out.put(block)?;
        block.truncate(head.len());
        Ok(())
    };
    snapshot.scan(table, &[], None, Order::Ascending, &mut |key, value| {
        rows += 1;
        for part in [key, value] {
            match length_bytes(part.len()) {
                Ok(length) => block.extend(length),
                Err(error) => outcome = Err(error),
            }
            block.extend(part);
        }
        if block.len() >= BLOCK && outcome.is_ok() {
            outcome = flush(&mut block);
        }
        if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    outcome?;
    if block.len() > head.len() {
        flush(&mut block)?;
    }
    Ok(rows)
}

/// A backup being read. Only when [`next`](Self::next) gave nothing more without an error, all of it was whole.
pub struct Archive<R> {
    input: Hashed<R>,
    header: BackupHeader,
    rows: u64,
}

impl<R: Read> Archive<R> {
    /// Reads what the backup says of itself. Refuses one of a newer format.
    pub fn open(input: R) -> Result<Self, ArchiveError> {
        let mut archive = Self { input: Hashed::new(input), header: BackupHeader::default(), rows: 0 };
        if archive.take(MAGIC.len())? != MAGIC {
            return Err(damaged("it begins with something else"));
        }
        match archive.number()? {
            VERSION => {}
            newer => return Err(damaged(format!("it is written in version {newer}, this ostler reads {VERSION}"))),
        }
        let length = archive.length(LONGEST_HEADER)?;
        let header = archive.take(length)?;
        archive.header = BackupHeader::decode(&*header).map_err(|error| damaged(error.to_string()))?;
        let found = archive.header.format;
        if found > super::FORMAT_VERSION {
            return Err(ArchiveError::Newer { found, known: super::FORMAT_VERSION });
        }
        Ok(archive)
    }

    /// What it says of itself.
    pub fn header(&self) -> &BackupHeader {
        &self.header
    }

    /// Rows read so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The next rows; none at the end, where the whole is compared with its hash.
    pub fn next_writes(&mut self) -> Result<Option<WriteSet>, ArchiveError> {
        let length = self.length(LONGEST_BLOCK)?;
        if length == 0 {
            return self.end().map(|()| None);
        }
        let block = self.take(length)?;
        let wrong = || damaged("a block of it has an unknown form");
        let (name, mut rest) = block
            .split_first()
            .and_then(|(length, rest)| rest.split_at_checked(usize::from(*length)))
            .ok_or_else(wrong)?;
        let table = std::str::from_utf8(name).ok().and_then(named).filter(|table| KEPT.contains(table));
        let table = table.ok_or_else(|| damaged(format!("it has a table {:?}", String::from_utf8_lossy(name))))?;
        let mut writes = WriteSet::default();
        while !rest.is_empty() {
            let (key, after) = part(rest).ok_or_else(wrong)?;
            let (value, after) = part(after).ok_or_else(wrong)?;
            rest = after;
            self.rows += 1;
            writes.put(table, key, value);
        }
        Ok(Some(writes))
    }

    fn end(&mut self) -> Result<(), ArchiveError> {
        let rows = self.take(8)?;
        if rows != self.rows.to_be_bytes() {
            return Err(damaged("it has more or fewer rows than it says"));
        }
        let expected = std::mem::take(&mut self.input.hash).finalize();
        let hash = self.take(expected.len())?;
        if hash != *expected {
            return Err(damaged("its hash is another one"));
        }
        match self.input.inner.read(&mut [0])? {
            0 => Ok(()),
            _ => Err(damaged("something follows after its end")),
        }
    }

    fn take(&mut self, length: usize) -> Result<Vec<u8>, ArchiveError> {
        let mut bytes = Vec::new();
        // Grows with what is there: a length that lies does not cost its memory.
        let read = self.input.inner.by_ref().take(length as u64).read_to_end(&mut bytes)?;
        if read < length {
            return Err(damaged("it is cut off"));
        }
        self.input.hash.update(&bytes);
        Ok(bytes)
    }

    fn number(&mut self) -> Result<u32, ArchiveError> {
        let bytes = self.take(4)?;
        <[u8; 4]>::try_from(bytes).map(u32::from_be_bytes).map_err(|_| damaged("it is cut off"))
    }

    fn length(&mut self, most: usize) -> Result<usize, ArchiveError> {
        let length = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        if length > most { Err(damaged("a part of it has an impossible length")) } else { Ok(length) }
    }
}

fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

/// Makes a store out of a backup on an empty disk, with everything that follows from its objects. Returns it with the
/// number of rows that the backup had.
pub fn restore<R: Read>(disk: &dyn Disk, mut archive: Archive<R>) -> Result<(Store, u64), ArchiveError> {
    let store = Store::open(disk, &StoreOptions { cache_bytes: StoreOptions::DEFAULT_CACHE, log_bytes: 0, new_id: 0 })?;
    let mut whole = false;
    while !whole {
        let mut writes = WriteSet::default();
        while writes.size() < COMMIT && !whole {
            match archive.next_writes()? {
                Some(rows) => writes.add(rows),
                None => whole = true,
            }
        }
        if whole {
            // Whatever format the backup was of, this is what it is made into.
            writes.add(format::version());
            writes.add(rebuild::begin());
        }
        store.write(|open| Ok((open.apply(&writes)?, Outcome::Commit)))?;
    }
    store.rebuild()?;
    // What it is called is read when it is opened.
    drop(store);
    let store = Store::open_existing(disk, StoreOptions::DEFAULT_CACHE)?;
    if archive.header.store_id != store.id().to_be_bytes() {
        return Err(damaged("it says that it is of another store than the one that is in it"));
    }
    Ok((store, archive.rows))
}
