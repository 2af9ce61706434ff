//! Handlers of users and their tokens.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ctxpin_operations::people::{self, Revocation};
use ctxpin_protocol::convert;
use ctxpin_protocol::convert::members::chosen_name;
use ctxpin_protocol::convert::pages::{page, page_request};
use ctxpin_protocol::convert::people::{roles, token, token_request, user};
use ctxpin_protocol::http::page::{Page, PageQuery};
use ctxpin_protocol::http::people::{
    Me, Secret, Token, TokenCreate, TokenCreated, TokenRevoke, User, UserChange, UserCreate,
};

use crate::api_error::{ApiResult, Problems};
use crate::app::App;
use crate::identify::Identity;
use crate::json_body::JsonBody;
use crate::params::{PathParams, QueryParams};

/// Create a user
#[utoipa::path(post, path = "/users", operation_id = "user_create", tag = "people", request_body = UserCreate,
    responses((status = 201, body = User), Problems))]
pub(crate) async fn user_create(
    State(app): State<App>,
    Identity(credential): Identity,
    JsonBody(body): JsonBody<UserCreate>,
) -> ApiResult<(StatusCode, Json<User>)> {
    let (name, roles) = (chosen_name("name", body.name)?, roles(&body.roles)?);
    let created = people::user_create(&app.service, credential, &name, roles).await?;
    Ok((StatusCode::CREATED, Json(user(created))))
}

/// List users
#[utoipa::path(get, path = "/users", operation_id = "user_list", tag = "people", params(PageQuery),
    responses((status = 200, body = Page<User>), Problems))]
pub(crate) async fn user_list(
    State(app): State<App>,
    Identity(credential): Identity,
    QueryParams(query): QueryParams<PageQuery>,
) -> ApiResult<Json<Page<User>>> {
    let asked = page_request(query.cursor.as_deref(), query.limit)?;
    let users = people::users(&app.service, credential, &asked).await?;
    Ok(Json(page(users, user)))
}

/// Change a user's name or roles, or disable the user
#[utoipa::path(patch, path = "/users/{user}", operation_id = "user_change", tag = "people", params(("user" = Uuid, Path)),
    request_body = UserChange, responses((status = 200, body = User), Problems))]
pub(crate) async fn user_change(
    State(app): State<App>,
    Identity(credential): Identity,
    path: PathParams,
    JsonBody(body): JsonBody<UserChange>,
) -> ApiResult<Json<User>> {
    let change = convert::people::user_change(body)?;
    let changed = people::user_change(&app.service, credential, path.id("user")?, &change).await?;
    Ok(Json(user(changed)))
}

/// Create a token
///
/// The response shows its secret. No other response does.
#[utoipa::path(post, path = "/tokens", operation_id = "token_create", tag = "people", request_body = TokenCreate,
    responses((status = 201, body = TokenCreated), Problems))]
pub(crate) async fn token_create(
    State(app): State<App>,
    Identity(credential): Identity,
    JsonBody(body): JsonBody<TokenCreate>,
) -> ApiResult<(StatusCode, Json<TokenCreated>)> {
    let request = token_request(body)?;
    let (record, secret) = people::token_create(&app.service, credential, &request).await?;
    let created = TokenCreated {
        token: token(record),
        secret: Secret::new(secret.reveal()),
    };
    Ok((StatusCode::CREATED, Json(created)))
}

/// List the caller's tokens
#[utoipa::path(get, path = "/tokens", operation_id = "token_list", tag = "people", params(PageQuery),
    responses((status = 200, body = Page<Token>), Problems))]
pub(crate) async fn token_list(
    State(app): State<App>,
    Identity(credential): Identity,
    QueryParams(query): QueryParams<PageQuery>,
) -> ApiResult<Json<Page<Token>>> {
    let asked = page_request(query.cursor.as_deref(), query.limit)?;
    let tokens = people::tokens(&app.service, credential, &asked).await?;
    Ok(Json(page(tokens, token)))
}

/// List the tokens that a token created
///
/// Lists the valid tokens that it created, directly or through others, newest first. `?children=true` revokes
/// all of them with the token.
#[utoipa::path(get, path = "/tokens/{token}/children", operation_id = "token_children", tag = "people",
    params(("token" = Uuid, Path), PageQuery),
    responses((status = 200, body = Page<Token>), Problems))]
pub(crate) async fn token_children(
    State(app): State<App>,
    Identity(credential): Identity,
    path: PathParams,
    QueryParams(query): QueryParams<PageQuery>,
) -> ApiResult<Json<Page<Token>>> {
    let asked = page_request(query.cursor.as_deref(), query.limit)?;
    let id = path.id("token")?;
    let children = people::token_children(&app.service, credential, id, &asked).await?;
    Ok(Json(page(children, token)))
}

/// Revoke a token
///
/// The token may have no scope that the caller's token lacks. With `children=true` the tokens that it created
/// end too.
#[utoipa::path(delete, path = "/tokens/{token}", operation_id = "token_revoke", tag = "people",
    params(("token" = Uuid, Path), TokenRevoke),
    responses((status = 204), Problems))]
pub(crate) async fn token_revoke(
    State(app): State<App>,
    Identity(credential): Identity,
    path: PathParams,
    QueryParams(query): QueryParams<TokenRevoke>,
) -> ApiResult<StatusCode> {
    let revoked = match query.children {
        Some(true) => Revocation::WithChildren,
        _ => Revocation::Alone,
    };
    people::token_revoke(&app.service, credential, path.id("token")?, revoked).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Read the caller and the token
#[utoipa::path(get, path = "/me", operation_id = "me_read", tag = "people",
    responses((status = 200, body = Me), Problems))]
pub(crate) async fn me(
    State(app): State<App>,
    Identity(credential): Identity,
) -> ApiResult<Json<Me>> {
    let (caller, by) = people::me(&app.service, credential).await?;
    Ok(Json(Me {
        user: user(caller),
        token: token(by),
    }))
}
