//! What a message of a request has: known texts, texts that nobody knows in the client's frames, and listed skills.

use std::ops::Range;

use ctxpin_model::evidence_key::ForeignName;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::limits::{SOURCE_BYTES_MAX, cut};
use ctxpin_model::profile::Profile;
use ctxpin_model::resource::Kind;
use ctxpin_model::skill::{SKILL_FILE_NAME, plugin_skill_name};
use ctxpin_render::sanitise;
use serde::{Deserialize, Serialize};

use crate::edited::{Edited, edited};
use crate::finder::{Hit, WINDOW_BYTES};
use crate::frame::{
    Ahead, Frame, Names, all_withdrawn, beginnings, frames, is_added, skill_file, withdrawn,
    without_arguments,
};
use crate::known::{Known, ResourceNumber, SkillPlace, Whose};
use crate::listing::{Item, Origin, Share, items, share};
use crate::numbered::numbered;
use crate::own::{Own, OwnPlace};
use crate::record::{Role, Said};
use crate::spelled;

/// The greatest number of findings in one message. An honest one has as many as a chat has files and skills.
const FINDINGS_MAX: usize = 4_096;

/// What Claude Code puts before a file that a person mentions, and before one that it shows again behind a compaction.
const READ_RESULT: &str = "Result of calling the Read tool:\n";

/// What stands between two files that Codex joins.
const JOINT: &str = "\n\n";

/// What ctxpin puts before the path of an instruction file, behind it, and behind the file.
const OUR_FILE: &str = "<context-file source=\"";
const OUR_FILE_BEGIN: &str = "\">\n";
const OUR_FILE_END: &str = "\n</context-file>";

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
    Text { text: usize, whose: Whose },
    /// A text in the client's frame that is in no snapshot.
    Foreign(Foreign),
    /// The client says that a file which it gave is gone, by the newest resource with its source.
    Withdrawn(ResourceNumber),
    /// The client says that all instruction files which it gave are gone.
    AllWithdrawn,
    /// The client shows lines of a known text, by its number, because the file was edited.
    Edited {
        text: usize,
        whose: Whose,
        /// The length of these lines, in bytes.
        bytes: u64,
    },
    /// A list of skills, whatever it has.
    List,
    /// A described skill in a list, by its number, with the bytes of its description that the list gives. `None` if it
    /// gives all of them.
    Skill {
        described: usize,
        given: Option<u64>,
    },
    /// A skill in a list with a description that no snapshot has of it.
    Otherwise(Listed),
}

/// What a list says of a skill whose description no snapshot has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Listed {
    /// The newest resource with the source that it names.
    Source(ResourceNumber),
    /// A name that a snapshot has, by its number.
    Name(usize),
    /// The path of a skill that no snapshot has: one line, relative to a root of the chat.
    Unknown { path: String, place: SkillPlace },
}

