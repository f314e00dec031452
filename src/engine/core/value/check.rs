//! The check at the door: whether a value that comes from outside fits the declared type. Nothing is cast here; values
//! are kept as they came, but for JSON text, which is written compactly, and for the labels of arrays and maps.

use crate::api::littlehorse as lh;
use crate::engine::core::Fault;
use crate::engine::core::value::cast::primitive_target;
use crate::engine::core::value::kind::primitive_of;
use crate::engine::core::value::{EvalError, Value, Wrong, json, keepable, message, type_name, value_type_name};
use lh::VariableType;
use lh::type_definition::DefinedType;

/// Where StructDefs are looked up.
pub trait StructDefs {
    /// The fields of one version.
    fn fields(&self, id: &lh::StructDefId) -> Result<Option<lh::InlineStructDef>, Fault>;

    /// The version that a reference means, where it exists: -1 is the newest.
    fn version(&self, id: &lh::StructDefId) -> Result<Option<lh::StructDefId>, Fault>;
}

/// Accepts a value for a declared type, or says why not. Null is always accepted.
pub fn admit(
    defs: &dyn StructDefs,
    declared: &lh::TypeDefinition,
    value: Option<Value>,
) -> Result<Option<Value>, EvalError> {
    if let Some(value) = &value {
        keepable(value)?;
    }
    admitted(defs, declared, value)
}

fn admitted(
    defs: &dyn StructDefs,
    declared: &lh::TypeDefinition,
    value: Option<Value>,
) -> Result<Option<Value>, EvalError> {
    let Some(value) = value else { return Ok(None) };
    let mismatch = |value: &Value| -> EvalError {
        let (given, wanted) = (value_type_name(Some(value)), type_name(declared));
        Wrong::new(format!("Value of type {given} is not compatible with expected type {wanted}")).into()
    };
    match (&declared.defined_type, value) {
        (None, value) => Ok(Some(tidy(value))),
        (Some(DefinedType::PrimitiveType(_)), value) => {
            let accepted = match (primitive_target(declared), primitive_of(&value)) {
                (Some(to), Some(from)) => accepts(to, from),
                _ => false,
            };
            if accepted { Ok(Some(tidy(value))) } else { Err(mismatch(&value)) }
        }
        (Some(DefinedType::InlineArrayDef(wanted)), Value::Array(mut array)) => {
            let element = wanted.array_type.as_deref().cloned().unwrap_or_default();
            for item in &mut array.items {
                *item = admit_inner(defs, &element, item.value.take(), "Array element", "element")?;
            }
            array.element_type = Some(element);
            Ok(Some(Value::Array(array)))
        }
        (Some(DefinedType::InlineMapDef(wanted)), Value::Map(mut map)) => {
            let key_type = wanted.key_type.as_deref().cloned().unwrap_or_default();
            let value_type = wanted.value_type.as_deref().cloned().unwrap_or_default();
            for entry in &mut map.entries {
                let key = entry.key.take().and_then(|key| key.value);
                entry.key = Some(admit_inner(defs, &key_type, key, "Map key", "key")?);
                let value = entry.value.take().and_then(|value| value.value);
                entry.value = Some(admit_inner(defs, &value_type, value, "Map value", "value")?);
            }
            map.map_type = Some((**wanted).clone());
            Ok(Some(Value::Map(map)))
        }
        (Some(DefinedType::StructDefId(wanted)), Value::Struct(mut value))
            if value.struct_def_id.as_ref().is_some_and(|id| id.name == wanted.name) =>
        {
            let fields = defs.fields(wanted)?.unwrap_or_default();
            value.r#struct = Some(admit_fields(defs, wanted, &fields, value.r#struct.unwrap_or_default())?);
            value.struct_def_id = Some(wanted.clone());
            Ok(Some(Value::Struct(value)))
        }
        (Some(_), value) => Err(mismatch(&value)),
    }
}

