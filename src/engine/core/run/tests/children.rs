//! WfRuns that start other WfRuns, and wait for them.

use super::*;
use crate::engine::core::{check, query};
use lh::node_run::NodeType;
use lh::run_child_wf_node::WfSpec as Named;

fn start(name: &str, inputs: &[(&str, lh::VariableAssignment)]) -> lh::RunChildWfNode {
    lh::RunChildWfNode {
        wf_spec: Some(Named::WfSpecName(name.into())),
        major_version: -1,
        inputs: inputs.iter().map(|(name, input)| ((*name).to_owned(), input.clone())).collect(),
        child_id: None,
    }
}

fn output(node: &str) -> lh::VariableAssignment {
    lh::VariableAssignment { path: None, ..out(node, "$") }
}

fn wait(source: &str) -> Kind {
    Kind::WaitForChildWf(lh::WaitForChildWfNode {
        child_wf_run_id: Some(output(source)),
        child_wf_run_source_node: source.into(),
    })
}

fn ending(thread: lh::ThreadSpec, result: lh::exit_node::Result) -> lh::ThreadSpec {
    with(thread, "end", |end| end.node = Some(Kind::Exit(lh::ExitNode { result: Some(result) })))
}

/// Runs `kid` with `n` = 4 and gives what that gives.
fn parent(bench: &mut Bench) -> Result<lh::WfRun, Refusal> {
    let run = Kind::RunChildWf(start("kid", &[("n", lit(i(4)))]));
    let thread = chain(&[("n1", run), ("n2", wait("n1"))]);
    let thread = ending(thread, lh::exit_node::Result::ReturnContent(output("n2")));
    bench.flow("parent", &[("main", thread)])?;
    bench.run("parent", "run", &[])
}

fn with_n(mut thread: lh::ThreadSpec) -> lh::ThreadSpec {
    let mut n = var_def("n", T::Int);
    n.required = true;
    thread.variable_defs = vec![n];
    thread
}

fn event(bench: &mut Bench, run: &lh::WfRunId) {
    bench.must(lh::PutExternalEventRequest {
        wf_run_id: Some(run.clone()),
        external_event_def_id: Some(lh::ExternalEventDefId { name: "go".into() }),
        ..Default::default()
    });
}

fn for_event() -> Kind {
    let external_event_def_id = Some(lh::ExternalEventDefId { name: "go".into() });
    Kind::ExternalEvent(lh::ExternalEventNode { external_event_def_id, ..Default::default() })
}

