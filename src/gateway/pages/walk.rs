//! A page in the order of time from a server that lists ids only, in no order of time.
//!
//! A search over a window of start times tells how many tasks are in it. A window with more than fit on the page is
//! halved, an empty one is doubled, until the tasks of one window fit: these are fetched and sorted. The next window
//! begins where this one ended. A view with few tasks is answered by the first window, which is all of time.

use prost::Message;

use super::Position as PagePosition;
use super::legs::Leg;
use crate::api::littlehorse as lh;
use crate::domain::{Order, TaskId, TaskPage, Trouble};
use crate::gateway::convert;
use crate::gateway::gate::Gateway;

/// All of time, in milliseconds since 1970. The server compares times as decimal text, which is right only for 13
/// digits: from 2001-09-09 to 2286-11-20.
const FIRST: i64 = 1_000_000_000_000;
const LAST: i64 = 9_999_999_999_999;
/// The first window of the past, newest first, when all of time holds too many.
const DAY: i64 = 24 * 3600 * 1000;
/// Rounds of searching for one page. A page that is not full by then is given as it is, and says how far it looked.
const ROUNDS: usize = 48;
/// Tasks of one and the same millisecond cannot be split; beyond this many the rest is left out.
const SAME_TIME: usize = 10_000;

/// Where a walk goes on.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Position {
    /// The end of time that was not looked at yet: everything before it (newest first) or after it (oldest first),
    /// itself included.
    #[prost(int64, tag = "1")]
    edge: i64,
    /// The window that fitted last.
    #[prost(int64, tag = "2")]
    span: i64,
}

/// Walks from a position until the page is full, everything was seen, or it takes too long.
pub(super) async fn page(
    gateway: &Gateway,
    legs: &[Leg],
    order: Order,
    position: Option<Position>,
    limit: usize,
) -> Result<TaskPage, Trouble> {
    let mut walk = Walk::new(order, position, jiff::Timestamp::now().as_millisecond());
    let mut page = TaskPage::default();
    for _ in 0..ROUNDS {
        let Some(window) = walk.window() else { break };
        let room = limit.saturating_sub(page.rows.len());
        let requests =
            legs.iter().map(|leg| leg.search(Some(window), i32::try_from(room).unwrap_or(i32::MAX))).collect();
        let found = gateway.searches(requests).await?;
        let count: usize = found.iter().map(|list| list.results.len()).sum();
        let more = found.iter().any(|list| list.bookmark.is_some());
        let ids = if count <= room && !more {
            ids(found)
        } else if !page.rows.is_empty() {
            // What is there already makes a page; the next one begins with this window.
            break;
        } else if window.0 < window.1 {
            walk.halve();
            continue;
        } else {
            everything(gateway, legs, window).await?
        };
        let seen = ids.len();
        let mut rows = gateway.rows(ids).await?;
        rows.retain(|row| legs.iter().any(|leg| leg.holds(row)));
        rows.sort_by(|a, b| a.scheduled.cmp(&b.scheduled).then_with(|| a.id.cmp(&b.id)));
        if order == Order::NewestFirst {
            rows.reverse();
        }
        page.rows.extend(rows);
        walk.advance(seen, limit);
        if page.rows.len() >= limit {
            break;
        }
    }
    if let Some(position) = walk.position() {
        if order == Order::NewestFirst {
            page.looked_back_to = jiff::Timestamp::from_millisecond(position.edge).ok();
        }
        page.next = Some(PagePosition { bookmark: None, walk: Some(position) }.cursor());
    }
    Ok(page)
}

/// All ids of one millisecond, however many pages they have.
async fn everything(gateway: &Gateway, legs: &[Leg], window: (i64, i64)) -> Result<Vec<TaskId>, Trouble> {
    let mut all = Vec::new();
    for leg in legs {
        let mut request = leg.search(Some(window), 1000);
        loop {
            let list = gateway.searches(vec![request.clone()]).await?.pop().unwrap_or_default();
            request.bookmark = list.bookmark.clone();
            all.extend(ids(vec![list]));
            if request.bookmark.is_none() || all.len() >= SAME_TIME {
                break;
            }
        }
    }
    Ok(all)
}

fn ids(found: Vec<lh::UserTaskRunIdList>) -> Vec<TaskId> {
    let mut ids: Vec<TaskId> = found.iter().flat_map(|list| &list.results).map(convert::task_id).collect();
    // A task may have changed between two searches and be found by both.
    ids.sort();
    ids.dedup();
    ids
}

/// The windows, one after the other: arithmetic only.
struct Walk {
    order: Order,
    edge: i64,
    span: i64,
    now: i64,
}

impl Walk {
    fn new(order: Order, position: Option<Position>, now: i64) -> Walk {
        let edge = match order {
            Order::NewestFirst => LAST,
            Order::OldestFirst => FIRST,
        };
        let all = Position { edge, span: LAST - FIRST + 1 };
        let Position { edge, span } = position.unwrap_or(all);
        Walk { order, edge, span: span.max(1), now: now.clamp(FIRST, LAST) }
    }

