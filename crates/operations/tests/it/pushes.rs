//! Pushes: which are accepted, and which chats they pin.

use std::time::Duration;

use ctxpin_model::access::ActorRef;
use ctxpin_model::agent::{AgentRecord, Head};
use ctxpin_model::chat::ChatChange;
use ctxpin_model::door::Door;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::history::{HistoryEntry, HistoryRequest};
use ctxpin_model::mcp::{Detail, ServerShape, Tool};
use ctxpin_model::page::PageRequest;
use ctxpin_model::pin::Reason;
use ctxpin_model::push::{Position, Push, PushOutcome, Verdict};
use ctxpin_model::resource::{Content, Kind, Resource, Status};
use ctxpin_model::warning::{Code, Note, Warning};
use ctxpin_operations::chats;
use ctxpin_operations::error::{Error, Result};
use ctxpin_operations::pushes;
use ctxpin_operations::{agents, contexts, history, pins};
use ctxpin_testing::databases::TestService;
use ctxpin_testing::people::{TestAgent, chat, first_admin, member, user};
use ctxpin_testing::workspace::{Workspace, claimed};

ctxpin_testing::on_both_databases!(
    a_first_push_becomes_the_head,
    the_server_computes_the_hashes_that_the_agent_computes,
    unchanged_content_keeps_the_head_and_the_timeline,
    a_push_that_only_seems_to_repeat_the_head_is_accepted,
    a_change_of_settled_alone_is_stored,
    notes_are_replaced_by_each_push_and_told_to_the_owner,
    a_lost_answer_is_given_again,
    a_version_that_is_not_newer_is_not_taken,
    the_timeline_has_no_gap_and_tells_the_newest_first,
    content_that_comes_back_is_the_same_snapshot_at_a_new_place,
    two_agents_share_a_snapshot_of_the_same_content,
    a_push_hydrates_every_chat_without_a_pin_and_no_archived_one,
    a_push_does_not_move_a_pinned_chat,
    a_hydrated_chat_notes_whether_tools_had_settled,
    the_error_of_a_snapshot_is_kept_and_pinned,
    a_paused_server_takes_no_push_and_no_bytes,
);

/// Pushes a workspace with this version.
async fn push_version(
    test: &TestService,
    agent: &TestAgent,
    version: i64,
    mcp_settled: bool,
    workspace: &Workspace,
) -> Result<PushOutcome> {
    let (manifest, inline) = workspace.manifest();
    let push = Push {
        position: Position {
            epoch: agent.epoch,
            version,
        },
        mcp_settled,
        manifest: claimed(&manifest, inline),
        notes: Vec::new(),
    };
    pushes::push(&test.service, agent.credential, push).await
}

async fn agent_and_heads(
    test: &TestService,
    owner: ctxpin_model::token::Credential,
    agent: &TestAgent,
) -> (AgentRecord, Vec<Head>) {
    let record = agents::read(&test.service, owner, agent.id)
        .await
        .unwrap()
        .agent;
    let heads = agents::heads(&test.service, owner, agent.id, &PageRequest::newest(100))
        .await
        .unwrap();
    (record, heads.items)
}

async fn a_first_push_becomes_the_head(test: &TestService) {
    let owner = first_admin(&test.service).await;
    let mut agent = TestAgent::create(&test.service, owner, "project").await;
    let (before, heads) = agent_and_heads(test, owner, &agent).await;
    assert_eq!((before.head, before.version, heads.len()), (None, 0, 0));

    let workspace = Workspace::with_agents_md("/w", "One.\n");
    let pushed = agent.push(&test.service, &workspace).await.unwrap();

    assert_eq!((pushed.verdict, pushed.hydrated), (Verdict::Accepted, 0));
    let (after, heads) = agent_and_heads(test, owner, &agent).await;
    let head = after.head.expect("a head");
    assert_eq!(pushed.head, Some(head));
    assert_eq!(heads, [head]);
    assert_eq!((head.seq, head.received_at), (1, test.clock.now()));
    assert_eq!((after.version, after.mcp_settled), (1, true));
    assert_eq!(after.last_push_at, Some(test.clock.now()));
}

