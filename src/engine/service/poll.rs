//! PollTask: workers wait here for tasks.
//!
//! Each request of a stream is one waiting slot, answered exactly once. A slot is served by a command that takes the
//! first task of the queue, so a delivery is durable before the worker sees it. The queue itself is in the store:
//! nothing is rebuilt here at start, and nothing is asked repeatedly; commits tell which queues got something.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::Status;

use super::{Caller, now_ms, status};
use crate::api::{littlehorse as lh, store::v1 as store};
use crate::engine::core::command::{Command, Context};
use crate::engine::core::{Actor, Refusal, query};
use crate::engine::writer::{Committed, Engine};

/// Slots of one stream that wait or whose answers were not read yet. Workers ask for one task per thread they have.
const SLOTS_OF_STREAM: usize = 256;
/// Slots of all streams together.
const SLOTS: usize = 16_384;

/// What a worker asks on one stream.
pub(super) trait Requests: Stream<Item = Result<lh::PollTaskRequest, Status>> + Send + Unpin + 'static {}

impl<S: Stream<Item = Result<lh::PollTaskRequest, Status>> + Send + Unpin + 'static> Requests for S {}

/// The answers of one stream.
pub(super) type Answers = Pin<Box<dyn Stream<Item = Result<lh::PollTaskResponse, Status>> + Send>>;

/// An answer on its way, and the room it takes until the stream hands it on.
type Answer = (Result<lh::PollTaskResponse, Status>, Option<Room>);

/// Room for one slot: of its stream, and of all.
type Room = [OwnedSemaphorePermit; 2];

/// A queue: tenant and name of the TaskDef.
type Name = (String, String);

/// A worker that waits for one task.
struct Slot {
    stream: u64,
    answers: mpsc::UnboundedSender<Answer>,
    room: Room,
    actor: Actor,
    worker: lh::PollTaskRequest,
}

/// The slots that wait for one queue.
#[derive(Default)]
struct Waiting {
    slots: VecDeque<Slot>,
    /// Claims that are given to the writer and not answered yet.
    claiming: usize,
}

/// Everybody who waits for tasks; clones are handles to the same.
#[derive(Clone)]
pub(super) struct Desk {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    closing: watch::Receiver<bool>,
    queues: Mutex<BTreeMap<Name, Waiting>>,
    room: Arc<Semaphore>,
    streams: AtomicU64,
    listening: OnceLock<()>,
}

