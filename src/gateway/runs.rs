//! Workflows and their runs.

use std::collections::BTreeSet;
use std::time::Instant;

use uuid::Uuid;

use super::convert;
use super::fault;
use super::gate::Gateway;
use crate::api::littlehorse as lh;
use crate::domain::{RunBrief, RunDetail, RunId, RunStatus, Trouble, Untrusted, Values, Workflow};

/// How many results are asked for at once; more than a server's default of 100.
const PAGE: i32 = 500;
/// How many pages of anything are read before it is called too many.
const PAGES: usize = 20;
/// How many threads of a run are looked at for where it is now.
const THREADS: usize = 8;

impl Gateway {
    /// The names of all workflows, in order, each once.
    pub async fn workflows(&self) -> Result<Vec<Untrusted>, Trouble> {
        let mut names = BTreeSet::new();
        let mut bookmark = None;
        for _ in 0..PAGES {
            let request =
                &lh::SearchWfSpecRequest { bookmark: bookmark.take(), limit: Some(PAGE), wf_spec_criteria: None };
            let search = self.shared.link.read(|mut clients| {
                let request = request.clone();
                async move { clients.lh.search_wf_spec(request).await }
            });
            let list = search.await?;
            names.extend(list.results.into_iter().map(|id| id.name));
            bookmark = list.bookmark;
            if bookmark.is_none() {
                break;
            }
        }
        Ok(names.into_iter().map(Untrusted::from).collect())
    }

    /// A workflow and what it wants to be told, in its latest version.
    pub async fn workflow(&self, name: &str) -> Result<Workflow, Trouble> {
        let request = &lh::GetLatestWfSpecRequest { name: name.to_owned(), major_version: None };
        let get = self.shared.link.read(|mut clients| {
            let request = request.clone();
            async move { clients.lh.get_latest_wf_spec(request).await }
        });
        let spec = get.await?;
        Ok(Workflow {
            name: spec.id.as_ref().map_or(name, |id| id.name.as_str()).into(),
            version: convert::spec_version(spec.id.as_ref()),
            inputs: convert::inputs_of_spec(&spec),
        })
    }

    /// Starts a run of a workflow's latest version. The run's id is made here, so that after an unknown outcome it can
    /// be looked for.
    pub async fn run_workflow(&self, name: &str, inputs: &Values) -> Result<RunId, Trouble> {
        let variables = convert::values_to_proto(inputs).map_err(|error| Trouble::Local(error.to_string()))?;
        let id = Uuid::new_v4().simple().to_string();
        let request = lh::RunWfRequest {
            wf_spec_name: name.to_owned(),
            variables,
            id: Some(id.clone()),
            ..lh::RunWfRequest::default()
        };
        let start = Instant::now();
        let sent = self.shared.link.send(|mut clients| async move { clients.lh.run_wf(request).await }).await;
        match sent {
            Ok(run) => return Ok(convert::run_id(&run.id.unwrap_or_default())),
            Err(fault) if fault.is_certain() => return Err(fault.into_trouble()),
            Err(_) => {}
        }
        let made = lh::WfRunId { id: id.clone(), parent_wf_run_id: None };
        match self.wf_run(&made).await {
            Ok(_) => Ok(RunId::root(id)),
            Err(_) => Err(fault::unknown(start.elapsed())),
        }
    }

    /// A run: what it did, where it waits, where and why it failed.
    pub async fn run(&self, id: &RunId) -> Result<RunDetail, Trouble> {
        let proto = &convert::run_id_proto(id);
        let run = self.wf_run(proto).await?;
        let (nodes, tasks) = tokio::join!(self.node_runs(proto), self.tasks_of(proto));
        let (nodes, tasks) = (nodes?, tasks?);
        let spec = match &run.wf_spec_id {
            Some(id) => self.wf_spec(id).await.ok(),
            None => None,
        };
        let spec = spec.as_deref();
        let at = nodes
            .iter()
            .filter(|node| is_current(&run, node))
            .map(|node| convert::node_words(&node.node_name, spec, &node.thread_spec_name))
            .collect();
        let workflow = run.wf_spec_id.as_ref().map(|id| id.name.as_str());
        Ok(RunDetail {
            brief: convert::brief(&run, at, convert::failure(&run, &nodes, spec)),
            started: run.start_time.as_ref().and_then(convert::time),
            ended: run.end_time.as_ref().and_then(convert::time),
            steps: nodes.iter().map(|node| convert::run_step(node, spec)).collect(),
            tasks: tasks
                .iter()
                .map(|task| convert::detail_row(task, workflow))
                .filter(|row| row.status.is_open())
                .collect(),
        })
    }

