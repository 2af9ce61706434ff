//! Bodies that stay unended, and bodies that grow.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Duration, sleep, timeout};

use crate::api::head;
use crate::frames::{Connection, END_HEADERS, HEADERS, PAYLOAD_BYTES_MAX, fields, frame, stream};

use super::Siege;

/// A well-formed token that no user has.
pub const UNKNOWN_TOKEN: &str = concat!(
    "ctxpin_00000000000000000000000000000007_",
    "abababababababababababababababababababababababababababababababab"
);

/// Connections of a stranger, and streams on each.
const STRANGERS: usize = 150;
const STREAMS: u32 = 120;

/// The bytes of a stranger's body, one less than a window and than the memory for strangers.
const STRANGER_BYTES: usize = 65_535;

/// Bodies of callers with a token.
const UNENDED: usize = 100;

/// The announced length of a body. 11.9 MiB of it are sent at once.
const ANNOUNCED_BYTES: usize = 12 * 1024 * 1024;
const PIECES: usize = 190;
const PIECE_BYTES: usize = 64 * 1024;

/// Time from one byte to the next after that.
const DRIP: Duration = Duration::from_secs(20);

/// Bodies that grow, at a time.
const BOMBS: usize = 5;

/// Fills HTTP/2 streams with unfinished bodies.
pub fn of_strangers(siege: &Siege, tasks: &mut JoinSet<()>) {
    siege.again(tasks, STRANGERS, |siege, _| async move {
        let connection = Connection::open(siege.means.address).await?;
        let fields = fields("POST", "/api/v1/chats", Some(UNKNOWN_TOKEN));
        let mut opened = 0;
        loop {
            // Each response makes room for another request.
            while u64::from(opened) < connection.ended() + u64::from(STREAMS) {
                let stream = stream(opened);
                let asked = frame(HEADERS, END_HEADERS, stream, &fields);
                connection.send(&asked).await?;
                for part in [b' '; STRANGER_BYTES].chunks(PAYLOAD_BYTES_MAX) {
                    connection.send_body(stream, part).await?;
                }
                siege.add("KiB sent", STRANGER_BYTES as u64 >> 10);
                opened += 1;
            }
            if connection.is_closed() {
                anyhow::bail!("the connection ended");
            }
            sleep(Duration::from_millis(50)).await;
        }
    });
}

/// Sends unfinished bodies, half of them with a token that may not push and half with an agent's.
pub fn unended(siege: &Siege, tasks: &mut JoinSet<()>) {
    siege.again(tasks, UNENDED, |siege, number| async move {
        let token = match number % 2 {
            0 => &siege.means.reading_token,
            _ => &siege.means.agent_token,
        };
        let more =
            format!("content-type: application/json\r\ncontent-length: {ANNOUNCED_BYTES}\r\n");
        let head = head("PUT", "/api/v1/agent/context", Some(token), &more);
        let stream = TcpStream::connect(siege.means.address).await?;
        let (mut reader, mut writer) = stream.into_split();
        let sending = async {
            writer.write_all(head.as_bytes()).await?;
            for _ in 0..PIECES {
                writer.write_all(&[b' '; PIECE_BYTES]).await?;
                siege.add("KiB sent", PIECE_BYTES as u64 >> 10);
            }
            loop {
                sleep(DRIP).await;
                writer.write_all(b" ").await?;
            }
        };
        let mut answer = [0; 12];
        tokio::select! {
            sent = sending => sent,
            read = reader.read_exact(&mut answer) => {
                read?;
                siege.add(&String::from_utf8_lossy(&answer[9..]), 1);
                Ok(())
            }
        }
    });
}

/// Sends bodies of a few KiB that decompress to a GiB of blanks.
pub fn bombs(siege: &Siege, tasks: &mut JoinSet<()>) {
    siege.again(tasks, BOMBS, |siege, number| async move {
        let (bomb, token) = (blanks_packed(1 << 30), &siege.means.agent_token);
        let token = match number {
            0 => UNKNOWN_TOKEN,
            _ => token,
        };
        let more = format!(
            "content-type: application/json\r\ncontent-encoding: zstd\r\ncontent-length: {}\r\n",
            bomb.len()
        );
        let head = head("PUT", "/api/v1/agent/context", Some(token), &more);
        let mut stream = TcpStream::connect(siege.means.address).await?;
        let _ = stream.write_all(&[head.as_bytes(), &bomb].concat()).await;
        let mut answer = [0; 12];
        timeout(Duration::from_secs(60), stream.read_exact(&mut answer)).await??;
        siege.add(&String::from_utf8_lossy(&answer[9..]), 1);
        Ok(())
    });
}

/// Returns a zstd frame of `length` blanks (RFC 8878, section 3.1.1): blocks of 128 KiB that repeat
/// one byte, at four bytes each. Its window is 8 MiB, the largest that the server accepts.
fn blanks_packed(length: u32) -> Vec<u8> {
    const BLOCK_BYTES: u32 = 128 * 1024;
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 13 << 3];
    let blocks = length / BLOCK_BYTES;
    for block in 1..=blocks {
        let is_last = u32::from(block == blocks);
        let header = (BLOCK_BYTES << 3) | (1 << 1) | is_last;
        frame.extend(&header.to_le_bytes()[..3]);
        frame.push(b' ');
    }
    frame
}
