//! Finds mistakes of authors that YAML takes for something else, so that its parser fails at a later line.

/// The keys of the Agent Skills specification, which a message may repeat. Other texts of a file stay in it.
const KEYS: [&str; 6] = [
    "name",
    "description",
    "license",
    "compatibility",
    "metadata",
    "allowed-tools",
];

/// A value that goes on below its line.
enum Open {
    /// The text of a `|` or `>`, which is further in than its key.
    Block,
    /// A value in quotes or brackets, until the character that closes it.
    Until { closing: char, line: u64 },
}

/// Returns the first line of a mapping, counted from 1, that breaks its form, with a message for the author.
pub(super) fn find(yaml: &str) -> Option<(u64, String)> {
    let mut open = None;
    for (text, line) in yaml.lines().zip(1..) {
        let is_further_in = text.starts_with([' ', '\t']);
        match open {
            Some(Open::Block) if is_further_in => continue,
            Some(Open::Until { closing, line }) if !is_further_in && begins_with_key(text) => {
                return Some((line, not_closed(closing)));
            }
            Some(Open::Until { closing, .. }) => {
                if is_closed(text, closing) {
                    open = None;
                }
                continue;
            }
            _ => open = None,
        }
        if is_further_in || text.is_empty() || text.starts_with('#') || text.starts_with("- ") {
            continue;
        }
        // A whole frontmatter in braces has a form of its own.
        if text.starts_with(['{', '[', '?', '&', '!', '%']) {
            return None;
        }
        match text.split_once(':') {
            None => return Some((line, no_colon(text))),
            Some((key, value)) if is_glued(key, value) => return Some((line, no_blank(key))),
            Some((_, value)) if has_comma(value.trim()) => {
                return Some((line, "remove the comma behind the value".to_owned()));
            }
            Some((_, value)) => open = opened(value.trim(), line),
        }
    }
    match open {
        Some(Open::Until { closing, line }) => Some((line, not_closed(closing))),
        _ => None,
    }
}

/// Returns a message about a required key that a mapping lacks, with the line that was meant to have it. `keys` are the
/// keys of the mapping with their lines in the file.
pub(super) fn missing(key: &str, keys: &[(String, u64)]) -> String {
    let meant = keys.iter().find_map(|(written, line)| {
        let rest = written.get(key.len()..)?;
        if !written[..key.len()].eq_ignore_ascii_case(key) {
            return None;
        }
        let cure = match rest.chars().next() {
            Some(' ') => no_colon(key),
            Some(_) => return None,
            None if written == key => no_blank(key),
            None => format!("write `{key}` in small letters"),
        };
        Some(format!("line {line}: {cure}"))
    });
    meant.unwrap_or_else(|| format!("`{key}` is missing"))
}

/// Returns how many lines at the beginning look like a part of a mapping.
pub(super) fn lines_of_mapping<'a>(lines: impl Iterator<Item = &'a str>) -> usize {
    let is_inner = |line: &str| line.starts_with([' ', '\t']) && !line.trim().is_empty();
    let is_part = |line: &&str| is_inner(line) || line.starts_with("- ") || begins_with_key(line);
    lines.take_while(is_part).count()
}

fn no_colon(text: &str) -> String {
    let word = text.split(' ').next().unwrap_or_default();
    if KEYS.contains(&word) {
        return format!("a colon is missing after `{word}`");
    }
    "a key and a colon must begin this line, as in `name: deploy`; indent the line if it belongs to the value above, \
     or close the frontmatter with a line `---` above it"
        .to_owned()
}

fn no_blank(key: &str) -> String {
    match KEYS.contains(&key) {
        true => format!("a blank is missing after the colon of `{key}`"),
        false => "a blank is missing after the colon".to_owned(),
    }
}

fn not_closed(closing: char) -> String {
    let what = match closing {
        '"' | '\'' => "quote",
        _ => "bracket",
    };
    format!("a {what} is not closed")
}

fn is_name(text: &str) -> bool {
    let is_fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !text.is_empty() && text.chars().all(is_fit)
}

fn begins_with_key(text: &str) -> bool {
    text.split_once(':')
        .is_some_and(|(key, value)| is_name(key) && (value.is_empty() || value.starts_with(' ')))
}

/// Returns whether a colon is part of a word, so that the line has no key. `value` is what follows the colon.
fn is_glued(key: &str, value: &str) -> bool {
    let is_apart = value.is_empty() || value.starts_with([' ', '\t', '/']);
    is_name(key) && !is_apart && !value.contains(": ") && !value.ends_with(':')
}

/// Returns whether a comma follows a value in quotes.
fn has_comma(value: &str) -> bool {
    let quoted = value.strip_suffix(',').map(str::trim_end);
    quoted.is_some_and(|quoted| {
        opened(quoted, 0).is_none()
            && quoted.starts_with(['"', '\''])
            && quoted.ends_with(['"', '\''])
    })
}

/// Returns how a value goes on below its line.
fn opened(value: &str, line: u64) -> Option<Open> {
    let mut characters = value.chars();
    let closing = match characters.next()? {
        '|' | '>' => return Some(Open::Block),
        '[' => ']',
        '{' => '}',
        quote @ ('"' | '\'') => quote,
        _ => return None,
    };
    (!is_closed(characters.as_str(), closing)).then_some(Open::Until { closing, line })
}

/// Returns whether a text has the character that closes a value. After a backslash, a double quote closes none.
fn is_closed(text: &str, closing: char) -> bool {
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' if closing == '"' => drop(characters.next()),
            found if found == closing => return true,
            _ => (),
        }
    }
    false
}
