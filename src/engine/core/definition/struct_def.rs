//! PutStructDef, DeleteStructDef, and which changes of a StructDef its users can live with.

use crate::api::{littlehorse as lh, store::v1 as store};
use crate::engine::core::definition::types::TypeError;
use crate::engine::core::id::is_valid_name;
use crate::engine::core::record::StructDefRecord;
use crate::engine::core::value::{EvalError, Wrong, admit};
use crate::engine::core::{Fault, Reader, Refusal, Tx};
use lh::StructDefCompatibilityType as Compatibility;
use lh::type_definition::DefinedType;

/// How deep StructDefs may lie in each other. Their values do as well, and a message can only be so deep.
const MAX_NESTING: usize = 8;

/// PutStructDef: a new version, or the latest one when nothing differs from it.
pub fn put(tx: &mut Tx<'_>, request: lh::PutStructDefRequest) -> Result<lh::StructDef, Refusal> {
    if !is_valid_name(&request.name) {
        return Err(Refusal::invalid("StructDef name must be a valid hostname"));
    }
    let compatibility = compatibility(request.allowed_updates)?;
    let name = request.name;
    let fields = checked(&tx.read(), request.struct_def.unwrap_or_default(), "StructDef validation failed")?;
    if let Some(latest) = tx.read().latest_struct_def(&name, false)? {
        let before = latest.message.struct_def.clone().unwrap_or_default();
        if before == fields && latest.message.description == request.description {
            return Ok(latest.message);
        }
        let broken = incompatible(&before, &fields, compatibility);
        if !broken.is_empty() {
            return Err(Refusal::invalid(format!(
                "Incompatible StructDef evolution on field(s): [{}] using {} compatibility type",
                broken.join(", "),
                compatibility.as_str_name()
            )));
        }
    }
    // Numbers of deleted versions are not given out again: values still mean what they were made with.
    let version = match tx.read().latest_struct_def(&name, true)?.and_then(|newest| newest.message.id) {
        Some(newest) => newest
            .version
            .checked_add(1)
            .ok_or_else(|| Refusal::exhausted(format!("StructDef {name} has no more version numbers")))?,
        None => 0,
    };
    let def = lh::StructDef {
        id: Some(lh::StructDefId { name, version }),
        description: request.description,
        created_at: Some(tx.now()),
        struct_def: Some(fields),
    };
    let facts = store::DefinitionFacts { put_by: Some(tx.actor()), deleted: None };
    tx.put_struct_def(&StructDefRecord { message: def.clone(), facts })?;
    Ok(def)
}

/// DeleteStructDef: hides one version; what uses it goes on with it.
pub fn delete(tx: &mut Tx<'_>, request: lh::DeleteStructDefRequest) -> Result<(), Refusal> {
    let id = request.id.unwrap_or_default();
    let stored = tx.read().struct_def(&id)?.filter(|record| record.facts.deleted.is_none());
    let mut record = stored.ok_or_else(|| Refusal::not_found("Couldn't find provided StructDefModel"))?;
    record.facts.deleted = Some(store::Deletion { by: Some(tx.actor()), at: tx.context().now });
    tx.put_struct_def(&record)?;
    Ok(())
}

/// Whether PutStructDef would take these fields as the next version. The first version of a name is always compatible.
pub fn is_valid_evolution(
    reader: &Reader<'_>,
    request: lh::ValidateStructDefEvolutionRequest,
) -> Result<bool, Refusal> {
    let compatibility = compatibility(request.compatibility_type)?;
    let fields = checked(reader, request.struct_def.unwrap_or_default(), "StructDef evolution request invalid")?;
    let name = request.struct_def_id.unwrap_or_default().name;
    let latest = reader.latest_struct_def(&name, false)?.and_then(|latest| latest.message.struct_def);
    Ok(latest.is_none_or(|before| incompatible(&before, &fields, compatibility).is_empty()))
}

fn compatibility(number: i32) -> Result<Compatibility, Refusal> {
    Compatibility::try_from(number)
        .map_err(|_| Refusal::invalid(format!("Unknown StructDefCompatibilityType {number}")))
}

/// The fields as they are stored, or why they cannot be; `place` comes before that.
fn checked(reader: &Reader<'_>, mut def: lh::InlineStructDef, place: &str) -> Result<lh::InlineStructDef, Refusal> {
    for (name, field) in &mut def.fields {
        let wrong_name = |wrong| Refusal::invalid(format!("{place}: StructDef field name '{name}' invalid: {wrong}"));
        field_name(name).map_err(wrong_name)?;
        let failed = |wrong: String| Refusal::invalid(format!("{place}: StructDef field '{name}' invalid: {wrong}"));
        match checked_field(reader, field) {
            Ok(()) => {}
            Err(EvalError::Wrong(wrong)) => return Err(failed(wrong.0)),
            Err(EvalError::Fault(fault)) => return Err(fault.into()),
        }
    }
    Ok(def)
}

