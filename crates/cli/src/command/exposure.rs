//! `ctxpin exposure`: which chats and turns had a text in force.

use std::path::PathBuf;

use clap::Args;
use ctxpin_client::Client;
use ctxpin_model::hash::BlobHasher;
use ctxpin_protocol::http::exposure::{ChatExposure, ExposedPeriod, ExposedTurns};
use tokio::io::AsyncReadExt as _;

use super::{Output, PageArguments, say_next};
use crate::connect::Connection;
use crate::say::{self, Failure, Hint, Table};

/// The bytes of a file that are read at a time.
const PIECE_BYTES: usize = 64 * 1024;

/// List the chats and turns that had a text in force, or really gave it to a model
///
/// Name the text by its file, or by the SHA-256 of its bytes. A hash may also be that of a context or a snapshot, as
/// other commands print them.
#[derive(Debug, Args)]
pub struct Exposure {
    /// The hash, or its first 8 digits or more
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    hash: Option<String>,
    /// The file with the text; only its hash is sent
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    #[command(flatten)]
    page: PageArguments,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

impl Exposure {
    /// Prints a page of the chats.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read, if no hash or several begin so, or if the server refuses.
    pub async fn run(self) -> Result<(), Failure> {
        let client = self.connection.connect()?.client;
        let hash = match (&self.file, &self.hash) {
            (Some(file), _) => hash_of(file).await?,
            (None, hash) => whole(&client, hash.as_deref().unwrap_or_default()).await?,
        };
        let page = client.exposed_chats(&hash, &self.page.query()).await?;
        if self.output.json {
            return say::print_json(&page);
        }
        if page.items.is_empty() {
            say::note(&format!(
                "no chat that you may read had {} in force",
                say::hash(&hash)
            ));
            return Ok(());
        }
        let now = say::now();
        let mut table = Table::new(&[
            "chat",
            "title",
            "where",
            "from",
            "until",
            "turns in force",
            "really given",
        ]);
        for chat in &page.items {
            let first = chat.periods.first();
            table.row([
                say::id(chat.chat_id),
                title(chat),
                first
                    .map(place)
                    .unwrap_or_else(|| elsewhere(chat).to_owned()),
                first
                    .map(|period| say::ago(period.from, now))
                    .unwrap_or_default(),
                first.map(|period| until(period, now)).unwrap_or_default(),
                turns(chat.turns.as_ref()),
                given(chat),
            ]);
            for period in chat.periods.iter().skip(1) {
                table.row([
                    String::new(),
                    String::new(),
                    place(period),
                    say::ago(period.from, now),
                    until(period, now),
                    String::new(),
                    String::new(),
                ]);
            }
        }
        say::print(&table.text())?;
        say_next(page.next.as_deref());
        Ok(())
    }
}

/// Computes the hash of a file piece by piece.
async fn hash_of(file: &std::path::Path) -> Result<String, Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::new(format!("{} cannot be read", say::path(file))).because(error)
    };
    let mut open = tokio::fs::File::open(file).await.map_err(unreadable)?;
    let mut hasher = BlobHasher::default();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let count = open.read(&mut piece).await.map_err(unreadable)?;
        if count == 0 {
            return Ok(hasher.finish().to_string());
        }
        hasher.update(&piece[..count]);
    }
}

/// Finds the hash that begins so.
async fn whole(client: &Client, beginning: &str) -> Result<String, Failure> {
    let found = client.known_hashes(beginning).await?;
    match &found.items[..] {
        [one] => Ok(one.hash.clone()),
        [] => Err(Failure::new(format!(
            "no content, context or snapshot that you may read has a hash that begins with {}",
            say::line(beginning)
        ))
        .hint(Hint::say("`--file PATH` computes the hash of a file"))),
        several => {
            let named = several
                .iter()
                .map(|known| format!("{} ({})", known.hash, known.kind));
            let named: Vec<_> = named.collect();
            Err(Failure::usage(format!(
                "{} hashes begin with {}: {}",
                several.len(),
                say::line(beginning),
                named.join(", ")
            )))
        }
    }
}

/// Returns where a pin held the text.
fn place(period: &ExposedPeriod) -> String {
    match (&period.source, &period.path) {
        (Some(source), Some(path)) => format!("{path} of {source}"),
        (Some(source), None) => source.clone(),
        (None, _) => "the whole pin".to_owned(),
    }
}

fn until(period: &ExposedPeriod, now: chrono::DateTime<chrono::Utc>) -> String {
    match period.until {
        Some(until) => say::ago(until, now),
        None => "now".to_owned(),
    }
}

/// Returns where a chat had the text that no pin of it held.
fn elsewhere(chat: &ChatExposure) -> &'static str {
    match &chat.turns {
        Some(_) => "the turn's tools",
        None => "no pin",
    }
}

/// Returns the title of a chat, and whether the chat is archived.
fn title(chat: &ChatExposure) -> String {
    let title = chat.title.clone().unwrap_or_default();
    match chat.archived {
        true => format!("{title} (archived)").trim_start().to_owned(),
        false => title,
    }
}

/// Returns the turns that really had the text, and those of which the evidence does not say.
fn given(chat: &ChatExposure) -> String {
    match (&chat.given, &chat.unlisted) {
        (given, None) => turns(given.as_ref()),
        (None, unlisted) => format!("as pinned, not listed: {}", turns(unlisted.as_ref())),
        (given, unlisted) => format!(
            "{}; as pinned, not listed: {}",
            turns(given.as_ref()),
            turns(unlisted.as_ref())
        ),
    }
}

fn turns(turns: Option<&ExposedTurns>) -> String {
    match turns {
        None => "none".to_owned(),
        Some(turns) if turns.count == 1 => turns.first.to_string(),
        Some(turns) if turns.last.abs_diff(turns.first) + 1 == turns.count => {
            format!("{} to {}", turns.first, turns.last)
        }
        Some(turns) => format!("{} of {} to {}", turns.count, turns.first, turns.last),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_numbered() {
        let check = |count, first, last, expected: &str| {
            let exposed = ExposedTurns { count, first, last };
            assert_eq!(turns(Some(&exposed)), expected);
        };
        check(1, 3, 3, "3");
        check(4, 1, 4, "1 to 4");
        check(3, 1, 7, "3 of 1 to 7");
        assert_eq!(turns(None), "none");
    }
}
