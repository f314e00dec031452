use proptest::prelude::*;

use super::*;
use crate::engine::core::state::MemoryState;
use crate::engine::store::{Outcome, RealDisk, Store, StoreOptions};

fn key_in(table: Table, seed: &[u8]) -> Vec<u8> {
    match table.key_width() {
        // The significant bytes at both ends, so that neighbours share long beginnings.
        Some(width) => {
            // Zeros in front are those of objects of tenants.
            let mut key = vec![u8::from(seed.len() > 1); width];
            for (at, byte) in seed.iter().take(2).enumerate() {
                key[if at == 0 { 0 } else { width - 1 }] = *byte;
            }
            key
        }
        None => seed.to_vec(),
    }
}

fn seen(
    state: &dyn State,
    table: Table,
    from: &[u8],
    to: Option<&[u8]>,
    order: Order,
    limit: usize,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut all = Vec::new();
    let visit = &mut |key: &[u8], value: &[u8]| {
        all.push((key.to_vec(), value.to_vec()));
        if all.len() == limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    state.scan(table, from, to, order, visit).unwrap();
    all
}

type Written = Vec<(prop::sample::Index, Vec<u8>, Option<u8>)>;

fn writes_of(written: &Written) -> WriteSet {
    let mut writes = WriteSet::default();
    for (table, seed, value) in written {
        let table = *table.get(&Table::ALL);
        match value {
            Some(value) => writes.put(table, key_in(table, seed), [*value; 3]),
            None => writes.remove(table, key_in(table, seed)),
        }
    }
    writes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Snapshots and transactions read exactly as the state in memory does, whatever the limits of a scan.
    #[test]
    fn the_tables_read_like_the_model(
        first in prop::collection::vec((any::<prop::sample::Index>(), prop::collection::vec(0u8..4, 1..3), any::<Option<u8>>()), 0..40),
        second in prop::collection::vec((any::<prop::sample::Index>(), prop::collection::vec(0u8..4, 1..3), any::<Option<u8>>()), 0..40),
        scans in prop::collection::vec((prop::collection::vec(0u8..4, 0..3), prop::option::of(prop::collection::vec(0u8..4, 0..3)), 0usize..30, any::<bool>(), 1usize..8), 1..8),
        kept: bool,
    ) {
        let directory = tempfile::tempdir().unwrap();
        let options = StoreOptions { cache_bytes: 0, log_bytes: StoreOptions::DEFAULT_LOG, new_id: 1 };
        let store = Store::open(&RealDisk::new(directory.path()), &options).unwrap();
        let mut model = MemoryState::default();
        let mut fresh = WriteSet::default();
        for (key, value) in seen(&store.snapshot().unwrap(), Table::Meta, &[], None, Order::Ascending, 99) {
            fresh.put(Table::Meta, key, value);
        }
        model.apply(&fresh);
        let same = |state: &dyn State, model: &MemoryState| {
            for table in Table::ALL {
                for (from, to, cut, up, limit) in &scans {
                    let order = if *up { Order::Ascending } else { Order::Descending };
                    // Limits shorter than a key, exact, and longer.
                    let from = [key_in(table, from), vec![1; 3]].concat();
                    let from = &from[..from.len().min(*cut)];
                    let to = to.as_ref().map(|to| key_in(table, to));
                    assert_eq!(
                        seen(state, table, from, to.as_deref(), order, *limit),
                        seen(model, table, from, to.as_deref(), order, *limit),
                    );
                }
            }
            for (table, key, value) in model.iter() {
                assert_eq!(state.get(table, key).unwrap().as_deref(), Some(value));
            }
        };
        store.write(|open| {
            open.apply(&writes_of(&first))?;
            Ok(((), Outcome::Commit))
        }).unwrap();
        model.apply(&writes_of(&first));
        same(&store.snapshot().unwrap(), &model);
        let before = store.snapshot().unwrap();
        let mut after = model.clone();
        after.apply(&writes_of(&second));
        store.write(|open| {
            same(open, &model);
            open.apply(&writes_of(&second))?;
            same(open, &after);
            Ok(((), if kept { Outcome::Commit } else { Outcome::Abort }))
        }).unwrap();
        same(&before, &model);
        let last = if kept { &after } else { &model };
        same(&store.snapshot().unwrap(), last);
        store.write(|open| {
            same(open, last);
            Ok(((), Outcome::Abort))
        }).unwrap();
    }
}

#[test]
fn a_key_of_a_wrong_width_is_a_fault_and_stores_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(
        &RealDisk::new(directory.path()),
        &StoreOptions { cache_bytes: 0, log_bytes: StoreOptions::DEFAULT_LOG, new_id: 1 },
    )
    .unwrap();
    assert!(store.snapshot().unwrap().get(Table::Obj, b"short").is_err());
    let mut writes = WriteSet::default();
    writes.put(Table::Ids, *b"id", *b"value");
    writes.put(Table::Obj, *b"short", *b"value");
    assert!(store.write(|open| Ok((open.apply(&writes)?, Outcome::Commit))).is_err());
    assert_eq!(store.snapshot().unwrap().get(Table::Ids, b"id"), Ok(None));
}
