//! What a value may be at most, so that whatever is computed can be stored and read again.

use prost::Message;

use crate::api::littlehorse as lh;
use crate::engine::core::value::{Value, Wrong, fits};
use lh::type_definition::DefinedType;

/// How many messages of the wire a value may hold in each other. Readers stop at 100, and a stored value lies in
/// messages around it.
const MAX_DEPTH: usize = 64;

/// How deep the types of definitions may be: arrays of arrays, counted in messages as well.
pub const MAX_TYPE_DEPTH: usize = 32;

/// Refuses a value that is too large or too deep to keep.
pub fn keepable(value: &Value) -> Result<(), Wrong> {
    let bytes = match value {
        Value::Struct(record) => record.encoded_len(),
        Value::Array(array) => array.encoded_len(),
        Value::Map(map) => map.encoded_len(),
        Value::WfRunId(id) => id.encoded_len(),
        Value::Str(text) | Value::JsonObj(text) | Value::JsonArr(text) => return fits(text.len()),
        Value::Bytes(bytes) => return fits(bytes.len()),
        Value::Int(_) | Value::Double(_) | Value::Bool(_) | Value::UtcTimestamp(_) => return Ok(()),
    };
    let depth = of_value(value);
    if depth > MAX_DEPTH {
        return Err(Wrong::new(format!("A value nested {depth} levels deep exceeds the limit of {MAX_DEPTH}")));
    }
    fits(bytes)
}

fn of_value(value: &Value) -> usize {
    let message = |message: &lh::VariableValue| 1 + message.value.as_ref().map_or(0, of_value);
    match value {
        Value::Struct(record) => {
            let fields = record.r#struct.iter().flat_map(|inline| inline.fields.values());
            // The record, its fields, the entry of the map and the field around each value.
            4 + fields.filter_map(|field| field.value.as_ref()).map(message).max().unwrap_or(0)
        }
        Value::Array(array) => {
            let label = array.element_type.as_ref().map_or(0, of_type);
            1 + array.items.iter().map(message).max().unwrap_or(0).max(label)
        }
        Value::Map(map) => {
            let label = map.map_type.as_ref().map_or(0, of_map_type);
            let parts = map.entries.iter().flat_map(|entry| entry.key.iter().chain(&entry.value));
            1 + parts.map(|part| 1 + message(part)).max().unwrap_or(0).max(label)
        }
        Value::WfRunId(id) => std::iter::successors(Some(id), |id| id.parent_wf_run_id.as_deref()).count(),
        _ => 1,
    }
}

fn of_map_type(map: &lh::InlineMapDef) -> usize {
    1 + map.key_type.iter().chain(&map.value_type).map(|part| of_type(part)).max().unwrap_or(0)
}

/// The depth of a type in messages.
pub fn of_type(definition: &lh::TypeDefinition) -> usize {
    1 + match &definition.defined_type {
        Some(DefinedType::InlineArrayDef(array)) => 1 + array.array_type.as_deref().map_or(0, of_type),
        Some(DefinedType::InlineMapDef(map)) => of_map_type(map),
        Some(DefinedType::InlineStructDef(def)) => {
            let fields = def.fields.values();
            let of_field = |field: &lh::StructFieldDef| {
                let default = field.default_value.as_ref().and_then(|value| value.value.as_ref());
                field.field_type.as_ref().map_or(0, of_type).max(1 + default.map_or(0, of_value))
            };
            3 + fields.map(of_field).max().unwrap_or(0)
        }
        Some(DefinedType::StructDefId(_)) => 1,
        Some(DefinedType::PrimitiveType(_)) | None => 0,
    }
}
