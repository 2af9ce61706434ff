//! Connections over real sockets, with short limits.

use axum::body;
use axum::http::Uri;
use axum::routing::get;
use axum::{Extension, Router};
use futures_util::{Stream, stream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::DropGuard;

use super::*;

/// Maximum wait for something that should happen at once.
const SOON: Duration = Duration::from_secs(20);

/// A limit that a test reaches quickly.
const SHORT: Duration = Duration::from_millis(50);

/// Sends a request to a server that is then shut down while the request is in progress. Returns the client,
/// and a signal that lets the handler finish.
async fn under_way(request: &[u8], limits: Limits) -> (TcpStream, Arc<Notify>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let handler = {
        let (begun, go_on) = (begun.clone(), go_on.clone());
        move || async move {
            begun.notify_one();
            go_on.notified().await;
            "done"
        }
    };
    let router = Router::new().route("/", get(handler));
    let shutdown = CancellationToken::new();
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(request).await.unwrap();
    tokio::spawn({
        let shutdown = shutdown.clone();
        async move { serve(listener, router, &shutdown, limits).await }
    });
    begun.notified().await;
    shutdown.cancel();
    (client, go_on)
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

async fn read_to_end(mut client: TcpStream) -> String {
    let mut answer = String::new();
    let read = client.read_to_string(&mut answer);
    let read = tokio::time::timeout(SOON, read).await;
    read.expect("the connection ends").unwrap();
    answer
}

#[tokio::test]
async fn what_is_under_way_may_end() {
    let (client, go_on) = under_way(REQUEST, Limits::default()).await;
    go_on.notify_one();
    let answer = read_to_end(client).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("done"));
}

#[tokio::test]
async fn what_does_not_end_is_cut() {
    let limits = Limits {
        drain_time_max: Duration::from_millis(20),
        ..Limits::default()
    };
    let (client, _) = under_way(REQUEST, limits).await;
    assert_eq!(read_to_end(client).await, "");
}

/// Serves a router until the guard is dropped.
async fn served(router: Router, limits: Limits) -> (SocketAddr, DropGuard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    tokio::spawn({
        let shutdown = shutdown.clone();
        async move { serve(listener, router, &shutdown, limits).await }
    });
    (address, shutdown.drop_guard())
}

fn answers_ok() -> Router {
    Router::new().route("/", get(async || "done"))
}

/// Returns a client of this version of HTTP.
fn client_of(version: u8) -> reqwest::Client {
    // Another test may have installed it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder().no_proxy();
    let builder = match version {
        1 => builder.http1_only(),
        _ => builder.http2_prior_knowledge(),
    };
    builder.build().unwrap()
}

/// Sends bytes, and returns what came until the connection ended.
async fn sent_and_waited(address: SocketAddr, bytes: &[u8]) -> String {
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(bytes).await.unwrap();
    read_to_end(client).await
}

#[tokio::test]
async fn a_connection_with_an_unfinished_head_is_cut() {
    let limits = Limits {
        head_time_max: SHORT,
        idle_time_max: SHORT,
        ..Limits::default()
    };
    let (address, _guard) = served(answers_ok(), limits).await;
    for beginning in [
        "",
        "G",
        "GET / HTTP/1.1\r\nhost: x\r\n",
        // This may be the beginning of HTTP/2.
        "P",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n",
        "POST / HTTP/1.1\r\n",
    ] {
        let answer = sent_and_waited(address, beginning.as_bytes()).await;
        assert_eq!(answer, "", "{beginning:?}");
    }
    // The same limit applies between two requests.
    let answer = sent_and_waited(address, REQUEST).await;
    assert!(answer.ends_with("done"), "{answer}");
    let twice = [REQUEST, b"GET / HT"].concat();
    let answer = sent_and_waited(address, &twice).await;
    assert_eq!(answer.matches("200 OK").count(), 1, "{answer}");
}

#[tokio::test]
async fn case_b01_a_pause_may_be_longer_than_a_first_head() {
    let limits = Limits {
        head_time_max: SHORT,
        ..Limits::default()
    };
    let (address, _guard) = served(answers_ok(), limits).await;
    let mut paused = TcpStream::connect(address).await.unwrap();
    let mut answer = Vec::new();
    for answers in 1..=2 {
        paused.write_all(REQUEST).await.unwrap();
        while answer.windows(4).filter(|part| part == b"done").count() < answers {
            let read = tokio::time::timeout(SOON, paused.read_buf(&mut answer)).await;
            assert!(read.expect("an answer in time").unwrap() > 0);
        }
        // The pause is as long as the limit for a first head.
        assert_eq!(sent_and_waited(address, b"G").await, "");
    }
}

#[tokio::test]
async fn a_head_one_byte_at_a_time_is_cut_all_the_same() {
    let limits = Limits {
        head_time_max: SHORT,
        ..Limits::default()
    };
    let (address, _guard) = served(answers_ok(), limits).await;
    let client = TcpStream::connect(address).await.unwrap();
    let (mut reading, mut writing) = client.into_split();
    let dripping = async {
        writing.write_all(b"GET / HTTP/1.1\r\na: ").await?;
        loop {
            writing.write_all(b"a").await?;
            tokio::task::yield_now().await;
        }
    };
    let mut answer = Vec::new();
    let ended = async {
        tokio::select! {
            ended = reading.read_to_end(&mut answer) => ended.map(drop),
            ended = dripping => ended,
        }
    };
    // The connection may end orderly or with a broken pipe.
    let _: io::Result<()> = tokio::time::timeout(SOON, ended).await.unwrap();
}

#[tokio::test]
async fn a_quiet_connection_of_http_2_is_ended() {
    let limits = Limits {
        quiet_time_max: SHORT,
        ..Limits::default()
    };
    let (address, _guard) = served(answers_ok(), limits).await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(preface).await.unwrap();
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(SOON, client.read_to_end(&mut answer)).await;
    ended.expect("the connection ends").unwrap();
    // The server sent GOAWAY (RFC 9113, section 6.8) before it closed the connection.
    let goodbye = answer
        .windows(9)
        .any(|frame| frame[3] == 7 && frame[5..] == [0; 4]);
    assert!(goodbye, "{answer:?}");
}

/// Returns an endless response that signals when it is dropped.
fn endless(given_up: mpsc::Sender<()>) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    struct Told(mpsc::Sender<()>);
    impl Drop for Told {
        fn drop(&mut self) {
            let _ = self.0.try_send(());
        }
    }
    let piece = Bytes::from(vec![b'a'; 1 << 20]);
    stream::unfold(Told(given_up), move |told| {
        let piece = piece.clone();
        async move { Some((Ok(piece), told)) }
    })
}

