//! `ostler serve`: the engine without a screen.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::args::ServeArgs;
use super::exit::Failure;
use super::notify::Manager;
use crate::config::Config;
use crate::engine::host::{self, Handle, Health, Options, StartError};

/// How often to look whether the data directory is free, with `--wait`.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Serves until SIGTERM or SIGINT.
pub(super) fn run(args: &ServeArgs) -> Result<(), Failure> {
    let config = Config::load(args.flags())?;
    super::log::to_stderr(config.log_format.value);
    let manager = Manager::find();
    let options = Options {
        data_dir: config.data_dir.value,
        socket_dir: None,
        listen: args.listen.listen,
        metrics: config.metrics.map(|metrics| metrics.value).map(|address| args.metrics.at(address)),
        retention: config.retention.map(|retention| retention.value),
        user: config.user.value,
        throwaway: false,
        allow_network_fs: args.listen.allow_network_fs,
    };
    let failed = |error: io::Error| Failure::Other(format!("the signals cannot be caught: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(async {
        // Before the address is printed: whoever reads it may send a signal at once.
        let mut told = Told {
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
        };
        let data_dir = options.data_dir.display().to_string();
        let Some(handle) = start(options, args.wait, &manager, &mut told).await? else { return Ok(()) };
        announce(&handle, &data_dir);
        manager.ready(&format!("Serving {data_dir}"));
        let text = |address: Option<SocketAddr>| address.map(|address| address.to_string());
        tracing::info!(data_dir, listen = text(handle.listen()), metrics = text(handle.metrics()), "serving");
        let ended = serve(&handle, &manager, &mut told).await;
        manager.stopping();
        tracing::info!("stopping");
        handle.stop().await;
        match ended {
            Ended::Told => Ok(()),
            Ended::ByItself => Err(Failure::Other("the engine ended without being told to".to_owned())),
        }
    })
}

/// The signals that ask for the end. SIGHUP is left alone: under nohup it is ignored, and catching it would undo that.
struct Told {
    terminate: Signal,
    interrupt: Signal,
}

impl Told {
    async fn the_end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Starts the host; with `wait`, as soon as nobody else hosts the directory. Nothing when told to end before that.
async fn start(options: Options, wait: bool, manager: &Manager, told: &mut Told) -> Result<Option<Handle>, StartError> {
    let mut said = None;
    loop {
        let locked = match host::start(options.clone()) {
            Err(locked @ StartError::Locked { .. }) if wait => locked.to_string(),
            other => return other.map(Some),
        };
        if said.as_ref() != Some(&locked) {
            tracing::info!("waiting: {locked}");
            manager.status(&format!("Waiting: {locked}"));
            said = Some(locked);
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            () = told.the_end() => return Ok(None),
        }
    }
}

/// How serving ended.
enum Ended {
    Told,
    ByItself,
}

/// Waits for the end. Meanwhile the service manager hears that the engine lives, as long as it does: a manager that
/// hears nothing ends this process and starts another.
async fn serve(handle: &Handle, manager: &Manager, told: &mut Told) -> Ended {
    // Without a watchdog nobody waits for a heartbeat; the look at the engine's health is for the status line then.
    let mut heartbeat = tokio::time::interval(manager.heartbeat().unwrap_or(Duration::from_secs(10)));
    heartbeat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut known = Health::Well;
    loop {
        tokio::select! {
            () = told.the_end() => return Ended::Told,
            () = handle.ended() => return Ended::ByItself,
            _ = heartbeat.tick() => {}
        }
        let health = handle.health().await;
        if !matches!(health, Health::Stuck(_)) {
            manager.alive();
        }
        if health != known {
            match health.trouble() {
                Some(trouble) => {
                    tracing::error!("{trouble}");
                    manager.status(trouble);
                }
                None => manager.status("Serving"),
            }
            known = health;
        }
    }
}

/// Says where it serves, one address a line, as soon as it does. Scripts wait for these lines.
fn announce(handle: &Handle, data_dir: &str) {
    let mut text = String::new();
    if let Some(address) = handle.listen() {
        text += &format!("listening on {address}\n");
    }
    if let Some(address) = handle.metrics() {
        text += &format!("metrics on {address}\n");
    }
    text += &format!("socket {}\ndata {data_dir}\n", handle.socket().display());
    let mut out = io::stdout().lock();
    // A closed standard output is no reason not to serve.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
