use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::engine::core::state::MemoryState;
use crate::engine::core::{Order, State};
use crate::engine::store::backend::Latch;
use crate::engine::store::{OpenError, Outcome, RealDisk, STORE_FILE, Store, StoreOptions, frame};

fn options(log_bytes: usize) -> StoreOptions {
    StoreOptions { cache_bytes: 0, log_bytes, new_id: 1 }
}

fn open(directory: &Path, log_bytes: usize) -> Result<Store, OpenError> {
    Store::open(&RealDisk::new(directory), &options(log_bytes))
}

fn commit(store: &Store, writes: &WriteSet) {
    store.write(|open| Ok((open.apply(writes)?, Outcome::Commit))).unwrap();
}

fn put(key: &str, value: &[u8]) -> WriteSet {
    let mut writes = WriteSet::default();
    writes.put(Table::Ids, key, value);
    writes
}

fn value(store: &Store, key: &str) -> Option<Vec<u8>> {
    store.snapshot().unwrap().get(Table::Ids, key.as_bytes()).unwrap()
}

/// The file as a kill -9 would leave it, in a directory of its own.
fn killed(directory: &Path) -> tempfile::TempDir {
    let other = tempfile::tempdir().unwrap();
    std::fs::copy(directory.join(STORE_FILE), other.path().join(STORE_FILE)).unwrap();
    other
}

/// The file after a kill -9, with its bytes changed.
fn changed(directory: &Path, change: impl FnOnce(&mut Vec<u8>)) -> tempfile::TempDir {
    let other = killed(directory);
    let path = other.path().join(STORE_FILE);
    let mut bytes = std::fs::read(&path).unwrap();
    change(&mut bytes);
    std::fs::write(path, bytes).unwrap();
    other
}

fn in_log(block: usize) -> usize {
    4096 + block * BLOCK
}

/// How many records only the log has.
fn ahead(directory: &Path) -> u64 {
    let other = killed(directory);
    let disk = RealDisk::new(other.path());
    let file = crate::engine::store::format::find(&disk).unwrap().unwrap();
    let frame = frame::read(&*file).unwrap().unwrap();
    let latch = Arc::new(Latch::default());
    let tables = frame.tables(file.clone(), latch.clone());
    let database = crate::engine::store::format::open_database(tables, StoreOptions::MIN_CACHE).unwrap();
    frame.log(file, latch, 0).recover(&database, None).unwrap()
}

#[test]
fn a_small_commit_goes_to_the_log_and_a_large_one_or_a_full_log_to_the_tables() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), 4 * BLOCK).unwrap();
    for number in 1..=4u8 {
        commit(&store, &put("a", &[number; 100]));
        assert_eq!(ahead(directory.path()), u64::from(number));
    }
    commit(&store, &put("a", b"the log is full"));
    assert_eq!(ahead(directory.path()), 0);
    commit(&store, &put("b", b"again"));
    assert_eq!(ahead(directory.path()), 1);
    commit(&store, &put("c", &[0; 4 * BLOCK]));
    assert_eq!(ahead(directory.path()), 0);
    commit(&store, &put("b", b"and again"));
    assert_eq!(ahead(directory.path()), 1);
    // What is given up leaves everything as it is, and an empty commit is one.
    store.write(|open| Ok((open.apply(&put("d", b"never"))?, Outcome::Abort))).unwrap();
    assert_eq!((ahead(directory.path()), value(&store, "d")), (1, None));
    commit(&store, &WriteSet::default());
    commit(&store, &put("d", b"after it"));
    assert_eq!(ahead(directory.path()), 3);
    store.close();
    assert_eq!(ahead(directory.path()), 0);
}

#[test]
fn a_log_that_is_nearly_full_is_brought_into_the_tables_between_commits() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), 6 * BLOCK).unwrap();
    for number in 1..=4u8 {
        commit(&store, &put("a", &[number]));
        store.settle().unwrap();
        assert_eq!(ahead(directory.path()), u64::from(number));
    }
    commit(&store, &put("a", &[5]));
    store.settle().unwrap();
    assert_eq!((ahead(directory.path()), value(&store, "a").unwrap()), (0, vec![5]));
}

#[test]
fn a_record_that_a_power_cut_tore_is_none_and_what_follows_takes_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), StoreOptions::DEFAULT_LOG).unwrap();
    commit(&store, &put("a", b"first"));
    commit(&store, &put("a", &[2; 6_000]));
    // Each byte of the last record counts: its head, its rows, its second block.
    for at in [0, 3, 4, 7, 8, 15, 16, 100, BLOCK, 6_000] {
        let torn = changed(directory.path(), |bytes| bytes[in_log(1) + at] ^= 1);
        let store = open(torn.path(), StoreOptions::DEFAULT_LOG).unwrap();
        assert_eq!(value(&store, "a").unwrap(), b"first", "{at}");
        commit(&store, &put("b", b"another"));
        let again = killed(torn.path());
        let store = open(again.path(), StoreOptions::DEFAULT_LOG).unwrap();
        assert_eq!((value(&store, "a").unwrap(), value(&store, "b").unwrap()), (b"first".into(), b"another".into()));
    }
}

