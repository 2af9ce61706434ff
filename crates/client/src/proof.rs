//! Proofs of identity for connections to this machine.
//!
//! Any user of this machine can listen at a free port and pose as the server. So a connection to this
//! machine is used only after its other end has proved that it knows the token, or the enrolment code of a client
//! that has no token yet. The client requests the
//! proof on the same connection that carries the later requests, so nobody can intercept them. Each new
//! connection needs a new proof.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ctxpin_model::enrolment::EnrolmentCode;
use ctxpin_model::proof::{Challenge, Nonce, Proof};
use ctxpin_model::token::{Credential, MalformedToken, Token};
use ctxpin_protocol::http::people::Secret;
use ctxpin_protocol::http::readiness::Readiness;
use ctxpin_protocol::problem::Problem;
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{HOST, USER_AGENT};
use hyper::http::Extensions;
use hyper::rt::{Read, Write};
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::connect::{Connection, HttpInfo};
use tower::{BoxError, Layer, Service};
use url::Url;

use crate::error::chain;
use crate::user_agent::USER_AGENT_NAME;

/// Longest response, in bytes. A problem with a long detail fits.
const RESPONSE_BYTES_MAX: usize = 64 * 1024;

/// Requests a proof on every new connection to this machine.
#[derive(Debug, Clone)]
pub(crate) struct ProofLayer(Arc<ProofRequest>);

/// A connector that connects like `S`, then requests the proof.
#[derive(Debug, Clone)]
pub(crate) struct ProofConnector<S> {
    connector: S,
    proof: Arc<ProofRequest>,
}

/// The request of a proof.
#[derive(Debug)]
struct ProofRequest {
    /// The path of the server's readiness.
    path: String,
    secret: ProofSecret,
    /// Whether the server's address names this machine.
    is_local: bool,
}

/// The secret that the other end must know.
#[derive(Debug, Clone)]
pub(crate) struct ProofSecret {
    /// The credential of the token or the code, if that is well-formed.
    credential: Result<Credential, MalformedToken>,
    /// The failure if the other end does not know it.
    unknown: Unproven,
}

/// The reason why a connection is not used.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Unproven {
    /// The token is malformed, so no server can know it.
    #[error(transparent)]
    NoToken(MalformedToken),
    /// The proof is of another token.
    #[error(
        "it does not know the token, which is another server's, or was deleted, or another process has the server's port; give a token of that server with --token-file FILE or in CTXPIN_TOKEN, or see who listens there"
    )]
    Wrong,
    /// The proof is of another enrolment code.
    #[error("it does not know the enrolment code")]
    WrongCode,
    /// The response has no proof.
    #[error(
        "it responded with status {status} and without a proof; update the server if it is an older one, and see which process has the port if not"
    )]
    Missing { status: u16 },
    /// The response is a problem that says why there is no proof.
    #[error("it says: {0}")]
    Refused(Box<Problem>),
    /// The response cannot be read.
    #[error("{0}")]
    Broken(String),
}

impl ProofLayer {
    /// Returns a layer that requests the proof at the address `readiness`.
    pub fn new(readiness: &Url, secret: ProofSecret, is_local: bool) -> Self {
        Self(Arc::new(ProofRequest {
            path: readiness.path().to_owned(),
            secret,
            is_local,
        }))
    }
}

impl ProofSecret {
    /// Requests proofs of a token.
    pub fn of_token(token: &Secret) -> Self {
        let token = token.expose().parse::<Token>();
        Self {
            credential: token.map(|token| token.credential()),
            unknown: Unproven::Wrong,
        }
    }

    /// Requests proofs of an enrolment code.
    pub fn of_code(code: &EnrolmentCode) -> Self {
        Self {
            credential: Ok(code.credential()),
            unknown: Unproven::WrongCode,
        }
    }
}

impl Unproven {
    /// Returns the missing proof that made a request fail, if this is the cause.
    pub fn find(error: &reqwest::Error) -> Option<&Self> {
        chain(error).find_map(|cause| cause.downcast_ref())
    }
}

impl<S> Layer<S> for ProofLayer {
    type Service = ProofConnector<S>;

    fn layer(&self, connector: S) -> ProofConnector<S> {
        ProofConnector {
            connector,
            proof: Arc::clone(&self.0),
        }
    }
}

