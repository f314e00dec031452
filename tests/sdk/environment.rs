//! The Python environment of these tests: made by `tests/sdk/setup`, looked for here.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A venv that holds the public LittleHorse client as `tests/sdk/requirements.txt` pins it.
#[derive(Clone, Debug)]
pub struct Environment {
    python: PathBuf,
}

impl Environment {
    /// Looks in `OSTLER_SDK_ENV`, else beside the other build output.
    ///
    /// # Errors
    ///
    /// Why the rows that need it cannot run, and what to do about it.
    pub fn find() -> Result<Self, String> {
        let folder = std::env::var_os("OSTLER_SDK_ENV")
            .map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("sdk-env"), PathBuf::from);
        let made_from = std::fs::read_to_string(folder.join("requirements.txt")).unwrap_or_default();
        if made_from != include_str!("requirements.txt") {
            let folder = folder.display();
            return Err(format!("no Python environment in {folder}: tests/sdk/setup makes it (needs Python 3.11)"));
        }
        Ok(Self { python: folder.join("bin/python") })
    }

    /// A Python program of the package, seeing nothing of the caller's own Python or LittleHorse settings.
    pub fn python(&self, program: &str) -> Command {
        let mut command = Command::new(&self.python);
        command.arg("-B").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(program)).env("PYTHONDONTWRITEBYTECODE", "1");
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("LHC_") || name.starts_with("LHW_") || name == "PYTHONPATH" || name == "PYTHONHOME" {
                command.env_remove(name.as_ref());
            }
        }
        command
    }
}
