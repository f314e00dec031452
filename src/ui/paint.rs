//! The one place that writes cells.

use ratatui::buffer::Buffer;
use ratatui::style::Style;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::theme::Theme;
use crate::app::{Area, Sheet, Tone};
use crate::domain::display_line;

/// Writes safe text into a buffer, never outside of it.
pub(super) struct Painter<'a> {
    buffer: &'a mut Buffer,
    pub(super) theme: Theme,
}

impl<'a> Painter<'a> {
    pub(super) fn new(buffer: &'a mut Buffer, theme: Theme) -> Self {
        Self { buffer, theme }
    }

    pub(super) fn buffer(&mut self) -> &mut Buffer {
        self.buffer
    }

    /// Writes a text in a tone from a column up to a right edge; tells the column behind it.
    pub(super) fn text(&mut self, x: usize, y: u16, edge: u16, tone: Tone, text: &str) -> usize {
        let style = self.theme.tone(tone);
        self.styled(x, y, edge, style, text)
    }

    /// The same with a style.
    pub(super) fn styled(&mut self, x: usize, y: u16, edge: u16, style: Style, text: &str) -> usize {
        let area = self.buffer.area;
        let edge = usize::from(edge.min(area.width));
        let safe = display_line(text);
        let safe = if self.theme.unicode() { safe } else { ascii(&safe).into() };
        let mut at = x;
        for grapheme in safe.graphemes(true) {
            let width = UnicodeWidthStr::width(grapheme);
            if width == 0 {
                continue;
            }
            if at + width > edge || y >= area.height {
                break;
            }
            if let Ok(column) = u16::try_from(at) {
                if let Some(cell) = self.buffer.cell_mut((column, y)) {
                    cell.set_symbol(grapheme).set_style(style);
                }
                // The second half of a wide character holds nothing of its own.
                for next in 1..width {
                    let next = u16::try_from(next).ok().and_then(|next| column.checked_add(next));
                    if let Some(cell) = next.and_then(|next| self.buffer.cell_mut((next, y))) {
                        cell.reset();
                        cell.set_style(style);
                    }
                }
            }
            at += width;
        }
        at
    }

    /// A sheet from a line on; tells where the cursor stands.
    pub(super) fn sheet(&mut self, area: Area, sheet: &Sheet, from: usize) -> Option<(u16, u16)> {
        let mut cursor = None;
        let edge = area.x.saturating_add(area.width);
        for (line, y) in sheet.lines.iter().skip(from).zip(area.y..area.y.saturating_add(area.height)) {
            let mut x = usize::from(area.x);
            for (tone, text) in &line.spans {
                x = self.text(x, y, edge, *tone, text);
            }
            if let Some(column) = line.cursor {
                let column = usize::from(area.x).saturating_add(column).min(usize::from(edge.saturating_sub(1)));
                cursor = u16::try_from(column).ok().map(|column| (column, y));
            }
        }
        cursor
    }

    /// A line from edge to edge, with what begins or ends there.
    pub(super) fn rule(&mut self, area: Area, dividers: &[Option<u16>], begins: bool) {
        let [dash, _, down, up] = self.theme.line();
        for x in area.x..area.x.saturating_add(area.width) {
            let meets = dividers.contains(&Some(x));
            let symbol = match (meets, begins) {
                (false, _) => dash,
                (true, true) => down,
                (true, false) => up,
            };
            self.styled(usize::from(x), area.y, area.x + area.width, self.theme.tone(Tone::Quiet), symbol);
        }
    }

    /// A line from top to bottom.
    pub(super) fn divider(&mut self, x: u16, body: Area) {
        let [_, bar, ..] = self.theme.line();
        for y in body.y..body.y.saturating_add(body.height) {
            self.styled(usize::from(x), y, x + 1, self.theme.tone(Tone::Quiet), bar);
        }
    }
}

/// A text for a terminal without more than ASCII: columns are kept.
fn ascii(text: &str) -> String {
    text.graphemes(true)
        .map(|grapheme| {
            if grapheme.is_ascii() {
                grapheme.to_owned()
            } else {
                let sign = match grapheme {
                    "…" => "~",
                    "·" => "-",
                    "→" => ">",
                    _ => "?",
                };
                sign.repeat(UnicodeWidthStr::width(grapheme))
            }
        })
        .collect()
}
