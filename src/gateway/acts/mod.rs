//! What changes a task: sent once, then read back.
//!
//! Every action begins with reading the task, so that it can be told afterwards what this action did and what was there
//! before, and so that nothing is taken from somebody who was faster. Then it is sent, once. Then the task is read
//! again: a LittleHorse server answers OK to a completion that came too late, and an answer that got lost says nothing
//! at all. What is told is what was read.

mod plan;
mod verdict;

use std::time::{Duration, Instant};

use super::convert;
use super::fault::{self, Fault};
use super::gate::Gateway;
use crate::api::littlehorse as lh;
use crate::domain::{Act, Acted, Happened, TaskId, Trouble};
use plan::{Plan, Step};
use verdict::Seen;

/// How long to wait between the looks after an unknown outcome. The command may still be under way.
const LOOKS: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_millis(300),
    Duration::from_millis(700),
    Duration::from_millis(1500),
    Duration::from_millis(3000),
];

/// How a step ended that was sent.
enum Sent {
    Answered,
    Refused(Fault),
    Unknown,
}

impl Gateway {
    /// Does something with a task as this person, and says what really happened.
    ///
    /// Not to be dropped half-way: what was sent stays sent, and nobody would look. An error means that nothing was
    /// done, except [`Trouble::OutcomeUnknown`]: it was sent, no answer came, and looking did not tell either.
    pub async fn act(&self, id: &TaskId, act: &Act) -> Result<Acted, Trouble> {
        let before = self.user_task_run(id).await?;
        let def = match (act, &before.user_task_def_id) {
            // Which fields it has matters only for what a completion has to take away.
            (Act::Complete { .. }, Some(id)) => self.user_task_def(id).await.ok(),
            _ => None,
        };
        let steps = match plan::plan(act, &before, def.as_deref(), &self.shared.me) {
            Ok(Plan::Send(steps)) => steps,
            Ok(Plan::Over(happened)) => {
                return Ok(Acted { happened, task: Some(Box::new(self.detail(&before).await)) });
            }
            Err(damaged) => return Err(Trouble::Local(damaged.to_string())),
        };
        let start = Instant::now();
        let sent = self.send(steps).await?;
        let seen = |after: &lh::UserTaskRun| verdict::verdict(act, &self.shared.me, &before, after);
        match sent {
            Sent::Answered => match self.user_task_run(id).await {
                Ok(after) => {
                    let happened = seen(&after).into_happened("the server answered, and the task does not show it");
                    Ok(Acted { happened, task: Some(Box::new(self.detail(&after).await)) })
                }
                Err(trouble) => Ok(Acted { happened: Happened::Unconfirmed { why: trouble.to_string() }, task: None }),
            },
            Sent::Refused(fault) => {
                // Mostly it is refused because somebody was faster; the task tells who.
                if let Ok(after) = self.user_task_run(id).await
                    && let Seen::Prevented(happened) = seen(&after)
                {
                    return Ok(Acted { happened, task: Some(Box::new(self.detail(&after).await)) });
                }
                Err(fault.into_trouble())
            }
            Sent::Unknown => {
                let waited = start.elapsed();
                let mut last = None;
                for pause in LOOKS {
                    tokio::time::sleep(pause).await;
                    if let Ok(after) = self.user_task_run(id).await {
                        let told = !matches!(seen(&after), Seen::Nothing);
                        last = Some(after);
                        if told {
                            break;
                        }
                    }
                }
                let Some(after) = last else { return Err(fault::unknown(waited)) };
                let why = format!(
                    "the server did not answer in {} s, and so far the task does not show it",
                    waited.as_secs().max(1)
                );
                let happened = seen(&after).into_happened(&why);
                Ok(Acted { happened, task: Some(Box::new(self.detail(&after).await)) })
            }
        }
    }

    /// Sends the steps in order; only the last one is the action itself. If one before it fails, or nobody knows
    /// whether it did, the action is not sent.
    async fn send(&self, steps: Vec<Step>) -> Result<Sent, Trouble> {
        let last = steps.len().saturating_sub(1);
        for (index, step) in steps.into_iter().enumerate() {
            let what = step.what();
            let Err(fault) = self.step(step).await else { continue };
            tracing::debug!("{what}: {fault:?}");
            return match (index == last, fault.is_certain()) {
                (true, true) => Ok(Sent::Refused(fault)),
                (true, false) => Ok(Sent::Unknown),
                (false, true) => Err(fault.into_trouble()),
                (false, false) => Err(Trouble::Unreachable(format!(
                    "the server did not answer when {what}, so nothing more was sent"
                ))),
            };
        }
        Ok(Sent::Answered)
    }

    async fn step(&self, step: Step) -> Result<(), Fault> {
        let link = &self.shared.link;
        match step {
            Step::Assign(request) => {
                link.send(|mut clients| async move { clients.lh.assign_user_task_run(request).await }).await
            }
            Step::Complete(request) => {
                link.send(|mut clients| async move { clients.lh.complete_user_task_run(request).await }).await
            }
            Step::Cancel(request) => {
                link.send(|mut clients| async move { clients.lh.cancel_user_task_run(request).await }).await
            }
            Step::Save(request) => {
                let send = |mut clients: super::link::Clients| async move {
                    clients.lh.save_user_task_run_progress(request).await
                };
                link.send(send).await.map(|_| ())
            }
            Step::Comment(request) => {
                let send = |mut clients: super::link::Clients| async move {
                    clients.lh.put_user_task_run_comment(request).await
                };
                link.send(send).await.map(|_| ())
            }
        }
    }
}

#[cfg(test)]
mod tests;
