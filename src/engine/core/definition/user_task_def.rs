//! PutUserTaskDef and DeleteUserTaskDef.

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::api::{littlehorse as lh, store::v1 as store};
use crate::engine::core::id::is_valid_name;
use crate::engine::core::record::UserTaskDefRecord;
use crate::engine::core::{Refusal, Tx};

/// PutUserTaskDef: a new version, or the latest one when nothing differs from it.
pub fn put(tx: &mut Tx<'_>, request: lh::PutUserTaskDefRequest) -> Result<lh::UserTaskDef, Refusal> {
    if !is_valid_name(&request.name) {
        return Err(Refusal::invalid("UserTaskDefName must be a valid hostname"));
    }
    check_fields(&request.fields)?;
    if let Some(latest) = tx.read().latest_user_task_def(&request.name, false)?
        && latest.message.description == request.description
        && latest.message.fields == request.fields
    {
        return Ok(latest.message.clone());
    }
    // Numbers of deleted versions are not given out again: open tasks still mean what they were made with.
    let version =
        match tx.read().latest_user_task_def(&request.name, true)? {
            Some(newest) => newest.message.version.checked_add(1).ok_or_else(|| {
                Refusal::exhausted(format!("UserTaskDef {} has no more version numbers", request.name))
            })?,
            None => 0,
        };
    let def = lh::UserTaskDef {
        name: request.name,
        version,
        description: request.description,
        fields: request.fields,
        created_at: Some(tx.now()),
    };
    let facts = store::DefinitionFacts { put_by: Some(tx.actor()), deleted: None };
    tx.put_user_task_def(&UserTaskDefRecord { message: def.clone(), facts })?;
    Ok(def)
}

/// Fields are told apart by name and typed into by a person: anything else could never be completed.
fn check_fields(fields: &[lh::UserTaskField]) -> Result<(), Refusal> {
    let mut names = BTreeSet::new();
    for field in fields {
        if field.name.is_empty() {
            return Err(Refusal::invalid("UserTaskDef has a field without a name"));
        }
        if !names.insert(&field.name) {
            return Err(Refusal::invalid(format!("UserTaskDef has two fields named {}", field.name)));
        }
        match lh::VariableType::try_from(field.r#type) {
            Ok(kind @ (lh::VariableType::JsonObj | lh::VariableType::JsonArr | lh::VariableType::Bytes)) => {
                let kind = kind.as_str_name();
                return Err(Refusal::invalid(format!("UserTaskDef field {} cannot be of type {kind}", field.name)));
            }
            Ok(_) => {}
            Err(_) => {
                let number = field.r#type;
                return Err(Refusal::invalid(format!("UserTaskDef field {} has unknown type {number}", field.name)));
            }
        }
    }
    Ok(())
}

/// DeleteUserTaskDef: hides one version; runs that use it go on with it.
pub fn delete(tx: &mut Tx<'_>, request: lh::DeleteUserTaskDefRequest) -> Result<(), Refusal> {
    let id = request.id.unwrap_or_default();
    let stored = tx.read().user_task_def(&id)?.filter(|record| record.facts.deleted.is_none());
    let mut record =
        Rc::unwrap_or_clone(stored.ok_or_else(|| Refusal::not_found("Couldn't find provided UserTaskDefModel"))?);
    record.facts.deleted = Some(store::Deletion { by: Some(tx.actor()), at: tx.context().now });
    tx.put_user_task_def(&record)?;
    Ok(())
}
