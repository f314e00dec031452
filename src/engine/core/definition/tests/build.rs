//! Short builders of WfSpecs.

use crate::api::littlehorse as lh;
use lh::VariableType;
use lh::variable_value::Value;

pub(super) type Assignment = lh::VariableAssignment;

pub(super) fn literal(value: Option<Value>) -> Assignment {
    let source = lh::variable_assignment::Source::LiteralValue(lh::VariableValue { value });
    Assignment { source: Some(source), ..Default::default() }
}

pub(super) fn int(value: i64) -> Assignment {
    literal(Some(Value::Int(value)))
}

pub(super) fn double(value: f64) -> Assignment {
    literal(Some(Value::Double(value)))
}

pub(super) fn text(value: &str) -> Assignment {
    literal(Some(Value::Str(value.to_owned())))
}

pub(super) fn boolean(value: bool) -> Assignment {
    literal(Some(Value::Bool(value)))
}

pub(super) fn list() -> Assignment {
    literal(Some(Value::JsonArr("[1]".to_owned())))
}

pub(super) fn object() -> Assignment {
    literal(Some(Value::JsonObj("{\"a\":1}".to_owned())))
}

pub(super) fn bytes() -> Assignment {
    literal(Some(Value::Bytes(b"x".to_vec())))
}

pub(super) fn null() -> Assignment {
    literal(None)
}

pub(super) fn variable(name: &str) -> Assignment {
    let source = lh::variable_assignment::Source::VariableName(name.to_owned());
    Assignment { source: Some(source), ..Default::default() }
}

pub(super) fn at_json_path(name: &str) -> Assignment {
    Assignment { path: Some(lh::variable_assignment::Path::JsonPath("$.a".to_owned())), ..variable(name) }
}

pub(super) fn cast(assignment: Assignment, kind: VariableType) -> Assignment {
    Assignment { target_type: Some(of(kind)), ..assignment }
}

pub(super) fn compare(lhs: Assignment, comparator: lh::Comparator, rhs: Assignment) -> Assignment {
    expression(lhs, lh::variable_assignment::expression::Operation::Comparator(comparator.into()), rhs)
}

pub(super) fn operate(lhs: Assignment, operation: lh::VariableMutationType, rhs: Assignment) -> Assignment {
    expression(lhs, lh::variable_assignment::expression::Operation::MutationType(operation.into()), rhs)
}

pub(super) fn expression(
    lhs: Assignment,
    operation: lh::variable_assignment::expression::Operation,
    rhs: Assignment,
) -> Assignment {
    let expression = lh::variable_assignment::Expression {
        lhs: Some(Box::new(lhs)),
        rhs: Some(Box::new(rhs)),
        operation: Some(operation),
    };
    let source = lh::variable_assignment::Source::Expression(Box::new(expression));
    Assignment { source: Some(source), ..Default::default() }
}

pub(super) fn of(kind: VariableType) -> lh::TypeDefinition {
    let defined = lh::type_definition::DefinedType::PrimitiveType(kind.into());
    lh::TypeDefinition { defined_type: Some(defined), masked: false }
}

pub(super) fn array_of(kind: VariableType) -> lh::TypeDefinition {
    let array = lh::InlineArrayDef { array_type: Some(Box::new(of(kind))) };
    let defined = lh::type_definition::DefinedType::InlineArrayDef(Box::new(array));
    lh::TypeDefinition { defined_type: Some(defined), masked: false }
}

pub(super) fn map_of(key: VariableType, value: VariableType) -> lh::TypeDefinition {
    let map = lh::InlineMapDef { key_type: Some(Box::new(of(key))), value_type: Some(Box::new(of(value))) };
    let defined = lh::type_definition::DefinedType::InlineMapDef(Box::new(map));
    lh::TypeDefinition { defined_type: Some(defined), masked: false }
}

pub(super) fn declare(name: &str, type_def: lh::TypeDefinition) -> lh::ThreadVarDef {
    let var = lh::VariableDef { name: name.to_owned(), type_def: Some(type_def), ..Default::default() };
    lh::ThreadVarDef {
        var_def: Some(var),
        access_level: lh::WfRunVariableAccessLevel::PrivateVar.into(),
        ..Default::default()
    }
}

pub(super) fn required(def: lh::ThreadVarDef) -> lh::ThreadVarDef {
    lh::ThreadVarDef { required: true, ..def }
}

