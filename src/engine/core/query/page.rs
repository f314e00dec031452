//! Pages: limits, bookmarks, and the ordered merge of index ranges.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use crate::engine::core::key::{after_prefix, damaged, take_u32, take_u64};
use crate::engine::core::{Fault, Order, Refusal, State, Table};

/// What an unset limit stands for.
const DEFAULT_LIMIT: usize = 100;
/// The most results of a page; a larger limit gives a page of this and a bookmark.
const MAX_LIMIT: usize = 1000;
/// The most index entries a page looks at. Then it ends short, with a bookmark, so that no filter makes it slow.
pub(in crate::engine::core) const EXAMINED: usize = 10_000;
/// A page of whole objects ends before it grows beyond this: clients receive at most 4 MiB.
pub(in crate::engine::core) const PAGE_BYTES: usize = 3 << 20;
/// Entries fetched at first from a range; doubled with every further fetch.
const CHUNK: usize = 16;

/// The limit of a search over user tasks: below 1 it is refused.
pub(in crate::engine::core) fn limit(limit: Option<i32>) -> Result<usize, Refusal> {
    match limit {
        None => Ok(DEFAULT_LIMIT),
        Some(limit) => match usize::try_from(limit) {
            Ok(limit) if limit > 0 => Ok(limit.min(MAX_LIMIT)),
            _ => Err(Refusal::invalid(format!("The limit must be at least 1, not {limit}"))),
        },
    }
}

/// The limit of the other searches, where 0 counts as unset.
pub(in crate::engine::core) fn limit_or_zero(limit: Option<i32>) -> Result<usize, Refusal> {
    self::limit(limit.filter(|limit| *limit != 0))
}

/// Which pages a bookmark belongs to: a hash of the RPC, the tenant and the filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine::core) struct Query(u64);

impl Query {
    /// `filters` are the bytes of the request without bookmark and limit.
    pub(in crate::engine::core) fn new(rpc: &str, tenant: &str, filters: &[u8]) -> Self {
        // FNV-1a over the lengths and bytes of the parts. It finds mistakes; nothing rests on it being hard to forge.
        let mut hash = 0xcbf2_9ce4_8422_2325u64;
        for part in [rpc.as_bytes(), tenant.as_bytes(), filters] {
            for byte in (part.len() as u64).to_be_bytes().iter().chain(part) {
                hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        Self(hash)
    }
}

/// Where a page ended: the next one holds what lies strictly beyond.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine::core) enum Position {
    /// An ordinal of an index.
    Ordinal(u64),
    /// The rest of a key of an index over byte keys.
    Name(Vec<u8>),
    /// An object of the listed WfRun: sub and n.
    Object(u64, u32),
    /// A Variable of the listed WfRun: thread and name.
    Variable(u32, String),
}

/// Form of the bookmarks; a new one gets a new number.
const BOOKMARK: u8 = 1;

/// A bookmark for the pages of `query`.
pub(in crate::engine::core) fn bookmark(query: Query, order: Order, position: &Position) -> Vec<u8> {
    let mut bytes = vec![BOOKMARK];
    bytes.extend(query.0.to_be_bytes());
    bytes.push(u8::from(order == Order::Descending));
    match position {
        Position::Ordinal(ordinal) => {
            bytes.push(0);
            bytes.extend(ordinal.to_be_bytes());
        }
        Position::Name(name) => {
            bytes.push(1);
            bytes.extend(name);
        }
        Position::Object(sub, n) => {
            bytes.push(2);
            bytes.extend(sub.to_be_bytes());
            bytes.extend(n.to_be_bytes());
        }
        Position::Variable(thread, name) => {
            bytes.push(3);
            bytes.extend(thread.to_be_bytes());
            bytes.extend(name.as_bytes());
        }
    }
    bytes
}

/// The position in a bookmark that [`bookmark`] made for the same query and order. An empty one is none.
pub(in crate::engine::core) fn position(
    query: Query,
    order: Order,
    bytes: Option<&[u8]>,
) -> Result<Option<Position>, Refusal> {
    let bytes = bytes.unwrap_or_default();
    if bytes.is_empty() {
        return Ok(None);
    }
    let parsed = parse(bytes).ok_or_else(|| Refusal::invalid("The bookmark is damaged"))?;
    if (parsed.0, parsed.1) != (query, order) {
        return Err(Refusal::invalid("The bookmark belongs to another search"));
    }
    Ok(Some(parsed.2))
}

fn parse(bytes: &[u8]) -> Option<(Query, Order, Position)> {
    let rest = bytes.strip_prefix(&[BOOKMARK])?;
    let (hash, rest) = take_u64(rest)?;
    let ([direction, tag], rest) = rest.split_first_chunk()?;
    let order = match direction {
        0 => Order::Ascending,
        1 => Order::Descending,
        _ => return None,
    };
    let (position, rest) = match tag {
        0 => take_u64(rest).map(|(ordinal, rest)| (Position::Ordinal(ordinal), rest))?,
        1 => (Position::Name(rest.to_vec()), &[][..]),
        2 => {
            let (sub, rest) = take_u64(rest)?;
            let (n, rest) = take_u32(rest)?;
            (Position::Object(sub, n), rest)
        }
        3 => {
            let (thread, rest) = take_u32(rest)?;
            (Position::Variable(thread, String::from_utf8(rest.to_vec()).ok()?), &[][..])
        }
        _ => return None,
    };
    rest.is_empty().then_some((Query(hash), order, position))
}

/// The refusal for a bookmark whose position is not of the kind that its search has.
pub(in crate::engine::core) fn foreign_bookmark() -> Refusal {
    Refusal::invalid("The bookmark is damaged")
}

/// One range of an index: all keys that are `prefix` and then an ordinal.
#[derive(Clone, Debug)]
pub(in crate::engine::core) struct Range {
    pub(in crate::engine::core) table: Table,
    pub(in crate::engine::core) prefix: Vec<u8>,
}

/// What a merge looks for.
pub(in crate::engine::core) struct Merge {
    pub(in crate::engine::core) order: Order,
    /// Only ordinals strictly beyond this one.
    pub(in crate::engine::core) after: Option<u64>,
    /// Only ordinals from this one on.
    pub(in crate::engine::core) from: u64,
    /// Only ordinals up to this one.
    pub(in crate::engine::core) to: u64,
    pub(in crate::engine::core) limit: usize,
    /// How many entries to look at in all.
    pub(in crate::engine::core) examined: usize,
}

/// What a merge found, in order, each ordinal once.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::engine::core) struct Merged {
    /// Which range it was found in, its ordinal and its value.
    pub(in crate::engine::core) found: Vec<(usize, u64, Vec<u8>)>,
    /// Where the next page goes on; none when there is nothing more.
    pub(in crate::engine::core) next: Option<u64>,
}

