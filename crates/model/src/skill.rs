//! A skill's `SKILL.md`, read by the Agent Skills specification (agentskills.io).

use serde_json::{Map, Value};

use crate::limits::{
    SKILL_COMPATIBILITY_CHARS_MAX, SKILL_DESCRIPTION_CHARS_MAX, SKILL_NAME_CHARS_MAX, cut,
};

/// The exact name of the file that makes a directory a skill.
pub const SKILL_FILE_NAME: &str = "SKILL.md";

/// Deepest nesting and most nodes of a frontmatter; honest ones have a handful.
const FRONTMATTER_DEPTH_MAX: usize = 16;
const FRONTMATTER_NODES_MAX: usize = 2_000;
const FRONTMATTER_ALIASES_MAX: usize = 100;

/// What a `SKILL.md` says, and every rule that it breaks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    /// The name, where there is a readable one, also if it breaks a rule.
    pub name: Option<String>,
    /// The description, where there is a readable one, also if it breaks a rule.
    pub description: Option<String>,
    /// Every breach, in sentences for the skill's author. Empty exactly if the skill is valid.
    pub breaches: Vec<String>,
}

/// Reads the bytes of a `SKILL.md` that lies in a directory of the name `directory`. Line ends may
/// be CRLF, and a byte order mark is tolerated.
pub fn read(skill_md: &[u8], directory: &str) -> Reading {
    let mut reading = Reading::default();
    let fields = match std::str::from_utf8(skill_md) {
        Ok(text) => frontmatter(text).and_then(|yaml| parse(&yaml)),
        Err(error) => Err(format!(
            "not UTF-8 (first bad byte at offset {})",
            error.valid_up_to()
        )),
    };
    match fields {
        Ok(fields) => judge(&fields, directory, &mut reading),
        Err(breach) => reading.breaches.push(breach),
    }
    reading
}

/// The directory that holds the skill whose `SKILL.md` has this path, as its last component.
pub fn directory_name(source: &str) -> Option<&str> {
    let directory = source.strip_suffix(SKILL_FILE_NAME)?.strip_suffix('/')?;
    directory.rsplit('/').next().filter(|name| !name.is_empty())
}

/// The text between the opening and the closing `---` line.
fn frontmatter(text: &str) -> Result<String, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.lines();
    if lines.next().is_none_or(|line| line.trim_end() != "---") {
        return Err("no frontmatter: the first line must be `---`".into());
    }
    let mut yaml = String::new();
    for line in lines {
        if line.trim_end() == "---" {
            return Ok(yaml);
        }
        yaml.push_str(line);
        yaml.push('\n');
    }
    Err("the frontmatter has no end: a line `---` must close it".into())
}

/// The two texts as they are written: the specification's frontmatter knows texts only, so a skill
/// of the name `y` or `007` has that name.
#[derive(serde::Deserialize)]
struct Written {
    name: Option<String>,
    description: Option<String>,
}

fn parse(yaml: &str) -> Result<Map<String, Value>, String> {
    let value: Value = parse_as(yaml).map_err(|error| {
        let text = error.to_string();
        let line = text.lines().next().unwrap_or_default();
        format!(
            "the frontmatter is not valid YAML ({}); a text that contains `: ` or begins with a special character must be quoted",
            cut(line, 300)
        )
    })?;
    let mut fields = match value {
        Value::Object(fields) => fields,
        Value::Null => {
            return Err("the frontmatter is empty: `name` and `description` are required".into());
        }
        _ => return Err("the frontmatter must be a mapping of keys to values".into()),
    };
    let is_typed = |key: &str| matches!(fields.get(key), Some(Value::Bool(_) | Value::Number(_)));
    if (is_typed("name") || is_typed("description"))
        && let Ok(written) = parse_as::<Written>(yaml)
    {
        let texts = [("name", written.name), ("description", written.description)];
        for (key, text) in texts {
            if let Some(text) = text {
                fields.insert(key.into(), text.into());
            }
        }
    }
    Ok(fields)
}

fn parse_as<T: serde::de::DeserializeOwned>(yaml: &str) -> Result<T, serde_saphyr::Error> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: FRONTMATTER_DEPTH_MAX,
            max_nodes: FRONTMATTER_NODES_MAX,
            max_aliases: FRONTMATTER_ALIASES_MAX,
        },
        // A snippet would put the file's text into an error that others may read.
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(yaml, options)
}

