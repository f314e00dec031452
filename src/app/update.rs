//! One message after another.

use super::Update;
use super::acts::PendingKind;
use super::effect::Effect;
use super::form::KEEP_AFTER;
use super::model::{Focus, Model, Screen};
use super::msg::{Msg, Now, Signal};
use super::overlay::Overlay;
use super::sheet::Tone;

impl Model {
    pub(super) fn take(&mut self, msg: Msg) -> Update {
        let mut effects = Vec::new();
        let mut redraw = true;
        match msg {
            Msg::Tick(now) => redraw = self.tick(now, &mut effects),
            Msg::Key(chord) => self.key(chord.normal(), &mut effects),
            Msg::Paste(text) => self.paste(&text, &mut effects),
            Msg::Resize(size) => {
                self.size = size;
                let rows = self.geometry().list_rows();
                self.list_mut().fill(rows);
            }
            Msg::Focus(watched) => {
                redraw = false;
                self.watched = watched;
                if watched {
                    // Told or not: the person looks again, and may have been away for long.
                    if !self.host.as_ref().is_some_and(|host| host.tells_changes) {
                        self.refresh_in(std::time::Duration::ZERO);
                    }
                } else {
                    self.keep_drafts(&mut effects);
                }
            }
            Msg::Signal(signal) => self.signal(signal, &mut effects),
            Msg::Connection(connection) => self.take_connection(connection, &mut effects),
            Msg::Host { generation, result } => self.take_host(generation, result, &mut effects),
            Msg::Changed { .. } => {
                redraw = false;
                self.gather();
            }
            Msg::Page { generation, result } => self.take_page(generation, result, &mut effects),
            Msg::Counts { generation, result } => self.take_counts(generation, result),
            Msg::Task { generation, result } => self.take_task(generation, result),
            Msg::Workflows { generation, result } => {
                if let (true, Ok(names)) = (generation == self.workflows_generation, result) {
                    self.workflows = names.into_iter().map(crate::domain::Untrusted::into_raw).collect();
                }
            }
            Msg::Workflow { generation, result } => self.take_workflow(generation, result),
            Msg::Run { generation, result } => self.take_run(generation, result),
            Msg::Acted { ticket, result } => self.acted(ticket, result, &mut effects),
            Msg::Started { ticket, result } => self.started(ticket, result, &mut effects),
            Msg::ExamplesLoaded { ticket, result } => self.examples_loaded(ticket, result),
            Msg::DraftKept { ticket, result } => self.draft_kept(ticket, result),
            Msg::DraftFound { key, result } => self.draft_found(&key, result),
            Msg::ServiceInstalled { result } => self.service_installed(result, &mut effects),
            Msg::Edited { ticket, result } => {
                if let Some(pending) = self.pending.remove(&ticket)
                    && let PendingKind::Editor(key, index) = pending.kind
                {
                    match result {
                        Ok(text) => self.take_edited(&key, index, &text),
                        Err(trouble) => {
                            self.say(Tone::Error, format!("The editor: {trouble}. The field is as it was."))
                        }
                    }
                }
            }
        }
        self.settle_quit(None, &mut effects);
        if redraw || !effects.is_empty() {
            self.settle(&mut effects);
        }
        Update { effects, redraw }
    }

    /// The time. True when something on the screen depends on it.
    fn tick(&mut self, now: Now, effects: &mut Vec<Effect>) -> bool {
        self.now = now;
        let due = |at: Option<std::time::Duration>| at.is_some_and(|at| at <= now.since_start);
        self.keep_due_drafts(effects);
        let mut redraw = due(self.timers.label) || due(self.timers.preview);
        if due(self.timers.refresh) {
            self.read_due(effects);
        }
        if self.quitting.is_some() {
            redraw = true;
        }
        redraw
    }

    fn signal(&mut self, signal: Signal, effects: &mut Vec<Effect>) {
        match signal {
            Signal::Terminate | Signal::Hangup => self.end_by(signal, effects),
            Signal::Suspend => self.suspend(effects),
            Signal::Continue => {
                if !self.host.as_ref().is_some_and(|host| host.tells_changes) {
                    self.refresh_in(std::time::Duration::ZERO);
                }
            }
        }
    }

    pub(crate) fn suspend(&mut self, effects: &mut Vec<Effect>) {
        self.keep_drafts(effects);
        effects.push(Effect::Suspend);
    }

    fn take_edited(&mut self, key: &crate::domain::DraftKey, index: usize, text: &str) {
        let due = self.now.since_start + KEEP_AFTER;
        if let Some(form) = self.forms.get_mut(key) {
            if let Some(field) = form.fields.get_mut(index).filter(|field| field.field.kind.takes_lines()) {
                // Editors end the last line; the field did not ask for it.
                let trimmed = text.strip_suffix('\n').filter(|_| !field.edit.text().ends_with('\n')).unwrap_or(text);
                field.edit.set(&trimmed.replace("\r\n", "\n"));
            }
            if form.is_changed() {
                form.kept = super::form::Kept::Due(due);
            }
        }
    }

    fn paste(&mut self, text: &str, effects: &mut Vec<Effect>) {
        match &mut self.overlay {
            Some(Overlay::Prompt(prompt)) => prompt_edit(prompt).insert(text),
            Some(Overlay::Line(line)) => {
                line.picking = None;
                line.edit.insert(text);
            }
            Some(Overlay::Find { edit, .. }) => {
                edit.insert(text);
                let filter = edit.text().to_owned();
                self.set_filter(&filter);
            }
            Some(_) => {}
            None if self.quitting.is_some() => {}
            None if self.focus == Focus::Form || matches!(self.screen, Screen::Start(_)) => {
                if self.active_form().is_some_and(|form| form.conflict.is_none()) {
                    if let Some(form) = self.active_form_mut() {
                        form.paste(text);
                    }
                    self.typed(effects);
                }
            }
            // A paste outside of a text would be a row of commands.
            None => self.say(Tone::Quiet, "Nothing was pasted: there is no text field here."),
        }
    }

    pub(crate) fn set_filter(&mut self, filter: &str) {
        let rows = self.geometry().list_rows();
        self.list_mut().set_filter(filter, rows);
        self.selection_moved();
    }
}

/// The buffer of a prompt that takes keys.
pub(crate) fn prompt_edit(prompt: &mut super::overlay::Prompt) -> &mut super::TextEdit {
    match &mut prompt.kind {
        super::overlay::PromptKind::Assign { group, on_group: true } => group,
        _ => &mut prompt.edit,
    }
}
