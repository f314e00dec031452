//! WfRuns and what lies in them: NodeRuns and Variables.

use std::ops::ControlFlow;

use prost::Message;

use crate::api::{littlehorse as lh, store::v1 as store};
use crate::engine::core::id;
use crate::engine::core::index::{RunFacets, status_byte};
use crate::engine::core::key::{self, Index, KeyIndex, Kind, Place, RunRef, Word, after_prefix, damaged, pair, unpair};
use crate::engine::core::query::objects::ObjectPage;
use crate::engine::core::query::page::{self, EXAMINED, Merge, PAGE_BYTES, Position, Query, Range};
use crate::engine::core::query::{not_there, reader, tasks};
use crate::engine::core::value::{MASK, hide};
use crate::engine::core::{Fault, Order, Reader, Refusal, State, Table};
use lh::inactive_thread_run::InactiveReason;

/// The most runs of one page that are looked into for variable filters: those touch objects.
const EXAMINED_WITH_VARIABLES: usize = 1_000;
/// Every status a WfRun can have.
const STATUSES: std::ops::RangeInclusive<u8> = 0..=6;

/// GetWfRun.
pub fn get_wf_run(state: &dyn State, tenant: &str, request: lh::WfRunId) -> Result<lh::WfRun, Refusal> {
    let found = reader(state, tenant)?.wf_run_by_id(&request)?;
    found.map(|(_, record)| record.message).ok_or_else(not_there)
}

/// GetInactiveThreadRun: a thread that waits to begin, or that has left its WfRun.
pub fn get_inactive_thread_run(
    state: &dyn State,
    tenant: &str,
    request: lh::InactiveThreadRunId,
) -> Result<lh::InactiveThreadRun, Refusal> {
    let reader = reader(state, tenant)?;
    let run = reader.run_ref(&request.wf_run_id.unwrap_or_default())?;
    let (Some(run), Ok(thread)) = (run, u32::try_from(request.thread_run_number)) else { return Err(not_there()) };
    let mut found = reader.inactive_thread(run, thread)?.ok_or_else(not_there)?.message;
    if let (Some(thread), Some(InactiveReason::Queued(queued))) = (&found.thread_run, &mut found.inactive_reason) {
        let spec = reader.wf_spec(&thread.wf_spec_id.clone().unwrap_or_default())?;
        let spec = spec.as_ref().and_then(|spec| spec.message.thread_specs.get(&thread.thread_spec_name));
        for variable in spec.iter().flat_map(|spec| &spec.variable_defs).filter_map(|def| def.var_def.as_ref()) {
            if let Some(value) = queued.input_vars.get_mut(&variable.name)
                && variable.type_def.as_ref().is_some_and(|declared| declared.masked)
            {
                *value = mask();
            }
        }
        for value in queued.input_vars.values_mut() {
            value.value = value.value.take().map(hide);
        }
    }
    Ok(found)
}

/// GetNodeRun.
pub fn get_node_run(state: &dyn State, tenant: &str, request: lh::NodeRunId) -> Result<lh::NodeRun, Refusal> {
    let reader = reader(state, tenant)?;
    let run = reader.run_ref(&request.wf_run_id.unwrap_or_default())?;
    let (Some(run), Some(place)) = (run, Place::new(request.thread_run_number, request.position)) else {
        return Err(not_there());
    };
    reader.node_run(run, place)?.map(|record| record.message).ok_or_else(not_there)
}

/// GetVariable; a masked value stays hidden.
pub fn get_variable(state: &dyn State, tenant: &str, request: lh::VariableId) -> Result<lh::Variable, Refusal> {
    let reader = reader(state, tenant)?;
    let run = reader.run_ref(&request.wf_run_id.unwrap_or_default())?;
    let (Some(run), Ok(thread)) = (run, u32::try_from(request.thread_run_number)) else { return Err(not_there()) };
    let found = reader.variable(run, thread, &request.name)?;
    found.map(|record| masked(record.message)).ok_or_else(not_there)
}

fn masked(mut variable: lh::Variable) -> lh::Variable {
    if variable.masked {
        variable.value = Some(mask());
    } else if let Some(value) = &mut variable.value {
        value.value = value.value.take().map(hide);
    }
    variable
}

