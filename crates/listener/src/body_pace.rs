//! How fast the body of a request must come.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use tokio::time::{Instant, timeout_at};

use crate::limits::Limits;

/// Reads a body that must come at a least rate. Each byte gives time for the next ones. A caller who
/// sends quickly gains no more than one pause, because the server holds what was sent for as long as
/// the rest takes.
pub struct BodyPace {
    latest: Instant,
    pause_max: Duration,
    rate_min: u64,
}

/// Why no more of a body is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The caller sent too little for too long.
    #[error(
        "it came too slowly: at least {rate_min} bytes a second are needed on the whole, and something \
         every {} s",
        pause_max.as_secs()
    )]
    TooSlow {
        /// Bytes a second.
        rate_min: u64,
        /// The longest wait for the next byte.
        pause_max: Duration,
    },
    /// The body ended before it was whole, or its framing is wrong.
    #[error("it broke off")]
    Broken,
}

impl BodyPace {
    /// Begins to wait for the first piece of a body.
    pub fn new(limits: &Limits) -> Self {
        Self {
            latest: Instant::now() + limits.body_pause_max,
            pause_max: limits.body_pause_max,
            rate_min: limits.body_rate_min,
        }
    }

    /// Returns the next piece of the body, or `None` at its end.
    ///
    /// # Errors
    ///
    /// If the piece does not come in time, or the body breaks off.
    pub async fn next<S, E>(&mut self, pieces: &mut S) -> Result<Option<Bytes>, BodyError>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin,
    {
        match timeout_at(self.latest, pieces.next()).await {
            Ok(None) => Ok(None),
            Ok(Some(Ok(piece))) => {
                let time = Duration::from_secs_f64(piece.len() as f64 / self.rate_min as f64);
                let pause = Instant::now() + self.pause_max;
                self.latest = pause.min(self.latest + time);
                Ok(Some(piece))
            }
            Ok(Some(Err(_))) => Err(BodyError::Broken),
            Err(_) => Err(BodyError::TooSlow {
                rate_min: self.rate_min,
                pause_max: self.pause_max,
            }),
        }
    }
}
