use proptest::prelude::*;

use super::*;
use crate::engine::core::Table;
use crate::engine::core::key::KeyIndex;
use lh::LhStatus;
use lh::external_event_retention_policy::ExtEvtGcPolicy;
use lh::node_run::NodeType;
use tonic::Code;

#[test]
fn definitions_follow_their_rules() {
    let mut bench = Bench::default();
    let get = |bench: &Bench, name: &str| {
        query::get_external_event_def(&bench.state, "default", lh::ExternalEventDefId { name: name.into() })
    };
    assert_eq!(get(&bench, "ev").unwrap_err().message, "Couldn't find ExternalEventDef ev");
    event_def(&mut bench, "ev", None);
    assert_eq!(get(&bench, "ev").unwrap().type_information, None);
    event_def(&mut bench, "ev", Some(T::Int));
    let stored = get(&bench, "ev").unwrap();
    assert_eq!(stored.type_information.unwrap().return_type, Some(typed(T::Int)));
    assert_eq!(stored.retention_policy, Some(lh::ExternalEventRetentionPolicy::default()));
    let named = |name: &str| lh::PutExternalEventDefRequest { name: name.into(), ..Default::default() };
    for name in ["", "under_score", "-a", "a/b"] {
        let refusal = bench.give(named(name)).unwrap_err();
        assert_eq!(refusal.message, "ExternalEventDefName must be a valid hostname");
    }
    let of_struct = lh::TypeDefinition {
        defined_type: Some(lh::type_definition::DefinedType::StructDefId(lh::StructDefId {
            name: "absent".into(),
            version: -1,
        })),
        masked: false,
    };
    let mut request = named("ev");
    request.content_type = Some(lh::ReturnType { return_type: Some(of_struct) });
    assert_eq!(bench.give(request).unwrap_err().message, "Refers to non-existent StructDef absent");
    let delete = || lh::DeleteExternalEventDefRequest { id: event_def_id("ev") };
    bench.must(delete());
    assert_eq!(bench.give(delete()).unwrap_err().message, "Couldn't find provided ExternalEventDefModel");
    assert_eq!(get(&bench, "ev").unwrap_err().code, Code::NotFound);
    sound(&bench);
}

#[test]
fn workflow_event_definitions_never_change() {
    let mut bench = Bench::default();
    let put = |bench: &mut Bench, kind: Option<T>| -> Result<lh::WorkflowEventDef, Refusal> {
        let content_type = kind.map(|kind| lh::ReturnType { return_type: Some(typed(kind)) });
        bench.give(lh::PutWorkflowEventDefRequest { name: "un_der".into(), content_type })?.try_into()
    };
    let first = put(&mut bench, Some(T::Str)).unwrap();
    assert_eq!(put(&mut bench, Some(T::Str)), Ok(first));
    for other in [None, Some(T::Int)] {
        let refusal = put(&mut bench, other).unwrap_err();
        assert_eq!(refusal.code, Code::AlreadyExists);
        assert_eq!(refusal.message, "WorkflowEventDef with name un_der already exists with different type!");
    }
    bench.must(lh::DeleteWorkflowEventDefRequest { id: Some(lh::WorkflowEventDefId { name: "un_der".into() }) });
    assert_eq!(put(&mut bench, None).unwrap().content_type, Some(lh::ReturnType::default()));
    sound(&bench);
}

#[test]
fn searches_find_definitions_by_the_beginning_of_their_names() {
    let mut bench = Bench::default();
    for name in ["b", "a-1", "a-2", "a-3"] {
        event_def(&mut bench, name, None);
    }
    let search = |prefix: &str, bookmark| lh::SearchExternalEventDefRequest {
        prefix: Some(prefix.into()),
        limit: Some(2),
        bookmark,
    };
    let names =
        |list: &lh::ExternalEventDefIdList| -> Vec<String> { list.results.iter().map(|id| id.name.clone()).collect() };
    let first = query::search_external_event_def(&bench.state, "default", search("a-", None)).unwrap();
    assert_eq!(names(&first), ["a-1", "a-2"]);
    let next = query::search_external_event_def(&bench.state, "default", search("a-", first.bookmark)).unwrap();
    assert_eq!((names(&next), next.bookmark), (vec!["a-3".to_owned()], None));
}

