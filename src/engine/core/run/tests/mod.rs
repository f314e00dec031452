mod children;
mod ends;
mod halt;
mod migrate;
mod migrate_threads;
mod model;
mod rescue;
mod threads;
mod tree;

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::api::littlehorse as lh;
use crate::engine::core::testing::*;
use crate::engine::core::value::Value;
use crate::engine::core::{Refusal, id};
use lh::node::Node as Kind;
use lh::{Comparator, LhStatus, VariableMutationType as Op, VariableType as T};

fn nop() -> Kind {
    Kind::Nop(lh::NopNode {})
}

fn failures(node: &lh::NodeRun) -> Vec<(&str, &str)> {
    node.failures.iter().map(|failure| (failure.failure_name.as_str(), failure.message.as_str())).collect()
}

/// A thread that mutates on its way out of `start`.
fn mutating(variables: &[lh::ThreadVarDef], mutations: &[lh::VariableMutation]) -> lh::ThreadSpec {
    let mut thread = with(chain(&[]), "start", |node| node.outgoing_edges[0].variable_mutations = mutations.to_vec());
    thread.variable_defs = variables.to_vec();
    thread
}

#[test]
fn a_run_without_waiting_nodes_is_completed_in_the_reply() {
    let mut bench = Bench::default();
    let mut thread = chain(&[("n", nop())]);
    let mut masked = var_def("secret", T::Str);
    masked.var_def.as_mut().unwrap().type_def.as_mut().unwrap().masked = true;
    thread.variable_defs = vec![var_def("in", T::Str), masked];
    let thread = with(thread, "end", |node| {
        let result = Some(lh::exit_node::Result::ReturnContent(var("in")));
        node.node = Some(Kind::Exit(lh::ExitNode { result }));
    });
    bench.flow("flow", &[("main", thread)]).unwrap();
    let run = bench.run("flow", "run", &[("in", s("hello")), ("secret", s("hidden"))]).unwrap();
    let now = Some(id::timestamp(bench.clock));
    assert_eq!(run, bench.wf_run("run").unwrap());
    assert_eq!(run.status(), LhStatus::Completed);
    assert_eq!((run.start_time, run.end_time), (Some(id::timestamp(bench.clock - 5)), now));
    let thread = &run.thread_runs[0];
    assert_eq!((thread.status(), thread.current_node_position, thread.end_time), (LhStatus::Completed, 2, now));
    assert_eq!(thread.output.as_ref().unwrap().value, s("hello"));
    assert_eq!(bench.variable("run", "secret"), s("*****"));
    for (position, name) in ["start", "n", "end"].iter().enumerate() {
        let node = bench.node_run("run", 0, i32::try_from(position).unwrap());
        assert_eq!((node.node_name.as_str(), node.status(), node.end_time), (*name, LhStatus::Completed, now));
        assert!(node.node_type.is_some());
    }
}

