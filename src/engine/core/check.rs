//! Holds a state to what the core promises of it: every index row, counter, id and word is exactly what the objects
//! say, and nothing is left over. Crash tests run it after every life, and so can a person who doubts the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use prost_types::Timestamp;

use crate::api::littlehorse as lh;
use crate::engine::core::derive::{self, Derived};
use crate::engine::core::id;
use crate::engine::core::key::{self, Kind, ObjKey, Place, RunRef, Word};
use crate::engine::core::read;
use crate::engine::core::record::{
    CorrelatedEventRecord, DoomedRunRecord, ExternalEventRecord, InactiveThreadRecord, NodeRunRecord, Record,
    ScheduledWfRunRecord, TaskRunRecord, TenantRecord, UserTaskDefRecord, UserTaskRunRecord, VariableRecord,
    WfRunRecord, WfSpecRecord, WorkflowEventRecord, describe,
};
use crate::engine::core::run::delete::doomed_key;
use crate::engine::core::task::TaskRef;
use crate::engine::core::tx::{LAST_NUMBER, LAST_ORDINAL, ORDINAL_SHIFT, ordinal_lead};
use crate::engine::core::{Fault, Order, Reader, State, Table, event};
use lh::inactive_thread_run::InactiveReason;
use lh::node_run::NodeType;

/// Something stored that does not agree with the rest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Discrepancy {
    /// Which row or object.
    pub place: String,
    /// What is wrong with it.
    pub detail: String,
}

impl std::fmt::Display for Discrepancy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place, self.detail)
    }
}

/// The most discrepancies that are told; a store with more is beyond reading a list.
const MOST: usize = 1000;

/// Walks a whole state and tells what does not agree. It keeps counts in memory, never the rows themselves: each row
/// that an object asks for is looked up, then the rows are counted, so that none can be left over.
pub fn check(state: &dyn State) -> Result<Vec<Discrepancy>, Fault> {
    let mut check = Check {
        state,
        found: Vec::new(),
        last_ordinal: number(state, LAST_ORDINAL)?,
        last_number: number(state, LAST_NUMBER)?,
        lead: ordinal_lead(state)?,
        counts: BTreeMap::new(),
        rows: BTreeMap::new(),
        run: None,
        threads: BTreeMap::new(),
        task: None,
    };
    check.dictionary()?;
    check.objects()?;
    check.leftovers()?;
    Ok(check.found)
}