fn judge(fields: &Map<String, Value>, directory: &str, reading: &mut Reading) {
    let breaches = &mut reading.breaches;
    match required_text(fields, "name") {
        Ok(name) => {
            judge_name(&name, directory, breaches);
            reading.name = Some(name);
        }
        Err(breach) => breaches.push(breach),
    }
    match required_text(fields, "description") {
        Ok(description) => {
            let chars = description.chars().count();
            if chars > SKILL_DESCRIPTION_CHARS_MAX {
                breaches.push(format!(
                    "`description` has {chars} characters; at most {SKILL_DESCRIPTION_CHARS_MAX} are allowed"
                ));
            }
            reading.description = Some(description);
        }
        Err(breach) => breaches.push(breach),
    }
    judge_optional(fields, breaches);
}

fn judge_name(name: &str, directory: &str, breaches: &mut Vec<String>) {
    let chars = name.chars().count();
    if chars > SKILL_NAME_CHARS_MAX {
        breaches.push(format!(
            "`name` has {chars} characters; at most {SKILL_NAME_CHARS_MAX} are allowed"
        ));
    }
    let shown = cut(name, SKILL_NAME_CHARS_MAX);
    if !name
        .bytes()
        .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
    {
        breaches.push(format!(
            "`name` is `{shown}`; only lower-case letters a-z, digits and hyphens are allowed"
        ));
    }
    if name.starts_with('-') || name.ends_with('-') {
        breaches.push(format!(
            "`name` is `{shown}`; it must not begin or end with a hyphen"
        ));
    }
    if name.contains("--") {
        breaches.push(format!(
            "`name` is `{shown}`; it must not contain two hyphens in a row"
        ));
    }
    if name != directory {
        breaches.push(format!(
            "`name` is `{shown}`, but its directory is `{}`; they must be equal",
            cut(directory, 200)
        ));
    }
}

fn judge_optional(fields: &Map<String, Value>, breaches: &mut Vec<String>) {
    if let Some(value) = fields.get("compatibility") {
        match scalar(value).map(|text| text.chars().count()) {
            Some(1..=SKILL_COMPATIBILITY_CHARS_MAX) => {}
            Some(chars) => breaches.push(format!(
                "`compatibility` has {chars} characters; 1 to {SKILL_COMPATIBILITY_CHARS_MAX} are allowed"
            )),
            None => breaches.push("`compatibility` must be a text".into()),
        }
    }
    if let Some(value) = fields.get("metadata") {
        let is_text_map = |value: &Value| {
            let map = value.as_object();
            map.is_some_and(|map| map.values().all(|value| scalar(value).is_some()))
        };
        if !value.is_null() && !is_text_map(value) {
            breaches.push("`metadata` must be a mapping of texts to texts".into());
        }
    }
    if fields
        .get("license")
        .is_some_and(|value| !value.is_null() && scalar(value).is_none())
    {
        breaches.push("`license` must be a text".into());
    }
    if let Some(value) = fields.get("allowed-tools") {
        // The specification says a text of names with spaces between them; a list of names is
        // in wide use and means the same.
        let is_list = value
            .as_array()
            .is_some_and(|list| list.iter().all(|v| scalar(v).is_some()));
        if !value.is_null() && !is_list && scalar(value).is_none() {
            breaches
                .push("`allowed-tools` must be a text of names with spaces between them".into());
        }
    }
}

fn required_text(fields: &Map<String, Value>, key: &str) -> Result<String, String> {
    let Some(value) = fields.get(key) else {
        return Err(format!("`{key}` is missing"));
    };
    if value.is_null() {
        return Err(format!("`{key}` is empty"));
    }
    match scalar(value) {
        Some(text) if text.trim().is_empty() => Err(format!("`{key}` is empty")),
        Some(text) if text.contains('\0') => Err(format!("`{key}` contains a NUL character")),
        Some(text) => Ok(text),
        None => Err(format!("`{key}` must be a text")),
    }
}

