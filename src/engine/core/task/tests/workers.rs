//! Heartbeats, checkpoints, and what can be asked about TaskRuns.

use super::*;
use crate::engine::core::key::{Kind, ObjKey, Word};
use crate::engine::core::{Actor, Context, Tx};
use lh::node::Node;
use lh::put_checkpoint_response::FlowControlContinue as Flow;

fn beat(works: &mut Works, worker: &str) -> Result<lh::RegisterTaskWorkerResponse, Refusal> {
    let request = store::RegisterTaskWorker {
        task_worker_id: worker.into(),
        task_def_name: "td".into(),
        host: "127.0.0.1".into(),
        port: 2023,
    };
    works.0.give(request)?.try_into()
}

fn alive(works: &Works) -> Result<Vec<String>, tonic::Code> {
    let group = query::get_task_worker_group(&works.0.state, "default", lh::TaskDefId { name: "td".into() });
    works.checked();
    group.map(|group| group.task_workers.into_keys().collect()).map_err(|refusal| refusal.code)
}

#[test]
fn a_worker_lives_for_90_seconds_after_its_last_heartbeat() {
    let mut works = Works(Bench::default());
    assert_eq!(alive(&works), Err(tonic::Code::NotFound));
    let answer = beat(&mut works, "a").unwrap();
    assert_eq!(answer.your_hosts, [lh::LhHostInfo { host: "127.0.0.1".into(), port: 2023 }]);
    assert_eq!(answer.is_cluster_healthy, None);
    works.0.pass(50_000);
    beat(&mut works, "b").unwrap();
    assert_eq!(alive(&works), Ok(vec!["a".into(), "b".into()]));
    works.0.pass(38_999);
    assert_eq!(alive(&works), Ok(vec!["a".into(), "b".into()]));
    works.0.pass(1);
    assert_eq!(alive(&works), Ok(vec!["b".into()]));
    beat(&mut works, "b").unwrap();
    works.0.pass(89_999);
    assert_eq!(alive(&works), Ok(vec!["b".into()]));
    works.0.pass(1);
    assert_eq!((alive(&works), works.0.timers()), (Err(tonic::Code::NotFound), 0), "nobody is left");
}

/// Brings the workers of `td` to so many, all as alive as the first.
fn crowd(works: &mut Works, number: usize) {
    let context =
        Context { tenant: "default".into(), actor: Actor::default(), at: works.0.clock, now: works.0.clock, seed: 0 };
    let mut tx = Tx::new(&works.0.state, &context).unwrap();
    let mut group = tx.read().task_worker_group("td").unwrap().unwrap();
    let first = group.message.task_workers.values().next().cloned().unwrap();
    group.message.task_workers = (0..number).map(|worker| (worker.to_string(), first.clone())).collect();
    let name = tx.intern(Word::Name, "td").unwrap();
    tx.store(ObjKey::new(u64::from(tx.tenant()), Kind::TaskWorkerGroup, u64::from(name), 0), &group).unwrap();
    works.0.state.apply(&tx.finish().0);
}

#[test]
fn a_task_def_takes_its_workers_with_it_and_has_no_endless_number_of_them() {
    let mut works = Works(Bench::default());
    works.def("td", &[], None);
    beat(&mut works, "a").unwrap();
    works.0.must(lh::DeleteTaskDefRequest { id: Some(lh::TaskDefId { name: "td".into() }) });
    assert_eq!((alive(&works), works.0.timers()), (Err(tonic::Code::NotFound), 0));
    beat(&mut works, "0").unwrap();
    crowd(&mut works, 1000);
    assert_eq!(beat(&mut works, "more").map_err(|refusal| refusal.code), Err(tonic::Code::ResourceExhausted));
    beat(&mut works, "7").unwrap();
}

