//! WfSpecs: shapes, names, user tasks, versions.

use super::build::*;
use super::*;
use crate::engine::core::query;
use lh::VariableType::{Bool, Int, JsonObj, Str};

#[test]
fn shapes_that_cannot_run_are_refused() {
    let parts = |nodes| spec(thread(nodes, Vec::new()));
    let to = |names: &[&str]| names.iter().map(|name| edge(name)).collect::<Vec<_>>();
    let nowhere = lh::PutWfSpecRequest { entrypoint_thread_name: "nowhere".to_owned(), ..plain(Vec::new()) };
    let no_kind = lh::Node { node: None, ..exit() };
    for (request, expected) in [
        (nowhere, "unknown entrypoint thread: nowhere"),
        (parts(vec![]), "… missing ENTRYPOINT node!"),
        (parts(vec![("exit", exit())]), "… missing ENTRYPOINT node!"),
        (
            parts(vec![("a", entry(to(&["e"]))), ("b", entry(to(&["e"]))), ("e", exit())]),
            "… Multiple ENTRYPOINT nodes!",
        ),
        (parts(vec![("a", entry(to(&["b"]))), ("b", nop(vec![]))]), "Ok"),
        (parts(vec![("a", entry(vec![]))]), "Ok"),
        (
            parts(vec![("a", entry(to(&["b"]))), ("b", nop(to(&["b", "e"]))), ("e", exit())]),
            "… Node b invalid: Edge with sink node b invalid: Self loop not allowed!",
        ),
        (
            parts(vec![("a", entry(to(&["gone"]))), ("e", exit())]),
            "… Node a invalid: Edge with sink node gone invalid: Outgoing edge referring to missing node gone!",
        ),
        (
            parts(vec![("a", entry(to(&["b"]))), ("b", nop(to(&["a"]))), ("e", exit())]),
            "… Node b invalid: Edge with sink node a invalid: Entrypoint node has incoming edge from node entrypoint.",
        ),
        (parts(vec![("a", entry(to(&["e"]))), ("b", nop(to(&["e"]))), ("e", exit())]), "Ok"),
        (parts(vec![("a", entry(to(&["e", "f"]))), ("e", exit()), ("f", exit())]), "Ok"),
        (parts(vec![("a", entry(to(&["b"]))), ("b", no_kind)]), "… Node b invalid: it has no kind"),
        (parts(vec![("a", entry(to(&["e"]))), ("e", failing("TIMEOUT"))]), "Failure name TIMEOUT is reserved!"),
        (parts(vec![("a", entry(to(&["e"]))), ("e", failing("no way"))]), "Invalid name for exception: no way"),
        (parts(vec![("a", entry(to(&["e"]))), ("e", failing("no-way"))]), "Ok"),
        (
            parts(vec![("a", entry(to(&["e", "f"]))), ("e", exit()), ("f", returning(int(1)))]),
            "… Detected an EXIT node that returns void and another EXIT node that returns non-void",
        ),
        (
            parts(vec![("a", entry(to(&["e", "f"]))), ("e", returning(text("x"))), ("f", returning(int(1)))]),
            "… Detected that different EXIT nodes returned different output types!",
        ),
        (parts(vec![("a", entry(to(&["e", "f"]))), ("e", failing("no")), ("f", returning(int(1)))]), "Ok"),
    ] {
        assert_eq!(verdict(&mut World::default(), request.clone()), expected, "{request:?}");
    }
    let refusal = World::default().put_spec(lh::PutWfSpecRequest::default()).expect_err("no name");
    assert_eq!(refusal, Refusal::invalid("WfSpecName must be a valid hostname"));
}