/// A scalar as text, so that a `version: 1.0` is one.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let reading = read(text.as_bytes(), "pdf-tools");
        let found: Vec<_> = reading.breaches.iter().map(String::as_str).collect();
        assert_eq!(found.len(), expected.len(), "{text}\n{found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(
                found.contains(expected),
                "{text}\nfound: {found}\nexpected: {expected}"
            );
        }
    }

    #[test]
    fn a_valid_skill() {
        let reading = read(
            b"\xef\xbb\xbf---\r\nname: pdf-tools\r\ndescription: >-\r\n  Reads PDFs.\r\n  Use it for PDFs.\r\nlicense: MIT\r\nmetadata:\r\n  version: 1.0\r\nallowed-tools: Read Bash(git:*)\r\nuser-invocable: false\r\n---\r\n# Body\r\n",
            "pdf-tools",
        );
        assert_eq!(
            reading,
            Reading {
                name: Some("pdf-tools".into()),
                description: Some("Reads PDFs. Use it for PDFs.".into()),
                breaches: vec![],
            }
        );
    }

    #[test]
    fn every_breach_is_named() {
        check("", &["no frontmatter"]);
        check("# Title\n", &["no frontmatter"]);
        check("---\nname: pdf-tools\n", &["has no end"]);
        check("---\n---\n", &["is empty"]);
        check("---\n- a\n---\n", &["must be a mapping"]);
        check("---\nname: pdf-tools\n---\n", &["`description` is missing"]);
        check(
            "---\nname: pdf-tools\ndescription:\n---\n",
            &["`description` is empty"],
        );
        check(
            "---\nname: pdf-tools\ndescription: ' '\n---\n",
            &["`description` is empty"],
        );
        check(
            "---\nname: [a]\ndescription: d\n---\n",
            &["`name` must be a text"],
        );
        check("---\nname: pdf\ndescription: d\n---\n", &["must be equal"]);
        check(
            "---\nname: -PDF--x\ndescription: d\n---\n",
            &["lower-case", "begin or end", "two hyphens", "must be equal"],
        );
        check(
            &format!(
                "---\nname: pdf-tools\ndescription: {}\n---\n",
                "d".repeat(1025)
            ),
            &["1025 characters"],
        );
        check(
            &format!("---\nname: {}\ndescription: d\n---\n", "a".repeat(65)),
            &["65 characters", "must be equal"],
        );
        check(
            "---\nname: pdf-tools\ndescription: d\ncompatibility: ''\nmetadata: 3\nlicense: [MIT]\nallowed-tools: {}\n---\n",
            &[
                "`compatibility`",
                "`metadata`",
                "`license`",
                "`allowed-tools`",
            ],
        );
        check(
            "---\nname: pdf-tools\ndescription: use when: x\n---\n",
            &["must be quoted"],
        );
        check(
            "---\nname: pdf-tools\nname: pdf-tools\ndescription: d\n---\n",
            &["not valid YAML"],
        );
    }

    #[test]
    fn a_plain_text_is_one_even_if_it_looks_like_something_else() {
        for name in ["y", "007", "1e5", "true"] {
            let text = format!("---\nname: {name}\ndescription: no\n---\n");
            let expected = Reading {
                name: Some(name.into()),
                description: Some("no".into()),
                breaches: vec![],
            };
            assert_eq!(read(text.as_bytes(), name), expected);
        }
    }

    #[test]
    fn limits_count_characters() {
        check(
            &format!(
                "---\nname: pdf-tools\ndescription: {}\n---\n",
                "é".repeat(1024)
            ),
            &[],
        );
    }

    #[test]
    fn bombs_are_refused() {
        let mut bomb = String::from("---\na0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for i in 1..12 {
            let aliases = vec![format!("*a{}", i - 1); 9].join(", ");
            bomb.push_str(&format!("a{i}: &a{i} [{aliases}]\n"));
        }
        bomb.push_str("---\n");
        check(&bomb, &["not valid YAML"]);
        let deep = format!("---\na: {}{}\n---\n", "[".repeat(5000), "]".repeat(5000));
        check(&deep, &["not valid YAML"]);
        assert_eq!(read(b"---\nname: \xff\n---\n", "x").breaches.len(), 1);
    }

    #[test]
    fn a_source_names_its_directory() {
        assert_eq!(directory_name("/w/skills/pdf/SKILL.md"), Some("pdf"));
        assert_eq!(directory_name("/SKILL.md"), None);
        assert_eq!(directory_name("/w/skills/pdf/skill.md"), None);
    }
}
