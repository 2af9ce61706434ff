//! Answering at the socket.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ctxpin_protocol::control::{Answer, REQUEST_BYTES_MAX, Request};
use rustix::process::geteuid;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::short_path::ShortPath;
use super::socket_path;
use crate::control::handler::ControlHandler;
use crate::error::AgentError;

/// Longest wait that a resync may ask for, in seconds.
pub(crate) const RESYNC_SECONDS_MAX: u64 = 600;

/// Longest wait for a request, once a connection is there.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(5);

/// Most connections at a time. Others wait until one has its answer.
const CONNECTIONS_MAX: usize = 32;

/// The pause after a connection could not be taken, for want of files or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Most bytes of a request that is too long which are still taken in: a socket that is closed with
/// bytes unread loses the answer.
const DRAIN_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Longest wait for them.
const DRAIN_TIME_MAX: Duration = Duration::from_millis(200);

/// The socket of a running agent. Its file goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Binds the socket in a state directory that this process holds: one that is there already
    /// belongs to nobody any more.
    pub fn bind(state_directory: &Path) -> Result<Self, AgentError> {
        let path = socket_path(state_directory);
        let failed = |reason| AgentError::State {
            path: path.clone(),
            reason,
        };
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.file_type().is_socket() => {
                fs::remove_file(&path).map_err(|error| failed(error.to_string()))?;
            }
            Ok(_) => {
                let reason = "it is in the way of the agent's socket; move it away";
                return Err(failed(reason.to_owned()));
            }
            // If it is more than missing, binding says so.
            Err(_) => {}
        }
        let bind = || UnixListener::bind(ShortPath::of(&path)?.path());
        let listener = bind().map_err(|error: io::Error| failed(error.to_string()))?;
        // Until here the directory has kept others away.
        fs::set_permissions(&path, Permissions::from_mode(0o600))
            .map_err(|error| failed(error.to_string()))?;
        Ok(Self { listener, path })
    }

    /// Answers for ever. Connections live on in `connections` until that is shut down.
    pub async fn serve(&self, handler: &Arc<ControlHandler>, connections: &mut JoinSet<()>) {
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            while connections.try_join_next().is_some() {}
            let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
                return;
            };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let handler = Arc::clone(handler);
                    connections.spawn(async move {
                        if let Err(error) = converse(stream, &handler).await {
                            tracing::debug!(%error, "a control connection broke");
                        }
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a control connection could not be taken");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // If it is gone already, so much the better.
        let _ = fs::remove_file(&self.path);
    }
}

/// One request, one answer.
async fn converse(mut stream: UnixStream, handler: &ControlHandler) -> io::Result<()> {
    let answer = if is_admitted(stream.peer_cred()?.uid(), geteuid().as_raw()) {
        let (read, _) = stream.split();
        let mut reader = BufReader::new(read);
        let line = read_line(&mut reader, REQUEST_BYTES_MAX);
        let line = tokio::time::timeout(REQUEST_TIME_MAX, line).await??;
        if line.is_none() {
            drain(&mut reader).await;
        }
        match parse(line) {
            Ok(request) => handler.answer(request).await,
            Err(reason) => Answer::Refused { reason },
        }
    } else {
        Answer::Refused {
            reason: "only the user that runs this agent may ask it".into(),
        }
    };
    let mut line = serde_json::to_vec(&answer)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    if matches!(answer, Answer::Stopping {}) {
        handler.stop.cancel();
        // Whoever asked waits for the end of the connection, which comes with that of the agent.
        std::future::pending::<()>().await;
    }
    Ok(())
}

/// Takes in the rest of a request that is too long. A peer that goes on and on has waited long
/// enough.
async fn drain(reader: &mut (impl AsyncBufRead + Unpin)) {
    let mut rest = reader.take(DRAIN_BYTES_MAX);
    let mut nowhere = tokio::io::sink();
    let rest = tokio::io::copy(&mut rest, &mut nowhere);
    let _ = tokio::time::timeout(DRAIN_TIME_MAX, rest).await;
}

/// Reads a line of at most `bytes_max` bytes; none if it is longer. The end of the stream ends a
/// line too.
pub(crate) async fn read_line(
    reader: &mut (impl AsyncBufRead + Unpin),
    bytes_max: usize,
) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let mut bounded = reader.take(bytes_max as u64 + 1);
    bounded.read_until(b'\n', &mut line).await?;
    Ok((line.len() <= bytes_max).then_some(line))
}

fn parse(line: Option<Vec<u8>>) -> Result<Request, String> {
    let Some(line) = line else {
        return Err(format!(
            "a request is a line of at most {REQUEST_BYTES_MAX} bytes"
        ));
    };
    serde_json::from_slice(&line).map_err(|error| format!("the request cannot be read: {error}"))
}

/// Whether a user may ask an agent of the user `own`: that one, and root, who may do anything.
fn is_admitted(peer: u32, own: u32) -> bool {
    peer == own || peer == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_not_admitted() {
        for (peer, own, expected) in [(7, 7, true), (0, 7, true), (8, 7, false), (7, 0, false)] {
            assert_eq!(is_admitted(peer, own), expected, "{peer} {own}");
        }
    }
}
