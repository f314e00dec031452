//! The inbox as a state machine: [`Model`], [`Msg`], [`update`]. No clock, no I/O, no screen.
//!
//! The runtime feeds messages in and carries out the [`Effect`]s that come out. Everything that takes time is an effect;
//! its answer is a message that carries the effect's [`Generation`] (reads: a newer read of the same kind makes older
//! answers void) or its [`Ticket`] (everything that changes something: never void, never aborted).

mod effect;
mod model;
mod msg;

pub use effect::{Effect, Exit, Generation, Slot, Ticket};
pub use model::{Look, Model, Setup, Size};
pub use msg::{Msg, Now, Signal};

/// What the runtime has to do after an update.
#[derive(Debug, Default, PartialEq)]
pub struct Update {
    /// To be started in this order, none awaited.
    pub effects: Vec<Effect>,
    /// Whether something visible may have changed. False: drawing would send nothing.
    pub redraw: bool,
}

/// Takes one message into account. Never blocks, never fails.
///
/// The runtime sends [`Msg::Tick`] with the current time before each batch of other messages, and when
/// [`Model::next_deadline`] is due.
pub fn update(model: &mut Model, msg: Msg) -> Update {
    model.take(msg)
}
