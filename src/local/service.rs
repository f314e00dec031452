//! The engine as a service of this person's: a unit of systemd's user manager, so that timers run on without an inbox.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::LocalError;

/// The name of the unit.
pub const UNIT: &str = "ostler.service";

/// The unit of this person: where it lies and what it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    directory: PathBuf,
    command: Vec<String>,
}

impl Service {
    /// The unit that starts `program serve --wait` with these further arguments, in the directory for units of this
    /// person.
    pub fn new(directory: PathBuf, program: &Path, arguments: &[String]) -> Self {
        let mut command = vec![program.display().to_string(), "serve".to_owned(), "--wait".to_owned()];
        command.extend(arguments.iter().cloned());
        Self { directory, command }
    }

    /// Whether this machine was started by systemd, so that installing can work.
    pub fn is_possible() -> bool {
        Path::new("/run/systemd/system").exists()
    }

    /// Whether it is installed, by this program or by hand.
    pub fn is_installed(&self) -> bool {
        self.path().exists()
    }

    /// Whether what is installed serves the same data directory as this would.
    pub fn serves_this(&self) -> bool {
        let directory = |words: &mut dyn Iterator<Item = &str>| {
            words.skip_while(|word| *word != "\"--data-dir\"").nth(1).map(str::to_owned)
        };
        let command = |text: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix("ExecStart="))?;
            // Words are quoted, so a blank in one of them is not between two quotes.
            Some(directory(&mut line.split_inclusive("\" ").map(str::trim_end)))
        };
        fs::read_to_string(self.path()).is_ok_and(|text| command(&text) == command(&self.text()))
    }

    fn path(&self) -> PathBuf {
        self.directory.join(UNIT)
    }

    /// The text of the unit.
    pub fn text(&self) -> String {
        let command: Vec<String> = self.command.iter().map(|word| quoted(word)).collect();
        let command = command.join(" ");
        format!(
            "# Written by `ostler service install`; `ostler service remove` takes it away.\n\
             [Unit]\n\
             Description=ostler, the engine of your user tasks\n\
             \n\
             [Service]\n\
             Type=notify\n\
             ExecStart={command}\n\
             # It waits while an inbox hosts, and a store of an older format is migrated first.\n\
             TimeoutStartSec=infinity\n\
             WatchdogSec=30\n\
             Restart=on-failure\n\
             RestartSec=2\n\
             # A command line, a configuration or a store that cannot be used does not get better by itself.\n\
             RestartPreventExitStatus=2 6 7\n\
             \n\
             [Install]\n\
             WantedBy=default.target\n"
        )
    }

    /// Writes the unit, enables it and starts it without waiting. Returns what was done, in sentences.
    pub fn install(&self) -> Result<Vec<String>, LocalError> {
        reachable()?;
        let path = self.path();
        let failed = |source| LocalError::Io { doing: "written", path: path.clone(), source };
        fs::create_dir_all(&self.directory).map_err(failed)?;
        let unfinished = self.directory.join(format!("{UNIT}.{}.tmp", std::process::id()));
        fs::write(&unfinished, self.text()).and_then(|()| fs::rename(&unfinished, &path)).map_err(failed)?;
        systemctl(&["daemon-reload"])?;
        systemctl(&["enable", UNIT])?;
        systemctl(&["restart", "--no-block", UNIT])?;
        let mut said = vec![
            format!("Installed {}.", path.display()),
            "The engine now runs as a service of yours, and timers run on; it waits while an inbox hosts the engine."
                .to_owned(),
        ];
        said.extend(lingering());
        Ok(said)
    }

    /// Stops the unit, disables it and removes its file.
    pub fn remove(&self) -> Result<Vec<String>, LocalError> {
        let path = self.path();
        if !self.is_installed() {
            return Ok(vec!["It is not installed.".to_owned()]);
        }
        reachable()?;
        systemctl(&["disable", "--now", UNIT])?;
        fs::remove_file(&path).map_err(|source| LocalError::Io { doing: "removed", path: path.clone(), source })?;
        systemctl(&["daemon-reload"])?;
        Ok(vec![format!("Stopped the service and removed {}.", path.display())])
    }

    /// How it is, in sentences.
    pub fn status(&self) -> Result<Vec<String>, LocalError> {
        if !self.is_installed() {
            return Ok(vec![
                "It is not installed; timers run only while an ostler runs. `ostler service install` installs it."
                    .to_owned(),
            ]);
        }
        let mut said = vec![format!("Installed as {}.", self.path().display())];
        reachable()?;
        let shown = systemctl(&["show", "--property=ActiveState", "--property=StatusText", UNIT])?;
        let value = |name: &str| shown.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        let state = value("ActiveState").unwrap_or("unknown");
        said.push(match value("StatusText").filter(|text| !text.is_empty()) {
            Some(text) => format!("It is {state}: {text}."),
            None => format!("It is {state}."),
        });
        said.extend(lingering());
        Ok(said)
    }
}

