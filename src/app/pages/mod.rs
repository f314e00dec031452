//! What the parts of the screen say, as sheets. `ui` paints them.

mod bottom;
mod footer;
mod form;
mod help;
mod run;
mod task;

pub(crate) use bottom::bottom_sheet;
pub use footer::FooterItem;
pub(crate) use footer::footer;
pub(crate) use form::{form_pane, start_sheet};
pub(crate) use run::run_sheet;
pub(crate) use task::{empty_sheet, place_words, task_sheet};

use super::geometry::Area;
use super::model::{Model, Screen};
use super::overlay::Overlay;
use super::sheet::Sheet;

/// Where an overlay that is read lies: beside the list when there is room, else over everything.
pub(crate) fn overlay_area(model: &Model, overlay: &Overlay) -> Area {
    let geometry = model.geometry();
    let beside = matches!(overlay, Overlay::Review { .. } | Overlay::Compare { .. });
    match (geometry.dividers, geometry.task) {
        ([Some(_), _], Some(task)) if beside && matches!(model.screen, Screen::Inbox) => {
            let end = geometry.form.map_or(task.x + task.width, |form| form.x + form.width);
            Area { width: end.saturating_sub(task.x), ..task }
        }
        _ => geometry.page(),
    }
}

/// What an overlay that is read says; `None` for prompts.
pub(crate) fn overlay_sheet(model: &Model, overlay: &Overlay, width: usize) -> Option<Sheet> {
    match overlay {
        Overlay::Help { .. } => Some(help::help_sheet(model, width)),
        Overlay::Review { .. } => Some(form::review_sheet(model, width)),
        Overlay::Compare { .. } => Some(form::compare_sheet(model, width)),
        Overlay::Connect { .. } => Some(help::connect_sheet(width)),
        Overlay::HowTo { .. } => Some(help::how_to_sheet(model, width)),
        Overlay::Take(_) | Overlay::Prompt(_) | Overlay::Line(_) | Overlay::Find { .. } => None,
    }
}

/// The first line to show: as before, within bounds, and with the focused field and the cursor on the screen.
pub(crate) fn scroll(sheet: &Sheet, before: usize, rows: usize, focus: Option<usize>) -> usize {
    let rows = rows.max(1);
    let most = sheet.lines.len().saturating_sub(rows);
    let mut top = before.min(most);
    let mut show = |line: usize| {
        if line < top {
            top = line;
        } else if line >= top + rows {
            top = line + 1 - rows;
        }
    };
    if let Some(field) = focus {
        let mut lines = sheet.lines.iter().enumerate().filter(|(_, line)| line.field == Some(field));
        let first = lines.next().map(|(at, _)| at);
        if let Some(last) = lines.next_back().map(|(at, _)| at).or(first) {
            show(last);
        }
        if let Some(first) = first {
            show(first);
        }
        if let Some(cursor) = sheet.lines.iter().position(|line| line.field == Some(field) && line.cursor.is_some()) {
            show(cursor);
        }
    }
    top
}
