//! Handlers of the skills of a pin and their files.

use axum::Json;
use axum::extract::State;
use axum::http::header::{
    CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use ctxpin_operations::skills::{self, Reader};
use ctxpin_protocol::convert::skills::{entry, skill};
use ctxpin_protocol::http::page::Page;
use ctxpin_protocol::http::skills::{Skill, SkillEntry, SkillQuery};

use crate::api_error::{ApiResult, Problems};
use crate::app::App;
use crate::attachment::attachment;
use crate::identify::Identity;
use crate::params::{PathParams, QueryParams};
use crate::preconditions::{IfNoneMatch, etag};

/// The policy that forbids a browser to run anything in a skill's file.
const SANDBOX: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox");

/// List the skills of a chat's pin
#[utoipa::path(get, path = "/chats/{chat}/skills", operation_id = "skill_list", tag = "context",
    params(("chat" = Uuid, Path)),
    responses((status = 200, body = Page<SkillEntry>), Problems))]
pub(crate) async fn list(
    State(app): State<App>,
    Identity(credential): Identity,
    path: PathParams,
) -> ApiResult<Json<Page<SkillEntry>>> {
    let skills = skills::list(&app.service, credential, path.id("chat")?).await?;
    Ok(Json(Page {
        items: skills.iter().map(entry).collect(),
        next: None,
    }))
}

/// Read a skill with its text
#[utoipa::path(get, path = "/chats/{chat}/skills/{name}", operation_id = "skill_read", tag = "context",
    params(("chat" = Uuid, Path), ("name" = String, Path), SkillQuery),
    responses((status = 200, body = Skill), Problems))]
pub(crate) async fn read(
    State(app): State<App>,
    Identity(credential): Identity,
    path: PathParams,
    QueryParams(query): QueryParams<SkillQuery>,
) -> ApiResult<Json<Skill>> {
    let reader = match query.raw {
        true => Reader::Person,
        false => Reader::Model,
    };
    let (chat, name) = (path.id("chat")?, path.text("name"));
    let found = skills::read(&app.service, credential, chat, name, reader).await?;
    Ok(Json(skill(&found.skill, found.body)))
}

/// Read a supporting file of a skill
#[utoipa::path(get, path = "/chats/{chat}/skills/{name}/files/{*path}", operation_id = "skill_file_read", tag = "context",
    params(("chat" = Uuid, Path), ("name" = String, Path),
        ("path" = String, Path, description = "The path in the skill's list of files"),
        ("If-None-Match" = Option<String>, Header)),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/octet-stream",
            headers(("ETag", description = "The hash of the file, in quotes"))),
        (status = 304, description = "The caller has it"), Problems))]
pub(crate) async fn read_file(
    State(app): State<App>,
    Identity(credential): Identity,
    path: PathParams,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let (chat, name, file) = (path.id("chat")?, path.text("name"), path.text("path"));
    let found = skills::file(&app.service, credential, chat, name, file).await?;
    let mut response = match IfNoneMatch::read(&headers).has(found.hash) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => found.bytes.to_vec().into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    headers.insert(CONTENT_SECURITY_POLICY, SANDBOX);
    headers.insert(CONTENT_DISPOSITION, attachment(file));
    if let Some(tag) = etag(found.hash) {
        headers.insert(ETAG, tag);
    }
    Ok(response)
}