fn mask() -> lh::VariableValue {
    lh::VariableValue { value: Some(lh::variable_value::Value::Str(MASK.to_owned())) }
}

/// ListNodeRuns: those of one WfRun, or of one thread of it, by thread and position.
pub fn list_node_runs(
    state: &dyn State,
    tenant: &str,
    request: lh::ListNodeRunsRequest,
) -> Result<lh::NodeRunList, Refusal> {
    let (mark, limit) = (request.bookmark.clone(), request.limit);
    let request = lh::ListNodeRunsRequest { bookmark: None, limit: None, ..request };
    let query = Query::new("ListNodeRuns", tenant, &request.encode_to_vec());
    let mut page = ObjectPage::<lh::NodeRun, store::NodeRunFacts>::new(query, limit, mark.as_deref())?;
    let range = match request.thread_run_number.map(u32::try_from) {
        None => (0, u64::MAX),
        Some(Ok(thread)) => (pair(thread, 0), pair(thread, u32::MAX)),
        Some(Err(_)) => return Ok(lh::NodeRunList::default()),
    };
    let reader = reader(state, tenant)?;
    let Some(run) = reader.run_ref(&request.wf_run_id.unwrap_or_default())? else {
        return Ok(lh::NodeRunList::default());
    };
    page.fill(&reader, run.0, Kind::NodeRun, range)?;
    Ok(lh::NodeRunList { results: page.results, bookmark: page.bookmark })
}

/// ListVariables: those of one WfRun, by thread and name; masked values stay hidden.
pub fn list_variables(
    state: &dyn State,
    tenant: &str,
    request: lh::ListVariablesRequest,
) -> Result<lh::VariableList, Refusal> {
    let limit = page::limit_or_zero(request.limit)?;
    let run_id = request.wf_run_id.unwrap_or_default();
    let query = Query::new("ListVariables", tenant, &run_id.encode_to_vec());
    let after = match page::position(query, Order::Ascending, request.bookmark.as_deref())? {
        None => None,
        Some(Position::Variable(thread, name)) => Some((thread, name)),
        Some(_) => return Err(page::foreign_bookmark()),
    };
    let reader = reader(state, tenant)?;
    let mut list = lh::VariableList::default();
    let Some(run) = reader.run_ref(&run_id)? else { return Ok(list) };
    let (mut bytes, mut last) = (0, (0, String::new()));
    let mut next = Some(after.as_ref().map_or(0, |after| after.0));
    while let Some(from) = next {
        let Some(thread) = first_thread(&reader, run, from)? else { break };
        for record in reader.variables(run, thread)? {
            let variable = masked(record.message);
            let name = variable.id.as_ref().map(|id| id.name.clone()).unwrap_or_default();
            if after.as_ref().is_some_and(|after| (thread, &name) <= (after.0, &after.1)) {
                continue;
            }
            bytes += variable.encoded_len();
            if list.results.len() == limit || (bytes > PAGE_BYTES && !list.results.is_empty()) {
                let position = Position::Variable(last.0, last.1);
                list.bookmark = Some(page::bookmark(query, Order::Ascending, &position));
                return Ok(list);
            }
            last = (thread, name);
            list.results.push(variable);
        }
        next = thread.checked_add(1);
    }
    Ok(list)
}

/// The first thread from `from` on that has a Variable.
fn first_thread(reader: &Reader<'_>, run: RunRef, from: u32) -> Result<Option<u32>, Fault> {
    let mut found = None;
    let (first, last) = ((pair(from, 0), 0), (u64::MAX, u32::MAX));
    reader.objects(run.0, Kind::Variable, first, last, Order::Ascending, &mut |key, _| {
        found = Some(unpair(key.sub).0);
        Ok(ControlFlow::Break(()))
    })?;
    Ok(found)
}

