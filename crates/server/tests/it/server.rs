//! A server of a test's own, and those who call it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ctxpin_client::Client;
use ctxpin_client::error::ClientError;
use ctxpin_model::quota::Quotas;
use ctxpin_protocol::http::agents::{AgentCreate, SessionOpen};
use ctxpin_protocol::http::people::{Secret, TokenCreate, UserCreate};
use ctxpin_protocol::http::push::PushAnswer;
use ctxpin_protocol::problem::{PROBLEM_MEDIA_TYPE, Problem, ProblemName};
use ctxpin_server::limits::Limits;
use ctxpin_server::run::{DATABASE_CONNECTIONS, MetricsReaders, ServeError, Settings, serve};
use ctxpin_testing::workspace::Workspace;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Method, RequestBuilder, Response};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;

/// Longest wait for anything that should happen at once.
pub const SOON: Duration = Duration::from_secs(30);

/// A server that runs, with the token of its first user.
pub struct Server {
    pub url: Url,
    pub token: String,
    /// The first user's client.
    pub client: Client,
    /// A plain client, for requests that our client never sends.
    pub http: reqwest::Client,
    pub shutdown: CancellationToken,
    task: JoinHandle<Result<(), ServeError>>,
    directory: TempDir,
}

impl Server {
    /// Returns the path of the database of a server on SQLite.
    pub fn sqlite_path(&self) -> PathBuf {
        self.directory.path().join("data/ctxpin.sqlite")
    }
}

/// Returns the usual limits with those of connections.
pub fn with_connections(connections: ctxpin_listener::Limits) -> Limits {
    Limits {
        connections,
        ..Limits::default()
    }
}

/// Returns the settings of a server on SQLite that serves everybody.
pub fn usual_settings(data_directory: &Path) -> Settings {
    Settings {
        data_directory: data_directory.to_path_buf(),
        database: None,
        database_connections: DATABASE_CONNECTIONS,
        first_token: None,
        pause_sync: false,
        limits: Limits::default(),
        quotas: Quotas::default(),
        metrics_readers: MetricsReaders::Everybody,
        bound_sessions: false,
        page_host: None,
        public_urls: Vec::new(),
    }
}

impl Server {
    /// Starts a server on a new SQLite file.
    pub async fn start() -> Self {
        Self::start_on(None).await
    }

    /// Starts a server on a database.
    pub async fn start_on(database: Option<String>) -> Self {
        Self::start_with(|settings| settings.database = database).await
    }

    /// Starts a server with smaller limits for callers.
    pub async fn start_limited(limits: Limits) -> Self {
        Self::start_with(|settings| settings.limits = limits).await
    }

    /// Starts a server with changed settings.
    pub async fn start_with(choose: impl FnOnce(&mut Settings)) -> Self {
        Self::start_as(choose, |data_directory| {
            std::fs::read_to_string(data_directory.join("admin-token")).unwrap()
        })
        .await
    }

    /// Starts a server with changed settings and a given token for the first user.
    pub async fn start_given(token: &str, choose: impl FnOnce(&mut Settings)) -> Self {
        Self::start_as(choose, |_| token.to_owned()).await
    }

    async fn start_as(
        choose: impl FnOnce(&mut Settings),
        token: impl FnOnce(&Path) -> String,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data_directory = directory.path().join("data");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let url: Url = url.parse().unwrap();
        let shutdown = CancellationToken::new();
        let mut settings = usual_settings(&data_directory);
        choose(&mut settings);
        let task = tokio::spawn(serve(listener, shutdown.clone(), settings));
        let nobody = Client::new(url.clone(), Secret::new("none")).unwrap();
        nobody.health_check().await.unwrap();
        let token = token(&data_directory).trim().to_owned();
        let client = Client::new(url.clone(), Secret::new(&token)).unwrap();
        // The client does not decompress, so that tests see the original bytes.
        let http = reqwest::Client::builder().no_proxy().no_zstd();
        let http = http.build().unwrap();
        Self {
            url,
            token,
            client,
            http,
            shutdown,
            task,
            directory,
        }
    }

    pub fn data_directory(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Returns a request of the first user to a path below the server's address.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = self.url.join(path).unwrap();
        let authorization = format!("Bearer {}", self.token);
        self.http
            .request(method, url)
            .header(AUTHORIZATION, authorization)
    }

    /// Returns a request of the first user with a body of type JSON.
    pub fn json(
        &self,
        method: Method,
        path: &str,
        body: impl Into<reqwest::Body>,
    ) -> RequestBuilder {
        self.request(method, path)
            .header(CONTENT_TYPE, "application/json")
            .body(body)
    }

