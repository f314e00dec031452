//! UserTaskRuns: get, list, search, and the rows and counts of the inbox.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use prost::Message;

use crate::api::{littlehorse as lh, ostler::v1 as ours};
use crate::engine::core::id;
use crate::engine::core::index::{TaskFacets, TaskHead, status_byte};
use crate::engine::core::key::{self, Index, Kind, ObjKey, Place, Word, damaged};
use crate::engine::core::query::page::{self, EXAMINED, Merge, PAGE_BYTES, Position, Query, Range};
use crate::engine::core::query::{not_there, reader};
use crate::engine::core::tx::{ORDINAL_SHIFT, ordinal_lead};
use crate::engine::core::{Fault, Order, Reader, Refusal, State, Table};

/// Every status a UserTaskRun can have.
const STATUSES: [lh::UserTaskRunStatus; 4] = [
    lh::UserTaskRunStatus::Unassigned,
    lh::UserTaskRunStatus::Assigned,
    lh::UserTaskRunStatus::Done,
    lh::UserTaskRunStatus::Cancelled,
];
/// The most filters of one ListTasks or CountTasks.
const MAX_FILTERS: usize = 256;

/// GetUserTaskRun.
pub fn get_user_task_run(
    state: &dyn State,
    tenant: &str,
    request: lh::UserTaskRunId,
) -> Result<lh::UserTaskRun, Refusal> {
    let reader = reader(state, tenant)?;
    let Some((run, place)) = reader.task_ref(&request)? else { return Err(not_there()) };
    reader.whole_user_task_run(run, place)?.ok_or_else(not_there)
}

/// ListUserTaskRuns: those of one WfRun, in the text order of their guids, as LittleHorse has it (0-1, 0-10, 0-2).
pub fn list_user_task_runs(
    state: &dyn State,
    tenant: &str,
    request: lh::ListUserTaskRunRequest,
) -> Result<lh::UserTaskRunList, Refusal> {
    let limit = page::limit(request.limit)?;
    let run_id = request.wf_run_id.unwrap_or_default();
    let query = Query::new("ListUserTaskRuns", tenant, &run_id.encode_to_vec());
    let after = match page::position(query, Order::Ascending, request.bookmark.as_deref())? {
        None => None,
        Some(Position::Object(sub, _)) => Some(Place::from_sub(sub)),
        Some(_) => return Err(page::foreign_bookmark()),
    };
    let reader = reader(state, tenant)?;
    let mut list = lh::UserTaskRunList::default();
    let Some(run) = reader.run_ref(&run_id)? else { return Ok(list) };
    let mut places = places_of_tasks(&reader, run)?;
    places.sort_by_cached_key(|place| place.guid());
    if let Some(after) = after {
        let after = after.guid();
        places.retain(|place| place.guid() > after);
    }
    let (mut bytes, mut last) = (0, None);
    for place in places {
        let Some(task) = reader.whole_user_task_run(run, place)? else { continue };
        bytes += task.encoded_len();
        if let Some(last) = last.filter(|_| list.results.len() == limit || bytes > PAGE_BYTES) {
            list.bookmark = Some(page::bookmark(query, Order::Ascending, &Position::Object(last, 0)));
            break;
        }
        last = Some(place.sub());
        list.results.push(task);
    }
    Ok(list)
}

/// Where the UserTaskRuns of a WfRun are. One seek a task: the rows of its events are stepped over.
fn places_of_tasks(reader: &Reader<'_>, run: key::RunRef) -> Result<Vec<Place>, Fault> {
    let (mut places, mut from) = (Vec::new(), Some(0));
    while let Some(first) = from {
        let (mut found, to) = (None, (u64::MAX, u32::MAX));
        reader.objects(run.0, Kind::UserTaskRun, (first, 0), to, Order::Ascending, &mut |key: ObjKey, _| {
            found = Some(key.sub);
            Ok(ControlFlow::Break(()))
        })?;
        places.extend(found.map(Place::from_sub));
        from = found.and_then(|sub| sub.checked_add(1));
    }
    Ok(places)
}

