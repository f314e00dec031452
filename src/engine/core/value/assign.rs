//! Evaluating assignments: source, then path, then cast.

use crate::api::littlehorse::{self as lh, Comparator, VariableMutationType};
use crate::engine::core::value::json_path::JsonPath;
use crate::engine::core::value::lh_path::{self, Selector};
use crate::engine::core::value::{
    Mode, StructDefs, Value, Wrong, build, cast, coerce, compare, format, json, kind_name, operate, tidy, type_of,
};
use crate::engine::core::{Fault, Refusal};
use lh::variable_assignment::{Path, Source, expression};

/// Why an assignment has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// The workflow asks for something impossible: a failure of its node.
    #[error(transparent)]
    Wrong(#[from] Wrong),
    /// The store failed: the command fails, and with it everything it did.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl EvalError {
    /// Puts words before the text of a wrong value.
    pub fn prefixed(self, prefix: &str) -> Self {
        match self {
            Self::Wrong(Wrong(text)) => Self::Wrong(Wrong(format!("{prefix}{text}"))),
            fault => fault,
        }
    }
}

impl From<EvalError> for Refusal {
    /// At the door a wrong value is refused.
    fn from(error: EvalError) -> Self {
        match error {
            EvalError::Wrong(wrong) => Self::invalid(wrong.0),
            EvalError::Fault(fault) => fault.into(),
        }
    }
}

/// What an assignment may refer to.
pub trait Scope: StructDefs {
    /// The value of a variable that the thread can see.
    fn variable(&self, name: &str) -> Result<Option<Value>, EvalError>;
    /// The newest output of a node of the thread.
    fn node_output(&self, node: &str) -> Result<Option<Value>, EvalError>;
}

/// The value of an assignment, `None` being null.
pub fn evaluate(assignment: &lh::VariableAssignment, scope: &dyn Scope) -> Result<Option<Value>, EvalError> {
    let value = match &assignment.source {
        None => return Err(Wrong::new("VariableAssignment passed with missing source").into()),
        Some(Source::LiteralValue(literal)) => literal.value.clone().map(tidy),
        Some(Source::VariableName(name)) => scope.variable(name)?,
        Some(Source::NodeOutput(reference)) => scope.node_output(&reference.node_name)?,
        Some(Source::FormatString(format)) => Some(Value::Str(format_string(format, scope)?)),
        Some(Source::Expression(expression)) => expression_value(expression, scope)?,
        Some(Source::SizeOf(size)) => Some(Value::Int(size_of(part(size.operand.as_deref(), scope)?.as_ref())?)),
        Some(Source::StructBuilder(builder)) => build::structure(builder, scope)?,
        Some(Source::MapBuilder(builder)) => build::map(builder, scope)?,
    };
    let value = match &assignment.path {
        None => value,
        Some(Path::JsonPath(path)) => read_json_path(value.as_ref(), path)?,
        Some(Path::LhPath(path)) => lh_path::read(scope, value, &selectors(path, scope)?)?,
    };
    Ok(match &assignment.target_type {
        Some(target) => cast(value, target)?,
        None => value,
    })
}

pub fn part(assignment: Option<&lh::VariableAssignment>, scope: &dyn Scope) -> Result<Option<Value>, EvalError> {
    match assignment {
        Some(assignment) => evaluate(assignment, scope),
        None => Err(Wrong::new("VariableAssignment passed with missing source").into()),
    }
}

/// Reads a JSON path in a value; a missing place is null.
pub fn read_json_path(value: Option<&Value>, path: &str) -> Result<Option<Value>, Wrong> {
    let Some(Value::JsonObj(text) | Value::JsonArr(text)) = value else {
        return Err(Wrong::new(format!("Cannot jsonpath on {}", kind_name(value))));
    };
    let failed =
        |wrong: Wrong| Wrong::new(format!("Failed accessing path {path} on data {}  :\n{wrong}", json::quote(text)));
    let found = JsonPath::parse(path).and_then(|path| path.read(&json::parse(text)?)).map_err(failed)?;
    match found {
        Some(found) => json::from_json(&found),
        None => Ok(None),
    }
}

