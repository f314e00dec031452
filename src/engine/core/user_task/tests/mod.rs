//! The life of a user task, command by command.

mod hooks;
mod model;

use std::collections::BTreeMap;

use super::life::{KEPT_FOR_LIFE, LIMIT};
use crate::api::littlehorse as lh;
use crate::engine::core::command::Request;
use crate::engine::core::id;
use crate::engine::core::testing::*;
use crate::engine::core::value::Value;
use crate::engine::core::{Refusal, Table};
use lh::node::Node as Kind;
use lh::user_task_event::{Event, UteAssigned, UteCancelled, UteCommentDeleted, UteCommented, UteCompleted, UteSaved};
use lh::{LhStatus, UserTaskRunStatus as Status, VariableMutationType as Op, VariableType as T};

fn assigned(old: (Option<&str>, Option<&str>), new: (Option<&str>, Option<&str>)) -> Event {
    let text = |text: Option<&str>| text.map(str::to_owned);
    Event::Assigned(UteAssigned {
        old_user_id: text(old.0),
        old_user_group: text(old.1),
        new_user_id: text(new.0),
        new_user_group: text(new.1),
    })
}

fn events(task: &lh::UserTaskRun) -> Vec<Event> {
    task.events.iter().map(|event| event.event.clone().unwrap()).collect()
}

fn d(number: f64) -> Option<Value> {
    Some(Value::Double(number))
}

/// A request that must be refused so, and changes nothing.
#[track_caller]
fn refused(bench: &mut Bench, request: impl Into<Request>, refusal: Refusal) {
    let before = bench.state.clone();
    assert_eq!(bench.give(request), Err(refusal));
    assert_eq!(bench.state, before);
}

#[test]
fn arrival_creates_the_task_for_whom_the_node_says() {
    let ann = || Some(lit(s("ann")));
    let sales = || Some(lit(s("sales")));
    for (user, group, status) in
        [(ann(), None, Status::Assigned), (None, sales(), Status::Unassigned), (ann(), sales(), Status::Assigned)]
    {
        let mut bench = Bench::default();
        let mut node = user_task(user.clone(), group.clone());
        node.notes = Some(lit(i(7)));
        let id = bench.start(node);
        let text = |given: &Option<lh::VariableAssignment>, text: &str| given.as_ref().map(|_| text.to_owned());
        let task = bench.task(&id).unwrap();
        let (user, group) = (text(&user, "ann"), text(&group, "sales"));
        let expected = lh::UserTaskRun {
            id: Some(id.clone()),
            user_task_def_id: Some(lh::UserTaskDefId { name: "form".into(), version: 0 }),
            user_id: user.clone(),
            user_group: group.clone(),
            status: status.into(),
            notes: Some("7".into()),
            scheduled_time: Some(id::timestamp(bench.clock)),
            node_run_id: Some(lh::NodeRunId { wf_run_id: Some(run_id("run")), thread_run_number: 0, position: 1 }),
            epoch: 1,
            events: vec![lh::UserTaskEvent {
                time: Some(id::timestamp(bench.clock - 5)),
                event: Some(assigned((None, None), (user.as_deref(), group.as_deref()))),
            }],
            results: BTreeMap::new(),
        };
        assert_eq!(task, expected);
        let run = lh::node_run::NodeType::UserTask(lh::UserTaskNodeRun { user_task_run_id: Some(id) });
        assert_eq!(bench.node_run("run", 0, 1).node_type, Some(run));
    }
}

