//! The cost of operations in a database: statements, rows, bytes and round trips, which are the same on
//! every machine. A test compares the table with a reviewed one, so that an added statement shows.

use std::fmt::Write as _;

use ctxpin_model::chat::{ChatCreate, ChatFilter};
use ctxpin_model::client_event::ClientEvent;
use ctxpin_model::delivery::Delivery;
use ctxpin_model::evidence::{HandedIn, Outcome};
use ctxpin_model::history::StepRequest;
use ctxpin_model::id::ProcessId;
use ctxpin_model::mode::Mode;
use ctxpin_model::page::PageRequest;
use ctxpin_model::pin_move::{BulkMove, Decision, SeenChat};
use ctxpin_model::watch::{Detail, Event, Subject};
use ctxpin_operations::bulk_moves;
use ctxpin_operations::chats;
use ctxpin_operations::contexts;
use ctxpin_operations::diffs::{self, DiffRequest};
use ctxpin_operations::evidence;
use ctxpin_operations::history;
use ctxpin_operations::instructions;
use ctxpin_operations::overview;
use ctxpin_operations::pending_changes;
use ctxpin_operations::prompts;
use ctxpin_operations::pushes;
use ctxpin_operations::service::Service;
use ctxpin_operations::turns;
use ctxpin_operations::watches;
use ctxpin_store::counts::Counts;
use ctxpin_testing::chats::{TestChat, bound_to};
use ctxpin_testing::databases::TestService;
use ctxpin_testing::workspace::Workspace;
use uuid::Uuid;

use crate::evidence_rows::{deviating, file, handed_in, row};
use crate::scene::Scene;

/// The number of instruction files in each workspace.
const FILES: usize = 50;

/// The cost of each step, in order.
struct Ledger<'s> {
    service: &'s Service,
    rows: Vec<(String, Counts)>,
}

impl Ledger<'_> {
    async fn note<T>(&mut self, step: &str, work: impl Future<Output = T>) -> T {
        let before = self.service.counts();
        let done = work.await;
        let asked = self.service.counts() - before;
        self.rows.push((step.to_owned(), asked));
        done
    }
}

/// Returns a workspace with an edition of its first file.
fn workspace(edition: usize) -> Workspace {
    let first = Workspace::with_agents_md("/w", &format!("Edition {edition:04}."));
    let first = first.file_for("rust.md", "No unsafe.", "/w", &["src/**/*.rs"]);
    (1..FILES - 1).fold(first, |workspace, number| {
        workspace.file(
            &format!("rules/{number:03}.md"),
            &format!("Rule {number:03}."),
        )
    })
}

/// Lists the pending changes of 100 chats in two workspaces, and declines them together.
async fn decided(scene: &mut Scene<'_>, ledger: &mut Ledger<'_>) {
    let (service, owner) = (scene.service, scene.owner);
    scene.push(&workspace(8)).await;
    let page = PageRequest::newest(50);
    let list = pending_changes::list(service, owner, true, &page);
    let listed = ledger.note("list pending changes", list).await.unwrap();
    let chats = &listed.page.items[0].chats;
    let chats = chats.iter().take(2).map(|pending| {
        let [pin, head] = pending.drifted.snapshots().unwrap();
        let chat = pending.drifted.chat.id;
        SeenChat { chat, pin, head }
    });
    let request = BulkMove {
        chats: chats.collect(),
        decision: Decision::TakeAll,
    };
    let moved = bulk_moves::bulk_move(service, owner, &request);
    let moved = ledger.note("move two chats at once", moved).await.unwrap();
    assert!(moved.iter().all(|(_, outcome)| outcome.is_ok()));
    let cold = scene.test.replica().await;
    let before = cold.counts();
    pending_changes::list(&cold, owner, true, &page)
        .await
        .unwrap();
    let asked = cold.counts() - before;
    ledger
        .rows
        .push(("list them for the first time".into(), asked));
    cold.close().await;
}

