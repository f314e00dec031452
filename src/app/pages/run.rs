//! A run in words.

use crate::app::model::Model;
use crate::app::runs::RunView;
use crate::app::sheet::{Sheet, Tone};
use crate::domain::{RunStatus, fit, time};

/// A run: where it stands, where and why it failed, what it did, what it waits for.
pub(crate) fn run_sheet(model: &Model, run: &RunView, width: usize) -> Sheet {
    let mut sheet = Sheet::new(width);
    let clock = |at| time::clock(at, model.now.wall, &model.zone);
    if let Some(trouble) = &run.trouble {
        sheet.text(Tone::Error, &format!("This run could not be read: {trouble}.   R tries again"), 0);
    }
    let Some(detail) = &run.detail else {
        if run.trouble.is_none() {
            sheet.text(Tone::Quiet, &format!("reading run {}", run.id.short()), 0);
        }
        return sheet;
    };
    let brief = &detail.brief;
    let tone = match brief.status {
        status if status.failed() => Tone::Error,
        RunStatus::Halted | RunStatus::Halting => Tone::Soon,
        _ => Tone::Accent,
    };
    let title = format!("{} {}", brief.workflow, brief.version);
    let title = vec![(Tone::Strong, fit(&title, width, "…").into_owned())];
    sheet.line_with_end(title, (tone, brief.status.words().to_owned()));
    sheet.text(Tone::Quiet, &format!("run {}", brief.id), 0);
    let ended = detail.ended.map(|at| format!(", ended {}", clock(at))).unwrap_or_default();
    if let Some(at) = detail.started {
        sheet.text(Tone::Quiet, &format!("started {}{ended}", clock(at)), 0);
    }
    if let Some(failure) = &brief.failure {
        sheet.gap();
        let when = failure.at.map(|at| format!(", {}", clock(at))).unwrap_or_default();
        sheet.heading("WHY IT FAILED", (Tone::Quiet, String::new()));
        sheet.text(Tone::Error, &format!("{}: {}", failure.name, failure.message), 2);
        sheet.text(Tone::Plain, &format!("at {} in the thread {}{when}", failure.node, failure.thread), 2);
    }
    if !detail.tasks.is_empty() {
        sheet.gap();
        sheet.heading("WAITS FOR", (Tone::Quiet, String::new()));
        for task in &detail.tasks {
            let who = match (&task.user, &task.group) {
                (Some(user), _) if model.me.is_me(user) => "you".to_owned(),
                (Some(user), _) => user.to_string(),
                (None, Some(group)) => group.to_string(),
                (None, None) => String::new(),
            };
            let notes = task.notes.as_ref().map(|notes| format!("  {}", notes.display())).unwrap_or_default();
            sheet.line_with_end(
                vec![(Tone::Plain, fit(&format!("  {}{notes}", task.def.name), width, "…").into_owned())],
                (Tone::Quiet, who),
            );
        }
    }
    if !detail.steps.is_empty() {
        sheet.gap();
        sheet.heading("STEPS", (Tone::Quiet, String::new()));
        let widest = detail.steps.iter().filter_map(|step| step.at).map(|at| clock(at).len()).max().unwrap_or(0);
        for step in &detail.steps {
            let when = step.at.map(clock).unwrap_or_default();
            let sign = match (step.status, model.look.unicode) {
                (RunStatus::Completed, true) => "✓",
                (RunStatus::Completed, false) => "v",
                (status, true) if status.failed() => "✗",
                (status, false) if status.failed() => "x",
                (_, true) => "●",
                (_, false) => "*",
            };
            let tone = if step.status.failed() { Tone::Error } else { Tone::Plain };
            let head = [(Tone::Quiet, format!("  {when:widest$}  ")), (tone, sign.to_owned())];
            let words = format!("{}, {}, {}", step.node, step.kind, step.status.words());
            sheet.hanging(&head, tone, &words, widest + 6);
            if let Some(problem) = &step.problem {
                sheet.text(Tone::Error, problem.raw(), widest + 6);
            }
        }
    }
    sheet
}
