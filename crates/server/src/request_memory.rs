//! The memory of a request: its head and body until the response begins, and the response until the client
//! has read it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use ctxpin_listener::Connection;
use ctxpin_model::access::Operation;
use ctxpin_model::pass::Pass;
use ctxpin_model::token::Credential;
use ctxpin_protocol::problem::ProblemName;
use http_body::Body as _;
use tokio::sync::SemaphorePermit;

use crate::api_error::{ApiError, ApiResult};
use crate::app::App;
use crate::budget::{Account, OverBudget, Reservation};
use crate::callers::KnownCaller;
use crate::limits::{RESPONSE_BYTES_FREE, STRANGER_REQUESTS_MAX};

/// The memory that a request holds. It is an extension of the request; a clone shares it.
#[derive(Debug, Clone)]
pub(crate) struct RequestMemory(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    connection: Connection,
    held: Mutex<Reservation>,
    /// The bytes of a head that exceeded the limit of strangers. They are reserved once the caller is known.
    refused: Mutex<u64>,
    caller: Mutex<Option<Credential>>,
}

/// Reserves memory for a request and its response.
pub(crate) async fn reserve_memory(
    State(app): State<App>,
    mut request: Request,
    next: Next,
) -> Response {
    let connection = request.extensions().get::<Connection>().cloned();
    let load =
        match RequestMemory::begin(&app, connection.unwrap_or_default(), head_bytes(&request)) {
            Ok(load) => load,
            Err(refusal) => return refusal.into_response(),
        };
    request.extensions_mut().insert(load.clone());
    let response = next.run(request).await;
    let held = load.reserve_response(&app, response).await;
    held.unwrap_or_else(IntoResponse::into_response)
}

/// Returns the approximate length of a head, in bytes.
fn head_bytes(request: &Request) -> u64 {
    let fields = |headers: &HeaderMap| -> usize {
        let fields = headers.iter();
        fields
            .map(|(name, value)| name.as_str().len() + value.len() + 32)
            .sum()
    };
    let target = request.uri().path_and_query();
    let target = target.map_or(0, |target| target.as_str().len());
    (target + fields(request.headers())) as u64
}

impl RequestMemory {
    /// Returns the memory of the request with these parts.
    ///
    /// # Errors
    ///
    /// Fails on a route without the layer [`reserve_memory`], and so on none of the API.
    pub fn of(parts: &Parts) -> ApiResult<&Self> {
        let load = parts.extensions.get();
        load.ok_or_else(|| {
            ApiError::new(
                ProblemName::Internal,
                "No memory is reserved for the request.",
            )
        })
    }

    fn begin(app: &App, connection: Connection, head_bytes: u64) -> ApiResult<Self> {
        let of_connection = Account::Connection(connection.id());
        let is_known = connection.is_known();
        let mut held = match is_known {
            true => app.budget.hold(&[of_connection]),
            false => app.budget.hold(&[of_connection, Account::Strangers]),
        };
        let refused = match held.grow(head_bytes) {
            Ok(()) => 0,
            // The caller may turn out to be known.
            Err(_) if !is_known => head_bytes,
            Err(full) => return Err(full.into()),
        };
        Ok(Self(Arc::new(Shared {
            connection,
            held: Mutex::new(held),
            refused: Mutex::new(refused),
            caller: Mutex::default(),
        })))
    }

    /// Records the token of the request, and looks it up if the connection has too many unknown requests or
    /// the strangers' memory is used up.
    ///
    /// # Errors
    ///
    /// Fails if it looked the token up and the token is not valid, or its owner holds too much.
    pub async fn identify(&self, app: &App, credential: Credential) -> ApiResult<()> {
        *lock(&self.0.caller) = Some(credential);
        let connection = &self.0.connection;
        let is_one_too_many =
            *lock(&self.0.refused) > 0 || connection.in_progress() > STRANGER_REQUESTS_MAX;
        if is_one_too_many && !connection.is_known() {
            self.look_up(app, credential, None).await?;
        }
        Ok(())
    }

    /// Looks the caller up and transfers the memory to the caller. Until a token of the connection was valid,
    /// it looks up one at a time, so that a caller who guesses tokens does not keep others from the database.
    ///
    /// # Errors
    ///
    /// Fails if the token is not valid or does not allow the operation, or if its owner holds too much.
    pub async fn look_up(
        &self,
        app: &App,
        credential: Credential,
        operation: Option<Operation>,
    ) -> ApiResult<KnownCaller> {
        let _turn = self.turn().await?;
        let (callers, service) = (&app.callers, &app.service);
        let known = callers.known(service, credential, operation).await?;
        self.0.connection.become_known();
        let mut held = lock(&self.0.held);
        held.transfer(&self.holders(known))?;
        held.grow(std::mem::take(&mut *lock(&self.0.refused)))?;
        Ok(known)
    }

    /// Returns the token that a session of the web page stands for. Strangers' sessions are looked up one at a time,
    /// like their tokens.
    ///
    /// # Errors
    ///
    /// Fails if the session has ended, or the connection was refused too often.
    pub async fn session(&self, app: &App, session: &Pass) -> ApiResult<Credential> {
        let _turn = self.turn().await?;
        app.callers.session(&app.service, session).await
    }

    /// Waits until no other token, session or code of the connection is looked up. Returns `None` at once if a caller
    /// of the connection is known.
    ///
    /// # Errors
    ///
    /// Fails if the connection was refused too often.
    pub async fn turn(&self) -> ApiResult<Option<SemaphorePermit<'_>>> {
        let connection = &self.0.connection;
        let turn = connection.turn().await;
        match connection.is_unwelcome() {
            true => Err(ApiError::new(
                ProblemName::Unauthenticated,
                "This connection was refused too often.",
            )),
            false => Ok(turn),
        }
    }

    /// Reserves `bytes` more.
    ///
    /// # Errors
    ///
    /// Fails if that exceeds a limit.
    pub fn grow(&self, bytes: u64) -> Result<(), OverBudget> {
        lock(&self.0.held).grow(bytes)
    }

    fn holders(&self, known: KnownCaller) -> [Account; 3] {
        [
            Account::Connection(self.0.connection.id()),
            Account::Token(known.token),
            Account::User(known.user),
        ]
    }

    /// Reserves memory for a large response until the client has read it. A response that needs no token is
    /// shared, and so not counted.
    async fn reserve_response(&self, app: &App, response: Response) -> ApiResult<Response> {
        let Some(credential) = *lock(&self.0.caller) else {
            return Ok(response);
        };
        let status = response.status();
        if status.is_success() || status == StatusCode::NOT_MODIFIED {
            self.0.connection.become_known();
        }
        let length = response.body().size_hint().exact();
        let Some(length) = length.filter(|length| *length > RESPONSE_BYTES_FREE) else {
            return Ok(response);
        };
        let known = app.callers.known(&app.service, credential, None).await?;
        let mut held = app.budget.hold(&self.holders(known));
        held.grow(length)?;
        let (parts, body) = response.into_parts();
        // The body is already in memory, because its length is known.
        let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
        let bytes = Bytes::from_owner(ReservedBytes { bytes, _held: held });
        Ok(Response::from_parts(parts, Body::from(bytes)))
    }
}

/// Bytes that stay reserved until the last of them is sent.
struct ReservedBytes {
    bytes: Bytes,
    _held: Reservation,
}

impl AsRef<[u8]> for ReservedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No panic leaves the value inconsistent.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
