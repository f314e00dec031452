//! A disk whose power can be cut at any call, and that can fail at any call.
//!
//! What was not synced when the power went survives at random, 512-byte sector by sector: each sector holds what it
//! held after some number of the writes since the last sync, so writes are torn and appear out of order. The length of
//! a file and the names of the directory survive up to a random point of their own history.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use ostler::engine::store::{Disk, DiskFile};

use super::random::Random;

const SECTOR: usize = 512;

/// What goes wrong, and at which changing call from now (1 is the next).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// Nothing.
    None,
    /// The power goes in the middle of that call; every later call fails.
    PowerCut(u64),
    /// That call fails with EIO, the later ones work.
    Error(u64),
    /// From that call on whatever could need space fails with ENOSPC.
    Full(u64),
}

#[derive(Clone, Debug)]
enum Change {
    Bytes { offset: usize, bytes: Vec<u8> },
    Length(usize),
}

#[derive(Clone, Debug, Default)]
struct Inode {
    /// As the program sees it.
    seen: Vec<u8>,
    /// As it was at the last sync.
    durable: Vec<u8>,
    /// What came since.
    since: Vec<Change>,
    locked: bool,
}

fn apply(image: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Bytes { offset, bytes } => {
            let end = offset + bytes.len();
            if image.len() < end {
                image.resize(end, 0);
            }
            image[*offset..end].copy_from_slice(bytes);
        }
        Change::Length(length) => image.resize(*length, 0),
    }
}

impl Inode {
    /// What a disk may hold of this file when the power goes.
    fn surviving(&self, random: &mut Random) -> Vec<u8> {
        // Some cuts keep everything or nothing: the extremes are cases of their own.
        let steps = self.since.len();
        let keep_of = match random.below(4) {
            0 => return self.durable.clone(),
            1 => steps,
            _ => 0,
        };
        let mut lengths = vec![self.durable.len()];
        for change in &self.since {
            let last = *lengths.last().unwrap();
            lengths.push(match change {
                Change::Bytes { offset, bytes } => last.max(offset + bytes.len()),
                Change::Length(length) => *length,
            });
        }
        let length = *if keep_of == steps { lengths.last().unwrap() } else { random.pick(&lengths) };
        let mut image = self.durable.clone();
        image.resize(lengths.iter().copied().max().unwrap_or(0), 0);
        // For each sector that was written: after how many of the changes it stopped moving.
        let mut until: BTreeMap<usize, usize> = BTreeMap::new();
        for (step, change) in self.since.iter().enumerate() {
            let Change::Bytes { offset, bytes } = change else { continue };
            let mut at = 0;
            while at < bytes.len() {
                let sector = (offset + at) / SECTOR;
                let part = ((sector + 1) * SECTOR - (offset + at)).min(bytes.len() - at);
                let until = *until
                    .entry(sector)
                    .or_insert_with(|| if keep_of == steps { steps } else { random.below(steps + 1) });
                if step < until {
                    image[offset + at..offset + at + part].copy_from_slice(&bytes[at..at + part]);
                }
                at += part;
            }
        }
        image.resize(length, 0);
        image
    }
}

#[derive(Clone, Debug)]
enum Naming {
    Link(String, usize),
    Move(String, String),
    Unlink(String),
}

fn rename(names: &mut BTreeMap<String, usize>, naming: &Naming) {
    match naming {
        Naming::Link(name, inode) => {
            names.insert(name.clone(), *inode);
        }
        Naming::Move(from, to) => {
            if let Some(inode) = names.remove(from) {
                names.insert(to.clone(), inode);
            }
        }
        Naming::Unlink(name) => {
            names.remove(name);
        }
    }
}

#[derive(Debug)]
struct Inside {
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    namings: Vec<Naming>,
    mishap: Mishap,
    calls: u64,
    off: bool,
    lies: Lies,
}

/// What a disk says it has synced and has not.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Lies {
    Never,
    Always,
    /// When nothing but this part of a file was written since the last one.
    About(Range<usize>),
}

