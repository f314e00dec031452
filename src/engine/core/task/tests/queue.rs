//! The queue: who gets which task, and in which order.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::*;

/// What a queue is to the naive eye: the runs whose tasks wait, in order; and every attempt by run.
#[derive(Clone, Debug, Default)]
struct Model {
    waiting: VecDeque<usize>,
    attempts: BTreeMap<usize, Vec<S>>,
    ended: BTreeMap<usize, bool>,
}

#[derive(Clone, Debug)]
enum Move {
    Start,
    Claim,
    Report { run: usize, attempt: usize, ok: bool },
    Pass(i64),
}

const RETRIES: usize = 2;

fn any_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        2 => Just(Move::Start),
        4 => Just(Move::Claim),
        4 => (0usize..6, 0usize..3, any::<bool>()).prop_map(|(run, attempt, ok)| Move::Report { run, attempt, ok }),
        1 => prop_oneof![Just(1_000), Just(30_000)].prop_map(Move::Pass),
    ]
}

impl Model {
    fn end(&mut self, run: usize, status: S) {
        let attempts = self.attempts.entry(run).or_default();
        if let Some(last) = attempts.last_mut() {
            *last = status;
        }
        if status == S::TaskSuccess || attempts.len() > RETRIES {
            self.ended.insert(run, status == S::TaskSuccess);
        } else {
            attempts.push(S::TaskScheduled);
            self.waiting.push_back(run);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever happens in which order: a task is given to one worker at a time, first come first served, attempt by
    /// attempt; and every row follows from the objects.
    #[test]
    fn a_queue_does_what_a_naive_queue_does(moves in prop::collection::vec(any_move(), 1..40)) {
        let node = lh::TaskNode { retries: 2, timeout_seconds: 20, ..task("td") };
        let mut works = Works::with(&[], None, node);
        let mut model = Model::default();
        let mut claimed_at: BTreeMap<usize, i64> = BTreeMap::new();
        for next in moves {
            match next {
                Move::Start => {
                    let number = model.attempts.len();
                    works.run(&number.to_string());
                    model.attempts.insert(number, vec![S::TaskScheduled]);
                    model.waiting.push_back(number);
                }
                Move::Claim => {
                    let got = works.poll("td").map(|task| {
                        let id = task.task_run_id.unwrap();
                        (id.wf_run_id.unwrap().id.parse::<usize>().unwrap(), task.attempt_number)
                    });
                    let wanted = model.waiting.pop_front();
                    let wanted = wanted.map(|run| (run, i32::try_from(model.attempts[&run].len() - 1).unwrap()));
                    prop_assert_eq!(got, wanted);
                    if let Some((run, _)) = got {
                        *model.attempts.get_mut(&run).unwrap().last_mut().unwrap() = S::TaskRunning;
                        claimed_at.insert(run, works.0.clock);
                    }
                }
                Move::Report { run, attempt, ok } => {
                    let status = if ok { S::TaskSuccess } else { S::TaskFailed };
                    works.report(&run.to_string(), i32::try_from(attempt).unwrap(), status, None);
                    let attempts = model.attempts.get(&run).cloned().unwrap_or_default();
                    if attempt + 1 == attempts.len() && attempts[attempt] == S::TaskRunning {
                        claimed_at.remove(&run);
                        model.end(run, status);
                    }
                }
                Move::Pass(time) => works.0.pass(time),
            }
            // The clock moves with every command; what is out of time is so in the order of its deadlines.
            works.0.pass(0);
            let mut due: Vec<_> = claimed_at.iter().map(|(run, at)| (at + 20_000, *run)).collect();
            due.sort_unstable();
            for (at, run) in due {
                if at <= works.0.clock {
                    claimed_at.remove(&run);
                    model.end(run, S::TaskTimeout);
                }
            }
            for (run, attempts) in &model.attempts {
                prop_assert_eq!(&works.statuses(&run.to_string()), attempts);
            }
            works.checked();
        }
        for (run, won) in model.ended {
            let wanted = if won { LhStatus::Completed } else { LhStatus::Error };
            prop_assert_eq!(works.0.wf_run(&run.to_string()).unwrap().status(), wanted);
        }
    }
}

/// Where threads reach their tasks within one command after different numbers of steps, it is the threads that count.
#[test]
fn tasks_of_one_command_are_handed_out_in_the_order_of_their_threads() {
    let mut works = Works(Bench::default());
    works.def("td", &[], None);
    let nop = || Kind::Nop(lh::NopNode {});
    let start = |thread: &str| {
        let thread_spec_name = thread.into();
        Kind::StartThread(lh::StartThreadNode { thread_spec_name, ..Default::default() })
    };
    let main = chain(&[("slow", start("slow")), ("fast", start("fast")), ("own", Kind::Task(task("td")))]);
    let slow = chain(&[("a", nop()), ("b", nop()), ("c", nop()), ("d", nop()), ("task", Kind::Task(task("td")))]);
    let fast = chain(&[("task", Kind::Task(task("td")))]);
    works.0.flow("flow", &[("main", main), ("slow", slow), ("fast", fast)]).unwrap();
    works.0.run("flow", "b", &[]).unwrap();
    works.0.run("flow", "a", &[]).unwrap();
    let mut order = Vec::new();
    while let Some(task) = works.poll("td") {
        let id = task.task_run_id.unwrap();
        order.push((id.wf_run_id.unwrap().id, id.task_guid));
    }
    let order: Vec<_> = order.iter().map(|(run, guid)| (run.as_str(), guid.as_str())).collect();
    let of = |run| [(run, "0-3"), (run, "1-5"), (run, "2-1")];
    assert_eq!(order, [of("b"), of("a")].concat());
}

#[test]
fn tenants_have_queues_of_their_own() {
    let mut works = Works::with(&[], None, task("td"));
    works.run("run");
    works.0.must(lh::PutTenantRequest { id: "acme".into(), ..Default::default() });
    assert_eq!(query::queued_tasks(&works.0.state, "acme", "td", 9), Ok(0));
    assert_eq!(query::queued_tasks(&works.0.state, "default", "td", 9), Ok(1));
    assert_eq!(query::queued_tasks(&works.0.state, "nobody", "td", 9), Ok(0));
    works.run("more");
    assert_eq!(query::queued_tasks(&works.0.state, "default", "td", 1), Ok(1), "no further than asked");
}

#[test]
fn a_queue_hands_out_nothing_of_a_deleted_run() {
    let mut works = Works(Bench::default());
    works.def("td", &[], None);
    let start = |thread: &str| {
        let thread_spec_name = thread.into();
        Kind::StartThread(lh::StartThreadNode { thread_spec_name, ..Default::default() })
    };
    let kid = chain(&[("task", Kind::Task(task("td")))]);
    let main = chain(&[("a", start("kid")), ("b", start("kid")), ("own", Kind::Task(task("td")))]);
    works.0.flow("flow", &[("main", main), ("kid", kid)]).unwrap();
    works.run("gone");
    works.run("stays");
    works.poll("td").unwrap();
    works.0.must(lh::DeleteWfRunRequest { id: Some(run_id("gone")) });
    works.checked();
    let next = works.poll("td").unwrap().task_run_id.unwrap();
    assert_eq!(next.wf_run_id, Some(run_id("stays")));
    works.report("gone", 0, S::TaskSuccess, None);
}

#[test]
fn a_task_that_is_as_large_as_it_may_be_is_not_tried_again() {
    let node = lh::TaskNode { variables: vec![lit(s(&"x".repeat(1_046_700)))], retries: i32::MAX, ..task("td") };
    let mut works = Works::with(&[input("in", T::Str)], None, node);
    works.run("run");
    works.poll("td").unwrap();
    works.report("run", 0, S::TaskFailed, None);
    assert_eq!(works.statuses("run"), [S::TaskFailed]);
    assert_eq!(works.0.wf_run("run").unwrap().status(), LhStatus::Error);
}
