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
use crate::engine::core::value::{Value, message};

/// The largest TaskRun, inputs and results together. A LittleHorse server has the same limit.
pub const LARGEST: usize = 1_047_000;

/// What is shown instead of a masked value.
const MASK: &str = "*****";

/// A TaskRun as everybody but its worker sees it.
pub fn masked(mut task: lh::TaskRun) -> lh::TaskRun {
    let mask = || Some(message(Some(Value::Str(MASK.to_owned()))));
    for input in task.input_variables.iter_mut().filter(|input| input.masked) {
        input.value = mask();
    }
    for attempt in task.attempts.iter_mut().filter(|attempt| attempt.masked_value) {
        if let Some(lh::task_attempt::Result::Output(output)) = &mut attempt.result {
            *output = mask().unwrap_or_default();
        }
    }
    task
}
