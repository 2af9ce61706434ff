//! What a person or a tool said.

use ctxpin_model::evidence::Source;
use ctxpin_model::hash::BlobHash;

use crate::planted::{AGENTS, edited, outcomes};
use crate::scene::{Sample, Transcript, body, known, reminder, row};

#[test]
fn a_text_that_the_pin_does_not_have_may_be_said() {
    let known = known(&edited(Source::Transcript));
    let check = |said: &[&str], expected: &str| {
        let mut transcript = Transcript::default();
        transcript.files(&[(AGENTS, body("PRESENT").trim())]);
        for name in said {
            transcript.user(&[&format!("Look: {}", body(name))]);
            transcript.result(&body(name));
        }
        transcript.request();
        let row = row(&known, Source::Transcript, 1, &transcript.record());
        assert_eq!(outcomes(&row), expected);
        let texts: Vec<_> = row.texts().collect();
        for name in said.iter().filter(|name| **name != "NOBODY") {
            let content = BlobHash::of(body(name).as_bytes());
            assert!(texts.contains(content.bytes()), "{name}");
        }
    };
    check(&["NEW"], "AsPinned: SeenElsewhere Given");
    check(
        &["OLD", "NEW"],
        "AsPinned: SeenElsewhere SeenElsewhere Given",
    );
    check(&["PRESENT", "NOBODY"], "AsPinned: Given");
}

#[test]
fn a_text_that_a_tool_shows_with_numbers_is_seen_elsewhere() {
    let known = known(&edited(Source::Transcript));
    let check = |begin: Option<&str>, expected: &str| {
        let mut transcript = Transcript::default();
        transcript.files(&[(AGENTS, body("PRESENT").trim())]);
        let text = body("NEW");
        let lines = text.lines().zip(1..);
        let lines: Vec<_> = lines
            .map(|(line, number)| format!("{number}\t{line}"))
            .collect();
        let text = lines.join("\n");
        match begin {
            None => transcript.result(&text),
            Some(begin) => transcript.user(&[&format!("{begin}{text}\n6\t\n</system-reminder>")]),
        }
        transcript.request();
        let row = row(&known, Source::Transcript, 1, &transcript.record());
        assert_eq!(outcomes(&row), expected);
    };
    check(None, "AsPinned: SeenElsewhere Given");
    // A file that a person mentions.
    check(
        Some("<system-reminder>\nResult of calling the Read tool:\n"),
        "AsPinned: SeenElsewhere Given",
    );
    check(Some("<system-reminder>\n"), "AsPinned: Given");
}

#[test]
fn what_the_model_has_read_since_replaces_an_earlier_text_that_is_not_given_again() {
    let sample = |name: &str| {
        Sample::of(Source::Transcript)
            .file(AGENTS, &body(name))
            .file_below("/w/project/sub/AGENTS.md", &body(&format!("{name} BELOW")))
            .skill(
                "/w/project/.claude/skills",
                "deploy",
                "Deploys",
                &body(&format!("{name} SKILL")),
            )
    };
    let known = known(&["OLD", "NEW"].map(sample));
    let read = |name: &str| {
        let text = body(name);
        let lines = text.lines().zip(1..);
        let lines: Vec<_> = lines
            .map(|(line, number)| format!("{number}\t{line}"))
            .collect();
        lines.join("\n")
    };
    let check = |root: &str, said: [&str; 2], expected: &str| {
        for what in ["BELOW", "SKILL"] {
            let mut transcript = Transcript::default();
            transcript.files(&[(AGENTS, body(root).trim())]);
            for said in said {
                let (name, is_read) = match said.strip_prefix("read ") {
                    Some(name) => (name, true),
                    None => (said, false),
                };
                let name = format!("{name} {what}");
                let given = match what {
                    "BELOW" => reminder(&[("/w/project/sub/AGENTS.md", body(&name).trim())]),
                    _ => format!(
                        "Base directory for this skill: /w/project/.claude/skills/deploy\n\n{}",
                        body(&name).trim()
                    ),
                };
                match is_read {
                    true => transcript.result(&read(&name)),
                    false => transcript.given(&[&given]),
                }
            }
            transcript.request();
            let row = row(&known, Source::Transcript, 1, &transcript.record());
            let of_what = match what {
                "BELOW" => "sub/AGENTS.md",
                _ => "deploy/SKILL.md",
            };
            let resources = row.resources.iter().filter(|resource| {
                resource
                    .path
                    .as_ref()
                    .is_some_and(|path| path.ends_with(of_what))
            });
            let outcomes: Vec<_> = resources
                .map(|resource| resource.outcome.as_str())
                .collect();
            assert_eq!(
                format!("{:?}: {}", row.verdict, outcomes.join(" ")),
                expected,
                "{what}"
            );
        }
    };
    check(
        "NEW",
        ["OLD", "read NEW"],
        "AsPinned: seen-elsewhere superseded",
    );
    check("NEW", ["read NEW", "OLD"], "Deviates: stale seen-elsewhere");
    check("NEW", ["OLD", "read OLD"], "Deviates: stale not-asked-for");
    check("NEW", ["OLD", "NEW"], "AsPinned: superseded given");
}

#[test]
fn what_the_model_has_read_is_no_file_that_every_request_has() {
    let known = known(&edited(Source::Transcript));
    let mut transcript = Transcript::default();
    transcript.files(&[(AGENTS, body("OLD").trim())]);
    transcript.result(&body("PRESENT"));
    transcript.request();
    let row = row(&known, Source::Transcript, 1, &transcript.record());
    assert_eq!(outcomes(&row), "Deviates: Stale Absent");
}
