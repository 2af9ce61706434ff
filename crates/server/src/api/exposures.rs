//! Who had a content in force.

use axum::Json;
use axum::extract::State;
use ctxpin_model::moment::Moment;
use ctxpin_operations::exposures;
use ctxpin_protocol::convert::members::hash;
use ctxpin_protocol::http::exposure::{ExposedChat, ExposedTurn, Exposure};

use crate::address::Segments;
use crate::app::App;
use crate::identify::Identity;
use crate::respond::{Answer, Problems};

/// Tell which chats and turns had a content in force
///
/// Of those whose metadata the caller may read; a skill's files and tools are contents too.
#[utoipa::path(get, path = "/content/{hash}/exposure", operation_id = "exposure_read", tag = "content",
    params(("hash" = String, Path)),
    responses((status = 200, body = Exposure), Problems))]
pub(crate) async fn read(
    State(app): State<App>,
    Identity(credential): Identity,
    path: Segments,
) -> Answer<Json<Exposure>> {
    let content = hash("hash", path.text("hash"))?;
    let found = exposures::read(&app.service, credential, content).await?;
    let chats = found.chats.into_iter().map(|exposed| ExposedChat {
        chat_id: exposed.chat.uuid(),
        kind: exposed.kind.to_string(),
        source: exposed.source,
        path: exposed.path,
        from_seq: exposed.from_seq,
        from: exposed.from.utc(),
        until: exposed.until.map(Moment::utc),
    });
    let turns = found.turns.into_iter().map(|exposed| ExposedTurn {
        chat_id: exposed.chat.uuid(),
        number: exposed.number,
        started_at: exposed.started_at.utc(),
        by_tools: exposed.by_tools,
    });
    Ok(Json(Exposure {
        chats: chats.collect(),
        turns: turns.collect(),
    }))
}
