//! Windows of numbers.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use prost::Message;
use prost_types::Timestamp;

use crate::api::{littlehorse as lh, store::v1 as store};
use crate::engine::core::key::{self, KeyIndex, after_prefix, take_u64, unpair};
use crate::engine::core::metric::{KEPT, WINDOW, no_runs, no_tasks, quota_usage, sum};
use crate::engine::core::query::page::{self, Position, Query};
use crate::engine::core::query::{not_there, reader};
use crate::engine::core::{Order, Refusal, State, Table, id, quota};
use lh::MetricWindowType;
use lh::metric_window::Metric;
use lh::metric_window_id::Id;

/// ListWfMetrics.
pub fn list_wf_metrics(
    state: &dyn State,
    tenant: &str,
    request: lh::ListWfMetricsRequest,
) -> Result<lh::MetricsList, Refusal> {
    let lh::ListWfMetricsRequest { wf_spec, window_start, window_end } = request;
    list(state, tenant, Metric::Workflow(no_runs()), wf_spec.map(Id::WfSpecId), window_start, window_end)
}

/// ListTaskMetrics.
pub fn list_task_metrics(
    state: &dyn State,
    tenant: &str,
    request: lh::ListTaskMetricsRequest,
) -> Result<lh::MetricsList, Refusal> {
    let lh::ListTaskMetricsRequest { task_def, window_start, window_end } = request;
    list(state, tenant, Metric::Task(no_tasks()), task_def.map(Id::TaskDefId), window_start, window_end)
}

