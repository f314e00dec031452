//! Commands around a workflow that waits for everything there is to wait for: a worker, an event, another thread, a
//! person with a deadline, and time. Most of what happens to it happens by timers.

use std::collections::BTreeMap;

use ostler::api::{littlehorse as lh, store::v1 as store};
use ostler::engine::core::command::{Reply, Request};

use super::random::Random;
use super::workload::{constant, results, string};
use lh::node::Node as Kind;
use lh::variable_assignment::Source;

const SPEC: &str = "order";
const TASKS: [&str; 2] = ["ship", "remind"];
const EVENTS: [&str; 2] = ["paid", "changed"];

/// Gives commands, and learns from the answers what there is.
#[derive(Clone, Debug)]
pub struct Orders {
    random: Random,
    /// Definitions that are still to be put, the last one first.
    to_define: Vec<(&'static str, Request)>,
    runs: Vec<lh::WfRunId>,
    claimed: Vec<lh::ScheduledTask>,
    given: u64,
}

fn from(source: Source) -> Option<lh::VariableAssignment> {
    Some(lh::VariableAssignment { source: Some(source), ..Default::default() })
}

fn seconds(seconds: i64) -> Option<lh::VariableAssignment> {
    from(Source::LiteralValue(lh::VariableValue { value: Some(lh::variable_value::Value::Int(seconds)) }))
}

/// A thread of these nodes in a row; each but the ends is left to a handler when it fails.
fn thread(nodes: Vec<(&str, Kind)>) -> lh::ThreadSpec {
    let entrypoint = ("0-entrypoint", Kind::Entrypoint(lh::EntrypointNode {}));
    let exit = ("9-exit", Kind::Exit(lh::ExitNode { result: None }));
    let handler = lh::FailureHandlerDef { handler_spec_name: "handler".into(), failure_to_catch: None };
    let row: Vec<_> = std::iter::once(entrypoint).chain(nodes).chain([exit]).collect();
    let mut nodes = BTreeMap::new();
    for (at, (name, kind)) in row.iter().enumerate() {
        let next = row.get(at + 1).map(|(next, _)| lh::Edge { sink_node_name: (*next).into(), ..Default::default() });
        let inner = at > 0 && next.is_some();
        let node = lh::Node {
            outgoing_edges: next.into_iter().collect(),
            failure_handlers: if inner { vec![handler.clone()] } else { Vec::new() },
            node: Some(kind.clone()),
        };
        nodes.insert((*name).to_owned(), node);
    }
    lh::ThreadSpec { nodes, ..Default::default() }
}

fn task(name: &str) -> lh::TaskNode {
    let id = lh::TaskDefId { name: name.into() };
    lh::TaskNode {
        task_to_execute: Some(lh::task_node::TaskToExecute::TaskDefId(id)),
        timeout_seconds: 2,
        retries: 1,
        ..Default::default()
    }
}

fn sleep(length: i64) -> Kind {
    Kind::Sleep(lh::SleepNode { sleep_length: seconds(length).map(lh::sleep_node::SleepLength::RawSeconds) })
}

fn event(name: &str) -> Option<lh::ExternalEventDefId> {
    Some(lh::ExternalEventDefId { name: name.into() })
}

fn approve() -> Kind {
    use lh::ut_action_trigger::{Action, UtHook, UtaCancel, UtaReassign, UtaTask};
    let action = |hook: UtHook, after, action| lh::UtActionTrigger {
        hook: hook.into(),
        delay_seconds: seconds(after),
        action: Some(action),
    };
    let release = UtaReassign { user_id: None, user_group: Some(constant("finance")) };
    let remind = UtaTask { task: Some(task("remind")), ..Default::default() };
    Kind::UserTask(lh::UserTaskNode {
        user_task_def_name: "approve".into(),
        user_id: Some(constant("amy")),
        actions: vec![
            action(UtHook::OnArrival, 6, Action::Cancel(UtaCancel {})),
            action(UtHook::OnTaskAssigned, 2, Action::Reassign(release)),
            action(UtHook::OnArrival, 1, Action::Task(remind)),
        ],
        ..Default::default()
    })
}

fn wf_spec() -> lh::PutWfSpecRequest {
    let started = lh::variable_assignment::NodeOutputReference { node_name: "2-watch".into() };
    let started = lh::wait_for_threads_node::ThreadToWaitFor { thread_run_number: from(Source::NodeOutput(started)) };
    let threads = lh::wait_for_threads_node::ThreadsToWaitFor { threads: vec![started] };
    let mut entrypoint = thread(vec![
        ("1-ship", Kind::Task(task("ship"))),
        ("2-watch", Kind::StartThread(lh::StartThreadNode { thread_spec_name: "watch".into(), ..Default::default() })),
        (
            "3-paid",
            Kind::ExternalEvent(lh::ExternalEventNode {
                external_event_def_id: event("paid"),
                timeout_seconds: seconds(4),
                ..Default::default()
            }),
        ),
        ("4-approve", approve()),
        (
            "5-wait",
            Kind::WaitForThreads(lh::WaitForThreadsNode {
                threads_to_wait_for: Some(lh::wait_for_threads_node::ThreadsToWaitForOneOf::Threads(threads)),
                ..Default::default()
            }),
        ),
    ]);
    entrypoint.interrupt_defs =
        vec![lh::InterruptDef { external_event_def_id: event("changed"), handler_spec_name: "changed".into() }];
    lh::PutWfSpecRequest {
        name: SPEC.into(),
        entrypoint_thread_name: "entrypoint".into(),
        thread_specs: BTreeMap::from([
            ("entrypoint".into(), entrypoint),
            ("watch".into(), thread(vec![("1-sleep", sleep(3))])),
            ("changed".into(), thread(vec![("1-sleep", sleep(1))])),
            ("handler".into(), thread(Vec::new())),
        ]),
        retention_policy: Some(lh::WorkflowRetentionPolicy {
            wf_gc_policy: Some(lh::workflow_retention_policy::WfGcPolicy::SecondsAfterWfTermination(20)),
        }),
        ..Default::default()
    }
}

impl Orders {
    pub fn new(random: Random) -> Self {
        let mut to_define: Vec<(_, Request)> = vec![(SPEC, wf_spec().into())];
        for name in TASKS {
            to_define.push((name, lh::PutTaskDefRequest { name: name.into(), ..Default::default() }.into()));
        }
        for name in EVENTS {
            to_define.push((name, lh::PutExternalEventDefRequest { name: name.into(), ..Default::default() }.into()));
        }
        Self { random, to_define, runs: Vec::new(), claimed: Vec::new(), given: 0 }
    }

