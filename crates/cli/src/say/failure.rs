//! What went wrong, and what to do next.

use std::process::ExitCode;

use ctxpin_agent::control::ControlError;
use ctxpin_agent::error::AgentError;
use ctxpin_client::error::ClientError;
use ctxpin_protocol::problem::ProblemName;
use serde::{Deserialize, Serialize};

/// Something failed that a person asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    message: String,
    hint: Option<String>,
    exit_code: u8,
}

impl Failure {
    /// A failure; `message` says what failed and why.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
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

    /// Adds what to do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
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
        if let Some(hint) = &self.hint {
            super::hint(hint);
        }
        ExitCode::from(self.exit_code)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let failure = Self::new(error.to_string());
        let is_refused = error.problem_name() == Some(ProblemName::Unauthenticated)
            || matches!(
                error,
                ClientError::MalformedToken { .. } | ClientError::Unproven { .. }
            );
        match (error.token_origin(), error.problem_name()) {
            (Some(told), _) if is_refused => failure.hint(told),
            (_, name) => match name.and_then(problem_hint) {
                Some(hint) => failure.hint(hint),
                None => failure,
            },
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

/// What to do next on this command line; the server's own words know nothing of it.
fn problem_hint(name: ProblemName) -> Option<&'static str> {
    Some(match name {
        ProblemName::Forbidden => "`ctxpin token list` shows what your tokens may do",
        ProblemName::NotFound => {
            "`ctxpin chat list` and `ctxpin agent list` show what there is for you"
        }
        ProblemName::NoHead => {
            "run `ctxpin up` in the workspace, or bind the chat to a running agent with `ctxpin chat bind AGENT`"
        }
        ProblemName::Archived => "take it back with `ctxpin chat archive --undo`",
        ProblemName::PreconditionFailed => {
            "look at what it is now with `ctxpin chat diff`, then decide again"
        }
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
        | ProblemName::UpgradeNeeded => return None,
    })
}
