//! A task in words.

use crate::app::model::Model;
use crate::app::sheet::{Sheet, Tone};
use crate::domain::{
    Connection, Count, Event, EventKind, Place, RunStatus, Status, TaskDetail, TaskRow, Untrusted, View, display_width,
    fit, time,
};

fn name(model: &Model, user: &Untrusted) -> String {
    if model.me.is_me(user) { "you".to_owned() } else { shown(user) }
}

fn shown(user: &Untrusted) -> String {
    if user.is_blank() { "(an empty name)".to_owned() } else { user.to_string() }
}

/// Where the task stands, short: `yours since 14:02`.
fn standing(model: &Model, row: &TaskRow, detail: Option<&TaskDetail>) -> (Tone, String) {
    let clock = |at| time::clock(at, model.now.wall, &model.zone);
    let since = detail.and_then(TaskDetail::owned_since).map(|at| format!(" since {}", clock(at))).unwrap_or_default();
    let ended = detail.and_then(TaskDetail::finished_at).map(|at| format!(" {}", clock(at))).unwrap_or_default();
    match (row.status, &row.user) {
        (Status::Done, Some(user)) => (Tone::Quiet, format!("{} completed it{ended}", name(model, user))),
        (Status::Done, None) => (Tone::Quiet, format!("completed{ended}")),
        (Status::Cancelled, _) => (Tone::Quiet, format!("cancelled{ended}")),
        (_, Some(user)) if model.me.is_me(user) => (Tone::Accent, format!("yours{since}")),
        (_, Some(user)) => (Tone::Soon, format!("{}'s{since}", shown(user))),
        (_, None) => (Tone::Quiet, "free".to_owned()),
    }
}

/// The open task: what it is, its form, what comes next, its history, where it belongs.
pub(crate) fn task_sheet(model: &Model, width: usize, with_form: bool) -> Sheet {
    let mut sheet = Sheet::new(width);
    let Some(open) = &model.open else { return sheet };
    let detail = open.detail.as_deref();
    let title = vec![(Tone::Strong, fit(open.row.def.name.raw(), width, "…").into_owned())];
    sheet.line_with_end(title, standing(model, &open.row, detail));
    match open.row.notes.as_ref().filter(|notes| !notes.is_blank()) {
        Some(notes) => sheet.text(Tone::Plain, notes.raw(), 0),
        None => sheet.text(Tone::Quiet, "no notes", 0),
    }
    if let Some(trouble) = &open.trouble {
        sheet.text(Tone::Error, &format!("This task could not be read: {trouble}.   R tries again"), 0);
    }
    let description = detail.and_then(|detail| detail.form.as_ref().ok()).and_then(|form| form.description.as_ref());
    if let Some(description) = description.filter(|text| !text.is_blank()) {
        sheet.text(Tone::Quiet, description.raw(), 0);
    }
    if with_form {
        sheet.gap();
        form_section(model, &mut sheet);
    }
    let Some(detail) = detail else { return sheet };
    if open.row.status.is_open() {
        sheet.gap();
        next_lines(model, detail, &mut sheet);
    }
    history(model, detail, &mut sheet);
    about(model, detail, &open.row, &mut sheet);
    sheet
}

/// The form of the open task under its heading.
pub(super) fn form_section(model: &Model, sheet: &mut Sheet) {
    let Some(open) = &model.open else { return };
    let can_type = open.row.status.is_open();
    let heading = if can_type { "FORM" } else { "ANSWERS" };
    match (&open.detail, model.task_form()) {
        (Some(detail), _) if detail.form.is_err() => {
            sheet.heading(heading, (Tone::Quiet, String::new()));
            if let Err(why) = &detail.form {
                sheet.text(Tone::Soon, &format!("There is no form: {why}."), 2);
            }
        }
        (Some(_), Some(form)) => {
            super::form::form_heading(model, form, heading, sheet);
            if !can_type && form.is_changed() {
                sheet.text(Tone::Soon, "What you typed was never sent.   D shows both", 2);
            }
            super::form::form_lines(model, form, can_type, sheet);
        }
        _ if open.trouble.is_some() => {}
        _ => {
            sheet.heading(heading, (Tone::Quiet, String::new()));
            sheet.text(Tone::Quiet, "reading", 2);
        }
    }
}

