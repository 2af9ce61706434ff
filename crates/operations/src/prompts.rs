//! The prompt: what ctxpin hands to a model.

use bytes::Bytes;
use ctxpin_model::hash::{BlobHash, ContextHash};
use ctxpin_model::id::ChatId;
use ctxpin_model::pin::Rendered;
use ctxpin_model::resource::{Bodies, Resource};
use ctxpin_model::snapshot::Snapshot;
use ctxpin_model::token::Credential;
use ctxpin_render::renderer::Renderer;
use ctxpin_store::database::Transaction;
use ctxpin_store::grant::right::ReadsBodies;
use ctxpin_store::grant::{Granted, object, right};

use crate::error::{Error, Result};
use crate::service::Service;

/// A chat's pinned prompt.
#[derive(Debug, Clone)]
pub struct PinnedPrompt {
    /// Its hash; `None` while the chat is unpinned.
    pub hash: Option<BlobHash>,
    /// Its bytes, unless they are the ones that the caller knows.
    pub bytes: Option<Bytes>,
}

/// Reads the pinned prompt of a chat. If it is the one that the caller knows, its bytes are not
/// read.
pub async fn prompt(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    known: Option<BlobHash>,
) -> Result<PinnedPrompt> {
    let caller = service.caller(credential);
    let read = service.database.prompt(&caller, chat, known).await?;
    Ok(PinnedPrompt {
        hash: read.hash,
        bytes: read.bytes,
    })
}

/// The prompt of a context, before it is pinned.
#[derive(Debug, Clone)]
pub(crate) enum Prompt {
    /// It was rendered before and is kept.
    Kept(BlobHash),
    /// It was rendered just now.
    Rendered(String),
}

impl Prompt {
    /// Finds the prompt of a context, or renders it from what the chat reaches.
    pub async fn of_chat<R: ReadsBodies>(
        transaction: &mut Transaction,
        granted: &Granted<object::Chat, R>,
        context: ContextHash,
        snapshot: &Snapshot,
    ) -> Result<Self> {
        let renderer = Renderer::CURRENT.number();
        if let Some(kept) = granted.prompt_find(transaction, context, renderer).await? {
            return Ok(Self::Kept(kept));
        }
        let bodies = granted.prompt_bodies(transaction, snapshot).await?;
        Ok(Self::Rendered(ctxpin_render::prompt::render(
            snapshot, &bodies,
        )))
    }

    /// Finds or renders the prompt of what an agent pushes. Of its bodies some are at hand, and the
    /// others stored.
    pub async fn of_push<R: ReadsBodies>(
        transaction: &mut Transaction,
        granted: &Granted<object::Agent, R>,
        context: ContextHash,
        snapshot: &Snapshot,
        at_hand: &Bodies,
    ) -> Result<Self> {
        let renderer = Renderer::CURRENT.number();
        if let Some(kept) = granted.prompt_find(transaction, context, renderer).await? {
            return Ok(Self::Kept(kept));
        }
        Self::of_proved(transaction, granted, snapshot, at_hand).await
    }

    /// Finds or renders the prompt of an agent's head.
    pub async fn of_head<R: ReadsBodies>(
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
            .ok_or_else(Error::overtaken)?;
        Self::of_proved(transaction, granted, &head, &Bodies::new()).await
    }

    /// Renders what an agent has. Bodies that are not at hand are read.
    async fn of_proved<R: ReadsBodies>(
        transaction: &mut Transaction,
        granted: &Granted<object::Agent, R>,
        snapshot: &Snapshot,
        at_hand: &Bodies,
    ) -> Result<Self> {
        let needed = snapshot.instruction_files().filter_map(Resource::body);
        let stored = needed.filter(|hash| !at_hand.contains_key(hash));
        let mut bodies = granted
            .proved_bodies(transaction, &stored.collect())
            .await?;
        bodies.extend(at_hand.iter().map(|(hash, bytes)| (*hash, bytes.clone())));
        Ok(Self::Rendered(ctxpin_render::prompt::render(
            snapshot, &bodies,
        )))
    }

    /// Returns the kept prompt; one that was rendered just now is kept by this.
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
