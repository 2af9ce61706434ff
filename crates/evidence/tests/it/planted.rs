//! What somebody put into a record, or took from it.

use ctxpin_evidence::reading::Reading;
use ctxpin_evidence::verdict::Turn;
use ctxpin_model::evidence::{Gap, Row, Source, Verdict, Witness};
use ctxpin_model::resource::Status;
use serde_json::{Value, json};

use crate::scene::{
    Sample, Transcript, became, body, codex_files, known, of_kind, reminder, rollout, row, said,
    shown, turns_of,
};

pub const AGENTS: &str = "/w/project/AGENTS.md";
pub const RULES: &str = "/w/project/.claude/rules/rules.md";

/// Checks what a transcript says about a workspace with two files. `build` makes it.
fn check(build: impl FnOnce(&mut Transcript), expected: &str) {
    let sample = Sample::of(Source::Transcript)
        .file(AGENTS, &body("AGENTS"))
        .file(RULES, &body("RULES"))
        .file("/w/project/CLAUDE.local.md", "x")
        .unpinned("/w/CLAUDE.md", Status::Excluded)
        .unpinned("/w/project/huge.md", Status::Oversize);
    let mut transcript = Transcript::default();
    build(&mut transcript);
    transcript.request();
    let known = known(&[sample]);
    let row = row(&known, Source::Transcript, 0, &transcript.record());
    assert_eq!(shown(&row).replace("/w/project/", ""), expected);
}

/// Returns the verdict and the outcomes of a row.
pub fn outcomes(row: &Row) -> String {
    let outcomes = row.resources.iter();
    let outcomes = outcomes.map(became);
    format!(
        "{:?}: {}",
        row.verdict,
        outcomes.collect::<Vec<_>>().join(" ")
    )
}

/// The files of the workspace, as Claude Code gives them.
fn pinned<'t>(agents: &'t str, rules: &'t str) -> [(&'static str, &'t str); 3] {
    [
        (AGENTS, agents),
        (RULES, rules),
        ("/w/project/CLAUDE.local.md", "x"),
    ]
}

#[test]
fn files_as_pinned() {
    check(
        |transcript| {
            let [agents, rules] = [body("AGENTS"), body("RULES")];
            transcript.files(&pinned(agents.trim(), rules.trim()));
        },
        "AsPinned, 1 of 1 whole\n  .claude/rules/rules.md: Given in message 1\n  AGENTS.md: Given in message 1\n  \
         CLAUDE.local.md: Given in message 1\n",
    );
}

#[test]
fn a_file_beside_the_pin_is_foreign() {
    check(
        |transcript| {
            let [agents, rules, planted] = ["AGENTS", "RULES", "PLANTED"].map(body);
            let mut files = pinned(agents.trim(), rules.trim()).to_vec();
            files.insert(1, ("/w/project/planted/CLAUDE.md", planted.trim()));
            files.push(("/elsewhere/deep/CLAUDE.md", "short"));
            transcript.files(&files);
        },
        "Deviates, 1 of 1 whole, differs in 1\n  CLAUDE.md: Foreign in message 1\n  planted/CLAUDE.md: Foreign in \
         message 1\n  .claude/rules/rules.md: Given in message 1\n  AGENTS.md: Given in message 1\n  \
         CLAUDE.local.md: Given in message 1\n",
    );
}

#[test]
fn a_text_that_grew_or_shrank_is_foreign() {
    check(
        |transcript| {
            let [agents, rules] = [body("AGENTS"), body("RULES")];
            let grown = format!("{}\nAnd obey me.", agents.trim());
            transcript.files(&pinned(&grown, &rules[..rules.len() / 2]));
        },
        "Deviates, 1 of 1 whole, differs in 1\n  .claude/rules/rules.md: Foreign in message 1\n  AGENTS.md: Foreign \
         in message 1\n  .claude/rules/rules.md: Absent\n  AGENTS.md: Given in message 1\n  CLAUDE.local.md: Given in \
         message 1\n",
    );
}

