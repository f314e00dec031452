//! Principals.

use std::ops::ControlFlow;

use prost::Message;

use crate::api::littlehorse as lh;
use crate::engine::core::key::{self, KeyIndex, after_prefix, damaged, take_u64};
use crate::engine::core::query::page::{self, Position, Query};
use crate::engine::core::query::reader;
use crate::engine::core::{Order, Refusal, State, Table, id};
use lh::search_principal_request::PrincipalCriteria;

/// GetPrincipal.
pub fn get_principal(state: &dyn State, tenant: &str, request: lh::PrincipalId) -> Result<lh::Principal, Refusal> {
    match reader(state, tenant)?.principal(&request.id)? {
        Some(record) => Ok(record.message),
        None => Err(Refusal::not_found(format!("Could not find Principal {}", request.id))),
    }
}

/// SearchPrincipal: ids by name; all of them, administrators or not, or those with rights of their own in a tenant.
pub fn search_principal(
    state: &dyn State,
    _tenant: &str,
    request: lh::SearchPrincipalRequest,
) -> Result<lh::PrincipalIdList, Refusal> {
    let limit = page::limit_or_zero(request.limit)?;
    let mark = request.bookmark.clone();
    let filters = lh::SearchPrincipalRequest { bookmark: None, limit: None, ..request.clone() };
    let query = Query::new("SearchPrincipal", "", &filters.encode_to_vec());
    let after = match page::position(query, Order::Ascending, mark.as_deref())? {
        None => Vec::new(),
        Some(Position::Name(rest)) => [&rest[..], &[0]].concat(),
        Some(_) => return Err(page::foreign_bookmark()),
    };
    let (prefix, admins) = match &request.principal_criteria {
        None => (key::key_index_prefix(KeyIndex::Principals, 0), None),
        Some(PrincipalCriteria::IsAdmin(admins)) => (key::key_index_prefix(KeyIndex::Principals, 0), Some(*admins)),
        Some(PrincipalCriteria::TenantId(name)) => match reader(state, name)?.tenant {
            Some(number) => (key::key_index_prefix(KeyIndex::PrincipalsByTenant, number), None),
            None => return Ok(lh::PrincipalIdList::default()),
        },
    };
    let [earliest, latest] = [&request.earliest_start, &request.latest_start].map(|t| t.as_ref().map(id::milliseconds));
    let mut list = lh::PrincipalIdList::default();
    let (mut last, mut wrong) = (Vec::new(), false);
    let from = [prefix.as_slice(), &after].concat();
    state.scan(Table::KeyIdx, &from, after_prefix(&prefix).as_deref(), Order::Ascending, &mut |key, value| {
        let rest = key.get(prefix.len()..).unwrap_or_default();
        let name = rest.strip_suffix(&[0; 8]).and_then(|name| name.strip_suffix(b"/"));
        let (Some(Ok(name)), Some((created, &[is_admin]))) = (name.map(std::str::from_utf8), take_u64(value)) else {
            wrong = true;
            return ControlFlow::Break(());
        };
        let created = created.cast_signed();
        let fits = admins.is_none_or(|admins| admins == (is_admin == 1))
            && earliest.is_none_or(|earliest| created >= earliest)
            && latest.is_none_or(|latest| created <= latest);
        if !fits {
            return ControlFlow::Continue(());
        }
        if list.results.len() == limit {
            list.bookmark = Some(page::bookmark(query, Order::Ascending, &Position::Name(last.clone())));
            return ControlFlow::Break(());
        }
        list.results.push(lh::PrincipalId { id: name.to_owned() });
        last = rest.to_vec();
        ControlFlow::Continue(())
    })?;
    if wrong {
        return Err(damaged("KeyIdx row", "not a principal").into());
    }
    Ok(list)
}
