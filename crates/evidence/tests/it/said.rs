//! What a person or a tool said.

use ctxpin_model::evidence::Source;
use ctxpin_model::hash::BlobHash;

use crate::planted::{AGENTS, edited, outcomes};
use crate::scene::{Transcript, body, known, row};

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
