//! The screen without a tty: draws frames and gives their bytes.

use ratatui::buffer::Buffer;
use ratatui::layout::Size;
use ratatui::{Frame, Terminal};

use super::encoder::Encoder;

/// Draws frames and gives the bytes that bring the terminal from the last one to this one.
#[derive(Debug)]
pub struct Screen {
    terminal: Terminal<Encoder>,
}

impl Screen {
    /// A screen that was just cleared and shows no cursor.
    pub fn new(size: Size) -> Self {
        let terminal = match Terminal::new(Encoder::new(size)) {
            Ok(terminal) => terminal,
            Err(never) => match never {},
        };
        Self { terminal }
    }

    /// The size in cells.
    pub fn size(&self) -> Size {
        self.terminal.size().unwrap_or_else(|never| match never {})
    }

    /// From now on the terminal has this size; the next frame draws everything.
    pub fn resize(&mut self, size: Size) {
        if size != self.size() {
            self.terminal.backend_mut().resize(size);
        }
    }

    /// The terminal shows something else now: the next frame draws everything.
    pub fn forget(&mut self) {
        self.terminal.backend_mut().forget();
    }

    /// Whether the terminal knows synchronized output.
    pub fn set_synchronized(&mut self, synchronized: bool) {
        self.terminal.backend_mut().set_synchronized(synchronized);
    }

