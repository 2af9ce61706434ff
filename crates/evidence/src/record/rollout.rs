//! Codex's rollout, as versions 0.150 and 0.171 write it.
//!
//! Its `response_item` lines are the items of the requests' input and of the answers, in their order. A request has no
//! line of its own: it was made where an item of the model follows items of the input, with all items before. A
//! `compacted` line replaces them by others. The request that asks for a summary is in no line.

use ctxpin_model::client_version::ClientVersion;
use serde_json::Value;

use super::json::{kind, parse, strings};
use super::transcript::Due;
use super::{Role, Said, id, version};

/// The kinds of contents in which Codex puts its files, its list of skills, and a skill that is used. Compared with 0.150.0
/// and 0.171.0.
const OWN_KINDS: [&str; 3] = [
    "agents_md.instructions",
    "host_skills.instructions",
    "skills.selected_skill_instructions",
];
const HOOK: &str = "hooks.additional_context";

/// A line of a rollout.
#[derive(Debug)]
pub enum Entry {
    /// The beginning of a session.
    Session(Session),
    Item(Item),
    /// The items that replace those before.
    Compacted(Vec<Item>),
    /// A turn begins, with its id. It may be one of a review.
    Turn(Option<String>),
    /// A turn makes requests from here on, with its id.
    TurnContext(Option<String>),
    /// A review begins, which runs in a thread with a record of its own. What this one says of it until the turn ends was
    /// in no request.
    Review,
    /// A turn has ended.
    TurnEnd,
    /// A line of another kind.
    Other,
}

/// The beginning of a session.
#[derive(Debug)]
pub struct Session {
    pub id: Option<String>,
    /// The version of the client that began it.
    pub client_version: Option<ClientVersion>,
    /// The system prompt. Codex sends it, or a part of it.
    pub instructions: Value,
    pub parent: Option<Parent>,
    pub due: Due,
    /// The session of which this is a review.
    pub reviewed: Option<String>,
}

impl Session {
    /// Returns the strings of the system prompt.
    pub fn said(&self) -> Vec<Said<'_>> {
        let text = self.instructions.as_str().unwrap_or_default();
        let role = Role::Prompt;
        vec![Said { role, text }]
    }
}

/// The record that a forked session goes on from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    /// The id of the session, which the name of its file ends with.
    pub session: String,
    /// How many bytes of it belong to the fork. `None` if the record does not say it.
    pub bytes: Option<u64>,
    /// The session that a person forked. Its record need not be the one that this one goes on from.
    pub forked_from: Option<String>,
}

/// An item of a request's input or of an answer.
#[derive(Debug)]
pub struct Item {
    value: Value,
    /// Whether the model made it.
    pub is_answer: bool,
    /// Whether it is the summary for a compaction.
    pub is_summary: bool,
}

/// Parses a line. Returns `None` if it is broken.
pub fn entry(line: &[u8]) -> Option<Entry> {
    let wanted = [
        "session_meta",
        "response_item",
        "compacted",
        "turn_context",
        "event_msg",
    ];
    if !wanted.contains(&kind(line)?.as_str()) {
        return Some(Entry::Other);
    }
    let mut value = parse(line)?;
    let mut payload = value["payload"].take();
    match value["type"].as_str()? {
        "session_meta" => Some(Entry::Session(Session {
            id: payload["id"].as_str().and_then(id),
            client_version: version(&payload["cli_version"]),
            parent: parent_in(&payload),
            due: Due {
                // One that another session began names that.
                has_list: payload["source"].is_string(),
                ..Due::default()
            },
            reviewed: reviewed_in(&payload),
            instructions: payload["base_instructions"]["text"].take(),
        })),
        "response_item" => {
            let is_summary = value["metadata"]["compaction_output"] == true;
            Some(Entry::Item(Item {
                is_summary,
                ..item(payload)?
            }))
        }
        "compacted" => {
            let items = payload["replacement_history"].take();
            let Value::Array(items) = items else {
                return None;
            };
            let items = items.into_iter().map(item);
            Some(Entry::Compacted(items.collect::<Option<_>>()?))
        }
        "turn_context" => Some(Entry::TurnContext(payload["turn_id"].as_str().and_then(id))),
        _ => Some(match payload["type"].as_str() {
            Some("task_started" | "turn_started") => {
                Entry::Turn(payload["turn_id"].as_str().and_then(id))
            }
            Some("task_complete" | "turn_complete" | "turn_aborted") => Entry::TurnEnd,
            Some("item_completed") if payload["item"]["type"] == "EnteredReviewMode" => {
                Entry::Review
            }
            _ => Entry::Other,
        }),
    }
}

/// Returns the session of Codex of which a record is a review, by the first line of the record.
pub fn reviewed(first_line: &[u8]) -> Option<String> {
    match entry(first_line)? {
        Entry::Session(session) => session.reviewed,
        _ => None,
    }
}

/// Returns the record that a forked session's own record goes on from, by the first line of that.
pub fn parent(first_line: &[u8]) -> Option<Parent> {
    match entry(first_line)? {
        Entry::Session(session) => session.parent,
        _ => None,
    }
}

/// Returns the session that a review is of.
fn reviewed_in(payload: &Value) -> Option<String> {
    let is_review = payload["source"]["subagent"] == "review";
    let session = payload["session_id"].as_str().filter(|_| is_review);
    session.and_then(id)
}

/// Returns the record that a session goes on from.
fn parent_in(payload: &Value) -> Option<Parent> {
    let base = &payload["history_base"];
    let forked_from = payload["forked_from_id"].as_str();
    let session = base["thread_id"].as_str().or(forked_from)?;
    Some(Parent {
        session: id(session)?,
        bytes: base["end_byte_offset"].as_u64(),
        forked_from: forked_from.and_then(id),
    })
}

fn item(value: Value) -> Option<Item> {
    let is_answer = match (value["type"].as_str()?, value["role"].as_str()) {
        ("message", Some(role)) => role == "assistant",
        ("message", None) => return None,
        (kind, _) => !kind.ends_with("_output"),
    };
    Some(Item {
        value,
        is_answer,
        is_summary: false,
    })
}

impl Item {
    /// Returns the strings of the item.
    pub fn said(&self) -> Vec<Said<'_>> {
        let mut said = Vec::new();
        let (role, value) = match (self.value["type"].as_str(), self.value["role"].as_str()) {
            (Some("message"), Some("developer" | "system")) => {
                (Role::Prompt, &self.value["content"])
            }
            (Some("message"), Some("user")) => (Role::User, &self.value["content"]),
            (Some("message"), _) => (Role::Assistant, &self.value["content"]),
            _ if self.is_answer => (Role::Assistant, &self.value),
            _ => (Role::Tool, &self.value["output"]),
        };
        match value.as_array() {
            // The type of a content is no text of it.
            Some(contents) if role != Role::Tool => {
                for (number, content) in contents.iter().enumerate() {
                    let role = match self.kind(number) {
                        Some(kind) if OWN_KINDS.contains(&kind) => Role::Instruction,
                        // Codex gives as its own words what a hook prints.
                        Some(HOOK) => Role::Tool,
                        _ => role,
                    };
                    strings(&content["text"], role, &mut said);
                }
            }
            _ => strings(value, role, &mut said),
        }
        said
    }

    /// Returns what Codex says of a content, by its number. What a person says has another kind, whatever its form is.
    fn kind(&self, number: usize) -> Option<&str> {
        let kinds = &self.value["internal_chat_message_metadata_passthrough"]["content_item_kinds"];
        kinds[number].as_str().filter(|_| !self.is_answer)
    }
}
