//! When to draw: input at once, data at most so often.

use std::time::Duration;

/// Decides when a changed screen is drawn. Times are since the program started.
#[derive(Debug)]
pub(super) struct Pace {
    /// Between two frames that data asked for.
    interval: Duration,
    last: Option<Duration>,
    /// The screen changed, and no frame shows it yet; when one is due.
    due: Option<Duration>,
}

impl Pace {
    pub(super) fn new(interval: Duration) -> Self {
        Self { interval, last: None, due: None }
    }

    /// The screen changed. Keys, pastes and sizes are `urgent`.
    pub(super) fn changed(&mut self, now: Duration, urgent: bool) {
        let next = match self.last {
            Some(last) if !urgent => now.max(last + self.interval),
            _ => now,
        };
        self.due = Some(self.due.map_or(next, |due| due.min(next)));
    }

    /// When the next frame is due, if there is something to draw.
    pub(super) fn due(&self) -> Option<Duration> {
        self.due
    }

    /// A frame was drawn.
    pub(super) fn drawn(&mut self, now: Duration) {
        self.due = None;
        self.last = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn data_waits_and_input_does_not() {
        let mut pace = Pace::new(ms(33));
        assert_eq!(pace.due(), None);
        pace.changed(ms(5), false);
        assert_eq!(pace.due(), Some(ms(5)));
        pace.drawn(ms(5));
        assert_eq!(pace.due(), None);
        pace.changed(ms(10), false);
        pace.changed(ms(20), false);
        assert_eq!(pace.due(), Some(ms(38)));
        pace.changed(ms(21), true);
        assert_eq!(pace.due(), Some(ms(21)));
        pace.drawn(ms(21));
        pace.changed(ms(100), false);
        assert_eq!(pace.due(), Some(ms(100)));
    }
}
