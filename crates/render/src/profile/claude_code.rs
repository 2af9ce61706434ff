//! Claude Code: one block for each instruction file, which names its path and whose file it is.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use ctxpin_model::claude_code::{
    IMPORT_DEPTH_MAX, LOCAL_NAME, Reading, SKILL_MD_BYTES_MAX, is_skill_hidden, skill_globs,
    skill_when, trim,
};
use ctxpin_model::profile::{ClaudeCodeSettings, SkillListing};
use ctxpin_model::resource::{Applies, Bodies, Kind, Resource};
use ctxpin_model::skill::directory_name;
use ctxpin_model::snapshot::Snapshot;

use super::collation::collated;
use super::{Effective, Forms, condition, given_later, left_out, listed, whole, with_skills};
use crate::renderer::Renderer;
use crate::{prompt, sanitise, treat};

/// What begins the instructions.
const BEGIN: &str = "Codebase and user instructions are shown below. Be sure to adhere to these instructions. IMPORTANT: These \
instructions OVERRIDE any default behavior and you MUST follow them exactly as written.";

/// The longest description in the list of skills, in UTF-16 code units.
const LISTED_UNITS_MAX: usize = 1_536;

/// The names of the files that Claude Code cuts below the working directory, from their directory on.
const AGENTS_NAMES: [&str; 2] = ["AGENTS.md", ".claude/AGENTS.md"];

/// The longest text of such a file that comes whole, with the lines that name it, in UTF-16 code units.
const AGENTS_MD_UNITS_MAX: usize = 100_000;

/// The longest text of all such files that come with one file, in UTF-16 code units. A cut one counts as what the model
/// sees of it.
const TOGETHER_UNITS_MAX: usize = 200_000;

/// What stands for an id that Claude Code makes up, and for the digest of an answer, in the path of a whole text.
const ID: &str = "00000000-0000-0000-0000-000000000000";
const DIGEST: &str = "00000000000000000000000000000000";

/// The longest beginning that Claude Code shows of a longer one, in UTF-16 code units. It ends with a line if one ends in
/// its second half.
const SHOWN_UNITS_MAX: usize = 2_000;

/// The longest text of another file below or of a rule that comes whole with a file, in UTF-16 code units. Of a longer one
/// come the lines that fit, and a first line that does not fit is cut. Compared with 2.1.332; 2.1.307 gives all.
const COMING_UNITS_MAX: usize = 150_000;

/// What separates two files.
const BETWEEN: &str = "\n\n";

/// Returns the instructions that Claude Code begins a session with, and its list of skills. A blank file gives
/// nothing.
pub(super) fn effective(
    snapshot: &Snapshot,
    bodies: &Bodies,
    settings: &ClaudeCodeSettings,
) -> Effective {
    let mut effective = Effective::default();
    let owners = Owners::of(snapshot, settings);
    let mut blocks = Vec::new();
    for (file, reading) in readings(snapshot, bodies) {
        let text = reading.given();
        if text.is_empty() {
            let reason = "nothing in it is for the model";
            effective.left_out.push(left_out(file, reason));
        } else if let Some(applies) = &file.applies {
            let shown = shown(snapshot, file, &reading);
            let mut later = given_later(file, applies, shown);
            if shown.len() < reading.text.len() {
                later.reason += "; Claude Code shows only its beginning, because it is too long";
            }
            effective.left_out.push(later);
        } else {
            blocks.push(block(&file.source, owners.owner(file), text));
            effective
                .given
                .push(whole(file, text, &sanitised(&reading)));
        }
    }
    effective.text = message(&blocks);
    for (skill, reason) in judged_skills(snapshot, bodies, settings) {
        match reason {
            Some(reason) => effective.left_out.push(left_out(skill, &*reason)),
            None => {
                let body = skill.body().and_then(|body| bodies.get(&body));
                let body = body.map(|body| &**body);
                effective
                    .given
                    .push(listed(&as_listed(skill, body, settings)));
            }
        }
    }
    effective
}

