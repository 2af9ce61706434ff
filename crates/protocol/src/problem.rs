//! Problem details (RFC 9457): the body of a response to a request that failed.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// The media type of a problem.
pub const PROBLEM_MEDIA_TYPE: &str = "application/problem+json";

/// The prefix of the `type` of each ctxpin problem.
pub const PROBLEM_URN: &str = "urn:ctxpin:problem:";

macro_rules! problems {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $status:literal, $title:literal;)+) => {
        /// The kinds of problem in ctxpin's responses. Their names are stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ProblemName {
            $($(#[$doc])* $variant),+
        }

        impl ProblemName {
            /// All names of problems.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Returns the last part of the `type`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),+
                }
            }

            /// Returns the HTTP status of the response.
            pub fn status(self) -> u16 {
                match self {
                    $(Self::$variant => $status),+
                }
            }

            /// Returns the general description, for people.
            pub fn title(self) -> &'static str {
                match self {
                    $(Self::$variant => $title),+
                }
            }
        }
    };
}

problems! {
    /// The body of a request is not JSON.
    MalformedRequest = "malformed-request", 400, "The request cannot be read";
    /// The token is missing, unknown, expired or revoked.
    Unauthenticated = "unauthenticated", 401, "The request needs a valid token";
    /// The caller may see the object, but not do this; `reason` says why, with the `scope` or the `role` that is
    /// missing.
    Forbidden = "forbidden", 403, "This is not allowed";
    /// There is no such object, or the caller may not see it.
    NotFound = "not-found", 404, "There is no such object";
    /// The path exists, but not with this method.
    MethodNotAllowed = "method-not-allowed", 405, "The path does not support this method";
    /// The request arrived too slowly.
    RequestTimeout = "request-timeout", 408, "The request arrived too slowly";
    /// A newer process of the same agent has taken over.
    Fenced = "fenced", 409, "A newer process has taken over this agent";
    /// A push lacks bytes that the server does not have either; `missing` lists their hashes.
    MissingBlobs = "missing-blobs", 409, "Bytes are missing from the push";
    /// There is no head to move the pin to.
    NoHead = "no-head", 409, "There is no head to pin";
    /// Another agent has replaced this one for good.
    AgentReplaced = "agent-replaced", 409, "Another agent has replaced this one";
    /// The chat is archived, and archived chats do not allow this.
    Archived = "archived", 409, "The chat is archived";
    /// The pin of an observed chat records what its client read, so no request chooses it.
    ObservedChat = "observed-chat", 409, "The chat is observed";
    /// Other rules of a tool have made the head than the pin, so no part of the head can be taken.
    OtherProfile = "other-profile", 409, "Pin and head were made by other rules";
    /// The request conflicts with stored data.
    Conflict = "conflict", 409, "The request conflicts with stored data";
    /// A condition of the request is no longer true.
    PreconditionFailed = "precondition-failed", 412, "The object has changed in the meantime";
    /// The request is larger than its limit.
    TooLarge = "too-large", 413, "The request is too large";
    /// The server does not accept the format or the compression of the body.
    UnsupportedMediaType = "unsupported-media-type", 415, "The server does not accept this kind of body";
    /// The server does not vouch for the address that the request was sent to.
    Misdirected = "misdirected", 421, "The request was sent to another address";
    /// A member is unknown, missing or of a wrong type, or its value is not accepted.
    InvalidRequest = "invalid-request", 422, "The request is not valid";
    /// A push says something that no correct agent says.
    InvalidManifest = "invalid-manifest", 422, "The push is not valid";
    /// Bytes do not have the hash under which they were sent.
    HashMismatch = "hash-mismatch", 422, "The bytes do not match their hash";
    /// The caller exceeds a limit; `limit`, `quota` and `used` say which. The status is 507 if
    /// waiting does not help.
    QuotaExceeded = "quota-exceeded", 429, "The request exceeds a limit";
    /// The server failed, and the caller did not cause it.
    Internal = "internal", 500, "The server failed";
    /// The server is busy with too many requests or bytes, of this caller or of all callers.
    Busy = "busy", 503, "The server is busy";
    /// The operator has paused pushes.
    SyncPaused = "sync-paused", 503, "Pushes are paused";
    /// The server cannot answer now, but may later.
    Unavailable = "unavailable", 503, "The server cannot answer now";
    /// The database is newer than this server.
    UpgradeNeeded = "upgrade-needed", 503, "The server must be upgraded";
}

