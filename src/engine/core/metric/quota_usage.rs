//! What quotas did, by minute.
//!
//! A request that a quota looks at need not become a command: refused ones never do. So whoever takes requests in
//! counts in memory, and hands the counts over here about once a minute.

use crate::api::{littlehorse as lh, store::v1 as store};
use crate::engine::core::key::unpair;
use crate::engine::core::metric::{WINDOW, prune, window_key};
use crate::engine::core::record::MetricWindowRecord;
use crate::engine::core::{Fault, Tx, id};
use lh::metric_window::Metric;
use lh::metric_window_id::Id;

/// Adds counts to their windows. Those of a quota that is gone are dropped.
pub fn count(tx: &mut Tx<'_>, request: &store::CountQuotaUsage) -> Result<(), Fault> {
    for usage in &request.usages {
        let (tenant, _) = unpair(usage.quota);
        let key = window_key(tenant, usage.quota, usage.minute);
        let stored: Option<MetricWindowRecord> = tx.read().object(key)?;
        let mut record = match stored {
            Some(record) => record,
            None => {
                let Some(quota) = tx.read().quota(usage.quota)? else { continue };
                prune(tx, tenant, usage.minute)?;
                let id = window_id(quota.message.id, usage.minute);
                MetricWindowRecord { message: lh::MetricWindow { id: Some(id), metric: None }, facts: () }
            }
        };
        let mut sum = match record.message.metric {
            Some(Metric::QuotaUsage(sum)) => sum,
            _ => lh::QuotaUsageMetrics::default(),
        };
        add(&mut sum, usage);
        record.message.metric = Some(Metric::QuotaUsage(sum));
        tx.store(key, &record)?;
    }
    Ok(())
}

/// The id of a window, or of the sum of those of all quotas.
pub fn window_id(quota: Option<lh::QuotaId>, minute: u32) -> lh::MetricWindowId {
    lh::MetricWindowId {
        id: quota.map(Id::QuotaId),
        tenant_id: None,
        window_start: Some(id::timestamp(i64::from(minute) * WINDOW)),
        metric_type: Some(lh::MetricWindowType::QuotaUsageMetric.into()),
    }
}

/// Adds one count to another.
pub fn add(sum: &mut lh::QuotaUsageMetrics, usage: &store::QuotaUsage) {
    sum.requests_observed = sum.requests_observed.saturating_add(usage.observed);
    sum.requests_throttled = sum.requests_throttled.saturating_add(usage.throttled);
    sum.total_throttle_time_ms = sum.total_throttle_time_ms.saturating_add(usage.throttle_ms);
}
