//! Power cuts over the real engine, its writer and its store, on a simulated disk.
//!
//! A world is one disk that lives many lives. In each the engine opens, takes batches of commands, and dies at some
//! call of the disk, be it inside recovery or the very first creation. The model is the same core over a state in
//! memory: what the disk holds afterwards must be, row by row, what was acknowledged, or that and the whole of the
//! batch in flight.
//!
//! `OSTLER_SIM_SEED=n` replays a seed, `OSTLER_SIM_CUTS=n` sets how many cuts there are (1,000).

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ostler::engine::core::command::{Reply, Request};
use ostler::engine::core::state::MemoryState;
use ostler::engine::core::{self, Order, Refusal, State, Table, WriteSet, timer};
use ostler::engine::store::{OpenError, StoreOptions};
use ostler::engine::writer::{Clock, Engine, EngineOptions, MAX_TIMERS, Writer};

use super::random::Random;
use super::sim_disk::{Mishap, SimDisk};
use super::workload::Workload;
use super::{number, seed};

/// A clock that stands where it was put.
#[derive(Default)]
struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// What the checker believes of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Promise {
    /// An answer comes after the commit.
    AfterCommit,
    /// The negative control: as if the engine answered as soon as it has decided.
    BeforeCommit,
}

#[derive(Clone, Debug, Default)]
struct Tally {
    cuts: usize,
    cuts_while_opening: usize,
    disk_errors: usize,
    /// Batches that were found whole although nobody had been told.
    kept_in_flight: usize,
    /// Timers that fired in the model.
    timers: usize,
    acknowledged: BTreeMap<&'static str, usize>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.cuts += other.cuts;
        self.cuts_while_opening += other.cuts_while_opening;
        self.disk_errors += other.disk_errors;
        self.kept_in_flight += other.kept_in_flight;
        self.timers += other.timers;
        for (kind, count) in other.acknowledged {
            *self.acknowledged.entry(kind).or_default() += count;
        }
    }
}

struct World {
    random: Random,
    disk: SimDisk,
    hands: Arc<Hands>,
    workload: Workload,
    promise: Promise,
    /// Everything acknowledged; none before the first store was made.
    model: Option<MemoryState>,
    /// What the commits that were in flight when the last life ended would have made of it, in their order.
    in_flight: Vec<MemoryState>,
}

fn everything(state: &dyn State) -> Result<MemoryState, core::Fault> {
    let mut writes = WriteSet::default();
    for table in Table::ALL {
        state.scan(table, &[], None, Order::Ascending, &mut |key, value| {
            writes.put(table, key, value);
            ControlFlow::Continue(())
        })?;
    }
    let mut all = MemoryState::default();
    all.apply(&writes);
    Ok(all)
}

/// Names the first rows that differ.
fn difference(found: &MemoryState, expected: &MemoryState) -> String {
    type Rows = BTreeMap<(Table, Vec<u8>), Vec<u8>>;
    let rows = |state: &MemoryState| -> Rows {
        state.iter().map(|(table, key, value)| ((table, key.to_vec()), value.to_vec())).collect()
    };
    let (found, expected) = (rows(found), rows(expected));
    let lost = expected.keys().find(|key| !found.contains_key(*key));
    let extra = found.keys().find(|key| !expected.contains_key(*key));
    let other = found.keys().find(|key| expected.get(*key).is_some_and(|value| Some(value) != found.get(*key)));
    format!("{} rows, expected {}; first lost {lost:?}, extra {extra:?}, other {other:?}", found.len(), expected.len())
}

impl World {
    fn new(seed: u64, disk: SimDisk, promise: Promise) -> Self {
        let mut random = Random::new(seed);
        let workload = Workload::new(random.fork());
        let hands = Arc::new(Hands(AtomicI64::new(1_800_000_000_000)));
        Self { random, disk, hands, workload, promise, model: None, in_flight: Vec::new() }
    }

    fn mishap(&mut self) -> Mishap {
        let at = if self.random.chance(20) { 1 + self.random.below(30) } else { 1 + self.random.below(300) } as u64;
        match self.random.below(100) {
            0..8 => Mishap::Error(at),
            8..14 => Mishap::Full(at),
            _ => Mishap::PowerCut(at),
        }
    }

    /// Opens with a log of another length in each life: none, one that is soon full, and the usual one.
    fn open(&mut self) -> Result<(Engine, Writer), OpenError> {
        let log_bytes = [0, 24 << 10, 64 << 10, StoreOptions::DEFAULT_LOG][self.random.below(4)];
        let clock = self.hands.clone();
        let options = EngineOptions { cache_bytes: 0, log_bytes, clock, ..EngineOptions::default() };
        Engine::open_stepped(&self.disk, options, core::execute)
    }

