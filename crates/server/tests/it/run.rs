//! Starting and stopping: who may have a data directory, and the token of the first user.

use std::fs::Permissions;
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use ctxpin_client::Client;
use ctxpin_protocol::http::people::{Secret, TokenRevoke};
use ctxpin_protocol::problem::ProblemName;
use ctxpin_server::run::{MetricsReaders, ServeError, Settings, serve, serve_routes};
use ctxpin_testing::databases::create_postgres_database;
use ctxpin_testing::workspace::Workspace;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::server::{Agent, Server, usual_settings};

fn settings(data_directory: &std::path::Path, database: Option<&str>) -> Settings {
    Settings {
        database: database.map(str::to_owned),
        ..usual_settings(data_directory)
    }
}

/// Starts a server, sends a request with the token that it wrote, and stops it.
async fn start_and_stop(settings: Settings) -> Result<(), ServeError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let url: url::Url = url.parse().unwrap();
    let shutdown = CancellationToken::new();
    let file = settings.data_directory.join("admin-token");
    let ask = async {
        let nobody = Client::new(url.clone(), Secret::new("none")).unwrap();
        nobody.health_check().await.unwrap();
        let token = std::fs::read_to_string(file).unwrap();
        let client = Client::new(url, Secret::new(token.trim())).unwrap();
        assert_eq!(client.me().await.unwrap().user.name, "admin");
        shutdown.cancel();
    };
    let server = serve(listener, shutdown.clone(), settings);
    let ((), served) = tokio::join!(ask, server);
    served
}

async fn refused(settings: Settings) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let served = serve(listener, CancellationToken::new(), settings).await;
    served.unwrap_err().to_string()
}

#[tokio::test]
async fn one_server_has_a_data_directory() {
    let server = Server::start().await;
    let directory = server.data_directory();
    let mode = std::fs::metadata(&directory).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let error = refused(settings(&directory, None)).await;
    assert!(
        error.starts_with("another server uses the data directory"),
        "{error}"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_data_directory_that_is_none() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = refused(settings(&file.join("data"), None)).await;
    assert!(error.contains("cannot be used"), "{error}");
    std::fs::write(
        directory.path().join("ctxpin.sqlite"),
        "no database at all, ".repeat(99),
    )
    .unwrap();
    let error = refused(settings(directory.path(), None)).await;
    assert!(error.contains("ctxpin.sqlite"), "{error}");
    let error = refused(settings(directory.path(), Some("mysql://x:s3cret@y/z"))).await;
    assert!(!error.is_empty() && !error.contains("s3cret"), "{error}");
}

#[tokio::test]
async fn the_token_of_the_first_user() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("admin-token");
    start_and_stop(settings(directory.path(), None))
        .await
        .unwrap();
    let first = std::fs::read_to_string(&file).unwrap();
    start_and_stop(settings(directory.path(), None))
        .await
        .unwrap();
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        first,
        "it is made once"
    );
    std::fs::remove_file(&file).unwrap();
    start_and_stop(settings(directory.path(), None))
        .await
        .unwrap();
    let second = std::fs::read_to_string(&file).unwrap();
    assert_ne!(second, first, "whoever has the data may have one made anew");

    // A database elsewhere is another one: its token takes the name, and the first is kept.
    let url = create_postgres_database().await;
    start_and_stop(settings(directory.path(), Some(&url)))
        .await
        .unwrap();
    let third = std::fs::read_to_string(&file).unwrap();
    assert_ne!(third, second);
    let kept = directory.path().join("admin-token.old-1");
    assert_eq!(std::fs::read_to_string(kept).unwrap(), second);
    start_and_stop(settings(directory.path(), Some(&url)))
        .await
        .unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), third);
}

/// A replica without `admin-token`, or a container that has lost it, accepts a given token, because a
/// person who chooses its options has the database.
#[tokio::test]
async fn case_b10_a_token_is_given_to_a_database_that_has_users() {
    let directory = tempfile::tempdir().unwrap();
    let url = create_postgres_database().await;
    start_and_stop(settings(directory.path(), Some(&url)))
        .await
        .unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("admin-token");
    let given = format!("ctxpin_{}_{}\n", "7".repeat(32), "e".repeat(64));
    std::fs::write(&file, &given).unwrap();
    let with_token = |database| Settings {
        first_token: Some(file.clone()),
        ..settings(elsewhere.path(), database)
    };
    for database in [Some(url.as_str()), Some(&url), None] {
        start_and_stop(with_token(database)).await.unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), given);
    }
}

