//! A form being filled in: one edit buffer a field, and what the server has.

use std::time::Duration;

use jiff::Timestamp;

use super::edit::TextEdit;
use super::effect::Ticket;
use crate::domain::{
    Base, DefId, Draft, DraftKey, DraftText, Field, FieldError, FieldPath, Form, Identity, Kind, Since, TaskDetail,
    Value, Values,
};
use crate::input::{Chord, Key};

/// How long typed text may stay off the disk.
pub(crate) const KEEP_AFTER: Duration = Duration::from_millis(500);

/// Where the draft of a form is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kept {
    /// Nothing was typed.
    Nothing,
    /// Typed, and to be written at this time of [`super::Now::since_start`].
    Due(Duration),
    /// On its way to the disk.
    Writing(Ticket),
    /// On the disk.
    At(Timestamp),
    /// Could not be written, and why.
    Failed(String),
}

/// One field with its buffer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FieldState {
    pub(crate) path: FieldPath,
    pub(crate) field: Field,
    /// What the server has, or the default.
    loaded: Option<Value>,
    pub(crate) edit: TextEdit,
}

impl FieldState {
    fn new(path: FieldPath, field: Field, loaded: Option<Value>) -> Self {
        let loaded = loaded.or_else(|| field.default.clone());
        let edit = TextEdit::new(&edit_text(loaded.as_ref()), field.kind.takes_lines());
        Self { path, field, loaded, edit }
    }

    fn loaded_text(&self) -> String {
        edit_text(self.loaded.as_ref())
    }

    /// Whether something else stands here than on the server.
    pub(crate) fn is_changed(&self) -> bool {
        self.field.kind.read_only().is_none() && self.edit.text() != self.loaded_text()
    }

    /// The value: what was loaded as long as nothing else was typed, so that it goes back as it came.
    pub(crate) fn value(&self) -> Result<Option<Value>, FieldError> {
        if !self.is_changed() {
            // A value of another type than the field's (anybody may save one) is not this field's value.
            let fits = match (&self.field.kind, &self.loaded) {
                (_, None | Some(Value::Null)) => return Ok(None),
                (Kind::Str, Some(Value::Str(_)))
                | (Kind::Int, Some(Value::Int(_)))
                | (Kind::Double, Some(Value::Double(_)))
                | (Kind::Bool, Some(Value::Bool(_)))
                | (Kind::Struct(_) | Kind::Other(_), Some(_)) => true,
                (Kind::Json(wanted), Some(Value::Json(is, _))) => wanted == is,
                _ => false,
            };
            if fits {
                return Ok(self.loaded.clone());
            }
        }
        self.field.kind.parse(self.edit.text())
    }

    /// Yes, no or not set, as a position of the choice.
    pub(crate) fn choice(&self) -> Option<bool> {
        match self.edit.text() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    fn choose(&mut self, yes: Option<bool>) {
        self.edit.set(match yes {
            Some(true) => "true",
            Some(false) => "false",
            None => "",
        });
    }

    fn bool_key(&mut self, chord: Chord) -> bool {
        let next = match (self.choice(), chord.key) {
            _ if chord.ctrl || chord.alt => return false,
            (_, Key::Char('y' | 'Y')) => Some(true),
            (_, Key::Char('n' | 'N')) => Some(false),
            (_, Key::Char('x' | 'X' | '-') | Key::Backspace | Key::Delete) => None,
            (Some(true), Key::Char(' ') | Key::Right) => Some(false),
            (Some(false), Key::Char(' ') | Key::Right) => None,
            (None, Key::Char(' ') | Key::Right) => Some(true),
            (Some(true), Key::Left) => None,
            (Some(false), Key::Left) => Some(true),
            (None, Key::Left) => Some(false),
            _ => return false,
        };
        self.choose(next);
        true
    }
}

fn edit_text(value: Option<&Value>) -> String {
    value.map(Value::edit_text).unwrap_or_default()
}

/// A form being filled in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FormState {
    pub(crate) key: DraftKey,
    pub(crate) def: Option<DefId>,
    pub(crate) fields: Vec<FieldState>,
    /// The field that takes keys.
    pub(crate) focus: usize,
    /// What the server had when typing began.
    pub(crate) base: Base,
    pub(crate) kept: Kept,
    /// Somebody saved since typing began: nothing is typed until that is settled.
    pub(crate) conflict: Option<Conflict>,
    /// Show what is missing too: a completion was tried.
    pub(crate) show_missing: bool,
}

