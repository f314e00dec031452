//! `ostler restore` while a real `ostler serve` is at work: over the connections that are open, nothing is lost but
//! what came after the backup, and that is in the file that is kept.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ostler::api::littlehorse as lh;
use ostler::api::littlehorse::little_horse_client::LittleHorseClient;
use ostler::api::ostler::v1;
use ostler::api::ostler::v1::ostler_client::OstlerClient;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Streaming};

use super::upkeep::{Ground, has_runs};
use crate::store::server::Server;

type Client = LittleHorseClient<Channel>;

/// Nothing here takes nearly as long; a test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(30);

fn literal(value: lh::variable_value::Value) -> Option<lh::VariableAssignment> {
    let value = lh::VariableValue { value: Some(value) };
    let source = Some(lh::variable_assignment::Source::LiteralValue(value));
    Some(lh::VariableAssignment { source, ..Default::default() })
}

/// Registers a workflow of these nodes, one after the other.
async fn define(client: &mut Client, name: &str, nodes: Vec<lh::node::Node>) {
    let last = nodes.len() + 1;
    let start = lh::node::Node::Entrypoint(lh::EntrypointNode {});
    let end = lh::node::Node::Exit(lh::ExitNode { result: None });
    let nodes: BTreeMap<_, _> = std::iter::once(start)
        .chain(nodes)
        .chain([end])
        .enumerate()
        .map(|(at, node)| {
            let next = (at < last).then(|| lh::Edge { sink_node_name: format!("n{}", at + 1), ..Default::default() });
            let node = lh::Node { node: Some(node), outgoing_edges: next.into_iter().collect(), ..Default::default() };
            (format!("n{at}"), node)
        })
        .collect();
    let request = lh::PutWfSpecRequest {
        name: name.into(),
        entrypoint_thread_name: "main".into(),
        thread_specs: [("main".to_owned(), lh::ThreadSpec { nodes, ..Default::default() })].into(),
        ..Default::default()
    };
    client.put_wf_spec(request).await.unwrap();
}

/// The workflow `quick` has one task of the same name, `slow` one behind a second of sleep, `teller` throws `told`.
async fn define_all(client: &mut Client) {
    for name in ["quick", "slow"] {
        client.put_task_def(lh::PutTaskDefRequest { name: name.into(), ..Default::default() }).await.unwrap();
    }
    let told = lh::PutWorkflowEventDefRequest { name: "told".into(), content_type: None };
    client.put_workflow_event_def(told).await.unwrap();
    let task = |name: &str| {
        let id = lh::TaskDefId { name: name.into() };
        let task_to_execute = Some(lh::task_node::TaskToExecute::TaskDefId(id));
        lh::node::Node::Task(lh::TaskNode { task_to_execute, ..Default::default() })
    };
    let second = literal(lh::variable_value::Value::Int(1));
    let sleep =
        lh::node::Node::Sleep(lh::SleepNode { sleep_length: second.map(lh::sleep_node::SleepLength::RawSeconds) });
    let throw = lh::node::Node::ThrowEvent(lh::ThrowEventNode {
        event_def_id: Some(lh::WorkflowEventDefId { name: "told".into() }),
        content: literal(lh::variable_value::Value::Int(1)),
    });
    define(client, "quick", vec![task("quick")]).await;
    define(client, "slow", vec![sleep, task("slow")]).await;
    define(client, "teller", vec![throw]).await;
}

async fn run(client: &mut Client, spec: &str, id: &str) {
    let request = lh::RunWfRequest { wf_spec_name: spec.into(), id: Some(id.into()), ..Default::default() };
    client.run_wf(request).await.unwrap();
}

fn run_id(id: &str) -> lh::WfRunId {
    lh::WfRunId { id: id.into(), parent_wf_run_id: None }
}

async fn status(client: &mut Client, id: &str) -> Result<lh::LhStatus, Code> {
    client.get_wf_run(run_id(id)).await.map(|run| run.into_inner().status()).map_err(|status| status.code())
}

struct Worker {
    task_def: &'static str,
    asks: mpsc::UnboundedSender<lh::PollTaskRequest>,
    tasks: Streaming<lh::PollTaskResponse>,
}

impl Worker {
    async fn new(client: &mut Client, task_def: &'static str) -> Self {
        let (asks, requests) = mpsc::unbounded_channel();
        let tasks = client.poll_task(UnboundedReceiverStream::new(requests)).await.unwrap().into_inner();
        Self { task_def, asks, tasks }
    }

    fn ask(&self) {
        let task_def_id = Some(lh::TaskDefId { name: self.task_def.to_owned() });
        self.asks.send(lh::PollTaskRequest { task_def_id, client_id: "w".into(), ..Default::default() }).unwrap();
    }

