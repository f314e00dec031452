//! The example workflows for a newcomer: definitions, and some runs with a history.
//!
//! They are made through the LittleHorse API, call by call, as any client would make them: nothing in them is more
//! real or less than what a program at the other end of the wire sees. Loading them again changes nothing: a run
//! that is there already is left as it is.

mod definitions;
mod flow;
mod history;

use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::api::littlehorse as lh;
use crate::domain::Identity;
use lh::little_horse_client::LittleHorseClient;

/// What was loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Workflows that are now registered.
    pub workflows: usize,
    /// Runs that were started now; those of an earlier time are not counted.
    pub runs: usize,
}

/// The group whose tasks the person shall find: the first that is not just the person's own under Unix.
fn group(me: &Identity) -> &str {
    me.groups.iter().find(|group| **group != me.user).or(me.groups.first()).map_or("finance", String::as_str)
}

/// Three colleagues, none of whom is the person.
fn colleagues(me: &Identity) -> [&'static str; 3] {
    match me.user.as_str() {
        "bob" => ["dave", "carol", "erin"],
        "carol" => ["bob", "dave", "erin"],
        "erin" => ["bob", "carol", "dave"],
        _ => ["bob", "carol", "erin"],
    }
}

/// Loads the examples: some of their tasks are for this person, some for the person's groups, some for others.
pub async fn load<F: Interceptor>(
    client: LittleHorseClient<InterceptedService<Channel, F>>,
    me: &Identity,
) -> Result<Loaded, Status> {
    let mut client = Client(client);
    for form in definitions::forms() {
        client.0.put_user_task_def(form).await?;
    }
    let workflows = definitions::workflows(group(me));
    let mut loaded = Loaded { workflows: workflows.len(), runs: 0 };
    for workflow in workflows {
        client.0.put_wf_spec(workflow).await?;
    }
    for run in history::runs(me) {
        loaded.runs += usize::from(client.play(run).await?);
    }
    Ok(loaded)
}

/// The client that plays the examples.
struct Client<F>(LittleHorseClient<InterceptedService<Channel, F>>);

impl<F: Interceptor> Client<F> {
    /// Starts a run and lets people work on it; false when it was there already.
    async fn play(&mut self, run: history::Run) -> Result<bool, Status> {
        let wf_run = match self.0.run_wf(run.start).await {
            Ok(wf_run) => wf_run.into_inner(),
            Err(status) if status.code() == Code::AlreadyExists => return Ok(false),
            Err(status) => return Err(status),
        };
        for step in run.steps {
            // The task that waits now: after a completion it may be another one.
            let id = self.open_task(wf_run.id.clone()).await?;
            self.act(id, step).await?;
        }
        Ok(true)
    }

    async fn open_task(&mut self, wf_run_id: Option<lh::WfRunId>) -> Result<Option<lh::UserTaskRunId>, Status> {
        let request = lh::ListUserTaskRunRequest { wf_run_id, ..Default::default() };
        let tasks = self.0.list_user_task_runs(request).await?.into_inner().results;
        let open = tasks
            .into_iter()
            .find(|task| matches!(task.status(), lh::UserTaskRunStatus::Unassigned | lh::UserTaskRunStatus::Assigned));
        let open = open.ok_or_else(|| Status::failed_precondition("an example has no task to go on with"))?;
        Ok(open.id)
    }

    async fn act(&mut self, user_task_run_id: Option<lh::UserTaskRunId>, step: history::Step) -> Result<(), Status> {
        use history::Step;
        match step {
            Step::Assign { user_id, user_group } => {
                let request =
                    lh::AssignUserTaskRunRequest { user_task_run_id, override_claim: true, user_group, user_id };
                self.0.assign_user_task_run(request).await?;
            }
            Step::Save { user_id, results } => {
                let request =
                    lh::SaveUserTaskRunProgressRequest { user_task_run_id, results, user_id, ..Default::default() };
                self.0.save_user_task_run_progress(request).await?;
            }
            Step::Complete { user_id, results } => {
                let request = lh::CompleteUserTaskRunRequest { user_task_run_id, results, user_id };
                self.0.complete_user_task_run(request).await?;
            }
            Step::Comment { user_id, comment } => {
                let request = lh::PutUserTaskRunCommentRequest { user_task_run_id, user_id, comment };
                self.0.put_user_task_run_comment(request).await?;
            }
            Step::Cancel => {
                let request = lh::CancelUserTaskRunRequest { user_task_run_id };
                self.0.cancel_user_task_run(request).await?;
            }
        }
        Ok(())
    }
}
