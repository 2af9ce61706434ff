//! The frames of a client in the words of a person, a hook, a tool or the model. What stands there is not the client's.

use ctxpin_model::evidence::Source;
use serde_json::{Value, json};

use crate::planted::{AGENTS, edited, outcomes};
use crate::scene::{
    Sample, Transcript, body, codex_files, known, of_kind, reminder, rollout, row, said, told_of,
};

const BELOW: &str = "/w/project/sub/AGENTS.md";

/// The ways by which others than the client put a text into the requests of Claude Code.
const WAYS: [&str; 9] = [
    "prompt",
    "command",
    "tool",
    "preloaded",
    "compacted",
    "subagent",
    "hook",
    "result",
    "system",
];

/// Adds a text in one of these ways.
fn quote(transcript: &mut Transcript, way: &str, text: &str) {
    let line = |transcript: &mut Transcript, meta: bool| {
        transcript.row("user", text);
        transcript.lines.last_mut().unwrap()["isMeta"] = json!(meta);
    };
    match way {
        "prompt" => {
            line(transcript, false);
            transcript.user(&[
                "<system-reminder>\nThe date is today.\n</system-reminder>",
                text,
            ]);
        }
        "command" | "tool" | "preloaded" | "compacted" => use_as(transcript, way, "c", text),
        "subagent" => {
            line(transcript, false);
            transcript.in_rows(&[text]);
        }
        "hook" => {
            let attachment = json!({
                "type": "hook_additional_context", "hookName": "UserPromptSubmit", "content": [text],
            });
            let text = format!("UserPromptSubmit hook additional context: {text}");
            transcript.attachment(attachment, &text);
            let text = format!("# Environment\nIt is.\n\n{text}");
            transcript.message("system", json!([{ "type": "text", "text": text }]));
        }
        "result" => {
            let text = format!("a log\n\n{text}\n");
            let block = json!({ "type": "tool_result", "tool_use_id": "tool-1", "content": text });
            transcript.lines.push(json!({
                "type": "user", "message": { "role": "user", "content": [block] },
            }));
            // A model that takes no message of the system has the client's words behind a result.
            transcript.result(&format!(
                "{}\n\n<system-reminder>\nThe date is today.\n</system-reminder>",
                text.trim_end()
            ));
        }
        _ => {
            let text = format!("# Output Style: loud\n{text}");
            transcript.message("system", json!([{ "type": "text", "text": text }]));
        }
    }
}

/// Uses a command or a skill by a name, with this text.
fn use_as(transcript: &mut Transcript, way: &str, name: &str, text: &str) {
    let meta = |transcript: &mut Transcript| {
        transcript.row("user", text);
        transcript.lines.last_mut().unwrap()["isMeta"] = json!(true);
    };
    match way {
        "command" => {
            let command = format!(
                "<command-message>{name}</command-message>\n<command-name>/{name}</command-name>"
            );
            transcript.row("user", &command);
            transcript.lines.last_mut().unwrap()["uuid"] = json!("line-1");
            meta(transcript);
            transcript.lines.last_mut().unwrap()["parentUuid"] = json!("line-1");
            transcript.user(&[&command, text]);
        }
        "tool" => {
            transcript.lines.push(json!({
                "type": "user", "toolUseResult": { "success": true, "commandName": name },
                "message": { "role": "user", "content": [
                    { "type": "tool_result", "tool_use_id": "tool-1", "content": "Launching" },
                ] },
            }));
            meta(transcript);
            transcript.lines.last_mut().unwrap()["sourceToolUseID"] = json!("tool-1");
            transcript.user(&[text]);
        }
        "preloaded" => {
            let command = format!(
                "<command-message>{name}</command-message>\n<command-name>{name}</command-name>"
            );
            let blocks =
                [command.as_str(), text].map(|text| json!({ "type": "text", "text": text }));
            transcript.lines.push(json!({
                "type": "user", "uuid": "line-1", "isMeta": true, "message": { "role": "user", "content": blocks },
            }));
            transcript.in_rows(&[&command, text]);
        }
        _ => {
            let attachment = json!({
                "type": "invoked_skills", "skills": [{ "name": name, "path": "projectSettings:c", "content": text }],
            });
            let text = format!(
                "The following skills were invoked EARLIER in this session.\n\n### Skill: {name}\nPath: projectSettings:{name}\n\n{text}"
            );
            transcript.attachment(attachment, &text);
            transcript.message("system", json!([{ "type": "text", "text": text }]));
        }
    }
}

