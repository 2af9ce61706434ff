//! Claude Code's transcript, from version 2.1.307 on.
//!
//! Besides the conversation, it has `api-request-shape` (the system prompt and the tools of requests), `api-request-blob`
//! (one message as it was sent) and `api-request`. A request names its messages by their hashes: those that it keeps of
//! the request before, and then its own. A message that is equal to the conversation has no blob: its hash is that of
//! consecutive lines of one role together. Every hash is the SHA-256 of the message as canonical JSON (RFC 8785), with a
//! plain text as a list of one block.
//!
//! Behind a prompt or a result, `attachment` says what the client puts into the requests by itself: of what kind it is, which
//! files it has, and how it is written (`rendered`).

use ctxpin_model::client_version::ClientVersion;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::json::{kind, parse, strings};
use super::{Role, Said, id, version};

/// What a line begins with that names what a person uses, or what a subagent begins with, and what stands around the name.
const COMMAND: &str = "<command-message>";
const COMMAND_NAME: [&str; 2] = ["<command-name>", "</command-name>"];

/// What a prompt begins with by which a subagent or a command hands its work back. It belongs to the turn of the prompt
/// before.
const HAND_BACK: &str = "<task-notification>";

/// What the text of a skill begins with that is used.
pub const SKILL: &str = "Base directory for this skill: ";

/// What the source of a subagent's requests begins with: an agent of Claude Code itself, or another one.
const BUILT_IN: &str = "agent:builtin:";
const CUSTOM: &str = "agent:custom";

/// The source of a session's own requests, and what it begins with in a terminal.
const MAIN: &str = "sdk";
const MAIN_TERMINAL: &str = "repl_main_thread";

/// The hash of a message or of a shape.
pub type Hash = [u8; 32];

/// A line of a transcript.
#[derive(Debug)]
pub enum Entry {
    /// A message as it was sent, or the system prompt of requests. `is_true` if its hash is the stated one.
    Sent {
        hash: Hash,
        is_true: bool,
        value: Value,
    },
    /// A line of the conversation.
    Row(Row),
    Given(Given),
    Request(Request),
    /// The conversation was compacted. No message goes on behind it.
    Boundary,
    /// A line of another kind.
    Other,
}

/// A line of the conversation.
#[derive(Debug)]
pub struct Row {
    pub role: String,
    /// The id that all lines of one answer of the model have.
    pub message: Option<String>,
    /// The id of the prompt.
    pub prompt: Option<String>,
    pub said_by: SaidBy,
    /// Whether it has the text of a skill that is used. A person's prompt can look like one, and a command too.
    pub is_skill: bool,
    /// What it says to be used.
    pub named: Option<Named>,
    /// The id by which another line names what it has the text of.
    pub used_as: Option<String>,
    /// When it was made, as the client writes times. Later ones are greater.
    pub at: Option<String>,
    pub content: Vec<Value>,
}

/// A skill or a command that a line says to be used. The text comes with a later line, or the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub id: String,
    pub name: String,
}

/// A skill or a command that was used, with its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    pub name: String,
    pub text: String,
}

/// What the client itself gives: its files, its list of skills, notes about edited files, or skills that were used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    pub texts: Vec<String>,
    /// The paths of the files. `None` if the client does not say them.
    pub files: Option<Vec<String>>,
    /// Whether they go into a message of the system, if the model takes one.
    pub is_beside: bool,
    /// The skills and the commands of which the texts consist, in their order.
    pub used: Vec<Used>,
}

impl Given {
    /// Returns the text of a skill that is used.
    pub fn skill(text: &str) -> Self {
        Self {
            texts: vec![text.to_owned()],
            files: None,
            is_beside: false,
            used: Vec::new(),
        }
    }
}

/// Who says a line of the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaidBy {
    /// A person, or the model.
    Conversation,
    /// A tool, or the client beside what somebody says.
    Aside,
    /// Work that went on behind a turn hands its result back.
    HandBack,
}

/// Whether a request has the instruction files that its session has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Files {
    #[default]
    Given,
    /// It is of a subagent to which Claude Code never gives them.
    Never,
    /// It is of a subagent whose definition decides, which the record does not have (`omitClaudeMd`).
    Unsaid,
}

