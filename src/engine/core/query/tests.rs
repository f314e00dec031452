//! Searches against a plain list of what is stored.

use proptest::prelude::*;

use super::*;
use crate::api::{littlehorse as lh, ostler::v1 as ours};
use crate::engine::core::command::Context;
use crate::engine::core::record::WfRunRecord;
use crate::engine::core::state::MemoryState;
use crate::engine::core::{Actor, Place, Table, Tx, WriteSet, check, id};

const TENANT: &str = "default";
const START: i64 = 1_700_000_000_000;

fn context(now: i64) -> Context {
    Context { tenant: TENANT.to_owned(), actor: Actor::default(), at: now, now, seed: 7 }
}

fn run_id(number: usize) -> lh::WfRunId {
    lh::WfRunId { id: format!("run{number}"), parent_wf_run_id: None }
}

/// A task as the model knows it; its place in the list is its order.
#[derive(Clone, Debug)]
struct Task {
    user: Option<u8>,
    group: Option<u8>,
    def: u8,
    status: i32,
    scheduled: i64,
}

impl Task {
    fn message(&self, number: usize) -> lh::UserTaskRun {
        lh::UserTaskRun {
            id: Some(task_id(number)),
            user_task_def_id: Some(lh::UserTaskDefId { name: format!("def{}", self.def), version: 0 }),
            user_id: self.user.map(|user| format!("user{user}")),
            user_group: self.group.map(|group| format!("group{group}")),
            status: self.status,
            scheduled_time: Some(id::timestamp(self.scheduled)),
            notes: Some(format!("notes of {number}")),
            ..Default::default()
        }
    }
}

fn task_id(number: usize) -> lh::UserTaskRunId {
    lh::UserTaskRunId { wf_run_id: Some(run_id(number)), user_task_guid: "0-1".to_owned() }
}

#[derive(Clone, Debug)]
enum Step {
    /// A new task, after the clock moved by so many milliseconds.
    Create(Option<u8>, Option<u8>, u8, i64),
    /// Another status, user and group for one of the tasks.
    Change(usize, i32, Option<u8>, Option<u8>),
}

fn any_step() -> impl Strategy<Value = Step> {
    let name = || prop::option::of(0u8..3);
    let status = prop::sample::select(vec![0, 1, 3, 4]);
    prop_oneof![
        2 => (name(), name(), 0u8..2, -30i64..30)
            .prop_map(|(user, group, def, moved)| Step::Create(user, group, def, moved)),
        1 => (any::<usize>(), status, name(), name())
            .prop_map(|(which, status, user, group)| Step::Change(which, status, user, group)),
    ]
}

fn world(steps: Vec<Step>) -> (MemoryState, Vec<Task>) {
    let (mut state, mut tasks, mut now) = (MemoryState::default(), Vec::<Task>::new(), START);
    let place = Place { thread: 0, position: 1 };
    for step in steps {
        let context = context(now);
        let mut tx = Tx::new(&state, &context).expect("the default tenant is there");
        match step {
            Step::Create(user, group, def, moved) => {
                now += moved;
                let number = tasks.len();
                let task = Task { user, group, def, status: i32::from(user.is_some()), scheduled: now };
                let run = lh::WfRun {
                    id: Some(run_id(number)),
                    wf_spec_id: Some(lh::WfSpecId { name: "flow".to_owned(), ..Default::default() }),
                    status: lh::LhStatus::Running.into(),
                    start_time: Some(id::timestamp(now)),
                    ..Default::default()
                };
                let (run, _) = tx.create_wf_run(&run).expect("created");
                let mut record = tx.create_user_task_run(run, place, task.message(number), "flow").expect("created");
                let event = lh::UserTaskEvent { time: Some(id::timestamp(now)), event: None };
                tx.append_user_task_event(run, place, &mut record, event).unwrap();
                tx.put_user_task_run(run, place, &record).expect("put");
                tasks.push(task);
            }
            Step::Change(which, status, user, group) => {
                if tasks.is_empty() {
                    continue;
                }
                let number = which % tasks.len();
                let task = Task { user, group, status, ..tasks[number].clone() };
                let (run, place) = tx.read().task_ref(&task_id(number)).expect("read").expect("there");
                let mut record = tx.read().user_task_run(run, place).expect("read").expect("there");
                record.message = task.message(number);
                tx.put_user_task_run(run, place, &record).expect("put");
                // Its run ends with it.
                let (run, run_record) = tx.read().wf_run_by_id(&run_id(number)).expect("read").expect("there");
                let status = if status > 1 { lh::LhStatus::Completed } else { lh::LhStatus::Running };
                let message = lh::WfRun { status: status.into(), ..run_record.message };
                tx.put_wf_run(run, &WfRunRecord { message, ..run_record }).expect("put");
                tasks[number] = task;
            }
        }
        state.apply(&tx.finish().0);
    }
    (state, tasks)
}

