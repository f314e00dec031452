//! Pure rendering of the model.

use ratatui::Frame;

use crate::app::Model;

/// Draws the whole screen, and places the cursor where text is typed.
pub fn draw(frame: &mut Frame<'_>, model: &Model) {
    let _ = (frame, model);
}
