//! Tenants, and what the server says of itself.

use crate::api::littlehorse as lh;
use crate::engine::core::key::{self, Word, after_prefix};
use crate::engine::core::query::page::{self, Position, Query};
use crate::engine::core::read::{DEFAULT_TENANT, Reader};
use crate::engine::core::{Order, Refusal, State, Table};
use std::ops::ControlFlow;

/// Whether calls may name this tenant. The default one may always be named.
pub fn tenant_exists(state: &dyn State, name: &str) -> Result<bool, Refusal> {
    Ok(name == DEFAULT_TENANT || tenant_is_stored(state, name)?)
}

/// Whether the tenant has anything stored, its own object at least.
pub fn tenant_is_stored(state: &dyn State, name: &str) -> Result<bool, Refusal> {
    Ok(Reader::new(state, name)?.tenant.is_some())
}

/// GetTenant.
pub fn get_tenant(state: &dyn State, tenant: &str, request: lh::TenantId) -> Result<lh::Tenant, Refusal> {
    let stored = super::reader(state, tenant)?.tenant_record(&request.id)?;
    let stored = stored.ok_or_else(|| Refusal::not_found(format!("Could not find tenant {}", request.id)))?;
    Ok(stored.message)
}

/// SearchTenant: all of them, by name.
pub fn search_tenant(
    state: &dyn State,
    _tenant: &str,
    request: lh::SearchTenantRequest,
) -> Result<lh::TenantIdList, Refusal> {
    let limit = page::limit_or_zero(request.limit)?;
    let query = Query::new("SearchTenant", "", &[]);
    let prefix = key::dict(0, Word::Tenant, "");
    let after = match page::position(query, Order::Ascending, request.bookmark.as_deref())? {
        None => Vec::new(),
        Some(Position::Name(mut name)) => {
            name.push(0);
            name
        }
        Some(_) => return Err(page::foreign_bookmark()),
    };
    let from = [prefix.as_slice(), &after].concat();
    let (mut names, mut more) = (Vec::new(), false);
    state.scan(Table::Dict, &from, after_prefix(&prefix).as_deref(), Order::Ascending, &mut |key, _| {
        if names.len() == limit {
            more = true;
            return ControlFlow::Break(());
        }
        let name = key.get(prefix.len()..).unwrap_or_default();
        names.push(String::from_utf8_lossy(name).into_owned());
        ControlFlow::Continue(())
    })?;
    let last = names.last().filter(|_| more).map(|name| Position::Name(name.clone().into_bytes()));
    let bookmark = last.map(|last| page::bookmark(query, Order::Ascending, &last));
    let results = names.into_iter().map(|id| lh::TenantId { id }).collect();
    Ok(lh::TenantIdList { results, bookmark })
}

/// GetServerVersion: that of the API, which is what a client can make something of.
pub fn get_server_version() -> lh::LittleHorseVersion {
    lh::LittleHorseVersion { major_version: 1, minor_version: 3, patch_version: Some(0), pre_release_identifier: None }
}
