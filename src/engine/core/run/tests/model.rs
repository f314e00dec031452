//! Random lives of threads that start, wait for, halt, interrupt, fail and handle each other.

use std::collections::BTreeSet;

use super::threads::{asking, broken, start, throwing, wait_for};
use super::*;
use crate::engine::core::{check, query};
use LhStatus::{Completed, Error, Exception, Halted, Halting, Running};
use lh::thread_halt_reason::Reason;
use lh::{UserTaskRunStatus, WaitForThreadsStrategy};

#[derive(Clone, Debug)]
enum Move {
    Stop(i32),
    Resume(i32),
    Rescue(i32, bool),
    Interrupt(Option<i32>),
    Complete(usize),
    Cancel(usize),
}

fn any_move() -> impl Strategy<Value = Move> {
    let thread = || 0i32..9;
    prop_oneof![
        2 => thread().prop_map(Move::Stop),
        2 => thread().prop_map(Move::Resume),
        2 => (thread(), any::<bool>()).prop_map(|(thread, skip)| Move::Rescue(thread, skip)),
        2 => prop::option::weighted(0.7, thread()).prop_map(Move::Interrupt),
        4 => (0usize..6).prop_map(Move::Complete),
        2 => (0usize..6).prop_map(Move::Cancel),
    ]
}

