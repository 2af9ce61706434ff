//! A fake server. It proves that it knows the token, takes sessions, pushes and uploads, keeps the head in
//! memory, and fails on request.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use ctxpin_model::hash::{BlobHash, SnapshotId};
use ctxpin_model::manifest::agent_blobs::AgentBlobs;
use ctxpin_model::manifest::judge::judge;
use ctxpin_model::moment::Moment;
use ctxpin_model::profile::Profile;
use ctxpin_model::push::{Position, Verdict, verdict};
use ctxpin_model::resource::Bodies;
use ctxpin_model::snapshot::Snapshot;
use ctxpin_protocol::convert::{manifest, resources};
use ctxpin_protocol::http::agents::{Head, Session, SessionOpen};
use ctxpin_protocol::http::push::{Push, PushAnswer};
use ctxpin_protocol::http::quotas::QuotaWarning;
use ctxpin_protocol::problem::{Problem, ProblemName};
use ctxpin_testing::standin::{Answered, Asked, standin};
use serde_json::{Value, json};
use url::Url;

use crate::agent::TOKEN;

/// The state of the server, and the requests that it has received.
#[derive(Default)]
pub struct Held {
    pub epoch: i64,
    process: Option<uuid::Uuid>,
    version: i64,
    pub head: Option<SnapshotId>,
    pub snapshot: Snapshot,
    pub seq: i64,
    /// The bytes of the head, and those that were sent ahead of a push.
    pub blobs: Bodies,
    /// How many blobs came with each push, refused ones included.
    pub carried: Vec<usize>,
    pub uploads: usize,
    /// The responses to the next pushes, whatever the pushes contain.
    pub faults: VecDeque<Fault>,
    /// The response to every request from now on.
    pub fault: Option<Fault>,
    /// Part of every session's response.
    pub quota_warnings: Vec<QuotaWarning>,
    pub token_expires_at: Option<Moment>,
    /// The profile of the agent.
    pub profile: Profile,
}

/// A status, further headers and a body.
#[derive(Clone)]
pub struct Fault {
    status: u16,
    headers: String,
    body: Value,
}

impl Fault {
    pub fn new(name: ProblemName, detail: &str) -> Self {
        Self::of(&Problem::new(name, detail))
    }

    pub fn of(problem: &Problem) -> Self {
        Self {
            status: problem.status,
            headers: String::new(),
            body: serde_json::to_value(problem).unwrap(),
        }
    }

    fn answered(self) -> Answered {
        let media_type = "content-type: application/problem+json\r\n";
        Answered {
            status: self.status,
            headers: format!("{media_type}{}", self.headers),
            body: self.body,
        }
    }

    pub fn with_header(mut self, header: &str) -> Self {
        self.headers = format!("{header}\r\n");
        self
    }
}

#[derive(Clone)]
pub struct FakeServer {
    pub url: Url,
    pub held: Arc<Mutex<Held>>,
}

impl FakeServer {
    pub async fn start() -> Self {
        Self::start_for(TOKEN).await
    }

    /// Starts a server that knows this token and no other.
    pub async fn start_for(token: &'static str) -> Self {
        let held: Arc<Mutex<Held>> = Arc::default();
        let answering = Arc::clone(&held);
        let url = standin(token, move |asked| answering.lock().unwrap().answer(asked)).await;
        Self {
            url: url.parse().unwrap(),
            held,
        }
    }

    /// Returns the sources of the head, relative to a directory.
    pub fn sources(&self, base: &std::path::Path) -> Vec<String> {
        let base = format!("{}/", base.display());
        let held = self.held.lock().unwrap();
        let sources = held.snapshot.resources.iter();
        let sources = sources.map(|r| r.source.strip_prefix(&base).unwrap_or(&r.source));
        sources.map(str::to_owned).collect()
    }

    pub fn fail_next_push(&self, fault: Fault) {
        self.held.lock().unwrap().faults.push_back(fault);
    }
}

