//! The loop: signals, input, messages and deadlines in; updates; effects and frames out.
//!
//! Nothing in the loop waits for a server, a disk or a slow line: calls are tasks on a runtime apart, files and the
//! terminal's bytes have threads of their own.

mod editor;
mod event_loop;
mod executor;
mod files;
mod gateway;
mod look;
mod pace;
mod server;

use std::io;
use std::sync::Arc;
use std::time::Duration;

pub use server::{Call, Server};

use crate::app::Exit;
use crate::domain::Identity;
use crate::local::{Drafts, Service};
use crate::terminal::OpenError;

/// Threads for calls to the server; they only wait and decode.
const CALL_THREADS: usize = 2;
/// How long the last writes may take when the program ends.
const FLUSH_LIMIT: Duration = Duration::from_secs(5);

/// What the inbox runs on.
#[derive(Debug)]
pub struct RuntimeOptions<S> {
    /// The server.
    pub server: Arc<S>,
    /// Where what is typed is kept.
    pub drafts: Drafts,
    /// The service that can run the engine without an inbox, where there is such a thing.
    pub service: Option<Service>,
    /// As whom the person acts.
    pub me: Identity,
}

/// Why the inbox could not run, or could not run on.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// There is no terminal.
    #[error(transparent)]
    Terminal(#[from] OpenError),
    /// The system refused threads, signals or the terminal.
    #[error("the inbox cannot run: {0}")]
    Io(#[from] io::Error),
}

/// Runs the inbox on this process' terminal until the person leaves. Call it on the main thread. When it returns, the
/// terminal is given back and everything typed is on the disk; the notes of the [`Exit`] are to be printed.
pub fn run<S: Server>(options: RuntimeOptions<S>) -> Result<Exit, RuntimeError> {
    let calls = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(CALL_THREADS)
        .thread_name("calls")
        .enable_all()
        .build()?;
    let here = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = here.block_on(event_loop::run(options, calls.handle().clone()));
    // The model has waited for what changes something; a read has nobody to answer to any more.
    calls.shutdown_background();
    ended
}
