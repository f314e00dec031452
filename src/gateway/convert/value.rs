//! Values of fields and variables.

use std::collections::BTreeMap;

use prost::Message;

use super::{run_id, time};
use crate::api::littlehorse as lh;
use crate::domain::{Json, Untrusted, Value, Values};
use lh::variable_value::Value as Kind;

/// A value that was kept as bytes and is no longer what it was, such as from a draft that was edited by hand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the value of {0} is damaged")]
pub(in crate::gateway) struct NotEncodable(pub(in crate::gateway) String);

/// All values of a map.
pub(in crate::gateway) fn values(map: &BTreeMap<String, lh::VariableValue>) -> Values {
    map.iter().map(|(name, value)| (name.clone(), from_proto(value))).collect()
}

/// The other way round.
pub(in crate::gateway) fn values_to_proto(
    values: &Values,
) -> Result<BTreeMap<String, lh::VariableValue>, NotEncodable> {
    values
        .iter()
        .map(|(name, value)| match to_proto(value) {
            Some(value) => Ok((name.clone(), value)),
            None => Err(NotEncodable(Untrusted::from(name.as_str()).to_string())),
        })
        .collect()
}

/// One value.
pub(in crate::gateway) fn from_proto(value: &lh::VariableValue) -> Value {
    let opaque = |kind: &str, text: String| Value::Opaque {
        kind: kind.to_owned(),
        text: text.into(),
        bytes: value.encode_to_vec(),
    };
    match &value.value {
        None => Value::Null,
        Some(Kind::Str(text)) => Value::Str(text.as_str().into()),
        Some(Kind::Int(number)) => Value::Int(*number),
        Some(Kind::Double(number)) => Value::Double(*number),
        Some(Kind::Bool(yes)) => Value::Bool(*yes),
        Some(Kind::JsonObj(text)) => Value::Json(Json::Object, text.as_str().into()),
        Some(Kind::JsonArr(text)) => Value::Json(Json::List, text.as_str().into()),
        Some(Kind::Bytes(bytes)) => opaque("BYTES", format!("{} bytes", bytes.len())),
        Some(Kind::WfRunId(id)) => opaque("WF_RUN_ID", run_id(id).to_string()),
        Some(Kind::UtcTimestamp(at)) => {
            opaque("TIMESTAMP", time(at).map_or_else(|| "no time of this calendar".to_owned(), |at| at.to_string()))
        }
        Some(Kind::Struct(made)) => {
            let fields = made.r#struct.as_ref().map_or(0, |inner| inner.fields.len());
            let name = made.struct_def_id.as_ref().map_or("struct", |id| id.name.as_str());
            opaque("STRUCT", format!("{name} with {fields} fields"))
        }
        Some(Kind::Array(array)) => opaque("ARRAY", format!("{} items", array.items.len())),
        Some(Kind::Map(map)) => opaque("MAP", format!("{} entries", map.entries.len())),
    }
}

/// The other way round; `None` for bytes that are no value.
pub(in crate::gateway) fn to_proto(value: &Value) -> Option<lh::VariableValue> {
    let kind = match value {
        Value::Null => None,
        Value::Str(text) => Some(Kind::Str(text.raw().to_owned())),
        Value::Int(number) => Some(Kind::Int(*number)),
        Value::Double(number) => Some(Kind::Double(*number)),
        Value::Bool(yes) => Some(Kind::Bool(*yes)),
        Value::Json(Json::Object, text) => Some(Kind::JsonObj(text.raw().to_owned())),
        Value::Json(Json::List, text) => Some(Kind::JsonArr(text.raw().to_owned())),
        Value::Opaque { bytes, .. } => return lh::VariableValue::decode(bytes.as_slice()).ok(),
        Value::Struct(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| {
                    let value = to_proto(value)?;
                    Some((name.clone(), lh::StructField { value: Some(value), masked: false }))
                })
                .collect::<Option<_>>()?;
            Some(Kind::Struct(lh::Struct { struct_def_id: None, r#struct: Some(lh::InlineStruct { fields }) }))
        }
    };
    Some(lh::VariableValue { value: kind })
}
