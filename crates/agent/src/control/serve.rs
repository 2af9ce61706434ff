//! The agent's end of the control socket.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use ctxpin_protocol::control::{
    REQUEST_BYTES_MAX, Refusal, RefusalKind, Request, RequestError, Response,
};
use futures_util::FutureExt as _;
use rustix::process::geteuid;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::short_path::ShortPath;
use super::socket_path;
use crate::control::handler::ControlHandler;
use crate::error::AgentError;
use crate::line::{Line, Place};

/// Longest wait for a request after the connection was accepted.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(5);

/// Longest wait until the caller has read the response.
const RESPONSE_TIME_MAX: Duration = Duration::from_secs(5);

/// Longest wait of a request until those whose connections came before it have begun. If this process was stopped, many wait
/// together, and the hooks of a session say nothing of their order.
const ORDER_TIME_MAX: Duration = Duration::from_millis(100);

/// Most connections at a time. Others wait until one of them is closed.
const CONNECTIONS_MAX: usize = 32;

/// The pause after the system refused a connection for lack of file descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Maximum number of bytes that are read and discarded of a request that is too long. Closing a socket with
/// unread bytes loses the response.
const DRAIN_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Longest time for reading those bytes.
const DRAIN_TIME_MAX: Duration = Duration::from_millis(200);

/// The control socket of this process. Dropping it removes its file.
#[derive(Debug)]
pub(crate) struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Binds the socket in a state directory that this process has locked. Replaces an existing socket,
    /// since no running agent can own it.
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
            // If the path has another problem than being missing, binding fails.
            Err(_) => {}
        }
        let bind = || UnixListener::bind(ShortPath::of(&path)?.path());
        let listener = bind().map_err(|error: io::Error| failed(error.to_string()))?;
        // Until now, the mode of the directory has kept other users away.
        fs::set_permissions(&path, Permissions::from_mode(0o600))
            .map_err(|error| failed(error.to_string()))?;
        Ok(Self { listener, path })
    }

    /// Accepts connections until the future is dropped. The connections continue in `connections` until
    /// that is shut down.
    pub async fn serve(&self, handler: &Arc<ControlHandler>, connections: &mut JoinSet<()>) {
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut line = Line::default();
        loop {
            while connections.try_join_next().is_some() {}
            let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
                return;
            };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let handler = Arc::clone(handler);
                    let place = line.take();
                    connections.spawn(async move {
                        if let Err(error) = respond(stream, place, &handler).await {
                            tracing::debug!(%error, "a control connection broke");
                        }
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a control connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // The file may be deleted already.
        let _ = fs::remove_file(&self.path);
    }
}

/// Reads the request of a connection and sends the response.
async fn respond(
    mut stream: UnixStream,
    mut place: Place,
    handler: &ControlHandler,
) -> io::Result<()> {
    let request = if is_admitted(stream.peer_cred()?.uid(), geteuid().as_raw()) {
        let (read, _) = stream.split();
        read_request(&mut BufReader::new(read)).await?
    } else {
        Err(Refusal {
            kind: RefusalKind::Forbidden,
            reason: "only the user who runs this agent may use its control socket".into(),
        })
    };
    let response = match request {
        Ok(request) => {
            // One that is slow to write its request holds up no others.
            let _ = tokio::time::timeout(ORDER_TIME_MAX, place.come_first()).await;
            let mut handled = pin!(handler.handle(request));
            let at_once = handled.as_mut().now_or_never();
            drop(place);
            match at_once {
                Some(response) => response,
                None => handled.await,
            }
        }
        Err(refusal) => Response::Refused(refusal),
    };
    let mut line = serde_json::to_vec(&response)?;
    line.push(b'\n');
    tokio::time::timeout(RESPONSE_TIME_MAX, stream.write_all(&line)).await??;
    if matches!(response, Response::Stopping {}) {
        handler.stop.cancel();
        // The caller waits for the end of the connection, which ends with the agent.
        std::future::pending::<()>().await;
    }
    Ok(())
}

async fn read_request(
    reader: &mut (impl AsyncBufRead + Unpin),
) -> io::Result<Result<Request, Refusal>> {
    let line = read_line(reader, REQUEST_BYTES_MAX);
    let Some(line) = tokio::time::timeout(REQUEST_TIME_MAX, line).await?? else {
        drain(reader).await;
        return Ok(Err(Refusal {
            kind: RefusalKind::InvalidRequest,
            reason: format!("a request is a line of at most {REQUEST_BYTES_MAX} bytes"),
        }));
    };
    Ok(Request::parse(&line).map_err(|error| Refusal {
        kind: match error {
            RequestError::Unknown { .. } => RefusalKind::UnknownRequest,
            RequestError::Invalid { .. } => RefusalKind::InvalidRequest,
        },
        reason: error.to_string(),
    }))
}

/// Reads and discards the rest of a request that is too long, within bounds.
async fn drain(reader: &mut (impl AsyncBufRead + Unpin)) {
    let mut rest = reader.take(DRAIN_BYTES_MAX);
    let mut nowhere = tokio::io::sink();
    let rest = tokio::io::copy(&mut rest, &mut nowhere);
    let _ = tokio::time::timeout(DRAIN_TIME_MAX, rest).await;
}

/// Reads a line of at most `bytes_max` bytes, or returns `None` if it is longer. The end of the stream
/// also ends a line.
pub(crate) async fn read_line(
    reader: &mut (impl AsyncBufRead + Unpin),
    bytes_max: usize,
) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let mut bounded = reader.take(bytes_max as u64 + 1);
    bounded.read_until(b'\n', &mut line).await?;
    Ok((line.len() <= bytes_max).then_some(line))
}

/// Returns whether `peer` may send requests to an agent of the user `own`. Only the same user and root may.
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
