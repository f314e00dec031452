//! PutPrincipal and DeletePrincipal.

use crate::api::{littlehorse as lh, store::v1 as store};
use crate::engine::core::access::{ANONYMOUS, everything, is_admin, is_of_cluster, principal_key};
use crate::engine::core::derive::{Derived, Derives, Numbers};
use crate::engine::core::key::{self, Index, KeyIndex, ObjKey, Word};
use crate::engine::core::record::PrincipalRecord;
use crate::engine::core::{Fault, Refusal, Table, Tx, id};
use lh::server_acl::ResourceFilter;

/// PutPrincipal: creates one, or replaces its rights if told to.
pub fn put(tx: &mut Tx<'_>, request: lh::PutPrincipalRequest) -> Result<lh::Principal, Refusal> {
    let lh::PutPrincipalRequest { id, mut per_tenant_acls, global_acls, overwrite } = request;
    if id.contains(['/', '\\']) {
        return Err(Refusal::invalid("Principal ID cannot contain slashes or backslashes."));
    }
    let stored = tx.read().principal(&id)?;
    if stored.is_some() && !overwrite {
        return Err(Refusal::exists(format!("Must set overwrite == true to modify existing Principal {id}")));
    }
    let mut global_acls = global_acls.unwrap_or_default();
    check_acls(&mut global_acls)?;
    for (tenant, acls) in &mut per_tenant_acls {
        if tx.read().tenant_record(tenant)?.is_none() {
            let text = format!("PutPrincipalRequest specified ACL's for a nonexistent tenant: {tenant}");
            return Err(Refusal::invalid(text));
        }
        check_acls(acls)?;
        if acls.acls.iter().flat_map(lh::ServerAcl::resources).any(is_of_cluster) {
            return Err(Refusal::invalid(
                "PutPrincipalRequest does not allow Per-Tenant ACLs containing permissions over Tenants, Principals, \
                 or Quotas.",
            ));
        }
    }
    if !global_acls.acls.is_empty() && !tx.read().is_admin(&tx.context().actor)? {
        return Err(Refusal::invalid("Only admin users can create a principal with global privileges"));
    }
    let created_at = stored.as_ref().and_then(|stored| stored.message.created_at);
    let principal = lh::Principal {
        id: Some(lh::PrincipalId { id: id.clone() }),
        created_at: Some(created_at.unwrap_or_else(|| tx.now())),
        per_tenant_acls,
        global_acls: Some(global_acls),
    };
    let was_admin = stored.as_ref().is_some_and(|stored| is_admin(&stored.message));
    if was_admin && !is_admin(&principal) && admins(tx)? <= 1 {
        return Err(Refusal::precondition(format!(
            "Cannot remove admin privileges from Principal {id}: {id} is the last Admin left."
        )));
    }
    store(tx, principal.clone())?;
    Ok(principal)
}

/// DeletePrincipal.
pub fn delete(tx: &mut Tx<'_>, request: lh::DeletePrincipalRequest) -> Result<(), Refusal> {
    let id = request.id.unwrap_or_default().id;
    if id == ANONYMOUS {
        return Err(Refusal::invalid(
            "Deleting the anonymous principal is not allowed. However, you can remove its permissions via the \
             PutPrincipal request.",
        ));
    }
    let stored = tx.read().principal(&id)?;
    let stored = stored.ok_or_else(|| Refusal::not_found("Couldn't find provided PrincipalModel"))?;
    if is_admin(&stored.message) && admins(tx)? <= 1 {
        return Err(Refusal::invalid(format!("Cannot delete the last admin principal {id}")));
    }
    let number = tx.intern_for(0, Word::Principal, &id)?;
    tx.erase(principal_key(number))?;
    Ok(())
}

/// Stores the principal of callers who prove nothing, with all rights, where there is none yet: it begins with the
/// store, as the default tenant does.
pub fn found(tx: &mut Tx<'_>) -> Result<(), Fault> {
    if tx.read().principal(ANONYMOUS)?.is_some() {
        return Ok(());
    }
    let principal = lh::Principal {
        id: Some(lh::PrincipalId { id: ANONYMOUS.to_owned() }),
        created_at: Some(tx.now()),
        per_tenant_acls: Default::default(),
        global_acls: Some(everything()),
    };
    store(tx, principal)
}

fn store(tx: &mut Tx<'_>, principal: lh::Principal) -> Result<(), Fault> {
    let id = principal.id.as_ref().map(|id| id.id.as_str()).unwrap_or_default();
    let number = tx.intern_for(0, Word::Principal, id)?;
    let facts = store::DefinitionFacts { put_by: Some(tx.actor()), deleted: None };
    tx.store(principal_key(number), &PrincipalRecord { message: principal, facts })
}

/// How many administrators there are.
fn admins(tx: &Tx<'_>) -> Result<u64, Fault> {
    match tx.read().state.get(Table::Count, &key::count(Index::Administrators, 0, 0))? {
        Some(bytes) => key::read_u64(&bytes, Table::Count),
        None => Ok(0),
    }
}

/// Rights must be known ones, on all names: a filter that nobody minds would give more than it says.
fn check_acls(acls: &mut lh::ServerAcLs) -> Result<(), Refusal> {
    for acl in &mut acls.acls {
        if let Some(number) = acl.resources.iter().find(|number| lh::AclResource::try_from(**number).is_err()) {
            return Err(Refusal::invalid(format!("Unknown ACLResource {number}")));
        }
        if let Some(number) = acl.allowed_actions.iter().find(|number| lh::AclAction::try_from(**number).is_err()) {
            return Err(Refusal::invalid(format!("Unknown ACLAction {number}")));
        }
        match acl.resource_filter.get_or_insert(ResourceFilter::Name(String::new())) {
            ResourceFilter::Name(name) if name.is_empty() => {}
            ResourceFilter::Name(filter) | ResourceFilter::Prefix(filter) => {
                return Err(Refusal::invalid(format!(
                    "An ACL for names like '{filter}' is not supported: ACLs hold for whole resources"
                )));
            }
        }
    }
    Ok(())
}

impl Derives for PrincipalRecord {
    fn derive(&self, _: ObjKey, tenant: u32, numbers: &mut Numbers<'_>) -> Result<Derived, Fault> {
        let principal = &self.message;
        let mut derived = Derived::default();
        if is_admin(principal) {
            derived.count(Index::Administrators, 0, 0);
        }
        let id = principal.id.as_ref().map(|id| id.id.as_str()).unwrap_or_default();
        let created = principal.created_at.as_ref().map(id::milliseconds).unwrap_or_default();
        let mut value = created.to_be_bytes().to_vec();
        value.push(u8::from(is_admin(principal)));
        let key = |index, tenant| key::key_index(index, tenant, format!("{id}/").as_bytes(), 0);
        derived.keys.insert(key(KeyIndex::Principals, tenant), value.clone());
        for name in principal.per_tenant_acls.keys() {
            let tenant = numbers(Word::Tenant, name)?;
            derived.keys.insert(key(KeyIndex::PrincipalsByTenant, tenant), value.clone());
        }
        Ok(derived)
    }
}
