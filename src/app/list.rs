//! The list: rows of a view, what is selected, and what is on the screen.

use std::collections::{BTreeSet, HashMap};

use super::effect::Generation;
use super::msg::Now;
use crate::domain::{Cursor, Order, TaskId, TaskPage, TaskRow, Trouble, View};

/// A row, and whether it left the view: it stays in place until the selection moves on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) task: TaskRow,
    pub(crate) gone: bool,
}

/// What is being read.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum Reading {
    /// Nothing.
    #[default]
    Idle,
    /// The next page.
    More(Generation),
    /// Everything that was loaded, again; the rows so far.
    Again(Generation, Vec<TaskRow>),
}

/// One view with its rows.
#[derive(Debug, Clone)]
pub(crate) struct List {
    pub(crate) view: View,
    pub(crate) order: Order,
    rows: Vec<Row>,
    /// Indexes into `rows` of those that the filter lets through.
    shown: Vec<usize>,
    /// Where the next page begins.
    pub(crate) next: Option<Cursor>,
    /// Position in `shown`.
    at: usize,
    /// First position on the screen.
    top: usize,
    /// Whether the next reading replaces all that is here.
    anew: bool,
    pub(crate) reading: Reading,
    /// When the last reading ended well.
    pub(crate) read_at: Option<Now>,
    pub(crate) trouble: Option<Trouble>,
    /// Older tasks than this were not looked at yet.
    pub(crate) looked_back_to: Option<jiff::Timestamp>,
    filter: String,
}

/// A page of the first screen; small, so that it comes fast from a server that answers row by row.
pub(crate) const PAGE: usize = 100;

impl List {
    pub(crate) fn new(view: View, order: Order) -> Self {
        Self {
            view,
            order,
            rows: Vec::new(),
            shown: Vec::new(),
            next: None,
            at: 0,
            top: 0,
            anew: false,
            reading: Reading::Idle,
            read_at: None,
            trouble: None,
            looked_back_to: None,
            filter: String::new(),
        }
    }

    /// The rows that the filter lets through.
    pub(crate) fn shown(&self) -> impl Iterator<Item = &Row> {
        self.shown.iter().filter_map(|&index| self.rows.get(index))
    }

    /// A row by its position among those shown.
    pub(crate) fn row(&self, position: usize) -> Option<&Row> {
        self.shown.get(position).and_then(|&index| self.rows.get(index))
    }

    /// How many rows are shown.
    pub(crate) fn len(&self) -> usize {
        self.shown.len()
    }

    /// How many rows are loaded.
    pub(crate) fn loaded(&self) -> usize {
        self.rows.len()
    }

    /// Position of the selected row.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// First position on a screen of so many lines.
    pub(crate) fn top(&self) -> usize {
        self.top
    }

    /// The selected row.
    pub(crate) fn selected(&self) -> Option<&Row> {
        self.row(self.at)
    }

    /// The filter's text.
    pub(crate) fn filter(&self) -> &str {
        &self.filter
    }

    /// Goes to a position, or as near as there is. Rows that left the view go now.
    pub(crate) fn go(&mut self, position: usize, height: usize) {
        let target = self.row(position.min(self.len().saturating_sub(1))).map(|row| row.task.id.clone());
        if let Some(target) = target {
            if self.selected().is_some_and(|row| row.task.id != target) && self.rows.iter().any(|row| row.gone) {
                self.rows.retain(|row| !row.gone || row.task.id == target);
                self.filter_rows();
            }
            self.at = self.position(&target).unwrap_or(0);
        }
        self.scroll(height);
    }

    /// Goes to a task, if it is shown.
    pub(crate) fn go_to(&mut self, task: &TaskId, height: usize) -> bool {
        match self.position(task) {
            Some(position) => {
                self.go(position, height);
                true
            }
            None => false,
        }
    }

