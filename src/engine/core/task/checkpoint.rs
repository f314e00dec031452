//! PutCheckpoint: what a long task keeps for its next attempt.

use crate::api::littlehorse as lh;
use crate::engine::core::derive::derives_nothing;
use crate::engine::core::key::{Kind, ObjKey};
use crate::engine::core::record::CheckpointRecord;
use crate::engine::core::task::{TaskRef, claim};
use crate::engine::core::{Fault, Reader, Refusal, Tx};
use lh::TaskStatus;
use lh::put_checkpoint_response::FlowControlContinue;

derives_nothing!(CheckpointRecord);

fn checkpoint_key(task: TaskRef, number: u32) -> ObjKey {
    ObjKey::new(task.run.0, Kind::Checkpoint, task.sub, number)
}

impl Reader<'_> {
    /// A Checkpoint.
    pub fn checkpoint(&self, id: &lh::CheckpointId) -> Result<Option<CheckpointRecord>, Fault> {
        let task = self.task_run_ref(&id.task_run.clone().unwrap_or_default())?;
        match (task, u32::try_from(id.checkpoint_number)) {
            (Some(task), Ok(number)) => self.object(checkpoint_key(task, number)),
            _ => Ok(None),
        }
    }
}

/// PutCheckpoint: keeps a value and gives the attempt its whole time again. An attempt that runs no more is told to
/// stop.
pub fn put(tx: &mut Tx<'_>, request: lh::PutCheckpointRequest) -> Result<lh::PutCheckpointResponse, Refusal> {
    let id = request.task_run_id.unwrap_or_default();
    let found = tx.read().task_run_by_id(&id)?;
    let (task, mut record) = found.ok_or_else(|| Refusal::invalid("Could not find specified TaskRun"))?;
    let newest = record.message.attempts.len().checked_sub(1);
    let number = record.message.total_checkpoints;
    let next = number.checked_add(1);
    let is_newest = newest.is_some() && newest == usize::try_from(request.task_attempt).ok();
    let (true, TaskStatus::TaskRunning, Some(next)) = (is_newest, record.message.status(), next) else {
        let stop = FlowControlContinue::StopTask.into();
        return Ok(lh::PutCheckpointResponse { flow_control_continue_type: stop, created_checkpoint: None });
    };
    let checkpoint = lh::Checkpoint {
        id: Some(lh::CheckpointId { task_run: Some(id), checkpoint_number: number }),
        value: Some(request.value.unwrap_or_default()),
        logs: request.logs,
        created_at: Some(tx.now()),
    };
    let key = checkpoint_key(task, number.unsigned_abs());
    tx.store(key, &CheckpointRecord { message: checkpoint.clone(), facts: () })?;
    record.message.total_checkpoints = next;
    record.facts.due = Some(claim::deadline(tx, &record.message));
    tx.put_task_run(task, &record)?;
    Ok(lh::PutCheckpointResponse {
        flow_control_continue_type: FlowControlContinue::ContinueTask.into(),
        created_checkpoint: Some(checkpoint),
    })
}
