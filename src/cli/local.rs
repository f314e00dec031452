//! The engine of this machine: host it, or attach to whoever does, and take over when the host is gone.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tonic::transport::{Endpoint, Uri};

use crate::domain::Place;
use crate::engine::host::{self, Handle, Options, StartError};
use crate::gateway::{ConnectError, Connecting, Connector};

/// How long to look for a host, or a chance to become one, before saying that there is none. A host that stops may
/// take a few seconds to finish what it has begun.
const LIMIT: Duration = Duration::from_secs(5);

/// How soon to look again while another ostler starts or stops. Those moments are short, and somebody waits.
const AGAIN: Duration = Duration::from_millis(25);

/// Connects to the bundled engine of one data directory.
///
/// Every connection decides anew: whoever gets the lock hosts, in this process; everybody else attaches through the
/// host's socket. So when a host ends, however it does, the first attached ostler that notices takes over, and the
/// others attach to that one.
pub struct LocalConnector {
    shared: Arc<Shared>,
}

struct Shared {
    options: Options,
    role: Mutex<Role>,
    /// One at a time: two at once would race for the lock within one process.
    dialing: tokio::sync::Mutex<()>,
}

enum Role {
    Nothing,
    Hosting(Handle),
    Attached,
}

/// A connection of either kind.
trait Line: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Line for S {}

impl LocalConnector {
    /// A connector that hosts with these options when it gets to host.
    pub fn new(options: Options) -> Self {
        let shared = Shared { options, role: Mutex::new(Role::Nothing), dialing: tokio::sync::Mutex::default() };
        Self { shared: Arc::new(shared) }
    }

    /// Tries to host at once, so that what cannot work is found out before a screen is drawn, and answers the store's
    /// id. Somebody else hosting is fine, unless this one was to listen on an address.
    pub async fn open(&self) -> Result<String, StartError> {
        let deadline = Instant::now() + LIMIT;
        loop {
            match host::start(self.shared.options.clone()) {
                Ok(handle) => {
                    let store_id = handle.store_id().to_owned();
                    *self.shared.role() = Role::Hosting(handle);
                    return Ok(store_id);
                }
                Err(StartError::Locked { holder: Some(holder), .. }) if self.shared.options.listen.is_none() => {
                    return Ok(holder.store_id);
                }
                // Somebody is just starting or stopping.
                Err(StartError::Locked { holder: None, .. }) if Instant::now() < deadline => {
                    tokio::time::sleep(AGAIN).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Stops the host if this process is it. Returns when everything acknowledged is durable.
    pub async fn stop(&self) {
        let role = std::mem::replace(&mut *self.shared.role(), Role::Nothing);
        if let Role::Hosting(handle) = role {
            handle.stop().await;
        }
    }
}

impl Connector for LocalConnector {
    fn connect(&self) -> Connecting<'_> {
        let shared = self.shared.clone();
        Box::pin(async move {
            // The first connection is made here, because here its failure can still be told in words.
            let mut first = Some(shared.dial().await?);
            let dial = tower::service_fn(move |_: Uri| {
                let (shared, first) = (shared.clone(), first.take());
                async move {
                    let line = match first {
                        Some(line) => line,
                        None => shared.dial().await.map_err(io::Error::other)?,
                    };
                    Ok::<_, io::Error>(TokioIo::new(line))
                }
            });
            // The name is never looked up; it only fills the place of the host in each request.
            let endpoint = Endpoint::from_static("http://ostler.localhost");
            let failed = |error: tonic::transport::Error| ConnectError::Unreachable {
                place: "the local engine".to_owned(),
                reason: error.to_string(),
            };
            endpoint.connect_with_connector(dial).await.map_err(failed)
        })
    }

    fn place(&self) -> Place {
        match &*self.shared.role() {
            Role::Hosting(_) => Place::Local,
            Role::Nothing | Role::Attached => Place::Attached,
        }
    }
}

impl Shared {
    fn role(&self) -> std::sync::MutexGuard<'_, Role> {
        // A panic elsewhere leaves a role that is as good as any.
        self.role.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn dial(&self) -> Result<Pin<Box<dyn Line>>, ConnectError> {
        let _alone = self.dialing.lock().await;
        let deadline = Instant::now() + LIMIT;
        loop {
            let pipe = match &*self.role() {
                Role::Hosting(handle) => Some(handle.pipe()),
                Role::Nothing | Role::Attached => None,
            };
            if let Some(pipe) = pipe {
                match pipe.connect().await {
                    Ok(line) => return Ok(Box::pin(line)),
                    Err(_) => *self.role() = Role::Nothing,
                }
            }
            let reason = match start(self.options.clone()).await {
                Ok(handle) => {
                    *self.role() = Role::Hosting(handle);
                    continue;
                }
                Err(ref locked @ StartError::Locked { holder: Some(ref holder), .. }) => {
                    match UnixStream::connect(&holder.socket).await {
                        Ok(line) => {
                            *self.role() = Role::Attached;
                            return Ok(Box::pin(line));
                        }
                        Err(error) => format!("{locked}, and does not answer: {error}"),
                    }
                }
                Err(locked @ StartError::Locked { .. }) => locked.to_string(),
                Err(error) => return Err(ConnectError::Refused(error.to_string())),
            };
            if Instant::now() >= deadline {
                return Err(ConnectError::Unreachable { place: "the local engine".to_owned(), reason });
            }
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// Starts a host on a thread of its own: it opens files, which must not hold up the keys.
async fn start(options: Options) -> Result<Handle, StartError> {
    let (started, outcome) = oneshot::channel();
    std::thread::Builder::new()
        .name("ostler-start".to_owned())
        .spawn(move || {
            // If nobody waits any more the handle is dropped here, which stops the host again.
            let _ = started.send(host::start(options));
        })
        .map_err(StartError::Threads)?;
    outcome.await.unwrap_or_else(|_| Err(StartError::Threads(io::Error::other("the starting thread ended early"))))
}
