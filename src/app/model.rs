//! The state of the inbox.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Update;
use super::acts::Pending;
use super::effect::{Effect, Generation, Ticket};
use super::form::{FormState, Kept};
use super::geometry::Geometry;
use super::list::List;
use super::msg::Now;
use super::notice::Notice;
use super::open::OpenTask;
use super::overlay::Overlay;
use super::quit::{Quitting, Service};
use super::runs::{RunView, Start};
use super::sheet::Tone;
use crate::domain::{Connection, Count, DraftKey, HostInfo, Identity, Order, TaskId, TaskRow, View};

/// The size of the screen in cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
}

/// How it may look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Colours; false under `NO_COLOR`: then no colour at all is sent, only bold, dim and reverse.
    pub color: bool,
    /// Signs and lines beyond ASCII; false where the locale has no UTF-8.
    pub unicode: bool,
}

/// What the model starts with.
#[derive(Debug, Clone)]
pub struct Setup {
    /// As whom the person acts.
    pub me: Identity,
    /// The person's time zone.
    pub zone: TimeZone,
    /// How it may look.
    pub look: Look,
    /// The size of the screen.
    pub size: Size,
    /// The time.
    pub now: Now,
    /// Whether the engine runs as a service.
    pub service: Service,
    /// Any number: spreads the polls of many ostlers over time.
    pub seed: u64,
}

/// The pane that takes keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Focus {
    /// The list.
    List,
    /// The task.
    Task,
    /// The form.
    Form,
}

/// What has the screen below the header.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Screen {
    /// The list, the task and its form.
    Inbox,
    /// The form for a workflow's inputs.
    Start(Box<Start>),
    /// A run.
    Run(Box<RunView>),
}

/// What waits for time, in [`Now::since_start`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Timers {
    /// The selection rests: show its task.
    pub(crate) preview: Option<Duration>,
    /// Something changed, or it is time to ask.
    pub(crate) refresh: Option<Duration>,
    /// A label that tells an age is out of date.
    pub(crate) label: Option<Duration>,
}

/// The state of the inbox. Read it through `ui`; change it through [`update`](super::update).
#[derive(Debug, Clone)]
pub struct Model {
    pub(crate) me: Identity,
    pub(crate) zone: TimeZone,
    pub(crate) look: Look,
    pub(crate) size: Size,
    pub(crate) now: Now,
    pub(crate) connection: Connection,
    pub(crate) host: Option<HostInfo>,
    /// Whether the terminal has the focus.
    pub(crate) watched: bool,
    pub(crate) view: View,
    pub(crate) lists: Vec<List>,
    pub(crate) counts: [Count; 5],
    /// Whether the counts were ever read.
    pub(crate) counted: bool,
    /// What was searched last.
    pub(crate) search: String,
    pub(crate) focus: Focus,
    pub(crate) screen: Screen,
    pub(crate) open: Option<OpenTask>,
    pub(crate) forms: BTreeMap<DraftKey, FormState>,
    pub(crate) overlay: Option<Overlay>,
    pub(crate) notice: Option<Notice>,
    pub(crate) pending: BTreeMap<Ticket, Pending>,
    /// Actions whose outcome nobody could tell.
    pub(crate) unknown: Vec<String>,
    pub(crate) quitting: Option<Quitting>,
    pub(crate) service: Service,
    /// What is told on the normal screen at the end.
    pub(crate) parting: Vec<String>,
    /// Texts of prompts that were left, by what they were for.
    pub(crate) left_texts: BTreeMap<(u8, TaskId), String>,
    pub(crate) line_history: Vec<String>,
    pub(crate) workflows: Vec<String>,
    pub(crate) timers: Timers,
    /// Readings that failed in a row.
    pub(crate) failures: u32,
    pub(crate) seed: u64,
    pub(crate) host_generation: Generation,
    pub(crate) counts_generation: Generation,
    pub(crate) workflows_generation: Generation,
    numbers: u64,
}

impl Model {
    /// The state before the first message. Its first effects come from [`Model::start`].
    pub fn new(setup: Setup) -> Self {
        let order = Order::NewestFirst;
        Self {
            me: setup.me,
            zone: setup.zone,
            look: setup.look,
            size: setup.size,
            now: setup.now,
            connection: Connection::Connecting,
            host: None,
            watched: true,
            view: View::ForMe,
            lists: View::ALL.into_iter().map(|view| List::new(view, order)).collect(),
            counts: [Count::Unknown; 5],
            counted: false,
            search: String::new(),
            focus: Focus::List,
            screen: Screen::Inbox,
            open: None,
            forms: BTreeMap::new(),
            overlay: None,
            notice: None,
            pending: BTreeMap::new(),
            unknown: Vec::new(),
            quitting: None,
            service: setup.service,
            parting: Vec::new(),
            left_texts: BTreeMap::new(),
            line_history: Vec::new(),
            workflows: Vec::new(),
            timers: Timers::default(),
            failures: 0,
            seed: setup.seed | 1,
            host_generation: Generation::default(),
            counts_generation: Generation::default(),
            workflows_generation: Generation::default(),
            numbers: 0,
        }
    }

