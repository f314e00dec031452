//! CorrelatedEvents: put by a key instead of a WfRunId, for whichever nodes wait under that key.
//!
//! Each node that is served gets an ExternalEvent of its own, pinned to its visit. Nodes that wait already are found by
//! an index that follows from their NodeRuns; nodes that arrive later look for the stored event. A definition with
//! `delete_after_first_correlation` makes events for exactly one node: one that waits in the oldest WfRun, or else the
//! first that arrives.

use std::ops::ControlFlow;

use crate::api::{littlehorse as lh, store::v1 as store};
use crate::engine::core::event::external;
use crate::engine::core::key::{KeyIndex, Kind, ObjKey, RunRef, Word};
use crate::engine::core::record::{CorrelatedEventRecord, ExternalEventDefRecord, NodeRunRecord};
use crate::engine::core::timer::Timer;
use crate::engine::core::value::message;
use crate::engine::core::{Fault, Place, Reader, Refusal, Tx, read};

/// Nodes served by one command; the rest follows in commands of its own, so that none grows without end.
const SERVED_AT_ONCE: usize = 256;
/// The ExternalEvents that a CorrelatedEvent names. More are served all the same: the list would be written again for
/// each of them.
const LISTED: usize = 1000;
/// The timer that ends the event.
const TTL: u16 = 0;
/// The timer that serves the next nodes.
const MORE: u16 = 1;

/// PutCorrelatedEvent: the event as it is put; whom it served shows later, as in LittleHorse.
pub fn put_correlated_event(
    tx: &mut Tx<'_>,
    request: lh::PutCorrelatedEventRequest,
) -> Result<lh::CorrelatedEvent, Refusal> {
    if request.key.contains(['/', '~']) {
        return Err(Refusal::invalid("CorrelatedEvent keys cannot contain '/' or '~'"));
    }
    let def_id = request.external_event_def_id.unwrap_or_default();
    let def = tx.read().external_event_def(&def_id.name)?;
    let def = def.ok_or_else(|| Refusal::invalid("Could not find specified ExternalEventDef"))?;
    let Some(config) = &def.message.correlated_event_config else {
        return Err(Refusal::invalid("Specified ExternalEventDef does not have CorrelatedEvent enabled"));
    };
    if tx.read().correlated_event(&def_id.name, &request.key)?.is_some() {
        return Err(Refusal::exists(format!("Correlated Event with key {} already exists!", request.key)));
    }
    let content = external::content(&tx.read(), &def, request.content, &|name| {
        format!("Invalid type of content for event: {name}: ")
    })?;
    let now = tx.context().now;
    let event = lh::CorrelatedEvent {
        id: Some(lh::CorrelatedEventId { key: request.key, external_event_def_id: Some(def_id) }),
        created_at: Some(tx.now()),
        content: Some(message(content)),
        external_events: Vec::new(),
    };
    let facts = store::CorrelatedEventFacts {
        put_by: Some(tx.actor()),
        expires: config.ttl_seconds.map(|seconds| now.saturating_add(seconds.saturating_mul(1000)).max(0)),
        more_due: None,
    };
    let ordinal = tx.next_ordinal(event.created_at.as_ref())?;
    let key = ObjKey::new(tx.tenant().into(), Kind::CorrelatedEvent, ordinal, 0);
    serve_waiting(tx, key, CorrelatedEventRecord { message: event.clone(), facts }, &def, now)?;
    Ok(event)
}

/// DeleteCorrelatedEvent: one that is not there is fine.
pub fn delete_correlated_event(tx: &mut Tx<'_>, request: lh::DeleteCorrelatedEventRequest) -> Result<(), Refusal> {
    let id = request.id.unwrap_or_default();
    let def = id.external_event_def_id.unwrap_or_default().name;
    if let Some((key, _)) = tx.read().correlated_event(&def, &id.key)? {
        tx.erase(key)?;
    }
    Ok(())
}

/// A timer of a CorrelatedEvent: its end, or the next nodes to be served.
pub fn correlated_event_due(tx: &mut Tx<'_>, timer: &Timer) -> Result<(), Fault> {
    if timer.slot == TTL {
        return tx.erase(timer.owner);
    }
    let Some(mut record): Option<CorrelatedEventRecord> = tx.read().object(timer.owner)? else { return Ok(()) };
    record.facts.more_due = None;
    let name = def_name(&record);
    match tx.read().external_event_def(&name)? {
        // Another timer than this one: one that asks for the same time again would be dropped.
        Some(def) => serve_waiting(tx, timer.owner, record, &def, timer.due.saturating_add(1)),
        None => tx.store(timer.owner, &record),
    }
}

