//! The LittleHorse API. An RPC that is not named here answers UNIMPLEMENTED.

use tonic::{Request, Response, Status};

use super::{Caller, Services, poll};
use crate::api::littlehorse as lh;
use crate::api::littlehorse::little_horse_server::LittleHorse;
use crate::engine::core::{access, query};

/// The whole trait in one list: each RPC is either a command for the writer or a query on a snapshot, and the code
/// of all of one kind is the same. Two that no LittleHorse server has either are refused with its words.
macro_rules! serve {
    (
        commands { $($command:ident($command_request:ty) -> $command_reply:ty;)* }
        queries { $($query:ident($query_request:ty) -> $query_reply:ty;)* }
    ) => {
        #[tonic::async_trait]
        impl LittleHorse for Services {
            $(
                async fn $command(
                    &self,
                    request: Request<$command_request>,
                ) -> Result<Response<$command_reply>, Status> {
                    self.command(request).await
                }
            )*

            $(
                async fn $query(&self, request: Request<$query_request>) -> Result<Response<$query_reply>, Status> {
                    self.query(request, query::$query)
                }
            )*

            async fn poll_task(
                &self,
                request: Request<tonic::Streaming<lh::PollTaskRequest>>,
            ) -> Result<Response<poll::Answers>, Status> {
                let caller = Caller::of(&request)?;
                Ok(Response::new(self.desk.serve(caller, request.into_inner())))
            }

            async fn register_task_worker(
                &self,
                request: Request<lh::RegisterTaskWorkerRequest>,
            ) -> Result<Response<lh::RegisterTaskWorkerResponse>, Status> {
                let address = Caller::of(&request)?.address;
                self.command(request.map(|request| poll::heartbeat(request, address))).await
            }

            async fn report_task(&self, request: Request<lh::ReportTaskRun>) -> Result<Response<()>, Status> {
                // However large: a result that is too large ends its task, and the worker is answered.
                self.submit(request).await
            }

            async fn await_workflow_event(
                &self,
                request: Request<lh::AwaitWorkflowEventRequest>,
            ) -> Result<Response<lh::WorkflowEvent>, Status> {
                let caller = Caller::of(&request)?;
                self.waiting.event(caller, request.into_inner()).await.map(Response::new)
            }

            async fn whoami(&self, request: Request<()>) -> Result<Response<lh::Principal>, Status> {
                let actor = Caller::of(&request)?.actor;
                self.query(request, |state, _, ()| access::whoami(state, &actor))
            }

            async fn list_quota_usage_metrics(
                &self,
                request: Request<lh::ListQuotaUsageMetricsRequest>,
            ) -> Result<Response<lh::MetricsList>, Status> {
                let pending = self.quotas.pending(self.engine.restores());
                self.query(request, |state, tenant, request| {
                    query::list_quota_usage_metrics(state, tenant, request, &pending)
                })
            }

            async fn migrate_wf_spec(
                &self,
                _: Request<lh::MigrateWfSpecRequest>,
            ) -> Result<Response<lh::WfSpec>, Status> {
                Err(Status::unimplemented("Method littlehorse.LittleHorse/MigrateWfSpec is unimplemented"))
            }

            async fn get_wf_spec_metrics_window(
                &self,
                _: Request<lh::WfSpecMetricsQueryRequest>,
            ) -> Result<Response<lh::WfSpecMetrics>, Status> {
                Err(Status::unimplemented("Method littlehorse.LittleHorse/GetWfSpecMetricsWindow is unimplemented"))
            }

            async fn get_task_def_metrics_window(
                &self,
                _: Request<lh::TaskDefMetricsQueryRequest>,
            ) -> Result<Response<lh::TaskDefMetrics>, Status> {
                Err(Status::unimplemented("Method littlehorse.LittleHorse/GetTaskDefMetricsWindow is unimplemented"))
            }

            async fn delete_workflow_migration_plan(
                &self,
                _: Request<lh::DeleteWorkflowMigrationPlanRequest>,
            ) -> Result<Response<()>, Status> {
                Err(Status::unimplemented("DeleteWorkflowMigrationPlan is not yet implemented"))
            }

            async fn get_server_version(&self, _: Request<()>) -> Result<Response<lh::LittleHorseVersion>, Status> {
                Ok(Response::new(query::get_server_version()))
            }
        }
    };
}

