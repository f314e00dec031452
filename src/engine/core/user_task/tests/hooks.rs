//! Deadlines and timed cancelling: what arms them, what they do, what ends them.

use proptest::prelude::*;

use crate::api::littlehorse as lh;
use crate::engine::core::testing::*;
use lh::node::Node as Kind;
use lh::task_node::TaskToExecute;
use lh::user_task_event::Event;
use lh::ut_action_trigger::{Action, UtHook, UtaCancel, UtaReassign, UtaTask};
use lh::{LhStatus, UserTaskRunStatus as Status, VariableType as T};

fn action(hook: UtHook, delay: lh::VariableAssignment, action: Action) -> lh::UtActionTrigger {
    lh::UtActionTrigger { delay_seconds: Some(delay), hook: hook.into(), action: Some(action) }
}

fn cancel(hook: UtHook, seconds: i64) -> lh::UtActionTrigger {
    action(hook, lit(i(seconds)), Action::Cancel(UtaCancel {}))
}

fn reassign(
    hook: UtHook,
    seconds: i64,
    user: Option<lh::VariableAssignment>,
    group: Option<lh::VariableAssignment>,
) -> lh::UtActionTrigger {
    action(hook, lit(i(seconds)), Action::Reassign(UtaReassign { user_id: user, user_group: group }))
}

/// A running user task of `ann` and `sales` with these actions, in a workflow with these variables.
fn started(actions: &[lh::UtActionTrigger], variables: &[lh::ThreadVarDef]) -> (Bench, lh::UserTaskRunId) {
    let node = lh::UserTaskNode { actions: actions.to_vec(), ..user_task(Some(lit(s("ann"))), Some(lit(s("sales")))) };
    let mut bench = Bench::default();
    bench.form("form", &FORM());
    let mut thread = chain(&[("form", Kind::UserTask(node))]);
    thread.variable_defs = variables.to_vec();
    bench.flow("flow", &[("main", thread)]).unwrap();
    bench.run("flow", "run", &[]).unwrap();
    (bench, task_id("run", "0-1"))
}

/// Owner, group, status and epoch.
fn state(bench: &Bench, id: &lh::UserTaskRunId) -> (Option<String>, Option<String>, Status, i32) {
    let task = bench.task(id).unwrap();
    (task.user_id.clone(), task.user_group.clone(), task.status(), task.epoch)
}

fn of(user: &str, group: &str, status: Status, epoch: i32) -> (Option<String>, Option<String>, Status, i32) {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    (text(user), text(group), status, epoch)
}

#[test]
fn a_deadline_releases_to_the_group_for_every_owner_anew() {
    let (mut bench, id) = started(&[reassign(UtHook::OnTaskAssigned, 10, None, Some(lit(s("sales"))))], &[]);
    bench.pass(9_999);
    assert_eq!(state(&bench, &id), of("ann", "sales", Status::Assigned, 1), "never early");
    bench.pass(1);
    assert_eq!(state(&bench, &id), of("", "sales", Status::Unassigned, 2));
    bench.pass(60_000);
    assert_eq!(state(&bench, &id), of("", "sales", Status::Unassigned, 2), "once");
    bench.assign(&id, Some("bob"), Some("sales"), false).unwrap();
    bench.pass(10_000);
    assert_eq!(state(&bench, &id), of("", "sales", Status::Unassigned, 4));
}

#[test]
fn a_deadline_ends_with_its_owner_and_not_before() {
    for (what, user, group, expected) in [
        ("the same user again", "ann", "ops", of("zoe", "", Status::Assigned, 3)),
        ("another user, whose own deadline begins", "bob", "sales", of("bob", "sales", Status::Assigned, 2)),
    ] {
        let (mut bench, id) = started(&[reassign(UtHook::OnTaskAssigned, 10, Some(lit(s("zoe"))), None)], &[]);
        bench.pass(5_000);
        bench.assign(&id, Some(user), Some(group), true).unwrap();
        bench.pass(5_000);
        assert_eq!(state(&bench, &id), expected, "{what}");
    }
    let (mut bench, id) = started(&[reassign(UtHook::OnTaskAssigned, 10, Some(lit(s("zoe"))), None)], &[]);
    bench.assign(&id, None, Some("sales"), true).unwrap();
    bench.pass(3_000);
    bench.assign(&id, Some("ann"), None, false).unwrap();
    bench.pass(7_000);
    assert_eq!(state(&bench, &id), of("ann", "", Status::Assigned, 3), "her first deadline ended when she let go");
    bench.pass(3_000);
    assert_eq!(state(&bench, &id), of("zoe", "", Status::Assigned, 4));
}

