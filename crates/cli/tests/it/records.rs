//! Evidence from the records of clients, as their hooks name them. A small writer makes the records.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use ctxpin_model::hash::BlobHash;
use serde_json::{Value, json};

use crate::bench::{assert_says, said};
use crate::hooks::{Watched, files};

/// What no file, table or answer may hold.
pub const SENTINEL: &str = "the sentinel of a conversation";

/// A record that is written as its client writes it.
pub struct Record {
    path: PathBuf,
    session: String,
    /// The hashes of the messages of Claude Code's next request.
    messages: Vec<String>,
    requests: usize,
}

impl Record {
    fn new(watched: &Watched, session: &str) -> Self {
        let home = watched.bench.root().join("home");
        let path = match watched.client {
            "codex" => home.join(format!(
                ".codex/sessions/2026/11/28/rollout-2026-11-28T08-00-00-{session}.jsonl"
            )),
            _ => home.join(format!(".claude/projects/-app/{session}.jsonl")),
        };
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let record = Self {
            path,
            session: session.into(),
            messages: Vec::new(),
            requests: 0,
        };
        if watched.client == "codex" {
            let meta = json!({"id": session, "cli_version": "0.171.0"});
            record.payload("session_meta", &meta);
        }
        record
    }

    /// Writes the instruction file, and begins the session `s1` in it.
    pub fn begun(watched: &Watched, text: &str) -> Self {
        watched.edit(text);
        let record = Self::new(watched, "s1");
        watched.calls(&record, "SessionStart", &json!({"source": "startup"}));
        record
    }

    fn line(&self, line: &Value) {
        let mut options = OpenOptions::new();
        let mut file = options.append(true).create(true).open(&self.path).unwrap();
        writeln!(file, "{line}").unwrap();
    }

    fn payload(&self, kind: &str, payload: &Value) {
        self.line(&json!({"type": kind, "payload": payload}));
    }

    fn is_rollout(&self) -> bool {
        self.path.to_string_lossy().contains("/.codex/")
    }

    /// Lets the requests from here on have a text of the user.
    pub fn says(&mut self, role: &str, text: &str) {
        let content = match self.is_rollout() {
            true => json!([{"type": "input_text", "text": text}]),
            false => json!([{"type": "text", "text": text}]),
        };
        self.content(role, &content, "user.text");
    }

    /// `kind` is what Codex says of the content.
    fn content(&mut self, role: &str, content: &Value, kind: &str) {
        let mut message = json!({"role": role, "content": content});
        if self.is_rollout() {
            message["type"] = json!("message");
            let kinds = json!({"content_item_kinds": [kind]});
            message["internal_chat_message_metadata_passthrough"] = kinds;
            self.payload("response_item", &message);
        } else {
            let hash = hash(&message);
            self.line(&json!({"type": "api-request-blob", "hash": hash, "message": message}));
            self.messages.push(hash);
        }
    }

    /// Lets the requests from here on have the result of a tool.
    pub fn results(&mut self, text: &str) {
        if self.is_rollout() {
            let item = json!({"type": "function_call_output", "call_id": "c1", "output": text});
            self.payload("response_item", &item);
        } else {
            let result = json!([{"type": "tool_result", "tool_use_id": "c1", "content": text}]);
            self.content("user", &result, "");
        }
    }

    /// Gives the model a file of the project.
    pub fn gives(&mut self, path: &Path, text: &str) {
        let frame = framed(self.is_rollout(), path, text);
        if self.is_rollout() {
            let content = json!([{"type": "input_text", "text": frame}]);
            self.content("user", &content, "agents_md.instructions");
            return;
        }
        let attachment = json!({"type": "instructions", "files": [{"path": path}]});
        self.line(&json!({
            "type": "attachment", "attachment": attachment, "rendered": [{"content": frame}], "renderedRole": "user",
        }));
        self.says("user", &frame);
    }

