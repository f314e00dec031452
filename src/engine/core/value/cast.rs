//! Casts (with and without a target type) and the coercion that assignments in mutations do.

use crate::api::littlehorse as lh;
use crate::engine::core::id;
use crate::engine::core::value::kind::primitive_of;
use crate::engine::core::value::{Value, Wrong, kind_name, message, to_text, type_name, value_type_name};
use lh::VariableType;
use lh::type_definition::DefinedType;

/// How many parents a WfRunId in a text may have.
const MAX_PARENTS: usize = 32;

/// Whether values of one primitive type may become another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CastRule {
    /// Wherever a type is checked.
    Implicit,
    /// Only with a target type.
    Explicit,
    /// Never.
    Never,
}

/// The table of casts between primitive types.
pub fn cast_rule(from: VariableType, to: VariableType) -> CastRule {
    use VariableType::{Bool, Bytes, Double, Int, Str, WfRunId};
    match (from, to) {
        (from, to) if from == to => CastRule::Implicit,
        (Int | Double | Bool | Bytes | WfRunId, Str) | (Int, Double) => CastRule::Implicit,
        (Double, Int) | (Str, Int | Double | Bool | Bytes | WfRunId) => CastRule::Explicit,
        _ => CastRule::Never,
    }
}

/// The primitive type that a definition names.
pub fn primitive_target(definition: &lh::TypeDefinition) -> Option<VariableType> {
    match &definition.defined_type {
        Some(DefinedType::PrimitiveType(number)) => VariableType::try_from(*number).ok(),
        _ => None,
    }
}

/// Casts a value to a target type; null stays null. A target that is no primitive leaves the value as it is, because
/// such types are checked, not cast.
pub fn cast(value: Option<Value>, target: &lh::TypeDefinition) -> Result<Option<Value>, Wrong> {
    let (Some(value), Some(to)) = (&value, primitive_target(target)) else {
        return Ok(value);
    };
    let failed = |why: String| Wrong::new(format!("Failed to cast value to {}: {why}", to.as_str_name()));
    let unsupported = || {
        let from = value_type_name(Some(value));
        failed(format!("Casting from {from} to {} is not supported. ", to.as_str_name()))
    };
    let from = primitive_of(value).ok_or_else(unsupported)?;
    if cast_rule(from, to) == CastRule::Never {
        return Err(unsupported());
    }
    let cannot_parse = |text: &str| failed(format!("Cannot parse '{text}' as {}.", to.as_str_name()));
    Ok(Some(match (value, to) {
        (value, to) if primitive_of(value) == Some(to) => value.clone(),
        (Value::Str(text), VariableType::Int) => Value::Int(text.parse().map_err(|_| cannot_parse(text))?),
        (Value::Str(text), VariableType::Double) => {
            Value::Double(parse_double(text).ok_or_else(|| cannot_parse(text))?)
        }
        (Value::Str(text), VariableType::Bool) => Value::Bool(parse_bool(text).ok_or_else(|| cannot_parse(text))?),
        (Value::Str(text), VariableType::Bytes) => Value::Bytes(text.clone().into_bytes()),
        (Value::Str(text), VariableType::WfRunId) => {
            Value::WfRunId(parse_wf_run_id(text).ok_or_else(|| failed(format!("Invalid UUID format: '{text}'.")))?)
        }
        (Value::Int(number), VariableType::Double) => Value::Double(*number as f64),
        // Saturates like Java's cast.
        (Value::Double(number), VariableType::Int) => Value::Int(*number as i64),
        (value, _) => Value::Str(to_text(value)),
    }))
}

/// A number as Java's parser takes it: blanks around it are fine, the words `inf` and `nan` are not.
fn parse_double(text: &str) -> Option<f64> {
    let trimmed = text.trim();
    match trimmed.trim_start_matches(['+', '-']) {
        "NaN" | "Infinity" => {}
        digits if digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') => {}
        _ => return None,
    }
    trimmed.parse().ok()
}

/// The WfRunId of a text form. A chain of parents longer than any run could have is refused: it would be a message too
/// deep to read back.
fn parse_wf_run_id(text: &str) -> Option<lh::WfRunId> {
    (text.matches('_').count() <= MAX_PARENTS).then(|| id::wf_run_id(text))
}

