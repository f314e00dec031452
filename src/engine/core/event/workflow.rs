//! WorkflowEvents: what a WfRun tells the outside.

use std::ops::ControlFlow;

use crate::api::{littlehorse as lh, store::v1 as store};
use crate::engine::core::id;
use crate::engine::core::key::{Kind, ObjKey, RunRef, Word};
use crate::engine::core::record::{Record, WorkflowEventRecord};
use crate::engine::core::{Fault, Order, Reader, Tx};

/// Throws an event: stores it under the next number of its definition, and tells who waits for it.
pub fn throw(
    tx: &mut Tx<'_>,
    run: RunRef,
    def: &lh::WorkflowEventDefId,
    content: lh::VariableValue,
    node_run_id: lh::NodeRunId,
) -> Result<lh::WorkflowEventId, Fault> {
    let name = tx.intern(Word::Name, &def.name)?;
    let number = match tx.read().last_workflow_event(run, name)? {
        Some(last) => last.checked_add(1).filter(|number| i32::try_from(*number).is_ok()),
        None => Some(0),
    };
    let number = number.ok_or_else(|| Fault::Storage("there are no more numbers of workflow events".to_owned()))?;
    let id = lh::WorkflowEventId {
        wf_run_id: node_run_id.wf_run_id.clone(),
        workflow_event_def_id: Some(def.clone()),
        number: number.cast_signed(),
    };
    let event = lh::WorkflowEvent {
        id: Some(id.clone()),
        content: Some(content),
        created_at: Some(tx.now()),
        node_run_id: Some(node_run_id),
    };
    let facts = store::WorkflowEventFacts { ordinal: tx.next_ordinal(event.created_at.as_ref())? };
    tx.store(key(run, name, number), &WorkflowEventRecord { message: event, facts })?;
    tx.announce_event(id.clone());
    Ok(id)
}

fn key(run: RunRef, def: u32, number: u32) -> ObjKey {
    ObjKey::new(run.0, Kind::WorkflowEvent, def.into(), number)
}

impl Reader<'_> {
    /// A WorkflowEvent.
    pub fn workflow_event(&self, id: &lh::WorkflowEventId) -> Result<Option<WorkflowEventRecord>, Fault> {
        let def = id.workflow_event_def_id.as_ref().map(|def| def.name.as_str()).unwrap_or_default();
        let run = self.run_ref(&id.wf_run_id.clone().unwrap_or_default())?;
        let (Some(run), Some(def), Ok(number)) = (run, self.number(Word::Name, def)?, u32::try_from(id.number)) else {
            return Ok(None);
        };
        self.object(key(run, def, number))
    }

    /// The number of the newest event of a definition in a WfRun.
    fn last_workflow_event(&self, run: RunRef, def: u32) -> Result<Option<u32>, Fault> {
        let (from, to) = ((def.into(), 0), (def.into(), u32::MAX));
        let mut last = None;
        self.objects(run.0, Kind::WorkflowEvent, from, to, Order::Descending, &mut |key, _| {
            last = Some(key.n);
            Ok(ControlFlow::Break(()))
        })?;
        Ok(last)
    }

    /// The earliest event of a WfRun that `wanted` takes.
    pub fn first_workflow_event(
        &self,
        run: &lh::WfRunId,
        wanted: &dyn Fn(&lh::WorkflowEventId) -> bool,
    ) -> Result<Option<lh::WorkflowEvent>, Fault> {
        let Some(run) = self.run_ref(run)? else { return Ok(None) };
        let mut first: Option<WorkflowEventRecord> = None;
        let (from, to) = ((0, 0), (u64::MAX, u32::MAX));
        self.objects(run.0, Kind::WorkflowEvent, from, to, Order::Ascending, &mut |key, bytes| {
            let record: WorkflowEventRecord = Record::decode(key, bytes)?;
            let is_earlier = first.as_ref().is_none_or(|first| record.facts.ordinal < first.facts.ordinal);
            if is_earlier && record.message.id.as_ref().is_some_and(wanted) {
                first = Some(record);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(first.map(|record| record.message))
    }
}

/// Which events somebody waits for, as AwaitWorkflowEvent says it.
#[derive(Clone, Debug)]
pub struct Awaited {
    /// The WfRun.
    pub run: lh::WfRunId,
    run_text: String,
    /// Names of definitions; none of them stands for all.
    defs: Vec<String>,
    /// Definitions and numbers that are known already, sorted.
    known: Vec<(String, i32)>,
}

impl Awaited {
    /// What a request asks for.
    pub fn new(request: lh::AwaitWorkflowEventRequest) -> Self {
        let run = request.wf_run_id.unwrap_or_default();
        let run_text = id::wf_run_text(&run);
        let mut defs: Vec<String> = request.event_def_ids.into_iter().map(|def| def.name).collect();
        defs.sort_unstable();
        let ignored = request.workflow_events_to_ignore.into_iter();
        let mut known: Vec<(String, i32)> = ignored
            .filter(|id| id.wf_run_id.as_ref().map(id::wf_run_text).unwrap_or_default() == run_text)
            .map(|id| (id.workflow_event_def_id.unwrap_or_default().name, id.number))
            .collect();
        known.sort_unstable();
        Self { run, run_text, defs, known }
    }

    /// Whether this is one of them.
    pub fn takes(&self, id: &lh::WorkflowEventId) -> bool {
        let def = id.workflow_event_def_id.clone().unwrap_or_default().name;
        id.wf_run_id.as_ref().map(id::wf_run_text).unwrap_or_default() == self.run_text
            && (self.defs.is_empty() || self.defs.binary_search(&def).is_ok())
            && self.known.binary_search(&(def, id.number)).is_err()
    }
}
