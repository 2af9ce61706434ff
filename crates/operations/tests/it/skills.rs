//! Skills and single resources, read from the pin.

use ctxpin_model::hash::BlobHash;
use ctxpin_model::resource::{Content, Kind, Resource, ResourceId, SkillFile, Status};
use ctxpin_operations::skills::{self, Reader};
use ctxpin_operations::{agents, contexts};
use ctxpin_testing::chats::TestChat;
use ctxpin_testing::databases::TestService;
use ctxpin_testing::people::{member, user};
use ctxpin_testing::workspace::Workspace;

use crate::scene::{Scene, agents_md, refusal};

ctxpin_testing::on_both_databases!(
    skills_are_listed_from_the_pin,
    a_skill_is_sanitised_for_a_model_and_raw_for_a_person,
    a_file_comes_from_the_pin_after_the_head_changed,
    a_file_without_body_is_refused,
    what_is_not_there_is_not_found,
    skills_outlive_their_agent,
    a_resource_is_read_with_its_text,
    a_resource_without_body_is_told_without,
    bodies_are_for_their_owner,
);

async fn skills_are_listed_from_the_pin(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let pin = agents_md("one")
        .skill("pdf", "Reads.", &[("run.sh", "true")])
        .skill("lint", "Lints.", &[]);
    scene.push(&pin).await;
    let chat = scene.chat().await;
    scene
        .push(&agents_md("one").skill("other", "New.", &[]))
        .await;
    let listed = skills::list(scene.service, scene.owner, chat.id)
        .await
        .unwrap();
    let names: Vec<_> = listed
        .iter()
        .filter_map(|skill| skill.name.as_deref())
        .collect();
    assert_eq!(names, ["pdf", "lint"]);
    assert_eq!(listed[0].files[0].path, "run.sh");
    chat.clear().await.unwrap();
    assert!(
        skills::list(scene.service, scene.owner, chat.id)
            .await
            .unwrap()
            .is_empty()
    );
}

async fn a_skill_is_sanitised_for_a_model_and_raw_for_a_person(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let pin = Workspace::new("/w").skill("pdf", "Reads.\u{200B} <!-- and more -->", &[]);
    scene.push(&pin).await;
    let chat = scene.chat().await;
    let read =
        async |reader| skills::read(scene.service, scene.owner, chat.id, "pdf", reader).await;
    let raw = read(Reader::Person).await.unwrap();
    assert_eq!(
        raw.body,
        "---\nname: pdf\ndescription: Reads.\u{200B} <!-- and more -->\n---\n# pdf\n"
    );
    assert_eq!(raw.skill.source, "/w/.agents/skills/pdf/SKILL.md");
    let sanitised = read(Reader::Model).await.unwrap().body;
    assert_eq!(
        sanitised,
        "---\nname: pdf\ndescription: Reads. <!-- and more -->\n---\n# pdf\n"
    );
}

async fn a_file_comes_from_the_pin_after_the_head_changed(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let skill =
        |bytes: &[u8]| Workspace::new("/w").skill_of("/w", "pdf", "Reads.", &[("bin/run", bytes)]);
    scene.push(&skill(b"\0old\xff")).await;
    let chat = scene.chat().await;
    scene.push(&skill(b"new")).await;
    let file = async || skills::file(scene.service, scene.owner, chat.id, "pdf", "bin/run").await;
    let old = file().await.unwrap();
    assert_eq!(&old.bytes[..], b"\0old\xff");
    assert_eq!(old.hash, BlobHash::of(b"\0old\xff"));
    chat.refresh().await.unwrap();
    assert_eq!(&file().await.unwrap().bytes[..], b"new");
}

async fn a_file_without_body_is_refused(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let workspace = Workspace::new("/w").skill("pdf", "Reads.", &[]);
    let mut skill = workspace.snapshot().resources.remove(0);
    skill.files.push(SkillFile {
        path: "huge.bin".into(),
        content: Some(Content::Claimed(BlobHash::of(b"huge"))),
        size: 1 << 30,
        executable: false,
        error: Some("larger than 512 KiB".into()),
    });
    scene.push(&workspace.resource(skill)).await;
    let chat = scene.chat().await;
    let file = skills::file(scene.service, scene.owner, chat.id, "pdf", "huge.bin").await;
    let error = file.unwrap_err().to_string();
    assert!(
        error.contains("huge.bin") && error.contains("512 KiB"),
        "{error}"
    );
    let listed = skills::list(scene.service, scene.owner, chat.id)
        .await
        .unwrap();
    assert_eq!(
        listed[0].files[0].error.as_deref(),
        Some("larger than 512 KiB")
    );
}

