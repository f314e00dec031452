//! Backups, restores and the doctor, on the real program.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use ostler::api::littlehorse as lh;
use ostler::api::littlehorse::little_horse_client::LittleHorseClient;
use ostler::engine::core::{Order, State, Table, WriteSet, check, query};
use ostler::engine::store::archive::{self, Archive, ArchiveError};
use ostler::engine::store::{Outcome, RealDisk, Store, StoreOptions};

use crate::store::server::Server;
use crate::store::workload::{run_wf, task_def, wf_spec};

/// A place for stores and backups, with its own home.
pub(super) struct Ground(pub(super) tempfile::TempDir);

impl Ground {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(super) fn ostler(&self, arguments: &[&str], data: &str) -> (i32, String) {
        std::fs::create_dir_all(self.path("home")).unwrap();
        let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_ostler"))
            .args(arguments)
            .arg("--data-dir")
            .arg(self.path(data))
            .arg("--allow-network-fs")
            .current_dir(self.0.path())
            .env("HOME", self.path("home"))
            .env("XDG_RUNTIME_DIR", self.0.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        (status.code().unwrap(), said)
    }

    pub(super) fn names(&self, directory: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(directory)).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn store(directory: &Path) -> Store {
    Store::open(
        &RealDisk::new(directory),
        &StoreOptions { cache_bytes: 0, log_bytes: StoreOptions::DEFAULT_LOG, new_id: 9 },
    )
    .unwrap()
}

fn everything(state: &dyn State) -> BTreeMap<(Table, Vec<u8>), Vec<u8>> {
    let mut all = BTreeMap::new();
    for table in Table::ALL {
        let visit = &mut |key: &[u8], value: &[u8]| {
            all.insert((table, key.to_vec()), value.to_vec());
            ControlFlow::Continue(())
        };
        state.scan(table, &[], None, Order::Ascending, visit).unwrap();
    }
    all
}

fn rows_in(directory: &Path) -> BTreeMap<(Table, Vec<u8>), Vec<u8>> {
    everything(&store(directory).snapshot().unwrap())
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Defines the workflow and runs it under these ids.
fn run(server: &Server, ids: &[&str]) {
    runtime().block_on(async {
        let mut client = LittleHorseClient::new(server.over_tcp().await);
        client.put_user_task_def(task_def("x")).await.unwrap();
        client.put_wf_spec(wf_spec("finance")).await.unwrap();
        for id in ids {
            client.run_wf(run_wf(id, "x")).await.unwrap();
        }
    });
}

fn has_run(directory: &Path, id: &str) -> bool {
    has_runs(directory, &[id])[0]
}

/// Which of the runs are there. The store is opened once: the lock that a store has on its file lives a moment longer
/// in every child that another test starts meanwhile.
pub(super) fn has_runs<S: AsRef<str>>(directory: &Path, ids: &[S]) -> Vec<bool> {
    let snapshot = store(directory).snapshot().unwrap();
    let there = |id: &S| {
        let id = lh::WfRunId { id: id.as_ref().to_owned(), parent_wf_run_id: None };
        query::get_wf_run(&snapshot, "default", id).is_ok()
    };
    ids.iter().map(there).collect()
}

#[test]
fn a_backup_is_restored_as_it_was_and_what_was_there_is_kept() {
    let ground = Ground::new();
    assert_eq!(ground.ostler(&["backup", "early"], "data").0, 7);
    assert!(!ground.path("data").exists(), "asking for a backup makes no store");
    let mut server = Server::start(ground.0.path());
    run(&server, &["a", "b"]);
    // While it is served, and while it is not.
    let (code, said) = ground.ostler(&["backup", "served"], "data");
    assert_eq!(code, 0, "{said}");
    assert!(said.starts_with("served holds "), "{said}");
    server.kill();
    let (code, said) = ground.ostler(&["backup", "alone"], "data");
    assert_eq!(code, 0, "{said}");
    use std::os::unix::fs::MetadataExt;
    assert_eq!(std::fs::metadata(ground.path("alone")).unwrap().mode() & 0o777, 0o600);
    let before = rows_in(&ground.path("data"));
    for (backup, data) in [("served", "one"), ("alone", "two")] {
        let (code, said) = ground.ostler(&["restore", backup], data);
        assert_eq!(code, 0, "{said}");
        assert_eq!(ground.names(data), ["db.redb", "engine.lock"]);
        assert_eq!(rows_in(&ground.path(data)), before, "{backup}");
    }
    // Over a store that has gone on.
    let server = Server::start(ground.0.path());
    run(&server, &["c"]);
    drop(server);
    assert!(has_run(&ground.path("data"), "c"));
    let (code, said) = ground.ostler(&["restore", "alone"], "data");
    assert_eq!(code, 0, "{said}");
    assert_eq!(rows_in(&ground.path("data")), before);
    let names = ground.names("data");
    let kept = names.iter().find(|name| name.starts_with("db.redb.before-restore-")).expect("the old store");
    assert!(said.contains(kept), "{said}");
    std::fs::create_dir(ground.path("old")).unwrap();
    std::fs::rename(ground.path("data").join(kept), ground.path("old/db.redb")).unwrap();
    assert!(has_run(&ground.path("old"), "c"));
    assert_eq!(ground.ostler(&["doctor"], "data").0, 0);
}

/// What the backup holds is one moment of the store, however much is written meanwhile.
#[test]
fn a_backup_under_load_is_one_moment_of_the_store() {
    let ground = Ground::new();
    let server = Server::start(ground.0.path());
    run(&server, &["first"]);
    let done = AtomicBool::new(false);
    let (given, said) = std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            runtime().block_on(async {
                let mut client = LittleHorseClient::new(server.over_tcp().await);
                let mut given = 0;
                while !done.load(Ordering::Relaxed) {
                    client.run_wf(run_wf(&format!("run-{given}"), &"x".repeat(2000))).await.unwrap();
                    given += 1;
                }
                given
            })
        });
        let said: Vec<_> = (0..3).map(|n| ground.ostler(&["backup", &format!("b{n}")], "data")).collect();
        done.store(true, Ordering::Relaxed);
        (load.join().unwrap(), said)
    });
    assert!(given > 0);
    for (n, (code, said)) in said.into_iter().enumerate() {
        assert_eq!(code, 0, "{said}");
        let data = format!("restored{n}");
        // It refuses what does not agree with itself.
        let (code, said) = ground.ostler(&["restore", &format!("b{n}")], &data);
        assert_eq!(code, 0, "{said}");
        let directory = ground.path(&data);
        // One client gave one after the other: what is there has no gap.
        let runs: Vec<_> =
            std::iter::once("first".to_owned()).chain((0..given).map(|run| format!("run-{run}"))).collect();
        let there = has_runs(&directory, &runs);
        assert!(there[0]);
        assert!(there.is_sorted_by(|one, two| *one || !*two), "{there:?}");
    }
}