    /// Adds one request of a turn, as the record has it when the hook for the turn's end is called.
    pub fn turn(&mut self, turn: &str) {
        if self.is_rollout() {
            self.payload("turn_context", &json!({"turn_id": turn}));
            self.says("user", SENTINEL);
            self.says("assistant", SENTINEL);
            return;
        }
        let said = json!({"role": "user", "content": SENTINEL});
        self.line(&json!({"type": "user", "promptId": turn, "message": said}));
        let shape = json!({"system": [{"type": "text", "text": SENTINEL}], "tools": []});
        self.line(&json!({"type": "api-request-shape", "shapeHash": hash(&shape), "shape": shape}));
        self.requests += 1;
        self.line(&json!({
            "type": "api-request", "sessionId": self.session, "version": "2.1.332", "id": format!("request-{}", self.requests),
            "shapeHash": hash(&shape), "keep": 0, "tail": self.messages,
        }));
    }
}

/// Returns a text as Codex or Claude Code gives that of a file.
pub fn framed(is_codex: bool, path: &Path, text: &str) -> String {
    let (path, text) = (path.display(), text.trim());
    match is_codex {
        true => format!(
            "# AGENTS.md instructions for {path}\n\n<INSTRUCTIONS>\n{text}\n</INSTRUCTIONS>"
        ),
        false => format!(
            "<system-reminder>\nCodebase and user instructions are shown below. Follow them.\n\nContents of {path} \
             (project instructions):\n\n{text}\n</system-reminder>"
        ),
    }
}

/// Returns the hash of a value whose canonical JSON is its plain one.
fn hash(value: &Value) -> String {
    BlobHash::of(value.to_string().as_bytes()).hex()
}

/// Returns a text that is long enough to be found anywhere.
pub fn body(name: &str) -> String {
    let lines = (1..=5).map(|number| format!("{name} says in line {number} what to do.\n"));
    lines.collect()
}

pub fn verdicts(turns: &[Value]) -> Vec<String> {
    let verdicts = turns.iter().map(|turn| {
        let verdict = turn["evidence"]["verdict"].as_str();
        verdict.unwrap_or("none").to_owned()
    });
    verdicts.collect()
}

impl Watched {
    pub fn edit(&self, text: &str) {
        fs::write(self.app.join("AGENTS.md"), text).unwrap();
        let resync = ["agent", "resync", "--profile", self.client];
        self.bench.ok(&self.app, &resync);
    }

    /// Calls the hook for an event of a session with its record.
    pub fn calls(&self, record: &Record, event: &str, more: &Value) -> Option<String> {
        let mut input = more.clone();
        input["transcript_path"] = json!(record.path);
        self.told(&record.session, event, &input)
    }

    fn prompts(&self, record: &Record, turn: &str) {
        self.calls(record, "UserPromptSubmit", &self.named(turn));
    }

    /// Returns how the client names a turn.
    fn named(&self, turn: &str) -> Value {
        match self.client {
            "codex" => json!({"turn_id": turn}),
            _ => json!({"prompt_id": turn}),
        }
    }

    /// Asks for the turns of a session until they are as wanted. Not every row changes what a watcher is told.
    pub fn asked(&self, session: &str, is_so: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let id = self.chat(session)["id"].as_str().unwrap().to_owned();
        let mut turns = Value::Null;
        for _ in 0..400 {
            turns = self
                .bench
                .json(&self.app, &["chat", "turns", "--chat", &id]);
            let items = turns["items"].as_array().unwrap();
            if is_so(items) {
                return items.clone();
            }
        }
        panic!("{turns:#}\n{}", self.log());
    }

    /// Asks until the newest of so many turns has evidence, and returns the verdicts, the newest first.
    pub fn verdicts(&self, session: &str, count: usize) -> Vec<String> {
        let is_so = |turns: &[Value]| turns.len() == count && turns[0].get("evidence").is_some();
        verdicts(&self.asked(session, is_so))
    }

    /// Asks until all but the newest of so many turns have evidence, and returns the verdicts, the newest first.
    fn evidence(&self, session: &str, count: usize) -> Vec<String> {
        let is_so = |turns: &[Value]| {
            let mut earlier = turns.iter().skip(1);
            turns.len() == count && earlier.all(|turn| turn.get("evidence").is_some())
        };
        verdicts(&self.asked(session, is_so))
    }

