//! What opencode's plugin hands over, one JSON object a line.
//!
//! - `{"type": "system", "session": ID, "turn": ID, "request": ID, "version": VERSION, "texts": [TEXT, ...]}`: the
//!   system text of one request, as the client is about to send it, and the version with which the session began.
//! - `{"type": "result", "texts": [TEXT, ...]}`: the result of a tool, which later requests have.
//! - `{"type": "compacted"}`: later requests do not have the results so far.

use ctxpin_model::client_version::ClientVersion;
use serde_json::Value;

use super::json::parse;
use super::{Role, Said, id, version};

/// A line that the plugin hands over.
#[derive(Debug)]
pub enum Entry {
    System(System),
    Result(Vec<String>),
    Compacted,
    /// A line of another kind.
    Other,
}

/// The system text of one request.
#[derive(Debug)]
pub struct System {
    pub session: Option<String>,
    pub turn: Option<String>,
    pub request: String,
    pub client_version: Option<ClientVersion>,
    pub texts: Vec<String>,
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
            texts: texts(&value)?,
        })),
        "result" => Some(Entry::Result(texts(&value)?)),
        "compacted" => Some(Entry::Compacted),
        _ => Some(Entry::Other),
    }
}

fn texts(value: &Value) -> Option<Vec<String>> {
    let texts = value["texts"].as_array()?.iter();
    texts.map(|text| Some(text.as_str()?.to_owned())).collect()
}

/// Returns texts as strings of a message.
pub fn said(texts: &[String], role: Role) -> Vec<Said<'_>> {
    texts.iter().map(|text| Said { role, text }).collect()
}
