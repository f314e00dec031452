//! What can be written on the command line.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};

use crate::config::{self, Flags, LogFormat};
use crate::engine::host::MetricsAddress;

/// An inbox for the user tasks of LittleHorse workflows, with an engine of its own.
///
/// Without a command it opens the inbox: on the bundled engine, or with --server on a LittleHorse server.
#[derive(Debug, Parser)]
#[command(name = "ostler", version, after_help = super::exit::HELP, disable_help_subcommand = true)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) inbox: InboxArgs,
}

/// The commands beside the inbox.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serve the bundled engine to LittleHorse clients, without a screen, until SIGTERM or Ctrl-C
    Serve(ServeArgs),
    /// Open the inbox on a throwaway engine with four example workflows in it
    Demo(DemoArgs),
    /// Write everything in the store to a file; also while it is being served
    Backup(BackupArgs),
    /// Put a backup in the place of the store, which is kept under another name
    Restore(RestoreArgs),
    /// Compare everything in the store with everything else in it; also while it is being served
    Doctor(DoctorArgs),
    /// Delete runs that ended long ago, with everything in them
    Prune(PruneArgs),
    /// Run the engine as a service of yours, so that timers run on without an inbox
    Service(ServiceArgs),
    /// Print where ostler reads and keeps its files
    Paths(PathsArgs),
}

#[derive(Debug, Args)]
pub(super) struct InboxArgs {
    #[command(flatten)]
    data: DataArgs,
    /// A LittleHorse server, as http://HOST:PORT, or `local` for the bundled engine
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// The tenant on it
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    #[command(flatten)]
    person: PersonArgs,
    #[command(flatten)]
    pub(super) listen: ListenArgs,
}

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    pub(super) listen: ListenArgs,
    #[command(flatten)]
    pub(super) metrics: MetricsArgs,
    /// Wait while another ostler hosts the data directory, and go on when it ends
    #[arg(long)]
    pub(super) wait: bool,
    /// How the log on standard error is written
    #[arg(long, value_name = "FORMAT", value_parser = log_format())]
    log_format: Option<LogFormat>,
}

#[derive(Debug, Args)]
pub(super) struct MetricsArgs {
    /// Tell health and metrics over HTTP on this loopback address, such as 127.0.0.1:9464
    #[arg(long, value_name = "ADDR", value_parser = address)]
    metrics: Option<SocketAddr>,
    /// Let other machines read them too
    #[arg(long)]
    metrics_anywhere: bool,
}

impl MetricsArgs {
    /// The address that was settled on, with leave for other machines or not.
    pub(super) fn at(&self, address: SocketAddr) -> MetricsAddress {
        MetricsAddress { address, anywhere: self.metrics_anywhere }
    }
}

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    #[command(flatten)]
    person: PersonArgs,
    #[command(flatten)]
    pub(super) listen: ListenArgs,
}

#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    /// The file to write; one that is there is replaced once the backup is complete
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) store: StoreArgs,
}

#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// A file that `ostler backup` wrote
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) store: StoreArgs,
}

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Rebuild what follows from the objects: indexes, ids, counts and timers. No ostler may host the store
    #[arg(long)]
    pub(super) repair: bool,
    #[command(flatten)]
    pub(super) store: StoreArgs,
}

#[derive(Debug, Args)]
pub(super) struct PruneArgs {
    /// Those that ended longer ago than this: 90d, 12h, 2w
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) finished_before: Duration,
    /// Only say how many there are
    #[arg(long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) store: StoreArgs,
}

/// Which store a command works on.
#[derive(Debug, Args)]
pub(super) struct StoreArgs {
    #[command(flatten)]
    data: DataArgs,
    /// Use the data directory even on a network file system, where locks and flushes may not hold
    #[arg(long)]
    pub(super) allow_network_fs: bool,
}

impl StoreArgs {
    /// The flags as the configuration takes them.
    pub(super) fn flags(&self) -> Flags {
        Flags { bundled: true, data_dir: self.data.data_dir.clone(), ..Flags::default() }
    }
}

#[derive(Debug, Args)]
pub(super) struct ServiceArgs {
    #[command(subcommand)]
    pub(super) what: ServiceCommand,
}

/// What to do with the service.
#[derive(Debug, Subcommand)]
pub(super) enum ServiceCommand {
    /// Write a unit for your systemd, enable it and start it
    Install(UnitArgs),
    /// Stop it and remove the unit
    Remove,
    /// Say how it is
    Status,
    /// Print the unit instead of installing it
    Print {
        #[command(flatten)]
        unit: UnitArgs,
        /// The one for a whole machine, with a user of its own
        #[arg(long)]
        system: bool,
    },
}

/// What the service serves.
#[derive(Debug, Args)]
pub(super) struct UnitArgs {
    #[command(flatten)]
    data: DataArgs,
    /// Let LittleHorse clients in on this loopback address, such as 127.0.0.1:2023
    #[arg(long, value_name = "ADDR", value_parser = address)]
    listen: Option<SocketAddr>,
    /// Tell health and metrics over HTTP on this loopback address, such as 127.0.0.1:9464
    #[arg(long, value_name = "ADDR", value_parser = address)]
    metrics: Option<SocketAddr>,
}

