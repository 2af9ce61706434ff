//! A chat whose snapshots are known, and records about it.

use std::fmt::Write as _;

use ctxpin_evidence::known::{Given, Known};
use ctxpin_evidence::reading::{Reading, Request};
use ctxpin_evidence::verdict::Turn;
use ctxpin_model::evidence::{ResourceResult, Row, Source};
use ctxpin_model::evidence_key::EvidenceKey;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::profile::{ClaudeCodeSettings, CodexSettings, OpencodeSettings, Rules, Settings};
use ctxpin_model::resource::{Applies, Bodies, Content, Kind, Resource, Status};
use ctxpin_model::snapshot::Snapshot;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// The directory of the workspace.
pub const PROJECT: &str = "/w/project";

/// A snapshot in the making.
#[derive(Debug, Default, Clone)]
pub struct Sample {
    pub snapshot: Snapshot,
    pub bodies: Bodies,
}

impl Sample {
    pub fn of(source: Source) -> Self {
        let settings = match source {
            Source::Transcript => {
                Settings::ClaudeCode(ClaudeCodeSettings::defaults("/home/ada/.claude"))
            }
            Source::Rollout => Settings::Codex(CodexSettings::defaults("/home/ada/.codex")),
            Source::Plugin => {
                Settings::Opencode(OpencodeSettings::defaults("/home/ada/.config/opencode"))
            }
        };
        let mut sample = Self::default();
        sample.snapshot.facts.directory = Some(PROJECT.into());
        sample.snapshot.facts.rules = Some(Rules::newest(settings));
        sample
    }

    /// Adds an instruction file.
    pub fn file(self, path: &str, body: &str) -> Self {
        self.with(Resource::new(Kind::InstructionFile, path, Status::Ok), body)
    }

    /// Adds an instruction file for the files below a directory.
    pub fn file_below(self, path: &str, body: &str) -> Self {
        let mut file = Resource::new(Kind::InstructionFile, path, Status::Ok);
        let (below, _) = path.rsplit_once('/').unwrap();
        file.applies = Some(Applies::to(below, Vec::new()));
        self.with(file, body)
    }

    /// Adds a skill in a directory.
    pub fn skill(self, directory: &str, name: &str, description: &str, text: &str) -> Self {
        let source = format!("{directory}/{name}/SKILL.md");
        let mut skill = Resource::new(Kind::Skill, source, Status::Ok);
        skill.name = Some(name.to_owned());
        skill.description = Some(description.to_owned());
        let body = format!("---\nname: {name}\ndescription: {description}\n---\n{text}");
        self.with(skill, &body)
    }

    /// Adds a skill for the files below a directory.
    pub fn skill_below(self, directory: &str, name: &str, description: &str) -> Self {
        let below = directory.rsplit_once("/.claude/").unwrap().0.to_owned();
        let mut sample = self.skill(directory, name, description, "");
        let skill = sample.snapshot.resources.last_mut().unwrap();
        let scope = below.rsplit('/').next().unwrap();
        skill.name = Some(format!("{scope}:{name}"));
        skill.applies = Some(Applies::to(below, Vec::new()));
        sample
    }

    /// Adds a skill with some lines of frontmatter.
    pub fn skill_with(self, directory: &str, name: &str, frontmatter: &str) -> Self {
        let source = format!("{directory}/{name}/SKILL.md");
        let mut skill = Resource::new(Kind::Skill, source, Status::Ok);
        skill.name = Some(name.to_owned());
        self.with(skill, &format!("---\nname: {name}\n{frontmatter}\n---\n"))
    }

    /// Lists a file that is not pinned.
    pub fn unpinned(mut self, path: &str, status: Status) -> Self {
        let file = Resource::new(Kind::InstructionFile, path, status);
        self.snapshot.resources.push(file);
        self
    }

    /// Lists a skill that is not pinned.
    pub fn unpinned_skill(mut self, path: &str, status: Status) -> Self {
        let mut skill = Resource::new(Kind::Skill, path, status);
        skill.root = Some(PROJECT.into());
        self.snapshot.resources.push(skill);
        self
    }

    fn with(mut self, mut resource: Resource, body: &str) -> Self {
        let hash = BlobHash::of(body.as_bytes());
        resource.content = Some(Content::Pinned(hash));
        resource.root = Some(PROJECT.into());
        self.bodies.insert(hash, body.as_bytes().into());
        self.snapshot.resources.push(resource);
        self
    }
}

/// Returns what is known of snapshots.
pub fn known(samples: &[Sample]) -> Known {
    known_under(7, samples)
}

/// Returns what is known of snapshots under another key.
pub fn known_under(key: u8, samples: &[Sample]) -> Known {
    let given: Vec<_> = samples
        .iter()
        .map(|sample| Given {
            snapshot: &sample.snapshot,
            bodies: &sample.bodies,
        })
        .collect();
    Known::new(EvidenceKey::new([key; 32]), &given).unwrap()
}

