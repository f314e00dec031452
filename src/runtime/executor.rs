//! Carries out the effects that ask a server.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::server::Server;
use crate::app::{Effect, Msg, Slot};

/// Starts calls as tasks; their answers go to the loop.
///
/// A read lives in a slot: a new one aborts the one before. So there are never more reads in flight than slots. What
/// changes something lives in none and is never aborted.
#[derive(Debug)]
pub(super) struct Executor<S> {
    server: Arc<S>,
    handle: Handle,
    answers: mpsc::Sender<Msg>,
    slots: HashMap<Slot, AbortHandle>,
}

impl<S: Server> Executor<S> {
    pub(super) fn new(server: Arc<S>, handle: Handle, answers: mpsc::Sender<Msg>) -> Self {
        let (told, to) = (Arc::clone(&server), answers.clone());
        handle.spawn(async move { told.tell(to).await });
        Self { server, handle, answers, slots: HashMap::new() }
    }

    /// Starts it, if it is for the server; gives it back otherwise.
    pub(super) fn start(&mut self, effect: Effect) -> Option<Effect> {
        let server = Arc::clone(&self.server);
        match effect {
            Effect::LoadPage { generation, view, order, cursor, limit } => self.read(Slot::Page, async move {
                Msg::Page { generation, result: server.page(view, order, cursor, limit).await }
            }),
            Effect::LoadCounts { generation } => {
                self.read(Slot::Counts, async move { Msg::Counts { generation, result: server.counts().await } });
            }
            Effect::LoadTask { generation, task } => {
                self.read(Slot::Task, async move { Msg::Task { generation, result: server.task(task).await } });
            }
            Effect::LoadWorkflows { generation } => self
                .read(Slot::Workflows, async move { Msg::Workflows { generation, result: server.workflows().await } }),
            Effect::LoadWorkflow { generation, name } => self
                .read(Slot::Workflow, async move { Msg::Workflow { generation, result: server.workflow(name).await } }),
            Effect::LoadRun { generation, run } => {
                self.read(Slot::Run, async move { Msg::Run { generation, result: server.run(run).await } });
            }
            Effect::LoadHost { generation } => {
                self.read(
                    Slot::Host,
                    async move { Msg::Host { generation: Some(generation), result: server.host().await } },
                )
            }
            Effect::Act { ticket, task, act } => {
                self.change(async move { Msg::Acted { ticket, result: server.act(task, act).await } });
            }
            Effect::RunWorkflow { ticket, name, inputs } => {
                self.change(async move { Msg::Started { ticket, result: server.start(name, inputs).await } });
            }
            Effect::LoadExamples { ticket } => {
                self.change(async move { Msg::ExamplesLoaded { ticket, result: server.load_examples().await } });
            }
            Effect::KeepDraft { .. }
            | Effect::FindDraft { .. }
            | Effect::DropDraft { .. }
            | Effect::Copy { .. }
            | Effect::Edit { .. }
            | Effect::Suspend
            | Effect::Quit { .. } => return Some(effect),
        }
        None
    }

    fn read(&mut self, slot: Slot, call: impl Future<Output = Msg> + Send + 'static) {
        let answers = self.answers.clone();
        let task = self.handle.spawn(async move {
            let _ = answers.send(call.await).await;
        });
        if let Some(before) = self.slots.insert(slot, task.abort_handle()) {
            before.abort();
        }
    }

    fn change(&mut self, call: impl Future<Output = Msg> + Send + 'static) {
        let answers = self.answers.clone();
        self.handle.spawn(async move {
            let _ = answers.send(call.await).await;
        });
    }
}