/// Runs the everyday operations one after the other.
async fn everyday(test: &TestService) -> Vec<(String, Counts)> {
    let mut scene = Scene::new(test).await;
    let mut ledger = Ledger {
        service: &test.service,
        rows: Vec::new(),
    };
    let chat = ledger
        .note("create a chat without a head", scene.chat())
        .await;
    for _ in 0..9 {
        scene.chat().await;
    }
    idle_agent(&scene, &mut ledger).await;
    pushed(&mut scene, &mut ledger).await;
    moves(&mut scene, &mut ledger, &chat).await;
    reads(&scene, &mut ledger, &chat).await;
    pages(&scene, &mut ledger, &chat).await;
    watched(&mut scene, &mut ledger, &chat).await;
    decided(&mut scene, &mut ledger).await;
    observed(&scene, &mut ledger).await;
    ledger.rows
}

async fn idle_agent(scene: &Scene<'_>, ledger: &mut Ledger<'_>) {
    let agent = scene.other_agent().await;
    let process = ProcessId::from(Uuid::from_u128(7));
    let open = || pushes::session_open(scene.service, agent.credential, process);
    ledger.note("open a session", open()).await.unwrap();
    ledger
        .note("tell that the agent lives", open())
        .await
        .unwrap();
}

async fn pushed(scene: &mut Scene<'_>, ledger: &mut Ledger<'_>) {
    let first = ledger
        .note("push 50 files, hydrate 10 chats", scene.push(&workspace(1)))
        .await;
    assert_eq!(first.hydrated, 10);
    ledger
        .note("push what is there already", scene.push(&workspace(1)))
        .await;
    ledger
        .note("push one changed file, 10 chats", scene.push(&workspace(2)))
        .await;
    for _ in 0..90 {
        scene.chat().await;
    }
    ledger
        .note(
            "push one changed file, 100 chats",
            scene.push(&workspace(3)),
        )
        .await;
}

async fn moves(scene: &mut Scene<'_>, ledger: &mut Ledger<'_>, chat: &TestChat) {
    let other = scene.chat().await;
    // The head was rendered for another chat already.
    ledger
        .note("refresh to a prompt that is kept", chat.refresh())
        .await
        .unwrap();
    scene.push(&workspace(4)).await;
    ledger
        .note("refresh, rendering", chat.refresh())
        .await
        .unwrap();
    ledger
        .note("refresh where nothing differs", chat.refresh())
        .await
        .unwrap();
    let first = chat.history().await[0].snapshot.expect("a pin");
    ledger
        .note("roll back", chat.rollback(first))
        .await
        .unwrap();
    ledger.note("decline", chat.decline()).await.unwrap();
    ledger
        .note("take one source", other.take(&["/w/AGENTS.md"]))
        .await
        .unwrap();
    ledger.note("unpin", other.clear()).await.unwrap();
    ledger
        .note("turn that hydrates", other.turn())
        .await
        .unwrap();
    ledger
        .note("turn", chat.turn_as(Some("one"), Delivery::Delivered))
        .await
        .unwrap();
    ledger
        .note("turn again", chat.turn_as(Some("one"), Delivery::Delivered))
        .await
        .unwrap();
    let mut successor = scene.other_agent().await;
    successor.push(scene.service, &workspace(5)).await.unwrap();
    ledger
        .note("rebind", other.bind(Some(successor.id)))
        .await
        .unwrap();
    ledger.note("archive", other.archive(true)).await.unwrap();
    ledger.note("create a chat with a head", scene.chat()).await;
}

