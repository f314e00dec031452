//! What happens to a user task by itself: deadlines, timed cancelling, reminders.
//!
//! An action is armed when its hook comes (the arrival, a new owner). It waits in the facts of its task, from which its
//! timer follows, and fires once. What can no longer happen waits no longer: the end of a task takes all of them away,
//! a new owner those that were armed for the one before.

use crate::api::{littlehorse as lh, store::v1 as store};
use crate::engine::core::command::Channel;
use crate::engine::core::key::damaged;
use crate::engine::core::record::UserTaskRunRecord;
use crate::engine::core::run::{Run, Trouble};
use crate::engine::core::task;
use crate::engine::core::timer::Timer;
use crate::engine::core::user_task::{cancel, life};
use crate::engine::core::value::{EvalError, Value, Wrong, evaluate, kind_name, to_text};
use crate::engine::core::{Fault, Place, Refusal, RunRef, Tx, id};
use lh::UserTaskRunStatus;
use lh::node::Node as Kind;
use lh::task_run_source::TaskRunSource;
use lh::user_task_event::{Event, UteTaskExecuted};
use lh::ut_action_trigger::{Action, UtHook, UtaReassign, UtaTask};

/// Actions that wait for one task at most. Only reminders of many owners could ever be more, and each would be written
/// again with every change of the task.
const MOST: usize = 1000;

/// How often deadlines give one task to somebody else. Two that hand it to and fro would go on until its history is
/// full.
const MOST_HANDED_OVER: u32 = 1000;

/// An action with its delay in seconds.
pub type Delayed = (u32, i64);

/// The actions of a node that arrival arms, with their delays: a delay that cannot be computed fails the arrival.
pub fn of_arrival(run: &Run<'_, '_>, thread: i32, node: &lh::UserTaskNode) -> Result<Vec<Delayed>, EvalError> {
    let mut delayed = Vec::new();
    for (action, trigger) in actions(node, UtHook::OnArrival) {
        delayed.push((action, delay(run, thread, trigger)?));
    }
    Ok(delayed)
}

/// Arms the actions for whom the task belongs to from now on, if that is anybody. A delay that cannot be computed leaves
/// its action out, with a line in the log: the assignment itself stands.
pub fn of_owner(
    run: &mut Run<'_, '_>,
    place: Place,
    record: &mut UserTaskRunRecord,
    node: &lh::UserTaskNode,
) -> Result<(), Fault> {
    for (action, trigger) in actions(node, UtHook::OnTaskAssigned) {
        match delay(run, place.thread.cast_signed(), trigger) {
            Ok(seconds) => arm(run.tx, record, trigger, (action, seconds)),
            Err(EvalError::Wrong(Wrong(text))) => note(run.tx, record, action, &format!("is left out: {text}")),
            Err(EvalError::Fault(fault)) => return Err(fault),
        }
    }
    Ok(())
}

/// Arms the actions of the arrival.
pub fn arm_arrival(tx: &mut Tx<'_>, record: &mut UserTaskRunRecord, node: &lh::UserTaskNode, delayed: Vec<Delayed>) {
    for delayed in delayed {
        if let Some(trigger) = node.actions.get(delayed.0 as usize) {
            arm(tx, record, trigger, delayed);
        }
    }
}

/// Whether a node has actions for new owners.
pub fn is_for_owners(node: &lh::UserTaskNode) -> bool {
    actions(node, UtHook::OnTaskAssigned).next().is_some()
}

/// The node that a UserTaskRun waits on, as its WfSpec has it.
pub fn node_of(run: &mut Run<'_, '_>, place: Place) -> Result<lh::UserTaskNode, Fault> {
    let node_run = run.node_run(place)?.message;
    let spec = run.spec(&node_run.wf_spec_id.unwrap_or_default())?;
    let spec = &spec.message;
    let thread = spec.thread_specs.get(&node_run.thread_spec_name);
    match thread.and_then(|thread| thread.nodes.get(&node_run.node_name)?.node.as_ref()) {
        Some(Kind::UserTask(node)) => Ok(node.clone()),
        _ => Err(damaged(format!("UserTaskRun {} of WfRun {}", place.guid(), run.run.0), "its node is missing")),
    }
}