impl UnitArgs {
    /// As arguments of `serve`. A relative path would be another one there.
    pub(super) fn arguments(&self) -> std::io::Result<Vec<String>> {
        let mut arguments = Vec::new();
        if let Some(directory) = &self.data.data_dir {
            arguments.extend(["--data-dir".to_owned(), std::path::absolute(directory)?.display().to_string()]);
        }
        for (flag, address) in [("--listen", self.listen), ("--metrics", self.metrics)] {
            arguments.extend(address.into_iter().flat_map(|address| [flag.to_owned(), address.to_string()]));
        }
        Ok(arguments)
    }
}

#[derive(Debug, Args)]
pub(super) struct PathsArgs {
    #[command(flatten)]
    data: DataArgs,
}

#[derive(Debug, Args)]
struct DataArgs {
    /// Where the bundled engine keeps its data
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct PersonArgs {
    /// As whom to act; the login name if not given
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// A group whose tasks are yours too; can be repeated; the Unix groups if not given
    #[arg(long = "group", value_name = "NAME")]
    groups: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct ListenArgs {
    /// Let LittleHorse clients in on this loopback address, such as 127.0.0.1:2023; port 0 takes a free one
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub(super) listen: Option<SocketAddr>,
    /// Use the data directory even on a network file system, where locks and flushes may not hold
    #[arg(long)]
    pub(super) allow_network_fs: bool,
}

impl InboxArgs {
    /// The flags as the configuration takes them.
    pub(super) fn flags(&self) -> Flags {
        Flags {
            server: self.server.clone(),
            tenant: self.tenant.clone(),
            data_dir: self.data.data_dir.clone(),
            ..self.person.flags()
        }
    }
}

impl ServeArgs {
    /// The flags as the configuration takes them.
    pub(super) fn flags(&self) -> Flags {
        Flags {
            bundled: true,
            data_dir: self.data.data_dir.clone(),
            metrics: self.metrics.metrics,
            log_format: self.log_format,
            ..Flags::default()
        }
    }
}

impl DemoArgs {
    /// The flags as the configuration takes them.
    pub(super) fn flags(&self) -> Flags {
        Flags { bundled: true, ..self.person.flags() }
    }
}

impl PathsArgs {
    /// The flags as the configuration takes them.
    pub(super) fn flags(&self) -> Flags {
        Flags { data_dir: self.data.data_dir.clone(), ..Flags::default() }
    }
}

impl PersonArgs {
    fn flags(&self) -> Flags {
        Flags { user: self.user.clone(), groups: self.groups.clone(), ..Flags::default() }
    }
}

/// `text` or `json`.
fn log_format() -> impl TypedValueParser<Value = LogFormat> {
    PossibleValuesParser::new(["text", "json"]).map(|written| match written.as_str() {
        "json" => LogFormat::Json,
        _ => LogFormat::Text,
    })
}

fn duration(written: &str) -> Result<Duration, String> {
    config::duration(written).map_err(|wrong| format!("it {wrong}"))
}

/// An address as people write it: `127.0.0.1:2023`, `[::1]:2023`, `localhost:2023`.
fn address(written: &str) -> Result<SocketAddr, String> {
    let found = written.to_socket_addrs().map_err(|_| "write it as 127.0.0.1:2023".to_owned())?;
    // `localhost` is often both; programs try the older one first.
    let mut found: Vec<SocketAddr> = found.collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    found.first().copied().ok_or_else(|| "no such address".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn addresses_are_read_as_people_write_them() {
        assert_eq!(address("127.0.0.1:2023"), Ok(SocketAddr::from(([127, 0, 0, 1], 2023))));
        assert_eq!(address("localhost:1").map(|found| found.ip().is_loopback()), Ok(true));
        for wrong in ["2023", "127.0.0.1", "127.0.0.1:70000", "http://127.0.0.1:2023", ""] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn flags_reach_the_configuration() {
        let line =
            ["ostler", "--server", "http://h:1", "--user", "amy", "--group", "a", "--group", "b", "--tenant", "t"];
        let flags = Cli::try_parse_from(line).unwrap().inbox.flags();
        assert_eq!(flags.groups, ["a", "b"]);
        assert_eq!((flags.user.as_deref(), flags.tenant.as_deref()), (Some("amy"), Some("t")));
        assert_eq!(flags.server.as_deref(), Some("http://h:1"));
        let Some(Command::Serve(serve)) =
            Cli::try_parse_from(["ostler", "serve", "--listen", "127.0.0.1:0"]).unwrap().command
        else {
            panic!("not serve");
        };
        assert!(serve.flags().bundled);
        assert_eq!(serve.listen.listen, Some(SocketAddr::from(([127, 0, 0, 1], 0))));
    }
}
