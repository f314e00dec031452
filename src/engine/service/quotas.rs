//! Counting changes against quotas.
//!
//! A quota of so many a second is kept in windows of half a second. What comes beyond is refused with the time after
//! which it would fit, each a little later than the one before, so that those who wait do not all come back at once.
//! The count is in memory: a host that starts begins anew.
//!
//! How each quota was used is counted by minute and written down when the minute is over, and when the host stops; a
//! host that dies loses the last minute. So does a restore: what was counted is of quotas of the store before it, and
//! another quota may have the number of one of those now.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prost::Message;
use tokio::sync::{Mutex as WaitingMutex, MutexGuard as WaitingGuard, Notify};
use tonic::{Code, Status};

use super::{Services, now_ms};
use crate::api::store::v1 as store;
use crate::engine::core::command::{Actor, Channel, Command, Context, Proof};
use crate::engine::core::metric;
use crate::engine::core::quota::Limit;

/// Milliseconds of a window.
const WINDOW: i64 = 500;

/// What was counted.
#[derive(Debug, Default)]
pub(super) struct Quotas {
    counted: Mutex<Counted>,
    /// There is something to write down.
    used: Notify,
    /// Held while something is written down.
    writing: WaitingMutex<()>,
}

#[derive(Debug, Default)]
struct Counted {
    /// How often the store was restored before any of this was counted.
    restores: u64,
    /// By quota.
    windows: BTreeMap<u64, Window>,
    /// By tenant, minute and quota: what is not written down yet.
    usages: BTreeMap<(String, u32, u64), store::QuotaUsage>,
}

/// One window of one quota.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    number: i64,
    admitted: u32,
    refused: u32,
}

impl Quotas {
    /// Counts one change of a tenant, or refuses it where one of the limits has no room. The limits are of the store
    /// as it was after so many restores.
    pub fn admit(&self, restores: u64, tenant: &str, limits: &[Limit], now: i64) -> Result<(), Status> {
        if limits.is_empty() {
            return Ok(());
        }
        let mut counted = self.counted(restores);
        if counted.restores > restores {
            // They are no more.
            return Ok(());
        }
        let Counted { windows, usages, .. } = &mut *counted;
        let number = now.div_euclid(WINDOW);
        let minute = u32::try_from(now.div_euclid(metric::WINDOW)).unwrap_or_default();
        windows.retain(|_, window| window.number == number);
        let mut wait = None;
        for limit in limits {
            let new = || store::QuotaUsage { quota: limit.quota, minute, ..Default::default() };
            let usage = usages.entry((tenant.to_owned(), minute, limit.quota)).or_insert_with(new);
            usage.observed = usage.observed.saturating_add(1);
            let window = windows.entry(limit.quota).or_insert(Window { number, ..Window::default() });
            if window.admitted >= room(limit.per_second, number) {
                window.refused = window.refused.saturating_add(1);
                let turn = i64::from(window.refused) * 1000 / i64::from(limit.per_second.max(1));
                usage.throttled = usage.throttled.saturating_add(1);
                usage.throttle_ms = usage.throttle_ms.saturating_add(WINDOW + turn);
                wait = wait.max(Some(WINDOW + turn));
            }
        }
        self.used.notify_one();
        if let Some(wait) = wait {
            return Err(refused(wait));
        }
        for limit in limits {
            if let Some(window) = windows.get_mut(&limit.quota) {
                window.admitted += 1;
            }
        }
        Ok(())
    }

    /// What is counted and not written down yet.
    pub fn pending(&self, restores: u64) -> Vec<store::QuotaUsage> {
        self.counted(restores).usages.values().copied().collect()
    }

