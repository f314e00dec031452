//! The client side: one channel, connection state, and the way between protobuf and domain.
//!
//! Everything the inbox and the subcommands know of tasks comes through here, whether the server is the engine in
//! this very process, another ostler's, or a LittleHorse cluster. What differs is only the [`Connector`].

mod connector;
mod convert;
pub mod examples;
mod remote;

pub use connector::{ConnectError, Connecting, Connector};
pub use remote::RemoteConnector;
