//! `ctxpin watch`: the events of chats and agents.

use std::ops::ControlFlow;
use std::time::Duration;

use clap::Args;
use ctxpin_client::error::{ClientError, is_transient};
use ctxpin_client::{Client, Watch as Events};
use ctxpin_model::id::ChatId;
use ctxpin_protocol::watch::Event;
use futures_util::StreamExt;
use serde_json::{Value, json};

use super::agent::state;
use crate::chat_choice;
use crate::connect::Connection;
use crate::say::{self, Failure};

/// Shortest and longest pause between attempts to reconnect to the server.
const RETRY_PAUSE_MIN: Duration = Duration::from_millis(250);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(5);

/// Print the state of your chats and agents, then a line for each change
#[derive(Debug, Args)]
pub struct Watch {
    /// Only this chat: its id, or the last digits of the id (at least 4)
    chat: Option<String>,
    /// Print each event as one line of JSON: {"event": NAME, "data": SHAPE}
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Watch {
    /// Prints events until the process is interrupted or nobody reads them any more. If the connection is lost, reconnects, and
    /// the server sends the whole state again.
    ///
    /// # Errors
    ///
    /// Fails if there is no such chat, or the server refuses to continue.
    pub async fn run(self) -> Result<(), Failure> {
        let client = self.connection.connect()?.client;
        let chat = match &self.chat {
            Some(chat) => Some(chat_choice::chat_named(&client, chat).await?),
            None => None,
        };
        let mut events = open(&client, chat).await?;
        loop {
            let error = match events.next().await {
                Some(Ok(Event::Closed(problem))) if !is_transient(problem.status) => {
                    return Err(Failure::new(problem.to_string()));
                }
                Some(Ok(Event::Closed(problem))) => Some(problem.to_string()),
                Some(Ok(event)) => match say::stream(&line(&event, self.json)?)? {
                    ControlFlow::Continue(()) => continue,
                    ControlFlow::Break(()) => return Ok(()),
                },
                Some(Err(error)) if error.is_transient() => Some(error.to_string()),
                Some(Err(error)) => return Err(error.into()),
                None => None,
            };
            let reason = error.unwrap_or_else(|| "the server ended the stream".to_owned());
            say::note(&format!("{}; reconnecting", say::line(&reason)));
            events = open_again(&client, chat).await?;
        }
    }
}

async fn open(client: &Client, chat: Option<ChatId>) -> Result<Events, ClientError> {
    match chat {
        Some(chat) => client.chat_watch(chat).await,
        None => client.watch().await,
    }
}

async fn open_again(client: &Client, chat: Option<ChatId>) -> Result<Events, ClientError> {
    let mut pause = RETRY_PAUSE_MIN;
    loop {
        tokio::time::sleep(pause).await;
        match open(client, chat).await {
            Err(error) if error.is_transient() => {
                pause = error
                    .retry_after()
                    .unwrap_or(pause * 2)
                    .clamp(RETRY_PAUSE_MIN, RETRY_PAUSE_MAX);
            }
            answer => return answer,
        }
    }
}

fn line(event: &Event, is_json: bool) -> Result<String, Failure> {
    let text = match is_json {
        true => {
            let data = event
                .data()
                .and_then(|data| serde_json::from_str::<Value>(&data))
                .map_err(|error| Failure::new("the event is not JSON").because(error))?;
            say::json(&json!({ "event": event.name(), "data": data }).to_string()).into_owned()
        }
        false => words(event),
    };
    Ok(text + "\n")
}

fn words(event: &Event) -> String {
    match event {
        Event::Chat(chat) => format!(
            "chat {}{} {}",
            say::id(chat.id),
            chat.title
                .as_ref()
                .map(|title| format!(" \"{}\"", say::line(title)))
                .unwrap_or_default(),
            super::chat::state(chat)
        ),
        Event::Turn(turn) => format!(
            "turn {} of chat {} {}",
            turn.turn.number,
            say::id(turn.chat_id),
            turn.turn.delivery
        ),
        Event::Agent(agent) => format!(
            "agent {} \"{}\" {}, {}",
            say::id(agent.id),
            say::line(&agent.workspace),
            state(agent),
            match &agent.head {
                Some(head) => format!("head {} (#{})", say::hash(&head.snapshot), head.seq),
                None => "no head".to_owned(),
            }
        ),
        Event::Deleted(deleted) => format!("deleted {}", say::id(deleted.id)),
        Event::Changed(_) => "something changed".to_owned(),
        Event::Ready => "ready: changes follow".to_owned(),
        Event::Closed(problem) => problem.to_string(),
    }
}
