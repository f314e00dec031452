//! Mutations: what an edge does to a variable.

use crate::api::littlehorse::{self as lh, VariableMutationType as Operation};
use crate::engine::core::value::assign::{read_json_path, selectors};
use crate::engine::core::value::json_path::JsonPath;
use crate::engine::core::value::lh_path;
use crate::engine::core::value::{
    EvalError, Mode, Scope, Value, Wrong, admit, coerce, evaluate, fits, json, keepable, kind_name, operate, tidy,
};
use lh::type_definition::DefinedType;
use lh::variable_mutation::RhsValue;
use lh::variable_mutation::node_output_source::Path;

/// The new value of a variable. `declared` is its type, `left` its value now, `source` the node that the edge leaves.
pub fn mutate(
    mutation: &lh::VariableMutation,
    declared: &lh::TypeDefinition,
    left: Option<Value>,
    source: &str,
    scope: &dyn Scope,
) -> Result<Option<Value>, EvalError> {
    let operation = Operation::try_from(mutation.operation)
        .map_err(|_| Wrong::new(format!("Unknown operation number {}", mutation.operation)))?;
    if let Some(path) = &mutation.lhs_lh_path {
        let path = selectors(path, scope)?;
        let current = lh_path::read(scope, left.clone(), &path)?;
        let right = right_side(mutation, source, scope)?;
        let result = match current {
            None => right,
            current => operate(current, operation, right, Mode::Mutation)?,
        };
        return admit(scope, declared, lh_path::write(left, &path, result)?);
    }
    let Some(path) = &mutation.lhs_json_path else {
        let right = right_side(mutation, source, scope)?;
        // ASSIGN does not look at what was there; the others work on a value of the declared type, also where a value
        // of another type was let in at the door.
        let result = match operation {
            Operation::Assign => right,
            _ => operate(coerce(left, declared)?, operation, right, Mode::Mutation)?,
        };
        let result = coerce(result, declared)?;
        // A coerced record has the right name; whether it has the right fields is looked at here.
        return if holds_structs(declared) { admit(scope, declared, result) } else { Ok(result) };
    };
    let Some(Value::JsonObj(text) | Value::JsonArr(text)) = &left else {
        return Err(Wrong::new(format!("Cannot jsonpath on {}", kind_name(left.as_ref()))).into());
    };
    let current = read_json_path(left.as_ref(), path)?;
    let right = right_side(mutation, source, scope)?;
    let result = match current {
        // There is nothing to operate on, so the right side is simply put there.
        None => right,
        current => operate(current, operation, right, Mode::Mutation)?,
    };
    let failed =
        |wrong: Wrong| Wrong::new(format!("Failed updating jsonPath {path} on object {}: {wrong}", json::quote(text)));
    let mut root = json::parse(text)?;
    let new = json::to_json(result.as_ref())?;
    JsonPath::parse(path).and_then(|path| path.write(&mut root, &new)).map_err(failed)?;
    let text = json::checked_text(&root)?;
    Ok(Some(if matches!(left, Some(Value::JsonObj(_))) { Value::JsonObj(text) } else { Value::JsonArr(text) }))
}

fn holds_structs(definition: &lh::TypeDefinition) -> bool {
    let inner = |inner: &Option<Box<lh::TypeDefinition>>| inner.as_deref().is_some_and(holds_structs);
    match &definition.defined_type {
        Some(DefinedType::StructDefId(_)) => true,
        Some(DefinedType::InlineArrayDef(array)) => inner(&array.array_type),
        Some(DefinedType::InlineMapDef(map)) => inner(&map.value_type),
        Some(DefinedType::PrimitiveType(_) | DefinedType::InlineStructDef(_)) | None => false,
    }
}

fn right_side(mutation: &lh::VariableMutation, source: &str, scope: &dyn Scope) -> Result<Option<Value>, EvalError> {
    let value = match &mutation.rhs_value {
        Some(RhsValue::RhsAssignment(assignment)) => evaluate(assignment, scope)?,
        Some(RhsValue::LiteralValue(literal)) => literal.value.clone().map(tidy),
        Some(RhsValue::NodeOutput(output)) => {
            let value = scope.node_output(source)?;
            match &output.path {
                None => value,
                Some(Path::Jsonpath(path)) => read_json_path(value.as_ref(), path)?,
                Some(Path::LhPath(path)) => lh_path::read(scope, value, &selectors(path, scope)?)?,
            }
        }
        None => return Err(Wrong::new("Mutation without a right side").into()),
    };
    if let Some(value) = &value {
        fits(prost::Message::encoded_len(&lh::VariableValue { value: Some(value.clone()) }))?;
        keepable(value)?;
    }
    Ok(value)
}