pub(super) fn access(def: lh::ThreadVarDef, level: lh::WfRunVariableAccessLevel) -> lh::ThreadVarDef {
    lh::ThreadVarDef { access_level: level.into(), ..def }
}

pub(super) fn public(def: lh::ThreadVarDef) -> lh::ThreadVarDef {
    access(def, lh::WfRunVariableAccessLevel::PublicVar)
}

pub(super) fn edge(sink: &str) -> lh::Edge {
    lh::Edge { sink_node_name: sink.to_owned(), ..Default::default() }
}

pub(super) fn when(sink: &str, condition: Assignment) -> lh::Edge {
    lh::Edge { edge_condition: Some(lh::edge::EdgeCondition::Condition(condition)), ..edge(sink) }
}

pub(super) fn changing(sink: &str, name: &str, operation: lh::VariableMutationType, rhs: Assignment) -> lh::Edge {
    let mutation = lh::VariableMutation {
        lhs_name: name.to_owned(),
        operation: operation.into(),
        rhs_value: Some(lh::variable_mutation::RhsValue::RhsAssignment(rhs)),
        ..Default::default()
    };
    lh::Edge { variable_mutations: vec![mutation], ..edge(sink) }
}

pub(super) fn node(kind: lh::node::Node, edges: Vec<lh::Edge>) -> lh::Node {
    lh::Node { outgoing_edges: edges, failure_handlers: Vec::new(), node: Some(kind) }
}

pub(super) fn entry(edges: Vec<lh::Edge>) -> lh::Node {
    node(lh::node::Node::Entrypoint(lh::EntrypointNode {}), edges)
}

pub(super) fn nop(edges: Vec<lh::Edge>) -> lh::Node {
    node(lh::node::Node::Nop(lh::NopNode {}), edges)
}

pub(super) fn exit() -> lh::Node {
    node(lh::node::Node::Exit(lh::ExitNode { result: None }), Vec::new())
}

pub(super) fn returning(content: Assignment) -> lh::Node {
    let result = Some(lh::exit_node::Result::ReturnContent(content));
    node(lh::node::Node::Exit(lh::ExitNode { result }), Vec::new())
}

pub(super) fn failing(name: &str) -> lh::Node {
    let failure = lh::FailureDef { failure_name: name.to_owned(), ..Default::default() };
    let result = Some(lh::exit_node::Result::FailureDef(failure));
    node(lh::node::Node::Exit(lh::ExitNode { result }), Vec::new())
}

pub(super) fn form(task: lh::UserTaskNode) -> lh::Node {
    node(lh::node::Node::UserTask(task), vec![edge("exit")])
}

pub(super) fn for_user(user: Assignment) -> lh::UserTaskNode {
    lh::UserTaskNode { user_task_def_name: "form".to_owned(), user_id: Some(user), ..Default::default() }
}

pub(super) fn thread(nodes: Vec<(&str, lh::Node)>, variable_defs: Vec<lh::ThreadVarDef>) -> lh::ThreadSpec {
    let nodes = nodes.into_iter().map(|(name, node)| (name.to_owned(), node)).collect();
    lh::ThreadSpec { nodes, variable_defs, ..Default::default() }
}

pub(super) fn spec(entrypoint: lh::ThreadSpec) -> lh::PutWfSpecRequest {
    lh::PutWfSpecRequest {
        name: "flow".to_owned(),
        thread_specs: [("entrypoint".to_owned(), entrypoint)].into(),
        entrypoint_thread_name: "entrypoint".to_owned(),
        ..Default::default()
    }
}

pub(super) fn with_thread(
    mut request: lh::PutWfSpecRequest,
    name: &str,
    thread: lh::ThreadSpec,
) -> lh::PutWfSpecRequest {
    request.thread_specs.insert(name.to_owned(), thread);
    request
}

/// Entry, then exit.
pub(super) fn plain(variables: Vec<lh::ThreadVarDef>) -> lh::PutWfSpecRequest {
    spec(thread(vec![("entry", entry(vec![edge("exit")])), ("exit", exit())], variables))
}

/// Entry, a user task, exit.
pub(super) fn with_form(task: lh::UserTaskNode) -> lh::PutWfSpecRequest {
    spec(thread(vec![("entry", entry(vec![edge("form")])), ("form", form(task)), ("exit", exit())], Vec::new()))
}
