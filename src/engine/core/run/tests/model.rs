//! Random lives of random workflows: what holds of every WfRun, whatever is done to it in whatever order.
//!
//! After every step the store agrees with itself and no refusal is the engine's own fault. In the end everything that
//! is stopped is resumed, everything that is waited for happens, and the run must come to its end.

use super::halt::{resume, stop};
use super::threads::{start, wait_for};
use super::*;
use crate::api::store::v1 as store;
use crate::engine::core::{check, query};
use lh::exit_node::Result as Exit;
use lh::report_task_run::Result as Reported;
use lh::sleep_node::SleepLength;
use lh::task_node::TaskToExecute;
use lh::thread_halt_reason::Reason;
use lh::thread_retention_policy::ThreadGcPolicy;
use lh::{TaskStatus, WaitForThreadsStrategy};
use tonic::Code;

#[derive(Clone, Debug)]
enum Part {
    Ask,
    Sleep(i64),
    Event(Option<i64>),
    Start,
    /// Two threads, one for each item of a list.
    Each,
    Wait(WaitForThreadsStrategy, bool),
    /// A task for a worker.
    Task,
    /// Runs another workflow, which asks.
    Child,
    /// Waits for the last of those.
    WaitChild,
    Nop,
}

/// A node, and whether a handler of failures is on it.
type Step = (Part, bool);

#[derive(Clone, Debug)]
struct Thread {
    parts: Vec<Step>,
    throws: bool,
    /// Seconds after its end when it leaves the run.
    retention: Option<i64>,
}

#[derive(Clone, Debug)]
struct Flow {
    /// `main` starts `a`, and that starts `b`.
    threads: [Thread; 3],
    fix: Thread,
    /// Which thread can be interrupted, and by what.
    interrupt: Option<(usize, Thread)>,
}

#[derive(Clone, Debug)]
enum Move {
    Complete(usize),
    Cancel(usize),
    Stop(i32),
    Resume(i32),
    Rescue(i32, bool),
    Event(bool),
    Claim,
    Report(usize, TaskStatus),
    Pass(i64),
    Migrate,
}

/// An engine, and what its worker has in hand.
struct World {
    bench: Bench,
    claimed: Vec<lh::ScheduledTask>,
}

fn parts(starts: bool, most: usize) -> impl Strategy<Value = Vec<Step>> {
    let strategy = || {
        use WaitForThreadsStrategy::{WaitForAll, WaitForAny, WaitForFirst};
        prop::sample::select(vec![WaitForAll, WaitForFirst, WaitForAny])
    };
    let part = prop_oneof![
        4 => Just(Part::Ask),
        1 => (0i64..5).prop_map(Part::Sleep),
        2 => prop::option::of(1i64..5).prop_map(Part::Event),
        2 => Just(Part::Task),
        1 => Just(Part::Child),
        1 => Just(Part::WaitChild),
        3 => Just(if starts { Part::Start } else { Part::Nop }),
        1 => Just(if starts { Part::Each } else { Part::Nop }),
        3 => (strategy(), any::<bool>()).prop_map(move |(how, handles)| {
            if starts { Part::Wait(how, handles) } else { Part::Nop }
        }),
    ];
    prop::collection::vec((part, prop::bool::weighted(0.3)), 0..most)
}

fn any_thread(starts: bool, most: usize) -> impl Strategy<Value = Thread> {
    let retention = prop::option::weighted(0.2, 0i64..4);
    (parts(starts, most), prop::bool::weighted(0.2), retention).prop_map(|(parts, throws, retention)| Thread {
        parts,
        throws,
        retention,
    })
}

fn any_flow() -> impl Strategy<Value = Flow> {
    let threads = (any_thread(true, 7), any_thread(true, 5), any_thread(false, 4));
    let threads = threads.prop_map(|(main, a, b)| [main, a, b]);
    let interrupt = prop::option::of((0usize..3, any_thread(false, 3)));
    (threads, any_thread(false, 3), interrupt).prop_map(|(threads, fix, interrupt)| Flow { threads, fix, interrupt })
}

fn any_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        6 => (0usize..5).prop_map(Move::Complete),
        2 => (0usize..5).prop_map(Move::Cancel),
        3 => (0i32..6).prop_map(Move::Stop),
        3 => (0i32..6).prop_map(Move::Resume),
        2 => (0i32..6, any::<bool>()).prop_map(|(thread, skip)| Move::Rescue(thread, skip)),
        3 => any::<bool>().prop_map(Move::Event),
        3 => Just(Move::Claim),
        3 => (0usize..3, any_outcome()).prop_map(|(number, outcome)| Move::Report(number, outcome)),
        3 => (0i64..6_000).prop_map(Move::Pass),
        1 => Just(Move::Migrate),
    ]
}