/// SearchUserTaskRun: ids, oldest first.
pub fn search_user_task_run(
    state: &dyn State,
    tenant: &str,
    request: lh::SearchUserTaskRunRequest,
) -> Result<lh::UserTaskRunIdList, Refusal> {
    let limit = page::limit(request.limit)?;
    if request.status.is_none()
        && request.user_id.is_none()
        && request.user_group.is_none()
        && request.user_task_def_name.is_none()
    {
        return Err(Refusal::invalid(
            "Must provide at least one search criteria: status,user_id,user_group,user_task_def_name",
        ));
    }
    let mark = request.bookmark.clone();
    let request = lh::SearchUserTaskRunRequest { bookmark: None, limit: None, ..request };
    let query = Query::new("SearchUserTaskRun", tenant, &request.encode_to_vec());
    let reader = reader(state, tenant)?;
    let filter = Filter::of(
        &reader,
        request.status.as_slice(),
        request.user_id.as_deref(),
        request.user_group.as_deref(),
        request.user_task_def_name.as_deref(),
    )?;
    let tasks = Tasks {
        any_of: filter.into_iter().collect(),
        from: request.earliest_start.as_ref().map(id::milliseconds),
        to: request.latest_start.as_ref().map(id::milliseconds),
        order: Order::Ascending,
        limit,
    };
    let (found, bookmark) = tasks.page(&reader, query, mark.as_deref())?;
    Ok(lh::UserTaskRunIdList { results: found.iter().map(|(_, facets)| facets.id()).collect(), bookmark })
}

/// ListTasks of `ostler.v1`: one page of rows, either end first.
pub fn list_tasks(state: &dyn State, tenant: &str, request: ours::ListTasksRequest) -> Result<ours::TaskPage, Refusal> {
    let limit = page::limit_or_zero(Some(request.limit))?;
    let mark = request.bookmark.clone();
    let request = ours::ListTasksRequest { bookmark: None, limit: 0, ..request };
    let query = Query::new("ListTasks", tenant, &request.encode_to_vec());
    let reader = reader(state, tenant)?;
    let order = if request.newest_first { Order::Descending } else { Order::Ascending };
    let any_of = filters(&reader, &request.any_of)?.into_iter().flatten().collect();
    let (found, bookmark) =
        Tasks { any_of, from: None, to: None, order, limit }.page(&reader, query, mark.as_deref())?;
    let mut words = Words { reader, known: BTreeMap::new() };
    let rows = found.into_iter().map(|(status, facets)| words.row(status, facets));
    Ok(ours::TaskPage { rows: rows.collect::<Result<_, Fault>>()?, bookmark })
}

/// CountTasks of `ostler.v1`. A filter by status and at most one of user, group and definition costs nothing, whatever
/// the store holds; a filter by more of them walks the smallest of their indexes.
pub fn count_tasks(
    state: &dyn State,
    tenant: &str,
    request: ours::CountTasksRequest,
) -> Result<ours::TaskCounts, Refusal> {
    let reader = reader(state, tenant)?;
    let counts = filters(&reader, &request.filters)?.into_iter().map(|filter| match filter {
        Some(filter) => filter.count(&reader),
        None => Ok(0),
    });
    Ok(ours::TaskCounts { counts: counts.collect::<Result<_, Fault>>()? })
}

/// The filters, resolved; none for one that matches nothing. No filter at all is one that matches every task.
fn filters(reader: &Reader<'_>, wanted: &[ours::TaskFilter]) -> Result<Vec<Option<Filter>>, Refusal> {
    if wanted.len() > MAX_FILTERS {
        return Err(Refusal::invalid(format!("At most {MAX_FILTERS} filters can be given")));
    }
    let all = [ours::TaskFilter::default()];
    let wanted = if wanted.is_empty() { &all } else { wanted };
    let resolved = wanted.iter().map(|filter| {
        Filter::of(
            reader,
            &filter.statuses,
            filter.user_id.as_deref(),
            filter.user_group.as_deref(),
            filter.user_task_def_name.as_deref(),
        )
    });
    Ok(resolved.collect::<Result<_, Fault>>()?)
}

/// A filter in numbers of the dictionary.
struct Filter {
    tenant: u32,
    statuses: Vec<u8>,
    user: Option<u32>,
    group: Option<u32>,
    def: Option<u32>,
}

