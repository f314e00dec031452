//! Nothing acknowledged is ever lost: power cuts on a simulated disk, and kill -9 on the real program.

mod kill;
pub mod order;
mod power_cut;
pub mod random;
mod restore;
#[allow(dead_code, reason = "shared with the benchmark, which uses the rest")]
pub mod server;
pub mod sim_disk;
pub mod workload;

use ostler::engine::writer::{Clock, SystemClock};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// `OSTLER_SIM_SEED`, or a new one: every run looks somewhere else, and says where when it finds something.
pub fn seed() -> u64 {
    number("OSTLER_SIM_SEED").unwrap_or_else(|| u64::try_from(SystemClock.now()).unwrap())
}
