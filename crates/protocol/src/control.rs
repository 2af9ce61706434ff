//! The requests that a running agent accepts through its control socket, and its responses.
//!
//! A connection carries one request and one response. Each is one line of JSON (RFC 8259) in UTF-8
//! that ends with a line feed; then the agent closes the connection. Programs other than ctxpin can
//! use it too: docs/operating.md describes it for them.
//!
//! The agent reads a request strictly. A reader of a response ignores members that it does not
//! know, because a newer agent may add some.

use chrono::{DateTime, Utc};
use ctxpin_model::profile::Profile;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::http::quotas::QuotaWarning;
use crate::http::resources::{Note, Resource};

/// Greatest size of a request, in bytes with its line feed: the system text of a client fits, with its
/// escapes.
pub const REQUEST_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Greatest size of a response, in bytes with its line feed: every resource of a snapshot fits.
pub const RESPONSE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The longest wait for a resync, in seconds.
pub const RESYNC_SECONDS_MAX: u64 = 600;

/// The names of the requests, as the member `ask` gives them.
pub const REQUEST_NAMES: [&str; 9] = [
    "status",
    "resync",
    "attach",
    "hook",
    "source_add",
    "source_remove",
    "source_list",
    "source_show",
    "stop",
];

/// A request to a running agent. On the wire an object whose member `ask` names the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    Status {},
    /// Scans now and pushes the result, even if nothing has changed. The response comes when the
    /// server has acknowledged or refused the push.
    Resync {
        /// Longest wait for the response, from 1 to [`RESYNC_SECONDS_MAX`].
        wait_seconds: u64,
        /// The profile of the agent whose push is awaited. Absent means the first agent of the process.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        profile: Option<String>,
        /// The directory of that agent, as [`Attached`] names it. Absent means the process's own directory.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        directory: Option<String>,
    },
    /// Finds the agent for a tool that is started in a directory, or makes it.
    Attach {
        /// The absolute path of a directory of the project that the process watches.
        directory: String,
        profile: String,
    },
    /// Tells of a session of a client, as its hook was told.
    Hook(Box<HookCall>),
    /// Declares a source after the existing ones.
    SourceAdd {
        /// The absolute path of a directory or a file. It need not exist yet.
        path: String,
    },
    /// Removes a declared source.
    SourceRemove {
        /// The absolute path that it was declared by, or another one to the same place.
        path: String,
    },
    /// Lists the declared sources in their order.
    SourceList {},
    /// Shows one declared source, and what the last scan found in it.
    SourceShow {
        /// The absolute path that it was declared by, or another one to the same place.
        path: String,
    },
    /// Ends the agent. The connection stays open until the agent has ended.
    Stop {},
}

/// The error of reading a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// An older agent does not know the requests of a newer program.
    #[error(
        "this agent knows no request `{name}`; it knows {}",
        REQUEST_NAMES.map(|name| format!("`{name}`")).join(", ")
    )]
    Unknown { name: String },
    #[error("the request cannot be read: {reason}")]
    Invalid { reason: String },
}

impl Request {
    /// Reads a request from a line of JSON.
    ///
    /// # Errors
    ///
    /// Returns [`RequestError::Unknown`] if the line is an object with an `ask` that names no
    /// request, else [`RequestError::Invalid`].
    pub fn parse(line: &[u8]) -> Result<Self, RequestError> {
        #[derive(Deserialize)]
        struct Named {
            ask: String,
        }
        serde_json::from_slice(line).map_err(|error| match serde_json::from_slice(line) {
            Ok(Named { ask }) if !REQUEST_NAMES.contains(&ask.as_str()) => {
                RequestError::Unknown { name: ask }
            }
            _ => RequestError::Invalid {
                reason: error.to_string(),
            },
        })
    }
}

/// The response of an agent. On the wire an object with one member, whose name says which response it
/// is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    Status(Box<AgentStatus>),
    Resynced(ResyncReply),
    Attached(Attached),
    Hooked(HookReply),
    Sources(Vec<Source>),
    Source(SourceDetails),
    SourceChanged(SourceChange),
    /// The agent ends now.
    Stopping {},
    /// The agent did not do what was requested.
    Refused(Refusal),
}

