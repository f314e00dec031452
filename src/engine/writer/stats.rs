//! What the writer counts about itself, for health and metrics. Counting costs a few nanoseconds a command and is
//! always on, so that the figures are there when somebody first asks.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::engine::core::Refusal;

/// Upper ends of the buckets of a [`Histogram`], in microseconds; one more bucket takes the rest.
const BOUNDS: [u64; 14] = [
    250, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 5_000_000, 30_000_000,
];

/// How many durations fell below each of some fixed bounds.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

/// A [`Histogram`] as it was at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    /// For each upper end in seconds, how many were at most that long.
    pub at_most: Vec<(f64, u64)>,
    /// How many there were.
    pub count: u64,
    /// All of them together, in seconds.
    pub seconds: f64,
}

impl Histogram {
    /// Counts one duration.
    pub fn record(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.partition_point(|bound| *bound < micros);
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// What was counted so far.
    pub fn read(&self) -> Distribution {
        let mut count = 0;
        let mut at_most = Vec::with_capacity(BOUNDS.len());
        for (bucket, bound) in self.buckets.iter().zip(BOUNDS.iter().map(Some).chain([None])) {
            count += bucket.load(Ordering::Relaxed);
            at_most.extend(bound.map(|bound| (seconds(*bound), count)));
        }
        Distribution { at_most, count, seconds: seconds(self.micros.load(Ordering::Relaxed)) }
    }
}

fn seconds(micros: u64) -> f64 {
    Duration::from_micros(micros).as_secs_f64()
}

/// How many commands of a kind ended in a status; the first is the name of the RPC, the second that of the code.
pub type Commands = BTreeMap<(&'static str, &'static str), u64>;

/// What the writer did since it was started.
#[derive(Debug)]
pub struct Stats {
    started: Instant,
    commands: Mutex<Commands>,
    commits: Histogram,
    committed: AtomicU64,
    turned_away: AtomicU64,
    lateness: Histogram,
    busy_since: Mutex<Option<Instant>>,
}

impl Default for Stats {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            commands: Mutex::default(),
            commits: Histogram::default(),
            committed: AtomicU64::new(0),
            turned_away: AtomicU64::new(0),
            lateness: Histogram::default(),
            busy_since: Mutex::default(),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stats {
    /// A batch begins.
    pub(super) fn begin(&self) {
        *lock(&self.busy_since) = Some(Instant::now());
    }

    /// The batch has ended; `commands` are durable since, none when nothing was to be stored.
    pub(super) fn end(&self, commands: usize) {
        let began = lock(&self.busy_since).take();
        if let Some(began) = began.filter(|_| commands > 0) {
            self.commits.record(began.elapsed());
            self.committed.fetch_add(commands as u64, Ordering::Relaxed);
        }
    }

    /// A command of that kind was answered so.
    pub(super) fn answered<T>(&self, kind: &'static str, answer: &Result<T, Refusal>) {
        let code = match answer {
            Ok(_) => "OK",
            Err(refusal) => name_of(refusal.code),
        };
        *lock(&self.commands).entry((kind, code)).or_default() += 1;
    }

    /// Timers that were due at these times are carried out, and that is durable.
    pub(super) fn fired(&self, due: &[i64], now: i64) {
        for due in due {
            self.lateness.record(Duration::from_millis(u64::try_from(now - due).unwrap_or_default()));
        }
    }

    /// The queue had no place for a command.
    pub(super) fn turned_away(&self) {
        self.turned_away.fetch_add(1, Ordering::Relaxed);
    }

    /// For how long the engine has been open.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// The commands answered so far.
    pub fn commands(&self) -> Commands {
        lock(&self.commands).clone()
    }

    /// How long commits took, from the first command of a batch to the end of the flush.
    pub fn commits(&self) -> Distribution {
        self.commits.read()
    }

    /// Commands made durable by those commits.
    pub fn committed(&self) -> u64 {
        self.committed.load(Ordering::Relaxed)
    }

    /// How late timers were, until what they did was durable.
    pub fn lateness(&self) -> Distribution {
        self.lateness.read()
    }

    /// Commands that the full queue did not take.
    pub fn refused_by_queue(&self) -> u64 {
        self.turned_away.load(Ordering::Relaxed)
    }

    /// For how long the writer has been at its present batch; none when it waits for commands.
    pub fn busy_for(&self) -> Option<Duration> {
        lock(&self.busy_since).map(|since| since.elapsed())
    }
}

/// A status as gRPC spells it.
fn name_of(code: tonic::Code) -> &'static str {
    use tonic::Code;
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_each_duration_below_every_bound_that_it_keeps() {
        let histogram = Histogram::default();
        for micros in [0, 250, 251, 1_500, 40_000_000] {
            histogram.record(Duration::from_micros(micros));
        }
        let read = histogram.read();
        assert_eq!(read.at_most.len(), BOUNDS.len());
        assert_eq!(read.at_most[0], (0.000_25, 2));
        assert_eq!(read.at_most[1], (0.000_5, 3));
        assert_eq!(read.at_most[3], (0.002, 4));
        assert_eq!(read.at_most[BOUNDS.len() - 1], (30.0, 4));
        assert_eq!(read.count, 5);
        assert!((read.seconds - 40.002_001).abs() < 1e-9, "{}", read.seconds);
    }

    #[test]
    fn only_what_was_stored_is_a_commit_and_a_batch_is_busy_until_it_ends() {
        let stats = Stats::default();
        assert_eq!(stats.busy_for(), None);
        stats.begin();
        assert!(stats.busy_for().is_some());
        stats.end(0);
        assert_eq!((stats.busy_for(), stats.commits().count), (None, 0));
        stats.begin();
        stats.end(3);
        assert_eq!((stats.commits().count, stats.committed()), (1, 3));
        stats.answered("RunWf", &Ok(()));
        stats.answered::<()>("RunWf", &Err(Refusal::not_found("no")));
        stats.answered("RunWf", &Ok(()));
        assert_eq!(stats.commands(), [(("RunWf", "NOT_FOUND"), 1), (("RunWf", "OK"), 2)].into());
    }
}
