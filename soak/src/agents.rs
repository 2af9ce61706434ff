//! The agents. Each opens sessions and pushes random workspaces. Sometimes an old process of an
//! agent continues beside its successor, and sometimes an agent requests a refresh of its owner's
//! chats.

use std::time::Instant;

use ctxpin_client::Client;
use ctxpin_protocol::http::agents::SessionOpen;
use ctxpin_protocol::http::push::PushAnswer;
use ctxpin_protocol::problem::ProblemName;
use rand::RngExt as _;
use uuid::Uuid;

use crate::caller::{Caller, Outcome};
use crate::ledger::{Presence, PushSeen, SessionSeen, Span};
use crate::workspace::Workspace;

/// A session of one process of the agent.
#[derive(Debug, Clone, Copy)]
struct Session {
    epoch: i64,
    version: i64,
}

/// Pushes until `deadline`. The agent begins late, so that chats are bound to it before its first
/// push.
pub async fn run(mut caller: Caller, agent: Uuid, deadline: Instant) {
    caller.pause(2_000).await;
    let Some(mut session) = open(&mut caller, agent).await else {
        return;
    };
    let mut older: Option<Session> = None;
    while Instant::now() < deadline {
        if caller.chance(8) {
            refresh(&mut caller, agent, session).await;
        } else if caller.chance(6) {
            // Its own last push races with its successor's session.
            let mut racing = session;
            let workspace = Workspace::draw(&mut caller.random);
            let process = draw_process(&mut caller);
            let client = caller.client();
            racing.version += 1;
            let pushed = attempt(&caller, &client, racing, &workspace, true);
            let opened = open_once(&caller, &client, agent, process);
            let (pushed, _) = tokio::join!(pushed, opened);
            if let Outcome::Acknowledged(answer, span) = pushed {
                note(&caller, agent, racing, &workspace, &answer, span);
            }
            older = Some(racing);
            match repeat_open(&mut caller, agent, process).await {
                Some(opened) => session = opened,
                None => return,
            }
        } else if let (Some(old), true) = (&mut older, caller.chance(15)) {
            old.version += 1;
            if push(&mut caller, agent, *old).await == Pushed::Ended {
                return;
            }
        } else {
            session.version += 1;
            match push(&mut caller, agent, session).await {
                Pushed::Done => {}
                Pushed::Ended => return,
                Pushed::Fenced => {
                    // Only a process that is no longer the newest may be.
                    let mut state = caller.ledger.open();
                    state.violation(format!(
                        "agent {agent}: its newest epoch {} was fenced",
                        session.epoch
                    ));
                    return;
                }
            }
        }
        caller.pause(400).await;
    }
}

/// The result of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pushed {
    /// It was accepted, or is unknown.
    Done,
    /// A newer process has taken over.
    Fenced,
    /// The agent was replaced or deleted. The server refuses every further request.
    Ended,
}

/// Returns whether the response says that the agent is replaced or deleted, and somebody had
/// requested that.
fn is_ended(caller: &Caller, agent: Uuid, name: Option<ProblemName>) -> bool {
    let state = caller.ledger.open();
    let Some(book) = state.agents.get(&agent) else {
        return false;
    };
    match name {
        Some(ProblemName::AgentReplaced) => book.successor.is_some(),
        Some(ProblemName::Unauthenticated | ProblemName::NotFound) => {
            book.presence != Presence::There
        }
        _ => false,
    }
}

/// Returns whether the agent may be deleted, so that no server proves itself to it any more.
fn may_be_deleted(caller: &Caller, agent: Uuid) -> bool {
    let state = caller.ledger.open();
    let book = state.agents.get(&agent);
    book.is_some_and(|book| book.presence != Presence::There)
}

/// Requests a refresh of the owner's chats. Only an agent that was created with this right may do
/// that.
async fn refresh(caller: &mut Caller, agent: Uuid, session: Session) {
    let client = caller.client();
    let call = caller.call("agent refresh", client.agent_refresh(session.epoch));
    let outcome = call.await;
    let may_refresh = {
        let state = caller.ledger.open();
        state
            .agents
            .get(&agent)
            .is_some_and(|book| book.may_refresh)
    };
    let holds = match &outcome {
        Outcome::Acknowledged(..) => may_refresh,
        Outcome::Refused(Some(ProblemName::Forbidden)) => !may_refresh,
        Outcome::Refused(name) => is_ended(caller, agent, *name),
        Outcome::Unknown => {
            caller.await_any().await;
            return;
        }
    };
    let mut state = caller.ledger.open();
    state.check(holds, || {
        let says = match outcome {
            Outcome::Acknowledged(..) => "acknowledged".to_owned(),
            Outcome::Refused(name) => format!("refused: {name:?}"),
            Outcome::Unknown => "unknown".to_owned(),
        };
        format!("agent {agent}, with leave {may_refresh}: a refresh was {says}")
    });
}

