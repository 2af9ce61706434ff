//! `ctxpin chat history` and `rollback`.

use clap::Args;
use ctxpin_client::Client;
use ctxpin_model::id::ChatId;
use ctxpin_model::policy::Policy;
use ctxpin_protocol::http::context::ContextMove;
use ctxpin_protocol::http::history::{Actor, HistoryEntry, MOVE};
use ctxpin_protocol::http::page::PageQuery;

use crate::chat_choice::{self, ChatArgument, ChatOption};
use crate::command::{Output, PageArguments, say_next, words};
use crate::connect::Connected;
use crate::pages::each_item;
use crate::say::{self, Failure, Hint, NextCommand, Table};

/// List all pins of a chat, and what was declined, newest first
#[derive(Debug, Args)]
pub struct History {
    #[command(flatten)]
    chat: ChatArgument,
    #[command(flatten)]
    page: PageArguments,
    #[command(flatten)]
    output: Output,
}

impl History {
    /// Lists the pins and the decisions.
    ///
    /// # Errors
    ///
    /// Fails if there is no such chat, or the server refuses.
    pub async fn run(self, connected: &Connected) -> Result<(), Failure> {
        let chat = chat_choice::chat(connected, self.chat.named()).await?;
        let query = self.page.query().into();
        let page = connected.client.history(chat, &query).await?;
        if self.output.json {
            return say::print_json(&page);
        }
        if page.items.is_empty() {
            say::note("the chat was never pinned");
            return Ok(());
        }
        let now = say::now();
        let mut table = Table::new(&["#", "when", "reason", "snapshot", "by", ""]);
        let newest = page.items.iter().position(is_move);
        let newest = newest.filter(|_| self.page.cursor.is_none());
        for (index, entry) in page.items.iter().enumerate() {
            let (number, snapshot) = match is_move(entry) {
                true => (entry.seq.to_string(), entry.snapshot.as_deref()),
                false => (String::new(), entry.head.as_deref()),
            };
            let is_current = newest == Some(index);
            table.row([
                number,
                say::since(entry.at, now),
                reason(entry),
                snapshot.map_or("none".to_owned(), say::hash),
                actor(&entry.actor),
                if is_current { "now" } else { "" }.to_owned(),
            ]);
        }
        say::print(&table.text())?;
        say_next(page.next.as_deref());
        Ok(())
    }
}

/// Returns whether an entry is a move. The others are decisions that left the pin where it was.
fn is_move(entry: &HistoryEntry) -> bool {
    entry.kind == MOVE
}

/// Returns why a pin moved, and whether what the client read is certain.
fn reason(pin: &HistoryEntry) -> String {
    match (pin.unconfirmed, pin.evidence_turn) {
        (true, _) => format!("{}, unconfirmed", pin.reason),
        (false, Some(turn)) => format!("{}, shown by turn {turn}", pin.reason),
        (false, None) => pin.reason.clone(),
    }
}

fn actor(actor: &Actor) -> String {
    let who = match (&actor.name, actor.id) {
        (Some(name), _) => format!("{} {name}", actor.kind),
        (None, Some(id)) => format!("{} {}", actor.kind, say::id(id)),
        (None, None) => actor.kind.clone(),
    };
    format!("{who} ({})", actor.door)
}

/// Move the chat back to an earlier pin
#[derive(Debug, Args)]
pub struct Rollback {
    /// The number of a pin, or a snapshot's hash or the beginning of it [default: the previous pin]
    to: Option<String>,
    /// The policy of the chat from then on [default: manual, so that no turn moves the pin forward again]
    #[arg(long, value_parser = words(Policy::ALL, Policy::as_str))]
    policy: Option<Policy>,
    #[command(flatten)]
    chat: ChatOption,
    #[command(flatten)]
    output: Output,
}

impl Rollback {
    /// Moves the pin back.
    ///
    /// # Errors
    ///
    /// Fails if there is no such chat, or the server refuses.
    pub async fn run(self, connected: &Connected) -> Result<(), Failure> {
        let client = &connected.client;
        let chat = chat_choice::chat(connected, self.chat.named()).await?;
        let pins = pins(client, chat, self.to.as_deref()).await?;
        let pin = match &self.to {
            Some(to) => named(&pins, to)?,
            None => previous(&pins)?,
        };
        let back = ContextMove {
            snapshot: pin.snapshot.clone(),
            policy: self.policy.map(|policy| policy.as_str().to_owned()),
            ..ContextMove::default()
        };
        let context = client.context_move(chat, &back, None).await?;
        if self.output.json {
            return say::print_json(&context);
        }
        let snapshot = context.pin.snapshot.as_deref().map(say::hash);
        say::print(&format!(
            "pinned to {} again, as in pin {} of {}; the policy is now {}\n",
            snapshot.unwrap_or_default(),
            pin.seq,
            say::since(pin.at, say::now()),
            context.policy
        ))
    }
}

