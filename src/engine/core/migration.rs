//! Migration plans: where the threads of one version of a WfSpec go on in another, and sending a WfRun there.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use prost::Message;

use crate::api::{littlehorse as lh, store::v1 as store};
use crate::engine::core::definition::wf_spec::scopes;
use crate::engine::core::derive::{Derived, Derives, Numbers, listed};
use crate::engine::core::key::{self, KeyIndex, Kind, ObjKey, Word, after_prefix};
use crate::engine::core::query::page::{self, Position, Query};
use crate::engine::core::read::Reader;
use crate::engine::core::record::MigrationPlanRecord;
use crate::engine::core::run::Run;
use crate::engine::core::{Fault, Order, Refusal, State, Table, Tx, id};
use lh::LhStatus;
use lh::node::Node;
use lh::search_workflow_migration_plan_request::WorkflowMigrationPlanCriteria as Criteria;

/// PutWorkflowMigrationPlan: creates it, or replaces the one of that name.
pub fn put(
    tx: &mut Tx<'_>,
    request: lh::PutWorkflowMigrationPlanRequest,
) -> Result<lh::WorkflowMigrationPlan, Refusal> {
    let old = request.old_wf_spec.clone().unwrap_or_default();
    let new = lh::WfSpecId { name: old.name.clone(), major_version: request.major_version, revision: request.revision };
    let destination = spec(tx, "Destination", &new)?;
    let source = spec(tx, "Source", &old)?;
    if request.thread_migrations.is_empty() {
        return Err(Refusal::invalid("threadMigrations cannot be null or empty"));
    }
    for (name, thread) in &request.thread_migrations {
        check_thread(&source, &destination, name, thread)?;
    }
    let mut thread_migrations = BTreeMap::new();
    for (name, thread) in &request.thread_migrations {
        let lh::ThreadMigrationPlanRequest { new_thread_name, node_migrations } = thread.clone();
        let thread_spec_dependencies = dependencies(&source, &destination, &request.thread_migrations, name)?;
        let plan = lh::ThreadMigrationPlan { new_thread_name, node_migrations, thread_spec_dependencies };
        thread_migrations.insert(name.clone(), plan);
    }
    let plan = lh::WorkflowMigrationPlan {
        workflow_migration_plan_id: Some(lh::WorkflowMigrationPlanId { name: request.name.clone() }),
        created_at: Some(tx.now()),
        thread_migrations,
        old_wf_spec: Some(old),
        major_version: request.major_version,
        revision: request.revision,
    };
    let number = tx.intern(Word::Name, &request.name)?;
    let facts = store::DefinitionFacts { put_by: Some(tx.actor()), deleted: None };
    tx.store(plan_key(tx.tenant(), number), &MigrationPlanRecord { message: plan.clone(), facts })?;
    Ok(plan)
}

fn spec(tx: &Tx<'_>, which: &str, spec: &lh::WfSpecId) -> Result<lh::WfSpec, Refusal> {
    let stored = tx.read().wf_spec(spec)?.filter(|record| record.facts.deleted.is_none());
    let missing = || Refusal::not_found(format!("{which} WfSpec {} does not exist", id::wf_spec_text(spec)));
    Ok(stored.ok_or_else(missing)?.message.clone())
}

fn check_thread(
    source: &lh::WfSpec,
    destination: &lh::WfSpec,
    name: &str,
    plan: &lh::ThreadMigrationPlanRequest,
) -> Result<(), Refusal> {
    let new_name = &plan.new_thread_name;
    let no_thread = |which: &str, name: &str| Refusal::invalid(format!("{which} WfSpec has no threadSpec {name}"));
    let old = source.thread_specs.get(name).ok_or_else(|| no_thread("Source", name))?;
    let new = destination.thread_specs.get(new_name).ok_or_else(|| no_thread("Destination", new_name))?;
    if (source.entrypoint_thread_name == *name) != (destination.entrypoint_thread_name == *new_name) {
        return Err(Refusal::invalid(format!(
            "Cannot migrate thread {name} to thread {new_name} because only one of them is the entrypoint"
        )));
    }
    for (from, to) in &plan.node_migrations {
        let to = &to.new_node_name;
        for (way, which, thread_name, thread, node) in
            [("from", "source", name, old, from), ("to", "destination", new_name.as_str(), new, to)]
        {
            let Some(found) = thread.nodes.get(node) else {
                return Err(Refusal::invalid(format!(
                    "ThreadSpec {thread_name} on {which} WfSpec does not have node {node}"
                )));
            };
            let kind = match &found.node {
                Some(Node::Entrypoint(_)) => "ENTRYPOINT",
                Some(Node::Exit(_)) => "EXIT",
                Some(Node::Nop(_)) => "NOP",
                _ => continue,
            };
            return Err(Refusal::invalid(format!(
                "Cannot migrate {way} node {node} on {which} thread {thread_name} because {kind} nodes are not \
                 migratable"
            )));
        }
    }
    Ok(())
}

