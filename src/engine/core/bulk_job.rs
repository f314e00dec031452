//! Bulk jobs: deleting the ended runs of a workflow that began in a range of time, piece by piece.

use std::ops::ControlFlow;

use prost::Message;

use crate::api::{littlehorse as lh, store::v1 as store};
use crate::engine::core::derive::{Derived, Derives, Numbers};
use crate::engine::core::index::{RunFacets, status_byte};
use crate::engine::core::key::{self, IdKind, Index, KeyIndex, Kind, ObjKey, Word, after_prefix, damaged, take_u64};
use crate::engine::core::query::page::{self, Position, Query};
use crate::engine::core::record::BulkJobRecord;
use crate::engine::core::run::delete::doom;
use crate::engine::core::{Fault, Order, Reader, Refusal, RunRef, State, Table, Tx, id};
use lh::bulk_job::Operation;
use lh::create_bulk_job_request::Operation as Wanted;
use lh::{BulkJobStatus, LhStatus};

/// Runs that one command looks at.
const EXAMINED: usize = 1000;
/// Runs that one command deletes: each may be a piece of work itself.
const DELETED: usize = 20;

/// CreateBulkJob: begins one; the same id again begins nothing.
pub fn create(tx: &mut Tx<'_>, request: lh::CreateBulkJobRequest) -> Result<lh::BulkJob, Refusal> {
    let no_status = || Refusal::invalid("wfRunStatus must be provided");
    let Some(Wanted::BulkDeleteWfRun(mut wanted)) = request.operation else { return Err(no_status()) };
    if wanted.wf_spec_name.is_empty() {
        return Err(Refusal::invalid("wfSpecName must be provided"));
    }
    // A time that is left out is now, as LittleHorse has it: a job without a range deletes nothing.
    let earliest = *wanted.earliest_start.get_or_insert_with(|| tx.now());
    let latest = *wanted.latest_start.get_or_insert_with(|| tx.now());
    if id::milliseconds(&earliest) > id::milliseconds(&latest) {
        return Err(Refusal::invalid("earliestStart must be before or equal to latestStart"));
    }
    match LhStatus::try_from(wanted.wf_run_status.ok_or_else(no_status)?) {
        Ok(LhStatus::Completed | LhStatus::Error | LhStatus::Exception | LhStatus::Halted) => {}
        _ => return Err(Refusal::invalid("wfRunStatus must be a terminal status")),
    }
    let id = request.id.unwrap_or_else(|| tx.new_guid());
    if let Some((_, stored)) = tx.read().bulk_job(&id)? {
        return Ok(stored.message);
    }
    let now = tx.now();
    let ordinal = tx.next_ordinal(Some(&now))?;
    let mut record = BulkJobRecord {
        message: lh::BulkJob {
            id: Some(lh::BulkJobId { id }),
            created_at: Some(now),
            operation: Some(Operation::BulkDeleteWfRun(wanted)),
            total_subprocesses: 1,
            ..Default::default()
        },
        facts: store::BulkJobFacts { begun_by: Some(tx.actor()), due: Some(tx.context().now), after: 0 },
    };
    set(&mut record, BulkJobStatus::BulkJobRunning);
    tx.store(job_key(tx.tenant(), ordinal), &record)?;
    Ok(record.message)
}

fn set(record: &mut BulkJobRecord, status: BulkJobStatus) {
    record.message.status = status.into();
    record.message.subprocesses = vec![lh::bulk_job::Subprocess { id: 0, status: status.into(), last_seen_key: None }];
}

/// DeleteBulkJob.
pub fn delete(tx: &mut Tx<'_>, request: lh::DeleteBulkJobRequest) -> Result<(), Refusal> {
    let id = request.id.unwrap_or_default().id;
    let missing = || Refusal::not_found("Couldn't find provided BulkJobModel");
    let (key, stored) = tx.read().bulk_job(&id)?.ok_or_else(missing)?;
    if stored.message.status() == BulkJobStatus::BulkJobRunning {
        return Err(Refusal::precondition("Cannot delete a RUNNING BulkJob"));
    }
    Ok(tx.erase(key)?)
}

