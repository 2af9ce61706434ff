//! The context of a chat: its pin, its drift and its resources.

use std::sync::Arc;

use ctxpin_model::access::Operation;
use ctxpin_model::chat::ChatRecord;
use ctxpin_model::context::ContextView;
use ctxpin_model::hash::SnapshotId;
use ctxpin_model::id::{ChatId, UserId};
use ctxpin_model::resource::{Kind, Resource, ResourceId};
use ctxpin_model::token::Credential;
use ctxpin_model::treatment::{TreatedSnapshot, Treatment};
pub use ctxpin_render::profile::{Effective, LeftOut};
use ctxpin_render::renderer::Renderer;
use ctxpin_render::treated::Fate;
pub use ctxpin_render::treated::Reason as RemovalReason;
use ctxpin_render::{profile, treat};
use ctxpin_store::database::Transaction;
use ctxpin_store::grant::right::UsesBodies;
use ctxpin_store::grant::{Granted, object, right};

use crate::error::{Error, Result};
use crate::frame::read_bodies;
use crate::prompts::weight;
use crate::pushes::bytes_of;
use crate::service::Service;

/// Returns about how many bytes a context has.
pub fn context_weight(view: &ContextView) -> u64 {
    let sides = [&view.pinned, &view.head].into_iter().flatten();
    sides.map(|side| weight(side)).sum()
}

/// Returns the number of the renderer of a chat's prompt, or of the current renderer for an unpinned chat.
pub(crate) fn renderer_of(chat: &ChatRecord) -> i64 {
    let pin = chat.pin.as_ref();
    pin.map_or(Renderer::CURRENT.number(), |pin| pin.pin.prompt.renderer)
}

/// Returns a chat's pin and its drift.
///
/// # Errors
///
/// Returns [`Error::Store`] if the caller may not see the chat.
pub async fn read(service: &Service, credential: Credential, chat: ChatId) -> Result<ContextView> {
    let caller = service.caller(credential);
    let mut transaction = service.database.read().await?;
    let granted = transaction
        .grant_chat_within(&caller, Operation::ContextRead, chat)
        .await?;
    let chat = granted.record()?.clone();
    view(&mut transaction, &granted, chat).await
}

/// Returns the view of a chat whose record is `chat`.
pub(crate) async fn view<R: UsesBodies>(
    transaction: &mut Transaction,
    granted: &Granted<object::Chat, R>,
    chat: ChatRecord,
) -> Result<ContextView> {
    let latest_renderer = Renderer::CURRENT.number();
    let view = granted.context_view(transaction, chat, latest_renderer);
    Ok(view.await?)
}

/// Reads a snapshot that the chat can reach.
pub(crate) async fn snapshot(
    transaction: &mut Transaction,
    granted: &Granted<object::Chat, right::Body>,
    id: SnapshotId,
) -> Result<Arc<TreatedSnapshot>> {
    granted
        .snapshot(transaction, id)
        .await?
        .ok_or(Error::NotFound("snapshot"))
}

/// A pinned resource with its text.
#[derive(Debug, Clone)]
pub struct ResourceText {
    pub resource: Resource,
    /// The treatment of the body by the renderer of the chat's prompt.
    pub treatment: Option<Treatment>,
    /// `None` if the resource has no body.
    pub body: Option<String>,
}

/// A resource of a chat's pin as it is stored.
struct StoredResource {
    resource: Resource,
    treatment: Option<Treatment>,
    body: Option<Arc<[u8]>>,
    /// The number of the renderer of the chat's prompt.
    renderer: i64,
    /// The user whose share of the workshop a further step uses.
    user: UserId,
}

async fn stored(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    id: ResourceId,
) -> Result<StoredResource> {
    let (mut transaction, granted) =
        read_bodies(service, credential, Operation::ResourceRead, chat).await?;
    let pin = granted.record()?.pin.as_ref();
    let pin = pin.ok_or(Error::NotFound("resource"))?.pin;
    let pinned = snapshot(&mut transaction, &granted, pin.snapshot).await?;
    let resource = pinned.find_id(id).cloned();
    let resource = resource.ok_or(Error::NotFound("resource"))?;
    let hashes = resource.body().into_iter().collect();
    let bodies = granted
        .bodies_of(&mut transaction, &pinned, &hashes)
        .await?;
    let renderer = pin.prompt.renderer;
    Ok(StoredResource {
        body: resource.body().and_then(|hash| bodies.get(&hash).cloned()),
        treatment: pinned.treatments.of(&resource, renderer).cloned(),
        user: granted.works_for(),
        resource,
        renderer,
    })
}

/// Returns a resource of a chat's pin with its text.
///
/// # Errors
///
/// Returns [`Error::NotFound`] if the pin has no such resource, and [`Error::Store`] if the caller may not read
/// the chat's bodies.
pub async fn resource(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    id: ResourceId,
) -> Result<ResourceText> {
    let stored = stored(service, credential, chat, id).await?;
    let body = stored.body.as_deref();
    Ok(ResourceText {
        body: body.map(|bytes| String::from_utf8_lossy(bytes).into_owned()),
        treatment: stored.treatment,
        resource: stored.resource,
    })
}