#[test]
fn put_checks_in_order_and_keeps_what_is_odd() {
    let mut bench = Bench::default();
    event_def(&mut bench, "ev", Some(T::Int));
    event_def(&mut bench, "free", None);
    let refused = |bench: &mut Bench, def: &str, guid: &str, content| {
        let refusal = post(bench, "run", def, guid, content).unwrap_err();
        (refusal.code, refusal.message)
    };
    assert_eq!(
        refused(&mut bench, "absent", "g", i(1)),
        (Code::InvalidArgument, "No ExternalEventDef named absent".into())
    );
    let wrong = "Invalid type of content for event. Check the return type of ExternalEventDef ev: Value of type STR is \
                 not compatible with expected type INT";
    assert_eq!(refused(&mut bench, "ev", "g", s("text")), (Code::InvalidArgument, wrong.into()));
    post(&mut bench, "run", "ev", "g", None).unwrap();
    // An id that is taken is told before its content is looked at.
    assert_eq!(refused(&mut bench, "ev", "g", s("text")), (Code::AlreadyExists, "ExternalEvent already exists".into()));
    post(&mut bench, "run", "free", "g", s("any")).unwrap();
    post(&mut bench, "run", "free", "under_score/slash", i(1)).unwrap();
    assert_eq!(guid(&post(&mut bench, "run", "free", "", i(1)).unwrap()).len(), 32);
    let of_nobody = lh::PutExternalEventRequest { external_event_def_id: event_def_id("free"), ..Default::default() };
    let event: lh::ExternalEvent = bench.must(of_nobody).try_into().unwrap();
    assert_eq!(event.id.as_ref().unwrap().wf_run_id, Some(lh::WfRunId::default()));
    assert_eq!(query::get_external_event(&bench.state, "default", event.id.clone().unwrap()), Ok(event));
    sound(&bench);
}

#[test]
fn ids_that_no_run_can_have_are_told_apart() {
    let mut bench = Bench::default();
    event_def(&mut bench, "ev", None);
    bench.flow("flow", &[("main", chain(&[]))]).unwrap();
    let child =
        |parent: &str, id: &str| lh::WfRunId { parent_wf_run_id: Some(Box::new(run_id(parent))), id: id.into() };
    let ids = [run_id("a_b"), child("a", "b"), run_id("a%5Fb"), run_id("a/b"), run_id("a%2Fb"), run_id("")];
    for (number, id) in ids.iter().enumerate() {
        let request = lh::PutExternalEventRequest {
            wf_run_id: Some(id.clone()),
            ..event_request("", "ev", "same", i(i64::try_from(number).unwrap()))
        };
        bench.must(request);
    }
    for (number, id) in ids.iter().enumerate() {
        let request = lh::ListExternalEventsRequest { wf_run_id: Some(id.clone()), ..Default::default() };
        let found = query::list_external_events(&bench.state, "default", request).unwrap().results;
        let contents: Vec<_> = found.into_iter().map(|event| event.content.unwrap().value).collect();
        assert_eq!(contents, [i(i64::try_from(number).unwrap())], "{id:?}");
    }
    sound(&bench);
}

