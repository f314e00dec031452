//! Format strings: the grammar of Java's MessageFormat, as far as LittleHorse's texts use it.

use serde_json::Value as Json;

use crate::engine::core::value::text::collection_text;
use crate::engine::core::value::{Value, Wrong, fits, json, to_text};

/// Fills the places of a format string: `{0}`, `{1,number}`, `{2,number,integer}`. A quote quotes, two are one, and a
/// place without an argument stays as it is.
pub fn format(pattern: &str, arguments: &[Option<Value>]) -> Result<String, Wrong> {
    let broken = || Wrong::new("Error formatting variable");
    let mut text = String::new();
    let mut quoted = false;
    let mut rest = pattern.chars().peekable();
    while let Some(next) = rest.next() {
        match next {
            '\'' if rest.next_if_eq(&'\'').is_some() => text.push('\''),
            '\'' => quoted = !quoted,
            '{' if !quoted => {
                let mut place = String::new();
                loop {
                    match rest.next() {
                        Some('}') => break,
                        Some('{') | None => return Err(broken()),
                        Some(next) => place.push(next),
                    }
                }
                let (index, style) = place.split_once(',').unwrap_or((&place, ""));
                let index: usize = index.parse().map_err(|_| broken())?;
                match arguments.get(index) {
                    Some(argument) => text.push_str(&argument_text(argument.as_ref(), style).ok_or_else(broken)?),
                    None => text.push_str(&format!("{{{index}}}")),
                }
                fits(text.len())?;
            }
            other => text.push(other),
        }
    }
    Ok(text)
}

/// An argument in a style; none where the style is unknown or does not fit.
fn argument_text(argument: Option<&Value>, style: &str) -> Option<String> {
    let digits = match style.split(',').map(str::trim).collect::<Vec<_>>().as_slice() {
        [""] | ["number"] => 3,
        ["number", "integer"] => 0,
        _ => return None,
    };
    Some(match argument {
        None => "null".to_owned(),
        Some(Value::Int(number)) => grouped(&number.to_string()),
        Some(Value::Double(number)) => double(*number, digits),
        Some(_) if !style.is_empty() => return None,
        Some(Value::JsonArr(text) | Value::JsonObj(text)) => match json::parse(text) {
            Ok(value @ (Json::Array(_) | Json::Object(_))) => collection_text(&value),
            _ => text.clone(),
        },
        Some(other) => to_text(other),
    })
}

/// Rounds half to even at so many decimals, drops zeros at the end, groups the thousands.
fn double(number: f64, digits: usize) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "∞" } else { "-∞" }.to_owned();
    }
    // Rust rounds the exact binary value half to even, which is what Java's formatter does.
    let rounded = format!("{number:.digits$}");
    let (whole, fraction) = rounded.split_once('.').unwrap_or((&rounded, ""));
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{}{point}{fraction}", grouped(whole))
}

/// Puts a comma between thousands.
fn grouped(whole: &str) -> String {
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    let mut text = sign.to_owned();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::core::value::text_value;
    use proptest::prelude::*;

    #[test]
    fn places_are_filled_as_java_fills_them() {
        let arguments = [
            Some(Value::Int(1_234_567)),
            Some(Value::Double(1.23456)),
            Some(Value::Bool(true)),
            None,
            Some(text_value("q")),
            Some(Value::JsonArr("[1,2]".into())),
            Some(Value::JsonObj(r#"{"i":3}"#.into())),
            Some(Value::Double(-1234.0625)),
            Some(Value::Double(0.1875)),
        ];
        for (pattern, text) in [
            ("{0} {1} {2}", "1,234,567 1.235 true"),
            ("{3} {19}", "null {19}"),
            ("it''s '{0}' {4}", "it's {0} q"),
            ("{5} {6}", "[1, 2] {i=3}"),
            ("{1,number,integer}|{0,number}", "1|1,234,567"),
            ("{7} {8}", "-1,234.062 0.188"),
            ("open quote '{0}", "open quote {0}"),
            ("} {4}", "} q"),
            ("", ""),
        ] {
            assert_eq!(format(pattern, &arguments), Ok(text.to_owned()), "{pattern}");
        }
        for pattern in ["{0", "{", "{a}", "{-1}", "{ 0}", "{}", "{{0}}", "{0,date}", "{4,number}"] {
            assert_eq!(format(pattern, &arguments), Err(Wrong::new("Error formatting variable")), "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn no_pattern_panics(pattern in "[{}',0-9a-z ]{0,30}", number in any::<f64>(), whole in any::<i64>()) {
            let _ = format(&pattern, &[Some(Value::Double(number)), Some(Value::Int(whole)), None]);
        }

        /// Text without braces and quotes comes out as it went in.
        #[test]
        fn plain_text_stays(pattern in "[^{}']{0,30}") {
            prop_assert_eq!(format(&pattern, &[]), Ok(pattern));
        }
    }
}
