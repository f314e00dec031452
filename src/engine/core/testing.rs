//! What the core's own tests share: an engine in memory, and short builders of definitions.

use std::collections::BTreeMap;

use crate::api::littlehorse as lh;
use crate::engine::core::command::{Actor, Command, Context, Reply, Request};
use crate::engine::core::state::MemoryState;
use crate::engine::core::value::{Value, message};
use crate::engine::core::{Refusal, execute, query, timer};
use lh::VariableType as T;
use lh::node::Node as Kind;
use lh::type_definition::DefinedType;
use lh::variable_assignment::{Path, Source};

/// An engine without a disk. Its clock moves by one second with every command; a request is accepted 5 ms before it is
/// applied.
#[derive(Clone, Default)]
pub struct Bench {
    pub state: MemoryState,
    pub clock: i64,
    pub actor: String,
    /// What the log would say.
    pub notes: Vec<String>,
}

impl Bench {
    /// Gives a command.
    pub fn give(&mut self, request: impl Into<Request>) -> Result<Reply, Refusal> {
        self.clock += 1000;
        let context = Context {
            tenant: "default".into(),
            actor: Actor { name: self.actor.clone(), ..Default::default() },
            at: self.clock - 5,
            now: self.clock,
            seed: u128::from(self.clock.unsigned_abs()),
        };
        let applied = execute(&self.state, &Command { context, request: request.into() })?;
        self.state.apply(&applied.writes);
        self.notes.extend(applied.effects.notes);
        Ok(applied.reply)
    }

    /// Lets time go by, then everything happen that is due, also what becomes due thereby.
    pub fn pass(&mut self, milliseconds: i64) {
        self.clock += milliseconds;
        loop {
            let due = timer::due(&self.state, self.clock, 1).unwrap();
            let Some(command) = due.first() else { return };
            let applied = execute(&self.state, command).unwrap();
            self.state.apply(&applied.writes);
            self.notes.extend(applied.effects.notes);
        }
    }

    /// How many timers wait.
    pub fn timers(&self) -> usize {
        timer::due(&self.state, i64::MAX, usize::MAX).unwrap().len()
    }

    /// Gives a command that must be accepted.
    pub fn must(&mut self, request: impl Into<Request>) -> Reply {
        self.give(request).unwrap()
    }

    /// Registers a form.
    pub fn form(&mut self, name: &str, fields: &[lh::UserTaskField]) {
        let fields = fields.to_vec();
        self.must(lh::PutUserTaskDefRequest { name: name.into(), fields, description: None });
    }

    /// Registers a workflow with these threads, the first of which is the entrypoint.
    pub fn flow(&mut self, name: &str, threads: &[(&str, lh::ThreadSpec)]) -> Result<Reply, Refusal> {
        self.give(lh::PutWfSpecRequest {
            name: name.into(),
            entrypoint_thread_name: threads[0].0.into(),
            thread_specs: threads.iter().map(|(name, thread)| ((*name).to_owned(), thread.clone())).collect(),
            ..Default::default()
        })
    }

