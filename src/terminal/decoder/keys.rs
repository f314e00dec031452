//! What the sequences mean: legacy keys, modifyOtherKeys, and the kitty keyboard protocol.

use super::Answer;
use crate::input::{Chord, Key};

/// The meaning of a control sequence.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Csi {
    Key(Chord),
    PasteBegins,
    Focus(bool),
    Answer(Answer),
    /// Nothing that anybody here waits for: mouse reports, late answers, keys that no chord can express.
    Nothing,
}

/// The key of one byte below 0x80 other than ESC.
pub(super) fn ascii(byte: u8) -> Chord {
    match byte {
        b'\r' => Chord::plain(Key::Enter),
        b'\t' => Chord::plain(Key::Tab),
        0x08 | 0x7f => Chord::plain(Key::Backspace),
        0x00 => Chord::ctrl(' '),
        0x01..=0x1a => Chord::ctrl(char::from(byte | 0x60)),
        0x1b..=0x1f => Chord::ctrl(char::from(byte | 0x40)),
        _ => Chord::char(char::from(byte)),
    }
}

/// The key of `ESC O … last`.
pub(super) fn ss3(params: &[u8], last: u8) -> Option<Chord> {
    let chord = match last {
        b'M' => Chord::plain(Key::Enter),
        // The keypad in application mode.
        b'j'..=b'o' => Chord::char(char::from(last - 0x40)),
        b'p'..=b'y' => Chord::char(char::from(last - 0x40)),
        b'X' => Chord::char('='),
        b'I' => Chord::plain(Key::Tab),
        _ => Chord::plain(letter_key(last)?),
    };
    let modifier = Params::read(params).last();
    Modifiers::of(modifier)?.onto(chord)
}

/// Keys that are named by the last letter of their sequence.
fn letter_key(last: u8) -> Option<Key> {
    Some(match last {
        b'A' => Key::Up,
        b'B' => Key::Down,
        b'C' => Key::Right,
        b'D' => Key::Left,
        b'F' => Key::End,
        b'H' => Key::Home,
        b'P' => Key::F(1),
        b'Q' => Key::F(2),
        b'R' => Key::F(3),
        b'S' => Key::F(4),
        _ => return None,
    })
}

/// Keys that are named by a number before `~`.
fn number_key(number: u32) -> Option<Key> {
    Some(match number {
        1 | 7 => Key::Home,
        2 => Key::Insert,
        3 => Key::Delete,
        4 | 8 => Key::End,
        5 => Key::PageUp,
        6 => Key::PageDown,
        11..=15 => Key::F((number - 10) as u8),
        17..=21 => Key::F((number - 11) as u8),
        23..=26 => Key::F((number - 12) as u8),
        28 | 29 => Key::F((number - 13) as u8),
        31..=34 => Key::F((number - 14) as u8),
        _ => return None,
    })
}

/// Keys by the number that the kitty protocol and modifyOtherKeys give them.
fn code_key(code: u32) -> Option<Key> {
    Some(match code {
        9 => Key::Tab,
        13 | 57414 => Key::Enter,
        27 => Key::Esc,
        8 | 127 => Key::Backspace,
        57376..=57398 => Key::F((code - 57376 + 13) as u8),
        57399..=57408 => Key::Char(char::from(b'0' + (code - 57399) as u8)),
        57409 => Key::Char('.'),
        57410 => Key::Char('/'),
        57411 => Key::Char('*'),
        57412 => Key::Char('-'),
        57413 => Key::Char('+'),
        57415 => Key::Char('='),
        57416 => Key::Char(','),
        57417 => Key::Left,
        57418 => Key::Right,
        57419 => Key::Up,
        57420 => Key::Down,
        57421 => Key::PageUp,
        57422 => Key::PageDown,
        57423 => Key::Home,
        57424 => Key::End,
        57425 => Key::Insert,
        57426 => Key::Delete,
        // The rest of the private area: media keys and modifiers alone.
        0xe000..=0xf8ff => return None,
        _ => Key::Char(char::from_u32(code).filter(|c| !c.is_control())?),
    })
}

