//! Evidence: what clients' records show of the requests of a turn.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::people::Secret;
use super::words::{EvidenceSource, Gap, Outcome, Verdict, Witness};

/// The key under which the clients of a user name texts that no snapshot has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EvidenceKey {
    /// 64 hexadecimal digits.
    #[schema(value_type = String)]
    pub key: Secret,
    /// Its name, which each row states: 64 hexadecimal digits.
    pub name: String,
}

/// What all rows of a turn say together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TurnEvidence {
    #[schema(value_type = Verdict)]
    pub verdict: String,
    /// The witness whose rows decided.
    #[schema(value_type = Witness)]
    pub witness: String,
    /// The number of requests that these rows are about.
    pub requests: u64,
    /// The version of the client, from the newest row that names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_version: Option<String>,
}

/// What the evidence says of the newest turn of a chat that has any. Later turns have none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LastVerdict {
    /// The number of the turn.
    pub turn: i64,
    #[schema(value_type = Verdict)]
    pub verdict: String,
    /// The witness whose rows decided.
    #[schema(value_type = Witness)]
    pub witness: String,
}

/// What one reading of a client's record found in the requests of a turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EvidenceRow {
    /// The name of the key that `POST /me/evidence-key` returned.
    pub owner_key: String,
    #[schema(value_type = EvidenceSource)]
    pub source: String,
    /// The version of the client that made the requests, as its record names it: two numbers with a point between
    /// them, and then ASCII letters, digits and `.+-_`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 3, max_length = 32)]
    pub client_version: Option<String>,
    /// A SHA-256 of the ids of the requests, as 64 hexadecimal digits. A turn has one row for each.
    pub key: String,
    #[schema(value_type = Verdict)]
    pub verdict: String,
    /// The number of requests, at least 1.
    pub requests: u64,
    /// How many of them the record holds whole.
    pub whole: u64,
    /// Why the others are not whole, each reason once and in the order of the document.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Gap>)]
    pub gaps: Vec<String>,
    /// The number of the first request that deviates, in its record; absent if none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_different: Option<u64>,
    /// The worst outcomes first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<ResourceResult>,
    /// How many resources are left out, because the row would be too large.
    #[serde(default)]
    pub left_out: u64,
    /// The head of the chat's agent that the requests show, if the turn began with a pin that is `unconfirmed`. The row
    /// is compared with this head, and is `as-pinned`. The pin moves there, and it is the stamp of the turns that began
    /// with the pin and have no evidence. That of the turn itself confirms the pin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shows: Option<String>,
}

/// The worst that became of one resource in the requests of a turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourceResult {
    /// The source of a resource of the chat's snapshots, or else the path as the client's frame names it: one line of at
    /// most 1,024 bytes, relative to a root or else the last component. Absent if the frame names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// `instruction_file` or `skill`; absent for a text that no snapshot has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The hash of the file's bytes; absent for a text that no snapshot has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_hash: Option<String>,
    #[schema(value_type = Outcome)]
    pub outcome: String,
    /// How many bytes of the file or of the description were given, for `given-up-to` and `shortened`, and for another
    /// text of which the client showed lines alone, because the file was edited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_bytes: Option<u64>,
    /// The size of the text as it was given or said, or of the description in a list of skills; absent if there was none,
    /// and in a row of an earlier release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// Of a skill, whether its file was given or said, and not only its line in a list of skills; absent for other kinds,
    /// and in a row of an earlier release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<bool>,
    /// Whether an `absent` text stands inside of another one that was given.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub within: bool,
    /// The number of the first request with this outcome, in its record.
    pub request: u64,
    /// Where it was found there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// What is known of a text that no snapshot has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreign: Option<ForeignText>,
}

/// A place in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The number of the message. The system prompt is 0.
    pub message: u64,
    /// The number of the string in the message.
    pub string: u32,
    /// The place in the string, in bytes.
    pub at: u64,
}

/// A text that no snapshot has, without the text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ForeignText {
    pub size_bytes: u64,
    /// Two names under the owner's key, of 64 hexadecimal digits: an HMAC-SHA-256 of the hash of the text, and of the hash
    /// of the text with a line end behind it.
    #[schema(value_type = Vec<String>, min_items = 2, max_items = 2)]
    pub names: [String; 2],
}

/// The rows of a turn, and what they say of each resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Findings {
    /// The number of the first request that deviates, in the record of its row; absent if none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_different: Option<u64>,
    /// Why requests are not whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Gap>)]
    pub gaps: Vec<String>,
    /// The worst of each resource in the rows of the witness who decided, the worst outcomes first.
    pub resources: Vec<ResourceResult>,
    /// Whether these are all resources.
    pub complete: bool,
    /// The rows, oldest first.
    pub rows: Vec<RowFacts>,
}

/// A row without its resources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RowFacts {
    #[schema(value_type = EvidenceSource)]
    pub source: String,
    /// The version of the client that made the requests; absent if the record names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_version: Option<String>,
    #[schema(value_type = Witness)]
    pub witness: String,
    #[schema(value_type = Verdict)]
    pub verdict: String,
    pub requests: u64,
    /// How many of them the record holds whole.
    pub whole: u64,
    /// A SHA-256 of the ids of the requests.
    pub key: String,
    /// When it was handed in.
    pub at: DateTime<Utc>,
}
