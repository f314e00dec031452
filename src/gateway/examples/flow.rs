//! Short ways to write definitions down: a thread of nodes in the order of their numbers, as the SDKs build them.

use std::collections::BTreeMap;

use crate::api::littlehorse as lh;
use lh::variable_assignment::{Expression, FormatString, NodeOutputReference, Path, Source, expression::Operation};
use lh::variable_value::Value;

/// A value of a workflow or of a form.
pub(super) fn value(value: Value) -> lh::VariableValue {
    lh::VariableValue { value: Some(value) }
}

/// A text.
pub(super) fn text(text: &str) -> lh::VariableValue {
    value(Value::Str(text.to_owned()))
}

fn assignment(source: Source) -> lh::VariableAssignment {
    lh::VariableAssignment { source: Some(source), ..Default::default() }
}

/// A variable of the workflow.
pub(super) fn variable(name: &str) -> lh::VariableAssignment {
    assignment(Source::VariableName(name.to_owned()))
}

/// A constant.
pub(super) fn constant(of: lh::VariableValue) -> lh::VariableAssignment {
    assignment(Source::LiteralValue(of))
}

/// A text with variables in it, one for each `{n}`.
pub(super) fn format(format: &str, variables: &[&str]) -> lh::VariableAssignment {
    assignment(Source::FormatString(Box::new(FormatString {
        format: Some(Box::new(constant(text(format)))),
        args: variables.iter().map(|name| variable(name)).collect(),
    })))
}

/// A field of what the person filled in at a node.
pub(super) fn answer(node: &str, field: &str) -> lh::VariableAssignment {
    lh::VariableAssignment {
        path: Some(Path::JsonPath(format!("$.{field}"))),
        ..assignment(Source::NodeOutput(NodeOutputReference { node_name: node.to_owned() }))
    }
}

/// A comparison, to be the condition of an edge.
pub(super) fn compare(
    left: lh::VariableAssignment,
    comparator: lh::Comparator,
    right: lh::VariableAssignment,
) -> lh::VariableAssignment {
    assignment(Source::Expression(Box::new(Expression {
        lhs: Some(Box::new(left)),
        rhs: Some(Box::new(right)),
        operation: Some(Operation::Comparator(comparator.into())),
    })))
}

/// `variable = value`, done when an edge is taken.
pub(super) fn set(name: &str, to: lh::VariableAssignment) -> lh::VariableMutation {
    lh::VariableMutation {
        lhs_name: name.to_owned(),
        operation: lh::VariableMutationType::Assign.into(),
        rhs_value: Some(lh::variable_mutation::RhsValue::RhsAssignment(to)),
        ..Default::default()
    }
}

/// An edge that is always taken.
pub(super) fn to(node: &str) -> lh::Edge {
    lh::Edge { sink_node_name: node.to_owned(), ..Default::default() }
}

/// An edge that is taken when the condition holds. The first edge that can be taken is.
pub(super) fn to_if(node: &str, condition: lh::VariableAssignment) -> lh::Edge {
    lh::Edge { edge_condition: Some(lh::edge::EdgeCondition::Condition(condition)), ..to(node) }
}

/// A task for a person: the form, for whom, and the note that the list shows.
pub(super) struct Ask<'a> {
    pub(super) form: &'a str,
    pub(super) user: Option<lh::VariableAssignment>,
    pub(super) group: Option<lh::VariableAssignment>,
    pub(super) notes: lh::VariableAssignment,
}

/// A workflow of one thread.
pub(super) struct Flow {
    name: &'static str,
    thread: lh::ThreadSpec,
}

impl Flow {
    /// A workflow that begins at `first`.
    pub(super) fn new(name: &'static str, first: &str) -> Self {
        let flow = Self { name, thread: lh::ThreadSpec::default() };
        flow.node("0-entrypoint-ENTRYPOINT", lh::node::Node::Entrypoint(lh::EntrypointNode {}), vec![to(first)])
    }