fn child_of(bench: &Bench, run: &str) -> lh::WfRunId {
    match bench.node_run(run, 0, 1).node_type {
        Some(NodeType::RunChildWf(child)) => child.child_wf_run_id.unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_child_that_ends_at_once_has_ended_in_the_reply() {
    let mut bench = Bench::default();
    let times = lh::exit_node::Result::ReturnContent(var("n"));
    bench.flow("kid", &[("main", ending(with_n(chain(&[])), times))]).unwrap();
    let run = parent(&mut bench).unwrap();
    assert_eq!(run.status(), LhStatus::Completed);
    assert_eq!(run.thread_runs[0].output.as_ref().unwrap().value, i(4));
    assert_eq!(check(&bench.state).unwrap(), []);
}

#[test]
fn a_parent_waits_for_its_child_and_knows_it() {
    let mut bench = Bench::default();
    bench.must(lh::PutExternalEventDefRequest { name: "go".into(), ..Default::default() });
    let result = lh::exit_node::Result::ReturnContent(var("n"));
    bench.flow("kid", &[("main", ending(with_n(chain(&[("n1", for_event())])), result))]).unwrap();
    assert_eq!(parent(&mut bench).unwrap().status(), LhStatus::Running);
    let id = child_of(&bench, "run");
    assert_eq!((id.parent_wf_run_id.as_deref(), id.id.len()), (Some(&run_id("run")), 32));
    let child = query::get_wf_run(&bench.state, "default", id.clone()).unwrap();
    let node = |position| Some(lh::NodeRunId { wf_run_id: Some(run_id("run")), thread_run_number: 0, position });
    let trigger = lh::wf_run::ParentTriggerReference { triggering_node_run: node(1), waiting_node_run: node(2) };
    assert_eq!(child.parent_trigger, Some(trigger));
    let Some(NodeType::RunChildWf(started)) = bench.node_run("run", 0, 1).node_type else { panic!() };
    assert_eq!(started.inputs, values(&[("n", i(4))]));
    assert_eq!(started.wf_spec_id, child.wf_spec_id);
    event(&mut bench, &id);
    let run = bench.wf_run("run").unwrap();
    assert_eq!((run.status(), run.thread_runs[0].output.clone().unwrap().value), (LhStatus::Completed, i(4)));
    let search = |tree| {
        let request = lh::SearchWfRunRequest {
            parent_wf_run_id: Some(run_id("run")),
            show_full_tree: Some(tree),
            ..Default::default()
        };
        query::search_wf_run(&bench.state, "default", request).unwrap().results
    };
    assert_eq!([search(false), search(true)], [vec![id.clone()], vec![id]]);
    assert_eq!(check(&bench.state).unwrap(), []);
}

#[test]
fn a_child_that_fails_fails_its_parent() {
    let thrown = |name: &str| {
        lh::exit_node::Result::FailureDef(lh::FailureDef {
            failure_name: name.into(),
            message: "no".into(),
            content: Some(lit(s("why"))),
        })
    };
    let mut bench = Bench::default();
    bench.flow("kid", &[("main", ending(with_n(chain(&[])), thrown("my-exn")))]).unwrap();
    let run = parent(&mut bench).unwrap();
    assert_eq!(run.status(), LhStatus::Exception);
    let failure = bench.node_run("run", 0, 2).failures.pop().unwrap();
    assert_eq!(
        (failure.failure_name.as_str(), failure.message.as_str(), failure.content.unwrap().value),
        ("my-exn", "Child WfRun failed: no", s("why"))
    );
    // An error of the child is one of the parent.
    let mut bench = Bench::default();
    let mut broken = with_n(chain(&[]));
    broken.variable_defs.push(var_def("text", T::Str));
    let broken = with(broken, "start", |node| {
        let to_number = lh::VariableAssignment { target_type: Some(typed(T::Int)), ..lit(s("x")) };
        node.outgoing_edges[0].variable_mutations = vec![mutation("n", Op::Assign, to_number)];
    });
    bench.flow("kid", &[("main", broken)]).unwrap();
    assert_eq!(parent(&mut bench).unwrap().status(), LhStatus::Error);
    let failure = bench.node_run("run", 0, 2).failures.pop().unwrap();
    let text = format!("Child WfRun {} failed", id::wf_run_text(&child_of(&bench, "run")));
    assert_eq!((failure.failure_name.as_str(), failure.message), ("CHILD_FAILURE", text));
}

#[test]
fn the_author_may_name_the_child() {
    let mut bench = Bench::default();
    bench.flow("kid", &[("main", chain(&[]))]).unwrap();
    let named = |id: lh::VariableAssignment| lh::RunChildWfNode { child_id: Some(id), ..start("kid", &[]) };
    let mut thread =
        chain(&[("n1", Kind::RunChildWf(named(var("id")))), ("n2", Kind::RunChildWf(named(lit(s("two")))))]);
    thread.variable_defs = vec![var_def("id", T::Str)];
    bench.flow("flow", &[("main", thread)]).unwrap();
    for (run, name, failed) in [
        ("a", s("one"), None),
        ("b", s("two"), Some((2, "CHILD_FAILURE", "WfRun with id two already exists!"))),
        (
            "c",
            s("not a name"),
            Some((1, "VAR_SUB_ERROR", "The id of a WfRun must be a valid hostname, not not a name")),
        ),
        ("d", None, Some((1, "VAR_SUB_ERROR", "Failed determining id of child WfRun: it must be STR, not null"))),
    ] {
        let status = bench.run("flow", run, &[("id", name)]).unwrap().status();
        match failed {
            None => assert_eq!(status, LhStatus::Completed),
            Some((position, name, message)) => {
                let node = bench.node_run(run, 0, position);
                assert_eq!(failures(&node), [(name, message)], "{run}");
            }
        }
    }
    let child = lh::WfRunId { id: "one".into(), parent_wf_run_id: Some(Box::new(run_id("a"))) };
    assert!(query::get_wf_run(&bench.state, "default", child).is_ok());
}

#[test]
fn a_workflow_can_be_named_at_run_time() {
    let mut bench = Bench::default();
    bench.flow("kid", &[("main", chain(&[]))]).unwrap();
    let node = lh::RunChildWfNode { wf_spec: Some(Named::WfSpecVar(var("name"))), ..start("", &[]) };
    let mut thread = chain(&[("n1", Kind::RunChildWf(node))]);
    thread.variable_defs = vec![var_def("name", T::Str)];
    bench.flow("flow", &[("main", thread)]).unwrap();
    assert_eq!(bench.run("flow", "good", &[("name", s("kid"))]).unwrap().status(), LhStatus::Completed);
    assert_eq!(bench.run("flow", "bad", &[("name", s("nobody"))]).unwrap().status(), LhStatus::Error);
    let node = bench.node_run("bad", 0, 1);
    assert_eq!(failures(&node), [("CHILD_FAILURE", "Couldn't find WfSpec nobody")]);
    let Some(NodeType::RunChildWf(child)) = node.node_type else { panic!() };
    assert_eq!(child, lh::RunChildWfNodeRun::default());
}

/// Without limits these would go on for ever: one within the other, or more and more beside each other.
#[test]
fn a_workflow_that_starts_itself_is_stopped() {
    for times in [1, 2] {
        let mut bench = Bench::default();
        bench.flow("flow", &[("main", chain(&[]))]).unwrap();
        let names: Vec<String> = (0..times).map(|number| format!("n{number}")).collect();
        let nodes: Vec<_> = names
            .iter()
            .map(|name| {
                (name.as_str(), Kind::RunChildWf(lh::RunChildWfNode { major_version: -1, ..start("flow", &[]) }))
            })
            .collect();
        bench.flow("flow", &[("main", chain(&nodes))]).unwrap();
        bench.run("flow", "run", &[]).unwrap();
        let request = |status: LhStatus| lh::SearchWfRunRequest {
            wf_spec_name: "flow".into(),
            limit: Some(1000),
            status: Some(status.into()),
            ..Default::default()
        };
        let count = |status| query::search_wf_run(&bench.state, "default", request(status)).unwrap().results.len();
        let (completed, failed) = (count(LhStatus::Completed), count(LhStatus::Error));
        assert_eq!(count(LhStatus::Running), 0);
        match times {
            1 => assert_eq!((completed, failed), (39, 1)),
            // The first, its two, and 64 of theirs and those below.
            _ => assert_eq!((completed + failed, failed > 0), (67, true)),
        }
        assert_eq!(check(&bench.state).unwrap(), []);
    }
}

#[test]
fn nobody_waits_for_himself() {
    let mut bench = Bench::default();
    bench.flow("kid", &[("main", chain(&[]))]).unwrap();
    let wait = Kind::WaitForChildWf(lh::WaitForChildWfNode {
        child_wf_run_id: Some(var("id")),
        child_wf_run_source_node: "n1".into(),
    });
    let mut thread = chain(&[("n1", Kind::RunChildWf(start("kid", &[]))), ("n2", wait)]);
    thread.variable_defs = vec![var_def("id", T::WfRunId)];
    bench.flow("flow", &[("main", thread)]).unwrap();
    let of = |id: &str| Some(Value::WfRunId(run_id(id)));
    for (run, id, failure) in [
        ("a", None, ("VAR_SUB_ERROR", "Failed determining id of child WfRun: it must be WF_RUN_ID, not null")),
        ("b", of("b"), ("VAR_SUB_ERROR", "WfRun b is this one or above it, and cannot be waited for")),
        ("c", of("nobody"), ("CHILD_FAILURE", "Child WfRun nobody does not exist")),
    ] {
        assert_eq!(bench.run("flow", run, &[("id", id)]).unwrap().status(), LhStatus::Error);
        assert_eq!(failures(&bench.node_run(run, 0, 2)), [failure]);
    }
}

/// Also one that is no child of it tells when it ends.
#[test]
fn another_run_can_be_waited_for() {
    let mut bench = Bench::default();
    bench.must(lh::PutExternalEventDefRequest { name: "go".into(), ..Default::default() });
    bench.flow("kid", &[("main", chain(&[]))]).unwrap();
    bench.flow("other", &[("main", chain(&[("n1", for_event())]))]).unwrap();
    bench.run("other", "other", &[]).unwrap();
    let wait = Kind::WaitForChildWf(lh::WaitForChildWfNode {
        child_wf_run_id: Some(lit(Some(Value::WfRunId(run_id("other"))))),
        child_wf_run_source_node: "n1".into(),
    });
    let thread = chain(&[("n1", Kind::RunChildWf(start("kid", &[]))), ("n2", wait)]);
    bench.flow("flow", &[("main", thread)]).unwrap();
    assert_eq!(bench.run("flow", "run", &[]).unwrap().status(), LhStatus::Running);
    event(&mut bench, &run_id("other"));
    assert_eq!(bench.wf_run("run").unwrap().status(), LhStatus::Completed);
}

#[test]
fn nodes_for_children_are_checked_when_they_are_put() {
    let mut bench = Bench::default();
    bench.flow("kid", &[("main", with_n(chain(&[])))]).unwrap();
    let run = |node: lh::RunChildWfNode| vec![("n1", Kind::RunChildWf(node))];
    let n = |value| start("kid", &[("n", lit(value))]);
    for (nodes, wrong) in [
        (run(start("nobody", &[])), "Could not find WfSpec nobody"),
        (run(lh::RunChildWfNode { major_version: 3, ..n(i(1)) }), "Could not find WfSpec kid with version 3"),
        (run(lh::RunChildWfNode { wf_spec: None, ..n(i(1)) }), "A valid WfSpec name must be specified"),
        (run(start("kid", &[])), "Missing required variable n"),
        (run(n(s("text"))), "Var n should be INT"),
        (run(start("kid", &[("n", lit(i(1))), ("m", lit(i(1)))])), "Var m provided but not needed for thread main"),
        (vec![("n1", Kind::RunChildWf(n(i(1)))), ("n2", wait("n0"))], "Node n0 not present in threadspec main"),
        (vec![("n1", nop()), ("n2", wait("n1"))], "Node n1 is not a RUN_CHILD_WF node"),
    ] {
        let refusal = bench.flow("flow", &[("main", chain(&nodes))]).unwrap_err();
        assert!(refusal.message.ends_with(wrong), "{} does not end in {wrong}", refusal.message);
    }
    let put: lh::WfSpec = bench.flow("flow", &[("main", chain(&run(n(i(1)))))]).unwrap().try_into().unwrap();
    let Some(Kind::RunChildWf(node)) = &put.thread_specs["main"].nodes["n1"].node else { panic!() };
    assert_eq!(node.major_version, 0);
}

#[test]
fn a_deleted_child_fails_the_node_that_waits() {
    let mut bench = Bench::default();
    bench.must(lh::PutExternalEventDefRequest { name: "go".into(), ..Default::default() });
    bench.flow("kid", &[("main", with_n(chain(&[("n1", for_event())])))]).unwrap();
    assert_eq!(parent(&mut bench).unwrap().status(), LhStatus::Running);
    let child = child_of(&bench, "run");
    bench.must(lh::DeleteWfRunRequest { id: Some(child.clone()) });
    assert_eq!(bench.wf_run("run").unwrap().status(), LhStatus::Error);
    let text = format!("Child WfRun {} does not exist", id::wf_run_text(&child));
    assert_eq!(failures(&bench.node_run("run", 0, 2)), [("CHILD_FAILURE", text.as_str())]);
}

/// Messages nest as ids do, and clients read 100 levels of them.
#[test]
fn runs_nest_only_so_deep() {
    let mut bench = Bench::default();
    bench.flow("flow", &[("main", chain(&[]))]).unwrap();
    bench.must(lh::PutWfSpecRequest {
        name: "flow".into(),
        entrypoint_thread_name: "main".into(),
        thread_specs: [("main".to_owned(), chain(&[]))].into(),
        parent_wf_spec: Some(lh::wf_spec::ParentWfSpecReference {
            wf_spec_name: "flow".into(),
            wf_spec_major_version: 0,
        }),
        ..Default::default()
    });
    let request = |parent: Option<lh::WfRunId>, revision| lh::RunWfRequest {
        wf_spec_name: "flow".into(),
        id: Some("run".into()),
        major_version: Some(0),
        revision: Some(revision),
        parent_wf_run_id: parent,
        ..Default::default()
    };
    bench.must(request(None, 0));
    let mut top = run_id("run");
    for _ in 1..40 {
        let run: lh::WfRun = bench.must(request(Some(top), 1)).try_into().unwrap();
        top = run.id.unwrap();
    }
    let refusal = bench.give(request(Some(top), 1)).unwrap_err();
    assert_eq!(refusal, Refusal::precondition("A WfRun cannot have more than 39 WfRuns above it"));
}
