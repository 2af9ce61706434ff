//! What scans and pushes come to that somebody waits for.

use std::sync::Arc;

use ctxpin_protocol::control::ResyncReply;
use tokio::sync::watch;

use crate::hooks::Fresh;
use crate::reading::{ProjectScan, ViewScans};
use crate::session::{LocalSnapshot, PushStatus, SessionHandle};

/// Returns what a client has read that reads its files when the resync with this number is requested. It ends with the
/// snapshot of the first scan for the resync, once that is the head, or at once if the server had it as the head before. It
/// ends with `None` if a later snapshot became the head instead: while the server takes no push, the workspace can change,
/// and nobody has read that.
pub(super) fn fresh(session: SessionHandle, number: u64) -> Fresh {
    let asked = session.clone();
    // Nobody may wait for the head until what came before is recorded.
    let first = tokio::spawn(async move {
        let first = first_scan(asked.scans, number).await?;
        let first = Arc::new(LocalSnapshot::of(first));
        let state = asked.push_state.borrow();
        let head = state.acknowledged.as_ref().map(|push| &*push.snapshot);
        let is_head = head == Some(&*first.id.to_string());
        Some((first, is_head))
    });
    Box::pin(async move {
        let (first, is_head) = first.await.ok()??;
        if is_head {
            return Some(first);
        }
        let pushed = resync_outcome(&session, number).await.ok()?.snapshot;
        (first.id.to_string() == pushed).then_some(first)
    })
}

/// Waits for the first scan that answers a resync. Returns `None` if it fails.
async fn first_scan(
    mut scans: watch::Receiver<ViewScans>,
    number: u64,
) -> Option<Arc<ProjectScan>> {
    let answer = |scans: &ViewScans| {
        let newest = scans.newest.as_ref();
        newest.filter(|scan| scan.resync >= number).cloned()
    };
    let is_failed = |scans: &ViewScans| {
        let failure = scans.failure.as_ref();
        failure.is_some_and(|failure| failure.resync >= number)
    };
    let scans = scans.wait_for(|scans| answer(scans).is_some() || is_failed(scans));
    answer(&*scans.await.ok()?)
}

/// Waits for the outcome of the resync with this number.
pub(super) async fn resync_outcome(
    session: &SessionHandle,
    number: u64,
) -> Result<ResyncReply, String> {
    let (mut scans, mut push_state) = (session.scans.clone(), session.push_state.clone());
    loop {
        {
            let state = push_state.borrow_and_update();
            match (&state.outcome, &state.status) {
                (Some(outcome), _) if outcome.resync >= number => return outcome.result.clone(),
                (_, PushStatus::Ended(reason)) => return Err(reason.clone()),
                _ => {}
            }
        }
        if let Some(failure) = &scans.borrow_and_update().failure
            && failure.resync >= number
        {
            return Err(format!("the scan failed: {}", failure.reason));
        }
        let changed = tokio::select! {
            changed = scans.changed() => changed,
            changed = push_state.changed() => changed,
        };
        if changed.is_err() {
            return Err("the agent ends".into());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use ctxpin_model::resource::Bodies;
    use ctxpin_model::snapshot::Snapshot;
    use ctxpin_scan::Scan;

    use super::*;
    use crate::session::{AcknowledgedPush, PushOutcome, PushState, Recent};

    fn scanned(directory: &str, resync: u64) -> Arc<ProjectScan> {
        let mut snapshot = Snapshot::default();
        snapshot.facts.directory = Some(directory.to_owned());
        let scan = Scan {
            snapshot,
            bodies: Bodies::new(),
            notes: Vec::new(),
            places: Vec::new(),
            unused: [].into(),
            unfollowed: Vec::new(),
        };
        Arc::new(ProjectScan::new(scan, None, resync))
    }

    /// Waits for what a client has read at resync 2. `found` are the directories of the scans since, the last of which
    /// is pushed. Before them, the server has the snapshot of `head`.
    async fn read(head: &str, found: &[&'static str]) -> Option<String> {
        let scans = watch::Sender::new(ViewScans::default());
        let newest = watch::Sender::new(None);
        let acknowledged = AcknowledgedPush {
            snapshot: LocalSnapshot::of(scanned(head, 1)).id.to_string(),
            seq: 1,
            at: Instant::now(),
        };
        let push_state = watch::Sender::new(PushState {
            acknowledged: Some(acknowledged),
            ..PushState::default()
        });
        let session = SessionHandle::of(
            &scans.subscribe(),
            &newest,
            &Arc::new(Recent::default()),
            &push_state,
        );
        let read = fresh(session, 2);
        for (directory, resync) in ["/before"].iter().chain(found).zip(1..) {
            let scan = scanned(directory, resync);
            let snapshot = LocalSnapshot::of(Arc::clone(&scan));
            newest.send_replace(Some(Arc::new(snapshot)));
            scans.send_modify(|scans| scans.newest = Some(scan));
            // The waiting task takes each of them up.
            tokio::task::yield_now().await;
        }
        let pushed = newest.borrow().as_ref().map(|newest| newest.id.to_string());
        let result = Ok(ResyncReply {
            snapshot: pushed.unwrap_or_default(),
            seq: 1,
            hydrated: 0,
            resources: 0,
            unusable: 0,
        });
        push_state.send_modify(|state| state.outcome = Some(PushOutcome { resync: 9, result }));
        let read = read.await?;
        read.snapshot().facts.directory.clone()
    }

    #[tokio::test]
    async fn a_client_has_read_what_the_first_scan_found() {
        let check = async |head: &str, found: &[&'static str], expected: Option<&str>| {
            assert_eq!(read(head, found).await.as_deref(), expected, "{found:?}");
        };
        check("/before", &["/first"], Some("/first")).await;
        check("/before", &["/first", "/first"], Some("/first")).await;
        // Before the push, somebody has changed the workspace.
        check("/before", &["/first", "/second"], None).await;
        // The server has had it all the time.
        check("/before", &["/before", "/second"], Some("/before")).await;
    }
}
