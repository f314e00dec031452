//! The data directory: made for its owner alone, and not on a network file system.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::lock::LOCK_FILE;

/// Why a directory cannot hold an engine's data.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The operating system refused.
    #[error("the data directory {path} cannot be used: {source}")]
    Io {
        /// Which directory.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// There is something else at that path.
    #[error("{path} is not a directory; name another one with --data-dir")]
    NotADirectory {
        /// Which path.
        path: PathBuf,
    },
    /// Somebody else owns it.
    #[error("the data directory {path} belongs to another user (uid {owner}); name one of your own with --data-dir")]
    ForeignOwner {
        /// Which directory.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// It is open to others and holds things that are not ours, so its mode is not ours to change.
    #[error("{path} holds other files and is open to other users; name an empty or a new directory with --data-dir")]
    ForeignContent {
        /// Which directory.
        path: PathBuf,
    },
    /// File locks and flushes cannot be relied on there.
    #[error(
        "the data directory {path} lies on a network file system ({kind}), where locks and flushes cannot be relied \
         on; name a local one with --data-dir, or force it with --allow-network-fs"
    )]
    Network {
        /// Which directory.
        path: PathBuf,
        /// What the file system calls itself.
        kind: &'static str,
    },
}

/// Makes the directory if it is missing, closes it to others, and answers its canonical path.
pub(super) fn prepare(path: &Path, allow_network: bool) -> Result<PathBuf, DirectoryError> {
    let refused = |source| DirectoryError::Io { path: path.to_owned(), source };
    match fs::metadata(path) {
        Ok(found) if !found.is_dir() => return Err(DirectoryError::NotADirectory { path: path.to_owned() }),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(refused)?;
        }
        Err(error) => return Err(refused(error)),
    }
    let path = path.canonicalize().map_err(refused)?;
    let refused = |source| DirectoryError::Io { path: path.clone(), source };
    let found = fs::metadata(&path).map_err(refused)?;
    let me = rustix::process::geteuid().as_raw();
    if found.uid() != me {
        return Err(DirectoryError::ForeignOwner { path, owner: found.uid() });
    }
    if found.mode() & 0o077 != 0 {
        let ours = path.join(LOCK_FILE).exists();
        let empty = fs::read_dir(&path).map_err(refused)?.next().is_none();
        if !ours && !empty {
            return Err(DirectoryError::ForeignContent { path });
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).map_err(refused)?;
    }
    if !allow_network && let Some(kind) = network_file_system(&path).map_err(refused)? {
        return Err(DirectoryError::Network { path, kind });
    }
    Ok(path)
}

/// The name of the network file system that `path` lies on, if it does.
#[cfg(target_os = "linux")]
fn network_file_system(path: &Path) -> io::Result<Option<&'static str>> {
    let kind = rustix::fs::statfs(path)?.f_type;
    Ok(network_kind(kind as u64 & 0xFFFF_FFFF))
}

/// The name of the network file system that `path` lies on, if it does.
#[cfg(not(target_os = "linux"))]
fn network_file_system(path: &Path) -> io::Result<Option<&'static str>> {
    // Without the kernel's magic numbers the mount flag is what there is; it is the same on macOS and the BSDs.
    const MNT_LOCAL: u64 = 0x1000;
    let flags = rustix::fs::statfs(path)?.f_flags as u64;
    Ok((flags & MNT_LOCAL == 0).then_some("not local"))
}

/// Magic numbers of `statfs(2)`.
#[cfg(target_os = "linux")]
fn network_kind(magic: u64) -> Option<&'static str> {
    Some(match magic {
        0x6969 => "nfs",
        0x517B => "smb",
        0xFF53_4D42 => "cifs",
        0xFE53_4D42 => "smb2",
        0x0102_1997 => "9p",
        0x5346_414F => "afs",
        0x7375_7245 => "coda",
        0x00C3_6400 => "ceph",
        0x0BD0_0BD0 => "lustre",
        0x0116_1970 => "gfs2",
        0x4750_4653 => "gpfs",
        0x7461_636F => "ocfs2",
        0x564C => "ncp",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn a_new_directory_is_for_its_owner_alone() {
        let parent = tempfile::tempdir().unwrap();
        let path = prepare(&parent.path().join("a/b"), false).unwrap();
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(&parent.path().canonicalize().unwrap().join("a")), 0o700);
    }

    #[test]
    fn an_open_directory_is_closed_when_it_is_empty_or_ours() {
        for file in [None, Some(LOCK_FILE)] {
            let directory = tempfile::tempdir().unwrap();
            fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
            if let Some(file) = file {
                fs::write(directory.path().join(file), "").unwrap();
                fs::write(directory.path().join("db"), "").unwrap();
            }
            assert_eq!(mode(&prepare(directory.path(), false).unwrap()), 0o700);
        }
    }

    #[test]
    fn what_is_not_ours_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let file = directory.path().join("letter");
        fs::write(&file, "").unwrap();
        assert!(matches!(prepare(directory.path(), false), Err(DirectoryError::ForeignContent { .. })));
        assert_eq!(mode(directory.path()), 0o755);
        assert!(matches!(prepare(&file, false), Err(DirectoryError::NotADirectory { .. })));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn network_file_systems_are_known_by_their_magic() {
        for (magic, name) in [(0x6969, Some("nfs")), (0xFE53_4D42, Some("smb2")), (0xEF53, None), (0x0102_1994, None)] {
            assert_eq!(network_kind(magic), name);
        }
    }
}
