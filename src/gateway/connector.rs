//! How a channel to the server is made, and where that server is.

use std::future::Future;
use std::pin::Pin;

use tonic::transport::Channel;

use crate::domain::Place;

/// The future of [`Connector::connect`]; boxed, because connectors are used as trait objects.
pub type Connecting<'a> = Pin<Box<dyn Future<Output = Result<Channel, ConnectError>> + Send + 'a>>;

/// Makes channels to one server.
///
/// The gateway asks for a channel at first use, and for a new one after the old one broke; never two at a time. A
/// local connector decides at each call anew whether it hosts the engine or attaches to whoever does, which is how a
/// takeover happens.
///
/// The contract: `connect` returns a channel over which a first exchange succeeded (a TCP or socket connection was
/// made), or an error. It has a limit of its own and never waits for ever. It may be dropped half-way.
pub trait Connector: Send + Sync {
    /// Makes a channel.
    fn connect(&self) -> Connecting<'_>;

    /// Where the server of the last channel is, or where the next one will be looked for.
    fn place(&self) -> Place;
}

/// Why there is no channel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// Nobody answers there now; it is worth trying again.
    #[error("{place} cannot be reached: {reason}")]
    Unreachable {
        /// Where.
        place: String,
        /// In words.
        reason: String,
    },
    /// It will never work as configured; trying again is of no use until the person changes something. A whole
    /// sentence without secrets.
    #[error("{0}")]
    Refused(String),
}

impl ConnectError {
    /// Whether trying again later can help.
    pub fn is_temporary(&self) -> bool {
        matches!(self, ConnectError::Unreachable { .. })
    }
}
