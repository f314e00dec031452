//! What can be asked: one pure function an RPC, over any state.
//!
//! They take the tenant's name and the request as it came, and answer as the RPC does. A page does bounded work,
//! whatever the store holds; see [`page`].

mod definitions;
mod events;
mod metrics;
mod nodes;
mod objects;
pub(super) mod page;
mod principals;
mod runs;
mod server;
mod task_runs;
mod tasks;
mod variables;

#[cfg(test)]
mod tests;

pub use definitions::{
    get_latest_user_task_def, get_latest_wf_spec, get_struct_def, get_user_task_def, get_wf_spec, search_struct_def,
    search_user_task_def, search_wf_spec, validate_struct_def_evolution,
};
pub use events::{
    get_correlated_event, get_external_event, get_external_event_def, get_scheduled_wf_run, get_workflow_event,
    get_workflow_event_def, list_external_events, list_workflow_events, search_correlated_event, search_external_event,
    search_external_event_def, search_scheduled_wf_run, search_workflow_event, search_workflow_event_def, thrown_event,
};
pub use metrics::{
    get_metric_window, list_quota_usage_metrics, list_task_metrics, list_wf_metrics, search_wf_metric_window,
};
pub use nodes::{count_node_run, search_node_run};
pub use principals::{get_principal, search_principal};
pub use runs::{
    get_inactive_thread_run, get_node_run, get_variable, get_wf_run, list_node_runs, list_variables, search_wf_run,
};
pub use server::{get_server_version, get_tenant, search_tenant, tenant_exists, tenant_is_stored};
pub use task_runs::{
    count_task_run, get_checkpoint, get_task_def, get_task_run, get_task_worker_group, list_task_runs, search_task_def,
    search_task_run,
};
pub use tasks::{count_tasks, get_user_task_run, list_tasks, list_user_task_runs, search_user_task_run};

pub use crate::engine::core::bulk_job::{get_bulk_job, search_bulk_job};
pub use crate::engine::core::migration::{get_workflow_migration_plan, search_workflow_migration_plan};
pub use crate::engine::core::quota::{get_quota, search_quota};
use crate::engine::core::{Reader, Refusal, State};

/// How many tasks wait in the queue of a TaskDef; counted no further than `limit`.
pub fn queued_tasks(state: &dyn State, tenant: &str, task_def: &str, limit: usize) -> Result<usize, Refusal> {
    Ok(reader(state, tenant)?.queue(task_def, limit)?.len())
}
pub use variables::search_variable;

fn reader<'a>(state: &'a dyn State, tenant: &str) -> Result<Reader<'a>, Refusal> {
    Ok(Reader::new(state, tenant)?)
}

fn not_there() -> Refusal {
    Refusal::not_found("Requested object was not found.")
}
