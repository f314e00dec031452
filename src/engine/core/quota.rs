//! Quotas: how many changes a second a tenant, or one principal of it, may make. They are kept here; whoever takes
//! requests in counts them.

use std::ops::ControlFlow;

use prost::Message;

use crate::api::{littlehorse as lh, store::v1 as store};
use crate::engine::core::access::principal_of;
use crate::engine::core::command::Actor;
use crate::engine::core::derive::{Derived, Derives, Numbers};
use crate::engine::core::key::{self, KeyIndex, Kind, ObjKey, Word, after_prefix, damaged, take_u32, unpair};
use crate::engine::core::query::page::{self, Position, Query};
use crate::engine::core::read::Reader;
use crate::engine::core::record::QuotaRecord;
use crate::engine::core::{Fault, Order, Refusal, State, Table, Tx};

/// A quota in force: whose it is, and how many changes a second it allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The number of its key.
    pub quota: u64,
    /// Changes a second.
    pub per_second: u32,
}

/// The quotas that hold a caller back: that of the tenant and that of its principal. None for the owner of the data.
pub fn limits(state: &dyn State, tenant: &str, actor: &Actor) -> Result<Vec<Limit>, Fault> {
    let Some(principal) = principal_of(actor) else { return Ok(Vec::new()) };
    let reader = Reader::new(state, tenant)?;
    let Some(tenant) = reader.tenant else { return Ok(Vec::new()) };
    let principal = (Reader { tenant: Some(0), ..reader }).number(Word::Principal, principal)?;
    let mut limits = Vec::new();
    for key in [0].into_iter().chain(principal).map(|principal| quota_key(tenant, principal)) {
        let stored: Option<QuotaRecord> = reader.object(key)?;
        limits.extend(stored.map(|stored| Limit {
            quota: key.sub,
            per_second: stored.message.write_requests_per_second.unsigned_abs(),
        }));
    }
    Ok(limits)
}

/// PutQuota: sets it, or changes the stored one.
pub fn put(tx: &mut Tx<'_>, request: lh::PutQuotaRequest) -> Result<lh::Quota, Refusal> {
    if request.write_requests_per_second <= 0 {
        return Err(Refusal::invalid("write_requests_per_second must be greater than zero"));
    }
    let tenant = request.tenant.unwrap_or_default();
    if tx.read().tenant_record(&tenant.id)?.is_none() {
        return Err(Refusal::invalid(format!("Could not find tenant {}", tenant.id)));
    }
    if let Some(principal) = &request.principal
        && tx.read().principal(&principal.id)?.is_none()
    {
        return Err(Refusal::invalid(format!("Could not find principal {}", principal.id)));
    }
    let tenant_number = tx.intern_for(0, Word::Tenant, &tenant.id)?;
    let principal_number = match &request.principal {
        Some(principal) => tx.intern_for(0, Word::Principal, &principal.id)?,
        None => 0,
    };
    let key = quota_key(tenant_number, principal_number);
    let stored: Option<QuotaRecord> = tx.read().object(key)?;
    let quota = lh::Quota {
        id: Some(lh::QuotaId { tenant: Some(tenant), principal: request.principal }),
        created_at: Some(stored.and_then(|stored| stored.message.created_at).unwrap_or_else(|| tx.now())),
        write_requests_per_second: request.write_requests_per_second,
    };
    let facts = store::DefinitionFacts { put_by: Some(tx.actor()), deleted: None };
    tx.store(key, &QuotaRecord { message: quota.clone(), facts })?;
    Ok(quota)
}

/// DeleteQuota.
pub fn delete(tx: &mut Tx<'_>, request: lh::DeleteQuotaRequest) -> Result<(), Refusal> {
    match find(&tx.read(), &request.id.unwrap_or_default())? {
        Some((key, _)) => Ok(tx.erase(key)?),
        None => Err(Refusal::not_found("Couldn't find provided QuotaModel")),
    }
}

/// GetQuota.
pub fn get_quota(state: &dyn State, tenant: &str, request: lh::QuotaId) -> Result<lh::Quota, Refusal> {
    match find(&Reader::new(state, tenant)?, &request)? {
        Some((_, stored)) => Ok(stored.message),
        None => {
            let tenant = request.tenant.unwrap_or_default().id;
            let whose = request.principal.map_or(tenant.clone(), |principal| format!("{tenant}/{}", principal.id));
            Err(Refusal::not_found(format!("Could not find quota {whose}")))
        }
    }
}

