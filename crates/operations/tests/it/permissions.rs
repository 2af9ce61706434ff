//! Permissions: for every caller, every operation has the outcome that the table states. A refused caller
//! leaves nothing behind except a row of the audit log.

use std::time::Duration;

use ctxpin_model::access::{Actor, Decision, Object, Operation, Refusal, Role, Scope, decide};
use ctxpin_model::agent::AgentRequest;
use ctxpin_model::audit::{AuditFilter, AuditOutcome};
use ctxpin_model::delivery::Delivery;
use ctxpin_model::history::HistoryRequest;
use ctxpin_model::id::{AgentId, ChatId, TokenId, UserId};
use ctxpin_model::page::PageRequest;
use ctxpin_model::pin_move::PinMove;
use ctxpin_model::token::TokenRequest;
use ctxpin_model::token::{Credential, Token};
use ctxpin_model::turn::TurnRequest;
use ctxpin_model::user::UserChange;
use ctxpin_operations::agents;
use ctxpin_operations::chats;
use ctxpin_operations::evidence;
use ctxpin_operations::history;
use ctxpin_operations::people::{self, Revocation};
use ctxpin_operations::pins;
use ctxpin_operations::service::Service;
use ctxpin_operations::turns;
use ctxpin_testing::databases::TestService;
use ctxpin_testing::people::{TestAgent, chat, first_admin, user};
use ctxpin_testing::workspace::Workspace;
use uuid::Uuid;

use crate::outcome::Outcome;

mod exercise;

ctxpin_testing::on_both_databases!(every_operation_answers_what_the_table_says);

/// A caller, with the actor of the table. `None` if the token is not valid.
struct Caller {
    name: &'static str,
    credential: Credential,
    actor: Option<Actor>,
}

/// The objects of the operations. All belong to the owner.
struct Objects {
    agent: AgentId,
    chat: ChatId,
    user: UserId,
    token: TokenId,
}

/// All callers, and the objects.
struct World<'t> {
    test: &'t TestService,
    service: &'t Service,
    admin: Credential,
    owner: (UserId, Credential),
    callers: Vec<Caller>,
}

impl<'t> World<'t> {
    async fn new(test: &'t TestService) -> Self {
        let service = &test.service;
        let admin = first_admin(service).await;
        let owner = user(service, admin, "owner", "member", "read write").await;
        evidence::key(service, owner.1).await.expect("a key");
        let mut world = Self {
            test,
            service,
            admin,
            owner,
            callers: Vec::new(),
        };
        world.add_users().await;
        world.add_agents().await;
        world.add_nobodies().await;
        world
    }

    /// Creates a token of a user.
    async fn token(&self, user: UserId, scopes: &str) -> Credential {
        let request = TokenRequest {
            label: None,
            scopes: scopes.parse().expect("known scopes"),
            expires_at: None,
            user: Some(user),
        };
        let made = people::token_create(self.service, self.admin, &request).await;
        made.expect("a token").1.credential()
    }

    fn add(&mut self, name: &'static str, credential: Credential, actor: Option<Actor>) {
        self.callers.push(Caller {
            name,
            credential,
            actor,
        });
    }

    async fn add_user(&mut self, name: &'static str, id: UserId, roles: &str, scopes: &str) {
        let credential = self.token(id, scopes).await;
        let actor = Actor::User {
            id,
            roles: roles.parse().expect("known roles"),
            token: credential.id,
            scopes: scopes.parse().expect("known scopes"),
        };
        self.add(name, credential, Some(actor));
    }

