//! The operations that mutations and expressions share.

use serde_json::Value as Json;

use crate::api::littlehorse::{self as lh, VariableMutationType as Operation, VariableType};
use crate::engine::core::value::cast::{coerce_primitive, is_same, relabel};
use crate::engine::core::value::text::double_text;
use crate::engine::core::value::{Value, Wrong, coerce, fits, json, keepable, kind_name, to_text, type_name, type_of};

/// Who asks for an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A mutation of a variable: INT stays INT.
    Mutation,
    /// An expression: INT with DOUBLE is computed, and stays, DOUBLE.
    Expression,
}

/// `left operation right`. ASSIGN fits `right` to the type of `left`, where it has one.
pub fn operate(
    left: Option<Value>,
    operation: Operation,
    right: Option<Value>,
    mode: Mode,
) -> Result<Option<Value>, Wrong> {
    match operation {
        Operation::Assign => match &left {
            Some(left) => coerce(right, &type_of(left)),
            None => Ok(right),
        },
        Operation::Add => add(left, right, mode).map(Some),
        Operation::Extend => extend(left, right).map(Some),
        Operation::Subtract | Operation::Multiply | Operation::Divide => {
            arithmetic(left, operation, right, mode).map(Some)
        }
        Operation::Pow => power(left, right).map(Some),
        Operation::RemoveIfPresent => remove_if_present(left, right).map(Some),
        Operation::RemoveIndex => remove_index(left, right).map(Some),
        Operation::RemoveKey => remove_key(left, right).map(Some),
        Operation::And => Ok(Some(Value::Bool(truth(left.as_ref())? && truth(right.as_ref())?))),
        Operation::Or => Ok(Some(Value::Bool(truth(left.as_ref())? || truth(right.as_ref())?))),
    }
}

fn truth(value: Option<&Value>) -> Result<bool, Wrong> {
    match value {
        Some(Value::Bool(truth)) => Ok(*truth),
        Some(Value::Str(text)) if text.eq_ignore_ascii_case("true") => Ok(true),
        Some(Value::Str(text)) if text.eq_ignore_ascii_case("false") => Ok(false),
        Some(other) => Err(Wrong::new(format!("Cannot convert {} to BOOL", type_name(&type_of(other))))),
        None => Err(Wrong::new("Cannot convert DEFINEDTYPE_NOT_SET to BOOL")),
    }
}

/// A number that may still turn out to be either.
enum Number {
    Int(i64),
    Double(f64),
}

fn number(value: Value) -> Result<Number, Wrong> {
    match value {
        Value::Double(number) => Ok(Number::Double(number)),
        value => match coerce_primitive(value, VariableType::Int)? {
            Value::Int(number) => Ok(Number::Int(number)),
            other => Err(Wrong::new(format!("Cannot convert {} to INT", kind_name(Some(&other))))),
        },
    }
}

fn double(value: Value) -> Result<f64, Wrong> {
    match coerce_primitive(value, VariableType::Double)? {
        Value::Double(number) => Ok(number),
        other => Err(Wrong::new(format!("Cannot convert {} to DOUBLE", kind_name(Some(&other))))),
    }
}

fn add(left: Option<Value>, right: Option<Value>, mode: Mode) -> Result<Value, Wrong> {
    let refused = |left: Option<&Value>| Wrong::new(format!("Cannot add to var of type {}", kind_name(left)));
    let Some(left) = left else { return Err(refused(None)) };
    let right = right.ok_or_else(|| Wrong::new("Cannot add by null"))?;
    match left {
        Value::Int(left) => Ok(match (number(right)?, mode) {
            (Number::Int(right), _) => Value::Int(left.wrapping_add(right)),
            (Number::Double(right), Mode::Mutation) => Value::Int(left.wrapping_add(right as i64)),
            (Number::Double(right), Mode::Expression) => Value::Double(left as f64 + right),
        }),
        Value::Double(left) => Ok(Value::Double(left + double(right)?)),
        Value::Str(left) => concatenate(left, &right),
        Value::JsonArr(text) => {
            let added = json::to_json(Some(&right))?;
            edit_list(&text, |items| {
                items.push(added);
                Ok(())
            })
        }
        other => Err(refused(Some(&other))),
    }
}

fn concatenate(left: String, right: &Value) -> Result<Value, Wrong> {
    let right = to_text(right);
    fits(left.len() + right.len())?;
    Ok(Value::Str(left + &right))
}

fn edit_list(text: &str, edit: impl FnOnce(&mut Vec<Json>) -> Result<(), Wrong>) -> Result<Value, Wrong> {
    match json::parse(text)? {
        Json::Array(mut items) => {
            edit(&mut items)?;
            json::checked_text(&Json::Array(items)).map(Value::JsonArr)
        }
        _ => Err(Wrong::new("The JSON_ARR does not hold a JSON list")),
    }
}