/// The selectors of an LHPath, dynamic ones evaluated.
pub fn selectors(path: &lh::LhPath, scope: &dyn Scope) -> Result<Vec<Selector>, EvalError> {
    use lh::lh_path::selector::SelectorType;
    let one = |selector: &lh::lh_path::Selector| match &selector.selector_type {
        Some(SelectorType::Key(name)) => Ok(Selector::Key(name.clone())),
        Some(SelectorType::Index(index)) => Ok(Selector::Index(i64::from(*index))),
        Some(SelectorType::Dynamic(assignment)) => Ok(lh_path::dynamic(evaluate(assignment, scope)?)?),
        None => Err(Wrong::new("A selector of an LHPath is empty").into()),
    };
    path.path.iter().map(one).collect()
}

fn format_string(
    format_string: &lh::variable_assignment::FormatString,
    scope: &dyn Scope,
) -> Result<String, EvalError> {
    let pattern = part(format_string.format.as_deref(), scope)?;
    let Some(Value::Str(pattern)) = pattern else {
        let kind = kind_name(pattern.as_ref());
        return Err(Wrong::new(format!("Format String template isn't a STR; it's a {kind}")).into());
    };
    let mut arguments = Vec::with_capacity(format_string.args.len());
    for argument in &format_string.args {
        arguments.push(evaluate(argument, scope)?);
    }
    Ok(format::format(&pattern, &arguments)?)
}

fn expression_value(
    expression: &lh::variable_assignment::Expression,
    scope: &dyn Scope,
) -> Result<Option<Value>, EvalError> {
    let left = part(expression.lhs.as_deref(), scope)?;
    match expression.operation {
        Some(expression::Operation::MutationType(number)) => {
            let operation = VariableMutationType::try_from(number)
                .map_err(|_| Wrong::new(format!("Unknown operation number {number}")))?;
            // What decides alone is not looked beyond.
            let decided = matches!(
                (operation, &left),
                (VariableMutationType::Or, Some(Value::Bool(true)))
                    | (VariableMutationType::And, Some(Value::Bool(false)))
            );
            if decided {
                return Ok(left);
            }
            let right = part(expression.rhs.as_deref(), scope)?;
            let result = operate(left.clone(), operation, right, Mode::Expression)?;
            Ok(match (operation, &left) {
                (VariableMutationType::Assign, Some(left)) => coerce(result, &type_of(left))?,
                _ => result,
            })
        }
        Some(expression::Operation::Comparator(number)) => {
            let right = part(expression.rhs.as_deref(), scope)?;
            Ok(Some(Value::Bool(compare(left.as_ref(), comparator(number)?, right.as_ref())?)))
        }
        None => Err(Wrong::new("Expression without an operation").into()),
    }
}

fn comparator(number: i32) -> Result<Comparator, Wrong> {
    Comparator::try_from(number).map_err(|_| Wrong::new(format!("Unknown comparator number {number}")))
}

fn size_of(value: Option<&Value>) -> Result<i64, Wrong> {
    let unsized_kind = || Wrong::new(format!("Cannot resolve size() for var of type {}", kind_name(value)));
    let size = match value {
        Some(Value::Str(text)) => text.encode_utf16().count(),
        Some(Value::JsonArr(text)) => json::parse(text)?.as_array().map(Vec::len).ok_or_else(unsized_kind)?,
        Some(Value::Array(array)) => array.items.len(),
        _ => return Err(unsized_kind()),
    };
    i64::try_from(size).map_err(|_| unsized_kind())
}

/// Whether a condition holds: an assignment that must be a BOOL.
pub fn condition(assignment: &lh::VariableAssignment, scope: &dyn Scope) -> Result<bool, EvalError> {
    match evaluate(assignment, scope)? {
        Some(Value::Bool(truth)) => Ok(truth),
        other => {
            let kind = kind_name(other.as_ref());
            Err(Wrong::new(format!("The condition is not a BOOL but {kind}")).into())
        }
    }
}

/// Whether a condition in the older form holds.
pub fn legacy_condition(condition: &lh::LegacyEdgeCondition, scope: &dyn Scope) -> Result<bool, EvalError> {
    let left = part(condition.left.as_ref(), scope)?;
    let right = part(condition.right.as_ref(), scope)?;
    Ok(compare(left.as_ref(), comparator(condition.comparator)?, right.as_ref())?)
}
