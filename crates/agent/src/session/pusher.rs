//! The half that talks to the server: it carries out the plan, one request after the other.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use ctxpin_client::Client;
use ctxpin_client::error::ClientError;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::moment::Moment;
use ctxpin_model::resource::Bodies;
use ctxpin_protocol::control::Resynced;
use ctxpin_protocol::convert::manifest;
use ctxpin_protocol::http::agents::SessionOpen;
use tokio::sync::watch;
use uuid::Uuid;

use crate::error::AgentError;
use crate::report::Report;
use crate::session::failure::Failure;
use crate::session::local_snapshot::Found;
use crate::session::plan::{Acknowledged, Plan, Setback, Step};
use crate::standing::{Newest, Pushed, Sending, Settled};

/// Whether MCP has settled: no servers are started, so there is nothing to wait for.
const MCP_SETTLED: bool = true;

/// Carries out a plan.
pub(crate) struct Pusher<'r> {
    client: Client,
    process: Uuid,
    plan: Plan,
    newest: watch::Receiver<Newest>,
    sending: watch::Sender<Sending>,
    report: &'r (dyn Fn(Report) + Send + Sync),
}

impl<'r> Pusher<'r> {
    /// A pusher of what comes through `newest`, as the process of that id.
    pub fn new(
        client: Client,
        process: Uuid,
        newest: watch::Receiver<Newest>,
        sending: watch::Sender<Sending>,
        report: &'r (dyn Fn(Report) + Send + Sync),
    ) -> Self {
        Self {
            client,
            process,
            plan: Plan::new(Instant::now()),
            newest,
            sending,
            report,
        }
    }

