//! Profiles: the rules by which one tool finds, orders and cuts the files that it gives its model.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value, json};

use crate::claude_code::{SKILL_MD_BYTES_MAX, described_by_text};
use crate::limits::{FACT_BYTES_MAX, text_fault};
use crate::resource::{UnknownWord, spelled};
use crate::skill::Dialect;

spelled! {
    /// The tool whose rules a scan follows.
    #[derive(Default)]
    Profile {
        /// ctxpin's own rules, which no tool follows exactly.
        #[default]
        Neutral = "neutral",
        /// Anthropic's Claude Code.
        ClaudeCode = "claude-code",
        /// OpenAI's Codex CLI.
        Codex = "codex",
        /// The terminal agent opencode.
        Opencode = "opencode",
    }
}

impl Profile {
    /// Returns the name that people know the tool by. The neutral profile is that of no tool.
    pub const fn tool(self) -> Option<&'static str> {
        match self {
            Self::Neutral => None,
            Self::ClaudeCode => Some("Claude Code"),
            Self::Codex => Some("Codex"),
            Self::Opencode => Some("opencode"),
        }
    }

    /// Returns the newest version of the tool that the rules were compared with. The neutral profile has none.
    pub const fn compared_with(self) -> Option<&'static str> {
        match self {
            Self::Neutral => None,
            Self::ClaudeCode => Some("2.1.332"),
            Self::Codex => Some("0.171.0"),
            Self::Opencode => Some("1.18.33"),
        }
    }

    /// Returns the description that the tool takes from the text of a skill which has no other. `None` if it takes none,
    /// or the text is not to be kept.
    pub fn described_by_text(self, skill_md: &[u8]) -> Option<String> {
        let description = match self {
            Self::Neutral | Self::Codex | Self::Opencode => return None,
            Self::ClaudeCode => described_by_text(skill_md),
        };
        (!description.contains('\0')).then_some(description)
    }

    /// Returns how the tool reads names and keys of a skill's frontmatter. Claude Code names a skill by its directory.
    pub fn skill_dialect(self) -> Dialect {
        match self {
            Self::Neutral => Dialect::Own,
            Self::ClaudeCode => Dialect::ClaudeCode,
            Self::Codex => Dialect::Codex,
            Self::Opencode => Dialect::Opencode,
        }
    }

    /// Returns the size of the largest `SKILL.md` that the tool reads, in bytes. `None` if it reads all.
    pub fn skill_md_bytes_max(self) -> Option<u64> {
        match self {
            Self::Neutral | Self::Codex | Self::Opencode => None,
            Self::ClaudeCode => Some(SKILL_MD_BYTES_MAX),
        }
    }

    /// Returns the versions of the tool's rules that this release scans and renders by, the newest last. The
    /// neutral rules have no version.
    pub fn rules_known(self) -> &'static [u32] {
        match self {
            Self::Neutral => &[],
            Self::ClaudeCode | Self::Codex | Self::Opencode => &[1],
        }
    }
}

/// Rules of a profile, without the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProfileRules {
    pub profile: Profile,
    /// The version of the tool's rules. `None` under the neutral profile.
    pub version: Option<u32>,
}

impl fmt::Display for ProfileRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version {
            None => write!(f, "the profile `{}`", self.profile),
            Some(version) => write!(f, "the profile `{}` (rules {version})", self.profile),
        }
    }
}

/// What the hash of a snapshot covers of a profile besides the files. A snapshot under the neutral rules has
/// none of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The version of the tool's rules. It grows whenever the order, the form or the cut of the files
    /// changes, because the same files then give the model something else.
    pub version: u32,
    pub settings: Settings,
}

impl Rules {
    /// Returns these settings under the newest version of their tool's rules.
    pub fn newest(settings: Settings) -> Self {
        let known = settings.profile().rules_known();
        Self {
            version: known.last().copied().unwrap_or_default(),
            settings,
        }
    }
}

/// The error of settings that this release cannot read. Its text says why, and names the member.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidSettings(String);

impl InvalidSettings {
    fn of_member(name: &str, reason: impl fmt::Display) -> Self {
        Self(format!("`{name}` is not valid: {reason}"))
    }
}

/// The members of a JSON object, each of which is read once.
struct Members<'v>(&'v Map<String, Value>);

