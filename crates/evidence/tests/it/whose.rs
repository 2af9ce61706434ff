//! Whose text a client gives, and which text that was due it does not give.

use ctxpin_evidence::known::Known;
use ctxpin_model::evidence::{Row, Source};
use ctxpin_model::hash::BlobHash;
use serde_json::{Value, json};

use crate::planted::{AGENTS, RULES, outcomes};
use crate::scene::{
    Sample, Transcript, became, body, codex_files, known, of_kind, rollout, row, said,
};

const CLAUDE: &str = "/w/project/.claude/skills";
const HOME: &str = "/home/ada/.codex/AGENTS.md";
const SUB: &str = "/w/project/sub/AGENTS.md";
const LIST: &str = "<system-reminder>\nThe following skills are available for use with the Skill tool:\n\n- one: Is \
                    one\n</system-reminder>";

/// Returns what a row says of a path.
fn of(row: &Row, path: &str) -> String {
    let results = row.resources.iter();
    let results = results.filter(|result| result.path.as_deref() == Some(path));
    let told: Vec<_> = results.map(became).collect();
    told.join(" ")
}

/// Returns what a transcript says of the last of some snapshots.
fn transcript(samples: &[Sample], build: impl FnOnce(&mut Transcript)) -> Row {
    let mut transcript = Transcript::default();
    build(&mut transcript);
    transcript.request();
    let pin = samples.len() - 1;
    row(
        &known(samples),
        Source::Transcript,
        pin,
        &transcript.record(),
    )
}

/// Returns what opencode's plugin says with a system text.
fn system(known: &Known, text: &str, added: &[&str]) -> Row {
    let line = json!({ "type": "system", "request": "1", "texts": [text], "added": added });
    row(known, Source::Plugin, 0, &format!("{line}\n"))
}

/// Returns a rollout of a session of Codex with this source.
fn session(source: &Value, items: &[Value]) -> String {
    let record = rollout(items);
    let (_, rest) = record.split_once('\n').unwrap();
    let payload = json!({ "id": "session-1", "source": source });
    let first = json!({ "type": "session_meta", "payload": payload });
    format!("{first}\n{rest}")
}

#[test]
fn a_short_file_that_was_not_given_is_absent() {
    let sample = |source| Sample::of(source).file(AGENTS, "Use tabs.\n");
    let pin = [sample(Source::Transcript)];
    let given = transcript(&pin, |transcript| {
        transcript.files(&[(AGENTS, "Use tabs.")]);
    });
    assert_eq!(outcomes(&given), "AsPinned: Given");
    for said in ["Go.", "Use tabs.", LIST] {
        let row = transcript(&pin, |transcript| transcript.user(&[said]));
        assert_eq!(outcomes(&row), "Deviates: Absent", "{said}");
    }

    let pin = known(&[sample(Source::Plugin)]);
    let given = format!("You are.\n</env>\nInstructions from: {AGENTS}\nUse tabs.\n");
    assert_eq!(outcomes(&system(&pin, &given, &[])), "AsPinned: Given");
    let absent = system(&pin, "You are.\nUse tabs.", &[]);
    assert_eq!(outcomes(&absent), "Deviates: Absent");

    let pin = known(&[sample(Source::Rollout)]);
    let check = |items: &[Value], expected: &str| {
        assert_eq!(
            outcomes(&row(&pin, Source::Rollout, 0, &rollout(items))),
            expected,
            "{items:?}"
        );
    };
    check(&[codex_files("Use tabs.")], "AsPinned: Given");
    check(&[said("user", "Use tabs.")], "Deviates: Absent");
    check(&[codex_files("Use blanks.")], "Deviates: Foreign Absent");
}