fn arithmetic(left: Option<Value>, operation: Operation, right: Option<Value>, mode: Mode) -> Result<Value, Wrong> {
    let (refused, null) = match operation {
        Operation::Subtract => ("Cannot subtract from var of type", "Cannot subtract null"),
        Operation::Multiply => ("Cannot multiply value of type", "Cannot multiply by null"),
        _ => ("Cannot divide var of type", "Cannot divide by null"),
    };
    let left = match left {
        Some(left @ (Value::Int(_) | Value::Double(_))) => left,
        other => return Err(Wrong::new(format!("{refused} {}", kind_name(other.as_ref())))),
    };
    let right = right.ok_or_else(|| Wrong::new(null))?;
    if let Value::Double(left) = left {
        return doubles(left, operation, double(right)?).map(Value::Double);
    }
    match (number(left)?, number(right)?) {
        (Number::Int(left), Number::Int(right)) => Ok(Value::Int(match operation {
            Operation::Subtract => left.wrapping_sub(right),
            Operation::Multiply => left.wrapping_mul(right),
            _ if right == 0 => return Err(Wrong::new("Cannot divide by zero")),
            _ => left.wrapping_div(right),
        })),
        (Number::Int(left), Number::Double(right)) => {
            let exact = doubles(left as f64, operation, right)?;
            Ok(if mode == Mode::Mutation { Value::Int(exact as i64) } else { Value::Double(exact) })
        }
        (Number::Double(left), Number::Int(right)) => doubles(left, operation, right as f64).map(Value::Double),
        (Number::Double(left), Number::Double(right)) => doubles(left, operation, right).map(Value::Double),
    }
}

fn doubles(left: f64, operation: Operation, right: f64) -> Result<f64, Wrong> {
    Ok(match operation {
        Operation::Subtract => left - right,
        Operation::Multiply => left * right,
        _ if right == 0.0 => return Err(Wrong::new("Cannot divide by zero")),
        _ => left / right,
    })
}

fn power(left: Option<Value>, right: Option<Value>) -> Result<Value, Wrong> {
    let base = match left {
        Some(base @ (Value::Int(_) | Value::Double(_))) => base,
        other => {
            let kind = kind_name(other.as_ref());
            return Err(Wrong::new(format!("Cannot exponentiate base value of type {kind}")));
        }
    };
    let exponent = match right {
        Some(exponent @ (Value::Int(_) | Value::Double(_))) => exponent,
        other => {
            return Err(Wrong::new(format!("Cannot exponentiate by type {}", kind_name(other.as_ref()))));
        }
    };
    let (x, y) = (double(base.clone())?, double(exponent.clone())?);
    let bounds = match (&base, &exponent) {
        (Value::Int(base), Value::Int(exponent)) => format!("Base {base}, Exponent {exponent}"),
        _ => format!("Base {}, Exponent {}", double_text(x), double_text(y)),
    };
    let result = x.powf(y);
    if !result.is_finite() {
        return Err(Wrong::new(format!("Exponentiation result is not finite: {bounds}")));
    }
    let (Value::Int(base), Value::Int(exponent)) = (base, exponent) else { return Ok(Value::Double(result)) };
    let out_of_range = || Wrong::new(format!("Exponentiation result is out of range for INT: {bounds}"));
    match u32::try_from(exponent) {
        // Exact where doubles would round.
        Ok(exponent) => base.checked_pow(exponent).map(Value::Int).ok_or_else(out_of_range),
        // A negative exponent truncates to 0 or a unit; one beyond 32 bits leaves only -1, 0 and 1 finite.
        Err(_) => Ok(Value::Int(result as i64)),
    }
}

fn extend(left: Option<Value>, right: Option<Value>) -> Result<Value, Wrong> {
    let refused = |left: Option<&Value>| Wrong::new(format!("Cannot extend var of type {}", kind_name(left)));
    let Some(left) = left else { return Err(refused(None)) };
    let right = right.ok_or_else(|| Wrong::new("Cannot extend by null"))?;
    match left {
        Value::Str(left) => concatenate(left, &right),
        Value::JsonArr(text) => {
            let Value::JsonArr(more) = coerce_primitive(right, VariableType::JsonArr)? else {
                return Err(Wrong::new("Converting to JSON_ARR not supported."));
            };
            let more = json::parse(&more)?;
            edit_list(&text, |items| {
                items.extend(more.as_array().cloned().unwrap_or_default());
                Ok(())
            })
        }
        Value::Bytes(mut left) => {
            let Value::Bytes(more) = coerce_primitive(right, VariableType::Bytes)? else {
                return Err(Wrong::new("Converting to BYTES not supported."));
            };
            fits(left.len() + more.len())?;
            left.extend(more);
            Ok(Value::Bytes(left))
        }
        Value::Array(left) => extend_array(left, right),
        Value::Map(left) => match right {
            Value::Map(mut right) => {
                if let Some(own) = &left.map_type {
                    relabel(&mut right, own)?;
                }
                merge(left, right)
            }
            _ => Err(Wrong::new("Cannot extend MAP with non-MAP value")),
        },
        other => Err(refused(Some(&other))),
    }
}

