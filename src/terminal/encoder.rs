//! Cells to bytes: the backend that ratatui draws on.
//!
//! Ours and not ratatui's own crossterm backend, for three reasons: a frame that changes nothing must be no bytes at
//! all (that one repeats the cursor in every frame), moves and styles are written as short as they can be (a slow line
//! carries the inbox too), and nothing that a terminal would obey may get out through a cell.

use std::io::Write as _;

use ratatui::backend::{Backend, ClearType, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

/// The terminal holds back what comes until the end mark, and shows it at once.
const SYNC_BEGIN: &[u8] = b"\x1b[?2026h";
const SYNC_END: &[u8] = b"\x1b[?2026l";

/// The largest frame seen on big screens is about this; growing would copy it.
const FRAME_ROOM: usize = 64 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Style {
    fg: Color,
    bg: Color,
    modifier: Modifier,
}

const PLAIN: Style = Style { fg: Color::Reset, bg: Color::Reset, modifier: Modifier::empty() };

/// Gathers one frame; [`Encoder::frame`] takes it.
#[derive(Debug)]
pub(super) struct Encoder {
    size: Size,
    /// Cells and clears of the frame being drawn.
    body: Vec<u8>,
    /// The frame that is complete.
    frame: Vec<u8>,
    /// Where the terminal's cursor is; `None` when that is not certain.
    at: Option<Position>,
    /// The style that the terminal has now; `None` when that is not certain.
    style: Option<Style>,
    /// Whether the terminal shows its cursor.
    shown: bool,
    wanted: Position,
    want_shown: bool,
    synchronized: bool,
}

impl Encoder {
    /// For a terminal of this size that shows no cursor.
    pub(super) fn new(size: Size) -> Self {
        Self {
            size,
            body: Vec::with_capacity(FRAME_ROOM),
            frame: Vec::with_capacity(FRAME_ROOM),
            at: None,
            style: None,
            shown: false,
            wanted: Position::ORIGIN,
            want_shown: false,
            synchronized: true,
        }
    }

    pub(super) fn resize(&mut self, size: Size) {
        self.size = size;
    }

    /// Whether frames are wrapped in marks of synchronized output; a terminal that does not know them ignores them.
    pub(super) fn set_synchronized(&mut self, synchronized: bool) {
        self.synchronized = synchronized;
    }

    /// The terminal was somebody else's meanwhile: nothing that we believed of it holds.
    pub(super) fn forget(&mut self) {
        self.at = None;
        self.style = None;
        self.shown = false;
        self.body.clear();
        self.frame.clear();
    }

    /// The bytes of the frame that was drawn last, once.
    pub(super) fn frame(&mut self) -> Vec<u8> {
        let frame = self.frame.clone();
        self.frame.clear();
        frame
    }

    fn go_to(&mut self, x: u16, y: u16) {
        let target = Position { x, y };
        if self.at == Some(target) {
            return;
        }
        let _ = match self.at {
            Some(at) if at.y == y && x > at.x => match x - at.x {
                1 => write!(self.body, "\x1b[C"),
                right => write!(self.body, "\x1b[{right}C"),
            },
            Some(at) if at.y == y && x == 0 => write!(self.body, "\r"),
            Some(at) if at.y.checked_add(1) == Some(y) && x == 0 => write!(self.body, "\r\n"),
            _ if x == 0 => write!(self.body, "\x1b[{}H", u32::from(y) + 1),
            _ => write!(self.body, "\x1b[{};{}H", u32::from(y) + 1, u32::from(x) + 1),
        };
        self.at = Some(target);
    }

    fn set_style(&mut self, style: Style) {
        let from = match self.style {
            Some(now) if now == style => return,
            Some(now) => now,
            None => {
                self.body.extend_from_slice(b"\x1b[m");
                PLAIN
            }
        };
        self.style = Some(style);
        if style == from {
            return;
        }
        let fresh = codes(PLAIN, style);
        let fresh = if fresh.is_empty() { String::new() } else { format!("0;{fresh}") };
        let change = codes(from, style);
        // Going back to plain is `CSI m`, the shortest of all.
        let shorter = if style == PLAIN || fresh.len() < change.len() { fresh } else { change };
        let _ = write!(self.body, "\x1b[{shorter}m");
    }

    fn put(&mut self, x: u16, y: u16, symbol: &str) {
        let width = u16::try_from(symbol.width()).unwrap_or(1);
        // The texts were made safe long before; this is the last gate, and it costs a glance at each cell.
        if symbol.is_empty() || symbol.chars().any(char::is_control) {
            self.body.extend(std::iter::repeat_n(b' ', usize::from(width.max(1))));
            self.at = None;
            return;
        }
        self.body.extend_from_slice(symbol.as_bytes());
        // Terminals disagree on how far emoji and combined characters move the cursor, and keep it in the last column
        // in a state of its own: afterwards the position is said anew.
        let mut chars = symbol.chars();
        let simple = chars.next().is_some() && chars.next().is_none() && width == 1;
        self.at = (simple && x + 1 < self.size.width).then_some(Position { x: x + 1, y });
    }
}

/// The SGR parameters that make the second style of the first.
fn codes(from: Style, to: Style) -> String {
    const ON: &[(Modifier, &str)] = &[
        (Modifier::BOLD, "1"),
        (Modifier::DIM, "2"),
        (Modifier::ITALIC, "3"),
        (Modifier::UNDERLINED, "4"),
        (Modifier::SLOW_BLINK, "5"),
        (Modifier::RAPID_BLINK, "6"),
        (Modifier::REVERSED, "7"),
        (Modifier::HIDDEN, "8"),
        (Modifier::CROSSED_OUT, "9"),
    ];
    const OFF: &[(Modifier, &str)] = &[
        (Modifier::BOLD.union(Modifier::DIM), "22"),
        (Modifier::ITALIC, "23"),
        (Modifier::UNDERLINED, "24"),
        (Modifier::SLOW_BLINK.union(Modifier::RAPID_BLINK), "25"),
        (Modifier::REVERSED, "27"),
        (Modifier::HIDDEN, "28"),
        (Modifier::CROSSED_OUT, "29"),
    ];
    let mut parts: Vec<String> = Vec::new();
    let mut now = from.modifier;
    for (group, code) in OFF {
        if !(now - to.modifier).intersection(*group).is_empty() {
            parts.push((*code).to_owned());
            now -= *group;
        }
    }
    for (one, code) in ON {
        if (to.modifier - now).contains(*one) {
            parts.push((*code).to_owned());
        }
    }
    if from.fg != to.fg {
        parts.push(color(to.fg, 30));
    }
    if from.bg != to.bg {
        parts.push(color(to.bg, 40));
    }
    parts.join(";")
}

/// The SGR parameter of a colour; `base` is 30 for the text, 40 for what is behind it.
fn color(color: Color, base: u8) -> String {
    let basic = |number: u8| (base + number).to_string();
    let bright = |number: u8| (base + 60 + number).to_string();
    match color {
        Color::Reset => basic(9),
        Color::Black => basic(0),
        Color::Red => basic(1),
        Color::Green => basic(2),
        Color::Yellow => basic(3),
        Color::Blue => basic(4),
        Color::Magenta => basic(5),
        Color::Cyan => basic(6),
        Color::Gray => basic(7),
        Color::DarkGray => bright(0),
        Color::LightRed => bright(1),
        Color::LightGreen => bright(2),
        Color::LightYellow => bright(3),
        Color::LightBlue => bright(4),
        Color::LightMagenta => bright(5),
        Color::LightCyan => bright(6),
        Color::White => bright(7),
        Color::Indexed(number) => format!("{};5;{number}", base + 8),
        Color::Rgb(red, green, blue) => format!("{};2;{red};{green};{blue}", base + 8),
    }
}

impl Backend for Encoder {
    type Error = std::convert::Infallible;

    fn draw<'a, I>(&mut self, content: I) -> Result<(), Self::Error>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        for (x, y, cell) in content {
            self.go_to(x, y);
            self.set_style(Style { fg: cell.fg, bg: cell.bg, modifier: cell.modifier });
            self.put(x, y, cell.symbol());
        }
        Ok(())
    }

    fn hide_cursor(&mut self) -> Result<(), Self::Error> {
        self.want_shown = false;
        Ok(())
    }

    fn show_cursor(&mut self) -> Result<(), Self::Error> {
        self.want_shown = true;
        Ok(())
    }

    fn get_cursor_position(&mut self) -> Result<Position, Self::Error> {
        Ok(self.wanted)
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> Result<(), Self::Error> {
        self.wanted = position.into();
        Ok(())
    }

    fn clear(&mut self) -> Result<(), Self::Error> {
        self.clear_region(ClearType::All)
    }

    fn clear_region(&mut self, clear_type: ClearType) -> Result<(), Self::Error> {
        // A full screen is only ever cleared as a whole.
        if clear_type == ClearType::All {
            self.body.clear();
            self.style = None;
            self.set_style(PLAIN);
            self.body.extend_from_slice(b"\x1b[2J");
            self.at = None;
        }
        Ok(())
    }

    fn size(&self) -> Result<Size, Self::Error> {
        Ok(self.size)
    }

    fn window_size(&mut self) -> Result<WindowSize, Self::Error> {
        Ok(WindowSize { columns_rows: self.size, pixels: Size::ZERO })
    }

    /// Closes the frame: empty when nothing changed.
    fn flush(&mut self) -> Result<(), Self::Error> {
        let body = std::mem::take(&mut self.body);
        let drawn = !body.is_empty();
        let moved = self.want_shown && self.at != Some(self.wanted);
        if drawn || moved || self.want_shown != self.shown {
            if self.synchronized {
                self.frame.extend_from_slice(SYNC_BEGIN);
            }
            // Without synchronized output the cursor would be seen running over the screen.
            if self.shown && (!self.want_shown || (drawn && !self.synchronized)) {
                self.frame.extend_from_slice(b"\x1b[?25l");
                self.shown = false;
            }
            self.frame.extend_from_slice(&body);
            if self.want_shown {
                if moved {
                    let Position { x, y } = self.wanted;
                    let _ = write!(self.frame, "\x1b[{};{}H", u32::from(y) + 1, u32::from(x) + 1);
                    self.at = Some(self.wanted);
                }
                if !self.shown {
                    self.frame.extend_from_slice(b"\x1b[?25h");
                    self.shown = true;
                }
            }
            if self.synchronized {
                self.frame.extend_from_slice(SYNC_END);
            }
        }
        // Its room serves the next frame.
        self.body = body;
        self.body.clear();
        Ok(())
    }
}
