//! The loop of a session: it carries out the plan, one request after another.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use ctxpin_client::Client;
use ctxpin_client::error::ClientError;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::moment::Moment;
use ctxpin_model::profile::Profile;
use ctxpin_model::resource::Bodies;
use ctxpin_protocol::control::ResyncReply;
use ctxpin_protocol::convert::manifest;
use ctxpin_protocol::http::agents::SessionOpen;
use tokio::sync::watch;
use uuid::Uuid;

use super::failure::Failure;
use super::local_snapshot::LocalSnapshot;
use super::plan::{Acknowledged, Plan, Recovery, Step};
use super::profile::require_profile;
use super::push_state::{AcknowledgedPush, PushOutcome, PushState};
use crate::error::AgentError;
use crate::report::{Report, Reporter};

/// The agent starts no MCP servers, so they have always settled.
const MCP_SETTLED: bool = true;

/// Carries out the plan of one session.
pub(super) struct Pusher<'r> {
    client: Client,
    process: Uuid,
    profile: Profile,
    plan: Plan,
    newest: watch::Receiver<Option<Arc<LocalSnapshot>>>,
    state: watch::Sender<PushState>,
    report: Reporter<'r>,
}

impl<'r> Pusher<'r> {
    /// Returns a pusher of the snapshots that come through `newest`.
    pub fn new(
        client: Client,
        process: Uuid,
        profile: Profile,
        newest: watch::Receiver<Option<Arc<LocalSnapshot>>>,
        state: watch::Sender<PushState>,
        report: Reporter<'r>,
    ) -> Self {
        Self {
            client,
            process,
            profile,
            plan: Plan::new(Instant::now()),
            newest,
            state,
            report,
        }
    }

    /// Pushes until the channel of snapshots closes.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Session::run`](super::Session::run).
    pub async fn run(mut self) -> Result<(), AgentError> {
        loop {
            let snapshot = self.newest.borrow_and_update().clone();
            let step = self.plan.next(Instant::now(), snapshot.as_deref());
            self.publish(snapshot.as_deref(), None);
            match (step, snapshot) {
                (Step::OpenSession, snapshot) => self.open_session(snapshot.as_deref()).await?,
                (Step::Upload { epoch, hash }, Some(snapshot)) => {
                    self.upload(epoch, hash, &snapshot).await?;
                }
                (
                    Step::Push {
                        epoch,
                        version,
                        inline,
                    },
                    Some(snapshot),
                ) => {
                    let inline = bodies_of(&snapshot, inline.iter());
                    self.push(epoch, version, inline, &snapshot).await?;
                }
                (Step::Wait { until }, _) => {
                    let until = tokio::time::Instant::from_std(until);
                    tokio::select! {
                        changed = self.newest.changed() => {
                            if changed.is_err() {
                                return Ok(());
                            }
                        }
                        () = tokio::time::sleep_until(until) => {}
                    }
                }
                (Step::Upload { .. } | Step::Push { .. }, None) => {}
            }
        }
    }

    async fn open_session(&mut self, snapshot: Option<&LocalSnapshot>) -> Result<(), AgentError> {
        let polling = self.plan.polling_to_tell(snapshot);
        let request = SessionOpen {
            process: self.process,
            polling: polling.clone(),
        };
        let response = self.client.session_open(&request).await;
        let now = Instant::now();
        match response {
            Ok(session) => {
                require_profile(self.profile, &session)?;
                let (agent, epoch, head) = (session.agent_id, session.epoch, session.head.clone());
                let warnings = session.quota_warnings.clone();
                let token_expires_at = session.token_expires_at.map(Moment::new);
                self.state.send_if_modified(|state| {
                    let is_other = state.quota_warnings != warnings
                        || state.token_expires_at != token_expires_at
                        || state.agent != agent;
                    state.agent = agent;
                    state.quota_warnings = warnings;
                    state.token_expires_at = token_expires_at;
                    is_other
                });
                if self.plan.session_opened(now, session, polling) {
                    tracing::debug!(epoch, "session opened");
                    let head = head.map(|head| head.snapshot);
                    (self.report)(Report::SessionOpened { agent, epoch, head });
                }
                Ok(())
            }
            Err(error) => {
                let failure = self.failure(&error);
                let recovery = self.plan.session_failed(now, failure, jitter())?;
                self.recover(recovery, snapshot);
                Ok(())
            }
        }
    }

    async fn upload(
        &mut self,
        epoch: i64,
        hash: BlobHash,
        snapshot: &LocalSnapshot,
    ) -> Result<(), AgentError> {
        let Some(bytes) = snapshot.bodies().get(&hash) else {
            return Ok(());
        };
        let bytes = Bytes::from_owner(Arc::clone(bytes));
        match self.client.blob_upload(epoch, hash, bytes).await {
            Ok(()) => self.plan.uploaded(hash),
            Err(error) => self.push_failed(snapshot, self.failure(&error))?,
        }
        Ok(())
    }

