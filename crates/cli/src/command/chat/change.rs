//! `ctxpin chat bind`, `set`, `archive` and `delete`.

use clap::Args;
use ctxpin_protocol::http::chats::{Chat, ChatChange};

use super::settings::Settings;
use super::{name, state};
use crate::chat_choice::{self, CHAT_VARIABLE, ChatArgument, ChatOption, agent_named};
use crate::command::Output;
use crate::connect::Connected;
use crate::say::{self, Failure, Hint, NextCommand};
use crate::setting::variable;

/// Bind a chat to another agent, and pin it to that agent's latest push
#[derive(Debug, Args)]
pub struct Bind {
    /// The agent: its id, the last digits of the id (at least 4), or its workspace
    #[arg(required_unless_present = "none", conflicts_with = "none")]
    agent: Option<String>,
    /// Unbind the chat from its agent, and keep the pin
    #[arg(long)]
    none: bool,
    #[command(flatten)]
    chat: ChatOption,
    #[command(flatten)]
    output: Output,
}

impl Bind {
    /// Binds the chat, and prints it.
    ///
    /// # Errors
    ///
    /// Fails if there is no such chat, or the server refuses.
    pub async fn run(self, connected: &Connected) -> Result<(), Failure> {
        let agent = match &self.agent {
            Some(agent) => Some(agent_named(&connected.client, agent).await?.uuid()),
            None => None,
        };
        let change = ChatChange {
            agent_id: Some(agent),
            ..ChatChange::default()
        };
        let id = chat_choice::chat(connected, self.chat.named()).await?;
        let chat = connected.client.chat_change(id, &change).await?;
        said(&chat, self.output)
    }
}

/// Change a chat's settings
#[derive(Debug, Args)]
#[command(mut_group("settings", |settings| settings.required(true).arg("no_title")))]
pub struct Set {
    #[command(flatten)]
    chat: ChatArgument,
    #[command(flatten)]
    settings: Settings,
    /// Remove the title
    #[arg(long, conflicts_with = "title")]
    no_title: bool,
    #[command(flatten)]
    output: Output,
}

impl Set {
    /// Changes the chat, and prints it.
    ///
    /// # Errors
    ///
    /// Fails if there is no such chat, or the server refuses.
    pub async fn run(self, connected: &Connected) -> Result<(), Failure> {
        let mut change = self.settings.change();
        if self.no_title {
            change.title = Some(None);
        }
        let id = chat_choice::chat(connected, self.chat.named()).await?;
        let chat = connected.client.chat_change(id, &change).await?;
        said(&chat, self.output)
    }
}

/// Archive a chat: it keeps its pin and shows no drift
#[derive(Debug, Args)]
pub struct Archive {
    #[command(flatten)]
    chat: ChatArgument,
    /// Unarchive the chat
    #[arg(long)]
    undo: bool,
    #[command(flatten)]
    output: Output,
}

impl Archive {
    /// Archives or unarchives the chat, and prints it.
    ///
    /// # Errors
    ///
    /// Fails if there is no such chat, or the server refuses.
    pub async fn run(self, connected: &Connected) -> Result<(), Failure> {
        if self.undo && self.chat.named().is_none() && variable(CHAT_VARIABLE).is_none() {
            return Err(Failure::usage("name the archived chat")
                .hint(Hint::run(NextCommand::ChatListArchived, "shows them")));
        }
        let change = ChatChange {
            archived: Some(!self.undo),
            ..ChatChange::default()
        };
        let id = chat_choice::chat(connected, self.chat.named()).await?;
        let chat = connected.client.chat_change(id, &change).await?;
        said(&chat, self.output)
    }
}

/// Delete a chat permanently, with its history and turns
#[derive(Debug, Args)]
pub struct Delete {
    /// The chat: its id, or the last digits of the id (at least 4)
    chat: String,
}

impl Delete {
    /// Deletes the chat.
    ///
    /// # Errors
    ///
    /// Fails if there is no such chat, or the server refuses.
    pub async fn run(self, connected: &Connected) -> Result<(), Failure> {
        let id = chat_choice::chat_named(&connected.client, &self.chat).await?;
        connected.client.chat_delete(id).await?;
        say::print(&format!("deleted chat {}\n", say::id(id.uuid())))
    }
}

fn said(chat: &Chat, output: Output) -> Result<(), Failure> {
    if output.json {
        return say::print_json(chat);
    }
    let agent = match chat.agent_id {
        Some(agent) => format!("agent {}", say::id(agent)),
        None => "no agent".to_owned(),
    };
    let pin = match &chat.context.snapshot {
        Some(snapshot) => format!("pinned to {}", say::hash(snapshot)),
        None => "not pinned".to_owned(),
    };
    say::print(&format!(
        "chat {}: {agent}, policy {}, tools {}, {pin}, {}\n",
        name(chat),
        chat.policy,
        chat.tools,
        state(chat)
    ))
}
