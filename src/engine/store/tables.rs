//! The tables in redb: a snapshot and an open transaction, both seen by the core as a [`State`].

use std::cell::RefCell;
use std::ops::{Bound, ControlFlow};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use redb::{Key, ReadTransaction, ReadableTable, StorageError, TableDefinition, Value, WriteTransaction};

use super::hot::{self, HotRows};
use super::log::Record;
use crate::engine::core::{Fault, Order, State, Table, WriteSet};

/// Keys of one width. redb then stores no length with each of them, which makes the trees smaller and the commits
/// faster (measured: 9 % more commands a second in batches).
#[derive(Debug)]
struct Fixed<const N: usize>;

impl<const N: usize> Value for Fixed<N> {
    type SelfType<'a> = &'a [u8];
    type AsBytes<'a> = &'a [u8];

    fn fixed_width() -> Option<usize> {
        Some(N)
    }

    fn from_bytes<'a>(data: &'a [u8]) -> &'a [u8]
    where
        Self: 'a,
    {
        data
    }

    fn as_bytes<'a, 'b: 'a>(value: &'a Self::SelfType<'b>) -> &'a [u8]
    where
        Self: 'b,
    {
        value
    }

    fn type_name() -> redb::TypeName {
        redb::TypeName::new(&format!("ostler::Fixed<{N}>"))
    }
}

impl<const N: usize> Key for Fixed<N> {
    fn compare(left: &[u8], right: &[u8]) -> std::cmp::Ordering {
        left.cmp(right)
    }
}

/// A key type that looks like bytes.
trait Bytes: Key + for<'a> Value<SelfType<'a> = &'a [u8]> + Send + Sync + 'static {}
impl<K: Key + for<'a> Value<SelfType<'a> = &'a [u8]> + Send + Sync + 'static> Bytes for K {}

type Stored = &'static [u8];

pub(super) fn name_of(table: Table) -> &'static str {
    match table {
        Table::Meta => "meta",
        Table::Dict => "dict",
        Table::DictRev => "dict_rev",
        Table::Ids => "ids",
        Table::Obj => "obj",
        Table::Idx => "idx",
        Table::KeyIdx => "key_idx",
        Table::Count => "count",
        Table::Timer => "due",
        Table::Change => "change",
    }
}

/// What the log calls it. These numbers are on disks: they stay as they are.
pub(super) fn number_of(table: Table) -> u8 {
    match table {
        Table::Meta => 1,
        Table::Dict => 2,
        Table::DictRev => 3,
        Table::Ids => 4,
        Table::Obj => 5,
        Table::Idx => 6,
        Table::KeyIdx => 7,
        Table::Count => 8,
        Table::Timer => 9,
        Table::Change => 10,
    }
}

/// The table of that number.
pub(super) fn numbered(number: u8) -> Option<Table> {
    Table::ALL.into_iter().find(|table| number_of(*table) == number)
}

/// The table of that name.
pub(super) fn named(name: &str) -> Option<Table> {
    Table::ALL.into_iter().find(|table| name_of(*table) == name)
}

fn fault(error: impl std::fmt::Display) -> Fault {
    Fault::Storage(error.to_string())
}

/// What a scan calls with each key and value.
type Visit<'v> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'v;

/// One open table to read, whatever the width of its keys.
trait Rows {
    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError>;
    fn visit(
        &self,
        range: (Bound<&[u8]>, Bound<&[u8]>),
        order: Order,
        visit: &mut Visit<'_>,
    ) -> Result<(), StorageError>;
}

/// One open table to write.
trait RowsMut: Rows {
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), StorageError>;
    fn remove(&mut self, key: &[u8]) -> Result<(), StorageError>;
}

fn value_in<K: Bytes>(table: &impl ReadableTable<K, Stored>, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
    Ok(table.get(key)?.map(|value| value.value().to_vec()))
}

fn visit_in<K: Bytes>(
    table: &impl ReadableTable<K, Stored>,
    range: (Bound<&[u8]>, Bound<&[u8]>),
    order: Order,
    visit: &mut Visit<'_>,
) -> Result<(), StorageError> {
    let mut entries = table.range::<&[u8]>(range)?;
    let mut next = || match order {
        Order::Ascending => entries.next(),
        Order::Descending => entries.next_back(),
    };
    while let Some(entry) = next() {
        let (key, value) = entry?;
        if visit(key.value(), value.value()).is_break() {
            break;
        }
    }
    Ok(())
}

