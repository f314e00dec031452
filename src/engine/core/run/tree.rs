//! How many WfRuns lie under one that has no parent.
//!
//! Workflows that start themselves nest only so deep and start only so many in a command, but several at every level
//! are exponentially many over many commands. So the runs of a tree are counted, as they are stored: one that is
//! deleted leaves room for another.

use crate::api::store::v1 as store;
use crate::engine::core::derive::Derived;
use crate::engine::core::key::{self, Index};
use crate::engine::core::{Fault, Reader, RunRef, Table};

/// How many WfRuns may lie under one without a parent.
pub const MAX_TREE: u64 = 100_000;

/// The run without a parent above a child of this one. It may be deleted by now: the tree outlives it.
pub fn root(run: RunRef, facts: &store::WfRunFacts) -> u64 {
    if facts.root == 0 { run.0 } else { facts.root }
}

/// What is wrong with one more run in a tree that is full.
pub fn full(reader: &Reader<'_>, root: u64) -> Result<Option<String>, Fault> {
    let count = match reader.state.get(Table::Count, &counter(root))? {
        Some(bytes) => key::read_u64(&bytes, Table::Count)?,
        None => 0,
    };
    Ok((count >= MAX_TREE).then(|| format!("A WfRun cannot have more than {MAX_TREE} WfRuns under it")))
}

/// Counts a run in its tree.
pub fn derive(facts: &store::WfRunFacts, derived: &mut Derived) {
    if facts.root != 0 {
        *derived.counts.entry(counter(facts.root)).or_default() += 1;
    }
}

/// The key of the counter of a tree. It has room for 40 bits of the ordinal, so two trees may share one; they would
/// have to be huge, both, for anybody to notice.
pub fn counter(root: u64) -> [u8; 6] {
    // Multiplying by this spreads ordinals, which lie close together, over all bits.
    let spread = root.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let [a, b, c, d, status, ..] = spread.to_be_bytes();
    key::count(Index::RunsByTree, u32::from_be_bytes([a, b, c, d]), status)
}
