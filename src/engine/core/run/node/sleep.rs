//! SLEEP: waits for a time.
//!
//! A length in seconds is evaluated once, on arrival. A date or a timestamp is evaluated again on every advance: who
//! changes the variable moves the end of the sleep. The timer follows from the stored `maturation_time`, and only the
//! timer ends a sleep, so one whose time is past ends with the next tick.

use prost_types::Timestamp;

use crate::api::littlehorse as lh;
use crate::engine::core::id;
use crate::engine::core::run::node::{Progress, Visit};
use crate::engine::core::run::{Run, Trouble};
use crate::engine::core::value::{EvalError, Value, Wrong, evaluate, kind_name};
use lh::node_run::NodeType;
use lh::sleep_node::SleepLength;

/// The first and the last second that a time on the wire can have: years 1 to 9999.
const SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

/// Finds out how long the sleep is.
pub fn arrive(
    run: &mut Run<'_, '_>,
    visit: &Visit<'_>,
    node: &lh::SleepNode,
    node_run: &mut lh::NodeRun,
) -> Result<(), Trouble> {
    // The branch is there even when the length is not.
    node_run.node_type = Some(NodeType::Sleep(lh::SleepNodeRun::default()));
    let maturation_time = Some(maturation(run, visit, node)?);
    node_run.node_type = Some(NodeType::Sleep(lh::SleepNodeRun { maturation_time, matured: false }));
    Ok(())
}

/// Done when the timer has fired; else follows the variables.
pub fn check(
    run: &mut Run<'_, '_>,
    visit: &Visit<'_>,
    node: &lh::SleepNode,
    node_run: &mut lh::NodeRun,
) -> Result<Progress, Trouble> {
    let Some(NodeType::Sleep(sleep)) = &mut node_run.node_type else { return Ok(Progress::Waiting) };
    if sleep.matured {
        return Ok(Progress::Done(None));
    }
    if !matches!(node.sleep_length, Some(SleepLength::RawSeconds(_))) {
        sleep.maturation_time = Some(maturation(run, visit, node)?);
    }
    Ok(Progress::Waiting)
}

fn maturation(run: &Run<'_, '_>, visit: &Visit<'_>, node: &lh::SleepNode) -> Result<Timestamp, Trouble> {
    let scope = run.scope(visit.thread());
    let now = run.tx.now();
    let computed = match &node.sleep_length {
        Some(SleepLength::RawSeconds(length)) => evaluate(length, &scope).and_then(|value| Ok(after(now, value)?)),
        Some(SleepLength::Timestamp(time)) => evaluate(time, &scope).and_then(|value| Ok(moment(value)?)),
        Some(SleepLength::IsoDate(date)) => evaluate(date, &scope).and_then(|value| Ok(parsed(value)?)),
        None => Err(EvalError::Wrong(Wrong::new("the node has no length"))),
    };
    computed.map_err(|error| Trouble::of("VAR_SUB_ERROR", "Failed calculating maturation for timer: ", error))
}

/// So many seconds after `now`. Nothing is waited for less than not at all.
fn after(now: Timestamp, seconds: Option<Value>) -> Result<Timestamp, Wrong> {
    match seconds {
        Some(Value::Int(seconds)) => in_range(Timestamp { seconds: now.seconds.saturating_add(seconds), ..now }),
        other => Err(Wrong::new(format!("the seconds must be INT, not {}", kind_name(other.as_ref())))),
    }
}

/// A moment: milliseconds since 1970, or a time to the second.
fn moment(time: Option<Value>) -> Result<Timestamp, Wrong> {
    match time {
        Some(Value::Int(milliseconds)) => in_range(id::timestamp(milliseconds)),
        Some(Value::UtcTimestamp(time)) => in_range(Timestamp { nanos: 0, ..time }),
        other => Err(Wrong::new(format!("the timestamp must be INT or TIMESTAMP, not {}", kind_name(other.as_ref())))),
    }
}

/// A date in ISO 8601, with its zone.
fn parsed(date: Option<Value>) -> Result<Timestamp, Wrong> {
    match date {
        Some(Value::Str(text)) => match text.parse::<jiff::Timestamp>() {
            Ok(time) => in_range(id::timestamp(time.as_millisecond())),
            Err(_) => Err(Wrong::new(format!("failed parsing date string {text}"))),
        },
        other => Err(Wrong::new(format!("the date must be STR, not {}", kind_name(other.as_ref())))),
    }
}

fn in_range(time: Timestamp) -> Result<Timestamp, Wrong> {
    match SECONDS.contains(&time.seconds) {
        true => Ok(time),
        false => Err(Wrong::new(format!("{} seconds since 1970 are not in the years 1 to 9999", time.seconds))),
    }
}