/// Returns everything that a reading of a record keeps and tells, as JSON. So many of its lines cannot be read.
pub fn told_of(known: &Known, source: Source, record: &str, broken: u64) -> String {
    let mut reading = Reading::new(known, source);
    let mut turn = Turn::new(known, source, Some(0));
    let mut text = String::new();
    let each = &mut |request: &Request<'_>| {
        text += &format!("{request:?}\n");
        turn.add(request);
    };
    reading.read(&mut record.as_bytes(), each).unwrap();
    assert_eq!(reading.state().lines().broken, broken);
    text += &serde_json::to_string(reading.state()).unwrap();
    text += &turn.row().canonical_json();
    text
}

/// Reads a record whole, and returns what it says about all of its requests as one turn.
pub fn row(known: &Known, source: Source, pin: usize, record: &str) -> Row {
    let mut turn = Turn::new(known, source, Some(pin));
    let mut reading = Reading::new(known, source);
    let read = reading.read(&mut record.as_bytes(), &mut |request| turn.add(request));
    read.unwrap();
    turn.row()
}

/// Returns a row as lines: the verdict, and each resource with its outcome.
pub fn shown(row: &Row) -> String {
    let mut text = format!("{:?}, {} of {} whole", row.verdict, row.whole, row.requests);
    if let Some(number) = row.first_different {
        write!(text, ", differs in {number}").unwrap();
    }
    if !row.gaps.is_empty() {
        write!(text, ", {:?}", row.gaps).unwrap();
    }
    for resource in &row.resources {
        let path = resource.path.as_deref().unwrap_or("no path");
        write!(text, "\n  {path}: {}", became(resource)).unwrap();
        if resource.is_within {
            text += ", within another text";
        }
        if let Some(place) = resource.place {
            write!(text, " in message {}", place.message).unwrap();
        }
    }
    text + "\n"
}

/// Returns an outcome with the bytes that it counts.
pub fn became(result: &ResourceResult) -> String {
    match result.given_bytes {
        Some(bytes) => format!("{:?}({bytes})", result.outcome),
        None => format!("{:?}", result.outcome),
    }
}

/// A transcript of Claude Code in the making.
#[derive(Debug, Default)]
pub struct Transcript {
    pub lines: Vec<Value>,
    /// The system prompt.
    pub system: String,
    hashes: Vec<String>,
    requests: usize,
}

impl Transcript {
    /// Adds a message, which all requests from here on have.
    pub fn message(&mut self, role: &str, blocks: Value) {
        let message = json!({ "role": role, "content": blocks });
        let hash = hash(&message);
        self.lines
            .push(json!({ "type": "api-request-blob", "hash": hash, "message": message }));
        self.hashes.push(hash);
    }

    /// Adds a line of the conversation.
    pub fn row(&mut self, role: &str, text: &str) {
        let content = json!([{ "type": "text", "text": text }]);
        self.lines
            .push(json!({ "type": role, "message": { "role": role, "id": "message-1", "content": content } }));
    }

    /// Lets all requests from here on have a message that stands in the conversation: lines of the user with these
    /// texts.
    pub fn in_rows(&mut self, texts: &[&str]) {
        let blocks = texts
            .iter()
            .map(|text| json!({ "type": "text", "text": text }));
        let content: Value = blocks.collect();
        self.hashes
            .push(hash(&json!({ "role": "user", "content": content })));
    }

    /// Adds a message of the user with texts.
    pub fn user(&mut self, texts: &[&str]) {
        let blocks = texts
            .iter()
            .map(|text| json!({ "type": "text", "text": text }));
        self.message("user", blocks.collect());
    }

    /// Adds what the client says of a text of its own that it is about to send.
    pub fn attachment(&mut self, attachment: Value, text: &str) {
        let text = match text.starts_with("<system-reminder>") {
            true => text.to_owned(),
            false => format!("<system-reminder>\n{text}\n</system-reminder>"),
        };
        let role = match attachment["type"].as_str() {
            Some("instructions" | "nested_memory") => "user",
            _ => "system",
        };
        self.lines.push(json!({
            "type": "attachment", "attachment": attachment, "rendered": [{ "content": text }], "renderedRole": role,
        }));
    }

    /// Adds a message of the user with texts of the client.
    pub fn given(&mut self, texts: &[&str]) {
        for text in texts {
            self.attached(text);
        }
        self.user(texts);
    }

