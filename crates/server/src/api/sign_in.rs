//! Handlers of one-time codes.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ctxpin_operations::sign_in;
use ctxpin_protocol::http::people::Secret;
use ctxpin_protocol::http::sign_in::SignInCode;

use crate::api_error::{ApiResult, Problems};
use crate::app::App;
use crate::identify::Identity;

/// Create a one-time code that signs in to the web page
///
/// The code is valid for 5 minutes. The session acts with the scopes of the caller's token and ends with it.
#[utoipa::path(post, path = "/sign-in-codes", operation_id = "sign_in_code_create", tag = "people",
    responses((status = 201, body = SignInCode), Problems))]
pub(crate) async fn sign_in_code_create(
    State(app): State<App>,
    Identity(credential): Identity,
) -> ApiResult<(StatusCode, Json<SignInCode>)> {
    let issued = sign_in::sign_in_code(&app.service, credential).await?;
    let code = SignInCode {
        code: Secret::new(issued.pass.reveal()),
        expires_at: issued.expires_at.utc(),
        page_host: app.page_host.as_deref().map(str::to_owned),
    };
    Ok((StatusCode::CREATED, Json(code)))
}
