//! The connection to one server: addresses, headers, timeouts, and the reading of answers.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use ctxpin_model::proof::is_this_machine;
use ctxpin_protocol::http::people::Secret;
use ctxpin_protocol::problem::{PROBLEM_MEDIA_TYPE, Problem};
use reqwest::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER,
};
use reqwest::redirect::Policy;
use reqwest::{Method, Request, RequestBuilder, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::{Host, Url};

use crate::error::ClientError;
use crate::proof::{Proving, Unproven};
use crate::proxy::UsedProxy;

/// How clients call themselves.
pub(crate) const USER_AGENT_NAME: &str = concat!("ctxpin/", env!("CARGO_PKG_VERSION"));

/// Longest wait for a connection.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);

/// Longest wait for a connection that has to prove itself: a server that is busy may take a while.
const PROOF_TIME_MAX: Duration = Duration::from_secs(15);

/// Longest wait for a whole answer, and for the first bytes of a stream.
pub(crate) const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);

/// How often an idle connection is probed, so that a stream whose server vanished ends.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);

/// How long a connection is kept that nobody uses: much shorter than servers and proxies keep it, so that
/// none of them closes it just as it is used again.
pub const IDLE_TIME_MAX: Duration = Duration::from_secs(15);

/// Longest answer that is read, in bytes: a page of 500 chats with the longest titles and errors fits, and
/// so do a prompt and a text of a skill.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Longest answer that tells of whole snapshots, in bytes: two of 2,000 resources and 4,096 files of skills
/// each fit, with what differs between them.
const SNAPSHOTS_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Longest answer that says why something failed, in bytes: the hashes of every file of a snapshot
/// fit.
const PROBLEM_BYTES_MAX: usize = 1024 * 1024;

/// Where names for this machine lead, in the order in which it is tried.
const LOOPBACK: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
];

/// Where a server tells whether it is ready, and proves who it is.
const READINESS: &str = "readyz";

/// Bodies from this many bytes on are compressed; smaller ones would gain nothing.
const COMPRESS_BYTES_MIN: usize = 1024;

/// Fast, and most of what can be gained on text.
const COMPRESS_LEVEL: i32 = 3;

/// Whether a token may go to another machine by plain HTTP, where whoever is on the way can read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainHttp {
    /// It may not.
    Refused,
    /// It may: the person said so.
    Allowed,
}