    /// Returns what became of each resource in a turn.
    pub fn outcomes(&self, session: &str, turn: usize) -> Vec<String> {
        let id = self.chat(session)["id"].as_str().unwrap().to_owned();
        let number = turn.to_string();
        let words = ["chat", "turns", &number, "--chat", &id];
        let turn = self.bench.json(&self.app, &words);
        let resources = turn["findings"]["resources"].as_array().unwrap().iter();
        let outcomes = resources.map(|found| found["outcome"].as_str().unwrap().to_owned());
        outcomes.collect()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.bench.data().join("up.log")).unwrap()
    }

    /// Asks until `ctxpin hook status` says when evidence was handed in, which is noted behind the answer of the server.
    fn was_handed_in(&self) {
        let at = || {
            let status = self.bench.json(&self.app, &["hook", "status"]);
            let tools = status.as_array().unwrap().iter();
            let mut tools = tools.filter(|tool| tool["tool"] == self.client);
            tools.next().unwrap()["evidence_at"].is_string()
        };
        assert!((0..200).any(|_| at()));
    }

    /// Asks until the log of `ctxpin up` has a reason, which is written behind the back of a hook.
    fn log_says(&self, reason: &str) {
        for _ in 0..200 {
            if self.log().contains(reason) {
                return;
            }
            self.bench.ok(&self.app, &["agent", "status"]);
        }
        assert_says(&self.log(), &[reason]);
    }
}

#[test]
fn each_turn_of_each_client_has_the_evidence_of_its_requests() {
    for client in ["claude-code", "codex"] {
        let watched = Watched::new(client);
        let agents = watched.app.join("AGENTS.md");
        let [one, two] = ["one", "two"].map(body);
        let mut record = Record::begun(&watched, &one);
        record.gives(&agents, &one);
        // A person quotes the client, with words in the place of a path.
        let words = watched.app.join(SENTINEL);
        record.says("user", &framed(client == "codex", &words, &two));
        watched.prompts(&record, "t1");
        record.turn("t1");
        watched.calls(&record, "Stop", &json!({}));
        assert_eq!(watched.verdicts("s1", 1), ["as-pinned"], "{client}");
        let turns = watched.asked("s1", |_| true);
        let version = match client {
            "codex" => "0.171.0",
            _ => "2.1.332",
        };
        assert_eq!(turns[0]["evidence"]["client_version"], version);
        watched.was_handed_in();

        // The text of the head, which the session has not been started with. A person who breaks off has no end of the
        // turn, so the next prompt hands it in.
        watched.edit(&two);
        record.gives(&agents, &two);
        watched.prompts(&record, "t2");
        record.turn("t2");
        watched.prompts(&record, "t3");
        record.turn("t3");
        watched.calls(&record, "Stop", &json!({}));
        let expected = ["deviates", "deviates", "as-pinned"];
        assert_eq!(watched.verdicts("s1", 3), expected, "{client}");
        // What Codex gives takes the place of what it gave before.
        let pinned = match client {
            "codex" => "absent",
            _ => "given",
        };
        assert_eq!(watched.outcomes("s1", 3), ["newer", pinned], "{client}");

        // Another process knows the pins of before, and takes up what was left.
        record.turn("t3");
        watched.bench.ok(&watched.app, &["down"]);
        let up = ["up", "--detach", "--profile", client];
        watched.bench.ok(&watched.app, &up);
        watched.calls(&record, "SessionStart", &json!({"source": "resume"}));
        watched.prompts(&record, "t4");
        record.turn("t4");
        watched.calls(&record, "SessionEnd", &json!({"reason": "other"}));
        let verdicts = watched.verdicts("s1", 4);
        assert_eq!(verdicts[0], "as-pinned", "{client}");
        assert_eq!(watched.outcomes("s1", 4), ["superseded", "given"]);
        watched.bench.ok(&watched.app, &["down"]);
        for file in files(&watched.bench.data()) {
            let bytes = fs::read(&file).unwrap();
            let mut parts = bytes.windows(SENTINEL.len());
            assert!(
                !parts.any(|part| part == SENTINEL.as_bytes()),
                "{}",
                file.display()
            );
        }
    }
}

