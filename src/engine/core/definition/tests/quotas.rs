//! Quotas: put, found, deleted.

use super::*;
use crate::engine::core::quota::{self, Limit};
use crate::engine::core::{Channel, query};

fn tenant(id: &str) -> Option<lh::TenantId> {
    Some(lh::TenantId { id: id.into() })
}

fn principal(id: &str) -> Option<lh::PrincipalId> {
    Some(lh::PrincipalId { id: id.into() })
}

fn put(
    world: &mut World,
    of: Option<lh::TenantId>,
    principal: Option<lh::PrincipalId>,
    rate: i32,
) -> Result<lh::Quota, Refusal> {
    let request = lh::PutQuotaRequest { tenant: of, principal, write_requests_per_second: rate };
    world.run(request)?.try_into()
}

#[test]
fn quotas_are_of_a_tenant_or_of_a_principal_in_it() {
    let mut world = World::default();
    world.run(lh::PutTenantRequest { id: "acme".into(), ..Default::default() }).expect("put");
    for (of, who, rate, text) in [
        (tenant("acme"), None, 0, "write_requests_per_second must be greater than zero"),
        (tenant("nope"), None, 5, "Could not find tenant nope"),
        (None, None, 5, "Could not find tenant "),
        (tenant("acme"), principal("nope"), 5, "Could not find principal nope"),
    ] {
        assert_eq!(put(&mut world, of, who, rate), Err(Refusal::invalid(text)));
    }
    let first = put(&mut world, tenant("acme"), None, 5).expect("put");
    let again = put(&mut world, tenant("acme"), None, 6).expect("changed");
    assert_eq!(again, lh::Quota { write_requests_per_second: 6, ..first.clone() });
    put(&mut world, tenant("acme"), principal("anonymous"), 4).expect("put");
    put(&mut world, tenant(TENANT), None, 9).expect("put");

    let get =
        |world: &World, of, principal| query::get_quota(&world.state, TENANT, lh::QuotaId { tenant: of, principal });
    assert_eq!(get(&world, tenant("acme"), None), Ok(again));
    assert_eq!(get(&world, tenant("nope"), None), Err(Refusal::not_found("Could not find quota nope")));
    let search = |world: &World, request| query::search_quota(&world.state, TENANT, request).map(|page| page.results);
    let id = |of: &str, who: Option<&str>| lh::QuotaId { tenant: tenant(of), principal: who.and_then(principal) };
    let both = vec![id("acme", None), id("acme", Some("anonymous"))];
    let of_acme = lh::SearchQuotaRequest { tenant_id: Some("acme".into()), ..Default::default() };
    assert_eq!(search(&world, of_acme.clone()), Ok(both.clone()));
    let of_anonymous = lh::SearchQuotaRequest { principal: principal("anonymous"), ..of_acme.clone() };
    assert_eq!(search(&world, of_anonymous), Ok(both[1..].to_vec()));
    let nobody = lh::SearchQuotaRequest { principal: principal("anon"), ..of_acme.clone() };
    assert_eq!(search(&world, nobody), Ok(Vec::new()));
    let lone = lh::SearchQuotaRequest { principal: principal("anonymous"), ..Default::default() };
    let text = "Must provide tenant_id when searching by principal";
    assert_eq!(search(&world, lone), Err(Refusal::invalid(text)));
    // One a page, from all tenants.
    let (mut found, mut bookmark) = (Vec::new(), None);
    loop {
        let request = lh::SearchQuotaRequest { limit: Some(1), bookmark, ..Default::default() };
        let page = query::search_quota(&world.state, TENANT, request).expect("a page");
        found.extend(page.results);
        bookmark = page.bookmark;
        if bookmark.is_none() {
            break;
        }
    }
    assert_eq!((found.len(), found.contains(&id(TENANT, None))), (3, true));

    let rates = |world: &World, channel| {
        let actor = Actor { channel, ..Default::default() };
        let limits = quota::limits(&world.state, "acme", &actor).expect("limits");
        limits.into_iter().map(|Limit { per_second, .. }| per_second).collect::<Vec<_>>()
    };
    assert_eq!(rates(&world, Channel::Tcp), [6, 4]);
    assert_eq!(rates(&world, Channel::InProcess), [0; 0]);
    assert_eq!(check(&world.state), Ok(Vec::new()));
    let gone = lh::DeleteQuotaRequest { id: Some(id("acme", None)) };
    world.run(gone.clone()).expect("deleted");
    assert_eq!(world.run(gone).map(drop), Err(Refusal::not_found("Couldn't find provided QuotaModel")));
    assert_eq!(rates(&world, Channel::Tcp), [4]);
    assert_eq!(check(&world.state), Ok(Vec::new()));
}
