//! A chat's context as people look at it: the pin, its drift, its history and what differs.

use std::sync::Arc;

use ctxpin_model::access::Operation;
use ctxpin_model::chat::ChatRecord;
use ctxpin_model::diff::effect::Sides;
use ctxpin_model::diff::{Change, changes};
use ctxpin_model::hash::SnapshotId;
use ctxpin_model::history::PinRecord;
use ctxpin_model::id::ChatId;
use ctxpin_model::page::{Page, PageRequest};
use ctxpin_model::resource::{Resource, ResourceId};
use ctxpin_model::token::Credential;
use ctxpin_model::treatment::{TreatedSnapshot, Treatment, Treatments};
use ctxpin_render::renderer::Renderer;
use ctxpin_store::database::Transaction;
use ctxpin_store::grant::right::ReadsBodies;
use ctxpin_store::grant::{Granted, object};

use crate::error::{Error, Result};
use crate::prompts::weight;
use crate::service::Service;

/// A chat's pin and its drift.
#[derive(Debug, Clone)]
pub struct ContextView {
    /// The chat.
    pub chat: ChatRecord,
    /// What is pinned; `None` while the chat is unpinned.
    pub pinned: Option<Arc<TreatedSnapshot>>,
    /// The head of its agent; `None` without agent or head.
    pub head: Option<Arc<TreatedSnapshot>>,
    /// Whether descriptions, tools and shapes may be told: they are bodies.
    pub tells_bodies: bool,
}

impl ContextView {
    /// What differs between the pin and the head. Empty exactly if the chat is not dirty.
    pub fn changes(&self) -> Vec<Change<'_>> {
        match (&self.pinned, &self.head) {
            (Some(pinned), Some(head)) => changes(pinned, head, self.chat.tools.pins_tools()),
            _ => Vec::new(),
        }
    }

    /// The number of the renderer of the pin's prompt, or of the present one while there is no pin.
    pub fn renderer(&self) -> i64 {
        renderer_of(&self.chat)
    }

    /// What is known of the bodies of both sides, under the renderer of the pin's prompt.
    pub fn sides(&self) -> Sides<'_> {
        sides(self.pinned.as_ref(), self.head.as_ref(), self.renderer())
    }

    /// About how many bytes going through it takes.
    pub fn weight(&self) -> u64 {
        let sides = [&self.pinned, &self.head].into_iter().flatten();
        sides.map(|side| weight(side)).sum()
    }

    /// The number of the renderer that would render a prompt now.
    pub fn latest_renderer(&self) -> i64 {
        Renderer::CURRENT.number()
    }
}

/// The number of the renderer of a chat's prompt, or of the present one while it has no pin.
pub(crate) fn renderer_of(chat: &ChatRecord) -> i64 {
    let pin = chat.pin.as_ref();
    pin.map_or(Renderer::CURRENT.number(), |pin| pin.pin.prompt.renderer)
}

pub(crate) fn sides<'s>(
    pinned: Option<&'s Arc<TreatedSnapshot>>,
    head: Option<&'s Arc<TreatedSnapshot>>,
    renderer: i64,
) -> Sides<'s> {
    static NONE: Treatments = Treatments::NONE;
    Sides {
        pinned: pinned.map_or(&NONE, |pinned| &pinned.treatments),
        head: head.map_or(&NONE, |head| &head.treatments),
        renderer,
    }
}

/// Reads a chat's pin and its drift.
pub async fn read(service: &Service, credential: Credential, chat: ChatId) -> Result<ContextView> {
    let caller = service.caller(credential);
    let mut transaction = service.database.read().await?;
    let granted = transaction
        .grant_chat_within(&caller, Operation::ContextRead, chat)
        .await?;
    let chat = granted.record()?.clone();
    view(&mut transaction, &granted, chat).await
}

/// Puts the view of a chat together.
pub(crate) async fn view<R: ReadsBodies>(
    transaction: &mut Transaction,
    granted: &Granted<object::Chat, R>,
    mut chat: ChatRecord,
) -> Result<ContextView> {
    let pin = chat.pin.as_ref().map(|pin| pin.pin.snapshot);
    let head = chat.head.map(|head| head.snapshot);
    let pinned = match pin {
        Some(id) => Some(snapshot(transaction, granted, id).await?),
        None => None,
    };
    let head = match head {
        Some(id) if Some(id) == pin => pinned.clone(),
        Some(id) => Some(snapshot(transaction, granted, id).await?),
        None => None,
    };
    // A move that has just been made does not know it.
    if let (Some(pin), Some(pinned)) = (&mut chat.pin, &pinned) {
        pin.error.clone_from(&pinned.error);
    }
    Ok(ContextView {
        chat,
        pinned,
        head,
        tells_bodies: granted.tells_bodies(),
    })
}

/// A snapshot that the chat reaches.
pub(crate) async fn snapshot<R: ReadsBodies>(
    transaction: &mut Transaction,
    granted: &Granted<object::Chat, R>,
    id: SnapshotId,
) -> Result<Arc<TreatedSnapshot>> {
    granted
        .snapshot(transaction, id)
        .await?
        .ok_or(Error::NotFound("snapshot"))
}

/// Reads a chat's pin history, newest first.
pub async fn history(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    page: &PageRequest<i64>,
) -> Result<Page<PinRecord, i64>> {
    let caller = service.caller(credential);
    let mut transaction = service.database.read().await?;
    let granted = transaction
        .grant_chat(&caller, Operation::HistoryRead, chat)
        .await?;
    Ok(granted.history(&mut transaction, page).await?)
}

/// A pinned resource with its text.
#[derive(Debug, Clone)]
pub struct ResourceText {
    /// The resource.
    pub resource: Resource,
    /// What the renderer of the pin's prompt makes of it.
    pub treatment: Option<Treatment>,
    /// The text of its body, if it has one.
    pub body: Option<String>,
}

/// Reads one resource of a chat's pin with its text.
pub async fn resource(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    id: ResourceId,
) -> Result<ResourceText> {
    let (mut transaction, granted) = service
        .read_bodies(credential, Operation::ResourceRead, chat)
        .await?;
    let pin = granted.record()?.pin.as_ref();
    let pin = pin.ok_or(Error::NotFound("resource"))?.pin;
    let pinned = snapshot(&mut transaction, &granted, pin.snapshot).await?;
    let resource = pinned
        .find_id(id)
        .cloned()
        .ok_or(Error::NotFound("resource"))?;
    let hashes = resource.body().into_iter().collect();
    let bodies = granted
        .bodies_of(&mut transaction, &pinned, &hashes)
        .await?;
    let body = resource.body().and_then(|hash| bodies.get(&hash));
    let body = body.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let treatment = pinned.treatments.of(&resource, pin.prompt.renderer);
    Ok(ResourceText {
        treatment: treatment.cloned(),
        resource,
        body,
    })
}
