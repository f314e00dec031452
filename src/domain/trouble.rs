//! What goes wrong, for the person.

use std::time::Duration;

use super::Untrusted;

/// Why something did not happen, or may not have happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// Nothing was sent: no connection.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// It was sent and no answer came: it may have happened.
    #[error("the server did not answer in {} s", .0.as_secs())]
    OutcomeUnknown(Duration),
    /// The server refused it.
    #[error("{text}")]
    Refused {
        /// The status code by its gRPC name: `FAILED_PRECONDITION`.
        code: &'static str,
        /// The server's words.
        text: Untrusted,
    },
    /// There is no such thing (any more).
    #[error("it is not there any more: {0}")]
    NotFound(Untrusted),
    /// The server cannot do this.
    #[error("this server cannot do that: {0}")]
    Unsupported(String),
    /// Too much at once.
    #[error("the server is busy: {0}")]
    Busy(Untrusted),
    /// A file of this person's could not be read or written.
    #[error("{0}")]
    Local(String),
}
