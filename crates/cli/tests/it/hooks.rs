//! `ctxpin hook run`, as a client calls it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use uuid::{NoContext, Timestamp, Uuid};

use crate::bench::{Bench, Running, Said, assert_says, said};

/// A directory that `ctxpin up` watches, with hooks for a client.
pub struct Watched {
    pub bench: Bench,
    pub app: PathBuf,
    pub client: &'static str,
}

impl Watched {
    pub fn new(client: &'static str) -> Self {
        Self::with(client, &[])
    }

    /// Starts `ctxpin up` with these variables.
    pub fn with(client: &'static str, variables: &[(&str, &str)]) -> Self {
        let bench = Bench::new();
        let app = bench.workspace("app", "Ours.\n");
        fs::create_dir(app.join(".git")).unwrap();
        let mut up = bench.command(&app, &["up", "--detach", "--profile", client]);
        let up = said(up.envs(variables.iter().copied()));
        assert_eq!(up.code, Some(0), "{up:#?}");
        bench.ok(&app, &["hook", "install", client]);
        Self { bench, app, client }
    }

    /// Returns the command that install wrote, as a client starts it: by a shell, with other variables. Each call is one of
    /// another process of the client.
    fn hook(&self) -> Command {
        let mut client = Command::new("/usr/bin/timeout");
        client.args(["60", "/bin/sh"]);
        self.hook_of(client)
    }

