//! What came of actions, in words.

use std::time::Duration;

use super::acts::{Pending, PendingKind, Verb, task_name};
use super::effect::{Effect, Ticket};
use super::form::Kept;
use super::model::{Focus, Model, Screen};
use super::notice::{AfterDone, Notice};
use super::sheet::Tone;
use crate::domain::{Acted, DraftKey, Happened, RunBrief, RunStatus, Status, TaskRow, Trouble, Untrusted, time};

impl Model {
    /// What came of an action.
    pub(crate) fn acted(&mut self, ticket: Ticket, result: Result<Acted, Trouble>, effects: &mut Vec<Effect>) {
        let Some(Pending { kind: PendingKind::Task(task, verb), label }) = self.pending.remove(&ticket) else { return };
        self.refresh_in(Duration::from_millis(30));
        match result {
            Ok(Acted { happened, task: now }) => {
                let saved = verb == Verb::Save && happened == Happened::Done;
                if let Some(detail) = &now {
                    self.take_detail(detail.clone(), saved);
                }
                let row = now.as_ref().map_or_else(|| task.clone(), |detail| detail.row.clone());
                let run = now.as_ref().and_then(|detail| detail.run.clone());
                match happened {
                    Happened::Done => self.carried_out(&task, &row, verb, run.as_ref(), effects),
                    Happened::TooLate { status, by, at } => self.too_late(&task, verb, status, by, at, effects),
                    Happened::Taken { by, since } => {
                        let when = since.map(|at| format!(" {}", time::ago(at, self.now.wall))).unwrap_or_default();
                        let kept = matches!(verb, Verb::Save | Verb::Complete);
                        let kept = if kept { " Your answers are kept in your draft." } else { "" };
                        let name = task_name(&task);
                        self.say(Tone::Soon, format!("Not {}: {by} claimed {name}{when}.{kept}", verb.done()));
                    }
                    Happened::Unconfirmed { why } => {
                        self.unknown.push(label);
                        let name = task_name(&task);
                        self.say(
                            Tone::Soon,
                            format!("{name} may be {}: reading it back failed ({why}). R looks again.", verb.done()),
                        );
                    }
                }
            }
            Err(Trouble::OutcomeUnknown(wait)) => {
                self.unknown.push(label);
                let name = task_name(&task);
                self.say(
                    Tone::Soon,
                    format!(
                        "The server did not answer in {} s, and looking did not tell either. {name} may be {}. R looks again.",
                        wait.as_secs(),
                        verb.done()
                    ),
                );
            }
            Err(trouble) => {
                let kept = match verb {
                    Verb::Save | Verb::Complete => " Your answers are kept.",
                    Verb::Comment => " Your words are kept (m).",
                    _ => "",
                };
                self.say(Tone::Error, format!("Not {}: {trouble}.{kept}", verb.done()));
                if self.open.as_ref().is_some_and(|open| open.id == task.id) {
                    self.read_task(effects);
                }
            }
        }
    }

