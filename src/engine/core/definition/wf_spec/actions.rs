//! The actions of a user task: what happens by itself, and when.

use crate::api::littlehorse as lh;
use crate::engine::core::definition::wf_spec::task;
use crate::engine::core::definition::wf_spec::validate::Invalid;
use crate::engine::core::{Fault, Reader};
use lh::node::Node;
use lh::task_node::TaskToExecute;
use lh::ut_action_trigger::{Action, UtHook};

/// Checks the actions of a node, and looks up the TaskDefs of reminders. Whether a delay is an INT is known at run time
/// only.
pub(super) fn pin(reader: &Reader<'_>, actions: &mut [lh::UtActionTrigger]) -> Result<(), Invalid> {
    for (number, trigger) in actions.iter_mut().enumerate() {
        if UtHook::try_from(trigger.hook).is_err() {
            return Err(format!("Action {number} has unknown hook {}", trigger.hook).into());
        }
        if trigger.delay_seconds.as_ref().is_none_or(|delay| delay.source.is_none()) {
            return Err(format!("Action {number} has no delay").into());
        }
        match &mut trigger.action {
            Some(Action::Cancel(_) | Action::Reassign(_)) => {}
            Some(Action::Task(reminder)) => {
                let Some(reminder) = &mut reminder.task else {
                    return Err(format!("Action {number} has no task").into());
                };
                task::pin(reader, reminder)?;
                task::policy(reminder)?;
            }
            None => return Err(format!("Action {number} does nothing").into()),
        }
    }
    Ok(())
}

/// Reminders whose inputs do not fit their TaskDefs: they will never be sent. They are told and not refused, because
/// the Python SDK packs all inputs of a reminder on assignment into one.
pub(super) fn warnings(reader: &Reader<'_>, spec: &lh::WfSpec) -> Result<Vec<String>, Fault> {
    let mut warnings = Vec::new();
    for (name, node) in spec.thread_specs.values().flat_map(|thread| &thread.nodes) {
        let Some(Node::UserTask(user_task)) = &node.node else { continue };
        for (number, trigger) in user_task.actions.iter().enumerate() {
            let Some(Action::Task(lh::ut_action_trigger::UtaTask { task: Some(task), .. })) = &trigger.action else {
                continue;
            };
            let Some(TaskToExecute::TaskDefId(id)) = &task.task_to_execute else { continue };
            let wanted = reader.task_def(&id.name)?.map_or(0, |def| def.message.input_vars.len());
            let given = task.variables.len();
            if wanted != given {
                warnings.push(format!(
                    "Action {number} of node {name} gives {given} inputs to TaskDef {}, which takes {wanted}: this \
                     reminder will never be sent",
                    id.name
                ));
            }
        }
    }
    Ok(warnings)
}
