//! Tasks that race, and the results that a race may not have.

use std::future::Future;
use std::sync::Arc;

use ctxpin_model::id::AgentId;
use ctxpin_model::push::{Position, Push, PushOutcome};
use ctxpin_model::token::Credential;
use ctxpin_operations::error::Error;
use ctxpin_operations::pushes;
use ctxpin_operations::service::Service;
use ctxpin_store::error::Error as StoreError;
use ctxpin_testing::people::TestAgent;
use ctxpin_testing::workspace::{Workspace, claimed};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

/// Tasks that begin at the same moment.
pub struct Race<T> {
    tasks: JoinSet<T>,
    start: Arc<Barrier>,
}

impl<T: Send + 'static> Race<T> {
    pub fn of(count: usize) -> Self {
        Self {
            tasks: JoinSet::new(),
            start: Arc::new(Barrier::new(count)),
        }
    }

    pub fn add(&mut self, task: impl Future<Output = T> + Send + 'static) {
        let start = Arc::clone(&self.start);
        self.tasks.spawn(async move {
            start.wait().await;
            task.await
        });
    }

    pub async fn run(self) -> Vec<T> {
        self.tasks.join_all().await
    }
}

/// Checks that the caller got a final outcome, and not an error because of the race.
pub fn settled<T>(outcome: Result<T, Error>) -> Result<T, Error> {
    match outcome {
        Err(Error::Store(
            StoreError::Conflict
            | StoreError::Contended(_)
            | StoreError::Unavailable(_)
            | StoreError::Unexpected(_),
        )) => {
            panic!("a caller was told of a race: {:?}", outcome.err())
        }
        other => other,
    }
}

/// Checks that the request succeeded despite the race, and returns its result.
pub fn done<T>(outcome: Result<T, Error>) -> T {
    settled(outcome).expect("nothing here is refused")
}

/// An agent that many tasks may use at once, because each push names its version.
#[derive(Clone)]
pub struct Pusher {
    service: Service,
    pub id: AgentId,
    credential: Credential,
    epoch: i64,
}

impl Pusher {
    pub fn of(service: &Service, agent: &TestAgent) -> Self {
        Self {
            service: service.clone(),
            id: agent.id,
            credential: agent.credential,
            epoch: agent.epoch,
        }
    }

    pub async fn push(&self, version: i64, workspace: &Workspace) -> Result<PushOutcome, Error> {
        let (manifest, inline) = workspace.manifest();
        let push = Push {
            position: Position {
                epoch: self.epoch,
                version,
            },
            mcp_settled: true,
            manifest: claimed(&manifest, inline),
            notes: Vec::new(),
        };
        pushes::push(&self.service, self.credential, push).await
    }
}
