//! Asking a running agent.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ctxpin_protocol::control::{
    ANSWER_BYTES_MAX, Answer, REQUEST_BYTES_MAX, Request, Resynced, Source, SourceChanged,
    SourceFound, Status,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use super::short_path::ShortPath;
use super::socket_path;

/// Longest wait for an answer that takes no time by itself.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);

/// Longest wait for an agent to end.
const STOP_TIME_MAX: Duration = Duration::from_secs(30);

/// Asks the agent of one state directory. Each call is a connection of its own.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
}

/// Why an agent gave no answer, or not the one that was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No agent runs.
    #[error(
        "no agent runs here (nothing answers at {}); start one with `ctxpin up` or `ctxpin agent run`",
        .socket.display()
    )]
    NotRunning {
        /// Where it would answer.
        socket: PathBuf,
    },
    /// The agent did not do what was asked.
    #[error("{reason}")]
    Refused {
        /// Why, and what to do.
        reason: String,
    },
    /// The agent cannot be reached, or left before it answered.
    #[error("the agent at {} cannot be asked: {error}", .socket.display())]
    Broken {
        /// Where it answers.
        socket: PathBuf,
        /// What happened.
        #[source]
        error: io::Error,
    },
    /// No answer came in time.
    #[error("the agent did not answer within {} s", .after.as_secs())]
    Silent {
        /// How long was waited.
        after: Duration,
    },
    /// The request cannot be sent, or the answer not be read.
    #[error("{reason}")]
    Unfit {
        /// Why.
        reason: String,
    },
}

impl Client {
    /// Asks the agent of that state directory. Nothing is sent yet.
    pub fn new(state_directory: &Path) -> Self {
        Self {
            socket: socket_path(state_directory),
        }
    }

    /// How the agent stands.
    ///
    /// # Errors
    ///
    /// If no agent runs, or it does not answer within 10 s.
    pub async fn status(&self) -> Result<Status, ControlError> {
        match self.ask(&Request::Status {}, ANSWER_TIME_MAX).await? {
            Answer::Status(status) => Ok(*status),
            other => Err(unfit(&other)),
        }
    }

    /// Has the agent scan and push now, and waits until the server has acknowledged it. `wait` is
    /// cut to whole seconds between 1 and 600.
    ///
    /// # Errors
    ///
    /// If no agent runs, the scan fails, the server refuses the push, or that takes longer than
    /// `wait`.
    pub async fn resync(&self, wait: Duration) -> Result<Resynced, ControlError> {
        let wait_seconds = wait.as_secs().clamp(1, super::serve::RESYNC_SECONDS_MAX);
        let time_max = Duration::from_secs(wait_seconds) + ANSWER_TIME_MAX;
        match self
            .ask(&Request::Resync { wait_seconds }, time_max)
            .await?
        {
            Answer::Resynced(resynced) => Ok(resynced),
            other => Err(unfit(&other)),
        }
    }

    /// Declares a source: a directory or a file by an absolute path.
    ///
    /// # Errors
    ///
    /// If no agent runs, or it does not take the source.
    pub async fn source_add(&self, path: &Path) -> Result<SourceChanged, ControlError> {
        let path = text(path)?;
        self.source_change(&Request::SourceAdd { path }).await
    }

    /// Takes a declared source away.
    ///
    /// # Errors
    ///
    /// If no agent runs, the source is not declared, or the operator declared it.
    pub async fn source_remove(&self, path: &Path) -> Result<SourceChanged, ControlError> {
        let path = text(path)?;
        self.source_change(&Request::SourceRemove { path }).await
    }

    /// The declared sources in their order.
    ///
    /// # Errors
    ///
    /// If no agent runs, or it does not answer within 10 s.
    pub async fn source_list(&self) -> Result<Vec<Source>, ControlError> {
        match self.ask(&Request::SourceList {}, ANSWER_TIME_MAX).await? {
            Answer::Sources(sources) => Ok(sources),
            other => Err(unfit(&other)),
        }
    }

    /// One declared source, and what the last scan found in it.
    ///
    /// # Errors
    ///
    /// If no agent runs, or the source is not declared.
    pub async fn source_show(&self, path: &Path) -> Result<SourceFound, ControlError> {
        let path = text(path)?;
        let request = Request::SourceShow { path };
        match self.ask(&request, ANSWER_TIME_MAX).await? {
            Answer::Source(found) => Ok(found),
            other => Err(unfit(&other)),
        }
    }