    /// Draws a frame. The bytes are to be written in one piece; there are none when nothing changed.
    pub fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> Vec<u8> {
        let mut next = Buffer::default();
        let drawn = self.terminal.draw(|frame| {
            draw(frame);
            next.clone_from(frame.buffer_mut());
        });
        match drawn {
            Ok(_) => self.terminal.backend_mut().frame(next),
            Err(never) => match never {},
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ratatui::layout::{Position, Rect};
    use ratatui::style::{Color, Modifier, Style};
    use ratatui::text::{Line, Span};

    use super::*;

    const SIZE: Size = Size { width: 30, height: 6 };

    /// A terminal of its own that obeys the bytes.
    fn terminal() -> vt100::Parser {
        vt100::Parser::new(SIZE.height, SIZE.width, 0)
    }

    fn text(screen: &mut Screen, lines: &[&str]) -> Vec<u8> {
        screen.draw(|frame| {
            for (y, line) in lines.iter().enumerate() {
                let area = Rect { x: 0, y: y as u16, width: frame.area().width, height: 1 };
                frame.render_widget(*line, area);
            }
        })
    }

    #[test]
    fn what_was_drawn_is_seen_and_the_same_again_is_no_bytes() {
        let (mut screen, mut seen) = (Screen::new(SIZE), terminal());
        let bytes = text(&mut screen, &["one", "", "日本 two", "e\u{301} 👩\u{200d}🔬 x"]);
        assert!(bytes.starts_with(b"\x1b[?2026h") && bytes.ends_with(b"\x1b[?2026l"));
        seen.process(&bytes);
        assert_eq!(seen.screen().contents().lines().take(3).collect::<Vec<_>>(), ["one", "", "日本 two"]);
        assert_eq!(text(&mut screen, &["one", "", "日本 two", "e\u{301} 👩\u{200d}🔬 x"]), b"");
    }

    #[test]
    fn one_changed_cell_is_a_few_bytes() {
        let mut screen = Screen::new(SIZE);
        text(&mut screen, &["value 1"]);
        let bytes = text(&mut screen, &["value 2"]);
        assert!(bytes.len() <= 8 + 8 + 1 + 8, "{:?}", String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn the_cursor_is_written_only_when_it_changes() {
        let (mut screen, mut seen) = (Screen::new(SIZE), terminal());
        let mut at = |position: Option<(u16, u16)>, seen: &mut vt100::Parser| {
            let bytes = screen.draw(|frame| {
                if let Some((x, y)) = position {
                    frame.set_cursor_position(Position { x, y });
                }
            });
            seen.process(&bytes);
            bytes.len()
        };
        seen.process(b"\x1b[?25l");
        assert_eq!(at(None, &mut seen), 0);
        assert!(at(Some((4, 2)), &mut seen) > 0);
        assert_eq!((seen.screen().cursor_position(), seen.screen().hide_cursor()), ((2, 4), false));
        assert_eq!(at(Some((4, 2)), &mut seen), 0);
        assert!(at(Some((5, 2)), &mut seen) > 0);
        assert_eq!(seen.screen().cursor_position(), (2, 5));
        assert!(at(None, &mut seen) > 0);
        assert!(seen.screen().hide_cursor());
        assert_eq!(at(None, &mut seen), 0);
    }

    #[test]
    fn nothing_that_a_terminal_obeys_gets_out_of_a_cell() {
        let mut screen = Screen::new(SIZE);
        let bytes = screen.draw(|frame| {
            for (x, symbol) in ["\u{1b}[2J", "\u{7}", "\u{9b}31m", "a\nb", ""].iter().enumerate() {
                frame.buffer_mut()[(x as u16, 0)].set_symbol(symbol);
            }
            frame.buffer_mut()[(20, 0)].set_symbol("z");
        });
        let text = String::from_utf8(bytes).unwrap();
        let body = text.strip_prefix("\u{1b}[?2026h").unwrap().strip_suffix("\u{1b}[?2026l").unwrap();
        assert!(!body.contains("[2J") && !body.contains(['\u{7}', '\u{9b}', '\n']), "{body:?}");
        assert!(body.contains('z'));
    }

    #[test]
    fn a_new_size_and_a_screen_that_was_lost_are_drawn_anew() {
        let (mut screen, mut seen) = (Screen::new(SIZE), terminal());
        seen.process(&text(&mut screen, &["one", "two"]));
        seen.process(b"\x1b[2J\x1b[Hrubbish from elsewhere\x1b[31;1m");
        screen.forget();
        seen.process(&text(&mut screen, &["one", "two"]));
        assert_eq!(seen.screen().contents(), "one\ntwo");
        assert_eq!(
            seen.screen().cell(0, 0).map(|cell| (cell.bold(), cell.fgcolor())),
            Some((false, vt100::Color::Default))
        );

        for (width, height) in [(20, 5), (1, 1), (300, 100), (30, 6)] {
            screen.resize(Size { width, height });
            seen.screen_mut().set_size(height, width);
            seen.process(&text(&mut screen, &["one"][..usize::from(height).min(1)]));
            assert_eq!(seen.screen().contents(), &"one"[..usize::from(width).min(3)]);
        }
    }

    fn any_style() -> impl Strategy<Value = Style> {
        let colors = prop_oneof![
            Just(Color::Reset),
            Just(Color::Red),
            Just(Color::LightBlue),
            (0u8..=255).prop_map(Color::Indexed),
            any::<(u8, u8, u8)>().prop_map(|(r, g, b)| Color::Rgb(r, g, b)),
        ];
        let modifiers = proptest::sample::select(vec![
            Modifier::empty(),
            Modifier::BOLD,
            Modifier::DIM,
            Modifier::REVERSED,
            Modifier::UNDERLINED.union(Modifier::ITALIC).union(Modifier::BOLD),
        ]);
        (colors.clone(), colors, modifiers)
            .prop_map(|(fg, bg, modifier)| Style::new().fg(fg).bg(bg).add_modifier(modifier))
    }

    fn any_frame() -> impl Strategy<Value = Vec<Vec<(String, Style)>>> {
        let span = ("[a-z ●…日é─]{0,9}", any_style());
        proptest::collection::vec(proptest::collection::vec(span, 0..4), 0..6)
    }

    fn draw_spans(screen: &mut Screen, spans: &[Vec<(String, Style)>]) -> Vec<u8> {
        screen.draw(|frame| {
            for (y, row) in spans.iter().enumerate() {
                let line = Line::from_iter(row.iter().map(|(text, style)| Span::styled(text.clone(), *style)));
                let area = Rect { x: 0, y: y as u16, width: SIZE.width, height: 1 };
                frame.render_widget(line, area);
            }
        })
    }

    proptest! {
        /// Whatever came before, the terminal shows what one that draws only the last frame shows.
        #[test]
        fn frame_after_frame_shows_the_last(frames in proptest::collection::vec(any_frame(), 1..5)) {
            let (mut screen, mut seen) = (Screen::new(SIZE), terminal());
            for frame in &frames {
                seen.process(&draw_spans(&mut screen, frame));
            }
            let (mut fresh, mut once) = (Screen::new(SIZE), terminal());
            once.process(&draw_spans(&mut fresh, frames.last().unwrap()));
            for y in 0..SIZE.height {
                for x in 0..SIZE.width {
                    let look = |parser: &vt100::Parser| {
                        let cell = parser.screen().cell(y, x).unwrap();
                        let text = if cell.contents().is_empty() { " ".to_owned() } else { cell.contents().to_owned() };
                        // The colour of a blank is not seen, so erasing may leave any.
                        let seen = text != " " || cell.inverse() || cell.underline();
                        let color = seen.then(|| cell.fgcolor());
                        (text, color, cell.bgcolor(), cell.bold(), cell.dim(), cell.inverse(), cell.underline())
                    };
                    prop_assert_eq!(look(&seen), look(&once), "at {},{}", x, y);
                }
            }
        }
    }
}