#[test]
fn a_backup_that_is_cut_off_or_changed_is_refused_and_changes_nothing() {
    let ground = Ground::new();
    let mut server = Server::start(ground.0.path());
    run(&server, &["a"]);
    server.kill();
    assert_eq!(ground.ostler(&["backup", "good"], "data").0, 0);
    let good = std::fs::read(ground.path("good")).unwrap();
    let read = |bytes: &[u8]| -> Result<u64, ArchiveError> {
        let mut archive = Archive::open(Cursor::new(bytes))?;
        while archive.next_writes()?.is_some() {}
        Ok(archive.rows())
    };
    assert!(read(&good).unwrap() > 10);
    for length in (0..good.len()).step_by(7).chain(good.len() - 50..good.len()) {
        assert!(matches!(read(&good[..length]), Err(ArchiveError::Damaged(_))), "{length} bytes");
    }
    for at in (0..good.len()).step_by(5) {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        assert!(read(&bad).is_err(), "byte {at}");
    }
    assert!(read(&[&good[..], b"x"].concat()).is_err());
    let before = rows_in(&ground.path("data"));
    for bad in [&good[..good.len() - 1], b"", b"just some text"] {
        std::fs::write(ground.path("bad"), bad).unwrap();
        let (code, said) = ground.ostler(&["restore", "bad"], "data");
        assert_eq!(code, 7, "{said}");
        assert!(said.contains("no whole backup"), "{said}");
    }
    assert_eq!(ground.ostler(&["restore", "missing"], "data").0, 7);
    assert_eq!(ground.names("data"), ["db.redb", "engine.lock"]);
    assert_eq!(rows_in(&ground.path("data")), before);
    assert_eq!(ground.ostler(&["backup", "db.redb"], "data").0, 2);
}

