//! What a message of a request has: known texts, texts that nobody knows in the client's frames, and listed skills.

use ctxpin_model::evidence_key::ForeignName;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::limits::{SOURCE_BYTES_MAX, cut};
use ctxpin_model::profile::Profile;
use ctxpin_render::sanitise;
use serde::{Deserialize, Serialize};

use crate::finder::Hit;
use crate::frame::{Frame, Names, behind_result, frames_from, role, withdrawn};
use crate::known::{Known, ResourceNumber};
use crate::listing::{Share, items, share};
use crate::record::{Role, Said};
use crate::spelled;

/// The greatest number of findings in one message. An honest one has as many as a chat has files and skills.
const FINDINGS_MAX: usize = 4_096;

/// Something that was found in a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub what: What,
    /// Whether it stands where the client puts instructions. Elsewhere, a person, a tool or the model said it.
    pub is_instruction: bool,
    /// The number of the string in its message.
    pub string: u32,
    /// The place in the string, in bytes.
    pub at: u64,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A known text, by its number.
    Text(usize),
    /// A text in the client's frame that is in no snapshot.
    Foreign(Foreign),
    /// The client says that a file which it gave is gone, by the newest resource with its source.
    Withdrawn(ResourceNumber),
    /// A list of skills, whatever it has.
    List,
    /// A skill in a list, with the bytes of its description that the list gives. `None` if it gives all of them.
    Skill {
        number: ResourceNumber,
        given: Option<u64>,
    },
    /// A skill in a list with a description that no snapshot has, by one of the skills with its name.
    Renamed(ResourceNumber),
}

impl What {
    /// Returns whether all numbers name something that is known.
    pub(crate) fn is_of(&self, known: &Known) -> bool {
        match self {
            Self::Text(text) => *text < known.texts.len(),
            Self::List => true,
            Self::Foreign(foreign) => foreign.source.is_none_or(|number| known.has(number)),
            Self::Withdrawn(number) | Self::Skill { number, .. } | Self::Renamed(number) => {
                known.has(*number)
            }
        }
    }
}

/// A text that is in no snapshot, without the text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Foreign {
    /// The path that the client's frame names: one line, relative to a root of the chat, or the last name of a path
    /// elsewhere. `None` if the frame names none.
    pub path: Option<String>,
    /// Whether the frame is that of the file in the client's home.
    pub is_home: bool,
    /// The newest resource with the source that the frame names.
    pub source: Option<ResourceNumber>,
    /// The length of the text, in bytes.
    pub bytes: u64,
    /// The name of the text under the owner's key.
    #[serde(with = "spelled")]
    pub name: ForeignName,
    /// The name of the text with a line end behind it, which clients cut.
    #[serde(with = "spelled")]
    pub name_with_line_end: ForeignName,
}

/// The findings of a message, and what they cost.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub found: Vec<Finding>,
    /// Whether there were more than are kept.
    pub is_cut: bool,
    /// The number of elementary steps.
    pub steps: u64,
}

/// Looks at the strings of a message.
pub(crate) fn look(known: &Known, client: Profile, said: &[Said<'_>]) -> Findings {
    let mut findings = Findings::default();
    for (number, said) in said.iter().enumerate() {
        let look = Look {
            known,
            client,
            text: said.text,
            role: role(client, said.role, said.text),
            string: u32::try_from(number).unwrap_or(u32::MAX),
        };
        look.at_texts(&mut findings);
    }
    findings.is_cut = findings.found.len() > FINDINGS_MAX;
    findings.found.truncate(FINDINGS_MAX);
    findings
}

struct Look<'l> {
    known: &'l Known,
    client: Profile,
    text: &'l str,
    role: Role,
    string: u32,
}