#[test]
fn a_checkpoint_gives_its_attempt_the_whole_time_again() {
    let node = lh::TaskNode { timeout_seconds: 10, retries: 1, ..task("td") };
    let mut works = Works::with(&[], None, node);
    works.run("run");
    let put = |works: &mut Works, attempt: i32| -> lh::PutCheckpointResponse {
        let request = lh::PutCheckpointRequest {
            task_run_id: Some(id_of("run", "0-1")),
            task_attempt: attempt,
            value: Some(message(i(5))),
            logs: Some("log".into()),
        };
        let response = works.0.must(request).try_into().unwrap();
        works.checked();
        response
    };
    let get = |works: &Works, number| {
        let id = lh::CheckpointId { task_run: Some(id_of("run", "0-1")), checkpoint_number: number };
        query::get_checkpoint(&works.0.state, "default", id)
    };
    let stop =
        lh::PutCheckpointResponse { flow_control_continue_type: Flow::StopTask.into(), created_checkpoint: None };
    assert_eq!(put(&mut works, 0), stop, "nobody works on it");
    works.poll("td").unwrap();
    works.0.pass(8_000);
    let first = put(&mut works, 0);
    assert_eq!(first.flow_control_continue_type(), Flow::ContinueTask);
    assert_eq!(get(&works, 0).ok(), first.created_checkpoint);
    assert_eq!(first.created_checkpoint.unwrap().id.unwrap().checkpoint_number, 0);
    works.0.pass(9_999);
    assert_eq!(works.statuses("run"), [S::TaskRunning]);
    works.0.clock -= 1000;
    assert_eq!(put(&mut works, 0).created_checkpoint.unwrap().id.unwrap().checkpoint_number, 1);
    assert_eq!((put(&mut works, 1), put(&mut works, -1)), (stop.clone(), stop.clone()), "another attempt");
    works.0.pass(10_000);
    assert_eq!(works.statuses("run"), [S::TaskTimeout, S::TaskScheduled]);
    assert_eq!(put(&mut works, 0), stop, "out of time");
    assert_eq!(works.poll("td").unwrap().total_observed_checkpoints, 2);
    assert_eq!(works.task("run").total_checkpoints, 2);
    assert_eq!(get(&works, 2).map_err(|refusal| refusal.code), Err(tonic::Code::NotFound));
    let absent = lh::PutCheckpointRequest { task_run_id: Some(id_of("run", "0-2")), ..Default::default() };
    assert_eq!(works.0.give(absent), Err(Refusal::invalid("Could not find specified TaskRun")));
}

#[test]
fn task_runs_are_found_by_definition_status_and_time() {
    let mut works = Works::with(&[], None, task("td"));
    for run in ["r0", "r1", "r2"] {
        works.run(run);
    }
    let last = works.task("r2").scheduled_at;
    works.poll("td").unwrap();
    works.poll("td").unwrap();
    works.report("r1", 0, S::TaskSuccess, None);
    let search = |request: lh::SearchTaskRunRequest| {
        let found = query::search_task_run(&works.0.state, "default", request).unwrap();
        let runs = found.results.into_iter().map(|id| id.wf_run_id.unwrap().id).collect::<Vec<_>>();
        (runs, found.bookmark)
    };
    let of = |status: Option<S>| lh::SearchTaskRunRequest {
        task_def_name: "td".into(),
        status: status.map(i32::from),
        ..Default::default()
    };
    let all = ["r0", "r1", "r2"];
    for (request, expected) in [
        (of(None), &all[..]),
        (of(Some(S::TaskRunning)), &all[..1]),
        (of(Some(S::TaskSuccess)), &all[1..2]),
        (of(Some(S::TaskScheduled)), &all[2..]),
        (of(Some(S::TaskFailed)), &[]),
        (lh::SearchTaskRunRequest { earliest_start: last, ..of(None) }, &all[2..]),
        (lh::SearchTaskRunRequest { latest_start: last, ..of(None) }, &all[..]),
        (lh::SearchTaskRunRequest { latest_start: Some(id::timestamp(0)), ..of(None) }, &[]),
        (lh::SearchTaskRunRequest::default(), &[]),
        (lh::SearchTaskRunRequest { task_def_name: "other".into(), ..of(None) }, &[]),
    ] {
        assert_eq!(search(request.clone()).0, expected, "{request:?}");
    }
    let (first, bookmark) = search(lh::SearchTaskRunRequest { limit: Some(2), ..of(None) });
    assert_eq!(first, all[..2]);
    let (second, bookmark) = search(lh::SearchTaskRunRequest { limit: Some(2), bookmark, ..of(None) });
    assert_eq!((second.as_slice(), bookmark), (["r2".to_owned()].as_slice(), None));

    let count = |name: &str, status: i32| {
        query::count_task_run(&works.0.state, "default", lh::CountTaskRunRequest { task_def_name: name.into(), status })
    };
    assert_eq!(count("td", 0), Ok(lh::Count { value: 1 }));
    assert_eq!(count("other", 0), Ok(lh::Count { value: 0 }));
    assert_eq!(count("", 0), Err(Refusal::invalid("taskDefName is required")));
    for status in [S::TaskRunning.into(), 99] {
        let text = "Only TASK_SCHEDULED status is currently supported for counting TaskRuns";
        assert_eq!(count("td", status), Err(Refusal::invalid(text)));
    }
}