impl Members<'_> {
    fn read<T>(
        &self,
        name: &str,
        what: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<T, InvalidSettings> {
        let value = self.0.get(name);
        let value = value.ok_or_else(|| InvalidSettings::of_member(name, "it is missing"))?;
        read(value).ok_or_else(|| InvalidSettings::of_member(name, format!("it is no {what}")))
    }

    fn text(&self, name: &str) -> Result<String, InvalidSettings> {
        let text = self.read(name, "text", |value| value.as_str().map(str::to_owned))?;
        fit(name, &text)?;
        Ok(text)
    }

    fn number(&self, name: &str) -> Result<u64, InvalidSettings> {
        let number = self.read(name, "number", Value::as_u64)?;
        if number > NUMBER_MAX {
            let reason = format!("it is greater than {NUMBER_MAX}");
            return Err(InvalidSettings::of_member(name, reason));
        }
        Ok(number)
    }

    fn flag(&self, name: &str) -> Result<bool, InvalidSettings> {
        self.read(name, "truth value", Value::as_bool)
    }

    fn texts(&self, name: &str) -> Result<Vec<String>, InvalidSettings> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let texts: Vec<_> = self.read(name, "list of texts", |value| {
            value.as_array()?.iter().map(text).collect()
        })?;
        if texts.len() > TEXTS_MAX {
            let reason = format!("it has more than {TEXTS_MAX} texts");
            return Err(InvalidSettings::of_member(name, reason));
        }
        texts.iter().try_for_each(|text| fit(name, text))?;
        Ok(texts)
    }
}

/// Reads how a tool lists skills, if the settings say it of any.
fn skill_listings(
    members: &Map<String, Value>,
) -> Result<BTreeMap<String, SkillListing>, InvalidSettings> {
    let name = claude_code::SKILL_LISTINGS;
    let Some(value) = members.get(name) else {
        return Ok(BTreeMap::new());
    };
    let invalid = |reason: String| InvalidSettings::of_member(name, reason);
    let listings = value.as_object().filter(|listings| !listings.is_empty());
    let listings = listings.ok_or_else(|| invalid("it names no skills".into()))?;
    if listings.len() > SKILL_LISTINGS_MAX {
        return Err(invalid(format!(
            "it has more than {SKILL_LISTINGS_MAX} skills"
        )));
    }
    let listings = listings.iter().map(|(skill, word)| {
        fit(name, skill)?;
        let word = word
            .as_str()
            .ok_or_else(|| invalid("it has a value that is no text".into()))?;
        let listing = word
            .parse()
            .map_err(|unknown: UnknownWord| invalid(unknown.to_string()))?;
        Ok((skill.clone(), listing))
    });
    listings.collect()
}

/// What begins a permission in the JSON of settings, before its pattern.
const ALLOWED: &str = "allow ";
const DENIED: &str = "deny ";

/// Reads which skills a tool's model may load, if the settings say it.
fn skill_permissions(read: &Members<'_>) -> Result<Vec<SkillPermission>, InvalidSettings> {
    let name = opencode::SKILL_PERMISSIONS;
    if !read.0.contains_key(name) {
        return Ok(Vec::new());
    }
    let permissions = read.texts(name)?.into_iter().map(|text| {
        let pattern = |word: &str, is_denied: bool| {
            let pattern = text.strip_prefix(word)?.to_owned();
            Some(SkillPermission { pattern, is_denied })
        };
        let permission = pattern(ALLOWED, false).or_else(|| pattern(DENIED, true));
        permission.ok_or_else(|| {
            InvalidSettings::of_member(name, "a text begins with neither `allow ` nor `deny `")
        })
    });
    let permissions: Vec<_> = permissions.collect::<Result<_, _>>()?;
    match permissions.is_empty() {
        true => Err(InvalidSettings::of_member(name, "it has no texts")),
        false => Ok(permissions),
    }
}

fn fit(name: &str, text: &str) -> Result<(), InvalidSettings> {
    let fault = text_fault(text, FACT_BYTES_MAX);
    fault.map_or(Ok(()), |fault| Err(InvalidSettings::of_member(name, fault)))
}

/// The greatest number of texts in one list of a tool's settings.
pub const TEXTS_MAX: usize = 64;

/// The greatest number of skills that a tool's settings list in another way than whole.
pub const SKILL_LISTINGS_MAX: usize = 256;

/// The greatest number in a tool's settings, because canonical JSON states no greater one exactly.
pub const NUMBER_MAX: u64 = (1 << 53) - 1;

/// The settings of a tool that decide what it gives its model, as they were at the scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settings {
    ClaudeCode(ClaudeCodeSettings),
    Codex(CodexSettings),
    Opencode(OpencodeSettings),
}

