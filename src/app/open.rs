//! The open task: the one beside the list, or over it on a narrow screen.

use std::time::Duration;

use super::Tone;
use super::acts::task_name;
use super::effect::{Effect, Generation};
use super::form::{Conflict, FormState, Kept};
use super::geometry::SIDE_BY_SIDE;
use super::model::{Focus, Model, Screen};
use super::pages;
use crate::domain::{Base, Draft, DraftKey, Since, TaskDetail, TaskId, TaskRow, Trouble};

/// How long the selection rests before its task is read.
const REST: Duration = Duration::from_millis(60);

/// A task with what is known of it so far.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OpenTask {
    pub(crate) id: TaskId,
    pub(crate) row: TaskRow,
    pub(crate) detail: Option<Box<TaskDetail>>,
    /// The reading under way.
    pub(crate) reading: Option<Generation>,
    pub(crate) trouble: Option<Trouble>,
    /// A draft from the disk that waits for the task.
    pub(crate) found: Option<Draft>,
    /// Lines scrolled away.
    pub(crate) scroll: usize,
    /// The same for a form with a pane of its own.
    pub(crate) form_scroll: usize,
    /// Go into the form as soon as it is there.
    pub(crate) fill_in: bool,
}

impl Model {
    pub(crate) fn is_wide(&self) -> bool {
        self.size.width >= SIDE_BY_SIDE
    }

    /// Shows a task. Typed text of the one before stays in memory and goes to the disk.
    pub(crate) fn open_task(&mut self, row: TaskRow, effects: &mut Vec<Effect>) {
        self.timers.preview = None;
        if self.open.as_ref().is_some_and(|open| open.id == row.id) {
            return;
        }
        self.keep_drafts(effects);
        let id = row.id.clone();
        let key = DraftKey::Task(id.clone());
        self.forms.retain(|other, form| form.is_changed() || matches!(other, DraftKey::Run(_)) || *other == key);
        let known = self.forms.contains_key(&key);
        self.open = Some(OpenTask {
            id,
            row,
            detail: None,
            reading: None,
            trouble: None,
            found: None,
            scroll: 0,
            form_scroll: 0,
            fill_in: false,
        });
        self.read_task(effects);
        if !known {
            effects.push(Effect::FindDraft { key });
        }
    }

    /// Reads the open task, or reads it again.
    pub(crate) fn read_task(&mut self, effects: &mut Vec<Effect>) {
        let generation = self.generation();
        if let Some(open) = &mut self.open {
            open.reading = Some(generation);
            effects.push(Effect::LoadTask { generation, task: open.id.clone() });
        }
    }

    /// Beside the list stands the selected task, once the selection rests.
    pub(crate) fn follow_selection(&mut self, effects: &mut Vec<Effect>) {
        if self.focus != Focus::List || !self.is_wide() || !matches!(self.screen, Screen::Inbox) {
            self.timers.preview = None;
            return;
        }
        let Some(selected) = self.list().selected().map(|row| row.task.clone()) else {
            self.timers.preview = None;
            if self.list().read_at.is_some() && self.open.is_some() {
                self.keep_drafts(effects);
                self.open = None;
            }
            return;
        };
        match &self.open {
            Some(open) if open.id == selected.id => self.timers.preview = None,
            None => self.open_task(selected, effects),
            Some(_) => match self.timers.preview {
                Some(due) if due <= self.now.since_start => self.open_task(selected, effects),
                Some(_) => {}
                None => self.timers.preview = Some(self.now.since_start + REST),
            },
        }
    }

    /// Starts the rest again: the selection moved.
    pub(crate) fn selection_moved(&mut self) {
        self.timers.preview = None;
    }

    pub(crate) fn take_task(&mut self, generation: Generation, result: Result<Box<TaskDetail>, Trouble>) {
        match &mut self.open {
            Some(open) if open.reading == Some(generation) => {
                open.reading = None;
                match result {
                    Ok(detail) => {
                        open.trouble = None;
                        self.take_detail(detail, false);
                    }
                    Err(trouble) => open.trouble = Some(trouble),
                }
            }
            _ => {}
        }
    }

    /// Takes a task as it was read. After an own save its values are what the form is compared with.
    pub(crate) fn take_detail(&mut self, detail: Box<TaskDetail>, own_save: bool) {
        for list in &mut self.lists {
            list.take_row(&detail.row);
        }
        let key = DraftKey::Task(detail.row.id.clone());
        // A task has fewer events than before only when somebody restored a backup.
        let typed_later = |form: &FormState| form.is_changed() && detail.events.len() < form.base.events;
        if self.forms.get(&key).is_some_and(typed_later) {
            let name = task_name(&detail.row);
            self.say(
                Tone::Soon,
                format!("{name} is as it was earlier: a backup was restored. What you typed is kept."),
            );
        }
        let (me, now) = (&self.me, self.now.wall);
        match self.forms.get_mut(&key) {
            Some(form) if own_save => {
                form.rebase(Base { events: detail.events.len(), values: detail.values.clone() }, true);
            }
            Some(form) => form.take_server(&detail, me, now),
            None => {
                let is_open = self.open.as_ref().is_some_and(|open| open.id == detail.row.id);
                if let Some(form) = FormState::of_task(&detail).filter(|_| is_open) {
                    self.forms.insert(key, form);
                }
            }
        }
        if let Some(open) = self.open.as_mut().filter(|open| open.id == detail.row.id) {
            let workflow = detail.row.workflow.clone().or_else(|| open.row.workflow.take());
            open.row = TaskRow { workflow, ..detail.row.clone() };
            open.detail = Some(detail);
            open.trouble = None;
            if let Some(draft) = open.found.take() {
                self.adopt_draft(draft);
            }
        }
        if self.open.as_mut().is_some_and(|open| std::mem::take(&mut open.fill_in)) && self.focus == Focus::Task {
            self.fill_in_now(false);
        }
        self.leave_a_dead_form();
    }

