//! The life of a chat in one directory: pin, drift, diff, refresh and rollback.

use std::fs;

use crate::bench::{Bench, assert_says};

#[test]
fn a_chat_is_pinned_drifts_and_moves_only_when_asked() {
    let bench = Bench::new();
    let app = bench.workspace("app", "Be brief.\n");
    let up = bench.ok(&app, &["up", "--detach"]);
    assert_says(
        &up,
        &[
            "watching ",
            "\"app\"",
            "1 instruction file",
            "http://127.0.0.1:",
            "ctxpin chat diff",
            "ctxpin down",
        ],
    );

    let shown = bench.run(&app, &["chat", "show", "--exit-code"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert_says(&shown.out, &["clean", "policy   manual"]);
    assert_says(&shown.err, &["the newest of "]);
    let first = bench.ok(&app, &["prompt"]);
    assert_says(&first, &["Be brief."]);

    fs::write(app.join("AGENTS.md"), "Be verbose.\n").unwrap();
    bench.until(&app, |chat| chat["context"]["dirty"] == true);
    let shown = bench.run(&app, &["chat", "show", "--exit-code"]);
    assert_eq!(shown.code, Some(3), "{shown:?}");
    assert_says(
        &shown.out,
        &["behind since", "modified  instruction_file  AGENTS.md"],
    );
    let diff = bench.ok(&app, &["chat", "diff"]);
    assert_says(&diff, &["-Be brief.", "+Be verbose."]);
    assert!(!diff.contains('\u{1b}'), "a pipe is given no colours");
    assert_eq!(bench.ok(&app, &["prompt"]), first);

    let stale = bench.fails(&app, &["chat", "refresh", "--head", "0000"], 1);
    assert_says(&stale, &["error: ", "hint: "]);
    assert_says(&bench.ok(&app, &["chat", "decline"]), &["declined"]);
    assert_says(&bench.ok(&app, &["chat", "show"]), &["declined"]);
    assert_says(
        &bench.ok(&app, &["chat", "refresh"]),
        &["took", "AGENTS.md", "pinned to"],
    );
    assert_says(&bench.ok(&app, &["prompt"]), &["Be verbose."]);
    assert_says(&bench.ok(&app, &["chat", "refresh"]), &["nothing to take"]);

    let history = bench.json(&app, &["chat", "history"]);
    let reasons: Vec<_> = history["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pin| pin["reason"].clone())
        .collect();
    assert_eq!(reasons, ["refresh", "decline", "create"], "{history}");
    assert_says(&bench.ok(&app, &["chat", "history"]), &["refresh", "now"]);

    let rolled = bench.ok(&app, &["chat", "rollback"]);
    assert_says(&rolled, &["again", "the policy is now manual"]);
    assert_eq!(bench.ok(&app, &["prompt"]), first);
    assert_eq!(
        bench.json(&app, &["chat", "show"])["context"]["dirty"],
        true
    );

    fs::write(app.join("AGENTS.md"), "Be brief.\n").unwrap();
    bench.until(&app, |chat| chat["context"]["dirty"] == false);
    assert_says(&bench.ok(&app, &["chat", "show"]), &["clean"]);

    let down = bench.ok(&app, &["down"]);
    assert_says(&down, &["stopped watching", "stopped the server"]);
    assert_eq!(bench.ok(&app, &["down"]), "nothing is running\n");
    let gone = bench.fails(&app, &["chat", "show"], 1);
    assert_says(&gone, &["no ctxpin server runs", "ctxpin up"]);
}

#[test]
fn some_sources_are_taken_and_others_are_not() {
    let bench = Bench::new();
    let app = bench.workspace("app", "one\n");
    bench.ok(&app, &["up", "--detach"]);
    fs::write(app.join("AGENTS.md"), "two\n").unwrap();
    fs::write(app.join(".cursorrules"), "three\n").unwrap();
    bench.ok(&app, &["agent", "resync"]);
    let dirty = bench.json(&app, &["chat", "show"]);
    assert_eq!(
        dirty["context"]["changes"].as_array().unwrap().len(),
        2,
        "{dirty}"
    );

    let taken = bench.ok(&app, &["chat", "refresh", "--source", ".cursorrules"]);
    assert_says(
        &taken,
        &[
            "took",
            "added",
            ".cursorrules",
            "still different",
            "AGENTS.md",
        ],
    );
    let prompt = bench.ok(&app, &["prompt"]);
    assert_says(&prompt, &["one", "three"]);
    bench.fails(&app, &["chat", "refresh", "--source", "nowhere.md"], 1);

    bench.ok(&app, &["chat", "unpin"]);
    let unpinned = bench.run(&app, &["prompt"]);
    assert_eq!((unpinned.code, unpinned.out.as_str()), (Some(0), ""));
    assert_says(&unpinned.err, &["not pinned"]);
    bench.ok(&app, &["chat", "rollback", "1"]);
    assert!(!bench.ok(&app, &["prompt"]).contains("three"));
}

#[test]
fn sources_and_skills_are_pinned_too() {
    let bench = Bench::new();
    let app = bench.workspace("app", "Hi.\n");
    let skill = app.join(".claude/skills/greet");
    fs::create_dir_all(&skill).unwrap();
    let text = "---\nname: greet\ndescription: Greets people.\n---\nSay hello.\n";
    fs::write(skill.join("SKILL.md"), text).unwrap();
    fs::write(skill.join("words.txt"), "hello\n").unwrap();
    fs::create_dir(app.join("docs")).unwrap();
    fs::write(app.join("docs/more.md"), "More.\n").unwrap();
    bench.ok(&app, &["up", "--detach"]);

    assert_says(
        &bench.ok(&app, &["skill", "list"]),
        &["greet", "Greets people."],
    );
    assert_eq!(bench.ok(&app, &["skill", "show", "greet"]), text);
    assert_eq!(
        bench.ok(&app, &["skill", "show", "greet", "words.txt"]),
        "hello\n"
    );
    let absent = bench.fails(&app, &["skill", "show", "nothing"], 1);
    assert_says(&absent, &["no such skill", "hint: `ctxpin skill list`"]);
    let absent = bench.fails(&app, &["skill", "show", "greet", "nothing.txt"], 1);
    assert_says(&absent, &["no such file", "lists the files of greet"]);

    assert_says(
        &bench.ok(&app, &["source", "add", "docs/more.md"]),
        &["declared"],
    );
    assert_says(
        &bench.ok(&app, &["source", "list"]),
        &["docs/more.md", "you"],
    );
    bench.until(&app, |chat| chat["context"]["dirty"] == true);
    assert_says(
        &bench.ok(&app, &["source", "show", "docs/more.md"]),
        &["instruction_file"],
    );
    bench.ok(&app, &["source", "remove", "docs/more.md"]);
    bench.until(&app, |chat| chat["context"]["dirty"] == false);
    bench.fails(&app, &["source", "remove", "docs/more.md"], 1);
    assert_says(
        &bench.ok(&app, &["agent", "status"]),
        &["agent on", "the server has the latest scan"],
    );
}

#[test]
fn removed_text_is_reported_and_shown() {
    let bench = Bench::new();
    let app = bench.workspace("app", "# A\n\n<!-- HIDDEN-1 -->\n\nend\n\n");
    bench.ok(&app, &["up", "--detach"]);
    let prompt = bench.ok(&app, &["prompt"]);
    let shown = bench.ok(&app, &["prompt", "--removed"]);
    assert_says(&shown, &["[-\\n<!-- HIDDEN-1 -->\\n-]"]);
    let mut given = String::new();
    for stretch in shown.split("-]") {
        given += stretch.split("[-").next().unwrap();
    }
    assert_eq!(given, prompt);

    let text = "# A\n\n<!-- HIDDEN-22 -->\n\nso\u{ad}ft\n\n\u{200b}```\nx\n```\n";
    fs::write(app.join("AGENTS.md"), text).unwrap();
    bench.until(&app, |chat| chat["context"]["dirty"] == true);
    assert_says(
        &bench.ok(&app, &["chat", "diff"]),
        &[
            "removed: 18 B of comments, 5 B of invisible characters",
            "line 7: code depends on an invisible character (U+200B)",
        ],
    );
    bench.ok(&app, &["down"]);
}

#[test]
fn directories_of_one_name_are_told_apart() {
    let bench = Bench::new();
    let apps = ["one", "two"].map(|parent| {
        bench.workspace(parent, "Outside.\n");
        let app = bench.workspace(&format!("{parent}/app"), "Be brief.\n");
        bench.ok(&app, &["up", "--detach"]);
        app
    });
    let list = bench.ok(&apps[0], &["chat", "list"]);
    assert_says(&list, &["one/app", "two/app"]);
}

#[test]
fn a_hostile_name_steers_no_terminal() {
    let bench = Bench::new();
    let app = bench.workspace("app\u{1b}]0;x\u{7}\n\u{202e}zz", "x\n");
    bench.ok(&app, &["up", "--detach"]);
    let outside = app.parent().unwrap().join("out\u{1b}[8m\n\u{202e}");
    fs::create_dir(&outside).unwrap();
    let outside = outside.to_str().unwrap();
    for arguments in [
        &["chat", "show"][..],
        &["chat", "list"],
        &["chat", "show", "--resources"],
        &["agent", "list"],
        &["agent", "status"],
        &["scan"],
        &["check"],
        &["prompt", "--removed"],
        &["source", "list"],
        &["source", "add", outside],
        &["source", "show", outside],
        &["source", "list", "--dir", outside],
        &["check", outside, "."],
        &["skill", "show", "\u{1b}[8m"],
        &["chat", "show", "\u{1b}[8m"],
        &["prompt", "--token-file", outside],
        &["down"],
        &["chat", "show"],
    ] {
        let said = bench.run(&app, arguments);
        for text in [&said.out, &said.err] {
            let is_raw = |c: char| matches!(c, '\u{1b}' | '\u{7}' | '\u{202e}');
            assert!(!text.contains(is_raw), "{arguments:?}: {said:#?}");
            assert!(!text.contains("\nzz"), "{arguments:?}: {said:#?}");
        }
    }
}

#[test]
fn a_watch_ends_with_the_reader_of_its_output() {
    let bench = Bench::new();
    let app = bench.workspace("app", "Be brief.\n");
    bench.ok(&app, &["up", "--detach"]);
    for options in [&["watch"][..], &["watch", "--json"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut watch = bench.command(&app, options).stdout(writer).spawn().unwrap();
        assert!(watch.wait().unwrap().success(), "{options:?}");
    }
}
