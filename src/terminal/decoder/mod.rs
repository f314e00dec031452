//! Terminal bytes to events: a state machine without a clock and without I/O.
//!
//! Reads end anywhere: between ESC and the rest of an arrow key, inside a character, inside a paste. The machine keeps
//! what is not complete and says with [`Decoder::waits`] that the end is open; whoever reads calls
//! [`Decoder::expire`] when nothing more came in time. So an arrow key that arrives in two packets stays an arrow key,
//! and a lone ESC becomes the Esc key after a short silence.
//!
//! Any bytes are taken without a panic and without unbounded memory: what no terminal sends is dropped.

mod keys;

use crate::input::{Chord, Key};

/// A sequence longer than this is no key: it is swallowed to its end.
const SEQUENCE_AT_MOST: usize = 64;
/// A paste is handed over in parts of about this size, so that no paste can fill the memory.
const PASTE_PART: usize = 1 << 20;
/// What ends a bracketed paste.
const PASTE_END: &[u8] = b"\x1b[201~";

/// Something that came from the terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A key.
    Key(Chord),
    /// Pasted text: line breaks are `\n`, tabs stay, other control characters are left out. A huge paste comes as
    /// several of these, in order.
    Paste(String),
    /// Whether the terminal has the focus.
    Focus(bool),
    /// The answer to a probe.
    Answer(Answer),
}

/// What a terminal answers to a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It speaks the kitty keyboard protocol; the flags that are set now.
    Keyboard(u16),
    /// The state of a private mode (DECRPM): 0 means not known to the terminal.
    Mode {
        /// The mode's number.
        mode: u16,
        /// 0 not known, 1 set, 2 reset, 3 and 4 fixed.
        state: u16,
    },
    /// Its primary attributes. Every terminal answers this one, so it ends a batch of probes.
    Attributes,
}

/// What the decoder waits for; each has its own patience.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waits {
    /// An ESC came: the Esc key, or the start of a sequence.
    Escape,
    /// The inside of a sequence or of a character.
    Sequence,
    /// The end of a paste.
    Paste,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ground,
    /// The bytes of a character are being gathered in `held`, `need` in all.
    Utf8 {
        need: usize,
    },
    Escape,
    Csi,
    /// `CSI [`, as the Linux console sends for its first function keys: one letter follows.
    ConsoleKey,
    Ss3,
    /// Bytes of an old mouse report that are left to swallow.
    Mouse {
        left: u8,
    },
    /// OSC, DCS, APC, PM or SOS, up to its end; `empty` while nothing but the introducer came.
    Text {
        introducer: u8,
        empty: bool,
    },
    /// ESC inside a text: its end, or the end of our patience with it.
    TextEscape,
    Paste {
        /// How many bytes of [`PASTE_END`] came last.
        matched: usize,
    },
}

/// The state machine. See the [module](self).
#[derive(Debug)]
pub struct Decoder {
    state: State,
    /// The bytes of the unfinished character or sequence, without its introducer.
    held: Vec<u8>,
    /// Whether an ESC stood before what is being decoded: with Alt.
    alt: bool,
    paste: Vec<u8>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// In the state of a terminal that has sent nothing yet.
    pub fn new() -> Self {
        Self { state: State::Ground, held: Vec::new(), alt: false, paste: Vec::new() }
    }

    /// Takes what a read gave; events that became complete are appended to `events`.
    pub fn feed(&mut self, bytes: &[u8], events: &mut Vec<Event>) {
        for &byte in bytes {
            self.take(byte, events);
        }
    }

    /// What is still open; `None` when all that came was handed over.
    pub fn waits(&self) -> Option<Waits> {
        match self.state {
            State::Ground => None,
            State::Escape => Some(Waits::Escape),
            State::Paste { .. } => Some(Waits::Paste),
            _ => Some(Waits::Sequence),
        }
    }

    /// Nothing more came in time: what is open is taken as it stands.
    pub fn expire(&mut self, events: &mut Vec<Event>) {
        match self.state {
            State::Ground => {}
            State::Escape => {
                let twice = self.alt;
                self.rest();
                for _ in 0..=usize::from(twice) {
                    events.push(Event::Key(Chord::plain(Key::Esc)));
                }
            }
            // Alt and a character that also introduces a sequence.
            State::Csi if self.held.is_empty() => self.alt_char('[', events),
            State::Ss3 if self.held.is_empty() => self.alt_char('O', events),
            State::Text { introducer, empty: true } => self.alt_char(char::from(introducer), events),
            State::Paste { matched } => {
                self.hand_over_paste(events);
                // The end never came, and now the person presses Esc: out of the paste. Until then it stays one:
                // on a line that stalls, the rest of a text must not be obeyed as keys.
                if matched == 1 {
                    self.rest();
                }
            }
            _ => self.rest(),
        }
    }

