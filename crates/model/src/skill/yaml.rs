//! Parses the YAML of a frontmatter, within limits, and translates its errors for authors of skills.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use serde_saphyr::Error;

use super::merge::Merged;
use super::{Dialect, Fields, mistake};
use crate::limits::cut;
use crate::warning::{Code, Warning, line_of};

const DEPTH_MAX: usize = 16;
const NODES_MAX: usize = 2_000;
const ALIASES_MAX: usize = 100;

/// The number of lines before the frontmatter's first, which is the opening `---`.
const LINES_BEFORE: u64 = 1;

/// Parses the text between the `---` lines. If that fails because a plain value contains `: `, or
/// begins with a character that YAML reserves, it parses the text with such values quoted.
pub(super) fn read(yaml: &str, dialect: Dialect) -> Result<Fields, String> {
    if let Some(refusal) = control_character(yaml) {
        return Err(refusal);
    }
    match parse(yaml, dialect) {
        Ok(fields) => Ok(fields),
        Err(Fault::Final(refusal)) => Err(refusal),
        Err(Fault::Syntax { line, reason }) => {
            let (quoted, warnings) = quoted(yaml);
            if warnings.is_empty() {
                return Err(refusal(yaml, line, reason));
            }
            // What is wrong besides the quotes, which ctxpin adds by itself.
            let mut fields = parse(&quoted, dialect).map_err(|fault| match fault {
                Fault::Final(refusal) => refusal,
                Fault::Syntax { line, reason } => refusal(yaml, line, reason),
            })?;
            fields.warnings.extend(warnings);
            fields.lines = lines_of_keys(yaml);
            Ok(fields)
        }
    }
}

/// Parses the text between the `---` lines as it is or, if it is not valid YAML, as `repaired` returns it. Returns the text
/// that was parsed too.
pub(super) fn read_repaired(
    yaml: &str,
    dialect: Dialect,
    repaired: impl Fn(&str) -> String,
) -> Result<(Fields, String), Fault> {
    if let Some(refusal) = control_character(yaml) {
        return Err(Fault::Final(refusal));
    }
    match parse(yaml, dialect) {
        Ok(fields) => Ok((fields, yaml.to_owned())),
        Err(Fault::Final(refusal)) => Err(Fault::Final(refusal)),
        Err(Fault::Syntax { .. }) => {
            let repaired = repaired(yaml);
            Ok((parse(&repaired, dialect)?, repaired))
        }
    }
}

/// Returns whether a text is valid YAML.
pub(super) fn is_valid(text: &str) -> bool {
    parse_as::<Value>(text, serde_saphyr::options::DuplicateKeyPolicy::LastWins).is_ok()
}

/// Returns whether a text is a list in YAML.
pub(super) fn is_list(text: &str) -> bool {
    parse_as::<Vec<Value>>(text, serde_saphyr::options::DuplicateKeyPolicy::LastWins).is_ok()
}

/// The reason why a frontmatter cannot be parsed, as a message for its author.
pub(super) enum Fault {
    /// Quoting values may help. The line in the file is known if the parser names one.
    Syntax {
        line: Option<u64>,
        reason: &'static str,
    },
    /// Quoting values does not help.
    Final(String),
}

/// The two fields as they are written. The specification's frontmatter has strings only, so a skill
/// with `name: y` or `name: 007` has that name.
#[derive(serde::Deserialize)]
struct Written {
    name: Option<String>,
    description: Option<String>,
}

fn parse(yaml: &str, dialect: Dialect) -> Result<Fields, Fault> {
    let mut fields = Fields {
        lines: lines_of_keys(yaml),
        ..Fields::default()
    };
    let parse_as = |duplicate_keys| {
        let mut options = options(duplicate_keys);
        if dialect == Dialect::Codex {
            options.merge_keys = serde_saphyr::options::MergeKeyPolicy::AsOrdinary;
        }
        serde_saphyr::from_str_with_options::<Value>(yaml, options)
    };
    let mut parsed = parse_as(serde_saphyr::options::DuplicateKeyPolicy::Error);
    if let Err(Error::DuplicateMappingKey { key, location }) = &parsed {
        let key = key.as_deref().unwrap_or_default();
        let first = (key.to_owned(), location.line() + LINES_BEFORE);
        fields.warnings = duplicates(&fields.lines, first);
        parsed = parse_as(serde_saphyr::options::DuplicateKeyPolicy::LastWins);
    }
    if dialect == Dialect::ClaudeCode {
        parsed = merged(yaml);
    }
    fields.values = match parsed {
        Ok(Value::Object(values)) => values,
        Ok(Value::Null) => {
            let reason = "the frontmatter is empty: a `description` is required";
            return Err(Fault::Final(reason.into()));
        }
        Ok(_) => {
            let reason = "the frontmatter must be a mapping of keys to values";
            return Err(Fault::Syntax { line: None, reason });
        }
        Err(error) => return Err(fault(&error)),
    };
    keep_as_written(yaml, &mut fields.values);
    Ok(fields)
}

