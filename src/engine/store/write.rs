//! A transaction from its beginning to its commit, and what is kept from one to the next.

use redb::Database;

use super::hot::HotRows;
use super::log::{Log, Record, text};
use super::tables::Transaction;
use crate::engine::core::Fault;

/// What becomes of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Make it durable.
    Commit,
    /// Leave the store as it was.
    Abort,
}

/// What whoever writes goes on with. Without a log, as while a store is made or migrated, every commit flushes the
/// tables.
#[derive(Default)]
pub(super) struct Writing {
    hot: HotRows,
    log: Option<Log>,
}

impl Writing {
    /// With the log of an open store.
    pub(super) fn with(log: Log) -> Self {
        Self { hot: HotRows::default(), log: Some(log) }
    }

    /// Runs `work` in a transaction, which is durable afterwards when `work` says so. After an error nothing is known
    /// of its outcome.
    pub(super) fn write<R>(
        &mut self,
        database: &Database,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<(R, Outcome), Fault>,
    ) -> Result<R, String> {
        let transaction = database.begin_write().map_err(text)?;
        let record = self.log.as_ref().map_or_else(Record::none, Log::record);
        // The rows are gone after an error, a panic, or when what `work` wrote is given up.
        let mut open = Transaction::open(&transaction, std::mem::take(&mut self.hot), record).map_err(text)?;
        let (result, outcome) = work(&mut open).map_err(text)?;
        match outcome {
            Outcome::Commit => {
                let (rows, record) = open.finish().map_err(text)?;
                match &mut self.log {
                    Some(log) => log.commit(transaction, record)?,
                    None => super::log::commit_tables(transaction)?,
                }
                self.hot = rows;
            }
            Outcome::Abort => {
                self.hot = open.abandon();
                transaction.abort().map_err(text)?;
            }
        }
        Ok(result)
    }

    /// Flushes the tables, when the log has little room left.
    pub(super) fn settle(&mut self, database: &Database) -> Result<(), String> {
        match &self.log {
            Some(log) if log.is_nearly_full() => self.checkpoint(database),
            _ => Ok(()),
        }
    }

    /// Flushes the tables, when the log is ahead of them.
    pub(super) fn checkpoint(&mut self, database: &Database) -> Result<(), String> {
        match &mut self.log {
            Some(log) if log.is_ahead() => log.commit(database.begin_write().map_err(text)?, Record::none()),
            _ => Ok(()),
        }
    }
}
