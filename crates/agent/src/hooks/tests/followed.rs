//! Sessions that are followed at a server which answers.

mod guessed;
mod rewritten;
mod starting;
mod told;
mod written_late;

use std::io::Write as _;
use std::path::PathBuf;

use ctxpin_model::evidence_key::EvidenceKey;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::profile::{CodexSettings, Rules, Settings};
use ctxpin_model::resource::{Bodies, Content, Kind, Resource, Status};
use ctxpin_model::snapshot::Snapshot;
use ctxpin_protocol::control::ClientProcess;
use ctxpin_scan::Scan;
use ctxpin_testing::standin::{Answered, Asked, standin};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::*;
use crate::reading::ProjectScan;

/// The time at which everything happens.
const NOW: &str = "2026-11-28T08:00:00Z";

/// What the headers of a problem are.
const PROBLEM: &str = "content-type: application/problem+json\r\n";

/// What the server has.
#[derive(Default)]
struct Kept {
    chats: Vec<Value>,
    /// Each start, with its chat.
    moves: Vec<(String, Value)>,
    turns: Vec<(String, Value)>,
    /// The chat and the turn of each row.
    rows: Vec<(String, String)>,
    /// The rows themselves.
    row_bodies: Vec<Value>,
    /// What was asked since the test looked last.
    asked: Vec<String>,
    /// Whether the server refuses for a while.
    is_away: bool,
    /// Why it does, if it says so.
    trouble: Option<Value>,
    /// What a start without a head moves the pin to.
    head: Value,
    /// The head that an agent had and never pushed.
    never_pushed: Value,
    /// How many rows were refused, because another one has their key.
    conflicts: usize,
}

impl Kept {
    fn answer(&mut self, asked: &Asked) -> Value {
        let (method, target) = asked.line.split_once(" /api/v1/").unwrap();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let segments: Vec<_> = path.split('/').collect();
        let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        self.asked.push(format!("{method} {path}"));
        match (method, &segments[..]) {
            ("post", ["chats"]) => self.chat(&body),
            ("get", ["chats"]) => {
                let mut query = url::form_urlencoded::parse(query.as_bytes());
                let reference = query.find(|(name, _)| name == "reference").unwrap().1;
                let chats = self.chats.iter();
                let named = chats.filter(|chat| chat["reference"] == *reference);
                json!({ "items": named.collect::<Vec<_>>() })
            }
            ("patch", ["chats", chat]) => {
                let chat = self.chats.iter_mut().find(|known| known["id"] == *chat);
                let chat = chat.unwrap();
                chat["parent_id"] = body["parent_id"].clone();
                chat.clone()
            }
            ("post", ["chats", chat, "start"]) => {
                let mut moved = body;
                if moved["head"].is_null() {
                    (moved["head"], moved["unconfirmed"]) = (self.head.clone(), json!(true));
                }
                self.moves.push(((*chat).into(), moved));
                self.chats[0].clone()
            }
            ("post", ["chats", chat, "turns"]) => {
                let number = self.turns.iter().filter(|(of, _)| of == chat).count() + 1;
                let moves: Vec<_> = self.moves.iter().filter(|(of, _)| of == chat).collect();
                let turn = json!({
                    "number": number, "snapshot": moves.last().map(|(_, start)| &start["head"]), "pin_seq": moves.len(),
                    "delivery": body["delivery"].as_str().unwrap_or("delivered"), "reference": body["reference"],
                    "started_at": NOW,
                });
                self.turns.push(((*chat).into(), turn.clone()));
                turn
            }
            ("get", ["chats", chat, "turns"]) => {
                let turns = self.turns.iter().rev().filter(|(of, _)| of == chat);
                json!({ "items": turns.map(|(_, turn)| turn).collect::<Vec<_>>() })
            }
            ("get", ["chats", chat, "context", "history"]) => {
                let moves = self.moves.iter().filter(|(of, _)| of == chat);
                let moves = moves.zip(1..).map(|((_, start), seq)| {
                    json!({
                        "seq": seq, "snapshot": start["head"], "reason": "observe", "mcp_settled": true, "at": NOW,
                        "actor": {"kind": "user", "door": "api"}, "unconfirmed": start["unconfirmed"] == true,
                    })
                });
                let mut items: Vec<_> = moves.collect();
                items.reverse();
                json!({ "items": items })
            }
            ("post", ["me", "evidence-key"]) => {
                let name = EvidenceKey::new([7; 32]).name().to_string();
                json!({ "key": "07".repeat(32), "name": name })
            }
            ("post", ["chats", chat, "turns", turn, "evidence"]) => {
                if !body["shows"].is_null() && body["shows"] == self.never_pushed {
                    let kind = "urn:ctxpin:problem:invalid-request";
                    return json!({ "type": kind, "title": "Invalid", "status": 422 });
                }
                let mut known = self.row_bodies.iter();
                if known.any(|known| known["key"] == body["key"] && *known != body) {
                    self.conflicts += 1;
                    let kind = "urn:ctxpin:problem:conflict";
                    return json!({ "type": kind, "title": "Conflict", "status": 409 });
                }
                self.rows.push(((*chat).into(), (*turn).into()));
                self.row_bodies.push(body);
                json!({ "verdict": "as-pinned", "witness": "client", "requests": 1 })
            }
            _ => panic!("nobody asks {}", asked.line),
        }
    }

