//! kill -9 of the real program, through its real socket.
//!
//! Each client works through the life of tasks of its own and writes down what was acknowledged. A command that was in
//! flight when the server died may or may not have happened; everything else must be there, in order, and nothing more.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ostler::api::littlehorse as lh;
use ostler::api::littlehorse::little_horse_client::LittleHorseClient;
use ostler::api::ostler::v1;
use ostler::api::ostler::v1::ostler_client::OstlerClient;
use ostler::engine::core;
use ostler::engine::store::RealDisk;
use ostler::engine::writer::{Engine, EngineOptions};
use tokio::sync::Notify;
use tonic::transport::Channel;

use super::random::Random;
use super::server::Server;
use super::workload::{results, run_wf, task_def, wf_spec};

const ROUNDS: usize = 20;
const CLIENTS: usize = 4;

/// One thing that a client does to a task, and the mark that it leaves in the audit trail.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Run,
    Claim(&'static str),
    Save(String),
    Comment(String),
    Complete,
    Cancel,
}

/// What one client knows of one task.
#[derive(Clone, Debug, Default)]
struct Ledger {
    acknowledged: Vec<Step>,
    in_flight: Option<Step>,
}

type Book = BTreeMap<String, Ledger>;

fn task_id(run: &str) -> Option<lh::UserTaskRunId> {
    let wf_run_id = Some(lh::WfRunId { id: run.into(), parent_wf_run_id: None });
    Some(lh::UserTaskRunId { wf_run_id, user_task_guid: "0-1".into() })
}

async fn take(server: &mut LittleHorseClient<Channel>, run: &str, step: &Step) -> Result<(), tonic::Status> {
    let user_task_run_id = task_id(run);
    let user_id = "amy".to_owned();
    match step {
        Step::Run => server.run_wf(run_wf(run, "a subject")).await.map(drop),
        Step::Claim(person) => {
            let user_id = Some((*person).to_owned());
            let request =
                lh::AssignUserTaskRunRequest { user_task_run_id, override_claim: true, user_group: None, user_id };
            server.assign_user_task_run(request).await.map(drop)
        }
        Step::Save(text) => {
            let request = lh::SaveUserTaskRunProgressRequest {
                user_task_run_id,
                results: results(text),
                user_id,
                policy: lh::save_user_task_run_progress_request::SaveUserTaskRunAssignmentPolicy::IgnoreClaim.into(),
            };
            server.save_user_task_run_progress(request).await.map(drop)
        }
        Step::Comment(comment) => {
            let request = lh::PutUserTaskRunCommentRequest { user_task_run_id, user_id, comment: comment.clone() };
            server.put_user_task_run_comment(request).await.map(drop)
        }
        Step::Complete => {
            let results = results("final");
            let request = lh::CompleteUserTaskRunRequest { user_task_run_id, results, user_id };
            server.complete_user_task_run(request).await.map(drop)
        }
        Step::Cancel => server.cancel_user_task_run(lh::CancelUserTaskRunRequest { user_task_run_id }).await.map(drop),
    }
}

/// The steps of a life, chosen by the seed.
fn life(random: &mut Random) -> Vec<Step> {
    let mut steps = vec![Step::Run, Step::Claim("amy")];
    for number in 0..random.below(4) {
        steps.push(match random.below(3) {
            0 => Step::Save(format!("draft {number} {}", "x".repeat(random.below(2_000)))),
            1 => Step::Comment(format!("comment {number}")),
            // Never to the one who has it: that would leave no mark.
            _ if steps.iter().rev().find_map(claimed) == Some("amy") => Step::Claim("bob"),
            _ => Step::Claim("amy"),
        });
    }
    match random.below(3) {
        0 => steps.push(Step::Cancel),
        1 => {
            if steps.iter().rev().find_map(claimed) == Some("bob") {
                steps.push(Step::Claim("amy"));
            }
            steps.push(Step::Complete);
        }
        _ => {}
    }
    steps
}

fn claimed(step: &Step) -> Option<&'static str> {
    match step {
        Step::Claim(person) => Some(person),
        _ => None,
    }
}

/// Works until the server is gone.
async fn work(
    mut server: LittleHorseClient<Channel>,
    name: String,
    mut random: Random,
    acknowledged: Arc<AtomicUsize>,
    told: Arc<Notify>,
) -> Book {
    let mut book = Book::new();
    for number in 0.. {
        let run = format!("{name}-{number}");
        for step in life(&mut random) {
            let ledger = book.entry(run.clone()).or_default();
            ledger.in_flight = Some(step.clone());
            match take(&mut server, &run, &step).await {
                Ok(()) => ledger.acknowledged.extend(ledger.in_flight.take()),
                Err(status) if status.code() == tonic::Code::Unavailable || status.code() == tonic::Code::Unknown => {
                    return book;
                }
                Err(status) => panic!("{run} {step:?}: {status}"),
            }
            acknowledged.fetch_add(1, Ordering::SeqCst);
            told.notify_one();
        }
    }
    book
}

