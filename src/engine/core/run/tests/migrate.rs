//! Migration plans: what they may say, and what they do to threads.

use crate::api::littlehorse as lh;
use crate::engine::core::testing::*;
use crate::engine::core::value::message;
use crate::engine::core::{Refusal, check, query};
use lh::node::Node;
use lh::{LhStatus, UserTaskRunStatus as Status, VariableType as T};
use tonic::Code;

fn ask(user: &str) -> Node {
    Node::UserTask(user_task(Some(lit(s(user))), None))
}

fn plan(name: &str, nodes: &[(&str, &str)]) -> lh::PutWorkflowMigrationPlanRequest {
    let node = |new: &str| lh::NodeMigrationPlan { new_node_name: new.into() };
    let node_migrations = nodes.iter().map(|(old, new)| ((*old).to_owned(), node(new))).collect();
    let thread = lh::ThreadMigrationPlanRequest { new_thread_name: "main".into(), node_migrations };
    lh::PutWorkflowMigrationPlanRequest {
        name: name.into(),
        old_wf_spec: Some(lh::WfSpecId { name: "flow".into(), ..Default::default() }),
        major_version: 0,
        revision: 1,
        thread_migrations: [("main".to_owned(), thread)].into(),
    }
}

fn apply(
    bench: &mut Bench,
    plan: &str,
    run: &str,
    values: &[(&str, lh::VariableAssignment)],
) -> Result<lh::WfRun, Refusal> {
    let values = values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let vars = lh::MigrationVars { var_assignment_by_var_name: values };
    let request = lh::ApplyWorkflowMigrationPlanRequest {
        id: Some(lh::WorkflowMigrationPlanId { name: plan.into() }),
        wf_run_id: Some(run_id(run)),
        migration_vars_by_thread: [("main".to_owned(), vars)].into(),
    };
    bench.give(request)?.try_into()
}

/// Two versions of `flow`, two tasks in a row each; `run` waits on the first task of the old one.
fn begun() -> Bench {
    let mut bench = Bench::default();
    bench.form("form", &[]);
    bench.flow("flow", &[("main", chain(&[("first", ask("ann")), ("second", ask("bob"))]))]).unwrap();
    bench.run("flow", "run", &[]).unwrap();
    let mut thread = chain(&[("one", ask("zoe")), ("two", ask("yan"))]);
    thread.variable_defs = vec![var_def("need", T::Str)];
    bench.flow("flow", &[("main", thread)]).unwrap();
    bench
}

#[test]
fn a_thread_that_waits_on_a_planned_node_moves_at_once() {
    let mut bench = begun();
    bench.must(plan("plan", &[("first", "one")]));
    let run = apply(&mut bench, "plan", "run", &[("need", lit(s("v")))]).unwrap();
    let (old, new) = (lh::WfSpecId { name: "flow".into(), ..Default::default() }, 1);
    let new = lh::WfSpecId { revision: new, ..old.clone() };
    assert_eq!((run.wf_spec_id.as_ref(), &run.old_wf_spec_versions), (Some(&new), &vec![old.clone()]));
    assert_eq!(run.workflow_migration_plan_id, None, "it is done");
    assert_eq!((run.thread_runs[0].current_node_position, &run.thread_runs[0].wf_spec_id), (2, &Some(new.clone())));
    let left = bench.node_run("run", 0, 1);
    assert_eq!((left.status(), left.wf_spec_id), (LhStatus::Halted, Some(old)));
    assert_eq!(bench.task(&task_id("run", "0-1")).unwrap().status(), Status::Cancelled);
    let arrived = bench.node_run("run", 0, 2);
    assert_eq!((arrived.node_name.as_str(), arrived.wf_spec_id), ("one", Some(new)));
    assert_eq!(bench.variable("run", "need"), s("v"));
    let again = apply(&mut bench, "plan", "run", &[]).unwrap();
    assert_eq!(again.thread_runs, run.thread_runs, "there is nothing left to move");
    bench.complete(&task_id("run", "0-2"), "zoe", &[]).unwrap();
    bench.complete(&task_id("run", "0-3"), "yan", &[]).unwrap();
    assert_eq!(bench.wf_run("run").unwrap().status(), LhStatus::Completed);
    assert_eq!(check(&bench.state), Ok(Vec::new()));
}

/// Two versions of `flow` that declare `place`, searchable or not; `run` began with the old one and a value.
fn begun_with_place(old: bool, new: bool) -> Bench {
    let mut bench = Bench::default();
    bench.form("form", &[]);
    for (searchable, node) in [(old, "first"), (new, "one")] {
        let mut thread = chain(&[(node, ask("ann"))]);
        thread.variable_defs = vec![lh::ThreadVarDef { searchable, ..var_def("place", T::Str) }];
        bench.flow("flow", &[("main", thread)]).unwrap();
        if node == "first" {
            bench.run("flow", "run", &[("place", s("here"))]).unwrap();
        }
    }
    bench.must(plan("plan", &[("first", "one")]));
    bench
}