fn any_outcome() -> impl Strategy<Value = TaskStatus> {
    use TaskStatus::{TaskException, TaskFailed, TaskSuccess};
    prop::sample::select(vec![TaskSuccess, TaskSuccess, TaskFailed, TaskException])
}

const NAMES: [&str; 3] = ["main", "a", "b"];

fn spec_of(thread: &Thread, child: Option<&str>) -> lh::ThreadSpec {
    let mut nodes: Vec<(String, Kind)> = Vec::new();
    let (mut started, mut last_child): (Vec<String>, Option<String>) = (Vec::new(), None);
    for (number, (part, _)) in thread.parts.iter().enumerate() {
        let name = format!("n{number}");
        let node = match (part, child) {
            (Part::Ask, _) => Kind::UserTask(user_task(Some(lit(s("ann"))), None)),
            (Part::Sleep(seconds), _) => {
                Kind::Sleep(lh::SleepNode { sleep_length: Some(SleepLength::RawSeconds(lit(i(*seconds)))) })
            }
            (Part::Event(timeout), _) => Kind::ExternalEvent(lh::ExternalEventNode {
                external_event_def_id: Some(lh::ExternalEventDefId { name: "go".into() }),
                timeout_seconds: timeout.map(|seconds| lit(i(seconds))),
                ..Default::default()
            }),
            (Part::Start, Some(child)) => {
                started.push(name.clone());
                start(child)
            }
            (Part::Wait(how, handles), Some(_)) => {
                let number = |node: &String| lh::VariableAssignment { path: None, ..out(node, "$") };
                let numbers: Vec<_> = started.iter().map(number).collect();
                let mut wait = wait_for(&numbers, *how);
                if *handles {
                    wait.per_thread_failure_handlers = vec![handler("fix")];
                }
                Kind::WaitForThreads(wait)
            }
            (Part::Each, Some(child)) => Kind::StartMultipleThreads(lh::StartMultipleThreadsNode {
                thread_spec_name: child.into(),
                iterable: Some(lit(Some(Value::JsonArr("[1,2]".into())))),
                ..Default::default()
            }),
            (Part::Task, _) => Kind::Task(lh::TaskNode {
                task_to_execute: Some(TaskToExecute::TaskDefId(lh::TaskDefId { name: "work".into() })),
                timeout_seconds: 3,
                retries: 1,
                ..Default::default()
            }),
            (Part::Child, _) => {
                last_child = Some(name.clone());
                Kind::RunChildWf(lh::RunChildWfNode {
                    wf_spec: Some(lh::run_child_wf_node::WfSpec::WfSpecName("other".into())),
                    major_version: -1,
                    ..Default::default()
                })
            }
            (Part::WaitChild, _) => match &last_child {
                Some(node) => Kind::WaitForChildWf(lh::WaitForChildWfNode {
                    child_wf_run_id: Some(lh::VariableAssignment { path: None, ..out(node, "$") }),
                    child_wf_run_source_node: node.clone(),
                }),
                None => nop(),
            },
            (Part::Nop | Part::Start | Part::Each | Part::Wait(..), _) => nop(),
        };
        nodes.push((name, node));
    }
    let named: Vec<(&str, Kind)> = nodes.iter().map(|(name, node)| (name.as_str(), node.clone())).collect();
    let mut spec = chain(&named);
    for (number, (_, handles)) in thread.parts.iter().enumerate() {
        if *handles {
            spec = with(spec, &format!("n{number}"), |node| node.failure_handlers = vec![handler("fix")]);
        }
    }
    spec.retention_policy = thread.retention.map(|seconds| lh::ThreadRetentionPolicy {
        thread_gc_policy: Some(ThreadGcPolicy::SecondsAfterThreadTermination(seconds)),
    });
    if thread.throws {
        let failure = lh::FailureDef { failure_name: "oops".into(), message: "thrown".into(), content: None };
        let exit = lh::ExitNode { result: Some(Exit::FailureDef(failure)) };
        spec = with(spec, "end", |node| node.node = Some(Kind::Exit(exit)));
    }
    spec
}

/// The threads of a flow; handlers have none, so that they end.
fn specs(flow: &Flow) -> Vec<(&'static str, lh::ThreadSpec)> {
    let bare = |thread: &Thread| {
        let parts = thread.parts.iter().map(|(part, _)| (part.clone(), false)).collect();
        spec_of(&Thread { parts, ..thread.clone() }, None)
    };
    let mut specs: Vec<_> =
        (0..3).map(|at| (NAMES[at], spec_of(&flow.threads[at], NAMES.get(at + 1).copied()))).collect();
    specs.push(("fix", bare(&flow.fix)));
    if let Some((thread, handler)) = &flow.interrupt {
        specs[*thread].1.interrupt_defs = vec![lh::InterruptDef {
            external_event_def_id: Some(lh::ExternalEventDefId { name: "int".into() }),
            handler_spec_name: "int".into(),
        }];
        specs.push(("int", bare(handler)));
    }
    specs
}

