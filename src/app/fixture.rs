//! A small world for tests: some tasks, and a model that is fed with them.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Effect, Look, Model, Msg, Now, Setup, Size, update};
use crate::domain::*;
use crate::input::{Chord, Key};

pub(crate) const NOW: &str = "2026-11-21T13:14:00Z";

pub(crate) fn now() -> Timestamp {
    NOW.parse().unwrap()
}

pub(crate) fn ago(minutes: i64) -> Timestamp {
    now() - jiff::SignedDuration::from_mins(minutes)
}

pub(crate) fn task(
    number: usize,
    def: &str,
    notes: &str,
    user: Option<&str>,
    group: Option<&str>,
    age: i64,
) -> TaskRow {
    TaskRow {
        id: TaskId { run: RunId::root(format!("4f2a{number:028x}")), guid: "0-1".to_owned() },
        def: DefId { name: def.into(), version: 0 },
        status: if user.is_some() { Status::Assigned } else { Status::Unassigned },
        user: user.map(Untrusted::from),
        group: group.map(Untrusted::from),
        notes: Some(notes.into()),
        scheduled: Some(ago(age)),
        workflow: Some("expense-approval".into()),
    }
}

pub(crate) fn tasks() -> Vec<TaskRow> {
    vec![
        task(1, "approve-expense", "Laptop for Amy, 1,240 EUR, cost centre 4711", Some("amy"), Some("finance"), 120),
        task(2, "approve-expense", "Train to Bern, 86 CHF", Some("amy"), None, 300),
        task(3, "verify-customer", "ACME GmbH, new account", None, Some("finance"), 310),
        task(4, "verify-customer", "Birch & Sons", None, Some("finance"), 1500),
        task(5, "enter-invoice", "Scan 00417", Some("bob"), Some("finance"), 2900),
        task(6, "enter-invoice", "発注書 株式会社🐎 e\u{301}\u{1b}[31m\nrow two", None, Some("ops"), 5000),
    ]
}

fn field(key: &str, kind: Kind, required: bool, help: Option<&str>) -> Field {
    Field {
        key: key.to_owned(),
        display_name: None,
        help: help.map(Untrusted::from),
        kind,
        required,
        default: None,
        masked: false,
    }
}

pub(crate) fn form() -> Form {
    Form {
        description: Some("Approve or reject an expense.".into()),
        fields: vec![
            field("approved", Kind::Bool, true, None),
            field("amount", Kind::Double, true, Some("in EUR, as on the receipt")),
            field("days", Kind::Int, false, None),
            field("comment", Kind::Str, false, Some("optional")),
            field("receipt", Kind::Other("BYTES".to_owned()), false, None),
        ],
    }
}

pub(crate) fn detail(row: &TaskRow) -> TaskDetail {
    let some = |text: &str| Some(Untrusted::from(text));
    let mut events = vec![Event {
        at: ago(154),
        what: EventKind::Assigned { old_user: None, old_group: None, new_user: None, new_group: some("finance") },
    }];
    if row.user.is_some() {
        events.push(Event {
            at: ago(12),
            what: EventKind::Assigned {
                old_user: None,
                old_group: some("finance"),
                new_user: row.user.clone(),
                new_group: row.group.clone(),
            },
        });
    }
    events.push(Event {
        at: ago(5),
        what: EventKind::Commented { id: 1, by: "bob".into(), text: "The receipt is missing a date.".into() },
    });
    TaskDetail {
        row: row.clone(),
        form: Ok(form()),
        values: [("amount".to_owned(), Value::Double(1240.5))].into(),
        events,
        run: Some(RunBrief {
            id: row.id.run.clone(),
            workflow: "expense-approval".into(),
            version: "0.0".to_owned(),
            status: RunStatus::Running,
            at: vec!["approve-expense".into()],
            failure: None,
        }),
        next: vec![
            NextStep { when: Some("approved = yes".into()), to: "pay-invoice".into() },
            NextStep { when: None, to: "notify-requester".into() },
        ],
        on_cancel: OnCancel::Fails { failure: "USER_TASK_CANCELLED".into() },
    }
}