#[tokio::test]
async fn a_given_token_that_was_revoked_stays_so() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("given");
    let id = uuid::Uuid::from_u128(7);
    let given = format!("ctxpin_{}_{}", id.simple(), "e".repeat(64));
    std::fs::write(&file, &given).unwrap();
    let url = create_postgres_database().await;
    let with_token = |settings: &mut Settings| {
        settings.database = Some(url.clone());
        settings.first_token = Some(file.clone());
    };
    let server = Server::start_given(&given, with_token).await;
    let alone = TokenRevoke::default();
    let revoked = server.client.token_revoke(id.into(), &alone).await;
    revoked.unwrap();
    server.stop().await;
    let server = Server::start_given(&given, with_token).await;
    let refused = server.client.me().await.unwrap_err();
    assert_eq!(refused.problem_name(), Some(ProblemName::Unauthenticated));
    server.stop().await;

    for text in ["", "ctxpin_1_2"] {
        std::fs::write(&file, text).unwrap();
        let mut settings = settings(directory.path(), None);
        settings.first_token = Some(file.clone());
        let error = self::refused(settings).await;
        assert!(error.contains("one begins with `ctxpin_`"), "{error}");
    }
}

#[tokio::test]
async fn pushes_can_be_paused() {
    let server = Server::start_with(|settings| settings.pause_sync = true).await;
    let mut agent = Agent::create(&server).await;
    let workspace = Workspace::with_agents_md("/w", "one\n");
    let refused = agent.try_push(&workspace).await.unwrap_err();
    assert_eq!(refused.problem_name(), Some(ProblemName::SyncPaused));
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(30)));
    assert!(refused.is_transient());
    server.client.readiness_check().await.unwrap();
    server.stop().await;
}

/// Another user who can read the directory cannot read the database in it. The server does not follow a
/// link in its place.
#[tokio::test]
async fn the_data_is_for_its_owner_alone() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    start_and_stop(settings(directory.path(), None))
        .await
        .unwrap();
    for name in ["ctxpin.sqlite", "ctxpin.lock", "admin-token"] {
        let metadata = std::fs::metadata(directory.path().join(name)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{name}");
    }
    for name in ["ctxpin.sqlite", "ctxpin.lock"] {
        let directory = tempfile::tempdir().unwrap();
        let elsewhere = directory.path().join("elsewhere");
        symlink(&elsewhere, directory.path().join(name)).unwrap();
        let error = refused(settings(directory.path(), None)).await;
        assert!(error.contains("cannot be used"), "{name}: {error}");
        assert!(!elsewhere.exists(), "{name}");
    }
    std::fs::set_permissions(directory.path(), Permissions::from_mode(0o777)).unwrap();
    let error = refused(settings(directory.path(), None)).await;
    assert!(
        error.contains("others may write in it (mode 777)"),
        "{error}"
    );
}

#[tokio::test]
async fn other_routes_are_served_as_the_api_is() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let routes = Router::new().route("/constant", get(|| async { "the same" }));
    let ask = async {
        let answer = plain_get(address, "/constant").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        assert!(answer.ends_with("\r\n\r\nthe same"), "{answer}");
        for header in ["cache-control: no-store\r\n", "x-request-id: "] {
            assert!(answer.contains(header), "{answer}");
        }
        let answer = plain_get(address, "/api/v1/me").await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
        shutdown.cancel();
    };
    tokio::join!(ask, serve_routes(listener, shutdown.clone(), routes));
}

/// Returns the response of a server on a new connection.
async fn plain_get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn finding_26_what_is_counted_can_be_for_auditors_alone() {
    let choose = |settings: &mut Settings| settings.metrics_readers = MetricsReaders::Auditors;
    let server = Server::start_with(choose).await;
    let agent = server.agent_token().await;
    let url = server.url.join("/metrics").unwrap();
    let asked = |token: Option<&str>| {
        let request = server.http.get(url.clone());
        match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    };
    for (token, status) in [
        (None, 401),
        (Some("ctxpin_0"), 401),
        (Some(agent.as_str()), 403),
        (Some(server.token.as_str()), 200),
    ] {
        let answer = asked(token).send().await.unwrap();
        assert_eq!(answer.status(), status, "{token:?}");
    }
    server.stop().await;
}