impl Lies {
    fn about(&self, since: &[Change]) -> bool {
        match self {
            Self::Never => false,
            Self::Always => true,
            Self::About(part) => since.iter().all(|change| match change {
                Change::Bytes { offset, bytes } => part.contains(offset) && offset + bytes.len() <= part.end,
                Change::Length(_) => false,
            }),
        }
    }
}

/// A directory on that disk; clones are the same one.
#[derive(Clone, Debug)]
pub struct SimDisk {
    inside: Arc<Mutex<Inside>>,
}

impl SimDisk {
    /// An empty disk.
    pub fn new() -> Self {
        let inside = Inside {
            inodes: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            namings: Vec::new(),
            mishap: Mishap::None,
            calls: 0,
            off: false,
            lies: Lies::Never,
        };
        Self { inside: Arc::new(Mutex::new(inside)) }
    }

    /// A disk that says it has synced and has not: the negative control.
    pub fn lying() -> Self {
        let disk = Self::new();
        disk.lock().lies = Lies::Always;
        disk
    }

    /// A disk that does so where only a part of a file is to be synced.
    pub fn lying_about(part: Range<usize>) -> Self {
        let disk = Self::new();
        disk.lock().lies = Lies::About(part);
        disk
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap()
    }

    /// Arms a mishap, counted from now.
    pub fn arm(&self, mishap: Mishap) {
        let mut inside = self.lock();
        inside.calls = 0;
        inside.mishap = mishap;
    }

    /// Changing calls since a mishap was armed.
    pub fn calls(&self) -> u64 {
        self.lock().calls
    }

    /// True when the power is off.
    pub fn is_off(&self) -> bool {
        self.lock().off
    }

    /// The disk after the power came back, with what survived. Open files of the old one go on failing.
    pub fn restarted(&self, random: &mut Random) -> Self {
        let mut inside = self.lock();
        inside.off = true;
        let kept = random.below(inside.namings.len() + 1);
        let mut names = inside.durable_names.clone();
        for naming in inside.namings.iter().take(kept) {
            rename(&mut names, naming);
        }
        let inodes: Vec<_> = inside
            .inodes
            .iter()
            .map(|inode| {
                let image = inode.surviving(random);
                Inode { seen: image.clone(), durable: image, since: Vec::new(), locked: false }
            })
            .collect();
        let restarted = Self::new();
        {
            let mut new = restarted.lock();
            new.inodes = inodes;
            new.names = names.clone();
            new.durable_names = names;
            new.lies = inside.lies.clone();
        }
        restarted
    }
}

fn power() -> io::Error {
    io::Error::other("the power is off")
}

/// What becomes of a changing call.
enum Fate {
    Done,
    /// The power goes while it runs: it may have an effect, but nobody is told.
    Cut,
}

impl Inside {
    fn reading(&self) -> io::Result<()> {
        if self.off { Err(power()) } else { Ok(()) }
    }

    fn changing(&mut self, needs_space: bool) -> io::Result<Fate> {
        self.reading()?;
        self.calls += 1;
        match self.mishap {
            Mishap::PowerCut(at) if at == self.calls => {
                self.off = true;
                Ok(Fate::Cut)
            }
            Mishap::Error(at) if at == self.calls => Err(io::Error::from_raw_os_error(5)),
            Mishap::Full(at) if at <= self.calls && needs_space => Err(io::Error::from_raw_os_error(28)),
            _ => Ok(Fate::Done),
        }
    }

    fn name(&mut self, naming: Naming) {
        rename(&mut self.names, &naming);
        self.namings.push(naming);
    }
}

impl Fate {
    fn told<T>(self, value: T) -> io::Result<T> {
        match self {
            Self::Done => Ok(value),
            Self::Cut => Err(power()),
        }
    }
}