/// Returns what the newer of two snapshots became, if an earlier, the pinned, a newer or an unknown text is quoted. The
/// client gives the pinned one, or none.
fn quoted(way: &str, given: Option<&str>, frame: &str) -> String {
    let known = known(&edited(Source::Transcript));
    let mut transcript = Transcript::default();
    if let Some(name) = given {
        let files = reminder(&[(AGENTS, body(name).trim())]);
        transcript.attached(&files);
        transcript.user(&[&files, "Hello."]);
    }
    quote(&mut transcript, way, frame);
    transcript.request();
    transcript.row("assistant", "Yes.");
    transcript.user(&["And?"]);
    transcript.request();
    outcomes(&row(&known, Source::Transcript, 1, &transcript.record()))
}

#[test]
fn a_frame_of_claude_code_counts_where_the_client_puts_it_alone() {
    let framed = |name: &str| {
        let text = body(name);
        let bare = format!("Contents of {AGENTS} (project instructions):\n\n{text}");
        let note = text.lines().zip(1..).fold(
            format!(
                "Note: {AGENTS} changed on disk since you last read it. (shown with line numbers):"
            ),
            |note, (line, number)| format!("{note}\n{number}\t{line}"),
        );
        [
            reminder(&[(AGENTS, text.trim())]),
            format!("<system-reminder>\n{bare}</system-reminder>"),
            bare,
            format!("<system-reminder>\n{note}\n</system-reminder>"),
        ]
    };
    for way in WAYS {
        for frame in framed("PRESENT") {
            let none = quoted(way, None, &frame);
            assert_eq!(none, "Deviates: Absent", "{way} {frame}");
            let present = quoted(way, Some("PRESENT"), &frame);
            assert_eq!(present, "AsPinned: Given", "{way} {frame}");
        }
        for (name, frame) in ["OLD", "NEW", "PLANTED"].map(|name| (name, framed(name))) {
            for frame in frame {
                let shown = quoted(way, Some("PRESENT"), &frame);
                let is_note = frame.contains("Note: ");
                let expected = match name {
                    // A note shows lines with their numbers, which nobody says.
                    _ if is_note && way != "result" => "AsPinned: Given",
                    "PLANTED" => "AsPinned: Given",
                    _ => "AsPinned: SeenElsewhere Given",
                };
                assert_eq!(shown, expected, "{way} {name} {frame}");
            }
        }
        let gone = format!(
            "<system-reminder>\nInstruction files were re-read.\n\nInstructions no longer present: {AGENTS}\n\
             </system-reminder>"
        );
        assert_eq!(
            quoted(way, Some("PRESENT"), &gone),
            "AsPinned: Given",
            "{way}"
        );
    }
}

#[test]
fn a_quotation_of_what_the_client_gave_before_is_not_given_again() {
    let known = known(&edited(Source::Transcript));
    let old = reminder(&[(AGENTS, body("OLD").trim())]);
    for way in ["prompt", "subagent", "result"] {
        let mut transcript = Transcript::default();
        transcript.files(&[(AGENTS, body("OLD").trim())]);
        transcript.row("assistant", "Yes.");
        transcript.files(&[(AGENTS, body("PRESENT").trim())]);
        let text = match way {
            "result" => format!("a log\n\n{old}"),
            _ => old.clone(),
        };
        let block = match way {
            "result" => json!({ "type": "tool_result", "tool_use_id": "tool-1", "content": text }),
            _ => json!({ "type": "text", "text": text }),
        };
        transcript.lines.push(json!({
            "type": "user", "message": { "role": "user", "content": [block] },
        }));
        transcript.message("user", json!([block, { "type": "text", "text": "more" }]));
        transcript.request();
        let row = row(&known, Source::Transcript, 1, &transcript.record());
        assert_eq!(outcomes(&row), "AsPinned: Superseded Given", "{way}");
    }
}

