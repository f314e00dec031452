//! What the bundled engine does in a second, measured through the real program and its real listeners.
//!
//! `cargo bench --bench engine` fills stores of 10,000 and 1,000,000 tasks and prints a table for each; `-- --tasks N`
//! takes another size, `-- --dir DIR` keeps the filled stores there and uses them again, and `-- --smoke` (also without
//! `--bench`, as `cargo test` runs it) is over in seconds and only shows that all of it works.
//!
//! Client and server share the machine's processors. The figures depend on what a flush of the disk costs, so the
//! probe beside them is part of the result.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark")]
#![allow(missing_docs, reason = "a program, not a library")]

mod fill;
mod late;
mod load;
#[allow(dead_code, reason = "shared with the tests, which use all of it")]
#[path = "../../tests/it/store/order.rs"]
mod order;
#[allow(dead_code, reason = "shared with the tests, which use all of it")]
#[path = "../../tests/it/store/random.rs"]
mod random;
#[allow(dead_code, reason = "shared with the tests, which use all of it")]
#[path = "../../tests/it/store/server.rs"]
mod server;
#[allow(dead_code, reason = "shared with the tests, which use all of it")]
#[path = "../../tests/it/store/workload.rs"]
mod workload;

use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use load::Times;
use server::Server;

struct Plan {
    sizes: Vec<usize>,
    smoke: bool,
    keep: Option<PathBuf>,
}

fn plan() -> Plan {
    let mut plan = Plan { sizes: Vec::new(), smoke: true, keep: None };
    let mut arguments = std::env::args().skip(1);
    let mut smoke = false;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            // What `cargo bench` adds.
            "--bench" => plan.smoke = false,
            "--smoke" => smoke = true,
            "--tasks" => plan.sizes.push(arguments.next().and_then(|n| n.parse().ok()).expect("--tasks NUMBER")),
            "--dir" => plan.keep = Some(arguments.next().expect("--dir DIR").into()),
            // A filter for names of tests, as test runners pass it on: there are none here.
            _ => {}
        }
    }
    plan.smoke |= smoke;
    if plan.sizes.is_empty() {
        plan.sizes = if plan.smoke { vec![300] } else { vec![10_000, 1_000_000] };
    }
    plan
}

/// What one flush of this disk costs: a 4 KiB block written in place, then fdatasync.
fn probe(directory: &Path) -> Times {
    let path = directory.join("probe");
    let file = std::fs::File::create(&path).unwrap();
    file.write_all_at(&[0; 4096], 0).unwrap();
    file.sync_all().unwrap();
    let mut times = Times::default();
    for round in 0..300u32 {
        let block = [u8::try_from(round % 251).unwrap(); 4096];
        let start = Instant::now();
        file.write_all_at(&block, 0).unwrap();
        file.sync_data().unwrap();
        times.add(start.elapsed());
    }
    std::fs::remove_file(path).unwrap();
    times
}

/// A figure of `/proc/PID/status`, in MiB.
fn memory(server: &Server, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.trim_matches([':', ' ', '\t', 'k', 'B']).parse::<u64>().ok()).unwrap_or_default() / 1024
}

/// Bytes that the server has sent to the disk so far.
fn written(server: &Server) -> u64 {
    let io = std::fs::read_to_string(format!("/proc/{}/io", server.pid())).unwrap_or_default();
    io.lines().find_map(|line| line.strip_prefix("write_bytes: ")?.parse().ok()).unwrap_or_default()
}

/// Microseconds of processor time that the server has used so far.
fn processor(server: &Server) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.pid())).unwrap_or_default();
    // Behind the name, which may hold anything, come the state and ten more fields, then both times in hundredths.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    fields.filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>() * 10_000
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// A server that has just been started, and how long it took to its first page.
async fn first_answer(root: &Path) -> (Server, Duration) {
    let start = Instant::now();
    let server = Server::start(root);
    load::page(&mut load::client(server.over_tcp().await)).await;
    (server, start.elapsed())
}

async fn measure(root: &Path, tasks: usize, smoke: bool) {
    println!("\n{tasks} tasks");
    let (server, clean) = first_answer(root).await;
    let before = load::reads(&server, if smoke { 20 } else { 400 }).await;
    for (name, times) in before {
        println!("  {name:<27} {times}");
    }
    let clients: &[(usize, usize)] = if smoke { &[(1, 10), (8, 5)] } else { &[(1, 400), (32, 200), (128, 100)] };
    let round = server.pid();
    for (clients, each) in clients {
        println!("  flush of this disk          {}", probe(root));
        for load::Cost { name, rate, times, written, processor } in load::writes(&server, round, *clients, *each).await
        {
            println!("  {name:<8} {clients:>3} clients {rate:>9.0}/s  {times}; each {written} KiB, {processor} µs");
        }
    }
    let (late, rate) = late::lateness(&server, if smoke { 20 } else { 1_000 }, if smoke { 100 } else { 1_000 }).await;
    println!("  timers, beside {rate:>5.0}/s      {late} late");
    println!(
        "  memory                      {} MiB, at most {} MiB",
        memory(&server, "VmRSS"),
        memory(&server, "VmHWM")
    );
    let mut server = server;
    server.kill();
    let (server, killed) = first_answer(root).await;
    println!(
        "  first answer                {:.1} ms, after kill -9 {:.1} ms",
        milliseconds(clean),
        milliseconds(killed)
    );
    println!("  memory after that           {} MiB", memory(&server, "VmRSS"));
    let file = std::fs::metadata(root.join("data/db.redb")).unwrap();
    let mib = |bytes: u64| bytes >> 20;
    println!("  disk                        {} MiB used, {} MiB long", mib(file.blocks() * 512), mib(file.len()));
}

fn main() {
    let plan = plan();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for tasks in &plan.sizes {
        let temporary;
        let root = match &plan.keep {
            Some(directory) => directory.join(tasks.to_string()),
            None => {
                temporary = tempfile::tempdir().unwrap();
                temporary.path().to_owned()
            }
        };
        fill::fill(&root, *tasks);
        runtime.block_on(measure(&root, *tasks, plan.smoke));
    }
}
