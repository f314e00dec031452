//! What clients see: answers on every listener, tenants, sizes, the change feed.

use ostler::api::littlehorse as lh;
use ostler::api::littlehorse::metric_window::Metric;
use ostler::api::ostler::v1;
use ostler::api::ostler::v1::ostler_client::OstlerClient;
use tonic::metadata::MetadataValue;
use tonic::{Code, Request};

use super::*;

#[tokio::test]
async fn every_listener_serves_the_same_store() {
    let ground = Ground::new();
    let handle = ground.start();
    let channels = [over_tcp(&handle).await, over_socket(handle.socket()).await, over_pipe(&handle).await];
    for (number, channel) in channels.iter().enumerate() {
        let put = client(channel.clone()).put_user_task_def(form(&format!("form-{number}"))).await.unwrap();
        assert_eq!(put.into_inner().version, 0);
        for other in &channels {
            let got = client(other.clone()).get_user_task_def(form_id(&format!("form-{number}"))).await.unwrap();
            assert_eq!(got.into_inner().fields.len(), 1);
        }
        let version = client(channel.clone()).get_server_version(()).await.unwrap().into_inner();
        assert_eq!((version.major_version, version.minor_version), (1, 3));
        let me = client(channel.clone()).whoami(()).await.unwrap().into_inner();
        // Who comes over the network proves nothing; the others are the person whose data it is.
        assert_eq!(me.id.unwrap().id == "anonymous", number == 0);
    }
    handle.stop().await;
}

