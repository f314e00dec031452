//! Events and their definitions, and schedules.

use prost::Message;
use prost_types::Timestamp;

use crate::api::{littlehorse as lh, store::v1 as store};
use crate::engine::core::event::{self, Facets};
use crate::engine::core::id;
use crate::engine::core::key::{self, Index, KeyIndex, Kind, Word, damaged};
use crate::engine::core::query::definitions::{Names, names_page};
use crate::engine::core::query::objects::ObjectPage;
use crate::engine::core::query::page::{self, EXAMINED, Merge, Position, Query, Range};
use crate::engine::core::query::{not_there, reader, tasks};
use crate::engine::core::record::ScheduledWfRunRecord;
use crate::engine::core::{Fault, Order, Refusal, State, Table};

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

/// GetCorrelatedEvent.
pub fn get_correlated_event(
    state: &dyn State,
    tenant: &str,
    request: lh::CorrelatedEventId,
) -> Result<lh::CorrelatedEvent, Refusal> {
    let def = request.external_event_def_id.unwrap_or_default().name;
    let found = reader(state, tenant)?.correlated_event(&def, &request.key)?;
    found.map(|(_, record)| record.message).ok_or_else(not_there)
}

/// GetWorkflowEvent.
pub fn get_workflow_event(
    state: &dyn State,
    tenant: &str,
    request: lh::WorkflowEventId,
) -> Result<lh::WorkflowEvent, Refusal> {
    let found = reader(state, tenant)?.workflow_event(&request)?;
    found.map(|record| record.message).ok_or_else(not_there)
}

/// The earliest event of a WfRun that somebody waits for, if it is thrown already.
pub fn thrown_event(
    state: &dyn State,
    tenant: &str,
    awaited: &event::Awaited,
) -> Result<Option<lh::WorkflowEvent>, Refusal> {
    Ok(reader(state, tenant)?.first_workflow_event(&awaited.run, &|id| awaited.takes(id))?)
}

/// ListWorkflowEvents: those of one WfRun, by definition and number.
pub fn list_workflow_events(
    state: &dyn State,
    tenant: &str,
    request: lh::ListWorkflowEventsRequest,
) -> Result<lh::WorkflowEventList, Refusal> {
    let run_id = request.wf_run_id.unwrap_or_default();
    let query = Query::new("ListWorkflowEvents", tenant, &run_id.encode_to_vec());
    let mark = request.bookmark.as_deref();
    let mut page = ObjectPage::<lh::WorkflowEvent, store::WorkflowEventFacts>::new(query, request.limit, mark)?;
    let reader = reader(state, tenant)?;
    if let Some(run) = reader.run_ref(&run_id)? {
        page.fill(&reader, run.0, Kind::WorkflowEvent, (0, u64::MAX))?;
    }
    Ok(lh::WorkflowEventList { results: page.results, bookmark: page.bookmark })
}

/// SearchExternalEvent: ids of the events of a definition, oldest first.
pub fn search_external_event(
    state: &dyn State,
    tenant: &str,
    request: lh::SearchExternalEventRequest,
) -> Result<lh::ExternalEventIdList, Refusal> {
    let Some(def) = &request.external_event_def_id else {
        return Err(Refusal::invalid("Missing required argument: ExternalEventDefId."));
    };
    if reader(state, tenant)?.external_event_def(&def.name)?.is_none() {
        return Err(Refusal::invalid(format!("ExternalEventDef \"{}\" does not exist.", def.name)));
    }
    let filters = lh::SearchExternalEventRequest { bookmark: None, limit: None, ..request.clone() }.encode_to_vec();
    let found = Events {
        query: Query::new("SearchExternalEvent", tenant, &filters),
        index: Index::EventsByDef,
        def: &def.name,
        status: request.is_claimed.map(u8::from),
        earliest: request.earliest_start.as_ref(),
        latest: request.latest_start.as_ref(),
        limit: request.limit,
        mark: request.bookmark.as_deref(),
    };
    let (results, bookmark) = found.page(state, tenant)?;
    Ok(lh::ExternalEventIdList { results, bookmark })
}

/// SearchWorkflowEvent: ids of the events of a definition, oldest first.
pub fn search_workflow_event(
    state: &dyn State,
    tenant: &str,
    request: lh::SearchWorkflowEventRequest,
) -> Result<lh::WorkflowEventIdList, Refusal> {
    let Some(def) = &request.workflow_event_def_id else {
        return Err(Refusal::invalid("Missing required argument: WorkflowEventDefId."));
    };
    if reader(state, tenant)?.workflow_event_def(&def.name)?.is_none() {
        return Err(Refusal::invalid(format!("WorkflowEventDef \"{}\" does not exist.", def.name)));
    }
    let filters = lh::SearchWorkflowEventRequest { bookmark: None, limit: None, ..request.clone() }.encode_to_vec();
    let found = Events {
        query: Query::new("SearchWorkflowEvent", tenant, &filters),
        index: Index::WorkflowEventsByDef,
        def: &def.name,
        status: Some(0),
        earliest: request.earliest_start.as_ref(),
        latest: request.latest_start.as_ref(),
        limit: request.limit,
        mark: request.bookmark.as_deref(),
    };
    let (results, bookmark) = found.page(state, tenant)?;
    Ok(lh::WorkflowEventIdList { results, bookmark })
}

