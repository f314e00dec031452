//! Where things stand on the screen, for a size. The model needs it to keep its scrolling within bounds.

use super::model::{Focus, Size};

/// A rectangle of cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Area {
    /// First column.
    pub x: u16,
    /// First row.
    pub y: u16,
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
}

impl Area {
    /// Columns as a count.
    pub fn columns(&self) -> usize {
        usize::from(self.width)
    }

    /// Rows as a count.
    pub fn rows(&self) -> usize {
        usize::from(self.height)
    }

    /// Without a column at each side, where there is room for that.
    fn inset(self) -> Self {
        if self.width < 30 {
            return self;
        }
        Self { x: self.x + 1, width: self.width - 2, ..self }
    }
}

/// The parts of the screen. A part without an area is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Geometry {
    /// The tabs and who, where, how fresh.
    pub header: Option<Area>,
    /// The line under the header.
    pub rule: Option<Area>,
    /// Everything between.
    pub body: Area,
    /// The list.
    pub list: Option<Area>,
    /// The task; with its form when `form` is `None`.
    pub task: Option<Area>,
    /// The form, where it has a pane of its own.
    pub form: Option<Area>,
    /// Columns of the lines between panes.
    pub dividers: [Option<u16>; 2],
    /// The line above the footer.
    pub end_rule: Option<Area>,
    /// What can be done now.
    pub footer: Option<Area>,
}

/// From this width on the list and the task stand side by side.
pub const SIDE_BY_SIDE: u16 = 100;
/// From this width on the form has a pane of its own.
pub const THREE_PANES: u16 = 170;

/// The widest page to read.
const PAGE_WIDTH: u16 = 100;

impl Geometry {
    /// The parts for a size. `focus` says what has the screen when only one pane fits.
    pub fn of(size: Size, focus: Focus) -> Self {
        let Size { width, height } = size;
        let mut geometry = Self::default();
        let row = |y, height| Area { x: 0, y, width, height };
        let (mut top, mut bottom) = (0, height);
        if height >= 4 {
            geometry.header = Some(row(0, 1));
            top = 1;
        }
        if height >= 3 {
            bottom -= 1;
            geometry.footer = Some(row(bottom, 1));
        }
        if height >= 12 {
            geometry.rule = Some(row(top, 1));
            top += 1;
            bottom -= 1;
            geometry.end_rule = Some(row(bottom, 1));
        }
        let body = row(top, bottom.saturating_sub(top));
        geometry.body = body;
        let column = |x: u16, end: u16| Area { x, y: body.y, width: end.saturating_sub(x), height: body.height };
        if width >= THREE_PANES {
            let list = width * 2 / 5;
            let task = list + (width - list) / 2;
            geometry.list = Some(column(0, list));
            geometry.task = Some(column(list + 1, task).inset());
            geometry.form = Some(column(task + 1, width).inset());
            geometry.dividers = [Some(list), Some(task)];
        } else if width >= SIDE_BY_SIDE {
            let list = width * 8 / 15;
            geometry.list = Some(column(0, list));
            geometry.task = Some(column(list + 1, width).inset());
            geometry.dividers = [Some(list), None];
        } else if focus == Focus::List {
            geometry.list = Some(body);
        } else {
            geometry.task = Some(body.inset());
        }
        geometry
    }

    /// The body for a page to read: no line longer than eyes follow.
    pub fn page(&self) -> Area {
        let body = self.body.inset();
        Area { width: body.width.min(PAGE_WIDTH), ..body }
    }

    /// The body for a sentence or a prompt.
    pub fn wide_page(&self) -> Area {
        self.body.inset()
    }

    /// Rows of the list below its heading.
    pub fn list_rows(&self) -> usize {
        self.list.map_or(0, |list| list.rows().saturating_sub(usize::from(list.height >= 6)))
    }
}
