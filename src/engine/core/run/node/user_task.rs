//! USER_TASK: waits for a person.

use prost::Message as _;

use crate::api::littlehorse as lh;
use crate::engine::core::key::damaged;
use crate::engine::core::run::node::{Progress, Visit};
use crate::engine::core::run::{Run, Trouble};
use crate::engine::core::user_task::{self, hook, life};
use crate::engine::core::value::{evaluate, to_text};
use lh::UserTaskRunStatus;
use lh::node_run::NodeType;

/// Creates the UserTaskRun and gives it to whom the node says. A NodeRun that fails here refers to no UserTaskRun.
pub fn arrive(
    run: &mut Run<'_, '_>,
    visit: &Visit<'_>,
    node: &lh::UserTaskNode,
    node_run: &mut lh::NodeRun,
) -> Result<(), Trouble> {
    node_run.node_type = Some(NodeType::UserTask(lh::UserTaskNodeRun { user_task_run_id: None }));
    let def_id = lh::UserTaskDefId {
        name: node.user_task_def_name.clone(),
        version: node.user_task_def_version.unwrap_or_default(),
    };
    let def = run.tx.read().user_task_def(&def_id)?.filter(|record| record.facts.deleted.is_none());
    if def.is_none() {
        return Err(Trouble::new("TASK_ERROR", "Appears that UserTaskDef was deleted!"));
    }
    let text = |assignment: &Option<lh::VariableAssignment>| -> Result<Option<String>, Trouble> {
        let Some(assignment) = assignment else { return Ok(None) };
        let value = evaluate(assignment, &run.scope(visit.thread()))
            .map_err(|error| Trouble::of("VAR_SUB_ERROR", "Invalid variables when creating UserTaskRun: ", error))?;
        Ok(value.as_ref().map(to_text))
    };
    let notes = text(&node.notes)?;
    let (user_id, user_group) = (text(&node.user_id)?, text(&node.user_group)?);
    let blank = |text: &Option<String>| text.as_ref().is_some_and(|text| text.trim().is_empty());
    let wrong = |message: &str| Err(Trouble::new("VAR_ERROR", message));
    if user_id.is_none() && user_group.is_none() {
        return wrong("Invalid user task assignment");
    }
    if blank(&user_id) {
        return wrong("Invalid user task assignment. UserId can't be empty");
    }
    if blank(&user_group) {
        return wrong("Invalid group task assignment. UserGroup can't be empty");
    }
    let delayed = hook::of_arrival(run, visit.thread(), node)
        .map_err(|error| Trouble::of("VAR_SUB_ERROR", "Invalid variables when creating UserTaskRun: ", error))?;
    let id = lh::UserTaskRunId { wf_run_id: Some(run.id()), user_task_guid: visit.place.guid() };
    let task = lh::UserTaskRun {
        id: Some(id.clone()),
        user_task_def_id: Some(def_id),
        notes,
        scheduled_time: Some(run.tx.now()),
        node_run_id: node_run.id.clone(),
        ..Default::default()
    };
    // Its texts are in the task and in its first event; what does not leave room for a life is not begun.
    let texts = [&user_id, &user_group].into_iter().flatten().map(String::len).sum::<usize>();
    let size = task.encoded_len() + 2 * texts;
    life::room_to_begin(size).map_err(|message| {
        Trouble::new("VAR_SUB_ERROR", &format!("Invalid variables when creating UserTaskRun: {message}"))
    })?;
    let spec_name = visit.spec.id.as_ref().map(|id| id.name.as_str()).unwrap_or_default();
    let mut record = run.tx.create_user_task_run(run.run, visit.place, task, spec_name)?;
    record.facts.hooks_of_owners = hook::is_for_owners(node);
    let has_owner = user_id.is_some();
    life::assign(run.tx, run.run, visit.place, &mut record, user_id, user_group)?;
    if has_owner {
        hook::of_owner(run, visit.place, &mut record, node)?;
    }
    hook::arm_arrival(run.tx, &mut record, node, delayed);
    run.tx.put_user_task_run(run.run, visit.place, &record)?;
    node_run.node_type = Some(NodeType::UserTask(lh::UserTaskNodeRun { user_task_run_id: Some(id) }));
    Ok(())
}

/// Done when the person is; fails when the task was cancelled.
pub fn check(run: &mut Run<'_, '_>, visit: &Visit<'_>, node_run: &lh::NodeRun) -> Result<Progress, Trouble> {
    let missing = || damaged(format!("UserTaskRun {} of WfRun {}", visit.place.guid(), run.run.0), "missing");
    let record = run.tx.read().user_task_run(run.run, visit.place)?.ok_or_else(missing)?;
    match record.message.status() {
        UserTaskRunStatus::Unassigned | UserTaskRunStatus::Assigned => Ok(Progress::Waiting),
        UserTaskRunStatus::Done => {
            let def = user_task::definition(run.tx, &record)?;
            let output = user_task::output(&def.message, &record.message.results);
            Ok(Progress::Done(Some(Some(output.map_err(|wrong| damaged(format!("{:?}", node_run.id), wrong.0))?))))
        }
        UserTaskRunStatus::Cancelled => {
            let or = |text: &str, usual: &str| if text.is_empty() { usual.to_owned() } else { text.to_owned() };
            let name = or(&record.facts.cancellation_name, life::CANCELLED);
            Err(Trouble::new(&name, &or(&record.facts.cancellation_message, "User task cancelled")))
        }
    }
}