    fn rest(&mut self) {
        self.state = State::Ground;
        self.held.clear();
        self.alt = false;
    }

    fn alt_char(&mut self, c: char, events: &mut Vec<Event>) {
        self.rest();
        events.push(Event::Key(Chord { key: Key::Char(c), ctrl: false, alt: true, shift: false }));
    }

    fn take(&mut self, byte: u8, events: &mut Vec<Event>) {
        match self.state {
            State::Ground => self.ground(byte, events),
            State::Utf8 { need } => self.character(byte, need, events),
            State::Escape => self.escape(byte, events),
            State::Csi => self.csi(byte, events),
            State::ConsoleKey => {
                let key = byte.checked_sub(b'A').filter(|number| *number < 5).map(|number| Key::F(number + 1));
                self.finish(key.map(Chord::plain), events);
            }
            State::Ss3 => self.ss3(byte, events),
            State::Mouse { left } => {
                self.state = if left > 1 { State::Mouse { left: left - 1 } } else { State::Ground };
            }
            State::Text { introducer, .. } => match byte {
                0x07 | 0x18 | 0x1a => self.rest(),
                0x1b => self.state = State::TextEscape,
                _ => self.state = State::Text { introducer, empty: false },
            },
            State::TextEscape => {
                self.rest();
                if byte != b'\\' {
                    self.state = State::Escape;
                    self.take(byte, events);
                }
            }
            State::Paste { matched } => self.pasted(byte, matched, events),
        }
    }

    fn ground(&mut self, byte: u8, events: &mut Vec<Event>) {
        match byte {
            0x1b => self.state = State::Escape,
            0x00..=0x7f => {
                let chord = keys::ascii(byte);
                self.finish(Some(chord), events);
            }
            0xc2..=0xdf => self.begin_character(byte, 2),
            0xe0..=0xef => self.begin_character(byte, 3),
            0xf0..=0xf4 => self.begin_character(byte, 4),
            // No character begins so.
            0x80..=0xc1 | 0xf5..=0xff => self.rest(),
        }
    }

    fn begin_character(&mut self, byte: u8, need: usize) {
        self.held.clear();
        self.held.push(byte);
        self.state = State::Utf8 { need };
    }

    fn character(&mut self, byte: u8, need: usize, events: &mut Vec<Event>) {
        if byte & 0xc0 != 0x80 {
            // The character broke off; this byte begins something else.
            self.rest();
            self.take(byte, events);
            return;
        }
        self.held.push(byte);
        if self.held.len() < need {
            return;
        }
        let c = std::str::from_utf8(&self.held).ok().and_then(|text| text.chars().next());
        self.finish(c.filter(|c| !c.is_control()).map(Chord::char), events);
    }

    fn escape(&mut self, byte: u8, events: &mut Vec<Event>) {
        match byte {
            // The third ESC in a row: the first was the Esc key for certain.
            0x1b if self.alt => events.push(Event::Key(Chord::plain(Key::Esc))),
            // Esc pressed twice, or Alt and a sequence as rxvt writes it.
            0x1b => self.alt = true,
            b'[' => self.enter(State::Csi),
            b'O' => self.enter(State::Ss3),
            b']' | b'P' | b'_' | b'^' | b'X' => self.enter(State::Text { introducer: byte, empty: true }),
            _ => {
                if self.alt {
                    events.push(Event::Key(Chord::plain(Key::Esc)));
                }
                self.alt = true;
                self.state = State::Ground;
                self.ground(byte, events);
            }
        }
    }

    fn enter(&mut self, state: State) {
        self.held.clear();
        self.state = state;
    }