fn actions(node: &lh::UserTaskNode, hook: UtHook) -> impl Iterator<Item = (u32, &lh::UtActionTrigger)> {
    (0..).zip(&node.actions).filter(move |(_, trigger)| trigger.hook() == hook)
}

fn delay(run: &Run<'_, '_>, thread: i32, trigger: &lh::UtActionTrigger) -> Result<i64, EvalError> {
    let wrong = |kind| Wrong::new(format!("Delay for User Task Action was not an INT, got a {kind}")).into();
    match &trigger.delay_seconds {
        None => Err(wrong(kind_name(None))),
        Some(seconds) => match evaluate(seconds, &run.scope(thread))? {
            Some(Value::Int(seconds)) => Ok(seconds),
            other => Err(wrong(kind_name(other.as_ref()))),
        },
    }
}

fn arm(tx: &mut Tx<'_>, record: &mut UserTaskRunRecord, trigger: &lh::UtActionTrigger, (action, seconds): Delayed) {
    if record.facts.hooks.len() >= MOST {
        note(tx, record, action, &format!("is left out: {MOST} actions wait already"));
        return;
    }
    // Two timers of a task that are due together differ in their slots.
    let taken = |slot: u32| record.facts.hooks.iter().any(|hook| hook.slot == slot);
    let mut slot = record.facts.hooks_armed;
    while taken(slot) {
        slot = (slot + 1) % SLOTS;
    }
    record.facts.hooks_armed = (slot + 1) % SLOTS;
    let of_owner = match &trigger.action {
        Some(Action::Reassign(_)) => true,
        Some(Action::Cancel(_)) => trigger.hook() == UtHook::OnTaskAssigned,
        // A reminder is for whoever owns the task by then.
        Some(Action::Task(_)) | None => false,
    };
    let due = tx.context().now.saturating_add(seconds.max(0).saturating_mul(1000));
    // What a timer arms is due later than it, so that actions without a delay do not fill a commit.
    let due = if tx.context().actor.channel == Channel::Timer { due.max(tx.soon()) } else { due };
    record.facts.hooks.push(store::PendingHook { action, due, slot, of_owner });
}

/// Timers of one object.
const SLOTS: u32 = 1 << u16::BITS;

/// Lets an action happen whose time has come.
pub fn fire(tx: &mut Tx<'_>, timer: &Timer) -> Result<(), Refusal> {
    let (run, place) = (RunRef(timer.owner.scope), Place::from_sub(timer.owner.sub));
    let Some(mut record) = tx.read().user_task_run(run, place)? else { return Ok(()) };
    let is_it = |hook: &store::PendingHook| hook.due == timer.due && hook.slot == u32::from(timer.slot);
    let Some(at) = record.facts.hooks.iter().position(is_it) else { return Ok(()) };
    let hook = record.facts.hooks.remove(at);
    let mut wf_run = Run::load(tx, run)?;
    let node = node_of(&mut wf_run, place)?;
    match node.actions.get(hook.action as usize).and_then(|trigger| trigger.action.as_ref()) {
        Some(Action::Cancel(_)) => cancel::mark(&mut wf_run, place, &mut record)?,
        Some(Action::Reassign(to)) => reassign(&mut wf_run, place, &mut record, &node, hook.action, to)?,
        Some(Action::Task(reminder)) => remind(&mut wf_run, place, &mut record, hook.action, reminder)?,
        None => note(wf_run.tx, &record, hook.action, "does nothing"),
    }
    tx.put_user_task_run(run, place, &record)?;
    if !life::is_open(&record) {
        tx.wake(run);
    }
    Ok(())
}

