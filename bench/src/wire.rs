//! HTTP/1.1 on kept connections, as little as a caller can do: on a machine with few cores a client
//! that does more would be measured together with the server.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::measure::Samples;

/// The longest wait for a response. Only a failure takes so long.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// The bytes of one read if the length of the response is unknown. It is small, because thousands
/// of watches have a buffer each.
const READ_BYTES: usize = 4 * 1024;

/// Connections of a load.
pub const CONNECTIONS: usize = 8;

/// A connection that several requests use.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// The parts of a response that the benchmark reads.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Its head, as it came.
    pub head: String,
    pub body: Vec<u8>,
}

/// Returns a request as it goes over the wire.
pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        let size = body.len();
        text.push_str(&format!(
            "content-type: application/json\r\ncontent-length: {size}\r\n"
        ));
    }
    text.push_str("\r\n");
    text.push_str(body);
    text.into_bytes()
}

/// Returns a request that reads something with a token.
pub fn get(path: &str, token: &str) -> Vec<u8> {
    request("GET", path, &[("authorization", &bearer(token))], "")
}

/// Returns a request that reads an object whose `ETag` the caller has.
pub fn get_known(path: &str, token: &str, tag: &str) -> Vec<u8> {
    let tag = format!("\"{tag}\"");
    let headers = [("authorization", bearer(token)), ("if-none-match", tag)];
    let headers = headers
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    request("GET", path, &headers, "")
}

/// Returns a request that sends JSON with a token.
pub fn send(method: &str, path: &str, token: &str, body: &str) -> Vec<u8> {
    request(method, path, &[("authorization", &bearer(token))], body)
}

/// Returns the value of the header `Authorization` for a token.
fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

impl Connection {
    /// Opens a connection to a server.
    pub async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::new(),
        })
    }

    /// Sends a request and reads the whole response.
    pub async fn ask(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        tokio::time::timeout(WAIT_MAX, self.ask_patiently(request))
            .await
            .context("no answer came")?
    }

    async fn ask_patiently(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        self.stream.write_all(request).await?;
        let (status, head) = self.head().await?;
        let header = |name: &str| {
            let lines = head.lines().filter_map(|line| line.split_once(':'));
            lines
                .filter(|(found, _)| found.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.trim())
                .next()
        };
        let size = match header("content-length") {
            Some(size) => size.parse()?,
            None if status == 304 || status == 204 => 0,
            None => bail!("an answer without a length:\n{head}"),
        };
        while self.buffer.len() < size {
            self.more(size - self.buffer.len()).await?;
        }
        let body = self.buffer.drain(..size).collect();
        Ok(Answer { status, head, body })
    }

    /// Reads the head of a response.
    async fn head(&mut self) -> anyhow::Result<(u16, String)> {
        let end = loop {
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                break at + 4;
            }
            self.more(READ_BYTES).await?;
        };
        let head: Vec<u8> = self.buffer.drain(..end).collect();
        let head = String::from_utf8(head).context("a head that is no text")?;
        let status = head.split(' ').nth(1).context("a head without a status")?;
        Ok((status.parse()?, head))
    }

    /// Sends a request for a stream of events, and reads until the state is complete.
    pub async fn watch(mut self, request: &[u8]) -> anyhow::Result<Events> {
        self.stream.write_all(request).await?;
        let (status, head) = self.head().await?;
        if status != 200 {
            bail!("a watch was answered:\n{head}");
        }
        let mut events = Events { connection: self };
        events.until("event: ready").await?;
        Ok(events)
    }

    async fn more(&mut self, bytes: usize) -> anyhow::Result<()> {
        self.buffer.reserve(bytes);
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }
}

/// A stream of events.
pub struct Events {
    connection: Connection,
}

impl Events {
    /// Reads until a text has come, and drops everything up to its end.
    pub async fn until(&mut self, text: &str) -> anyhow::Result<()> {
        let read = async {
            loop {
                if let Some(at) = find(&self.connection.buffer, text.as_bytes()) {
                    self.connection.buffer.drain(..at + text.len());
                    return Ok(());
                }
                self.connection.more(READ_BYTES).await?;
            }
        };
        tokio::time::timeout(WAIT_MAX, read)
            .await
            .with_context(|| format!("`{text}` was not told"))?
    }
}

/// Returns the position of a text in bytes.
fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    bytes.windows(text.len()).position(|part| part == text)
}

/// The result of a load.
pub struct Load {
    /// Answers in a second.
    pub per_second: f64,
    /// How long each took, in milliseconds.
    pub latencies: Samples,
}

/// Sends requests on [`CONNECTIONS`] connections for `time`. Each connection repeats its request as
/// soon as the response has come. The connections take the addresses and the requests in turns.
pub async fn load(
    addresses: &[SocketAddr],
    requests: &[Vec<u8>],
    status: u16,
    time: Duration,
) -> anyhow::Result<Load> {
    let mut callers = JoinSet::new();
    let mut open = Vec::new();
    for address in addresses.iter().cycle().take(CONNECTIONS) {
        open.push(Connection::open(*address).await?);
    }
    let begun = Instant::now();
    for (mut connection, request) in open.into_iter().zip(requests.iter().cycle()) {
        let request = request.clone();
        callers.spawn(async move {
            let mut latencies = Vec::new();
            while begun.elapsed() < time {
                let asked = Instant::now();
                let answer = connection.ask(&request).await?;
                if answer.status != status {
                    bail!("answered {}: {}", answer.status, answer.head);
                }
                latencies.push(asked.elapsed().as_secs_f64() * 1_000.0);
            }
            Ok(latencies)
        });
    }
    let mut all = Vec::new();
    while let Some(latencies) = callers.join_next().await {
        all.extend(latencies??);
    }
    Ok(Load {
        per_second: all.len() as f64 / begun.elapsed().as_secs_f64(),
        latencies: all.into_iter().collect(),
    })
}
