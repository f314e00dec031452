//! Starting workflows and looking at runs.

use std::time::Duration;

use super::acts::{Pending, PendingKind};
use super::effect::{Effect, Generation, Ticket};
use super::form::FormState;
use super::model::{Focus, Model, Screen};
use super::overlay::Overlay;
use super::sheet::Tone;
use crate::domain::{Base, Draft, DraftKey, RunDetail, RunId, Trouble, Untrusted, Workflow};

/// The form for a workflow's inputs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Start {
    pub(crate) name: String,
    pub(crate) workflow: Option<Box<Workflow>>,
    pub(crate) reading: Option<Generation>,
    pub(crate) trouble: Option<Trouble>,
    pub(crate) found: Option<Draft>,
    pub(crate) scroll: usize,
}

/// A run on the screen.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RunView {
    pub(crate) id: RunId,
    pub(crate) detail: Option<Box<RunDetail>>,
    pub(crate) reading: Option<Generation>,
    pub(crate) trouble: Option<Trouble>,
    pub(crate) scroll: usize,
}

impl Model {
    /// `:run NAME`.
    pub(crate) fn start_run(&mut self, name: &str, effects: &mut Vec<Effect>) {
        self.keep_drafts(effects);
        let generation = self.generation();
        effects.push(Effect::LoadWorkflow { generation, name: name.to_owned() });
        let key = DraftKey::Run(name.to_owned());
        if !self.forms.contains_key(&key) {
            effects.push(Effect::FindDraft { key });
        }
        self.screen = Screen::Start(Box::new(Start {
            name: name.to_owned(),
            workflow: None,
            reading: Some(generation),
            trouble: None,
            found: None,
            scroll: 0,
        }));
        self.focus = Focus::Form;
    }

    pub(crate) fn take_workflow(&mut self, generation: Generation, result: Result<Box<Workflow>, Trouble>) {
        let Screen::Start(start) = &mut self.screen else { return };
        if start.reading != Some(generation) {
            return;
        }
        start.reading = None;
        match result {
            Err(trouble) => start.trouble = Some(trouble),
            Ok(workflow) => {
                start.trouble = None;
                let key = DraftKey::Run(start.name.clone());
                let found = start.found.take();
                let mut form = FormState::new(key.clone(), None, &workflow.inputs, Base::default());
                start.workflow = Some(workflow);
                // Typed before, in this session: the texts go into the inputs as they are now.
                if let Some(before) = self.forms.remove(&key).filter(FormState::is_changed) {
                    form.take_texts(&before.draft(self.now.wall));
                    form.kept = before.kept;
                }
                self.forms.insert(key, form);
                if let Some(draft) = found {
                    self.adopt_draft(draft);
                }
            }
        }
    }

    /// After the review of the inputs.
    pub(crate) fn run_now(&mut self, effects: &mut Vec<Effect>) {
        let Screen::Start(start) = &self.screen else { return };
        let name = start.name.clone();
        if self.pending.values().any(|pending| matches!(pending.kind, PendingKind::Run(_))) {
            self.say(Tone::Soon, "A run is being started already.");
            return;
        }
        let Some(inputs) = self.active_form().map(FormState::values) else { return };
        let ticket = self.ticket();
        effects.push(Effect::RunWorkflow { ticket, name: name.clone(), inputs });
        let label = format!("starting {}", Untrusted::from(name.as_str()));
        self.pending.insert(ticket, Pending { kind: PendingKind::Run(name), label });
    }

    pub(crate) fn started(&mut self, ticket: Ticket, result: Result<RunId, Trouble>, effects: &mut Vec<Effect>) {
        let Some(Pending { kind: PendingKind::Run(name), label }) = self.pending.remove(&ticket) else { return };
        let shown = Untrusted::from(name.as_str());
        match result {
            Ok(run) => {
                let key = DraftKey::Run(name.clone());
                self.forms.remove(&key);
                effects.push(Effect::DropDraft { key });
                self.refresh_in(Duration::from_millis(30));
                self.say(Tone::Accent, format!("{shown} runs as {}.", run.short()));
                if matches!(&self.screen, Screen::Start(start) if start.name == name) {
                    self.show_run(run, effects);
                }
            }
            Err(Trouble::OutcomeUnknown(wait)) => {
                self.unknown.push(label);
                let wait = wait.as_secs();
                self.say(
                    Tone::Soon,
                    format!("The server did not answer in {wait} s. {shown} may be running; your inputs are kept."),
                );
            }
            Err(trouble) => self.say(Tone::Error, format!("{shown} was not started: {trouble}. Your inputs are kept.")),
        }
    }