impl Files {
    /// Returns what the source of a request says. Compared with 2.1.307 and 2.1.332.
    fn of(source: &str) -> Self {
        match source.strip_prefix(BUILT_IN) {
            Some("Explore" | "Plan") => Self::Never,
            Some("claude" | "fork" | "general-purpose" | "statusline-setup") => Self::Given,
            Some(_) => Self::Unsaid,
            None if source.starts_with(CUSTOM) => Self::Unsaid,
            None => Self::Given,
        }
    }
}

/// What a client gives in a request if there is any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Due {
    pub files: Files,
    /// Whether it surely gives the list of skills. A subagent may have no means to use one.
    pub has_list: bool,
}

impl Due {
    /// Returns what the source of a request says. Compared with 2.1.307 and 2.1.332.
    fn of(source: &str) -> Self {
        Self {
            files: Files::of(source),
            has_list: source == MAIN || source.starts_with(MAIN_TERMINAL),
        }
    }
}

/// What a request consists of.
#[derive(Debug)]
pub struct Request {
    pub id: String,
    /// When it was made, as the client writes times.
    pub at: Option<String>,
    pub session: Option<String>,
    pub client_version: Option<ClientVersion>,
    /// The request whose first messages this one keeps.
    pub base: Option<String>,
    pub keep: usize,
    pub tail: Vec<Hash>,
    pub shape: Option<Hash>,
    /// Whether the client left out something that it sent.
    pub is_cut: bool,
    pub due: Due,
}

/// Parses a line. Returns `None` if it is broken.
pub fn entry(line: &[u8]) -> Option<Entry> {
    let kind = kind(line)?;
    let wanted = [
        "api-request-shape",
        "api-request-blob",
        "api-request",
        "attachment",
        "user",
        "assistant",
        "system",
    ];
    if !wanted.contains(&kind.as_str()) {
        return Some(Entry::Other);
    }
    let mut value = parse(line)?;
    match kind.as_str() {
        "api-request-shape" => sent(value["shape"].take(), &value["shapeHash"]),
        "api-request-blob" => sent(listed(value["message"].take()), &value["hash"]),
        "api-request" => request(&value).map(Entry::Request),
        "attachment" => Some(given(&value).map_or(Entry::Other, Entry::Given)),
        "system" if value["subtype"] == "compact_boundary" => Some(Entry::Boundary),
        "system" => Some(Entry::Other),
        _ => row(value).map(Entry::Row),
    }
}

fn sent(value: Value, stated: &Value) -> Option<Entry> {
    let hash = hash(stated)?;
    let canonical = serde_jcs::to_vec(&value).ok()?;
    Some(Entry::Sent {
        hash,
        is_true: Hash::from(Sha256::digest(canonical)) == hash,
        value,
    })
}

/// Returns a message whose content is a list of blocks.
fn listed(mut message: Value) -> Value {
    if let Some(text) = message["content"].as_str() {
        message["content"] = json!([{ "type": "text", "text": text }]);
    }
    message
}

fn request(value: &Value) -> Option<Request> {
    let tail = value["tail"].as_array()?.iter().map(hash);
    Some(Request {
        id: id(value["id"].as_str()?)?,
        at: value["timestamp"].as_str().and_then(id),
        session: value["sessionId"].as_str().and_then(id),
        client_version: version(&value["version"]),
        base: value["base"].as_str().and_then(id),
        keep: usize::try_from(value["keep"].as_u64()?).ok()?,
        tail: tail.collect::<Option<_>>()?,
        shape: hash(&value["shapeHash"]),
        is_cut: !value["cut"].is_null(),
        due: value["querySource"]
            .as_str()
            .map_or_else(Due::default, Due::of),
    })
}

