//! What commands do, by the place they are given in.

use super::acts::{Pending, PendingKind};
use super::effect::Effect;
use super::model::{Focus, Model, Screen};
use super::overlay::{LinePrompt, Overlay};
use super::sheet::Tone;
use crate::domain::Order;
use crate::input::{Command, Context};

impl Model {
    pub(crate) fn command(&mut self, context: Context, command: Command, effects: &mut Vec<Effect>) {
        match (context, command) {
            (_, Command::Help) => self.overlay = Some(Overlay::Help { scroll: 0 }),
            (_, Command::Suspend) => self.suspend(effects),
            (_, Command::Quit) => self.quit(effects),
            (_, Command::CommandLine) => {
                self.workflows_generation = self.generation();
                effects.push(Effect::LoadWorkflows { generation: self.workflows_generation });
                self.overlay = Some(Overlay::Line(LinePrompt::new("")));
            }
            (Context::Form, command) => self.form_command(command, effects),
            (Context::Run, command) => self.run_command(command, effects),
            (Context::Review, _) => {}
            (_, Command::Reload) => {
                self.list_mut().trouble = None;
                self.read_again(effects);
            }
            (
                _,
                Command::Claim
                | Command::Release
                | Command::Assign
                | Command::Comment
                | Command::Cancel
                | Command::Save
                | Command::Review,
            ) => self.begin(command, effects),
            (_, Command::CopyId) => match self.target() {
                Some(task) => {
                    effects.push(Effect::Copy { text: task.id.to_string() });
                    self.say(Tone::Accent, format!("{} is on the clipboard.", task.id));
                }
                None => self.say(Tone::Quiet, "There is no task here."),
            },
            (_, Command::ShowRun) => match self.target() {
                Some(task) => self.show_run(task.id.run, effects),
                None => self.say(Tone::Quiet, "There is no task here."),
            },
            (Context::Task, command) => self.task_command(command, effects),
            (Context::List, command) => self.list_command(command, effects),
        }
    }

    fn move_to(&mut self, position: usize) {
        let rows = self.geometry().list_rows();
        self.list_mut().go(position, rows);
        self.selection_moved();
    }

    fn list_command(&mut self, command: Command, effects: &mut Vec<Effect>) {
        let rows = self.geometry().list_rows().max(1);
        let (at, count) = (self.list().at(), self.list().len());
        match command {
            Command::Down => self.move_to(at + 1),
            Command::Up => self.move_to(at.saturating_sub(1)),
            Command::Top => {
                self.move_to(0);
            }
            Command::Bottom => self.move_to(count.saturating_sub(1)),
            Command::HalfDown => self.move_to(at + rows.div_ceil(2)),
            Command::HalfUp => self.move_to(at.saturating_sub(rows.div_ceil(2))),
            Command::PageDown => self.move_to(at + rows),
            Command::PageUp => self.move_to(at.saturating_sub(rows)),
            Command::Go(view) => self.go_to_view(view, effects),
            Command::Find => {
                let before = self.list().filter().to_owned();
                self.overlay = Some(Overlay::Find { edit: super::TextEdit::new(&before, false), before });
            }
            Command::NextMatch | Command::PreviousMatch => {
                let found = self.list().next_match(&self.search, command == Command::NextMatch);
                match found {
                    _ if self.search.is_empty() => self.say(Tone::Quiet, "Nothing was searched yet (/)."),
                    Some(position) => self.move_to(position),
                    None => {
                        let text = crate::domain::display_line(&self.search).into_owned();
                        self.say(Tone::Quiet, format!("No loaded task has \"{text}\"."));
                    }
                }
            }
            Command::Order => {
                let order = match self.list().order {
                    Order::NewestFirst => Order::OldestFirst,
                    Order::OldestFirst => Order::NewestFirst,
                };
                for list in &mut self.lists {
                    let filter = list.filter().to_owned();
                    *list = super::list::List::new(list.view, order);
                    list.set_filter(&filter, rows);
                }
                self.read_again(effects);
            }
            Command::Open | Command::Next => {
                if let Some(task) = self.target() {
                    self.open_task(task, effects);
                    self.focus = Focus::Task;
                }
            }
            Command::FillIn => {
                if let Some(task) = self.target() {
                    self.open_task(task, effects);
                    self.focus = Focus::Task;
                    self.fill_in();
                }
            }
            Command::Previous => {
                if let Some(task) = self.target() {
                    self.open_task(task, effects);
                    self.focus = if self.can_fill_in() { Focus::Form } else { Focus::Task };
                }
            }
            Command::Leave if !self.list().filter().is_empty() => self.set_filter(""),
            _ => {}
        }
    }

