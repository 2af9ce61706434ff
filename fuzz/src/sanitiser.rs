//! The sanitiser and the prompt: code kept, nothing hidden, and no markup but ctxpin's own.

use ctxpin_model::hash::BlobHash;
use ctxpin_model::markdown::{PartKind, parts};
use ctxpin_model::resource::{Bodies, Content, Kind, Resource, Status};
use ctxpin_model::snapshot::{Facts, Snapshot};
use ctxpin_model::warning::Code;
use ctxpin_render::renderer::Renderer;
use ctxpin_render::review::{File, Stretch};
use ctxpin_render::treated::{Fate, Treated};
use ctxpin_render::{prompt, review, sanitise, treat};

use crate::pieces;

/// Names that only ctxpin's tags may begin with.
const TAG_NAMES: [&str; 3] = ["workspace-context", "available-skills", "context-file"];

/// The elements that occur in a prompt at most once.
const ELEMENTS: [&str; 2] = ["workspace-context", "available-skills"];

/// The longest beginning of a tag to read: its name and the characters before it.
const TAG_CHARS_MAX: usize = 200;

/// Returns whether the character is invisible, but kept in some places.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{200C}' | '\u{200D}') || is_selector(c)
}

/// Returns whether the character selects a variant of the one before it.
fn is_selector(c: char) -> bool {
    matches!(c, '\u{180B}'..='\u{180D}' | '\u{180F}' | '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}')
}

/// Characters that end a line elsewhere, but are a space or nothing in Markdown.
const ENDS: [char; 5] = ['\u{B}', '\u{C}', '\u{85}', '\u{2028}', '\u{2029}'];

/// Checks seven texts, alone and together as the facts, the file and the skill of a prompt.
pub fn check(bytes: &[u8]) {
    let texts: [String; 7] = pieces::texts(bytes);
    for text in &texts {
        check_text(text);
        check_alone(text);
        check_line(text);
        for renderer in Renderer::ALL {
            let treated = treat::instruction_file(text.as_bytes(), renderer);
            check_pieces(text, &treated);
            let output = treated.text;
            let again = treat::instruction_file(output.as_bytes(), renderer).text;
            assert_eq!(again, output, "{renderer:?}: {text:?}");
        }
    }
    check_prompt(&texts);
}

fn check_text(input: &str) {
    let treated = sanitise::text(input);
    let output = &treated.text;
    assert_eq!(
        &sanitise::text(output).text,
        output,
        "twice is once: {input:?}"
    );
    assert_eq!(live_tags(output), 0, "{output:?}");
    check_visible(output);
    assert!(!output.ends_with('\n'), "{output:?}");
    let before = unix(input);
    if !before.contains(ENDS) {
        let kept = unmarked(output);
        for code in of_kind(&before, &[PartKind::Code]) {
            assert!(kept.contains(&code), "{code:?} of {input:?} in {output:?}");
        }
    }
    let hidden = [PartKind::Hidden, PartKind::Unclosed];
    let count = |text: &str| -> usize {
        let hidden = of_kind(text, &hidden).into_iter();
        let chars = hidden.flat_map(|hidden| hidden.chars().collect::<Vec<_>>());
        chars.filter(|c| !c.is_whitespace()).count()
    };
    let (was, is) = (count(&before), count(output));
    assert!(
        is <= was,
        "{is} of {was} hidden: {input:?} became {output:?}"
    );
    let is_warned = treated
        .warnings
        .iter()
        .any(|warning| matches!(warning.code, Code::CommentKept | Code::CommentUnclosed));
    assert!(is == 0 || is_warned, "{input:?} became {output:?}");
}

/// Checks that the pieces together are the input, and without the removed parts the output. Each
/// changed piece has a reason, or is another spelling of itself.
fn check_pieces(input: &str, treated: &Treated) {
    let (mut given, mut end) = (String::new(), 0);
    for piece in &treated.pieces {
        assert_eq!(piece.range.start, end, "{input:?}: {treated:?}");
        end = piece.range.end;
        let bytes = &input[piece.range.clone()];
        given += match piece.fate {
            Fate::Kept => bytes,
            Fate::Replaced(put) => {
                let is_end = |c: char| matches!(c, '\r' | '\n') || ENDS.contains(&c);
                let is_same = bytes == "<" || bytes.chars().all(is_end);
                assert!(is_same, "{bytes:?} in {input:?}");
                put
            }
            Fate::Gone(_) => "",
        };
    }
    assert_eq!(end, input.len(), "{input:?}: {treated:?}");
    assert_eq!(given, treated.text, "{input:?}");
}