    async fn add_users(&mut self) {
        let all = "read write observe provision admin";
        let owner = self.owner.0;
        for (name, scopes) in [
            ("owner", "read write"),
            ("owner, every scope", all),
            ("owner, reads", "read"),
            ("owner, writes", "write"),
            ("owner, observes", "observe"),
            ("owner, neither", "provision"),
        ] {
            self.add_user(name, owner, "member", scopes).await;
        }
        for (name, roles, scopes) in [
            ("stranger", "member", all),
            ("auditor", "auditor", all),
            ("auditor, reads", "auditor", "read"),
            ("auditor and member, observes", "member auditor", "observe"),
            ("auditor and member", "member auditor", all),
            ("admin, no member", "admin", all),
            ("admin and member", "member admin", all),
            ("admin, no admin scope", "member admin", "read write"),
            ("admin, only admin scope", "member admin", "admin"),
            ("no role", "", all),
        ] {
            let (id, _) = user(self.service, self.admin, name, roles, "read").await;
            self.add_user(name, id, roles, scopes).await;
        }
    }

    async fn add_agent(&mut self, name: &'static str, owner: (UserId, Credential), may: bool) {
        let request = AgentRequest {
            workspace: name.into(),
            name: "main".into(),
            may_refresh: may,
            replaces: None,
            ..AgentRequest::default()
        };
        let agent = TestAgent::create_from(self.service, owner.1, &request).await;
        let actor = Actor::Agent {
            id: agent.id,
            owner: owner.0,
            may_refresh: may,
            token: agent.credential.id,
        };
        self.add(name, agent.credential, Some(actor));
    }

    async fn add_agents(&mut self) {
        let other = user(self.service, self.admin, "other", "member", "read write").await;
        self.add_agent("agent", self.owner, false).await;
        self.add_agent("agent that may refresh", self.owner, true)
            .await;
        self.add_agent("agent of another", other, true).await;
    }

    /// Adds callers whose tokens are not valid, although some of them once were.
    async fn add_nobodies(&mut self) {
        let unknown = Token::new(Uuid::from_u128(1).into(), [7; 32]).credential();
        self.add("unknown token", unknown, None);
        let mut wrong = self.admin;
        wrong.secret_hash[0] ^= 1;
        self.add("wrong secret", wrong, None);
        let revoked = self.token(self.owner.0, "read write").await;
        people::token_revoke(self.service, self.owner.1, revoked.id, Revocation::Alone)
            .await
            .unwrap();
        self.add("revoked token", revoked, None);
        let request = TokenRequest {
            label: None,
            scopes: "read write".parse().unwrap(),
            expires_at: Some(self.test.clock.now().after(Duration::from_secs(1))),
            user: None,
        };
        let made = people::token_create(self.service, self.owner.1, &request).await;
        self.add("expired token", made.unwrap().1.credential(), None);
        self.test.advance(Duration::from_secs(1));
        let (id, disabled) = user(
            self.service,
            self.admin,
            "gone",
            "admin",
            "read write admin",
        )
        .await;
        let agent = {
            let (member, credential) =
                user(self.service, self.admin, "gone too", "member", "read write").await;
            let agent = TestAgent::create(self.service, credential, "project").await;
            self.disable(member).await;
            agent.credential
        };
        self.disable(id).await;
        self.add("token of a disabled user", disabled, None);
        self.add("agent of a disabled user", agent, None);
        let deleted = TestAgent::create(self.service, self.owner.1, "project").await;
        agents::delete(self.service, self.owner.1, deleted.id)
            .await
            .unwrap();
        self.add("token of a deleted agent", deleted.credential, None);
    }

    async fn disable(&self, user: UserId) {
        let change = UserChange {
            disabled: Some(true),
            ..UserChange::default()
        };
        people::user_change(self.service, self.admin, user, &change)
            .await
            .unwrap();
    }

    /// Creates an agent, a chat that has drifted from its head, a user and a token.
    async fn objects(&self) -> Objects {
        let (service, owner) = (self.service, self.owner.1);
        let mut agent = TestAgent::create(service, owner, "project").await;
        let first = Workspace::with_agents_md("/w", "One.\n").skill("pdf", "Reads.", &[("a", "a")]);
        agent.push(service, &first).await.unwrap();
        let chat = chat(service, owner, Some(agent.id)).await.id;
        let turn = TurnRequest {
            reference: None,
            delivery: Some(Delivery::Delivered),
        };
        turns::begin(service, owner, chat, &turn).await.unwrap();
        let second = first.file("AGENTS.md", "Two.\n");
        agent.push(service, &second).await.unwrap();
        let name = Uuid::now_v7().to_string();
        let made = people::user_create(service, self.admin, &name, "member".parse().unwrap()).await;
        let objects = Objects {
            agent: agent.id,
            chat,
            user: made.unwrap().id,
            token: self.token(self.owner.0, "read").await.id,
        };
        self.test.advance(Duration::from_millis(1));
        objects
    }