    /// A run with its steps.
    pub(crate) fn show_run(&mut self, id: RunId, effects: &mut Vec<Effect>) {
        self.keep_drafts(effects);
        self.focus = Focus::List;
        self.screen = Screen::Run(Box::new(RunView { id, detail: None, reading: None, trouble: None, scroll: 0 }));
        self.read_run(effects);
    }

    pub(crate) fn read_run(&mut self, effects: &mut Vec<Effect>) {
        let generation = self.generation();
        if let Screen::Run(run) = &mut self.screen {
            run.reading = Some(generation);
            effects.push(Effect::LoadRun { generation, run: run.id.clone() });
        }
    }

    pub(crate) fn take_run(&mut self, generation: Generation, result: Result<Box<RunDetail>, Trouble>) {
        let Screen::Run(run) = &mut self.screen else { return };
        if run.reading != Some(generation) {
            return;
        }
        run.reading = None;
        match result {
            Ok(detail) => {
                run.detail = Some(detail);
                run.trouble = None;
            }
            Err(trouble) => run.trouble = Some(trouble),
        }
    }

    /// From a run to the task that it waits for.
    pub(crate) fn open_run_task(&mut self, effects: &mut Vec<Effect>) {
        let Screen::Run(run) = &self.screen else { return };
        match run.detail.as_ref().and_then(|detail| detail.tasks.first()).cloned() {
            Some(task) => {
                let rows = self.geometry().list_rows();
                self.list_mut().go_to(&task.id, rows);
                self.screen = Screen::Inbox;
                self.open_task(task, effects);
                self.focus = Focus::Task;
            }
            None => self.say(Tone::Quiet, "This run waits for no task."),
        }
    }

    /// Back to the list; what was typed for a run is kept.
    pub(crate) fn leave_screen(&mut self, effects: &mut Vec<Effect>) {
        self.keep_drafts(effects);
        self.screen = Screen::Inbox;
        self.focus = Focus::List;
    }

    pub(crate) fn load_examples(&mut self, effects: &mut Vec<Effect>) {
        if self.pending.values().any(|pending| pending.kind == PendingKind::Examples) {
            self.say(Tone::Soon, "The examples are being loaded already.");
            return;
        }
        if !self.writable() {
            self.say(Tone::Soon, "examples: the store is read-only after a disk error.");
            return;
        }
        let ticket = self.ticket();
        effects.push(Effect::LoadExamples { ticket });
        let label = "loading the four examples".to_owned();
        self.pending.insert(ticket, Pending { kind: PendingKind::Examples, label });
    }

    pub(crate) fn examples_loaded(&mut self, ticket: Ticket, result: Result<(), Trouble>) {
        if self.pending.remove(&ticket).is_none() {
            return;
        }
        self.refresh_in(Duration::ZERO);
        match result {
            Ok(()) => {
                // The row that came first while they were being made is nobody's choice to stay at.
                self.list_mut().start_over();
                self.say(Tone::Accent, "The four examples are here. :run starts one of them again.");
            }
            Err(trouble) => self.say(Tone::Error, format!("The examples were not loaded: {trouble}.")),
        }
    }

    /// The inputs of a run before it starts, or the values before a completion.
    pub(crate) fn confirm_review(&mut self, effects: &mut Vec<Effect>) {
        if let Some(Overlay::Review { takes_from, .. }) = self.overlay.take() {
            match self.screen {
                Screen::Start(_) => self.run_now(effects),
                _ => self.complete(takes_from, effects),
            }
        }
    }
}