fn checked_field(reader: &Reader<'_>, field: &mut lh::StructFieldDef) -> Result<(), EvalError> {
    let field_type = field.field_type.get_or_insert_default();
    // A type with nothing in it is the first one of the wire.
    field_type.defined_type.get_or_insert(DefinedType::PrimitiveType(0));
    no_json(field_type)?;
    reader.resolve_type(field_type).map_err(|error| match error {
        TypeError::Fault(fault) => EvalError::Fault(fault),
        wrong => Wrong::new(wrong.to_string()).into(),
    })?;
    if nesting(reader, field_type)? > MAX_NESTING {
        return Err(Wrong::new(format!("StructDefs may be nested {MAX_NESTING} levels deep, not more")).into());
    }
    let Some(default) = field.default_value.take() else { return Ok(()) };
    if default.value.is_none() && !field.is_nullable {
        return Err(Wrong::new("Non-nullable field cannot have a null default value").into());
    }
    let value = admit(reader, field_type, default.value);
    let value = value.map_err(|error| error.prefixed("StructFieldDef validation failed: "))?;
    field.default_value = Some(lh::VariableValue { value });
    Ok(())
}

fn field_name(name: &str) -> Result<(), &'static str> {
    let Some(first) = name.chars().next() else { return Err("cannot be empty") };
    if !first.is_alphabetic() {
        return Err("first character must be a letter");
    }
    if first.is_uppercase() {
        return Err("first letter must be lowercase");
    }
    if name.contains('_') {
        return Err("cannot include underscores, must follow camelCase");
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err("cannot include special characters, must be alphanumeric");
    }
    Ok(())
}

/// A record has typed fields all the way down.
fn no_json(definition: &lh::TypeDefinition) -> Result<(), Wrong> {
    let inner = |inner: &Option<Box<lh::TypeDefinition>>| inner.as_deref().map_or(Ok(()), no_json);
    match &definition.defined_type {
        Some(DefinedType::PrimitiveType(number)) => match lh::VariableType::try_from(*number) {
            Ok(kind @ (lh::VariableType::JsonObj | lh::VariableType::JsonArr)) => Err(Wrong::new(format!(
                "Forbidden JSON type: {}. Within StructDefs, use native equivalents such as StructDefs for nested \
                     object types and InlineArrayDefs for native LH arrays.",
                kind.as_str_name()
            ))),
            _ => Ok(()),
        },
        Some(DefinedType::InlineArrayDef(array)) => inner(&array.array_type),
        Some(DefinedType::InlineMapDef(map)) => inner(&map.key_type).and_then(|()| inner(&map.value_type)),
        Some(DefinedType::InlineStructDef(def)) => {
            def.fields.values().filter_map(|field| field.field_type.as_ref()).try_for_each(no_json)
        }
        Some(DefinedType::StructDefId(_)) | None => Ok(()),
    }
}

/// How many StructDefs lie in each other in a type whose references are resolved.
fn nesting(reader: &Reader<'_>, definition: &lh::TypeDefinition) -> Result<usize, Fault> {
    let of_fields = |def: &lh::InlineStructDef| {
        def.fields
            .values()
            .filter_map(|field| field.field_type.as_ref())
            .try_fold(0, |deepest: usize, field| Ok::<_, Fault>(deepest.max(nesting(reader, field)?)))
    };
    let inner =
        |inner: &Option<Box<lh::TypeDefinition>>| inner.as_deref().map_or(Ok(0), |inner| nesting(reader, inner));
    match &definition.defined_type {
        Some(DefinedType::StructDefId(id)) => {
            let stored = reader.struct_def(id)?.and_then(|record| record.message.struct_def);
            Ok(1 + stored.as_ref().map_or(Ok(0), of_fields)?)
        }
        Some(DefinedType::InlineArrayDef(array)) => inner(&array.array_type),
        Some(DefinedType::InlineMapDef(map)) => Ok(inner(&map.key_type)?.max(inner(&map.value_type)?)),
        Some(DefinedType::InlineStructDef(def)) => of_fields(def),
        Some(DefinedType::PrimitiveType(_)) | None => Ok(0),
    }
}

/// The fields that may not change as they did, by name.
fn incompatible(
    before: &lh::InlineStructDef,
    after: &lh::InlineStructDef,
    compatibility: Compatibility,
) -> Vec<String> {
    let is_required = |field: &lh::StructFieldDef| field.default_value.is_none() && !field.is_nullable;
    // What a field says to people is no part of the schema.
    let bare = |field: &lh::StructFieldDef| lh::StructFieldDef { description: None, ..field.clone() };
    let names = before.fields.keys().chain(after.fields.keys().filter(|name| !before.fields.contains_key(*name)));
    let breaks = |name: &&String| match (before.fields.get(*name), after.fields.get(*name), compatibility) {
        (Some(old), Some(new), Compatibility::NoSchemaUpdates) => bare(old) != bare(new),
        (_, _, Compatibility::NoSchemaUpdates) => true,
        (Some(old), Some(new), _) if is_required(old) || is_required(new) => {
            old.field_type != new.field_type || is_required(old) != is_required(new)
        }
        (Some(_), Some(_), _) => false,
        (Some(field), None, _) | (None, Some(field), _) => is_required(field),
        (None, None, _) => false,
    };
    names.filter(breaks).cloned().collect()
}
