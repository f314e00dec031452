use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;
use prost::Message;

use super::value::{from_proto, to_proto};
use super::*;
use crate::api::littlehorse as lh;
use crate::domain::{Json, NextStep, OnCancel, RunId, Status, TaskId, Value};
use lh::variable_assignment::{Expression, NodeOutputReference, Path, Source, expression::Operation};
use lh::variable_value::Value as Kind;

fn value(kind: Kind) -> lh::VariableValue {
    lh::VariableValue { value: Some(kind) }
}

#[test]
fn values_go_both_ways_and_odd_ones_keep_their_bytes() {
    let odd = [
        Kind::Bytes(vec![0, 255]),
        Kind::WfRunId(lh::WfRunId { id: "r".to_owned(), parent_wf_run_id: None }),
        Kind::UtcTimestamp(prost_types::Timestamp { seconds: i64::MAX, nanos: -1 }),
        Kind::Struct(lh::Struct::default()),
        Kind::Array(lh::Array { items: vec![lh::VariableValue::default()], element_type: None }),
        Kind::Map(lh::Map::default()),
    ];
    for kind in odd {
        let given = value(kind);
        let kept = from_proto(&given);
        assert!(matches!(kept, Value::Opaque { .. }), "{kept:?}");
        assert_eq!(to_proto(&kept), Some(given));
    }
    for (kind, kept) in [
        (Kind::JsonObj("{\"a\": 1}".to_owned()), Value::Json(Json::Object, "{\"a\": 1}".into())),
        (Kind::JsonArr("[".to_owned()), Value::Json(Json::List, "[".into())),
    ] {
        assert_eq!(from_proto(&value(kind.clone())), kept);
        assert_eq!(to_proto(&kept), Some(value(kind)));
    }
    assert_eq!(from_proto(&lh::VariableValue::default()), Value::Null);
    assert_eq!(to_proto(&Value::Null), Some(lh::VariableValue::default()));
}

#[test]
fn ids_go_both_ways() {
    let id = TaskId { run: RunId::new(vec!["a".to_owned(), "b".to_owned()]), guid: "0-1".to_owned() };
    assert_eq!(task_id(&task_id_proto(&id)), id);
    // A chain without end is cut.
    let mut deep = lh::WfRunId::default();
    for _ in 0..1000 {
        deep = lh::WfRunId { id: "x".to_owned(), parent_wf_run_id: Some(Box::new(deep)) };
    }
    assert_eq!(run_id(&deep).chain().len(), 64);
}