/// SearchQuota: all, those of a tenant, or the one of a principal in it.
pub fn search_quota(state: &dyn State, _: &str, request: lh::SearchQuotaRequest) -> Result<lh::QuotaIdList, Refusal> {
    let limit = page::limit_or_zero(request.limit)?;
    let filters = lh::SearchQuotaRequest { bookmark: None, limit: None, ..request.clone() };
    let query = Query::new("SearchQuota", "", &filters.encode_to_vec());
    let after = match page::position(query, Order::Ascending, request.bookmark.as_deref())? {
        None => Vec::new(),
        Some(Position::Name(rest)) => [&rest[..], &[0]].concat(),
        Some(_) => return Err(page::foreign_bookmark()),
    };
    let mut prefix = vec![KeyIndex::Quotas as u8];
    match (&request.tenant_id, &request.principal) {
        (None, Some(_)) => return Err(Refusal::invalid("Must provide tenant_id when searching by principal")),
        (None, None) => {}
        (Some(tenant), principal) => {
            let Some(number) = Reader::new(state, tenant)?.tenant else { return Ok(lh::QuotaIdList::default()) };
            prefix.extend(number.to_be_bytes());
            if let Some(principal) = principal {
                prefix.extend(format!("{}/", principal.id).bytes());
            }
        }
    }
    let reader = Reader { state, tenant: Some(0) };
    let from = [prefix.as_slice(), &after].concat();
    let (mut list, mut last, mut outcome) = (lh::QuotaIdList::default(), Vec::new(), Ok(()));
    state.scan(Table::KeyIdx, &from, after_prefix(&prefix).as_deref(), Order::Ascending, &mut |key, _| {
        match quota_id(&reader, key) {
            Ok(id) if list.results.len() < limit => list.results.push(id),
            Ok(_) => {
                list.bookmark = Some(page::bookmark(query, Order::Ascending, &Position::Name(last.clone())));
                return ControlFlow::Break(());
            }
            Err(fault) => {
                outcome = Err(fault);
                return ControlFlow::Break(());
            }
        }
        last = key.get(prefix.len()..).unwrap_or_default().to_vec();
        ControlFlow::Continue(())
    })?;
    outcome?;
    Ok(list)
}

/// The id in a key of the index.
fn quota_id(reader: &Reader<'_>, key: &[u8]) -> Result<lh::QuotaId, Fault> {
    let parts = key.get(1..).and_then(take_u32).and_then(|(tenant, rest)| {
        let principal = rest.strip_suffix(&[0; 8])?.strip_suffix(b"/")?;
        Some((tenant, std::str::from_utf8(principal).ok()?))
    });
    let (tenant, principal) = parts.ok_or_else(|| damaged("KeyIdx row", "not a quota"))?;
    let tenant = Some(lh::TenantId { id: reader.text(Word::Tenant, tenant)? });
    let principal = (!principal.is_empty()).then(|| lh::PrincipalId { id: principal.to_owned() });
    Ok(lh::QuotaId { tenant, principal })
}

fn find(reader: &Reader<'_>, id: &lh::QuotaId) -> Result<Option<(ObjKey, QuotaRecord)>, Fault> {
    let Some(number) = number(reader, id)? else { return Ok(None) };
    let (tenant, principal) = unpair(number);
    let key = quota_key(tenant, principal);
    Ok(reader.object(key)?.map(|record| (key, record)))
}

/// The number that a quota has, or would have, in its key.
pub fn number(reader: &Reader<'_>, id: &lh::QuotaId) -> Result<Option<u64>, Fault> {
    let numbers = Reader { tenant: Some(0), ..*reader };
    let tenant = id.tenant.as_ref().map(|tenant| tenant.id.as_str()).unwrap_or_default();
    let Some(tenant) = numbers.number(Word::Tenant, tenant)? else { return Ok(None) };
    let principal = match &id.principal {
        Some(principal) => numbers.number(Word::Principal, &principal.id)?,
        None => Some(0),
    };
    Ok(principal.map(|principal| key::pair(tenant, principal)))
}

impl Reader<'_> {
    /// The quota of this number.
    pub fn quota(&self, number: u64) -> Result<Option<QuotaRecord>, Fault> {
        let (tenant, principal) = unpair(number);
        self.object(quota_key(tenant, principal))
    }
}

fn quota_key(tenant: u32, principal: u32) -> ObjKey {
    ObjKey::new(0, Kind::Quota, key::pair(tenant, principal), 0)
}

impl Derives for QuotaRecord {
    fn derive(&self, key: ObjKey, _: u32, _: &mut Numbers<'_>) -> Result<Derived, Fault> {
        let principal = self.message.id.as_ref().and_then(|id| id.principal.as_ref());
        let text = format!("{}/", principal.map(|principal| principal.id.as_str()).unwrap_or_default());
        let mut derived = Derived::default();
        let (tenant, _) = unpair(key.sub);
        derived.keys.insert(key::key_index(KeyIndex::Quotas, tenant, text.as_bytes(), 0), Vec::new());
        Ok(derived)
    }
}