/// A word of a command line as systemd reads it back.
fn quoted(word: &str) -> String {
    let mut out = String::from("\"");
    for character in word.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '%' | '$' => out.extend([character, character]),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

fn reachable() -> Result<(), LocalError> {
    let unreachable = |why: &str| {
        LocalError::Service(format!(
            "systemd does not run services for you here ({why}), so nothing was changed. Have `ostler serve --wait` \
             started by what does, and kept running."
        ))
    };
    match run("systemctl", &["--user", "show", "--property=Version"]) {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(unreachable(first_line(&output.stderr).trim_end_matches('.'))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(unreachable("there is no systemctl")),
        Err(error) => Err(unreachable(&error.to_string())),
    }
}

fn systemctl(arguments: &[&str]) -> Result<String, LocalError> {
    let spoken = arguments.join(" ");
    match run("systemctl", &[&["--user"], arguments].concat()) {
        Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Ok(output) => {
            Err(LocalError::Service(format!("`systemctl --user {spoken}` failed: {}", first_line(&output.stderr))))
        }
        Err(error) => Err(LocalError::Service(format!("`systemctl --user {spoken}` cannot be run: {error}."))),
    }
}

/// Says so when services of this person end with the last login.
fn lingering() -> Option<String> {
    let user = rustix::process::geteuid().as_raw().to_string();
    let shown = run("loginctl", &["show-user", &user, "--property=Linger", "--value"]).ok()?;
    let lingers = String::from_utf8_lossy(&shown.stdout);
    (shown.status.success() && lingers.trim() == "no").then(|| {
        "It ends when you log out for the last time; `loginctl enable-linger` keeps it running after that.".to_owned()
    })
}

fn run(program: &str, arguments: &[&str]) -> io::Result<std::process::Output> {
    Command::new(program).args(arguments).stdin(std::process::Stdio::null()).output()
}

fn first_line(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.lines().find(|line| !line.trim().is_empty()).unwrap_or("it did not say why").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_written_as_systemd_reads_them() {
        for (word, expected) in [
            ("/usr/bin/ostler", r#""/usr/bin/ostler""#),
            ("/home/amy/my data", r#""/home/amy/my data""#),
            (r#"a"b\c"#, r#""a\"b\\c""#),
            ("100%$HOME", r#""100%%$$HOME""#),
            ("a\nb", r#""a\nb""#),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }

    #[test]
    fn the_unit_starts_what_it_was_told_to() {
        let arguments = ["--data-dir".to_owned(), "/data of amy".to_owned()];
        let service = Service::new(PathBuf::from("/units"), Path::new("/opt/ostler"), &arguments);
        let text = service.text();
        let line = r#"ExecStart="/opt/ostler" "serve" "--wait" "--data-dir" "/data of amy""#;
        assert!(text.lines().any(|found| found == line), "{text}");
        let directory = tempfile::tempdir().unwrap();
        let of = |arguments: &[&str]| {
            let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
            Service::new(directory.path().to_owned(), Path::new("/opt/ostler"), &arguments)
        };
        let (plain, other) = (of(&[]), of(&["--data-dir", "/a b", "--listen", "127.0.0.1:1"]));
        assert!(!plain.serves_this() && !plain.is_installed());
        fs::write(plain.path(), of(&["--listen", "127.0.0.1:2"]).text()).unwrap();
        assert!(plain.serves_this() && !other.serves_this());
        fs::write(plain.path(), of(&["--data-dir", "/a b"]).text()).unwrap();
        assert!(!plain.serves_this() && other.serves_this());
        assert!(text.contains("\nType=notify\n") && text.contains("\nWantedBy=default.target\n"), "{text}");
    }
}