/// Two versions of the values, to be chosen from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Conflict {
    /// Who saved the other version.
    pub(crate) by: crate::domain::Untrusted,
    /// When.
    pub(crate) at: Timestamp,
    /// When this person typed last.
    pub(crate) typed_at: Timestamp,
    /// The other version.
    pub(crate) theirs: Base,
}

impl FormState {
    /// A form with the values that a task has.
    pub(crate) fn of_task(detail: &TaskDetail) -> Option<Self> {
        let form = detail.form.as_ref().ok()?;
        let base = Base { events: detail.events.len(), values: detail.values.clone() };
        Some(Self::new(DraftKey::Task(detail.row.id.clone()), Some(detail.row.def.clone()), form, base))
    }

    /// A form with values.
    pub(crate) fn new(key: DraftKey, def: Option<DefId>, form: &Form, base: Base) -> Self {
        let fields: Vec<FieldState> = form
            .leaves()
            .into_iter()
            .map(|(path, field)| {
                let loaded = Form::value_at(&base.values, &path).cloned();
                FieldState::new(path, field.clone(), loaded)
            })
            .collect();
        let focus = fields.iter().position(|field| field.field.kind.read_only().is_none()).unwrap_or(0);
        Self { key, def, fields, focus, base, kept: Kept::Nothing, conflict: None, show_missing: false }
    }

    /// Whether there is a field to type in.
    pub(crate) fn is_editable(&self) -> bool {
        self.fields.iter().any(|field| field.field.kind.read_only().is_none())
    }

    /// Whether something was typed that the server does not have.
    pub(crate) fn is_changed(&self) -> bool {
        self.fields.iter().any(FieldState::is_changed)
    }

    /// What is wrong with a field, as far as the person should see it now.
    pub(crate) fn problem(&self, index: usize) -> Option<FieldError> {
        let field = self.fields.get(index)?;
        match field.value() {
            Err(error) => Some(error),
            Ok(None) if self.show_missing && field.field.required => Some(FieldError::Missing),
            Ok(Some(Value::Str(text))) if self.show_missing && field.field.required && text.is_blank() => {
                Some(FieldError::Missing)
            }
            Ok(_) => None,
        }
    }

    /// The first field with a text that is no value of it.
    pub(crate) fn first_wrong(&self) -> Option<(usize, FieldError)> {
        self.fields.iter().enumerate().find_map(|(index, field)| field.value().err().map(|error| (index, error)))
    }

    /// The first field that a completion would miss: required, and not set or blank.
    pub(crate) fn first_missing(&self) -> Option<usize> {
        self.fields.iter().position(|field| {
            field.field.required
                && match field.value() {
                    Ok(None) => true,
                    Ok(Some(Value::Str(text))) => text.is_blank(),
                    _ => false,
                }
        })
    }

    /// The values of the form's fields. Wrong texts are left out; ask [`Self::first_wrong`] before.
    pub(crate) fn values(&self) -> Values {
        let mut values = Values::new();
        for field in &self.fields {
            if let Ok(Some(value)) = field.value() {
                Form::put_at(&mut values, &field.path, Some(value));
            }
        }
        values
    }

    /// What a save sends: it replaces everything, so what no field knows goes back as it came.
    pub(crate) fn values_to_save(&self) -> Values {
        let mut values = self.base.values.clone();
        for field in &self.fields {
            Form::put_at(&mut values, &field.path, field.value().ok().flatten());
        }
        values
    }

    /// What is kept on the disk.
    pub(crate) fn draft(&self, at: Timestamp) -> Draft {
        let texts = self
            .fields
            .iter()
            .filter(|field| field.is_changed())
            .map(|field| {
                let text = DraftText { path: field.path.clone(), text: field.edit.text().to_owned() };
                (field.path.to_string(), text)
            })
            .collect();
        Draft { key: self.key.clone(), def: self.def.clone(), at, texts, base: self.base.clone() }
    }

    /// Puts a draft's texts into the fields. True when that changed something.
    pub(crate) fn take_texts(&mut self, draft: &Draft) -> bool {
        let mut changed = false;
        for text in draft.texts.values() {
            let field = self.fields.iter_mut().find(|field| field.path == text.path);
            if let Some(field) = field.filter(|field| field.field.kind.read_only().is_none()) {
                changed |= field.edit.text() != text.text;
                field.edit.set(&text.text);
            }
        }
        changed
    }

