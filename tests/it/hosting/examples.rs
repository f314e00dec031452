//! The examples, loaded as a client loads them.

use std::collections::{BTreeMap, BTreeSet};

use ostler::domain::Identity;
use ostler::gateway::examples::{self, Loaded};
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Status};

use super::*;

async fn load(channel: &Channel, user: &str, groups: &[&str]) -> Loaded {
    let me = Identity { user: user.to_owned(), groups: groups.iter().map(|group| (*group).to_owned()).collect() };
    let unchanged = |request: Request<()>| Ok::<_, Status>(request);
    let client = LittleHorseClient::new(InterceptedService::new(channel.clone(), unchanged));
    examples::load(client, &me).await.expect("the examples")
}

async fn tasks(channel: &Channel) -> Vec<lh::UserTaskRun> {
    let mut client = client(channel.clone());
    let mut tasks = Vec::new();
    for status in [
        lh::UserTaskRunStatus::Unassigned,
        lh::UserTaskRunStatus::Assigned,
        lh::UserTaskRunStatus::Done,
        lh::UserTaskRunStatus::Cancelled,
    ] {
        let request = lh::SearchUserTaskRunRequest { status: Some(status.into()), ..Default::default() };
        for id in client.search_user_task_run(request).await.unwrap().into_inner().results {
            tasks.push(client.get_user_task_run(id).await.unwrap().into_inner());
        }
    }
    tasks
}

/// For whom, in which state, and how many.
fn tally(tasks: &[lh::UserTaskRun]) -> BTreeMap<(String, &'static str), usize> {
    let mut tally = BTreeMap::new();
    for task in tasks {
        let whose = task.user_id.as_ref().or(task.user_group.as_ref()).cloned().unwrap_or_default();
        *tally.entry((whose, task.status().as_str_name())).or_default() += 1;
    }
    tally
}

#[tokio::test]
async fn there_is_something_of_every_kind_to_look_at() {
    let ground = Ground::new();
    let handle = ground.start();
    let channel = over_pipe(&handle).await;
    assert_eq!(load(&channel, "amy", &["amy", "finance"]).await, Loaded { workflows: 4, runs: 15 });

    let tasks = tasks(&channel).await;
    let expected = [
        (("accounting", "UNASSIGNED"), 1),
        (("amy", "ASSIGNED"), 4),
        (("amy", "DONE"), 1),
        (("bob", "ASSIGNED"), 1),
        (("bob", "CANCELLED"), 1),
        (("bob", "DONE"), 1),
        (("carol", "DONE"), 3),
        (("compliance", "UNASSIGNED"), 1),
        (("finance", "UNASSIGNED"), 4),
        (("fleet", "UNASSIGNED"), 1),
    ];
    let expected = expected.map(|((whose, status), count)| ((whose.to_owned(), status), count));
    assert_eq!(tally(&tasks), BTreeMap::from(expected));

    let notes: BTreeSet<_> = tasks.iter().filter_map(|task| task.notes.as_deref()).collect();
    for note in ["Train to Bern, 86.4 CHF", "Not approved: Standing desk, 649.9 EUR", "Dune Trading (AE), risk 80"] {
        assert!(notes.contains(note), "{note} is not in {notes:?}");
    }
    let kinds = |of: fn(&lh::user_task_event::Event) -> bool| {
        tasks.iter().flat_map(|task| &task.events).filter_map(|event| event.event.as_ref()).any(of)
    };
    use lh::user_task_event::Event;
    assert!(kinds(|event| matches!(event, Event::Saved(_))));
    assert!(kinds(|event| matches!(event, Event::CommentAdded(_))));
    assert!(kinds(|event| matches!(event, Event::Completed(_))));
    assert!(kinds(|event| matches!(event, Event::Cancelled(_))));
    handle.stop().await;
}

#[tokio::test]
async fn their_forms_have_every_type_and_words_for_each_field() {
    let ground = Ground::new();
    let handle = ground.start();
    let channel = over_pipe(&handle).await;
    load(&channel, "amy", &[]).await;
    let mut client = client(channel);
    let forms = client.search_user_task_def(lh::SearchUserTaskDefRequest::default()).await.unwrap().into_inner();
    let mut kinds = BTreeSet::new();
    for id in forms.results {
        let form = client.get_user_task_def(id).await.unwrap().into_inner();
        assert!(form.description.is_some_and(|text| text.ends_with('.')), "{}", form.name);
        for field in form.fields {
            assert!(!field.display_name.is_empty(), "{} {}", form.name, field.name);
            kinds.insert((field.r#type().as_str_name(), field.required));
        }
    }
    for kind in ["STR", "INT", "DOUBLE", "BOOL"] {
        assert!(kinds.contains(&(kind, true)) && kinds.contains(&(kind, false)), "{kind}: {kinds:?}");
    }
    handle.stop().await;
}

#[tokio::test]
async fn loading_them_again_changes_nothing() {
    let ground = Ground::new();
    let handle = ground.start();
    let channel = over_pipe(&handle).await;
    // Somebody with the name of a colleague and without a group.
    assert_eq!(load(&channel, "bob", &[]).await.runs, 15);
    let before = tasks(&channel).await;
    assert_eq!(load(&channel, "bob", &[]).await, Loaded { workflows: 4, runs: 0 });
    assert_eq!(tasks(&channel).await, before);
    handle.stop().await;
}
