//! Metrics against a model, and their windows.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::api::store::v1 as store;
use crate::engine::core::testing::*;
use crate::engine::core::{check, query};
use lh::node::Node;

fn windows(bench: &Bench, flow: &str) -> Vec<lh::MetricWindow> {
    let request = lh::ListWfMetricsRequest {
        wf_spec: Some(lh::WfSpecId { name: flow.into(), ..Default::default() }),
        ..Default::default()
    };
    query::list_wf_metrics(&bench.state, "default", request).unwrap().windows
}

fn runs(window: &lh::MetricWindow) -> lh::WfMetrics {
    match &window.metric {
        Some(Metric::Workflow(runs)) => *runs,
        other => panic!("{other:?}"),
    }
}

fn start_of(window: &lh::MetricWindow) -> i64 {
    id::milliseconds(window.id.as_ref().unwrap().window_start.as_ref().unwrap())
}

#[derive(Clone, Debug)]
enum Step {
    Run,
    Complete(usize),
    Cancel(usize),
    Stop(usize),
    Resume(usize),
    Pass(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => Just(Step::Run),
        2 => (0usize..4).prop_map(Step::Complete),
        1 => (0usize..4).prop_map(Step::Cancel),
        2 => (0usize..4).prop_map(Step::Stop),
        2 => (0usize..4).prop_map(Step::Resume),
        2 => (0i64..90_000).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 1..30)
}

proptest! {
    /// Every change of a status is counted once, in the minute in which it happened, with the time it took.
    #[test]
    fn windows_hold_what_happened(steps in steps()) {
        let mut bench = Bench::default();
        bench.form("form", &[]);
        let task = Node::UserTask(user_task(Some(lit(s("ann"))), None));
        bench.flow("flow", &[("main", chain(&[("form", task)]))]).unwrap();
        let mut expected: BTreeMap<i64, lh::WfMetrics> = BTreeMap::new();
        let mut lives: Vec<(LhStatus, i64)> = Vec::new();
        for step in steps {
            let which = match step {
                Step::Pass(time) => {
                    bench.clock += time;
                    continue;
                }
                Step::Run => {
                    bench.run("flow", &format!("r{}", lives.len()), &[]).unwrap();
                    lives.push((LhStatus::Starting, bench.clock));
                    lives.len() - 1
                }
                Step::Complete(n) | Step::Cancel(n) | Step::Stop(n) | Step::Resume(n) => n,
            };
            let Some(life) = lives.get_mut(which) else { continue };
            let (run, task) = (format!("r{which}"), task_id(&format!("r{which}"), "0-1"));
            let wf_run_id = Some(run_id(&run));
            match step {
                Step::Complete(_) => drop(bench.complete(&task, "ann", &[])),
                Step::Cancel(_) => drop(bench.cancel(&task)),
                Step::Stop(_) => drop(bench.give(lh::StopWfRunRequest { wf_run_id, thread_run_number: 0 })),
                Step::Resume(_) => drop(bench.give(lh::ResumeWfRunRequest { wf_run_id, thread_run_number: 0 })),
                Step::Run | Step::Pass(_) => {}
            }
            let status = bench.wf_run(&run).unwrap().status();
            if status == life.0 {
                continue;
            }
            let window = expected.entry(bench.clock.div_euclid(WINDOW) * WINDOW).or_insert_with(no_runs);
            let mut latency = bench.clock - life.1;
            let mut before = life.0;
            if before == LhStatus::Halted {
                add(&mut window.halted_to_running, latency);
                (before, latency) = (LhStatus::Running, 0);
            }
            match (before, status) {
                (LhStatus::Starting, _) => add(&mut window.started, 0),
                (_, LhStatus::Completed) => add(&mut window.running_to_completed, latency),
                (_, LhStatus::Error) => add(&mut window.running_to_error, latency),
                (_, LhStatus::Halted) => add(&mut window.running_to_halted, latency),
                _ => {}
            }
            *life = (status, bench.clock);
        }
        let found: BTreeMap<i64, lh::WfMetrics> =
            windows(&bench, "flow").iter().map(|window| (start_of(window), runs(window))).collect();
        prop_assert_eq!(&found, &expected);
        let all = query::list_wf_metrics(&bench.state, "default", Default::default()).unwrap().windows;
        let all: BTreeMap<i64, lh::WfMetrics> = all.iter().map(|window| (start_of(window), runs(window))).collect();
        prop_assert_eq!(all, found, "there is but one workflow");
        prop_assert_eq!(check(&bench.state), Ok(Vec::new()));
    }
}

