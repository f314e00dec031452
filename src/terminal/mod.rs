//! The only room that touches the tty.

mod decoder;
mod encoder;
mod screen;

pub use decoder::{Answer, Decoder, Event, Waits};
pub use screen::Screen;
