//! The list of tasks as a table.

use ratatui::style::Modifier;

use super::paint::Painter;
use crate::app::{Area, Focus, Model, Row, Tone, pages};
use crate::domain::{Order, Status, TaskRow, Untrusted, display_width, fit, time};

/// The columns that there is room for. They go in this order: AGE, FOR, NOTES; TYPE stays.
struct Columns {
    kind: usize,
    notes: usize,
    who: usize,
    age: usize,
}

impl Columns {
    fn of(model: &Model, width: usize, rows: usize) -> Self {
        let age = if width >= 52 { 4 } else { 0 };
        let who = match width {
            44..72 => 8,
            72.. => 12,
            _ => 0,
        };
        // Sign and blanks around it, and two blanks after each column.
        let rest =
            width.saturating_sub(4 + [age, who].iter().map(|wide| if *wide > 0 { wide + 2 } else { 0 }).sum::<usize>());
        if width < 36 {
            return Self { kind: rest, notes: 0, who, age };
        }
        let list = model.list();
        let widest = list.shown().skip(list.top()).take(rows).map(|row| display_width(row.task.def.name.raw())).max();
        let kind = widest.unwrap_or(0).clamp(12, (rest / 2).max(12));
        Self { kind, notes: rest.saturating_sub(kind + 2), who, age }
    }
}

pub(super) fn list(painter: &mut Painter<'_>, model: &Model, area: Area) {
    let rows = model.geometry().list_rows();
    let list = model.list();
    if list.len() == 0 {
        let inner = Area { x: area.x + 2.min(area.width), width: area.width.saturating_sub(4), ..area };
        let below = u16::from(area.height >= 6);
        let inner = Area { y: inner.y + below, height: inner.height.saturating_sub(below), ..inner };
        painter.sheet(inner, &pages::empty_sheet(model, inner.columns()), 0);
        return;
    }
    let columns = Columns::of(model, area.columns(), rows);
    let mut y = area.y;
    if rows < area.rows() {
        heading(painter, &columns, area, y);
        y += 1;
    }
    for (position, row) in list.shown().enumerate().skip(list.top()).take(rows) {
        let selected = position == list.at();
        task(painter, model, row, &columns, Area { y, height: 1, ..area }, selected);
        y += 1;
    }
}

fn heading(painter: &mut Painter<'_>, columns: &Columns, area: Area, y: u16) {
    let edge = area.x + area.width;
    let mut x = usize::from(area.x) + 3;
    for (name, wide) in [("TYPE", columns.kind), ("NOTES", columns.notes), ("FOR", columns.who), (" AGE", columns.age)]
    {
        if wide > 0 {
            painter.text(x, y, edge, Tone::Heading, name);
            x += wide + 2;
        }
    }
}

/// The sign of a task, never alone: FOR says it in words.
fn sign(model: &Model, task: &TaskRow, unicode: bool) -> &'static str {
    let mine = task.user.as_ref().is_some_and(|user| model.me.is_me(user));
    match (task.status, mine, unicode) {
        (Status::Unassigned, _, true) => "○",
        (Status::Unassigned, _, false) => "o",
        (Status::Assigned, true, true) => "●",
        (Status::Assigned, true, false) => "*",
        (Status::Assigned, false, true) => "◐",
        (Status::Assigned, false, false) => "@",
        (Status::Done, _, true) => "✓",
        (Status::Done, _, false) => "v",
        (Status::Cancelled, _, true) => "✗",
        (Status::Cancelled, _, false) => "x",
    }
}

fn task(painter: &mut Painter<'_>, model: &Model, row: &Row, columns: &Columns, area: Area, selected: bool) {
    let theme = painter.theme;
    let here = model.focus() == Focus::List;
    let task = &row.task;
    let mine = task.user.as_ref().is_some_and(|user| model.me.is_me(user));
    let base = if row.gone { theme.tone(Tone::Quiet) } else { theme.tone(Tone::Plain) };
    let base = if selected { base.patch(theme.selected(here)) } else { base };
    let quiet = if selected { base } else { theme.tone(Tone::Quiet) };
    let edge = area.x + area.width;
    if selected && here {
        painter.styled(usize::from(area.x), area.y, edge, base, &" ".repeat(area.columns()));
    }
    let mark = if mine && task.status.is_open() && !selected { theme.tone(Tone::Accent) } else { base };
    let mut x = usize::from(area.x) + 1;
    painter.styled(x, area.y, edge, mark, sign(model, task, theme.unicode()));
    x += 2;
    let who = match (&task.user, &task.group) {
        (Some(_), _) if mine => "you".to_owned(),
        (Some(user), _) => shown(user),
        (None, Some(group)) => shown(group),
        (None, None) => String::new(),
    };
    let age = task.scheduled.map(|at| time::age(at, model.now.wall)).unwrap_or_default();
    let notes = task.notes.as_ref().map(|notes| notes.display().into_owned()).unwrap_or_default();
    for (text, wide, style) in [
        (fit(task.def.name.raw(), columns.kind, theme.more()), columns.kind, base),
        (fit(&notes, columns.notes, theme.more()), columns.notes, base),
        (fit(&who, columns.who, theme.more()), columns.who, base),
        (format!("{age:>4}").into(), columns.age, quiet.remove_modifier(Modifier::BOLD)),
    ] {
        if wide > 0 {
            painter.styled(x, area.y, edge, style, &text);
            x += wide + 2;
        }
    }
}

fn shown(text: &Untrusted) -> String {
    if text.is_blank() { "(empty)".to_owned() } else { text.display().into_owned() }
}

/// Order, filter and what lies beyond the screen, in the line above the footer.
pub(super) fn status(painter: &mut Painter<'_>, model: &Model, area: Area, width: u16) {
    let list = model.list();
    let rows = model.geometry().list_rows();
    if list.len() == 0 {
        return;
    }
    let mut parts = Vec::new();
    if !list.filter().is_empty() {
        parts.push(format!("/{}  {} of {}", fit(list.filter(), 20, "…"), list.len(), list.loaded()));
    }
    let above = list.top();
    let below = list.len().saturating_sub(list.top() + rows);
    let more = if list.next.is_some() { "+" } else { "" };
    let newest = list.order == Order::NewestFirst;
    match (above, newest) {
        (0, _) => {}
        (above, true) => parts.push(format!("{above} newer above")),
        (above, false) => parts.push(format!("{above} older above")),
    }
    if below > 0 || list.next.is_some() {
        parts.push(format!("{below}{more} below"));
    }
    parts.push(if newest { "newest first" } else { "oldest first" }.to_owned());
    if let Some(at) = list.looked_back_to {
        parts.push(format!("looked back to {}", time::clock(at, model.now.wall, &model.zone)));
    }
    if list.trouble.is_some() {
        parts.push("not read again".to_owned());
    }
    let text = format!(" {} ", parts.join(" · "));
    let edge = area.x + width;
    let columns = usize::from(width).saturating_sub(2);
    painter.text(usize::from(area.x) + 1, area.y, edge, Tone::Quiet, &fit(&text, columns, painter.theme.more()));
}
