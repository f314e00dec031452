//! Fills a store through the engine's own core, many commands in a commit.

use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::Instant;

use ostler::api::littlehorse as lh;
use ostler::engine::core::command::{Context, Request};
use ostler::engine::core::{self, Command};
use ostler::engine::store::{Outcome, RealDisk, Store, StoreOptions};
use ostler::engine::writer::{Clock, SystemClock};

use crate::workload::{results, run_wf, task_def, wf_spec};

/// People that the tasks are for.
pub const PEOPLE: usize = 20;

/// Runs in one commit.
const RUNS: usize = 1_000;

/// The task of that position in a run.
pub fn task(run: &str, position: u32) -> Option<lh::UserTaskRunId> {
    let wf_run_id = Some(lh::WfRunId { id: run.into(), parent_wf_run_id: None });
    Some(lh::UserTaskRunId { wf_run_id, user_task_guid: format!("0-{position}") })
}

/// Assigns a task.
pub fn claim(run: &str, position: u32, person: &str) -> lh::AssignUserTaskRunRequest {
    lh::AssignUserTaskRunRequest {
        user_task_run_id: task(run, position),
        override_claim: true,
        user_group: None,
        user_id: Some(person.into()),
    }
}

/// Completes a task.
pub fn complete(run: &str, position: u32, person: &str) -> lh::CompleteUserTaskRunRequest {
    lh::CompleteUserTaskRunRequest {
        user_task_run_id: task(run, position),
        results: results("Checked against the receipts; within the limit."),
        user_id: person.into(),
    }
}

/// A run of two tasks: the first done by somebody, the second open, three in ten of those claimed.
fn life(number: usize) -> Vec<Request> {
    let run = format!("fill-{number:07}");
    let person = format!("user{}", number % PEOPLE);
    let mut requests = vec![
        run_wf(&run, &format!("Travel expenses of trip {number}")).into(),
        claim(&run, 1, &person).into(),
        complete(&run, 1, &person).into(),
    ];
    if number / PEOPLE % 10 < 3 {
        requests.push(claim(&run, 2, &person).into());
    }
    requests
}

/// Makes a store of that many tasks below `root`, unless one is there.
pub fn fill(root: &Path, tasks: usize) {
    let done = root.join("filled");
    if done.exists() {
        return;
    }
    let data = root.join("data");
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&data).unwrap();
    let options = StoreOptions { cache_bytes: 512 << 20, log_bytes: 0, new_id: 1 };
    let store = Store::open(&RealDisk::new(&data), &options).unwrap();
    let start = Instant::now();
    let runs = tasks.div_ceil(2);
    // The runs of the last thirty days.
    let month = 30 * 24 * 3_600_000;
    let began = SystemClock.now() - month;
    let mut commands = 0u128;
    let mut command = |request: Request, at: i64| {
        commands += 1;
        let seed = commands.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        Command { context: Context { tenant: "default".into(), actor: Default::default(), at, now: at, seed }, request }
    };
    let mut give = |requests: Vec<(Request, i64)>| {
        store
            .write(|open| {
                for (request, at) in requests {
                    let applied = core::execute(open, &command(request, at)).unwrap();
                    open.apply(&applied.writes)?;
                }
                Ok(((), Outcome::Commit))
            })
            .unwrap();
    };
    give(vec![(task_def("an expense").into(), began), (wf_spec("finance").into(), began)]);
    for first in (0..runs).step_by(RUNS) {
        let batch = (first..runs.min(first + RUNS)).flat_map(|number| {
            let at = began + month * number as i64 / runs as i64;
            life(number).into_iter().map(move |request| (request, at))
        });
        give(batch.collect());
    }
    store.close();
    std::fs::write(done, "").unwrap();
    println!("filled {tasks} tasks, {commands} commands, in {:.1} s", start.elapsed().as_secs_f64());
}
