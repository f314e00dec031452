//! Events: those that the outside puts for a WfRun, and those that a WfRun throws.

mod correlated;
mod def;
mod external;
mod rows;
mod store;
#[cfg(test)]
mod tests;
mod workflow;

pub(super) use correlated::waiting_text;
pub use correlated::{correlate, correlated_event_due, delete_correlated_event, put_correlated_event};
pub use def::{delete_external_event_def, delete_workflow_event_def, put_external_event_def, put_workflow_event_def};
pub use external::{adopt, claim, expire, put_external_event};
pub use rows::{Facets, is_early};
pub use workflow::{Awaited, throw};
