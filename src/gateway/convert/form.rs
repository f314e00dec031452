//! Forms: of a task's definition, and of a workflow's inputs.

use super::value::from_proto;
use crate::api::littlehorse as lh;
use crate::domain::{Field, Form, Json, Kind, Untrusted};
use lh::type_definition::DefinedType;

/// The form of a UserTaskDef.
pub(in crate::gateway) fn form_of_def(def: &lh::UserTaskDef) -> Form {
    let fields = def.fields.iter().map(|field| Field {
        key: field.name.clone(),
        display_name: filled(&field.display_name),
        help: field.description.as_deref().and_then(filled),
        kind: kind(field.r#type),
        required: field.required,
        default: None,
        masked: false,
    });
    Form { description: def.description.as_deref().and_then(filled), fields: fields.collect() }
}

/// The inputs of a workflow: the variables of its entrypoint thread, but those that come from a parent run.
pub(in crate::gateway) fn inputs_of_spec(spec: &lh::WfSpec) -> Form {
    let thread = spec.thread_specs.get(&spec.entrypoint_thread_name);
    let variables = thread.map(|thread| thread.variable_defs.as_slice()).unwrap_or_default();
    let fields = variables
        .iter()
        .filter(|variable| variable.access_level() != lh::WfRunVariableAccessLevel::InheritedVar)
        .filter_map(|variable| {
            let def = variable.var_def.as_ref()?;
            Some(Field {
                key: def.name.clone(),
                display_name: None,
                help: None,
                kind: variable_kind(def),
                required: variable.required,
                default: def.default_value.as_ref().map(from_proto),
                masked: def.masked_value() || def.type_def.as_ref().is_some_and(|def| def.masked),
            })
        });
    Form { description: None, fields: fields.collect() }
}

fn filled(text: &str) -> Option<Untrusted> {
    (!text.trim().is_empty()).then(|| text.into())
}

/// Servers before type definitions told only the primitive type.
fn variable_kind(def: &lh::VariableDef) -> Kind {
    match def.type_def.as_ref().and_then(|def| def.defined_type.as_ref()) {
        Some(DefinedType::PrimitiveType(number)) => kind(*number),
        Some(DefinedType::StructDefId(id)) => Kind::Other(format!("STRUCT {}", id.name)),
        Some(DefinedType::InlineStructDef(_)) => Kind::Other("STRUCT".to_owned()),
        Some(DefinedType::InlineArrayDef(_)) => Kind::Other("ARRAY".to_owned()),
        Some(DefinedType::InlineMapDef(_)) => Kind::Other("MAP".to_owned()),
        None => def.r#type.map_or_else(|| Kind::Other("of an unknown type".to_owned()), kind),
    }
}

fn kind(number: i32) -> Kind {
    match lh::VariableType::try_from(number) {
        Ok(lh::VariableType::Str) => Kind::Str,
        Ok(lh::VariableType::Int) => Kind::Int,
        Ok(lh::VariableType::Double) => Kind::Double,
        Ok(lh::VariableType::Bool) => Kind::Bool,
        Ok(lh::VariableType::JsonObj) => Kind::Json(Json::Object),
        Ok(lh::VariableType::JsonArr) => Kind::Json(Json::List),
        Ok(other) => Kind::Other(other.as_str_name().to_owned()),
        Err(_) => Kind::Other(format!("type {number}")),
    }
}
