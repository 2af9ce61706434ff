mod followed;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use futures_util::FutureExt as _;
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::*;

const TOKEN: &str = "ctxpin_00000000000000000000000000000007_\
     abababababababababababababababababababababababababababababababab";

fn write_token(directory: &TempDir) {
    let path = directory.path().join("token");
    fs::write(&path, TOKEN).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Hooks for a server that takes connections and never answers.
struct Hanging {
    hooks: Hooks,
    token: TempDir,
    _server: TcpListener,
}

impl Hanging {
    async fn new() -> Self {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", server.local_addr().unwrap());
        let token = tempfile::tempdir().unwrap();
        write_token(&token);
        Self {
            hooks: Hooks::new(url.parse().unwrap(), PlainHttp::Refused, token.path()),
            token,
            _server: server,
        }
    }

    fn call(&self, event: HookEvent) -> HookCall {
        HookCall {
            client: "codex".into(),
            event,
            session: "s".into(),
            directory: "/w".into(),
            source: Some("startup".into()),
            turn: Some("t".into()),
            parent: None,
            subagent: None,
            record: None,
            at_ms: None,
            process: None,
            given: None,
            server: self.hooks.server.to_string(),
            token_file: self.token.path().join("token").to_str().unwrap().into(),
        }
    }

    fn event(&self, event: HookEvent) -> (Event, Arrived) {
        let call = self.call(event);
        let arrived = self.hooks.arrived(&call, Profile::Codex);
        let event = Event {
            call,
            client: Profile::Codex,
            agent: Uuid::nil(),
            newest: watch::channel(None).1,
            recent: Arc::default(),
            called_at: Instant::now(),
            is_process_known: false,
        };
        (event, arrived)
    }

    async fn turn(&self) -> Result<HookReply, String> {
        let (event, arrived) = self.event(HookEvent::Prompt);
        self.hooks.turn(event, arrived, None).await
    }
}

#[tokio::test]
async fn a_call_is_checked() {
    let hanging = Hanging::new().await;
    let check = |change: &dyn Fn(&mut HookCall), expected: &str| {
        let mut call = hanging.call(HookEvent::Stop);
        change(&mut call);
        let checked = hanging.hooks.check(&call);
        let reason = checked.map_or_else(|reason| reason, |client| client.to_string());
        assert!(reason.contains(expected), "{reason}");
    };
    let path = |path: &str| Some(path.to_owned());
    check(&|_| {}, "codex");
    check(&|call| call.record = path("/w/record"), "codex");
    check(&|call| call.record = path("record"), "not an absolute one");
    let long = format!("/{}", "x".repeat(PATH_BYTES_MAX));
    check(&|call| call.record = path(&long), "not an absolute one");
    check(&|call| call.client = "neutral".into(), "has no hooks");
    check(
        &|call| call.session = "x".repeat(NAME_BYTES_MAX + 1),
        "is not one",
    );
    check(&|call| call.subagent = path("a\nb"), "is not one");
    check(&|call| call.session = "s/a".into(), "is not one");
    check(&|call| call.turn = path("../t"), "is not one");
    check(
        &|call| call.server = "http://127.0.0.1:1".into(),
        "install it again",
    );
}

#[tokio::test]
async fn a_start_ends_in_time_if_the_server_hangs() {
    let hanging = Hanging::new().await;
    let (event, arrived) = hanging.event(HookEvent::SessionStart);
    let begin = Instant::now();
    let scan = Box::pin(async { None });
    let reply = hanging.hooks.start(event, arrived, scan).await.unwrap();
    assert!(begin.elapsed() < START_TIME_MAX + Duration::from_secs(1));
    let message = reply.message.unwrap();
    assert!(
        message.contains("is recorded if it responds within 10 minutes"),
        "{message}"
    );
    assert_eq!(reply.chat, None);
}

#[tokio::test]
async fn what_waits_has_a_bound() {
    let hanging = Hanging::new().await;
    for _ in 0..WAITING_MAX {
        assert_eq!(hanging.turn().await, Ok(HookReply::default()));
    }
    let refused = hanging.turn().await.unwrap_err();
    assert_eq!(refused, "256 events wait for the server already");
    let sessions = lock(&hanging.hooks.sessions).len();
    assert_eq!(sessions, 1);
}

#[tokio::test]
async fn a_call_that_is_given_up_leaves_its_place() {
    let hanging = Hanging::new().await;
    let (_, first) = hanging.event(HookEvent::Prompt);
    let (_, second) = hanging.event(HookEvent::Prompt);
    let (_, mut third) = hanging.event(HookEvent::Prompt);
    drop(second);
    assert!(third.place.come_first().now_or_never().is_none());
    drop(first);
    assert!(third.place.come_first().now_or_never().is_some());
}

#[test]
fn what_a_session_has_read_outlives_the_process() {
    let base = tempfile::tempdir().unwrap();
    let kept = KeptReads::of(base.path());
    assert_eq!(kept.read("codex\ns"), Read::default());
    let read = Read {
        directory: Some("/w".into()),
        snapshot: Some(Listing {
            snapshot: "sha256:0".into(),
            resources: [("skill".into(), [("/w/s".into(), "1".into())].into())].into(),
        }),
        told: None,
        turn: Some("t".into()),
        rereads: vec![read::Reread {
            turn: "t".into(),
            snapshot: "sha256:0".into(),
        }],
        subagents: Vec::new(),
    };
    kept.keep("codex\ns", || read.clone()).unwrap();
    assert_eq!(KeptReads::of(base.path()).read("codex\ns"), read);
    assert_eq!(kept.read("claude-code\ns"), Read::default());
    let directory = base.path().join("sessions");
    let file = fs::read_dir(&directory)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(
        fs::metadata(&directory).unwrap().permissions().mode() & 0o777,
        0o700
    );
    fs::write(&file, "{").unwrap();
    assert_eq!(kept.read("codex\ns"), Read::default());
}
