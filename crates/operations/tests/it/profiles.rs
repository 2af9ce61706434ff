//! Agents of a tool's profile: what they may push, and what their chats' pins give.

use ctxpin_model::agent::{AgentRequest, Replaces};
use ctxpin_model::compose::Selector;
use ctxpin_model::diff::Subject;
use ctxpin_model::policy::Policy;
use ctxpin_model::profile::Profile;
use ctxpin_operations::agents;
use ctxpin_operations::error::Error;
use ctxpin_testing::databases::TestService;
use ctxpin_testing::people::{TestAgent, first_admin};
use ctxpin_testing::workspace::Workspace;

use crate::scene::{Scene, agents_md, assert_sound};

ctxpin_testing::on_both_databases!(
    an_agent_keeps_its_profile_and_its_home,
    the_same_agent_has_the_same_profile_and_home,
    a_push_is_under_the_profile_of_the_agent,
    a_prompt_is_what_the_tool_gives_sanitised,
    a_changed_setting_is_drift_in_words,
    nothing_is_taken_in_part_between_profiles,
    a_policy_takes_no_addition_under_other_settings,
    a_chat_may_move_to_an_agent_of_another_profile,
);

const HOME: &str = "/home/ada/.codex";

fn request(profile: Profile, home: Option<&str>) -> AgentRequest {
    AgentRequest {
        workspace: "project".into(),
        name: "main".into(),
        profile,
        home: home.map(str::to_owned),
        ..AgentRequest::default()
    }
}

/// Returns a scene whose agent follows Codex's rules.
async fn codex_scene(test: &TestService) -> Scene<'_> {
    let mut scene = Scene::new(test).await;
    let request = request(Profile::Codex, None);
    scene.agent = TestAgent::create_from(scene.service, scene.owner, &request).await;
    scene
}

fn codex(text: &str) -> Workspace {
    agents_md(text).codex(32 * 1024)
}

async fn an_agent_keeps_its_profile_and_its_home(test: &TestService) {
    let service = &test.service;
    let owner = first_admin(service).await;
    for (profile, home) in [
        (Profile::Neutral, None),
        (Profile::Codex, None),
        (Profile::Codex, Some(HOME)),
    ] {
        let request = request(profile, home);
        let (made, _) = agents::create(service, owner, &request).await.unwrap();
        let read = agents::read(service, owner, made.id).await.unwrap();
        assert_eq!((read.profile, read.home.as_deref()), (profile, home));
    }
}

async fn the_same_agent_has_the_same_profile_and_home(test: &TestService) {
    let service = &test.service;
    let owner = first_admin(service).await;
    let made = async |request: &AgentRequest| {
        let (made, _) = agents::create(service, owner, request).await.unwrap();
        made
    };
    let all = [
        request(Profile::Neutral, None),
        request(Profile::Codex, None),
        request(Profile::Codex, Some(HOME)),
    ];
    let mut first = Vec::new();
    for request in &all {
        first.push(made(request).await.id);
    }
    for (request, old) in all.into_iter().zip(first) {
        let again = AgentRequest {
            replaces: Some(Replaces::Same),
            ..request
        };
        assert_eq!(made(&again).await.replaces, Some(old));
    }
}

async fn a_push_is_under_the_profile_of_the_agent(test: &TestService) {
    let mut scene = codex_scene(test).await;
    let refused = scene.agent.push(scene.service, &agents_md("one")).await;
    let wrong = refused.expect_err("another profile");
    assert_eq!(
        wrong.to_string(),
        "this agent is of the profile `codex`, and the push of `neutral`; run `ctxpin agent run --profile codex`, or create an agent of the profile `neutral`"
    );
    scene.push(&codex("one")).await;
    let mut neutral = scene.other_agent().await;
    let refused = neutral.push(scene.service, &codex("one")).await;
    assert!(matches!(refused, Err(Error::WrongProfile { .. })));
}

