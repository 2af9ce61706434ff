//! An agent that runs in a temporary workspace.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use ctxpin_agent::control::Client;
use ctxpin_agent::error::AgentError;
use ctxpin_agent::report::{Report, Told};
use ctxpin_agent::run::{Settings, run};
use ctxpin_agent::standing::Standing;
use ctxpin_client::PlainHttp;
use ctxpin_model::profile::Profile;
use ctxpin_protocol::http::people::Secret;
use ctxpin_scan::roots::ToolEnvironment;
use ctxpin_scan::trust::Trust;
use tempfile::TempDir;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::fake_server::FakeServer;

/// A time limit far longer than any step of a test takes.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The token of every agent, unless a test has two.
pub const TOKEN: &str = "ctxpin_00000000000000000000000000000007_\
    abababababababababababababababababababababababababababababababab";

/// `project/`, a repository with an `AGENTS.md`, and beside it `home/`, `outside/` and `state/`.
pub struct Workspace {
    _directory: TempDir,
    pub base: PathBuf,
    pub settings: Settings,
}

impl Workspace {
    pub fn new(server: &FakeServer) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path().canonicalize().unwrap();
        for path in ["project/.git", "project/docs", "home", "outside"] {
            fs::create_dir_all(base.join(path)).unwrap();
        }
        fs::write(base.join("project/AGENTS.md"), "one").unwrap();
        let settings = Settings {
            server: server.url.clone(),
            standings: vec![Standing {
                agent: None,
                token: Secret::new(TOKEN),
                profile: Profile::Neutral,
                tool: ToolEnvironment::default(),
            }],
            plain_http: PlainHttp::Refused,
            directory: base.join("project"),
            home: base.join("home"),
            user_roots: false,
            allowed_roots: Vec::new(),
            trust: Trust::of_process(),
            operator_config: base.join("agent.toml"),
            state_directory: base.join("state"),
            poll: false,
            ready: None,
        };
        Self {
            _directory: directory,
            base,
            settings,
        }
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.base.join(path)
    }

    /// Writes a file atomically, as an editor does.
    pub fn write(&self, path: &str, text: &str) {
        let next = self.path("next");
        fs::write(&next, text).unwrap();
        fs::rename(next, self.path(path)).unwrap();
    }

    pub fn start(&self) -> Running {
        let (sink, reports) = Reports::new();
        let report = move |told: Told| sink(told.report);
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(run(self.settings.clone(), None, shutdown.clone(), report));
        Running {
            control: Client::new(&self.settings.state_directory),
            shutdown,
            task,
            reports,
        }
    }

    /// Starts an agent that must fail, and returns its error.
    pub async fn fail(&self) -> AgentError {
        self.start().ended().await.unwrap_err()
    }
}

pub struct Running {
    pub control: Client,
    pub shutdown: CancellationToken,
    task: JoinHandle<Result<(), AgentError>>,
    reports: Reports,
}

/// The reports of one agent, session or reading.
pub struct Reports(Receiver<Report>);

impl Reports {
    /// Returns a sink of reports, and the reports that it received.
    pub fn new() -> (impl Fn(Report) + Send + Sync, Self) {
        let (sender, reports) = channel(1024);
        let report = move |report| {
            let _ = sender.try_send(report);
        };
        (report, Self(reports))
    }

    /// Waits for a report, and skips those before it.
    pub async fn until(&mut self, matches: impl Fn(&Report) -> bool) -> Report {
        let wait = async {
            loop {
                match self.0.recv().await {
                    Some(report) if matches(&report) => return report,
                    Some(_) => {}
                    None => panic!("the agent has ended"),
                }
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap()
    }

    /// Waits until the server has a new head with this number.
    pub async fn pushed(&mut self, seq: i64) {
        let pushed = |report: &Report| matches!(report, Report::Pushed { .. });
        let Report::Pushed { seq: found, .. } = self.until(pushed).await else {
            unreachable!();
        };
        assert_eq!(found, seq);
    }
}

impl Running {
    /// Waits for a report, and skips those before it.
    pub async fn until(&mut self, matches: impl Fn(&Report) -> bool) -> Report {
        self.reports.until(matches).await
    }

    /// Waits until the server has a new head with this number.
    pub async fn pushed(&mut self, seq: i64) {
        self.reports.pushed(seq).await;
    }

    /// Waits until the agent has ended.
    pub async fn ended(self) -> Result<(), AgentError> {
        let ended = tokio::time::timeout(PATIENCE, self.task).await;
        ended.unwrap().unwrap()
    }

    /// Ends the agent as Ctrl-C does.
    pub async fn shut_down(self) {
        self.shutdown.cancel();
        self.ended().await.unwrap();
    }
}
