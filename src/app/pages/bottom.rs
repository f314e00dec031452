//! What lies at the bottom of the screen: a question, a prompt, or what just happened.

use unicode_width::UnicodeWidthStr;

use super::form::visual_lines;
use crate::app::acts::task_name;
use crate::app::edit::TextEdit;
use crate::app::model::Model;
use crate::app::overlay::{Overlay, Prompt, PromptKind, Take, TakeWhat};
use crate::app::quit::{Quitting, Service, Stage};
use crate::app::sheet::{Sheet, SheetLine, Tone};
use crate::domain::{TaskDetail, TaskRow, Untrusted, display_line, time};
use crate::input::complete;

/// Lines that a prompt's text may take.
const TEXT_LINES: usize = 5;

/// What becomes of the timers when the last ostler ends.
fn timer_lines(model: &Model, quitting: &Quitting, count: u64, sheet: &mut Sheet) {
    if let Some(problem) = &quitting.problem {
        sheet.text(Tone::Error, problem, 0);
    }
    let pending = match count {
        1 => "1 timer is pending; it waits until ostler runs again.".to_owned(),
        count => format!("{count} timers are pending; they wait until ostler runs again."),
    };
    sheet.text(Tone::Soon, &pending, 0);
    if model.service == Service::Possible {
        let offer =
            "`ostler service install` (i) makes the engine a service of yours, and timers run on without an inbox.";
        sheet.text(Tone::Quiet, offer, 0);
    }
}

/// The sheet at the bottom, if there is something to say.
pub(crate) fn bottom_sheet(model: &Model, width: usize) -> Option<Sheet> {
    let mut sheet = Sheet::new(width);
    if let Some(quitting) = &model.quitting {
        match quitting.stage {
            Stage::AskHost => return None,
            Stage::Timers(count) => timer_lines(model, quitting, count, &mut sheet),
            Stage::Installing(_) => sheet.text(Tone::Soon, "Installing the service.", 0),
            Stage::Answers => {
                let labels: Vec<&str> = model.pending.values().map(|pending| pending.label.as_str()).collect();
                sheet.text(Tone::Soon, &format!("Waiting up to 5 s for the answer: {}.", labels.join("; ")), 0);
            }
        }
        return Some(sheet);
    }
    match &model.overlay {
        Some(Overlay::Take(take)) => take_lines(model, take, &mut sheet),
        Some(Overlay::Prompt(prompt)) => prompt_lines(model, prompt, &mut sheet),
        Some(Overlay::Line(line)) => {
            let typed = line.picking.as_ref().map_or(line.edit.text(), |(typed, _)| typed.as_str());
            let candidates = complete(typed, &model.workflows);
            if !candidates.is_empty() {
                let mut spans = vec![(Tone::Plain, " ".to_owned())];
                for (index, candidate) in candidates.iter().enumerate() {
                    let chosen = line.picking.as_ref().is_some_and(|(_, at)| *at == index);
                    let tone = if chosen { Tone::Accent } else { Tone::Quiet };
                    spans.push((tone, format!("{}  ", display_line(candidate.trim_end()))));
                }
                sheet.line(spans);
            }
            if let Some(problem) = &line.problem {
                sheet.text(Tone::Error, problem, 1);
            }
            input(":", &line.edit, true, &mut sheet);
        }
        Some(Overlay::Find { edit, .. }) => {
            let list = model.list();
            let found = format!("  {} of {} loaded", list.len(), list.loaded());
            input("/", edit, true, &mut sheet);
            if let Some(line) = sheet.lines.last_mut()
                && line.width() + found.len() < width
            {
                line.spans.push((Tone::Quiet, found));
            }
        }
        _ => {
            let pending = model.pending.values().map(|pending| pending.label.clone()).collect::<Vec<_>>().join("; ");
            match &model.notice {
                Some(notice) => {
                    sheet.text(notice.tone, &notice.text, 0);
                    if notice.after.is_some() {
                        let keys = "   Enter next task   y copy the receipt".to_owned();
                        match sheet.lines.last_mut() {
                            Some(line) if line.width() + keys.len() <= width => line.spans.push((Tone::Quiet, keys)),
                            _ => sheet.text(Tone::Quiet, keys.trim_start(), 0),
                        }
                    }
                }
                None if !pending.is_empty() => sheet.text(Tone::Quiet, &pending, 0),
                None => return None,
            }
        }
    }
    Some(sheet)
}

