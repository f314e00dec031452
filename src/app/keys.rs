//! What keys do, by the place they are pressed in.

use super::acts::{Pending, PendingKind};
use super::effect::Effect;
use super::model::{Focus, Model, Screen};
use super::overlay::{LinePrompt, Overlay, Prompt, PromptKind};
use super::quit::Stage;
use super::sheet::Tone;
use super::update::prompt_edit;
use crate::domain::{Count, Kind, Order, Place, View};
use crate::input::{Chord, Command, Context, Key, Line, LineError, complete, lookup, parse};

impl Model {
    /// The place whose keys count.
    pub(crate) fn context(&self) -> Context {
        match (&self.overlay, &self.screen) {
            (Some(Overlay::Review { .. }), _) => Context::Review,
            (_, Screen::Start(_)) => Context::Form,
            (_, Screen::Run(_)) => Context::Run,
            (_, Screen::Inbox) => match self.focus {
                Focus::List => Context::List,
                Focus::Task => Context::Task,
                Focus::Form => Context::Form,
            },
        }
    }

    pub(crate) fn key(&mut self, chord: Chord, effects: &mut Vec<Effect>) {
        if self.quitting.is_some() {
            return self.quitting_key(chord, effects);
        }
        if let Some(overlay) = self.overlay.take() {
            self.notice = None;
            return self.overlay_key(overlay, chord, effects);
        }
        let notice = self.notice.take();
        if let Some(after) = notice.and_then(|notice| notice.after)
            && self.focus != Focus::Form
            && self.open.as_ref().is_none_or(|open| open.id == after.task)
        {
            match chord.key {
                Key::Enter => return self.next_task_after(&after.task, effects),
                Key::Char('y') => {
                    effects.push(Effect::Copy { text: after.receipt });
                    self.say(Tone::Accent, "The receipt is on the clipboard.");
                    return;
                }
                _ => {}
            }
        }
        if self.empty_start_key(chord, effects) {
            return;
        }
        let context = self.context();
        if context == Context::Form && self.form_key(chord, effects) {
            return;
        }
        if let Some(command) = lookup(context, chord) {
            self.command(context, command, effects);
        }
    }

    /// Whether nothing is in the store and nothing ever was: the first start.
    pub(crate) fn is_empty_start(&self) -> bool {
        self.counted
            && self.counts.iter().all(|count| *count == Count::Exactly(0))
            && self.list().loaded() == 0
            && self.list().filter().is_empty()
            && matches!(self.screen, Screen::Inbox)
    }

    /// Whether the examples may be offered: never on somebody's server.
    pub(crate) fn offers_examples(&self) -> bool {
        self.host.as_ref().is_some_and(|host| !matches!(host.place, Place::Server(_)) && host.writable)
    }

    fn empty_start_key(&mut self, chord: Chord, effects: &mut Vec<Effect>) -> bool {
        if !self.is_empty_start() {
            return false;
        }
        match chord.typed() {
            Some('d') if self.offers_examples() => self.load_examples(effects),
            Some('c') => self.overlay = Some(Overlay::Connect { scroll: 0 }),
            Some('?') => self.overlay = Some(Overlay::HowTo { scroll: 0 }),
            _ => return false,
        }
        true
    }

    /// Keys that type, settle a conflict or move within the form. False: ask the table.
    fn form_key(&mut self, chord: Chord, effects: &mut Vec<Effect>) -> bool {
        let Some(form) = self.active_form_mut() else { return false };
        if form.conflict.is_some() {
            match chord.typed() {
                Some('m') => self.overlay = Some(Overlay::Compare { scroll: 0 }),
                Some('k') => self.keep_mine(effects),
                Some('b') => self.take_theirs(effects),
                Some(_) => {
                    self.say(Tone::Soon, "Settle first whose answers to keep:  m compare   k keep mine   b take theirs")
                }
                None => return false,
            }
            return true;
        }
        let context_key = lookup(Context::Form, chord).is_some();
        if !context_key && form.key(chord) {
            self.typed(effects);
            return true;
        }
        match chord.key {
            Key::Enter | Key::Down if !chord.ctrl => {
                self.next_field(true, chord.key == Key::Enter);
                true
            }
            Key::Up if !chord.ctrl => {
                if let Some(index) = self.active_form().and_then(|form| form.neighbour(false)) {
                    self.focus_field(index);
                }
                true
            }
            _ => false,
        }
    }

    fn next_field(&mut self, forward: bool, hint: bool) {
        match self.active_form().and_then(|form| form.neighbour(forward)) {
            Some(index) => self.focus_field(index),
            None if hint => self.say(Tone::Quiet, "This was the last field.   Ctrl-R review   Ctrl-S save for later"),
            None => {}
        }
    }

