//! Keys, commands and the command line as pure data.

mod chord;
mod commands;
mod line;

pub use chord::{Chord, ChordError, Key};
pub use commands::{BINDINGS, Binding, Command, Context, binding, lookup};
pub use line::{Arg, LINES, Line, LineCommand, LineError, complete, parse};
