//! Possession: a hash alone gives no access. A push may name without bytes only what its agent has
//! proved to have, and a claimed hash lets nobody read the bytes.

use std::collections::BTreeSet;
use std::time::Duration;

use ctxpin_model::hash::BlobHash;
use ctxpin_model::push::{PushOutcome, Verdict};
use ctxpin_model::resource::{Bodies, Content, Kind, Resource, SkillFile, Status};
use ctxpin_model::snapshot::Snapshot;
use ctxpin_model::token::Credential;
use ctxpin_operations::diffs::{self, DiffRequest};
use ctxpin_operations::error::{Error, Result};
use ctxpin_operations::pushes;
use ctxpin_operations::service::Service;
use ctxpin_operations::{contexts, exposures, prompts, skills};
use ctxpin_testing::databases::TestService;
use ctxpin_testing::people::{TestAgent, chat, first_admin, member};
use ctxpin_testing::workspace::Workspace;

ctxpin_testing::on_both_databases!(
    missing_bytes_are_named_exactly,
    what_is_not_used_needs_no_bytes,
    bytes_of_the_own_head_can_be_named_anywhere,
    bytes_of_another_agent_cannot_be_named,
    a_claimed_hash_proves_nothing,
    bytes_of_an_older_head_are_not_proved_any_more,
    bytes_sent_ahead_can_be_named,
    bytes_that_another_agent_sent_ahead_cannot_be_named,
    bytes_sent_ahead_are_proved_for_an_hour,
    bytes_sent_ahead_are_used_once,
    finding_06_no_more_is_sent_ahead_than_a_snapshot_names,
    sixty_four_mebibytes_can_wait_for_a_push,
    a_file_that_is_too_large_is_not_taken_ahead,
    bytes_under_a_wrong_hash_are_refused_and_not_stored,
    a_claimed_hash_opens_nothing_to_the_owner_of_a_chat,
);

const SECRET: &str = "The secret of somebody else.\n";

fn hash(text: &str) -> BlobHash {
    BlobHash::of(text.as_bytes())
}

fn missing(result: Result<PushOutcome>) -> BTreeSet<BlobHash> {
    match result {
        Err(Error::MissingBlobs(missing)) => {
            let set: BTreeSet<_> = missing.iter().copied().collect();
            assert_eq!(set.len(), missing.len(), "each is named once");
            set
        }
        other => panic!("nothing is missing: {other:?}"),
    }
}

/// Pushes a workspace with none of its bytes.
async fn push_bare(
    test: &TestService,
    agent: &mut TestAgent,
    workspace: &Workspace,
) -> Result<PushOutcome> {
    let (manifest, _) = workspace.manifest();
    agent.push_as(&test.service, manifest, Bodies::new()).await
}

async fn upload(service: &Service, agent: &TestAgent, text: &str) -> Result<()> {
    let bytes = text.as_bytes().into();
    pushes::blob_upload(service, agent.credential, agent.epoch, hash(text), bytes).await
}

/// Creates an agent of another user, whose head contains [`SECRET`].
async fn victim(test: &TestService, admin: Credential) -> TestAgent {
    let victim = member(&test.service, admin, "victim").await;
    let mut agent = TestAgent::create(&test.service, victim, "theirs").await;
    let workspace = Workspace::with_agents_md("/theirs", SECRET);
    agent.push(&test.service, &workspace).await.unwrap();
    agent
}

async fn missing_bytes_are_named_exactly(test: &TestService) {
    let owner = first_admin(&test.service).await;
    let mut agent = TestAgent::create(&test.service, owner, "project").await;
    let first = Workspace::with_agents_md("/w", "One.\n");
    agent.push(&test.service, &first).await.unwrap();
    upload(&test.service, &agent, "sent ahead").await.unwrap();

    let second = first.file("CLAUDE.md", "Two.\n").skill(
        "pdf",
        "Reads.",
        &[("a", "sent ahead"), ("b", "inline"), ("c", "x"), ("d", "x")],
    );
    let (manifest, all) = second.manifest();
    let inline: Bodies = all
        .into_iter()
        .filter(|(h, _)| *h == hash("inline"))
        .collect();
    let pushed = agent.push_as(&test.service, manifest.clone(), inline).await;

    let skill_md = manifest.find(Kind::Skill, "/w/.agents/skills/pdf/SKILL.md");
    let skill_md = skill_md.unwrap().content.unwrap().hash();
    assert_eq!(
        missing(pushed),
        [hash("Two.\n"), skill_md, hash("x")].into()
    );
    assert_eq!(
        test.count("select count(*) from agent_heads").await,
        1,
        "nothing is written"
    );
    let pushed = agent.push(&test.service, &second).await.unwrap();
    assert_eq!(pushed.verdict, Verdict::Accepted);
}

