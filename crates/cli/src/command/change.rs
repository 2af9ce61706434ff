//! `ctxpin change`: the changes that chats have not taken, and decisions about many chats at once.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use ctxpin_client::Client;
use ctxpin_model::mode::Mode;
use ctxpin_model::reading::taken_by_clients;
use ctxpin_protocol::http::bulk_moves::{BulkMove, BulkMoved, SeenChat};
use ctxpin_protocol::http::page::PAGE_ITEMS_MAX;
use ctxpin_protocol::http::pending_changes::{PendingChange, PendingChangeQuery, PendingChat};
use uuid::Uuid;

use crate::command::{Output, PageArguments, say_next};
use crate::connect::{Connected, Connection};
use crate::say::{self, Failure, Table, counted};

/// The most chats in one request.
const CHATS_AT_ONCE: usize = 1_000;

/// The number of digits of an id in the list.
const ID_DIGITS: usize = 8;

/// See the changes that your chats have not taken, and decide about many chats at once
#[derive(Debug, Args)]
pub struct Noun {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Subcommand)]
enum Verb {
    List(List),
    Take(Take),
    Decline(Decline),
}

impl Noun {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// Fails if there is no such change, or the server refuses.
    pub async fn run(self) -> Result<ExitCode, Failure> {
        let connected = self.connection.connect()?;
        match self.verb {
            Verb::List(list) => {
                list.run(&connected).await?;
                Ok(ExitCode::SUCCESS)
            }
            Verb::Take(take) => take.chosen.decide(&connected, false).await,
            Verb::Decline(decline) => decline.chosen.decide(&connected, true).await,
        }
    }
}

/// List the changes that your chats have not taken; equal changes of several chats are one
#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    page: PageArguments,
    #[command(flatten)]
    output: Output,
}

impl List {
    async fn run(self, connected: &Connected) -> Result<(), Failure> {
        let query = PendingChangeQuery {
            own: Some(true),
            cursor: self.page.cursor,
            limit: Some(self.page.limit),
        };
        let page = connected.client.pending_changes(&query).await?;
        if self.output.json {
            return say::print_json(&page);
        }
        if page.items.is_empty() {
            say::note("nothing waits: your chats have taken or declined every change");
            return Ok(());
        }
        let now = say::now();
        let mut table = Table::new(&[
            "id",
            "change",
            "path",
            "lines",
            "effect",
            "chats",
            "workspaces",
            "since",
        ]);
        for change in &page.items {
            table.row([
                short_id(&change.id).to_owned(),
                change.change.clone(),
                name(change),
                lines(change),
                change.effect.clone(),
                change.chat_count.to_string(),
                change.workspace_count.to_string(),
                say::ago(change.came_at.unwrap_or(change.since), now),
            ]);
        }
        say::print(&table.text())?;
        if !page.complete {
            say::note(
                "there are more drifted chats than the server compares; decide about these first",
            );
        }
        say_next(page.next.as_deref());
        Ok(())
    }
}

/// Take changes into every chat that waits for them, except observed ones
#[derive(Debug, Args)]
struct Take {
    #[command(flatten)]
    chosen: Chosen,
}

/// Keep the pin of every chat that waits for these changes
///
/// A chat declines everything that its agent last pushed, so its other changes are declined too.
#[derive(Debug, Args)]
struct Decline {
    #[command(flatten)]
    chosen: Chosen,
}

/// The changes of a decision.
#[derive(Debug, Args)]
struct Chosen {
    /// A change: its path, or the beginning of its id (`ctxpin change list`)
    #[arg(
        value_name = "CHANGE",
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    changes: Vec<String>,
    /// Every change of every chat of yours
    #[arg(long)]
    all: bool,
    /// Only this chat of those that wait: its id, or the last digits of the id (at least 4); repeatable
    #[arg(long = "chat", value_name = "CHAT")]
    chats: Vec<String>,
    #[command(flatten)]
    output: Output,
}

impl Chosen {
    /// Returns the chats that the caller named, or all if none was named.
    fn named(&self, waiting: Vec<PendingChat>) -> Result<Vec<PendingChat>, Failure> {
        let is_named = |chat: &PendingChat, named: &String| {
            named.len() >= say::DIGITS_MIN && chat.chat_id.to_string().ends_with(named)
        };
        for named in &self.chats {
            if !waiting.iter().any(|chat| is_named(chat, named)) {
                return Err(Failure::new(format!(
                    "chat {} does not wait for this; `ctxpin change list --json` lists the chats of each change",
                    say::line(named)
                )));
            }
        }
        let is_chosen = |chat: &PendingChat| {
            self.chats.is_empty() || self.chats.iter().any(|named| is_named(chat, named))
        };
        Ok(waiting.into_iter().filter(is_chosen).collect())
    }