/// The threads that must have moved before this one does: those above it that get a variable only then which it will
/// need.
fn dependencies(
    source: &lh::WfSpec,
    destination: &lh::WfSpec,
    plans: &BTreeMap<String, lh::ThreadMigrationPlanRequest>,
    name: &str,
) -> Result<Vec<String>, Refusal> {
    let Some(plan) = plans.get(name) else { return Ok(Vec::new()) };
    let new_name = &plan.new_thread_name;
    let Some(new) = destination.thread_specs.get(new_name) else { return Ok(Vec::new()) };
    let above = scopes::above(source, name);
    let old_has = |thread: &str, variable: &str| {
        source.thread_specs.get(thread).is_some_and(|thread| scopes::declares(thread, variable))
    };
    let gets = |thread: &str, variable: &str| {
        let moved = plans.get(thread).and_then(|plan| destination.thread_specs.get(&plan.new_thread_name));
        moved.is_some_and(|thread| scopes::declares(thread, variable))
    };
    let mut dependencies = BTreeSet::new();
    for variable in scopes::needed(new) {
        // What a thread has when it moves stays.
        if old_has(name, variable) || above.iter().any(|thread| old_has(thread, variable)) {
            continue;
        }
        let mut giving = above.iter().filter(|thread| gets(thread, variable)).peekable();
        if giving.peek().is_none() {
            return Err(Refusal::precondition(format!(
                "The variable '{variable}' is required by destination thread '{new_name}', but after the migration \
                 neither the thread nor one above it would have it"
            )));
        }
        dependencies.extend(giving.map(|thread| (*thread).to_owned()));
    }
    Ok(dependencies.into_iter().collect())
}

/// ApplyWorkflowMigrationPlan: each thread of the WfRun moves where it waits, or where it arrives next.
pub fn apply(tx: &mut Tx<'_>, request: lh::ApplyWorkflowMigrationPlanRequest) -> Result<lh::WfRun, Refusal> {
    let plan_id = request.id.unwrap_or_default();
    let plan = tx.read().migration_plan(&plan_id.name)?;
    let missing = || Refusal::not_found(format!("Couldn't find WorkflowMigrationPlan {}", plan_id.name));
    let plan = plan.ok_or_else(missing)?.message;
    let run_id = request.wf_run_id.unwrap_or_default();
    let text = id::wf_run_text(&run_id);
    let missing = || Refusal::not_found(format!("Couldn't find WfRun {text}"));
    let (run, record) = tx.read().wf_run_by_id(&run_id)?.ok_or_else(missing)?;
    let status = record.message.status();
    if matches!(status, LhStatus::Completed | LhStatus::Error | LhStatus::Exception) {
        let status = status.as_str_name();
        return Err(Refusal::precondition(format!("WfRun {text} has status {status} and cannot be migrated")));
    }
    if record.message.workflow_migration_plan_id.is_some() {
        return Err(Refusal::precondition(format!("A migration is already in progress for WfRun {text}")));
    }
    check_variables(tx, &plan, &request.migration_vars_by_thread)?;
    let mut run = Run::new(tx, run, record);
    run.record.message.workflow_migration_plan_id = Some(plan_id);
    run.record.message.migration_variables = request.migration_vars_by_thread;
    run.advance()?;
    Ok(run.finish()?)
}

/// Values are for variables that the threads will have, and of their types.
fn check_variables(
    tx: &Tx<'_>,
    plan: &lh::WorkflowMigrationPlan,
    given: &BTreeMap<String, lh::MigrationVars>,
) -> Result<(), Refusal> {
    let destination = spec(tx, "Destination", &destination(plan))?;
    let stored = tx.read().wf_spec(&plan.old_wf_spec.clone().unwrap_or_default())?;
    let source = stored.map(|record| record.message.clone()).unwrap_or_default();
    for (thread, variables) in given {
        let planned = plan.thread_migrations.get(thread);
        let planned = planned.ok_or_else(|| Refusal::invalid(format!("The plan does not migrate thread {thread}")))?;
        let name = &planned.new_thread_name;
        let declared = destination.thread_specs.get(name).map(|thread| thread.variable_defs.as_slice());
        for (variable, value) in &variables.var_assignment_by_var_name {
            let defs = declared.unwrap_or_default().iter().filter_map(|def| def.var_def.as_ref());
            let Some(def) = defs.into_iter().find(|def| def.name == *variable) else {
                return Err(Refusal::invalid(format!(
                    "Migration variable '{variable}' is not in scope of destination thread '{name}'"
                )));
            };
            scopes::check_value(&tx.read(), &source, thread, def, value)?;
        }
    }
    Ok(())
}