    /// One life, to its end by a power cut.
    fn life(&mut self, tally: &mut Tally) -> Result<(), String> {
        let mishap = self.mishap();
        self.disk.arm(mishap);
        let opened = match self.open() {
            Ok((engine, writer)) => Some((engine, writer)),
            Err(_) if self.disk.is_off() => {
                tally.cuts_while_opening += 1;
                None
            }
            Err(OpenError::Disk { .. }) if mishap != Mishap::None => None,
            Err(error) => return Err(format!("the store does not open: {error}")),
        };
        if let Some((engine, mut writer)) = opened {
            self.recovered(&engine, tally)?;
            for _ in 0..12 {
                if self.disk.is_off() || engine.trouble().is_some() {
                    break;
                }
                self.batch(&engine, &mut writer, tally)?;
            }
            if engine.trouble().is_some() && !self.disk.is_off() {
                self.read_only(&engine)?;
                tally.disk_errors += 1;
            }
            if self.random.chance(50) {
                // An orderly end, with the power cut somewhere in it.
                drop((engine, writer));
                self.disk = self.disk.restarted(&mut self.random);
            } else {
                self.disk = self.disk.restarted(&mut self.random);
            }
        } else {
            self.disk = self.disk.restarted(&mut self.random);
        }
        tally.cuts += 1;
        Ok(())
    }

    /// What was found after a restart is what was acknowledged, or that and the batch in flight.
    fn recovered(&mut self, engine: &Engine, tally: &mut Tally) -> Result<(), String> {
        let found = match engine.snapshot().and_then(|snapshot| Ok((core::check(&snapshot)?, everything(&snapshot)?))) {
            Ok((wrong, found)) if wrong.is_empty() => found,
            Ok((wrong, _)) => return Err(format!("indexes or counters are wrong: {wrong:?}")),
            Err(_) if self.disk.is_off() || engine.trouble().is_some() => return Ok(()),
            Err(fault) => return Err(format!("cannot be read after the restart: {fault}")),
        };
        self.compare(found, tally)
    }

    fn compare(&mut self, found: MemoryState, tally: &mut Tally) -> Result<(), String> {
        let Some(model) = &self.model else {
            self.model = Some(found);
            return Ok(());
        };
        if found != *model {
            if !self.in_flight.contains(&found) {
                return Err(format!("acknowledged work is lost or changed: {}", difference(&found, model)));
            }
            tally.kept_in_flight += 1;
            self.model = Some(found);
        }
        self.in_flight.clear();
        Ok(())
    }

    /// What the timers that are due do, in one commit. The clock never shows a moment to the engine before it is over,
    /// so none can be early.
    fn fire(state: &mut MemoryState, now: i64, tally: &mut Tally) -> Result<bool, String> {
        let due = timer::due(state, now, MAX_TIMERS).map_err(|fault| format!("the model's timers: {fault}"))?;
        for command in &due {
            let Request::DueTimer(due) = &command.request else { return Err("a timer of another kind".into()) };
            match core::execute(state, command) {
                Ok(applied) => state.apply(&applied.writes),
                Err(_) => state.apply(&timer::discard(due)),
            }
            if state.get(Table::Timer, &due.key).map_err(|fault| fault.to_string())?.is_some() {
                return Err(format!("a timer fires for ever: {command:?}"));
            }
            tally.timers += 1;
        }
        Ok(!due.is_empty())
    }

    fn batch(&mut self, engine: &Engine, writer: &mut Writer, tally: &mut Tally) -> Result<(), String> {
        let step = if self.random.chance(5) { -5_000 } else { 1 + self.random.below(900) as i64 };
        let now = self.hands.0.fetch_add(step, Ordering::SeqCst) + step;
        let mut after = self.model.clone().unwrap_or_default();
        Self::fire(&mut after, now, tally)?;
        let mut waiting = Vec::new();
        for _ in 0..1 + self.random.below(5) {
            let mut command = self.workload.command(now);
            let answer = engine.submit(command.clone()).map_err(|refusal| format!("not taken: {refusal}"))?;
            command.context.now = now;
            let expected = core::execute(&after, &command).map(|applied| {
                after.apply(&applied.writes);
                applied.reply
            });
            waiting.push((command, answer, expected));
        }
        if self.promise == Promise::BeforeCommit {
            self.model = Some(after.clone());
        }
        // One commit takes all that waits, and the timers that are due; timers that these commands arm and that are due
        // at once take commits of their own. When one fails, what comes behind it is refused.
        let mut states = vec![after];
        loop {
            let mut next = states.last().cloned().unwrap_or_default();
            if !Self::fire(&mut next, now, tally)? {
                break;
            }
            states.push(next);
        }
        while writer.step() {}
        let failed = engine.trouble().is_some();
        let mut told = Vec::new();
        for (command, mut answer, expected) in waiting {
            let answer: Result<Reply, Refusal> =
                answer.try_recv().map_err(|_| format!("{command:?} was never answered"))?;
            self.workload.learn(&answer);
            told.push((command, answer, expected));
        }
        // Whoever was acknowledged was in the first commit, and then so was everybody else.
        let acknowledged = !failed || told.iter().any(|(_, answer, _)| answer.is_ok());
        for (command, answer, expected) in told {
            let unknown = matches!(&answer, Err(refusal) if refusal.code == tonic::Code::Unavailable);
            if answer != expected && (acknowledged || !unknown) {
                return Err(format!("{command:?} answered {answer:?}, expected {expected:?}"));
            }
            if answer.is_ok() {
                *tally.acknowledged.entry(command.request.kind()).or_default() += 1;
            }
        }
        match (failed, acknowledged) {
            (false, _) => self.model = states.pop(),
            (true, true) => {
                self.model = Some(states.remove(0));
                self.in_flight = states;
            }
            (true, false) => self.in_flight = states,
        }
        Ok(())
    }

