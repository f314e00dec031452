//! Threads beside each other: starting them, waiting for them, ending with them.

use super::halt::{resume, statuses, stop};
use super::*;
use lh::thread_halt_reason::Reason;
use lh::wait_for_threads_node::{ThreadToWaitFor, ThreadsToWaitFor, ThreadsToWaitForOneOf as Awaited};
use lh::{UserTaskRunStatus, WaitForThreadsStrategy as Strategy};

pub(super) fn start(thread: &str) -> Kind {
    Kind::StartThread(lh::StartThreadNode { thread_spec_name: thread.into(), ..Default::default() })
}

pub(super) fn wait_for(numbers: &[lh::VariableAssignment], strategy: Strategy) -> lh::WaitForThreadsNode {
    let threads = numbers.iter().map(|number| ThreadToWaitFor { thread_run_number: Some(number.clone()) }).collect();
    lh::WaitForThreadsNode {
        threads_to_wait_for: Some(Awaited::Threads(ThreadsToWaitFor { threads })),
        strategy: strategy.into(),
        ..Default::default()
    }
}

fn wait(numbers: &[i64], strategy: Strategy) -> Kind {
    let numbers: Vec<_> = numbers.iter().map(|number| lit(i(*number))).collect();
    Kind::WaitForThreads(wait_for(&numbers, strategy))
}

/// A thread that waits for a person.
pub(super) fn asking() -> lh::ThreadSpec {
    chain(&[("ask", Kind::UserTask(user_task(Some(lit(s("ann"))), None)))])
}

/// A thread that throws `oops`.
pub(super) fn throwing() -> lh::ThreadSpec {
    exit_with(lh::exit_node::Result::FailureDef(lh::FailureDef {
        failure_name: "oops".into(),
        message: "thrown".into(),
        content: None,
    }))
}

/// A thread that fails with an error.
pub(super) fn broken() -> lh::ThreadSpec {
    with(chain(&[]), "start", |node| node.outgoing_edges[0].edge_condition = Some(never()))
}

fn never() -> lh::edge::EdgeCondition {
    lh::edge::EdgeCondition::Condition(compared(lit(i(1)), Comparator::Equals, lit(i(2))))
}

pub(super) fn bench(threads: &[(&str, lh::ThreadSpec)]) -> Bench {
    let mut bench = Bench::default();
    bench.form("form", &FORM());
    bench.flow("flow", threads).unwrap();
    bench.run("flow", "run", &[]).unwrap();
    bench
}

pub(super) fn done(bench: &mut Bench, guid: &str) {
    bench.complete(&task_id("run", guid), "ann", &[("name", s("x"))]).unwrap();
}

fn task_status(bench: &Bench, guid: &str) -> UserTaskRunStatus {
    bench.task(&task_id("run", guid)).unwrap().status()
}

fn entries(bench: &Bench, position: i32) -> Vec<(i32, i32)> {
    let Some(lh::node_run::NodeType::WaitForThreads(wait)) = bench.node_run("run", 0, position).node_type else {
        panic!("not a WAIT_FOR_THREADS");
    };
    wait.threads.iter().map(|entry| (entry.thread_status, entry.waiting_status)).collect()
}