    /// A finished task's form takes no keys.
    pub(crate) fn leave_a_dead_form(&mut self) {
        if self.focus == Focus::Form && matches!(self.screen, Screen::Inbox) && !self.can_fill_in() {
            self.focus = Focus::Task;
        }
    }

    /// Whether the open task has a form to type in now.
    pub(crate) fn can_fill_in(&self) -> bool {
        match &self.screen {
            Screen::Start(_) => self.active_form().is_some_and(FormState::is_editable),
            _ => {
                self.open.as_ref().is_some_and(|open| open.row.status.is_open())
                    && self.task_form().is_some_and(FormState::is_editable)
            }
        }
    }

    /// Puts a draft from the disk into its form. Text typed in this session wins over it.
    pub(crate) fn adopt_draft(&mut self, draft: Draft) {
        let Some(form) = self.forms.get_mut(&draft.key) else { return };
        if form.is_changed() {
            return;
        }
        let detail = self.open.as_ref().and_then(|open| open.detail.as_ref());
        let theirs = form.base.clone();
        if !form.take_texts(&draft) {
            return;
        }
        form.kept = Kept::At(draft.at);
        if let (DraftKey::Task(_), Some(detail)) = (&draft.key, detail)
            && let Since::Saved { by, at } = draft.base.since(&detail.events, &detail.values, &self.me)
        {
            form.base = draft.base;
            form.conflict = Some(Conflict { by, at, typed_at: draft.at, theirs });
        }
    }

    pub(crate) fn draft_found(&mut self, key: &DraftKey, result: Result<Option<Draft>, Trouble>) {
        match result {
            Ok(Some(draft)) if draft.key == *key => {
                let wait = match key {
                    DraftKey::Task(id) => {
                        self.open.as_ref().is_some_and(|open| open.id == *id && open.detail.is_none())
                    }
                    DraftKey::Run(_) => false,
                };
                if wait {
                    if let Some(open) = &mut self.open {
                        open.found = Some(draft);
                    }
                } else {
                    match &mut self.screen {
                        Screen::Start(start) if start.workflow.is_none() => start.found = Some(draft),
                        _ => self.adopt_draft(draft),
                    }
                }
            }
            Ok(_) => {}
            Err(trouble) => self.say(super::Tone::Error, format!("A draft could not be read: {trouble}.")),
        }
    }

    /// Keeps scrolling within what there is, and the cursor on the screen.
    pub(crate) fn settle_sheets(&mut self) {
        let geometry = self.geometry();
        if let (Some(area), true) = (geometry.task, self.open.is_some()) {
            let sheet = pages::task_sheet(self, area.columns(), geometry.form.is_none());
            let follow = self.focus == Focus::Form && geometry.form.is_none();
            let focus = follow.then(|| self.task_form().map(|form| form.focus)).flatten();
            if let Some(open) = &mut self.open {
                open.scroll = pages::scroll(&sheet, open.scroll, area.rows(), focus);
            }
        }
        if let (Some(area), true) = (geometry.form, self.open.is_some()) {
            let sheet = pages::form_pane(self, area.columns());
            let focus = (self.focus == Focus::Form).then(|| self.task_form().map(|form| form.focus)).flatten();
            if let Some(open) = &mut self.open {
                open.form_scroll = pages::scroll(&sheet, open.form_scroll, area.rows(), focus);
            }
        }
        let body = geometry.page();
        let scrolled = match &self.screen {
            Screen::Start(start) => {
                let sheet = pages::start_sheet(self, start, body.columns());
                let focus = self.active_form().map(|form| form.focus);
                Some(pages::scroll(&sheet, start.scroll, body.rows(), focus))
            }
            Screen::Run(run) => {
                let sheet = pages::run_sheet(self, run, body.columns());
                Some(pages::scroll(&sheet, run.scroll, body.rows(), None))
            }
            Screen::Inbox => None,
        };
        match (&mut self.screen, scrolled) {
            (Screen::Start(start), Some(scroll)) => start.scroll = scroll,
            (Screen::Run(run), Some(scroll)) => run.scroll = scroll,
            _ => {}
        }
        self.settle_overlay();
    }
}