/// Reads a text as Claude Code does, which merges more than the parser.
fn merged(yaml: &str) -> Result<Value, Error> {
    let mut options = options(serde_saphyr::options::DuplicateKeyPolicy::PassThrough);
    options.merge_keys = serde_saphyr::options::MergeKeyPolicy::AsOrdinary;
    let merged: Result<Merged, Error> = serde_saphyr::from_str_with_options(yaml, options);
    merged.map(|Merged(value)| value)
}

/// Returns a warning for each duplicate key of the outermost mapping, and one for `first`, the first
/// duplicate that the parser found at any depth.
fn duplicates(lines: &[(String, u64)], first: (String, u64)) -> Vec<Warning> {
    let mut known = BTreeSet::new();
    let twice = lines.iter().filter(|(key, _)| !known.insert(key));
    let mut twice: Vec<_> = twice.cloned().collect();
    if !twice.iter().any(|(_, line)| *line == first.1) {
        twice.push(first);
    }
    let warnings = twice.iter().map(|(key, line)| {
        let warning = Warning::new(Code::FieldTwice).at_line(*line);
        warning.about(key)
    });
    warnings.collect()
}

fn keep_as_written(yaml: &str, values: &mut Map<String, Value>) {
    let is_typed = |key: &str| matches!(values.get(key), Some(Value::Bool(_) | Value::Number(_)));
    if !is_typed("name") && !is_typed("description") {
        return;
    }
    let policy = serde_saphyr::options::DuplicateKeyPolicy::LastWins;
    if let Ok(written) = parse_as::<Written>(yaml, policy) {
        let texts = [("name", written.name), ("description", written.description)];
        for (key, text) in texts {
            // A merge key may have given it, which not every tool follows.
            if let (Some(text), Some(value)) = (text, values.get_mut(key)) {
                *value = text.into();
            }
        }
    }
}

/// Reads a type. Of two values of one key, the last counts.
pub(super) fn last_of_each<T: serde::de::DeserializeOwned>(yaml: &str) -> Result<T, Error> {
    parse_as(yaml, serde_saphyr::options::DuplicateKeyPolicy::LastWins)
}

/// Reads a type whose known keys occur once and of which no merge key gives any, and whose truth values are those of YAML
/// 1.2.
pub(super) fn strictly<T: serde::de::DeserializeOwned>(yaml: &str) -> Result<T, Error> {
    let mut options = options(serde_saphyr::options::DuplicateKeyPolicy::PassThrough);
    options.strict_booleans = true;
    options.merge_keys = serde_saphyr::options::MergeKeyPolicy::AsOrdinary;
    serde_saphyr::from_str_with_options(yaml, options)
}

fn parse_as<T: serde::de::DeserializeOwned>(
    yaml: &str,
    duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy,
) -> Result<T, Error> {
    serde_saphyr::from_str_with_options(yaml, options(duplicate_keys))
}

fn options(duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy) -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEPTH_MAX,
            max_nodes: NODES_MAX,
            max_aliases: ALIASES_MAX,
        },
        duplicate_keys: duplicate_keys,
        // A snippet would copy text of the file into an error that other users may read.
        with_snippet: false,
    }
}

/// Words of the YAML parser's messages, each with the message for the author of a skill.
const FAULTS: [(&str, &str); 11] = [
    ("tabs", "YAML does not allow a tab here; use spaces"),
    (
        "mapping values",
        "YAML does not allow `: ` here; quote the value, or correct the indentation",
    ),
    ("unclosed quote", "a quote is not closed"),
    ("unclosed bracket", "a bracket is not closed"),
    (
        "misplaced bracket",
        "a bracket is closed but was never opened",
    ),
    (
        "unexpected character",
        "a value begins with a character that must be quoted",
    ),
    (
        "unknown escape",
        "YAML does not know this backslash sequence; write `\\\\` for a backslash in double quotes",
    ),
    (
        "unknown anchor",
        "a value that begins with `*` must be quoted",
    ),
    (
        "sequence entries",
        "a list cannot begin here; quote the value, or begin the list on the next line",
    ),
    ("key", "YAML expects a key followed by `:`"),
    (
        "multiple YAML documents",
        "the frontmatter continues after the end of its YAML document",
    ),
];

/// The message for every other error. Nearly always, only a part of the value is quoted.
const UNKNOWN_FAULT: &str = "this is not valid YAML; write the value in one pair of double quotes, with a backslash before each double quote in it";

/// Returns a message about the first control character that YAML forbids (YAML 1.2, section 5.1).
fn control_character(yaml: &str) -> Option<String> {
    let is_unknown = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}');
    let at = yaml.find(is_unknown)?;
    let line = line_of(yaml, at) + LINES_BEFORE;
    let code = u32::from(yaml[at..].chars().next()?);
    Some(format!(
        "line {line}: YAML does not allow the control character U+{code:04X}; remove it"
    ))
}

