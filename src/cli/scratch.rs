//! A directory that goes away.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Tries for a name that is free; somebody would have to take as many on purpose.
const TRIES: u32 = 100;

/// A directory of this process alone, removed when this is dropped.
pub(super) struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// A new, empty directory.
    pub(super) fn new() -> io::Result<Self> {
        let (parent, process) = (std::env::temp_dir(), std::process::id());
        for number in 0..TRIES {
            let path = parent.join(format!("ostler-demo-{process}-{number}"));
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("every name in {} is taken", parent.display())))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!("{} stays behind: {error}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_away_with_what_is_in_it() {
        let (one, two) = (Scratch::new().unwrap(), Scratch::new().unwrap());
        assert_ne!(one.path(), two.path());
        fs::create_dir(one.path().join("data")).unwrap();
        fs::write(one.path().join("data/file"), "x").unwrap();
        let path = one.path().to_owned();
        drop(one);
        assert!(!path.exists() && two.path().exists());
    }
}
