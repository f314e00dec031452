//! What the core sees of storage: ordered tables of bytes to read, and a set of writes to hand back.
//!
//! The store turns a [`WriteSet`] into one durable transaction. It is physical (bytes, not commands), so the store's
//! commit log is replayed without the core.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

/// The tables. Keys are compared byte by byte, so numbers in keys are big-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Facts about the whole store: format version, store id, last ordinal. Key: a name.
    Meta,
    /// Interned names. Key: tenant u32, kind u8, text. Value: u32.
    Dict,
    /// The way back. Key: tenant u32, kind u8, u32. Value: text.
    DictRev,
    /// External ids. Key: tenant u32, kind u8, id text. Value: ordinal u64.
    Ids,
    /// Objects. Key (21 bytes): scope u64, kind u8, sub u64, n u32. Value: an envelope.
    Obj,
    /// Fixed-width indexes. Key (14 bytes): index u8, attribute u32, status u8, ordinal u64. Value: a search facet.
    Idx,
    /// Indexes over byte keys (values, correlation keys). Key: index u8, tenant u32, bytes, ordinal u64.
    KeyIdx,
    /// Exact counts. Key (6 bytes): index u8, attribute u32, status u8. Value: u64.
    Count,
    /// Timers in order of maturity. Key (31 bytes): due in milliseconds u64, the key of the object that asks for it,
    /// slot u16. Value: tenant u32.
    Timer,
    /// The change feed of `ostler.v1`. Key (8 bytes): sequence u64.
    Change,
}

impl Table {
    /// Every table, in order.
    pub const ALL: [Table; 10] = [
        Table::Meta,
        Table::Dict,
        Table::DictRev,
        Table::Ids,
        Table::Obj,
        Table::Idx,
        Table::KeyIdx,
        Table::Count,
        Table::Timer,
        Table::Change,
    ];

    /// The width of the keys in bytes, where it is fixed.
    pub fn key_width(self) -> Option<usize> {
        match self {
            Table::Obj => Some(21),
            Table::Idx => Some(14),
            Table::Count => Some(6),
            Table::Timer => Some(31),
            Table::Change => Some(8),
            Table::Meta | Table::Dict | Table::DictRev | Table::Ids | Table::KeyIdx => None,
        }
    }
}

/// The direction of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Smallest key first.
    Ascending,
    /// Largest key first.
    Descending,
}

/// Storage failed or holds something it should not; never the caller's doing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The disk or the store refused.
    #[error("the store cannot be read or written: {0}")]
    Storage(String),
    /// A record does not decode or its checksum is wrong.
    #[error("the stored {object} is damaged: {detail}")]
    Damaged {
        /// Which object.
        object: String,
        /// What is wrong with it.
        detail: String,
    },
}

/// Read access to one consistent state: a snapshot, or the state inside an open transaction.
pub trait State {
    /// The value at `key`.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Fault>;

    /// Visits the entries with `from <= key < to` (`to = None`: to the end of the table) until `visit` breaks.
    #[allow(clippy::type_complexity)] // a name for it would not say more
    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        order: Order,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), Fault>;
}

/// Keys with what is written there; `None` removes.
type Written = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// The writes of one command, or of several: the last one for a key wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteSet {
    // By table, so that a look for a key needs no pair of both made of it.
    tables: [Written; Table::ALL.len()],
}

impl WriteSet {
    /// Sets a value.
    pub fn put(&mut self, table: Table, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.of_mut(table).insert(key.into(), Some(value.into()));
    }

    /// Removes a key; one that is not there is fine.
    pub fn remove(&mut self, table: Table, key: impl Into<Vec<u8>>) {
        self.of_mut(table).insert(key.into(), None);
    }

    fn of(&self, table: Table) -> &Written {
        &self.tables[table as usize]
    }

    fn of_mut(&mut self, table: Table) -> &mut Written {
        &mut self.tables[table as usize]
    }

    /// What is written at a key, if anything is.
    pub fn get(&self, table: Table, key: &[u8]) -> Option<Option<&[u8]>> {
        self.of(table).get(key).map(Option::as_deref)
    }

    /// Takes the writes of one table out, in the order of their keys.
    pub fn take(&mut self, table: Table) -> impl Iterator<Item = (Vec<u8>, Option<Vec<u8>>)> + use<> {
        std::mem::take(self.of_mut(table)).into_iter()
    }

    /// All writes, by table and key.
    pub fn iter(&self) -> impl Iterator<Item = (Table, &[u8], Option<&[u8]>)> {
        let tables = Table::ALL.into_iter().zip(&self.tables);
        tables.flat_map(|(table, rows)| rows.iter().map(move |(key, value)| (table, key.as_slice(), value.as_deref())))
    }

    /// Joins later writes; theirs win.
    pub fn add(&mut self, later: WriteSet) {
        for (rows, later) in self.tables.iter_mut().zip(later.tables) {
            rows.extend(later);
        }
    }

    /// Whether any of them is in this table.
    pub fn touches(&self, table: Table) -> bool {
        !self.of(table).is_empty()
    }

    /// True when nothing would change.
    pub fn is_empty(&self) -> bool {
        self.tables.iter().all(BTreeMap::is_empty)
    }

    /// Bytes of keys and values together; bounds a batch.
    pub fn size(&self) -> usize {
        self.iter().map(|(_, key, value)| key.len() + value.map_or(0, <[u8]>::len)).sum()
    }
}

