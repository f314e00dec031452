//! Migration plans for several threads: which of them goes first, and which values are whose.

use super::threads::start;
use super::*;
use crate::engine::core::{check, query};
use lh::VariableType as T;

fn ask(user: lh::VariableAssignment) -> Kind {
    Kind::UserTask(user_task(Some(user), None))
}

fn declaring(mut thread: lh::ThreadSpec, name: &str) -> lh::ThreadSpec {
    thread.variable_defs.push(var_def(name, T::Str));
    thread
}

/// A plan from the first version of `flow` to its second; threads and nodes keep their names.
fn plan(threads: &[(&str, &[&str])]) -> lh::PutWorkflowMigrationPlanRequest {
    let thread = |(name, nodes): &(&str, &[&str])| {
        let node = |node: &&str| ((*node).to_owned(), lh::NodeMigrationPlan { new_node_name: (*node).to_owned() });
        let node_migrations = nodes.iter().map(node).collect();
        let planned = lh::ThreadMigrationPlanRequest { new_thread_name: (*name).to_owned(), node_migrations };
        ((*name).to_owned(), planned)
    };
    lh::PutWorkflowMigrationPlanRequest {
        name: "plan".into(),
        old_wf_spec: Some(lh::WfSpecId { name: "flow".into(), ..Default::default() }),
        major_version: 0,
        revision: 1,
        thread_migrations: threads.iter().map(thread).collect(),
    }
}

fn apply(bench: &mut Bench, values: &[(&str, &str, lh::VariableAssignment)]) -> Result<lh::WfRun, Refusal> {
    let of = |(thread, variable, value): &(&str, &str, lh::VariableAssignment)| {
        let values = [((*variable).to_owned(), value.clone())].into();
        ((*thread).to_owned(), lh::MigrationVars { var_assignment_by_var_name: values })
    };
    let request = lh::ApplyWorkflowMigrationPlanRequest {
        id: Some(lh::WorkflowMigrationPlanId { name: "plan".into() }),
        wf_run_id: Some(run_id("run")),
        migration_vars_by_thread: values.iter().map(of).collect(),
    };
    bench.give(request)?.try_into()
}

fn revisions(run: &lh::WfRun) -> Vec<i32> {
    run.thread_runs.iter().map(|thread| thread.wf_spec_id.as_ref().unwrap().revision).collect()
}

/// `main` starts `kid`, then asks twice; `kid` asks once. In the second version of `flow`, `kid` asks whom `need` of
/// `main` names.
fn begun() -> Bench {
    let mut bench = Bench::default();
    bench.form("form", &[]);
    let main = chain(&[("kid", start("kid")), ("first", ask(lit(s("ann")))), ("second", ask(lit(s("bob"))))]);
    let kid = |user| chain(&[("work", ask(user))]);
    bench.flow("flow", &[("main", main.clone()), ("kid", kid(lit(s("cid"))))]).unwrap();
    bench.run("flow", "run", &[]).unwrap();
    bench.flow("flow", &[("main", declaring(main, "need")), ("kid", kid(var("need")))]).unwrap();
    bench
}

#[test]
fn a_thread_waits_until_the_one_that_will_have_its_variable_has_moved() {
    let mut bench = begun();
    let plan: lh::WorkflowMigrationPlan =
        bench.must(plan(&[("main", &["second"]), ("kid", &["work"])])).try_into().unwrap();
    assert_eq!(plan.thread_migrations["kid"].thread_spec_dependencies, ["main"]);
    assert!(plan.thread_migrations["main"].thread_spec_dependencies.is_empty());
    let run = apply(&mut bench, &[("main", "need", lit(s("zoe")))]).unwrap();
    assert_eq!(revisions(&run), [0, 0], "there is no `need` yet");
    bench.complete(&task_id("run", "0-2"), "ann", &[]).unwrap();
    let run = bench.wf_run("run").unwrap();
    assert_eq!((revisions(&run), run.workflow_migration_plan_id), (vec![1, 1], None));
    assert_eq!(bench.task(&task_id("run", "1-2")).unwrap().user_id.as_deref(), Some("zoe"));
    assert_eq!(check(&bench.state), Ok(Vec::new()));
}

#[test]
fn a_variable_that_no_thread_would_have_refuses_the_plan() {
    let text = "The variable 'need' is required by destination thread 'kid', but after the migration neither the \
                thread nor one above it would have it";
    let refused = Err(Refusal::precondition(text));
    assert_eq!(begun().give(plan(&[("kid", &["work"])])).map(drop), refused);
    // What a thread had before it moved is there after it, too.
    let mut bench = Bench::default();
    bench.form("form", &[]);
    let main = declaring(chain(&[("kid", start("kid")), ("first", ask(lit(s("ann"))))]), "need");
    let kid = |user| chain(&[("work", ask(user))]);
    bench.flow("flow", &[("main", main.clone()), ("kid", kid(lit(s("cid"))))]).unwrap();
    bench.flow("flow", &[("main", main), ("kid", kid(var("need")))]).unwrap();
    let plan: lh::WorkflowMigrationPlan = bench.must(plan(&[("kid", &["work"])])).try_into().unwrap();
    assert!(plan.thread_migrations["kid"].thread_spec_dependencies.is_empty());
}

#[test]
fn a_migration_ends_with_the_last_thread_of_the_old_version() {
    let mut bench = begun();
    bench.must(plan(&[("main", &["first"])]));
    let run = apply(&mut bench, &[]).unwrap();
    assert_eq!(revisions(&run), [1, 0]);
    assert!(run.workflow_migration_plan_id.is_some(), "`kid` still is of the old version");
    bench.complete(&task_id("run", "1-1"), "cid", &[]).unwrap();
    assert_eq!(bench.wf_run("run").unwrap().workflow_migration_plan_id, None);
    let again = apply(&mut bench, &[]).unwrap();
    assert_eq!(again.workflow_migration_plan_id, None, "there is nothing left to move");
}