    fn chat(&mut self, body: &Value) -> Value {
        let mut chats = self.chats.iter();
        if let Some(known) = chats.find(|chat| chat["reference"] == body["reference"]) {
            return known.clone();
        }
        let mut chat = body.clone();
        let more = json!({
            "id": Uuid::from_u128(self.chats.len() as u128 + 1), "mode": "observed", "policy": "manual",
            "tools": "live", "archived": false, "created_at": NOW, "updated_at": NOW,
            "context": { "dirty": false, "declined": false },
        });
        let members = chat.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        self.chats.push(chat.clone());
        chat
    }
}

/// Sessions in a directory, at a server.
struct Followed {
    client: Profile,
    hooks: Hooks,
    directory: TempDir,
    newest: watch::Sender<Option<Arc<LocalSnapshot>>>,
    kept: Arc<Mutex<Kept>>,
    /// Tells of each answer of the server.
    answers: watch::Sender<()>,
}

impl Followed {
    /// Returns the sessions of Codex.
    async fn new() -> Self {
        Self::of(Profile::Codex).await
    }

    async fn of(client: Profile) -> Self {
        let kept: Arc<Mutex<Kept>> = Arc::default();
        let answering = Arc::clone(&kept);
        let answers = watch::Sender::new(());
        let answered = answers.clone();
        let url = standin(TOKEN, move |asked| {
            let mut kept = lock(&answering);
            let answer = match kept.is_away {
                true => Answered {
                    status: 503,
                    headers: PROBLEM.into(),
                    body: kept.trouble.clone().unwrap_or_default(),
                },
                false => {
                    let answer = kept.answer(asked);
                    match answer["status"].as_u64() {
                        Some(status) => Answered {
                            status: status as u16,
                            headers: PROBLEM.into(),
                            body: answer,
                        },
                        None => Answered::ok(answer),
                    }
                }
            };
            answered.send_replace(());
            answer
        });
        let url = url.await;
        let directory = tempfile::tempdir().unwrap();
        write_token(&directory);
        let followed = Self {
            client,
            hooks: Hooks::new(url.parse().unwrap(), PlainHttp::Refused, directory.path()),
            newest: watch::Sender::new(None),
            directory,
            kept,
            answers,
        };
        followed.newest.send_replace(Some(followed.snapshot("one")));
        followed
    }

    /// Waits for the server to have something.
    async fn until(&self, holds: impl Fn(&Kept) -> bool) {
        let mut answers = self.answers.subscribe();
        while !holds(&lock(&self.kept)) {
            answers.changed().await.unwrap();
        }
    }

    /// Ends the process, and begins another one with the same state directory.
    fn restart(&mut self) {
        let server = self.hooks.server.clone();
        self.hooks = Hooks::new(server, PlainHttp::Refused, self.directory.path());
    }

    /// Returns a snapshot of a workspace in a directory.
    fn snapshot(&self, directory: &str) -> Arc<LocalSnapshot> {
        self.snapshot_with(directory, None)
    }

