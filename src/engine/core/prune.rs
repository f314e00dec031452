//! Finished WfRuns that are older than somebody wants to keep: finding them on a snapshot, a few at a time, and
//! deleting those in a command that looks again.

use std::ops::ControlFlow;

use crate::api::{littlehorse as lh, store::v1 as store};
use crate::engine::core::key::{self, Index, RunRef, Word};
use crate::engine::core::read::Reader;
use crate::engine::core::record::WfRunRecord;
use crate::engine::core::run::delete::doom;
use crate::engine::core::tx::ORDINAL_SHIFT;
use crate::engine::core::{Fault, Order, Refusal, State, Table, Tx, id};

/// Rows of the index that one look goes through at most.
const LOOK: usize = 512;
/// WfRuns of one command: each has a few dozen objects as a rule, and a thousand are taken away at once at most.
const RUNS: usize = 16;

/// What one look found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The tenant whose these are.
    pub tenant: String,
    /// WfRuns that may go.
    pub runs: Vec<u64>,
    /// Where to go on; none at the end.
    pub next: Option<Vec<u8>>,
}

/// Looks for WfRuns that ended before `before` (milliseconds since 1970), from where an earlier look left off.
pub fn find(state: &dyn State, before: i64, from: &[u8]) -> Result<Found, Fault> {
    let prefix = [Index::RunsBySpec as u8];
    let end = key::after_prefix(&prefix);
    let mut from = if from.is_empty() { prefix.to_vec() } else { from.to_vec() };
    let mut found = Found::default();
    for _ in 0..LOOK {
        let mut seen = None;
        state.scan(Table::Idx, &from, end.as_deref(), Order::Ascending, &mut |key, _| {
            seen = <[u8; 14]>::try_from(key).ok();
            ControlFlow::Break(())
        })?;
        let Some(row) = seen else { return Ok(found) };
        let ordinal = u64::from_be_bytes([row[6], row[7], row[8], row[9], row[10], row[11], row[12], row[13]]);
        // What began later has not ended before; nothing else of this status of this WfSpec can be meant then.
        let began_in_time = i64::try_from(ordinal >> ORDINAL_SHIFT).unwrap_or(i64::MAX) <= lead(state, before)?;
        if !is_final(i32::from(row[5])) || !began_in_time {
            match key::after_prefix(row.get(..6).unwrap_or_default()) {
                Some(next) => from = next,
                None => return Ok(found),
            }
            continue;
        }
        from = [&row[..], &[0]].concat();
        let run = RunRef(ordinal);
        let reader = Reader { state, tenant: None };
        let Some(record) = reader.wf_run(run)? else { continue };
        if !may_go(&reader, &record, before)? {
            continue;
        }
        let tenant = Reader { state, tenant: Some(0) }.text(Word::Tenant, record.facts.tenant)?;
        if !found.runs.is_empty() && tenant != found.tenant {
            found.next = Some(row.to_vec());
            return Ok(found);
        }
        found.tenant = tenant;
        found.runs.push(ordinal);
        if found.runs.len() >= RUNS {
            break;
        }
    }
    found.next = Some(from);
    Ok(found)
}

/// Ordinals run ahead of times, at most by what the store knows.
fn lead(state: &dyn State, before: i64) -> Result<i64, Fault> {
    let lead = crate::engine::core::tx::ordinal_lead(state)?;
    Ok(before.saturating_add(i64::try_from(lead).unwrap_or(i64::MAX)))
}

/// The command: deletes those of its WfRuns that may still go, all of its tenant. Answers how many.
pub(super) fn prune(tx: &mut Tx<'_>, request: store::PruneRuns) -> Result<store::PrunedRuns, Refusal> {
    let mut wf_runs = 0;
    for run in request.runs.into_iter().take(RUNS).map(RunRef) {
        let Some(record) = tx.read().wf_run(run)? else { continue };
        if record.facts.tenant == tx.tenant() && may_go(&tx.read(), &record, request.before)? {
            doom(tx, run)?;
            wf_runs += 1;
        }
    }
    Ok(store::PrunedRuns { wf_runs })
}

fn is_final(status: i32) -> bool {
    use lh::LhStatus::{Completed, Error, Exception};
    [Completed, Error, Exception].into_iter().any(|last| last as i32 == status)
}

/// It ended before that time, and no WfRun that has not ended is its parent.
fn may_go(reader: &Reader<'_>, record: &WfRunRecord, before: i64) -> Result<bool, Fault> {
    let run = &record.message;
    let ended = run.end_time.as_ref().or_else(|| run.thread_runs.first().and_then(|thread| thread.end_time.as_ref()));
    if !is_final(run.status) || ended.is_none_or(|ended| id::milliseconds(ended) >= before) {
        return Ok(false);
    }
    match record.facts.parent {
        0 => Ok(true),
        parent => Ok(reader.wf_run(RunRef(parent))?.is_none_or(|parent| is_final(parent.message.status))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::core::check;
    use crate::engine::core::testing::{Bench, chain, lit, run_id, s, user_task};

    fn all(bench: &Bench, before: i64) -> Vec<u64> {
        let (mut runs, mut from) = (Vec::new(), Vec::new());
        for _ in 0..1000 {
            let found = find(&bench.state, before, &from).unwrap();
            assert!(found.runs.is_empty() || found.tenant == "default");
            runs.extend(found.runs);
            match found.next {
                Some(next) => from = next,
                None => return runs,
            }
        }
        panic!("it does not end");
    }

    /// Runs that end at once, and one that waits for a person.
    fn bench() -> Bench {
        let mut bench = Bench::default();
        bench.start(user_task(None, Some(lit(s("finance")))));
        for flow in ["a", "b"] {
            bench.flow(flow, &[("main", chain(&[]))]).unwrap();
            for run in 0..20 {
                bench.run(flow, &format!("{flow}-{run}"), &[]).unwrap();
            }
        }
        bench
    }

    fn exists(bench: &Bench, id: &str) -> bool {
        bench.wf_run(id).is_ok()
    }

    #[test]
    fn only_finished_runs_that_are_old_enough_are_found_each_once() {
        let bench = bench();
        assert!(all(&bench, 0).is_empty());
        let mut everything = all(&bench, bench.clock + 1);
        assert_eq!(everything.len(), 40);
        everything.sort_unstable();
        everything.dedup();
        assert_eq!(everything.len(), 40);
        // Each run took a second: the last ten of `b` are younger.
        assert_eq!(all(&bench, bench.clock - 9_500).len(), 30);
    }

    #[test]
    fn the_command_looks_again() {
        let mut bench = bench();
        let before = bench.clock - 9_500;
        let mut runs = all(&bench, before);
        let run = |id: &str| Reader::new(&bench.state, "default").unwrap().run_ref(&run_id(id)).unwrap().unwrap().0;
        // One that has not ended, one that is too young, one that was never there.
        let others = [run("run"), run("b-19"), 7];
        runs.truncate(3);
        runs.extend(others);
        let reply = bench.must(store::PruneRuns { before, runs });
        assert_eq!(store::PrunedRuns::try_from(reply), Ok(store::PrunedRuns { wf_runs: 3 }));
        assert!(exists(&bench, "run") && exists(&bench, "b-19"));
        assert_eq!(all(&bench, before).len(), 27);
        assert_eq!(check(&bench.state).unwrap(), []);
    }
}