fn number(state: &dyn State, name: &[u8]) -> Result<u64, Fault> {
    let stored = state.get(Table::Meta, name)?.unwrap_or_default();
    Ok(stored.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

struct Check<'a> {
    state: &'a dyn State,
    found: Vec<Discrepancy>,
    last_ordinal: u64,
    last_number: u64,
    lead: u64,
    /// What the objects ask of the counters.
    counts: BTreeMap<Vec<u8>, u64>,
    /// How many rows the objects ask for, by table.
    rows: BTreeMap<Table, u64>,
    /// The WfRun that the walk is in, with its tenant.
    run: Option<(RunRef, u32)>,
    /// The threads of that WfRun: how many NodeRuns each says it has, and how many of them were there.
    threads: BTreeMap<u32, (u64, u64)>,
    /// The UserTaskRun that the walk is in, and how many of its events are still to come.
    task: Option<(ObjKey, u32)>,
}

impl Check<'_> {
    fn tell(&mut self, place: impl Into<String>, detail: impl Into<String>) {
        if self.found.len() < MOST {
            self.found.push(Discrepancy { place: place.into(), detail: detail.into() });
        }
    }

    /// Visits a whole table; a fault ends it.
    #[allow(clippy::type_complexity)] // a name for it would not say more
    fn walk(
        &mut self,
        table: Table,
        visit: &mut dyn FnMut(&mut Self, &[u8], &[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut outcome = Ok(());
        self.state.scan(table, &[], None, Order::Ascending, &mut |key, value| {
            outcome = visit(self, key, value);
            if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        outcome
    }

    /// Every text leads to its number and back, and no number was given out twice.
    fn dictionary(&mut self) -> Result<(), Fault> {
        let (mut there, mut back) = (0u64, 0u64);
        self.walk(Table::Dict, &mut |check, key, value| {
            there += 1;
            let place = format!("Dict {}", String::from_utf8_lossy(key.get(5..).unwrap_or_default()));
            let (Some((head, text)), Ok(number)) = (key.split_first_chunk::<5>(), key::read_u32(value, Table::Dict))
            else {
                check.tell(place, "has an unknown form");
                return Ok(());
            };
            let reverse = [&head[..], &number.to_be_bytes()].concat();
            if check.state.get(Table::DictRev, &reverse)?.as_deref() != Some(text) {
                check.tell(place, "its number does not lead back to it");
            } else if u64::from(number) > check.last_number {
                check.tell(place, "its number could be given out again");
            } else if head[4] == Word::Tenant as u8
                && check.state.get(Table::Obj, &read::tenant_key(number).bytes())?.is_none()
            {
                check.tell(place, "is a tenant without an object");
            }
            Ok(())
        })?;
        self.walk(Table::DictRev, &mut |_, _, _| {
            back += 1;
            Ok(())
        })?;
        if there != back {
            self.tell("Dict", format!("{there} texts but {back} numbers"));
        }
        Ok(())
    }

    fn objects(&mut self) -> Result<(), Fault> {
        self.walk(Table::Obj, &mut |check, key, bytes| {
            let Some(key) = ObjKey::parse(key) else {
                check.tell(format!("Obj {key:?}"), "has an unknown key");
                return Ok(());
            };
            match check.object(key, bytes) {
                // A damaged record is one more thing to tell; a disk that refuses ends the walk.
                Err(Fault::Damaged { object, detail }) => check.tell(object, detail),
                other => other?,
            }
            Ok(())
        })?;
        self.end_of_task();
        self.end_of_run();
        Ok(())
    }

    fn object(&mut self, key: ObjKey, bytes: &[u8]) -> Result<(), Fault> {
        if !matches!((key.kind, key.n), (Kind::UserTaskRun, 1..)) {
            self.end_of_task();
        }
        // An event whose WfRun is yet to come lies under its tenant.
        let is_of_run = key.kind >= Kind::WfRun && !event::is_early(key);
        if is_of_run && key.kind != Kind::WfRun && self.run.is_none_or(|(run, _)| run.0 != key.scope) {
            // Of a deleted WfRun pieces may be left for a while.
            let doomed: Option<DoomedRunRecord> =
                Reader { state: self.state, tenant: None }.object(doomed_key(RunRef(key.scope)))?;
            let Some(doomed) = doomed else {
                self.tell(describe(key), "its WfRun is missing");
                return Ok(());
            };
            let tenant = doomed.facts.tenant;
            let derived = derive::of(key, bytes, tenant, &mut |word, text| {
                Ok(self.word(tenant, word, text)?.unwrap_or_default())
            })?;
            return self.derived(key, derived);
        }
        if key.kind == Kind::WfRun {
            self.end_of_run();
            let record: WfRunRecord = Record::decode(key, bytes)?;
            self.run = Some((RunRef(key.scope), record.facts.tenant));
        }
        let tenant = match self.run {
            Some((run, tenant)) if is_of_run && run.0 == key.scope => tenant,
            _ => u32::try_from(key.scope).unwrap_or_default(),
        };
        let derived =
            derive::of(key, bytes, tenant, &mut |word, text| Ok(self.word(tenant, word, text)?.unwrap_or_default()))?;
        self.derived(key, derived)?;
        match key.kind {
            Kind::Tenant => self.tenant(key, &Record::decode(key, bytes)?),
            Kind::UserTaskDef => self.user_task_def(key, &Record::decode(key, bytes)?),
            Kind::WfSpec => self.wf_spec(key, &Record::decode(key, bytes)?),
            Kind::WfRun => self.wf_run(key, &Record::decode(key, bytes)?),
            Kind::NodeRun => self.node_run(key, &Record::decode(key, bytes)?),
            Kind::Variable => self.variable(key, &Record::decode(key, bytes)?),
            Kind::UserTaskRun if key.n == 0 => self.user_task_run(key, &Record::decode(key, bytes)?),
            Kind::UserTaskRun => self.user_task_event(key),
            Kind::ExternalEvent => {
                let record: ExternalEventRecord = Record::decode(key, bytes)?;
                self.created(key, key.sub, record.message.created_at)
            }
            Kind::CorrelatedEvent => {
                let record: CorrelatedEventRecord = Record::decode(key, bytes)?;
                self.created(key, key.sub, record.message.created_at)
            }
            Kind::ScheduledWfRun => {
                let record: ScheduledWfRunRecord = Record::decode(key, bytes)?;
                self.created(key, key.sub, record.message.created_at)
            }
            Kind::WorkflowEvent => {
                let record: WorkflowEventRecord = Record::decode(key, bytes)?;
                self.created(key, record.facts.ordinal, record.message.created_at)
            }
            Kind::TaskRun => self.task_run(key, &Record::decode(key, bytes)?),
            Kind::InactiveThread => self.inactive_thread(&Record::decode(key, bytes)?),
            // What follows from the others was looked at already.
            _ => Ok(()),
        }
    }

    /// The number of a text, told when it is missing.
    fn word(&mut self, tenant: u32, word: Word, text: &str) -> Result<Option<u32>, Fault> {
        let found = Reader { state: self.state, tenant: Some(tenant) }.number(word, text)?;
        if found.is_none() {
            self.tell(format!("{word:?} {text}"), "is used but not in the dictionary");
        }
        Ok(found)
    }

    /// Told when an object lies under another key than its message says.
    fn at(&mut self, key: ObjKey, expected: Option<ObjKey>) {
        if expected != Some(key) {
            self.tell(describe(key), "does not lie where its id says");
        }
    }

    fn tenant(&mut self, key: ObjKey, record: &TenantRecord) -> Result<(), Fault> {
        let name = record.message.id.clone().unwrap_or_default().id;
        let number = self.word(0, Word::Tenant, &name)?;
        self.at(key, number.map(read::tenant_key));
        Ok(())
    }

    fn user_task_def(&mut self, key: ObjKey, record: &UserTaskDefRecord) -> Result<(), Fault> {
        let version = u32::try_from(record.message.version).unwrap_or(u32::MAX);
        let tenant = u32::try_from(key.scope).unwrap_or_default();
        let name = self.word(tenant, Word::Name, &record.message.name)?;
        self.at(key, name.map(|name| read::user_task_def_key(tenant, name, version)));
        Ok(())
    }

    fn wf_spec(&mut self, key: ObjKey, record: &WfSpecRecord) -> Result<(), Fault> {
        let tenant = u32::try_from(key.scope).unwrap_or_default();
        let id = record.message.id.clone().unwrap_or_default();
        let [major, revision] = [id.major_version, id.revision].map(|number| u32::try_from(number).unwrap_or(u32::MAX));
        let name = self.word(tenant, Word::Name, &id.name)?;
        self.at(key, name.map(|name| read::wf_spec_key(tenant, name, major, revision)));
        Ok(())
    }

    fn wf_run(&mut self, key: ObjKey, record: &WfRunRecord) -> Result<(), Fault> {
        let started = record.message.start_time.as_ref().map(id::milliseconds);
        self.ordinal(key, key.scope, started.unwrap_or_default());
        for thread in &record.message.thread_runs {
            self.says_thread(thread);
        }
        Ok(())
    }

    /// A thread says that it has been at each of its nodes up to the present one.
    fn says_thread(&mut self, thread: &lh::ThreadRun) {
        let (number, last) = (thread.number.cast_unsigned(), u64::from(thread.current_node_position.cast_unsigned()));
        self.threads.entry(number).or_default().0 += last + 1;
    }

    fn inactive_thread(&mut self, record: &InactiveThreadRecord) -> Result<(), Fault> {
        // One in the queue has not begun.
        if let (Some(InactiveReason::Archived(_)), Some(thread)) =
            (&record.message.inactive_reason, &record.message.thread_run)
        {
            self.says_thread(thread);
        }
        Ok(())
    }

    fn end_of_run(&mut self) {
        let threads = std::mem::take(&mut self.threads);
        let Some((run, _)) = self.run.take() else { return };
        for (thread, (said, there)) in threads {
            if said != there {
                let detail = format!("its thread {thread} has {there} NodeRuns where it says {said}");
                self.tell(describe(read::wf_run_key(run)), detail);
            }
        }
    }

    fn node_run(&mut self, key: ObjKey, record: &NodeRunRecord) -> Result<(), Fault> {
        let id = record.message.id.clone().unwrap_or_default();
        let place = Place::new(id.thread_run_number, id.position);
        self.at(key, place.map(|place| read::node_run_key(RunRef(key.scope), place)));
        let place = Place::from_sub(key.sub);
        self.threads.entry(place.thread).or_default().1 += 1;
        let task = match &record.message.node_type {
            Some(NodeType::UserTask(lh::UserTaskNodeRun { user_task_run_id: Some(_) })) => Some(Kind::UserTaskRun),
            Some(NodeType::Task(lh::TaskNodeRun { task_run_id: Some(_) })) => Some(Kind::TaskRun),
            _ => None,
        };
        if let Some(kind) = task
            && self.state.get(Table::Obj, &ObjKey::new(key.scope, kind, key.sub, 0).bytes())?.is_none()
        {
            self.tell(describe(key), format!("its {kind:?} is missing"));
        }
        if place.position == 0 { self.variables_of(key, &record.message) } else { Ok(()) }
    }

    /// A thread that has begun has every variable of its own, as its first NodeRun says which ThreadSpec that was.
    fn variables_of(&mut self, key: ObjKey, first: &lh::NodeRun) -> Result<(), Fault> {
        let Some((run, tenant)) = self.run else { return Ok(()) };
        let reader = Reader { state: self.state, tenant: Some(tenant) };
        let Some(spec) = reader.wf_spec(&first.wf_spec_id.clone().unwrap_or_default())? else {
            self.tell(describe(key), "its WfSpec is missing");
            return Ok(());
        };
        let Some(thread) = spec.message.thread_specs.get(&first.thread_spec_name) else {
            self.tell(describe(key), format!("its WfSpec has no thread {}", first.thread_spec_name));
            return Ok(());
        };
        let number = Place::from_sub(key.sub).thread;
        for declared in &thread.variable_defs {
            let Some(variable) = &declared.var_def else { continue };
            let inherited = declared.access_level() == lh::WfRunVariableAccessLevel::InheritedVar;
            if !inherited && reader.variable(run, number, &variable.name)?.is_none() {
                self.tell(describe(key), format!("the Variable {} of its thread is missing", variable.name));
            }
        }
        Ok(())
    }

    fn variable(&mut self, key: ObjKey, record: &VariableRecord) -> Result<(), Fault> {
        let Some((run, tenant)) = self.run else { return Ok(()) };
        let id = record.message.id.clone().unwrap_or_default();
        let thread = u32::try_from(id.thread_run_number).unwrap_or(u32::MAX);
        let name = self.word(tenant, Word::Name, &id.name)?;
        self.at(key, name.map(|name| read::variable_key(run, thread, name)));
        Ok(())
    }

    fn user_task_run(&mut self, key: ObjKey, record: &UserTaskRunRecord) -> Result<(), Fault> {
        self.task = Some((key, record.facts.events));
        let place = Place::from_sub(key.sub);
        let id = record.message.id.clone().unwrap_or_default();
        if id.user_task_guid != place.guid() {
            self.tell(describe(key), "does not lie where its id says");
        }
        if !record.message.events.is_empty() {
            self.tell(describe(key), "holds events that should be rows of their own");
        }
        let scheduled = record.message.scheduled_time.as_ref().map(id::milliseconds);
        self.ordinal(key, record.facts.ordinal, scheduled.unwrap_or_default());
        Ok(())
    }

    fn task_run(&mut self, key: ObjKey, record: &TaskRunRecord) -> Result<(), Fault> {
        let (message, facts) = (&record.message, &record.facts);
        let id = message.id.clone().unwrap_or_default();
        let place = Place::from_guid(&id.task_guid);
        let reminder = TaskRef::of_reminder(RunRef(key.scope), facts.ordinal);
        self.at(key, Some(place.map_or(reminder, |place| TaskRef::of_node(RunRef(key.scope), place)).key()));
        let scheduled = message.scheduled_at.as_ref().map(id::milliseconds);
        self.ordinal(key, facts.ordinal, scheduled.unwrap_or_default());
        if facts.queued > self.last_ordinal {
            self.tell(describe(key), "its place in the queue could be given out again");
        }
        let newest = message.attempts.last().map(|attempt| attempt.status);
        if newest != Some(message.status) || facts.attempts.len() != message.attempts.len() {
            self.tell(describe(key), "does not agree with its attempts");
        }
        Ok(())
    }

    fn created(&mut self, key: ObjKey, ordinal: u64, created: Option<Timestamp>) -> Result<(), Fault> {
        self.ordinal(key, ordinal, created.as_ref().map(id::milliseconds).unwrap_or_default());
        Ok(())
    }

    fn user_task_event(&mut self, key: ObjKey) -> Result<(), Fault> {
        match &mut self.task {
            Some((task, left)) if (task.scope, task.sub) == (key.scope, key.sub) && *left > 0 => *left -= 1,
            _ => self.tell(describe(key), "is an event that its UserTaskRun does not count"),
        }
        Ok(())
    }

    fn end_of_task(&mut self) {
        if let Some((task, left @ 1..)) = self.task.take() {
            self.tell(describe(task), format!("{left} of its events are missing"));
        }
    }

    /// Searches by time rest on these.
    fn ordinal(&mut self, key: ObjKey, ordinal: u64, time: i64) {
        let time = u64::try_from(time).unwrap_or_default();
        if ordinal > self.last_ordinal {
            self.tell(describe(key), "its ordinal could be given out again");
        }
        match (ordinal >> ORDINAL_SHIFT).checked_sub(time) {
            None => self.tell(describe(key), "its ordinal is behind its time"),
            Some(lead) if lead > self.lead => self.tell(describe(key), "its ordinal is further ahead than is known"),
            Some(_) => {}
        }
    }

    /// Every row that follows from an object is there as it must be.
    fn derived(&mut self, key: ObjKey, derived: Derived) -> Result<(), Fault> {
        for ((index, attribute, status, ordinal), value) in derived.rows {
            *self.counts.entry(key::count(index, attribute, status).to_vec()).or_default() += 1;
            *self.rows.entry(Table::Idx).or_default() += 1;
            let stored = self.state.get(Table::Idx, &key::idx(index, attribute, status, ordinal))?;
            self.row(stored, &value, || format!("{index:?} {attribute}/{status}/{ordinal}"));
        }
        for (key, times) in derived.counts {
            *self.counts.entry(key.to_vec()).or_default() += times;
        }
        let ids = derived.ids.into_iter().map(|(key, at)| (Table::Ids, key, at.to_be_bytes().to_vec()));
        let timers = derived.timers.into_iter().map(|(key, to)| (Table::Timer, key, to.to_be_bytes().to_vec()));
        let keys = derived.keys.into_iter().map(|(key, value)| (Table::KeyIdx, key, value));
        for (table, row, value) in keys.chain(ids).chain(timers) {
            *self.rows.entry(table).or_default() += 1;
            let stored = self.state.get(table, &row)?;
            self.row(stored, &value, || format!("{table:?} {} of {}", String::from_utf8_lossy(&row), describe(key)));
        }
        Ok(())
    }

    fn row(&mut self, stored: Option<Vec<u8>>, expected: &[u8], place: impl FnOnce() -> String) {
        match stored {
            None => self.tell(place(), "is missing"),
            Some(stored) if stored != expected => self.tell(place(), "says something else than its object"),
            Some(_) => {}
        }
    }

    /// Nothing is there but what the objects asked for, and the counters say how much.
    fn leftovers(&mut self) -> Result<(), Fault> {
        let mut counters: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
        self.walk(Table::Count, &mut |_, key, value| {
            counters.insert(key.to_vec(), key::read_u64(value, Table::Count)?);
            Ok(())
        })?;
        let expected = std::mem::take(&mut self.counts);
        for key in expected.keys().chain(counters.keys()).collect::<BTreeSet<_>>() {
            let (wanted, there) = (expected.get(key).copied(), counters.get(key).copied());
            if wanted != there {
                let [wanted, there] = [wanted, there].map(Option::unwrap_or_default);
                self.tell(format!("Count {key:?}"), format!("{there} where the objects ask for {wanted}"));
            }
        }
        for table in [Table::Idx, Table::KeyIdx, Table::Ids, Table::Timer] {
            let mut there = 0;
            self.walk(table, &mut |_, _, _| {
                there += 1;
                Ok(())
            })?;
            let wanted = self.rows.get(&table).copied().unwrap_or_default();
            if there != wanted {
                self.tell(format!("{table:?}"), format!("{there} rows where the objects ask for {wanted}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::core::WriteSet;
    use crate::engine::core::testing::{Bench, chain, lit, s, user_task, var_def};

    /// Whatever single object of a run is lost or damaged, it is missed.
    #[test]
    fn no_part_of_a_run_can_be_lost_unseen() {
        let mut bench = Bench::default();
        bench.start(user_task(None, Some(lit(s("finance")))));
        let mut thread = chain(&[("form", lh::node::Node::UserTask(user_task(Some(lit(s("amy"))), None)))]);
        thread.variable_defs = vec![var_def("name", lh::VariableType::Str), var_def("n", lh::VariableType::Int)];
        bench.flow("second", &[("main", thread)]).unwrap();
        bench.run("second", "second", &[("name", s("x"))]).unwrap();
        assert_eq!(check(&bench.state).unwrap(), []);
        let mut kinds = BTreeSet::new();
        let objects: Vec<Vec<u8>> =
            bench.state.iter().filter(|(table, _, _)| *table == Table::Obj).map(|(_, key, _)| key.to_vec()).collect();
        for key in objects {
            let kind = ObjKey::parse(&key).unwrap().kind;
            if kind < Kind::WfRun || kind == Kind::NodeOutput {
                continue;
            }
            kinds.insert(kind);
            let mut writes = WriteSet::default();
            writes.remove(Table::Obj, key.clone());
            let mut state = bench.state.clone();
            state.apply(&writes);
            assert_ne!(check(&state).unwrap(), [], "{kind:?} {key:?}");
        }
        assert_eq!(
            kinds.into_iter().collect::<Vec<_>>(),
            [Kind::WfRun, Kind::NodeRun, Kind::Variable, Kind::UserTaskRun]
        );
    }
}