#[test]
fn evidence_shows_what_a_session_read_while_nobody_saw_it() {
    for client in ["claude-code", "codex"] {
        let watched = Watched::new(client);
        let agents = watched.app.join("AGENTS.md");
        let [one, two, three, foreign] = ["one", "two", "three", "foreign"].map(body);
        let context = |session: &str| watched.chat(session)["context"].clone();
        let stops = |record: &mut Record, turn: &str| {
            record.turn(turn);
            watched.calls(record, "Stop", &json!({}));
        };
        let mut record = Record::begun(&watched, &one);
        record.gives(&agents, &one);
        watched.prompts(&record, "t1");
        stops(&mut record, "t1");
        assert_eq!(watched.verdicts("s1", 1), ["as-pinned"], "{client}");

        // It is resumed while the hooks are paused, and the file is edited before the prompt.
        watched.edit(&two);
        watched.bench.ok(&watched.app, &["hook", "pause"]);
        watched.calls(&record, "SessionStart", &json!({"source": "resume"}));
        watched.bench.ok(&watched.app, &["hook", "resume"]);
        record.gives(&agents, &two);
        watched.edit(&three);
        watched.prompts(&record, "t2");
        assert_eq!(watched.asked("s1", |turns| turns.len() == 2).len(), 2);
        let believed = context("s1");
        assert_eq!(believed["unconfirmed"], true);
        stops(&mut record, "t2");
        let expected = ["as-pinned", "as-pinned"];
        assert_eq!(watched.verdicts("s1", 2), expected, "{client}");
        let turn = watched.asked("s1", |_| true).swap_remove(0);
        let shown = context("s1");
        assert_eq!(turn["believed_snapshot"], believed["snapshot"]);
        assert_eq!(turn["snapshot"], shown["snapshot"]);
        assert_ne!(shown["snapshot"], believed["snapshot"]);
        assert_eq!(
            (&shown["unconfirmed"], &shown["dirty"]),
            (&Value::Null, &json!(true))
        );
        let id = watched.chat("s1")["id"].as_str().unwrap().to_owned();
        let history = watched.bench.ok(&watched.app, &["chat", "history", &id]);
        assert_says(
            &history,
            &["observe, shown by turn 2", "observe, unconfirmed"],
        );
        // The person is told that the file has changed since, once it is noted behind the server's answer what was read.
        let mut tries = 0..200;
        let told =
            tries.find_map(|_| watched.calls(&record, "UserPromptSubmit", &watched.named("t3")));
        assert_says(
            &told.unwrap(),
            &["AGENTS.md changed since this session read it"],
        );
        stops(&mut record, "t3");
        assert_eq!(watched.verdicts("s1", 3)[0], "as-pinned", "{client}");

        // Sessions that began before anybody followed them: with a head, and with a text that was none.
        for (session, text, verdict) in [
            ("late", &one, "as-pinned"),
            ("other", &foreign, "deviates"),
            ("newest", &three, "as-pinned"),
        ] {
            let mut record = Record::new(&watched, session);
            record.gives(&agents, text);
            watched.prompts(&record, "t1");
            stops(&mut record, "t1");
            assert_eq!(
                watched.verdicts(session, 1),
                [verdict],
                "{client} {session}"
            );
            let unconfirmed = match verdict {
                "deviates" => json!(true),
                _ => Value::Null,
            };
            assert_eq!(context(session)["unconfirmed"], unconfirmed, "{session}");
        }
        watched.bench.ok(&watched.app, &["down"]);
    }
}

