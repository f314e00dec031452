//! Scheduled WfRuns: a workflow is run again and again, by a cron expression.
//!
//! The next time stands in the facts of the schedule, and the timer follows from it. It is found anew after every
//! firing, from the time at which that really happened: what was missed while nobody was there fires once.

mod cron;
#[cfg(test)]
mod tests;

use crate::api::{littlehorse as lh, store::v1 as store};
use crate::engine::core::derive::{Derived, Derives, Numbers};
use crate::engine::core::key::{self, IdKind, Index, Kind, ObjKey, Word, damaged};
use crate::engine::core::record::ScheduledWfRunRecord;
use crate::engine::core::{Fault, Reader, Refusal, Table, Tx, run};
use cron::Cron;

/// ScheduleWf: a schedule of the same id is replaced.
pub fn schedule_wf(tx: &mut Tx<'_>, request: lh::ScheduleWfRequest) -> Result<lh::ScheduledWfRun, Refusal> {
    let (name, major, revision) = (request.wf_spec_name, request.major_version, request.revision);
    let spec = run::find_spec(&tx.read(), &name, major, revision)?.and_then(|record| record.message.id.clone());
    let spec = spec.ok_or_else(|| {
        let or_null = |number: Option<i32>| number.map_or("null".to_owned(), |number| number.to_string());
        Refusal::invalid(format!("WfSpec {name} {}.{} does not exist", or_null(major), or_null(revision)))
    })?;
    let cron = Cron::parse(&request.cron_expression)
        .map_err(|wrong| Refusal::invalid(format!("Invalid cron expression {:?}: {wrong}", request.cron_expression)))?;
    let next_due = cron.next(tx.context().now);
    if next_due.is_none() {
        return Err(Refusal::invalid("Cron expression does not yield a next execution time"));
    }
    let id = request.id.filter(|id| !id.is_empty()).unwrap_or_else(|| tx.new_guid());
    if let Some((earlier, _)) = tx.read().scheduled_wf_run(&id)? {
        tx.erase(earlier)?;
    }
    let schedule = lh::ScheduledWfRun {
        id: Some(lh::ScheduledWfRunId { id }),
        wf_spec_id: Some(spec),
        variables: request.variables,
        parent_wf_run_id: request.parent_wf_run_id,
        cron_expression: request.cron_expression,
        created_at: Some(tx.now()),
    };
    let ordinal = tx.next_ordinal(schedule.created_at.as_ref())?;
    let key = ObjKey::new(tx.tenant().into(), Kind::ScheduledWfRun, ordinal, 0);
    let facts = store::ScheduledWfRunFacts { put_by: Some(tx.actor()), next_due };
    tx.store(key, &ScheduledWfRunRecord { message: schedule.clone(), facts })?;
    Ok(schedule)
}

/// DeleteScheduledWfRun: one that is not there is fine. WfRuns that it started go on.
pub fn delete_scheduled_wf_run(tx: &mut Tx<'_>, request: lh::DeleteScheduledWfRunRequest) -> Result<(), Refusal> {
    if let Some((key, _)) = tx.read().scheduled_wf_run(&request.id.unwrap_or_default().id)? {
        tx.erase(key)?;
    }
    Ok(())
}

/// Runs the workflow, and finds the next time. A WfRun that is refused is a line in the log.
pub fn due(tx: &mut Tx<'_>, owner: ObjKey) -> Result<(), Refusal> {
    let Some(mut record): Option<ScheduledWfRunRecord> = tx.read().object(owner)? else { return Ok(()) };
    let now = tx.context().now;
    record.facts.next_due = Cron::parse(&record.message.cron_expression).ok().and_then(|cron| cron.next(now));
    tx.store(owner, &record)?;
    let schedule = record.message;
    let spec = schedule.wf_spec_id.unwrap_or_default();
    let request = lh::RunWfRequest {
        wf_spec_name: spec.name,
        major_version: Some(spec.major_version),
        revision: Some(spec.revision),
        variables: schedule.variables,
        id: None,
        parent_wf_run_id: schedule.parent_wf_run_id,
    };
    // Refused before anything is written, or not at all.
    match run::admit(tx, request) {
        Ok(admitted) => {
            let started = tx.now();
            run::begin(tx, &admitted.spec.message, admitted.id, started, admitted.given, None)?;
        }
        Err(refusal) if matches!(refusal.code, tonic::Code::DataLoss | tonic::Code::Unavailable) => {
            return Err(refusal);
        }
        Err(refusal) => {
            let id = schedule.id.unwrap_or_default().id;
            tx.note(format!("ScheduledWfRun {id} could not run its workflow: {}", refusal.message));
        }
    }
    Ok(())
}

impl Derives for ScheduledWfRunRecord {
    fn derive(&self, key: ObjKey, tenant: u32, numbers: &mut Numbers<'_>) -> Result<Derived, Fault> {
        let mut derived = Derived::default();
        let id = self.message.id.as_ref().map(|id| id.id.as_str()).unwrap_or_default();
        derived.ids.insert(key::id(tenant, IdKind::ScheduledWfRun, id), key.sub);
        let spec = self.message.wf_spec_id.as_ref().map(|id| id.name.as_str()).unwrap_or_default();
        derived.rows.insert((Index::SchedulesBySpec, numbers(Word::Name, spec)?, 0, key.sub), Vec::new());
        if let Some(due) = self.facts.next_due {
            derived.timer(tenant, due, key, 0);
        }
        Ok(derived)
    }
}

impl Reader<'_> {
    /// A schedule by its id, and where it lies.
    pub fn scheduled_wf_run(&self, id: &str) -> Result<Option<(ObjKey, ScheduledWfRunRecord)>, Fault> {
        let Some(tenant) = self.tenant else { return Ok(None) };
        let Some(bytes) = self.state.get(Table::Ids, &key::id(tenant, IdKind::ScheduledWfRun, id))? else {
            return Ok(None);
        };
        let key = self.scheduled_wf_run_key(key::read_u64(&bytes, Table::Ids)?);
        match self.object(key)? {
            Some(record) => Ok(Some((key, record))),
            None => Err(damaged("Ids row", "leads to a ScheduledWfRun that is not there")),
        }
    }

    /// Where the schedule of this ordinal lies.
    pub fn scheduled_wf_run_key(&self, ordinal: u64) -> ObjKey {
        ObjKey::new(self.tenant.unwrap_or_default().into(), Kind::ScheduledWfRun, ordinal, 0)
    }
}