#[test]
fn a_short_file_in_a_prompt_of_ctxpin_is_given() {
    let pin = [Sample::of(Source::Transcript).file(AGENTS, "Use tabs.\n")];
    let ours = |path: &str, text: &str| {
        let text = format!("<context-file source=\"{path}\">\n{text}\n</context-file>");
        transcript(&pin, |transcript| transcript.system.clone_from(&text))
    };
    assert_eq!(outcomes(&ours(AGENTS, "Use tabs.")), "AsPinned: Given");
    assert_eq!(outcomes(&ours(AGENTS, "Use it.")), "Deviates: Absent");
    assert_eq!(outcomes(&ours(RULES, "Use tabs.")), "Deviates: Absent");
}

#[test]
fn short_files_of_codex_stand_one_behind_the_other() {
    let deep = "/w/project/sub/deep/AGENTS.md";
    let pin = known(&[Sample::of(Source::Rollout)
        .file(AGENTS, "One.\n\nAnd more.\n")
        .file(SUB, "Two.\n")
        .file(deep, &body("DEEP"))]);
    let check = |text: &str, expected: [&str; 4]| {
        let row = row(&pin, Source::Rollout, 0, &rollout(&[codex_files(text)]));
        let told = [AGENTS, SUB, deep].map(|path| of(&row, path));
        let verdict = format!("{:?}", row.verdict);
        let [agents, sub, deep] = &told;
        assert_eq!([&verdict, agents, sub, deep], expected, "{text:?}");
    };
    let [given, absent] = ["Given", "Absent"];
    let deep = body("DEEP");
    let text = format!("One.\n\nAnd more.\n\n\nTwo.\n\n\n{deep}");
    check(&text, ["AsPinned", given, given, given]);
    let text = format!("One.\n\nAnd more.\n\n\n{deep}");
    check(&text, ["Deviates", given, absent, given]);
    let text = format!("One.\n\nTwo.\n\n{deep}");
    check(&text, ["Deviates", absent, absent, given]);
}

#[test]
fn a_list_of_skills_that_a_session_lacks_is_absent() {
    let sample = |source, directory| {
        Sample::of(source)
            .skill(directory, "one", "Is one", &body("ONE"))
            .skill_with(
                directory,
                "hidden",
                "description: Is hidden\ndisable-model-invocation: true",
            )
    };
    let pin = known(&[sample(Source::Transcript, CLAUDE)]);
    let check = |text: &str, source: &str, expected: &str| {
        let mut transcript = Transcript::default();
        transcript.given(&[text]);
        transcript.request_of(source);
        let row = row(&pin, Source::Transcript, 0, &transcript.record());
        assert_eq!(outcomes(&row), expected, "{text} {source}");
    };
    for source in ["sdk", "repl_main_thread", "repl_main_thread:outputStyle:x"] {
        check("Go.", source, "Deviates: Absent NotAskedFor");
        check(LIST, source, "AsPinned: Given NotAskedFor");
    }
    for source in [
        "agent:builtin:Explore",
        "agent:builtin:general-purpose",
        "compact",
        "prompt_suggestion",
    ] {
        check("Go.", source, "AsPinned: NotAskedFor NotAskedFor");
    }

    let agents = "/w/project/.agents/skills";
    let pin = known(&[Sample::of(Source::Rollout).skill(agents, "one", "Is one", &body("ONE"))]);
    let listed = format!("### Available skills\n- one: Is one (file: {agents}/one/SKILL.md)\n");
    let check = |source: Value, text: &str, expected: &str| {
        let record = session(
            &source,
            &[of_kind("developer", "host_skills.instructions", text)],
        );
        let row = row(&pin, Source::Rollout, 0, &record);
        assert_eq!(outcomes(&row), expected, "{source}");
    };
    for source in ["cli", "exec", "vscode"] {
        check(json!(source), "Go.", "Deviates: Absent");
        check(json!(source), &listed, "AsPinned: Given");
    }
    let subagent = json!({ "subagent": "review" });
    check(subagent, "Go.", "AsPinned: NotAskedFor");
}

