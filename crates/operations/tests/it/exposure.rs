//! The chats and turns that had a content in force.

use ctxpin_model::exposure::{ChatExposure, ExposedTurns, Exposure, HashKind, KnownHash};
use ctxpin_model::hash::{AnyHash, BlobHash};
use ctxpin_model::mcp::Detail;
use ctxpin_model::page::PageRequest;
use ctxpin_model::resource::Kind;
use ctxpin_model::token::Credential;
use ctxpin_model::tools_mode::ToolsMode;
use ctxpin_operations::{chats, exposures};
use ctxpin_testing::databases::TestService;
use ctxpin_testing::people::{TestAgent, member, user};
use ctxpin_testing::workspace::Workspace;

use crate::scene::{Scene, agents_md};

ctxpin_testing::on_both_databases!(
    stays_and_turns_are_told,
    a_skills_file_is_traced,
    a_cleared_pin_ends_the_stay,
    tools_of_a_live_turn_are_traced,
    pinned_tools_are_traced,
    strangers_see_nothing_and_auditors_all,
    an_unused_content_was_nowhere,
    a_broken_files_claim_was_nowhere,
    chats_are_told_with_their_periods_and_turns,
    a_context_and_a_snapshot_are_traced,
    chats_come_in_pages,
    hashes_are_found_by_their_beginning,
);

/// Returns a scene of a member, who reads nothing of others, and the admin.
async fn scene_of_member(test: &TestService) -> (Scene<'_>, Credential) {
    let mut scene = Scene::new(test).await;
    let admin = scene.owner;
    scene.owner = member(scene.service, admin, "owner").await;
    scene.agent = TestAgent::create(scene.service, scene.owner, "project").await;
    (scene, admin)
}

async fn exposed(scene: &Scene<'_>, by: Credential, hash: AnyHash) -> Vec<ChatExposure> {
    let newest = PageRequest::newest(50);
    let found = exposures::chats(scene.service, by, hash, &newest).await;
    found.unwrap().items
}

/// Returns the sources and numbers of a chat's periods, and whether they last.
fn periods(exposed: &ChatExposure) -> Vec<(&str, i64, bool)> {
    let periods = exposed.periods.iter();
    let told = periods.map(|period| {
        let source = period
            .place
            .as_ref()
            .map_or("", |place| place.source.as_str());
        (source, period.from_seq, period.until.is_none())
    });
    told.collect()
}

async fn chats_are_told_with_their_periods_and_turns(test: &TestService) {
    let (mut scene, admin) = scene_of_member(test).await;
    scene.push(&agents_md("clean")).await;
    let chat = scene.chat().await;
    let poisoned = agents_md("poison");
    chat.turn().await.unwrap();
    scene.push(&poisoned).await;
    chat.refresh().await.unwrap();
    chat.turn().await.unwrap();
    // The other file changes, and the poison stays.
    scene
        .push(&poisoned.clone().file("api/AGENTS.md", "more"))
        .await;
    chat.refresh().await.unwrap();
    chat.turn().await.unwrap();
    scene.push(&agents_md("clean again")).await;
    chat.refresh().await.unwrap();
    chat.turn().await.unwrap();
    scene.push(&poisoned).await;
    chat.refresh().await.unwrap();
    let poison = AnyHash::of(b"poison");
    let found = exposed(&scene, scene.owner, poison).await;
    let [found] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(found.chat, chat.id);
    assert_eq!(
        periods(found),
        [("/w/AGENTS.md", 5, true), ("/w/AGENTS.md", 2, false)]
    );
    let turns = ExposedTurns {
        count: 2,
        first: 2,
        last: 3,
    };
    assert_eq!(found.turns, Some(turns));
    let stranger = member(scene.service, admin, "stranger").await;
    assert!(exposed(&scene, stranger, poison).await.is_empty());
    let (_, auditor) = user(scene.service, admin, "auditor", "auditor", "read").await;
    let seen = exposed(&scene, auditor, poison).await;
    assert_eq!(periods(&seen[0]), periods(found));
    assert_eq!(seen[0].turns, found.turns);
}

