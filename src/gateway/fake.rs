//! A LittleHorse server for tests: keeps tasks as a real one does, quirks included, and can be told to misbehave.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

use super::gate::Gateway;
use super::remote::RemoteConnector;
use crate::api::littlehorse as lh;
use crate::api::littlehorse::little_horse_server::{LittleHorse, LittleHorseServer};
use crate::api::ostler::v1;
use crate::api::ostler::v1::ostler_server::{Ostler, OstlerServer};
use crate::domain::{Identity, RunId, TaskId};
use lh::user_task_event as ute;
use lh::user_task_event::Event;

/// What to do when a call comes, before it is carried out.
pub(super) type BeforeCall = Box<dyn FnOnce(&mut Tasks) + Send>;

/// What the server keeps and how it behaves.
#[derive(Default)]
pub(super) struct Tasks {
    pub(super) runs: BTreeMap<(String, String), lh::UserTaskRun>,
    pub(super) defs: Vec<lh::UserTaskDef>,
    pub(super) wf_runs: BTreeSet<String>,
    /// Every call by its name, in order.
    pub(super) calls: Vec<&'static str>,
    /// Called once, when the named call comes.
    pub(super) before: BTreeMap<&'static str, BeforeCall>,
    /// Calls that are carried out and never answered.
    pub(super) unanswered: BTreeSet<&'static str>,
    /// Calls that are neither carried out nor answered.
    pub(super) lost: BTreeSet<&'static str>,
    /// Calls that are refused.
    pub(super) refused: BTreeMap<&'static str, Status>,
    clock: i64,
}

/// The server's handle for a test.
#[derive(Clone, Default)]
pub(super) struct Fake {
    tasks: Arc<Mutex<Tasks>>,
    in_flight: Arc<AtomicUsize>,
    pub(super) most_in_flight: Arc<AtomicUsize>,
}

/// It runs until this is dropped; then every connection breaks at once.
pub(super) struct Serving {
    pub(super) address: SocketAddr,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Fake {
    pub(super) fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap()
    }

    /// How often a call came. A test that asked for [`Fake::tasks`] twice in one statement would wait for itself.
    pub(super) fn called(&self, call: &str) -> usize {
        self.tasks().calls.iter().filter(|called| **called == call).count()
    }

    pub(super) fn serve(&self) -> Serving {
        self.serve_at("127.0.0.1:0".parse().unwrap())
    }

    /// Serves at an address, on threads of its own.
    pub(super) fn serve_at(&self, address: SocketAddr) -> Serving {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (fake, ostler) = (self.clone(), self.clone());
        let (send, receive) = std::sync::mpsc::channel();
        runtime.spawn(async move {
            let listener = TcpListener::bind(address).await.unwrap();
            send.send(listener.local_addr().unwrap()).unwrap();
            tonic::transport::Server::builder()
                .add_service(LittleHorseServer::new(fake))
                .add_service(OstlerServer::new(ostler))
                .serve_with_incoming(TcpListenerStream::new(listener))
                .await
                .unwrap();
        });
        Serving { address: receive.recv().unwrap(), runtime: Some(runtime) }
    }

    /// A call came: what was planned for it happens, and it may be lost.
    async fn came(&self, call: &'static str) -> Result<(), Status> {
        let most = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_in_flight.fetch_max(most, Ordering::SeqCst);
        let (lost, refused) = {
            let mut tasks = self.tasks();
            tasks.calls.push(call);
            if let Some(before) = tasks.before.remove(call) {
                before(&mut tasks);
            }
            (tasks.lost.contains(call), tasks.refused.get(call).cloned())
        };
        if lost {
            std::future::pending::<()>().await;
        }
        // Others get their turn, as on a line that takes time.
        tokio::task::yield_now().await;
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        refused.map_or(Ok(()), Err)
    }

    /// A call was carried out: the answer may be lost.
    async fn answer<T>(&self, call: &'static str, answer: T) -> Result<Response<T>, Status> {
        let unanswered = self.tasks().unanswered.contains(call);
        if unanswered {
            std::future::pending::<()>().await;
        }
        Ok(Response::new(answer))
    }
}

