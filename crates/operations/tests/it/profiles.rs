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
    a_prompt_of_claude_code_has_what_every_request_holds,
    a_prompt_of_opencode_names_the_path_of_each_file,
    what_is_for_some_files_drifts_and_leaves_the_prompt_as_it_is,
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
    scene_of(test, Profile::Codex).await
}

/// Returns a scene whose agent follows the rules of a tool.
async fn scene_of(test: &TestService, profile: Profile) -> Scene<'_> {
    let mut scene = Scene::new(test).await;
    let request = request(profile, None);
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
        (Profile::ClaudeCode, Some("/home/ada/.claude")),
        (Profile::Opencode, None),
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

/// Returns a workspace that Claude Code reads: the person's file, and one of the project.
fn claude_md(text: &str) -> Workspace {
    Workspace::new("/home/ada/.claude")
        .file("CLAUDE.md", "Mine.\n")
        .at("/w")
        .file("CLAUDE.md", text)
        .claude_code(&[])
}

async fn a_prompt_of_claude_code_has_what_every_request_holds(test: &TestService) {
    let mut scene = scene_of(test, Profile::ClaudeCode).await;
    let waiting = scene.chat().await;
    let workspace = claude_md("---\ntitle: x\n---\nOne. <!-- hidden -->Two.\n")
        .file_for("api/CLAUDE.md", "Below.\n", "/w/api", &[])
        .file_for(".claude/rules/rust.md", "Rust.\n", "/w", &["*.rs"])
        .skill("pdf", "Reads.", &[])
        .hidden_skill("release", "Releases.");
    scene.push(&workspace).await;
    let expected = "\n\nContents of /home/ada/.claude/CLAUDE.md (user's private global instructions for all projects):\n\nMine.\n\n\
        Contents of /w/CLAUDE.md (project instructions, checked into the codebase):\n\nOne. Two.\n\n<available-skills>\n";
    for chat in [waiting, scene.chat().await] {
        let prompt = chat.prompt().await;
        let (begin, skills) = prompt.split_once(expected).expect("the files");
        assert!(
            begin.starts_with("Codebase and user instructions"),
            "{prompt}"
        );
        assert!(
            skills.ends_with("\n\n- pdf: Reads.\n</available-skills>\n"),
            "{skills}"
        );
        // The push had the bytes of both skills, and a later pin reads them.
        chat.refresh().await.unwrap();
    }
    // The server reads the bytes that this push does not send again.
    scene
        .push(&workspace.without(".claude/rules/rust.md"))
        .await;
    let prompt = scene.chat().await.prompt().await;
    assert!(
        prompt.contains("- pdf: Reads.") && !prompt.contains("release"),
        "{prompt}"
    );
}

async fn what_is_for_some_files_drifts_and_leaves_the_prompt_as_it_is(test: &TestService) {
    let mut scene = scene_of(test, Profile::ClaudeCode).await;
    let rule =
        |text: &str| claude_md("One.\n").file_for(".claude/rules/rust.md", text, "/w", &["*.rs"]);
    scene.push(&rule("Rust.\n")).await;
    let chat = scene.chat().await;
    let before = chat.prompt().await;
    scene.push(&rule("No unsafe.\n")).await;
    assert!(chat.is_dirty().await);
    chat.take(&["/w/.claude/rules/rust.md"]).await.unwrap();
    assert!(!chat.is_dirty().await);
    assert_eq!(chat.prompt().await, before);
    scene
        .push(&rule("No unsafe.\n").claude_code(&["/w/vendor/**"]))
        .await;
    let context = chat.context().await;
    let sentences = ctxpin_model::diff::attributes::attributes(
        &context.changes()[0],
        context.pinned.as_ref().unwrap(),
        context.head.as_ref().unwrap(),
    );
    assert_eq!(
        sentences,
        ["the setting claudeMdExcludes is `[\"/w/vendor/**\"]` now; it was `[]`"]
    );
    let refused = chat.take(&["/w/CLAUDE.md"]).await;
    assert!(refused.is_err(), "{refused:?}");
}

async fn a_prompt_of_opencode_names_the_path_of_each_file(test: &TestService) {
    let mut scene = scene_of(test, Profile::Opencode).await;
    let workspace = agents_md("One.\n")
        .file("docs/rules.md", "Two.\n")
        .file_for("api/AGENTS.md", "Below.\n", "/w/api", &[])
        .opencode(&["docs/*.md"]);
    scene.push(&workspace).await;
    let chat = scene.chat().await;
    assert_eq!(
        chat.prompt().await,
        "Instructions from: /w/AGENTS.md\nOne.\nInstructions from: /w/docs/rules.md\nTwo.\n"
    );
    assert_sound(&chat).await;
    let refused = scene.agent.push(scene.service, &agents_md("One.\n")).await;
    assert!(matches!(refused, Err(Error::WrongProfile { .. })));
}
