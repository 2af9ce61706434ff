//! A clock that is passed as an argument: the machine's, or a standing clock, which a test sets.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use ctxpin_model::moment::Moment;

/// A source of the current time. Clones share it.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    /// Microseconds since 1970-01-01T00:00:00Z.
    Set(Arc<AtomicI64>),
}

impl Clock {
    /// Returns the clock of this machine.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// Returns a standing clock. It shows `start` until a test sets or advances it.
    pub fn standing_at(start: Moment) -> Self {
        let micros = i64::try_from(start.since_unix_epoch().as_micros()).unwrap_or(i64::MAX);
        Self(Source::Set(Arc::new(AtomicI64::new(micros))))
    }

    /// Returns the current time.
    pub fn now(&self) -> Moment {
        match &self.0 {
            Source::System => system_now(),
            Source::Set(micros) => {
                Moment::from_unix_micros(micros.load(Ordering::SeqCst)).unwrap_or_else(system_now)
            }
        }
    }

    /// Sets a standing clock to any moment, even an earlier one. A clock from
    /// [`Self::system`] ignores the call.
    pub fn set(&self, moment: Moment) {
        if let Source::Set(micros) = &self.0 {
            let to = i64::try_from(moment.since_unix_epoch().as_micros()).unwrap_or(i64::MAX);
            micros.store(to, Ordering::SeqCst);
        }
    }

    /// Moves a standing clock forward. A clock from [`Self::system`] ignores the call.
    pub fn advance(&self, duration: Duration) {
        if let Source::Set(micros) = &self.0 {
            let by = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
            micros.fetch_add(by, Ordering::SeqCst);
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that asks the machine for the time"
)]
fn system_now() -> Moment {
    Moment::new(chrono::Utc::now())
}