    /// Returns the refusals of this moment in the audit log, sorted, and moves the clock. There may be no
    /// other rows of this moment.
    async fn noted(&self) -> Vec<Operation> {
        let page = PageRequest::newest(9);
        let log = people::audit_log(self.service, self.admin, &AuditFilter::default(), &page)
            .await
            .unwrap();
        let of_now = log
            .items
            .into_iter()
            .filter(|row| row.at == self.test.clock.now());
        let mut actions = Vec::new();
        for row in of_now {
            assert_eq!(row.outcome, AuditOutcome::Forbidden, "{row:?}");
            actions.push(row.action);
        }
        actions.sort();
        // Later refusals then get new rows.
        self.test.advance(Duration::from_secs(60));
        actions
    }

    /// Returns everything observable of the objects, and the number of rows in the tables.
    async fn state(&self, objects: &Objects) -> String {
        let (service, owner) = (self.service, self.owner.1);
        // The user and the token among the objects are the newest.
        let page = PageRequest::newest(3);
        let seqs = PageRequest::newest(9);
        let agent = agents::read(service, owner, objects.agent).await.unwrap();
        let heads = agents::heads(service, owner, objects.agent, &seqs)
            .await
            .unwrap();
        let chat = chats::read(service, owner, objects.chat).await.unwrap();
        let history = history::list(service, owner, objects.chat, HistoryRequest::newest(9))
            .await
            .unwrap();
        let users = people::users(service, self.admin, &page).await.unwrap();
        let tokens = people::tokens(service, owner, &page).await.unwrap();
        let rows = "select (select count(*) from users) + (select count(*) from tokens) \
            + (select count(*) from agents) + (select count(*) from agent_sessions) \
            + (select count(*) from agent_heads) + (select count(*) from agent_uploads) \
            + (select count(*) from blobs) + (select count(*) from snapshots) \
            + (select count(*) from prompts) + (select count(*) from chats) \
            + (select count(*) from chat_pins) + (select count(*) from passes) + (select count(*) from turns) \
            + (select count(*) from turn_evidence) + (select count(*) from turn_evidence_texts) \
            + (select count(*) from turn_evidence_lacks)";
        let rows = self.test.count(rows).await;
        format!("{agent:?} {heads:?} {chat:?} {history:?} {users:?} {tokens:?} {rows}")
    }
}

/// Returns whether the operation is on an object of the owner.
fn is_on_owned(operation: Operation) -> bool {
    use Operation::*;
    match operation {
        AgentRead | AgentDelete | AgentTokenRotate | AgentUse | HeadList | ChatRead
        | ChatChange | ChatDelete | ChatInherit | ChatStart | ContextRead | PinMove | PinClear
        | HistoryRead | DiffRead | ResourceRead | PromptRead | SkillRead | ToolRead | TurnBegin
        | TurnList | TurnRead | EvidenceAdd | UsageRead => true,
        AgentCreate | EnrolmentCodeCreate | AgentEnrol | AgentList | SessionOpen | ContextPush
        | BlobUpload | AgentRefresh | ChatCreate | ChatList | PendingChangeList | PinMoveMany
        | EvidenceKeyRead | ExposureRead | UserCreate | UserList | UserChange | QuotaChange
        | SignIn | SignInCodeCreate | TokenCreate | TokenCreateFor | TokenList | TokenChildren
        | TokenRevoke | MeRead | AuditRead | MetricsRead => false,
    }
}

