//! Turns whose pin nobody has confirmed, and the snapshots that their requests show.

use ctxpin_evidence::candidates::Candidates;
use ctxpin_evidence::reading::Reading;
use ctxpin_model::evidence::{Source, Verdict};
use serde_json::json;

use crate::planted::AGENTS;
use crate::scene::{Sample, Transcript, body, codex_files, known, rollout};

const RULES: &str = "/w/project/.claude/rules/rules.md";

/// Checks which snapshot a record shows if the turn's pin is the first one, and the others are the likeliest first.
fn check(source: Source, samples: &[Sample], record: &str, expected: (Option<usize>, Verdict)) {
    let known = known(samples);
    let mut turn = Candidates::new(&known, source, 0, 1..samples.len());
    let mut reading = Reading::new(&known, source);
    reading
        .read(&mut record.as_bytes(), &mut |request| turn.add(request))
        .unwrap();
    let (row, shown) = turn.row();
    assert_eq!((shown, row.verdict), expected);
}

fn sample(agents: &str) -> Sample {
    Sample::of(Source::Transcript).file(AGENTS, &body(agents))
}

fn transcript(build: impl FnOnce(&mut Transcript)) -> String {
    let mut transcript = Transcript::default();
    build(&mut transcript);
    transcript.request();
    transcript.record()
}

/// Returns a transcript whose request has these files, trimmed.
fn with(files: &[(&str, &str)]) -> String {
    let texts: Vec<_> = files
        .iter()
        .map(|(path, name)| (*path, body(name)))
        .collect();
    let texts: Vec<_> = texts
        .iter()
        .map(|(path, text)| (*path, text.trim()))
        .collect();
    transcript(|transcript| transcript.files(&texts))
}

#[test]
fn requests_show_the_pin_or_another_snapshot() {
    let samples = [sample("NEW"), sample("READ"), sample("OLD")];
    let check = |record: &str, expected| check(Source::Transcript, &samples, record, expected);
    check(&with(&[(AGENTS, "NEW")]), (Some(0), Verdict::AsPinned));
    check(&with(&[(AGENTS, "READ")]), (Some(1), Verdict::AsPinned));
    check(&with(&[(AGENTS, "OLD")]), (Some(2), Verdict::AsPinned));
    // What nobody has pushed, and what a snapshot does not have.
    check(&with(&[(AGENTS, "OTHER")]), (None, Verdict::Deviates));
    check(
        &with(&[(AGENTS, "READ"), (RULES, "MORE")]),
        (None, Verdict::Deviates),
    );
    check(&with(&[]), (None, Verdict::Deviates));
}

#[test]
fn every_request_must_have_it() {
    let samples = [sample("NEW"), sample("READ")];
    let [new, read] = ["NEW", "READ"].map(body);
    let both = transcript(|transcript| {
        transcript.files(&[(AGENTS, read.trim())]);
        transcript.request();
        transcript.files(&[(AGENTS, new.trim())]);
    });
    check(
        Source::Transcript,
        &samples,
        &both,
        (None, Verdict::Deviates),
    );
    // A request that the record does not hold whole shows nothing.
    let part = with(&[(AGENTS, "READ")]);
    let part = part.replace("\"tail\":[", &format!("\"tail\":[\"{}\",", "0".repeat(64)));
    let known = known(&samples);
    let mut turn = Candidates::new(&known, Source::Transcript, 0, [1]);
    let mut reading = Reading::new(&known, Source::Transcript);
    let read = reading.read(&mut part.as_bytes(), &mut |request| turn.add(request));
    read.unwrap();
    assert_eq!(turn.row().1, None);
}

#[test]
fn the_likeliest_is_shown_if_what_was_due_is_the_same() {
    let below = |name: &str| sample("READ").file_below("/w/project/sub/CLAUDE.md", &body(name));
    let samples = [sample("NEW"), below("ONE"), below("TWO")];
    let read = with(&[(AGENTS, "READ")]);
    check(
        Source::Transcript,
        &samples,
        &read,
        (Some(1), Verdict::AsPinned),
    );
    // A file for certain files that was given tells them apart.
    let two = body("TWO");
    let used = transcript(|transcript| {
        transcript.files(&[(AGENTS, body("READ").trim())]);
        transcript.result("a file");
        let reminder = format!(
            "<system-reminder>\nContents of /w/project/sub/CLAUDE.md:\n\n{}\n\n</system-reminder>",
            two.trim()
        );
        transcript.given(&[&reminder]);
    });
    check(
        Source::Transcript,
        &samples,
        &used,
        (Some(2), Verdict::AsPinned),
    );
}

