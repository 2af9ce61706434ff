//! What the stand-in finds by itself in the requests that it received: in which of them the texts of a project stand, and
//! what [docs/evidence.md](../../../docs/evidence.md) therefore says of each resource. It shares no code with the
//! evidence that it is compared with.

use std::borrow::Cow;
use std::collections::BTreeMap;

use ctxpin_model::evidence::Outcome;
use ctxpin_model::hash::BlobHash;
use serde_json::Value;

use super::place::Files;
use crate::client::{Client, Said};

/// The shortest text that counts outside of its client's frame, in bytes.
const SHORT_BYTES: usize = 64;

/// What Claude Code says of a file that was edited, before it shows the lines with their numbers.
const EDIT: &str = " changed on disk since you last read it.";

/// What became of each resource: by its path in the project, and by the hash of its text. A text that no snapshot has has
/// no hash.
pub type Outcomes = BTreeMap<(String, Option<BlobHash>), Outcome>;

/// The search for the texts of a project.
pub struct Search<'s> {
    pub client: Client,
    /// The files of the project, each time that they changed, the oldest first.
    pub files: &'s [Files],
}

/// A place in a request: the message, the string in it, and the byte in that.
type Place = (usize, usize, usize);

/// A text at a place.
#[derive(Debug, Clone, Copy)]
struct Hit<'s> {
    text: &'s str,
    place: Place,
    is_instruction: bool,
    /// Whether the tool shows it as an edit of what it has read.
    is_edit: bool,
}

