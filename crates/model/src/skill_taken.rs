//! Which skills the tools take, each of which reads a frontmatter in its own way.

use serde_json::Value;

use crate::claude_code::is_skill_hidden;
use crate::limits::SKILL_NAME_CHARS_MAX;
use crate::profile::Profile;
use crate::skill::{Dialect, Fields, Unread, fields_repaired, repair, scalar};
use crate::warning::Code;

/// Whether a tool lists a skill to its model if nothing but the `SKILL.md` decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    Listed,
    /// The frontmatter keeps the skill out of the list.
    Hidden,
    /// The tool cannot read the skill. Says why, as a message for its author.
    PassedOver(&'static str),
    /// ctxpin does not know the tool's rule.
    Unknown,
}

impl Profile {
    /// Returns whether the tool lists a skill with these bytes of its `SKILL.md`.
    pub fn takes_skill(self, skill_md: &[u8]) -> Taken {
        match self {
            Self::Neutral => Taken::Unknown,
            Self::ClaudeCode if is_skill_hidden(skill_md) => Taken::Hidden,
            // It takes any text for a skill.
            Self::ClaudeCode => Taken::Listed,
            Self::Codex => by_codex(skill_md),
            Self::Opencode => by_opencode(skill_md),
        }
    }
}

fn by_codex(skill_md: &[u8]) -> Taken {
    let Ok(text) = str::from_utf8(skill_md) else {
        return Taken::PassedOver("Codex passes over a skill that is not UTF-8");
    };
    let fields = match read(text, Dialect::Codex, repair::by_codex) {
        Ok((fields, _)) => fields,
        Err(taken) => return taken,
    };
    let is_twice = |key: &str| {
        fields
            .lines
            .iter()
            .filter(|(known, _)| known == key)
            .count()
            > 1
    };
    if is_twice("name") || is_twice("description") {
        return Taken::PassedOver(
            "Codex passes over a skill whose `name` or `description` stands twice",
        );
    }
    let name = fields.values.get("name").and_then(scalar);
    if name.is_some_and(|name| name.trim().chars().count() > SKILL_NAME_CHARS_MAX) {
        return Taken::PassedOver(
            "Codex passes over a skill whose name has more than 64 characters",
        );
    }
    let is_fit = match fields.values.get("metadata") {
        None | Some(Value::Null) => true,
        Some(Value::Object(metadata)) => metadata
            .get("short-description")
            .is_none_or(|short| short.is_null() || scalar(short).is_some()),
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => false,
    };
    if !is_fit {
        return Taken::PassedOver(
            "Codex passes over a skill whose `metadata` is no mapping, or whose `short-description` in it is no text",
        );
    }
    let description = fields.values.get("description").and_then(scalar);
    match description.is_some_and(|description| !description.trim().is_empty()) {
        true => Taken::Listed,
        false => Taken::PassedOver("Codex passes over a skill without a description"),
    }
}

fn by_opencode(skill_md: &[u8]) -> Taken {
    let text = String::from_utf8_lossy(skill_md);
    let (fields, yaml) = match read(&text, Dialect::Opencode, repair::by_opencode) {
        Ok(read) => read,
        Err(Taken::PassedOver(_)) if may_be_valid(&text) => return Taken::Unknown,
        Err(taken) => return taken,
    };
    if fields
        .warnings
        .iter()
        .any(|warning| warning.code == Code::FieldTwice)
    {
        return Taken::PassedOver(
            "opencode passes over a skill with a key twice in its frontmatter",
        );
    }
    for key in ["name", "description"] {
        let is_text = fields.values.get(key).and_then(scalar).is_some();
        if !is_text || written(&yaml, key).is_some_and(is_no_text) {
            return Taken::PassedOver(
                "opencode passes over a skill whose `name` or `description` is missing, or no text without quotes",
            );
        }
    }
    Taken::Listed
}

/// Returns whether JavaScript's parser of YAML may take a frontmatter that is not valid: it allows tabs, text behind a
/// quote, and a line that begins with `---`.
fn may_be_valid(text: &str) -> bool {
    let mut lines = text.lines().skip(1);
    lines.any(|line| {
        let value = line.split_once(':').map_or("", |(_, value)| value.trim());
        let is_end = line.starts_with("---") && line.trim_end() != "---";
        is_end || line.contains('\t') || value.starts_with(['"', '\''])
    })
}