#[test]
fn arrival_fails_in_order() {
    let node = || {
        let mut node = user_task(Some(var("who")), Some(var("team")));
        node.notes = Some(lh::VariableAssignment { target_type: Some(typed(T::Int)), ..var("why") });
        node
    };
    let sub = "Invalid variables when creating UserTaskRun: Failed to cast value to INT: Cannot parse 'x' as INT.";
    for (why, who, team, name, message) in [
        (s("x"), None, None, "VAR_SUB_ERROR", sub),
        (None, None, None, "VAR_ERROR", "Invalid user task assignment"),
        (None, s(" "), s(""), "VAR_ERROR", "Invalid user task assignment. UserId can't be empty"),
        (None, s("ann"), s(" "), "VAR_ERROR", "Invalid group task assignment. UserGroup can't be empty"),
    ] {
        let mut bench = Bench::default();
        bench.form("form", &FORM());
        let mut thread = chain(&[("form", Kind::UserTask(node()))]);
        thread.variable_defs = vec![var_def("why", T::Str), var_def("who", T::Str), var_def("team", T::Str)];
        bench.flow("flow", &[("main", thread)]).unwrap();
        let run = bench.run("flow", "run", &[("why", why), ("who", who), ("team", team)]).unwrap();
        assert_eq!((run.status(), run.thread_runs[0].error_message.as_deref()), (LhStatus::Error, Some(message)));
        let node = bench.node_run("run", 0, 1);
        assert_eq!((node.status(), node.error_message.as_deref()), (LhStatus::Error, None));
        assert_eq!((node.failures[0].failure_name.as_str(), node.failures[0].message.as_str()), (name, message));
        let nothing = lh::node_run::NodeType::UserTask(lh::UserTaskNodeRun { user_task_run_id: None });
        assert_eq!(node.node_type, Some(nothing));
        assert_eq!(bench.task(&task_id("run", "0-1")).unwrap_err().code, tonic::Code::NotFound);
    }
}

#[test]
fn a_definition_deleted_before_arrival_fails_the_node_and_one_deleted_later_does_not() {
    let mut bench = Bench::default();
    let id = bench.start(user_task(Some(lit(s("ann"))), None));
    let def = lh::UserTaskDefId { name: "form".into(), version: 0 };
    bench.must(lh::DeleteUserTaskDefRequest { id: Some(def) });
    let run = bench.run("flow", "late", &[]).unwrap();
    assert_eq!(run.status(), LhStatus::Error);
    let failure = &bench.node_run("late", 0, 1).failures[0];
    assert_eq!(failure.failure_name, "TASK_ERROR");
    assert_eq!(failure.message, "Appears that UserTaskDef was deleted!");
    bench.save(&id, "ann", &[("name", s("x"))]).unwrap();
    bench.complete(&id, "ann", &[("name", s("x"))]).unwrap();
    assert_eq!(bench.wf_run("run").unwrap().status(), LhStatus::Completed);
}

#[test]
fn assignments_are_checked_in_order_and_leave_events() {
    let mut bench = Bench::default();
    let id = bench.start(user_task(None, Some(lit(s("sales")))));
    let request = |id: &lh::UserTaskRunId, user: Option<&str>, group: Option<&str>| lh::AssignUserTaskRunRequest {
        user_task_run_id: Some(id.clone()),
        user_id: user.map(str::to_owned),
        user_group: group.map(str::to_owned),
        override_claim: false,
    };
    let nobody = task_id("nobody", "0-1");
    refused(&mut bench, request(&nobody, Some(" \t"), Some("")), Refusal::invalid("UserId can't be empty"));
    refused(&mut bench, request(&nobody, Some("ann"), Some(" ")), Refusal::invalid("UserGroup can't be empty"));
    let neither = Refusal::invalid("must provide either UserGroup or userId");
    refused(&mut bench, request(&nobody, None, None), neither);
    let unknown = Refusal::not_found("Couldn't find UserTaskRun nobody/0-1");
    refused(&mut bench, request(&nobody, Some("ann"), None), unknown);
    let no_id = lh::AssignUserTaskRunRequest { user_task_run_id: None, ..request(&nobody, Some("ann"), None) };
    refused(&mut bench, no_id, Refusal::not_found("Couldn't find UserTaskRun /"));

    bench.assign(&id, Some("ann"), None, false).unwrap();
    let claimed = Refusal::precondition("User Task Run already assigned to ann");
    refused(&mut bench, request(&id, Some("ann"), None), claimed.clone());
    bench.assign(&id, Some("ann"), None, true).unwrap();
    bench.assign(&id, None, Some("sales"), true).unwrap();
    let task = bench.task(&id).unwrap();
    assert_eq!((task.status(), task.user_id.as_deref(), task.epoch), (Status::Unassigned, None, 4));
    assert_eq!(
        events(&task),
        [
            assigned((None, None), (None, Some("sales"))),
            assigned((None, Some("sales")), (Some("ann"), None)),
            assigned((Some("ann"), None), (Some("ann"), None)),
            assigned((Some("ann"), None), (None, Some("sales"))),
        ]
    );
    bench.cancel(&id).unwrap();
    let over = "Couldn't reassign User Task Run since it  is in terminal status CANCELLED";
    refused(&mut bench, request(&id, Some("ann"), None), Refusal::precondition(over));
}