/// Does the next piece of a job.
pub fn go_on(tx: &mut Tx<'_>, key: ObjKey) -> Result<(), Fault> {
    let Some(mut record): Option<BulkJobRecord> = tx.read().object(key)? else { return Ok(()) };
    let Some(Operation::BulkDeleteWfRun(wanted)) = &record.message.operation else {
        return Err(damaged("BulkJob", "does nothing"));
    };
    let [earliest, latest] =
        [&wanted.earliest_start, &wanted.latest_start].map(|time| time.as_ref().map_or(0, id::milliseconds));
    let status = status_byte(wanted.wf_run_status.unwrap_or_default());
    let spec = tx.read().number(Word::Name, &wanted.wf_spec_name)?;
    let (mut examined, mut found, mut ended) = (0, Vec::new(), true);
    if let Some(spec) = spec {
        let prefix = key::count(Index::RunsBySpec, spec, status);
        let from = key::idx(Index::RunsBySpec, spec, status, record.facts.after.saturating_add(1));
        let end = after_prefix(&prefix);
        let mut after = record.facts.after;
        tx.read().state.scan(Table::Idx, &from, end.as_deref(), Order::Ascending, &mut |row, value| {
            if examined == EXAMINED || found.len() == DELETED {
                ended = false;
                return ControlFlow::Break(());
            }
            examined += 1;
            if let Some((run, _)) = row.get(prefix.len()..).and_then(take_u64) {
                after = run;
                let started = RunFacets::decode(value).map(|run| run.started);
                if started.is_some_and(|started| (earliest..=latest).contains(&started)) {
                    found.push(RunRef(run));
                }
            }
            ControlFlow::Continue(())
        })?;
        record.facts.after = after;
    }
    for run in found {
        doom(tx, run)?;
    }
    let due = record.facts.due.unwrap_or_default();
    record.facts.due = (!ended).then(|| tx.context().now.max(due.saturating_add(1)));
    if ended {
        set(&mut record, BulkJobStatus::BulkJobCompleted);
    }
    tx.store(key, &record)
}

/// GetBulkJob.
pub fn get_bulk_job(state: &dyn State, tenant: &str, request: lh::GetBulkJobRequest) -> Result<lh::BulkJob, Refusal> {
    let id = request.id.unwrap_or_default().id;
    match Reader::new(state, tenant)?.bulk_job(&id)? {
        Some((_, record)) => Ok(record.message),
        None => Err(Refusal::not_found(format!("Couldn't find BulkJob {id}"))),
    }
}

/// SearchBulkJob: ids, oldest first.
pub fn search_bulk_job(
    state: &dyn State,
    tenant: &str,
    request: lh::SearchBulkJobRequest,
) -> Result<lh::BulkJobIdList, Refusal> {
    let limit = page::limit_or_zero(request.limit)?;
    let filters = lh::SearchBulkJobRequest { bookmark: None, limit: None, ..request.clone() };
    let query = Query::new("SearchBulkJob", tenant, &filters.encode_to_vec());
    let after = match page::position(query, Order::Ascending, request.bookmark.as_deref())? {
        None => 0,
        Some(Position::Ordinal(ordinal)) => ordinal.saturating_add(1),
        Some(_) => return Err(page::foreign_bookmark()),
    };
    let mut list = lh::BulkJobIdList::default();
    let Some(number) = Reader::new(state, tenant)?.tenant else { return Ok(list) };
    let prefix = key::key_index_prefix(KeyIndex::BulkJobs, number);
    let from = [&prefix[..], &after.to_be_bytes()].concat();
    let mut last = 0;
    state.scan(Table::KeyIdx, &from, after_prefix(&prefix).as_deref(), Order::Ascending, &mut |row, value| {
        let parts = value.split_first().zip(row.get(prefix.len()..).and_then(take_u64));
        let Some(((status, id), (ordinal, _))) = parts else { return ControlFlow::Continue(()) };
        if request.status.is_some_and(|wanted| status_byte(wanted) != *status) {
            return ControlFlow::Continue(());
        }
        if list.results.len() == limit {
            list.bookmark = Some(page::bookmark(query, Order::Ascending, &Position::Ordinal(last)));
            return ControlFlow::Break(());
        }
        list.results.push(lh::BulkJobId { id: String::from_utf8_lossy(id).into_owned() });
        last = ordinal;
        ControlFlow::Continue(())
    })?;
    Ok(list)
}

fn job_key(tenant: u32, ordinal: u64) -> ObjKey {
    ObjKey::new(u64::from(tenant), Kind::BulkJob, ordinal, 0)
}

impl Reader<'_> {
    /// A bulk job by its id, and where it lies.
    fn bulk_job(&self, id: &str) -> Result<Option<(ObjKey, BulkJobRecord)>, Fault> {
        let Some(tenant) = self.tenant else { return Ok(None) };
        let Some(bytes) = self.state.get(Table::Ids, &key::id(tenant, IdKind::BulkJob, id))? else { return Ok(None) };
        let key = job_key(tenant, key::read_u64(&bytes, Table::Ids)?);
        Ok(self.object(key)?.map(|record| (key, record)))
    }
}

