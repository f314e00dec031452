//! Keeping what is typed on the disk.

use super::effect::{Effect, Ticket};
use super::form::{FormState, KEEP_AFTER, Kept};
use super::model::Model;
use super::sheet::Tone;
use crate::domain::{DraftKey, Trouble};

impl Model {
    /// The active form may have changed: its draft is due soon. A deadline set before stays, so that steady typing is
    /// written again and again.
    pub(crate) fn typed(&mut self, effects: &mut Vec<Effect>) {
        let due = self.now.since_start + KEEP_AFTER;
        let Some(form) = self.active_form_mut() else { return };
        if form.is_changed() {
            if !matches!(form.kept, Kept::Due(_)) {
                form.kept = Kept::Due(due);
            }
        } else if form.kept != Kept::Nothing {
            form.kept = Kept::Nothing;
            effects.push(Effect::DropDraft { key: form.key.clone() });
        }
    }

    /// Writes every draft that is not on the disk yet.
    pub(crate) fn keep_drafts(&mut self, effects: &mut Vec<Effect>) {
        self.keep_drafts_if(effects, |form| matches!(form.kept, Kept::Due(_) | Kept::Failed(_)));
    }

    /// Writes the drafts whose time has come.
    pub(crate) fn keep_due_drafts(&mut self, effects: &mut Vec<Effect>) {
        let now = self.now.since_start;
        self.keep_drafts_if(effects, |form| matches!(form.kept, Kept::Due(due) if due <= now));
    }

    fn keep_drafts_if(&mut self, effects: &mut Vec<Effect>, which: impl Fn(&FormState) -> bool) {
        let keys: Vec<DraftKey> = self.forms.values().filter(|form| which(form)).map(|form| form.key.clone()).collect();
        for key in keys {
            let ticket = self.ticket();
            let now = self.now.wall;
            if let Some(form) = self.forms.get_mut(&key) {
                effects.push(Effect::KeepDraft { ticket, draft: form.draft(now) });
                form.kept = Kept::Writing(ticket);
            }
        }
    }

    pub(crate) fn draft_kept(&mut self, ticket: Ticket, result: Result<(), Trouble>) {
        let now = self.now.wall;
        let Some(form) = self.forms.values_mut().find(|form| form.kept == Kept::Writing(ticket)) else { return };
        match result {
            Ok(()) => form.kept = Kept::At(now),
            Err(trouble) => {
                form.kept = Kept::Failed(trouble.to_string());
                self.say(
                    Tone::Error,
                    format!("Your draft could not be written: {trouble}. What you typed is on this screen only."),
                );
            }
        }
    }
}