/// Returns the pins of a chat that a rollback may mean, newest first: those that `to` names, or else the
/// current pin and the newest pin to another snapshot.
async fn pins(
    client: &Client,
    chat: ChatId,
    to: Option<&str>,
) -> Result<Vec<HistoryEntry>, Failure> {
    let mut pins: Vec<HistoryEntry> = Vec::new();
    let read = async |page: &PageQuery| client.history(chat, &page.clone().into()).await;
    each_item(read, |pin| {
        if !is_move(&pin) {
            return;
        }
        let is_meant = match (to, &pins[..]) {
            (Some(to), _) => has_number(&pin, to) || has_snapshot(&pin, to),
            (None, []) => true,
            (None, [current]) => pin.snapshot.is_some() && pin.snapshot != current.snapshot,
            (None, _) => false,
        };
        if is_meant {
            pins.push(pin);
        }
    })
    .await?;
    Ok(pins)
}

fn has_number(pin: &HistoryEntry, to: &str) -> bool {
    to.parse::<i64>().is_ok_and(|number| number == pin.seq)
}

fn has_snapshot(pin: &HistoryEntry, to: &str) -> bool {
    let snapshot = pin.snapshot.as_deref();
    snapshot.is_some_and(|snapshot| say::hash_starts_with(snapshot, to))
}

/// Returns the pin with this number, or with a snapshot whose hash begins with `to`.
fn named<'p>(pins: &'p [HistoryEntry], to: &str) -> Result<&'p HistoryEntry, Failure> {
    if let Some(pin) = pins.iter().find(|pin| has_number(pin, to)) {
        return match pin.snapshot {
            Some(_) => Ok(pin),
            None => Err(Failure::new(format!("at {to} the pin was cleared"))
                .hint(Hint::run(NextCommand::ChatUnpin, "clears it again"))),
        };
    }
    let mut found: Vec<&HistoryEntry> = pins.iter().filter(|pin| has_snapshot(pin, to)).collect();
    // A chat may have been pinned to one snapshot many times. The newest of these pins is enough.
    found.dedup_by(|later, earlier| later.snapshot == earlier.snapshot);
    match found[..] {
        [] => Err(Failure::new(format!(
            "the chat was never pinned to \"{}\"",
            say::line(to)
        ))
        .hint(Hint::run(NextCommand::ChatHistory, "shows its pins"))
        .hint(Hint::say(
            "give a number, or at least 4 digits of a snapshot",
        ))),
        [pin, ref rest @ ..] if rest.iter().all(|other| other.snapshot == pin.snapshot) => Ok(pin),
        _ => Err(Failure::usage(format!(
            "more than one snapshot begins with \"{}\"",
            say::line(to)
        ))
        .hint(Hint::say("give more digits"))),
    }
}

/// Returns the newest pin to another snapshot than the current one.
fn previous(pins: &[HistoryEntry]) -> Result<&HistoryEntry, Failure> {
    let current = pins.first().and_then(|pin| pin.snapshot.as_ref());
    pins.iter()
        .find(|pin| pin.snapshot.is_some() && pin.snapshot.as_ref() != current)
        .ok_or_else(|| {
            Failure::new("the chat was never pinned to anything else")
                .hint(Hint::run(NextCommand::ChatHistory, "shows its pins"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(seq: i64, snapshot: Option<&str>) -> HistoryEntry {
        HistoryEntry {
            kind: MOVE.to_owned(),
            head: None,
            seq,
            snapshot: snapshot.map(|digits| format!("sha256:{digits}")),
            context_hash: None,
            agent_id: None,
            reason: "refresh".to_owned(),
            renderer: snapshot.map(|_| 1),
            mcp_settled: true,
            unconfirmed: false,
            evidence_turn: None,
            actor: Actor {
                kind: "user".to_owned(),
                id: None,
                name: Some("ada".to_owned()),
                door: "api".to_owned(),
            },
            at: chrono::DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_pin_is_named_by_number_or_snapshot() {
        let pins = [
            pin(4, Some("aaaa1111")),
            pin(3, None),
            pin(2, Some("bbbb1111")),
            pin(1, Some("aaaa1111")),
        ];
        let check = |to: &str, expected: Option<i64>| {
            assert_eq!(named(&pins, to).ok().map(|pin| pin.seq), expected, "{to}");
        };
        check("1", Some(1));
        check("3", None);
        check("9", None);
        check("aaaa", Some(4));
        check("sha256:bbbb1", Some(2));
        check("aaa", None);
        check("cccc", None);
        assert_eq!(previous(&pins).unwrap().seq, 2);
        assert!(previous(&pins[3..]).is_err());
        assert!(previous(&[]).is_err());
        let alike = [pin(2, Some("aaaa1111")), pin(1, Some("aaaa2222"))];
        assert!(named(&alike, "aaaa").is_err());
        assert_eq!(actor(&pins[0].actor), "user ada (api)");
    }
}