serve! {
    commands {
        // --- Definitions and administration
        put_tenant(lh::PutTenantRequest) -> lh::Tenant;
        put_principal(lh::PutPrincipalRequest) -> lh::Principal;
        delete_principal(lh::DeletePrincipalRequest) -> ();
        put_quota(lh::PutQuotaRequest) -> lh::Quota;
        delete_quota(lh::DeleteQuotaRequest) -> ();
        put_workflow_migration_plan(lh::PutWorkflowMigrationPlanRequest) -> lh::WorkflowMigrationPlan;
        apply_workflow_migration_plan(lh::ApplyWorkflowMigrationPlanRequest) -> lh::WfRun;
        create_bulk_job(lh::CreateBulkJobRequest) -> lh::BulkJob;
        delete_bulk_job(lh::DeleteBulkJobRequest) -> ();
        put_user_task_def(lh::PutUserTaskDefRequest) -> lh::UserTaskDef;
        delete_user_task_def(lh::DeleteUserTaskDefRequest) -> ();
        put_wf_spec(lh::PutWfSpecRequest) -> lh::WfSpec;
        delete_wf_spec(lh::DeleteWfSpecRequest) -> ();
        put_struct_def(lh::PutStructDefRequest) -> lh::StructDef;
        delete_struct_def(lh::DeleteStructDefRequest) -> ();
        // --- Tasks
        put_task_def(lh::PutTaskDefRequest) -> lh::TaskDef;
        delete_task_def(lh::DeleteTaskDefRequest) -> ();
        put_checkpoint(lh::PutCheckpointRequest) -> lh::PutCheckpointResponse;
        // --- Events
        put_external_event_def(lh::PutExternalEventDefRequest) -> lh::ExternalEventDef;
        delete_external_event_def(lh::DeleteExternalEventDefRequest) -> ();
        put_workflow_event_def(lh::PutWorkflowEventDefRequest) -> lh::WorkflowEventDef;
        delete_workflow_event_def(lh::DeleteWorkflowEventDefRequest) -> ();
        put_external_event(lh::PutExternalEventRequest) -> lh::ExternalEvent;
        put_correlated_event(lh::PutCorrelatedEventRequest) -> lh::CorrelatedEvent;
        delete_correlated_event(lh::DeleteCorrelatedEventRequest) -> ();
        schedule_wf(lh::ScheduleWfRequest) -> lh::ScheduledWfRun;
        delete_scheduled_wf_run(lh::DeleteScheduledWfRunRequest) -> ();
        // --- Runs
        run_wf(lh::RunWfRequest) -> lh::WfRun;
        stop_wf_run(lh::StopWfRunRequest) -> ();
        resume_wf_run(lh::ResumeWfRunRequest) -> ();
        rescue_thread_run(lh::RescueThreadRunRequest) -> lh::WfRun;
        delete_wf_run(lh::DeleteWfRunRequest) -> ();
        // --- User tasks
        assign_user_task_run(lh::AssignUserTaskRunRequest) -> ();
        save_user_task_run_progress(lh::SaveUserTaskRunProgressRequest) -> lh::UserTaskRun;
        complete_user_task_run(lh::CompleteUserTaskRunRequest) -> ();
        cancel_user_task_run(lh::CancelUserTaskRunRequest) -> ();
        put_user_task_run_comment(lh::PutUserTaskRunCommentRequest) -> lh::UserTaskRun;
        edit_user_task_run_comment(lh::EditUserTaskRunCommentRequest) -> lh::UserTaskRun;
        delete_user_task_run_comment(lh::DeleteUserTaskRunCommentRequest) -> lh::UserTaskRun;
    }
    queries {
        // --- Definitions and administration
        get_tenant(lh::TenantId) -> lh::Tenant;
        search_tenant(lh::SearchTenantRequest) -> lh::TenantIdList;
        get_principal(lh::PrincipalId) -> lh::Principal;
        search_principal(lh::SearchPrincipalRequest) -> lh::PrincipalIdList;
        get_quota(lh::QuotaId) -> lh::Quota;
        get_workflow_migration_plan(lh::WorkflowMigrationPlanId) -> lh::WorkflowMigrationPlan;
        search_workflow_migration_plan(lh::SearchWorkflowMigrationPlanRequest) -> lh::WorkflowMigrationPlanIdList;
        get_bulk_job(lh::GetBulkJobRequest) -> lh::BulkJob;
        search_bulk_job(lh::SearchBulkJobRequest) -> lh::BulkJobIdList;
        list_wf_metrics(lh::ListWfMetricsRequest) -> lh::MetricsList;
        list_task_metrics(lh::ListTaskMetricsRequest) -> lh::MetricsList;
        get_metric_window(lh::MetricWindowId) -> lh::MetricWindow;
        search_wf_metric_window(lh::SearchWfMetricWindowRequest) -> lh::MetricWindowIdList;
        search_quota(lh::SearchQuotaRequest) -> lh::QuotaIdList;
        get_user_task_def(lh::UserTaskDefId) -> lh::UserTaskDef;
        get_latest_user_task_def(lh::GetLatestUserTaskDefRequest) -> lh::UserTaskDef;
        search_user_task_def(lh::SearchUserTaskDefRequest) -> lh::UserTaskDefIdList;
        get_wf_spec(lh::WfSpecId) -> lh::WfSpec;
        get_latest_wf_spec(lh::GetLatestWfSpecRequest) -> lh::WfSpec;
        search_wf_spec(lh::SearchWfSpecRequest) -> lh::WfSpecIdList;
        get_struct_def(lh::StructDefId) -> lh::StructDef;
        search_struct_def(lh::SearchStructDefRequest) -> lh::StructDefIdList;
        validate_struct_def_evolution(
            lh::ValidateStructDefEvolutionRequest
        ) -> lh::ValidateStructDefEvolutionResponse;
        // --- Tasks
        get_task_def(lh::TaskDefId) -> lh::TaskDef;
        search_task_def(lh::SearchTaskDefRequest) -> lh::TaskDefIdList;
        get_task_run(lh::TaskRunId) -> lh::TaskRun;
        list_task_runs(lh::ListTaskRunsRequest) -> lh::TaskRunList;
        search_task_run(lh::SearchTaskRunRequest) -> lh::TaskRunIdList;
        count_task_run(lh::CountTaskRunRequest) -> lh::Count;
        get_task_worker_group(lh::TaskDefId) -> lh::TaskWorkerGroup;
        get_checkpoint(lh::CheckpointId) -> lh::Checkpoint;
        count_node_run(lh::CountNodeRunRequest) -> lh::Count;
        search_node_run(lh::SearchNodeRunRequest) -> lh::NodeRunIdList;
        // --- Events
        get_external_event_def(lh::ExternalEventDefId) -> lh::ExternalEventDef;
        search_external_event_def(lh::SearchExternalEventDefRequest) -> lh::ExternalEventDefIdList;
        get_workflow_event_def(lh::WorkflowEventDefId) -> lh::WorkflowEventDef;
        search_workflow_event_def(lh::SearchWorkflowEventDefRequest) -> lh::WorkflowEventDefIdList;
        get_external_event(lh::ExternalEventId) -> lh::ExternalEvent;
        list_external_events(lh::ListExternalEventsRequest) -> lh::ExternalEventList;
        search_external_event(lh::SearchExternalEventRequest) -> lh::ExternalEventIdList;
        get_correlated_event(lh::CorrelatedEventId) -> lh::CorrelatedEvent;
        search_correlated_event(lh::SearchCorrelatedEventRequest) -> lh::CorrelatedEventIdList;
        get_workflow_event(lh::WorkflowEventId) -> lh::WorkflowEvent;
        list_workflow_events(lh::ListWorkflowEventsRequest) -> lh::WorkflowEventList;
        search_workflow_event(lh::SearchWorkflowEventRequest) -> lh::WorkflowEventIdList;
        get_scheduled_wf_run(lh::ScheduledWfRunId) -> lh::ScheduledWfRun;
        search_scheduled_wf_run(lh::SearchScheduledWfRunRequest) -> lh::ScheduledWfRunIdList;
        // --- Runs
        get_wf_run(lh::WfRunId) -> lh::WfRun;
        get_inactive_thread_run(lh::InactiveThreadRunId) -> lh::InactiveThreadRun;
        search_wf_run(lh::SearchWfRunRequest) -> lh::WfRunIdList;
        get_node_run(lh::NodeRunId) -> lh::NodeRun;
        list_node_runs(lh::ListNodeRunsRequest) -> lh::NodeRunList;
        get_variable(lh::VariableId) -> lh::Variable;
        list_variables(lh::ListVariablesRequest) -> lh::VariableList;
        search_variable(lh::SearchVariableRequest) -> lh::VariableIdList;
        // --- User tasks
        get_user_task_run(lh::UserTaskRunId) -> lh::UserTaskRun;
        list_user_task_runs(lh::ListUserTaskRunRequest) -> lh::UserTaskRunList;
        search_user_task_run(lh::SearchUserTaskRunRequest) -> lh::UserTaskRunIdList;
    }
}