/// Two events before the run, of which the earlier is claimed first; a third nobody wants.
#[test]
fn a_run_claims_what_came_before_it() {
    let mut bench = Bench::default();
    event_def(&mut bench, "ev", Some(T::Str));
    let mut thread = chain(&[("n1", Kind::ExternalEvent(wait_for("ev"))), ("n2", Kind::ExternalEvent(wait_for("ev")))]);
    thread.variable_defs = vec![var_def("x", T::Str)];
    let thread = with(thread, "n1", |node| {
        node.outgoing_edges[0].variable_mutations = vec![mutation("x", lh::VariableMutationType::Assign, output("n1"))];
    });
    bench.flow("flow", &[("main", thread)]).unwrap();
    // Ids later in the order of texts come first.
    let first = post(&mut bench, "run", "ev", "z", s("one")).unwrap();
    assert!(!first.claimed);
    post(&mut bench, "run", "ev", "a", s("two")).unwrap();
    post(&mut bench, "run", "ev", "m", s("three")).unwrap();
    assert_eq!(post(&mut bench, "run", "ev", "z", s("again")).unwrap_err().code, Code::AlreadyExists);
    let run = bench.run("flow", "run", &[]).unwrap();
    assert_eq!(run.status(), LhStatus::Completed);
    assert_eq!(bench.variable("run", "x"), s("one"));
    let claims: Vec<_> = events(&bench, "run")
        .into_iter()
        .map(|event| (guid(&event).to_owned(), event.claimed, event.thread_run_number, event.node_run_position))
        .collect();
    let expected = [("z", true, Some(0), Some(1)), ("a", true, Some(0), Some(2)), ("m", false, None, None)];
    assert_eq!(claims, expected.map(|(guid, claimed, thread, at)| (guid.to_owned(), claimed, thread, at)));
    let Some(NodeType::ExternalEvent(node)) = bench.node_run("run", 0, 1).node_type else { panic!() };
    assert_eq!((node.external_event_id, node.event_time), (first.id, first.created_at));
    // The id stays taken once the run is there.
    assert_eq!(post(&mut bench, "run", "ev", "a", s("again")).unwrap_err().code, Code::AlreadyExists);
    sound(&bench);
}

#[test]
fn an_event_wakes_the_node_that_waits() {
    let mut bench = Bench::default();
    event_def(&mut bench, "ev", None);
    event_def(&mut bench, "other", None);
    bench.flow("flow", &[("main", one_event(wait_for("ev")))]).unwrap();
    assert_eq!(bench.run("flow", "run", &[]).unwrap().status(), LhStatus::Running);
    assert!(!post(&mut bench, "run", "other", "g", None).unwrap().claimed);
    assert_eq!(bench.wf_run("run").unwrap().status(), LhStatus::Running);
    let event = post(&mut bench, "run", "ev", "g", i(7)).unwrap();
    assert_eq!((event.claimed, event.thread_run_number, event.node_run_position), (true, Some(0), Some(1)));
    assert_eq!(result(&bench, "run"), i(7));
    // Each event is claimed once, and an ended run claims no more.
    assert!(!post(&mut bench, "run", "ev", "late", i(8)).unwrap().claimed);
    sound(&bench);
}

#[test]
fn an_event_for_one_thread_or_position_waits_for_it() {
    let mut bench = Bench::default();
    event_def(&mut bench, "ev", None);
    bench.flow("flow", &[("main", one_event(wait_for("ev")))]).unwrap();
    bench.run("flow", "run", &[]).unwrap();
    for (guid, thread, position, claimed) in
        [("a", Some(1), None, false), ("b", None, Some(2), false), ("c", Some(0), Some(1), true)]
    {
        let request = lh::PutExternalEventRequest {
            thread_run_number: thread,
            node_run_position: position,
            ..event_request("run", "ev", guid, s(guid))
        };
        let event: lh::ExternalEvent = bench.must(request).try_into().unwrap();
        assert_eq!(event.claimed, claimed, "{guid}");
    }
    assert_eq!(result(&bench, "run"), s("c"));
}

#[test]
fn what_nobody_claims_in_time_is_dropped() {
    let mut bench = Bench::default();
    let retention_policy =
        Some(lh::ExternalEventRetentionPolicy { ext_evt_gc_policy: Some(ExtEvtGcPolicy::SecondsAfterPut(60)) });
    bench.must(lh::PutExternalEventDefRequest { name: "ev".into(), retention_policy, ..Default::default() });
    bench.flow("flow", &[("main", one_event(wait_for("ev")))]).unwrap();
    post(&mut bench, "early", "ev", "a", i(1)).unwrap();
    post(&mut bench, "claimed", "ev", "a", i(1)).unwrap();
    bench.run("flow", "claimed", &[]).unwrap();
    post(&mut bench, "claimed", "ev", "b", i(2)).unwrap();
    assert_eq!(bench.timers(), 2);
    bench.pass(56_999);
    assert_eq!((events(&bench, "early").len(), events(&bench, "claimed").len()), (1, 2));
    bench.pass(1);
    assert_eq!((events(&bench, "early").len(), events(&bench, "claimed").len()), (0, 2));
    bench.pass(60_000);
    assert_eq!(events(&bench, "claimed").iter().map(guid).collect::<Vec<_>>(), ["a"]);
    assert_eq!(bench.timers(), 0);
    // What was dropped may be sent again.
    post(&mut bench, "early", "ev", "a", i(1)).unwrap();
    sound(&bench);
}