#[test]
fn what_an_earlier_round_left_is_not_taken_for_a_record_however_it_looks() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), 8 * BLOCK).unwrap();
    // Somebody sends a value with a record in it, at the very place and with the very number of one that is to come.
    let mut forged = Record::up_to(BLOCK);
    forged.add(Table::Ids, b"x", Some(b"forged"));
    let before = BLOCK - HEAD - 9 - "a".len();
    let rows = [vec![0; before], forged.sealed(9, 0)].concat();
    commit(&store, &put("a", &rows));
    for number in 0..8u8 {
        commit(&store, &put("b", &[number]));
    }
    let place = |bytes: &mut Vec<u8>| assert!(bytes[in_log(1)..].starts_with(&rows[before..before + 16]));
    changed(directory.path(), place);
    assert_eq!(ahead(directory.path()), 1);
    let again = killed(directory.path());
    let store = open(again.path(), 8 * BLOCK).unwrap();
    assert_eq!((value(&store, "a").unwrap(), value(&store, "b").unwrap()), (rows, vec![7]));
    assert_eq!(value(&store, "x"), None);
}

#[test]
fn damage_to_what_was_acknowledged_is_told_and_the_file_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), StoreOptions::DEFAULT_LOG).unwrap();
    for number in 0..3u8 {
        commit(&store, &put("a", &[number]));
    }
    for damage in [in_log(0), in_log(1) + 20] {
        let damaged = changed(directory.path(), |bytes| bytes[damage] ^= 1);
        let error = open(damaged.path(), StoreOptions::DEFAULT_LOG).err().unwrap();
        assert!(matches!(&error, OpenError::Damaged(what) if what.contains("its log cannot be read")), "{error}");
    }
    // A log whose first record is gone without a trace: the tables would be older than what it goes on with.
    let gap = changed(directory.path(), |bytes| {
        let (to, from) = (in_log(0), in_log(1));
        bytes.copy_within(from..from + 2 * BLOCK, to);
    });
    let error = open(gap.path(), StoreOptions::DEFAULT_LOG).err().unwrap();
    assert!(error.to_string().contains("its log goes on at 2, but its tables end at 0"), "{error}");
}

#[test]
fn a_damaged_header_is_told_and_one_of_a_newer_ostler_too() {
    let directory = tempfile::tempdir().unwrap();
    open(directory.path(), 0).unwrap().close();
    for at in [17, 24, 31, 37] {
        let damaged = changed(directory.path(), |bytes| bytes[at] ^= 1);
        assert!(matches!(open(damaged.path(), 0), Err(OpenError::Damaged(_))), "{at}");
    }
    let newer = changed(directory.path(), |bytes| {
        bytes[16..20].copy_from_slice(&99u32.to_be_bytes());
        let sum = crc32c::crc32c(&bytes[..36]);
        bytes[36..40].copy_from_slice(&sum.to_be_bytes());
    });
    assert!(matches!(open(newer.path(), 0), Err(OpenError::Newer { found: 99, needed: 99 })));
}

#[test]
fn nothing_is_written_to_the_file_of_a_store_that_is_frozen() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), StoreOptions::DEFAULT_LOG).unwrap();
    commit(&store, &put("a", b"kept"));
    let before = std::fs::read(directory.path().join(STORE_FILE)).unwrap();
    let open_before = store.snapshot().unwrap();
    store.freeze(crate::engine::store::Trouble::Damaged("of a test".into()));
    assert_eq!(value(&store, "a").unwrap(), b"kept");
    assert_eq!(open_before.get(Table::Ids, b"a").unwrap().unwrap(), b"kept");
    drop(open_before);
    store.close();
    assert!(std::fs::read(directory.path().join(STORE_FILE)).unwrap() == before, "the file was written to");
    assert_eq!(value(&open(directory.path(), 0).unwrap(), "a").unwrap(), b"kept");
}

fn everything(store: &Store) -> MemoryState {
    let snapshot = store.snapshot().unwrap();
    let mut writes = WriteSet::default();
    for table in Table::ALL {
        let keep = &mut |key: &[u8], value: &[u8]| {
            writes.put(table, key, value);
            std::ops::ControlFlow::Continue(())
        };
        snapshot.scan(table, &[], None, Order::Ascending, keep).unwrap();
    }
    let mut all = MemoryState::default();
    all.apply(&writes);
    all
}

/// Table, key, and what is put there: so many bytes of a value, or none to remove it.
type Row = (prop::sample::Index, u8, Option<(u8, u16)>);

fn writes_of(rows: &[Row]) -> WriteSet {
    let mut writes = WriteSet::default();
    for (table, key, value) in rows {
        let table = *table.get(&Table::ALL);
        let key = vec![*key; table.key_width().unwrap_or(3)];
        match value {
            Some((byte, length)) => writes.put(table, key, vec![*byte; usize::from(*length)]),
            None => writes.remove(table, key),
        }
    }
    writes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Lives of some commits each, that end with a kill -9 or in order, with logs of any length.
    #[test]
    fn what_was_committed_is_there_after_every_end(
        lives in prop::collection::vec(
            (
                prop::collection::vec(
                    prop::collection::vec((any::<prop::sample::Index>(), 0u8..6, prop::option::of((any::<u8>(), 0u16..3_000))), 1..12),
                    0..8,
                ),
                0usize..12,
                any::<bool>(),
            ),
            1..6,
        ),
    ) {
        let mut directory = tempfile::tempdir().unwrap();
        let mut model = None;
        for (commits, blocks, in_order) in lives {
            let store = open(directory.path(), blocks * BLOCK).unwrap();
            let found = everything(&store);
            let model = model.get_or_insert_with(|| found.clone());
            prop_assert!(found == *model, "a life began with something else");
            for rows in commits {
                let writes = writes_of(&rows);
                commit(&store, &writes);
                model.apply(&writes);
            }
            prop_assert!(everything(&store) == *model, "a snapshot shows something else");
            if in_order {
                drop(store);
            } else {
                directory = killed(directory.path());
            }
        }
    }
}