/// The fields of a record: all that are required are there, and those that are declared fit. Others are kept.
fn admit_fields(
    defs: &dyn StructDefs,
    id: &lh::StructDefId,
    declared: &lh::InlineStructDef,
    mut record: lh::InlineStruct,
) -> Result<lh::InlineStruct, EvalError> {
    let incompatible = |what: String| {
        let id = struct_def_text(id);
        EvalError::from(Wrong::new(format!("Struct incompatible with StructDef {id}: {what}")))
    };
    for (name, field) in &declared.fields {
        let Some(given) = record.fields.get_mut(name) else {
            if field.default_value.is_none() && !field.is_nullable {
                return Err(incompatible(format!("Missing required field {name}")));
            }
            continue;
        };
        let value = given.value.take().and_then(|value| value.value);
        if value.is_none() && !field.is_nullable {
            let what = "Field is not nullable but received null value";
            return Err(incompatible(format!("Field '{name}' is invalid: {what}")));
        }
        let field_type = field.field_type.clone().unwrap_or_default();
        let value = match admitted(defs, &field_type, value) {
            Err(EvalError::Wrong(wrong)) => {
                let what = format!("Field '{name}' is invalid: StructFieldDef validation failed: {wrong}");
                return Err(incompatible(what));
            }
            admitted => admitted?,
        };
        *given = lh::StructField { value: Some(message(value)), masked: field_type.masked };
    }
    Ok(record)
}

/// What is shown instead of a masked value.
pub const MASK: &str = "*****";

/// The value as it is shown: masked fields of records hidden, wherever they lie in it.
pub fn hide(value: Value) -> Value {
    let inner = |value: Option<lh::VariableValue>| value.map(|value| message(value.value.map(hide)));
    match value {
        Value::Struct(mut value) => {
            for field in value.r#struct.iter_mut().flat_map(|record| record.fields.values_mut()) {
                field.value = match field.masked {
                    true => Some(message(Some(Value::Str(MASK.to_owned())))),
                    false => inner(field.value.take()),
                };
            }
            Value::Struct(value)
        }
        Value::Array(mut array) => {
            array.items = array.items.into_iter().map(|item| message(item.value.map(hide))).collect();
            Value::Array(array)
        }
        Value::Map(mut map) => {
            for entry in &mut map.entries {
                entry.value = inner(entry.value.take());
            }
            Value::Map(map)
        }
        other => other,
    }
}

/// `name/version`, the version as five digits.
pub fn struct_def_text(id: &lh::StructDefId) -> String {
    format!("{}/{:05}", id.name, id.version)
}

fn accepts(to: VariableType, from: VariableType) -> bool {
    use VariableType::{Bool, Bytes, Double, Int, Str, WfRunId};
    from == to || matches!((to, from), (Double, Int) | (Str, Int | Double | Bool | Bytes | WfRunId))
}

fn admit_inner(
    defs: &dyn StructDefs,
    declared: &lh::TypeDefinition,
    value: Option<Value>,
    what: &str,
    part: &str,
) -> Result<lh::VariableValue, EvalError> {
    let given = value_type_name(value.as_ref());
    // A record says itself what is wrong with it; of everything else the type is what there is to say.
    let says_itself = matches!(value, Some(Value::Struct(_)));
    admitted(defs, declared, value).map(message).map_err(|error| match error {
        EvalError::Wrong(_) if !says_itself => {
            let wanted = type_name(declared);
            Wrong::new(format!("{what} type {given} incompatible with expected {part} type {wanted}")).into()
        }
        other => other,
    })
}

/// JSON is kept in one compact form with LittleHorse's numbers. Text that is no JSON is kept as it is: LittleHorse takes
/// it, and whoever reads a path in it is told.
pub fn tidy(value: Value) -> Value {
    let compact = |text: String| json::parse(&text).map(|parsed| json::write(&parsed)).unwrap_or(text);
    match value {
        Value::JsonObj(text) => Value::JsonObj(compact(text)),
        Value::JsonArr(text) => Value::JsonArr(compact(text)),
        other => other,
    }
}
