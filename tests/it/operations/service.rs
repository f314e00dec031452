//! `ostler service`, on a systemd that only writes down what it is asked, and on none.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A home, and a directory of programs that stand for systemd's.
struct Ground(tempfile::TempDir);

impl Ground {
    fn new() -> Self {
        let ground = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(ground.0.path().join("bin")).unwrap();
        ground
    }

    fn program(&self, name: &str, text: &str) {
        let path = self.0.path().join("bin").join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Says yes to everything, and writes it down.
    fn with_systemd(self) -> Self {
        let asked = self.0.path().join("asked");
        self.program(
            "systemctl",
            &format!(
                "echo \"$@\" >> '{}'\ncase \"$*\" in *StatusText*) echo ActiveState=active; echo 'StatusText=Serving /d';; esac",
                asked.display()
            ),
        );
        self.program("loginctl", "echo no");
        self
    }

    fn asked(&self) -> Vec<String> {
        let path = self.0.path().join("asked");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let _ = std::fs::remove_file(path);
        text.lines().filter(|line| !line.contains("--property=Version")).map(str::to_owned).collect()
    }

    fn ostler(&self, arguments: &[&str]) -> (i32, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_ostler"))
            .arg("service")
            .args(arguments)
            .env_clear()
            .env("PATH", self.0.path().join("bin").display().to_string() + ":/usr/bin-not:/bin-not")
            .env("HOME", self.0.path())
            .current_dir(self.0.path())
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
        (output.status.code().unwrap(), said)
    }

    fn unit(&self) -> PathBuf {
        self.0.path().join(".config/systemd/user/ostler.service")
    }
}

#[test]
fn it_is_installed_looked_at_and_removed() {
    let ground = Ground::new().with_systemd();
    let (code, said) = ground.ostler(&["status"]);
    assert_eq!(code, 0);
    assert!(said.contains("not installed") && said.contains("ostler service install"), "{said}");
    let (code, said) = ground.ostler(&["install", "--data-dir", "my data", "--listen", "127.0.0.1:2023"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("enable-linger"), "{said}");
    let unit = "ostler.service";
    let wanted = ["daemon-reload".to_owned(), format!("enable {unit}"), format!("restart --no-block {unit}")];
    assert_eq!(ground.asked(), wanted.map(|asked| format!("--user {asked}")));
    let text = std::fs::read_to_string(ground.unit()).unwrap();
    let data = ground.0.path().canonicalize().unwrap().join("my data");
    let command =
        format!("\"serve\" \"--wait\" \"--data-dir\" \"{}\" \"--listen\" \"127.0.0.1:2023\"\n", data.display());
    assert!(text.contains(&command), "{text}");
    let (_, said) = ground.ostler(&["status"]);
    assert!(said.contains("It is active: Serving /d."), "{said}");
    ground.asked();
    let (code, said) = ground.ostler(&["remove"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(ground.asked(), [format!("--user disable --now {unit}"), "--user daemon-reload".to_owned()]);
    assert!(!ground.unit().exists());
    assert_eq!(ground.ostler(&["remove"]), (0, "It is not installed.\n".to_owned()));
}

#[test]
fn without_systemd_it_says_so_and_changes_nothing() {
    let ground = Ground::new();
    let (code, said) = ground.ostler(&["install"]);
    assert_eq!(code, 1);
    assert!(said.contains("there is no systemctl") && said.contains("ostler serve --wait"), "{said}");
    assert!(!ground.unit().exists());
    ground.program("systemctl", "echo 'Failed to connect to bus: No medium found' >&2; exit 1");
    let (code, said) = ground.ostler(&["install"]);
    assert_eq!(code, 1);
    assert!(said.contains("Failed to connect to bus"), "{said}");
    assert!(!ground.unit().exists());
}

#[test]
fn what_systemd_refuses_is_told_in_its_words() {
    let ground = Ground::new();
    ground.program("systemctl", "case \"$*\" in *enable*) echo 'Access denied' >&2; exit 1;; esac");
    let (code, said) = ground.ostler(&["install"]);
    assert_eq!(code, 1);
    assert!(said.contains("`systemctl --user enable ostler.service` failed: Access denied"), "{said}");
}

/// Both units are read by systemd itself, where there is one.
#[test]
fn systemd_understands_the_units() {
    let ground = Ground::new();
    if !Path::new("/usr/bin/systemd-analyze").exists() {
        println!("skipped: there is no systemd-analyze");
        return;
    }
    let directory = ground.0.path().join("units of amy");
    std::fs::create_dir(&directory).unwrap();
    for (name, arguments) in [
        ("user.service", &["print", "--data-dir", "100% of $HOME", "--metrics", "127.0.0.1:9464"][..]),
        ("system.service", &["print", "--system"]),
    ] {
        let (code, text) = ground.ostler(arguments);
        assert_eq!(code, 0, "{text}");
        // The program need not be where the unit for a machine expects it.
        let text = text.replace("/usr/local/bin/ostler", env!("CARGO_BIN_EXE_ostler"));
        let unit = directory.join(name);
        std::fs::write(&unit, text).unwrap();
        let output = Command::new("/usr/bin/systemd-analyze").args(["verify", "--man=no"]).arg(&unit).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let own: Vec<&str> = said.lines().filter(|line| line.contains(name)).collect();
        assert!(own.is_empty(), "{own:?}");
    }
}
