//! Tenants.

use super::*;
use crate::engine::core::query;

#[test]
fn tenants_are_made_once_and_named_properly() {
    let mut world = World::default();
    let put = |world: &mut World, id: &str| -> Result<lh::Tenant, Refusal> {
        let request = lh::PutTenantRequest { id: id.to_owned(), ..Default::default() };
        world.run(request)?.try_into()
    };
    let first = put(&mut world, "acme").expect("put");
    assert_eq!(put(&mut world, "acme"), Ok(first.clone()));
    for odd in ["", "under_score", "1st", "dot.ted", "has space"] {
        let text = "Tenant id must be a valid hostname and not start with a digit";
        assert_eq!(put(&mut world, odd), Err(Refusal::invalid(text)), "{odd:?}");
    }
    let get = |id: &str| query::get_tenant(&world.state, TENANT, lh::TenantId { id: id.to_owned() });
    assert_eq!(get("acme"), Ok(first));
    assert_eq!(get("nobody"), Err(Refusal::not_found("Could not find tenant nobody")));
    assert!(get(TENANT).is_ok_and(|tenant| tenant.created_at.is_some()));
    let all = query::search_tenant(&world.state, TENANT, Default::default()).expect("a page").results;
    assert_eq!(all.iter().map(|id| id.id.as_str()).collect::<Vec<_>>(), ["acme", "default"]);
}

#[test]
fn commands_of_a_tenant_that_nobody_made_are_refused() {
    let context = Context { tenant: "nobody".to_owned(), actor: Actor::default(), at: 1, now: 1, seed: 1 };
    let request = lh::PutUserTaskDefRequest { name: "form".to_owned(), ..Default::default() };
    let refusal = execute(&MemoryState::default(), &Command { context, request: request.into() });
    assert_eq!(refusal, Err(Refusal::new(Code::PermissionDenied, "Tenant not allowed")));
}
