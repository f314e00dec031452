//! Forms: to fill in, to review, to compare.

use unicode_width::UnicodeWidthStr;

use crate::app::form::{FieldState, FormState, Kept};
use crate::app::model::{Focus, Model, Screen};
use crate::app::runs::Start;
use crate::app::sheet::{Sheet, SheetLine, Tone, wrap};
use crate::domain::{Ability, FieldError, Form, Kind, Value, display_line, display_width, fit, time};

/// Lines of one text that are shown at once.
const LINES_AT_MOST: usize = 12;

/// Where the values begin, for a form in a width. `None`: below their labels.
fn value_column(form: &FormState, width: usize) -> Option<usize> {
    let widest = form.fields.iter().map(|field| display_width(field.field.label().raw()) + 2).max().unwrap_or(0);
    (width >= 36).then(|| 2 + widest.clamp(8, (width / 3).max(12)) + 1)
}

fn label(field: &FieldState, columns: usize) -> String {
    let star = if field.field.required { " *" } else { "" };
    format!("{}{star}", fit(field.field.label().raw(), columns.saturating_sub(star.len()).max(1), "…"))
}

/// The heading of a form and what is known of its draft.
pub(super) fn form_heading(model: &Model, form: &FormState, name: &str, sheet: &mut Sheet) {
    let end = match &form.kept {
        Kept::Nothing => (Tone::Quiet, String::new()),
        Kept::Due(_) | Kept::Writing(_) => (Tone::Quiet, "keeping your draft".to_owned()),
        Kept::At(at) if model.now.wall.as_second() - at.as_second() < 60 => (Tone::Quiet, "draft kept".to_owned()),
        Kept::At(at) => (Tone::Quiet, format!("draft kept {}", time::clock(*at, model.now.wall, &model.zone))),
        Kept::Failed(_) => (Tone::Error, "draft not kept".to_owned()),
    };
    sheet.heading(name, end);
}

/// The fields of a form. `can_type` is false for a finished task: then the values stand there to be read.
pub(super) fn form_lines(model: &Model, form: &FormState, can_type: bool, sheet: &mut Sheet) {
    if let Some(conflict) = form.conflict.as_ref().filter(|_| can_type) {
        let typed = time::clock(conflict.typed_at, model.now.wall, &model.zone);
        let saved = time::clock(conflict.at, model.now.wall, &model.zone);
        let by = if model.me.is_me(&conflict.by) { "you (elsewhere)".to_owned() } else { conflict.by.to_string() };
        sheet.text(Tone::Soon, &format!("You typed here {typed}; {by} saved {saved}."), 2);
        sheet.text(Tone::Accent, &format!("m compare   k keep mine   b take {}", theirs(model, &conflict.by)), 2);
        sheet.gap();
    }
    if form.fields.is_empty() {
        sheet.text(Tone::Quiet, "It asks for nothing.", 2);
    }
    let focused = can_type && model.focus == Focus::Form && model.overlay.is_none() && form.conflict.is_none();
    for (index, field) in form.fields.iter().enumerate() {
        let has_focus = focused && index == form.focus;
        field_lines(model, form, index, field, has_focus, can_type, sheet);
    }
}

fn theirs(model: &Model, by: &crate::domain::Untrusted) -> String {
    if model.me.is_me(by) { "those".to_owned() } else { format!("{by}'s") }
}