    fn node(mut self, name: &str, node: lh::node::Node, outgoing_edges: Vec<lh::Edge>) -> Self {
        let node = lh::Node { outgoing_edges, node: Some(node), ..Default::default() };
        self.thread.nodes.insert(name.to_owned(), node);
        self
    }

    fn declare(mut self, name: &str, of: lh::VariableType, required: bool, default: Option<lh::VariableValue>) -> Self {
        let primitive = lh::type_definition::DefinedType::PrimitiveType(of.into());
        self.thread.variable_defs.push(lh::ThreadVarDef {
            var_def: Some(lh::VariableDef {
                name: name.to_owned(),
                default_value: default,
                type_def: Some(lh::TypeDefinition { defined_type: Some(primitive), ..Default::default() }),
                ..Default::default()
            }),
            required,
            access_level: lh::WfRunVariableAccessLevel::PrivateVar.into(),
            ..Default::default()
        });
        self
    }

    /// An input that must be given.
    pub(super) fn input(self, name: &str, of: lh::VariableType) -> Self {
        self.declare(name, of, true, None)
    }

    /// An input that may be left out, or a variable that the workflow sets itself.
    pub(super) fn optional(self, name: &str, of: lh::VariableType, default: Option<lh::VariableValue>) -> Self {
        self.declare(name, of, false, default)
    }

    /// A task for a person.
    pub(super) fn ask(self, name: &str, ask: Ask<'_>, edges: Vec<lh::Edge>) -> Self {
        let node = lh::UserTaskNode {
            user_task_def_name: ask.form.to_owned(),
            user_group: ask.group,
            user_id: ask.user,
            notes: Some(ask.notes),
            ..Default::default()
        };
        self.node(name, lh::node::Node::UserTask(node), edges)
    }

    /// A place where the way parts.
    pub(super) fn fork(self, name: &str, edges: Vec<lh::Edge>) -> Self {
        self.node(name, lh::node::Node::Nop(lh::NopNode {}), edges)
    }

    /// The end.
    pub(super) fn exit(self, name: &str) -> Self {
        self.node(name, lh::node::Node::Exit(lh::ExitNode::default()), Vec::new())
    }

    /// The request that registers it.
    pub(super) fn request(self) -> lh::PutWfSpecRequest {
        const THREAD: &str = "entrypoint";
        lh::PutWfSpecRequest {
            name: self.name.to_owned(),
            thread_specs: BTreeMap::from([(THREAD.to_owned(), self.thread)]),
            entrypoint_thread_name: THREAD.to_owned(),
            ..Default::default()
        }
    }
}

/// A form with its fields.
pub(super) struct Form(lh::PutUserTaskDefRequest);

impl Form {
    /// A form without fields.
    pub(super) fn new(name: &str, description: &str) -> Self {
        Self(lh::PutUserTaskDefRequest {
            name: name.to_owned(),
            description: Some(description.to_owned()),
            fields: Vec::new(),
        })
    }

    fn field(mut self, name: &str, of: lh::VariableType, label: &str, help: &str, required: bool) -> Self {
        self.0.fields.push(lh::UserTaskField {
            name: name.to_owned(),
            r#type: of.into(),
            description: Some(help.to_owned()).filter(|help| !help.is_empty()),
            display_name: label.to_owned(),
            required,
        });
        self
    }

    /// A field that must be filled in.
    pub(super) fn required(self, name: &str, of: lh::VariableType, label: &str, help: &str) -> Self {
        self.field(name, of, label, help, true)
    }

    /// A field that may stay empty.
    pub(super) fn optional(self, name: &str, of: lh::VariableType, label: &str, help: &str) -> Self {
        self.field(name, of, label, help, false)
    }

    /// The request that registers it.
    pub(super) fn request(self) -> lh::PutUserTaskDefRequest {
        self.0
    }
}
