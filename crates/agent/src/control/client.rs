//! The caller's end of the control socket.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ctxpin_model::profile::Profile;
use ctxpin_protocol::control::{
    AgentStatus, Attached, HookCall, HookReply, REQUEST_BYTES_MAX, RESPONSE_BYTES_MAX,
    RESYNC_SECONDS_MAX, Request, Response, ResyncReply, Source, SourceChange, SourceDetails,
    StandingStatus,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use super::short_path::ShortPath;
use super::socket_path;

/// Longest wait for a response, besides the time that a resync may take.
const RESPONSE_TIME_MAX: Duration = Duration::from_secs(10);

/// Longest wait for an agent that the process makes, for which it asks its server.
const ATTACH_TIME_MAX: Duration = Duration::from_secs(60);

/// Longest wait for the end of an agent.
const STOP_TIME_MAX: Duration = Duration::from_secs(30);

/// Sends requests to the agent of one state directory. Each call opens a connection of its own.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
}

/// The failure of a request to an agent.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No agent runs.
    #[error(
        "no agent runs here (nothing listens at {}); start one with `ctxpin up` or `ctxpin agent run`",
        .socket.display()
    )]
    NotRunning { socket: PathBuf },
    /// The agent did not do what was requested.
    #[error("{reason}")]
    Refused {
        /// The problem, and what to do.
        reason: String,
    },
    /// The connection failed.
    #[error("the agent at {} does not respond: {error}", .socket.display())]
    Broken {
        socket: PathBuf,
        #[source]
        error: io::Error,
    },
    /// No response came in time.
    #[error("the agent did not respond within {} s", .after.as_secs_f64())]
    TimedOut { after: Duration },
    /// The request cannot be sent, or the response cannot be read.
    #[error("{reason}")]
    Malformed { reason: String },
}

impl Client {
    /// Returns a client of the agent of a state directory. It sends nothing yet.
    pub fn new(state_directory: &Path) -> Self {
        Self {
            socket: socket_path(state_directory),
        }
    }

    /// Reads the agent's status.
    ///
    /// # Errors
    ///
    /// Fails if no agent runs, or it does not respond within 10 s.
    pub async fn status(&self) -> Result<AgentStatus, ControlError> {
        match self.send(&Request::Status {}, RESPONSE_TIME_MAX).await? {
            Response::Status(status) => Ok(*status),
            other => Err(malformed(&other)),
        }
    }

    /// Requests a scan and a push of every agent of the process, and waits until the server has acknowledged the push
    /// of one agent, which a status has told, or of the first one. `wait` is rounded down to whole seconds, from 1 to 600.
    ///
    /// # Errors
    ///
    /// Fails if no agent runs, the scan fails, the server refuses the push, or nothing is
    /// acknowledged within `wait`.
    pub async fn resync(
        &self,
        wait: Duration,
        agent: Option<&StandingStatus>,
    ) -> Result<ResyncReply, ControlError> {
        let wait_seconds = wait.as_secs().clamp(1, RESYNC_SECONDS_MAX);
        let time_max = Duration::from_secs(wait_seconds) + RESPONSE_TIME_MAX;
        let request = Request::Resync {
            wait_seconds,
            profile: agent.map(|agent| agent.profile_name().to_owned()),
            directory: agent.map(|agent| agent.directory.clone()),
        };
        match self.send(&request, time_max).await? {
            Response::Resynced(resynced) => Ok(resynced),
            other => Err(malformed(&other)),
        }
    }

    /// Finds the agent for a tool that is started in a directory of the project, by its absolute path, or has the process
    /// make it.
    ///
    /// # Errors
    ///
    /// Fails if no agent runs, the directory belongs to another project, or the agent cannot be made.
    pub async fn attach(
        &self,
        directory: &Path,
        profile: Profile,
    ) -> Result<Attached, ControlError> {
        let request = Request::Attach {
            directory: text(directory)?,
            profile: profile.to_string(),
        };
        match self.send(&request, ATTACH_TIME_MAX).await? {
            Response::Attached(attached) => Ok(attached),
            other => Err(malformed(&other)),
        }
    }

    /// Declares a source, which is a directory or a file, by an absolute path.
    ///
    /// # Errors
    ///
    /// Fails if no agent runs, or it refuses the source.
    pub async fn source_add(&self, path: &Path) -> Result<SourceChange, ControlError> {
        let path = text(path)?;
        self.source_change(&Request::SourceAdd { path }).await
    }

    /// Removes a declared source.
    ///
    /// # Errors
    ///
    /// Fails if no agent runs, the source is not declared, or the operator declared it.
    pub async fn source_remove(&self, path: &Path) -> Result<SourceChange, ControlError> {
        let path = text(path)?;
        self.source_change(&Request::SourceRemove { path }).await
    }

    /// Lists the declared sources in their order.
    ///
    /// # Errors
    ///
    /// Fails if no agent runs, or it does not respond within 10 s.
    pub async fn source_list(&self) -> Result<Vec<Source>, ControlError> {
        match self
            .send(&Request::SourceList {}, RESPONSE_TIME_MAX)
            .await?
        {
            Response::Sources(sources) => Ok(sources),
            other => Err(malformed(&other)),
        }
    }