#[test]
fn run_wf_checks_in_order() {
    let mut bench = Bench::default();
    let mut thread = chain(&[]);
    let mut need = var_def("need", T::Int);
    need.required = true;
    thread.variable_defs = vec![need, var_def("s", T::Str)];
    bench.flow("flow", &[("main", thread)]).unwrap();
    bench.run("flow", "same", &[("need", None)]).unwrap();
    let request = |name: &str, id: Option<&str>| lh::RunWfRequest {
        wf_spec_name: name.into(),
        id: id.map(str::to_owned),
        ..Default::default()
    };
    let given = |results: Results| lh::RunWfRequest { variables: values(results), ..request("flow", Some("x")) };
    let main = |what: &str| Refusal::invalid(format!("ThreadSpec main invalid: {what}"));
    for (request, refusal) in [
        (request("", Some("a_b")), Refusal::invalid("Missing required argument 'wf_spec_name'")),
        (request("nobody", Some("a_b")), Refusal::invalid("Optional argument 'id' must be a valid hostname")),
        (request("nobody", Some("same")), Refusal::not_found("Couldn't find specified WfSpec")),
        (
            lh::RunWfRequest { major_version: Some(0), revision: Some(7), ..request("flow", None) },
            Refusal::not_found("Couldn't find specified WfSpec"),
        ),
        (request("flow", Some("same")), Refusal::exists("WfRun with id same already exists!")),
        (
            lh::RunWfRequest { parent_wf_run_id: Some(run_id("same")), ..request("flow", None) },
            Refusal::invalid("WfSpec flow does not refer to a parent WfSpec."),
        ),
        (given(&[]), main("Must provide required input variable need of type INT")),
        (
            given(&[("need", s("5"))]),
            main("Variable need invalid: Value of type STR is not compatible with expected type INT"),
        ),
        (
            given(&[("need", i(1)), ("ghost", i(1))]),
            main("Var ghost provided but not needed for thread main Current variables[need, s]"),
        ),
    ] {
        let before = bench.state.clone();
        assert_eq!(bench.give(request), Err(refusal));
        assert_eq!(bench.state, before);
    }
    // A revision alone counts for nothing.
    let made = bench.must(lh::RunWfRequest { revision: Some(8), ..given(&[("need", i(1))]) });
    assert!(lh::WfRun::try_from(made).is_ok());
    let made: lh::WfRun = bench.must(lh::RunWfRequest { id: None, ..given(&[("need", i(1))]) }).try_into().unwrap();
    assert_eq!(made.id.unwrap().id.len(), 32);
}

#[test]
fn variables_start_with_what_is_given_or_declared() {
    let mut bench = Bench::default();
    let mut with_default = var_def("d", T::Int);
    with_default.var_def.as_mut().unwrap().default_value = Some(lh::VariableValue { value: i(7) });
    let mut thread = chain(&[]);
    thread.variable_defs = vec![with_default, var_def("n", T::Double)];
    bench.flow("flow", &[("main", thread)]).unwrap();
    for (run, given, d, n) in [
        ("none", &[][..], i(7), None),
        ("null", &[("d", None)], i(7), None),
        ("both", &[("d", i(1)), ("n", i(3))], i(1), i(3)),
    ] {
        bench.run("flow", run, given).unwrap();
        assert_eq!((bench.variable(run, "d"), bench.variable(run, "n")), (d, n), "{run}");
    }
}

#[test]
fn the_first_edge_whose_condition_holds_is_taken() {
    let mut bench = Bench::default();
    let when = |sink: &str, hit: &str, condition: Option<lh::VariableAssignment>| lh::Edge {
        edge_condition: condition.map(lh::edge::EdgeCondition::Condition),
        variable_mutations: vec![mutation("hit", Op::Assign, lit(s(hit)))],
        ..edge(sink)
    };
    let below = |number| Some(compared(var("x"), Comparator::LessThan, lit(i(number))));
    let mut thread = with(chain(&[]), "start", |node| {
        node.outgoing_edges = vec![when("end", "first", below(5)), when("end", "second", below(10))];
    });
    thread.variable_defs = vec![var_def("x", T::Int), var_def("hit", T::Str)];
    bench.flow("flow", &[("main", thread)]).unwrap();
    for (run, x, hit) in [("a", 1, s("first")), ("b", 7, s("second")), ("c", 20, None)] {
        let status = bench.run("flow", run, &[("x", i(x))]).unwrap().status();
        assert_eq!(status, if hit.is_some() { LhStatus::Completed } else { LhStatus::Error });
        assert_eq!(bench.variable(run, "hit"), hit);
    }
    let node = bench.node_run("c", 0, 0);
    let none = "Invalid WfSpec: No outgoing edges found on Node start with all conditions satisfied";
    assert_eq!(failures(&node), [("VAR_SUB_ERROR", none)]);
    assert_eq!((node.status(), node.error_message.as_deref()), (LhStatus::Error, None));
    assert!(node.end_time.is_some());
    let run = bench.wf_run("c").unwrap();
    assert_eq!(run.thread_runs[0].error_message.as_deref(), Some(none));
    assert!(run.end_time.is_some() && run.thread_runs[0].end_time.is_none());
}