    async fn push(
        &mut self,
        epoch: i64,
        version: i64,
        inline: Bodies,
        local: &LocalSnapshot,
    ) -> Result<(), AgentError> {
        let notes = &local.notes()[..local.notes().len().min(self.plan.notes_max())];
        let snapshot = local.snapshot();
        let push = manifest::push(epoch, version, MCP_SETTLED, snapshot, notes, &inline);
        tracing::debug!(version, snapshot = %local.id, blobs = inline.len(), "pushing");
        let answer = match self.client.push(&push).await {
            Ok(answer) => answer,
            Err(error) => return self.push_failed(local, self.failure(&error)),
        };
        match self.plan.push_answered(local, answer) {
            Ok(acknowledged) => self.acknowledge(local, acknowledged),
            Err(failure) => self.push_failed(local, failure)?,
        }
        Ok(())
    }

    fn acknowledge(&self, local: &LocalSnapshot, acknowledged: Acknowledged) {
        let Acknowledged {
            head: snapshot,
            seq,
            hydrated,
            unchanged,
        } = acknowledged;
        let result = Ok(ResyncReply {
            snapshot: snapshot.clone(),
            seq,
            hydrated,
            resources: local.snapshot().resources.len() as u64,
            unusable: local.unusable() as u64,
        });
        let push = AcknowledgedPush {
            snapshot: snapshot.clone(),
            seq,
            at: Instant::now(),
        };
        self.state
            .send_modify(|state| state.acknowledged = Some(push));
        let resync = local.resync();
        self.publish(Some(local), Some(PushOutcome { resync, result }));
        (self.report)(match unchanged && hydrated == 0 {
            true => Report::Unchanged { snapshot, seq },
            false => Report::Pushed {
                snapshot,
                seq,
                hydrated,
            },
        });
    }

    fn push_failed(
        &mut self,
        snapshot: &LocalSnapshot,
        failure: Failure,
    ) -> Result<(), AgentError> {
        let now = Instant::now();
        let recovery = self.plan.push_failed(now, snapshot, failure, jitter())?;
        self.recover(recovery, Some(snapshot));
        Ok(())
    }

    /// Publishes and reports the action after a failure.
    fn recover(&self, recovery: Recovery, snapshot: Option<&LocalSnapshot>) {
        match recovery {
            Recovery::Continue => {}
            Recovery::Retry { reason, pause } => {
                self.publish(snapshot, None);
                (self.report)(Report::Waiting { reason, pause });
            }
            Recovery::Refused { reason } => {
                self.publish_refusal(&reason, snapshot);
                (self.report)(Report::Refused { reason });
            }
            Recovery::NoRoom { reason, pause } => {
                self.publish_refusal(&reason, snapshot);
                (self.report)(Report::NoRoom { reason, pause });
            }
        }
    }

    fn publish_refusal(&self, reason: &str, snapshot: Option<&LocalSnapshot>) {
        let outcome = snapshot.map(|snapshot| PushOutcome {
            resync: snapshot.resync(),
            result: Err(reason.to_owned()),
        });
        self.publish(snapshot, outcome);
    }

    /// Classifies a failed request, and reports if this process was fenced.
    fn failure(&self, error: &ClientError) -> Failure {
        let failure = Failure::of(error);
        if matches!(failure, Failure::Fenced { .. }) {
            (self.report)(Report::Fenced);
        }
        failure
    }

    /// Publishes the state of the pushes, with the outcome of one if there is a new outcome.
    fn publish(&self, snapshot: Option<&LocalSnapshot>, outcome: Option<PushOutcome>) {
        let epoch = self.plan.epoch();
        let status = self.plan.status(snapshot);
        self.state.send_if_modified(|state| {
            let is_same = outcome.is_none() && state.epoch == epoch && state.status == status;
            if is_same {
                return false;
            }
            state.epoch = epoch;
            state.status = status;
            if outcome.is_some() {
                state.outcome = outcome;
            }
            true
        });
    }
}

/// Returns the bodies of these hashes.
fn bodies_of<'h>(snapshot: &LocalSnapshot, hashes: impl Iterator<Item = &'h BlobHash>) -> Bodies {
    hashes
        .filter_map(|hash| Some((*hash, Arc::clone(snapshot.bodies().get(hash)?))))
        .collect()
}

/// Returns a random number from 0 up to but not including 1.
fn jitter() -> f64 {
    rand::random()
}
