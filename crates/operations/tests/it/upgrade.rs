//! Opens a database of an earlier release, whose chats must be unchanged.

use ctxpin_model::audit::AuditFilter;
use ctxpin_model::client_event::ClientEvent;
use ctxpin_model::context::ContextView;
use ctxpin_model::diff::effect::Cause;
use ctxpin_model::door::Door;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::id::{AgentId, ChatId, TokenId};
use ctxpin_model::mode::Mode;
use ctxpin_model::page::PageRequest;
use ctxpin_model::pin::Reason;
use ctxpin_model::pin_move::PinMove;
use ctxpin_model::policy::Policy;
use ctxpin_model::resource::{Bodies, Content, Kind, ResourceId, Status};
use ctxpin_model::token::{Credential, Token};
use ctxpin_model::treatment::Removed;
use ctxpin_operations::skills::{self, Reader};
use ctxpin_operations::{agents, contexts, people, quotas, upkeep};
use ctxpin_testing::chats::{TestChat, given};
use ctxpin_testing::databases::TestService;
use ctxpin_testing::people::TestAgent;
use ctxpin_testing::workspace::Workspace;
use serde_json::Value;

/// Expands a body to two tests, one on the dump of each database.
macro_rules! on_both_dumps {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let dump = include_str!("../../../../testdata/databases/0001_foundation/sqlite.sql");
                    let known = include_str!("../../../../testdata/databases/0001_foundation/sqlite.json");
                    let test = super::TestService::sqlite_left(dump).await;
                    super::$name(&super::Left::new(&test, known)).await;
                    test.finish().await;
                }
            )+
        }
        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let dump = include_str!("../../../../testdata/databases/0001_foundation/postgres.sql");
                    let known = include_str!("../../../../testdata/databases/0001_foundation/postgres.json");
                    let test = super::TestService::postgres_left(dump).await;
                    super::$name(&super::Left::new(&test, known)).await;
                    test.finish().await;
                }
            )+
        }
    };
}

on_both_dumps!(
    the_prompts_of_pinned_chats_stay,
    a_prompt_is_rendered_anew_on_request,
    what_was_stored_is_treated_in_the_background,
    a_skill_is_read_under_the_renderer_of_its_pin,
    policies_take_no_change_of_the_rules_alone,
    what_was_stored_before_is_charged,
    finding_11_tokens_that_were_there_have_no_maker,
    rows_of_the_audit_log_that_were_there_have_no_door,
    chats_that_were_there_are_delivered,
);

/// The data of the earlier release, and the facts known of it.
struct Left<'t> {
    test: &'t TestService,
    known: Value,
}

impl<'t> Left<'t> {
    fn new(test: &'t TestService, known: &str) -> Self {
        let known = serde_json::from_str(known).expect("JSON");
        Self { test, known }
    }

    fn credential(&self, member: &str) -> Credential {
        let token: Token = self.text(member).parse().expect("a token");
        token.credential()
    }

    fn text(&self, member: &str) -> &str {
        self.known[member].as_str().expect("a text")
    }

    fn chat(&self, name: &str) -> TestChat {
        let id = self.known["chats"][name].as_str().expect("a chat");
        TestChat {
            service: self.test.service.clone(),
            owner: self.credential("token"),
            id: ChatId::from(id.parse::<uuid::Uuid>().expect("an id")),
        }
    }

    fn chats(&self) -> Vec<TestChat> {
        let names = self.known["chats"].as_object().expect("chats");
        names.keys().map(|name| self.chat(name)).collect()
    }

    /// Opens a session of a new process of the agent.
    async fn agent(&self) -> TestAgent {
        let id = self.text("agent").parse::<uuid::Uuid>().expect("an id");
        let mut agent = TestAgent {
            id: AgentId::from(id),
            credential: self.credential("agent_token"),
            epoch: 0,
            version: 0,
        };
        agent.restart(&self.test.service).await;
        agent
    }
}

async fn the_prompts_of_pinned_chats_stay(left: &Left<'_>) {
    let prompt = left.text("prompt");
    let chats = left.chats();
    assert_eq!(chats.len(), 9);
    for chat in &chats {
        assert_eq!(chat.prompt().await, prompt);
        let history = chat.history().await;
        assert!(
            history
                .iter()
                .all(|pin| pin.rendered.unwrap().renderer == 1)
        );
    }
    upkeep::treatments::catch_up(&left.test.service)
        .await
        .unwrap();
    for chat in &chats {
        assert_eq!(chat.prompt().await, prompt);
    }
    // A turn returns the same bytes, and so does a rollback.
    let turn = left.chat("manual").turn().await.unwrap();
    assert_eq!(given(&turn).prompt, prompt);
    let chat = left.chat("rolled_back");
    let pinned = chat.snapshot().await.unwrap();
    chat.refresh().await.unwrap();
    assert_ne!(chat.prompt().await, prompt);
    chat.rollback(pinned).await.unwrap();
    assert_eq!(chat.prompt().await, prompt);
}

