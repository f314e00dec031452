//! The commands on definitions and tenants.

pub mod principal;
pub mod struct_def;
pub mod task_def;
pub mod tenant;
pub mod types;
pub mod user_task_def;
pub mod wf_spec;

#[cfg(test)]
mod tests;
