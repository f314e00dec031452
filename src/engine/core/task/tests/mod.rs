//! TaskRuns through the commands: what a node creates, what reports come to, what follows.

mod queue;
mod workers;

use prost_types::Timestamp;

use crate::api::{littlehorse as lh, store::v1 as store};
use crate::engine::core::testing::*;
use crate::engine::core::value::{Value, message};
use crate::engine::core::{Refusal, check, id, query};
use lh::node::Node as Kind;
use lh::report_task_run::Result as Reported;
use lh::task_attempt::Result as Outcome;
use lh::task_node::TaskToExecute;
use lh::{LhErrorType, LhStatus, TaskStatus as S, VariableType as T};

/// A task of a TaskDef, without inputs.
fn task(def: &str) -> lh::TaskNode {
    let id = lh::TaskDefId { name: def.into() };
    lh::TaskNode { task_to_execute: Some(TaskToExecute::TaskDefId(id)), ..Default::default() }
}

fn input(name: &str, kind: T) -> lh::VariableDef {
    lh::VariableDef { name: name.into(), type_def: Some(typed(kind)), ..Default::default() }
}

fn returns(kind: T) -> Option<lh::ReturnType> {
    Some(lh::ReturnType { return_type: Some(typed(kind)) })
}

fn id_of(run: &str, guid: &str) -> lh::TaskRunId {
    lh::TaskRunId { wf_run_id: Some(run_id(run)), task_guid: guid.into() }
}

/// A bench that knows the work of task workers.
struct Works(Bench);

impl Works {
    /// With a TaskDef `td` and a workflow `flow` of this one task, its output kept in `x`.
    fn with(inputs: &[lh::VariableDef], returned: Option<lh::ReturnType>, node: lh::TaskNode) -> Self {
        let mut works = Self(Bench::default());
        works.def("td", inputs, returned);
        works.flow("flow", node);
        works
    }

    fn def(&mut self, name: &str, inputs: &[lh::VariableDef], return_type: Option<lh::ReturnType>) {
        let input_vars = inputs.to_vec();
        self.0.must(lh::PutTaskDefRequest { name: name.into(), input_vars, return_type, description: None });
    }

    fn flow(&mut self, name: &str, node: lh::TaskNode) {
        let mut thread = with(chain(&[("task", Kind::Task(node))]), "task", |node| {
            let source = lh::variable_assignment::Source::NodeOutput(lh::variable_assignment::NodeOutputReference {
                node_name: "task".into(),
            });
            let output = lh::VariableAssignment { source: Some(source), ..Default::default() };
            let kept = mutation("x", lh::VariableMutationType::Assign, output);
            node.outgoing_edges[0].variable_mutations = vec![kept];
        });
        thread.variable_defs = vec![var_def("x", T::Int)];
        self.0.flow(name, &[("main", thread)]).unwrap();
    }

    fn run(&mut self, id: &str) -> lh::WfRun {
        self.0.run("flow", id, &[]).unwrap()
    }

    fn poll(&mut self, def: &str) -> Option<lh::ScheduledTask> {
        let request = store::ClaimTask {
            task_def_name: def.into(),
            task_worker_id: "worker".into(),
            task_worker_version: Some("v1".into()),
        };
        let response: lh::PollTaskResponse = self.0.must(request).try_into().unwrap();
        self.checked();
        response.result
    }

    fn report(&mut self, run: &str, attempt: i32, status: S, result: Option<Reported>) {
        let request = lh::ReportTaskRun {
            task_run_id: Some(id_of(run, "0-1")),
            time: Some(Timestamp { seconds: 77, nanos: 0 }),
            status: status.into(),
            attempt_number: attempt,
            result,
            ..Default::default()
        };
        self.0.must(request);
        self.checked();
    }

    fn task(&self, run: &str) -> lh::TaskRun {
        query::get_task_run(&self.0.state, "default", id_of(run, "0-1")).unwrap()
    }

    fn statuses(&self, run: &str) -> Vec<S> {
        self.task(run).attempts.iter().map(lh::TaskAttempt::status).collect()
    }

    fn checked(&self) {
        assert_eq!(check(&self.0.state), Ok(Vec::new()));
    }
}

fn output(value: Option<Value>) -> Option<Reported> {
    Some(Reported::Output(message(value)))
}

