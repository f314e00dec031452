//! The inbox as a state machine: [`Model`], [`Msg`], [`update`]. No clock, no I/O, no screen.
//!
//! The runtime feeds messages in and carries out the [`Effect`]s that come out. Everything that takes time is an effect;
//! its answer is a message that carries the effect's [`Generation`] (reads: a newer read of the same kind makes older
//! answers void) or its [`Ticket`] (everything that changes something: never void, never aborted).

mod acts;
mod answers;
mod commands;
mod drafts;
mod edit;
mod effect;
mod form;
mod geometry;
mod keys;
mod list;
mod model;
mod msg;
mod notice;
mod open;
mod overlay;
pub(crate) mod pages;
mod quit;
mod reading;
mod runs;
mod sheet;
mod update;

pub use edit::TextEdit;
pub use effect::{Effect, Exit, Generation, Slot, Ticket};
pub use geometry::{Area, Geometry};
pub(crate) use list::Row;
pub(crate) use model::Screen;
pub use model::{Focus, Look, Model, Setup, Size};
pub use msg::{Msg, Now, Signal};
pub use notice::Notice;
pub use pages::FooterItem;
pub use quit::Service;
pub use sheet::{Sheet, SheetLine, Tone, wrap};

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

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