/// A server and the token to show it. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    /// What asks without the token, made when it is first needed.
    probing: Arc<OnceLock<reqwest::Client>>,
    server: Url,
    authorization: HeaderValue,
    /// Where the token came from, for whoever sees it refused.
    token_told: Option<Arc<str>>,
    /// How long an answer may take before somebody is told, and who.
    telling: Option<(Duration, Arc<dyn Fn() + Send + Sync>)>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("server", &self.server.as_str())
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A client of the server at `server`, such as `http://127.0.0.1:7878`, with `token`. Nothing
    /// is sent yet.
    ///
    /// # Errors
    ///
    /// If the address is not `http` or `https` with a host, or holds more than a path; if it is another
    /// machine's over plain HTTP; if the token cannot stand in a header.
    pub fn new(server: Url, token: Secret) -> Result<Self, ClientError> {
        Self::by(server, token, PlainHttp::Refused)
    }

    /// The same, and by plain HTTP also to another machine if that is allowed.
    ///
    /// # Errors
    ///
    /// Those of [`Self::new`].
    pub fn by(server: Url, token: Secret, plain_http: PlainHttp) -> Result<Self, ClientError> {
        check_server(&server)?;
        if server.scheme() == "http"
            && plain_http == PlainHttp::Refused
            && !leads_to_this_machine(&server)
        {
            return Err(ClientError::PlainHttp {
                server: server.to_string(),
            });
        }
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
            .map_err(|_| ClientError::MalformedToken { token_told: None })?;
        authorization.set_sensitive(true);
        let mut builder = builder(&server);
        if server.scheme() == "http" {
            // A certificate proves by itself who answers.
            let readiness = address(&server, &[READINESS])?;
            let is_local = leads_to_this_machine(&server);
            builder = builder.connector_layer(Proving::new(&readiness, &token, is_local));
            if is_local {
                builder = builder.connect_timeout(PROOF_TIME_MAX);
            }
        }
        let http = built(builder, &server)?;
        Ok(Self {
            http,
            probing: Arc::default(),
            server,
            authorization,
            token_told: None,
            telling: None,
        })
    }

    /// The same client, whose errors say of a token that is refused where it came from.
    pub fn with_token_told(self, told: impl Into<Arc<str>>) -> Self {
        Self {
            token_told: Some(told.into()),
            ..self
        }
    }

    /// The same client, which calls `tell` whenever an answer has not begun after that time.
    pub fn telling(self, after: Duration, tell: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            telling: Some((after, Arc::new(tell))),
            ..self
        }
    }

    /// The server's address.
    pub fn server(&self) -> &Url {
        &self.server
    }

    /// Whether the server is alive.
    ///
    /// # Errors
    ///
    /// If it is not, or cannot be reached.
    pub async fn health_check(&self) -> Result<(), ClientError> {
        self.probe("healthz").await
    }

    /// Whether the server can answer: its database is there and not newer than it.
    ///
    /// # Errors
    ///
    /// If it cannot, or cannot be reached.
    pub async fn readiness_check(&self) -> Result<(), ClientError> {
        self.probe(READINESS).await
    }

    /// Asks without the token, since nobody in particular may ask this, and on a connection that proved
    /// nothing.
    async fn probe(&self, path: &str) -> Result<(), ClientError> {
        let url = address(&self.server, &[path])?;
        let http = match self.probing.get() {
            Some(http) => http,
            None => {
                let http = built(builder(&self.server), &self.server)?;
                self.probing.get_or_init(|| http)
            }
        };
        self.nothing(http.get(url).timeout(ANSWER_TIME_MAX)).await
    }

    /// A request with the token and the usual time limit; `segments` follow `/api/v1/`.
    pub(crate) fn request(
        &self,
        method: Method,
        segments: &[&str],
    ) -> Result<RequestBuilder, ClientError> {
        Ok(self
            .stream_request(method, segments)?
            .timeout(ANSWER_TIME_MAX))
    }

    /// A request with the token whose answer may go on for ever.
    pub(crate) fn stream_request(
        &self,
        method: Method,
        segments: &[&str],
    ) -> Result<RequestBuilder, ClientError> {
        let all: Vec<&str> = ["api", "v1"].iter().chain(segments).copied().collect();
        let url = address(&self.server, &all)?;
        let authorization = self.authorization.clone();
        Ok(self
            .http
            .request(method, url)
            .header(AUTHORIZATION, authorization))
    }

    /// The same with a query: the members of `query` that are not left out.
    pub(crate) fn query_request(
        &self,
        segments: &[&str],
        query: &impl Serialize,
    ) -> Result<RequestBuilder, ClientError> {
        self.with_query(self.request(Method::GET, segments)?, query)
    }

    /// A request with a query.
    pub(crate) fn with_query(
        &self,
        request: RequestBuilder,
        query: &impl Serialize,
    ) -> Result<RequestBuilder, ClientError> {
        let (http, request) = request.build_split();
        let mut request = request.map_err(|source| self.unreachable(source))?;
        append_query(request.url_mut(), query)?;
        Ok(RequestBuilder::from_parts(http, request))
    }

    /// Sends a request and reads its answer as JSON.
    pub(crate) async fn json<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
    ) -> Result<T, ClientError> {
        let response = self.answer(request).await?;
        self.json_of(response).await
    }

    /// Sends a request and reads its answer, which tells of whole snapshots, as JSON.
    pub(crate) async fn snapshots<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
    ) -> Result<T, ClientError> {
        let response = self.answer(request).await?;
        self.json_within(response, SNAPSHOTS_BYTES_MAX).await
    }

    /// Reads the JSON of an answer.
    pub(crate) async fn json_of<T: DeserializeOwned>(
        &self,
        response: Response,
    ) -> Result<T, ClientError> {
        self.json_within(response, ANSWER_BYTES_MAX).await
    }

    async fn json_within<T: DeserializeOwned>(
        &self,
        response: Response,
        bytes_max: usize,
    ) -> Result<T, ClientError> {
        let status = response.status();
        let body = self.body(response, bytes_max).await?;
        serde_json::from_slice(&body).map_err(|error| {
            self.unexpected(status, format!("and no answer of ctxpin's ({error})"))
        })
    }

    /// Sends a request and reads its answer as bytes.
    pub(crate) async fn bytes(&self, request: RequestBuilder) -> Result<Bytes, ClientError> {
        let response = self.answer(request).await?;
        self.bytes_of(response).await
    }

    /// Reads the bytes of an answer.
    pub(crate) async fn bytes_of(&self, response: Response) -> Result<Bytes, ClientError> {
        self.body(response, ANSWER_BYTES_MAX).await
    }

    /// Sends a request of whose answer only the success matters.
    pub(crate) async fn nothing(&self, request: RequestBuilder) -> Result<(), ClientError> {
        self.answer(request).await.map(drop)
    }

    /// Sends a request; an answer of success (2xx, or 304 to a conditional request) is handed on
    /// unread.
    pub(crate) async fn answer(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let (http, request) = request.build_split();
        let request = request.map_err(|source| self.unreachable(source))?;
        let body = request.body().and_then(|body| body.as_bytes());
        let body_bytes = body.map_or(0, <[u8]>::len);
        let mut sending = std::pin::pin!(sent(&http, request));
        let sent = match &self.telling {
            None => sending.await,
            Some((after, tell)) => tokio::select! {
                biased;
                sent = &mut sending => sent,
                () = tokio::time::sleep(*after) => {
                    tell();
                    sending.await
                }
            },
        };
        let response = sent.map_err(|source| self.unreachable(source))?;
        let status = response.status();
        if status.is_success() || status == StatusCode::NOT_MODIFIED {
            return Ok(response);
        }
        Err(self.refusal(response, body_bytes).await)
    }

    /// What an answer that is no success says, to a request with so long a body.
    async fn refusal(&self, response: Response, body_bytes: usize) -> ClientError {
        let status = response.status();
        let retry_after = retry_after(response.headers());
        if let Some(location) = response
            .headers()
            .get(LOCATION)
            .filter(|_| status.is_redirection())
        {
            let location = String::from_utf8_lossy(location.as_bytes());
            let reason = format!("a redirect to {location}, which is not followed with a token");
            return self.unexpected(status, reason);
        }
        let is_problem = content_type_is(response.headers(), PROBLEM_MEDIA_TYPE);
        let body = match self.body(response, PROBLEM_BYTES_MAX).await {
            Ok(body) => body,
            Err(error) => return error,
        };
        match serde_json::from_slice::<Problem>(&body) {
            Ok(mut problem) if is_problem => {
                // What was answered counts, whatever the body says of it.
                problem.status = status.as_u16();
                ClientError::Problem {
                    problem: Box::new(problem),
                    retry_after,
                    token_told: self.token_told.clone(),
                }
            }
            _ if status == StatusCode::PAYLOAD_TOO_LARGE => ClientError::TooLargeOnTheWay {
                server: self.server.to_string(),
                bytes: body_bytes,
            },
            _ => ClientError::Unexpected {
                server: self.server.to_string(),
                status: status.as_u16(),
                reason: self.by_whom("and no problem of ctxpin's".into()),
                retry_after,
            },
        }
    }

    async fn body(&self, mut response: Response, bytes_max: usize) -> Result<Bytes, ClientError> {
        let status = response.status();
        let mut body = BytesMut::new();
        while let Some(piece) = response
            .chunk()
            .await
            .map_err(|source| self.unreachable(source))?
        {
            if body.len() + piece.len() > bytes_max {
                let reason = format!("and more than {bytes_max} bytes");
                return Err(self.unexpected(status, reason));
            }
            body.extend_from_slice(&piece);
        }
        Ok(body.freeze())
    }

    pub(crate) fn unreachable(&self, source: reqwest::Error) -> ClientError {
        let mut error = unreachable(&self.server, source);
        if let ClientError::MalformedToken { token_told }
        | ClientError::Unproven { token_told, .. } = &mut error
        {
            token_told.clone_from(&self.token_told);
        }
        error
    }

    pub(crate) fn unexpected(&self, status: StatusCode, reason: String) -> ClientError {
        ClientError::Unexpected {
            server: self.server.to_string(),
            status: status.as_u16(),
            reason: self.by_whom(reason),
            retry_after: None,
        }
    }

    /// Adds to a reason that a proxy may be the one who answers.
    fn by_whom(&self, reason: String) -> String {
        match UsedProxy::before(&self.server) {
            Some(proxy) => format!("{reason}, asked through {proxy}"),
            None => reason,
        }
    }
}

