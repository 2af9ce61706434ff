//! Times and sizes for people.

use chrono::{DateTime, Duration, SecondsFormat, Utc};

/// Returns the current time.
#[expect(
    clippy::disallowed_methods,
    reason = "the command line is where the time comes in"
)]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

/// Returns a time to the second, in UTC.
pub fn date(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Returns a time to the second, as the lines of a log begin with it.
pub fn stamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Returns a time, and how long before `now` it was.
pub fn since(time: DateTime<Utc>, now: DateTime<Utc>) -> String {
    format!("{} ({})", date(time), ago(time, now))
}

/// Returns how long before `now` a time was. A time in the near future, from a clock that differs,
/// is `just now`, and a later one, from a clock that was set back, says in how long it will be.
pub fn ago(time: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let passed = now - time;
    match passed {
        passed if passed <= -Duration::minutes(1) => format!("in {}", span(-passed)),
        passed if passed < Duration::seconds(2) => "just now".to_owned(),
        passed => format!("{} ago", span(passed)),
    }
}

fn span(passed: Duration) -> String {
    let (count, unit) = match passed {
        passed if passed < Duration::minutes(2) => (passed.num_seconds(), "seconds"),
        passed if passed < Duration::hours(2) => (passed.num_minutes(), "minutes"),
        passed if passed < Duration::days(2) => (passed.num_hours(), "hours"),
        passed => (passed.num_days(), "days"),
    };
    format!("{count} {unit}")
}

/// Returns a size. From one KiB on, it has at most three digits.
pub fn size(bytes: u64) -> String {
    const KIB: f64 = 1024.0;
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // Precise enough for the digits that are shown.
    let kib = bytes as f64 / KIB;
    match kib {
        kib if kib < 10.0 => format!("{kib:.1} KiB"),
        kib if kib < 1000.0 => format!("{kib:.0} KiB"),
        kib if kib < 10.0 * KIB => format!("{:.1} MiB", kib / KIB),
        kib if kib < 1000.0 * KIB => format!("{:.0} MiB", kib / KIB),
        kib => format!("{:.1} GiB", kib / KIB / KIB),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_the_unit_that_fits() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        for (seconds, expected) in [
            (-7200, "in 2 hours"),
            (-60, "in 60 seconds"),
            (-59, "just now"),
            (0, "just now"),
            (2, "2 seconds ago"),
            (119, "119 seconds ago"),
            (120, "2 minutes ago"),
            (7200, "2 hours ago"),
            (172_800, "2 days ago"),
        ] {
            assert_eq!(ago(now - Duration::seconds(seconds), now), expected);
        }
        assert_eq!(
            since(now - Duration::minutes(3), now),
            "2023-11-14 22:10:20 UTC (3 minutes ago)"
        );
        let to_the_nanosecond = now + Duration::nanoseconds(123_456_789);
        assert_eq!(stamp(to_the_nanosecond), "2023-11-14T22:13:20Z");
    }

    #[test]
    fn sizes_are_told_in_the_unit_that_fits() {
        for (bytes, expected) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (65_536, "64 KiB"),
            (1_048_576, "1.0 MiB"),
            (64 * 1_048_576, "64 MiB"),
            (10 << 30, "10.0 GiB"),
        ] {
            assert_eq!(size(bytes), expected);
        }
    }
}
