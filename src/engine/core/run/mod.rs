//! WfRuns: starting them and moving their threads from node to node.
//!
//! [`Run`] is one WfRun in the hands of one command. A command changes something (starts it, completes a user task),
//! then lets it [`advance`](Run::advance) until every thread waits or has ended. Each kind of node is a file in
//! [`node`], with what it does on arrival and how it knows that it is done.

mod advance;
pub mod archive;
pub mod delete;
mod edge;
mod failure;
mod halt;
mod inputs;
mod interrupt;
mod migrate;
mod node;
mod outputs;
mod rescue;
mod rows;
mod scope;
mod start;
mod stop;
#[cfg(test)]
mod tests;
mod thread;
mod timer;
pub mod tree;

pub use advance::{Run, settle};
pub use failure::Trouble;
pub use inputs::INPUT;
pub use interrupt::interrupt;
pub use rescue::rescue;
pub(in crate::engine::core) use rows::by_event;
pub use start::{admit, begin, find_spec, run_wf};
pub use stop::{resume, stop};
pub use timer::due as timer_due;