    /// Returns the command that install wrote, for a program that runs shell commands.
    fn hook_of(&self, mut command: Command) -> Command {
        let status = self.bench.json(&self.app, &["hook", "status"]);
        let tools = status.as_array().unwrap().iter();
        let mut tools = tools.filter(|tool| tool["tool"] == self.client);
        let line = tools.next().unwrap()["command"]
            .as_str()
            .unwrap()
            .to_owned();
        command
            .args(["-c", &line])
            .current_dir(&self.app)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn call(&self, input: &Value) -> Said {
        called(self.hook(), &input.to_string())
    }

    /// Calls the hook, which must succeed, and returns what it tells the person.
    pub fn told(&self, session: &str, event: &str, more: &Value) -> Option<String> {
        self.told_by(self.call(&self.input(session, event, more)))
    }

    /// As [`Self::told`], with this process as the client.
    fn told_here(&self, session: &str, event: &str, more: &Value) -> Option<String> {
        let input = self.input(session, event, more).to_string();
        self.told_by(called(self.hook_of(Command::new("/bin/sh")), &input))
    }

    fn told_by(&self, said: Said) -> Option<String> {
        assert_eq!((said.code, &*said.err), (Some(0), ""), "{said:#?}");
        match said.out.is_empty() {
            true => None,
            false => {
                let answer: Value = serde_json::from_str(&said.out).unwrap();
                let member = match self.client {
                    "opencode" => "message",
                    _ => "systemMessage",
                };
                answer[member].as_str().map(str::to_owned)
            }
        }
    }

    fn input(&self, session: &str, event: &str, more: &Value) -> Value {
        let mut input = json!({
            "session_id": session, "cwd": self.app, "hook_event_name": event,
            "transcript_path": "/nowhere", "prompt": "the sentinel of a conversation",
        });
        let members = more.as_object().unwrap().clone();
        input.as_object_mut().unwrap().extend(members);
        input
    }

    /// Returns the chat of the client with a reference, once it is there. It is made behind the back of a hook.
    pub fn chat(&self, reference: &str) -> Value {
        self.chat_once(reference, |_| true)
    }

    /// Waits until the chat of the client with a reference is so.
    fn chat_once(&self, reference: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        self.until(|| {
            let list = self.bench.json(&self.app, &["chat", "list"]);
            let chats = list["items"].as_array().unwrap().iter();
            let mut chats = chats.filter(|chat| chat["reference"] == reference);
            chats.find(|chat| is_so(chat)).cloned()
        })
    }

    /// Waits until a chat has this many turns, which are recorded behind the back of a hook.
    fn turns(&self, reference: &str, count: usize) -> Vec<Value> {
        let id = self.chat(reference)["id"].as_str().unwrap().to_owned();
        self.until(|| {
            let list = ["chat", "turns", "--chat", &id];
            let turns = self.bench.json(&self.app, &list)["items"].clone();
            let turns = turns.as_array().unwrap().clone();
            (turns.len() >= count).then_some(turns)
        })
    }

    /// Looks again at each change until it finds something.
    fn until<T>(&self, find: impl Fn() -> Option<T>) -> T {
        if let Some(found) = find() {
            return found;
        }
        let mut watch = self.bench.start(&self.app, &["watch", "--json"]);
        loop {
            if let Some(found) = find() {
                return found;
            }
            watch.until(|_| Some(()));
        }
    }

    fn reasons(&self, reference: &str) -> Vec<String> {
        let id = self.chat(reference)["id"].as_str().unwrap().to_owned();
        let history = self.bench.json(&self.app, &["chat", "history", &id]);
        let pins = history["items"].as_array().unwrap().iter();
        let reasons =
            pins.map(|pin| format!("{} {}", pin["reason"].as_str().unwrap(), pin["unconfirmed"]));
        reasons.collect()
    }
}

pub fn called(mut command: Command, input: &str) -> Said {
    let mut child = command.spawn().unwrap();
    // A hook that does nothing may have ended.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Said {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn a_session_of_claude_code_is_followed() {
    let watched = Watched::new("claude-code");
    let none = json!({});
    assert_eq!(
        watched.told("s1", "SessionStart", &json!({"source": "startup"})),
        None
    );
    let chat = watched.chat("s1");
    assert_eq!(chat["client"], "claude-code");
    assert_eq!(chat["mode"], "observed");
    let prompt = |turn: &str| json!({"prompt_id": turn});
    assert_eq!(watched.told("s1", "UserPromptSubmit", &prompt("p1")), None);
    let back = json!({"prompt_id": "p2", "prompt": "<task-notification>done"});
    assert_eq!(watched.told("s1", "UserPromptSubmit", &back), None);
    let turns = watched.turns("s1", 1);
    assert_eq!(turns[0]["reference"], "p1");
    assert_eq!(turns[0]["delivery"], "observed");

    // The person is told once for each change.
    let resync = ["agent", "resync", "--profile", "claude-code"];
    let edit = |text: &str| {
        fs::write(watched.app.join("AGENTS.md"), text).unwrap();
        watched.bench.ok(&watched.app, &resync);
    };
    edit("Others.\n");
    let told = watched
        .told("s1", "UserPromptSubmit", &prompt("p3"))
        .unwrap();
    assert_eq!(
        told,
        "ctxpin: AGENTS.md changed since this session read it; Claude Code reads the present state when you resume the session"
    );
    assert_eq!(watched.told("s1", "UserPromptSubmit", &prompt("p4")), None);
    edit("Third.\n");
    assert!(
        watched
            .told("s1", "UserPromptSubmit", &prompt("p5"))
            .is_some()
    );
    let turns = watched.turns("s1", 4);
    let pins: Vec<_> = turns.iter().map(|turn| &turn["snapshot"]).collect();
    assert!(pins.iter().all(|pin| *pin == pins[0]), "{turns:#?}");

    // A resumed session reads anew, and a fork is a chat of its own.
    let resume = json!({"source": "resume"});
    assert_eq!(watched.told("s1", "SessionStart", &resume), None);
    assert_eq!(watched.told("s1", "UserPromptSubmit", &prompt("p6")), None);
    let turns = watched.turns("s1", 5);
    assert_ne!(turns[0]["snapshot"], turns[1]["snapshot"]);
    assert_eq!(
        watched.reasons("s1"),
        ["observe null", "observe null", "create null"]
    );
    watched.told("s2", "SessionStart", &json!({"source": "fork"}));
    assert_eq!(watched.chat("s2")["mode"], "observed");

    // A subagent is a chat below that of its session.
    let subagent = json!({"agent_id": "a1", "agent_type": "general"});
    assert_eq!(watched.told("s1", "SubagentStart", &subagent), None);
    // Requests of a session are sent in their order.
    watched.told("s1", "SessionStart", &resume);
    assert_eq!(watched.chat("s1/a1")["parent_id"], chat["id"]);
    for event in ["Stop", "SubagentStop", "SessionEnd"] {
        assert_eq!(watched.told("s1", event, &none), None);
    }
    let log = watched.bench.data().join("hooks/log");
    assert!(!log.exists(), "{}", fs::read_to_string(log).unwrap());
    watched.bench.ok(&watched.app, &["down"]);
    for file in files(&watched.bench.data()) {
        let bytes = fs::read(&file).unwrap();
        let words = b"the sentinel of a conversation";
        let is_kept = bytes.windows(words.len()).any(|part| part == words);
        assert!(!is_kept, "{}", file.display());
    }
}

#[test]
fn a_session_of_opencode_is_followed() {
    let watched = Watched::new("opencode");
    let start = watched.input("s1", "SessionStart", &json!({"source": "startup"}));
    let said = watched.call(&start);
    let chat = watched.chat("s1");
    let answer: Value = serde_json::from_str(&said.out).unwrap();
    // The plugin names the chat to the commands that the model runs.
    assert_eq!(answer, json!({"chat": chat["id"], "message": null}));
    assert_eq!(
        (&chat["client"], &chat["mode"]),
        (&json!("opencode"), &json!("observed"))
    );
    let prompt = |turn: &str| json!({"turn_id": turn});
    assert_eq!(watched.told("s1", "UserPromptSubmit", &prompt("m1")), None);
    watched.turns("s1", 1);

    // opencode reads its files at each prompt, and so the pin moves then. The person is told once for each change.
    fs::write(watched.app.join("AGENTS.md"), "Others.\n").unwrap();
    let resync = ["agent", "resync", "--profile", "opencode"];
    watched.bench.ok(&watched.app, &resync);
    let told = watched.told("s1", "UserPromptSubmit", &prompt("m2"));
    assert_eq!(
        told.as_deref(),
        Some(
            "ctxpin: AGENTS.md changed since your last prompt; opencode reads it anew with this one"
        )
    );
    assert_eq!(watched.told("s1", "UserPromptSubmit", &prompt("m3")), None);
    watched.turns("s1", 3);
    // Nobody waited for a scan of this one, and the turn has it all the same.
    fs::write(watched.app.join("AGENTS.md"), "Third.\n").unwrap();
    watched.told("s1", "UserPromptSubmit", &prompt("m4"));
    let turns = watched.turns("s1", 4);
    let references: Vec<_> = turns.iter().map(|turn| &turn["reference"]).collect();
    assert_eq!(references, ["m4", "m3", "m2", "m1"]);
    let pins: Vec<_> = turns.iter().map(|turn| &turn["snapshot"]).collect();
    assert_eq!(pins[1], pins[2]);
    assert!(pins[0] != pins[1] && pins[2] != pins[3], "{turns:#?}");
    assert_eq!(
        watched.reasons("s1"),
        [
            "observe null",
            "observe null",
            "observe null",
            "create null"
        ]
    );

    // A subagent is a session of its own, and its chat lies below that of the session that started it.
    let parent = json!({"source": "startup", "parent_id": "s1"});
    watched.told("s2", "SessionStart", &parent);
    watched.told("s2", "UserPromptSubmit", &prompt("m5"));
    assert_eq!(watched.chat("s2")["parent_id"], chat["id"]);
    assert_eq!(watched.turns("s2", 1)[0]["snapshot"], *pins[0]);
    let log = watched.bench.data().join("hooks/log");
    assert!(!log.exists(), "{}", fs::read_to_string(log).unwrap());
    watched.bench.ok(&watched.app, &["down"]);
}

/// Edits the instruction file of a directory, and waits until its agent has pushed it.
fn edit(watched: &Watched, text: &str) {
    fs::write(watched.app.join("AGENTS.md"), text).unwrap();
    let resync = ["agent", "resync", "--profile", watched.client];
    watched.bench.ok(&watched.app, &resync);
}

#[test]
fn a_process_of_claude_code_reads_anew_with_the_prompt_after_it_forgot() {
    let watched = Watched::new("claude-code");
    let start = |session: &str, source: &str| {
        let source = json!({ "source": source });
        assert_eq!(watched.told_here(session, "SessionStart", &source), None);
    };
    let prompt = |session: &str, turn: &str| {
        watched.told_here(session, "UserPromptSubmit", &json!({ "prompt_id": turn }))
    };
    let pin = |session: &str| watched.chat(session)["context"]["snapshot"].clone();
    let stamp = |count: usize| watched.turns("s2", count)[0]["snapshot"].clone();
    start("s1", "startup");
    let first = pin("s1");

    edit(&watched, "Second.\n");
    start("s2", "clear");
    let second = pin("s2");
    edit(&watched, "Third.\n");
    assert_eq!(prompt("s2", "p1"), None);
    let third = stamp(1);
    assert!(third != second && second != first);
    edit(&watched, "Fourth.\n");
    assert!(prompt("s2", "p2").is_some(), "it has read the third");
    assert_eq!(stamp(2), third);

    // The person has it compact, and edits before the next prompt.
    start("s2", "compact");
    let fourth = pin("s2");
    edit(&watched, "Fifth.\n");
    assert_eq!(prompt("s2", "p3"), None);
    let fifth = stamp(3);
    assert!(fifth != fourth && fourth != third);
    // It compacts within a turn.
    assert_eq!(prompt("s2", "p4"), None);
    start("s2", "compact");
    watched.told_here("s2", "Stop", &json!({}));
    edit(&watched, "Sixth.\n");
    assert!(prompt("s2", "p5").is_some());
    assert_eq!(stamp(5), fifth);

    // The process goes on with another session, and gives it what it has read.
    start("s1", "resume");
    assert_eq!(pin("s1"), fifth);
    start("s3", "fork");
    assert_eq!(pin("s3"), fifth);
    let resume = json!({"source": "resume"});
    watched.told("s1", "SessionStart", &resume);
    assert!(pin("s1") != fifth, "another process reads");
    watched.bench.ok(&watched.app, &["down"]);
}

#[test]
fn codex_reads_before_it_tells_of_a_start() {
    let watched = Watched::new("codex");
    let id_of = |before_now: Duration| {
        let (seconds, nanoseconds) = Uuid::now_v7().get_timestamp().unwrap().to_unix();
        let time = Duration::new(seconds, nanoseconds) - before_now;
        let time = Timestamp::from_unix(NoContext, time.as_secs(), time.subsec_nanos());
        Uuid::new_v7(time).to_string()
    };
    let start = |session: &str, source: &str| {
        watched.told_here(session, "SessionStart", &json!({ "source": source }));
        watched.chat(session)["context"].clone()
    };
    let first = start(&id_of(Duration::ZERO), "startup");
    let early = id_of(Duration::from_millis(500));
    edit(&watched, "Second.\n");
    let late = id_of(Duration::ZERO);
    let second = start(&late, "startup");
    assert_ne!(second["snapshot"], first["snapshot"]);
    let early = start(&early, "clear");
    // It may have read a little behind its id, and the edit was soon.
    assert_eq!(early["unconfirmed"], true);

    // A process that began just now has read what is there.
    edit(&watched, "Third.\n");
    let resume = json!({"source": "resume"});
    watched.told(&late, "SessionStart", &resume);
    let third = watched.chat(&late)["context"].clone();
    assert_ne!(third["snapshot"], second["snapshot"]);
    assert_eq!(third["unconfirmed"], Value::Null);
    // Nobody knows when one that has served others has read, and it matters only if something changed.
    let same = start(&late, "resume");
    assert_eq!(
        (&same["snapshot"], &same["unconfirmed"]),
        (&third["snapshot"], &Value::Null)
    );
    edit(&watched, "Fourth.\n");
    let fourth = start(&late, "resume");
    assert_eq!(fourth["unconfirmed"], true);
    watched.bench.ok(&watched.app, &["down"]);
}

#[test]
fn what_a_session_read_while_nobody_watched_is_not_confirmed() {
    let watched = Watched::new("claude-code");
    let (bench, app) = (&watched.bench, &watched.app);
    let prompt = |turn: &str| json!({"prompt_id": turn});
    let start = |source: &str| json!({"source": source});
    // On a busy machine, a start is recorded after its hook has ended.
    let is_confirmed = |session: &str, expected: bool| {
        let confirmed = |chat: &Value| chat["context"]["unconfirmed"] != true;
        watched.chat_once(session, |chat| confirmed(chat) == expected);
    };
    let up = || bench.ok(app, &["up", "--detach", "--profile", "claude-code"]);
    let down = || bench.ok(app, &["down"]);

    // It began before the hooks were there.
    watched.told("late", "UserPromptSubmit", &prompt("p1"));
    watched.turns("late", 1);
    assert_eq!(watched.reasons("late"), ["observe true", "create null"]);
    is_confirmed("late", false);
    let id = watched.chat("late")["id"].as_str().unwrap().to_owned();
    let shown = bench.ok(app, &["chat", "show", &id]);
    assert_says(
        &shown,
        &["unconfirmed: the client may have read other files"],
    );
    watched.told("late", "SessionStart", &start("resume"));
    is_confirmed("late", true);

    watched.told("s", "SessionStart", &start("startup"));
    watched.told("s", "UserPromptSubmit", &prompt("p1"));
    let first = watched.turns("s", 1)[0]["snapshot"].clone();
    // A restart alone changes nothing of what a session has read.
    down();
    fs::write(app.join("AGENTS.md"), "Others.\n").unwrap();
    up();
    watched.told("s", "UserPromptSubmit", &prompt("p2"));
    assert_eq!(watched.turns("s", 2)[0]["snapshot"], first);
    // Nobody is there when it compacts.
    down();
    watched.told("s", "SessionStart", &start("compact"));
    up();
    watched.told("s", "UserPromptSubmit", &prompt("p3"));
    let second = watched.turns("s", 3)[0]["snapshot"].clone();
    assert_ne!(second, first);
    is_confirmed("s", false);
    let moves = watched.reasons("s");
    watched.told("s", "UserPromptSubmit", &prompt("p4"));
    assert_eq!(watched.turns("s", 4)[0]["snapshot"], second);
    assert_eq!(watched.reasons("s"), moves);
    // The hooks are paused when it is resumed. A start that is seen later makes that good.
    watched.told("s", "SessionStart", &start("resume"));
    is_confirmed("s", true);
    let missed = || {
        bench.ok(app, &["hook", "pause"]);
        watched.told("s", "SessionStart", &start("resume"));
        bench.ok(app, &["hook", "resume"]);
    };
    missed();
    watched.told("s", "UserPromptSubmit", &prompt("p5"));
    watched.turns("s", 5);
    is_confirmed("s", false);
    missed();
    watched.told("s", "SessionStart", &start("resume"));
    watched.told("s", "UserPromptSubmit", &prompt("p6"));
    watched.turns("s", 6);
    is_confirmed("s", true);
    down();
}

pub fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false if path.is_file() => found.push(path),
            false => {}
        }
    }
    found
}