#[test]
fn a_thread_that_never_goes_on_holds_no_migration_up() {
    use super::threads::wait_for;
    let mut bench = Bench::default();
    bench.form("form", &[]);
    let wait = wait_for(&[lit(i(1)), lit(i(2))], lh::WaitForThreadsStrategy::WaitForFirst);
    let nodes = [("k1", start("kid")), ("k2", start("kid")), ("wait", Kind::WaitForThreads(wait))];
    let main = chain(&[&nodes[..], &[("first", ask(lit(s("ann"))))]].concat());
    let kid = chain(&[("work", ask(lit(s("cid"))))]);
    bench.flow("flow", &[("main", main.clone()), ("kid", kid.clone())]).unwrap();
    bench.run("flow", "run", &[]).unwrap();
    bench.flow("flow", &[("main", declaring(main, "more")), ("kid", kid)]).unwrap();
    bench.complete(&task_id("run", "1-1"), "cid", &[]).unwrap();
    assert_eq!(bench.wf_run("run").unwrap().thread_runs[2].status(), LhStatus::Halted, "`main` needs it no more");
    bench.must(plan(&[("main", &["first"])]));
    let run = apply(&mut bench, &[]).unwrap();
    assert_eq!((revisions(&run), run.workflow_migration_plan_id), (vec![1, 0, 0], None));
}

#[test]
fn a_failed_thread_is_handled_once_in_spite_of_a_migration() {
    use super::threads::wait_for;
    let mut bench = Bench::default();
    bench.form("form", &[]);
    let mut wait = wait_for(&[lit(i(1)), lit(i(2))], lh::WaitForThreadsStrategy::WaitForAll);
    wait.per_thread_failure_handlers = vec![handler("fix")];
    let nodes = [("k1", start("kid")), ("k2", start("kid")), ("wait", Kind::WaitForThreads(wait))];
    let (main, kid) = (chain(&nodes), chain(&[("work", ask(lit(s("cid"))))]));
    let fix = chain(&[("repair", ask(lit(s("boss"))))]);
    let threads = |main: &lh::ThreadSpec| [("main", main.clone()), ("kid", kid.clone()), ("fix", fix.clone())];
    bench.flow("flow", &threads(&main)).unwrap();
    bench.run("flow", "run", &[]).unwrap();
    bench.flow("flow", &threads(&declaring(main, "more"))).unwrap();
    bench.must(plan(&[("main", &["wait"])]));
    bench.cancel(&task_id("run", "1-1")).unwrap();
    let run = apply(&mut bench, &[]).unwrap();
    assert_eq!((revisions(&run), run.thread_runs[0].current_node_position), (vec![0; 4], 3), "its handler works");
    bench.complete(&task_id("run", "3-1"), "boss", &[]).unwrap();
    let run = bench.wf_run("run").unwrap();
    assert_eq!((revisions(&run), run.thread_runs[0].current_node_position), (vec![1, 0, 0, 0], 4), "no second handler");
    bench.complete(&task_id("run", "2-1"), "cid", &[]).unwrap();
    assert_eq!(bench.wf_run("run").unwrap().status(), LhStatus::Completed);
}

#[test]
fn values_are_for_the_variables_of_their_own_thread() {
    let mut bench = Bench::default();
    bench.form("form", &[]);
    let main = chain(&[("kid", start("kid")), ("first", ask(lit(s("ann"))))]);
    let kid = chain(&[("work", ask(lit(s("cid"))))]);
    let threads =
        |main: &lh::ThreadSpec| [("main", declaring(main.clone(), "INPUT")), ("kid", declaring(kid.clone(), "INPUT"))];
    bench.flow("flow", &threads(&main)).unwrap();
    bench.run("flow", "run", &[("INPUT", s("kept"))]).unwrap();
    bench.flow("flow", &threads(&declaring(main, "more"))).unwrap();
    bench.must(plan(&[("main", &["first"]), ("kid", &["work"])]));
    let run = apply(&mut bench, &[("kid", "INPUT", lit(s("new")))]).unwrap();
    assert_eq!(revisions(&run), [1, 1]);
    assert_eq!(bench.variable("run", "INPUT"), s("kept"));
    let id = lh::VariableId { wf_run_id: Some(run_id("run")), thread_run_number: 1, name: "INPUT".into() };
    let of_kid = query::get_variable(&bench.state, "default", id).unwrap();
    assert_eq!(of_kid.value.unwrap().value, s("new"));
}

#[test]
fn a_value_of_another_type_is_refused() {
    let mut bench = begun();
    bench.must(plan(&[("main", &["second"])]));
    let json = crate::engine::core::value::Value::JsonObj("{}".into());
    let before = bench.state.clone();
    let said = apply(&mut bench, &[("main", "need", lit(Some(json)))]);
    let text = "Migration variable 'need' is invalid: Cannot assign JSON_OBJ to STR without explicit casting.";
    assert_eq!(said, Err(Refusal::invalid(text)));
    let ghost = "Migration variable 'need' is invalid: Node ghost not present in threadspec main";
    assert_eq!(apply(&mut bench, &[("main", "need", out("ghost", "$"))]), Err(Refusal::invalid(ghost)));
    assert_eq!(bench.state, before, "nothing has begun");
    assert!(apply(&mut bench, &[("main", "need", lit(s("fine")))]).is_ok());
}
