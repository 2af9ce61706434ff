//! The setup of most tests: an owner with an agent.

use std::sync::Arc;
use std::time::Duration;

use ctxpin_model::push::PushOutcome;
use ctxpin_model::resource::ResourceId;
use ctxpin_model::token::Credential;
use ctxpin_operations::error::Error;
use ctxpin_operations::service::Service;
use ctxpin_operations::{contexts, people};
use ctxpin_store::error::Error as StoreError;
use ctxpin_testing::chats::TestChat;
use ctxpin_testing::databases::TestService;
use ctxpin_testing::people::{TestAgent, first_admin, member};
use ctxpin_testing::workspace::Workspace;
use tokio::sync::RwLock;
use tokio::task::JoinHandle;

/// How many threads for blocking work a runtime has at most, by default
/// ([`tokio::runtime::Builder::max_blocking_threads`]).
const BLOCKING_THREADS: usize = 512;

/// An owner with an agent. The clock moves by a minute at each push.
pub struct Scene<'t> {
    pub test: &'t TestService,
    pub service: &'t Service,
    pub owner: Credential,
    pub agent: TestAgent,
}

impl<'t> Scene<'t> {
    /// Creates a scene whose agent has pushed nothing.
    pub async fn new(test: &'t TestService) -> Self {
        let service = &test.service;
        let owner = first_admin(service).await;
        let agent = TestAgent::create(service, owner, "project").await;
        Self {
            test,
            service,
            owner,
            agent,
        }
    }

    /// Moves the clock by a minute.
    pub fn minute(&self) {
        self.test.advance(Duration::from_secs(60));
    }

    /// Moves the clock by a minute, and pushes.
    pub async fn push(&mut self, workspace: &Workspace) -> PushOutcome {
        self.minute();
        let pushed = self.agent.push(self.service, workspace).await;
        pushed.expect("the push is taken")
    }

    /// Moves the clock by a minute, and pushes before all MCP servers have settled.
    pub async fn push_unsettled(&mut self, workspace: &Workspace) -> PushOutcome {
        self.minute();
        let pushed = self.agent.push_unsettled(self.service, workspace).await;
        pushed.expect("the push is taken")
    }

    /// Creates another agent of the owner.
    pub async fn other_agent(&self) -> TestAgent {
        TestAgent::create(self.service, self.owner, "other").await
    }

    /// Creates a chat that is bound to the agent.
    pub async fn chat(&self) -> TestChat {
        TestChat::bound(self.service, self.owner, self.agent.id).await
    }
}

/// Returns a workspace with one `AGENTS.md` under `/w`.
pub fn agents_md(text: &str) -> Workspace {
    Workspace::with_agents_md("/w", text)
}

/// Returns the expected prompt of a workspace.
pub fn rendered(workspace: &Workspace) -> String {
    let (_, bodies) = workspace.manifest();
    ctxpin_render::profile::delivered(&workspace.snapshot(), &bodies)
}

/// Runs two requests at once, as many as the runtime has threads, and checks that their heavy work runs on no
/// thread that serves requests. With all other threads held, two more must not end, while another caller gets
/// twice as many responses as beside the first two.
pub async fn assert_keeps_nobody_waiting<T, F>(scene: &Scene<'_>, work: impl Fn() -> F) -> [T; 2]
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let other = member(scene.service, scene.owner, "other").await;
    let answer = async || {
        people::me(scene.service, other)
            .await
            .expect("they are known")
    };
    let start = || [tokio::spawn(work()), tokio::spawn(work())];

    let requests = start();
    let mut answered = 0;
    while !requests.iter().all(JoinHandle::is_finished) {
        answer().await;
        answered += 1;
    }
    let [first, second] = requests;
    let done = [first.await, second.await].map(|done| done.expect("it does not panic"));

    let gate = Arc::new(RwLock::new(()));
    let closed = gate.write().await;
    for _ in 0..BLOCKING_THREADS {
        let gate = Arc::clone(&gate);
        tokio::task::spawn_blocking(move || drop(gate.blocking_read()));
    }
    let requests = start();
    for _ in 0..2 * answered {
        answer().await;
    }
    let ended = requests.iter().filter(|request| request.is_finished());
    assert_eq!(ended.count(), 0, "after {answered} responses");
    requests.iter().for_each(JoinHandle::abort);
    drop(closed);
    done
}

/// Returns the name of an error.
pub fn refusal<T: std::fmt::Debug>(outcome: Result<T, Error>) -> &'static str {
    match outcome.expect_err("it must be refused") {
        Error::Store(StoreError::NotFound(_)) | Error::NotFound(_) => "not-found",
        Error::Store(StoreError::Unauthenticated) => "unauthenticated",
        Error::Store(StoreError::Forbidden(_)) => "forbidden",
        Error::Invalid(_) | Error::WiderToken(_) => "invalid",
        Error::NoHead(_) => "no-head",
        Error::Archived => "archived",
        Error::ObservedChat => "observed-chat",
        Error::Conflict(_) => "conflict",
        Error::PreconditionFailed(_) => "precondition-failed",
        Error::AgentReplaced(_) => "agent-replaced",
        Error::Fenced { .. } => "fenced",
        other => panic!("an unexpected refusal: {other:?}"),
    }
}

/// Checks what holds for every chat at any time: its history counts from 1 without a gap, its last row is
/// the pin, and the prompt is that of the pinned snapshot.
pub async fn assert_sound(chat: &TestChat) {
    let context = chat.context().await;
    let history = chat.history().await;
    let seqs: Vec<_> = history.iter().map(|pin| pin.seq).collect();
    let expected: Vec<_> = (1..=context.chat.pin_seq).collect();
    assert_eq!(seqs, expected, "the history has a gap");
    let pin = context.chat.pin.as_ref().map(|pin| pin.pin);
    let last = history.last();
    assert_eq!(
        pin.map(|pin| (pin.snapshot, pin.prompt)),
        last.and_then(|last| last.snapshot.zip(last.rendered)),
        "the pin is not the last row of the history"
    );
    assert_eq!(
        context.changes().is_empty(),
        context.chat.drift().is_none(),
        "changes are listed exactly if the chat is dirty"
    );
    let Some(pinned) = &context.pinned else {
        assert_eq!(chat.prompt().await, "");
        return;
    };
    let addresses = pinned.addresses();
    assert_eq!(Some(addresses.id), pin.map(|pin| pin.snapshot));
    let mut bodies = ctxpin_model::resource::Bodies::new();
    for file in pinned.rendered_resources() {
        let id = ResourceId::of(file.kind, &file.source);
        let read = contexts::resource(&chat.service, chat.owner, chat.id, id).await;
        let body = read.expect("a pinned resource").body;
        let body = body.expect("an ok file has a body").into_bytes();
        bodies.insert(file.body().expect("it is pinned"), body.into());
    }
    let prompt = ctxpin_render::profile::delivered(pinned, &bodies);
    assert_eq!(chat.prompt().await, prompt);
}
