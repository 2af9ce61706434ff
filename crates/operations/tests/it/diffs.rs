//! Differences between a pin and a head, with the texts.

use ctxpin_model::access::Refusal;
use ctxpin_model::diff::Verb;
use ctxpin_model::diff::effect::{Effect, strongest};
use ctxpin_model::hash::SnapshotId;
use ctxpin_model::mcp::{Detail, Tool};
use ctxpin_model::resource::{Kind, Resource, ResourceId, Status};
use ctxpin_model::tools_mode::ToolsMode;
use ctxpin_operations::diffs::{self, DiffRequest, DiffView};
use ctxpin_operations::error::Error;
use ctxpin_testing::chats::TestChat;
use ctxpin_testing::databases::TestService;
use ctxpin_testing::people::{member, user};
use ctxpin_testing::workspace::Workspace;

use crate::outcome::Outcome;
use crate::scene::{Scene, agents_md, assert_keeps_nobody_waiting, refusal};

ctxpin_testing::on_both_databases!(
    a_changed_file_is_told_line_by_line,
    an_added_and_a_removed_file_are_told_whole,
    a_moved_file_is_told_by_its_place,
    every_field_that_a_hash_covers_is_told,
    line_ends_are_told_in_words,
    a_change_has_the_effect_that_a_model_sees,
    a_skills_files_follow_it,
    binary_files_are_told_to_differ,
    a_path_is_told_on_one_line,
    a_file_that_became_unusable_is_removed,
    two_of_the_history_are_compared,
    a_rebuilt_workspace_is_compared_by_path,
    a_snapshot_of_another_chat_is_refused,
    without_a_pin_or_a_head_nothing_differs,
    an_auditor_reads_no_diff,
    two_heads_of_a_timeline_are_compared,
    finding_01_two_diffs_keep_nobody_waiting,
    finding_02_a_diff_has_a_bound,
    one_change_is_asked_for_by_its_resource,
);

async fn diff(
    chat: &TestChat,
    from: Option<SnapshotId>,
    to: Option<SnapshotId>,
) -> Result<DiffView, Error> {
    let request = DiffRequest {
        from,
        to,
        with_words: true,
        ..DiffRequest::default()
    };
    diffs::diff(&chat.service, chat.owner, chat.id, request).await
}

/// Returns the verb, the source and the text of every change in an untruncated diff.
fn told(diff: &DiffView) -> Vec<(Verb, String, String)> {
    let changes = diff.changes();
    let told = changes.iter().map(|(change, told)| {
        let Some(difference) = told else {
            panic!("left out: {change:?}");
        };
        (change.verb, change.source().to_owned(), difference.text())
    });
    told.collect()
}

async fn check(
    test: &TestService,
    pin: &Workspace,
    head: &Workspace,
    expected: &[(Verb, &str, &str)],
) {
    let mut scene = Scene::new(test).await;
    scene.push(pin).await;
    let chat = scene.chat().await;
    scene.push(head).await;
    let diff = diff(&chat, None, None).await.unwrap();
    let record = chat.record().await;
    assert_eq!(diff.pinned(), record.pin.map(|pin| pin.pin.snapshot));
    assert_eq!(diff.head(), record.head.map(|head| head.snapshot));
    let told = told(&diff);
    let told: Vec<_> = told
        .iter()
        .map(|(verb, source, text)| (*verb, source.as_str(), text.as_str()))
        .collect();
    assert_eq!(told, expected);
}

async fn a_changed_file_is_told_line_by_line(test: &TestService) {
    let text = "--- /w/AGENTS.md\n+++ /w/AGENTS.md\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n";
    let expected = [(Verb::Modified, "/w/AGENTS.md", text)];
    check(
        test,
        &agents_md("a\nb\nc\n"),
        &agents_md("a\nB\nc\n"),
        &expected,
    )
    .await;
}

async fn an_added_and_a_removed_file_are_told_whole(test: &TestService) {
    let pin = Workspace::new("/w").file("old.md", "o\n");
    let head = Workspace::new("/w").file("new.md", "n\n");
    let added = "--- /dev/null\n+++ /w/new.md\n@@ -0,0 +1 @@\n+n\n";
    let removed = "--- /w/old.md\n+++ /dev/null\n@@ -1 +0,0 @@\n-o\n";
    let expected = [
        (Verb::Added, "/w/new.md", added),
        (Verb::Removed, "/w/old.md", removed),
    ];
    check(test, &pin, &head, &expected).await;
}