/// Who has it and since when.
pub(super) fn claimed(model: &Model, task: &TaskRow) -> String {
    let owner = task.user.as_ref().map(Untrusted::to_string).unwrap_or_default();
    let detail = model.open.as_ref().filter(|open| open.id == task.id).and_then(|open| open.detail.as_ref());
    match detail.and_then(|detail| TaskDetail::owned_since(detail)) {
        Some(at) => format!("{owner} claimed this {}.", time::ago(at, model.now.wall)),
        None => format!("{owner} has claimed this."),
    }
}

fn take_lines(model: &Model, take: &Take, sheet: &mut Sheet) {
    sheet.text(Tone::Strong, &task_name(&take.task), 0);
    let claimed = claimed(model, &take.task);
    match take.what {
        TakeWhat::Save => {
            sheet.text(Tone::Soon, &format!("{claimed} Saving replaces the answers there; the claim stays."), 0)
        }
        _ => sheet.text(Tone::Soon, &claimed, 0),
    }
}

fn prompt_lines(model: &Model, prompt: &Prompt, sheet: &mut Sheet) {
    let name = task_name(&prompt.task);
    match &prompt.kind {
        PromptKind::Comment => {
            sheet.text(Tone::Strong, &format!("Comment on {name}"), 0);
            input("", &prompt.edit, true, sheet);
        }
        PromptKind::Cancel => {
            sheet.text(Tone::Strong, &format!("Cancel {name}?"), 0);
            match model.consequence(&prompt.task) {
                Some(consequence) => sheet.text(Tone::Soon, &consequence, 0),
                None => sheet.text(Tone::Quiet, "looking what it does to the run", 0),
            }
            if prompt.task.user.as_ref().is_some_and(|user| !model.me.is_me(user)) {
                sheet.text(Tone::Soon, &claimed(model, &prompt.task), 0);
            }
            input("Reason (kept as a comment): ", &prompt.edit, true, sheet);
        }
        PromptKind::Assign { group, on_group } => {
            sheet.text(Tone::Strong, &format!("Give {name} to"), 0);
            if let Some(owner) = prompt.task.user.as_ref().filter(|user| !model.me.is_me(user)) {
                sheet.text(Tone::Soon, &format!("{} {owner} loses it.", claimed(model, &prompt.task)), 0);
            }
            input("user   ", &prompt.edit, !on_group, sheet);
            input("group  ", group, *on_group, sheet);
            sheet.text(Tone::Quiet, "What is left empty is cleared.", 0);
        }
    }
    if let Some(problem) = &prompt.problem {
        sheet.text(Tone::Error, problem, 0);
    }
}

/// A text being typed after a label.
fn input(label: &str, edit: &TextEdit, active: bool, sheet: &mut Sheet) {
    let tone = if active { Tone::Accent } else { Tone::Quiet };
    let (label, head) = match UnicodeWidthStr::width(label) {
        head if head * 2 > sheet.width() => {
            sheet.text(tone, label.trim_end(), 0);
            ("", 0)
        }
        head => (label, head),
    };
    let room = sheet.width().saturating_sub(head + 1).max(1);
    let lines = visual_lines(edit.text(), edit.cursor(), room);
    let current = lines.iter().position(|(_, cursor)| cursor.is_some()).unwrap_or(0);
    let from = (current + 1).saturating_sub(TEXT_LINES);
    for (number, (text, cursor)) in lines.into_iter().skip(from).take(TEXT_LINES).enumerate() {
        let start = if number == 0 { (tone, label.to_owned()) } else { (Tone::Plain, " ".repeat(head)) };
        let cursor = cursor.filter(|_| active).map(|column| head + column);
        sheet.lines.push(SheetLine { spans: vec![start, (Tone::Plain, text)], field: None, cursor });
    }
}
