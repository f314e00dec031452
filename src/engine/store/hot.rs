//! Rows that nearly every command reads or changes again: names, counts, definitions, windows of metrics.
//!
//! They stay in memory from one transaction to the next, and what a transaction changes of them goes into the tables
//! with its commit: a count that each command of a batch raises is written once. Snapshots read the tables alone, and
//! those hold everything as soon as it is committed.

use std::collections::HashMap;

use crate::engine::core::key;
use crate::engine::core::{Table, WriteSet};

/// Bytes of rows to keep, with what a row costs beside its own bytes.
const MOST: usize = 8 << 20;
const ROW: usize = 96;

/// The rows, as the next transaction would read them.
#[derive(Default)]
pub struct HotRows {
    /// As stored; none for a row that is known to be missing.
    known: [HashMap<Vec<u8>, Option<Vec<u8>>>; Table::ALL.len()],
    bytes: usize,
    /// Not in the tables yet.
    changed: WriteSet,
}

/// Whether a row is one of these.
pub fn is_hot(table: Table, key: &[u8]) -> bool {
    match table {
        Table::Meta | Table::Dict | Table::Count => true,
        Table::Obj => key::is_of_tenant(key),
        Table::DictRev | Table::Ids | Table::Idx | Table::KeyIdx | Table::Timer | Table::Change => false,
    }
}

impl HotRows {
    /// The value of a row, or that it is missing; none when it is not known.
    pub fn get(&self, table: Table, key: &[u8]) -> Option<Option<&[u8]>> {
        let known = || self.known[table as usize].get(key).map(Option::as_deref);
        self.changed.get(table, key).or_else(known)
    }

    /// Remembers what a table holds.
    pub fn keep(&mut self, table: Table, key: Vec<u8>, value: Option<Vec<u8>>) {
        let size = |value: &Option<Vec<u8>>| value.as_ref().map_or(0, Vec::len);
        let (row, new) = (ROW + key.len(), size(&value));
        match self.known[table as usize].insert(key, value) {
            Some(old) => self.bytes = self.bytes + new - size(&old),
            None => self.bytes += row + new,
        }
    }

    /// Changes a row; [`flush`](Self::flush) gives it to its table.
    pub fn change(&mut self, table: Table, key: &[u8], value: Option<&[u8]>) {
        match value {
            Some(value) => self.changed.put(table, key, value),
            None => self.changed.remove(table, key),
        }
    }

    /// Whether a table lacks something.
    pub fn is_changed(&self, table: Table) -> bool {
        self.changed.touches(table)
    }

    /// Gives every changed row of a table to `store`.
    pub fn flush<E>(
        &mut self,
        table: Table,
        mut store: impl FnMut(&[u8], Option<&[u8]>) -> Result<(), E>,
    ) -> Result<(), E> {
        for (key, value) in self.changed.take(table) {
            store(&key, value.as_deref())?;
            self.keep(table, key, value);
        }
        Ok(())
    }

    /// What is kept for the next transaction. Everything goes when it is too much: to fetch the few rows again that
    /// matter costs less than to keep account of which those are.
    pub fn trimmed(self) -> Self {
        if self.bytes > MOST { Self::default() } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_bounded_by_what_there_is_and_not_by_how_often_it_changed() {
        let mut hot = HotRows::default();
        for round in 0..100u8 {
            hot.change(Table::Count, b"counts", Some(&vec![round; MOST / 50]));
            assert!(hot.is_changed(Table::Count));
            let mut stored = Vec::new();
            hot.flush(Table::Count, |key, value| {
                stored.push((key.to_vec(), value.map(<[u8]>::to_vec)));
                Ok::<(), ()>(())
            })
            .unwrap();
            assert_eq!(stored, [(b"counts".to_vec(), Some(vec![round; MOST / 50]))]);
            hot = hot.trimmed();
            assert_eq!(hot.get(Table::Count, b"counts"), Some(Some(&[round; MOST / 50][..])));
        }
        for number in 0..100u8 {
            hot.keep(Table::Dict, vec![number], Some(vec![0; MOST / 50]));
        }
        hot = hot.trimmed();
        assert_eq!((hot.get(Table::Dict, &[99]), hot.bytes), (None, 0));
    }
}
