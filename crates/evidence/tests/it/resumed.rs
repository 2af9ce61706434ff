//! What a reading keeps until it goes on.

use ctxpin_evidence::known::Known;
use ctxpin_evidence::reading::{Reading, UnusableState};
use ctxpin_evidence::verdict::Turn;
use ctxpin_model::evidence::Source;
use serde_json::{Value, json};

use crate::planted::{AGENTS, edited, outcomes};
use crate::scene::{Sample, Transcript, body, known, known_under, reminder, row, shown};

#[test]
fn findings_are_about_the_texts_that_were_known() {
    let samples = edited(Source::Transcript);
    let before = known(&samples[..2]);
    let state = Reading::new(&before, Source::Transcript).state().clone();
    assert!(Reading::resume(&known(&samples[..2]), state.clone()).is_ok());
    let refused = |changed: &Known| {
        let refused = Reading::resume(changed, state.clone());
        assert_eq!(refused.err(), Some(UnusableState::Known));
    };
    refused(&known(&samples));
    refused(&known_under(8, &samples[..2]));
    // A path is named relative to another root.
    let mut moved = samples.clone();
    moved[0].snapshot.facts.directory = Some("/w".into());
    refused(&known(&moved[..2]));
}

#[test]
fn findings_are_about_the_skills_that_were_known() {
    // Only the names say which skill is which.
    let sample = |names: [&str; 2]| {
        let mut sample = Sample::of(Source::Transcript);
        for directory in ["/w/project/a", "/w/project/b"] {
            sample = sample.skill(directory, "deploy", "Deploys", &body("SKILL"));
        }
        for (resource, name) in sample.snapshot.resources.iter_mut().zip(names) {
            resource.name = Some(name.to_owned());
        }
        sample
    };
    let before = known(&[sample(["ship", "land"])]);
    let state = Reading::new(&before, Source::Transcript).state().clone();
    let swapped = known(&[sample(["land", "ship"])]);
    let refused = Reading::resume(&swapped, state);
    assert_eq!(refused.err(), Some(UnusableState::Known));
}

#[test]
fn a_message_that_was_said_before_is_found_after_a_resumption() {
    let skills = "/w/project/.claude/skills";
    let known =
        known(&[Sample::of(Source::Transcript).skill(skills, "ship", "Ships", &body("SHIP"))]);
    let used = format!(
        "Base directory for this skill: {skills}/ship\n\n{}",
        body("SHIP")
    );
    let mut transcript = Transcript::default();
    transcript.attached(&used);
    transcript.row("assistant", "Yes.");
    transcript.attached(&used);
    let kept = transcript.record().len();
    transcript.row("user", "Go.");
    transcript.in_rows(&[&used, "Go."]);
    transcript.request();
    let record = transcript.record();
    let expected = row(&known, Source::Transcript, 0, &record);

    let mut reading = Reading::new(&known, Source::Transcript);
    reading
        .read(&mut &record.as_bytes()[..kept], &mut |_| ())
        .unwrap();
    let state = reading.state().clone();
    let from = usize::try_from(state.offset()).unwrap();
    let mut reading = Reading::resume(&known, state).unwrap();
    let mut turn = Turn::new(&known, Source::Transcript, Some(0));
    reading
        .read(&mut &record.as_bytes()[from..], &mut |request| {
            turn.add(request);
        })
        .unwrap();
    assert_eq!(shown(&turn.row()), shown(&expected));
    assert_eq!(outcomes(&expected), "AsPinned: Given");
}

/// Returns what became of the file of a transcript that is read in two portions, the first of which ends at `cut`.
fn outcomes_in_portions(known: &Known, record: &str, cut: usize) -> String {
    let mut turn = Turn::new(known, Source::Transcript, Some(1));
    let mut reading = Reading::new(known, Source::Transcript);
    let read = reading.read(&mut &record.as_bytes()[..cut], &mut |request| {
        turn.add(request);
    });
    read.unwrap();
    let state = serde_json::to_string(reading.state()).unwrap();
    let mut reading = Reading::resume(known, serde_json::from_str(&state).unwrap()).unwrap();
    let from = usize::try_from(reading.state().offset()).unwrap();
    let read = reading.read(&mut &record.as_bytes()[from..], &mut |request| {
        turn.add(request);
    });
    read.unwrap();
    reading.end_turn(&mut |request| turn.add(request));
    outcomes(&turn.row())
}

#[test]
fn a_text_is_the_client_s_if_it_says_so_between_the_request_and_the_answer() {
    let known = known(&edited(Source::Transcript));
    let old = reminder(&[(AGENTS, body("OLD").trim())]);
    let present = body("PRESENT").lines().zip(1..).fold(
        format!(
            "Note: {AGENTS} changed on disk since you last read it. (shown with line numbers):"
        ),
        |note, (line, number)| format!("{note}\n{number}\t{line}"),
    );
    let listed = format!(
        "{present}\n\nThe following skills are available for use with the Skill tool:\n\n- x: X"
    );
    // Of what the client says behind the request, so many lines stand before it.
    for before in 0..=2 {
        for is_prompt_late in [false, true] {
            let mut transcript = Transcript::default();
            let mut at = 0;
            let mut stamp = |transcript: &mut Transcript| {
                at += 1;
                let line: &mut Value = transcript.lines.last_mut().unwrap();
                line["timestamp"] = json!(format!("2026-11-28T16:20:{at:02}.000Z"));
            };
            transcript.row("assistant", "Yes.");
            stamp(&mut transcript);
            transcript.row("user", "Go.");
            stamp(&mut transcript);
            let prompt = transcript.lines.pop().unwrap();
            let add_prompt = |transcript: &mut Transcript, is_here: bool| {
                transcript.lines.extend(is_here.then(|| prompt.clone()));
            };
            add_prompt(&mut transcript, !is_prompt_late);
            let give = |transcript: &mut Transcript, number: usize| match number {
                0 => transcript.attached(&old),
                _ => transcript
                    .attached(&format!("<system-reminder>\n{present}\n</system-reminder>")),
            };
            for number in 0..before {
                give(&mut transcript, number);
            }
            transcript.user(&[&old, "Go."]);
            transcript.message("system", json!([{ "type": "text", "text": listed }]));
            transcript.request();
            stamp(&mut transcript);
            add_prompt(&mut transcript, is_prompt_late);
            for number in before..2 {
                give(&mut transcript, number);
            }
            transcript.row("assistant", "Done.");
            stamp(&mut transcript);
            let record = transcript.record();
            let cuts = record.match_indices('\n').map(|(at, _)| at + 1);
            for cut in cuts.chain([0]) {
                assert_eq!(
                    outcomes_in_portions(&known, &record, cut),
                    "AsPinned: Superseded Given",
                    "{before} {is_prompt_late} {cut}"
                );
            }
        }
    }
}
