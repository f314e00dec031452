//! The writer below the real core: a toy core whose commands say themselves what becomes of them.

mod restoring;

use std::io;
use std::sync::atomic::{AtomicI64, AtomicU64};

use tokio::sync::oneshot::error::TryRecvError;

use super::*;
use crate::engine::core::command::{Context, Request};
use crate::engine::core::key::{self, Kind, ObjKey, Word};
use crate::engine::core::{Applied, Effects, State, Table, WriteSet, timer};
use crate::engine::store::{DiskFile, RealDisk};

/// `put NAME` stores the time, `read NAME` is refused with what it finds, `refuse` and `panic` do that. `at TIME` arms
/// a timer; one of an odd time fails when it is due, any other leaves the time at which it was carried out.
fn toy(state: &dyn State, command: &Command) -> Result<Applied, Refusal> {
    if let Request::DueTimer(due) = &command.request {
        let time = timer::parse(&due.key).unwrap().due;
        if time % 2 == 1 {
            panic!("asked to");
        }
        let mut writes = timer::discard(due);
        writes.put(Table::Ids, format!("fired {time}"), command.context.now.to_be_bytes());
        return Ok(Applied { writes, reply: Reply::Empty, effects: Effects::default() });
    }
    let Request::PutTenant(request) = &command.request else { return Err(Refusal::invalid("not a toy")) };
    let (verb, name) = request.id.split_once(' ').unwrap_or((&request.id, ""));
    match verb {
        "put" => {
            let mut writes = WriteSet::default();
            writes.put(Table::Ids, name, command.context.now.to_be_bytes());
            let task = lh::UserTaskRunId { wf_run_id: None, user_task_guid: name.into() };
            let effects = Effects { changed: vec![task], ..Default::default() };
            Ok(Applied { writes, reply: Reply::Empty, effects })
        }
        "read" => match state.get(Table::Ids, name.as_bytes())? {
            Some(_) => Err(Refusal::exists(name)),
            None => Err(Refusal::not_found(name)),
        },
        "at" => {
            let mut writes = WriteSet::default();
            let owner = ObjKey::new(7, Kind::NodeRun, 0, 0);
            writes.put(Table::Timer, timer::key(name.parse().unwrap(), owner, 0), 0u32.to_be_bytes());
            Ok(Applied { writes, reply: Reply::Empty, effects: Effects::default() })
        }
        "panic" => panic!("asked to"),
        _ => Err(Refusal::precondition("refused")),
    }
}

fn command(text: &str) -> Command {
    let context = Context { tenant: "default".into(), actor: Default::default(), at: 1_000, now: 0, seed: 0x00c0_ffee };
    Command { context, request: Request::PutTenant(lh::PutTenantRequest { id: text.into(), ..Default::default() }) }
}

/// The machine's disk, until it is told to fail.
#[derive(Clone, Debug, Default)]
struct Fuse {
    /// Calls to come before the disk fails; 0 is never, 1 is every call.
    left: Arc<AtomicU64>,
}

impl Fuse {
    fn burn<T>(&self, call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        match self.left.load(Ordering::SeqCst) {
            0 => call(),
            1 => Err(io::ErrorKind::StorageFull.into()),
            left => {
                self.left.store(left - 1, Ordering::SeqCst);
                call()
            }
        }
    }
}

struct FusedDisk(RealDisk, Fuse);

#[derive(Debug)]
struct FusedFile(Arc<dyn DiskFile>, Fuse);

impl Disk for FusedDisk {
    fn open(&self, name: &str) -> io::Result<Option<Arc<dyn DiskFile>>> {
        let fused = |file| Arc::new(FusedFile(file, self.1.clone())) as Arc<dyn DiskFile>;
        Ok(self.0.open(name)?.map(fused))
    }
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(FusedFile(self.0.create(name)?, self.1.clone())))
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.1.burn(|| self.0.rename(from, to))
    }
    fn link(&self, name: &str, second: &str) -> io::Result<bool> {
        self.1.burn(|| self.0.link(name, second))
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }
    fn secret(&self) -> u64 {
        self.0.secret()
    }
    fn sync_names(&self) -> io::Result<()> {
        self.1.burn(|| self.0.sync_names())
    }
}

