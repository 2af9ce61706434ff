//! Requests for each operation, in every way that there is.

use std::time::Duration;

use ctxpin_model::access::{Actor, Operation, Roles, Scope};
use ctxpin_model::agent::{AgentRequest, Replaces};
use ctxpin_model::audit::AuditFilter;
use ctxpin_model::chat::ChatFilter;
use ctxpin_model::chat::{ChatChange, ChatCreate};
use ctxpin_model::client_event::{ClientEvent, ClientMessage};
use ctxpin_model::delivery::Delivery;
use ctxpin_model::enrolment::{EnrolRequest, EnrolmentCode};
use ctxpin_model::hash::BlobHash;
use ctxpin_model::history::HistoryRequest;
use ctxpin_model::id::{ProcessId, TokenId};
use ctxpin_model::page::PageRequest;
use ctxpin_model::pin_move::{PinMove, RefreshFilter};
use ctxpin_model::profile::Profile;
use ctxpin_model::push::{Position, Push};
use ctxpin_model::quota::QuotaChange;
use ctxpin_model::resource::{Kind, ResourceId};
use ctxpin_model::token::TokenRequest;
use ctxpin_model::turn::TurnRequest;
use ctxpin_model::user::UserChange;
use ctxpin_model::watch::{Detail, Subject};
use ctxpin_operations::agents;
use ctxpin_operations::chats;
use ctxpin_operations::contexts;
use ctxpin_operations::diffs::{self, DiffRequest};
use ctxpin_operations::enrolment;
use ctxpin_operations::error::Error;
use ctxpin_operations::evidence;
use ctxpin_operations::history;
use ctxpin_operations::instructions;
use ctxpin_operations::pending_changes;
use ctxpin_operations::people::{self, Revocation};
use ctxpin_operations::pins;
use ctxpin_operations::pushes;
use ctxpin_operations::sign_in;
use ctxpin_operations::skills::{self, Reader};
use ctxpin_operations::starts;
use ctxpin_operations::turns;
use ctxpin_operations::watches;
use ctxpin_operations::{exposures, prompts, quotas};
use ctxpin_testing::chats::bound_to;
use ctxpin_testing::workspace::{Workspace, claimed};
use uuid::Uuid;

use super::{Caller, Objects, World};
use crate::evidence_rows::{handed_in, row};
use crate::outcome::Outcome;

/// Requests an operation in every way, and returns the outcome of each.
pub async fn exercise(
    world: &World<'_>,
    operation: Operation,
    objects: &Objects,
    caller: &Caller,
) -> Vec<Outcome> {
    use Operation::*;
    match operation {
        EnrolmentCodeCreate | AgentEnrol => by_codes(world, operation, caller).await,
        AgentCreate | AgentList | AgentRead | AgentDelete | AgentTokenRotate | AgentUse
        | HeadList => on_agents(world, operation, objects, caller).await,
        SessionOpen | ContextPush | BlobUpload | AgentRefresh => {
            by_agents(world, operation, caller).await
        }
        ChatCreate | ChatList | PendingChangeList | ChatRead | ChatChange | ChatDelete
        | ChatInherit => on_chats(world, operation, objects, caller).await,
        ContextRead | ChatStart | PinMove | PinClear | PinMoveMany | HistoryRead => {
            on_pins(world, operation, objects, caller).await
        }
        DiffRead | ResourceRead | PromptRead | SkillRead | ToolRead | TurnBegin | TurnList
        | TurnRead | EvidenceAdd | EvidenceKeyRead | ExposureRead => {
            on_bodies(world, operation, objects, caller).await
        }
        UserCreate | UserList | UserChange | UsageRead | QuotaChange | SignIn
        | SignInCodeCreate | TokenCreate | TokenCreateFor | TokenList | TokenChildren
        | TokenRevoke | MeRead | AuditRead | MetricsRead => {
            on_people(world, operation, objects, caller).await
        }
    }
}

fn agent_request(replaces: Option<Replaces>) -> AgentRequest {
    AgentRequest {
        workspace: "new".into(),
        name: "main".into(),
        may_refresh: false,
        replaces,
        ..AgentRequest::default()
    }
}