    /// Returns a snapshot of a workspace in a directory, which may have an instruction file.
    fn snapshot_with(&self, directory: &str, file: Option<&str>) -> Arc<LocalSnapshot> {
        let home = self.directory.path().join(".codex");
        let settings = CodexSettings::defaults(home.to_str().unwrap());
        let mut snapshot = Snapshot::default();
        snapshot.facts.directory = Some(format!("/{directory}"));
        snapshot.facts.rules = Some(Rules::newest(Settings::Codex(settings)));
        let mut bodies = Bodies::new();
        if let Some(text) = file {
            let source = format!("/{directory}/AGENTS.md");
            let mut file = Resource::new(Kind::InstructionFile, source, Status::Ok);
            let hash = BlobHash::of(text.as_bytes());
            file.content = Some(Content::Pinned(hash));
            file.size = text.len() as u64;
            file.root = snapshot.facts.directory.clone();
            snapshot.resources.push(file);
            bodies.insert(hash, text.as_bytes().into());
        }
        let scan = Scan {
            snapshot,
            bodies,
            notes: Vec::new(),
            places: Vec::new(),
            unused: [].into(),
            unfollowed: Vec::new(),
        };
        Arc::new(LocalSnapshot::of(Arc::new(ProjectScan::new(scan, None, 0))))
    }

    fn record(&self, session: &str) -> PathBuf {
        let day = self.directory.path().join(".codex/sessions/2026/11/28");
        fs::create_dir_all(&day).unwrap();
        day.join(format!("rollout-2026-11-28T08-00-00-{session}.jsonl"))
    }

    fn write(&self, session: &str, kind: &str, payload: &Value) {
        let mut options = fs::File::options();
        let file = options.append(true).create(true).open(self.record(session));
        writeln!(
            file.unwrap(),
            "{}",
            json!({"type": kind, "payload": payload})
        )
        .unwrap();
    }

    /// Writes one request of a turn. What it was for is clear with the next line.
    fn request(&self, session: &str, turn: &str) {
        self.request_with(session, turn, "said");
    }

    /// Writes one request of a turn, in which the person says something, or Codex gives its files.
    fn request_with(&self, session: &str, turn: &str, said: &str) {
        self.write(session, "turn_context", &json!({"turn_id": turn}));
        for (role, text) in [("user", said), ("assistant", "said")] {
            let kind = match text.starts_with("# AGENTS.md instructions") {
                true => "agents_md.instructions",
                false => "user.text",
            };
            let text = json!([{"type": "input_text", "text": text}]);
            let item = json!({
                "type": "message", "role": role, "content": text,
                "internal_chat_message_metadata_passthrough": {"content_item_kinds": [kind]},
            });
            self.write(session, "response_item", &item);
        }
    }

    fn event(&self, session: &str, event: HookEvent, turn: &str) -> (Event, Arrived) {
        let call = HookCall {
            client: self.client.to_string(),
            event,
            session: session.into(),
            directory: "/w".into(),
            source: Some("startup".into()),
            turn: Some(turn.into()),
            parent: None,
            subagent: None,
            record: Some(self.record(session).to_str().unwrap().into()),
            at_ms: None,
            process: None,
            given: None,
            server: self.hooks.server.to_string(),
            token_file: self.directory.path().join("token").to_str().unwrap().into(),
        };
        let arrived = self.hooks.arrived(&call, self.client);
        let event = Event {
            call,
            client: self.client,
            agent: Uuid::nil(),
            newest: self.newest.subscribe(),
            recent: Arc::default(),
            called_at: Instant::now(),
            is_process_known: false,
        };
        (event, arrived)
    }

    /// Starts a session, with a scan that ends at once.
    async fn start(&self, session: &str) {
        let scanned = self.newest.borrow().clone();
        self.start_with(session, Box::pin(async move { scanned }))
            .await;
        self.settle().await;
    }

    async fn start_with(&self, session: &str, scan: Fresh) {
        assert_eq!(self.started(session, scan).await, None);
    }

    /// Starts a session, and returns what its person is told.
    async fn started(&self, session: &str, scan: Fresh) -> Option<String> {
        let (event, arrived) = self.event(session, HookEvent::SessionStart, "");
        let reply = self.hooks.start(event, arrived, scan).await.unwrap();
        assert!(reply.chat.is_some());
        reply.message
    }