/// What may come next.
pub(super) fn next_lines(model: &Model, detail: &TaskDetail, sheet: &mut Sheet) {
    if detail.next.is_empty() {
        return;
    }
    let arrow = if model.look.unicode { "→" } else { "->" };
    let steps: Vec<String> = detail
        .next
        .iter()
        .enumerate()
        .map(|(index, step)| match &step.when {
            Some(when) => format!("{when} {arrow} {}", step.to),
            None if index > 0 => format!("otherwise {arrow} {}", step.to),
            None => format!("{arrow} {}", step.to),
        })
        .collect();
    let one_line = steps.join("    ");
    let head = [(Tone::Heading, "NEXT".to_owned())];
    if display_width(&one_line) + 7 <= sheet.width() {
        sheet.hanging(&head, Tone::Plain, &one_line, 7);
    } else {
        sheet.hanging(&head, Tone::Plain, &steps.join("\n"), 7);
    }
}

fn history(model: &Model, detail: &TaskDetail, sheet: &mut Sheet) {
    if detail.events.is_empty() {
        return;
    }
    sheet.gap();
    sheet.heading("HISTORY", (Tone::Quiet, String::new()));
    let clock = |event: &Event| time::clock(event.at, model.now.wall, &model.zone);
    let widest = detail.events.iter().map(|event| clock(event).len()).max().unwrap_or(0);
    let at = 2 + widest + 2;
    for (index, event) in detail.events.iter().enumerate() {
        let head = [(Tone::Quiet, format!("  {}", clock(event)))];
        let words = event.what.words(&model.me, detail.row.user.as_ref(), index == 0);
        sheet.hanging(&head, Tone::Plain, &words, at);
        if let Some(text) = event.what.text() {
            sheet.text(Tone::Strong, text.raw(), at);
        }
        if let EventKind::Saved { values, .. } = &event.what {
            let masked = |key: &str| {
                let fields = detail.form.as_ref().map(|form| form.fields.as_slice()).unwrap_or_default();
                fields.iter().any(|field| field.key == *key && field.masked)
            };
            let parts: Vec<String> = values
                .iter()
                .map(|(key, value)| {
                    let words = if masked(key) { "(hidden)".to_owned() } else { value.words() };
                    format!("{}: {}", fit(key, 24, "…"), fit(&words, 48, "…"))
                })
                .collect();
            if !parts.is_empty() {
                sheet.text(Tone::Quiet, &parts.join(", "), at);
            }
        }
    }
}

fn about(model: &Model, detail: &TaskDetail, row: &TaskRow, sheet: &mut Sheet) {
    sheet.gap();
    sheet.heading("ABOUT", (Tone::Quiet, String::new()));
    let mut fact = |label: &str, tone: Tone, text: String| {
        sheet.hanging(&[(Tone::Quiet, format!("  {label}"))], tone, &text, 14);
    };
    let owner = match (&row.user, &row.group) {
        (Some(user), Some(group)) => format!("{}, of the group {}", name(model, user), shown(group)),
        (Some(user), None) => name(model, user),
        (None, Some(group)) => format!("nobody; for the group {}", shown(group)),
        (None, None) => "nobody".to_owned(),
    };
    fact("owner", Tone::Plain, owner);
    fact("definition", Tone::Plain, format!("{}, version {}", row.def.name, row.def.version));
    if let Some(at) = row.scheduled {
        let clock = time::clock(at, model.now.wall, &model.zone);
        fact("came", Tone::Plain, format!("{clock}, {}", time::ago(at, model.now.wall)));
    }
    match &detail.run {
        Some(run) => {
            fact("workflow", Tone::Plain, format!("{} {}", run.workflow, run.version));
            let waits = row.status.is_open() && matches!(run.status, RunStatus::Running | RunStatus::Starting);
            let words = if waits { "waits here" } else { run.status.words() };
            fact("run", Tone::Plain, format!("{} {words}", run.id.short()));
            if let Some(failure) = &run.failure {
                let text = format!("at {}: {}, {}", failure.node, failure.name, failure.message);
                fact("failed", Tone::Error, text);
            }
        }
        None => {
            if let Some(workflow) = &row.workflow {
                fact("workflow", Tone::Plain, workflow.to_string());
            }
            fact("run", Tone::Plain, row.id.run.short());
        }
    }
    fact("task", Tone::Quiet, row.id.to_string());
}

