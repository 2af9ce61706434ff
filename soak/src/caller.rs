//! One caller of the servers. It picks a replica for each request, records how each request ended,
//! and waits for servers that are down.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ctxpin_client::Client;
use ctxpin_client::error::ClientError;
use ctxpin_protocol::http::people::Secret;
use ctxpin_protocol::problem::ProblemName;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use url::Url;

use crate::ledger::{Ledger, Span};
use crate::servers::{LOOK_INTERVAL, READY_TIME_MAX};

/// The longest wait for one response. A request that takes longer is unknown, like one whose
/// response was lost.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);

/// The percentage of the requests for a paused replica that really go there.
const PAUSED_PERCENT: u32 = 10;

/// How a request ended.
pub enum Outcome<T> {
    /// It is done.
    Acknowledged(T, Span),
    /// It is not done, and never will be.
    Refused(Option<ProblemName>),
    /// It is done or it is not.
    Unknown,
}

/// A caller with a token and random choices of its own.
pub struct Caller {
    clients: Vec<Client>,
    /// The record of its requests.
    pub ledger: Arc<Ledger>,
    /// The source of the caller's choices.
    pub random: StdRng,
}

impl Caller {
    /// Returns a caller of the servers at `addresses`.
    pub fn new(
        addresses: &[Url],
        token: &Secret,
        ledger: &Arc<Ledger>,
        seed: u64,
    ) -> Result<Self, ClientError> {
        let clients = addresses.iter().cloned();
        let clients = clients.map(|address| Client::new(address, token.clone()));
        Ok(Self {
            clients: clients.collect::<Result<_, _>>()?,
            ledger: Arc::clone(ledger),
            random: StdRng::seed_from_u64(seed),
        })
    }

    /// Returns a random replica, mostly one that is not paused, as a load balancer would choose it.
    pub fn client(&mut self) -> Client {
        let paused = self.ledger.open().paused;
        loop {
            let index = self.random.random_range(0..self.clients.len());
            if paused != Some(index) || self.chance(PAUSED_PERCENT) {
                return self.clients[index].clone();
            }
        }
    }

    /// Returns `true` with a probability of `percent` in a hundred.
    pub fn chance(&mut self, percent: u32) -> bool {
        self.random.random_range(0..100) < percent
    }

    /// Waits for a random time of up to `millis_max` milliseconds, as between the requests of a
    /// person or a program.
    pub async fn pause(&mut self, millis_max: u64) {
        let millis = self.random.random_range(0..=millis_max);
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }

    /// Awaits one request and records its result.
    pub async fn call<T>(
        &self,
        kind: &'static str,
        request: impl Future<Output = Result<T, ClientError>>,
    ) -> Outcome<T> {
        let began = Instant::now();
        let answer = tokio::time::timeout(ANSWER_TIME_MAX, request).await;
        let mut state = self.ledger.open();
        let error = match answer {
            Ok(Ok(answer)) => {
                state.operations.entry(kind).or_default().acknowledged += 1;
                return Outcome::Acknowledged(answer, span(began));
            }
            Ok(Err(error)) if !is_unknown(&error) => error,
            Ok(Err(_)) | Err(_) => {
                state.operations.entry(kind).or_default().unknown += 1;
                let was_paused =
                    state.paused.is_some() || state.resumed.is_some_and(|resumed| resumed > began);
                if answer.is_err() && !was_paused {
                    let most = ANSWER_TIME_MAX.as_secs();
                    state.violation(format!("{kind} was not answered within {most} s"));
                }
                return Outcome::Unknown;
            }
        };
        state.operations.entry(kind).or_default().refused += 1;
        let name = error.problem_name();
        let told = name.map_or_else(
            || "no problem of ctxpin's".to_owned(),
            |name| name.as_str().to_owned(),
        );
        *state.problems.entry(told).or_default() += 1;
        // The server must report a fault of the database as such, so that the caller knows to
        // retry.
        if !matches!(
            error.problem().map(|problem| problem.status),
            Some(400..=499)
        ) {
            state.violation(format!("{kind} was answered: {error}"));
        }
        Outcome::Refused(name)
    }

    /// Sends a request until a response comes. Returns `None` if no server comes back.
    pub async fn call_until_answered<T, F>(
        &mut self,
        kind: &'static str,
        request: impl Fn(Client) -> F,
    ) -> Option<Result<(T, Span), Option<ProblemName>>>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        loop {
            let client = self.client();
            match self.call(kind, request(client)).await {
                Outcome::Acknowledged(answer, span) => return Some(Ok((answer, span))),
                Outcome::Refused(name) => return Some(Err(name)),
                Outcome::Unknown if self.await_any().await => {}
                Outcome::Unknown => return None,
            }
        }
    }

    /// Waits until a replica is ready. Returns `false` if none is for [`READY_TIME_MAX`].
    pub async fn await_any(&mut self) -> bool {
        let began = Instant::now();
        while let Err(error) = self.client().readiness_check().await {
            let waited = began.elapsed();
            if waited > READY_TIME_MAX {
                let mut state = self.ledger.open();
                state.violation(format!("no server came back within {waited:?}: {error}"));
                return false;
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
        true
    }
}

/// Returns whether the server may have done the request although the response is an error.
fn is_unknown(error: &ClientError) -> bool {
    error.is_transient()
}

fn span(began: Instant) -> Span {
    Span {
        began,
        ended: Instant::now(),
        ended_micros: wall_clock_micros(),
    }
}

/// Returns the machine's clock, in microseconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "the servers' own times are compared with it, and they read the system's clock"
)]
pub fn wall_clock_micros() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    let micros = since_1970.map_or(0, |since| since.as_micros());
    i64::try_from(micros).unwrap_or(i64::MAX)
}