#[test]
fn every_strategy_decides_when_it_must() {
    use LhStatus::{Completed, Error, Exception, Halted, Running};
    // Threads 1 and 2 ask, thread 3 throws, thread 4 breaks.
    let starts = [("s1", start("ask")), ("s2", start("ask")), ("s3", start("throw")), ("s4", start("break"))];
    for (name, awaited, strategy, complete, status, failure) in [
        ("all wait", &[1, 2][..], Strategy::WaitForAll, &["1-1"][..], Running, None),
        ("all are done", &[1, 2], Strategy::WaitForAll, &["1-1", "2-1"], Completed, None),
        ("one of all fails", &[1, 3], Strategy::WaitForAll, &[], Exception, Some(("oops", "thrown"))),
        (
            "an error of all",
            &[1, 4],
            Strategy::WaitForAll,
            &[],
            Error,
            Some(("CHILD_FAILURE", "Child thread 4 failed with VAR_SUB_ERROR: ")),
        ),
        ("none is first", &[1, 2], Strategy::WaitForFirst, &[], Running, None),
        ("the first is done", &[1, 2], Strategy::WaitForFirst, &["2-1"], Completed, None),
        ("the first fails", &[1, 3], Strategy::WaitForFirst, &[], Exception, Some(("oops", "thrown"))),
        ("any waits though one fails", &[1, 3], Strategy::WaitForAny, &[], Running, None),
        ("any is done", &[2, 3], Strategy::WaitForAny, &["2-1"], Completed, None),
        (
            "all of any fail",
            &[3, 4],
            Strategy::WaitForAny,
            &[],
            Error,
            Some(("CHILD_FAILURE", "All child threads failed")),
        ),
        ("nothing to wait for", &[], Strategy::WaitForAny, &[], Completed, None),
    ] {
        let mut nodes = starts.to_vec();
        nodes.push(("wait", wait(awaited, strategy)));
        let bench_threads = [("main", chain(&nodes)), ("ask", asking()), ("throw", throwing()), ("break", broken())];
        let mut bench = bench(&bench_threads);
        for guid in complete {
            done(&mut bench, guid);
        }
        let node = bench.node_run("run", 0, 5);
        assert_eq!(node.status(), status, "{name}");
        match failure {
            None => assert!(node.failures.is_empty(), "{name}"),
            Some((failure, text)) => {
                assert_eq!(node.failures[0].failure_name, failure, "{name}");
                assert!(node.failures[0].message.starts_with(text), "{name}: {}", node.failures[0].message);
            }
        }
        let run = bench.wf_run("run").unwrap();
        let decided_early = strategy != Strategy::WaitForAll && status != Running;
        for number in awaited.iter().filter(|number| **number < 3) {
            let thread = &run.thread_runs[usize::try_from(*number).unwrap()];
            if decided_early && thread.status() != Completed {
                assert_eq!(thread.status(), Halted, "{name}");
                assert!(matches!(thread.halt_reasons[0].reason, Some(Reason::HaltedByParent(_))), "{name}");
                assert_eq!(task_status(&bench, &format!("{number}-1")), UserTaskRunStatus::Cancelled, "{name}");
            }
        }
    }
}

#[test]
fn handlers_of_single_threads_run_under_them() {
    let mut node = wait_for(&[lit(i(1)), lit(i(2))], Strategy::WaitForAll);
    node.per_thread_failure_handlers = vec![handler("fix")];
    let main = chain(&[("s1", start("throw")), ("s2", start("ask")), ("wait", Kind::WaitForThreads(node))]);
    let mut fix = asking();
    fix.variable_defs = vec![var_def("INPUT", T::Str)];
    let threads = [("main", main), ("throw", throwing()), ("ask", asking()), ("fix", fix)];
    let mut bench = bench(&threads);
    let run = bench.wf_run("run").unwrap();
    let fixer = &run.thread_runs[3];
    assert_eq!((fixer.number, fixer.parent_thread_id, &fixer.failure_being_handled), (3, Some(1), &None));
    assert_eq!(entries(&bench, 3), [(6, 1), (1, 0)]);
    // It stands still with the thread that waits, although it runs under the one that failed.
    stop(&mut bench, "run", 0).unwrap();
    assert_eq!(bench.wf_run("run").unwrap().thread_runs[3].status(), LhStatus::Halted);
    resume(&mut bench, "run", 0).unwrap();
    assert_eq!(bench.wf_run("run").unwrap().thread_runs[3].status(), LhStatus::Running);
    done(&mut bench, "3-1");
    assert_eq!(entries(&bench, 3), [(6, 2), (1, 0)]);
    assert_eq!(bench.wf_run("run").unwrap().thread_runs[0].handled_failed_children, [1]);
    done(&mut bench, "2-1");
    assert_eq!(bench.wf_run("run").unwrap().status(), LhStatus::Completed);
}

