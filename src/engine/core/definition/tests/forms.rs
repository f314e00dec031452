//! UserTaskDefs.

use super::*;
use crate::engine::core::query;
use lh::VariableType::{Bool, Bytes, Double, Int, JsonArr, JsonObj, Str, Timestamp, WfRunId};

#[test]
fn a_form_gets_a_new_version_when_anything_differs_from_the_latest() {
    let mut world = World::default();
    let first = world.put_form("form", vec![field("a", Str)]).expect("put");
    assert_eq!((first.version, first.created_at.map(|time| time.seconds)), (0, Some(1)));
    let again = world.put_form("form", vec![field("a", Str)]).expect("put");
    assert_eq!(again, first);
    let described = lh::PutUserTaskDefRequest {
        name: "form".to_owned(),
        fields: vec![field("a", Str)],
        description: Some(String::new()),
    };
    let described: lh::UserTaskDef = world.run(described).and_then(TryInto::try_into).expect("put");
    assert_eq!(described.version, 1, "a present empty description is not an absent one");
    assert_eq!(world.put_form("form", vec![field("a", Str)]).map(|def| def.version), Ok(2));
    let swapped = vec![field("b", Str), field("a", Str)];
    assert_eq!(world.put_form("form", swapped).map(|def| def.version), Ok(3));
}

#[test]
fn forms_that_nobody_could_complete_are_refused() {
    let mut world = World::default();
    let refused = Err(Code::InvalidArgument);
    let number = |number| lh::UserTaskField { r#type: number, ..field("x", Str) };
    for fields in [
        vec![field("", Str)],
        vec![field("x", Str), field("x", Int)],
        vec![field("x", JsonObj)],
        vec![field("x", JsonArr)],
        vec![field("x", Bytes)],
        vec![number(99)],
        vec![number(-1)],
    ] {
        assert_eq!(code(world.put_form("form", fields.clone())), refused, "{fields:?}");
    }
    let fine = [Str, Int, Double, Bool, Timestamp, WfRunId].map(|kind| field(kind.as_str_name(), kind));
    assert!(world.put_form("form", fine.to_vec()).is_ok());
    assert!(world.put_form("empty", vec![field("  ", Str), field("X", Str), field("x", Str)]).is_ok());
    let refusal = world.put_form("a_b", vec![]).expect_err("no valid name");
    assert_eq!(refusal, Refusal::invalid("UserTaskDefName must be a valid hostname"));
}

#[test]
fn a_deleted_form_is_hidden_and_its_number_never_comes_back() {
    let mut world = World::default();
    for name in ["a", "b"] {
        world.put_form("form", vec![field(name, Str)]).expect("put");
    }
    let id = |version| lh::UserTaskDefId { name: "form".to_owned(), version };
    let delete = |version| lh::DeleteUserTaskDefRequest { id: Some(id(version)) };
    assert_eq!(world.run(delete(1)), Ok(Reply::Empty));
    let missing = Err(Refusal::not_found("Couldn't find provided UserTaskDefModel"));
    assert_eq!(world.run(delete(1)), missing);
    assert_eq!(world.run(delete(7)), missing);
    let get = |world: &World, version| query::get_user_task_def(&world.state, TENANT, id(version));
    let text = "Couldn't find UserTaskDef form version 1";
    assert_eq!(get(&world, 1), Err(Refusal::not_found(text)));
    let latest = |world: &World| {
        let request = lh::GetLatestUserTaskDefRequest { name: "form".to_owned() };
        query::get_latest_user_task_def(&world.state, TENANT, request)
    };
    assert_eq!(latest(&world).map(|def| def.version), Ok(0));
    assert_eq!(world.put_form("form", vec![field("a", Str)]).map(|def| def.version), Ok(0));
    assert_eq!(world.put_form("form", vec![field("c", Str)]).map(|def| def.version), Ok(2));
    for version in [0, 2] {
        assert_eq!(world.run(delete(version)), Ok(Reply::Empty));
    }
    assert_eq!(latest(&world), Err(Refusal::not_found("Couldn't find UserTaskDef form")));
    assert_eq!(world.put_form("form", vec![field("c", Str)]).map(|def| def.version), Ok(3));
}

#[test]
fn forms_are_found_by_name_and_prefix_in_the_order_of_names() {
    use lh::search_user_task_def_request::UserTaskDefCriteria as Criteria;
    let mut world = World::default();
    for (name, text) in [("foo", "a"), ("foo0", "a"), ("foo-bar", "a"), ("foo", "b"), ("other", "a")] {
        world.put_form(name, vec![field(text, Str)]).expect("put");
    }
    let search = |criteria: Option<Criteria>, limit: i32| {
        let mut request =
            lh::SearchUserTaskDefRequest { limit: Some(limit), user_task_def_criteria: criteria, bookmark: None };
        let mut found = Vec::new();
        loop {
            let page = query::search_user_task_def(&world.state, TENANT, request.clone()).expect("a page");
            assert!(page.results.len() <= limit as usize);
            found.extend(page.results.into_iter().map(|id| format!("{}/{}", id.name, id.version)));
            request.bookmark = page.bookmark;
            if request.bookmark.is_none() {
                return found;
            }
        }
    };
    let of_foo = ["foo-bar/0", "foo/0", "foo/1", "foo0/0"];
    for limit in 1..6 {
        assert_eq!(search(Some(Criteria::Prefix("foo".to_owned())), limit), of_foo);
        assert_eq!(search(Some(Criteria::Name("foo".to_owned())), limit), ["foo/0", "foo/1"]);
    }
    assert_eq!(search(Some(Criteria::Name("foo-bar".to_owned())), 9), ["foo-bar/0"]);
    assert_eq!(search(Some(Criteria::Name("fo".to_owned())), 9), [""; 0]);
    assert_eq!(search(Some(Criteria::Prefix("foo/".to_owned())), 9), [""; 0]);
    assert_eq!(search(None, 9).len(), 5);
    assert_eq!(search(Some(Criteria::Name(String::new())), 9).len(), 5);
}
