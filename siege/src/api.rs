//! The API over the wire: HTTP/1.1 with JSON, for the neighbour and for the attacks.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use uuid::Uuid;

/// Bytes that are read at a time.
const READ_BYTES: usize = 64 * 1024;

/// A connection that several requests use.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// A response of the server.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

/// Returns a request as it goes over the wire.
pub fn request(method: &str, path: &str, token: Option<&str>, body: Option<&Value>) -> Vec<u8> {
    let body = body.map(Value::to_string).unwrap_or_default();
    let mut more = String::new();
    if !body.is_empty() {
        let length = body.len();
        more = format!("content-type: application/json\r\ncontent-length: {length}\r\n");
    }
    [head(method, path, token, &more).as_bytes(), body.as_bytes()].concat()
}

/// Returns the head of a request. `more` are further lines of it.
pub fn head(method: &str, path: &str, token: Option<&str>, more: &str) -> String {
    let token = token.map(|token| format!("authorization: Bearer {token}\r\n"));
    let token = token.unwrap_or_default();
    format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n{token}{more}\r\n")
}

/// Returns the hash of bytes, as ctxpin writes it.
pub fn hash(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

impl Connection {
    /// Opens a connection to the server.
    pub async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::new(),
        })
    }

    /// Sends a request and reads the whole response, however long that takes.
    pub async fn ask(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        // The write fails if the server has responded early and closed the connection.
        let sent = self.stream.write_all(request).await;
        match (self.answer().await, sent) {
            (Ok(answer), _) => Ok(answer),
            (Err(_), Err(error)) => Err(error.into()),
            (Err(error), Ok(())) => Err(error),
        }
    }

    /// Reads a response.
    pub async fn answer(&mut self) -> anyhow::Result<Answer> {
        let end = loop {
            let found = self.buffer.windows(4).position(|end| end == b"\r\n\r\n");
            if let Some(at) = found {
                break at + 4;
            }
            self.more().await?;
        };
        let head: Vec<u8> = self.buffer.drain(..end).collect();
        let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
        let status: u16 = head
            .split(' ')
            .nth(1)
            .context("an answer without a status")?
            .parse()?;
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length = match length {
            Some(length) => length.parse()?,
            None if matches!(status, 204 | 304) => 0,
            None => bail!("an answer without a length:\n{head}"),
        };
        while self.buffer.len() < length {
            self.more().await?;
        }
        let body = self.buffer.drain(..length).collect();
        Ok(Answer { status, body })
    }

    async fn more(&mut self) -> anyhow::Result<()> {
        self.buffer.reserve(READ_BYTES);
        let read = self.stream.read_buf(&mut self.buffer).await?;
        ensure!(read > 0, "the server closed the connection");
        Ok(())
    }
}

/// A user with a token.
#[derive(Debug, Clone)]
pub struct Caller {
    pub address: SocketAddr,
    pub token: String,
}

impl Caller {
    /// Returns a caller with this token.
    pub fn new(address: SocketAddr, token: &str) -> Self {
        Self {
            address,
            token: token.to_owned(),
        }
    }

    /// Sends a request that must succeed. `path` follows `/api/v1`.
    pub async fn call(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        let mut connection = Connection::open(self.address).await?;
        self.call_on(&mut connection, method, path, body).await
    }