#[test]
fn saving_replaces_the_draft_under_both_policies() {
    let mut bench = Bench::default();
    let id = bench.start(user_task(Some(lit(s("ann"))), None));
    let request = |user: &str, policy: i32| lh::SaveUserTaskRunProgressRequest {
        user_task_run_id: Some(task_id("run", "0-1")),
        results: values(&[("ghost", None), ("count", s("three"))]),
        user_id: user.into(),
        policy,
    };
    let other = Refusal::precondition("UserTaskRun is assigned to another user");
    refused(&mut bench, request("bob", 0), other.clone());
    refused(&mut bench, request("", 0), other.clone());
    refused(&mut bench, request("bob", 7), Refusal::invalid("Unknown assignment policy number 7"));
    let unknown =
        lh::SaveUserTaskRunProgressRequest { user_task_run_id: Some(task_id("run", "0-2")), ..request("ann", 0) };
    refused(&mut bench, unknown, Refusal::not_found("Couldn't find provided UserTaskRun"));
    bench.save(&id, "ann", &[("name", s("x"))]).unwrap();
    let task: lh::UserTaskRun = bench.must(request("bob", 1)).try_into().unwrap();
    assert_eq!(task, bench.task(&id).unwrap());
    assert_eq!((task.user_id.as_deref(), task.epoch, task.status()), (Some("ann"), 1, Status::Assigned));
    assert_eq!(task.results, values(&[("ghost", None), ("count", s("three"))]));
    let saved =
        |user: &str, results: Results| Event::Saved(UteSaved { user_id: user.into(), results: values(results) });
    assert_eq!(
        events(&task)[1..],
        [saved("ann", &[("name", s("x"))]), saved("bob", &[("ghost", None), ("count", s("three"))])]
    );
    assert!(bench.save(&id, "ann", &[]).unwrap().results.is_empty());
    bench.complete(&id, "ann", &[("name", s("x"))]).unwrap();
    // Whose it is, is asked before whether it is finished.
    refused(&mut bench, request("bob", 0), other);
    refused(&mut bench, request("bob", 1), Refusal::precondition("UserTaskRun is in status DONE"));
}

