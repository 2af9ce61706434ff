//! A listener that sends the proof, sends one canned response for each connection, and keeps the requests.

use ctxpin_client::Client;
use ctxpin_protocol::http::people::Secret;
use ctxpin_testing::proofs::proof_answer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use url::Url;

/// The token of every client.
pub const TOKEN: &str = "ctxpin_00000000000000000000000000000007_\
    abababababababababababababababababababababababababababababababab";

/// A request as it was received.
pub struct Received {
    /// The request line and the headers, in lower case.
    pub head: String,
    pub body: Vec<u8>,
}

impl Received {
    /// Returns the value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// Returns the method and the path.
    pub fn line(&self) -> &str {
        let line = self.head.lines().next().unwrap_or_default();
        line.strip_suffix(" http/1.1").unwrap_or(line)
    }
}

/// Starts a listener with these responses. Returns a client, and the requests that the listener will
/// receive.
pub async fn listener(answers: Vec<String>) -> (Client, JoinHandle<Vec<Received>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let received = tokio::spawn(async move {
        let mut received = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            received.push(receive_proved(&mut stream).await);
            // A client that has read enough closes the connection before the end.
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        received
    });
    (client(&server), received)
}

/// Returns a client of this server.
pub fn client(server: &str) -> Client {
    Client::new(Url::parse(server).unwrap(), Secret::new(TOKEN)).unwrap()
}

/// Returns a response with a body. Each of the `headers` ends with a line break.
pub fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
}

/// Proves that it knows the token if the client requests that, and receives the request after it.
pub async fn receive_proved(stream: &mut TcpStream) -> Received {
    let received = receive(stream).await;
    let Some(proof) = proof_answer(&received.head, TOKEN) else {
        return received;
    };
    stream.write_all(proof.as_bytes()).await.unwrap();
    receive(stream).await
}

/// Receives a request.
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