/// Returns the prompt of a pin: what every request holds, in Claude Code's form, but sanitised, and the list of skills.
pub(super) fn delivered(
    snapshot: &Snapshot,
    bodies: &Bodies,
    settings: &ClaudeCodeSettings,
) -> String {
    let owners = Owners::of(snapshot, settings);
    let due = readings(snapshot, bodies).into_iter();
    let due = due.filter(|(file, _)| file.applies.is_none());
    let blocks = due.filter_map(|(file, reading)| {
        let text = sanitised(&reading);
        let source = sanitise::line(&file.source);
        (!text.is_empty()).then(|| block(&source, owners.owner(file), &text))
    });
    let text = message(&blocks.collect::<Vec<_>>());
    let skills = skills(snapshot, bodies, settings).into_iter();
    let skills = skills.filter(|(skill, _)| skill.applies.is_none());
    // A model that ctxpin serves learns of a skill for some files from this list alone.
    let listed = skills.filter(|(skill, body)| {
        !is_off(skill, settings) && !body.is_some_and(|body| is_skill_hidden(body))
    });
    let listed: Vec<_> = listed
        .map(|(skill, body)| as_listed(skill, body.map(|body| &**body), settings))
        .collect();
    let list = prompt::skills(listed.iter().map(Cow::as_ref));
    with_skills(text, list)
}

/// Returns the skills that Claude Code lists at the start, in its order.
pub(super) fn listed_skills<'s>(
    snapshot: &'s Snapshot,
    bodies: &Bodies,
    settings: &ClaudeCodeSettings,
) -> Vec<&'s Resource> {
    let judged = judged_skills(snapshot, bodies, settings).into_iter();
    let listed = judged.filter(|(_, reason)| reason.is_none());
    listed.map(|(skill, _)| skill).collect()
}

/// Returns the skills in the order of Claude Code's list, each with the reason that keeps it out of the list at the
/// start, if there is one.
fn judged_skills<'s>(
    snapshot: &'s Snapshot,
    bodies: &Bodies,
    settings: &ClaudeCodeSettings,
) -> Vec<(&'s Resource, Option<Cow<'static, str>>)> {
    let mut names = HashSet::new();
    let skills = skills(snapshot, bodies, settings).into_iter();
    let judged = skills.map(|(skill, body)| {
        let reason = match body {
            _ if is_off(skill, settings) => "`skillOverrides` keeps it out of the list".into(),
            Some(body) if is_skill_hidden(body) => {
                "`disable-model-invocation` keeps it out of the list".into()
            }
            _ if skill.applies.is_some() => {
                let below = skill.applies.iter().map(|files| files.below.as_str());
                let below: String = below.collect();
                format!("it is listed after Claude Code read a file below {below}").into()
            }
            Some(body) if skill_globs(body).is_some() => {
                let applies = skill_applies(snapshot, body);
                let when = applies.map_or_else(String::new, |applies| condition(&applies));
                format!("{when}; the prompt of a chat lists it at once").into()
            }
            _ if names.insert(directory_name(&skill.source)) => return (skill, None),
            _ => "another skill in a directory of this name counts".into(),
        };
        (skill, Some(reason))
    });
    judged.collect()
}

/// Returns the skills of the start that have `paths`, each with the files that these match. Of several in directories of
/// one name, the one that lies nearest to the repository's root counts, a person's own last, and none if one of them has
/// no `paths`.
pub(super) fn skills_for_files(
    snapshot: &Snapshot,
    bodies: &Bodies,
    settings: &ClaudeCodeSettings,
) -> Vec<Resource> {
    let mut of_name: BTreeMap<&str, (&Resource, Option<Applies>)> = BTreeMap::new();
    for (skill, body) in skills(snapshot, bodies, settings) {
        let name = directory_name(&skill.source).filter(|_| skill.applies.is_none());
        let (Some(name), Some(body)) = (name, body) else {
            continue;
        };
        let applies = skill_applies(snapshot, body);
        let known = of_name.get(name);
        if known.is_none_or(|(_, applies)| applies.is_some()) {
            of_name.insert(name, (skill, applies));
        }
    }
    let for_files = of_name.into_values().filter_map(|(skill, applies)| {
        Some(Resource {
            applies: Some(applies?),
            ..skill.clone()
        })
    });
    for_files.collect()
}