impl DiskFile for FusedFile {
    fn try_lock(&self) -> io::Result<bool> {
        self.0.try_lock()
    }
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.0.read_at(offset, into)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.1.burn(|| self.0.write_at(offset, bytes))
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.1.burn(|| self.0.set_len(len))
    }
    fn sync(&self) -> io::Result<()> {
        self.1.burn(|| self.0.sync())
    }
}

/// A clock that stands where it was put.
#[derive(Default)]
struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

struct Bench {
    directory: tempfile::TempDir,
    fuse: Fuse,
    hands: Arc<Hands>,
    engine: Engine,
    writer: Writer,
}

impl Bench {
    fn new(bounds: Bounds) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (fuse, hands) = (Fuse::default(), Arc::new(Hands::default()));
        let options = EngineOptions { cache_bytes: 0, bounds, clock: hands.clone(), ..EngineOptions::default() };
        let disk = FusedDisk(RealDisk::new(directory.path()), fuse.clone());
        let (engine, writer) = Engine::open_stepped(&disk, options, toy).unwrap();
        Self { directory, fuse, hands, engine, writer }
    }

    fn submit(&self, text: &str) -> oneshot::Receiver<Result<Reply, Refusal>> {
        self.engine.submit(command(text)).unwrap()
    }

    fn stored(&self, name: &str) -> Option<Vec<u8>> {
        self.engine.snapshot().unwrap().get(Table::Ids, name.as_bytes()).unwrap()
    }
}

fn code(answer: &mut oneshot::Receiver<Result<Reply, Refusal>>) -> Result<Reply, tonic::Code> {
    answer.try_recv().unwrap().map_err(|refusal| refusal.code)
}

