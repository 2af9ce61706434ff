//! A point in time, cut to microseconds when it is made, so that a value read from a database
//! equals the value that was written: PostgreSQL keeps no nanoseconds.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};

/// A point in time in UTC with a resolution of one microsecond.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(DateTime<Utc>);

impl Moment {
    /// Cuts `time` to microseconds.
    pub fn new(time: DateTime<Utc>) -> Self {
        Self(time.trunc_subsecs(6))
    }

    /// The moment that many microseconds after 1970-01-01T00:00:00Z, if a calendar can hold it.
    pub fn from_unix_micros(micros: i64) -> Option<Self> {
        DateTime::from_timestamp_micros(micros).map(Self)
    }

    /// The moment as `chrono` writes it.
    pub fn utc(self) -> DateTime<Utc> {
        self.0
    }

    /// The time passed since 1970-01-01T00:00:00Z; zero for anything before.
    pub fn since_unix_epoch(self) -> Duration {
        (self.0 - DateTime::UNIX_EPOCH).to_std().unwrap_or_default()
    }

    /// The moment `duration` later, or the same one where the calendar ends.
    pub fn after(self, duration: Duration) -> Self {
        chrono::Duration::from_std(duration)
            .ok()
            .and_then(|duration| self.0.checked_add_signed(duration))
            .map_or(self, Self::new)
    }

    /// The moment `duration` earlier, or the same one where the calendar begins.
    pub fn before(self, duration: Duration) -> Self {
        chrono::Duration::from_std(duration)
            .ok()
            .and_then(|duration| self.0.checked_sub_signed(duration))
            .map_or(self, Self::new)
    }
}

impl fmt::Display for Moment {
    /// RFC 3339 in UTC, with as many digits as are not zero.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nanoseconds_are_cut() {
        let time = DateTime::from_timestamp(1, 123_456_789).unwrap();
        assert_eq!(Moment::new(time).to_string(), "1970-01-01T00:00:01.123456Z");
    }
}
