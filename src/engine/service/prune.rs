//! Deleting finished runs that are older than somebody wants to keep: once when asked, or all the time.
//!
//! A few runs in a command, and the next command only when that one is durable: whoever else waits for the writer waits
//! for one small command at most.

use std::time::Duration;

use tokio::sync::mpsc;
use tonic::{Code, Status};

use super::{Services, now_ms, status};
use crate::api::ostler::v1::PruneProgress;
use crate::api::store::v1 as store;
use crate::engine::core::command::{Actor, Channel, Command, Context, Proof, Refusal};
use crate::engine::core::prune;

/// How often runs are looked for that have become old enough.
const AGAIN: Duration = Duration::from_secs(10 * 60);
/// How long to leave a full queue alone.
const AFTER_FULL: Duration = Duration::from_millis(100);
/// Messages that wait for a slow caller.
const AHEAD: usize = 4;

impl Services {
    /// Deletes finished runs as soon as they are older than `retention`, until the engine stops.
    pub async fn retire(self, retention: Duration) {
        let mut closing = self.closing.clone();
        let retention = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
        let work = async {
            loop {
                match self.prune(now_ms().saturating_sub(retention), false, None).await {
                    Ok(0) => {}
                    Ok(runs) => tracing::info!(runs, "deleted runs that were older than the retention"),
                    Err(refusal) => tracing::warn!("runs older than the retention wait: {refusal}"),
                }
                tokio::time::sleep(AGAIN).await;
            }
        };
        tokio::select! {
            () = work => {}
            // An error means that the host is gone, which asks for the same.
            _ = closing.wait_for(|closing| *closing) => {}
        }
    }

    /// Begins to delete, or to count, and tells how far it is.
    pub(super) fn start_prune(&self, before: i64, dry_run: bool) -> mpsc::Receiver<Result<PruneProgress, Status>> {
        let (told, progress) = mpsc::channel(AHEAD);
        let services = self.clone();
        tokio::spawn(async move {
            let done = services.prune(before, dry_run, Some(&told)).await;
            // Somebody who went away need not know; what was not begun is not done any more.
            let _ = told.send(done.map(|wf_runs| PruneProgress { wf_runs }).map_err(status)).await;
        });
        progress
    }

    async fn prune(
        &self,
        before: i64,
        dry_run: bool,
        told: Option<&mpsc::Sender<Result<PruneProgress, Status>>>,
    ) -> Result<u64, Refusal> {
        let (mut wf_runs, mut from) = (0, Vec::new());
        loop {
            // Taken anew each time: a snapshot that is held keeps pages from being used again.
            let found = prune::find(&self.engine.snapshot()?, before, &from)?;
            wf_runs += match found.runs.len() {
                0 => 0,
                runs if dry_run => runs as u64,
                _ => self.prune_these(&found.tenant, before, &found.runs).await?,
            };
            match found.next {
                Some(next) => from = next,
                None => return Ok(wf_runs),
            }
            if let Some(told) = told
                && told.send(Ok(PruneProgress { wf_runs })).await.is_err()
            {
                return Ok(wf_runs);
            }
            tokio::task::yield_now().await;
        }
    }

    async fn prune_these(&self, tenant: &str, before: i64, runs: &[u64]) -> Result<u64, Refusal> {
        loop {
            let at = now_ms();
            let actor = Actor { name: String::new(), proof: Proof::Engine, channel: Channel::InProcess };
            let seed = uuid::Uuid::new_v4().as_u128();
            let context = Context { tenant: tenant.to_owned(), actor, at, now: at, seed };
            let request = store::PruneRuns { before, runs: runs.to_vec() }.into();
            match self.engine.command(Command { context, request }).await {
                Err(full) if full.code == Code::ResourceExhausted => tokio::time::sleep(AFTER_FULL).await,
                answer => return Ok(u64::from(store::PrunedRuns::try_from(answer?)?.wf_runs)),
            }
        }
    }
}
