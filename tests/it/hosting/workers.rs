//! Task workers over real streams: who gets what, what they are told, what a restart leaves.

use std::collections::BTreeSet;

use lh::TaskStatus;
use ostler::api::littlehorse as lh;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Code, Streaming};

use super::*;

type Client = LittleHorseClient<Channel>;

fn task_def(name: &str) -> Option<lh::TaskDefId> {
    Some(lh::TaskDefId { name: name.to_owned() })
}

/// Registers a TaskDef `td` and a workflow `flow` of one such task.
async fn define(client: &mut Client) {
    client.put_task_def(lh::PutTaskDefRequest { name: "td".into(), ..Default::default() }).await.unwrap();
    let id = task_def("td").unwrap_or_default();
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
    let request = lh::PutWfSpecRequest {
        name: "flow".into(),
        entrypoint_thread_name: "main".into(),
        thread_specs: [("main".to_owned(), lh::ThreadSpec { nodes, ..Default::default() })].into(),
        ..Default::default()
    };
    client.put_wf_spec(request).await.unwrap();
}

async fn run(client: &mut Client, id: usize) {
    let request = lh::RunWfRequest { wf_spec_name: "flow".into(), id: Some(id.to_string()), ..Default::default() };
    client.run_wf(request).await.unwrap();
}

struct Worker {
    asks: mpsc::UnboundedSender<lh::PollTaskRequest>,
    tasks: Streaming<lh::PollTaskResponse>,
}

impl Worker {
    async fn new(client: &mut Client) -> Self {
        let (asks, requests) = mpsc::unbounded_channel();
        let tasks = client.poll_task(UnboundedReceiverStream::new(requests)).await.unwrap().into_inner();
        Self { asks, tasks }
    }

    fn ask(&self) {
        let request =
            lh::PollTaskRequest { task_def_id: task_def("td"), client_id: "worker".into(), ..Default::default() };
        self.asks.send(request).unwrap();
    }

    async fn next(&mut self) -> Result<Option<lh::ScheduledTask>, Code> {
        let answer = timeout(PATIENCE, self.tasks.message()).await.expect("an answer");
        answer.map(|answer| answer.map(|answer| answer.result.expect("no empty answers"))).map_err(|s| s.code())
    }
}

fn run_of(task: &lh::ScheduledTask) -> usize {
    task.task_run_id.as_ref().unwrap().wf_run_id.as_ref().unwrap().id.parse().unwrap()
}

async fn report(client: &mut Client, task: &lh::ScheduledTask, output: lh::variable_value::Value) {
    let output = lh::VariableValue { value: Some(output) };
    let report = lh::ReportTaskRun {
        task_run_id: task.task_run_id.clone(),
        status: TaskStatus::TaskSuccess.into(),
        attempt_number: task.attempt_number,
        result: Some(lh::report_task_run::Result::Output(output)),
        ..Default::default()
    };
    client.report_task(report).await.unwrap();
}

#[tokio::test]
async fn workers_on_every_listener_share_the_work() {
    const EACH: usize = 10;
    let ground = Ground::new();
    let handle = ground.start();
    let mut clients =
        [over_tcp(&handle).await, over_socket(handle.socket()).await, over_pipe(&handle).await].map(client);
    define(&mut clients[0]).await;
    let mut workers = Vec::new();
    for client in &mut clients {
        workers.push(Worker::new(client).await);
    }
    workers.iter().for_each(Worker::ask);
    for number in 0..3 * EACH {
        run(&mut clients[number % 3], number).await;
    }
    let mut done = BTreeSet::new();
    for _ in 0..EACH {
        for (worker, client) in workers.iter_mut().zip(&mut clients) {
            let task = worker.next().await.unwrap().unwrap();
            worker.ask();
            report(client, &task, lh::variable_value::Value::Int(1)).await;
            assert!(done.insert(run_of(&task)), "given twice");
            let id = lh::WfRunId { id: run_of(&task).to_string(), parent_wf_run_id: None };
            let ended = client.get_wf_run(id).await.unwrap().into_inner();
            assert_eq!(ended.status(), lh::LhStatus::Completed, "the run goes on before the report is answered");
        }
    }
    assert_eq!(done.len(), 3 * EACH);
    timeout(PATIENCE, handle.stop()).await.expect("waiting workers do not hold the end up");
    for worker in &mut workers {
        assert_eq!(worker.next().await, Err(Code::Unavailable));
    }
}

#[tokio::test]
async fn a_queue_outlives_its_host_and_a_claimed_task_stays_claimed() {
    let ground = Ground::new();
    let handle = ground.start();
    let mut first = client(over_tcp(&handle).await);
    define(&mut first).await;
    for number in 0..3 {
        run(&mut first, number).await;
    }
    let mut worker = Worker::new(&mut first).await;
    worker.ask();
    let claimed = worker.next().await.unwrap().unwrap();
    handle.stop().await;

    let handle = ground.start();
    let mut second = client(over_tcp(&handle).await);
    let mut worker = Worker::new(&mut second).await;
    worker.ask();
    worker.ask();
    let got = [worker.next().await.unwrap().unwrap(), worker.next().await.unwrap().unwrap()];
    assert_eq!((run_of(&claimed), got.each_ref().map(run_of)), (0, [1, 2]));
    report(&mut second, &claimed, lh::variable_value::Value::Int(1)).await;
    let task = second.get_task_run(claimed.task_run_id.unwrap()).await.unwrap().into_inner();
    assert_eq!(task.status(), TaskStatus::TaskSuccess, "its worker may report to the next host");
    handle.stop().await;
}

#[tokio::test]
async fn a_result_that_is_too_large_is_answered_and_ends_its_task() {
    let ground = Ground::new();
    let handle = ground.start();
    let mut client = client(over_tcp(&handle).await);
    define(&mut client).await;
    run(&mut client, 0).await;
    let mut worker = Worker::new(&mut client).await;
    worker.ask();
    let task = worker.next().await.unwrap().unwrap();
    report(&mut client, &task, lh::variable_value::Value::Str("x".repeat(2 << 20))).await;
    let task = client.get_task_run(task.task_run_id.unwrap()).await.unwrap().into_inner();
    assert_eq!(task.status(), TaskStatus::TaskOutputSerdeError);
    handle.stop().await;
}

#[tokio::test]
async fn a_worker_is_told_to_poll_where_it_can() {
    let ground = Ground::new();
    let handle = ground.start();
    let address = handle.listen().expect("an address");
    let told = lh::LhHostInfo { host: "127.0.0.1".into(), port: address.port().into() };
    let channels = [over_tcp(&handle).await, over_socket(handle.socket()).await, over_pipe(&handle).await];
    for channel in channels {
        let request = lh::RegisterTaskWorkerRequest { task_worker_id: "w".into(), task_def_id: task_def("td") };
        let answer = client(channel).register_task_worker(request).await.unwrap().into_inner();
        assert_eq!((answer.your_hosts, answer.is_cluster_healthy), (vec![told.clone()], None));
    }
    handle.stop().await;

    let handle = host::start(ground.options()).expect("a host");
    let request = lh::RegisterTaskWorkerRequest { task_worker_id: "w".into(), task_def_id: task_def("td") };
    let mut client = client(over_socket(handle.socket()).await);
    let answer = client.register_task_worker(request).await.unwrap().into_inner();
    assert_eq!(answer.your_hosts, [], "there is no address to dial");
    handle.stop().await;
}
