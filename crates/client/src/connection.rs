//! The connection to one server: addresses, headers, timeouts, and reading responses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use ctxpin_model::enrolment::EnrolmentCode;
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
use url::Url;

use crate::error::{ClientError, is_transient};
use crate::proof::{ProofLayer, ProofSecret, Unproven};
use crate::proxy::UsedProxy;
use crate::this_machine::leads_to_this_machine;
use crate::user_agent::USER_AGENT_NAME;

/// Longest wait for a connection.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);

/// Longest wait for a connection with a proof of identity. A busy server may take a while.
const PROOF_TIME_MAX: Duration = Duration::from_secs(15);

/// Longest wait for a whole response, and for the first bytes of a stream.
pub(crate) const RESPONSE_TIME_MAX: Duration = Duration::from_secs(60);

/// The pause between probes of an idle connection. They end a stream whose server has vanished.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);

/// How long an unused connection is kept. Servers and proxies keep it much longer, so none of them closes it
/// just as it is used again.
pub const IDLE_TIME_MAX: Duration = Duration::from_secs(15);

/// Longest response, in bytes. A page of 500 chats with the longest titles and errors fits, and so do a
/// prompt and the text of a skill.
const RESPONSE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Longest response with whole snapshots, in bytes. Two snapshots of 2,000 resources and 4,096 files of
/// skills fit, with the differences between them.
const SNAPSHOTS_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Longest problem, in bytes. The hashes of every file of a snapshot fit.
const PROBLEM_BYTES_MAX: usize = 1024 * 1024;

/// The addresses of names for this machine, in the order of attempts.
const LOOPBACK: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
];

/// The path at which a server says whether it is ready, and proves that it knows a token.
const READINESS: &str = "readyz";

/// Shortest body that is compressed, in bytes. Compression gains nothing on shorter ones.
const COMPRESS_BYTES_MIN: usize = 1024;

/// The compression level, a fast one that gains almost as much on text as slower ones.
const COMPRESS_LEVEL: i32 = 3;

/// Whether a token may go to another machine over plain HTTP, where others on the way can read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainHttp {
    Refused,
    /// The user has allowed it.
    Allowed,
}

/// A client of one server, with one token. Clones are cheap and share their connections.
///
/// Every call can fail with any [`ClientError`]. Its own documentation names only further details.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    /// Sends requests without the token. Created when it is first needed.
    probing: Arc<OnceLock<reqwest::Client>>,
    server: Url,
    /// `None` before an enrolment has made the token.
    authorization: Option<HeaderValue>,
    /// The origin of the token, for the error if the server refuses the token.
    token_origin: Option<Arc<str>>,
    slow_response: Option<SlowResponse>,
}

/// The callback for a response that takes long.
#[derive(Clone)]
struct SlowResponse {
    after: Duration,
    call: Arc<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("server", &self.server.as_str())
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Returns a client of the server at `server`, such as `http://127.0.0.1:7878`. It sends nothing yet.
    ///
    /// # Errors
    ///
    /// Fails if the address is not `http` or `https` with a host, or has more than a path; if it is plain
    /// HTTP to another machine; or if the token cannot be part of a header.
    pub fn new(server: Url, token: Secret) -> Result<Self, ClientError> {
        Self::with_plain_http(server, token, PlainHttp::Refused)
    }

    /// Returns a client like [`Self::new`] that may also use plain HTTP to another machine.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Self::new`].
    pub fn with_plain_http(
        server: Url,
        token: Secret,
        plain_http: PlainHttp,
    ) -> Result<Self, ClientError> {
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
            .map_err(|_| ClientError::MalformedToken { token_origin: None })?;
        authorization.set_sensitive(true);
        let client = Self::proven_by(server, ProofSecret::of_token(&token), plain_http)?;
        Ok(Self {
            authorization: Some(authorization),
            ..client
        })
    }

    /// Returns a client without a token, which exchanges this code for an agent. A server on this machine must first
    /// prove that it knows the code.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Self::with_plain_http`].
    pub fn enrolling(
        server: Url,
        code: &EnrolmentCode,
        plain_http: PlainHttp,
    ) -> Result<Self, ClientError> {
        Self::proven_by(server, ProofSecret::of_code(code), plain_http)
    }