pub(crate) fn host() -> HostInfo {
    HostInfo {
        place: Place::Local,
        version: None,
        listen: None,
        writable: true,
        pending_timers: Some(0),
        throwaway: false,
        tells_changes: true,
    }
}

/// A model with a world that answers.
pub(crate) struct World {
    pub(crate) model: Model,
    pub(crate) rows: Vec<TaskRow>,
    pub(crate) host: HostInfo,
    pub(crate) drafts: std::collections::BTreeMap<DraftKey, Draft>,
    /// Everything that was asked for, in order.
    pub(crate) log: Vec<Effect>,
    /// What the next actions answer; else they are carried out.
    pub(crate) answer: Option<Result<Acted, Trouble>>,
    /// Whether tasks and pages are answered.
    pub(crate) answers: bool,
}

impl World {
    pub(crate) fn new(width: u16, height: u16, rows: Vec<TaskRow>) -> Self {
        let model = Model::new(Setup {
            me: Identity { user: "amy".to_owned(), groups: vec!["finance".to_owned()] },
            zone: TimeZone::fixed(jiff::tz::offset(1)),
            look: Look { color: true, unicode: true },
            size: Size { width, height },
            now: Now { since_start: Duration::ZERO, wall: now() },
            service: crate::app::Service::Impossible,
            seed: 7,
        });
        let drafts = std::collections::BTreeMap::new();
        let mut world = Self { model, rows, host: host(), drafts, log: Vec::new(), answer: None, answers: true };
        world.send(Msg::Connection(Connection::Online));
        let effects = world.model.start().effects;
        world.carry_out(effects);
        world.wait(100);
        world
    }

    pub(crate) fn send(&mut self, msg: Msg) {
        let effects = update(&mut self.model, msg).effects;
        self.carry_out(effects);
    }

    /// Time passes.
    pub(crate) fn wait(&mut self, millis: u64) {
        let since_start = self.model.now.since_start + Duration::from_millis(millis);
        let wall = self.model.now.wall;
        self.send(Msg::Tick(Now { since_start, wall }));
    }

    pub(crate) fn keys(&mut self, names: &str) {
        for name in names.split(' ').filter(|name| !name.is_empty()) {
            self.send(Msg::Key(name.parse().unwrap()));
        }
        self.wait(100);
    }

    pub(crate) fn type_text(&mut self, text: &str) {
        for c in text.chars() {
            self.send(Msg::Key(if c == '\n' { Chord::plain(Key::Enter) } else { Chord::char(c) }));
        }
    }

