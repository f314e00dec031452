//! Principals: who may hand out which rights.

use super::*;
use crate::engine::core::access::{ANONYMOUS, everything};
use crate::engine::core::{Channel, query};
use lh::search_principal_request::PrincipalCriteria;
use lh::{AclAction as Action, AclResource as Resource};

fn acls(resource: Resource, action: Action) -> lh::ServerAcLs {
    let acl =
        lh::ServerAcl { resources: vec![resource.into()], allowed_actions: vec![action.into()], resource_filter: None };
    lh::ServerAcLs { acls: vec![acl] }
}

fn put(world: &mut World, id: &str, overwrite: bool, acls: Option<lh::ServerAcLs>) -> Result<lh::Principal, Refusal> {
    let request = lh::PutPrincipalRequest { id: id.into(), overwrite, global_acls: acls, ..Default::default() };
    world.run(request)?.try_into()
}

fn delete(world: &mut World, id: &str) -> Result<(), Refusal> {
    world.run(lh::DeletePrincipalRequest { id: Some(lh::PrincipalId { id: id.into() }) })?.try_into()
}

fn found(world: &World, criteria: Option<PrincipalCriteria>) -> Vec<String> {
    let request = lh::SearchPrincipalRequest { principal_criteria: criteria, ..Default::default() };
    let page = query::search_principal(&world.state, TENANT, request).expect("a page");
    page.results.into_iter().map(|id| id.id).collect()
}

#[test]
fn one_administrator_is_always_left() {
    let mut world = World::default();
    let first = put(&mut world, "ann", false, Some(acls(Resource::AclWorkflow, Action::Read))).expect("put");
    let taken = Refusal::exists("Must set overwrite == true to modify existing Principal ann");
    assert_eq!(put(&mut world, "ann", false, None), Err(taken));
    let again = put(&mut world, "ann", true, None).expect("overwritten");
    assert_eq!((again.created_at, again.global_acls), (first.created_at, Some(lh::ServerAcLs::default())));
    assert_eq!(found(&world, Some(PrincipalCriteria::IsAdmin(true))), [ANONYMOUS]);

    let last = "Cannot remove admin privileges from Principal anonymous: anonymous is the last Admin left.";
    assert_eq!(put(&mut world, ANONYMOUS, true, None), Err(Refusal::precondition(last)));
    assert_eq!(delete(&mut world, ANONYMOUS).map_err(|refusal| refusal.code), Err(Code::InvalidArgument));
    put(&mut world, "keeper", false, Some(everything())).expect("another administrator");
    put(&mut world, ANONYMOUS, true, Some(acls(Resource::AclPrincipal, Action::AllActions))).expect("limited");
    assert_eq!(delete(&mut world, "keeper"), Err(Refusal::invalid("Cannot delete the last admin principal keeper")));
    assert_eq!(found(&world, Some(PrincipalCriteria::IsAdmin(true))), ["keeper"]);
    assert_eq!(found(&world, None), ["ann", ANONYMOUS, "keeper"]);
    delete(&mut world, "ann").expect("deleted");
    assert_eq!(delete(&mut world, "ann"), Err(Refusal::not_found("Couldn't find provided PrincipalModel")));
    assert_eq!(check(&world.state), Ok(Vec::new()));
}

#[test]
fn rights_are_known_ones_and_those_of_the_cluster_are_global() {
    let mut world = World::default();
    let filter = |filter| {
        let mut acls = acls(Resource::AclTask, Action::Read);
        acls.acls[0].resource_filter = Some(filter);
        acls
    };
    let odd = |resource, action| {
        let acl = lh::ServerAcl { resources: vec![resource], allowed_actions: vec![action], resource_filter: None };
        lh::ServerAcLs { acls: vec![acl] }
    };
    use lh::server_acl::ResourceFilter::{Name, Prefix};
    for (what, acls, expected) in [
        ("a name", filter(Name("abc".into())), Some("An ACL for names like 'abc'")),
        ("a prefix", filter(Prefix(String::new())), Some("An ACL for names like ''")),
        ("no name", filter(Name(String::new())), None),
        ("an unknown resource", odd(99, 0), Some("Unknown ACLResource 99")),
        ("an unknown action", odd(0, 99), Some("Unknown ACLAction 99")),
    ] {
        let put = put(&mut world, "ann", true, Some(acls)).map_err(|refusal| refusal.message);
        match expected {
            Some(text) => assert!(put.expect_err(what).starts_with(text), "{what}"),
            None => assert!(put.is_ok(), "{what}: {put:?}"),
        }
    }
    for (tenant, acls, expected) in [
        ("absent", acls(Resource::AclTask, Action::Read), Some("nonexistent tenant: absent")),
        (TENANT, acls(Resource::AclQuota, Action::Read), Some("permissions over Tenants, Principals, or Quotas.")),
        (TENANT, acls(Resource::AclAllResources, Action::AllActions), None),
    ] {
        let per_tenant_acls = [(tenant.to_owned(), acls)].into();
        let request =
            lh::PutPrincipalRequest { id: "bob".into(), overwrite: true, per_tenant_acls, ..Default::default() };
        match (world.run(request), expected) {
            (Err(refusal), Some(text)) => assert!(refusal.message.ends_with(text), "{refusal}"),
            (put, expected) => assert!(put.is_ok() && expected.is_none(), "{put:?}"),
        }
    }
    assert_eq!(found(&world, Some(PrincipalCriteria::TenantId(TENANT.into()))), ["bob"]);
    assert_eq!(put(&mut world, "a/b", false, None).map_err(|refusal| refusal.code), Err(Code::InvalidArgument));
    assert_eq!(check(&world.state), Ok(Vec::new()));
}

#[test]
fn who_is_no_administrator_hands_out_no_global_rights() {
    let mut world = World::default();
    put(&mut world, "keeper", false, Some(everything())).expect("another administrator");
    put(&mut world, ANONYMOUS, true, Some(acls(Resource::AclPrincipal, Action::AllActions))).expect("limited");
    let stranger = Actor { channel: Channel::Tcp, ..Default::default() };
    let as_stranger = |global: Option<lh::ServerAcLs>| {
        let request = lh::PutPrincipalRequest {
            id: "friend".into(),
            overwrite: true,
            global_acls: global,
            per_tenant_acls: [(TENANT.to_owned(), everything())].into(),
        };
        let context = Context { tenant: TENANT.into(), actor: stranger.clone(), at: 1, now: 1, seed: 1 };
        execute(&world.state, &Command { context, request: request.into() }).map(drop)
    };
    let refusal = Refusal::invalid("Only admin users can create a principal with global privileges");
    assert_eq!(as_stranger(Some(acls(Resource::AclTask, Action::Read))), Err(refusal));
    assert_eq!(as_stranger(None), Ok(()));
    // The owner of the data takes everything back.
    assert!(put(&mut world, ANONYMOUS, true, Some(everything())).is_ok());
}