    /// Sends a request that must succeed, on an open connection.
    pub async fn call_on(
        &self,
        connection: &mut Connection,
        method: &str,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<Value> {
        let path = format!("/api/v1{path}");
        let request = request(method, &path, Some(&self.token), Some(body));
        let answer = connection.ask(&request).await?;
        let said = String::from_utf8_lossy(&answer.body);
        ensure!(
            matches!(answer.status, 200..300),
            "{method} {path}: {} {said}",
            answer.status
        );
        Ok(serde_json::from_slice(&answer.body).unwrap_or_default())
    }

    /// Creates a new member.
    pub async fn member(&self, name: &str) -> anyhow::Result<Member> {
        let user = json!({"name": name, "roles": ["member"]});
        let user = self.call("POST", "/users", &user).await?;
        let id = text(&user["id"])?;
        Ok(Member {
            id,
            caller: self.clone(),
        })
    }

    /// Creates a new chat.
    pub async fn chat(&self, chat: &Value) -> anyhow::Result<String> {
        text(&self.call("POST", "/chats", chat).await?["id"])
    }

    /// Creates a new agent with an open session.
    pub async fn agent(&self, workspace: &str) -> anyhow::Result<Agent> {
        let agent = json!({"workspace": workspace});
        let made = self.call("POST", "/agents", &agent).await?;
        let caller = Self::new(self.address, &text(&made["token"])?);
        let process = json!({"process": Uuid::new_v4()});
        let session = caller.call("POST", "/agent/session", &process).await?;
        Ok(Agent {
            id: text(&made["agent"]["id"])?,
            caller,
            epoch: session["epoch"].as_i64().context("no epoch")?,
            version: 0,
        })
    }
}

/// A user for whom tokens are made.
pub struct Member {
    id: String,
    /// The caller who pushes.
    caller: Caller,
}

impl Member {
    /// Creates a token with these scopes.
    pub async fn token(&self, scopes: &[&str]) -> anyhow::Result<Caller> {
        let token = json!({"user": self.id, "scopes": scopes});
        let token = self.caller.call("POST", "/tokens", &token).await?;
        Ok(Caller::new(self.caller.address, &text(&token["secret"])?))
    }
}

/// An agent that attacks, or is attacked.
#[derive(Debug, Clone)]
pub struct Agent {
    pub id: String,
    /// Its own token.
    pub caller: Caller,
    pub epoch: i64,
    /// The version of its last push.
    pub version: i64,
}

impl Agent {
    /// Returns the request of the agent's next push: the resources, and the bytes of some.
    pub fn push_of(&mut self, resources: &[Value], bytes: &[Vec<u8>]) -> Vec<u8> {
        self.version += 1;
        let blobs = bytes
            .iter()
            .map(|bytes| (hash(bytes), STANDARD.encode(bytes)));
        let blobs: BTreeMap<_, _> = blobs.collect();
        let push = json!({
            "epoch": self.epoch, "version": self.version, "facts": {}, "resources": resources, "blobs": blobs,
        });
        let path = "/api/v1/agent/context";
        request("PUT", path, Some(&self.caller.token), Some(&push))
    }

    /// Sends a push that the server must accept.
    pub async fn push(&mut self, resources: &[Value], bytes: &[Vec<u8>]) -> anyhow::Result<()> {
        let push = self.push_of(resources, bytes);
        let answer = Connection::open(self.caller.address)
            .await?
            .ask(&push)
            .await?;
        let said = String::from_utf8_lossy(&answer.body);
        ensure!(answer.status == 200, "a push: {} {said}", answer.status);
        Ok(())
    }

    /// Returns the request that sends a file ahead of a push.
    pub fn upload_of(&self, bytes: &[u8]) -> Vec<u8> {
        let more = format!(
            "ctxpin-epoch: {}\r\ncontent-type: application/octet-stream\r\ncontent-length: {}\r\n",
            self.epoch,
            bytes.len()
        );
        let path = format!("/api/v1/agent/blobs/{}", hash(bytes));
        let head = head("PUT", &path, Some(&self.caller.token), &more);
        [head.as_bytes(), bytes].concat()
    }

    /// Sends files ahead of a push.
    pub async fn upload(&self, files: &[Vec<u8>]) -> anyhow::Result<()> {
        let mut connection = Connection::open(self.caller.address).await?;
        for file in files {
            let answer = connection.ask(&self.upload_of(file)).await?;
            let said = String::from_utf8_lossy(&answer.body);
            ensure!(answer.status == 204, "an upload: {} {said}", answer.status);
        }
        Ok(())
    }
}

/// Returns the resource of an instruction file.
pub fn instruction_file(source: &str, bytes: &[u8]) -> Value {
    json!({
        "kind": "instruction_file", "source": source, "status": "ok",
        "content_hash": hash(bytes), "size_bytes": bytes.len(),
    })
}

/// Returns the resource of a skill with its files, and its `SKILL.md`.
pub fn skill(name: &str, files: &[Vec<u8>]) -> (Value, Vec<u8>) {
    let text = format!("---\nname: {name}\ndescription: d\n---\nx\n").into_bytes();
    let files = files.iter().enumerate().map(|(number, bytes)| {
        json!({
            "path": format!("f{number:03}.txt"), "content_hash": hash(bytes), "size_bytes": bytes.len(),
            "executable": false,
        })
    });
    let found = json!({
        "kind": "skill", "source": format!("/w/skills/{name}/SKILL.md"), "status": "ok",
        "content_hash": hash(&text), "size_bytes": text.len(), "files": files.collect::<Vec<_>>(),
    });
    (found, text)
}

fn text(value: &Value) -> anyhow::Result<String> {
    let text = value
        .as_str()
        .context("an answer without what was asked for")?;
    Ok(text.to_owned())
}
