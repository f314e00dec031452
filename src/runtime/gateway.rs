//! The gateway as the loop's server.

use tokio::sync::mpsc;

use super::server::Server;
use crate::app::Msg;
use crate::domain::{
    Act, Acted, Count, Cursor, HostInfo, Order, RunDetail, RunId, TaskDetail, TaskId, TaskPage, Trouble, Untrusted,
    Values, View, Workflow,
};
use crate::gateway::{Gateway, News};

impl Server for Gateway {
    async fn page(&self, view: View, order: Order, cursor: Option<Cursor>, limit: usize) -> Result<TaskPage, Trouble> {
        Gateway::page(self, view, order, cursor.as_ref(), limit).await
    }

    async fn counts(&self) -> Result<[Count; 5], Trouble> {
        Gateway::counts(self).await
    }

    async fn task(&self, task: TaskId) -> Result<Box<TaskDetail>, Trouble> {
        Gateway::task(self, &task).await.map(Box::new)
    }

    async fn workflows(&self) -> Result<Vec<Untrusted>, Trouble> {
        Gateway::workflows(self).await
    }

    async fn workflow(&self, name: String) -> Result<Box<Workflow>, Trouble> {
        Gateway::workflow(self, &name).await.map(Box::new)
    }

    async fn run(&self, run: RunId) -> Result<Box<RunDetail>, Trouble> {
        Gateway::run(self, &run).await.map(Box::new)
    }

    async fn host(&self) -> Result<HostInfo, Trouble> {
        Gateway::host(self).await
    }

    async fn act(&self, task: TaskId, act: Act) -> Result<Acted, Trouble> {
        Gateway::act(self, &task, &act).await
    }

    async fn start(&self, name: String, inputs: Values) -> Result<RunId, Trouble> {
        self.run_workflow(&name, &inputs).await
    }

    async fn load_examples(&self) -> Result<(), Trouble> {
        Gateway::load_examples(self).await
    }

    async fn tell(&self, to: mpsc::Sender<Msg>) {
        let mut feed = self.news();
        while let Some(news) = feed.next().await {
            let msg = match news {
                News::Connection(connection) => Msg::Connection(connection),
                News::Host(host) => Msg::Host { generation: None, result: Ok(host) },
                News::Changed { tasks, missed } => Msg::Changed { tasks, missed },
            };
            if to.send(msg).await.is_err() {
                return;
            }
        }
    }
}