#[test]
fn workflows_are_found_by_the_tasks_they_use() {
    let mut works = Works::with(&[], None, task("td"));
    works.def("other", &[], None);
    works.flow("more", task("td"));
    works.flow("others", task("other"));
    let search = |works: &Works, name: &str| {
        let wf_spec_criteria = Some(lh::search_wf_spec_request::WfSpecCriteria::TaskDefName(name.into()));
        let request = lh::SearchWfSpecRequest { wf_spec_criteria, ..Default::default() };
        let found = query::search_wf_spec(&works.0.state, "default", request).unwrap();
        works.checked();
        found.results.into_iter().map(|id| id.name).collect::<Vec<_>>()
    };
    assert_eq!(search(&works, "td"), ["flow", "more"]);
    assert_eq!(search(&works, "other"), ["others"]);
    assert_eq!(search(&works, "t"), Vec::<String>::new());
    let id = Some(lh::WfSpecId { name: "flow".into(), ..Default::default() });
    works.0.must(lh::DeleteWfSpecRequest { id });
    assert_eq!(search(&works, "td"), ["more"]);
}

#[test]
fn nodes_are_counted_by_version_and_found_by_the_event_they_wait_for() {
    let mut bench = Bench::default();
    bench.must(lh::PutExternalEventDefRequest { name: "ev".into(), ..Default::default() });
    let event = |text: &str| lh::ExternalEventDefId { name: text.into() };
    let wait = || lh::ExternalEventNode { external_event_def_id: Some(event("ev")), ..Default::default() };
    let flow = |nodes: usize| {
        let names = ["a", "b"];
        chain(&names[..nodes].iter().map(|name| (*name, Node::ExternalEvent(wait()))).collect::<Vec<_>>())
    };
    bench.flow("flow", &[("main", flow(1))]).unwrap();
    bench.flow("flow", &[("main", flow(2))]).unwrap();
    bench.flow("flow-2", &[("main", flow(1))]).unwrap();
    let given = |bench: &mut Bench, run: &str| {
        let wf_run_id = Some(run_id(run));
        let external_event_def_id = Some(event("ev"));
        bench.must(lh::PutExternalEventRequest { wf_run_id, external_event_def_id, ..Default::default() });
    };
    for run in ["r0", "r1"] {
        bench.run("flow", run, &[]).unwrap();
    }
    let reached = bench.node_run("r1", 0, 1).arrival_time;
    bench.run("flow-2", "r2", &[]).unwrap();
    given(&mut bench, "r0");
    given(&mut bench, "r2");
    assert_eq!(check(&bench.state), Ok(Vec::new()));

    let count = |name: Option<&str>, major: Option<i32>, revision: Option<i32>| {
        let filter = name.map(|name| {
            lh::count_node_run_request::Filter::WfSpecFilter(lh::count_node_run_request::WfSpecFilter {
                wf_spec_name: name.into(),
                wf_spec_major_version: major,
                wf_spec_revision: revision,
            })
        });
        query::count_node_run(&bench.state, "default", lh::CountNodeRunRequest { filter }).map(|count| count.value)
    };
    for (name, major, revision, expected) in [
        (None, None, None, 8),
        (Some("flow"), None, None, 5),
        (Some("flow"), Some(0), None, 5),
        (Some("flow"), Some(0), Some(1), 5),
        (Some("flow"), Some(0), Some(0), 0),
        (Some("flow"), Some(1), None, 0),
        (Some("flow-2"), None, None, 3),
        (Some("flo"), None, None, 0),
        (Some(""), None, None, 0),
    ] {
        assert_eq!(count(name, major, revision), Ok(expected), "{name:?} {major:?} {revision:?}");
    }
    let refusal = Refusal::invalid("wfSpecRevision requires wfSpecMajorVersion to be set");
    assert_eq!(count(Some("flow"), None, Some(0)), Err(refusal));

    let search = |request: lh::SearchNodeRunRequest| {
        let found = query::search_node_run(&bench.state, "default", request).unwrap();
        let places = found.results.into_iter().map(|id| (id.wf_run_id.unwrap().id, id.position)).collect::<Vec<_>>();
        (places, found.bookmark)
    };
    let of = |name: &str, status: LhStatus| lh::SearchNodeRunRequest {
        external_event_def: Some(event(name)),
        status: status.into(),
        ..Default::default()
    };
    let at = |run: &str, position: i32| (run.to_owned(), position);
    let running = || of("ev", LhStatus::Running);
    for (request, expected) in [
        (running(), vec![at("r0", 2), at("r1", 1)]),
        (of("ev", LhStatus::Completed), vec![at("r0", 1), at("r2", 1)]),
        (of("ev", LhStatus::Error), vec![]),
        (of("other", LhStatus::Running), vec![]),
        (lh::SearchNodeRunRequest::default(), vec![]),
        (lh::SearchNodeRunRequest { latest_start: reached, ..running() }, vec![at("r1", 1)]),
    ] {
        assert_eq!(search(request.clone()).0, expected, "{request:?}");
    }
    let (first, bookmark) = search(lh::SearchNodeRunRequest { limit: Some(1), ..running() });
    let (second, end) = search(lh::SearchNodeRunRequest { limit: Some(1), bookmark, ..running() });
    assert_eq!((first, second, end), (vec![at("r0", 2)], vec![at("r1", 1)], None));
}
