//! The engine's figures in the text format of Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::ControlFlow;

use super::health::{self, Health};
use crate::api::littlehorse as lh;
use crate::engine::core::key::{self, Index};
use crate::engine::core::{Fault, Order, State, Table};
use crate::engine::writer::{Distribution, Engine};

/// What a server must say of this text.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Rows that one look at the metrics reads of one table at most: asking must stay cheap however large the store is.
const MOST_ROWS: usize = 100_000;

/// All metrics as they are now.
pub(super) fn render(engine: &Engine) -> String {
    let mut text = Text::default();
    let stats = engine.stats();
    text.family("ostler_build_info", "gauge", "The version of the host.");
    text.sample("ostler_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    text.one("ostler_uptime_seconds", "gauge", "Time since the store was opened.", stats.uptime().as_secs_f64());
    let health = health::of(engine);
    text.one("ostler_up", "gauge", "1 when the engine reads and writes.", truth(health == Health::Well));
    text.one(
        "ostler_read_only",
        "gauge",
        "1 after an error of the disk: reads go on, commands are refused.",
        truth(engine.trouble().is_some()),
    );

    text.family("ostler_commands_total", "counter", "Commands answered, by RPC and gRPC status.");
    for ((command, code), count) in stats.commands() {
        text.sample("ostler_commands_total", &[("command", command), ("code", code)], count as f64);
    }
    let commits = stats.commits();
    text.histogram(
        "ostler_commit_seconds",
        "Time from the first command of a commit to the end of its flush.",
        &commits,
    );
    let committed = "Commands made durable; divided by ostler_commit_seconds_count, those of a mean commit.";
    text.one("ostler_committed_commands_total", "counter", committed, stats.committed() as f64);
    let (commands, bytes) = engine.waiting();
    text.one("ostler_queue_commands", "gauge", "Commands that wait for the writer.", commands as f64);
    text.one("ostler_queue_bytes", "gauge", "Bytes of their requests.", bytes as f64);
    let rejected = "Commands that the full queue did not take.";
    text.one("ostler_queue_rejected_total", "counter", rejected, stats.refused_by_queue() as f64);

    let late = "Time from when a timer was due until what it did was durable.";
    text.histogram("ostler_timer_lateness_seconds", late, &stats.lateness());

    let usage = engine.usage();
    if let Some(bytes) = usage.bytes {
        text.one("ostler_store_bytes", "gauge", "Bytes of the store's file.", bytes as f64);
    }
    let snapshots = "Reads in progress; one that stays open keeps old pages from being used again.";
    text.one("ostler_store_snapshots", "gauge", snapshots, usage.snapshots as f64);
    let sequence = "Commits that touched a user task since the store was opened.";
    text.one("ostler_change_sequence", "counter", sequence, engine.sequence() as f64);

    // A store that cannot be read has these figures no more; ostler_up says why.
    if let Ok(snapshot) = engine.snapshot()
        && let Ok(stored) = Stored::read(&snapshot)
    {
        stored.render(&mut text);
    }
    text.0
}

/// What the store itself says.
struct Stored {
    timers: usize,
    tasks: BTreeMap<u8, u64>,
    runs: BTreeMap<u8, u64>,
}

impl Stored {
    fn read(state: &dyn State) -> Result<Self, Fault> {
        let mut timers = 0;
        state.scan(Table::Timer, &[], None, Order::Ascending, &mut |_, _| {
            timers += 1;
            if timers < MOST_ROWS { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok(Self { timers, tasks: counted(state, Index::TasksAll)?, runs: counted(state, Index::RunsBySpec)? })
    }

    fn render(&self, text: &mut Text) {
        let timers = format!("Timers that wait; counted up to {MOST_ROWS}.");
        text.one("ostler_timers_pending", "gauge", &timers, self.timers as f64);
        text.family("ostler_user_task_runs", "gauge", "UserTaskRuns stored, by status.");
        for (status, count) in &self.tasks {
            let name = lh::UserTaskRunStatus::try_from(i32::from(*status)).map_or("OTHER", |s| s.as_str_name());
            text.sample("ostler_user_task_runs", &[("status", name)], *count as f64);
        }
        text.family("ostler_wf_runs", "gauge", "WfRuns stored, by status.");
        for (status, count) in &self.runs {
            let name = lh::LhStatus::try_from(i32::from(*status)).map_or("OTHER", |s| s.as_str_name());
            text.sample("ostler_wf_runs", &[("status", name)], *count as f64);
        }
    }
}

/// The counters of an index by status, over all its attributes.
fn counted(state: &dyn State, index: Index) -> Result<BTreeMap<u8, u64>, Fault> {
    let mut counts = BTreeMap::new();
    let prefix = [index as u8];
    let (mut rows, mut wrong) = (0, None);
    state.scan(Table::Count, &prefix, key::after_prefix(&prefix).as_deref(), Order::Ascending, &mut |key, value| {
        rows += 1;
        match key::read_u64(value, Table::Count) {
            Ok(count) => *counts.entry(key.last().copied().unwrap_or_default()).or_default() += count,
            Err(fault) => wrong = Some(fault),
        }
        if rows < MOST_ROWS && wrong.is_none() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    wrong.map_or(Ok(counts), Err)
}

fn truth(yes: bool) -> f64 {
    f64::from(u8::from(yes))
}

/// The text as it grows. Writing to a string cannot fail.
#[derive(Default)]
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.0.push_str(name);
        for (at, (label, text)) in labels.iter().enumerate() {
            let open = if at == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{open}{label}=\"{text}\"");
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{close} {value}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: f64) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    fn histogram(&mut self, name: &str, help: &str, distribution: &Distribution) {
        self.family(name, "histogram", help);
        let bucket = format!("{name}_bucket");
        for (end, count) in &distribution.at_most {
            self.sample(&bucket, &[("le", &end.to_string())], *count as f64);
        }
        self.sample(&bucket, &[("le", "+Inf")], distribution.count as f64);
        self.sample(&format!("{name}_sum"), &[], distribution.seconds);
        self.sample(&format!("{name}_count"), &[], distribution.count as f64);
    }
}