/// Returns the files that the `paths` of a skill of the start match, from the working directory. `None` if it has none.
fn skill_applies(snapshot: &Snapshot, skill_md: &[u8]) -> Option<Applies> {
    let globs = skill_globs(skill_md)?;
    let working = snapshot.facts.directory.as_deref()?;
    Some(Applies::to(working, globs))
}

/// Returns the line by which Claude Code lists a skill with `paths` after it read a file that they match, or `None` if it
/// does not list it.
pub(super) fn listed_for_file(
    skill: &Resource,
    body: &Arc<[u8]>,
    settings: &ClaudeCodeSettings,
) -> Option<String> {
    if is_off(skill, settings) || is_skill_hidden(body) {
        return None;
    }
    let name = directory_name(&skill.source)?;
    if listing(skill, settings) == Some(SkillListing::NameOnly) {
        return Some(format!("- {name}"));
    }
    let own = skill.own_name().filter(|own| *own != name);
    let own = own.map_or_else(String::new, |own| format!(" ({own})"));
    let description = skill.description.as_deref().unwrap_or_default();
    let description = cut(described(description, Some(body)));
    Some(format!("- {name}{own}: {description}"))
}

/// Returns the line by which Claude Code lists a skill below the working directory after it read a file there, or `None`
/// if it does not list it. Its name has its directory if another skill has the name: at the start, among those that `come`
/// too, or among those with `paths` that match (`for_files`).
pub(super) fn listed_on_demand(
    snapshot: &Snapshot,
    bodies: &Bodies,
    settings: &ClaudeCodeSettings,
    skill: &Resource,
    come: &[&Resource],
    for_files: &[Resource],
) -> Option<String> {
    let body = |skill: &Resource| bodies.get(&skill.body()?);
    if is_off(skill, settings) || body(skill).is_some_and(|body| is_skill_hidden(body)) {
        return None;
    }
    let name = directory_name(&skill.source)?;
    let directory = directory_of_files(skill)?;
    let is_named = |other: &Resource| directory_name(&other.source) == Some(name);
    // Claude Code also knows a skill that ctxpin does not use, but one with `paths` only after it read a file that they
    // match.
    let skills = snapshot.resources.iter();
    let skills = skills.filter(|other| other.kind == Kind::Skill && other.applies.is_none());
    let skills = skills.filter(|other| other.size <= SKILL_MD_BYTES_MAX);
    let mut at_start =
        skills.filter(|other| body(other).is_none_or(|body| skill_globs(body).is_none()));
    let is_at_start = at_start.any(is_named) || for_files.iter().any(is_named);
    let mut come = come.iter().filter(|other| other.kind == Kind::Skill);
    let is_double =
        is_at_start || come.any(|other| other.source != skill.source && is_named(other));
    let own = skill.own_name().filter(|own| *own != name);
    let is_short = listing(skill, settings) == Some(SkillListing::NameOnly);
    let listed = match (is_double, own) {
        (true, _) => format!("{directory}:{name}"),
        (false, Some(own)) if !is_short => format!("{name} ({own})"),
        (false, _) => name.to_owned(),
    };
    if is_short {
        return Some(format!("- {listed}"));
    }
    let place = match is_at_start {
        true => format!(
            "scoped to {directory}/ — use this instead of the unscoped \"{name}\" skill when the files being changed are \
             under {directory}/"
        ),
        false => format!(
            "from {directory}/.claude/skills — applies when working on files under {directory}/"
        ),
    };
    let description = skill.description.as_deref().unwrap_or_default();
    let description = described(&format!("{} ({place})", trim(description)), body(skill));
    Some(format!("- {listed}: {}", cut(description)))
}

