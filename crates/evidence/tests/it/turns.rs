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
