//! The server that a command calls, and the token it sends.

use std::path::{Path, PathBuf};
use std::sync::Once;

use clap::Args;
use clap::builder::BoolishValueParser;
use ctxpin_agent::error::AgentError;
use ctxpin_client::error::ClientError;
use ctxpin_client::{Client, PlainHttp};
use ctxpin_model::profile::Profile;
use ctxpin_protocol::http::people::Secret;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::agent_credentials::AgentCredentials;
use crate::data_directory::{DataDirectory, DatabaseKey};
use crate::enrolment::{Enroller, needs_code};
use crate::process::Process;
use crate::running::{ADMIN_TOKEN_NAME, RunningServer, is_locked, token_read};
use crate::say::{self, Failure, Hint, NextCommand, Setting};
use crate::setting::{Origin, SERVER_VARIABLE, TOKEN_VARIABLE, server_address, variable};

/// The server that a command calls, and the token it sends.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Server")]
pub struct Connection {
    /// The server's address, such as http://127.0.0.1:7878 [default: the server of `ctxpin up`]
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = SERVER_VARIABLE,
        hide_env_values = true,
        value_parser = server_address
    )]
    pub server: Option<Url>,
    /// A file with your token, or put the token in CTXPIN_TOKEN [default: the token of `ctxpin up`]
    #[arg(long, global = true, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    #[command(flatten)]
    pub transport: Transport,
}

/// The option for sending tokens over plain HTTP.
#[derive(Debug, Clone, Copy, Default, Args)]
#[command(next_help_heading = "Server")]
pub struct Transport {
    /// Send the token to another machine over plain HTTP, where others can read it
    #[arg(
        long,
        global = true,
        env = "CTXPIN_ALLOW_HTTP",
        hide_env_values = true,
        value_parser = BoolishValueParser::new()
    )]
    allow_http: bool,
}

impl Transport {
    /// Returns whether a token may go to another machine over plain HTTP.
    pub fn plain_http(self) -> PlainHttp {
        match self.allow_http {
            true => PlainHttp::Allowed,
            false => PlainHttp::Refused,
        }
    }

    /// Returns the option for another command line, with a leading space, or nothing.
    pub fn as_option(self) -> &'static str {
        match self.allow_http {
            true => " --allow-http",
            false => "",
        }
    }
}

/// The options for the server and the token of an agent. They have no default, because `ctxpin up` has its
/// own agents.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Server")]
pub struct AgentConnection {
    /// The server's address, such as http://127.0.0.1:7878
    #[arg(
        long,
        value_name = "URL",
        env = SERVER_VARIABLE,
        hide_env_values = true,
        value_parser = server_address
    )]
    server: Url,
    /// A file with the agent's token, or put the token in CTXPIN_TOKEN
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    transport: Transport,
}

/// The server of an agent, its token, and whether plain HTTP is allowed.
pub struct AgentAccess {
    /// The server's address.
    pub server: Url,
    /// The agent's token.
    pub token: Token,
    /// Whether the token may go over plain HTTP.
    pub transport: Transport,
}

/// A client of a server, and what this machine knows of the server.
pub struct Connected {
    pub client: Client,
    /// The data of `ctxpin up`, if the server is its own.
    pub local: Option<Local>,
    /// The setting that named the server, if one did.
    pub named_by: Option<Origin>,
}

/// A token, and the setting or file that it came from.
pub struct Token {
    /// The value that is sent to the server.
    pub secret: Secret,
    /// The setting or file that it came from.
    pub origin: Origin,
}

/// The server of `ctxpin up`.
pub struct Local {
    /// The data directory of `ctxpin up`.
    pub data: DataDirectory,
    /// The server's database.
    pub database: DatabaseKey,
}

impl Connection {
    /// Finds the server and the token, without a request. If no server is named, uses the server of `ctxpin
    /// up` with its own token, because a token in the environment may be meant for another server.
    ///
    /// # Errors
    ///
    /// Fails if no server was named and none runs here, or if there is no token for it.
    pub fn connect(&self) -> Result<Connected, Failure> {
        let Some(server) = &self.server else {
            return self.connect_to_own();
        };
        let given = token_given(self.token_file.as_deref())?;
        // The server may be that of `ctxpin up`. If that cannot be read, it counts as another server.
        let kept = Kept::find().ok().flatten();
        let kept = kept.filter(|kept| kept.running.url == *server);
        let token = match (given, &kept) {
            (Some(token), _) => token,
            (None, Some(kept)) => kept.token()?,
            (None, None) => return Err(no_token()),
        };
        let named_by = Origin::of("--server", SERVER_VARIABLE);
        let asked = format!("the server is {server}, from {named_by}");
        Ok(Connected {
            client: self.client(
                server,
                &token,
                &asked,
                format!("waiting for the server at {server}"),
            )?,
            local: kept.map(Kept::into_local),
            named_by: Some(named_by),
        })
    }