#[tokio::test]
async fn an_answer_that_nobody_reads_is_given_up() {
    let limits = Limits {
        quiet_time_max: SHORT,
        ..Limits::default()
    };
    let (given_up, mut is_given_up) = mpsc::channel(9);
    let router = Router::new().route(
        "/",
        get(async move || body::Body::from_stream(endless(given_up.clone()))),
    );
    let (address, _guard) = served(router, limits).await;
    let mut first = TcpStream::connect(address).await.unwrap();
    first.write_all(REQUEST).await.unwrap();
    let gone = tokio::time::timeout(SOON, is_given_up.recv()).await;
    assert_eq!(gone.expect("HTTP/1.1 is given up"), Some(()));

    let url = format!("http://{address}/");
    let unread = client_of(2).get(url).send().await;
    let gone = tokio::time::timeout(SOON, is_given_up.recv()).await;
    assert_eq!(gone.expect("HTTP/2 is given up"), Some(()));
    drop(unread);

    // A client that keeps reading keeps its response, however long that takes.
    let mut third = TcpStream::connect(address).await.unwrap();
    third.write_all(REQUEST).await.unwrap();
    let mut piece = vec![0; 1 << 16];
    let begun = tokio::time::Instant::now();
    while begun.elapsed() < 10 * SHORT {
        third.read_exact(&mut piece).await.unwrap();
    }
    assert!(is_given_up.is_empty());
}

#[tokio::test]
async fn a_connection_too_many_waits() {
    let limits = Limits {
        connections_max: 2,
        ..Limits::default()
    };
    let (asked, mut order) = mpsc::channel::<String>(9);
    let router =
        Router::new().fallback(async move |connection: Extension<Connection>, uri: Uri| {
            // Pretend that a token was valid.
            connection.become_known();
            let path = uri.path().to_owned();
            asked.send(path.clone()).await.unwrap();
            path
        });
    let (address, _guard) = served(router, limits).await;
    let ask = async |client: &mut TcpStream, path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        client.write_all(request.as_bytes()).await.unwrap();
    };
    let answered = async |client: &mut TcpStream, path: &str| {
        let mut answer = Vec::new();
        while !answer.ends_with(path.as_bytes()) {
            let read = tokio::time::timeout(SOON, client.read_buf(&mut answer)).await;
            assert!(read.expect("an answer in time").unwrap() > 0);
        }
    };
    let begun = async |path: &str| {
        let mut client = TcpStream::connect(address).await.unwrap();
        ask(&mut client, path).await;
        answered(&mut client, path).await;
        client
    };
    let (mut first, second) = (begun("/1").await, begun("/2").await);
    let mut third = TcpStream::connect(address).await.unwrap();
    ask(&mut third, "/3").await;
    for path in ["/4", "/5", "/6"] {
        ask(&mut first, path).await;
        answered(&mut first, path).await;
    }
    drop(second);
    answered(&mut third, "/3").await;
    drop((first, third));
    let mut found = Vec::new();
    while !order.is_empty() {
        found.extend(order.recv().await);
    }
    assert_eq!(found, ["/1", "/2", "/4", "/5", "/6", "/3"]);
}

#[tokio::test]
async fn large_answers_come_whole() {
    let long: Bytes = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let router = Router::new().route(
        "/",
        get({
            let long = long.clone();
            async move || long
        }),
    );
    let (address, _guard) = served(router, Limits::default()).await;
    for version in [1, 2] {
        let url = format!("http://{address}/");
        let response = client_of(version).get(url).send().await.unwrap();
        assert_eq!(response.content_length(), Some(long.len() as u64));
        assert!(response.bytes().await.unwrap() == long, "HTTP/{version}");
    }
}

#[tokio::test]
async fn finding_10_the_oldest_that_show_nothing_make_room() {
    let limits = Limits {
        connections_max: 10,
        ..Limits::default()
    };
    let (address, _guard) = served(answers_ok(), limits).await;
    let mut silent = Vec::new();
    for _ in 0..8 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    // New connections are served, and the oldest ones end one by one.
    let answered = async || {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(REQUEST).await.unwrap();
        let mut answer = [0; 15];
        let read = tokio::time::timeout(SOON, client.read_exact(&mut answer)).await;
        read.expect("an answer in time").unwrap();
        client
    };
    let first = answered().await;
    assert_eq!(read_to_end(silent.remove(0)).await, "");
    // A new connection may still send a head, so a connection that got a response and showed no token ends
    // first.
    let _second = answered().await;
    let rest = read_to_end(first).await;
    assert!(rest.ends_with("done"), "{rest}");
}