    pub(crate) fn keep_mine(&mut self, effects: &mut Vec<Effect>) {
        if let Some(form) = self.active_form_mut()
            && let Some(conflict) = form.conflict.take()
        {
            form.rebase(conflict.theirs, true);
            if form.is_changed() {
                form.kept = super::form::Kept::Due(std::time::Duration::ZERO);
            }
        }
        self.keep_drafts(effects);
        self.say(Tone::Accent, "Your answers are kept; saving replaces the others.");
    }

    pub(crate) fn take_theirs(&mut self, effects: &mut Vec<Effect>) {
        if let Some(form) = self.active_form_mut()
            && let Some(conflict) = form.conflict.take()
        {
            let by = conflict.by.clone();
            // Each replaced text can be taken back with Ctrl-_ in its field.
            form.take_over(conflict.theirs);
            effects.push(Effect::DropDraft { key: form.key.clone() });
            self.say(Tone::Accent, format!("The form shows what {by} saved. Ctrl-_ in a field brings your text back."));
        }
    }

    fn quitting_key(&mut self, chord: Chord, effects: &mut Vec<Effect>) {
        match chord.typed() {
            Some('q' | 'y') => {
                let timers = matches!(self.quitting.as_ref().map(|quitting| quitting.stage), Some(Stage::Timers(_)));
                if timers { self.wait_for_answers(None, effects) } else { self.end(None, effects) }
            }
            _ => self.quitting = None,
        }
    }

    fn overlay_key(&mut self, mut overlay: Overlay, chord: Chord, effects: &mut Vec<Effect>) {
        let out = chord.key == Key::Esc || chord == Chord::ctrl('c');
        match &mut overlay {
            Overlay::Take(take) => {
                if chord.typed() == Some('t') {
                    let take = take.clone();
                    return self.take_from_owner(take, effects);
                }
                // Only Esc leads out: a key meant for something else must not seem to have done it.
                if !out {
                    self.overlay = Some(overlay);
                }
            }
            Overlay::Prompt(prompt) if out => {
                let prompt = prompt.clone();
                self.leave_prompt(&prompt);
            }
            Overlay::Prompt(_) => self.prompt_key(overlay, chord, effects),
            Overlay::Line(_) if out => {}
            Overlay::Line(line) => {
                let line = line.clone();
                self.line_key(line, chord, effects);
            }
            Overlay::Find { before, .. } if out => {
                let before = before.clone();
                self.set_filter(&before);
            }
            Overlay::Find { edit, .. } => match chord.key {
                Key::Enter => {
                    let text = edit.text().trim().to_owned();
                    if !text.is_empty() {
                        self.search = text;
                    }
                }
                _ => {
                    edit.key(chord);
                    let text = edit.text().to_owned();
                    self.set_filter(&text);
                    self.overlay = Some(overlay);
                }
            },
            Overlay::Review { .. } => self.review_key(overlay, chord, effects),
            Overlay::Compare { .. } => {
                let conflict = self.active_form().is_some_and(|form| form.conflict.is_some());
                match chord.typed() {
                    Some('k') if conflict => self.keep_mine(effects),
                    Some('b') if conflict => self.take_theirs(effects),
                    _ => self.page_key(overlay, chord, out),
                }
            }
            _ => self.page_key(overlay, chord, out),
        }
    }

    /// Keys of a page to read.
    fn page_key(&mut self, mut overlay: Overlay, chord: Chord, out: bool) {
        if out || matches!(chord.typed(), Some('q' | '?')) || chord.key == Key::Enter {
            return;
        }
        let page = usize::from(self.size.height / 2).max(1);
        if let Some(scroll) = overlay.scroll_mut() {
            *scroll = match chord.key {
                Key::Down | Key::Char('j') => *scroll + 1,
                Key::Up | Key::Char('k') => scroll.saturating_sub(1),
                Key::PageDown | Key::Char(' ' | 'd' | 'f') => *scroll + page,
                Key::PageUp | Key::Char('u' | 'b') => scroll.saturating_sub(page),
                Key::Home | Key::Char('g') => 0,
                // Brought within bounds when the page is laid out.
                Key::End | Key::Char('G') => usize::MAX / 2,
                _ => *scroll,
            };
        }
        self.overlay = Some(overlay);
    }

