//! `ctxpin chat`: chats, their pins and their drift.

mod change;
mod diff;
mod drift;
mod history;
mod list;
mod new;
mod refresh;
mod settings;
mod show;
mod turns;
mod twins;
mod verify;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use ctxpin_protocol::http::chats::Chat;

use crate::connect::Connection;
use crate::say::{self, Failure};

/// Show and change chats, their pins and their drift
#[derive(Debug, Args)]
pub struct Noun {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Subcommand)]
enum Verb {
    New(new::New),
    List(list::List),
    Show(show::Show),
    Diff(diff::Diff),
    Refresh(refresh::Refresh),
    Decline(refresh::Decline),
    History(history::History),
    Turns(turns::Turns),
    Verify(verify::Verify),
    Rollback(history::Rollback),
    Unpin(refresh::Unpin),
    Render(refresh::Render),
    Bind(change::Bind),
    Set(change::Set),
    Archive(change::Archive),
    Delete(change::Delete),
}

impl Noun {
    /// Runs the command, and returns the exit code.
    ///
    /// # Errors
    ///
    /// Fails if there is no such chat, or the server refuses.
    pub async fn run(self) -> Result<ExitCode, Failure> {
        let connected = self.connection.connect()?;
        match self.verb {
            Verb::New(new) => new.run(&connected).await?,
            Verb::List(list) => list.run(&connected).await?,
            Verb::Show(show) => return show.run(&connected).await,
            Verb::Diff(diff) => diff.run(&connected).await?,
            Verb::Refresh(refresh) => refresh.run(&connected).await?,
            Verb::Decline(decline) => decline.run(&connected).await?,
            Verb::History(history) => history.run(&connected).await?,
            Verb::Turns(turns) => turns.run(&connected).await?,
            Verb::Verify(verify) => return verify.run(&connected).await,
            Verb::Rollback(rollback) => rollback.run(&connected).await?,
            Verb::Unpin(unpin) => unpin.run(&connected).await?,
            Verb::Render(render) => render.run(&connected).await?,
            Verb::Bind(bind) => bind.run(&connected).await?,
            Verb::Set(set) => set.run(&connected).await?,
            Verb::Archive(archive) => archive.run(&connected).await?,
            Verb::Delete(delete) => delete.run(&connected).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Returns the state of a chat in a few words. An archived chat keeps its pin, and nobody is asked about its drift.
pub fn state(chat: &Chat) -> String {
    let context = &chat.context;
    let mut words = match &context.snapshot {
        None => vec!["unpinned"],
        Some(_) if chat.archived => vec![],
        Some(_) if context.dirty && context.declined => vec!["declined"],
        Some(_) if context.dirty => vec!["behind"],
        Some(_) if chat.agent_id.is_none() => vec!["no workspace"],
        Some(_) => vec!["clean"],
    };
    if settings::is_observed(chat) {
        words.push("observed");
    }
    if context.error.is_some() {
        words.push("scan incomplete");
    }
    if context.agent_refused.is_some() {
        words.push("agent refused");
    }
    if chat.archived {
        words.push("archived");
    }
    words.join(", ")
}

/// Returns the short id and the title of a chat.
fn name(chat: &Chat) -> String {
    match &chat.title {
        Some(title) => format!("{} \"{}\"", say::id(chat.id), say::line(title)),
        None => say::id(chat.id),
    }
}
