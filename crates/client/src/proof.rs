//! Connections over which a token may go: to this machine only those whose other end has proved that it
//! knows the token. Any user may listen at a port of this machine that is free, and so may be the one who
//! answers. The proof is asked for on the very connection that the requests then take, so nobody can come
//! in between; a new connection proves itself anew.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

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

use crate::connection::USER_AGENT_NAME;
use crate::error::chain;

/// Longest answer that is read, in bytes: a problem with a long detail fits.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Makes connections of which those to this machine have proved themselves.
#[derive(Debug, Clone)]
pub(crate) struct Proving(Arc<Asked>);

/// Connects like `S`, then asks for the proof.
#[derive(Debug, Clone)]
pub(crate) struct ProvingConnector<S> {
    connector: S,
    asked: Arc<Asked>,
}

/// What is asked of whoever answers.
#[derive(Debug)]
struct Asked {
    /// Where the server tells whether it is ready.
    path: String,
    /// Of the token, if it is one.
    credential: Result<Credential, MalformedToken>,
    /// Whether the server's address itself says that it is on this machine.
    is_local: bool,
}

/// Why a connection is not used.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Unproven {
    /// There is nothing that could be proved.
    #[error(transparent)]
    NoToken(MalformedToken),
    /// Whoever answers knows another token, or none.
    #[error(
        "it does not know the token, which is another server's, or was deleted, or another process has the server's port; give a token of that server with --token-file FILE or in CTXPIN_TOKEN, or see who listens there"
    )]
    Wrong,
    /// Whoever answers proves nothing.
    #[error(
        "it answered with status {status} and without a proof; update the server if it is an older one, and see which process has the port if not"
    )]
    Missing {
        /// The status of the answer.
        status: u16,
    },
    /// Whoever answers says why it proves nothing.
    #[error("it says: {0}")]
    Refused(Box<Problem>),
    /// Nothing can be read.
    #[error("{0}")]
    Broken(String),
}

impl Proving {
    /// Asks the server below `readiness` for proofs.
    pub fn new(readiness: &Url, token: &Secret, is_local: bool) -> Self {
        let token = token.expose().parse::<Token>();
        Self(Arc::new(Asked {
            path: readiness.path().to_owned(),
            credential: token.map(|token| token.credential()),
            is_local,
        }))
    }
}

impl Unproven {
    /// What a failed request came to grief on, if it is this.
    pub fn find(error: &reqwest::Error) -> Option<&Self> {
        chain(error).find_map(|cause| cause.downcast_ref())
    }
}

impl<S> Layer<S> for Proving {
    type Service = ProvingConnector<S>;

    fn layer(&self, connector: S) -> ProvingConnector<S> {
        ProvingConnector {
            connector,
            asked: Arc::clone(&self.0),
        }
    }
}

impl<S, D> Service<D> for ProvingConnector<S>
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
        let asked = Arc::clone(&self.asked);
        Box::pin(async move { Ok(asked.prove(connecting.await?).await?) })
    }
}

impl Asked {
    /// Has whoever is at the other end prove itself, if that is on this machine.
    async fn prove<C>(&self, connection: C) -> Result<C, Unproven>
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
            return Err(Unproven::Broken("nothing says where it is".into()));
        };
        let mut remote = info.remote_addr();
        remote.set_ip(remote.ip().to_canonical());
        if !self.is_local && !remote.ip().is_loopback() {
            return Ok(connection);
        }
        let credential = self.credential.map_err(Unproven::NoToken)?;
        let nonce = Nonce::new(rand::random());
        // By numbers, for a name may lead to several: it must be known to whom.
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
        let (status, body, connection) = ask(connection, request).await?;
        let proof = proof_of(status, &body)?;
        let challenge = Challenge::new(nonce, authority);
        match challenge.is_met(&credential.secret_hash, &proof) {
            true => Ok(connection),
            false => Err(Unproven::Wrong),
        }
    }
}

/// Asks on a connection, and hands it back as it was.
async fn ask<C>(
    connection: C,
    request: Request<String>,
) -> Result<(StatusCode, Vec<u8>, C), Unproven>
where
    C: Read + Write + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(connection).await.map_err(broken)?;
    let answer = async move {
        let response = sender.send_request(request).await.map_err(broken)?;
        let status = response.status();
        let body = body_of(response.into_body()).await?;
        // The other half ends when this one does.
        drop(sender);
        Ok((status, body))
    };
    let (answer, parts) = tokio::join!(answer, connection.without_shutdown());
    let (status, body) = answer?;
    let parts = parts.map_err(broken)?;
    match parts.read_buf.is_empty() {
        true => Ok((status, body, parts.io)),
        false => Err(Unproven::Broken("it sends what nobody asked for".into())),
    }
}

async fn body_of(mut body: Incoming) -> Result<Vec<u8>, Unproven> {
    let mut bytes = Vec::new();
    let next = |body: &mut Incoming, context: &mut Context<'_>| Pin::new(body).poll_frame(context);
    while let Some(frame) = std::future::poll_fn(|context| next(&mut body, context)).await {
        let Ok(piece) = frame.map_err(broken)?.into_data() else {
            continue;
        };
        if bytes.len() + piece.len() > ANSWER_BYTES_MAX {
            let reason = format!("it answered with more than {ANSWER_BYTES_MAX} bytes");
            return Err(Unproven::Broken(reason));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// The proof in an answer: a server that cannot store now proves itself all the same.
fn proof_of(status: StatusCode, body: &[u8]) -> Result<Proof, Unproven> {
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
