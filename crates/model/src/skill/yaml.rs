//! The YAML of a frontmatter.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use serde_saphyr::Error;

use super::Fields;
use crate::limits::cut;
use crate::warning::{Code, Warning, line_of};

/// Deepest nesting and most nodes of a frontmatter; honest ones have a handful.
const DEPTH_MAX: usize = 16;
const NODES_MAX: usize = 2_000;
const ALIASES_MAX: usize = 100;

/// The lines of a file before its frontmatter's first.
const LINES_BEFORE: u64 = 1;

/// Reads the text between the `---` lines. Where it is no YAML because a value holds a bare `: `, or begins
/// with a character that no plain one may, it is read as if that was quoted.
pub(super) fn read(yaml: &str) -> Result<Fields, String> {
    if let Some(refusal) = control_character(yaml) {
        return Err(refusal);
    }
    match attempt(yaml) {
        Ok(fields) => Ok(fields),
        Err(Fault::Final(refusal)) => Err(refusal),
        Err(Fault::Syntax(refusal)) => {
            let (quoted, warnings) = quoted(yaml);
            if warnings.is_empty() {
                return Err(refusal);
            }
            let mut fields = attempt(&quoted).map_err(|_| refusal)?;
            fields.warnings.extend(warnings);
            fields.lines = lines_of_keys(yaml);
            Ok(fields)
        }
    }
}

/// Why a frontmatter was not read.
enum Fault {
    /// It is no YAML, which quoting may mend.
    Syntax(String),
    /// It is YAML that says nothing useful.
    Final(String),
}

/// The two texts as they are written: the specification's frontmatter knows texts only, so a skill
/// of the name `y` or `007` has that name.
#[derive(serde::Deserialize)]
struct Written {
    name: Option<String>,
    description: Option<String>,
}

fn attempt(yaml: &str) -> Result<Fields, Fault> {
    let mut fields = Fields {
        lines: lines_of_keys(yaml),
        ..Fields::default()
    };
    let mut parsed = parse_as::<Value>(yaml, serde_saphyr::options::DuplicateKeyPolicy::Error);
    if let Err(Error::DuplicateMappingKey { key, location }) = &parsed {
        let key = key.as_deref().unwrap_or_default();
        let first = (key.to_owned(), location.line() + LINES_BEFORE);
        fields.warnings = stand_twice(&fields.lines, first);
        parsed = parse_as(yaml, serde_saphyr::options::DuplicateKeyPolicy::LastWins);
    }
    fields.values = match parsed {
        Ok(Value::Object(values)) => values,
        Ok(Value::Null) => {
            let reason = "the frontmatter is empty: a `description` is required";
            return Err(Fault::Final(reason.into()));
        }
        Ok(_) => {
            let reason = "the frontmatter must be a mapping of keys to values";
            return Err(Fault::Syntax(reason.into()));
        }
        Err(error) => return Err(fault(&error)),
    };
    take_as_written(yaml, &mut fields.values);
    Ok(fields)
}

/// The warnings of keys that stand twice: of the first that the reader met, wherever it stands, and of all in
/// the outermost mapping.
fn stand_twice(lines: &[(String, u64)], first: (String, u64)) -> Vec<Warning> {
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

fn take_as_written(yaml: &str, values: &mut Map<String, Value>) {
    let is_typed = |key: &str| matches!(values.get(key), Some(Value::Bool(_) | Value::Number(_)));
    if !is_typed("name") && !is_typed("description") {
        return;
    }
    let policy = serde_saphyr::options::DuplicateKeyPolicy::LastWins;
    if let Ok(written) = parse_as::<Written>(yaml, policy) {
        let texts = [("name", written.name), ("description", written.description)];
        for (key, text) in texts {
            if let Some(text) = text {
                values.insert(key.into(), text.into());
            }
        }
    }
}

fn parse_as<T: serde::de::DeserializeOwned>(
    yaml: &str,
    duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy,
) -> Result<T, Error> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEPTH_MAX,
            max_nodes: NODES_MAX,
            max_aliases: ALIASES_MAX,
        },
        duplicate_keys: duplicate_keys,
        // A snippet would put the file's text into an error that others may read.
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(yaml, options)
}

/// What the reader of YAML says, by some of its words, and what that means to the author of a skill.
const FAULTS: [(&str, &str); 11] = [
    ("tabs", "a tab stands where YAML wants spaces"),
    (
        "mapping values",
        "a `: ` stands where none can; quote the value, or mend the indentation",
    ),
    ("unclosed quote", "a quote is not closed"),
    ("unclosed bracket", "a bracket is not closed"),
    (
        "misplaced bracket",
        "a bracket is closed that was not opened",
    ),
    (
        "unexpected character",
        "a value begins with a character that must be quoted",
    ),
    (
        "unknown escape",
        "a backslash in double quotes begins nothing that YAML knows",
    ),
    ("unknown anchor", "an alias (`*name`) names nothing"),
    (
        "sequence entries",
        "a list begins where none can; quote the value, or put the list on lines of its own",
    ),
    ("key", "a key with a `:` behind it is expected"),
    (
        "multiple YAML documents",
        "the frontmatter goes on behind its end",
    ),
];

/// What is said of any other fault. Nearly always it is a value that is not quoted as a whole.
const UNKNOWN_FAULT: &str = "this is no valid YAML; write the value in one pair of double quotes, with a backslash before each double quote in it";

/// The first control character that YAML does not know (YAML 1.2, section 5.1), by its line.
fn control_character(yaml: &str) -> Option<String> {
    let is_unknown = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}');
    let at = yaml.find(is_unknown)?;
    let line = line_of(yaml, at) + LINES_BEFORE;
    let code = u32::from(yaml[at..].chars().next()?);
    Some(format!(
        "line {line}: a control character (U+{code:04X}) stands here, which YAML does not allow; take it out"
    ))
}

/// What is wrong with a YAML, in words for the author of a skill.
fn fault(error: &Error) -> Fault {
    let location = error.location();
    let place = location.map(|location| format!("line {}: ", location.line() + LINES_BEFORE));
    let place = place.unwrap_or_default();
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
        let reason = "the frontmatter is nested too deeply or too long";
        return Fault::Final(format!("{place}{reason}"));
    }
    let known = FAULTS.iter().find(|(words, _)| said.contains(words));
    let reason = known.map_or(UNKNOWN_FAULT, |(_, reason)| reason);
    Fault::Syntax(format!("{place}{reason}"))
}

/// Where the keys of the outermost mapping stand.
fn lines_of_keys(yaml: &str) -> Vec<(String, u64)> {
    let lines = yaml.lines().zip(1..);
    let keys = lines.filter_map(|(line, number)| {
        let (key, _) = line.split_once(':')?;
        let is_key = !key.is_empty() && !key.starts_with([' ', '\t', '#', '-']);
        is_key.then(|| (cut(key.trim_end(), 100).to_owned(), number + LINES_BEFORE))
    });
    keys.collect()
}

/// The YAML with every value quoted that must be and is not, and a warning for each.
fn quoted(yaml: &str) -> (String, Vec<Warning>) {
    let mut quoted = String::with_capacity(yaml.len() + 16);
    let mut warnings = Vec::new();
    let mut lines = yaml.lines().zip(1..).peekable();
    // Lines that are further in than this belong to a block of text.
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
        // A plain value goes on in the lines that are further in, unless these are keys of their own.
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

/// The key, with what stands before it, and the value of a line, if that is plain or should not be.
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