/// Returns what an attachment gives, if it is of a kind with files, skills or notes. One of another kind may have the words of
/// a person, a hook or a server.
fn given(value: &Value) -> Option<Given> {
    let attachment = &value["attachment"];
    let path = |value: &Value| value["path"].as_str().map(str::to_owned);
    let files = match attachment["type"].as_str()? {
        "instructions" => {
            let files = attachment["files"].as_array()?.iter();
            Some(files.filter_map(path).collect())
        }
        "nested_memory" => Some(vec![path(attachment)?]),
        "edited_text_file" | "skill_listing" | "invoked_skills" => Some(Vec::new()),
        // `AGENTS.md` that comes with a file. A hook of a person has the name of its event.
        "hook_additional_context" if attachment["hookName"] == "tool.call" => None,
        _ => return None,
    };
    let used = attachment["skills"].as_array().into_iter().flatten();
    let used = used.filter_map(|used| {
        Some(Used {
            name: used["name"].as_str()?.to_owned(),
            text: used["content"].as_str()?.to_owned(),
        })
    });
    let mut texts = Vec::new();
    for rendered in value["rendered"].as_array()? {
        match &rendered["content"] {
            Value::Array(blocks) => {
                let blocks = blocks.iter().filter_map(|block| block["text"].as_str());
                texts.extend(blocks.map(str::to_owned));
            }
            content => texts.extend(content.as_str().map(str::to_owned)),
        }
    }
    Some(Given {
        texts,
        files,
        is_beside: value["renderedRole"] == "system",
        used: used.collect(),
    })
}

fn row(mut value: Value) -> Option<Row> {
    let message = listed(value["message"].take());
    let role = message["role"].as_str()?.to_owned();
    let content = match &message["content"] {
        Value::Array(blocks) => blocks.clone(),
        Value::Null => return None,
        block => vec![block.clone()],
    };
    let first = content.first().and_then(|block| block["text"].as_str());
    let is_hand_back = first.is_some_and(|text| text.starts_with(HAND_BACK));
    let is_result = content
        .first()
        .is_some_and(|block| block["type"] == "tool_result");
    let is_meta = value["isMeta"] == true;
    let line = value["uuid"].as_str();
    let called = value["toolUseResult"]["commandName"].as_str();
    let [id_named, name] = match first.and_then(command_name) {
        Some(name) => [line, Some(name)],
        None => [
            content
                .first()
                .and_then(|block| block["tool_use_id"].as_str()),
            called,
        ],
    };
    // A subagent may begin with skills. Their names and their texts stand in one line.
    let is_with_name = is_meta && id_named.is_some() && id_named == line;
    let body = content.get(usize::from(is_with_name));
    let body = body.and_then(|block| block["text"].as_str());
    let used_as = match is_with_name {
        true => line,
        false => value["sourceToolUseID"]
            .as_str()
            .or(value["parentUuid"].as_str()),
    };
    Some(Row {
        role,
        at: value["timestamp"].as_str().and_then(id),
        message: message["id"].as_str().and_then(id),
        prompt: value["promptId"].as_str().and_then(id),
        said_by: match is_hand_back {
            true => SaidBy::HandBack,
            false if is_result || is_meta => SaidBy::Aside,
            false => SaidBy::Conversation,
        },
        is_skill: is_meta && body.is_some_and(|text| text.starts_with(SKILL)),
        named: id_named.and_then(id).zip(name).map(|(id, name)| Named {
            id,
            name: name.to_owned(),
        }),
        used_as: used_as.and_then(id),
        content,
    })
}

/// Returns the name that a line gives what is used.
fn command_name(text: &str) -> Option<&str> {
    let [begin, end] = COMMAND_NAME;
    let (_, name) = text.strip_prefix(COMMAND)?.split_once(begin)?;
    let (name, _) = name.split_once(end)?;
    Some(name.strip_prefix('/').unwrap_or(name))
}

fn hash(value: &Value) -> Option<Hash> {
    let mut hash = Hash::default();
    hex::decode_to_slice(value.as_str()?, &mut hash).ok()?;
    Some(hash)
}

/// The hash of consecutive lines of one role, which grows with each.
pub struct Run {
    role: String,
    message: Option<String>,
    hash: Sha256,
    is_empty: bool,
}

impl Run {
    /// Begins with a line.
    pub fn of(row: &Row) -> Self {
        Self {
            role: row.role.clone(),
            message: row.message.clone(),
            hash: Sha256::new_with_prefix("{\"content\":["),
            is_empty: true,
        }
    }

    /// Returns whether a line belongs to the same message.
    pub fn takes(&self, row: &Row) -> bool {
        let is_same = row.message.is_some() && self.message == row.message;
        self.role == row.role && (row.role == "user" || is_same)
    }