/// The settings of Claude Code that decide which instruction files it finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaudeCodeSettings {
    /// The absolute path of Claude Code's home, in which a person has files for all projects.
    pub home: String,
    /// `claudeMdExcludes`: globs of the absolute paths that it does not read.
    pub excludes: Vec<String>,
    /// Which names of instruction files count.
    pub instruction_files: InstructionFiles,
    /// `CLAUDE_CODE_DISABLE_CLAUDE_MDS`: whether it reads no instruction file at all.
    pub is_disabled: bool,
    /// `hasClaudeMdExternalIncludesApproved`: whether the person lets the project import files from outside of
    /// the working directory.
    pub allows_external_imports: bool,
    /// `skillOverrides`: the skills that are not listed whole, by the names of their directories. They are part of the
    /// JSON if there are some.
    pub skill_listings: BTreeMap<String, SkillListing>,
}

spelled! {
    /// How Claude Code lists a skill to its model, if not whole.
    SkillListing {
        /// Without its description.
        NameOnly = "name-only",
        /// Not at all, but a person can use it.
        UserInvocableOnly = "user-invocable-only",
        /// Not at all.
        Off = "off",
    }
}

spelled! {
    /// Which names of a project's instruction files Claude Code reads.
    InstructionFiles {
        /// Only its own names.
        ClaudeMd = "claude-md",
        /// `AGENTS.md` if nothing above or in the working directory has its own name.
        ClaudeMdOrAgentsMd = "claude-md-or-agents-md",
        ClaudeMdAndAgentsMd = "claude-md-and-agents-md",
        /// None of the project or the person.
        ManagedOnly = "managed-only",
    }
}

impl ClaudeCodeSettings {
    /// Returns what Claude Code does without a configuration.
    pub fn defaults(home: impl Into<String>) -> Self {
        Self {
            home: home.into(),
            excludes: Vec::new(),
            instruction_files: InstructionFiles::ClaudeMdOrAgentsMd,
            is_disabled: false,
            allows_external_imports: false,
            skill_listings: BTreeMap::new(),
        }
    }
}

/// The settings of Codex that decide which instruction files it finds, and how much of them it gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodexSettings {
    /// The absolute path of Codex's home, whose instruction file comes first.
    pub home: String,
    /// `project_doc_max_bytes`: how many bytes of the project's files a model gets, all files together.
    pub bytes_max: u64,
    /// `project_doc_fallback_filenames`: the names that count where a directory has no `AGENTS.md`.
    pub fallback_names: Vec<String>,
    /// `project_root_markers`: the entries that make a directory the root of a project.
    pub root_markers: Vec<String>,
}

impl CodexSettings {
    /// Returns what Codex does without a configuration.
    pub fn defaults(home: impl Into<String>) -> Self {
        Self {
            home: home.into(),
            bytes_max: 32 * 1024,
            fallback_names: Vec::new(),
            root_markers: vec![".git".to_owned()],
        }
    }
}

/// The settings of opencode that decide which instruction files it finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpencodeSettings {
    /// The absolute path of the directory of a person's own configuration.
    pub home: String,
    /// `instructions`: paths, globs and addresses, as all configurations together list them. Of an address, only
    /// what names the page.
    pub instructions: Vec<String>,
    /// `OPENCODE_DISABLE_CLAUDE_CODE_PROMPT`: whether files with a name of Claude Code are passed over.
    pub is_claude_code_disabled: bool,
    /// `OPENCODE_DISABLE_PROJECT_CONFIG`: whether the project's files and configurations are passed over.
    pub is_project_disabled: bool,
    /// `permission.skill`: which skills the model may load. The last that matches counts, and without one a skill is
    /// allowed. They are part of the JSON if there are some.
    pub skill_permissions: Vec<SkillPermission>,
}

/// Whether opencode's model may load the skills that a pattern matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkillPermission {
    /// `*` stands for any text, and `?` for one character.
    pub pattern: String,
    pub is_denied: bool,
}

impl SkillPermission {
    /// Returns whether a pattern matches a whole text. A blank and `*` at its end may match nothing. Takes time in the
    /// product of their lengths.
    pub fn is_match(pattern: &str, text: &str) -> bool {
        let begin = pattern.strip_suffix(" *");
        begin.is_some_and(|begin| is_wildcard_match(begin, text))
            || is_wildcard_match(pattern, text)
    }
}

