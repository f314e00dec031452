//! Events and their definitions.

use prost::Message;

use crate::api::{littlehorse as lh, store::v1 as store};
use crate::engine::core::key::{KeyIndex, Kind};
use crate::engine::core::query::definitions::{Names, names_page};
use crate::engine::core::query::objects::ObjectPage;
use crate::engine::core::query::page::{self, Query};
use crate::engine::core::query::{not_there, reader};
use crate::engine::core::{Refusal, State, Table};

/// GetExternalEventDef.
pub fn get_external_event_def(
    state: &dyn State,
    tenant: &str,
    request: lh::ExternalEventDefId,
) -> Result<lh::ExternalEventDef, Refusal> {
    let found = reader(state, tenant)?.external_event_def(&request.name)?;
    let missing = || Refusal::not_found(format!("Couldn't find ExternalEventDef {}", request.name));
    found.map(|record| record.message).ok_or_else(missing)
}

/// SearchExternalEventDef: by the beginning of the name.
pub fn search_external_event_def(
    state: &dyn State,
    tenant: &str,
    request: lh::SearchExternalEventDefRequest,
) -> Result<lh::ExternalEventDefIdList, Refusal> {
    let limit = page::limit_or_zero(request.limit)?;
    let names = Names::StartingWith(request.prefix.clone().unwrap_or_default());
    let mark = request.bookmark.clone();
    let filters = lh::SearchExternalEventDefRequest { bookmark: None, limit: None, ..request }.encode_to_vec();
    let query = Query::new("SearchExternalEventDef", tenant, &filters);
    let found = names_page(state, tenant, KeyIndex::ExternalEventDefs, &names, query, mark.as_deref(), limit)?;
    let results = found.results.into_iter().map(|(name, _)| lh::ExternalEventDefId { name });
    Ok(lh::ExternalEventDefIdList { results: results.collect(), bookmark: found.bookmark })
}

/// GetWorkflowEventDef.
pub fn get_workflow_event_def(
    state: &dyn State,
    tenant: &str,
    request: lh::WorkflowEventDefId,
) -> Result<lh::WorkflowEventDef, Refusal> {
    let found = reader(state, tenant)?.workflow_event_def(&request.name)?;
    let missing = || Refusal::not_found(format!("Couldn't find WorkflowEventDef {}", request.name));
    found.map(|record| record.message).ok_or_else(missing)
}

/// SearchWorkflowEventDef: by the beginning of the name.
pub fn search_workflow_event_def(
    state: &dyn State,
    tenant: &str,
    request: lh::SearchWorkflowEventDefRequest,
) -> Result<lh::WorkflowEventDefIdList, Refusal> {
    let limit = page::limit_or_zero(request.limit)?;
    let names = Names::StartingWith(request.prefix.clone().unwrap_or_default());
    let mark = request.bookmark.clone();
    let filters = lh::SearchWorkflowEventDefRequest { bookmark: None, limit: None, ..request }.encode_to_vec();
    let query = Query::new("SearchWorkflowEventDef", tenant, &filters);
    let found = names_page(state, tenant, KeyIndex::WorkflowEventDefs, &names, query, mark.as_deref(), limit)?;
    let results = found.results.into_iter().map(|(name, _)| lh::WorkflowEventDefId { name });
    Ok(lh::WorkflowEventDefIdList { results: results.collect(), bookmark: found.bookmark })
}

/// GetExternalEvent.
pub fn get_external_event(
    state: &dyn State,
    tenant: &str,
    request: lh::ExternalEventId,
) -> Result<lh::ExternalEvent, Refusal> {
    let found = reader(state, tenant)?.external_event_by_id(&request)?;
    found.map(|(_, record)| record.message).ok_or_else(not_there)
}

/// ListExternalEvents: those of one WfRun, also of one that is yet to come, in the order in which they came.
pub fn list_external_events(
    state: &dyn State,
    tenant: &str,
    request: lh::ListExternalEventsRequest,
) -> Result<lh::ExternalEventList, Refusal> {
    let run_id = request.wf_run_id.unwrap_or_default();
    let query = Query::new("ListExternalEvents", tenant, &run_id.encode_to_vec());
    let mut page = ObjectPage::<lh::ExternalEvent, store::ExternalEventFacts>::new(
        query,
        request.limit,
        request.bookmark.as_deref(),
    )?;
    let reader = reader(state, tenant)?;
    match reader.run_ref(&run_id)? {
        Some(run) => page.fill(&reader, run.0, Kind::ExternalEvent, (0, u64::MAX))?,
        None => {
            for key in reader.early_events(&run_id)? {
                let Some(bytes) = state.get(Table::Obj, &key.bytes())? else { continue };
                if page.take(key, &bytes)?.is_break() {
                    break;
                }
            }
        }
    }
    Ok(lh::ExternalEventList { results: page.results, bookmark: page.bookmark })
}
