//! The way between protobuf and domain: pure functions.
//!
//! A server may send anything: missing parts, unknown numbers, endless depth. Nothing here fails for that; what is
//! missing stays missing, what is unknown is shown as unknown. Texts stay as they came, in `Untrusted`.

mod form;
mod id;
mod next;
mod run;
mod task;
mod value;

pub(super) use form::{form_of_def, inputs_of_spec};
pub(super) use id::{run_id, run_id_proto, task_id, task_id_proto, time};
pub(super) use next::{on_cancel, steps_after};
pub(super) use run::{brief, failure, node_words, run_step, spec_version};
pub(super) use task::{detail_row, event, row_of_page, status, status_number};
pub(super) use value::{NotEncodable, values, values_to_proto};

#[cfg(test)]
mod tests;
