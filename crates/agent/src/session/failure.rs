//! The meaning of a failed request for a session.

use std::collections::BTreeSet;
use std::time::Duration;

use ctxpin_client::error::ClientError;
use ctxpin_model::hash::BlobHash;
use ctxpin_protocol::problem::ProblemName;

/// The meaning of a failed request. Reasons are for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// The same request may succeed later.
    Transient {
        reason: String,
        /// The time in which the server wants no further request.
        retry_after: Option<Duration>,
    },
    /// The push names bytes that the server lacks.
    MissingBlobs { missing: BTreeSet<BlobHash> },
    /// The server would refuse the same request again.
    Refused { reason: String },
    /// The server has no room for the push until somebody frees some.
    NoRoom { reason: String },
    /// A newer process of this agent has taken over.
    Fenced { reason: String },
    /// Another agent has replaced this one.
    Replaced { reason: String },
    /// The server does not know the token.
    Unauthenticated { reason: String },
}

impl Failure {
    /// Returns what a failed request means.
    pub fn of(error: &ClientError) -> Self {
        let reason = error.to_string();
        if let ClientError::MalformedToken { .. } = error {
            return Self::Unauthenticated { reason };
        }
        match error.problem_name() {
            Some(ProblemName::Fenced) => return Self::Fenced { reason },
            Some(ProblemName::AgentReplaced) => return Self::Replaced { reason },
            Some(ProblemName::QuotaExceeded) if !error.is_transient() => {
                return Self::NoRoom { reason };
            }
            Some(ProblemName::Unauthenticated) => return Self::Unauthenticated { reason },
            Some(ProblemName::MissingBlobs) => {
                let missing = error.problem().into_iter().flat_map(|p| &p.missing);
                // A hash that does not parse is not in the push. If no hash is left, the plan gives up.
                let missing = missing.filter_map(|hash| hash.parse().ok()).collect();
                return Self::MissingBlobs { missing };
            }
            _ => {}
        }
        if is_final(error) {
            return Self::Refused { reason };
        }
        Self::Transient {
            reason,
            retry_after: error.retry_after(),
        }
    }
}

/// Returns whether the same request would fail again. A response that is not from ctxpin comes from
/// something in front of the server, which may recover soon. Only a body that is too large for that other
/// program stays too large.
fn is_final(error: &ClientError) -> bool {
    match error {
        ClientError::InvalidServer { .. }
        | ClientError::PlainHttp { .. }
        | ClientError::MalformedToken { .. }
        | ClientError::UnknownCode { .. }
        | ClientError::InvalidRequest(_)
        | ClientError::BodyTooLarge { .. } => true,
        ClientError::Problem { problem, .. } => {
            !error.is_transient() && (400..500).contains(&problem.status)
        }
        ClientError::Unexpected { .. }
        | ClientError::Unreachable { .. }
        | ClientError::Unproven { .. }
        | ClientError::ProofDelayed { .. }
        | ClientError::TimedOut { .. }
        | ClientError::StreamBroken { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ctxpin_protocol::problem::Problem;

    fn problem(name: ProblemName, seconds: Option<u64>) -> ClientError {
        ClientError::Problem {
            problem: Box::new(Problem::new(name, "why")),
            retry_after: seconds.map(Duration::from_secs),
            token_origin: None,
        }
    }

    fn unexpected(status: u16) -> ClientError {
        ClientError::Unexpected {
            server: "http://s/".into(),
            status,
            reason: "and no problem of ctxpin's".into(),
            retry_after: None,
        }
    }

    #[test]
    fn failures_are_classified() {
        let check = |error: ClientError, expected: &str| {
            let failure = format!("{:?}", Failure::of(&error));
            assert!(failure.starts_with(expected), "{error}: {failure}");
        };
        check(problem(ProblemName::Fenced, None), "Fenced");
        check(problem(ProblemName::AgentReplaced, None), "Replaced");
        check(
            problem(ProblemName::Unauthenticated, None),
            "Unauthenticated",
        );
        check(problem(ProblemName::Forbidden, None), "Refused");
        check(problem(ProblemName::InvalidManifest, None), "Refused");
        check(problem(ProblemName::HashMismatch, None), "Refused");
        check(problem(ProblemName::TooLarge, None), "Refused");
        check(problem(ProblemName::QuotaExceeded, Some(7)), "Transient");
        let no_room = Problem::new(ProblemName::QuotaExceeded, "why").without_room();
        let no_room = ClientError::Problem {
            problem: Box::new(no_room),
            retry_after: None,
            token_origin: None,
        };
        check(no_room, "NoRoom");
        check(problem(ProblemName::Internal, None), "Transient");
        check(problem(ProblemName::SyncPaused, Some(7)), "Transient");
        check(unexpected(200), "Transient");
        check(unexpected(404), "Transient");
        let too_large = ClientError::BodyTooLarge {
            server: "http://s/".into(),
            bytes: 7,
        };
        check(too_large, "Refused");
        check(unexpected(502), "Transient");
        check(ClientError::InvalidRequest("x".into()), "Refused");
    }

    #[test]
    fn what_the_server_says_is_kept() {
        let paused = Failure::of(&problem(ProblemName::SyncPaused, Some(7)));
        let Failure::Transient {
            reason,
            retry_after,
        } = paused
        else {
            panic!("{paused:?}");
        };
        assert_eq!(reason, "Pushes are paused: why");
        assert_eq!(retry_after, Some(Duration::from_secs(7)));
        let hash = BlobHash::of(b"x");
        let missing = vec![hash.to_string(), "sha256:no".to_owned()];
        let error = ClientError::Problem {
            problem: Box::new(Problem::new(ProblemName::MissingBlobs, "").with_missing(missing)),
            retry_after: None,
            token_origin: None,
        };
        assert_eq!(
            Failure::of(&error),
            Failure::MissingBlobs {
                missing: [hash].into()
            }
        );
    }
}