#[test]
fn a_timeout_after_assignment_is_the_one_of_the_owner() {
    let (mut bench, id) = started(&[cancel(UtHook::OnTaskAssigned, 10)], &[]);
    bench.pass(8_000);
    bench.assign(&id, Some("bob"), None, true).unwrap();
    bench.pass(9_999);
    assert_eq!(state(&bench, &id).2, Status::Assigned, "the clock of ann must not cancel the task of bob");
    bench.pass(1);
    assert_eq!(state(&bench, &id).2, Status::Cancelled);
    assert_eq!(bench.wf_run("run").unwrap().status(), LhStatus::Error);

    let (mut bench, id) = started(&[cancel(UtHook::OnArrival, 10)], &[]);
    bench.assign(&id, Some("bob"), None, true).unwrap();
    bench.pass(10_000);
    assert_eq!(state(&bench, &id).2, Status::Cancelled, "a timeout from arrival on is everybody's");
    let task = bench.task(&id).unwrap();
    let told = task.events.last().unwrap().time;
    assert_eq!(told, Some(crate::engine::core::id::timestamp(bench.clock)), "told when it was done");
}

#[test]
fn nothing_happens_to_a_finished_task() {
    let (mut bench, id) = started(&[cancel(UtHook::OnArrival, 10), cancel(UtHook::OnTaskAssigned, 10)], &[]);
    assert_eq!(bench.timers(), 2);
    bench.complete(&id, "ann", &[("name", s("x"))]).unwrap();
    assert_eq!(bench.timers(), 0);
    let before = bench.task(&id).unwrap();
    bench.pass(20_000);
    assert_eq!(bench.task(&id).unwrap(), before);
}

#[test]
fn deadlines_that_hand_a_task_to_and_fro_come_to_an_end() {
    let to = |seconds, user| reassign(UtHook::OnTaskAssigned, seconds, Some(lit(s(user))), None);
    let (mut bench, id) = started(&[to(0, "zoe"), to(0, "ann")], &[]);
    let before = bench.task(&id).unwrap().epoch;
    bench.pass(0);
    assert!(bench.task(&id).unwrap().epoch - before <= 2, "what a timer arms is due later than it");
    for _ in 0..2_000 {
        bench.pass(1);
    }
    let task = bench.task(&id).unwrap();
    assert_eq!((task.status(), task.epoch, bench.timers()), (Status::Assigned, 1_001, 0));
    let end = "does nothing: the task was handed over 1000 times";
    assert!(bench.notes.iter().any(|note| note.ends_with(end)), "{:?}", bench.notes.last());
    // People can still do everything with it.
    bench.assign(&id, Some("bob"), None, true).unwrap();
    bench.pass(1);
    assert_eq!(state(&bench, &id), of("bob", "", Status::Assigned, 1_002));
    bench.complete(&id, "bob", &[("name", s("x"))]).unwrap();
    assert_eq!(bench.wf_run("run").unwrap().status(), LhStatus::Completed);
}

#[test]
fn the_new_owner_is_computed_when_the_deadline_comes() {
    let variables = [var_def("who", T::Str), var_def("team", T::Str)];
    let to = |user, group| reassign(UtHook::OnTaskAssigned, 1, user, group);
    let nothing = lh::VariableAssignment::default();
    for (what, action, expected) in [
        ("both null", to(Some(var("who")), Some(var("team"))), of("ann", "sales", Status::Assigned, 1)),
        ("neither", to(None, None), of("ann", "sales", Status::Assigned, 1)),
        ("null user", to(Some(lit(None)), Some(lit(s("ops")))), of("", "ops", Status::Unassigned, 2)),
        ("a number", to(Some(lit(i(7))), None), of("7", "", Status::Assigned, 2)),
        ("blank", to(Some(lit(s(" "))), None), of(" ", "", Status::Assigned, 2)),
        ("no source", to(Some(nothing.clone()), Some(lit(s("ops")))), of("ann", "sales", Status::Assigned, 1)),
    ] {
        let (mut bench, id) = started(&[action], &variables);
        bench.pass(1_000);
        assert_eq!(state(&bench, &id), expected, "{what}");
        assert_eq!(bench.notes.len(), usize::from(expected.3 == 1), "{what}: {:?}", bench.notes);
    }
}