/// ListQuotaUsageMetrics: the windows of a quota, or the sums of those of the tenant; with what is counted and not stored
/// yet.
pub fn list_quota_usage_metrics(
    state: &dyn State,
    tenant: &str,
    request: lh::ListQuotaUsageMetricsRequest,
    pending: &[store::QuotaUsage],
) -> Result<lh::MetricsList, Refusal> {
    let lh::ListQuotaUsageMetricsRequest { quota_id, window_start, window_end } = request;
    let (from, to) = minutes(window_start.as_ref(), window_end.as_ref());
    // Quotas of every tenant are looked after from any.
    let owner = quota_id.as_ref().map(|quota| quota.tenant.clone().unwrap_or_default().id);
    let tenant = owner.as_deref().unwrap_or(tenant);
    let reader = reader(state, tenant)?;
    let mut usages: BTreeMap<u32, lh::QuotaUsageMetrics> = BTreeMap::new();
    let mut wanted = None;
    match &quota_id {
        Some(quota) => {
            wanted = quota::number(&reader, quota)?;
            if wanted.is_none() {
                return Ok(lh::MetricsList::default());
            }
            reader.metric_windows(&Id::QuotaId(quota.clone()), from, to, &mut |window| {
                if let Some(Metric::QuotaUsage(usage)) = window.metric {
                    usages.insert(minute_of(window.id.and_then(|id| id.window_start).as_ref()), usage);
                }
                if usages.len() < KEPT as usize { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })?;
        }
        None => reader.all_metric_windows(from, to, &mut |minute, window| {
            if let Some(Metric::QuotaUsage(usage)) = window.metric {
                let (observed, throttled) = (usage.requests_observed, usage.requests_throttled);
                let throttle_ms = usage.total_throttle_time_ms;
                let usage = store::QuotaUsage { observed, throttled, throttle_ms, ..Default::default() };
                quota_usage::add(usages.entry(minute).or_default(), &usage);
            }
        })?,
    }
    for usage in pending.iter().filter(|usage| (from..=to).contains(&usage.minute)) {
        let is_of_tenant = Some(unpair(usage.quota).0) == reader.tenant;
        if wanted.map_or(is_of_tenant, |wanted| wanted == usage.quota) {
            quota_usage::add(usages.entry(usage.minute).or_default(), usage);
        }
    }
    let window = |(minute, usage)| lh::MetricWindow {
        id: Some(quota_usage::window_id(quota_id.clone(), minute)),
        metric: Some(Metric::QuotaUsage(usage)),
    };
    Ok(lh::MetricsList { windows: usages.into_iter().map(window).map(|window| of_tenant(window, tenant)).collect() })
}

/// GetMetricWindow.
pub fn get_metric_window(
    state: &dyn State,
    tenant: &str,
    request: lh::MetricWindowId,
) -> Result<lh::MetricWindow, Refusal> {
    let (Some(of), Some(start)) = (&request.id, &request.window_start) else { return Err(not_there()) };
    let start = id::milliseconds(start);
    let Ok(minute) = u32::try_from(start.div_euclid(WINDOW)) else { return Err(not_there()) };
    let mut found = None;
    if start.rem_euclid(WINDOW) == 0 {
        reader(state, tenant)?.metric_windows(of, minute, minute, &mut |window| {
            found = Some(window);
            ControlFlow::Break(())
        })?;
    }
    found.map(|window| of_tenant(window, tenant)).ok_or_else(not_there)
}

/// SearchWfMetricWindow: ids, by version of the WfSpec and time; or the newest one alone.
pub fn search_wf_metric_window(
    state: &dyn State,
    tenant: &str,
    request: lh::SearchWfMetricWindowRequest,
) -> Result<lh::MetricWindowIdList, Refusal> {
    if request.wf_spec_name.is_empty() {
        return Err(Refusal::invalid("wfSpecName is required"));
    }
    let limit = page::limit_or_zero(request.limit)?;
    let filters = lh::SearchWfMetricWindowRequest { bookmark: None, limit: None, ..request.clone() };
    let query = Query::new("SearchWfMetricWindow", tenant, &filters.encode_to_vec());
    let after = match page::position(query, Order::Ascending, request.bookmark.as_deref())? {
        None => None,
        Some(Position::Object(version, minute)) => Some((version, minute)),
        Some(_) => return Err(page::foreign_bookmark()),
    };
    let (from, to) = minutes(request.earliest_start.as_ref(), request.latest_start.as_ref());
    let reader = reader(state, tenant)?;
    let mut versions = Vec::new();
    if let Some(number) = reader.tenant {
        let mut prefix = key::key_index_prefix(KeyIndex::WfSpecs, number);
        prefix.extend(format!("{}/", request.wf_spec_name).bytes());
        state.scan(Table::KeyIdx, &prefix, after_prefix(&prefix).as_deref(), Order::Ascending, &mut |row, _| {
            let version = row.get(prefix.len()..).and_then(take_u64);
            versions.extend(version.filter(|(_, rest)| rest.is_empty()).map(|(version, _)| version));
            ControlFlow::Continue(())
        })?;
    }
    let mut list = lh::MetricWindowIdList::default();
    let (mut last, mut newest) = (None, None);
    for version in versions {
        let from = match after {
            Some((done, _)) if version < done => continue,
            Some((done, minute)) if version == done => from.max(minute),
            _ => from,
        };
        let (major, revision) = unpair(version);
        let name = request.wf_spec_name.clone();
        let spec = lh::WfSpecId { name, major_version: major.cast_signed(), revision: revision.cast_signed() };
        reader.metric_windows(&Id::WfSpecId(spec), from, to, &mut |window| {
            let id = window.id.unwrap_or_default();
            let minute = minute_of(id.window_start.as_ref());
            let at = Some((version, minute));
            if at == after {
                return ControlFlow::Continue(());
            }
            if request.latest_only() {
                if newest.as_ref().is_none_or(|(newest, _)| *newest <= minute) {
                    newest = Some((minute, id));
                }
            } else if list.results.len() < limit {
                list.results.push(id);
                last = at;
            } else if let Some((version, minute)) = last {
                let position = Position::Object(version, minute);
                list.bookmark = Some(page::bookmark(query, Order::Ascending, &position));
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        if list.bookmark.is_some() {
            break;
        }
    }
    list.results.extend(newest.map(|(_, id)| id));
    Ok(list)
}

/// As it is shown; the ids that a search finds name no tenant.
fn of_tenant(mut window: lh::MetricWindow, tenant: &str) -> lh::MetricWindow {
    if let Some(id) = &mut window.id {
        id.tenant_id = Some(lh::TenantId { id: tenant.to_owned() });
    }
    window
}

/// The windows of one definition, or the sums of all: `none` is what a sum begins with.
fn list(
    state: &dyn State,
    tenant: &str,
    none: Metric,
    of: Option<Id>,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
) -> Result<lh::MetricsList, Refusal> {
    let mut windows = Vec::new();
    let (from, to) = minutes(start.as_ref(), end.as_ref());
    let Some(of) = of else {
        let mut sums: BTreeMap<u32, Metric> = BTreeMap::new();
        reader(state, tenant)?.all_metric_windows(from, to, &mut |minute, window| {
            if let Some(metric) = &window.metric {
                sum(sums.entry(minute).or_insert(none), metric);
            }
        })?;
        let kind = match none {
            Metric::Task(_) => MetricWindowType::TaskMetric,
            _ => MetricWindowType::WorkflowMetric,
        };
        let window = |(minute, metric)| lh::MetricWindow {
            id: Some(lh::MetricWindowId {
                window_start: Some(id::timestamp(i64::from(minute) * WINDOW)),
                metric_type: Some(kind.into()),
                ..Default::default()
            }),
            metric: Some(metric),
        };
        let sums = sums.into_iter().filter(|(_, metric)| *metric != none);
        return Ok(lh::MetricsList { windows: sums.map(window).map(|window| of_tenant(window, tenant)).collect() });
    };
    reader(state, tenant)?.metric_windows(&of, from, to, &mut |window| {
        windows.push(of_tenant(window, tenant));
        // A week of them has its minutes; what waits to be pruned beside them is of no use.
        if windows.len() < KEPT as usize { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(lh::MetricsList { windows })
}

/// The windows that begin at or after the one time and at or before the other.
fn minutes(earliest: Option<&Timestamp>, latest: Option<&Timestamp>) -> (u32, u32) {
    let clamp = |minute: i64| u32::try_from(minute.max(0)).unwrap_or(u32::MAX);
    let from = earliest.map_or(0, |time| clamp((id::milliseconds(time).saturating_add(WINDOW - 1)).div_euclid(WINDOW)));
    (from, latest.map_or(u32::MAX, |time| minute_of(Some(time))))
}

fn minute_of(time: Option<&Timestamp>) -> u32 {
    let minute = time.map(id::milliseconds).unwrap_or_default().div_euclid(WINDOW);
    u32::try_from(minute.max(0)).unwrap_or(u32::MAX)
}
