//! `ctxpin hook install` and `ctxpin hook uninstall`.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use clap::Args;
use ctxpin_client::Client;
use ctxpin_client::error::ClientError;
use ctxpin_model::access::Scope;
use ctxpin_model::profile::Profile;
use ctxpin_protocol::http::people::TokenCreate;
use ctxpin_protocol::problem::ProblemName;
use url::Url;

use super::place::{self, Place};
use crate::chat_choice::current_directory;
use crate::command::tool::ToolHomes;
use crate::command::words;
use crate::connect::Connection;
use crate::data_directory::{DataDirectory, directory_create, file_write, not_written};
use crate::hooks::program;
use crate::hooks::trust::Trust;
use crate::hooks::{HookCommand, TOOLS};
use crate::running::{RunningServer, token_read};
use crate::say::{self, Failure, Hint, NextCommand};

/// The greatest length of an answer, in bytes.
const LINE_BYTES_MAX: u64 = 64;

/// Have a tool tell ctxpin of its sessions
///
/// Each session then has a chat, whose pin records what the tool has read. The hooks are added to the tool's own
/// settings, where comments and everything else stay as they are. opencode gets a plugin, which is one file. Both use a
/// token that can observe and nothing more.
#[derive(Debug, Args)]
pub struct Install {
    #[command(flatten)]
    tool: HookedTool,
    /// Print the hooks for the tool's settings, or the plugin, and change nothing
    #[arg(long)]
    print: bool,
    /// Tell Codex to trust the hooks, as your yes to its question would. Without this, you are asked on a terminal
    #[arg(long, conflicts_with = "print")]
    trust: bool,
    #[command(flatten)]
    connection: Connection,
}

/// Take ctxpin's hooks out of a tool's settings
///
/// If nobody has changed the settings since, they become again what they were before, byte for byte.
#[derive(Debug, Args)]
pub struct Uninstall {
    #[command(flatten)]
    tool: HookedTool,
}

/// A tool that has hooks.
#[derive(Debug, Clone, Args)]
struct HookedTool {
    /// The tool whose sessions are followed
    #[arg(value_name = "TOOL", value_parser = words(TOOLS, Profile::as_str))]
    tool: Profile,
    #[command(flatten)]
    homes: ToolHomes,
}

impl Install {
    /// Creates the token of the hooks, if it is missing, and puts them into the tool's settings.
    ///
    /// # Errors
    ///
    /// Fails if no server runs or is named, it refuses the token, or the settings cannot be edited.
    pub async fn run(self) -> Result<(), Failure> {
        let data = DataDirectory::locate()?;
        let named = self.connection.server.clone();
        let token = data.hook_token(named.as_ref());
        let working = current_directory()?;
        let program = program::called(&working)
            .map_err(|error| Failure::new("the program's path is unknown").because(error))?;
        let mut options = vec![("--data-dir", data.path().to_owned())];
        if let Some(server) = &named {
            let server = PathBuf::from(server.to_string());
            options.extend([("--server", server), ("--token-file", token.clone())]);
        }
        let tool = self.tool.tool;
        if self.trust && tool != Profile::Codex {
            return Err(Failure::usage(format!(
                "{tool} runs hooks without being told to trust them; leave out --trust"
            )));
        }
        let command = HookCommand {
            tool,
            program,
            options,
        };
        if self.print {
            return say::print(&place::text(&command));
        }
        let client = self.connection.connect()?.client;
        data.create()?;
        let server = match named {
            Some(server) => server,
            None => RunningServer::find(&data)?
                .map(|server| server.url)
                .ok_or_else(|| Failure::new("the server of `ctxpin up` has ended"))?,
        };
        token_ensure(&client, &server, &token).await?;
        let place = Place::of(tool, &self.tool.homes, &data)?;
        let trust = place.trust(tool, &data);
        // Settings that cannot be read are found before anything is written.
        trust.as_ref().map(Trust::demand_editable).transpose()?;
        let others = trust.as_ref().map(Trust::places_of_others).transpose()?;
        let other = place.other_data(tool, &data)?;
        let is_changed = place.install(&command)?;
        if let Some((trust, others)) = trust.as_ref().zip(others) {
            trust.follow(&others)?;
        }
        say::print(&match is_changed {
            true => format!("{} now\n", place.has_hooks()),
            false => format!("{} already\n", place.has_hooks()),
        })?;
        if let Some(other) = other {
            say::note(&format!(
                "they replace those of the data directory {}, to whose processes {tool} tells nothing any more",
                say::path(&other)
            ));
        }
        if let Some(trust) = &trust {
            self.have_trusted(trust)?;
        }
        if let Some(fault) = place.fault(tool, &working)? {
            say::hint(&fault);
        }
        if tool == Profile::Opencode {
            say::hint(
                "opencode loads the plugin when it starts. Because it has a plugin then, it installs its own library for \
                 plugins from the npm registry first",
            );
        }
        say::hint("sessions are followed below directories that `ctxpin up` watches");
        Ok(())
    }