impl Desk {
    pub(super) fn new(engine: Engine, closing: watch::Receiver<bool>) -> Self {
        let inner = Inner {
            engine,
            closing,
            queues: Mutex::default(),
            room: Arc::new(Semaphore::new(SLOTS)),
            streams: AtomicU64::new(0),
            listening: OnceLock::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Serves one stream until either side ends it or the host stops.
    pub(super) fn serve(&self, caller: Caller, requests: impl Requests) -> Answers {
        self.listen();
        let (answers, stream) = mpsc::unbounded_channel();
        tokio::spawn(self.clone().take_in(caller, requests, answers));
        // The room is free again once the answer is handed on.
        Box::pin(UnboundedReceiverStream::new(stream).map(|(answer, _room)| answer))
    }

    /// Takes requests in until the stream ends; then its slots wait no more. What is being claimed for it is still
    /// answered: the answers end when the last of them is gone.
    async fn take_in(self, caller: Caller, mut requests: impl Requests, answers: mpsc::UnboundedSender<Answer>) {
        let stream = self.inner.streams.fetch_add(1, Ordering::Relaxed);
        let room = Arc::new(Semaphore::new(SLOTS_OF_STREAM));
        let mut closing = self.inner.closing.clone();
        let mut queues = BTreeSet::new();
        loop {
            let worker = tokio::select! {
                request = requests.next() => match request {
                    Some(Ok(worker)) => worker,
                    Some(Err(_)) | None => break,
                },
                () = answers.closed() => break,
                _ = closing.wait_for(|closing| *closing) => {
                    let _ = answers.send((Err(Status::unavailable("The engine is stopping.")), None));
                    break;
                }
            };
            let of_all = Arc::clone(&self.inner.room).try_acquire_owned();
            let (Ok(own), Ok(all)) = (Arc::clone(&room).try_acquire_owned(), of_all) else {
                let text = "Too many PollTask requests wait already: ask again when one is answered";
                let _ = answers.send((Err(Status::resource_exhausted(text)), None));
                break;
            };
            let name = (caller.tenant.clone(), worker.task_def_id.clone().unwrap_or_default().name);
            let (actor, answers) = (caller.actor.clone(), answers.clone());
            let slot = Slot { stream, answers, room: [own, all], actor, worker };
            self.queues().entry(name.clone()).or_default().slots.push_back(slot);
            self.hand_out(&name);
            queues.insert(name);
        }
        let mut waiting = self.queues();
        for name in queues {
            if let Some(queue) = waiting.get_mut(&name) {
                queue.slots.retain(|slot| slot.stream != stream);
                if queue.slots.is_empty() && queue.claiming == 0 {
                    waiting.remove(&name);
                }
            }
        }
    }

    fn queues(&self) -> MutexGuard<'_, BTreeMap<Name, Waiting>> {
        self.inner.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hears of commits from the first stream on.
    fn listen(&self) {
        self.inner.listening.get_or_init(|| {
            tokio::spawn(self.clone().hear(self.inner.engine.subscribe()));
        });
    }

    async fn hear(self, mut commits: broadcast::Receiver<Committed>) {
        let mut closing = self.inner.closing.clone();
        loop {
            let heard = tokio::select! {
                heard = commits.recv() => heard,
                _ = closing.wait_for(|closing| *closing) => return,
            };
            match heard {
                Ok(committed) if !committed.restored => {
                    committed.scheduled.iter().for_each(|name| self.hand_out(name));
                }
                // Any queue may have got something meanwhile.
                Ok(_) | Err(RecvError::Lagged(_)) => {
                    let names: Vec<Name> = self.queues().keys().cloned().collect();
                    names.iter().for_each(|name| self.hand_out(name));
                }
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// Claims as many tasks for waiting slots as a queue holds, first come, first served. Called whenever a slot or a
    /// task came, and whenever a claim was answered, so no pair of both is left waiting.
    fn hand_out(&self, name: &Name) {
        let mut queues = self.queues();
        let Some(queue) = queues.get_mut(name) else { return };
        if queue.slots.is_empty() {
            if queue.claiming == 0 {
                queues.remove(name);
            }
            return;
        }
        let wanted = queue.slots.len() + queue.claiming;
        let there = match self.queued(name, wanted) {
            Ok(there) => there,
            Err(refusal) => {
                for slot in queue.slots.drain(..) {
                    let _ = slot.answers.send((Err(lost(&refusal)), Some(slot.room)));
                }
                return;
            }
        };
        let ready = there.saturating_sub(queue.claiming).min(queue.slots.len());
        let mut slots = Vec::with_capacity(ready);
        while slots.len() < ready
            && let Some(slot) = queue.slots.pop_front()
        {
            // Nobody would hear the answer of a stream that is gone.
            if !slot.answers.is_closed() {
                slots.push(slot);
            }
        }
        queue.claiming += slots.len();
        drop(queues);
        for slot in slots {
            self.claim(name, slot);
        }
    }

    fn queued(&self, (tenant, task_def): &Name, limit: usize) -> Result<usize, Refusal> {
        query::queued_tasks(&self.inner.engine.snapshot()?, tenant, task_def, limit)
    }

    /// Claims one task for a slot. The command has its place in the order when this returns.
    fn claim(&self, name: &Name, slot: Slot) {
        let (at, seed) = (now_ms(), uuid::Uuid::new_v4().as_u128());
        let context = Context { tenant: name.0.clone(), actor: slot.actor.clone(), at, now: at, seed };
        let request = store::ClaimTask {
            task_def_name: name.1.clone(),
            task_worker_id: slot.worker.client_id.clone(),
            task_worker_version: slot.worker.task_worker_version.clone(),
        };
        let submitted = self.inner.engine.submit(Command { context, request: request.into() });
        let (desk, name) = (self.clone(), name.clone());
        tokio::spawn(async move {
            let answer = match submitted {
                Ok(answer) => answer.await.unwrap_or_else(|_| Err(Refusal::new(tonic::Code::Unavailable, "stopped"))),
                Err(refusal) => Err(refusal),
            };
            match answer.and_then(lh::PollTaskResponse::try_from) {
                Ok(response) if response.result.is_none() => desk.settle(&name, Some(slot)),
                Ok(response) => {
                    // Who went away between the claim and here runs into the timeout, as everybody who goes later.
                    let _ = slot.answers.send((Ok(response), Some(slot.room)));
                    desk.settle(&name, None);
                }
                Err(refusal) => {
                    let _ = slot.answers.send((Err(lost(&refusal)), Some(slot.room)));
                    desk.settle(&name, None);
                }
            }
        });
    }

    /// A claim was answered; a slot that got nothing waits on, in front.
    fn settle(&self, name: &Name, slot: Option<Slot>) {
        if let Some(queue) = self.queues().get_mut(name) {
            queue.claiming = queue.claiming.saturating_sub(1);
            if let Some(slot) = slot {
                queue.slots.push_front(slot);
            }
        }
        self.hand_out(name);
    }
}

/// What a worker is told when a claim failed: to come again.
fn lost(refusal: &Refusal) -> Status {
    status(Refusal::new(tonic::Code::Unavailable, refusal.message.clone()))
}

/// A heartbeat with the address that its worker is to poll: where it was sent to.
pub(super) fn heartbeat(
    request: lh::RegisterTaskWorkerRequest,
    address: Option<SocketAddr>,
) -> store::RegisterTaskWorker {
    let host = match address.map(|address| address.ip()) {
        // In brackets: clients write a colon and the port behind it.
        Some(IpAddr::V6(ip)) => format!("[{ip}]"),
        Some(IpAddr::V4(ip)) => ip.to_string(),
        None => String::new(),
    };
    store::RegisterTaskWorker {
        task_worker_id: request.task_worker_id,
        task_def_name: request.task_def_id.unwrap_or_default().name,
        host,
        port: address.map(|address| i32::from(address.port())).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests;