    fn position(&self, task: &TaskId) -> Option<usize> {
        self.shown.iter().position(|&index| self.rows.get(index).is_some_and(|row| row.task.id == *task))
    }

    /// Keeps the selected row on a screen of so many lines.
    pub(crate) fn scroll(&mut self, height: usize) {
        let height = height.max(1);
        self.at = self.at.min(self.len().saturating_sub(1));
        self.top = self.top.min(self.at);
        if self.at >= self.top + height {
            self.top = self.at + 1 - height;
        }
    }

    /// The rows that are read next replace all that is here, and the first of them is selected.
    pub(crate) fn start_over(&mut self) {
        self.anew = true;
    }

    /// Shows the rows from as far up as possible.
    pub(crate) fn fill(&mut self, height: usize) {
        self.top = self.top.min(self.len().saturating_sub(height.max(1)));
        self.scroll(height);
    }

    /// Shows only rows that have all words of a text.
    pub(crate) fn set_filter(&mut self, filter: &str, height: usize) {
        let selected = self.selected().map(|row| row.task.id.clone());
        self.filter = filter.to_owned();
        self.filter_rows();
        self.at = selected.and_then(|task| self.position(&task)).unwrap_or(0);
        self.fill(height);
    }

    fn filter_rows(&mut self) {
        let words = words_of(&self.filter);
        self.shown = (0..self.rows.len())
            .filter(|&index| self.rows.get(index).is_some_and(|row| matches(&row.task, &words)))
            .collect();
    }

    /// The next position that matches a text, around the end.
    pub(crate) fn next_match(&self, text: &str, forward: bool) -> Option<usize> {
        let words = words_of(text);
        let count = self.len();
        (1..=count)
            .map(|step| if forward { (self.at + step) % count } else { (self.at + count - step) % count })
            .find(|&position| self.row(position).is_some_and(|row| matches(&row.task, &words)))
    }

    /// Whether the next page should be read: the selection nears the end of what is loaded.
    pub(crate) fn wants_more(&self, height: usize) -> bool {
        self.next.is_some() && self.reading == Reading::Idle && self.at + 2 * height.max(10) >= self.len()
    }

    /// Rows to ask for to read everything again.
    pub(crate) fn to_read(&self) -> usize {
        self.rows.len().max(PAGE)
    }

    /// Takes a page. True when more is needed to have read everything again; then `next` says from where.
    pub(crate) fn take_page(&mut self, generation: Generation, page: TaskPage, height: usize) -> Option<Cursor> {
        let looked_back_to = page.looked_back_to;
        match std::mem::take(&mut self.reading) {
            Reading::More(own) if own == generation => {
                let known: BTreeSet<&TaskId> = self.rows.iter().map(|row| &row.task.id).collect();
                let new: Vec<Row> = page
                    .rows
                    .into_iter()
                    .filter(|task| !known.contains(&task.id))
                    .map(|task| Row { task, gone: false })
                    .collect();
                self.rows.extend(new);
                self.next = page.next;
                self.looked_back_to = looked_back_to;
                self.filter_rows();
                self.scroll(height);
                None
            }
            Reading::Again(own, mut rows) if own == generation => {
                rows.extend(page.rows);
                if let Some(next) = page.next.clone().filter(|_| rows.len() < self.rows.len()) {
                    self.reading = Reading::Again(own, rows);
                    return Some(next);
                }
                self.next = page.next;
                self.looked_back_to = looked_back_to;
                self.merge(rows, height);
                None
            }
            other => {
                self.reading = other;
                None
            }
        }
    }

