//! Requests byte by byte, which no client of ours sends.

use ctxpin_protocol::problem::{PROBLEM_MEDIA_TYPE, Problem, ProblemName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::server::{SOON, Server};

/// A server's response, and whether the server then closed the connection.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    /// Returns the problem in the response.
    #[track_caller]
    pub fn problem(&self) -> (ProblemName, Problem) {
        let told = format!("content-type: {PROBLEM_MEDIA_TYPE}");
        assert!(self.head.contains(&told), "{}", self.head);
        let problem: Problem = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(problem.status, self.status);
        (problem.name().expect("a known problem"), problem)
    }
}

/// Opens a connection to the server.
pub async fn connect(server: &Server) -> TcpStream {
    let address = server.url.socket_addrs(|| None).unwrap()[0];
    TcpStream::connect(address).await.unwrap()
}

/// Returns the head of a request of the first user. `more` are further lines of it.
pub fn head(server: &Server, method: &str, path: &str, more: &str) -> String {
    head_with(&server.token, method, path, more)
}

/// Returns the head of a request with a token.
pub fn head_with(token: &str, method: &str, path: &str, more: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n{more}\r\n")
}

/// Sends bytes on a new connection and reads one response.
pub async fn send(server: &Server, bytes: &[u8]) -> Answer {
    let mut stream = connect(server).await;
    // The write may fail if the server has responded early and closed the connection.
    let _ = stream.write_all(bytes).await;
    read(&mut stream).await
}

/// Sends a body byte by byte until a response comes, and returns its beginning.
pub async fn dripped(server: &Server, stream: &mut TcpStream) -> String {
    let (mut reading, mut writing) = stream.split();
    let dripping = async {
        // A byte of it comes all the time.
        while writing.write_all(b" ").await.is_ok() {
            server.client.health_check().await.unwrap();
        }
    };
    let mut answer = [0; 12];
    let answered = async {
        tokio::select! {
            read = reading.read_exact(&mut answer) => read.map(drop),
            () = dripping => Ok(()),
        }
    };
    timeout(SOON, answered).await.unwrap().unwrap();
    String::from_utf8(answer.to_vec()).unwrap()
}

/// Reads one response with a given length, or to the end of the connection.
pub async fn read(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    loop {
        if let Some(answer) = whole(&bytes) {
            return answer;
        }
        let read = timeout(SOON, stream.read_buf(&mut bytes)).await;
        let read = read.expect("an answer in time").unwrap_or(0);
        let so_far = String::from_utf8_lossy(&bytes);
        assert!(read > 0, "the connection ended after {so_far:?}");
    }
}

fn whole(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |length| length.parse().unwrap());
    let body = bytes.get(end..end + length)?.to_vec();
    Some(Answer { status, head, body })
}