    /// Returns a client without a token that requests proofs of this secret.
    fn proven_by(
        server: Url,
        secret: ProofSecret,
        plain_http: PlainHttp,
    ) -> Result<Self, ClientError> {
        check_server(&server)?;
        if server.scheme() == "http"
            && plain_http == PlainHttp::Refused
            && !leads_to_this_machine(&server)
        {
            return Err(ClientError::PlainHttp {
                server: server.to_string(),
            });
        }
        let mut builder = builder(&server);
        if server.scheme() == "http" {
            // With https, the certificate proves the identity of the server.
            let readiness = address(&server, &[READINESS])?;
            let is_local = leads_to_this_machine(&server);
            builder = builder.connector_layer(ProofLayer::new(&readiness, secret, is_local));
            if is_local {
                builder = builder.connect_timeout(PROOF_TIME_MAX);
            }
        }
        let http = build(builder, &server)?;
        Ok(Self {
            http,
            probing: Arc::default(),
            server,
            authorization: None,
            token_origin: None,
            slow_response: None,
        })
    }

    /// Sets the origin of the token. Errors about the token name it.
    pub fn with_token_origin(self, origin: impl Into<Arc<str>>) -> Self {
        Self {
            token_origin: Some(origin.into()),
            ..self
        }
    }

    /// Sets a function that the client calls whenever a response has not begun after that time.
    pub fn on_slow_response(
        self,
        after: Duration,
        call: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let call = Arc::new(call);
        Self {
            slow_response: Some(SlowResponse { after, call }),
            ..self
        }
    }

    /// Returns the server's address.
    pub fn server(&self) -> &Url {
        &self.server
    }

    /// Checks that the server is alive.
    ///
    /// # Errors
    ///
    /// Fails if it is not, or cannot be reached.
    pub async fn health_check(&self) -> Result<(), ClientError> {
        self.probe("healthz").await
    }

    /// Checks that the server is ready: its database is available and not of a newer release.
    ///
    /// # Errors
    ///
    /// Fails if it is not, or cannot be reached.
    pub async fn readiness_check(&self) -> Result<(), ClientError> {
        self.probe(READINESS).await
    }

    /// Sends a request without the token, on a connection without a proof. No permission is needed.
    async fn probe(&self, path: &str) -> Result<(), ClientError> {
        let url = address(&self.server, &[path])?;
        let http = match self.probing.get() {
            Some(http) => http,
            None => {
                let http = build(builder(&self.server), &self.server)?;
                self.probing.get_or_init(|| http)
            }
        };
        self.execute(http.get(url).timeout(RESPONSE_TIME_MAX)).await
    }

    /// Returns a request with the token and the usual time limit. `segments` follow `/api/v1/`.
    pub(crate) fn request(
        &self,
        method: Method,
        segments: &[&str],
    ) -> Result<RequestBuilder, ClientError> {
        Ok(self
            .stream_request(method, segments)?
            .timeout(RESPONSE_TIME_MAX))
    }

    /// Returns a request with the token and no time limit, for a stream.
    pub(crate) fn stream_request(
        &self,
        method: Method,
        segments: &[&str],
    ) -> Result<RequestBuilder, ClientError> {
        let all: Vec<&str> = ["api", "v1"].iter().chain(segments).copied().collect();
        let url = address(&self.server, &all)?;
        let request = self.http.request(method, url);
        Ok(match &self.authorization {
            Some(authorization) => request.header(AUTHORIZATION, authorization.clone()),
            None => request,
        })
    }

    /// Returns a GET request with a query, which consists of the members of `query`.
    pub(crate) fn query_request(
        &self,
        segments: &[&str],
        query: &impl Serialize,
    ) -> Result<RequestBuilder, ClientError> {
        self.with_query(self.request(Method::GET, segments)?, query)
    }

    /// Adds the members of `query` to a request.
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

