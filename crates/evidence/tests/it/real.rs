//! Records that real clients wrote, beside what the program in place of their model received.

use std::collections::BTreeMap;

use ctxpin_evidence::findings::What;
use ctxpin_evidence::known::Known;
use ctxpin_evidence::reading::{Reading, Request, parent};
use ctxpin_evidence::verdict::Turn;
use ctxpin_model::evidence::Source;

use crate::scene::{PROJECT, Sample, known, shown};

/// A record with what it is of.
struct Record {
    name: &'static str,
    source: Source,
    text: &'static str,
    received: &'static str,
    parent: Option<&'static str>,
}

macro_rules! record {
    ($name:literal, $source:ident $(, $parent:literal)?) => {
        Record {
            name: $name,
            source: Source::$source,
            text: include_str!(concat!("../testdata/", $name, ".jsonl")),
            received: include_str!(concat!("../testdata/", $name, ".received.txt")),
            parent: [$(include_str!(concat!("../testdata/", $parent, ".jsonl")))?].first().copied(),
        }
    };
}

const RECORDS: [Record; 15] = [
    record!("claude-code-2.1.332-session", Transcript),
    record!("claude-code-2.1.332-fork", Transcript),
    record!("claude-code-2.1.332-subagent", Transcript),
    record!("claude-code-2.1.332-reminders-session", Transcript),
    record!("claude-code-2.1.332-reminders-fork", Transcript),
    record!("claude-code-2.1.332-reminders-subagent", Transcript),
    record!("claude-code-2.1.307-session", Transcript),
    record!("claude-code-2.1.307-fork", Transcript),
    record!("claude-code-2.1.307-subagent", Transcript),
    record!("codex-0.171.0-session", Rollout),
    record!("codex-0.171.0-subagent", Rollout),
    record!("codex-0.171.0-fork", Rollout, "codex-0.171.0-session"),
    record!("codex-0.150.0-session", Rollout),
    record!("codex-0.150.0-subagent", Rollout),
    record!("codex-0.150.0-fork", Rollout, "codex-0.150.0-session"),
];

/// The workspace before and after the edit of its `AGENTS.md`.
fn workspace(source: Source) -> Known {
    let texts = [
        "use tabs.",
        "use spaces, and this line is longer than sixty-four bytes for the window.",
    ];
    let snapshots = [1, 2].map(|version| {
        let text = texts[version - 1];
        let sample = Sample::of(source);
        let sample = match source {
            Source::Transcript => sample
                .file_below(
                    "/w/project/sub/CLAUDE.md",
                    "# Sub claude\n\nMARK-SUB-CLAUDE: this file lies below and is longer than a window of sixty-four bytes.\n",
                )
                .skill(
                    "/w/project/.claude/skills",
                    "proj-skill",
                    "MARK-SKILL-DESC-v1 does a thing",
                    "\n# Body\nMARK-SKILL-BODY-v1\n",
                ),
            Source::Rollout | Source::Plugin => {
                let mut sample = sample.file(
                    "/home/ada/.codex/AGENTS.md",
                    "# Mine\n\nMARK-HOME: this is the file of the home directory of Codex, long enough for a window.\n",
                );
                let home = sample.snapshot.resources.last_mut().unwrap();
                home.root = Some("/home/ada/.codex".into());
                let skills = "/w/project/.agents/skills";
                let does = "MARK-AGSKILL-DESC-v1 does a thing";
                let long = format!("MARK-LONG{}", " word".repeat(150));
                sample
                    .skill(skills, "agents-skill", does, "\n# Body\nMARK-AGSKILL-BODY-v1\n")
                    .skill(skills, "long-skill", &long, "")
                    .skill(skills, "x-skill", does, "")
            }
        };
        sample.file(
            &format!("{PROJECT}/AGENTS.md"),
            &format!(
                "# Agents file\n\nMARK-AGENTS-ROOT-v{version}: {text}\n\n- item \"quoted\" & <tag> café\n"
            ),
        )
    });
    known(&snapshots)
}

fn reading<'k>(known: &'k Known, record: &Record) -> Reading<'k> {
    let mut reading = Reading::new(known, record.source);
    if let Some(text) = record.parent {
        let first = record.text.lines().next().unwrap();
        assert_eq!(parent(first.as_bytes()).unwrap().session, "session-2");
        reading.read_parent(&mut text.as_bytes()).unwrap();
    }
    reading
}

