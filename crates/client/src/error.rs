//! The errors of calls.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use ctxpin_model::token::MalformedToken;
use ctxpin_protocol::problem::{Problem, ProblemName};

use crate::proxy::UsedProxy;

/// The reason why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// A ctxpin server cannot have this address.
    #[error("{server} is no address of a ctxpin server: {reason}")]
    InvalidServer {
        /// The address as it was given, without what might be a password in it.
        server: String,
        reason: String,
    },
    /// The token would go to another machine in plain text.
    #[error(
        "the token was not sent: {server} is another machine, and by plain HTTP others on the way can read it; use https://, or allow it by --allow-http or CTXPIN_ALLOW_HTTP=1"
    )]
    PlainHttp { server: String },
    /// The token is malformed, so no server can know it.
    #[error("the token is {}", MalformedToken)]
    MalformedToken {
        /// The origin of the token, if the client knows it.
        token_origin: Option<Arc<str>>,
    },
    /// The arguments make no valid request.
    #[error("the request cannot be sent: {0}")]
    InvalidRequest(String),
    /// The process that listens on this machine has not proved that it knows the token.
    #[error(
        "the process that listens at {server} has not proved to be your ctxpin server, and was sent no token: {reason}"
    )]
    Unproven {
        server: String,
        /// The problem, and what to do.
        reason: String,
        /// The origin of the token, if the client knows it.
        token_origin: Option<Arc<str>>,
    },
    /// The process that listens on this machine says that it cannot prove itself now.
    #[error(
        "the process that listens at {server} cannot prove now that it is your ctxpin server, and was sent no token: {reason}"
    )]
    ProofDelayed {
        server: String,
        /// What the process says.
        reason: String,
    },
    /// The process that listens on this machine has not proved that it knows the enrolment code.
    #[error(
        "the process that listens at {server} does not know this enrolment code, and was not sent it: the code is mistyped, older than ten minutes, or another server's, or another process has the server's port"
    )]
    UnknownCode { server: String },
    /// No response came, or not the whole of it.
    #[error("{}", unreachable_text(server, proxy.as_ref(), source))]
    Unreachable {
        server: String,
        /// The proxy in front of the server.
        proxy: Option<UsedProxy>,
        source: reqwest::Error,
    },
    /// No response began in time.
    #[error("the ctxpin server at {server} did not respond within {} s", after.as_secs_f64())]
    TimedOut { server: String, after: Duration },
    /// The server responded with a problem.
    #[error("{problem}")]
    Problem {
        problem: Box<Problem>,
        /// The time in which the server wants no further request.
        retry_after: Option<Duration>,
        /// The origin of the request's token, if the client knows it.
        token_origin: Option<Arc<str>>,
    },
    /// Something in front of the server rejects a body as long as that of the request. The server itself
    /// accepts 12 MiB, or responds with a problem.
    #[error(
        "something in front of the server at {server} rejects a body of {bytes} bytes (status 413); let it accept 12 MiB, as nginx does with `client_max_body_size 12m;`"
    )]
    BodyTooLarge {
        server: String,
        /// The length of the body as it was sent.
        bytes: usize,
    },
    /// A ctxpin server does not respond like this.
    #[error("{server} responded with status {status}, {reason}; is it a ctxpin server?")]
    Unexpected {
        server: String,
        status: u16,
        /// The unexpected property of the response.
        reason: String,
        /// The time in which the other end wants no further request.
        retry_after: Option<Duration>,
    },
    /// A stream of events broke, or carried something that cannot be read.
    #[error("the events of the server at {server} stopped: {reason}")]
    StreamBroken { server: String, reason: String },
}

impl ClientError {
    /// Returns whether the same request may succeed a little later: the server could not be reached, or it
    /// or something in front of it is overloaded or temporarily unavailable.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::StreamBroken { .. }
            | Self::ProofDelayed { .. }
            // The server may be the next process that listens there.
            | Self::Unproven { .. } => true,
            Self::Problem { problem, .. } => is_transient(problem.status),
            Self::Unexpected { status, .. } => is_transient(*status),
            Self::InvalidServer { .. }
            | Self::PlainHttp { .. }
            | Self::MalformedToken { .. }
            | Self::UnknownCode { .. }
            | Self::InvalidRequest(_)
            | Self::BodyTooLarge { .. } => false,
        }
    }

    /// Returns the time to wait before another request, if the response names one.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Problem { retry_after, .. } | Self::Unexpected { retry_after, .. } => {
                *retry_after
            }
            _ => None,
        }
    }

    /// Returns the problem with which the server responded, if it did.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem { problem, .. } => Some(problem),
            _ => None,
        }
    }

    /// Returns the origin of the token, if the token may be the reason and the client knows its origin.
    pub fn token_origin(&self) -> Option<&str> {
        match self {
            Self::Problem { token_origin, .. }
            | Self::Unproven { token_origin, .. }
            | Self::MalformedToken { token_origin } => token_origin.as_deref(),
            _ => None,
        }
    }

    /// Returns the name of the server's problem, if this version knows it.
    pub fn problem_name(&self) -> Option<ProblemName> {
        self.problem().and_then(Problem::name)
    }
}

/// Returns whether a retry may succeed after a response of that status: the request came too slowly, there
/// were too many, or a server or proxy is starting or overloaded.
pub fn is_transient(status: u16) -> bool {
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
            "the server at {server} has a certificate that is not trusted here: {}",
            certificate_fault(fault)
        );
    }
    let what = match () {
        () if error.is_timeout() => "did not respond in time",
        () if error.is_connect() => "cannot be reached",
        () => "broke off its response",
    };
    format!("the ctxpin server at {server} {what}: {cause}")
}

/// Returns the meaning of a fault that the TLS library names.
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

/// Returns the text of the innermost error. The outer ones only repeat that a request failed.
fn root_cause(error: &reqwest::Error) -> String {
    chain(error)
        .last()
        .map(ToString::to_string)
        .unwrap_or_default()
}

/// Returns an error and its causes, from the outermost to the innermost.
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
