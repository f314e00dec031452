//! Forms: what a task or a workflow wants to be told.

use serde::{Deserialize, Serialize};
use std::fmt;

use super::{Untrusted, Value, Values};

/// A form as a type tree. Today's definitions are one level deep; structs nest.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Form {
    /// What the definition says about itself.
    pub description: Option<Untrusted>,
    /// The fields in their order.
    pub fields: Vec<Field>,
}

/// One field of a form.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// The name under which the value is sent.
    pub key: String,
    /// The display name; without one, [`Field::label`] is the key.
    pub display_name: Option<Untrusted>,
    /// What the definition says about the field.
    pub help: Option<Untrusted>,
    /// What it holds.
    pub kind: Kind,
    /// Whether a completion needs it.
    pub required: bool,
    /// What the field holds before anything is typed (inputs of workflows have these).
    pub default: Option<Value>,
    /// Whether the value is secret: never in lists, receipts or the clipboard.
    pub masked: bool,
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Text, one line or many.
    Str,
    /// A whole number of 64 bits.
    Int,
    /// A number.
    Double,
    /// Yes or no; not set is neither.
    Bool,
    /// JSON, typed as text.
    Json(Json),
    /// A group of fields.
    Struct(Vec<Field>),
    /// A kind that is not filled in here, by the name that LittleHorse gives it.
    Other(String),
}

/// What a JSON text has to be at the top.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Json {
    /// `{...}`
    Object,
    /// `[...]`
    List,
}

impl Json {
    /// In two words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Object => "JSON object",
            Self::List => "JSON list",
        }
    }
}

/// Where a leaf of the tree is: the keys from the top.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FieldPath(Vec<String>);

impl FieldPath {
    /// From the keys, top first.
    pub fn new(keys: Vec<String>) -> Self {
        Self(keys)
    }

    /// The keys, top first.
    pub fn keys(&self) -> &[String] {
        &self.0
    }
}

/// The keys joined by dots, safe to print.
impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&super::display_line(&self.0.join(".")))
    }
}

/// Why a text is no value of its field. The text itself always stays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// Not digits.
    #[error("not a whole number: \"{0}\"")]
    NotWhole(Untrusted),
    /// Digits, but more than 64 bits.
    #[error("beyond 64 bits: whole numbers go from {min} to {max}", min = i64::MIN, max = i64::MAX)]
    TooLarge,
    /// Not a number.
    #[error("not a number: \"{0}\"")]
    NotNumber(Untrusted),
    /// A comma where a dot belongs.
    #[error("not a number: \"{0}\" (a dot separates the decimals: {1})")]
    Comma(Untrusted, String),
    /// Not a finite number.
    #[error("beyond what a number can hold: \"{0}\"")]
    NotFinite(Untrusted),
    /// Neither yes nor no.
    #[error("neither yes nor no: \"{0}\"")]
    NotBool(Untrusted),
    /// Not JSON, or of the other form.
    #[error("not a {what}: {1}", what = .0.words())]
    NotJson(Json, String),
    /// A completion needs a value here.
    #[error("needed to complete")]
    Missing,
}

impl Field {
    /// The name for the person: the display name, else the key.
    pub fn label(&self) -> Untrusted {
        match &self.display_name {
            Some(name) if !name.is_blank() => name.clone(),
            _ => Untrusted::from(self.key.as_str()),
        }
    }
}

impl Kind {
    /// The kind in a word or two.
    pub fn words(&self) -> &str {
        match self {
            Self::Str => "text",
            Self::Int => "whole number",
            Self::Double => "number",
            Self::Bool => "yes or no",
            Self::Json(json) => json.words(),
            Self::Struct(_) => "group",
            Self::Other(name) => name,
        }
    }

    /// Whether its text may have many lines.
    pub fn takes_lines(&self) -> bool {
        matches!(self, Self::Str | Self::Json(_))
    }

    /// Why a field of this kind cannot be filled in here; `None` when it can.
    pub fn read_only(&self) -> Option<String> {
        match self {
            Self::Other(name) => Some(format!(
                "{} cannot be typed in a form; a program fills it in through the API.",
                super::display_line(name)
            )),
            _ => None,
        }
    }

