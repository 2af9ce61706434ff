//! Files that were edited after the client had given them.

use ctxpin_evidence::known::Known;
use ctxpin_evidence::reading::Reading;
use ctxpin_model::evidence::{Outcome, Source};
use ctxpin_model::hash::BlobHash;
use serde_json::json;

use crate::planted::{AGENTS, RULES, edited, outcomes};
use crate::scene::{Sample, Transcript, body, codex_files, known, of_kind, rollout, row, said};

const BELOW: &str = "/w/project/sub/CLAUDE.md";

/// Returns the note of Claude Code 2.1.307 and 2.1.332 about a file, with lines from a number on.
fn note(path: &str, first: usize, lines: &str) -> String {
    let lines = lines.lines().zip(first..);
    let lines: Vec<_> = lines
        .map(|(line, number)| format!("{number}\t{line}"))
        .collect();
    format!(
        "Note: {path} changed on disk since you last read it. That's usually deliberate, so take it as the current state \
         rather than reverting it; if the change looks wrong, say so rather than undoing it yourself — otherwise no need to \
         call it out. Here are the relevant changes (shown with line numbers):\n{}",
        lines.join("\n")
    )
}

/// Checks what a transcript says that begins with the present `AGENTS.md` and goes on with notes. A note is a message of
/// the system, a reminder of the user, or stands behind the result of a tool.
fn check(known: &Known, notes: &[String], expected: &str) {
    let reminder = |note: &String| format!("<system-reminder>\n{note}\n</system-reminder>");
    for form in 0..3 {
        let mut transcript = Transcript::default();
        transcript.files(&[(AGENTS, body("PRESENT").trim())]);
        for note in notes {
            transcript.attached(note);
            match form {
                0 => transcript.message("system", json!([{ "type": "text", "text": note }])),
                1 => transcript.user(&[&reminder(note)]),
                _ => transcript.result(&format!("1\thello\n\n{}\n", reminder(note))),
            }
        }
        transcript.request();
        let row = row(known, Source::Transcript, 1, &transcript.record());
        assert_eq!(outcomes(&row), expected, "{form}");
        row.checked().unwrap();
    }
}

#[test]
fn a_note_about_an_edited_file_gives_its_new_text() {
    let known = known(&edited(Source::Transcript));
    let whole = |name: &str| note(AGENTS, 1, &body(name));
    check(&known, &[whole("NEW")], "Deviates: Newer Given");
    check(&known, &[whole("OLD")], "Deviates: Stale Given");
    check(
        &known,
        &[whole("NEW"), whole("PRESENT")],
        "AsPinned: Superseded Repeated",
    );
    // No scan has seen what was written in between.
    check(&known, &[whole("BETWEEN")], "Deviates: Foreign Given");
    check(
        &known,
        &[whole("BETWEEN"), whole("PRESENT")],
        "AsPinned: Superseded Repeated",
    );
    // The text of another file is no instruction.
    check(
        &known,
        &[note("/w/project/main.rs", 1, &body("NEW"))],
        "AsPinned: SeenElsewhere Given",
    );
}

#[test]
fn a_note_that_shows_a_part_says_how_much() {
    let known = known(&edited(Source::Transcript));
    let part = |name: &str| {
        let text = body(name);
        note(
            AGENTS,
            2,
            text.split_inclusive('\n')
                .skip(1)
                .take(2)
                .collect::<String>()
                .as_str(),
        )
    };
    check(&known, &[part("NEW")], "Deviates: Newer(61) Given");
    check(&known, &[part("OLD")], "Deviates: Stale(61) Given");
    check(&known, &[part("PRESENT")], "AsPinned: Given");
    check(&known, &[part("BETWEEN")], "Deviates: Foreign Given");
    let whole = note(AGENTS, 1, &body("PRESENT"));
    check(
        &known,
        &[part("NEW"), whole],
        "AsPinned: Superseded(61) Repeated",
    );
}

#[test]
fn a_note_inside_a_file_is_a_part_of_that() {
    let quoting = format!("{}{}\n", body("QUOTING"), note(AGENTS, 1, &body("NEW")));
    let sample = Sample::of(Source::Transcript).file(AGENTS, &quoting);
    let known = known(&[sample.clone(), sample]);
    let mut transcript = Transcript::default();
    transcript.files(&[(AGENTS, quoting.trim())]);
    transcript.request();
    let row = row(&known, Source::Transcript, 1, &transcript.record());
    assert_eq!(outcomes(&row), "AsPinned: Given");
}