async fn what_is_not_used_needs_no_bytes(test: &TestService) {
    let owner = first_admin(&test.service).await;
    let mut agent = TestAgent::create(&test.service, owner, "project").await;
    let mut manifest = Snapshot::default();
    for (index, status) in Status::ALL.iter().enumerate().skip(1) {
        for kind in [Kind::InstructionFile, Kind::Skill] {
            let source = format!("/w/skills/{index}/SKILL.md");
            let mut resource = Resource::new(kind, source, *status);
            resource.content = Some(Content::Claimed(hash("never sent")));
            manifest.resources.push(resource);
        }
    }
    let mut config = Resource::new(Kind::McpConfig, "/w/.mcp.json", Status::Ok);
    config.content = Some(Content::Claimed(hash("never sent either")));
    manifest.resources.push(config);
    let pushed = agent
        .push_as(&test.service, manifest, Bodies::new())
        .await
        .unwrap();
    assert_eq!(pushed.verdict, Verdict::Accepted);
    assert_eq!(test.count("select count(*) from blobs").await, 0);
}

async fn bytes_of_the_own_head_can_be_named_anywhere(test: &TestService) {
    let owner = first_admin(&test.service).await;
    let mut agent = TestAgent::create(&test.service, owner, "project").await;
    let files = [("a.txt", "a"), ("b.txt", "b")];
    let first = Workspace::with_agents_md("/w", "One.\n").skill("pdf", "Reads.", &files);
    agent.push(&test.service, &first).await.unwrap();

    // A file under another name, a skill's file as an instruction file and the other way round.
    let moved = Workspace::new("/w")
        .file("CLAUDE.md", "One.\n")
        .file(".cursorrules", "a")
        .skill(
            "pdf",
            "Reads.",
            &[("other/b.txt", "b"), ("one.md", "One.\n")],
        );
    let pushed = push_bare(test, &mut agent, &moved).await.unwrap();
    assert_eq!(pushed.verdict, Verdict::Accepted);
    let own = moved.snapshot().addresses().id;
    assert_eq!(pushed.head.map(|head| head.snapshot), Some(own));
}

async fn bytes_of_another_agent_cannot_be_named(test: &TestService) {
    let admin = first_admin(&test.service).await;
    victim(test, admin).await;
    // Neither a stranger's nor another one of the same owner.
    let mut sibling = TestAgent::create(&test.service, admin, "sibling").await;
    let siblings = Workspace::with_agents_md("/s", "Of the sibling.\n");
    sibling.push(&test.service, &siblings).await.unwrap();
    let mut agent = TestAgent::create(&test.service, admin, "project").await;
    for (text, path) in [(SECRET, "AGENTS.md"), ("Of the sibling.\n", "CLAUDE.md")] {
        let guess = Workspace::new("/w").file(path, text);
        assert_eq!(
            missing(push_bare(test, &mut agent, &guess).await),
            [hash(text)].into()
        );
    }
    // The same holds for a rendered prompt and for the tools of a server.
    let of_server = Workspace::new("/s").server("git", &["log"]);
    sibling.push(&test.service, &of_server).await.unwrap();
    let tools = of_server.snapshot().resources[0].detail.clone().unwrap();
    let tools = String::from_utf8(tools.canonical_json()).unwrap();
    let guess = Workspace::with_agents_md("/w", &tools);
    assert_eq!(
        missing(push_bare(test, &mut agent, &guess).await),
        [hash(&tools)].into()
    );
    assert_eq!(
        missing(push_bare(test, &mut sibling, &guess).await),
        [hash(&tools)].into(),
        "tools of the own head are no files of it"
    );
}

