//! Prompts: the text that ctxpin gives to a model.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ctxpin_model::access::Operation;
use ctxpin_model::audit::AuditObject;
use ctxpin_model::hash::{BlobHash, ContextHash};
use ctxpin_model::id::ChatId;
use ctxpin_model::manifest::Manifest;
use ctxpin_model::pin::Rendered;
use ctxpin_model::resource::{Bodies, Kind, Resource};
use ctxpin_model::snapshot::Snapshot;
use ctxpin_model::token::Credential;
use ctxpin_model::treatment::TreatedSnapshot;
use ctxpin_render::parts;
use ctxpin_render::profile::delivered;
use ctxpin_render::renderer::Renderer;
use ctxpin_store::database::Transaction;
use ctxpin_store::grant::right::UsesBodies;
use ctxpin_store::grant::{Granted, object, right};
use ctxpin_store::sealed::Sealed;

use crate::error::{Error, Result};
use crate::frame::audited;
use crate::service::Service;

/// The prompt of a chat's pin, or of the pin that a turn had.
#[derive(Debug, Clone)]
pub struct PinnedPrompt {
    /// `None` without a pin.
    pub hash: Option<BlobHash>,
    /// `None` without a pin, or if the caller has these bytes already.
    pub bytes: Option<Bytes>,
}

/// Returns the pinned prompt of a chat. Does not read the bytes if `known` is the prompt's hash.
///
/// # Errors
///
/// Returns [`Error::Store`] if the caller may not read the chat's bodies, and writes a line of the audit
/// log for a refusal.
pub async fn prompt(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    known: Option<BlobHash>,
) -> Result<PinnedPrompt> {
    let caller = service.caller(credential);
    let read = service.database.prompt(&caller, chat, known).await;
    let object = Some(AuditObject::Chat(chat));
    let read = audited(
        service,
        credential,
        Operation::PromptRead,
        object,
        read.map_err(Error::from),
    )
    .await?;
    Ok(PinnedPrompt {
        hash: read.hash,
        bytes: read.bytes,
    })
}

/// A part of a prompt, for a reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptPart {
    /// The path of the file that the part is from. `None` for what stands between files.
    pub source: Option<String>,
    pub text: String,
}

/// Returns the parts of a prompt that the renderer of that number made.
pub fn parts(prompt: &[u8], renderer: i64) -> Vec<PromptPart> {
    let prompt = String::from_utf8_lossy(prompt);
    let renderer = Renderer::of_number(renderer).unwrap_or(Renderer::CURRENT);
    let parts = parts::parts(&prompt, renderer).into_iter();
    let parts = parts.map(|part| PromptPart {
        source: part.source,
        text: part.text.to_owned(),
    });
    parts.collect()
}

/// The longest time to render a prompt. A snapshot at every limit takes a tenth of it.
pub(crate) const RENDERING_TIME_MAX: Duration = Duration::from_secs(5);

/// The source of the prompt of a context.
pub(crate) enum Source {
    /// A prompt that was rendered before and is stored.
    Kept(BlobHash),
    /// The snapshot and the bodies to render it from.
    Bodies(Sealed<(Arc<TreatedSnapshot>, Bodies)>),
}