/// The person of the tests, with one group.
pub(super) fn amy() -> Identity {
    Identity { user: "amy".to_owned(), groups: vec!["finance".to_owned()] }
}

/// A gateway that is less patient than a person.
pub(super) fn gateway(serving: &Serving) -> Gateway {
    let connector = RemoteConnector::new(&format!("http://{}", serving.address)).unwrap();
    Gateway::with_deadline(Arc::new(connector), amy(), "default", Duration::from_millis(400)).unwrap()
}

pub(super) fn id(run: &str) -> TaskId {
    TaskId { run: RunId::root(run), guid: "0-1".to_owned() }
}

pub(super) fn text(text: &str) -> lh::VariableValue {
    lh::VariableValue { value: Some(lh::variable_value::Value::Str(text.to_owned())) }
}

fn key(id: &Option<lh::UserTaskRunId>) -> (String, String) {
    let id = id.clone().unwrap_or_default();
    (id.wf_run_id.unwrap_or_default().id, id.user_task_guid)
}

impl Tasks {
    fn now(&mut self) -> prost_types::Timestamp {
        self.clock += 1;
        prost_types::Timestamp { seconds: 1_790_000_000 + self.clock, nanos: 0 }
    }

    /// Adds an open task that was reached at a time in milliseconds.
    pub(super) fn add(&mut self, run: &str, user: Option<&str>, group: Option<&str>, at_ms: i64) {
        let wf_run_id = Some(lh::WfRunId { id: run.to_owned(), parent_wf_run_id: None });
        let id = lh::UserTaskRunId { wf_run_id, user_task_guid: "0-1".to_owned() };
        let task = lh::UserTaskRun {
            id: Some(id.clone()),
            user_task_def_id: Some(lh::UserTaskDefId { name: "approve".to_owned(), version: 0 }),
            scheduled_time: Some(prost_types::Timestamp {
                seconds: at_ms.div_euclid(1000),
                nanos: (at_ms.rem_euclid(1000) * 1_000_000) as i32,
            }),
            ..lh::UserTaskRun::default()
        };
        self.runs.insert(key(&Some(id)), task);
        self.assign(run, user, group);
    }

    pub(super) fn run(&mut self, run: &str) -> &mut lh::UserTaskRun {
        self.runs.get_mut(&(run.to_owned(), "0-1".to_owned())).unwrap()
    }

    fn tell(&mut self, run: &str, event: Event) {
        let time = Some(self.now());
        self.run(run).events.push(lh::UserTaskEvent { time, event: Some(event) });
    }

    pub(super) fn assign(&mut self, run: &str, user: Option<&str>, group: Option<&str>) {
        let task = self.run(run);
        let event = ute::UteAssigned {
            old_user_id: task.user_id.take(),
            old_user_group: task.user_group.take(),
            new_user_id: user.map(str::to_owned),
            new_user_group: group.map(str::to_owned),
        };
        task.user_id = event.new_user_id.clone();
        task.user_group = event.new_user_group.clone();
        task.set_status(match user {
            Some(_) => lh::UserTaskRunStatus::Assigned,
            None => lh::UserTaskRunStatus::Unassigned,
        });
        self.tell(run, Event::Assigned(event));
    }

    pub(super) fn complete(&mut self, run: &str, user: &str, results: BTreeMap<String, lh::VariableValue>) {
        let group = self.run(run).user_group.clone();
        if self.run(run).user_id.as_deref() != Some(user) {
            self.assign(run, Some(user), group.as_deref());
        }
        self.run(run).results.extend(results);
        self.run(run).set_status(lh::UserTaskRunStatus::Done);
        self.tell(run, Event::Completed(ute::UteCompleted {}));
    }

    pub(super) fn cancel(&mut self, run: &str) {
        self.run(run).set_status(lh::UserTaskRunStatus::Cancelled);
        self.tell(run, Event::Cancelled(ute::UteCancelled { message: "UserTaskRun was cancelled".to_owned() }));
    }

