//! Values of fields and variables.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Json, Untrusted};

/// Values by field name. A name that no definition knows is kept too: a save replaces all of them.
pub type Values = BTreeMap<String, Value>;

/// One value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// Present and without a value.
    Null,
    /// A text.
    Str(Untrusted),
    /// A whole number.
    Int(i64),
    /// A number.
    Double(f64),
    /// Yes or no.
    Bool(bool),
    /// JSON, as text.
    Json(Json, Untrusted),
    /// A group of values (a struct).
    Struct(Values),
    /// A value of a kind that is not filled in here. It is shown as text and sent back byte for byte.
    Opaque {
        /// The kind as LittleHorse names it: `BYTES`, `TIMESTAMP`.
        kind: String,
        /// What to show.
        text: Untrusted,
        /// The encoded `VariableValue`.
        bytes: Vec<u8>,
    },
}

impl Value {
    /// The value as it stands in an edit buffer. A yes or no is `true` or `false`.
    pub fn edit_text(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Str(text) | Self::Json(_, text) => text.raw().to_owned(),
            Self::Int(number) => number.to_string(),
            // Debug, not Display: the shortest text that reads back as the same number, and short for 1e300 as well.
            Self::Double(number) => format!("{number:?}"),
            Self::Bool(yes) => yes.to_string(),
            Self::Struct(values) => {
                let parts: Vec<String> =
                    values.iter().map(|(key, value)| format!("{key}: {}", value.words())).collect();
                parts.join(", ")
            }
            Self::Opaque { text, .. } => text.raw().to_owned(),
        }
    }

    /// The value for reading, on one line and safe to print.
    pub fn words(&self) -> String {
        match self {
            Self::Null => "not set".to_owned(),
            Self::Bool(true) => "yes".to_owned(),
            Self::Bool(false) => "no".to_owned(),
            other => super::display_line(&other.edit_text()).into_owned(),
        }
    }
}