#[test]
fn a_session_is_followed_where_nothing_can_be_written() {
    let watched = Watched::new("claude-code");
    // A full disk refuses what a directory in the place of a file does.
    let hooks = watched.bench.data().join("hooks");
    for file in ["log", "claude-code.called"] {
        let _ = fs::remove_file(hooks.join(file));
        fs::create_dir(hooks.join(file)).unwrap();
    }
    let pins = files(&watched.bench.data());
    let state = pins.iter().find(|path| path.ends_with("agent.lock"));
    let state = state.and_then(|path| path.parent()).map(Path::to_owned);
    let state = state.unwrap_or_else(|| panic!("{pins:#?}"));
    fs::write(state.join("pins"), "").unwrap();
    let start = json!({"source": "startup"});
    let told = watched.told("s1", "SessionStart", &start).unwrap();
    assert_says(&told, &["cannot be written", "their evidence may be lost"]);
    assert_eq!(watched.told("s2", "SessionStart", &start), None);
    watched.told("s1", "UserPromptSubmit", &json!({"prompt_id": "t1"}));
    assert_eq!(watched.turns("s1", 1).len(), 1);
    let odd = watched.input("a\nb", "UserPromptSubmit", &json!({}));
    let said = watched.call(&odd);
    assert_eq!((said.code, &*said.out, &*said.err), (Some(0), "", ""));
    watched.bench.ok(&watched.app, &["down"]);
}

