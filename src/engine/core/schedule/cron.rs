//! Cron expressions: five fields (minute, hour, day of the month, month, day of the week), in UTC.
//!
//! `*`, numbers, ranges `a-b`, steps `/n` and lists `,` in every field; months and days of the week also by the first
//! three letters of their English names; Sunday is 0 or 7. As in every Unix: when both the day of the month and the day
//! of the week are restricted (do not begin with `*`), a day that fits either of them fits.

use jiff::ToSpan;
use jiff::civil::{Date, Time};
use jiff::tz::Offset;

/// The times of a cron expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    any_day: bool,
    any_weekday: bool,
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
/// Days that are looked through for the next time. The rarest day is a 29th of February that is a certain day of the
/// week: around the end of a century it is 40 years away at most.
const DAYS_AHEAD: usize = 41 * 366;

impl Cron {
    /// Reads an expression; the error says what is wrong with it.
    pub fn parse(expression: &str) -> Result<Self, String> {
        let fields: Vec<&str> = expression.split_ascii_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields[..] else {
            return Err(format!("it must have 5 fields, not {}", fields.len()));
        };
        let weekday_bits = field("day of the week", weekdays, 0, 7, &WEEKDAYS, 0)?;
        Ok(Self {
            minutes: field("minute", minutes, 0, 59, &[], 0)?,
            hours: field("hour", hours, 0, 23, &[], 0)?,
            days: field("day of the month", days, 1, 31, &[], 0)?,
            months: field("month", months, 1, 12, &MONTHS, 1)?,
            // 7 is Sunday again.
            weekdays: (weekday_bits | weekday_bits >> 7) & 0x7f,
            any_day: days.starts_with('*'),
            any_weekday: weekdays.starts_with('*'),
        })
    }

    /// The first time after `after`, both in milliseconds since 1970; none when there is none.
    pub fn next(&self, after: i64) -> Option<i64> {
        let start = jiff::Timestamp::from_millisecond(after).ok()?;
        let start = Offset::UTC.to_datetime(start);
        let mut date = start.date();
        // The next full minute; midnight of the next day after the last one.
        let mut from = (i32::from(start.hour()) * 60) + i32::from(start.minute()) + 1;
        for _ in 0..DAYS_AHEAD {
            if self.fits_day(date)
                && let Some(minute) = (from..24 * 60).find(|minute| self.fits_minute(*minute))
            {
                let time = Time::new((minute / 60).try_into().ok()?, (minute % 60).try_into().ok()?, 0, 0).ok()?;
                return Some(Offset::UTC.to_timestamp(date.to_datetime(time)).ok()?.as_millisecond());
            }
            date = date.checked_add(1.day()).ok()?;
            from = 0;
        }
        None
    }

    fn fits_minute(&self, minute: i32) -> bool {
        self.hours >> (minute / 60) & 1 == 1 && self.minutes >> (minute % 60) & 1 == 1
    }

    fn fits_day(&self, date: Date) -> bool {
        let day = self.days >> date.day() & 1 == 1;
        let weekday = self.weekdays >> date.weekday().to_sunday_zero_offset() & 1 == 1;
        let fits = if self.any_day || self.any_weekday { day && weekday } else { day || weekday };
        fits && self.months >> date.month() & 1 == 1
    }
}