/// Two versions of the flow, a plan from one to the other, and a run of the first.
fn begun(flow: &Flow) -> World {
    let mut bench = Bench::default();
    bench.form("form", &[]);
    bench.must(lh::PutTaskDefRequest { name: "work".into(), ..Default::default() });
    let asking = Kind::UserTask(user_task(Some(lit(s("ann"))), None));
    bench.flow("other", &[("main", chain(&[("ask", asking)]))]).unwrap();
    for name in ["go", "int"] {
        bench.must(lh::PutExternalEventDefRequest { name: name.into(), ..Default::default() });
    }
    let mut threads = specs(flow);
    bench.flow("flow", &threads).unwrap();
    let thread_migrations = threads.iter().map(|(name, thread)| {
        let can_move = |node: &&String| {
            let kind = thread.nodes[*node].node.as_ref();
            !matches!(kind, Some(Kind::Nop(_) | Kind::Entrypoint(_) | Kind::Exit(_)))
        };
        let nodes = thread.nodes.keys().filter(can_move);
        let node_migrations =
            nodes.map(|node| (node.clone(), lh::NodeMigrationPlan { new_node_name: node.clone() })).collect();
        ((*name).to_owned(), lh::ThreadMigrationPlanRequest { new_thread_name: (*name).to_owned(), node_migrations })
    });
    let thread_migrations = thread_migrations.collect();
    bench.run("flow", "run", &[]).unwrap();
    threads[0].1.variable_defs = vec![lh::ThreadVarDef { searchable: true, ..var_def("more", T::Int) }];
    bench.flow("flow", &threads).unwrap();
    bench.must(lh::PutWorkflowMigrationPlanRequest {
        name: "plan".into(),
        old_wf_spec: Some(lh::WfSpecId { name: "flow".into(), ..Default::default() }),
        major_version: 0,
        revision: 1,
        thread_migrations,
    });
    World { bench, claimed: Vec::new() }
}

/// The open user tasks, of child runs as well.
fn open_tasks(bench: &Bench) -> Vec<lh::UserTaskRunId> {
    let request = lh::SearchUserTaskRunRequest {
        user_id: Some("ann".into()),
        status: Some(lh::UserTaskRunStatus::Assigned.into()),
        limit: Some(1000),
        ..Default::default()
    };
    query::search_user_task_run(&bench.state, "default", request).unwrap().results
}

fn event(bench: &mut Bench, name: &str) -> Result<(), Refusal> {
    let request = lh::PutExternalEventRequest {
        wf_run_id: Some(run_id("run")),
        external_event_def_id: Some(lh::ExternalEventDefId { name: name.into() }),
        ..Default::default()
    };
    bench.give(request).map(drop)
}

fn claim(world: &mut World) -> bool {
    let request = store::ClaimTask { task_def_name: "work".into(), task_worker_id: "w".into(), ..Default::default() };
    let answer: lh::PollTaskResponse = world.bench.must(request).try_into().unwrap();
    let found = answer.result.is_some();
    world.claimed.extend(answer.result);
    found
}

fn report(world: &mut World, number: usize, status: TaskStatus) -> Result<(), Refusal> {
    if number >= world.claimed.len() {
        return Ok(());
    }
    let task = world.claimed.remove(number);
    let result = match status {
        TaskStatus::TaskSuccess => Reported::Output(lh::VariableValue::default()),
        TaskStatus::TaskException => {
            Reported::Exception(lh::LhTaskException { name: "oops".into(), ..Default::default() })
        }
        _ => Reported::Error(lh::LhTaskError::default()),
    };
    let request = lh::ReportTaskRun {
        task_run_id: task.task_run_id,
        attempt_number: task.attempt_number,
        status: status.into(),
        result: Some(result),
        ..Default::default()
    };
    world.bench.give(request).map(drop)
}

fn make(world: &mut World, step: &Move) -> Result<(), Refusal> {
    let bench = &mut world.bench;
    let wf_run_id = Some(run_id("run"));
    let task = |bench: &Bench, number: usize| open_tasks(bench).get(number).cloned();
    match step {
        Move::Complete(number) => task(bench, *number).map_or(Ok(()), |task| bench.complete(&task, "ann", &[])),
        Move::Cancel(number) => task(bench, *number).map_or(Ok(()), |task| bench.cancel(&task)),
        Move::Stop(thread) => stop(bench, "run", *thread),
        Move::Resume(thread) => resume(bench, "run", *thread),
        Move::Rescue(thread, skip) => {
            let thread_run_number = *thread;
            let request = lh::RescueThreadRunRequest { wf_run_id, thread_run_number, skip_current_node: *skip };
            bench.give(request).map(drop)
        }
        Move::Claim => {
            claim(world);
            Ok(())
        }
        Move::Report(number, status) => report(world, *number, *status),
        Move::Event(interrupt) => event(bench, if *interrupt { "int" } else { "go" }),
        Move::Pass(milliseconds) => {
            bench.pass(*milliseconds);
            Ok(())
        }
        Move::Migrate => {
            let id = Some(lh::WorkflowMigrationPlanId { name: "plan".into() });
            let request = lh::ApplyWorkflowMigrationPlanRequest { id, wf_run_id, ..Default::default() };
            bench.give(request).map(drop)
        }
    }
}