#[test]
fn a_turn_whose_prompt_no_hook_told_is_recorded_when_it_ends() {
    for client in ["claude-code", "codex"] {
        let watched = Watched::new(client);
        let agents = watched.app.join("AGENTS.md");
        let [one, two] = ["one", "two"].map(body);
        let mut record = Record::begun(&watched, &one);
        record.gives(&agents, &one);
        watched.edit(&two);
        // It is the first one of the session, behind an edit, and then one behind another.
        record.turn("t1");
        watched.calls(&record, "Stop", &watched.named("t1"));
        assert_eq!(watched.verdicts("s1", 1), ["as-pinned"], "{client}");
        watched.prompts(&record, "t2");
        record.turn("t2");
        watched.calls(&record, "Stop", &watched.named("t2"));
        assert_eq!(watched.verdicts("s1", 2)[0], "as-pinned", "{client}");
        record.turn("t3");
        watched.calls(&record, "SessionEnd", &watched.named("t3"));
        let expected = ["as-pinned", "as-pinned", "as-pinned"];
        assert_eq!(watched.verdicts("s1", 3), expected, "{client}");
        watched.log_says("no hook told of a prompt");

        // What has no requests is no turn, such as work that was handed back.
        watched.calls(&record, "SessionStart", &json!({"source": "resume"}));
        watched.calls(&record, "Stop", &watched.named("back"));
        record.gives(&agents, &two);
        watched.prompts(&record, "t4");
        record.turn("t4");
        watched.calls(&record, "Stop", &watched.named("t4"));
        watched.verdicts("s1", 4);
        let turns = watched.asked("s1", |_| true);
        let references: Vec<_> = turns.iter().map(|turn| &turn["reference"]).collect();
        assert_eq!(references, ["t4", "t3", "t2", "t1"], "{client}");
        watched.bench.ok(&watched.app, &["down"]);
    }
}

#[test]
fn a_session_goes_on_where_it_began_wherever_its_model_goes() {
    let watched = Watched::new("claude-code");
    let agents = watched.app.join("AGENTS.md");
    let [one, two] = ["one", "two"].map(body);
    let [below, inner, other] = ["below", "inner", "other"].map(|name| watched.app.join(name));
    for directory in [&below, &inner, &other] {
        fs::create_dir(directory).unwrap();
        fs::write(directory.join("AGENTS.md"), "Of another directory.\n").unwrap();
    }
    for repository in [&inner, &other] {
        fs::create_dir(repository.join(".git")).unwrap();
    }
    let up = ["up", "--detach", "--profile", "claude-code"];
    watched.bench.ok(&other, &up);

    let mut record = Record::begun(&watched, &one);
    record.gives(&agents, &one);
    let places = [&below, &inner, &other, &watched.app];
    for (number, place) in places.into_iter().enumerate() {
        let turn = format!("t{number}");
        let told = watched.calls(
            &record,
            "UserPromptSubmit",
            &json!({"prompt_id": turn, "cwd": place}),
        );
        assert_eq!(told, None, "nothing changed for the session");
        record.turn(&turn);
        watched.calls(&record, "Stop", &json!({"cwd": place}));
        let verdicts = watched.verdicts("s1", number + 1);
        assert_eq!(verdicts[0], "as-pinned", "{}", place.display());
    }
    // It reads the files of its own directory again when it compacts.
    watched.edit(&two);
    let compact = json!({"source": "compact", "cwd": other});
    watched.calls(&record, "SessionStart", &compact);
    record.messages.clear();
    record.gives(&agents, &two);
    watched.calls(
        &record,
        "UserPromptSubmit",
        &json!({"prompt_id": "t4", "cwd": other}),
    );
    record.turn("t4");
    watched.calls(&record, "Stop", &json!({"cwd": other}));
    assert_eq!(watched.verdicts("s1", 5)[0], "as-pinned");

    // One that begins there is followed there.
    let there = json!({"source": "startup", "cwd": other});
    watched.told("s2", "SessionStart", &there);
    assert_ne!(
        watched.chat("s2")["agent_id"],
        watched.chat("s1")["agent_id"]
    );
    let log = watched.bench.data().join("hooks/log");
    assert!(!log.exists(), "{}", fs::read_to_string(log).unwrap());
    watched.bench.ok(&watched.app, &["down"]);
}

