//! Deleting old runs: by the command, with and without a host, and by the retention of whoever hosts.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ostler::api::littlehorse as lh;
use ostler::api::littlehorse::little_horse_client::LittleHorseClient;
use ostler::engine::core::{check, query};
use ostler::engine::store::{RealDisk, Store, StoreOptions};
use tonic::transport::Channel;

use crate::store::server::Server;
use crate::store::workload::{results, run_wf, task_def, wf_spec};

fn ostler(root: &Path, arguments: &[&str]) -> (i32, String) {
    std::fs::create_dir_all(root.join("home")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_ostler"))
        .args(arguments)
        .args(["--allow-network-fs", "--data-dir"])
        .arg(root.join("data"))
        .env("HOME", root.join("home"))
        .env("XDG_RUNTIME_DIR", root)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    (output.status.code().unwrap(), said)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Runs of which the first `done` end.
async fn runs(client: &mut LittleHorseClient<Channel>, all: usize, done: usize) {
    client.put_user_task_def(task_def("x")).await.unwrap();
    client.put_wf_spec(wf_spec("finance")).await.unwrap();
    for run in 0..all {
        let id = client.run_wf(run_wf(&format!("run-{run}"), "x")).await.unwrap().into_inner().id;
        for position in (1..=2).filter(|_| run < done) {
            let request = lh::CompleteUserTaskRunRequest {
                user_task_run_id: Some(lh::UserTaskRunId {
                    wf_run_id: id.clone(),
                    user_task_guid: format!("0-{position}"),
                }),
                user_id: "amy".into(),
                results: results("fine"),
            };
            client.complete_user_task_run(request).await.unwrap();
        }
    }
}

async fn left(client: &mut LittleHorseClient<Channel>) -> usize {
    let request = lh::SearchWfRunRequest { wf_spec_name: "expense".into(), limit: Some(1000), ..Default::default() };
    client.search_wf_run(request).await.unwrap().into_inner().results.len()
}

fn agrees(root: &Path) {
    let options = StoreOptions { cache_bytes: 0, log_bytes: StoreOptions::DEFAULT_LOG, new_id: 1 };
    let store = Store::open(&RealDisk::new(root.join("data")), &options).unwrap();
    assert_eq!(check(&store.snapshot().unwrap()).unwrap(), []);
}

#[test]
fn finished_runs_go_and_the_others_stay() {
    let root = tempfile::tempdir().unwrap();
    let (root, server) = (root.path(), Server::start(root.path()));
    let left = |server: &Server| {
        runtime().block_on(async { left(&mut LittleHorseClient::new(server.over_tcp().await)).await })
    };
    runtime().block_on(async { runs(&mut LittleHorseClient::new(server.over_tcp().await), 60, 50).await });
    assert_eq!(ostler(root, &["prune", "--finished-before", "1h"]), (0, "Deleted 0 runs.\n".to_owned()));
    assert_eq!(
        ostler(root, &["prune", "--finished-before", "0s", "--dry-run"]),
        (0, "50 runs would be deleted.\n".to_owned())
    );
    assert_eq!(left(&server), 60);
    assert_eq!(ostler(root, &["prune", "--finished-before", "0s"]), (0, "Deleted 50 runs.\n".to_owned()));
    assert_eq!(left(&server), 10);
    assert_eq!(ostler(root, &["doctor"]).0, 0);
    drop(server);
    agrees(root);
    // Nobody hosts: the command does, and leaves nobody behind.
    let server = Server::start(root);
    runtime().block_on(async { runs(&mut LittleHorseClient::new(server.over_tcp().await), 1, 0).await });
    drop(server);
    assert_eq!(ostler(root, &["prune", "--finished-before", "0s"]), (0, "Deleted 0 runs.\n".to_owned()));
    agrees(root);
    let (code, said) = ostler(root, &["prune", "--finished-before", "soon"]);
    assert!(code == 2 && said.contains("it is not a span of time"), "{said}");
    assert_eq!(ostler(root, &["prune"]).0, 2);
}

#[test]
fn whoever_hosts_deletes_what_is_older_than_the_retention() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let server = Server::start(root);
    runtime().block_on(async { runs(&mut LittleHorseClient::new(server.over_tcp().await), 5, 4).await });
    drop(server);
    let config = root.join("home/.config/ostler");
    std::fs::create_dir_all(&config).unwrap();
    std::fs::write(config.join("config.toml"), "[engine]\nretention = '0s'\n").unwrap();
    let server = Server::start(root);
    runtime().block_on(async {
        let mut client = LittleHorseClient::new(server.over_tcp().await);
        let deadline = Instant::now() + Duration::from_secs(20);
        while left(&mut client).await > 1 {
            assert!(Instant::now() < deadline, "{} runs are left", left(&mut client).await);
        }
    });
    drop(server);
    agrees(root);
    let options = StoreOptions { cache_bytes: 0, log_bytes: StoreOptions::DEFAULT_LOG, new_id: 1 };
    let store = Store::open(&RealDisk::new(root.join("data")), &options).unwrap();
    let id = lh::WfRunId { id: "run-4".into(), parent_wf_run_id: None };
    assert!(query::get_wf_run(&store.snapshot().unwrap(), "default", id).is_ok());
}