/// How servers are reached.
fn builder(server: &Url) -> reqwest::ClientBuilder {
    // Whoever came first has installed the same provider: there is no other in this program.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder()
        .user_agent(USER_AGENT_NAME)
        .connect_timeout(CONNECT_TIME_MAX)
        .tcp_keepalive(KEEPALIVE_INTERVAL)
        .pool_idle_timeout(IDLE_TIME_MAX)
        // If the kept one is closed, what is sent again needs a new one.
        .pool_max_idle_per_host(1)
        // Nothing may lead the token to another place.
        .redirect(Policy::none())
        .referer(false);
    if !leads_to_this_machine(server) {
        return builder;
    }
    // A proxy cannot reach this machine, and must not see what stays on it.
    let builder = builder.no_proxy();
    match server.domain() {
        // Nobody else is asked where that is. Port 0 stands for the one that the address names.
        Some(name) => builder.resolve_to_addrs(name, &LOOPBACK.map(|ip| SocketAddr::new(ip, 0))),
        None => builder,
    }
}

fn built(builder: reqwest::ClientBuilder, server: &Url) -> Result<reqwest::Client, ClientError> {
    builder
        .build()
        .map_err(|source| unreachable(server, source))
}

fn unreachable(address: &Url, source: reqwest::Error) -> ClientError {
    let server = address.to_string();
    match Unproven::find(&source) {
        Some(Unproven::NoToken(_)) => ClientError::MalformedToken { token_told: None },
        Some(unproven) => ClientError::Unproven {
            server,
            reason: unproven.to_string(),
            token_told: None,
        },
        None => ClientError::Unreachable {
            proxy: UsedProxy::before(address),
            server,
            source: source.without_url(),
        },
    }
}

