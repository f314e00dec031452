//! The advance procedure: what every command that touches a WfRun ends with.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::api::littlehorse as lh;
use crate::engine::core::key::damaged;
use crate::engine::core::record::{NodeRunRecord, WfRunRecord, WfSpecRecord};
use crate::engine::core::run::archive;
use crate::engine::core::run::failure::{Stage, Trouble, failure};
use crate::engine::core::run::halt::has_ended;
use crate::engine::core::run::node::{self, Progress, Visit};
use crate::engine::core::{Fault, Place, RunRef, Tx, id, read};
use lh::LhStatus;

/// How often the threads of a WfRun are gone through in one command before it counts as an endless loop.
const MAX_ITERATIONS: u32 = 512;
/// How often they are gone through before threads that still wait for their turn are left to another command.
const LONG: u32 = 64;

/// Advances every WfRun that was woken, and those that wake thereby. No WfRun may be in hand meanwhile.
pub fn settle(tx: &mut Tx<'_>) -> Result<(), Fault> {
    while let Some(woken) = tx.next_woken() {
        let Some(mut record): Option<WfRunRecord> = tx.object_to_change(read::wf_run_key(woken))? else { continue };
        if tx.is_exhausted() {
            // One command must not hold up all others for long: a timer that is due goes on.
            record.facts.advance_at = Some(tx.soon());
            tx.put_wf_run(woken, &record)?;
            continue;
        }
        let mut run = Run::new(tx, woken, record);
        run.advance()?;
        run.finish()?;
    }
    Ok(())
}

/// The WfRuns that may wait for the end of this one: its parent, and those that said so.
pub fn awaited_by(record: &WfRunRecord) -> Vec<RunRef> {
    let parent = Some(record.facts.parent).filter(|parent| *parent != 0);
    parent.into_iter().chain(record.facts.awaited_by.iter().copied()).map(RunRef).collect()
}

/// One WfRun in the hands of one command.
pub struct Run<'t, 's> {
    /// The command's work.
    pub tx: &'t mut Tx<'s>,
    /// Which WfRun.
    pub run: RunRef,
    /// The WfRun itself; stored by [`Run::finish`].
    pub record: WfRunRecord,
    specs: BTreeMap<String, Rc<WfSpecRecord>>,
    /// Threads that it neither lists nor has seen to their end, see [`archive`].
    pub unlisted: BTreeMap<i32, LhStatus>,
    /// Whether it had ended when it was taken in hand.
    had_ended: bool,
}

impl<'t, 's> Run<'t, 's> {
    /// Takes a WfRun in hand.
    pub fn new(tx: &'t mut Tx<'s>, run: RunRef, record: WfRunRecord) -> Self {
        let unlisted = archive::unlisted(&record.message, &record.facts);
        let had_ended = has_ended(record.message.status());
        Self { tx, run, record, specs: BTreeMap::new(), unlisted, had_ended }
    }

    /// Takes a stored WfRun in hand.
    pub fn load(tx: &'t mut Tx<'s>, run: RunRef) -> Result<Self, Fault> {
        let record = tx.object_to_change(read::wf_run_key(run))?;
        let record = record.ok_or_else(|| damaged(format!("WfRun {}", run.0), "missing"))?;
        Ok(Self::new(tx, run, record))
    }

    /// Stores the WfRun and gives it as Get answers it. Who waits for its end is woken by that.
    pub fn finish(mut self) -> Result<lh::WfRun, Fault> {
        self.sync_status()?;
        self.end_migration()?;
        if has_ended(self.record.message.status()) && !self.had_ended {
            for waiting in awaited_by(&self.record) {
                self.tx.wake(waiting);
            }
        }
        self.tx.measure_run(&mut self.record);
        self.tx.put_wf_run(self.run, &self.record)?;
        Ok(self.record.message)
    }

    /// Its id.
    pub fn id(&self) -> lh::WfRunId {
        self.record.message.id.clone().unwrap_or_default()
    }

    /// A version of a WfSpec that one of its threads runs.
    pub fn spec(&mut self, spec: &lh::WfSpecId) -> Result<Rc<WfSpecRecord>, Fault> {
        let text = id::wf_spec_text(spec);
        if let Some(known) = self.specs.get(&text) {
            return Ok(Rc::clone(known));
        }
        let stored = self.tx.read().wf_spec(spec)?.ok_or_else(|| damaged(format!("WfSpec {text}"), "missing"))?;
        self.specs.insert(text, Rc::clone(&stored));
        Ok(stored)
    }

    /// The WfSpec version of a thread.
    pub fn spec_of_thread(&mut self, number: i32) -> Result<Rc<WfSpecRecord>, Fault> {
        let spec = self.thread(number)?.wf_spec_id.clone().unwrap_or_default();
        self.spec(&spec)
    }

    /// A stored NodeRun.
    pub fn node_run(&self, place: Place) -> Result<NodeRunRecord, Fault> {
        let stored = self.tx.read().node_run(self.run, place)?;
        stored.ok_or_else(|| self.no_node_run(place))
    }

    fn no_node_run(&self, place: Place) -> Fault {
        damaged(format!("NodeRun {} of WfRun {}", place.guid(), self.run.0), "missing")
    }