fn parse_bool(text: &str) -> Option<bool> {
    match text.trim() {
        text if text.eq_ignore_ascii_case("true") => Some(true),
        text if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// Makes a value fit a variable or a place of this type, as ASSIGN does: more lenient than a cast. Null fits.
pub fn coerce(value: Option<Value>, target: &lh::TypeDefinition) -> Result<Option<Value>, Wrong> {
    let Some(value) = value else { return Ok(None) };
    match &target.defined_type {
        None => Ok(Some(value)),
        Some(DefinedType::PrimitiveType(_)) => match primitive_target(target) {
            Some(to) => coerce_primitive(value, to).map(Some),
            None => Err(Wrong::new(format!("Converting to {} not supported.", type_name(target)))),
        },
        Some(DefinedType::InlineArrayDef(array)) => match value {
            Value::Array(mut items) => {
                let wanted = array.array_type.as_deref();
                let labelled = items.element_type.as_ref();
                let same = labelled.is_some_and(|own| wanted.is_some_and(|wanted| is_same(own, wanted)));
                if !same && labelled.is_some() && !items.items.is_empty() {
                    return Err(not_coercible(&Value::Array(items), target));
                }
                if let Some(element) = wanted.filter(|_| !same) {
                    for item in &mut items.items {
                        item.value = coerce(item.value.take(), element)?;
                    }
                }
                items.element_type = wanted.cloned();
                Ok(Some(Value::Array(items)))
            }
            other => Err(not_coercible(&other, target)),
        },
        Some(DefinedType::InlineMapDef(wanted)) => match value {
            Value::Map(mut map) => {
                let same = map.map_type.as_ref().is_some_and(|own| is_same_map(own, wanted));
                if !same && map.map_type.is_some() && !map.entries.is_empty() {
                    return Err(not_coercible(&Value::Map(map), target));
                }
                if !same {
                    relabel(&mut map, wanted)?;
                }
                map.map_type = Some((**wanted).clone());
                Ok(Some(Value::Map(map)))
            }
            other => Err(not_coercible(&other, target)),
        },
        Some(DefinedType::StructDefId(id)) => match value {
            // Of whatever version: whether the fields are those of the declared one, `admit` finds out.
            Value::Struct(mut value) if value.struct_def_id.as_ref().is_some_and(|own| own.name == id.name) => {
                value.struct_def_id = Some(id.clone());
                Ok(Some(Value::Struct(value)))
            }
            other => Err(not_coercible(&other, target)),
        },
        Some(DefinedType::InlineStructDef(_)) => Err(not_coercible(&value, target)),
    }
}

/// Whether two types are called the same, whatever the versions of StructDefs in them.
pub fn is_same(left: &lh::TypeDefinition, right: &lh::TypeDefinition) -> bool {
    let inner = |left: &Option<Box<lh::TypeDefinition>>, right: &Option<Box<lh::TypeDefinition>>| match (left, right) {
        (Some(left), Some(right)) => is_same(left, right),
        (left, right) => left.is_none() && right.is_none(),
    };
    match (&left.defined_type, &right.defined_type) {
        (Some(DefinedType::StructDefId(left)), Some(DefinedType::StructDefId(right))) => left.name == right.name,
        (Some(DefinedType::InlineArrayDef(left)), Some(DefinedType::InlineArrayDef(right))) => {
            inner(&left.array_type, &right.array_type)
        }
        (Some(DefinedType::InlineMapDef(left)), Some(DefinedType::InlineMapDef(right))) => is_same_map(left, right),
        (left, right) => left == right,
    }
}

fn is_same_map(left: &lh::InlineMapDef, right: &lh::InlineMapDef) -> bool {
    let of = |definition: &Option<Box<lh::TypeDefinition>>| definition.as_deref().cloned().unwrap_or_default();
    is_same(&of(&left.key_type), &of(&right.key_type)) && is_same(&of(&left.value_type), &of(&right.value_type))
}

/// Makes the entries of a map fit a type.
pub fn relabel(map: &mut lh::Map, wanted: &lh::InlineMapDef) -> Result<(), Wrong> {
    let fit = |part: &mut Option<lh::VariableValue>, wanted: &Option<Box<lh::TypeDefinition>>| {
        let value = part.take().and_then(|part| part.value);
        let value = match wanted {
            Some(wanted) => coerce(value, wanted)?,
            None => value,
        };
        *part = Some(message(value));
        Ok(())
    };
    for entry in &mut map.entries {
        fit(&mut entry.key, &wanted.key_type)?;
        fit(&mut entry.value, &wanted.value_type)?;
    }
    Ok(())
}

fn not_coercible(value: &Value, target: &lh::TypeDefinition) -> Wrong {
    let from = value_type_name(Some(value));
    Wrong::new(format!("Coercing from {from} to {} or vice versa not supported.", type_name(target)))
}

/// Coerces to a primitive type.
pub fn coerce_primitive(value: Value, to: VariableType) -> Result<Value, Wrong> {
    let name = to.as_str_name();
    let Some(from) = primitive_of(&value) else {
        let from = value_type_name(Some(&value));
        return Err(Wrong::new(format!("Coercing from {from} to {name} or vice versa not supported.")));
    };
    if from == to {
        return Ok(value);
    }
    let unreadable = |text: &str| Wrong::new(format!("Couldn't convert STR '{text}' to {name}"));
    Ok(match (&value, to) {
        (Value::Double(number), VariableType::Int) => Value::Int(*number as i64),
        (Value::UtcTimestamp(time), VariableType::Int) => Value::Int(time.seconds.wrapping_mul(1000)),
        (Value::Str(text), VariableType::Int) => Value::Int(text.parse().map_err(|_| unreadable(text))?),
        (Value::Int(number), VariableType::Double) => Value::Double(*number as f64),
        (Value::Str(text), VariableType::Double) => Value::Double(parse_double(text).ok_or_else(|| unreadable(text))?),
        (Value::Str(text), VariableType::Bool) => Value::Bool(parse_bool(text).ok_or_else(|| unreadable(text))?),
        (Value::Str(text), VariableType::WfRunId) => {
            Value::WfRunId(parse_wf_run_id(text).ok_or_else(|| unreadable(text))?)
        }
        (value, VariableType::Str) => Value::Str(to_text(value)),
        (value, VariableType::Bytes) => Value::Bytes(to_text(value).into_bytes()),
        (_, VariableType::JsonObj | VariableType::JsonArr) => {
            return Err(Wrong::new(format!("Converting to {name} not supported.")));
        }
        (value, _) => return Err(Wrong::new(format!("Cannot convert {} to {name}", kind_name(Some(value))))),
    })
}