/// Gives the task to whom the action names by now. A task without an owner has no deadline, as LittleHorse has it.
fn reassign(
    run: &mut Run<'_, '_>,
    place: Place,
    record: &mut UserTaskRunRecord,
    node: &lh::UserTaskNode,
    action: u32,
    to: &UtaReassign,
) -> Result<(), Fault> {
    if record.message.status() != UserTaskRunStatus::Assigned {
        note(run.tx, record, action, "does nothing: nobody owns the task");
        return Ok(());
    }
    if record.facts.handed_over >= MOST_HANDED_OVER {
        note(run.tx, record, action, &format!("does nothing: the task was handed over {MOST_HANDED_OVER} times"));
        return Ok(());
    }
    // The Python SDK sends such an assignment for a group that does not exist.
    if [&to.user_id, &to.user_group].into_iter().flatten().any(|assignment| assignment.source.is_none()) {
        note(run.tx, record, action, "does nothing: one of its assignments has no source");
        return Ok(());
    }
    let text = |assignment: &Option<lh::VariableAssignment>| -> Result<Option<String>, EvalError> {
        let Some(assignment) = assignment else { return Ok(None) };
        let value = evaluate(assignment, &run.scope(place.thread.cast_signed()))?;
        Ok(value.as_ref().map(to_text))
    };
    let pair = text(&to.user_id).and_then(|user| Ok((user, text(&to.user_group)?)));
    let (user_id, user_group) = match pair {
        Ok((None, None)) => {
            note(run.tx, record, action, "does nothing: it names nobody");
            return Ok(());
        }
        Ok(pair) => pair,
        // The node fails, and a task of a failed node must not stay in anybody's list.
        Err(EvalError::Wrong(Wrong(text))) => {
            let message = format!("Failed calculating new assignment for UserTaskRun: {text}");
            return cancel::mark_as(run.tx, run.run, place, record, "VAR_SUB_ERROR", message);
        }
        Err(EvalError::Fault(fault)) => return Err(fault),
    };
    let texts = [&user_id, &user_group, &record.message.user_id, &record.message.user_group];
    if !life::has_room(record, 2 * texts.into_iter().flatten().map(String::len).sum::<usize>()) {
        note(run.tx, record, action, "does nothing: the task is full");
        return Ok(());
    }
    let is_new_owner = user_id.is_some() && user_id != record.message.user_id;
    life::assign(run.tx, run.run, place, record, user_id, user_group)?;
    record.facts.handed_over += 1;
    if is_new_owner {
        of_owner(run, place, record, node)?;
    }
    Ok(())
}

/// Creates a TaskRun for whoever owns the task by now. What is wrong with it goes to the log: the person works on.
fn remind(
    run: &mut Run<'_, '_>,
    place: Place,
    record: &mut UserTaskRunRecord,
    action: u32,
    reminder: &UtaTask,
) -> Result<(), Fault> {
    let Some(task) = &reminder.task else {
        note(run.tx, record, action, "does nothing: it has no task");
        return Ok(());
    };
    if !life::has_room(record, TASK_RUN_ID + record.message.id.as_ref().map_or(0, prost::Message::encoded_len)) {
        note(run.tx, record, action, "is not sent: the task is full");
        return Ok(());
    }
    let source = TaskRunSource::UserTaskTrigger(lh::UserTaskTriggerReference {
        node_run_id: record.message.node_run_id.clone(),
        user_task_event_number: i32::try_from(record.facts.events).unwrap_or(i32::MAX),
        user_id: record.message.user_id.clone(),
        user_group: record.message.user_group.clone(),
    });
    match task::schedule(run, place.thread.cast_signed(), task, source) {
        Ok(task_run) => {
            let event = Event::TaskExecuted(UteTaskExecuted { task_run: Some(task_run) });
            life::append(run.tx, run.run, place, record, event)
        }
        Err(Trouble::Failure(failure)) => {
            note(run.tx, record, action, &format!("is not sent: {}", failure.message));
            Ok(())
        }
        Err(Trouble::Fault(fault)) => Err(fault),
    }
}

/// What the id of a reminder's TaskRun is longer than that of its task, at most.
const TASK_RUN_ID: usize = 32;

/// A line for the log about an action.
fn note(tx: &mut Tx<'_>, record: &UserTaskRunRecord, action: u32, what: &str) {
    let id = record.message.id.as_ref().map(id::user_task_run_text).unwrap_or_default();
    tx.note(format!("Action {action} of UserTaskRun {id} {what}"));
}
