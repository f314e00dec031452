//! A store of each format that was ever written, kept as test data: every later ostler opens, migrates and checks it.
//!
//! A redb file of a few objects has a megabyte and a half, nearly all of it zeros, so what is kept is its blocks that
//! are not.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ostler::api::{littlehorse as lh, store::v1 as store};
use ostler::engine::core::command::{Actor, Channel, Context, Proof, Reply, Request};
use ostler::engine::core::{self, Command, Order, Refusal, State, Table, execute, query, rebuild, timer};
use ostler::engine::store::{Disk, FORMAT_VERSION, OpenError, RealDisk, Snapshot, Store, StoreOptions};
use ostler::engine::writer::{Clock, Engine, EngineOptions, Writer};

use crate::store::order::Orders;
use crate::store::random::Random;
use crate::store::sim_disk::{Mishap, SimDisk};
use crate::store::workload::{results, run_wf, string, task_def, wf_spec};

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
        // A short log: what is left of earlier rounds is part of the file too.
        let options =
            EngineOptions { cache_bytes: 0, log_bytes: 64 << 10, clock: clock.clone(), ..EngineOptions::default() };
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
        },
    );
}

/// Something of everything that format 2 could hold beside that: orders, which wait for workers, events, threads,
/// people and time, and what lies outside of runs.
fn write_all_of_format_2(author: &mut Author) {
    write_all_of_format_1(author);
    author.must(
        "default",
        lh::PutPrincipalRequest {
            id: "auditor".into(),
            global_acls: Some(lh::ServerAcLs {
                acls: vec![lh::ServerAcl {
                    resources: vec![lh::AclResource::AclAllResources.into()],
                    allowed_actions: vec![lh::AclAction::Read.into()],
                    ..Default::default()
                }],
            }),
            ..Default::default()
        },
    );
    author.must(
        "default",
        lh::PutQuotaRequest {
            tenant: Some(lh::TenantId { id: "acme".into() }),
            write_requests_per_second: 100,
            ..Default::default()
        },
    );
    let text = lh::TypeDefinition {
        defined_type: Some(lh::type_definition::DefinedType::PrimitiveType(lh::VariableType::Str.into())),
        ..Default::default()
    };
    let field = lh::StructFieldDef { field_type: Some(text.clone()), ..Default::default() };
    let struct_def = lh::InlineStructDef { fields: [("street".to_owned(), field)].into() };
    author.must(
        "default",
        lh::PutStructDefRequest { name: "address".into(), struct_def: Some(struct_def), ..Default::default() },
    );
    let content_type = Some(lh::ReturnType { return_type: Some(text) });
    author.must("default", lh::PutWorkflowEventDefRequest { name: "shipped".into(), content_type });
    author.must(
        "default",
        lh::PutExternalEventDefRequest {
            name: "delivered".into(),
            correlated_event_config: Some(lh::CorrelatedEventConfig::default()),
            ..Default::default()
        },
    );
    author.must(
        "default",
        lh::PutCorrelatedEventRequest {
            key: "parcel-7".into(),
            external_event_def_id: Some(lh::ExternalEventDefId { name: "delivered".into() }),
            content: Some(string("at the door")),
        },
    );
    author.must(
        "default",
        lh::ScheduleWfRequest {
            id: Some("hourly".into()),
            wf_spec_name: "expense".into(),
            cron_expression: "0 * * * *".into(),
            ..Default::default()
        },
    );
    let mut orders = Orders::new(Random::new(2));
    for _ in 0..300 {
        let request = orders.request();
        if let Ok(reply) = author.give("default", request) {
            orders.learn(&reply);
        }
    }
    // In the end some tasks are at work, whose time is limited.
    for _ in 0..4 {
        let claim =
            store::ClaimTask { task_def_name: "ship".into(), task_worker_id: "worker".into(), ..Default::default() };
        author.must("default", claim);
    }
}

/// Writes the golden file of the present format; run it once before the format changes.
#[test]
#[ignore = "writes a file into the source tree"]
fn write_the_golden_file_of_this_format() {
    let directory = tempfile::tempdir().unwrap();
    let mut author = Author::new(directory.path());
    write_all_of_format_2(&mut author);
    // As a kill -9 would leave it: the last commits are in the log alone.
    let file = std::fs::read(directory.path().join("db.redb")).unwrap();
    drop(author);
    let packed = pack(&file);
    assert_eq!(unpack(&packed), file);
    std::fs::write(golden(FORMAT_VERSION), packed).unwrap();
}

const OPTIONS: StoreOptions = StoreOptions { cache_bytes: 0, log_bytes: StoreOptions::DEFAULT_LOG, new_id: 1 };