#[test]
fn windows_are_found_and_end_after_a_week() {
    let mut bench = Bench::default();
    bench.flow("flow", &[("main", chain(&[]))]).unwrap();
    for minute in 0..3 {
        bench.clock = minute * WINDOW;
        bench.run("flow", &format!("r{minute}"), &[]).unwrap();
    }
    let found = windows(&bench, "flow");
    assert_eq!(found.iter().map(start_of).collect::<Vec<_>>(), [0, WINDOW, 2 * WINDOW]);
    let get = |id: lh::MetricWindowId| query::get_metric_window(&bench.state, "default", id);
    let id = found[1].id.clone().unwrap();
    assert_eq!(id.tenant_id, Some(lh::TenantId { id: "default".into() }));
    assert_eq!(get(id.clone()), Ok(found[1].clone()));
    let odd = lh::MetricWindowId { window_start: Some(id::timestamp(WINDOW + 1)), ..id };
    assert_eq!(get(odd).map_err(|refusal| refusal.code), Err(tonic::Code::NotFound));
    let search = |request: lh::SearchWfMetricWindowRequest| {
        let name = lh::SearchWfMetricWindowRequest { wf_spec_name: "flow".into(), ..request };
        query::search_wf_metric_window(&bench.state, "default", name).unwrap()
    };
    let ids: Vec<_> =
        found.iter().map(|window| lh::MetricWindowId { tenant_id: None, ..window.id.clone().unwrap() }).collect();
    let (mut all, mut bookmark) = (Vec::new(), None);
    loop {
        let page = search(lh::SearchWfMetricWindowRequest { limit: Some(2), bookmark, ..Default::default() });
        all.extend(page.results);
        bookmark = page.bookmark;
        if bookmark.is_none() {
            break;
        }
    }
    assert_eq!(all, ids);
    let latest = lh::SearchWfMetricWindowRequest { latest_only: Some(true), ..Default::default() };
    assert_eq!(search(latest).results, ids[2..]);
    let (earliest_start, latest_start) = (Some(id::timestamp(1)), Some(id::timestamp(WINDOW)));
    let middle = lh::SearchWfMetricWindowRequest { earliest_start, latest_start, ..Default::default() };
    assert_eq!(search(middle).results, ids[1..2]);

    bench.clock = (i64::from(KEPT) + 2) * WINDOW;
    bench.run("flow", "late", &[]).unwrap();
    let left: Vec<_> = windows(&bench, "flow").iter().map(start_of).collect();
    assert_eq!(left, [2 * WINDOW, (i64::from(KEPT) + 2) * WINDOW]);
    assert_eq!(check(&bench.state), Ok(Vec::new()));
}

#[test]
fn tasks_are_counted_by_attempt_and_as_a_whole() {
    let mut bench = Bench::default();
    bench.must(lh::PutTaskDefRequest { name: "work".into(), ..Default::default() });
    let node = lh::TaskNode {
        task_to_execute: Some(lh::task_node::TaskToExecute::TaskDefId(lh::TaskDefId { name: "work".into() })),
        retries: 1,
        ..Default::default()
    };
    bench.flow("flow", &[("main", chain(&[("work", Node::Task(node))]))]).unwrap();
    bench.run("flow", "run", &[]).unwrap();
    for status in [TaskStatus::TaskFailed, TaskStatus::TaskSuccess] {
        let claim = store::ClaimTask { task_def_name: "work".into(), ..Default::default() };
        let claimed: lh::PollTaskResponse = bench.must(claim).try_into().unwrap();
        let task = claimed.result.unwrap();
        bench.must(lh::ReportTaskRun {
            task_run_id: task.task_run_id,
            attempt_number: task.attempt_number,
            status: status.into(),
            ..Default::default()
        });
    }
    let request =
        lh::ListTaskMetricsRequest { task_def: Some(lh::TaskDefId { name: "work".into() }), ..Default::default() };
    let windows = query::list_task_metrics(&bench.state, "default", request).unwrap().windows;
    let timing = |count, latency: i64| {
        let total_latency_ms = latency * i64::from(count);
        let (min_latency_ms, max_latency_ms) = (latency, latency);
        Some(lh::CountAndTiming { count, min_latency_ms, max_latency_ms, total_latency_ms })
    };
    // The clock of these tests moves by a second with every command.
    let expected = lh::TaskMetrics {
        taskrun_created_to_completed: timing(1, 4000),
        taskattempt_pending_to_scheduled: timing(2, 0),
        taskattempt_scheduled_to_running: timing(2, 1000),
        taskattempt_running_to_error: timing(1, 1000),
        taskattempt_running_to_success: timing(1, 1000),
        ..no_tasks()
    };
    assert_eq!(windows.into_iter().map(|window| window.metric).collect::<Vec<_>>(), [Some(Metric::Task(expected))]);
}

