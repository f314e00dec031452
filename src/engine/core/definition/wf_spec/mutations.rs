//! The static rules of operations: which types they take and what they give.

use crate::api::littlehorse as lh;
use crate::engine::core::definition::wf_spec::typing::{as_primitive, is_assignable, is_null, primitive};
use crate::engine::core::value::type_name;
use lh::VariableMutationType as Op;
use lh::VariableType::{self, Bool, Bytes, Double, Int, JsonArr, JsonObj, Str, Timestamp, WfRunId};
use lh::type_definition::DefinedType;

/// The operation with this number.
pub(super) fn operation(number: i32) -> Result<Op, String> {
    Op::try_from(number).map_err(|_| format!("Unknown VariableMutationType {number}"))
}

/// Checks a mutation of a variable of type `lhs` with a value of type `rhs`.
pub(super) fn check(
    name: &str,
    lhs: &lh::TypeDefinition,
    operation: Op,
    rhs: &lh::TypeDefinition,
) -> Result<(), String> {
    if operation == Op::Assign {
        if is_assignable(lhs, rhs) {
            return Ok(());
        }
        let alike = |lhs: &lh::TypeDefinition, rhs: &lh::TypeDefinition| match (&lhs.defined_type, &rhs.defined_type) {
            (Some(DefinedType::InlineArrayDef(_)), Some(DefinedType::InlineArrayDef(_)))
            | (Some(DefinedType::InlineMapDef(_)), Some(DefinedType::InlineMapDef(_))) => {
                Some(format!("Cannot use a {} as a {}", type_name(rhs), type_name(lhs)))
            }
            (Some(DefinedType::StructDefId(_)), Some(DefinedType::StructDefId(_))) => {
                Some(format!("Cannot assign {} to {} without explicit casting.", type_name(rhs), type_name(lhs)))
            }
            _ => None,
        };
        return Err(match alike(lhs, rhs) {
            Some(wrong) => format!("Mutation of variable {name} invalid: {wrong}"),
            None => format!("Cannot assign {} to {} without explicit casting.", cast_name(rhs), cast_name(lhs)),
        });
    }
    let result =
        result(lhs, operation, rhs).map_err(|wrong| format!("Mutation of variable {name} invalid: {wrong}"))?;
    if is_assignable(lhs, &result) {
        return Ok(());
    }
    let (lhs, result) = (type_name(lhs), type_name(&result));
    Err(format!("Cannot mutate a {lhs} by assigning it a value of type {result}"))
}

/// Casts know primitive types only; clients match on this name for the others.
fn cast_name(definition: &lh::TypeDefinition) -> String {
    match definition.defined_type {
        Some(DefinedType::PrimitiveType(_)) => type_name(definition),
        _ => "null".to_owned(),
    }
}

/// The type that an operation gives.
pub(super) fn result(
    lhs: &lh::TypeDefinition,
    operation: Op,
    rhs: &lh::TypeDefinition,
) -> Result<lh::TypeDefinition, String> {
    match operation {
        Op::Assign => return Ok(lhs.clone()),
        Op::And | Op::Or => return Ok(primitive(Bool)),
        _ => {}
    }
    match &lhs.defined_type {
        // A null on the left fails at run time, with the operation's own text.
        None => Ok(lhs.clone()),
        Some(DefinedType::PrimitiveType(_)) => match as_primitive(lhs) {
            Some(kind) => of_primitive(kind, operation, rhs),
            None => Err(format!("Cannot operate on type {}", type_name(lhs))),
        },
        Some(DefinedType::InlineArrayDef(array)) => {
            of_array(array.array_type.as_deref(), operation, rhs, lhs)?;
            Ok(lhs.clone())
        }
        Some(DefinedType::InlineMapDef(_)) => {
            of_map(operation, rhs, lhs)?;
            Ok(lhs.clone())
        }
        Some(DefinedType::StructDefId(_) | DefinedType::InlineStructDef(_)) => Err(match operation {
            Op::RemoveKey => "Cannot remove a key from a Struct".to_owned(),
            Op::Extend => "Cannot extend a Struct".to_owned(),
            operation => no_such_operation(operation, "a Struct"),
        }),
    }
}