fn file_of(format: u32) -> Vec<u8> {
    unpack(&std::fs::read(golden(format)).unwrap())
}

/// Everything that [`write_all_of_format_1`] wrote is there and agrees with itself.
fn holds_all_of_format_1(snapshot: &Snapshot) {
    assert_eq!(core::check(snapshot).unwrap(), []);
    assert!(!rebuild::is_under_way(snapshot).unwrap());
    let get = |tenant: &str, id: Option<lh::UserTaskRunId>| query::get_user_task_run(snapshot, tenant, id.unwrap());
    let of = |run: &str| get("default", task(run, 1)).unwrap();
    use lh::UserTaskRunStatus as Status;
    for (run, status) in [
        ("open", Status::Unassigned),
        ("claimed", Status::Assigned),
        ("saved", Status::Assigned),
        ("half", Status::Done),
        ("done", Status::Done),
        ("cancelled", Status::Cancelled),
        ("talked", Status::Unassigned),
    ] {
        assert_eq!(of(run).status(), status, "{run}");
        let id = lh::VariableId {
            wf_run_id: Some(lh::WfRunId { id: run.into(), parent_wf_run_id: None }),
            thread_run_number: 0,
            name: "subject".into(),
        };
        let value = query::get_variable(snapshot, "default", id).unwrap().value.unwrap().value;
        assert_eq!(value, Some(lh::variable_value::Value::Str(format!("subject of {run}"))));
    }
    assert_eq!(of("saved").results, results("not sure yet"));
    assert_eq!(of("talked").events.len(), 4);
    assert_eq!(get("acme", task("open", 1)).unwrap().status(), Status::Unassigned);
    let search = |status: Option<lh::LhStatus>| {
        let request = lh::SearchWfRunRequest {
            wf_spec_name: "expense".into(),
            status: status.map(Into::into),
            ..Default::default()
        };
        query::search_wf_run(snapshot, "default", request).unwrap().results.len()
    };
    assert_eq!((search(None), search(Some(lh::LhStatus::Completed))), (7, 1));
}

/// Everything that [`write_all_of_format_2`] wrote is there and agrees with itself.
fn holds_all_of_format_2(snapshot: &Snapshot) {
    holds_all_of_format_1(snapshot);
    let runs = |status: lh::LhStatus| {
        let request =
            lh::SearchWfRunRequest { wf_spec_name: "order".into(), status: Some(status.into()), ..Default::default() };
        query::search_wf_run(snapshot, "default", request).unwrap().results.len()
    };
    use lh::LhStatus::{Completed, Error, Halted, Running};
    assert_eq!([Running, Halted, Completed, Error].map(runs), ORDERS_OF_FORMAT_2);
    assert_eq!(timer::due(snapshot, i64::MAX, usize::MAX).unwrap().len(), TIMERS_OF_FORMAT_2);
    let principal = lh::PrincipalId { id: "auditor".into() };
    assert!(query::get_principal(snapshot, "default", principal).unwrap().global_acls.is_some());
    let quota = lh::QuotaId { tenant: Some(lh::TenantId { id: "acme".into() }), principal: None };
    assert_eq!(query::get_quota(snapshot, "default", quota).unwrap().write_requests_per_second, 100);
    let address = lh::StructDefId { name: "address".into(), version: 0 };
    assert_eq!(query::get_struct_def(snapshot, "default", address).unwrap().struct_def.unwrap().fields.len(), 1);
    let parcel = lh::CorrelatedEventId {
        key: "parcel-7".into(),
        external_event_def_id: Some(lh::ExternalEventDefId { name: "delivered".into() }),
    };
    assert_eq!(query::get_correlated_event(snapshot, "default", parcel).unwrap().content, Some(string("at the door")));
    let hourly = lh::ScheduledWfRunId { id: "hourly".into() };
    assert_eq!(query::get_scheduled_wf_run(snapshot, "default", hourly).unwrap().cron_expression, "0 * * * *");
}

/// Running, halted, completed and failed.
const ORDERS_OF_FORMAT_2: [usize; 4] = [16, 3, 0, 0];
const TIMERS_OF_FORMAT_2: usize = 3;

fn holds_all(format: u32, snapshot: &Snapshot) {
    match format {
        1 => holds_all_of_format_1(snapshot),
        _ => holds_all_of_format_2(snapshot),
    }
}