    /// A run as a task's detail shows it. What cannot be read is left out.
    pub(super) async fn brief(&self, run: &lh::WfRun) -> RunBrief {
        let spec = match &run.wf_spec_id {
            Some(id) => self.wf_spec(id).await.ok(),
            None => None,
        };
        let spec = spec.as_deref();
        let mut at = Vec::new();
        let brief = convert::brief(run, Vec::new(), None);
        if matches!(brief.status, RunStatus::Starting | RunStatus::Running | RunStatus::Halting | RunStatus::Halted) {
            for thread in run.thread_runs.iter().filter(|thread| is_live(thread)).take(THREADS) {
                let id = lh::NodeRunId {
                    wf_run_id: run.id.clone(),
                    thread_run_number: thread.number,
                    position: thread.current_node_position,
                };
                if let Some(node) = self.node_run(Some(&id)).await {
                    let name = convert::node_words(&node.node_name, spec, &node.thread_spec_name);
                    if !at.contains(&name) {
                        at.push(name);
                    }
                }
            }
        }
        let failure = match (&run.id, brief.status.failed()) {
            (Some(id), true) => {
                let nodes = self.node_runs(id).await.unwrap_or_default();
                convert::failure(run, &nodes, spec)
            }
            _ => None,
        };
        RunBrief { at, failure, ..brief }
    }

    /// All NodeRuns of a run in the order in which they were reached.
    async fn node_runs(&self, run: &lh::WfRunId) -> Result<Vec<lh::NodeRun>, Trouble> {
        let mut nodes = Vec::new();
        let mut bookmark = None;
        for _ in 0..PAGES {
            let request = &lh::ListNodeRunsRequest {
                wf_run_id: Some(run.clone()),
                thread_run_number: None,
                bookmark: bookmark.take(),
                limit: Some(PAGE),
            };
            let list = self.shared.link.read(|mut clients| {
                let request = request.clone();
                async move { clients.lh.list_node_runs(request).await }
            });
            let list = list.await?;
            nodes.extend(list.results);
            bookmark = list.bookmark;
            if bookmark.is_none() {
                break;
            }
        }
        nodes.sort_by_key(|node| {
            let at = node.arrival_time.as_ref().map(|at| (at.seconds, at.nanos));
            (at, node.id.as_ref().map(|id| (id.thread_run_number, id.position)))
        });
        Ok(nodes)
    }

    async fn tasks_of(&self, run: &lh::WfRunId) -> Result<Vec<lh::UserTaskRun>, Trouble> {
        let mut tasks = Vec::new();
        let mut bookmark = None;
        for _ in 0..PAGES {
            let request = &lh::ListUserTaskRunRequest {
                wf_run_id: Some(run.clone()),
                bookmark: bookmark.take(),
                limit: Some(PAGE),
            };
            let list = self.shared.link.read(|mut clients| {
                let request = request.clone();
                async move { clients.lh.list_user_task_runs(request).await }
            });
            let list = list.await?;
            tasks.extend(list.results);
            bookmark = list.bookmark;
            if bookmark.is_none() {
                break;
            }
        }
        Ok(tasks)
    }
}

/// Whether a thread that has not ended is at this node.
fn is_current(run: &lh::WfRun, node: &lh::NodeRun) -> bool {
    let Some(id) = &node.id else { return false };
    run.thread_runs.iter().any(|thread| {
        thread.number == id.thread_run_number && thread.current_node_position == id.position && is_live(thread)
    })
}

/// By its status: a LittleHorse server leaves the end time of a thread unset when a user task's completion ended it.
fn is_live(thread: &lh::ThreadRun) -> bool {
    use lh::LhStatus::{Completed, Error, Exception};
    !matches!(thread.status(), Completed | Error | Exception)
}