#[test]
fn a_text_that_was_given_with_a_file_stays_until_another_stands_behind_it() {
    let sample = |name: &str| Sample::of(Source::Transcript).file_below(BELOW, &body(name));
    let known = known(&[
        sample("OLD"),
        sample("PRESENT"),
        Sample::of(Source::Transcript),
    ]);
    let check = |names: &[&str], pin: usize, expected: &str| {
        let mut transcript = Transcript::default();
        for name in names {
            transcript.files(&[(BELOW, body(name).trim())]);
        }
        transcript.request();
        let row = row(&known, Source::Transcript, pin, &transcript.record());
        assert_eq!(outcomes(&row), expected);
    };
    check(&["OLD"], 1, "Deviates: Stale NotAskedFor");
    check(&["OLD", "PRESENT"], 1, "AsPinned: Superseded Given");
    check(&["PRESENT", "OLD"], 1, "Deviates: Stale Given");
    // The file is gone, and the client does not say so.
    check(&["OLD"], 2, "Deviates: Stale");
}

#[test]
fn the_text_of_a_used_skill_stays_until_another_stands_behind_it() {
    let directory = "/w/project/.claude/skills";
    let sample = |name: &str| {
        Sample::of(Source::Transcript).skill(directory, "deploy", "Deploys", &body(name))
    };
    let known = known(&[sample("OLD"), sample("PRESENT")]);
    let check = |names: &[&str], expected: &str| {
        let mut transcript = Transcript::default();
        transcript.given(&["<system-reminder>\nThe following skills are available for use with the Skill tool:\n\n- deploy: \
                           Deploys\n</system-reminder>"]);
        for name in names {
            let used = format!(
                "Base directory for this skill: {directory}/deploy\n\n{}",
                body(name)
            );
            transcript.given(&[&used]);
        }
        transcript.request();
        let row = row(&known, Source::Transcript, 1, &transcript.record());
        assert_eq!(outcomes(&row), expected);
        let stale = row
            .resources
            .iter()
            .find(|result| result.outcome == Outcome::Stale);
        let path = stale.map(|result| result.path.as_deref().unwrap());
        assert!(path.is_none_or(|path| path.ends_with("deploy/SKILL.md")));
    };
    check(&[], "AsPinned: Given");
    check(&["OLD"], "Deviates: Stale Given");
    check(&["OLD", "PRESENT"], "AsPinned: Superseded Given");
}

#[test]
fn codex_says_that_its_files_are_gone() {
    let none = Sample::of(Source::Rollout);
    let known = known(&[none.clone().file(AGENTS, &body("AGENTS")), none]);
    let gone = of_kind(
        "user",
        "agents_md.instructions",
        "# AGENTS.md instructions\n\n<INSTRUCTIONS>\nThe previously provided AGENTS.md instructions no longer \
         apply.\n</INSTRUCTIONS>",
    );
    let check = |pin: usize, items: &[serde_json::Value], expected: &str| {
        let row = row(&known, Source::Rollout, pin, &rollout(items));
        assert_eq!(outcomes(&row), expected);
        let had = row
            .texts()
            .any(|text| text == *BlobHash::of(body("AGENTS").as_bytes()).bytes());
        assert!(had, "the request has the text all the same");
    };
    let files = codex_files(&body("AGENTS"));
    check(1, std::slice::from_ref(&files), "Deviates: Stale");
    check(1, &[files.clone(), gone.clone()], "AsPinned: Superseded");
    check(1, &[gone.clone(), files.clone()], "Deviates: Stale");
    // The pin says that they apply.
    check(0, &[files.clone(), gone.clone()], "Deviates: Absent");
    check(0, &[files.clone(), gone, files], "AsPinned: Repeated");
}