fn is_wildcard_match(pattern: &str, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    // The lengths of the text's beginnings that the pattern's beginning matches.
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for sign in pattern.chars() {
        let before = reached;
        reached = vec![false; text.len() + 1];
        for at in 0..=text.len() {
            reached[at] = match (sign, at) {
                ('*', 0) => before[0],
                ('*', at) => before[at] || reached[at - 1],
                (_, 0) => false,
                (sign, at) => before[at - 1] && (sign == '?' || sign == text[at - 1]),
            };
        }
    }
    reached[text.len()]
}

impl OpencodeSettings {
    /// Returns what opencode does without a configuration.
    pub fn defaults(home: impl Into<String>) -> Self {
        Self {
            home: home.into(),
            instructions: Vec::new(),
            is_claude_code_disabled: false,
            is_project_disabled: false,
            skill_permissions: Vec::new(),
        }
    }
}

/// The names of Claude Code's settings, as its own configuration and their JSON spell them.
mod claude_code {
    pub const HOME: &str = "home";
    pub const EXCLUDES: &str = "claudeMdExcludes";
    pub const INSTRUCTION_FILES: &str = "instructionFiles";
    pub const IS_DISABLED: &str = "CLAUDE_CODE_DISABLE_CLAUDE_MDS";
    pub const ALLOWS_EXTERNAL_IMPORTS: &str = "hasClaudeMdExternalIncludesApproved";
    pub const SKILL_LISTINGS: &str = "skillOverrides";
}

/// The names of Codex's settings, as its own configuration and their JSON spell them.
mod codex {
    pub const HOME: &str = "home";
    pub const BYTES_MAX: &str = "project_doc_max_bytes";
    pub const FALLBACK_NAMES: &str = "project_doc_fallback_filenames";
    pub const ROOT_MARKERS: &str = "project_root_markers";
}

/// The names of opencode's settings, as its own configuration and their JSON spell them.
mod opencode {
    pub const HOME: &str = "home";
    pub const INSTRUCTIONS: &str = "instructions";
    pub const IS_CLAUDE_CODE_DISABLED: &str = "OPENCODE_DISABLE_CLAUDE_CODE_PROMPT";
    pub const IS_PROJECT_DISABLED: &str = "OPENCODE_DISABLE_PROJECT_CONFIG";
    pub const SKILL_PERMISSIONS: &str = "permission.skill";
}

impl Settings {
    /// Returns the absolute path of the tool's home.
    pub fn home(&self) -> &str {
        match self {
            Self::ClaudeCode(settings) => &settings.home,
            Self::Codex(settings) => &settings.home,
            Self::Opencode(settings) => &settings.home,
        }
    }

    /// Reads the settings of a tool from their JSON. Refuses a member that this release does not know, because the
    /// hash of the settings covers it.
    ///
    /// # Errors
    ///
    /// Fails if the profile is neutral, or a member is missing, unknown or not valid.
    pub fn from_json(profile: Profile, json: &Value) -> Result<Self, InvalidSettings> {
        let members = json.as_object();
        let members = members.ok_or_else(|| InvalidSettings("they are no object".into()))?;
        let read = Members(members);
        let settings = match profile {
            Profile::Neutral => {
                return Err(InvalidSettings("the neutral profile has none".into()));
            }
            Profile::ClaudeCode => Self::ClaudeCode(ClaudeCodeSettings {
                home: read.text(claude_code::HOME)?,
                excludes: read.texts(claude_code::EXCLUDES)?,
                instruction_files: read.read(
                    claude_code::INSTRUCTION_FILES,
                    "choice of instruction files",
                    |value| value.as_str()?.parse().ok(),
                )?,
                is_disabled: read.flag(claude_code::IS_DISABLED)?,
                allows_external_imports: read.flag(claude_code::ALLOWS_EXTERNAL_IMPORTS)?,
                skill_listings: skill_listings(members)?,
            }),
            Profile::Codex => Self::Codex(CodexSettings {
                home: read.text(codex::HOME)?,
                bytes_max: read.number(codex::BYTES_MAX)?,
                fallback_names: read.texts(codex::FALLBACK_NAMES)?,
                root_markers: read.texts(codex::ROOT_MARKERS)?,
            }),
            Profile::Opencode => Self::Opencode(OpencodeSettings {
                home: read.text(opencode::HOME)?,
                instructions: read.texts(opencode::INSTRUCTIONS)?,
                is_claude_code_disabled: read.flag(opencode::IS_CLAUDE_CODE_DISABLED)?,
                is_project_disabled: read.flag(opencode::IS_PROJECT_DISABLED)?,
                skill_permissions: skill_permissions(&read)?,
            }),
        };
        let known = settings.json();
        let is_unknown = |name: &&String| known.get(name.as_str()).is_none();
        match members.keys().find(is_unknown) {
            None => Ok(settings),
            Some(name) => Err(InvalidSettings::of_member(name, "it is unknown here")),
        }
    }

