//! The texts that the requests of a turn had by its evidence. The evidence has their hashes alone; the pins and the heads
//! around the turn hold the texts of snapshots.

use std::collections::BTreeSet;
use std::sync::Arc;

use ctxpin_model::access::Operation;
use ctxpin_model::evidence::{EvidenceView, ResourceResult};
use ctxpin_model::hash::{BlobHash, SnapshotId};
use ctxpin_model::held_text::HeldText;
use ctxpin_model::id::{ChatId, UserId};
use ctxpin_model::resource::{Resource, ResourceId};
use ctxpin_model::token::Credential;
use ctxpin_model::turn::{TurnRecord, TurnView};

use crate::contexts::{ReviewedText, renderer_of, review_of};
use crate::error::{Error, Result};
use crate::evidence;
use crate::frame::read_bodies;
use crate::service::Service;

/// A text that the requests of a turn had.
#[derive(Debug, Clone)]
pub struct GivenText {
    pub turn: TurnRecord,
    /// What became of the resource.
    pub result: ResourceResult,
    pub held: HeldText,
    /// The snapshot that holds it.
    pub snapshot: SnapshotId,
    pub text: ReviewedText,
}

/// Returns which texts that a turn had are held, by pins and heads around the turn.
///
/// # Errors
///
/// Returns [`Error::Store`] if the caller may not read the chat's bodies.
pub async fn held(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    view: &TurnView,
) -> Result<Vec<HeldText>> {
    let contents = view.evidence.as_ref().map(contents).unwrap_or_default();
    if contents.is_empty() {
        return Ok(Vec::new());
    }
    let (mut transaction, granted) =
        read_bodies(service, credential, Operation::ResourceRead, chat).await?;
    let held = granted.held_texts(&mut transaction, &view.turn, &contents);
    Ok(held.await?)
}

/// Returns the contents that the requests of a turn had.
fn contents(evidence: &EvidenceView) -> BTreeSet<BlobHash> {
    let had = evidence.resources.iter();
    had.filter_map(|result| result.text_had().map(|(_, content)| content))
        .collect()
}

/// A text as it is stored.
struct StoredText {
    turn: TurnRecord,
    result: ResourceResult,
    held: HeldText,
    snapshot: SnapshotId,
    resource: Resource,
    body: Arc<[u8]>,
    /// The number of the renderer of the chat's prompt.
    renderer: i64,
    /// The user whose share of the workshop a further step uses.
    user: UserId,
}

async fn stored(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    turn: i64,
    (id, content): (ResourceId, BlobHash),
) -> Result<StoredText> {
    let missing = || Error::NotFound("text");
    let (mut transaction, granted) =
        read_bodies(service, credential, Operation::ResourceRead, chat).await?;
    let stamped = granted.turn_at(&mut transaction, turn).await?;
    let turn = stamped.ok_or(Error::NotFound("turn"))?.turn;
    let view = evidence::view(&mut transaction, &granted, turn.number).await?;
    let had = view.into_iter().flat_map(|view| view.resources);
    let mut had = had.filter(|result| result.text_had() == Some((id, content)));
    let result = had.next().ok_or_else(missing)?;
    let wanted = [content].into();
    let held = granted.held_texts(&mut transaction, &turn, &wanted).await?;
    let mut held = held.into_iter().filter(|text| text.id() == id);
    let held = held.next().ok_or_else(missing)?;
    let found = granted.snapshot_with(&mut transaction, &held).await?;
    let found = found.ok_or_else(missing)?;
    let holder = granted.snapshot_or_head(&mut transaction, found).await?;
    let holder = holder.ok_or_else(missing)?;
    let resource = holder.find_id(id).cloned().ok_or_else(missing)?;
    let mut bodies = granted
        .bodies_of(&mut transaction, &holder, &wanted)
        .await?;
    Ok(StoredText {
        body: bodies.remove(&content).ok_or_else(missing)?,
        renderer: renderer_of(granted.record()?),
        user: granted.works_for(),
        snapshot: found,
        turn,
        result,
        held,
        resource,
    })
}

/// Returns a text that a turn had, with what ctxpin's prompt leaves out of it.
///
/// # Errors
///
/// Returns [`Error::NotFound`] if the chat has no such turn, if the turn's evidence does not say that it had the text, or
/// if no pin or head around it holds the text; [`Error::Busy`] if too many of the user's requests wait already; and
/// [`Error::Store`] if the caller may not read the chat's bodies.
pub async fn read(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    turn: i64,
    text: (ResourceId, BlobHash),
) -> Result<GivenText> {
    let StoredText {
        turn,
        result,
        held,
        snapshot,
        resource,
        body,
        renderer,
        user,
    } = stored(service, credential, chat, turn, text).await?;
    Ok(GivenText {
        turn,
        result,
        held,
        snapshot,
        text: review_of(service, user, resource, body, renderer).await?,
    })
}

/// Returns the bytes of a text that a turn had, and the path of its resource.
///
/// # Errors
///
/// Fails like [`read`].
pub async fn bytes(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    turn: i64,
    text: (ResourceId, BlobHash),
) -> Result<(String, Arc<[u8]>)> {
    let stored = stored(service, credential, chat, turn, text).await?;
    Ok((stored.resource.source, stored.body))
}