/// Reads a frontmatter, which the tool repairs in its own way if it is not valid YAML. Returns the text that was parsed too.
///
/// # Errors
///
/// Fails with what that means for a tool.
fn read(
    text: &str,
    dialect: Dialect,
    repaired: fn(&str) -> String,
) -> Result<(Fields, String), Taken> {
    let begins = text.lines().next().unwrap_or_default();
    if !begins.contains("---") {
        return Err(Taken::PassedOver(
            "the tool passes over a skill without a frontmatter",
        ));
    }
    fields_repaired(text, dialect, repaired).map_err(|unread| match unread {
        Unread::Invalid => Taken::PassedOver(
            "the tool passes over a skill whose frontmatter is not valid YAML and cannot be repaired",
        ),
        Unread::Unknown => Taken::Unknown,
    })
}

/// Returns the value of a key as a frontmatter writes it in the last line that begins with the key, without a comment.
fn written<'t>(yaml: &'t str, key: &str) -> Option<&'t str> {
    let mut values = yaml
        .lines()
        .filter_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    let value = values.next_back()?;
    let value = value.split_once(" #").map_or(value, |(value, _)| value);
    Some(value.trim())
}

/// Returns whether a value that is written without quotes is a number, a truth value or a date to JavaScript's parser of
/// YAML, or has a tag that it does not know.
fn is_no_text(value: &str) -> bool {
    let is_word = ["true", "false", "null"].into_iter().any(|word| {
        let title = format!("{}{}", word[..1].to_uppercase(), &word[1..]);
        [word, &title, &word.to_uppercase()].contains(&value)
    });
    let digits = value.replace('_', "").to_lowercase();
    let digits = digits.trim_start_matches(['+', '-']);
    let is_of = |mark: &str, fits: fn(char) -> bool| {
        let digits = digits.strip_prefix(mark);
        digits.is_some_and(|digits| !digits.is_empty() && digits.chars().all(fits))
    };
    let is_number = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.ends_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.parse::<f64>().is_ok();
    let is_hexadecimal =
        is_of("0x", |c| c.is_ascii_hexdigit()) || is_of("0b", |c| "01".contains(c));
    let date = value.as_bytes().first_chunk::<10>();
    let is_date = date.is_some_and(|date| {
        let mut signs = date.iter().enumerate();
        signs.all(|(at, sign)| match at {
            4 | 7 => *sign == b'-',
            _ => sign.is_ascii_digit(),
        })
    });
    let is_date = is_date && !value[10..].starts_with(|c: char| !matches!(c, 'T' | 't' | ' '));
    let has_tag = value.starts_with('!') && !value.starts_with("!!str");
    is_word || value == "~" || is_number || is_hexadecimal || is_date || has_tag
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks which of Codex and opencode list a skill: `co`, `c`, `o` or nothing. A `?` stands for one of which it is not
    /// known.
    fn check(skill_md: impl AsRef<[u8]>, expected: &str) {
        let skill_md = skill_md.as_ref();
        let shown =
            [(Profile::Codex, "c"), (Profile::Opencode, "o")].map(
                |(profile, letter)| match profile.takes_skill(skill_md) {
                    Taken::Listed => letter,
                    Taken::PassedOver(_) | Taken::Hidden => "",
                    Taken::Unknown => "?",
                },
            );
        let text = String::from_utf8_lossy(skill_md);
        assert_eq!(shown.concat(), expected, "{text}");
        assert_ne!(Profile::ClaudeCode.takes_skill(skill_md), Taken::Unknown);
    }

    #[test]
    fn each_tool_takes_skills_of_its_own() {
        // Each was seen in the requests of Codex 0.171.0 and opencode 1.18.33.
        let whole = |frontmatter: &str| format!("---\n{frontmatter}\n---\nBody\n");
        for (frontmatter, expected) in [
            ("name: a\ndescription: D", "co"),
            ("name: a b\ndescription: D", "co"),
            ("name: a\ndescription: a: b", "co"),
            ("name: a\ndescription: >-\n  one\n  two", "co"),
            ("name: &a b\ndescription: *a", "co"),
            ("name: 12\ndescription: D", "c"),
            ("name: 007\ndescription: D", "c"),
            ("name: true\ndescription: D", "c"),
            ("name: a\ndescription: 34", "c"),
            ("name: a\ndescription: 123456789012345678901234567890", "c"),
            ("name: a\ndescription: 2020-01-01", "c"),
            ("name: a\ndescription: \"34\"", "co"),
            ("name: a\ndescription: 34 x", "co"),
            ("name: a\ndescription: @foo bar", "c"),
            ("name: a\ndescription: !foo D", "c"),
            ("description: D", "c"),
            ("name:\ndescription: D", "c"),
            ("name: a\ndescription: \"\"", "o"),
            ("name: a\ndescription: \"  \"", "o"),
            ("name: a", ""),
            ("name: a\ndescription:", ""),
            ("name: a\ndescription: [a, b]", ""),
            ("name: a\ndescription: D\nlicense: a\nlicense: b", "c"),
            ("name: a\ndescription: D\nmetadata:\n  a: 1\n  a: 2", "c"),
            ("name: a\nname: a\ndescription: D", ""),
            ("name: a\ndescription: D\ndescription: E", ""),
            ("name: a\ndescription: D\nmetadata: 7", "o"),
            (
                "name: a\ndescription: D\nmetadata:\n  short-description: [a]",
                "o",
            ),
            ("name: a\ndescription: \"a\\0b\"", "co"),
            ("name: \"\"\ndescription: D", "co"),
            ("name: a\ndescription: \"x", "?"),
            ("name: a\ndescription: D\nfoo: {a: [1,", "co"),
            ("name: a\ndescription: D\nfoo: [1", "c"),
            ("name: a\ndescription: [tag] rest", "c"),
            ("name: a\ndescription: *bold* text", ""),
            ("name: a\ndescription: **bold**: text", "co"),
            ("name: a\ndescription: %x", ""),
            ("name: a\ndescription: `x`", "c"),
            ("name: a\ndescription: `x`: y", "co"),
            ("name: a\ndescription: ! x: y", "co"),
            ("name: a\ndescription: | x", ""),
            ("name: a\ndescription: > x: y", "o"),
            ("name: a\ndescription: - x", ""),
            ("name: a\ndescription: - x: y", "co"),
            ("name: a\ndescription: , x", ""),
            ("name: a\ndescription: a: b\nfoo: \"x", "?"),
            ("name: a\ndescription: D\nfoo-bar: a: b", "c"),
            ("name: a\ndescription: D\nfoo: @x", "c"),
            ("name: a\ndescription: D\nmetadata:\n  k: a: b", "c"),
            ("name: a\ndescription: D\nlist:\n  - foo: x: y", "c"),
            ("name: a\ndescription: a: b\n  continued", "o"),
            ("name: a\ndescription: a\n  continued: b", ""),
            ("name: a\ndescription: D\njust words", ""),
            ("name: a\ndescription: a: b # c", "co"),
            ("name: a: b\ndescription: D", "co"),
            ("name: a\nb: &b\n  description: D\n<<: *b", "o"),
            ("name: a\n<<: {description: D}", "o"),
            ("name: a\ndescription: D\n<<: 7", "c"),
            ("name: a\ndescription: ends:", "o"),
            ("name: a\ndescription: [a, b]\nfoo: x: y", ""),
            ("name: a\ndescription: {a: b}\nfoo: x: y", "co"),
            ("name: a\ndescription: x: y\nmetadata: 7", "o"),
            (
                "name: a\ndescription: D\nmetadata: {short-description: [a]}\nfoo: x: y",
                "o",
            ),
            ("name: a\ndescription: >-\n  text\n  k: [v\nfoo: x: y", "co"),
            ("name: a\ndescription: D\nfoo: 'x': y", "?"),
            ("name: a\ndescription: #x: y", ""),
            ("name: a\ndescription: a: b\ndescription: c", ""),
            ("name: a\ndescription: a: b\nlicense: x\nlicense: y", "c"),
            ("name: a\n\tdescription: D", "?"),
            ("name: a\ndescription: D\n--- x", "?"),
        ] {
            check(whole(frontmatter), expected);
        }
        check(
            whole(&format!("name: {}\ndescription: D", "n".repeat(65))),
            "o",
        );
        check(
            whole(&format!("name: {}\ndescription: D", "n".repeat(64))),
            "co",
        );
        check("---\nname: a\ndescription: D\n", "??");
        check("# Title\n", "");
        check("", "");
        check(b"---\nname: a\ndescription: a\xffb\n---\n", "o");
    }

    #[test]
    fn a_value_without_quotes_may_be_no_text() {
        for value in [
            "1_000",
            "-1.5",
            "1e5",
            "0x1F",
            "0b1",
            "TRUE",
            "~",
            "2020-01-01 10:00:00",
            ".5",
            "!x y",
        ] {
            assert!(is_no_text(value), "{value}");
        }
        for value in [
            "yes",
            "v1",
            "1.2.3",
            "e5",
            "2020-01-01x",
            "inf",
            "0xg",
            "tRue",
            "'1'",
            "1 2",
            "!!str 1",
        ] {
            assert!(!is_no_text(value), "{value}");
        }
    }
}
