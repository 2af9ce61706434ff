//! Files that are edited while a session starts.

use ctxpin_protocol::control::ClientProcess;

use super::*;

const OLD: &str = "Rules of the project, before anybody has edited them.\n";
const NEW: &str = "Rules of the project, which a hook has written anew.\n";

/// A session in a directory with a file that is edited just now.
struct Starts {
    followed: Followed,
    old: Arc<LocalSnapshot>,
    new: Arc<LocalSnapshot>,
}

fn scanned(snapshot: &Arc<LocalSnapshot>) -> Fresh {
    let snapshot = Arc::clone(snapshot);
    Box::pin(async move { Some(snapshot) })
}

impl Starts {
    async fn new() -> Self {
        Self::of(Profile::ClaudeCode).await
    }

    async fn of(client: Profile) -> Self {
        let followed = Followed::of(client).await;
        let directory = followed.directory.path().to_owned();
        fs::write(directory.join("AGENTS.md"), NEW).unwrap();
        let directory = directory.to_str().unwrap().trim_start_matches('/');
        let [old, new] = [OLD, NEW].map(|text| followed.snapshot_with(directory, Some(text)));
        Self { followed, old, new }
    }

    /// Returns an event that came so many seconds after the edit.
    fn event(&self, event: HookEvent, source: &str, seconds: i64) -> (Event, Arrived) {
        let edited = fs::metadata(self.followed.directory.path().join("AGENTS.md"));
        let edited = edited.unwrap().modified().unwrap();
        let edited = edited.duration_since(std::time::UNIX_EPOCH).unwrap();
        let at_ms = i64::try_from(edited.as_millis()).unwrap() + seconds * 1000;
        let (mut event, arrived) = self.followed.event("s", event, "t");
        event.call.source = Some(source.into());
        event.call.at_ms = at_ms.try_into().ok();
        let long_before = event.called_at - Duration::from_secs(20);
        event.recent.add(long_before, Arc::clone(&self.old));
        (event, arrived)
    }

    /// Returns the heads of the starts. `None` is an unconfirmed one.
    fn heads(&self) -> Vec<Option<String>> {
        let kept = lock(&self.followed.kept);
        let moves = kept.moves.iter().map(|(_, start)| {
            let is_confirmed = start["unconfirmed"] != true;
            is_confirmed.then(|| start["head"].as_str().unwrap().to_owned())
        });
        moves.collect()
    }

    /// Starts a session some seconds after the edit, whose scan finds the old text, and gives it a prompt, whose scan
    /// finds the new one. Returns whether the pin of the turn is unconfirmed, and what the person was told.
    async fn edited_behind(&self, source: &str, seconds: i64) -> (bool, Option<String>) {
        let (event, arrived) = self.event(HookEvent::SessionStart, source, seconds);
        let started = self
            .followed
            .hooks
            .start(event, arrived, scanned(&self.old));
        started.await.unwrap();
        self.followed
            .newest
            .send_replace(Some(Arc::clone(&self.new)));
        let (event, arrived) = self.event(HookEvent::Prompt, source, seconds);
        let fresh = arrived.is_starting().then(|| scanned(&self.new));
        let reply = self.followed.hooks.turn(event, arrived, fresh).await;
        self.followed.until(|kept| !kept.turns.is_empty()).await;
        let heads = self.heads();
        assert_eq!(heads[0], Some(self.old.id.to_string()));
        (heads.last() == Some(&None), reply.unwrap().message)
    }
}

#[tokio::test]
async fn an_edit_behind_a_start_leaves_its_pin_unconfirmed() {
    for (source, seconds) in [("startup", -1), ("resume", -30), ("fork", -1)] {
        let starts = Starts::new().await;
        let (is_unconfirmed, message) = starts.edited_behind(source, seconds).await;
        assert!(is_unconfirmed, "{source}");
        assert_eq!(message, None, "{source}");
    }
}

#[tokio::test]
async fn an_edit_long_behind_a_start_is_told() {
    for (source, seconds) in [("startup", -30), ("resume", -90)] {
        let starts = Starts::new().await;
        let (is_unconfirmed, message) = starts.edited_behind(source, seconds).await;
        assert!(!is_unconfirmed, "{source}");
        let message = message.unwrap();
        assert!(message.contains("changed since this session"), "{message}");
    }
}