/// Returns a workspace with a resource of every kind, some of which cannot be used.
fn workspace_of_every_kind() -> Workspace {
    let mut config = Resource::new(Kind::McpConfig, "/w/.mcp.json", Status::Ok);
    config.content = Some(Content::Claimed(BlobHash::of(b"{}")));
    config.size = 2;
    config.root = Some("/w".into());
    config.detail = Some(Detail::Shape(vec![ServerShape {
        name: "files".into(),
        transport: "stdio".into(),
        command: Some("npx".into()),
        host: None,
        env: vec!["TOKEN".into()],
        headers: vec![],
    }]));
    let mut server = Resource::new(Kind::McpServer, "files", Status::Ok);
    server.detail = Some(Detail::Tools(vec![Tool {
        name: "read".into(),
        description: Some("Reads a file.".into()),
        input_schema: Default::default(),
    }]));
    let mut large = Resource::new(Kind::InstructionFile, "/w/CLAUDE.md", Status::Oversize);
    large.error = Some("larger than 1 MiB".into());
    large.content = Some(Content::Claimed(BlobHash::of(b"much")));
    large.size = 1_000_000;
    large.root = Some("/w".into());
    let mut dangling = Resource::new(Kind::InstructionFile, "/w/.cursorrules", Status::Unreadable);
    dangling.error = Some("dangling link".into());
    Workspace::with_agents_md("/w", "Grüße.\n")
        .skill(
            "pdf",
            "Reads PDFs.",
            &[
                ("b", "1"),
                ("a/z", "2"),
                ("a-z", "3"),
                ("B", "4"),
                ("ä", "5"),
            ],
        )
        .resource(config)
        .resource(large)
        .resource(dangling)
        .resource(server)
        .error("a cap was reached")
}

async fn the_server_computes_the_hashes_that_the_agent_computes(test: &TestService) {
    let owner = first_admin(&test.service).await;
    let mut agent = TestAgent::create(&test.service, owner, "project").await;
    let workspace = workspace_of_every_kind();
    let own = workspace.snapshot().addresses();

    let head = agent.push(&test.service, &workspace).await.unwrap().head;
    let head = head.expect("a head");
    assert_eq!(head.snapshot, own.id);
    assert_eq!(head.hashes.context, own.context_hash);
    assert_eq!(head.hashes.tools, own.tools_hash);

    // The snapshot reads back as it was pushed, so a repeated push is unchanged.
    let chat = chat(&test.service, owner, Some(agent.id)).await;
    let context = contexts::read(&test.service, owner, chat.id).await.unwrap();
    let pinned = context.pinned.expect("a pin");
    assert_eq!(pinned.addresses(), own);
    assert_eq!(pinned.error, workspace.snapshot().error);
    let again = agent.push(&test.service, &workspace).await.unwrap();
    assert_eq!(again.verdict, Verdict::Unchanged);
}

async fn unchanged_content_keeps_the_head_and_the_timeline(test: &TestService) {
    let owner = first_admin(&test.service).await;
    let mut agent = TestAgent::create(&test.service, owner, "project").await;
    let workspace = Workspace::with_agents_md("/w", "One.\n");
    let first = agent.push(&test.service, &workspace).await.unwrap();
    let pinned = chat(&test.service, owner, Some(agent.id)).await;
    let (_, timeline) = agent_and_heads(test, owner, &agent).await;
    test.advance(Duration::from_secs(60));

    let second = agent.push(&test.service, &workspace).await.unwrap();

    assert_eq!(second.verdict, Verdict::Unchanged);
    assert_eq!((second.head, second.hydrated), (first.head, 0));
    let (after, heads) = agent_and_heads(test, owner, &agent).await;
    assert_eq!(after.version, 2, "the version advances");
    assert_eq!((after.head, heads), (first.head, timeline));
    let chat = chats::read(&test.service, owner, pinned.id).await.unwrap();
    assert_eq!((chat.pin_seq, chat.updated_at), (1, pinned.updated_at));
}

