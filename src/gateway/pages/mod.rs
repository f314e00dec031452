//! Pages of a view, and how many tasks each view has.
//!
//! An ostler host lists either end first, rows and all. A LittleHorse server gives ids only, and not in the order of
//! time: its partitions are listed one after the other. There a page is made by walking over windows of start times
//! ([`walk`]), which needs nothing but the search, and each task is fetched.

mod legs;
mod walk;

use prost::Message;

use super::convert;
use super::gate::{FETCHES, Gateway};
use crate::api::littlehorse as lh;
use crate::api::ostler::v1;
use crate::domain::{Count, Cursor, Order, TaskId, TaskPage, TaskRow, Trouble, View};
use legs::{Leg, legs};

/// How many ids are counted for each part of a view before it is "at least so many".
const COUNTED: i32 = 1000;

/// Where a page ended, as bytes of its own: only the same kind of server can go on from it.
#[derive(Clone, PartialEq, Message)]
struct Position {
    /// An ostler host's own bookmark.
    #[prost(bytes = "vec", optional, tag = "1")]
    bookmark: Option<Vec<u8>>,
    /// Where a walk goes on.
    #[prost(message, optional, tag = "2")]
    walk: Option<walk::Position>,
}

impl Position {
    fn of(cursor: Option<&Cursor>) -> Position {
        // A cursor comes from this very module; bytes that are none start from the beginning.
        cursor.and_then(|cursor| Position::decode(cursor.0.as_slice()).ok()).unwrap_or_default()
    }

    fn cursor(&self) -> Cursor {
        Cursor(self.encode_to_vec())
    }
}

impl Gateway {
    /// A part of a view. `limit` is kept within 1 and 1000; a page may be shorter though there is more.
    pub async fn page(
        &self,
        view: View,
        order: Order,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<TaskPage, Trouble> {
        let legs = legs(view, &self.shared.me);
        if legs.is_empty() {
            return Ok(TaskPage::default());
        }
        let limit = limit.clamp(1, 1000);
        let position = Position::of(cursor);
        // A walk that has begun goes on as one, even if the server has learned to list meanwhile.
        if position.walk.is_none() {
            let request = &v1::ListTasksRequest {
                any_of: legs.iter().map(Leg::filter).collect(),
                newest_first: order == Order::NewestFirst,
                limit: i32::try_from(limit).unwrap_or(i32::MAX),
                bookmark: position.bookmark,
            };
            let listed = self.ask_ostler(|mut clients| {
                let request = request.clone();
                async move { clients.ostler.list_tasks(request).await }
            });
            if let Some(page) = listed.await? {
                let next = |bookmark| Position { bookmark: Some(bookmark), walk: None }.cursor();
                return Ok(TaskPage {
                    rows: page.rows.iter().map(convert::row_of_page).collect(),
                    next: page.bookmark.map(next),
                    looked_back_to: None,
                });
            }
        }
        walk::page(self, &legs, order, position.walk, limit).await
    }

    /// How many tasks each of [`View::ALL`] has, in that order.
    pub async fn counts(&self) -> Result<[Count; 5], Trouble> {
        let views = View::ALL.map(|view| legs(view, &self.shared.me));
        let request = &v1::CountTasksRequest { filters: views.iter().flatten().map(Leg::filter).collect() };
        let counted = self.ask_ostler(|mut clients| {
            let request = request.clone();
            async move { clients.ostler.count_tasks(request).await }
        });
        if let Some(counted) = counted.await? {
            // The legs of a view never overlap, so their numbers add up.
            let mut numbers = counted.counts.into_iter();
            return Ok(views.map(|legs| {
                let numbers: Vec<u64> = numbers.by_ref().take(legs.len()).collect();
                let all = numbers.len() == legs.len();
                if all { Count::Exactly(numbers.iter().sum()) } else { Count::Unknown }
            }));
        }
        self.searched_counts(&views).await
    }

    /// Counts by searching: ids are cheap, and each leg is searched once however many views need it.
    async fn searched_counts(&self, views: &[Vec<Leg>; 5]) -> Result<[Count; 5], Trouble> {
        let mut different: Vec<&Leg> = Vec::new();
        for leg in views.iter().flatten() {
            if !different.contains(&leg) {
                different.push(leg);
            }
        }
        let requests = different.iter().map(|leg| leg.search(None, COUNTED)).collect();
        let found = self.searches(requests).await?;
        let count = |legs: &Vec<Leg>| {
            let mut sum = 0;
            let mut exact = true;
            for leg in legs {
                let at = different.iter().position(|known| *known == leg);
                let Some(list) = at.and_then(|at| found.get(at)) else { return Count::Unknown };
                sum += list.results.len() as u64;
                exact &= list.bookmark.is_none();
            }
            if exact { Count::Exactly(sum) } else { Count::AtLeast(sum) }
        };
        Ok(views.each_ref().map(count))
    }

    /// Several searches, some at once; the answers in the order of the requests.
    async fn searches(
        &self,
        requests: Vec<lh::SearchUserTaskRunRequest>,
    ) -> Result<Vec<lh::UserTaskRunIdList>, Trouble> {
        self.at_once(requests, |gateway, request| async move {
            let request = &request;
            let search = gateway.shared.link.read(|mut clients| {
                let request = request.clone();
                async move { clients.lh.search_user_task_run(request).await }
            });
            search.await
        })
        .await
    }

    /// The rows of tasks; those that are gone meanwhile are left out.
    async fn rows(&self, ids: Vec<TaskId>) -> Result<Vec<TaskRow>, Trouble> {
        let rows = self
            .at_once(ids, |gateway, id| async move {
                match gateway.user_task_run(&id).await {
                    Ok(run) => Ok(Some(convert::detail_row(&run, None))),
                    Err(Trouble::NotFound(_)) => Ok(None),
                    Err(trouble) => Err(trouble),
                }
            })
            .await?;
        Ok(rows.into_iter().flatten().collect())
    }

    /// Does the same with many things, a few at once. Stops at the first trouble, and when the caller stops waiting.
    async fn at_once<T, R, F>(&self, things: Vec<T>, work: impl Fn(Gateway, T) -> F) -> Result<Vec<R>, Trouble>
    where
        T: Send + 'static,
        R: Send + 'static,
        F: Future<Output = Result<R, Trouble>> + Send + 'static,
    {
        let mut results: Vec<Option<R>> = things.iter().map(|_| None).collect();
        let mut waiting = things.into_iter().enumerate();
        // Dropping the set aborts what is under way.
        let mut running = tokio::task::JoinSet::new();
        loop {
            while running.len() < FETCHES {
                let Some((index, thing)) = waiting.next() else { break };
                let (work, permits) = (work(self.clone(), thing), self.shared.fetches.clone());
                running.spawn(async move {
                    // The limit is for all pages together. It is never closed; without a permit there is just no limit.
                    let _permit = permits.acquire_owned().await;
                    (index, work.await)
                });
            }
            match running.join_next().await {
                Some(Ok((index, result))) => {
                    if let Some(place) = results.get_mut(index) {
                        *place = Some(result?);
                    }
                }
                // Neither panics nor gets aborted while this waits, short of the whole program ending.
                Some(Err(error)) => return Err(Trouble::Unsupported(error.to_string())),
                None => return Ok(results.into_iter().flatten().collect()),
            }
        }
    }
}

#[cfg(test)]
mod tests;
