//! A server whose responses a test makes. It proves that it knows a token, and reads requests as HTTP/1.1.

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::proofs::proof_answer;

/// A request that a stand-in has received.
#[derive(Debug)]
pub struct Asked {
    /// The method and the target, in lower case.
    pub line: String,
    /// The request line and the headers, in lower case.
    pub headers: String,
    pub body: Vec<u8>,
}

/// The response of a stand-in.
#[derive(Debug)]
pub struct Answered {
    pub status: u16,
    /// Lines of headers, each with its line end.
    pub headers: String,
    pub body: Value,
}

impl Answered {
    /// Returns a successful response.
    pub fn ok(body: Value) -> Self {
        Self {
            status: 200,
            headers: "content-type: application/json\r\n".into(),
            body,
        }
    }
}

/// Starts a server that knows this token and no other, and returns its address. It answers until the test ends.
///
/// # Panics
///
/// Panics if no port is free. A request with another token ends its connection.
pub async fn standin(
    token: &'static str,
    answer: impl Fn(&Asked) -> Answered + Clone + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a free port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(converse(stream, token, answer.clone()));
        }
    });
    format!("http://{address}")
}

async fn converse(
    mut stream: TcpStream,
    token: &'static str,
    answer: impl Fn(&Asked) -> Answered + Send,
) {
    let Some(asked) = receive(&mut stream, token).await else {
        return;
    };
    let Answered {
        status,
        headers,
        body,
    } = answer(&asked);
    let body = body.to_string();
    let length = body.len();
    let text = format!(
        "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    );
    // The client may have ended meanwhile.
    let _ = stream.write_all(text.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// Receives a request, and answers those for a proof before it. Returns `None` if the client has closed the connection.
async fn receive(stream: &mut TcpStream, token: &str) -> Option<Asked> {
    loop {
        let mut bytes = Vec::new();
        let end = loop {
            if stream.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
            let mut fours = bytes.windows(4);
            if let Some(end) = fours.position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let headers = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        if let Some(proof) = proof_answer(&headers, token) {
            stream.write_all(proof.as_bytes()).await.ok()?;
            continue;
        }
        let authorization = format!("authorization: bearer {token}");
        assert!(headers.contains(&authorization), "{headers}");
        let mut body = bytes.split_off(end);
        let length = headers
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length = length.map_or(Ok(0), str::parse).ok()?;
        while body.len() < length {
            if stream.read_buf(&mut body).await.ok()? == 0 {
                return None;
            }
        }
        let line = headers.lines().next()?.strip_suffix(" http/1.1")?;
        return Some(Asked {
            line: line.to_owned(),
            body,
            headers,
        });
    }
}
