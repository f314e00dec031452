//! Another store in the place of the one in use, in the order of the commands.

use super::*;
use crate::engine::store::archive::{self, Archive};

type Answer = oneshot::Receiver<Result<Restored, RestoreError>>;

impl Bench {
    fn disk(&self) -> FusedDisk {
        FusedDisk(RealDisk::new(self.directory.path()), self.fuse.clone())
    }

    /// Another store, made of a backup of what is there now. The backup has none of the rows that the toy core writes.
    fn another(&self) -> NewStore {
        let mut backup = Vec::new();
        archive::write(&self.engine.snapshot().unwrap(), 0, &mut backup).unwrap();
        let archive = Archive::open(&*backup).unwrap();
        NewStore::make(Arc::new(self.disk()), archive, Some(self.engine.store_number())).unwrap()
    }

    fn replace(&self, new: NewStore) -> Answer {
        let (answer, answered) = oneshot::channel();
        assert!(self.engine.shared().queue.push_change(Change { new, answer }));
        answered
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.directory.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Whether these rows are there when the engine starts again.
    fn after_a_start(self, names: [&str; 2]) -> [bool; 2] {
        let Bench { directory, engine, writer, .. } = self;
        drop((engine, writer));
        let options = EngineOptions { cache_bytes: 0, ..EngineOptions::default() };
        let (engine, _writer) = Engine::open_stepped(&RealDisk::new(directory.path()), options, toy).unwrap();
        let snapshot = engine.snapshot().unwrap();
        names.map(|name| snapshot.get(Table::Ids, name.as_bytes()).unwrap().is_some())
    }
}

#[test]
fn what_was_answered_before_is_in_the_old_store_and_what_comes_after_in_the_new_one() {
    let mut bench = Bench::new(Bounds::default());
    let mut feed = bench.engine.subscribe();
    let new = bench.another();
    let mut before = bench.submit("put before");
    let mut replaced = bench.replace(new);
    let mut after = bench.submit("put after");
    assert!(bench.writer.step());
    assert_eq!((code(&mut before), after.try_recv()), (Ok(Reply::Empty), Err(TryRecvError::Empty)));
    let old = bench.engine.snapshot().unwrap();
    assert!(bench.writer.step());
    let kept = replaced.try_recv().unwrap().unwrap().kept.unwrap();
    assert_eq!((after.try_recv(), bench.engine.restores()), (Err(TryRecvError::Empty), 1));
    let mut read = bench.submit("read before");
    assert!(bench.writer.step());
    assert_eq!((code(&mut after), code(&mut read)), (Ok(Reply::Empty), Err(tonic::Code::NotFound)));
    assert!(old.get(Table::Ids, b"before").unwrap().is_some());
    let told: Vec<_> = std::iter::from_fn(|| feed.try_recv().ok()).collect();
    assert_eq!(
        told.iter().map(|told| (told.sequence, told.restored)).collect::<Vec<_>>(),
        [(1, false), (2, true), (3, false)]
    );
    drop(old);
    let kept = bench.directory.path().join(kept);
    let other = tempfile::tempdir().unwrap();
    std::fs::rename(kept, other.path().join("db.redb")).unwrap();
    assert_eq!(bench.after_a_start(["before", "after"]), [false, true]);
    let options = EngineOptions { cache_bytes: 0, ..EngineOptions::default() };
    let (engine, _writer) = Engine::open_stepped(&RealDisk::new(other.path()), options, toy).unwrap();
    let snapshot = engine.snapshot().unwrap();
    assert_eq!([b"before", &b"after"[..]].map(|name| snapshot.get(Table::Ids, name).unwrap().is_some()), [true, false]);
}

#[test]
fn timers_are_those_of_the_store_in_use() {
    let mut bench = Bench::new(Bounds::default());
    let new = bench.another();
    bench.name_tenant();
    bench.submit("at 2000");
    assert!(bench.writer.step());
    let _answer = bench.replace(new);
    assert!(bench.writer.step());
    bench.name_tenant();
    bench.hands.0.store(3_000, Ordering::SeqCst);
    assert!(!bench.writer.step(), "the timer is in the old store");
    bench.submit("at 2500");
    assert!(bench.writer.step());
    assert!(bench.writer.step());
    assert_eq!((bench.fired(2_000), bench.fired(2_500)), (None, Some(3_000)));
}

/// Whatever fails before the new store has its name: nothing has changed. What fails after: nothing is taken any more.
#[test]
fn a_disk_that_fails_leaves_the_one_store_or_the_other() {
    const CALLS: [&str; 4] = ["the second name", "its flush", "the new name", "its flush"];
    for (call, what) in CALLS.into_iter().enumerate() {
        let mut bench = Bench::new(Bounds::default());
        bench.submit("put before");
        bench.writer.step();
        let mut replaced = bench.replace(bench.another());
        bench.fuse.left.store(1 + call as u64, Ordering::SeqCst);
        assert!(bench.writer.step());
        bench.fuse.left.store(0, Ordering::SeqCst);
        let replaced = replaced.try_recv().unwrap();
        let mut after = bench.engine.submit(command("put after"));
        bench.writer.step();
        if call < 3 {
            assert!(matches!(replaced, Err(RestoreError::Disk { .. })), "{}: {replaced:?}", what);
            assert_eq!(code(after.as_mut().unwrap()), Ok(Reply::Empty));
            assert!(bench.stored("before").is_some() && bench.engine.restores() == 0);
            assert_eq!(bench.names(), ["db.redb"], "{}", what);
            assert_eq!(bench.after_a_start(["before", "after"]), [true, true]);
        } else {
            assert!(matches!(replaced, Err(RestoreError::Unsettled(Trouble::Full))), "{replaced:?}");
            assert_eq!(after.unwrap_err().code, tonic::Code::Unavailable);
            assert_eq!((bench.engine.trouble(), bench.engine.restores()), (Some(Trouble::Full), 1));
            assert!(bench.stored("before").is_none(), "reads go on in the new one");
            assert_eq!(bench.after_a_start(["before", "after"]), [false, false]);
        }
    }
}

#[tokio::test]
async fn an_engine_that_stops_takes_no_other_store() {
    let bench = Bench::new(Bounds::default());
    let new = bench.another();
    bench.engine.shared().queue.close();
    assert!(matches!(bench.engine.replace_store(new).await, Err(RestoreError::Frozen(Trouble::Closed))));
    assert_eq!(bench.names(), ["db.redb"]);
}
