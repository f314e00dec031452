//! Doing something with a task, and saying what came of it.

use super::edit::TextEdit;
use super::effect::Effect;
use super::model::{Focus, Model, Screen};
use super::overlay::{Overlay, Prompt, PromptKind, Take, TakeWhat};
use super::sheet::Tone;
use crate::domain::{Abilities, Ability, Act, DraftKey, TaskRow, Untrusted, fit};
use crate::input::Command;

/// Something sent whose answer is not there yet.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pending {
    pub(crate) kind: PendingKind,
    /// For the person: `completing approve-expense "Laptop for Amy"`.
    pub(crate) label: String,
}

/// What was sent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum PendingKind {
    /// A change of a task.
    Task(TaskRow, Verb),
    /// The start of a run.
    Run(String),
    /// The examples.
    Examples,
    /// A text in the editor; for which form and field.
    Editor(DraftKey, usize),
}

/// What is done with a task, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Claim,
    Release,
    Assign,
    Save,
    Complete,
    Cancel,
    Comment,
}

impl Verb {
    fn doing(self) -> &'static str {
        match self {
            Self::Claim => "claiming",
            Self::Release => "releasing",
            Self::Assign => "assigning",
            Self::Save => "saving",
            Self::Complete => "completing",
            Self::Cancel => "cancelling",
            Self::Comment => "commenting on",
        }
    }

    pub(crate) fn done(self) -> &'static str {
        match self {
            Self::Claim => "claimed",
            Self::Release => "released",
            Self::Assign => "assigned",
            Self::Save => "saved",
            Self::Complete => "completed",
            Self::Cancel => "cancelled",
            Self::Comment => "commented on",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Release => "release",
            Self::Assign => "assign",
            Self::Save => "save",
            Self::Complete => "complete",
            Self::Cancel => "cancel",
            Self::Comment => "comment",
        }
    }
}

/// A task's name for a sentence: its definition and its notes.
pub(crate) fn task_name(task: &TaskRow) -> String {
    match task.notes.as_ref().filter(|notes| !notes.is_blank()) {
        Some(notes) => format!("{} \"{}\"", task.def.name, fit(notes.raw(), 40, "…")),
        None => task.def.name.to_string(),
    }
}

impl Model {
    /// What may be done with a task now.
    pub(crate) fn abilities(&self, task: &TaskRow) -> Abilities {
        Abilities::of(task, &self.me, self.writable())
    }

    /// Starts one of the actions on the task that the focus is on.
    pub(crate) fn begin(&mut self, command: Command, effects: &mut Vec<Effect>) {
        let Some(task) = self.target() else {
            self.say(Tone::Quiet, "There is no task here.");
            return;
        };
        let can = self.abilities(&task);
        let (verb, ability) = match command {
            Command::Claim => (Verb::Claim, can.claim),
            Command::Release => (Verb::Release, can.release),
            Command::Assign => (Verb::Assign, can.assign),
            Command::Comment => (Verb::Comment, can.comment),
            Command::Cancel => (Verb::Cancel, can.cancel),
            Command::Save => (Verb::Save, can.save),
            _ => (Verb::Complete, can.complete),
        };
        if let Ability::No(why) = &ability {
            self.say(Tone::Soon, format!("{}: {why}", verb.name()));
            return;
        }
        if let Some(label) = self.under_way(&task) {
            self.say(Tone::Soon, format!("{}: {label} is still under way.", verb.name()));
            return;
        }
        // Questions name the owner's time and what happens to the run: those stand in the detail.
        if self.open.as_ref().is_none_or(|open| open.id != task.id) {
            self.open_task(task.clone(), effects);
        }
        let taken = matches!(ability, Ability::Takes(_));
        match verb {
            Verb::Claim if taken => self.ask(task, TakeWhat::Claim),
            Verb::Claim => {
                let group = task.group.clone();
                self.act(task, Verb::Claim, Act::Claim { group, take_over: false }, effects);
            }
            Verb::Release if taken => self.ask(task, TakeWhat::Release),
            Verb::Release => self.release(task, false, effects),
            Verb::Assign => self.prompt(task, PromptKind::Assign { group: TextEdit::new("", false), on_group: false }),
            Verb::Comment => self.prompt(task, PromptKind::Comment),
            Verb::Cancel => self.prompt(task, PromptKind::Cancel),
            Verb::Save => self.save(task, taken, effects),
            Verb::Complete => self.review(),
        }
    }

    fn under_way(&self, task: &TaskRow) -> Option<&str> {
        self.pending.values().find_map(|pending| match &pending.kind {
            PendingKind::Task(other, _) if other.id == task.id => Some(pending.label.as_str()),
            _ => None,
        })
    }

    fn ask(&mut self, task: TaskRow, what: TakeWhat) {
        self.overlay = Some(Overlay::Take(Take { task, what }));
    }

