//! The inputs of a thread: the checks before it starts, and the variables it starts with.

use std::collections::BTreeMap;

use crate::api::littlehorse as lh;
use crate::engine::core::Fault;
use crate::engine::core::value::{EvalError, StructDefs, Value, Wrong, admit, tidy, type_name};
use lh::WfRunVariableAccessLevel;

/// The variable that a handler declares to see what it handles.
pub const INPUT: &str = "INPUT";

/// Checks what is given to a thread against what it declares. The error is the whole text.
pub fn check(
    defs: &dyn StructDefs,
    thread_name: &str,
    thread: &lh::ThreadSpec,
    given: BTreeMap<String, lh::VariableValue>,
) -> Result<BTreeMap<String, Option<Value>>, EvalError> {
    let place = format!("ThreadSpec {thread_name} invalid: ");
    let invalid = |what: String| EvalError::from(Wrong::new(format!("{place}{what}")));
    let mut given: BTreeMap<String, Option<Value>> = given.into_iter().map(|(name, v)| (name, v.value)).collect();
    let mut accepted = BTreeMap::new();
    for definition in &thread.variable_defs {
        let variable = definition.var_def.clone().unwrap_or_default();
        let name = variable.name;
        let declared = variable.type_def.unwrap_or_default();
        match given.remove(&name) {
            Some(_) if definition.access_level() == WfRunVariableAccessLevel::InheritedVar => {
                return Err(invalid(format!("Variable {name} is an inherited var but it was provided as input")));
            }
            Some(value) => {
                let value = admit(defs, &declared, value);
                let value = value.map_err(|error| error.prefixed(&format!("{place}Variable {name} invalid: ")))?;
                accepted.insert(name.clone(), value);
            }
            None if definition.required => {
                let kind = type_name(&declared);
                return Err(invalid(format!("Must provide required input variable {name} of type {kind}")));
            }
            None => {}
        }
    }
    if let Some(unknown) = given.keys().next() {
        let names = thread.variable_defs.iter().filter_map(|definition| definition.var_def.as_ref());
        let names: Vec<&str> = names.map(|variable| variable.name.as_str()).collect();
        return Err(invalid(format!(
            "Var {unknown} provided but not needed for thread {thread_name} Current variables[{}]",
            names.join(", ")
        )));
    }
    Ok(accepted)
}

/// The variables of a new thread: what is given, else the declared default, else null. Null given counts as not given.
/// Inherited ones live elsewhere.
pub fn initial<'a>(
    defs: &dyn StructDefs,
    thread: &'a lh::ThreadSpec,
    mut given: BTreeMap<String, Option<Value>>,
) -> Result<Vec<(&'a lh::ThreadVarDef, Option<Value>)>, Fault> {
    let own = thread.variable_defs.iter().filter(|d| d.access_level() != WfRunVariableAccessLevel::InheritedVar);
    let mut variables = Vec::new();
    for declared in own {
        let Some(variable) = &declared.var_def else { continue };
        let value = match given.remove(&variable.name).flatten() {
            Some(value) => Some(value),
            None => default_of(defs, variable)?,
        };
        variables.push((declared, value));
    }
    Ok(variables)
}

/// The declared default. One of another type is kept as it is: PutWfSpec takes it, as LittleHorse's does.
fn default_of(defs: &dyn StructDefs, variable: &lh::VariableDef) -> Result<Option<Value>, Fault> {
    let Some(default) = variable.default_value.as_ref().and_then(|value| value.value.clone()) else { return Ok(None) };
    match admit(defs, &variable.type_def.clone().unwrap_or_default(), Some(default.clone())) {
        Ok(value) => Ok(value),
        Err(EvalError::Fault(fault)) => Err(fault),
        Err(EvalError::Wrong(_)) => Ok(Some(tidy(default))),
    }
}
