//! No text of a record leaves: not in a state, not in a row.

use ctxpin_model::evidence::Source;
use serde_json::{Value, json};

use crate::scene::{
    Sample, Transcript, body, codex_files, known, of_kind, reminder, rollout, said, told_of,
};

/// What must not leave. It is all around what may.
const SENTINEL: &str = "sentinel";

/// Returns everything that a reading of a record keeps and tells, as JSON.
fn told(source: Source, record: &str) -> String {
    let sample = Sample::of(source)
        .file("/w/project/AGENTS.md", &body("AGENTS"))
        .skill(
            "/w/project/.claude/skills",
            "deploy",
            "Deploys",
            &body("SKILL"),
        );
    let known = known(&[sample]);
    told_of(&known, source, record, 1)
}

fn check(source: Source, record: &str) {
    assert!(record.matches(SENTINEL).count() > 8);
    let told = told(source, record).to_lowercase();
    let place = told.find(SENTINEL);
    let around = place.map(|at| &told[at.saturating_sub(100)..(at + 100).min(told.len())]);
    assert_eq!(around, None);
}

#[test]
fn nothing_of_a_transcript_leaves() {
    let mut transcript = Transcript::default();
    let planted = format!("{SENTINEL} in a file that is in no snapshot");
    let grown = format!("{}{SENTINEL} behind a text", body("AGENTS"));
    transcript.files(&[
        ("/w/project/AGENTS.md", &grown),
        ("/w/project/planted.md", &planted),
        (&format!("/w/{SENTINEL}/deep/CLAUDE.md"), &planted),
    ]);
    transcript.user(&[&format!("{SENTINEL} in a prompt")]);
    transcript.given(&[
        &format!("Base directory for this skill: /w/project/.claude/skills/deploy\n\n{SENTINEL} in a skill"),
        &format!("<system-reminder>\nThe following skills are available for use with the Skill tool:\n\n- deploy: {SENTINEL}\n- {SENTINEL}: x\n</system-reminder>"),
    ]);
    transcript.result(&format!(
        "{SENTINEL} in a result\n\n{}",
        reminder(&[("/w/project/AGENTS.md", &planted)])
    ));
    transcript.message(
        "assistant",
        json!([{ "type": "tool_use", "id": SENTINEL, "name": SENTINEL, "input": { SENTINEL: SENTINEL } }]),
    );
    transcript.request();
    for line in &mut transcript.lines {
        line[SENTINEL] = json!(SENTINEL);
        line["version"] = json!(SENTINEL);
        line["querySource"] = json!(SENTINEL);
    }
    // What is no id is not kept as one.
    let not_an_id = format!("an id with blanks and {SENTINEL}");
    let request = transcript.lines.last_mut().unwrap();
    request["sessionId"] = json!(not_an_id);
    transcript.lines.insert(0, json!({
        "type": "user", "promptId": not_an_id, "message": { "role": "user", "content": SENTINEL },
    }));
    let record = format!(
        "{{\"{SENTINEL}\": broken\n{}{{\"type\": \"{SENTINEL}\"}}\n{{\"{SENTINEL}",
        transcript.record()
    );
    check(Source::Transcript, &record);
}

#[test]
fn nothing_of_a_rollout_leaves() {
    let items = [
        of_kind(
            "developer",
            "host_skills.instructions",
            &format!("### Available skills\n- deploy: {SENTINEL}\n- {SENTINEL}: x\n"),
        ),
        codex_files(&format!(
            "{SENTINEL} of the home\n\n--- project-doc ---\n\n{}{SENTINEL}",
            body("AGENTS")
        )),
        of_kind(
            "user",
            "skills.selected_skill_instructions",
            &format!(
                "<skill>\n<name>deploy</name>\n<path>/w/project/.claude/skills/deploy/SKILL.md</path>\n{SENTINEL}\n</skill>"
            ),
        ),
        said("user", SENTINEL),
        json!({ "type": "function_call", "name": SENTINEL, "arguments": SENTINEL, "call_id": SENTINEL }),
        json!({ "type": "function_call_output", "output": { SENTINEL: [SENTINEL] }, "call_id": SENTINEL }),
    ];
    let record = format!("{SENTINEL} broken\n{}", rollout(&items));
    let record = record.replace(
        "\"session-1\"",
        &format!("\"a session with blanks and {SENTINEL}\""),
    );
    check(Source::Rollout, &record);
}

#[test]
fn nothing_of_a_plugin_leaves() {
    let added = [
        SENTINEL.to_owned(),
        format!(
            "x\n<system-reminder>\nInstructions from: /w/project/AGENTS.md\n{SENTINEL}\n</system-reminder>"
        ),
    ];
    let lines: [Value; 2] = [
        json!({ "type": SENTINEL, "session": SENTINEL }),
        json!({
            "type": "system", "session": format!("no id: {SENTINEL}"), "turn": format!("no id: {SENTINEL}"), "request": "1",
            "texts": [SENTINEL, format!("\nInstructions from: /{SENTINEL}/AGENTS.md\n{SENTINEL}\n")], "added": added,
        }),
    ];
    let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
    check(Source::Plugin, &format!("{SENTINEL} broken\n{lines}"));
}