#[test]
fn variables_are_declared_once_and_before_use() {
    let x = || declare("x", of(Int));
    let kid = |variables| thread(vec![("entry", entry(vec![edge("exit")])), ("exit", exit())], variables);
    let input = || vec![declare("INPUT", of(Int))];
    let ends =
        |first: lh::Edge, variables| spec(thread(vec![("entry", entry(vec![first])), ("exit", exit())], variables));
    let assign = |name: &str, rhs| changing("exit", name, lh::VariableMutationType::Assign, rhs);
    let inherited = access(x(), lh::WfRunVariableAccessLevel::InheritedVar);
    let of_struct = lh::TypeDefinition {
        defined_type: Some(lh::type_definition::DefinedType::StructDefId(lh::StructDefId {
            name: "absent".to_owned(),
            version: -1,
        })),
        masked: false,
    };
    for (request, expected) in [
        (ends(assign("ghost", int(1)), vec![]), "Thread entrypoint refers to missing var ghost"),
        (ends(assign("x", variable("ghost")), vec![x()]), "Thread entrypoint refers to missing var ghost"),
        (
            ends(when("exit", compare(variable("ghost"), lh::Comparator::Equals, int(1))), vec![]),
            "Thread entrypoint refers to missing var ghost",
        ),
        (
            plain(vec![x(), declare("x", of(Str))]),
            "Var name x defined in threads entrypoint and entrypoint and duplicates not allowed",
        ),
        (
            with_thread(plain(vec![x()]), "kid", kid(vec![x()])),
            "Var name x defined in threads kid and entrypoint and duplicates not allowed",
        ),
        (with_thread(plain(input()), "kid", kid(input())), "Ok"),
        (
            plain(vec![inherited]),
            "Only child workflows are allowed to access INHERITED variables, but variable x is INHERITED",
        ),
        (
            plain(vec![declare("x", of_struct)]),
            "Var name x defined in thread entrypoint refers to non-existent StructDef: Refers to non-existent StructDef \
             absent",
        ),
        (
            plain(vec![declare("x", map_of(JsonObj, Str))]),
            "Var name x defined in thread entrypoint has invalid Map key type: Map key type must be a primitive \
             VariableType, but got: JSON_OBJ",
        ),
        (plain(vec![declare("", of(Int)), declare("my var.x/y", of(Int))]), "Ok"),
    ] {
        assert_eq!(verdict(&mut World::default(), request.clone()), expected, "{request:?}");
    }
}

