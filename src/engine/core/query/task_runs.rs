//! TaskDefs, TaskRuns and what lies beside them.

use std::ops::ControlFlow;

use prost::Message;

use crate::api::littlehorse as lh;
use crate::engine::core::id;
use crate::engine::core::index::status_byte;
use crate::engine::core::key::{self, Index, KeyIndex, Kind, Word, damaged};
use crate::engine::core::query::definitions::{Names, names_page};
use crate::engine::core::query::page::{self, EXAMINED, Merge, PAGE_BYTES, Position, Query, Range};
use crate::engine::core::query::{not_there, reader, tasks};
use crate::engine::core::record::{Record, TaskRunRecord};
use crate::engine::core::task::{self, TaskFacet};
use crate::engine::core::{Fault, Order, Refusal, State, Table};

/// GetTaskDef.
pub fn get_task_def(state: &dyn State, tenant: &str, request: lh::TaskDefId) -> Result<lh::TaskDef, Refusal> {
    match reader(state, tenant)?.task_def(&request.name)? {
        Some(record) => Ok(record.message),
        None => Err(Refusal::not_found(format!("Couldn't find TaskDef {}", request.name))),
    }
}

/// SearchTaskDef: by name.
pub fn search_task_def(
    state: &dyn State,
    tenant: &str,
    request: lh::SearchTaskDefRequest,
) -> Result<lh::TaskDefIdList, Refusal> {
    let limit = page::limit_or_zero(request.limit)?;
    let names = Names::StartingWith(request.prefix.clone().unwrap_or_default());
    let mark = request.bookmark.clone();
    let filters = lh::SearchTaskDefRequest { bookmark: None, limit: None, ..request }.encode_to_vec();
    let query = Query::new("SearchTaskDef", tenant, &filters);
    let found = names_page(state, tenant, KeyIndex::TaskDefs, &names, query, mark.as_deref(), limit)?;
    let results = found.results.into_iter().map(|(name, _)| lh::TaskDefId { name }).collect();
    Ok(lh::TaskDefIdList { results, bookmark: found.bookmark })
}

/// GetTaskRun; masked values stay hidden.
pub fn get_task_run(state: &dyn State, tenant: &str, request: lh::TaskRunId) -> Result<lh::TaskRun, Refusal> {
    let found = reader(state, tenant)?.task_run_by_id(&request)?;
    found.map(|(_, record)| task::masked(record.message)).ok_or_else(not_there)
}