#[test]
fn a_deadline_that_cannot_be_computed_cancels_the_task_with_its_node() {
    let cast = lh::VariableAssignment { target_type: Some(typed(T::Int)), ..lit(s("x")) };
    let (mut bench, id) = started(&[reassign(UtHook::OnTaskAssigned, 1, Some(cast), None)], &[]);
    bench.pass(1_000);
    assert_eq!(state(&bench, &id).2, Status::Cancelled);
    let node = bench.node_run("run", 0, 1);
    let failure = &node.failures[0];
    assert_eq!(failure.failure_name, "VAR_SUB_ERROR");
    assert!(failure.message.starts_with("Failed calculating new assignment for UserTaskRun: "), "{}", failure.message);
    assert_eq!(bench.wf_run("run").unwrap().status(), LhStatus::Error);
}

#[test]
fn a_free_task_has_no_deadline_and_an_arrival_deadline_needs_the_same_owner() {
    let deadline = reassign(UtHook::OnArrival, 10, Some(lit(s("zoe"))), None);
    let (mut bench, id) = started(std::slice::from_ref(&deadline), &[]);
    bench.pass(10_000);
    assert_eq!(state(&bench, &id), of("zoe", "", Status::Assigned, 2));

    let mut bench = Bench::default();
    let id = bench.start(lh::UserTaskNode { actions: vec![deadline], ..user_task(None, Some(lit(s("sales")))) });
    bench.pass(10_000);
    assert_eq!(state(&bench, &id), of("", "sales", Status::Unassigned, 1));
    assert_eq!(bench.notes.len(), 1, "{:?}", bench.notes);
}

#[test]
fn a_delay_is_an_integer_computed_when_it_is_armed() {
    let wrong = "Delay for User Task Action was not an INT, got a STR";
    let text = action(UtHook::OnArrival, lit(s("soon")), Action::Cancel(UtaCancel {}));
    let (bench, id) = started(std::slice::from_ref(&text), &[]);
    let failure = &bench.node_run("run", 0, 1).failures[0];
    assert_eq!(failure.failure_name, "VAR_SUB_ERROR");
    assert_eq!(failure.message, format!("Invalid variables when creating UserTaskRun: {wrong}"));
    assert!(bench.task(&id).is_err(), "the task was never made");

    let later = lh::UtActionTrigger { hook: UtHook::OnTaskAssigned.into(), ..text };
    let (bench, id) = started(&[later], &[]);
    assert_eq!(state(&bench, &id).2, Status::Assigned, "the assignment stands");
    assert_eq!(bench.notes, [format!("Action 0 of UserTaskRun run/0-1 is left out: {wrong}")]);

    for (seconds, fires_after) in [(0, 0), (-5, 0), (i64::MIN, 0), (3, 3_000)] {
        let (mut bench, id) = started(&[cancel(UtHook::OnArrival, seconds)], &[]);
        bench.pass(fires_after);
        assert_eq!(state(&bench, &id).2, Status::Cancelled, "{seconds}");
    }
    let (mut bench, id) = started(&[cancel(UtHook::OnArrival, i64::MAX)], &[]);
    bench.pass(1_000_000_000);
    assert_eq!(state(&bench, &id).2, Status::Assigned);
}

fn remind(hook: UtHook, seconds: i64, task: &str, inputs: Vec<lh::VariableAssignment>) -> lh::UtActionTrigger {
    let node = lh::TaskNode {
        task_to_execute: Some(TaskToExecute::TaskDefId(lh::TaskDefId { name: task.into() })),
        variables: inputs,
        retries: 2,
        ..Default::default()
    };
    action(hook, lit(i(seconds)), Action::Task(UtaTask { task: Some(node), mutations: Vec::new() }))
}

/// As [`started`], with a TaskDef `nag` that takes a text.
fn started_with_nag(actions: &[lh::UtActionTrigger]) -> (Bench, lh::UserTaskRunId) {
    let mut bench = Bench::default();
    let input = var_def("who", T::Str).var_def.unwrap();
    bench.must(lh::PutTaskDefRequest { name: "nag".into(), input_vars: vec![input], ..Default::default() });
    let user = Some(lit(s("ann")));
    let id = bench.start(lh::UserTaskNode { actions: actions.to_vec(), ..user_task(user, Some(lit(s("sales")))) });
    (bench, id)
}

fn reminder(bench: &Bench, guid: &str) -> Result<lh::TaskRun, crate::engine::core::Refusal> {
    let id = lh::TaskRunId { wf_run_id: Some(run_id("run")), task_guid: guid.into() };
    crate::engine::core::query::get_task_run(&bench.state, "default", id)
}