/// Returns a manifest that claims a hash wherever no bytes are needed.
fn claims_of(claimed: BlobHash) -> Snapshot {
    let mut large = Resource::new(Kind::InstructionFile, "/w/AGENTS.md", Status::Oversize);
    large.error = Some("larger than 64 KiB".into());
    let mut invalid = Resource::new(Kind::Skill, "/w/skills/bad/SKILL.md", Status::Invalid);
    invalid.error = Some("no frontmatter".into());
    let file = SkillFile {
        path: "large.bin".into(),
        content: Some(Content::Claimed(claimed)),
        size: 1_000_000,
        executable: false,
        error: None,
    };
    invalid.files.push(file.clone());
    let config = Resource::new(Kind::McpConfig, "/w/.mcp.json", Status::Ok);
    let (mut manifest, _) = Workspace::new("/w").skill("pdf", "Reads.", &[]).manifest();
    manifest.resources[0].files.push(SkillFile {
        error: Some("larger than 512 KiB".into()),
        ..file
    });
    for mut resource in [large, invalid, config] {
        resource.content = Some(Content::Claimed(claimed));
        manifest.resources.push(resource);
    }
    manifest
}

async fn a_claimed_hash_proves_nothing(test: &TestService) {
    let admin = first_admin(&test.service).await;
    victim(test, admin).await;
    let mut agent = TestAgent::create(&test.service, admin, "project").await;
    let (_, inline) = Workspace::new("/w").skill("pdf", "Reads.", &[]).manifest();
    let pushed = agent
        .push_as(&test.service, claims_of(hash(SECRET)), inline)
        .await;
    assert_eq!(pushed.unwrap().verdict, Verdict::Accepted);
    let guess = Workspace::with_agents_md("/w", SECRET);
    assert_eq!(
        missing(push_bare(test, &mut agent, &guess).await),
        [hash(SECRET)].into()
    );
    let guess = Workspace::new("/w").skill("pdf", "Reads.", &[("x", SECRET)]);
    assert_eq!(
        missing(push_bare(test, &mut agent, &guess).await),
        [hash(SECRET)].into()
    );
}

async fn bytes_of_an_older_head_are_not_proved_any_more(test: &TestService) {
    let owner = first_admin(&test.service).await;
    let mut agent = TestAgent::create(&test.service, owner, "project").await;
    let first = Workspace::with_agents_md("/w", "One.\n");
    let second = Workspace::with_agents_md("/w", "Two.\n");
    agent.push(&test.service, &first).await.unwrap();
    agent.push(&test.service, &second).await.unwrap();
    let back = push_bare(test, &mut agent, &first).await;
    assert_eq!(missing(back), [hash("One.\n")].into());
    // What the agent has proved holds for a new process too.
    agent.restart(&test.service).await;
    let same = push_bare(test, &mut agent, &second).await.unwrap();
    assert_eq!(same.verdict, Verdict::Unchanged);
}

async fn bytes_sent_ahead_can_be_named(test: &TestService) {
    let owner = first_admin(&test.service).await;
    let mut agent = TestAgent::create(&test.service, owner, "project").await;
    let workspace = Workspace::with_agents_md("/w", "One.\n").skill("pdf", "Reads.", &[("a", "a")]);
    let (manifest, bodies) = workspace.manifest();
    for (claimed, bytes) in bodies {
        let sent = pushes::blob_upload(&test.service, agent.credential, 1, claimed, bytes).await;
        sent.unwrap();
    }
    let pushed = agent
        .push_as(&test.service, manifest, Bodies::new())
        .await
        .unwrap();
    let own = workspace.snapshot().addresses().id;
    assert_eq!(pushed.head.map(|head| head.snapshot), Some(own));
}

async fn bytes_that_another_agent_sent_ahead_cannot_be_named(test: &TestService) {
    let owner = first_admin(&test.service).await;
    let mut agent = TestAgent::create(&test.service, owner, "project").await;
    let other = TestAgent::create(&test.service, owner, "other").await;
    upload(&test.service, &other, "One.\n").await.unwrap();
    let workspace = Workspace::with_agents_md("/w", "One.\n");
    let pushed = push_bare(test, &mut agent, &workspace).await;
    assert_eq!(missing(pushed), [hash("One.\n")].into());
    // The response to an upload is the same as if the server did not have the bytes.
    upload(&test.service, &agent, "One.\n").await.unwrap();
    let pushed = push_bare(test, &mut agent, &workspace).await.unwrap();
    assert_eq!(pushed.verdict, Verdict::Accepted);
}

