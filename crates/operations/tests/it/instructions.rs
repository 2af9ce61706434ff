//! The instruction files that come with a file, read from the pin.

use ctxpin_model::agent::AgentRequest;
use ctxpin_model::diff::effect::{Effect, strongest};
use ctxpin_model::profile::Profile;
use ctxpin_operations::error::Error;
use ctxpin_operations::instructions::{self, OnDemand};
use ctxpin_testing::chats::TestChat;
use ctxpin_testing::databases::TestService;
use ctxpin_testing::people::{TestAgent, member};
use ctxpin_testing::workspace::Workspace;

use crate::scene::{Scene, agents_md, refusal};

ctxpin_testing::on_both_databases!(
    a_file_brings_what_is_for_it,
    it_comes_in_the_form_of_the_tool,
    a_skill_with_paths_comes_with_a_file_that_they_match,
    the_pin_gives_it_and_not_the_head,
    an_unpinned_chat_gives_nothing,
    a_path_outside_of_the_workspace_is_refused,
    only_the_owner_reads_it,
    a_change_of_it_keeps_the_prompt,
);

async fn read(chat: &TestChat, path: &str) -> Result<Option<OnDemand>, Error> {
    instructions::on_demand(&chat.service, chat.owner, chat.id, path).await
}

/// Returns the sources of what comes with a file, without the working directory.
async fn sources(chat: &TestChat, path: &str) -> Vec<String> {
    let found = read(chat, path).await.unwrap().expect("a pin");
    let sources = found.given.into_iter();
    let sources = sources.map(|given| given.file.source.trim_start_matches("/w/").to_owned());
    sources.collect()
}

fn texts(found: &OnDemand) -> Vec<&str> {
    found
        .given
        .iter()
        .map(|given| given.text.as_str())
        .collect()
}

fn workspace() -> Workspace {
    agents_md("Be kind.")
        .file_for("ts.md", "Types. <!-- secret -->\n", "/w", &["src/**/*.ts"])
        .file_for("empty.md", "<!-- nothing -->\n", "/w", &[])
        .file_for("all.md", "For all.\r\n", "/w", &[])
        .at("/w/api")
        .file_for("AGENTS.md", "Inside.\n", "/w/api", &[])
        .at("/w")
}

async fn a_file_brings_what_is_for_it(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&workspace()).await;
    let chat = scene.chat().await;
    let found = read(&chat, "src/a/b.ts").await.unwrap().unwrap();
    assert_eq!(found.path, "/w/src/a/b.ts");
    assert_eq!(Some(found.snapshot), chat.snapshot().await);
    assert_eq!(
        texts(&found),
        [
            "<context-file source=\"/w/ts.md\">\nTypes.\n</context-file>\n",
            "<context-file source=\"/w/all.md\">\nFor all.\n</context-file>\n",
        ]
    );
    for (path, expected) in [
        ("/w/src/b.ts", &["ts.md", "all.md"][..]),
        ("src/../main.rs", &["all.md"]),
        ("api/x.rs", &["all.md", "api/AGENTS.md"]),
        // A file does not bring itself.
        ("api/AGENTS.md", &["all.md"]),
        ("all.md", &[]),
    ] {
        assert_eq!(sources(&chat, path).await, expected, "{path}");
    }
    let prompt = chat.prompt().await;
    assert!(prompt.contains("Be kind.") && !prompt.contains("For all."));
}

async fn it_comes_in_the_form_of_the_tool(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let request = AgentRequest {
        workspace: "project".into(),
        profile: Profile::ClaudeCode,
        ..AgentRequest::default()
    };
    scene.agent = TestAgent::create_from(scene.service, scene.owner, &request).await;
    scene.push(&workspace().claude_code(&[])).await;
    let chat = scene.chat().await;
    let found = read(&chat, "api/src/a.ts").await.unwrap().unwrap();
    assert_eq!(
        texts(&found),
        [
            "Contents of /w/all.md:\n\nFor all.\n",
            "Contents of /w/api/AGENTS.md:\n\nInside.\n",
        ]
    );
    let prompt = chat.prompt().await;
    assert!(prompt.contains("Be kind.") && !prompt.contains("For all."));
}