impl What {
    /// Returns whether all numbers name something that is known.
    pub(crate) fn is_of(&self, known: &Known) -> bool {
        match self {
            Self::Text { text, whose } | Self::Edited { text, whose, .. } => {
                let is_source = match whose {
                    Whose::Source(number) => known.has(*number),
                    Whose::Unsaid | Whose::File | Whose::Skill | Whose::Home | Whose::Project => {
                        true
                    }
                };
                *text < known.texts.len() && is_source
            }
            Self::List | Self::AllWithdrawn => true,
            Self::Foreign(foreign) => foreign.source.is_none_or(|number| known.has(number)),
            Self::Withdrawn(number) | Self::Otherwise(Listed::Source(number)) => known.has(*number),
            Self::Skill { described, .. } => *described < known.described.len(),
            Self::Otherwise(Listed::Name(name)) => *name < known.names.len(),
            Self::Otherwise(Listed::Unknown { .. }) => true,
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
    /// Whether the frame is that of a skill below the working directory, which no pin has.
    pub is_below: bool,
    /// Whether bytes of the file were not UTF-8: the client puts U+FFFD in their place.
    pub is_lossy: bool,
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
    /// Whether a text that can be the client's own is not known to be that.
    pub is_unexplained: bool,
    /// The number of elementary steps.
    pub steps: u64,
}

/// Looks at the strings of a message. `own` is what the client of a transcript has given.
pub(crate) fn look(known: &Known, client: Profile, said: &[Said<'_>], own: &Own) -> Findings {
    let mut findings = Findings::default();
    let polynomial = known.polynomial();
    let places = own.places(polynomial, said, &mut findings.steps);
    for (number, (said, places)) in said.iter().zip(places).enumerate() {
        findings.is_unexplained |= beginnings(said.role, said.text).count() > places.len();
        let is_own = match said.role {
            Role::Instruction => true,
            Role::Tool => client == Profile::Opencode && is_added(said.text),
            Role::Prompt | Role::Beside | Role::User | Role::Assistant => false,
        };
        let own = match is_own {
            true => vec![OwnPlace::whole(said.text)],
            false => places,
        };
        let look = Look {
            known,
            client,
            text: said.text,
            role: said.role,
            own,
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
    /// The places that are the client's own text. Only there it gives files and skills in its frames.
    own: Vec<OwnPlace<'l>>,
    string: u32,
}

impl Look<'_> {
    fn at_texts(&self, findings: &mut Findings) {
        let hits = self.known.finder.find(self.text, &mut findings.steps);
        findings.steps += self.text.len() as u64;
        let frames = self.frames();
        let mut found = Vec::new();
        // The hits that a frame gives. One in the frame of a file that never had the text is not given by it.
        let mut given = Vec::new();
        for hit in &hits {
            let frame = frame_at(&frames, hit.at);
            let text = hit.text;
            let whose = frame.map_or(Whose::Unsaid, |frame| self.whose(frame));
            let is_other = !self.known.is_text_of(text, whose);
            let whose = if is_other { Whose::Unsaid } else { whose };
            let what = What::Text { text, whose };
            // A prompt may be one that ctxpin has rendered.
            let is_own = self.role == Role::Prompt || self.is_own(hit.at);
            let is_given = is_own && !is_other;
            found.push(self.finding(what, is_given, hit.at));
            if is_given {
                given.push(*hit);
            }
        }
        let mut next = 0;
        for frame in &frames {
            while given
                .get(next)
                .is_some_and(|hit| hit.at + hit.length <= frame.range.start)
            {
                next += 1;
            }
            // A frame inside of a known text is part of it.
            if given
                .get(next)
                .is_some_and(|hit| hit.at < frame.range.start)
            {
                continue;
            }
            let inside = given[next..].iter();
            let inside = inside.take_while(|hit| hit.at < frame.range.end);
            if inside.clone().next().is_none()
                && let Some(filled) = self.filled(frame, &mut findings.steps)
            {
                found.push(filled);
                continue;
            }
            found.extend(self.unknown(frame, inside));
        }
        for own in &self.own {
            let text = &self.text[own.range.clone()];
            let gone = withdrawn(self.client, text).into_iter();
            found.extend(gone.filter_map(|(at, path)| {
                let at = own.range.start + at;
                // What a known text says is not the client's word.
                let before = hits.partition_point(|hit| hit.at <= at);
                let before = before.checked_sub(1).map(|before| hits[before]);
                let is_inside = before.is_some_and(|hit| at < hit.at + hit.length);
                let number = self.known.source(path).filter(|_| !is_inside)?;
                Some(self.finding(What::Withdrawn(number), true, at))
            }));
            let gone = all_withdrawn(self.client, text);
            found.extend(gone.map(|at| self.finding(What::AllWithdrawn, true, at)));
            if self.client == Profile::ClaudeCode {
                self.at_edited(&own.range, &hits, &mut found, &mut findings.steps);
            }
            self.at_skills(self.client, &own.range, &mut found);
        }
        if self.role == Role::Prompt {
            // A prompt of ctxpin has a list of its own. A person's may look like the client's.
            self.at_skills(Profile::Neutral, &(0..self.text.len()), &mut found);
        }
        if matches!(self.role, Role::Prompt | Role::Instruction) {
            self.at_ours(&mut found);
        }
        if self.client == Profile::ClaudeCode {
            let shown = match self.role {
                Role::Tool => Some(0),
                _ => self.text.find(READ_RESULT),
            };
            if let Some(from) = shown {
                self.at_numbered(from, &mut found, &mut findings.steps);
            }
        }
        found.sort_by_key(|finding| finding.at);
        found.truncate(FINDINGS_MAX + 1 - findings.found.len().min(FINDINGS_MAX));
        findings.found.extend(found);
    }

    /// Returns the client's frames, in their order.
    fn frames(&self) -> Vec<Frame<'_>> {
        let polynomial = self.known.polynomial();
        let places = self.own.iter().flat_map(|own| {
            let text = &self.text[own.range.clone()];
            let frames = frames(self.client, text, |path| own.has(polynomial, path));
            let begin = own.range.start;
            frames.into_iter().map(move |mut frame| {
                frame.range = frame.range.start + begin..frame.range.end + begin;
                frame
            })
        });
        places.collect()
    }

    /// Returns whether a place is in the client's own text.
    fn is_own(&self, at: usize) -> bool {
        let before = self.own.partition_point(|own| own.range.start <= at);
        let before = before.checked_sub(1).map(|before| &self.own[before]);
        before.is_some_and(|own| own.range.contains(&at))
    }

    /// Looks at the lines that a tool shows with their numbers, from a place of the text on.
    fn at_numbered(&self, from: usize, found: &mut Vec<Finding>, steps: &mut u64) {
        let shown = &self.text[from..];
        *steps += shown.len() as u64;
        for numbered in numbered(shown) {
            let hits = self.known.finder.find(&numbered.text, steps);
            let at = from + numbered.at;
            found.extend(hits.iter().map(|hit| self.seen(hit.text, at)));
        }
    }

    /// Returns the finding of a known text that the client does not give as an instruction.
    fn seen(&self, text: usize, at: usize) -> Finding {
        let whose = Whose::Unsaid;
        self.finding(What::Text { text, whose }, false, at)
    }

    /// Looks at the notes about instruction files that were edited. What stands inside of a known text is no note.
    fn at_edited(
        &self,
        own: &Range<usize>,
        hits: &[Hit],
        found: &mut Vec<Finding>,
        steps: &mut u64,
    ) {
        *steps += own.len() as u64;
        for note in edited(&self.text[own.clone()]) {
            let at = own.start + note.at;
            let before = hits.partition_point(|hit| hit.at <= at);
            let before = before.checked_sub(1).map(|before| hits[before]);
            if before.is_some_and(|hit| at < hit.at + hit.length) {
                continue;
            }
            if let Some(what) = self.edited(&note, steps) {
                found.push(self.finding(what, true, at));
            } else if self.role != Role::Tool {
                let hits = self.known.finder.find(&note.text(), steps);
                found.extend(hits.iter().map(|hit| self.seen(hit.text, at)));
            }
        }
    }

    /// Returns what a note shows of an instruction file that a snapshot has or lists.
    fn edited(&self, note: &Edited<'_>, steps: &mut u64) -> Option<What> {
        let source = self.known.source(note.path)?;
        if self.known.resource(source).kind != Kind::InstructionFile {
            return None;
        }
        let shown = note.text();
        // A reminder has a line end before its end, and a message of the system has none.
        let shown = shown.trim_end_matches('\n');
        let bytes = shown.len() as u64;
        let whose = Whose::Source(source);
        if let Some((text, is_whole)) = self.known.version(note, steps) {
            return Some(match is_whole {
                true => What::Text { text, whose },
                false => What::Edited { text, whose, bytes },
            });
        }
        Some(What::Foreign(Foreign {
            path: Some(line(self.known.relative(note.path))),
            is_home: false,
            source: Some(source),
            is_below: false,
            is_lossy: shown.contains(char::REPLACEMENT_CHARACTER),
            bytes,
            name: self.name(shown),
            name_with_line_end: self.name(&format!("{shown}\n")),
        }))
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

    /// Returns the text of a used skill in which the client has filled places.
    fn filled(&self, frame: &Frame<'_>, steps: &mut u64) -> Option<Finding> {
        let skill = self.skill(frame)?;
        let source = &self.known.resource(skill).source;
        let shown = &self.text[frame.range.clone()];
        let [first, last] = without_arguments(self.client, shown);
        let shown = [shown, last, first].into_iter();
        let text = shown
            .filter_map(|shown| self.known.filled(source, shown, steps))
            .next()?;
        let whose = Whose::Source(skill);
        Some(self.finding(What::Text { text, whose }, true, frame.range.start))
    }

    /// Returns what a piece of a frame is that no long known text covers: short known texts, or a text that no snapshot has.
    /// A piece of blanks is nothing.
    fn rest(&self, frame: &Frame<'_>, begin: usize, end: usize) -> Vec<Finding> {
        if frame.names == Names::Project {
            let joined = self.text.get(begin..end.max(begin));
            let joined = joined.and_then(|joined| self.joined(begin, joined));
            if let Some(joined) = joined {
                return joined;
            }
        }
        Vec::from_iter(self.other_rest(frame, begin, end))
    }

    /// Returns the short texts of files that a client joins, if a piece of a string has nothing else.
    fn joined(&self, begin: usize, piece: &str) -> Option<Vec<Finding>> {
        let mut ends = Vec::new();
        let mut at = 0;
        for part in piece.split(JOINT) {
            ends.push((at, at + part.len()));
            at += part.len() + JOINT.len();
        }
        // For each part from the last one on: the text with which a way to the end goes on, and the part behind it.
        let mut ways: Vec<Option<(Option<usize>, usize)>> = vec![None; ends.len() + 1];
        ways[ends.len()] = Some((None, ends.len()));
        for (part, (from, to)) in ends.iter().enumerate().rev() {
            let text = &piece[*from..*to];
            if text.trim().is_empty() {
                ways[part] = ways[part + 1].map(|_| (None, part + 1));
                continue;
            }
            let from = to - text.trim_start().len();
            let fitting = ends[part..].iter().enumerate();
            let fitting = fitting.take_while(|(_, (_, to))| to - from < 2 * WINDOW_BYTES);
            let texts = fitting.filter_map(|(more, (_, to))| {
                let behind = part + more + 1;
                let text = self.known.short(piece[from..*to].trim(), Whose::Project)?;
                ways[behind].map(|_| (Some(text), behind))
            });
            ways[part] = texts.last();
        }
        let mut found = Vec::new();
        let mut part = 0;
        while part < ends.len() {
            let (text, behind) = ways[part]?;
            let whose = Whose::Project;
            let at = begin + ends[part].0;
            found.extend(text.map(|text| self.finding(What::Text { text, whose }, true, at)));
            part = behind;
        }
        Some(found)
    }

    /// Returns what a piece of a frame is that is of one file.
    fn other_rest(&self, frame: &Frame<'_>, begin: usize, end: usize) -> Option<Finding> {
        let piece = self.text.get(begin..end.max(begin))?;
        let is_skill = matches!(frame.names, Names::Skill(_));
        let piece = match is_skill {
            true => without_arguments(self.client, piece)[0],
            false => piece,
        };
        let text = piece.trim();
        if text.is_empty() {
            return None;
        }
        let at = begin + piece.len() - piece.trim_start().len();
        let (path, source) = match frame.names {
            Names::Path(path) => (Some(path.to_owned()), self.known.source(path)),
            Names::Skill(path) => {
                let file = skill_file(path);
                let source = self.known.source(&file);
                (Some(file), source)
            }
            Names::Home | Names::Project => (None, None),
        };
        let unknown = match (&path, source) {
            (Some(path), None) if is_skill => self.known.unknown_skill(path),
            _ => None,
        };
        // Clients have skills of their own, and a result may quote any file.
        if source.is_none() && (self.role == Role::Tool || is_skill && unknown.is_none()) {
            return None;
        }
        let whose = self.whose(frame);
        // Codex names another path of a skill behind a link. That of another file says that it is another one.
        let short = self.known.short(text, whose);
        if let Some(text) = short.filter(|_| whose != Whose::File) {
            return Some(self.finding(What::Text { text, whose }, true, at));
        }
        let foreign = Foreign {
            path: path
                .map(|path| line(self.known.relative(&path)))
                .filter(|path| !path.is_empty()),
            is_home: frame.names == Names::Home,
            source,
            is_below: unknown == Some(SkillPlace::Below),
            is_lossy: text.contains(char::REPLACEMENT_CHARACTER),
            bytes: text.len() as u64,
            name: self.name(text),
            name_with_line_end: self.name(&format!("{text}\n")),
        };
        Some(self.finding(What::Foreign(foreign), true, at))
    }

    /// Returns the newest resource with the source that the frame of a skill names.
    fn skill(&self, frame: &Frame<'_>) -> Option<ResourceNumber> {
        match frame.names {
            Names::Skill(path) => self.known.source(&skill_file(path)),
            Names::Path(_) | Names::Home | Names::Project => None,
        }
    }

    /// Returns whose text a frame has.
    fn whose(&self, frame: &Frame<'_>) -> Whose {
        match frame.names {
            Names::Path(path) => {
                let source = self.known.source(path);
                source.map_or(Whose::File, Whose::Source)
            }
            Names::Skill(_) => {
                let source = self.skill(frame);
                source.map_or(Whose::Skill, Whose::Source)
            }
            Names::Home => Whose::Home,
            Names::Project => Whose::Project,
        }
    }

    /// Looks at the short texts in a prompt of ctxpin, which a person may deliver. Longer ones are found anywhere.
    fn at_ours(&self, found: &mut Vec<Finding>) {
        let mut begins = Ahead::new(self.text, OUR_FILE_BEGIN);
        for (at, _) in self.text.match_indices(OUR_FILE) {
            let named = at + OUR_FILE.len();
            let Some(begin) = begins.from(named) else {
                return;
            };
            let body = &self.text[begin + OUR_FILE_BEGIN.len()..];
            let body = &body[..body.floor_char_boundary(2 * WINDOW_BYTES)];
            let text = body.split_once(OUR_FILE_END).and_then(|(text, _)| {
                let path = &self.text[named..begin];
                let is_path = path.len() <= SOURCE_BYTES_MAX;
                let source = is_path.then(|| self.known.source(path));
                let whose = Whose::Source(source.flatten()?);
                let text = self.known.short(text.trim(), whose)?;
                Some(What::Text { text, whose })
            });
            found.extend(text.map(|text| self.finding(text, true, at)));
        }
    }

    fn name(&self, text: &str) -> ForeignName {
        let content = BlobHash::of(text.as_bytes());
        self.known.key.name_of_foreign(content)
    }

    fn at_skills(&self, client: Profile, own: &Range<usize>, found: &mut Vec<Finding>) {
        let text = &self.text[own.clone()];
        let is_known = |name: &str| self.named(name).is_some();
        let Some(items) = items(client, text, &is_known) else {
            return;
        };
        found.push(self.finding(What::List, true, own.start));
        for item in items {
            let at = own.start + item.at;
            let named = self.named(item.name);
            let source = match &item.origin {
                Origin::Path(path) => self.known.source(path),
                Origin::Below(directory) => self.known.source_below(&below(directory, &item)),
                Origin::Unsaid => None,
            };
            let described = match (source, named) {
                (Some(source), _) => self.known.described(&self.known.resource(source).source),
                (None, Some(named)) => &self.known.names[named].described,
                (None, None) => &[],
            };
            let shares: Vec<_> = described
                .iter()
                .map(|described| {
                    let [own, ours] = &self.known.described[*described].descriptions;
                    let [own, ours] =
                        [own, ours].map(|description| share(text, &item, description));
                    (*described, own.max(ours))
                })
                .collect();
            let is_whole = shares.iter().any(|(_, share)| *share == Share::Whole);
            let before = found.len();
            for (described, share) in shares {
                let given = match share {
                    Share::Whole => None,
                    Share::First(bytes) if !is_whole => Some(bytes as u64),
                    Share::First(_) | Share::Other => continue,
                };
                let what = What::Skill { described, given };
                found.push(self.finding(what, true, at));
            }
            if found.len() == before
                && let Some(listed) = self.otherwise(&item, source, named)
            {
                found.push(self.finding(What::Otherwise(listed), true, at));
            }
        }
    }

    /// Returns the number of a name by which a list has skills. The pin of Codex has a `-` for some characters of a plugin's
    /// name.
    fn named(&self, name: &str) -> Option<usize> {
        let named = self.known.name(name);
        let (plugin, own) = match (named, self.client) {
            (None, Profile::Codex) => name.rsplit_once(':')?,
            _ => return named,
        };
        self.known.name(&plugin_skill_name(own, plugin))
    }

    /// Returns what a list means by a skill with a description that no snapshot has of it. Returns `None` if nobody can
    /// tell it from the client's own skills.
    fn otherwise(
        &self,
        item: &Item<'_>,
        source: Option<ResourceNumber>,
        named: Option<usize>,
    ) -> Option<Listed> {
        match (&item.origin, source) {
            (Origin::Path(_) | Origin::Below(_), Some(source)) => Some(Listed::Source(source)),
            (Origin::Path(path), None) => Some(Listed::Unknown {
                place: self.known.unknown_skill(path)?,
                path: line(self.known.relative(path)),
            }),
            (Origin::Below(directory), None) => Some(Listed::Unknown {
                path: line(&below(directory, item)),
                place: SkillPlace::Below,
            }),
            (Origin::Unsaid, _) => named.map(Listed::Name),
        }
    }
}

/// Returns the path of a skill in a folder below the working directory, relative to that.
fn below(directory: &str, item: &Item<'_>) -> String {
    let name = item.name.rsplit(':').next().unwrap_or_default();
    format!("{directory}/{name}/{SKILL_FILE_NAME}")
}

/// Returns the frame around a place. The frames stand in their order.
fn frame_at<'f, 's>(frames: &'f [Frame<'s>], at: usize) -> Option<&'f Frame<'s>> {
    let before = frames.partition_point(|frame| frame.range.start <= at);
    let frame = &frames[before.checked_sub(1)?];
    frame.range.contains(&at).then_some(frame)
}

/// Returns a path as it may leave this machine: one line, at most as long as a source.
pub(crate) fn line(path: &str) -> String {
    let line = sanitise::line(path);
    cut(&line, SOURCE_BYTES_MAX).trim_end().to_owned()
}