#[test]
fn what_cannot_be_waited_for_fails_the_node() {
    for (number, text) in [
        (lit(i(7)), "Couldn't wait for nonexistent threadRun: 7"),
        (lit(i(-1)), "Couldn't wait for nonexistent threadRun: -1"),
        (lit(i(1 << 40)), "Couldn't wait for nonexistent threadRun: 1099511627776"),
        (lit(i(0)), "Determined threadrunnumber 0 is a parent!"),
        (var("n"), "Failed determining thread run number to wait for: Expected INT, got VALUE_NOT_SET"),
    ] {
        let mut main = chain(&[("wait", Kind::WaitForThreads(wait_for(&[number], Strategy::WaitForAll)))]);
        main.variable_defs = vec![var_def("n", T::Int)];
        let bench = bench(&[("main", main)]);
        assert_eq!(failures(&bench.node_run("run", 0, 1)), [("VAR_SUB_ERROR", text)]);
    }
}

#[test]
fn a_list_starts_a_thread_for_each_item() {
    let each = |iterable, thread: &str| {
        let node = lh::StartMultipleThreadsNode {
            thread_spec_name: thread.into(),
            iterable: Some(iterable),
            ..Default::default()
        };
        let mut main = chain(&[("each", Kind::StartMultipleThreads(node))]);
        main.variable_defs = vec![var_def("ids", T::JsonArr), var_def("list", T::JsonArr)];
        with(main, "each", |node| {
            let numbers = lh::VariableAssignment { path: None, ..out("each", "$") };
            node.outgoing_edges[0].variable_mutations = vec![mutation("ids", Op::Assign, numbers)];
        })
    };
    let list = |text: &str| lit(Some(Value::JsonArr(text.into())));
    let mut taking = asking();
    taking.variable_defs = vec![var_def("INPUT", T::Int)];
    let bench_of = |iterable, thread: &str| bench(&[("main", each(iterable, thread)), ("take", taking.clone())]);
    let mut started = bench_of(list("[10,20]"), "take");
    assert_eq!(started.variable("run", "ids"), Some(Value::JsonArr("[1,2]".into())));
    for (thread, input) in [(1, 10), (2, 20)] {
        let id = lh::VariableId { wf_run_id: Some(run_id("run")), thread_run_number: thread, name: "INPUT".into() };
        let stored = query_variable(&started, id);
        assert_eq!(stored, i(input));
    }
    done(&mut started, "1-1");
    assert_eq!(started.wf_run("run").unwrap().status(), LhStatus::Running);
    done(&mut started, "2-1");
    assert_eq!(started.wf_run("run").unwrap().status(), LhStatus::Completed);
    let none = bench_of(list("[]"), "take");
    assert_eq!(none.variable("run", "ids"), Some(Value::JsonArr("[]".into())));
    assert_eq!(none.wf_run("run").unwrap().status(), LhStatus::Completed);
    let inputs = "Failed constructing input variables for thread: ";
    for (iterable, thread, text) in [
        (var("list"), "take", format!("{inputs}Iterable must be ARRAY or JSON_ARR, got null")),
        (list("[1]"), "nobody", format!("{inputs}There is no ThreadSpec nobody")),
        (
            list("[1,\"x\"]"),
            "take",
            "Invalid input variables for child thread: ThreadSpec take invalid: Variable INPUT invalid: Value of type \
             STR is not compatible with expected type INT"
                .to_owned(),
        ),
    ] {
        let bench = bench_of(iterable, thread);
        let node = bench.node_run("run", 0, 1);
        assert_eq!(failures(&node), [("VAR_SUB_ERROR", text.as_str())]);
        assert_eq!(bench.wf_run("run").unwrap().thread_runs.len(), 1, "all or none");
    }
}

