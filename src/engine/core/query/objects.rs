//! Pages of whole objects: those of one kind that lie together, in the order of their keys.

use std::marker::PhantomData;
use std::ops::ControlFlow;

use prost::Message;

use crate::engine::core::key::{Kind, ObjKey};
use crate::engine::core::query::page::{self, PAGE_BYTES, Position, Query};
use crate::engine::core::{Fault, Order, Reader, Record, Refusal};

/// A page that fills up.
pub(super) struct ObjectPage<M, F> {
    query: Query,
    limit: usize,
    after: Option<(u64, u32)>,
    last: (u64, u32),
    bytes: usize,
    /// What is on it.
    pub(super) results: Vec<M>,
    /// Where the next one begins, when there is a next one.
    pub(super) bookmark: Option<Vec<u8>>,
    facts: PhantomData<F>,
}

impl<M: Message + Default, F: Message + Default> ObjectPage<M, F> {
    /// An empty page of `query` after `mark`.
    pub(super) fn new(query: Query, limit: Option<i32>, mark: Option<&[u8]>) -> Result<Self, Refusal> {
        let after = match page::position(query, Order::Ascending, mark)? {
            None => None,
            Some(Position::Object(sub, n)) => Some((sub, n)),
            Some(_) => return Err(page::foreign_bookmark()),
        };
        let limit = page::limit_or_zero(limit)?;
        Ok(Self {
            query,
            limit,
            after,
            last: (0, 0),
            bytes: 0,
            results: Vec::new(),
            bookmark: None,
            facts: PhantomData,
        })
    }

    /// Takes the next object, which must come after those before it; breaks when there is no room for it.
    pub(super) fn take(&mut self, key: ObjKey, bytes: &[u8]) -> Result<ControlFlow<()>, Fault> {
        if self.after.is_some_and(|after| (key.sub, key.n) <= after) {
            return Ok(ControlFlow::Continue(()));
        }
        self.bytes += bytes.len();
        if self.results.len() == self.limit || (self.bytes > PAGE_BYTES && !self.results.is_empty()) {
            let position = Position::Object(self.last.0, self.last.1);
            self.bookmark = Some(page::bookmark(self.query, Order::Ascending, &position));
            return Ok(ControlFlow::Break(()));
        }
        self.last = (key.sub, key.n);
        let record: Record<M, F> = Record::decode(key, bytes)?;
        self.results.push(record.message);
        Ok(ControlFlow::Continue(()))
    }

    /// Takes what fits of the objects of one kind in `scope` with `first <= sub <= last`.
    pub(super) fn fill(
        &mut self,
        reader: &Reader<'_>,
        scope: u64,
        kind: Kind,
        (first, last): (u64, u64),
    ) -> Result<(), Fault> {
        let from = self.after.map_or(first, |after| after.0.max(first));
        reader.objects(scope, kind, (from, 0), (last, u32::MAX), Order::Ascending, &mut |key, bytes| {
            self.take(key, bytes)
        })
    }
}