#[test]
fn what_a_migration_gives_to_a_variable_is_found_as_the_new_version_says() {
    for (old, new) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut bench = begun_with_place(old, new);
        apply(&mut bench, "plan", "run", &[("place", lit(s("there")))]).unwrap();
        assert_eq!(bench.variable("run", "place"), s("there"));
        assert_eq!(check(&bench.state), Ok(Vec::new()), "searchable {old}, then {new}");
        let found = |value: &str| {
            let request = lh::SearchVariableRequest {
                value: Some(message(s(value))),
                wf_spec_name: "flow".into(),
                var_name: "place".into(),
                ..Default::default()
            };
            query::search_variable(&bench.state, "default", request).map_or(0, |page| page.results.len())
        };
        assert_eq!((found("here"), found("there")), (0, usize::from(new)), "searchable {old}, then {new}");
    }
}

#[test]
fn a_thread_moves_where_it_arrives_next_and_a_stopped_one_when_it_goes_on() {
    let mut bench = begun();
    bench.must(plan("later", &[("second", "two")]));
    let run = apply(&mut bench, "later", "run", &[]).unwrap();
    assert_eq!(run.workflow_migration_plan_id.map(|id| id.name), Some("later".into()));
    let busy = Refusal::precondition("A migration is already in progress for WfRun run");
    assert_eq!(apply(&mut bench, "later", "run", &[]), Err(busy));
    bench.complete(&task_id("run", "0-1"), "ann", &[]).unwrap();
    let run = bench.wf_run("run").unwrap();
    assert_eq!((run.workflow_migration_plan_id, run.wf_spec_id.unwrap().revision), (None, 1));
    assert_eq!(bench.task(&task_id("run", "0-2")).unwrap().user_id.as_deref(), Some("yan"));

    let mut bench = begun();
    bench.must(plan("plan", &[("first", "one")]));
    bench.must(lh::StopWfRunRequest { wf_run_id: Some(run_id("run")), thread_run_number: 0 });
    let run = apply(&mut bench, "plan", "run", &[]).unwrap();
    assert_eq!((run.status(), run.thread_runs[0].current_node_position), (LhStatus::Halted, 1));
    bench.must(lh::ResumeWfRunRequest { wf_run_id: Some(run_id("run")), thread_run_number: 0 });
    assert_eq!(bench.wf_run("run").unwrap().thread_runs[0].current_node_position, 2);
    assert_eq!(check(&bench.state), Ok(Vec::new()));
}

#[test]
fn plans_and_their_uses_are_checked() {
    let mut bench = begun();
    let with = |change: &dyn Fn(&mut lh::PutWorkflowMigrationPlanRequest)| {
        let mut request = plan("plan", &[("first", "one")]);
        change(&mut request);
        request
    };
    let threads = |bench: &lh::PutWorkflowMigrationPlanRequest| bench.thread_migrations["main"].clone();
    for (request, code, text) in [
        (with(&|plan| plan.revision = 9), Code::NotFound, "Destination WfSpec flow/00000/00009 does not exist"),
        (
            with(&|plan| plan.thread_migrations.clear()),
            Code::InvalidArgument,
            "threadMigrations cannot be null or empty",
        ),
        (
            with(&|plan| plan.thread_migrations = [("x".to_owned(), threads(plan))].into()),
            Code::InvalidArgument,
            "Source WfSpec has no threadSpec x",
        ),
        (
            with(&|plan| plan.thread_migrations.get_mut("main").unwrap().new_thread_name = "x".into()),
            Code::InvalidArgument,
            "Destination WfSpec has no threadSpec x",
        ),
        (plan("plan", &[("x", "one")]), Code::InvalidArgument, "ThreadSpec main on source WfSpec does not have node x"),
        (
            plan("plan", &[("first", "x")]),
            Code::InvalidArgument,
            "ThreadSpec main on destination WfSpec does not have node x",
        ),
        (
            plan("plan", &[("start", "start")]),
            Code::InvalidArgument,
            "Cannot migrate from node start on source thread main because ENTRYPOINT nodes are not migratable",
        ),
        (
            plan("plan", &[("first", "end")]),
            Code::InvalidArgument,
            "Cannot migrate to node end on destination thread main because EXIT nodes are not migratable",
        ),
    ] {
        assert_eq!(bench.give(request).map(drop), Err(Refusal::new(code, text)));
    }
    bench.must(plan("plan", &[("first", "one")]));
    let ghost = "Migration variable 'ghost' is not in scope of destination thread 'main'";
    assert_eq!(apply(&mut bench, "plan", "run", &[("ghost", lit(s("v")))]), Err(Refusal::invalid(ghost)));
    let nope = Refusal::not_found("Couldn't find WorkflowMigrationPlan nope");
    assert_eq!(apply(&mut bench, "nope", "run", &[]), Err(nope));
    assert_eq!(apply(&mut bench, "plan", "nope", &[]), Err(Refusal::not_found("Couldn't find WfRun nope")));
    let wrong = lh::VariableAssignment { target_type: Some(typed(T::Int)), ..lit(s("x")) };
    let run = apply(&mut bench, "plan", "run", &[("need", wrong)]).unwrap();
    assert_eq!(run.status(), LhStatus::Error);
    let failure = &bench.node_run("run", 0, 1).failures[0];
    assert_eq!(failure.failure_name, "VAR_SUB_ERROR");
    assert!(failure.message.starts_with("Failed applying migration variable 'need': "), "{}", failure.message);
    let ended = Refusal::precondition("WfRun run has status ERROR and cannot be migrated");
    assert_eq!(apply(&mut bench, "plan", "run", &[]), Err(ended));
}
