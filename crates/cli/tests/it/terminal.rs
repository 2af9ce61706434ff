//! Output on a terminal. `script` runs a command on a terminal and returns everything that the
//! terminal gets.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::bench::{Bench, Said, assert_says, said};
use crate::hooks::called;

/// A name that changes the title of the terminal, hides what follows, and reverses it.
const NAME: &str = "app\u{1b}]0;PWNED\u{7}\u{9b}8m\n\u{202e}b";

/// A text that does the same, and writes to the clipboard.
const TEXT: &str = "Hi.\u{1b}]52;c;eA==\u{7}\u{9b}2J\u{1b}[8m\u{202e}end\n";

/// Runs a command on a terminal.
fn on_terminal(bench: &Bench, directory: &Path, arguments: &[&str]) -> Said {
    said(&mut terminal(bench, directory, arguments))
}

/// Returns the command that runs another one on a terminal.
fn terminal(bench: &Bench, directory: &Path, arguments: &[&str]) -> Command {
    let command = bench.command(directory, arguments);
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "'\\''"));
    let mut line = quoted(&command.get_program().to_string_lossy());
    for argument in arguments {
        line += " ";
        line += &quoted(argument);
    }
    let mut script = Command::new("script");
    script
        .args(["-q", "-e", "-c", &line, "/dev/null"])
        .env_clear()
        .env("TERM", "xterm")
        .current_dir(directory);
    for (name, value) in command.get_envs() {
        script.env(name, value.unwrap());
    }
    script
}

/// Asserts that a text has no control sequences except colours and the erasure of a spinner.
#[track_caller]
fn assert_tame(text: &str, arguments: &[&str]) {
    let is_raw = |c: char| matches!(c, '\u{7}' | '\u{9b}' | '\u{202e}');
    assert!(!text.contains(is_raw), "{arguments:?}: {text:?}");
    for sequence in ["\u{1b}]", "\u{1b}[8m", "\u{1b}[2J"] {
        assert!(!text.contains(sequence), "{arguments:?}: {text:?}");
    }
}

#[test]
fn finding_18_no_name_and_no_file_steers_a_terminal() {
    let bench = Bench::new();
    let app = bench.workspace(NAME, "one\n");
    let skill = app.join("skills/greet");
    fs::create_dir_all(&skill).unwrap();
    let skill_text = format!("---\nname: greet\ndescription: Greets.\n---\n{TEXT}");
    fs::write(skill.join("SKILL.md"), &skill_text).unwrap();
    fs::write(skill.join("words.txt"), TEXT).unwrap();
    fs::write(app.join("AGENTS.md"), TEXT).unwrap();
    bench.ok(&app, &["up", "--detach"]);
    fs::write(app.join("AGENTS.md"), format!("More.\n{TEXT}")).unwrap();
    bench.ok(&app, &["agent", "resync"]);
    let outside = app.parent().unwrap().join("out\u{1b}]0;x\u{7}");
    fs::create_dir(&outside).unwrap();
    let outside = outside.to_str().unwrap();
    for arguments in [
        &["scan"][..],
        &["scan", "--json"],
        &["check"],
        &["check", "--json"],
        &["chat", "list"],
        &["chat", "list", "--json"],
        &["chat", "show"],
        &["chat", "show", "--resources"],
        &["chat", "show", "--json"],
        &["chat", "diff"],
        &["chat", "diff", "--json"],
        &["chat", "decline"],
        &["chat", "set", "--policy", "manual"],
        &["chat", "refresh"],
        &["chat", "history"],
        &["chat", "history", "--json"],
        &["chat", "rollback"],
        &["chat", "unpin"],
        &["chat", "rollback", "1"],
        &["chat", "new"],
        &["chat", "archive"],
        &["prompt"],
        &["prompt", "--removed"],
        &["skill", "list"],
        &["skill", "list", "--json"],
        &["skill", "show", "greet"],
        &["skill", "show", "greet", "--json"],
        &["skill", "show", "greet", "--sanitised"],
        &["skill", "show", "greet", "words.txt"],
        &["skill", "show", outside],
        &["agent", "list"],
        &["agent", "list", "--json"],
        &["agent", "status"],
        &["agent", "status", "--json"],
        &["agent", "resync"],
        &["agent", "create", "--workspace", NAME],
        &["chat", "new", "--agent", NAME],
        &["source", "list"],
        &["source", "add", outside],
        &["source", "list", "--dir", outside],
        &["token", "list"],
        &["user", "list"],
        &["user", "usage"],
        &["up"],
        &[
            "push",
            "--server",
            "http://127.0.0.1:1",
            "--token-file",
            outside,
        ],
        &["down"],
        &["chat", "show"],
        &["up", "--detach"],
        &["down"],
    ] {
        let said = on_terminal(&bench, &app, arguments);
        assert!(!said.out.is_empty(), "{arguments:?}: {said:?}");
        assert_tame(&said.out, arguments);
    }

    // A pipe gets the exact bytes.
    bench.ok(&app, &["up", "--detach"]);
    bench.ok(&app, &["chat", "new"]);
    assert_eq!(bench.ok(&app, &["skill", "show", "greet"]), skill_text);
    assert_eq!(
        bench.ok(&app, &["skill", "show", "greet", "words.txt"]),
        TEXT
    );
    // JSON contains the same text with escapes.
    let json = bench.ok(&app, &["skill", "show", "greet", "--json"]);
    assert_tame(&json, &["skill", "show", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["body"], skill_text);
    bench.ok(&app, &["down"]);
}

#[test]
fn codex_trusts_hooks_after_a_persons_yes_on_the_terminal() {
    let bench = Bench::new();
    let app = bench.workspace("app", "one\n");
    bench.ok(&app, &["up", "--detach"]);
    let config = bench.root().join("home/.codex/config.toml");
    let question = "Codex runs these hooks only if you trust them. Trust them? [y/N] ";
    let answers = |answer: &str| {
        let mut install = terminal(&bench, &app, &["hook", "install", "codex"]);
        install.stdin(Stdio::piped());
        install.stdout(Stdio::piped()).stderr(Stdio::piped());
        let told = called(install, answer);
        assert_eq!(told.code, Some(0), "{told:#?}");
        told.out
    };
    for no in ["\n", "n\n", "yesterday\n"] {
        let told = answers(no);
        assert_says(&told, &[question, "ctxpin hook install codex --trust"]);
        let trusted = fs::read_to_string(&config).unwrap_or_default();
        assert!(!trusted.contains("trusted_hash"), "{no:?}: {trusted}");
    }
    assert_says(&answers("Y\n"), &[question, "tells Codex to trust them"]);
    let trusted = fs::read_to_string(&config).unwrap();
    assert!(trusted.contains("trusted_hash"), "{trusted}");
    // What is trusted is not asked again.
    let told = answers("");
    assert!(!told.contains("[y/N]"), "{told}");
    bench.ok(&app, &["down"]);
}
