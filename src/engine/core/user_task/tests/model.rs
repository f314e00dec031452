//! A random life of a user task against a naive model of it.

use proptest::prelude::*;

use crate::api::littlehorse as lh;
use crate::engine::core::Refusal;
use crate::engine::core::testing::*;
use lh::user_task_event::Event;
use lh::{LhStatus, UserTaskRunStatus as Status};

/// What a UserTaskRun is to the naive eye.
#[derive(Clone, Debug, Default, PartialEq)]
struct Model {
    user: Option<String>,
    group: Option<String>,
    epoch: i32,
    done: bool,
    cancelled: bool,
    events: Vec<&'static str>,
    comments: Vec<bool>,
    draft: Option<String>,
}

#[derive(Clone, Debug)]
enum Move {
    Assign(Option<&'static str>, Option<&'static str>, bool),
    Save(&'static str, &'static str, bool),
    Complete(&'static str, Option<&'static str>),
    Cancel,
    Comment(&'static str, &'static str),
    Edit(i32, &'static str),
    Delete(i32, &'static str),
}

fn any_move() -> impl Strategy<Value = Move> {
    let who = || prop::sample::select(vec!["ann", "bob", "", " "]);
    let text = || prop::sample::select(vec!["x", "y", ""]);
    prop_oneof![
        4 => (prop::option::of(who()), prop::option::of(who()), any::<bool>()).prop_map(|(u, g, o)| Move::Assign(u, g, o)),
        3 => (who(), text(), any::<bool>()).prop_map(|(u, t, i)| Move::Save(u, t, i)),
        1 => (who(), prop::option::of(text())).prop_map(|(u, t)| Move::Complete(u, t)),
        1 => Just(Move::Cancel),
        2 => (who(), text()).prop_map(|(u, t)| Move::Comment(u, t)),
        2 => (-1..4, who()).prop_map(|(n, u)| Move::Edit(n, u)),
        2 => (-1..4, who()).prop_map(|(n, u)| Move::Delete(n, u)),
    ]
}

impl Model {
    fn give(&mut self, user: Option<&str>, group: Option<&str>) {
        self.user = user.map(str::to_owned);
        self.group = group.map(str::to_owned);
        self.epoch += 1;
        self.events.push("assigned");
    }

    /// Whether the move is accepted; makes it if so.
    fn accepts(&mut self, next: &Move) -> bool {
        let open = !self.done && !self.cancelled;
        let blank = |text: &str| text.trim().is_empty();
        match *next {
            Move::Assign(user, group, over) => {
                let given = user.is_some() || group.is_some();
                let sound = given && !user.is_some_and(blank) && !group.is_some_and(blank);
                let accepted = sound && (over || self.user.is_none()) && open;
                if accepted {
                    self.give(user, group);
                }
                accepted
            }
            Move::Save(user, text, ignore) => {
                let accepted = open && (ignore || self.user.as_deref().is_none_or(|owner| owner == user));
                if accepted {
                    self.draft = Some(text.to_owned());
                    self.events.push("saved");
                }
                accepted
            }
            Move::Complete(user, text) => {
                if !open {
                    return self.done
                        && self.user.as_deref() == Some(user)
                        && text.is_some()
                        && self.draft.as_deref() == text;
                }
                let accepted = !blank(user) && text.is_some();
                if accepted {
                    if self.user.as_deref() != Some(user) {
                        let group = self.group.clone();
                        self.give(Some(user), group.as_deref());
                    }
                    self.done = true;
                    self.draft = text.map(str::to_owned);
                    self.events.push("completed");
                }
                accepted
            }
            Move::Cancel => {
                if open {
                    self.cancelled = true;
                    self.events.push("cancelled");
                }
                !self.done
            }
            Move::Comment(user, text) => {
                let accepted = !blank(user) && !blank(text);
                if accepted {
                    self.comments.push(true);
                    self.events.push("comment_added");
                }
                accepted
            }
            Move::Edit(number, user) | Move::Delete(number, user) => {
                let comment = usize::try_from(number - 1).ok().and_then(|index| self.comments.get_mut(index));
                let accepted = number != 0 && !blank(user) && comment.as_ref().is_some_and(|there| **there);
                if accepted && let Some(comment) = comment {
                    let edits = matches!(next, Move::Edit(..));
                    *comment = edits;
                    self.events.push(if edits { "comment_edited" } else { "comment_deleted" });
                }
                accepted
            }
        }
    }
}

fn make(bench: &mut Bench, id: &lh::UserTaskRunId, next: &Move) -> Result<(), Refusal> {
    match *next {
        Move::Assign(user, group, over) => bench.assign(id, user, group, over),
        Move::Save(user, text, ignore) => {
            let request = lh::SaveUserTaskRunProgressRequest {
                user_task_run_id: Some(id.clone()),
                results: values(&[("name", s(text))]),
                user_id: user.into(),
                policy: i32::from(ignore),
            };
            bench.give(request).map(drop)
        }
        Move::Complete(user, text) => bench.complete(id, user, &[("name", text.and_then(s))]),
        Move::Cancel => bench.cancel(id),
        Move::Comment(user, text) => bench.comment(id, user, text).map(drop),
        Move::Edit(number, user) => bench
            .give(lh::EditUserTaskRunCommentRequest {
                user_comment_id: number,
                user_task_run_id: Some(id.clone()),
                user_id: user.into(),
                comment: "changed".into(),
            })
            .map(drop),
        Move::Delete(number, user) => bench
            .give(lh::DeleteUserTaskRunCommentRequest {
                user_task_run_id: Some(id.clone()),
                user_comment_id: number,
                user_id: user.into(),
            })
            .map(drop),
    }
}

fn kind(event: &Event) -> &'static str {
    match event {
        Event::TaskExecuted(_) => "task_executed",
        Event::Assigned(_) => "assigned",
        Event::Cancelled(_) => "cancelled",
        Event::Saved(_) => "saved",
        Event::CommentAdded(_) => "comment_added",
        Event::CommentEdited(_) => "comment_edited",
        Event::CommentDeleted(_) => "comment_deleted",
        Event::Completed(_) => "completed",
    }
}

proptest! {
    /// Whatever people do, the task is what a naive model says, and a refused command changes nothing.
    #[test]
    fn a_task_lives_as_the_model_says(owned: bool, moves in prop::collection::vec(any_move(), 1..25)) {
        let mut bench = Bench::default();
        let user = owned.then(|| lit(s("ann")));
        let id = bench.start(user_task(user, Some(lit(s("sales")))));
        let mut model = Model::default();
        model.give(owned.then_some("ann"), Some("sales"));
        for next in &moves {
            let before = bench.state.clone();
            let accepted = make(&mut bench, &id, next);
            prop_assert_eq!(accepted.is_ok(), model.accepts(next), "{:?}: {:?}", next, accepted);
            if accepted.is_err() {
                prop_assert_eq!(&bench.state, &before);
            }
            let task = bench.task(&id).unwrap();
            let open = !model.done && !model.cancelled;
            let status = match (model.done, model.cancelled, &model.user) {
                (true, ..) => Status::Done,
                (_, true, _) => Status::Cancelled,
                (.., Some(_)) => Status::Assigned,
                _ => Status::Unassigned,
            };
            prop_assert_eq!(task.status(), status);
            prop_assert_eq!((&task.user_id, &task.user_group, task.epoch), (&model.user, &model.group, model.epoch));
            prop_assert_eq!(task.events.iter().map(|event| kind(event.event.as_ref().unwrap())).collect::<Vec<_>>(), model.events.clone());
            prop_assert_eq!(task.epoch, model.events.iter().filter(|event| **event == "assigned").count() as i32);
            let draft = values(&model.draft.as_deref().map(|text| ("name", s(text))).into_iter().collect::<Vec<_>>());
            prop_assert_eq!(&task.results, &draft);
            let run = bench.wf_run("run").unwrap().status();
            let expected = if open { LhStatus::Running } else if model.done { LhStatus::Completed } else { LhStatus::Error };
            prop_assert_eq!(run, expected);
        }
    }
}
