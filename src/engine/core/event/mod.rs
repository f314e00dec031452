//! Events: those that the outside puts for a WfRun.

mod def;
mod external;
mod rows;
mod store;
#[cfg(test)]
mod tests;

pub use def::{delete_external_event_def, delete_workflow_event_def, put_external_event_def, put_workflow_event_def};
pub use external::{adopt, claim, expire, put_external_event};
pub use rows::{Facets, is_early};