    /// Sends a request and reads the response as JSON.
    pub(crate) async fn json<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
    ) -> Result<T, ClientError> {
        let response = self.send(request).await?;
        self.read_json(response).await
    }

    /// Sends a request and reads the response, which holds whole snapshots, as JSON.
    pub(crate) async fn snapshots<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
    ) -> Result<T, ClientError> {
        let response = self.send(request).await?;
        self.read_json_within(response, SNAPSHOTS_BYTES_MAX).await
    }

    /// Reads a response as JSON.
    pub(crate) async fn read_json<T: DeserializeOwned>(
        &self,
        response: Response,
    ) -> Result<T, ClientError> {
        self.read_json_within(response, RESPONSE_BYTES_MAX).await
    }

    async fn read_json_within<T: DeserializeOwned>(
        &self,
        response: Response,
        bytes_max: usize,
    ) -> Result<T, ClientError> {
        let status = response.status();
        let body = self.read_body(response, bytes_max).await?;
        serde_json::from_slice(&body).map_err(|error| {
            self.unexpected(status, format!("and no response of ctxpin's ({error})"))
        })
    }

    /// Sends a request and reads the response as bytes.
    pub(crate) async fn bytes(&self, request: RequestBuilder) -> Result<Bytes, ClientError> {
        let response = self.send(request).await?;
        self.read_bytes(response).await
    }

    /// Reads a response as bytes.
    pub(crate) async fn read_bytes(&self, response: Response) -> Result<Bytes, ClientError> {
        self.read_body(response, RESPONSE_BYTES_MAX).await
    }

    /// Sends a request and drops the response.
    pub(crate) async fn execute(&self, request: RequestBuilder) -> Result<(), ClientError> {
        self.send(request).await.map(drop)
    }

    /// Sends a request and returns the response with its body unread, if it is a success: a status 2xx, or 304
    /// to a conditional request.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let (http, request) = request.build_split();
        let request = request.map_err(|source| self.unreachable(source))?;
        let body = request.body().and_then(|body| body.as_bytes());
        let body_bytes = body.map_or(0, <[u8]>::len);
        let mut sending = std::pin::pin!(send_with_retry(&http, request));
        let response = match &self.slow_response {
            None => sending.await,
            Some(SlowResponse { after, call }) => tokio::select! {
                biased;
                response = &mut sending => response,
                () = tokio::time::sleep(*after) => {
                    call();
                    sending.await
                }
            },
        };
        let response = response.map_err(|source| self.unreachable(source))?;
        let status = response.status();
        if status.is_success() || status == StatusCode::NOT_MODIFIED {
            return Ok(response);
        }
        Err(self.error_of(response, body_bytes).await)
    }

    /// Returns the error of a failed response. `body_bytes` is the length of the request's body.
    async fn error_of(&self, response: Response, body_bytes: usize) -> ClientError {
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
        let body = match self.read_body(response, PROBLEM_BYTES_MAX).await {
            Ok(body) => body,
            Err(error) => return error,
        };
        match serde_json::from_slice::<Problem>(&body) {
            Ok(mut problem) if is_problem => {
                // The status of the response counts, whatever the body says.
                problem.status = status.as_u16();
                ClientError::Problem {
                    problem: Box::new(problem),
                    retry_after,
                    token_origin: self.token_origin.clone(),
                }
            }
            _ if status == StatusCode::PAYLOAD_TOO_LARGE => ClientError::BodyTooLarge {
                server: self.server.to_string(),
                bytes: body_bytes,
            },
            _ => ClientError::Unexpected {
                server: self.server.to_string(),
                status: status.as_u16(),
                reason: self.with_proxy("and no problem of ctxpin's".into()),
                retry_after,
            },
        }
    }

    async fn read_body(
        &self,
        mut response: Response,
        bytes_max: usize,
    ) -> Result<Bytes, ClientError> {
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
        if let ClientError::MalformedToken { token_origin }
        | ClientError::Unproven { token_origin, .. } = &mut error
        {
            token_origin.clone_from(&self.token_origin);
        }
        error
    }

    pub(crate) fn unexpected(&self, status: StatusCode, reason: String) -> ClientError {
        ClientError::Unexpected {
            server: self.server.to_string(),
            status: status.as_u16(),
            reason: self.with_proxy(reason),
            retry_after: None,
        }
    }

    /// Adds the proxy to a reason, since the response may come from the proxy.
    fn with_proxy(&self, reason: String) -> String {
        match UsedProxy::before(&self.server) {
            Some(proxy) => format!("{reason}, through {proxy}"),
            None => reason,
        }
    }
}