/// An index that a filter reads: only the statuses that hold anything, and how much they hold together.
struct Smallest {
    index: Index,
    number: u32,
    statuses: Vec<u8>,
    sum: u64,
}

impl Filter {
    /// None when it can match nothing: a text that was never stored.
    fn of(
        reader: &Reader<'_>,
        statuses: &[i32],
        user: Option<&str>,
        group: Option<&str>,
        def: Option<&str>,
    ) -> Result<Option<Self>, Fault> {
        let Some(tenant) = reader.tenant else { return Ok(None) };
        let mut numbers = [(Word::User, user), (Word::Group, group), (Word::Name, def)].map(|_| None);
        for (number, (word, text)) in
            numbers.iter_mut().zip([(Word::User, user), (Word::Group, group), (Word::Name, def)])
        {
            if let Some(text) = text {
                match reader.number(word, text)? {
                    Some(found) => *number = Some(found),
                    None => return Ok(None),
                }
            }
        }
        let mut wanted: Vec<u8> = if statuses.is_empty() {
            STATUSES.map(|status| status_byte(status.into())).to_vec()
        } else {
            statuses.iter().copied().map(status_byte).collect()
        };
        wanted.sort_unstable();
        wanted.dedup();
        let [user, group, def] = numbers;
        Ok(Some(Self { tenant, statuses: wanted, user, group, def }))
    }

    fn matches(&self, status: u8, head: &TaskHead) -> bool {
        let fits = |wanted: Option<u32>, actual| wanted.is_none_or(|wanted| wanted == actual);
        self.statuses.contains(&status)
            && fits(self.user, head.user)
            && fits(self.group, head.group)
            && fits(self.def, head.def)
    }

    /// The indexes that hold all that it matches.
    fn indexes(&self) -> Vec<(Index, u32)> {
        let by = [(Index::TasksByUser, self.user), (Index::TasksByGroup, self.group), (Index::TasksByDef, self.def)];
        let mut indexes: Vec<_> = by.into_iter().filter_map(|(index, number)| Some((index, number?))).collect();
        if indexes.is_empty() {
            indexes.push((Index::TasksAll, self.tenant));
        }
        indexes
    }

    /// The smallest of those indexes.
    fn smallest(&self, reader: &Reader<'_>) -> Result<Smallest, Fault> {
        let mut best: Option<Smallest> = None;
        for (index, number) in self.indexes() {
            let (mut statuses, mut sum) = (Vec::new(), 0u64);
            for status in &self.statuses {
                if let Some(bytes) = reader.state.get(Table::Count, &key::count(index, number, *status))? {
                    sum = sum.saturating_add(key::read_u64(&bytes, Table::Count)?);
                    statuses.push(*status);
                }
            }
            if best.as_ref().is_none_or(|best| sum < best.sum) {
                best = Some(Smallest { index, number, statuses, sum });
            }
        }
        let none = Smallest { index: Index::TasksAll, number: self.tenant, statuses: Vec::new(), sum: 0 };
        Ok(best.unwrap_or(none))
    }

    fn count(&self, reader: &Reader<'_>) -> Result<u64, Fault> {
        let Smallest { index, number, statuses, sum } = self.smallest(reader)?;
        if self.indexes().len() == 1 {
            return Ok(sum);
        }
        let mut count = 0;
        for status in statuses {
            let prefix = key::count(index, number, status);
            let mut outcome = Ok(());
            let end = key::after_prefix(&prefix);
            reader.state.scan(Table::Idx, &prefix, end.as_deref(), Order::Ascending, &mut |_, value| {
                match TaskHead::decode(value) {
                    Some(head) => count += u64::from(self.matches(status, &head)),
                    None => outcome = Err(damaged_row()),
                }
                if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })?;
            outcome?;
        }
        Ok(count)
    }
}

/// A search in numbers: what matches any of the filters, and was scheduled from `from` to `to`, both inclusive.
struct Tasks {
    any_of: Vec<Filter>,
    from: Option<i64>,
    to: Option<i64>,
    order: Order,
    limit: usize,
}