    fn carried_out(
        &mut self,
        before: &TaskRow,
        row: &TaskRow,
        verb: Verb,
        run: Option<&RunBrief>,
        effects: &mut Vec<Effect>,
    ) {
        let key = DraftKey::Task(before.id.clone());
        let name = task_name(before);
        let owner = |row: &TaskRow| match (&row.user, &row.group) {
            (Some(user), _) if self.me.is_me(user) => "you".to_owned(),
            (Some(user), Some(group)) => format!("{user} ({group})"),
            (Some(user), None) => user.to_string(),
            (None, Some(group)) => format!("the group {group}"),
            (None, None) => "nobody".to_owned(),
        };
        match verb {
            Verb::Claim => self.say(Tone::Accent, format!("{name} is yours.")),
            Verb::Release => self.say(Tone::Accent, format!("Released: {name} waits for {}.", owner(row))),
            Verb::Assign => {
                self.left_texts.remove(&(0, before.id.clone()));
                self.say(Tone::Accent, format!("{name} went to {}.", owner(row)));
            }
            Verb::Comment => {
                self.left_texts.remove(&(1, before.id.clone()));
                self.say(Tone::Accent, format!("Your comment on {name} is written."));
            }
            Verb::Save => {
                match self.forms.get_mut(&key) {
                    // More was typed while the save was under way: that stays a draft.
                    Some(form) if form.is_changed() => form.kept = Kept::Due(self.now.since_start),
                    Some(form) => {
                        form.kept = Kept::Nothing;
                        effects.push(Effect::DropDraft { key });
                    }
                    None => effects.push(Effect::DropDraft { key }),
                }
                self.say(Tone::Accent, format!("Saved. {name} stays open and has your answers."));
            }
            Verb::Cancel => {
                self.left_texts.remove(&(2, before.id.clone()));
                self.say(Tone::Accent, format!("Cancelled {name}.{}", run_words(run, &before.id.run.short())));
            }
            Verb::Complete => {
                let receipt = self.receipt(row, run);
                self.forms.remove(&key);
                effects.push(Effect::DropDraft { key: key.clone() });
                if let Some(detail) = self.open.as_ref().and_then(|open| open.detail.clone()) {
                    self.take_detail(detail, false);
                }
                let mut notice = Notice::new(Tone::Accent, format!("Done.{}", run_words(run, &before.id.run.short())));
                notice.after = Some(AfterDone { task: before.id.clone(), receipt });
                self.notice = Some(notice);
                let here = matches!(self.screen, Screen::Inbox);
                if here && self.open.as_ref().is_some_and(|open| open.id == before.id) {
                    self.focus = if self.is_wide() { Focus::List } else { Focus::Task };
                    self.list_to(&before.id);
                }
            }
        }
    }

    fn too_late(
        &mut self,
        task: &TaskRow,
        verb: Verb,
        status: Status,
        by: Option<Untrusted>,
        at: Option<jiff::Timestamp>,
        effects: &mut Vec<Effect>,
    ) {
        let ended = if status == Status::Cancelled { "cancelled" } else { "completed" };
        let when = at.map(|at| format!(" {} before you", time::span(at, self.now.wall))).unwrap_or_default();
        let who = match &by {
            Some(by) if self.me.is_me(by) => format!("you {ended} it{when} from another place"),
            Some(by) => format!("{by} {ended} it{when}"),
            None => format!("it was {ended}{when}"),
        };
        let who =
            if by.as_ref().is_some_and(|by| self.me.is_me(by)) { who.replace(" before you", " ago") } else { who };
        let kept = matches!(verb, Verb::Complete | Verb::Save);
        let kept = if kept { " Your answers are kept (D shows both)." } else { "" };
        let name = task_name(task);
        self.say(Tone::Soon, format!("{name} was not {}: {who}.{kept}", verb.done()));
        self.keep_drafts(effects);
        self.leave_a_dead_form();
    }

    /// What a person can keep of a completion.
    fn receipt(&self, row: &TaskRow, run: Option<&RunBrief>) -> String {
        let key = DraftKey::Task(row.id.clone());
        let mut lines = vec![
            format!("{} completed by {} at {}", task_name(row), self.me.user, time::exact(self.now.wall, &self.zone)),
            format!("task {}", row.id),
        ];
        if let Some(form) = self.forms.get(&key) {
            for field in &form.fields {
                let value = match field.value() {
                    _ if field.field.masked => "(hidden)".to_owned(),
                    Ok(Some(value)) => value.words(),
                    _ => "not set".to_owned(),
                };
                lines.push(format!("{}: {value}", field.field.label()));
            }
        }
        if let Some(run) = run {
            lines.push(format!("run {} of {} {}", run.id, run.workflow, run.status.words()));
        }
        lines.join("\n")
    }
}

/// What the run did after a task ended, as a sentence with a blank before it.
fn run_words(run: Option<&RunBrief>, id: &str) -> String {
    let Some(run) = run else { return String::new() };
    let at: Vec<String> = run.at.iter().map(ToString::to_string).collect();
    match run.status {
        RunStatus::Completed => " The run is complete.".to_owned(),
        status if status.failed() => match &run.failure {
            Some(failure) => {
                format!(" Run {id} failed at {} with {}: {}.", failure.node, failure.name, failure.message)
            }
            None => format!(" Run {id} failed."),
        },
        RunStatus::Halted | RunStatus::Halting => " The run is halted.".to_owned(),
        _ if at.is_empty() => " The run goes on.".to_owned(),
        _ => format!(" The run went on to {}.", at.join(" and ")),
    }
}