    /// Hands over a request with so many bytes of text, as opencode's plugin does.
    async fn gives(&self, session: &str, bytes: usize) -> Result<HookReply, String> {
        self.gives_line(session, system("t1", bytes), None).await
    }

    /// Hands over a line about a request, from a process of the client.
    async fn gives_line(
        &self,
        session: &str,
        line: String,
        process: Option<&ClientProcess>,
    ) -> Result<HookReply, String> {
        let (mut event, arrived) = self.event(session, HookEvent::Given, "");
        (event.call.given, event.call.process) = (Some(line), process.cloned());
        self.hooks.given(event, arrived).await
    }

    fn held_requests(&self, session: &str) -> usize {
        let (_, arrived) = self.event(session, HookEvent::Stop, "");
        lock(&arrived.session.held).requests()
    }

    async fn prompt(&self, session: &str, turn: &str) {
        self.prompt_with(session, turn, None).await;
    }

    /// Begins a turn for which the client reads what a scan finds.
    async fn prompt_with(&self, session: &str, turn: &str, scan: Option<Fresh>) {
        let (event, arrived) = self.event(session, HookEvent::Prompt, turn);
        self.hooks.turn(event, arrived, scan).await.unwrap();
    }

    async fn stop(&self, session: &str) {
        let (event, arrived) = self.event(session, HookEvent::Stop, "");
        self.hooks.stop(event, arrived).await.unwrap();
        self.settle().await;
    }

    /// Waits until nothing goes on behind the back of a hook.
    async fn settle(&self) {
        self.settle_but(0).await;
    }

    /// Waits until so many things alone go on there.
    async fn settle_but(&self, count: usize) {
        let others = u32::try_from(WAITING_MAX - count).unwrap();
        let _others = self.hooks.room.acquire_many(others).await.unwrap();
    }

    fn rows(&self) -> usize {
        lock(&self.kept).rows.len()
    }

    /// Returns the turn of each row that was handed in.
    fn turns_of_rows(&self) -> Vec<String> {
        let kept = lock(&self.kept);
        kept.rows.iter().map(|(_, turn)| turn.clone()).collect()
    }

    /// Returns what was asked since the last call.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.kept).asked)
    }
}

/// Returns what opencode's plugin hands over of a request of a turn.
fn system(turn: &str, bytes: usize) -> String {
    let text = "x".repeat(bytes);
    let line =
        json!({"type": "system", "session": "s", "turn": turn, "request": turn, "texts": [text]});
    line.to_string()
}

#[tokio::test]
async fn nothing_is_asked_when_nothing_was_written() {
    let followed = Followed::new().await;
    followed.write("s", "session_meta", &json!({"id": "s"}));
    followed.start("s").await;
    followed.prompt("s", "t1").await;
    followed.request("s", "t1");
    followed.stop("s").await;
    assert_eq!(followed.rows(), 1);
    followed.asked();
    followed.stop("s").await;
    assert_eq!(followed.asked(), [""; 0]);

    // A rollout shows what its last request was for when the turn has ended.
    followed.prompt("s", "t2").await;
    followed.request("s", "t2");
    followed.prompt("s", "t3").await;
    followed.settle().await;
    assert_eq!(followed.rows(), 1);
    followed.stop("s").await;
    assert_eq!(followed.rows(), 2);

    // A request waits for its turn.
    followed.request("s", "t4");
    followed.stop("s").await;
    followed.asked();
    followed.stop("s").await;
    assert!(!followed.asked().is_empty());
    followed.prompt("s", "t4").await;
    followed.stop("s").await;
    assert_eq!(followed.rows(), 3);

    // What was written is the same in another process.
    followed.asked();
    let mut followed = followed;
    followed.restart();
    followed.stop("s").await;
    assert_eq!(followed.asked(), [""; 0]);
}