    fn csi(&mut self, byte: u8, events: &mut Vec<Event>) {
        match byte {
            b'[' if self.held.is_empty() => self.state = State::ConsoleKey,
            // Mouse reports were never asked for; the old form carries three bytes that would look like keys.
            b'M' if self.held.is_empty() => self.state = State::Mouse { left: 3 },
            // rxvt writes Shift so, although `$` ends no sequence elsewhere.
            b'$' if !self.held.is_empty() && self.held.iter().all(u8::is_ascii_digit) => {
                self.end_csi(byte, events);
            }
            0x20..=0x3f => {
                if self.held.len() <= SEQUENCE_AT_MOST {
                    self.held.push(byte);
                }
            }
            0x40..=0x7e => self.end_csi(byte, events),
            // Given up by the terminal.
            0x18 | 0x1a => self.rest(),
            // Broke off; this byte begins something else.
            _ => {
                self.rest();
                self.take(byte, events);
            }
        }
    }

    fn end_csi(&mut self, last: u8, events: &mut Vec<Event>) {
        let held = std::mem::take(&mut self.held);
        let alt = self.alt;
        self.rest();
        if held.len() > SEQUENCE_AT_MOST {
            return;
        }
        match keys::csi(&held, last) {
            keys::Csi::Key(mut chord) => {
                chord.alt |= alt;
                events.push(Event::Key(chord.normal()));
            }
            keys::Csi::PasteBegins => self.state = State::Paste { matched: 0 },
            keys::Csi::Focus(focused) => events.push(Event::Focus(focused)),
            keys::Csi::Answer(answer) => events.push(Event::Answer(answer)),
            keys::Csi::Nothing => {}
        }
    }

    fn ss3(&mut self, byte: u8, events: &mut Vec<Event>) {
        match byte {
            b'0'..=b'9' | b';' if self.held.len() < SEQUENCE_AT_MOST => self.held.push(byte),
            0x40..=0x7e => {
                let chord = keys::ss3(&self.held, byte);
                self.finish(chord, events);
            }
            0x18 | 0x1a => self.rest(),
            _ => {
                self.rest();
                self.take(byte, events);
            }
        }
    }

    /// Ends what is being decoded, with a key if it was one.
    fn finish(&mut self, chord: Option<Chord>, events: &mut Vec<Event>) {
        let alt = self.alt;
        self.rest();
        if let Some(mut chord) = chord {
            chord.alt |= alt;
            events.push(Event::Key(chord.normal()));
        }
    }

    fn pasted(&mut self, byte: u8, matched: usize, events: &mut Vec<Event>) {
        if PASTE_END.get(matched) == Some(&byte) {
            if matched + 1 == PASTE_END.len() {
                self.rest();
                self.hand_over_paste(events);
            } else {
                self.state = State::Paste { matched: matched + 1 };
            }
            return;
        }
        // Not the end after all: what looked like it belongs to the text. No part of the mark repeats its beginning,
        // so only this byte can begin it anew.
        self.paste.extend_from_slice(PASTE_END.get(..matched).unwrap_or_default());
        self.state = State::Paste { matched: usize::from(byte == 0x1b) };
        if byte != 0x1b {
            self.paste.push(byte);
        }
        if self.paste.len() >= PASTE_PART {
            self.hand_over_paste(events);
        }
    }

    /// Hands over what was pasted so far; the bytes of an unfinished character stay.
    fn hand_over_paste(&mut self, events: &mut Vec<Event>) {
        let open = matches!(self.state, State::Paste { .. });
        let mut bytes = std::mem::take(&mut self.paste);
        if open {
            let mut keep = unfinished(&bytes);
            // A line break of two characters must not become two breaks.
            if keep == 0 && bytes.last() == Some(&b'\r') {
                keep = 1;
            }
            self.paste = bytes.split_off(bytes.len() - keep);
        }
        let text = paste_text(&String::from_utf8_lossy(&bytes));
        if !text.is_empty() {
            events.push(Event::Paste(text));
        }
    }
}

/// How many bytes at the end begin a character that is not complete.
fn unfinished(bytes: &[u8]) -> usize {
    for back in 1..=bytes.len().min(3) {
        let Some(&byte) = bytes.get(bytes.len() - back) else { return 0 };
        let need = match byte {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            0x80..=0xbf => continue,
            _ => return 0,
        };
        return if back < need { back } else { 0 };
    }
    0
}

/// The text of a paste: what a person could have typed.
fn paste_text(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut previous = '\0';
    for c in raw.chars() {
        match c {
            '\n' if previous == '\r' => {}
            '\r' => text.push('\n'),
            '\n' | '\t' => text.push(c),
            c if c.is_control() => {}
            c => text.push(c),
        }
        previous = c;
    }
    text
}

#[cfg(test)]
mod tests;
