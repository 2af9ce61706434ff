//! Edits of a tool's settings, a JSON text with comments: hooks are put between what is there, and taken out again.
//!
//! An edit only inserts. What was there keeps its bytes, its order and its comments, and an unchanged text becomes again
//! what it was, byte for byte.

use std::ops::Range;

use jsonc_parser::ast::{Array, Object, Value};
use jsonc_parser::common::Ranged as _;
use jsonc_parser::cst::{CstNode, CstRootNode};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What may stand before the text. Only Claude Code reads such a file.
pub const BYTE_ORDER_MARK: char = '\u{feff}';

/// The key of the hooks in the settings of Claude Code and Codex.
const HOOKS_KEY: &str = "hooks";

/// The settings cannot be edited.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    #[error("it is not JSON: {0}")]
    NotJson(String),
    #[error("it is not an object")]
    NoObject,
    #[error("`{0}` is not {1}")]
    OtherForm(String, &'static str),
    /// The tools read one of them, or nothing.
    #[error("`{0}` stands there more than once")]
    Repeated(String),
}

/// A part of a text that an edit inserted, in bytes of the edited text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inserted {
    at: usize,
    length: usize,
}

/// A text with what edits inserted into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    pub text: String,
    /// In the order of their places, without overlap.
    pub inserted: Vec<Inserted>,
}

/// A hook of a tool: a command that the tool runs at an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    pub event: String,
    pub command: String,
    /// The seconds that the tool gives it, if the settings say.
    pub seconds: Option<u64>,
    /// The numbers of its group among those of the event and of the hook in the group, from 0.
    pub place: (usize, usize),
}

/// Inserts a command at each of these events, after the hooks that are there. The tool gives it the `seconds` of the event.
///
/// # Errors
///
/// Fails if the text is not a JSON object, or its hooks have another form than the tools' documentation says.
pub fn insert(
    text: &str,
    events: &[&str],
    command: &str,
    seconds: impl Fn(&str) -> u64,
) -> Result<Edited, SettingsError> {
    let (mark, text) = without_mark(text);
    let mut edited = Edited {
        text: text.to_owned(),
        inserted: Vec::new(),
    };
    if text.trim().is_empty() {
        edited.insert(0, "{}\n");
    }
    for event in events {
        let hook =
            json!({"hooks": [{"type": "command", "command": command, "timeout": seconds(event)}]});
        let (at, added) = added(&edited.text, event, &hook)?;
        for (offset, added) in added {
            edited.insert(at + offset, &added);
        }
    }
    edited.text.insert_str(0, mark);
    for part in &mut edited.inserted {
        part.at += mark.len();
    }
    Ok(edited)
}

/// Returns the text as it was before an edit, if it is still the edited one.
pub fn cut_out(text: &str, inserted: &[Inserted]) -> Option<String> {
    let mut rest = text.to_owned();
    for part in inserted.iter().rev() {
        let range = part.at..part.at.checked_add(part.length)?;
        rest.get(range.clone())?;
        rest.replace_range(range, "");
    }
    Some(rest)
}

/// Returns the names of the events that stand in a text with an empty list, or the name of the hooks if they are empty.
pub fn empty(text: &str) -> Vec<String> {
    let (_, text) = without_mark(text);
    let parsed = parse(text).ok().flatten();
    let hooks = parsed.as_ref().and_then(Value::as_object);
    let Some(hooks) = hooks.and_then(|object| object.get_object(HOOKS_KEY)) else {
        return Vec::new();
    };
    if hooks.properties.is_empty() {
        return vec![HOOKS_KEY.to_owned()];
    }
    let is_empty = |value: &Value<'_>| {
        value
            .as_array()
            .is_some_and(|list| list.elements.is_empty())
    };
    let empty = hooks
        .properties
        .iter()
        .filter(|event| is_empty(&event.value));
    empty.map(|event| event.name.as_str().to_owned()).collect()
}

/// Returns whether a text is an object with nothing in it.
pub fn is_blank(text: &str) -> bool {
    let text: String = without_mark(text).1.split_whitespace().collect();
    text == "{}"
}