#[test]
fn ten_hooks_at_once_of_codex() {
    let watched = Watched::new("codex");
    watched.told("t", "SessionStart", &json!({"source": "startup"}));
    thread::scope(|scope| {
        for turn in 0..10 {
            let watched = &watched;
            scope.spawn(move || {
                let named = json!({"turn_id": format!("turn-{turn}")});
                assert_eq!(watched.told("t", "UserPromptSubmit", &named), None);
                let start = json!({"source": "startup"});
                watched.told(&format!("t{turn}"), "SessionStart", &start);
            });
        }
    });
    // The prompt of a subagent is no turn of the session.
    let named = json!({"turn_id": "turn-of-another", "agent_id": "a1"});
    watched.told("t", "UserPromptSubmit", &named);
    watched.told("t", "SessionStart", &json!({"source": "resume"}));
    assert_eq!(watched.turns("t", 10).len(), 10);
    for other in 0..10 {
        assert_eq!(watched.chat(&format!("t{other}"))["client"], "codex");
    }
    watched.bench.ok(&watched.app, &["down"]);
}

#[test]
fn nothing_of_a_repository_steers_a_hook() {
    let watched = Watched::new("claude-code");
    let bin = watched.app.join("bin");
    fs::create_dir(&bin).unwrap();
    for program in ["ctxpin", "git", "sh"] {
        let path = bin.join(program);
        fs::write(&path, "#!/bin/sh\ntouch \"$0.ran\"\n").unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&path, mode).unwrap();
    }
    let start = watched.input("s", "SessionStart", &json!({"source": "startup"}));
    let mut hook = watched.hook();
    hook.env("PATH", &bin)
        .env("CTXPIN_SERVER", "http://127.0.0.1:1")
        .env("CTXPIN_TOKEN", "ctxpin_none")
        .env("CTXPIN_DATA_DIR", watched.app.join("data"))
        .env("HOME", watched.app.join("home"))
        .env("CLAUDE_ENV_FILE", watched.app.join("env"));
    let said = called(hook, &start.to_string());
    assert_eq!((said.code, &*said.out, &*said.err), (Some(0), "", ""));
    let chat = watched.chat("s")["id"].as_str().unwrap().to_owned();
    let named = fs::read_to_string(watched.app.join("env")).unwrap();
    assert_eq!(named, format!("export CTXPIN_CHAT='{chat}'\n"));
    for path in [
        "bin/ctxpin.ran",
        "bin/git.ran",
        "bin/sh.ran",
        "data",
        "home",
    ] {
        assert!(!watched.app.join(path).exists(), "{path}");
    }
    watched.bench.ok(&watched.app, &["down"]);
}

