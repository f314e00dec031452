//! Struct builders and map builders: values from computed parts.

use std::collections::BTreeMap;

use crate::api::littlehorse as lh;
use crate::engine::core::value::assign::{evaluate, part};
use crate::engine::core::value::{EvalError, Scope, Value, Wrong, admit, message, struct_def_text, type_of};
use lh::inline_struct_field_value::StructValue;
use lh::type_definition::DefinedType;

/// A record of a StructDef, held against it.
pub fn structure(builder: &lh::StructBuilder, scope: &dyn Scope) -> Result<Option<Value>, EvalError> {
    let asked = builder.struct_def_id.clone().unwrap_or_default();
    let missing = || Wrong::new(format!("StructDef not found: {}", struct_def_text(&asked)));
    let id = scope.version(&asked)?.ok_or_else(missing)?;
    let nothing = lh::InlineStructBuilder::default();
    let built = fields(&id, builder.value.as_ref().unwrap_or(&nothing), scope)?;
    let declared = lh::TypeDefinition { defined_type: Some(DefinedType::StructDefId(id)), masked: false };
    admit(scope, &declared, Some(built))
}

fn fields(id: &lh::StructDefId, builder: &lh::InlineStructBuilder, scope: &dyn Scope) -> Result<Value, EvalError> {
    let declared = scope.fields(id)?.unwrap_or_default();
    let mut fields = BTreeMap::new();
    for (name, given) in &builder.fields {
        let field_type = declared.fields.get(name).and_then(|field| field.field_type.as_ref());
        let value = match (&given.struct_value, field_type.and_then(|field| field.defined_type.as_ref())) {
            (Some(StructValue::SimpleValue(assignment)), _) => evaluate(assignment, scope)?,
            (Some(StructValue::SubStructure(inner)), Some(DefinedType::StructDefId(id))) => {
                Some(self::fields(id, inner, scope)?)
            }
            (Some(StructValue::SubStructure(_)), _) => {
                return Err(Wrong::new(format!("Field '{name}' is not a struct field")).into());
            }
            (None, _) => None,
        };
        fields.insert(name.clone(), lh::StructField { value: Some(message(value)), masked: false });
    }
    let r#struct = Some(lh::InlineStruct { fields });
    Ok(Value::Struct(lh::Struct { struct_def_id: Some(id.clone()), r#struct }))
}

/// A map of the declared type, else of the type of its first entry. The last value of a repeated key wins, in the
/// place of the first.
pub fn map(builder: &lh::MapBuilder, scope: &dyn Scope) -> Result<Option<Value>, EvalError> {
    let mut entries: Vec<lh::map::Entry> = Vec::new();
    for entry in &builder.entries {
        let key = Some(message(part(entry.key.as_ref(), scope)?));
        let value = Some(message(part(entry.value.as_ref(), scope)?));
        match entries.iter_mut().find(|old| old.key == key) {
            Some(old) => old.value = value,
            None => entries.push(lh::map::Entry { key, value }),
        }
    }
    let built = Value::Map(lh::Map { entries, map_type: builder.map_type.clone() });
    admit(scope, &type_of(&built), Some(built))
}