    async fn decide(&self, connected: &Connected, decline: bool) -> Result<ExitCode, Failure> {
        let client = &connected.client;
        let pending = all_changes(client).await?;
        let chosen = match self.all {
            true => pending.iter().collect(),
            false => self
                .changes
                .iter()
                .map(|named| change_named(&pending, named))
                .collect::<Result<Vec<_>, _>>()?,
        };
        let waiting = chats_of(client, &chosen).await?;
        let (observed, delivered): (Vec<_>, Vec<_>) = self
            .named(waiting)?
            .into_iter()
            .partition(|chat| chat.mode == Mode::Observed.as_str());
        // An observed chat can decline a change, but only its client takes one.
        let (chats, left) = match decline {
            true => ([observed, delivered].concat(), Vec::new()),
            false => (delivered, observed),
        };
        let chats: Vec<_> = chats.iter().map(seen).collect();
        let ids: Vec<_> = chosen.iter().map(|change| change.id.clone()).collect();
        let mut done = BulkMoved {
            results: Vec::new(),
            failed_count: 0,
        };
        for chats in chats.chunks(CHATS_AT_ONCE) {
            let request = BulkMove {
                chats: chats.to_vec(),
                changes: (!self.all && !decline).then(|| ids.clone()),
                decline: decline.then_some(true),
                undecline: None,
            };
            let moved = client.bulk_move(&request).await?;
            done.failed_count += moved.failed_count;
            done.results.extend(moved.results);
        }
        match self.output.json {
            true => say::print_json(&done)?,
            false => tell(&done)?,
        }
        if !left.is_empty() {
            let chats = counted(left.len() as u64, "observed chat");
            let clients = left.iter().map(|chat| chat.client.as_deref());
            let taken = taken_by_clients(clients);
            say::note(&format!("{chats} left alone: {taken}"));
        }
        Ok(match done.failed_count {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        })
    }
}

/// Returns all pending changes of the caller's chats.
async fn all_changes(client: &Client) -> Result<Vec<PendingChange>, Failure> {
    let mut query = whole_pages();
    let mut changes = Vec::new();
    loop {
        let page = client.pending_changes(&query).await?;
        changes.extend(page.items);
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => return Ok(changes),
        }
    }
}

/// Returns the chats of the changes, each once, as they were listed.
async fn chats_of(
    client: &Client,
    changes: &[&PendingChange],
) -> Result<Vec<PendingChat>, Failure> {
    let mut chats: BTreeMap<Uuid, PendingChat> = BTreeMap::new();
    for change in changes {
        let mut query = whole_pages();
        loop {
            let page = match change.chats.len() as u64 == change.chat_count {
                true => None,
                false => Some(client.pending_chats(&change.id, &query).await?),
            };
            let (items, next) = match &page {
                None => (&change.chats, None),
                Some(page) => (&page.items, page.next.clone()),
            };
            for chat in items {
                chats.entry(chat.chat_id).or_insert_with(|| chat.clone());
            }
            match next {
                Some(next) => query.cursor = Some(next),
                None => break,
            }
        }
    }
    Ok(chats.into_values().collect())
}

fn seen(chat: &PendingChat) -> SeenChat {
    SeenChat {
        chat_id: chat.chat_id,
        pin: chat.pin.clone(),
        head: chat.head.clone(),
    }
}

fn whole_pages() -> PendingChangeQuery {
    PendingChangeQuery {
        own: Some(true),
        cursor: None,
        limit: Some(PAGE_ITEMS_MAX),
    }
}

/// Returns the change of that path, or whose id begins so.
fn change_named<'p>(
    pending: &'p [PendingChange],
    named: &str,
) -> Result<&'p PendingChange, Failure> {
    let is_named = |change: &&PendingChange| {
        let is_id = named.len() >= say::DIGITS_MIN && change.id.starts_with(named);
        is_id || name(change) == named
    };
    let found: Vec<_> = pending.iter().filter(is_named).collect();
    match found[..] {
        [change] => Ok(change),
        [] => Err(Failure::new(format!(
            "no chat of yours waits for {}; `ctxpin change list` lists what they wait for",
            say::line(named)
        ))),
        _ => {
            let ids: Vec<_> = found.iter().map(|change| short_id(&change.id)).collect();
            Err(Failure::new(format!(
                "{} has several contents; name one of the changes {}",
                say::line(named),
                ids.join(", ")
            )))
        }
    }
}

/// Returns the path of a change, or `facts`.
fn name(change: &PendingChange) -> String {
    match change.path.is_empty() {
        true => change.kind.clone(),
        false => change.path.clone(),
    }
}

/// Returns the numbers of added and removed lines as `+3 -1`.
fn lines(change: &PendingChange) -> String {
    let (added, removed) = change
        .lines
        .map_or((0, 0), |lines| (lines.added, lines.removed));
    let parts = [('+', added), ('-', removed)];
    let parts = parts.into_iter().filter(|(_, count)| *count > 0);
    let parts: Vec<_> = parts
        .map(|(sign, count)| format!("{sign}{count}"))
        .collect();
    parts.join(" ")
}

fn short_id(id: &str) -> &str {
    id.get(..ID_DIGITS).unwrap_or(id)
}

/// Prints how many chats have which outcome, and why some failed.
fn tell(done: &BulkMoved) -> Result<(), Failure> {
    let mut text = String::new();
    for outcome in ["moved", "declined", "unchanged", "failed"] {
        let results = done.results.iter();
        let count = results.filter(|result| result.outcome == outcome).count();
        if count > 0 {
            text += &format!("{outcome}: {}\n", counted(count as u64, "chat"));
        }
    }
    if text.is_empty() {
        text += "no chat waits for a change\n";
    }
    say::print(&text)?;
    for result in &done.results {
        if let Some(problem) = &result.problem {
            let chat = say::id(result.chat_id);
            say::note(&format!("chat {chat}: {}", say::line(&problem.to_string())));
        }
    }
    Ok(())
}
