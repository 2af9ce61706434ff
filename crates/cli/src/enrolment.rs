//! Enrolment: exchanges the code that a person types for an agent, and keeps the agent's token.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _};
use std::path::Path;
use std::thread;

use ctxpin_client::error::ClientError;
use ctxpin_client::{Client, PlainHttp};
use ctxpin_model::enrolment::EnrolmentCode;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::profile::Profile;
use ctxpin_model::token::Token;
use ctxpin_protocol::http::agents::AgentCreated;
use ctxpin_protocol::http::enrolment::AgentEnrol;
use ctxpin_protocol::http::people::Secret;
use ctxpin_protocol::problem::ProblemName;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::agent_credentials::AgentCredentials;
use crate::data_directory::{directory_create, file_write, unreadable, unwritable};
use crate::owned::file_demand;
use crate::say::{self, Failure, Hint, NextCommand};

/// How often a person may type a code before the command gives up.
const ATTEMPTS_MAX: u32 = 5;

/// Longest line that is read as a code, in bytes.
const LINE_BYTES_MAX: u64 = 1024;

/// The server that makes the agent.
#[derive(Debug, Clone, Copy)]
pub struct Enroller<'s> {
    pub server: &'s Url,
    pub plain_http: PlainHttp,
    /// The profile of the agent that runs.
    pub profile: Profile,
    /// The directory in which the agent's id and token are kept.
    pub kept: &'s Path,
}

impl Enroller<'_> {
    /// Asks for a code, exchanges it, and keeps the id and the token of the new agent.
    ///
    /// # Errors
    ///
    /// Fails if `shutdown` is cancelled, the server does not know the code, or the token cannot be kept.
    pub async fn enrol(&self, shutdown: &CancellationToken) -> Result<AgentCredentials, Failure> {
        let is_asked = io::stdin().is_terminal();
        let mut attempt = 1;
        loop {
            let failure = match code_read(is_asked, shutdown)
                .await?
                .parse::<EnrolmentCode>()
            {
                Err(malformed) => Failure::new(malformed.to_string()),
                Ok(code) => match self.exchange(&code).await {
                    Ok(credentials) => return Ok(credentials),
                    Err(Exchange::Unknown(failure)) => failure,
                    Err(Exchange::Failed(failure)) => return Err(failure),
                },
            };
            if !is_asked || attempt == ATTEMPTS_MAX {
                return Err(failure.hint(Hint::run(
                    NextCommand::AgentEnrolmentCode,
                    "makes a code, as the web page does under Workspaces",
                )));
            }
            failure.report();
            attempt += 1;
        }
    }

    /// Exchanges a code. The secret of the agent's token is kept before, so that a second attempt with the same code
    /// succeeds if the response to the first was lost.
    async fn exchange(&self, code: &EnrolmentCode) -> Result<AgentCredentials, Exchange> {
        let client = Client::enrolling(self.server.clone(), code, self.plain_http);
        let client = client.map_err(Failure::from)?;
        let draft = self.kept.join("secret");
        let secret = self.secret(&draft, code)?;
        let enrol = AgentEnrol {
            code: Secret::new(code.reveal()),
            profile: (self.profile != Profile::Neutral).then(|| self.profile.to_string()),
            secret_hash: BlobHash::of(&secret).to_string(),
        };
        let enrolled = client.agent_enrol(&enrol).await?;
        let token = Token::new(enrolled.token_id.into(), secret).reveal();
        let created = AgentCreated {
            agent: enrolled.agent,
            token: Secret::new(token),
        };
        let credentials = AgentCredentials::write(self.kept, &created)?;
        std::fs::remove_file(&draft).map_err(|error| unwritable(&draft, error))?;
        say::note(&format!(
            "connected as workspace \"{}\", agent {}; its token is kept in {}",
            say::line(&created.agent.workspace),
            say::id(created.agent.id),
            say::path(&self.kept)
        ));
        Ok(credentials)
    }

    /// Returns the secret of an earlier attempt with this code, or a new one. Whoever took another code has the hash of
    /// its secret, and could pose with that as a server that knows the agent's token.
    fn secret(&self, draft: &Path, code: &EnrolmentCode) -> Result<[u8; 32], Failure> {
        directory_create(self.kept)?;
        file_demand(draft)?;
        let id = code.id().uuid();
        match std::fs::read(draft) {
            Ok(bytes) => {
                let secret = bytes.strip_prefix(id.as_bytes());
                if let Some(Ok(secret)) = secret.map(<[u8; 32]>::try_from) {
                    return Ok(secret);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unreadable(draft).because(error)),
        }
        let secret: [u8; 32] = rand::random();
        file_write(draft, &[&id.as_bytes()[..], &secret].concat())?;
        Ok(secret)
    }
}