    fn prompt(&mut self, task: TaskRow, mut kind: PromptKind) {
        let left = self.left_texts.get(&(kind.number(), task.id.clone())).cloned().unwrap_or_default();
        let text = match &mut kind {
            PromptKind::Assign { group, .. } => {
                // An assignment replaces both: the group stays unless it is taken out.
                let now = task.group.as_ref().map(Untrusted::raw).unwrap_or_default();
                let (user, kept) = left.split_once('\n').unwrap_or((&left, now));
                *group = TextEdit::new(kept, false);
                user.to_owned()
            }
            _ => left,
        };
        let edit = TextEdit::new(&text, kind == PromptKind::Comment);
        self.overlay = Some(Overlay::Prompt(Prompt { task, kind, edit, problem: None }));
    }

    /// After the question whether to take it from its owner was answered with yes.
    pub(crate) fn take_from_owner(&mut self, take: Take, effects: &mut Vec<Effect>) {
        let Take { task, what } = take;
        match what {
            TakeWhat::Claim => {
                let group = task.group.clone();
                self.act(task, Verb::Claim, Act::Claim { group, take_over: true }, effects);
            }
            TakeWhat::Release => self.release(task, true, effects),
            TakeWhat::Save => self.send_save(task, true, effects),
        }
    }

    fn release(&mut self, task: TaskRow, take_over: bool, effects: &mut Vec<Effect>) {
        if let Some(group) = task.group.clone() {
            self.act(task, Verb::Release, Act::Release { group, take_over }, effects);
        }
    }

    fn save(&mut self, task: TaskRow, taken: bool, effects: &mut Vec<Effect>) {
        let Some(form) = self.task_form() else {
            self.say(Tone::Soon, "save: the form is not here yet.");
            return;
        };
        if let Some((index, error)) = form.first_wrong() {
            let label = form.fields.get(index).map(|field| field.field.label()).unwrap_or_default();
            self.say(Tone::Error, format!("Not saved: {label} is {error}. What you typed is kept in your draft."));
            self.focus_field(index);
        } else if form.conflict.is_some() {
            self.say(Tone::Soon, "save: settle first whose answers to keep (m, k or b in the form).");
            self.focus = Focus::Form;
        } else if !form.is_changed() {
            self.say(Tone::Quiet, "Nothing to save: the server has these answers.");
        } else if taken {
            self.ask(task, TakeWhat::Save);
        } else {
            self.send_save(task, false, effects);
        }
    }

    fn send_save(&mut self, task: TaskRow, ignore_claim: bool, effects: &mut Vec<Effect>) {
        self.keep_drafts(effects);
        if let Some(values) = self.forms.get(&DraftKey::Task(task.id.clone())).map(|form| form.values_to_save()) {
            self.act(task, Verb::Save, Act::Save { values, ignore_claim }, effects);
        }
    }

    /// To the review, when every value is one and nothing is missing.
    pub(crate) fn review(&mut self) {
        let Some(form) = self.active_form_mut() else {
            self.say(Tone::Soon, "complete: the form is not here yet.");
            return;
        };
        form.show_missing = true;
        let missing: Vec<String> = form
            .fields
            .iter()
            .enumerate()
            .filter(|(index, _)| form.problem(*index) == Some(crate::domain::FieldError::Missing))
            .map(|(_, field)| field.field.label().to_string())
            .collect();
        let wrong = form.first_wrong();
        let first_missing = form.first_missing();
        if form.conflict.is_some() {
            self.say(Tone::Soon, "Settle first whose answers to keep (m, k or b in the form).");
            self.focus = Focus::Form;
        } else if let Some((index, error)) = wrong {
            let label = self.field_label(index);
            self.say(Tone::Error, format!("{label}: {error}."));
            self.focus_field(index);
        } else if let Some(index) = first_missing {
            let verb = if missing.len() == 1 { "is" } else { "are" };
            self.say(Tone::Error, format!("{} {verb} still needed.", missing.join(", ")));
            self.focus_field(index);
        } else {
            self.overlay = Some(Overlay::Review { scroll: 0, takes_from: self.takes_from() });
        }
    }

    /// From whom a completion of the open task takes it.
    fn takes_from(&self) -> Option<Untrusted> {
        let open = self.open.as_ref().filter(|_| matches!(self.screen, Screen::Inbox))?;
        match self.abilities(&open.row).complete {
            Ability::Takes(owner) => Some(owner),
            _ => None,
        }
    }

    fn field_label(&self, index: usize) -> Untrusted {
        let field = self.active_form().and_then(|form| form.fields.get(index));
        field.map(|field| field.field.label()).unwrap_or_default()
    }