#[test]
fn a_backup_that_does_not_agree_with_itself_is_not_restored() {
    let ground = Ground::new();
    let mut server = Server::start(ground.0.path());
    run(&server, &["a"]);
    server.kill();
    let store = store(&ground.path("data"));
    let (key, mut value) = everything(&store.snapshot().unwrap())
        .into_iter()
        .find_map(|((table, key), value)| (table == Table::Obj && key[8] == 16).then_some((key, value)))
        .unwrap();
    *value.last_mut().unwrap() ^= 1;
    let mut writes = WriteSet::default();
    writes.put(Table::Obj, key, value);
    store.write(|open| Ok((open.apply(&writes)?, Outcome::Commit))).unwrap();
    let mut file = std::fs::File::create(ground.path("bad")).unwrap();
    archive::write(&store.snapshot().unwrap(), 0, &mut file).unwrap();
    drop(store);
    let (code, said) = ground.ostler(&["restore", "bad"], "other");
    assert_eq!(code, 7, "{said}");
    assert!(said.contains("does not agree with itself") && said.contains("wrong checksum"), "{said}");
    assert_eq!(ground.names("other"), ["engine.lock"]);
}

#[test]
fn the_doctor_finds_what_is_lost_and_rebuilds_it() {
    let ground = Ground::new();
    let mut server = Server::start(ground.0.path());
    run(&server, &["a", "b"]);
    let (code, said) = ground.ostler(&["doctor"], "data");
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("agrees with itself"), "{said}");
    let (code, said) = ground.ostler(&["doctor", "--repair"], "data");
    assert_eq!(code, 4, "{said}");
    server.kill();
    assert_eq!(ground.ostler(&["doctor"], "data").0, 0);
    assert_eq!(ground.ostler(&["doctor", "--repair"], "data").0, 0);
    assert_eq!(ground.names("data"), ["db.redb", "engine.lock"]);
    let before = rows_in(&ground.path("data"));
    let mut writes = WriteSet::default();
    for table in [Table::Idx, Table::Count, Table::Ids, Table::KeyIdx] {
        let (_, key) = before.keys().rfind(|(at, _)| *at == table).unwrap();
        writes.remove(table, key.clone());
    }
    let damaged = store(&ground.path("data"));
    damaged.write(|open| Ok((open.apply(&writes)?, Outcome::Commit))).unwrap();
    drop(damaged);
    let (code, said) = ground.ostler(&["doctor"], "data");
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("is missing") && said.contains("doctor --repair"), "{said}");
    // A host finds the same, and says who must be stopped.
    let server = Server::start(ground.0.path());
    let (code, said) = ground.ostler(&["doctor"], "data");
    assert_eq!(code, 3, "{said}");
    assert!(said.contains(&format!("process {}", server.pid())), "{said}");
    drop(server);
    let (code, said) = ground.ostler(&["doctor", "--repair"], "data");
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("Rebuilt") && said.contains("db.redb.before-repair-"), "{said}");
    assert_eq!(rows_in(&ground.path("data")), before);
    let kept = ground.names("data").into_iter().find(|name| name.starts_with("db.redb.before-repair-")).unwrap();
    std::fs::create_dir(ground.path("kept")).unwrap();
    std::fs::rename(ground.path("data").join(kept), ground.path("kept/db.redb")).unwrap();
    assert_ne!(check(&store(&ground.path("kept")).snapshot().unwrap()).unwrap(), []);
}
