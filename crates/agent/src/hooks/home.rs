//! The home of the client of a session. A client with another home than the one by whose rules its agent scans has read
//! other files.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ctxpin_model::profile::Profile;
use ctxpin_protocol::control::HookCall;
use tokio::sync::watch;

use crate::blocking::blocking;
use crate::session::LocalSnapshot;

/// The longest wait for the first scan, which says by which home the agent scans.
const SCAN_TIME_MAX: Duration = Duration::from_millis(300);

/// Returns why a session is not followed, because its client has another home than the scans of its agent. The place of
/// the session's record says where the client's is. Without a record, nobody knows.
pub(crate) async fn other_home(
    call: &HookCall,
    client: Profile,
    mut newest: watch::Receiver<Option<Arc<LocalSnapshot>>>,
) -> Option<String> {
    let used = home_of(client, Path::new(call.record.as_ref()?))?;
    let scanned = tokio::time::timeout(SCAN_TIME_MAX, newest.wait_for(Option::is_some));
    let scanned = scanned.await.ok()?.ok()?.clone()?;
    let served = PathBuf::from(scanned.snapshot().facts.settings()?.home());
    blocking(move || {
        let is_same = served == used
            || matches!((served.canonicalize(), used.canonicalize()), (Ok(served), Ok(used)) if served == used);
        let (used, served) = (used.display(), served.display());
        (!is_same).then(|| {
            format!(
                "it uses the home {used}, but the process that watches here follows that of {served}; `ctxpin down`, and \
                 then `ctxpin up` with the other home, changes that"
            )
        })
    })
    .await
}

/// Returns the home of a client that keeps the record of a session at this path.
fn home_of(client: Profile, record: &Path) -> Option<PathBuf> {
    let records = match client {
        Profile::ClaudeCode => "projects",
        Profile::Codex => "sessions",
        Profile::Opencode | Profile::Neutral => return None,
    };
    let mut above = record.ancestors().skip(1);
    let records = above.find(|above| above.ends_with(records))?;
    Some(records.parent()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_record_says_the_home() {
        let check = |client: Profile, record: &str, expected: Option<&str>| {
            let home = home_of(client, Path::new(record));
            assert_eq!(home, expected.map(PathBuf::from), "{record}");
        };
        let claude = Profile::ClaudeCode;
        check(claude, "/h/.claude/projects/-w/s.jsonl", Some("/h/.claude"));
        check(
            claude,
            "/projects/c/projects/-w/s/subagents/agent-a.jsonl",
            Some("/projects/c"),
        );
        check(claude, "/projects", None);
        check(claude, "/nowhere", None);
        let codex = Profile::Codex;
        check(
            codex,
            "/h/.codex/sessions/2026/11/28/r.jsonl",
            Some("/h/.codex"),
        );
        check(Profile::Opencode, "/h/sessions/r", None);
    }
}
