//! How tones look.

use ratatui::style::{Color, Modifier, Style};

use crate::app::{Look, Tone};

/// The looks of all tones, and the signs.
#[derive(Debug, Clone, Copy)]
pub struct Theme {
    look: Look,
}

impl Theme {
    /// For what the terminal can and the person wants. Without colour, no colour at all is used: some terminals' layers
    /// would drop bold and reverse together with the colours.
    pub fn of(look: Look) -> Self {
        Self { look }
    }

    /// The style of a tone.
    pub fn tone(self, tone: Tone) -> Style {
        let style = Style::new();
        let tint = |color: Color, plain: Modifier| {
            if self.look.color { style.fg(color) } else { style.add_modifier(plain) }
        };
        match tone {
            Tone::Plain => style,
            Tone::Strong => style.add_modifier(Modifier::BOLD),
            Tone::Quiet => style.add_modifier(Modifier::DIM),
            Tone::Heading => style.add_modifier(Modifier::BOLD | Modifier::DIM),
            Tone::Accent => tint(Color::Cyan, Modifier::BOLD),
            Tone::Soon => tint(Color::Yellow, Modifier::BOLD),
            Tone::Error => tint(Color::Red, Modifier::BOLD | Modifier::UNDERLINED),
        }
    }

    /// The selected row; `here` when the list has the focus.
    pub fn selected(self, here: bool) -> Style {
        if here { Style::new().add_modifier(Modifier::REVERSED) } else { Style::new().add_modifier(Modifier::BOLD) }
    }

    /// Whether signs and lines beyond ASCII may be used.
    pub fn unicode(self) -> bool {
        self.look.unicode
    }

    /// The mark of a cut text.
    pub fn more(self) -> &'static str {
        if self.look.unicode { "…" } else { "~" }
    }

    /// Parts of lines: horizontal, vertical, and where a vertical begins and ends at a horizontal one.
    pub fn line(self) -> [&'static str; 4] {
        if self.look.unicode { ["─", "│", "┬", "┴"] } else { ["-", "|", "+", "+"] }
    }
}
