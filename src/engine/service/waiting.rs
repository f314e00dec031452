//! AwaitWorkflowEvent: callers wait here for what a WfRun throws.
//!
//! The events are stored, so one that was thrown before, be it in an earlier life of the engine, answers at once.
//! Commits tell of the others.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::{Semaphore, watch};
use tonic::Status;

use super::{Caller, status};
use crate::api::littlehorse as lh;
use crate::engine::core::{Refusal, event::Awaited, query};
use crate::engine::writer::{Committed, Engine};

/// Callers that wait at the same time.
const CALLERS: usize = 4096;
/// How long one waits at most. LittleHorse has the same limit.
const LONGEST: Duration = Duration::from_secs(60);

/// Everybody who waits for an event; clones are handles to the same.
#[derive(Clone)]
pub(super) struct Waiting {
    engine: Engine,
    closing: watch::Receiver<bool>,
    room: Arc<Semaphore>,
}

impl Waiting {
    pub(super) fn new(engine: Engine, closing: watch::Receiver<bool>) -> Self {
        Self { engine, closing, room: Arc::new(Semaphore::new(CALLERS)) }
    }

    /// Answers with the earliest event that fits; waits for the next one when there is none.
    pub(super) async fn event(
        &self,
        caller: Caller,
        request: lh::AwaitWorkflowEventRequest,
    ) -> Result<lh::WorkflowEvent, Status> {
        // Subscribed before the store is looked at: an event in between is told, not lost.
        let committed = self.engine.subscribe();
        let awaited = Awaited::new(request);
        if let Some(event) = self.stored(&caller, &awaited)? {
            return Ok(event);
        }
        let Ok(_room) = self.room.try_acquire() else {
            return Err(Status::resource_exhausted(format!("{CALLERS} callers wait for events already. Try again.")));
        };
        let mut closing = self.closing.clone();
        tokio::select! {
            event = self.next(&caller, &awaited, committed) => event,
            // Either it closes, or whoever could say so is gone.
            _ = closing.wait_for(|closing| *closing) => Err(Status::unavailable("The engine is stopping.")),
            () = tokio::time::sleep(LONGEST) => {
                let seconds = LONGEST.as_secs();
                Err(Status::deadline_exceeded(format!("No such workflow event was thrown within {seconds} seconds")))
            }
        }
    }

    async fn next(
        &self,
        caller: &Caller,
        awaited: &Awaited,
        mut committed: broadcast::Receiver<Committed>,
    ) -> Result<lh::WorkflowEvent, Status> {
        loop {
            let may_be_there = match committed.recv().await {
                Ok(committed) => {
                    committed.restored
                        || committed.thrown.iter().any(|(tenant, id)| *tenant == caller.tenant && awaited.takes(id))
                }
                Err(RecvError::Lagged(_)) => true,
                Err(RecvError::Closed) => return Err(Status::unavailable("The engine is stopping.")),
            };
            if may_be_there && let Some(event) = self.stored(caller, awaited)? {
                return Ok(event);
            }
        }
    }

    fn stored(&self, caller: &Caller, awaited: &Awaited) -> Result<Option<lh::WorkflowEvent>, Status> {
        let snapshot = self.engine.snapshot().map_err(|fault| status(Refusal::from(fault)))?;
        query::thrown_event(&snapshot, &caller.tenant, awaited).map_err(status)
    }
}
