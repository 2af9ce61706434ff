//! The frontmatter of a `SKILL.md`: its name, its description, and warnings for its author.
//!
//! A breach of the Agent Skills specification (agentskills.io) is a warning. A skill is refused only
//! if it has no usable name or description.

pub mod files;
mod merge;
mod mistake;
pub(crate) mod repair;
mod yaml;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use unicode_normalization::UnicodeNormalization as _;

use crate::limits::{
    FRONTMATTER_BYTES_MAX, SKILL_COMPATIBILITY_CHARS_MAX, SKILL_DESCRIPTION_CHARS_MAX,
    SKILL_NAME_CHARS_MAX, cut, format_bytes,
};
use crate::warning::{Code, Warning};

/// The exact name of the file that makes a directory a skill.
pub const SKILL_FILE_NAME: &str = "SKILL.md";

/// The contents of a `SKILL.md`'s frontmatter, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontmatter {
    /// The name in the frontmatter, or the directory's name if the frontmatter's is missing or
    /// unusable.
    pub name: Option<String>,
    pub description: Option<String>,
    /// Why the skill cannot be used, as a message for its author. `None` if it can.
    pub refusal: Option<String>,
    /// Breaches of the specification, in the order of the file. None of them depends on the file's
    /// path; see [`directory_warning`] for the one that does.
    pub warnings: Vec<Warning>,
}

/// How a frontmatter is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Names have neither blanks nor marks, see [`is_usable_name`]. A merge key (`<<`) gives other keys.
    Own,
    /// As in [`Self::Own`], but a merge key may have quotes.
    ClaudeCode,
    /// Any name that people can read, with one blank between two words. No key gives others.
    Codex,
    /// Any name that people can read, as it is written.
    Opencode,
}

/// Parses the bytes of a `SKILL.md` in a directory named `directory`. Accepts CRLF line ends and a
/// byte order mark. `substitute` is the description of a skill that has no usable one, or no frontmatter. Without it,
/// such a skill is refused.
pub fn parse(
    skill_md: &[u8],
    directory: &str,
    substitute: Option<String>,
    dialect: Dialect,
) -> Frontmatter {
    let mut frontmatter = Frontmatter::default();
    frontmatter.refusal = match std::str::from_utf8(skill_md) {
        Ok(text) => read(text, directory, substitute, dialect, &mut frontmatter).err(),
        Err(error) => Some(format!(
            "not UTF-8 (first bad byte at offset {})",
            error.valid_up_to()
        )),
    };
    frontmatter.warnings.sort_by_key(|warning| warning.line);
    frontmatter
}

fn read(
    text: &str,
    directory: &str,
    substitute: Option<String>,
    dialect: Dialect,
    frontmatter: &mut Frontmatter,
) -> Result<(), String> {
    let fields = match substitute {
        Some(_) => fields_of_claude_code(text),
        None => fields(text, dialect)?,
    };
    frontmatter.warnings.extend(fields.warnings.iter().cloned());
    validate(&fields, directory, substitute, dialect, frontmatter)
}

/// Reads the frontmatter of a `SKILL.md`.
///
/// # Errors
///
/// Fails with a message for its author if there is none, or it cannot be parsed.
fn fields(text: &str, dialect: Dialect) -> Result<Fields, String> {
    yaml_text(text).and_then(|yaml| yaml::read(&yaml, dialect))
}

/// Why a tool's reading of a frontmatter is not known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// It is not valid YAML, also not once the tool has repaired it.
    Invalid,
    /// It has no end, or is beyond the limits.
    Unknown,
}

/// Reads the frontmatter of a `SKILL.md` as a tool does that repairs what is not valid YAML. Returns the text that was
/// parsed too.
pub(crate) fn fields_repaired(
    text: &str,
    dialect: Dialect,
    repaired: impl Fn(&str) -> String,
) -> Result<(Fields, String), Unread> {
    let yaml = yaml_text(text).map_err(|_| Unread::Unknown)?;
    yaml::read_repaired(&yaml, dialect, repaired).map_err(|fault| match fault {
        yaml::Fault::Syntax { .. } => Unread::Invalid,
        yaml::Fault::Final(_) => Unread::Unknown,
    })
}