/// SearchWfRun: ids, oldest first.
pub fn search_wf_run(
    state: &dyn State,
    tenant: &str,
    request: lh::SearchWfRunRequest,
) -> Result<lh::WfRunIdList, Refusal> {
    let limit = page::limit_or_zero(request.limit)?;
    let mark = request.bookmark.clone();
    let request = lh::SearchWfRunRequest { bookmark: None, limit: None, ..request };
    let query = Query::new("SearchWfRun", tenant, &request.encode_to_vec());
    let reader = reader(state, tenant)?;
    let search = Runs::of(&reader, &request)?;
    let after = match page::position(query, Order::Ascending, mark.as_deref())? {
        None => None,
        Some(Position::Ordinal(ordinal)) => Some(ordinal),
        Some(_) => return Err(page::foreign_bookmark()),
    };
    let ranges = search.ranges(&reader)?;
    let (from, to) = tasks::ordinals(state, search.from, search.to)?;
    let examined = if search.variables.is_empty() { EXAMINED } else { EXAMINED_WITH_VARIABLES };
    let wanted = Merge { order: Order::Ascending, after, from, to, limit, examined };
    let merged = page::merge(state, &ranges, &wanted, &mut |_, ordinal, value| {
        let facets = RunFacets::decode(value).ok_or_else(damaged_row)?;
        Ok(search.matches(&facets) && search.variables_match(&reader, RunRef(ordinal))?)
    })?;
    let results = merged.found.iter().map(|(_, _, value)| {
        let facets = RunFacets::decode(value).ok_or_else(damaged_row)?;
        Ok(id::wf_run_id(&facets.text))
    });
    let results = results.collect::<Result<_, Fault>>()?;
    let bookmark = merged.next.map(|next| page::bookmark(query, Order::Ascending, &Position::Ordinal(next)));
    Ok(lh::WfRunIdList { results, bookmark })
}

/// A search in numbers of the dictionary.
#[derive(Default)]
struct Runs {
    tenant: u32,
    spec: Option<u32>,
    major: Option<i32>,
    revision: Option<i32>,
    version: Option<u32>,
    status: Option<u8>,
    from: Option<i64>,
    to: Option<i64>,
    /// Outer: whether a parent was asked for. Inner: its ordinal, none when there is no such run.
    parent: Option<Option<RunRef>>,
    /// Not only the children of that, but all below it.
    tree: bool,
    variables: Vec<(String, lh::VariableValue)>,
}

impl Runs {
    fn of(reader: &Reader<'_>, request: &lh::SearchWfRunRequest) -> Result<Self, Refusal> {
        let mut search = Self {
            tenant: reader.tenant.unwrap_or_default(),
            major: request.wf_spec_major_version,
            revision: request.wf_spec_revision,
            status: request.status.map(status_byte),
            tree: request.show_full_tree(),
            from: request.earliest_start.as_ref().map(id::milliseconds),
            to: request.latest_start.as_ref().map(id::milliseconds),
            ..Self::default()
        };
        if let Some(parent) = &request.parent_wf_run_id {
            search.parent = Some(reader.run_ref(parent)?);
        }
        let name = &request.wf_spec_name;
        if name.is_empty() {
            if search.major.is_some() || search.revision.is_some() {
                return Err(Refusal::invalid("Cannot provide wfSpecMajorVersion or wfSpecRevision without wfSpecName"));
            }
            if !request.variable_filters.is_empty() {
                return Err(Refusal::invalid("Cannot filter by variables without specifying wfSpecName"));
            }
            return Ok(search);
        }
        let spec = match (search.major, search.revision) {
            (None, Some(_)) => {
                return Err(Refusal::invalid("Cannot provide wfSpecRevision without wfSpecMajorVersion"));
            }
            (Some(major_version), Some(revision)) => {
                let id = lh::WfSpecId { name: name.clone(), major_version, revision };
                search.version = reader.number(Word::WfSpecVersion, &id::wf_spec_text(&id))?;
                reader.wf_spec(&id)?.filter(|record| record.facts.deleted.is_none())
            }
            (major, None) => reader.latest_wf_spec(name, major, false)?,
        };
        if spec.is_none() {
            let or_null = |number: Option<i32>| number.map_or("null".to_owned(), |number| number.to_string());
            let (major, revision) = (or_null(search.major), or_null(search.revision));
            return Err(Refusal::invalid(format!("Couldn't find wfSpec {name} {major} {revision}")));
        }
        search.spec = reader.number(Word::Name, name)?;
        let newest = reader.latest_wf_spec(name, None, false)?.map(|record| record.message.clone()).unwrap_or_default();
        let entrypoint = newest.thread_specs.get(&newest.entrypoint_thread_name).cloned().unwrap_or_default();
        let declared = |name: &str| {
            let of = |def: &lh::ThreadVarDef| def.var_def.as_ref().is_some_and(|var| var.name == name);
            entrypoint.variable_defs.iter().any(of)
        };
        for filter in &request.variable_filters {
            if !declared(&filter.var_name) {
                let variable = &filter.var_name;
                return Err(Refusal::invalid(format!(
                    "Variable {variable} not present in main thread of workflow {name}"
                )));
            }
            search.variables.push((filter.var_name.clone(), filter.value.clone().unwrap_or_default()));
        }
        Ok(search)
    }