async fn finding_06_no_more_is_sent_ahead_than_a_snapshot_names(test: &TestService) {
    let owner = first_admin(&test.service).await;
    let agent = TestAgent::create(&test.service, owner, "project").await;
    upload(&test.service, &agent, "first").await.unwrap();
    // Upload as many blobs as may wait, of one byte each.
    let blobs = match test.sqlite_path() {
        Some(_) => {
            "with recursive n(i) as (select 2 union all select i + 1 from n where i < 8192) \
             insert into blobs (hash, size, bytes) \
             select unhex(printf('%064x', i)), 1, x'00' from n"
        }
        None => {
            "with recursive n(i) as (select 2 union all select i + 1 from n where i < 8192) \
             insert into blobs (hash, size, bytes) \
             select decode(lpad(to_hex(i), 64, '0'), 'hex'), 1, '\\x00' from n"
        }
    };
    let uploads = "insert into agent_uploads (agent_id, hash, uploaded_at, size) \
         select u.agent_id, b.hash, u.uploaded_at, b.size from agent_uploads u, blobs b \
         where b.hash <> u.hash";
    assert_eq!(test.tamper(blobs).await, 8_191);
    assert_eq!(test.tamper(uploads).await, 8_191);
    upload(&test.service, &agent, "first").await.unwrap();
    let refused = upload(&test.service, &agent, "one more").await;
    assert!(matches!(refused, Err(Error::TooLarge(_))), "{refused:?}");
}

async fn bytes_sent_ahead_are_proved_for_an_hour(test: &TestService) {
    let owner = first_admin(&test.service).await;
    let mut agent = TestAgent::create(&test.service, owner, "project").await;
    let workspace = Workspace::with_agents_md("/w", "One.\n");
    upload(&test.service, &agent, "One.\n").await.unwrap();
    upload(&test.service, &agent, "Two.\n").await.unwrap();
    test.advance(Duration::from_secs(59 * 60));
    upload(&test.service, &agent, "Two.\n").await.unwrap();
    test.advance(Duration::from_secs(2 * 60));
    let late = push_bare(test, &mut agent, &workspace).await;
    assert_eq!(missing(late), [hash("One.\n")].into());
    // Another upload of the same bytes restarts the hour.
    let renewed = Workspace::with_agents_md("/w", "Two.\n");
    let pushed = push_bare(test, &mut agent, &renewed).await.unwrap();
    assert_eq!(pushed.verdict, Verdict::Accepted);
}

async fn bytes_sent_ahead_are_used_once(test: &TestService) {
    let owner = first_admin(&test.service).await;
    let mut agent = TestAgent::create(&test.service, owner, "project").await;
    upload(&test.service, &agent, "One.\n").await.unwrap();
    upload(&test.service, &agent, "unused").await.unwrap();
    let first = Workspace::with_agents_md("/w", "One.\n");
    push_bare(test, &mut agent, &first).await.unwrap();
    assert_eq!(test.count("select count(*) from agent_uploads").await, 1);
    let second = Workspace::with_agents_md("/w", "unused");
    push_bare(test, &mut agent, &second).await.unwrap();
    assert_eq!(test.count("select count(*) from agent_uploads").await, 0);
    let back = push_bare(test, &mut agent, &first).await;
    assert_eq!(missing(back), [hash("One.\n")].into());
}