/// Takes the hooks whose command `is_ours` out of a text that was edited otherwise too. Lists and objects that this
/// leaves empty go too, but for those that were there before, whose names [`empty`] has returned then.
///
/// # Errors
///
/// Fails if the text is not a JSON object.
pub fn remove(
    text: &str,
    is_ours: impl Fn(&str) -> bool,
    before: &[String],
) -> Result<String, SettingsError> {
    let (mark, rest) = without_mark(text);
    let root = CstRootNode::parse(rest, &OPTIONS).map_err(not_json)?;
    let object = root.object_value();
    let Some(hooks) = object.and_then(|object| object.object_value(HOOKS_KEY)) else {
        return Ok(text.to_owned());
    };
    let command_of = |hook: &CstNode| {
        let command = hook.as_object()?.get("command")?.value()?;
        command.as_string_lit()?.decoded_value().ok()
    };
    let was_there = |name: &str| before.iter().any(|before| before == name);
    let mut is_changed = false;
    for event in hooks.properties() {
        let Some(groups) = event.array_value() else {
            continue;
        };
        let name = event.name().and_then(|name| name.decoded_value().ok());
        let mut is_left = false;
        for group in groups.elements() {
            let list = group
                .as_object()
                .and_then(|group| group.array_value("hooks"));
            let Some(list) = list else { continue };
            let ours = list.elements().into_iter();
            let ours =
                ours.filter(|hook| command_of(hook).is_some_and(|command| is_ours(&command)));
            for hook in ours.collect::<Vec<_>>() {
                hook.remove();
                (is_changed, is_left) = (true, true);
                if list.elements().is_empty() {
                    group.clone().remove();
                }
            }
        }
        if is_left && groups.elements().is_empty() && !name.is_some_and(|name| was_there(&name)) {
            event.remove();
        }
    }
    if let Some(property) = hooks.parent()
        && is_changed
        && hooks.properties().is_empty()
        && !was_there(HOOKS_KEY)
    {
        property.remove();
    }
    Ok(format!("{mark}{root}"))
}

/// Returns the hooks of a text that run a command. Hooks of another form are passed over.
///
/// # Errors
///
/// Fails if the text is not JSON, or the hooks or an event's stand there more than once.
pub fn hooks(text: &str) -> Result<Vec<Hook>, SettingsError> {
    let (_, text) = without_mark(text);
    let parsed = parse(text)?;
    let object = parsed.as_ref().and_then(Value::as_object);
    object.map_or(Ok(()), ensure_single)?;
    let events = object.and_then(|object| object.get_object(HOOKS_KEY));
    let mut found = Vec::new();
    for event in events.into_iter().flat_map(|events| &events.properties) {
        let groups = event.value.as_array().into_iter();
        let groups = groups.flat_map(|groups| &groups.elements).enumerate();
        for (group, hooks) in groups {
            let hooks = hooks.as_object().and_then(|hooks| hooks.get_array("hooks"));
            let hooks = hooks.into_iter().flat_map(|hooks| &hooks.elements);
            found.extend(hooks.enumerate().filter_map(|(index, hook)| {
                let hook = hook.as_object()?;
                let seconds = hook.get_number("timeout");
                Some(Hook {
                    event: event.name.as_str().to_owned(),
                    command: hook.get_string("command")?.value.to_string(),
                    seconds: seconds.and_then(|seconds| seconds.value.parse().ok()),
                    place: (group, index),
                })
            }));
        }
    }
    Ok(found)
}

/// Returns the byte order mark before a text, or nothing, and the text behind it.
pub fn without_mark(text: &str) -> (&str, &str) {
    let rest = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    text.split_at(text.len() - rest.len())
}

/// Comments and trailing commas are read, as editors' settings have them. Everything else is JSON.
const OPTIONS: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_loose_object_property_names: false,
    allow_trailing_commas: true,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

fn parse(text: &str) -> Result<Option<Value<'_>>, SettingsError> {
    let parsed = parse_to_ast(text, &CollectOptions::default(), &OPTIONS);
    Ok(parsed.map_err(not_json)?.value)
}

