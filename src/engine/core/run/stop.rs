//! StopWfRun and ResumeWfRun.

use crate::api::littlehorse as lh;
use crate::engine::core::run::Run;
use crate::engine::core::run::halt::has_ended;
use crate::engine::core::{Refusal, Tx};
use lh::thread_halt_reason::Reason;

/// StopWfRun: halts a thread and those under it until ResumeWfRun. One that has ended or is stopped already stays so.
pub fn stop(tx: &mut Tx<'_>, request: lh::StopWfRunRequest) -> Result<(), Refusal> {
    let number = request.thread_run_number;
    let mut run = load(tx, request.wf_run_id, "Couldn't find specified WfRun")?;
    check_thread(&run, number, "stop")?;
    if run.unlisted.contains_key(&number) {
        return Err(Refusal::precondition(format!("ThreadRun {number} has not begun, so it cannot be stopped")));
    }
    if run.status_of(number).is_some_and(|status| !has_ended(status)) {
        run.halt(number, Reason::ManualHalt(lh::ManualHalt::default()))?;
    }
    done(run)
}

/// ResumeWfRun: takes back what StopWfRun did to a thread.
pub fn resume(tx: &mut Tx<'_>, request: lh::ResumeWfRunRequest) -> Result<(), Refusal> {
    let number = request.thread_run_number;
    let mut run = load(tx, request.wf_run_id, "Couldn't find provided WfRun")?;
    check_thread(&run, number, "resume")?;
    if run.listed(number).is_some_and(|thread| !has_ended(thread.status())) {
        let reasons = &mut run.thread_mut(number)?.halt_reasons;
        reasons.retain(|reason| !matches!(reason.reason, Some(Reason::ManualHalt(_))));
    }
    done(run)
}

fn load<'t, 's>(tx: &'t mut Tx<'s>, id: Option<lh::WfRunId>, missing: &str) -> Result<Run<'t, 's>, Refusal> {
    let found = tx.read().wf_run_by_id(&id.unwrap_or_default())?;
    let (run, record) = found.ok_or_else(|| Refusal::not_found(missing))?;
    Ok(Run::new(tx, run, record))
}

fn check_thread(run: &Run<'_, '_>, number: i32, what: &str) -> Result<(), Refusal> {
    if (0..=run.record.message.greatest_threadrun_number).contains(&number) {
        return Ok(());
    }
    Err(Refusal::invalid(format!("Tried to {what} a non-existent thread id.")))
}

fn done(mut run: Run<'_, '_>) -> Result<(), Refusal> {
    run.advance()?;
    run.finish()?;
    Ok(())
}