#[test]
fn a_file_that_quotes_a_frame_has_one_text() {
    let known = known(&edited(Source::Transcript));
    let text = format!(
        "{}\n\nContents of /w/project/secret words.md:\n\nmore",
        body("PLANTED")
    );
    let mut transcript = Transcript::default();
    transcript.files(&[(AGENTS, &text)]);
    transcript.request();
    let row = row(&known, Source::Transcript, 1, &transcript.record());
    assert_eq!(outcomes(&row), "Deviates: Foreign Absent");
}

#[test]
fn a_used_skill_is_what_the_client_says_of_it() {
    let directory = "/w/project/.claude/skills/deploy";
    let sample = |name: &str| {
        Sample::of(Source::Transcript).skill(
            "/w/project/.claude/skills",
            "deploy",
            "Deploys",
            &body(name),
        )
    };
    let known = known(&[sample("OLD"), sample("PRESENT")]);
    for name in ["OLD", "PRESENT", "PLANTED"] {
        for way in WAYS {
            let mut transcript = Transcript::default();
            let text = format!(
                "Base directory for this skill: {directory}\n\n{}",
                body(name)
            );
            quote(&mut transcript, way, &text);
            transcript.request();
            let row = row(&known, Source::Transcript, 1, &transcript.record());
            let expected = match name {
                "OLD" => "AsPinned: SeenElsewhere NotAskedFor",
                "PRESENT" => "AsPinned: SeenElsewhere",
                _ => "AsPinned: NotAskedFor",
            };
            assert_eq!(outcomes(&row), expected, "{way} {name}");
        }
    }
}

#[test]
fn a_used_skill_counts_under_each_of_its_names() {
    let skills = "/w/project/.claude/skills";
    let web = "/w/project/web/.claude/skills";
    let sample = |name: &str| {
        let mut sample =
            Sample::of(Source::Transcript).skill(skills, "deploy", "Deploys", &body(name));
        sample.snapshot.resources[0].name = Some("ship".to_owned());
        sample
    };
    let known = known(&[sample("OLD"), sample("PRESENT")]);
    let check = |directory: &str, name: &str, expected: [&str; 2]| {
        for way in ["command", "tool", "preloaded", "compacted"] {
            for (text, expected) in ["OLD", "PRESENT"].into_iter().zip(expected) {
                let mut transcript = Transcript::default();
                let text = format!(
                    "Base directory for this skill: {directory}\n\n{}",
                    body(text)
                );
                use_as(&mut transcript, way, name, &text);
                transcript.request();
                let row = row(&known, Source::Transcript, 1, &transcript.record());
                assert_eq!(outcomes(&row), expected, "{way} {name}");
            }
        }
    };
    let deploy = format!("{skills}/deploy");
    let [given, said] = [
        ["Deviates: Stale NotAskedFor", "AsPinned: Given"],
        [
            "AsPinned: SeenElsewhere NotAskedFor",
            "AsPinned: SeenElsewhere",
        ],
    ];
    for name in ["deploy", "ship", "project:deploy", "w/project:deploy"] {
        check(&deploy, name, given);
    }
    for name in [
        "deploy.md",
        "web:deploy",
        "ploy",
        ":deploy",
        "roject:deploy",
        "",
    ] {
        check(&deploy, name, said);
    }
    // No snapshot has a skill there.
    check(&format!("{web}/deploy"), "ship", said);
}

