//! Java properties, as `littlehorse.config` is written.
//!
//! Comments (`#`, `!`), the separators `=`, `:` and blanks, lines continued by a backslash, and the escapes including
//! `\uXXXX` (surrogate pairs joined). The last of several lines with one key wins.

use std::collections::BTreeMap;

/// A file that is not Java properties.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub(super) struct PropertiesError {
    /// From 1: the natural line where the faulty logical line starts.
    pub(super) line: usize,
    /// In words, without the text of the line, which may hold a secret.
    pub(super) reason: &'static str,
}

/// Keys and values of a properties text.
pub(super) fn parse(text: &str) -> Result<BTreeMap<String, String>, PropertiesError> {
    let mut found = BTreeMap::new();
    for (line, logical) in logical_lines(text) {
        let (key, value) = split(&logical);
        let at = |reason| PropertiesError { line, reason };
        found.insert(unescape(key).map_err(at)?, unescape(value).map_err(at)?);
    }
    Ok(found)
}

/// The text of a properties file: UTF-8, or else ISO 8859-1, which is what the format was born with.
pub(super) fn decode(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|&byte| char::from(byte)).collect(),
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

/// Joins continued lines and drops blank lines and comments; with the number of each first line.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    // A carriage return alone ends a line too; the empty line it makes before a line feed is dropped as blank, except
    // inside a continuation, so pairs are joined first.
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    for (index, natural) in text.split('\n').enumerate() {
        let natural = natural.trim_start_matches(is_blank);
        let (number, mut logical) = match open.take() {
            Some(open) => open,
            None if natural.is_empty() || natural.starts_with(['#', '!']) => continue,
            None => (index + 1, String::new()),
        };
        let backslashes = natural.chars().rev().take_while(|&c| c == '\\').count();
        if backslashes % 2 == 1 {
            logical.extend(natural.strip_suffix('\\'));
            open = Some((number, logical));
        } else {
            logical.push_str(natural);
            lines.push((number, logical));
        }
    }
    lines.extend(open);
    lines
}

/// Key and value, still escaped.
fn split(logical: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = logical.char_indices().find(|&(_, c)| {
        let ends = !escaped && (is_blank(c) || c == '=' || c == ':');
        escaped = !escaped && c == '\\';
        ends
    });
    let Some((key, rest)) = end.and_then(|(at, _)| logical.split_at_checked(at)) else {
        return (logical, "");
    };
    let rest = rest.trim_start_matches(is_blank);
    let value = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (key, value.trim_start_matches(is_blank))
}

fn unescape(text: &str) -> Result<String, &'static str> {
    let mut units = Vec::with_capacity(text.len());
    let mut buffer = [0; 2];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let c = match c {
            '\\' => match chars.next() {
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\u{c}',
                Some('u') => {
                    let mut unit = 0;
                    for _ in 0..4 {
                        let digit = chars.next().and_then(|c| c.to_digit(16));
                        unit = unit * 16 + digit.ok_or("\\u is not followed by four hexadecimal digits")?;
                    }
                    units.extend(u16::try_from(unit));
                    continue;
                }
                Some(other) => other,
                None => break,
            },
            plain => plain,
        };
        units.extend_from_slice(c.encode_utf16(&mut buffer));
    }
    String::from_utf16(&units).map_err(|_| "\\u stands for half a character")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines() {
        let table: &[(&str, &[(&str, &str)])] = &[
            ("", &[]),
            ("# no\n! no\n\n   # no\n", &[]),
            ("LHC_API_HOST=lh.example", &[("LHC_API_HOST", "lh.example")]),
            ("  a : b ", &[("a", "b ")]),
            ("a b = c", &[("a", "b = c")]),
            ("a\t=\tb", &[("a", "b")]),
            ("a", &[("a", "")]),
            ("a=", &[("a", "")]),
            ("=b", &[("", "b")]),
            ("a=1\na=2", &[("a", "2")]),
            ("a=1\r\nb=2\rc=3", &[("a", "1"), ("b", "2"), ("c", "3")]),
            ("a=one \\\n    two", &[("a", "one two")]),
            ("a=one\\\r\n  # two", &[("a", "one# two")]),
            ("a=one\\\\\nb=2", &[("a", "one\\"), ("b", "2")]),
            ("a=one\\", &[("a", "one")]),
            ("a\\ b\\=c=d", &[("a b=c", "d")]),
            ("a=C:\\\\x\\ty", &[("a", "C:\\x\ty")]),
            ("a=\\u00e9\\uD83D\\uDE00", &[("a", "é😀")]),
            ("a=é", &[("a", "é")]),
            ("a=#1", &[("a", "#1")]),
        ];
        for (text, expected) in table {
            let expected: BTreeMap<_, _> = expected.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
            assert_eq!(parse(text), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn faults_name_the_line_and_not_its_text() {
        let error = parse("a=1\nsecret=\\u12").unwrap_err();
        assert_eq!(error.line, 2);
        assert!(!error.to_string().contains("secret"));
        assert_eq!(parse("\n\na=\\uD83D").unwrap_err().line, 3);
    }

    #[test]
    fn latin_1_where_it_is_not_utf_8() {
        assert_eq!(decode(b"a=\xe9"), "a=é");
        assert_eq!(decode("a=é".as_bytes()), "a=é");
    }

    fn escape(text: &str) -> String {
        let mut units = [0; 2];
        text.chars()
            .flat_map(|c| c.encode_utf16(&mut units).iter().map(|u| format!("\\u{u:04x}")).collect::<Vec<_>>())
            .collect()
    }

    proptest! {
        #[test]
        fn never_panics(text in any::<String>()) {
            let _ = parse(&text);
        }

        #[test]
        fn escaped_text_comes_back(key in any::<String>(), value in any::<String>()) {
            let text = format!("{}={}", escape(&key), escape(&value));
            prop_assert_eq!(parse(&text), Ok(BTreeMap::from([(key, value)])));
        }
    }
}