    /// A run that is mostly young: old ones are finished.
    fn run(&mut self) -> lh::WfRunId {
        let young = self.runs.len().saturating_sub(4);
        let from = if self.random.chance(85) { &self.runs[young..] } else { &self.runs[..] };
        self.random.pick(from).clone()
    }

    /// The next request.
    pub fn request(&mut self) -> Request {
        if let Some((_, definition)) = self.to_define.last() {
            return definition.clone();
        }
        self.given += 1;
        let kind = self.random.below(100);
        if self.runs.is_empty() || kind < 12 {
            let id = Some(format!("order-{}", self.given));
            return lh::RunWfRequest { wf_spec_name: SPEC.into(), id, ..Default::default() }.into();
        }
        let wf_run_id = Some(self.run());
        match kind {
            12..32 => {
                let task_def_name = (*self.random.pick(&TASKS)).into();
                store::ClaimTask { task_def_name, task_worker_id: "worker".into(), ..Default::default() }.into()
            }
            32..52 => match self.claimed.is_empty() {
                false => self.report(),
                true => lh::StopWfRunRequest { wf_run_id, thread_run_number: 0 }.into(),
            },
            52..68 => {
                let name = EVENTS[usize::from(self.random.chance(30))];
                let content = Some(string("now"));
                lh::PutExternalEventRequest {
                    wf_run_id,
                    external_event_def_id: event(name),
                    content,
                    ..Default::default()
                }
                .into()
            }
            68..72 => lh::StopWfRunRequest { wf_run_id, thread_run_number: 0 }.into(),
            72..78 => lh::ResumeWfRunRequest { wf_run_id, thread_run_number: 0 }.into(),
            78..80 => lh::RescueThreadRunRequest {
                wf_run_id,
                thread_run_number: 0,
                skip_current_node: self.random.chance(50),
            }
            .into(),
            80..82 => lh::DeleteWfRunRequest { id: wf_run_id }.into(),
            _ => {
                let position = 4 + self.random.below(2);
                let user_task_run_id = Some(lh::UserTaskRunId { wf_run_id, user_task_guid: format!("0-{position}") });
                match self.random.chance(50) {
                    true => lh::AssignUserTaskRunRequest {
                        user_task_run_id,
                        override_claim: true,
                        user_group: None,
                        user_id: Some("bob".into()),
                    }
                    .into(),
                    false => lh::CompleteUserTaskRunRequest {
                        user_task_run_id,
                        results: results("fine"),
                        user_id: "bob".into(),
                    }
                    .into(),
                }
            }
        }
    }

    /// A report of something that was claimed: sometimes a failure, sometimes one that was made already.
    fn report(&mut self) -> Request {
        let at = self.random.below(self.claimed.len());
        let task = match self.random.chance(80) {
            true => self.claimed.swap_remove(at),
            false => self.claimed[at].clone(),
        };
        let status = if self.random.chance(70) { lh::TaskStatus::TaskSuccess } else { lh::TaskStatus::TaskFailed };
        lh::ReportTaskRun {
            task_run_id: task.task_run_id,
            attempt_number: task.attempt_number,
            status: status.into(),
            ..Default::default()
        }
        .into()
    }

    /// Learns from an answer.
    pub fn learn(&mut self, reply: &Reply) {
        match reply {
            Reply::WfRun(lh::WfRun { id: Some(id), wf_spec_id: Some(spec), .. })
                if spec.name == SPEC && !self.runs.contains(id) =>
            {
                self.runs.push(id.clone());
            }
            Reply::ClaimedTask(lh::PollTaskResponse { result: Some(task) }) => self.claimed.push(task.clone()),
            Reply::WfSpec(lh::WfSpec { id: Some(id), .. }) => self.defined(&id.name),
            Reply::TaskDef(lh::TaskDef { id: Some(id), .. }) => self.defined(&id.name),
            Reply::ExternalEventDef(lh::ExternalEventDef { id: Some(id), .. }) => self.defined(&id.name),
            _ => {}
        }
    }

    fn defined(&mut self, name: &str) {
        self.to_define.retain(|(missing, _)| *missing != name);
    }
}