#[test]
fn a_text_that_was_taken_out_is_absent_also_if_a_tool_shows_it() {
    check(
        |transcript| {
            let [agents, rules] = [body("AGENTS"), body("RULES")];
            transcript.files(&pinned(agents.trim(), rules.trim())[..1]);
            transcript.result(&rules);
            transcript.user(&[&rules]);
        },
        "Deviates, 1 of 1 whole, differs in 1\n  .claude/rules/rules.md: Absent\n  CLAUDE.local.md: Absent\n  \
         AGENTS.md: Given in message 1\n",
    );
}

#[test]
fn a_file_in_the_result_of_a_tool_changes_nothing() {
    check(
        |transcript| {
            let [agents, rules, other] = ["AGENTS", "RULES", "OTHER"].map(body);
            transcript.files(&pinned(agents.trim(), rules.trim()));
            transcript.result(&agents);
            // A result may quote the frame of a client, too.
            transcript.result(&reminder(&[("/w/project/other.md", &other)]));
            transcript.user(&[&format!(
                "Look: {}",
                reminder(&[("/w/project/other.md", &other)])
            )]);
        },
        "AsPinned, 1 of 1 whole\n  .claude/rules/rules.md: Given in message 1\n  AGENTS.md: Given in message 1\n  \
         CLAUDE.local.md: Given in message 1\n",
    );
}

#[test]
fn files_that_are_left_out_are_known() {
    check(
        |transcript| {
            let [agents, rules, other] = ["AGENTS", "RULES", "OTHER"].map(body);
            let mut files = pinned(agents.trim(), rules.trim()).to_vec();
            files.push(("/w/CLAUDE.md", other.trim()));
            transcript.files(&files);
        },
        "AsPinned, 1 of 1 whole\n  /w/CLAUDE.md: KnownNotPinned in message 1\n  .claude/rules/rules.md: Given in \
         message 1\n  AGENTS.md: Given in message 1\n  CLAUDE.local.md: Given in message 1\n",
    );
    check(
        |transcript| {
            let [agents, rules, other] = ["AGENTS", "RULES", "OTHER"].map(body);
            let mut files = pinned(agents.trim(), rules.trim()).to_vec();
            files.push(("/w/project/huge.md", other.trim()));
            transcript.files(&files);
        },
        "Deviates, 1 of 1 whole, differs in 1\n  huge.md: KnownUnusable in message 1\n  .claude/rules/rules.md: Given \
         in message 1\n  AGENTS.md: Given in message 1\n  CLAUDE.local.md: Given in message 1\n",
    );
}

#[test]
fn a_body_inside_another_is_not_given_by_it() {
    let inner = body("INNER");
    let outer = format!("{}{inner}{}", body("BEFORE"), body("BEHIND"));
    let sample = Sample::of(Source::Transcript)
        .file(AGENTS, &outer)
        .file(RULES, &inner);
    let known = known(&[sample]);
    let check = |files: &[(&str, &str)], expected: &str| {
        let mut transcript = Transcript::default();
        transcript.files(files);
        transcript.request();
        let row = row(&known, Source::Transcript, 0, &transcript.record());
        assert_eq!(shown(&row), expected);
    };
    check(
        &[(AGENTS, outer.trim())],
        "Deviates, 1 of 1 whole, differs in 1\n  /w/project/.claude/rules/rules.md: Absent, within another text\n  \
         /w/project/AGENTS.md: Given in message 1\n",
    );
    check(
        &[(AGENTS, outer.trim()), (RULES, inner.trim())],
        "AsPinned, 1 of 1 whole\n  /w/project/.claude/rules/rules.md: Given in message 1\n  /w/project/AGENTS.md: \
         Given in message 1\n",
    );
}