    /// The calls that change something, in order.
    pub(super) fn sent(&self) -> Vec<&'static str> {
        let changes = ["assign", "save", "complete", "cancel", "comment", "run"];
        self.calls.iter().filter(|call| changes.contains(call)).copied().collect()
    }

    fn search(&self, request: lh::SearchUserTaskRunRequest) -> lh::UserTaskRunIdList {
        let ms = |time: &prost_types::Timestamp| time.seconds * 1000 + i64::from(time.nanos) / 1_000_000;
        let within = |is: &Option<String>, wanted: &Option<String>| match (wanted, is) {
            (None, _) => true,
            // The quirk: a value is found by its beginning, if a slash follows.
            (Some(wanted), Some(is)) => is == wanted || is.starts_with(&format!("{wanted}/")),
            (Some(_), None) => false,
        };
        let mut found: Vec<&lh::UserTaskRun> = self
            .runs
            .values()
            .filter(|task| request.status.is_none_or(|status| status == task.status))
            .filter(|task| within(&task.user_id, &request.user_id) && within(&task.user_group, &request.user_group))
            .filter(|task| {
                let at = task.scheduled_time.as_ref().map(ms).unwrap();
                request.earliest_start.as_ref().is_none_or(|from| at >= ms(from))
                    && request.latest_start.as_ref().is_none_or(|to| at <= ms(to))
            })
            .collect();
        // One partition after the other: by time only within each.
        found.sort_by_key(|task| {
            let run = key(&task.id).0;
            (run.bytes().map(u32::from).sum::<u32>() % 3, task.scheduled_time.as_ref().map(ms), run)
        });
        let from = request.bookmark.map_or(0, |at| usize::from_le_bytes(at.try_into().unwrap()));
        let limit = usize::try_from(request.limit.unwrap_or(100)).unwrap();
        let results = found.iter().skip(from).take(limit).filter_map(|task| task.id.clone()).collect();
        let bookmark = (found.len() > from + limit).then(|| (from + limit).to_le_bytes().to_vec());
        lh::UserTaskRunIdList { results, bookmark }
    }

    fn is_open(&mut self, run: &str) -> bool {
        use lh::UserTaskRunStatus::{Assigned, Unassigned};
        matches!(self.run(run).status(), Assigned | Unassigned)
    }
}

#[tonic::async_trait]
impl LittleHorse for Fake {
    async fn get_server_version(&self, _: Request<()>) -> Result<Response<lh::LittleHorseVersion>, Status> {
        self.came("version").await?;
        let version = lh::LittleHorseVersion { major_version: 1, minor_version: 3, ..Default::default() };
        self.answer("version", version).await
    }

    async fn get_user_task_run(
        &self,
        request: Request<lh::UserTaskRunId>,
    ) -> Result<Response<lh::UserTaskRun>, Status> {
        self.came("get").await?;
        let found = self.tasks().runs.get(&key(&Some(request.into_inner()))).cloned();
        self.answer("get", found.ok_or_else(|| Status::not_found("Requested object was not found."))?).await
    }

    async fn get_user_task_def(
        &self,
        request: Request<lh::UserTaskDefId>,
    ) -> Result<Response<lh::UserTaskDef>, Status> {
        self.came("def").await?;
        let id = request.into_inner();
        let found = self.tasks().defs.iter().find(|def| def.name == id.name && def.version == id.version).cloned();
        self.answer("def", found.ok_or_else(|| Status::not_found("Couldn't find UserTaskDef"))?).await
    }

    async fn search_user_task_run(
        &self,
        request: Request<lh::SearchUserTaskRunRequest>,
    ) -> Result<Response<lh::UserTaskRunIdList>, Status> {
        self.came("search").await?;
        let found = self.tasks().search(request.into_inner());
        self.answer("search", found).await
    }

    async fn assign_user_task_run(
        &self,
        request: Request<lh::AssignUserTaskRunRequest>,
    ) -> Result<Response<()>, Status> {
        self.came("assign").await?;
        let request = request.into_inner();
        let (run, _) = key(&request.user_task_run_id);
        {
            let mut tasks = self.tasks();
            if let Some(owner) = tasks.run(&run).user_id.clone().filter(|_| !request.override_claim) {
                return Err(Status::failed_precondition(format!("User Task Run already assigned to {owner}")));
            }
            if !tasks.is_open(&run) {
                return Err(Status::failed_precondition("Couldn't reassign User Task Run"));
            }
            tasks.assign(&run, request.user_id.as_deref(), request.user_group.as_deref());
        }
        self.answer("assign", ()).await
    }