    fn listed(&self, view: View) -> Vec<TaskRow> {
        let me = self.model.me.clone();
        let mine = |row: &TaskRow| row.user.as_ref().is_some_and(|user| me.is_me(user));
        let groups = |row: &TaskRow| row.group.as_ref().is_some_and(|group| me.is_mine(group));
        let fits = |row: &&TaskRow| match view {
            View::ForMe => row.status.is_open() && (mine(row) || row.user.is_none() && groups(row)),
            View::MyGroups => row.status.is_open() && groups(row),
            View::AllOpen => row.status.is_open(),
            View::Done => row.status == Status::Done,
            View::Cancelled => row.status == Status::Cancelled,
        };
        self.rows.iter().filter(fits).cloned().collect()
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            self.log.push(effect.clone());
            if let Some(answer) = self.respond(effect) {
                self.send(answer);
            }
        }
    }

    fn respond(&mut self, effect: Effect) -> Option<Msg> {
        Some(match effect {
            Effect::LoadPage { generation, view, .. } if self.answers => Msg::Page {
                generation,
                result: Ok(TaskPage { rows: self.listed(view), next: None, looked_back_to: None }),
            },
            Effect::LoadCounts { generation } => {
                let counts = View::ALL.map(|view| Count::Exactly(self.listed(view).len() as u64));
                Msg::Counts { generation, result: Ok(counts) }
            }
            Effect::LoadTask { generation, task } if self.answers => {
                let row = self.rows.iter().find(|row| row.id == task)?;
                Msg::Task { generation, result: Ok(Box::new(detail(row))) }
            }
            Effect::LoadHost { generation } => {
                Msg::Host { generation: Some(generation), result: Ok(self.host.clone()) }
            }
            Effect::LoadWorkflows { generation } => {
                Msg::Workflows { generation, result: Ok(vec!["expense-approval".into(), "kyc".into()]) }
            }
            Effect::LoadWorkflow { generation, name } => {
                let mut inputs = form();
                if let Some(days) = inputs.fields.get_mut(2) {
                    days.default = Some(Value::Int(3));
                }
                let workflow = Workflow { name: name.into(), version: "0.2".to_owned(), inputs };
                Msg::Workflow { generation, result: Ok(Box::new(workflow)) }
            }
            Effect::LoadRun { generation, run } => Msg::Run { generation, result: Ok(Box::new(failed_run(run))) },
            Effect::Act { ticket, task, act } => {
                if let Some(answer) = self.answer.take() {
                    return Some(Msg::Acted { ticket, result: answer });
                }
                let row = self.rows.iter_mut().find(|row| row.id == task)?;
                let mut run_status = RunStatus::Running;
                match act {
                    Act::Claim { .. } => {
                        row.user = Some("amy".into());
                        row.status = Status::Assigned;
                    }
                    Act::Release { .. } => {
                        row.user = None;
                        row.status = Status::Unassigned;
                    }
                    Act::Assign { user, group, .. } => {
                        row.user = user.map(Untrusted::from);
                        row.group = group.map(Untrusted::from);
                    }
                    Act::Complete { .. } => row.status = Status::Done,
                    Act::Cancel { .. } => {
                        row.status = Status::Cancelled;
                        run_status = RunStatus::Error;
                    }
                    Act::Save { .. } | Act::Comment { .. } => {}
                }
                let mut detail = detail(row);
                if let Some(run) = &mut detail.run {
                    run.status = run_status;
                    run.at = vec!["pay-invoice".into()];
                    if run_status == RunStatus::Error {
                        run.failure = failed_run(task.run).brief.failure;
                    }
                }
                Msg::Acted { ticket, result: Ok(Acted { happened: Happened::Done, task: Some(Box::new(detail)) }) }
            }
            Effect::RunWorkflow { ticket, .. } => Msg::Started { ticket, result: Ok(RunId::root("9c1e77aa00")) },
            Effect::LoadExamples { ticket } => {
                self.rows = tasks();
                Msg::ExamplesLoaded { ticket, result: Ok(()) }
            }
            Effect::KeepDraft { ticket, draft } => {
                self.drafts.insert(draft.key.clone(), draft);
                Msg::DraftKept { ticket, result: Ok(()) }
            }
            Effect::FindDraft { key } => Msg::DraftFound { result: Ok(self.drafts.get(&key).cloned()), key },
            Effect::DropDraft { key } => {
                self.drafts.remove(&key);
                return None;
            }
            _ => return None,
        })
    }
}

pub(crate) fn failed_run(id: RunId) -> RunDetail {
    let step = |node: &str, kind: &str, status, problem: Option<&str>| RunStep {
        node: node.into(),
        kind: kind.to_owned(),
        status,
        at: Some(ago(3)),
        problem: problem.map(Untrusted::from),
    };
    RunDetail {
        brief: RunBrief {
            id,
            workflow: "expense-approval".into(),
            version: "0.0".to_owned(),
            status: RunStatus::Error,
            at: vec!["approve-expense".into()],
            failure: Some(RunFailure {
                name: "USER_TASK_CANCELLED".into(),
                message: "User task cancelled".into(),
                node: "approve-expense".into(),
                thread: "entrypoint".into(),
                at: Some(ago(1)),
            }),
        },
        started: Some(ago(3)),
        ended: Some(ago(1)),
        steps: vec![
            step("entrypoint", "start", RunStatus::Completed, None),
            step("approve-expense", "user task", RunStatus::Error, Some("User task cancelled")),
        ],
        tasks: vec![],
    }
}
