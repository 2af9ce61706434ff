//! Floods of requests that cost the server more than the client.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::api::{Connection, head, request};

use super::Siege;
use super::bodies::UNKNOWN_TOKEN;

/// Connections of each flood.
const DOCUMENT_CONNECTIONS: usize = 4;
const TOKEN_CONNECTIONS: usize = 64;
const READINESS_CONNECTIONS: usize = 64;
const EXPOSURE_CONNECTIONS: usize = 16;

/// The number of requests that are sent before a response has come.
const AHEAD: usize = 20;

/// Reads the compressed API document.
pub fn document(siege: &Siege, tasks: &mut JoinSet<()>) {
    let head = head(
        "GET",
        "/api/v1/openapi.json",
        None,
        "accept-encoding: gzip\r\n",
    );
    flood(siege, tasks, DOCUMENT_CONNECTIONS, head);
}

/// Sends unknown tokens.
pub fn tokens(siege: &Siege, tasks: &mut JoinSet<()>) {
    let head = head("GET", "/api/v1/me", Some(UNKNOWN_TOKEN), "");
    flood(siege, tasks, TOKEN_CONNECTIONS, head);
}

/// Requests `/readyz` on many connections.
pub fn readiness(siege: &Siege, tasks: &mut JoinSet<()>) {
    flood(
        siege,
        tasks,
        READINESS_CONNECTIONS,
        head("GET", "/readyz", None, ""),
    );
}

/// Requests the exposure of a content, and of one that nobody has.
pub fn exposure(siege: &Siege, tasks: &mut JoinSet<()>) {
    siege.again(tasks, EXPOSURE_CONNECTIONS, |siege, number| async move {
        let path = &siege.means.asked[number % siege.means.asked.len()];
        let request = request("GET", path, Some(&siege.means.token), None);
        let mut connection = Connection::open(siege.means.address).await?;
        loop {
            let answer = connection.ask(&request).await?;
            siege.add(&answer.status.to_string(), 1);
        }
    });
}

/// Repeats one request without waiting for responses, and reads what comes.
fn flood(siege: &Siege, tasks: &mut JoinSet<()>, connections: usize, head: String) {
    let requests = head.repeat(AHEAD);
    siege.again(tasks, connections, move |siege, _| {
        let requests = requests.clone();
        async move {
            let stream = TcpStream::connect(siege.means.address).await?;
            let (mut reader, mut writer) = stream.into_split();
            let sending = async {
                loop {
                    writer.write_all(requests.as_bytes()).await?;
                }
            };
            let reading = async {
                let mut bytes = vec![0; 1 << 16];
                loop {
                    let read = reader.read(&mut bytes).await?;
                    anyhow::ensure!(read > 0, "the connection ended");
                    siege.add("answers", answers(&bytes[..read]));
                }
            };
            tokio::select! {
                sent = sending => sent,
                read = reading => read,
            }
        }
    });
}

/// Returns how many responses begin in `bytes`. It does not count one whose first bytes fell
/// between two reads.
fn answers(bytes: &[u8]) -> u64 {
    const BEGINNING: &[u8] = b"HTTP/1.1 ";
    let windows = bytes.windows(BEGINNING.len());
    windows.filter(|window| *window == BEGINNING).count() as u64
}