async fn on_agents(
    world: &World<'_>,
    operation: Operation,
    objects: &Objects,
    caller: &Caller,
) -> Vec<Outcome> {
    let (service, by, agent) = (world.service, caller.credential, objects.agent);
    let (ids, seqs) = (PageRequest::newest(9), PageRequest::newest(9));
    match operation {
        Operation::AgentCreate => {
            let made = agents::create(service, by, &agent_request(None)).await;
            vec![Outcome::of(&made)]
        }
        Operation::AgentList => vec![Outcome::of(&agents::list(service, by, &ids).await)],
        Operation::AgentRead => vec![Outcome::of(&agents::read(service, by, agent).await)],
        Operation::AgentDelete => vec![Outcome::of(&agents::delete(service, by, agent).await)],
        Operation::AgentTokenRotate => {
            vec![Outcome::of(&agents::token_rotate(service, by, agent).await)]
        }
        Operation::HeadList => vec![Outcome::of(&agents::heads(service, by, agent, &seqs).await)],
        Operation::AgentUse => {
            let bound = Outcome::of(&chats::create(service, by, &bound_to(agent)).await);
            // To replace an agent takes a new agent, which a token that only observes cannot make.
            let observes = matches!(&caller.actor, Some(Actor::User { scopes, .. })
                if scopes.has(Scope::Observe) && !scopes.has(Scope::Write));
            if observes && bound == Outcome::Done {
                return vec![bound];
            }
            let replaces = agent_request(Some(Replaces::Agent(agent)));
            let replaced = agents::create(service, by, &replaces).await;
            vec![bound, Outcome::of(&replaced)]
        }
        other => unreachable!("{other} is not on agents"),
    }
}

async fn by_codes(world: &World<'_>, operation: Operation, caller: &Caller) -> Vec<Outcome> {
    let (service, by) = (world.service, caller.credential);
    let request = agent_request(None);
    let outcome = match operation {
        Operation::EnrolmentCodeCreate => {
            Outcome::of(&enrolment::code_create(service, by, &request).await)
        }
        Operation::AgentEnrol => {
            let code = code_of(world, caller).await;
            let request = EnrolRequest {
                code,
                secret_hash: [7; 32],
                profile: Profile::Neutral,
            };
            let enrolled = enrolment::enrol(service, &request).await;
            let token = sql_id(world, by.id);
            let left =
                format!("delete from passes where kind = 'enrolment_code' and token_id = {token}");
            world.test.tamper(left.leak()).await;
            match enrolled {
                Err(Error::UnknownEnrolmentCode) => Outcome::Unauthenticated,
                enrolled => Outcome::of(&enrolled),
            }
        }
        other => unreachable!("{other} is not about codes"),
    };
    vec![outcome]
}

/// Returns a code of the caller's token, also if the token may not make one. A token that is not valid has none.
async fn code_of(world: &World<'_>, caller: &Caller) -> EnrolmentCode {
    if caller.actor.is_none() {
        return EnrolmentCode::new([7; 10]);
    }
    let issued = enrolment::code_create(world.service, world.admin, &agent_request(None)).await;
    let (token, admin) = (
        sql_id(world, caller.credential.id),
        sql_id(world, world.admin.id),
    );
    let handed_over = format!(
        "update passes set token_id = {token} where kind = 'enrolment_code' and token_id = {admin}"
    );
    assert_eq!(world.test.tamper(handed_over.leak()).await, 1);
    // The line of this code in the audit log is then of another moment.
    world.test.advance(Duration::from_millis(1));
    issued.unwrap().code
}

/// Returns an id as both databases write it in a statement.
fn sql_id(world: &World<'_>, token: TokenId) -> String {
    match world.test.sqlite_path() {
        Some(_) => format!("x'{}'", token.uuid().simple()),
        None => format!("'{token}'"),
    }
}

/// Requests the operations of an agent, which always concern the agent itself.
async fn by_agents(world: &World<'_>, operation: Operation, caller: &Caller) -> Vec<Outcome> {
    let (service, by) = (world.service, caller.credential);
    let (epoch, version) = match &caller.actor {
        Some(Actor::Agent { id, .. }) => {
            let agent = agents::read(service, world.admin, *id).await.unwrap();
            (agent.epoch, agent.version + 1)
        }
        _ => (1, 1),
    };
    let outcome = match operation {
        Operation::SessionOpen => {
            let process = ProcessId::from(Uuid::now_v7());
            Outcome::of(&pushes::session_open(service, by, process).await)
        }
        Operation::ContextPush => {
            let (manifest, inline) = Workspace::with_agents_md("/w", "Pushed.\n").manifest();
            let push = Push {
                position: Position { epoch, version },
                mcp_settled: true,
                manifest: claimed(&manifest, inline),
                notes: Vec::new(),
            };
            Outcome::of(&pushes::push(service, by, push).await)
        }
        Operation::BlobUpload => {
            let bytes = b"sent ahead";
            let hash = BlobHash::of(bytes);
            Outcome::of(&pushes::blob_upload(service, by, epoch, hash, bytes[..].into()).await)
        }
        Operation::AgentRefresh => Outcome::of(&pins::refresh_of_agent(service, by, epoch).await),
        other => unreachable!("{other} is not for agents"),
    };
    vec![outcome]
}