/// Returns a description as the list cuts it.
fn cut(description: String) -> String {
    let units: Vec<_> = description.encode_utf16().collect();
    match units.get(..LISTED_UNITS_MAX - 1) {
        Some(kept) if units.len() > LISTED_UNITS_MAX => String::from_utf16_lossy(kept) + "…",
        _ => description,
    }
}

/// Returns the directory of the files that a skill is for, from the working directory on.
fn directory_of_files(skill: &Resource) -> Option<&str> {
    let below = &skill.applies.as_ref()?.below;
    // The name has as many parts, but some other characters.
    let (scope, _) = skill.name.as_deref()?.split_once(':')?;
    let parts = scope.matches('/').count() + 1;
    let begin = below.rmatch_indices('/').nth(parts - 1)?.0;
    Some(&below[begin + 1..])
}

/// Puts what comes with a file in Claude Code's order: the instruction files as they are, then the skills by their names.
pub(super) fn sort_on_demand(files: &mut [&Resource]) {
    files.sort_by_cached_key(|file| {
        let is_skill = file.kind == Kind::Skill;
        is_skill.then(|| place(&file.source)).flatten()
    });
}

/// Returns what decides the place of a skill with this source among those that come with a file.
pub(super) fn place(source: &str) -> Option<impl Ord + use<>> {
    let name = directory_name(source)?;
    Some((collated(name), source.to_owned()))
}

/// Returns the line of a skill for some files as a chat lists it. `None` if the model does not load it by itself.
pub(super) fn delivered_skill(
    skill: &Resource,
    body: &[u8],
    settings: &ClaudeCodeSettings,
) -> Option<String> {
    let is_listed = !is_off(skill, settings) && !is_skill_hidden(body);
    is_listed
        .then(|| prompt::skill(&as_listed(skill, Some(body), settings)))
        .flatten()
}

/// Returns how the settings list a skill. `None` if whole.
pub(super) fn listing(skill: &Resource, settings: &ClaudeCodeSettings) -> Option<SkillListing> {
    let name = directory_name(&skill.source)?;
    let scoped = directory_of_files(skill).map(|directory| format!("{directory}:{name}"));
    let scoped = scoped.and_then(|scoped| settings.skill_listings.get(&scoped));
    scoped
        .or_else(|| settings.skill_listings.get(name))
        .copied()
}

/// Returns whether the settings keep a skill out of the list.
fn is_off(skill: &Resource, settings: &ClaudeCodeSettings) -> bool {
    match listing(skill, settings) {
        Some(SkillListing::UserInvocableOnly | SkillListing::Off) => true,
        Some(SkillListing::NameOnly) | None => false,
    }
}

/// Returns a skill as the settings list it: with its description and when to use it, or without.
fn as_listed<'s>(
    skill: &'s Resource,
    skill_md: Option<&[u8]>,
    settings: &ClaudeCodeSettings,
) -> Cow<'s, Resource> {
    let description = match listing(skill, settings) {
        Some(SkillListing::NameOnly) => None,
        Some(SkillListing::UserInvocableOnly | SkillListing::Off) | None => {
            let description = skill.description.as_deref().unwrap_or_default();
            match with_when(description, skill_md) {
                Cow::Borrowed(_) => return Cow::Borrowed(skill),
                Cow::Owned(whole) => Some(whole),
            }
        }
    };
    Cow::Owned(Resource {
        description,
        ..skill.clone()
    })
}

/// Returns a description, and behind it when to use the skill if its `SKILL.md` says that.
pub(super) fn with_when<'d>(description: &'d str, skill_md: Option<&[u8]>) -> Cow<'d, str> {
    let when = skill_md.and_then(skill_when);
    match when.as_deref().map(trim).filter(|when| !when.is_empty()) {
        None => Cow::Borrowed(description),
        Some(when) => {
            let texts = [trim(description), when].into_iter();
            let texts: Vec<_> = texts.filter(|text| !text.is_empty()).collect();
            Cow::Owned(texts.join(" - "))
        }
    }
}

