//! The three comment RPCs. Anyone may comment, edit and delete, on finished tasks too: whose comment it is, is for
//! clients to mind.

use crate::api::littlehorse as lh;
use crate::engine::core::record::UserTaskRunRecord;
use crate::engine::core::user_task::life::{self, Room};
use crate::engine::core::user_task::{find, is_blank, whole};
use crate::engine::core::{Fault, Place, Refusal, RunRef, Tx, id};
use lh::user_task_event::{Event, UteCommentDeleted, UteCommented};

/// PutUserTaskRunComment.
pub fn put(tx: &mut Tx<'_>, request: lh::PutUserTaskRunCommentRequest) -> Result<lh::UserTaskRun, Refusal> {
    check_words(&request.user_id, &request.comment)?;
    let (run, place, record) = task(tx, request.user_task_run_id)?;
    let user_comment_id = i32::try_from(record.facts.comments.saturating_add(1)).unwrap_or(i32::MAX);
    let comment = UteCommented { user_comment_id, user_id: request.user_id, comment: request.comment };
    append(tx, run, place, record, Event::CommentAdded(comment))
}

/// EditUserTaskRunComment.
pub fn edit(tx: &mut Tx<'_>, request: lh::EditUserTaskRunCommentRequest) -> Result<lh::UserTaskRun, Refusal> {
    check_number(request.user_comment_id)?;
    check_words(&request.user_id, &request.comment)?;
    let (run, place, record) = task(tx, request.user_task_run_id)?;
    let user_comment_id = request.user_comment_id;
    match state(tx, run, place, user_comment_id)? {
        State::Unknown => {
            let text = format!("No comment exists for the provided comment ID: {user_comment_id}");
            return Err(Refusal::not_found(text));
        }
        State::Deleted => {
            let text = "The specified comment cannot be edited because it has already been deleted.";
            return Err(Refusal::precondition(text));
        }
        State::There => {}
    }
    let comment = UteCommented { user_comment_id, user_id: request.user_id, comment: request.comment };
    append(tx, run, place, record, Event::CommentEdited(comment))
}

/// DeleteUserTaskRunComment. A blank user is FAILED_PRECONDITION here: LittleHorse's own tests rely on it.
pub fn delete(tx: &mut Tx<'_>, request: lh::DeleteUserTaskRunCommentRequest) -> Result<lh::UserTaskRun, Refusal> {
    check_number(request.user_comment_id)?;
    if is_blank(&request.user_id) {
        return Err(Refusal::precondition("The User Id must be provide"));
    }
    let (run, place, record) = task(tx, request.user_task_run_id)?;
    let user_comment_id = request.user_comment_id;
    match state(tx, run, place, user_comment_id)? {
        State::Unknown => return Err(Refusal::not_found("The user Comment does not exist")),
        State::Deleted => {
            let text = "The specified comment cannot be deleted because it has already been deleted.";
            return Err(Refusal::precondition(text));
        }
        State::There => {}
    }
    let deleted = UteCommentDeleted { user_comment_id, user_id: request.user_id };
    append(tx, run, place, record, Event::CommentDeleted(deleted))
}

fn check_number(user_comment_id: i32) -> Result<(), Refusal> {
    if user_comment_id == 0 {
        return Err(Refusal::precondition("The User Comment Id must be provided"));
    }
    Ok(())
}

fn check_words(user_id: &str, comment: &str) -> Result<(), Refusal> {
    if is_blank(user_id) {
        return Err(Refusal::invalid("The userId must be provided."));
    }
    if is_blank(comment) {
        return Err(Refusal::invalid("The comment must be provided."));
    }
    Ok(())
}

fn task(tx: &mut Tx<'_>, id: Option<lh::UserTaskRunId>) -> Result<(RunRef, Place, UserTaskRunRecord), Refusal> {
    let id = id.unwrap_or_default();
    find(tx, &id, format!("Couldn't find UserTaskRun {}", id::user_task_run_text(&id)))
}

fn append(
    tx: &mut Tx<'_>,
    run: RunRef,
    place: Place,
    mut record: UserTaskRunRecord,
    event: Event,
) -> Result<lh::UserTaskRun, Refusal> {
    life::append(tx, run, place, &mut record, event)?;
    life::check_size(&record, Room::Words)?;
    tx.put_user_task_run(run, place, &record)?;
    whole(tx, run, place)
}

enum State {
    Unknown,
    There,
    Deleted,
}

/// What the last event about a comment says.
fn state(tx: &Tx<'_>, run: RunRef, place: Place, number: i32) -> Result<State, Fault> {
    let mut state = State::Unknown;
    for event in tx.read().user_task_events(run, place)? {
        match event.message.event {
            Some(Event::CommentAdded(comment) | Event::CommentEdited(comment)) if comment.user_comment_id == number => {
                state = State::There;
            }
            Some(Event::CommentDeleted(comment)) if comment.user_comment_id == number => state = State::Deleted,
            _ => {}
        }
    }
    Ok(state)
}