#[test]
fn mutations_of_an_edge_see_each_other_and_fail_together() {
    let mut bench = Bench::default();
    let steps = [mutation("v", Op::Add, lit(i(1))), mutation("v", Op::Multiply, lit(i(10)))];
    bench.flow("good", &[("main", mutating(&[var_def("v", T::Int)], &steps))]).unwrap();
    bench.run("good", "good", &[("v", i(1))]).unwrap();
    assert_eq!(bench.variable("good", "v"), i(20));
    let steps = [mutation("v", Op::Add, lit(i(1))), mutation("v", Op::Divide, lit(i(0)))];
    bench.flow("bad", &[("main", mutating(&[var_def("v", T::Int)], &steps))]).unwrap();
    assert_eq!(bench.run("bad", "bad", &[("v", i(1))]).unwrap().status(), LhStatus::Error);
    assert_eq!(bench.variable("bad", "v"), i(1));
    let text =
        "Failed evaluating edge with sink node end: Mutating variable v with operation DIVIDE: Cannot divide by zero";
    assert_eq!(failures(&bench.node_run("bad", 0, 0)), [("VAR_SUB_ERROR", text)]);
}

#[test]
fn a_loop_ends_after_512_rounds() {
    let mut bench = Bench::default();
    let thread = thread(&[
        ("start", node(Kind::Entrypoint(lh::EntrypointNode {}), &[edge("a")])),
        ("a", node(nop(), &[edge("b")])),
        ("b", node(nop(), &[edge("a")])),
    ]);
    bench.flow("flow", &[("main", thread)]).unwrap();
    let run = bench.run("flow", "run", &[]).unwrap();
    let text = "Your WfSpec had a tight loop and exceeded the maximum iterations in one command.";
    assert_eq!((run.status(), run.end_time), (LhStatus::Error, None));
    assert_eq!((run.thread_runs[0].status(), run.thread_runs[0].current_node_position), (LhStatus::Error, 512));
    assert_eq!(run.thread_runs[0].error_message.as_deref(), Some(text));
    assert_eq!(failures(&bench.node_run("run", 0, 512)), [("INTERNAL_ERROR", text)]);
}

fn exit_with(result: lh::exit_node::Result) -> lh::ThreadSpec {
    with(chain(&[]), "end", |node| node.node = Some(Kind::Exit(lh::ExitNode { result: Some(result) })))
}

#[test]
fn exits_throw() {
    let mut bench = Bench::default();
    let thrown = |content| {
        exit_with(lh::exit_node::Result::FailureDef(lh::FailureDef {
            failure_name: "too-dear".into(),
            message: "told".into(),
            content,
        }))
    };
    bench.flow("plain", &[("main", thrown(Some(lit(i(5)))))]).unwrap();
    let run = bench.run("plain", "plain", &[]).unwrap();
    assert_eq!((run.status(), run.thread_runs[0].status()), (LhStatus::Exception, LhStatus::Exception));
    let node = bench.node_run("plain", 0, 1);
    assert_eq!((node.status(), node.error_message.as_deref()), (LhStatus::Exception, Some("told")));
    assert_eq!(node.failures[0].content.as_ref().unwrap().value, i(5));

    let mut unreadable = thrown(Some(lh::VariableAssignment {
        path: Some(lh::variable_assignment::Path::JsonPath("$.a".into())),
        ..var("o")
    }));
    unreadable.variable_defs = vec![var_def("o", T::JsonObj)];
    bench.flow("odd", &[("main", unreadable)]).unwrap();
    let run = bench.run("odd", "odd", &[]).unwrap();
    let text = "told\n\nWARNING: Unable to assign output content: Cannot jsonpath on VALUE_NOT_SET";
    assert_eq!(run.thread_runs[0].error_message.as_deref(), Some(text));

    let mut unreturnable = exit_with(lh::exit_node::Result::ReturnContent(lh::VariableAssignment {
        target_type: Some(typed(T::Int)),
        ..var("t")
    }));
    unreturnable.variable_defs = vec![var_def("t", T::Str)];
    bench.flow("return", &[("main", unreturnable)]).unwrap();
    let run = bench.run("return", "return", &[("t", s("x"))]).unwrap();
    let text = "Failed calculating threadRun output: Failed to cast value to INT: Cannot parse 'x' as INT.";
    assert_eq!(run.status(), LhStatus::Error);
    assert_eq!(failures(&bench.node_run("return", 0, 1)), [("VAR_ERROR", text)]);
}