#[test]
fn a_reminder_is_for_whoever_owns_the_task_by_then() {
    let (mut bench, id) = started_with_nag(&[remind(UtHook::OnTaskAssigned, 10, "nag", vec![lit(i(5))])]);
    bench.pass(4_000);
    bench.assign(&id, Some("bob"), None, true).unwrap();
    bench.pass(5_000);
    let task = bench.task(&id).unwrap();
    let executed = |task_run| Event::TaskExecuted(lh::user_task_event::UteTaskExecuted { task_run: Some(task_run) });
    let run = reminder(&bench, "ut-0-1-2").unwrap();
    assert_eq!(task.events.last().unwrap().event, Some(executed(run.id.clone().unwrap())));
    assert_eq!(task.events.last().unwrap().time, Some(crate::engine::core::id::timestamp(bench.clock)));
    let source = lh::UserTaskTriggerReference {
        node_run_id: task.node_run_id.clone(),
        user_task_event_number: 2,
        user_id: Some("bob".into()),
        user_group: None,
    };
    let source = lh::task_run_source::TaskRunSource::UserTaskTrigger(source);
    assert_eq!(run.source, Some(lh::TaskRunSource { task_run_source: Some(source), wf_spec_id: None }));
    assert_eq!((run.timeout_seconds, run.total_attempts), (60, 3));
    assert_eq!(run.input_variables[0].value.as_ref().unwrap().value, s("5"), "converted to what the TaskDef takes");
    assert_eq!((task.epoch, task.status()), (2, Status::Assigned), "reminding changes nothing else");
    bench.pass(5_000);
    assert!(reminder(&bench, "ut-0-1-3").is_ok(), "the one for bob's own assignment");
    assert_eq!(bench.task(&id).unwrap().events.len(), 4);
    bench.complete(&id, "bob", &[("name", s("x"))]).unwrap();
    assert_eq!(bench.wf_run("run").unwrap().status(), LhStatus::Completed, "the thread waits for no reminder");
    assert_eq!(crate::engine::core::check(&bench.state), Ok(Vec::new()));
}

#[test]
fn a_reminder_that_cannot_be_sent_goes_to_the_log() {
    let wrong = "For TaskDef nag we need 1 input vars, but we have 0";
    let (mut bench, id) = started_with_nag(&[remind(UtHook::OnArrival, 1, "nag", vec![])]);
    let warning =
        "Action 0 of node form gives 0 inputs to TaskDef nag, which takes 1: this reminder will never be sent";
    assert_eq!(bench.notes, [format!("WfSpec flow/00000/00000: {warning}")]);
    bench.pass(1_000);
    assert!(bench.notes[1].ends_with(&format!("is not sent: Failed calculating TaskRun Input Vars: {wrong}")));
    assert_eq!(bench.task(&id).unwrap().events.len(), 1);
    assert_eq!(bench.wf_run("run").unwrap().status(), LhStatus::Running);

    let (mut bench, id) = started_with_nag(&[remind(UtHook::OnArrival, 1, "nag", vec![lit(s("x"))])]);
    bench.must(lh::DeleteTaskDefRequest { id: Some(lh::TaskDefId { name: "nag".into() }) });
    bench.pass(1_000);
    assert_eq!(bench.notes, ["Action 0 of UserTaskRun run/0-1 is not sent: Appears that TaskDef was deleted!"]);
    assert_eq!(bench.task(&id).unwrap().events.len(), 1);

    let (mut bench, id) = started_with_nag(&[remind(UtHook::OnArrival, 10, "nag", vec![lit(s("x"))])]);
    bench.complete(&id, "ann", &[("name", s("x"))]).unwrap();
    bench.pass(20_000);
    assert!(reminder(&bench, "ut-0-1-2").is_err(), "nobody is reminded of a finished task");
}