/// Whether a list says nothing of its items, and is to be joined with one whose items are no lists.
fn is_unlabelled(left: &lh::Array, right: &lh::Array) -> bool {
    let of_lists = left.element_type.as_ref().and_then(|element| element.defined_type.as_ref());
    right.element_type.is_none() && !matches!(of_lists, Some(lh::type_definition::DefinedType::InlineArrayDef(_)))
}

fn extend_array(mut left: lh::Array, right: Value) -> Result<Value, Wrong> {
    let same = |right: &lh::Array| match (&left.element_type, &right.element_type) {
        (Some(own), Some(other)) => is_same(own, other),
        (own, other) => own.is_none() && other.is_none(),
    };
    match right {
        // One without a label is meant as a list of items where its items can be that.
        Value::Array(right) if right.items.is_empty() || same(&right) || is_unlabelled(&left, &right) => {
            let label = left.element_type.clone().unwrap_or_default();
            for mut item in right.items {
                item.value = coerce(item.value, &label)?;
                left.items.push(item);
            }
        }
        item => {
            let item = match &left.element_type {
                Some(element) => coerce(Some(item), element)?,
                None => Some(item),
            };
            left.items.push(lh::VariableValue { value: item });
        }
    }
    let joined = Value::Array(left);
    keepable(&joined)?;
    Ok(joined)
}

/// Puts the entries of `right` over those of `left`, keeping the order of `left` first.
fn merge(mut left: lh::Map, right: lh::Map) -> Result<Value, Wrong> {
    for entry in right.entries {
        match left.entries.iter_mut().find(|old| old.key == entry.key) {
            Some(old) => old.value = entry.value,
            None => left.entries.push(entry),
        }
    }
    let merged = Value::Map(left);
    keepable(&merged)?;
    Ok(merged)
}

fn remove_if_present(left: Option<Value>, right: Option<Value>) -> Result<Value, Wrong> {
    match left {
        Some(Value::JsonArr(text)) => {
            let unwanted = json::to_json(right.as_ref())?;
            edit_list(&text, |items| {
                items.retain(|item| *item != unwanted);
                Ok(())
            })
        }
        Some(Value::Array(mut array)) => {
            let unwanted = match &array.element_type {
                Some(element) => coerce(right, element)?,
                None => right,
            };
            array.items.retain(|item| item.value != unwanted);
            Ok(Value::Array(array))
        }
        other => Err(Wrong::new(format!("Cannot removeIfPresent on var of type {}", kind_name(other.as_ref())))),
    }
}

fn remove_index(left: Option<Value>, right: Option<Value>) -> Result<Value, Wrong> {
    if !matches!(left, Some(Value::JsonArr(_) | Value::Array(_))) {
        return Err(Wrong::new(format!("Cannot removeIndex on var of type {}", kind_name(left.as_ref()))));
    }
    let index = match right {
        Some(index) => coerce_primitive(index, VariableType::Int)?,
        None => return Err(Wrong::new("Cannot removeIndex by null")),
    };
    let Value::Int(index) = index else { return Err(Wrong::new("Cannot removeIndex by a non-INT")) };
    let place = usize::try_from(index);
    match left {
        Some(Value::JsonArr(text)) => edit_list(&text, |items| {
            let place = place.ok().filter(|place| *place < items.len()).ok_or_else(|| {
                // The words of Java, which clients see.
                let out = format!("Index {index} out of bounds for length {}", items.len());
                Wrong::new(format!("Caught unexpected error when mutating variables: {out}"))
            })?;
            items.remove(place);
            Ok(())
        }),
        Some(Value::Array(mut array)) => {
            let place = place.ok().filter(|place| *place < array.items.len());
            array.items.remove(place.ok_or_else(|| Wrong::new(format!("Index out of bounds: {index}")))?);
            Ok(Value::Array(array))
        }
        other => Err(Wrong::new(format!("Cannot removeIndex on var of type {}", kind_name(other.as_ref())))),
    }
}

fn remove_key(left: Option<Value>, right: Option<Value>) -> Result<Value, Wrong> {
    match left {
        Some(Value::JsonObj(text)) => {
            let key = right.as_ref().map(to_text).ok_or_else(|| Wrong::new("Cannot removeKey by null"))?;
            match json::parse(&text)? {
                Json::Object(mut members) => {
                    members.shift_remove(&key);
                    json::checked_text(&Json::Object(members)).map(Value::JsonObj)
                }
                _ => Err(Wrong::new("The JSON_OBJ does not hold a JSON object")),
            }
        }
        Some(Value::Map(mut map)) => {
            map.entries.retain(|entry| entry.key.as_ref().and_then(|key| key.value.as_ref()) != right.as_ref());
            Ok(Value::Map(map))
        }
        Some(_) => Err(Wrong::new("Converting to JSON_OBJ not supported.")),
        None => Err(Wrong::new("Cannot removeKey on var of type VALUE_NOT_SET")),
    }
}
