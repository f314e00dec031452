//! Rescuing threads.

use super::halt::statuses;
use super::threads::{asking, bench, broken, done, start, throwing, wait_for};
use super::*;
use LhStatus::{Completed, Error, Halted, Running};
use lh::{UserTaskRunStatus, WaitForThreadsStrategy as Strategy};

fn rescue(bench: &mut Bench, thread: i32, skip: bool) -> Result<lh::WfRun, Refusal> {
    let request = lh::RescueThreadRunRequest {
        wf_run_id: Some(run_id("run")),
        thread_run_number: thread,
        skip_current_node: skip,
    };
    bench.give(request)?.try_into()
}

fn form(user: &str) -> Kind {
    Kind::UserTask(user_task(Some(lit(s(user))), None))
}

#[test]
fn a_rescued_thread_visits_its_node_again_or_goes_on() {
    let mut bench = bench(&[("main", chain(&[("ask", form("ann")), ("n", nop())]))]);
    bench.cancel(&task_id("run", "0-1")).unwrap();
    let run = bench.wf_run("run").unwrap();
    assert!(run.end_time.is_some() && run.thread_runs[0].error_message.is_some());
    let run = rescue(&mut bench, 0, false).unwrap();
    assert_eq!(statuses(&run), (Running, vec![Running]));
    assert_eq!((run.end_time, run.thread_runs[0].error_message.clone()), (None, None));
    assert_eq!(run.thread_runs[0].current_node_position, 2);
    assert_eq!(bench.node_run("run", 0, 1).status(), Error);
    bench.cancel(&task_id("run", "0-2")).unwrap();
    let run = rescue(&mut bench, 0, true).unwrap();
    assert_eq!(statuses(&run), (Completed, vec![Completed]), "it advances in the same command");
}

#[test]
fn rescues_are_refused_in_order() {
    let mut bench = bench(&[("main", chain(&[("s1", start("throw")), ("ask", form("ann"))])), ("throw", throwing())]);
    let absent = lh::RescueThreadRunRequest { wf_run_id: Some(run_id("no")), ..Default::default() };
    assert_eq!(bench.give(absent), Err(Refusal::not_found("Couldn't find WfRun no")));
    for (thread, refusal) in [
        (-1, Refusal::invalid("Tried to rescue a non-existent thread id.")),
        (2, Refusal::invalid("Tried to rescue a non-existent thread id.")),
        (0, Refusal::precondition("Specified ThreadRun has status RUNNING, not ERROR")),
        (1, Refusal::precondition("Specified ThreadRun has status EXCEPTION, not ERROR")),
    ] {
        assert_eq!(rescue(&mut bench, thread, false), Err(refusal));
    }
}

#[test]
fn what_fails_again_at_once_is_not_rescued() {
    let mut bench = bench(&[("main", broken())]);
    let none = "Could not rescue threadRun: Invalid WfSpec: No outgoing edges found on Node start with all conditions \
                satisfied";
    assert_eq!(rescue(&mut bench, 0, true), Err(Refusal::precondition(none)));
    assert_eq!(bench.wf_run("run").unwrap().status(), Error);
}

#[test]
fn those_who_failed_for_a_child_go_on_with_it() {
    for waiting in [false, true] {
        let mut nodes = vec![("s1", start("ask"))];
        if waiting {
            nodes.push(("wait", Kind::WaitForThreads(wait_for(&[lit(i(1))], Strategy::WaitForAll))));
        }
        let mut bench = bench(&[("main", chain(&nodes)), ("ask", asking())]);
        bench.cancel(&task_id("run", "1-1")).unwrap();
        assert_eq!(statuses(&bench.wf_run("run").unwrap()), (Error, vec![Error, Error]));
        let run = rescue(&mut bench, 1, false).unwrap();
        assert_eq!(statuses(&run), (Running, vec![Running, Running]));
        done(&mut bench, "1-2");
        assert_eq!(statuses(&bench.wf_run("run").unwrap()), (Completed, vec![Completed, Completed]));
    }
}