fn not_json(error: impl ToString) -> SettingsError {
    SettingsError::NotJson(error.to_string())
}

/// Checks that the hooks, and the events in them, stand in the settings once.
fn ensure_single(root: &Object<'_>) -> Result<(), SettingsError> {
    let named = |object: &Object<'_>, name: &str| {
        let names = object.properties.iter().map(|member| member.name.as_str());
        names.filter(|found| *found == name).count()
    };
    if named(root, HOOKS_KEY) > 1 {
        return Err(SettingsError::Repeated(HOOKS_KEY.to_owned()));
    }
    let Some(hooks) = root.get_object(HOOKS_KEY) else {
        return Ok(());
    };
    let mut events = hooks.properties.iter().map(|event| event.name.as_str());
    match events.find(|event| named(hooks, event) > 1) {
        Some(event) => Err(SettingsError::Repeated(format!("{HOOKS_KEY}.{event}"))),
        None => Ok(()),
    }
}

/// Returns what to insert so that an event has a further hook: texts with their distances from a place.
fn added(
    text: &str,
    event: &str,
    hook: &serde_json::Value,
) -> Result<(usize, Vec<(usize, String)>), SettingsError> {
    let other = |what: &str, form| Err(SettingsError::OtherForm(what.to_owned(), form));
    let parsed = parse(text)?;
    let Some(Value::Object(root)) = &parsed else {
        return Err(SettingsError::NoObject);
    };
    ensure_single(root)?;
    let style = Style::of(text, root);
    let hooks = match root.get(HOOKS_KEY).map(|property| &property.value) {
        None => {
            let member = json!({ event: [hook] });
            return Ok(style.append(&Container::of_object(root), 0, Some(HOOKS_KEY), &member));
        }
        Some(Value::Object(hooks)) => hooks,
        Some(_) => return other(HOOKS_KEY, "an object"),
    };
    match hooks.get(event).map(|property| &property.value) {
        None => {
            let container = Container::of_object(hooks);
            Ok(style.append(&container, 1, Some(event), &json!([hook])))
        }
        Some(Value::Array(groups)) => Ok(style.append(&Container::of_array(groups), 2, None, hook)),
        Some(_) => other(&format!("{HOOKS_KEY}.{event}"), "a list"),
    }
}

impl Edited {
    /// Inserts a text. What lies in an inserted part becomes a part of it.
    fn insert(&mut self, at: usize, added: &str) {
        self.text.insert_str(at, added);
        let length = added.len();
        let mut is_within = false;
        for part in &mut self.inserted {
            if at < part.at || (is_within && at == part.at) {
                part.at += length;
            } else if at <= part.at + part.length {
                part.length += length;
                is_within = true;
            }
        }
        if !is_within {
            self.inserted.push(Inserted { at, length });
            self.inserted.sort_by_key(|part| part.at);
        }
    }
}

/// An object or a list of a text.
struct Container {
    /// From the opening bracket to behind the closing one.
    range: Range<usize>,
    /// The end of its last member.
    last_end: Option<usize>,
}

impl Container {
    fn of_object(object: &Object<'_>) -> Self {
        Self {
            range: object.start()..object.end(),
            last_end: object.properties.last().map(|last| last.end()),
        }
    }

    fn of_array(array: &Array<'_>) -> Self {
        Self {
            range: array.start()..array.end(),
            last_end: array.elements.last().map(|last| last.end()),
        }
    }
}

/// How a text is laid out.
struct Style<'t> {
    text: &'t str,
    line_end: &'static str,
    /// One step of indentation.
    indent: &'t str,
    /// Whether the text has members and all on one line.
    is_on_one_line: bool,
}

impl<'t> Style<'t> {
    fn of(text: &'t str, root: &Object<'_>) -> Self {
        let before = root.properties.first().map(|first| &text[..first.start()]);
        let line = before.and_then(|before| before.rsplit_once('\n'));
        let indent = line.map(|(_, indent)| indent);
        let is_indent =
            |indent: &&str| !indent.is_empty() && indent.chars().all(|c| c == ' ' || c == '\t');
        Self {
            text,
            line_end: match text.contains("\r\n") {
                true => "\r\n",
                false => "\n",
            },
            indent: indent.filter(is_indent).unwrap_or("  "),
            is_on_one_line: before.is_some() && !text[root.start()..root.end()].contains('\n'),
        }
    }

