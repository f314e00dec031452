use proptest::prelude::*;

use super::*;
use lh::LhStatus;
use lh::node_run::NodeType;
use tonic::Code;

fn correlated_def(bench: &mut Bench, name: &str, ttl_seconds: Option<i64>, once: bool) {
    let config = lh::CorrelatedEventConfig { ttl_seconds, delete_after_first_correlation: once };
    bench.must(lh::PutExternalEventDefRequest {
        name: name.into(),
        content_type: Some(lh::ReturnType { return_type: Some(typed(T::Int)) }),
        correlated_event_config: Some(config),
        ..Default::default()
    });
}

/// A flow of the same name that waits for `def` under the key in its variable `key`.
fn waiter(bench: &mut Bench, def: &str, timeout: Option<i64>) {
    let node = lh::ExternalEventNode {
        correlation_key: Some(var("key")),
        timeout_seconds: timeout.map(|seconds| lit(i(seconds))),
        ..wait_for(def)
    };
    let mut thread = one_event(node);
    thread.variable_defs = vec![var_def("key", T::Str)];
    bench.flow(def, &[("main", thread)]).unwrap();
}

fn put(bench: &mut Bench, def: &str, key: &str, content: Option<Value>) -> Result<lh::CorrelatedEvent, Refusal> {
    let request = lh::PutCorrelatedEventRequest {
        key: key.into(),
        external_event_def_id: event_def_id(def),
        content: Some(message(content)),
    };
    bench.give(request)?.try_into()
}

fn stored(bench: &Bench, def: &str, key: &str) -> Result<lh::CorrelatedEvent, Refusal> {
    let id = lh::CorrelatedEventId { key: key.into(), external_event_def_id: event_def_id(def) };
    query::get_correlated_event(&bench.state, "default", id)
}

fn status(bench: &Bench, run: &str) -> LhStatus {
    bench.wf_run(run).unwrap().status()
}

#[test]
fn put_checks_in_order() {
    let mut bench = Bench::default();
    correlated_def(&mut bench, "ev", None, false);
    event_def(&mut bench, "plain", None);
    put(&mut bench, "ev", "taken", i(1)).unwrap();
    for (def, key, content, code, message) in [
        ("absent", "a/b", i(1), Code::InvalidArgument, "CorrelatedEvent keys cannot contain '/' or '~'"),
        ("ev", "a~b", i(1), Code::InvalidArgument, "CorrelatedEvent keys cannot contain '/' or '~'"),
        ("absent", "k", i(1), Code::InvalidArgument, "Could not find specified ExternalEventDef"),
        ("plain", "k", i(1), Code::InvalidArgument, "Specified ExternalEventDef does not have CorrelatedEvent enabled"),
        ("ev", "taken", s("x"), Code::AlreadyExists, "Correlated Event with key taken already exists!"),
        (
            "ev",
            "k",
            s("x"),
            Code::InvalidArgument,
            "Invalid type of content for event: ev: Value of type STR is not compatible with expected type INT",
        ),
    ] {
        let refusal = put(&mut bench, def, key, content).unwrap_err();
        assert_eq!((refusal.code, refusal.message.as_str()), (code, message));
    }
    put(&mut bench, "ev", "", None).unwrap();
    sound(&bench);
}

#[test]
fn all_who_wait_and_all_who_come_later_are_served() {
    let mut bench = Bench::default();
    correlated_def(&mut bench, "ev", None, false);
    waiter(&mut bench, "ev", None);
    bench.run("ev", "one", &[("key", s("k"))]).unwrap();
    bench.run("ev", "two", &[("key", s("k"))]).unwrap();
    for (number, other) in ["", "kk", "K"].into_iter().enumerate() {
        bench.run("ev", &format!("other{number}"), &[("key", s(other))]).unwrap();
    }
    let put = put(&mut bench, "ev", "k", i(7)).unwrap();
    assert!(put.external_events.is_empty());
    assert_eq!((result(&bench, "one"), result(&bench, "two")), (i(7), i(7)));
    bench.run("ev", "later", &[("key", s("k"))]).unwrap();
    assert_eq!(result(&bench, "later"), i(7));
    for other in ["other0", "other1", "other2"] {
        assert_eq!(status(&bench, other), LhStatus::Running, "{other}");
    }
    let events = stored(&bench, "ev", "k").unwrap().external_events;
    let runs: Vec<_> = events.iter().map(|id| id.wf_run_id.clone().unwrap().id).collect();
    assert_eq!(runs, ["one", "two", "later"]);
    let claimed = self::events(&bench, "one");
    assert_eq!(
        (claimed[0].claimed, claimed[0].thread_run_number, claimed[0].node_run_position),
        (true, Some(0), Some(1))
    );
    assert_eq!(claimed[0].id.as_ref(), events.first());
    sound(&bench);
}

