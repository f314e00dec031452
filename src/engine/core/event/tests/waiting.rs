use super::*;
use crate::engine::core::id;
use lh::node_run::NodeType;
use lh::sleep_node::SleepLength;
use lh::wait_for_condition_node::NodeCondition;
use lh::{Comparator, LhStatus, VariableMutationType as Op};

const BAD_LENGTH: &str = "Failed calculating maturation for timer: ";

fn sleep(length: SleepLength) -> Kind {
    Kind::Sleep(lh::SleepNode { sleep_length: Some(length) })
}

fn slept(bench: &Bench, run: &str) -> lh::SleepNodeRun {
    match bench.node_run(run, 0, 1).node_type {
        Some(NodeType::Sleep(sleep)) => sleep,
        other => panic!("{other:?}"),
    }
}

fn failure(bench: &Bench, run: &str) -> (String, String) {
    let failure = bench.node_run(run, 0, 1).failures.pop().unwrap();
    (failure.failure_name, failure.message)
}

/// A flow that sleeps by its variable `v`.
fn sleeper(bench: &mut Bench, kind: T, length: fn(lh::VariableAssignment) -> SleepLength) {
    let mut thread = chain(&[("n1", sleep(length(var("v"))))]);
    thread.variable_defs = vec![var_def("v", kind)];
    bench.flow("flow", &[("main", thread)]).unwrap();
}

#[test]
fn a_sleep_ends_when_its_time_has_come_and_not_before() {
    let mut bench = Bench::default();
    sleeper(&mut bench, T::Int, SleepLength::RawSeconds);
    assert_eq!(bench.run("flow", "run", &[("v", i(10))]).unwrap().status(), LhStatus::Running);
    let until = Some(id::timestamp(bench.clock + 10_000));
    assert_eq!(slept(&bench, "run"), lh::SleepNodeRun { maturation_time: until, matured: false });
    bench.pass(9_999);
    assert_eq!(bench.wf_run("run").unwrap().status(), LhStatus::Running);
    bench.pass(1);
    let run = bench.wf_run("run").unwrap();
    assert_eq!((run.status(), run.end_time), (LhStatus::Completed, Some(id::timestamp(bench.clock))));
    assert!(slept(&bench, "run").matured);
    assert_eq!(bench.timers(), 0);
    sound(&bench);
}

/// Such a sleep still ends by the timer, so RunWf answers RUNNING; what people see are times that really were.
#[test]
fn a_time_that_is_past_ends_the_sleep_with_the_next_tick() {
    let date = |text: &str| s(text);
    for (kind, length, value) in [
        (T::Int, SleepLength::RawSeconds as fn(_) -> _, i(0)),
        (T::Int, SleepLength::RawSeconds, i(-5)),
        (T::Int, SleepLength::Timestamp, i(1000)),
        (T::Int, SleepLength::Timestamp, i(-1000)),
        (
            T::Timestamp,
            SleepLength::Timestamp,
            Some(Value::UtcTimestamp(prost_types::Timestamp { seconds: 1, nanos: 9 })),
        ),
        (T::Str, SleepLength::IsoDate, date("2001-01-01T00:00:00Z")),
        (T::Str, SleepLength::IsoDate, date("2001-01-01T00:00:00+02:00")),
    ] {
        let mut bench = Bench { clock: 1_800_000_000_000, ..Default::default() };
        sleeper(&mut bench, kind, length);
        let run = bench.run("flow", "run", &[("v", value.clone())]).unwrap();
        assert_eq!(run.status(), LhStatus::Running, "{value:?}");
        bench.pass(1);
        let run = bench.wf_run("run").unwrap();
        assert_eq!(run.status(), LhStatus::Completed, "{value:?}");
        assert_eq!(run.end_time, Some(id::timestamp(bench.clock)));
    }
}

