//! The only room that touches the tty.

mod decoder;

pub use decoder::{Answer, Decoder, Event, Waits};
