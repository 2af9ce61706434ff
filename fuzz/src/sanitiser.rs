//! The sanitiser and the prompt: nothing hidden, and no markup but ctxpin's own.

use ctxpin_model::hash::BlobHash;
use ctxpin_model::resource::{Bodies, Content, Kind, Resource, Status};
use ctxpin_model::snapshot::{Facts, Snapshot};
use ctxpin_render::{prompt, sanitise, skill};

use crate::pieces;

/// Names that only ctxpin's tags may begin with.
const TAG_NAMES: [&str; 2] = ["workspace-context", "available-skills"];

/// Longest beginning of a tag that is looked at: its name and what may stand before it.
const TAG_CHARS_MAX: usize = 200;

/// What is kept though it is not seen.
const UNSEEN: [char; 3] = ['\u{200C}', '\u{FE0E}', '\u{FE0F}'];

/// Seven texts, which are also put together as the facts, the file and the skill of a prompt.
pub fn check(bytes: &[u8]) {
    let texts: [String; 7] = pieces::texts(bytes);
    for text in &texts {
        check_text(text);
        check_line(text);
    }
    for pair in texts.windows(2) {
        check_below(&pair[0], &pair[1]);
    }
    check_prompt(&texts);
}

fn check_text(input: &str) {
    let output = sanitise::text(input);
    assert_eq!(sanitise::text(&output), output, "twice is once: {input:?}");
    assert_eq!(skill::render(input.as_bytes()), output);
    check_clean(&output);
    assert!(!output.contains("\n\n\n"), "{output:?}");
    assert!(output.split('\n').all(|line| line.trim_end() == line));
}

fn check_line(input: &str) {
    let output = sanitise::line(input);
    assert_eq!(sanitise::line(&output), output, "twice is once: {input:?}");
    assert!(!output.contains(char::is_control), "{output:?}");
    assert_eq!(output.trim(), output);
    check_clean(&output);
}

/// What is clean stays clean when something clean is put below it.
fn check_below(first: &str, second: &str) {
    for first in [sanitise::text(first), sanitise::line(first)] {
        let both = format!("{first}\n{}", sanitise::text(second));
        assert_eq!(live_tags(&both), 0, "{both:?}");
        assert_eq!(source_lines(&both), 0, "{both:?}");
    }
}

fn check_clean(text: &str) {
    assert_eq!(live_tags(text), 0, "{text:?}");
    assert_eq!(source_lines(text), 0, "{text:?}");
    check_visible(text);
    if let Some(open) = text.find("<!--") {
        assert!(!text[open + 2..].contains("-->"), "a comment in {text:?}");
    }
}

/// No control character but tab and LF, nothing that has no width or turns the direction.
fn check_visible(text: &str) {
    let mut flag = false;
    for c in text.chars() {
        let is_hidden = match c {
            '\n' | '\t' => false,
            '\u{AD}' | '\u{61C}' | '\u{200B}' | '\u{200D}'..='\u{200F}' => true,
            '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' => true,
            '\u{E0100}'..='\u{E01EF}' => true,
            // A tag is a part of a flag, or nothing.
            '\u{E0000}'..='\u{E007F}' => !flag,
            other => other.is_control(),
        };
        assert!(!is_hidden, "{c:?} in {text:?}");
        flag = c == '\u{1F3F4}' || (flag && ('\u{E0000}'..='\u{E007F}').contains(&c));
    }
}

fn check_prompt(texts: &[String; 7]) {
    let [os, directory, path, body, name, description, second] = texts;
    let mut bodies = Bodies::new();
    let mut resources = Vec::new();
    for (source, body) in [(path.as_str(), body), ("/w/second", second)] {
        let mut file = Resource::new(Kind::InstructionFile, source, Status::Ok);
        let hash = BlobHash::of(body.as_bytes());
        file.content = Some(Content::Pinned(hash));
        bodies.insert(hash, body.as_bytes().into());
        resources.push(file);
    }
    let mut told = Resource::new(Kind::Skill, "/w/skills/s/SKILL.md", Status::Ok);
    told.name = Some(name.clone());
    told.description = Some(description.clone());
    resources.push(told);
    let snapshot = Snapshot {
        facts: Facts {
            os: Some(os.clone()),
            directory: Some(directory.clone()),
        },
        error: None,
        resources,
    };
    let prompt = prompt::render(&snapshot, &bodies);
    assert_eq!(prompt::render(&snapshot, &bodies), prompt);
    check_visible(&prompt);
    let elements = TAG_NAMES.iter().filter(|name| {
        let (open, close) = (format!("<{name}>\n"), format!("</{name}>\n"));
        prompt.contains(&open) && prompt.contains(&close)
    });
    assert_eq!(live_tags(&prompt), 2 * elements.count(), "{prompt:?}");
    let files = [body, second].map(|body| sanitise::text(body));
    let files = files.iter().filter(|body| !body.is_empty());
    assert_eq!(source_lines(&prompt), files.count(), "{prompt:?}");
    assert!(prompt.is_empty() || prompt.ends_with(">\n"), "{prompt:?}");
}

/// The text as a reader takes it: without what is not seen, in lower case.
fn skeleton(text: &str) -> String {
    let seen = text.chars().filter(|c| !UNSEEN.contains(c));
    let upper = seen.flat_map(char::to_uppercase);
    upper.flat_map(char::to_lowercase).collect()
}

fn live_tags(text: &str) -> usize {
    let text = skeleton(text);
    let opens = text.match_indices('<').filter(|(at, _)| {
        let after = text[at + 1..].chars().take(TAG_CHARS_MAX);
        let name: String = after
            .skip_while(|c| *c == '/' || c.is_whitespace())
            .collect();
        TAG_NAMES.iter().any(|ours| name.starts_with(ours))
    });
    opens.count()
}

fn source_lines(text: &str) -> usize {
    let text = skeleton(text);
    let is_source = |line: &&str| {
        let word = line.split_once(':').map(|(word, _)| word.trim());
        word == Some("source")
    };
    text.split('\n').filter(is_source).count()
}
