//! Whole sessions of a tool with ctxpin's hooks: which chats and turns they make, and whether what the evidence says of
//! each resource is true of what the stand-in received.

mod absence;
mod compare;
mod container;
mod full;
mod halves;
mod hurry;
mod long;
mod place;
mod plants;
mod prompts;
mod search;
mod speed;
mod terminal;
mod together;
mod woken;

use std::path::Path;

use clap::ValueEnum as _;

use crate::client::Client;
use crate::standin::Standin;

use place::Place;

/// What the sessions of a tool are about. Each story has a home and a project of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Story {
    /// Prompts to new processes, between which the files change.
    Prompts,
    /// Prompts to one process.
    Together,
    /// Work behind a turn, which wakes the session when the turn has ended.
    Woken,
    /// A person at the terminal interface.
    Terminal,
    /// Files that the tool reads and ctxpin does not, and other things that are planted.
    Plants,
    /// No server, or one that hangs, and a process that is killed.
    Absence,
    /// A full disk.
    Full,
    /// A container that ends with the tool's answer, and all processes in it.
    Container,
    /// Ten sessions at once, and a prompt whose hook tells nothing.
    Hurry,
    /// A record of 200 MB.
    Long,
}

/// A version of a tool whose sessions are compared.
pub struct Sessions<'a> {
    pub client: Client,
    pub version: &'a str,
    pub program: &'a Path,
    /// The built ctxpin.
    pub ctxpin: &'a Path,
    pub standin: &'a Standin,
}

impl Sessions<'_> {
    /// Runs the sessions of one story or of all, and returns each difference. The places of different ones are kept.
    pub async fn run(&self, only: Option<Story>) -> anyhow::Result<Vec<String>> {
        let mut differences = Vec::new();
        for story in Story::value_variants() {
            if only.is_some_and(|only| only != *story) {
                continue;
            }
            let working = match story {
                Story::Plants => plants::WORKING,
                Story::Prompts
                | Story::Together
                | Story::Woken
                | Story::Terminal
                | Story::Absence
                | Story::Full
                | Story::Container
                | Story::Hurry
                | Story::Long => "",
            };
            let place = Place::make(self, working)?;
            let compared = match story {
                Story::Prompts => prompts::differences(&place).await,
                Story::Together => together::differences(&place).await,
                Story::Woken => woken::differences(&place).await,
                Story::Terminal => terminal::differences(&place).await,
                Story::Plants => plants::differences(&place).await,
                Story::Absence => absence::differences(&place).await,
                Story::Full => full::differences(&place).await,
                Story::Container => container::differences(&place).await,
                Story::Hurry => hurry::differences(&place).await,
                Story::Long => long::differences(&place).await,
            };
            differences.extend(place.leave(compared));
        }
        Ok(differences)
    }
}