/// What a thread does, step by step.
#[derive(Clone, Debug)]
enum Step {
    Ask,
    AskHandled,
    Start(&'static str),
    WaitForLast(i32, bool, bool),
}

fn any_step() -> impl Strategy<Value = Step> {
    let thread = prop::sample::select(vec!["ask", "mid", "break", "throw", "none"]);
    prop_oneof![
        2 => Just(Step::Ask),
        1 => Just(Step::AskHandled),
        4 => thread.prop_map(Step::Start),
        3 => (0i32..3, any::<bool>(), any::<bool>()).prop_map(|(how, each, node)| Step::WaitForLast(how, each, node)),
    ]
}

fn ask() -> Kind {
    Kind::UserTask(user_task(Some(lit(s("ann"))), None))
}

/// A thread of these steps. It waits for the threads that it started since it waited last.
fn steps(steps: &[Step], interrupt: Option<&str>) -> lh::ThreadSpec {
    let names: Vec<String> = (0..steps.len()).map(|at| format!("n{at}")).collect();
    let mut nodes = Vec::new();
    let (mut started, mut numbers) = (Vec::new(), Vec::new());
    for (name, step) in names.iter().zip(steps) {
        let kind = match step {
            Step::Ask | Step::AskHandled => ask(),
            Step::Start(thread) => {
                started.push(name.clone());
                numbers.push(name.clone());
                start(thread)
            }
            Step::WaitForLast(how, each, _) => {
                let strategy = WaitForThreadsStrategy::try_from(*how).unwrap();
                let awaited: Vec<_> = started.drain(..).map(|name| var(&name)).collect();
                let mut node = wait_for(&awaited, strategy);
                if *each {
                    node.per_thread_failure_handlers = vec![handler("fix")];
                }
                Kind::WaitForThreads(node)
            }
        };
        nodes.push((name.as_str(), kind));
    }
    let mut thread = chain(&nodes);
    for (name, step) in names.iter().zip(steps) {
        thread = with(thread, name, |node| match step {
            Step::Start(_) => {
                let number = lh::VariableAssignment { path: None, ..out(name, "$") };
                node.outgoing_edges[0].variable_mutations = vec![mutation(name, Op::Assign, number)];
            }
            Step::AskHandled | Step::WaitForLast(_, _, true) => node.failure_handlers = vec![handler("fix")],
            Step::Ask | Step::WaitForLast(..) => {}
        });
    }
    thread.variable_defs = numbers.iter().map(|name| var_def(name, T::Int)).collect();
    thread.interrupt_defs = interrupt
        .map(|handler| lh::InterruptDef {
            external_event_def_id: Some(lh::ExternalEventDefId { name: "bell".into() }),
            handler_spec_name: handler.into(),
        })
        .into_iter()
        .collect();
    thread
}

fn open_tasks(bench: &Bench) -> Vec<lh::UserTaskRun> {
    let request = lh::ListUserTaskRunRequest { wf_run_id: Some(run_id("run")), ..Default::default() };
    let all = query::list_user_task_runs(&bench.state, "default", request).unwrap().results;
    let is_open =
        |task: &lh::UserTaskRun| matches!(task.status(), UserTaskRunStatus::Assigned | UserTaskRunStatus::Unassigned);
    all.into_iter().filter(is_open).collect()
}

/// Gives a command; refusals are fine.
fn make(bench: &mut Bench, next: &Move) {
    let id = Some(run_id("run"));
    let open = open_tasks(bench);
    let nth = |at: usize| open.get(at % open.len().max(1)).and_then(|task| task.id.clone());
    match *next {
        Move::Stop(thread_run_number) => {
            let _ = bench.give(lh::StopWfRunRequest { wf_run_id: id, thread_run_number });
        }
        Move::Resume(thread_run_number) => {
            let _ = bench.give(lh::ResumeWfRunRequest { wf_run_id: id, thread_run_number });
        }
        Move::Rescue(thread_run_number, skip_current_node) => {
            let _ = bench.give(lh::RescueThreadRunRequest { wf_run_id: id, thread_run_number, skip_current_node });
        }
        Move::Interrupt(thread_run_number) => {
            bench.must(lh::PutExternalEventRequest {
                wf_run_id: id,
                external_event_def_id: Some(lh::ExternalEventDefId { name: "bell".into() }),
                thread_run_number,
                ..Default::default()
            });
        }
        Move::Complete(at) => {
            if let Some(id) = nth(at) {
                bench.complete(&id, "ann", &[("name", s("x"))]).unwrap();
            }
        }
        Move::Cancel(at) => {
            if let Some(id) = nth(at) {
                bench.cancel(&id).unwrap();
            }
        }
    }
}

fn has_ended(status: LhStatus) -> bool {
    matches!(status, Completed | Error | Exception)
}

/// What holds after every command.
fn holds(bench: &Bench) -> Result<(), TestCaseError> {
    prop_assert_eq!(check(&bench.state), Ok(Vec::new()));
    let run = bench.wf_run("run").unwrap();
    let threads = || run.thread_runs.iter();
    let find = |number: i32| threads().find(|thread| thread.number == number);
    for thread in threads() {
        let number = thread.number;
        let status = thread.status();
        if has_ended(run.status()) {
            prop_assert!(!matches!(status, Running | Halting), "{} runs in a WfRun that has ended", number);
        }
        match status {
            Running => prop_assert!(thread.halt_reasons.is_empty(), "{} runs with reasons not to", number),
            Halted => prop_assert!(!thread.halt_reasons.is_empty(), "{} is halted for nothing", number),
            Halting => prop_assert!(false, "{} is still halting, and nothing here takes time", number),
            _ => {}
        }
        let reasons: Vec<_> = thread.halt_reasons.iter().map(|reason| format!("{reason:?}")).collect();
        prop_assert_eq!(reasons.iter().collect::<BTreeSet<_>>().len(), reasons.len(), "a reason twice: {:?}", reasons);
        let children: BTreeSet<i32> = thread.child_thread_ids.iter().copied().collect();
        prop_assert_eq!(children.len(), thread.child_thread_ids.len(), "a child twice");
        for child in children {
            prop_assert_eq!(find(child).and_then(|child| child.parent_thread_id), Some(number));
        }
        let node = bench.node_run("run", number, thread.current_node_position);
        match status {
            Running if node.failures.is_empty() => prop_assert_eq!(node.status(), Running),
            Halted if node.failures.is_empty() => prop_assert_eq!(node.status(), Halted),
            Completed => prop_assert_eq!(node.status(), Completed),
            _ => {}
        }
        // Who runs waits for somebody, or for a thread that has not ended.
        if status == Running {
            match &node.node_type {
                Some(lh::node_run::NodeType::UserTask(task)) => {
                    let task = bench.task(task.user_task_run_id.as_ref().unwrap()).unwrap();
                    prop_assert!(matches!(task.status(), UserTaskRunStatus::Assigned), "{} waits in vain", number);
                }
                Some(lh::node_run::NodeType::Exit(_)) => {
                    let mut children = thread.child_thread_ids.iter().filter_map(|child| find(*child));
                    prop_assert!(children.any(|child| !has_ended(child.status())), "{} waits in vain", number);
                }
                Some(lh::node_run::NodeType::WaitForThreads(wait)) => {
                    let mut awaited = wait.threads.iter().flat_map(|entry| {
                        [Some(entry.thread_run_number), entry.failure_handler_thread_run_id].into_iter().flatten()
                    });
                    let going = awaited.any(|number| find(number).is_some_and(|thread| !has_ended(thread.status())));
                    prop_assert!(going, "{} waits in vain: {:?}", number, wait);
                }
                other => prop_assert!(false, "{number} stays at {other:?}"),
            }
        }
    }
    // The open tasks are those of threads that may still go on.
    for task in open_tasks(bench) {
        let node = task.node_run_id.unwrap();
        let thread = find(node.thread_run_number).unwrap();
        prop_assert!(!has_ended(thread.status()), "an open task of a thread that has ended");
        prop_assert_eq!(thread.current_node_position, node.position);
        let for_good = |reason: &lh::ThreadHaltReason| match &reason.reason {
            Some(Reason::HaltedByParent(_)) => true,
            Some(Reason::ParentHalted(above)) => {
                find(above.parent_thread_id).is_some_and(|above| matches!(above.status(), Error | Exception))
            }
            _ => false,
        };
        prop_assert!(!thread.halt_reasons.iter().any(for_good), "an open task of a thread that never goes on");
    }
    let first = &run.thread_runs[0];
    let stopped = first.halt_reasons.iter().any(|reason| matches!(reason.reason, Some(Reason::ManualHalt(_))));
    let status = match first.status() {
        Halted if stopped => Halted,
        Halted => Running,
        other => other,
    };
    prop_assert_eq!(run.status(), status);
    prop_assert_eq!(run.end_time.is_some(), has_ended(status));
    Ok(())
}

proptest! {
    #[test]
    fn threads_keep_their_promises_and_can_always_end(
        main in prop::collection::vec(any_step(), 1..7),
        mid in prop::collection::vec(prop_oneof![
            Just(Step::Ask), Just(Step::Start("ask")), Just(Step::Start("throw")), Just(Step::WaitForLast(0, false, true)),
        ], 1..4),
        moves in prop::collection::vec(any_move(), 0..25),
    ) {
        let mut bench = Bench::default();
        bench.form("form", &FORM());
        bench.must(lh::PutExternalEventDefRequest { name: "bell".into(), ..Default::default() });
        // Names of variables are unique among the threads of a WfSpec.
        let rename = |thread: lh::ThreadSpec| renamed(thread, "m");
        let threads = [
            ("main", steps(&main, Some("hey"))),
            ("mid", rename(steps(&mid, None))),
            ("ask", asking()),
            ("break", broken()),
            ("throw", throwing()),
            ("none", chain(&[])),
            ("fix", asking()),
            ("hey", asking()),
        ];
        bench.flow("flow", &threads).unwrap();
        bench.run("flow", "run", &[]).unwrap();
        holds(&bench)?;
        for next in &moves {
            make(&mut bench, next);
            holds(&bench)?;
        }
        // Whatever happened: when all that is stopped goes on and all work is done, it ends.
        for _ in 0..200 {
            let run = bench.wf_run("run").unwrap();
            if has_ended(run.status()) {
                return Ok(());
            }
            for thread in 0..=run.greatest_threadrun_number {
                make(&mut bench, &Move::Resume(thread));
            }
            make(&mut bench, &Move::Complete(0));
        }
        prop_assert!(false, "it never ends: {:#?}", bench.wf_run("run"));
    }
}

/// The same thread with other names of nodes and variables.
fn renamed(thread: lh::ThreadSpec, prefix: &str) -> lh::ThreadSpec {
    let new = |name: &str| if name.starts_with('n') { format!("{prefix}{name}") } else { name.to_owned() };
    let assignment = |assignment: &mut lh::VariableAssignment| match &mut assignment.source {
        Some(lh::variable_assignment::Source::VariableName(name)) => *name = new(name),
        Some(lh::variable_assignment::Source::NodeOutput(output)) => output.node_name = new(&output.node_name),
        _ => {}
    };
    let mut thread = thread;
    thread.nodes = thread
        .nodes
        .into_iter()
        .map(|(name, mut node)| {
            for edge in &mut node.outgoing_edges {
                edge.sink_node_name = new(&edge.sink_node_name);
                for mutation in &mut edge.variable_mutations {
                    mutation.lhs_name = new(&mutation.lhs_name);
                    if let Some(lh::variable_mutation::RhsValue::RhsAssignment(right)) = &mut mutation.rhs_value {
                        assignment(right);
                    }
                }
            }
            if let Some(Kind::WaitForThreads(lh::WaitForThreadsNode {
                threads_to_wait_for: Some(lh::wait_for_threads_node::ThreadsToWaitForOneOf::Threads(threads)),
                ..
            })) = &mut node.node
            {
                threads.threads.iter_mut().filter_map(|one| one.thread_run_number.as_mut()).for_each(assignment);
            }
            (new(&name), node)
        })
        .collect();
    for def in thread.variable_defs.iter_mut().filter_map(|def| def.var_def.as_mut()) {
        def.name = new(&def.name);
    }
    thread
}