#[test]
fn codex_gives_behind_a_compaction_what_it_read_before() {
    let watched = Watched::new("codex");
    let agents = watched.app.join("AGENTS.md");
    let [one, two] = ["one", "two"].map(body);
    let mut record = Record::begun(&watched, &one);
    record.gives(&agents, &one);
    watched.prompts(&record, "t1");
    record.turn("t1");
    watched.edit(&two);
    watched.calls(&record, "SessionStart", &json!({"source": "compact"}));
    record.payload("compacted", &json!({"replacement_history": []}));
    record.gives(&agents, &one);
    record.turn("t1");
    watched.calls(&record, "Stop", &json!({}));
    // The record does not have the request for the summary.
    assert_eq!(watched.verdicts("s1", 1), ["incomplete"]);
    assert_eq!(watched.outcomes("s1", 1), ["given"]);

    // The session goes on with the old text, and its person is told of that.
    let prompt = json!({"turn_id": "t2"});
    let told = watched.calls(&record, "UserPromptSubmit", &prompt);
    assert_says(
        &told.unwrap(),
        &["AGENTS.md changed since this session read it"],
    );
    record.turn("t2");
    watched.calls(&record, "Stop", &json!({}));
    assert_eq!(watched.verdicts("s1", 2), ["as-pinned", "incomplete"]);
    watched.bench.ok(&watched.app, &["down"]);
}

#[test]
fn a_compaction_counts_as_it_was_if_its_evidence_is_late() {
    let watched = Watched::new("claude-code");
    let agents = watched.app.join("AGENTS.md");
    let texts = ["one", "two", "three", "four"].map(body);
    let mut record = Record::begun(&watched, &texts[0]);
    // Each turn has a compaction and no end, because its client was ended, and the next process reads another file. In the
    // second turn, the compaction finds nothing new.
    for (turn, [before, behind, next]) in [("t1", [0, 1, 2]), ("t2", [2, 2, 3])] {
        record.messages.clear();
        record.gives(&agents, &texts[before]);
        watched.prompts(&record, turn);
        record.turn(turn);
        watched.edit(&texts[behind]);
        watched.calls(&record, "SessionStart", &json!({"source": "compact"}));
        record.line(&json!({"type": "system", "subtype": "compact_boundary"}));
        record.messages.clear();
        record.gives(&agents, &texts[behind]);
        record.turn(turn);
        watched.edit(&texts[next]);
        watched.calls(&record, "SessionStart", &json!({"source": "resume"}));
    }
    watched.prompts(&record, "t3");
    assert_eq!(
        watched.evidence("s1", 3),
        ["none", "as-pinned", "as-pinned"]
    );
    watched.bench.ok(&watched.app, &["down"]);
}

#[test]
fn a_subagent_has_evidence_of_its_own() {
    let watched = Watched::new("claude-code");
    let one = body("one");
    let session = Record::begun(&watched, &one);
    watched.calls(&session, "SubagentStart", &json!({"agent_id": "a1"}));
    let mut own = Record::new(&watched, "s1");
    own.path = session
        .path
        .with_extension("")
        .join("subagents/agent-a1.jsonl");
    fs::create_dir_all(own.path.parent().unwrap()).unwrap();
    own.gives(&watched.app.join("AGENTS.md"), &one);
    own.turn("a prompt of the session");
    let stop = json!({"agent_id": "a1", "agent_transcript_path": own.path});
    watched.calls(&session, "SubagentStop", &stop);
    watched.told("s1", "SessionStart", &json!({"source": "resume"}));
    assert_eq!(watched.verdicts("s1/a1", 1), ["as-pinned"]);
    // A change does not reach the session, and so none of its subagents. Of the end of this one nobody tells, because the
    // client was ended.
    watched.edit(&body("two"));
    watched.calls(&session, "SubagentStart", &json!({"agent_id": "a3"}));
    let left = own.path.with_file_name("agent-a3.jsonl");
    fs::copy(&own.path, left).unwrap();
    watched.calls(&session, "SessionStart", &json!({"source": "resume"}));
    assert_eq!(watched.verdicts("s1/a3", 1), ["as-pinned"]);
    // One of the client's own has no record, and is followed by nobody.
    let stop = json!({"agent_id": "a2", "agent_transcript_path": "/nowhere/agent-a2.jsonl"});
    assert_eq!(watched.calls(&session, "SubagentStop", &stop), None);
    watched.bench.ok(&watched.app, &["down"]);
}

