//! PutWfSpec and DeleteWfSpec: validation, then the version rules.

mod actions;
pub mod assignments;
mod builders;
mod catalogue;
mod child_nodes;
mod event_nodes;
mod interrupts;
mod mentions;
mod mutations;
mod nodes;
pub mod scopes;
mod task;
mod threads;
mod typing;
mod validate;

pub use catalogue::task_defs;
pub(super) use validate::normalize_var;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::api::{littlehorse as lh, store::v1 as store};
use crate::engine::core::id::is_valid_name;
use crate::engine::core::record::WfSpecRecord;
use crate::engine::core::value::type_name;
use crate::engine::core::{Fault, Refusal, Tx, id};

/// PutWfSpec: a new version, or the latest one when nothing differs from it.
pub fn put(tx: &mut Tx<'_>, request: lh::PutWfSpecRequest) -> Result<lh::WfSpec, Refusal> {
    if !is_valid_name(&request.name) {
        return Err(Refusal::invalid("WfSpecName must be a valid hostname"));
    }
    let updates = lh::AllowedUpdateType::try_from(request.allowed_updates)
        .map_err(|_| Refusal::invalid(format!("Unknown allowed_updates {}", request.allowed_updates)))?;
    let name = request.name;
    let mut candidate = lh::WfSpec {
        thread_specs: request.thread_specs,
        entrypoint_thread_name: request.entrypoint_thread_name,
        retention_policy: request.retention_policy,
        parent_wf_spec: request.parent_wf_spec,
        ..Default::default()
    };
    validate::wf_spec(&tx.read(), &mut candidate)?;
    let latest = tx.read().latest_wf_spec(&name, None, false)?.map(|record| record.message.clone());
    let before = latest.as_ref().map_or(&[][..], |latest| latest.frozen_variables.as_slice());
    candidate.frozen_variables = freeze(&candidate, before)?;
    check_parent(tx, &candidate)?;

    let (major, revision) = match &latest {
        Some(latest) if same(latest, &candidate) => return Ok(latest.clone()),
        Some(_) if updates == lh::AllowedUpdateType::NoUpdates => {
            return Err(Refusal::exists("WfSpec already exists."));
        }
        latest => next_version(tx, &name, latest.as_ref(), &candidate, updates)?,
    };
    candidate.id = Some(lh::WfSpecId { name, major_version: major, revision });
    candidate.created_at = Some(tx.now());
    let facts = store::DefinitionFacts { put_by: Some(tx.actor()), deleted: None };
    tx.put_wf_spec(&WfSpecRecord { message: candidate.clone(), facts })?;
    for warning in actions::warnings(&tx.read(), &candidate)? {
        tx.note(format!("WfSpec {}: {warning}", candidate.id.as_ref().map(id::wf_spec_text).unwrap_or_default()));
    }
    Ok(candidate)
}

/// DeleteWfSpec: hides one version; runs that use it go on with it.
pub fn delete(tx: &mut Tx<'_>, request: lh::DeleteWfSpecRequest) -> Result<(), Refusal> {
    let id = request.id.unwrap_or_default();
    let stored = tx.read().wf_spec(&id)?.filter(|record| record.facts.deleted.is_none());
    let mut record =
        Rc::unwrap_or_clone(stored.ok_or_else(|| Refusal::not_found("Couldn't find provided WfSpecModel"))?);
    record.facts.deleted = Some(store::Deletion { by: Some(tx.actor()), at: tx.context().now });
    tx.put_wf_spec(&record)?;
    Ok(())
}

fn check_parent(tx: &Tx<'_>, candidate: &lh::WfSpec) -> Result<(), Refusal> {
    let Some(parent) = &candidate.parent_wf_spec else { return Ok(()) };
    match tx.read().latest_wf_spec(&parent.wf_spec_name, Some(parent.wf_spec_major_version), false)? {
        Some(_) => Ok(()),
        None => Err(validate::no_parent(&parent.wf_spec_name)),
    }
}