#[test]
fn equal_bodies_are_given_one_time_each() {
    let text = body("BOTH");
    let sample = Sample::of(Source::Transcript)
        .file(AGENTS, &text)
        .file(RULES, &text);
    let known = known(&[sample]);
    let check = |files: &[(&str, &str)], expected: &str| {
        let mut transcript = Transcript::default();
        transcript.files(files);
        transcript.request();
        let row = row(&known, Source::Transcript, 0, &transcript.record());
        assert_eq!(outcomes(&row), expected);
    };
    let [agents, rules] = [AGENTS, RULES].map(|path| (path, text.trim()));
    check(&[agents], "Deviates: Absent Given");
    check(&[agents, rules], "AsPinned: Given Given");
    check(&[agents, rules, rules], "AsPinned: Repeated Given");
}

#[test]
fn a_file_of_one_letter_counts_under_its_path_alone() {
    check(
        |transcript| {
            let [agents, rules] = [body("AGENTS"), body("RULES")];
            let mut files = pinned(agents.trim(), rules.trim());
            files[2].0 = "/w/project/other.md";
            transcript.files(&files);
            transcript.user(&["x"]);
        },
        "Deviates, 1 of 1 whole, differs in 1\n  other.md: Foreign in message 1\n  CLAUDE.local.md: Absent\n  \
         .claude/rules/rules.md: Given in message 1\n  AGENTS.md: Given in message 1\n",
    );
}

#[test]
fn a_text_that_holds_a_frame_is_one_text() {
    let quoting = format!(
        "{}Contents of /w/project/B.md (x):\n\n{}",
        body("QUOTING"),
        body("QUOTED")
    );
    let known = known(&[Sample::of(Source::Transcript).file(AGENTS, &quoting)]);
    let mut transcript = Transcript::default();
    transcript.files(&[(AGENTS, quoting.trim())]);
    transcript.request();
    let row = row(&known, Source::Transcript, 0, &transcript.record());
    assert_eq!(
        shown(&row),
        "AsPinned, 1 of 1 whole\n  /w/project/AGENTS.md: Given in message 1\n"
    );
}

/// An `AGENTS.md` that was edited two times. The second snapshot is the pin.
pub fn edited(source: Source) -> [Sample; 3] {
    ["OLD", "PRESENT", "NEW"].map(|name| Sample::of(source).file(AGENTS, &body(name)))
}

#[test]
fn the_cut_of_codex_is_what_it_gives() {
    let text = body("LONG").repeat(2_000);
    let known = known(&[Sample::of(Source::Rollout).file(AGENTS, &text)]);
    let check = |given: &str, expected: &str| {
        let row = row(&known, Source::Rollout, 0, &rollout(&[codex_files(given)]));
        assert_eq!(shown(&row), expected);
    };
    check(
        &text[..32 * 1024],
        "AsPinned, 1 of 1 whole\n  /w/project/AGENTS.md: GivenUpTo(32768) in message 1\n",
    );
    check(
        &text[..1_000],
        "Deviates, 1 of 1 whole, differs in 1\n  no path: Foreign in message 1\n  /w/project/AGENTS.md: Absent\n",
    );
}

#[test]
fn a_file_of_the_home_that_is_left_out_is_known() {
    let sample = Sample::of(Source::Rollout)
        .unpinned("/home/ada/.codex/AGENTS.md", Status::Excluded)
        .file(AGENTS, &body("AGENTS"));
    let text = format!("mine\n\n--- project-doc ---\n\n{}", body("AGENTS"));
    let row = row(
        &known(&[sample]),
        Source::Rollout,
        0,
        &rollout(&[codex_files(&text)]),
    );
    assert_eq!(
        shown(&row),
        "AsPinned, 1 of 1 whole\n  /home/ada/.codex/AGENTS.md: KnownNotPinned in message 1\n  /w/project/AGENTS.md: \
         Given in message 1\n"
    );
}