#[test]
fn completion_checks_in_order() {
    let mut bench = Bench::default();
    let id = bench.start(user_task(None, Some(lit(s("sales")))));
    let request = |user: &str, results: Results| lh::CompleteUserTaskRunRequest {
        user_task_run_id: Some(task_id("run", "0-1")),
        user_id: user.into(),
        results: values(results),
    };
    let unknown = lh::CompleteUserTaskRunRequest { user_task_run_id: None, ..request("", &[]) };
    refused(&mut bench, unknown, Refusal::not_found("Couldn't find provided UserTaskRun"));
    let odd = |name: &str, kind: &str| {
        Refusal::invalid(format!(
            "Field [name = {name}, type = {kind}] is not defined in UserTask schema or has different type"
        ))
    };
    let array = Some(Value::Array(lh::Array::default()));
    let shapeless =
        "Field [name = name, type = null] has non-primitive TypeDefinition and is unsupported for a UserTask schema.";
    for (request, refusal) in [
        (request("", &[("nope", i(1))]), Refusal::invalid("The userId must be provided.")),
        (request(" ", &[("name", s("x"))]), Refusal::invalid("The userId must be provided.")),
        (request("ann", &[("name", array)]), Refusal::invalid(shapeless)),
        (request("ann", &[("count", s("1")), ("name", s("x"))]), odd("count", "STR")),
        (request("ann", &[("name", i(5))]), odd("name", "INT")),
        (request("ann", &[("Name", s("x")), ("name", s("y"))]), odd("Name", "STR")),
        (request("ann", &[("rate", i(1)), ("name", s("y"))]), odd("rate", "INT")),
        (request("ann", &[("name", Some(Value::JsonObj("{}".into())))]), odd("name", "JSON_OBJ")),
        (
            request("ann", &[("name", s("x")), ("rate", d(f64::NAN))]),
            Refusal::invalid("Field [name = rate, type = DOUBLE] must be a finite number"),
        ),
        (request("ann", &[]), Refusal::invalid("[name] are mandatory fields")),
        (request("ann", &[("name", None)]), Refusal::invalid("[name] are mandatory fields")),
    ] {
        refused(&mut bench, request, refusal);
    }
    bench.complete(&id, "ann", &[("name", s("")), ("count", None), ("ghost", None)]).unwrap();
    let task = bench.task(&id).unwrap();
    assert_eq!(task.results, values(&[("name", s(""))]));
    assert_eq!((task.status(), task.user_id.as_deref(), task.epoch), (Status::Done, Some("ann"), 2));
    let claim = assigned((None, Some("sales")), (Some("ann"), Some("sales")));
    assert_eq!(events(&task)[1..], [claim, Event::Completed(UteCompleted {})]);
}

#[test]
fn several_mandatory_fields_are_named_in_the_order_of_the_form() {
    let mut bench = Bench::default();
    bench.form("form", &[field("b", T::Str, true), field("a", T::Str, true), field("c", T::Str, false)]);
    let node = user_task(Some(lit(s("ann"))), None);
    bench.flow("flow", &[("main", chain(&[("form", Kind::UserTask(node))]))]).unwrap();
    bench.run("flow", "run", &[]).unwrap();
    let id = task_id("run", "0-1");
    let missing = |text: &str| Err(Refusal::invalid(text));
    assert_eq!(bench.complete(&id, "ann", &[("c", s("x"))]), missing("[b,a] are mandatory fields"));
    assert_eq!(bench.complete(&id, "ann", &[("a", s("x"))]), missing("[b] are mandatory fields"));
}

#[test]
fn only_an_exact_repeat_of_a_completion_is_accepted() {
    let mut bench = Bench::default();
    let id = bench.start(user_task(Some(lit(s("ann"))), None));
    bench.save(&id, "ann", &[("count", i(3)), ("ok", s("typo"))]).unwrap();
    bench.complete(&id, "ann", &[("name", s("first")), ("rate", d(0.5))]).unwrap();
    let before = bench.state.clone();
    assert_eq!(bench.complete(&id, "ann", &[("name", s("first")), ("rate", d(0.5))]), Ok(()));
    // The draft was merged in, so saying its values aloud is the same.
    assert_eq!(bench.complete(&id, "ann", &[("name", s("first")), ("rate", d(0.5)), ("count", i(3))]), Ok(()));
    let done = || Err(Refusal::precondition("UserTaskRun is in status DONE"));
    assert_eq!(bench.complete(&id, "ann", &[("name", s("second")), ("rate", d(0.5))]), done());
    assert_eq!(bench.complete(&id, "ann", &[("name", s("first"))]), done());
    assert_eq!(bench.complete(&id, "ann", &[]), done());
    assert_eq!(bench.complete(&id, "ann", &[("nope", i(1))]), done());
    assert_eq!(bench.complete(&id, "bob", &[("name", s("first")), ("rate", d(0.5))]), done());
    assert_eq!(bench.complete(&id, "", &[]), done());
    assert_eq!(bench.state, before);
    let mut other = Bench::default();
    let id = other.start(user_task(Some(lit(s("ann"))), None));
    other.cancel(&id).unwrap();
    let cancelled = Err(Refusal::precondition("UserTaskRun is in status CANCELLED"));
    assert_eq!(other.complete(&id, "ann", &[("name", s("x"))]), cancelled);
}

