//! Variables as SearchVariable finds them: by the text of their value, or of what stands at a declared JSON path.

use serde_json::Value as Json;

use crate::api::{littlehorse as lh, store::v1 as store};
use crate::engine::core::derive::{Derived, Numbers};
use crate::engine::core::key::{self, KeyIndex, RunRef, Word, take_u32};
use crate::engine::core::record::VariableRecord;
use crate::engine::core::run::INPUT;
use crate::engine::core::value::{Value, from_json, parse_json, read_json_path, to_text};
use crate::engine::core::{Fault, id};

/// Layout of the values of the index; a new one gets a new number.
const LAYOUT: u8 = 1;
/// Bytes of a value that its key holds; of a longer one the length and a checksum tell most others apart.
const IN_KEY: usize = 120;
/// The most rows of one Variable: a list may have any number of items.
const MOST_ROWS: usize = 1_000;

/// What the WfSpec says about searching for a variable.
pub fn facts(declared: &lh::ThreadVarDef) -> store::VariableFacts {
    let is_input = declared.var_def.as_ref().is_some_and(|var| var.name == INPUT);
    if is_input {
        return store::VariableFacts::default();
    }
    let json_paths = declared.json_indexes.iter().map(|index| index.field_path.clone()).collect();
    store::VariableFacts { searchable: declared.searchable, json_paths }
}

/// Whether rows may follow from a Variable.
pub fn is_searchable(facts: &store::VariableFacts) -> bool {
    facts.searchable || !facts.json_paths.is_empty()
}

/// The name under which a JSON path of a variable is searched.
pub fn name_of_path(variable: &str, path: &str) -> String {
    format!("{variable}_{path}")
}

/// The rows of a Variable.
pub(super) fn rows(
    run: RunRef,
    tenant: u32,
    record: &VariableRecord,
    numbers: &mut Numbers<'_>,
) -> Result<Derived, Fault> {
    let mut derived = Derived::default();
    let (variable, facts) = (&record.message, &record.facts);
    let Some(value) = variable.value.as_ref().and_then(|value| value.value.as_ref()) else { return Ok(derived) };
    let id = variable.id.clone().unwrap_or_default();
    let spec = variable.wf_spec_id.clone().unwrap_or_default();
    let facet = VariableFacet {
        major: spec.major_version,
        revision: spec.revision,
        run_text: id.wf_run_id.as_ref().map(id::wf_run_text).unwrap_or_default(),
    };
    let spec = numbers(Word::Name, &spec.name)?;
    let mut put = |name: &str, texts: Vec<String>| -> Result<(), Fault> {
        let name = numbers(Word::Name, name)?;
        for text in texts.into_iter().take(MOST_ROWS) {
            let mut part = place(spec, name, &text);
            part.extend(run.0.to_be_bytes());
            let thread = u64::from(id.thread_run_number.unsigned_abs());
            derived.keys.insert(key::key_index(KeyIndex::Variables, tenant, &part, thread), facet.encode());
        }
        Ok(())
    };
    if facts.searchable {
        put(&id.name, texts(Some(value.clone())))?;
    }
    for path in &facts.json_paths {
        // A value that is no JSON, or a path that is none, is found by nothing.
        let found = read_json_path(Some(value), path).unwrap_or_default();
        put(&name_of_path(&id.name, path), texts(found))?;
    }
    Ok(derived)
}

/// The texts by which a value is found: its own, or those of the items of a list.
fn texts(value: Option<Value>) -> Vec<String> {
    match value {
        Some(value @ (Value::Str(_) | Value::Int(_) | Value::Double(_) | Value::Bool(_))) => vec![to_text(&value)],
        Some(Value::JsonArr(text)) => match parse_json(&text) {
            Ok(Json::Array(items)) => {
                let plain = items.iter().filter(|item| !item.is_array() && !item.is_object());
                plain.filter_map(|item| from_json(item).ok().flatten()).map(|item| to_text(&item)).collect()
            }
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// Where in the index the Variables with this text lie.
pub fn place(spec: u32, name: u32, text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut place = Vec::with_capacity(16 + bytes.len().min(IN_KEY));
    place.extend(spec.to_be_bytes());
    place.extend(name.to_be_bytes());
    place.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    place.extend(bytes.iter().take(IN_KEY));
    if bytes.len() > IN_KEY {
        place.extend(crc32c::crc32c(bytes).to_be_bytes());
    }
    place
}

/// Whether a record is found by a text under a name: what a key can only say of short texts.
pub fn is_found_by(record: &VariableRecord, name: &str, text: &str) -> bool {
    let own = record.message.id.as_ref().map(|id| id.name.as_str()).unwrap_or_default();
    let value = record.message.value.as_ref().and_then(|value| value.value.clone());
    let is_path = |path: &&String| name_of_path(own, path) == name;
    let found = match record.facts.json_paths.iter().find(is_path) {
        Some(path) => read_json_path(value.as_ref(), path).unwrap_or_default(),
        None => value,
    };
    texts(found).iter().any(|one| one == text)
}

/// Whether the key of this text says all of it.
pub fn fits_in_key(text: &str) -> bool {
    text.len() <= IN_KEY
}

/// What the index knows of a Variable beside its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariableFacet {
    /// Major version of the WfSpec.
    pub major: i32,
    /// Revision of the WfSpec.
    pub revision: i32,
    /// Text form of the id of the WfRun.
    pub run_text: String,
}

impl VariableFacet {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![LAYOUT];
        bytes.extend(self.major.cast_unsigned().to_be_bytes());
        bytes.extend(self.revision.cast_unsigned().to_be_bytes());
        bytes.extend(self.run_text.as_bytes());
        bytes
    }

    /// Back from a value of the index.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&[LAYOUT])?;
        let (major, rest) = take_u32(rest)?;
        let (revision, rest) = take_u32(rest)?;
        let run_text = std::str::from_utf8(rest).ok()?.to_owned();
        Some(Self { major: major.cast_signed(), revision: revision.cast_signed(), run_text })
    }
}
