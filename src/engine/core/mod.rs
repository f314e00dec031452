//! Pure, deterministic command processing: (state, command, at, now) -> (writes, reply).
//!
//! No tokio, no files, no clock, no randomness: what a command needs of them comes in its [`Context`], so the same
//! commands on the same state give the same bytes. That makes the engine testable by model, by crash and by replay.
//!
//! [`execute`] turns a command into writes through a [`Tx`], the typed layer that keeps objects, indexes, counters
//! and dictionary together.

pub mod access;
pub mod bulk_job;
mod check;
pub mod command;
pub mod definition;
pub mod derive;
pub mod event;
mod execute;
pub mod id;
pub mod index;
pub mod key;
mod memo;
pub mod metric;
pub mod migration;
pub mod prune;
pub mod query;
pub mod quota;
pub mod read;
pub mod rebuild;
pub mod record;
pub mod run;
pub mod schedule;
pub mod state;
pub mod task;
#[cfg(test)]
#[allow(missing_docs)]
mod testing;
pub mod timer;
mod tx;
pub mod user_task;
pub mod value;
pub mod variable;

pub use check::{Discrepancy, check};
pub use command::{Actor, Channel, Command, Context, Proof, Refusal};
pub use execute::{Applied, execute};
pub use key::{Place, RunRef};
pub use read::Reader;
pub use record::Record;
pub use state::{Fault, Order, Overlay, State, Table, WriteSet};
pub use tx::{Effects, Tx, unknown_tenant};