/// Translates an error of the YAML parser for the author of a skill.
fn fault(error: &Error) -> Fault {
    let location = error.location();
    let line = location.map(|location| location.line() + LINES_BEFORE);
    let mut cause = error;
    if let Error::AliasError { error: aliased, .. } = error {
        cause = aliased;
    }
    let said = cause.to_string();
    let is_excess = matches!(
        cause,
        Error::Budget { .. }
            | Error::AliasReplayLimitExceeded { .. }
            | Error::AliasExpansionLimitExceeded { .. }
            | Error::AliasReplayStackDepthExceeded { .. }
            | Error::AliasReplayCounterOverflow { .. }
    );
    if is_excess || said.contains("limit exceeded") {
        return Fault::Final(at_line(
            line,
            "the frontmatter is nested too deeply or too long",
        ));
    }
    let known = FAULTS.iter().find(|(words, _)| said.contains(words));
    let reason = known.map_or(UNKNOWN_FAULT, |(_, reason)| reason);
    Fault::Syntax { line, reason }
}

/// Returns the message for the author: about the line at which the form of a mapping breaks, if it is not below the one
/// at which the parser failed.
fn refusal(yaml: &str, line: Option<u64>, reason: &str) -> String {
    let mistake = mistake::find(yaml).map(|(at, reason)| (at + LINES_BEFORE, reason));
    match mistake.filter(|(at, _)| line.is_none_or(|line| *at <= line)) {
        Some((at, reason)) => at_line(Some(at), &reason),
        None => at_line(line, reason),
    }
}

/// Returns a message for the author about a line of the file, if it is known.
pub(super) fn at_line(line: Option<u64>, reason: &str) -> String {
    match line {
        Some(line) => format!("line {line}: {reason}"),
        None => reason.to_owned(),
    }
}

/// Returns each key of the outermost mapping, with its line in the file.
fn lines_of_keys(yaml: &str) -> Vec<(String, u64)> {
    let lines = yaml.lines().zip(1..);
    let keys = lines.filter_map(|(line, number)| {
        let (key, _) = line.split_once(':')?;
        let is_key = !key.is_empty() && !key.starts_with([' ', '\t', '#', '-']);
        is_key.then(|| (cut(key.trim_end(), 100).to_owned(), number + LINES_BEFORE))
    });
    keys.collect()
}

/// Quotes every plain value that YAML does not accept without quotes. Returns the new text, and a
/// warning for each such value.
fn quoted(yaml: &str) -> (String, Vec<Warning>) {
    let mut quoted = String::with_capacity(yaml.len() + 16);
    let mut warnings = Vec::new();
    let mut lines = yaml.lines().zip(1..).peekable();
    // The indentation of the key of a block scalar; deeper lines are its text and stay as they are.
    let mut block: Option<usize> = None;
    while let Some((line, number)) = lines.next() {
        let indent = line.len() - line.trim_start_matches(' ').len();
        if block.is_some_and(|block| indent > block || line.trim().is_empty()) {
            quoted.push_str(line);
            quoted.push('\n');
            continue;
        }
        block = None;
        let Some((key, value)) = plain_value(line) else {
            if line
                .split_once(": ")
                .is_some_and(|(_, value)| value.starts_with(['|', '>']))
            {
                block = Some(indent);
            }
            quoted.push_str(line);
            quoted.push('\n');
            continue;
        };
        // A plain value continues on deeper lines, unless these have keys themselves.
        let mut whole = value.to_owned();
        let mut last = Vec::new();
        while let Some((next, _)) = lines.next_if(|(next, _)| {
            let is_further_in = next.len() - next.trim_start_matches(' ').len() > indent;
            is_further_in && plain_value(next).is_none()
        }) {
            whole.push(' ');
            whole.push_str(next.trim());
            last.push(next);
        }
        let is_bare =
            whole.contains(": ") || whole.ends_with(':') || whole.starts_with(['@', '`', '%']);
        if is_bare {
            let name = key.trim().trim_start_matches("- ");
            let line = number + LINES_BEFORE;
            warnings.push(Warning::new(Code::ValueUnquoted).at_line(line).about(name));
            let escaped = whole.replace('\\', "\\\\").replace('"', "\\\"");
            quoted.push_str(&format!("{key}: \"{escaped}\"\n"));
            // The lines below keep their numbers.
            last.iter().for_each(|_| quoted.push('\n'));
        } else {
            quoted.push_str(line);
            quoted.push('\n');
            for line in last {
                quoted.push_str(line);
                quoted.push('\n');
            }
        }
    }
    (quoted, warnings)
}

/// Splits a line into its key, with the indentation and any `- ` before it, and its value. `None` if
/// the line has no key, or if its value is empty or not a plain scalar.
fn plain_value(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(": ")?;
    let value = value.trim();
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name = key.trim_start_matches(' ').trim_start_matches("- ");
    let is_key = !name.is_empty() && name.chars().all(is_name);
    let is_plain = !value.is_empty()
        && !value.starts_with(['"', '\'', '|', '>', '[', '{', '&', '*', '!', '#']);
    (is_key && is_plain).then_some((key, value))
}
