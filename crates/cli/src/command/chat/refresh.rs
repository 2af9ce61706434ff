//! `ctxpin chat refresh`, `decline` and `unpin`: what to do about a drift.

use clap::Args;
use ctxpin_client::Client;
use ctxpin_model::id::ChatId;
use ctxpin_protocol::http::agents::{Head, TimelineHead};
use ctxpin_protocol::http::context::{Context, ContextMove, KindAndSource, Selector};
use ctxpin_protocol::http::page::{PAGE_ITEMS_MAX, PageQuery};
use ctxpin_protocol::problem::ProblemName;

use super::drift;
use crate::chat_choice::{self, ChatArgument, current_directory};
use crate::command::Output;
use crate::connect::Connected;
use crate::say::{self, Failure, Hint, NextCommand, Viewpoint};

/// Maximum number of attempts if the agent pushes in between. If the workspace changes even faster,
/// the command fails.
const TRIES_MAX: usize = 5;

/// The value of `--source` for the facts about a workspace.
const FACTS: &str = "facts";

/// Move the pin to the agent's latest push
#[derive(Debug, Args)]
pub struct Refresh {
    #[command(flatten)]
    chat: ChatArgument,
    /// Take only this snapshot, as `ctxpin chat diff` printed it
    #[arg(long, value_name = "SNAPSHOT")]
    head: Option<String>,
    /// Take only this source: a path, the name of an MCP server, or `facts`; repeatable
    #[arg(long = "source", value_name = "SOURCE")]
    sources: Vec<String>,
    #[command(flatten)]
    output: Output,
}

impl Refresh {
    /// Moves the pin.
    ///
    /// # Errors
    ///
    /// Fails if there is no such chat, or the server refuses.
    pub async fn run(self, connected: &Connected) -> Result<(), Failure> {
        let client = &connected.client;
        let chat = chat_choice::chat(connected, self.chat.named()).await?;
        for _ in 1..TRIES_MAX {
            match self.attempt(client, chat).await {
                // The agent pushed between the two requests. Try again, unless a head was named.
                Err(Attempt::Overtaken(_)) if self.head.is_none() => {}
                answer => return answer.map_err(Attempt::failure),
            }
        }
        self.attempt(client, chat).await.map_err(Attempt::failure)
    }

    async fn attempt(&self, client: &Client, chat: ChatId) -> Result<(), Attempt> {
        let before = client.context(chat).await.map_err(Failure::from)?;
        let head = match &self.head {
            Some(named) => Some(head_named(client, chat, &before, named).await?),
            None => before.head.as_ref().map(|head| head.snapshot.clone()),
        };
        let is_pinned = |head: &Head| before.pin.snapshot.as_ref() == Some(&head.snapshot);
        if self.sources.is_empty() && before.head.as_ref().is_some_and(is_pinned) {
            self.tell(
                "nothing to take: the chat is pinned to its agent's latest push\n",
                &before,
            )?;
            return Ok(());
        }
        let to = ContextMove {
            head,
            sources: self.selectors(&before)?,
            ..ContextMove::default()
        };
        let after = match client.context_move(chat, &to, None).await {
            Err(error) if error.problem_name() == Some(ProblemName::PreconditionFailed) => {
                return Err(Attempt::Overtaken(error.into()));
            }
            answer => answer.map_err(Failure::from)?,
        };
        let viewpoint = Viewpoint::here();
        let taken: Vec<_> = before
            .changes
            .iter()
            .filter(|change| !after.changes.contains(change))
            .cloned()
            .collect();
        let mut text = match taken.is_empty() {
            true => String::new(),
            false => format!("took\n{}", drift::lines(&taken, &viewpoint)),
        };
        text += &format!("{}\n", pinned_now(&after));
        if !after.changes.is_empty() {
            text += &format!(
                "still different\n{}",
                drift::lines(&after.changes, &viewpoint)
            );
        }
        Ok(self.tell(&text, &after)?)
    }

    fn tell(&self, text: &str, context: &Context) -> Result<(), Failure> {
        match self.output.json {
            true => say::print_json(context),
            false => say::print(text),
        }
    }

    /// Returns the sources as the server names them. A path may be relative to the current
    /// directory.
    fn selectors(&self, context: &Context) -> Result<Option<Vec<Selector>>, Failure> {
        if self.sources.is_empty() {
            return Ok(None);
        }
        let here = current_directory()?;
        let selectors = self.sources.iter().map(|source| {
            let is_known = |source: &str| {
                let changes = context.changes.iter().map(|change| &change.source);
                let pinned = context.resources.iter().map(|resource| &resource.source);
                changes.chain(pinned).any(|known| known == source)
            };
            let typed = here.join(source).to_string_lossy().into_owned();
            match () {
                () if is_known(source) => Selector::Source(source.clone()),
                () if is_known(&typed) => Selector::Source(typed),
                () if source == FACTS => Selector::Resource(KindAndSource {
                    kind: FACTS.to_owned(),
                    source: String::new(),
                }),
                () => Selector::Source(source.clone()),
            }
        });
        Ok(Some(selectors.collect()))
    }
}

/// The failure of an attempt to refresh.
enum Attempt {
    Overtaken(Failure),
    Failed(Failure),
}

impl Attempt {
    fn failure(self) -> Failure {
        match self {
            Self::Overtaken(failure) | Self::Failed(failure) => failure,
        }
    }
}