/// Why an agent did not do what was requested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    #[serde(default)]
    pub kind: RefusalKind,
    /// What went wrong and what to do, for people.
    pub reason: String,
}

/// What went wrong, for programs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", from = "String")]
pub enum RefusalKind {
    /// The caller is neither the user who runs the agent nor root.
    Forbidden,
    /// The agent knows no request of this name. It may be older than the caller.
    UnknownRequest,
    /// The request cannot be read: it is no JSON, too long, or has other members than it should.
    InvalidRequest,
    /// The agent failed to do it. Readers treat an unknown kind as this one.
    #[default]
    Failed,
}

impl From<String> for RefusalKind {
    fn from(kind: String) -> Self {
        match kind.as_str() {
            "forbidden" => Self::Forbidden,
            "unknown_request" => Self::UnknownRequest,
            "invalid_request" => Self::InvalidRequest,
            _ => Self::Failed,
        }
    }
}

/// The status of a process and of its agents. On the wire, the members of the first agent are its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentStatus {
    pub pid: u32,
    /// The random id of the agent's process.
    pub process: Uuid,
    /// The absolute path of the control socket; empty from an agent of an older release.
    #[serde(default)]
    pub socket: String,
    /// The server's address.
    pub server: String,
    /// What the first scan waits for; null once it has begun.
    pub not_ready: Option<String>,
    /// Why the process polls files; null while it watches them.
    pub polling: Option<String>,
    /// The number of declared sources.
    pub sources: u64,
    /// The first agent, which watches the process's own directory.
    #[serde(flatten)]
    pub first: StandingStatus,
    /// The other agents of the process, each of another profile or directory.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<StandingStatus>,
}

/// The status of one agent of a process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingStatus {
    /// The profile; empty from an agent of an older release, which is neutral.
    #[serde(default)]
    pub profile: String,
    /// The canonical path of the directory.
    #[serde(default)]
    pub directory: String,
    /// The agent's id; null if the process was started with a token alone, and has reached no server yet.
    #[serde(default)]
    pub agent_id: Option<Uuid>,
    /// The number of the session; null until the server has opened one.
    pub epoch: Option<i64>,
    /// Why the last scan failed; null if it succeeded, and before the first scan.
    #[serde(default)]
    pub scan_error: Option<String>,
    /// What the last scan that succeeded found; null before the first scan.
    pub found: Option<ScanSummary>,
    /// The last push that the server acknowledged; null before the first.
    pub pushed: Option<LastPush>,
    pub pushing: PushStatus,
    /// The quotas that the agent's owner has nearly or fully used, according to the server's latest
    /// response.
    #[serde(default)]
    pub quota_warnings: Vec<QuotaWarning>,
    /// When the agent's token expires, according to the server's latest response. Null if the token
    /// does not expire, or if the server has not responded yet.
    #[serde(default)]
    pub token_expires_at: Option<DateTime<Utc>>,
}

impl AgentStatus {
    /// Returns the agents of the process, the first one first.
    pub fn agents(&self) -> impl Iterator<Item = &StandingStatus> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

impl StandingStatus {
    /// Returns the name of the profile.
    pub fn profile_name(&self) -> &str {
        match self.profile.as_str() {
            "" => Profile::Neutral.as_str(),
            named => named,
        }
    }
}

/// What a scan found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanSummary {
    /// The snapshot's id, as the agent computes it.
    pub snapshot: String,
    pub resources: u64,
    /// The number of resources that cannot be used.
    pub unusable: u64,
    /// Why the snapshot is not complete; null if it is.
    pub error: Option<String>,
    /// Notes about the workspace.
    #[serde(default)]
    pub notes: Vec<Note>,
}

/// The last push that a server acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastPush {
    /// The head's snapshot.
    pub snapshot: String,
    /// The head's number in the agent's timeline.
    pub seq: i64,
    /// The time since the server acknowledged it, in whole seconds, rounded down.
    pub seconds_ago: u64,
}