impl ProblemName {
    /// Returns the `type` of such a problem.
    pub fn urn(self) -> String {
        format!("{PROBLEM_URN}{}", self.as_str())
    }
}

/// The reason why a request failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `urn:ctxpin:problem:` and a stable name.
    #[serde(rename = "type")]
    pub kind: String,
    /// The general description, for people.
    pub title: String,
    /// The HTTP status of the response.
    pub status: u16,
    /// What is wrong in this case and what to do next, for people.
    #[serde(default)]
    #[schema(required = true)]
    pub detail: String,
    /// The hashes of the bytes that the push lacks (`missing-blobs`).
    #[serde(default, skip_serializing_if = "<[String]>::is_empty")]
    #[schema(value_type = Vec<String>, required = false)]
    pub missing: Box<[String]>,
    /// Further members of the problem.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub members: Map<String, Value>,
}

impl Problem {
    /// Returns a problem of this name. `detail` says what is wrong in this case and what to do
    /// next.
    pub fn new(name: ProblemName, detail: impl Into<String>) -> Self {
        Self {
            kind: name.urn(),
            title: name.title().to_owned(),
            status: name.status(),
            detail: detail.into(),
            missing: Box::default(),
            members: Map::new(),
        }
    }

    /// Changes the status to 507, because waiting does not help.
    pub fn without_room(mut self) -> Self {
        self.status = 507;
        self
    }

    /// Adds a member. It must not have the name of a standard member.
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.members.insert(member.to_owned(), value.into());
        self
    }

    /// Sets the hashes of the bytes that the push lacks.
    pub fn with_missing(mut self, hashes: Vec<String>) -> Self {
        self.missing = hashes.into();
        self
    }

    /// Returns the name, or `None` if this version does not know it.
    pub fn name(&self) -> Option<ProblemName> {
        let name = self.kind.strip_prefix(PROBLEM_URN)?;
        ProblemName::ALL
            .iter()
            .copied()
            .find(|known| known.as_str() == name)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.detail.is_empty() {
            true => f.write_str(&self.title),
            false => write!(f, "{}: {}", self.title, self.detail),
        }
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_statuses_are_stable() {
        let lines: Vec<String> = ProblemName::ALL
            .iter()
            .map(|name| format!("{} {}", name.status(), name.urn()))
            .collect();
        let expected = "400 urn:ctxpin:problem:malformed-request
401 urn:ctxpin:problem:unauthenticated
403 urn:ctxpin:problem:forbidden
404 urn:ctxpin:problem:not-found
405 urn:ctxpin:problem:method-not-allowed
408 urn:ctxpin:problem:request-timeout
409 urn:ctxpin:problem:fenced
409 urn:ctxpin:problem:missing-blobs
409 urn:ctxpin:problem:no-head
409 urn:ctxpin:problem:agent-replaced
409 urn:ctxpin:problem:archived
409 urn:ctxpin:problem:observed-chat
409 urn:ctxpin:problem:other-profile
409 urn:ctxpin:problem:conflict
412 urn:ctxpin:problem:precondition-failed
413 urn:ctxpin:problem:too-large
415 urn:ctxpin:problem:unsupported-media-type
421 urn:ctxpin:problem:misdirected
422 urn:ctxpin:problem:invalid-request
422 urn:ctxpin:problem:invalid-manifest
422 urn:ctxpin:problem:hash-mismatch
429 urn:ctxpin:problem:quota-exceeded
500 urn:ctxpin:problem:internal
503 urn:ctxpin:problem:busy
503 urn:ctxpin:problem:sync-paused
503 urn:ctxpin:problem:unavailable
503 urn:ctxpin:problem:upgrade-needed";
        assert_eq!(lines.join("\n"), expected);
        for name in ProblemName::ALL {
            assert_eq!(Problem::new(*name, "").name(), Some(*name));
        }
    }

    #[test]
    fn a_problem_of_another_program_has_no_name() {
        let text = r#"{"type":"about:blank","title":"Bad Gateway","status":502,"trace":7}"#;
        let problem: Problem = serde_json::from_str(text).unwrap();
        assert_eq!(problem.name(), None);
        assert_eq!(problem.members["trace"], 7);
        assert_eq!(problem.to_string(), "Bad Gateway");
    }
}
