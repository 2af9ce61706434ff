//! Enrolment with the built program: a code, an agent that asks for it, and the token that it keeps.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::bench::{Bench, Running, Said, Served, agent_delete, assert_says, said};

fn code(bench: &Bench, served: &Served, workspace: &str) -> String {
    let directory = bench.root();
    let made = [
        "agent",
        "enrolment-code",
        "--workspace",
        workspace,
        "--server",
        &served.url,
        "--token-file",
        &served.token,
    ];
    bench.ok(&directory, &made).trim().to_owned()
}

/// Returns the command with a file as its standard input.
fn typed(bench: &Bench, directory: &Path, arguments: &[&str], text: &str) -> Command {
    let input = bench.root().join("typed");
    fs::write(&input, text).unwrap();
    let mut command = bench.command(directory, arguments);
    command.stdin(fs::File::open(&input).unwrap());
    command
}

/// Returns the files below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(self::files(&path)),
            false => files.push(path),
        }
    }
    files
}

#[test]
fn an_agent_enrols_once_and_keeps_its_token() {
    let bench = Bench::new();
    let app = bench.workspace("app", "Be brief.\n");
    let served = bench.serve(&app, &[]);
    let code = code(&bench, &served, "payments");
    let run = ["agent", "run", "--server", &served.url];
    let enrol = [&run[..], &["--enrol"]].concat();

    let missing = bench.fails(&app, &run, 2);
    assert_says(
        &missing,
        &["no agent's token was given", "--enrol` asks for a code"],
    );
    let refused = said(&mut typed(&bench, &app, &enrol, "K7QD\n"));
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert_says(&refused.err, &["has 16 letters and digits", "hint: "]);
    let refused = said(&mut typed(&bench, &app, &enrol, ""));
    assert_eq!(refused.code, Some(2), "{refused:?}");

    // Case, blanks and dashes do not matter.
    let loose = code.to_lowercase().replace('-', " ");
    let mut agent = Running::errors_of(&mut typed(&bench, &app, &enrol, &loose));
    agent.until(|line| line.contains("workspace \"payments\"").then_some(()));
    agent.until(|line| line.contains("number 1").then_some(()));
    assert_eq!(agent.terminate(), Some(0));
    let runs = bench.data().join("runs");
    let kept = files(&runs);
    let token = kept.iter().find(|path| path.ends_with("token"));
    let mode = fs::metadata(token.expect("a token"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let is_draft = |path: &PathBuf| path.ends_with("secret");
    assert!(!kept.iter().any(is_draft), "{kept:?}");

    // It asks for nothing from now on, under any name of this machine.
    let port = served.url.rsplit_once(':').unwrap().1;
    let renamed = format!("http://localhost:{port}");
    for again in [&enrol[..], &run, &["agent", "run", "--server", &renamed]] {
        let mut agent = Running::errors_of(&mut bench.command(&app, again));
        agent.until(|line| line.contains("is open; the server has").then_some(()));
        assert_eq!(agent.terminate(), Some(0));
    }

    // The code has made its agent, and another directory has none.
    let other = bench.workspace("other", "x\n");
    let used = said(&mut typed(&bench, &other, &enrol, &code));
    assert_eq!(used.code, Some(1), "{used:?}");
    assert_says(&used.err, &["was used already", "hint: "]);
    let unknown = said(&mut typed(&bench, &other, &enrol, "0000-0000-0000-0000\n"));
    assert_eq!(unknown.code, Some(1), "{unknown:?}");
    assert_says(
        &unknown.err,
        &["does not know this enrolment code", "hint: "],
    );
    let elsewhere = ["agent", "run", "--server", "http://127.0.0.1:1", "--enrol"];
    let nobody = said(&mut typed(&bench, &other, &elsewhere, &code));
    assert_eq!(nobody.code, Some(1), "{nobody:?}");
    assert_says(
        &nobody.err,
        &["no ctxpin server runs at", "the same code works again"],
    );
    for file in files(&bench.data()) {
        let text = fs::read(&file).unwrap();
        let text = String::from_utf8_lossy(&text);
        assert!(!text.contains(&code), "{}", file.display());
    }
}

/// Runs a command on a terminal, and types a line whenever it asks for one.
fn on_terminal(bench: &Bench, directory: &Path, arguments: &[&str], lines: &[&str]) -> Said {
    let command = bench.command(directory, arguments);
    let line = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|part| format!("'{}'", part.to_str().unwrap()))
        .collect::<Vec<_>>()
        .join(" ");
    // Without `exec`, Ctrl-C ends a shell too, and its status counts.
    let line = format!("exec {line}");
    let mut script = Command::new("script");
    script
        .args(["-q", "-e", "-c", &line, "/dev/null"])
        .current_dir(directory)
        .env_clear()
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    for (name, value) in command.get_envs() {
        script.env(name, value.unwrap());
    }
    let mut child = script.spawn().unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (mut shown, mut byte) = (Vec::new(), [0]);
    let mut asked = 0;
    while output.read(&mut byte).unwrap_or(0) > 0 {
        shown.extend(byte);
        if shown.ends_with(b"shows: ") {
            // Ctrl-C alone: an Enter after it could be read before the signal is.
            let typed = lines
                .get(asked)
                .map_or("\u{3}".to_owned(), |line| format!("{line}\r"));
            input.write_all(typed.as_bytes()).unwrap();
            asked += 1;
        }
        // Ctrl-C ends the agent once it works.
        if shown.ends_with(b"number 1") {
            input.write_all(b"\x03").unwrap();
        }
    }
    Said {
        code: child.wait().unwrap().code(),
        out: String::from_utf8(shown).unwrap(),
        err: String::new(),
    }
}

#[test]
fn the_agent_of_a_deleted_workspace_ends_and_says_so() {
    let bench = Bench::new();
    let app = bench.workspace("app", "Be brief.\n");
    let served = bench.serve(&app, &[]);
    let code = code(&bench, &served, "payments");
    let enrol = ["agent", "run", "--server", &served.url, "--enrol"];
    let mut agent = Running::errors_of(&mut typed(&bench, &app, &enrol, &code));
    agent.until(|line| line.contains("number 1").then_some(()));
    let asking = ["--server", &served.url, "--token-file", &served.token];
    let created = [&["chat", "new", "--agent", "payments"][..], &asking].concat();
    let chat = bench.json(&app, &created);
    let diff = [&["chat", "diff", chat["id"].as_str().unwrap()][..], &asking].concat();
    let same = said(&mut bench.command(&app, &diff));
    assert_says(&same.err, &["no differences"]);

    let id = chat["agent_id"].as_str().unwrap();
    agent_delete(&served.url, Path::new(&served.token), id);
    let told = agent.until(|line| line.contains("error: ").then(|| line.to_owned()));
    let wanted = [
        "no longer accepts the agent's token",
        "if its workspace was deleted, ",
    ];
    assert_says(&told, &wanted);
    assert_eq!(agent.wait(), Some(1));

    let nothing = said(&mut bench.command(&app, &diff));
    assert_says(
        &nothing.err,
        &["bound to no workspace", "`ctxpin chat bind`"],
    );

    // A new code connects the directory again.
    let another = self::code(&bench, &served, "payments");
    let mut agent = Running::errors_of(&mut typed(&bench, &app, &enrol, &another));
    agent.until(|line| line.contains("does not accept the token").then_some(()));
    agent.until(|line| line.contains("number 1").then_some(()));
    assert_eq!(agent.terminate(), Some(0));
}

#[test]
fn a_terminal_asks_again_and_does_not_show_the_code() {
    let bench = Bench::new();
    let app = bench.workspace("app", "Be brief.\n");
    let served = bench.serve(&app, &[]);
    let code = code(&bench, &served, "payments");
    let enrol = ["agent", "run", "--server", &served.url, "--enrol"];
    let stopped = on_terminal(&bench, &app, &enrol, &[]);
    assert_eq!(stopped.code, Some(1), "{stopped:?}");
    assert_says(&stopped.out, &["stopped before a code was typed"]);
    let enrolled = on_terminal(
        &bench,
        &app,
        &enrol,
        &["K7QD", "0000-0000-0000-0000", &code],
    );
    assert_eq!(enrolled.code, Some(0), "{enrolled:?}");
    let expected = [
        "has 16 letters and digits",
        "does not know this enrolment code",
        "workspace \"payments\"",
    ];
    assert_says(&enrolled.out, &expected);
    for typed in ["0000-0000-0000-0000", &code] {
        assert!(!enrolled.out.contains(typed), "{enrolled:?}");
    }

    // Once the agent is gone, the next run asks for another code.
    let agents = bench.json(
        &app,
        &[
            "agent",
            "list",
            "--server",
            &served.url,
            "--token-file",
            &served.token,
        ],
    );
    let agent = agents["items"][0]["id"].as_str().unwrap();
    let rotate = ["agent", "rotate-token", agent, "--server", &served.url];
    bench.ok(
        &app,
        &[&rotate[..], &["--token-file", &served.token]].concat(),
    );
    let code = self::code(&bench, &served, "payments");
    let enrolled = on_terminal(&bench, &app, &enrol, &[&code]);
    assert_eq!(enrolled.code, Some(0), "{enrolled:?}");
    assert_says(
        &enrolled.out,
        &["does not accept the token of this directory's agent"],
    );
}