#[test]
fn only_what_the_form_declares_of_a_draft_reaches_the_workflow() {
    let mut bench = Bench::default();
    bench.form("form", &FORM());
    let names = [("vname", "$.name", T::Str), ("vcount", "$.count", T::Int), ("vrate", "$.rate", T::Double)];
    let node = user_task(Some(lit(s("ann"))), None);
    let mut thread = with(chain(&[("form", Kind::UserTask(node))]), "form", |node| {
        let mut mutations: Vec<_> =
            names.iter().map(|(name, path, _)| mutation(name, Op::Assign, out("form", path))).collect();
        mutations.push(mutation("all", Op::Assign, out("form", "$")));
        node.outgoing_edges[0].variable_mutations = mutations;
    });
    thread.variable_defs = names.iter().map(|(name, _, kind)| var_def(name, *kind)).collect();
    thread.variable_defs.push(var_def("all", T::JsonObj));
    bench.flow("flow", &[("main", thread)]).unwrap();
    bench.run("flow", "run", &[("vname", s("before"))]).unwrap();
    let id = task_id("run", "0-1");
    bench.save(&id, "ann", &[("ghost", s("boo")), ("count", s("three")), ("ok", None), ("rate", d(2.0))]).unwrap();
    bench.complete(&id, "ann", &[("name", s("<a&b='c'>")), ("count", i(-9_007_199_254_740_993))]).unwrap();
    let task = bench.task(&id).unwrap();
    let kept = values(&[("name", s("<a&b='c'>")), ("count", i(-9_007_199_254_740_993)), ("rate", d(2.0))]);
    assert_eq!(task.results, kept);
    assert_eq!(bench.variable("run", "vname"), s("<a&b='c'>"));
    assert_eq!(bench.variable("run", "vcount"), i(-9_007_199_254_740_993));
    assert_eq!(bench.variable("run", "vrate"), d(2.0));
    let all = r#"{"name":"<a&b='c'>","count":-9007199254740993,"rate":2.0,"ok":null}"#;
    assert_eq!(bench.variable("run", "all"), Some(Value::JsonObj(all.into())));
    let node = bench.node_run("run", 0, 1);
    assert_eq!((node.status(), node.end_time), (LhStatus::Completed, Some(id::timestamp(bench.clock))));
    assert_eq!(bench.wf_run("run").unwrap().end_time, Some(id::timestamp(bench.clock)));
}

#[test]
fn cancelling_fails_the_node_as_the_workflow_wants() {
    let bad_cast = || lh::VariableAssignment { target_type: Some(typed(T::Int)), ..lit(s("x")) };
    for (name, failure, status) in [
        (None, "USER_TASK_CANCELLED", LhStatus::Error),
        (Some(lit(None)), "USER_TASK_CANCELLED", LhStatus::Error),
        (Some(lit(s("  "))), "USER_TASK_CANCELLED", LhStatus::Error),
        (Some(bad_cast()), "USER_TASK_CANCELLED", LhStatus::Error),
        (Some(lit(s("TIMEOUT"))), "TIMEOUT", LhStatus::Error),
        (Some(lit(s("Timeout"))), "Timeout", LhStatus::Exception),
        (Some(lit(s("a.b/c d"))), "a.b/c d", LhStatus::Exception),
        (Some(lit(i(5))), "5", LhStatus::Exception),
    ] {
        let mut bench = Bench::default();
        let mut node = user_task(Some(lit(s("ann"))), None);
        node.on_cancellation_exception_name = name;
        let id = bench.start(node);
        bench.save(&id, "ann", &[("name", s("draft"))]).unwrap();
        bench.cancel(&id).unwrap();
        let task = bench.task(&id).unwrap();
        assert_eq!((task.status(), task.user_id.as_deref()), (Status::Cancelled, Some("ann")));
        assert_eq!(task.results, values(&[("name", s("draft"))]));
        let cancelled = Event::Cancelled(UteCancelled { message: "UserTaskRun was cancelled".into() });
        assert_eq!(events(&task).last(), Some(&cancelled));
        let node = bench.node_run("run", 0, 1);
        assert_eq!((node.status(), node.error_message.as_deref()), (status, Some("User task cancelled")));
        assert_eq!((node.failures[0].failure_name.as_str(), node.end_time), (failure, None));
        let run = bench.wf_run("run").unwrap();
        assert_eq!((run.status(), run.thread_runs[0].status()), (status, status));
        // Once more is no more.
        let before = bench.state.clone();
        assert_eq!(bench.cancel(&id), Ok(()));
        assert_eq!(bench.state, before);
    }
}