fn field_lines(
    model: &Model,
    form: &FormState,
    index: usize,
    field: &FieldState,
    has_focus: bool,
    can_type: bool,
    sheet: &mut Sheet,
) {
    let from = sheet.lines.len();
    let column = value_column(form, sheet.width());
    let tone = if has_focus { Tone::Accent } else { Tone::Plain };
    let at = column.unwrap_or(4);
    let room = sheet.width().saturating_sub(at).max(1);
    let mut first = match column {
        Some(column) => {
            let text = label(field, column - 3);
            let pad = column - 2 - UnicodeWidthStr::width(text.as_str()).min(column - 2);
            vec![(Tone::Plain, "  ".to_owned()), (tone, text), (Tone::Plain, " ".repeat(pad))]
        }
        None => {
            sheet.line(vec![(Tone::Plain, "  ".to_owned()), (tone, label(field, sheet.width().saturating_sub(2)))]);
            vec![(Tone::Plain, " ".repeat(at))]
        }
    };
    let editable = can_type && field.field.kind.read_only().is_none();
    match &field.field.kind {
        Kind::Bool if editable && field.value().is_ok() => {
            let dot = if model.look.unicode { "•" } else { "*" };
            let mark = |on: bool| if on { format!("({dot})") } else { "( )".to_owned() };
            let choice = field.choice();
            let cursor = match choice {
                Some(true) => 1,
                Some(false) => 10,
                None => 18,
            };
            // All three stand side by side where there is room for them.
            let all = room >= 28;
            let cursor = if all { cursor } else { 1 };
            let options = [(Some(true), "yes  "), (Some(false), "no  "), (None, "not set")];
            for (value, word) in options.into_iter().filter(|(value, _)| all || *value == choice) {
                let tone = if choice == value { Tone::Strong } else { Tone::Quiet };
                first.push((tone, format!("{} {word}", mark(choice == value))));
            }
            let mut line = SheetLine { spans: first, ..SheetLine::default() };
            line.cursor = has_focus.then_some(at + cursor);
            sheet.lines.push(line);
        }
        _ if !editable => {
            let text = match field.value() {
                _ if field.field.masked => "(hidden)".to_owned(),
                Ok(None) => "not set".to_owned(),
                Ok(Some(Value::Str(text))) => text.raw().to_owned(),
                Ok(Some(value)) => value.words(),
                Err(_) => field.edit.text().to_owned(),
            };
            let tone = if text == "not set" { Tone::Quiet } else { Tone::Plain };
            sheet.hanging(&first, tone, &text, at);
        }
        _ => editor_lines(field, has_focus, first, at, room, sheet),
    }
    notes(form, index, field, can_type, at, sheet);
    for line in sheet.lines.iter_mut().skip(from) {
        line.field = Some(index);
    }
}

/// What stands under a field: what is wrong, why it cannot be filled in, what it is for.
fn notes(form: &FormState, index: usize, field: &FieldState, can_type: bool, at: usize, sheet: &mut Sheet) {
    if can_type {
        match form.problem(index) {
            Some(FieldError::Missing) => sheet.text(Tone::Soon, "needed to complete", at),
            Some(error) => sheet.text(Tone::Error, &error.to_string(), at),
            None => {}
        }
        if let Some(why) = field.field.kind.read_only() {
            sheet.text(Tone::Quiet, &why, at);
        }
    }
    if let Some(help) = field.field.help.as_ref().filter(|help| !help.is_blank()) {
        sheet.text(Tone::Quiet, help.raw(), at);
    }
}