    /// The ranges of the children of a WfRun, and with `tree` of all that is below it.
    fn below(&self, reader: &Reader<'_>, top: RunRef) -> Result<Vec<Range>, Refusal> {
        let range = |parent: RunRef| {
            let mut prefix = key::key_index_prefix(KeyIndex::RunsByParent, self.tenant);
            prefix.extend(parent.0.to_be_bytes());
            Range { table: Table::KeyIdx, prefix }
        };
        let mut ranges = vec![range(top)];
        let (mut next, mut examined) = (0, 0);
        while let Some(parents) = ranges.get(next).filter(|_| self.tree) {
            let mut children = Vec::new();
            let prefix = parents.prefix.clone();
            reader.state.scan(
                Table::KeyIdx,
                &prefix,
                after_prefix(&prefix).as_deref(),
                Order::Ascending,
                &mut |key, _| {
                    children.extend(key.last_chunk().map(|bytes| RunRef(u64::from_be_bytes(*bytes))));
                    ControlFlow::Continue(())
                },
            )?;
            examined += children.len();
            if examined > EXAMINED {
                return Err(Refusal::exhausted(format!("There are more than {EXAMINED} WfRuns below this one")));
            }
            for child in children {
                let children = range(child);
                if has_rows(reader, &children.prefix)? {
                    ranges.push(children);
                }
            }
            next += 1;
        }
        Ok(ranges)
    }

    /// The ranges that hold all that it matches; none when it asks for neither a spec nor a parent.
    fn ranges(&self, reader: &Reader<'_>) -> Result<Vec<Range>, Refusal> {
        match self.parent {
            Some(None) => return Ok(Vec::new()),
            Some(Some(parent)) => {
                return self.below(reader, parent);
            }
            None => {}
        }
        let by_version = self.version.map(|version| (Index::RunsByVersion, version));
        let Some((index, number)) = by_version.or(self.spec.map(|spec| (Index::RunsBySpec, spec))) else {
            return Ok(Vec::new());
        };
        // A version that never ran has no number; then nothing matches.
        if self.revision.is_some() && self.version.is_none() {
            return Ok(Vec::new());
        }
        let mut ranges = Vec::new();
        for status in STATUSES.filter(|status| self.status.is_none_or(|wanted| wanted == *status)) {
            let prefix = key::count(index, number, status);
            if reader.state.get(Table::Count, &prefix)?.is_some() {
                ranges.push(Range { table: Table::Idx, prefix: prefix.to_vec() });
            }
        }
        Ok(ranges)
    }

    fn matches(&self, facets: &RunFacets) -> bool {
        self.spec.is_none_or(|spec| spec == facets.spec)
            && self.major.is_none_or(|major| major == facets.major)
            && self.revision.is_none_or(|revision| revision == facets.revision)
            && self.status.is_none_or(|status| status == facets.status)
            && self.from.is_none_or(|from| facets.started >= from)
            && self.to.is_none_or(|to| facets.started <= to)
    }

    fn variables_match(&self, reader: &Reader<'_>, run: RunRef) -> Result<bool, Fault> {
        for (name, wanted) in &self.variables {
            let stored = reader.variable(run, 0, name)?.map(|record| record.message.value.unwrap_or_default());
            if stored.as_ref() != Some(wanted) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn damaged_row() -> Fault {
    damaged("Idx row", "its value has an unknown form")
}

fn has_rows(reader: &Reader<'_>, prefix: &[u8]) -> Result<bool, Fault> {
    let mut found = false;
    reader.state.scan(Table::KeyIdx, prefix, after_prefix(prefix).as_deref(), Order::Ascending, &mut |_, _| {
        found = true;
        ControlFlow::Break(())
    })?;
    Ok(found)
}