/// Returns the forms of the instruction files.
pub(super) fn forms<'s>(snapshot: &'s Snapshot, bodies: &Bodies) -> Vec<Forms<'s>> {
    let readings = readings(snapshot, bodies).into_iter();
    let forms = readings.map(|(file, reading)| {
        let shown = shown(snapshot, file, &reading);
        let is_cut = shown.len() < reading.text.len();
        let cut_at = is_cut.then(|| {
            // What was taken out before the text does not count if something was taken out of it too.
            let body = file.body().and_then(|body| bodies.get(&body));
            let whole = body.filter(|body| body.ends_with(reading.text.as_bytes()));
            let begins = whole.map_or(0, |whole| whole.len() - reading.text.len());
            let skipped = shown.as_ptr() as usize - reading.text.as_ptr() as usize;
            (begins + skipped + shown.len()) as u64
        });
        Forms {
            cut_at,
            ..Forms::whole(file, trim(shown), sanitised(&reading))
        }
    });
    forms.collect()
}

/// Returns what Claude Code shows of a file that comes alone: all, or the beginning of a long one that comes with others.
fn shown<'r>(snapshot: &Snapshot, file: &Resource, reading: &'r Reading) -> &'r str {
    let text = reading.text.as_str();
    if file.applies.is_none() {
        return text;
    }
    if !is_of_agents_md(snapshot, file) {
        return first_lines(text);
    }
    let begins = on_demand_begins(&file.source);
    match units(&begins) + units(text) > AGENTS_MD_UNITS_MAX {
        true => beginning(&begins, text),
        false => text,
    }
}

/// Returns a text, or the lines of a long one that fit, without the blanks before it.
fn first_lines(text: &str) -> &str {
    let trimmed = trim(text);
    if units(trimmed) <= COMING_UNITS_MAX {
        return text;
    }
    let fits = at_unit(trimmed, COMING_UNITS_MAX);
    let is_line = trimmed[fits..].starts_with('\n');
    let line_end = trimmed[..fits].rfind('\n').filter(|_| !is_line);
    &trimmed[..line_end.unwrap_or(fits)]
}

/// Returns where so many UTF-16 code units of a text end, in bytes.
fn at_unit(text: &str, mut left: usize) -> usize {
    let end = text.char_indices().find(|(_, c)| {
        let fits = c.len_utf16() <= left;
        left = left.saturating_sub(c.len_utf16());
        !fits
    });
    end.map_or(text.len(), |(at, _)| at)
}

/// Returns the part of a text that Claude Code shows if it cuts it, behind the line that names its file.
fn beginning<'r>(begins: &str, text: &'r str) -> &'r str {
    let whole = begins.to_owned() + text;
    let head = &whole[..at_unit(&whole, SHOWN_UNITS_MAX)];
    let line_end = head.rfind('\n');
    let line_end = line_end.filter(|at| units(&head[..*at]) > SHOWN_UNITS_MAX / 2);
    let shown = line_end.unwrap_or(head.len());
    &text[..shown.saturating_sub(begins.len())]
}

/// What is left for the `AGENTS.md` that come with one file, and for what they import.
pub(super) struct Room<'s> {
    snapshot: &'s Snapshot,
    settings: &'s ClaudeCodeSettings,
    left: usize,
}

impl<'s> Room<'s> {
    /// Begins with all of it.
    pub(super) fn new(snapshot: &'s Snapshot, settings: &'s ClaudeCodeSettings) -> Self {
        Self {
            snapshot,
            settings,
            left: TOGETHER_UNITS_MAX,
        }
    }