    /// Reads one declared source, and what the last scan found in it.
    ///
    /// # Errors
    ///
    /// Fails if no agent runs, or the source is not declared.
    pub async fn source_show(&self, path: &Path) -> Result<SourceDetails, ControlError> {
        let path = text(path)?;
        let request = Request::SourceShow { path };
        match self.send(&request, RESPONSE_TIME_MAX).await? {
            Response::Source(found) => Ok(found),
            other => Err(malformed(&other)),
        }
    }

    /// Ends the agent, and waits until it has ended.
    ///
    /// # Errors
    ///
    /// Fails if no agent runs, it does not respond within 10 s, or it does not end within another
    /// 30 s.
    pub async fn stop(&self) -> Result<(), ControlError> {
        let send = async {
            let mut stream = self.connect().await?;
            let response = self.exchange(&mut stream, &Request::Stop {}).await?;
            Ok((stream, response))
        };
        let (mut stream, response) = within(RESPONSE_TIME_MAX, send).await?;
        if !matches!(response, Response::Stopping {}) {
            return Err(malformed(&response));
        }
        let end = async {
            // The agent keeps the connection open until it has ended. Then this read returns an
            // error or the end of the stream.
            let _ = stream.read(&mut [0]).await;
            Ok(())
        };
        within(STOP_TIME_MAX, end).await
    }

    /// Tells the process of a session of a client, within the given time.
    ///
    /// # Errors
    ///
    /// Fails if no agent runs, the process refuses, or it does not respond in time. It may go on in that case.
    pub async fn hook(
        &self,
        call: HookCall,
        time_max: Duration,
    ) -> Result<HookReply, ControlError> {
        match self.send(&Request::Hook(Box::new(call)), time_max).await? {
            Response::Hooked(reply) => Ok(reply),
            other => Err(malformed(&other)),
        }
    }

    async fn source_change(&self, request: &Request) -> Result<SourceChange, ControlError> {
        match self.send(request, RESPONSE_TIME_MAX).await? {
            Response::SourceChanged(changed) => Ok(changed),
            other => Err(malformed(&other)),
        }
    }

    async fn send(&self, request: &Request, time_max: Duration) -> Result<Response, ControlError> {
        let send = async {
            let mut stream = self.connect().await?;
            self.exchange(&mut stream, request).await
        };
        within(time_max, send).await
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

    /// Sends a request and reads the response. A refusal becomes an error.
    async fn exchange(
        &self,
        stream: &mut UnixStream,
        request: &Request,
    ) -> Result<Response, ControlError> {
        let malformed = |reason| ControlError::Malformed { reason };
        let mut line = serde_json::to_vec(request).map_err(|error| malformed(error.to_string()))?;
        line.push(b'\n');
        if line.len() > REQUEST_BYTES_MAX {
            return Err(malformed(format!(
                "the request is longer than the {REQUEST_BYTES_MAX} bytes that an agent accepts"
            )));
        }
        let sent = stream.write_all(&line).await;
        sent.map_err(|error| self.broken(error))?;
        let response =
            super::serve::read_line(&mut BufReader::new(stream), RESPONSE_BYTES_MAX).await;
        let Some(response) = response.map_err(|error| self.broken(error))? else {
            return Err(malformed("the agent's response is too long".into()));
        };
        if response.is_empty() {
            let error = io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "it closed the connection without a response",
            );
            return Err(self.broken(error));
        }
        match serde_json::from_slice(&response) {
            Ok(Response::Refused(refusal)) => Err(ControlError::Refused {
                reason: refusal.reason,
            }),
            Ok(response) => Ok(response),
            Err(error) => Err(malformed(format!(
                "the agent's response cannot be read ({error}); it may be of another version: restart it"
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
        Err(_) => Err(ControlError::TimedOut { after: time_max }),
    }
}

fn text(path: &Path) -> Result<String, ControlError> {
    match path.to_str() {
        Some(path) => Ok(path.to_owned()),
        None => Err(ControlError::Malformed {
            reason: format!("{} is not UTF-8, which a source must be", path.display()),
        }),
    }
}

fn malformed(response: &Response) -> ControlError {
    let name = match response {
        Response::Status(_) => "a status",
        Response::Resynced(_) => "the result of a resync",
        Response::Attached(_) => "an agent",
        Response::Hooked(_) => "the result of a hook",
        Response::Sources(_) => "a list of sources",
        Response::Source(_) => "a source",
        Response::SourceChanged(_) => "a change of sources",
        Response::Stopping {} => "that it ends",
        Response::Refused(_) => "a refusal",
    };
    ControlError::Malformed {
        reason: format!("the agent responded to another request, with {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_bound_below_a_second_is_told_as_it_is() {
        let never = std::future::pending::<Result<(), ControlError>>();
        let error = within(Duration::from_millis(15), never).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the agent did not respond within 0.015 s"
        );
        let after = Duration::from_millis(1800);
        let error = ControlError::TimedOut { after };
        assert_eq!(error.to_string(), "the agent did not respond within 1.8 s");
        let after = Duration::from_secs(10);
        let error = ControlError::TimedOut { after };
        assert_eq!(error.to_string(), "the agent did not respond within 10 s");
    }
}