/// ListTaskRuns: those of one WfRun by thread and position, then reminders as they were made.
pub fn list_task_runs(
    state: &dyn State,
    tenant: &str,
    request: lh::ListTaskRunsRequest,
) -> Result<lh::TaskRunList, Refusal> {
    let limit = page::limit_or_zero(request.limit)?;
    let run_id = request.wf_run_id.unwrap_or_default();
    let query = Query::new("ListTaskRuns", tenant, &run_id.encode_to_vec());
    let from = match page::position(query, Order::Ascending, request.bookmark.as_deref())? {
        None => Some(0),
        Some(Position::Object(sub, _)) => sub.checked_add(1),
        Some(_) => return Err(page::foreign_bookmark()),
    };
    let reader = reader(state, tenant)?;
    let mut list = lh::TaskRunList::default();
    let (Some(run), Some(from)) = (reader.run_ref(&run_id)?, from) else { return Ok(list) };
    let (mut bytes, mut last, to) = (0, 0, (u64::MAX, u32::MAX));
    reader.objects(run.0, Kind::TaskRun, (from, 0), to, Order::Ascending, &mut |key, value| {
        bytes += value.len();
        if list.results.len() == limit || (bytes > PAGE_BYTES && !list.results.is_empty()) {
            list.bookmark = Some(page::bookmark(query, Order::Ascending, &Position::Object(last, 0)));
            return Ok(ControlFlow::Break(()));
        }
        last = key.sub;
        let record: TaskRunRecord = Record::decode(key, value)?;
        list.results.push(task::masked(record.message));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(list)
}

/// The statuses a TaskRun can have.
const STATUSES: [lh::TaskStatus; 9] = [
    lh::TaskStatus::TaskScheduled,
    lh::TaskStatus::TaskRunning,
    lh::TaskStatus::TaskSuccess,
    lh::TaskStatus::TaskFailed,
    lh::TaskStatus::TaskTimeout,
    lh::TaskStatus::TaskOutputSerdeError,
    lh::TaskStatus::TaskInputVarSubError,
    lh::TaskStatus::TaskException,
    lh::TaskStatus::TaskPending,
];

/// SearchTaskRun: ids of the TaskRuns of a TaskDef, oldest first.
pub fn search_task_run(
    state: &dyn State,
    tenant: &str,
    request: lh::SearchTaskRunRequest,
) -> Result<lh::TaskRunIdList, Refusal> {
    let limit = page::limit_or_zero(request.limit)?;
    let mark = request.bookmark.clone();
    let request = lh::SearchTaskRunRequest { bookmark: None, limit: None, ..request };
    let query = Query::new("SearchTaskRun", tenant, &request.encode_to_vec());
    let after = match page::position(query, Order::Ascending, mark.as_deref())? {
        None => None,
        Some(Position::Ordinal(ordinal)) => Some(ordinal),
        Some(_) => return Err(page::foreign_bookmark()),
    };
    let Some(def) = reader(state, tenant)?.number(Word::Name, &request.task_def_name)? else {
        return Ok(lh::TaskRunIdList::default());
    };
    let mut ranges = Vec::new();
    for status in STATUSES.map(i32::from).into_iter().filter(|status| request.status.is_none_or(|only| only == *status))
    {
        let prefix = key::count(Index::TaskRunsByDef, def, status_byte(status));
        if state.get(Table::Count, &prefix)?.is_some() {
            ranges.push(Range { table: Table::Idx, prefix: prefix.to_vec() });
        }
    }
    let earliest = request.earliest_start.as_ref().map(id::milliseconds);
    let latest = request.latest_start.as_ref().map(id::milliseconds);
    let (from, to) = tasks::ordinals(state, earliest, latest)?;
    let wanted = Merge { order: Order::Ascending, after, from, to, limit, examined: EXAMINED };
    let facet =
        |value: &[u8]| TaskFacet::decode(value).ok_or_else(|| damaged("Idx row", "its value has an unknown form"));
    let merged = page::merge(state, &ranges, &wanted, &mut |_, _, value| {
        let at = facet(value)?.scheduled;
        Ok(earliest.is_none_or(|earliest| at >= earliest) && latest.is_none_or(|latest| at <= latest))
    })?;
    let results = merged.found.iter().map(|(_, _, value)| Ok(facet(value)?.id())).collect::<Result<_, Fault>>()?;
    let bookmark = merged.next.map(|next| page::bookmark(query, Order::Ascending, &Position::Ordinal(next)));
    Ok(lh::TaskRunIdList { results, bookmark })
}

/// CountTaskRun: how many wait for a worker.
pub fn count_task_run(state: &dyn State, tenant: &str, request: lh::CountTaskRunRequest) -> Result<lh::Count, Refusal> {
    if request.task_def_name.is_empty() {
        return Err(Refusal::invalid("taskDefName is required"));
    }
    if request.status != i32::from(lh::TaskStatus::TaskScheduled) {
        let text = "Only TASK_SCHEDULED status is currently supported for counting TaskRuns";
        return Err(Refusal::invalid(text));
    }
    let Some(def) = reader(state, tenant)?.number(Word::Name, &request.task_def_name)? else {
        return Ok(lh::Count::default());
    };
    let key = key::count(Index::TaskRunsByDef, def, status_byte(request.status));
    let value = match state.get(Table::Count, &key)? {
        Some(bytes) => key::read_u64(&bytes, Table::Count)?,
        None => 0,
    };
    Ok(lh::Count { value: i64::try_from(value).unwrap_or(i64::MAX) })
}

/// GetTaskWorkerGroup: who is alive.
pub fn get_task_worker_group(
    state: &dyn State,
    tenant: &str,
    request: lh::TaskDefId,
) -> Result<lh::TaskWorkerGroup, Refusal> {
    let found = reader(state, tenant)?.task_worker_group(&request.name)?;
    found.map(|record| record.message).ok_or_else(not_there)
}

/// GetCheckpoint.
pub fn get_checkpoint(state: &dyn State, tenant: &str, request: lh::CheckpointId) -> Result<lh::Checkpoint, Refusal> {
    let found = reader(state, tenant)?.checkpoint(&request)?;
    found.map(|record| record.message).ok_or_else(not_there)
}