    /// Runs a workflow under this id.
    pub fn run(&mut self, flow: &str, id: &str, variables: &[(&str, Option<Value>)]) -> Result<lh::WfRun, Refusal> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), message(value.clone()))).collect();
        let request =
            lh::RunWfRequest { wf_spec_name: flow.into(), id: Some(id.into()), variables, ..Default::default() };
        self.give(request)?.try_into()
    }

    /// A workflow of one user task `form` for this node, run as `run`; gives the task's id.
    pub fn start(&mut self, node: lh::UserTaskNode) -> lh::UserTaskRunId {
        self.form("form", &FORM());
        self.flow("flow", &[("main", chain(&[("form", Kind::UserTask(node))]))]).unwrap();
        self.run("flow", "run", &[]).unwrap();
        task_id("run", "0-1")
    }

    pub fn wf_run(&self, id: &str) -> Result<lh::WfRun, Refusal> {
        query::get_wf_run(&self.state, "default", run_id(id))
    }

    pub fn node_run(&self, run: &str, thread: i32, position: i32) -> lh::NodeRun {
        let id = lh::NodeRunId { wf_run_id: Some(run_id(run)), thread_run_number: thread, position };
        query::get_node_run(&self.state, "default", id).unwrap()
    }

    pub fn variable(&self, run: &str, name: &str) -> Option<Value> {
        let id = lh::VariableId { wf_run_id: Some(run_id(run)), thread_run_number: 0, name: name.into() };
        query::get_variable(&self.state, "default", id).unwrap().value.unwrap().value
    }

    pub fn task(&self, id: &lh::UserTaskRunId) -> Result<lh::UserTaskRun, Refusal> {
        query::get_user_task_run(&self.state, "default", id.clone())
    }

    pub fn complete(&mut self, id: &lh::UserTaskRunId, user: &str, results: Results) -> Result<(), Refusal> {
        let request = lh::CompleteUserTaskRunRequest {
            user_task_run_id: Some(id.clone()),
            user_id: user.into(),
            results: values(results),
        };
        self.give(request)?.try_into()
    }

    pub fn save(&mut self, id: &lh::UserTaskRunId, user: &str, results: Results) -> Result<lh::UserTaskRun, Refusal> {
        let request = lh::SaveUserTaskRunProgressRequest {
            user_task_run_id: Some(id.clone()),
            user_id: user.into(),
            results: values(results),
            policy: 0,
        };
        self.give(request)?.try_into()
    }

    pub fn assign(
        &mut self,
        id: &lh::UserTaskRunId,
        user: Option<&str>,
        group: Option<&str>,
        override_claim: bool,
    ) -> Result<(), Refusal> {
        let request = lh::AssignUserTaskRunRequest {
            user_task_run_id: Some(id.clone()),
            override_claim,
            user_group: group.map(str::to_owned),
            user_id: user.map(str::to_owned),
        };
        self.give(request)?.try_into()
    }

    pub fn cancel(&mut self, id: &lh::UserTaskRunId) -> Result<(), Refusal> {
        self.give(lh::CancelUserTaskRunRequest { user_task_run_id: Some(id.clone()) })?.try_into()
    }

    pub fn comment(&mut self, id: &lh::UserTaskRunId, user: &str, text: &str) -> Result<lh::UserTaskRun, Refusal> {
        let request = lh::PutUserTaskRunCommentRequest {
            user_task_run_id: Some(id.clone()),
            user_id: user.into(),
            comment: text.into(),
        };
        self.give(request)?.try_into()
    }
}