async fn what_is_not_there_is_not_found(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let mut invalid = Resource::new(
        Kind::Skill,
        "/w/.agents/skills/bad/SKILL.md",
        Status::Invalid,
    );
    invalid.error = Some("no description".into());
    invalid.name = Some("bad".into());
    scene
        .push(
            &Workspace::new("/w")
                .skill("pdf", "Reads.", &[("a", "a")])
                .resource(invalid),
        )
        .await;
    let chat = scene.chat().await;
    for (name, path) in [
        ("pdf", "b"),
        ("pdf", "../a"),
        ("pdf", ""),
        ("bad", "a"),
        ("none", "a"),
    ] {
        let file = skills::file(scene.service, scene.owner, chat.id, name, path).await;
        assert_eq!(refusal(file), "not-found");
    }
    for name in ["bad", "none", ""] {
        let skill = skills::read(scene.service, scene.owner, chat.id, name, Reader::Model).await;
        assert_eq!(refusal(skill), "not-found");
    }
    chat.clear().await.unwrap();
    let skill = skills::read(scene.service, scene.owner, chat.id, "pdf", Reader::Model).await;
    assert_eq!(refusal(skill), "not-found");
}

async fn skills_outlive_their_agent(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene
        .push(
            &Workspace::new("/w")
                .skill("pdf", "Reads.", &[("a", "bytes")])
                .server("git", &["log"]),
        )
        .await;
    let chat = scene.chat().await;
    agents::delete(scene.service, scene.owner, scene.agent.id)
        .await
        .unwrap();
    let file = skills::file(scene.service, scene.owner, chat.id, "pdf", "a")
        .await
        .unwrap();
    assert_eq!(&file.bytes[..], b"bytes");
    let tools = skills::tools(scene.service, scene.owner, chat.id)
        .await
        .unwrap();
    assert_eq!(tools.offered[0].name, "git__log");
}

async fn a_resource_is_read_with_its_text(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("<!-- raw --> one\r\n")).await;
    let chat = scene.chat().await;
    scene.push(&agents_md("two").file("new.md", "new")).await;
    let read = async |path: &str| {
        let id = ResourceId::of(Kind::InstructionFile, path);
        contexts::resource(scene.service, scene.owner, chat.id, id).await
    };
    let resource = read("/w/AGENTS.md").await.unwrap();
    assert_eq!(resource.body.as_deref(), Some("<!-- raw --> one\r\n"));
    assert_eq!(resource.resource.size, 18);
    assert_eq!(refusal(read("/w/new.md").await), "not-found");
    chat.refresh().await.unwrap();
    assert_eq!(
        read("/w/new.md").await.unwrap().body.as_deref(),
        Some("new")
    );
    chat.clear().await.unwrap();
    assert_eq!(refusal(read("/w/AGENTS.md").await), "not-found");
}

async fn a_resource_without_body_is_told_without(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene
        .push(
            &agents_md("one")
                .broken("b.md", "not UTF-8")
                .mcp_config("{\"token\": \"secret\"}"),
        )
        .await;
    let chat = scene.chat().await;
    for (kind, source) in [
        (Kind::InstructionFile, "/w/b.md"),
        (Kind::McpConfig, "/w/.mcp.json"),
    ] {
        let id = ResourceId::of(kind, source);
        let read = contexts::resource(scene.service, scene.owner, chat.id, id)
            .await
            .unwrap();
        assert_eq!(read.body, None);
        assert_eq!(read.resource.source, source);
    }
}

async fn bodies_are_for_their_owner(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene
        .push(&agents_md("one").skill("pdf", "Reads.", &[("a", "a")]))
        .await;
    let chat = scene.chat().await;
    let stranger = member(scene.service, scene.owner, "stranger").await;
    let (_, auditor) = user(scene.service, scene.owner, "auditor", "auditor", "read").await;
    for other in [stranger, auditor] {
        let theirs = TestChat {
            owner: other,
            ..chat.clone()
        };
        let id = ResourceId::of(Kind::InstructionFile, "/w/AGENTS.md");
        let refusals = [
            refusal(skills::list(&theirs.service, other, chat.id).await),
            refusal(skills::read(&theirs.service, other, chat.id, "pdf", Reader::Person).await),
            refusal(skills::file(&theirs.service, other, chat.id, "pdf", "a").await),
            refusal(skills::tools(&theirs.service, other, chat.id).await),
            refusal(contexts::resource(&theirs.service, other, chat.id, id).await),
        ];
        let expected = if other == auditor {
            "forbidden"
        } else {
            "not-found"
        };
        assert_eq!(refusals, [expected; 5]);
    }
}
