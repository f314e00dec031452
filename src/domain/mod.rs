//! Pure types and rules of a person's tasks: no I/O, no clock, nothing of the other layers.

mod ability;
mod draft;
mod event;
mod form;
mod id;
mod place;
mod run;
mod task;
mod text;
pub mod time;
mod trouble;
mod value;
mod view;

pub use ability::{Abilities, Ability};
pub use draft::{Base, Draft, DraftKey, DraftText, Since};
pub use event::{Event, EventKind};
pub use form::{Field, FieldError, FieldPath, Form, Json, Kind};
pub use id::{DefId, RunId, TaskId};
pub use place::{Connection, HostInfo, Identity, Place};
pub use run::{NextStep, OnCancel, RunBrief, RunDetail, RunFailure, RunStatus, RunStep, Workflow};
pub use task::{Act, Acted, Happened, Status, TaskDetail, TaskRow};
pub use text::{Untrusted, display_line, display_width, fit};
pub use trouble::Trouble;
pub use value::{Value, Values};
pub use view::{Count, Cursor, Order, TaskPage, View};