/// A text being edited, with the cursor.
fn editor_lines(
    field: &FieldState,
    has_focus: bool,
    first: Vec<(Tone, String)>,
    at: usize,
    room: usize,
    sheet: &mut Sheet,
) {
    let hidden;
    let (text, cursor) = if field.field.masked {
        let typed = field.edit.text().get(..field.edit.cursor()).unwrap_or_default().chars().count();
        hidden = "*".repeat(field.edit.text().chars().count());
        (hidden.as_str(), typed)
    } else {
        (field.edit.text(), field.edit.cursor())
    };
    // One column stays free for the cursor behind the last character.
    let mut lines = visual_lines(text, cursor, room.saturating_sub(1).max(1));
    let kind = if text.is_empty() && !has_focus { Some(field.field.kind.words()) } else { None };
    let count = lines.len();
    let current = lines.iter().position(|(_, cursor)| cursor.is_some()).unwrap_or(0);
    let from = if has_focus { (current + 1).saturating_sub(LINES_AT_MOST) } else { 0 };
    let mut first = Some(first);
    let mut prefix = || first.take().unwrap_or_else(|| vec![(Tone::Plain, " ".repeat(at))]);
    if from > 0 {
        let mut spans = prefix();
        spans.push((Tone::Quiet, format!("{from} more lines above")));
        sheet.line(spans);
    }
    for (text, cursor) in lines.drain(from..(from + LINES_AT_MOST).min(count)) {
        let mut spans = prefix();
        match kind {
            // In brackets: not every terminal shows that it is not a text.
            Some(kind) => spans.push((Tone::Quiet, format!("({})", display_line(kind)))),
            None => spans.push((Tone::Plain, text)),
        }
        spans.retain(|(_, text)| !text.is_empty());
        let cursor = cursor.filter(|_| has_focus).map(|column| at + column);
        sheet.lines.push(SheetLine { spans, field: None, cursor });
    }
    let below = count.saturating_sub(from + LINES_AT_MOST);
    if below > 0 {
        sheet.line(vec![(Tone::Plain, " ".repeat(at)), (Tone::Quiet, format!("{below} more lines below"))]);
    }
}

/// The lines of a text as they stand on the screen, and the cursor's column on one of them.
pub(super) fn visual_lines(text: &str, cursor: usize, room: usize) -> Vec<(String, Option<usize>)> {
    let mut lines = Vec::new();
    let mut start = 0;
    for line in text.split('\n') {
        let pieces = wrap(line, room);
        let last = pieces.len() - 1;
        for (number, range) in pieces.into_iter().enumerate() {
            let piece = line.get(range.clone()).unwrap_or_default();
            let inside = cursor.checked_sub(start + range.start);
            let inside = inside.filter(|&offset| offset < piece.len() || (offset == piece.len() && number == last));
            let column = inside.and_then(|offset| piece.get(..offset)).map(|head| display_width(head).min(room));
            lines.push((display_line(piece).into_owned(), column));
        }
        start += line.len() + 1;
    }
    lines
}

/// The form in a pane of its own.
pub(crate) fn form_pane(model: &Model, width: usize) -> Sheet {
    let mut sheet = Sheet::new(width);
    super::task::form_section(model, &mut sheet);
    sheet
}

/// The form for a workflow's inputs.
pub(crate) fn start_sheet(model: &Model, start: &Start, width: usize) -> Sheet {
    let mut sheet = Sheet::new(width);
    let name = display_line(&start.name).into_owned();
    match (&start.workflow, &start.trouble) {
        (Some(workflow), _) => {
            let version = (Tone::Quiet, format!("version {}", workflow.version));
            sheet.line_with_end(vec![(Tone::Strong, format!("Start {name}"))], version);
            sheet.gap();
            if let Some(form) = model.active_form() {
                form_heading(model, form, "INPUTS", &mut sheet);
                if form.fields.is_empty() {
                    sheet.text(Tone::Quiet, "It asks for nothing.", 2);
                    sheet.gap();
                    sheet.text(Tone::Accent, "Ctrl-R to the last look, then y starts it", 2);
                } else {
                    form_lines(model, form, true, &mut sheet);
                }
            }
        }
        (None, Some(trouble)) => {
            sheet.text(Tone::Strong, &format!("Start {name}"), 0);
            sheet.gap();
            sheet.text(Tone::Error, &format!("{name} could not be read: {trouble}."), 0);
            sheet.text(Tone::Quiet, ":run and Tab show the workflows that there are.", 0);
        }
        (None, None) => {
            sheet.text(Tone::Strong, &format!("Start {name}"), 0);
            sheet.text(Tone::Quiet, "reading what it wants to be told", 0);
        }
    }
    sheet
}