#[test]
fn every_format_that_ever_was_is_opened_and_migrated_and_a_copy_is_kept() {
    for format in 1..=FORMAT_VERSION {
        let directory = tempfile::tempdir().unwrap();
        let file = file_of(format);
        std::fs::write(directory.path().join("db.redb"), &file).unwrap();
        let disk = RealDisk::new(directory.path());
        for _ in 0..2 {
            let store = Store::open(&disk, &OPTIONS).unwrap();
            holds_all(format, &store.snapshot().unwrap());
        }
        let copy = directory.path().join(format!("db.redb.bak-v{format}"));
        assert_eq!(copy.exists(), format < FORMAT_VERSION);
        if copy.exists() {
            // What is kept is a whole store of the old format: it can be migrated again.
            std::fs::rename(copy, directory.path().join("db.redb")).unwrap();
            holds_all(format, &Store::open(&disk, &OPTIONS).unwrap().snapshot().unwrap());
        }
        // And it goes on from there.
        let mut author = Author::new(directory.path());
        author.clock.0.store(BEGINNING + 1_000_000, Ordering::Relaxed);
        author.must("default", run_wf("new", "after the migration"));
        // Whatever waited for a time has it now.
        while author.writer.step() {}
        assert!(
            timer::next_due(&author.engine.snapshot().unwrap()).unwrap().is_none_or(|due| due > author.clock.now())
        );
        assert_eq!(core::check(&author.engine.snapshot().unwrap()).unwrap(), []);
    }
}

#[test]
fn the_golden_file_with_a_log_has_commits_that_are_nowhere_else() {
    let objects = |file: &[u8]| {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("db.redb"), file).unwrap();
        let snapshot = Store::open(&RealDisk::new(directory.path()), &OPTIONS).unwrap().snapshot().unwrap();
        let mut objects = Vec::new();
        let keep = &mut |key: &[u8], value: &[u8]| {
            objects.push((key.to_vec(), value.to_vec()));
            ControlFlow::Continue(())
        };
        snapshot.scan(Table::Obj, &[], None, Order::Ascending, keep).unwrap();
        objects
    };
    let mut file = file_of(3);
    let all = objects(&file);
    file[4096..1 << 20].fill(0);
    assert_ne!(objects(&file), all);
}

/// The disk that a golden store lies on.
fn disk_with(format: u32) -> SimDisk {
    let disk = SimDisk::new();
    let file = disk.create("db.redb").unwrap();
    file.write_at(0, &file_of(format)).unwrap();
    file.sync().unwrap();
    disk.sync_names().unwrap();
    disk
}

#[test]
fn a_power_cut_anywhere_in_a_migration_loses_nothing() {
    let mut random = Random::new(crate::store::seed());
    for format in 1..FORMAT_VERSION {
        let (mut at, mut cuts) = (1, 0);
        loop {
            let mut disk = disk_with(format);
            disk.arm(Mishap::PowerCut(at));
            let opened = Store::open(&disk, &OPTIONS);
            let whole = opened.is_ok() && !disk.is_off();
            drop(opened);
            if whole {
                break;
            }
            // The next start is cut off too, further on or sooner.
            for _ in 0..2 {
                disk = disk.restarted(&mut random);
                disk.arm(Mishap::PowerCut(1 + random.below(40) as u64));
                drop(Store::open(&disk, &OPTIONS));
                cuts += 1;
            }
            let store = Store::open(&disk.restarted(&mut random), &OPTIONS).unwrap();
            holds_all(format, &store.snapshot().unwrap());
            // Somewhere else in each run of the tests, but everywhere in the long run.
            at += 1 + random.below(5) as u64;
        }
        assert!(cuts > 20, "only {cuts} cuts");
    }
}

#[test]
fn a_full_disk_leaves_an_old_store_as_it_is() {
    for format in 1..FORMAT_VERSION {
        let mut refusals = Vec::new();
        for at in (1..).step_by(4) {
            let disk = disk_with(format);
            disk.arm(Mishap::Full(at));
            let opened = Store::open(&disk, &OPTIONS);
            disk.arm(Mishap::None);
            let Err(refused) = opened else { break };
            assert!(matches!(&refused, OpenError::Disk { .. }), "{refused}");
            refusals.push(refused.to_string());
            for unfinished in [format!("db.redb.bak-v{format}.new"), "db.redb.new".to_owned()] {
                assert!(disk.open(&unfinished).unwrap().is_none(), "{unfinished}");
            }
            holds_all(format, &Store::open(&disk, &OPTIONS).unwrap().snapshot().unwrap());
        }
        for said in ["copy the store before it is migrated", "write the store in its new form"] {
            assert!(refusals.iter().any(|refusal| refusal.contains(said)), "{refusals:?}");
        }
    }
}
