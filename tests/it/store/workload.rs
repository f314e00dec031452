//! Commands as people and programs give them, from a seed: definitions, runs, and whatever may be done with a task.

use std::collections::BTreeMap;

use ostler::api::littlehorse as lh;
use ostler::engine::core::command::{Actor, Channel, Context, Proof, Reply, Request};
use ostler::engine::core::{Command, Refusal};

use super::order::Orders;
use super::random::Random;

const DEF: &str = "approve";
const SPEC: &str = "expense";
const PEOPLE: [&str; 3] = ["amy", "bob", "cleo"];

/// Gives commands, and learns from the answers which tasks there are.
#[derive(Clone, Debug)]
pub struct Workload {
    random: Random,
    runs: Vec<lh::WfRunId>,
    has_def: bool,
    has_spec: bool,
    orders: Orders,
    given: u64,
}

pub fn string(text: &str) -> lh::VariableValue {
    lh::VariableValue { value: Some(lh::variable_value::Value::Str(text.into())) }
}

pub fn constant(text: &str) -> lh::VariableAssignment {
    lh::VariableAssignment {
        source: Some(lh::variable_assignment::Source::LiteralValue(string(text))),
        ..Default::default()
    }
}

/// A definition with two fields.
pub fn task_def(description: &str) -> lh::PutUserTaskDefRequest {
    let field = |name: &str, r#type: lh::VariableType, required| lh::UserTaskField {
        name: name.into(),
        r#type: r#type.into(),
        description: None,
        display_name: name.to_uppercase(),
        required,
    };
    lh::PutUserTaskDefRequest {
        name: DEF.into(),
        fields: vec![field("reason", lh::VariableType::Str, true), field("amount", lh::VariableType::Int, false)],
        description: Some(description.into()),
    }
}

/// A workflow of two user tasks, one after the other, with one variable.
pub fn wf_spec(group: &str) -> lh::PutWfSpecRequest {
    let edge = |to: &str| vec![lh::Edge { sink_node_name: to.into(), ..Default::default() }];
    let user_task = |to: &str| lh::Node {
        outgoing_edges: edge(to),
        failure_handlers: Vec::new(),
        node: Some(lh::node::Node::UserTask(lh::UserTaskNode {
            user_task_def_name: DEF.into(),
            user_group: Some(constant(group)),
            notes: Some(constant("Please decide")),
            ..Default::default()
        })),
    };
    let entrypoint = lh::Node {
        outgoing_edges: edge("1-first-USER_TASK"),
        failure_handlers: Vec::new(),
        node: Some(lh::node::Node::Entrypoint(lh::EntrypointNode {})),
    };
    let exit = lh::Node {
        outgoing_edges: Vec::new(),
        failure_handlers: Vec::new(),
        node: Some(lh::node::Node::Exit(lh::ExitNode { result: None })),
    };
    let nodes = BTreeMap::from([
        ("0-entrypoint-ENTRYPOINT".into(), entrypoint),
        ("1-first-USER_TASK".into(), user_task("2-second-USER_TASK")),
        ("2-second-USER_TASK".into(), user_task("3-exit-EXIT")),
        ("3-exit-EXIT".into(), exit),
    ]);
    let subject = lh::ThreadVarDef {
        var_def: Some(lh::VariableDef {
            name: "subject".into(),
            type_def: Some(lh::TypeDefinition {
                defined_type: Some(lh::type_definition::DefinedType::PrimitiveType(lh::VariableType::Str.into())),
                masked: false,
            }),
            ..Default::default()
        }),
        searchable: true,
        ..Default::default()
    };
    let thread = lh::ThreadSpec { nodes, variable_defs: vec![subject], ..Default::default() };
    lh::PutWfSpecRequest {
        name: SPEC.into(),
        thread_specs: BTreeMap::from([("entrypoint".into(), thread)]),
        entrypoint_thread_name: "entrypoint".into(),
        ..Default::default()
    }
}

/// A run of that workflow.
pub fn run_wf(id: &str, subject: &str) -> lh::RunWfRequest {
    lh::RunWfRequest {
        wf_spec_name: SPEC.into(),
        id: Some(id.into()),
        variables: BTreeMap::from([("subject".into(), string(subject))]),
        ..Default::default()
    }
}