/// Returns the operations whose refusal is in the audit log. Of the reads, these read bodies.
fn noted_as(operation: Operation) -> &'static [Operation] {
    use Operation::*;
    match operation {
        AgentList | AgentRead | HeadList | ChatList | PendingChangeList | ChatRead
        | ContextRead | HistoryRead | TurnList | TurnRead | ExposureRead | UserList | UsageRead
        | TokenList | TokenChildren | MeRead | AuditRead | MetricsRead => &[],
        DiffRead => &[DiffRead],
        ResourceRead => &[ResourceRead],
        PromptRead => &[PromptRead],
        SkillRead => &[SkillRead],
        ToolRead => &[ToolRead],
        // An agent is named, and a pin inherited, by something that is created.
        AgentUse => &[AgentCreate, ChatCreate],
        ChatInherit => &[ChatCreate],
        AgentCreate => &[AgentCreate],
        EnrolmentCodeCreate => &[EnrolmentCodeCreate],
        AgentEnrol => &[AgentEnrol],
        AgentDelete => &[AgentDelete],
        AgentTokenRotate => &[AgentTokenRotate],
        SessionOpen => &[SessionOpen],
        ContextPush => &[ContextPush],
        BlobUpload => &[BlobUpload],
        AgentRefresh => &[AgentRefresh],
        ChatCreate => &[ChatCreate],
        ChatChange => &[ChatChange],
        ChatDelete => &[ChatDelete],
        ChatStart => &[ChatStart],
        PinMove => &[PinMove],
        PinClear => &[PinClear],
        PinMoveMany => &[PinMoveMany],
        TurnBegin => &[TurnBegin],
        EvidenceAdd => &[EvidenceAdd],
        EvidenceKeyRead => &[EvidenceKeyRead],
        UserCreate => &[UserCreate],
        UserChange => &[UserChange],
        QuotaChange => &[QuotaChange],
        SignIn => &[SignIn],
        SignInCodeCreate => &[SignInCodeCreate],
        TokenCreate => &[TokenCreate],
        TokenCreateFor => &[TokenCreateFor],
        TokenRevoke => &[TokenRevoke],
    }
}

/// Returns the outcome that the table states for a caller.
fn expected(operation: Operation, caller: &Caller, owner: UserId) -> Outcome {
    let Some(actor) = &caller.actor else {
        return Outcome::Unauthenticated;
    };
    let outcome = |operation, object| match decide(actor, operation, object) {
        Decision::Allow(_) => Outcome::Done,
        Decision::Forbidden(refusal) => Outcome::Forbidden(refusal),
        Decision::NotFound => Outcome::NotFound,
    };
    let object = match is_on_owned(operation) {
        true => Object::Owned(owner),
        false => Object::Collection,
    };
    match operation {
        // These are part of the creation of another object.
        Operation::AgentUse | Operation::ChatInherit => {
            match outcome(Operation::ChatCreate, Object::Collection) {
                Outcome::Done => outcome(operation, object),
                refused => refused,
            }
        }
        // The token must also belong to the caller or the caller be an admin, and have no more scopes than
        // the caller's. It has the scope `read`.
        Operation::TokenChildren | Operation::TokenRevoke => {
            match (outcome(operation, object), actor) {
                (
                    Outcome::Done,
                    Actor::User {
                        id, roles, scopes, ..
                    },
                ) => {
                    let of_everybody = roles.has(Role::Admin) && scopes.has(Scope::Admin);
                    if *id != owner && !of_everybody {
                        Outcome::NotFound
                    } else if operation == Operation::TokenRevoke && !scopes.has(Scope::Read) {
                        Outcome::Forbidden(Refusal::RevokesWider(Scope::Read))
                    } else {
                        Outcome::Done
                    }
                }
                (outcome, _) => outcome,
            }
        }
        _ => outcome(operation, object),
    }
}

