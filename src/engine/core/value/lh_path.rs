//! LHPaths: the typed selectors that reach into structs, arrays, maps and JSON.

use serde_json::Value as Json;

use crate::api::littlehorse as lh;
use crate::engine::core::value::{
    EvalError, StructDefs, Value, Wrong, fits, from_json, json, keepable, kind_name, message, parse_json, text_value,
    to_text,
};

/// One selector, with dynamic ones already evaluated.
#[derive(Clone, Debug, PartialEq)]
pub enum Selector {
    /// A field, a key of a map, a member of JSON.
    Key(String),
    /// An item.
    Index(i64),
}

/// What stands at the path: null for a missing key, the default or null for a field that is left out, an error for a
/// missing item.
pub fn read(defs: &dyn StructDefs, value: Option<Value>, path: &[Selector]) -> Result<Option<Value>, EvalError> {
    let mut at = value;
    for (position, selector) in path.iter().enumerate() {
        at = match (at, selector) {
            (Some(Value::JsonObj(text) | Value::JsonArr(text)), _) => {
                let root = parse_json(&text)?;
                return match read_json(&root, path.get(position..).unwrap_or_default()) {
                    Some(found) => Ok(from_json(found)?),
                    None => Ok(None),
                };
            }
            (Some(Value::Struct(value)), Selector::Key(name)) => {
                match value.r#struct.and_then(|mut inline| inline.fields.remove(name)) {
                    Some(field) => field.value.and_then(|value| value.value),
                    None => left_out(defs, &value.struct_def_id.unwrap_or_default(), name)?,
                }
            }
            (Some(Value::Array(mut array)), Selector::Index(index)) => {
                let place = match usize::try_from(*index) {
                    Ok(place) if place < array.items.len() => place,
                    Ok(_) => {
                        let length = array.items.len();
                        return Err(Wrong::new(format!("Index {index} out of bounds for length {length}")).into());
                    }
                    Err(_) => return Err(Wrong::new(format!("Array index cannot be negative: {index}")).into()),
                };
                array.items.swap_remove(place).value
            }
            (Some(Value::Map(map)), Selector::Key(name)) => {
                let mut entries = map.entries.into_iter();
                let is_it = |key: &Value| matches!(key, Value::Str(key) if key == name);
                let found = entries.find(|e| e.key.as_ref().and_then(|key| key.value.as_ref()).is_some_and(is_it));
                found.and_then(|entry| entry.value).and_then(|value| value.value)
            }
            (other, _) => return Err(Wrong::new(format!("Cannot 'get' on {}", kind_name(other.as_ref()))).into()),
        };
    }
    Ok(at)
}

/// The value of a field that a record does not have: what its StructDef says of it.
fn left_out(defs: &dyn StructDefs, id: &lh::StructDefId, name: &str) -> Result<Option<Value>, EvalError> {
    match defs.fields(id)?.and_then(|mut def| def.fields.remove(name)) {
        Some(field) => Ok(field.default_value.and_then(|value| value.value)),
        None => {
            let (id, version) = (&id.name, id.version);
            Err(Wrong::new(format!("could not find field '{name}' on type Struct<{id},v{version}>")).into())
        }
    }
}

fn read_json<'j>(root: &'j Json, path: &[Selector]) -> Option<&'j Json> {
    path.iter().try_fold(root, |at, selector| match selector {
        Selector::Key(name) => at.get(name),
        Selector::Index(index) => at.get(usize::try_from(*index).ok()?),
    })
}

/// The value with `new` at the path, which must lead to a place that can be there.
pub fn write(value: Option<Value>, path: &[Selector], new: Option<Value>) -> Result<Option<Value>, Wrong> {
    let Some((selector, rest)) = path.split_first() else {
        if let Some(new) = &new {
            fits(prost::Message::encoded_len(&message(Some(new.clone()))))?;
            keepable(new)?;
        }
        return Ok(new);
    };
    Ok(Some(match (value, selector) {
        (Some(Value::JsonObj(text)), _) => Value::JsonObj(write_json(&text, path, new)?),
        (Some(Value::JsonArr(text)), _) => Value::JsonArr(write_json(&text, path, new)?),
        (Some(Value::Struct(mut value)), Selector::Key(name)) => {
            let field = value.r#struct.get_or_insert_default().fields.entry(name.clone()).or_default();
            let old = field.value.take().and_then(|value| value.value);
            field.value = Some(message(write(old, rest, new)?));
            Value::Struct(value)
        }
        (Some(Value::Array(mut array)), Selector::Index(index)) => {
            let length = array.items.len();
            let item = usize::try_from(*index).ok().and_then(|place| array.items.get_mut(place));
            let item = item.ok_or_else(|| Wrong::new(format!("Index {index} out of bounds for length {length}")))?;
            item.value = write(item.value.take(), rest, new)?;
            Value::Array(array)
        }
        (Some(Value::Map(mut map)), Selector::Key(name)) => {
            let key = Some(message(Some(text_value(name))));
            match map.entries.iter_mut().find(|entry| entry.key == key) {
                Some(entry) => {
                    let old = entry.value.take().and_then(|value| value.value);
                    entry.value = Some(message(write(old, rest, new)?));
                }
                None => map.entries.push(lh::map::Entry { key, value: Some(message(write(None, rest, new)?)) }),
            }
            Value::Map(map)
        }
        (other, _) => return Err(Wrong::new(format!("Cannot 'get' on {}", kind_name(other.as_ref())))),
    }))
}

fn write_json(text: &str, path: &[Selector], new: Option<Value>) -> Result<String, Wrong> {
    let mut root = parse_json(text)?;
    let new = json::to_json(new.as_ref())?;
    let missing = || Wrong::new("Missing property in the LHPath");
    let (last, parents) = path.split_last().ok_or_else(missing)?;
    let parent = parents.iter().try_fold(&mut root, |at, selector| match selector {
        Selector::Key(name) => at.get_mut(name),
        Selector::Index(index) => at.get_mut(usize::try_from(*index).ok()?),
    });
    match (parent.ok_or_else(missing)?, last) {
        (Json::Object(members), Selector::Key(name)) => {
            members.insert(name.clone(), new);
        }
        (Json::Array(items), Selector::Index(index)) => {
            let item = usize::try_from(*index).ok().and_then(|place| items.get_mut(place));
            *item.ok_or_else(missing)? = new;
        }
        _ => return Err(missing()),
    }
    json::checked_text(&root)
}

/// The selector that a dynamic one evaluates to: an INT is an index, anything else a key.
pub fn dynamic(value: Option<Value>) -> Result<Selector, Wrong> {
    match value {
        Some(Value::Int(index)) => Ok(Selector::Index(index)),
        Some(other) => Ok(Selector::Key(to_text(&other))),
        None => Err(Wrong::new("A selector of an LHPath must not be null")),
    }
}