async fn a_context_and_a_snapshot_are_traced(test: &TestService) {
    let (mut scene, admin) = scene_of_member(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    chat.turn().await.unwrap();
    let record = chats::read(scene.service, scene.owner, chat.id)
        .await
        .unwrap();
    let pin = record.pin.unwrap().pin;
    scene.push(&agents_md("two")).await;
    chat.refresh().await.unwrap();
    let (_, auditor) = user(scene.service, admin, "auditor", "auditor", "read").await;
    for hash in [*pin.snapshot.bytes(), *pin.hashes.context.bytes()] {
        for by in [scene.owner, auditor] {
            let found = exposed(&scene, by, hash.into()).await;
            assert_eq!(periods(&found[0]), [("", 1, false)]);
            assert_eq!(found[0].turns.map(|turns| turns.count), Some(1));
        }
    }
}

async fn chats_come_in_pages(test: &TestService) {
    let (mut scene, _) = scene_of_member(test).await;
    scene.push(&agents_md("text")).await;
    let mut chats = Vec::new();
    for _ in 0..5 {
        scene.minute();
        chats.push(scene.chat().await.id);
    }
    chats.reverse();
    let mut page = PageRequest::newest(2);
    let mut found = Vec::new();
    loop {
        let text = AnyHash::of(b"text");
        let part = exposures::chats(scene.service, scene.owner, text, &page).await;
        let part = part.unwrap();
        assert!(part.items.len() <= 2);
        found.extend(part.items.iter().map(|exposed| exposed.chat));
        match part.next {
            Some(next) => page = page.on(next),
            None => break,
        }
    }
    assert_eq!(found, chats);
}

async fn hashes_are_found_by_their_beginning(test: &TestService) {
    let (mut scene, admin) = scene_of_member(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    let record = chats::read(scene.service, scene.owner, chat.id)
        .await
        .unwrap();
    let pin = record.pin.unwrap().pin;
    let stranger = member(scene.service, admin, "stranger").await;
    let (_, auditor) = user(scene.service, admin, "auditor", "auditor", "read").await;
    for (kind, hash) in [
        (HashKind::Content, AnyHash::of(b"one")),
        (HashKind::Context, (*pin.hashes.context.bytes()).into()),
        (HashKind::Snapshot, (*pin.snapshot.bytes()).into()),
    ] {
        let known = async |by: Credential, beginning: &str| {
            let beginning = beginning.parse().unwrap();
            let found = exposures::hashes(scene.service, by, &beginning)
                .await
                .unwrap();
            assert!(found.is_complete);
            found.items
        };
        for digits in [8, 20, 64] {
            let beginning = &hash.hex()[..digits];
            for by in [scene.owner, auditor] {
                assert_eq!(known(by, beginning).await, [KnownHash { kind, hash }]);
            }
            assert_eq!(known(stranger, beginning).await, []);
        }
    }
}

async fn exposure(scene: &Scene<'_>, content: BlobHash) -> Exposure {
    exposures::read(scene.service, scene.owner, content)
        .await
        .unwrap()
}

fn hash(text: &str) -> BlobHash {
    BlobHash::of(text.as_bytes())
}

async fn stays_and_turns_are_told(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("clean")).await;
    let chat = scene.chat().await;
    chat.turn().await.unwrap();
    scene.push(&agents_md("poison")).await;
    chat.turn().await.unwrap();
    let came = {
        scene.minute();
        test.clock.now()
    };
    chat.refresh().await.unwrap();
    scene.minute();
    chat.turn().await.unwrap();
    let turned = test.clock.now();
    let during = exposure(&scene, hash("poison")).await;
    assert_eq!(during.chats.len(), 1);
    assert_eq!(during.chats[0].until, None);
    scene.push(&agents_md("clean again")).await;
    chat.refresh().await.unwrap();
    chat.turn().await.unwrap();
    let after = exposure(&scene, hash("poison")).await;
    assert_eq!(after.chats.len(), 1);
    let stay = &after.chats[0];
    assert_eq!(
        (stay.chat, stay.kind, stay.source.as_str()),
        (chat.id, Kind::InstructionFile, "/w/AGENTS.md")
    );
    assert_eq!(
        (stay.from_seq, stay.from, stay.until),
        (2, came, Some(test.clock.now()))
    );
    assert_eq!(after.turns.len(), 1);
    let turn = &after.turns[0];
    assert_eq!(
        (turn.chat, turn.number, turn.started_at, turn.by_tools),
        (chat.id, 3, turned, false)
    );
}

async fn a_skills_file_is_traced(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene
        .push(&Workspace::new("/w").skill("pdf", "Reads.", &[("bin/run.sh", "rm -rf /")]))
        .await;
    let chat = scene.chat().await;
    chat.turn().await.unwrap();
    let told = exposure(&scene, hash("rm -rf /")).await;
    assert_eq!(told.chats.len(), 1);
    assert_eq!(told.chats[0].kind, Kind::Skill);
    assert_eq!(told.chats[0].path.as_deref(), Some("bin/run.sh"));
    assert_eq!(told.turns.len(), 1);
    assert!(!told.turns[0].by_tools);
}

async fn a_cleared_pin_ends_the_stay(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("poison")).await;
    let chat = scene.chat().await;
    scene.minute();
    chat.clear().await.unwrap();
    let told = exposure(&scene, hash("poison")).await;
    assert_eq!(told.chats[0].until, Some(test.clock.now()));
    assert!(told.turns.is_empty());
}