#[test]
fn done_tasks_are_not_cancelled_and_unknown_ones_not_found() {
    let mut bench = Bench::default();
    let id = bench.start(user_task(Some(lit(s("ann"))), None));
    bench.complete(&id, "ann", &[("name", s("x"))]).unwrap();
    let request = |id: Option<lh::UserTaskRunId>| lh::CancelUserTaskRunRequest { user_task_run_id: id };
    let done = Refusal::precondition("UserTaskRun is in status DONE");
    refused(&mut bench, request(Some(id)), done);
    let unknown = Refusal::not_found("Couldn't find specified UserTaskRun");
    refused(&mut bench, request(Some(task_id("run", "0-2"))), unknown.clone());
    refused(&mut bench, request(None), unknown);
}

#[test]
fn comments_are_counted_edited_and_deleted() {
    let mut bench = Bench::default();
    let id = bench.start(user_task(Some(lit(s("ann"))), None));
    let edit = |id: &lh::UserTaskRunId, number: i32, user: &str, text: &str| lh::EditUserTaskRunCommentRequest {
        user_comment_id: number,
        user_task_run_id: Some(id.clone()),
        user_id: user.into(),
        comment: text.into(),
    };
    let delete = |id: &lh::UserTaskRunId, number: i32, user: &str| lh::DeleteUserTaskRunCommentRequest {
        user_task_run_id: Some(id.clone()),
        user_comment_id: number,
        user_id: user.into(),
    };
    let nobody = task_id("run", "0-2");
    let no_user = || Refusal::invalid("The userId must be provided.");
    let no_text = || Refusal::invalid("The comment must be provided.");
    let no_task = || Refusal::not_found("Couldn't find UserTaskRun run/0-2");
    let no_number = || Refusal::precondition("The User Comment Id must be provided");
    assert_eq!(bench.comment(&nobody, " ", ""), Err(no_user()));
    assert_eq!(bench.comment(&nobody, "ann", " \n"), Err(no_text()));
    assert_eq!(bench.comment(&nobody, "ann", "x"), Err(no_task()));
    refused(&mut bench, edit(&nobody, 0, "", ""), no_number());
    refused(&mut bench, edit(&nobody, 1, "", ""), no_user());
    refused(&mut bench, edit(&nobody, 1, "ann", ""), no_text());
    refused(&mut bench, edit(&nobody, 1, "ann", "x"), no_task());
    refused(&mut bench, delete(&nobody, 0, ""), no_number());
    refused(&mut bench, delete(&nobody, 1, " "), Refusal::precondition("The User Id must be provide"));
    refused(&mut bench, delete(&nobody, 1, "ann"), no_task());
    let unknown = |number: i32| Refusal::not_found(format!("No comment exists for the provided comment ID: {number}"));
    refused(&mut bench, edit(&id, 1, "ann", "x"), unknown(1));
    refused(&mut bench, delete(&id, -3, "ann"), Refusal::not_found("The user Comment does not exist"));

    bench.comment(&id, "ann", "one").unwrap();
    bench.must(edit(&id, 1, "bob", "ONE"));
    bench.must(delete(&id, 1, "zoe"));
    let gone = |what: &str| {
        Refusal::precondition(format!("The specified comment cannot be {what} because it has already been deleted."))
    };
    refused(&mut bench, edit(&id, 1, "ann", "x"), gone("edited"));
    refused(&mut bench, delete(&id, 1, "ann"), gone("deleted"));
    bench.complete(&id, "ann", &[("name", s("x"))]).unwrap();
    let task = bench.comment(&id, "ann", "late").unwrap();
    assert_eq!((task.status(), task.epoch), (Status::Done, 1));
    let words = |number, user: &str, text: &str| UteCommented {
        user_comment_id: number,
        user_id: user.into(),
        comment: text.into(),
    };
    assert_eq!(
        events(&task)[1..],
        [
            Event::CommentAdded(words(1, "ann", "one")),
            Event::CommentEdited(words(1, "bob", "ONE")),
            Event::CommentDeleted(UteCommentDeleted { user_comment_id: 1, user_id: "zoe".into() }),
            Event::Completed(UteCompleted {}),
            Event::CommentAdded(words(2, "ann", "late")),
        ]
    );
}