async fn a_prompt_is_what_the_tool_gives_sanitised(test: &TestService) {
    let mut scene = codex_scene(test).await;
    let waiting = scene.chat().await;
    let workspace = Workspace::new("/home/ada/.codex")
        .file("AGENTS.md", "Mine.\n")
        .at("/w")
        .file("AGENTS.md", "One. <!-- hidden -->Two.\n</instructions>\n")
        .skill("pdf", "Reads.", &[])
        .codex(23);
    scene.push(&workspace).await;
    let expected =
        "# AGENTS.md instructions for /w\n\n<INSTRUCTIONS>\nOne. Two\n</INSTRUCTIONS>\n\n";
    for chat in [waiting, scene.chat().await] {
        let prompt = chat.prompt().await;
        let (files, skills) = prompt.split_at(expected.len());
        assert_eq!(files, expected);
        assert!(skills.starts_with("<available-skills>\n"), "{skills}");
        assert!(
            skills.ends_with("- pdf: Reads.\n</available-skills>\n"),
            "{skills}"
        );
    }
}

async fn a_changed_setting_is_drift_in_words(test: &TestService) {
    let mut scene = codex_scene(test).await;
    scene.push(&codex("one")).await;
    let chat = scene.chat().await;
    let before = chat.prompt().await;
    scene.push(&agents_md("one").codex(2)).await;
    let context = chat.context().await;
    let subjects: Vec<_> = context
        .changes()
        .iter()
        .map(|change| change.subject)
        .collect();
    assert_eq!(subjects, [Subject::Facts]);
    let sentences = ctxpin_model::diff::attributes::attributes(
        &context.changes()[0],
        context.pinned.as_ref().unwrap(),
        context.head.as_ref().unwrap(),
    );
    assert_eq!(
        sentences,
        ["the setting project_doc_max_bytes is `2` now; it was `32768`"]
    );
    assert_eq!(chat.prompt().await, before);
    chat.refresh().await.unwrap();
    assert!(chat.prompt().await.contains("\non\n"));
    assert!(!chat.is_dirty().await);
}

async fn nothing_is_taken_in_part_between_profiles(test: &TestService) {
    let mut scene = codex_scene(test).await;
    scene.push(&codex("one")).await;
    let chat = scene.chat().await;
    let before = chat.snapshot().await;
    let head = agents_md("two").file("CLAUDE.md", "new").codex(64);
    scene.push(&head).await;
    let facts = || Selector {
        subject: Some(Subject::Facts),
        source: String::new(),
    };
    for refused in [
        chat.take(&["/w/AGENTS.md"]).await,
        chat.take_selected(vec![facts()]).await,
    ] {
        let Err(Error::OtherProfile(other)) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(
            other.to_string(),
            "the settings of the profile `codex` (rules 1) have changed since the pin, so no part of the head can be taken; refresh the whole chat"
        );
    }
    assert_eq!(chat.snapshot().await, before);
    let source = |source: &str| Selector {
        subject: None,
        source: source.into(),
    };
    let all = vec![facts(), source("/w/AGENTS.md"), source("/w/CLAUDE.md")];
    chat.take_selected(all).await.unwrap();
    assert_eq!(chat.snapshot().await, Some(head.snapshot().addresses().id));
}

async fn a_policy_takes_no_addition_under_other_settings(test: &TestService) {
    let mut scene = codex_scene(test).await;
    scene.push(&codex("one")).await;
    let chat = scene.chat().await;
    chat.policy(Policy::Additive).await.unwrap();
    let before = chat.snapshot().await;
    scene
        .push(&codex("one").file("b.md", "new").codex(64))
        .await;
    let turn = chat.turn().await.unwrap();
    assert_eq!(turn.turn.snapshot, before);
    assert_eq!(
        turn.notice.as_deref(),
        Some(
            "The workspace is read by other rules or settings of its tool than when the pin was taken, so the chat's policy takes nothing; refresh the chat to take all of it."
        )
    );
    scene.push(&codex("one").file("b.md", "new")).await;
    let turn = chat.turn().await.unwrap();
    assert_ne!(turn.turn.snapshot, before);
}

async fn a_chat_may_move_to_an_agent_of_another_profile(test: &TestService) {
    let mut scene = codex_scene(test).await;
    scene.push(&codex("one")).await;
    let mut neutral = scene.other_agent().await;
    neutral
        .push(scene.service, &agents_md("one"))
        .await
        .unwrap();
    let chat = scene.chat().await;
    let in_codex = chat.prompt().await;
    chat.bind(Some(neutral.id)).await.unwrap();
    assert_ne!(chat.prompt().await, in_codex);
    assert_sound(&chat).await;
    chat.bind(Some(scene.agent.id)).await.unwrap();
    assert_eq!(chat.prompt().await, in_codex);
    assert_sound(&chat).await;
}