impl Look<'_> {
    fn at_texts(&self, findings: &mut Findings) {
        let hits = self.known.finder.find(self.text, &mut findings.steps);
        findings.steps += self.text.len() as u64;
        let is_instruction = self.role == Role::Instruction;
        let own = match self.role {
            Role::Instruction => Some(0),
            Role::Tool => behind_result(self.client, self.text),
            Role::User | Role::Assistant => None,
        };
        let frames = own.map(|own| frames_from(self.client, self.text, own));
        let frames = frames.unwrap_or_default();
        let mut found: Vec<_> = hits
            .iter()
            .map(|hit| {
                let mut around = frames.iter();
                let is_framed = around.any(|frame| frame.range.contains(&hit.at));
                self.finding(What::Text(hit.text), is_instruction || is_framed, hit.at)
            })
            .collect();
        let mut next = 0;
        for frame in &frames {
            while hits
                .get(next)
                .is_some_and(|hit| hit.at + hit.length <= frame.range.start)
            {
                next += 1;
            }
            // A frame inside of a known text is part of it.
            if hits.get(next).is_some_and(|hit| hit.at < frame.range.start) {
                continue;
            }
            let inside = hits[next..].iter();
            let inside = inside.take_while(|hit| hit.at < frame.range.end);
            found.extend(self.unknown(frame, inside));
        }
        if let Some(own) = own {
            let gone = withdrawn(self.client, &self.text[own..]).into_iter();
            found.extend(gone.filter_map(|(at, path)| {
                let at = own + at;
                // What a known text says is not the client's word.
                let mut hits = hits.iter();
                let is_inside = hits.any(|hit| (hit.at..hit.at + hit.length).contains(&at));
                let number = self.known.source(path).filter(|_| !is_inside)?;
                Some(self.finding(What::Withdrawn(number), true, at))
            }));
        }
        if is_instruction {
            self.at_skills(&mut found);
        }
        found.sort_by_key(|finding| finding.at);
        found.truncate(FINDINGS_MAX + 1 - findings.found.len().min(FINDINGS_MAX));
        findings.found.extend(found);
    }

    fn finding(&self, what: What, is_instruction: bool, at: usize) -> Finding {
        Finding {
            what,
            is_instruction,
            string: self.string,
            at: at as u64,
        }
    }

    /// Returns what a frame has besides known texts.
    fn unknown<'h>(&self, frame: &Frame<'_>, hits: impl Iterator<Item = &'h Hit>) -> Vec<Finding> {
        let mut found = Vec::new();
        let mut from = frame.range.start;
        let mut is_known = false;
        let ends = hits.map(|hit| (hit.at, hit.at + hit.length));
        for (begin, end) in ends.chain([(frame.range.end, frame.range.end)]) {
            let is_last = begin == frame.range.end;
            // Where a frame has no end of its own, what follows a known text may be something else.
            if !(is_last && is_known && !frame.is_closed) {
                found.extend(self.rest(frame, from, begin));
            }
            is_known = true;
            from = end;
        }
        found
    }

    /// Returns what a piece of a frame is that no long known text covers. A piece of blanks is nothing.
    fn rest(&self, frame: &Frame<'_>, begin: usize, end: usize) -> Option<Finding> {
        let piece = self.text.get(begin..end.max(begin))?;
        let text = piece.trim();
        if text.is_empty() {
            return None;
        }
        let at = begin + piece.len() - piece.trim_start().len();
        let named = match frame.names {
            Names::Path(path) => Some(path),
            Names::Skill(_) | Names::Home | Names::Project => None,
        };
        if let Some(number) = self.known.short(text, named) {
            return Some(self.finding(What::Text(number), true, at));
        }
        let (path, source) = match frame.names {
            Names::Path(path) => (Some(path), self.known.source(path)),
            Names::Skill(path) => {
                let file = match path.ends_with("SKILL.md") {
                    true => path.to_owned(),
                    false => format!("{path}/SKILL.md"),
                };
                (Some(path), self.known.source(&file))
            }
            Names::Home | Names::Project => (None, None),
        };
        let is_skill = matches!(frame.names, Names::Skill(_));
        let is_result = self.role == Role::Tool;
        // Clients have skills of their own, and a result may quote any file.
        if (is_skill || is_result) && source.is_none() {
            return None;
        }
        let foreign = Foreign {
            path: path
                .map(|path| line(self.known.relative(path)))
                .filter(|path| !path.is_empty()),
            is_home: frame.names == Names::Home,
            source,
            bytes: text.len() as u64,
            name: self.name(text),
            name_with_line_end: self.name(&format!("{text}\n")),
        };
        Some(self.finding(What::Foreign(foreign), true, at))
    }

    fn name(&self, text: &str) -> ForeignName {
        let content = BlobHash::of(text.as_bytes());
        self.known.key.name_of_foreign(content)
    }

    fn at_skills(&self, found: &mut Vec<Finding>) {
        let Some(items) = items(self.client, self.text) else {
            return;
        };
        found.push(self.finding(What::List, true, 0));
        for item in items {
            let Some(skills) = self.known.skills.get(item.name) else {
                continue;
            };
            let shares: Vec<_> = skills
                .iter()
                .map(|skill| {
                    let [own, ours] = &skill.descriptions;
                    let [own, ours] = [own, ours].map(|text| share(self.text, &item, text));
                    (skill, own.max(ours))
                })
                .collect();
            let is_whole = shares.iter().any(|(_, share)| *share == Share::Whole);
            let before = found.len();
            for (skill, share) in &shares {
                let given = match share {
                    Share::Whole => None,
                    Share::First(bytes) if !is_whole => Some(*bytes as u64),
                    Share::First(_) | Share::Other => continue,
                };
                let what = What::Skill {
                    number: skill.number,
                    given,
                };
                found.push(self.finding(what, true, item.at));
            }
            if found.len() == before
                && let Some(skill) = skills.last()
            {
                let what = What::Renamed(skill.number);
                found.push(self.finding(what, true, item.at));
            }
        }
    }
}

/// Returns a path as it may leave this machine: one line, at most as long as a source.
pub(crate) fn line(path: &str) -> String {
    let line = sanitise::line(path);
    cut(&line, SOURCE_BYTES_MAX).trim_end().to_owned()
}