impl<K: Bytes> Rows for redb::ReadOnlyTable<K, Stored> {
    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        value_in(self, key)
    }
    fn visit(
        &self,
        range: (Bound<&[u8]>, Bound<&[u8]>),
        order: Order,
        visit: &mut Visit<'_>,
    ) -> Result<(), StorageError> {
        visit_in(self, range, order, visit)
    }
}

impl<K: Bytes> Rows for redb::Table<'_, K, Stored> {
    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        value_in(self, key)
    }
    fn visit(
        &self,
        range: (Bound<&[u8]>, Bound<&[u8]>),
        order: Order,
        visit: &mut Visit<'_>,
    ) -> Result<(), StorageError> {
        visit_in(self, range, order, visit)
    }
}

impl<K: Bytes> RowsMut for redb::Table<'_, K, Stored> {
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), StorageError> {
        self.insert(key, value).map(drop)
    }
    fn remove(&mut self, key: &[u8]) -> Result<(), StorageError> {
        redb::Table::remove(self, key).map(drop)
    }
}

type Readable = Box<dyn Rows + Send + Sync>;
type Writable<'t> = Box<dyn RowsMut + 't>;

/// Opens a table with the key type that its width asks for.
macro_rules! open_typed {
    ($table:expr, $open:ident($transaction:expr)) => {
        match $table.key_width() {
            None => $open::<&'static [u8]>($transaction, $table),
            Some(6) => $open::<Fixed<6>>($transaction, $table),
            Some(8) => $open::<Fixed<8>>($transaction, $table),
            Some(14) => $open::<Fixed<14>>($transaction, $table),
            Some(21) => $open::<Fixed<21>>($transaction, $table),
            Some(31) => $open::<Fixed<31>>($transaction, $table),
            Some(other) => Err(Fault::Storage(format!("no table has keys of {other} bytes"))),
        }
    };
}

fn open_to_read<K: Bytes>(transaction: &ReadTransaction, table: Table) -> Result<Readable, Fault> {
    let definition = TableDefinition::<K, Stored>::new(name_of(table));
    Ok(Box::new(transaction.open_table(definition).map_err(fault)?))
}

fn open_to_write<K: Bytes>(transaction: &WriteTransaction, table: Table) -> Result<Writable<'_>, Fault> {
    let definition = TableDefinition::<K, Stored>::new(name_of(table));
    Ok(Box::new(transaction.open_table(definition).map_err(fault)?))
}

/// A key as the table stores it, or a fault: the core never asks for a key of a wrong width.
fn exact(table: Table, key: &[u8]) -> Result<&[u8], Fault> {
    match table.key_width() {
        Some(width) if width != key.len() => {
            Err(Fault::Storage(format!("a key of {} bytes in {}", key.len(), name_of(table))))
        }
        _ => Ok(key),
    }
}

/// The limit of a scan at the width of the table's keys. Limits may be shorter than keys (a prefix) or longer; they
/// compare as bytes all the same.
struct Limit {
    bytes: Vec<u8>,
    beyond: bool,
}

impl Limit {
    fn new(table: Table, limit: &[u8]) -> Self {
        let mut bytes = limit.to_vec();
        let mut beyond = false;
        if let Some(width) = table.key_width() {
            // A key that equals the first bytes of a longer limit is smaller than that limit.
            beyond = limit.len() > width;
            bytes.resize(width, 0);
        }
        Self { bytes, beyond }
    }

    fn from(&self) -> Bound<&[u8]> {
        if self.beyond { Bound::Excluded(&self.bytes) } else { Bound::Included(&self.bytes) }
    }

    fn to(&self) -> Bound<&[u8]> {
        if self.beyond { Bound::Included(&self.bytes) } else { Bound::Excluded(&self.bytes) }
    }
}

fn scan_rows(
    rows: &dyn Rows,
    table: Table,
    from: &[u8],
    to: Option<&[u8]>,
    order: Order,
    visit: &mut Visit<'_>,
) -> Result<(), Fault> {
    if to.is_some_and(|to| to <= from) {
        return Ok(());
    }
    let from = Limit::new(table, from);
    let to = to.map(|to| Limit::new(table, to));
    let upper = to.as_ref().map_or(Bound::Unbounded, Limit::to);
    rows.visit((from.from(), upper), order, visit).map_err(fault)
}