impl Derives for BulkJobRecord {
    fn derive(&self, key: ObjKey, tenant: u32, _: &mut Numbers<'_>) -> Result<Derived, Fault> {
        let id = self.message.id.as_ref().map(|id| id.id.as_str()).unwrap_or_default();
        let mut derived = Derived::default();
        derived.ids.insert(key::id(tenant, IdKind::BulkJob, id), key.sub);
        let value = [&[status_byte(self.message.status)], id.as_bytes()].concat();
        derived.keys.insert(key::key_index(KeyIndex::BulkJobs, tenant, &[], key.sub), value);
        if let Some(due) = self.facts.due {
            derived.timer(tenant, due, key, 0);
        }
        Ok(derived)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::core::check;
    use crate::engine::core::testing::*;

    fn job(id: &str, status: LhStatus, earliest: i64, latest: i64) -> lh::CreateBulkJobRequest {
        let wanted = lh::BulkDeleteWfRun {
            wf_spec_name: "flow".into(),
            earliest_start: Some(crate::engine::core::id::timestamp(earliest)),
            latest_start: Some(crate::engine::core::id::timestamp(latest)),
            wf_run_status: Some(status.into()),
        };
        lh::CreateBulkJobRequest { id: Some(id.into()), operation: Some(Wanted::BulkDeleteWfRun(wanted)) }
    }

    #[test]
    fn a_job_deletes_what_ended_so_and_began_then_piece_by_piece() {
        let mut bench = Bench::default();
        bench.form("form", &[]);
        let task = lh::node::Node::UserTask(user_task(Some(lit(s("ann"))), None));
        bench.flow("flow", &[("main", chain(&[("form", task)]))]).unwrap();
        let mut started = Vec::new();
        for number in 0..50 {
            let run = bench.run("flow", &format!("r{number}"), &[]).unwrap();
            started.push(id::milliseconds(run.start_time.as_ref().unwrap()));
            if number != 20 {
                bench.complete(&task_id(&format!("r{number}"), "0-1"), "ann", &[]).unwrap();
            }
        }
        let request = job("job", LhStatus::Completed, started[5], started[44]);
        let made: lh::BulkJob = bench.must(request.clone()).try_into().unwrap();
        assert_eq!(made.status(), BulkJobStatus::BulkJobRunning);
        let gone = lh::DeleteBulkJobRequest { id: made.id.clone() };
        assert_eq!(bench.give(gone.clone()).map(drop), Err(Refusal::precondition("Cannot delete a RUNNING BulkJob")));
        let other = job("job", LhStatus::Error, 0, 1);
        assert_eq!(bench.must(other).try_into(), Ok(made.clone()), "the same id begins nothing");
        bench.pass(10);
        let left: Vec<usize> = (0..50).filter(|n| bench.wf_run(&format!("r{n}")).is_ok()).collect();
        let expected: Vec<usize> = (0..5).chain([20]).chain(45..50).collect();
        assert_eq!(left, expected);
        let get = |bench: &Bench| get_bulk_job(&bench.state, "default", lh::GetBulkJobRequest { id: made.id.clone() });
        assert_eq!(get(&bench).unwrap().status(), BulkJobStatus::BulkJobCompleted);
        assert_eq!((bench.timers(), check(&bench.state)), (0, Ok(Vec::new())));
        let search = |bench: &Bench, status: Option<BulkJobStatus>| {
            let request = lh::SearchBulkJobRequest { status: status.map(Into::into), ..Default::default() };
            search_bulk_job(&bench.state, "default", request).unwrap().results.len()
        };
        assert_eq!(search(&bench, None), 1);
        assert_eq!(search(&bench, Some(BulkJobStatus::BulkJobCompleted)), 1);
        assert_eq!(search(&bench, Some(BulkJobStatus::BulkJobRunning)), 0);
        bench.must(gone.clone());
        assert_eq!(get(&bench), Err(Refusal::not_found("Couldn't find BulkJob job")));
        assert_eq!(bench.give(gone).map(drop), Err(Refusal::not_found("Couldn't find provided BulkJobModel")));
        assert_eq!(check(&bench.state), Ok(Vec::new()));
    }

    #[test]
    fn a_job_says_what_it_deletes() {
        let mut bench = Bench::default();
        let with = |change: &dyn Fn(&mut lh::BulkDeleteWfRun)| {
            let mut request = job("job", LhStatus::Completed, 0, 1);
            if let Some(Wanted::BulkDeleteWfRun(wanted)) = &mut request.operation {
                change(wanted);
            }
            request
        };
        for (request, text) in [
            (with(&|wanted| wanted.wf_spec_name.clear()), "wfSpecName must be provided"),
            (with(&|wanted| wanted.earliest_start = None), "earliestStart must be before or equal to latestStart"),
            (with(&|wanted| wanted.wf_run_status = None), "wfRunStatus must be provided"),
            (
                with(&|wanted| wanted.wf_run_status = Some(LhStatus::Running.into())),
                "wfRunStatus must be a terminal status",
            ),
            (with(&|wanted| wanted.wf_run_status = Some(99)), "wfRunStatus must be a terminal status"),
            (lh::CreateBulkJobRequest::default(), "wfRunStatus must be provided"),
        ] {
            assert_eq!(bench.give(request).map(drop), Err(Refusal::invalid(text)));
        }
        let made: lh::BulkJob =
            bench.must(lh::CreateBulkJobRequest { id: None, ..job("", LhStatus::Error, 0, 1) }).try_into().unwrap();
        assert_eq!(made.id.unwrap().id.len(), 32);
        bench.pass(0);
        assert_eq!(bench.timers(), 0, "there is nothing to delete");
    }
}