async fn a_push_that_only_seems_to_repeat_the_head_is_accepted(test: &TestService) {
    let owner = first_admin(&test.service).await;
    let mut agent = TestAgent::create(&test.service, owner, "project").await;
    let workspace = Workspace::new("/w").skill("pdf", "Reads PDFs.", &[("run", "1")]);
    agent.push(&test.service, &workspace).await.unwrap();
    let unpinned = chat(&test.service, owner, Some(agent.id)).await;
    pins::pin_clear(&test.service, owner, unpinned.id, None)
        .await
        .unwrap();

    let (mut manifest, inline) = workspace.manifest();
    manifest.resources[0].files[0].executable = true;
    let push = Push {
        position: Position {
            epoch: agent.epoch,
            version: 2,
        },
        mcp_settled: true,
        manifest: claimed(&manifest, inline),
        notes: Vec::new(),
    };
    let pushed = pushes::push(&test.service, agent.credential, push)
        .await
        .unwrap();

    assert_eq!((pushed.verdict, pushed.hydrated), (Verdict::Accepted, 1));
    assert_eq!(pushed.head.map(|head| head.seq), Some(2));
}

async fn a_change_of_settled_alone_is_stored(test: &TestService) {
    let owner = first_admin(&test.service).await;
    let agent = TestAgent::create(&test.service, owner, "project").await;
    let workspace = Workspace::with_agents_md("/w", "One.\n");
    for (version, settled) in [(1, false), (2, true), (3, false)] {
        let pushed = push_version(test, &agent, version, settled, &workspace).await;
        let pushed = pushed.unwrap();
        assert_eq!(pushed.head.map(|head| head.seq), Some(1));
        let (after, heads) = agent_and_heads(test, owner, &agent).await;
        assert_eq!((after.mcp_settled, after.version), (settled, version));
        assert_eq!(heads.len(), 1);
    }
}

async fn notes_are_replaced_by_each_push_and_told_to_the_owner(test: &TestService) {
    let owner = first_admin(&test.service).await;
    let mut agent = TestAgent::create(&test.service, owner, "project").await;
    let note = |detail: &str| Note {
        source: Some("/w/CLAUDE.md".into()),
        warning: Warning::new(Code::ImportMissing).at_line(3).about(detail),
    };
    let workspace = Workspace::with_agents_md("/w", "One.\n");
    // Push notes with a new head and with the same content, and then none at all.
    for (text, notes, seq) in [
        ("One.\n", vec![note("a.md"), note("b.md")], 1),
        ("One.\n", vec![note("b.md")], 1),
        ("Two.\n", vec![note("c.md")], 2),
        ("Two.\n", vec![], 2),
    ] {
        let (manifest, inline) = workspace.clone().file("AGENTS.md", text).manifest();
        agent.version += 1;
        let push = Push {
            position: Position {
                epoch: agent.epoch,
                version: agent.version,
            },
            mcp_settled: true,
            manifest: claimed(&manifest, inline),
            notes: notes.clone(),
        };
        let pushed = pushes::push(&test.service, agent.credential, push)
            .await
            .unwrap();
        assert_eq!(pushed.head.map(|head| head.seq), Some(seq));
        let told = agents::read(&test.service, owner, agent.id).await.unwrap();
        assert_eq!(told.notes, notes);
        if notes.is_empty() {
            continue;
        }
        // Notes name content of bodies.
        let (_, auditor) = user(
            &test.service,
            owner,
            &format!("auditor{text}{}", notes.len()),
            "auditor",
            "read",
        )
        .await;
        let told = agents::read(&test.service, auditor, agent.id)
            .await
            .unwrap();
        assert_eq!(told.notes, []);
    }
}