    /// Returns what to insert so that a container at a depth has a further member at its end.
    fn append(
        &self,
        container: &Container,
        depth: usize,
        name: Option<&str>,
        value: &serde_json::Value,
    ) -> (usize, Vec<(usize, String)>) {
        let closing = container.range.end - 1;
        let inside = &self.text[..closing];
        // Behind the last member, its comma and the comments.
        let end = inside.trim_end().len();
        let value = self.laid_out(value, depth + 1);
        let member = match name {
            Some(name) => format!("{}: {value}", json!(name)),
            None => value,
        };
        let Some(last_end) = container.last_end else {
            let space = &self.text[end..closing];
            let last = match space.contains('\n') {
                true => String::new(),
                false => self.line(depth),
            };
            let added = format!("{}{member}{last}", self.line(depth + 1));
            return (end, vec![(0, added)]);
        };
        let has_comma = has_comma(&self.text[last_end..end]);
        let separator = match self.is_on_one_line {
            true => " ".to_owned(),
            false => self.line(depth + 1),
        };
        match has_comma {
            true => (end, vec![(0, format!("{separator}{member},"))]),
            false if last_end == end => (end, vec![(0, format!(",{separator}{member}"))]),
            // A comment stays beside the member that it follows.
            false => {
                let behind = end - last_end + 1;
                let added = vec![
                    (0, ",".to_owned()),
                    (behind, format!("{separator}{member}")),
                ];
                (last_end, added)
            }
        }
    }

    fn line(&self, depth: usize) -> String {
        match self.is_on_one_line {
            true => String::new(),
            false => format!("{}{}", self.line_end, self.indent.repeat(depth)),
        }
    }

    /// Returns a value as it stands in the text at a depth.
    fn laid_out(&self, value: &serde_json::Value, depth: usize) -> String {
        use serde_json::Value;
        let members: Vec<String> = match value {
            Value::Array(items) => items
                .iter()
                .map(|item| self.laid_out(item, depth + 1))
                .collect(),
            Value::Object(members) => {
                let members = members.iter().map(|(name, value)| {
                    format!("{}: {}", json!(name), self.laid_out(value, depth + 1))
                });
                members.collect()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                return value.to_string();
            }
        };
        let (open, close) = match value.is_array() {
            true => ('[', ']'),
            false => ('{', '}'),
        };
        match self.is_on_one_line {
            true => format!("{open}{}{close}", members.join(", ")),
            false => {
                let line = self.line(depth + 1);
                let members = members.join(&format!(",{line}"));
                format!("{open}{line}{members}{}{close}", self.line(depth))
            }
        }
    }
}

