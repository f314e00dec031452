//! Stopping and resuming.

use super::*;
use crate::engine::core::user_task::life;
use lh::thread_halt_reason::Reason;

pub(super) fn stop(bench: &mut Bench, run: &str, thread: i32) -> Result<(), Refusal> {
    let request = lh::StopWfRunRequest { wf_run_id: Some(run_id(run)), thread_run_number: thread };
    bench.give(request)?.try_into()
}

pub(super) fn resume(bench: &mut Bench, run: &str, thread: i32) -> Result<(), Refusal> {
    let request = lh::ResumeWfRunRequest { wf_run_id: Some(run_id(run)), thread_run_number: thread };
    bench.give(request)?.try_into()
}

pub(super) fn statuses(run: &lh::WfRun) -> (LhStatus, Vec<LhStatus>) {
    (run.status(), run.thread_runs.iter().map(lh::ThreadRun::status).collect())
}

#[test]
fn a_stopped_run_keeps_its_task_and_goes_on_when_resumed() {
    let mut bench = Bench::default();
    let task = bench.start(user_task(None, Some(lit(s("sales")))));
    stop(&mut bench, "run", 0).unwrap();
    stop(&mut bench, "run", 0).unwrap();
    let run = bench.wf_run("run").unwrap();
    assert_eq!(statuses(&run), (LhStatus::Halted, vec![LhStatus::Halted]));
    let manual = lh::ThreadHaltReason { reason: Some(Reason::ManualHalt(lh::ManualHalt::default())) };
    assert_eq!(run.thread_runs[0].halt_reasons, [manual]);
    assert_eq!(bench.node_run("run", 0, 1).status(), LhStatus::Halted);
    bench.assign(&task, Some("ann"), None, false).unwrap();
    bench.save(&task, "ann", &[("name", s("x"))]).unwrap();
    bench.comment(&task, "ann", "still here").unwrap();
    resume(&mut bench, "run", 0).unwrap();
    let run = bench.wf_run("run").unwrap();
    assert_eq!(statuses(&run), (LhStatus::Running, vec![LhStatus::Running]));
    assert_eq!(bench.node_run("run", 0, 1).status(), LhStatus::Running);
    // What is done while the run is stopped counts when it goes on.
    stop(&mut bench, "run", 0).unwrap();
    bench.complete(&task, "ann", &[("name", s("x"))]).unwrap();
    assert_eq!(bench.wf_run("run").unwrap().status(), LhStatus::Halted);
    resume(&mut bench, "run", 0).unwrap();
    assert_eq!(bench.wf_run("run").unwrap().status(), LhStatus::Completed);
    for end in [stop, resume] {
        assert_eq!(end(&mut bench, "run", 0), Ok(()));
    }
    assert_eq!(bench.wf_run("run").unwrap().status(), LhStatus::Completed);
}

#[test]
fn stop_and_resume_refuse_what_is_not_there() {
    let mut bench = Bench::default();
    bench.start(user_task(None, Some(lit(s("sales")))));
    assert_eq!(stop(&mut bench, "no", 0), Err(Refusal::not_found("Couldn't find specified WfRun")));
    assert_eq!(resume(&mut bench, "no", 0), Err(Refusal::not_found("Couldn't find provided WfRun")));
    for thread in [-1, 1] {
        let wrong = Refusal::invalid("Tried to stop a non-existent thread id.");
        assert_eq!(stop(&mut bench, "run", thread), Err(wrong));
        let wrong = Refusal::invalid("Tried to resume a non-existent thread id.");
        assert_eq!(resume(&mut bench, "run", thread), Err(wrong));
    }
    resume(&mut bench, "run", 0).unwrap();
    assert_eq!(bench.wf_run("run").unwrap().status(), LhStatus::Running);
}

/// A thread whose failure is being handled by a person.
fn being_handled() -> Bench {
    let mut bench = Bench::default();
    bench.form("form", &FORM());
    let fix = chain(&[("ask", Kind::UserTask(user_task(None, Some(lit(s("boss"))))))]);
    bench.flow("flow", &[("main", handled("fix")), ("fix", fix)]).unwrap();
    bench.run("flow", "run", &[]).unwrap();
    bench
}

#[test]
fn a_stop_while_a_failure_is_handled_halts_the_handler_too() {
    let mut bench = being_handled();
    stop(&mut bench, "run", 0).unwrap();
    let run = bench.wf_run("run").unwrap();
    assert_eq!(statuses(&run), (LhStatus::Halted, vec![LhStatus::Halted; 2]));
    resume(&mut bench, "run", 0).unwrap();
    let run = bench.wf_run("run").unwrap();
    assert_eq!(statuses(&run), (LhStatus::Running, vec![LhStatus::Halted, LhStatus::Running]));
    bench.complete(&task_id("run", "1-1"), "boss", &[("name", s("x"))]).unwrap();
    assert_eq!(bench.wf_run("run").unwrap().status(), LhStatus::Completed);
}

#[test]
fn a_handler_can_be_stopped_alone() {
    let mut bench = being_handled();
    stop(&mut bench, "run", 1).unwrap();
    let run = bench.wf_run("run").unwrap();
    assert_eq!(statuses(&run), (LhStatus::Running, vec![LhStatus::Halted; 2]));
    bench.complete(&task_id("run", "1-1"), "boss", &[("name", s("x"))]).unwrap();
    assert_eq!(bench.wf_run("run").unwrap().status(), LhStatus::Running);
    resume(&mut bench, "run", 1).unwrap();
    assert_eq!(bench.wf_run("run").unwrap().status(), LhStatus::Completed);
}

#[test]
fn a_task_cancelled_while_stopped_fails_its_node_later() {
    let mut bench = Bench::default();
    let task = bench.start(user_task(None, Some(lit(s("sales")))));
    stop(&mut bench, "run", 0).unwrap();
    bench.cancel(&task).unwrap();
    assert_eq!(bench.wf_run("run").unwrap().status(), LhStatus::Halted);
    resume(&mut bench, "run", 0).unwrap();
    assert_eq!(bench.wf_run("run").unwrap().status(), LhStatus::Error);
    assert_eq!(bench.node_run("run", 0, 1).failures[0].failure_name, life::CANCELLED);
}