/// Field values as tests write them.
pub type Results<'a> = &'a [(&'a str, Option<Value>)];

pub fn values(results: Results) -> BTreeMap<String, lh::VariableValue> {
    results.iter().map(|(name, value)| ((*name).to_owned(), message(value.clone()))).collect()
}

/// The form of most tests: a required text, a number, a rate, a yes or no.
#[allow(non_snake_case)]
pub fn FORM() -> Vec<lh::UserTaskField> {
    vec![
        field("name", T::Str, true),
        field("count", T::Int, false),
        field("rate", T::Double, false),
        field("ok", T::Bool, false),
    ]
}

pub fn field(name: &str, kind: T, required: bool) -> lh::UserTaskField {
    lh::UserTaskField { name: name.into(), r#type: kind.into(), required, ..Default::default() }
}

pub fn run_id(id: &str) -> lh::WfRunId {
    lh::WfRunId { id: id.into(), parent_wf_run_id: None }
}

pub fn task_id(run: &str, guid: &str) -> lh::UserTaskRunId {
    lh::UserTaskRunId { wf_run_id: Some(run_id(run)), user_task_guid: guid.into() }
}

pub fn s(text: &str) -> Option<Value> {
    Some(Value::Str(text.into()))
}

pub fn i(number: i64) -> Option<Value> {
    Some(Value::Int(number))
}

pub fn lit(value: Option<Value>) -> lh::VariableAssignment {
    lh::VariableAssignment { source: Some(Source::LiteralValue(message(value))), ..Default::default() }
}

pub fn var(name: &str) -> lh::VariableAssignment {
    lh::VariableAssignment { source: Some(Source::VariableName(name.into())), ..Default::default() }
}

pub fn out(node: &str, path: &str) -> lh::VariableAssignment {
    let reference = lh::variable_assignment::NodeOutputReference { node_name: node.into() };
    lh::VariableAssignment {
        source: Some(Source::NodeOutput(reference)),
        path: Some(Path::JsonPath(path.into())),
        ..Default::default()
    }
}

pub fn compared(
    left: lh::VariableAssignment,
    comparator: lh::Comparator,
    right: lh::VariableAssignment,
) -> lh::VariableAssignment {
    let expression = lh::variable_assignment::Expression {
        lhs: Some(Box::new(left)),
        rhs: Some(Box::new(right)),
        operation: Some(lh::variable_assignment::expression::Operation::Comparator(comparator.into())),
    };
    lh::VariableAssignment { source: Some(Source::Expression(Box::new(expression))), ..Default::default() }
}

pub fn mutation(
    name: &str,
    operation: lh::VariableMutationType,
    right: lh::VariableAssignment,
) -> lh::VariableMutation {
    lh::VariableMutation {
        lhs_name: name.into(),
        operation: operation.into(),
        rhs_value: Some(lh::variable_mutation::RhsValue::RhsAssignment(right)),
        ..Default::default()
    }
}

pub fn user_task(user: Option<lh::VariableAssignment>, group: Option<lh::VariableAssignment>) -> lh::UserTaskNode {
    lh::UserTaskNode { user_task_def_name: "form".into(), user_id: user, user_group: group, ..Default::default() }
}

pub fn typed(kind: T) -> lh::TypeDefinition {
    lh::TypeDefinition { defined_type: Some(DefinedType::PrimitiveType(kind.into())), masked: false }
}

pub fn var_def(name: &str, kind: T) -> lh::ThreadVarDef {
    let var_def = lh::VariableDef { name: name.into(), type_def: Some(typed(kind)), ..Default::default() };
    lh::ThreadVarDef {
        var_def: Some(var_def),
        access_level: lh::WfRunVariableAccessLevel::PrivateVar.into(),
        ..Default::default()
    }
}

pub fn edge(sink: &str) -> lh::Edge {
    lh::Edge { sink_node_name: sink.into(), ..Default::default() }
}

pub fn node(kind: Kind, edges: &[lh::Edge]) -> lh::Node {
    lh::Node { node: Some(kind), outgoing_edges: edges.to_vec(), ..Default::default() }
}

/// A thread of nodes by name; the first is its ENTRYPOINT.
pub fn thread(nodes: &[(&str, lh::Node)]) -> lh::ThreadSpec {
    let nodes = nodes.iter().map(|(name, node)| ((*name).to_owned(), node.clone())).collect();
    lh::ThreadSpec { nodes, ..Default::default() }
}

/// `start` -> these nodes -> `end`.
pub fn chain(nodes: &[(&str, Kind)]) -> lh::ThreadSpec {
    let mut all = vec![("start", Kind::Entrypoint(lh::EntrypointNode {}))];
    all.extend(nodes.iter().cloned());
    let mut sinks: Vec<&str> = all.iter().skip(1).map(|(name, _)| *name).collect();
    sinks.push("end");
    let nodes = all.into_iter().zip(sinks).map(|((name, kind), sink)| (name, node(kind, &[edge(sink)])));
    let mut nodes: Vec<_> = nodes.collect();
    nodes.push(("end", node(Kind::Exit(lh::ExitNode { result: None }), &[])));
    thread(&nodes)
}

/// Changes a node of a thread.
pub fn with(mut thread: lh::ThreadSpec, name: &str, change: impl FnOnce(&mut lh::Node)) -> lh::ThreadSpec {
    change(thread.nodes.get_mut(name).unwrap());
    thread
}
