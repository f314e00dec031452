//! ExternalEvents: put for a WfRun, which need not exist yet, and claimed by one of its nodes.
//!
//! An event of a WfRun lies under it, and goes with it. One that comes before its WfRun lies under the tenant until
//! RunWf adopts it. Its number stays the same, so the order in which events came is the order in which they are
//! claimed, whenever the WfRun was started.

use crate::api::littlehorse as lh;
use crate::api::store::v1 as store;
use crate::engine::core::key::{ObjKey, RunRef, Word};
use crate::engine::core::record::{ExternalEventDefRecord, ExternalEventRecord};
use crate::engine::core::value::{EvalError, Value, admit, message, tidy};
use crate::engine::core::{Fault, Place, Reader, Refusal, Tx, id, run};
use lh::external_event_retention_policy::ExtEvtGcPolicy;

/// PutExternalEvent: the event as it is once the WfRun, if there is one, has done with it what it can.
pub fn put_external_event(tx: &mut Tx<'_>, request: lh::PutExternalEventRequest) -> Result<lh::ExternalEvent, Refusal> {
    let def_name = request.external_event_def_id.unwrap_or_default().name;
    let def = tx.read().external_event_def(&def_name)?;
    let def = def.ok_or_else(|| Refusal::invalid(format!("No ExternalEventDef named {def_name}")))?;
    let event_id = lh::ExternalEventId {
        wf_run_id: Some(request.wf_run_id.unwrap_or_default()),
        guid: request.guid.filter(|guid| !guid.is_empty()).unwrap_or_else(|| tx.new_guid()),
        external_event_def_id: Some(lh::ExternalEventDefId { name: def_name }),
    };
    if tx.read().external_event_by_id(&event_id)?.is_some() {
        return Err(Refusal::exists("ExternalEvent already exists"));
    }
    let content = content(&tx.read(), &def, request.content, &|name| {
        format!("Invalid type of content for event. Check the return type of ExternalEventDef {name}: ")
    })?;
    let event = lh::ExternalEvent {
        id: Some(event_id),
        created_at: Some(tx.now()),
        content: Some(message(content)),
        thread_run_number: request.thread_run_number,
        node_run_position: request.node_run_position,
        claimed: false,
    };
    let key = post(tx, &def, event.clone())?;
    if !super::is_early(key) {
        let run = RunRef(key.scope);
        if run::interrupt(tx, run, &event)?
            && let Some(mut record) = tx.read().object::<lh::ExternalEvent, store::ExternalEventFacts>(key)?
        {
            record.message.claimed = true;
            tx.store(key, &record)?;
        }
        tx.wake(run);
    }
    run::settle(tx)?;
    // The WfRun may have ended, and nothing says that it is kept.
    let now: Option<ExternalEventRecord> = tx.read().object(key)?;
    Ok(now.map_or(event, |record| record.message))
}

/// The content of an event, if it fits its definition; `refusal` begins the refusal of one that does not.
pub(super) fn content(
    reader: &Reader<'_>,
    def: &ExternalEventDefRecord,
    content: Option<lh::VariableValue>,
    refusal: &dyn Fn(&str) -> String,
) -> Result<Option<Value>, Refusal> {
    let value = content.and_then(|content| content.value);
    let declared = def.message.type_information.as_ref().and_then(|content| content.return_type.as_ref());
    let Some(declared) = declared else { return Ok(value.map(tidy)) };
    admit(reader, declared, value).map_err(|error| match error {
        EvalError::Wrong(wrong) => {
            let name = def.message.id.as_ref().map(|id| id.name.as_str()).unwrap_or_default();
            Refusal::invalid(format!("{}{wrong}", refusal(name)))
        }
        EvalError::Fault(fault) => fault.into(),
    })
}

/// Stores a new event under its WfRun, or where it waits for it.
pub(super) fn post(tx: &mut Tx<'_>, def: &ExternalEventDefRecord, event: lh::ExternalEvent) -> Result<ObjKey, Fault> {
    let run = match event.id.as_ref().and_then(|id| id.wf_run_id.as_ref()) {
        Some(run) => tx.read().run_ref(run)?,
        None => None,
    };
    let ordinal = tx.next_ordinal(event.created_at.as_ref())?;
    let policy = def.message.retention_policy.as_ref().and_then(|policy| policy.ext_evt_gc_policy.as_ref());
    let expires = policy.map(|ExtEvtGcPolicy::SecondsAfterPut(seconds)| {
        tx.context().now.saturating_add(seconds.saturating_mul(1000)).max(0)
    });
    let key = tx.read().external_event_key(run, ordinal);
    let facts = store::ExternalEventFacts { put_by: Some(tx.actor()), expires };
    tx.store(key, &ExternalEventRecord { message: event, facts })?;
    Ok(key)
}

/// Brings the events that came before their WfRun under it. They never interrupt.
pub fn adopt(tx: &mut Tx<'_>, run: RunRef, id: &lh::WfRunId) -> Result<(), Fault> {
    for early in tx.read().early_events(id)? {
        let Some(record): Option<ExternalEventRecord> = tx.read().object(early)? else { continue };
        tx.erase(early)?;
        tx.store(ObjKey { scope: run.0, ..early }, &record)?;
    }
    Ok(())
}

/// Claims the earliest event of a definition that is there for this visit of a node.
pub fn claim(tx: &mut Tx<'_>, run: RunRef, def: &str, place: Place) -> Result<Option<lh::ExternalEvent>, Fault> {
    let Some(def) = tx.read().number(Word::Name, def)? else { return Ok(None) };
    let Some((key, mut record)) = tx.read().first_unclaimed(run, def, place)? else { return Ok(None) };
    record.message.claimed = true;
    record.message.thread_run_number = Some(place.thread.cast_signed());
    record.message.node_run_position = Some(place.position.cast_signed());
    tx.store(key, &record)?;
    Ok(Some(record.message))
}

/// Drops an event that nobody claimed in time.
pub fn expire(tx: &mut Tx<'_>, owner: ObjKey) -> Result<(), Fault> {
    tx.erase(owner)
}

/// Text of an event's id, of which no two ids have the same: names of definitions hold no `/`.
pub(super) fn id_text(scope: &str, event: &lh::ExternalEventId) -> String {
    let def = event.external_event_def_id.as_ref().map(|def| def.name.as_str()).unwrap_or_default();
    format!("{scope}/{def}/{}", event.guid)
}

/// The id of a WfRun that does not exist, as a text without `/`. Unlike the usual text it tells apart ids that no
/// WfRun can have: they are accepted in an event.
pub(super) fn future_run(id: &lh::WfRunId) -> String {
    if std::iter::successors(Some(id), |id| id.parent_wf_run_id.as_deref()).all(|id| id::is_valid_name(&id.id)) {
        return id::wf_run_text(id);
    }
    let parts = std::iter::successors(Some(id), |id| id.parent_wf_run_id.as_deref());
    let escaped = parts.map(|part| part.id.replace('%', "%25").replace('_', "%5F").replace('/', "%2F"));
    let mut escaped: Vec<String> = escaped.collect();
    escaped.reverse();
    escaped.join("_")
}
