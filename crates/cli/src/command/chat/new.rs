//! `ctxpin chat new`.

use clap::Args;
use ctxpin_model::id::AgentId;
use ctxpin_model::profile::Profile;
use ctxpin_protocol::http::chats::ChatCreate;

use super::settings::Settings;
use super::{name, state};
use crate::chat_choice::{
    IdKind, agent_named, agents_here, chat_named, current_directory, not_watched,
};
use crate::command::source::LocalAgent;
use crate::command::{Output, words};
use crate::connect::Connected;
use crate::say::{self, Failure, Hint, NextCommand};

/// Create a chat, pinned to its agent's latest push
#[derive(Debug, Args)]
pub struct New {
    #[command(flatten)]
    settings: Settings,
    /// The agent of the chat: its id, the last digits of the id, or its workspace [default: the
    /// agent of this directory]
    #[arg(long, conflicts_with = "no_agent")]
    agent: Option<String>,
    /// The tool whose agent on this directory the chat gets; the running `ctxpin up` makes it if it is
    /// missing
    #[arg(long, value_name = "TOOL", conflicts_with_all = ["agent", "no_agent", "parent"],
          value_parser = words(Profile::ALL, Profile::as_str))]
    profile: Option<Profile>,
    /// Create a chat without an agent
    #[arg(long)]
    no_agent: bool,
    /// The chat to inherit the pin and the agent from: its id, or the last digits of the id
    #[arg(long, value_name = "CHAT", conflicts_with_all = ["agent", "no_agent"])]
    parent: Option<String>,
    /// The program that holds the conversation
    #[arg(long)]
    client: Option<String>,
    /// That program's own id for the chat; the same client and reference return the same chat
    #[arg(long)]
    reference: Option<String>,
    #[command(flatten)]
    output: Output,
}

impl New {
    /// Returns the agent of this directory: the one of the profile, or the first one if none is named.
    async fn agent_here(&self, connected: &Connected) -> Result<AgentId, Failure> {
        let first_of = |profiles| {
            let here = agents_here(connected, profiles)?;
            Ok::<_, Failure>(here.and_then(|(agents, _)| agents.into_iter().next()))
        };
        let Some(profile) = self.profile else {
            let first = first_of(Profile::ALL)?;
            return first.ok_or_else(|| not_watched(connected, IdKind::Agent));
        };
        // The process that watches the project makes the agent of this very directory.
        if let (Some(_), Ok(process)) = (&connected.local, LocalAgent::default().find().await) {
            let attached = process.attach(&current_directory()?, profile).await?;
            if let Some(agent) = attached.agent_id {
                return Ok(AgentId::from(agent));
            }
        }
        first_of(&[profile])?.ok_or_else(|| {
            Failure::new(format!(
                "no agent of the profile `{profile}` watches this directory"
            ))
            .hint(Hint::run(
                NextCommand::Up,
                "with --profile serves a tool too",
            ))
        })
    }

    /// Creates the chat, and prints it.
    ///
    /// # Errors
    ///
    /// Fails if there is no such chat, or the server refuses.
    pub async fn run(self, connected: &Connected) -> Result<(), Failure> {
        let client = &connected.client;
        let parent = match &self.parent {
            Some(parent) => Some(chat_named(client, parent).await?.uuid()),
            None => None,
        };
        let agent = match &self.agent {
            Some(agent) => Some(agent_named(client, agent).await?.uuid()),
            None if self.no_agent || parent.is_some() => None,
            None => Some(self.agent_here(connected).await?.uuid()),
        };
        let opened = client
            .chat_create(&ChatCreate {
                client: self.client,
                reference: self.reference,
                agent_id: agent,
                parent_id: parent,
                ..self.settings.create()
            })
            .await?;
        let chat = &opened.chat;
        if self.output.json {
            return say::print_json(chat);
        }
        let pin = match &chat.context.snapshot {
            Some(snapshot) => format!("pinned to {}, {}", say::hash(snapshot), state(chat)),
            None => "not pinned yet".to_owned(),
        };
        let verb = if opened.is_new { "opened" } else { "found" };
        say::print(&format!("{verb} chat {}, {pin}\n", name(chat)))
    }
}
