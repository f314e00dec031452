//! The commands on UserTaskRuns.

use crate::api::littlehorse as lh;
use crate::engine::core::{Refusal, Tx};

/// AssignUserTaskRun.
pub fn assign(_tx: &mut Tx<'_>, _request: lh::AssignUserTaskRunRequest) -> Result<(), Refusal> {
    Err(Refusal::unimplemented("AssignUserTaskRun is not built yet"))
}

/// SaveUserTaskRunProgress.
pub fn save(_tx: &mut Tx<'_>, _request: lh::SaveUserTaskRunProgressRequest) -> Result<lh::UserTaskRun, Refusal> {
    Err(Refusal::unimplemented("SaveUserTaskRunProgress is not built yet"))
}

/// CompleteUserTaskRun.
pub fn complete(_tx: &mut Tx<'_>, _request: lh::CompleteUserTaskRunRequest) -> Result<(), Refusal> {
    Err(Refusal::unimplemented("CompleteUserTaskRun is not built yet"))
}

/// CancelUserTaskRun.
pub fn cancel(_tx: &mut Tx<'_>, _request: lh::CancelUserTaskRunRequest) -> Result<(), Refusal> {
    Err(Refusal::unimplemented("CancelUserTaskRun is not built yet"))
}

/// PutUserTaskRunComment.
pub fn put_comment(_tx: &mut Tx<'_>, _request: lh::PutUserTaskRunCommentRequest) -> Result<lh::UserTaskRun, Refusal> {
    Err(Refusal::unimplemented("PutUserTaskRunComment is not built yet"))
}

/// EditUserTaskRunComment.
pub fn edit_comment(_tx: &mut Tx<'_>, _request: lh::EditUserTaskRunCommentRequest) -> Result<lh::UserTaskRun, Refusal> {
    Err(Refusal::unimplemented("EditUserTaskRunComment is not built yet"))
}

/// DeleteUserTaskRunComment.
pub fn delete_comment(
    _tx: &mut Tx<'_>,
    _request: lh::DeleteUserTaskRunCommentRequest,
) -> Result<lh::UserTaskRun, Refusal> {
    Err(Refusal::unimplemented("DeleteUserTaskRunComment is not built yet"))
}
