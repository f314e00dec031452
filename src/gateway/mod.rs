//! The client side: one channel, connection state, and the way between protobuf and domain.
//!
//! Everything the inbox and the subcommands know of tasks comes through here, whether the server is the engine in
//! this very process, another ostler's, or a LittleHorse cluster. What differs is only the [`Connector`].
//!
//! Reads over a connection that broke are made once more over a new one. What changes something is sent once and never
//! repeated blindly: when its outcome is not known, the task is read until it tells, or the answer is that nobody
//! knows. After every change the task is read back, because a LittleHorse server also answers OK to what it drops.
//!
//! Errors are [`Trouble`](crate::domain::Trouble): the inbox has no other words for them than the domain's.

mod acts;
mod connector;
mod convert;
pub mod examples;
mod fault;
mod gate;
mod link;
mod news;
mod pages;
mod remote;
mod runs;
mod tasks;

#[cfg(test)]
mod fake;

pub use connector::{ConnectError, Connecting, Connector};
pub use gate::Gateway;
pub use news::{News, NewsFeed};
pub use remote::RemoteConnector;
