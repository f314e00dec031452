//! Reading: pages, counts, the host; now, again and on time.

use std::time::Duration;

use super::effect::{Effect, Generation};
use super::list::{PAGE, Reading};
use super::model::{Model, Screen};
use crate::domain::{Connection, Count, HostInfo, TaskPage, Trouble};

/// How often a server that does not tell is asked while somebody looks.
const ASK_EVERY: f64 = 5.0;
/// The same while nobody does.
const ASK_EVERY_UNWATCHED: f64 = 30.0;
/// The longest wait after readings failed.
const ASK_AT_MOST: f64 = 60.0;
/// When to look again whether a reading is still under way.
const BESIDE: Duration = Duration::from_millis(100);
/// Changes that come together are read together.
const GATHER: Duration = Duration::from_millis(40);

impl Model {
    pub(crate) fn load_host(&mut self, effects: &mut Vec<Effect>) {
        self.host_generation = self.generation();
        effects.push(Effect::LoadHost { generation: self.host_generation });
    }

    /// Reads the current view, the counts and what is open again.
    pub(crate) fn read_again(&mut self, effects: &mut Vec<Effect>) {
        self.timers.refresh = None;
        let generation = self.generation();
        let list = self.list_mut();
        list.reading = Reading::Again(generation, Vec::new());
        let (view, order, limit) = (list.view, list.order, list.to_read().min(1000));
        effects.push(Effect::LoadPage { generation, view, order, cursor: None, limit });
        self.counts_generation = self.generation();
        effects.push(Effect::LoadCounts { generation: self.counts_generation });
        if self.open.is_some() {
            self.read_task(effects);
        }
        if matches!(self.screen, Screen::Run(_)) {
            self.read_run(effects);
        }
    }

    /// Reads again what is due. While such a reading is under way the next one waits for it: many changes in a row must
    /// not abort each other's readings for ever.
    pub(crate) fn read_due(&mut self, effects: &mut Vec<Effect>) {
        if matches!(self.list().reading, Reading::Again(..)) {
            self.timers.refresh = Some(self.now.since_start + BESIDE);
        } else {
            self.read_again(effects);
        }
    }

    /// Reads again after a wait, or sooner when that was planned already.
    pub(crate) fn refresh_in(&mut self, wait: Duration) {
        let at = self.now.since_start + wait;
        self.timers.refresh = Some(self.timers.refresh.map_or(at, |planned| planned.min(at)));
    }

    /// The next page, when the selection nears the end.
    pub(crate) fn load_more(&mut self, effects: &mut Vec<Effect>) {
        let rows = self.geometry().list_rows();
        if !self.list().wants_more(rows) || self.list().trouble.is_some() {
            return;
        }
        let generation = self.generation();
        let list = self.list_mut();
        list.reading = Reading::More(generation);
        let (view, order, cursor) = (list.view, list.order, list.next.clone());
        effects.push(Effect::LoadPage { generation, view, order, cursor, limit: PAGE });
    }

    pub(crate) fn take_page(
        &mut self,
        generation: Generation,
        result: Result<TaskPage, Trouble>,
        effects: &mut Vec<Effect>,
    ) {
        let rows = self.geometry().list_rows();
        let now = self.now;
        let owner = self.lists.iter_mut().find(|list| match &list.reading {
            Reading::More(own) | Reading::Again(own, _) => *own == generation,
            Reading::Idle => false,
        });
        let Some(list) = owner else { return };
        match result {
            Ok(page) => {
                list.trouble = None;
                match list.take_page(generation, page, rows) {
                    Some(cursor) => {
                        let (view, order) = (list.view, list.order);
                        let cursor = Some(cursor);
                        effects.push(Effect::LoadPage { generation, view, order, cursor, limit: 1000 });
                    }
                    None => {
                        list.read_at = Some(now);
                        self.failures = 0;
                        self.plan_poll();
                    }
                }
            }
            Err(trouble) => {
                list.reading = Reading::Idle;
                list.trouble = Some(trouble);
                self.failures = self.failures.saturating_add(1);
                self.plan_poll();
            }
        }
    }

    /// When to ask next: soon while somebody looks, slower when nobody does or nothing comes back; never in step with
    /// other ostlers. A host that tells is asked only after something failed.
    pub(crate) fn plan_poll(&mut self) {
        let told = self.host.as_ref().is_some_and(|host| host.tells_changes);
        if told && self.failures == 0 {
            return;
        }
        let base = if self.watched { ASK_EVERY } else { ASK_EVERY_UNWATCHED };
        let wait = (base * f64::from(1u32 << self.failures.min(4))).min(ASK_AT_MOST.max(base));
        let wait = wait * (0.8 + 0.4 * self.jitter());
        self.refresh_in(Duration::from_secs_f64(wait));
    }

    pub(crate) fn take_counts(&mut self, generation: Generation, result: Result<[Count; 5], Trouble>) {
        // A failure leaves the old numbers: the list says what is wrong.
        if let (true, Ok(counts)) = (generation == self.counts_generation, result) {
            self.counts = counts;
            self.counted = true;
        }
    }

    pub(crate) fn take_host(
        &mut self,
        generation: Option<Generation>,
        result: Result<HostInfo, Trouble>,
        effects: &mut Vec<Effect>,
    ) {
        if generation.is_some_and(|generation| generation != self.host_generation) {
            return;
        }
        match result {
            Ok(host) => {
                let told = self.host.as_ref().map(|host| host.tells_changes);
                self.host = Some(host.clone());
                if told != Some(host.tells_changes) {
                    // A poll planned for later is not needed when the host tells; what is due soon stays.
                    let soon = self.now.since_start + Duration::from_secs(1);
                    self.timers.refresh = self.timers.refresh.filter(|at| *at <= soon);
                    self.plan_poll();
                }
                self.settle_quit(Some(&host), effects);
            }
            Err(_) => {
                if let Some(quitting) = &mut self.quitting
                    && quitting.deadline.is_some()
                    && quitting.stage == super::quit::Stage::AskHost
                {
                    quitting.deadline = Some(self.now.since_start);
                }
                self.settle_quit(None, effects);
            }
        }
    }

    pub(crate) fn take_connection(&mut self, connection: Connection, effects: &mut Vec<Effect>) {
        let back = connection == Connection::Online && self.connection != Connection::Online;
        // The readings of the start wait for the connection themselves.
        let begun = self.connection == Connection::Connecting
            && (self.list().read_at.is_some() || matches!(self.list().reading, Reading::Again(..)));
        self.connection = connection;
        if back && !begun {
            self.failures = 0;
            self.read_again(effects);
            self.load_host(effects);
        }
    }

    /// The host told of changes; more may come at once.
    pub(crate) fn gather(&mut self) {
        self.refresh_in(GATHER);
    }
}
