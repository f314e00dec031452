//! The commands on UserTaskRuns: one file an RPC, and what they share in [`life`].

mod assign;
mod cancel;
mod comment;
mod complete;
pub mod hook;
pub mod life;
mod results;
mod save;
#[cfg(test)]
mod tests;

pub use assign::assign;
pub use cancel::{cancel, close, close_for_good, reopen};
pub use comment::{delete as delete_comment, edit as edit_comment, put as put_comment};
pub use complete::complete;
pub use results::output;
pub use save::save;

use std::rc::Rc;

use crate::api::littlehorse as lh;
use crate::engine::core::key::damaged;
use crate::engine::core::record::{UserTaskDefRecord, UserTaskRunRecord};
use crate::engine::core::{Fault, Place, Refusal, RunRef, Tx, read};

/// A stored UserTaskRun to be changed, and where it lives; NOT_FOUND with this text where there is none.
fn find(
    tx: &mut Tx<'_>,
    id: &lh::UserTaskRunId,
    missing: impl Into<String>,
) -> Result<(RunRef, Place, UserTaskRunRecord), Refusal> {
    if let Some((run, place)) = tx.read().task_ref(id)?
        && let Some(record) = tx.object_to_change(read::user_task_run_key(run, place, 0))?
    {
        return Ok((run, place, record));
    }
    Err(Refusal::not_found(missing))
}

/// The definition that a UserTaskRun was made with, also when it is deleted by now.
pub fn definition(tx: &Tx<'_>, record: &UserTaskRunRecord) -> Result<Rc<UserTaskDefRecord>, Fault> {
    let id = record.message.user_task_def_id.clone().unwrap_or_default();
    let stored = tx.read().user_task_def(&id)?;
    stored.ok_or_else(|| damaged(format!("UserTaskDef {} version {}", id.name, id.version), "missing"))
}

/// The UserTaskRun as Get answers it after this command.
fn whole(tx: &Tx<'_>, run: RunRef, place: Place) -> Result<lh::UserTaskRun, Refusal> {
    let whole = tx.read().whole_user_task_run(run, place)?;
    Ok(whole.ok_or_else(|| damaged(format!("UserTaskRun {} of WfRun {}", place.guid(), run.0), "missing"))?)
}

/// The refusal of what only an open UserTaskRun takes.
fn finished(record: &UserTaskRunRecord) -> Refusal {
    let status = record.message.status().as_str_name();
    Refusal::precondition(format!("UserTaskRun is in status {status}"))
}

/// Nothing, or nothing but blanks.
fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}