#[tokio::test]
async fn a_person_may_say_the_text_of_a_head_that_no_client_has_read() {
    let followed = Followed::new().await;
    followed.write("s", "session_meta", &json!({"id": "s"}));
    followed.start("s").await;
    let text = |name: &str| {
        format!("{name} is a text that is long enough to be found in any request at all.\n")
    };
    let head = |name| {
        let text = text(name);
        followed
            .newest
            .send_replace(Some(followed.snapshot_with("one", Some(&text))));
    };
    head("two");
    followed.prompt("s", "t1").await;
    head("three");
    let said = format!("Look: {} and {}", text("two"), text("none"));
    followed.request_with("s", "t1", &said);
    followed.stop("s").await;
    let kept = lock(&followed.kept);
    let [row] = &kept.row_bodies[..] else {
        panic!("{:?}", kept.row_bodies)
    };
    assert_eq!(row["verdict"], "as-pinned");
    let resources = row["resources"].as_array().unwrap();
    let found: Vec<_> = resources
        .iter()
        .map(|resource| (&resource["outcome"], &resource["content_hash"]))
        .collect();
    let two = BlobHash::of(text("two").as_bytes()).to_string();
    assert_eq!(found, [(&json!("seen-elsewhere"), &json!(two))]);
}

#[tokio::test]
async fn a_row_that_the_server_has_holds_no_other_up() {
    let mut followed = Followed::new().await;
    followed.write("s", "session_meta", &json!({"id": "s"}));
    followed.start("s").await;
    let text = "This text of a head is long enough to be found in any request that has it.\n";
    followed.prompt("s", "t1").await;
    followed.request_with("s", "t1", text);
    followed.stop("s").await;
    assert_eq!(followed.rows(), 1);
    // The process ends before it keeps its place, and the next one has another head.
    fs::remove_dir_all(followed.directory.path().join("readings")).unwrap();
    followed.restart();
    let head = followed.snapshot_with("one", Some(text));
    followed.newest.send_replace(Some(head));
    followed.prompt("s", "t2").await;
    followed.request("s", "t2");
    followed.stop("s").await;
    assert_eq!(followed.turns_of_rows(), ["1", "2"]);
    assert!(lock(&followed.kept).conflicts > 0);
    followed.asked();
    followed.stop("s").await;
    assert_eq!(followed.asked(), [""; 0]);
}

#[tokio::test]
async fn a_fork_is_told_its_parent() {
    let followed = Followed::new().await;
    for session in ["s", "fork"] {
        followed.start(session).await;
        followed.prompt(session, "t1").await;
    }
    let meta = json!({"id": "fork", "forked_from_id": "s"});
    followed.write("fork", "session_meta", &meta);
    let of_nobody = json!({"id": "s", "forked_from_id": "of nobody"});
    followed.write("s", "session_meta", &of_nobody);
    for session in ["s", "fork"] {
        followed.request(session, "t1");
        followed.stop(session).await;
    }
    let parents = || {
        let kept = lock(&followed.kept);
        let parents = kept.chats.iter().map(|chat| chat["parent_id"].clone());
        parents.collect::<Vec<_>>()
    };
    assert_eq!(parents(), [Value::Null, json!(Uuid::from_u128(1))]);
    followed.asked();
    followed.request("fork", "t1");
    followed.stop("fork").await;
    let asked = followed.asked();
    assert!(
        !asked.iter().any(|asked| asked.starts_with("patch")),
        "{asked:?}"
    );
}

#[tokio::test]
async fn the_pin_moves_to_what_a_late_scan_finds() {
    let followed = Followed::new().await;
    let (end, ended) = oneshot::channel();
    let scan = Box::pin(async { ended.await.ok() });
    // On a busy machine, the start is recorded after its hook has ended.
    let (event, arrived) = followed.event("s", HookEvent::SessionStart, "");
    followed.hooks.start(event, arrived, scan).await.unwrap();
    followed.until(|kept| !kept.moves.is_empty()).await;
    followed.prompt("s", "t1").await;
    let heads = || {
        let kept = lock(&followed.kept);
        let heads = kept.moves.iter().map(|(_, start)| start["head"].clone());
        heads.collect::<Vec<_>>()
    };
    assert_eq!(heads(), [Value::Null]);
    assert!(lock(&followed.kept).turns.is_empty());
    let scanned = followed.snapshot("two");
    let _ = end.send(Arc::clone(&scanned));
    followed.settle().await;
    let scanned_id = json!(scanned.id.to_string());
    assert_eq!(heads(), [Value::Null, scanned_id.clone()]);
    // The turn that came meanwhile is stamped with it, and the person is told what changes from here on.
    let kept = lock(&followed.kept);
    assert_eq!(kept.turns[0].1["snapshot"], scanned_id);
    assert_eq!(kept.moves[1].1["source"], "startup");
    drop(kept);
    let (_, arrived) = followed.event("s", HookEvent::Prompt, "t2");
    let read = lock(arrived.session.read.get().unwrap()).clone();
    assert_eq!(read.snapshot, Some(Listing::of(&scanned)));
}

