use super::*;
use crate::engine::core::event::Awaited;
use lh::LhStatus;

fn throw(def: &str, content: lh::VariableAssignment) -> Kind {
    let event_def_id = Some(lh::WorkflowEventDefId { name: def.into() });
    Kind::ThrowEvent(lh::ThrowEventNode { event_def_id, content: Some(content) })
}

fn id(run: &str, def: &str, number: i32) -> lh::WorkflowEventId {
    let workflow_event_def_id = Some(lh::WorkflowEventDefId { name: def.into() });
    lh::WorkflowEventId { wf_run_id: Some(run_id(run)), workflow_event_def_id, number }
}

/// Throws a 1, b 2, a 3, waits for an event, throws b 4.
fn thrower() -> Bench {
    let mut bench = Bench::default();
    event_def(&mut bench, "go", None);
    for name in ["b", "a"] {
        bench.must(lh::PutWorkflowEventDefRequest { name: name.into(), content_type: None });
    }
    let nodes = [
        ("n1", throw("a", lit(i(1)))),
        ("n2", throw("b", lit(i(2)))),
        ("n3", throw("a", lit(i(3)))),
        ("n4", Kind::ExternalEvent(wait_for("go"))),
        ("n5", throw("b", lit(i(4)))),
    ];
    bench.flow("flow", &[("main", chain(&nodes))]).unwrap();
    bench.run("flow", "run", &[]).unwrap();
    bench
}

fn awaited(bench: &Bench, run: &str, defs: &[&str], ignored: &[lh::WorkflowEventId]) -> Option<Value> {
    let request = lh::AwaitWorkflowEventRequest {
        wf_run_id: Some(run_id(run)),
        event_def_ids: defs.iter().map(|name| lh::WorkflowEventDefId { name: (*name).into() }).collect(),
        workflow_events_to_ignore: ignored.to_vec(),
    };
    let found = query::thrown_event(&bench.state, "default", &Awaited::new(request)).unwrap();
    found.and_then(|event| event.content?.value)
}

#[test]
fn events_are_numbered_by_definition() {
    let mut bench = thrower();
    let list = |bench: &Bench| {
        let request = lh::ListWorkflowEventsRequest { wf_run_id: Some(run_id("run")), ..Default::default() };
        let events = query::list_workflow_events(&bench.state, "default", request).unwrap().results;
        let mut events: Vec<_> = events
            .into_iter()
            .map(|event| (event.id.unwrap(), event.content.unwrap().value, event.node_run_id.unwrap().position))
            .collect();
        events.sort_by_key(|event| event.2);
        events
    };
    let first = [(id("run", "a", 0), i(1), 1), (id("run", "b", 0), i(2), 2), (id("run", "a", 1), i(3), 3)];
    assert_eq!(list(&bench), first);
    post(&mut bench, "run", "go", "g", None).unwrap();
    assert_eq!(list(&bench)[3], (id("run", "b", 1), i(4), 5));
    let get = |id| query::get_workflow_event(&bench.state, "default", id);
    assert_eq!(get(id("run", "a", 1)).unwrap().content.unwrap().value, i(3));
    assert_eq!(get(id("run", "a", 2)).unwrap_err().message, "Requested object was not found.");
    let search = |name: &str| {
        let workflow_event_def_id = Some(lh::WorkflowEventDefId { name: name.into() });
        let request = lh::SearchWorkflowEventRequest { workflow_event_def_id, ..Default::default() };
        query::search_workflow_event(&bench.state, "default", request)
    };
    assert_eq!(search("b").unwrap().results, [id("run", "b", 0), id("run", "b", 1)]);
    assert_eq!(search("no").unwrap_err().message, "WorkflowEventDef \"no\" does not exist.");
    sound(&bench);
}

#[test]
fn who_waits_gets_the_earliest_that_fits() {
    let bench = thrower();
    assert_eq!(awaited(&bench, "run", &["a"], &[]), i(1));
    assert_eq!(awaited(&bench, "run", &["b"], &[]), i(2));
    assert_eq!(awaited(&bench, "run", &["a"], &[id("run", "a", 0)]), i(3));
    assert_eq!(awaited(&bench, "run", &["b"], &[id("run", "b", 0)]), None);
    // No definition stands for any; what is ignored in another run counts for nothing here.
    assert_eq!(awaited(&bench, "run", &[], &[]), i(1));
    assert_eq!(awaited(&bench, "run", &[], &[id("run", "a", 0), id("other", "b", 0)]), i(2));
    assert_eq!(awaited(&bench, "run", &["absent"], &[]), None);
    assert_eq!(awaited(&bench, "nobody", &["a"], &[]), None);
}

#[test]
fn a_content_that_cannot_be_computed_fails_the_node() {
    let mut bench = Bench::default();
    bench.must(lh::PutWorkflowEventDefRequest { name: "a".into(), content_type: None });
    let mut thread = chain(&[(
        "n1",
        throw(
            "a",
            lh::VariableAssignment { path: Some(lh::variable_assignment::Path::JsonPath("$.x".into())), ..var("v") },
        ),
    )]);
    thread.variable_defs = vec![var_def("v", T::JsonObj)];
    bench.flow("flow", &[("main", thread)]).unwrap();
    assert_eq!(bench.run("flow", "run", &[]).unwrap().status(), LhStatus::Error);
    let failure = bench.node_run("run", 0, 1).failures.pop().unwrap();
    assert_eq!(failure.failure_name, "VAR_SUB_ERROR");
    assert!(failure.message.starts_with("Failed calculating content of workflow Event: "), "{}", failure.message);
    let refusal = bench.flow("bad", &[("main", chain(&[("n1", throw("no", lit(None)))]))]).unwrap_err();
    assert!(refusal.message.ends_with("Node n1 invalid: Refers to missing workflowEventDef"), "{}", refusal.message);
}