    /// Connects to the server of `ctxpin up`.
    fn connect_to_own(&self) -> Result<Connected, Failure> {
        let kept = Kept::find()?.ok_or_else(no_server)?;
        let token = match (&self.token_file, kept.token()) {
            (Some(_), _) => token_given(self.token_file.as_deref())?.ok_or_else(no_token)?,
            (None, Ok(token)) => token,
            (None, Err(failure)) => token_given(None)?.ok_or(failure)?,
        };
        let server = kept.running.url.clone();
        let asked = format!("the server is that of `ctxpin up`, {server}");
        let process = Process::noted(&kept.data.server_lock());
        let waiting = match process {
            Some(process) => format!(
                "waiting for the server at {server}, which is run by {}",
                process.name()
            ),
            None => format!("waiting for the server at {server}"),
        };
        Ok(Connected {
            client: self.client(&server, &token, &asked, waiting)?,
            local: Some(kept.into_local()),
            named_by: None,
        })
    }

    /// Returns a client. If the server refuses the token, the failure says where the token came from. If a
    /// response takes long, the client prints `waiting` once.
    fn client(
        &self,
        server: &Url,
        token: &Token,
        asked: &str,
        waiting: String,
    ) -> Result<Client, Failure> {
        let client = token.client(server, self.transport)?;
        let told = Once::new();
        Ok(client
            .with_token_origin(format!("{}; {asked}", token.told()))
            .on_slow_response(say::TOLD_AFTER, move || {
                told.call_once(|| say::note(&waiting))
            }))
    }
}

/// The running server of `ctxpin up`.
struct Kept {
    data: DataDirectory,
    running: RunningServer,
}

impl Kept {
    /// Finds the running server. Returns `None` if none runs.
    ///
    /// # Errors
    ///
    /// Fails if the data directory cannot be read, the server is still starting, or it cannot be reached
    /// from here.
    fn find() -> Result<Option<Self>, Failure> {
        let data = DataDirectory::locate()?;
        let lock = data.server_lock();
        let running = RunningServer::find(&data)?;
        if running.is_none() && !is_locked(&lock)? {
            return Ok(None);
        }
        if let Some(running) = running {
            return Ok(Some(Self { data, running }));
        }
        let process = Process::noted(&lock);
        let who = process.map_or("another process".to_owned(), |process| process.name());
        Err(Failure::new(format!(
            "the server of `ctxpin up` is starting or ending; it is run by {who}"
        ))
        .hint(Hint::run(
            NextCommand::Down,
            "ends it, if you do not want to wait",
        )))
    }

    /// Returns the token of the server's first user.
    fn token(&self) -> Result<Token, Failure> {
        let path = self
            .data
            .server(&self.running.database)
            .join(ADMIN_TOKEN_NAME);
        Ok(Token {
            secret: self.running.admin_token(&self.data)?,
            origin: Origin::Kept(path),
        })
    }

    fn into_local(self) -> Local {
        Local {
            data: self.data,
            database: self.running.database,
        }
    }
}

impl Token {
    /// Returns a client that sends the token to a server.
    ///
    /// # Errors
    ///
    /// Fails if the token may not be sent there, or is malformed. A hint then says where it came from.
    fn client(&self, server: &Url, transport: Transport) -> Result<Client, Failure> {
        let made =
            Client::with_plain_http(server.clone(), self.secret.clone(), transport.plain_http());
        made.map_err(|error| {
            let is_malformed = matches!(error, ClientError::MalformedToken { .. });
            let failure = Failure::from(error);
            if is_malformed {
                failure.hint(Hint::say(self.told()))
            } else {
                failure
            }
        })
    }

    /// Returns the failure that ended an agent. If the token was refused, a hint says where it came from.
    pub fn refused(&self, error: AgentError) -> Failure {
        let told = matches!(error, AgentError::Unauthenticated { .. }).then(|| self.told());
        let failure = Failure::from(error);
        match told {
            Some(told) => failure.hint(Hint::say(told)),
            None => failure,
        }
    }

    /// Says where the token came from, and how to give another one.
    pub fn told(&self) -> String {
        match &self.origin {
            Origin::Kept(path) => format!(
                "the token came from {}; delete that file and start the server again, which writes a new one",
                say::path(path)
            ),
            origin @ Origin::Enrolled(_) => {
                format!("the token came from {origin}; with a new code it gets another one")
            }
            origin @ (Origin::Option(_) | Origin::OptionFile(..) | Origin::Variable(_)) => format!(
                "the token came from {origin}; give a valid one with --token-file FILE or in {TOKEN_VARIABLE}"
            ),
        }
    }
}