    /// Replaces the rows. The selected line stays where it is on the screen, even when its task left the view, unless
    /// rows would be hidden above it while lines below stay empty.
    fn merge(&mut self, tasks: Vec<TaskRow>, height: usize) {
        if std::mem::take(&mut self.anew) {
            self.rows.clear();
            self.filter_rows();
        }
        let first = self.rows.is_empty();
        let line = self.at.saturating_sub(self.top);
        let selected = self.selected().cloned();
        let mut seen = BTreeSet::new();
        let mut rows: Vec<Row> = tasks
            .into_iter()
            .filter(|task| seen.insert(task.id.clone()))
            .map(|task| Row { task, gone: false })
            .collect();
        if let Some(mut selected) = selected.filter(|row| !seen.contains(&row.task.id)) {
            // It goes where it was: after the nearest row above it that is still there.
            let positions: HashMap<&TaskId, usize> =
                rows.iter().enumerate().map(|(position, row)| (&row.task.id, position)).collect();
            let before = self
                .rows
                .iter()
                .take_while(|row| row.task.id != selected.task.id)
                .filter_map(|row| positions.get(&row.task.id))
                .max();
            let position = before.map_or(0, |position| position + 1);
            selected.gone = true;
            rows.insert(position, selected);
        }
        let selected = self.selected().map(|row| row.task.id.clone());
        self.rows = rows;
        self.filter_rows();
        if let Some(position) = selected.and_then(|task| self.position(&task)) {
            self.at = position;
            self.top = position.saturating_sub(line);
        }
        if first {
            (self.at, self.top) = (0, 0);
        }
        self.fill(height);
    }

    /// Shows a task as it is now, where it is listed. It stays in the view until the rows are read again.
    pub(crate) fn take_row(&mut self, task: &TaskRow) {
        if let Some(row) = self.rows.iter_mut().find(|row| row.task.id == task.id) {
            // Reading one task does not tell its workflow on every server.
            let workflow = task.workflow.clone().or_else(|| row.task.workflow.take());
            row.task = TaskRow { workflow, ..task.clone() };
        }
    }
}

fn words_of(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_lowercase).collect()
}

