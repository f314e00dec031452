//! What keys do, by the place they are pressed in.

use super::effect::Effect;
use super::model::{Focus, Model, Screen};
use super::overlay::{LinePrompt, Overlay, Prompt, PromptKind};
use super::quit::Stage;
use super::sheet::Tone;
use super::update::prompt_edit;
use crate::domain::{Count, Place, View};
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
        if let (Context::Task, Some(open), Some(_)) = (context, &self.open, chord.typed())
            && open.fill_in
        {
            // Text meant for the form must not become commands.
            self.say(Tone::Quiet, "The form is still being read.   Esc out");
            return;
        }
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

    pub(crate) fn next_field(&mut self, forward: bool, hint: bool) {
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

    /// Whether something was typed for a task that ended before it was sent.
    pub(crate) fn has_dead_answers(&self) -> bool {
        matches!(self.screen, Screen::Inbox)
            && self.open.as_ref().is_some_and(|open| open.detail.is_some() && !open.row.status.is_open())
            && self.task_form().is_some_and(super::form::FormState::is_changed)
    }

    fn forget_answers(&mut self, effects: &mut Vec<Effect>) {
        if let Some(form) = self.active_form_mut() {
            let base = form.base.clone();
            form.take_over(base);
            effects.push(Effect::DropDraft { key: form.key.clone() });
            self.say(Tone::Quiet, "Your unsent answers are gone.");
        }
    }

    fn quitting_key(&mut self, chord: Chord, effects: &mut Vec<Effect>) {
        match chord.typed() {
            Some('q' | 'y') => {
                let timers = matches!(self.quitting.as_ref().map(|quitting| quitting.stage), Some(Stage::Timers(_)));
                if timers { self.wait_for_answers(None, effects) } else { self.end(None, effects) }
            }
            Some('i') if matches!(self.quitting.as_ref().map(|quitting| quitting.stage), Some(Stage::Timers(_))) => {
                self.install_service(effects);
            }
            // Who sent a signal does not take it back with a key.
            _ if self.quitting.as_ref().is_some_and(|quitting| quitting.signal.is_some()) => {}
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
                    Some('x') if self.has_dead_answers() => self.forget_answers(effects),
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
}
