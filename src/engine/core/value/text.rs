//! Text forms of values: what a cast to STR, a concatenation, notes and failure names give.

use serde_json::Value as Json;

use crate::api::littlehorse as lh;
use crate::engine::core::id;
use crate::engine::core::value::{Value, json};

/// The text form of a value. JSON arrays are JSON text, JSON objects Java's notation of a map around JSON text: what
/// LittleHorse gives, and clients have stored.
pub fn to_text(value: &Value) -> String {
    match value {
        Value::Str(text) | Value::JsonArr(text) => text.clone(),
        Value::JsonObj(text) => match json::parse(text) {
            Ok(Json::Object(members)) => {
                let members = members.iter().map(|(key, member)| format!("{key}={}", member_text(member)));
                format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
            }
            _ => text.clone(),
        },
        Value::Int(number) => number.to_string(),
        Value::Double(number) => double_text(*number),
        Value::Bool(truth) => truth.to_string(),
        Value::Bytes(bytes) => base64(bytes),
        Value::WfRunId(id) => id::wf_run_text(id),
        Value::UtcTimestamp(time) => timestamp_text(time),
        Value::Struct(value) => {
            let fields = value.r#struct.as_ref().map(|inline| inline.fields.iter()).into_iter().flatten();
            let fields = fields.map(|(name, field)| format!("{name}={}", nested(field.value.as_ref())));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
        Value::Array(array) => {
            let items = array.items.iter().map(|item| nested(Some(item)));
            format!("[{}]", items.collect::<Vec<_>>().join(", "))
        }
        Value::Map(map) => {
            let entries = map
                .entries
                .iter()
                .map(|entry| format!("{}={}", nested(entry.key.as_ref()), nested(entry.value.as_ref())));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}

fn nested(value: Option<&lh::VariableValue>) -> String {
    value.and_then(|value| value.value.as_ref()).map_or_else(|| "null".to_owned(), to_text)
}

fn member_text(member: &Json) -> String {
    match member {
        Json::String(text) => text.clone(),
        Json::Number(number) => number_text(number),
        other => json::write(other),
    }
}

/// JSON in Java's notation of collections all the way down, `{i=3, l=[1, x]}`: how format strings show it.
pub fn collection_text(value: &Json) -> String {
    match value {
        Json::Array(items) => format!("[{}]", items.iter().map(collection_text).collect::<Vec<_>>().join(", ")),
        Json::Object(members) => {
            let members = members.iter().map(|(key, member)| format!("{key}={}", collection_text(member)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        other => member_text(other),
    }
}

fn number_text(number: &serde_json::Number) -> String {
    match number.as_i64() {
        Some(number) => number.to_string(),
        None => number.as_f64().map_or_else(|| number.to_string(), double_text),
    }
}

/// A DOUBLE as Java writes it: the shortest digits that read back, always with a fraction, with an exponent outside
/// 0.001 to 10,000,000.
pub fn double_text(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if number == 0.0 {
        return if number.is_sign_negative() { "-0.0" } else { "0.0" }.to_owned();
    }
    if (1e-3..1e7).contains(&number.abs()) {
        let plain = number.to_string();
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let point = if digits.contains('.') { "" } else { ".0" };
    format!("{digits}{point}E{exponent}")
}

/// ISO-8601 with as many fraction digits as needed; the bare numbers where the calendar ends.
pub fn timestamp_text(time: &prost_types::Timestamp) -> String {
    match jiff::Timestamp::new(time.seconds, time.nanos) {
        Ok(instant) => instant.to_string(),
        Err(_) => format!("{}.{:09}", time.seconds, time.nanos),
    }
}

/// Base64 with padding: the one text form of bytes that keeps them.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let mut three = [0u8; 3];
        for (to, from) in three.iter_mut().zip(chunk) {
            *to = *from;
        }
        let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        for digit in 0..4 {
            let index = (bits >> (18 - 6 * digit)) & 63;
            let used = digit <= chunk.len();
            text.push(if used { char::from(ALPHABET[index as usize]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn doubles_are_written_as_java_writes_them() {
        for (number, text) in [
            (5.0, "5.0"),
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1e10, "1.0E10"),
            (1e21, "1.0E21"),
            (1e300, "1.0E300"),
            (0.1, "0.1"),
            (0.001, "0.001"),
            (0.0001, "1.0E-4"),
            (1234567.5, "1234567.5"),
            (9999999.0, "9999999.0"),
            (1e7, "1.0E7"),
            (-1.25e-7, "-1.25E-7"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(double_text(number), text);
        }
    }

    #[test]
    fn values_have_text_forms() {
        for (value, text) in [
            (Value::Int(-5), "-5"),
            (Value::Bool(true), "true"),
            (Value::Bytes(b"abcd".to_vec()), "YWJjZA=="),
            (Value::JsonArr(r#"[1,"x"]"#.into()), r#"[1,"x"]"#),
            (Value::JsonObj(r#"{"k":[1.0,null],"s":"t"}"#.into()), "{k=[1.0,null], s=t}"),
            (Value::WfRunId(id::wf_run_id("mum_kid")), "mum_kid"),
            (Value::UtcTimestamp(prost_types::Timestamp { seconds: 1_000_000_000, nanos: 0 }), "2001-09-09T01:46:40Z"),
            (
                Value::UtcTimestamp(prost_types::Timestamp { seconds: i64::MAX, nanos: 1 }),
                "9223372036854775807.000000001",
            ),
        ] {
            assert_eq!(to_text(&value), text);
        }
        assert_eq!(collection_text(&serde_json::json!({"i": 3, "l": [1, "x", null]})), "{i=3, l=[1, x, null]}");
    }

    proptest! {
        #[test]
        fn a_double_reads_back_from_its_text(number in any::<f64>()) {
            let read: f64 = double_text(number).parse().unwrap();
            prop_assert!(read == number || read.is_nan() && number.is_nan());
        }
    }
}
