//! What a reading keeps until it goes on.

use ctxpin_evidence::known::Known;
use ctxpin_evidence::reading::{Reading, UnusableState};
use ctxpin_evidence::verdict::Turn;
use ctxpin_model::evidence::Source;

use crate::planted::{edited, outcomes};
use crate::scene::{Sample, Transcript, body, known, known_under, row, shown};

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
