//! Pure, deterministic command processing: (state, command, at, now) -> (writes, reply).
//!
//! No tokio, no files, no clock, no randomness: what a command needs of them comes in its [`Context`], so the same
//! commands on the same state give the same bytes. That makes the engine testable by model, by crash and by replay.

pub mod command;
pub mod state;

pub use command::{Actor, Channel, Command, Context, Proof, Refusal};
pub use state::{Fault, Order, Overlay, State, Table, WriteSet};
