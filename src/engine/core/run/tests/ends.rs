//! The end of data: deletion and retention, and threads that leave their WfRun or wait for their turn.

use super::halt::statuses;
use super::threads::{asking, bench, done, start, wait_for};
use super::*;
use crate::engine::core::{check, query};
use LhStatus::{Completed, Running};
use lh::WaitForThreadsStrategy as Strategy;
use lh::inactive_thread_run::InactiveReason;

fn delete(bench: &mut Bench, run: &str) {
    bench.must(lh::DeleteWfRunRequest { id: Some(run_id(run)) });
}

fn inactive(bench: &Bench, thread: i32) -> Result<lh::InactiveThreadRun, Refusal> {
    let id = lh::InactiveThreadRunId { wf_run_id: Some(run_id("run")), thread_run_number: thread };
    query::get_inactive_thread_run(&bench.state, "default", id)
}

/// Starts a thread for each of so many items.
fn each(items: usize, thread: &str) -> Kind {
    let list: Vec<String> = (0..items).map(|item| item.to_string()).collect();
    Kind::StartMultipleThreads(lh::StartMultipleThreadsNode {
        thread_spec_name: thread.into(),
        iterable: Some(lit(Some(Value::JsonArr(format!("[{}]", list.join(",")))))),
        ..Default::default()
    })
}

#[test]
fn a_deleted_run_leaves_nothing_and_its_id_is_free() {
    let mut bench = bench(&[("main", chain(&[("s1", start("ask"))])), ("ask", asking())]);
    let empty = {
        let mut other = bench.clone();
        delete(&mut other, "run");
        other
    };
    bench.comment(&task_id("run", "1-1"), "ann", "hello").unwrap();
    delete(&mut bench, "run");
    assert!(bench.wf_run("run").is_err() && bench.task(&task_id("run", "1-1")).is_err());
    assert_eq!(check(&bench.state), Ok(Vec::new()));
    assert_eq!(empty.state.iter().count(), bench.state.iter().count());
    delete(&mut bench, "run");
    bench.must(lh::DeleteWfRunRequest::default());
    bench.run("flow", "run", &[]).unwrap();
    done(&mut bench, "1-1");
    assert_eq!(bench.wf_run("run").unwrap().status(), Completed);
}

#[test]
fn much_is_deleted_piece_by_piece() {
    let mut bench = bench(&[("main", chain(&[("each", each(600, "none"))])), ("none", chain(&[]))]);
    bench.pass(2);
    assert_eq!(bench.wf_run("run").unwrap().status(), Completed);
    let before = bench.state.iter().count();
    delete(&mut bench, "run");
    assert!(bench.wf_run("run").is_err());
    assert!(before - bench.state.iter().count() < 1100);
    assert_eq!(check(&bench.state), Ok(Vec::new()), "what is left is accounted for");
    // The id is free although pieces are left.
    bench.run("flow", "other", &[]).unwrap();
    delete(&mut bench, "other");
    assert!(bench.timers() > 0);
    for _ in 0..20 {
        bench.pass(2);
    }
    assert_eq!(bench.timers(), 0);
    assert!(bench.state.iter().count() < 40, "{}", bench.state.iter().count());
    assert_eq!(check(&bench.state), Ok(Vec::new()));
}

#[test]
fn a_run_is_deleted_when_its_retention_is_over() {
    use lh::workflow_retention_policy::WfGcPolicy;
    let mut bench = Bench::default();
    bench.form("form", &FORM());
    bench.must(lh::PutWfSpecRequest {
        name: "flow".into(),
        entrypoint_thread_name: "main".into(),
        thread_specs: BTreeMap::from([("main".to_owned(), asking())]),
        retention_policy: Some(lh::WorkflowRetentionPolicy {
            wf_gc_policy: Some(WfGcPolicy::SecondsAfterWfTermination(60)),
        }),
        ..Default::default()
    });
    bench.run("flow", "run", &[]).unwrap();
    assert_eq!(bench.timers(), 0, "only what has ended is deleted");
    bench.cancel(&task_id("run", "0-1")).unwrap();
    bench.must(lh::RescueThreadRunRequest { wf_run_id: Some(run_id("run")), ..Default::default() });
    assert_eq!(bench.timers(), 0, "a rescued run is kept");
    done(&mut bench, "0-2");
    bench.pass(59_999);
    assert!(bench.wf_run("run").is_ok());
    bench.pass(1);
    assert!(bench.wf_run("run").is_err());
    assert_eq!(check(&bench.state), Ok(Vec::new()));
}

#[test]
fn a_thread_leaves_when_its_retention_is_over() {
    use lh::thread_retention_policy::ThreadGcPolicy;
    let mut short = chain(&[]);
    short.retention_policy =
        Some(lh::ThreadRetentionPolicy { thread_gc_policy: Some(ThreadGcPolicy::SecondsAfterThreadTermination(0)) });
    let wait = Kind::WaitForThreads(wait_for(&[lit(i(1))], Strategy::WaitForAll));
    let ask = Kind::UserTask(user_task(Some(lit(s("ann"))), None));
    let late = Kind::WaitForThreads(wait_for(&[lit(i(1))], Strategy::WaitForAll));
    let main = chain(&[("s1", start("short")), ("wait", wait), ("ask", ask), ("late", late)]);
    let mut bench = bench(&[("main", main), ("short", short)]);
    let run = bench.wf_run("run").unwrap();
    assert_eq!((statuses(&run), run.greatest_threadrun_number), ((Running, vec![Running]), 1));
    let archived = inactive(&bench, 1).unwrap();
    assert_eq!(archived.thread_run.unwrap().status(), Completed);
    assert!(matches!(archived.inactive_reason, Some(InactiveReason::Archived(_))));
    assert!(inactive(&bench, 0).is_err() && inactive(&bench, 2).is_err());
    let gone: Result<lh::WfRun, _> = bench
        .give(lh::RescueThreadRunRequest {
            wf_run_id: Some(run_id("run")),
            thread_run_number: 1,
            skip_current_node: false,
        })
        .and_then(TryInto::try_into);
    assert_eq!(gone, Err(Refusal::precondition("Specified ThreadRun has been garbage-collected.")));
    done(&mut bench, "0-3");
    assert_eq!(bench.wf_run("run").unwrap().status(), Completed, "it can still be waited for");
}

