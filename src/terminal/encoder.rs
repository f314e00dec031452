//! Cells to bytes: the backend that ratatui draws on.
//!
//! Ours and not ratatui's own crossterm backend, for these reasons: a frame that changes nothing must be no bytes at
//! all (that one repeats the cursor in every frame), moves and styles are written as short as they can be (a slow line
//! carries the inbox too), and nothing that a terminal would obey may get out through a cell. The comparison of frames
//! is ours too: ratatui's leaves alone what it finds equal, but where half of a wide character was overwritten, each
//! terminal fills the other half in its own way.

use std::io::Write as _;

use ratatui::backend::{Backend, ClearType, WindowSize};
use ratatui::buffer::{Buffer, Cell};
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

/// Erasing the rest of a row is shorter than this many blanks.
const BLANKS: usize = 4;

/// Takes frames from ratatui; [`Encoder::frame`] gives the bytes of each.
#[derive(Debug)]
pub(super) struct Encoder {
    size: Size,
    /// What the terminal shows.
    shows: Buffer,
    /// Whether what it shows is not known, so that it must be cleared first.
    lost: bool,
    /// The bytes for the cells of the frame being composed.
    body: Vec<u8>,
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
            shows: Buffer::empty(size.into()),
            lost: false,
            body: Vec::with_capacity(FRAME_ROOM),
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
        self.lost = true;
        self.shown = false;
    }

    /// The bytes that make the terminal show this; empty when it does already.
    pub(super) fn frame(&mut self, next: Buffer) -> Vec<u8> {
        if self.lost || next.area != self.shows.area {
            self.lost = false;
            self.at = None;
            self.style = None;
            self.set_style(PLAIN);
            self.body.extend_from_slice(b"\x1b[2J");
            self.shows = Buffer::empty(next.area);
        }
        let shows = std::mem::take(&mut self.shows);
        let width = usize::from(next.area.width).max(1);
        for (y, (old, new)) in (0..).zip(shows.content.chunks(width).zip(next.content.chunks(width))) {
            self.row(y, old, new);
        }
        self.shows = next;
        self.close()
    }

    fn row(&mut self, y: u16, old: &[Cell], new: &[Cell]) {
        let differs = |x: usize| old.get(x) != new.get(x);
        let Some(first) = (0..new.len()).find(|x| differs(*x)) else { return };
        let last = (first..new.len()).rev().find(|x| differs(*x)).unwrap_or(first);
        let wide = old.iter().chain(new).any(|cell| width(cell) > 1);
        // A wide character may begin before the first difference, and may have been cut anywhere after it.
        let (from, to) = if wide { (0, new.len() - 1) } else { (first, last) };
        let blank_from = (0..new.len()).rev().find(|x| !new.get(*x).is_some_and(is_blank));
        let blank_from = blank_from.map_or(0, |x| x + new.get(x).map_or(1, width).max(1)).max(from);
        let erase = to >= blank_from + BLANKS;
        let mut x = from;
        while let Some(cell) = new.get(x).filter(|_| x <= to) {
            if erase && x >= blank_from {
                break;
            }
            if wide || differs(x) {
                self.bridge(x, y, new);
                self.put(x as u16, y, cell);
            }
            x += width(cell).max(1);
        }
        if erase {
            self.go_to(blank_from as u16, y);
            self.set_style(PLAIN);
            self.body.extend_from_slice(b"\x1b[K");
        }
    }

    /// Writes the few cells up to `x` again where that is shorter than a move over them.
    fn bridge(&mut self, x: usize, y: u16, new: &[Cell]) {
        const SHORTER: std::ops::RangeInclusive<usize> = 1..=3;
        let Some(at) = self.at.filter(|at| at.y == y) else { return };
        let from = usize::from(at.x);
        let Some(cells) = new.get(from..x).filter(|cells| SHORTER.contains(&cells.len())) else { return };
        let same = |cell: &Cell| {
            let style = Style { fg: cell.fg, bg: cell.bg, modifier: cell.modifier };
            matches!(cell.symbol().as_bytes(), [b' '..=b'~']) && self.style == Some(style)
        };
        if cells.iter().all(same) {
            for (x, cell) in (at.x..).zip(cells) {
                self.put(x, y, cell);
            }
        }
    }

    /// Closes the frame with the cursor as it is wanted.
    fn close(&mut self) -> Vec<u8> {
        let mut frame = Vec::new();
        let drawn = !self.body.is_empty();
        let moved = self.want_shown && self.at != Some(self.wanted);
        if !drawn && !moved && self.want_shown == self.shown {
            return frame;
        }
        frame.reserve(self.body.len() + 64);
        if self.synchronized {
            frame.extend_from_slice(SYNC_BEGIN);
        }
        // Without synchronized output the cursor would be seen running over the screen.
        if self.shown && (!self.want_shown || (drawn && !self.synchronized)) {
            frame.extend_from_slice(b"\x1b[?25l");
            self.shown = false;
        }
        frame.extend_from_slice(&self.body);
        self.body.clear();
        if self.want_shown {
            if moved {
                let Position { x, y } = self.wanted;
                let _ = write!(frame, "\x1b[{};{}H", u32::from(y) + 1, u32::from(x) + 1);
                self.at = Some(self.wanted);
            }
            if !self.shown {
                frame.extend_from_slice(b"\x1b[?25h");
                self.shown = true;
            }
        }
        if self.synchronized {
            frame.extend_from_slice(SYNC_END);
        }
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

    fn put(&mut self, x: u16, y: u16, cell: &Cell) {
        self.go_to(x, y);
        self.set_style(Style { fg: cell.fg, bg: cell.bg, modifier: cell.modifier });
        let (symbol, width) = (cell.symbol(), width(cell).max(1));
        // The texts were made safe long before; this is the last gate, and it costs a glance at each cell.
        if symbol.is_empty() || symbol.chars().any(char::is_control) {
            self.body.extend(std::iter::repeat_n(b' ', width));
            self.at = None;
            return;
        }
        let mut chars = symbol.chars();
        let single = chars.next().is_some() && chars.next().is_none();
        if !single && width > 1 {
            // A terminal that finds it narrower must not leave something old beside it.
            self.body.extend(std::iter::repeat_n(b' ', width));
            self.at = None;
            self.go_to(x, y);
        }
        self.body.extend_from_slice(symbol.as_bytes());
        // Terminals disagree on how far emoji and combined characters move the cursor, and keep it in the last column
        // in a state of its own: afterwards the position is said anew.
        self.at = (single && width == 1 && x + 1 < self.size.width).then_some(Position { x: x + 1, y });
    }
}

/// Columns that a cell's symbol takes.
fn width(cell: &Cell) -> usize {
    let symbol = cell.symbol();
    if symbol.len() == 1 { 1 } else { symbol.width() }
}

/// Whether erasing gives the same as writing it.
fn is_blank(cell: &Cell) -> bool {
    cell.symbol() == " " && (Style { fg: Color::Reset, bg: cell.bg, modifier: cell.modifier }) == PLAIN
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

    /// What ratatui found changed; [`Encoder::frame`] compares for itself.
    fn draw<'a, I>(&mut self, _: I) -> Result<(), Self::Error>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
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

    /// Comes with a new size, which [`Encoder::frame`] sees for itself.
    fn clear_region(&mut self, _: ClearType) -> Result<(), Self::Error> {
        Ok(())
    }

    fn size(&self) -> Result<Size, Self::Error> {
        Ok(self.size)
    }

    fn window_size(&mut self) -> Result<WindowSize, Self::Error> {
        Ok(WindowSize { columns_rows: self.size, pixels: Size::ZERO })
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}