async fn on_chats(
    world: &World<'_>,
    operation: Operation,
    objects: &Objects,
    caller: &Caller,
) -> Vec<Outcome> {
    let (service, by, chat) = (world.service, caller.credential, objects.chat);
    let page = PageRequest::newest(9);
    match operation {
        Operation::ChatCreate => {
            vec![Outcome::of(
                &chats::create(service, by, &ChatCreate::default()).await,
            )]
        }
        Operation::ChatList => {
            let filter = ChatFilter::default();
            vec![
                Outcome::of(&chats::list(service, by, &filter, &page).await),
                Outcome::of(&watches::watch(service, by, Subject::Own, Detail::Full).await),
            ]
        }
        Operation::PendingChangeList => {
            let page = PageRequest::newest(9);
            let listed = pending_changes::list(service, by, false, &page).await;
            vec![Outcome::of(&listed)]
        }
        Operation::ChatRead => vec![
            Outcome::of(&chats::read(service, by, chat).await),
            Outcome::of(&watches::watch(service, by, Subject::Chat(chat), Detail::Full).await),
        ],
        Operation::ChatChange => {
            let change = ChatChange {
                title: Some(Some(format!("by {}", caller.name))),
                ..ChatChange::default()
            };
            vec![Outcome::of(
                &chats::change(service, by, chat, &change).await,
            )]
        }
        Operation::ChatDelete => vec![Outcome::of(&chats::delete(service, by, chat).await)],
        Operation::ChatInherit => {
            let request = ChatCreate {
                parent: Some(chat),
                ..ChatCreate::default()
            };
            vec![Outcome::of(&chats::create(service, by, &request).await)]
        }
        other => unreachable!("{other} is not on chats"),
    }
}

async fn on_pins(
    world: &World<'_>,
    operation: Operation,
    objects: &Objects,
    caller: &Caller,
) -> Vec<Outcome> {
    let (service, by, chat) = (world.service, caller.credential, objects.chat);
    let outcome = match operation {
        Operation::ContextRead => Outcome::of(&contexts::read(service, by, chat).await),
        Operation::ChatStart => {
            let message = ClientMessage {
                event: ClientEvent::Resume,
                head: None,
            };
            Outcome::of(&starts::start(service, by, chat, message).await)
        }
        Operation::PinMove => {
            let refresh = PinMove::Refresh { head: None };
            Outcome::of(&pins::pin_move(service, by, chat, &refresh, None).await)
        }
        Operation::PinClear => Outcome::of(&pins::pin_clear(service, by, chat, None).await),
        Operation::PinMoveMany => {
            let filter = RefreshFilter {
                agent: Some(objects.agent),
                content: None,
            };
            Outcome::of(&pins::refresh_many(service, by, filter).await)
        }
        Operation::HistoryRead => {
            let request = HistoryRequest::newest(9);
            return vec![
                Outcome::of(&history::list(service, by, chat, request).await),
                Outcome::of(&history::read(service, by, chat, 1).await),
            ];
        }
        other => unreachable!("{other} is not on pins"),
    };
    vec![outcome]
}

