//! PutTaskDef and DeleteTaskDef.

use crate::api::{littlehorse as lh, store::v1 as store};
use crate::engine::core::definition::wf_spec;
use crate::engine::core::id::is_valid_name;
use crate::engine::core::record::TaskDefRecord;
use crate::engine::core::{Refusal, Tx};

/// PutTaskDef: creates it, or gives the stored one back when nothing differs. It never changes.
pub fn put(tx: &mut Tx<'_>, request: lh::PutTaskDefRequest) -> Result<lh::TaskDef, Refusal> {
    if !is_valid_name(&request.name) {
        return Err(Refusal::invalid("TaskDefName must be a valid hostname"));
    }
    let mut input_vars = request.input_vars;
    for var in &mut input_vars {
        wf_spec::normalize_var(var)?;
        if let Some(declared) = &mut var.type_def {
            tx.read().resolve_type(declared)?;
        }
    }
    let mut return_type = request.return_type.unwrap_or_default();
    if let Some(returned) = &mut return_type.return_type {
        tx.read().resolve_type(returned)?;
    }
    let def = lh::TaskDef {
        id: Some(lh::TaskDefId { name: request.name.clone() }),
        input_vars,
        created_at: Some(tx.now()),
        // Void is the empty message, never an absent one.
        return_type: Some(return_type),
        description: request.description,
    };
    if let Some(stored) = tx.read().task_def(&request.name)? {
        let created_at = stored.message.created_at;
        return match stored.message == (lh::TaskDef { created_at, ..def }) {
            true => Ok(stored.message),
            false => Err(Refusal::exists(format!("TaskDef [{}] already exists and is immutable.", request.name))),
        };
    }
    let facts = store::DefinitionFacts { put_by: Some(tx.actor()), deleted: None };
    tx.put_task_def(&TaskDefRecord { message: def.clone(), facts })?;
    Ok(def)
}

/// DeleteTaskDef, whoever uses it: its name is free again. TaskRuns that there are go on.
pub fn delete(tx: &mut Tx<'_>, request: lh::DeleteTaskDefRequest) -> Result<(), Refusal> {
    let name = request.id.unwrap_or_default().name;
    let missing = || Refusal::not_found("Couldn't find provided TaskDefModel");
    tx.read().task_def(&name)?.ok_or_else(missing)?;
    tx.remove_task_def(&name)?;
    tx.remove_task_worker_group(&name)?;
    Ok(())
}