#[test]
fn an_event_for_one_serves_the_oldest_run_and_is_gone() {
    let mut bench = Bench::default();
    correlated_def(&mut bench, "ev", None, true);
    waiter(&mut bench, "ev", None);
    for run in ["one", "two", "three"] {
        bench.run("ev", run, &[("key", s("k"))]).unwrap();
    }
    put(&mut bench, "ev", "k", i(1)).unwrap();
    assert_eq!([status(&bench, "one"), status(&bench, "two")], [LhStatus::Completed, LhStatus::Running]);
    assert_eq!(stored(&bench, "ev", "k").unwrap_err().code, Code::NotFound);
    // The key is free again, and the next in line is served.
    put(&mut bench, "ev", "k", i(2)).unwrap();
    assert_eq!((result(&bench, "two"), status(&bench, "three")), (i(2), LhStatus::Running));
    // An ordinary event does as well.
    post(&mut bench, "three", "ev", "g", i(3)).unwrap();
    assert_eq!(result(&bench, "three"), i(3));
    // When nobody waits it is kept for the first that comes.
    put(&mut bench, "ev", "k", i(4)).unwrap();
    bench.run("ev", "four", &[("key", s("k"))]).unwrap();
    bench.run("ev", "five", &[("key", s("k"))]).unwrap();
    assert_eq!((result(&bench, "four"), status(&bench, "five")), (i(4), LhStatus::Running));
    sound(&bench);
}

#[test]
fn a_stopped_node_is_served_once_and_takes_the_event_when_it_goes_on() {
    let mut bench = Bench::default();
    correlated_def(&mut bench, "ev", None, true);
    waiter(&mut bench, "ev", None);
    bench.run("ev", "one", &[("key", s("k"))]).unwrap();
    bench.must(lh::StopWfRunRequest { wf_run_id: Some(run_id("one")), ..Default::default() });
    put(&mut bench, "ev", "k", i(1)).unwrap();
    bench.run("ev", "two", &[("key", s("k"))]).unwrap();
    put(&mut bench, "ev", "k", i(2)).unwrap();
    assert_eq!((status(&bench, "one"), result(&bench, "two")), (LhStatus::Halted, i(2)));
    bench.must(lh::ResumeWfRunRequest { wf_run_id: Some(run_id("one")), ..Default::default() });
    assert_eq!(result(&bench, "one"), i(1));
    sound(&bench);
}

#[test]
fn a_time_to_live_ends_an_event_and_a_timeout_ends_the_waiting() {
    let mut bench = Bench::default();
    correlated_def(&mut bench, "ev", Some(60), false);
    waiter(&mut bench, "ev", Some(5));
    bench.run("ev", "late", &[("key", s("k"))]).unwrap();
    bench.pass(5_000);
    assert_eq!(status(&bench, "late"), LhStatus::Error);
    put(&mut bench, "ev", "k", i(1)).unwrap();
    assert!(stored(&bench, "ev", "k").unwrap().external_events.is_empty());
    bench.pass(59_999);
    assert!(stored(&bench, "ev", "k").is_ok());
    bench.pass(1);
    assert_eq!(stored(&bench, "ev", "k").unwrap_err().code, Code::NotFound);
    bench.run("ev", "after", &[("key", s("k"))]).unwrap();
    assert_eq!(status(&bench, "after"), LhStatus::Running);
    let delete = || lh::DeleteCorrelatedEventRequest {
        id: Some(lh::CorrelatedEventId { key: "k".into(), external_event_def_id: event_def_id("ev") }),
    };
    put(&mut bench, "ev", "k", i(1)).unwrap();
    for _ in 0..2 {
        bench.must(delete());
        assert!(stored(&bench, "ev", "k").is_err());
    }
    assert_eq!(bench.timers(), 0);
    sound(&bench);
}

#[test]
fn a_key_must_be_a_text_and_can_be_hidden() {
    let mut bench = Bench::default();
    correlated_def(&mut bench, "ev", None, false);
    waiter(&mut bench, "ev", None);
    assert_eq!(bench.run("ev", "null", &[]).unwrap().status(), LhStatus::Error);
    let failure = bench.node_run("null", 0, 1).failures.pop().unwrap();
    let text = "Failed determining correlationId for ext evt node: Resulting correlation id was of type null not STR!";
    assert_eq!((failure.failure_name.as_str(), failure.message.as_str()), ("VAR_ERROR", text));
    for (flow, mask, shown) in [("open", false, "k"), ("hidden", true, "*****")] {
        let node =
            lh::ExternalEventNode { correlation_key: Some(lit(s("k"))), mask_correlation_key: mask, ..wait_for("ev") };
        bench.flow(flow, &[("main", one_event(node))]).unwrap();
        bench.run(flow, flow, &[]).unwrap();
        let Some(NodeType::ExternalEvent(node)) = bench.node_run(flow, 0, 1).node_type else { panic!() };
        assert_eq!((node.correlation_key.as_deref(), node.mask_correlation_key), (Some(shown), mask));
    }
    put(&mut bench, "ev", "k", i(1)).unwrap();
    assert_eq!(status(&bench, "hidden"), LhStatus::Completed);
}