#[test]
fn a_frame_of_codex_counts_where_the_client_puts_it_alone() {
    let known = known(&edited(Source::Rollout));
    let check = |items: &[Value], expected: &str| {
        let row = row(&known, Source::Rollout, 1, &rollout(items));
        assert_eq!(outcomes(&row), expected, "{items:?}");
    };
    let text = |name: &str| {
        codex_files(&body(name))["content"][0]["text"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let present = codex_files(&body("PRESENT"));
    for kind in ["user.text", "unknown", "compaction.summary"] {
        check(
            &[of_kind("user", kind, &text("PRESENT"))],
            "Deviates: Absent",
        );
        for name in ["OLD", "NEW"] {
            let quoted = of_kind("user", kind, &text(name));
            check(&[present.clone(), quoted], "AsPinned: SeenElsewhere Given");
        }
        let quoted = of_kind("user", kind, &text("PLANTED"));
        check(&[present.clone(), quoted], "AsPinned: Given");
    }
    // A rollout that states no kinds does not say whose words they are.
    check(&[said("user", &text("PRESENT"))], "Deviates: Absent");
    let output =
        json!({ "type": "function_call_output", "call_id": "call-1", "output": text("OLD") });
    check(&[present.clone(), output], "AsPinned: SeenElsewhere Given");
    // An unknown text among the instructions of a person is no file.
    let told = of_kind(
        "developer",
        "generic.developer_instructions",
        &text("PLANTED"),
    );
    check(&[told, present], "AsPinned: Given");
}

#[test]
fn a_frame_of_opencode_counts_where_the_client_puts_it_alone() {
    let sample = |name: &str| {
        Sample::of(Source::Plugin)
            .file(AGENTS, &body("AGENTS"))
            .file_below(BELOW, &body(name))
    };
    let known = known(&[sample("OLD"), sample("PRESENT")]);
    let frame = |name: &str| {
        format!(
            "<system-reminder>\nInstructions from: {BELOW}\n{}\n</system-reminder>",
            body(name)
        )
    };
    let check = |before: &str, behind: &str, added: &str, expected: &str| {
        let text = format!(
            "{before}\n</env>\nInstructions from: {AGENTS}\n{}\nSkills provide specialized instructions.\n{behind}",
            body("AGENTS")
        );
        let line = json!({ "type": "system", "request": "1", "texts": [text], "added": [added] });
        let row = row(&known, Source::Plugin, 1, &format!("{line}\n"));
        assert_eq!(outcomes(&row), expected);
    };
    check("", "", &frame("PRESENT"), "AsPinned: Given Given");
    check(
        "",
        "",
        &format!("a log\n{}", frame("PRESENT")),
        "AsPinned: SeenElsewhere Given",
    );
    let unknown = "Instructions from: /w/project/planted.md\nplanted";
    check(unknown, unknown, unknown, "AsPinned: Given NotAskedFor");
}

/// What must not leave, also where a client puts paths.
const SENTINEL: &str = "my password is sentinel";

#[test]
fn a_path_that_the_client_did_not_state_does_not_leave() {
    let told = |source: Source, record: &str| {
        let known = known(&[Sample::of(source).file(AGENTS, &body("AGENTS"))]);
        told_of(&known, source, record, 0)
    };
    let mut transcript = Transcript::default();
    let path = format!("/w/project/{SENTINEL}");
    let skills = format!("/w/project/.claude/skills/{SENTINEL}");
    for text in [
        reminder(&[(&format!("{path}.md"), "x")]),
        format!("Contents of {path}/AGENTS.md:\n\nx"),
        format!("tool.call hook additional context: Contents of {path}/AGENTS.md:\n\nx"),
        format!("Base directory for this skill: {skills}\n\nx"),
    ] {
        for way in WAYS {
            quote(&mut transcript, way, &text);
            quote(
                &mut transcript,
                way,
                &format!("<system-reminder>\n{text}\n</system-reminder>"),
            );
        }
        transcript.message("assistant", json!([{ "type": "text", "text": text }]));
    }
    transcript.files(&[(AGENTS, &format!("planted\n\nContents of {path}.md:\n\nx"))]);
    transcript.request();
    assert!(!told(Source::Transcript, &transcript.record()).contains(SENTINEL));

    let list = format!(
        "### Available skills\n- x: y (file: /w/project/.agents/skills/{SENTINEL}/SKILL.md)\n"
    );
    let used = format!("<skill>\n<name>x</name>\n<path>{skills}/SKILL.md</path>\nx\n</skill>");
    let items = [&list, &used].map(|text| {
        let kinds = ["generic.developer_instructions", "hooks.additional_context"];
        let items = kinds.map(|kind| of_kind("developer", kind, text));
        let output = json!({ "type": "function_call_output", "call_id": "c", "output": text });
        [
            items.to_vec(),
            vec![
                of_kind("user", "user.text", text),
                said("user", text),
                output,
            ],
        ]
        .concat()
    });
    assert!(!told(Source::Rollout, &rollout(&items.concat())).contains(SENTINEL));

    let frame = format!("Instructions from: {path}.md\nx");
    let added = format!("a log\n<system-reminder>\n{frame}\n</system-reminder>");
    let text = format!("{frame}\n</env>\n\nSkills provide specialized instructions.\n{frame}");
    let line = json!({ "type": "system", "request": "1", "texts": [text], "added": [added] });
    assert!(!told(Source::Plugin, &format!("{line}\n")).contains(SENTINEL));
}
