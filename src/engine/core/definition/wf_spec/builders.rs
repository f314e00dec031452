//! What struct builders and map builders make, and what is wrong with them.

use crate::api::littlehorse as lh;
use crate::engine::core::definition::wf_spec::typing::{Known, Thread, as_primitive, is_assignable, is_null};
use crate::engine::core::value::{struct_def_text, type_name};
use lh::inline_struct_field_value::StructValue;
use lh::type_definition::DefinedType;

/// The type of a struct builder whose fields fit its StructDef.
pub(super) fn structure(thread: &Thread<'_>, builder: &lh::StructBuilder) -> Result<lh::TypeDefinition, String> {
    let asked = builder.struct_def_id.clone().unwrap_or_default();
    let def = thread.catalogue.struct_def(&asked);
    let def = def.ok_or_else(|| format!("StructDef not found: {}", struct_def_text(&asked)))?;
    let id = def.id.clone().unwrap_or_default();
    let nothing = lh::InlineStructBuilder::default();
    fields(thread, &id, def, builder.value.as_ref().unwrap_or(&nothing))?;
    Ok(lh::TypeDefinition { defined_type: Some(DefinedType::StructDefId(id)), masked: false })
}

fn fields(
    thread: &Thread<'_>,
    id: &lh::StructDefId,
    def: &lh::StructDef,
    builder: &lh::InlineStructBuilder,
) -> Result<(), String> {
    let nothing = lh::InlineStructDef::default();
    let declared = def.struct_def.as_ref().unwrap_or(&nothing);
    for (name, given) in &builder.fields {
        let Some(field) = declared.fields.get(name) else {
            return Err(format!("StructDef {} does not contain field '{name}'", struct_def_text(id)));
        };
        let wanted = field.field_type.clone().unwrap_or_default();
        match (&given.struct_value, &wanted.defined_type) {
            (Some(StructValue::SimpleValue(value)), _) => {
                if let Some(given) = thread.assignment(value)?
                    && !is_assignable(&wanted, &given)
                {
                    let (wanted, given) = (type_name(&wanted), type_name(&given));
                    return Err(format!("Field '{name}' expects {wanted} but got {given}"));
                }
            }
            (Some(StructValue::SubStructure(inner)), Some(DefinedType::StructDefId(id))) => {
                let def = thread.catalogue.struct_def(id);
                let def = def.ok_or_else(|| format!("StructDef not found: {}", struct_def_text(id)))?;
                fields(thread, id, def, inner)?;
            }
            (Some(StructValue::SubStructure(_)), _) => return Err(format!("Field '{name}' is not a struct field")),
            (None, _) => return Err(format!("Field '{name}' has no value")),
        }
    }
    let is_missing = |(name, field): &(&String, &lh::StructFieldDef)| {
        field.default_value.is_none() && !field.is_nullable && !builder.fields.contains_key(*name)
    };
    let missing = declared.fields.iter().filter(is_missing).map(|(name, _)| name.as_str()).collect::<Vec<_>>();
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!("Missing required field(s) for StructDef {}: {}", struct_def_text(id), missing.join(", ")))
}

/// The type of a map builder: the declared one, else that of its first entry.
pub(super) fn map(thread: &Thread<'_>, builder: &lh::MapBuilder) -> Result<Known, String> {
    let mut entries = Vec::with_capacity(builder.entries.len());
    for entry in &builder.entries {
        entries.push((thread.optional(entry.key.as_ref())?, thread.optional(entry.value.as_ref())?));
    }
    let (key_type, value_type) = match (&builder.map_type, entries.first()) {
        (Some(map), _) => (map.key_type.as_deref().cloned(), map.value_type.as_deref().cloned()),
        (None, Some((key, value))) => (key.clone(), value.clone().filter(|value| !is_null(value))),
        (None, None) => {
            let text = "Cannot build an untyped empty Map; declare the Map's key and value types (map_type).";
            return Err(text.to_owned());
        }
    };
    use lh::VariableType::{Bytes, JsonArr, JsonObj};
    if let Some(key) = &key_type
        && matches!(as_primitive(key), None | Some(JsonObj | JsonArr | Bytes))
    {
        return Err(format!("Map key type must be a primitive VariableType, but got: {}", type_name(key)));
    }
    if let Some(value) = value_type.as_ref().and_then(as_primitive)
        && matches!(value, JsonObj | JsonArr)
    {
        return Err(format!("Map values cannot be of type {}", value.as_str_name()));
    }
    for (key, value) in &entries {
        for (what, wanted, given) in [("key", &key_type, key), ("value", &value_type, value)] {
            let (Some(wanted), Some(given)) = (wanted, given) else { continue };
            if !is_null(wanted) && !is_assignable(wanted, given) {
                let (wanted, given) = (type_name(wanted), type_name(given));
                return Err(format!("Map {what} type {given} incompatible with expected {what} type {wanted}"));
            }
        }
    }
    let (Some(key_type), Some(value_type)) = (key_type, value_type) else { return Ok(None) };
    let map = lh::InlineMapDef { key_type: Some(Box::new(key_type)), value_type: Some(Box::new(value_type)) };
    Ok(Some(lh::TypeDefinition { defined_type: Some(DefinedType::InlineMapDef(Box::new(map))), masked: false }))
}