    /// The value that a text stands for. An empty text is no value (`Ok(None)`), and so is a blank one for anything but
    /// a text.
    pub fn parse(&self, text: &str) -> Result<Option<Value>, FieldError> {
        let trimmed = text.trim();
        if text.is_empty() || (trimmed.is_empty() && *self != Self::Str) {
            return Ok(None);
        }
        match self {
            Self::Str => Ok(Some(Value::Str(text.into()))),
            Self::Int => parse_int(trimmed).map(Some),
            Self::Double => parse_double(trimmed).map(Some),
            Self::Bool => match trimmed {
                "true" => Ok(Some(Value::Bool(true))),
                "false" => Ok(Some(Value::Bool(false))),
                _ => Err(FieldError::NotBool(text.into())),
            },
            Self::Json(json) => parse_json(*json, trimmed).map(Some),
            Self::Struct(_) | Self::Other(_) => Ok(None),
        }
    }
}

/// The text stays as it was typed: only its form is looked at.
fn parse_json(json: Json, text: &str) -> Result<Value, FieldError> {
    let wrong = |why: String| FieldError::NotJson(json, why);
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
    match (json, value) {
        (Json::Object, serde_json::Value::Object(_)) | (Json::List, serde_json::Value::Array(_)) => {
            Ok(Value::Json(json, text.into()))
        }
        (Json::Object, _) => Err(wrong("it begins with { and ends with }".to_owned())),
        (Json::List, _) => Err(wrong("it begins with [ and ends with ]".to_owned())),
    }
}

fn parse_int(text: &str) -> Result<Value, FieldError> {
    match text.parse::<i64>() {
        Ok(number) => Ok(Value::Int(number)),
        Err(_) => {
            let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
            if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
                Err(FieldError::TooLarge)
            } else {
                Err(FieldError::NotWhole(text.into()))
            }
        }
    }
}

fn parse_double(text: &str) -> Result<Value, FieldError> {
    // `f64::from_str` takes "inf", "infinity" and "nan" as well: only what looks like digits is asked.
    let looks = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    match text.parse::<f64>() {
        Ok(number) if looks && number.is_finite() => Ok(Value::Double(number)),
        Ok(_) if looks => Err(FieldError::NotFinite(text.into())),
        _ => {
            let dotted = text.replacen(',', ".", 1);
            match dotted.parse::<f64>() {
                Ok(number) if dotted != text && number.is_finite() => Err(FieldError::Comma(text.into(), dotted)),
                _ => Err(FieldError::NotNumber(text.into())),
            }
        }
    }
}

impl Form {
    /// Every field that holds a value, with its path, in order; structs are walked through.
    pub fn leaves(&self) -> Vec<(FieldPath, &Field)> {
        fn walk<'a>(fields: &'a [Field], path: &mut Vec<String>, out: &mut Vec<(FieldPath, &'a Field)>) {
            for field in fields {
                path.push(field.key.clone());
                match &field.kind {
                    Kind::Struct(inner) => walk(inner, path, out),
                    _ => out.push((FieldPath::new(path.clone()), field)),
                }
                path.pop();
            }
        }
        let mut out = Vec::new();
        walk(&self.fields, &mut Vec::new(), &mut out);
        out
    }

