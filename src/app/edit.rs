//! Edit buffers.

use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};

use crate::input::{Chord, Key};

/// How many steps can be taken back.
const UNDO_AT_MOST: usize = 200;

/// A text with a cursor. The cursor always stands between two graphemes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextEdit {
    text: String,
    cursor: usize,
    many_lines: bool,
    undo: Vec<(String, usize)>,
    redo: Vec<(String, usize)>,
    /// True while one word after another is typed: they are taken back together, up to a blank.
    typing: bool,
}

impl TextEdit {
    /// A buffer with the cursor at the end. Without `many_lines`, line breaks become blanks.
    pub fn new(text: &str, many_lines: bool) -> Self {
        // What came from a server is kept to the byte, even where typing it would not be possible.
        Self { text: text.to_owned(), cursor: text.len(), many_lines, ..Self::default() }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where the cursor is, in bytes.
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// Replaces the text; can be taken back.
    pub fn set(&mut self, text: &str) {
        if text != self.text {
            self.remember(false);
            self.text = text.to_owned();
            self.cursor = self.text.len();
        }
    }

    /// Types or pastes a text. Line breaks of all kinds become `\n`; other control characters except tabs are left out.
    pub fn insert(&mut self, text: &str) {
        let mut clean = String::with_capacity(text.len());
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\r' => {
                    chars.next_if_eq(&'\n');
                    clean.push('\n');
                }
                '\n' | '\t' => clean.push(c),
                c if c.is_control() => {}
                c => clean.push(c),
            }
        }
        if !self.many_lines {
            clean = clean.trim_end_matches('\n').replace(['\n', '\t'], " ");
        }
        if clean.is_empty() {
            return;
        }
        let word = clean.chars().count() == 1 && !clean.starts_with(char::is_whitespace);
        self.remember(word);
        self.text.insert_str(self.cursor, &clean);
        self.cursor = self.boundary_at_or_after(self.cursor + clean.len());
    }

    /// Takes the last step back.
    pub fn undo(&mut self) {
        if let Some((text, cursor)) = self.undo.pop() {
            self.redo.push((std::mem::replace(&mut self.text, text), self.cursor));
            self.cursor = cursor;
            self.typing = false;
        }
    }

    /// Does the step taken back last again.
    pub fn redo(&mut self) {
        if let Some((text, cursor)) = self.redo.pop() {
            self.undo.push((std::mem::replace(&mut self.text, text), self.cursor));
            self.cursor = cursor;
            self.typing = false;
        }
    }

    /// Takes a key; false when it means nothing here.
    pub fn key(&mut self, chord: Chord) -> bool {
        if let Some(c) = chord.typed() {
            self.insert(c.encode_utf8(&mut [0; 4]));
            return true;
        }
        let word = chord.ctrl || chord.alt;
        match (chord.key, chord.ctrl, chord.alt) {
            (Key::Left, ..) if word => self.go(self.word_before()),
            (Key::Right, ..) if word => self.go(self.word_after()),
            (Key::Char('b'), false, true) => self.go(self.word_before()),
            (Key::Char('f'), false, true) => self.go(self.word_after()),
            (Key::Left, ..) => self.go(self.before(self.cursor)),
            (Key::Right, ..) => self.go(self.after(self.cursor)),
            (Key::Home, true, _) => self.go(0),
            (Key::End, true, _) => self.go(self.text.len()),
            (Key::Home, ..) | (Key::Char('a'), true, false) => self.go(self.line_start()),
            (Key::End, ..) => self.go(self.line_end()),
            (Key::Up, false, false) => return self.vertical(true),
            (Key::Down, false, false) => return self.vertical(false),
            (Key::Backspace, ..) if word => self.remove(self.word_before(), self.cursor),
            (Key::Char('w'), true, false) => self.remove(self.word_before(), self.cursor),
            (Key::Delete, ..) if word => self.remove(self.cursor, self.word_after()),
            (Key::Char('d'), false, true) => self.remove(self.cursor, self.word_after()),
            (Key::Backspace, ..) | (Key::Char('h'), true, false) => self.remove(self.before(self.cursor), self.cursor),
            (Key::Delete, ..) => self.remove(self.cursor, self.after(self.cursor)),
            (Key::Char('u'), true, false) => self.remove(self.line_start(), self.cursor),
            (Key::Char('k'), true, false) => self.remove(self.cursor, self.line_end()),
            // Ctrl-_ arrives as Ctrl-7 or Ctrl-/ from many terminals.
            (Key::Char('_' | '7' | '/'), true, false) => self.undo(),
            (Key::Char('_'), false, true) => self.redo(),
            (Key::Enter, _, true) | (Key::Char('j'), true, false) if self.many_lines => self.insert("\n"),
            _ => return false,
        }
        true
    }

    fn go(&mut self, to: usize) {
        self.cursor = to;
        self.typing = false;
    }

    fn remember(&mut self, word: bool) {
        if !(word && self.typing) {
            self.undo.push((self.text.clone(), self.cursor));
            if self.undo.len() > UNDO_AT_MOST {
                self.undo.remove(0);
            }
        }
        self.typing = word;
        self.redo.clear();
    }

    fn remove(&mut self, from: usize, to: usize) {
        if from < to {
            self.remember(false);
            self.text.replace_range(from..to, "");
            // What stood on both sides may now be one grapheme.
            self.cursor = self.boundary_at_or_after(from);
        }
    }

    fn boundary_at_or_after(&self, at: usize) -> usize {
        let mut cursor = GraphemeCursor::new(at, self.text.len(), true);
        match cursor.is_boundary(&self.text, 0) {
            Ok(true) => at,
            _ => self.after(at),
        }
    }

    fn before(&self, at: usize) -> usize {
        GraphemeCursor::new(at, self.text.len(), true).prev_boundary(&self.text, 0).ok().flatten().unwrap_or(0)
    }

    fn after(&self, at: usize) -> usize {
        let end = self.text.len();
        GraphemeCursor::new(at, end, true).next_boundary(&self.text, 0).ok().flatten().unwrap_or(end)
    }

    fn word_before(&self) -> usize {
        let head = self.text.get(..self.cursor).unwrap_or_default();
        let at = head.unicode_word_indices().next_back().map_or(0, |(start, _)| start);
        self.boundary_at_or_after(at)
    }

    fn word_after(&self) -> usize {
        let tail = self.text.get(self.cursor..).unwrap_or_default();
        let end = tail.unicode_word_indices().next().map_or(tail.len(), |(start, word)| start + word.len());
        self.boundary_at_or_after(self.cursor + end)
    }

    fn line_start(&self) -> usize {
        self.text.get(..self.cursor).and_then(|head| head.rfind('\n')).map_or(0, |at| at + 1)
    }

    fn line_end(&self) -> usize {
        let tail = self.text.get(self.cursor..).unwrap_or_default();
        tail.find('\n').map_or(self.text.len(), |at| self.cursor + at)
    }

    /// One line up or down, to the same grapheme of the line; false at the first or last line.
    fn vertical(&mut self, up: bool) -> bool {
        let start = self.line_start();
        let column = self.text.get(start..self.cursor).map_or(0, |head| head.graphemes(true).count());
        let target = if up {
            if start == 0 {
                return false;
            }
            self.text.get(..start - 1).and_then(|head| head.rfind('\n')).map_or(0, |at| at + 1)
        } else {
            let end = self.line_end();
            if end == self.text.len() {
                return false;
            }
            end + 1
        };
        let line = self.text.get(target..).unwrap_or_default();
        let line = line.split('\n').next().unwrap_or_default();
        let offset = line.grapheme_indices(true).nth(column).map_or(line.len(), |(at, _)| at);
        self.go(self.boundary_at_or_after(target + offset));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys(edit: &mut TextEdit, names: &str) {
        for name in names.split(' ') {
            edit.key(name.parse().unwrap());
        }
    }

    #[test]
    fn a_text_is_edited_by_graphemes_and_words() {
        let mut edit = TextEdit::new("", true);
        edit.insert("Laptop für 👩‍👩‍👧 e\u{301}");
        keys(&mut edit, "Backspace Backspace Backspace");
        assert_eq!(edit.text(), "Laptop für ");
        keys(&mut edit, "Ctrl-W");
        assert_eq!(edit.text(), "Laptop ");
        keys(&mut edit, "Ctrl-_ Ctrl-_");
        assert_eq!(edit.text(), "Laptop für 👩‍👩‍👧");
        keys(&mut edit, "Home x End y Ctrl-Left Ctrl-Left Ctrl-K");
        assert_eq!(edit.text(), "xLaptop ");
        keys(&mut edit, "Alt-Enter a Ctrl-J b Up Up Home z");
        assert_eq!(edit.text(), "zxLaptop \na\nb");
        keys(&mut edit, "Down End c");
        assert_eq!(edit.text(), "zxLaptop \nac\nb");
    }

    #[test]
    fn a_paste_keeps_its_lines_where_there_are_lines() {
        let mut many = TextEdit::new("", true);
        many.insert("one\r\ntwo\rthree\n\u{1b}[31mfour\u{7}");
        assert_eq!(many.text(), "one\ntwo\nthree\n[31mfour");
        let mut one = TextEdit::new("", false);
        one.insert("12\n");
        one.insert("\r\n34\n56");
        assert_eq!(one.text(), "12 34 56");
    }

    proptest! {
        #[test]
        fn the_cursor_stays_between_graphemes(
            start in any::<String>(),
            steps in proptest::collection::vec((0usize..22, any::<char>()), 0..60),
        ) {
            let names = [
                "Left", "Right", "Ctrl-Left", "Ctrl-Right", "Home", "End", "Up", "Down", "Backspace", "Delete", "Ctrl-W",
                "Alt-d", "Ctrl-U", "Ctrl-K", "Ctrl-_", "Alt-_", "Alt-Enter", "Ctrl-J", "Ctrl-Home", "Ctrl-End",
            ];
            let mut edit = TextEdit::new(&start, true);
            for (step, c) in steps {
                match names.get(step) {
                    Some(name) => { edit.key(name.parse().unwrap()); }
                    None => edit.insert(&c.to_string()),
                }
                let at = edit.cursor();
                prop_assert!(at == edit.text().len() || edit.text().grapheme_indices(true).any(|(start, _)| start == at));
            }
        }
    }
}
