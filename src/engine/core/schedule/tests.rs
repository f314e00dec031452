use crate::api::littlehorse as lh;
use crate::engine::core::testing::*;
use crate::engine::core::{Refusal, check, id, query};
use lh::VariableType as T;
use tonic::Code;

/// 2026-11-21T10:15:00Z.
const START: i64 = 1_795_256_100_000;

fn bench() -> Bench {
    let mut bench = Bench { clock: START - 1000, ..Default::default() };
    let mut thread = chain(&[]);
    thread.variable_defs = vec![var_def("x", T::Int)];
    bench.flow("flow", &[("main", thread)]).unwrap();
    bench
}

fn request(id: &str, cron: &str) -> lh::ScheduleWfRequest {
    lh::ScheduleWfRequest {
        id: Some(id.into()),
        wf_spec_name: "flow".into(),
        cron_expression: cron.into(),
        variables: values(&[("x", i(7))]),
        ..Default::default()
    }
}

fn schedule(bench: &mut Bench, request: lh::ScheduleWfRequest) -> Result<lh::ScheduledWfRun, Refusal> {
    bench.give(request)?.try_into()
}

fn runs(bench: &Bench) -> Vec<lh::WfRun> {
    let request = lh::SearchWfRunRequest { wf_spec_name: "flow".into(), ..Default::default() };
    let found = query::search_wf_run(&bench.state, "default", request).unwrap().results;
    found.into_iter().map(|id| query::get_wf_run(&bench.state, "default", id).unwrap()).collect()
}

#[test]
fn a_schedule_runs_its_workflow_at_each_time() {
    let mut bench = bench();
    let scheduled = schedule(&mut bench, request("each", "*/10 * * * *")).unwrap();
    assert_eq!(scheduled.wf_spec_id.as_ref().unwrap().name, "flow");
    let get = |bench: &Bench| {
        query::get_scheduled_wf_run(&bench.state, "default", lh::ScheduledWfRunId { id: "each".into() })
    };
    assert_eq!(get(&bench), Ok(scheduled));
    bench.pass(4 * 60_000 + 58_999);
    assert_eq!(runs(&bench).len(), 0);
    bench.pass(1);
    let started = runs(&bench);
    assert_eq!(started.len(), 1);
    assert_eq!(started[0].start_time, Some(id::timestamp(START + 5 * 60_000)));
    assert_eq!(bench.variable(&started[0].id.clone().unwrap().id, "x"), i(7));
    bench.pass(20 * 60_000);
    // What was missed fires once.
    assert_eq!(runs(&bench).len(), 2);
    assert_eq!(runs(&bench)[1].start_time, Some(id::timestamp(START + 25 * 60_000)));
    bench.pass(10 * 60_000);
    assert_eq!((runs(&bench).len(), bench.timers()), (3, 1));
    let delete = || lh::DeleteScheduledWfRunRequest { id: Some(lh::ScheduledWfRunId { id: "each".into() }) };
    for _ in 0..2 {
        bench.must(delete());
        assert_eq!(get(&bench).unwrap_err().message, "Couldn't find specified object");
    }
    bench.pass(60 * 60_000);
    assert_eq!((runs(&bench).len(), bench.timers()), (3, 0));
    assert_eq!(check(&bench.state).unwrap(), []);
}

#[test]
fn an_id_that_is_used_again_ends_the_earlier_schedule() {
    let mut bench = bench();
    schedule(&mut bench, request("each", "* * * * *")).unwrap();
    schedule(&mut bench, request("each", "0 * * * *")).unwrap();
    schedule(&mut bench, request("", "0 0 * * *")).unwrap();
    assert_eq!(bench.timers(), 2);
    bench.pass(30 * 60_000);
    assert_eq!(runs(&bench).len(), 0);
    let search = |major| {
        let wf_spec_name = "flow".into();
        let request = lh::SearchScheduledWfRunRequest { wf_spec_name, major_version: major, revision: None };
        query::search_scheduled_wf_run(&bench.state, "default", request).unwrap().results
    };
    let found = search(None);
    assert_eq!((found.len(), found[0].id.as_str(), found[1].id.len()), (2, "each", 32));
    assert_eq!((search(Some(0)).len(), search(Some(1)).len()), (2, 0));
}

#[test]
fn what_cannot_be_scheduled_is_refused() {
    let mut bench = bench();
    let of = |name: &str, major, revision| lh::ScheduleWfRequest {
        wf_spec_name: name.into(),
        major_version: major,
        revision,
        ..request("each", "* * * * *")
    };
    for (request, message) in [
        (of("no", None, None), "WfSpec no null.null does not exist"),
        (of("flow", Some(3), None), "WfSpec flow 3.null does not exist"),
        (of("flow", Some(0), Some(9)), "WfSpec flow 0.9 does not exist"),
        (request("each", ""), "Invalid cron expression \"\": it must have 5 fields, not 0"),
        (request("each", "0 0 30 2 *"), "Cron expression does not yield a next execution time"),
    ] {
        let refusal = schedule(&mut bench, request).unwrap_err();
        assert_eq!((refusal.code, refusal.message.as_str()), (Code::InvalidArgument, message));
    }
    assert_eq!(bench.timers(), 0);
}

/// The inputs are looked at when it fires; a refusal ends neither the schedule nor anything else.
#[test]
fn a_run_that_is_refused_is_noted() {
    let mut bench = bench();
    let wrong = lh::ScheduleWfRequest { variables: values(&[("x", s("text"))]), ..request("each", "* * * * *") };
    schedule(&mut bench, wrong).unwrap();
    bench.pass(60_000);
    assert_eq!((runs(&bench).len(), bench.timers()), (0, 1));
    assert!(bench.notes[0].starts_with("ScheduledWfRun each could not run its workflow: "), "{:?}", bench.notes);
    assert_eq!(check(&bench.state).unwrap(), []);
}
