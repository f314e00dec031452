//! One running engine: the lock on its data directory, its threads, its listeners, its start and its end.
//!
//! A host has a runtime of its own on threads of its own, so that load on the engine never delays a key of the
//! person whose terminal happens to host it. Whoever holds the lock hosts; everybody else attaches to its socket.

mod directory;
mod health;
mod listen;
mod lock;
mod metrics;
mod socket;
mod upkeep;
mod web;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::DuplexStream;
use tokio::sync::{mpsc, watch};

use crate::api::ostler::v1;
use crate::engine::service::Services;
use crate::engine::store::{OpenError, RealDisk};
use crate::engine::writer::{Engine, EngineOptions};

use listen::Listeners;

pub use directory::DirectoryError;
pub use health::Health;
pub use lock::{Holder, LOCK_FILE};
pub use upkeep::{Offline, UpkeepError};

/// How long a host that stops waits for calls in flight before it cuts them off. What they asked for is still
/// applied or not applied as a whole; only the answer may be missing.
const PATIENCE: Duration = Duration::from_secs(2);

/// Threads that serve calls. The writer and the store have their own.
const SERVING_THREADS: usize = 2;

/// Bytes that fit into the pipe between the engine and the terminal of one process: a page of rows.
const PIPE_BYTES: usize = 256 * 1024;

/// What to host and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the data lies; made when it is missing.
    pub data_dir: PathBuf,
    /// Where the socket goes; else the person's runtime directory.
    pub socket_dir: Option<PathBuf>,
    /// A loopback address for SDK programs; port 0 takes a free one.
    pub listen: Option<SocketAddr>,
    /// Where health and metrics are told over HTTP.
    pub metrics: Option<MetricsAddress>,
    /// The name of the person whose processes these are: recorded with what they do.
    pub user: String,
    /// The data is thrown away afterwards; clients are told so.
    pub throwaway: bool,
    /// For how long finished runs are kept; without it, for good.
    pub retention: Option<Duration>,
    /// Host on a network file system all the same.
    pub allow_network_fs: bool,
}

/// Where health and metrics are told; port 0 takes a free one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricsAddress {
    /// The address.
    pub address: SocketAddr,
    /// Other machines may ask too.
    pub anywhere: bool,
}

/// Why there is no host.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another process hosts this directory.
    #[error("{}", held(data_dir, holder.as_deref()))]
    Locked {
        /// Which directory.
        data_dir: PathBuf,
        /// By whom; unknown while it starts or stops.
        holder: Option<Box<Holder>>,
    },
    /// The data directory cannot be used.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The lock file cannot be used.
    #[error("the lock file in {data_dir} cannot be used: {source}")]
    Lock {
        /// Which directory.
        data_dir: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The store does not open.
    #[error("the store in {data_dir} cannot be opened: {source}")]
    Store {
        /// Which directory.
        data_dir: PathBuf,
        /// Why.
        source: OpenError,
    },
    /// There is no place for the socket.
    #[error("the socket for other ostlers cannot be made: {0}")]
    Socket(io::Error),
    /// The TCP address is taken or not of this machine.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// The TCP address can be reached from other machines.
    #[error(
        "will not listen on {0}: other machines could reach it, and ostler has neither TLS nor authentication yet; \
         use a loopback address such as 127.0.0.1:{port}", port = .0.port()
    )]
    NotLoopback(SocketAddr),
    /// The address for metrics can be reached from other machines.
    #[error(
        "will not tell metrics on {0}: other machines could read them; use a loopback address such as \
         127.0.0.1:{port}, or insist with --metrics-anywhere", port = .0.port()
    )]
    MetricsNotLoopback(SocketAddr),
    /// The operating system gave no threads.
    #[error("the engine's threads cannot be started: {0}")]
    Threads(io::Error),
}

fn held(data_dir: &Path, holder: Option<&Holder>) -> String {
    match holder {
        Some(Holder { host, pid, version, listen, .. }) => {
            let listen = listen.as_ref().map_or_else(String::new, |address| format!(", listening on {address}"));
            format!("{} is hosted by ostler {version}, process {pid} on {host}{listen}", data_dir.display())
        }
        None => format!("{} is hosted by an ostler that is starting or stopping", data_dir.display()),
    }
}

/// A running host. Dropping it stops it as well, without telling when.
#[derive(Debug)]
pub struct Handle {
    pipe: Pipe,
    store_id: String,
    socket: PathBuf,
    listen: Option<SocketAddr>,
    metrics: Option<SocketAddr>,
    engine: Engine,
    serving: tokio::runtime::Handle,
    closing: watch::Sender<bool>,
    closed: watch::Receiver<bool>,
}

impl Handle {
    /// The way in for this process.
    pub fn pipe(&self) -> Pipe {
        self.pipe.clone()
    }

    /// The store's name for good.
    pub fn store_id(&self) -> &str {
        &self.store_id
    }

    /// The Unix socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The TCP address, with the port that was taken.
    pub fn listen(&self) -> Option<SocketAddr> {
        self.listen
    }

    /// The address of health and metrics, with the port that was taken.
    pub fn metrics(&self) -> Option<SocketAddr> {
        self.metrics
    }

