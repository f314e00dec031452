//! JSON inside values: parsing with LittleHorse's numbers, writing within limits, and the way from and to values.

use serde_json::{Map, Number, Value as Json};

use crate::engine::core::value::{Value, Wrong, fits, text};

/// How deep JSON may nest when it is written. The parser stops at 128, so what was written can always be read again.
const MAX_DEPTH: usize = 120;

/// How much of a JSON text is quoted in an error.
const QUOTED: usize = 2000;

/// Parses JSON. Integers beyond 64 bits become doubles, as they do in LittleHorse.
pub fn parse(text: &str) -> Result<Json, Wrong> {
    let mut value: Json = serde_json::from_str(text).map_err(|error| Wrong::new(format!("Malformed JSON: {error}")))?;
    normalise(&mut value);
    Ok(value)
}

fn normalise(value: &mut Json) {
    match value {
        Json::Number(number) if number.as_i64().is_none() && number.is_u64() => {
            if let Some(double) = number.as_f64().and_then(Number::from_f64) {
                *number = double;
            }
        }
        Json::Array(items) => items.iter_mut().for_each(normalise),
        Json::Object(members) => members.values_mut().for_each(normalise),
        _ => {}
    }
}

/// Compact JSON text.
pub fn write(value: &Json) -> String {
    value.to_string()
}

/// JSON text that goes into a message, cut where it is long.
pub fn quote(text: &str) -> String {
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}… ({} bytes)", text.get(..end).unwrap_or_default(), text.len()),
        None => text.to_owned(),
    }
}

fn depth(value: &Json) -> usize {
    match value {
        Json::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Json::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// The value of a JSON node: objects and arrays stay JSON, integral numbers are INT, null is null.
pub fn from_json(value: &Json) -> Result<Option<Value>, Wrong> {
    Ok(Some(match value {
        Json::Null => return Ok(None),
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Value::Int(number),
            (None, Some(number)) => Value::Double(number),
            (None, None) => return Err(Wrong::new(format!("The number {number} is out of range"))),
        },
        Json::String(text) => {
            fits(text.len())?;
            Value::Str(text.clone())
        }
        Json::Array(_) => Value::JsonArr(checked_text(value)?),
        Json::Object(_) => Value::JsonObj(checked_text(value)?),
    }))
}

/// The text of JSON that is to be kept, within the limits of depth and size.
pub fn checked_text(value: &Json) -> Result<String, Wrong> {
    if depth(value) > MAX_DEPTH {
        return Err(Wrong::new(format!("JSON nested deeper than {MAX_DEPTH} levels")));
    }
    let text = write(value);
    fits(text.len())?;
    Ok(text)
}

/// The JSON of a value, as it appears as a member or an item. A DOUBLE that JSON cannot say is refused.
pub fn to_json(value: Option<&Value>) -> Result<Json, Wrong> {
    Ok(match value {
        None => Json::Null,
        Some(Value::JsonObj(text) | Value::JsonArr(text)) => parse(text)?,
        Some(Value::Double(number)) => {
            let number = Number::from_f64(*number);
            Json::Number(number.ok_or_else(|| Wrong::new("JSON has no NaN and no infinite numbers"))?)
        }
        Some(Value::Bool(truth)) => Json::Bool(*truth),
        Some(Value::Str(text)) => Json::String(text.clone()),
        Some(Value::Int(number)) => Json::Number((*number).into()),
        // Signed, as Java's bytes are.
        Some(Value::Bytes(bytes)) => bytes.iter().map(|byte| Json::from(byte.cast_signed())).collect(),
        Some(Value::WfRunId(id)) => wf_run_id_json(id),
        Some(Value::UtcTimestamp(time)) => Json::String(text::timestamp_text(time)),
        Some(Value::Struct(value)) => {
            let mut members = Map::new();
            for (name, field) in value.r#struct.iter().flat_map(|inline| &inline.fields) {
                members.insert(name.clone(), to_json(field.value.as_ref().and_then(|value| value.value.as_ref()))?);
            }
            Json::Object(members)
        }
        Some(Value::Array(array)) => {
            let items = array.items.iter().map(|item| to_json(item.value.as_ref()));
            Json::Array(items.collect::<Result<_, _>>()?)
        }
        Some(Value::Map(map)) => {
            let mut members = Map::new();
            for entry in &map.entries {
                let key = entry.key.as_ref().and_then(|key| key.value.as_ref());
                let key = key.map_or_else(|| "null".to_owned(), text::to_text);
                members.insert(key, to_json(entry.value.as_ref().and_then(|value| value.value.as_ref()))?);
            }
            Json::Object(members)
        }
    })
}

fn wf_run_id_json(id: &crate::api::littlehorse::WfRunId) -> Json {
    let mut members = Map::new();
    members.insert("id".to_owned(), Json::String(id.id.clone()));
    if let Some(parent) = &id.parent_wf_run_id {
        members.insert("parentWfRunId".to_owned(), wf_run_id_json(parent));
    }
    Json::Object(members)
}
