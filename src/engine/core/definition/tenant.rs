//! PutTenant.

use crate::api::littlehorse as lh;
use crate::engine::core::definition::principal;
use crate::engine::core::id::is_valid_name;
use crate::engine::core::read::DEFAULT_TENANT;
use crate::engine::core::{Refusal, Tx};

/// PutTenant: creates it, or gives back the stored one.
pub fn put(tx: &mut Tx<'_>, request: lh::PutTenantRequest) -> Result<lh::Tenant, Refusal> {
    if !is_valid_name(&request.id) || request.id.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(Refusal::invalid("Tenant id must be a valid hostname and not start with a digit"));
    }
    if request.id == DEFAULT_TENANT {
        principal::found(tx)?;
    }
    if let Some(stored) = tx.read().tenant_record(&request.id)? {
        return Ok(stored.message);
    }
    let tenant = lh::Tenant {
        id: Some(lh::TenantId { id: request.id }),
        created_at: Some(tx.now()),
        output_topic_config: request.output_topic_config,
    };
    tx.create_tenant(tenant.clone())?;
    Ok(tenant)
}