    /// Takes newer values from the server. Fields without typed text show them; typed texts stay. When somebody saved
    /// meanwhile and there are typed texts that differ, that is a conflict to be settled.
    pub(crate) fn take_server(&mut self, detail: &TaskDetail, me: &Identity, now: Timestamp) {
        let newer = Base { events: detail.events.len(), values: detail.values.clone() };
        if newer == self.base {
            return;
        }
        let typed = self.is_changed();
        if let (true, Since::Saved { by, at }) = (typed, self.base.since(&detail.events, &detail.values, me)) {
            let typed_at = match (&self.conflict, &self.kept) {
                (Some(conflict), _) => conflict.typed_at,
                (None, Kept::At(at)) => *at,
                _ => now,
            };
            if self.differs_from(&newer.values) {
                self.conflict = Some(Conflict { by, at, typed_at, theirs: newer });
                return;
            }
        }
        self.rebase(newer, typed);
    }

    /// Whether a field's text differs from these values.
    fn differs_from(&self, values: &Values) -> bool {
        self.fields.iter().any(|field| field.edit.text() != edit_text(Form::value_at(values, &field.path)))
    }

    /// Makes these values what the fields are compared with. Changed fields keep their text when `keep_typed`.
    pub(crate) fn rebase(&mut self, base: Base, keep_typed: bool) {
        for field in &mut self.fields {
            let changed = field.is_changed();
            field.loaded = Form::value_at(&base.values, &field.path).cloned().or_else(|| field.field.default.clone());
            if !(changed && keep_typed) {
                let text = edit_text(field.loaded.as_ref());
                if field.edit.text() != text {
                    field.edit = TextEdit::new(&text, field.field.kind.takes_lines());
                }
            }
        }
        self.base = base;
        self.conflict = None;
        if !self.is_changed() {
            self.kept = Kept::Nothing;
        }
    }

    /// Shows these values instead of what was typed; each replaced text can be taken back in its field.
    pub(crate) fn take_over(&mut self, base: Base) {
        for field in &mut self.fields {
            field.loaded = Form::value_at(&base.values, &field.path).cloned().or_else(|| field.field.default.clone());
            if field.field.kind.read_only().is_none() {
                let text = edit_text(field.loaded.as_ref());
                field.edit.set(&text);
            }
        }
        self.base = base;
        self.conflict = None;
        self.kept = Kept::Nothing;
    }

    /// Takes a key into the focused field. True when it meant something; the text may have changed.
    pub(crate) fn key(&mut self, chord: Chord) -> bool {
        let Some(field) = self.fields.get_mut(self.focus) else { return false };
        match field.field.kind {
            Kind::Bool => field.bool_key(chord),
            Kind::Struct(_) | Kind::Other(_) => false,
            Kind::Int | Kind::Double if chord.typed() == Some(' ') => true,
            _ => field.edit.key(chord),
        }
    }

    /// Pastes into the focused field.
    pub(crate) fn paste(&mut self, text: &str) {
        let Some(field) = self.fields.get_mut(self.focus) else { return };
        match field.field.kind {
            Kind::Bool => match text.trim().to_lowercase().as_str() {
                "yes" | "true" | "y" => field.choose(Some(true)),
                "no" | "false" | "n" => field.choose(Some(false)),
                _ => {}
            },
            Kind::Struct(_) | Kind::Other(_) => {}
            Kind::Int | Kind::Double => field.edit.insert(text.trim()),
            Kind::Str | Kind::Json(_) => field.edit.insert(text),
        }
    }