    /// The window to look at, both ends included; `None` when all of time was seen.
    fn window(&self) -> Option<(i64, i64)> {
        if !(FIRST..=LAST).contains(&self.edge) {
            return None;
        }
        Some(match self.order {
            Order::NewestFirst => (self.edge.saturating_sub(self.span - 1).max(FIRST), self.edge),
            Order::OldestFirst => (self.edge, self.edge.saturating_add(self.span - 1).min(LAST)),
        })
    }

    /// Too many: a smaller window from the same edge. The future is looked at apart: nothing is there but what a clock
    /// that runs ahead put there, and it is far longer than the past.
    fn halve(&mut self) {
        let Some((from, to)) = self.window() else { return };
        let whole = to - from + 1;
        let soon = (self.now + DAY).min(LAST);
        let apart = match self.order {
            Order::NewestFirst => to - soon,
            Order::OldestFirst => soon - from + 1,
        };
        let splits = from <= soon && soon < to;
        self.span = if splits { apart } else { whole / 2 }.clamp(1, (whole - 1).max(1));
    }

    /// The window was taken: the next one begins behind it, larger if there was little in this one.
    fn advance(&mut self, seen: usize, limit: usize) {
        let Some((from, to)) = self.window() else { return };
        self.edge = match self.order {
            Order::NewestFirst => from - 1,
            Order::OldestFirst => to + 1,
        };
        let factor = match seen {
            0 => 4,
            seen if seen < limit / 2 => 2,
            _ => 1,
        };
        self.span = if self.order == Order::NewestFirst && from > self.now {
            // Out of the future, where windows are large.
            2 * DAY
        } else {
            (to - from + 1).saturating_mul(factor)
        };
    }

    /// Where to go on; `None` when all of time was seen.
    fn position(&self) -> Option<Position> {
        self.window().map(|_| Position { edge: self.edge, span: self.span })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Pages over tasks at these times, without a server: the order in which they come, and the rounds each page took.
    fn walked(times: &[i64], order: Order, now: i64, limit: usize) -> (Vec<i64>, usize) {
        let mut seen = Vec::new();
        let (mut position, mut worst, mut pages) = (None, 0, 0);
        loop {
            let mut walk = Walk::new(order, position, now);
            let mut page: Vec<i64> = Vec::new();
            let mut rounds = 0;
            while let Some((from, to)) = walk.window() {
                rounds += 1;
                let mut found: Vec<i64> = times.iter().copied().filter(|time| (from..=to).contains(time)).collect();
                let room = limit.saturating_sub(page.len());
                if found.len() > room && !page.is_empty() {
                    break;
                }
                if found.len() > room && from < to {
                    walk.halve();
                    continue;
                }
                found.sort();
                if order == Order::NewestFirst {
                    found.reverse();
                }
                walk.advance(found.len(), limit);
                page.extend(found);
                if page.len() >= limit || rounds >= ROUNDS {
                    break;
                }
            }
            worst = worst.max(rounds);
            seen.extend(page);
            position = walk.position();
            if position.is_none() {
                return (seen, worst);
            }
            pages += 1;
            assert!(pages < 10_000, "no end");
        }
    }

    const NOW: i64 = 1_795_000_000_000;

    #[test]
    fn few_tasks_are_one_round() {
        let times = [NOW - 5 * DAY, NOW, FIRST, LAST];
        for order in [Order::NewestFirst, Order::OldestFirst] {
            let (seen, rounds) = walked(&times, order, NOW, 10);
            assert_eq!((seen.len(), rounds), (4, 1));
        }
    }

    #[test]
    fn ten_thousand_of_a_month_come_in_order_in_few_rounds() {
        let times: Vec<i64> = (0..10_000).map(|n| NOW - 30 * DAY + n * (30 * DAY / 10_000)).collect();
        let (seen, rounds) = walked(&times, Order::OldestFirst, NOW, 100);
        assert_eq!(seen, times);
        assert!(rounds <= ROUNDS, "{rounds}");
        let (seen, rounds) = walked(&times, Order::NewestFirst, NOW, 100);
        assert!(seen.iter().rev().eq(times.iter()));
        assert!(rounds <= ROUNDS, "{rounds}");
    }

    proptest! {
        #[test]
        fn every_task_comes_once_and_in_order(
            mut times in proptest::collection::vec(prop_oneof![
                FIRST..=LAST, (NOW - DAY)..NOW, (NOW - 20)..NOW, Just(FIRST), Just(LAST), Just(NOW),
            ], 0..60),
            newest in any::<bool>(),
            now in prop_oneof![Just(NOW), any::<i64>()],
            limit in 1usize..20,
        ) {
            let order = if newest { Order::NewestFirst } else { Order::OldestFirst };
            let (seen, _) = walked(&times, order, now, limit);
            times.sort();
            if newest {
                times.reverse();
            }
            prop_assert_eq!(seen, times);
        }
    }
}
