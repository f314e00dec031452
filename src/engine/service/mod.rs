//! The gRPC surface of the engine: the LittleHorse API on every listener, `ostler.v1` on the socket and the pipe.
//!
//! Nothing is decided here but who calls, for which tenant, and how large a request may be. A command goes to the
//! writer and is answered when it is durable; a query runs on a snapshot on the calling thread, because it takes
//! microseconds, less than handing it over would.

mod gate;
mod littlehorse;
mod ostler;
mod peer;
mod poll;
mod prune;
mod quotas;
mod restore;
mod upkeep;
mod waiting;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;
use tokio::sync::{Semaphore, watch};
use tonic::service::Routes;
use tonic::{Code, Request, Response, Status};

use crate::api::littlehorse as lh;
use crate::api::littlehorse::little_horse_server::LittleHorseServer;
use crate::api::ostler::v1::Host;
use crate::api::ostler::v1::ostler_server::OstlerServer;
use crate::engine::core::command::{Command, Context, Refusal, Reply};
use crate::engine::core::read::DEFAULT_TENANT;
use crate::engine::core::{self, State};
use crate::engine::store::Disk;
use crate::engine::writer::Engine;

use poll::Desk;
use waiting::Waiting;

pub use gate::{Caller, Gate, GateLayer};
pub use peer::{Connection, Peer};
use quotas::Quotas;

/// The largest request that is taken, in bytes of its encoding. A LittleHorse server has the same limit.
pub const LARGEST_REQUEST: usize = 1_047_000;

/// The largest message that is read off the wire at all, gRPC's own default.
pub const LARGEST_MESSAGE: usize = 4 * 1024 * 1024;

/// The services of one engine; a cheap clone.
#[derive(Clone)]
pub struct Services {
    engine: Engine,
    disk: Arc<dyn Disk>,
    host: Arc<Host>,
    closing: watch::Receiver<bool>,
    desk: Desk,
    quotas: Arc<Quotas>,
    waiting: Waiting,
    /// One backup, check or restore at a time.
    upkeep: Arc<Semaphore>,
}

impl Services {
    /// Serves `engine`, whose store is on `disk`. What does not change about the host stands in `host`; open streams
    /// end once `closing` holds true, because a host that stops waits for them.
    pub fn new(engine: Engine, disk: Arc<dyn Disk>, host: Host, closing: watch::Receiver<bool>) -> Self {
        let desk = Desk::new(engine.clone(), closing.clone());
        let quotas = Arc::default();
        let waiting = Waiting::new(engine.clone(), closing.clone());
        let upkeep = Arc::new(Semaphore::new(1));
        Self { engine, disk, host: Arc::new(host), closing, desk, quotas, waiting, upkeep }
    }

    /// Brings the default tenant into being, so that it can tell from the first call on since when it is there.
    pub async fn found(&self) {
        let stored = match self.engine.snapshot() {
            Ok(snapshot) => core::access::is_founded(&snapshot),
            Err(fault) => Err(fault.into()),
        };
        if stored != Ok(false) {
            return;
        }
        let actor = core::Actor { proof: core::Proof::Engine, ..Default::default() };
        let (tenant, at, seed) = (DEFAULT_TENANT.to_owned(), now_ms(), uuid::Uuid::new_v4().as_u128());
        let context = Context { tenant, actor, at, now: at, seed };
        let request = lh::PutTenantRequest { id: DEFAULT_TENANT.to_owned(), ..Default::default() };
        if let Err(refusal) = self.engine.command(Command { context, request: request.into() }).await {
            tracing::warn!("the default tenant waits for the first command: {refusal}");
        }
    }

    /// Looks at every call before the services do: its tenant, and the words of its refusal.
    pub fn gate(&self) -> GateLayer {
        GateLayer::new(self.engine.clone())
    }

    /// What a TCP listener serves: the LittleHorse API.
    pub fn public(&self) -> Routes {
        Routes::new(LittleHorseServer::new(self.clone()).max_decoding_message_size(LARGEST_MESSAGE))
    }

    /// What the socket and the pipe serve: the LittleHorse API and `ostler.v1`.
    pub fn local(&self) -> Routes {
        self.public().add_service(OstlerServer::new(self.clone()).max_decoding_message_size(LARGEST_MESSAGE))
    }

    async fn command<M, R>(&self, request: Request<M>) -> Result<Response<R>, Status>
    where
        M: Message + Into<core::command::Request>,
        R: TryFrom<Reply, Error = Refusal>,
    {
        let size = request.get_ref().encoded_len();
        if size > LARGEST_REQUEST {
            // Without RetryInfo: clients would repeat a request that can never pass.
            return Err(Status::resource_exhausted(format!(
                "The request has {size} bytes; the limit is {LARGEST_REQUEST}"
            )));
        }
        self.submit(request).await
    }

    /// Gives a request of any size to the writer.
    async fn submit<M, R>(&self, request: Request<M>) -> Result<Response<R>, Status>
    where
        M: Into<core::command::Request>,
        R: TryFrom<Reply, Error = Refusal>,
    {
        let caller = Caller::of(&request)?;
        let at = now_ms();
        self.count(&caller, at)?;
        let context =
            Context { tenant: caller.tenant, actor: caller.actor, at, now: at, seed: uuid::Uuid::new_v4().as_u128() };
        let command = Command { context, request: request.into_inner().into() };
        let reply = self.engine.command(command).await.map_err(status)?;
        Ok(Response::new(R::try_from(reply).map_err(status)?))
    }

    /// Counts a change against the quotas that hold its caller back.
    fn count(&self, caller: &Caller, at: i64) -> Result<(), Status> {
        if core::access::principal_of(&caller.actor).is_none() {
            return Ok(());
        }
        let restores = self.engine.restores();
        let snapshot = self.engine.snapshot().map_err(|fault| status(fault.into()))?;
        let limits = core::quota::limits(&snapshot, &caller.tenant, &caller.actor);
        self.quotas.admit(restores, &caller.tenant, &limits.map_err(|fault| status(fault.into()))?, at)
    }

    fn query<M, R>(
        &self,
        request: Request<M>,
        answer: impl FnOnce(&dyn State, &str, M) -> Result<R, Refusal>,
    ) -> Result<Response<R>, Status> {
        let caller = Caller::of(&request)?;
        let snapshot = self.engine.snapshot().map_err(|fault| status(fault.into()))?;
        answer(&snapshot, &caller.tenant, request.into_inner()).map(Response::new).map_err(status)
    }
}

/// A refusal as gRPC says it. What is the engine's own fault goes to the log as well.
fn status(refusal: Refusal) -> Status {
    if matches!(refusal.code, Code::Internal | Code::DataLoss | Code::Unavailable | Code::Unknown) {
        tracing::error!(code = ?refusal.code, "{}", refusal.message);
    }
    Status::new(refusal.code, brief(refusal.message))
}

/// A text that fits the header it is sent in. Clients close the connection, with everything else on it, when headers
/// exceed 8 or 16 KB, and a byte that is no ASCII takes three there.
fn brief(mut text: String) -> String {
    const MOST: usize = 2_000;
    let bytes = text.len();
    if bytes > MOST {
        let end = (0..=MOST).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        text.truncate(end);
        text.push_str(&format!("… ({bytes} bytes)"));
    }
    text
}

fn now_ms() -> i64 {
    // A clock before 1970 is answered with 1970: there is nothing better to record.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
