//! What went wrong, and what to do next.

use std::process::ExitCode;

use ctxpin_agent::control::ControlError;
use ctxpin_agent::error::AgentError;
use ctxpin_client::error::ClientError;
use ctxpin_protocol::problem::ProblemName;
use serde::{Deserialize, Serialize};

use super::{Hint, NextCommand};

/// Something failed that a person asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    message: String,
    hints: Vec<Hint>,
    exit_code: u8,
}

impl Failure {
    /// A failure; `message` says what failed and why.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hints: Vec::new(),
            exit_code: 1,
        }
    }

    /// A failure because the command was not called as it must be.
    pub fn usage(message: impl Into<String>) -> Self {
        Self {
            exit_code: 2,
            ..Self::new(message)
        }
    }

    /// Adds a hint.
    pub fn hint(mut self, hint: Hint) -> Self {
        self.hints.push(hint);
        self
    }

    /// Replaces all hints by a better one.
    pub fn only_hint(self, hint: Hint) -> Self {
        Self {
            hints: vec![hint],
            ..self
        }
    }

    /// Says what it is about, where the person did not just name it.
    pub fn about(self, subject: &str) -> Self {
        Self {
            message: format!("{subject}: {}", self.message),
            ..self
        }
    }

    /// Says it on standard error and gives the exit code that tells it to a program.
    pub fn report(&self) -> ExitCode {
        let label = anstyle::AnsiColor::Red.on_default().bold();
        super::note(&format!(
            "{} {}",
            super::paint(label, "error:"),
            super::line(&self.message)
        ));
        for hint in &self.hints {
            super::hint(&hint.to_string());
        }
        ExitCode::from(self.exit_code)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let mut failure = Self::new(error.to_string());
        let is_refused = error.problem_name() == Some(ProblemName::Unauthenticated)
            || matches!(
                error,
                ClientError::MalformedToken { .. } | ClientError::Unproven { .. }
            );
        match (error.token_origin(), error.problem_name()) {
            (Some(told), _) if is_refused => failure.hint(Hint::say(told)),
            (_, name) => {
                failure.hints = name.map(problem_hints).unwrap_or_default();
                failure
            }
        }
    }
}

impl From<AgentError> for Failure {
    fn from(error: AgentError) -> Self {
        Self::new(error.to_string())
    }
}

impl From<ControlError> for Failure {
    fn from(error: ControlError) -> Self {
        Self::new(error.to_string())
    }
}

/// Returns what to do next on this command line, of which the server's own words know nothing.
fn problem_hints(name: ProblemName) -> Vec<Hint> {
    match name {
        ProblemName::Forbidden => vec![Hint::run(
            NextCommand::TokenList,
            "shows what your tokens may do",
        )],
        ProblemName::NotFound => vec![
            Hint::run(NextCommand::ChatList, "shows your chats"),
            Hint::run(NextCommand::AgentList, "shows your agents"),
        ],
        ProblemName::NoHead => vec![
            Hint::run(NextCommand::Up, "in the workspace starts an agent"),
            Hint::run(NextCommand::ChatBind, "binds the chat to a running agent"),
        ],
        ProblemName::Archived => vec![Hint::run(NextCommand::ChatUnarchive, "takes it back")],
        ProblemName::PreconditionFailed => vec![Hint::run(
            NextCommand::ChatDiff,
            "shows what it is now; then decide again",
        )],
        ProblemName::MalformedRequest
        | ProblemName::Unauthenticated
        | ProblemName::MethodNotAllowed
        | ProblemName::RequestTimeout
        | ProblemName::Fenced
        | ProblemName::MissingBlobs
        | ProblemName::AgentReplaced
        | ProblemName::Conflict
        | ProblemName::TooLarge
        | ProblemName::UnsupportedMediaType
        | ProblemName::Misdirected
        | ProblemName::InvalidRequest
        | ProblemName::InvalidManifest
        | ProblemName::HashMismatch
        | ProblemName::QuotaExceeded
        | ProblemName::Internal
        | ProblemName::Busy
        | ProblemName::SyncPaused
        | ProblemName::Unavailable
        | ProblemName::UpgradeNeeded => Vec::new(),
    }
}
