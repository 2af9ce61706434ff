//! Failures of commands, with their causes and hints.

use std::error::Error;
use std::process::ExitCode;

use ctxpin_agent::control::ControlError;
use ctxpin_agent::error::AgentError;
use ctxpin_client::error::ClientError;
use ctxpin_protocol::problem::ProblemName;
use serde::{Deserialize, Serialize};

use super::{Hint, NextCommand};

/// A failed command, with the causes, hints and the exit code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    message: String,
    /// The nearest cause comes first.
    causes: Vec<String>,
    hints: Vec<Hint>,
    exit_code: u8,
}

impl Failure {
    /// Returns a failure with the exit code 1. `message` says what failed; [`Failure::because`] adds why.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            causes: Vec::new(),
            hints: Vec::new(),
            exit_code: 1,
        }
    }

    /// Returns a failure with the exit code 2, because the command was called wrongly.
    pub fn usage(message: impl Into<String>) -> Self {
        Self {
            exit_code: 2,
            ..Self::new(message)
        }
    }

    /// Returns the failure that an error is, with the error's own causes.
    pub fn of<'a>(error: impl Into<Box<dyn Error + 'a>>) -> Self {
        let error = error.into();
        Self::new(error.to_string()).because_of(error.source())
    }

    /// Adds the cause: an error with its own causes, or a text.
    pub fn because<'a>(self, cause: impl Into<Box<dyn Error + 'a>>) -> Self {
        self.because_of(Some(&*cause.into()))
    }

    /// Adds a cause and the causes of it. Many libraries repeat a cause in the text of the error that it caused;
    /// such a cause is left out.
    fn because_of(mut self, mut next: Option<&dyn Error>) -> Self {
        while let Some(cause) = next {
            let text = cause.to_string();
            if !self.causes.last().unwrap_or(&self.message).contains(&text) {
                self.causes.push(text);
            }
            next = cause.source().map(|cause| cause as &dyn Error);
        }
        self
    }

    /// Returns what went wrong, without causes and hints.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Adds a hint.
    pub fn hint(mut self, hint: Hint) -> Self {
        self.hints.push(hint);
        self
    }

    /// Replaces all hints by this one.
    pub fn only_hint(self, hint: Hint) -> Self {
        Self {
            hints: vec![hint],
            ..self
        }
    }

    /// Adds what the failure is about, if the user did not name it on the command line.
    pub fn about(self, subject: &str) -> Self {
        Self {
            message: format!("{subject}: {}", self.message),
            ..self
        }
    }

    /// Prints the failure on standard error, and returns its exit code. A single cause is on the line
    /// of the message. Of several causes, each has a line of its own.
    pub fn report(&self) -> ExitCode {
        let label = anstyle::AnsiColor::Red.on_default().bold();
        let say = |word: &str, text: &str| {
            super::note(&format!(
                "{} {}",
                super::paint(label, word),
                super::line(text)
            ));
        };
        match self.causes.as_slice() {
            [cause] => say("error:", &format!("{}: {cause}", self.message)),
            causes => {
                say("error:", &self.message);
                causes.iter().for_each(|cause| say("caused by:", cause));
            }
        }
        for hint in &self.hints {
            super::hint(&hint.to_string());
        }
        ExitCode::from(self.exit_code)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let name = error.problem_name();
        let message = match error.problem() {
            // The detail says which object is missing. The title says only that an object is missing.
            Some(problem) if name == Some(ProblemName::NotFound) && !problem.detail.is_empty() => {
                problem.detail.clone()
            }
            // The client's text explains the causes already.
            _ => error.to_string(),
        };
        let mut failure = Self::new(message);
        let is_refused = name == Some(ProblemName::Unauthenticated)
            || matches!(
                error,
                ClientError::MalformedToken { .. } | ClientError::Unproven { .. }
            );
        if let ClientError::ProofDelayed { .. } = error {
            return failure.hint(Hint::say(
                "try again; if it stays so, the server's log says why",
            ));
        }
        match error.token_origin() {
            Some(told) if is_refused => failure.hint(Hint::say(told)),
            _ => {
                failure.hints = name.map(problem_hints).unwrap_or_default();
                failure
            }
        }
    }
}

impl From<AgentError> for Failure {
    fn from(error: AgentError) -> Self {
        Self::of(error)
    }
}

impl From<ControlError> for Failure {
    fn from(error: ControlError) -> Self {
        Self::of(error)
    }
}

/// Returns what to do next on this command line. The server's message cannot say it, because the server
/// knows no command line.
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
        ProblemName::OtherProfile => {
            vec![Hint::run(NextCommand::ChatRefresh, "takes the whole head")]
        }
        ProblemName::Archived => vec![Hint::run(NextCommand::ChatUnarchive, "unarchives it")],
        ProblemName::PreconditionFailed => vec![Hint::run(
            NextCommand::ChatDiff,
            "shows the present state; then decide again",
        )],
        ProblemName::MalformedRequest
        | ProblemName::Unauthenticated
        | ProblemName::MethodNotAllowed
        | ProblemName::RequestTimeout
        | ProblemName::Fenced
        | ProblemName::MissingBlobs
        | ProblemName::AgentReplaced
        | ProblemName::ObservedChat
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

#[cfg(test)]
mod tests {
    use super::*;

    /// An error with a cause. Its text may repeat the cause.
    #[derive(Debug)]
    struct Layer(&'static str, Option<Box<Layer>>);

    impl std::fmt::Display for Layer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Layer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|cause| cause as _)
        }
    }

    #[test]
    fn a_failure_keeps_the_causes_that_its_text_lacks() {
        let check = |texts: &[&'static str], expected: &[&str]| {
            let below = texts
                .iter()
                .rev()
                .fold(None, |below, text| Some(Box::new(Layer(text, below))));
            let layer = below.unwrap();
            let failure = Failure::new("no port").because(&*layer);
            assert_eq!(failure.causes, expected);
            // An error that is the failure itself is its message.
            let failure = Failure::of(*layer);
            assert_eq!(
                (&*failure.message, failure.causes.len()),
                (expected[0], expected.len() - 1)
            );
        };
        check(&["address in use"], &["address in use"]);
        check(&["bind", "in use"], &["bind", "in use"]);
        check(&["bind: in use", "in use"], &["bind: in use"]);
        check(
            &["bind: system: in use", "system: in use", "in use"],
            &["bind: system: in use"],
        );
        check(
            &["bind: system", "system", "in use"],
            &["bind: system", "in use"],
        );
        assert_eq!(Failure::new("a").because("b").causes, ["b"]);
    }
}
