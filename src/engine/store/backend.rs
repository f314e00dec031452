//! What stands between the store and a [`DiskFile`]: the parts of the file, and the file whose writes stay in memory.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::Trouble;
use super::disk::DiskFile;

/// Keeps the first error of a file: redb tells later callers only that something failed before.
#[derive(Debug, Default)]
pub(super) struct Latch {
    first: OnceLock<Trouble>,
    sealed: AtomicBool,
}

impl Latch {
    /// The first error, in plain words.
    pub(super) fn trouble(&self) -> Option<Trouble> {
        self.first.get().cloned()
    }

    /// From now on nothing is written through it any more: redb writes once more when it is dropped, and by then the
    /// file may be read by another.
    pub(super) fn seal(&self) {
        self.sealed.store(true, Ordering::Release);
    }

    fn is_sealed(&self) -> bool {
        self.sealed.load(Ordering::Acquire)
    }

    fn note<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result {
            self.first.get_or_init(|| Trouble::of(error));
        }
        result
    }
}

/// A part of a file, from an offset to its end: as redb wants it, and for the log. After the first error every call
/// fails: nothing is retried on a disk that failed.
#[derive(Clone, Debug)]
pub(super) struct Region {
    file: Arc<dyn DiskFile>,
    latch: Arc<Latch>,
    from: u64,
}

impl Region {
    pub(super) fn new(file: Arc<dyn DiskFile>, latch: Arc<Latch>, from: u64) -> Self {
        Self { file, latch, from }
    }

    fn call<T>(&self, operation: impl FnOnce(&dyn DiskFile) -> io::Result<T>) -> io::Result<T> {
        match self.latch.trouble() {
            Some(trouble) => Err(io::Error::other(trouble)),
            None => self.latch.note(operation(&*self.file)),
        }
    }

    fn change<T>(&self, operation: impl FnOnce(&dyn DiskFile) -> io::Result<T>) -> io::Result<T> {
        if self.latch.is_sealed() {
            return Err(io::Error::other("the store is read-only"));
        }
        self.call(operation)
    }
}

impl redb::StorageBackend for Region {
    fn len(&self) -> io::Result<u64> {
        self.call(|file| Ok(file.len()?.saturating_sub(self.from)))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.call(|file| file.read_at(self.from + offset, out))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(|file| file.set_len(self.from + len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.change(|file| file.sync())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(|file| file.write_at(self.from + offset, data))
    }
}

/// Bytes copied at a time.
const PIECE: usize = 1 << 20;

/// Copies a file that nobody writes to into an empty one, from an offset on there.
pub(super) fn copy(from: &dyn DiskFile, to: &dyn DiskFile, offset: u64) -> io::Result<()> {
    let length = from.len()?;
    to.set_len(offset + length)?;
    let mut piece = vec![0; PIECE];
    let mut at = 0;
    while at < length {
        let size = usize::try_from(length - at).unwrap_or(PIECE).min(PIECE);
        let Some(part) = piece.get_mut(..size) else { break };
        from.read_at(at, part)?;
        // What is all zeros is a hole already.
        if part.iter().any(|byte| *byte != 0) {
            to.write_at(offset + at, part)?;
        }
        at += size as u64;
    }
    Ok(())
}

const BLOCK: usize = 4096;

/// A file that is only read; what is written over it stays in memory. redb must write a little to open a file after
/// a crash, and a disk that failed is not written to again.
#[derive(Debug)]
pub(super) struct Frozen {
    file: Arc<dyn DiskFile>,
    over: Mutex<Over>,
}

#[derive(Debug)]
struct Over {
    len: u64,
    /// How much of the file on the disk still counts.
    on_disk: u64,
    blocks: BTreeMap<u64, Box<[u8; BLOCK]>>,
}

impl Frozen {
    pub(super) fn over(file: Arc<dyn DiskFile>) -> io::Result<Self> {
        let on_disk = file.len()?;
        Ok(Self { file, over: Mutex::new(Over { len: on_disk, on_disk, blocks: BTreeMap::new() }) })
    }

    fn lock(&self) -> MutexGuard<'_, Over> {
        self.over.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One block as the file on the disk has it; zeros past its end.
    fn block_on_disk(&self, on_disk: u64, block: u64) -> io::Result<Box<[u8; BLOCK]>> {
        let mut bytes = Box::new([0; BLOCK]);
        let start = block * BLOCK as u64;
        let there = usize::try_from(on_disk.saturating_sub(start)).unwrap_or(BLOCK).min(BLOCK);
        if let Some(into) = bytes.get_mut(..there).filter(|into| !into.is_empty()) {
            self.file.read_at(start, into)?;
        }
        Ok(bytes)
    }
}

/// The parts of `len` bytes at `offset`, cut at block borders: block, start in it, start in the buffer, length.
fn parts(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, usize, usize)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = offset + done as u64;
        let start = usize::try_from(at % BLOCK as u64).unwrap_or(0);
        let part = (BLOCK - start).min(len - done);
        let found = (part > 0).then_some((at / BLOCK as u64, start, done, part));
        done += part;
        found
    })
}

impl DiskFile for Frozen {
    fn try_lock(&self) -> io::Result<bool> {
        self.file.try_lock()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.lock().len)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let over = self.lock();
        let end = offset.checked_add(into.len() as u64).filter(|end| *end <= over.len);
        end.ok_or(io::ErrorKind::UnexpectedEof)?;
        for (block, start, done, part) in parts(offset, into.len()) {
            let disk;
            let bytes = match over.blocks.get(&block) {
                Some(bytes) => bytes,
                None => {
                    disk = self.block_on_disk(over.on_disk, block)?;
                    &disk
                }
            };
            if let (Some(to), Some(from)) = (into.get_mut(done..done + part), bytes.get(start..start + part)) {
                to.copy_from_slice(from);
            }
        }
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut over = self.lock();
        for (block, start, done, part) in parts(offset, bytes.len()) {
            if !over.blocks.contains_key(&block) {
                let old = self.block_on_disk(over.on_disk, block)?;
                over.blocks.insert(block, old);
            }
            let to = over.blocks.get_mut(&block).and_then(|block| block.get_mut(start..start + part));
            if let (Some(to), Some(from)) = (to, bytes.get(done..done + part)) {
                to.copy_from_slice(from);
            }
        }
        over.len = over.len.max(offset + bytes.len() as u64);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut over = self.lock();
        if len < over.len {
            // What was cut off must read as zeros when the file grows again.
            over.on_disk = over.on_disk.min(len);
            over.blocks.split_off(&len.div_ceil(BLOCK as u64));
            let kept = usize::try_from(len % BLOCK as u64).unwrap_or(0);
            if let Some(tail) = over.blocks.get_mut(&(len / BLOCK as u64)).and_then(|block| block.get_mut(kept..)) {
                tail.fill(0);
            }
        }
        over.len = len;
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
