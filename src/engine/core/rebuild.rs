//! Building everything anew that follows from the objects: indexes, ids, counts, timers, and the dictionary's way back.
//!
//! A migration does it when a new format derives other rows from old objects, a repair when rows are lost. It goes in
//! steps of bounded size, and where it stands is a row of [`Table::Meta`] in the same writes, so a step that was cut
//! off is simply done again. While that row is there the state serves nobody.

use std::ops::ControlFlow;

use crate::engine::core::command::{Actor, Channel, Context, Proof};
use crate::engine::core::id;
use crate::engine::core::key::{self, Kind, ObjKey};
use crate::engine::core::record::{
    CorrelatedEventRecord, DoomedRunRecord, ExternalEventRecord, Record, ScheduledWfRunRecord, TaskRunRecord,
    UserTaskRunRecord, WfRunRecord, WorkflowEventRecord,
};
use crate::engine::core::run::delete::doomed_key;
use crate::engine::core::tx::{LAST_NUMBER, LAST_ORDINAL, ORDINAL_LEAD, ORDINAL_SHIFT, ordinal_lead};
use crate::engine::core::{Fault, Order, Overlay, State, Table, Tx, WriteSet, event, read};

/// Meta row: where a rebuild stands. Table by table, and in each the key behind which to go on.
const PLACE: &[u8] = b"rebuild";

/// What a rebuild does, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    /// Every number leads back to its text.
    Words,
    /// Every text leads to its number.
    Numbers,
    /// No derived row is left.
    Clear(Table),
    /// Every object has its rows.
    Objects,
}

const PLAN: [Work; 8] = [
    Work::Words,
    Work::Numbers,
    Work::Clear(Table::Idx),
    Work::Clear(Table::KeyIdx),
    Work::Clear(Table::Count),
    Work::Clear(Table::Ids),
    Work::Clear(Table::Timer),
    Work::Objects,
];

/// The writes that begin a rebuild.
pub fn begin() -> WriteSet {
    let mut writes = WriteSet::default();
    writes.put(Table::Meta, PLACE, [0]);
    writes
}

/// Whether a rebuild was begun and not finished.
pub fn is_under_way(state: &dyn State) -> Result<bool, Fault> {
    Ok(state.get(Table::Meta, PLACE)?.is_some())
}

/// The writes of the next step, which looks at `limit` rows; none when no rebuild is under way.
pub fn step(state: &dyn State, limit: usize) -> Result<Option<WriteSet>, Fault> {
    let Some(place) = state.get(Table::Meta, PLACE)? else { return Ok(None) };
    let (at, after) = place.split_first().ok_or_else(|| key::damaged("Meta rebuild", "empty"))?;
    let context = Context {
        tenant: read::DEFAULT_TENANT.to_owned(),
        actor: Actor { name: String::new(), proof: Proof::Engine, channel: Channel::InProcess },
        at: 0,
        now: 0,
        seed: 0,
    };
    let mut tx = Tx::bare(state, &context);
    let Some(work) = PLAN.get(usize::from(*at)) else {
        tx.overlay().remove(Table::Meta, PLACE);
        return Ok(Some(tx.finish().0));
    };
    let table = match work {
        Work::Words => Table::Dict,
        Work::Numbers => Table::DictRev,
        Work::Clear(table) => *table,
        Work::Objects => Table::Obj,
    };
    let rows = rows_after(state, table, after, limit)?;
    for (key, value) in &rows {
        match work {
            Work::Words => word(tx.overlay(), key, value)?,
            Work::Numbers => number(tx.overlay(), key, value)?,
            Work::Clear(table) => tx.overlay().remove(*table, key.clone()),
            Work::Objects => object(&mut tx, key, value)?,
        }
    }
    let next = match rows.last() {
        Some((last, _)) if rows.len() >= limit.max(1) => [&[*at], last.as_slice()].concat(),
        _ => vec![at + 1],
    };
    tx.overlay().put(Table::Meta, PLACE, next);
    Ok(Some(tx.finish().0))
}

type Row = (Vec<u8>, Vec<u8>);