#[tokio::test]
async fn a_scan_that_cannot_be_leaves_the_head() {
    let followed = Followed::new().await;
    followed.start_with("s", Box::pin(async { None })).await;
    followed.prompt("s", "t1").await;
    followed.settle().await;
    let kept = lock(&followed.kept);
    assert_eq!((kept.moves.len(), kept.turns.len()), (1, 1));
}

#[tokio::test]
async fn a_subagent_that_nobody_ended_is_caught_up() {
    let mut followed = Followed::new().await;
    let subagent = async |followed: &Followed, session: &str, id: &str, event| {
        let (mut event, arrived) = followed.event(session, event, "");
        event.call.subagent = Some(id.into());
        event.call.record = Some(followed.record(id).to_str().unwrap().into());
        match event.call.event {
            HookEvent::SubagentStart => followed.hooks.subagent(event, arrived, None).await,
            _ => followed.hooks.stop(event, arrived).await,
        }
        .unwrap();
        followed.settle().await;
    };
    followed.start("s").await;
    followed.prompt("s", "t1").await;
    for id in ["a1", "a2"] {
        subagent(&followed, "s", id, HookEvent::SubagentStart).await;
        followed.write(id, "session_meta", &json!({"id": id}));
        followed.request(id, "a turn of its own");
    }
    subagent(&followed, "s", "a1", HookEvent::SubagentStop).await;
    assert_eq!(followed.rows(), 1);
    followed.prompt("s", "t2").await;
    followed.settle().await;
    assert_eq!(followed.rows(), 2);
    // It goes on, and the process ends.
    followed.request("a2", "a turn of its own");
    followed.restart();
    followed.asked();
    followed.start("s").await;
    assert_eq!(followed.rows(), 3);
    let rows = lock(&followed.kept).rows.clone();
    let chat = |reference: &str| {
        let kept = lock(&followed.kept);
        let mut chats = kept.chats.iter();
        let chat = chats.find(|chat| chat["reference"] == reference).unwrap();
        chat["id"].as_str().unwrap().to_owned()
    };
    let [one, two] = ["s/a1", "s/a2"].map(chat);
    let of: Vec<_> = rows.into_iter().map(|(chat, _)| chat).collect();
    assert_eq!(of, [one, two.clone(), two]);
    // Those before a start are over.
    followed.request("a2", "a turn of its own");
    followed.prompt("s", "t3").await;
    followed.settle().await;
    assert_eq!(followed.rows(), 3);
    // A client may tell of the end before it has written the record, or the end of it.
    for (id, rows) in [("a3", 4), ("a4", 5)] {
        subagent(&followed, "s", id, HookEvent::SubagentStart).await;
        if id == "a4" {
            followed.write(id, "session_meta", &json!({"id": id}));
        }
        subagent(&followed, "s", id, HookEvent::SubagentStop).await;
        if id == "a3" {
            followed.write(id, "session_meta", &json!({"id": id}));
        }
        followed.request(id, "a turn of its own");
        followed.stop("s").await;
        assert_eq!(followed.rows(), rows, "{id}");
    }
    // Once nothing has changed since, they are forgotten.
    followed.stop("s").await;
    let (_, arrived) = followed.event("s", HookEvent::Stop, "");
    let read = lock(arrived.session.read.get().unwrap()).clone();
    assert_eq!(read.subagents, []);
}