/// The reason why a code made no agent.
enum Exchange {
    /// Another code may do.
    Unknown(Failure),
    Failed(Failure),
}

impl From<Failure> for Exchange {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<ClientError> for Exchange {
    fn from(error: ClientError) -> Self {
        let is_unknown = matches!(error, ClientError::UnknownCode { .. })
            || error.problem_name() == Some(ProblemName::Unauthenticated);
        let failure = Failure::from(error);
        match is_unknown {
            true => Self::Unknown(failure),
            false => Self::Failed(failure.hint(Hint::say(
                "within ten minutes the same code works again in this directory",
            ))),
        }
    }
}

/// Reads a code from the terminal, which does not show it, or else a line of standard input.
async fn code_read(is_asked: bool, shutdown: &CancellationToken) -> Result<String, Failure> {
    let hidden = is_asked.then(Hidden::begin).transpose()?;
    if is_asked {
        say::ask("the code that the web page shows: ");
    }
    let (sender, line) = oneshot::channel();
    // If the command is stopped, the thread still waits for a line, and the process ends without it.
    thread::spawn(move || sender.send(line_read()));
    let line = tokio::select! {
        line = line => line,
        () = shutdown.cancelled() => return Err(Failure::new("stopped before a code was typed")),
    };
    drop(hidden);
    let unreadable = || Failure::new("no code can be read from standard input");
    let line = line.map_err(|error| unreadable().because(error))?;
    let line = line.map_err(|error| unreadable().because(error))?;
    match line.is_empty() {
        true => Err(Failure::usage("standard input has no code")),
        false => Ok(line),
    }
}

fn line_read() -> io::Result<String> {
    let mut line = String::new();
    io::stdin()
        .lock()
        .take(LINE_BYTES_MAX)
        .read_line(&mut line)?;
    Ok(line)
}

/// A terminal that does not show what is typed, until this is dropped.
struct Hidden(Termios);

impl Hidden {
    fn begin() -> Result<Self, Failure> {
        let hide = || {
            let before = tcgetattr(io::stdin())?;
            let mut hidden = before.clone();
            hidden.local_modes.remove(LocalModes::ECHO);
            tcsetattr(io::stdin(), OptionalActions::Now, &hidden)?;
            Ok(Self(before))
        };
        hide().map_err(|error: rustix::io::Errno| {
            Failure::new("the terminal cannot be kept from showing the code").because(error)
        })
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // A terminal that is gone shows nothing.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
        // The end of the line was not shown either.
        say::note("");
    }
}

/// Returns whether an agent needs a new code, because the server does not accept its token. A server that cannot prove
/// that it knows the token may be another one, which has taken the port for a while: only somebody at a terminal can
/// tell.
pub async fn needs_code(client: &Client) -> bool {
    match client.me().await {
        Err(ClientError::MalformedToken { .. }) => true,
        Err(ClientError::Unproven { .. }) => io::stdin().is_terminal(),
        // An agent is no user, so the server refuses the request with a valid token too, as forbidden.
        Err(error) => error.problem_name() == Some(ProblemName::Unauthenticated),
        Ok(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_a_secret_of_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let server = "http://127.0.0.1:7878".parse().unwrap();
        let kept = directory.path().join("kept");
        let enroller = Enroller {
            server: &server,
            plain_http: PlainHttp::Refused,
            profile: Profile::Neutral,
            kept: &kept,
        };
        let draft = kept.join("secret");
        let secret = |code| {
            let code = EnrolmentCode::new([code; 10]);
            enroller.secret(&draft, &code).unwrap()
        };
        let first = secret(1);
        assert_eq!(secret(1), first);
        let second = secret(2);
        assert_ne!(second, first);
        assert_eq!(secret(2), second);
        assert_ne!(secret(1), first, "only the last code's is kept");
        std::fs::write(&draft, first).unwrap();
        assert_ne!(secret(1), first, "a file without the code");
    }
}
