//! RunWf.

use crate::api::littlehorse as lh;
use crate::engine::core::record::WfSpecRecord;
use crate::engine::core::run::{Run, inputs};
use crate::engine::core::{Refusal, Tx, event, id};
use lh::{LhStatus, ThreadType};

/// RunWf: creates a WfRun and advances it until every thread waits or has ended.
pub fn run_wf(tx: &mut Tx<'_>, request: lh::RunWfRequest) -> Result<lh::WfRun, Refusal> {
    if request.wf_spec_name.is_empty() {
        return Err(Refusal::invalid("Missing required argument 'wf_spec_name'"));
    }
    if request.id.as_ref().is_some_and(|id| !id::is_valid_name(id)) {
        return Err(Refusal::invalid("Optional argument 'id' must be a valid hostname"));
    }
    let spec = find_spec(tx, &request)?.ok_or_else(|| Refusal::not_found("Couldn't find specified WfSpec"))?.message;
    let wf_run_id = lh::WfRunId {
        id: request.id.unwrap_or_else(|| tx.new_guid()),
        parent_wf_run_id: request.parent_wf_run_id.map(Box::new),
    };
    if tx.read().run_ref(&wf_run_id)?.is_some() {
        return Err(Refusal::exists(format!("WfRun with id {} already exists!", wf_run_id.id)));
    }
    check_parent(tx, &spec, &wf_run_id)?;
    let thread_name = spec.entrypoint_thread_name.clone();
    let thread = spec.thread_specs.get(&thread_name).cloned().unwrap_or_default();
    let given = inputs::check(&tx.read(), &thread_name, &thread, request.variables)?;
    let (run, record) = tx.create_wf_run(&lh::WfRun {
        id: Some(wf_run_id),
        wf_spec_id: spec.id.clone(),
        status: LhStatus::Running.into(),
        start_time: Some(tx.at()),
        ..Default::default()
    })?;
    event::adopt(tx, run, &record.message.id.clone().unwrap_or_default())?;
    let mut run = Run::new(tx, run, record);
    let entrypoint = lh::ThreadRun {
        wf_spec_id: spec.id.clone(),
        thread_spec_name: thread_name,
        r#type: ThreadType::Entrypoint.into(),
        ..Default::default()
    };
    run.start_thread(&spec, entrypoint, given)?;
    run.advance()?;
    Ok(run.finish()?)
}

/// The version asked for: an exact one, the newest of a major one, or the newest. A revision alone counts for nothing.
fn find_spec(tx: &Tx<'_>, request: &lh::RunWfRequest) -> Result<Option<WfSpecRecord>, Refusal> {
    let name = &request.wf_spec_name;
    let found = match (request.major_version, request.revision) {
        (Some(major_version), Some(revision)) => {
            let id = lh::WfSpecId { name: name.clone(), major_version, revision };
            tx.read().wf_spec(&id)?.filter(|record| record.facts.deleted.is_none())
        }
        (major, _) => tx.read().latest_wf_spec(name, major, false)?,
    };
    Ok(found)
}

fn check_parent(tx: &Tx<'_>, spec: &lh::WfSpec, id: &lh::WfRunId) -> Result<(), Refusal> {
    let name = spec.id.as_ref().map(|id| id.name.as_str()).unwrap_or_default();
    let (wanted, parent) = match (&spec.parent_wf_spec, id.parent_wf_run_id.as_deref()) {
        (None, None) => return Ok(()),
        (None, Some(_)) => {
            return Err(Refusal::invalid(format!("WfSpec {name} does not refer to a parent WfSpec.")));
        }
        (Some(wanted), None) => {
            let wanted = &wanted.wf_spec_name;
            return Err(Refusal::invalid(format!("WfSpec {name} requires a parent WfRun ID from WfSpec {wanted}")));
        }
        (Some(wanted), Some(parent)) => (&wanted.wf_spec_name, parent),
    };
    let Some((_, record)) = tx.read().wf_run_by_id(parent)? else {
        let text = id::wf_run_text(parent);
        return Err(Refusal::precondition(format!("Parent WfRun of type {wanted} with id {text} not found.")));
    };
    let actual = record.message.wf_spec_id.map(|id| id.name).unwrap_or_default();
    if actual != *wanted {
        return Err(Refusal::invalid(format!("Parent WfRun is of incorrect type {actual} but should be {wanted}")));
    }
    Ok(())
}
