//! UserTaskDefs and WfSpecs.

use std::ops::ControlFlow;

use prost::Message;

use crate::api::littlehorse as lh;
use crate::engine::core::definition::struct_def;
use crate::engine::core::definition::types::TypeError;
use crate::engine::core::key::{self, KeyIndex, after_prefix, damaged, unpair};
use crate::engine::core::query::page::{self, Position, Query};
use crate::engine::core::query::reader;
use crate::engine::core::{Fault, Order, Refusal, State, Table};

/// GetUserTaskDef.
pub fn get_user_task_def(
    state: &dyn State,
    tenant: &str,
    request: lh::UserTaskDefId,
) -> Result<lh::UserTaskDef, Refusal> {
    match reader(state, tenant)?.user_task_def(&request)? {
        Some(record) if record.facts.deleted.is_none() => Ok(record.message.clone()),
        _ => {
            let lh::UserTaskDefId { name, version } = request;
            Err(Refusal::not_found(format!("Couldn't find UserTaskDef {name} version {version}")))
        }
    }
}

/// GetLatestUserTaskDef.
pub fn get_latest_user_task_def(
    state: &dyn State,
    tenant: &str,
    request: lh::GetLatestUserTaskDefRequest,
) -> Result<lh::UserTaskDef, Refusal> {
    match reader(state, tenant)?.latest_user_task_def(&request.name, false)? {
        Some(record) => Ok(record.message.clone()),
        None => Err(Refusal::not_found(format!("Couldn't find UserTaskDef {}", request.name))),
    }
}

/// GetStructDef: an exact version, or the newest for -1.
pub fn get_struct_def(state: &dyn State, tenant: &str, request: lh::StructDefId) -> Result<lh::StructDef, Refusal> {
    match reader(state, tenant)?.referenced_struct_def(&request) {
        Ok(record) => Ok(record.message),
        Err(TypeError::Fault(fault)) => Err(fault.into()),
        Err(_) => {
            let lh::StructDefId { name, version } = request;
            Err(Refusal::not_found(format!("Couldn't find StructDef {name} version {version}")))
        }
    }
}

/// ValidateStructDefEvolution.
pub fn validate_struct_def_evolution(
    state: &dyn State,
    tenant: &str,
    request: lh::ValidateStructDefEvolutionRequest,
) -> Result<lh::ValidateStructDefEvolutionResponse, Refusal> {
    let is_valid = struct_def::is_valid_evolution(&reader(state, tenant)?, request)?;
    Ok(lh::ValidateStructDefEvolutionResponse { is_valid })
}

/// GetWfSpec.
pub fn get_wf_spec(state: &dyn State, tenant: &str, request: lh::WfSpecId) -> Result<lh::WfSpec, Refusal> {
    match reader(state, tenant)?.wf_spec(&request)? {
        Some(record) if record.facts.deleted.is_none() => Ok(record.message.clone()),
        _ => Err(no_wf_spec()),
    }
}

/// GetLatestWfSpec: of all major versions, or of one.
pub fn get_latest_wf_spec(
    state: &dyn State,
    tenant: &str,
    request: lh::GetLatestWfSpecRequest,
) -> Result<lh::WfSpec, Refusal> {
    match reader(state, tenant)?.latest_wf_spec(&request.name, request.major_version, false)? {
        Some(record) => Ok(record.message.clone()),
        None => Err(no_wf_spec()),
    }
}

fn no_wf_spec() -> Refusal {
    Refusal::not_found("Couldn't find specified WfSpec")
}

/// SearchUserTaskDef: ids of versions, by name and version.
pub fn search_user_task_def(
    state: &dyn State,
    tenant: &str,
    request: lh::SearchUserTaskDefRequest,
) -> Result<lh::UserTaskDefIdList, Refusal> {
    use lh::search_user_task_def_request::UserTaskDefCriteria as Criteria;
    let limit = page::limit(request.limit)?;
    let names = match &request.user_task_def_criteria {
        Some(Criteria::Name(name)) => Names::exactly(name),
        Some(Criteria::Prefix(prefix)) => Names::StartingWith(prefix.clone()),
        None => Names::StartingWith(String::new()),
    };
    let mark = request.bookmark.clone();
    let filters = lh::SearchUserTaskDefRequest { bookmark: None, limit: None, ..request }.encode_to_vec();
    let query = Query::new("SearchUserTaskDef", tenant, &filters);
    let found = names_page(state, tenant, KeyIndex::UserTaskDefs, &names, query, mark.as_deref(), limit)?;
    let results = found
        .results
        .into_iter()
        .map(|(name, version)| lh::UserTaskDefId { name, version: unpair(version).1.cast_signed() });
    Ok(lh::UserTaskDefIdList { results: results.collect(), bookmark: found.bookmark })
}

/// SearchStructDef: ids of versions, by name and version.
pub fn search_struct_def(
    state: &dyn State,
    tenant: &str,
    request: lh::SearchStructDefRequest,
) -> Result<lh::StructDefIdList, Refusal> {
    use lh::search_struct_def_request::StructDefCriteria as Criteria;
    let limit = page::limit_or_zero(request.limit)?;
    let names = match &request.struct_def_criteria {
        Some(Criteria::Name(name)) => Names::exactly(name),
        Some(Criteria::Prefix(prefix)) => Names::StartingWith(prefix.clone()),
        None => Names::StartingWith(String::new()),
    };
    let mark = request.bookmark.clone();
    let filters = lh::SearchStructDefRequest { bookmark: None, limit: None, ..request }.encode_to_vec();
    let query = Query::new("SearchStructDef", tenant, &filters);
    let found = names_page(state, tenant, KeyIndex::StructDefs, &names, query, mark.as_deref(), limit)?;
    let results = found
        .results
        .into_iter()
        .map(|(name, version)| lh::StructDefId { name, version: unpair(version).1.cast_signed() });
    Ok(lh::StructDefIdList { results: results.collect(), bookmark: found.bookmark })
}