/// What a person or time does in the model test.
#[derive(Clone, Debug)]
enum Step {
    Assign(Option<&'static str>, bool),
    Complete,
    Cancel,
    Pass(i64),
}

/// An action that waits, as the model sees it: guards are asked when it fires, not when something else happens.
#[derive(Clone, Debug)]
struct Waiting {
    action: usize,
    due: i64,
    order: usize,
    /// Whose it is: the number of the owner's turn.
    turn: Option<u32>,
}

struct Model {
    actions: Vec<(UtHook, i64, Option<Option<&'static str>>)>,
    user: Option<&'static str>,
    turn: u32,
    epoch: i32,
    open: bool,
    waiting: Vec<Waiting>,
    armed: usize,
    events: Vec<(&'static str, i64)>,
}

impl Model {
    fn arm(&mut self, hook: UtHook, now: i64) {
        for (action, (of, delay, reassign)) in self.actions.clone().into_iter().enumerate() {
            if of == hook {
                let owned = reassign.is_some() || hook == UtHook::OnTaskAssigned;
                let turn = owned.then_some(self.turn);
                self.waiting.push(Waiting { action, due: now + delay * 1000, order: self.armed, turn });
                self.armed += 1;
            }
        }
    }

    fn give(&mut self, user: Option<&'static str>, told: i64, now: i64) {
        let changed = user != self.user;
        self.user = user;
        self.epoch += 1;
        self.turn += u32::from(changed);
        self.events.push(("assigned", told));
        if changed && user.is_some() {
            self.arm(UtHook::OnTaskAssigned, now);
        }
    }

    fn pass(&mut self, now: i64) {
        loop {
            let next = self.waiting.iter().filter(|waiting| waiting.due <= now).min_by_key(|w| (w.due, w.order));
            let Some(next) = next.cloned() else { return };
            self.waiting.retain(|waiting| waiting.order != next.order);
            if !self.open || next.turn.is_some_and(|turn| turn != self.turn) {
                continue;
            }
            match self.actions[next.action].2 {
                Some(user) if self.user.is_some() => self.give(user, now, now),
                Some(_) => {}
                None => {
                    self.open = false;
                    self.events.push(("cancelled", now));
                }
            }
        }
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = || prop::option::of(prop::sample::select(vec!["ann", "bob"]));
    let step = prop_oneof![
        4 => (who(), any::<bool>()).prop_map(|(user, force)| Step::Assign(user, force)),
        1 => Just(Step::Complete),
        1 => Just(Step::Cancel),
        6 => (0i64..6000).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 1..30)
}

proptest! {
    /// Whatever people and time do, each action happens once, never early, and only while it is still meant.
    #[test]
    fn actions_happen_as_the_model_says(
        owned: bool,
        actions in prop::collection::vec((any::<bool>(), 1i64..12, prop::option::of(prop::option::of(
            prop::sample::select(vec!["zoe", "ann"])))), 0..4),
        steps in steps(),
    ) {
        let hook = |assigned| if assigned { UtHook::OnTaskAssigned } else { UtHook::OnArrival };
        let actions: Vec<_> = actions.into_iter().map(|(assigned, delay, to)| (hook(assigned), delay, to)).collect();
        let triggers = actions.iter().map(|(hook, delay, to)| match to {
            Some(user) => reassign(*hook, *delay, user.map(|user| lit(s(user))), Some(lit(s("sales")))),
            None => cancel(*hook, *delay),
        });
        let mut bench = Bench::default();
        let user = owned.then(|| lit(s("bob")));
        let id = bench.start(lh::UserTaskNode { actions: triggers.collect(), ..user_task(user, Some(lit(s("sales")))) });
        let mut model = Model {
            actions, user: None, turn: 0, epoch: 0, open: true, waiting: Vec::new(), armed: 0, events: Vec::new(),
        };
        model.give(owned.then_some("bob"), bench.clock - 5, bench.clock);
        model.arm(UtHook::OnArrival, bench.clock);
        for step in steps {
            match step {
                Step::Pass(time) => {
                    bench.pass(time);
                    model.pass(bench.clock);
                }
                Step::Assign(user, force) => {
                    let taken = bench.assign(&id, user, Some("sales"), force).is_ok();
                    prop_assert_eq!(taken, model.open && (force || model.user.is_none()));
                    if taken {
                        model.give(user, bench.clock - 5, bench.clock);
                    }
                }
                Step::Complete => {
                    let done = bench.complete(&id, "eve", &[("name", s("x"))]).is_ok();
                    if model.open {
                        prop_assert!(done);
                        model.user = Some("eve");
                        model.epoch += 1;
                        model.open = false;
                        model.events.extend([("assigned", bench.clock - 5), ("completed", bench.clock - 5)]);
                    }
                }
                Step::Cancel => {
                    let _ = bench.cancel(&id);
                    if model.open {
                        model.open = false;
                        model.events.push(("cancelled", bench.clock - 5));
                    }
                }
            }
            let task = bench.task(&id).unwrap();
            prop_assert_eq!((task.user_id.as_deref(), task.epoch), (model.user, model.epoch));
            let events: Vec<_> = task.events.iter().map(|event| {
                let kind = match event.event {
                    Some(Event::Assigned(_)) => "assigned",
                    Some(Event::Completed(_)) => "completed",
                    Some(Event::Cancelled(_)) => "cancelled",
                    _ => "another",
                };
                (kind, crate::engine::core::id::milliseconds(event.time.as_ref().unwrap()))
            }).collect();
            prop_assert_eq!(events, model.events.clone());
            prop_assert_eq!(crate::engine::core::check(&bench.state), Ok(Vec::new()));
            if !model.open {
                prop_assert_eq!(bench.timers(), 0);
            }
        }
    }
}
