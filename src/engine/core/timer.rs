//! Timers: rows that say when an object must be looked at again.
//!
//! An object asks for its timers by what it is (see [`derive`](crate::engine::core::derive)): a sleeping NodeRun for
//! its maturity, a running TaskRun for its deadline. So a timer is armed, moved and disarmed by storing the object,
//! in the same commit, and it fires exactly once: what it does must change the object so that it asks no more.

use std::ops::ControlFlow;

use crate::api::store::v1 as store;
use crate::engine::core::command::{Actor, Channel, Command, Context, Proof};
use crate::engine::core::key::{self, Kind, ObjKey, Word, damaged, take_u64};
use crate::engine::core::read::Reader;
use crate::engine::core::{Fault, Order, Refusal, State, Table, Tx, WriteSet, event, run, schedule, task};

/// A timer, out of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timer {
    /// When it is due: milliseconds since 1970.
    pub due: i64,
    /// The object that asked for it.
    pub owner: ObjKey,
    /// Which of the timers of that object.
    pub slot: u16,
}

/// The key of a timer. Times before 1970 are overdue like 1970 itself.
pub fn key(due: i64, owner: ObjKey, slot: u16) -> [u8; 31] {
    let mut bytes = [0; 31];
    bytes[..8].copy_from_slice(&u64::try_from(due).unwrap_or_default().to_be_bytes());
    bytes[8..29].copy_from_slice(&owner.bytes());
    bytes[29..].copy_from_slice(&slot.to_be_bytes());
    bytes
}

/// Back from a key.
pub fn parse(bytes: &[u8]) -> Option<Timer> {
    let (due, rest) = take_u64(bytes)?;
    let (owner, slot) = rest.split_last_chunk::<2>()?;
    Some(Timer {
        due: i64::try_from(due).unwrap_or(i64::MAX),
        owner: ObjKey::parse(owner)?,
        slot: u16::from_be_bytes(*slot),
    })
}

/// When the next timer is due: milliseconds since 1970.
pub fn next_due(state: &dyn State) -> Result<Option<i64>, Fault> {
    let mut next = None;
    state.scan(Table::Timer, &[], None, Order::Ascending, &mut |key, _| {
        next = take_u64(key).map(|(due, _)| i64::try_from(due).unwrap_or(i64::MAX));
        ControlFlow::Break(())
    })?;
    Ok(next)
}

/// The commands of the timers that are due, earliest first and at most `limit`.
///
/// Their seeds follow from their keys: a key is used once in the life of a store, so ids made from it are new there, and
/// the same state at the same time gives the same bytes.
pub fn due(state: &dyn State, now: i64, limit: usize) -> Result<Vec<Command>, Fault> {
    let mut keys = Vec::new();
    let end = u64::try_from(now).unwrap_or_default().saturating_add(1).to_be_bytes();
    state.scan(Table::Timer, &[], Some(&end), Order::Ascending, &mut |key, tenant| {
        keys.push((key.to_vec(), tenant.to_vec()));
        if keys.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    let mut commands = Vec::with_capacity(keys.len());
    for (key, tenant) in keys {
        let tenant = key::read_u32(&tenant, Table::Timer)?;
        let at = take_u64(&key).map_or(now, |(due, _)| i64::try_from(due).unwrap_or(now));
        let context = Context {
            tenant: Reader { state, tenant: Some(0) }.text(Word::Tenant, tenant)?,
            actor: Actor { name: String::new(), proof: Proof::Engine, channel: Channel::Timer },
            at,
            now,
            seed: seed(&key, now),
        };
        commands.push(Command { context, request: store::DueTimer { key }.into() });
    }
    Ok(commands)
}

/// FNV-1a over the key and the time.
fn seed(key: &[u8], now: i64) -> u128 {
    key.iter().chain(&now.to_be_bytes()).fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, |hash, byte| {
        (hash ^ u128::from(*byte)).wrapping_mul(0x0100_0000_0000_0000_0000_013b)
    })
}

/// What must be written so that a timer whose command failed does not come up for ever.
pub fn discard(timer: &store::DueTimer) -> WriteSet {
    let mut writes = WriteSet::default();
    writes.remove(Table::Timer, timer.key.clone());
    writes
}

/// Does what a timer is for. One that is gone does nothing: what asked for it changed its mind in the same batch.
pub(super) fn fire(tx: &mut Tx<'_>, request: &store::DueTimer) -> Result<(), Refusal> {
    if tx.read().state.get(Table::Timer, &request.key)?.is_none() {
        return Ok(());
    }
    let timer = parse(&request.key).ok_or_else(|| damaged("Timer row", "its key has an unknown form"))?;
    match timer.owner.kind {
        // --- Definitions and administration
        Kind::BulkJob => crate::engine::core::bulk_job::go_on(tx, timer.owner)?,
        // --- Tasks
        Kind::TaskWorkerGroup => task::drop_silent(tx, timer.owner)?,
        Kind::TaskRun => task::due(tx, task::TaskRef::from_key(timer.owner))?,
        // --- Events
        Kind::NodeRun => run::timer_due(tx, timer.owner)?,
        Kind::ExternalEvent => event::expire(tx, timer.owner)?,
        Kind::CorrelatedEvent => event::correlated_event_due(tx, &timer)?,
        Kind::ScheduledWfRun => schedule::due(tx, timer.owner)?,
        // --- Runs
        Kind::WfRun => run::archive::due(tx, &timer)?,
        Kind::DoomedRun => run::delete::go_on(tx, timer.owner)?,
        // --- User tasks
        Kind::UserTaskRun => crate::engine::core::user_task::hook::fire(tx, &timer)?,
        _ => {}
    }
    if tx.read().state.get(Table::Timer, &request.key)?.is_some() {
        tx.note(format!(
            "a timer of {} did nothing and is dropped",
            crate::engine::core::record::describe(timer.owner)
        ));
        tx.drop_timer(&request.key);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_come_back_and_sort_by_time(a: (u32, u64, u64, u32, u16), b: (u32, u64, u64, u32, u16)) {
            let [a, b] = [a, b].map(|(due, scope, sub, n, slot)| Timer {
                due: i64::from(due), owner: ObjKey::new(scope, Kind::NodeRun, sub, n), slot,
            });
            let [key_a, key_b] = [a, b].map(|timer| key(timer.due, timer.owner, timer.slot));
            prop_assert_eq!(parse(&key_a), Some(a));
            let by_parts = (a.due, a.owner, a.slot).cmp(&(b.due, b.owner, b.slot));
            prop_assert_eq!(key_a.cmp(&key_b), by_parts);
        }
    }
}
