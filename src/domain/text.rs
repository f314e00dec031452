//! Text from elsewhere, and the one way it reaches a screen.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Text that came from a server, a file or a paste. It is kept as it came, so that a saved form sends back what it
/// got; it is shown only through [`Untrusted::display`] or [`Untrusted::lines`].
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Untrusted(String);

impl Untrusted {
    /// Wraps a text as it came.
    pub fn new(raw: impl Into<String>) -> Self {
        Self(raw.into())
    }

    /// The text as it came: for comparing and for sending back, never for printing.
    pub fn raw(&self) -> &str {
        &self.0
    }

    /// The raw text, owned.
    pub fn into_raw(self) -> String {
        self.0
    }

    /// True when nothing visible is in it.
    pub fn is_blank(&self) -> bool {
        self.0.trim().is_empty()
    }

    /// One line that is safe to print: see [`display_line`].
    pub fn display(&self) -> Cow<'_, str> {
        display_line(&self.0)
    }

    /// The lines of the text, each safe to print. Never empty.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> =
            self.0.split('\n').map(|line| display_line(line.trim_end_matches('\r')).into_owned()).collect();
        while lines.len() > 1 && lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines
    }
}

/// Debug output is display output: logs are read in terminals too.
impl fmt::Debug for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.display())
    }
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.display())
    }
}

impl From<&str> for Untrusted {
    fn from(raw: &str) -> Self {
        Self(raw.to_owned())
    }
}

impl From<String> for Untrusted {
    fn from(raw: String) -> Self {
        Self(raw)
    }
}

/// More marks than this on one base are no script, they are an attack on the line above.
const MARKS_AT_MOST: usize = 6;

/// The text as one line without anything a terminal would obey or that would deceive a reader:
///
/// - line breaks and tabs become one space (a line from elsewhere cannot start a line of ours),
/// - other control characters and the direction overrides become `\u{fffd}` (visible: something was there),
/// - invisible characters (zero width space, direction marks, tags, soft hyphen) are left out; the joiner of emoji and
///   of Indic scripts stays,
/// - no more than six combining marks stand on one character.
pub fn display_line(raw: &str) -> Cow<'_, str> {
    if raw.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return Cow::Borrowed(raw);
    }
    let mut out = String::with_capacity(raw.len());
    let mut marks = 0;
    let mut previous = '\0';
    for c in raw.chars() {
        match c {
            '\n' if previous == '\r' => {}
            '\n' | '\r' | '\t' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                marks = 0;
                out.push(' ');
            }
            c if c.is_control() => {
                marks = 0;
                out.push('\u{fffd}');
            }
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                marks = 0;
                out.push('\u{fffd}');
            }
            c if is_invisible(c) => {}
            c if unicode_width::UnicodeWidthChar::width(c) == Some(0) => {
                marks += 1;
                if marks <= MARKS_AT_MOST {
                    out.push(c);
                }
            }
            c => {
                marks = 0;
                out.push(c);
            }
        }
        previous = c;
    }
    Cow::Owned(out)
}

/// Characters that leave no trace on a screen and so hide something in a text.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2060}'..='\u{2065}'
            | '\u{206a}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Columns that a text takes after [`display_line`].
pub fn display_width(text: &str) -> usize {
    UnicodeWidthStr::width(&*display_line(text))
}

/// The text in at most `columns` columns, its end marked by `more` when it was cut. Never splits a character.
pub fn fit<'a>(text: &'a str, columns: usize, more: &str) -> Cow<'a, str> {
    let safe = display_line(text);
    if UnicodeWidthStr::width(&*safe) <= columns {
        return safe;
    }
    let room = columns.saturating_sub(UnicodeWidthStr::width(more));
    let mut out = String::new();
    let mut used = 0;
    for grapheme in safe.graphemes(true) {
        let width = UnicodeWidthStr::width(grapheme);
        if used + width > room {
            break;
        }
        used += width;
        out.push_str(grapheme);
    }
    if UnicodeWidthStr::width(more) <= columns {
        out.push_str(more);
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_that_a_terminal_obeys_gets_out() {
        let cases = [
            ("plain", "plain"),
            ("a\nb\tc\r\nd", "a b c d"),
            ("red\u{1b}[31m", "red\u{fffd}[31m"),
            ("\u{9b}2J", "\u{fffd}2J"),
            ("a\u{202e}b", "a\u{fffd}b"),
            ("pay\u{200b}pal", "paypal"),
            ("x\u{2028}y", "x y"),
            ("👩\u{200d}🔬", "👩\u{200d}🔬"),
            ("e\u{301}", "e\u{301}"),
        ];
        for (raw, shown) in cases {
            assert_eq!(display_line(raw), shown, "{raw:?}");
        }
    }

    #[test]
    fn marks_do_not_climb_into_the_line_above() {
        let tower = format!("a{}b", "\u{301}".repeat(500));
        assert_eq!(display_line(&tower).chars().count(), 2 + MARKS_AT_MOST);
    }

    #[test]
    fn a_text_is_cut_between_characters_and_says_so() {
        assert_eq!(fit("Laptop for Amy", 8, "…"), "Laptop …");
        assert_eq!(fit("日本語", 4, "…"), "日…");
        assert_eq!(fit("日本語", 1, "…"), "…");
        assert_eq!(fit("日本語", 0, "…"), "");
        assert_eq!(fit("abc", 3, "…"), "abc");
    }

    proptest! {
        #[test]
        fn any_text_is_safe_and_fits(raw in any::<String>(), columns in 0usize..40) {
            let shown = display_line(&raw);
            prop_assert!(!shown.chars().any(char::is_control));
            prop_assert!(display_width(&fit(&raw, columns, "…")) <= columns);
        }
    }
}
