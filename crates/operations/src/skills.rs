//! Skills and tool definitions from the pin. They can be read even if the workspace is out of reach.

use std::sync::Arc;

use ctxpin_model::access::Operation;
use ctxpin_model::chat::PinState;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::id::ChatId;
use ctxpin_model::offered_tools::Tools;
use ctxpin_model::resource::Resource;
use ctxpin_model::token::Credential;
use ctxpin_model::treatment::TreatedSnapshot;
use ctxpin_render::renderer::Renderer;
use ctxpin_store::database::Transaction;
use ctxpin_store::grant::{Granted, object, right};

use crate::contexts;
use crate::error::{Error, Result};
use crate::frame::read_bodies;
use crate::service::Service;

/// Returns the renderer of a `SKILL.md` for a model: the pin's renderer, or the newest renderer of this
/// release if the pin's is newer.
fn renderer_of(pin: Option<&PinState>) -> Renderer {
    let number = pin.map(|pin| pin.pin.prompt.renderer);
    number
        .and_then(Renderer::of_number)
        .unwrap_or(Renderer::CURRENT)
}

/// The reader of a `SKILL.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// A model, which gets the text sanitised like the prompt.
    Model,
    /// A person, who gets the text as it is in the workspace.
    Person,
}

/// A skill with the text of its `SKILL.md`.
#[derive(Debug, Clone)]
pub struct SkillText {
    pub skill: Resource,
    pub body: String,
}

/// A supporting file of a skill, such as a script.
#[derive(Debug, Clone)]
pub struct SkillFileBytes {
    pub hash: BlobHash,
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
    let (mut transaction, granted) =
        read_bodies(service, credential, Operation::SkillRead, chat).await?;
    let pin = granted.record()?.pin.as_ref();
    let pinned = match pin.map(|pin| pin.pin.snapshot) {
        Some(pin) => Some(contexts::snapshot(&mut transaction, &granted, pin).await?),
        None => None,
    };
    Ok((transaction, granted, pinned))
}

/// Returns the `ok` skills of a chat's pin, in the order of the prompt.
///
/// # Errors
///
/// Returns [`Error::Store`] if the caller may not read the chat's bodies.
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

/// Returns a skill of a chat's pin by its name.
///
/// # Errors
///
/// Returns [`Error::NotFound`] if the pin has no such `ok` skill.
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

/// Returns a supporting file of a skill of a chat's pin, by its path below the skill's directory.
///
/// # Errors
///
/// Returns [`Error::NotFound`] if the pin has no such skill or file, and [`Error::Invalid`] if the file's
/// bytes are not part of the pin.
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

/// Returns the tools that a chat offers: from the agent's head or from the pin, by the chat's tools mode.
///
/// # Errors
///
/// Returns [`Error::Store`] if the caller may not read the chat's bodies.
pub async fn tools(service: &Service, credential: Credential, chat: ChatId) -> Result<Tools> {
    let (mut transaction, granted) =
        read_bodies(service, credential, Operation::ToolRead, chat).await?;
    match granted.record()?.tools_source() {
        Some(id) => {
            let snapshot = contexts::snapshot(&mut transaction, &granted, id).await?;
            Ok(ctxpin_render::tools::definitions(&snapshot))
        }
        None => Ok(Tools::default()),
    }
}
