//! Ids and times.

use jiff::Timestamp;

use crate::api::littlehorse as lh;
use crate::domain::{RunId, TaskId};

/// Deeper chains of parents than this are cut: each level is a level of recursion in the message.
const DEPTH: usize = 64;

/// The chain of a WfRunId, root first.
pub(in crate::gateway) fn run_id(id: &lh::WfRunId) -> RunId {
    let mut chain = vec![id.id.clone()];
    let mut next = id.parent_wf_run_id.as_deref();
    while let Some(parent) = next.filter(|_| chain.len() < DEPTH) {
        chain.push(parent.id.clone());
        next = parent.parent_wf_run_id.as_deref();
    }
    chain.reverse();
    RunId::new(chain)
}

/// The other way round.
pub(in crate::gateway) fn run_id_proto(id: &RunId) -> lh::WfRunId {
    let mut made: Option<lh::WfRunId> = None;
    for part in id.chain() {
        made = Some(lh::WfRunId { id: part.clone(), parent_wf_run_id: made.map(Box::new) });
    }
    made.unwrap_or_default()
}

/// A UserTaskRunId; without a run it belongs to the run of the empty id, which no server has.
pub(in crate::gateway) fn task_id(id: &lh::UserTaskRunId) -> TaskId {
    let run = id.wf_run_id.as_ref().map_or_else(|| RunId::root(""), run_id);
    TaskId { run, guid: id.user_task_guid.clone() }
}

/// The other way round.
pub(in crate::gateway) fn task_id_proto(id: &TaskId) -> lh::UserTaskRunId {
    lh::UserTaskRunId { wf_run_id: Some(run_id_proto(&id.run)), user_task_guid: id.guid.clone() }
}

/// A time, if it is one: years beyond what a calendar holds are none.
pub(in crate::gateway) fn time(time: &prost_types::Timestamp) -> Option<Timestamp> {
    Timestamp::new(time.seconds, time.nanos).ok()
}