fn tools_hash(workspace: &Workspace) -> BlobHash {
    let server = workspace
        .snapshot()
        .resources
        .into_iter()
        .find(|r| r.kind == Kind::McpServer);
    let detail = server.and_then(|server| server.detail);
    BlobHash::of(&detail.as_ref().map(Detail::canonical_json).unwrap())
}

async fn tools_of_a_live_turn_are_traced(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let first = agents_md("one").server("git", &["log"]);
    scene.push(&first).await;
    let chat = scene.chat().await;
    let second = agents_md("one").server("git", &["poison"]);
    scene.push(&second).await;
    chat.turn().await.unwrap();
    let told = exposure(&scene, tools_hash(&second)).await;
    assert!(told.chats.is_empty(), "the pin has other tools");
    assert_eq!(told.turns.len(), 1);
    assert!(told.turns[0].by_tools);
    let told = exposure(&scene, tools_hash(&first)).await;
    assert!(told.turns.is_empty(), "the pin's tools were not offered");
}

async fn pinned_tools_are_traced(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let first = agents_md("one").server("git", &["log"]);
    scene.push(&first).await;
    let chat = scene.chat().await;
    chat.tools(ToolsMode::Pinned).await.unwrap();
    scene
        .push(&agents_md("one").server("git", &["blame"]))
        .await;
    chat.turn().await.unwrap();
    let told = exposure(&scene, tools_hash(&first)).await;
    assert_eq!((told.chats.len(), told.turns.len()), (1, 1));
    assert_eq!(told.chats[0].kind, Kind::McpServer);
    assert!(told.turns[0].by_tools);
}

async fn strangers_see_nothing_and_auditors_all(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("poison")).await;
    scene.chat().await.turn().await.unwrap();
    let stranger = member(scene.service, scene.owner, "stranger").await;
    let (_, auditor) = user(scene.service, scene.owner, "auditor", "auditor", "read").await;
    for (reader, seen) in [(stranger, 0), (auditor, 1), (scene.owner, 1)] {
        let told = exposures::read(scene.service, reader, hash("poison"))
            .await
            .unwrap();
        assert_eq!((told.chats.len(), told.turns.len()), (seen, seen));
    }
}

async fn an_unused_content_was_nowhere(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    scene.chat().await.turn().await.unwrap();
    scene.push(&agents_md("two")).await;
    let told = exposure(&scene, hash("two")).await;
    assert!(
        told.chats.is_empty() && told.turns.is_empty(),
        "nobody has taken it"
    );
}

async fn a_broken_files_claim_was_nowhere(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene
        .push(&agents_md("one").mcp_config("{\"token\": \"secret\"}"))
        .await;
    scene.chat().await.turn().await.unwrap();
    let told = exposure(&scene, hash("{\"token\": \"secret\"}")).await;
    assert!(told.chats.is_empty() && told.turns.is_empty());
}
