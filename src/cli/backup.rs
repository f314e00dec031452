//! `ostler backup` and `ostler restore`.

use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use tonic::{Code, Response, Status};

use super::args::{BackupArgs, RestoreArgs};
use super::attach::{self, Access};
use super::exit::Failure;
use crate::api::ostler::v1::{BackupRequest, RestorePart, RestoreReport};
use crate::config::Config;
use crate::engine::core::id;
use crate::engine::host::{Holder, UpkeepError};
use crate::engine::store::archive::{self, Archive, ArchiveError};
use crate::engine::store::{Restored, STORE_FILE};

/// Bytes of a backup that a host is given at a time.
const PART: usize = 256 * 1024;

/// Writes everything in the store to a file.
pub(super) fn backup(args: &BackupArgs) -> Result<(), Failure> {
    super::log::to_stderr(Default::default());
    let access = attach::open(&args.store)?;
    let mut target = Target::new(&args.file)?;
    match &access {
        Access::Alone(offline) => {
            let store = offline.open()?;
            let snapshot = store.snapshot().map_err(|fault| archive_failure(fault.into()))?;
            let mut out = BufWriter::new(&mut target.file);
            archive::write(&snapshot, now(), &mut out).map_err(archive_failure)?;
            out.flush().map_err(|error| archive_failure(error.into()))?;
        }
        Access::Host(holder) => attach::ask(holder, async |mut client| {
            let parts = client.backup(BackupRequest {}).await;
            let mut parts = parts.map_err(|status| attach::refused(&status))?.into_inner();
            while let Some(part) = parts.message().await.map_err(|status| attach::refused(&status))? {
                target.file.write_all(&part.data).map_err(|error| archive_failure(error.into()))?;
            }
            Ok(())
        })?,
    }
    let rows = target.look_over()?;
    let bytes = target.finish()?;
    say(&format!("{} holds {rows} rows in {bytes} bytes.\n", args.file.display()))
}

/// Puts a backup in the place of the store.
pub(super) fn restore(args: &RestoreArgs) -> Result<(), Failure> {
    super::log::to_stderr(Default::default());
    let data_dir = Config::load(args.store.flags())?.data_dir.value;
    let restored = match attach::reach(&data_dir, &args.store)? {
        Access::Alone(offline) => offline.restore(&args.file, now())?,
        Access::Host(holder) => restore_through(&holder, &args.file)?,
    };
    let made = Timestamp::from_millisecond(restored.made_at).map_or_else(|_| "?".to_owned(), |made| made.to_string());
    let mut text = format!("Restored {} rows of a backup made at {made}.\n", restored.rows);
    if let Some(kept) = restored.kept {
        text += &format!("The store that was there is kept as {}.\n", data_dir.join(kept).display());
    }
    say(&text)
}

/// Has the host put a backup in the place of the store that it serves.
fn restore_through(holder: &Holder, file: &Path) -> Result<Restored, Failure> {
    let file = Arc::new(Source::open(file)?);
    let parts = file.clone();
    let report = attach::ask(holder, async move |mut client| {
        let answer = client.restore(tokio_stream::iter(std::iter::from_fn(move || parts.next()))).await;
        Ok(answer.map(Response::into_inner))
    })?;
    // What was not read looks like a cut-off backup to the host.
    if let Some(error) = file.failed.get() {
        return Err(Failure::NotRestored(format!("the backup cannot be read: {error}")));
    }
    let RestoreReport { rows, made_at, kept } = report.map_err(|status| not_restored(&status, holder))?;
    let made_at = made_at.unwrap_or_default();
    Ok(Restored { rows, made_at: id::milliseconds(&made_at), kept })
}

/// Why a host did not restore, with the exit code that it has without a host where there is one.
fn not_restored(status: &Status, holder: &Holder) -> Failure {
    if status.source().is_some() {
        return Failure::Other(format!(
            "the ostler that hosts the store, process {}, went away before it answered; the store is the old one or the \
             restored one, as a whole. Look, and restore again where it is the old one",
            holder.pid
        ));
    }
    let text = status.message().to_owned();
    match status.code() {
        Code::InvalidArgument | Code::Aborted => Failure::NotRestored(text),
        Code::FailedPrecondition => Failure::InUse(text),
        _ => attach::refused(status),
    }
}

/// A backup that is read in parts.
struct Source {
    file: File,
    failed: OnceLock<io::Error>,
}

impl Source {
    fn open(path: &Path) -> Result<Self, Failure> {
        let file = File::open(path);
        let file = file.map_err(|error| Failure::NotRestored(format!("cannot open {}: {error}", path.display())))?;
        Ok(Self { file, failed: OnceLock::new() })
    }

    /// The next part; none at the end, or when it cannot be read.
    fn next(&self) -> Option<RestorePart> {
        let mut data = Vec::with_capacity(PART);
        match (&self.file).take(PART as u64).read_to_end(&mut data) {
            Ok(0) => None,
            Ok(_) => Some(RestorePart { data }),
            Err(error) => {
                let _ = self.failed.set(error);
                None
            }
        }
    }
}

/// The present moment: milliseconds since 1970.
pub(super) fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

pub(super) fn say(text: &str) -> Result<(), Failure> {
    io::stdout().write_all(text.as_bytes()).map_err(|error| Failure::Other(format!("cannot print: {error}")))
}

fn archive_failure(error: ArchiveError) -> Failure {
    UpkeepError::from(error).into()
}

/// A file that gets its name when it is complete; what there is of it before goes away with this.
struct Target {
    file: File,
    unfinished: PathBuf,
    path: PathBuf,
}

impl Target {
    fn new(path: &Path) -> Result<Self, Failure> {
        let name = path.file_name().ok_or_else(|| Failure::Usage(format!("{} is no file", path.display())))?;
        if name == STORE_FILE {
            return Err(Failure::Usage(format!("{STORE_FILE} is what stores are called; name another file")));
        }
        if path.is_dir() {
            return Err(Failure::Usage(format!("{} is a directory; name a file", path.display())));
        }
        let mut unfinished = name.to_owned();
        unfinished.push(format!(".part-{}", std::process::id()));
        let unfinished = path.with_file_name(unfinished);
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&unfinished);
        let file = file.map_err(|error| archive_failure(error.into()))?;
        Ok(Self { file, unfinished, path: path.to_owned() })
    }

    /// Reads what was written back, to its hash.
    fn look_over(&mut self) -> Result<u64, Failure> {
        let file = File::open(&self.unfinished).map_err(|error| archive_failure(error.into()))?;
        let mut archive = Archive::open(BufReader::new(file)).map_err(archive_failure)?;
        while archive.next_writes().map_err(archive_failure)?.is_some() {}
        Ok(archive.rows())
    }

    fn finish(self) -> Result<u64, Failure> {
        let named = || {
            self.file.sync_all()?;
            fs::rename(&self.unfinished, &self.path)?;
            let directory = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
            File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
            Ok(self.file.metadata()?.len())
        };
        named().map_err(|error: io::Error| archive_failure(error.into()))
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // Once it has its name there is nothing left of that.
        let _ = fs::remove_file(&self.unfinished);
    }
}