/// Reads the frontmatter of a `SKILL.md` as Claude Code does, to which one that it cannot read has no keys. It repairs none
/// with CRLF.
fn fields_of_claude_code(text: &str) -> Fields {
    let has_crlf = text.contains("\r\n");
    let read = fields_repaired(text, Dialect::ClaudeCode, |yaml| match has_crlf {
        true => yaml.to_owned(),
        false => repair::by_claude_code(yaml),
    });
    read.map(|(fields, _)| fields).unwrap_or_default()
}

/// Returns the keys and values of a frontmatter, the text between its `---` lines, as Claude Code reads it. Returns `None` if
/// it cannot be parsed.
pub(crate) fn frontmatter_values(yaml: &str) -> Option<Map<String, Value>> {
    let is_small = yaml.len() <= FRONTMATTER_BYTES_MAX;
    let read =
        is_small.then(|| yaml::read_repaired(yaml, Dialect::ClaudeCode, repair::by_claude_code))?;
    read.ok().map(|(fields, _)| fields.values)
}

/// Returns what a type takes of the frontmatter of a text, whose keys keep their order. Returns `None` if there is no
/// frontmatter, or it cannot be parsed so.
pub fn frontmatter_as<T: DeserializeOwned>(text: &str) -> Option<T> {
    yaml::last_of_each(&yaml_text(text).ok()?).ok()
}

/// Returns what a type takes of a text in YAML, in which no known key occurs twice and only `true` and `false` are truth
/// values. Returns `None` if it cannot be parsed so, or is longer than a frontmatter may be.
pub(crate) fn strict_yaml<T: DeserializeOwned>(text: &str) -> Option<T> {
    let is_small = text.len() <= FRONTMATTER_BYTES_MAX;
    let parsed = is_small.then(|| yaml::strictly(text))?;
    parsed.ok()
}

/// Returns the size of the frontmatter that [`parse`] reads, in bytes. It is 0 if there is none.
pub fn frontmatter_bytes(skill_md: &[u8]) -> usize {
    let text = std::str::from_utf8(skill_md).unwrap_or_default();
    yaml_text(text).map_or(0, |yaml| yaml.len())
}

/// Returns the name of the directory that holds a `SKILL.md`. `None` if `source` is no path of a
/// `SKILL.md`, or if the file is in the root directory.
pub fn directory_name(source: &str) -> Option<&str> {
    let directory = source.strip_suffix(SKILL_FILE_NAME)?.strip_suffix('/')?;
    directory.rsplit('/').next().filter(|name| !name.is_empty())
}

/// Returns the name of a skill that is for the files below a directory: the directory from the working one on, a colon,
/// and the skill's own name. Claude Code calls it so where another skill has its own name. A colon in the directory, and what
/// nobody sees, becomes a `-`.
pub fn scoped_name(name: &str, below: &str, working: Option<&str>) -> String {
    let rest = working.and_then(|working| below.strip_prefix(working.trim_end_matches('/')));
    let is_fit = |c: char| is_shown(c) && c != ':';
    let directory = rest.unwrap_or(below).trim_matches('/').chars();
    let directory: String = directory.map(|c| if is_fit(c) { c } else { '-' }).collect();
    format!("{directory}:{name}")
}

/// The longest name of a plugin in the name of a skill, in bytes.
const PLUGIN_BYTES_MAX: usize = 1_024;

/// Returns the name by which Codex lists a skill of a plugin: the name of the plugin, a colon, and the skill's own name.
/// What no such name has becomes a `-`, and a longer name of a plugin is cut.
pub fn plugin_skill_name(own: &str, plugin: &str) -> String {
    let plugin = cut(plugin, PLUGIN_BYTES_MAX).chars();
    let plugin: String = plugin
        .map(|c| if is_of_plugin(c) { c } else { '-' })
        .collect();
    format!("{plugin}:{own}")
}

/// Returns whether [`plugin_skill_name`] makes a name of a skill's own name and of that of some plugin.
pub fn is_plugin_skill_name(name: &str, own: &str) -> bool {
    let plugin = name
        .strip_suffix(own)
        .and_then(|plugin| plugin.strip_suffix(':'));
    plugin
        .is_some_and(|plugin| plugin.len() <= PLUGIN_BYTES_MAX && plugin.chars().all(is_of_plugin))
}

fn is_of_plugin(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ':' | '@' | '+' | ' ')
}

