//! What the screen remembers from the last time.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{LocalError, files};
use crate::domain::{Order, View};

/// The view and the order that were on the screen last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ViewState {
    /// Which view.
    pub view: View,
    /// Which end first.
    pub order: Order,
}

/// As it is written: words, because the order of the views may change.
#[derive(Serialize, Deserialize)]
struct Written {
    format: u32,
    view: String,
    order: String,
}

const FORMAT: u32 = 1;
const VIEWS: [(View, &str); 5] = [
    (View::ForMe, "for-me"),
    (View::MyGroups, "my-groups"),
    (View::AllOpen, "all-open"),
    (View::Done, "done"),
    (View::Cancelled, "cancelled"),
];
const ORDERS: [(Order, &str); 2] = [(Order::NewestFirst, "newest-first"), (Order::OldestFirst, "oldest-first")];

impl ViewState {
    /// Reads it. `None` if there is none or it cannot be understood: it is no loss. Blocking.
    pub fn load(path: &Path) -> Option<ViewState> {
        let written: Written = serde_json::from_slice(&files::read(path).ok()??).ok()?;
        let view = VIEWS.iter().find(|(_, word)| *word == written.view)?.0;
        let order = ORDERS.iter().find(|(_, word)| *word == written.order)?.0;
        (written.format == FORMAT).then_some(ViewState { view, order })
    }

    /// Writes it. Blocking.
    pub fn keep(self, path: &Path) -> Result<(), LocalError> {
        let word = |found: Option<&'static str>| found.unwrap_or_default().to_owned();
        let written = Written {
            format: FORMAT,
            view: word(VIEWS.iter().find(|(view, _)| *view == self.view).map(|(_, word)| *word)),
            order: word(ORDERS.iter().find(|(order, _)| *order == self.order).map(|(_, word)| *word)),
        };
        let text = serde_json::to_vec(&written).map_err(|error| LocalError::Format(error.to_string()))?;
        files::write(path, &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_view_and_order_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state").join("view.json");
        assert_eq!(ViewState::load(&path), None);
        for view in View::ALL {
            for order in [Order::NewestFirst, Order::OldestFirst] {
                let state = ViewState { view, order };
                state.keep(&path).unwrap();
                assert_eq!(ViewState::load(&path), Some(state));
            }
        }
        for odd in ["", "{", "{\"format\":2,\"view\":\"done\",\"order\":\"newest-first\"}", "[1]"] {
            std::fs::write(&path, odd).unwrap();
            assert_eq!(ViewState::load(&path), None, "{odd:?}");
        }
    }
}