    /// Pushes for ever. May be dropped at any moment: what the server has not acknowledged counts
    /// for nothing.
    ///
    /// # Errors
    ///
    /// What ends an agent.
    pub async fn run(mut self) -> Result<(), AgentError> {
        loop {
            let found = self.newest.borrow_and_update().clone();
            let step = self.plan.next(Instant::now(), found.as_deref());
            self.publish(found.as_deref(), None);
            match (step, found) {
                (Step::Session, found) => self.open_session(found).await?,
                (Step::Upload { epoch, hash }, Some(found)) => {
                    self.upload(epoch, hash, &found).await?;
                }
                (
                    Step::Push {
                        epoch,
                        version,
                        inline,
                    },
                    Some(found),
                ) => {
                    let inline = bodies_of(&found, inline.iter());
                    self.push(epoch, version, inline, &found).await?;
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

    async fn open_session(&mut self, found: Newest) -> Result<(), AgentError> {
        let request = SessionOpen {
            process: self.process,
        };
        let answer = self.client.session_open(&request).await;
        let now = Instant::now();
        match answer {
            Ok(session) => {
                let (agent, epoch, head) = (session.agent_id, session.epoch, session.head.clone());
                let warnings = session.quota_warnings.clone();
                let token_expires_at = session.token_expires_at.map(Moment::new);
                self.sending.send_if_modified(|sending| {
                    let is_other = sending.quota_warnings != warnings
                        || sending.token_expires_at != token_expires_at;
                    sending.quota_warnings = warnings;
                    sending.token_expires_at = token_expires_at;
                    is_other
                });
                if self.plan.session_opened(now, session) {
                    tracing::debug!(epoch, "session opened");
                    let head = head.map(|head| head.snapshot);
                    (self.report)(Report::SessionOpened { agent, epoch, head });
                }
                Ok(())
            }
            Err(error) => {
                let setback = self
                    .plan
                    .session_failed(now, self.judged(&error), jitter())?;
                self.suffer(setback, found.as_deref());
                Ok(())
            }
        }
    }

    async fn upload(
        &mut self,
        epoch: i64,
        hash: BlobHash,
        found: &Arc<Found>,
    ) -> Result<(), AgentError> {
        let Some(bytes) = found.bodies.get(&hash) else {
            return Ok(());
        };
        let bytes = Bytes::from_owner(Arc::clone(bytes));
        match self.client.blob_upload(epoch, hash, bytes).await {
            Ok(()) => self.plan.uploaded(hash),
            Err(error) => self.fail(found, self.judged(&error))?,
        }
        Ok(())
    }

    async fn push(
        &mut self,
        epoch: i64,
        version: i64,
        inline: Bodies,
        found: &Arc<Found>,
    ) -> Result<(), AgentError> {
        let notes = &found.notes[..found.notes.len().min(self.plan.notes_max())];
        let push = manifest::push(epoch, version, MCP_SETTLED, &found.snapshot, notes, &inline);
        tracing::debug!(version, snapshot = %found.id, blobs = inline.len(), "pushing");
        let answer = match self.client.push(&push).await {
            Ok(answer) => answer,
            Err(error) => return self.fail(found, self.judged(&error)),
        };
        match self.plan.push_answered(found, answer) {
            Ok(acknowledged) => self.acknowledge(found, acknowledged),
            Err(failure) => self.fail(found, failure)?,
        }
        Ok(())
    }

    fn acknowledge(&self, found: &Found, acknowledged: Acknowledged) {
        let Acknowledged {
            head: snapshot,
            seq,
            hydrated,
            unchanged,
        } = acknowledged;
        let told = found.told();
        let outcome = Ok(Resynced {
            snapshot: snapshot.clone(),
            seq,
            hydrated,
            resources: told.resources,
            unusable: told.unusable,
        });
        let pushed = Pushed {
            snapshot: snapshot.clone(),
            seq,
            at: Instant::now(),
        };
        self.sending
            .send_modify(|sending| sending.pushed = Some(pushed));
        let demand = found.demand;
        self.publish(Some(found), Some(Settled { demand, outcome }));
        (self.report)(match unchanged && hydrated == 0 {
            true => Report::Unchanged { snapshot, seq },
            false => Report::Pushed {
                snapshot,
                seq,
                hydrated,
            },
        });
    }

    fn fail(&mut self, found: &Found, failure: Failure) -> Result<(), AgentError> {
        let now = Instant::now();
        let setback = self.plan.push_failed(now, found, failure, jitter())?;
        self.suffer(setback, Some(found));
        Ok(())
    }

    /// Tells of what did not succeed.
    fn suffer(&self, setback: Setback, found: Option<&Found>) {
        match setback {
            Setback::Again => {}
            Setback::Pause { reason, pause } => {
                self.publish(found, None);
                (self.report)(Report::Waiting { reason, pause });
            }
            Setback::Refused { reason } => {
                self.settle_refused(&reason, found);
                (self.report)(Report::Refused { reason });
            }
            Setback::NoRoom { reason, pause } => {
                self.settle_refused(&reason, found);
                (self.report)(Report::NoRoom { reason, pause });
            }
        }
    }

    fn settle_refused(&self, reason: &str, found: Option<&Found>) {
        let settled = found.map(|found| Settled {
            demand: found.demand,
            outcome: Err(reason.to_owned()),
        });
        self.publish(found, settled);
    }

    fn judged(&self, error: &ClientError) -> Failure {
        let failure = Failure::of(error);
        if matches!(failure, Failure::Fenced { .. }) {
            (self.report)(Report::Fenced);
        }
        failure
    }

    /// Tells how pushing stands, and if a push was settled, what came of it.
    fn publish(&self, found: Option<&Found>, settled: Option<Settled>) {
        let epoch = self.plan.epoch();
        let pushing = self.plan.pushing(found);
        self.sending.send_if_modified(|sending| {
            let is_same = settled.is_none() && sending.epoch == epoch && sending.pushing == pushing;
            if is_same {
                return false;
            }
            sending.epoch = epoch;
            sending.pushing = pushing;
            if settled.is_some() {
                sending.settled = settled;
            }
            true
        });
    }
}

/// The bodies of these hashes.
fn bodies_of<'h>(found: &Found, hashes: impl Iterator<Item = &'h BlobHash>) -> Bodies {
    hashes
        .filter_map(|hash| Some((*hash, Arc::clone(found.bodies.get(hash)?))))
        .collect()
}

/// A number from 0 up to but not including 1.
fn jitter() -> f64 {
    rand::random()
}
