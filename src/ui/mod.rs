//! Pure rendering of the model.

mod header;
mod list;
mod paint;
mod theme;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::widgets::Clear;

use crate::app::{Area, Focus, Geometry, Model, Sheet, Tone};
use crate::app::{Screen, pages};
use paint::Painter;
pub use theme::Theme;

fn rect(area: Area) -> Rect {
    Rect { x: area.x, y: area.y, width: area.width, height: area.height }
}

/// Draws the whole screen, and places the cursor where text is typed.
pub fn draw(frame: &mut Frame<'_>, model: &Model) {
    let theme = Theme::of(model.look);
    let geometry = model.geometry();
    // The frame may be of another size than the model was told of: nothing is drawn outside.
    let mut painter = Painter::new(frame.buffer_mut(), theme);
    if let Some(area) = geometry.header {
        header::header(&mut painter, model, area);
    }
    let inbox = matches!(model.screen, Screen::Inbox);
    if let Some(area) = geometry.rule {
        painter.rule(area, if inbox { &geometry.dividers } else { &[] }, true);
    }
    let mut cursor = None;
    match &model.screen {
        Screen::Inbox => cursor = panes(&mut painter, model, &geometry),
        Screen::Start(start) => {
            let sheet = pages::start_sheet(model, start, geometry.page().columns());
            cursor = painter.sheet(geometry.page(), &sheet, start.scroll);
        }
        Screen::Run(run) => {
            let sheet = pages::run_sheet(model, run, geometry.page().columns());
            painter.sheet(geometry.page(), &sheet, run.scroll);
        }
    }
    if let Some(area) = geometry.end_rule {
        painter.rule(area, if inbox { &geometry.dividers } else { &[] }, false);
        if inbox && geometry.list.is_some() {
            list::status(&mut painter, model, area, geometry.list.map_or(0, |list| list.width));
        }
    }
    if let Some(overlay) = &model.overlay {
        let area = pages::overlay_area(model, overlay);
        if let Some(sheet) = pages::overlay_sheet(model, overlay, area.columns()) {
            let scroll = overlay.clone().scroll_mut().map_or(0, |scroll| *scroll);
            painter.clear(Area { x: area.x.saturating_sub(1), width: area.width + 2, ..area });
            if area == geometry.page() {
                painter.clear(geometry.body);
            }
            painter.sheet(area, &sheet, scroll);
            cursor = None;
        }
    }
    if let Some(area) = geometry.footer {
        painter.footer(area, &pages::footer(model));
    }
    if let Some(at) = bottom(&mut painter, model, &geometry) {
        cursor = at;
    }
    if let Some((x, y)) = cursor {
        let area = frame.area();
        if x < area.width && y < area.height {
            frame.set_cursor_position((x, y));
        }
    }
}

/// The three panes, as far as there is room.
fn panes(painter: &mut Painter<'_>, model: &Model, geometry: &Geometry) -> Option<(u16, u16)> {
    for column in geometry.dividers.into_iter().flatten() {
        painter.divider(column, geometry.body);
    }
    if let Some(area) = geometry.list {
        list::list(painter, model, area);
    }
    let (Some(area), Some(open)) = (geometry.task, &model.open) else { return None };
    let sheet = pages::task_sheet(model, area.columns(), geometry.form.is_none());
    let mut cursor = painter.sheet(area, &sheet, open.scroll);
    if let Some(area) = geometry.form {
        let sheet = pages::form_pane(model, area.columns());
        cursor = cursor.or(painter.sheet(area, &sheet, open.form_scroll));
    }
    cursor.filter(|_| model.focus() == Focus::Form)
}

/// A question, a prompt or a notice over the lowest rows. The inner value is the cursor; `None` when nothing lies there.
fn bottom(painter: &mut Painter<'_>, model: &Model, geometry: &Geometry) -> Option<Option<(u16, u16)>> {
    let page = Area { height: 1, ..geometry.wide_page() };
    let sheet: Sheet = pages::bottom_sheet(model, page.columns())?;
    let end = geometry.footer.map_or(geometry.body.y + geometry.body.height, |footer| footer.y);
    let start = geometry.rule.or(geometry.header).map_or(0, |area| area.y + 1);
    let room = usize::from(end.saturating_sub(start));
    let count = sheet.lines.len().min(room);
    // Its lower lines hold what is typed: when not all fit, the upper ones go.
    let cursor_line = sheet.lines.iter().position(|line| line.cursor.is_some()).unwrap_or(0);
    let skip = (cursor_line + 1).saturating_sub(count).min(sheet.lines.len() - count);
    let height = u16::try_from(count).unwrap_or(end);
    let y = end - height;
    let full = Area { x: 0, y, width: geometry.body.width, height };
    painter.clear(full);
    if (count > 1 || model.overlay.is_some()) && y > start {
        let rule = Area { y: y - 1, height: 1, ..full };
        painter.clear(rule);
        painter.rule(rule, &[], false);
    }
    Some(painter.sheet(Area { y, height, ..page }, &sheet, skip))
}

impl Painter<'_> {
    fn clear(&mut self, area: Area) {
        let area = rect(area).intersection(self.buffer().area);
        ratatui::widgets::Widget::render(Clear, area, self.buffer());
    }

    fn footer(&mut self, area: Area, items: &[crate::app::FooterItem]) {
        let gap = if area.width < 60 { 2 } else { 3 };
        let width = |item: &crate::app::FooterItem| {
            crate::domain::display_width(&item.key) + 1 + crate::domain::display_width(&item.label) + gap
        };
        // The way to the help stays when not all fit.
        let help = items.iter().find(|item| item.label == "help" && area.width >= 40).map_or(0, width);
        let mut room = area.columns().saturating_sub(1);
        let all: usize = items.iter().map(width).sum();
        let fits = all <= room + gap;
        let mut x = usize::from(area.x) + 1;
        for item in items {
            let wide = width(item);
            let is_help = item.label == "help";
            let needed = wide.saturating_sub(gap) + if fits || is_help { 0 } else { help };
            if needed > room {
                continue;
            }
            x = self.text(x, area.y, area.width, Tone::Accent, &item.key);
            x = self.text(x + 1, area.y, area.width, Tone::Plain, &item.label) + gap;
            room = room.saturating_sub(wide);
        }
    }
}

#[cfg(test)]
mod screens;
