//! `ostler prune`: deletes runs that ended long ago.

use jiff::Timestamp;
use prost_types::Timestamp as Sent;

use super::args::PruneArgs;
use super::attach::{self, Access};
use super::backup::say;
use super::exit::Failure;
use super::local::LocalConnector;
use crate::api::ostler::v1::PruneRunsRequest;
use crate::api::ostler::v1::ostler_client::OstlerClient;
use crate::config::Config;
use crate::engine::host::Options;
use crate::gateway::Connector;

/// Asks whoever hosts the store; while nobody does, this process hosts it for as long as it takes.
pub(super) fn run(args: &PruneArgs) -> Result<(), Failure> {
    super::log::to_stderr(Default::default());
    // Only a store that is there is hosted; the lock is given back for the host.
    if let Access::Alone(offline) = attach::open(&args.store)? {
        drop(offline);
    }
    let config = Config::load(args.store.flags())?;
    let options = Options {
        data_dir: config.data_dir.value,
        socket_dir: None,
        listen: None,
        metrics: None,
        retention: None,
        user: config.user.value,
        throwaway: false,
        allow_network_fs: args.store.allow_network_fs,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Other(format!("ostler cannot start: {error}")))?;
    let wf_runs = runtime.block_on(async {
        let connector = LocalConnector::new(options);
        connector.open().await?;
        let pruned = prune(&connector, args).await;
        connector.stop().await;
        pruned
    })?;
    let runs = if wf_runs == 1 { "1 run".to_owned() } else { format!("{wf_runs} runs") };
    say(&match args.dry_run {
        true => format!("{runs} would be deleted.\n"),
        false => format!("Deleted {runs}.\n"),
    })
}

async fn prune(connector: &LocalConnector, args: &PruneArgs) -> Result<u64, Failure> {
    let channel = connector.connect().await.map_err(|error| Failure::Other(error.to_string()))?;
    let now = Timestamp::now();
    // A span that reaches back before all time finds nothing.
    let before = now.checked_sub(args.finished_before).unwrap_or(Timestamp::MIN);
    let before = Sent { seconds: before.as_second(), nanos: before.subsec_nanosecond() };
    let request = PruneRunsRequest { finished_before: Some(before), dry_run: args.dry_run };
    let progress = OstlerClient::new(channel).prune_runs(request).await;
    let mut progress = progress.map_err(|status| attach::refused(&status))?.into_inner();
    let mut wf_runs = 0;
    while let Some(said) = progress.message().await.map_err(|status| attach::refused(&status))? {
        wf_runs = said.wf_runs;
    }
    Ok(wf_runs)
}
