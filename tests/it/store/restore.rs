//! Power cuts and errors of the disk while a backup takes the place of a store: one of the two is always there, whole.

use std::sync::Arc;

use ostler::engine::core::{State, Table, WriteSet};
use ostler::engine::store::archive::{self, Archive};
use ostler::engine::store::{Disk, NewStore, Outcome, RestoreError, Store, StoreOptions, Trouble};

use super::random::Random;
use super::seed;
use super::sim_disk::{Mishap, SimDisk};

const KEPT: &str = "kept";

fn open(disk: &SimDisk) -> Store {
    let log_bytes = StoreOptions::DEFAULT_LOG;
    Store::open(disk, &StoreOptions { cache_bytes: 0, log_bytes, new_id: 7 }).expect("the store opens")
}

fn put(store: &Store, value: &str) -> Result<(), Trouble> {
    let mut writes = WriteSet::default();
    writes.put(Table::Meta, b"test", value);
    store.write(|open| Ok((open.apply(&writes)?, Outcome::Commit)))
}

fn value(store: &Store) -> String {
    let value = store.snapshot().unwrap().get(Table::Meta, b"test").unwrap();
    String::from_utf8(value.expect("a value")).unwrap()
}

/// A disk with a store that holds `old`, and a backup from when it held `saved`.
fn prepared() -> (SimDisk, Vec<u8>) {
    let disk = SimDisk::new();
    let store = open(&disk);
    put(&store, "saved").unwrap();
    let mut backup = Vec::new();
    archive::write(&store.snapshot().unwrap(), 0, &mut backup).unwrap();
    put(&store, "old").unwrap();
    store.close();
    (disk, backup)
}

/// Restores `backup` and writes `new`. Gives the store, what the restore came to, and whether `new` was acknowledged.
fn restore(disk: &SimDisk, backup: &[u8], mishap: Mishap) -> (Store, Result<(), RestoreError>, bool) {
    let store = open(disk);
    disk.arm(mishap);
    let made = Archive::open(backup).map_err(RestoreError::from);
    let made = made.and_then(|archive| NewStore::make(Arc::new(disk.clone()), archive, Some(7)));
    let replaced = made.and_then(|new| store.replace(new, KEPT)).map(drop);
    let written = replaced.is_ok() && put(&store, "new").is_ok();
    (store, replaced, written)
}

/// The changing calls to die at: some of those that make the new store, and each one from then on.
fn calls(disk: &SimDisk, backup: &[u8]) -> impl Iterator<Item = u64> {
    let disk = disk.restarted(&mut Random::new(seed()));
    let (_, replaced, written) = restore(&disk, backup, Mishap::None);
    assert!(replaced.is_ok() && written);
    let all = disk.calls();
    (1..=all + 1).filter(move |call| call % 7 == 0 || call + 30 > all)
}

#[test]
fn a_power_cut_leaves_the_old_store_or_the_restored_one() {
    let (before, backup) = prepared();
    let mut random = Random::new(seed());
    let (mut found_old, mut found_new) = (0, 0);
    for call in calls(&before, &backup) {
        for _ in 0..3 {
            let disk = before.restarted(&mut random);
            let (store, replaced, written) = restore(&disk, &backup, Mishap::PowerCut(call));
            let after = disk.restarted(&mut random);
            drop(store);
            let found = value(&open(&after));
            let replaced = replaced.is_ok();
            match found.as_str() {
                "old" => assert!(!replaced, "call {call}: a restore that was answered is undone"),
                "saved" => assert!(!written, "call {call}: a commit that was answered is lost"),
                "new" => assert!(replaced, "call {call}"),
                other => panic!("call {call}: {other}"),
            }
            if found == "old" {
                found_old += 1;
                continue;
            }
            found_new += 1;
            after.rename(KEPT, "db.redb").unwrap();
            assert_eq!(value(&open(&after)), "old", "call {call}: what was there before is kept");
        }
    }
    assert!(found_old > 0 && found_new > 0, "{found_old} {found_new}");
}

#[test]
fn an_error_of_the_disk_leaves_the_old_store_at_work_or_the_restored_one() {
    let (before, backup) = prepared();
    let mut random = Random::new(seed());
    let mut failed = 0;
    for call in calls(&before, &backup) {
        let disk = before.restarted(&mut random);
        let (store, replaced, written) = restore(&disk, &backup, Mishap::Error(call));
        disk.arm(Mishap::None);
        let expected = match replaced {
            Ok(()) if written => "new",
            Ok(()) => "saved",
            Err(RestoreError::Unsettled(_)) => {
                assert!(store.is_frozen().is_some(), "call {call}");
                "saved"
            }
            Err(error) => {
                failed += 1;
                assert_eq!(store.is_frozen(), None, "call {call}: {error}");
                put(&store, "gone on").unwrap();
                assert!(disk.open(KEPT).unwrap().is_none(), "call {call}: {error}");
                "gone on"
            }
        };
        let found = value(&store);
        assert!(found == expected || found == "new", "call {call}: {found}, not {expected}");
        store.close();
        drop(store);
        let after = value(&open(&disk));
        // What failed while it was written may be kept all the same.
        assert!(after == found || after == "new", "call {call}: {after}, not {found}");
    }
    assert!(failed > 10, "{failed}");
}