#[test]
fn a_line_that_is_broken_between_two_turns_is_a_gap_of_the_next() {
    let known = known(&edited(Source::Transcript)[1..2]);
    let line = |text: &str| format!("{text}\n");
    let mut transcript = Transcript::default();
    transcript.files(&[(AGENTS, body("PRESENT").trim())]);
    transcript.request();
    let prompt = |id: &str| {
        let content = json!([{ "type": "text", "text": "Go on." }]);
        let message = json!({ "role": "user", "content": content });
        line(&json!({ "type": "user", "promptId": id, "message": message }).to_string())
    };
    let request = |id: &str| {
        let mut request = transcript.lines.last().unwrap().clone();
        request["id"] = json!(id);
        line(&request.to_string())
    };
    let record = [
        prompt("t1"),
        transcript.record(),
        line("{\"broken"),
        prompt("t2"),
        request("r2"),
        prompt("t3"),
        request("r3"),
    ];
    let mut gaps = Vec::new();
    let mut reading = Reading::new(&known, Source::Transcript);
    let mut tell = |request: &ctxpin_evidence::reading::Request<'_>| {
        gaps.push(format!(
            "{}: {:?}",
            request.turn.unwrap_or("-"),
            request.gaps
        ));
    };
    reading
        .read(&mut record.concat().as_bytes(), &mut tell)
        .unwrap();
    reading.end_turn(&mut tell);
    assert_eq!(gaps, ["t1: []", "t2: [BrokenLine]", "t3: []"]);
}

#[test]
fn an_earlier_text_is_superseded_by_the_present_one_behind_it() {
    let known = known(&edited(Source::Transcript));
    let check = |names: &[&str], expected: &str| {
        let mut transcript = Transcript::default();
        for name in names {
            transcript.files(&[(AGENTS, body(name).trim())]);
        }
        transcript.request();
        let row = row(&known, Source::Transcript, 1, &transcript.record());
        assert_eq!(outcomes(&row), expected);
    };
    check(&["OLD", "PRESENT"], "AsPinned: Superseded Given");
    check(&["PRESENT", "OLD"], "Deviates: Stale Given");
    check(&["OLD"], "Deviates: Stale Absent");
    check(
        &["OLD", "PRESENT", "NEW"],
        "Deviates: Newer Superseded Given",
    );
    check(&["OTHER", "PRESENT"], "AsPinned: Superseded Given");
    check(&["PRESENT", "OTHER"], "Deviates: Foreign Given");
    // Its client may have read a head of which nobody told.
    check(&["NEW", "PRESENT"], "AsPinned: Superseded Given");
    check(&["NEW"], "Deviates: Newer Absent");
}

#[test]
fn a_file_that_the_client_says_to_be_gone_is_superseded() {
    let only = Sample::of(Source::Transcript).file(RULES, &body("RULES"));
    let both = only.clone().file(AGENTS, &body("AGENTS"));
    let known = known(&[both, only]);
    let gone = format!(
        "<system-reminder>\nInstruction files were re-read when this session started; these differ.\n\nContents of {RULES} \
         (x):\n\n{}\n\nInstructions no longer present: {AGENTS}\n</system-reminder>",
        body("RULES").trim()
    );
    let check = |after: &[&str], is_given: bool, expected: &str| {
        let mut transcript = Transcript::default();
        transcript.files(&[
            (AGENTS, body("AGENTS").trim()),
            (RULES, body("RULES").trim()),
        ]);
        match is_given {
            true => transcript.given(after),
            false => transcript.user(after),
        }
        transcript.request();
        let row = row(&known, Source::Transcript, 1, &transcript.record());
        assert_eq!(outcomes(&row), expected);
    };
    check(&[], true, "Deviates: Stale Given");
    check(&[&gone], true, "AsPinned: Superseded Repeated");
    // A person writes it.
    check(&[&gone], false, "Deviates: Stale Given");
}

#[test]
fn the_message_of_codex_replaces_those_before() {
    let known = known(&edited(Source::Rollout));
    let check = |texts: &[String], expected: &str| {
        let mut items: Vec<_> = texts.iter().map(|text| codex_files(text)).collect();
        items.push(said("user", "Hello."));
        let row = row(&known, Source::Rollout, 1, &rollout(&items));
        assert_eq!(outcomes(&row), expected);
    };
    let [old, present, planted] = ["OLD", "PRESENT", "PLANTED"].map(body);
    check(std::slice::from_ref(&present), "AsPinned: Given");
    check(
        &[old.clone(), present.clone()],
        "AsPinned: Superseded Given",
    );
    check(&[format!("{old}\n\n{present}")], "Deviates: Stale Given");
    check(
        &[format!("{planted}\n\n{present}")],
        "Deviates: Foreign Given",
    );
    check(&[planted, present.clone()], "AsPinned: Superseded Given");
    check(
        &[format!("mine\n\n--- project-doc ---\n\n{present}")],
        "Deviates: Foreign Given",
    );
}
