//! What can go wrong between a caller and a server.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use ctxpin_model::token::MalformedToken;
use ctxpin_protocol::problem::{Problem, ProblemName};

use crate::proxy::UsedProxy;

/// Why a call gave no answer, or not the one that was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address is none that a ctxpin server can have.
    #[error("{server} is no address of a ctxpin server: {reason}")]
    InvalidServer {
        /// The address as it was given, without what might be a password in it.
        server: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The token would go to another machine where others can read it.
    #[error(
        "the token was not sent: {server} is another machine, and by plain HTTP whoever is on the way can read it; use https://, or allow it by --allow-http or CTXPIN_ALLOW_HTTP=1"
    )]
    PlainHttp {
        /// The server's address.
        server: String,
    },
    /// What was given for a token is none, so that no server can know it.
    #[error("the token is {}", MalformedToken)]
    MalformedToken {
        /// Where it came from, if the client was told.
        token_told: Option<Arc<str>>,
    },
    /// The request cannot be put together from what was given.
    #[error("the request cannot be sent: {0}")]
    InvalidRequest(String),
    /// Whoever answers on this machine did not prove to be the server that knows the token.
    #[error(
        "what answers at {server} has not proved to be your ctxpin server, and was sent no token: {reason}"
    )]
    Unproven {
        /// The server's address.
        server: String,
        /// What is wrong, and what to do.
        reason: String,
        /// Where the token came from that would have been shown, if the client was told.
        token_told: Option<Arc<str>>,
    },
    /// No answer came, or not the whole of it.
    #[error("{}", unreachable_text(server, proxy.as_ref(), source))]
    Unreachable {
        /// The server's address.
        server: String,
        /// Through what it was asked.
        proxy: Option<UsedProxy>,
        /// What happened.
        source: reqwest::Error,
    },
    /// No answer began in the time that was allowed.
    #[error("the ctxpin server at {server} did not answer within {} s", after.as_secs())]
    Silent {
        /// The server's address.
        server: String,
        /// How long was waited.
        after: Duration,
    },
    /// The server answered why it does not do what was asked.
    #[error("{problem}")]
    Problem {
        /// The answer.
        problem: Box<Problem>,
        /// How long the server wants not to be asked again.
        retry_after: Option<Duration>,
        /// Where the token came from that was shown, if the client was told.
        token_told: Option<Arc<str>>,
    },
    /// Something before the server takes no body as long as that of the request. The server itself takes
    /// 12 MiB, or answers a problem.
    #[error(
        "something before the server at {server} takes no body of {bytes} bytes (status 413); let it take 12 MiB, as nginx does with `client_max_body_size 12m;`"
    )]
    TooLargeOnTheWay {
        /// The server's address.
        server: String,
        /// How long the body was, as it was sent.
        bytes: usize,
    },
    /// The answer is none that a ctxpin server gives.
    #[error("{server} answered with status {status}, {reason}; is it a ctxpin server?")]
    Unexpected {
        /// The server's address.
        server: String,
        /// The status of the answer.
        status: u16,
        /// What is unexpected about it.
        reason: String,
        /// How long whoever answered wants not to be asked again.
        retry_after: Option<Duration>,
    },
    /// A stream of events broke, or carried something that cannot be read.
    #[error("the events of the server at {server} stopped: {reason}")]
    StreamBroken {
        /// The server's address.
        server: String,
        /// What happened.
        reason: String,
    },
}

impl ClientError {
    /// Whether the same request may well succeed a little later: the server could not be reached,
    /// or it or something before it is overloaded or away for the moment.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Silent { .. }
            | Self::StreamBroken { .. }
            // The next one who answers may be the server.
            | Self::Unproven { .. } => true,
            Self::Problem { problem, .. } => is_transient(problem.status),
            Self::Unexpected { status, .. } => is_transient(*status),
            Self::InvalidServer { .. }
            | Self::PlainHttp { .. }
            | Self::MalformedToken { .. }
            | Self::InvalidRequest(_)
            | Self::TooLargeOnTheWay { .. } => false,
        }
    }

    /// How long not to ask again, if the answer says so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Problem { retry_after, .. } | Self::Unexpected { retry_after, .. } => {
                *retry_after
            }
            _ => None,
        }
    }

    /// The server's problem, if that is what it answered.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem { problem, .. } => Some(problem),
            _ => None,
        }
    }

    /// Where the token came from that was shown or kept back, if it may be the reason and the client was told.
    pub fn token_told(&self) -> Option<&str> {
        match self {
            Self::Problem { token_told, .. }
            | Self::Unproven { token_told, .. }
            | Self::MalformedToken { token_told } => token_told.as_deref(),
            _ => None,
        }
    }

    /// The name of the server's problem, if it is one that this version knows.
    pub fn problem_name(&self) -> Option<ProblemName> {
        self.problem().and_then(Problem::name)
    }
}

/// A request that came too slowly, too many of them, and what servers and proxies answer while they are starting or overloaded.
fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 429 | 502 | 503 | 504)
}

fn unreachable_text(server: &str, proxy: Option<&UsedProxy>, error: &reqwest::Error) -> String {
    if let Some(proxy) = proxy {
        let cause = root_cause(error);
        return format!("{server} cannot be reached through {proxy}: {cause}");
    }
    if is_refused(error) {
        return format!(
            "no ctxpin server runs at {server}; start one with `ctxpin up` or `ctxpin serve`, or name another with --server"
        );
    }
    let cause = root_cause(error);
    if let Some(fault) = cause.strip_prefix("invalid peer certificate: ") {
        return format!(
            "the server at {server} shows a certificate that is not trusted here: {}",
            certificate_fault(fault)
        );
    }
    let what = match () {
        () if error.is_timeout() => "did not answer in time",
        () if error.is_connect() => "cannot be reached",
        () => "broke off its answer",
    };
    format!("the ctxpin server at {server} {what}: {cause}")
}

/// What the TLS library's name of a fault means.
fn certificate_fault(fault: &str) -> &str {
    let known = [
        (
            "UnknownIssuer",
            "nobody whom this machine trusts has signed it",
        ),
        (
            "CaUsedAsEndEntity",
            "it is that of a certificate authority, and not of a server",
        ),
        ("Expired", "it has expired"),
        ("NotValidYet", "it is not valid yet"),
        ("NotValidForName", "it is for another name"),
    ];
    let known = known.iter().find(|(name, _)| fault.contains(name));
    known.map_or(fault, |(_, meaning)| meaning)
}

fn is_refused(error: &reqwest::Error) -> bool {
    chain(error)
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::ConnectionRefused)
}

/// The innermost text: the ones around it only repeat that a request failed.
fn root_cause(error: &reqwest::Error) -> String {
    chain(error)
        .last()
        .map(ToString::to_string)
        .unwrap_or_default()
}

/// An error, and what caused it, one after the other.
pub(crate) fn chain<'e>(
    error: &'e (dyn Error + 'static),
) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |cause| (*cause).source())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_k03_faults_of_certificates_are_told_in_our_words() {
        let check = |fault: &str, expected: &str| assert_eq!(certificate_fault(fault), expected);
        let authority = "it is that of a certificate authority, and not of a server";
        check("Other(OtherError(CaUsedAsEndEntity))", authority);
        check(
            "UnknownIssuer",
            "nobody whom this machine trusts has signed it",
        );
        check("BadSignature", "BadSignature");
    }
}
