//! How tools repair a frontmatter that is not valid YAML. They parse it as it is first, and then once more as it is here.

use super::yaml;

/// The characters that begin a value which Codex quotes if it is not valid alone.
const QUOTED_BY_CODEX: [char; 4] = ['[', '{', '@', '`'];

/// The characters that YAML reserves, as Claude Code sees it.
const RESERVED: [char; 13] = [
    '{', '}', '[', ']', '*', '&', '#', '!', '|', '>', '%', '@', '`',
];

/// Returns a frontmatter as Codex repairs it: it quotes values of one line with a colon before a blank, and those with an
/// open bracket or a reserved character at their beginning, at any depth.
pub(crate) fn by_codex(yaml: &str) -> String {
    // The indentation of the key of a block scalar, whose text is deeper.
    let mut block: Option<usize> = None;
    let lines = yaml.lines().map(|line| {
        let indent = line.len() - line.trim_start().len();
        if block.is_some_and(|block| indent > block || line.trim().is_empty()) {
            return format!("{line}\n");
        }
        block = None;
        let pair = key_and_value(line).filter(|_| !line.trim_start().starts_with('#'));
        let Some((key, value)) = pair else {
            return format!("{line}\n");
        };
        if value.starts_with(['|', '>']) {
            block = Some(indent);
        }
        match is_quoted_by_codex(value) {
            true => format!("{key}: '{}'\n", value.replace('\'', "''")),
            false => format!("{line}\n"),
        }
    });
    lines.collect()
}

/// Splits a line at its first colon before a blank. The value is without a comment.
fn key_and_value(line: &str) -> Option<(&str, &str)> {
    let at = colon(line)?;
    let value = line[at + 1..].trim();
    let comment = value.find(" #").unwrap_or(value.len());
    Some((&line[..at], value[..comment].trim_end()))
}

/// Returns where a text has a colon before a blank.
fn colon(text: &str) -> Option<usize> {
    let mut colons = text.match_indices(':').map(|(at, _)| at);
    colons.find(|at| text[at + 1..].starts_with([' ', '\t']))
}

fn is_quoted_by_codex(value: &str) -> bool {
    let is_other = value.starts_with(['"', '\'', '|', '>', '#']);
    let is_open = value.starts_with(QUOTED_BY_CODEX) && !yaml::is_valid(value);
    !is_other && (colon(value).is_some() || is_open)
}

/// Returns a frontmatter as Claude Code repairs it: of keys of letters alone, it quotes values of one line with a colon before a
/// blank or a reserved character anywhere, but no texts in quotes and no lists. A line with CRLF stays as it is.
pub(crate) fn by_claude_code(yaml: &str) -> String {
    let lines = yaml.split('\n');
    let lines: Vec<_> = lines
        .map(|line| quoted_by_claude_code(line).unwrap_or_else(|| line.to_owned()))
        .collect();
    lines.join("\n")
}

fn quoted_by_claude_code(line: &str) -> Option<String> {
    let (key, value) = line.split_once(':')?;
    let is_key = !key.is_empty()
        && key
            .chars()
            .all(|c| c.is_ascii_alphabetic() || "_-".contains(c));
    let text = value.trim_start_matches(is_blank);
    if !is_key || text.is_empty() || text.len() == value.len() || text.contains('\r') {
        return None;
    }
    let is_within = |open: char, close: char| text.starts_with(open) && text.ends_with(close);
    let is_list = is_within('[', ']') && yaml::is_list(text);
    if is_within('"', '"') || is_within('\'', '\'') || is_list {
        return None;
    }
    let is_reserved = text.contains(": ") || text.contains(RESERVED);
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    is_reserved.then(|| format!("{key}: \"{escaped}\""))
}

/// Returns whether a character is white space in JavaScript.
pub(crate) fn is_blank(c: char) -> bool {
    c == '\u{feff}' || c.is_whitespace() && c != '\u{85}'
}

/// Returns a frontmatter as opencode repairs it: of the outermost keys without a hyphen, it makes each value with a colon a
/// block.
pub(crate) fn by_opencode(yaml: &str) -> String {
    let lines = yaml.lines().map(|line| {
        let pair = line
            .split_once(':')
            .map(|(key, value)| (key.trim_end(), value.trim()));
        let block = pair.filter(|(key, value)| {
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let is_key = key.starts_with(|c: char| is_name(c) && !c.is_ascii_digit());
            let is_block = matches!(*value, ">" | "|");
            let is_plain = !is_block && !value.starts_with(['"', '\'']);
            is_key && key.chars().all(is_name) && is_plain && value.contains(':')
        });
        match block {
            Some((key, value)) => format!("{key}: |-\n  {value}\n"),
            None => format!("{line}\n"),
        }
    });
    lines.collect()
}
