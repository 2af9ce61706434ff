//! HTTP/2 frame by frame (RFC 9113), for what no client sends.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinHandle;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Kinds of frames.
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

/// Flags of a frame (RFC 9113, section 6).
const ACK: u8 = 1;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// How many bytes a receiver takes at first (section 6.9.2), and the largest payload (section 6.5.2).
const WINDOW_BYTES: u32 = 65_535;
pub(crate) const PAYLOAD_BYTES_MAX: usize = 16_384;

/// The largest window, of a client that reads everything.
const WINDOW_BYTES_MAX: u32 = i32::MAX as u32;

/// The identifier of the setting that says how many bytes of a stream may be on their way.
const INITIAL_WINDOW_SIZE: u16 = 4;

/// Returns an HTTP/2 frame with its header (RFC 9113, section 4.1).
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Returns the number of a client's stream, which is odd.
pub fn stream(number: u32) -> u32 {
    2 * number + 1
}

/// Returns the encoded fields of a request (RFC 7541), without entries for the dynamic table.
pub fn fields(method: &str, path: &str, token: Option<&str>) -> Vec<u8> {
    let mut fields = Vec::new();
    for (name, value) in [
        (":method", method),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", path),
    ] {
        fields.extend(field(name, value));
    }
    if let Some(token) = token {
        fields.extend(field("authorization", &format!("Bearer {token}")));
        fields.extend(field("content-type", "application/json"));
    }
    fields
}

/// Returns one literal field without indexing.
pub fn field(name: &str, value: &str) -> Vec<u8> {
    [vec![0], text(name), text(value)].concat()
}

/// Returns a text behind its length, whose first seven bits are in the first byte.
fn text(text: &str) -> Vec<u8> {
    const FIRST_MAX: usize = 127;
    let mut packed = Vec::new();
    match text.len().checked_sub(FIRST_MAX) {
        None => packed.push(text.len() as u8),
        Some(mut rest) => {
            packed.push(FIRST_MAX as u8);
            while rest >= 128 {
                packed.push((rest % 128) as u8 | 128);
                rest /= 128;
            }
            packed.push(rest as u8);
        }
    }
    packed.extend(text.as_bytes());
    packed
}

/// A connection that responds as the protocol requires, and discards what it reads.
pub struct Connection {
    writer: Arc<Mutex<OwnedWriteHalf>>,
    /// Bytes of bodies that the server takes. It is closed with the connection.
    window: Arc<Semaphore>,
    /// Streams that the server ended or reset.
    ended: Arc<AtomicU64>,
    reader: JoinHandle<()>,
}

impl Connection {
    /// Connects, and sends the preface and the settings.
    pub async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let mut socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        let [high, low] = INITIAL_WINDOW_SIZE.to_be_bytes();
        let window = WINDOW_BYTES_MAX.to_be_bytes();
        let settings = [&[high, low], &window[..]].concat();
        let more = (WINDOW_BYTES_MAX - WINDOW_BYTES).to_be_bytes();
        socket
            .write_all(
                &[
                    PREFACE.to_vec(),
                    frame(SETTINGS, 0, 0, &settings),
                    frame(WINDOW_UPDATE, 0, 0, &more),
                ]
                .concat(),
            )
            .await?;
        let (reader, writer) = socket.into_split();
        let writer = Arc::new(Mutex::new(writer));
        let window = Arc::new(Semaphore::new(WINDOW_BYTES as usize));
        let ended = Arc::new(AtomicU64::new(0));
        let reading = read(
            reader,
            Arc::clone(&writer),
            Arc::clone(&window),
            Arc::clone(&ended),
        );
        let closed = Arc::clone(&window);
        let reader = tokio::spawn(async move {
            // However it ends, nothing can be sent any more.
            let _ = reading.await;
            closed.close();
        });
        Ok(Self {
            writer,
            window,
            ended,
            reader,
        })
    }

    /// Sends frames unchanged.
    pub async fn send(&self, frames: &[u8]) -> anyhow::Result<()> {
        Ok(self.writer.lock().await.write_all(frames).await?)
    }

    /// Sends a part of a body, as soon as the server's window has room for it.
    pub async fn send_body(&self, stream: u32, part: &[u8]) -> anyhow::Result<()> {
        let room = self.window.acquire_many(part.len() as u32).await;
        room.context("the connection ended")?.forget();
        self.send(&frame(DATA, 0, stream, part)).await
    }

    /// Returns how many streams the server has ended or reset.
    pub fn ended(&self) -> u64 {
        self.ended.load(Ordering::Relaxed)
    }

    /// Returns whether the server has closed the connection.
    pub fn is_closed(&self) -> bool {
        self.window.is_closed()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Reads to the end, and sends the frames that the protocol requires.
async fn read(
    mut reader: OwnedReadHalf,
    writer: Arc<Mutex<OwnedWriteHalf>>,
    window: Arc<Semaphore>,
    ended: Arc<AtomicU64>,
) -> anyhow::Result<()> {
    let mut head = [0; 9];
    let mut payload = Vec::new();
    let mut answered = BTreeSet::new();
    loop {
        reader.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let (kind, flags) = (head[3], head[4]);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        payload.resize(length, 0);
        reader.read_exact(&mut payload).await?;
        let answer = match kind {
            SETTINGS if flags & ACK == 0 => frame(SETTINGS, ACK, 0, &[]),
            PING if flags & ACK == 0 => frame(PING, ACK, 0, &payload),
            // A stream's window is as large as may be, the connection's is filled up again.
            DATA if length > 0 => frame(WINDOW_UPDATE, 0, 0, &(length as u32).to_be_bytes()),
            GOAWAY => return Ok(()),
            _ => Vec::new(),
        };
        match kind {
            WINDOW_UPDATE if stream == 0 => {
                let more = payload.get(..4).context("a frame that is too short")?;
                let more = u32::from_be_bytes(more.try_into()?) as usize;
                window.add_permits(more);
            }
            HEADERS | RST_STREAM if answered.insert(stream) => {
                ended.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        }
        writer.lock().await.write_all(&answer).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_and_fields_are_packed_as_the_standards_say() {
        assert_eq!(
            frame(PING, ACK, 0, &[7; 8]),
            [0, 0, 8, 6, 1, 0, 0, 0, 0, 7, 7, 7, 7, 7, 7, 7, 7]
        );
        assert_eq!(
            frame(DATA, END_STREAM, stream(2), b"x"),
            [0, 0, 1, 0, 1, 0, 0, 0, 5, b'x']
        );
        assert_eq!(field("a", "bc"), [0, 1, b'a', 2, b'b', b'c']);
        assert_eq!(text(&"x".repeat(127))[..2], [127, 0]);
        // RFC 7541, appendix C.1.2, with a prefix of seven bits: 1337 is 127, 186 and 9.
        assert_eq!(text(&"x".repeat(1337))[..3], [127, 186, 9]);
    }
}