    /// The id of the run whose task comes next; it is done at once.
    async fn work(&mut self, client: &mut Client) -> String {
        let answer = timeout(PATIENCE, self.tasks.message()).await.expect("a task").unwrap().unwrap();
        let task = answer.result.unwrap();
        let result = lh::VariableValue { value: Some(lh::variable_value::Value::Int(1)) };
        let report = lh::ReportTaskRun {
            task_run_id: task.task_run_id.clone(),
            status: lh::TaskStatus::TaskSuccess.into(),
            attempt_number: task.attempt_number,
            result: Some(lh::report_task_run::Result::Output(result)),
            ..Default::default()
        };
        client.report_task(report).await.unwrap();
        task.task_run_id.unwrap().wf_run_id.unwrap().id
    }
}

async fn told(mut client: Client) -> Result<lh::WorkflowEvent, tonic::Status> {
    let def = lh::WorkflowEventDefId { name: "told".into() };
    let request = lh::AwaitWorkflowEventRequest {
        wf_run_id: Some(run_id("teller")),
        event_def_ids: vec![def],
        workflow_events_to_ignore: vec![],
    };
    timeout(PATIENCE, client.await_workflow_event(request)).await.expect("an answer").map(tonic::Response::into_inner)
}

async fn next_change(changes: &mut Streaming<v1::Change>) -> v1::Change {
    timeout(PATIENCE, changes.message()).await.expect("a change").unwrap().unwrap()
}

fn kept_name(said: &str) -> String {
    let at = said.find("db.redb.before-restore-").unwrap_or_else(|| panic!("{said}"));
    said[at..].trim_end_matches(['.', '\n']).to_owned()
}

impl Ground {
    /// Runs it while this thread goes on serving the connections of the test.
    async fn ostler_meanwhile(&self, arguments: &[&str]) -> (i32, String) {
        tokio::task::block_in_place(|| self.ostler(arguments, "data"))
    }