    async fn save_user_task_run_progress(
        &self,
        request: Request<lh::SaveUserTaskRunProgressRequest>,
    ) -> Result<Response<lh::UserTaskRun>, Status> {
        self.came("save").await?;
        let request = request.into_inner();
        let (run, _) = key(&request.user_task_run_id);
        let saved = {
            let mut tasks = self.tasks();
            let owner = tasks.run(&run).user_id.clone();
            if request.policy == 0 && owner.is_some_and(|owner| owner != request.user_id) {
                return Err(Status::failed_precondition("UserTaskRun is assigned to another user"));
            }
            if !tasks.is_open(&run) {
                return Err(Status::failed_precondition("UserTaskRun is in status DONE"));
            }
            tasks.run(&run).results = request.results.clone();
            tasks.tell(&run, Event::Saved(ute::UteSaved { user_id: request.user_id, results: request.results }));
            tasks.run(&run).clone()
        };
        self.answer("save", saved).await
    }

    async fn complete_user_task_run(
        &self,
        request: Request<lh::CompleteUserTaskRunRequest>,
    ) -> Result<Response<()>, Status> {
        self.came("complete").await?;
        let request = request.into_inner();
        let (run, _) = key(&request.user_task_run_id);
        {
            let mut tasks = self.tasks();
            // The quirk: a completion that comes too late is dropped, and the answer is OK.
            if tasks.is_open(&run) {
                tasks.complete(&run, &request.user_id, request.results);
            }
        }
        self.answer("complete", ()).await
    }

    async fn cancel_user_task_run(
        &self,
        request: Request<lh::CancelUserTaskRunRequest>,
    ) -> Result<Response<()>, Status> {
        self.came("cancel").await?;
        let (run, _) = key(&request.into_inner().user_task_run_id);
        // The quirk: whatever its status.
        self.tasks().cancel(&run);
        self.answer("cancel", ()).await
    }

    async fn put_user_task_run_comment(
        &self,
        request: Request<lh::PutUserTaskRunCommentRequest>,
    ) -> Result<Response<lh::UserTaskRun>, Status> {
        self.came("comment").await?;
        let request = request.into_inner();
        let (run, _) = key(&request.user_task_run_id);
        let commented = {
            let mut tasks = self.tasks();
            let comment = ute::UteCommented { user_comment_id: 1, user_id: request.user_id, comment: request.comment };
            tasks.tell(&run, Event::CommentAdded(comment));
            tasks.run(&run).clone()
        };
        self.answer("comment", commented).await
    }

    async fn run_wf(&self, request: Request<lh::RunWfRequest>) -> Result<Response<lh::WfRun>, Status> {
        self.came("run").await?;
        let id = request.into_inner().id.unwrap();
        self.tasks().wf_runs.insert(id.clone());
        let id = Some(lh::WfRunId { id, parent_wf_run_id: None });
        self.answer("run", lh::WfRun { id, ..lh::WfRun::default() }).await
    }

    async fn get_wf_run(&self, request: Request<lh::WfRunId>) -> Result<Response<lh::WfRun>, Status> {
        self.came("wf_run").await?;
        let id = request.into_inner();
        let found = self.tasks().wf_runs.contains(&id.id);
        let run = lh::WfRun { id: Some(id), ..lh::WfRun::default() };
        self.answer("wf_run", found.then_some(run).ok_or_else(|| Status::not_found("no"))?).await
    }
}

/// A server that is no ostler, and counts how often it was asked.
#[tonic::async_trait]
impl Ostler for Fake {
    async fn get_host(&self, _: Request<()>) -> Result<Response<v1::Host>, Status> {
        self.came("ostler").await?;
        Err(Status::unimplemented("unknown service"))
    }

    async fn list_tasks(&self, _: Request<v1::ListTasksRequest>) -> Result<Response<v1::TaskPage>, Status> {
        self.came("ostler").await?;
        Err(Status::unimplemented("unknown service"))
    }

    async fn count_tasks(&self, _: Request<v1::CountTasksRequest>) -> Result<Response<v1::TaskCounts>, Status> {
        self.came("ostler").await?;
        Err(Status::unimplemented("unknown service"))
    }
}
