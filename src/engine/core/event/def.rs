//! ExternalEventDefs and WorkflowEventDefs. Neither has versions: nothing that runs reads them again.

use crate::api::{littlehorse as lh, store::v1 as store};
use crate::engine::core::id::is_valid_name;
use crate::engine::core::record::{ExternalEventDefRecord, WorkflowEventDefRecord};
use crate::engine::core::{Refusal, Tx};

/// PutExternalEventDef: the last one put counts.
pub fn put_external_event_def(
    tx: &mut Tx<'_>,
    mut request: lh::PutExternalEventDefRequest,
) -> Result<lh::ExternalEventDef, Refusal> {
    if !is_valid_name(&request.name) {
        return Err(Refusal::invalid("ExternalEventDefName must be a valid hostname"));
    }
    resolve(tx, request.content_type.as_mut())?;
    let def = lh::ExternalEventDef {
        id: Some(lh::ExternalEventDefId { name: request.name }),
        created_at: Some(tx.now()),
        retention_policy: Some(request.retention_policy.unwrap_or_default()),
        type_information: request.content_type,
        correlated_event_config: request.correlated_event_config,
    };
    let facts = store::DefinitionFacts { put_by: Some(tx.actor()), deleted: None };
    tx.put_external_event_def(&ExternalEventDefRecord { message: def.clone(), facts })?;
    Ok(def)
}

/// DeleteExternalEventDef. Nodes that wait for such an event go on waiting; none can be put until there is a new one.
pub fn delete_external_event_def(tx: &mut Tx<'_>, request: lh::DeleteExternalEventDefRequest) -> Result<(), Refusal> {
    match tx.erase_external_event_def(&request.id.unwrap_or_default().name)? {
        true => Ok(()),
        false => Err(Refusal::not_found("Couldn't find provided ExternalEventDefModel")),
    }
}

/// PutWorkflowEventDef: an existing one of the same type is given back.
pub fn put_workflow_event_def(
    tx: &mut Tx<'_>,
    mut request: lh::PutWorkflowEventDefRequest,
) -> Result<lh::WorkflowEventDef, Refusal> {
    resolve(tx, request.content_type.as_mut())?;
    let content_type = Some(request.content_type.unwrap_or_default());
    if let Some(stored) = tx.read().workflow_event_def(&request.name)? {
        if stored.message.content_type == content_type {
            return Ok(stored.message);
        }
        return Err(Refusal::exists(format!(
            "WorkflowEventDef with name {} already exists with different type!",
            request.name
        )));
    }
    let def = lh::WorkflowEventDef {
        id: Some(lh::WorkflowEventDefId { name: request.name }),
        created_at: Some(tx.now()),
        content_type,
    };
    let facts = store::DefinitionFacts { put_by: Some(tx.actor()), deleted: None };
    tx.put_workflow_event_def(&WorkflowEventDefRecord { message: def.clone(), facts })?;
    Ok(def)
}

/// DeleteWorkflowEventDef. What was thrown stays, and nodes of earlier WfSpecs still throw.
pub fn delete_workflow_event_def(tx: &mut Tx<'_>, request: lh::DeleteWorkflowEventDefRequest) -> Result<(), Refusal> {
    match tx.erase_workflow_event_def(&request.id.unwrap_or_default().name)? {
        true => Ok(()),
        false => Err(Refusal::not_found("Couldn't find provided WorkflowEventDefModel")),
    }
}

/// Writes the versions of StructDefs in, and refuses types that do not exist.
fn resolve(tx: &Tx<'_>, content: Option<&mut lh::ReturnType>) -> Result<(), Refusal> {
    match content.and_then(|content| content.return_type.as_mut()) {
        Some(declared) => Ok(tx.read().resolve_type(declared)?),
        None => Ok(()),
    }
}