    /// The next field to type in, or the one before; `None` at the end.
    pub(crate) fn neighbour(&self, forward: bool) -> Option<usize> {
        let can = |index: &usize| self.fields.get(*index).is_some_and(|field| field.field.kind.read_only().is_none());
        if forward { (self.focus + 1..self.fields.len()).find(can) } else { (0..self.focus).rev().find(can) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Event, EventKind, RunId, TaskId};

    fn field(key: &str, kind: Kind, required: bool) -> Field {
        Field { key: key.to_owned(), display_name: None, help: None, kind, required, default: None, masked: false }
    }

    fn state(values: &[(&str, Value)]) -> FormState {
        let form = Form {
            description: None,
            fields: vec![
                field("approved", Kind::Bool, true),
                field("amount", Kind::Double, true),
                field("comment", Kind::Str, false),
                field("scan", Kind::Other("BYTES".to_owned()), false),
            ],
        };
        let values = values.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        FormState::new(DraftKey::Run("x".to_owned()), None, &form, Base { events: 1, values })
    }

    fn typed(form: &mut FormState, text: &str) {
        for c in text.chars() {
            form.key(Chord::char(c));
        }
    }

    #[test]
    fn a_wrong_value_stays_and_is_told() {
        let mut form = state(&[]);
        form.focus = 1;
        typed(&mut form, "12,5x");
        assert_eq!(form.problem(1).unwrap().to_string(), "not a number: \"12,5x\"");
        assert_eq!(form.fields[1].edit.text(), "12,5x");
        assert_eq!(form.values(), Values::new());
        assert_eq!(form.problem(0), None);
        form.show_missing = true;
        assert_eq!(form.problem(0), Some(FieldError::Missing));
        assert_eq!(form.first_missing(), Some(0));
    }

    #[test]
    fn yes_no_and_not_set_are_three_things() {
        let mut form = state(&[]);
        let mut seen = Vec::new();
        for key in ["Space", "Space", "Space", "n", "Backspace", "y"] {
            form.key(key.parse().unwrap());
            seen.push(form.fields[0].choice());
        }
        assert_eq!(seen, [Some(true), Some(false), None, Some(false), None, Some(true)]);
        assert!(!form.key(Chord::char('q')));
    }

    #[test]
    fn a_save_sends_back_what_no_field_knows() {
        let opaque = Value::Opaque { kind: "BYTES".to_owned(), text: "3 bytes".into(), bytes: vec![1, 2, 3] };
        let mut form = state(&[
            ("other", Value::Int(1)),
            ("scan", opaque.clone()),
            ("amount", Value::Double(0.1 + 0.2)),
            ("comment", Value::Str("".into())),
        ]);
        typed(&mut form, "y");
        let sent = form.values_to_save();
        assert_eq!(sent.get("other"), Some(&Value::Int(1)));
        assert_eq!(sent.get("scan"), Some(&opaque));
        assert_eq!(sent.get("amount"), Some(&Value::Double(0.1 + 0.2)));
        assert_eq!(sent.get("comment"), Some(&Value::Str("".into())), "an empty text is not the same as none");
        assert_eq!(sent.get("approved"), Some(&Value::Bool(true)));
        assert_eq!(form.values().get("other"), None);
    }

    #[test]
    fn a_value_of_the_wrong_type_is_not_sent_as_it_is() {
        let form = state(&[("amount", Value::Str("about ten".into()))]);
        assert!(form.fields[1].value().is_err());
        let form = state(&[("amount", Value::Int(7))]);
        assert_eq!(form.fields[1].value(), Ok(Some(Value::Double(7.0))));
    }

    #[test]
    fn typed_text_meets_what_somebody_saved() {
        let me = Identity { user: "amy".to_owned(), groups: vec![] };
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let saved = |by: &str, values: Values| Event { at: now, what: EventKind::Saved { by: by.into(), values } };
        let values: Values = [("comment".to_owned(), Value::Str("bob's".into()))].into();
        let detail = |events: Vec<Event>, values: Values| TaskDetail {
            row: crate::domain::TaskRow {
                id: TaskId { run: RunId::root("r"), guid: "0-1".to_owned() },
                def: DefId { name: "x".into(), version: 0 },
                status: crate::domain::Status::Unassigned,
                user: None,
                group: None,
                notes: None,
                scheduled: None,
                workflow: None,
            },
            form: Ok(Form::default()),
            values,
            events,
            run: None,
            next: vec![],
            on_cancel: crate::domain::OnCancel::Unknown,
        };
        let theirs = detail(vec![saved("bob", Values::new()), saved("bob", values.clone())], values.clone());

        let mut untouched = state(&[]);
        untouched.take_server(&theirs, &me, now);
        assert_eq!(untouched.fields[2].edit.text(), "bob's");
        assert_eq!(untouched.conflict, None);

        let mut mine = state(&[]);
        mine.focus = 2;
        typed(&mut mine, "mine");
        mine.take_server(&theirs, &me, now);
        assert_eq!(mine.fields[2].edit.text(), "mine");
        assert_eq!(mine.conflict.as_ref().map(|conflict| conflict.by.raw()), Some("bob"));
        let newer = mine.conflict.clone().unwrap().theirs;
        mine.rebase(newer.clone(), true);
        assert_eq!(mine.fields[2].edit.text(), "mine");
        mine.rebase(newer, false);
        assert_eq!(mine.fields[2].edit.text(), "bob's");
        assert!(!mine.is_changed());
    }
}