#[derive(Clone, Debug)]
struct Wanted {
    statuses: Vec<i32>,
    user: Option<u8>,
    group: Option<u8>,
    def: Option<u8>,
}

impl Wanted {
    fn matches(&self, task: &Task) -> bool {
        (self.statuses.is_empty() || self.statuses.contains(&task.status))
            && self.user.is_none_or(|user| task.user == Some(user))
            && self.group.is_none_or(|group| task.group == Some(group))
            && self.def.is_none_or(|def| task.def == def)
    }

    fn filter(&self) -> ours::TaskFilter {
        ours::TaskFilter {
            statuses: self.statuses.clone(),
            user_id: self.user.map(|user| format!("user{user}")),
            user_group: self.group.map(|group| format!("group{group}")),
            user_task_def_name: self.def.map(|def| format!("def{def}")),
        }
    }
}

fn any_wanted() -> impl Strategy<Value = Wanted> {
    // One name more than is ever stored, and a status that there is not.
    let statuses = prop::collection::vec(prop::sample::select(vec![0, 1, 2, 3, 4, -1, 300]), 0..3);
    let name = || prop::option::of(0u8..4);
    (statuses, name(), name(), name()).prop_map(|(statuses, user, group, def)| Wanted { statuses, user, group, def })
}

fn numbers_of(tasks: &[Task], matches: impl Fn(&Task) -> bool) -> Vec<usize> {
    (0..tasks.len()).filter(|number| matches(&tasks[*number])).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Walking all pages of a search gives what a filter over the list gives, each once, oldest first.
    #[test]
    fn search_user_task_run_finds_what_a_filter_finds(
        steps in prop::collection::vec(any_step(), 0..40),
        wanted in any_wanted(), limit in 1i32..6,
        from in prop::option::of(-200i64..400), to in prop::option::of(-200i64..400),
    ) {
        let (state, tasks) = world(steps);
        prop_assert_eq!(check(&state), Ok(Vec::new()));
        let (from, to) = (from.map(|from| START + from), to.map(|to| START + to));
        let mut request = lh::SearchUserTaskRunRequest {
            status: wanted.statuses.first().copied(),
            user_id: wanted.filter().user_id,
            user_group: wanted.filter().user_group,
            user_task_def_name: wanted.filter().user_task_def_name,
            earliest_start: from.map(id::timestamp),
            latest_start: to.map(id::timestamp),
            limit: Some(limit),
            bookmark: None,
        };
        let wanted = Wanted { statuses: wanted.statuses.first().copied().into_iter().collect(), ..wanted };
        if wanted.statuses.is_empty() && wanted.user.is_none() && wanted.group.is_none() && wanted.def.is_none() {
            prop_assert!(search_user_task_run(&state, TENANT, request).is_err());
            return Ok(());
        }
        let mut found = Vec::new();
        loop {
            let page = search_user_task_run(&state, TENANT, request.clone()).expect("a page");
            prop_assert!(page.results.len() <= limit as usize);
            prop_assert!(page.bookmark.is_none() || !page.results.is_empty());
            found.extend(page.results);
            request.bookmark = page.bookmark;
            if request.bookmark.is_none() {
                break;
            }
        }
        let expected = numbers_of(&tasks, |task| {
            wanted.matches(task)
                && from.is_none_or(|from| task.scheduled >= from)
                && to.is_none_or(|to| task.scheduled <= to)
        });
        prop_assert_eq!(found, expected.into_iter().map(task_id).collect::<Vec<_>>());
    }

    /// The rows of the inbox: any of several filters, either end first; and the counts agree.
    #[test]
    fn list_tasks_finds_what_any_filter_finds(
        steps in prop::collection::vec(any_step(), 0..40),
        any_of in prop::collection::vec(any_wanted(), 0..4), limit in 1i32..6, newest_first: bool,
    ) {
        let (state, tasks) = world(steps);
        let filters: Vec<_> = any_of.iter().map(Wanted::filter).collect();
        let mut request = ours::ListTasksRequest { any_of: filters.clone(), newest_first, limit, bookmark: None };
        let mut found = Vec::new();
        loop {
            let page = list_tasks(&state, TENANT, request.clone()).expect("a page");
            found.extend(page.rows);
            request.bookmark = page.bookmark;
            if request.bookmark.is_none() {
                break;
            }
        }
        let mut expected =
            numbers_of(&tasks, |task| any_of.is_empty() || any_of.iter().any(|wanted| wanted.matches(task)));
        if newest_first {
            expected.reverse();
        }
        let expected: Vec<_> = expected.into_iter().map(|number| {
            let task = tasks[number].message(number);
            ours::TaskRow {
                id: task.id,
                user_task_def_id: task.user_task_def_id,
                status: task.status,
                user_id: task.user_id,
                user_group: task.user_group,
                notes: task.notes,
                scheduled_time: task.scheduled_time,
                wf_spec_name: "flow".to_owned(),
            }
        }).collect();
        prop_assert_eq!(found, expected);

        let counted = count_tasks(&state, TENANT, ours::CountTasksRequest { filters }).expect("counts").counts;
        let expected: Vec<u64> = any_of.iter()
            .map(|wanted| numbers_of(&tasks, |task| wanted.matches(task)).len() as u64)
            .collect();
        prop_assert_eq!(counted, if any_of.is_empty() { vec![tasks.len() as u64] } else { expected });
    }
}