/// SearchCorrelatedEvent: ids of the events of a definition, oldest first.
pub fn search_correlated_event(
    state: &dyn State,
    tenant: &str,
    request: lh::SearchCorrelatedEventRequest,
) -> Result<lh::CorrelatedEventIdList, Refusal> {
    let filters = lh::SearchCorrelatedEventRequest { bookmark: None, limit: None, ..request.clone() }.encode_to_vec();
    let def = request.external_event_def_id.clone().unwrap_or_default();
    let found = Events {
        query: Query::new("SearchCorrelatedEvent", tenant, &filters),
        index: Index::CorrelatedByDef,
        def: &def.name,
        status: request.has_external_events.map(u8::from),
        earliest: request.earliest_start.as_ref(),
        latest: request.latest_start.as_ref(),
        limit: request.limit,
        mark: request.bookmark.as_deref(),
    };
    let (results, bookmark) = found.page(state, tenant)?;
    Ok(lh::CorrelatedEventIdList { results, bookmark })
}

/// A search for events by their definition.
struct Events<'a> {
    query: Query,
    index: Index,
    def: &'a str,
    /// Only those of this status in the index.
    status: Option<u8>,
    earliest: Option<&'a Timestamp>,
    latest: Option<&'a Timestamp>,
    limit: Option<i32>,
    mark: Option<&'a [u8]>,
}

impl Events<'_> {
    /// Ids, and where the next page begins.
    fn page<I: Message + Default>(
        &self,
        state: &dyn State,
        tenant: &str,
    ) -> Result<(Vec<I>, Option<Vec<u8>>), Refusal> {
        let limit = page::limit_or_zero(self.limit)?;
        let after = match page::position(self.query, Order::Ascending, self.mark)? {
            None => None,
            Some(Position::Ordinal(ordinal)) => Some(ordinal),
            Some(_) => return Err(page::foreign_bookmark()),
        };
        let Some(def) = reader(state, tenant)?.number(Word::Name, self.def)? else { return Ok((Vec::new(), None)) };
        let ranges: Vec<Range> = [0, 1]
            .into_iter()
            .filter(|status| self.status.is_none_or(|only| only == *status))
            .map(|status| Range { table: Table::Idx, prefix: key::count(self.index, def, status).to_vec() })
            .collect();
        let (earliest, latest) = (self.earliest.map(id::milliseconds), self.latest.map(id::milliseconds));
        let (from, to) = tasks::ordinals(state, earliest, latest)?;
        let wanted = Merge { order: Order::Ascending, after, from, to, limit, examined: EXAMINED };
        let facets = |value: &[u8]| {
            Facets::<I>::decode(value).ok_or_else(|| damaged("Idx row", "its value has an unknown form"))
        };
        let merged = page::merge(state, &ranges, &wanted, &mut |_, _, value| {
            let created = facets(value)?.created;
            Ok(earliest.is_none_or(|earliest| created >= earliest) && latest.is_none_or(|latest| created <= latest))
        })?;
        let results = merged.found.iter().map(|(_, _, value)| Ok(facets(value)?.id)).collect::<Result<_, Fault>>()?;
        let next = |next| page::bookmark(self.query, Order::Ascending, &Position::Ordinal(next));
        Ok((results, merged.next.map(next)))
    }
}

/// GetScheduledWfRun.
pub fn get_scheduled_wf_run(
    state: &dyn State,
    tenant: &str,
    request: lh::ScheduledWfRunId,
) -> Result<lh::ScheduledWfRun, Refusal> {
    let found = reader(state, tenant)?.scheduled_wf_run(&request.id)?;
    found.map(|(_, record)| record.message).ok_or_else(|| Refusal::not_found("Couldn't find specified object"))
}

/// SearchScheduledWfRun: ids of the schedules of a workflow, oldest first. The API has no pages for them.
pub fn search_scheduled_wf_run(
    state: &dyn State,
    tenant: &str,
    request: lh::SearchScheduledWfRunRequest,
) -> Result<lh::ScheduledWfRunIdList, Refusal> {
    let reader = reader(state, tenant)?;
    let mut list = lh::ScheduledWfRunIdList::default();
    let Some(spec) = reader.number(Word::Name, &request.wf_spec_name)? else { return Ok(list) };
    let range = Range { table: Table::Idx, prefix: key::count(Index::SchedulesBySpec, spec, 0).to_vec() };
    let (order, limit, examined) = (Order::Ascending, usize::MAX, usize::MAX);
    let wanted = Merge { order, after: None, from: 0, to: u64::MAX, limit, examined };
    for (_, ordinal, _) in page::merge(state, &[range], &wanted, &mut |_, _, _| Ok(true))?.found {
        let record: Option<ScheduledWfRunRecord> = reader.object(reader.scheduled_wf_run_key(ordinal))?;
        let Some(schedule) = record.map(|record| record.message) else { continue };
        let spec = schedule.wf_spec_id.unwrap_or_default();
        if request.major_version.is_none_or(|major| major == spec.major_version)
            && request.revision.is_none_or(|revision| revision == spec.revision)
        {
            list.results.extend(schedule.id);
        }
    }
    Ok(list)
}
