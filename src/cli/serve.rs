//! `ostler serve`: the engine without a screen.

use std::io::{self, Write};

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::args::ServeArgs;
use super::exit::Failure;
use crate::config::Config;
use crate::engine::host::{self, Handle, Options};

/// Serves until SIGTERM or SIGINT.
pub(super) fn run(args: &ServeArgs) -> Result<(), Failure> {
    super::log::to_stderr();
    let config = Config::load(args.flags())?;
    let options = Options {
        data_dir: config.data_dir.value,
        socket_dir: None,
        listen: args.listen.listen,
        user: config.user.value,
        throwaway: false,
        allow_network_fs: args.listen.allow_network_fs,
    };
    let failed = |error: io::Error| Failure::Other(format!("the signals cannot be caught: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(async {
        // Before the address is printed: whoever reads it may send a signal at once.
        let mut term = signal(SignalKind::terminate()).map_err(failed)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let data_dir = options.data_dir.clone();
        let handle = host::start(options)?;
        announce(&handle, &data_dir.display().to_string());
        until_told(&handle, &mut term, &mut interrupt).await;
        handle.stop().await;
        Ok(())
    })
}

async fn until_told(handle: &Handle, term: &mut Signal, interrupt: &mut Signal) {
    // SIGHUP is left alone: under nohup it is ignored, and catching it would undo that.
    tokio::select! {
        _ = term.recv() => {}
        _ = interrupt.recv() => {}
        () = handle.ended() => {}
    }
}

/// Says where it serves, one address a line, as soon as it does. Scripts wait for these lines.
fn announce(handle: &Handle, data_dir: &str) {
    let mut text = String::new();
    if let Some(address) = handle.listen() {
        text += &format!("listening on {address}\n");
    }
    text += &format!("socket {}\ndata {data_dir}\n", handle.socket().display());
    let mut out = io::stdout().lock();
    // A closed standard output is no reason not to serve.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
