//! Stands in for the model of a tool: answers each request with a short text or the call of a tool, and records it.

mod events;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::net::TcpListener;

use events::Api;

/// The largest request. Some have an instruction file of several MiB.
const REQUEST_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What begins a question that the model answers by reading a file first.
pub const READ: &str = "Read the file ";

/// What begins a question that the model answers by reading a file twice first. What a tool looks for while it works is
/// there with the second request at the latest.
pub const READ_TWICE: &str = "Read twice the file ";

/// What begins a question that the model answers by running a command first.
pub const RUN: &str = "Run the command ";

/// What begins a question that the model answers by running a command whose end it does not await.
pub const RUN_BEHIND: &str = "Run behind this the command ";

/// What begins a question that the model answers by using a skill first.
pub const USE: &str = "Use the skill ";

/// What begins a question that the model hands to a subagent.
pub const DELEGATE: &str = "Let somebody else answer: ";

/// What begins a question that the model hands to a subagent whose answer it does not await.
pub const DELEGATE_BEHIND: &str = "Let somebody else answer behind this: ";

/// What begins a question that the model answers by reading a file first, and that leaves no room in its context.
pub const FILL: &str = "Read the long file ";

/// What the model says.
pub const DONE: &str = "Done.";

/// The tokens that a usual answer counts.
const TOKENS: u64 = 1;

/// The tokens that an answer counts after which a tool compacts. No model has so much room.
pub const TOKENS_FULL: u64 = 3_000_000;

/// A request that was received.
#[derive(Debug, Clone)]
pub struct Received {
    /// By names in small letters. A value that is no text is left out.
    pub headers: BTreeMap<String, String>,
    pub body: Value,
}

/// What happens in the workspace while the model considers its answer.
type Meanwhile = Box<dyn FnOnce() -> anyhow::Result<()> + Send>;

#[derive(Default)]
struct Recorded {
    requests: Vec<Received>,
    answers: usize,
    /// How often questions were answered by the call of a tool. There is a limit, because a tool that compacts asks again.
    granted: HashMap<String, usize>,
    meanwhile: Option<Meanwhile>,
    failed: Option<anyhow::Error>,
}

/// A running stand-in. It ends with this program.
pub struct Standin {
    port: u16,
    recorded: Arc<Mutex<Recorded>>,
}

impl Standin {
    /// Starts on a free port of the loopback interface.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let recorded = Arc::<Mutex<Recorded>>::default();
        let service = Router::new()
            .fallback(answer)
            .layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX))
            .with_state(Arc::clone(&recorded));
        tokio::spawn(async { axum::serve(listener, service).await });
        Ok(Self { port, recorded })
    }

    /// Returns the address of the API.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Returns the requests since the last call.
    ///
    /// # Errors
    ///
    /// Fails if something failed that was to happen meanwhile.
    pub fn take(&self) -> anyhow::Result<Vec<Received>> {
        let recorded = std::mem::take(&mut *self.recorded()?);
        match recorded.failed {
            Some(error) => Err(error),
            None => Ok(recorded.requests),
        }
    }

    /// Lets something happen before the next question is answered by the call of a tool.
    pub fn meanwhile(
        &self,
        deed: impl FnOnce() -> anyhow::Result<()> + Send + 'static,
    ) -> anyhow::Result<()> {
        self.recorded()?.meanwhile = Some(Box::new(deed));
        Ok(())
    }

    fn recorded(&self) -> anyhow::Result<MutexGuard<'_, Recorded>> {
        let recorded = self.recorded.lock();
        recorded.ok().context("a request was not recorded whole")
    }
}