/// Returns whether a text of blanks, comments and at most one comma has the comma.
fn has_comma(mut text: &str) -> bool {
    loop {
        text = text.trim_start();
        text = if let Some(comment) = text.strip_prefix("//") {
            comment.split_once('\n').map_or("", |(_, rest)| rest)
        } else if let Some(comment) = text.strip_prefix("/*") {
            comment.split_once("*/").map_or("", |(_, rest)| rest)
        } else {
            return text.starts_with(',');
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_that_stand_there_twice_are_not_found() {
        let error = hooks(r#"{"hooks": {}, "hooks": {"Stop": []}}"#).unwrap_err();
        assert_eq!(error, SettingsError::Repeated("hooks".to_owned()));
    }

    const EVENTS: [&str; 3] = ["SessionStart", "Stop", "UserPromptSubmit"];
    const COMMAND: &str = "/c hook run";

    const SETTINGS: [&str; 22] = [
        "",
        "\u{feff}",
        "\u{feff}{\n  \"a\": 1\n}\n",
        "\n",
        "{}",
        "{}\n",
        "{\n}\n",
        "{ }",
        "{\n  // nothing yet\n}\n",
        "{\n  \"model\": \"x\"\n}\n",
        "{\"a\":1}",
        "{ \"a\": 1 }\n",
        "{\n\t\"a\": 1,\n\t\"b\": [1,2]\n}",
        "{\r\n  \"a\": 1\r\n}\r\n",
        "// c\n{\n  // d\n  \"a\": 1, // e, f\n}\n",
        "{\n  \"a\": 1 // e, f\n  /* , */\n}\n",
        "{\n  \"hooks\": {}\n}\n",
        "{\n  \"hooks\": {\n    \"Stop\": []\n  }\n}\n",
        "{\n  \"hooks\": {\n    \"Stop\": [\n      {\n        \"hooks\": [{\"type\": \"command\", \"command\": \"mine\"}]\n      }\n    ]\n  },\n  \"z\": 1\n}\n",
        "{\"hooks\":{\"Stop\":[{\"hooks\":[]}]},\"z\":1}",
        "{\n    \"a\": 1,\n    \"env\": { \"X\": \"1\" },\n\n    \"b\": 2\n\n}\n",
        "{\n  \"a\": \"\u{e4}\\u00e4 // no comment\"\n}\n",
    ];

    fn is_ours(command: &str) -> bool {
        command == COMMAND
    }

    #[test]
    fn an_unchanged_text_becomes_what_it_was() {
        for text in SETTINGS {
            let edited = insert(text, &EVENTS, COMMAND, |_| 2).unwrap();
            let found = hooks(&edited.text).unwrap();
            let ours = found.iter().filter(|hook| is_ours(&hook.command));
            let mut events: Vec<_> = ours.map(|hook| hook.event.as_str()).collect();
            events.sort_unstable();
            assert_eq!(events, EVENTS, "{text:?} {}", edited.text);
            assert_eq!(
                cut_out(&edited.text, &edited.inserted).as_deref(),
                Some(text)
            );
            // Behind other changes, the same hooks go.
            let removed = remove(&edited.text, is_ours, &empty(text)).unwrap();
            assert!(!removed.contains(COMMAND), "{removed}");
            assert_eq!(remove(&removed, is_ours, &[]).unwrap(), removed);
            assert_eq!(empty(&removed), empty(text), "{removed}");
            let others = |text: &str| {
                let found = hooks(text).unwrap().into_iter();
                let found = found.filter(|hook| !is_ours(&hook.command));
                found.collect::<Vec<_>>()
            };
            assert_eq!(others(&removed), others(text.trim_end_matches('\n')));
        }
    }

    #[test]
    fn hooks_stand_as_a_person_would_write_them() {
        let edited = insert(
            "{\n  \"model\": \"x\" // fast\n}\n",
            &EVENTS[..2],
            COMMAND,
            |event| if event == "Stop" { 3 } else { 2 },
        )
        .unwrap();
        let expected = r#"{
  "model": "x", // fast
  "hooks": {
    "SessionStart": [
      {
        "hooks": [
          {
            "command": "/c hook run",
            "timeout": 2,
            "type": "command"
          }
        ]
      }
    ],
    "Stop": [
      {
        "hooks": [
          {
            "command": "/c hook run",
            "timeout": 3,
            "type": "command"
          }
        ]
      }
    ]
  }
}
"#;
        assert_eq!(edited.text, expected);
    }

    #[test]
    fn what_is_not_understood_is_left_alone() {
        for (text, expected) in [
            ("{", "it is not JSON: "),
            ("[]", "it is not an object"),
            ("{\"hooks\": []}", "`hooks` is not an object"),
            ("{\"hooks\": {\"Stop\": {}}}", "`hooks.Stop` is not a list"),
            ("{'a': 1}", "it is not JSON: "),
            (
                r#"{"hooks": {}, "h\u006foks": {}}"#,
                "`hooks` stands there more than once",
            ),
            (
                r#"{"hooks": {"Stop": [], "Stop": []}}"#,
                "`hooks.Stop` stands there more than once",
            ),
        ] {
            let error = insert(text, &["Stop"], COMMAND, |_| 2).unwrap_err();
            assert!(error.to_string().starts_with(expected), "{error}");
        }
    }
}