    /// Reads the settings of a tool from their canonical JSON.
    ///
    /// # Errors
    ///
    /// Fails if the text is no JSON, and as [`Self::from_json`] does.
    pub fn from_canonical_json(profile: Profile, json: &str) -> Result<Self, InvalidSettings> {
        let json = serde_json::from_str(json);
        let json = json.map_err(|_| InvalidSettings("they are no JSON".into()))?;
        Self::from_json(profile, &json)
    }

    /// Returns the profile whose settings these are.
    pub fn profile(&self) -> Profile {
        match self {
            Self::ClaudeCode(_) => Profile::ClaudeCode,
            Self::Codex(_) => Profile::Codex,
            Self::Opencode(_) => Profile::Opencode,
        }
    }

    /// Returns the canonical JSON (RFC 8785), which is hashed. Its members have the names that the tool's own
    /// configuration gives them.
    pub fn canonical_json(&self) -> String {
        serde_jcs::to_string(&self.json()).expect("a JSON value always has a canonical form")
    }

    /// Returns the settings as JSON.
    pub fn json(&self) -> Value {
        match self {
            Self::ClaudeCode(settings) => {
                let mut json = json!({
                    claude_code::HOME: settings.home,
                    claude_code::EXCLUDES: settings.excludes,
                    claude_code::INSTRUCTION_FILES: settings.instruction_files.as_str(),
                    claude_code::IS_DISABLED: settings.is_disabled,
                    claude_code::ALLOWS_EXTERNAL_IMPORTS: settings.allows_external_imports,
                });
                // Settings of the time before this member keep their hash.
                if !settings.skill_listings.is_empty() {
                    let listings = settings.skill_listings.iter();
                    let listings =
                        listings.map(|(skill, listing)| (skill.clone(), listing.as_str().into()));
                    json[claude_code::SKILL_LISTINGS] = Value::Object(listings.collect());
                }
                json
            }
            Self::Codex(settings) => json!({
                codex::HOME: settings.home,
                codex::BYTES_MAX: settings.bytes_max,
                codex::FALLBACK_NAMES: settings.fallback_names,
                codex::ROOT_MARKERS: settings.root_markers,
            }),
            Self::Opencode(settings) => {
                let mut json = json!({
                    opencode::HOME: settings.home,
                    opencode::INSTRUCTIONS: settings.instructions,
                    opencode::IS_CLAUDE_CODE_DISABLED: settings.is_claude_code_disabled,
                    opencode::IS_PROJECT_DISABLED: settings.is_project_disabled,
                });
                if !settings.skill_permissions.is_empty() {
                    let permissions = settings.skill_permissions.iter().map(|permission| {
                        let word = if permission.is_denied {
                            DENIED
                        } else {
                            ALLOWED
                        };
                        Value::String(format!("{word}{}", permission.pattern))
                    });
                    json[opencode::SKILL_PERMISSIONS] = permissions.collect();
                }
                json
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings::Codex(CodexSettings {
            fallback_names: vec!["RULES.md".into()],
            ..CodexSettings::defaults("/home/ada/.codex")
        })
    }

    fn check(change: impl FnOnce(&mut Map<String, Value>), expected: &str) {
        let mut json = settings().json();
        change(json.as_object_mut().unwrap());
        let refused = Settings::from_json(Profile::Codex, &json).unwrap_err();
        assert_eq!(refused.to_string(), expected);
    }

    #[test]
    fn settings_read_back() {
        let read = Settings::from_json(Profile::Codex, &settings().json());
        assert_eq!(read, Ok(settings()));
        let claude_code = Settings::ClaudeCode(ClaudeCodeSettings {
            excludes: vec!["**/vendor/**".into()],
            is_disabled: true,
            skill_listings: [("deploy".into(), SkillListing::Off)].into(),
            ..ClaudeCodeSettings::defaults("/home/ada/.claude")
        });
        let opencode = Settings::Opencode(OpencodeSettings {
            instructions: vec!["docs/*.md".into()],
            skill_permissions: [("*", true), ("a-?", false)]
                .map(|(pattern, is_denied)| SkillPermission {
                    pattern: pattern.into(),
                    is_denied,
                })
                .into(),
            ..OpencodeSettings::defaults("/home/ada/.config/opencode")
        });
        for settings in [settings(), claude_code, opencode] {
            let json = settings.canonical_json();
            let read = Settings::from_canonical_json(settings.profile(), &json);
            assert_eq!(read, Ok(settings));
        }
    }

    #[test]
    fn settings_of_another_release_are_refused() {
        let budget = codex::BYTES_MAX;
        check(
            |json| _ = json.insert("new".into(), json!(1)),
            "`new` is not valid: it is unknown here",
        );
        check(
            |json| _ = json.remove(budget),
            "`project_doc_max_bytes` is not valid: it is missing",
        );
        check(
            |json| _ = json.insert(budget.into(), json!("much")),
            "`project_doc_max_bytes` is not valid: it is no number",
        );
        check(
            |json| _ = json.insert(budget.into(), json!(1_u64 << 53)),
            "`project_doc_max_bytes` is not valid: it is greater than 9007199254740991",
        );
        check(
            |json| _ = json.insert(codex::HOME.into(), json!("a\0b")),
            "`home` is not valid: it holds a NUL character, which no text may",
        );
        check(
            |json| _ = json.insert(codex::ROOT_MARKERS.into(), json!(vec![".git"; 65])),
            "`project_root_markers` is not valid: it has more than 64 texts",
        );
        let neutral = Settings::from_json(Profile::Neutral, &json!({}));
        assert_eq!(
            neutral.unwrap_err().to_string(),
            "the neutral profile has none"
        );
    }

    #[test]
    fn listings_of_skills_are_read_if_there_are_some() {
        let defaults = ClaudeCodeSettings::defaults("/home/ada/.claude");
        let json = Settings::ClaudeCode(defaults).json();
        assert_eq!(json.get("skillOverrides"), None);
        let check = |listings: Value, expected: &str| {
            let mut json = json.clone();
            json["skillOverrides"] = listings;
            let refused = Settings::from_json(Profile::ClaudeCode, &json).unwrap_err();
            assert_eq!(
                refused.to_string(),
                format!("`skillOverrides` is not valid: {expected}")
            );
        };
        check(json!({}), "it names no skills");
        check(json!(["a"]), "it names no skills");
        check(json!({ "a": 1 }), "it has a value that is no text");
        check(
            json!({ "a": "on" }),
            "`on` is not one of name-only, user-invocable-only, off",
        );
        let many = (0..=SKILL_LISTINGS_MAX).map(|number| (number.to_string(), json!("off")));
        check(Value::Object(many.collect()), "it has more than 256 skills");
    }

    #[test]
    fn a_pattern_matches_a_whole_text() {
        let check = |pattern: &str, text: &str, expected: bool| {
            assert_eq!(
                SkillPermission::is_match(pattern, text),
                expected,
                "{pattern} {text}"
            );
        };
        check("*", "", true);
        check("", "", true);
        check("", "a", false);
        check("in-*", "in-one", true);
        check("in-*", "in-", true);
        check("in-*", "main-one", false);
        check("*-*", "a-b-c", true);
        check("be?a", "beta", true);
        check("be?a", "bea", false);
        check("?", "\u{e9}", true);
        check("a*b*c", "aXbYbZc", true);
        check("a*b*c", "aXbYbZcd", false);
        check("A", "a", false);
        check("deploy *", "deploy", true);
        check("deploy *", "deploy now", true);
        check("deploy *", "deploys", false);
    }

    #[test]
    fn permissions_for_skills_are_read_if_there_are_some() {
        let defaults = OpencodeSettings::defaults("/home/ada/.config/opencode");
        let json = Settings::Opencode(defaults).json();
        assert_eq!(json.get("permission.skill"), None);
        let check = |permissions: Value, expected: &str| {
            let mut json = json.clone();
            json["permission.skill"] = permissions;
            let refused = Settings::from_json(Profile::Opencode, &json).unwrap_err();
            assert_eq!(
                refused.to_string(),
                format!("`permission.skill` is not valid: {expected}")
            );
        };
        check(json!([]), "it has no texts");
        check(json!("deny *"), "it is no list of texts");
        check(
            json!(["never *"]),
            "a text begins with neither `allow ` nor `deny `",
        );
    }
}
