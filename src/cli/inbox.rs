//! The inbox on a server, on the bundled engine, or on a throwaway one.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use super::args::{DemoArgs, InboxArgs};
use super::exit::{self, Failure};
use super::local::LocalConnector;
use super::scratch::Scratch;
use crate::app::Exit;
use crate::config::{Config, Origin, Target};
use crate::domain::Identity;
use crate::engine::host::Options;
use crate::gateway::{Connector, Gateway, RemoteConnector};
use crate::local::{Drafts, Service};
use crate::runtime::{self, RuntimeOptions};

/// The group of whoever looks at the demo without naming one: in a throwaway engine Unix groups mean nothing.
const DEMO_GROUP: &str = "finance";

/// `ostler`: opens the inbox.
pub(super) fn run(args: &InboxArgs) -> Result<ExitCode, Failure> {
    let config = Config::load(args.flags())?;
    super::log::to_file(&config.paths.log_file());
    let me = Identity { user: config.user.value.clone(), groups: config.groups.value.clone() };
    match &config.target.value {
        Target::Server(_) if args.listen.listen.is_some() => Err(Failure::Usage(
            "--listen belongs to the bundled engine, and this inbox is on a server; leave one of them out".to_owned(),
        )),
        Target::Server(address) => {
            let connector = RemoteConnector::new(address).map_err(|error| Failure::Address(error.to_string()))?;
            let drafts = drafts(&config, connector.address());
            leave(screen(Arc::new(connector), &config, me, drafts, None)?)
        }
        Target::Bundled => {
            let options = Options {
                data_dir: config.data_dir.value.clone(),
                socket_dir: None,
                listen: args.listen.listen,
                metrics: None,
                retention: config.retention.as_ref().map(|retention| retention.value),
                user: me.user.clone(),
                throwaway: false,
                allow_network_fs: args.listen.allow_network_fs,
            };
            let waiting = waiting()?;
            let connector = Arc::new(LocalConnector::new(options));
            let place = waiting.block_on(connector.open())?;
            let service = service(&config, args)?;
            let left = screen(connector.clone(), &config, me, drafts(&config, &place), service);
            waiting.block_on(connector.stop());
            leave(left?)
        }
    }
}

/// `ostler demo`: the same on an engine that is gone afterwards.
pub(super) fn demo(args: &DemoArgs) -> Result<ExitCode, Failure> {
    let config = Config::load(args.flags())?;
    super::log::to_file(&config.paths.log_file());
    let groups = match config.groups.origin {
        Origin::Flag(_) => config.groups.value.clone(),
        _ => vec![DEMO_GROUP.to_owned()],
    };
    let me = Identity { user: config.user.value.clone(), groups };
    let scratch = Scratch::new().map_err(|error| Failure::Other(format!("no directory for the demo: {error}")))?;
    let connector = Arc::new(LocalConnector::new(Options {
        data_dir: scratch.path().join("data"),
        socket_dir: None,
        listen: args.listen.listen,
        metrics: None,
        retention: None,
        user: me.user.clone(),
        throwaway: true,
        // Nothing in it has to last.
        allow_network_fs: true,
    }));
    let waiting = waiting()?;
    let left = waiting.block_on(prepare(&connector, &config, &me)).and_then(|place| {
        let drafts = Drafts::new(scratch.path().join("drafts"), place, config.tenant.value.clone());
        screen(connector.clone(), &config, me, drafts, None)
    });
    waiting.block_on(connector.stop());
    leave(left?)
}

/// Starts the engine of the demo and loads the examples into it; answers the store's id.
async fn prepare(connector: &Arc<LocalConnector>, config: &Config, me: &Identity) -> Result<String, Failure> {
    let place = connector.open().await?;
    let gateway = gateway(connector.clone(), config, me.clone())?;
    let loaded = gateway.load_examples().await;
    loaded.map_err(|trouble| Failure::Refused(format!("the examples cannot be loaded: {trouble}")))?;
    Ok(place)
}

/// The service that would go on with this engine when the inbox ends.
fn service(config: &Config, args: &InboxArgs) -> Result<Option<Service>, Failure> {
    if !Service::is_possible() {
        return Ok(None);
    }
    let mut arguments = Vec::new();
    if config.data_dir.value != config.paths.data_dir {
        let directory = std::path::absolute(&config.data_dir.value);
        let directory = directory.map_err(|error| Failure::Other(format!("ostler cannot start: {error}")))?;
        arguments.extend(["--data-dir".to_owned(), directory.display().to_string()]);
    }
    if let Some(address) = args.listen.listen {
        arguments.extend(["--listen".to_owned(), address.to_string()]);
    }
    super::service::of_this_program(&config.paths, &arguments).map(Some)
}

fn drafts(config: &Config, place: &str) -> Drafts {
    Drafts::new(config.paths.drafts_dir(), place, config.tenant.value.clone())
}

fn gateway(connector: Arc<dyn Connector>, config: &Config, me: Identity) -> Result<Gateway, Failure> {
    Gateway::new(connector, me, &config.tenant.value).map_err(|trouble| Failure::Address(trouble.to_string()))
}

/// Shows the inbox until the person leaves.
fn screen(
    connector: Arc<dyn Connector>,
    config: &Config,
    me: Identity,
    drafts: Drafts,
    service: Option<Service>,
) -> Result<Exit, Failure> {
    let server = Arc::new(gateway(connector, config, me.clone())?);
    runtime::run(RuntimeOptions { server, drafts, service, me }).map_err(|error| Failure::Other(error.to_string()))
}

/// What drives the start and the end of the engine on this thread; the inbox has runtimes of its own.
fn waiting() -> Result<tokio::runtime::Runtime, Failure> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.map_err(|error| Failure::Other(format!("ostler cannot start: {error}")))
}

/// Says what is left to say, on the screen that the person gets back.
fn leave(exit: Exit) -> Result<ExitCode, Failure> {
    let mut out = io::stdout().lock();
    for note in &exit.notes {
        // After SIGHUP there may be nobody to read it.
        let _ = writeln!(out, "{note}");
    }
    Ok(match exit.signal {
        None => ExitCode::SUCCESS,
        Some(signal) => ExitCode::from(exit::after_signal(signal)),
    })
}