    /// Ends the agent, and waits until it has ended.
    ///
    /// # Errors
    ///
    /// If no agent runs, or it does not answer within 10 s or end within another 30.
    pub async fn stop(&self) -> Result<(), ControlError> {
        let ask = async {
            let mut stream = self.connect().await?;
            let answer = self.exchange(&mut stream, &Request::Stop {}).await?;
            Ok((stream, answer))
        };
        let (mut stream, answer) = within(ANSWER_TIME_MAX, ask).await?;
        if !matches!(answer, Answer::Stopping {}) {
            return Err(unfit(&answer));
        }
        let end = async {
            // The agent keeps the connection to its very end, and how that shows does not matter.
            let _ = stream.read(&mut [0]).await;
            Ok(())
        };
        within(STOP_TIME_MAX, end).await
    }

    async fn source_change(&self, request: &Request) -> Result<SourceChanged, ControlError> {
        match self.ask(request, ANSWER_TIME_MAX).await? {
            Answer::SourceChanged(changed) => Ok(changed),
            other => Err(unfit(&other)),
        }
    }

    async fn ask(&self, request: &Request, time_max: Duration) -> Result<Answer, ControlError> {
        let ask = async {
            let mut stream = self.connect().await?;
            self.exchange(&mut stream, request).await
        };
        within(time_max, ask).await
    }

    async fn connect(&self) -> Result<UnixStream, ControlError> {
        let connect = async {
            let short = ShortPath::of(&self.socket)?;
            UnixStream::connect(short.path()).await
        };
        connect.await.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                ControlError::NotRunning {
                    socket: self.socket.clone(),
                }
            }
            _ => self.broken(error),
        })
    }

    /// Sends a request and reads one line; refusals become errors.
    async fn exchange(
        &self,
        stream: &mut UnixStream,
        request: &Request,
    ) -> Result<Answer, ControlError> {
        let unfit = |reason| ControlError::Unfit { reason };
        let mut line = serde_json::to_vec(request).map_err(|error| unfit(error.to_string()))?;
        line.push(b'\n');
        if line.len() > REQUEST_BYTES_MAX {
            return Err(unfit(format!(
                "the request is longer than the {REQUEST_BYTES_MAX} bytes that an agent reads"
            )));
        }
        let sent = stream.write_all(&line).await;
        sent.map_err(|error| self.broken(error))?;
        let answer = super::serve::read_line(&mut BufReader::new(stream), ANSWER_BYTES_MAX).await;
        let Some(answer) = answer.map_err(|error| self.broken(error))? else {
            return Err(unfit("the agent's answer is too long".into()));
        };
        if answer.is_empty() {
            let error = io::Error::new(io::ErrorKind::UnexpectedEof, "it ended without an answer");
            return Err(self.broken(error));
        }
        match serde_json::from_slice(&answer) {
            Ok(Answer::Refused { reason }) => Err(ControlError::Refused { reason }),
            Ok(answer) => Ok(answer),
            Err(error) => Err(unfit(format!(
                "the agent's answer cannot be read ({error}); it may be of another version: restart it"
            ))),
        }
    }

    fn broken(&self, error: io::Error) -> ControlError {
        ControlError::Broken {
            socket: self.socket.clone(),
            error,
        }
    }
}

async fn within<T>(
    time_max: Duration,
    call: impl Future<Output = Result<T, ControlError>>,
) -> Result<T, ControlError> {
    match tokio::time::timeout(time_max, call).await {
        Ok(result) => result,
        Err(_) => Err(ControlError::Silent { after: time_max }),
    }
}

fn text(path: &Path) -> Result<String, ControlError> {
    match path.to_str() {
        Some(path) => Ok(path.to_owned()),
        None => Err(ControlError::Unfit {
            reason: format!("{} is not UTF-8, which a source must be", path.display()),
        }),
    }
}

fn unfit(answer: &Answer) -> ControlError {
    let name = match answer {
        Answer::Status(_) => "a status",
        Answer::Resynced(_) => "a resync's result",
        Answer::Sources(_) => "a list of sources",
        Answer::Source(_) => "a source",
        Answer::SourceChanged(_) => "a change of sources",
        Answer::Stopping {} => "that it ends",
        Answer::Refused { .. } => "a refusal",
    };
    ControlError::Unfit {
        reason: format!("the agent answered another question, with {name}"),
    }
}
