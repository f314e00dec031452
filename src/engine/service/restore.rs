//! Restoring a store that is being served. The new one is made beside it, on a thread of its own, while everybody is
//! served; it takes the place of the old one as one step of the writer, and nobody's connection is cut.

use std::io::{self, BufReader, Cursor, Read};

use tokio::sync::{mpsc, oneshot};
use tonic::{Status, Streaming};

use super::upkeep::{PARTS, PATIENCE, on_a_thread};
use super::{Services, status};
use crate::api::ostler::v1::{RestorePart, RestoreReport};
use crate::engine::core::id;
use crate::engine::store::archive::{Archive, ArchiveError};
use crate::engine::store::{NewStore, RestoreError};

/// A part of a backup; none at its end.
type Part = Option<Vec<u8>>;

impl Services {
    pub(super) async fn restore_from(&self, backup: Streaming<RestorePart>) -> Result<RestoreReport, Status> {
        let permit = self.only_one()?;
        self.engine.writable().map_err(status)?;
        let (give, parts) = mpsc::channel(PARTS);
        let (told, mut made) = oneshot::channel();
        let (disk, of) = (self.disk.clone(), self.engine.store_number());
        on_a_thread("ostler-restore", move || {
            let input = BufReader::new(Parts { parts, part: Cursor::default(), ended: false });
            let made = Archive::open(input).map_err(RestoreError::from);
            let made = made.and_then(|archive| NewStore::make(disk, archive, Some(of)));
            // For somebody who went away nothing is restored: what was made goes, and only then may the next one begin.
            let _ = told.send((made, permit));
        })?;
        let made = tokio::select! {
            // It may end before it has read everything.
            made = &mut made => made,
            passed = pass_on(backup, give) => {
                passed?;
                made.await
            }
        };
        let (made, permit) = made.map_err(|_| Status::internal("the restore ended early"))?;
        let new = made.map_err(|error| refused(&error))?;
        let services = self.clone();
        // It goes on when the caller goes away.
        let done = tokio::spawn(async move {
            let _permit = permit;
            services.take_over(new).await
        });
        done.await.map_err(|_| Status::internal("the restore ended early"))?
    }

    /// Serves the new store from now on.
    async fn take_over(&self, new: NewStore) -> Result<RestoreReport, Status> {
        let restored = {
            // What was counted for quotas of the old store must not be written into the new one.
            let _nobody_writes = self.quotas.writing().await;
            self.engine.replace_store(new).await.map_err(|error| refused(&error))?
        };
        tracing::warn!(rows = restored.rows, kept = restored.kept, "a backup was restored");
        // The backup may be older than it.
        self.found().await;
        let made_at = Some(id::timestamp(restored.made_at));
        Ok(RestoreReport { rows: restored.rows, made_at, kept: restored.kept })
    }
}

/// Gives the parts of a backup to the thread that reads them.
async fn pass_on(mut backup: Streaming<RestorePart>, give: mpsc::Sender<Part>) -> Result<(), Status> {
    loop {
        let part = tokio::time::timeout(PATIENCE, backup.message()).await;
        let part = part.map_err(|_| Status::deadline_exceeded("The rest of the backup did not come."))??;
        let ended = part.is_none();
        // A reader that is gone has its reason to tell.
        if give.send(part.map(|part| part.data)).await.is_err() || ended {
            return Ok(());
        }
    }
}

/// What a failed restore is answered with. The command line makes its exit code of the status.
fn refused(error: &RestoreError) -> Status {
    tracing::warn!("a backup was not restored: {error}");
    let text = error.to_string();
    match error {
        RestoreError::Archive(ArchiveError::Damaged(_) | ArchiveError::Newer { .. }) | RestoreError::Disagrees(..) => {
            Status::invalid_argument(text)
        }
        RestoreError::Foreign => Status::failed_precondition(text),
        RestoreError::Archive(_) | RestoreError::Disk { .. } => Status::aborted(text),
        RestoreError::Frozen(_) | RestoreError::Unsettled(_) => Status::unavailable(text),
    }
}

/// The parts of a backup as they come, to be read on a thread that may wait.
struct Parts {
    parts: mpsc::Receiver<Part>,
    part: Cursor<Vec<u8>>,
    ended: bool,
}

impl Read for Parts {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.part.read(into)?;
            if read > 0 || self.ended || into.is_empty() {
                return Ok(read);
            }
            match self.parts.blocking_recv() {
                Some(Some(part)) => self.part = Cursor::new(part),
                Some(None) => self.ended = true,
                None => return Err(io::Error::new(io::ErrorKind::BrokenPipe, "the caller went away")),
            }
        }
    }
}
