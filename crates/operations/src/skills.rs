//! Skills and tool definitions, from the pin, whether or not the workspace can be reached.

use std::sync::Arc;

use ctxpin_model::access::Operation;
use ctxpin_model::chat::PinState;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::id::ChatId;
use ctxpin_model::resource::Resource;
use ctxpin_model::token::Credential;
use ctxpin_model::tool::Tools;
use ctxpin_model::treatment::TreatedSnapshot;
use ctxpin_render::renderer::Renderer;
use ctxpin_store::database::Transaction;
use ctxpin_store::grant::{Granted, object, right};

use crate::contexts;
use crate::error::{Error, Result};
use crate::service::Service;

/// How a `SKILL.md` is treated for a model: under the renderer of the pin, or the newest that this
/// release knows.
fn renderer_of(pin: Option<&PinState>) -> Renderer {
    let number = pin.map(|pin| pin.pin.prompt.renderer);
    number
        .and_then(Renderer::of_number)
        .unwrap_or(Renderer::CURRENT)
}

/// For whom a `SKILL.md` is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// For a model: sanitised like the prompt.
    Model,
    /// For a person: as it stands in the workspace.
    Person,
}

/// A skill with the text of its `SKILL.md`.
#[derive(Debug, Clone)]
pub struct SkillText {
    /// The skill.
    pub skill: Resource,
    /// The text.
    pub body: String,
}

/// A skill's supporting file.
#[derive(Debug, Clone)]
pub struct SkillFileBytes {
    /// Its hash.
    pub hash: BlobHash,
    /// Its bytes.
    pub bytes: Arc<[u8]>,
}

async fn pinned(
    service: &Service,
    credential: Credential,
    chat: ChatId,
) -> Result<(
    Transaction,
    Granted<object::Chat, right::Body>,
    Option<Arc<TreatedSnapshot>>,
)> {
    let (mut transaction, granted) = service
        .read_bodies(credential, Operation::SkillRead, chat)
        .await?;
    let pin = granted.record()?.pin.as_ref();
    let pinned = match pin.map(|pin| pin.pin.snapshot) {
        Some(pin) => Some(contexts::snapshot(&mut transaction, &granted, pin).await?),
        None => None,
    };
    Ok((transaction, granted, pinned))
}

/// The `ok` skills of a chat's pin, in prompt order.
pub async fn list(
    service: &Service,
    credential: Credential,
    chat: ChatId,
) -> Result<Vec<Resource>> {
    let (_, _, pinned) = pinned(service, credential, chat).await?;
    Ok(pinned
        .map(|pinned| pinned.skills().cloned().collect())
        .unwrap_or_default())
}

/// One skill of a chat's pin, by its name.
pub async fn read(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    name: &str,
    reader: Reader,
) -> Result<SkillText> {
    let (mut transaction, granted, pinned) = pinned(service, credential, chat).await?;
    let pinned = pinned.ok_or(Error::NotFound("skill"))?;
    let skill = pinned
        .skill(name)
        .cloned()
        .ok_or(Error::NotFound("skill"))?;
    let hash = skill.body().ok_or(Error::NotFound("skill"))?;
    let bodies = granted
        .bodies_of(&mut transaction, &pinned, &[hash].into())
        .await?;
    let bytes = bodies.get(&hash).ok_or(Error::NotFound("skill"))?;
    let body = match reader {
        Reader::Model => {
            let renderer = renderer_of(granted.record()?.pin.as_ref());
            ctxpin_render::treat::skill(bytes, renderer).text
        }
        Reader::Person => String::from_utf8_lossy(bytes).into_owned(),
    };
    Ok(SkillText { skill, body })
}

/// One supporting file of a skill of a chat's pin.
pub async fn file(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    name: &str,
    path: &str,
) -> Result<SkillFileBytes> {
    let (mut transaction, granted, pinned) = pinned(service, credential, chat).await?;
    let pinned = pinned.ok_or(Error::NotFound("skill"))?;
    let skill = pinned.skill(name).ok_or(Error::NotFound("skill"))?;
    let file = skill
        .files
        .iter()
        .find(|file| file.path == path)
        .ok_or(Error::NotFound("file"))?;
    let hash = file.body().ok_or_else(|| {
        let error = file.error.as_deref().unwrap_or("it could not be read");
        Error::Invalid(format!(
            "the bytes of {path} are not part of the pin: {error}"
        ))
    })?;
    let bodies = granted
        .bodies_of(&mut transaction, &pinned, &[hash].into())
        .await?;
    let bytes = bodies.get(&hash).cloned().ok_or(Error::NotFound("file"))?;
    Ok(SkillFileBytes { hash, bytes })
}

/// The tools that a chat offers: from the agent's head or from the pin, as the chat is set.
pub async fn tools(service: &Service, credential: Credential, chat: ChatId) -> Result<Tools> {
    let (mut transaction, granted) = service
        .read_bodies(credential, Operation::ToolRead, chat)
        .await?;
    match granted.record()?.tools_source() {
        Some(id) => {
            let snapshot = contexts::snapshot(&mut transaction, &granted, id).await?;
            Ok(ctxpin_render::tools::definitions(&snapshot))
        }
        None => Ok(Tools::default()),
    }
}
