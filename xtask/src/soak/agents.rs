//! The agents: each opens sessions and pushes random workspaces, and now and then an old process
//! of it goes on after its successor.

use std::time::Instant;

use ctxpin_client::Client;
use ctxpin_protocol::http::agents::SessionOpen;
use ctxpin_protocol::http::push::PushAnswer;
use ctxpin_protocol::problem::ProblemName;
use rand::RngExt as _;
use uuid::Uuid;

use super::caller::{Caller, Outcome};
use super::ledger::{PushSeen, SessionSeen, Span};
use super::workspace::Workspace;

/// A session of one process of the agent.
#[derive(Debug, Clone, Copy)]
struct Session {
    epoch: i64,
    version: i64,
}

/// Pushes until `deadline`. It begins late, so that chats are bound to it before its first push.
pub async fn run(mut caller: Caller, agent: Uuid, deadline: Instant) {
    caller.pause(2_000).await;
    let Some(mut session) = open(&mut caller, agent).await else {
        return;
    };
    let mut older: Option<Session> = None;
    while Instant::now() < deadline {
        if caller.chance(6) {
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
            push(&mut caller, agent, *old).await;
        } else {
            session.version += 1;
            if push(&mut caller, agent, session).await {
                // Fenced: only a process that is no longer the newest may be.
                let mut state = caller.ledger.open();
                state.violation(format!(
                    "agent {agent}: its newest epoch {} was fenced",
                    session.epoch
                ));
                return;
            }
        }
        caller.pause(400).await;
    }
}

/// Pushes one random workspace, repeating a push whose answer was lost, mostly. True if it was
/// fenced.
async fn push(caller: &mut Caller, agent: Uuid, session: Session) -> bool {
    let workspace = Workspace::draw(&mut caller.random);
    let mut with_bytes = caller.chance(60);
    loop {
        let client = caller.client();
        match attempt(caller, &client, session, &workspace, with_bytes).await {
            Outcome::Acknowledged(answer, span) => {
                note(caller, agent, session, &workspace, &answer, span);
                return false;
            }
            Outcome::Refused(Some(ProblemName::MissingBlobs)) if !with_bytes => with_bytes = true,
            Outcome::Refused(Some(ProblemName::Fenced)) => return true,
            Outcome::Refused(name) => {
                let mut state = caller.ledger.open();
                state.violation(format!("agent {agent}: a push was refused: {name:?}"));
                return false;
            }
            Outcome::Unknown => {
                // Some agents come back with something newer instead.
                if !caller.await_any().await || caller.chance(25) {
                    return false;
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

/// Notes an acknowledged push.
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

/// Opens the session of a process, until it is acknowledged.
async fn repeat_open(caller: &mut Caller, agent: Uuid, process: Uuid) -> Option<Session> {
    loop {
        let client = caller.client();
        match open_once(caller, &client, agent, process).await {
            Outcome::Acknowledged(epoch, _) => return Some(Session { epoch, version: 0 }),
            Outcome::Refused(name) => {
                let mut state = caller.ledger.open();
                state.violation(format!("agent {agent}: no session: {name:?}"));
                return None;
            }
            Outcome::Unknown => {
                if !caller.await_any().await {
                    return None;
                }
            }
        }
    }
}

async fn open_once(caller: &Caller, client: &Client, agent: Uuid, process: Uuid) -> Outcome<i64> {
    let open = SessionOpen { process };
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
