//! What comes unasked: the state of the connection, what is known of the host, and what changed.

use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::convert;
use super::fault::{self, Fault};
use super::gate::Gateway;
use super::link::Clients;
use crate::api::ostler::v1;
use crate::domain::{Connection, HostInfo, Place, TaskId, Trouble};

/// The first wait after a connection was lost, and the longest. A local engine is back, or taken over, at once.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
const LONGEST_WAIT_HERE: Duration = Duration::from_secs(2);

/// Something that the server or the connection tells by itself.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// The connection is another than before.
    Connection(Connection),
    /// A new connection was made, and this is who answers.
    Host(HostInfo),
    /// Tasks changed. Only an ostler host tells.
    Changed {
        /// Which; empty with `missed`.
        tasks: Vec<TaskId>,
        /// Some changes were not told: read everything again.
        missed: bool,
    },
}

/// The news of one gateway. Dropping it ends the watching, and with it the attempts to connect again.
pub struct NewsFeed {
    state: watch::Receiver<Connection>,
    told: mpsc::Receiver<News>,
    watching: JoinHandle<()>,
}

impl Drop for NewsFeed {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

impl NewsFeed {
    /// The next news. Of the states of the connection only the latest counts. Can be dropped half-way without a loss.
    /// `None` when the runtime is shutting down.
    pub async fn next(&mut self) -> Option<News> {
        tokio::select! {
            // How the connection is comes before what it brings.
            biased;
            changed = self.state.changed() => {
                changed.ok()?;
                Some(News::Connection(self.state.borrow_and_update().clone()))
            }
            told = self.told.recv() => told,
        }
    }
}

/// Why listening over one connection ended.
enum Ended {
    /// Nobody wants to know any more.
    Unheard,
    /// The connection broke.
    Broken,
    /// It was made, and no answer came.
    Silent(Trouble),
}

impl Gateway {
    /// Keeps the connection up from now on and tells what happens. Must be called within a tokio runtime.
    pub fn news(&self) -> NewsFeed {
        // Bounded: who does not listen makes the host's own bound overflow, which it then tells as `missed`.
        let (tell, told) = mpsc::channel(64);
        let mut state = self.shared.link.state();
        state.mark_changed();
        let gateway = self.clone();
        NewsFeed { state, told, watching: tokio::spawn(async move { gateway.watch(&tell).await }) }
    }

    async fn watch(&self, tell: &mpsc::Sender<News>) {
        let link = &self.shared.link;
        let mut live = link.live();
        let mut failures: u32 = 0;
        let mut before = 0;
        loop {
            match link.clients().await {
                Ok(clients) => {
                    // Whoever listened before missed what happened between two connections.
                    let missed = before != 0 && before != clients.number;
                    before = clients.number;
                    let began = Instant::now();
                    match self.listen(clients, missed, tell).await {
                        Ended::Unheard => return,
                        // A host that ends after it served is followed by the next one at once.
                        Ended::Broken if began.elapsed() > FIRST_WAIT => {
                            failures = 0;
                            continue;
                        }
                        Ended::Broken => {}
                        Ended::Silent(trouble) => link.offline(&trouble.to_string()),
                    }
                }
                Err(error) if !error.is_temporary() => {
                    tracing::warn!("not connecting: {}", fault::connect_reason(&error));
                    // Until the person does something that connects.
                    if live.wait_for(|number| *number != 0).await.is_err() {
                        return;
                    }
                    continue;
                }
                Err(_) => {}
            }
            failures = failures.saturating_add(1);
            let longest = match link.place() {
                Place::Server(_) => LONGEST_WAIT,
                Place::Local | Place::Attached => LONGEST_WAIT_HERE,
            };
            let wait = wait(failures, longest, Uuid::new_v4().as_u128());
            link.retry_in(wait);
            // A call of the person's may connect before.
            let _ = tokio::time::timeout(wait, live.wait_for(|number| *number != 0)).await;
        }
    }

    /// Listens over one connection for as long as it lasts.
    async fn listen(&self, mut clients: Clients, missed: bool, tell: &mpsc::Sender<News>) -> Ended {
        let link = &self.shared.link;
        let number = clients.number;
        match self.host().await {
            Ok(host) => {
                if tell.send(News::Host(host)).await.is_err() {
                    return Ended::Unheard;
                }
            }
            Err(trouble @ (Trouble::Unreachable(_) | Trouble::OutcomeUnknown(_))) => {
                link.broken(number).await;
                return Ended::Silent(trouble);
            }
            // It answers; what it refuses here it also refuses to whoever asks for a page, who then says so.
            Err(trouble) => tracing::debug!("the host does not tell of itself: {trouble}"),
        }
        match link.over_one(number, clients.ostler.watch(v1::WatchRequest {})).await {
            Ok(stream) => {
                let heard = self.forward(stream, tell).await;
                link.broken(number).await;
                if heard.is_none() { Ended::Unheard } else { Ended::Broken }
            }
            // Nobody tells of changes here: wait until some call finds the connection broken.
            Err(Fault::Refused(_)) if missed => match tell.send(News::Changed { tasks: Vec::new(), missed }).await {
                Ok(()) => self.until_broken(number).await,
                Err(_) => Ended::Unheard,
            },
            Err(Fault::Refused(_)) => self.until_broken(number).await,
            Err(fault) => Ended::Silent(fault.into_trouble()),
        }
    }

    async fn until_broken(&self, number: u64) -> Ended {
        match self.shared.link.live().wait_for(|live| *live != number).await {
            Ok(_) => Ended::Broken,
            Err(_) => Ended::Unheard,
        }
    }

    /// Passes changes on until the stream ends; `None` when nobody listens any more.
    async fn forward(&self, mut stream: tonic::Streaming<v1::Change>, tell: &mpsc::Sender<News>) -> Option<()> {
        // The first message tells where the sequence is: what happened before it, since whatever was read last, is not
        // told by any.
        let mut first = true;
        while let Ok(Some(change)) = stream.message().await {
            let missed = std::mem::take(&mut first) || change.missed;
            let tasks = if missed { Vec::new() } else { change.tasks.iter().map(convert::task_id).collect() };
            tell.send(News::Changed { tasks, missed }).await.ok()?;
        }
        Some(())
    }
}

/// How long to wait before the next try: doubling, and a quarter to either side by chance, so that many inboxes do not
/// come back in one moment.
fn wait(failures: u32, longest: Duration, chance: u128) -> Duration {
    let doubled = FIRST_WAIT.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(longest);
    let quarter = doubled.as_millis() / 4;
    let jitter = chance % (2 * quarter + 1);
    doubled.saturating_sub(Duration::from_millis(u64::try_from(quarter).unwrap_or(0)))
        + Duration::from_millis(u64::try_from(jitter).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn waits_grow_and_stay_near_the_longest(failures in 1u32.., chance: u128) {
            for longest in [LONGEST_WAIT, LONGEST_WAIT_HERE] {
                let wait = wait(failures, longest, chance);
                prop_assert!(wait >= FIRST_WAIT * 3 / 4 && wait <= longest * 5 / 4, "{:?}", wait);
                if failures >= 8 {
                    prop_assert!(wait >= longest * 3 / 4, "{:?}", wait);
                }
            }
        }
    }
}
