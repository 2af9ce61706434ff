//! What opencode's plugin hands over, one JSON object a line.
//!
//! `{"type": "system", "session": ID, "turn": ID, "request": ID, "version": VERSION, "texts": [TEXT, ...], "added": [TEXT,
//! ...], "is_cut": BOOLEAN, "is_behind_others": BOOLEAN, "may_use_skills": BOOLEAN}` says what one request has: the system
//! text, as the client is about to send it; the instruction files that the client has added to results of tools in the
//! conversation and the results with the texts of used skills, and whether there are more than go along; whether requests of
//! the turn are missing before it, by their numbers; whether its agent may use skills, if the plugin knows that; and the
//! version with which the session began.

use ctxpin_model::client_version::ClientVersion;
use serde_json::Value;

use super::json::parse;
use super::transcript::Due;
use super::{Role, Said, id, version};

/// A line that the plugin hands over.
#[derive(Debug)]
pub enum Entry {
    System(System),
    /// A line of another kind.
    Other,
}

/// What one request has.
#[derive(Debug)]
pub struct System {
    pub session: Option<String>,
    pub turn: Option<String>,
    pub request: String,
    pub client_version: Option<ClientVersion>,
    pub texts: Vec<String>,
    /// The ends of results of tools, with the files that the client has added there, and whole results with skills.
    pub added: Vec<String>,
    /// Whether some of these are left out.
    pub is_cut: bool,
    /// Whether requests of its turn are missing before it.
    pub is_behind_others: bool,
    pub due: Due,
}

/// Parses a line. Returns `None` if it is broken.
pub fn entry(line: &[u8]) -> Option<Entry> {
    let value = parse(line)?;
    let named = |member: &str| value[member].as_str().and_then(id);
    match value["type"].as_str()? {
        "system" => Some(Entry::System(System {
            session: named("session"),
            turn: named("turn"),
            request: named("request")?,
            client_version: version(&value["version"]),
            texts: texts(&value["texts"])?,
            added: match &value["added"] {
                Value::Null => Vec::new(),
                added => texts(added)?,
            },
            is_cut: value["is_cut"] == true,
            is_behind_others: value["is_behind_others"] == true,
            due: Due {
                // opencode always lists one of its own then.
                has_list: value["may_use_skills"] == true,
                ..Due::default()
            },
        })),
        _ => Some(Entry::Other),
    }
}

fn texts(value: &Value) -> Option<Vec<String>> {
    let texts = value.as_array()?.iter();
    texts.map(|text| Some(text.as_str()?.to_owned())).collect()
}

/// Returns texts as strings of a message.
pub fn said(texts: &[String], role: Role) -> Vec<Said<'_>> {
    texts.iter().map(|text| Said { role, text }).collect()
}
