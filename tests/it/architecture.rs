//! Holds the layering of `docs/architecture.md`: who may use what, and which crates belong where.

mod paths;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What one layer may use beside itself and `std`.
struct Row {
    /// The module path; the longest that fits a file is its row.
    layer: &'static str,
    /// Other layers.
    layers: &'static [&'static str],
    /// Crates.
    crates: &'static [&'static str],
    /// Leave to use what [`WORLD`] lists: files, clocks, processes and the like.
    world: bool,
}

const EVERY_LAYER: &[&str] = &["*"];

/// The table. A new need is a new word here, seen in review, or a sign that the code is in the wrong room.
const ROWS: &[Row] = &[
    row("domain", &[], &["serde", "serde_json", "jiff", "unicode_width", "unicode_segmentation"]),
    row("api", &[], &["prost", "prost_types", "tonic", "tonic_prost"]),
    row("engine", &[], &[]),
    // Of tonic only the status codes.
    row("engine::core", &["api"], &["crc32c", "jiff", "prost", "prost_types", "serde_json", "tonic"]),
    row(
        "engine::store",
        &["api", "engine::core", "engine::store::disk"],
        &["crc32c", "jiff", "prost", "redb", "rustix", "sha2", "tracing"],
    ),
    world("engine::store::disk", &["engine::core"], &["redb", "rustix", "tracing"]),
    world("engine::writer", &["api", "engine::core", "engine::store"], &["tokio", "tonic", "tracing", "uuid"]),
    world(
        "engine::service",
        &["api", "engine::core", "engine::store", "engine::writer"],
        &["http", "prost", "prost_types", "rustix", "tokio", "tokio_stream", "tonic", "tower", "tracing", "uuid"],
    ),
    world(
        "engine::host",
        &["api", "engine::core", "engine::service", "engine::store", "engine::writer"],
        &["rustix", "serde", "serde_json", "tokio", "tokio_stream", "tonic", "tracing"],
    ),
    world(
        "gateway",
        &["api", "domain"],
        &["http", "jiff", "prost", "prost_types", "tokio", "tokio_stream", "tonic", "tower", "tracing", "uuid"],
    ),
    world(
        "local",
        &["config", "domain"],
        &["crc32c", "directories", "jiff", "rustix", "serde", "serde_json", "toml", "tracing"],
    ),
    row("input", &["domain"], &["serde"]),
    row("app", &["domain", "input"], &["jiff", "unicode_segmentation", "unicode_width"]),
    row("ui", &["app", "domain", "input"], &["jiff", "ratatui", "unicode_segmentation", "unicode_width"]),
    world("terminal", &["input"], &["crossterm", "ratatui", "rustix", "tokio", "tracing", "unicode_width"]),
    world(
        "runtime",
        &["app", "domain", "gateway", "input", "local", "terminal", "ui"],
        &["jiff", "ratatui", "tokio", "tokio_stream", "tracing"],
    ),
    world("config", &["domain", "input"], &["directories", "rustix", "serde", "toml"]),
    world(
        "cli",
        EVERY_LAYER,
        &[
            "clap",
            "directories",
            "hyper_util",
            "jiff",
            "prost_types",
            "rustix",
            "serde",
            "serde_json",
            "tokio",
            "tokio_stream",
            "toml",
            "tonic",
            "tower",
            "tracing",
            "tracing_subscriber",
        ],
    ),
    // `lib.rs` only lists the rooms, `main.rs` only calls `cli`.
    world("", &["cli"], &[]),
];

/// Errors are typed with it in every layer.
const EVERYWHERE: &[&str] = &["thiserror"];

/// Crates that only `#[cfg(test)]` code can see: the dev-dependencies.
const IN_TESTS: &[&str] = &["insta", "proptest", "tempfile", "vt100", "prost_reflect"];

/// What the tests of a layer may reach beside what the layer may, each with the reason.
const TESTS_REACH: &[(&str, &str)] = &[
    // The random walk through the inbox draws every state that it comes to.
    ("app", "ratatui"),
    ("app", "ui"),
];

/// What a pure layer gets as values instead of finding it out: the ends of paths that reach for the world.
const WORLD: &[&[&str]] = &[
    &["std", "fs"],
    &["std", "env"],
    &["std", "net"],
    &["std", "os"],
    &["std", "process"],
    &["std", "thread"],
    &["Instant", "now"],
    &["SystemTime", "now"],
    &["Timestamp", "now"],
    &["Zoned", "now"],
    &["Uuid", "new_v4"],
    &["TimeZone", "system"],
];

