//! One task with all that belongs to it.

use std::sync::Arc;

use crate::api::littlehorse as lh;
use crate::domain::{Event, Form, OnCancel, RunBrief, TaskDetail, TaskId, Trouble, Untrusted};

use super::convert;
use super::gate::Gateway;

impl Gateway {
    /// A task with its definition, its run and what comes next. Parts that cannot be read are missing; only the task
    /// itself must be there.
    pub async fn task(&self, id: &TaskId) -> Result<TaskDetail, Trouble> {
        let run = self.user_task_run(id).await?;
        Ok(self.detail(&run).await)
    }

    pub(super) async fn user_task_run(&self, id: &TaskId) -> Result<lh::UserTaskRun, Trouble> {
        let id = &convert::task_id_proto(id);
        self.shared.link.read(|mut clients| async move { clients.lh.get_user_task_run(id.clone()).await }).await
    }

    /// All that belongs to a task that was read.
    pub(super) async fn detail(&self, run: &lh::UserTaskRun) -> TaskDetail {
        let (form, run_part) = tokio::join!(self.form(run.user_task_def_id.as_ref()), self.run_part(run));
        let workflow = run_part.run.as_ref().map(|run| run.workflow.raw().to_owned());
        TaskDetail {
            row: convert::detail_row(run, workflow.as_deref()),
            form,
            values: convert::values(&run.results),
            events: events(run),
            run: run_part.run,
            next: run_part.next,
            on_cancel: run_part.on_cancel,
        }
    }

    async fn form(&self, id: Option<&lh::UserTaskDefId>) -> Result<Form, Untrusted> {
        let Some(id) = id else { return Err("the server does not say which definition it has".into()) };
        match self.user_task_def(id).await {
            Ok(def) => Ok(convert::form_of_def(&def)),
            Err(Trouble::NotFound(_)) => Err("its definition was deleted; it cannot be completed".into()),
            Err(trouble) => Err(trouble.to_string().into()),
        }
    }

    pub(super) async fn user_task_def(&self, id: &lh::UserTaskDefId) -> Result<Arc<lh::UserTaskDef>, Trouble> {
        let key = (id.name.clone(), id.version);
        if let Some(known) = self.shared.defs.get(&key) {
            return Ok(known);
        }
        let def = self.shared.link.read(|mut clients| async move { clients.lh.get_user_task_def(id.clone()).await });
        Ok(self.shared.defs.put(key, def.await?))
    }

    pub(super) async fn wf_spec(&self, id: &lh::WfSpecId) -> Result<Arc<lh::WfSpec>, Trouble> {
        let key = (id.name.clone(), id.major_version, id.revision);
        if let Some(known) = self.shared.specs.get(&key) {
            return Ok(known);
        }
        let spec = self.shared.link.read(|mut clients| async move { clients.lh.get_wf_spec(id.clone()).await });
        Ok(self.shared.specs.put(key, spec.await?))
    }

    async fn run_part(&self, task: &lh::UserTaskRun) -> RunPart {
        let mut part = RunPart { run: None, next: Vec::new(), on_cancel: OnCancel::Unknown };
        let Some(run_id) = task.id.as_ref().and_then(|id| id.wf_run_id.as_ref()) else { return part };
        let (run, node) = tokio::join!(self.wf_run(run_id), self.node_run(task.node_run_id.as_ref()));
        if let Ok(run) = run {
            part.run = Some(self.brief(&run).await);
        }
        if let Some(node) = node
            && let Some(spec_id) = &node.wf_spec_id
            && let Ok(spec) = self.wf_spec(spec_id).await
        {
            part.next = convert::steps_after(&spec, &node.thread_spec_name, &node.node_name);
            part.on_cancel = convert::on_cancel(&spec, &node.thread_spec_name, &node.node_name);
        }
        part
    }

    pub(super) async fn wf_run(&self, id: &lh::WfRunId) -> Result<lh::WfRun, Trouble> {
        self.shared.link.read(|mut clients| async move { clients.lh.get_wf_run(id.clone()).await }).await
    }

    pub(super) async fn node_run(&self, id: Option<&lh::NodeRunId>) -> Option<lh::NodeRun> {
        let id = id?;
        self.shared.link.read(|mut clients| async move { clients.lh.get_node_run(id.clone()).await }).await.ok()
    }
}

struct RunPart {
    run: Option<RunBrief>,
    next: Vec<crate::domain::NextStep>,
    on_cancel: OnCancel,
}

/// The audit trail of a task, in order.
pub(super) fn events(run: &lh::UserTaskRun) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::with_capacity(run.events.len());
    for told in &run.events {
        let before = events.last().map(|event| event.at);
        events.push(convert::event(told, before));
    }
    events
}
