//! One push, for continuous integration and for workspaces that do not last.

use std::time::Duration;

use ctxpin_client::Client;
use ctxpin_model::snapshot::Snapshot;
use ctxpin_protocol::control::Resynced;
use ctxpin_scan::roots::Request;
use tokio::sync::watch;

use crate::error::AgentError;
use crate::report::Report;
use crate::run::{process_id, scan_once};
use crate::session::local_snapshot::Found;
use crate::session::pusher::Pusher;
use crate::standing::Sending;

/// What was pushed.
#[derive(Debug)]
pub struct Pushed {
    /// What was found.
    pub snapshot: Snapshot,
    /// The head's snapshot, as the server says it.
    pub head: String,
    /// The head's place in the agent's timeline.
    pub seq: i64,
    /// How many chats were given their first pin.
    pub hydrated: u64,
}

/// Scans a request once and pushes what it finds, repeating what may pass by itself for at most
/// `time_max`. It opens a session of its own, so a running agent with the same token is fenced.
/// `report` is told what happens meanwhile.
///
/// # Errors
///
/// If the directory cannot be scanned, the server refuses, or nothing was acknowledged in time.
pub async fn once(
    client: Client,
    request: Request,
    time_max: Duration,
    report: impl Fn(Report) + Send + Sync,
) -> Result<Pushed, AgentError> {
    let scan = scan_once(request).await?;
    let demand = 1;
    let found = Found::new(scan, None, demand);
    let snapshot = found.snapshot.clone();
    report(Report::Scanned {
        snapshot: found.id,
        resources: found.snapshot.resources.len(),
        unusable: found.unusable(),
    });
    // The sender is kept: without it the pusher would take it that nothing more can come.
    let (_newest, found) = watch::channel(Some(found.into()));
    let (sending, mut standing) = watch::channel(Sending::new());
    let pusher = Pusher::new(client, process_id(), found, sending, &report);
    let settled = async {
        let settled = |sending: &Sending| sending.settled.is_some();
        let sending = standing.wait_for(settled).await.ok()?;
        Some(sending.settled.as_ref()?.outcome.clone())
    };
    let settle = async {
        tokio::select! {
            biased;
            Some(outcome) = settled => outcome.map_err(|reason| AgentError::Refused { reason }),
            ended = pusher.run() => Err(match ended {
                Err(error) => error,
                Ok(()) => AgentError::Refused { reason: "nothing was to be pushed".into() },
            }),
        }
    };
    let outcome = tokio::time::timeout(time_max, settle).await;
    let Ok(outcome) = outcome else {
        let reason = match standing.borrow().trouble() {
            Some(trouble) => trouble.reason.clone(),
            None => "the server has not answered yet".to_owned(),
        };
        let seconds = time_max.as_secs();
        return Err(AgentError::TimedOut { seconds, reason });
    };
    let Resynced {
        snapshot: head,
        seq,
        hydrated,
        ..
    } = outcome?;
    Ok(Pushed {
        snapshot,
        head,
        seq,
        hydrated,
    })
}
