//! The program without a screen: what it prints, and the code it ends with.

use std::process::{Command, Output, Stdio};

use super::*;

fn ostler(ground: &Ground, arguments: &[&str]) -> Output {
    let home = ground.root.path().join("home");
    std::fs::create_dir_all(&home).expect("a home");
    Command::new(env!("CARGO_BIN_EXE_ostler"))
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", &home)
        .env("XDG_RUNTIME_DIR", ground.root.path())
        .stdin(Stdio::null())
        .output()
        .expect("ostler")
}

#[test]
fn each_kind_of_failure_has_its_code_and_its_words() {
    let ground = Ground::new();
    let file = ground.root.path().join("file");
    std::fs::write(&file, "not a directory").unwrap();
    let file = file.to_str().unwrap();
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = held.local_addr().unwrap().to_string();
    let table: [(&[&str], i32, &str); 10] = [
        (&["--nonsense"], 2, "--nonsense"),
        (&["serve", "--listen", "2023"], 2, "127.0.0.1:2023"),
        (&["--server", "http://127.0.0.1:1", "--listen", "127.0.0.1:0"], 2, "leave one of them out"),
        (&["--server", "https://lh.example:2023"], 6, "TLS"),
        (&["--server", "http://lh.example/path"], 6, "host and port"),
        (&["serve", "--data-dir", file], 7, "is not a directory"),
        (&["--data-dir", file], 7, "is not a directory"),
        (&["serve", "--listen", "0.0.0.0:2023"], 8, "127.0.0.1:2023"),
        (&["serve", "--listen", &taken], 8, "port 0"),
        (&["demo", "--listen", &taken], 8, "port 0"),
    ];
    for (arguments, code, words) in table {
        let output = ostler(&ground, arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn without_a_terminal_the_inbox_says_so_and_leaves_nothing_running() {
    let ground = Ground::new();
    let data = ground.data();
    for arguments in [&["--data-dir", data.to_str().unwrap()][..], &["demo"], &["--server", "http://127.0.0.1:1"]] {
        let output = ostler(&ground, arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.starts_with("ostler: ") && said.contains("terminal"), "{said}");
    }
    // The lock is free again.
    ground.start();
}

#[test]
fn paths_are_those_of_the_flags_and_of_xdg() {
    let ground = Ground::new();
    let home = ground.root.path().join("home");
    let printed = |arguments: &[&str]| String::from_utf8(ostler(&ground, arguments).stdout).unwrap();
    let rows = printed(&["paths"]);
    for part in ["config ", "littlehorse ", "data ", "drafts ", "log "] {
        let row = rows.lines().find(|row| row.starts_with(part)).unwrap_or_else(|| panic!("{part}: {rows}"));
        assert!(row.contains(home.to_str().unwrap()), "{row}");
    }
    assert!(printed(&["paths", "--data-dir", "/elsewhere"]).contains("data        /elsewhere\n"));
    assert_eq!(printed(&["--version"]), concat!("ostler ", env!("CARGO_PKG_VERSION"), "\n"));
}