#[test]
fn a_length_that_cannot_be_computed_fails_the_node() {
    for (kind, length, value, detail) in [
        (T::Int, SleepLength::RawSeconds as fn(_) -> _, None, "the seconds must be INT, not VALUE_NOT_SET"),
        (T::Int, SleepLength::Timestamp, None, "the timestamp must be INT or TIMESTAMP, not VALUE_NOT_SET"),
        (T::Str, SleepLength::IsoDate, None, "the date must be STR, not VALUE_NOT_SET"),
        (T::Str, SleepLength::IsoDate, s("tomorrow"), "failed parsing date string tomorrow"),
        (T::Str, SleepLength::IsoDate, s("2001-01-01T00:00:00"), "failed parsing date string 2001-01-01T00:00:00"),
        (
            T::Int,
            SleepLength::RawSeconds,
            i(i64::MAX),
            "9223372036854775807 seconds since 1970 are not in the years 1 to 9999",
        ),
    ] {
        let mut bench = Bench::default();
        sleeper(&mut bench, kind, length);
        let run = bench.run("flow", "run", &[("v", value)]).unwrap();
        assert_eq!(run.status(), LhStatus::Error);
        assert_eq!(failure(&bench, "run"), ("VAR_SUB_ERROR".into(), format!("{BAD_LENGTH}{detail}")));
        sound(&bench);
    }
}

/// A child thread cannot be started yet, so another WfRun moves the variable: an inherited one.
#[test]
fn who_changes_the_time_moves_the_end_of_the_sleep() {
    let mut bench = Bench::default();
    let mut at = var_def("at", T::Int);
    at.access_level = lh::WfRunVariableAccessLevel::PublicVar.into();
    let mut thread = chain(&[("n1", sleep(SleepLength::Timestamp(var("at"))))]);
    thread.variable_defs = vec![at.clone()];
    bench.flow("parent", &[("main", thread)]).unwrap();
    at.access_level = lh::WfRunVariableAccessLevel::InheritedVar.into();
    let mut thread = with(chain(&[]), "start", |node| {
        node.outgoing_edges[0].variable_mutations = vec![mutation("at", Op::Assign, var("to"))];
    });
    thread.variable_defs = vec![at, var_def("to", T::Int)];
    bench.must(lh::PutWfSpecRequest {
        name: "child".into(),
        entrypoint_thread_name: "main".into(),
        thread_specs: [("main".to_owned(), thread)].into(),
        parent_wf_spec: Some(lh::wf_spec::ParentWfSpecReference {
            wf_spec_name: "parent".into(),
            wf_spec_major_version: 0,
        }),
        ..Default::default()
    });
    bench.run("parent", "run", &[("at", i(1_000_000))]).unwrap();
    for (id, to) in [("later", 2_000_000), ("earlier", 500_000)] {
        bench.must(lh::RunWfRequest {
            wf_spec_name: "child".into(),
            id: Some(id.into()),
            parent_wf_run_id: Some(run_id("run")),
            variables: values(&[("to", i(to))]),
            ..Default::default()
        });
        assert_eq!(slept(&bench, "run").maturation_time, Some(id::timestamp(to)), "{id}");
        assert_eq!(bench.timers(), 1);
    }
    bench.pass(500_000 - bench.clock - 1);
    assert_eq!(bench.wf_run("run").unwrap().status(), LhStatus::Running);
    bench.pass(1);
    assert_eq!(bench.wf_run("run").unwrap().status(), LhStatus::Completed);
}

#[test]
fn an_event_that_comes_too_late_is_not_waited_for() {
    let mut bench = Bench::default();
    event_def(&mut bench, "ev", None);
    let node = lh::ExternalEventNode { timeout_seconds: Some(var("v")), ..wait_for("ev") };
    let mut thread = one_event(node);
    thread.variable_defs = vec![var_def("v", T::Int)];
    bench.flow("flow", &[("main", thread)]).unwrap();
    for run in ["late", "early"] {
        bench.run("flow", run, &[("v", i(10))]).unwrap();
    }
    bench.pass(8_999);
    assert_eq!(bench.wf_run("late").unwrap().status(), LhStatus::Running);
    post(&mut bench, "early", "ev", "g", i(1)).unwrap();
    assert_eq!(bench.wf_run("early").unwrap().status(), LhStatus::Completed);
    bench.pass(1);
    assert_eq!(failure(&bench, "late"), ("TIMEOUT".into(), "ExternalEvent did not arrive in time".into()));
    let Some(NodeType::ExternalEvent(node)) = bench.node_run("late", 0, 1).node_type else { panic!() };
    assert!(node.timed_out);
    assert_eq!(bench.timers(), 0);
    assert!(!post(&mut bench, "late", "ev", "g", i(1)).unwrap().claimed);
    bench.run("flow", "null", &[]).unwrap();
    assert_eq!(failure(&bench, "null").0, "VAR_ERROR");
    assert!(failure(&bench, "null").1.starts_with("Failed determining timeout for ext evt node: "));
    sound(&bench);
}