    /// How the engine is, asked on the threads that serve calls: when those do not answer, nobody is served.
    pub async fn health(&self) -> Health {
        let engine = self.engine.clone();
        let asked = self.serving.spawn(async move { health::of(&engine) });
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(health)) => health,
            Ok(Err(_)) => Health::Stuck("the engine has stopped".to_owned()),
            Err(_) => Health::Stuck("the threads that serve calls do not answer".to_owned()),
        }
    }

    /// Ends when the host has stopped, whyever it did.
    pub async fn ended(&self) {
        // An error means that the thread is gone, which is an end as well.
        let _ = self.closed.clone().wait_for(|closed| *closed).await;
    }

    /// Stops. Returns when everything acknowledged is durable, the socket is removed and the lock is free.
    pub async fn stop(self) {
        self.closing.send_replace(true);
        self.ended().await;
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.closing.send_replace(true);
    }
}

/// Makes connections to the engine inside this process; a cheap clone.
#[derive(Clone, Debug)]
pub struct Pipe(mpsc::Sender<DuplexStream>);

impl Pipe {
    /// A new connection; none once the host stops.
    pub async fn connect(&self) -> io::Result<DuplexStream> {
        let (near, far) = tokio::io::duplex(PIPE_BYTES);
        let stopped = |_| io::Error::new(io::ErrorKind::ConnectionRefused, "the engine has stopped");
        self.0.send(far).await.map_err(stopped)?;
        Ok(near)
    }
}

/// Starts a host, or says why not. Returns when it answers; opens files, so it blocks for a moment.
pub fn start(options: Options) -> Result<Handle, StartError> {
    if let Some(address) = options.listen
        && !address.ip().is_loopback()
    {
        return Err(StartError::NotLoopback(address));
    }
    if let Some(MetricsAddress { address, anywhere: false }) = options.metrics
        && !address.ip().is_loopback()
    {
        return Err(StartError::MetricsNotLoopback(address));
    }
    let data_dir = directory::prepare(&options.data_dir, options.allow_network_fs)?;
    let mut lock = lock::Lock::take(&data_dir).map_err(|busy| match busy {
        lock::Busy::Held(holder) => StartError::Locked { data_dir: data_dir.clone(), holder },
        lock::Busy::Io(source) => StartError::Lock { data_dir: data_dir.clone(), source },
    })?;
    // The listeners come before the store: a taken port is found out before anything is migrated.
    let (tcp, listen) = bind(options.listen)?.unzip();
    let (http, metrics) = bind(options.metrics.map(|metrics| metrics.address))?.unzip();
    let socket =
        socket::path(&socket::directory(options.socket_dir.as_deref()).map_err(StartError::Socket)?, &data_dir);
    let unix = socket::bind(&socket).map_err(StartError::Socket)?;
    let disk = Arc::new(RealDisk::new(&data_dir));
    let engine = Engine::open(&*disk, EngineOptions::default())
        .map_err(|source| StartError::Store { data_dir: data_dir.clone(), source })?;
    let host = v1::Host {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        store_id: engine.store_id(),
        listen: listen.map(|address| address.to_string()),
        writable: true,
        pending_timers: 0,
        throwaway: options.throwaway,
    };
    let (closing, closing_seen) = watch::channel(false);
    let (pipe, pipes) = mpsc::channel(16);
    let (closed_when, closed) = watch::channel(false);
    let store_id = host.store_id.clone();
    let services = Services::new(engine.clone(), disk, host, closing_seen.clone());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(SERVING_THREADS)
        .thread_name("ostler-serve")
        .enable_all()
        .build()
        .map_err(StartError::Threads)?;
    let listeners = {
        let _entered = runtime.enter();
        if let Some(http) = http {
            let http = tokio::net::TcpListener::from_std(http).map_err(StartError::Threads)?;
            runtime.spawn(web::serve(http, engine.clone(), closing_seen.clone()));
        }
        if let Some(retention) = options.retention {
            runtime.spawn(services.clone().retire(retention));
        }
        runtime.spawn(services.clone().keep_quota_usage());
        Listeners::new(unix, tcp, pipes, options.user).map_err(StartError::Threads)?
    };
    let serving = runtime.handle().clone();
    let holder = Holder::this_process(store_id.clone(), socket.clone(), listen.map(|address| address.to_string()));
    lock.announce(&holder).map_err(|source| StartError::Lock { data_dir, source })?;
    let mut running = Running { engine: engine.clone(), lock, socket: socket.clone() };
    std::thread::Builder::new()
        .name("ostler-host".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                services.found().await;
                listeners.serve(services.clone(), closing_seen, || running.withdraw()).await;
                services.finish_quota_usage().await;
                running.finish().await;
            });
            runtime.shutdown_background();
            closed_when.send_replace(true);
        })
        .map_err(StartError::Threads)?;
    Ok(Handle { pipe: Pipe(pipe), store_id, socket, listen, metrics, engine, serving, closing, closed })
}

/// The listener on an address, when there is to be one, and the address with the port that was taken.
fn bind(address: Option<SocketAddr>) -> Result<Option<(TcpListener, SocketAddr)>, StartError> {
    let Some(address) = address else { return Ok(None) };
    let bound = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        let taken = listener.local_addr()?;
        Ok((listener, taken))
    });
    bound.map(Some).map_err(|source| StartError::Listen { address, source })
}

/// What must be put back in order at the end.
struct Running {
    engine: Engine,
    lock: lock::Lock,
    socket: PathBuf,
}

impl Running {
    /// Sends nobody here any more.
    fn withdraw(&mut self) {
        let gone = self.lock.withdraw().and(socket::remove(&self.socket));
        if let Err(error) = gone {
            tracing::warn!("cannot clean up behind the host: {error}");
        }
    }

    /// Makes what was acknowledged durable, then lets the lock go.
    async fn finish(self) {
        self.engine.close().await;
        drop(self.lock);
    }
}