    /// Whether the file that was kept has runs with these ids.
    fn kept_has(&self, kept: &str, ids: &[&str]) -> Vec<bool> {
        let place = self.path("kept");
        std::fs::create_dir_all(&place).unwrap();
        std::fs::rename(self.path("data").join(kept), place.join("db.redb")).unwrap();
        has_runs(&place, ids)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_is_restored_under_everybody_who_is_connected() {
    let ground = Ground::new();
    let mut server = Server::start(ground.0.path());
    let mut client = LittleHorseClient::new(server.over_tcp().await);
    define_all(&mut client).await;
    for id in ["quick", "slow", "teller"] {
        run(&mut client, id, id).await;
    }
    let (code, said) = ground.ostler_meanwhile(&["backup", "saved"]).await;
    assert_eq!(code, 0, "{said}");
    // Both tasks are done, and the run that told something is gone.
    let mut quick = Worker::new(&mut client, "quick").await;
    let mut slow = Worker::new(&mut client, "slow").await;
    for worker in [&mut quick, &mut slow] {
        worker.ask();
        assert_eq!(worker.work(&mut client).await, worker.task_def);
        assert_eq!(status(&mut client, worker.task_def).await, Ok(lh::LhStatus::Completed));
        worker.ask();
    }
    client.delete_wf_run(lh::DeleteWfRunRequest { id: Some(run_id("teller")) }).await.unwrap();
    let waiting = tokio::spawn(told(client.clone()));
    let mut ostler = OstlerClient::new(server.over_socket().await);
    let mut changes = ostler.watch(v1::WatchRequest {}).await.unwrap().into_inner();
    let first = next_change(&mut changes).await;
    run(&mut client, "teller", "late").await;

    let (code, said) = ground.ostler_meanwhile(&["restore", "saved"]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.starts_with("Restored "), "{said}");
    // The streams that were open go on, and tell of what the backup had.
    let mut change = next_change(&mut changes).await;
    while !change.missed {
        change = next_change(&mut changes).await;
    }
    assert!(change.tasks.is_empty() && change.sequence > first.sequence, "{change:?}");
    assert_eq!(waiting.await.unwrap().unwrap().id.unwrap().number, 0);
    assert_eq!(status(&mut client, "late").await, Err(Code::NotFound));
    // It was in the queue, and the sleep of the other ended since the backup.
    assert_eq!(quick.work(&mut client).await, "quick");
    assert_eq!(slow.work(&mut client).await, "slow");
    run(&mut client, "teller", "new").await;
    server.kill();

    let data = ground.path("data");
    assert_eq!(ground.ostler(&["doctor"], "data").0, 0);
    assert_eq!(has_runs(&data, &["quick", "new", "late"]), [true, true, false]);
    let kept = kept_name(&said);
    assert_eq!(ground.names("data"), ["db.redb", &kept, "engine.lock"]);
    assert_eq!(ground.kept_has(&kept, &["quick", "new", "late"]), [true, false, true]);
    // Once more over a store that was restored, from the start that follows.
    let server = Server::start(ground.0.path());
    let (code, said) = ground.ostler(&["restore", "saved"], "data");
    assert_eq!(code, 0, "{said}");
    drop(server);
    assert_eq!(has_runs(&data, &["teller", "new"]), [true, false]);
}

/// Every command that was answered is in the store that was kept, or, if it came after the step, in the new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_every_answer_is_on_one_side_of_a_restore() {
    let ground = Ground::new();
    let mut server = Server::start(ground.0.path());
    let mut client = LittleHorseClient::new(server.over_tcp().await);
    define_all(&mut client).await;
    assert_eq!(ground.ostler_meanwhile(&["backup", "saved"]).await.0, 0);
    let done = std::sync::Arc::new(AtomicBool::new(false));
    let load = tokio::spawn({
        let done = done.clone();
        async move {
            let mut given = 0;
            while !done.load(Ordering::Relaxed) {
                run(&mut client, "teller", &format!("run-{given}")).await;
                given += 1;
            }
            given
        }
    });
    let (code, said) = ground.ostler_meanwhile(&["restore", "saved"]).await;
    done.store(true, Ordering::Relaxed);
    let given = load.await.unwrap();
    assert_eq!(code, 0, "{said}");
    server.kill();
    let ids: Vec<String> = (0..given).map(|run| format!("run-{run}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let new = has_runs(&ground.path("data"), &ids);
    let old = ground.kept_has(&kept_name(&said), &ids);
    assert!(old.iter().any(|there| *there), "{given} given");
    assert!(old.is_sorted_by(|one, two| *one || !*two), "{old:?}");
    let other: Vec<bool> = old.iter().map(|there| !there).collect();
    assert_eq!(new, other, "what one has the other does not, and nothing is in neither");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_restored_changes_nothing_and_has_its_exit_code() {
    let ground = Ground::new();
    let server = Server::start(ground.0.path());
    let mut client = LittleHorseClient::new(server.over_tcp().await);
    define_all(&mut client).await;
    assert_eq!(ground.ostler_meanwhile(&["backup", "good"]).await.0, 0);
    run(&mut client, "teller", "late").await;
    let good = std::fs::read(ground.path("good")).unwrap();
    let mut changed = good.clone();
    changed[good.len() / 2] ^= 1;
    // Longer than what is on its way at once: the host says no while it is still being sent.
    let long = [&b"just some text"[..], &vec![b'x'; 20 << 20]].concat();
    for bad in [&good[..good.len() - 1], &[], &changed, &long] {
        std::fs::write(ground.path("bad"), bad).unwrap();
        let (code, said) = ground.ostler_meanwhile(&["restore", "bad"]).await;
        assert_eq!(code, 7, "{said}");
        assert!(said.contains("no whole backup"), "{said}");
    }
    assert_eq!(ground.ostler_meanwhile(&["restore", "missing"]).await.0, 7);
    // One of another store, which would take the drafts of this one for its own.
    let other = Ground::new();
    let foreign = Server::start(other.0.path());
    assert_eq!(other.ostler(&["backup", "foreign"], "data").0, 0);
    drop(foreign);
    std::fs::copy(other.path("foreign"), ground.path("foreign")).unwrap();
    let (code, said) = ground.ostler_meanwhile(&["restore", "foreign"]).await;
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("of another store") && said.contains("stop it first"), "{said}");
    assert_eq!(status(&mut client, "late").await, Ok(lh::LhStatus::Completed));
    assert_eq!(ground.names("data"), ["db.redb", "engine.lock"]);
    drop(server);
    let (code, said) = ground.ostler(&["restore", "foreign"], "data");
    assert_eq!(code, 0, "{said}");
}

/// One at a time; who goes away in the middle leaves nothing behind and keeps nobody waiting.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_who_goes_away_in_the_middle_restores_nothing() {
    let ground = Ground::new();
    let server = Server::start(ground.0.path());
    let mut client = LittleHorseClient::new(server.over_tcp().await);
    define_all(&mut client).await;
    assert_eq!(ground.ostler_meanwhile(&["backup", "saved"]).await.0, 0);
    run(&mut client, "teller", "late").await;
    let saved = std::fs::read(ground.path("saved")).unwrap();
    let mut ostler = OstlerClient::new(server.over_socket().await);
    let (parts, sent) = mpsc::unbounded_channel();
    parts.send(v1::RestorePart { data: saved[..saved.len() - 10].to_vec() }).unwrap();
    let call = tokio::spawn(async move { ostler.restore(UnboundedReceiverStream::new(sent)).await });
    let begun = || ground.names("data").iter().any(|name| name.starts_with("restore-"));
    timeout(PATIENCE, async {
        while !begun() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("it begins");
    let (code, said) = ground.ostler_meanwhile(&["restore", "saved"]).await;
    assert_eq!(code, 5, "{said}");
    assert!(said.contains("Try again later"), "{said}");
    call.abort();
    timeout(PATIENCE, async {
        while begun() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("it is cleaned up");
    assert_eq!(status(&mut client, "late").await, Ok(lh::LhStatus::Completed));
    // Its thread ends right after the files are gone.
    let restored = timeout(PATIENCE, async {
        loop {
            match ground.ostler_meanwhile(&["restore", "saved"]).await {
                (5, _) => {}
                other => return other,
            }
        }
    });
    let (code, said) = restored.await.unwrap();
    assert_eq!(code, 0, "{said}");
    assert_eq!(status(&mut client, "late").await, Err(Code::NotFound));
    drop(parts);
}