async fn a_lost_answer_is_given_again(test: &TestService) {
    let owner = first_admin(&test.service).await;
    let agent = TestAgent::create(&test.service, owner, "project").await;
    chat(&test.service, owner, Some(agent.id)).await;
    let workspace = Workspace::with_agents_md("/w", "One.\n");
    let first = push_version(test, &agent, 1, true, &workspace).await;
    let first = first.unwrap();
    assert_eq!((first.verdict, first.hydrated), (Verdict::Accepted, 1));
    test.advance(Duration::from_secs(60));
    let (before, _) = agent_and_heads(test, owner, &agent).await;

    let again = push_version(test, &agent, 1, true, &workspace).await;
    let again = again.unwrap();

    assert_eq!((again.verdict, again.head), (Verdict::Repeated, first.head));
    let (after, heads) = agent_and_heads(test, owner, &agent).await;
    assert_eq!(heads.len(), 1);
    assert_eq!(
        after.last_push_at, before.last_push_at,
        "nothing is written"
    );
}

async fn a_version_that_is_not_newer_is_not_taken(test: &TestService) {
    let owner = first_admin(&test.service).await;
    let agent = TestAgent::create(&test.service, owner, "project").await;
    let first = Workspace::with_agents_md("/w", "One.\n");
    let second = Workspace::with_agents_md("/w", "Two.\n");
    push_version(test, &agent, 1, true, &first).await.unwrap();
    let head = push_version(test, &agent, 5, true, &second).await.unwrap();
    test.advance(Duration::from_secs(60));
    let (before, timeline) = agent_and_heads(test, owner, &agent).await;
    let third = Workspace::with_agents_md("/w", "Three.\n");
    for (version, workspace) in [
        (5, &first),
        (5, &third),
        (4, &third),
        (4, &second),
        (1, &first),
    ] {
        let late = push_version(test, &agent, version, false, workspace).await;
        let late = late.unwrap();
        assert_eq!(late.verdict, Verdict::NotNewer, "version {version}");
        assert_eq!((late.head, late.hydrated), (head.head, 0));
        let (after, heads) = agent_and_heads(test, owner, &agent).await;
        assert_eq!(heads, timeline);
        assert_eq!((after.version, after.mcp_settled), (5, true));
        assert_eq!(after.last_push_at, before.last_push_at);
    }
}

async fn the_timeline_has_no_gap_and_tells_the_newest_first(test: &TestService) {
    let owner = first_admin(&test.service).await;
    let mut agent = TestAgent::create(&test.service, owner, "project").await;
    let mut received = Vec::new();
    for text in ["One.", "Two.", "Two.", "Three.", "Four.", "Five."] {
        test.advance(Duration::from_secs(1));
        let workspace = Workspace::with_agents_md("/w", text);
        let pushed = agent.push(&test.service, &workspace).await.unwrap();
        if pushed.verdict == Verdict::Accepted {
            received.insert(0, (pushed.head.unwrap().seq, test.clock.now()));
        }
    }
    let seqs: Vec<_> = received.iter().map(|(seq, _)| *seq).collect();
    assert_eq!(seqs, [5, 4, 3, 2, 1]);
    // Page by page, as a reader would.
    let mut request = PageRequest::newest(2);
    let mut listed = Vec::new();
    loop {
        let page = agents::heads(&test.service, owner, agent.id, &request)
            .await
            .unwrap();
        assert!(page.items.len() <= 2);
        listed.extend(page.items.iter().map(|head| (head.seq, head.received_at)));
        match page.next {
            Some(next) => request = request.on(next),
            None => break,
        }
    }
    assert_eq!(listed, received);
}