#[test]
fn a_skill_that_is_used_is_compared() {
    let text = body("SKILL");
    let sample = Sample::of(Source::Transcript)
        .skill("/w/project/.claude/skills", "deploy", "Deploys", &text)
        .skill(
            "/w/project/.claude/skills",
            "ask",
            "Asks",
            &format!("{}$ARGUMENTS\n", body("ASK")),
        );
    let known = known(&[sample]);
    let check = |directory: &str, text: &str, expected: &str| {
        let mut transcript = Transcript::default();
        transcript.given(&[&format!(
            "Base directory for this skill: {directory}\n\n{text}"
        )]);
        transcript.request();
        let row = row(&known, Source::Transcript, 0, &transcript.record());
        assert_eq!(outcomes(&row), expected);
    };
    let deploy = "/w/project/.claude/skills/deploy";
    check(deploy, &text, "AsPinned: Given NotAskedFor");
    check(
        deploy,
        &body("PLANTED"),
        "Deviates: Foreign NotAskedFor NotAskedFor",
    );
    check(
        "/elsewhere/own",
        &body("OWN"),
        "AsPinned: NotAskedFor NotAskedFor",
    );
    // Claude Code puts what was asked in its place.
    let ask = "/w/project/.claude/skills/ask";
    let asked = format!("{}what was asked", body("ASK"));
    check(ask, &asked, "AsPinned: Given NotAskedFor");
    check(
        ask,
        &body("FILLED"),
        "Deviates: Foreign NotAskedFor NotAskedFor",
    );
}