#[test]
fn every_event_knows_its_actor() {
    let mut bench = Bench { actor: "starter".into(), ..Default::default() };
    let id = bench.start(user_task(None, Some(lit(s("sales")))));
    bench.actor = "login".into();
    bench.complete(&id, "ann", &[("name", s("x"))]).unwrap();
    let reader = crate::engine::core::Reader::new(&bench.state, "default").unwrap();
    let (run, place) = reader.task_ref(&id).unwrap().unwrap();
    let actors: Vec<String> =
        reader.user_task_events(run, place).unwrap().into_iter().map(|event| event.facts.actor.unwrap().name).collect();
    assert_eq!(actors, ["starter", "login", "login"]);
}

#[test]
fn a_save_writes_its_own_event_only_and_a_full_task_can_still_end() {
    let mut bench = Bench::default();
    let id = bench.start(user_task(Some(lit(s("ann"))), None));
    let draft = s(&"x".repeat(300_000));
    let mut saves = 0;
    let full = loop {
        let before = bench.state.clone();
        match bench.save(&id, "ann", &[("name", draft.clone())]) {
            Ok(_) => saves += 1,
            Err(refusal) => {
                assert_eq!(bench.state, before);
                break refusal;
            }
        }
        let old: BTreeMap<_, _> =
            before.iter().map(|(table, key, value)| ((table, key.to_vec()), value.to_vec())).collect();
        let changed = bench.state.iter().filter(|(table, key, value)| {
            *table == Table::Obj && old.get(&(*table, key.to_vec())).is_none_or(|old| old != value)
        });
        // The task with its newest draft, and the event.
        assert!(changed.count() <= 2, "save {saves}");
    };
    // One draft stands in the task itself.
    assert_eq!(saves, (LIMIT - KEPT_FOR_LIFE) / 300_000 - 1);
    assert_eq!(full.code, tonic::Code::ResourceExhausted);
    let limit = format!("exceeds its limit of {} bytes", LIMIT - KEPT_FOR_LIFE);
    assert!(full.message.starts_with("Record too large: ") && full.message.contains(&limit), "{}", full.message);
    while bench.comment(&id, "ann", &"c".repeat(50_000)).is_ok() {}
    assert!(bench.task(&id).is_ok());
    let mut other = bench.clone();
    bench.complete(&id, "bob", &[("name", draft)]).unwrap();
    other.cancel(&id).unwrap();
    for bench in [bench, other] {
        let size = prost::Message::encoded_len(&bench.task(&id).unwrap());
        assert!(size <= LIMIT, "{size}");
    }
}

#[test]
fn texts_too_long_for_a_task_fail_its_node() {
    let mut bench = Bench::default();
    bench.form("form", &FORM());
    let thread = |node| {
        let mut thread = chain(&[("form", Kind::UserTask(node))]);
        thread.variable_defs = vec![var_def("t", T::Str)];
        thread
    };
    let mut node = user_task(Some(var("t")), Some(var("t")));
    node.notes = Some(var("t"));
    bench.flow("flow", &[("main", thread(node))]).unwrap();
    let run = bench.run("flow", "run", &[("t", s(&"x".repeat(1_000_000)))]).unwrap();
    assert_eq!(run.status(), LhStatus::Error);
    assert!(bench.node_run("run", 0, 1).failures[0].message.contains("exceeds its limit of"));
}
