//! The minimum rate of a request's body.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use tokio::time::{Instant, timeout_at};

use crate::limits::Limits;

/// A reader of a body with a minimum rate. Each byte extends the time for the next ones. A fast caller gains at
/// most one pause, because the server holds the body in memory until its end.
pub struct BodyPace {
    latest: Instant,
    pause_max: Duration,
    rate_min: u64,
}

/// The error of a body that could not be read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The caller sent too little for too long.
    #[error(
        "it came too slowly: send {rate_min} bytes a second on average, and at least one byte \
         every {} s",
        pause_max.as_secs()
    )]
    TooSlow {
        /// The minimum average rate, in bytes a second.
        rate_min: u64,
        /// The longest wait for the next byte.
        pause_max: Duration,
    },
    /// The body ended early, or its framing is wrong.
    #[error("it ended early")]
    Broken,
}

impl BodyPace {
    /// Starts the time for the first piece of a body.
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
    /// Returns [`BodyError::TooSlow`] if the piece does not come in time, and [`BodyError::Broken`] if the body
    /// ends early.
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;
    use tokio::time::sleep;

    use super::*;

    /// Reads pieces of the given sizes, each the given number of seconds after the one before. Returns the
    /// seconds until the end of the body or the error.
    async fn read(pieces: &[(usize, u64)]) -> (u64, Result<(), BodyError>) {
        let begun = Instant::now();
        let sent = pieces
            .iter()
            .map(|(bytes, seconds)| (vec![b'a'; *bytes], *seconds));
        let mut body = Box::pin(stream::unfold(sent, |mut sent| async move {
            let (piece, seconds) = sent.next()?;
            sleep(Duration::from_secs(seconds)).await;
            Some((Ok::<_, Infallible>(Bytes::from(piece)), sent))
        }));
        let mut pace = BodyPace::new(&Limits {
            body_pause_max: Duration::from_secs(30),
            body_rate_min: 10,
            ..Limits::default()
        });
        let ended = loop {
            match pace.next(&mut body).await {
                Ok(Some(_)) => {}
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        (begun.elapsed().as_secs(), ended)
    }

    #[tokio::test(start_paused = true)]
    async fn each_byte_gives_time_for_the_next_ones() {
        let too_slow = Err(BodyError::TooSlow {
            rate_min: 10,
            pause_max: Duration::from_secs(30),
        });
        assert_eq!(read(&[]).await, (0, Ok(())));
        assert_eq!(read(&[(1, 29), (0, 0)]).await, (29, Ok(())));
        assert_eq!(read(&[(1, 31)]).await, (30, too_slow));
        // 200 bytes give 20 s, and 100 of them 10 s.
        assert_eq!(read(&[(200, 20), (1, 29)]).await, (49, Ok(())));
        assert_eq!(read(&[(100, 20), (1, 29)]).await, (40, too_slow));
        // At the minimum rate a body may take any time.
        let steady = [(100, 10); 60];
        assert_eq!(read(&steady).await, (600, Ok(())));
        let dripping = [(1, 1); 60];
        assert_eq!(read(&dripping).await, (33, too_slow));
        // A fast caller gains at most one pause.
        assert_eq!(read(&[(1_000_000, 0), (1, 31)]).await, (30, too_slow));
    }
}