/// The process began so many milliseconds behind the edit, and its start is scanned after that. A process that has just begun
/// has read nothing yet.
#[tokio::test]
async fn an_edit_before_the_scan_of_a_start_counts_if_the_process_ran() {
    for (client, source, began_after, read) in [
        (Profile::ClaudeCode, "startup", -2000, None),
        (Profile::ClaudeCode, "startup", -10, Some(NEW)),
        (Profile::ClaudeCode, "startup", 2000, Some(NEW)),
        (Profile::Codex, "resume", -2000, Some(OLD)),
        (Profile::Codex, "resume", -10, Some(NEW)),
    ] {
        let starts = Starts::of(client).await;
        let (mut event, arrived) = starts.event(HookEvent::SessionStart, source, 5);
        let ago: u64 = (5000 - began_after).try_into().unwrap();
        event.call.process = Some(ClientProcess {
            pid: 1,
            began: 1,
            began_ms: event.call.at_ms.unwrap() - ago,
        });
        let at = |seconds| event.called_at - Duration::from_secs(seconds);
        event.recent.add(at(1), Arc::clone(&starts.new));
        let started = starts
            .followed
            .hooks
            .start(event, arrived, scanned(&starts.new));
        started.await.unwrap();
        let expected = read.map(|read| match read {
            OLD => starts.old.id.to_string(),
            _ => starts.new.id.to_string(),
        });
        assert_eq!(starts.heads(), [expected], "{client} {began_after}");
    }
}

/// The call came so many seconds after the edit, and waited until the watching process went on, whose scan finds the edit.
#[tokio::test]
async fn an_edit_while_a_start_waits_leaves_its_pin_unconfirmed() {
    for (client, source) in [
        (Profile::ClaudeCode, "startup"),
        (Profile::ClaudeCode, "resume"),
        (Profile::Codex, "startup"),
    ] {
        for seconds in [-5, 5] {
            let starts = Starts::of(client).await;
            let (mut event, arrived) = starts.event(HookEvent::SessionStart, source, seconds);
            event.is_process_known = true;
            let now = event.called_at;
            event.called_at = now - Duration::from_secs(10);
            event.recent.add(now, Arc::clone(&starts.new));
            let scan = scanned(&starts.new);
            let started = starts.followed.hooks.start(event, arrived, scan);
            started.await.unwrap();
            let expected = (seconds > 0).then(|| starts.new.id.to_string());
            assert_eq!(starts.heads(), [expected], "{client} {source} {seconds}");
        }
    }
}

#[tokio::test]
async fn an_edit_while_a_prompt_waits_leaves_its_pin_unconfirmed() {
    for seconds in [-5, 5] {
        let starts = Starts::of(Profile::Opencode).await;
        let (event, arrived) = starts.event(HookEvent::Prompt, "startup", seconds);
        let fresh = Some(scanned(&starts.new));
        let turn = starts.followed.hooks.turn(event, arrived, fresh);
        turn.await.unwrap();
        starts.followed.until(|kept| !kept.turns.is_empty()).await;
        let expected = (seconds > 0).then(|| starts.new.id.to_string());
        assert_eq!(starts.heads().pop(), Some(expected), "{seconds}");
    }
}

/// Codex made the id of the session so many milliseconds before the edit, and tells of its start with the first prompt.
#[tokio::test]
async fn an_edit_just_behind_the_id_of_a_session_leaves_its_pin_unconfirmed() {
    for (before, read) in [
        (100, None),
        (1500, None),
        (10_000, Some(OLD)),
        (-100, Some(NEW)),
    ] {
        for source in ["startup", "fork"] {
            let starts = Starts::of(Profile::Codex).await;
            let (mut event, arrived) = starts.event(HookEvent::SessionStart, source, 5);
            event.is_process_known = true;
            let made = i64::try_from(event.call.at_ms.unwrap()).unwrap() - 5000 - before;
            let time = u128::try_from(made).unwrap() << 80;
            event.call.session = Uuid::from_u128(time | 7 << 76 | 2 << 62).to_string();
            let edited = event.called_at - Duration::from_secs(5);
            event.recent.add(edited, Arc::clone(&starts.new));
            let scan = scanned(&starts.new);
            let started = starts.followed.hooks.start(event, arrived, scan);
            started.await.unwrap();
            let expected = read.map(|read| match read {
                OLD => starts.old.id.to_string(),
                _ => starts.new.id.to_string(),
            });
            assert_eq!(starts.heads(), [expected], "{source} {before}");
        }
    }
}