#[test]
fn missing_parts_and_unknown_numbers_are_no_trouble() {
    let row = detail_row(&lh::UserTaskRun { status: 99, ..lh::UserTaskRun::default() }, None);
    assert_eq!((row.status, row.scheduled), (Status::Unassigned, None));
    assert_eq!(status(99, true), Status::Assigned);
    assert_eq!(event(&lh::UserTaskEvent::default(), None).at, Timestamp::UNIX_EPOCH);
    let form = form_of_def(&lh::UserTaskDef {
        fields: vec![lh::UserTaskField { r#type: 99, ..Default::default() }],
        ..Default::default()
    });
    assert!(form.fields[0].kind.read_only().is_some());
    let spec = lh::WfSpec::default();
    assert!(inputs_of_spec(&spec).fields.is_empty());
    assert!(steps_after(&spec, "t", "n").is_empty());
    assert_eq!(on_cancel(&spec, "t", "n"), OnCancel::Unknown);
    assert_eq!(brief(&lh::WfRun::default(), Vec::new(), None).workflow.raw(), "");
    run_step(&lh::NodeRun { status: -1, ..Default::default() }, None);
    let failed = lh::WfRun { status: lh::LhStatus::Error.into(), ..Default::default() };
    assert_eq!(failure(&failed, &[], None), None);
}

#[test]
fn nodes_by_the_names_that_people_know() {
    for (name, words) in [
        ("3-pay-invoice-TASK", "pay-invoice"),
        ("0-entrypoint-ENTRYPOINT", "entrypoint"),
        ("4-wait-EXTERNAL_EVENT", "wait"),
        ("plain", "plain"),
        ("a-b-C", "a-b-C"),
        ("7-x", "x"),
        ("-", "-"),
        ("", ""),
    ] {
        assert_eq!(node_words(name, None, "entrypoint").raw(), words, "{name:?}");
    }
}

/// Where an edge leads, and when.
type Edge = (&'static str, Option<lh::VariableAssignment>);

/// A thread of nodes with their edges.
fn spec(nodes: Vec<(&str, lh::node::Node, Vec<Edge>)>) -> lh::WfSpec {
    let nodes = nodes
        .into_iter()
        .map(|(name, node, edges)| {
            let outgoing_edges = edges
                .into_iter()
                .map(|(sink, condition)| lh::Edge {
                    sink_node_name: sink.to_owned(),
                    edge_condition: condition.map(lh::edge::EdgeCondition::Condition),
                    ..lh::Edge::default()
                })
                .collect();
            (name.to_owned(), lh::Node { outgoing_edges, node: Some(node), ..lh::Node::default() })
        })
        .collect();
    let thread = lh::ThreadSpec { nodes, ..lh::ThreadSpec::default() };
    lh::WfSpec { thread_specs: BTreeMap::from([("t".to_owned(), thread)]), ..lh::WfSpec::default() }
}

fn compare(path: &str, comparator: lh::Comparator, literal: Kind) -> lh::VariableAssignment {
    let output = NodeOutputReference { node_name: "1-approve-USER_TASK".to_owned() };
    let lhs = lh::VariableAssignment {
        path: Some(Path::JsonPath(path.to_owned())),
        source: Some(Source::NodeOutput(output)),
        ..Default::default()
    };
    let rhs = lh::VariableAssignment { source: Some(Source::LiteralValue(value(literal))), ..Default::default() };
    let expression = Expression {
        lhs: Some(Box::new(lhs)),
        rhs: Some(Box::new(rhs)),
        operation: Some(Operation::Comparator(comparator.into())),
    };
    lh::VariableAssignment { source: Some(Source::Expression(Box::new(expression))), ..Default::default() }
}

fn user_task() -> lh::UserTaskNode {
    lh::UserTaskNode { user_task_def_name: "approve".to_owned(), ..Default::default() }
}

#[test]
fn what_comes_next_is_seen_through_the_nodes_that_decide() {
    use lh::node::Node;
    let yes = compare("$.approved", lh::Comparator::Equals, Kind::Bool(true));
    let spec = spec(vec![
        ("1-approve-USER_TASK", Node::UserTask(user_task()), vec![("2-nop-NOP", None)]),
        ("2-nop-NOP", Node::Nop(lh::NopNode {}), vec![("3-pay-invoice-TASK", Some(yes)), ("4-nop-NOP", None)]),
        ("3-pay-invoice-TASK", Node::Task(lh::TaskNode::default()), vec![]),
        // A loop back.
        (
            "4-nop-NOP",
            Node::Nop(lh::NopNode {}),
            vec![
                ("2-nop-NOP", Some(compare("$.again", lh::Comparator::GreaterThan, Kind::Int(1)))),
                ("5-exit-EXIT", None),
            ],
        ),
        ("5-exit-EXIT", Node::Exit(lh::ExitNode::default()), vec![]),
    ]);
    let steps = steps_after(&spec, "t", "1-approve-USER_TASK");
    let step = |when: &str, to: &str| NextStep { when: Some(when.into()), to: to.into() };
    assert_eq!(
        steps,
        [step("approved = yes", "pay-invoice"), step("otherwise and again > 1", "nop"), step("otherwise", "end"),]
    );
}

#[test]
fn what_a_cancellation_does() {
    let literal = |name: &str| {
        Some(lh::VariableAssignment {
            source: Some(Source::LiteralValue(value(Kind::Str(name.to_owned())))),
            ..Default::default()
        })
    };
    let variable =
        Some(lh::VariableAssignment { source: Some(Source::VariableName("reason".to_owned())), ..Default::default() });
    use lh::failure_handler_def::FailureToCatch::{AnyFailureOfType, SpecificFailure};
    let fails = |name: &str| OnCancel::Fails { failure: name.into() };
    let handled = OnCancel::Handled { handler: "h".into() };
    let exception = Some(AnyFailureOfType(1));
    let error = Some(AnyFailureOfType(0));
    let table = [
        (None, None, fails("USER_TASK_CANCELLED")),
        (None, Some(None), handled.clone()),
        (None, Some(error.clone()), handled.clone()),
        (None, Some(exception.clone()), fails("USER_TASK_CANCELLED")),
        (literal("not-needed"), None, fails("not-needed")),
        (literal("not-needed"), Some(exception.clone()), handled.clone()),
        (literal("not-needed"), Some(error), fails("not-needed")),
        (literal("not-needed"), Some(Some(SpecificFailure("not-needed".to_owned()))), handled.clone()),
        (literal(" "), None, fails("USER_TASK_CANCELLED")),
        (variable.clone(), None, fails("reason")),
        (variable, Some(exception), handled),
    ];
    for (name, handler, expected) in table {
        let node = lh::UserTaskNode { on_cancellation_exception_name: name, ..user_task() };
        let mut spec = spec(vec![("n", lh::node::Node::UserTask(node), vec![])]);
        if let Some(failure_to_catch) = handler {
            let handler = lh::FailureHandlerDef { handler_spec_name: "h".to_owned(), failure_to_catch };
            spec.thread_specs.get_mut("t").unwrap().nodes.get_mut("n").unwrap().failure_handlers.push(handler);
        }
        assert_eq!(on_cancel(&spec, "t", "n"), expected);
    }
}

proptest! {
    #[test]
    fn whatever_decodes_can_be_shown(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(run) = lh::UserTaskRun::decode(bytes.as_slice()) {
            detail_row(&run, None);
            values(&run.results);
            run.events.iter().for_each(|told| { event(told, None); });
        }
        if let Ok(spec) = lh::WfSpec::decode(bytes.as_slice()) {
            inputs_of_spec(&spec);
        }
        if let Ok(def) = lh::UserTaskDef::decode(bytes.as_slice()) {
            form_of_def(&def);
        }
        if let Ok(node) = lh::NodeRun::decode(bytes.as_slice()) {
            run_step(&node, None);
        }
    }

    #[test]
    fn any_time_is_one_or_none(seconds: i64, nanos: i32) {
        let _ = time(&prost_types::Timestamp { seconds, nanos });
    }
}