impl Search<'_> {
    /// Returns what became of each resource in requests, the worst of each. A request comes with the number of the files
    /// that are pinned for it.
    pub fn outcomes(&self, requests: &[(usize, Value)]) -> Outcomes {
        let mut worst = Outcomes::new();
        for (pin, request) in requests {
            for (resource, outcome) in self.outcomes_in(*pin, request) {
                let known = worst.entry(resource).or_insert(outcome);
                *known = outcome.max(*known);
            }
        }
        worst
    }

    /// Returns the number of the newest files of which a request has an instruction file that the tool has read. An edit
    /// that it shows of one is told beside it.
    pub fn newest(&self, request: &Value) -> Option<usize> {
        self.newest_of(request, |hit| hit.is_instruction && !hit.is_edit)
    }

    /// Returns the number of the newest files of which a request has an instruction file, which may be shown as an edit.
    pub fn newest_shown(&self, request: &Value) -> Option<usize> {
        self.newest_of(request, |hit| hit.is_instruction)
    }

    fn newest_of(&self, request: &Value, counts: impl Fn(&Hit<'_>) -> bool) -> Option<usize> {
        let hits = self.hits(request);
        let is_given = |files: &Files| {
            let mut texts = files.iter().filter(|(path, _)| !is_skill(path));
            texts.any(|(path, file)| {
                let text = given(path, file);
                hits.iter().any(|hit| counts(hit) && hit.text == text)
            })
        };
        self.files.iter().rposition(is_given)
    }

    fn outcomes_in(&self, pin: usize, request: &Value) -> Outcomes {
        let hits = self.hits(request);
        let pinned = &self.files[pin];
        let places = |text: &str, is_instruction: bool| {
            let hits = hits.iter();
            let hits = hits.filter(|hit| hit.text == text && hit.is_instruction == is_instruction);
            hits.map(|hit| hit.place).collect::<Vec<_>>()
        };
        let mut outcomes = Outcomes::new();
        // Behind the last text of a pinned file, an older one of it counts no more.
        let mut present: BTreeMap<&str, Place> = BTreeMap::new();
        for (path, file) in pinned {
            let text = given(path, file);
            let given = places(text, true);
            if let Some(last) = given.last() {
                present.insert(path, *last);
            }
            let mut owners = pinned.iter();
            let owners = owners
                .by_ref()
                .filter(|(path, file)| self::given(path, file) == text);
            let owners = owners.count();
            let outcome = match (is_skill(path), given.len()) {
                (true, 0) if !self.client.lists_skills(request) => Outcome::NotAskedFor,
                (_, 0) => Outcome::Absent,
                (true, _) => match body(file).filter(|body| !places(body, false).is_empty()) {
                    Some(_) => Outcome::SeenElsewhere,
                    None => Outcome::Given,
                },
                (false, count) if count > owners => Outcome::Repeated,
                (false, _) => Outcome::Given,
            };
            outcomes.insert((path.clone(), Some(BlobHash::of(file.as_bytes()))), outcome);
        }
        let is_replaced = |path: &str, place: Place| match self.client {
            // Its message replaces all earlier ones.
            Client::Codex if !is_skill(path) => {
                let files = present.iter().filter(|(path, _)| !is_skill(path));
                files.map(|(_, place)| place.0).max() > Some(place.0)
            }
            Client::ClaudeCode | Client::Codex | Client::Opencode => {
                present.get(path).is_some_and(|present| *present > place)
            }
        };
        for (number, files) in self.files.iter().enumerate() {
            for (path, file) in files {
                let text = given(path, file);
                let mut pinned = pinned.iter();
                let is_pinned = pinned.any(|(path, file)| given(path, file) == text);
                let Some(last) = places(text, true).last().copied().filter(|_| !is_pinned) else {
                    continue;
                };
                let outcome = match number < pin {
                    false => Outcome::Newer,
                    true if is_replaced(path, last) => Outcome::Superseded,
                    true => Outcome::Stale,
                };
                let resource = (path.clone(), Some(BlobHash::of(file.as_bytes())));
                outcomes.entry(resource).or_insert(outcome);
            }
        }
        outcomes
    }

    /// Returns where the texts of all files stand, in the request's order. Of two of which one has the other, the longer
    /// one stands there.
    fn hits(&self, request: &Value) -> Vec<Hit<'_>> {
        let files = self.files.iter().flatten();
        let texts = files.flat_map(|(path, file)| {
            let body = body(file).filter(|_| is_skill(path));
            [Some(given(path, file)), body].into_iter().flatten()
        });
        let mut texts: Vec<_> = texts.collect();
        texts.sort_unstable();
        texts.dedup();
        let mut hits = Vec::new();
        for (string, said) in self.client.said(request).iter().enumerate() {
            let Said {
                message,
                is_instruction,
                text: said,
            } = said;
            let is_edit = *is_instruction && said.contains(EDIT);
            let said = &match is_edit {
                true => without_numbers(said).into(),
                false => Cow::Borrowed(&**said),
            };
            let found = texts.iter().copied().flat_map(|text| {
                let found = said.match_indices(text);
                found.map(move |(at, _)| (at, at + text.len(), text))
            });
            let mut found: Vec<_> = found.collect();
            found.sort_unstable_by_key(|(at, end, _)| (*at, std::cmp::Reverse(*end)));
            let mut until = 0;
            for (at, end, text) in found {
                if end > until {
                    until = end;
                    hits.push(Hit {
                        text,
                        place: (*message, string, at),
                        is_instruction: *is_instruction,
                        is_edit,
                    });
                }
            }
        }
        hits
    }
}

/// Returns a text whose lines have numbers without these.
fn without_numbers(text: &str) -> String {
    let lines = text.split('\n').map(|line| {
        let (number, rest) = line.split_once('\t').unwrap_or_default();
        match !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) {
            true => rest,
            false => line,
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns whether a path is that of a skill.
pub fn is_skill(path: &str) -> bool {
    path.ends_with("/SKILL.md")
}

/// Returns the text that every request has of a file: of a skill, the description in the list.
fn given<'f>(path: &str, file: &'f str) -> &'f str {
    if !is_skill(path) {
        return file.trim();
    }
    let mut lines = file.lines();
    let description = lines.find_map(|line| line.strip_prefix("description: "));
    description.unwrap_or_default()
}

/// Returns the text of a skill behind its frontmatter, if it is long enough to be told from others.
fn body(file: &str) -> Option<&str> {
    let (_, body) = file.split_once("\n---\n")?;
    Some(body.trim()).filter(|body| body.len() >= SHORT_BYTES)
}