fn rows_after(state: &dyn State, table: Table, after: &[u8], limit: usize) -> Result<Vec<Row>, Fault> {
    // The smallest key behind another one is that with a zero at its end.
    let from = if after.is_empty() { Vec::new() } else { [after, &[0]].concat() };
    let mut rows = Vec::new();
    state.scan(table, &from, None, Order::Ascending, &mut |key, value| {
        rows.push((key.to_vec(), value.to_vec()));
        if rows.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(rows)
}

/// Raises a number of [`Table::Meta`], which says what must not be given out again. Rows are as wide as `number`.
fn raise(overlay: &mut Overlay<'_>, name: &[u8], number: &[u8]) -> Result<(), Fault> {
    // Big-endian numbers of one width compare like bytes.
    if overlay.get(Table::Meta, name)?.is_none_or(|stored| stored.as_slice() < number) {
        overlay.put(Table::Meta, name, number);
    }
    Ok(())
}

fn word(overlay: &mut Overlay<'_>, key: &[u8], value: &[u8]) -> Result<(), Fault> {
    let (Some((head, text)), Ok(number)) = (key.split_first_chunk::<5>(), <[u8; 4]>::try_from(value)) else {
        // The check tells of it; there is nothing to be done about it.
        return Ok(());
    };
    raise(overlay, LAST_NUMBER, &number)?;
    let back = [&head[..], &number].concat();
    if overlay.get(Table::DictRev, &back)?.is_none() {
        overlay.put(Table::DictRev, back, text);
    }
    Ok(())
}

fn number(overlay: &mut Overlay<'_>, key: &[u8], text: &[u8]) -> Result<(), Fault> {
    let Some((head, number)) = key.split_first_chunk::<5>() else { return Ok(()) };
    let there = [&head[..], text].concat();
    match overlay.get(Table::Dict, &there)? {
        None => overlay.put(Table::Dict, there, number),
        // A second number of a text, which no object can have been stored under.
        Some(other) if other != number => overlay.remove(Table::DictRev, key),
        Some(_) => {}
    }
    Ok(())
}

fn object(tx: &mut Tx<'_>, key: &[u8], bytes: &[u8]) -> Result<(), Fault> {
    let Some(key) = ObjKey::parse(key) else { return Ok(()) };
    let rebuilt = tenant_of(tx, key).and_then(|tenant| match tenant {
        Some(tenant) => {
            tx.derive_again(key, bytes, tenant)?;
            ordinals(tx, key, bytes)
        }
        None => Ok(()),
    });
    match rebuilt {
        // A damaged object has no rows; the check names it.
        Err(Fault::Damaged { .. }) => Ok(()),
        other => other,
    }
}

/// The tenant of an object; none when it is of a WfRun that is missing.
fn tenant_of(tx: &Tx<'_>, key: ObjKey) -> Result<Option<u32>, Fault> {
    // An event whose WfRun is yet to come lies under its tenant.
    if key.kind < Kind::WfRun || event::is_early(key) {
        return Ok(u32::try_from(key.scope).ok());
    }
    let run: Option<WfRunRecord> = tx.read().object(read::wf_run_key(key::RunRef(key.scope)))?;
    if run.is_some() {
        return Ok(run.map(|run| run.facts.tenant));
    }
    let doomed: Option<DoomedRunRecord> = tx.read().object(doomed_key(key::RunRef(key.scope)))?;
    Ok(doomed.map(|doomed| doomed.facts.tenant))
}

/// No ordinal that an object has is given out again, and searches by time know how far ordinals run ahead.
fn ordinals(tx: &mut Tx<'_>, key: ObjKey, bytes: &[u8]) -> Result<(), Fault> {
    let (ordinal, time) = match key.kind {
        Kind::WfRun => {
            let run: WfRunRecord = Record::decode(key, bytes)?;
            (key.scope, run.message.start_time)
        }
        Kind::UserTaskRun if key.n == 0 => {
            let task: UserTaskRunRecord = Record::decode(key, bytes)?;
            (task.facts.ordinal, task.message.scheduled_time)
        }
        Kind::TaskRun => {
            let task: TaskRunRecord = Record::decode(key, bytes)?;
            raise(tx.overlay(), LAST_ORDINAL, &task.facts.queued.to_be_bytes())?;
            (task.facts.ordinal, task.message.scheduled_at)
        }
        Kind::ExternalEvent => {
            let event: ExternalEventRecord = Record::decode(key, bytes)?;
            (key.sub, event.message.created_at)
        }
        Kind::CorrelatedEvent => {
            let event: CorrelatedEventRecord = Record::decode(key, bytes)?;
            (key.sub, event.message.created_at)
        }
        Kind::WorkflowEvent => {
            let event: WorkflowEventRecord = Record::decode(key, bytes)?;
            (event.facts.ordinal, event.message.created_at)
        }
        Kind::ScheduledWfRun => {
            let schedule: ScheduledWfRunRecord = Record::decode(key, bytes)?;
            (key.sub, schedule.message.created_at)
        }
        Kind::BulkJob => (key.sub, None),
        _ => return Ok(()),
    };
    raise(tx.overlay(), LAST_ORDINAL, &ordinal.to_be_bytes())?;
    if let Some(time) = time {
        let time = u64::try_from(id::milliseconds(&time)).unwrap_or_default();
        let lead = (ordinal >> ORDINAL_SHIFT).saturating_sub(time);
        if lead > ordinal_lead(tx.overlay())? {
            tx.overlay().put(Table::Meta, ORDINAL_LEAD, lead.to_be_bytes());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{littlehorse as lh, store::v1 as store};
    use crate::engine::core::check;
    use crate::engine::core::state::MemoryState;
    use crate::engine::core::testing::{Bench, FORM, chain, run_id, s, user_task};
    use lh::node::Node;

    /// Some of everything that derives rows.
    fn bench() -> Bench {
        let mut bench = Bench::default();
        bench.must(lh::PutTenantRequest { id: "acme".into(), ..Default::default() });
        let task = bench.start(user_task(None, Some(crate::engine::core::testing::lit(s("finance")))));
        bench.form("other", &FORM());
        bench.flow("second", &[("main", chain(&[]))]).unwrap();
        for run in ["one", "two", "three"] {
            bench.run("flow", run, &[]).unwrap();
        }
        bench.run("second", "done", &[]).unwrap();
        bench.complete(&task, "amy", &[("name", s("x"))]).unwrap();
        bench.must(lh::PutTaskDefRequest { name: "td".into(), ..Default::default() });
        let td = lh::task_node::TaskToExecute::TaskDefId(lh::TaskDefId { name: "td".into() });
        let node = lh::TaskNode { task_to_execute: Some(td), ..Default::default() };
        bench.flow("tasks", &[("main", chain(&[("task", lh::node::Node::Task(node))]))]).unwrap();
        bench.run("tasks", "claimed", &[]).unwrap();
        bench.run("tasks", "queued", &[]).unwrap();
        let task_def_name = "td".to_owned();
        bench.must(store::ClaimTask { task_def_name: task_def_name.clone(), ..Default::default() });
        bench.must(store::RegisterTaskWorker { task_def_name, ..Default::default() });
        events(&mut bench);
        bench
    }

    /// Events before their run and in it, thrown ones, one by a key with a node that waits for another, a schedule.
    fn events(bench: &mut Bench) {
        let def = || Some(lh::ExternalEventDefId { name: "ev".into() });
        bench.must(lh::PutExternalEventDefRequest {
            name: "ev".into(),
            retention_policy: Some(lh::ExternalEventRetentionPolicy {
                ext_evt_gc_policy: Some(lh::external_event_retention_policy::ExtEvtGcPolicy::SecondsAfterPut(60)),
            }),
            correlated_event_config: Some(lh::CorrelatedEventConfig { ttl_seconds: Some(60), ..Default::default() }),
            ..Default::default()
        });
        bench.must(lh::PutWorkflowEventDefRequest { name: "told".into(), content_type: None });
        let throw =
            lh::ThrowEventNode { event_def_id: Some(lh::WorkflowEventDefId { name: "told".into() }), content: None };
        let wait = lh::ExternalEventNode {
            external_event_def_id: def(),
            correlation_key: Some(crate::engine::core::testing::lit(s("key"))),
            timeout_seconds: Some(crate::engine::core::testing::lit(crate::engine::core::testing::i(60))),
            ..Default::default()
        };
        let nodes = [("n1", Node::ThrowEvent(throw)), ("n2", Node::ExternalEvent(wait))];
        bench.flow("eventful", &[("main", chain(&nodes))]).unwrap();
        bench.run("eventful", "waits", &[]).unwrap();
        for run in ["waits", "done", "early", "early"] {
            bench.must(lh::PutExternalEventRequest {
                wf_run_id: Some(run_id(run)),
                external_event_def_id: def(),
                ..Default::default()
            });
        }
        bench.run("eventful", "waits-too", &[]).unwrap();
        bench.must(lh::PutCorrelatedEventRequest { key: "other".into(), external_event_def_id: def(), content: None });
        bench.must(lh::ScheduleWfRequest {
            wf_spec_name: "second".into(),
            cron_expression: "* * * * *".into(),
            ..Default::default()
        });
    }

    fn rebuild(state: &mut MemoryState, limit: usize) -> usize {
        state.apply(&begin());
        let mut steps = 0;
        while let Some(writes) = step(state, limit).unwrap() {
            assert!(is_under_way(state).unwrap());
            state.apply(&writes);
            steps += 1;
            assert!(steps < 10_000, "it does not end");
        }
        assert!(!is_under_way(state).unwrap());
        steps
    }

    #[test]
    fn what_was_there_is_there_again_whatever_the_size_of_a_step() {
        let bench = bench();
        for limit in [1, 2, 7, 1000] {
            let mut state = bench.state.clone();
            let steps = rebuild(&mut state, limit);
            assert!(limit < 1000 || steps == PLAN.len() + 1, "{steps}");
            assert_eq!(state, bench.state, "steps of {limit}");
        }
    }

    /// Every row that follows from others can be lost, be wrong, or be one too many.
    #[test]
    fn any_derived_row_can_be_lost_or_wrong() {
        let bench = bench();
        let derived = [Table::Idx, Table::KeyIdx, Table::Count, Table::Ids, Table::Timer, Table::Dict, Table::DictRev];
        let rows: Vec<(Table, Vec<u8>)> = bench
            .state
            .iter()
            .filter(|(table, _, _)| derived.contains(table))
            .map(|(table, key, _)| (table, key.to_vec()))
            .collect();
        for (table, key) in &rows {
            let mut writes = WriteSet::default();
            writes.remove(*table, key.clone());
            let mut state = bench.state.clone();
            state.apply(&writes);
            assert_ne!(check(&state).unwrap(), [], "{table:?} {key:?} is not missed");
            rebuild(&mut state, 5);
            assert_eq!(state, bench.state, "{table:?} {key:?}");
            if matches!(table, Table::Dict | Table::DictRev) {
                continue;
            }
            let mut writes = WriteSet::default();
            writes.put(*table, key.clone(), [7; 8]);
            let mut other = key.clone();
            *other.last_mut().unwrap() ^= 0x55;
            writes.put(*table, other, [0; 8]);
            let mut state = bench.state.clone();
            state.apply(&writes);
            assert_ne!(check(&state).unwrap(), [], "{table:?} {key:?} is not doubted");
            rebuild(&mut state, 5);
            assert_eq!(state, bench.state, "{table:?} {key:?}");
        }
    }

    #[test]
    fn numbers_that_are_taken_are_not_given_out_again() {
        let bench = bench();
        let mut state = bench.state.clone();
        let mut writes = WriteSet::default();
        writes.remove(Table::Meta, LAST_NUMBER);
        writes.remove(Table::Meta, LAST_ORDINAL);
        state.apply(&writes);
        rebuild(&mut state, 3);
        assert_eq!(check(&state).unwrap(), []);
    }

    #[test]
    fn a_damaged_object_does_not_stop_it() {
        let bench = bench();
        let run = read::wf_run_key(
            read::Reader::new(&bench.state, "default").unwrap().run_ref(&run_id("two")).unwrap().unwrap(),
        );
        let mut bytes = bench.state.get(Table::Obj, &run.bytes()).unwrap().unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        let mut writes = WriteSet::default();
        writes.put(Table::Obj, run.bytes(), bytes);
        let mut state = bench.state.clone();
        state.apply(&writes);
        rebuild(&mut state, 4);
        let found = check(&state).unwrap();
        assert!(
            !found.is_empty() && found.iter().all(|found| found.place.contains(&run.scope.to_string())),
            "{found:?}"
        );
    }
}