fn error(kind: LhErrorType, text: &str) -> Option<Reported> {
    Some(Reported::Error(lh::LhTaskError { r#type: kind.into(), message: text.into() }))
}

#[test]
fn a_task_is_scheduled_claimed_and_reported() {
    let node = lh::TaskNode { variables: vec![lit(i(5)), lit(i(7))], ..task("td") };
    let secret = lh::VariableDef {
        type_def: Some(lh::TypeDefinition { masked: true, ..typed(T::Int) }),
        ..input("secret", T::Int)
    };
    let mut works = Works::with(&[input("text", T::Str), secret], returns(T::Int), node);
    works.run("run");
    let scheduled_at = Some(id::timestamp(works.0.clock));
    works.checked();
    let task = works.task("run");
    assert_eq!((task.status(), task.total_attempts, task.timeout_seconds), (S::TaskScheduled, 1, 60));
    assert_eq!((task.scheduled_at, task.attempts[0].schedule_time), (scheduled_at, scheduled_at));
    let node_run_id = works.0.node_run("run", 0, 1).id;
    let reference = lh::TaskNodeReference { node_run_id };
    let source = lh::TaskRunSource {
        task_run_source: Some(lh::task_run_source::TaskRunSource::TaskNode(reference)),
        wf_spec_id: None,
    };
    assert_eq!(task.source.as_ref(), Some(&source));
    let shown: Vec<_> = task.input_variables.iter().map(|v| v.value.clone().unwrap().value).collect();
    assert_eq!(shown, [s("5"), s("*****")], "cast to the declared type, and masked");
    assert_eq!(works.poll("other"), None);
    let got = works.poll("td").unwrap();
    assert_eq!((got.task_run_id.as_ref(), got.attempt_number), (Some(&id_of("run", "0-1")), 0));
    assert_eq!((got.source, got.created_at), (Some(source), scheduled_at));
    let given: Vec<_> = got.variables.iter().map(|v| v.value.clone().unwrap().value).collect();
    assert_eq!(given, [s("5"), i(7)], "its worker sees all");
    assert_eq!(works.poll("td"), None, "a task is given to one worker only");
    let attempt = works.task("run").attempts[0].clone();
    assert_eq!((attempt.status(), attempt.task_worker_id.as_str()), (S::TaskRunning, "worker"));
    assert_eq!((attempt.task_worker_version, attempt.end_time), (Some("v1".to_owned()), None));
    works.report("run", 0, S::TaskSuccess, output(i(42)));
    assert_eq!(works.0.variable("run", "x"), i(42));
    let attempt = works.task("run").attempts[0].clone();
    assert_eq!(attempt.end_time, Some(Timestamp { seconds: 77, nanos: 0 }), "when the worker says");
    assert_eq!(works.0.wf_run("run").unwrap().status(), LhStatus::Completed);
    assert_eq!(works.0.timers(), 0, "its deadline is gone");
}

/// The row of attempt statuses in the specification: what the attempt becomes, and what the node fails with.
#[test]
fn a_report_comes_to_what_its_row_says() {
    let exception = |name: &str| {
        let content = Some(message(i(3)));
        Some(Reported::Exception(lh::LhTaskException { name: name.into(), message: "none left".into(), content }))
    };
    let serde = ("VAR_MUTATION_ERROR", "Failed serializing or deserializing Task Output");
    let incompatible = "Task output incompatible with declared return type: \
                        Value of type STR is not compatible with expected type INT";
    let text = |text: &str| Some(Value::JsonObj(text.into()));
    let (ok, failed) = (("", ""), ("TASK_FAILURE", "Task execution failed"));
    for (status, result, end, failure, said) in [
        (S::TaskSuccess, output(i(1)), S::TaskSuccess, ok, ""),
        (S::TaskSuccess, output(None), S::TaskSuccess, ok, ""),
        (S::TaskSuccess, None, S::TaskSuccess, ok, ""),
        (S::TaskSuccess, output(s("text")), S::TaskOutputSerdeError, serde, incompatible),
        (S::TaskSuccess, output(text("{broken")), S::TaskOutputSerdeError, serde, "Error deserializing JSON Obj"),
        (
            S::TaskSuccess,
            output(Some(Value::JsonArr("[".into()))),
            S::TaskOutputSerdeError,
            serde,
            "Error deserializing JSON Arr",
        ),
        (S::TaskFailed, error(LhErrorType::TaskFailure, "it broke"), S::TaskFailed, failed, "it broke"),
        (S::TaskFailed, None, S::TaskFailed, failed, ""),
        (S::TaskTimeout, None, S::TaskTimeout, ("TIMEOUT", "Task timed out"), ""),
        (S::TaskOutputSerdeError, None, S::TaskOutputSerdeError, serde, ""),
        (
            S::TaskInputVarSubError,
            error(LhErrorType::VarSubError, "bad input"),
            S::TaskInputVarSubError,
            ("VAR_SUB_ERROR", "Failed calculating Task Input Variables"),
            "bad input",
        ),
        (S::TaskException, exception("no-stock"), S::TaskException, ("no-stock", "none left"), ""),
        (
            S::TaskException,
            exception(""),
            S::TaskException,
            ("TASK_FAILURE", "Task threw an exception without a name"),
            "",
        ),
    ] {
        let mut works = Works::with(&[], returns(T::Int), task("td"));
        works.run("run");
        works.poll("td").unwrap();
        works.report("run", 0, status, result.clone());
        let attempt = works.task("run").attempts.pop().unwrap();
        assert_eq!((attempt.status(), works.task("run").status()), (end, end), "{status:?} {result:?}");
        let told = match &attempt.result {
            Some(Outcome::Error(error)) => error.message.as_str(),
            _ => "",
        };
        assert_eq!(told, said, "{status:?} {result:?}");
        let node = works.0.node_run("run", 0, 1);
        let failures = node.failures.iter().map(|f| (f.failure_name.as_str(), f.message.as_str()));
        let wanted: Vec<_> = Some(failure).filter(|failure| !failure.0.is_empty()).into_iter().collect();
        assert_eq!(failures.collect::<Vec<_>>(), wanted, "{status:?} {result:?}");
        if let Some(failure) = node.failures.first()
            && failure.failure_name == "no-stock"
        {
            assert_eq!(failure.content.clone().unwrap().value, i(3));
        }
    }
}

#[test]
fn a_void_task_may_return_anything_and_it_is_seen() {
    let mut works = Works::with(&[], None, task("td"));
    works.run("run");
    works.poll("td").unwrap();
    works.report("run", 0, S::TaskSuccess, output(i(9)));
    assert_eq!(works.0.variable("run", "x"), i(9));
}

#[test]
fn a_masked_output_is_seen_by_the_workflow_alone() {
    let masked = lh::TypeDefinition { masked: true, ..typed(T::Int) };
    let mut works = Works::with(&[], Some(lh::ReturnType { return_type: Some(masked) }), task("td"));
    works.run("run");
    works.poll("td").unwrap();
    works.report("run", 0, S::TaskSuccess, output(i(42)));
    let attempt = works.task("run").attempts.pop().unwrap();
    assert_eq!((attempt.result, attempt.masked_value), (Some(Outcome::Output(message(s("*****")))), true));
    assert_eq!(works.0.variable("run", "x"), i(42));
}

#[test]
fn what_is_not_running_takes_no_report() {
    let mut works = Works::with(&[], returns(T::Int), lh::TaskNode { retries: 1, ..task("td") });
    works.run("run");
    let before = works.0.state.clone();
    works.report("run", 0, S::TaskSuccess, output(i(1)));
    works.report("absent", 0, S::TaskSuccess, output(i(1)));
    assert!(works.0.state == before, "not claimed yet, or not there at all");
    works.poll("td").unwrap();
    for attempt in [-1, 1, i32::MAX] {
        works.report("run", attempt, S::TaskSuccess, output(i(1)));
        assert_eq!(works.statuses("run"), [S::TaskRunning], "{attempt}");
    }
    works.report("run", 0, S::TaskFailed, None);
    works.report("run", 0, S::TaskSuccess, output(i(1)));
    assert_eq!(works.statuses("run"), [S::TaskFailed, S::TaskScheduled], "a repeated report");
    works.poll("td").unwrap();
    works.report("run", 0, S::TaskSuccess, output(i(1)));
    works.report("run", 1, S::TaskSuccess, output(i(2)));
    works.report("run", 1, S::TaskFailed, None);
    assert_eq!(works.statuses("run"), [S::TaskFailed, S::TaskSuccess]);
    assert_eq!(works.0.variable("run", "x"), i(2));
    for status in [S::TaskScheduled, S::TaskRunning, S::TaskPending] {
        let task_run_id = Some(id_of("run", "0-1"));
        let report = lh::ReportTaskRun { task_run_id, status: status.into(), ..Default::default() };
        assert_eq!(works.0.give(report).map_err(|refusal| refusal.code), Err(tonic::Code::InvalidArgument));
    }
}

#[test]
fn a_failed_attempt_is_followed_by_another_at_once() {
    let mut works = Works::with(&[], returns(T::Int), lh::TaskNode { retries: 2, ..task("td") });
    works.run("run");
    for attempt in 0..3 {
        assert_eq!(works.0.wf_run("run").unwrap().status(), LhStatus::Running);
        assert_eq!(works.poll("td").unwrap().attempt_number, attempt);
        works.report("run", attempt, S::TaskFailed, error(LhErrorType::TaskFailure, &format!("no {attempt}")));
    }
    assert_eq!(works.statuses("run"), [S::TaskFailed; 3]);
    assert_eq!(works.0.wf_run("run").unwrap().status(), LhStatus::Error);
    assert_eq!(works.poll("td"), None);
    // An exception is what the task has to say: nothing to retry.
    works.run("thrown");
    works.poll("td").unwrap();
    let exception = lh::LhTaskException { name: "my-exn".into(), message: "stop".into(), content: None };
    works.report("thrown", 0, S::TaskException, Some(Reported::Exception(exception)));
    assert_eq!(works.statuses("thrown"), [S::TaskException]);
    assert_eq!(works.0.wf_run("thrown").unwrap().status(), LhStatus::Exception);
}

#[test]
fn backoff_waits_longer_each_time_up_to_its_limit() {
    let policy = lh::ExponentialBackoffRetryPolicy { base_interval_ms: 1000, multiplier: 2.0, max_delay_ms: 3000 };
    let node = lh::TaskNode { retries: 4, exponential_backoff: Some(policy), ..task("td") };
    let mut works = Works::with(&[], returns(T::Int), node);
    works.run("run");
    for (attempt, wait) in [1000, 2000, 3000, 3000].into_iter().enumerate() {
        let attempt = i32::try_from(attempt).unwrap();
        works.poll("td").unwrap();
        works.report("run", attempt, S::TaskFailed, None);
        let task = works.task("run");
        assert_eq!((task.status(), task.attempts.last().unwrap().schedule_time), (S::TaskPending, None));
        works.0.pass(wait - 1);
        assert_eq!(works.task("run").status(), S::TaskPending, "never early");
        works.0.pass(1);
        assert_eq!(works.task("run").status(), S::TaskScheduled, "attempt {attempt}");
        works.checked();
    }
    works.poll("td").unwrap();
    works.report("run", 4, S::TaskSuccess, output(i(1)));
    assert_eq!(works.0.wf_run("run").unwrap().status(), LhStatus::Completed);
}

#[test]
fn time_runs_from_the_claim_and_for_each_attempt() {
    let node = lh::TaskNode { timeout_seconds: 10, retries: 1, ..task("td") };
    let mut works = Works::with(&[], returns(T::Int), node);
    works.run("run");
    works.0.pass(1_000_000);
    assert_eq!(works.statuses("run"), [S::TaskScheduled], "nobody took it yet");
    works.poll("td").unwrap();
    works.0.pass(9_999);
    assert_eq!(works.statuses("run"), [S::TaskRunning]);
    works.0.pass(1);
    assert_eq!(works.statuses("run"), [S::TaskTimeout, S::TaskScheduled]);
    let attempt = works.task("run").attempts[0].clone();
    assert_eq!((attempt.end_time, attempt.result), (Some(id::timestamp(works.0.clock)), None));
    works.report("run", 0, S::TaskSuccess, output(i(1)));
    assert_eq!(works.statuses("run"), [S::TaskTimeout, S::TaskScheduled], "too late");
    works.poll("td").unwrap();
    works.0.pass(10_000);
    assert_eq!(works.statuses("run"), [S::TaskTimeout, S::TaskTimeout]);
    let run = works.0.wf_run("run").unwrap();
    assert_eq!((run.status(), run.thread_runs[0].error_message.as_deref()), (LhStatus::Error, Some("Task timed out")));
    assert_eq!(works.0.timers(), 0);
}

#[test]
fn results_that_are_too_large_end_the_task_and_are_not_kept() {
    let large = "x".repeat(600_000);
    for (variables, reported, log) in [
        (vec![], Some(Value::Str("x".repeat(1_047_000))), None),
        (vec![], Some(Value::Str(large.clone())), Some(message(s(&large)))),
        (vec![lit(s(&large))], Some(Value::Str(large.clone())), None),
    ] {
        let inputs: Vec<_> = variables.iter().map(|_| input("in", T::Str)).collect();
        let mut works = Works::with(&inputs, None, lh::TaskNode { variables, retries: 3, ..task("td") });
        works.run("run");
        works.poll("td").unwrap();
        let report = lh::ReportTaskRun {
            task_run_id: Some(id_of("run", "0-1")),
            status: S::TaskSuccess.into(),
            log_output: log,
            result: output(reported),
            ..Default::default()
        };
        works.0.must(report);
        let attempt = works.task("run").attempts.pop().unwrap();
        let Some(Outcome::Error(ref error)) = attempt.result else { panic!("{:?}", attempt.status()) };
        assert_eq!((attempt.status(), error.r#type()), (S::TaskOutputSerdeError, LhErrorType::TaskError));
        assert!(error.message.contains("RESOURCE_EXHAUSTED"), "{}", error.message);
        assert_eq!(attempt.log_output, None);
        let failure = works.0.node_run("run", 0, 1).failures.pop().unwrap();
        assert_eq!(failure.failure_name, "VAR_MUTATION_ERROR");
    }
}

#[test]
fn an_arrival_that_fails_creates_no_task() {
    let dynamic = |name| lh::TaskNode {
        task_to_execute: Some(TaskToExecute::DynamicTask(name)),
        variables: vec![var("y")],
        ..Default::default()
    };
    let inputs = "Failed calculating TaskRun Input Vars: ";
    let mismatch = format!("{inputs}Value of type DOUBLE is not compatible with expected type INT");
    let count = format!("{inputs}For TaskDef none we need 0 input vars, but we have 1");
    let large = format!("{inputs}the TaskRun would have");
    for (node, y, name, text) in [
        (dynamic(lit(s("absent"))), i(1), "VAR_SUB_ERROR", "Failed calculating dynamic task: No TaskDef named absent!"),
        (dynamic(lit(None)), i(1), "VAR_SUB_ERROR", "Failed calculating dynamic task: No TaskDef named null!"),
        (dynamic(lit(s("one"))), Some(Value::Double(12.5)), "VAR_SUB_ERROR", mismatch.as_str()),
        (dynamic(lit(s("none"))), i(1), "VAR_SUB_ERROR", count.as_str()),
        (dynamic(lit(s("text"))), s(&"x".repeat(1_046_990)), "VAR_SUB_ERROR", large.as_str()),
        (task("gone"), i(1), "TASK_ERROR", "Appears that TaskDef was deleted!"),
    ] {
        let mut works = Works(Bench::default());
        works.def("none", &[], None);
        works.def("one", &[input("a", T::Int)], None);
        works.def("text", &[input("a", T::Str)], None);
        works.def("gone", &[], None);
        let kind = match y {
            Some(Value::Double(_)) => T::Double,
            Some(Value::Str(_)) => T::Str,
            _ => T::Int,
        };
        let mut thread = chain(&[("task", Kind::Task(node))]);
        thread.variable_defs = vec![var_def("y", kind)];
        works.0.flow("flow", &[("main", thread)]).unwrap();
        works.0.must(lh::DeleteTaskDefRequest { id: Some(lh::TaskDefId { name: "gone".into() }) });
        works.0.run("flow", "run", &[("y", y)]).unwrap();
        works.checked();
        let node_run = works.0.node_run("run", 0, 1);
        let failure = node_run.failures.first().unwrap();
        assert_eq!(failure.failure_name, name);
        assert!(failure.message.starts_with(text), "{} is not {text}", failure.message);
        let Some(lh::node_run::NodeType::Task(refers)) = node_run.node_type else { panic!() };
        assert_eq!(refers.task_run_id, None);
        let list = lh::ListTaskRunsRequest { wf_run_id: Some(run_id("run")), ..Default::default() };
        assert_eq!(query::list_task_runs(&works.0.state, "default", list), Ok(lh::TaskRunList::default()));
    }
}

#[test]
fn a_dynamic_task_runs_and_null_passes_as_any_input() {
    let node = lh::TaskNode {
        task_to_execute: Some(TaskToExecute::DynamicTask(lit(s("td")))),
        variables: vec![lit(None)],
        timeout_seconds: 5,
        ..Default::default()
    };
    let mut works = Works::with(&[input("a", T::Int)], None, node);
    works.run("run");
    let got = works.poll("td").unwrap();
    assert_eq!(got.variables[0].value, Some(message(None)));
    assert_eq!(works.task("run").timeout_seconds, 5);
}

#[test]
fn a_thread_at_a_task_halts_when_the_task_has_ended() {
    let mut works = Works::with(&[], returns(T::Int), lh::TaskNode { retries: 1, ..task("td") });
    works.run("run");
    works.poll("td").unwrap();
    works.0.must(lh::StopWfRunRequest { wf_run_id: Some(run_id("run")), thread_run_number: 0 });
    let thread = |works: &Works| works.0.wf_run("run").unwrap().thread_runs[0].status();
    assert_eq!(thread(&works), LhStatus::Halting);
    works.report("run", 0, S::TaskFailed, None);
    assert_eq!(thread(&works), LhStatus::Halting, "it is tried again");
    works.poll("td").unwrap();
    works.report("run", 1, S::TaskSuccess, output(i(4)));
    assert_eq!(thread(&works), LhStatus::Halted);
    works.0.must(lh::ResumeWfRunRequest { wf_run_id: Some(run_id("run")), thread_run_number: 0 });
    assert_eq!((thread(&works), works.0.variable("run", "x")), (LhStatus::Completed, i(4)));
}

#[test]
fn task_defs_are_immutable_and_their_names_are_free_after_deletion() {
    let mut bench = Bench::default();
    let request = lh::PutTaskDefRequest {
        name: "td".into(),
        input_vars: vec![lh::VariableDef { name: "a".into(), r#type: Some(T::Str.into()), ..Default::default() }],
        return_type: returns(T::Int),
        description: Some("first".into()),
    };
    let first: lh::TaskDef = bench.must(request.clone()).try_into().unwrap();
    assert_eq!(first.input_vars, [input("a", T::Str)], "in the form that replies have");
    assert_eq!(bench.must(request.clone()).try_into(), Ok(first.clone()));
    let exists = Refusal::exists("TaskDef [td] already exists and is immutable.");
    for other in [
        lh::PutTaskDefRequest { description: None, ..request.clone() },
        lh::PutTaskDefRequest { input_vars: vec![], ..request.clone() },
        lh::PutTaskDefRequest { return_type: None, ..request.clone() },
    ] {
        assert_eq!(bench.give(other), Err(exists.clone()));
    }
    assert_eq!(
        bench.give(lh::PutTaskDefRequest { name: "a_b".into(), ..request }),
        Err(Refusal::invalid("TaskDefName must be a valid hostname"))
    );
    let find = |bench: &Bench| {
        let all = query::search_task_def(&bench.state, "default", lh::SearchTaskDefRequest::default()).unwrap();
        all.results.into_iter().map(|id| id.name).collect::<Vec<_>>()
    };
    assert_eq!(find(&bench), ["td"]);
    let delete = lh::DeleteTaskDefRequest { id: first.id };
    bench.must(delete.clone());
    assert_eq!(find(&bench), Vec::<String>::new());
    assert_eq!(bench.give(delete), Err(Refusal::not_found("Couldn't find provided TaskDefModel")));
    let void: lh::TaskDef =
        bench.must(lh::PutTaskDefRequest { name: "td".into(), ..Default::default() }).try_into().unwrap();
    assert_eq!(void.return_type, Some(lh::ReturnType { return_type: None }));
}