/// Gives a request a JSON body, compressed with zstd where that gains something.
pub(crate) async fn with_json(
    request: RequestBuilder,
    body: &impl Serialize,
) -> Result<RequestBuilder, ClientError> {
    let json =
        serde_json::to_vec(body).map_err(|error| ClientError::InvalidRequest(error.to_string()))?;
    with_body(request, "application/json", json.into()).await
}

/// Gives a request a body, compressed with zstd where that gains something.
pub(crate) async fn with_body(
    request: RequestBuilder,
    content_type: &'static str,
    body: Bytes,
) -> Result<RequestBuilder, ClientError> {
    let request = request.header(CONTENT_TYPE, content_type);
    if body.len() < COMPRESS_BYTES_MIN {
        return Ok(request.body(body));
    }
    let compress = move || zstd::bulk::compress(&body, COMPRESS_LEVEL);
    // Megabytes take a while: other tasks of this thread go on meanwhile.
    let compressed = tokio::task::spawn_blocking(compress)
        .await
        .map_err(|error| ClientError::InvalidRequest(error.to_string()))?
        .map_err(|error| ClientError::InvalidRequest(error.to_string()))?;
    Ok(request.header(CONTENT_ENCODING, "zstd").body(compressed))
}

/// Sends a request, and sends it once more if the connection ended before an answer began: one that was
/// kept may be closed by the other end just as it is used again. A new one proves itself first, like any other.
async fn sent(http: &reqwest::Client, request: Request) -> reqwest::Result<Response> {
    let again = may_repeat(&request).then(|| request.try_clone()).flatten();
    match (http.execute(request).await, again) {
        (Err(error), Some(again)) if is_cut_off(&error) => http.execute(again).await,
        (sent, _) => sent,
    }
}