/// Returns the text with LF as its only line end.
fn unix(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.strip_prefix('\u{FEFF}').unwrap_or(&text).to_owned()
}

/// Returns the parts of some kinds, after the removals and escapes that apply everywhere.
fn of_kind(text: &str, kinds: &[PartKind]) -> Vec<String> {
    let parts = parts(text).into_iter();
    let parts = parts.filter(|part| kinds.contains(&part.kind));
    parts
        .map(|part| unmarked(&sanitise::shown(&text[part.range])))
        .collect()
}

/// Returns the text without U+FFFD, joiners and variation selectors, and with its original tags.
fn unmarked(text: &str) -> String {
    let is_left_out = |c: char| matches!(c, '\u{FFFD}' | '\u{200D}') || is_selector(c);
    let text = text.replace(is_left_out, "");
    text.replace("&lt;", "<").trim_end().to_owned()
}

/// Checks that a text which a model reads alone keeps everything visible.
fn check_alone(input: &str) {
    let output = sanitise::shown(input);
    assert_eq!(sanitise::shown(&output), output, "twice is once: {input:?}");
    assert_eq!(live_tags(&output), 0, "{output:?}");
    check_visible(&output);
    let visible = |text: &str| -> String {
        let text = text.replace("&lt;", "<");
        text.chars().filter(char::is_ascii_graphic).collect()
    };
    assert_eq!(visible(&output), visible(input), "{input:?}");
}

fn check_line(input: &str) {
    let output = sanitise::line(input);
    assert_eq!(sanitise::line(&output), output, "twice is once: {input:?}");
    assert!(!output.contains(char::is_control), "{output:?}");
    assert_eq!(output.trim(), output);
    assert_eq!(live_tags(&output), 0, "{output:?}");
    check_visible(&output);
}

/// Checks that the text has no control character except tab and LF, no character without width, and
/// none that changes the direction.
fn check_visible(text: &str) {
    let (mut flag, mut before) = (false, ' ');
    for c in text.chars() {
        let is_hidden = match c {
            '\n' | '\t' => false,
            '\u{AD}' | '\u{61C}' | '\u{200B}' | '\u{200E}' | '\u{200F}' => true,
            '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' => true,
            // One selector chooses a form of a visible character. Further ones choose nothing.
            c if is_selector(c) => is_unseen(before) || before.is_ascii_alphabetic(),
            // A tag is a part of a flag, or nothing.
            '\u{E0000}'..='\u{E007F}' => !flag,
            other => other.is_control(),
        };
        assert!(!is_hidden, "{c:?} in {text:?}");
        before = c;
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
            rules: None,
        },
        error: None,
        resources,
    };
    let prompt = prompt::render(&snapshot, &bodies);
    assert_eq!(prompt::render(&snapshot, &bodies), prompt);
    check_visible(&prompt);
    check_review(&prompt, &[(path, body), (&"/w/second".into(), second)]);
    let elements = ELEMENTS.iter().filter(|name| {
        let (open, close) = (format!("<{name}>\n"), format!("</{name}>\n"));
        prompt.contains(&open) && prompt.contains(&close)
    });
    let files = [body, second].map(|body| sanitise::text(body).text);
    let files = files.iter().filter(|body| !body.is_empty());
    let tags = 2 * (elements.count() + files.count());
    assert_eq!(live_tags(&prompt), tags, "{prompt:?}");
    assert!(prompt.is_empty() || prompt.ends_with(">\n"), "{prompt:?}");
}

/// Checks that the review of a prompt shows exactly the prompt and everything that was removed.
fn check_review(prompt: &str, files: &[(&String, &String)]) {
    let files = files.iter().map(|(source, body)| File { source, body });
    let files: Vec<_> = files.collect();
    let stretches = review::stretches(prompt, &files, Renderer::CURRENT);
    let (mut given, mut gone) = (String::new(), 0);
    for stretch in stretches.expect("the prompt is made of these files") {
        match stretch {
            Stretch::Given(text) => given += &text,
            Stretch::Gone(text, _) => gone += text.len() as u64,
            Stretch::Frame(_) => {}
        }
    }
    assert_eq!(given, prompt, "{files:?}");
    let removed = files.iter().map(|file| {
        let treated = treat::instruction_file(file.body.as_bytes(), Renderer::CURRENT);
        let removed = treated.removed();
        removed.comment + removed.invisible + removed.blank
    });
    assert_eq!(gone, removed.sum::<u64>(), "{files:?}");
}

/// Returns the text as a reader perceives it: without invisible characters, in lower case.
fn skeleton(text: &str) -> String {
    let seen = text.chars().filter(|c| !is_unseen(*c));
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