fn quota_usage(bench: &Bench, of: Option<lh::QuotaId>, from: i64, pending: &[store::QuotaUsage]) -> Vec<[i64; 4]> {
    let request = lh::ListQuotaUsageMetricsRequest {
        quota_id: of.clone(),
        window_start: Some(id::timestamp(from * WINDOW)),
        window_end: None,
    };
    let list = query::list_quota_usage_metrics(&bench.state, "default", request, pending).unwrap();
    let row = |window: lh::MetricWindow| {
        let window_id = window.id.clone().unwrap();
        assert_eq!(window_id.id, of.clone().map(Id::QuotaId));
        let Some(Metric::QuotaUsage(usage)) = window.metric else { panic!("{window:?}") };
        let (observed, throttled) = (usage.requests_observed.into(), usage.requests_throttled.into());
        [start_of(&window) / WINDOW, observed, throttled, usage.total_throttle_time_ms]
    };
    list.windows.into_iter().map(row).collect()
}

#[test]
fn what_quotas_did_is_kept_by_minute() {
    let mut bench = Bench::default();
    bench.must(lh::PutTenantRequest { id: "default".into(), ..Default::default() });
    let quota = |principal: Option<&str>| lh::QuotaId {
        tenant: Some(lh::TenantId { id: "default".into() }),
        principal: principal.map(|id| lh::PrincipalId { id: id.into() }),
    };
    let (whole, one) = (quota(None), quota(Some("anonymous")));
    let mut numbers = Vec::new();
    for of in [&whole, &one] {
        let lh::QuotaId { tenant, principal } = of.clone();
        bench.must(lh::PutQuotaRequest { tenant, principal, write_requests_per_second: 2 });
        let reader = Reader::new(&bench.state, "default").unwrap();
        numbers.push(quota::number(&reader, of).unwrap().unwrap());
    }
    let used = |quota: usize, minute, observed, throttled, throttle_ms| store::QuotaUsage {
        quota: numbers[quota],
        minute,
        observed,
        throttled,
        throttle_ms,
    };
    let count = |bench: &mut Bench, usages: &[store::QuotaUsage]| {
        bench.must(store::CountQuotaUsage { usages: usages.to_vec() });
    };
    count(&mut bench, &[used(0, 7, 5, 2, 900), used(1, 7, 3, 0, 0), used(0, 8, 1, 0, 0)]);
    count(&mut bench, &[used(0, 8, 4, 1, 500), store::QuotaUsage { quota: 1 << 40, ..used(0, 8, 1, 1, 1) }]);
    assert_eq!(quota_usage(&bench, Some(whole.clone()), 0, &[]), [[7, 5, 2, 900], [8, 5, 1, 500]]);
    let pending = [used(0, 8, 1, 0, 0), used(0, 9, 2, 0, 0), used(1, 9, 7, 0, 0)];
    assert_eq!(quota_usage(&bench, Some(whole.clone()), 8, &pending), [[8, 6, 1, 500], [9, 2, 0, 0]]);
    assert_eq!(quota_usage(&bench, Some(one.clone()), 8, &pending), [[9, 7, 0, 0]]);
    assert_eq!(quota_usage(&bench, None, 0, &pending), [[7, 8, 2, 900], [8, 6, 1, 500], [9, 9, 0, 0]]);
    assert_eq!(quota_usage(&bench, Some(quota(Some("nobody"))), 0, &pending), Vec::<[i64; 4]>::new());
    let window = lh::MetricWindowId {
        id: Some(Id::QuotaId(one.clone())),
        window_start: Some(id::timestamp(7 * WINDOW)),
        ..Default::default()
    };
    let window = query::get_metric_window(&bench.state, "default", window).unwrap();
    assert_eq!(
        window.metric,
        Some(Metric::QuotaUsage(lh::QuotaUsageMetrics { requests_observed: 3, ..Default::default() }))
    );
    // Other lists do not mind them, and they go when they are old.
    let tasks = query::list_task_metrics(&bench.state, "default", lh::ListTaskMetricsRequest::default()).unwrap();
    assert_eq!(tasks.windows, []);
    count(&mut bench, &[used(0, KEPT + 8, 1, 0, 0)]);
    assert_eq!(quota_usage(&bench, None, 0, &[])[0][0], 8);
    assert_eq!(check(&bench.state), Ok(Vec::new()));
}