async fn chats_that_were_there_are_delivered(left: &Left<'_>) {
    for chat in left.chats() {
        assert_eq!(chat.record().await.mode, Mode::Delivered);
        assert!(chat.history().await.iter().all(|pin| !pin.unconfirmed));
    }
    let chat = left.chat("manual");
    let moves = chat.history().await.len();
    chat.mode(Mode::Observed).await.unwrap();
    let record = chat.start(ClientEvent::Resume, None).await.unwrap();
    assert!(record.drift().is_none());
    assert_eq!(chat.history().await.len(), moves + 1);
}

async fn a_prompt_is_rendered_anew_on_request(left: &Left<'_>) {
    let chat = left.chat("manual");
    let before = chat.context().await;
    assert_eq!((before.renderer(), before.latest_renderer), (1, 2));
    let after = chat.move_to(PinMove::Render).await.unwrap();
    assert_eq!(after.renderer(), 2);
    let pinned = |view: &ContextView| view.chat.pin.as_ref().map(|pin| pin.pin.snapshot);
    assert_eq!(pinned(&after), pinned(&before), "the pin stays");
    assert_eq!(after.chat.drift(), before.chat.drift(), "it is no drift");
    let prompt = chat.prompt().await;
    assert!(
        prompt.contains("`<!-- shots -->`"),
        "code is kept: {prompt}"
    );
    assert!(
        prompt.contains("\nsource: here\n\nretries: 3\n"),
        "{prompt}"
    );
    assert!(!prompt.contains("tell nobody"), "{prompt}");
    let last = chat.history().await.pop().unwrap();
    assert_eq!(
        (last.reason, last.rendered.unwrap().renderer),
        (Reason::Render, 2)
    );
    // The second run has nothing to do.
    let seq = last.seq;
    chat.move_to(PinMove::Render).await.unwrap();
    assert_eq!(chat.history().await.pop().unwrap().seq, seq);
    let unpinned = left.chat("child");
    unpinned.clear().await.unwrap();
    let error = unpinned.move_to(PinMove::Render).await.unwrap_err();
    assert!(error.to_string().contains("no pin"), "{error}");
}

async fn what_was_stored_is_treated_in_the_background(left: &Left<'_>) {
    let chat = left.chat("manual");
    let agents_md = ResourceId::of(Kind::InstructionFile, "/srv/shop/AGENTS.md");
    let treatment = async || {
        let read = contexts::resource(&chat.service, chat.owner, chat.id, agents_md);
        read.await.unwrap().treatment
    };
    assert_eq!(treatment().await, None, "nobody has worked it out yet");
    upkeep::treatments::catch_up(&left.test.service)
        .await
        .unwrap();
    // The treatment by the first renderer, which did not recognise code.
    let removed = treatment().await.unwrap().removed;
    let comments = "<!-- and tell nobody -->".len() + "<!-- shots -->".len();
    assert_eq!(removed.comment, comments as u64);
    assert_eq!(removed.invisible, 3);
    chat.move_to(PinMove::Render).await.unwrap();
    let expected = Removed {
        comment: "<!-- and tell nobody -->".len() as u64,
        ..removed
    };
    let found = treatment().await.unwrap().removed;
    assert_eq!((found.comment, found.invisible), (expected.comment, 3));
    // Another server has nothing left to do.
    let rows = "select count(*) from treatments";
    let count = left.test.count(rows).await;
    upkeep::treatments::catch_up(&left.test.replica().await)
        .await
        .unwrap();
    assert_eq!(left.test.count(rows).await, count);
}

async fn a_skill_is_read_under_the_renderer_of_its_pin(left: &Left<'_>) {
    let chat = left.chat("manual");
    let body = async || {
        let name = "release-notes";
        let read = skills::read(&chat.service, chat.owner, chat.id, name, Reader::Model);
        read.await.unwrap().body
    };
    assert!(!body().await.contains("<!-- code -->"));
    chat.move_to(PinMove::Render).await.unwrap();
    assert!(body().await.ends_with("\n    <!-- code -->\n"));
}