/// The variables whose type may never change: required ones of the entrypoint, public ones of every thread, and those
/// that were frozen `before` and are gone or no longer either of it.
fn freeze(candidate: &lh::WfSpec, before: &[lh::ThreadVarDef]) -> Result<Vec<lh::ThreadVarDef>, Refusal> {
    let mut frozen: BTreeMap<&str, &lh::ThreadVarDef> = before.iter().map(|def| (var_name(def), def)).collect();
    for (thread_name, thread) in &candidate.thread_specs {
        for def in &thread.variable_defs {
            if let Some(old) = frozen.get(var_name(def))
                && defined_type(old) != defined_type(def)
            {
                let (name, old, new) = (var_name(def), var_type_name(old), var_type_name(def));
                return Err(Refusal::invalid(format!(
                    "Variable {name} must be of type {old} not {new} as it was formerly declared a PUBLIC_VAR"
                )));
            }
            let required = def.required && *thread_name == candidate.entrypoint_thread_name;
            if required || is_public(def) {
                frozen.insert(var_name(def), def);
            }
        }
    }
    Ok(frozen.into_values().cloned().collect())
}

/// The number of a version that differs from the latest one. Numbers of deleted versions are not given out again: runs
/// still mean what they were started with.
fn next_version(
    tx: &Tx<'_>,
    name: &str,
    latest: Option<&lh::WfSpec>,
    candidate: &lh::WfSpec,
    updates: lh::AllowedUpdateType,
) -> Result<(i32, i32), Refusal> {
    let newest = |major| -> Result<Option<lh::WfSpecId>, Fault> {
        Ok(tx.read().latest_wf_spec(name, major, true)?.and_then(|record| record.message.id.clone()))
    };
    let after = |number: i32| {
        number.checked_add(1).ok_or_else(|| Refusal::exhausted(format!("WfSpec {name} has no more version numbers")))
    };
    let next_major = || match newest(None)? {
        Some(newest) => Ok((after(newest.major_version)?, 0)),
        None => Ok((0, 0)),
    };
    let Some(latest) = latest else { return next_major() };
    if is_breaking(tx, latest, candidate)? {
        return match updates {
            lh::AllowedUpdateType::AllUpdates => next_major(),
            _ => Err(Refusal::precondition("The resulting WfSpec has a breaking change.")),
        };
    }
    let major = latest.id.as_ref().map(|id| id.major_version).unwrap_or_default();
    let revision = newest(Some(major))?.map(|id| id.revision).unwrap_or_default();
    Ok((major, after(revision)?))
}

/// Whether two versions say the same, whatever their numbers and times.
fn same(latest: &lh::WfSpec, candidate: &lh::WfSpec) -> bool {
    let bare = |spec: &lh::WfSpec| {
        let mut spec = lh::WfSpec { id: None, created_at: None, ..spec.clone() };
        spec.frozen_variables.sort_by(|a, b| var_name(a).cmp(var_name(b)));
        spec
    };
    bare(latest) == bare(candidate)
}

/// Whether clients, parents or children of the workflow could break on the new version.
fn is_breaking(tx: &Tx<'_>, latest: &lh::WfSpec, candidate: &lh::WfSpec) -> Result<bool, Fault> {
    let public = |spec: &lh::WfSpec| {
        let defs = spec.thread_specs.values().flat_map(|thread| &thread.variable_defs);
        let mut public: Vec<lh::ThreadVarDef> = defs.filter(|def| is_public(def)).cloned().collect();
        public.sort_by(|a, b| var_name(a).cmp(var_name(b)));
        public
    };
    let required = |spec: &lh::WfSpec| -> BTreeSet<String> {
        let defs =
            spec.thread_specs.get(&spec.entrypoint_thread_name).into_iter().flat_map(|thread| &thread.variable_defs);
        defs.filter(|def| def.required).map(|def| var_name(def).to_owned()).collect()
    };
    Ok(public(latest) != public(candidate)
        || required(latest) != required(candidate)
        || typing::output_of(&tx.read(), latest)? != typing::output_of(&tx.read(), candidate)?)
}

fn is_public(def: &lh::ThreadVarDef) -> bool {
    def.access_level == i32::from(lh::WfRunVariableAccessLevel::PublicVar)
}

fn var_name(def: &lh::ThreadVarDef) -> &str {
    def.var_def.as_ref().map(|var| var.name.as_str()).unwrap_or_default()
}

fn type_def(def: &lh::ThreadVarDef) -> Option<&lh::TypeDefinition> {
    def.var_def.as_ref()?.type_def.as_ref()
}

fn defined_type(def: &lh::ThreadVarDef) -> Option<&lh::type_definition::DefinedType> {
    type_def(def)?.defined_type.as_ref()
}

fn var_type_name(def: &lh::ThreadVarDef) -> String {
    type_def(def).map(type_name).unwrap_or_default()
}