    /// Returns a push with an agent's token and a body of type JSON.
    pub fn push(&self, token: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
        let url = self.url.join("/api/v1/agent/context").unwrap();
        self.http
            .put(url)
            .bearer_auth(token)
            .header(CONTENT_TYPE, "application/json")
            .body(body)
    }

    /// Creates an agent, and returns its token.
    pub async fn agent_token(&self) -> String {
        let request = AgentCreate {
            workspace: "project".into(),
            name: None,
            may_refresh: false,
            replaces: None,
            ..AgentCreate::default()
        };
        let created = self.client.agent_create(&request).await.unwrap();
        created.token.expose().to_owned()
    }

    /// Creates a user, and returns the user's id and client.
    pub async fn member(&self, name: &str) -> (Uuid, Client) {
        let user = UserCreate {
            name: name.into(),
            roles: vec!["member".into()],
        };
        let user = self.client.user_create(&user).await.unwrap().id;
        let token = TokenCreate {
            user: Some(user),
            ..TokenCreate::default()
        };
        let token = self.client.token_create(&token).await.unwrap().secret;
        (user, Client::new(self.url.clone(), token).unwrap())
    }

    /// Ends the server and waits for it. Its data and its address stay for [`Server::resume`].
    pub async fn halt(&mut self) {
        self.shutdown.cancel();
        let ended = tokio::time::timeout(SOON, &mut self.task).await;
        ended.expect("the server ends soon").unwrap().unwrap();
    }

    /// Starts a halted server again, on its SQLite file and at its address.
    pub async fn resume(&mut self) {
        self.resume_with(|_| ()).await;
    }

    /// Does the same with changed settings.
    pub async fn resume_with(&mut self, choose: impl FnOnce(&mut Settings)) {
        let address = self.url.socket_addrs(|| None).unwrap()[0];
        let listener = TcpListener::bind(address).await.unwrap();
        self.shutdown = CancellationToken::new();
        let mut settings = usual_settings(&self.data_directory());
        choose(&mut settings);
        self.task = tokio::spawn(serve(listener, self.shutdown.clone(), settings));
        self.client.health_check().await.unwrap();
    }

    /// Ends the server and waits for it.
    pub async fn stop(mut self) {
        self.halt().await;
    }
}

/// An agent with an open session and its own client.
pub struct Agent {
    pub id: Uuid,
    pub client: Client,
    pub epoch: i64,
    version: i64,
}

impl Agent {
    pub async fn create(server: &Server) -> Self {
        let request = AgentCreate {
            workspace: "project".into(),
            name: None,
            may_refresh: false,
            replaces: None,
            ..AgentCreate::default()
        };
        Self::create_from(server, &request).await
    }

    /// Creates an agent by a request, with an open session.
    pub async fn create_from(server: &Server, request: &AgentCreate) -> Self {
        let created = server.client.agent_create(request).await.unwrap();
        Self::of(server, created.agent.id, created.token).await
    }

    /// Opens a session of an existing agent.
    pub async fn of(server: &Server, id: Uuid, token: Secret) -> Self {
        let client = Client::new(server.url.clone(), token).unwrap();
        let process = Uuid::new_v4();
        let session = client
            .session_open(&SessionOpen {
                process,
                polling: None,
            })
            .await
            .unwrap();
        Self {
            id,
            client,
            epoch: session.epoch,
            version: 0,
        }
    }

    /// Pushes a workspace with all its bytes.
    pub async fn push(&mut self, workspace: &Workspace) -> PushAnswer {
        self.try_push(workspace).await.unwrap()
    }

    /// Pushes a workspace, and returns the refusal if there is one.
    pub async fn try_push(&mut self, workspace: &Workspace) -> Result<PushAnswer, ClientError> {
        self.version += 1;
        let (_, bodies) = workspace.manifest();
        let push = ctxpin_protocol::convert::manifest::push(
            self.epoch,
            self.version,
            true,
            &workspace.snapshot(),
            &[],
            &bodies,
        );
        self.client.push(&push).await
    }
}

/// Reads a response that must be a problem of a known name.
pub async fn problem(response: Response) -> (ProblemName, Problem) {
    let (status, url) = (response.status().as_u16(), response.url().clone());
    let content_type = response.headers().get(CONTENT_TYPE).cloned();
    let content_type = content_type.unwrap_or_else(|| panic!("{url}: {status} without a type"));
    assert_eq!(content_type, PROBLEM_MEDIA_TYPE, "{url}: {status}");
    let text = response.text().await.unwrap();
    let problem: Problem = serde_json::from_str(&text).unwrap();
    let name = problem.name();
    let name = name.unwrap_or_else(|| panic!("{url}: an unknown problem: {text}"));
    assert_eq!((status, problem.status), (name.status(), status), "{url}");
    assert!(!problem.detail.is_empty(), "{url}: {text}");
    (name, problem)
}
