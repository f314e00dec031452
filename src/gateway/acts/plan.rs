//! What to send for an action, given the task as it is: a pure function.

use super::convert::{self, NotEncodable};
use super::verdict;
use crate::api::littlehorse as lh;
use crate::domain::{Act, Happened, Identity, Untrusted};
use lh::save_user_task_run_progress_request::SaveUserTaskRunAssignmentPolicy as Policy;

/// One request.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    Assign(lh::AssignUserTaskRunRequest),
    Save(lh::SaveUserTaskRunProgressRequest),
    Complete(lh::CompleteUserTaskRunRequest),
    Cancel(lh::CancelUserTaskRunRequest),
    Comment(lh::PutUserTaskRunCommentRequest),
}

impl Step {
    /// In words that follow "when".
    pub(super) fn what(&self) -> &'static str {
        match self {
            Step::Assign(_) => "assigning the task",
            Step::Save(_) => "saving the values",
            Step::Complete(_) => "completing the task",
            Step::Cancel(_) => "cancelling the task",
            Step::Comment(_) => "writing the comment",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Plan {
    /// Send these, in order.
    Send(Vec<Step>),
    /// Nothing is to be sent: it is done already, or somebody was faster.
    Over(Happened),
}

/// Plans an action.
pub(super) fn plan(
    act: &Act,
    before: &lh::UserTaskRun,
    def: Option<&lh::UserTaskDef>,
    me: &Identity,
) -> Result<Plan, NotEncodable> {
    let id = before.id.clone();
    if let Act::Comment { text } = act {
        return Ok(Plan::Send(vec![comment(before, me, text)]));
    }
    if let Some(over) = verdict::prevented(act, me, before) {
        return Ok(Plan::Over(over));
    }
    let mine = before.user_id.as_ref() == Some(&me.user);
    let assign = |user_id, user_group, override_claim| {
        let request =
            lh::AssignUserTaskRunRequest { user_task_run_id: id.clone(), override_claim, user_group, user_id };
        Plan::Send(vec![Step::Assign(request)])
    };
    let text = |text: &Untrusted| text.raw().to_owned();
    Ok(match act {
        // The server refuses to assign what has an owner, even to its own owner.
        Act::Claim { .. } if mine => Plan::Over(Happened::Done),
        // The group that it has now: an assignment replaces both, and the one on the screen may be old. Without leave to
        // take it the server itself decides who was first.
        Act::Claim { take_over, .. } => assign(Some(me.user.clone()), before.user_group.clone(), *take_over),
        // To give something away that one owns is to take it from oneself.
        Act::Release { group, take_over } => assign(None, Some(text(group)), *take_over || mine),
        Act::Assign { user, group, take_over } => assign(user.clone(), group.clone(), *take_over || mine),
        Act::Save { values, ignore_claim } => {
            Plan::Send(vec![save(before, me, convert::values_to_proto(values)?, *ignore_claim)])
        }
        Act::Complete { values, take_over } => {
            let mut results = convert::values_to_proto(values)?;
            // A null is not a value: the server refuses it.
            results.retain(|_, value| value.value.is_some());
            let mut steps = Vec::new();
            // The server merges what is completed over what was saved. What the person took away since must be taken
            // out of what is saved first, or it comes back.
            let fields = def.map(|def| def.fields.as_slice()).unwrap_or_default();
            let taken_away =
                |name: &String| !results.contains_key(name) && fields.iter().any(|field| field.name == *name);
            if before.results.keys().any(taken_away) {
                let mut kept = before.results.clone();
                kept.retain(|name, _| !taken_away(name));
                kept.extend(results.iter().map(|(name, value)| (name.clone(), value.clone())));
                steps.push(save(before, me, kept, *take_over));
            }
            let user_id = me.user.clone();
            steps.push(Step::Complete(lh::CompleteUserTaskRunRequest { user_task_run_id: id, results, user_id }));
            Plan::Send(steps)
        }
        Act::Cancel { reason } => {
            let cancel = Step::Cancel(lh::CancelUserTaskRunRequest { user_task_run_id: id });
            let reason = reason.as_deref().filter(|reason| !reason.trim().is_empty());
            // The request has no room for a reason.
            Plan::Send(reason.map(|reason| comment(before, me, reason)).into_iter().chain([cancel]).collect())
        }
        Act::Comment { text } => Plan::Send(vec![comment(before, me, text)]),
    })
}

fn comment(before: &lh::UserTaskRun, me: &Identity, text: &str) -> Step {
    Step::Comment(lh::PutUserTaskRunCommentRequest {
        user_task_run_id: before.id.clone(),
        user_id: me.user.clone(),
        comment: text.to_owned(),
    })
}

fn save(
    before: &lh::UserTaskRun,
    me: &Identity,
    results: std::collections::BTreeMap<String, lh::VariableValue>,
    ignore_claim: bool,
) -> Step {
    let policy = if ignore_claim { Policy::IgnoreClaim } else { Policy::FailIfClaimedByOther };
    Step::Save(lh::SaveUserTaskRunProgressRequest {
        user_task_run_id: before.id.clone(),
        results,
        user_id: me.user.clone(),
        policy: policy.into(),
    })
}