async fn a_skill_with_paths_comes_with_a_file_that_they_match(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let request = AgentRequest {
        workspace: "project".into(),
        profile: Profile::ClaudeCode,
        ..AgentRequest::default()
    };
    scene.agent = TestAgent::create_from(scene.service, scene.owner, &request).await;
    let workspace = workspace().claude_code(&[]);
    scene
        .push(&workspace.skill_for("ts", "Types", "src/**"))
        .await;
    let chat = scene.chat().await;
    let found = read(&chat, "src/a.rs").await.unwrap().unwrap();
    let texts = texts(&found);
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts[1].contains("ts: Types"), "{texts:?}");
    let applies = found.given[1].file.applies.as_ref().unwrap();
    assert_eq!(applies.globs, ["src"]);
    assert_eq!(sources(&chat, "main.rs").await, ["all.md"]);
    // The prompt has the line from the beginning.
    assert!(chat.prompt().await.contains("ts: Types"));
}

async fn the_pin_gives_it_and_not_the_head(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&workspace()).await;
    let chat = scene.chat().await;
    scene.push(&agents_md("Be kind.")).await;
    assert_eq!(sources(&chat, "a").await, ["all.md"]);
    chat.refresh().await.unwrap();
    assert_eq!(sources(&chat, "a").await, [""; 0]);
}

async fn an_unpinned_chat_gives_nothing(test: &TestService) {
    let scene = Scene::new(test).await;
    let chat = scene.chat().await;
    assert!(read(&chat, "a").await.unwrap().is_none());
    // Only a pin says which paths lie outside.
    assert!(read(&chat, "../a").await.unwrap().is_none());
}

async fn a_path_outside_of_the_workspace_is_refused(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&workspace()).await;
    let chat = scene.chat().await;
    for path in ["../a", "/etc/passwd", "/w2/a"] {
        let refused = read(&chat, path).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "`path`: it is not below /w, the directory of the pin; name a file there"
        );
    }
}

async fn only_the_owner_reads_it(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&workspace()).await;
    let chat = scene.chat().await;
    let stranger = member(scene.service, scene.owner, "stranger").await;
    let read = instructions::on_demand(scene.service, stranger, chat.id, "").await;
    assert_eq!(refusal(read), "not-found");
}

async fn a_change_of_it_keeps_the_prompt(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let rule = |text: &str, globs: &[&str]| agents_md("a").file_for("r.md", text, "/w", globs);
    for (pin, head, effect) in [
        (rule("one", &["a"]), rule("two", &["a"]), Effect::OnDemand),
        (rule("one", &["a"]), rule("one\n", &["a"]), Effect::None),
        (rule("one", &["a"]), rule("one", &["b"]), Effect::OnDemand),
        (rule("one", &["a"]), agents_md("a"), Effect::OnDemand),
        (agents_md("a"), rule("one", &["a"]), Effect::OnDemand),
        (agents_md("a"), rule("<!-- -->", &[]), Effect::None),
        (
            rule("one", &[]),
            agents_md("a").file("r.md", "one"),
            Effect::Prompt,
        ),
        (
            rule("one", &[]).file_for("s.md", "s", "/w", &[]),
            agents_md("a")
                .file_for("s.md", "s", "/w", &[])
                .file_for("r.md", "one", "/w", &[]),
            Effect::OnDemand,
        ),
        (
            rule("one", &[]),
            agents_md("b").file_for("r.md", "two", "/w", &[]),
            Effect::Prompt,
        ),
    ] {
        scene.push(&pin).await;
        let chat = scene.chat().await;
        let before = chat.prompt().await;
        scene.push(&head).await;
        let context = chat.context().await;
        let changes = context.changes();
        let found = strongest(&changes, context.sides());
        assert_eq!(found, effect, "{changes:?}");
        let mut effects = changes.iter().map(|change| change.effect(context.sides()));
        let loses_cache = effects.any(Effect::loses_cache);
        chat.refresh().await.unwrap();
        assert_eq!(chat.prompt().await != before, loses_cache);
    }
}