#[test]
fn what_an_earlier_turn_was_given_for_certain_files_shows_nothing() {
    let below = |name: &str| sample("READ").file_below("/w/project/sub/CLAUDE.md", &body(name));
    let samples = [below("NEW"), below("OLD")];
    let record = |is_of_before: bool| {
        transcript(|transcript| {
            transcript.files(&[(AGENTS, body("READ").trim())]);
            let answer = |transcript: &mut Transcript| {
                let text = json!([{ "type": "text", "text": "Done." }]);
                transcript.message("assistant", text);
            };
            if !is_of_before {
                transcript.request();
            }
            answer(transcript);
            let text = body("OLD");
            transcript.given(&[&format!(
                "<system-reminder>\nContents of /w/project/sub/CLAUDE.md:\n\n{}\n\n</system-reminder>",
                text.trim()
            )]);
            if is_of_before {
                answer(transcript);
                transcript.user(&["Go on."]);
            }
        })
    };
    let check = |record: &str, expected| check(Source::Transcript, &samples, record, expected);
    check(&record(true), (None, Verdict::Deviates));
    check(&record(false), (Some(1), Verdict::AsPinned));
}

#[test]
fn a_part_of_an_edited_file_does_not_show_it() {
    let long = |name: &str| {
        let lines = (1..=40).map(|number| format!("Rule {number} is as it was.\n"));
        format!("{name} comes first.\n{}", lines.collect::<String>())
    };
    let sample = |name: &str| Sample::of(Source::Transcript).file(AGENTS, &long(name));
    let samples = [sample("NEW"), sample("READ")];
    let record = |lines: usize| {
        transcript(|transcript| {
            transcript.files(&[(AGENTS, long("READ").trim())]);
            let new = long("NEW");
            let shown = new.lines().take(lines).zip(1..);
            let shown: Vec<_> = shown
                .map(|(line, number)| format!("{number}\t{line}"))
                .collect();
            let note = format!(
                "Note: {AGENTS} changed on disk since you last read it. Here are the relevant changes (shown with line \
                 numbers):\n{}",
                shown.join("\n")
            );
            transcript.attached(&note);
            transcript.message("system", json!([{ "type": "text", "text": note }]));
        })
    };
    let check = |record: &str, expected| check(Source::Transcript, &samples, record, expected);
    check(&record(9), (None, Verdict::Deviates));
    // The model has all of it, behind what it replaces.
    check(&record(41), (Some(0), Verdict::AsPinned));
}

#[test]
fn nothing_is_shown_if_nobody_can_tell_which() {
    // Codex joins the files of a project without their paths.
    let codex = |files: &[(&str, &str)]| {
        let files = files.iter();
        files.fold(Sample::of(Source::Rollout), |sample, (path, name)| {
            sample.file(&format!("/w/project/{path}"), &body(name))
        })
    };
    let record = rollout(&[codex_files(body("READ").trim_end())]);
    let pin = codex(&[("AGENTS.md", "NEW")]);
    let moved = [
        pin.clone(),
        codex(&[("AGENTS.md", "READ")]),
        codex(&[("AGENTS.override.md", "READ")]),
    ];
    check(Source::Rollout, &moved, &record, (None, Verdict::Deviates));
    let one = [pin, codex(&[("AGENTS.md", "READ")])];
    check(Source::Rollout, &one, &record, (Some(1), Verdict::AsPinned));
    // The pin's text is under two paths: the row stays, and the pin is not confirmed.
    let twice = [
        codex(&[("AGENTS.md", "READ")]),
        codex(&[("AGENTS.override.md", "READ")]),
    ];
    check(Source::Rollout, &twice, &record, (None, Verdict::AsPinned));
}

#[test]
fn a_list_of_skills_shows_a_snapshot() {
    let skilled =
        |description: &str| sample("A").skill("/w/project/.claude/skills", "pdf", description, "");
    let samples = [
        skilled("Reads PDF files, also those with forms."),
        skilled("Writes reports."),
    ];
    let listed = |description: &str| {
        transcript(|transcript| {
            transcript.files(&[(AGENTS, body("A").trim())]);
            let list = format!(
                "<system-reminder>\nThe following skills are available for use with the Skill tool:\n\n- pdf: {description}\n</system-reminder>"
            );
            transcript.given(&[&list]);
        })
    };
    let check = |record: &str, expected| check(Source::Transcript, &samples, record, expected);
    check(&listed("Writes reports."), (Some(1), Verdict::AsPinned));
    check(&listed("Sends mail."), (None, Verdict::Deviates));
    // Without a list, nobody can tell.
    check(&with(&[(AGENTS, "A")]), (None, Verdict::AsPinned));
}