/// Where the tasks come from, short.
pub(crate) fn place_words(model: &Model) -> String {
    match &model.host {
        None => String::new(),
        Some(host) => match &host.place {
            Place::Local if host.throwaway => "demo".to_owned(),
            Place::Local => "local".to_owned(),
            Place::Attached if host.throwaway => "demo, attached".to_owned(),
            Place::Attached => "attached".to_owned(),
            Place::Server(address) => {
                let short = address.strip_prefix("http://").or_else(|| address.strip_prefix("https://"));
                crate::domain::display_line(short.unwrap_or(address)).into_owned()
            }
        },
    }
}

/// What an empty list says.
pub(crate) fn empty_sheet(model: &Model, width: usize) -> Sheet {
    let mut sheet = Sheet::new(width);
    let list = model.list();
    if model.is_empty_start() {
        sheet.text(Tone::Strong, "No tasks here yet.", 0);
        sheet.gap();
        if model.offers_examples() {
            sheet.line(vec![(Tone::Accent, "d".to_owned()), (Tone::Plain, "  load four examples".to_owned())]);
        }
        sheet.line(vec![(Tone::Accent, "c".to_owned()), (Tone::Plain, "  connect to a LittleHorse server".to_owned())]);
        sheet.line(vec![(Tone::Accent, "?".to_owned()), (Tone::Plain, "  how to make your own".to_owned())]);
        return sheet;
    }
    if let Some(trouble) = &list.trouble {
        sheet.text(Tone::Error, &format!("The tasks could not be read: {trouble}."), 0);
        sheet.text(Tone::Quiet, "R tries again; it is tried on its own as well.", 0);
        return sheet;
    }
    if let (None, Connection::Offline { why, .. }) = (list.read_at, &model.connection) {
        sheet.text(Tone::Error, &format!("No answer: {why}."), 0);
        sheet.text(Tone::Quiet, "It is tried again on its own.", 0);
        return sheet;
    }
    if list.read_at.is_none() {
        sheet.text(Tone::Quiet, "reading", 0);
        return sheet;
    }
    if !list.filter().is_empty() {
        let more = if list.next.is_some() { " Not all tasks are loaded." } else { "" };
        let filter = crate::domain::display_line(list.filter()).into_owned();
        sheet.text(Tone::Plain, &format!("None of {} loaded tasks has \"{filter}\".{more}", list.loaded()), 0);
        sheet.text(Tone::Quiet, "Esc shows all", 0);
        return sheet;
    }
    let count = |view: View| match model.counts.get(view.index()) {
        Some(Count::Exactly(count) | Count::AtLeast(count)) => *count,
        _ => 0,
    };
    let tasks = |count: u64| if count == 1 { "1 task waits".to_owned() } else { format!("{count} tasks wait") };
    let text = match list.view {
        View::ForMe => {
            let (groups, all) = (count(View::MyGroups), count(View::AllOpen));
            if groups > 0 {
                format!("Nothing waits for you. {} in your groups, claimed by others (2).", tasks(groups))
            } else if all > 0 {
                format!("Nothing waits for you. {} for others (3).", tasks(all))
            } else {
                "Nothing waits for you, or for anybody.".to_owned()
            }
        }
        View::MyGroups if model.me.groups.is_empty() => "You are in no group.".to_owned(),
        View::MyGroups => format!("Nothing waits for your groups: {}.", groups(model)),
        View::AllOpen => "No open task.".to_owned(),
        View::Done => "No completed task yet.".to_owned(),
        View::Cancelled => "No cancelled task.".to_owned(),
    };
    sheet.text(Tone::Plain, &text, 0);
    sheet
}

fn groups(model: &Model) -> String {
    let groups: Vec<String> =
        model.me.groups.iter().map(|group| crate::domain::display_line(group).into_owned()).collect();
    fit(&groups.join(", "), 60, "…").into_owned()
}
