//! What travels through the control socket of a running agent: one request, one answer, each a line
//! of JSON (RFC 8259) in UTF-8, ended by a line feed. Then the connection is closed.
//!
//! A request is read strictly, as everywhere; a reader of an answer ignores members that it does
//! not know, since a newer agent may add some.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::http::quotas::QuotaWarning;
use crate::http::resources::{Note, Resource};

/// Longest request, in bytes with its line feed: the longest path and its escapes fit.
pub const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// Longest answer, in bytes with its line feed: every resource of a snapshot fits.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Asks something of a running agent. On the wire an object whose `ask` says what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// How it stands.
    Status {},
    /// Scan now and push what is found, even if it is what was pushed last. The answer comes when
    /// the server has acknowledged or refused it.
    Resync {
        /// Longest wait for that answer, in seconds, 1 to 600.
        wait_seconds: u64,
    },
    /// Declare a source, behind those that are declared already.
    SourceAdd {
        /// An absolute path of a directory or a file, which need not exist yet.
        path: String,
    },
    /// Take a declared source away.
    SourceRemove {
        /// The absolute path that it was declared by, or another one to the same place.
        path: String,
    },
    /// The declared sources in their order.
    SourceList {},
    /// One declared source, and what was found in it.
    SourceShow {
        /// The absolute path that it was declared by, or another one to the same place.
        path: String,
    },
    /// End. The connection stays open until the agent has ended.
    Stop {},
}

/// What an agent answers. On the wire an object with one member, whose name says which answer it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// How it stands.
    Status(Box<Status>),
    /// What a resync led to.
    Resynced(Resynced),
    /// The declared sources in their order.
    Sources(Vec<Source>),
    /// One declared source, and what was found in it.
    Source(SourceFound),
    /// A source was added or taken away.
    SourceChanged(SourceChanged),
    /// It ends.
    Stopping {},
    /// It did not do what was asked.
    Refused {
        /// Why, and what to do, for people.
        reason: String,
    },
}

/// How an agent stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The number of its process on this machine.
    pub pid: u32,
    /// The random id of its process.
    pub process: Uuid,
    /// The directory that it scans.
    pub directory: String,
    /// The server that it pushes to.
    pub server: String,
    /// The number of its session; null until the server has given it one.
    pub epoch: Option<i64>,
    /// What the first scan waits for; null once that has begun.
    pub not_ready: Option<String>,
    /// Why files are polled and not watched; null while they are watched.
    pub polling: Option<String>,
    /// Why the last scan failed; null if it did not.
    pub scan_error: Option<String>,
    /// What was found last; null before the first scan.
    pub found: Option<Found>,
    /// What the server last acknowledged; null before the first time.
    pub pushed: Option<Pushed>,
    /// How pushing stands.
    pub pushing: Pushing,
    /// How many sources are declared.
    pub sources: u64,
    /// What the agent's owner has nearly as much of as is allowed, or more, as the server last told.
    #[serde(default)]
    pub quota_warnings: Vec<QuotaWarning>,
    /// When the agent's token ends, as the server last told; null if never, or before that.
    #[serde(default)]
    pub token_expires_at: Option<DateTime<Utc>>,
}

/// What a scan found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The snapshot's id, as the agent computes it.
    pub snapshot: String,
    /// How many resources there are.
    pub resources: u64,
    /// How many of them cannot be used.
    pub unusable: u64,
    /// What kept the scan from being whole; null if nothing did.
    pub error: Option<String>,
    /// What there is to know of the workspace that no resource tells.
    #[serde(default)]
    pub notes: Vec<Note>,
}

/// What a server acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pushed {
    /// The head's snapshot.
    pub snapshot: String,
    /// Its place in the agent's timeline.
    pub seq: i64,
    /// How many seconds ago, cut to whole ones.
    pub seconds_ago: u64,
}

/// How pushing stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Pushing {
    /// The server has what was found, or nothing was found yet.
    Settled,
    /// What was found is on its way.
    Sending,
    /// The server could not take it for the moment; it is tried again.
    Waiting {
        /// Why.
        reason: String,
        /// In how many seconds, rounded up.
        seconds: u64,
    },
    /// The server refused what was found. It is not sent again until something changes.
    Refused {
        /// Why.
        reason: String,
        /// In how many seconds it is tried again all the same, rounded up; left out if it is not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds: Option<u64>,
    },
}

/// What a resync led to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resynced {
    /// The head's snapshot.
    pub snapshot: String,
    /// Its place in the agent's timeline.
    pub seq: i64,
    /// How many chats were given their first pin.
    pub hydrated: u64,
    /// How many resources were found.
    pub resources: u64,
    /// How many of them cannot be used.
    pub unusable: u64,
}

/// A declared source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The absolute path that it was declared by.
    pub path: String,
    /// Who declared it.
    pub declared_by: DeclaredBy,
}

/// Who declared a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeclaredBy {
    /// The machine's operator, for everyone. It cannot be taken away through the socket.
    Operator,
    /// Whoever runs the agent.
    User,
}

/// A declared source, and what the last scan found in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourceFound {
    /// The source.
    #[serde(flatten)]
    pub source: Source,
    /// What was found, in order. A path that another root covers shows nothing here.
    pub resources: Vec<Resource>,
}

/// What became of adding a source or taking one away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceChanged {
    /// The absolute path that it is, or was, declared by.
    pub path: String,
    /// Whether the list is another one than before.
    pub changed: bool,
    /// How many resources a source that was added gives now; null for one that was taken away.
    #[serde(default)]
    pub gives: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_strictly() {
        let check = |text: &str, expected: Option<Request>| {
            assert_eq!(serde_json::from_str(text).ok(), expected, "{text}");
        };
        let path = || "/w/docs".to_owned();
        check(r#"{"ask":"status"}"#, Some(Request::Status {}));
        check(
            r#"{"ask":"source_add","path":"/w/docs"}"#,
            Some(Request::SourceAdd { path: path() }),
        );
        check(
            r#"{"ask":"resync","wait_seconds":7}"#,
            Some(Request::Resync { wait_seconds: 7 }),
        );
        for text in [
            "",
            "{}",
            "[]",
            r#""status""#,
            r#"{"ask":"unheard_of"}"#,
            r#"{"ask":"status","path":"/w"}"#,
            r#"{"ask":"stop","force":true}"#,
            r#"{"ask":"source_add"}"#,
            r#"{"ask":"source_add","path":7}"#,
            r#"{"ask":"source_add","path":"/w","paths":[]}"#,
            r#"{"ask":"resync","wait_seconds":-1}"#,
        ] {
            check(text, None);
        }
    }

    #[test]
    fn every_request_and_answer_is_one_line() {
        let source = Source {
            path: "/w\n".into(),
            declared_by: DeclaredBy::Operator,
        };
        let answer = Answer::Source(SourceFound {
            source,
            resources: Vec::new(),
        });
        let text = serde_json::to_string(&answer).unwrap();
        let expected = r#"{"source":{"path":"/w\n","declared_by":"operator","resources":[]}}"#;
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_str::<Answer>(&text).unwrap(), answer);
        let newer = r#"{"stopping":{"soon":true}}"#;
        assert_eq!(
            serde_json::from_str::<Answer>(newer).unwrap(),
            Answer::Stopping {}
        );
        let request = Request::Stop {};
        let text = serde_json::to_string(&request).unwrap();
        assert_eq!(text, r#"{"ask":"stop"}"#);
    }
}
