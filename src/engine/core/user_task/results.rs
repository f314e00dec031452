//! The results of a form: what may be given, what of a draft counts, what the workflow gets.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use crate::api::littlehorse as lh;
use crate::engine::core::Refusal;
use crate::engine::core::value::{Value, Wrong, to_json, type_name, type_of, write_json};
use lh::type_definition::DefinedType;

/// Field values by name.
pub type Results = BTreeMap<String, lh::VariableValue>;

/// Whether a value is exactly of the type that the form declares for the field of that name.
fn fits(def: &lh::UserTaskDef, name: &str, value: &Value) -> bool {
    let kind = match type_of(value).defined_type {
        Some(DefinedType::PrimitiveType(kind)) => kind,
        _ => return false,
    };
    def.fields.iter().any(|field| field.name == name && field.r#type == kind)
}

/// JSON, and with it the workflow, has no such numbers.
fn is_sayable(value: &Value) -> bool {
    !matches!(value, Value::Double(number) if !number.is_finite())
}

/// Checks what a completion gives, and drops its nulls: a null counts as not given.
pub fn check(def: &lh::UserTaskDef, given: Results) -> Result<Results, Refusal> {
    let given: Results = given.into_iter().filter(|(_, value)| value.value.is_some()).collect();
    for (name, value) in &given {
        let Some(value) = &value.value else { continue };
        if matches!(value, Value::Struct(_) | Value::Array(_) | Value::Map(_)) {
            return Err(Refusal::invalid(format!(
                "Field [name = {name}, type = null] has non-primitive TypeDefinition and is unsupported for a UserTask \
                 schema."
            )));
        }
        if !fits(def, name, value) {
            let kind = type_name(&type_of(value));
            return Err(Refusal::invalid(format!(
                "Field [name = {name}, type = {kind}] is not defined in UserTask schema or has different type"
            )));
        }
        if !is_sayable(value) {
            return Err(Refusal::invalid(format!("Field [name = {name}, type = DOUBLE] must be a finite number")));
        }
    }
    let missing = def.fields.iter().filter(|field| field.required && !given.contains_key(&field.name));
    let missing: Vec<&str> = missing.map(|field| field.name.as_str()).collect();
    if !missing.is_empty() {
        return Err(Refusal::invalid(format!("[{}] are mandatory fields", missing.join(","))));
    }
    Ok(given)
}

/// What is given, over those values of the draft that the form declares. The rest of a draft stays in its event.
pub fn merge(def: &lh::UserTaskDef, draft: &Results, given: Results) -> Results {
    let counts = |name: &str, value: &lh::VariableValue| {
        value.value.as_ref().is_some_and(|value| fits(def, name, value) && is_sayable(value))
    };
    let draft = draft.iter().filter(|(name, value)| counts(name, value));
    let mut merged: Results = draft.map(|(name, value)| (name.clone(), value.clone())).collect();
    merged.extend(given);
    merged
}

/// What the workflow gets: a JSON object with every declared field, null where nothing was given.
pub fn output(def: &lh::UserTaskDef, results: &Results) -> Result<Value, Wrong> {
    let mut members = Map::new();
    for field in &def.fields {
        let value = results.get(&field.name).and_then(|value| value.value.as_ref());
        members.insert(field.name.clone(), to_json(value)?);
    }
    Ok(Value::JsonObj(write_json(&Json::Object(members))))
}
