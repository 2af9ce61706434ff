//! The turn to which a request belongs.

use ctxpin_model::evidence::Source;
use serde_json::{Value, json};

use crate::scene::{Sample, Transcript, known, turns_of};

#[test]
fn a_request_belongs_to_the_turn_of_a_persons_prompt() {
    let known = known(&[Sample::of(Source::Transcript)]);
    let mut transcript = Transcript::default();
    for (prompt, text) in [
        ("p1", "Do it."),
        ("p2", "<task-notification>done"),
        ("p3", "More."),
    ] {
        transcript.row("user", text);
        transcript.lines.last_mut().unwrap()["promptId"] = json!(prompt);
        transcript.request();
        if prompt == "p1" {
            let boundary = json!({ "type": "system", "subtype": "compact_boundary" });
            transcript.lines.push(boundary);
        }
    }
    let told = turns_of(&known, Source::Transcript, &transcript.record());
    assert_eq!(told, "p1 p1* p3 ");
}

#[test]
fn what_work_behind_a_turn_wakes_belongs_to_that_turn() {
    let known = known(&[Sample::of(Source::Transcript)]);
    let check = |lines: &[&str], expected: &str| {
        let mut transcript = Transcript::default();
        for line in lines {
            let (kind, prompt) = line.split_once(' ').unwrap_or((line, ""));
            match kind {
                "request" => transcript.request(),
                "compacted" => {
                    let boundary = json!({ "type": "system", "subtype": "compact_boundary" });
                    transcript.lines.push(boundary);
                }
                "answer" => transcript.row("assistant", "Done."),
                _ => transcript.row(
                    "user",
                    if kind == "back" {
                        "<task-notification>"
                    } else {
                        "It."
                    },
                ),
            }
            let line = transcript.lines.last_mut().unwrap();
            match kind {
                "aside" => line["isMeta"] = json!(true),
                "result" => {
                    line["message"]["content"] = json!([{ "type": "tool_result", "content": "1" }])
                }
                _ => {}
            }
            if !prompt.is_empty() {
                line["promptId"] = json!(prompt);
            }
        }
        let told = turns_of(&known, Source::Transcript, &transcript.record());
        assert_eq!(told, expected, "{lines:?}");
    };
    let begun = ["prompt p1", "compacted", "request", "answer"];
    let check_behind =
        |behind: &[&str], expected: &str| check(&[&begun, behind].concat(), expected);
    // Claude Code says which tools were used before it says what came back.
    check_behind(&["aside b1", "back b1", "request"], "p1* p1* ");
    let used = ["back b1", "request", "answer", "result b1", "request"];
    check_behind(&used, "p1* p1* p1* ");
    let two = [
        "back b1",
        "aside b2",
        "back b2",
        "request",
        "result b1",
        "request",
    ];
    check_behind(&two, "p1* p1* p1* ");
    check_behind(&["aside p2", "prompt p2", "request"], "p1* p2 ");
    check_behind(&["prompt p2", "back p2", "request"], "p1* p2 ");
    check_behind(&["back p2", "prompt p2", "request"], "p1* p2 ");
    check_behind(
        &["aside b1", "back b1", "prompt p2", "result p2", "request"],
        "p1* p2 ",
    );
}

#[test]
fn a_prompt_may_be_written_later_than_its_request() {
    let known = known(&[Sample::of(Source::Transcript)]);
    let mut transcript = Transcript::default();
    let add = |transcript: &mut Transcript, kind: &str, at: u32| {
        match kind {
            "request" => transcript.request(),
            "answer" => transcript.row("assistant", "Done."),
            prompt => {
                transcript.row("user", "Do it.");
                transcript.lines.last_mut().unwrap()["promptId"] = json!(prompt);
            }
        }
        let line: &mut Value = transcript.lines.last_mut().unwrap();
        line["timestamp"] = json!(format!("2026-11-28T16:20:{at:02}.000Z"));
    };
    for (kind, at) in [
        // The first one of a session.
        ("request", 2),
        ("p1", 1),
        ("answer", 3),
        ("request", 6),
        ("p2", 5),
        ("answer", 7),
        ("p3", 8),
        ("request", 9),
        ("answer", 10),
        // One that the client makes by itself, behind the turn.
        ("request", 11),
        ("p4", 12),
        ("request", 13),
        ("answer", 14),
        ("request", 15),
    ] {
        add(&mut transcript, kind, at);
    }
    let told = turns_of(&known, Source::Transcript, &transcript.record());
    assert_eq!(told, "p1 p2 p3 p3 p4 p4 ");
}