#[tokio::test]
async fn ostlers_own_service_is_not_on_tcp() {
    let ground = Ground::new();
    let handle = ground.start();
    for channel in [over_socket(handle.socket()).await, over_pipe(&handle).await] {
        let host = OstlerClient::new(channel).get_host(()).await.unwrap().into_inner();
        assert_eq!(host.pid, std::process::id());
        assert_eq!(host.listen, handle.listen().map(|address| address.to_string()));
        assert_eq!((host.writable, host.throwaway, host.pending_timers), (true, false, 0));
        assert!(!host.store_id.is_empty());
    }
    let refused = OstlerClient::new(over_tcp(&handle).await).get_host(()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
    assert_eq!(refused.message(), "ostler's engine does not serve /ostler.v1.Ostler/GetHost on this address");
    handle.stop().await;
}

fn named<M>(message: M, headers: &[(&'static str, &'static str)]) -> Request<M> {
    let mut request = Request::new(message);
    for (key, value) in headers {
        request.metadata_mut().append(*key, MetadataValue::from_static(value));
    }
    request
}

#[tokio::test]
async fn tenants_are_kept_apart_and_unknown_ones_refused() {
    let ground = Ground::new();
    let handle = ground.start();
    let mut client = client(over_tcp(&handle).await);
    client.put_tenant(lh::PutTenantRequest { id: "acme".to_owned(), ..Default::default() }).await.unwrap();
    client.put_user_task_def(named(form("theirs"), &[("tenantid", "acme")])).await.unwrap();

    type Headers = &'static [(&'static str, &'static str)];
    let table: [(Headers, Option<Code>); 8] = [
        (&[("tenantid", "acme")], None),
        (&[("tenantid", " acme ")], None),
        (&[("tenantid", "acme"), ("tenantid", "acme")], None),
        (&[("tenantid", "nobody"), ("tenantid", "acme")], None),
        (&[], Some(Code::NotFound)),
        (&[("tenantid", "default")], Some(Code::NotFound)),
        (&[("tenantid", "nobody")], Some(Code::PermissionDenied)),
        (&[("tenantid", "")], Some(Code::PermissionDenied)),
    ];
    for (headers, refusal) in table {
        let got = client.get_user_task_def(named(form_id("theirs"), headers)).await;
        assert_eq!(got.err().map(|status| status.code()), refusal, "{headers:?}");
    }
    handle.stop().await;
}

#[tokio::test]
async fn a_refused_tenant_gets_nothing_and_none_of_its_headers_back() {
    let ground = Ground::new();
    let handle = ground.start();
    let headers = [("tenantid", "nobody"), ("authorization", "Bearer secret")];
    let mut lh = client(over_pipe(&handle).await);
    let refusals = [
        lh.whoami(named((), &headers)).await.unwrap_err(),
        lh.get_server_version(named((), &headers)).await.unwrap_err(),
        lh.put_user_task_def(named(form("form"), &headers)).await.unwrap_err(),
        lh.put_quota(named(lh::PutQuotaRequest::default(), &headers)).await.unwrap_err(),
        OstlerClient::new(over_pipe(&handle).await).get_host(named((), &headers)).await.unwrap_err(),
    ];
    for refusal in refusals {
        assert_eq!((refusal.code(), refusal.message()), (Code::PermissionDenied, "Tenant not allowed"));
        let echoed = format!("{:?}", refusal.metadata());
        assert!(!echoed.contains("secret") && !echoed.contains("tenantid"), "{echoed}");
    }
    handle.stop().await;
}

fn described(bytes: usize) -> lh::PutUserTaskDefRequest {
    lh::PutUserTaskDefRequest { description: Some("x".repeat(bytes)), ..form("large") }
}

#[tokio::test]
async fn too_large_is_refused_at_once_and_for_good() {
    use prost::Message;
    let ground = Ground::new();
    let handle = ground.start();
    let mut client = client(over_tcp(&handle).await);
    const LIMIT: usize = 1_047_000;
    let beside = described(LIMIT).encoded_len() - LIMIT;

    let size = described(LIMIT - beside + 1).encoded_len();
    let refused = client.put_user_task_def(described(LIMIT - beside + 1)).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(refused.message(), format!("The request has {size} bytes; the limit is 1047000"));
    assert!(refused.details().is_empty(), "a hint to retry would be followed for ever");

    let refused = client.put_user_task_def(described(5 << 20)).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(refused.message().starts_with("gRPC message exceeds maximum size 4194304: 52"), "{}", refused.message());

    let taken = client.put_user_task_def(described(LIMIT - beside)).await.unwrap().into_inner();
    assert_eq!(taken.description.map(|text| text.len()), Some(LIMIT - beside));
    handle.stop().await;
}

#[tokio::test]
async fn a_watcher_is_told_the_sequence_first_and_the_end_last() {
    let ground = Ground::new();
    let handle = ground.start();
    let mut ostler = OstlerClient::new(over_socket(handle.socket()).await);
    let mut changes = ostler.watch(v1::WatchRequest {}).await.unwrap().into_inner();
    let first = changes.message().await.unwrap().unwrap();
    assert_eq!((first.sequence, first.tasks.len(), first.missed), (0, 0, false));
    tokio::time::timeout(PATIENCE, handle.stop()).await.expect("an open watch does not hold the end up");
    let end = tokio::time::timeout(PATIENCE, changes.message()).await.expect("the stream ends");
    assert_eq!(end.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn quotas_and_rights_hold_the_network_back_and_not_the_owner() {
    let ground = Ground::new();
    let handle = ground.start();
    let (mut own, mut foreign) = (client(over_pipe(&handle).await), client(over_tcp(&handle).await));
    let tenant = lh::TenantId { id: "default".into() };
    let quota = |tenant: &lh::TenantId, write_requests_per_second| lh::PutQuotaRequest {
        tenant: Some(tenant.clone()),
        principal: None,
        write_requests_per_second,
    };
    own.put_quota(quota(&tenant, 2)).await.unwrap();
    // Every window of half a second takes one.
    let mut refused = None;
    for number in 0..4 {
        own.put_user_task_def(form(&format!("own-{number}"))).await.unwrap();
        refused = refused.or(foreign.put_user_task_def(form(&format!("foreign-{number}"))).await.err());
    }
    let refused = refused.expect("four changes at once are more than two windows take");
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(refused.message().starts_with("Quota exceeded. Retry after "), "{}", refused.message());
    let details = refused.details();
    assert!(details.windows(20).any(|part| part == b"google.rpc.RetryInfo"), "{details:?}");
    foreign.get_user_task_def(form_id("own-0")).await.expect("reading is free");
    let used = || lh::ListQuotaUsageMetricsRequest {
        quota_id: Some(lh::QuotaId { tenant: Some(lh::TenantId { id: "default".into() }), principal: None }),
        ..Default::default()
    };
    let windows = own.list_quota_usage_metrics(used()).await.unwrap().into_inner().windows;
    let sum = |count: fn(&lh::QuotaUsageMetrics) -> i64| -> i64 {
        let usage = |window: &lh::MetricWindow| match &window.metric {
            Some(Metric::QuotaUsage(usage)) => count(usage),
            _ => panic!("{window:?}"),
        };
        windows.iter().map(usage).sum()
    };
    assert_eq!(sum(|usage| usage.requests_observed.into()), 4, "of the network's, and none of the owner's");
    let throttled = sum(|usage| usage.requests_throttled.into());
    assert!((1..=3).contains(&throttled) && sum(|usage| usage.total_throttle_time_ms) > 500 * throttled);

    let all = lh::ServerAcl {
        resources: vec![lh::AclResource::AclAllResources.into()],
        allowed_actions: vec![lh::AclAction::AllActions.into()],
        resource_filter: None,
    };
    let keeper = lh::PutPrincipalRequest {
        id: "keeper".into(),
        global_acls: Some(lh::ServerAcLs { acls: vec![all] }),
        ..Default::default()
    };
    own.put_principal(keeper).await.unwrap();
    let nothing = lh::PutPrincipalRequest { id: "anonymous".into(), overwrite: true, ..Default::default() };
    own.put_principal(nothing).await.unwrap();
    let refused = foreign.get_user_task_def(form_id("own-0")).await.unwrap_err();
    assert_eq!(refused.message(), "Missing permissions [READ] over resources [ACL_USER_TASK]");
    assert_eq!(foreign.whoami(()).await.unwrap().into_inner().id.unwrap().id, "anonymous");
    client(over_socket(handle.socket()).await).get_user_task_def(form_id("own-0")).await.expect("the owner");
    handle.stop().await;
    let handle = ground.start();
    let kept = client(over_pipe(&handle).await).list_quota_usage_metrics(used()).await.unwrap().into_inner().windows;
    assert_eq!(kept, windows, "what was counted outlives the host");
    handle.stop().await;
}