/// Pushes one random workspace, and mostly repeats a push whose response was lost.
async fn push(caller: &mut Caller, agent: Uuid, session: Session) -> Pushed {
    let workspace = Workspace::draw(&mut caller.random);
    let mut with_bytes = caller.chance(60);
    loop {
        let client = caller.client();
        match attempt(caller, &client, session, &workspace, with_bytes).await {
            Outcome::Acknowledged(answer, span) => {
                note(caller, agent, session, &workspace, &answer, span);
                return Pushed::Done;
            }
            Outcome::Refused(Some(ProblemName::MissingBlobs)) if !with_bytes => with_bytes = true,
            Outcome::Refused(Some(ProblemName::Fenced)) => return Pushed::Fenced,
            Outcome::Refused(name) if is_ended(caller, agent, name) => return Pushed::Ended,
            Outcome::Refused(name) => {
                let mut state = caller.ledger.open();
                state.violation(format!("agent {agent}: a push was refused: {name:?}"));
                return Pushed::Ended;
            }
            Outcome::Unknown => {
                // Some agents come back with something newer instead.
                if !caller.await_any().await || caller.chance(25) {
                    return Pushed::Done;
                }
            }
        }
    }
}

async fn attempt(
    caller: &Caller,
    client: &Client,
    session: Session,
    workspace: &Workspace,
    with_bytes: bool,
) -> Outcome<PushAnswer> {
    let push = workspace.push(session.epoch, session.version, with_bytes);
    caller.call("push", client.push(&push)).await
}

/// Records an acknowledged push.
fn note(
    caller: &Caller,
    agent: Uuid,
    session: Session,
    workspace: &Workspace,
    answer: &PushAnswer,
    span: Span,
) {
    let mut state = caller.ledger.open();
    let (epoch, version) = (session.epoch, session.version);
    let (true, Some(snapshot), Some(seq)) = (answer.accepted, &answer.snapshot, answer.seq) else {
        // Versions of one process are sent one after the other, so that each is newer.
        let says = format!("agent {agent}: push {epoch}.{version} was answered {answer:?}");
        state.violation(says);
        return;
    };
    state.listing(snapshot, workspace.listing());
    let seen = PushSeen {
        epoch,
        version,
        snapshot: snapshot.clone(),
        seq,
        span,
    };
    state.agents.entry(agent).or_default().pushes.push(seen);
}

fn draw_process(caller: &mut Caller) -> Uuid {
    Uuid::from_u128(caller.random.random())
}

async fn open(caller: &mut Caller, agent: Uuid) -> Option<Session> {
    let process = draw_process(caller);
    repeat_open(caller, agent, process).await
}

/// Opens the session of a process. Repeats that until the session is acknowledged or the agent may
/// be deleted.
async fn repeat_open(caller: &mut Caller, agent: Uuid, process: Uuid) -> Option<Session> {
    loop {
        let client = caller.client();
        match open_once(caller, &client, agent, process).await {
            Outcome::Acknowledged(epoch, _) => return Some(Session { epoch, version: 0 }),
            Outcome::Refused(name) => {
                if !is_ended(caller, agent, name) {
                    let mut state = caller.ledger.open();
                    state.violation(format!("agent {agent}: no session: {name:?}"));
                }
                return None;
            }
            Outcome::Unknown => {
                if may_be_deleted(caller, agent) || !caller.await_any().await {
                    return None;
                }
            }
        }
    }
}

async fn open_once(caller: &Caller, client: &Client, agent: Uuid, process: Uuid) -> Outcome<i64> {
    let open = SessionOpen {
        process,
        polling: None,
    };
    match caller.call("session", client.session_open(&open)).await {
        Outcome::Acknowledged(session, span) => {
            let mut state = caller.ledger.open();
            let seen = SessionSeen {
                process,
                epoch: session.epoch,
                span,
            };
            state.agents.entry(agent).or_default().sessions.push(seen);
            Outcome::Acknowledged(session.epoch, span)
        }
        Outcome::Refused(name) => Outcome::Refused(name),
        Outcome::Unknown => Outcome::Unknown,
    }
}