impl AgentConnection {
    /// Returns the server and the token.
    ///
    /// # Errors
    ///
    /// Fails if there is no token.
    pub fn get(&self) -> Result<AgentAccess, Failure> {
        let token = self.token_given()?;
        Ok(self.access(token.ok_or_else(no_agent_token)?))
    }

    /// Returns the server, and the token as [`Self::get`] does or else the token that the agent of a directory with
    /// this canonical path and of a profile got by a code.
    ///
    /// # Errors
    ///
    /// Fails if there is no token.
    pub fn get_or_enrolled(
        &self,
        directory: &Path,
        profile: Profile,
    ) -> Result<AgentAccess, Failure> {
        if let Some(token) = self.token_given()? {
            return Ok(self.access(token));
        }
        let data = DataDirectory::locate()?;
        let kept = data.run_credentials(directory, profile, &self.server);
        let enrolled = AgentCredentials::read(&kept)?.ok_or_else(|| {
            no_agent_token().hint(Hint::run(
                NextCommand::AgentEnrol,
                "asks for a code that the web page shows",
            ))
        })?;
        Ok(self.enrolled_access(&kept, enrolled))
    }

    /// Returns the server, and the token that the agent of a directory with this canonical path and of a profile got
    /// by a code. Asks for a code if there is none, or if the server does not accept that token.
    ///
    /// # Errors
    ///
    /// Fails if the code makes no agent, or `shutdown` is cancelled.
    pub async fn enrol(
        &self,
        directory: &Path,
        profile: Profile,
        shutdown: &CancellationToken,
    ) -> Result<AgentAccess, Failure> {
        let data = DataDirectory::locate()?;
        data.create()?;
        let kept = data.run_credentials(directory, profile, &self.server);
        if let Some(enrolled) = AgentCredentials::read(&kept)? {
            let access = self.enrolled_access(&kept, enrolled);
            if !needs_code(&access.client()?).await {
                return Ok(access);
            }
            say::note("the server does not accept the token of this directory's agent");
        }
        let enroller = Enroller {
            server: &self.server,
            plain_http: self.transport.plain_http(),
            profile,
            kept: &kept,
        };
        let enrolled = enroller.enrol(shutdown).await?;
        Ok(self.enrolled_access(&kept, enrolled))
    }

    fn token_given(&self) -> Result<Option<Token>, Failure> {
        token_given(self.token_file.as_deref())
    }

    fn enrolled_access(&self, kept: &Path, enrolled: AgentCredentials) -> AgentAccess {
        self.access(Token {
            secret: enrolled.token,
            origin: Origin::Enrolled(kept.join("token")),
        })
    }

    fn access(&self, token: Token) -> AgentAccess {
        AgentAccess {
            server: self.server.clone(),
            token,
            transport: self.transport,
        }
    }
}

fn no_agent_token() -> Failure {
    Failure::usage("no agent's token was given")
        .hint(Hint::run(NextCommand::AgentCreate, "creates an agent"))
        .hint(Hint::set(Setting::TokenFile, "gives its token"))
}

impl AgentAccess {
    /// Returns a client that calls the server as the agent.
    ///
    /// # Errors
    ///
    /// Fails if the token may not be sent there, or is malformed.
    pub fn client(&self) -> Result<Client, Failure> {
        self.token.client(&self.server, self.transport)
    }
}

/// Returns the token from the file or from the environment, if there is one.
///
/// # Errors
///
/// Fails if the file cannot be read, or the variable is not UTF-8.
pub fn token_given(file: Option<&Path>) -> Result<Option<Token>, Failure> {
    if let Some(file) = file {
        return Ok(Some(Token {
            secret: token_read(file)?,
            origin: Origin::OptionFile("--token-file", file.to_owned()),
        }));
    }
    let Some(token) = variable(TOKEN_VARIABLE) else {
        return Ok(None);
    };
    let token = token
        .into_string()
        .map_err(|_| Failure::usage(format!("{TOKEN_VARIABLE} holds no token: it is not UTF-8")))?;
    Ok(match token.trim() {
        "" => None,
        token => Some(Token {
            secret: Secret::new(token),
            origin: Origin::Variable(TOKEN_VARIABLE),
        }),
    })
}

fn no_server() -> Failure {
    Failure::new("no ctxpin server runs for you")
        .hint(Hint::run(NextCommand::Up, "starts one"))
        .hint(Hint::set(Setting::Server, "names one"))
}

fn no_token() -> Failure {
    Failure::usage("no token was given for that server")
        .hint(Hint::set(Setting::TokenFile, "gives one"))
        .hint(Hint::set(Setting::Token, "holds one"))
}
