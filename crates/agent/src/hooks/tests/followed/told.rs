//! What a person is told, at a start and in the log, and what a turn says.

use super::*;
use crate::hooks::read_behind::recordless;

#[tokio::test]
async fn a_person_is_told_why_the_server_can_record_nothing() {
    let followed = Followed::new().await;
    {
        let mut kept = lock(&followed.kept);
        kept.is_away = true;
        kept.trouble = Some(json!({
            "type": "urn:ctxpin:problem:unavailable", "title": "The server cannot answer now", "status": 503,
            "detail": "The disk of the server's database is full.",
        }));
    }
    // The second start waits for the first one.
    for _ in 0..2 {
        let (event, arrived) = followed.event("s", HookEvent::SessionStart, "");
        let scan = Box::pin(async { None });
        let reply = followed.hooks.start(event, arrived, scan).await.unwrap();
        assert_eq!(
            reply.message.unwrap(),
            "ctxpin: The server cannot answer now: The disk of the server's database is full; this session is recorded \
             if that changes within 10 minutes"
        );
    }
}

#[tokio::test]
async fn a_person_is_told_once_that_nothing_can_be_written() {
    let followed = Followed::new().await;
    let pins = followed.directory.path().join("pins");
    fs::write(&pins, "a file in the place of the directory").unwrap();
    let scan = || -> Fresh {
        let scanned = followed.newest.borrow().clone();
        Box::pin(async move { scanned })
    };
    let told = followed.started("s", scan()).await.unwrap();
    assert!(told.contains("cannot be written"), "{told}");
    assert_eq!(followed.started("s", scan()).await, None);
    followed.prompt("s", "t1").await;
    followed.settle().await;
    let turns = lock(&followed.kept).turns.len();
    assert_eq!(turns, 1, "the turn is recorded all the same");
    fs::remove_file(&pins).unwrap();
    assert_eq!(followed.started("s", scan()).await, None);
    fs::remove_dir_all(&pins).unwrap();
    fs::write(&pins, "").unwrap();
    assert!(followed.started("s", scan()).await.is_some());
}

#[tokio::test]
async fn a_session_of_which_no_record_is_kept_is_named_in_the_log() {
    let followed = Followed::new().await;
    followed.start("s").await;
    followed.prompt("s", "t1").await;
    let (mut event, arrived) = followed.event("s", HookEvent::Stop, "t1");
    let session = Arc::clone(&arrived.session);
    assert!(!session.is_recordless_told.load(Ordering::Relaxed));
    event.call.record = None;
    followed.hooks.stop(event, arrived).await.unwrap();
    assert!(session.is_recordless_told.load(Ordering::Relaxed));
}

#[test]
fn the_log_names_the_option_of_the_session_s_own_tool() {
    let [claude_code, codex] = [Profile::ClaudeCode, Profile::Codex].map(recordless);
    assert_eq!(
        claude_code,
        "a session has no evidence: Claude Code keeps no record of it, as with `claude --no-session-persistence`"
    );
    assert_eq!(
        codex,
        "a session has no evidence: Codex keeps no record of it, as with `codex exec --ephemeral`"
    );
}

/// Somebody may have made the chat a delivered one: a turn that does not say it would be delivered then.
#[tokio::test]
async fn the_turns_of_a_hook_say_that_they_were_observed() {
    let followed = Followed::new().await;
    followed.start("s").await;
    followed.prompt("s", "t1").await;
    followed.settle().await;
    assert_eq!(lock(&followed.kept).turns[0].1["delivery"], "observed");
}