async fn on_bodies(
    world: &World<'_>,
    operation: Operation,
    objects: &Objects,
    caller: &Caller,
) -> Vec<Outcome> {
    let (service, by, chat) = (world.service, caller.credential, objects.chat);
    let page = PageRequest::newest(9);
    match operation {
        Operation::DiffRead => {
            let request = DiffRequest::default();
            vec![
                Outcome::of(&diffs::diff(service, by, chat, request).await),
                Outcome::of(&diffs::of_heads(service, by, objects.agent, request).await),
            ]
        }
        Operation::ResourceRead => {
            let resource = ResourceId::of(Kind::InstructionFile, "/w/AGENTS.md");
            vec![Outcome::of(
                &contexts::resource(service, by, chat, resource).await,
            )]
        }
        Operation::PromptRead => {
            let known = Some(BlobHash::of(b"something else"));
            vec![
                Outcome::of(&prompts::prompt(service, by, chat, None).await),
                Outcome::of(&prompts::prompt(service, by, chat, known).await),
                Outcome::of(&turns::prompt(service, by, chat, 1, None).await),
                Outcome::of(&instructions::on_demand(service, by, chat, "a").await),
            ]
        }
        Operation::SkillRead => vec![
            Outcome::of(&skills::list(service, by, chat).await),
            Outcome::of(&skills::read(service, by, chat, "pdf", Reader::Person).await),
            Outcome::of(&skills::file(service, by, chat, "pdf", "a").await),
        ],
        Operation::ToolRead => vec![Outcome::of(&skills::tools(service, by, chat).await)],
        Operation::TurnBegin => {
            let request = TurnRequest {
                reference: None,
                delivery: Some(Delivery::Delivered),
            };
            vec![Outcome::of(
                &turns::begin(service, by, chat, &request).await,
            )]
        }
        Operation::TurnList => vec![Outcome::of(&turns::list(service, by, chat, &page).await)],
        Operation::TurnRead => vec![Outcome::of(&turns::read(service, by, chat, 1).await)],
        Operation::EvidenceKeyRead => vec![Outcome::of(&evidence::key(service, by).await)],
        Operation::EvidenceAdd => {
            let key = evidence::key(service, world.owner.1).await.unwrap().name();
            // The same row again is no refusal.
            let handed_in = handed_in(key, row("requests of one turn"));
            vec![Outcome::of(
                &evidence::add(service, by, chat, 1, &handed_in).await,
            )]
        }
        Operation::ExposureRead => {
            let content = BlobHash::of(b"One.\n");
            vec![Outcome::of(&exposures::read(service, by, content).await)]
        }
        other => unreachable!("{other} is not on bodies"),
    }
}

async fn on_people(
    world: &World<'_>,
    operation: Operation,
    objects: &Objects,
    caller: &Caller,
) -> Vec<Outcome> {
    let (service, by) = (world.service, caller.credential);
    let page = PageRequest::newest(9);
    // The new token has the scopes of the caller's.
    let scopes = match &caller.actor {
        Some(Actor::User { scopes, .. }) => *scopes,
        _ => "read".parse().unwrap(),
    };
    let mut request = TokenRequest {
        label: None,
        scopes,
        expires_at: None,
        user: None,
    };
    let outcome = match operation {
        Operation::UserCreate => {
            let name = Uuid::now_v7().to_string();
            Outcome::of(&people::user_create(service, by, &name, Roles::default()).await)
        }
        Operation::UserList => Outcome::of(&people::users(service, by, &page).await),
        Operation::UserChange => {
            let change = UserChange {
                disabled: Some(true),
                ..UserChange::default()
            };
            Outcome::of(&people::user_change(service, by, objects.user, &change).await)
        }
        Operation::UsageRead => Outcome::of(&quotas::usage(service, by, Some(world.owner.0)).await),
        Operation::QuotaChange => {
            let change = QuotaChange {
                agents: Some(Some(7)),
                ..QuotaChange::default()
            };
            Outcome::of(&quotas::change(service, by, objects.user, &change).await)
        }
        Operation::SignIn => Outcome::of(&sign_in::with_token(service, by, None).await),
        Operation::SignInCodeCreate => Outcome::of(&sign_in::sign_in_code(service, by).await),
        Operation::TokenCreate => Outcome::of(&people::token_create(service, by, &request).await),
        Operation::TokenCreateFor => {
            request.user = Some(objects.user);
            Outcome::of(&people::token_create(service, by, &request).await)
        }
        Operation::TokenList => Outcome::of(&people::tokens(service, by, &page).await),
        Operation::TokenChildren => {
            Outcome::of(&people::token_children(service, by, objects.token, &page).await)
        }
        Operation::TokenRevoke => {
            Outcome::of(&people::token_revoke(service, by, objects.token, Revocation::Alone).await)
        }
        Operation::MeRead => Outcome::of(&people::me(service, by).await),
        Operation::AuditRead => {
            Outcome::of(&people::audit_log(service, by, &AuditFilter::default(), &page).await)
        }
        Operation::MetricsRead => Outcome::of(&people::require_metrics(service, by).await),
        other => unreachable!("{other} is not on people"),
    };
    vec![outcome]
}
