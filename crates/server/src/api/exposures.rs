//! The handlers of exposures: which chats and turns used a content.

use axum::Json;
use axum::extract::State;
use ctxpin_operations::exposures;
use ctxpin_protocol::convert::exposures::{chat_exposure, exposure, hash_beginning, known_hash};
use ctxpin_protocol::convert::members::hash;
use ctxpin_protocol::convert::pages::{page, page_request};
use ctxpin_protocol::http::exposure::{ChatExposure, Exposure, KnownHashes};
use ctxpin_protocol::http::page::{Page, PageQuery};

use crate::api_error::{ApiResult, Problems};
use crate::app::App;
use crate::identify::Identity;
use crate::params::{PathParams, QueryParams};

/// List the chats and turns that used a content
///
/// Lists those whose metadata the caller may read. A skill's files and tools are contents too.
#[utoipa::path(get, path = "/content/{hash}/exposure", operation_id = "exposure_read", tag = "content",
    params(("hash" = String, Path)),
    responses((status = 200, body = Exposure), Problems))]
pub(crate) async fn read(
    State(app): State<App>,
    Identity(credential): Identity,
    path: PathParams,
) -> ApiResult<Json<Exposure>> {
    let content = hash("hash", path.text("hash"))?;
    let found = exposures::read(&app.service, credential, content).await?;
    Ok(Json(exposure(found)))
}

/// Find contents, contexts and snapshots by the beginning of their hash
///
/// The beginning has 8 to 64 hexadecimal digits, after `sha256:` or alone. Finds those of chats whose metadata the
/// caller may read, and of their agents.
#[utoipa::path(get, path = "/hashes/{hash}", operation_id = "known_hash_list", tag = "content",
    params(("hash" = String, Path)),
    responses((status = 200, body = KnownHashes), Problems))]
pub(crate) async fn known_hashes(
    State(app): State<App>,
    Identity(credential): Identity,
    path: PathParams,
) -> ApiResult<Json<KnownHashes>> {
    let beginning = hash_beginning("hash", path.text("hash"))?;
    let found = exposures::hashes(&app.service, credential, &beginning).await?;
    Ok(Json(KnownHashes {
        items: found.items.into_iter().map(known_hash).collect(),
        complete: found.is_complete,
    }))
}

/// List the chats that used a content, a context or a snapshot
///
/// Each chat has the periods in which its pin held it, and the turns that had it in force. Lists the chats whose
/// metadata the caller may read.
#[utoipa::path(get, path = "/hashes/{hash}/chats", operation_id = "exposed_chat_list", tag = "content",
    params(("hash" = String, Path), PageQuery),
    responses((status = 200, body = Page<ChatExposure>), Problems))]
pub(crate) async fn chats(
    State(app): State<App>,
    Identity(credential): Identity,
    path: PathParams,
    QueryParams(query): QueryParams<PageQuery>,
) -> ApiResult<Json<Page<ChatExposure>>> {
    let hash = hash("hash", path.text("hash"))?;
    let asked = page_request(query.cursor.as_deref(), query.limit)?;
    let found = exposures::chats(&app.service, credential, hash, &asked).await?;
    Ok(Json(page(found, chat_exposure)))
}