impl<S, D> Service<D> for ProofConnector<S>
where
    S: Service<D, Error = BoxError>,
    S::Response: Connection + Read + Write + Unpin + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(context)
    }

    fn call(&mut self, destination: D) -> Self::Future {
        let connecting = self.connector.call(destination);
        let proof = Arc::clone(&self.proof);
        Box::pin(async move { Ok(proof.check(connecting.await?).await?) })
    }
}

impl ProofRequest {
    /// Requests a proof if the other end of the connection is on this machine. Returns the connection as it
    /// was.
    async fn check<C>(&self, connection: C) -> Result<C, Unproven>
    where
        C: Connection + Read + Write + Unpin + Send + 'static,
    {
        let connected = connection.connected();
        if connected.is_proxied() {
            return Ok(connection);
        }
        let mut extras = Extensions::new();
        connected.get_extras(&mut extras);
        let Some(info) = extras.get::<HttpInfo>() else {
            return Err(Unproven::Broken("its address is unknown".into()));
        };
        let mut remote = info.remote_addr();
        remote.set_ip(remote.ip().to_canonical());
        if !self.is_local && !remote.ip().is_loopback() {
            return Ok(connection);
        }
        let credential = self.secret.credential.map_err(Unproven::NoToken)?;
        let nonce = Nonce::new(rand::random());
        // The proof is for one numeric address. A name may have several.
        let authority = remote.to_string();
        let target = format!(
            "{}?token={}&nonce={nonce}",
            self.path,
            credential.id.uuid().simple()
        );
        let request = Request::get(target)
            .header(HOST, &authority)
            .header(USER_AGENT, USER_AGENT_NAME)
            .body(String::new())
            .map_err(|error| Unproven::Broken(error.to_string()))?;
        let (status, body, connection) = exchange(connection, request).await?;
        let proof = parse_proof(status, &body)?;
        let challenge = Challenge::new(nonce, authority);
        match challenge.is_answered_by(&credential.secret_hash, &proof) {
            true => Ok(connection),
            false => Err(self.secret.unknown.clone()),
        }
    }
}

/// Sends a request on a connection. Returns the response and the connection as it was.
async fn exchange<C>(
    connection: C,
    request: Request<String>,
) -> Result<(StatusCode, Vec<u8>, C), Unproven>
where
    C: Read + Write + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(connection).await.map_err(broken)?;
    let response = async move {
        let response = sender.send_request(request).await.map_err(broken)?;
        let status = response.status();
        let body = read_body(response.into_body()).await?;
        // This ends the other half of the connection, too.
        drop(sender);
        Ok((status, body))
    };
    let (response, parts) = tokio::join!(response, connection.without_shutdown());
    let (status, body) = response?;
    let parts = parts.map_err(broken)?;
    match parts.read_buf.is_empty() {
        true => Ok((status, body, parts.io)),
        false => Err(Unproven::Broken("it sends more than a response".into())),
    }
}

async fn read_body(mut body: Incoming) -> Result<Vec<u8>, Unproven> {
    let mut bytes = Vec::new();
    let next = |body: &mut Incoming, context: &mut Context<'_>| Pin::new(body).poll_frame(context);
    while let Some(frame) = std::future::poll_fn(|context| next(&mut body, context)).await {
        let Ok(piece) = frame.map_err(broken)?.into_data() else {
            continue;
        };
        if bytes.len() + piece.len() > RESPONSE_BYTES_MAX {
            let reason = format!("it responded with more than {RESPONSE_BYTES_MAX} bytes");
            return Err(Unproven::Broken(reason));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// Returns the proof in a response. A server that is not ready includes the proof in its problem.
fn parse_proof(status: StatusCode, body: &[u8]) -> Result<Proof, Unproven> {
    let missing = Unproven::Missing {
        status: status.as_u16(),
    };
    let proof = match status {
        StatusCode::OK => {
            let readiness = serde_json::from_slice::<Readiness>(body).ok();
            readiness.and_then(|readiness| readiness.proof)
        }
        _ => {
            let problem = serde_json::from_slice::<Problem>(body);
            let problem = problem.map_err(|_| missing.clone())?;
            let proof = problem
                .members
                .get("proof")
                .and_then(|proof| proof.as_str());
            let proof = proof.map(str::to_owned);
            Some(proof.ok_or_else(|| Unproven::Refused(Box::new(problem)))?)
        }
    };
    let proof = proof.and_then(|proof| proof.parse().ok());
    proof.ok_or(missing)
}

fn broken(error: hyper::Error) -> Unproven {
    let cause =
        std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<io::Error>());
    Unproven::Broken(match cause {
        Some(cause) => cause.to_string(),
        None => error.to_string(),
    })
}
