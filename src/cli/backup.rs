//! `ostler backup` and `ostler restore`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::args::{BackupArgs, RestoreArgs};
use super::attach::{self, Access};
use super::exit::Failure;
use crate::api::ostler::v1::BackupRequest;
use crate::engine::host::UpkeepError;
use crate::engine::store::STORE_FILE;
use crate::engine::store::archive::{self, Archive, ArchiveError};

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
            archive::write(&snapshot, Timestamp::now().as_millisecond(), &mut out).map_err(archive_failure)?;
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
    let offline = attach::alone(&args.store)?;
    let restored = offline.restore(&args.file, &stamp())?;
    let made = Timestamp::from_millisecond(restored.made_at).map_or_else(|_| "?".to_owned(), |made| made.to_string());
    let mut text = format!("Restored {} rows of a backup made at {made}.\n", restored.rows);
    if let Some(kept) = restored.kept {
        text += &format!("The store that was there is kept as {}.\n", kept.display());
    }
    say(&text)
}

/// The present moment, as part of a file's name.
pub(super) fn stamp() -> String {
    Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string()
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