fn matches(task: &TaskRow, words: &[String]) -> bool {
    if words.is_empty() {
        return true;
    }
    let id = task.id.to_string();
    let parts =
        [Some(&task.def.name), task.notes.as_ref(), task.user.as_ref(), task.group.as_ref(), task.workflow.as_ref()];
    let mut hay: String = parts.into_iter().flatten().flat_map(|part| [part.raw(), "\n"]).collect();
    hay.push_str(&id);
    let hay = hay.to_lowercase();
    words.iter().all(|word| hay.contains(word.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{DefId, RunId, Status};
    use proptest::prelude::*;

    fn task(number: usize) -> TaskRow {
        TaskRow {
            id: TaskId { run: RunId::root(format!("r{number}")), guid: "0-1".to_owned() },
            def: DefId { name: "approve".into(), version: 0 },
            status: Status::Unassigned,
            user: None,
            group: Some("finance".into()),
            notes: Some(format!("Laptop {number}").into()),
            scheduled: None,
            workflow: None,
        }
    }

    fn read(list: &mut List, numbers: &[usize], height: usize) {
        list.reading = Reading::Again(Generation(1), Vec::new());
        let page =
            TaskPage { rows: numbers.iter().map(|&number| task(number)).collect(), next: None, looked_back_to: None };
        assert_eq!(list.take_page(Generation(1), page, height), None);
    }

    fn line(list: &List) -> (String, usize) {
        (list.selected().map(|row| row.task.id.to_string()).unwrap_or_default(), list.at - list.top)
    }

    #[test]
    fn new_rows_do_not_move_the_line_under_the_finger() {
        let mut list = List::new(View::ForMe, Order::NewestFirst);
        read(&mut list, &[5, 4, 3, 2, 1], 3);
        list.go(3, 3);
        let before = line(&list);
        read(&mut list, &[8, 7, 6, 5, 4, 3, 2, 1], 3);
        assert_eq!(line(&list), before);
        read(&mut list, &[8, 2, 1], 3);
        assert_eq!(line(&list).0, before.0);
    }

    #[test]
    fn rows_that_come_above_are_shown_where_there_is_room() {
        let mut list = List::new(View::ForMe, Order::NewestFirst);
        read(&mut list, &[1], 10);
        read(&mut list, &[4, 3, 2, 1], 10);
        assert_eq!((list.at(), list.top()), (3, 0));
    }

    #[test]
    fn a_row_that_left_stays_until_the_selection_moves() {
        let mut list = List::new(View::ForMe, Order::NewestFirst);
        read(&mut list, &[3, 2, 1], 10);
        list.go(1, 10);
        read(&mut list, &[4, 3, 1], 10);
        assert_eq!(list.selected().map(|row| (row.task.id.to_string(), row.gone)), Some(("r2/0-1".to_owned(), true)));
        assert_eq!(list.len(), 4);
        list.go(list.at() + 1, 10);
        assert_eq!(list.selected().map(|row| row.task.id.to_string()), Some("r1/0-1".to_owned()));
        assert_eq!(list.len(), 3);
    }

    #[test]
    fn pages_follow_each_other_and_are_read_again_as_far_as_they_were() {
        let mut list = List::new(View::ForMe, Order::NewestFirst);
        list.reading = Reading::Again(Generation(1), Vec::new());
        let page = |numbers: std::ops::Range<usize>, more| TaskPage {
            rows: numbers.map(task).collect(),
            next: more,
            looked_back_to: None,
        };
        let cursor = Cursor(vec![1]);
        assert_eq!(list.take_page(Generation(1), page(0..3, Some(cursor.clone())), 5), None);
        assert!(list.wants_more(5));
        list.reading = Reading::More(Generation(2));
        assert!(!list.wants_more(5));
        list.take_page(Generation(2), page(2..6, None), 5);
        assert_eq!(list.len(), 6, "a row that moved between the pages is there once");
        list.reading = Reading::Again(Generation(3), Vec::new());
        assert_eq!(list.take_page(Generation(3), page(0..3, Some(cursor.clone())), 5), Some(cursor));
        assert_eq!(list.len(), 6, "nothing is shown before all is read");
        list.take_page(Generation(2), page(0..1, None), 5);
        assert_eq!(list.len(), 6, "late answers do not count");
        list.take_page(Generation(3), page(3..6, None), 5);
        assert_eq!((list.len(), list.reading.clone()), (6, Reading::Idle));
    }

    #[test]
    fn a_filter_needs_all_words_and_searching_goes_around() {
        let mut list = List::new(View::ForMe, Order::NewestFirst);
        read(&mut list, &[30, 3, 2, 1], 10);
        list.set_filter("LAPTOP 3", 10);
        assert_eq!(list.len(), 2);
        list.set_filter("", 10);
        assert_eq!(list.len(), 4);
        assert_eq!(list.next_match("3", true), Some(1));
        list.go(1, 10);
        assert_eq!(list.next_match("3", true), Some(0));
        assert_eq!(list.next_match("nothing", true), None);
    }

    proptest! {
        #[test]
        fn the_selection_is_on_the_screen_whatever_comes(
            steps in proptest::collection::vec((0usize..4, proptest::collection::vec(0usize..30, 0..20), 1usize..12), 0..40),
        ) {
            let mut list = List::new(View::ForMe, Order::NewestFirst);
            for (kind, numbers, height) in steps {
                let before = list.selected().map(|row| row.task.id.clone());
                match kind {
                    0 => {
                        read(&mut list, &numbers, height);
                        if let Some(before) = before {
                            prop_assert_eq!(Some(before), list.selected().map(|row| row.task.id.clone()));
                        }
                    }
                    1 => list.go(numbers.len(), height),
                    2 => list.set_filter(&numbers.first().map(ToString::to_string).unwrap_or_default(), height),
                    _ => list.scroll(height),
                }
                prop_assert!(list.len() == 0 || list.at() < list.len());
                prop_assert!(list.top() <= list.at() && list.at() < list.top() + height);
            }
        }
    }
}