    /// Adds what the client says of a text, by its form.
    pub fn attached(&mut self, text: &str) {
        if text.starts_with("Base directory") {
            self.row("user", text);
            self.lines.last_mut().unwrap()["isMeta"] = json!(true);
            return;
        }
        let lines = text
            .lines()
            .filter_map(|line| line.strip_prefix("Contents of "));
        let paths = lines.map(|line| line.split([':', '(']).next().unwrap().trim());
        let files: Vec<_> = paths.map(|path| json!({ "path": path })).collect();
        let attachment = match text.trim_start_matches("<system-reminder>\n") {
            text if text.starts_with("The following skills") => json!({ "type": "skill_listing" }),
            text if text.starts_with("Note: ") => json!({ "type": "edited_text_file" }),
            text if text.starts_with("tool.call hook") => {
                json!({ "type": "hook_additional_context", "hookName": "tool.call" })
            }
            text if text.starts_with("Contents of ") => {
                json!({ "type": "nested_memory", "path": files[0]["path"] })
            }
            _ => json!({ "type": "instructions", "files": files }),
        };
        self.attachment(attachment, text);
    }

    /// Adds the message with the instruction files, each with its path.
    pub fn files(&mut self, files: &[(&str, &str)]) {
        let text = reminder(files);
        let files = files.iter().map(|(path, _)| json!({ "path": path }));
        let attachment = json!({ "type": "instructions", "files": files.collect::<Vec<_>>() });
        self.attachment(attachment, &text);
        self.user(&[&text]);
    }

    /// Adds the result of a tool.
    pub fn result(&mut self, text: &str) {
        let block = json!({ "type": "tool_result", "tool_use_id": "tool-1", "content": text });
        self.message("user", json!([block]));
    }

    /// Adds a request of a subagent, or of something else that Claude Code names so.
    pub fn request_of(&mut self, source: &str) {
        self.request();
        self.lines.last_mut().unwrap()["querySource"] = json!(source);
    }

    /// Adds a request with all messages so far.
    pub fn request(&mut self) {
        let shape = json!({ "system": [{ "type": "text", "text": self.system }], "tools": [] });
        self.requests += 1;
        self.lines.extend([
            json!({ "type": "api-request-shape", "shapeHash": hash(&shape), "shape": shape }),
            json!({
                "type": "api-request", "sessionId": "session-1", "id": format!("request-{}", self.requests),
                "shapeHash": hash(&shape), "keep": 0, "tail": self.hashes,
            }),
        ]);
    }

    /// Returns the record.
    pub fn record(&self) -> String {
        self.lines.iter().map(|line| format!("{line}\n")).collect()
    }
}

/// Returns the block in which Claude Code puts its files.
pub fn reminder(files: &[(&str, &str)]) -> String {
    let files = files.iter();
    let files: Vec<_> = files
        .map(|(path, text)| format!("Contents of {path} (project instructions):\n\n{text}"))
        .collect();
    format!(
        "<system-reminder>\nCodebase and user instructions are shown below. Follow them.\n\n{}\n</system-reminder>",
        files.join("\n\n")
    )
}

fn hash(value: &Value) -> String {
    hex::encode(Sha256::digest(serde_jcs::to_vec(value).unwrap()))
}

/// Returns a rollout of Codex with one request that has these items.
pub fn rollout(items: &[Value]) -> String {
    let mut lines = vec![json!({ "type": "session_meta", "payload": { "id": "session-1" } })];
    let items = items.iter();
    lines.extend(items.map(|item| json!({ "type": "response_item", "payload": item })));
    lines.push(json!({ "type": "response_item", "payload": said("assistant", "Done.") }));
    lines.push(json!({ "type": "event_msg", "payload": { "type": "task_complete" } }));
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Returns an item of Codex with one text.
pub fn said(role: &str, text: &str) -> Value {
    json!({ "type": "message", "role": role, "content": [{ "type": "input_text", "text": text }] })
}

/// Returns an item of Codex with one text, of a kind that the client states.
pub fn of_kind(role: &str, kind: &str, text: &str) -> Value {
    let mut item = said(role, text);
    item["internal_chat_message_metadata_passthrough"] = json!({ "content_item_kinds": [kind] });
    item
}

/// Returns the message with the files of Codex.
pub fn codex_files(text: &str) -> Value {
    let message = format!(
        "# AGENTS.md instructions for {PROJECT}\n\n<INSTRUCTIONS>\n{text}\n</INSTRUCTIONS>"
    );
    of_kind("user", "agents_md.instructions", &message)
}

/// Returns a text of several lines that is like no other.
pub fn body(name: &str) -> String {
    let lines = (1..=5).map(|number| format!("{name} says in line {number} what to do.\n"));
    lines.collect()
}

/// Returns the turn of each request, with a mark behind a compaction.
pub fn turns_of(known: &Known, source: Source, record: &str) -> String {
    let mut told = String::new();
    let mut reading = Reading::new(known, source);
    let mut tell = |request: &Request<'_>| {
        let mark = if request.is_compacted { "*" } else { "" };
        write!(told, "{}{mark} ", request.turn.unwrap_or("-")).unwrap();
    };
    reading.read(&mut record.as_bytes(), &mut tell).unwrap();
    reading.end_turn(&mut tell);
    told
}
