//! Comparisons.

use std::cmp::Ordering;

use serde_json::Value as Json;

use crate::api::littlehorse::Comparator;
use crate::engine::core::id;
use crate::engine::core::value::{Value, Wrong, json, to_text};

/// Whether `left comparator right` holds. Null equals null and is smaller than any value; values compare with their own
/// kind only, so that INT with DOUBLE is an error, as in LittleHorse. Unlike there, times compare by their instant.
pub fn compare(left: Option<&Value>, comparator: Comparator, right: Option<&Value>) -> Result<bool, Wrong> {
    Ok(match comparator {
        Comparator::LessThan => order(left, right)?.is_lt(),
        Comparator::GreaterThan => order(left, right)?.is_gt(),
        Comparator::LessThanEq => order(left, right)?.is_le(),
        Comparator::GreaterThanEq => order(left, right)?.is_ge(),
        Comparator::Equals => equal(left, right)?,
        Comparator::NotEquals => !equal(left, right)?,
        Comparator::In => contains(right, left)?,
        Comparator::NotIn => !contains(right, left)?,
    })
}

fn incomparable() -> Wrong {
    Wrong::new("Failed comparing the provided values.")
}

fn order(left: Option<&Value>, right: Option<&Value>) -> Result<Ordering, Wrong> {
    let (left, right) = match (left, right) {
        (None, None) => return Ok(Ordering::Equal),
        (None, Some(_)) => return Ok(Ordering::Less),
        (Some(_), None) => return Ok(Ordering::Greater),
        (Some(left), Some(right)) => (left, right),
    };
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => Ok(left.cmp(right)),
        // As Java orders doubles: -0.0 below 0.0, NaN above everything.
        (Value::Double(left), Value::Double(right)) => Ok(java_order(*left, *right)),
        // By UTF-16 units, which is not the order of UTF-8 above the basic plane.
        (Value::Str(left), Value::Str(right)) => Ok(left.encode_utf16().cmp(right.encode_utf16())),
        (Value::Bool(left), Value::Bool(right)) => Ok(left.cmp(right)),
        (Value::UtcTimestamp(left), Value::UtcTimestamp(right)) => Ok(instant(left).cmp(&instant(right))),
        (Value::WfRunId(left), Value::WfRunId(right)) => Ok(id::wf_run_text(left).cmp(&id::wf_run_text(right))),
        _ => Err(incomparable()),
    }
}

/// Nanoseconds since 1970. Clients may send one instant in several forms, as with 1.5 seconds in the nanoseconds.
fn instant(time: &prost_types::Timestamp) -> i128 {
    i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos)
}

fn java_order(left: f64, right: f64) -> Ordering {
    match left.partial_cmp(&right) {
        Some(Ordering::Equal) | None => {
            let rank = |number: f64| if number.is_nan() { 2 } else { i32::from(!number.is_sign_negative()) };
            rank(left).cmp(&rank(right))
        }
        Some(order) => order,
    }
}

fn equal(left: Option<&Value>, right: Option<&Value>) -> Result<bool, Wrong> {
    match (left, right) {
        (Some(Value::Struct(left)), Some(Value::Struct(right))) => Ok(left == right),
        _ => order(left, right).map(Ordering::is_eq),
    }
}

fn contains(whole: Option<&Value>, part: Option<&Value>) -> Result<bool, Wrong> {
    let failed = || Wrong::new("Failed evaluating CONTAINS");
    let whole = whole.ok_or_else(failed)?;
    if !matches!(whole, Value::Str(_) | Value::JsonArr(_) | Value::JsonObj(_) | Value::Array(_) | Value::Map(_)) {
        return Err(failed());
    }
    let Some(part) = part else { return Ok(false) };
    Ok(match whole {
        Value::Str(text) => text.contains(&to_text(part)),
        Value::JsonArr(text) => {
            let part = json::to_json(Some(part))?;
            json::parse(text)?.as_array().is_some_and(|items| items.iter().any(|item| covers(item, &part)))
        }
        Value::JsonObj(text) => {
            json::parse(text)?.as_object().is_some_and(|members| members.contains_key(&to_text(part)))
        }
        Value::Array(array) => array.items.iter().any(|item| item.value.as_ref() == Some(part)),
        Value::Map(map) => {
            map.entries.iter().any(|entry| entry.key.as_ref().and_then(|key| key.value.as_ref()) == Some(part))
        }
        _ => return Err(failed()),
    })
}

/// Deep equality in which all numbers are doubles and an object may have more members than the one searched for.
fn covers(item: &Json, part: &Json) -> bool {
    match (item, part) {
        (Json::Number(item), Json::Number(part)) => item.as_f64() == part.as_f64(),
        (Json::Array(items), Json::Array(parts)) => {
            items.len() == parts.len() && items.iter().zip(parts).all(|(item, part)| covers(item, part))
        }
        (Json::Object(members), Json::Object(parts)) => {
            parts.iter().all(|(name, part)| members.get(name).is_some_and(|member| covers(member, part)))
        }
        _ => item == part,
    }
}