/// Whether a request may come twice: all that only reads, and what an agent sends. The same process has the
/// same session, and a push or bytes that are there already change nothing.
fn may_repeat(request: &Request) -> bool {
    let path = request.url().path();
    match *request.method() {
        Method::GET => true,
        Method::PUT => path.contains("/api/v1/agent/"),
        _ => path.ends_with("/api/v1/agent/session"),
    }
}

/// Whether a connection ended before the head of an answer.
fn is_cut_off(error: &reqwest::Error) -> bool {
    error.is_request() && !error.is_timeout() && !error.is_connect()
}

fn check_server(server: &Url) -> Result<(), ClientError> {
    let has_password = !server.username().is_empty() || server.password().is_some();
    let reason = if !matches!(server.scheme(), "http" | "https") {
        "it begins with http:// or https://"
    } else if server.host().is_none() {
        "it has no host"
    } else if has_password {
        "it holds no user or password; the token is given apart"
    } else if server.query().is_some() || server.fragment().is_some() {
        "it holds no query or fragment"
    } else {
        return Ok(());
    };
    let mut shown = server.clone();
    // These fail for addresses without a host only, which hold no password either.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    Err(ClientError::InvalidServer {
        server: shown.to_string(),
        reason: reason.into(),
    })
}

/// Whether an address leads to this machine by itself. The one that stands for all of a machine does when one
/// connects to it.
pub fn leads_to_this_machine(server: &Url) -> bool {
    let is_own = |ip: IpAddr| ip.is_loopback() || ip.is_unspecified();
    match server.host() {
        Some(Host::Ipv4(ip)) => is_own(ip.into()),
        Some(Host::Ipv6(ip)) => is_own(ip.to_canonical()),
        Some(Host::Domain(name)) => is_this_machine(name),
        None => false,
    }
}

/// The address below the server's with these path segments, percent-encoded.
fn address(server: &Url, segments: &[&str]) -> Result<Url, ClientError> {
    // A URL cannot hold these three as segments: they would name another resource.
    if let Some(segment) = segments.iter().find(|s| matches!(**s, "" | "." | "..")) {
        return Err(ClientError::InvalidRequest(format!(
            "nothing is called `{segment}`"
        )));
    }
    let mut url = server.clone();
    match url.path_segments_mut() {
        Ok(mut path) => path.pop_if_empty().extend(segments),
        Err(()) => {
            return Err(ClientError::InvalidRequest(
                "the server has no paths".into(),
            ));
        }
    };
    Ok(url)
}

fn append_query(url: &mut Url, query: &impl Serialize) -> Result<(), ClientError> {
    let query = serde_json::to_value(query)
        .map_err(|error| ClientError::InvalidRequest(error.to_string()))?;
    let Value::Object(members) = query else {
        return Err(ClientError::InvalidRequest("a query has members".into()));
    };
    for (name, value) in members {
        match value {
            Value::String(text) => url.query_pairs_mut().append_pair(&name, &text),
            value => url.query_pairs_mut().append_pair(&name, &value.to_string()),
        };
    }
    Ok(())
}

pub(crate) fn content_type_is(headers: &HeaderMap, media_type: &str) -> bool {
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = content_type.and_then(|value| value.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case(media_type))
}

/// The seconds of `Retry-After` (RFC 9110, section 10.2.3). Its other form, a date, is for people's
/// clocks and not sent by ctxpin.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers
        .get(RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds))
}
