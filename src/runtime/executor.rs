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
            | Effect::InstallService
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

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::sync::Semaphore;

    use super::*;
    use crate::app::{Generation, Ticket};
    use crate::domain::{
        Act, Acted, Count, Cursor, Happened, HostInfo, Order, RunDetail, RunId, TaskDetail, TaskId, TaskPage, Trouble,
        Untrusted, Values, View, Workflow,
    };

    /// Answers what is let through, and counts what was given up.
    #[derive(Debug)]
    struct Fake {
        acts: Semaphore,
        tasks: Semaphore,
        dropped: Arc<AtomicUsize>,
    }

    struct Dropped(Arc<AtomicUsize>);

    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Server for Fake {
        async fn page(&self, _: View, _: Order, _: Option<Cursor>, _: usize) -> Result<TaskPage, Trouble> {
            pending().await
        }
        async fn counts(&self) -> Result<[Count; 5], Trouble> {
            Ok([Count::Unknown; 5])
        }
        async fn task(&self, task: TaskId) -> Result<Box<TaskDetail>, Trouble> {
            let _guard = Dropped(Arc::clone(&self.dropped));
            self.tasks.acquire().await.expect("never closed").forget();
            Err(Trouble::NotFound(task.guid.into()))
        }
        async fn workflows(&self) -> Result<Vec<Untrusted>, Trouble> {
            pending().await
        }
        async fn workflow(&self, _: String) -> Result<Box<Workflow>, Trouble> {
            pending().await
        }
        async fn run(&self, _: RunId) -> Result<Box<RunDetail>, Trouble> {
            pending().await
        }
        async fn host(&self) -> Result<HostInfo, Trouble> {
            pending().await
        }
        async fn act(&self, _: TaskId, _: Act) -> Result<Acted, Trouble> {
            self.acts.acquire().await.expect("never closed").forget();
            Ok(Acted { happened: Happened::Done, task: None })
        }
        async fn start(&self, _: String, _: Values) -> Result<RunId, Trouble> {
            pending().await
        }
        async fn load_examples(&self) -> Result<(), Trouble> {
            Ok(())
        }
        async fn tell(&self, to: mpsc::Sender<Msg>) {
            let _ = to.send(Msg::Changed { tasks: Vec::new(), missed: true }).await;
        }
    }

    fn id(guid: &str) -> TaskId {
        TaskId { run: RunId::root("run"), guid: guid.to_owned() }
    }

    async fn next(answers: &mut mpsc::Receiver<Msg>) -> Msg {
        let next = tokio::time::timeout(Duration::from_secs(20), answers.recv());
        next.await.expect("no answer came").expect("the executor listens")
    }

    fn executor() -> (Executor<Fake>, mpsc::Receiver<Msg>, Arc<Fake>) {
        let (to, answers) = mpsc::channel(8);
        let fake = Fake { acts: Semaphore::new(0), tasks: Semaphore::new(0), dropped: Arc::default() };
        let server = Arc::new(fake);
        (Executor::new(Arc::clone(&server), Handle::current(), to), answers, server)
    }

    #[tokio::test]
    async fn a_new_read_gives_up_the_one_before_and_only_that() {
        let (mut executor, mut answers, server) = executor();
        assert_eq!(next(&mut answers).await, Msg::Changed { tasks: Vec::new(), missed: true });
        for generation in 1..=3 {
            let effect = Effect::LoadTask { generation: Generation(generation), task: id(&generation.to_string()) };
            assert_eq!(executor.start(effect), None);
        }
        assert_eq!(executor.start(Effect::LoadCounts { generation: Generation(9) }), None);
        let counts = Msg::Counts { generation: Generation(9), result: Ok([Count::Unknown; 5]) };
        assert_eq!(next(&mut answers).await, counts);
        server.tasks.add_permits(3);
        let Msg::Task { generation, result } = next(&mut answers).await else { panic!("not the task") };
        assert_eq!((generation, result), (Generation(3), Err(Trouble::NotFound("3".into()))));
        assert!(answers.try_recv().is_err());
        // Those that were given up may never have begun, but none of them is still there.
        assert!(server.dropped.load(Ordering::Relaxed) <= 3);
    }

    #[tokio::test]
    async fn what_changes_something_is_never_given_up() {
        let (mut executor, mut answers, server) = executor();
        next(&mut answers).await;
        for ticket in 1..=3 {
            let act = Act::Comment { text: "x".to_owned() };
            assert_eq!(executor.start(Effect::Act { ticket: Ticket(ticket), task: id("same"), act }), None);
        }
        drop(executor);
        server.acts.add_permits(3);
        let mut tickets = Vec::new();
        for _ in 0..3 {
            let Msg::Acted { ticket, result: Ok(acted) } = next(&mut answers).await else { panic!("not an act") };
            assert_eq!(acted.happened, Happened::Done);
            tickets.push(ticket.0);
        }
        tickets.sort_unstable();
        assert_eq!(tickets, [1, 2, 3]);
    }

    #[tokio::test]
    async fn what_is_not_for_the_server_comes_back() {
        let (mut executor, _answers, _server) = executor();
        assert_eq!(executor.start(Effect::Suspend), Some(Effect::Suspend));
    }
}