async fn a_moved_file_is_told_by_its_place(test: &TestService) {
    let files = |a: &str, b: &str| Workspace::new("/w").file(a, a).file(b, b);
    let mut scene = Scene::new(test).await;
    scene.push(&files("a.md", "b.md")).await;
    let chat = scene.chat().await;
    scene.push(&files("b.md", "a.md")).await;
    let told = told(&diff(&chat, None, None).await.unwrap());
    assert_eq!(told.len(), 1, "one of the two has moved");
    let text = "it stands first now; it stood behind /w/a.md\n".to_owned();
    assert_eq!((told[0].0, &told[0].2), (Verb::Moved, &text));
}

/// Two workspaces that differ in one field only, and the text of the diff.
type Field = (Workspace, Workspace, &'static str);

fn with_skill(skill: impl FnOnce(&mut Resource)) -> Workspace {
    let workspace = Workspace::new("/w").skill("s", "d", &[("run.sh", "r\n"), ("empty", "")]);
    let mut resource = workspace.snapshot().resources.remove(0);
    skill(&mut resource);
    workspace.resource(resource)
}

fn with_tool(tool: Tool) -> Workspace {
    let mut resource = Resource::new(Kind::McpServer, "git", Status::Ok);
    resource.detail = Some(Detail::Tools(vec![tool]));
    agents_md("x\n").resource(resource)
}

/// Returns every field that the context hash or the tools hash covers.
fn fields() -> Vec<Field> {
    let empty = || Workspace::new("/w");
    let file = |path: &str, text: &str| Workspace::new("/w").file(path, text);
    let tool = || Tool {
        name: "log".into(),
        description: None,
        input_schema: serde_json::Map::new(),
    };
    vec![
        (
            agents_md("x\n"),
            agents_md("x\n").os("plan9"),
            "the operating system is `plan9` now; it was `linux`\n",
        ),
        (
            Workspace::new("/a"),
            Workspace::new("/b"),
            "the working directory is `/b` now; it was `/a`\n",
        ),
        (file("a.md", "x\n"), file("a.md", "y\n"), "-x\n+y\n"),
        (file("a.md", "x\n"), file("a.md", "x"), "No newline at end"),
        (empty(), file("a.md", ""), "it is new, and empty\n"),
        (file("a.md", ""), empty(), "it is gone, and empty\n"),
        (
            with_skill(|_| {}),
            with_skill(|skill| skill.files[0].executable = true),
            "run.sh is executable now\n",
        ),
        (
            with_skill(|skill| skill.files[0].executable = true),
            with_skill(|_| {}),
            "run.sh is not executable any more\n",
        ),
        (
            with_skill(|_| {}),
            with_skill(|skill| skill.files[1].path = "void".into()),
            "void is new, and empty\nempty is gone, and empty\n",
        ),
        (
            with_skill(|skill| drop(skill.files.remove(1))),
            with_skill(|skill| skill.files[1].executable = true),
            "empty is new, and empty and executable\n",
        ),
        (
            with_skill(|skill| drop(skill.files.remove(0))),
            with_skill(|skill| skill.files[0].executable = true),
            "run.sh is new, and executable\n",
        ),
        (
            agents_md("x\n").mcp_config("{}"),
            agents_md("x\n").mcp_config("{ }"),
            "the hash of its bytes is ",
        ),
        (
            agents_md("x\n"),
            agents_md("x\n").server("git", &["log"]),
            "+++ git\n",
        ),
        (
            with_tool(tool()),
            with_tool(Tool {
                description: Some("Shows the log.".into()),
                ..tool()
            }),
            "+      \"description\": \"Shows the log.\"",
        ),
        (
            with_tool(tool()),
            with_tool(Tool {
                name: "show".into(),
                ..tool()
            }),
            "+      \"name\": \"show\"",
        ),
        (
            with_tool(tool()),
            with_tool(Tool {
                input_schema: serde_json::Map::from_iter([("type".into(), "object".into())]),
                ..tool()
            }),
            "+        \"type\": \"object\"",
        ),
    ]
}

async fn every_field_that_a_hash_covers_is_told(test: &TestService) {
    let mut scene = Scene::new(test).await;
    for (pin, head, expected) in fields() {
        scene.push(&pin).await;
        let chat = scene.chat().await;
        chat.tools(ToolsMode::Pinned).await.unwrap();
        scene.push(&head).await;
        let told = told(&diff(&chat, None, None).await.unwrap());
        let [(_, source, text)] = told.as_slice() else {
            panic!("one change with a text: {told:?}");
        };
        assert!(text.contains(expected), "{source}: {text}");
    }
}

async fn line_ends_are_told_in_words(test: &TestService) {
    let mut scene = Scene::new(test).await;
    for (before, after, ends) in [
        ("a\nb\n", "a\r\nb\r\n", "they were LF and are CRLF now"),
        ("a\r\nb\r\n", "a\nb\r\n", "they were CRLF and are mixed now"),
        ("a\nb\r\n", "a\nb\n", "they were mixed and are LF now"),
    ] {
        scene.push(&agents_md(before)).await;
        let chat = scene.chat().await;
        scene.push(&agents_md(after)).await;
        let told = told(&diff(&chat, None, None).await.unwrap());
        let text = told[0].2.as_str();
        assert!(
            text.starts_with(&format!("only line ends differ: {ends}\n")),
            "{text}"
        );
    }
}

async fn a_change_has_the_effect_that_a_model_sees(test: &TestService) {
    let skill = |files: &[(&str, &str)]| Workspace::new("/w").skill("s", "d", files);
    let mut scene = Scene::new(test).await;
    for (pin, head, effect) in [
        (agents_md("a\nb\n"), agents_md("a\nc\n"), Effect::Prompt),
        (agents_md("a\nb\n"), agents_md("a\r\nb\r\n"), Effect::None),
        (agents_md("a\n"), agents_md("a"), Effect::None),
        (agents_md("a\n"), agents_md("a\n\n\n"), Effect::None),
        (agents_md("a\n"), agents_md("a\n<!-- b -->\n"), Effect::None),
        (
            agents_md("a\n"),
            agents_md("a\n`<!-- b -->`\n"),
            Effect::Prompt,
        ),
        (agents_md("a\n"), agents_md("a\u{202e}\n"), Effect::None),
        (
            agents_md("a\n"),
            agents_md("a\n").file("b.md", ""),
            Effect::None,
        ),
        (
            agents_md("a\n"),
            agents_md("a\n").file("b.md", "<!-- -->\n"),
            Effect::None,
        ),
        (
            agents_md("a\n"),
            agents_md("a\n").file("b.md", "b"),
            Effect::Prompt,
        ),
        (skill(&[]), skill(&[("a", "a")]), Effect::Skill),
        (
            skill(&[("a", "a\n")]),
            skill(&[("a", "a\r\n")]),
            Effect::Skill,
        ),
        (
            with_skill(|_| {}),
            with_skill(|s| s.files[0].executable = true),
            Effect::Skill,
        ),
        (
            agents_md("a").server("s", &[]),
            agents_md("a").server("s", &["t"]),
            Effect::Tools,
        ),
    ] {
        scene.push(&pin).await;
        let chat = scene.chat().await;
        chat.tools(ToolsMode::Pinned).await.unwrap();
        let before = chat.prompt().await;
        scene.push(&head).await;
        let context = chat.context().await;
        let found = strongest(&context.changes(), context.sides());
        assert_eq!(found, effect, "{:?}", context.changes());
        chat.refresh().await.unwrap();
        assert_eq!(chat.prompt().await != before, effect == Effect::Prompt);
    }
}

async fn a_skills_files_follow_it(test: &TestService) {
    let pin =
        Workspace::new("/w").skill("pdf", "Reads.", &[("gone.txt", "g\n"), ("run.sh", "old\n")]);
    let head = Workspace::new("/w").skill(
        "pdf",
        "Reads all.",
        &[("run.sh", "new\n"), ("ref/api.md", "a\n")],
    );
    let directory = "/w/.agents/skills/pdf";
    let text = format!(
        "--- {directory}/SKILL.md\n+++ {directory}/SKILL.md\n@@ -1,5 +1,5 @@\n ---\n name: pdf\n-description: Reads.\n+description: Reads all.\n ---\n # pdf\n\
         --- {directory}/gone.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-g\n\
         --- /dev/null\n+++ {directory}/ref/api.md\n@@ -0,0 +1 @@\n+a\n\
         --- {directory}/run.sh\n+++ {directory}/run.sh\n@@ -1 +1 @@\n-old\n+new\n"
    );
    let source = format!("{directory}/SKILL.md");
    check(test, &pin, &head, &[(Verb::Modified, &source, &text)]).await;
}

async fn binary_files_are_told_to_differ(test: &TestService) {
    let skill =
        |bytes: &[u8]| Workspace::new("/w").skill_of("/w", "pdf", "Reads.", &[("logo.png", bytes)]);
    let logo = "/w/.agents/skills/pdf/logo.png";
    let text = format!("Binary files {logo} and {logo} differ\n");
    let source = "/w/.agents/skills/pdf/SKILL.md";
    let expected = [(Verb::Modified, source, text.as_str())];
    check(
        test,
        &skill(b"\x89PNG\xff"),
        &skill(b"\x89PNG\xfe"),
        &expected,
    )
    .await;
}

async fn a_path_is_told_on_one_line(test: &TestService) {
    let skill = |text: &[u8], image: &[u8]| {
        let files = [("a\n+b\rc", text), ("i\nj", image)];
        Workspace::new("/w").skill_of("/w", "pdf", "Reads.", &files)
    };
    let directory = "/w/.agents/skills/pdf";
    let (text, image) = (
        format!("{directory}/a\\n+b\\rc"),
        format!("{directory}/i\\nj"),
    );
    let expected = format!(
        "--- {text}\n+++ {text}\n@@ -1 +1 @@\n-old\n+new\n\
         Binary files {image} and {image} differ\n"
    );
    let source = format!("{directory}/SKILL.md");
    let expected = [(Verb::Modified, source.as_str(), expected.as_str())];
    let (pin, head) = (skill(b"old\n", b"\xff"), skill(b"new\n", b"\xfe"));
    check(test, &pin, &head, &expected).await;
}

async fn a_file_that_became_unusable_is_removed(test: &TestService) {
    let head = Workspace::new("/w").broken("AGENTS.md", "not UTF-8");
    let text = "--- /w/AGENTS.md\n+++ /dev/null\n@@ -1 +0,0 @@\n-one\n";
    let expected = [(Verb::Removed, "/w/AGENTS.md", text)];
    check(test, &agents_md("one\n"), &head, &expected).await;
}

async fn two_of_the_history_are_compared(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let first = scene.push(&agents_md("one\n")).await.head.unwrap().snapshot;
    let chat = scene.chat().await;
    let second = scene.push(&agents_md("two\n")).await.head.unwrap().snapshot;
    chat.refresh().await.unwrap();
    let third = scene
        .push(&agents_md("three\n"))
        .await
        .head
        .unwrap()
        .snapshot;
    for (from, to, removed, added) in [
        (Some(first), Some(second), "-one", "+two"),
        (Some(second), Some(first), "-two", "+one"),
        (Some(first), None, "-one", "+three"),
        (Some(first), Some(third), "-one", "+three"),
        (None, Some(first), "-two", "+one"),
        (None, None, "-two", "+three"),
    ] {
        let diff = diff(&chat, from, to).await.unwrap();
        let text = &told(&diff)[0].2;
        assert!(text.contains(removed) && text.contains(added), "{text}");
    }
}

async fn a_rebuilt_workspace_is_compared_by_path(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let first = scene
        .push(&agents_md("one\n").file("b.md", "b\n"))
        .await
        .head
        .unwrap()
        .snapshot;
    let chat = scene.chat().await;
    let mut other = scene.other_agent().await;
    let rebuilt = Workspace::with_agents_md("/x", "two\n").file("b.md", "b\n");
    other.push(scene.service, &rebuilt).await.unwrap();
    chat.bind(Some(other.id)).await.unwrap();
    let told = told(&diff(&chat, Some(first), None).await.unwrap());
    let verbs: Vec<_> = told
        .iter()
        .map(|(verb, source, _)| (*verb, source.as_str()))
        .collect();
    let expected = [
        (Verb::Modified, ""),
        (Verb::Modified, "/x/AGENTS.md"),
        (Verb::Modified, "/x/b.md"),
    ];
    assert_eq!(verbs, expected);
    let text = told[1].2.as_str();
    assert!(text.contains("-one\n+two\n"), "{text}");
    // The same bytes are at another path. That is a change, but the texts are equal.
    let text = told[2].2.as_str();
    assert!(!text.contains("-b\n"), "{text}");
}

async fn a_snapshot_of_another_chat_is_refused(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let first = scene.push(&agents_md("one")).await.head.unwrap().snapshot;
    let earlier = scene.chat().await;
    scene.push(&agents_md("two")).await;
    let chat = scene.chat().await;
    for (from, to) in [(Some(first), None), (None, Some(first))] {
        assert_eq!(refusal(diff(&chat, from, to).await), "invalid");
        assert!(diff(&earlier, from, to).await.is_ok());
    }
    let unknown = SnapshotId::of(b"nothing");
    assert_eq!(refusal(diff(&chat, Some(unknown), None).await), "invalid");
}

async fn without_a_pin_or_a_head_nothing_differs(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    scene.push(&agents_md("two")).await;
    chat.bind(None).await.unwrap();
    assert!(diff(&chat, None, None).await.unwrap().changes().is_empty());
    chat.bind(Some(scene.agent.id)).await.unwrap();
    chat.clear().await.unwrap();
    assert!(diff(&chat, None, None).await.unwrap().changes().is_empty());
}

async fn an_auditor_reads_no_diff(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    let (_, auditor) = user(scene.service, scene.owner, "auditor", "auditor", "read").await;
    let theirs = TestChat {
        owner: auditor,
        ..chat
    };
    assert_ne!(refusal(diff(&theirs, None, None).await), "invalid");
    let context = theirs.context().await;
    assert!(!context.tells_bodies);
}

async fn two_heads_of_a_timeline_are_compared(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let mut heads = Vec::new();
    for text in ["one\n", "two\n", "three\n"] {
        heads.push(scene.push(&agents_md(text)).await.head.unwrap().snapshot);
    }
    let (service, owner) = (scene.service, scene.owner);
    let mut other = scene.other_agent().await;
    let others = other.push(service, &agents_md("four\n")).await.unwrap();
    let compare = async |caller, from, to| {
        let request = DiffRequest {
            from: Some(from),
            to: Some(to),
            ..DiffRequest::default()
        };
        diffs::of_heads(service, caller, scene.agent.id, request).await
    };
    let diff = compare(owner, heads[0], heads[1]).await.unwrap();
    assert_eq!(diff.pinned(), Some(heads[0]));
    assert_eq!(diff.head(), Some(heads[1]));
    assert_eq!(diff.directory(), Some("/w"));
    let text = "--- /w/AGENTS.md\n+++ /w/AGENTS.md\n@@ -1 +1 @@\n-one\n+two\n".to_owned();
    let expected = (Verb::Modified, "/w/AGENTS.md".to_owned(), text);
    assert_eq!(told(&diff), [expected]);
    let same = compare(owner, heads[2], heads[2]).await.unwrap();
    assert!(same.changes().is_empty());
    let foreign = compare(owner, heads[0], others.head.unwrap().snapshot).await;
    assert_eq!(refusal(foreign), "invalid");

    let (_, auditor) = user(service, owner, "auditor", "auditor", "read").await;
    let refused = compare(auditor, heads[0], heads[1]).await;
    let refused = Outcome::of(&refused);
    assert_eq!(refused, Outcome::Forbidden(Refusal::NotOwner));
    let stranger = member(service, owner, "stranger").await;
    let refused = compare(stranger, heads[0], heads[1]).await;
    assert_eq!(Outcome::of(&refused), Outcome::NotFound);
}

/// Returns a workspace with a skill of `count` files.
fn skill_of_files(count: usize, text: impl Fn(usize) -> String) -> Workspace {
    let files: Vec<_> = (0..count)
        .map(|index| (format!("{index:03}.txt"), text(index)))
        .collect();
    let files: Vec<_> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    Workspace::new("/w").skill("large", "Has large files.", &files)
}

/// Pushes 48 files of 256 KiB twice, with every line changed: far more than one response reads.
async fn large(scene: &mut Scene<'_>) -> TestChat {
    let lines = |side: usize| {
        move |file: usize| -> String {
            let lines = (0..8 * 1024).map(|line| (line * 7919 + file * 31 + side) % 100_003);
            lines.map(|number| format!("{number:031}\n")).collect()
        }
    };
    scene.push(&skill_of_files(48, lines(1))).await;
    let chat = scene.chat().await;
    scene.push(&skill_of_files(48, lines(2))).await;
    chat
}

async fn finding_01_two_diffs_keep_nobody_waiting(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let chat = std::sync::Arc::new(large(&mut scene).await);
    let diffs = assert_keeps_nobody_waiting(&scene, || {
        let chat = chat.clone();
        async move { diff(&chat, None, None).await }
    })
    .await;
    for diff in diffs {
        assert_eq!(diff.unwrap().changes().len(), 1);
    }
}

/// Returns the approximate length of a response, as the operation counts it.
fn bytes(diff: &DiffView) -> u64 {
    let changes = diff.changes();
    let told = changes
        .iter()
        .filter_map(|(_, told)| told.map(|difference| difference.bytes()));
    told.sum()
}

async fn finding_02_a_diff_has_a_bound(test: &TestService) {
    let mut scene = Scene::new(test).await;
    // JSON writes this byte as six.
    let control = |byte: char| move |_: usize| byte.to_string().repeat(256 * 1024);
    scene.push(&skill_of_files(16, control('\u{1}'))).await;
    let chat = scene.chat().await;
    let head = skill_of_files(16, control('\u{2}')).file("AGENTS.md", "Short.\n");
    scene.push(&head).await;
    let whole = diff(&chat, None, None).await.unwrap();
    let changes = whole.changes();
    let [(short, Some(_)), (skill, None)] = changes[..] else {
        panic!("what is short is told, what is long is asked for: {changes:?}");
    };
    assert_eq!(short.source(), "/w/AGENTS.md");
    assert!(bytes(&whole) < 1024 * 1024);
    let request = DiffRequest {
        resource: skill.head.map(Resource::id),
        ..DiffRequest::default()
    };
    let alone = diffs::diff(&chat.service, chat.owner, chat.id, request).await;
    let alone = alone.unwrap();
    let changes = alone.changes();
    let [(_, Some(difference))] = changes[..] else {
        panic!("one is told as far as it goes: {changes:?}");
    };
    assert!(bytes(&alone) < 8 * 1024 * 1024);
    let text = difference.text();
    assert!(text.contains("-\u{1}\u{1}"), "some files are compared");
    let past = "015.txt are too large to compare here (262144 bytes, sha256:";
    assert!(text.contains(past), "of the others the size is told");
}

async fn one_change_is_asked_for_by_its_resource(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let pin = agents_md("one\n").file("a.md", "a\n");
    scene.push(&pin).await;
    let chat = scene.chat().await;
    scene.push(&agents_md("two\n").file("b.md", "b\n")).await;
    let of = |path: &str| DiffRequest {
        resource: Some(ResourceId::of(Kind::InstructionFile, path)),
        ..DiffRequest::default()
    };
    for (path, expected) in [
        ("/w/AGENTS.md", "modified /w/AGENTS.md"),
        ("/w/a.md", "removed /w/a.md"),
        ("/w/b.md", "added /w/b.md"),
        ("/w/c.md", ""),
    ] {
        let diff = diffs::diff(&chat.service, chat.owner, chat.id, of(path)).await;
        let told = told(&diff.unwrap());
        let told = told
            .iter()
            .map(|(verb, source, _)| format!("{verb} {source}"));
        assert_eq!(told.collect::<Vec<_>>().join(", "), expected);
    }
}