#[test]
fn lists_of_events_have_pages_before_and_after_the_run() {
    let mut bench = Bench::default();
    event_def(&mut bench, "ev", None);
    bench.flow("flow", &[("main", chain(&[]))]).unwrap();
    for number in 0..5 {
        post(&mut bench, "run", "ev", &format!("g{number}"), i(number)).unwrap();
    }
    for _ in 0..2 {
        let (mut seen, mut bookmark, mut pages) = (Vec::new(), None, 0);
        loop {
            let request = lh::ListExternalEventsRequest { wf_run_id: Some(run_id("run")), bookmark, limit: Some(2) };
            let page = query::list_external_events(&bench.state, "default", request).unwrap();
            seen.extend(page.results.iter().map(|event| guid(event).to_owned()));
            pages += 1;
            bookmark = page.bookmark;
            if bookmark.is_none() {
                break;
            }
        }
        assert_eq!((seen.join(" ").as_str(), pages), ("g0 g1 g2 g3 g4", 3));
        let _ = bench.run("flow", "run", &[]);
    }
}

proptest! {
    /// Whenever the run starts, and whatever else is there, it claims each event of its definition once, in the order in
    /// which they came.
    #[test]
    fn the_order_of_claims_is_the_order_of_arrival(
        arrivals in prop::collection::vec((0u8..2, 0u8..2), 0..10), start in 0usize..10, nodes in 0usize..6,
    ) {
        let mut bench = Bench::default();
        event_def(&mut bench, "ev0", None);
        event_def(&mut bench, "ev1", None);
        let names: Vec<String> = (0..nodes).map(|number| format!("n{number}")).collect();
        let waits: Vec<_> = names.iter().map(|name| (name.as_str(), Kind::ExternalEvent(wait_for("ev0")))).collect();
        bench.flow("flow", &[("main", chain(&waits))]).unwrap();
        let mut expected = Vec::new();
        for (number, (def, run)) in arrivals.iter().enumerate() {
            if number == start {
                bench.run("flow", "run0", &[]).unwrap();
            }
            let name = format!("g{:02}", 99 - number);
            post(&mut bench, &format!("run{run}"), &format!("ev{def}"), &name, None).unwrap();
            if (*def, *run) == (0, 0) {
                expected.push(name);
            }
        }
        if arrivals.len() <= start {
            bench.run("flow", "run0", &[]).unwrap();
        }
        let taken = expected.len().min(nodes);
        for (number, guid) in expected.iter().take(taken).enumerate() {
            let node_run = bench.node_run("run0", 0, i32::try_from(number + 1).unwrap());
            let Some(NodeType::ExternalEvent(node)) = node_run.node_type else { panic!() };
            prop_assert_eq!(&node.external_event_id.unwrap().guid, guid);
        }
        let claimed = events(&bench, "run0").iter().filter(|event| event.claimed).count();
        prop_assert_eq!(claimed, taken);
        prop_assert_eq!(bench.wf_run("run0").unwrap().status() == LhStatus::Completed, expected.len() >= nodes);
        prop_assert_eq!(check(&bench.state).unwrap(), []);
    }
}

#[test]
fn the_index_of_unclaimed_events_holds_no_others() {
    let mut bench = Bench::default();
    event_def(&mut bench, "ev", None);
    bench.flow("flow", &[("main", one_event(wait_for("ev")))]).unwrap();
    let is_one = |table: Table, key: &[u8]| table == Table::KeyIdx && key[0] == KeyIndex::UnclaimedEvents as u8;
    let rows = |bench: &Bench| bench.state.iter().filter(|(table, key, _)| is_one(*table, key)).count();
    bench.run("flow", "run", &[]).unwrap();
    post(&mut bench, "run", "ev", "a", None).unwrap();
    assert_eq!(rows(&bench), 0);
    post(&mut bench, "run", "ev", "b", None).unwrap();
    assert_eq!(rows(&bench), 1);
}
