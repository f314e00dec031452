//! NodeRuns across WfRuns: how many there are, and which wait for an event.

use std::ops::ControlFlow;

use prost::Message;

use crate::api::littlehorse as lh;
use crate::engine::core::id;
use crate::engine::core::key::{self, Index, KeyIndex, Place, Word, after_prefix, damaged, take_u64};
use crate::engine::core::query::page::{self, EXAMINED, Position, Query};
use crate::engine::core::query::reader;
use crate::engine::core::run::by_event;
use crate::engine::core::{Fault, Order, Refusal, State, Table};

/// CountNodeRun: all of a tenant, of a WfSpec, of a major version, or of one version.
pub fn count_node_run(state: &dyn State, tenant: &str, request: lh::CountNodeRunRequest) -> Result<lh::Count, Refusal> {
    let wanted = match request.filter {
        None => String::new(),
        Some(lh::count_node_run_request::Filter::WfSpecFilter(filter)) => {
            let name = filter.wf_spec_name;
            match (filter.wf_spec_major_version, filter.wf_spec_revision) {
                (None, Some(_)) => {
                    return Err(Refusal::invalid("wfSpecRevision requires wfSpecMajorVersion to be set"));
                }
                (None, None) => format!("{name}/"),
                (Some(major), None) => format!("{name}/{major:05}/"),
                (Some(major_version), Some(revision)) => {
                    id::wf_spec_text(&lh::WfSpecId { name, major_version, revision })
                }
            }
        }
    };
    let Some(tenant) = reader(state, tenant)?.tenant else { return Ok(lh::Count::default()) };
    // There are as many numbers as versions ever ran, and no more than that.
    let (mut sum, mut outcome) = (0u64, Ok(()));
    let first = key::dict(tenant, Word::WfSpecVersion, &wanted);
    let end = after_prefix(&first);
    state.scan(Table::Dict, &first, end.as_deref(), Order::Ascending, &mut |_, number| {
        let counted = key::read_u32(number, Table::Dict)
            .and_then(|number| state.get(Table::Count, &key::count(Index::NodesByVersion, number, 0)))
            .and_then(|count| count.map_or(Ok(0), |count| key::read_u64(&count, Table::Count)));
        match counted {
            Ok(count) => sum += count,
            Err(fault) => outcome = Err(fault),
        }
        if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    outcome?;
    Ok(lh::Count { value: i64::try_from(sum).unwrap_or(i64::MAX) })
}

/// SearchNodeRun: those of EXTERNAL_EVENT nodes for one event with one status, by WfRun, oldest first.
pub fn search_node_run(
    state: &dyn State,
    tenant: &str,
    request: lh::SearchNodeRunRequest,
) -> Result<lh::NodeRunIdList, Refusal> {
    let limit = page::limit_or_zero(request.limit)?;
    let mark = request.bookmark.clone();
    let request = lh::SearchNodeRunRequest { bookmark: None, limit: None, ..request };
    let query = Query::new("SearchNodeRun", tenant, &request.encode_to_vec());
    let after = match page::position(query, Order::Ascending, mark.as_deref())? {
        None => None,
        Some(Position::Name(rest)) => Some(rest),
        Some(_) => return Err(page::foreign_bookmark()),
    };
    let reader = reader(state, tenant)?;
    let event = request.external_event_def.clone().unwrap_or_default().name;
    let mut list = lh::NodeRunIdList::default();
    let (Some(tenant), Some(event)) = (reader.tenant, reader.number(Word::Name, &event)?) else { return Ok(list) };
    let mut prefix = key::key_index_prefix(KeyIndex::NodesByEvent, tenant);
    prefix.extend(by_event(event, request.status, None));
    let from = [prefix.as_slice(), &after.map_or(Vec::new(), |rest| [rest, vec![0]].concat())].concat();
    let earliest = request.earliest_start.as_ref().map(id::milliseconds);
    let latest = request.latest_start.as_ref().map(id::milliseconds);
    let (mut last, mut examined, mut outcome) = (Vec::new(), 0, Ok(()));
    state.scan(Table::KeyIdx, &from, after_prefix(&prefix).as_deref(), Order::Ascending, &mut |key, value| {
        let rest = key.get(prefix.len()..).unwrap_or_default();
        if list.results.len() == limit || examined == EXAMINED {
            list.bookmark = Some(page::bookmark(query, Order::Ascending, &Position::Name(std::mem::take(&mut last))));
            return ControlFlow::Break(());
        }
        let Some((reached, id)) = parse(rest, value) else {
            outcome = Err(damaged("KeyIdx row", "not a NodeRun"));
            return ControlFlow::Break(());
        };
        examined += 1;
        last = rest.to_vec();
        if earliest.is_none_or(|earliest| reached >= earliest) && latest.is_none_or(|latest| reached <= latest) {
            list.results.push(id);
        }
        ControlFlow::Continue(())
    })?;
    outcome.map_err(|fault: Fault| fault)?;
    Ok(list)
}

fn parse(rest: &[u8], value: &[u8]) -> Option<(i64, lh::NodeRunId)> {
    let (_run, sub) = take_u64(rest)?;
    let place = Place::from_sub(take_u64(sub)?.0);
    let (reached, run) = take_u64(value)?;
    let id = lh::NodeRunId {
        wf_run_id: Some(id::wf_run_id(std::str::from_utf8(run).ok()?)),
        thread_run_number: place.thread.cast_signed(),
        position: place.position.cast_signed(),
    };
    Some((reached.cast_signed(), id))
}