    /// Returns the next file that comes, or what Claude Code shows of it.
    pub(super) fn next(&mut self, file: &Resource, body: &[u8]) -> Option<String> {
        let reading = Reading::of(body);
        if reading.given().is_empty() {
            return None;
        }
        let begins = on_demand_begins(&file.source);
        // Here the blanks around a text stay.
        let text = begins.clone() + &reading.text;
        if !is_of_agents_md(self.snapshot, file) {
            let shown = first_lines(&reading.text);
            return Some(match shown.len() < reading.text.len() {
                true => begins + shown,
                false => text,
            });
        }
        let units = units(&text);
        if units <= AGENTS_MD_UNITS_MAX && units <= self.left {
            self.left -= units;
            return Some(text);
        }
        let shown = begins.clone() + beginning(&begins, &reading.text);
        self.left = self.left.saturating_sub(self.notice_units(units, &shown));
        Some(shown)
    }

    /// Returns how long the words are by which Claude Code shows the beginning of a text of so many units.
    fn notice_units(&self, text_units: usize, shown: &str) -> usize {
        let home = &self.settings.home;
        let directory = self.snapshot.facts.directory.as_deref().unwrap_or_default();
        let folder = "-".repeat(units(directory));
        units(&format!(
            "<persisted-output>\nOutput too large ({}). Full output saved to: {home}/projects/{folder}/{ID}/tool-results/\
             hook-tool.call-{ID}-{DIGEST}-additionalContext.txt\n\nPreview (first 2KB):\n{shown}\n...\n</persisted-output>",
            size(text_units)
        ))
    }
}

/// Returns a size as Claude Code writes it.
fn size(units: usize) -> String {
    let (value, unit) = match units {
        0..0x10_0000 => (units as f64 / 1024.0, "KB"),
        _ => (units as f64 / 1_048_576.0, "MB"),
    };
    let value = format!("{value:.1}");
    format!("{}{unit}", value.strip_suffix(".0").unwrap_or(&value))
}

fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Returns whether a file for some files is an `AGENTS.md`, or one imports it.
fn is_of_agents_md(snapshot: &Snapshot, file: &Resource) -> bool {
    let mut top = file;
    for _ in 0..IMPORT_DEPTH_MAX {
        let importer = top.imported_by.as_deref();
        let importer = importer.and_then(|source| snapshot.find(Kind::InstructionFile, source));
        top = importer.unwrap_or(top);
    }
    let root = top.root.as_deref().unwrap_or_default();
    let mut names = AGENTS_NAMES.iter();
    file.applies.is_some() && names.any(|name| top.source == format!("{root}/{name}"))
}

/// Returns a description as the list of skills has it, and behind it when to use the skill: in one line, with `<` and
/// `>` as references. What nobody sees makes one blank, however many such characters stand in a row.
pub(super) fn described(description: &str, skill_md: Option<&Arc<[u8]>>) -> String {
    let when = skill_md.and_then(|skill_md| skill_when(skill_md));
    let texts = [Some(trim(description)), when.as_deref()];
    let texts = texts.into_iter().flatten().map(|text| {
        let mut line = String::new();
        let mut unseen = sanitise::unseen(text).into_iter().peekable();
        let mut is_behind_gap = false;
        for (at, c) in text.char_indices() {
            while unseen.next_if(|range| range.end <= at).is_some() {}
            let is_unseen = unseen.peek().is_some_and(|range| range.contains(&at));
            let is_gap = is_unseen || c.is_control() || is_blanked(c);
            if !is_gap {
                line.push(c);
            } else if !is_behind_gap {
                line.push(' ');
            }
            is_behind_gap = is_gap;
        }
        line.replace('<', "&lt;").replace('>', "&gt;")
    });
    let texts: Vec<_> = texts.filter(|text| !text.is_empty()).collect();
    texts.join(" - ")
}

/// Returns whether Claude Code puts a blank in the place of a character in a description, although a prompt of ctxpin
/// may have it: the non-joiner, the blank of Braille, characters for private use, and those that are none.
fn is_blanked(c: char) -> bool {
    let low = u32::from(c) & 0xFFFF;
    matches!(c, '\u{200C}' | '\u{2800}' | '\u{E000}'..='\u{F8FF}' | '\u{F0000}'..='\u{10FFFF}' | '\u{FDD0}'..='\u{FDEF}')
        || low >= 0xFFFE
}