async fn every_operation_answers_what_the_table_says(test: &TestService) {
    let world = World::new(test).await;
    let mut failures = Vec::new();
    for operation in Operation::ALL {
        let owner = world.owner.0;
        let (refused, done): (Vec<_>, Vec<_>) = world
            .callers
            .iter()
            .map(|caller| (caller, expected(*operation, caller, owner)))
            .partition(|(_, expected)| *expected != Outcome::Done);
        assert!(!refused.is_empty() && !done.is_empty(), "{operation}");
        let objects = world.objects().await;
        let before = world.state(&objects).await;
        for (caller, expected) in refused {
            let failed = ask(&world, *operation, &objects, caller, expected).await;
            failures.extend(failed);
            let noted = world.noted().await;
            let should_note = match expected {
                Outcome::Forbidden(_) => noted_as(*operation),
                _ => &[],
            };
            if noted != should_note {
                let name = caller.name;
                failures.push(format!(
                    "{operation} by {name} noted {noted:?}, not {should_note:?}"
                ));
            }
        }
        if world.state(&objects).await != before {
            failures.push(format!(
                "{operation}: somebody who was refused wrote something"
            ));
        }
        for (caller, expected) in done {
            let objects = world.objects().await;
            let failed = ask(&world, *operation, &objects, caller, expected).await;
            failures.extend(failed);
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

/// Requests an operation in every way, and returns the ways that had another outcome.
async fn ask(
    world: &World<'_>,
    operation: Operation,
    objects: &Objects,
    caller: &Caller,
    expected: Outcome,
) -> Vec<String> {
    let outcomes = exercise::exercise(world, operation, objects, caller).await;
    assert!(!outcomes.is_empty());
    let name = caller.name;
    let others = outcomes
        .iter()
        .enumerate()
        .filter(|(_, outcome)| **outcome != expected);
    others
        .map(|(way, outcome)| {
            format!("{operation} by {name}, way {way}: {outcome:?}, not {expected:?}")
        })
        .collect()
}

/// Checks that a caller whose token is revoked while the request waits for a lock is refused.
async fn revoked_while_waiting(held: &'static str, is_of_agent: bool) {
    let test = TestService::postgres().await;
    let service = test.service.clone();
    let admin = first_admin(&service).await;
    let (id, owner) = user(&service, admin, "owner", "member", "read write").await;
    let mut agent = TestAgent::create(&service, owner, "project").await;
    agent
        .push(&service, &Workspace::with_agents_md("/w", "One.\n"))
        .await
        .unwrap();
    let pinned = chat(&service, owner, Some(agent.id)).await;
    agent
        .push(&service, &Workspace::with_agents_md("/w", "Two.\n"))
        .await
        .unwrap();
    let head = agents::read(&service, admin, agent.id).await.unwrap().head;

    let mut held = test.hold(held).await;
    let waiting = tokio::spawn(async move {
        if is_of_agent {
            let workspace = Workspace::with_agents_md("/w", "Three.\n");
            Outcome::of(&agent.push(&service, &workspace).await)
        } else {
            let refresh = PinMove::Refresh { head: None };
            Outcome::of(&pins::pin_move(&service, owner, pinned.id, &refresh, None).await)
        }
    });
    held.awaited().await;
    if is_of_agent {
        let change = UserChange {
            disabled: Some(true),
            ..UserChange::default()
        };
        people::user_change(&test.service, admin, id, &change)
            .await
            .unwrap();
    } else {
        people::token_revoke(&test.service, admin, owner.id, Revocation::Alone)
            .await
            .unwrap();
    }
    held.release().await;

    assert_eq!(waiting.await.unwrap(), Outcome::Unauthenticated);
    let after = chats::read(&test.service, admin, pinned.id).await.unwrap();
    assert_eq!(after.pin_seq, 1);
    assert_eq!(after.head, head);
    test.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_who_is_revoked_while_waiting_for_the_chat_moves_no_pin() {
    revoked_while_waiting("select id from chats for update", false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_who_is_revoked_while_waiting_for_the_agent_moves_no_pin() {
    revoked_while_waiting("select id from agents for update", false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_whose_owner_is_disabled_while_it_waits_pushes_nothing() {
    revoked_while_waiting("select id from agents for update", true).await;
}