/// The values of the form.
pub fn results(reason: &str) -> BTreeMap<String, lh::VariableValue> {
    BTreeMap::from([("reason".into(), string(reason))])
}

impl Workload {
    pub fn new(mut random: Random) -> Self {
        let orders = Orders::new(random.fork());
        Self { random, runs: Vec::new(), has_def: false, has_spec: false, orders, given: 0 }
    }

    fn text(&mut self, longest: usize) -> String {
        let length = self.random.below(longest) + 1;
        (0..length).map(|_| *self.random.pick(&['a', 'é', '漢', ' ', '"', '7'])).collect()
    }

    /// One of the two tasks of some run; it need not be there yet, or any more.
    fn task(&mut self) -> Option<lh::UserTaskRunId> {
        // Mostly a young run: old ones are finished.
        let young = self.runs.len().saturating_sub(6);
        let from = if self.random.chance(80) { &self.runs[young..] } else { &self.runs[..] };
        if from.is_empty() {
            return None;
        }
        let run = self.random.pick(from).clone();
        let position = 1 + self.random.below(2);
        Some(lh::UserTaskRunId { wf_run_id: Some(run), user_task_guid: format!("0-{position}") })
    }

    fn request(&mut self) -> Request {
        let person = (*self.random.pick(&PEOPLE)).to_owned();
        let kind = self.random.below(100);
        let Some(task) = self.task().filter(|_| kind >= 25) else {
            return match kind % 10 {
                0 => task_def(&self.text(20)).into(),
                1 => {
                    let group = *self.random.pick(&["finance", "ops"]);
                    wf_spec(group).into()
                }
                _ => {
                    // Sometimes an id that is taken.
                    let number = if self.random.chance(10) { self.given / 2 } else { self.given };
                    run_wf(&format!("run-{number}"), &self.text(400)).into()
                }
            };
        };
        let user_task_run_id = Some(task);
        match kind {
            25..45 => lh::AssignUserTaskRunRequest {
                user_task_run_id,
                override_claim: self.random.chance(50),
                user_group: self.random.chance(50).then(|| "ops".into()),
                user_id: self.random.chance(80).then_some(person),
            }
            .into(),
            45..60 => lh::SaveUserTaskRunProgressRequest {
                user_task_run_id,
                results: results(&self.text(600)),
                user_id: person,
                policy: i32::from(self.random.chance(70)),
            }
            .into(),
            60..80 => {
                lh::CompleteUserTaskRunRequest { user_task_run_id, results: results(&self.text(300)), user_id: person }
                    .into()
            }
            80..85 => lh::CancelUserTaskRunRequest { user_task_run_id }.into(),
            85..94 => {
                lh::PutUserTaskRunCommentRequest { user_task_run_id, user_id: person, comment: self.text(80) }.into()
            }
            94..97 => lh::EditUserTaskRunCommentRequest {
                user_comment_id: 1,
                user_task_run_id,
                user_id: person,
                comment: self.text(80),
            }
            .into(),
            _ => lh::DeleteUserTaskRunCommentRequest { user_comment_id: 1, user_task_run_id, user_id: person }.into(),
        }
    }

    /// The next command; `at` is when it was accepted.
    pub fn command(&mut self, at: i64) -> Command {
        let request = match (self.has_def, self.has_spec) {
            // Nothing can run before these.
            (false, _) => task_def("first").into(),
            (true, false) => wf_spec("finance").into(),
            (true, true) if self.random.chance(50) => self.orders.request(),
            (true, true) => self.request(),
        };
        self.given += 1;
        let actor = Actor { name: "amy".into(), proof: Proof::PeerUid, channel: Channel::UnixSocket };
        let seed = u128::from(self.random.next()) << 64 | u128::from(self.random.next());
        Command { context: Context { tenant: "default".into(), actor, at, now: 0, seed }, request }
    }

    /// Learns from an answer.
    pub fn learn(&mut self, answer: &Result<Reply, Refusal>) {
        let Ok(reply) = answer else { return };
        self.orders.learn(reply);
        match reply {
            Reply::UserTaskDef(_) => self.has_def = true,
            Reply::WfSpec(_) => self.has_spec = true,
            Reply::WfRun(lh::WfRun { id: Some(id), wf_spec_id: Some(spec), .. })
                if spec.name == SPEC && !self.runs.contains(id) =>
            {
                self.runs.push(id.clone());
            }
            _ => {}
        }
    }
}