    /// Nothing that was counted is being written down as long as this is held.
    pub async fn writing(&self) -> WaitingGuard<'_, ()> {
        self.writing.lock().await
    }

    /// Takes what was counted before this minute, by tenant.
    fn take(&self, restores: u64, before: u32) -> BTreeMap<String, Vec<store::QuotaUsage>> {
        let mut taken: BTreeMap<String, Vec<store::QuotaUsage>> = BTreeMap::new();
        self.counted(restores).usages.retain(|(tenant, minute, _), usage| {
            let stays = *minute >= before;
            if !stays {
                taken.entry(tenant.clone()).or_default().push(*usage);
            }
            stays
        });
        taken
    }

    /// What was counted since so many restores, or more.
    fn counted(&self, restores: u64) -> MutexGuard<'_, Counted> {
        // A panic elsewhere leaves counters that are still good enough.
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.restores < restores {
            *counted = Counted { restores, ..Counted::default() };
        }
        counted
    }
}

impl Services {
    /// Writes down how quotas were used, whenever a minute is over, until the engine stops. Sleeps while nobody is
    /// counted.
    pub async fn keep_quota_usage(self) {
        let mut closing = self.closing.clone();
        let work = async {
            loop {
                self.quotas.used.notified().await;
                while !self.quotas.pending(self.engine.restores()).is_empty() {
                    let rest = metric::WINDOW - now_ms().rem_euclid(metric::WINDOW);
                    tokio::time::sleep(Duration::from_millis(rest.unsigned_abs())).await;
                    let minute = now_ms().div_euclid(metric::WINDOW);
                    self.write_quota_usage(u32::try_from(minute).unwrap_or(u32::MAX)).await;
                }
            }
        };
        tokio::select! {
            () = work => {}
            // An error means that the host is gone, which asks for the same.
            _ = closing.wait_for(|closing| *closing) => {}
        }
    }

    /// Writes down what was counted when the engine stops: nobody is counted any more.
    pub async fn finish_quota_usage(&self) {
        self.write_quota_usage(u32::MAX).await;
    }

    async fn write_quota_usage(&self, before: u32) {
        let _no_restore = self.quotas.writing().await;
        for (tenant, usages) in self.quotas.take(self.engine.restores(), before) {
            let actor = Actor { name: String::new(), proof: Proof::Engine, channel: Channel::InProcess };
            let (at, seed) = (now_ms(), uuid::Uuid::new_v4().as_u128());
            let context = Context { tenant, actor, at, now: at, seed };
            let request = store::CountQuotaUsage { usages }.into();
            if let Err(refusal) = self.engine.command(Command { context, request }).await {
                tracing::warn!("how quotas were used in the last minute is lost: {refusal}");
            }
        }
    }
}

/// How many changes a window takes: of an odd number a second, every other window takes one more.
fn room(per_second: u32, number: i64) -> u32 {
    if number % 2 == 0 { per_second / 2 } else { per_second.div_ceil(2) }
}

fn refused(milliseconds: i64) -> Status {
    let message = format!("Quota exceeded. Retry after {milliseconds}ms.");
    let delay = prost_types::Duration {
        seconds: milliseconds / 1000,
        nanos: i32::try_from(milliseconds % 1000 * 1_000_000).unwrap_or_default(),
    };
    let info = prost_types::Any {
        type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(),
        value: RetryInfo { retry_delay: Some(delay) }.encode_to_vec(),
    };
    let code = Code::ResourceExhausted;
    let details = RpcStatus { code: code as i32, message: message.clone(), details: vec![info] };
    Status::with_details(code, message, details.encode_to_vec().into())
}