fn query_variable(bench: &Bench, id: lh::VariableId) -> Option<Value> {
    crate::engine::core::query::get_variable(&bench.state, "default", id).unwrap().value.unwrap().value
}

#[test]
fn a_failed_parent_halts_its_children_and_cancels_their_tasks() {
    let form = Kind::UserTask(user_task(Some(lit(s("bob"))), None));
    let main = chain(&[("s1", start("mid")), ("form", form)]);
    let mid = chain(&[("s2", start("ask"))]);
    let mut bench = bench(&[("main", main), ("mid", mid), ("ask", asking())]);
    bench.cancel(&task_id("run", "0-2")).unwrap();
    let run = bench.wf_run("run").unwrap();
    assert_eq!(statuses(&run), (LhStatus::Error, vec![LhStatus::Error, LhStatus::Halted, LhStatus::Halted]));
    let above = |number| {
        let above = lh::ParentHalted { parent_thread_id: number };
        lh::ThreadHaltReason { reason: Some(Reason::ParentHalted(above)) }
    };
    assert_eq!(run.thread_runs[1].halt_reasons, [above(0)]);
    assert_eq!(run.thread_runs[2].halt_reasons, [above(1)]);
    let task = bench.task(&task_id("run", "2-1")).unwrap();
    assert_eq!((task.status(), task.events.len()), (UserTaskRunStatus::Cancelled, 2));
}

#[test]
fn children_stand_still_while_the_failure_of_their_parent_is_handled() {
    let form = Kind::UserTask(user_task(Some(lit(s("bob"))), None));
    let main = with(chain(&[("s1", start("ask")), ("form", form)]), "form", |node| {
        node.failure_handlers = vec![handler("fix")];
    });
    let mut bench = bench(&[("main", main), ("ask", asking()), ("fix", asking())]);
    bench.cancel(&task_id("run", "0-2")).unwrap();
    use LhStatus::{Halted, Running};
    assert_eq!(statuses(&bench.wf_run("run").unwrap()), (Running, vec![Halted, Halted, Running]));
    // The child's task stays open; what is done with it counts later.
    done(&mut bench, "1-1");
    assert_eq!(statuses(&bench.wf_run("run").unwrap()), (Running, vec![Halted, Halted, Running]));
    done(&mut bench, "2-1");
    assert_eq!(bench.wf_run("run").unwrap().status(), LhStatus::Completed);
    assert_eq!(bench.wf_run("run").unwrap().thread_runs[0].child_thread_ids, [1, 2]);
}

#[test]
fn an_exit_waits_for_a_stopped_child_and_can_be_stopped_itself() {
    let mut bench = bench(&[("main", chain(&[("s1", start("ask"))])), ("ask", asking())]);
    use LhStatus::{Completed, Halted, Running};
    stop(&mut bench, "run", 0).unwrap();
    assert_eq!(statuses(&bench.wf_run("run").unwrap()), (Halted, vec![Halted, Halted]));
    resume(&mut bench, "run", 0).unwrap();
    assert_eq!(statuses(&bench.wf_run("run").unwrap()), (Running, vec![Running, Running]));
    stop(&mut bench, "run", 1).unwrap();
    assert_eq!(statuses(&bench.wf_run("run").unwrap()), (Running, vec![Running, Halted]));
    done(&mut bench, "1-1");
    assert_eq!(statuses(&bench.wf_run("run").unwrap()), (Running, vec![Running, Halted]));
    resume(&mut bench, "run", 1).unwrap();
    assert_eq!(statuses(&bench.wf_run("run").unwrap()), (Completed, vec![Completed, Completed]));
}

#[test]
fn a_child_that_fails_ends_its_parent_at_the_exit() {
    let bench = bench(&[("main", chain(&[("s1", start("throw")), ("s2", start("throw"))])), ("throw", throwing())]);
    let node = bench.node_run("run", 0, 3);
    assert_eq!(failures(&node), [("CHILD_FAILURE", "Child thread (or threads) failed: 1 2")]);
}