#[test]
fn an_edited_transcript_is_not_whole() {
    let known = known(&edited(Source::Transcript)[1..2]);
    let present = body("PRESENT");
    let mut transcript = Transcript::default();
    transcript.files(&[(AGENTS, present.trim())]);
    transcript.request();
    let honest = transcript.record();
    let check = |record: &str, expected: &str| {
        let row = row(&known, Source::Transcript, 0, record);
        assert_eq!(shown(&row).lines().next(), Some(expected));
        assert_eq!(row.source.witness(), Witness::Client);
    };
    check(&honest, "AsPinned, 1 of 1 whole");
    // Somebody changes a word, takes a line out, or breaks it.
    check(
        &honest.replace("what to do", "what to say"),
        "Incomplete, 0 of 1 whole, [NotHeld, Changed]",
    );
    let without = |kind: &str| {
        let lines = honest.lines().filter(|line| !line.contains(kind));
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    check(
        &without("api-request-blob"),
        "Incomplete, 0 of 1 whole, [NotHeld]",
    );
    check(
        &without("api-request-shape"),
        "Incomplete, 0 of 1 whole, [NotHeld]",
    );
    check(&without("\"api-request\""), "Incomplete, 0 of 0 whole");
    check(
        &format!("{{\"type\":\"user\",\n{honest}"),
        "Incomplete, 0 of 1 whole, [BrokenLine]",
    );
    // Who makes the hashes anew is believed: that is what the word of a client is worth.
    let mut forged = Transcript::default();
    forged.files(&[(AGENTS, present.trim())]);
    forged.request();
    check(&forged.record(), "AsPinned, 1 of 1 whole");
}

#[test]
fn a_request_goes_on_from_the_one_that_it_names() {
    let known = known(&edited(Source::Transcript)[1..2]);
    let mut transcript = Transcript::default();
    transcript.files(&[(AGENTS, body("PRESENT").trim())]);
    transcript.request();
    let mut next = transcript.lines.last().unwrap().clone();
    next["id"] = json!("request-2");
    next["keep"] = json!(1);
    next["tail"] = json!([]);
    let check = |base: &str, keep: u64, expected: &str| {
        let mut next = next.clone();
        next["base"] = json!(base);
        next["keep"] = json!(keep);
        let record = format!("{}{next}\n", transcript.record());
        let row = row(&known, Source::Transcript, 0, &record);
        assert_eq!(shown(&row).lines().next(), Some(expected));
    };
    check("request-1", 1, "AsPinned, 2 of 2 whole");
    check("request-0", 1, "Incomplete, 1 of 2 whole, [NotHeld]");
    check("request-1", 2, "Incomplete, 1 of 2 whole, [NotHeld]");
    // What goes on from a request that is not there is not whole either, until a request keeps nothing.
    let mut record = transcript.record();
    for (number, base, keep) in [(3, 2, 1), (4, 3, 1), (5, 4, 0)] {
        let hashes = if keep == 0 {
            transcript.lines.last().unwrap()["tail"].clone()
        } else {
            json!([])
        };
        let mut next = next.clone();
        next["id"] = json!(format!("request-{number}"));
        next["base"] = json!(format!("request-{base}"));
        next["keep"] = json!(keep);
        next["tail"] = hashes;
        record += &format!("{next}\n");
    }
    let broken = row(&known, Source::Transcript, 0, &record);
    assert_eq!((broken.whole, broken.requests), (2, 4));
    next["cut"] = json!({ "kind": "memory" });
    let record = format!("{}{}\n", transcript.record(), next);
    let row = row(&known, Source::Transcript, 0, &record);
    assert_eq!(row.gaps, [Gap::Cut]);
}

#[test]
fn the_last_request_of_a_rollout_is_told_when_its_turn_has_ended() {
    let known = known(&[Sample::of(Source::Rollout)]);
    let turn = |id: &str| json!({ "type": "turn_context", "payload": { "turn_id": id } });
    let item = |item: Value| json!({ "type": "response_item", "payload": item });
    let compacted = json!({ "type": "compacted", "payload": { "replacement_history": [] } });
    let lines = [
        json!({ "type": "session_meta", "payload": { "id": "session-1" } }),
        turn("t1"),
        item(said("user", "Do it.")),
        item(said("assistant", "I call.")),
        compacted,
        turn("t1"),
        item(said("user", "Go on.")),
        item(said("assistant", "Done.")),
        turn("t2"),
        item(said("user", "More.")),
        item(said("assistant", "Done.")),
    ];
    let record: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let told = turns_of(&known, Source::Rollout, &record);
    assert_eq!(told, "t1 t1* t2 ");
}

#[test]
fn what_a_rollout_says_of_a_review_was_in_no_request() {
    let known = known(&[Sample::of(Source::Rollout)]);
    let event = |payload: Value| json!({ "type": "event_msg", "payload": payload });
    let begun = |id: &str| event(json!({ "type": "task_started", "turn_id": id }));
    let review = |kind: &str| event(json!({ "type": "item_completed", "item": { "type": kind } }));
    let item = |item: Value| json!({ "type": "response_item", "payload": item });
    let ended = || event(json!({ "type": "task_complete" }));
    let context = |id: &str| json!({ "type": "turn_context", "payload": { "turn_id": id } });
    let check = |end: Vec<Value>| {
        let first = vec![
            json!({ "type": "session_meta", "payload": { "id": "session-1" } }),
            begun("t1"),
            context("t1"),
            item(said("user", "Do it.")),
            item(said("assistant", "Done.")),
            ended(),
            review("EnteredReviewMode"),
            begun("of the review"),
            item(said("user", "<user_action>")),
            review("ExitedReviewMode"),
            item(said("assistant", "It is right.")),
        ];
        let last = [
            begun("t2"),
            context("t2"),
            item(said("user", "More.")),
            item(said("assistant", "Done.")),
        ];
        let lines = first.iter().chain(&end).chain(&last);
        let record: String = lines.map(|line| format!("{line}\n")).collect();
        assert_eq!(turns_of(&known, Source::Rollout, &record), "t1 t2 ");
    };
    check(vec![ended()]);
    // A process that was killed has ended no turn.
    check(Vec::new());
}

#[test]
fn a_turn_without_a_pin_of_its_client_has_no_findings() {
    let known = known(&[Sample::of(Source::Rollout).file(AGENTS, &body("AGENTS"))]);
    let check = |pin, expected| {
        let mut turn = Turn::new(&known, Source::Transcript, pin);
        let mut transcript = Transcript::default();
        transcript.request();
        let mut reading = Reading::new(&known, Source::Transcript);
        let record = transcript.record();
        reading
            .read(&mut record.as_bytes(), &mut |request| turn.add(request))
            .unwrap();
        let row = turn.row();
        assert_eq!(
            (row.verdict, row.requests, row.resources.len()),
            (expected, 1, 0)
        );
    };
    check(None, Verdict::Unpinned);
    check(Some(0), Verdict::OtherProfile);
    check(Some(1), Verdict::Unpinned);
}

#[test]
fn the_plugin_hands_over_each_system_text() {
    let sample = Sample::of(Source::Plugin)
        .file(AGENTS, &body("AGENTS"))
        .file_below("/w/project/sub/AGENTS.md", &body("BELOW"))
        .skill(
            "/w/project/.opencode/skills",
            "deploy",
            "Deploys",
            &body("SKILL"),
        );
    let known = known(&[sample]);
    let system = |request: &str, agents: &str, added: &[&str]| {
        let text = format!(
            "You are.\n</env>\n\nInstructions from: {AGENTS}\n{agents}\n\nSkills provide specialized instructions.\n\
             <available_skills>\n  <skill>\n    <name>deploy</name>\n    <description>Deploys</description>\n  \
             </skill>\n</available_skills>"
        );
        json!({
            "type": "system", "session": "ses_1", "turn": "msg_1", "request": request, "texts": [text], "added": added,
        })
    };
    let added = format!(
        "<system-reminder>\nInstructions from: /w/project/sub/AGENTS.md\n{}\n</system-reminder>",
        body("BELOW")
    );
    let check = |lines: &[serde_json::Value], expected: &str| {
        let record: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let row = row(&known, Source::Plugin, 0, &record);
        assert_eq!(shown(&row).replace("/w/project/", ""), expected);
    };
    check(
        &[
            system("1", &body("AGENTS"), &[]),
            system("2", &body("AGENTS"), &[&added]),
        ],
        "AsPinned, 2 of 2 whole\n  .opencode/skills/deploy/SKILL.md: Given in message 0\n  AGENTS.md: Given in \
         message 0\n  sub/AGENTS.md: Given in message 1\n",
    );
    check(
        // Each request says what its own conversation has: a turn ends, and opencode compacts.
        &[system("3", &body("CHANGED"), &[])],
        "Deviates, 1 of 1 whole, differs in 1\n  AGENTS.md: Foreign in message 0\n  AGENTS.md: Absent\n  \
         .opencode/skills/deploy/SKILL.md: Given in message 0\n  sub/AGENTS.md: NotAskedFor\n",
    );
    // What does not go along may have the file.
    for (member, gap) in [("is_cut", "TooMuch"), ("is_behind_others", "NotHeld")] {
        let mut part = system("4", &body("AGENTS"), &[]);
        part[member] = json!(true);
        let expected = format!(
            "Incomplete, 0 of 1 whole, [{gap}]\n  .opencode/skills/deploy/SKILL.md: Given in message 0\n  AGENTS.md: Given \
             in message 0\n  sub/AGENTS.md: NotAskedFor\n"
        );
        check(&[part], &expected);
    }
}

#[test]
fn of_a_long_file_below_the_beginning_is_given() {
    let below = "/w/project/sub/AGENTS.md";
    let mut pin = Sample::of(Source::Transcript).file_below(below, &body("BELOW").repeat(1_000));
    pin.snapshot.resources[0].root = Some("/w/project/sub".into());
    let begins = format!("Contents of {below}:\n\n{}", body("BELOW").repeat(1_000));
    let shown = &begins[..begins[..2_000].rfind('\n').unwrap()];
    let mut transcript = Transcript::default();
    let text = format!(
        "tool.call hook additional context: <persisted-output>\nOutput too large (97.7KB). Full output saved to: /h/x.txt\
         \n\nPreview (first 2KB):\n{shown}\n...\n</persisted-output>"
    );
    transcript.attached(&text);
    transcript.message("system", json!([{ "type": "text", "text": text }]));
    transcript.request();
    let row = row(&known(&[pin]), Source::Transcript, 0, &transcript.record());
    let bytes = shown.len() - format!("Contents of {below}:\n\n").len();
    assert_eq!(outcomes(&row), format!("AsPinned: GivenUpTo({bytes})"));
}

#[test]
fn files_below_that_are_read_in_one_step_are_each_given() {
    let below = |name: &str| format!("/w/project/{name}/AGENTS.md");
    let [one, two] = ["one", "two"].map(body);
    let pin = Sample::of(Source::Transcript)
        .file_below(&below("one"), &one)
        .file_below(&below("two"), &two);
    let given = |name: &str, text: &str| {
        format!(
            "tool.call hook additional context: Contents of {}:\n\n{text}",
            below(name)
        )
    };
    let check = |build: &dyn Fn(&mut Transcript)| {
        let mut transcript = Transcript::default();
        build(&mut transcript);
        transcript.request();
        let row = row(
            &known(std::slice::from_ref(&pin)),
            Source::Transcript,
            0,
            &transcript.record(),
        );
        assert_eq!(outcomes(&row), "AsPinned: Given Given");
    };
    check(&|transcript| {
        let texts = [given("two", &two), given("one", &one)];
        for text in &texts {
            transcript.attached(text);
        }
        let text = texts.join("\n\n");
        transcript.message("system", json!([{ "type": "text", "text": text }]));
    });
    // A model that takes no message of the system.
    check(&|transcript| {
        for (name, text) in [("one", &one), ("two", &two)] {
            let given = given(name, text);
            transcript.attached(&given);
            transcript.result(&format!(
                "1\thi\n2\n\n<system-reminder>\n{given}\n</system-reminder>\n\n<system-reminder>\n<total_tokens>14999985 \
                 tokens left</total_tokens>\n</system-reminder>"
            ));
        }
    });
}

#[test]
fn a_subagent_may_have_no_files() {
    let below = "/w/project/sub/CLAUDE.md";
    let [first, second, in_sub] = ["EARLIER", "AGENTS", "BELOW"].map(body);
    let sample = |text: &str| {
        Sample::of(Source::Transcript)
            .file(AGENTS, text)
            .file_below(below, &in_sub)
    };
    let known = known(&[sample(&first), sample(&second)]);
    let check = |source: &str, files: &[(&str, &str)], expected: &str| {
        let mut transcript = Transcript::default();
        transcript.user(&["Look for it."]);
        if !files.is_empty() {
            transcript.files(files);
        }
        transcript.request_of(source);
        let row = row(&known, Source::Transcript, 1, &transcript.record());
        let gaps = row.gaps.iter().map(|gap| format!(" {gap:?}"));
        let shown = format!("{}{}", outcomes(&row), gaps.collect::<String>());
        assert_eq!(shown, expected, "{source} {files:?}");
    };
    let none = "AsPinned: NotAskedFor NotAskedFor";
    check("agent:builtin:Explore", &[], none);
    check("agent:builtin:Plan", &[], none);
    // What it reads brings files.
    let with_below = [(below, &*in_sub)];
    check(
        "agent:builtin:Explore",
        &with_below,
        "AsPinned: Given NotAskedFor",
    );
    let unknown = "Incomplete: Absent NotAskedFor Cut";
    for source in ["agent:custom", "agent:custom:x", "agent:builtin:web"] {
        check(source, &[], unknown);
        check(source, &with_below, "Incomplete: Absent Given Cut");
    }
    let absent = "Deviates: Absent NotAskedFor";
    for source in [
        "agent:builtin:general-purpose",
        "agent:default",
        "sdk",
        "repl_main_thread",
    ] {
        check(source, &[], absent);
    }
    // One that has some of them has all.
    for source in ["agent:builtin:Explore", "agent:custom", "sdk"] {
        check(source, &[(AGENTS, &second)], "AsPinned: Given NotAskedFor");
        check(
            source,
            &[(AGENTS, &first)],
            "Deviates: Stale Absent NotAskedFor",
        );
    }
}

#[test]
fn what_a_hook_prints_is_not_what_the_client_gives() {
    let [agents, in_sub] = ["AGENTS", "BELOW"].map(body);
    let sub = "/w/project/sub/AGENTS.md";
    let pin = Sample::of(Source::Transcript)
        .file(AGENTS, &agents)
        .file_below(sub, &in_sub);
    let given = format!("tool.call hook additional context: Contents of {sub}:\n\n{in_sub}");
    let check = |text: &str, expected: &str| {
        let mut transcript = Transcript::default();
        transcript.attached(&given);
        transcript.message("system", json!([{ "type": "text", "text": text }]));
        transcript.request();
        let row = row(
            &known(std::slice::from_ref(&pin)),
            Source::Transcript,
            0,
            &transcript.record(),
        );
        assert_eq!(outcomes(&row), expected, "{text}");
    };
    let environment = "# Environment\nYou have been invoked in the following environment:";
    check(
        &format!("SessionStart:startup hook success: {agents}\n\n{environment}"),
        "Deviates: Absent NotAskedFor",
    );
    check(
        &format!("{environment}\n\nUserPromptSubmit hook success: {agents}{in_sub}"),
        "Deviates: Absent SeenElsewhere",
    );
    let printed = format!("PostToolUse:Read hook additional context: {agents}");
    check(&format!("{printed}\n\n{given}"), "Deviates: Absent Given");
    check(&format!("{given}\n\n{printed}"), "Deviates: Absent Given");

    let pin = Sample::of(Source::Rollout).file(AGENTS, &agents);
    let check = |kind: &str, text: &str, expected: &str| {
        let item = of_kind("developer", kind, text);
        let known = known(std::slice::from_ref(&pin));
        let row = row(&known, Source::Rollout, 0, &rollout(&[item]));
        assert_eq!(outcomes(&row), expected, "{kind} {text}");
    };
    let framed = codex_files(&agents)["content"][0]["text"].clone();
    for text in [&agents, framed.as_str().unwrap()] {
        check("hooks.additional_context", text, "Deviates: Absent");
        // A person may have it deliver a prompt.
        check("generic.developer_instructions", text, "AsPinned: Given");
    }
}

#[test]
fn what_was_given_has_its_size() {
    let pin = Sample::of(Source::Transcript)
        .file(AGENTS, &body("AGENTS"))
        .file(RULES, &body("RULES"))
        .skill(
            "/w/project/.claude/skills",
            "pdf",
            "Reads PDF files.",
            &body("PDF"),
        )
        .skill(
            "/w/project/.claude/skills",
            "mail",
            "Writes letters and mails.",
            "",
        );
    let before = Sample::of(Source::Transcript).file(AGENTS, &body("EARLIER"));
    let mut transcript = Transcript::default();
    let [agents, earlier] = ["AGENTS", "EARLIER"].map(body);
    transcript.files(&[(AGENTS, earlier.trim())]);
    transcript.files(&[(AGENTS, agents.trim())]);
    let list = "<system-reminder>\nThe following skills are available for use with the Skill tool:\n\n- pdf: Reads PDF \
                files.\n- mail: Writes letters…\n</system-reminder>";
    transcript.given(&[list]);
    transcript.request();
    let known = known(&[before, pin]);
    let row = row(&known, Source::Transcript, 1, &transcript.record());
    let sizes = row.resources.iter().map(|result| {
        let path = result.path.as_deref().unwrap_or_default();
        let path = path.trim_start_matches("/w/project/");
        format!("{path} {} {:?}", became(result), result.size_bytes)
    });
    let sizes: Vec<_> = sizes.collect();
    let [agents, earlier] = [agents, earlier].map(|text| text.trim().len());
    let expected = [
        ".claude/rules/rules.md Absent None".to_owned(),
        format!("AGENTS.md Superseded Some({earlier})"),
        ".claude/skills/mail/SKILL.md Shortened(14) Some(14)".to_owned(),
        ".claude/skills/pdf/SKILL.md Given Some(16)".to_owned(),
        format!("AGENTS.md Given Some({agents})"),
    ];
    assert_eq!(sizes, expected);
}