    /// Adds a line. Returns the hash of the message up to here.
    pub fn add(&mut self, row: &Row) -> Option<Hash> {
        for block in &row.content {
            if !self.is_empty {
                self.hash.update(",");
            }
            self.is_empty = false;
            self.hash.update(serde_jcs::to_vec(block).ok()?);
        }
        let role = serde_jcs::to_string(&self.role).ok()?;
        let whole = self.hash.clone();
        Some(
            whole
                .chain_update(format!("],\"role\":{role}}}"))
                .finalize()
                .into(),
        )
    }
}

/// Returns the strings of a message or of a shape.
pub fn said(value: &Value) -> Vec<Said<'_>> {
    let mut said = Vec::new();
    if let Some(system) = value.get("system") {
        strings(system, Role::Prompt, &mut said);
        return said;
    }
    let role = match value["role"].as_str() {
        Some("system") => Role::Beside,
        Some("user") => Role::User,
        _ => Role::Assistant,
    };
    let content = value["content"].as_array();
    for block in content.into_iter().flatten() {
        said_in_block(block, role, &mut said);
    }
    said
}

/// Returns the strings of a line of the conversation.
pub fn said_in_row(row: &Row) -> Vec<Said<'_>> {
    let mut said = Vec::new();
    let role = match &*row.role {
        "user" if row.is_skill => Role::Instruction,
        "user" => Role::User,
        _ => Role::Assistant,
    };
    for block in &row.content {
        said_in_block(block, role, &mut said);
    }
    said
}

fn said_in_block<'v>(block: &'v Value, role: Role, said: &mut Vec<Said<'v>>) {
    match block["type"].as_str() {
        Some("tool_result") => strings(&block["content"], Role::Tool, said),
        Some("text") => strings(&block["text"], role, said),
        // Of other blocks only what it says matters, and not which member says it.
        _ => strings(block, role, said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(role: &str, message: Option<&str>, blocks: Value) -> Row {
        Row {
            role: role.into(),
            message: message.map(str::to_owned),
            prompt: None,
            said_by: SaidBy::Conversation,
            is_skill: false,
            named: None,
            used_as: None,
            at: None,
            content: blocks.as_array().cloned().unwrap_or_default(),
        }
    }

    #[test]
    fn a_run_hashes_as_the_message_that_it_makes() {
        let [a, b] = ["é \"a\"", "b"].map(|text| json!({ "type": "text", "text": text }));
        let first = row("user", None, json!([a]));
        let mut run = Run::of(&first);
        let hash = |blocks: Value| {
            let message = json!({ "role": "user", "content": blocks });
            Hash::from(Sha256::digest(serde_jcs::to_vec(&message).unwrap()))
        };
        assert_eq!(run.add(&first), Some(hash(json!([a]))));
        let second = row("user", None, json!([b, a]));
        assert!(run.takes(&second));
        assert_eq!(run.add(&second), Some(hash(json!([a, b, a]))));
        let answer = row("assistant", Some("m1"), json!([a]));
        assert!(!run.takes(&answer));
        let run = Run::of(&answer);
        assert!(run.takes(&row("assistant", Some("m1"), json!([b]))));
        assert!(!run.takes(&row("assistant", Some("m2"), json!([b]))));
        assert!(!run.takes(&row("assistant", None, json!([b]))));
    }

    #[test]
    fn a_changed_message_does_not_have_its_hash() {
        let message = json!({ "role": "user", "content": "hi" });
        let canonical = r#"{"content":[{"text":"hi","type":"text"}],"role":"user"}"#;
        let hash = hex::encode(Sha256::digest(canonical));
        let check = |message: &Value, expected: bool| {
            let line = json!({ "type": "api-request-blob", "hash": hash, "message": message });
            let Some(Entry::Sent { is_true, .. }) = entry(line.to_string().as_bytes()) else {
                panic!("it is a blob");
            };
            assert_eq!(is_true, expected);
        };
        check(&message, true);
        check(&json!({ "role": "user", "content": "ho" }), false);
    }

    #[test]
    fn broken_lines_and_other_lines_differ() {
        assert!(matches!(
            entry(b"{\"type\":\"mode\",\"mode\":1}"),
            Some(Entry::Other)
        ));
        for broken in ["", "{", "[]", "{\"type\":1}", "{\"type\":\"api-request\"}"] {
            assert!(entry(broken.as_bytes()).is_none(), "{broken}");
        }
    }
}