/// When the timers of a CorrelatedEvent are due, with their slots.
pub(super) fn timers(facts: &store::CorrelatedEventFacts) -> impl Iterator<Item = (i64, u16)> {
    facts.expires.map(|due| (due, TTL)).into_iter().chain(facts.more_due.map(|due| (due, MORE)))
}

/// Whether an event of this definition is for one node only.
fn is_for_one(def: &ExternalEventDefRecord) -> bool {
    def.message.correlated_event_config.is_some_and(|config| config.delete_after_first_correlation)
}

fn def_name(record: &CorrelatedEventRecord) -> String {
    let id = record.message.id.as_ref().and_then(|id| id.external_event_def_id.as_ref());
    id.map(|id| id.name.clone()).unwrap_or_default()
}

/// Serves the nodes that wait, and stores the event, or forgets it when it was for one only. When there are too many
/// for one command, the next ones are served at `more_due`.
fn serve_waiting(
    tx: &mut Tx<'_>,
    key: ObjKey,
    mut record: CorrelatedEventRecord,
    def: &ExternalEventDefRecord,
    more_due: i64,
) -> Result<(), Fault> {
    let name = def_name(&record);
    let text = record.message.id.as_ref().map(|id| id.key.clone()).unwrap_or_default();
    let most = if is_for_one(def) { 1 } else { SERVED_AT_ONCE };
    let waiting = tx.read().waiting_for_key(&name, &text, most + 1)?;
    for (run, place) in waiting.iter().take(most) {
        let node_run_key = read::node_run_key(*run, *place);
        let Some(mut node_run): Option<NodeRunRecord> = tx.read().object(node_run_key)? else { continue };
        // It waits under the key no more: the event lies there for it, also while its thread is halted.
        node_run.facts.correlation_key = None;
        let run_id = node_run.message.id.as_ref().and_then(|id| id.wf_run_id.clone()).unwrap_or_default();
        tx.store(node_run_key, &node_run)?;
        let event = pinned(tx, &record, run_id, *place);
        external::post(tx, def, event.clone())?;
        tx.wake(*run);
        list(&mut record, event);
        if is_for_one(def) {
            return tx.erase(key);
        }
    }
    record.facts.more_due = (waiting.len() > most).then_some(more_due);
    tx.store(key, &record)
}

/// Serves a node that waits under a key from the stored event, if there is one. The ExternalEvent is there for it.
pub fn correlate(tx: &mut Tx<'_>, run_id: lh::WfRunId, place: Place, def: &str, key: &str) -> Result<bool, Fault> {
    let Some((at, mut record)) = tx.read().correlated_event(def, key)? else { return Ok(false) };
    let Some(def) = tx.read().external_event_def(def)? else { return Ok(false) };
    let event = pinned(tx, &record, run_id, place);
    external::post(tx, &def, event.clone())?;
    match is_for_one(&def) {
        true => tx.erase(at)?,
        false => {
            list(&mut record, event);
            tx.store(at, &record)?;
        }
    }
    Ok(true)
}

/// An ExternalEvent for one visit of a node.
fn pinned(tx: &mut Tx<'_>, record: &CorrelatedEventRecord, run_id: lh::WfRunId, place: Place) -> lh::ExternalEvent {
    let id = lh::ExternalEventId {
        wf_run_id: Some(run_id),
        external_event_def_id: Some(lh::ExternalEventDefId { name: def_name(record) }),
        guid: tx.new_guid(),
    };
    lh::ExternalEvent {
        id: Some(id),
        created_at: Some(tx.now()),
        content: record.message.content.clone(),
        thread_run_number: Some(place.thread.cast_signed()),
        node_run_position: Some(place.position.cast_signed()),
        claimed: false,
    }
}

fn list(record: &mut CorrelatedEventRecord, event: lh::ExternalEvent) {
    if record.message.external_events.len() < LISTED {
        record.message.external_events.extend(event.id);
    }
}

/// What stands in the index of nodes that wait under a key, before where they are.
pub(in crate::engine::core) fn waiting_text(def: u32, key: &str) -> Vec<u8> {
    // The length keeps keys apart of which one begins like the other.
    let length = u32::try_from(key.len()).unwrap_or(u32::MAX);
    [&def.to_be_bytes()[..], &length.to_be_bytes(), key.as_bytes()].concat()
}

impl Reader<'_> {
    /// The nodes that wait for an event of a definition under a key, in the order of their runs.
    fn waiting_for_key(&self, def: &str, key: &str, most: usize) -> Result<Vec<(RunRef, Place)>, Fault> {
        let Some(def) = self.number(Word::Name, def)? else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        self.key_rows_of_two(KeyIndex::WaitingNodes, &waiting_text(def, key), &mut |run, place| {
            found.push((RunRef(run), Place::from_sub(place)));
            Ok(if found.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(found)
    }
}