/// More than one command serves: none is left out, none is served twice.
#[test]
fn very_many_who_wait_are_served_in_parts() {
    let mut bench = Bench::default();
    correlated_def(&mut bench, "ev", None, false);
    waiter(&mut bench, "ev", None);
    let runs: Vec<String> = (0..600).map(|number| format!("run{number}")).collect();
    for run in &runs {
        bench.run("ev", run, &[("key", s("k"))]).unwrap();
    }
    put(&mut bench, "ev", "k", i(1)).unwrap();
    let served = |bench: &Bench| runs.iter().filter(|run| status(bench, run) == LhStatus::Completed).count();
    assert_eq!(served(&bench), 256);
    bench.pass(10);
    assert_eq!(served(&bench), 600);
    assert_eq!(stored(&bench, "ev", "k").unwrap().external_events.len(), 600);
    assert_eq!(bench.timers(), 0);
}

#[test]
fn searches_find_what_served_and_what_did_not() {
    let mut bench = Bench::default();
    correlated_def(&mut bench, "ev", None, false);
    waiter(&mut bench, "ev", None);
    for key in ["a", "b", "c"] {
        put(&mut bench, "ev", key, i(1)).unwrap();
    }
    bench.run("ev", "run", &[("key", s("b"))]).unwrap();
    let search = |served: Option<bool>| {
        let request = lh::SearchCorrelatedEventRequest {
            external_event_def_id: event_def_id("ev"),
            has_external_events: served,
            ..Default::default()
        };
        let list = query::search_correlated_event(&bench.state, "default", request).unwrap();
        list.results.into_iter().map(|id| id.key).collect::<Vec<_>>().join(" ")
    };
    assert_eq!([search(None), search(Some(true)), search(Some(false))], ["a b c", "b", "a c"]);
    let of_events = |claimed: Option<bool>, limit: Option<i32>| {
        let request = lh::SearchExternalEventRequest {
            external_event_def_id: event_def_id("ev"),
            is_claimed: claimed,
            limit,
            ..Default::default()
        };
        query::search_external_event(&bench.state, "default", request)
    };
    assert_eq!(of_events(Some(true), None).unwrap().results.len(), 1);
    assert_eq!(of_events(Some(false), None).unwrap().results.len(), 0);
    let request = lh::SearchExternalEventRequest { external_event_def_id: event_def_id("no"), ..Default::default() };
    let refusal = query::search_external_event(&bench.state, "default", request).unwrap_err();
    assert_eq!(refusal.message, "ExternalEventDef \"no\" does not exist.");
    let refusal = query::search_external_event(&bench.state, "default", Default::default()).unwrap_err();
    assert_eq!(refusal.message, "Missing required argument: ExternalEventDefId.");
}

proptest! {
    /// Whatever the order of nodes and events: a node is served once, by an event that is there when it arrives or that
    /// comes while it waits, and an event for one serves one.
    #[test]
    fn nodes_are_served_as_the_model_says(
        once: bool, steps in prop::collection::vec((0u8..3, 0u8..2), 1..14),
    ) {
        let mut bench = Bench::default();
        correlated_def(&mut bench, "ev", None, once);
        waiter(&mut bench, "ev", None);
        // Of each key: the event that is stored, and the runs that wait.
        let mut there: [Option<i64>; 2] = [None; 2];
        let mut waiting: [Vec<String>; 2] = [Vec::new(), Vec::new()];
        let mut expected: Vec<(String, Option<i64>)> = Vec::new();
        for (number, (step, key)) in steps.into_iter().enumerate() {
            let (content, slot, name) = (i64::try_from(number).unwrap(), usize::from(key), format!("key{key}"));
            match step {
                0 => {
                    let run = format!("run{number}");
                    bench.run("ev", &run, &[("key", s(&name))]).unwrap();
                    match there[slot] {
                        Some(content) => expected.push((run, Some(content))),
                        None => waiting[slot].push(run),
                    }
                    if once {
                        there[slot] = None;
                    }
                }
                1 => {
                    let put = put(&mut bench, "ev", &name, i(content));
                    prop_assert_eq!(put.is_ok(), there[slot].is_none());
                    if put.is_ok() {
                        let served = if once { waiting[slot].len().min(1) } else { waiting[slot].len() };
                        expected.extend(waiting[slot].drain(..served).map(|run| (run, Some(content))));
                        if !once || served == 0 {
                            there[slot] = Some(content);
                        }
                    }
                }
                _ => {
                    let id = lh::CorrelatedEventId { key: name, external_event_def_id: event_def_id("ev") };
                    bench.must(lh::DeleteCorrelatedEventRequest { id: Some(id) });
                    there[slot] = None;
                }
            }
        }
        expected.extend(waiting.into_iter().flatten().map(|run| (run, None)));
        for (run, content) in expected {
            prop_assert_eq!(result(&bench, &run), content.and_then(i), "{}", run);
            prop_assert_eq!(self::events(&bench, &run).len(), usize::from(content.is_some()));
        }
        for (slot, content) in there.into_iter().enumerate() {
            prop_assert_eq!(stored(&bench, "ev", &format!("key{slot}")).is_ok(), content.is_some());
        }
        prop_assert_eq!(check(&bench.state).unwrap(), []);
    }
}
