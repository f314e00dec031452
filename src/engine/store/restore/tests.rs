use super::*;
use crate::engine::core::{State, Table, WriteSet};
use crate::engine::store::{Outcome, RealDisk, StoreOptions};

fn options(new_id: u128) -> StoreOptions {
    StoreOptions { cache_bytes: 0, log_bytes: StoreOptions::DEFAULT_LOG, new_id }
}

struct Bench {
    directory: tempfile::TempDir,
    disk: Arc<dyn Disk>,
    store: Store,
}

impl Bench {
    fn new(id: u128) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let disk = Arc::new(RealDisk::new(directory.path()));
        let store = Store::open(&*disk, &options(id)).unwrap();
        Self { directory, disk, store }
    }

    fn put(&self, value: &str) {
        let mut writes = WriteSet::default();
        writes.put(Table::Meta, b"test", value);
        self.store.write(|open| Ok((open.apply(&writes)?, Outcome::Commit))).unwrap();
    }

    fn backup(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        archive::write(&self.store.snapshot().unwrap(), 5, &mut bytes).unwrap();
        bytes
    }

    fn make(&self, backup: &[u8]) -> Result<NewStore, RestoreError> {
        NewStore::make(self.disk.clone(), Archive::open(backup)?, Some(self.store.id()))
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.directory.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn value(state: &dyn State) -> String {
    String::from_utf8(state.get(Table::Meta, b"test").unwrap().unwrap()).unwrap()
}

#[test]
fn a_store_is_replaced_between_two_transactions() {
    let bench = Bench::new(7);
    bench.put("saved");
    let backup = bench.backup();
    bench.put("old");
    let before = bench.store.snapshot().unwrap();
    let restored = bench.store.replace(bench.make(&backup).unwrap(), "kept").unwrap();
    assert_eq!((restored.made_at, restored.kept.as_deref()), (5, Some("kept")));
    assert_eq!(value(&bench.store.snapshot().unwrap()), "saved");
    assert_eq!(value(&before), "old", "who looks at the old one goes on looking at it");
    assert_eq!(bench.names(), [NAME, "kept"]);
    let kept = std::fs::read(bench.directory.path().join("kept")).unwrap();
    bench.put("new");
    assert_eq!(bench.store.usage().snapshots, 1);
    drop(before);
    assert_eq!(value(&bench.store.snapshot().unwrap()), "new");
    assert_eq!(bench.store.usage().snapshots, 0);
    assert_eq!(std::fs::read(bench.directory.path().join("kept")).unwrap(), kept, "nothing is written to it any more");
    // What is only in a log is there as well, in both of them.
    bench.store.close();
    assert_eq!(value(&Store::open(&*bench.disk, &options(0)).unwrap().snapshot().unwrap()), "new");
    bench.disk.rename("kept", NAME).unwrap();
    assert_eq!(value(&Store::open(&*bench.disk, &options(0)).unwrap().snapshot().unwrap()), "old");
}

#[test]
fn what_cannot_be_restored_leaves_nothing_behind() {
    let bench = Bench::new(7);
    bench.put("saved");
    let backup = bench.backup();
    let foreign = Bench::new(8).backup();
    assert!(matches!(bench.make(&foreign), Err(RestoreError::Foreign)));
    // One whose header says that it is of this store, and whose rows are of another.
    let mut forged = foreign;
    let at = forged.windows(16).position(|bytes| bytes == 8u128.to_be_bytes()).unwrap();
    forged[at..at + 16].copy_from_slice(&7u128.to_be_bytes());
    assert!(matches!(bench.make(&forged), Err(RestoreError::Archive(ArchiveError::Damaged(_)))));
    for end in [0, 20, backup.len() / 2, backup.len() - 1] {
        let made = bench.make(&backup[..end]);
        assert!(matches!(made, Err(RestoreError::Archive(ArchiveError::Damaged(_)))), "{made:?}");
    }
    assert_eq!(bench.names(), [NAME]);
    drop(bench.make(&backup).unwrap());
    assert_eq!(bench.names(), [NAME]);
    // One that was cut off goes with the next start.
    std::fs::write(bench.directory.path().join(beside(NAME)), "half of a store").unwrap();
    std::fs::write(bench.directory.path().join(beside(NEW_NAME)), "less").unwrap();
    bench.store.close();
    assert_eq!(value(&Store::open(&*bench.disk, &options(0)).unwrap().snapshot().unwrap()), "saved");
    assert_eq!(bench.names(), [NAME]);
}

#[test]
fn a_store_that_takes_no_writes_is_not_replaced() {
    let bench = Bench::new(7);
    bench.put("saved");
    let new = bench.make(&bench.backup()).unwrap();
    bench.store.freeze(Trouble::Full);
    let replaced = bench.store.replace(new, "kept");
    assert!(matches!(replaced, Err(RestoreError::Frozen(Trouble::Full))), "{replaced:?}");
    let other = Bench::new(7);
    other.put("other");
    let new = other.make(&other.backup()).unwrap();
    other.store.close();
    assert!(matches!(other.store.replace(new, "kept"), Err(RestoreError::Frozen(Trouble::Closed))));
    assert_eq!((bench.names(), other.names()), (vec![NAME.to_owned()], vec![NAME.to_owned()]));
}

#[test]
fn a_kept_store_is_named_after_its_time() {
    assert_eq!(kept_name("restore", 1_700_000_000_123), "db.redb.before-restore-20231114T221320.123Z");
}
