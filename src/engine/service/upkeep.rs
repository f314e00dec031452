//! Backup and check of a store that is being served. Both walk all of it on a snapshot, on a thread of their own, and
//! only one of them, or of restores, at a time: calls go on meanwhile, but an old snapshot keeps pages from being used
//! again.

use std::io::{self, Write};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tonic::Status;

use super::{Services, now_ms, status};
use crate::api::ostler::v1::{BackupPart, StoreProblem, StoreReport};
use crate::engine::core;
use crate::engine::store::archive;

/// Parts of a backup under way to or from a caller.
pub(super) const PARTS: usize = 4;
/// Bytes of a part: well below what clients take.
const PART: usize = 256 * 1024;
/// How long a caller may leave a part of a backup lying before it is given up.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

impl Services {
    pub(super) fn only_one(&self) -> Result<OwnedSemaphorePermit, Status> {
        let busy = |_| {
            Status::resource_exhausted("Another backup, check or restore of this store is running. Try again later.")
        };
        self.upkeep.clone().try_acquire_owned().map_err(busy)
    }

    pub(super) fn start_backup(&self) -> Result<mpsc::Receiver<Result<BackupPart, Status>>, Status> {
        let permit = self.only_one()?;
        let snapshot = self.engine.snapshot().map_err(|fault| status(fault.into()))?;
        let (told, parts) = mpsc::channel(PARTS);
        let mut sender =
            Sender { told, runtime: Handle::current(), closing: self.closing.clone(), part: Vec::with_capacity(PART) };
        on_a_thread("ostler-backup", move || {
            let _permit = permit;
            if let Err(error) = archive::write(&snapshot, now_ms(), &mut sender) {
                tracing::warn!("a backup was not finished: {error}");
                let _ = sender.send(Err(Status::aborted(error.to_string())));
            }
        })?;
        Ok(parts)
    }

    pub(super) async fn look_over_store(&self) -> Result<StoreReport, Status> {
        let permit = self.only_one()?;
        let snapshot = self.engine.snapshot().map_err(|fault| status(fault.into()))?;
        let (told, report) = oneshot::channel();
        on_a_thread("ostler-check", move || {
            let _permit = permit;
            // Somebody who went away does not need the answer.
            let _ = told.send(core::check(&snapshot));
        })?;
        let found = report.await.map_err(|_| Status::internal("the check ended early"))?;
        let problems = found.map_err(|fault| status(fault.into()))?.into_iter();
        Ok(StoreReport {
            problems: problems.map(|found| StoreProblem { place: found.place, detail: found.detail }).collect(),
        })
    }
}

pub(super) fn on_a_thread(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Status> {
    let started = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    started.map(drop).map_err(|error| Status::resource_exhausted(format!("no thread for it: {error}")))
}

/// Sends what is written to it in parts.
struct Sender {
    told: mpsc::Sender<Result<BackupPart, Status>>,
    runtime: Handle,
    closing: watch::Receiver<bool>,
    part: Vec<u8>,
}

impl Sender {
    fn send(&mut self, part: Result<BackupPart, Status>) -> io::Result<()> {
        let (told, closing) = (&self.told, &mut self.closing);
        let sent = self.runtime.block_on(async {
            tokio::select! {
                sent = tokio::time::timeout(PATIENCE, told.send(part)) => Some(sent),
                _ = closing.wait_for(|closing| *closing) => None,
            }
        });
        let Some(sent) = sent else { return Err(io::Error::other("the engine is stopping")) };
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::Error::new(io::ErrorKind::BrokenPipe, "the caller went away")),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the caller takes nothing")),
        }
    }
}

impl Write for Sender {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.part.extend(bytes);
        if self.part.len() >= PART {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let data = std::mem::replace(&mut self.part, Vec::with_capacity(PART));
        if data.is_empty() { Ok(()) } else { self.send(Ok(BackupPart { data })) }
    }
}