#[test]
fn a_hook_never_stands_in_the_way() {
    let watched = Watched::new("claude-code");
    let start = watched.input("s", "SessionStart", &json!({"source": "startup"}));
    let log = || fs::read_to_string(watched.bench.data().join("hooks/log")).unwrap_or_default();
    // What the client writes is of another form.
    for input in ["", "{", "{\"session_id\": 1}"] {
        let said = called(watched.hook(), input);
        assert_eq!((said.code, &*said.out), (Some(0), ""), "{said:#?}");
    }
    assert_says(&log(), &["the client's message cannot be read"]);
    let odd = watched.input("a\nb", "SessionStart", &json!({"source": "startup"}));
    assert_says(
        &watched.call(&odd).out,
        &["an id of the session is not one"],
    );
    let odd = watched.input("s", "SessionStart", &json!({"source": "dream"}));
    assert_says(
        &watched.call(&odd).out,
        &["ctxpin does not follow this session"],
    );

    // Another project below is not this one.
    let below = watched.app.join("vendor/sub");
    fs::create_dir_all(below.join(".git")).unwrap();
    let mut inside = start.clone();
    inside["cwd"] = json!(below);
    assert_says(&watched.call(&inside).out, &["belongs to another project"]);
    // Nobody watches this one.
    let mut outside = start.clone();
    outside["cwd"] = json!(watched.bench.root());
    let said = watched.call(&outside);
    assert_eq!((said.code, &*said.out), (Some(0), ""), "{said:#?}");

    // Whoever paused hooks, is told nothing.
    watched.bench.ok(&watched.app, &["hook", "pause"]);
    let said = watched.call(&odd);
    assert_eq!((said.code, &*said.out), (Some(0), ""), "{said:#?}");
    assert_says(&log(), &["the hooks are paused"]);
    watched.bench.ok(&watched.app, &["hook", "resume"]);

    // A token that was revoked.
    let tokens = watched.bench.json(&watched.app, &["token", "list"]);
    let tokens = tokens["items"].as_array().unwrap().iter();
    let token = tokens
        .clone()
        .find(|token| token["label"] == "hooks")
        .unwrap();
    let token = token["id"].as_str().unwrap();
    watched.bench.ok(&watched.app, &["token", "revoke", token]);
    assert_says(
        &watched.call(&start).out,
        &["ctxpin does not follow this session"],
    );
    watched
        .bench
        .ok(&watched.app, &["hook", "install", "claude-code"]);
    assert_eq!(watched.call(&start).out, "");

    // No server.
    let hook = watched.hook();
    watched.bench.ok(&watched.app, &["down"]);
    let said = called(hook, &start.to_string());
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert_says(
        &said.out,
        &["nothing watches", "this session is not followed"],
    );
    // That is told once.
    let said = called(watched.hook(), &start.to_string());
    assert_eq!((said.code, &*said.out), (Some(0), ""), "{said:#?}");
    assert_says(&log(), &["any more"]);
    let status = watched.bench.ok(&watched.app, &["hook", "status"]);
    assert_says(&status, &["nothing watches", "`ctxpin up` there follows"]);
    // With 2, a client would block the prompt.
    let wrong = watched.bench.run(
        &watched.app,
        &["hook", "run", "claude-code", "--new-option"],
    );
    assert_eq!(wrong.code, Some(1), "{wrong:#?}");
}

