//! Times for people: ages, and clocks in the person's zone.

use jiff::Timestamp;
use jiff::tz::TimeZone;

fn seconds(from: Timestamp, now: Timestamp) -> i64 {
    now.as_second().saturating_sub(from.as_second()).max(0)
}

/// How old something is, in at most four columns: `40s 12m 5h 3d 2y`.
pub fn age(from: Timestamp, now: Timestamp) -> String {
    match seconds(from, now) {
        s @ 0..60 => format!("{s}s"),
        s @ 60..3_600 => format!("{}m", s / 60),
        s @ 3_600..86_400 => format!("{}h", s / 3_600),
        s if s < 86_400 * 730 => format!("{}d", s / 86_400),
        s => format!("{}y", s / (86_400 * 365)),
    }
}

/// How long ago something was, in words.
pub fn ago(from: Timestamp, now: Timestamp) -> String {
    match seconds(from, now) {
        0..5 => "just now".to_owned(),
        s @ 5..60 => format!("{s} s ago"),
        s @ 60..3_600 => format!("{} min ago", s / 60),
        s @ 3_600..86_400 => format!("{} h ago", s / 3_600),
        s if s < 172_800 => "1 day ago".to_owned(),
        s => format!("{} days ago", s / 86_400),
    }
}

/// A length of time in words: `10 s`, `3 min`, `2 h`, `4 days`.
pub fn span(from: Timestamp, to: Timestamp) -> String {
    match seconds(from, to) {
        s @ 0..60 => format!("{s} s"),
        s @ 60..3_600 => format!("{} min", s / 60),
        s @ 3_600..86_400 => format!("{} h", s / 3_600),
        s if s < 172_800 => "1 day".to_owned(),
        s => format!("{} days", s / 86_400),
    }
}

/// The time of the day today, else with as much of the date as is needed.
pub fn clock(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let (then, today) = (at.to_zoned(zone.clone()), now.to_zoned(zone.clone()));
    let yesterday = today.yesterday().ok().map(|day| day.date());
    if then.date() == today.date() {
        then.strftime("%H:%M").to_string()
    } else if yesterday == Some(then.date()) {
        then.strftime("yesterday %H:%M").to_string()
    } else if then.year() == today.year() {
        then.strftime("%-d %b %H:%M").to_string()
    } else {
        then.strftime("%Y-%m-%d %H:%M").to_string()
    }
}

/// The whole time with its zone, for receipts.
pub fn exact(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_in_the_persons_zone() {
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        let now: Timestamp = "2026-11-21T23:30:00Z".parse().unwrap();
        let cases = [
            ("2026-11-21T23:29:20Z", "40s", "40 s ago", "00:29"),
            ("2026-11-21T23:05:00Z", "25m", "25 min ago", "00:05"),
            ("2026-11-21T13:02:00Z", "10h", "10 h ago", "yesterday 14:02"),
            ("2026-11-18T13:02:00Z", "3d", "3 days ago", "18 Nov 14:02"),
            ("2024-10-01T13:02:00Z", "2y", "781 days ago", "2024-10-01 14:02"),
            ("2026-11-22T13:02:00Z", "0s", "just now", "14:02"),
        ];
        for (at, short, long, shown) in cases {
            let at: Timestamp = at.parse().unwrap();
            assert_eq!((age(at, now).as_str(), ago(at, now).as_str()), (short, long));
            assert_eq!(clock(at, now, &zone), shown);
        }
        assert_eq!(exact(now, &zone), "2026-11-22 00:30:00 +01");
    }
}