#[test]
fn a_handled_failure_is_not_rescued() {
    let mut node = wait_for(&[lit(i(1))], Strategy::WaitForAll);
    node.per_thread_failure_handlers = vec![handler("fix")];
    let main = chain(&[("s1", start("break")), ("wait", Kind::WaitForThreads(node)), ("ask", form("ann"))]);
    let threads = [("main", main), ("break", broken()), ("fix", chain(&[]))];
    let mut bench = bench(&threads);
    assert_eq!(statuses(&bench.wf_run("run").unwrap()), (Running, vec![Running, Error, Completed]));
    let handled = "Parent of specified ThreadRun has already handled the failure";
    assert_eq!(rescue(&mut bench, 1, false), Err(Refusal::precondition(handled)));
}

#[test]
fn handlers_of_an_earlier_visit_never_go_on() {
    let mut node = wait_for(&[lit(i(1)), lit(i(2))], Strategy::WaitForAll);
    node.per_thread_failure_handlers = vec![handler("fix")];
    let main = chain(&[("s1", start("break")), ("s2", start("break")), ("wait", Kind::WaitForThreads(node))]);
    let mut bench = bench(&[("main", main), ("break", broken()), ("fix", asking())]);
    bench.cancel(&task_id("run", "3-1")).unwrap();
    assert_eq!(bench.wf_run("run").unwrap().status(), Error);
    let run = rescue(&mut bench, 0, false).unwrap();
    assert_eq!(statuses(&run).1, [Running, Error, Error, Error, Halted, Running, Running]);
    assert_eq!(bench.task(&task_id("run", "4-1")).unwrap().status(), UserTaskRunStatus::Cancelled);
    done(&mut bench, "5-1");
    done(&mut bench, "6-1");
    assert_eq!(bench.wf_run("run").unwrap().status(), Completed);
}

#[test]
fn a_rescued_handler_takes_its_thread_along() {
    let mut bench = bench(&[("main", handled("fix")), ("fix", asking())]);
    bench.cancel(&task_id("run", "1-1")).unwrap();
    assert_eq!(statuses(&bench.wf_run("run").unwrap()), (Error, vec![Error, Error]));
    let run = rescue(&mut bench, 1, false).unwrap();
    assert_eq!(statuses(&run), (Running, vec![Halted, Running]));
    done(&mut bench, "1-2");
    assert_eq!(statuses(&bench.wf_run("run").unwrap()), (Completed, vec![Completed, Completed]));
}

#[test]
fn children_of_a_rescued_thread_go_on_and_their_tasks_are_open_again() {
    let main = chain(&[("s1", start("ask")), ("ask", form("bob"))]);
    let mut bench = bench(&[("main", main), ("ask", asking())]);
    bench.cancel(&task_id("run", "0-2")).unwrap();
    let closed = bench.task(&task_id("run", "1-1")).unwrap();
    assert_eq!((closed.status(), closed.user_id.as_deref()), (UserTaskRunStatus::Cancelled, Some("ann")));
    assert!(bench.complete(&task_id("run", "1-1"), "ann", &[("name", s("x"))]).is_err());
    let run = rescue(&mut bench, 0, false).unwrap();
    assert_eq!(statuses(&run), (Running, vec![Running, Running]));
    let open = bench.task(&task_id("run", "1-1")).unwrap();
    assert_eq!((open.status(), open.user_id.as_deref(), open.epoch), (UserTaskRunStatus::Assigned, Some("ann"), 2));
    assert!(matches!(open.events[2].event, Some(lh::user_task_event::Event::Assigned(_))));
    done(&mut bench, "1-1");
    bench.complete(&task_id("run", "0-3"), "bob", &[("name", s("x"))]).unwrap();
    assert_eq!(bench.wf_run("run").unwrap().status(), Completed);
}

#[test]
fn a_child_of_a_thread_that_failed_for_another_reason_waits_for_it() {
    let main = chain(&[("s1", start("ask")), ("ask", form("bob"))]);
    let mut bench = bench(&[("main", main), ("ask", asking())]);
    bench.cancel(&task_id("run", "1-1")).unwrap();
    bench.cancel(&task_id("run", "0-2")).unwrap();
    let run = rescue(&mut bench, 1, false).unwrap();
    assert_eq!(statuses(&run), (Error, vec![Error, Halted]));
    assert_eq!(bench.task(&task_id("run", "1-2")).unwrap().status(), UserTaskRunStatus::Cancelled);
    rescue(&mut bench, 0, false).unwrap();
    done(&mut bench, "1-2");
    bench.complete(&task_id("run", "0-3"), "bob", &[("name", s("x"))]).unwrap();
    assert_eq!(bench.wf_run("run").unwrap().status(), Completed);
}
