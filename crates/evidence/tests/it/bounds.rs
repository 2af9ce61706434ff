//! Every record takes steps in proportion to its length, and memory within bounds.

use ctxpin_evidence::reading::Reading;
use ctxpin_evidence::verdict::Turn;
use ctxpin_model::evidence::{Gap, Source};
use serde_json::json;

use crate::scene::{Sample, Transcript, body, known};

/// Returns how many steps a byte of a record takes.
fn steps_per_byte(source: Source, samples: &[Sample], record: &str) -> u64 {
    let known = known(samples);
    let mut reading = Reading::new(&known, source);
    let mut turn = Turn::new(&known, source, Some(0));
    reading
        .read(&mut record.as_bytes(), &mut |request| turn.add(request))
        .unwrap();
    let row = turn.row();
    if row.requests > 0 {
        row.checked().unwrap();
    }
    reading.steps() / record.len() as u64
}

#[test]
fn a_record_takes_steps_in_proportion_to_its_length() {
    let plain = Sample::of(Source::Transcript).file("/w/project/AGENTS.md", &body("AGENTS"));
    for size in [100, 800] {
        // Many frames, of which none ends.
        let mut frames = Transcript::default();
        let texts = (0..size)
            .map(|n| format!("Contents of /w/project/{n}.md:\n\nx{n}\n"))
            .collect::<String>();
        frames.given(&[&format!("<system-reminder>\n{texts}</system-reminder>")]);
        frames.request();
        assert!(
            steps_per_byte(
                Source::Transcript,
                std::slice::from_ref(&plain),
                &frames.record()
            ) < 10
        );
        // Many requests that keep all messages of the one before.
        let mut requests = Transcript::default();
        for number in 0..size {
            let name = format!("/w/project/{number}.md");
            requests.files(&[
                (&name, "foreign"),
                ("/w/project/AGENTS.md", body("AGENTS").trim()),
            ]);
        }
        requests.request();
        let mut record = requests.record();
        let mut next = requests.lines.last().unwrap().clone();
        next["tail"] = json!([]);
        for number in 2..size {
            next["base"] = json!(format!("request-{}", number - 1));
            next["id"] = json!(format!("request-{number}"));
            next["keep"] = json!(size);
            record += &format!("{next}\n");
        }
        assert!(steps_per_byte(Source::Transcript, std::slice::from_ref(&plain), &record) < 60);
    }
}

#[test]
fn texts_made_to_collide_take_no_more() {
    let text = |length: usize| format!("{}b", "a".repeat(length));
    let hostile = (0..200).fold(Sample::of(Source::Transcript), |sample, number| {
        sample.file(&format!("/w/project/{number}.md"), &text(64 + number))
    });
    for size in [1_000, 8_000] {
        let mut transcript = Transcript::default();
        transcript.files(&[("/w/project/1.md", &"a".repeat(size))]);
        transcript.result(&"a".repeat(size));
        transcript.request();
        assert!(
            steps_per_byte(
                Source::Transcript,
                std::slice::from_ref(&hostile),
                &transcript.record()
            ) < 250
        );
    }
}

#[test]
fn a_row_is_bounded_and_the_worst_comes_first() {
    let known =
        known(&[Sample::of(Source::Transcript).file("/w/project/AGENTS.md", &body("AGENTS"))]);
    let mut transcript = Transcript::default();
    let files: Vec<_> = (0..3_000)
        .map(|number| {
            (
                format!("/w/project/{}{number}.md", "deep/".repeat(40)),
                format!("foreign {number}"),
            )
        })
        .collect();
    let files: Vec<_> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    transcript.files(&files);
    transcript.request();
    let mut reading = Reading::new(&known, Source::Transcript);
    let mut turn = Turn::new(&known, Source::Transcript, Some(0));
    let record = transcript.record();
    reading
        .read(&mut record.as_bytes(), &mut |request| turn.add(request))
        .unwrap();
    let row = turn.row();
    let size = row.canonical_json().len();
    assert!(size <= 256 * 1024, "{size}");
    assert_eq!(row.resources.len() as u64 + row.left_out, 3_001);
    assert_eq!(row.first_different, Some(1));
}

#[test]
fn a_long_record_is_kept_small() {
    let known =
        known(&[Sample::of(Source::Transcript).file("/w/project/AGENTS.md", &body("AGENTS"))]);
    let mut transcript = Transcript::default();
    transcript.files(&[("/w/project/AGENTS.md", body("AGENTS").trim())]);
    transcript.request();
    let head = transcript.record();
    let row = json!({
        "type": "assistant", "message": { "role": "assistant", "id": "message-1", "content": "x".repeat(100_000) },
    });
    let record = head + &format!("{row}\n").repeat(100);
    let mut reading = Reading::new(&known, Source::Transcript);
    reading.read(&mut record.as_bytes(), &mut |_| ()).unwrap();
    let state = serde_json::to_string(reading.state()).unwrap();
    assert!(
        record.len() > 10_000_000 && state.len() < 30_000,
        "{}",
        state.len()
    );
}

#[test]
fn a_request_with_more_findings_than_are_kept_is_not_whole() {
    let known =
        known(&[Sample::of(Source::Transcript).file("/w/project/AGENTS.md", &body("AGENTS"))]);
    let mut transcript = Transcript::default();
    let texts: Vec<_> = (0..5_000)
        .map(|number| format!("{number}: {}", body("AGENTS")))
        .collect();
    let texts: Vec<_> = texts.iter().map(String::as_str).collect();
    for text in &texts {
        transcript.row("user", text);
    }
    transcript.in_rows(&texts);
    transcript.request();
    let mut told = Vec::new();
    let mut reading = Reading::new(&known, Source::Transcript);
    reading
        .read(&mut transcript.record().as_bytes(), &mut |request| {
            told.push((request.found.len(), request.gaps.clone()));
        })
        .unwrap();
    assert_eq!(told, [(4_096, vec![Gap::TooMuch])]);
}

#[test]
fn a_request_after_more_messages_than_are_kept_is_not_whole() {
    let known = known(&[Sample::of(Source::Plugin).file("/w/project/AGENTS.md", &body("AGENTS"))]);
    let line = |text: &str| {
        let line = json!({ "type": "system", "request": text, "texts": [text] });
        format!("{line}\n")
    };
    let record: String = (0..200_001)
        .map(|number| line(&number.to_string()))
        .collect();
    let mut told = Vec::new();
    let mut reading = Reading::new(&known, Source::Plugin);
    reading
        .read(&mut record.as_bytes(), &mut |request| {
            told.push(request.gaps.clone());
        })
        .unwrap();
    assert_eq!(told.len(), 200_001);
    let (last, before) = told.split_last().unwrap();
    assert!(before.iter().all(Vec::is_empty));
    assert_eq!(*last, [Gap::TooMuch]);
}