#[test]
fn a_text_counts_for_the_file_that_its_frame_names() {
    let [equal, root] = ["EQUAL", "ROOT"].map(body);
    let [one, two] = ["one", "two"].map(|name| format!("/w/project/{name}/CLAUDE.md"));
    let sample = Sample::of(Source::Transcript)
        .file(AGENTS, &equal)
        .file(RULES, &equal)
        .file_below(&one, &equal)
        .file_below(&two, &equal)
        .skill(CLAUDE, "same", "Is the same", &equal);
    let check = |files: &[&str], expected: [&str; 4]| {
        let row = transcript(std::slice::from_ref(&sample), |transcript| {
            let files: Vec<_> = files.iter().map(|path| (*path, equal.trim())).collect();
            transcript.files(&files);
        });
        let told = [AGENTS, RULES, &one, &two].map(|path| of(&row, path));
        assert_eq!(told, expected, "{files:?}");
        let skill = of(&row, &format!("{CLAUDE}/same/SKILL.md"));
        assert_eq!(skill, "NotAskedFor");
        let mut bodies = row.resources.iter().filter_map(|result| result.has_body);
        assert!(bodies.all(|has_body| !has_body));
    };
    let none = "NotAskedFor";
    check(&[AGENTS, RULES], ["Given", "Given", none, none]);
    check(&[AGENTS], ["Given", "Absent", none, none]);
    check(&[AGENTS, RULES, RULES], ["Given", "Repeated", none, none]);
    check(&[AGENTS, RULES, &one], ["Given", "Given", "Given", none]);
    check(&[&two], ["Absent", "Absent", none, "Given"]);
    // A name that no snapshot has may be another one of the same file.
    check(&["/w/link/CLAUDE.md"], ["Given"; 4]);

    // A text that the named file never had is foreign there.
    let sample = Sample::of(Source::Transcript)
        .file(AGENTS, &root)
        .file(RULES, &equal);
    let row = transcript(std::slice::from_ref(&sample), |transcript| {
        transcript.files(&[(AGENTS, equal.trim())]);
    });
    assert_eq!(of(&row, AGENTS), "Foreign Absent");
    assert_eq!(of(&row, RULES), "Absent");
}

#[test]
fn an_earlier_text_is_that_of_its_own_file() {
    let [equal, present] = ["EQUAL", "PRESENT"].map(body);
    let sample = |text: &str| {
        Sample::of(Source::Transcript)
            .file(AGENTS, text)
            .file_below(SUB, &equal)
    };
    let samples = [sample(&equal), sample(&present)];
    let row = transcript(&samples, |transcript| {
        transcript.files(&[(AGENTS, equal.trim())]);
        transcript.files(&[(AGENTS, present.trim())]);
    });
    assert_eq!(outcomes(&row), "AsPinned: Superseded Given NotAskedFor");
    let row = transcript(&samples, |transcript| {
        transcript.files(&[(AGENTS, equal.trim())]);
    });
    assert_eq!(outcomes(&row), "Deviates: Stale Absent NotAskedFor");
}

#[test]
fn a_subagent_that_has_read_below_has_not_the_file_with_an_equal_text() {
    let sample = Sample::of(Source::Transcript)
        .file(AGENTS, &body("EQUAL"))
        .file_below(SUB, &body("EQUAL"));
    let mut transcript = Transcript::default();
    transcript.files(&[(SUB, body("EQUAL").trim())]);
    transcript.request_of("agent:builtin:Explore");
    let row = row(
        &known(&[sample]),
        Source::Transcript,
        0,
        &transcript.record(),
    );
    assert_eq!(of(&row, AGENTS), "NotAskedFor");
    assert_eq!(of(&row, SUB), "Given");
}

