//! Spans of time as people write them in a setting or a flag.

use std::time::Duration;

/// Reads `90d`, `12h`, `30m`, `45s` or `2w`. The error goes on after the name of what was read: "is not ...".
pub fn parse(written: &str) -> Result<Duration, String> {
    let wrong = || "is not a span of time such as 90d, 12h or 30m".to_owned();
    let written = written.trim();
    let unit = written.chars().next_back().ok_or_else(wrong)?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        'w' => 7 * 24 * 60 * 60,
        _ => return Err(wrong()),
    };
    let number = written.strip_suffix(unit).unwrap_or_default().trim_end();
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let number: Option<u64> = number.parse().ok();
    // Milliseconds since 1970 must have room for it on both sides of now.
    let all = number.and_then(|number| number.checked_mul(seconds)).filter(|all| *all < 1 << 40);
    all.map(Duration::from_secs).ok_or_else(|| "is too long a time".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_people_write_them() {
        for (written, seconds) in [("90d", 7_776_000), ("12h", 43_200), (" 30 m ", 1800), ("0s", 0), ("2w", 1_209_600)]
        {
            assert_eq!(parse(written), Ok(Duration::from_secs(seconds)), "{written}");
        }
        for wrong in ["", "d", "90", "-1d", "+1d", "1.5h", "90 days", "99999999999999999999d", "9999999999999w", "é"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