/// Returns a warning if a skill's name differs from the name of its directory. Both are compared in
/// Unicode's composed form.
pub fn directory_warning(name: &str, source: &str) -> Option<Warning> {
    let directory = directory_name(source)?;
    let detail = || format!("its name is `{name}`, but its directory is `{directory}`");
    (directory.nfc().ne(name.nfc())).then(|| Warning::new(Code::NameDirectory).about(detail()))
}

/// Returns the text between the opening and the closing `---` line, with LF line ends.
fn yaml_text(text: &str) -> Result<String, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.lines();
    let is_border = |line: &str| line.trim_end() == "---";
    if !lines.next().is_some_and(is_border) {
        return Err("no frontmatter: the first line must be `---`".into());
    }
    if !lines.clone().any(is_border) {
        let line = 1 + mistake::lines_of_mapping(lines);
        return Err(format!(
            "line {line}: the frontmatter has no end: close it with a line `---` below this one"
        ));
    }
    let mut yaml = String::new();
    for line in lines.take_while(|line| !is_border(line)) {
        yaml.push_str(line);
        yaml.push('\n');
        if yaml.len() > FRONTMATTER_BYTES_MAX {
            return Err(format!(
                "the frontmatter has more than {}",
                format_bytes(FRONTMATTER_BYTES_MAX as u64)
            ));
        }
    }
    Ok(yaml)
}

/// The keys and values of a frontmatter, with the warnings that arose while parsing it.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    pub values: Map<String, Value>,
    /// Each key of the outermost mapping, with its line in the file.
    pub lines: Vec<(String, u64)>,
    pub warnings: Vec<Warning>,
}

impl Fields {
    /// Returns the line of a key. If it occurs twice, the last one counts.
    fn line(&self, key: &str) -> Option<u64> {
        let line = self.lines.iter().rfind(|(known, _)| known == key);
        line.map(|(_, line)| *line)
    }

    fn warning(&self, code: Code, key: &str) -> Warning {
        Warning {
            line: self.line(key),
            ..Warning::new(code)
        }
    }
}

fn validate(
    fields: &Fields,
    directory: &str,
    substitute: Option<String>,
    dialect: Dialect,
    frontmatter: &mut Frontmatter,
) -> Result<(), String> {
    check_optional(fields, &mut frontmatter.warnings);
    let description = required_text(fields, "description");
    let description = description.or_else(|refusal| substitute.ok_or(refusal));
    let name = choose_name(fields, directory, dialect, &mut frontmatter.warnings);
    frontmatter.name = name.as_ref().ok().cloned();
    let description = description?;
    let chars = description.chars().count();
    if chars > SKILL_DESCRIPTION_CHARS_MAX {
        let warning = fields.warning(Code::DescriptionLong, "description");
        frontmatter.warnings.push(warning.about(chars.to_string()));
    }
    frontmatter.description = Some(description);
    name.map(drop)
}

/// Returns the name in the frontmatter if it is usable, otherwise the directory's. Returns a message
/// if neither is usable.
fn choose_name(
    fields: &Fields,
    directory: &str,
    dialect: Dialect,
    warnings: &mut Vec<Warning>,
) -> Result<String, String> {
    let own = match fields.values.get("name") {
        None | Some(Value::Null) => None,
        // A list or a mapping is never usable; its JSON text goes into the warning.
        Some(value) => Some(scalar(value).unwrap_or_else(|| value.to_string())),
    };
    let own = own.filter(|name| !name.trim().is_empty());
    let name = |own: &str| usable_name(own).or_else(|| name_of_tool(own, dialect));
    if let Some(name) = own.as_deref().and_then(name) {
        if !is_specified(&name) {
            let warning = fields.warning(Code::NameForm, "name");
            warnings.push(warning.about(&name));
        }
        return Ok(name);
    }
    match (usable_name(directory), own) {
        (Some(name), own) => {
            warnings.push(match own {
                Some(own) => fields.warning(Code::NameUnfit, "name").about(own),
                None => fields.warning(Code::NameMissing, "name"),
            });
            Ok(name)
        }
        (None, Some(own)) => Err(format!(
            "neither its name `{}` nor its directory's name is usable: a name has 1 to {SKILL_NAME_CHARS_MAX} letters, digits, `-`, `_`, `.` or `:`",
            cut(&own, 200)
        )),
        (None, None) => Err(format!(
            "it has no name, and its directory's name is not usable: a name has 1 to {SKILL_NAME_CHARS_MAX} letters, digits, `-`, `_`, `.` or `:`"
        )),
    }
}

