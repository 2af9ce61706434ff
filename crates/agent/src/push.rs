//! A single push, for continuous integration and for short-lived workspaces.

use std::sync::Arc;
use std::time::Duration;

use ctxpin_client::Client;
use ctxpin_model::snapshot::Snapshot;
use ctxpin_protocol::control::ResyncReply;
use ctxpin_scan::roots::Request;
use ctxpin_scan::scan;
use tokio::sync::watch;
use uuid::Uuid;

use crate::blocking::blocking;
use crate::error::AgentError;
use crate::reading::{ProjectScan, ViewScans};
use crate::report::Report;
use crate::session::{PushState, Session};

/// The result of a single push.
#[derive(Debug)]
pub struct PushReport {
    /// The scanned snapshot.
    pub snapshot: Snapshot,
    /// The head's snapshot, as the server names it.
    pub head: String,
    /// The head's number in the agent's timeline.
    pub seq: i64,
    /// How many chats got their first pin.
    pub hydrated: u64,
}

/// Scans once and pushes the result. Retries transient failures for at most `time_max`. Opens a new
/// session, so the server fences a running agent with the same token. Calls `report` with the events.
///
/// # Errors
///
/// Fails if the directory cannot be scanned, the server refuses the push, or it acknowledges nothing in
/// time.
pub async fn once(
    client: Client,
    request: Request,
    time_max: Duration,
    report: impl Fn(Report) + Send + Sync,
) -> Result<PushReport, AgentError> {
    let profile = request.profile;
    let scan = blocking(move || scan(&request, &|| false)).await?;
    let scan = Arc::new(ProjectScan::new(scan, None, 0));
    // Keep the sender until the end, because a session ends with its reading.
    let (_reading, scans) = watch::channel(ViewScans {
        newest: Some(Arc::clone(&scan)),
        failure: None,
    });
    let session = Session::new(client, Uuid::new_v4(), profile, scans, &report);
    let state = session.handle().push_state;
    let mut pushed = state.clone();
    let outcome = async {
        let has_outcome = |state: &PushState| state.outcome.is_some();
        let state = pushed.wait_for(has_outcome).await.ok()?;
        Some(state.outcome.as_ref()?.result.clone())
    };
    let push = async {
        tokio::select! {
            biased;
            Some(result) = outcome => result.map_err(|reason| AgentError::Refused { reason }),
            ended = session.run() => Err(match ended {
                Err(error) => error,
                Ok(()) => AgentError::Refused { reason: "nothing was to be pushed".into() },
            }),
        }
    };
    let Ok(result) = tokio::time::timeout(time_max, push).await else {
        let reason = match state.borrow().waits_because() {
            Some(reason) => reason.to_owned(),
            None => "the server has not answered yet".to_owned(),
        };
        let after = time_max;
        return Err(AgentError::TimedOut { after, reason });
    };
    let ResyncReply {
        snapshot: head,
        seq,
        hydrated,
        ..
    } = result?;
    Ok(PushReport {
        snapshot: scan.snapshot.clone(),
        head,
        seq,
        hydrated,
    })
}