fn handler(spec: &str) -> lh::FailureHandlerDef {
    lh::FailureHandlerDef { handler_spec_name: spec.into(), failure_to_catch: None }
}

/// `start` cannot take its edge and has a handler.
fn handled(handler_spec: &str) -> lh::ThreadSpec {
    let mut thread = mutating(&[var_def("v", T::Int)], &[mutation("v", Op::Add, lit(i(1)))]);
    thread = with(thread, "start", |node| node.failure_handlers = vec![handler(handler_spec)]);
    thread
}

#[test]
fn a_handled_failure_lets_the_thread_go_on_without_its_mutations() {
    let mut bench = Bench::default();
    let mut fix = chain(&[]);
    fix.variable_defs = vec![var_def("INPUT", T::Str)];
    bench.flow("flow", &[("main", handled("fix")), ("fix", fix)]).unwrap();
    // The variable is null, so adding to it fails.
    let run = bench.run("flow", "run", &[]).unwrap();
    assert_eq!((run.status(), run.greatest_threadrun_number), (LhStatus::Completed, 1));
    assert_eq!(run.thread_runs[0].child_thread_ids, [1]);
    assert!(run.thread_runs[0].halt_reasons.is_empty() && run.pending_failures.is_empty());
    let fixer = &run.thread_runs[1];
    assert_eq!((fixer.r#type(), fixer.parent_thread_id), (lh::ThreadType::FailureHandler, Some(0)));
    let handled = lh::FailureBeingHandled { thread_run_number: 0, node_run_position: 0, failure_number: 0 };
    assert_eq!(fixer.failure_being_handled, Some(handled));
    let node = bench.node_run("run", 0, 0);
    assert_eq!((node.status(), node.failure_handler_ids.as_slice()), (LhStatus::Error, &[1][..]));
    assert!(node.failures[0].was_properly_handled);
    assert_eq!(bench.variable("run", "v"), None);
}

#[test]
fn a_handler_that_fails_fails_its_thread() {
    let mut bench = Bench::default();
    let boom = exit_with(lh::exit_node::Result::FailureDef(lh::FailureDef {
        failure_name: "second".into(),
        message: "from the handler".into(),
        content: None,
    }));
    bench.flow("flow", &[("main", handled("boom")), ("boom", boom)]).unwrap();
    let run = bench.run("flow", "run", &[]).unwrap();
    assert_eq!(run.status(), LhStatus::Exception);
    for thread in &run.thread_runs {
        assert_eq!((thread.status(), thread.error_message.as_deref()), (LhStatus::Exception, Some("from the handler")));
    }
    assert_eq!(bench.node_run("run", 0, 0).failures.len(), 1);

    bench.flow("lost", &[("main", handled("nobody"))]).unwrap();
    let run = bench.run("lost", "lost", &[]).unwrap();
    assert_eq!(
        run.thread_runs[0].error_message.as_deref(),
        Some("There is no ThreadSpec nobody to handle the failure")
    );
}

#[test]
fn a_handler_may_wait_for_a_person() {
    let mut bench = Bench::default();
    bench.form("form", &FORM());
    let mut node = user_task(Some(lit(s("ann"))), None);
    node.on_cancellation_exception_name = Some(lit(s("stop-it")));
    let main =
        with(chain(&[("form", Kind::UserTask(node))]), "form", |node| node.failure_handlers = vec![handler("fix")]);
    let fix = chain(&[("ask", Kind::UserTask(user_task(None, Some(lit(s("boss"))))))]);
    bench.flow("flow", &[("main", main), ("fix", fix)]).unwrap();
    bench.run("flow", "run", &[]).unwrap();
    bench.cancel(&task_id("run", "0-1")).unwrap();
    let run = bench.wf_run("run").unwrap();
    assert_eq!((run.status(), run.thread_runs[0].status()), (LhStatus::Running, LhStatus::Halted));
    let handling = lh::HandlingFailureHaltReason { handler_thread_id: 1 };
    let reason = lh::thread_halt_reason::Reason::HandlingFailure(handling);
    assert_eq!(run.thread_runs[0].halt_reasons, [lh::ThreadHaltReason { reason: Some(reason) }]);
    bench.complete(&task_id("run", "1-1"), "boss", &[("name", s("x"))]).unwrap();
    let run = bench.wf_run("run").unwrap();
    assert_eq!(run.status(), LhStatus::Completed);
    assert_eq!(bench.node_run("run", 0, 1).failures[0].failure_name, "stop-it");
}

#[test]
fn inherited_variables_live_in_the_parent_run() {
    let mut bench = Bench::default();
    let mut parent = chain(&[]);
    let mut shared = var_def("shared", T::Int);
    shared.access_level = lh::WfRunVariableAccessLevel::PublicVar.into();
    parent.variable_defs = vec![shared.clone()];
    bench.flow("mum", &[("main", parent)]).unwrap();
    bench.run("mum", "mum", &[("shared", i(1))]).unwrap();
    let mut inherited = shared;
    inherited.access_level = lh::WfRunVariableAccessLevel::InheritedVar.into();
    bench.must(lh::PutWfSpecRequest {
        name: "kid".into(),
        entrypoint_thread_name: "main".into(),
        thread_specs: BTreeMap::from([(
            "main".to_owned(),
            mutating(&[inherited], &[mutation("shared", Op::Add, lit(i(41)))]),
        )]),
        parent_wf_spec: Some(lh::wf_spec::ParentWfSpecReference {
            wf_spec_name: "mum".into(),
            wf_spec_major_version: 0,
        }),
        ..Default::default()
    });
    let request = |parent: Option<&str>, variables: Results| lh::RunWfRequest {
        wf_spec_name: "kid".into(),
        id: Some("kid".into()),
        parent_wf_run_id: parent.map(run_id),
        variables: values(variables),
        ..Default::default()
    };
    let main = "ThreadSpec main invalid: ";
    for (request, refusal) in [
        (request(None, &[]), Refusal::invalid("WfSpec kid requires a parent WfRun ID from WfSpec mum")),
        (request(Some("nobody"), &[]), Refusal::precondition("Parent WfRun of type mum with id nobody not found.")),
        (
            request(Some("mum"), &[("shared", i(2))]),
            Refusal::invalid(format!("{main}Variable shared is an inherited var but it was provided as input")),
        ),
    ] {
        assert_eq!(bench.give(request), Err(refusal));
    }
    let kid: lh::WfRun = bench.must(request(Some("mum"), &[])).try_into().unwrap();
    assert_eq!(kid.status(), LhStatus::Completed);
    assert_eq!(bench.variable("mum", "shared"), i(42));
}

proptest! {
    /// The same commands on the same state give the same bytes.
    #[test]
    fn replay_gives_the_same_bytes(x in any::<i64>(), text in ".{0,8}") {
        let play = || {
            let mut bench = Bench::default();
            bench.form("form", &FORM());
            let mut thread = chain(&[("form", Kind::UserTask(user_task(None, Some(lit(s("sales"))))))]);
            thread.variable_defs = vec![var_def("x", T::Int), var_def("t", T::Str)];
            let thread = with(thread, "form", |node| {
                node.outgoing_edges[0].variable_mutations =
                    vec![mutation("x", Op::Add, out("form", "$.count")), mutation("t", Op::Assign, out("form", "$.name"))];
            });
            bench.flow("flow", &[("main", thread)]).unwrap();
            bench.run("flow", "run", &[("x", i(x))]).unwrap();
            bench.complete(&task_id("run", "0-1"), "ann", &[("name", s(&text)), ("count", i(1))]).unwrap();
            bench
        };
        let (first, second) = (play(), play());
        prop_assert_eq!(&first.state, &second.state);
        prop_assert_eq!(first.variable("run", "x"), Some(Value::Int(x.wrapping_add(1))));
        prop_assert_eq!(first.variable("run", "t"), s(&text));
    }
}