impl From<Failure> for Attempt {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Returns the newest head of the chat's agent whose hash is `named` or begins so. The server decides whether the
/// agent's latest push has the same diff.
async fn head_named(
    client: &Client,
    chat: ChatId,
    context: &Context,
    named: &str,
) -> Result<String, Failure> {
    match &context.head {
        Some(head) if say::hash_starts_with(&head.snapshot, named) => Ok(head.snapshot.clone()),
        Some(head) => {
            let mut heads = newest_heads(client, chat).await?.into_iter();
            let seen = heads.find(|head| say::hash_starts_with(&head.snapshot, named));
            seen.map(|head| head.snapshot).ok_or_else(|| {
                Failure::new(format!(
                    "{} is not the agent's latest push, which is {}",
                    say::line(named),
                    say::hash(&head.snapshot)
                ))
                .hint(Hint::run(
                    NextCommand::ChatDiff,
                    "shows that push; then decide again",
                ))
            })
        }
        None => Err(
            Failure::new("the chat's agent has pushed nothing, or it has none")
                .hint(Hint::run(
                    NextCommand::Up,
                    "in the workspace starts an agent",
                ))
                .hint(Hint::run(
                    NextCommand::ChatBind,
                    "binds the chat to a running agent",
                )),
        ),
    }
}

/// Returns the newest heads of a chat's agent.
async fn newest_heads(client: &Client, chat: ChatId) -> Result<Vec<TimelineHead>, Failure> {
    let Some(agent) = client.chat(chat).await?.agent_id else {
        return Ok(Vec::new());
    };
    let page = PageQuery {
        limit: Some(PAGE_ITEMS_MAX),
        ..PageQuery::default()
    };
    Ok(client.agent_heads(agent.into(), &page).await?.items)
}

fn pinned_now(context: &Context) -> String {
    match &context.pin.snapshot {
        Some(snapshot) => format!("pinned to {}", say::hash(snapshot)),
        None => "not pinned".to_owned(),
    }
}

/// Keep the pin despite the present drift, until the workspace changes again
#[derive(Debug, Args)]
pub struct Decline {
    #[command(flatten)]
    chat: ChatArgument,
    /// Take the decline back, so that the drift waits for a decision again
    #[arg(long)]
    undo: bool,
    /// Decline only this snapshot, as `ctxpin chat diff` printed it
    #[arg(long, value_name = "SNAPSHOT")]
    head: Option<String>,
    #[command(flatten)]
    output: Output,
}

impl Decline {
    /// Declines the drift, or takes a decline back.
    ///
    /// # Errors
    ///
    /// Fails if there is no such chat, or the server refuses.
    pub async fn run(self, connected: &Connected) -> Result<(), Failure> {
        let client = &connected.client;
        let chat = chat_choice::chat(connected, self.chat.named()).await?;
        let context = client.context(chat).await?;
        let head = match (&self.head, &context.head) {
            (Some(named), _) => Some(head_named(client, chat, &context, named).await?),
            (None, Some(head)) if self.is_possible(&context) => Some(head.snapshot.clone()),
            _ => None,
        };
        let Some(head) = head else {
            let nothing = match self.undo {
                true => "nothing to take back: the chat has not declined its drift\n",
                false => "nothing to decline: the chat is not behind\n",
            };
            return match self.output.json {
                true => say::print_json(&context),
                false => say::print(nothing),
            };
        };
        let to = ContextMove {
            decline: (!self.undo).then(|| head.clone()),
            undecline: self.undo.then(|| head.clone()),
            ..ContextMove::default()
        };
        let context = client.context_move(chat, &to, None).await?;
        let (head, pinned) = (say::hash(&head), pinned_now(&context));
        match (self.output.json, self.undo) {
            (true, _) => say::print_json(&context),
            (false, true) => say::print(&format!("{head} waits for a decision again; {pinned}\n")),
            (false, false) => say::print(&format!(
                "declined {head}; {pinned} until the workspace changes again\n"
            )),
        }
    }

    fn is_possible(&self, context: &Context) -> bool {
        context.pin.dirty && (!self.undo || context.pin.declined)
    }
}

/// Clear the pin; the next push, turn or refresh pins the chat anew
#[derive(Debug, Args)]
pub struct Unpin {
    #[command(flatten)]
    chat: ChatArgument,
}

impl Unpin {
    /// Clears the pin.
    ///
    /// # Errors
    ///
    /// Fails if there is no such chat, or the server refuses.
    pub async fn run(self, connected: &Connected) -> Result<(), Failure> {
        let chat = chat_choice::chat(connected, self.chat.named()).await?;
        connected.client.context_clear(chat, None).await?;
        say::print("unpinned; `ctxpin chat rollback` goes back to the last pin\n")
    }
}

/// Render the pin's prompt again if an older release rendered it; the pin stays
#[derive(Debug, Args)]
pub struct Render {
    #[command(flatten)]
    chat: ChatArgument,
    #[command(flatten)]
    output: Output,
}

impl Render {
    /// Renders the prompt anew.
    ///
    /// # Errors
    ///
    /// Fails if there is no such chat, it has no pin, or the server refuses.
    pub async fn run(self, connected: &Connected) -> Result<(), Failure> {
        let client = &connected.client;
        let chat = chat_choice::chat(connected, self.chat.named()).await?;
        let before = client.context(chat).await?;
        let render = ContextMove {
            render: Some(true),
            ..ContextMove::default()
        };
        let after = client.context_move(chat, &render, None).await?;
        if self.output.json {
            return say::print_json(&after);
        }
        let renderer = |context: &Context| context.pin.renderer.unwrap_or_default();
        say::print(&match renderer(&before) < renderer(&after) {
            true => format!(
                "rendered by renderer {} now, which may change the beginning of the prompt; {}\n",
                renderer(&after),
                pinned_now(&after)
            ),
            false => format!(
                "nothing to do: renderer {}, the server's latest, rendered the prompt\n",
                renderer(&after)
            ),
        })
    }
}