async fn content_that_comes_back_is_the_same_snapshot_at_a_new_place(test: &TestService) {
    let owner = first_admin(&test.service).await;
    let mut agent = TestAgent::create(&test.service, owner, "project").await;
    let first = Workspace::with_agents_md("/w", "One.\n");
    let second = Workspace::with_agents_md("/w", "Two.\n");
    for workspace in [&first, &second, &first] {
        let pushed = agent.push(&test.service, workspace).await.unwrap();
        assert_eq!(pushed.verdict, Verdict::Accepted);
    }
    let (_, heads) = agent_and_heads(test, owner, &agent).await;
    let snapshots: Vec<_> = heads.iter().map(|head| (head.seq, head.snapshot)).collect();
    let (one, two) = (
        first.snapshot().addresses().id,
        second.snapshot().addresses().id,
    );
    assert_eq!(snapshots, [(3, one), (2, two), (1, one)]);
}

async fn two_agents_share_a_snapshot_of_the_same_content(test: &TestService) {
    let admin = first_admin(&test.service).await;
    let other = member(&test.service, admin, "other").await;
    let workspace = Workspace::with_agents_md("/w", "One.\n").skill("pdf", "Reads PDFs.", &[]);
    let mut heads = Vec::new();
    for owner in [admin, other] {
        let mut agent = TestAgent::create(&test.service, owner, "project").await;
        let pushed = agent.push(&test.service, &workspace).await.unwrap();
        assert_eq!(pushed.verdict, Verdict::Accepted);
        heads.push(pushed.head.map(|head| (head.seq, head.snapshot)));
    }
    assert_eq!(heads[0], heads[1]);
}

async fn a_push_hydrates_every_chat_without_a_pin_and_no_archived_one(test: &TestService) {
    let service = &test.service;
    let owner = first_admin(service).await;
    let mut agent = TestAgent::create(service, owner, "project").await;
    let other = TestAgent::create(service, owner, "elsewhere").await;
    let mut waiting = Vec::new();
    for _ in 0..3 {
        waiting.push(chat(service, owner, Some(agent.id)).await.id);
    }
    let archived = chat(service, owner, Some(agent.id)).await.id;
    let change = ChatChange {
        archived: Some(true),
        ..ChatChange::default()
    };
    chats::change(service, owner, archived, &change)
        .await
        .unwrap();
    let elsewhere = chat(service, owner, Some(other.id)).await.id;
    let unbound = chat(service, owner, None).await.id;
    test.advance(Duration::from_secs(5));

    let workspace = Workspace::with_agents_md("/w", "One.\n");
    let pushed = agent.push(service, &workspace).await.unwrap();

    assert_eq!(pushed.hydrated, 3);
    let head = pushed.head.expect("a head");
    for chat in waiting {
        let hydrated = chats::read(service, owner, chat).await.unwrap();
        let pin = hydrated.pin.as_ref().expect("a pin");
        assert_eq!(
            (pin.pin.snapshot, pin.pinned_at),
            (head.snapshot, head.received_at)
        );
        assert!(hydrated.drift().is_none());
        assert_eq!(
            hydrated.updated_at, hydrated.created_at,
            "a list of chats does not reorder because an agent pushed"
        );
        let history = history::list(service, owner, chat, HistoryRequest::newest(9)).await;
        let entries = history.unwrap().items;
        let rows: Vec<_> = entries.iter().map(HistoryEntry::pin).collect();
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].seq, rows[0].reason), (1, Reason::Hydrate));
        assert_eq!(
            (rows[0].snapshot, rows[0].agent),
            (Some(head.snapshot), Some(agent.id))
        );
        assert_eq!(
            (rows[0].actor, rows[0].door),
            (ActorRef::Agent(agent.id), Door::Agent)
        );
    }
    for chat in [archived, elsewhere, unbound] {
        let left = chats::read(service, owner, chat).await.unwrap();
        assert!(left.pin.is_none() && left.pin_seq == 0);
        let history = history::list(service, owner, chat, HistoryRequest::newest(9)).await;
        assert!(history.unwrap().items.is_empty());
    }
}

