//! What the store needs of a disk. Small, so that a simulated one can stand in for all of it.

mod real;

use std::fmt::Debug;
use std::io;
use std::sync::Arc;

pub use real::RealDisk;

/// A directory of files. Names are plain file names.
pub trait Disk: Send + Sync {
    /// The file of that name, or `None` where there is none.
    fn open(&self, name: &str) -> io::Result<Option<Arc<dyn DiskFile>>>;

    /// A new, empty file that only this user can read; an old one of that name is replaced.
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Gives a file another name; durable after [`sync_names`](Self::sync_names).
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Gives a file a second name, which must be free; durable after [`sync_names`](Self::sync_names). False where there
    /// is no file.
    fn link(&self, name: &str, second: &str) -> io::Result<bool>;

    /// Removes a file; one that is not there is fine.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// A number that nobody else knows or can guess.
    fn secret(&self) -> u64;

    /// Makes every creation, renaming and removal so far durable.
    fn sync_names(&self) -> io::Result<()>;
}

/// An open file.
pub trait DiskFile: Debug + Send + Sync {
    /// Takes the file for this handle alone, until it is dropped. False when another handle has it.
    fn try_lock(&self) -> io::Result<bool>;

    /// Its length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// True when it holds nothing.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Fills `into` from `offset`; reading past the end is an error.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()>;

    /// Writes all of `bytes` at `offset`.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Writes zeros, so that there is room for what is written there later: neither the length nor a hole that is
    /// filled has to be made durable with it.
    fn write_zeros(&self, offset: u64, length: usize) -> io::Result<()> {
        self.write_at(offset, &vec![0; length])
    }

    /// Sets the length; what is new reads as zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes everything written so far durable, the length included.
    fn sync(&self) -> io::Result<()>;
}
