//! TASK nodes in WfSpecs.

use super::build::*;
use super::*;
use lh::VariableType::{Bool, Int, Str};
use lh::node::Node;
use lh::task_node::TaskToExecute;

fn of_def(name: &str) -> Option<TaskToExecute> {
    Some(TaskToExecute::TaskDefId(lh::TaskDefId { name: name.to_owned() }))
}

/// A task of `two`, which takes a STR and an INT and returns an INT.
fn two(variables: Vec<Assignment>) -> lh::TaskNode {
    lh::TaskNode { task_to_execute: of_def("two"), variables, ..Default::default() }
}

fn flow(task: lh::TaskNode, edges: Vec<lh::Edge>, variables: Vec<lh::ThreadVarDef>) -> lh::PutWfSpecRequest {
    let nodes = vec![("entry", entry(vec![edge("n")])), ("n", node(Node::Task(task), edges)), ("exit", exit())];
    spec(thread(nodes, variables))
}

fn output(name: &str) -> Assignment {
    let reference = lh::variable_assignment::NodeOutputReference { node_name: name.to_owned() };
    let source = lh::variable_assignment::Source::NodeOutput(reference);
    Assignment { source: Some(source), ..Default::default() }
}

#[test]
fn inputs_and_policies_are_checked() {
    let mut world = World::default();
    let input =
        |name: &str, kind| lh::VariableDef { name: name.to_owned(), type_def: Some(of(kind)), ..Default::default() };
    for (name, input_vars, returned) in
        [("two", vec![input("a", Str), input("b", Int)], Some(of(Int))), ("void", vec![], None)]
    {
        let return_type = Some(lh::ReturnType { return_type: returned });
        world.run(lh::PutTaskDefRequest { name: name.to_owned(), input_vars, return_type, description: None }).unwrap();
    }
    let given = |a: Assignment, b: Assignment| flow(two(vec![a, b]), vec![edge("exit")], vec![]);
    let good = || two(vec![text("a"), int(1)]);
    let backoff = |base_interval_ms, multiplier, max_delay_ms| {
        let policy = lh::ExponentialBackoffRetryPolicy { base_interval_ms, multiplier, max_delay_ms };
        flow(lh::TaskNode { exponential_backoff: Some(policy), ..good() }, vec![edge("exit")], vec![])
    };
    let assigned = |kind| {
        let to_x = changing("exit", "x", lh::VariableMutationType::Assign, output("n"));
        flow(good(), vec![to_x], vec![declare("x", of(kind))])
    };
    let void = || lh::TaskNode { task_to_execute: of_def("void"), ..Default::default() };
    let dynamic = |variables| lh::TaskNode {
        task_to_execute: Some(TaskToExecute::DynamicTask(text("any"))),
        variables,
        ..Default::default()
    };
    let plain = |task| flow(task, vec![edge("exit")], vec![]);
    let at_b = "… Node n invalid: Task input variable with name b at position 1: ";
    for (request, expected) in [
        (plain(good()), "Ok".to_owned()),
        (
            plain(lh::TaskNode { task_to_execute: of_def("absent"), ..Default::default() }),
            "… Node n invalid: Refers to nonexistent TaskDef absent".to_owned(),
        ),
        (plain(lh::TaskNode::default()), "… Node n invalid: it names no TaskDef".to_owned()),
        (
            plain(two(vec![text("a")])),
            "… Node n invalid: For TaskDef two we need 2 input vars, but we have 1".to_owned(),
        ),
        (
            plain(two(vec![text("a"), int(1), int(2)])),
            "… Node n invalid: For TaskDef two we need 2 input vars, but we have 3".to_owned(),
        ),
        (
            given(text("a"), text("b")),
            "… Node n invalid: Cannot assign STR to INT without explicit casting.".to_owned(),
        ),
        (
            given(object(), int(1)),
            "… Node n invalid: Cannot assign JSON_OBJ to STR without explicit casting.".to_owned(),
        ),
        (given(int(5), int(1)), "Ok".to_owned()),
        (given(null(), null()), "Ok".to_owned()),
        (given(text("a"), cast(text("7"), Int)), "Ok".to_owned()),
        (
            given(text("a"), cast(boolean(true), Int)),
            "… Node n invalid: Cannot cast from BOOL to INT. This conversion is not supported.".to_owned(),
        ),
        (given(text("a"), output("nope")), format!("{at_b}Node nope not present in threadspec entrypoint")),
        (given(text("a"), Assignment::default()), format!("{at_b}VariableAssignment passed with missing source")),
        (plain(lh::TaskNode { retries: -1, ..good() }), "… Node n invalid: Cannot have negative retries!".to_owned()),
        (plain(lh::TaskNode { timeout_seconds: -5, ..good() }), "Ok".to_owned()),
        (backoff(0, 2.0, 10), "… Node n invalid: Exponential Backoff Base interval must be > 0!".to_owned()),
        (backoff(10, 0.5, 10), "… Node n invalid: Exponential Backoff Multiplier must be at least 1.0!".to_owned()),
        (
            backoff(10, f32::NAN, 10),
            "… Node n invalid: Exponential Backoff Multiplier must be at least 1.0!".to_owned(),
        ),
        (
            backoff(100, 2.0, 10),
            "… Node n invalid: Exponential Backoff max delay cannot be less than base delay".to_owned(),
        ),
        (assigned(Int), "Ok".to_owned()),
        (assigned(Str), "Ok".to_owned()),
        (
            assigned(Bool),
            "… Node n invalid: Edge with sink node exit invalid: Cannot assign INT to BOOL without explicit casting."
                .to_owned(),
        ),
        (
            flow(
                void(),
                vec![changing("exit", "x", lh::VariableMutationType::Assign, output("n"))],
                vec![declare("x", of(Bool))],
            ),
            "Ok".to_owned(),
        ),
        (plain(dynamic(vec![text("a"), boolean(true), int(3)])), "Ok".to_owned()),
        (
            plain(dynamic(vec![output("nope")])),
            "… Node n invalid: Node nope not present in threadspec entrypoint".to_owned(),
        ),
    ] {
        let what = format!("{:?}", request.thread_specs["entrypoint"].nodes["n"]);
        let fresh = lh::PutWfSpecRequest { name: format!("flow-{}", world.now), ..request };
        assert_eq!(verdict(&mut world, fresh), expected, "{what}");
    }
    let stored = world.put_spec(plain(good())).unwrap();
    let Some(Node::Task(stored)) = &stored.thread_specs["entrypoint"].nodes["n"].node else { panic!() };
    assert_eq!(stored.timeout_seconds, 60, "0 stands for 60, and that is stored");
}