/// Decides about an entry: the number of its range, its ordinal, its value.
pub(in crate::engine::core) type Accept<'a> = dyn FnMut(usize, u64, &[u8]) -> Result<bool, Fault> + 'a;

/// Merges index ranges by ordinal. The work depends on the limit and on the entries passed over, never on the size of
/// the ranges: each is entered directly at the bookmark.
pub(in crate::engine::core) fn merge(
    state: &dyn State,
    ranges: &[Range],
    wanted: &Merge,
    accept: &mut Accept<'_>,
) -> Result<Merged, Fault> {
    let mut sources: Vec<Source<'_>> =
        ranges.iter().enumerate().map(|(number, range)| Source::new(number, range)).collect();
    let mut examined = 0;
    let mut found: Vec<(usize, u64, Vec<u8>)> = Vec::new();
    loop {
        for source in &mut sources {
            // The first fetch is always made, whatever the others used up: every page gets ahead.
            while source.buffer.is_empty() && !source.done && (source.seen.is_none() || examined < wanted.examined) {
                examined += source.fetch(state, wanted, accept)?;
            }
        }
        let first = |a: u64, b: u64| if wanted.order == Order::Ascending { a.min(b) } else { a.max(b) };
        // Beyond this, a range that may not be read any further could hold something earlier.
        let blocked = sources
            .iter()
            .filter(|source| source.buffer.is_empty() && !source.done)
            .filter_map(|s| s.seen)
            .reduce(first);
        let next = sources.iter().filter_map(|source| source.buffer.front()).map(|entry| entry.0).reduce(first);
        let reachable = |next: u64| blocked.is_none_or(|blocked| first(next, blocked) == next);
        match next {
            Some(next) if reachable(next) => {
                if found.len() == wanted.limit {
                    return Ok(Merged { next: found.last().map(|entry| entry.1), found });
                }
                let mut entry = None;
                for source in &mut sources {
                    if source.buffer.front().is_some_and(|entry| entry.0 == next) {
                        let value = source.buffer.pop_front();
                        entry = entry.or(value.map(|(ordinal, value)| (source.number, ordinal, value)));
                    }
                }
                found.extend(entry);
            }
            _ => {
                let full = found.len() == wanted.limit;
                let last = found.last().map(|entry| entry.1);
                let next = blocked.map(|blocked| if full { last.unwrap_or(blocked) } else { blocked });
                return Ok(Merged { found, next });
            }
        }
    }
}

struct Source<'a> {
    number: usize,
    range: &'a Range,
    buffer: VecDeque<(u64, Vec<u8>)>,
    /// The last ordinal that was looked at.
    seen: Option<u64>,
    done: bool,
    chunk: usize,
}

impl<'a> Source<'a> {
    fn new(number: usize, range: &'a Range) -> Self {
        Self { number, range, buffer: VecDeque::new(), seen: None, done: false, chunk: CHUNK }
    }