fn three_tasks() -> MemoryState {
    let create = |user| Step::Create(Some(user), None, 0, 5);
    world(vec![create(0), create(0), create(1)]).0
}

#[test]
fn a_bookmark_serves_its_own_search_only() {
    let state = three_tasks();
    let request = lh::SearchUserTaskRunRequest { status: Some(1), limit: Some(1), ..Default::default() };
    let first = search_user_task_run(&state, TENANT, request.clone()).expect("a page");
    let bookmark = first.bookmark.expect("there is more");
    let same = lh::SearchUserTaskRunRequest { bookmark: Some(bookmark.clone()), limit: Some(2), ..request.clone() };
    let second = search_user_task_run(&state, TENANT, same).expect("a page of another size is fine");
    assert_eq!(second.results, [task_id(1), task_id(2)]);
    let invalid = Err(tonic::Code::InvalidArgument);
    let code = |request| search_user_task_run(&state, TENANT, request).map_err(|refusal| refusal.code);
    let with = |bookmark: &[u8]| lh::SearchUserTaskRunRequest { bookmark: Some(bookmark.to_vec()), ..request.clone() };
    assert_eq!(code(with(b"no bookmark")), invalid);
    assert_eq!(code(with(&bookmark[..bookmark.len() - 3])), invalid);
    let other = lh::SearchUserTaskRunRequest { user_id: Some("user0".to_owned()), ..with(&bookmark) };
    assert_eq!(code(other), invalid);
    assert_eq!(code(with(b"")).map(|page| page.results), Ok(first.results));
    let elsewhere = search_user_task_run(&state, "other", with(&bookmark)).map_err(|refusal| refusal.code);
    assert_eq!(elsewhere, invalid);
}

#[test]
fn limits_below_one_are_refused_and_large_ones_capped() {
    let state = three_tasks();
    let with = |limit| lh::SearchUserTaskRunRequest { status: Some(1), limit: Some(limit), ..Default::default() };
    for limit in [0, -1, i32::MIN] {
        let code = search_user_task_run(&state, TENANT, with(limit)).map_err(|refusal| refusal.code);
        assert_eq!(code, Err(tonic::Code::InvalidArgument));
    }
    let all = search_user_task_run(&state, TENANT, with(2_000_000_000)).expect("a page");
    assert_eq!((all.results.len(), all.bookmark), (3, None));
}

#[test]
fn tenants_do_not_see_each_other() {
    let state = three_tasks();
    let request = lh::SearchUserTaskRunRequest { status: Some(1), ..Default::default() };
    assert_eq!(search_user_task_run(&state, "other", request), Ok(Default::default()));
    assert!(get_user_task_run(&state, "other", task_id(0)).is_err());
    assert!(get_wf_run(&state, "other", run_id(0)).is_err());
    assert_eq!(tenant_exists(&state, "other"), Ok(false));
    assert_eq!(tenant_exists(&state, TENANT), Ok(true));
}