    fn review_key(&mut self, overlay: Overlay, chord: Chord, effects: &mut Vec<Effect>) {
        let starting = matches!(self.screen, Screen::Start(_));
        match lookup(Context::Review, chord) {
            Some(Command::Confirm) => {
                self.overlay = Some(overlay);
                self.confirm_review(effects);
            }
            Some(Command::EditAgain) => {
                let index = self.active_form().map_or(0, |form| form.focus);
                self.focus_field(index);
            }
            Some(Command::Save) if !starting => self.begin(Command::Save, effects),
            Some(Command::Leave) => {}
            _ => self.page_key(overlay, chord, false),
        }
    }

    fn prompt_key(&mut self, mut overlay: Overlay, chord: Chord, effects: &mut Vec<Effect>) {
        let Overlay::Prompt(prompt) = &mut overlay else { return };
        prompt.problem = None;
        match (chord.key, &mut prompt.kind) {
            (Key::Tab | Key::BackTab | Key::Up | Key::Down, PromptKind::Assign { on_group, .. }) => {
                *on_group = !*on_group
            }
            (Key::Enter, PromptKind::Assign { on_group, .. }) if !*on_group && prompt.edit.text().trim().is_empty() => {
                *on_group = true;
            }
            (Key::Enter, _) if !chord.alt => {
                let prompt: Prompt = prompt.clone();
                return self.answer(prompt, effects);
            }
            _ => {
                prompt_edit(prompt).key(chord);
            }
        }
        self.overlay = Some(overlay);
    }

    fn line_key(&mut self, mut line: LinePrompt, chord: Chord, effects: &mut Vec<Effect>) {
        match chord.key {
            Key::Enter => {
                let text = line.edit.text().trim().to_owned();
                match parse(&text) {
                    Err(LineError::Empty) => return,
                    Err(error) => line.problem = Some(error.to_string()),
                    Ok(parsed) => {
                        self.line_history.retain(|other| *other != text);
                        self.line_history.push(text);
                        return self.line(parsed, effects);
                    }
                }
            }
            Key::Tab | Key::BackTab => {
                let (typed, at) = match line.picking.take() {
                    Some((typed, at)) => (typed, Some(at)),
                    None => (line.edit.text().to_owned(), None),
                };
                let candidates = complete(&typed, &self.workflows);
                let count = candidates.len();
                if let Some(next) = match (at, chord.key) {
                    _ if count == 0 => None,
                    (None, Key::Tab) => Some(0),
                    (None, _) => Some(count - 1),
                    (Some(at), Key::Tab) => Some((at + 1) % count),
                    (Some(at), _) => Some((at + count - 1) % count),
                } {
                    line.edit.set(candidates.get(next).map_or("", String::as_str));
                    // The only candidate is taken: the next Tab completes what follows it.
                    line.picking = (count > 1).then_some((typed, next));
                }
            }
            Key::Up | Key::Down => {
                let count = self.line_history.len();
                line.back = if chord.key == Key::Up { (line.back + 1).min(count) } else { line.back.saturating_sub(1) };
                let text = count.checked_sub(line.back).and_then(|at| self.line_history.get(at));
                line.edit.set(text.map_or("", String::as_str));
                line.picking = None;
            }
            Key::Backspace if line.edit.text().is_empty() => return,
            _ => {
                line.picking = None;
                line.problem = None;
                line.edit.key(chord);
            }
        }
        self.overlay = Some(Overlay::Line(line));
    }

    fn line(&mut self, line: Line, effects: &mut Vec<Effect>) {
        match line {
            Line::Run(name) => self.start_run(&name, effects),
            Line::View(view) => {
                self.screen = Screen::Inbox;
                self.focus = Focus::List;
                self.go_to_view(view, effects);
            }
            Line::Reload => self.read_again(effects),
            Line::Examples if self.host.as_ref().is_some_and(|host| matches!(host.place, Place::Server(_))) => {
                self.say(Tone::Soon, "examples: only into the engine of an ostler, not into a server of somebody's.");
            }
            Line::Examples => self.load_examples(effects),
            Line::Help => self.overlay = Some(Overlay::Help { scroll: 0 }),
            Line::Quit => self.quit(effects),
        }
    }

    pub(crate) fn go_to_view(&mut self, view: View, effects: &mut Vec<Effect>) {
        if view != self.view {
            self.view = view;
            self.selection_moved();
        }
        self.read_again(effects);
    }

    fn command(&mut self, context: Context, command: Command, effects: &mut Vec<Effect>) {
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
            Command::Leave => {
                if !self.list().filter().is_empty() {
                    self.set_filter("");
                }
            }
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

    fn next_task_after(&mut self, done: &crate::domain::TaskId, effects: &mut Vec<Effect>) {
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
        if field.field.kind != Kind::Str || form.conflict.is_some() {
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