impl Source {
    /// Finds the stored prompt of a context, or reads the bodies to render it from.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn of_chat<R: UsesBodies>(
        transaction: &mut Transaction,
        granted: &Granted<object::Chat, R>,
        context: ContextHash,
        snapshot: &Sealed<Arc<TreatedSnapshot>>,
    ) -> Result<Self> {
        let renderer = Renderer::CURRENT.number();
        if let Some(kept) = granted.prompt_find(transaction, context, renderer).await? {
            return Ok(Self::Kept(kept));
        }
        let bodies = granted.prompt_bodies(transaction, snapshot).await?;
        Ok(Self::Bodies(snapshot.clone().zip(bodies)))
    }

    /// Finds the stored prompt of a pushed context, or collects the bodies to render it from. Some of them are
    /// in `at_hand`, and the others are read.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn of_push<R: UsesBodies>(
        transaction: &mut Transaction,
        granted: &Granted<object::Agent, R>,
        context: ContextHash,
        snapshot: &Sealed<Arc<TreatedSnapshot>>,
        at_hand: &Bodies,
    ) -> Result<Self> {
        let renderer = Renderer::CURRENT.number();
        if let Some(kept) = granted.prompt_find(transaction, context, renderer).await? {
            return Ok(Self::Kept(kept));
        }
        let stored: BTreeSet<_> = snapshot.disclose(|snapshot| {
            let needed = snapshot.rendered_resources().filter_map(Resource::body);
            needed.filter(|hash| !at_hand.contains_key(hash)).collect()
        });
        let stored = granted.proved_bodies(transaction, &stored).await?;
        let bodies = stored.map(|mut bodies| {
            bodies.extend(at_hand.iter().map(|(hash, bytes)| (*hash, bytes.clone())));
            bodies
        });
        Ok(Self::Bodies(snapshot.clone().zip(bodies)))
    }

    /// Finds the stored prompt of an agent's head, or reads the bodies to render it from.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn of_head<R: UsesBodies>(
        transaction: &mut Transaction,
        granted: &Granted<object::Agent, R>,
        context: ContextHash,
    ) -> Result<Self> {
        let renderer = Renderer::CURRENT.number();
        if let Some(kept) = granted.prompt_find(transaction, context, renderer).await? {
            return Ok(Self::Kept(kept));
        }
        let head = granted
            .head_snapshot(transaction)
            .await?
            .transpose()
            .ok_or_else(Error::overtaken)?;
        let at_hand = Bodies::new();
        Self::of_push(transaction, granted, context, &head, &at_hand).await
    }

    /// Returns how many bytes the rendering reads.
    pub fn weight(&self) -> u64 {
        match self {
            Self::Kept(_) => 0,
            Self::Bodies(bodies) => bodies.disclose(|(snapshot, _)| {
                let read = snapshot.rendered_resources();
                read.map(|read| read.size).sum::<u64>() + weight(snapshot)
            }),
        }
    }

    /// Renders the prompt if it is not stored.
    pub fn rendered(self) -> Prompt {
        match self {
            Self::Kept(hash) => Prompt::Kept(hash),
            Self::Bodies(bodies) => {
                Prompt::Rendered(bodies.map(|(snapshot, bodies)| delivered(&snapshot, &bodies)))
            }
        }
    }
}

/// Returns about how many bytes a snapshot has, without its bodies.
pub fn weight(snapshot: &Snapshot) -> u64 {
    let resources = snapshot.resources.iter().map(|resource| {
        let has_tools = resource.detail.is_some() && resource.kind == Kind::McpServer;
        resource_weight(resource.files.len(), has_tools)
    });
    resources.sum()
}

/// Returns about how many bytes a sealed snapshot has, without its bodies.
pub(crate) fn sealed_weight(snapshot: &Sealed<Arc<TreatedSnapshot>>) -> u64 {
    snapshot.disclose(|snapshot| weight(snapshot))
}

/// Returns about how many bytes a manifest has, without its blobs.
pub(crate) fn manifest_weight(manifest: &Manifest) -> u64 {
    let claims = manifest.claims().resources.iter();
    let weights = claims.map(|claim| resource_weight(claim.files.len(), !claim.tools.is_empty()));
    weights.sum()
}

fn resource_weight(files: usize, has_tools: bool) -> u64 {
    /// Bytes of the line that lists a file.
    const LINE: u64 = 256;
    /// Bytes of the tools of a server.
    const TOOLS: u64 = 16 * 1024;
    LINE * (1 + files as u64) + u64::from(has_tools) * TOOLS
}

/// The prompt of a context before it is pinned.
#[derive(Debug, Clone)]
pub(crate) enum Prompt {
    /// It is stored.
    Kept(BlobHash),
    /// It was just rendered, and is not stored.
    Rendered(Sealed<String>),
}

impl Prompt {
    /// Returns the stored prompt, and stores one that was just rendered.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn keep(
        &self,
        transaction: &mut Transaction,
        granted: &Granted<object::Chat, right::Write>,
        context: ContextHash,
    ) -> Result<Rendered> {
        let renderer = Renderer::CURRENT.number();
        let prompt = match self {
            Self::Kept(hash) => *hash,
            Self::Rendered(text) => {
                granted
                    .prompt_keep(transaction, context, renderer, text)
                    .await?
            }
        };
        Ok(Rendered { prompt, renderer })
    }
}