impl Disk for SimDisk {
    fn open(&self, name: &str) -> io::Result<Option<Arc<dyn DiskFile>>> {
        let inside = self.lock();
        inside.reading()?;
        let file = |inode: &usize| Arc::new(SimFile { disk: self.clone(), inode: *inode }) as Arc<dyn DiskFile>;
        Ok(inside.names.get(name).map(file))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut inside = self.lock();
        let fate = inside.changing(true)?;
        inside.inodes.push(Inode::default());
        let inode = inside.inodes.len() - 1;
        inside.name(Naming::Link(name.into(), inode));
        // Made only when it is given away: dropping one asks for the lock that is held here.
        fate.told(())?;
        Ok(Arc::new(SimFile { disk: self.clone(), inode }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut inside = self.lock();
        let fate = inside.changing(false)?;
        inside.name(Naming::Move(from.into(), to.into()));
        fate.told(())
    }

    fn link(&self, name: &str, second: &str) -> io::Result<bool> {
        let mut inside = self.lock();
        let fate = inside.changing(true)?;
        let inode = inside.names.get(name).copied();
        if let Some(inode) = inode {
            inside.name(Naming::Link(second.into(), inode));
        }
        fate.told(inode.is_some())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut inside = self.lock();
        let fate = inside.changing(false)?;
        inside.name(Naming::Unlink(name.into()));
        fate.told(())
    }

    fn secret(&self) -> u64 {
        // Known to whoever replays a seed.
        7
    }

    fn sync_names(&self) -> io::Result<()> {
        let mut inside = self.lock();
        let fate = inside.changing(false)?;
        if matches!(fate, Fate::Done) && inside.lies != Lies::Always {
            inside.durable_names = inside.names.clone();
            inside.namings.clear();
        }
        fate.told(())
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    inode: usize,
}

impl SimFile {
    fn change(&self, needs_space: bool, change: Change) -> io::Result<()> {
        let mut inside = self.disk.lock();
        let fate = inside.changing(needs_space)?;
        let inode = &mut inside.inodes[self.inode];
        apply(&mut inode.seen, &change);
        inode.since.push(change);
        fate.told(())
    }
}

impl DiskFile for SimFile {
    fn try_lock(&self) -> io::Result<bool> {
        let mut inside = self.disk.lock();
        inside.reading()?;
        let inode = &mut inside.inodes[self.inode];
        Ok(!std::mem::replace(&mut inode.locked, true))
    }

    fn len(&self) -> io::Result<u64> {
        let inside = self.disk.lock();
        inside.reading()?;
        Ok(inside.inodes[self.inode].seen.len() as u64)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let inside = self.disk.lock();
        inside.reading()?;
        let from = usize::try_from(offset).unwrap();
        let bytes = inside.inodes[self.inode].seen.get(from..from + into.len());
        into.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.change(true, Change::Bytes { offset: usize::try_from(offset).unwrap(), bytes: bytes.to_vec() })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(true, Change::Length(usize::try_from(len).unwrap()))
    }

    fn sync(&self) -> io::Result<()> {
        let mut inside = self.disk.lock();
        let fate = inside.changing(false)?;
        let lied = inside.lies.about(&inside.inodes[self.inode].since);
        if matches!(fate, Fate::Done) && !lied {
            let inode = &mut inside.inodes[self.inode];
            for change in std::mem::take(&mut inode.since) {
                apply(&mut inode.durable, &change);
            }
        }
        fate.told(())
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        self.disk.lock().inodes[self.inode].locked = false;
    }
}

#[test]
fn what_was_synced_survives_and_the_rest_may() {
    let mut random = Random::new(7);
    let (mut kept, mut lost, mut torn) = (0, 0, 0);
    for _ in 0..200 {
        let disk = SimDisk::new();
        let file = disk.create("a").unwrap();
        file.write_at(0, &[1; 2048]).unwrap();
        file.sync().unwrap();
        disk.sync_names().unwrap();
        file.write_at(0, &[2; 2048]).unwrap();
        let after = disk.restarted(&mut random);
        assert!(file.len().is_err() && disk.is_off());
        let mut bytes = [0; 2048];
        after.open("a").unwrap().unwrap().read_at(0, &mut bytes).unwrap();
        assert!(bytes.chunks(SECTOR).all(|sector| sector == [1; SECTOR] || sector == [2; SECTOR]));
        match bytes.iter().filter(|byte| **byte == 2).count() {
            0 => lost += 1,
            2048 => kept += 1,
            _ => torn += 1,
        }
    }
    assert!(kept > 10 && lost > 10 && torn > 10, "{kept} {lost} {torn}");
}
