//! How the file is divided.
//!
//! ```text
//! [0, 4 KiB)      the header: what this is, and where the tables begin; written once
//! [4 KiB, 1 MiB)  the commit log
//! [1 MiB, ...)    the tables, a database of redb
//! ```
//!
//! One file and not two: a log that could be left behind, or taken for that of another store, would lose or spoil
//! what was acknowledged; and a copy, a new name or a removal is one step. Formats 1 and 2 were redb's database alone.

use std::io;
use std::sync::Arc;

use super::backend::{Latch, Region, copy};
use super::disk::{Disk, DiskFile};
use super::format::{FORMAT_VERSION, NAME, NEW_NAME, OpenError, while_doing};
use super::log::Log;

const MAGIC: &[u8; 16] = b"ostler store\x1a\n\0\0";
/// The format that brought this division. A program that does not know it cannot know where the tables are.
const SINCE: u32 = 3;

/// Where the log begins.
const LOG_AT: u64 = 4096;
/// How long it is in a new file.
const LOG_BYTES: usize = (1 << 20) - 4096;
/// Where the tables begin in a new file.
const TABLES_AT: u64 = LOG_AT + LOG_BYTES as u64;

/// Where the parts of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Where the tables begin.
    tables_at: u64,
    /// What makes the checksums of the log those of this file.
    salt: u64,
}

impl Frame {
    /// The log of the file, of which `most` bytes are used.
    pub(super) fn log(self, file: Arc<dyn DiskFile>, latch: Arc<Latch>, most: usize) -> Log {
        let length = usize::try_from(self.tables_at - LOG_AT).unwrap_or_default();
        Log::new(Region::new(file, latch, LOG_AT), length, self.salt, most)
    }

    /// The tables of the file.
    pub(super) fn tables(self, file: Arc<dyn DiskFile>, latch: Arc<Latch>) -> Region {
        Region::new(file, latch, self.tables_at)
    }
}

/// Magic, format, where the tables are, salt, checksum.
const HEADER_BYTES: usize = 16 + 4 + 8 + 8 + 4;

fn header(frame: Frame) -> Vec<u8> {
    let numbers = [frame.tables_at, frame.salt].map(u64::to_be_bytes).concat();
    let mut header = [&MAGIC[..], &SINCE.to_be_bytes(), &numbers].concat();
    header.extend(crc32c::crc32c(&header).to_be_bytes());
    header
}

/// Writes the header and an empty log into an empty file. The log is written out, not left as a hole: to find room
/// for it later would cost each commit a flush of its own, and could fail.
pub(super) fn write(disk: &dyn Disk, file: &dyn DiskFile) -> io::Result<Frame> {
    let frame = Frame { tables_at: TABLES_AT, salt: disk.secret() };
    file.write_at(0, &header(frame))?;
    file.write_zeros(LOG_AT, LOG_BYTES)?;
    Ok(frame)
}

/// How a file is divided; none when it is not, as in the formats before.
pub(super) fn read(file: &dyn DiskFile) -> Result<Option<Frame>, OpenError> {
    let mut found = vec![0; HEADER_BYTES];
    if file.len().map_err(while_doing("read the store"))? < found.len() as u64 {
        return Ok(None);
    }
    file.read_at(0, &mut found).map_err(while_doing("read the store"))?;
    let Some(rest) = found.strip_prefix(MAGIC) else { return Ok(None) };
    let whole = found.split_last_chunk::<4>().is_some_and(|(head, sum)| crc32c::crc32c(head).to_be_bytes() == *sum);
    let damaged = || OpenError::Damaged("its first bytes are damaged".into());
    let (since, rest) = rest.split_first_chunk::<4>().filter(|_| whole).ok_or_else(damaged)?;
    let since = u32::from_be_bytes(*since);
    if since > FORMAT_VERSION {
        return Err(OpenError::Newer { found: since, needed: since });
    }
    let (tables_at, rest) = rest.split_first_chunk::<8>().ok_or_else(damaged)?;
    let salt = rest.first_chunk::<8>().ok_or_else(damaged)?;
    let frame = Frame { tables_at: u64::from_be_bytes(*tables_at), salt: u64::from_be_bytes(*salt) };
    if frame.tables_at < LOG_AT { Err(damaged()) } else { Ok(Some(frame)) }
}

/// Puts an undivided file into a divided one, which takes its name at the end; gives the new one, locked.
pub(super) fn wrap(disk: &dyn Disk, old: &dyn DiskFile) -> io::Result<(Arc<dyn DiskFile>, Frame)> {
    let new = disk.create(NEW_NAME)?;
    if !new.try_lock()? {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    let frame = write(disk, &*new)?;
    copy(old, &*new, TABLES_AT)?;
    new.sync()?;
    disk.rename(NEW_NAME, NAME)?;
    disk.sync_names()?;
    Ok((new, frame))
}