/// Whether the server has what the last scan found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum PushStatus {
    /// The server has the snapshot of the last scan, or there was no scan yet.
    #[default]
    Settled,
    Sending,
    /// The last attempt failed, and the agent will retry.
    Waiting {
        reason: String,
        /// The seconds until the next attempt, rounded up.
        seconds: u64,
    },
    /// The server refused the snapshot. The agent sends it again only after something has changed.
    Refused {
        reason: String,
        /// The seconds until the agent sends the snapshot again even if nothing has changed, rounded
        /// up; absent if it waits for a change.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds: Option<u64>,
    },
    /// The agent has ended, while others of the process go on.
    Ended {
        reason: String,
    },
}

/// The result of a resync.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResyncReply {
    /// The head's snapshot.
    pub snapshot: String,
    /// The head's number in the agent's timeline.
    pub seq: i64,
    /// The number of chats that got their first pin.
    pub hydrated: u64,
    pub resources: u64,
    /// The number of resources that cannot be used.
    pub unusable: u64,
}

/// What a client's hook was told of a session. It holds no word of the conversation but what `given` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HookCall {
    /// The client: `claude-code`, `codex` or `opencode`.
    pub client: String,
    pub event: HookEvent,
    /// The client's id of the session.
    pub session: String,
    /// The absolute path of the directory in which the client runs.
    pub directory: String,
    /// Why the session started, as the client says it; only for [`HookEvent::SessionStart`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The client's id of the turn; only for [`HookEvent::Prompt`], [`HookEvent::Stop`] and [`HookEvent::SessionEnd`].
    /// Absent if the prompt begins none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<String>,
    /// The client's id of the subagent; only for [`HookEvent::SubagentStart`] and [`HookEvent::SubagentStop`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subagent: Option<String>,
    /// The client's id of the session that started this one as a subagent; only for [`HookEvent::SessionStart`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The absolute path of the file in which the client records its requests, of the session or of the subagent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// The time of the call, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<u64>,
    /// The process of the client, where the system tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ClientProcess>,
    /// A line of what the client's plugin says of a request; only for [`HookEvent::Given`]. This text stays in the
    /// memory of the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<String>,
    /// The server's address.
    pub server: String,
    /// The absolute path of a file with a token that may observe.
    pub token_file: String,
}

/// A process of a client. No two have the same id and beginning in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientProcess {
    pub pid: u32,
    /// Its beginning, in ticks since the machine started.
    pub began: u64,
    /// About when it began, in milliseconds since 1970.
    pub began_ms: u64,
}

/// The event of which a hook tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HookEvent {
    /// A session starts or goes on.
    SessionStart,
    /// The person gave a prompt.
    Prompt,
    SubagentStart,
    /// The model has answered a prompt.
    Stop,
    /// A plugin hands over what a request has.
    Given,
    SubagentStop,
    SessionEnd,
}

/// What a hook does for its client and its person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookReply {
    /// The session's chat; only at its start.
    pub chat: Option<Uuid>,
    /// What to tell the person, on one line.
    pub message: Option<String>,
}

/// The agent of a directory and a profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attached {
    /// The canonical path of the directory.
    pub directory: String,
    pub profile: String,
    /// The agent's id; null if the process was started with a token alone, and has reached no server yet.
    pub agent_id: Option<Uuid>,
}

/// A declared source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The absolute path that it was declared by.
    pub path: String,
    pub declared_by: DeclaredBy,
}

/// Who declared a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeclaredBy {
    /// The machine's operator, for every agent. Nobody can remove it through the socket.
    Operator,
    /// The user who runs the agent.
    User,
}

/// A declared source, and what the last scan found in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourceDetails {
    #[serde(flatten)]
    pub source: Source,
    /// The resources in their order, without those that another root covers.
    pub resources: Vec<Resource>,
}

