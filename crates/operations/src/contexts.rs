//! A chat's context as people look at it: the pin, its drift, its history and what differs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ctxpin_model::access::Operation;
use ctxpin_model::chat::ChatRecord;
use ctxpin_model::diff::attributes::attributes;
use ctxpin_model::diff::effect::Sides;
use ctxpin_model::diff::{self, Change, changes, line_ends, unified};
use ctxpin_model::hash::{BlobHash, SnapshotId};
use ctxpin_model::history::PinRecord;
use ctxpin_model::id::ChatId;
use ctxpin_model::page::{Page, PageRequest};
use ctxpin_model::pin::ToolsMode;
use ctxpin_model::resource::{Bodies, Resource, ResourceId, Status};
use ctxpin_model::token::Credential;
use ctxpin_model::treatment::{TreatedSnapshot, Treatment, Treatments};
use ctxpin_render::renderer::Renderer;
use ctxpin_store::database::Transaction;
use ctxpin_store::grant::right::ReadsBodies;
use ctxpin_store::grant::{Granted, object};

use crate::error::{Error, Result};
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
            (Some(pinned), Some(head)) => {
                changes(pinned, head, self.chat.tools == ToolsMode::Pinned)
            }
            _ => Vec::new(),
        }
    }

    /// Whether the chat's tools come from the head and differ from the pin's.
    pub fn tools_differ(&self) -> bool {
        tools_differ(&self.chat)
    }

    /// The number of the renderer of the pin's prompt, or of the present one while there is no pin.
    pub fn renderer(&self) -> i64 {
        renderer_of(&self.chat)
    }

    /// What is known of the bodies of both sides, under the renderer of the pin's prompt.
    pub fn sides(&self) -> Sides<'_> {
        sides(self.pinned.as_ref(), self.head.as_ref(), self.renderer())
    }

    /// The number of the renderer that would render a prompt now.
    pub fn latest_renderer(&self) -> i64 {
        Renderer::CURRENT.number()
    }
}

/// The number of the renderer of a chat's prompt, or of the present one while it has no pin.
fn renderer_of(chat: &ChatRecord) -> i64 {
    let pin = chat.pin.as_ref();
    pin.map_or(Renderer::CURRENT.number(), |pin| pin.pin.prompt.renderer)
}

fn sides<'s>(
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