    /// To a field, where it can be typed in.
    pub(crate) fn focus_field(&mut self, index: usize) {
        if let Some(form) = self.active_form_mut() {
            let can = form.fields.get(index).is_some_and(|field| field.field.kind.read_only().is_none());
            if can {
                form.focus = index;
            }
            if can || form.is_editable() {
                self.focus = Focus::Form;
            }
        }
        self.leave_a_dead_form();
    }

    /// After the review was confirmed.
    pub(crate) fn complete(&mut self, told: Option<Untrusted>, effects: &mut Vec<Effect>) {
        let Some(task) = self.open.as_ref().map(|open| open.row.clone()) else { return };
        if let Ability::No(why) = self.abilities(&task).complete {
            self.say(Tone::Soon, format!("complete: {why}"));
            return;
        }
        if let Some(label) = self.under_way(&task) {
            self.say(Tone::Soon, format!("complete: {label} is still under way."));
            return;
        }
        self.keep_drafts(effects);
        let takes_from = self.takes_from();
        if takes_from.is_some() && takes_from != told {
            let owner = takes_from.clone().unwrap_or_default();
            self.overlay = Some(Overlay::Review { scroll: 0, takes_from });
            self.say(Tone::Soon, format!("{owner} claimed this while you looked. Nothing is sent yet."));
            return;
        }
        let take_over = takes_from.is_some();
        if let Some(values) = self.task_form().map(|form| form.values()) {
            self.act(task, Verb::Complete, Act::Complete { values, take_over }, effects);
        }
    }

    /// After a prompt was answered.
    pub(crate) fn answer(&mut self, mut prompt: Prompt, effects: &mut Vec<Effect>) {
        let text = prompt.edit.text().trim().to_owned();
        let task = prompt.task.clone();
        let act = match &prompt.kind {
            PromptKind::Comment if text.is_empty() => Err("a comment needs words."),
            PromptKind::Comment => Ok((Verb::Comment, Act::Comment { text })),
            PromptKind::Cancel => {
                if self.consequence(&task).is_none() {
                    Err("still looking what it does to the run.")
                } else {
                    Ok((Verb::Cancel, Act::Cancel { reason: Some(text).filter(|text| !text.is_empty()) }))
                }
            }
            PromptKind::Assign { group, .. } => {
                let group = group.text().trim().to_owned();
                if text.is_empty() && group.is_empty() {
                    Err("name a user, a group or both.")
                } else {
                    let some = |text: String| Some(text).filter(|text| !text.is_empty());
                    let take_over = task.user.is_some();
                    Ok((Verb::Assign, Act::Assign { user: some(text), group: some(group), take_over }))
                }
            }
        };
        match act {
            Err(problem) => {
                prompt.problem = Some(problem.to_owned());
                self.overlay = Some(Overlay::Prompt(prompt));
            }
            Ok((verb, act)) => {
                // Kept until the answer says that it arrived.
                self.leave_prompt(&prompt);
                self.act(task, verb, act, effects);
            }
        }
    }

    /// Remembers a prompt's text: leaving destroys nothing.
    pub(crate) fn leave_prompt(&mut self, prompt: &Prompt) {
        let text = match &prompt.kind {
            PromptKind::Assign { group, .. } if prompt.edit.text().is_empty() && group.text().is_empty() => {
                String::new()
            }
            PromptKind::Assign { group, .. } => format!("{}\n{}", prompt.edit.text(), group.text()),
            _ => prompt.edit.text().to_owned(),
        };
        let key = (prompt.kind.number(), prompt.task.id.clone());
        if text.is_empty() {
            self.left_texts.remove(&key);
        } else {
            self.left_texts.insert(key, text);
        }
    }

    /// What a cancellation does to the run; `None` while that is being read.
    pub(crate) fn consequence(&self, task: &TaskRow) -> Option<String> {
        use crate::domain::OnCancel;
        let open = self.open.as_ref().filter(|open| open.id == task.id)?;
        let run = || task.id.run.short();
        match (&open.detail, &open.trouble) {
            (Some(detail), _) => Some(match &detail.on_cancel {
                OnCancel::Fails { failure } => format!("Run {} fails with {failure}: nothing handles it.", run()),
                OnCancel::Handled { handler } => format!("Run {} goes on in {handler}, which handles it.", run()),
                OnCancel::Unknown => format!("What happens to run {} could not be read from its workflow.", run()),
            }),
            (None, Some(trouble)) => Some(format!("What happens to run {} could not be read: {trouble}.", run())),
            (None, None) => None,
        }
    }

    fn act(&mut self, task: TaskRow, verb: Verb, act: Act, effects: &mut Vec<Effect>) {
        let ticket = self.ticket();
        let label = format!("{} {}", verb.doing(), task_name(&task));
        effects.push(Effect::Act { ticket, task: task.id.clone(), act });
        self.pending.insert(ticket, Pending { kind: PendingKind::Task(task, verb), label });
    }
}
