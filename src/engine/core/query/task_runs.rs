//! TaskDefs, TaskRuns and what lies beside them.

use std::ops::ControlFlow;

use prost::Message;

use crate::api::littlehorse as lh;
use crate::engine::core::key::{KeyIndex, Kind};
use crate::engine::core::query::definitions::{Names, names_page};
use crate::engine::core::query::page::{self, PAGE_BYTES, Position, Query};
use crate::engine::core::query::{not_there, reader};
use crate::engine::core::record::{Record, TaskRunRecord};
use crate::engine::core::task;
use crate::engine::core::{Order, Refusal, State};

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
