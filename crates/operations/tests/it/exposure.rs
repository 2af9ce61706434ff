//! The chats and turns that had a content in force.

use ctxpin_model::exposure::Exposure;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::mcp::Detail;
use ctxpin_model::resource::Kind;
use ctxpin_model::tools_mode::ToolsMode;
use ctxpin_operations::exposures;
use ctxpin_testing::databases::TestService;
use ctxpin_testing::people::{member, user};
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
);

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
