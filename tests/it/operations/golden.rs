//! A store of each format that was ever written, kept as test data: every later ostler opens, migrates and checks it.
//!
//! A redb file of a few objects has a megabyte and a half, nearly all of it zeros, so what is kept is its blocks that
//! are not.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ostler::api::littlehorse as lh;
use ostler::engine::core::command::{Actor, Channel, Context, Proof, Reply, Request};
use ostler::engine::core::{Command, Refusal, execute};
use ostler::engine::store::RealDisk;
use ostler::engine::writer::{Bounds, Clock, Engine, EngineOptions, Writer};

use crate::store::workload::{results, run_wf, task_def, wf_spec};

const BLOCK: usize = 512;

/// When the first command of a golden store was given: the first of January 2026.
const BEGINNING: i64 = 1_767_225_600_000;

fn golden(format: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/store-v{format}.blocks"))
}

/// Keeps the blocks that hold something: `[length u64]`, then `[number u32][block]` for each.
fn pack(file: &[u8]) -> Vec<u8> {
    let mut packed = (file.len() as u64).to_be_bytes().to_vec();
    for (number, block) in file.chunks(BLOCK).enumerate() {
        if block.iter().any(|byte| *byte != 0) {
            packed.extend(u32::try_from(number).unwrap().to_be_bytes());
            packed.extend(block);
            packed.resize(packed.len() + BLOCK - block.len(), 0);
        }
    }
    packed
}

fn unpack(packed: &[u8]) -> Vec<u8> {
    let (length, mut rest) = packed.split_first_chunk::<8>().unwrap();
    let mut file = vec![0; usize::try_from(u64::from_be_bytes(*length)).unwrap()];
    while let Some((number, after)) = rest.split_first_chunk::<4>() {
        let at = u32::from_be_bytes(*number) as usize * BLOCK;
        let end = (at + BLOCK).min(file.len());
        file[at..end].copy_from_slice(&after[..end - at]);
        rest = &after[BLOCK..];
    }
    file
}

struct Fixed(AtomicI64);

impl Clock for Fixed {
    fn now(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Gives commands to an engine on a file, at times that are always the same.
struct Author {
    engine: Engine,
    writer: Writer,
    clock: Arc<Fixed>,
}

impl Author {
    fn new(directory: &Path) -> Self {
        let clock = Arc::new(Fixed(AtomicI64::new(BEGINNING)));
        let options = EngineOptions { cache_bytes: 0, bounds: Bounds::default(), clock: clock.clone() };
        let (engine, writer) = Engine::open_stepped(&RealDisk::new(directory), options, execute).unwrap();
        Self { engine, writer, clock }
    }

    fn give(&mut self, tenant: &str, request: impl Into<Request>) -> Result<Reply, Refusal> {
        let at = self.clock.0.fetch_add(1000, Ordering::Relaxed) + 1000;
        let actor = Actor { name: "amy".into(), proof: Proof::PeerUid, channel: Channel::UnixSocket };
        let context = Context { tenant: tenant.into(), actor, at, now: at, seed: at.unsigned_abs().into() };
        let mut answer = self.engine.submit(Command { context, request: request.into() }).unwrap();
        self.writer.step();
        answer.try_recv().unwrap()
    }

    fn must(&mut self, tenant: &str, request: impl Into<Request>) {
        self.give(tenant, request).unwrap();
    }
}

fn task(run: &str, position: u32) -> Option<lh::UserTaskRunId> {
    let wf_run_id = Some(lh::WfRunId { id: run.into(), parent_wf_run_id: None });
    Some(lh::UserTaskRunId { wf_run_id, user_task_guid: format!("0-{position}") })
}

/// Something of everything that format 1 could hold.
fn write_all_of_format_1(author: &mut Author) {
    author.must("default", lh::PutTenantRequest { id: "acme".into(), ..Default::default() });
    for tenant in ["default", "acme"] {
        author.must(tenant, task_def("first"));
        author.must(tenant, wf_spec("finance"));
    }
    author.must("default", task_def("second"));
    author.must("default", wf_spec("ops"));
    let old = lh::UserTaskDefId { name: "approve".into(), version: 0 };
    author.must("default", lh::DeleteUserTaskDefRequest { id: Some(old) });
    for run in ["open", "claimed", "saved", "half", "done", "cancelled", "talked"] {
        author.must("default", run_wf(run, &format!("subject of {run}")));
    }
    author.must("acme", run_wf("open", "of another tenant"));
    let user = || "bob".to_owned();
    let assign = |run: &str| lh::AssignUserTaskRunRequest {
        user_task_run_id: task(run, 1),
        user_id: Some(user()),
        ..Default::default()
    };
    author.must("default", assign("claimed"));
    author.must("default", assign("saved"));
    author.must(
        "default",
        lh::SaveUserTaskRunProgressRequest {
            user_task_run_id: task("saved", 1),
            user_id: user(),
            results: results("not sure yet"),
            ..Default::default()
        },
    );
    for (run, positions) in [("half", 1..2), ("done", 1..3)] {
        for position in positions {
            author.must(
                "default",
                lh::CompleteUserTaskRunRequest {
                    user_task_run_id: task(run, position),
                    user_id: user(),
                    results: results("fine"),
                },
            );
        }
    }
    author.must("default", lh::CancelUserTaskRunRequest { user_task_run_id: task("cancelled", 1) });
    for text in ["what is this?", "oh, I see"] {
        author.must(
            "default",
            lh::PutUserTaskRunCommentRequest {
                user_task_run_id: task("talked", 1),
                user_id: user(),
                comment: text.into(),
            },
        );
    }
    author.must(
        "default",
        lh::DeleteUserTaskRunCommentRequest {
            user_task_run_id: task("talked", 1),
            user_comment_id: 1,
            user_id: user(),
            ..Default::default()
        },
    );
}

/// Writes the golden file of the present format; run it once before the format changes.
#[test]
#[ignore = "writes a file into the source tree"]
fn write_the_golden_file_of_this_format() {
    let directory = tempfile::tempdir().unwrap();
    let mut author = Author::new(directory.path());
    write_all_of_format_1(&mut author);
    drop(author);
    let file = std::fs::read(directory.path().join("db.redb")).unwrap();
    let packed = pack(&file);
    assert_eq!(unpack(&packed), file);
    std::fs::write(golden(ostler::engine::store::FORMAT_VERSION), packed).unwrap();
}