async fn a_push_does_not_move_a_pinned_chat(test: &TestService) {
    let service = &test.service;
    let owner = first_admin(service).await;
    let mut agent = TestAgent::create(service, owner, "project").await;
    let pinned = chat(service, owner, Some(agent.id)).await.id;
    let first = Workspace::with_agents_md("/w", "One.\n");
    agent.push(service, &first).await.unwrap();
    let before = chats::read(service, owner, pinned).await.unwrap();
    test.advance(Duration::from_secs(5));
    let waiting = chat(service, owner, None).await.id;
    let second = first.clone().file("AGENTS.md", "Two.\n");

    let pushed = agent.push(service, &second).await.unwrap();

    assert_eq!(pushed.hydrated, 0);
    let after = chats::read(service, owner, pinned).await.unwrap();
    assert_eq!(after.pin_seq, 1);
    assert_eq!(
        after.pin.as_ref().map(|pin| pin.pin),
        before.pin.as_ref().map(|pin| pin.pin)
    );
    assert_eq!(
        after.drift().map(|drift| drift.since),
        Some(test.clock.now())
    );
    assert!(
        chats::read(service, owner, waiting)
            .await
            .unwrap()
            .pin
            .is_none()
    );
}

async fn a_hydrated_chat_notes_whether_tools_had_settled(test: &TestService) {
    let service = &test.service;
    let owner = first_admin(service).await;
    for settled in [false, true] {
        let agent = TestAgent::create(service, owner, "project").await;
        let hydrated = chat(service, owner, Some(agent.id)).await.id;
        let workspace = Workspace::with_agents_md("/w", "One.\n");
        push_version(test, &agent, 1, settled, &workspace)
            .await
            .unwrap();
        let history = history::list(service, owner, hydrated, HistoryRequest::newest(9)).await;
        let rows = history.unwrap().items;
        assert_eq!(
            rows.iter()
                .map(|row| row.pin().mcp_settled)
                .collect::<Vec<_>>(),
            [settled]
        );
    }
}

async fn the_error_of_a_snapshot_is_kept_and_pinned(test: &TestService) {
    let service = &test.service;
    let owner = first_admin(service).await;
    let mut agent = TestAgent::create(service, owner, "project").await;
    let hydrated = chat(service, owner, Some(agent.id)).await.id;
    let workspace = Workspace::with_agents_md("/w", "One.\n").error("7 more resources were found");
    agent.push(service, &workspace).await.unwrap();
    let created = chat(service, owner, Some(agent.id)).await.id;
    // The new head has no error. The pins keep theirs.
    let sound = Workspace::with_agents_md("/w", "One.\n");
    let pushed = agent.push(service, &sound).await.unwrap();
    assert_eq!(pushed.verdict, Verdict::Accepted);
    for chat in [hydrated, created] {
        let chat = chats::read(service, owner, chat).await.unwrap();
        let pin = chat.pin.as_ref().expect("a pin");
        assert_eq!(pin.error.as_deref(), Some("7 more resources were found"));
        assert!(chat.drift().is_none(), "an error reaches no model");
    }
}

async fn a_paused_server_takes_no_push_and_no_bytes(test: &TestService) {
    let owner = first_admin(&test.service).await;
    let mut agent = TestAgent::create(&test.service, owner, "project").await;
    let paused = test.service.clone().with_sync_paused(true);
    let workspace = Workspace::with_agents_md("/w", "One.\n");

    let pushed = agent.push(&paused, &workspace).await;
    let bytes = b"One.\n";
    let hash = BlobHash::of(bytes);
    let epoch = agent.epoch;
    let sent = pushes::blob_upload(&paused, agent.credential, epoch, hash, bytes[..].into()).await;

    assert!(matches!(pushed, Err(Error::SyncPaused)));
    assert!(matches!(sent, Err(Error::SyncPaused)));
    let (after, heads) = agent_and_heads(test, owner, &agent).await;
    assert_eq!((after.version, heads.len()), (0, 0));
    // Everything else works, and so does the same push after the pause.
    chat(&paused, owner, Some(agent.id)).await;
    let pushed = agent.push(&test.service, &workspace).await.unwrap();
    assert_eq!(pushed.hydrated, 1);
}
