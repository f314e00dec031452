//! Where files lie.

use std::path::{Path, PathBuf};

use directories::{BaseDirs, ProjectDirs};

use super::ConfigError;

/// Where this person's files lie, by the conventions of the platform (XDG on Linux).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// The home directory.
    pub home: PathBuf,
    /// ostler's own configuration file.
    pub config_file: PathBuf,
    /// The file that LittleHorse clients share.
    pub littlehorse_file: PathBuf,
    /// Where the bundled engine keeps its state unless told otherwise.
    pub data_dir: PathBuf,
    /// Drafts and logs lie below it. Apart from the data directory, which may be shared by many people.
    pub state_dir: PathBuf,
}

impl Paths {
    /// The directories of this user.
    pub fn find() -> Result<Paths, ConfigError> {
        let base = BaseDirs::new().ok_or(ConfigError::NoHome)?;
        let project = ProjectDirs::from("", "", "ostler").ok_or(ConfigError::NoHome)?;
        let data_dir = project.data_local_dir().to_owned();
        Ok(Paths {
            home: base.home_dir().to_owned(),
            config_file: project.config_dir().join("config.toml"),
            // LittleHorse clients look there on every platform, whatever XDG_CONFIG_HOME says.
            littlehorse_file: base.home_dir().join(".config").join("littlehorse.config"),
            // macOS has no directory for state.
            state_dir: project.state_dir().map_or_else(|| data_dir.join("state"), Path::to_owned),
            data_dir,
        })
    }

    /// The drafts of forms.
    pub fn drafts_dir(&self) -> PathBuf {
        self.state_dir.join("drafts")
    }

    /// The log.
    pub fn log_file(&self) -> PathBuf {
        self.state_dir.join("ostler.log")
    }

    /// The units of this person's systemd: beside ostler's own directory for configuration.
    pub fn units_dir(&self) -> PathBuf {
        let own = self.config_file.parent();
        own.and_then(Path::parent).unwrap_or(&self.home).join("systemd").join("user")
    }

    /// `~` and `~/...` as the home directory; everything else as it is.
    pub(super) fn expand(&self, path: &str) -> PathBuf {
        match path.strip_prefix('~') {
            Some("") => self.home.clone(),
            Some(rest) => match rest.strip_prefix('/') {
                Some(below) => self.home.join(below),
                None => PathBuf::from(path),
            },
            None => PathBuf::from(path),
        }
    }
}

#[cfg(test)]
impl Paths {
    /// Made-up paths below a root.
    pub(super) fn below(root: &Path) -> Paths {
        Paths {
            home: root.to_owned(),
            config_file: root.join("config.toml"),
            littlehorse_file: root.join("littlehorse.config"),
            data_dir: root.join("data"),
            state_dir: root.join("state"),
        }
    }
}