/// SearchWfSpec: ids of versions, by name, major version and revision.
pub fn search_wf_spec(
    state: &dyn State,
    tenant: &str,
    request: lh::SearchWfSpecRequest,
) -> Result<lh::WfSpecIdList, Refusal> {
    use lh::search_wf_spec_request::WfSpecCriteria as Criteria;
    let limit = page::limit_or_zero(request.limit)?;
    let names = match &request.wf_spec_criteria {
        Some(Criteria::Name(name)) => Names::exactly(name),
        Some(Criteria::Prefix(prefix)) => Names::StartingWith(prefix.clone()),
        Some(Criteria::TaskDefName(_)) => Names::StartingWith(String::new()),
        None => Names::StartingWith(String::new()),
    };
    let mark = request.bookmark.clone();
    let request = lh::SearchWfSpecRequest { bookmark: None, limit: None, ..request };
    let query = Query::new("SearchWfSpec", tenant, &request.encode_to_vec());
    let index = match &request.wf_spec_criteria {
        // An empty name is no criterion.
        Some(Criteria::TaskDefName(name)) if !name.is_empty() => (KeyIndex::WfSpecsByTaskDef, format!("{name}/")),
        _ => (KeyIndex::WfSpecs, String::new()),
    };
    let found = names_page_behind(state, tenant, index, &names, query, mark.as_deref(), limit)?;
    let results = found.results.into_iter().map(|(name, numbers)| {
        let (major, revision) = unpair(numbers);
        lh::WfSpecId { name, major_version: major.cast_signed(), revision: revision.cast_signed() }
    });
    Ok(lh::WfSpecIdList { results: results.collect(), bookmark: found.bookmark })
}

/// Which names are looked for.
pub(super) enum Names {
    StartingWith(String),
    Exactly(String),
}

impl Names {
    /// An empty name is no criterion.
    fn exactly(name: &str) -> Self {
        if name.is_empty() { Self::StartingWith(String::new()) } else { Self::Exactly(name.to_owned()) }
    }
}

/// A page of names.
pub(super) struct NamesPage {
    /// Names with their version numbers.
    pub(super) results: Vec<(String, u64)>,
    pub(super) bookmark: Option<Vec<u8>>,
}

/// The next page of an index by name and version.
pub(super) fn names_page(
    state: &dyn State,
    tenant: &str,
    index: KeyIndex,
    names: &Names,
    query: Query,
    mark: Option<&[u8]>,
    limit: usize,
) -> Result<NamesPage, Refusal> {
    names_page_behind(state, tenant, (index, String::new()), names, query, mark, limit)
}

/// The same of a part of an index: of what lies behind a text.
fn names_page_behind(
    state: &dyn State,
    tenant: &str,
    (index, part): (KeyIndex, String),
    names: &Names,
    query: Query,
    mark: Option<&[u8]>,
    limit: usize,
) -> Result<NamesPage, Refusal> {
    let after = match page::position(query, Order::Ascending, mark)? {
        None => None,
        Some(Position::Name(rest)) => Some(rest),
        Some(_) => return Err(page::foreign_bookmark()),
    };
    let mut page = NamesPage { results: Vec::new(), bookmark: None };
    let Some(tenant) = reader(state, tenant)?.tenant else { return Ok(page) };
    let mut prefix = key::key_index_prefix(index, tenant);
    prefix.extend(part.as_bytes());
    let wanted = match names {
        Names::StartingWith(text) => text.clone(),
        Names::Exactly(name) => format!("{name}/"),
    };
    let range = [prefix.as_slice(), wanted.as_bytes()].concat();
    let from = match after {
        // The smallest key beyond the last one.
        Some(rest) => [prefix.as_slice(), &rest, &[0]].concat().max(range.clone()),
        None => range.clone(),
    };
    let (mut last, mut outcome) = (Vec::new(), Ok(()));
    state.scan(Table::KeyIdx, &from, after_prefix(&range).as_deref(), Order::Ascending, &mut |key, _| {
        let Some((rest, name, version)) = parse(&prefix, key) else {
            outcome = Err(damaged("KeyIdx row", "not a name and a version"));
            return ControlFlow::Break(());
        };
        // A text with a slash is the beginning of a key but of no name.
        let fits = match names {
            Names::StartingWith(text) => name.starts_with(text.as_str()),
            Names::Exactly(exact) => name == exact,
        };
        if !fits {
            return ControlFlow::Continue(());
        }
        if page.results.len() == limit {
            page.bookmark = Some(page::bookmark(query, Order::Ascending, &Position::Name(last.clone())));
            return ControlFlow::Break(());
        }
        page.results.push((name.to_owned(), version));
        last = rest.to_vec();
        ControlFlow::Continue(())
    })?;
    outcome.map_err(|fault: Fault| fault)?;
    Ok(page)
}

/// The key without its prefix; the name and the version in it.
fn parse<'a>(prefix: &[u8], key: &'a [u8]) -> Option<(&'a [u8], &'a str, u64)> {
    let rest = key.strip_prefix(prefix)?;
    let (name, version) = rest.split_last_chunk()?;
    let name = std::str::from_utf8(name).ok()?.strip_suffix('/')?;
    Some((rest, name, u64::from_be_bytes(*version)))
}
