//! Starting a WfRun: by RunWf, by a node of another one, by a schedule.

use std::collections::BTreeMap;
use std::rc::Rc;

use prost_types::Timestamp;

use crate::api::littlehorse as lh;
use crate::engine::core::record::WfSpecRecord;
use crate::engine::core::run::{Run, advance, inputs, tree};
use crate::engine::core::value::Value;
use crate::engine::core::{Fault, Reader, Refusal, RunRef, Tx, event, id};
use lh::wf_run::ParentTriggerReference;
use lh::{LhStatus, ThreadType};

/// How many WfRuns may lie within each other: messages nest as ids do, and clients read 100 levels of messages.
const MAX_DEPTH: usize = 40;

/// RunWf: creates a WfRun and advances it until every thread waits or has ended.
pub fn run_wf(tx: &mut Tx<'_>, request: lh::RunWfRequest) -> Result<lh::WfRun, Refusal> {
    let Admitted { spec, id, given } = admit(tx, request)?;
    let started = tx.at();
    let run = begin(tx, &spec.message, id, started, given, None)?;
    advance::settle(tx)?;
    match tx.read().wf_run(run)? {
        Some(record) => Ok(record.message),
        None => Err(Refusal::not_found("The WfRun was deleted as soon as it had ended")),
    }
}

/// A RunWf request that was looked through.
pub struct Admitted {
    /// The WfSpec.
    pub spec: Rc<WfSpecRecord>,
    /// The id of the WfRun.
    pub id: lh::WfRunId,
    /// Its inputs.
    pub given: BTreeMap<String, Option<Value>>,
}

/// Looks a RunWf request through. Writes nothing.
pub fn admit(tx: &mut Tx<'_>, request: lh::RunWfRequest) -> Result<Admitted, Refusal> {
    if request.wf_spec_name.is_empty() {
        return Err(Refusal::invalid("Missing required argument 'wf_spec_name'"));
    }
    if request.id.as_ref().is_some_and(|id| !id::is_valid_name(id)) {
        return Err(Refusal::invalid("Optional argument 'id' must be a valid hostname"));
    }
    let spec = find_spec(&tx.read(), &request.wf_spec_name, request.major_version, request.revision)?;
    let spec = spec.ok_or_else(|| Refusal::not_found("Couldn't find specified WfSpec"))?;
    let id = lh::WfRunId {
        id: request.id.unwrap_or_else(|| tx.new_guid()),
        parent_wf_run_id: request.parent_wf_run_id.map(Box::new),
    };
    if tx.read().run_ref(&id)?.is_some() {
        return Err(Refusal::exists(format!("WfRun with id {} already exists!", id.id)));
    }
    check_parent(tx, &spec.message, &id)?;
    if let Some(wrong) = too_deep(&id) {
        return Err(Refusal::precondition(wrong));
    }
    if let Some(parent) = &id.parent_wf_run_id
        && let Some((run, record)) = tx.read().wf_run_by_id(parent)?
        && let Some(wrong) = tree::full(&tx.read(), tree::root(run, &record.facts))?
    {
        return Err(Refusal::precondition(wrong));
    }
    let thread_name = &spec.message.entrypoint_thread_name;
    let none = lh::ThreadSpec::default();
    let thread = spec.message.thread_specs.get(thread_name).unwrap_or(&none);
    let given = inputs::check(&tx.read(), thread_name, thread, request.variables)?;
    Ok(Admitted { spec, id, given })
}

/// What is wrong with an id that has too many parents.
pub fn too_deep(id: &lh::WfRunId) -> Option<String> {
    let depth = std::iter::successors(Some(id), |id| id.parent_wf_run_id.as_deref()).count();
    (depth > MAX_DEPTH).then(|| format!("A WfRun cannot have more than {} WfRuns above it", MAX_DEPTH - 1))
}

/// Creates a WfRun, whose id is free, with its first thread. It advances before the command ends.
pub fn begin(
    tx: &mut Tx<'_>,
    spec: &lh::WfSpec,
    id: lh::WfRunId,
    start_time: Timestamp,
    given: BTreeMap<String, Option<Value>>,
    parent_trigger: Option<ParentTriggerReference>,
) -> Result<RunRef, Fault> {
    let (run, record) = tx.create_wf_run(&lh::WfRun {
        id: Some(id.clone()),
        wf_spec_id: spec.id.clone(),
        status: LhStatus::Running.into(),
        start_time: Some(start_time),
        parent_trigger,
        ..Default::default()
    })?;
    event::adopt(tx, run, &id)?;
    let entrypoint = lh::ThreadRun {
        wf_spec_id: spec.id.clone(),
        thread_spec_name: spec.entrypoint_thread_name.clone(),
        r#type: ThreadType::Entrypoint.into(),
        ..Default::default()
    };
    let mut started = Run::new(tx, run, record);
    started.start_thread(spec, entrypoint, given)?;
    started.finish()?;
    tx.wake(run);
    Ok(run)
}

/// The version asked for: an exact one, the newest of a major one, or the newest. A revision alone counts for nothing.
pub fn find_spec(
    reader: &Reader<'_>,
    name: &str,
    major: Option<i32>,
    revision: Option<i32>,
) -> Result<Option<Rc<WfSpecRecord>>, Fault> {
    match (major, revision) {
        (Some(major_version), Some(revision)) => {
            let id = lh::WfSpecId { name: name.to_owned(), major_version, revision };
            Ok(reader.wf_spec(&id)?.filter(|record| record.facts.deleted.is_none()))
        }
        (major, _) => reader.latest_wf_spec(name, major, false),
    }
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