/// Returns the messages of a request that have a text, as the list of what was received states them.
fn messages(request: &Request<'_>) -> String {
    let found = request.found.iter();
    let texts = found.filter(|found| matches!(found.finding.what, What::Text { .. }));
    let messages = texts.map(|found| {
        let said = if found.finding.is_instruction {
            ""
        } else {
            "(said)"
        };
        format!(" {}{said}", found.message)
    });
    let text: String = messages.collect();
    format!("{}:{}\n", request.number, text)
}

#[test]
fn a_record_says_what_was_received() {
    for record in &RECORDS {
        let known = workspace(record.source);
        let mut told = String::new();
        let mut read = reading(&known, record);
        let each = &mut |request: &Request<'_>| told += &messages(request);
        read.read(&mut record.text.as_bytes(), each).unwrap();
        assert_eq!(told, record.received, "{}", record.name);
        assert_eq!(read.state().lines().broken, 0, "{}", record.name);
    }
}

#[test]
fn each_turn_has_a_verdict() {
    let mut text = String::new();
    for record in &RECORDS {
        let known = workspace(record.source);
        // The turns after the edit have the second snapshot as their pin, because the client was started again.
        let is_first = record.name.ends_with("session");
        let mut turns: BTreeMap<(u64, String), Turn<'_>> = BTreeMap::new();
        let mut numbers: Vec<String> = Vec::new();
        let each = &mut |request: &Request<'_>| {
            let name = request.turn.unwrap_or("no turn").to_owned();
            if !numbers.contains(&name) {
                numbers.push(name.clone());
            }
            let number = numbers.iter().position(|known| *known == name).unwrap() as u64;
            let pin = usize::from(!(is_first && number < 2));
            let turn = || Turn::new(&known, record.source, Some(pin));
            turns
                .entry((number, name))
                .or_insert_with(turn)
                .add(request);
        };
        let mut read = reading(&known, record);
        read.read(&mut record.text.as_bytes(), each).unwrap();
        for ((_, name), turn) in turns {
            text += &format!("{} {name}: {}", record.name, shown(&turn.row()));
        }
    }
    insta::with_settings!({ snapshot_path => "../golden", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("turns", text);
    });
}

#[test]
fn a_reading_goes_on_after_any_line() {
    for record in RECORDS.iter().filter(|record| record.parent.is_none()) {
        let known = workspace(record.source);
        let mut whole = Reading::new(&known, record.source);
        let mut expected = String::new();
        let each = &mut |request: &Request<'_>| expected += &messages(request);
        whole.read(&mut record.text.as_bytes(), each).unwrap();
        let mut state = Reading::new(&known, record.source).state().clone();
        let mut told = String::new();
        let mut end = 0;
        for line in record.text.split_inclusive('\n') {
            // A line that is not complete yet is read when it is.
            for length in [line.len() / 2, line.len()] {
                let kept = serde_json::to_string(&state).unwrap();
                let kept = serde_json::from_str(&kept).unwrap();
                let mut read = Reading::resume(&known, kept).unwrap();
                let from = state.offset() as usize;
                let text = &record.text.as_bytes()[from..end + length];
                let each = &mut |request: &Request<'_>| told += &messages(request);
                read.read(&mut &text[..], each).unwrap();
                state = read.state().clone();
            }
            end += line.len();
        }
        assert_eq!(told, expected, "{}", record.name);
        assert_eq!(state, *whole.state(), "{}", record.name);
        assert_eq!(state.session(), Some("session-1"), "{}", record.name);
    }
}

#[test]
fn a_fork_without_its_parent_is_not_whole() {
    let fork = &RECORDS[11];
    let known = workspace(fork.source);
    let mut turn = Turn::new(&known, fork.source, Some(1));
    let mut read = Reading::new(&known, fork.source);
    read.read(&mut fork.text.as_bytes(), &mut |request| turn.add(request))
        .unwrap();
    assert_eq!(
        shown(&turn.row()).lines().next(),
        Some("Incomplete, 0 of 1 whole, [ParentNotRead]")
    );
}