#[test]
fn threads_beyond_the_limit_wait_for_their_turn() {
    let mut taking = asking();
    let mut input = var_def("INPUT", T::Int);
    input.var_def.as_mut().unwrap().type_def.as_mut().unwrap().masked = true;
    taking.variable_defs = vec![input];
    let mut bench = bench(&[("main", chain(&[("each", each(70, "take"))])), ("take", taking)]);
    let run = bench.wf_run("run").unwrap();
    assert_eq!((run.thread_runs.len(), run.greatest_threadrun_number), (65, 70));
    assert_eq!(run.thread_run_queue, [65, 66, 67, 68, 69, 70]);
    let queued = inactive(&bench, 65).unwrap();
    assert_eq!(queued.thread_run.unwrap().status(), LhStatus::Starting);
    let Some(InactiveReason::Queued(queued)) = queued.inactive_reason else { panic!("not queued") };
    assert_eq!(queued.input_vars["INPUT"].value, s("*****"));
    for thread in 1..=70 {
        assert_eq!(bench.wf_run("run").unwrap().status(), Running);
        done(&mut bench, &format!("{thread}-1"));
        let run = bench.wf_run("run").unwrap();
        assert!(run.thread_runs.len() <= 65);
        assert_eq!(run.thread_run_queue, (65 + thread..=70).collect::<Vec<i32>>());
    }
    assert_eq!(bench.wf_run("run").unwrap().status(), Completed);
    assert_eq!(check(&bench.state), Ok(Vec::new()));
}

#[test]
fn what_nobody_waits_for_any_more_never_begins() {
    let first = lh::WaitForThreadsNode {
        threads_to_wait_for: Some(lh::wait_for_threads_node::ThreadsToWaitForOneOf::ThreadList(
            lh::VariableAssignment { path: None, ..out("each", "$") },
        )),
        strategy: Strategy::WaitForAny.into(),
        ..Default::default()
    };
    let ask = Kind::UserTask(user_task(Some(lit(s("ann"))), None));
    let main = chain(&[
        ("each", each(70, "ask")),
        ("first", Kind::WaitForThreads(first)),
        ("again", each(3, "ask")),
        ("ask", ask),
    ]);
    let mut bench = bench(&[("main", main), ("ask", asking())]);
    assert_eq!(bench.wf_run("run").unwrap().thread_run_queue.len(), 6);
    done(&mut bench, "7-1");
    let run = bench.wf_run("run").unwrap();
    assert!(run.thread_run_queue.is_empty());
    assert_eq!(run.greatest_threadrun_number, 73);
    for thread in 71..=73 {
        done(&mut bench, &format!("{thread}-1"));
    }
    done(&mut bench, "0-4");
    assert_eq!(bench.wf_run("run").unwrap().status(), Completed);
    assert_eq!(check(&bench.state), Ok(Vec::new()));
}

#[test]
fn threads_that_all_wait_for_queued_ones_still_end() {
    // Each of 70 threads starts one more and waits for it.
    let pair = chain(&[("s1", start("leaf"))]);
    let bench = bench(&[("main", chain(&[("each", each(70, "pair"))])), ("pair", pair), ("leaf", chain(&[]))]);
    let run = bench.wf_run("run").unwrap();
    assert_eq!((run.status(), run.greatest_threadrun_number), (Completed, 140));
}

#[test]
fn many_threads_are_no_loop_but_more_than_one_command() {
    let mut bench = bench(&[("main", chain(&[("each", each(3000, "none"))])), ("none", chain(&[]))]);
    let run = bench.wf_run("run").unwrap();
    assert_eq!((run.status(), run.thread_run_queue.is_empty()), (Running, false));
    for _ in 0..3 {
        bench.pass(2);
    }
    let run = bench.wf_run("run").unwrap();
    assert_eq!((run.status(), run.greatest_threadrun_number), (Completed, 3000));
    assert_eq!((bench.timers(), check(&bench.state)), (0, Ok(Vec::new())));
}

#[test]
fn threads_that_start_each_other_for_ever_end() {
    let a = chain(&[("s1", start("b"))]);
    let b = chain(&[("s1", start("a"))]);
    let mut bench = bench(&[("main", chain(&[("s1", start("a"))])), ("a", a), ("b", b)]);
    bench.pass(2);
    let run = bench.wf_run("run").unwrap();
    assert_eq!(run.status(), LhStatus::Error);
    let text = "Your WfSpec had a tight loop and exceeded the maximum iterations in one command.";
    assert_eq!(run.thread_runs[0].error_message.as_deref(), Some(text));
}

#[test]
fn more_threads_than_a_run_can_have_fail_the_node() {
    let bench = bench(&[("main", chain(&[("each", each(10_000, "ask"))])), ("ask", asking())]);
    let text = "WfRun would have 10001 ThreadRuns, exceeding the maximum number of ThreadRuns per WfRun: 10000. Reduce \
                the number of spawned ThreadRuns.";
    assert_eq!(failures(&bench.node_run("run", 0, 1)), [("INTERNAL_ERROR", text)]);
    assert_eq!(bench.wf_run("run").unwrap().thread_runs.len(), 1);
}
