//! Sheets: what is shown as running text, as lines of toned words without a screen.
//!
//! The model has to know how long a text is to keep its scrolling within bounds, so lines are broken here and only
//! painted in `ui`.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::domain::display_line;

/// What a piece of text means; the theme says how it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    /// As the terminal shows text.
    #[default]
    Plain,
    /// The main thing of its place.
    Strong,
    /// Less than the rest.
    Quiet,
    /// Has the focus, or can be done now.
    Accent,
    /// Wants attention soon.
    Soon,
    /// Is wrong.
    Error,
    /// A heading.
    Heading,
}

/// A line of a sheet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SheetLine {
    /// The pieces; safe to print.
    pub spans: Vec<(Tone, String)>,
    /// The field of a form that this line belongs to.
    pub field: Option<usize>,
    /// The column of the cursor, when it stands here.
    pub cursor: Option<usize>,
}

impl SheetLine {
    /// The columns it takes.
    pub fn width(&self) -> usize {
        self.spans.iter().map(|(_, text)| UnicodeWidthStr::width(text.as_str())).sum()
    }
}

/// Lines for a given width.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sheet {
    /// The lines, top first.
    pub lines: Vec<SheetLine>,
    width: usize,
}

impl Sheet {
    /// An empty sheet of so many columns.
    pub fn new(width: usize) -> Self {
        Self { lines: Vec::new(), width: width.max(1) }
    }

    /// How many columns it may take.
    pub fn width(&self) -> usize {
        self.width
    }

    /// An empty line, unless there is one already or nothing above.
    pub fn gap(&mut self) {
        if self.lines.last().is_some_and(|line| !line.spans.is_empty()) {
            self.lines.push(SheetLine::default());
        }
    }

    /// A line as it is. The pieces are cut at the right edge when painted.
    pub fn line(&mut self, spans: Vec<(Tone, String)>) {
        self.lines.push(SheetLine { spans, ..SheetLine::default() });
    }

    /// A line with something at its right end, when there is room for it.
    pub fn line_with_end(&mut self, mut spans: Vec<(Tone, String)>, end: (Tone, String)) {
        let used: usize = spans.iter().map(|(_, text)| UnicodeWidthStr::width(text.as_str())).sum();
        let wide = UnicodeWidthStr::width(end.1.as_str());
        if used + 2 + wide <= self.width {
            spans.push((Tone::Plain, " ".repeat(self.width - used - wide)));
            spans.push(end);
            self.line(spans);
        } else {
            self.line(spans);
            if !end.1.is_empty() {
                self.text(end.0, &end.1, 0);
            }
        }
    }

    /// A text from anywhere, its lines kept, broken at words, indented.
    pub fn text(&mut self, tone: Tone, text: &str, indent: usize) {
        self.hanging(&[], tone, text, indent);
    }

    /// A text after a head on its first line; further lines stand `indent` columns in.
    pub fn hanging(&mut self, head: &[(Tone, String)], tone: Tone, text: &str, indent: usize) {
        let indent = indent.min(self.width / 2);
        let mut first = Some(head);
        for paragraph in text.split('\n') {
            let safe = display_line(paragraph.trim_end_matches('\r'));
            for range in wrap(&safe, self.width.saturating_sub(indent).max(1)) {
                let mut spans = Vec::new();
                match first.take() {
                    Some(head) if !head.is_empty() => {
                        spans.extend(head.iter().cloned());
                        let used: usize = head.iter().map(|(_, text)| UnicodeWidthStr::width(text.as_str())).sum();
                        spans.push((Tone::Plain, " ".repeat(indent.saturating_sub(used))));
                    }
                    _ => spans.push((Tone::Plain, " ".repeat(indent))),
                }
                let piece = safe.get(range).unwrap_or_default();
                spans.push((tone, piece.trim_end().to_owned()));
                spans.retain(|(_, text)| !text.is_empty());
                self.line(spans);
            }
        }
    }

    /// A heading with something at its right end.
    pub fn heading(&mut self, text: &str, end: (Tone, String)) {
        self.line_with_end(vec![(Tone::Heading, text.to_owned())], end);
    }
}

/// Breaks one line at words into pieces of at most `columns` columns; blanks stay at the end of their piece and may hang
/// over. A word longer than a line is broken between graphemes. Never empty.
pub fn wrap(line: &str, columns: usize) -> Vec<Range<usize>> {
    let columns = columns.max(1);
    let mut pieces = Vec::new();
    let (mut start, mut width) = (0, 0);
    for (at, word) in line.split_word_bound_indices() {
        let wide = UnicodeWidthStr::width(word);
        if word.trim().is_empty() {
            width += wide;
            continue;
        }
        if width + wide > columns && at > start {
            pieces.push(start..at);
            (start, width) = (at, 0);
        }
        if wide <= columns {
            width += wide;
            continue;
        }
        for (offset, grapheme) in word.grapheme_indices(true) {
            let wide = UnicodeWidthStr::width(grapheme);
            if width + wide > columns && at + offset > start {
                pieces.push(start..at + offset);
                (start, width) = (at + offset, 0);
            }
            width += wide;
        }
    }
    pieces.push(start..line.len());
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_break_at_words() {
        let pieces = |line: &str, columns| -> Vec<String> {
            wrap(line, columns).into_iter().map(|range| line[range].to_owned()).collect()
        };
        assert_eq!(pieces("", 5), [""]);
        assert_eq!(pieces("one two three", 7), ["one two ", "three"]);
        assert_eq!(pieces("abcdefgh ij", 3), ["abc", "def", "gh ", "ij"]);
        assert_eq!(pieces("日本語テキスト", 5), ["日本", "語", "テキ", "スト"]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_is_too_long(line in any::<String>(), columns in 2usize..30) {
            let line = display_line(&line).into_owned();
            let mut at = 0;
            for range in wrap(&line, columns) {
                prop_assert_eq!(range.start, at);
                at = range.end;
                let piece = line.get(range);
                prop_assert!(piece.is_some());
                let piece = piece.unwrap_or_default();
                // One grapheme may be wider than the column (a letter with several spacing marks); it stays whole.
                let fits = UnicodeWidthStr::width(piece.trim_end()) <= columns;
                prop_assert!(fits || piece.trim_end().graphemes(true).count() == 1, "{:?}", piece);
            }
            prop_assert_eq!(at, line.len());
        }
    }
}
