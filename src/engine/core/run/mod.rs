//! WfRuns: starting them and moving their threads from node to node.

use crate::api::littlehorse as lh;
use crate::engine::core::{Refusal, Tx};

/// RunWf: creates a WfRun and advances it until every thread waits or has ended.
pub fn run_wf(_tx: &mut Tx<'_>, _request: lh::RunWfRequest) -> Result<lh::WfRun, Refusal> {
    Err(Refusal::unimplemented("RunWf is not built yet"))
}