    /// The value at a path.
    pub fn value_at<'a>(values: &'a Values, path: &FieldPath) -> Option<&'a Value> {
        let (first, rest) = path.keys().split_first()?;
        let mut value = values.get(first)?;
        for key in rest {
            match value {
                Value::Struct(inner) => value = inner.get(key)?,
                _ => return None,
            }
        }
        Some(value)
    }

    /// Puts a value at a path, or takes it away.
    pub fn put_at(values: &mut Values, path: &FieldPath, value: Option<Value>) {
        fn put(values: &mut Values, keys: &[String], value: Option<Value>) {
            match (keys, value) {
                ([], _) => {}
                ([key], Some(value)) => {
                    values.insert(key.clone(), value);
                }
                ([key], None) => {
                    values.remove(key);
                }
                ([key, rest @ ..], value) => {
                    let inner = values.entry(key.clone()).or_insert_with(|| Value::Struct(Values::new()));
                    if !matches!(inner, Value::Struct(_)) {
                        *inner = Value::Struct(Values::new());
                    }
                    if let Value::Struct(inner) = inner {
                        put(inner, rest, value);
                    }
                }
            }
        }
        put(values, path.keys(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_become_values_or_say_why_not() {
        let whole = |text: &str| Kind::Int.parse(text).map_err(|error| error.to_string());
        assert_eq!(whole("9223372036854775807"), Ok(Some(Value::Int(i64::MAX))));
        assert_eq!(whole("-9223372036854775808"), Ok(Some(Value::Int(i64::MIN))));
        assert_eq!(whole(" +7 "), Ok(Some(Value::Int(7))));
        assert_eq!(whole("  "), Ok(None));
        assert_eq!(whole("12,5"), Err("not a whole number: \"12,5\"".to_owned()));
        assert_eq!(whole("-"), Err("not a whole number: \"-\"".to_owned()));
        assert!(whole("9223372036854775808").is_err_and(|text| text.starts_with("beyond 64 bits")));

        let number = |text: &str| Kind::Double.parse(text).map_err(|error| error.to_string());
        assert_eq!(number("1240.50"), Ok(Some(Value::Double(1240.5))));
        assert_eq!(number("1e3"), Ok(Some(Value::Double(1000.0))));
        assert_eq!(number("12,5"), Err("not a number: \"12,5\" (a dot separates the decimals: 12.5)".to_owned()));
        for text in ["nan", "inf", "-infinity", "0x10", "e", "1 2"] {
            assert!(number(text).is_err(), "{text}");
        }
        assert!(number("1e999").is_err_and(|text| text.starts_with("beyond")));

        assert_eq!(Kind::Str.parse(""), Ok(None));
        assert_eq!(Kind::Str.parse(" "), Ok(Some(Value::Str(" ".into()))));
        assert_eq!(Kind::Bool.parse("false"), Ok(Some(Value::Bool(false))));
        assert_eq!(Kind::Bool.parse(""), Ok(None));
        assert!(Kind::Bool.parse("ja").is_err());

        let object = |text: &str| Kind::Json(Json::Object).parse(text).map_err(|error| error.to_string());
        assert_eq!(
            object(" {\"b\": 1, \"a\": 2}\n"),
            Ok(Some(Value::Json(Json::Object, "{\"b\": 1, \"a\": 2}".into())))
        );
        assert_eq!(object(" "), Ok(None));
        assert_eq!(object("[]"), Err("not a JSON object: it begins with { and ends with }".to_owned()));
        assert!(object("{\"a\": }").is_err_and(|text| text.starts_with("not a JSON object: expected value at line 1")));
        assert!(Kind::Json(Json::List).parse("[1, {\"x\": null}]").is_ok_and(|value| value.is_some()));
    }

    #[test]
    fn a_struct_is_walked_and_put_together_again() {
        let field = |key: &str, kind| Field {
            key: key.to_owned(),
            display_name: None,
            help: None,
            kind,
            required: false,
            default: None,
            masked: false,
        };
        let form = Form {
            description: None,
            fields: vec![
                field("a", Kind::Int),
                field("who", Kind::Struct(vec![field("first", Kind::Str), field("last", Kind::Str)])),
            ],
        };
        let paths: Vec<String> = form.leaves().iter().map(|(path, _)| path.to_string()).collect();
        assert_eq!(paths, ["a", "who.first", "who.last"]);
        let mut values = Values::new();
        for (number, (path, _)) in form.leaves().into_iter().enumerate() {
            Form::put_at(&mut values, &path, Some(Value::Int(number as i64)));
        }
        for (number, (path, _)) in form.leaves().into_iter().enumerate() {
            assert_eq!(Form::value_at(&values, &path), Some(&Value::Int(number as i64)));
        }
    }

    proptest! {
        #[test]
        fn a_value_survives_its_edit_text(int in any::<i64>(), double in any::<f64>(), text in ".+") {
            prop_assert_eq!(Kind::Int.parse(&Value::Int(int).edit_text()), Ok(Some(Value::Int(int))));
            if double.is_finite() {
                prop_assert_eq!(Kind::Double.parse(&Value::Double(double).edit_text()), Ok(Some(Value::Double(double))));
            }
            let value = Value::Str(text.into());
            prop_assert_eq!(Kind::Str.parse(&value.edit_text()), Ok(Some(value)));
        }

        #[test]
        fn no_text_makes_a_parser_panic(text in any::<String>()) {
            for kind in [Kind::Str, Kind::Int, Kind::Double, Kind::Bool, Kind::Other("BYTES".into())] {
                let _ = kind.parse(&text);
            }
        }
    }
}
