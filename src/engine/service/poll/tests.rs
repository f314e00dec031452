//! The desk with workers that come and go, above a real engine.

use std::future::Future;
use std::time::Duration;

use tokio::time::timeout;
use tonic::Code;

use super::*;
use crate::engine::core::command::{Reply, Request};
use crate::engine::store::RealDisk;
use crate::engine::writer::EngineOptions;

/// Nothing here takes nearly as long; a test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);

async fn soon<T>(wanted: impl Future<Output = T>) -> T {
    timeout(PATIENCE, wanted).await.expect("this comes soon")
}

struct World {
    engine: Engine,
    desk: Desk,
    closing: watch::Sender<bool>,
    _directory: tempfile::TempDir,
}

impl World {
    /// With a TaskDef `td` and a workflow `flow` of this one task.
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let disk = RealDisk::new(directory.path());
        let engine = Engine::open(&disk, EngineOptions::default()).unwrap();
        let (closing, seen) = watch::channel(false);
        let desk = Desk::new(engine.clone(), seen);
        let world = Self { engine, desk, closing, _directory: directory };
        world.give(lh::PutTaskDefRequest { name: "td".into(), ..Default::default() }).await;
        let id = lh::TaskDefId { name: "td".into() };
        let task =
            lh::TaskNode { task_to_execute: Some(lh::task_node::TaskToExecute::TaskDefId(id)), ..Default::default() };
        let node = |node, next: Option<&str>| {
            let edge = next.map(|next| lh::Edge { sink_node_name: next.into(), ..Default::default() });
            lh::Node { node: Some(node), outgoing_edges: edge.into_iter().collect(), ..Default::default() }
        };
        let nodes = [
            ("a", node(lh::node::Node::Entrypoint(lh::EntrypointNode {}), Some("b"))),
            ("b", node(lh::node::Node::Task(task), Some("c"))),
            ("c", node(lh::node::Node::Exit(lh::ExitNode { result: None }), None)),
        ];
        let nodes = nodes.map(|(name, node)| (name.to_owned(), node)).into();
        let thread = lh::ThreadSpec { nodes, ..Default::default() };
        world
            .give(lh::PutWfSpecRequest {
                name: "flow".into(),
                entrypoint_thread_name: "main".into(),
                thread_specs: [("main".to_owned(), thread)].into(),
                ..Default::default()
            })
            .await;
        world
    }

    async fn give(&self, request: impl Into<Request>) -> Reply {
        let (at, seed) = (now_ms(), uuid::Uuid::new_v4().as_u128());
        let context = Context { tenant: "default".into(), actor: Actor::default(), at, now: at, seed };
        soon(self.engine.command(Command { context, request: request.into() })).await.unwrap()
    }

    async fn run(&self, id: &str) {
        let request = lh::RunWfRequest { wf_spec_name: "flow".into(), id: Some(id.into()), ..Default::default() };
        self.give(request).await;
    }

    fn worker(&self, name: &str) -> Worker {
        let (asks, requests) = mpsc::unbounded_channel();
        let caller = Caller { tenant: "default".into(), actor: Actor::default(), address: None };
        let answers = self.desk.serve(caller, UnboundedReceiverStream::new(requests));
        Worker { name: name.to_owned(), asks, answers }
    }

    /// Returns once so many requests wait at the desk.
    async fn waiting(&self, slots: usize) {
        let there = || self.desk.queues().values().map(|queue| queue.slots.len()).sum::<usize>();
        soon(async {
            while there() != slots {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    async fn statuses(&self, runs: usize) -> Vec<lh::TaskStatus> {
        let snapshot = self.engine.snapshot().unwrap();
        let of = |run: usize| {
            let wf_run_id = Some(lh::WfRunId { id: run.to_string(), parent_wf_run_id: None });
            let id = lh::TaskRunId { wf_run_id, task_guid: "0-1".into() };
            query::get_task_run(&snapshot, "default", id).unwrap().status()
        };
        (0..runs).map(of).collect()
    }
}

struct Worker {
    name: String,
    asks: mpsc::UnboundedSender<Result<lh::PollTaskRequest, Status>>,
    answers: Answers,
}

impl Worker {
    fn ask(&self) {
        let task_def_id = Some(lh::TaskDefId { name: "td".into() });
        let request = lh::PollTaskRequest { task_def_id, client_id: self.name.clone(), ..Default::default() };
        self.asks.send(Ok(request)).unwrap();
    }

    /// The run of the next task; none at the end of the stream.
    async fn next(&mut self) -> Result<Option<String>, Code> {
        match soon(self.answers.next()).await {
            None => Ok(None),
            Some(Err(status)) => Err(status.code()),
            Some(Ok(response)) => {
                let task = response.result.expect("an empty answer lets workers sleep");
                Ok(Some(task.task_run_id.unwrap().wf_run_id.unwrap().id))
            }
        }
    }
}

fn run(id: &str) -> Result<Option<String>, Code> {
    Ok(Some(id.to_owned()))
}

#[tokio::test]
async fn who_waits_first_is_served_first() {
    let world = World::new().await;
    let (mut ann, mut bob) = (world.worker("ann"), world.worker("bob"));
    ann.ask();
    ann.ask();
    world.waiting(2).await;
    bob.ask();
    world.waiting(3).await;
    for id in ["0", "1", "2"] {
        world.run(id).await;
    }
    assert_eq!((ann.next().await, ann.next().await, bob.next().await), (run("0"), run("1"), run("2")));
    world.run("3").await;
    bob.ask();
    assert_eq!(bob.next().await, run("3"), "what waits already is given at once");
    world.waiting(0).await;
    assert!(world.desk.queues().is_empty(), "nothing is kept of a queue that nobody waits for");
}

#[tokio::test]
async fn every_task_goes_to_one_of_many_workers_and_every_request_gets_one_task() {
    const WORKERS: usize = 8;
    const EACH: usize = 6;
    let world = World::new().await;
    let mut workers: Vec<Worker> = (0..WORKERS).map(|number| world.worker(&number.to_string())).collect();
    // Some tasks are there first, some requests are, and most come at the same time.
    for number in 0..10 {
        world.run(&number.to_string()).await;
    }
    workers.iter().for_each(|worker| (0..EACH).for_each(|_| worker.ask()));
    for number in 10..WORKERS * EACH {
        world.run(&number.to_string()).await;
    }
    let mut got = BTreeSet::new();
    for worker in &mut workers {
        for _ in 0..EACH {
            assert!(got.insert(worker.next().await.unwrap().unwrap()), "given twice");
        }
    }
    assert_eq!(got.len(), WORKERS * EACH);
    assert!(world.statuses(WORKERS * EACH).await.iter().all(|status| *status == lh::TaskStatus::TaskRunning));
}

#[tokio::test]
async fn who_goes_away_waits_no_more() {
    let world = World::new().await;
    let gone = world.worker("gone");
    let mut half = world.worker("half");
    gone.ask();
    half.ask();
    world.waiting(2).await;
    drop(gone);
    world.waiting(1).await;
    let Worker { asks, .. } = &mut half;
    *asks = mpsc::unbounded_channel().0;
    assert_eq!(half.next().await, Ok(None), "a stream that is closed on one side ends on the other");
    world.waiting(0).await;
    world.run("0").await;
    assert_eq!(world.statuses(1).await, [lh::TaskStatus::TaskScheduled]);
    let mut stays = world.worker("stays");
    stays.ask();
    assert_eq!(stays.next().await, run("0"));
}

#[tokio::test]
async fn what_was_claimed_before_the_end_of_the_requests_is_still_answered() {
    let world = World::new().await;
    world.run("0").await;
    let mut worker = world.worker("worker");
    worker.ask();
    worker.asks = mpsc::unbounded_channel().0;
    assert_eq!((worker.next().await, worker.next().await), (run("0"), Ok(None)));
}

#[tokio::test]
async fn the_end_of_the_host_ends_the_streams() {
    let world = World::new().await;
    let mut worker = world.worker("worker");
    worker.ask();
    world.waiting(1).await;
    world.closing.send_replace(true);
    assert_eq!((worker.next().await, worker.next().await), (Err(Code::Unavailable), Ok(None)));
    world.waiting(0).await;
}

#[tokio::test]
async fn a_claim_that_fails_tells_the_worker_to_come_again() {
    let world = World::new().await;
    world.run("0").await;
    world.engine.close().await;
    let mut worker = world.worker("worker");
    worker.ask();
    assert_eq!(worker.next().await, Err(Code::Unavailable));
}

#[tokio::test]
async fn one_stream_waits_for_so_many_tasks_and_no_more() {
    let world = World::new().await;
    let mut greedy = world.worker("greedy");
    (0..SLOTS_OF_STREAM).for_each(|_| greedy.ask());
    world.waiting(SLOTS_OF_STREAM).await;
    world.run("0").await;
    assert_eq!(greedy.next().await, run("0"));
    greedy.ask();
    world.waiting(SLOTS_OF_STREAM).await;
    greedy.ask();
    assert_eq!((greedy.next().await, greedy.next().await), (Err(Code::ResourceExhausted), Ok(None)));
    world.waiting(0).await;
    assert_eq!(world.desk.inner.room.available_permits(), SLOTS);
}

#[test]
fn a_worker_is_told_an_address_in_the_form_that_clients_dial() {
    let request = lh::RegisterTaskWorkerRequest {
        task_worker_id: "w".into(),
        task_def_id: Some(lh::TaskDefId { name: "td".into() }),
    };
    for (address, host, port) in
        [(Some("127.0.0.1:2023"), "127.0.0.1", 2023), (Some("[::1]:2024"), "[::1]", 2024), (None, "", 0)]
    {
        let beat = heartbeat(request.clone(), address.map(|address| address.parse().unwrap()));
        assert_eq!((beat.host.as_str(), beat.port), (host, port), "{address:?}");
    }
}