/// `google.rpc.Status`, the content of `grpc-status-details-bin`.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<prost_types::Any>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<prost_types::Duration>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn limit(quota: u64, per_second: u32) -> Limit {
        Limit { quota, per_second }
    }

    #[test]
    fn a_refusal_says_when_to_come_back() {
        let quotas = Quotas::default();
        let limits = [limit(1, 6), limit(2, 4)];
        let said = |now| quotas.admit(0, "default", &limits, now).map_err(|status| status.message().to_owned());
        let later = |ms: u32| Err(format!("Quota exceeded. Retry after {ms}ms."));
        assert_eq!([said(1000), said(1000)], [Ok(()), Ok(())]);
        assert_eq!([said(1001), said(1002), said(1499)], [later(750), later(1000), later(1250)]);
        assert_eq!([said(1500), said(1999)], [Ok(()), Ok(())]);
        assert_eq!(said(1999), later(750));
        // What LittleHorse 1.2.1 sent for the same.
        let status = refused(750);
        assert_eq!(
            status.details(),
            b"\x08\x08\x12\"Quota exceeded. Retry after 750ms.\x1a4\n(type.googleapis.com/google.rpc.RetryInfo\x12\x08\n\x06\x10\x80\xaf\xd0\xe5\x02"
        );
    }

    #[test]
    fn usage_is_counted_by_minute_and_taken_when_that_is_over() {
        let quotas = Quotas::default();
        let usage = |quota, minute, observed, throttled, throttle_ms| store::QuotaUsage {
            quota,
            minute,
            observed,
            throttled,
            throttle_ms,
        };
        for now in [1000, 1001, 1002, 60_000] {
            let _ = quotas.admit(0, "default", &[limit(1, 2), limit(2, 8)], now);
        }
        let _ = quotas.admit(0, "acme", &[limit(3, 2)], 61_000);
        let minutes =
            [usage(1, 0, 3, 2, 1000 + 1500), usage(2, 0, 3, 0, 0), usage(1, 1, 1, 0, 0), usage(2, 1, 1, 0, 0)];
        assert_eq!(quotas.pending(0), [&[usage(3, 1, 1, 0, 0)], &minutes[..]].concat());
        assert_eq!(quotas.take(0, 1), [("default".to_owned(), minutes[..2].to_vec())].into());
        assert_eq!(quotas.pending(0), [&[usage(3, 1, 1, 0, 0)], &minutes[2..]].concat());
        assert_eq!(quotas.take(0, u32::MAX).len(), 2);
        assert!(quotas.pending(0).is_empty());
    }

    #[test]
    fn what_was_counted_before_a_restore_is_forgotten_by_it() {
        let quotas = Quotas::default();
        assert!(quotas.admit(0, "default", &[limit(1, 2)], 0).is_ok());
        assert!(quotas.admit(0, "default", &[limit(1, 2)], 0).is_err());
        assert_eq!(quotas.pending(0).len(), 1);
        assert_eq!((quotas.pending(1), quotas.take(1, u32::MAX).len()), (vec![], 0));
        // One that looked at its limits before, and was slow.
        assert!(quotas.admit(0, "default", &[limit(1, 2)], 0).is_ok());
        assert_eq!(quotas.pending(1), []);
        // The windows are those of the restored store as well.
        assert!(quotas.admit(1, "default", &[limit(1, 2)], 0).is_ok());
        assert_eq!(quotas.pending(1).len(), 1);
    }

    #[test]
    fn a_refused_change_counts_against_no_other_quota() {
        let quotas = Quotas::default();
        assert!(quotas.admit(0, "default", &[limit(1, 4), limit(2, 2)], 0).is_ok());
        assert!(quotas.admit(0, "default", &[limit(1, 4), limit(2, 2)], 0).is_err());
        assert!(quotas.admit(0, "default", &[limit(1, 4)], 0).is_ok());
        assert!(quotas.admit(0, "default", &[limit(1, 4)], 0).is_err());
    }

    proptest! {
        #[test]
        fn no_second_takes_more_than_the_quota(per_second in 1u32..20, times in prop::collection::vec(0i64..3000, 0..200)) {
            let mut times = times;
            times.sort_unstable();
            let quotas = Quotas::default();
            let mut admitted = [0; 3];
            for time in times {
                if quotas.admit(0, "default", &[limit(1, per_second)], time).is_ok() {
                    admitted[usize::try_from(time / 1000).unwrap()] += 1;
                }
            }
            prop_assert!(admitted.iter().all(|admitted| *admitted <= per_second), "{:?}", admitted);
        }
    }
}