impl Tasks {
    /// One page: statuses and facets, and the bookmark for the next one.
    #[allow(clippy::type_complexity)] // a pair of what is said above
    fn page(
        &self,
        reader: &Reader<'_>,
        query: Query,
        mark: Option<&[u8]>,
    ) -> Result<(Vec<(u8, TaskFacets)>, Option<Vec<u8>>), Refusal> {
        let after = match page::position(query, self.order, mark)? {
            None => None,
            Some(Position::Ordinal(ordinal)) => Some(ordinal),
            Some(_) => return Err(page::foreign_bookmark()),
        };
        let mut ranges: BTreeMap<[u8; 6], u8> = BTreeMap::new();
        for filter in &self.any_of {
            let Smallest { index, number, statuses, .. } = filter.smallest(reader)?;
            ranges.extend(statuses.into_iter().map(|status| (key::count(index, number, status), status)));
        }
        let (ranges, statuses): (Vec<Range>, Vec<u8>) = ranges
            .into_iter()
            .map(|(prefix, status)| (Range { table: Table::Idx, prefix: prefix.to_vec() }, status))
            .unzip();
        let (from, to) = ordinals(reader.state, self.from, self.to)?;
        let wanted = Merge { order: self.order, after, from, to, limit: self.limit, examined: EXAMINED };
        let merged = page::merge(reader.state, &ranges, &wanted, &mut |range, _, value| {
            let head = TaskHead::decode(value).ok_or_else(damaged_row)?;
            let status = statuses.get(range).copied().unwrap_or_default();
            Ok(self.from.is_none_or(|from| head.scheduled >= from)
                && self.to.is_none_or(|to| head.scheduled <= to)
                && self.any_of.iter().any(|filter| filter.matches(status, &head)))
        })?;
        let found = merged.found.iter().map(|(range, _, value)| {
            let facets = TaskFacets::decode(value).ok_or_else(damaged_row)?;
            Ok((statuses.get(*range).copied().unwrap_or_default(), facets))
        });
        let bookmark = merged.next.map(|next| page::bookmark(query, self.order, &Position::Ordinal(next)));
        Ok((found.collect::<Result<_, Fault>>()?, bookmark))
    }
}

/// The ordinals that objects of a time from `from` to `to` can have. An ordinal is never behind its object's time, and
/// the store knows how far one was ever ahead.
pub(super) fn ordinals(state: &dyn State, from: Option<i64>, to: Option<i64>) -> Result<(u64, u64), Fault> {
    let highest = u64::MAX >> ORDINAL_SHIFT;
    let first = u64::try_from(from.unwrap_or_default()).unwrap_or_default().min(highest) << ORDINAL_SHIFT;
    let last = match to {
        None => u64::MAX,
        // Objects of times before 1970 have ordinals as if of 1970.
        Some(to) => {
            let to = u64::try_from(to).unwrap_or_default().saturating_add(ordinal_lead(state)?);
            to.saturating_add(1).min(highest) << ORDINAL_SHIFT
        }
    };
    Ok((first, last))
}

fn damaged_row() -> Fault {
    damaged("Idx row", "its value has an unknown form")
}

/// Numbers back to texts, each looked up once a page.
struct Words<'a> {
    reader: Reader<'a>,
    known: BTreeMap<(Word, u32), String>,
}

impl Words<'_> {
    fn text(&mut self, word: Word, number: u32) -> Result<String, Fault> {
        if let Some(known) = self.known.get(&(word, number)) {
            return Ok(known.clone());
        }
        let text = self.reader.text(word, number)?;
        self.known.insert((word, number), text.clone());
        Ok(text)
    }

    fn optional(&mut self, word: Word, number: u32) -> Result<Option<String>, Fault> {
        if number == 0 { Ok(None) } else { self.text(word, number).map(Some) }
    }

    fn row(&mut self, status: u8, facets: TaskFacets) -> Result<ours::TaskRow, Fault> {
        Ok(ours::TaskRow {
            id: Some(facets.id()),
            user_task_def_id: Some(lh::UserTaskDefId {
                name: self.text(Word::Name, facets.def)?,
                version: facets.version,
            }),
            status: status.into(),
            user_id: self.optional(Word::User, facets.user)?,
            user_group: self.optional(Word::Group, facets.group)?,
            scheduled_time: Some(id::timestamp(facets.scheduled)),
            wf_spec_name: self.text(Word::Name, facets.spec)?,
            notes: facets.notes,
        })
    }
}