const fn row(layer: &'static str, layers: &'static [&'static str], crates: &'static [&'static str]) -> Row {
    Row { layer, layers, crates, world: false }
}

const fn world(layer: &'static str, layers: &'static [&'static str], crates: &'static [&'static str]) -> Row {
    Row { layer, layers, crates, world: true }
}

/// Whether a module path is the layer or lies in it.
fn lies_in(path: &[String], layer: &str) -> bool {
    layer.is_empty() || {
        let layer: Vec<&str> = layer.split("::").collect();
        path.len() >= layer.len() && path.iter().zip(&layer).all(|(one, two)| one == two)
    }
}

/// The row of a module path: the longest that fits.
fn row_of(path: &[String]) -> &'static Row {
    let fits = ROWS.iter().filter(|row| lies_in(path, row.layer));
    fits.max_by_key(|row| row.layer.len()).expect("the row of the crate's root fits every path")
}

/// What breaks the rules in one file; `only_tests` when nothing but tests is compiled from it.
fn violations(source: &str, module: &[String], crates: &BTreeSet<String>, only_tests: bool) -> Vec<String> {
    let own = row_of(module);
    let tests_from = source.lines().position(|line| line.trim() == "#[cfg(test)]").map_or(usize::MAX, |line| line + 1);
    let mut wrong = Vec::new();
    // Only the binary knows the library by its name.
    let library = if module.is_empty() { "ostler" } else { "crate" };
    for named in paths::find(source, module, library) {
        let in_tests = only_tests || named.line > tests_from;
        let reached_by_tests = |what: &str| in_tests && TESTS_REACH.contains(&(own.layer, what));
        let mut report = |what: &str| wrong.push(format!("line {}: {}: {what}", named.line, named.path.join("::")));
        match named.path.split_first() {
            Some((first, rest)) if first == "crate" => {
                let other = row_of(rest);
                // A layer may name the modules it lies in, but not what else is in them.
                let around = own.layer.starts_with(&format!("{}::", other.layer)) && lies_in(module, &rest.join("::"));
                let listed = own.layers.iter().any(|layer| *layer == "*" || lies_in(rest, layer));
                if rest.first().is_none_or(|part| part == "*") {
                    report("name the layer, not the whole crate");
                } else if !(other.layer == own.layer || around || listed || reached_by_tests(other.layer)) {
                    report(&format!("`{}` may not use `{}`", own.layer, other.layer));
                }
            }
            Some((first, _)) if crates.contains(first) => {
                let allowed = own.crates.contains(&first.as_str())
                    || EVERYWHERE.contains(&first.as_str())
                    || in_tests && IN_TESTS.contains(&first.as_str())
                    || reached_by_tests(first);
                if !allowed {
                    report(&format!("the crate `{first}` has no place in `{}`", own.layer));
                }
            }
            _ => {}
        }
        let reaches = |end: &&&[&str]| named.path.windows(end.len()).any(|part| part.iter().eq(end.iter()));
        if !own.world && !in_tests && WORLD.iter().any(|end| reaches(&end)) {
            report(&format!("`{}` reads no clock, no files and no surroundings", own.layer));
        }
    }
    wrong
}

/// The modules that a file declares under `#[cfg(test)]`: theirs are files of tests.
fn test_modules(source: &str, module: &[String]) -> Vec<Vec<String>> {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let declared = lines.windows(2).filter(|pair| pair[0] == "#[cfg(test)]").filter_map(|pair| {
        let name = pair[1].strip_suffix(';')?.rsplit_once("mod ")?.1;
        Some(module.iter().cloned().chain([name.to_owned()]).collect())
    });
    declared.collect()
}

/// The crates of Cargo.toml as paths spell them.
fn declared_crates() -> BTreeSet<String> {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
    let manifest: toml::Table = manifest.parse().expect("Cargo.toml is TOML");
    let mut crates = BTreeSet::new();
    for table in ["dependencies", "dev-dependencies"] {
        crates.extend(manifest[table].as_table().expect(table).keys().map(|name| name.replace('-', "_")));
    }
    crates
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file under a folder of the package.
fn rust_files(folder: &str) -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![root().join(folder)]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("a folder entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// The module path of a file: `src/engine/core/state.rs` is `engine::core::state`.
fn module_of(file: &Path) -> Vec<String> {
    let inside = file.strip_prefix(root().join("src")).expect("a file of src").with_extension("");
    let mut module: Vec<String> = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if module.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        module.pop();
    }
    module
}

#[test]
fn every_layer_uses_only_what_it_may() {
    let crates = declared_crates();
    let read = |file: PathBuf| {
        let source = std::fs::read_to_string(&file).expect("a source file");
        (module_of(&file), file, source)
    };
    let files: Vec<_> = rust_files("src").into_iter().map(read).collect();
    let tests: Vec<_> = files.iter().flat_map(|(module, _, source)| test_modules(source, module)).collect();
    let mut wrong = Vec::new();
    // The root lists every room by its nature.
    for (module, file, source) in files.iter().filter(|(_, file, _)| !file.ends_with("src/lib.rs")) {
        let only_tests = tests.iter().any(|tests| module.starts_with(tests));
        let name = file.strip_prefix(root()).expect("a file of the package").display();
        wrong.extend(violations(source, module, &crates, only_tests).iter().map(|text| format!("{name} {text}")));
    }
    assert!(wrong.is_empty(), "the layering of docs/architecture.md is broken:\n{}", wrong.join("\n"));
}

#[test]
fn every_room_has_a_row() {
    let lib = std::fs::read_to_string(root().join("src/lib.rs")).expect("src/lib.rs");
    for line in lib.lines() {
        if let Some(room) = line.strip_prefix("pub mod ").and_then(|rest| rest.strip_suffix(';')) {
            assert_eq!(row_of(&[room.to_owned()]).layer, room, "src/{room} has no row in tests/it/architecture.rs");
        }
    }
}

/// The test itself is tested: each line is a module, a text planted in it, and whether it must be caught.
#[test]
fn planted_violations_are_caught() {
    let crates = declared_crates();
    let table: &[(&str, &str, bool)] = &[
        ("domain::form", "use crate::app::Model;", true),
        ("domain::form", "use crate::domain::field::Value;", false),
        ("domain::form", "use crate::{domain::Field, ui};", true),
        ("domain::form", "use super::super::gateway::Gateway;", true),
        ("domain::form", "use super::field::Value;", false),
        ("domain::form", "mod inner { use super::super::super::cli; }", true),
        ("domain::form", "mod inner { use super::super::field; } use super::task;", false),
        ("domain::form", "fn f() -> crate::ui::Theme { todo() }", true),
        ("domain::form", "use crate::*;", true),
        ("domain::form", "use crate as all;", true),
        ("domain::form", "// use crate::ui;\n/* crate::ui::x */ const A: &str = \"crate::ui::x\";", false),
        ("domain::form", "const A: &str = r#\"\"crate::ui::x\"#; const B: char = '\"'; use crate::ui::x;", true),
        ("domain::form", "fn f<'a>(x: &'a str) -> char { '\\'' } fn g() { crate::ui::x() }", true),
        ("domain::form", "let now = jiff::Timestamp::now();", true),
        ("domain::form", "use jiff::Timestamp; fn f() { Timestamp::now() }", true),
        ("domain::form", "use ratatui::style::Style;", true),
        ("domain::form", "#[cfg(test)]\nmod tests { use proptest::prelude::*; }", false),
        ("domain::form", "use proptest::prelude::*;", true),
        ("app::model", "#[cfg(test)]\nmod tests { use crate::ui::draw; }", false),
        ("app::model", "use crate::ui::draw;", true),
        ("app::model", "#[cfg(test)]\nmod tests { use crate::gateway; }", true),
        ("engine::core::run", "use crate::engine::store::Disk;", true),
        ("engine::core::run", "use crate::engine::core::State; use crate::api::littlehorse as lh;", false),
        ("engine::core::run", "use crate::engine::{core::State, writer::Engine};", true),
        ("engine::core::run", "use super::super::service;", true),
        ("engine::core::run", "use tokio::sync::mpsc;", true),
        ("engine::core::run", "println!(\"{}\", std::time::Instant::now());", true),
        ("engine::core::run", "macro_rules! m { () => { $crate::cli::main() } }", true),
        ("engine::store::tables", "std::fs::read(path)", true),
        ("engine::store::tables", "use std::{collections::BTreeMap, fs::File};", true),
        ("engine::store::disk", "use std::fs::File;", false),
        ("app::model", "use crate::runtime;", true),
        ("app::model", "use std::time::Duration;", false),
        ("app::model", "use std::time::Instant; fn f() { Instant::now() }", true),
        ("ui::inbox", "use crossterm::event::Event;", true),
        ("ui::inbox", "use ratatui::{layout::Rect, text::Line}; use crate::app::Model;", false),
        ("terminal::screen", "use crate::app::Model;", true),
        ("gateway::client", "use crate::engine::host;", true),
        ("gateway::client", "extern crate self as all;", true),
        ("cli::serve", "use crate::engine::host; use crate::runtime;", false),
        ("", "use ostler::engine::host;", true),
        ("", "fn main() { ostler::cli::main() }", false),
    ];
    for (module, source, caught) in table {
        let module: Vec<String> = module.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
        let wrong = violations(source, &module, &crates, false);
        assert_eq!(!wrong.is_empty(), *caught, "{} in {module:?} gave {wrong:?}", source);
    }
}

/// Files that may be longer than [`LONGEST`] lines, each with the reason.
const LONG_FILES: &[(&str, &str)] = &[];

/// A file that does not fit in a head is two files: the aim is 500 lines, this is the end of patience.
const LONGEST: usize = 600;

#[test]
fn files_stay_short() {
    let mut long = Vec::new();
    for file in
        ["src", "tests", "benches"].into_iter().filter(|folder| root().join(folder).is_dir()).flat_map(rust_files)
    {
        let name = file.strip_prefix(root()).expect("a file of the package").display().to_string();
        let lines = std::fs::read_to_string(&file).expect("a source file").lines().count();
        if lines > LONGEST && !LONG_FILES.iter().any(|(allowed, _)| *allowed == name) {
            long.push(format!("{name}: {lines} lines"));
        }
    }
    assert!(long.is_empty(), "split these by topic, or say in LONG_FILES why not:\n{}", long.join("\n"));
}