async fn sixty_four_mebibytes_can_wait_for_a_push(test: &TestService) {
    let owner = first_admin(&test.service).await;
    let agent = TestAgent::create(&test.service, owner, "project").await;
    let other = TestAgent::create(&test.service, owner, "other").await;
    upload(&test.service, &agent, "much").await.unwrap();
    // Pretend that the agent has uploaded ten bytes less than the limit.
    let enlarged = test
        .tamper("update agent_uploads set size = 64 * 1024 * 1024 - 10")
        .await;
    assert_eq!(enlarged, 1);

    let refused = upload(&test.service, &agent, "eleven byte").await;
    assert!(matches!(refused, Err(Error::TooLarge(_))), "{refused:?}");
    assert_eq!(test.count("select count(*) from blobs").await, 1);
    upload(&test.service, &agent, "just fits!").await.unwrap();
    // The same bytes need no more room, and another agent has room of its own.
    upload(&test.service, &agent, "just fits!").await.unwrap();
    upload(&test.service, &other, "eleven byte").await.unwrap();
    let refused = upload(&test.service, &agent, "x").await;
    assert!(matches!(refused, Err(Error::TooLarge(_))));
    test.advance(Duration::from_secs(61 * 60));
    upload(&test.service, &agent, "eleven byte").await.unwrap();
}

async fn a_file_that_is_too_large_is_not_taken_ahead(test: &TestService) {
    let owner = first_admin(&test.service).await;
    let agent = TestAgent::create(&test.service, owner, "project").await;
    let largest = "x".repeat(1024 * 1024);
    let refused = upload(&test.service, &agent, &format!("{largest}x")).await;
    assert!(matches!(refused, Err(Error::TooLarge(_))), "{refused:?}");
    assert_eq!(test.count("select count(*) from blobs").await, 0);
    upload(&test.service, &agent, &largest).await.unwrap();
}

async fn bytes_under_a_wrong_hash_are_refused_and_not_stored(test: &TestService) {
    let owner = first_admin(&test.service).await;
    let agent = TestAgent::create(&test.service, owner, "project").await;
    let expected = (hash("claimed"), hash("sent"));
    let bytes = b"sent"[..].into();
    let sent = pushes::blob_upload(&test.service, agent.credential, 1, expected.0, bytes).await;
    match sent {
        Err(Error::HashMismatch { claimed, computed }) => {
            assert_eq!((claimed, computed), expected);
        }
        other => panic!("not refused: {other:?}"),
    }
    assert_eq!(test.count("select count(*) from blobs").await, 0);
    assert_eq!(test.count("select count(*) from agent_heads").await, 0);
}

async fn a_claimed_hash_opens_nothing_to_the_owner_of_a_chat(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    victim(test, admin).await;
    let owner = member(service, admin, "curious").await;
    let mut agent = TestAgent::create(service, owner, "project").await;
    agent.push(service, &Workspace::new("/w")).await.unwrap();
    let before = chat(service, owner, Some(agent.id)).await.id;
    let (_, inline) = Workspace::new("/w").skill("pdf", "Reads.", &[]).manifest();
    let claims = claims_of(hash(SECRET));
    agent
        .push_as(service, claims.clone(), inline)
        .await
        .unwrap();
    let after = chat(service, owner, Some(agent.id)).await.id;

    for resource in &claims.resources {
        let read = contexts::resource(service, owner, after, resource.id())
            .await
            .unwrap();
        assert!(read.body.is_none_or(|body| !body.contains("secret")));
    }
    let file = skills::file(service, owner, after, "pdf", "large.bin").await;
    assert!(matches!(file, Err(Error::Invalid(_))), "{file:?}");
    let bad = skills::read(service, owner, after, "bad", skills::Reader::Person).await;
    assert!(bad.is_err());
    let request = DiffRequest::default();
    let diff = diffs::diff(service, owner, before, request).await.unwrap();
    let changes = diff.changes();
    assert!(!changes.is_empty());
    for (_, told) in &changes {
        let Some(difference) = told else {
            panic!("told whole");
        };
        let text = difference.text();
        assert!(!text.contains("secret"), "{text}");
    }
    let prompt = prompts::prompt(service, owner, after, None).await.unwrap();
    let prompt = String::from_utf8(prompt.bytes.unwrap().to_vec()).unwrap();
    assert!(!prompt.contains("secret"), "{prompt}");
    // The claim does not reveal that somebody has the bytes, and the claimer does not count among them.
    for caller in [owner, admin] {
        let exposure = exposures::read(service, caller, hash(SECRET))
            .await
            .unwrap();
        assert!(exposure.chats.is_empty() && exposure.turns.is_empty());
    }
}
