//! Which server is asked, and with which token.

use std::path::{Path, PathBuf};
use std::sync::Once;

use clap::Args;
use ctxpin_client::Client;
use ctxpin_protocol::http::people::Secret;
use url::Url;

use crate::data_directory::{DataDirectory, DatabaseKey};
use crate::process::Process;
use crate::running::{RunningServer, token_read};
use crate::say::{self, Failure};

/// Holds a token, so that it stands on no command line.
const TOKEN_VARIABLE: &str = "CTXPIN_TOKEN";

/// Which server is asked, and with which token.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Server")]
pub struct Connection {
    /// The server's address, such as http://127.0.0.1:7878 [default: what `ctxpin up` runs]
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "CTXPIN_SERVER",
        hide_env_values = true
    )]
    pub server: Option<Url>,
    /// A file that holds your token; the token itself may stand in CTXPIN_TOKEN [default: the one
    /// of what `ctxpin up` runs]
    #[arg(long, global = true, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// The server and the token of an agent, which are never guessed: what `ctxpin up` runs has its own
/// agents.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Server")]
pub struct AgentConnection {
    /// The server's address, such as http://127.0.0.1:7878
    #[arg(
        long,
        value_name = "URL",
        env = "CTXPIN_SERVER",
        hide_env_values = true
    )]
    server: Url,
    /// A file that holds the agent's token; the token itself may stand in CTXPIN_TOKEN
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// A server, and what is known of it on this machine.
pub struct Connected {
    /// Calls it.
    pub client: Client,
    /// What `ctxpin up` keeps, if it is that server.
    pub local: Option<Local>,
}

/// The server of `ctxpin up`.
pub struct Local {
    /// What is kept.
    pub data: DataDirectory,
    /// The server's database.
    pub database: DatabaseKey,
}

impl Connection {
    /// Finds the server and the token. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// If no server was named and none runs, or if there is no token for it.
    pub fn connect(&self) -> Result<Connected, Failure> {
        let data = DataDirectory::locate()?;
        let running = RunningServer::find(&data)?;
        let running = match &self.server {
            None => Some(running.ok_or_else(no_server)?),
            Some(server) => running.filter(|running| running.url == *server),
        };
        let token = match (token_given(self.token_file.as_deref())?, &running) {
            (Some(token), _) => token,
            (None, Some(running)) => running.admin_token(&data)?,
            (None, None) => return Err(no_token()),
        };
        let server = match (&self.server, &running) {
            (Some(server), _) => server.clone(),
            (None, Some(running)) => running.url.clone(),
            (None, None) => return Err(no_server()),
        };
        let process = running.as_ref();
        let process = process.and_then(|_| Process::noted(&data.server_lock()));
        let waiting = match process {
            Some(process) => format!(
                "waiting for the server at {server}, which is run by {}",
                process.name()
            ),
            None => format!("waiting for the server at {server}"),
        };
        let told = Once::new();
        let client = Client::new(server, token)?.telling(say::TOLD_AFTER, move || {
            told.call_once(|| say::note(&waiting));
        });
        Ok(Connected {
            client,
            local: running.map(|running| Local {
                data,
                database: running.database,
            }),
        })
    }
}

impl AgentConnection {
    /// The server and the token.
    ///
    /// # Errors
    ///
    /// If there is no token.
    pub fn get(&self) -> Result<(Url, Secret), Failure> {
        let token = token_given(self.token_file.as_deref())?.ok_or_else(|| {
            Failure::usage("no agent's token was given").hint(
                "`ctxpin agent create --write-token FILE` makes an agent; give its token with --token-file FILE",
            )
        })?;
        Ok((self.server.clone(), token))
    }
}

/// The token that was given, in a file or in the environment, if any.
///
/// # Errors
///
/// If the file cannot be read.
pub fn token_given(file: Option<&Path>) -> Result<Option<Secret>, Failure> {
    if let Some(file) = file {
        return token_read(file).map(Some);
    }
    match std::env::var(TOKEN_VARIABLE) {
        Ok(token) if !token.trim().is_empty() => Ok(Some(Secret::new(token.trim()))),
        _ => Ok(None),
    }
}

fn no_server() -> Failure {
    Failure::new("no ctxpin server runs for you")
        .hint("start one with `ctxpin up`, or name one with --server URL")
}

fn no_token() -> Failure {
    Failure::usage("no token was given for that server")
        .hint("give one with --token-file FILE or in CTXPIN_TOKEN")
}