/// The version that a plan leads to.
pub fn destination(plan: &lh::WorkflowMigrationPlan) -> lh::WfSpecId {
    let name = plan.old_wf_spec.as_ref().map(|old| old.name.clone()).unwrap_or_default();
    lh::WfSpecId { name, major_version: plan.major_version, revision: plan.revision }
}

/// GetWorkflowMigrationPlan.
pub fn get_workflow_migration_plan(
    state: &dyn State,
    tenant: &str,
    request: lh::WorkflowMigrationPlanId,
) -> Result<lh::WorkflowMigrationPlan, Refusal> {
    let stored = Reader::new(state, tenant)?.migration_plan(&request.name)?;
    let missing = || Refusal::not_found("Couldn't find specified WorkflowMigrationPlan");
    Ok(stored.ok_or_else(missing)?.message.clone())
}

/// SearchWorkflowMigrationPlan: ids by name; all, those whose name begins so, or those of a WfSpec.
pub fn search_workflow_migration_plan(
    state: &dyn State,
    tenant: &str,
    request: lh::SearchWorkflowMigrationPlanRequest,
) -> Result<lh::WorkflowMigrationPlanIdList, Refusal> {
    let limit = page::limit_or_zero(request.limit)?;
    let filters = lh::SearchWorkflowMigrationPlanRequest { bookmark: None, limit: None, ..request.clone() };
    let query = Query::new("SearchWorkflowMigrationPlan", tenant, &filters.encode_to_vec());
    let after = match page::position(query, Order::Ascending, request.bookmark.as_deref())? {
        None => None,
        Some(Position::Name(rest)) => Some(rest),
        Some(_) => return Err(page::foreign_bookmark()),
    };
    let mut list = lh::WorkflowMigrationPlanIdList::default();
    let reader = Reader::new(state, tenant)?;
    let Some(number) = reader.tenant else { return Ok(list) };
    let prefix = key::key_index_prefix(KeyIndex::MigrationPlans, number);
    let mut range = prefix.clone();
    if let Some(Criteria::Prefix(beginning)) = &request.workflow_migration_plan_criteria {
        range.extend(beginning.bytes());
    }
    let from = match &after {
        Some(rest) => [&prefix[..], rest, &[0]].concat(),
        None => range.clone(),
    };
    let (mut last, mut outcome) = (Vec::new(), Ok(()));
    state.scan(Table::KeyIdx, &from, after_prefix(&range).as_deref(), Order::Ascending, &mut |row, _| {
        let rest = row.get(prefix.len()..).unwrap_or_default();
        let name = rest.strip_suffix(&[0; 8]).and_then(|name| std::str::from_utf8(name).ok()?.strip_suffix('/'));
        let Some(name) = name else { return ControlFlow::Continue(()) };
        if let Some(Criteria::WfSpecName(wanted)) = &request.workflow_migration_plan_criteria {
            match reader.migration_plan(name) {
                Ok(plan) => {
                    let of = plan.and_then(|plan| plan.message.old_wf_spec).map(|spec| spec.name);
                    if of.as_ref() != Some(wanted) {
                        return ControlFlow::Continue(());
                    }
                }
                Err(fault) => {
                    outcome = Err(fault);
                    return ControlFlow::Break(());
                }
            }
        }
        if list.results.len() == limit {
            list.bookmark = Some(page::bookmark(query, Order::Ascending, &Position::Name(last.clone())));
            return ControlFlow::Break(());
        }
        list.results.push(lh::WorkflowMigrationPlanId { name: name.to_owned() });
        last = rest.to_vec();
        ControlFlow::Continue(())
    })?;
    outcome?;
    Ok(list)
}

fn plan_key(tenant: u32, name: u32) -> ObjKey {
    ObjKey::new(u64::from(tenant), Kind::MigrationPlan, u64::from(name), 0)
}

impl Reader<'_> {
    /// A migration plan by its name.
    pub fn migration_plan(&self, name: &str) -> Result<Option<MigrationPlanRecord>, Fault> {
        match (self.tenant, self.number(Word::Name, name)?) {
            (Some(tenant), Some(number)) => self.object(plan_key(tenant, number)),
            _ => Ok(None),
        }
    }
}

impl Derives for MigrationPlanRecord {
    fn derive(&self, _: ObjKey, tenant: u32, _: &mut Numbers<'_>) -> Result<Derived, Fault> {
        let id = self.message.workflow_migration_plan_id.as_ref();
        let name = id.map(|id| id.name.as_str()).unwrap_or_default();
        Ok(listed(KeyIndex::MigrationPlans, tenant, name, 0, true))
    }
}