/// A state with writes on top that are not stored yet: what a command reads while it runs.
pub struct Overlay<'a> {
    base: &'a dyn State,
    writes: WriteSet,
}

impl<'a> Overlay<'a> {
    /// Nothing on top of `base` yet.
    pub fn new(base: &'a dyn State) -> Self {
        Self { base, writes: WriteSet::default() }
    }

    /// Sets a value; later reads see it.
    pub fn put(&mut self, table: Table, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.writes.put(table, key, value);
    }

    /// Removes a key; later reads see it gone.
    pub fn remove(&mut self, table: Table, key: impl Into<Vec<u8>>) {
        self.writes.remove(table, key);
    }

    /// The writes alone, to be stored.
    pub fn into_writes(self) -> WriteSet {
        self.writes
    }
}

impl State for Overlay<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        match self.writes.get(table, key) {
            Some(written) => Ok(written.map(<[u8]>::to_vec)),
            None => self.base.get(table, key),
        }
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        order: Order,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), Fault> {
        let mut written: Vec<(&[u8], Option<&[u8]>)> = self
            .writes
            .of(table)
            .range::<[u8], _>((Bound::Included(from), Bound::Unbounded))
            .take_while(|(key, _)| to.is_none_or(|to| key.as_slice() < to))
            .map(|(key, value)| (key.as_slice(), value.as_deref()))
            .collect();
        if order == Order::Descending {
            written.reverse();
        }
        let before = |a: &[u8], b: &[u8]| match order {
            Order::Ascending => a < b,
            Order::Descending => a > b,
        };
        let mut next = written.into_iter().peekable();
        let mut stopped = false;
        self.base.scan(table, from, to, order, &mut |key, value| {
            while let Some((written_key, written_value)) = next.next_if(|(written_key, _)| before(written_key, key)) {
                if let Some(written_value) = written_value
                    && visit(written_key, written_value).is_break()
                {
                    stopped = true;
                    return ControlFlow::Break(());
                }
            }
            let flow = match next.next_if(|(written_key, _)| *written_key == key) {
                Some((_, Some(written_value))) => visit(key, written_value),
                Some((_, None)) => ControlFlow::Continue(()),
                None => visit(key, value),
            };
            stopped = flow.is_break();
            flow
        })?;
        if !stopped {
            for (key, value) in next {
                if let Some(value) = value
                    && visit(key, value).is_break()
                {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// A state in memory, for tests and models.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryState {
    entries: BTreeMap<(Table, Vec<u8>), Vec<u8>>,
}

impl MemoryState {
    /// Stores a set of writes.
    pub fn apply(&mut self, writes: &WriteSet) {
        for (table, key, value) in writes.iter() {
            match value {
                Some(value) => self.entries.insert((table, key.to_vec()), value.to_vec()),
                None => self.entries.remove(&(table, key.to_vec())),
            };
        }
    }

    /// Everything stored, by table and key.
    pub fn iter(&self) -> impl Iterator<Item = (Table, &[u8], &[u8])> {
        self.entries.iter().map(|((table, key), value)| (*table, key.as_slice(), value.as_slice()))
    }
}

impl State for MemoryState {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.entries.get(&(table, key.to_vec())).cloned())
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        order: Order,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), Fault> {
        let found = self
            .entries
            .range((table, from.to_vec())..)
            .take_while(|((at, key), _)| *at == table && to.is_none_or(|to| key.as_slice() < to));
        let mut all: Vec<_> = found.collect();
        if order == Order::Descending {
            all.reverse();
        }
        for ((_, key), value) in all {
            if visit(key, value).is_break() {
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seen(state: &dyn State, from: &[u8], to: Option<&[u8]>, order: Order, limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut all = Vec::new();
        let visit = &mut |key: &[u8], value: &[u8]| {
            all.push((key.to_vec(), value.to_vec()));
            if all.len() == limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        assert_eq!(state.scan(Table::Ids, from, to, order, visit), Ok(()));
        all
    }

    proptest! {
        /// An overlay reads exactly as if its writes had been stored.
        #[test]
        fn an_overlay_reads_like_the_state_it_will_become(
            stored in prop::collection::vec((0u8..12, any::<u8>()), 0..12),
            written in prop::collection::vec((0u8..12, any::<Option<u8>>()), 0..12),
            from in 0u8..12, to in prop::option::of(0u8..12), down: bool, limit in 1usize..14,
        ) {
            let mut base = MemoryState::default();
            let mut first = WriteSet::default();
            for (key, value) in stored {
                first.put(Table::Ids, [key], [value]);
            }
            base.apply(&first);
            let mut after = base.clone();
            let mut overlay = Overlay::new(&base);
            for (key, value) in written {
                match value {
                    Some(value) => overlay.put(Table::Ids, [key], [value]),
                    None => overlay.remove(Table::Ids, [key]),
                }
            }
            after.apply(&overlay.writes);
            let order = if down { Order::Descending } else { Order::Ascending };
            let to = to.map(|to| [to]);
            let to = to.as_ref().map(|to| to.as_slice());
            prop_assert_eq!(seen(&overlay, &[from], to, order, limit), seen(&after, &[from], to, order, limit));
            for key in 0..12 {
                prop_assert_eq!(overlay.get(Table::Ids, &[key]), after.get(Table::Ids, &[key]));
            }
        }
    }
}
