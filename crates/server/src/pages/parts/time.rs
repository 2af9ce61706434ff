//! Times. The server writes them in UTC, and the script keeps them current in the reader's zone.

use std::fmt;

use askama::filters::HtmlSafe;
use chrono::{Datelike as _, TimeDelta};
use ctxpin_model::moment::Moment;

/// The age from which a date says more than a number of days.
const SPAN_DAYS_MAX: i64 = 30;

/// From this many days before and after now, a clock time has a date instead of a day of the week.
const DATED_FROM_DAYS: i64 = 6;

/// The form of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As `20 min ago`, where [`Form::Span`] is `20 min`.
    Ago,
    Span,
    /// `Tue 14:02 UTC`, and `3 Nov 14:02 UTC` or `27 Dec 2026` if it is far away.
    Clock,
}

/// A time, relative to `now`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Time {
    at: Moment,
    now: Moment,
    form: Form,
}

impl Time {
    /// Returns a time as `20 min ago`.
    pub fn ago(at: Moment, now: Moment) -> Self {
        let form = Form::Ago;
        Self { at, now, form }
    }

    /// Returns a time as `20 min`.
    pub fn span(at: Moment, now: Moment) -> Self {
        let form = Form::Span;
        Self { at, now, form }
    }

    /// Returns a time as `Tue 14:02 UTC`.
    pub fn clock(at: Moment, now: Moment) -> Self {
        let form = Form::Clock;
        Self { at, now, form }
    }

    fn age(&self) -> TimeDelta {
        self.now.utc() - self.at.utc()
    }

    fn words(&self) -> String {
        let at = self.at.utc();
        let age = self.age();
        let form = match self.form {
            // A time of a clock that was set back since.
            Form::Ago if age <= -TimeDelta::minutes(1) => Form::Clock,
            form => form,
        };
        match form {
            Form::Clock if age.num_days().abs() < DATED_FROM_DAYS => {
                at.format("%a %H:%M UTC").to_string()
            }
            // The minute of a day that is to come matters to nobody.
            Form::Clock if age < TimeDelta::zero() => self.date(),
            Form::Clock => format!("{} {}", self.date(), at.format("%H:%M UTC")),
            _ if age.num_days() > SPAN_DAYS_MAX => self.date(),
            Form::Span => span(age),
            Form::Ago if age.num_minutes() < 1 => "just now".to_owned(),
            Form::Ago => format!("{} ago", span(age)),
        }
    }
}

impl Time {
    /// Returns the date. One of this year that has passed has no year.
    fn date(&self) -> String {
        let (at, now) = (self.at.utc(), self.now.utc());
        let form = match at.year() == now.year() && at <= now {
            true => "%-d %b",
            false => "%-d %b %Y",
        };
        at.format(form).to_string()
    }
}

fn span(age: TimeDelta) -> String {
    match (age.num_minutes(), age.num_hours(), age.num_days()) {
        (..1, _, _) => "a moment".to_owned(),
        (minutes @ ..60, _, _) => format!("{minutes} min"),
        (_, hours @ ..48, _) => format!("{hours} h"),
        (_, _, days) => format!("{days} days"),
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at.utc();
        let form = match self.form {
            Form::Ago => "ago",
            Form::Span => "span",
            Form::Clock => "clock",
        };
        let date = at.format("%Y-%m-%dT%H:%M:%SZ");
        let exact = at.format("%a %d %b %Y, %H:%M:%S UTC");
        write!(
            f,
            "<time datetime=\"{date}\" data-time=\"{form}\" title=\"{exact}\">{}",
            self.words()
        )?;
        if self.form != Form::Clock {
            let spoken = at.format("%-d %b %H:%M UTC");
            write!(f, "<span class=\"unseen\">, {spoken}</span>")?;
        }
        f.write_str("</time>")
    }
}

impl HtmlSafe for Time {}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn words_of_ages() {
        let now = Moment::from_unix_micros(1_795_788_000_000_000).unwrap();
        let check = |minutes: u64, expected: [&str; 3]| {
            let at = now.before(Duration::from_secs(60 * minutes));
            let times = [
                Time::ago(at, now),
                Time::span(at, now),
                Time::clock(at, now),
            ];
            assert_eq!(times.map(|time| time.words()), expected);
        };
        check(0, ["just now", "a moment", "Fri 14:00 UTC"]);
        check(20, ["20 min ago", "20 min", "Fri 13:40 UTC"]);
        check(60 * 47, ["47 h ago", "47 h", "Wed 15:00 UTC"]);
        check(60 * 48, ["2 days ago", "2 days", "Wed 14:00 UTC"]);
        check(60 * 24 * 40, ["18 Oct", "18 Oct", "18 Oct 14:00 UTC"]);
        let last_year = ["23 Oct 2025", "23 Oct 2025", "23 Oct 2025 14:00 UTC"];
        check(60 * 24 * 400, last_year);
        let check_future = |days: u64, expected: &str| {
            let at = now.after(Duration::from_secs(60 * 60 * 24 * days));
            assert_eq!(Time::clock(at, now).words(), expected);
        };
        let soon = now.after(Duration::from_secs(59));
        assert_eq!(Time::ago(soon, now).words(), "just now");
        let set_back = now.after(Duration::from_secs(60));
        assert_eq!(Time::ago(set_back, now).words(), "Fri 14:01 UTC");
        check_future(0, "Fri 14:00 UTC");
        check_future(5, "Wed 14:00 UTC");
        check_future(6, "3 Dec 2026");
        check_future(30, "27 Dec 2026");
        check_future(365, "27 Nov 2027");
    }

    #[test]
    fn the_exact_time_is_in_the_element() {
        let now = Moment::from_unix_micros(1_795_788_000_000_000).unwrap();
        assert_eq!(
            Time::ago(now, now).to_string(),
            "<time datetime=\"2026-11-27T14:00:00Z\" data-time=\"ago\" \
             title=\"Fri 27 Nov 2026, 14:00:00 UTC\">just now\
             <span class=\"unseen\">, 27 Nov 14:00 UTC</span></time>"
        );
    }
}