/// Returns the settings that all connections to a server share.
fn builder(server: &Url) -> reqwest::ClientBuilder {
    // This fails if the provider is installed already. The program has no other provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder()
        .user_agent(USER_AGENT_NAME)
        .connect_timeout(CONNECT_TIME_MAX)
        .tcp_keepalive(KEEPALIVE_INTERVAL)
        .pool_idle_timeout(IDLE_TIME_MAX)
        // If a kept connection is closed, the retry must not get another kept one.
        .pool_max_idle_per_host(1)
        // A redirect must not lead the token to another server.
        .redirect(Policy::none())
        .referer(false);
    if !leads_to_this_machine(server) {
        return builder;
    }
    // A proxy cannot reach this machine, and must not see its traffic.
    let builder = builder.no_proxy();
    match server.domain() {
        // No resolver is consulted. Port 0 stands for the port of the address.
        Some(name) => builder.resolve_to_addrs(name, &LOOPBACK.map(|ip| SocketAddr::new(ip, 0))),
        None => builder,
    }
}

fn build(builder: reqwest::ClientBuilder, server: &Url) -> Result<reqwest::Client, ClientError> {
    builder
        .build()
        .map_err(|source| unreachable(server, source))
}

fn unreachable(address: &Url, source: reqwest::Error) -> ClientError {
    let server = address.to_string();
    match Unproven::find(&source) {
        Some(Unproven::NoToken(_)) => ClientError::MalformedToken { token_origin: None },
        Some(Unproven::WrongCode) => ClientError::UnknownCode { server },
        Some(Unproven::Refused(problem)) if is_transient(problem.status) => {
            ClientError::ProofDelayed {
                server,
                reason: problem.to_string(),
            }
        }
        Some(unproven) => ClientError::Unproven {
            server,
            reason: unproven.to_string(),
            token_origin: None,
        },
        None => ClientError::Unreachable {
            proxy: UsedProxy::before(address),
            server,
            source: source.without_url(),
        },
    }
}

/// Adds a JSON body to a request, compressed with zstd if that gains something.
pub(crate) async fn with_json(
    request: RequestBuilder,
    body: &impl Serialize,
) -> Result<RequestBuilder, ClientError> {
    let json =
        serde_json::to_vec(body).map_err(|error| ClientError::InvalidRequest(error.to_string()))?;
    with_body(request, "application/json", json.into()).await
}

/// Adds a body to a request, compressed with zstd if that gains something.
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
    // Compressing megabytes takes a while, and must not block other tasks of this thread.
    let compressed = tokio::task::spawn_blocking(compress)
        .await
        .map_err(|error| ClientError::InvalidRequest(error.to_string()))?
        .map_err(|error| ClientError::InvalidRequest(error.to_string()))?;
    Ok(request.header(CONTENT_ENCODING, "zstd").body(compressed))
}

/// Sends a request, and retries it once if the connection ended before a response began, because the other
/// end may close a kept connection just when it is used again. A new connection is proved again.
async fn send_with_retry(http: &reqwest::Client, request: Request) -> reqwest::Result<Response> {
    let again = may_repeat(&request).then(|| request.try_clone()).flatten();
    match (http.execute(request).await, again) {
        (Err(error), Some(again)) if is_cut_off(&error) => http.execute(again).await,
        (result, _) => result,
    }
}

/// Returns whether a request may be sent twice: requests that only read, and requests of an agent. A
/// process gets the same session again, a repeated enrolment has the same result, and a repeated push or upload
/// changes nothing.
fn may_repeat(request: &Request) -> bool {
    let path = request.url().path();
    match *request.method() {
        Method::GET => true,
        Method::PUT => path.contains("/api/v1/agent/"),
        _ => path.ends_with("/api/v1/agent/session") || path.ends_with("/api/v1/enrolments"),
    }
}

/// Returns whether a connection ended before the head of a response.
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
        "it holds no user or password; give the token separately"
    } else if server.query().is_some() || server.fragment().is_some() {
        "it holds no query or fragment"
    } else {
        return Ok(());
    };
    let mut shown = server.clone();
    // These fail only for addresses without a host, which have no password either.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    Err(ClientError::InvalidServer {
        server: shown.to_string(),
        reason: reason.into(),
    })
}

/// Returns the server's address with these path segments, percent-encoded.
fn address(server: &Url, segments: &[&str]) -> Result<Url, ClientError> {
    // A URL cannot have these segments, since they would name another resource.
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

/// Returns the seconds of `Retry-After` (RFC 9110, section 10.2.3). A date, its other form, depends on the
/// clock of this machine, and ctxpin does not send it.
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