/// Whether a chat's tools come from the head and differ from the pin's.
pub(crate) fn tools_differ(chat: &ChatRecord) -> bool {
    let (Some(pin), Some(head)) = (&chat.pin, &chat.head) else {
        return false;
    };
    chat.tools == ToolsMode::Live && pin.pin.hashes.tools != head.hashes.tools
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
    let caller = service.caller(credential);
    let mut transaction = service.database.read().await?;
    let granted = transaction
        .grant_chat_body(&caller, Operation::ResourceRead, chat)
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

/// Which two snapshots are compared.
#[derive(Debug, Clone, Copy, Default)]
pub struct DiffRequest {
    /// From this one of the chat's history; else from the pin.
    pub from: Option<SnapshotId>,
    /// To this one of the chat's history, or the head; else to the head.
    pub to: Option<SnapshotId>,
}

/// What differs between two snapshots, with the texts.
#[derive(Debug, Clone)]
pub struct DiffView {
    /// The one.
    pub pinned: Option<(SnapshotId, Arc<TreatedSnapshot>)>,
    /// The other.
    pub head: Option<(SnapshotId, Arc<TreatedSnapshot>)>,
    /// Whether tools count.
    pub with_tools: bool,
    /// The number of the renderer under which both are compared: the one of the chat's prompt.
    pub renderer: i64,
    bodies: Bodies,
}

/// Compares a chat's pin with its agent's head, or two snapshots of its history.
pub async fn diff(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    request: DiffRequest,
) -> Result<DiffView> {
    let caller = service.caller(credential);
    let mut transaction = service.database.read().await?;
    let granted = transaction
        .grant_chat_body(&caller, Operation::DiffRead, chat)
        .await?;
    let chat = granted.record()?;
    let from = request
        .from
        .or(chat.pin.as_ref().map(|pin| pin.pin.snapshot));
    let to = request.to.or(chat.head.map(|head| head.snapshot));
    let mut sides = [None, None];
    for (side, id) in sides.iter_mut().zip([from, to]) {
        if let Some(id) = id {
            let snapshot = granted.snapshot(&mut transaction, id).await?;
            let unknown = || {
                Error::Invalid(format!(
                    "{id} is neither in the chat's history nor its agent's head; see the history for what can be compared"
                ))
            };
            *side = Some((id, snapshot.ok_or_else(unknown)?));
        }
    }
    let [pinned, head] = sides;
    let mut view = DiffView {
        pinned,
        head,
        with_tools: chat.tools == ToolsMode::Pinned,
        renderer: renderer_of(chat),
        bodies: Bodies::new(),
    };
    let hashes = view.to_compare();
    for (_, snapshot) in [&view.pinned, &view.head].into_iter().flatten() {
        view.bodies.extend(
            granted
                .bodies_of(&mut transaction, snapshot, &hashes)
                .await?,
        );
    }
    Ok(view)
}

impl DiffView {
    /// What differs.
    pub fn changes(&self) -> Vec<Change<'_>> {
        match (&self.pinned, &self.head) {
            (Some((_, pinned)), Some((_, head))) => changes(pinned, head, self.with_tools),
            _ => Vec::new(),
        }
    }

    /// The blobs whose texts differ.
    fn to_compare(&self) -> BTreeSet<BlobHash> {
        let stored = |resource: Option<&Resource>| -> BTreeSet<BlobHash> {
            resource.into_iter().flat_map(Resource::stored).collect()
        };
        let of_change = |change: Change<'_>| {
            let (pinned, head) = (stored(change.pinned), stored(change.head));
            pinned
                .symmetric_difference(&head)
                .copied()
                .collect::<Vec<_>>()
        };
        self.changes().into_iter().flat_map(of_change).collect()
    }

    /// What is known of the bodies of both sides, under the renderer of the chat's prompt.
    pub fn sides(&self) -> Sides<'_> {
        let pinned = self.pinned.as_ref().map(|(_, snapshot)| snapshot);
        let head = self.head.as_ref().map(|(_, snapshot)| snapshot);
        sides(pinned, head, self.renderer)
    }

    /// What differs in one change: a sentence on each line for what is no text, then the texts as a
    /// unified diff. A skill's files follow its `SKILL.md`. Between workspaces in different directories
    /// they are matched by their path below the resource.
    pub fn text(&self, change: &Change<'_>) -> Option<String> {
        let (Some((_, pinned)), Some((_, head))) = (&self.pinned, &self.head) else {
            return None;
        };
        let sentences = attributes(change, pinned, head).into_iter();
        let mut text: String = sentences.map(|sentence| sentence + "\n").collect();
        let (pinned, head) = (parts(change.pinned), parts(change.head));
        let paths: BTreeSet<_> = pinned.keys().chain(head.keys()).collect();
        for path in paths {
            text += &self.text_of(pinned.get(path), head.get(path));
        }
        text += &detail_text(change.pinned, change.head);
        (!text.is_empty()).then_some(text)
    }

    fn text_of(&self, pinned: Option<&Part>, head: Option<&Part>) -> String {
        if pinned.map(|part| part.hash) == head.map(|part| part.hash) {
            return String::new();
        }
        let bytes = |part: Option<&Part>| match part {
            Some(part) => self
                .bodies
                .get(&part.hash)
                .map_or(&[][..], |bytes| &bytes[..]),
            None => &[][..],
        };
        let label = |part: Option<&Part>| match part {
            Some(part) => part.source.clone(),
            None => "/dev/null".to_owned(),
        };
        match (
            std::str::from_utf8(bytes(pinned)),
            std::str::from_utf8(bytes(head)),
        ) {
            (Ok(before), Ok(after)) if !before.contains('\0') && !after.contains('\0') => {
                let ends = pinned.zip(head).and_then(|_| line_ends(before, after));
                let ends = ends.map(|sentence| sentence + "\n").unwrap_or_default();
                ends + &unified(before, after, &label(pinned), &label(head))
            }
            _ => format!(
                "Binary files {} and {} differ\n",
                diff::label(&label(pinned)),
                diff::label(&label(head))
            ),
        }
    }
}

/// What differs in what a configuration or a server consists of, as JSON.
fn detail_text(pinned: Option<&Resource>, head: Option<&Resource>) -> String {
    let side = |resource: Option<&Resource>| {
        let usable = resource.filter(|resource| resource.status == Status::Ok);
        let detail =
            usable.and_then(|resource| Some((&resource.source, resource.detail.as_ref()?)));
        match detail {
            Some((source, detail)) => (source.clone(), detail.indented_json()),
            None => ("/dev/null".to_owned(), String::new()),
        }
    };
    let ((before_label, before), (after_label, after)) = (side(pinned), side(head));
    unified(&before, &after, &before_label, &after_label)
}

/// A stored file of a resource.
struct Part {
    source: String,
    hash: BlobHash,
}

/// The stored files of a resource: its body first, then a skill's supporting files by their path.
fn parts(resource: Option<&Resource>) -> BTreeMap<Option<&str>, Part> {
    let Some(resource) = resource else {
        return BTreeMap::new();
    };
    let body = resource.body().map(|hash| {
        let source = resource.source.clone();
        (None, Part { source, hash })
    });
    let directory = resource
        .source
        .rsplit_once('/')
        .map_or("", |(directory, _)| directory);
    let files = resource.files.iter().filter_map(|file| {
        let hash = file.body()?;
        let source = format!("{directory}/{}", file.path);
        Some((Some(file.path.as_str()), Part { source, hash }))
    });
    body.into_iter().chain(files).collect()
}