/// Tells of the sessions of a client.
async fn observed(scene: &Scene<'_>, ledger: &mut Ledger<'_>) {
    let request = ChatCreate {
        mode: Some(Mode::Observed),
        ..bound_to(scene.agent.id)
    };
    let chat = TestChat::create(scene.service, scene.owner, &request).await;
    let chat = chat.unwrap();
    let start = |head| chat.start(ClientEvent::Resume, head);
    let head = chat.snapshot().await;
    ledger
        .note("tell of a session's start", start(head))
        .await
        .unwrap();
    ledger.note("tell of it again", start(head)).await.unwrap();
    ledger
        .note("tell of it without a scan", start(None))
        .await
        .unwrap();
    chat.turn().await.unwrap();
    let (service, owner) = (scene.service, scene.owner);
    let key = ledger.note("make a key of evidence", evidence::key(service, owner));
    let key = key.await.unwrap().name();
    let file = file("/w/AGENTS.md", "text", Outcome::Stale);
    let deviating = handed_in(key, deviating("requests", file));
    let add = || evidence::add(service, owner, chat.id, 1, &deviating);
    ledger.note("hand in evidence", add()).await.unwrap();
    ledger.note("hand it in again", add()).await.unwrap();
    let read = turns::read(service, owner, chat.id, 1);
    ledger
        .note("read a turn with evidence", read)
        .await
        .unwrap();
    ledger.note("list turns with evidence", chat.turns()).await;
    chat.turn().await.unwrap();
    let shows = HandedIn {
        shows: chat.record().await.pin.map(|pin| pin.pin.snapshot),
        ..handed_in(key, row("requests"))
    };
    let show = evidence::add(service, owner, chat.id, 2, &shows);
    ledger
        .note("hand in evidence that shows the pin", show)
        .await
        .unwrap();
}

async fn reads(scene: &Scene<'_>, ledger: &mut Ledger<'_>, chat: &TestChat) {
    let (service, owner) = (scene.service, scene.owner);
    let read = prompts::prompt(service, owner, chat.id, None);
    let prompt = ledger.note("read the prompt", read).await.unwrap();
    assert!(prompt.bytes.is_some());
    let read = prompts::prompt(service, owner, chat.id, None);
    assert!(
        ledger
            .note("read it again", read)
            .await
            .unwrap()
            .bytes
            .is_some()
    );
    let read = prompts::prompt(service, owner, chat.id, prompt.hash);
    assert!(
        ledger
            .note("ask whether it is the same", read)
            .await
            .unwrap()
            .bytes
            .is_none()
    );
    let read = instructions::on_demand(service, owner, chat.id, "src/a.rs");
    let read = ledger.note("read what comes with a file", read);
    assert_eq!(read.await.unwrap().expect("a pin").given.len(), 1);
    let read = instructions::on_demand(service, owner, chat.id, "notes/a.txt");
    let read = ledger.note("read that nothing comes", read).await.unwrap();
    assert!(read.expect("a pin").given.is_empty());
    ledger.note("read a chat", chat.record()).await;
    ledger.note("read a context", chat.context()).await;
    let cold = scene.test.replica().await;
    let before = cold.counts();
    contexts::read(&cold, owner, chat.id).await.unwrap();
    let asked = cold.counts() - before;
    ledger
        .rows
        .push(("read a context for the first time".into(), asked));
    cold.close().await;
    let request = DiffRequest::default();
    let read = diffs::diff(service, owner, chat.id, request);
    ledger.note("read a diff", read).await.unwrap();
    ledger.note("read a history", chat.history()).await;
    let (filter, page) = (ChatFilter::default(), PageRequest::newest(100));
    let read = chats::list(service, owner, &filter, &page);
    assert_eq!(
        ledger
            .note("list 100 chats", read)
            .await
            .unwrap()
            .items
            .len(),
        100
    );
}

/// Reads what the pages of a person need.
async fn pages(scene: &Scene<'_>, ledger: &mut Ledger<'_>, chat: &TestChat) {
    let (service, owner) = (scene.service, scene.owner);
    let moves = chat.entries().await;
    let moves: Vec<_> = moves.into_iter().rev().take(10).collect();
    let changes = || history::changes(service, owner, chat.id, &moves);
    changes().await.unwrap();
    let again = ledger.note("read what 10 moves changed", changes());
    again.await.unwrap();
    let recent = history::recent(service, owner, 5);
    ledger.note("read the newest moves", recent).await.unwrap();
    let read = overview::read(service, owner);
    ledger.note("read the overview", read).await.unwrap();
    let (filter, page) = (ChatFilter::default(), PageRequest::newest(50));
    let read = chats::summaries(service, owner, &filter, &page);
    ledger.note("list 50 summaries", read).await.unwrap();
    let read = chats::summary(service, owner, chat.id);
    ledger.note("read a summary", read).await.unwrap();
    let read = turns::read(service, owner, chat.id, 1);
    ledger.note("read a turn", read).await.unwrap();
    let read = turns::prompt(service, owner, chat.id, 1, None);
    ledger
        .note("read the prompt of a turn", read)
        .await
        .unwrap();
    let request = StepRequest {
        agent: scene.agent.id,
        chats_max: 1_000,
        moves_max: 20,
    };
    let read = history::steps(service, owner, request);
    ledger.note("read the moves for a map", read).await.unwrap();
}

