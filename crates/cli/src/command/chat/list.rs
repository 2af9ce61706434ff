//! `ctxpin chat list`.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use ctxpin_client::Client;
use ctxpin_model::evidence::Verdict;
use ctxpin_model::mode::Mode;
use ctxpin_protocol::http::chats::{Chat, ChatQuery};
use ctxpin_protocol::http::page::PageQuery;
use uuid::Uuid;

use super::state;
use super::turns::last_verdict;
use super::twins::twins;
use crate::chat_choice::agent_named;
use crate::command::user::user_to_read;
use crate::command::{Output, PageArguments, say_next, words};
use crate::connect::Connected;
use crate::pages::each_item;
use crate::say::{self, Failure, Table};

/// List your chats, newest first
#[derive(Debug, Args)]
pub struct List {
    /// Only chats of this agent: its id, the last digits of the id, or its workspace
    #[arg(long)]
    agent: Option<String>,
    /// Only chats of this user, for auditors and admins: admins give the name, the id or its last digits, auditors the
    /// id
    #[arg(long, value_name = "USER")]
    owner: Option<String>,
    /// Only chats that are behind their workspace
    #[arg(long, alias = "dirty", conflicts_with = "clean")]
    behind: bool,
    /// Only chats that are not
    #[arg(long)]
    clean: bool,
    /// Only chats of this mode
    #[arg(long, value_parser = words(Mode::ALL, Mode::as_str))]
    mode: Option<Mode>,
    /// Only chats with this verdict about the newest turn that has evidence; a disputed one deviates too
    #[arg(long, value_parser = words(Verdict::ALL, Verdict::as_str))]
    verdict: Option<Verdict>,
    /// Only archived chats
    #[arg(long, conflicts_with = "all")]
    archived: bool,
    /// Include archived chats
    #[arg(long)]
    all: bool,
    /// Only chats of this client
    #[arg(long)]
    client: Option<String>,
    /// Only chats with this reference
    #[arg(long)]
    reference: Option<String>,
    /// Only chats whose title contains this text, whatever its case
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    #[command(flatten)]
    page: PageArguments,
    #[command(flatten)]
    output: Output,
}

impl List {
    /// Prints a page of the chats.
    ///
    /// # Errors
    ///
    /// Fails if there is no such chat, or the server refuses.
    pub async fn run(self, connected: &Connected) -> Result<(), Failure> {
        let client = &connected.client;
        let agent = match &self.agent {
            Some(agent) => Some(agent_named(client, agent).await?.uuid()),
            None => None,
        };
        let owner = match &self.owner {
            Some(owner) => Some(user_to_read(client, owner).await?.uuid()),
            None => None,
        };
        let query = ChatQuery {
            agent,
            owner,
            dirty: (self.behind || self.clean).then_some(self.behind),
            mode: self.mode.map(|mode| mode.to_string()),
            verdict: self.verdict.map(|verdict| verdict.to_string()),
            archived: (!self.all).then_some(self.archived),
            client: self.client,
            reference: self.reference,
            title: self.title,
            cursor: self.page.cursor,
            limit: Some(self.page.limit),
        };
        let page = client.chats(&query).await?;
        if self.output.json {
            return say::print_json(&page);
        }
        if page.items.is_empty() {
            if page.next.is_some() {
                say::note("no such chats among the newest 10000");
                say_next(page.next.as_deref());
                return Ok(());
            }
            say::note("no such chats; `ctxpin chat new` creates one");
            return Ok(());
        }
        let twins = twins(&workspaces(client, &page.items).await?);
        let agent = |agent: Uuid| match twins.get(&agent) {
            Some(end) => format!("{} {end}", say::id(agent)),
            None => say::id(agent),
        };
        let now = say::now();
        let mut table = Table::new(&[
            "id", "title", "client", "state", "verdict", "policy", "pin", "agent", "created",
        ]);
        for chat in &page.items {
            table.row([
                say::id(chat.id),
                chat.title.clone().unwrap_or_default(),
                chat.client.clone().unwrap_or_default(),
                state(chat),
                chat.last_verdict
                    .as_ref()
                    .map(last_verdict)
                    .unwrap_or_default(),
                chat.policy.clone(),
                chat.context
                    .snapshot
                    .as_deref()
                    .map(say::hash)
                    .unwrap_or_default(),
                chat.agent_id.map(agent).unwrap_or_default(),
                say::ago(chat.created_at, now),
            ]);
        }
        say::print(&table.text())?;
        say_next(page.next.as_deref());
        Ok(())
    }
}

/// Returns the workspaces of the chats' agents, if there are several agents.
async fn workspaces(client: &Client, chats: &[Chat]) -> Result<BTreeMap<Uuid, String>, Failure> {
    let agents: BTreeSet<_> = chats.iter().filter_map(|chat| chat.agent_id).collect();
    let mut workspaces = BTreeMap::new();
    if agents.len() > 1 {
        let read = async |page: &PageQuery| client.agents(page).await;
        each_item(read, |agent| {
            if agents.contains(&agent.id) {
                workspaces.insert(agent.id, agent.workspace);
            }
        })
        .await?;
    }
    Ok(workspaces)
}