    /// Into the form, at once or as soon as it is there.
    fn fill_in(&mut self) {
        let Some(open) = &mut self.open else { return };
        if open.detail.is_none() {
            open.fill_in = true;
            return;
        }
        self.fill_in_now(true);
    }

    pub(crate) fn fill_in_now(&mut self, asked: bool) {
        let Some(open) = &self.open else { return };
        let problem = match open.detail.as_ref().map(|detail| &detail.form) {
            _ if !open.row.status.is_open() => Some("This task is finished; its answers stand here.".to_owned()),
            Some(Err(why)) => Some(format!("There is no form: {why}.")),
            Some(Ok(form)) if form.fields.is_empty() => {
                Some("This task asks for nothing.   Ctrl-R complete it".to_owned())
            }
            Some(Ok(_)) if !self.can_fill_in() => Some("No field of this form can be filled in here.".to_owned()),
            _ => None,
        };
        match problem {
            Some(problem) if asked => self.say(Tone::Quiet, problem),
            Some(_) => {}
            None => self.focus = Focus::Form,
        }
    }

    fn task_command(&mut self, command: Command, effects: &mut Vec<Effect>) {
        let page = self.geometry().task.map_or(1, |area| area.rows()).max(2) - 1;
        let scroll = |model: &mut Self, to: &dyn Fn(usize) -> usize| {
            if let Some(open) = &mut model.open {
                open.scroll = to(open.scroll);
            }
        };
        match command {
            Command::Down => scroll(self, &|at| at + 1),
            Command::Up => scroll(self, &|at| at.saturating_sub(1)),
            Command::Top => scroll(self, &|_| 0),
            Command::Bottom => scroll(self, &|_| usize::MAX / 2),
            Command::PageDown => scroll(self, &|at| at + page),
            Command::PageUp => scroll(self, &|at| at.saturating_sub(page)),
            Command::FillIn => self.fill_in(),
            Command::Next if self.can_fill_in() => self.focus = Focus::Form,
            Command::Next | Command::Previous | Command::Leave => self.leave_task(effects),
            Command::Compare => self.compare(),
            Command::Go(view) => {
                self.leave_task(effects);
                self.go_to_view(view, effects);
            }
            Command::NextTask | Command::PreviousTask => {
                let at = self.list().at();
                let to = if command == Command::NextTask { at + 1 } else { at.saturating_sub(1) };
                self.move_to(to);
                if let Some(row) = self.list().selected().map(|row| row.task.clone()) {
                    self.open_task(row, effects);
                }
            }
            _ => {}
        }
    }

    fn leave_task(&mut self, effects: &mut Vec<Effect>) {
        if let Some(open) = &mut self.open {
            open.fill_in = false;
        }
        self.keep_drafts(effects);
        self.focus = Focus::List;
        if let Some(id) = self.open.as_ref().map(|open| open.id.clone()) {
            self.list_to(&id);
        }
    }

    /// To the row of a task, when it is listed.
    pub(crate) fn list_to(&mut self, id: &crate::domain::TaskId) {
        let rows = self.geometry().list_rows();
        self.list_mut().go_to(id, rows);
    }

