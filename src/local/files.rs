//! Private files, written so that a crash leaves the old one or the new one.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use super::LocalError;

/// What unfinished files end with. A file of that name is never read.
const TEMPORARY: &str = ".tmp";
/// An unfinished file this old belongs to a process that died.
const ABANDONED: Duration = Duration::from_secs(3600);

/// Makes a directory that only this person can look into, and whatever lies above it.
pub(super) fn private_dir(dir: &Path) -> Result<(), LocalError> {
    let failed = |source| LocalError::Io { doing: "made", path: dir.to_owned(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
    // It may have been there before, made by another hand.
    let mode = fs::metadata(dir).map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        fs::set_permissions(dir, Permissions::from_mode(0o700)).map_err(failed)?;
    }
    Ok(())
}

/// Replaces a file: temporary file, flush, rename, flush of the directory. Readers see the old content or the new one.
pub(super) fn write(path: &Path, content: &[u8]) -> Result<(), LocalError> {
    let dir = path.parent().unwrap_or(Path::new("."));
    private_dir(dir)?;
    let temporary = temporary(path);
    let result = write_temporary(&temporary, content).and_then(|()| fs::rename(&temporary, path));
    if let Err(source) = result {
        // What is left of it is of no use; an error here changes nothing.
        let _ = fs::remove_file(&temporary);
        return Err(LocalError::Io { doing: "written", path: path.to_owned(), source });
    }
    flush_dir(dir, path)
}

/// Removes a file for good; fine if it is not there.
pub(super) fn remove(path: &Path) -> Result<(), LocalError> {
    match fs::remove_file(path) {
        Ok(()) => flush_dir(path.parent().unwrap_or(Path::new(".")), path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(LocalError::Io { doing: "removed", path: path.to_owned(), source }),
    }
}

/// The content of a file, if there is one.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, LocalError> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(LocalError::Io { doing: "read", path: path.to_owned(), source }),
    }
}

/// Renames a file to a name with the ending that nobody has, and gives that name.
pub(super) fn set_aside(path: &Path, ending: &str) -> Result<PathBuf, LocalError> {
    let failed = |source| LocalError::Io { doing: "renamed", path: path.to_owned(), source };
    let mut number = 0_u32;
    loop {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{ending}"));
        if number > 0 {
            name.push(format!("-{number}"));
        }
        let aside = PathBuf::from(name);
        // A hard link fails where the name is taken; a rename would replace what was set aside before.
        match fs::hard_link(path, &aside) {
            Ok(()) => {
                remove(path)?;
                return Ok(aside);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(source) => return Err(failed(source)),
        }
    }
}

/// Removes what processes that died left unfinished. Errors change nothing.
pub(super) fn sweep(dir: &Path) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let age = entry.metadata().and_then(|metadata| metadata.modified());
        let old = age.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > ABANDONED));
        if old && entry.file_name().to_string_lossy().ends_with(TEMPORARY) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn write_temporary(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn flush_dir(dir: &Path, path: &Path) -> Result<(), LocalError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(|source| LocalError::Io {
        doing: "written",
        path: path.to_owned(),
        source,
    })
}

/// A name of this very process: two ostlers may keep drafts of one task at once.
fn temporary(path: &Path) -> PathBuf {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}-{}{TEMPORARY}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed)));
    PathBuf::from(name)
}