/// What the model wants of the tool.
#[derive(Debug, Clone, Copy)]
enum Wish<'q> {
    Read(&'q str),
    Run(&'q str),
    /// Runs a command whose end wakes the session. Only Claude Code can.
    RunBehind(&'q str),
    /// Uses a skill. Codex has no tool for that.
    Use(&'q str),
    Delegate(&'q str),
    /// Starts a subagent whose answer wakes the session. Only Claude Code can.
    DelegateBehind(&'q str),
    /// Waits for the subagent of this id, where a tool does not do that by itself.
    Await(&'q str),
}

/// What the model answers.
#[derive(Debug, Clone, Copy)]
struct Reply<'q> {
    /// `None` is a short text.
    wish: Option<Wish<'q>>,
    tokens: u64,
    /// How often the question is answered like this.
    times: usize,
    /// How often it was before.
    before: usize,
    /// The number of the answer.
    number: usize,
}

impl<'q> Reply<'q> {
    /// Returns the answer to a question.
    fn to(question: &'q str) -> Option<Self> {
        // `opencode run` puts a question with spaces in quotes.
        let question = question.trim_matches('"');
        let wish = |begin| question.strip_prefix(begin);
        let wishes = [
            wish(READ).map(|path| (Wish::Read(path), TOKENS, 1)),
            wish(READ_TWICE).map(|path| (Wish::Read(path), TOKENS, 2)),
            wish(RUN).map(|command| (Wish::Run(command), TOKENS, 1)),
            wish(RUN_BEHIND).map(|command| (Wish::RunBehind(command), TOKENS, 1)),
            wish(USE).map(|skill| (Wish::Use(skill), TOKENS, 1)),
            wish(DELEGATE).map(|prompt| (Wish::Delegate(prompt), TOKENS, 1)),
            wish(DELEGATE_BEHIND).map(|prompt| (Wish::DelegateBehind(prompt), TOKENS, 1)),
            wish(FILL).map(|path| (Wish::Read(path), TOKENS_FULL, 1)),
        ];
        let (wish, tokens, times) = wishes.into_iter().flatten().next()?;
        Some(Self {
            wish: Some(wish),
            tokens,
            times,
            before: 0,
            number: 0,
        })
    }
}

/// Answers the APIs that the tools use. Each tool reads its own from the path.
async fn answer(
    State(recorded): State<Arc<Mutex<Recorded>>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Ok(body) = serde_json::from_slice::<Value>(&body) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let Some(api) = Api::of(uri.path()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let Ok(mut recorded) = recorded.lock() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let events = api.events(&body, reply(&mut recorded, api, &body));
    let headers = headers.iter().filter_map(|(name, value)| {
        let value = value.to_str().ok()?;
        Some((name.as_str().to_owned(), value.to_owned()))
    });
    let headers = headers.collect();
    recorded.requests.push(Received { headers, body });
    ([(CONTENT_TYPE, "text/event-stream")], events).into_response()
}

/// Returns the answer to a request: a call of a tool if its question wants one that was not called yet.
fn reply<'q>(recorded: &mut Recorded, api: Api, body: &'q Value) -> Reply<'q> {
    recorded.answers += 1;
    let nothing = Reply {
        wish: None,
        tokens: TOKENS,
        times: 1,
        before: 0,
        number: recorded.answers,
    };
    let has_tools = body["tools"]
        .as_array()
        .is_some_and(|tools| !tools.is_empty());
    if !has_tools {
        return nothing;
    }
    if let Some(subagent) = api.awaited(body) {
        return Reply {
            wish: Some(Wish::Await(subagent)),
            ..nothing
        };
    }
    let questions = api.questions(body);
    let mut wanted = questions.iter();
    let wanted = wanted.find_map(|question| Some((*question, Reply::to(question)?)));
    let Some((question, reply)) = wanted else {
        return nothing;
    };
    let granted = recorded.granted.entry(question.to_owned()).or_default();
    let before = *granted;
    if before == reply.times {
        return nothing;
    }
    *granted += 1;
    if let Some(Err(error)) = recorded.meanwhile.take().map(|deed| deed()) {
        recorded.failed = Some(error);
    }
    Reply {
        before,
        number: nothing.number,
        ..reply
    }
}