#[test]
fn sessions_are_followed_for_another_server_too() {
    let bench = Bench::new();
    let app = bench.workspace("app", "Ours.\n");
    let served = bench.serve(&app, &[]);
    let asking = ["--server", &served.url, "--token-file", &served.token];
    let agent = bench.agent_of(&app, &served, "codex");
    let run = [
        "agent",
        "run",
        "--profile",
        "codex",
        "--server",
        &served.url,
    ];
    let run = [&run[..], &["--token-file", &agent]].concat();
    let mut running = Running::errors_of(&mut bench.command(&app, &run));
    running.until(|line| line.contains("pushed ").then_some(()));
    let install = [&["hook", "install", "codex"][..], &asking].concat();
    bench.ok(&app, &install);
    let watched = Watched {
        bench,
        app,
        client: "codex",
    };
    let start = json!({"source": "startup"});
    assert_eq!(watched.told("s", "SessionStart", &start), None);
    let list = [&["chat", "list"][..], &asking].concat();
    let list = watched.bench.json(&watched.app, &list);
    assert_eq!(list["items"][0]["reference"], "s", "{list}");
    assert_eq!(list["items"][0]["mode"], "observed", "{list}");
    // So is its evidence looked for at that server, by the token of the hook.
    let chat = list["items"][0]["id"].as_str().unwrap();
    let verify = ["chat", "verify", "--server", &served.url];
    let token = installed_token(&watched.hook());
    let verify = [&verify[..], &["--token-file", &token]].concat();
    let mut verify = watched.bench.command(&watched.app, &verify);
    let told = said(verify.env("CTXPIN_CHAT", chat));
    assert_eq!(
        (told.code, &*told.out),
        (Some(5), "the chat has no turns yet\n")
    );
    let turn = json!({"turn_id": "t1"});
    watched.told("s", "UserPromptSubmit", &turn);
    watched.told("s", "SessionStart", &json!({"source": "resume"}));
    let told = said(&mut verify);
    assert_eq!(
        (told.code, &*told.out),
        (Some(5), "none        1 turn: 1\n")
    );
}