    /// After an error of the disk: reads go on, commands are refused.
    fn read_only(&mut self, engine: &Engine) -> Result<(), String> {
        let found = engine.snapshot().and_then(|snapshot| everything(&snapshot));
        let found = found.map_err(|fault| format!("cannot be read after an error of the disk: {fault}"))?;
        if self.model.is_some() && self.model.as_ref() != Some(&found) && !self.in_flight.contains(&found) {
            return Err("an error of the disk changed what is read".into());
        }
        match engine.submit(self.workload.command(0)) {
            Err(refusal) if refusal.code == tonic::Code::Unavailable => Ok(()),
            _ => Err("a command was taken after an error of the disk".into()),
        }
    }
}

/// Worlds of many lives until there were enough cuts; the first failure, with its seed.
fn simulate(seed: u64, cuts: usize, disk: fn() -> SimDisk, promise: Promise) -> (Tally, Result<(), String>) {
    let mut tally = Tally::default();
    let mut seeds = Random::new(seed);
    while tally.cuts < cuts {
        let mut world = World::new(seeds.next(), disk(), promise);
        for _ in 0..25 {
            if tally.cuts >= cuts {
                break;
            }
            if let Err(error) = world.life(&mut tally) {
                return (tally, Err(error));
            }
        }
    }
    (tally, Ok(()))
}

#[test]
fn nothing_acknowledged_is_lost_in_power_cuts_and_disk_errors() {
    let seed = seed();
    let cuts = number("OSTLER_SIM_CUTS").map_or(1_000, |cuts| usize::try_from(cuts).unwrap());
    // Worlds know nothing of each other: two cores work on two seeds.
    let parts: Vec<(Tally, Result<(), String>)> = std::thread::scope(|scope| {
        let part = |seed| scope.spawn(move || simulate(seed, cuts / 2, SimDisk::new, Promise::AfterCommit));
        [seed, !seed].map(part).map(|part| part.join().unwrap()).into()
    });
    let mut tally = Tally::default();
    for (part, outcome) in parts {
        if let Err(error) = outcome {
            panic!("OSTLER_SIM_SEED={seed}, after {} cuts: {error}", part.cuts);
        }
        tally.add(part);
    }
    println!("{tally:?}");
    if cuts >= 1_000 {
        assert!(tally.cuts_while_opening > 5 && tally.disk_errors > 5 && tally.kept_in_flight > 2, "{tally:?}");
        assert!(tally.timers > 100, "{tally:?}");
        let kinds = [
            "PutUserTaskDef",
            "PutWfSpec",
            "RunWf",
            "AssignUserTaskRun",
            "SaveUserTaskRunProgress",
            "CompleteUserTaskRun",
            "CancelUserTaskRun",
            "PutUserTaskRunComment",
            "EditUserTaskRunComment",
            "ClaimTask",
            "ReportTask",
            "PutExternalEvent",
            "StopWfRun",
            "ResumeWfRun",
            "DeleteWfRun",
        ];
        for kind in kinds {
            assert!(tally.acknowledged.contains_key(kind), "{kind}: {tally:?}");
        }
    }
}

/// The suite is worth nothing if it cannot fail: an engine that answers before its commit.
#[test]
fn an_answer_before_the_commit_is_caught() {
    let (tally, outcome) = simulate(seed(), 300, SimDisk::new, Promise::BeforeCommit);
    assert!(outcome.is_err(), "not caught in {} cuts", tally.cuts);
}

/// And a disk that ignores fsync.
#[test]
fn a_disk_that_ignores_syncs_is_caught() {
    let seed = seed();
    // Such a disk may leave anything, and redb may say so by a panic.
    let caught = std::panic::catch_unwind(|| simulate(seed, 300, SimDisk::lying, Promise::AfterCommit).1.is_err());
    assert!(caught.unwrap_or(true), "not caught, seed {seed}");
}

/// And one that ignores only those that flush the commit log: as if the engine answered before that.
#[test]
fn a_log_that_is_not_synced_is_caught() {
    let disk = || SimDisk::lying_about(4096..1 << 20);
    let (tally, outcome) = simulate(seed(), 300, disk, Promise::AfterCommit);
    assert!(outcome.is_err(), "not caught in {} cuts", tally.cuts);
}
