//! The checks after all faults, when no caller works: they compare the servers' responses with the
//! ledger.

mod agents;
mod bindings;
mod chats;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use ctxpin_client::error::ClientError;
use ctxpin_client::{Client, Prompt};
use ctxpin_model::hash::BlobHash;
use ctxpin_model::id::{AgentId, ChatId};
use ctxpin_protocol::http::agents::{Agent, TimelineHead};
use ctxpin_protocol::http::chats::Chat;
use ctxpin_protocol::http::context::Context;
use ctxpin_protocol::http::history::{HistoryEntry, MOVE};
use ctxpin_protocol::http::page::{Page, PageQuery};
use ctxpin_protocol::http::turns::Turn;
use ctxpin_protocol::problem::ProblemName;
use uuid::Uuid;

use crate::ledger::{Ledger, Presence};
use crate::workspace::Listing;

/// The timelines of all agents, oldest head first, and what each agent is now.
type Agents = BTreeMap<Uuid, (Agent, Vec<TimelineHead>)>;

/// Everything that a server returns about one chat.
struct Told {
    chat: Chat,
    context: Context,
    /// Ordered by age, the oldest first.
    history: Vec<HistoryEntry>,
    /// Ordered by age, the oldest first.
    turns: Vec<Turn>,
    prompt: Vec<u8>,
    etag: Option<String>,
    /// The hash of the body of each resource, by source.
    bodies: Listing,
}

/// Compares the servers' responses with the ledger, which also records the violations.
pub async fn check(client: &Client, ledger: &Ledger, chats: &[Uuid]) -> anyhow::Result<()> {
    let ids: Vec<Uuid> = ledger.open().agents.keys().copied().collect();
    let mut found = Agents::new();
    for id in ids {
        let book = ledger.open().agents[&id].clone();
        let agent = match client.agent(AgentId::from(id)).await {
            Err(error) if error.problem_name() == Some(ProblemName::NotFound) => {
                ledger.open().check(book.presence != Presence::There, || {
                    format!("agent {id} was acknowledged and is lost")
                });
                continue;
            }
            agent => agent.with_context(|| format!("reading agent {id}"))?,
        };
        let heads = every(async |page| client.agent_heads(AgentId::from(id), page).await).await?;
        let mut state = ledger.open();
        let taken_over = state.taken_over(id);
        agents::check(&mut state, &agent, &heads, &book, taken_over);
        found.insert(id, (agent, heads));
    }
    for id in chats {
        let book = ledger.open().chats[id].clone();
        let told = read(client, *id).await;
        let mut state = ledger.open();
        match told? {
            None => state.check(book.presence != Presence::There, || {
                format!("chat {id} was acknowledged and is lost")
            }),
            Some(told) => {
                state.check(book.presence != Presence::Gone, || {
                    format!("chat {id} was deleted and is there")
                });
                chats::check(&mut state, &told, &book, &found);
            }
        }
    }
    Ok(())
}

/// Reads a whole list, and returns it with the oldest item first.
async fn every<T>(
    read: impl AsyncFn(&PageQuery) -> Result<Page<T>, ClientError>,
) -> anyhow::Result<Vec<T>> {
    let mut query = PageQuery {
        cursor: None,
        limit: Some(500),
    };
    let mut items = Vec::new();
    loop {
        let page = read(&query).await?;
        items.extend(page.items);
        query.cursor = page.next;
        if query.cursor.is_none() {
            items.reverse();
            return Ok(items);
        }
    }
}

/// Reads everything about a chat. Returns `None` if the chat does not exist.
async fn read(client: &Client, id: Uuid) -> anyhow::Result<Option<Told>> {
    let id = ChatId::from(id);
    let chat = match client.chat(id).await {
        Ok(chat) => chat,
        Err(error) if error.problem_name() == Some(ProblemName::NotFound) => return Ok(None),
        Err(error) => bail!("reading chat {id}: {error}"),
    };
    let context = client.context(id).await?;
    let mut history = every(async |page| client.history(id, &page.clone().into()).await).await?;
    history.retain(|entry| entry.kind == MOVE);
    let turns = every(async |page| client.turns(id, page).await).await?;
    let Prompt::Bytes { bytes, etag } = client.prompt(id, None).await? else {
        bail!("the prompt of chat {id} was called unchanged without a tag to compare");
    };
    let mut bodies = Listing::new();
    for resource in &context.resources {
        let text = client.resource(id, resource.id.parse()?).await?;
        let body = text.body.unwrap_or_default();
        let hash = BlobHash::of(body.as_bytes()).to_string();
        bodies.insert(resource.source.clone(), hash);
    }
    Ok(Some(Told {
        chat,
        context,
        history,
        turns,
        prompt: bytes.to_vec(),
        etag,
        bodies,
    }))
}
