//! The published clients that `tests/sdk/setup` fetches, and the programs that run with them.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The languages of the published clients: each is a part of the environment, and can be there or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    Python,
    Java,
    Node,
}

impl Language {
    pub const ALL: [Self; 3] = [Self::Python, Self::Java, Self::Node];

    /// The language of a program, by the ending of its name.
    pub fn of(program: &str) -> Self {
        match Path::new(program).extension().and_then(|ending| ending.to_str()) {
            Some("java") => Self::Java,
            Some("cjs") => Self::Node,
            _ => Self::Python,
        }
    }

    /// What the client was made from; the copies in the environment say whether it still holds.
    fn made_from(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Python => &[("requirements.txt", include_str!("requirements.txt"))],
            Self::Java => {
                &[("java/jars.txt", include_str!("java/jars.txt")), ("java/Kit.java", include_str!("java/Kit.java"))]
            }
            Self::Node => &[("node/package-lock.json", include_str!("node/package-lock.json"))],
        }
    }

    fn needs(self) -> &'static str {
        match self {
            Self::Python => "Python 3.11",
            Self::Java => "a JDK 17 and Maven",
            Self::Node => "Node 18 and npm",
        }
    }
}

/// One language's client as the project pins it.
#[derive(Clone, Debug)]
pub struct Environment {
    language: Language,
    folder: PathBuf,
}

impl Environment {
    /// Looks in `OSTLER_SDK_ENV`, else beside the other build output.
    ///
    /// # Errors
    ///
    /// Why the rows that need it cannot run, and what to do about it.
    pub fn find(language: Language) -> Result<Self, String> {
        let folder = std::env::var_os("OSTLER_SDK_ENV")
            .map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("sdk-env"), PathBuf::from);
        let is = |name: &str, text: &str| std::fs::read_to_string(folder.join(name)).is_ok_and(|found| found == text);
        if language.made_from().iter().all(|(name, text)| is(name, text)) {
            return Ok(Self { language, folder });
        }
        let (folder, needs) = (folder.display(), language.needs());
        Err(format!("no {language:?} client in {folder}: tests/sdk/setup makes it (needs {needs})"))
    }

    /// A program of the package, seeing nothing of the caller's own Python, Java, Node or LittleHorse settings.
    pub fn command(&self, program: &str) -> Command {
        let mut command = match self.language {
            Language::Python => {
                let mut command = Command::new(self.folder.join("bin/python"));
                command.arg("-B");
                command
            }
            Language::Java => {
                let home = std::env::var_os("JAVA_HOME").map(|home| Path::new(&home).join("bin/java"));
                let mut command = Command::new(home.unwrap_or_else(|| "java".into()));
                // Short programs: most of their time is the start, which the second compiler only makes longer.
                command.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-cp"]);
                let jars = self.folder.join("java");
                command.arg(format!("{}/*:{}", jars.display(), jars.display()));
                command
            }
            Language::Node => Command::new("node"),
        };
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(program));
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            let settings = ["LHC_", "LHW_", "PYTHON", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH", "NODE_"];
            if settings.iter().any(|setting| name.starts_with(setting)) {
                command.env_remove(name.as_ref());
            }
        }
        command.env("PYTHONDONTWRITEBYTECODE", "1").env("NODE_PATH", self.folder.join("node/node_modules"));
        command
    }
}