#[test]
fn old_forms_of_a_variable_are_stored_in_the_new_one() {
    let old = lh::VariableDef {
        name: "x".to_owned(),
        r#type: Some(Int.into()),
        masked_value: Some(true),
        ..Default::default()
    };
    let def = lh::ThreadVarDef { var_def: Some(old), ..Default::default() };
    let stored = World::default().put_spec(plain(vec![def])).expect("put");
    let var = stored.thread_specs["entrypoint"].variable_defs[0].var_def.clone().expect("there");
    assert_eq!((var.r#type, var.masked_value), (None, None));
    assert_eq!(var.type_def, Some(lh::TypeDefinition { masked: true, ..of(Int) }));
}

#[test]
fn user_task_nodes_are_checked_and_pinned() {
    let mut world = World::default();
    world.put_form("form", vec![field("a", Str)]).expect("put");
    let base = || for_user(text("ann"));
    let group = |group| lh::UserTaskNode { user_id: None, user_group: Some(group), ..base() };
    let named = |name: &str| lh::UserTaskNode { user_task_def_name: name.to_owned(), ..base() };
    let version = |version| lh::UserTaskNode { user_task_def_version: Some(version), ..base() };
    let wrong = |text: &str| format!("… Node form invalid: {text}");
    for (task, expected) in [
        (named("nobody"), wrong("Specified UserTaskDef nobody/null not found")),
        (named(""), wrong("Specified UserTaskDef /null not found")),
        (version(3), wrong("Specified UserTaskDef form/3 not found")),
        (lh::UserTaskNode { user_id: None, ..base() }, wrong("Must specify userGroup or userId")),
        (for_user(text("")), wrong("UserId can't be empty")),
        (for_user(text("  ")), wrong("UserId can't be empty")),
        (group(text("")), wrong("UserGroup can't be empty")),
        (for_user(int(5)), wrong("UserId must be a text")),
        (group(null()), wrong("UserGroup must be a text")),
        (for_user(Assignment::default()), "Ok".to_owned()),
        (for_user(variable("ghost")), "Thread entrypoint refers to missing var ghost".to_owned()),
        (
            lh::UserTaskNode { notes: Some(variable("ghost")), ..base() },
            "Thread entrypoint refers to missing var ghost".to_owned(),
        ),
        (version(0), "Ok".to_owned()),
    ] {
        assert_eq!(verdict(&mut world, with_form(task.clone())), expected, "{task:?}");
    }

    let pinned = |spec: &lh::WfSpec| match &spec.thread_specs["entrypoint"].nodes["form"].node {
        Some(lh::node::Node::UserTask(task)) => task.user_task_def_version,
        _ => None,
    };
    let first = world.put_spec(with_form(base())).expect("put");
    assert_eq!(pinned(&first), Some(0));
    assert_eq!(world.put_spec(with_form(base())), Ok(first.clone()));
    world.put_form("form", vec![field("b", Str)]).expect("put");
    let second = world.put_spec(with_form(base())).expect("put");
    assert_eq!(pinned(&second), Some(1), "the same request means the newer form now");
    assert_ne!(second.id, first.id);
}

#[test]
fn versions_follow_what_changed() {
    use lh::AllowedUpdateType::{AllUpdates, MinorRevisionUpdates, NoUpdates};
    let mut world = World::default();
    let a = || declare("a", of(Int));
    let r = || required(declare("r", of(Str)));
    let p = |kind| public(declare("p", of(kind)));
    let one = || plain(vec![a()]);
    let two = || {
        let nodes = vec![("entry", entry(vec![edge("n")])), ("n", nop(vec![edge("exit")])), ("exit", exit())];
        spec(thread(nodes, vec![a()]))
    };
    let output = || {
        let nodes = vec![("entry", entry(vec![edge("exit")])), ("exit", returning(variable("r")))];
        spec(thread(nodes, vec![r()]))
    };
    let formerly = |kind: &str| {
        Err(Refusal::invalid(format!(
            "Variable p must be of type INT not {kind} as it was formerly declared a PUBLIC_VAR"
        )))
    };
    for (request, updates, expected) in [
        (one(), AllUpdates, Ok((0, 0))),
        (one(), AllUpdates, Ok((0, 0))),
        (one(), NoUpdates, Ok((0, 0))),
        (two(), NoUpdates, Err(Refusal::exists("WfSpec already exists."))),
        (two(), MinorRevisionUpdates, Ok((0, 1))),
        (one(), AllUpdates, Ok((0, 2))),
        (
            plain(vec![a(), r()]),
            MinorRevisionUpdates,
            Err(Refusal::precondition("The resulting WfSpec has a breaking change.")),
        ),
        (plain(vec![a(), r()]), AllUpdates, Ok((1, 0))),
        (plain(vec![r(), p(Int)]), AllUpdates, Ok((2, 0))),
        (plain(vec![r(), p(Str)]), AllUpdates, formerly("STR")),
        (plain(vec![r(), declare("p", of(Str))]), AllUpdates, formerly("STR")),
        (plain(vec![r()]), AllUpdates, Ok((3, 0))),
        (plain(vec![r()]), AllUpdates, Ok((3, 0))),
        (plain(vec![r(), declare("p", of(Bool))]), AllUpdates, formerly("BOOL")),
        (output(), AllUpdates, Ok((4, 0))),
    ] {
        let request = lh::PutWfSpecRequest { allowed_updates: updates.into(), ..request };
        let put =
            world.put_spec(request.clone()).map(|spec| spec.id.map_or((-1, -1), |id| (id.major_version, id.revision)));
        assert_eq!(put, expected, "{request:?}");
    }

    let get = |world: &World, major_version| {
        let request = lh::GetLatestWfSpecRequest { name: "flow".to_owned(), major_version };
        query::get_latest_wf_spec(&world.state, TENANT, request)
            .map(|spec| spec.id.map(|id| (id.major_version, id.revision)))
    };
    assert_eq!(get(&world, None), Ok(Some((4, 0))));
    assert_eq!(get(&world, Some(0)), Ok(Some((0, 2))));
    for missing in [Some(9), Some(-1)] {
        assert_eq!(get(&world, missing), Err(Refusal::not_found("Couldn't find specified WfSpec")));
    }
    let latest = lh::GetLatestWfSpecRequest { name: "flow".to_owned(), major_version: None };
    let latest = query::get_latest_wf_spec(&world.state, TENANT, latest).expect("there");
    let frozen = latest.frozen_variables.iter().map(|def| def.var_def.as_ref().map(|var| var.name.as_str()));
    assert_eq!(frozen.collect::<Vec<_>>(), [Some("p"), Some("r")]);

    // A deleted version is gone for everybody who asks, and its number stays taken.
    let id = |major_version, revision| lh::WfSpecId { name: "flow".to_owned(), major_version, revision };
    let delete = lh::DeleteWfSpecRequest { id: Some(id(4, 0)) };
    assert_eq!(world.run(delete.clone()), Ok(Reply::Empty));
    assert_eq!(world.run(delete), Err(Refusal::not_found("Couldn't find provided WfSpecModel")));
    assert_eq!(get(&world, None), Ok(Some((3, 0))));
    assert!(query::get_wf_spec(&world.state, TENANT, id(4, 0)).is_err());
    let again = world.put_spec(output()).expect("put");
    assert_eq!(again.id, Some(id(5, 0)));
    let search = lh::SearchWfSpecRequest {
        wf_spec_criteria: Some(lh::search_wf_spec_request::WfSpecCriteria::Name("flow".to_owned())),
        ..Default::default()
    };
    let found = query::search_wf_spec(&world.state, TENANT, search).expect("a page").results;
    let numbers: Vec<_> = found.iter().map(|id| (id.major_version, id.revision)).collect();
    assert_eq!(numbers, [(0, 0), (0, 1), (0, 2), (1, 0), (2, 0), (3, 0), (5, 0)]);
}

#[test]
fn parents_must_be_there_and_share_what_is_inherited() {
    let mut world = World::default();
    let x = |level| access(declare("x", of(Int)), level);
    let child = |variables, parent: &str| lh::PutWfSpecRequest {
        name: "kid".to_owned(),
        parent_wf_spec: Some(lh::wf_spec::ParentWfSpecReference {
            wf_spec_name: parent.to_owned(),
            wf_spec_major_version: 0,
        }),
        ..plain(variables)
    };
    use lh::WfRunVariableAccessLevel::{InheritedVar, PrivateVar, PublicVar};
    let shared = vec![x(PublicVar), declare("own", of(Int))];
    world.put_spec(plain(shared)).expect("put");
    let named = |name: &str, level| access(declare(name, of(Int)), level);
    for (request, expected) in [
        (child(vec![], "absent"), "Provided spec refers to nonexistent parent wfSpec absent"),
        (child(vec![x(InheritedVar)], "absent"), "Provided spec refers to nonexistent parent wfSpec absent"),
        (child(vec![named("y", InheritedVar)], "flow"), "INHERITED variable y does not exist in parent WfSpec"),
        (
            child(vec![named("own", InheritedVar)], "flow"),
            "Inherited variable own is defined as PRIVATE in parent WfSpec",
        ),
        (child(vec![x(InheritedVar), named("z", PrivateVar)], "flow"), "Ok"),
    ] {
        assert_eq!(verdict(&mut world, request.clone()), expected, "{request:?}");
    }
}

#[test]
fn actions_of_user_tasks_say_what_happens_and_when() {
    use lh::ut_action_trigger::{Action, UtaCancel, UtaTask};
    let mut world = World::default();
    world.put_form("form", vec![]).expect("put");
    let nag = lh::PutTaskDefRequest { name: "nag".into(), ..Default::default() };
    world.run(nag).expect("put");
    let cancel = || Some(Action::Cancel(UtaCancel {}));
    let remind = |task: Option<&str>, retries| {
        let named = |name: &str| lh::task_node::TaskToExecute::TaskDefId(lh::TaskDefId { name: name.into() });
        let node = lh::TaskNode { task_to_execute: task.map(named), retries, ..Default::default() };
        Some(Action::Task(UtaTask { task: Some(node), mutations: Vec::new() }))
    };
    for (action, delay, hook, expected) in [
        (cancel(), Some(text("soon")), 1, None),
        (remind(Some("nag"), 0), Some(text("soon")), 0, None),
        (None, Some(text("soon")), 0, Some("Action 0 does nothing")),
        (cancel(), None, 0, Some("Action 0 has no delay")),
        (cancel(), Some(Default::default()), 0, Some("Action 0 has no delay")),
        (cancel(), Some(text("soon")), 7, Some("Action 0 has unknown hook 7")),
        (remind(None, 0), Some(text("soon")), 0, Some("it names no TaskDef")),
        (remind(Some("absent"), 0), Some(text("soon")), 0, Some("Refers to nonexistent TaskDef absent")),
        (remind(Some("nag"), -1), Some(text("soon")), 0, Some("Cannot have negative retries!")),
        (Some(Action::Task(UtaTask::default())), Some(text("soon")), 0, Some("Action 0 has no task")),
    ] {
        let action = lh::UtActionTrigger { action, delay_seconds: delay, hook };
        let node = lh::UserTaskNode { actions: vec![action.clone()], ..for_user(text("ann")) };
        let put = world.put_spec(with_form(node)).map_err(|refusal| (refusal.code, refusal.message));
        match expected {
            None => assert!(put.is_ok(), "{put:?}"),
            Some(wrong) => {
                let (code, message) = put.expect_err(wrong);
                assert!(message.ends_with(&format!("invalid: {wrong}")), "{message}");
                assert_eq!(code, Code::InvalidArgument);
            }
        }
    }
}