/// The numbers of a field, each a bit.
fn field(what: &str, text: &str, least: u32, most: u32, names: &[&str], first: u32) -> Result<u64, String> {
    let number = |text: &str| -> Result<u32, String> {
        let named = names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let named = named.and_then(|at| u32::try_from(at).ok()).map(|at| at + first);
        let digits = || if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None };
        match named.or_else(digits) {
            Some(number) if (least..=most).contains(&number) => Ok(number),
            _ => Err(format!("the {what} must be from {least} to {most}, not {text:?}")),
        }
    };
    let mut bits = 0u64;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => match step.parse::<u32>() {
                Ok(step) if step > 0 && step <= most => (range, Some(step)),
                _ => return Err(format!("the step of the {what} must be from 1 to {most}, not {step:?}")),
            },
            None => (part, None),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (least, most),
            Some((from, to)) => (number(from)?, number(to)?),
            // From there on, when there is a step.
            None => (number(range)?, if step.is_some() { most } else { number(range)? }),
        };
        if from > to {
            return Err(format!("the {what} has the range {range} that ends before it begins"));
        }
        for value in (from..=to).step_by(step.unwrap_or(1) as usize) {
            bits |= 1 << value;
        }
    }
    Ok(bits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
    }

    fn next(expression: &str, after: &str) -> String {
        match Cron::parse(expression).unwrap().next(at(after)) {
            Some(next) => jiff::Timestamp::from_millisecond(next).unwrap().to_string(),
            None => "never".to_owned(),
        }
    }

    #[test]
    fn the_next_time_is_found() {
        for (expression, after, expected) in [
            ("* * * * *", "2026-11-21T10:15:30Z", "2026-11-21T10:16:00Z"),
            ("* * * * *", "2026-11-21T10:15:00Z", "2026-11-21T10:16:00Z"),
            ("* * * * *", "2026-12-31T23:59:59.999Z", "2027-01-01T00:00:00Z"),
            ("*/15 * * * *", "2026-11-21T10:46:00Z", "2026-11-21T11:00:00Z"),
            ("5/20 * * * *", "2026-11-21T10:26:00Z", "2026-11-21T10:45:00Z"),
            ("0 9-17/4 * * *", "2026-11-21T13:00:00Z", "2026-11-21T17:00:00Z"),
            ("0 9 * * 1-5", "2026-11-21T10:00:00Z", "2026-11-23T09:00:00Z"),
            ("0 9 * * MON,wed", "2026-11-23T10:00:00Z", "2026-11-25T09:00:00Z"),
            ("0 0 * * 7", "2026-11-21T10:00:00Z", "2026-11-22T00:00:00Z"),
            ("0 0 * * 5-7", "2026-11-22T00:00:00Z", "2026-11-27T00:00:00Z"),
            ("30 6 1 jan-mar *", "2026-11-21T10:00:00Z", "2027-01-01T06:30:00Z"),
            ("0 0 31 * *", "2026-11-21T10:00:00Z", "2026-12-31T00:00:00Z"),
            ("0 0 29 2 *", "2026-11-21T10:00:00Z", "2028-02-29T00:00:00Z"),
            ("0 0 29 2 *", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"),
            ("0 0 30 2 *", "2026-11-21T10:00:00Z", "never"),
            // Both days restricted: either fits. One that begins with `*` is not restricted.
            ("0 0 13 * 5", "2026-11-21T10:00:00Z", "2026-11-27T00:00:00Z"),
            ("0 0 13 * 5", "2026-12-12T00:00:00Z", "2026-12-13T00:00:00Z"),
            ("0 0 */2 * 5", "2026-11-21T10:00:00Z", "2026-11-27T00:00:00Z"),
            ("0 0 */2 * 5", "2026-11-28T00:00:00Z", "2026-12-11T00:00:00Z"),
        ] {
            assert_eq!(next(expression, after), expected, "{expression} after {after}");
        }
    }

    #[test]
    fn what_is_no_cron_expression_is_refused() {
        for (expression, wrong) in [
            ("", "it must have 5 fields, not 0"),
            ("* * * *", "it must have 5 fields, not 4"),
            ("0 * * * * *", "it must have 5 fields, not 6"),
            ("@daily", "it must have 5 fields, not 1"),
            ("60 * * * *", "the minute must be from 0 to 59, not \"60\""),
            ("-1 * * * *", "the minute must be from 0 to 59, not \"\""),
            ("+1 * * * *", "the minute must be from 0 to 59, not \"+1\""),
            ("* 24 * * *", "the hour must be from 0 to 23, not \"24\""),
            ("* * 0 * *", "the day of the month must be from 1 to 31, not \"0\""),
            ("* * * 13 *", "the month must be from 1 to 12, not \"13\""),
            ("* * * * 8", "the day of the week must be from 0 to 7, not \"8\""),
            ("* * * mon *", "the month must be from 1 to 12, not \"mon\""),
            ("*/0 * * * *", "the step of the minute must be from 1 to 59, not \"0\""),
            ("9-5 * * * *", "the minute has the range 9-5 that ends before it begins"),
            ("1, * * * *", "the minute must be from 0 to 59, not \"\""),
        ] {
            assert_eq!(Cron::parse(expression), Err(wrong.to_owned()), "{expression:?}");
        }
    }

    fn any_part(least: u32, most: u32) -> impl Strategy<Value = String> {
        prop_oneof![
            Just("*".to_owned()),
            (1..=7u32).prop_map(|step| format!("*/{step}")),
            (least..=most).prop_map(|number| number.to_string()),
            (least..=most, least..=most, 1..=5u32)
                .prop_map(|(a, b, step)| { format!("{}-{}/{step}", a.min(b), a.max(b)) }),
            (least..=most, least..=most).prop_map(|(a, b)| format!("{a},{b}")),
        ]
    }

    proptest! {
        /// The time found fits, and no minute before it does.
        #[test]
        fn no_earlier_time_fits(
            minute in any_part(0, 59), hour in any_part(0, 23), day in any_part(1, 31), month in any_part(1, 12),
            weekday in any_part(0, 7), after in 0i64..4_000_000_000_000,
        ) {
            let cron = Cron::parse(&format!("{minute} {hour} {day} {month} {weekday}")).unwrap();
            let fits = |time: i64| {
                let time = Offset::UTC.to_datetime(jiff::Timestamp::from_millisecond(time).unwrap());
                cron.fits_day(time.date()) && cron.fits_minute(i32::from(time.hour()) * 60 + i32::from(time.minute()))
            };
            let first = (after.div_euclid(60_000) + 1) * 60_000;
            match cron.next(after) {
                Some(next) => {
                    prop_assert!(next > after && next % 60_000 == 0 && fits(next));
                    let missed = (first..next.min(first + 60_000 * 1500)).step_by(60_000).find(|time| fits(*time));
                    prop_assert_eq!(missed, None);
                }
                None => prop_assert!(!(0..1500).any(|minutes| fits(first + minutes * 60_000))),
            }
        }

        #[test]
        fn no_text_panics(text in "[0-9*,/ a-z-]{0,30}", after: i64) {
            if let Ok(cron) = Cron::parse(&text) {
                let _ = cron.next(after);
            }
        }
    }
}