/// Returns a resource of a chat's pin with the bytes of its file.
///
/// # Errors
///
/// Returns [`Error::NotFound`] if the pin has no such resource, [`Error::Invalid`] if the resource's bytes are not
/// part of the pin, and [`Error::Store`] if the caller may not read the chat's bodies.
pub async fn resource_bytes(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    id: ResourceId,
) -> Result<(Resource, Arc<[u8]>)> {
    let StoredResource { resource, body, .. } = stored(service, credential, chat, id).await?;
    match body {
        Some(bytes) => Ok((resource, bytes)),
        None => Err(Error::Invalid(format!(
            "the bytes of {} are not part of the pin: the agent sent no text of it",
            resource.source
        ))),
    }
}

/// A resource with its text in pieces, for a person who reviews what a model gets of it.
#[derive(Debug, Clone)]
pub struct ReviewedText {
    pub resource: Resource,
    /// All of the text, in order. A resource without a body has none.
    pub pieces: Vec<TextPiece>,
}

/// A piece of a resource's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextPiece {
    pub text: String,
    /// What the file has in its place, if the renderer replaced it.
    pub original: Option<String>,
    /// Why a model does not get the piece. `None` if it does.
    pub removed: Option<RemovalReason>,
}

impl TextPiece {
    /// Returns the text as it is in the file.
    pub fn in_file(&self) -> &str {
        self.original.as_deref().unwrap_or(&self.text)
    }
}

/// Returns a resource of a chat's pin with its text, and which pieces of it the renderer of the chat's prompt
/// removes.
///
/// # Errors
///
/// Returns [`Error::NotFound`] if the pin has no such resource, [`Error::Busy`] if too many of the user's requests
/// wait already, and [`Error::Store`] if the caller may not read the chat's bodies.
pub async fn review(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    id: ResourceId,
) -> Result<ReviewedText> {
    let StoredResource {
        resource,
        body,
        renderer,
        user,
        ..
    } = stored(service, credential, chat, id).await?;
    let Some(body) = body else {
        let pieces = Vec::new();
        return Ok(ReviewedText { resource, pieces });
    };
    review_of(service, user, resource, body, renderer).await
}

/// Returns a resource with its text, and which pieces of it the renderer of that number removes.
pub(crate) async fn review_of(
    service: &Service,
    user: UserId,
    resource: Resource,
    body: Arc<[u8]>,
    renderer: i64,
) -> Result<ReviewedText> {
    let renderer = Renderer::of_number(renderer).unwrap_or(Renderer::CURRENT);
    let (kind, bytes) = (resource.kind, resource.size);
    let pieces = service.work(user, bytes, move || pieces(kind, &body, renderer));
    let pieces = pieces.await?;
    Ok(ReviewedText { resource, pieces })
}

/// Returns what the tool of the pin's profile gives its model of the pin by itself. `None` for a chat without a pin,
/// or whose pin is of the neutral profile.
///
/// # Errors
///
/// Returns [`Error::Busy`] if too many of the user's requests wait already, and [`Error::Store`] if the caller may not
/// read the chat's bodies.
pub async fn effective(
    service: &Service,
    credential: Credential,
    chat: ChatId,
) -> Result<Option<Effective>> {
    let (mut transaction, granted) =
        read_bodies(service, credential, Operation::ResourceRead, chat).await?;
    let user = granted.works_for();
    let Some(pin) = granted.record()?.pin.as_ref().map(|pin| pin.pin) else {
        return Ok(None);
    };
    let pinned = snapshot(&mut transaction, &granted, pin.snapshot).await?;
    if pinned.facts.rules.is_none() {
        return Ok(None);
    }
    let given = pinned.instruction_files().chain(pinned.skills());
    let hashes = given.filter_map(Resource::body).collect();
    let bodies = granted
        .bodies_of(&mut transaction, &pinned, &hashes)
        .await?;
    drop(transaction);
    let bytes = bytes_of(&bodies);
    let effective = service.work(user, bytes, move || profile::effective(&pinned, &bodies));
    Ok(Some(effective.await?))
}

fn pieces(kind: Kind, body: &[u8], renderer: Renderer) -> Vec<TextPiece> {
    let text = String::from_utf8_lossy(body);
    let treated = match kind {
        Kind::Skill => treat::skill(body, renderer),
        Kind::InstructionFile | Kind::McpConfig | Kind::McpServer => {
            treat::instruction_file(body, renderer)
        }
    };
    let mut pieces = Vec::new();
    let mut end = 0;
    for piece in treated.pieces {
        let text = text.get(piece.range.clone()).unwrap_or_default();
        end = piece.range.end;
        let (text, original, removed) = match piece.fate {
            Fate::Kept => (text, None, None),
            Fate::Replaced(given) => (given, Some(text.to_owned()), None),
            Fate::Gone(reason) => (text, None, Some(reason)),
        };
        pieces.push(TextPiece {
            text: text.to_owned(),
            original,
            removed,
        });
    }
    // A renderer that leaves a file out has no pieces of it.
    let rest = text.get(end..).unwrap_or_default();
    if !rest.is_empty() {
        pieces.push(TextPiece {
            text: rest.to_owned(),
            original: None,
            removed: None,
        });
    }
    pieces
}
