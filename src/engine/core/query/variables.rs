//! SearchVariable.

use std::ops::ControlFlow;

use prost::Message;

use crate::api::littlehorse as lh;
use crate::engine::core::id;
use crate::engine::core::key::{self, KeyIndex, RunRef, Word, after_prefix, damaged};
use crate::engine::core::query::page::{self, EXAMINED, Position, Query};
use crate::engine::core::query::reader;
use crate::engine::core::value::{Value, admit, kind_name, to_text};
use crate::engine::core::variable::{self, VariableFacet};
use crate::engine::core::{Fault, Order, Reader, Refusal, State, Table};
use lh::type_definition::DefinedType;

/// The most objects of one page that are looked into: for values too long for their key.
const EXAMINED_OBJECTS: usize = 1_000;

/// SearchVariable: ids by the value, or by what stands at a declared path of it, in the order of their WfRuns.
pub fn search_variable(
    state: &dyn State,
    tenant: &str,
    request: lh::SearchVariableRequest,
) -> Result<lh::VariableIdList, Refusal> {
    let limit = page::limit_or_zero(request.limit)?;
    let value = request.value.clone().and_then(|value| value.value);
    let Some(value @ (Value::Str(_) | Value::Bool(_) | Value::Int(_) | Value::Double(_))) = value else {
        let kind = kind_name(value.as_ref());
        return Err(Refusal::invalid(format!("Search for {kind} not supported")));
    };
    let reader = reader(state, tenant)?;
    let version = match (request.wf_spec_major_version, request.wf_spec_revision) {
        (Some(major), Some(revision)) => Some((major, revision)),
        (Some(_), None) => return Err(Refusal::invalid("If providing version, must also provide revision")),
        (None, _) => None,
    };
    let spec_name = &request.wf_spec_name;
    let spec = match version {
        Some((major_version, revision)) => {
            let id = lh::WfSpecId { name: spec_name.clone(), major_version, revision };
            reader.wf_spec(&id)?.filter(|record| record.facts.deleted.is_none())
        }
        None => reader.latest_wf_spec(spec_name, None, false)?,
    };
    let spec = spec.ok_or_else(|| Refusal::invalid(format!("Couldn't find WfSpec {spec_name}")))?;
    let spec = &spec.message;
    let variable = indexed(&reader, spec, &request.var_name, &value)?;

    let mark = request.bookmark.clone();
    let filters = lh::SearchVariableRequest { bookmark: None, limit: None, ..request.clone() }.encode_to_vec();
    let query = Query::new("SearchVariable", tenant, &filters);
    let after = match page::position(query, Order::Ascending, mark.as_deref())? {
        None => None,
        Some(Position::Name(rest)) => Some(rest),
        Some(_) => return Err(page::foreign_bookmark()),
    };
    let mut list = lh::VariableIdList::default();
    let (Some(tenant), Some(spec), Some(name)) =
        (reader.tenant, reader.number(Word::Name, spec_name)?, reader.number(Word::Name, &request.var_name)?)
    else {
        return Ok(list);
    };
    let text = to_text(&value);
    let mut range = key::key_index_prefix(KeyIndex::Variables, tenant);
    range.extend(variable::place(spec, name, &text));
    let from = match after {
        // The smallest key beyond the last one.
        Some(rest) => [range.as_slice(), &rest, &[0]].concat(),
        None => range.clone(),
    };
    let most = if variable::fits_in_key(&text) { EXAMINED } else { EXAMINED_OBJECTS };
    let (mut examined, mut last, mut outcome) = (0, Vec::new(), Ok(()));
    state.scan(Table::KeyIdx, &from, after_prefix(&range).as_deref(), Order::Ascending, &mut |key, value| {
        if list.results.len() == limit || examined == most {
            list.bookmark = Some(page::bookmark(query, Order::Ascending, &Position::Name(last.clone())));
            return ControlFlow::Break(());
        }
        examined += 1;
        let mut one = || -> Result<Option<lh::VariableId>, Fault> {
            let row = key.strip_prefix(range.as_slice()).and_then(place).zip(VariableFacet::decode(value));
            let ((run, thread), facet) = row.ok_or_else(|| damaged("KeyIdx row", "not a Variable"))?;
            last = key.strip_prefix(range.as_slice()).unwrap_or_default().to_vec();
            if version.is_some_and(|version| version != (facet.major, facet.revision)) {
                return Ok(None);
            }
            if !variable::fits_in_key(&text) {
                let record = reader.variable(run, thread, &variable)?;
                if !record.is_some_and(|record| variable::is_found_by(&record, &request.var_name, &text)) {
                    return Ok(None);
                }
            }
            Ok(Some(lh::VariableId {
                wf_run_id: Some(id::wf_run_id(&facet.run_text)),
                thread_run_number: thread.cast_signed(),
                name: variable.clone(),
            }))
        };
        match one() {
            Ok(found) => list.results.extend(found),
            Err(fault) => {
                outcome = Err(fault);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    })?;
    outcome?;
    Ok(list)
}

/// The WfRun and the thread that the rest of a key names.
fn place(rest: &[u8]) -> Option<(RunRef, u32)> {
    let (run, rest) = key::take_u64(rest)?;
    let (thread, rest) = key::take_u64(rest)?;
    rest.is_empty().then_some(())?;
    Some((RunRef(run), u32::try_from(thread).ok()?))
}

/// The name of the variable that is searched, where the WfSpec lets it be and the value can be one of its.
fn indexed(reader: &Reader<'_>, spec: &lh::WfSpec, asked: &str, value: &Value) -> Result<String, Refusal> {
    let all = || spec.thread_specs.values().flat_map(|thread| &thread.variable_defs);
    let name = |def: &lh::ThreadVarDef| def.var_def.as_ref().map(|var| var.name.clone()).unwrap_or_default();
    let Some(def) = all().find(|def| name(def) == asked) else {
        let by_path = asked.split_once("_$").map(|(variable, path)| (variable, format!("${path}")));
        let found = by_path.and_then(|(variable, path)| Some((all().find(|def| name(def) == variable)?, path)));
        let (def, path) =
            found.ok_or_else(|| Refusal::invalid(format!("Provided WfSpec has no variable named {asked}")))?;
        if !def.json_indexes.iter().any(|index| index.field_path == path) {
            let variable = name(def);
            return Err(Refusal::invalid(format!("Variable {variable} has no indexed field {path}")));
        }
        return Ok(name(def));
    };
    if !def.searchable {
        return Err(Refusal::invalid("Provided variable has no index"));
    }
    let declared = def.var_def.as_ref().and_then(|var| var.type_def.clone()).unwrap_or_default();
    let is_json = |number: i32| {
        use lh::VariableType::{JsonArr, JsonObj};
        matches!(lh::VariableType::try_from(number), Ok(JsonArr | JsonObj))
    };
    // Of a list an item is searched, and what lies in other types is not known here.
    if matches!(declared.defined_type, Some(DefinedType::PrimitiveType(number)) if !is_json(number)) {
        let admitted = admit(reader, &declared, Some(value.clone()));
        admitted.map_err(|error| error.prefixed(&format!("Invalid value for variable {asked}: ")))?;
    }
    Ok(asked.to_owned())
}