/// The result of adding or removing a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceChange {
    /// The absolute path that the source is, or was, declared by.
    pub path: String,
    /// Whether the request changed the list of sources.
    pub changed: bool,
    /// The number of resources that an added source has now; null for a removed one.
    #[serde(default)]
    pub gives: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_strictly() {
        let check = |text: &str, expected: Option<Request>| {
            assert_eq!(Request::parse(text.as_bytes()).ok(), expected, "{text}");
        };
        let path = || "/w/docs".to_owned();
        check(r#"{"ask":"status"}"#, Some(Request::Status {}));
        check(
            r#"{"ask":"source_add","path":"/w/docs"}"#,
            Some(Request::SourceAdd { path: path() }),
        );
        check(
            r#"{"ask":"resync","wait_seconds":7}"#,
            Some(Request::Resync {
                wait_seconds: 7,
                profile: None,
                directory: None,
            }),
        );
        check(
            r#"{"ask":"resync","wait_seconds":7,"profile":"codex"}"#,
            Some(Request::Resync {
                wait_seconds: 7,
                profile: Some("codex".into()),
                directory: None,
            }),
        );
        check(
            r#"{"ask":"attach","directory":"/w/a","profile":"codex"}"#,
            Some(Request::Attach {
                directory: "/w/a".into(),
                profile: "codex".into(),
            }),
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
    fn every_request_and_response_is_one_line() {
        let source = Source {
            path: "/w\n".into(),
            declared_by: DeclaredBy::Operator,
        };
        let response = Response::Source(SourceDetails {
            source,
            resources: Vec::new(),
        });
        let text = serde_json::to_string(&response).unwrap();
        let expected = r#"{"source":{"path":"/w\n","declared_by":"operator","resources":[]}}"#;
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_str::<Response>(&text).unwrap(), response);
        let newer = r#"{"stopping":{"soon":true}}"#;
        assert_eq!(
            serde_json::from_str::<Response>(newer).unwrap(),
            Response::Stopping {}
        );
        let request = Request::Stop {};
        let text = serde_json::to_string(&request).unwrap();
        assert_eq!(text, r#"{"ask":"stop"}"#);
    }

    #[test]
    fn a_request_of_another_release_is_named() {
        let check = |text: &str, expected: &str| {
            let error = Request::parse(text.as_bytes()).unwrap_err();
            assert!(error.to_string().starts_with(expected), "{text}: {error}");
        };
        let unknown = "this agent knows no request `prompt`; it knows `status`, `resync`, ";
        check(r#"{"ask":"prompt"}"#, unknown);
        check(r#"{"ask":"prompt","chat":"7"}"#, unknown);
        check(
            r#"{"ask":"stop","force":true}"#,
            "the request cannot be read",
        );
        check(r#"{"request":"stop"}"#, "the request cannot be read");
    }

    #[test]
    fn a_request_is_in_the_list_and_on_the_operators_page() {
        let page = include_str!("../../../docs/operating.md");
        for name in REQUEST_NAMES {
            assert!(page.contains(&format!("{{\"ask\": \"{name}\"")), "{name}");
        }
        // serde names every request that there is.
        let unknown = serde_json::from_str::<Request>(r#"{"ask":""}"#).unwrap_err();
        let names = REQUEST_NAMES.map(|name| format!("`{name}`")).join(", ");
        assert!(unknown.to_string().contains(&names), "{unknown}");
    }

    #[test]
    fn a_refusal_of_another_release_can_be_read() {
        let check = |text: &str, kind: RefusalKind| {
            let expected = Refusal {
                kind,
                reason: "why".into(),
            };
            assert_eq!(serde_json::from_str::<Refusal>(text).unwrap(), expected);
        };
        check(r#"{"reason":"why"}"#, RefusalKind::Failed);
        check(r#"{"kind":"newer","reason":"why"}"#, RefusalKind::Failed);
        for kind in [
            RefusalKind::Forbidden,
            RefusalKind::UnknownRequest,
            RefusalKind::InvalidRequest,
            RefusalKind::Failed,
        ] {
            let refusal = Refusal {
                kind,
                reason: "why".into(),
            };
            check(&serde_json::to_string(&refusal).unwrap(), kind);
        }
    }
}