#[test]
fn what_waits_together_is_committed_answered_and_told_together() {
    let mut bench = Bench::new(Bounds::default());
    let mut feed = bench.engine.subscribe();
    let mut answers: Vec<_> = ["put a", "put b", "put a"].map(|text| bench.submit(text)).into();
    for answer in &mut answers {
        assert_eq!(answer.try_recv(), Err(TryRecvError::Empty));
    }
    assert!(bench.writer.step());
    assert!(!bench.writer.step());
    for answer in &mut answers {
        assert_eq!(code(answer), Ok(Reply::Empty));
    }
    let told = feed.try_recv().unwrap();
    assert_eq!(told.tasks.iter().map(|task| task.user_task_guid.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!((told.sequence, bench.engine.sequence()), (1, 1));
    assert!(feed.try_recv().is_err(), "one commit, one change");
    assert!(bench.stored("b").is_some());
}

#[test]
fn a_command_sees_what_waited_before_it() {
    let mut bench = Bench::new(Bounds::default());
    let mut answers: Vec<_> = ["read a", "put a", "read a"].map(|text| bench.submit(text)).into();
    bench.writer.step();
    let answers: Vec<_> = answers.iter_mut().map(code).collect();
    assert_eq!(answers, [Err(tonic::Code::NotFound), Ok(Reply::Empty), Err(tonic::Code::AlreadyExists)]);
}

#[test]
fn a_panic_fails_its_own_command_only_and_names_a_reference() {
    let mut bench = Bench::new(Bounds::default());
    let mut answers: Vec<_> = ["put a", "panic", "put b"].map(|text| bench.submit(text)).into();
    bench.writer.step();
    assert_eq!(code(&mut answers[0]), Ok(Reply::Empty));
    let refusal = answers[1].try_recv().unwrap().unwrap_err();
    assert_eq!(refusal.code, tonic::Code::Internal);
    assert!(refusal.message.contains("00c0ffee"), "{refusal}");
    assert_eq!(code(&mut answers[2]), Ok(Reply::Empty));
    assert!(bench.engine.is_writable() && bench.stored("b").is_some());
}

#[test]
fn now_is_the_clock_but_never_before_the_command_was_accepted() {
    let mut bench = Bench::new(Bounds::default());
    for (hands, now) in [(500, 1_000i64), (2_000, 2_000)] {
        bench.hands.0.store(hands, Ordering::SeqCst);
        bench.submit("put t");
        bench.writer.step();
        assert_eq!(bench.stored("t"), Some(now.to_be_bytes().to_vec()));
    }
}

impl Bench {
    /// Timers belong to tenants: number 0 gets a name.
    fn with_tenant() -> Self {
        let bench = Self::new(Bounds::default());
        bench.name_tenant();
        bench
    }

    fn name_tenant(&self) {
        let mut writes = WriteSet::default();
        writes.put(Table::DictRev, key::dict_rev(0, Word::Tenant, 0), *b"default");
        let stored = self.engine.shared().store.write(|open| {
            open.apply(&writes)?;
            Ok(((), crate::engine::store::Outcome::Commit))
        });
        assert_eq!(stored, Ok(()));
    }

    fn fired(&self, time: i64) -> Option<i64> {
        self.stored(&format!("fired {time}")).map(|now| i64::from_be_bytes(now.try_into().unwrap()))
    }
}

#[test]
fn a_timer_fires_once_and_never_early() {
    let mut bench = Bench::with_tenant();
    for time in [2_000, 1_200, 3_000] {
        bench.submit(&format!("at {time}"));
    }
    bench.hands.0.store(1_199, Ordering::SeqCst);
    assert!(bench.writer.step());
    assert!(!bench.writer.step(), "nothing is due yet");
    assert_eq!(bench.writer.until_due(), std::time::Duration::from_millis(1));
    bench.hands.0.store(2_001, Ordering::SeqCst);
    assert!(bench.writer.step());
    assert_eq!([1_200, 2_000, 3_000].map(|time| bench.fired(time)), [Some(2_001), Some(2_001), None]);
    assert!(!bench.writer.step(), "they fired already");
    // A clock that steps back holds it up; nothing else does.
    bench.hands.0.store(900, Ordering::SeqCst);
    assert!(!bench.writer.step());
}

#[test]
fn a_timer_that_is_due_waits_for_nobody_and_nobody_for_it() {
    let mut bench = Bench::with_tenant();
    bench.submit("at 1000");
    assert!(bench.writer.step());
    bench.hands.0.store(1_000, Ordering::SeqCst);
    let mut answer = bench.submit("put a");
    assert!(bench.writer.step());
    assert_eq!((code(&mut answer), bench.fired(1_000)), (Ok(Reply::Empty), Some(1_000)));
}

#[test]
fn a_timer_that_fails_is_dropped_and_takes_nothing_with_it() {
    let mut bench = Bench::with_tenant();
    for time in [1_001, 1_002] {
        bench.submit(&format!("at {time}"));
    }
    assert!(bench.writer.step());
    bench.hands.0.store(5_000, Ordering::SeqCst);
    assert!(bench.writer.step());
    assert_eq!((bench.fired(1_001), bench.fired(1_002)), (None, Some(5_000)));
    assert!(!bench.writer.step());
    assert!(bench.engine.is_writable());
}

#[test]
fn a_timer_outlives_its_engine() {
    let mut bench = Bench::with_tenant();
    bench.submit("at 4000");
    assert!(bench.writer.step());
    let Bench { directory, engine, writer, .. } = bench;
    drop((engine, writer));
    let hands = Arc::new(Hands(AtomicI64::new(9_000)));
    let options = EngineOptions { cache_bytes: 0, clock: hands, ..EngineOptions::default() };
    let (engine, mut writer) = Engine::open_stepped(&RealDisk::new(directory.path()), options, toy).unwrap();
    assert!(writer.step(), "it is overdue");
    assert!(engine.snapshot().unwrap().get(Table::Ids, b"fired 4000").unwrap().is_some());
    assert!(!writer.step());
}

#[test]
fn a_full_queue_refuses_and_a_closed_one_drains() {
    for bounds in [Bounds { commands: 2, bytes: 1 << 20 }, Bounds { commands: 99, bytes: 20 }] {
        let mut bench = Bench::new(bounds);
        let mut first = bench.submit("put one");
        let mut second = bench.submit("put two");
        let full = bench.engine.submit(command("put three")).unwrap_err();
        assert_eq!(full.code, tonic::Code::ResourceExhausted);
        bench.engine.shared().queue.close();
        assert_eq!(bench.engine.submit(command("put three")).unwrap_err().code, tonic::Code::Unavailable);
        // The thread's own loop ends by itself now.
        bench.writer.run();
        assert_eq!((code(&mut first), code(&mut second)), (Ok(Reply::Empty), Ok(Reply::Empty)));
    }
}

#[tokio::test]
async fn close_waits_for_what_waits_and_gives_the_file_back() {
    let directory = tempfile::tempdir().unwrap();
    let disk = RealDisk::new(directory.path());
    let engine = Engine::open(&disk, EngineOptions::default()).unwrap();
    let id = engine.store_id();
    let mut request = command("t");
    request.context.at = 5;
    let answer = engine.submit(request).unwrap();
    engine.close().await;
    assert!(answer.await.unwrap().is_ok());
    assert!(engine.snapshot().is_err());
    assert_eq!(engine.command(command("t")).await.unwrap_err().code, tonic::Code::Unavailable);
    let again = Engine::open(&disk, EngineOptions::default()).unwrap();
    assert_eq!(again.store_id(), id);
}

#[tokio::test]
async fn an_engine_that_nobody_holds_ends_by_itself() {
    let directory = tempfile::tempdir().unwrap();
    let disk = RealDisk::new(directory.path());
    let engine = Engine::open(&disk, EngineOptions::default()).unwrap();
    let mut stopped = engine.handle.shared.stopped.subscribe();
    let answer = engine.submit(command("t")).unwrap();
    drop(engine);
    let _ = stopped.wait_for(|stopped| *stopped).await;
    assert!(answer.await.unwrap().is_ok());
    assert!(Engine::open(&disk, EngineOptions::default()).is_ok());
}

/// Whatever call of the commit fails: nothing is acknowledged, refusals that saw the batch fall with it, reads go on
/// with what was durable, and the store opens again.
#[test]
fn a_disk_that_fails_turns_the_engine_read_only_and_nothing_acknowledged_is_lost() {
    let mut survived = 0;
    for call in 1..200 {
        let mut bench = Bench::new(Bounds::default());
        let mut before = bench.submit("put before");
        bench.writer.step();
        assert_eq!(code(&mut before), Ok(Reply::Empty));
        let texts = ["read nothing", "put lost", "read lost"];
        let mut answers: Vec<_> = texts.map(|text| bench.submit(text)).into();
        bench.fuse.left.store(call, Ordering::SeqCst);
        bench.writer.step();
        bench.fuse.left.store(0, Ordering::SeqCst);
        let codes: Vec<_> = answers.iter_mut().map(code).collect();
        if codes[1].is_ok() {
            // The commit was through before the fuse had burnt.
            survived += 1;
            break;
        }
        let unavailable = Err(tonic::Code::Unavailable);
        assert_eq!(codes, [Err(tonic::Code::NotFound), unavailable.clone(), unavailable]);
        assert!(!bench.engine.is_writable());
        assert_eq!(bench.engine.trouble(), Some(Trouble::Full));
        assert!(bench.stored("before").is_some(), "reads go on");
        let refusal = bench.engine.submit(command("put more")).unwrap_err();
        assert_eq!(refusal.code, tonic::Code::Unavailable);
        assert!(refusal.message.contains("the disk is full"), "{refusal}");
        let Bench { directory, engine, writer, .. } = bench;
        drop((engine, writer));
        let options = EngineOptions { cache_bytes: 0, ..EngineOptions::default() };
        let (engine, _writer) = Engine::open_stepped(&RealDisk::new(directory.path()), options, toy).unwrap();
        let snapshot = engine.snapshot().unwrap();
        assert!(snapshot.get(Table::Ids, b"before").unwrap().is_some());
        assert!(engine.is_writable());
    }
    assert_eq!(survived, 1, "the loop must reach the end of the commit");
}