    /// Has Codex trust the hooks after the person's yes.
    fn have_trusted(&self, trust: &Trust) -> Result<(), Failure> {
        if trust.is_given()? {
            return Ok(());
        }
        if self.trust || is_trusted_by_person()? {
            trust.give()?;
            return say::print(&format!(
                "{} tells Codex to trust them\n",
                say::path(trust.path())
            ));
        }
        say::hint(
            "Codex runs no hook before you trust it, and `codex exec` does not say so: `ctxpin hook install codex --trust` \
             trusts them, or start `codex` once, and choose to trust them",
        );
        Ok(())
    }
}

/// Asks the person on a terminal. Without a terminal, nobody says yes.
fn is_trusted_by_person() -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    say::ask("Codex runs these hooks only if you trust them. Trust them? [y/N] ");
    let mut line = String::new();
    let read = io::stdin().lock().take(LINE_BYTES_MAX).read_line(&mut line);
    read.map_err(|error| Failure::new("no answer can be read").because(error))?;
    Ok(matches!(&*line.trim().to_lowercase(), "y" | "yes"))
}

impl Uninstall {
    /// Takes the hooks out of the tool's settings.
    ///
    /// # Errors
    ///
    /// Fails if the settings cannot be edited.
    pub fn run(self) -> Result<(), Failure> {
        let data = DataDirectory::locate()?;
        let tool = self.tool.tool;
        let place = Place::of(tool, &self.tool.homes, &data)?;
        let other = place.other_data(tool, &data)?;
        // The trust names the hooks by their places, so it goes first. If it cannot go, the hooks still do.
        let trust = place.trust(tool, &data);
        let taken = trust.as_ref().map_or(Ok(()), Trust::take);
        let others = trust.as_ref().map(Trust::places_of_others).transpose();
        let is_changed = place.uninstall()?;
        let followed = match (&trust, others) {
            (Some(trust), Ok(Some(others))) => trust.follow(&others),
            (_, Err(failure)) => Err(failure),
            (_, Ok(_)) => Ok(()),
        };
        say::print(&format!("{}\n", place.has_no_hooks(is_changed)))?;
        if let Some(other) = other {
            say::note(&format!(
                "they were those of the data directory {}",
                say::path(&other)
            ));
        }
        if is_changed {
            say::hint(&format!(
                "`{}` shows the token that they used, and `ctxpin token revoke` ends it",
                NextCommand::TokenList.as_str()
            ));
        }
        taken.and(followed)
    }
}

/// Writes a token for hooks into a file, unless the file has one that the server accepts.
async fn token_ensure(client: &Client, server: &Url, path: &Path) -> Result<(), Failure> {
    if path.exists() {
        let kept = Client::new(server.clone(), token_read(path)?)?;
        match kept.me().await {
            Ok(_) => return Ok(()),
            Err(error) if is_refused(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let directory = path
        .parent()
        .ok_or_else(|| not_written(path).because("it names no file"))?;
    directory_create(directory)?;
    let created = client
        .token_create(&TokenCreate {
            label: Some("hooks".to_owned()),
            scopes: Some(vec![Scope::Observe.to_string()]),
            expires_at: None,
            user: None,
        })
        .await
        .map_err(|error| {
            Failure::from(error).hint(Hint::say(
                "a token with the scopes read and write can create one for hooks",
            ))
        })?;
    // The file exists before the token is of use to anybody, and a token that nobody can read does no harm.
    file_write(path, format!("{}\n", created.secret.expose()).as_bytes())
}

/// Returns whether the server does not accept a token, or does not know it.
fn is_refused(error: &ClientError) -> bool {
    error.problem_name() == Some(ProblemName::Unauthenticated)
        || matches!(
            error,
            ClientError::Unproven { .. } | ClientError::MalformedToken { .. }
        )
}
