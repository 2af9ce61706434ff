//! Problem details (RFC 9457): what an answer says when a request could not be met.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// The media type of a problem.
pub const PROBLEM_MEDIA_TYPE: &str = "application/problem+json";

/// What stands before the name in the `type` of each of our problems.
pub const PROBLEM_URN: &str = "urn:ctxpin:problem:";

macro_rules! problems {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $status:literal, $title:literal;)+) => {
        /// The kinds of problem that ctxpin answers with. Their names are stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ProblemName {
            $($(#[$doc])* $variant),+
        }

        impl ProblemName {
            /// Every name.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The last part of the `type`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),+
                }
            }

            /// The HTTP status that it is answered with.
            pub fn status(self) -> u16 {
                match self {
                    $(Self::$variant => $status),+
                }
            }

            /// What it is in general, for people.
            pub fn title(self) -> &'static str {
                match self {
                    $(Self::$variant => $title),+
                }
            }
        }
    };
}

problems! {
    /// The body of a request is no JSON.
    MalformedRequest = "malformed-request", 400, "The request cannot be read";
    /// The token is missing, unknown, expired or revoked.
    Unauthenticated = "unauthenticated", 401, "A valid token is needed";
    /// The caller may see the thing, but not do this.
    Forbidden = "forbidden", 403, "This is not allowed";
    /// There is no such thing, or the caller may not see it.
    NotFound = "not-found", 404, "There is no such thing";
    /// The path is known, but not with this method.
    MethodNotAllowed = "method-not-allowed", 405, "This method is not offered here";
    /// The request came too slowly.
    RequestTimeout = "request-timeout", 408, "The request came too slowly";
    /// A newer process of the same agent has taken over.
    Fenced = "fenced", 409, "A newer process has taken over this agent";
    /// A push names bytes that it does not carry; `missing` lists their hashes.
    MissingBlobs = "missing-blobs", 409, "Bytes are missing from the push";
    /// There is nothing to move the pin to.
    NoHead = "no-head", 409, "There is no head to pin";
    /// Another agent has taken the place of this one for good.
    AgentReplaced = "agent-replaced", 409, "Another agent has replaced this one";
    /// An archived chat does not take part.
    Archived = "archived", 409, "The chat is archived";
    /// The request contradicts what is stored.
    Conflict = "conflict", 409, "The request contradicts what is stored";
    /// What the request was conditional on is no longer so.
    PreconditionFailed = "precondition-failed", 412, "It has changed in the meantime";
    /// The request is larger than its limit.
    TooLarge = "too-large", 413, "The request is too large";
    /// The body is not in a format or a compression that is taken here.
    UnsupportedMediaType = "unsupported-media-type", 415, "This kind of body is not taken here";
    /// It was asked for under an address that the server does not vouch for.
    Misdirected = "misdirected", 421, "The request is for another address";
    /// A member is unknown, missing, of a wrong type or has a value that is not taken.
    InvalidRequest = "invalid-request", 422, "The request is not valid";
    /// A push says something that no honest agent says.
    InvalidManifest = "invalid-manifest", 422, "The push is not valid";
    /// Bytes do not have the hash that they were sent under.
    HashMismatch = "hash-mismatch", 422, "Bytes and hash do not belong together";
    /// The caller has, or does, as much as is allowed; `limit`, `quota` and `used` tell of what. 507 where
    /// waiting does not help.
    QuotaExceeded = "quota-exceeded", 429, "It is more than is allowed";
    /// Something failed that was not the caller's doing.
    Internal = "internal", 500, "The server failed";
    /// Too much work or too many bytes of the caller, or of all callers, are under way.
    Busy = "busy", 503, "Too much is under way";
    /// The operator has paused pushes.
    SyncPaused = "sync-paused", 503, "Pushes are paused";
    /// The server cannot answer now, but may do so later.
    Unavailable = "unavailable", 503, "The server cannot answer now";
    /// The database is newer than this server knows.
    UpgradeNeeded = "upgrade-needed", 503, "The server must be upgraded";
}

impl ProblemName {
    /// The `type` of such a problem.
    pub fn urn(self) -> String {
        format!("{PROBLEM_URN}{}", self.as_str())
    }
}

/// Why a request was not met.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `urn:ctxpin:problem:` and a name that does not change.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it is in general, for people.
    pub title: String,
    /// The status of the answer.
    pub status: u16,
    /// What it is here, and what to do next, for people.
    #[serde(default)]
    #[schema(required = true)]
    pub detail: String,
    /// The hashes of the bytes that are to be sent along (`missing-blobs`).
    #[serde(default, skip_serializing_if = "<[String]>::is_empty")]
    #[schema(value_type = Vec<String>, required = false)]
    pub missing: Box<[String]>,
    /// Further members.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub members: Map<String, Value>,
}

impl Problem {
    /// A problem of that name; `detail` is what it is here and what to do next.
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

    /// That waiting does not help: there is no room for it (507).
    pub fn without_room(mut self) -> Self {
        self.status = 507;
        self
    }

    /// Adds a member of that name. The names of the standard members are not for it.
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.members.insert(member.to_owned(), value.into());
        self
    }

    /// Adds the hashes of the bytes that are to be sent along.
    pub fn with_missing(mut self, hashes: Vec<String>) -> Self {
        self.missing = hashes.into();
        self
    }

    /// Its name, if it is one of ours that this version knows.
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
    fn the_catalogue_is_what_clients_know() {
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
    fn a_problem_of_somebody_else_is_read() {
        let text = r#"{"type":"about:blank","title":"Bad Gateway","status":502,"trace":7}"#;
        let problem: Problem = serde_json::from_str(text).unwrap();
        assert_eq!(problem.name(), None);
        assert_eq!(problem.members["trace"], 7);
        assert_eq!(problem.to_string(), "Bad Gateway");
    }
}
