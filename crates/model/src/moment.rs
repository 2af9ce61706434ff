//! Points in time with the resolution of PostgreSQL, so that a value read from a database equals the
//! value that was written.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};

/// By how much the clocks of replicas may differ. A stored moment that is further ahead comes from the time before a
/// clock was set back.
pub const CLOCKS_DIFFER_MAX: Duration = Duration::from_secs(10);

/// A point in time in UTC with a resolution of one microsecond.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(DateTime<Utc>);

impl Moment {
    /// Truncates `time` to microseconds.
    pub fn new(time: DateTime<Utc>) -> Self {
        Self(time.trunc_subsecs(6))
    }

    /// Returns the moment `micros` microseconds after 1970-01-01T00:00:00Z, or `None` if it is out of
    /// the range of dates.
    pub fn from_unix_micros(micros: i64) -> Option<Self> {
        DateTime::from_timestamp_micros(micros).map(Self)
    }

    /// Returns the moment as a `chrono` type.
    pub fn utc(self) -> DateTime<Utc> {
        self.0
    }

    /// Returns the time since 1970-01-01T00:00:00Z, which is zero for earlier moments.
    pub fn since_unix_epoch(self) -> Duration {
        (self.0 - DateTime::UNIX_EPOCH).to_std().unwrap_or_default()
    }

    /// Returns the moment `duration` later, or the same moment if the result is out of range.
    pub fn after(self, duration: Duration) -> Self {
        chrono::Duration::from_std(duration)
            .ok()
            .and_then(|duration| self.0.checked_add_signed(duration))
            .map_or(self, Self::new)
    }

    /// Returns the moment `duration` earlier, or the same moment if the result is out of range.
    pub fn before(self, duration: Duration) -> Self {
        chrono::Duration::from_std(duration)
            .ok()
            .and_then(|duration| self.0.checked_sub_signed(duration))
            .map_or(self, Self::new)
    }

    /// Returns whether something that was noted at this moment is to be noted again at `now`: after `every`, or if a
    /// clock was set back since.
    pub fn is_due(self, every: Duration, now: Self) -> bool {
        self.after(every) <= now || self > now.after(CLOCKS_DIFFER_MAX)
    }
}

impl fmt::Display for Moment {
    /// Writes RFC 3339 in UTC, with 0, 3 or 6 digits of a second's fraction.
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
