//! A listener that proves itself, answers each connection with the next of its texts and keeps what was
//! sent.

use ctxpin_client::Client;
use ctxpin_protocol::http::people::Secret;
use ctxpin_testing::proofs::proof_answer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use url::Url;

/// The token of every client here.
pub const TOKEN: &str = "ctxpin_00000000000000000000000000000007_\
    abababababababababababababababababababababababababababababababab";

/// One request as it came.
pub struct Received {
    /// The request line and the headers, in lower case.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Received {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// The method and the path.
    pub fn line(&self) -> &str {
        let line = self.head.lines().next().unwrap_or_default();
        line.strip_suffix(" http/1.1").unwrap_or(line)
    }
}

/// A client of a listener that answers with these texts, and what the listener will have received.
pub async fn listener(answers: Vec<String>) -> (Client, JoinHandle<Vec<Received>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let received = tokio::spawn(async move {
        let mut received = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            received.push(receive_proved(&mut stream).await);
            // Whoever has read enough leaves before the end.
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        received
    });
    (client(&server), received)
}

/// A client of that server.
pub fn client(server: &str) -> Client {
    Client::new(Url::parse(server).unwrap(), Secret::new(TOKEN)).unwrap()
}

/// An answer with a body; `headers` end with a line break each.
pub fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
}

/// Proves to whoever wants it that the token is known, and takes the request that comes after that.
pub async fn receive_proved(stream: &mut TcpStream) -> Received {
    let received = receive(stream).await;
    let Some(proof) = proof_answer(&received.head, TOKEN) else {
        return received;
    };
    stream.write_all(proof.as_bytes()).await.unwrap();
    receive(stream).await
}

/// Takes a request.
pub async fn receive(stream: &mut TcpStream) -> Received {
    let mut bytes = Vec::new();
    let end = loop {
        assert_ne!(
            stream.read_buf(&mut bytes).await.unwrap(),
            0,
            "the client left"
        );
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec())
        .unwrap()
        .to_lowercase();
    let mut received = Received {
        head,
        body: bytes.split_off(end),
    };
    let length = received
        .header("content-length")
        .map_or(0, |length| length.parse().unwrap());
    while received.body.len() < length {
        assert_ne!(
            stream.read_buf(&mut received.body).await.unwrap(),
            0,
            "the client left"
        );
    }
    received
}
