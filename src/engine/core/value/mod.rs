//! Values and everything that is computed from them without any state: names of types, text forms, casts, comparisons,
//! arithmetic, JSON paths, format strings, mutations, and the evaluation of assignments in a [`Scope`].
//!
//! A value is the `oneof` of the wire, `None` being null. Nothing here panics on any input a client can send: what
//! cannot be computed is [`Wrong`], which becomes the failure of a node or a refusal.

mod assign;
mod bounds;
mod build;
mod cast;
mod check;
mod compare;
mod format;
mod json;
mod json_path;
mod kind;
mod lh_path;
mod mutate;
mod operate;
mod text;

#[cfg(test)]
mod struct_tests;
#[cfg(test)]
mod tests;

pub use assign::{EvalError, Scope, condition, evaluate, legacy_condition, read_json_path};
pub use bounds::{MAX_TYPE_DEPTH, keepable, of_type as type_depth};
pub use cast::{CastRule, cast, cast_rule, coerce};
pub use check::{MASK, StructDefs, admit, hide, struct_def_text, tidy};
pub use compare::compare;
pub use json::{from_json, parse as parse_json, to_json, write as write_json};
pub use kind::{kind_name, type_name, type_of, value_type_name};
pub use mutate::mutate;
pub use operate::{Mode, operate};
pub use text::to_text;

use crate::api::littlehorse as lh;

pub use lh::variable_value::Value;

/// The largest value that is computed or stored, in bytes of its wire form: the size of the largest request. Without
/// it a loop that appends a text to itself would double it until memory ends.
pub const MAX_VALUE_BYTES: usize = 1_047_000;

/// A value that cannot be computed, with the text that clients see.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Wrong(pub String);

impl Wrong {
    /// Wrong, because of this.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// The wire message around a value.
pub fn message(value: Option<Value>) -> lh::VariableValue {
    lh::VariableValue { value }
}

/// A text value.
pub fn text_value(text: impl Into<String>) -> Value {
    Value::Str(text.into())
}

/// Refuses a result of so many bytes where it is too large to keep.
fn fits(bytes: usize) -> Result<(), Wrong> {
    if bytes > MAX_VALUE_BYTES {
        return Err(Wrong(format!("A value of {bytes} bytes exceeds the limit of {MAX_VALUE_BYTES} bytes")));
    }
    Ok(())
}
