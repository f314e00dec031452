//! Decoded keys.

use std::fmt;
use std::str::FromStr;

/// A key without its modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// A character. Shift is in the character: `G`, not Shift and `g`.
    Char(char),
    /// Enter.
    Enter,
    /// Escape, alone: a sequence that starts with it was joined before.
    Esc,
    /// Tab.
    Tab,
    /// Shift and Tab.
    BackTab,
    /// Backspace.
    Backspace,
    /// Delete.
    Delete,
    /// Insert.
    Insert,
    /// Arrow left.
    Left,
    /// Arrow right.
    Right,
    /// Arrow up.
    Up,
    /// Arrow down.
    Down,
    /// Home.
    Home,
    /// End.
    End,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
    /// A function key.
    F(u8),
}

/// A key with its modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Chord {
    /// The key.
    pub key: Key,
    /// With Control. A letter is then lower case: Ctrl-S is `s`.
    pub ctrl: bool,
    /// With Alt.
    pub alt: bool,
    /// With Shift; only with named keys, a character has it in itself.
    pub shift: bool,
}

impl Chord {
    /// A key without modifiers.
    pub const fn plain(key: Key) -> Self {
        Self { key, ctrl: false, alt: false, shift: false }
    }

    /// A character without modifiers.
    pub const fn char(c: char) -> Self {
        Self::plain(Key::Char(c))
    }

    /// A character with Control.
    pub const fn ctrl(c: char) -> Self {
        Self { key: Key::Char(c), ctrl: true, alt: false, shift: false }
    }

    /// The one way to write a chord: whatever a terminal reported for the same fingers becomes equal.
    pub fn normal(self) -> Self {
        let mut chord = self;
        match chord.key {
            Key::Char(c) => {
                if chord.shift && c.is_ascii_lowercase() && !chord.ctrl {
                    chord.key = Key::Char(c.to_ascii_uppercase());
                }
                if chord.ctrl {
                    chord.key = Key::Char(c.to_ascii_lowercase());
                }
                chord.shift = false;
            }
            Key::Tab if chord.shift => {
                chord.key = Key::BackTab;
                chord.shift = false;
            }
            Key::BackTab => chord.shift = false,
            _ => {}
        }
        chord
    }

    /// The character that this chord types into a text, if it does.
    pub fn typed(self) -> Option<char> {
        match self.key {
            Key::Char(c) if !self.ctrl && !self.alt && !c.is_control() => Some(c),
            _ => None,
        }
    }
}

impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ctrl {
            f.write_str("Ctrl-")?;
        }
        if self.alt {
            f.write_str("Alt-")?;
        }
        if self.shift {
            f.write_str("Shift-")?;
        }
        match self.key {
            Key::Char(' ') => f.write_str("Space"),
            Key::Char(c) if self.ctrl => write!(f, "{}", c.to_ascii_uppercase()),
            Key::Char(c) => write!(f, "{c}"),
            Key::Enter => f.write_str("Enter"),
            Key::Esc => f.write_str("Esc"),
            Key::Tab => f.write_str("Tab"),
            Key::BackTab => f.write_str("Shift-Tab"),
            Key::Backspace => f.write_str("Backspace"),
            Key::Delete => f.write_str("Delete"),
            Key::Insert => f.write_str("Insert"),
            Key::Left => f.write_str("Left"),
            Key::Right => f.write_str("Right"),
            Key::Up => f.write_str("Up"),
            Key::Down => f.write_str("Down"),
            Key::Home => f.write_str("Home"),
            Key::End => f.write_str("End"),
            Key::PageUp => f.write_str("PgUp"),
            Key::PageDown => f.write_str("PgDn"),
            Key::F(number) => write!(f, "F{number}"),
        }
    }
}

/// A text that names no chord.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no key is called \"{0}\"")]
pub struct ChordError(pub String);

impl FromStr for Chord {
    type Err = ChordError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut chord = Self::plain(Key::Esc);
        let mut rest = text;
        while let Some((modifier, after)) = rest.split_once('-').filter(|(_, after)| !after.is_empty()) {
            match modifier.to_ascii_lowercase().as_str() {
                "ctrl" => chord.ctrl = true,
                "alt" => chord.alt = true,
                "shift" => chord.shift = true,
                _ => return Err(ChordError(text.to_owned())),
            }
            rest = after;
        }
        let mut chars = rest.chars();
        chord.key = match (chars.next(), chars.next()) {
            (Some(c), None) => Key::Char(c),
            (Some('F' | 'f'), Some(_)) => {
                let number = rest.get(1..).and_then(|digits| digits.parse().ok());
                Key::F(number.ok_or_else(|| ChordError(text.to_owned()))?)
            }
            _ => match rest.to_ascii_lowercase().as_str() {
                "space" => Key::Char(' '),
                "enter" => Key::Enter,
                "esc" => Key::Esc,
                "tab" => Key::Tab,
                "backspace" => Key::Backspace,
                "delete" => Key::Delete,
                "insert" => Key::Insert,
                "left" => Key::Left,
                "right" => Key::Right,
                "up" => Key::Up,
                "down" => Key::Down,
                "home" => Key::Home,
                "end" => Key::End,
                "pgup" => Key::PageUp,
                "pgdn" => Key::PageDown,
                _ => return Err(ChordError(text.to_owned())),
            },
        };
        Ok(chord.normal())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for name in ["a", "G", "?", "-", "Ctrl-S", "Alt-Enter", "Shift-Tab", "Ctrl-Left", "F5", "Space", "PgDn", "Esc"]
        {
            let chord: Chord = name.parse().unwrap();
            assert_eq!(chord.to_string(), name);
        }
        assert!("Hyper-x".parse::<Chord>().is_err());
        assert!("".parse::<Chord>().is_err());
        assert!("Fx".parse::<Chord>().is_err());
    }

    #[test]
    fn one_finger_one_chord() {
        let shifted = Chord { key: Key::Char('g'), ctrl: false, alt: false, shift: true };
        assert_eq!(shifted.normal(), Chord::char('G'));
        let upper = Chord { key: Key::Char('S'), ctrl: true, alt: false, shift: true };
        assert_eq!(upper.normal(), Chord::ctrl('s'));
        let tab = Chord { key: Key::Tab, ctrl: false, alt: false, shift: true };
        assert_eq!(tab.normal(), Chord::plain(Key::BackTab));
    }
}
