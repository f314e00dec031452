//! `ostler.v1`: what one ostler tells another beside the LittleHorse API.

use std::ops::ControlFlow;
use std::pin::Pin;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc, watch};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::{Caller, Services, status};
use crate::api::ostler::v1::ostler_server::Ostler;
use crate::api::ostler::v1::{
    BackupPart, BackupRequest, Change, CheckStoreRequest, CountTasksRequest, Host, ListTasksRequest, PruneProgress,
    PruneRunsRequest, RestorePart, RestoreReport, StoreReport, TaskCounts, TaskPage, WatchRequest,
};
use crate::engine::core::{Fault, Order, State, Table, id, query};
use crate::engine::writer::Committed;

/// Timers are counted up to here; beyond, the exact number is of no use to anybody who asks.
const COUNTED_TIMERS: u64 = 100_000;

/// Changes that wait for one slow watcher before it misses some.
const CHANGES_IN_FLIGHT: usize = 16;

#[tonic::async_trait]
impl Ostler for Services {
    async fn get_host(&self, _: Request<()>) -> Result<Response<Host>, Status> {
        let snapshot = self.engine.snapshot().map_err(|fault| status(fault.into()))?;
        let pending_timers = timers(&snapshot).map_err(|fault| status(fault.into()))?;
        let host = Host { writable: self.engine.is_writable(), pending_timers, ..Host::clone(&self.host) };
        Ok(Response::new(host))
    }

    async fn list_tasks(&self, request: Request<ListTasksRequest>) -> Result<Response<TaskPage>, Status> {
        self.query(request, query::list_tasks)
    }

    async fn count_tasks(&self, request: Request<CountTasksRequest>) -> Result<Response<TaskCounts>, Status> {
        self.query(request, query::count_tasks)
    }

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Watching>, Status> {
        let _caller = Caller::of(&request)?;
        // Subscribed before the sequence is read: a change in between is told, not lost.
        let changes = self.engine.subscribe();
        let first = Change { sequence: self.engine.sequence(), ..Change::default() };
        let (told, stream) = mpsc::channel(CHANGES_IN_FLIGHT);
        tokio::spawn(tell(first, changes, told, self.closing.clone()));
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }

    async fn backup(&self, request: Request<BackupRequest>) -> Result<Response<Parts>, Status> {
        let _caller = Caller::of(&request)?;
        Ok(Response::new(Box::pin(ReceiverStream::new(self.start_backup()?))))
    }

    async fn restore(&self, request: Request<Streaming<RestorePart>>) -> Result<Response<RestoreReport>, Status> {
        let _caller = Caller::of(&request)?;
        self.restore_from(request.into_inner()).await.map(Response::new)
    }

    async fn prune_runs(&self, request: Request<PruneRunsRequest>) -> Result<Response<Pruning>, Status> {
        let _caller = Caller::of(&request)?;
        let PruneRunsRequest { finished_before, dry_run } = request.into_inner();
        let before =
            finished_before.ok_or_else(|| Status::invalid_argument("Missing required argument 'finished_before'"))?;
        Ok(Response::new(Box::pin(ReceiverStream::new(self.start_prune(id::milliseconds(&before), dry_run)))))
    }

    async fn check_store(&self, request: Request<CheckStoreRequest>) -> Result<Response<StoreReport>, Status> {
        let _caller = Caller::of(&request)?;
        self.look_over_store().await.map(Response::new)
    }
}

type Pruning = Pin<Box<dyn Stream<Item = Result<PruneProgress, Status>> + Send>>;
type Parts = Pin<Box<dyn Stream<Item = Result<BackupPart, Status>> + Send>>;
type Watching = Pin<Box<dyn Stream<Item = Result<Change, Status>> + Send>>;

/// Tells a watcher what is committed, until it goes away or the host stops.
async fn tell(
    first: Change,
    mut changes: broadcast::Receiver<Committed>,
    told: mpsc::Sender<Result<Change, Status>>,
    mut closing: watch::Receiver<bool>,
) {
    let told = &told;
    let tell_all = async {
        let mut sequence = first.sequence;
        let mut change = first;
        while told.send(Ok(change)).await.is_ok() {
            change = match changes.recv().await {
                Ok(committed) => {
                    sequence = committed.sequence;
                    Change { sequence, tasks: committed.tasks.to_vec(), missed: committed.restored }
                }
                Err(RecvError::Lagged(_)) => Change { sequence, tasks: Vec::new(), missed: true },
                Err(RecvError::Closed) => return,
            };
        }
    };
    tokio::select! {
        () = tell_all => {}
        () = told.closed() => {}
        // The end of the stream without an error would look like a wish to be asked again here.
        _ = closing.wait_for(|closing| *closing) => {
            let _ = told.try_send(Err(Status::unavailable("The engine is stopping.")));
        }
    }
}

fn timers(state: &dyn State) -> Result<u64, Fault> {
    let mut count = 0;
    state.scan(Table::Timer, &[], None, Order::Ascending, &mut |_, _| {
        count += 1;
        if count < COUNTED_TIMERS { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(count)
}