    /// The effects to begin with: the first page, the counts, the host. Called once; the first frame does not wait for
    /// their answers.
    pub fn start(&mut self) -> Update {
        let mut effects = Vec::new();
        self.load_host(&mut effects);
        self.read_again(&mut effects);
        self.settle(&mut effects);
        Update { effects, redraw: true }
    }

    /// When the next [`Msg::Tick`](super::Msg::Tick) is due at the latest, in [`Now::since_start`]; `None` while nothing
    /// waits for time.
    pub fn next_deadline(&self) -> Option<Duration> {
        let Timers { preview, refresh, label } = self.timers;
        let drafts = self.forms.values().filter_map(|form| match form.kept {
            Kept::Due(due) => Some(due),
            _ => None,
        });
        let quitting = self.quitting.as_ref().and_then(|quitting| quitting.deadline);
        [preview, refresh, label, quitting].into_iter().flatten().chain(drafts).min()
    }

    /// As whom the person acts.
    pub fn me(&self) -> &Identity {
        &self.me
    }

    /// The wall clock of the last tick.
    pub fn wall(&self) -> Timestamp {
        self.now.wall
    }

    /// The pane that takes keys.
    pub fn focus(&self) -> Focus {
        self.focus
    }

    /// The parts of the screen.
    pub fn geometry(&self) -> Geometry {
        Geometry::of(self.size, self.focus)
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    pub(crate) fn generation(&mut self) -> Generation {
        Generation(self.number())
    }

    pub(crate) fn ticket(&mut self) -> Ticket {
        Ticket(self.number())
    }

    /// The list of the current view. The views are as many as the lists, so the fallback is never taken.
    pub(crate) fn list(&self) -> &List {
        let index = self.view.index().min(self.lists.len().saturating_sub(1));
        &self.lists[index]
    }

    pub(crate) fn list_mut(&mut self) -> &mut List {
        let index = self.view.index().min(self.lists.len().saturating_sub(1));
        &mut self.lists[index]
    }

    pub(crate) fn writable(&self) -> bool {
        self.host.as_ref().is_none_or(|host| host.writable)
    }

    /// The task that a command is about: the open one, or the selected one while the list has the focus.
    pub(crate) fn target(&self) -> Option<TaskRow> {
        let open = self.open.as_ref().map(|open| open.row.clone());
        match self.focus {
            Focus::List => self.list().selected().map(|row| row.task.clone()),
            _ => open,
        }
    }

    /// The form of the open task.
    pub(crate) fn task_form(&self) -> Option<&FormState> {
        let open = self.open.as_ref()?;
        self.forms.get(&DraftKey::Task(open.id.clone()))
    }

    /// The form that takes keys: a workflow's inputs, or the open task's.
    pub(crate) fn active_form(&self) -> Option<&FormState> {
        self.active_key().and_then(|key| self.forms.get(&key))
    }

    pub(crate) fn active_form_mut(&mut self) -> Option<&mut FormState> {
        let key = self.active_key()?;
        self.forms.get_mut(&key)
    }

    pub(crate) fn active_key(&self) -> Option<DraftKey> {
        match &self.screen {
            Screen::Start(start) => Some(DraftKey::Run(start.name.clone())),
            _ => self.open.as_ref().map(|open| DraftKey::Task(open.id.clone())),
        }
    }

    pub(crate) fn say(&mut self, tone: Tone, text: impl Into<String>) {
        self.notice = Some(Notice::new(tone, text));
    }

    /// A number from 0 to 1 that differs between ostlers: spreads polls.
    pub(crate) fn jitter(&mut self) -> f64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        (self.seed >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Everything that follows from a change: scrolling within bounds, more pages, the preview, the labels.
    pub(crate) fn settle(&mut self, effects: &mut Vec<Effect>) {
        let rows = self.geometry().list_rows();
        self.list_mut().scroll(rows);
        self.load_more(effects);
        self.follow_selection(effects);
        self.settle_sheets();
        self.timers.label = self.next_label().map(|wait| self.now.since_start + wait);
    }

    /// In how long a label on the screen becomes wrong. Coarse on purpose: an idle screen should stay silent.
    fn next_label(&self) -> Option<Duration> {
        if let Connection::Offline { retry_at: Some(_), .. } = self.connection {
            return Some(Duration::from_secs(1));
        }
        let list = self.list();
        let youngest = list
            .shown()
            .skip(list.top())
            .take(self.geometry().list_rows())
            .filter_map(|row| row.task.scheduled)
            .map(|at| self.now.wall.as_second().saturating_sub(at.as_second()))
            .min();
        let stale = self.host.as_ref().is_some_and(|host| !host.tells_changes);
        match youngest {
            _ if stale => Some(Duration::from_secs(10)),
            Some(..60) => Some(Duration::from_secs(10)),
            Some(60..3600) => Some(Duration::from_secs(60)),
            Some(_) => Some(Duration::from_secs(600)),
            None => None,
        }
    }
}
