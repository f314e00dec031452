//! Where the Unix socket of a data directory lies.
//!
//! Not in the data directory: a socket's path may have 107 bytes at most, and a data directory's may have any
//! number. So it lies in the person's runtime directory under a short hash of the data directory's path.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// `sun_path` has 108 bytes on Linux and 104 on macOS, with the closing zero.
const LONGEST: usize = 103;

/// The directory for sockets: `wanted`, else `$XDG_RUNTIME_DIR/ostler`, else a directory of the person's own under
/// the system's one for temporary files.
pub(super) fn directory(wanted: Option<&Path>) -> io::Result<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let me = rustix::process::geteuid().as_raw();
    let choices = [
        wanted.map(Path::to_owned),
        runtime.filter(|path| path.is_absolute()).map(|path| path.join("ostler")),
        Some(std::env::temp_dir().join(format!("ostler-{me}"))),
        Some(PathBuf::from(format!("/tmp/ostler-{me}"))),
    ];
    let mut problem = io::Error::other("there is no directory for a socket");
    for choice in choices.into_iter().flatten() {
        let too_long = choice.as_os_str().len() + 1 + "0123456789abcdef.sock".len() > LONGEST;
        match if too_long { Err(io::Error::other("its path is too long for a socket")) } else { private(&choice) } {
            Ok(()) => return Ok(choice),
            Err(error) => problem = io::Error::new(error.kind(), format!("{}: {error}", choice.display())),
        }
    }
    Err(problem)
}

/// Makes a directory that only this user can enter, or checks that it is one: under a shared parent somebody else
/// could have made it first.
fn private(path: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = fs::symlink_metadata(path)?;
    let me = rustix::process::geteuid().as_raw();
    if !found.is_dir() || found.uid() != me || found.mode() & 0o077 != 0 {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is not a directory of yours alone"));
    }
    Ok(())
}

/// The socket of a data directory, by its canonical path.
pub(super) fn path(directory: &Path, data_dir: &Path) -> PathBuf {
    directory.join(format!("{:016x}.sock", fnv1a(data_dir.as_os_str().as_encoded_bytes())))
}

/// Binds the socket for this user alone. One that is there already is a dead host's: the caller holds the lock.
pub(super) fn bind(path: &Path) -> io::Result<UnixListener> {
    remove(path)?;
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Removes the socket; one that is gone is fine.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// FNV-1a, 64 bits: the same in every version of ostler, which the standard library does not promise of its hashes.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_path_is_short_and_the_same_in_every_version() {
        let deep = PathBuf::from(format!("/{}", "deep/".repeat(100)));
        let socket = path(Path::new("/run/user/1000/ostler"), &deep);
        assert!(socket.as_os_str().len() < LONGEST, "{}", socket.display());
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn a_stale_socket_is_replaced_and_the_new_one_is_for_one_user() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.sock");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let _listener = bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        std::os::unix::net::UnixStream::connect(&path).unwrap();
    }

    #[test]
    fn a_directory_that_others_can_enter_is_not_used() {
        let parent = tempfile::tempdir().unwrap();
        let open = parent.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(private(&open).is_err());
        let linked = parent.path().join("linked");
        std::os::unix::fs::symlink(parent.path(), &linked).unwrap();
        assert!(private(&linked).is_err());
        let own = parent.path().join("own");
        private(&own).unwrap();
        private(&own).unwrap();
        assert_eq!(directory(Some(&own)).unwrap(), own);
        assert_ne!(directory(Some(&open)).unwrap(), open);
    }
}
