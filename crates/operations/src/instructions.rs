//! The instruction files that come with a file that a model reads, from the pin.

use std::sync::Arc;
use std::time::Duration;

use ctxpin_model::access::Operation;
use ctxpin_model::file_path::FilePath;
use ctxpin_model::hash::SnapshotId;
use ctxpin_model::id::ChatId;
use ctxpin_model::on_demand::{Coming, in_order};
use ctxpin_model::resource::{Bodies, Resource};
use ctxpin_model::snapshot::Snapshot;
use ctxpin_model::token::Credential;
use ctxpin_model::treatment::TreatedSnapshot;
use ctxpin_render::profile::{conditional, delivered_on_demand, skills_for_files, skills_to_ask};
use ctxpin_render::renderer::Renderer;

use crate::contexts;
use crate::error::{Error, Result};
use crate::frame::read_bodies;
use crate::pushes::bytes_of;
use crate::service::Service;
use crate::workshop::Watch;

/// What a pin gives a model that reads a file, besides the prompt.
#[derive(Debug, Clone)]
pub struct OnDemand {
    pub snapshot: SnapshotId,
    /// The absolute path of the file that the model reads.
    pub path: String,
    /// The instruction files, in the order of the tool of the pin's profile.
    pub given: Vec<GivenFile>,
}

/// An instruction file that comes with another file.
#[derive(Debug, Clone)]
pub struct GivenFile {
    pub file: Resource,
    /// The text for the model, as the renderer of the chat's prompt sanitises it.
    pub text: String,
}

impl OnDemand {
    /// Returns about how many bytes it has.
    pub fn weight(&self) -> u64 {
        let given = self.given.iter();
        let sizes = given.map(|given| given.file.json_bytes() + given.text.len() as u64);
        sizes.sum()
    }
}

/// Returns what a chat's pin gives a model that reads the file at `path`. What the prompt has is not part of it, but for the
/// line of a skill with `paths`, which Claude Code lists then.
/// `None` without a pin.
///
/// # Errors
///
/// Returns [`Error::InvalidPath`] if the path is not one of a file below the pin's directory, [`Error::TooLarge`] if the globs of the
/// pin take too long to match, [`Error::Busy`] if too many of the user's requests wait already, and [`Error::Store`] if
/// the caller may not read the chat's bodies.
pub async fn on_demand(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    path: &str,
) -> Result<Option<OnDemand>> {
    let operation = Operation::PromptRead;
    let (mut transaction, granted) = read_bodies(service, credential, operation, chat).await?;
    let user = granted.works_for();
    let path: FilePath = path.parse()?;
    let Some(pin) = granted.record()?.pin.as_ref().map(|pin| pin.pin) else {
        return Ok(None);
    };
    let pinned = contexts::snapshot(&mut transaction, &granted, pin.snapshot).await?;
    // A frontmatter may say for which files a skill is.
    let skills = skills_to_ask(&pinned).filter_map(Resource::body).collect();
    let skills = granted
        .bodies_of(&mut transaction, &pinned, &skills)
        .await?;
    drop(transaction);
    let path = path.below(pinned.facts.directory.as_deref())?;
    let matched = {
        let bytes = matching_weight(&pinned) + bytes_of(&skills);
        let (pinned, path) = (pinned.clone(), path.clone());
        let work = move |watch: &Watch| matching(&pinned, &skills, &path, watch);
        let matched = service.workshop.work(user, bytes, MATCHING_TIME_MAX, work);
        matched.await?.ok_or_else(|| {
            let seconds = MATCHING_TIME_MAX.as_secs();
            Error::TooLarge(format!(
                "it takes longer than {seconds} seconds to match the globs of this pin with the path; make the globs simpler"
            ))
        })?
    };
    let mut given = Vec::new();
    if !matched.is_empty() {
        let (mut transaction, granted) = read_bodies(service, credential, operation, chat).await?;
        let hashes = matched.iter().filter_map(Resource::body).collect();
        let bodies = granted
            .bodies_of(&mut transaction, &pinned, &hashes)
            .await?;
        drop(transaction);
        let renderer = Renderer::of_number(pin.prompt.renderer).unwrap_or(Renderer::CURRENT);
        let bytes = bytes_of(&bodies);
        let work = move || rendered(&pinned, matched, &bodies, renderer);
        given = service.work(user, bytes, work).await?;
    }
    Ok(Some(OnDemand {
        snapshot: pin.snapshot,
        path,
        given,
    }))
}

/// The longest time to match the globs of a pin with a path. Those of an honest workspace take less than a
/// millisecond.
const MATCHING_TIME_MAX: Duration = Duration::from_secs(5);

/// Returns the instruction files and skills that come with the file at `path`, in the tool's order, or `None` if the time is
/// over. `skills` has the bodies of [`skills_to_ask`].
fn matching(
    pinned: &Arc<TreatedSnapshot>,
    skills: &Bodies,
    path: &str,
    watch: &Watch,
) -> Option<Vec<Resource>> {
    let mut coming = Vec::new();
    let skills = skills_for_files(pinned, skills);
    for file in conditional(pinned).into_iter().chain(&skills) {
        if watch.is_over() {
            return None;
        }
        coming.extend(Coming::with(file, path));
    }
    Some(in_order(coming).into_iter().cloned().collect())
}

/// Returns the work of matching the globs of a pin, in bytes that take equally long to read.
fn matching_weight(pinned: &Snapshot) -> u64 {
    /// How often a byte of a glob is looked at, at least.
    const LOOKS: u64 = 16;
    let applies = pinned.instruction_files();
    let applies = applies.filter_map(|file| file.applies.as_ref());
    let globs = applies.flat_map(|applies| applies.ways().flat_map(|(_, globs)| globs));
    globs.map(|glob| glob.len() as u64 * LOOKS).sum()
}

fn rendered(
    pinned: &Snapshot,
    files: Vec<Resource>,
    bodies: &Bodies,
    renderer: Renderer,
) -> Vec<GivenFile> {
    let given = files.into_iter().filter_map(|file| {
        let body = bodies.get(&file.body()?)?;
        let text = delivered_on_demand(pinned, &file, body, renderer)?;
        Some(GivenFile { file, text })
    });
    given.collect()
}