/// The values before they are sent.
pub(super) fn review_sheet(model: &Model, width: usize) -> Sheet {
    let mut sheet = Sheet::new(width);
    let Some(form) = model.active_form() else { return sheet };
    let starting = match &model.screen {
        Screen::Start(start) => {
            sheet.heading("REVIEW", (Tone::Quiet, "nothing is started yet".to_owned()));
            sheet.text(Tone::Strong, &format!("Start {}", display_line(&start.name)), 0);
            true
        }
        _ => {
            sheet.heading("REVIEW", (Tone::Quiet, "nothing is sent yet".to_owned()));
            if let Some(open) = &model.open {
                sheet.text(Tone::Strong, open.row.def.name.raw(), 0);
                if let Some(notes) = &open.row.notes {
                    sheet.text(Tone::Plain, notes.raw(), 0);
                }
            }
            false
        }
    };
    sheet.gap();
    let column = value_column(form, width).unwrap_or(4);
    if form.fields.is_empty() {
        sheet.text(Tone::Quiet, "It asks for nothing.", 2);
    }
    for field in &form.fields {
        let (tone, text) = match field.value() {
            _ if field.field.masked => (Tone::Plain, "(hidden)".to_owned()),
            Ok(Some(Value::Str(text))) => (Tone::Strong, text.raw().to_owned()),
            Ok(Some(value)) => (Tone::Strong, value.words()),
            _ => (Tone::Quiet, "not set".to_owned()),
        };
        let head = [(Tone::Plain, "  ".to_owned()), (Tone::Plain, label(field, column.saturating_sub(3)))];
        if value_column(form, width).is_some() {
            sheet.hanging(&head, tone, &text, column);
        } else {
            sheet.line(head.to_vec());
            sheet.text(tone, &text, column);
        }
    }
    sheet.gap();
    if starting {
        return sheet;
    }
    if let Some(open) = &model.open {
        if let Ability::Takes(owner) = model.abilities(&open.row).complete {
            let text = format!("{owner} has claimed this. Completing it makes it yours: {owner} loses it.");
            sheet.text(Tone::Soon, &text, 0);
        }
        if let Some(detail) = &open.detail {
            super::task::next_lines(model, detail, &mut sheet);
        }
        sheet.text(Tone::Quiet, "A completion cannot be taken back.", 0);
    }
    sheet
}

/// Typed answers beside the server's.
pub(super) fn compare_sheet(model: &Model, width: usize) -> Sheet {
    let mut sheet = Sheet::new(width);
    let Some(form) = model.active_form() else { return sheet };
    let (base, other) = match &form.conflict {
        Some(conflict) => (&conflict.theirs, theirs(model, &conflict.by)),
        None => (&form.base, "server".to_owned()),
    };
    let end = match &form.conflict {
        Some(conflict) => format!("{} saved {}", conflict.by, time::clock(conflict.at, model.now.wall, &model.zone)),
        None => "yours and the server's".to_owned(),
    };
    sheet.heading("COMPARE", (Tone::Quiet, end));
    sheet.gap();
    let words = |field: &FieldState, value: Option<&Value>| match value {
        _ if field.field.masked => "(hidden)".to_owned(),
        Some(Value::Str(text)) => text.raw().to_owned(),
        Some(value) => value.words(),
        None => "not set".to_owned(),
    };
    let tags = display_width(&other).clamp(5, 12) + 2;
    for field in &form.fields {
        let server = words(field, Form::value_at(&base.values, &field.path));
        let mine = match field.value() {
            Ok(value) => words(field, value.as_ref()),
            Err(_) => field.edit.text().to_owned(),
        };
        sheet.text(Tone::Plain, field.field.label().raw(), 2);
        let head = |tag: &str| vec![(Tone::Quiet, format!("    {}", fit(tag, tags - 2, "…")))];
        if mine == server {
            sheet.hanging(&head("same"), Tone::Quiet, &mine, 4 + tags);
        } else {
            sheet.hanging(&head("yours"), Tone::Accent, &mine, 4 + tags);
            sheet.hanging(&head(&other), Tone::Strong, &server, 4 + tags);
        }
    }
    sheet
}