/// Returns the file with the token that install has written into the command of a hook.
fn installed_token(hook: &Command) -> String {
    let line = hook.get_args().last().unwrap().to_str().unwrap();
    let token = line.split("--token-file").nth(1).unwrap();
    let token = token.trim_start_matches([' ', '=', '\'']);
    token.split(['\'', ' ']).next().unwrap().to_owned()
}

#[test]
fn a_start_without_a_server_is_recorded_before_the_turns_after_it() {
    let bench = Bench::new();
    let app = bench.workspace("app", "Ours.\n");
    let served = bench.serve(&app, &[]);
    let (url, token) = (served.url.clone(), served.token.clone());
    let asking = ["--server", &url, "--token-file", &token];
    let agent = bench.agent_of(&app, &served, "codex");
    let run = ["agent", "run", "--profile", "codex"];
    let run = [&run[..], &["--server", &url, "--token-file", &agent]].concat();
    let mut running = Running::errors_of(&mut bench.command(&app, &run));
    running.until(|line| line.contains("pushed ").then_some(()));
    bench.ok(&app, &[&["hook", "install", "codex"][..], &asking].concat());
    let watched = Watched {
        bench,
        app,
        client: "codex",
    };
    let start = json!({"source": "startup"});
    assert_eq!(watched.told("s", "SessionStart", &start), None);
    fs::write(watched.app.join("AGENTS.md"), "Others.\n").unwrap();
    running.until(|line| line.contains("pushed ").then_some(()));

    let address = url.strip_prefix("http://").unwrap().to_owned();
    drop(served);
    let resume = json!({"source": "resume"});
    // On a busy machine, a hook ends before the process has told it something.
    let mut told = (0..10).map(|_| watched.told("s", "SessionStart", &resume));
    let told = told.find_map(|told| told).unwrap();
    assert_says(
        &told,
        &["does not respond yet; this session is recorded if"],
    );
    let turn = json!({"turn_id": "t1"});
    assert_eq!(watched.told("s", "UserPromptSubmit", &turn), None);

    let _served = watched.bench.serve_at(&address, &watched.app, &[]);
    let ask = |words: &[&str]| watched.bench.json(&watched.app, &[words, &asking].concat());
    let mut watch = watched
        .bench
        .start(&watched.app, &[&["watch", "--json"][..], &asking].concat());
    let chat = ask(&["chat", "list"])["items"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let turns = loop {
        let turns = ask(&["chat", "turns", "--chat", &chat]);
        if turns["items"][0].is_object() {
            break turns;
        }
        watch.until(|_| Some(()));
    };
    let pins = ask(&["chat", "history", &chat]);
    assert_eq!(pins["items"][0]["reason"], "observe", "{pins:#}");
    assert_ne!(
        pins["items"][0]["snapshot"],
        pins["items"].as_array().unwrap().last().unwrap()["snapshot"]
    );
    assert_eq!(turns["items"][0]["snapshot"], pins["items"][0]["snapshot"]);
}
