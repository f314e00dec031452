//! The files of this person: the drafts of forms, and the unit that runs the engine as a service.
//!
//! Everything here is plain blocking code that waits for the disk (each kept draft is flushed). It is meant for the
//! runtime's own I/O thread, never for the loop that draws, and never for an async task.

mod drafts;
mod files;
mod service;

use std::path::PathBuf;

pub use drafts::Drafts;
pub use service::Service;

/// Why a file of this person's could not be used. Texts are whole sentences.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// The system refused.
    #[error("{path} cannot be {doing}: {source}.")]
    Io {
        /// What was tried: `read`, `written`.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file was there and cannot be understood. It is kept under another name.
    #[error("A draft {why}. It was set aside as {path}.")]
    SetAside {
        /// The new name.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The service manager does not do it.
    #[error("{0}")]
    Service(String),
    /// It cannot be written in the file's format.
    #[error("The draft cannot be written: {0}.")]
    Format(String),
}
