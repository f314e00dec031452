//! The connection: made when first needed, made anew when it broke, and its state for the screen.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Mutex, watch};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use super::connector::{ConnectError, Connector};
use super::fault::{self, Fault};
use crate::api::littlehorse::little_horse_client::LittleHorseClient;
use crate::api::ostler::v1::ostler_client::OstlerClient;
use crate::domain::{Connection, Place, Trouble};

/// How long a call may take. After that it may still be carried out.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);

/// Answers larger than the 4 MiB that a server sends at most by default are fine with us.
const ANSWER_LIMIT: usize = 64 * 1024 * 1024;

/// A channel that says which tenant is meant with every call.
pub(super) type TenantChannel = InterceptedService<Channel, Headers>;

/// Adds what every call carries: the tenant.
#[derive(Debug, Clone)]
pub(super) struct Headers {
    tenant: MetadataValue<Ascii>,
}

impl Interceptor for Headers {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("tenantid", self.tenant.clone());
        Ok(request)
    }
}

/// The clients of one connection.
#[derive(Debug, Clone)]
pub(super) struct Clients {
    pub(super) lh: LittleHorseClient<TenantChannel>,
    pub(super) ostler: OstlerClient<TenantChannel>,
    /// Which connection they are of.
    pub(super) number: u64,
}

pub(super) struct Link {
    connector: Arc<dyn Connector>,
    headers: Headers,
    /// Held while connecting: whoever comes meanwhile waits and shares what comes of it.
    current: Mutex<Current>,
    state: watch::Sender<Connection>,
    /// The number of the live connection, 0 while there is none.
    live: watch::Sender<u64>,
    /// How long a call may take.
    deadline: Duration,
}

#[derive(Default)]
struct Current {
    clients: Option<Clients>,
    /// Of the last connection made.
    number: u64,
    /// How many attempts there were, and what the last one failed with.
    attempts: u64,
    failure: Option<ConnectError>,
}

impl Link {
    pub(super) fn new(connector: Arc<dyn Connector>, tenant: MetadataValue<Ascii>, deadline: Duration) -> Link {
        Link {
            connector,
            headers: Headers { tenant },
            current: Mutex::default(),
            state: watch::Sender::new(Connection::Connecting),
            live: watch::Sender::new(0),
            deadline,
        }
    }

    pub(super) fn place(&self) -> Place {
        self.connector.place()
    }

    pub(super) fn state(&self) -> watch::Receiver<Connection> {
        self.state.subscribe()
    }

    pub(super) fn live(&self) -> watch::Receiver<u64> {
        self.live.subscribe()
    }

    /// The clients of the live connection, or of a new one.
    pub(super) async fn clients(&self) -> Result<Clients, ConnectError> {
        // Somebody may be trying right now: their failure is ours, or ten callers would each wait for ten limits.
        let before = self.current.try_lock().map_or(None, |current| Some(current.attempts));
        let mut current = self.current.lock().await;
        if let Some(clients) = &current.clients {
            return Ok(clients.clone());
        }
        if before.is_none()
            && let Some(failure) = &current.failure
        {
            return Err(failure.clone());
        }
        current.attempts += 1;
        match self.connector.connect().await {
            Ok(channel) => {
                current.number += 1;
                current.failure = None;
                let clients = self.over(channel, current.number);
                current.clients = Some(clients.clone());
                self.live.send_replace(clients.number);
                self.state.send_replace(Connection::Online);
                Ok(clients)
            }
            Err(error) => {
                current.failure = Some(error.clone());
                self.offline(&fault::connect_reason(&error));
                Err(error)
            }
        }
    }

    fn over(&self, channel: Channel, number: u64) -> Clients {
        let named = InterceptedService::new(channel, self.headers.clone());
        Clients {
            lh: LittleHorseClient::new(named.clone()).max_decoding_message_size(ANSWER_LIMIT),
            ostler: OstlerClient::new(named).max_decoding_message_size(ANSWER_LIMIT),
            number,
        }
    }

    /// A call over a connection failed on the way: the next call makes a new one. What is said of a connection that
    /// was given up already changes nothing.
    pub(super) async fn broken(&self, number: u64) {
        let mut current = self.current.lock().await;
        if current.clients.as_ref().is_some_and(|clients| clients.number == number) {
            current.clients = None;
            self.live.send_replace(0);
        }
    }

    /// Says on the screen that no answers come, and why.
    pub(super) fn offline(&self, why: &str) {
        let now = Timestamp::now();
        self.state.send_modify(|state| {
            let since = match state {
                Connection::Offline { since, .. } => *since,
                Connection::Connecting | Connection::Online => now,
            };
            *state = Connection::Offline { since, retry_at: None, why: why.to_owned() };
        });
    }

    /// Says on the screen when the next try comes.
    pub(super) fn retry_in(&self, delay: Duration) {
        let at = Timestamp::now().checked_add(delay).ok();
        self.state.send_if_modified(|state| match state {
            Connection::Offline { retry_at, .. } => {
                *retry_at = at;
                true
            }
            Connection::Connecting | Connection::Online => false,
        });
    }

    /// Makes a call that changes nothing. One that failed on the way is made once more over a new connection: that is
    /// how a takeover of the engine goes unnoticed.
    pub(super) async fn read<T, F>(&self, call: impl Fn(Clients) -> F) -> Result<T, Trouble>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let mut again = true;
        loop {
            let clients = self.clients().await.map_err(|error| fault::unreachable(&error))?;
            let number = clients.number;
            match self.over_one(number, call(clients)).await {
                Ok(answer) => return Ok(answer),
                Err(Fault::NotSent(_) | Fault::Broken(_)) if again => again = false,
                Err(fault) => return Err(fault.into_trouble()),
            }
        }
    }

    /// Makes a call that changes something, once.
    pub(super) async fn send<T, F>(&self, call: impl FnOnce(Clients) -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let clients = self.clients().await.map_err(|error| Fault::NotSent(fault::connect_reason(&error)))?;
        let number = clients.number;
        self.over_one(number, call(clients)).await
    }

    pub(super) async fn over_one<T>(
        &self,
        number: u64,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Fault> {
        let fault = match tokio::time::timeout(self.deadline, call).await {
            Ok(Ok(answer)) => return Ok(answer.into_inner()),
            Ok(Err(status)) => fault::of(status),
            Err(_) => Fault::TimedOut(self.deadline),
        };
        match fault {
            Fault::Refused(_) => {}
            // A server that keeps silent may sit behind a connection that died without a word.
            Fault::NotSent(_) | Fault::Broken(_) | Fault::TimedOut(_) => self.broken(number).await,
        }
        Err(fault)
    }
}