/// The audit trail as steps; the first event is the arrival itself.
fn trail(task: &lh::UserTaskRun) -> Vec<Step> {
    use lh::user_task_event::Event;
    let text = |values: &BTreeMap<String, lh::VariableValue>| match values.get("reason").and_then(|v| v.value.clone()) {
        Some(lh::variable_value::Value::Str(text)) => text,
        other => panic!("{other:?}"),
    };
    let step = |event: &lh::UserTaskEvent| match event.event.clone().unwrap() {
        Event::Assigned(assigned) if assigned.new_user_id.as_deref() == Some("amy") => Step::Claim("amy"),
        Event::Assigned(assigned) if assigned.new_user_id.as_deref() == Some("bob") => Step::Claim("bob"),
        Event::Assigned(_) => Step::Run,
        Event::Saved(saved) => Step::Save(text(&saved.results)),
        Event::CommentAdded(comment) => Step::Comment(comment.comment),
        Event::Completed(_) => Step::Complete,
        Event::Cancelled(_) => Step::Cancel,
        other => panic!("nobody asked for {other:?}"),
    };
    task.events.iter().map(step).collect()
}

/// Every task is where its client left it, or one step further.
async fn verify(server: &mut LittleHorseClient<Channel>, book: &mut Book) -> BTreeMap<i32, u64> {
    let mut statuses = BTreeMap::new();
    let mut never_ran = Vec::new();
    for (run, ledger) in book.iter_mut() {
        let found = match server.get_user_task_run(task_id(run).unwrap()).await {
            Ok(task) => {
                let task = task.into_inner();
                for status in [Some(task.status), (task.status == DONE).then_some(UNASSIGNED)].into_iter().flatten() {
                    // A completed task is followed by the second one of its run.
                    *statuses.entry(status).or_default() += 1;
                }
                trail(&task)
            }
            Err(status) if status.code() == tonic::Code::NotFound => Vec::new(),
            Err(status) => panic!("{run}: {status}"),
        };
        let and_more: Vec<_> = ledger.acknowledged.iter().chain(&ledger.in_flight).cloned().collect();
        assert!(
            found == ledger.acknowledged || found == and_more,
            "{run}: found {found:?}, acknowledged {:?}, in flight {:?}",
            ledger.acknowledged,
            ledger.in_flight
        );
        if found.is_empty() {
            never_ran.push(run.clone());
        }
        *ledger = Ledger { acknowledged: found, in_flight: None };
    }
    for run in never_ran {
        book.remove(&run);
    }
    statuses
}

const DONE: i32 = lh::UserTaskRunStatus::Done as i32;
const UNASSIGNED: i32 = lh::UserTaskRunStatus::Unassigned as i32;

/// The counters say what the tasks say.
async fn verify_counts(server: &Server, statuses: &BTreeMap<i32, u64>) {
    let all = [lh::UserTaskRunStatus::Unassigned, lh::UserTaskRunStatus::Assigned, lh::UserTaskRunStatus::Done]
        .into_iter()
        .chain([lh::UserTaskRunStatus::Cancelled]);
    let all: Vec<i32> = all.map(i32::from).collect();
    let filters = all.iter().map(|status| v1::TaskFilter { statuses: vec![*status], ..Default::default() }).collect();
    let mut client = OstlerClient::new(server.over_socket().await);
    let counts = client.count_tasks(v1::CountTasksRequest { filters }).await.unwrap().into_inner().counts;
    let expected: Vec<_> = all.iter().map(|status| statuses.get(status).copied().unwrap_or_default()).collect();
    assert_eq!(counts, expected, "of {all:?}");
}

async fn round(root: &Path, round: usize, random: &mut Random, book: &mut Book) {
    let mut server = Server::start(root);
    let mut client = LittleHorseClient::new(server.over_socket().await);
    let statuses = verify(&mut client, book).await;
    verify_counts(&server, &statuses).await;
    if round == 0 {
        client.put_user_task_def(task_def("a form")).await.unwrap();
        client.put_wf_spec(wf_spec("finance")).await.unwrap();
    }
    let (acknowledged, told) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let mut clients = tokio::task::JoinSet::new();
    for number in 0..CLIENTS {
        let client = LittleHorseClient::new(server.over_socket().await);
        let name = format!("round{round}-client{number}");
        clients.spawn(work(client, name, random.fork(), acknowledged.clone(), told.clone()));
    }
    // Somewhere between the first and the hundredth answer.
    let enough = 1 + random.below(100);
    while acknowledged.load(Ordering::SeqCst) < enough {
        tokio::select! {
            () = told.notified() => {}
            // A client ends only with the server: it met something that it did not expect.
            Some(ended) = clients.join_next() => panic!("a client ended before the server: {ended:?}"),
        }
    }
    server.kill();
    while let Some(done) = clients.join_next().await {
        book.extend(done.unwrap());
    }
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_the_program_is_killed() {
    let seed = super::seed();
    println!("OSTLER_SIM_SEED={seed}");
    let mut random = Random::new(seed);
    let root = tempfile::tempdir().unwrap();
    let mut book = Book::new();
    for number in 0..ROUNDS {
        round(root.path(), number, &mut random, &mut book).await;
    }
    let steps: usize = book.values().map(|ledger| ledger.acknowledged.len()).sum();
    assert!(steps > ROUNDS * 10, "only {steps} steps were acknowledged");
    // The last death, seen from inside: indexes and counters are exactly what the objects say.
    let mut server = Server::start(root.path());
    verify(&mut LittleHorseClient::new(server.over_socket().await), &mut book).await;
    server.kill();
    let disk = RealDisk::new(root.path().join("data"));
    let (engine, _writer) = Engine::open_stepped(&disk, EngineOptions::default(), core::execute).unwrap();
    assert_eq!(core::check(&engine.snapshot().unwrap()), Ok(Vec::new()));
}