fn of_primitive(lhs: VariableType, operation: Op, rhs: &lh::TypeDefinition) -> Result<lh::TypeDefinition, String> {
    let right = as_primitive(rhs);
    let numeric = matches!(right, Some(Int | Double));
    let same = Ok(primitive(lhs));
    match (lhs, operation) {
        (Int | Double, Op::Add | Op::Subtract | Op::Multiply | Op::Divide | Op::Pow) => {
            if !numeric {
                let (verb, on) = (verb(operation), with_article(lhs));
                return Err(format!("Cannot {verb} non-numeric type {} to {on}", type_name(rhs)));
            }
            let wide = operation == Op::Pow && right == Some(Double);
            if wide { Ok(primitive(Double)) } else { same }
        }
        (Str, Op::Add | Op::Extend) => match right {
            Some(Int | Bool | Double | Str | Timestamp | WfRunId) => same,
            _ if operation == Op::Add => Err(format!("Cannot add non-primitive type {} to an DOUBLE", type_name(rhs))),
            _ => Err(format!("Cannot extend a STR with non-primitive type {}", type_name(rhs))),
        },
        (Str, Op::RemoveIfPresent | Op::RemoveIndex) => same,
        (JsonArr, Op::Add) => same,
        (JsonArr, Op::Extend) if right == Some(JsonArr) => same,
        (JsonArr, Op::Extend) => {
            Err(format!("Cannot call EXTEND on a JSON_ARR if rhs is not of type JSON_ARR: {}", type_name(rhs)))
        }
        (JsonArr | JsonObj, Op::RemoveIfPresent) | (JsonObj, Op::RemoveKey) => {
            if right.is_some() || is_null(rhs) {
                return same;
            }
            let (name, on) = (operation.as_str_name(), with_article(lhs));
            Err(format!("Cannot call {name} on {on} with non-primitive argument: {}", type_name(rhs)))
        }
        (JsonArr, Op::RemoveIndex) if numeric => same,
        (JsonArr, Op::RemoveIndex) => {
            Err(format!("Cannot call REMOVE_INDEX on a JSON_ARR with non-numeric argument: {}", type_name(rhs)))
        }
        (JsonArr, Op::RemoveKey) => Err("Cannot call REMOVE_KEY on a JSON_ARR. Did you mean REMOVE_INDEX?".to_owned()),
        (JsonObj, Op::RemoveIndex) => {
            Err("Cannot call REMOVE_INDEX on a JSON_OBJ. Did you mean REMOVE_KEY?".to_owned())
        }
        (Bytes, Op::Extend) if right == Some(Bytes) => same,
        (Bytes, Op::Add) => Err("Cannot add to a BYTES. Use EXTEND instead.".to_owned()),
        (lhs, operation) => Err(no_such_operation(operation, &with_article(lhs))),
    }
}

fn of_array(
    item: Option<&lh::TypeDefinition>,
    operation: Op,
    rhs: &lh::TypeDefinition,
    lhs: &lh::TypeDefinition,
) -> Result<(), String> {
    let of = || item.map(type_name).unwrap_or_default();
    let is_item = !is_null(rhs) && item.is_none_or(|item| is_assignable(item, rhs));
    let is_list = is_assignable(lhs, rhs) && !is_null(rhs) && !is_untyped_list(rhs);
    match operation {
        Op::Extend if is_item || is_list => Ok(()),
        Op::Extend => Err(format!("Cannot extend an Array of {} with type {}", of(), type_name(rhs))),
        Op::RemoveIfPresent if is_item => Ok(()),
        Op::RemoveIfPresent => {
            let (of, with) = (of(), type_name(rhs));
            Err(format!("Cannot call REMOVE_IF_PRESENT on an Array of type {of} with argument of type {with}"))
        }
        Op::RemoveIndex if matches!(as_primitive(rhs), Some(Int | Double)) => Ok(()),
        Op::RemoveIndex => {
            Err(format!("Cannot call REMOVE_INDEX on an ARRAY with non-numeric argument: {}", type_name(rhs)))
        }
        Op::Add => Err("Cannot add to an Array. Use EXTEND instead.".to_owned()),
        Op::RemoveKey => Err("Cannot call REMOVE_KEY on an ARRAY. Did you mean REMOVE_INDEX?".to_owned()),
        Op::Multiply => Err("Cannot multiply an Array.".to_owned()),
        operation => Err(no_such_operation(operation, "an Array")),
    }
}

fn of_map(operation: Op, rhs: &lh::TypeDefinition, lhs: &lh::TypeDefinition) -> Result<(), String> {
    match operation {
        Op::Extend if is_map(rhs) && is_assignable(lhs, rhs) => Ok(()),
        // LittleHorse lets entries of other types into the map.
        Op::Extend if is_map(rhs) => Err(format!("Cannot use a {} as a {}", type_name(rhs), type_name(lhs))),
        Op::Extend => Err(format!(
            "Cannot extend a Map with type {}. EXTEND on a Map requires a Map argument to merge into this Map.",
            type_name(rhs)
        )),
        Op::RemoveKey => Ok(()),
        Op::Add => Err("Cannot add to a Map. Use EXTEND to put an entry.".to_owned()),
        Op::Multiply => Err("Cannot multiply a Map.".to_owned()),
        Op::RemoveIfPresent | Op::RemoveIndex => {
            Err(format!("Cannot call {} on a Map. Use REMOVE_KEY instead.", operation.as_str_name()))
        }
        operation => Err(no_such_operation(operation, "a Map")),
    }
}

fn is_map(definition: &lh::TypeDefinition) -> bool {
    matches!(definition.defined_type, Some(DefinedType::InlineMapDef(_)))
}

/// Whether it is the type of a list whose items nothing is known of.
fn is_untyped_list(definition: &lh::TypeDefinition) -> bool {
    match &definition.defined_type {
        Some(DefinedType::InlineArrayDef(array)) => array.array_type.as_deref().is_none_or(is_null),
        _ => false,
    }
}

fn verb(operation: Op) -> &'static str {
    match operation {
        Op::Add => "add",
        Op::Subtract => "subtract",
        Op::Multiply => "multiply",
        Op::Divide => "divide",
        _ => "exponentiate",
    }
}

fn no_such_operation(operation: Op, on: &str) -> String {
    match operation {
        Op::Add => format!("Cannot add to {on}"),
        Op::Subtract => format!("Cannot subtract from {on}"),
        Op::Multiply => format!("Cannot multiply to {on}"),
        Op::Divide => format!("Cannot divide {on}"),
        Op::Pow => format!("Cannot exponentiate {on}"),
        other => format!("Cannot call {} on {on}", other.as_str_name()),
    }
}

fn with_article(kind: VariableType) -> String {
    let article = if kind == Int { "an" } else { "a" };
    format!("{article} {}", kind.as_str_name())
}