/// This release accepts skills that the earlier one refused.
async fn policies_take_no_change_of_the_rules_alone(left: &Left<'_>) {
    let follow = left.chat("follow");
    // A change of files before the upgrade is accepted.
    follow.turn().await.unwrap();
    let before = follow.context().await;
    assert!(before.changes().is_empty());
    let mut agent = left.agent().await;
    let mut manifest = before.pinned.as_ref().unwrap().snapshot.clone();
    let mail = "---\nname: mail\ndescription: Sends mail. Use it when asked.\nmetadata:\n  tool:\n    requires: [curl]\n---\nSend it.\n";
    let deploy =
        "---\nname: Deploy Now\ndescription: Deploys. Use it when asked.\n---\nDeploy it.\n";
    let mut bodies = Bodies::new();
    for (name, text) in [("mail", mail), ("deploy", deploy)] {
        let source = format!("/srv/shop/.agents/skills/{name}/SKILL.md");
        let hash = BlobHash::of(text.as_bytes());
        let mut resources = manifest.resources.iter_mut();
        let skill = resources.find(|r| r.source == source).unwrap();
        assert_eq!(skill.status, Status::Invalid);
        assert_eq!(
            skill.content,
            Some(Content::Claimed(hash)),
            "the same bytes"
        );
        skill.status = Status::Ok;
        skill.error = None;
        skill.name = None;
        skill.content = Some(Content::Pinned(hash));
        bodies.insert(hash, text.as_bytes().into());
    }
    agent
        .push_as(&left.test.service, manifest.clone(), bodies)
        .await
        .unwrap();
    let drifted = follow.context().await;
    let changes = drifted.changes();
    assert_eq!(changes.len(), 2);
    assert!(
        changes
            .iter()
            .all(|change| change.cause() == Some(Cause::Rules))
    );
    follow.turn().await.unwrap();
    let kept = follow.snapshot().await;
    assert_eq!(
        kept,
        before.chat.pin.map(|pin| pin.pin.snapshot),
        "nobody changed anything"
    );
    let additive = left.chat("additive");
    additive.turn().await.unwrap();
    let skills = additive.context().await.pinned.unwrap().skills().count();
    assert_eq!(skills, 1, "nothing is new");
    // A change of content includes it, and so does a refresh.
    let agents_md = "Another.\n";
    let hash = BlobHash::of(agents_md.as_bytes());
    let file = &mut manifest.resources[0];
    assert_eq!(file.kind, Kind::InstructionFile);
    file.content = Some(Content::Pinned(hash));
    file.size = agents_md.len() as u64;
    let bodies = Bodies::from([(hash, agents_md.as_bytes().into())]);
    agent
        .push_as(&left.test.service, manifest, bodies)
        .await
        .unwrap();
    assert_eq!(follow.context().await.chat.policy, Policy::Follow);
    follow.turn().await.unwrap();
    assert!(follow.context().await.changes().is_empty());
    additive.refresh().await.unwrap();
    assert_eq!(additive.context().await.pinned.unwrap().skills().count(), 3);
}

async fn what_was_stored_before_is_charged(left: &Left<'_>) {
    let (service, owner) = (&left.test.service, left.credential("token"));
    let before = quotas::usage(service, owner, None).await.unwrap();
    let used = before.usage.used;
    assert_eq!((used.agents, used.chats, used.tokens), (1, 9, 1));
    // All stored blobs came from the only agent, except rendered prompts.
    let sent = "select cast(sum(size) as bigint) from blobs where hash not in (select prompt from prompts)";
    assert_eq!(used.content_bytes as i64, left.test.count(sent).await);
    assert!(used.content_bytes > 0);
    let workspace =
        Workspace::with_agents_md("/srv/shop", "Forty bytes, which nobody has sent ever.");
    let mut agent = left.agent().await;
    agent.push(service, &workspace).await.unwrap();
    let after = quotas::usage(service, owner, None).await.unwrap();
    assert_eq!(after.usage.used.content_bytes, used.content_bytes + 40);
}

async fn finding_11_tokens_that_were_there_have_no_maker(left: &Left<'_>) {
    let (service, owner) = (&left.test.service, left.credential("token"));
    let page = PageRequest::newest(9);
    let tokens = people::tokens(service, owner, &page).await.unwrap();
    assert!(!tokens.items.is_empty());
    assert!(tokens.items.iter().all(|token| token.made_by.is_none()));
    let children = people::token_children(service, owner, owner.id, &page).await;
    assert!(children.unwrap().items.is_empty());
    let agent = left.agent().await;
    let read = agents::read(service, owner, agent.id).await.unwrap();
    assert_eq!((read.token_expires_at, read.token_revoked_at), (None, None));
    // From the next token on, the agent's token has a maker.
    let (_, token) = agents::token_rotate(service, owner, agent.id)
        .await
        .unwrap();
    let children = people::token_children(service, owner, owner.id, &page).await;
    let children = children.unwrap().items;
    assert_eq!(children.len(), 1);
    assert_eq!(children[0].id, token.credential().id);
}

async fn rows_of_the_audit_log_that_were_there_have_no_door(left: &Left<'_>) {
    let service = &left.test.service;
    let token = Token::new(TokenId::generate(left.test.clock.now()), [7; 32]);
    assert!(people::first_token_given(service, &token).await.unwrap());
    let admin = token.credential();
    let (all, page) = (AuditFilter::default(), PageRequest::newest(500));
    let log = people::audit_log(service, admin, &all, &page).await;
    let rows = log.unwrap().items;
    let (new, before) = rows.split_first().unwrap();
    assert_eq!(new.door, Some(Door::System));
    assert!(!before.is_empty());
    assert!(before.iter().all(|row| row.door.is_none()));
}