/// Returns whether a skill can have this name: 1 to [`SKILL_NAME_CHARS_MAX`] letters, digits, `-`,
/// `_`, `.` or `:`, and no `.` at the beginning.
pub fn is_usable_name(name: &str) -> bool {
    usable_name(name).is_some()
}

/// Returns the name in Unicode's composed form, if it is usable.
fn usable_name(name: &str) -> Option<String> {
    let name: String = name.nfc().collect();
    let chars = name.chars().count();
    let is_fit = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    let is_usable = (1..=SKILL_NAME_CHARS_MAX).contains(&chars)
        && name.chars().all(is_fit)
        && !name.starts_with('.');
    is_usable.then_some(name)
}

/// Returns the name by which a tool lists a skill although it is no [`usable_name`], if people can read it and it is part of
/// no path.
fn name_of_tool(name: &str, dialect: Dialect) -> Option<String> {
    let name: String = match dialect {
        Dialect::Own | Dialect::ClaudeCode => return None,
        Dialect::Opencode => name.nfc().collect(),
        Dialect::Codex => {
            let words: Vec<_> = name.split_whitespace().collect();
            words.join(" ").nfc().collect()
        }
    };
    let is_fit = |c: char| is_shown(c) && !matches!(c, '/' | '\\');
    let is_usable = name.chars().count() <= SKILL_NAME_CHARS_MAX
        && name.trim() == name
        && name.chars().all(is_fit)
        && !name.is_empty()
        && !name.starts_with('.');
    is_usable.then_some(name)
}

/// Returns whether people see a character in a line: no blank but the common one, nothing that only joins or directs others
/// but what emoji have.
fn is_shown(c: char) -> bool {
    let is_blank = c != ' ' && c.is_whitespace();
    let is_unseen = matches!(
        c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}'
            | '\u{200B}' | '\u{200C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{2800}' | '\u{3164}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{E0000}'..='\u{10FFFF}'
    );
    !is_blank && !is_unseen && !c.is_control()
}

/// Returns whether a name has the form that the specification demands.
fn is_specified(name: &str) -> bool {
    let is_fit = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    name.bytes().all(is_fit)
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.contains("--")
}

/// Checks the fields that ctxpin does not use. A malformed one is a warning, never a refusal.
fn check_optional(fields: &Fields, warnings: &mut Vec<Warning>) {
    let is_text = |value: &Value| scalar(value).is_some();
    let is_fit = |key: &str, value: &Value| match key {
        "compatibility" => scalar(value).is_some_and(|text| {
            (1..=SKILL_COMPATIBILITY_CHARS_MAX).contains(&text.chars().count())
        }),
        "metadata" => {
            let map = value.as_object();
            map.is_some_and(|map| map.values().all(is_text))
        }
        // The specification demands a string of names separated by spaces, but lists are in wide use.
        "allowed-tools" => {
            let list = value.as_array();
            is_text(value) || list.is_some_and(|list| list.iter().all(is_text))
        }
        _ => is_text(value),
    };
    for key in ["license", "compatibility", "metadata", "allowed-tools"] {
        let value = fields.values.get(key).filter(|value| !value.is_null());
        if value.is_some_and(|value| !is_fit(key, value)) {
            warnings.push(fields.warning(Code::FieldForm, key).about(key));
        }
    }
}

fn required_text(fields: &Fields, key: &str) -> Result<String, String> {
    let Some(value) = fields.values.get(key) else {
        return Err(mistake::missing(key, &fields.lines));
    };
    let fault = match scalar(value) {
        _ if value.is_null() => "is empty",
        None => "must be a text",
        Some(text) if text.trim().is_empty() => "is empty",
        Some(text) if text.contains('\0') => "contains a NUL character",
        Some(text) => return Ok(text),
    };
    let fault = format!("`{key}` {fault}");
    Err(yaml::at_line(fields.line(key), &fault))
}

/// Returns a scalar as text, because YAML reads values such as `version: 1.0` as numbers.
pub(crate) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests;
