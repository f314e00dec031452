//! What the loop asks of a server, one call for each effect that has an answer.

use std::future::Future;

use tokio::sync::mpsc;

use crate::app::Msg;
use crate::domain::{
    Act, Acted, Count, Cursor, HostInfo, Order, RunDetail, RunId, TaskDetail, TaskId, TaskPage, Trouble, Untrusted,
    Values, View, Workflow,
};

/// The future of one call.
pub trait Call<T>: Future<Output = Result<T, Trouble>> + Send {}

impl<T, F: Future<Output = Result<T, Trouble>> + Send> Call<T> for F {}

/// The server as the inbox sees it. Reads may be dropped half-way; calls that change something are driven to their end.
pub trait Server: Send + Sync + 'static {
    /// A part of a view.
    fn page(&self, view: View, order: Order, cursor: Option<Cursor>, limit: usize) -> impl Call<TaskPage>;
    /// The numbers on the tabs.
    fn counts(&self) -> impl Call<[Count; 5]>;
    /// A task with all that is known of it.
    fn task(&self, task: TaskId) -> impl Call<Box<TaskDetail>>;
    /// The names of all workflows.
    fn workflows(&self) -> impl Call<Vec<Untrusted>>;
    /// A workflow's inputs, latest version.
    fn workflow(&self, name: String) -> impl Call<Box<Workflow>>;
    /// A run with its steps.
    fn run(&self, run: RunId) -> impl Call<Box<RunDetail>>;
    /// What is known of the host.
    fn host(&self) -> impl Call<HostInfo>;
    /// Changes a task and reads back what came of it.
    fn act(&self, task: TaskId, act: Act) -> impl Call<Acted>;
    /// Starts a run.
    fn start(&self, name: String, inputs: Values) -> impl Call<RunId>;
    /// Loads the examples and starts some of them.
    fn load_examples(&self) -> impl Call<()>;
    /// Tells what comes unasked (`Msg::Connection`, `Msg::Host`, `Msg::Changed`) until nobody listens.
    fn tell(&self, to: mpsc::Sender<Msg>) -> impl Future<Output = ()> + Send;
}
