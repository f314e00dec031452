//! Counting changes against quotas.
//!
//! A quota of so many a second is kept in windows of half a second. What comes beyond is refused with the time after
//! which it would fit, each a little later than the one before, so that those who wait do not all come back at once.
//! The count is in memory: a host that starts begins anew.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use prost::Message;
use tonic::{Code, Status};

use crate::engine::core::quota::Limit;

/// Milliseconds of a window.
const WINDOW: i64 = 500;

/// What was counted, by quota.
#[derive(Debug, Default)]
pub(super) struct Quotas {
    counted: Mutex<BTreeMap<u64, Window>>,
}

/// One window of one quota.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    number: i64,
    admitted: u32,
    refused: u32,
}

impl Quotas {
    /// Counts one change, or refuses it where one of the limits has no room.
    pub fn admit(&self, limits: &[Limit], now: i64) -> Result<(), Status> {
        if limits.is_empty() {
            return Ok(());
        }
        // A panic elsewhere leaves counters that are still good enough.
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let number = now.div_euclid(WINDOW);
        counted.retain(|_, window| window.number == number);
        let mut wait = None;
        for limit in limits {
            let window = counted.entry(limit.quota).or_insert(Window { number, ..Window::default() });
            if window.admitted >= room(limit.per_second, number) {
                window.refused = window.refused.saturating_add(1);
                let turn = i64::from(window.refused) * 1000 / i64::from(limit.per_second.max(1));
                wait = wait.max(Some(WINDOW + turn));
            }
        }
        if let Some(wait) = wait {
            return Err(refused(wait));
        }
        for limit in limits {
            if let Some(window) = counted.get_mut(&limit.quota) {
                window.admitted += 1;
            }
        }
        Ok(())
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
        let said = |now| quotas.admit(&limits, now).map_err(|status| status.message().to_owned());
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
    fn a_refused_change_counts_against_no_other_quota() {
        let quotas = Quotas::default();
        assert!(quotas.admit(&[limit(1, 4), limit(2, 2)], 0).is_ok());
        assert!(quotas.admit(&[limit(1, 4), limit(2, 2)], 0).is_err());
        assert!(quotas.admit(&[limit(1, 4)], 0).is_ok());
        assert!(quotas.admit(&[limit(1, 4)], 0).is_err());
    }

    proptest! {
        #[test]
        fn no_second_takes_more_than_the_quota(per_second in 1u32..20, times in prop::collection::vec(0i64..3000, 0..200)) {
            let mut times = times;
            times.sort_unstable();
            let quotas = Quotas::default();
            let mut admitted = [0; 3];
            for time in times {
                if quotas.admit(&[limit(1, per_second)], time).is_ok() {
                    admitted[usize::try_from(time / 1000).unwrap()] += 1;
                }
            }
            prop_assert!(admitted.iter().all(|admitted| *admitted <= per_second), "{:?}", admitted);
        }
    }
}