impl Held {
    fn answer(&mut self, asked: &Asked) -> Answered {
        let body = match asked.headers.contains("content-encoding: zstd") {
            true => zstd::decode_all(asked.body.as_slice()).unwrap(),
            false => asked.body.clone(),
        };
        self.answer_to(&asked.line, &asked.headers, &body)
            .map_or_else(Fault::answered, Answered::ok)
    }

    fn answer_to(&mut self, line: &str, headers: &str, body: &[u8]) -> Result<Value, Fault> {
        match (self.fault.clone(), line) {
            (Some(fault), _) => Err(fault),
            (None, "post /api/v1/agent/session") => Ok(self.session(body)),
            (None, "put /api/v1/agent/context") => self.push(body),
            (None, line) if line.starts_with("put /api/v1/agent/blobs/") => {
                let name = line.rsplit('/').next().unwrap();
                let hash: BlobHash = name.parse().unwrap();
                assert_eq!(BlobHash::of(body), hash);
                assert!(headers.contains(&format!("ctxpin-epoch: {}", self.epoch)));
                self.blobs.insert(hash, body.into());
                self.uploads += 1;
                Ok(json!({}))
            }
            (None, line) => panic!("nobody asks {line}"),
        }
    }

    fn session(&mut self, body: &[u8]) -> Value {
        let open: SessionOpen = serde_json::from_slice(body).unwrap();
        if self.process != Some(open.process) {
            self.process = Some(open.process);
            self.epoch += 1;
            self.version = 0;
        }
        let session = Session {
            profile: self.profile.to_string(),
            agent_id: None,
            epoch: self.epoch,
            head: self.head.map(|head| Head {
                snapshot: head.to_string(),
                seq: self.seq,
                received_at: "2026-01-01T00:00:00Z".parse().unwrap(),
            }),
            limits: resources::limits(64 * 1024 * 1024),
            quota_warnings: self.quota_warnings.clone(),
            token_expires_at: self.token_expires_at.map(Moment::utc),
        };
        serde_json::to_value(session).unwrap()
    }

    fn push(&mut self, body: &[u8]) -> Result<Value, Fault> {
        let push: Push = serde_json::from_slice(body).unwrap();
        self.carried.push(push.blobs.len());
        if let Some(fault) = self.faults.pop_front() {
            return Err(fault);
        }
        let push = manifest::read(push).unwrap();
        let mut blobs = AgentBlobs::default();
        blobs.add(&self.blobs);
        blobs.add(push.manifest.blobs());
        let missing = push.manifest.missing(&blobs);
        let snapshot = judge(&push.manifest, None, &blobs);
        let stored = snapshot.stored();
        let mut stored_blobs = blobs.read().clone();
        stored_blobs.retain(|hash, _| stored.contains(hash));
        let id = snapshot.addresses().id;
        let current = Position {
            epoch: self.epoch,
            version: self.version,
        };
        let decided = verdict(current, push.position, self.head == Some(id));
        if decided == Verdict::Fenced {
            return Err(Fault::new(ProblemName::Fenced, "another process"));
        }
        if !missing.is_empty() {
            let mut fault = Fault::new(ProblemName::MissingBlobs, "");
            fault.body["missing"] =
                json!(missing.iter().map(ToString::to_string).collect::<Vec<_>>());
            return Err(fault);
        }
        let accepted = decided != Verdict::NotNewer;
        if accepted {
            self.version = push.position.version;
        }
        if decided == Verdict::Accepted {
            self.seq += 1;
            self.head = Some(id);
            self.blobs = stored_blobs;
            self.snapshot = snapshot;
        }
        let answer = PushAnswer {
            accepted,
            reason: None,
            snapshot: self.head.map(|head| head.to_string()),
            seq: Some(self.seq),
            hydrated: 0,
        };
        Ok(serde_json::to_value(answer).unwrap())
    }
}
