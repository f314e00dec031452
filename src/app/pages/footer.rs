//! What can be done now.

use crate::app::model::{Focus, Model, Screen};
use crate::app::overlay::{Overlay, PromptKind, TakeWhat};
use crate::app::quit::{Service, Stage};
use crate::domain::Untrusted;
use crate::input::{Command, Context, binding};

/// A key and what it does now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FooterItem {
    /// The key's name.
    pub key: String,
    /// What it does.
    pub label: String,
}

fn item(key: &str, label: impl Into<String>) -> FooterItem {
    FooterItem { key: key.to_owned(), label: label.into() }
}

fn bound(context: Context, command: Command) -> Option<FooterItem> {
    let binding = binding(context, command)?;
    Some(FooterItem { key: binding.keys.first()?.to_string(), label: binding.label.to_owned() })
}

/// The keys that mean something now, the most useful first.
pub(crate) fn footer(model: &Model) -> Vec<FooterItem> {
    if let Some(quitting) = &model.quitting {
        return match quitting.stage {
            Stage::Timers(_) if model.service == Service::Possible => {
                vec![item("i", "install the service"), item("q", "quit"), item("Esc", "stay")]
            }
            Stage::Timers(_) => vec![item("q", "quit"), item("Esc", "stay")],
            _ => vec![item("q", "quit now"), item("Esc", "stay")],
        };
    }
    if let Some(overlay) = &model.overlay {
        return overlay_footer(model, overlay);
    }
    if model.is_empty_start() {
        let examples = model.offers_examples().then(|| item("d", "load four examples"));
        return examples
            .into_iter()
            .chain([item("c", "connect"), item("?", "how to make your own"), item(":", "command"), item("q", "quit")])
            .collect();
    }
    let context = model.context();
    let mut items: Vec<Option<FooterItem>> = Vec::new();
    match context {
        Context::Form => {
            if model.active_form().is_some_and(|form| form.conflict.is_some()) {
                return vec![
                    item("m", "compare"),
                    item("k", "keep mine"),
                    item("b", "take theirs"),
                    item("Esc", "out"),
                ];
            }
            let starting = matches!(model.screen, Screen::Start(_));
            items.push(bound(context, Command::Review));
            if !starting {
                items.push(bound(context, Command::Save));
            }
            items.push(bound(context, Command::Next));
            let text = model.active_form().and_then(|form| form.fields.get(form.focus));
            match text.map(|field| &field.field.kind) {
                Some(kind) if kind.takes_lines() => {
                    items.push(Some(item("Alt-Enter", "new line")));
                    items.push(bound(context, Command::Editor));
                }
                Some(crate::domain::Kind::Bool) => items.push(Some(item("Space y n", "choose"))),
                _ => {}
            }
            items.push(bound(context, Command::Leave));
            items.push(bound(context, Command::Help));
        }
        Context::Run => {
            let waits = matches!(&model.screen, Screen::Run(run)
                if run.detail.as_ref().is_some_and(|detail| !detail.tasks.is_empty()));
            if waits {
                items.push(bound(context, Command::Open));
            }
            for command in [Command::Reload, Command::CopyId, Command::Leave, Command::Help] {
                items.push(bound(context, command));
            }
        }
        _ => {
            let task = model.target();
            if let Some(task) = &task {
                let can = model.abilities(task);
                let fill_in = task.status.is_open();
                if fill_in {
                    items.push(bound(context, Command::FillIn));
                } else if context == Context::List {
                    items.push(bound(context, Command::Open));
                }
                if context == Context::Task && fill_in {
                    items.push(bound(context, Command::Review));
                }
                for (ability, command) in [
                    (&can.claim, Command::Claim),
                    (&can.release, Command::Release),
                    (&can.assign, Command::Assign),
                    (&can.comment, Command::Comment),
                    (&can.cancel, Command::Cancel),
                ] {
                    if ability.possible() {
                        items.push(bound(context, command));
                    }
                }
            }
            if model.focus == Focus::Task {
                items.push(bound(context, Command::ShowRun));
                items.push(bound(context, Command::Leave));
            } else {
                if !model.list().filter().is_empty() {
                    items.push(Some(item("Esc", "show all")));
                }
                items.push(bound(context, Command::Find));
            }
            items.push(bound(context, Command::CommandLine));
            items.push(bound(context, Command::Help));
            if model.focus == Focus::List {
                items.push(bound(context, Command::Quit));
            }
        }
    }
    items.into_iter().flatten().collect()
}

fn overlay_footer(model: &Model, overlay: &Overlay) -> Vec<FooterItem> {
    match overlay {
        Overlay::Take(take) => {
            let owner = take.task.user.as_ref().map(Untrusted::to_string).unwrap_or_default();
            let label = match take.what {
                TakeWhat::Claim => format!("take it over ({owner} loses it)"),
                TakeWhat::Release => format!("release it ({owner} loses it)"),
                TakeWhat::Save => "save all the same".to_owned(),
            };
            vec![item("t", label), item("Esc", "leave it")]
        }
        Overlay::Prompt(prompt) => match prompt.kind {
            PromptKind::Assign { .. } => {
                vec![item("Enter", "give it"), item("Tab", "user, group"), item("Esc", "leave it")]
            }
            PromptKind::Comment => {
                vec![item("Enter", "write it"), item("Alt-Enter", "new line"), item("Esc", "out, words kept")]
            }
            PromptKind::Cancel if model.consequence(&prompt.task).is_none() => vec![item("Esc", "keep it")],
            PromptKind::Cancel => vec![item("Enter", "cancel it"), item("Esc", "keep it")],
        },
        Overlay::Line(_) => vec![item("Enter", "do it"), item("Tab", "complete"), item("Esc", "out")],
        Overlay::Find { .. } => vec![item("Enter", "keep the filter"), item("Esc", "as before")],
        Overlay::Review { .. } if matches!(model.screen, Screen::Start(_)) => {
            vec![item("y", "start it"), item("e", "edit"), item("Esc", "back")]
        }
        Overlay::Review { .. } => [Command::Confirm, Command::EditAgain, Command::Save, Command::Leave]
            .into_iter()
            .filter_map(|command| bound(Context::Review, command))
            .collect(),
        Overlay::Compare { .. } if model.active_form().is_some_and(|form| form.conflict.is_some()) => {
            vec![item("k", "keep mine"), item("b", "take theirs"), item("Esc", "back")]
        }
        Overlay::Compare { .. } if model.has_dead_answers() => vec![item("x", "forget yours"), item("Esc", "back")],
        _ => vec![item("j k", "scroll"), item("Esc", "back")],
    }
}