#[test]
fn a_condition_is_waited_for() {
    let mut bench = Bench::default();
    event_def(&mut bench, "ev", None);
    let wait = |right: lh::VariableAssignment| {
        let condition = compared(var("x"), Comparator::Equals, right);
        Kind::WaitForCondition(lh::WaitForConditionNode { node_condition: Some(NodeCondition::Condition(condition)) })
    };
    for (name, right) in [("same", i(5)), ("never", i(6)), ("wrong", s("5"))] {
        let mut thread = chain(&[("n1", wait(lit(right)))]);
        thread.variable_defs = vec![var_def("x", T::Int)];
        bench.flow(name, &[("main", thread)]).unwrap();
        bench.run(name, name, &[("x", i(5))]).unwrap();
    }
    let status = |run: &str| bench.wf_run(run).unwrap().status();
    assert_eq!([status("same"), status("never")], [LhStatus::Completed, LhStatus::Running]);
    let text = "Failed evaluating condition on WAIT_FOR_CONDITION_NODE: Failed comparing the provided values.";
    assert_eq!(failure(&bench, "wrong"), ("VAR_SUB_ERROR".into(), text.into()));
}

#[test]
fn waiting_nodes_are_checked_when_they_are_put() {
    let mut bench = Bench::default();
    let prefix = "PutWfSpecRequest is invalid: ThreadSpec main invalid: Node n1 invalid: ";
    for (node, detail) in [
        (Kind::ExternalEvent(wait_for("absent")), "Refers to nonexistent ExternalEventDef absent"),
        (Kind::Sleep(lh::SleepNode::default()), "SLEEP node without a length"),
        (sleep(SleepLength::RawSeconds(lit(s("1")))), "raw_seconds of a SLEEP node must be INT, not STR"),
        (sleep(SleepLength::IsoDate(lit(i(1)))), "iso_date of a SLEEP node must be STR, not INT"),
        (sleep(SleepLength::Timestamp(lit(s("x")))), "timestamp of a SLEEP node must be INT or TIMESTAMP, not STR"),
        (
            Kind::WaitForCondition(lh::WaitForConditionNode {
                node_condition: Some(NodeCondition::Condition(lit(i(1)))),
            }),
            "n1 Does not resolve to a BOOL value",
        ),
        (Kind::WaitForCondition(lh::WaitForConditionNode::default()), "WAIT_FOR_CONDITION node without a condition"),
    ] {
        let refusal = bench.flow("flow", &[("main", chain(&[("n1", node)]))]).unwrap_err();
        assert_eq!(refusal.message, format!("{prefix}{detail}"));
    }
}

/// What an event brings has the type of its definition, as far as that says one.
#[test]
fn the_content_of_an_event_is_typed_when_a_spec_is_put() {
    let mut bench = Bench::default();
    event_def(&mut bench, "typed", Some(T::Str));
    event_def(&mut bench, "free", None);
    let put = |bench: &mut Bench, def: &str, kind: T| {
        let mut thread = with(one_event(wait_for(def)), "n1", |node| {
            node.outgoing_edges[0].variable_mutations = vec![mutation("x", Op::Assign, output("n1"))];
        });
        thread.variable_defs = vec![var_def("x", kind)];
        bench.flow(&format!("{def}-{}", kind.as_str_name().to_lowercase()), &[("main", thread)])
    };
    assert!(put(&mut bench, "typed", T::Str).is_ok());
    assert!(put(&mut bench, "free", T::Int).is_ok());
    let refusal = put(&mut bench, "typed", T::Int).unwrap_err();
    assert!(refusal.message.contains("Cannot assign STR to INT without explicit casting."), "{}", refusal.message);
}