#[test]
fn codex_gives_equal_texts_as_often_as_there_are() {
    let equal = body("EQUAL");
    let equal = equal.trim();
    let check = |sample: &Sample, text: &str, expected: [&str; 3]| {
        let known = known(std::slice::from_ref(sample));
        let row = row(&known, Source::Rollout, 0, &rollout(&[codex_files(text)]));
        let told = [HOME, AGENTS, SUB].map(|path| of(&row, path));
        assert_eq!(told, expected, "{text}");
    };
    let project = Sample::of(Source::Rollout)
        .file(AGENTS, equal)
        .file(SUB, equal);
    check(&project, equal, ["", "Given", "Absent"]);
    let both = format!("{equal}\n\n{equal}");
    check(&project, &both, ["", "Given", "Given"]);
    let three = format!("{both}\n\n{equal}");
    check(&project, &three, ["", "Repeated", "Repeated"]);

    let both = Sample::of(Source::Rollout)
        .file(HOME, equal)
        .file(AGENTS, equal);
    let separated = format!("{equal}\n\n--- project-doc ---\n\n{equal}");
    check(&both, &separated, ["Given", "Given", ""]);
    check(&both, equal, ["Absent", "Given", ""]);
    let home = format!("# AGENTS.md instructions\n\n<INSTRUCTIONS>\n{equal}\n</INSTRUCTIONS>");
    let known = known(&[both]);
    let items = [of_kind("user", "agents_md.instructions", &home)];
    let row = row(&known, Source::Rollout, 0, &rollout(&items));
    assert_eq!(
        [HOME, AGENTS].map(|path| of(&row, path)),
        ["Given", "Absent"]
    );
}

#[test]
fn the_last_files_of_codex_count() {
    let [agents, sub] = ["AGENTS", "SUB"].map(body);
    let pin = known(&[Sample::of(Source::Rollout)
        .file(AGENTS, &agents)
        .file(SUB, &sub)]);
    let both = codex_files(&format!("{agents}\n\n{sub}"));
    let check = |last: &str, expected: &str| {
        let items = [both.clone(), codex_files(last)];
        let row = row(&pin, Source::Rollout, 0, &rollout(&items));
        assert_eq!(outcomes(&row), expected, "{last}");
    };
    check(&agents, "Deviates: Absent Repeated");
    check("Other.", "Deviates: Foreign Absent Absent");
    check(&format!("{agents}\n\n{sub}"), "AsPinned: Repeated Repeated");
    // What another message of the client has is in none of them.
    let items = [said("developer", &sub), codex_files(&agents)];
    let row = row(&pin, Source::Rollout, 0, &rollout(&items));
    assert_eq!(outcomes(&row), "AsPinned: Given Given");
}

#[test]
fn a_pinned_text_that_the_client_takes_back_is_absent() {
    let sample = Sample::of(Source::Transcript)
        .file(AGENTS, &body("AGENTS"))
        .file_below(SUB, &body("SUB"));
    let gone = format!(
        "<system-reminder>\nInstruction files were re-read when this session started; these differ.\n\nInstructions no \
         longer present: {AGENTS}\n\nInstructions no longer present: {SUB}\n</system-reminder>"
    );
    let row = transcript(&[sample], |transcript| {
        transcript.files(&[(AGENTS, body("AGENTS").trim()), (SUB, body("SUB").trim())]);
        transcript.given(&[&gone]);
    });
    assert_eq!(outcomes(&row), "Deviates: Absent Absent");
    for text in ["AGENTS", "SUB"] {
        let hash = BlobHash::of(body(text).as_bytes());
        let had = row.texts().any(|text| text == *hash.bytes());
        assert!(had, "the request has the text all the same");
    }
    assert!(row.checked().is_ok());
}

#[test]
fn the_text_of_a_used_skill_is_in_the_request_that_has_it() {
    let sample = Sample::of(Source::Transcript).skill(CLAUDE, "one", "Is one", &body("ONE"));
    let row = transcript(&[sample], |transcript| {
        transcript.given(&[LIST]);
        transcript.request();
        let text = body("ONE");
        let used = format!("Base directory for this skill: {CLAUDE}/one\n\n{text}");
        transcript.given(&[&used]);
        transcript.request();
    });
    let [skill] = &row.resources[..] else {
        panic!("{row:?}")
    };
    assert_eq!(outcomes(&row), "AsPinned: Given");
    assert_eq!((skill.request, skill.has_body), (2, Some(true)));
    assert_eq!(skill.place.map(|place| place.message), Some(2));
    assert_eq!(skill.size_bytes, Some(body("ONE").trim().len() as u64));
}