/// The store as it was at one commit. Cheap to take; hold it for one request, not for a connection, because it keeps
/// old pages from being used again.
pub struct Snapshot {
    transaction: ReadTransaction,
    tables: [OnceLock<Readable>; Table::ALL.len()],
    open: Arc<AtomicUsize>,
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Snapshot {
    /// A snapshot that counts in `open` as long as it lives.
    pub(super) fn new(transaction: ReadTransaction, open: Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self { transaction, tables: Default::default(), open }
    }

    /// Opens a table at its first use: a request needs two or three of them.
    fn rows(&self, table: Table) -> Result<&dyn Rows, Fault> {
        let slot = self.tables.get(table as usize).ok_or_else(|| fault(name_of(table)))?;
        if let Some(open) = slot.get() {
            return Ok(&**open);
        }
        let opened = open_typed!(table, open_to_read(&self.transaction))?;
        Ok(&**slot.get_or_init(|| opened))
    }
}

impl State for Snapshot {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.rows(table)?.value(exact(table, key)?).map_err(fault)
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        order: Order,
        visit: &mut Visit<'_>,
    ) -> Result<(), Fault> {
        scan_rows(self.rows(table)?, table, from, to, order, visit)
    }
}

/// An open write transaction: reads see what was written in it.
pub struct Transaction<'t> {
    // Behind cells because a read may have to give changed rows to a table first, and keeps what it found.
    tables: Vec<RefCell<Writable<'t>>>,
    hot: RefCell<HotRows>,
    /// Everything that went into the tables.
    record: RefCell<Record>,
    changed: bool,
}

impl<'t> Transaction<'t> {
    /// Opens all tables; `hot` are rows as the last commit left them, `record` takes down what is written.
    pub(super) fn open(transaction: &'t WriteTransaction, hot: HotRows, record: Record) -> Result<Self, Fault> {
        let tables = Table::ALL.into_iter().map(|table| open_typed!(table, open_to_write(transaction)));
        let tables = tables.map(|table| table.map(RefCell::new)).collect::<Result<_, _>>()?;
        Ok(Self { tables, hot: RefCell::new(hot), record: RefCell::new(record), changed: false })
    }

    /// Writes a set into the transaction. After an error the transaction can only be given up.
    pub fn apply(&mut self, writes: &WriteSet) -> Result<(), Fault> {
        self.changed |= !writes.is_empty();
        for (table, key, value) in writes.iter() {
            let key = exact(table, key)?;
            if hot::is_hot(table, key) {
                self.hot.get_mut().change(table, key, value);
                continue;
            }
            let rows = self.tables.get_mut(table as usize).ok_or_else(|| fault(name_of(table)))?.get_mut();
            write_row(&mut **rows, key, value)?;
            self.record.get_mut().add(table, key, value);
        }
        Ok(())
    }

    /// Everything that was written is in the tables afterwards; gives the rows to go on with after the commit, and
    /// what was written.
    pub(super) fn finish(self) -> Result<(HotRows, Record), Fault> {
        for table in Table::ALL {
            self.flush(table)?;
        }
        Ok((self.hot.into_inner().trimmed(), self.record.into_inner()))
    }

    /// Gives the rows to go on with when nothing was written; without any after a transaction that is given up.
    pub(super) fn abandon(self) -> HotRows {
        if self.changed { HotRows::default() } else { self.hot.into_inner().trimmed() }
    }

    fn flush(&self, table: Table) -> Result<(), Fault> {
        let mut hot = self.hot.borrow_mut();
        if !hot.is_changed(table) {
            return Ok(());
        }
        let mut rows = self.cell(table)?.borrow_mut();
        let mut record = self.record.borrow_mut();
        hot.flush(table, |key, value| {
            record.add(table, key, value);
            write_row(&mut **rows, key, value)
        })
    }

    fn cell(&self, table: Table) -> Result<&RefCell<Writable<'t>>, Fault> {
        self.tables.get(table as usize).ok_or_else(|| fault(name_of(table)))
    }
}

fn write_row(rows: &mut dyn RowsMut, key: &[u8], value: Option<&[u8]>) -> Result<(), Fault> {
    match value {
        Some(value) => rows.put(key, value),
        None => rows.remove(key),
    }
    .map_err(fault)
}

impl State for Transaction<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        let key = exact(table, key)?;
        let hot = hot::is_hot(table, key);
        if hot && let Some(value) = self.hot.borrow().get(table, key) {
            return Ok(value.map(<[u8]>::to_vec));
        }
        let value = self.cell(table)?.borrow().value(key).map_err(fault)?;
        if hot {
            self.hot.borrow_mut().keep(table, key.to_vec(), value.clone());
        }
        Ok(value)
    }

    /// `visit` may read, also the same table.
    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        order: Order,
        visit: &mut Visit<'_>,
    ) -> Result<(), Fault> {
        // Nothing changes while a scan lasts, so one within it finds nothing to flush.
        self.flush(table)?;
        scan_rows(&**self.cell(table)?.borrow(), table, from, to, order, visit)
    }
}

#[cfg(test)]
mod tests;