fn has_ended(status: LhStatus) -> bool {
    matches!(status, LhStatus::Completed | LhStatus::Error | LhStatus::Exception)
}

/// What holds after every step.
fn holds(bench: &Bench) -> Result<(), TestCaseError> {
    prop_assert_eq!(check(&bench.state), Ok(Vec::new()));
    let run = bench.wf_run("run").unwrap();
    let first = run.thread_runs[0].status();
    prop_assert_eq!(has_ended(run.status()), has_ended(first), "the first thread decides");
    for thread in run.thread_runs.iter().filter(|thread| thread.r#type() != lh::ThreadType::FailureHandler) {
        // What handles the failure of a thread for a waiting node runs under that thread.
        let above = thread.parent_thread_id.and_then(|number| run.thread_runs.iter().find(|it| it.number == number));
        if let Some(above) = above
            && has_ended(above.status())
        {
            // One whose task is at a worker is HALTING until that reports.
            let goes_on = matches!(thread.status(), LhStatus::Running | LhStatus::Starting);
            prop_assert!(!goes_on, "thread {} goes on under one that has ended: {:?}", thread.number, run);
        }
    }
    if has_ended(run.status()) {
        let mut open = open_tasks(bench);
        open.retain(|task| task.wf_run_id == run.id);
        prop_assert_eq!(open, Vec::new(), "nobody is asked for nothing: {:?}", run);
        prop_assert_eq!(run.workflow_migration_plan_id, None);
    }
    Ok(())
}

/// Does all tasks.
fn work(world: &mut World) {
    while claim(world) || !world.claimed.is_empty() {
        // One that comes too late is refused.
        let _ = report(world, 0, TaskStatus::TaskSuccess);
    }
}

/// Lets everything happen that the run waits for, until it ends.
fn drain(world: &mut World) -> Result<(), TestCaseError> {
    for _ in 0..80 {
        work(world);
        let bench = &mut world.bench;
        let run = bench.wf_run("run").unwrap();
        if has_ended(run.status()) {
            return Ok(());
        }
        let is_manual = |thread: &&lh::ThreadRun| {
            thread.halt_reasons.iter().any(|reason| matches!(reason.reason, Some(Reason::ManualHalt(_))))
        };
        for thread in run.thread_runs.iter().filter(is_manual) {
            prop_assert_eq!(resume(bench, "run", thread.number), Ok(()));
        }
        for task in open_tasks(bench) {
            let _ = bench.complete(&task, "ann", &[]);
        }
        if !has_ended(bench.wf_run("run").unwrap().status()) {
            prop_assert_eq!(event(bench, "go"), Ok(()));
        }
        bench.pass(10_000);
        holds(bench)?;
    }
    let bench = &world.bench;
    let run = bench.wf_run("run").unwrap();
    let mut nodes = Vec::new();
    for thread in &run.thread_runs {
        nodes.push(bench.node_run("run", thread.number, thread.current_node_position));
    }
    Err(TestCaseError::fail(format!("the run does not end: {run:#?}\n{nodes:#?}")))
}

proptest! {
    #[test]
    fn a_run_comes_to_its_end_whatever_is_done_to_it(
        flow in any_flow(),
        moves in prop::collection::vec(any_move(), 0..25),
    ) {
        let mut world = begun(&flow);
        holds(&world.bench)?;
        for step in &moves {
            if let Err(refusal) = make(&mut world, step) {
                let own = matches!(refusal.code, Code::Internal | Code::DataLoss | Code::Unavailable | Code::Unknown);
                prop_assert!(!own, "{step:?}: {refusal}");
            }
            holds(&world.bench)?;
        }
        drain(&mut world)?;
        work(&mut world);
        let mut bench = world.bench;
        bench.pass(100_000);
        let halting = bench.wf_run("run").unwrap().thread_runs.into_iter().find(|it| it.status() == LhStatus::Halting);
        prop_assert_eq!(halting, None);
        prop_assert_eq!(bench.timers(), 0, "nothing is waited for any more");
        holds(&bench)?;
    }
}
