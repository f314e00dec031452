//! From a command to what it writes.

use crate::engine::core::command::{Command, Reply, Request};
use crate::engine::core::{
    Effects, Refusal, State, Tx, WriteSet, bulk_job, definition, event, metric, migration, prune, quota, run, schedule,
    task, timer, user_task,
};

/// A command that was accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// What to store, all or nothing.
    pub writes: WriteSet,
    /// What to answer, once that is durable.
    pub reply: Reply,
    /// What to tell others, once that is durable.
    pub effects: Effects,
}

/// Applies one command to a state. A refusal writes nothing.
pub fn execute(state: &dyn State, command: &Command) -> Result<Applied, Refusal> {
    let mut tx = Tx::new(state, &command.context)?;
    let reply = dispatch(&mut tx, command.request.clone())?;
    run::settle(&mut tx)?;
    metric::flush(&mut tx)?;
    let (writes, effects) = tx.finish();
    Ok(Applied { writes, reply, effects })
}

fn dispatch(tx: &mut Tx<'_>, request: Request) -> Result<Reply, Refusal> {
    Ok(match request {
        Request::DueTimer(request) => timer::fire(tx, &request)?.into(),
        Request::PruneRuns(request) => prune::prune(tx, request)?.into(),
        Request::CountQuotaUsage(request) => metric::quota_usage::count(tx, &request)?.into(),
        // --- Definitions and administration
        Request::PutTenant(request) => definition::tenant::put(tx, request)?.into(),
        Request::PutPrincipal(request) => definition::principal::put(tx, request)?.into(),
        Request::DeletePrincipal(request) => definition::principal::delete(tx, request)?.into(),
        Request::PutQuota(request) => quota::put(tx, request)?.into(),
        Request::DeleteQuota(request) => quota::delete(tx, request)?.into(),
        Request::PutWorkflowMigrationPlan(request) => migration::put(tx, request)?.into(),
        Request::ApplyWorkflowMigrationPlan(request) => migration::apply(tx, request)?.into(),
        Request::CreateBulkJob(request) => bulk_job::create(tx, request)?.into(),
        Request::DeleteBulkJob(request) => bulk_job::delete(tx, request)?.into(),
        Request::PutUserTaskDef(request) => definition::user_task_def::put(tx, request)?.into(),
        Request::DeleteUserTaskDef(request) => definition::user_task_def::delete(tx, request)?.into(),
        Request::PutWfSpec(request) => definition::wf_spec::put(tx, request)?.into(),
        Request::DeleteWfSpec(request) => definition::wf_spec::delete(tx, request)?.into(),
        Request::PutStructDef(request) => definition::struct_def::put(tx, request)?.into(),
        Request::DeleteStructDef(request) => definition::struct_def::delete(tx, request)?.into(),
        // --- Tasks
        Request::PutTaskDef(request) => definition::task_def::put(tx, request)?.into(),
        Request::DeleteTaskDef(request) => definition::task_def::delete(tx, request)?.into(),
        Request::ClaimTask(request) => task::claim(tx, request)?.into(),
        Request::ReportTask(request) => task::report(tx, request)?.into(),
        Request::PutCheckpoint(request) => task::put_checkpoint(tx, request)?.into(),
        Request::RegisterTaskWorker(request) => task::register(tx, request)?.into(),
        // --- Events
        Request::PutExternalEventDef(request) => event::put_external_event_def(tx, request)?.into(),
        Request::DeleteExternalEventDef(request) => event::delete_external_event_def(tx, request)?.into(),
        Request::PutWorkflowEventDef(request) => event::put_workflow_event_def(tx, request)?.into(),
        Request::DeleteWorkflowEventDef(request) => event::delete_workflow_event_def(tx, request)?.into(),
        Request::PutExternalEvent(request) => event::put_external_event(tx, request)?.into(),
        Request::PutCorrelatedEvent(request) => event::put_correlated_event(tx, request)?.into(),
        Request::DeleteCorrelatedEvent(request) => event::delete_correlated_event(tx, request)?.into(),
        Request::ScheduleWf(request) => schedule::schedule_wf(tx, request)?.into(),
        Request::DeleteScheduledWfRun(request) => schedule::delete_scheduled_wf_run(tx, request)?.into(),
        // --- Runs
        Request::RunWf(request) => run::run_wf(tx, request)?.into(),
        Request::StopWfRun(request) => run::stop(tx, request)?.into(),
        Request::ResumeWfRun(request) => run::resume(tx, request)?.into(),
        Request::RescueThreadRun(request) => run::rescue(tx, request)?.into(),
        Request::DeleteWfRun(request) => run::delete::delete(tx, request)?.into(),
        // --- User tasks
        Request::AssignUserTaskRun(request) => user_task::assign(tx, request)?.into(),
        Request::SaveUserTaskRunProgress(request) => user_task::save(tx, request)?.into(),
        Request::CompleteUserTaskRun(request) => user_task::complete(tx, request)?.into(),
        Request::CancelUserTaskRun(request) => user_task::cancel(tx, request)?.into(),
        Request::PutUserTaskRunComment(request) => user_task::put_comment(tx, request)?.into(),
        Request::EditUserTaskRunComment(request) => user_task::edit_comment(tx, request)?.into(),
        Request::DeleteUserTaskRunComment(request) => user_task::delete_comment(tx, request)?.into(),
    })
}