#[test]
fn a_task_is_assembled_from_its_events() {
    let state = three_tasks();
    let task = get_user_task_run(&state, TENANT, task_id(1)).expect("there");
    assert_eq!(task.events.len(), 1);
    let list = lh::ListUserTaskRunRequest { wf_run_id: Some(run_id(1)), ..Default::default() };
    assert_eq!(list_user_task_runs(&state, TENANT, list).expect("a list").results, [task]);
    for guid in ["", "0-2", "00-1", "0-01", "x"] {
        let id = lh::UserTaskRunId { user_task_guid: guid.to_owned(), ..task_id(1) };
        let refusal = get_user_task_run(&state, TENANT, id).expect_err("not there");
        assert_eq!(
            (refusal.code, refusal.message.as_str()),
            (tonic::Code::NotFound, "Requested object was not found.")
        );
    }
    let empty = list_user_task_runs(&state, TENANT, lh::ListUserTaskRunRequest::default());
    assert_eq!(empty, Ok(Default::default()));
}

#[test]
fn tasks_of_a_run_are_listed_in_the_text_order_of_their_guids() {
    let (mut state, _) = world(vec![Step::Create(Some(0), None, 0, 5)]);
    let context = context(START + 100);
    let mut tx = Tx::new(&state, &context).expect("the default tenant is there");
    let run = tx.read().run_ref(&run_id(0)).expect("read").expect("there");
    for place in [(0, 2), (0, 10), (1, 1), (10, 1)] {
        let place = Place { thread: place.0, position: place.1 };
        let id = lh::UserTaskRunId { user_task_guid: place.guid(), ..task_id(0) };
        let task = lh::UserTaskRun { id: Some(id), ..Default::default() };
        tx.create_user_task_run(run, place, task, "flow").expect("created");
    }
    let writes = tx.finish().0;
    state.apply(&writes);
    for limit in 1..7 {
        let mut request = lh::ListUserTaskRunRequest { wf_run_id: Some(run_id(0)), bookmark: None, limit: Some(limit) };
        let mut guids = Vec::new();
        loop {
            let page = list_user_task_runs(&state, TENANT, request.clone()).expect("a page");
            guids.extend(page.results.into_iter().filter_map(|task| task.id).map(|id| id.user_task_guid));
            request.bookmark = page.bookmark;
            if request.bookmark.is_none() {
                break;
            }
        }
        assert_eq!(guids, ["0-1", "0-10", "0-2", "1-1", "10-1"]);
    }
}

#[test]
fn the_check_tells_of_every_row_that_is_missing_changed_or_too_many() {
    // The clock steps back once, so that every fact of the store is needed.
    let steps = vec![
        Step::Create(Some(0), Some(1), 0, 5),
        Step::Create(None, Some(1), 1, -500),
        Step::Change(0, 3, Some(0), Some(1)),
    ];
    let (state, _) = world(steps);
    assert_eq!(check(&state), Ok(Vec::new()));
    for (table, key, value) in state.iter() {
        let told = |write: Option<Vec<u8>>| {
            let (mut changed, mut writes) = (state.clone(), WriteSet::default());
            match write {
                Some(value) => writes.put(table, key, value),
                None => writes.remove(table, key),
            }
            changed.apply(&writes);
            // A damaged number may also end the walk.
            check(&changed).map_or(true, |found| !found.is_empty())
        };
        assert!(told(None), "{table:?} {key:?} was removed");
        let mut other = value.to_vec();
        if let Some(last) = other.last_mut() {
            *last ^= 0x55;
            // A last number may be larger than needed.
            assert!(told(Some(other)) || table == Table::Meta, "{table:?} {key:?} was changed");
        }
    }
    for (table, key) in [
        (Table::Idx, state.iter().find(|row| row.0 == Table::Idx).map(|row| row.1.to_vec())),
        (Table::KeyIdx, Some(vec![2, 0, 0, 0, 1, b'x', b'/', 0, 0, 0, 0, 0, 0, 0, 0])),
        (Table::Count, Some(vec![0, 0, 0, 0, 9, 0])),
        (Table::Ids, Some(vec![0, 0, 0, 1, 16, b'x'])),
    ] {
        let mut key = key.expect("there are rows");
        if let Some(last) = key.last_mut() {
            *last ^= 1;
        }
        let (mut changed, mut writes) = (state.clone(), WriteSet::default());
        writes.put(table, key, 1u64.to_be_bytes());
        changed.apply(&writes);
        assert_ne!(check(&changed), Ok(Vec::new()), "one more row in {table:?}");
    }
}
