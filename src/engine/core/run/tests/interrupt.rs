//! Interrupts.

use super::halt::{resume, statuses, stop};
use super::threads::{asking, done, start, throwing};
use super::*;
use LhStatus::{Completed, Error, Exception, Halted, Running};
use lh::thread_halt_reason::Reason;

fn ring(bench: &mut Bench, thread: Option<i32>, content: Option<Value>) -> lh::ExternalEvent {
    let request = lh::PutExternalEventRequest {
        wf_run_id: Some(run_id("run")),
        external_event_def_id: Some(lh::ExternalEventDefId { name: "bell".into() }),
        thread_run_number: thread,
        content: Some(crate::engine::core::value::message(content)),
        ..Default::default()
    };
    bench.must(request).try_into().unwrap()
}

/// A thread that `bell` interrupts.
fn interrupted(mut thread: lh::ThreadSpec) -> lh::ThreadSpec {
    thread.interrupt_defs = vec![lh::InterruptDef {
        external_event_def_id: Some(lh::ExternalEventDefId { name: "bell".into() }),
        handler_spec_name: "hey".into(),
    }];
    thread
}

fn bench(threads: &[(&str, lh::ThreadSpec)]) -> Bench {
    let mut bench = Bench::default();
    bench.form("form", &FORM());
    bench.must(lh::PutExternalEventDefRequest { name: "bell".into(), ..Default::default() });
    bench.flow("flow", threads).unwrap();
    bench.run("flow", "run", &[]).unwrap();
    bench
}

#[test]
fn an_interrupted_thread_and_its_children_go_on_afterwards() {
    let mut hey = asking();
    hey.variable_defs = vec![var_def("INPUT", T::Int)];
    let main = interrupted(chain(&[("s1", start("ask")), ("ask", asking().nodes["ask"].node.clone().unwrap())]));
    let mut bench = bench(&[("main", main), ("ask", asking()), ("hey", hey)]);
    assert!(ring(&mut bench, None, i(5)).claimed);
    let run = bench.wf_run("run").unwrap();
    assert_eq!(statuses(&run), (Running, vec![Halted, Halted, Running]));
    assert!(run.pending_interrupts.is_empty());
    let by = Reason::Interrupted(lh::Interrupted { interrupt_thread_id: 2 });
    assert_eq!(run.thread_runs[0].halt_reasons, [lh::ThreadHaltReason { reason: Some(by) }]);
    let id = lh::VariableId { wf_run_id: Some(run_id("run")), thread_run_number: 2, name: "INPUT".into() };
    let input = crate::engine::core::query::get_variable(&bench.state, "default", id).unwrap();
    assert_eq!(input.value.unwrap().value, i(5));
    // Another one runs beside it.
    assert!(ring(&mut bench, Some(0), None).claimed);
    assert!(!ring(&mut bench, Some(1), None).claimed);
    done(&mut bench, "2-1");
    assert_eq!(statuses(&bench.wf_run("run").unwrap()).1, [Halted, Halted, Completed, Running]);
    done(&mut bench, "3-1");
    assert_eq!(statuses(&bench.wf_run("run").unwrap()).1, [Running, Running, Completed, Completed]);
    done(&mut bench, "0-2");
    done(&mut bench, "1-1");
    assert_eq!(bench.wf_run("run").unwrap().status(), Completed);
    assert!(!ring(&mut bench, None, None).claimed, "nobody reacts after the end");
}

#[test]
fn an_interrupt_that_fails_ends_its_thread_without_handlers() {
    let main = with(interrupted(asking()), "ask", |node| node.failure_handlers = vec![handler("fix")]);
    let mut bench = bench(&[("main", main), ("hey", throwing()), ("fix", chain(&[]))]);
    ring(&mut bench, None, None);
    let run = bench.wf_run("run").unwrap();
    assert_eq!(statuses(&run), (Exception, vec![Exception, Exception]));
    assert_eq!(failures(&bench.node_run("run", 0, 1)), [("oops", "Interrupt thread with id 1 failed!")]);
    let task = bench.task(&task_id("run", "0-1")).unwrap();
    assert_eq!(task.status(), lh::UserTaskRunStatus::Cancelled);
}

#[test]
fn a_stopped_thread_is_interrupted_when_it_goes_on() {
    let mut bench = bench(&[("main", interrupted(asking())), ("hey", asking())]);
    stop(&mut bench, "run", 0).unwrap();
    ring(&mut bench, None, None);
    let run = bench.wf_run("run").unwrap();
    assert_eq!((statuses(&run), run.pending_interrupts.len()), ((Halted, vec![Halted]), 1));
    resume(&mut bench, "run", 0).unwrap();
    assert_eq!(statuses(&bench.wf_run("run").unwrap()), (Running, vec![Halted, Running]));
    // Stopped again, the handler stands still too, and goes on with it.
    stop(&mut bench, "run", 0).unwrap();
    ring(&mut bench, None, None);
    assert_eq!(statuses(&bench.wf_run("run").unwrap()), (Halted, vec![Halted, Halted]));
    resume(&mut bench, "run", 0).unwrap();
    assert_eq!(statuses(&bench.wf_run("run").unwrap()), (Running, vec![Halted, Running, Running]));
    done(&mut bench, "1-1");
    done(&mut bench, "2-1");
    done(&mut bench, "0-1");
    assert_eq!(bench.wf_run("run").unwrap().status(), Completed);
}

#[test]
fn interrupts_come_before_the_handling_of_failures() {
    let main = with(interrupted(asking()), "ask", |node| node.failure_handlers = vec![handler("fix")]);
    let mut bench = bench(&[("main", main), ("hey", asking()), ("fix", asking())]);
    bench.cancel(&task_id("run", "0-1")).unwrap();
    ring(&mut bench, None, None);
    assert_eq!(statuses(&bench.wf_run("run").unwrap()).1, [Halted, Halted, Running]);
    done(&mut bench, "2-1");
    assert_eq!(statuses(&bench.wf_run("run").unwrap()).1, [Halted, Running, Completed]);
    done(&mut bench, "1-1");
    assert_eq!(bench.wf_run("run").unwrap().status(), Completed);
}

#[test]
fn a_rescued_interrupt_takes_its_thread_along() {
    let mut bench = bench(&[("main", interrupted(asking())), ("hey", asking())]);
    ring(&mut bench, None, None);
    bench.cancel(&task_id("run", "1-1")).unwrap();
    assert_eq!(statuses(&bench.wf_run("run").unwrap()), (Error, vec![Error, Error]));
    bench.must(lh::RescueThreadRunRequest {
        wf_run_id: Some(run_id("run")),
        thread_run_number: 1,
        skip_current_node: false,
    });
    assert_eq!(statuses(&bench.wf_run("run").unwrap()), (Running, vec![Halted, Running]));
    assert!(bench.node_run("run", 0, 1).failures.is_empty());
    done(&mut bench, "1-2");
    done(&mut bench, "0-1");
    assert_eq!(bench.wf_run("run").unwrap().status(), Completed);
}
