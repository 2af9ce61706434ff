//! Which skills Codex's configuration, and the skills' own files, keep out of the list that its model gets.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use ctxpin_model::codex::{OFFER_NAMES, unoffered};
use ctxpin_model::limits::FRONTMATTER_BYTES_MAX;
use toml::Value;

use super::manifests::PluginNames;
use crate::boundary::{Boundary, Located, Outcome};
use crate::directory::Directory;
use crate::file::oversize;
use crate::gather::Gathering;
use crate::path_text::source_text;

/// Why all skills are left out if the model gets no list of them.
pub const UNLISTED: &str = "`skills.include_instructions` in Codex's configuration is false, so its model gets no list of skills";

/// Why a skill is left out that the configuration turns off.
const OFF: &str = "`skills.config` in Codex's configuration turns it off";

/// The greatest number of rules that are kept.
const RULES_MAX: usize = 256;

/// The members of a configuration about skills.
#[derive(Debug, Default)]
pub struct SkillMembers {
    pub is_listed: Option<bool>,
    pub rules: Vec<Rule>,
}

/// What the person's configuration says of one skill.
#[derive(Debug)]
pub struct Rule {
    skill: Skill,
    is_on: bool,
}

#[derive(Debug)]
enum Skill {
    Named(String),
    /// The path of its `SKILL.md`, as it is written.
    At(String),
}

impl SkillMembers {
    /// Reads the member `skills` of a configuration.
    ///
    /// # Errors
    ///
    /// Fails with the name of a member that has another type, and with the type that it should have.
    pub fn parse(skills: Option<&Value>) -> Result<Self, (&'static str, &'static str)> {
        let Some(skills) = skills else {
            return Ok(Self::default());
        };
        let skills = skills.as_table().ok_or(("skills", "a table"))?;
        let is_listed = skills.get("include_instructions").map(|value| {
            let unfit = ("skills.include_instructions", "a truth value");
            value.as_bool().ok_or(unfit)
        });
        let unfit = ("skills.config", "a list of tables with `enabled`");
        let rules = match skills.get("config") {
            None => Vec::new(),
            Some(rules) => {
                let rules = rules.as_array().ok_or(unfit)?.iter();
                let rules = rules.map(|rule| rule_of(rule).ok_or(unfit));
                rules.collect::<Result<Vec<_>, _>>()?
            }
        };
        Ok(Self {
            is_listed: is_listed.transpose()?,
            rules: rules.into_iter().flatten().collect(),
        })
    }
}

/// Reads a rule. Codex ignores one that names no skill, or names it twice. Returns `None` if a member has another type.
fn rule_of(rule: &Value) -> Option<Option<Rule>> {
    let rule = rule.as_table()?;
    let is_on = rule.get("enabled")?.as_bool()?;
    let text = |name: &str| match rule.get(name) {
        None => Some(None),
        Some(value) => value.as_str().map(Some),
    };
    let skill = match (text("name")?, text("path")?) {
        (Some(name), None) => Skill::Named(name.to_owned()),
        (None, Some(path)) => Skill::At(path.to_owned()),
        _ => return Some(None),
    };
    Some(Some(Rule { skill, is_on }))
}

/// Leaves out the skills that the configuration turns off. The last rule about a skill counts. A relative path starts at
/// Codex's home.
pub fn leave_out(
    members: SkillMembers,
    names: &PluginNames,
    codex: &Path,
    home: &Path,
    gathering: &mut Gathering,
) {
    if members.is_listed == Some(false) {
        return gathering.leave_out_skills(|_| Some(UNLISTED));
    }
    if members.rules.len() > RULES_MAX {
        gathering.remark(format!(
            "of Codex's `skills.config`, only {RULES_MAX} are used"
        ));
    }
    let rules = members.rules.into_iter().take(RULES_MAX);
    let rules = rules.map(|rule| {
        let real = match &rule.skill {
            Skill::Named(_) => None,
            Skill::At(path) => real(path, codex, home),
        };
        (rule, real)
    });
    let rules: Vec<_> = rules.collect();
    gathering.leave_out_skills(|skill| {
        let full = skill
            .name
            .as_ref()
            .map(|own| names.full(&skill.source, own));
        let is_of = |(rule, real): &&(Rule, Option<String>)| match &rule.skill {
            Skill::Named(name) => full.as_ref() == Some(name),
            Skill::At(_) => real.as_ref() == Some(&skill.source),
        };
        let last = rules.iter().rfind(is_of);
        last.filter(|(rule, _)| !rule.is_on).map(|_| OFF)
    });
}

/// Returns the source of the skill at a path of the configuration.
fn real(path: &str, codex: &Path, home: &Path) -> Option<String> {
    let path: PathBuf = match path.strip_prefix("~/") {
        Some(rest) => home.join(rest),
        None => codex.join(path),
    };
    Some(source_text(&path.canonicalize().ok()?).0)
}

/// Returns why a file beside the `SKILL.md` in a directory keeps the skill out of the list. `None` if none does.
pub fn unlisted(directory: &Directory, gathering: &mut Gathering) -> Option<&'static str> {
    let [folder, name] = OFFER_NAMES.map(OsStr::new);
    let path = directory.path.join(folder).join(name);
    gathering.places.awaited(&path);
    let own = directory.descend(Path::new("")).ok()?;
    let boundary = Boundary::of_skill(own, Rc::clone(&gathering.common));
    let bytes_max = FRONTMATTER_BYTES_MAX as u64;
    let unread = match boundary.locate(&boundary.directory, folder) {
        Located::Absent | Located::File(_) => return None,
        Located::Refused(refused) => refused.reason,
        Located::Directory(real) => {
            let held = boundary.descend(&real).ok()?;
            match boundary.read(&held, name, bytes_max, &mut gathering.reader) {
                Outcome::Absent => return None,
                Outcome::Refused(refused) => refused.reason,
                Outcome::Read(reading) => match reading.bytes {
                    Some(bytes) if gathering.may_parse(bytes.len()) => return unoffered(&bytes),
                    Some(_) => "one scan parses no more of such files".to_owned(),
                    None => oversize(reading.size, bytes_max),
                },
            }
        }
    };
    let path = source_text(&path).0;
    gathering.remark(format!(
        "ctxpin does not read {path}, because {unread}; it may keep the skill out of Codex's list"
    ));
    None
}