/// The meaning of `CSI params last`.
pub(super) fn csi(raw: &[u8], last: u8) -> Csi {
    if let Some(rest) = raw.strip_prefix(b"?") {
        return answer(rest, last);
    }
    if raw.iter().any(|byte| matches!(byte, b'<'..=b'?' | b' '..=b'/')) {
        // Private forms: mouse reports (`<`), answers to questions that others asked (`>`, `=`).
        return Csi::Nothing;
    }
    let params = Params::read(raw);
    let key = match last {
        b'~' => match params.get(0) {
            200 => return Csi::PasteBegins,
            27 => code_key(params.get(2)).map(Chord::plain).and_then(|chord| params.modify(1, chord)),
            number => number_key(number).map(Chord::plain).and_then(|chord| params.modify(1, chord)),
        },
        b'u' => kitty(&params),
        b'Z' => params.modify(1, Chord::plain(Key::BackTab)),
        b'I' if raw.is_empty() => return Csi::Focus(true),
        b'O' if raw.is_empty() => return Csi::Focus(false),
        // rxvt: the last byte carries the modifiers.
        b'a'..=b'd' if raw.is_empty() => {
            letter_key(last.to_ascii_uppercase()).map(|key| Chord { shift: true, ..Chord::plain(key) })
        }
        b'$' | b'^' | b'@' => {
            number_key(params.get(0)).map(|key| Chord { ctrl: last != b'$', shift: last != b'^', ..Chord::plain(key) })
        }
        _ => letter_key(last).map(Chord::plain).and_then(|chord| params.modify(1, chord)),
    };
    key.map_or(Csi::Nothing, Csi::Key)
}

/// `CSI code:shifted:base ; modifiers:kind ; text u`.
fn kitty(params: &Params) -> Option<Chord> {
    let chord = Chord::plain(code_key(params.get(0))?);
    let chord = params.modify(1, chord)?;
    // The terminal may say what Shift makes of the key; otherwise a letter's upper case is it.
    if let Key::Char(c) = chord.key
        && chord.shift
        && !chord.ctrl
    {
        let shifted = char::from_u32(params.sub(0, 1)).filter(|c| !c.is_control());
        let mut upper = c.to_uppercase();
        let shifted = shifted.or_else(|| upper.next().filter(|_| upper.next().is_none())).unwrap_or(c);
        return Some(Chord { key: Key::Char(shifted), shift: false, ..chord });
    }
    Some(chord)
}

/// The meaning of `CSI ? … last`.
fn answer(raw: &[u8], last: u8) -> Csi {
    if last == b'y' {
        let Some(raw) = raw.strip_suffix(b"$") else { return Csi::Nothing };
        let params = Params::read(raw);
        return match (u16::try_from(params.get(0)), u16::try_from(params.get(1))) {
            (Ok(mode), Ok(state)) => Csi::Answer(Answer::Mode { mode, state }),
            _ => Csi::Nothing,
        };
    }
    match last {
        b'c' => Csi::Answer(Answer::Attributes),
        b'u' => Csi::Answer(Answer::Keyboard(u16::try_from(Params::read(raw).get(0)).unwrap_or(0))),
        _ => Csi::Nothing,
    }
}

/// Parameters: numbers between `;`, each with numbers between `:`. What is no number is 0, which is also what a
/// missing one is.
struct Params(Vec<Vec<u32>>);

impl Params {
    fn read(raw: &[u8]) -> Self {
        let number = |digits: &[u8]| -> u32 {
            std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0)
        };
        Self(
            raw.split(|byte| *byte == b';')
                .map(|part| part.split(|byte| *byte == b':').map(number).collect())
                .collect(),
        )
    }

    fn sub(&self, index: usize, sub: usize) -> u32 {
        self.0.get(index).and_then(|part| part.get(sub)).copied().unwrap_or(0)
    }

    fn get(&self, index: usize) -> u32 {
        self.sub(index, 0)
    }

    fn last(&self) -> u32 {
        self.0.last().and_then(|part| part.first()).copied().unwrap_or(0)
    }

    /// The chord with the modifiers of a parameter; `None` when it is a release or no chord can express it.
    fn modify(&self, index: usize, chord: Chord) -> Option<Chord> {
        const RELEASE: u32 = 3;
        if self.sub(index, 1) == RELEASE {
            return None;
        }
        Modifiers::of(self.get(index))?.onto(chord)
    }
}

/// Modifiers as all protocols write them: one more than the sum of their bits.
#[derive(Clone, Copy)]
struct Modifiers(u32);

impl Modifiers {
    const SHIFT: u32 = 1;
    const ALT: u32 = 2;
    const CTRL: u32 = 4;
    const SUPER: u32 = 8;
    const HYPER: u32 = 16;
    const META: u32 = 32;

    /// `None` with Super or Hyper: their combinations belong to the desktop.
    fn of(parameter: u32) -> Option<Self> {
        let bits = parameter.saturating_sub(1);
        (bits & (Self::SUPER | Self::HYPER) == 0).then_some(Self(bits))
    }

    fn onto(self, chord: Chord) -> Option<Chord> {
        Some(Chord {
            key: chord.key,
            ctrl: chord.ctrl || self.0 & Self::CTRL != 0,
            alt: chord.alt || self.0 & (Self::ALT | Self::META) != 0,
            shift: chord.shift || self.0 & Self::SHIFT != 0,
        })
    }
}
