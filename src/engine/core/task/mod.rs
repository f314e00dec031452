//! TaskRuns: work for task workers. Created by TASK nodes and by reminders, waiting in the queue of their TaskDef,
//! claimed, reported, retried, timed out.

mod attempt;
mod checkpoint;
mod claim;
mod report;
mod schedule;
mod store;
#[cfg(test)]
mod tests;
mod worker;

pub use attempt::{due, has_ended, outcome};
pub use checkpoint::put as put_checkpoint;
pub use claim::claim;
pub use report::report;
pub use schedule::{definition, schedule};
pub use store::{TaskFacet, TaskRef};
pub use worker::{drop_silent, register};

use crate::api::littlehorse as lh;
use crate::engine::core::value::{MASK, Value, hide, message};

/// The largest TaskRun, inputs and results together. A LittleHorse server has the same limit.
pub const LARGEST: usize = 1_047_000;

/// A TaskRun as everybody but its worker sees it.
pub fn masked(mut task: lh::TaskRun) -> lh::TaskRun {
    let shown = |masked: bool, value: Option<Value>| match masked {
        true => Some(Value::Str(MASK.to_owned())),
        false => value.map(hide),
    };
    for input in &mut task.input_variables {
        let value = input.value.take().and_then(|value| value.value);
        input.value = Some(message(shown(input.masked, value)));
    }
    for attempt in &mut task.attempts {
        if let Some(lh::task_attempt::Result::Output(output)) = &mut attempt.result {
            output.value = shown(attempt.masked_value, output.value.take());
        }
    }
    task
}