#[tokio::test]
async fn a_review_of_codex_has_a_turn_of_its_session() {
    let followed = Followed::new().await;
    let session = "01a2242b-a6dd-7b63-bd99-f1f210c60a39";
    let begin = async |thread: &str, turn: &str| {
        let (mut event, arrived) = followed.event(session, HookEvent::Prompt, turn);
        event.call.record = Some(followed.record(thread).to_str().unwrap().into());
        followed.hooks.turn(event, arrived, None).await.unwrap();
        followed.settle().await;
    };
    followed.start(session).await;
    followed.write(session, "session_meta", &json!({"id": session}));
    let [review, guardian] = ["a794-7e83-9948-f668cb548cf1", "b1c2-7e83-9948-f668cb548cf1"]
        .map(|end| format!("01a2242b-{end}"));
    for (thread, kind) in [
        (&review, json!("review")),
        (&guardian, json!({"other": "guardian"})),
    ] {
        let source = json!({"subagent": kind});
        let meta = json!({"id": thread, "session_id": session, "source": source});
        followed.write(thread, "session_meta", &meta);
        begin(thread, thread).await;
        followed.request(thread, thread);
    }
    assert_eq!(followed.rows(), 0);
    followed.stop(session).await;
    assert_eq!(lock(&followed.kept).rows.len(), 1);
    assert_eq!(lock(&followed.kept).rows[0].1, "1");
    // Once nothing has changed since, they are forgotten.
    followed.stop(session).await;
    let (_, arrived) = followed.event(session, HookEvent::Stop, "");
    let read = lock(arrived.session.read.get().unwrap()).clone();
    assert_eq!(read.subagents, []);
    assert_eq!(followed.rows(), 1);
}

#[test]
fn the_subagents_of_a_session_have_a_bound() {
    let beside = Subagent::of(Profile::ClaudeCode, "a1", "/h/p/s.jsonl").unwrap();
    assert_eq!(
        beside.record,
        PathBuf::from("/h/p/s/subagents/agent-a1.jsonl")
    );
    assert_eq!(Subagent::of(Profile::Opencode, "a1", "/h/s"), None);
    let mut read = Read::default();
    let began = |number: usize| Subagent::of(Profile::Codex, &number.to_string(), "/h").unwrap();
    for number in (0..70).chain([69]) {
        read.began(began(number));
    }
    let known: Vec<_> = read.subagents.iter().map(|known| &*known.id).collect();
    assert_eq!((known.len(), known[0], known[63]), (64, "6", "69"));
    assert!(read.ended("69") && !read.ended("0"));
    assert!(read.forget("69") && !read.forget("69"));
}

#[tokio::test]
async fn what_a_plugin_has_handed_over_is_handed_in_at_the_end() {
    let followed = Followed::of(Profile::Opencode).await;
    followed.start("s").await;
    followed.prompt("s", "t1").await;
    followed.settle().await;
    followed.gives("s", 100).await.unwrap();
    assert_eq!((followed.rows(), followed.held_requests("s")), (0, 1));
    followed.hooks.end().await;
    assert_eq!((followed.rows(), followed.held_requests("s")), (1, 0));

    // If no server responds, the process ends all the same.
    followed.gives("s", 100).await.unwrap();
    lock(&followed.kept).is_away = true;
    let begin = Instant::now();
    followed.hooks.end().await;
    assert!(begin.elapsed() < END_TIME_MAX + Duration::from_secs(2));
    assert_eq!((followed.rows(), followed.held_requests("s")), (1, 1));
}

#[tokio::test]
async fn what_waits_of_all_sessions_has_a_bound() {
    let followed = Followed::of(Profile::Opencode).await;
    let part = 4 * 1024 * 1024;
    let count = HELD_OF_ALL_BYTES_MAX / part;
    for session in 0..count {
        let (_, arrived) = followed.event(&session.to_string(), HookEvent::Given, "");
        let given = system("t1", part - 10_000);
        lock(&arrived.session.held).add(&given, usize::MAX).unwrap();
    }
    let held = || {
        let sessions = lock(&followed.hooks.sessions);
        let held = sessions
            .values()
            .map(|known| lock(&known.session.held).bytes());
        held.sum::<usize>()
    };
    followed.gives("new", 100_000).await.unwrap();
    let left_out = followed.gives("new", 100_000).await.unwrap_err();
    assert!(left_out.contains("this one is left out"), "{left_out}");
    assert_eq!(followed.held_requests("new"), 1);
    assert!(held() <= HELD_OF_ALL_BYTES_MAX);
    // When the server has the others, there is room again.
    lock(&followed.hooks.sessions).retain(|key, _| key.session == "new");
    followed.gives("new", 100_000).await.unwrap();
}