/// Returns what the prompt of a pin has of a file.
fn sanitised(reading: &Reading) -> String {
    trim(&sanitise::text(&reading.text).text).to_owned()
}

/// Returns the instruction files that have a body, as Claude Code reads them.
fn readings<'s>(snapshot: &'s Snapshot, bodies: &Bodies) -> Vec<(&'s Resource, Reading)> {
    let files = snapshot.instruction_files();
    files
        .filter_map(|file| Some((file, Reading::of(bodies.get(&file.body()?)?))))
        .collect()
}

/// Returns the text with all blocks, which is empty without any.
fn message(blocks: &[String]) -> String {
    match blocks.is_empty() {
        true => String::new(),
        false => format!("{BEGIN}{BETWEEN}{}", blocks.join(BETWEEN)),
    }
}

fn block(source: &str, owner: &str, text: &str) -> String {
    format!("Contents of {source} ({owner}):\n\n{text}")
}

/// Returns a file that comes with another file in Claude Code's form, but sanitised.
pub(super) fn delivered_on_demand(
    file: &Resource,
    body: &[u8],
    renderer: Renderer,
) -> Option<String> {
    let reading = Reading::of(body);
    let treated = treat::instruction_file(reading.text.as_bytes(), renderer).text;
    let text = trim(&treated);
    let begins = on_demand_begins(&sanitise::line(&file.source));
    (!text.is_empty()).then(|| format!("{begins}{text}\n"))
}

fn on_demand_begins(source: &str) -> String {
    format!("Contents of {source}:\n\n")
}

/// Whose the files of a snapshot are.
struct Owners<'s> {
    files: HashMap<&'s str, &'s Resource>,
    home: &'s str,
}

impl<'s> Owners<'s> {
    fn of(snapshot: &'s Snapshot, settings: &'s ClaudeCodeSettings) -> Self {
        let files = snapshot.instruction_files();
        Self {
            files: files.map(|file| (file.source.as_str(), file)).collect(),
            home: &settings.home,
        }
    }

    /// Returns whose file it is, in Claude Code's words. An imported file belongs to the owner of the file that
    /// imports it.
    fn owner(&self, file: &'s Resource) -> &'static str {
        let mut top = file;
        for _ in 0..self.files.len() {
            let importer = top.imported_by.as_deref();
            match importer.and_then(|importer| self.files.get(importer)) {
                Some(importer) => top = importer,
                None => break,
            }
        }
        let name = top.source.rsplit('/').next();
        if top.root.as_deref() == Some(self.home) {
            "user's private global instructions for all projects"
        } else if name == Some(LOCAL_NAME) {
            "user's private project instructions, not checked in"
        } else {
            "project instructions, checked into the codebase"
        }
    }
}

/// Returns the skills in the order of Claude Code's list, each with its `SKILL.md`: the person's, then those of the
/// working directory and of each directory above it.
fn skills<'s, 'b>(
    snapshot: &'s Snapshot,
    bodies: &'b Bodies,
    settings: &ClaudeCodeSettings,
) -> Vec<(&'s Resource, Option<&'b Arc<[u8]>>)> {
    let mut skills: Vec<_> = snapshot.skills().collect();
    skills.sort_by_cached_key(|skill| {
        let root = skill.root.as_deref().unwrap_or_default();
        let is_personal = root == settings.home;
        let name = directory_name(&skill.source).unwrap_or_default();
        let place = (!is_personal, std::cmp::Reverse(root.len()));
        (place, collated(name), &skill.source)
    });
    let skills = skills.into_iter().map(|skill| {
        let body = skill.body().and_then(|body| bodies.get(&body));
        (skill, body)
    });
    skills.collect()
}