async fn watched(scene: &mut Scene<'_>, ledger: &mut Ledger<'_>, chat: &TestChat) {
    let subject = Subject::Chat(chat.id);
    let open = watches::watch(scene.service, scene.owner, subject, Detail::Full);
    let mut watch = ledger.note("open a watch of a chat", open).await.unwrap();
    while !matches!(watch.next().await.unwrap(), Some(Event::Ready)) {}
    scene.push(&workspace(6)).await;
    let told = ledger.note("tell a watch of a push", watch.next()).await;
    assert!(matches!(told, Ok(Some(Event::Chat(_)))));
    let open = watches::watch(scene.service, scene.owner, Subject::Own, Detail::Full);
    let mut watch = ledger
        .note("open a watch of one's own", open)
        .await
        .unwrap();
    let state = async { while !matches!(watch.next().await.unwrap(), Some(Event::Ready)) {} };
    ledger.note("take its state, 100 chats", state).await;
    scene.push(&workspace(7)).await;
    // A push wakes the watches of the agent and of the chats that are bound to it.
    let told = async { while !matches!(watch.next().await.unwrap(), Some(Event::Chat(_))) {} };
    ledger.note("tell it of a push", told).await;
}

#[tokio::test]
async fn operations_cost_what_was_reviewed() {
    let sqlite = TestService::sqlite().await;
    let postgres = TestService::postgres().await;
    let costs = everyday(&sqlite).await;
    let others = everyday(&postgres).await;
    sqlite.finish().await;
    postgres.finish().await;
    let found = table(&costs, &others);
    insta::with_settings!({
        snapshot_path => "../golden",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, { insta::assert_snapshot!("costs", found) });
}

/// Returns a line for each step. SQLite gets no row locks; both databases write the same.
fn table(sqlite: &[(String, Counts)], postgres: &[(String, Counts)]) -> String {
    let mut table = String::from(
        "                                      statements       round trips     rows\n\
         operation                           SQLite  PgSQL    SQLite  PgSQL    written    bytes\n",
    );
    for ((step, here), (_, there)) in sqlite.iter().zip(postgres) {
        assert_eq!(here.rows_written, there.rows_written, "{step}");
        writeln!(
            table,
            "{step:<35} {:>6} {:>6} {:>9} {:>6} {:>10} {:>8}",
            here.statements,
            there.statements,
            here.round_trips,
            there.round_trips,
            here.rows_written,
            here.bytes_sent
        )
        .expect("a text takes a line");
    }
    table
}

/// A response with an unchanged prompt does not read its bytes, so they may be missing here.
async fn an_unchanged_prompt_reads_no_blob(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&workspace(1)).await;
    let chat = scene.chat().await;
    let hash = chat.prompt_hash().await;
    test.tamper("update blobs set bytes = substr(bytes, 1, 0)")
        .await;
    let fresh = test.replica().await;
    let known = prompts::prompt(&fresh, scene.owner, chat.id, hash)
        .await
        .unwrap();
    assert_eq!((known.hash, known.bytes), (hash, None));
    let unknown = prompts::prompt(&fresh, scene.owner, chat.id, None)
        .await
        .unwrap();
    assert_eq!(unknown.bytes.unwrap().len(), 0, "here the blob is read");
    fresh.close().await;
}

ctxpin_testing::on_both_databases!(an_unchanged_prompt_reads_no_blob);