#[test]
fn a_subagent_of_codex_reads_its_files_anew() {
    let watched = Watched::new("codex");
    let [one, two] = ["one", "two"].map(body);
    let session = Record::begun(&watched, &one);
    fs::write(watched.app.join("AGENTS.md"), &two).unwrap();
    let mut own = Record::new(&watched, "a1");
    watched.calls(
        &own,
        "SubagentStart",
        &json!({"session_id": "s1", "agent_id": "a1"}),
    );
    own.gives(&watched.app.join("AGENTS.md"), &two);
    own.turn("a prompt of its own");
    let stop = json!({"agent_id": "a1", "agent_transcript_path": own.path});
    watched.calls(&session, "SubagentStop", &stop);
    // The requests of a session are sent in their order.
    watched.told("s1", "SessionStart", &json!({"source": "resume"}));
    assert_eq!(watched.verdicts("s1/a1", 1), ["as-pinned"]);
    watched.bench.ok(&watched.app, &["down"]);
}

#[test]
fn only_a_record_of_the_session_below_the_clients_home_is_read() {
    let watched = Watched::new("claude-code");
    let one = body("one");
    let mut record = Record::begun(&watched, &one);
    record.gives(&watched.app.join("AGENTS.md"), &one);
    watched.prompts(&record, "t1");
    record.turn("t1");
    let directory = record.path.parent().unwrap().to_owned();
    let outside = watched.app.join("s1.jsonl");
    fs::copy(&record.path, &outside).unwrap();
    let link = directory.join("link-s1.jsonl");
    symlink(&record.path, &link).unwrap();
    let other = directory.join("s2.jsonl");
    fs::copy(&record.path, &other).unwrap();
    let large = directory.join("large-s1.jsonl");
    File::create(&large).unwrap().set_len(2 << 30).unwrap();
    for (path, reason) in [
        (outside, "it is not below"),
        (link, "ymbolic link"),
        (other.clone(), "its name is not that of the session"),
        (large, "it has more than"),
    ] {
        watched.told("s1", "Stop", &json!({"transcript_path": path}));
        watched.log_says(reason);
    }
    // A copy under another name says itself whose it is.
    watched.told("s2", "SessionStart", &json!({"source": "startup"}));
    watched.told("s2", "Stop", &json!({"transcript_path": other}));
    watched.log_says("it names another session");
    watched.calls(&record, "Stop", &json!({}));
    assert_eq!(watched.verdicts("s1", 1), ["as-pinned"]);
    watched.bench.ok(&watched.app, &["down"]);
}

#[test]
fn a_record_that_was_rewritten_is_read_anew() {
    let watched = Watched::new("claude-code");
    let agents = watched.app.join("AGENTS.md");
    let one = body("one");
    let mut record = Record::begun(&watched, &one);
    for turn in ["t1", "t2"] {
        record.gives(&agents, &one);
        watched.prompts(&record, turn);
        record.turn(turn);
        watched.calls(&record, "Stop", &json!({}));
        let count = turn[1..].parse().unwrap();
        assert_eq!(watched.verdicts("s1", count)[0], "as-pinned");
    }
    fs::remove_file(&record.path).unwrap();
    record.messages.clear();
    record.gives(&agents, &body("foreign"));
    watched.prompts(&record, "t3");
    record.turn("t3");
    watched.calls(&record, "Stop", &json!({}));
    let expected = ["deviates", "as-pinned", "as-pinned"];
    assert_eq!(watched.verdicts("s1", 3), expected);
    assert_eq!(watched.outcomes("s1", 3), ["foreign", "absent"]);
    // A command of the session asks the server of `ctxpin up` about the session's own chat.
    let chat = watched.chat("s1")["id"].as_str().unwrap().to_owned();
    let mut verify = watched.bench.command(&watched.app, &["chat", "verify"]);
    let told = said(verify.env("CTXPIN_CHAT", &chat));
    assert_eq!(told.code, Some(3), "{told:#?}");
    assert_says(
        &told.out,
        &["deviates    1 turn: 3", "as-pinned   2 turns: 2, 1"],
    );
    let expected = [
        &*format!("`ctxpin chat turns 3 --chat {chat}` shows what differs"),
        "the client takes the present files when its session is resumed: claude --resume s1",
    ];
    assert_says(&told.err, &expected);
    let log = watched.log();
    assert!(!log.contains("refused"), "{log}");
    watched.bench.ok(&watched.app, &["down"]);
}

