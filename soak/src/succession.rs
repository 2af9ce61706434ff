//! The end of agents while callers work on their chats: in each round, one agent is deleted, and
//! another one is replaced by a successor, which is replaced in turn.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ctxpin_client::Client;
use ctxpin_model::id::AgentId;
use ctxpin_protocol::http::agents::AgentCreate;
use ctxpin_protocol::http::people::Secret;
use ctxpin_protocol::problem::ProblemName;
use rand::RngExt as _;
use url::Url;
use uuid::Uuid;

use crate::agents;
use crate::caller::Caller;
use crate::holders::Round;
use crate::ledger::{Ledger, Presence};
use crate::servers::LOOK_INTERVAL;

/// Successors of one agent in a round.
const SUCCESSORS: u32 = 2;

/// How long the soak still requests chats on an agent after its replacement. The server refuses
/// these requests.
const REFUSED_FOR: Duration = Duration::from_secs(1);

/// Deletes `agent` about half-way to `deadline`.
pub async fn delete(mut caller: Caller, round: Arc<Round>, agent: Uuid, deadline: Instant) {
    let half = (deadline - Instant::now()) / 2;
    tokio::time::sleep(half.mul_f64(caller.random.random_range(0.8..1.2))).await;
    round.agents_change(None, Some(agent));
    note_presence(&caller.ledger, agent, Presence::Doubtful);
    let id = AgentId::from(agent);
    let request = |client: Client| async move { client.agent_delete(id).await };
    match caller.call_until_answered("agent delete", request).await {
        // A repeated request finds it deleted.
        Some(Ok(_) | Err(Some(ProblemName::NotFound))) => {
            note_presence(&caller.ledger, agent, Presence::Gone);
        }
        Some(Err(name)) => {
            let mut state = caller.ledger.open();
            state.violation(format!("agent {agent} was not deleted: {name:?}"));
        }
        None => {}
    }
}

fn note_presence(ledger: &Ledger, agent: Uuid, presence: Presence) {
    ledger.open().agents.entry(agent).or_default().presence = presence;
}

/// The agent that is replaced, and what its successors need.
pub struct Line {
    pub agent: Uuid,
    /// The name of its workspace, which its successors share.
    pub workspace: String,
    /// The servers that the successors push to.
    pub addresses: Vec<Url>,
}

/// Replaces an agent by a second one, and the second by a third, well before `deadline`. Each
/// successor pushes; its predecessor pushes too, until the server refuses it.
pub async fn replace(mut caller: Caller, round: Arc<Round>, line: Line, deadline: Instant) {
    let step = (deadline - Instant::now()) / (SUCCESSORS + 1);
    let mut old = line.agent;
    let mut pushing = tokio::task::JoinSet::new();
    for number in 1..=SUCCESSORS {
        tokio::time::sleep(step.mul_f64(caller.random.random_range(0.6..0.9))).await;
        let Some((new, token)) = create(&mut caller, &line, old).await else {
            return;
        };
        round.agents_change(Some(new), None);
        let seed = caller.random.random();
        match Caller::new(&line.addresses, &token, &caller.ledger, seed) {
            Ok(pusher) => drop(pushing.spawn(agents::run(pusher, new, deadline))),
            Err(error) => caller.ledger.open().violation(error),
        }
        // Meanwhile the soak creates chats on the old agent. They move to the successor.
        while caller.ledger.open().taken_over(old).is_none() {
            if Instant::now() >= deadline {
                break;
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
        tokio::time::sleep(REFUSED_FOR).await;
        round.agents_change(None, Some(old));
        if number < SUCCESSORS && Instant::now() + step >= deadline {
            break;
        }
        old = new;
    }
    while let Some(ended) = pushing.join_next().await {
        if let Err(error) = ended {
            caller
                .ledger
                .open()
                .violation(format!("a successor failed: {error}"));
        }
    }
}

/// Creates the successor of an agent. The request names the agent by its id, or as the one of the
/// same workspace.
async fn create(caller: &mut Caller, line: &Line, old: Uuid) -> Option<(Uuid, Secret)> {
    let replaces = if caller.chance(50) {
        old.to_string()
    } else {
        "same".to_owned()
    };
    let request = AgentCreate {
        workspace: line.workspace.clone(),
        name: None,
        may_refresh: false,
        replaces: Some(replaces),
        ..AgentCreate::default()
    };
    let create = |client: Client| {
        let request = request.clone();
        async move { client.agent_create(&request).await }
    };
    match caller.call_until_answered("agent replace", create).await? {
        Ok((created, _)) => {
            let mut state = caller.ledger.open();
            state.agents.entry(created.agent.id).or_default();
            state.agents.entry(old).or_default().successor = Some(created.agent.id);
            Some((created.agent.id, created.token))
        }
        Err(name) => {
            let mut state = caller.ledger.open();
            state.violation(format!("agent {old} could not be replaced: {name:?}"));
            None
        }
    }
}
