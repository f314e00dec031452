//! Failures of nodes, and the handlers that catch them.

use crate::api::littlehorse as lh;
use crate::engine::core::Fault;
use crate::engine::core::record::NodeRunRecord;
use crate::engine::core::run::Run;
use crate::engine::core::run::node::Visit;
use crate::engine::core::value::{EvalError, Wrong};
use lh::failure_handler_def::{FailureToCatch, LhFailureType};
use lh::thread_halt_reason::Reason;
use lh::{LhErrorType, LhStatus};

/// Why a node does not go on.
#[derive(Debug)]
pub enum Trouble {
    /// The workflow's: its node fails.
    Failure(lh::Failure),
    /// The engine's: the command fails.
    Fault(Fault),
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Trouble {
    /// A failure of this name.
    pub fn new(name: &str, message: &str) -> Self {
        Self::Failure(failure(name, message))
    }

    /// What an evaluation that failed means to its node: a failure of this name, with words before the text.
    pub fn of(name: &str, prefix: &str, error: EvalError) -> Self {
        match error {
            EvalError::Wrong(Wrong(text)) => Self::new(name, &format!("{prefix}{text}")),
            EvalError::Fault(fault) => Self::Fault(fault),
        }
    }
}

/// A failure without content.
pub fn failure(name: &str, message: &str) -> lh::Failure {
    lh::Failure { failure_name: name.to_owned(), message: message.to_owned(), ..Default::default() }
}

/// Whether a failure name is one of LittleHorse's own errors; any other is an exception of the workflow.
pub fn is_error(name: &str) -> bool {
    LhErrorType::from_str_name(name).is_some()
}

/// The status that a failure gives to its node, its thread, its WfRun.
pub fn status_of(name: &str) -> LhStatus {
    if is_error(name) { LhStatus::Error } else { LhStatus::Exception }
}

/// When a node fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// On arrival.
    Arriving,
    /// While it was waiting or being done.
    Processing,
    /// After it was done: its edges or their mutations.
    Leaving,
    /// After a handler: nothing catches it any more.
    Unhandled,
}

impl Run<'_, '_> {
    /// Puts a failure on a node. A handler of the node will start once its thread is halted; without one the thread
    /// fails.
    pub fn fail_node(
        &mut self,
        visit: &Visit<'_>,
        mut node_run: NodeRunRecord,
        failure: lh::Failure,
        stage: Stage,
    ) -> Result<(), Fault> {
        let handler = match stage {
            Stage::Unhandled => None,
            _ => visit.node.failure_handlers.iter().find(|handler| handler.catches(&failure.failure_name)),
        };
        node_run.message.status = status_of(&failure.failure_name).into();
        if stage == Stage::Processing {
            node_run.message.error_message = Some(failure.message.clone());
        }
        node_run.message.failures.push(failure.clone());
        self.tx.put_node_run(self.run, visit.place, &node_run)?;
        let number = visit.thread();
        let Some(handler) = handler else { return self.fail_thread(number, failure) };
        self.record.message.pending_failures.push(lh::PendingFailureHandler {
            failed_thread_run: number,
            handler_spec_name: handler.handler_spec_name.clone(),
        });
        let node_run_position = visit.place.position.cast_signed();
        self.halt(number, Reason::PendingFailure(lh::PendingFailureHandlerHaltReason { node_run_position }))
    }
}

impl lh::FailureHandlerDef {
    /// Whether it catches failures of this name.
    pub fn catches(&self, name: &str) -> bool {
        match &self.failure_to_catch {
            None => true,
            Some(FailureToCatch::AnyFailureOfType(kind)) => match LhFailureType::try_from(*kind) {
                Ok(LhFailureType::FailureTypeError) => is_error(name),
                Ok(LhFailureType::FailureTypeException) => !is_error(name),
                Err(_) => false,
            },
            Some(FailureToCatch::SpecificFailure(wanted)) => {
                // Two of LittleHorse's errors stand for the finer ones below them.
                wanted == name
                    || match wanted.as_str() {
                        "VAR_ERROR" => matches!(name, "VAR_MUTATION_ERROR" | "VAR_SUB_ERROR"),
                        "TASK_ERROR" => matches!(name, "TASK_FAILURE" | "TIMEOUT"),
                        _ => false,
                    }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handlers_catch_what_they_declare() {
        let specific = |name: &str| Some(FailureToCatch::SpecificFailure(name.into()));
        let any = |kind: LhFailureType| Some(FailureToCatch::AnyFailureOfType(kind.into()));
        for (catch, name, expected) in [
            (None, "my-exn", true),
            (None, "TIMEOUT", true),
            (specific("my-exn"), "my-exn", true),
            (specific("my-exn"), "TASK_FAILURE", false),
            (specific("VAR_ERROR"), "VAR_SUB_ERROR", true),
            (specific("VAR_ERROR"), "VAR_MUTATION_ERROR", true),
            (specific("VAR_SUB_ERROR"), "VAR_ERROR", false),
            (specific("TASK_ERROR"), "TIMEOUT", true),
            (specific("TASK_ERROR"), "TASK_FAILURE", true),
            (specific("TIMEOUT"), "TASK_FAILURE", false),
            (any(LhFailureType::FailureTypeError), "USER_TASK_CANCELLED", true),
            (any(LhFailureType::FailureTypeError), "my-exn", false),
            (any(LhFailureType::FailureTypeException), "my-exn", true),
            (any(LhFailureType::FailureTypeException), "TIMEOUT", false),
            (Some(FailureToCatch::AnyFailureOfType(9)), "TIMEOUT", false),
        ] {
            let handler = lh::FailureHandlerDef { failure_to_catch: catch, ..Default::default() };
            assert_eq!(handler.catches(name), expected, "{handler:?} {name}");
        }
    }
}