#[test]
fn a_person_is_told_once_of_what_was_not_declined() {
    let watched = Watched::new("claude-code");
    let up = ["up", "--detach", "--profile", "claude-code"];
    let restart = || {
        watched.bench.ok(&watched.app, &["down"]);
        watched.bench.ok(&watched.app, &up);
    };
    let asks = |turn: &str| {
        let named = json!({"prompt_id": turn});
        watched.told("s1", "UserPromptSubmit", &named)
    };
    watched.told("s1", "SessionStart", &json!({"source": "startup"}));
    restart();
    assert_eq!(asks("t1"), None);
    watched.edit("Others.\n");
    assert_says(&asks("t2").unwrap(), &["AGENTS.md changed since"]);
    restart();
    assert_eq!(asks("t3"), None, "it was told before");
    watched.edit("Third.\n");
    let chat = watched.chat("s1")["id"].as_str().unwrap().to_owned();
    watched.bench.ok(&watched.app, &["chat", "decline", &chat]);
    assert_eq!(asks("t4"), None, "it was declined");
    watched.edit("Fourth.\n");
    assert!(asks("t5").is_some());

    // A chat that somebody deleted is made anew.
    watched.bench.ok(&watched.app, &["chat", "delete", &chat]);
    asks("t6");
    watched.told("s1", "SessionStart", &json!({"source": "resume"}));
    watched.asked("s1", |turns| {
        turns.iter().any(|turn| turn["reference"] == "t6")
    });
    watched.bench.ok(&watched.app, &["down"]);
}

#[test]
fn a_request_waits_for_its_turn() {
    let watched = Watched::new("claude-code");
    let one = body("one");
    let mut record = Record::begun(&watched, &one);
    record.gives(&watched.app.join("AGENTS.md"), &one);
    for turn in ["t1", "t2"] {
        watched.prompts(&record, turn);
        // A reading may see the request before the server knows its turn.
        record.turn(turn);
        record.turn("a turn of nobody");
        watched.calls(&record, "Stop", &json!({}));
    }
    record.turn("t3");
    watched.calls(&record, "Stop", &json!({}));
    assert_eq!(watched.verdicts("s1", 2), ["as-pinned", "as-pinned"]);
    watched.prompts(&record, "t3");
    watched.calls(&record, "Stop", &json!({}));
    assert_eq!(watched.verdicts("s1", 3)[0], "as-pinned");
    watched.bench.ok(&watched.app, &["down"]);
}

#[test]
fn a_fork_has_its_parent() {
    for client in ["claude-code", "codex"] {
        let watched = Watched::new(client);
        let one = body("one");
        let first = Record::begun(&watched, &one);
        watched.prompts(&first, "t1");
        let mut fork = Record::new(&watched, "s2");
        if client == "codex" {
            let meta = json!({"id": "s2", "forked_from_id": "s1"});
            fs::remove_file(&fork.path).unwrap();
            fork.payload("session_meta", &meta);
        } else {
            fork.line(&json!({"type": "assistant", "requestSessionId": "s1"}));
        }
        watched.calls(&fork, "SessionStart", &json!({"source": "fork"}));
        let pin = watched.chat("s2")["context"]["snapshot"].clone();
        watched.prompts(&fork, "t2");
        fork.gives(&watched.app.join("AGENTS.md"), &one);
        fork.turn("t2");
        watched.calls(&fork, "Stop", &json!({}));
        watched.verdicts("s2", 1);
        let (parent, fork) = (watched.chat("s1"), watched.chat("s2"));
        assert_eq!(fork["parent_id"], parent["id"], "{client}");
        let [id, parent_id] = [&fork, &parent].map(|chat| chat["id"].as_str().unwrap());
        let shown = watched.bench.ok(&watched.app, &["chat", "show", id]);
        let fact = format!("  parent   {}\n", &parent_id[parent_id.len() - 8..]);
        assert_says(&shown, &[&fact]);
        assert_eq!(fork["context"]["snapshot"], pin, "{client}");
        watched.bench.ok(&watched.app, &["down"]);
    }
}
