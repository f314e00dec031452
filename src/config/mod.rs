//! Layered configuration: where each value came from, and how to reach a server.
//!
//! The layers, each over the one before: built-in defaults and what the system says of the person; the file that
//! LittleHorse clients share (`~/.config/littlehorse.config`); the environment (`LHC_*`); ostler's own
//! `config.toml`; the flags of the command line. Every value remembers its [`Origin`], so that a surprising one can
//! be traced.
//!
//! # When a server is meant
//!
//! The first of these that applies decides:
//!
//! 1. the command serves an engine itself (`serve`, `demo`): the bundled engine;
//! 2. `--server`: that server, or the bundled engine for `--server local`;
//! 3. `--data-dir`: the bundled engine on that directory;
//! 4. `server` in ostler's `config.toml`: as 2;
//! 5. `LHC_API_HOST` or `LHC_API_PORT`, in the environment or in `littlehorse.config`: that server, the half that is
//!    missing being `localhost` or `2023`;
//! 6. otherwise: the bundled engine.
//!
//! A mere `LHC_TENANT_ID` does not make it remote: the bundled engine has tenants too.
//!
//! # What is refused
//!
//! TLS, client certificates and OAuth are not built yet. A configuration that asks for them in any layer
//! (`LHC_API_PROTOCOL=TLS`, `LHC_CA_CERT`, `LHC_CLIENT_CERT`, `LHC_CLIENT_KEY`, `LHC_OAUTH_*`, an `https` address) is
//! refused even if another layer names a plain-text address: whoever configured it did not mean plain text. The way
//! out is to take the setting back where it is wrong, for one call with an empty value in the environment. Only an
//! explicit choice of the bundled engine (1 to 4) makes these settings irrelevant. Of settings that may hold secrets
//! only the names are kept, never the values.

mod duration;
mod identity;
mod own;
mod paths;
mod properties;
mod resolve;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

pub use duration::parse as duration;
pub use identity::{Person, person};
pub use paths::Paths;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    Default,
    /// What the system says of the person: login name, Unix groups, home directory.
    System,
    /// The file that LittleHorse clients share.
    LittleHorseFile(PathBuf),
    /// A variable of the environment.
    Environment(&'static str),
    /// ostler's own file.
    OwnFile(PathBuf),
    /// A flag, or the command itself.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("built in"),
            Origin::System => f.write_str("the system"),
            Origin::LittleHorseFile(path) | Origin::OwnFile(path) => write!(f, "{}", path.display()),
            Origin::Environment(name) => write!(f, "{name} in the environment"),
            Origin::Flag(flag) => f.write_str(flag),
        }
    }
}

impl Origin {
    /// The origin of a setting in a sentence: `--user`, `LHC_API_PORT in the environment`, `user in <file>`.
    fn of(&self, name: &str) -> String {
        match self {
            Origin::Flag(_) | Origin::Environment(_) => self.to_string(),
            _ => format!("{name} in {self}"),
        }
    }
}

/// A value and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
}

impl<T> Setting<T> {
    fn new(value: T, origin: Origin) -> Self {
        Setting { value, origin }
    }
}

/// What the inbox works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The engine that comes with ostler, on the data directory.
    Bundled,
    /// A LittleHorse server at an address as configured; `gateway::RemoteConnector` checks it.
    Server(String),
}

/// What the command line says. Absent flags are `None` or empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    /// The command serves an engine itself, whatever else is configured.
    pub bundled: bool,
    /// `--server`.
    pub server: Option<String>,
    /// `--user`.
    pub user: Option<String>,
    /// Every `--group`.
    pub groups: Vec<String>,
    /// `--tenant`.
    pub tenant: Option<String>,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--metrics`.
    pub metrics: Option<SocketAddr>,
    /// `--log-format`.
    pub log_format: Option<LogFormat>,
}

/// How a log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Everything that is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// As whom ostler acts. Never blank.
    pub user: Setting<String>,
    /// Whose group tasks are mine too. In the order given, each once, none blank.
    pub groups: Setting<Vec<String>>,
    /// The LittleHorse tenant.
    pub tenant: Setting<String>,
    /// What the inbox works on.
    pub target: Setting<Target>,
    /// Where the bundled engine keeps its state.
    pub data_dir: Setting<PathBuf>,
    /// For how long finished runs are kept; without it, for good.
    pub retention: Option<Setting<Duration>>,
    /// Where `serve` tells health and metrics.
    pub metrics: Option<Setting<SocketAddr>>,
    /// How `serve` writes its log.
    pub log_format: Setting<LogFormat>,
    /// Where this person's files lie.
    pub paths: Paths,
}

impl Config {
    /// Reads files, environment and system, and resolves them with the flags. Blocking; meant for the program's start.
    pub fn load(flags: Flags) -> Result<Config, ConfigError> {
        let paths = Paths::find()?;
        let sources = resolve::Sources::read(flags, &paths)?;
        resolve::resolve(&sources, paths)
    }
}

/// Why a configuration cannot be used. The texts are whole sentences and hold no values that may be secret.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not even a home directory.
    #[error("The home directory of this user is not known; set HOME.")]
    NoHome,
    /// A file is there and cannot be read.
    #[error("{path} cannot be read: {source}.")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file does not follow its format.
    #[error("{path}, line {line}: {reason}")]
    Malformed {
        /// Which.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// In words.
        reason: String,
    },
    /// TLS, certificates or OAuth are asked for.
    #[error(
        "{} asks for {what}, which ostler cannot do yet. Nothing was sent. Use a plain-text listener of \
         the server and take {name} back, for one call with {name}= before the command; or --server local for the \
         bundled engine.",
        origin.of(name)
    )]
    Security {
        /// The name of the setting.
        name: &'static str,
        /// Where it was set.
        origin: Origin,
        /// What it asks for.
        what: &'static str,
    },
    /// A value that cannot be meant.
    #[error("{} {reason}", origin.of(name))]
    Invalid {
        /// The name of the setting.
        name: &'static str,
        /// Where it was set.
        origin: Origin,
        /// In words, a whole sentence with the name and origin before it.
        reason: String,
    },
}
