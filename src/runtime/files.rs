//! This person's files, on a thread of their own: a slow disk holds no key, and writes stay in order.

use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use crate::app::{Msg, Ticket};
use crate::domain::{Draft, DraftKey, Trouble};
use crate::local::{Drafts, LocalError, Service};

#[derive(Debug)]
enum Job {
    Keep { ticket: Ticket, draft: Box<Draft> },
    Find { key: DraftKey },
    Drop { key: DraftKey },
    Install,
    Flush { done: mpsc::SyncSender<()> },
}

/// The way to the thread.
#[derive(Debug)]
pub(super) struct Files {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Files {
    /// Starts the thread. Its answers are as many as the effects that ask, so their channel needs no bound.
    pub(super) fn start(
        drafts: Drafts,
        service: Option<Service>,
        answers: UnboundedSender<Msg>,
    ) -> std::io::Result<Self> {
        let (jobs, todo) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("files".to_owned())
            .spawn(move || run(&drafts, service.as_ref(), &todo, &answers))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    pub(super) fn keep(&self, ticket: Ticket, draft: Draft) {
        self.push(Job::Keep { ticket, draft: Box::new(draft) });
    }

    pub(super) fn find(&self, key: DraftKey) {
        self.push(Job::Find { key });
    }

    pub(super) fn remove(&self, key: DraftKey) {
        self.push(Job::Drop { key });
    }

    pub(super) fn install_service(&self) {
        self.push(Job::Install);
    }

    /// Waits until all that was handed over is on the disk; whether it was in time.
    pub(super) fn flush(&self, limit: Duration) -> bool {
        let (done, wait) = mpsc::sync_channel(1);
        self.push(Job::Flush { done });
        wait.recv_timeout(limit).is_ok()
    }

    fn push(&self, job: Job) {
        // The thread ends only when this sender is dropped.
        if let Some(jobs) = &self.jobs
            && jobs.send(job).is_err()
        {
            tracing::error!("the thread for files has ended");
        }
    }

    /// Ends the thread after everything that was handed over; a disk that stands still is not waited for any longer.
    pub(super) fn finish(mut self, limit: Duration) -> bool {
        let flushed = self.flush(limit);
        self.jobs = None;
        if flushed && let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        flushed
    }
}

fn run(drafts: &Drafts, service: Option<&Service>, todo: &mpsc::Receiver<Job>, answers: &UnboundedSender<Msg>) {
    while let Ok(job) = todo.recv() {
        let answer = match job {
            Job::Keep { ticket, draft } => {
                Some(Msg::DraftKept { ticket, result: drafts.keep(&draft).map_err(trouble) })
            }
            Job::Find { key } => {
                let result = drafts.find(&key).map_err(trouble);
                Some(Msg::DraftFound { key, result })
            }
            Job::Drop { key } => {
                if let Err(error) = drafts.remove(&key) {
                    tracing::warn!("a draft could not be removed: {error}");
                }
                None
            }
            Job::Install => {
                let impossible = || LocalError::Service("The engine cannot run as a service here.".to_owned());
                let result = service.ok_or_else(impossible).and_then(Service::install).map_err(trouble);
                Some(Msg::ServiceInstalled { result })
            }
            Job::Flush { done } => {
                let _ = done.send(());
                None
            }
        };
        // Nobody listens any more while the program ends; what is left to write is written all the same.
        if let Some(answer) = answer {
            let _ = answers.send(answer);
        }
    }
}

fn trouble(error: LocalError) -> Trouble {
    Trouble::Local(error.to_string())
}
