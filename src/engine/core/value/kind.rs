//! How types and values are called in messages.

use crate::api::littlehorse as lh;
use crate::engine::core::value::Value;
use lh::type_definition::DefinedType;

/// The branch of a value as the wire calls it, `VALUE_NOT_SET` for null.
pub fn kind_name(value: Option<&Value>) -> &'static str {
    match value {
        None => "VALUE_NOT_SET",
        Some(Value::JsonObj(_)) => "JSON_OBJ",
        Some(Value::JsonArr(_)) => "JSON_ARR",
        Some(Value::Double(_)) => "DOUBLE",
        Some(Value::Bool(_)) => "BOOL",
        Some(Value::Str(_)) => "STR",
        Some(Value::Int(_)) => "INT",
        Some(Value::Bytes(_)) => "BYTES",
        Some(Value::WfRunId(_)) => "WF_RUN_ID",
        Some(Value::UtcTimestamp(_)) => "UTC_TIMESTAMP",
        Some(Value::Struct(_)) => "STRUCT",
        Some(Value::Array(_)) => "ARRAY",
        Some(Value::Map(_)) => "MAP",
    }
}

/// The primitive type of a value, where it is one.
pub fn primitive_of(value: &Value) -> Option<lh::VariableType> {
    Some(match value {
        Value::JsonObj(_) => lh::VariableType::JsonObj,
        Value::JsonArr(_) => lh::VariableType::JsonArr,
        Value::Double(_) => lh::VariableType::Double,
        Value::Bool(_) => lh::VariableType::Bool,
        Value::Str(_) => lh::VariableType::Str,
        Value::Int(_) => lh::VariableType::Int,
        Value::Bytes(_) => lh::VariableType::Bytes,
        Value::WfRunId(_) => lh::VariableType::WfRunId,
        Value::UtcTimestamp(_) => lh::VariableType::Timestamp,
        Value::Struct(_) | Value::Array(_) | Value::Map(_) => return None,
    })
}

/// The type of a value: what a variable holding it could be declared as. An array or map without its own label is
/// typed by its first element; an empty one stays untyped inside.
pub fn type_of(value: &Value) -> lh::TypeDefinition {
    let defined = match value {
        Value::Struct(value) => DefinedType::StructDefId(value.struct_def_id.clone().unwrap_or_default()),
        Value::Array(value) => DefinedType::InlineArrayDef(Box::new(lh::InlineArrayDef {
            array_type: Some(Box::new(value.element_type.clone().unwrap_or_else(|| first_type(value.items.first())))),
        })),
        Value::Map(value) => match &value.map_type {
            Some(map_type) => DefinedType::InlineMapDef(Box::new(map_type.clone())),
            None => {
                let first = value.entries.first();
                DefinedType::InlineMapDef(Box::new(lh::InlineMapDef {
                    key_type: Some(Box::new(first_type(first.and_then(|entry| entry.key.as_ref())))),
                    value_type: Some(Box::new(first_type(first.and_then(|entry| entry.value.as_ref())))),
                }))
            }
        },
        primitive => match primitive_of(primitive) {
            Some(kind) => DefinedType::PrimitiveType(kind as i32),
            None => return lh::TypeDefinition::default(),
        },
    };
    lh::TypeDefinition { defined_type: Some(defined), masked: false }
}

fn first_type(value: Option<&lh::VariableValue>) -> lh::TypeDefinition {
    value.and_then(|value| value.value.as_ref()).map(type_of).unwrap_or_default()
}

/// A type as messages name it: `INT`, `Array<STR>`.
pub fn type_name(definition: &lh::TypeDefinition) -> String {
    let inner = |definition: &Option<Box<lh::TypeDefinition>>| definition.as_deref().map(type_name).unwrap_or_default();
    match &definition.defined_type {
        None => "DEFINEDTYPE_NOT_SET".to_owned(),
        Some(DefinedType::PrimitiveType(number)) => match lh::VariableType::try_from(*number) {
            Ok(kind) => kind.as_str_name().to_owned(),
            Err(_) => format!("UNRECOGNIZED {number}"),
        },
        Some(DefinedType::StructDefId(id)) => format!("Struct<{},v{}>", id.name, id.version),
        Some(DefinedType::InlineArrayDef(array)) => format!("Array<{}>", inner(&array.array_type)),
        Some(DefinedType::InlineStructDef(_)) => "Struct".to_owned(),
        Some(DefinedType::InlineMapDef(map)) => format!("Map<{}, {}>", inner(&map.key_type), inner(&map.value_type)),
    }
}

/// The type of a value as messages name it, `null` for null.
pub fn value_type_name(value: Option<&Value>) -> String {
    value.map_or_else(|| "null".to_owned(), |value| type_name(&type_of(value)))
}