    /// Where the newest NodeRun of a thread is.
    pub fn current_place(&self, number: i32) -> Result<Place, Fault> {
        let thread = self.thread(number)?;
        Place::new(number, thread.current_node_position)
            .ok_or_else(|| damaged(format!("ThreadRun {number} of WfRun {}", self.run.0), "a negative position"))
    }

    /// Moves every thread as far as it goes now.
    pub fn advance(&mut self) -> Result<(), Fault> {
        loop {
            let iterations = self.tx.iterations(self.run);
            *iterations += 1;
            let iterations = *iterations;
            if iterations > LONG && self.has_queue_in_order()? {
                // Many threads are no loop: a timer that is due goes on with those that have not begun.
                self.record.facts.advance_at = Some(self.tx.soon());
                return self.retire();
            }
            if iterations > MAX_ITERATIONS {
                return self.give_up();
            }
            self.relieve()?;
            let mut changed = self.dequeue()?;
            changed |= self.start_interrupts()?;
            changed |= self.start_failure_handlers()?;
            // By index: a thread may start others, which are gone through as well.
            let mut next = 0;
            while let Some(number) = self.record.message.thread_runs.get(next).map(|thread| thread.number) {
                changed |= self.advance_thread(number)?;
                next += 1;
            }
            if !changed && !self.unblock()? {
                return self.retire();
            }
        }
    }

    /// Ends a WfRun that would go on for ever. No end time, as LittleHorse leaves it.
    fn give_up(&mut self) -> Result<(), Fault> {
        const MESSAGE: &str = "Your WfSpec had a tight loop and exceeded the maximum iterations in one command.";
        let place = self.current_place(0)?;
        let mut node_run = self.node_run(place)?;
        node_run.message.status = LhStatus::Error.into();
        node_run.message.failures.push(failure("INTERNAL_ERROR", MESSAGE));
        self.tx.put_node_run(self.run, place, &node_run)?;
        let thread = self.thread_mut(0)?;
        thread.status = LhStatus::Error.into();
        thread.error_message = Some(MESSAGE.to_owned());
        self.arm_retention()?;
        self.halt_under(0)
    }

    /// Moves one thread by one step; tells whether anything changed.
    fn advance_thread(&mut self, number: i32) -> Result<bool, Fault> {
        match self.thread(number)?.status() {
            LhStatus::Running => {}
            LhStatus::Halting => return Ok(self.finish_halting(number)? || self.resolve_halt(number)?),
            LhStatus::Halted => return self.resolve_halt(number),
            _ => return Ok(false),
        }
        let place = self.current_place(number)?;
        let stored = self.tx.object_to_change(read::node_run_key(self.run, place))?;
        let mut node_run: NodeRunRecord = stored.ok_or_else(|| self.no_node_run(place))?;
        let spec = self.spec_of_thread(number)?;
        let spec = &spec.message;
        let visit = Visit::new(spec, place, &node_run.message)?;
        if !node_run.message.failures.is_empty() {
            // Its handler is done: on to the next node, without the mutations of this one. What fails now finds no
            // handler any more.
            return match self.choose_edge(&visit, false) {
                Ok(sink) => self.activate(spec, &visit, &sink).map(|()| true),
                Err(Trouble::Failure(failure)) => {
                    self.fail_node(&visit, node_run, failure, Stage::Unhandled).map(|()| true)
                }
                Err(Trouble::Fault(fault)) => Err(fault),
            };
        }
        let before = node_run.clone();
        let output = match node::check(self, &visit, &mut node_run) {
            Ok(Progress::Waiting) => {
                if Self::is_moved_while_waiting(&node_run.message)
                    && let Some(to) = self.next_move(number, visit.node_name)?
                {
                    return self.move_waiting(&visit, node_run, to).map(|()| true);
                }
                if node_run != before {
                    self.tx.put_node_run(self.run, place, &node_run)?;
                }
                return Ok(false);
            }
            Ok(Progress::Done(output)) => output,
            Err(Trouble::Failure(failure)) => {
                return self.fail_node(&visit, node_run, failure, Stage::Processing).map(|()| true);
            }
            Err(Trouble::Fault(fault)) => return Err(fault),
        };
        node_run.message.status = LhStatus::Completed.into();
        node_run.message.end_time = Some(self.tx.now());
        self.tx.put_node_run(self.run, place, &node_run)?;
        if let Some(output) = output {
            self.remember_output(&visit, output)?;
        }
        if visit.is_exit() {
            return self.complete_thread(number).map(|()| true);
        }
        match self.choose_edge(&visit, true) {
            Ok(sink) => self.activate(spec, &visit, &sink)?,
            Err(Trouble::Failure(failure)) => self.fail_node(&visit, node_run, failure, Stage::Leaving)?,
            Err(Trouble::Fault(fault)) => return Err(fault),
        }
        Ok(true)
    }

    /// Lets a thread arrive at the next node.
    pub fn activate(&mut self, spec: &lh::WfSpec, from: &Visit<'_>, sink: &str) -> Result<(), Fault> {
        if let Some(to) = self.next_move(from.thread(), sink)? {
            return self.move_leaving(from, to);
        }
        let position = from.place.position.checked_add(1).filter(|position| i32::try_from(*position).is_ok());
        let position = position.ok_or_else(|| Fault::Storage("there are no more node positions".to_owned()))?;
        self.arrive(spec, Place { position, ..from.place }, sink)
    }
}