    pub(crate) fn next_task_after(&mut self, done: &crate::domain::TaskId, effects: &mut Vec<Effect>) {
        self.list_to(done);
        let at = self.list().at();
        let next = |list: &super::list::List, position: usize| {
            list.row(position).filter(|row| row.task.id != *done && row.task.status.is_open() && !row.gone).cloned()
        };
        let row = next(self.list(), at + 1).or_else(|| at.checked_sub(1).and_then(|at| next(self.list(), at)));
        match row {
            Some(row) => {
                self.list_to(&row.task.id);
                self.selection_moved();
                self.open_task(row.task, effects);
                self.focus = Focus::Task;
            }
            None => {
                self.focus = Focus::List;
                self.say(Tone::Quiet, "That was the last one here.");
            }
        }
    }

    fn compare(&mut self) {
        if self.active_form().is_some_and(|form| form.conflict.is_some() || form.is_changed()) {
            self.overlay = Some(Overlay::Compare { scroll: 0 });
        } else {
            self.say(Tone::Quiet, "Nothing to compare: the form shows what the server has.");
        }
    }

    fn form_command(&mut self, command: Command, effects: &mut Vec<Effect>) {
        let starting = matches!(self.screen, Screen::Start(_));
        match command {
            Command::Review => self.review(),
            Command::Save if starting => self.review(),
            Command::Save => self.begin(Command::Save, effects),
            Command::Next => match self.active_form().and_then(|form| form.neighbour(true)) {
                Some(index) => self.focus_field(index),
                None if starting => {}
                None => self.leave_task(effects),
            },
            Command::Previous => match self.active_form().and_then(|form| form.neighbour(false)) {
                Some(index) => self.focus_field(index),
                None if starting => {}
                None => self.focus = Focus::Task,
            },
            Command::Compare => self.compare(),
            Command::Editor => self.edit_elsewhere(effects),
            Command::PageDown | Command::PageUp => {
                for _ in 0..3 {
                    self.next_field(command == Command::PageDown, false);
                }
            }
            Command::Leave if starting => self.leave_screen(effects),
            Command::Leave => {
                self.keep_drafts(effects);
                self.focus = Focus::Task;
            }
            _ => {}
        }
    }

    fn edit_elsewhere(&mut self, effects: &mut Vec<Effect>) {
        let Some(form) = self.active_form() else { return };
        let Some(field) = form.fields.get(form.focus) else { return };
        if !field.field.kind.takes_lines() || form.conflict.is_some() {
            self.say(Tone::Quiet, "Only a text can be edited elsewhere.");
            return;
        }
        let (key, index) = (form.key.clone(), form.focus);
        let (path, text) = (field.path.clone(), field.edit.text().to_owned());
        self.keep_drafts(effects);
        let ticket = self.ticket();
        let label = format!("editing {path}");
        self.pending.insert(ticket, Pending { kind: PendingKind::Editor(key, index), label });
        effects.push(Effect::Edit { ticket, field: path, text });
    }

    fn run_command(&mut self, command: Command, effects: &mut Vec<Effect>) {
        let page = self.geometry().body.rows().max(2) - 1;
        if let Screen::Run(run) = &mut self.screen {
            match command {
                Command::Down => run.scroll += 1,
                Command::Up => run.scroll = run.scroll.saturating_sub(1),
                Command::PageDown => run.scroll += page,
                Command::PageUp => run.scroll = run.scroll.saturating_sub(page),
                Command::CopyId => {
                    let id = run.id.to_string();
                    effects.push(Effect::Copy { text: id.clone() });
                    self.say(Tone::Accent, format!("{id} is on the clipboard."));
                }
                Command::Reload => self.read_again(effects),
                Command::Open => self.open_run_task(effects),
                Command::Leave => self.leave_screen(effects),
                _ => {}
            }
        }
    }
}