    /// Looks at the next entries and gives their number.
    fn fetch(&mut self, state: &dyn State, wanted: &Merge, accept: &mut Accept<'_>) -> Result<usize, Fault> {
        let (mut from, mut to) = (Some(wanted.from), Some(wanted.to));
        if let Some(after) = self.seen.or(wanted.after) {
            match wanted.order {
                Order::Ascending => from = after.checked_add(1).map(|next| next.max(wanted.from)),
                Order::Descending => to = after.checked_sub(1).map(|next| next.min(wanted.to)),
            }
        }
        let (Some(from), Some(to)) = (from, to) else {
            self.done = true;
            return Ok(0);
        };
        if from > to {
            self.done = true;
            return Ok(0);
        }
        let key = |ordinal: u64| [self.range.prefix.as_slice(), &ordinal.to_be_bytes()].concat();
        let end = after_prefix(&key(to));
        let (mut count, mut outcome) = (0, Ok(()));
        let (seen, buffer) = (&mut self.seen, &mut self.buffer);
        state.scan(self.range.table, &key(from), end.as_deref(), wanted.order, &mut |key, value| {
            let Some(ordinal) = key.last_chunk().map(|bytes| u64::from_be_bytes(*bytes)) else {
                outcome = Err(damaged(format!("{:?} row", self.range.table), "its key is too short"));
                return ControlFlow::Break(());
            };
            count += 1;
            *seen = Some(ordinal);
            match accept(self.number, ordinal, value) {
                Ok(true) => buffer.push_back((ordinal, value.to_vec())),
                Ok(false) => {}
                Err(fault) => {
                    outcome = Err(fault);
                    return ControlFlow::Break(());
                }
            }
            if count < self.chunk { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        outcome?;
        self.done = count < self.chunk;
        self.chunk = (self.chunk * 2).min(1024);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::core::WriteSet;
    use crate::engine::core::state::MemoryState;
    use proptest::prelude::*;

    const QUERY: Query = Query(7);

    #[test]
    fn limits_follow_the_rule() {
        assert_eq!(limit(None), Ok(100));
        assert_eq!(limit(Some(1)), Ok(1));
        assert_eq!(limit(Some(2_000_000_000)), Ok(1000));
        for refused in [0, -1, i32::MIN] {
            assert_eq!(limit(Some(refused)).map_err(|refusal| refusal.code), Err(tonic::Code::InvalidArgument));
        }
        assert_eq!(limit_or_zero(Some(0)), Ok(100));
        assert!(limit_or_zero(Some(-1)).is_err());
    }

    fn any_position() -> impl Strategy<Value = Position> {
        prop_oneof![
            any::<u64>().prop_map(Position::Ordinal),
            any::<Vec<u8>>().prop_map(Position::Name),
            any::<(u64, u32)>().prop_map(|(sub, n)| Position::Object(sub, n)),
            any::<(u32, String)>().prop_map(|(thread, name)| Position::Variable(thread, name)),
        ]
    }

    proptest! {
        #[test]
        fn bookmarks_come_back_to_their_own_search_only(at in any_position(), down: bool) {
            let order = if down { Order::Descending } else { Order::Ascending };
            let other = if down { Order::Ascending } else { Order::Descending };
            let bytes = bookmark(QUERY, order, &at);
            prop_assert_eq!(position(QUERY, order, Some(&bytes)), Ok(Some(at)));
            prop_assert!(position(QUERY, other, Some(&bytes)).is_err());
            prop_assert!(position(Query(8), order, Some(&bytes)).is_err());
        }

        #[test]
        fn any_bytes_are_refused_or_read(bytes: Vec<u8>) {
            let _ = position(QUERY, Order::Ascending, Some(&bytes));
        }

        /// Whatever the budget, walking the pages gives every accepted ordinal once, in order.
        #[test]
        fn a_walk_gives_each_match_once_in_order(
            ranges in prop::collection::vec(prop::collection::btree_set(0u64..60, 0..40), 1..5),
            wanted in prop::collection::btree_set(0u64..60, 0..50),
            from in 0u64..20, to in 20u64..60, limit in 1usize..7, examined in 0usize..50, down: bool,
        ) {
            let mut state = MemoryState::default();
            let mut writes = WriteSet::default();
            let mut expected = std::collections::BTreeSet::new();
            for (number, ordinals) in ranges.iter().enumerate() {
                for ordinal in ordinals {
                    let key = [&[number as u8][..], &ordinal.to_be_bytes()].concat();
                    writes.put(Table::KeyIdx, key, []);
                    if (from..=to).contains(ordinal) && wanted.contains(ordinal) {
                        expected.insert(*ordinal);
                    }
                }
            }
            state.apply(&writes);
            let ranges: Vec<Range> = (0..ranges.len())
                .map(|number| Range { table: Table::KeyIdx, prefix: vec![number as u8] })
                .collect();
            let order = if down { Order::Descending } else { Order::Ascending };
            let (mut walked, mut after, mut pages) = (Vec::new(), None, 0);
            loop {
                let page = Merge { order, after, from, to, limit, examined };
                let merged = merge(&state, &ranges, &page, &mut |_, ordinal, _| Ok(wanted.contains(&ordinal)));
                let merged = merged.expect("a state in memory does not fail");
                prop_assert!(merged.found.len() <= limit);
                walked.extend(merged.found.iter().map(|entry| entry.1));
                pages += 1;
                prop_assert!(pages < 500, "the walk does not get ahead");
                match merged.next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
            let mut expected: Vec<u64> = expected.into_iter().collect();
            if down {
                expected.reverse();
            }
            prop_assert_eq!(walked, expected);
        }
    }
}
