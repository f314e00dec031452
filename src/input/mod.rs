//! Keys as pure data.

mod chord;

pub use chord::{Chord, ChordError, Key};
