//! Diffs between a chat's pin and its agent's head, between two pins, or between two heads, with their texts.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ctxpin_model::access::Operation;
use ctxpin_model::diff::effect::Sides;
use ctxpin_model::diff::lines::{ALL_LINES, Bounds, CONTEXT_LINES};
use ctxpin_model::diff::texts::{Budget, Difference, pairs};
use ctxpin_model::diff::{Change, Subject, changes};
use ctxpin_model::hash::{BlobHash, SnapshotId};
use ctxpin_model::id::{AgentId, ChatId, UserId};
use ctxpin_model::mode::Mode;
use ctxpin_model::pending_change::PendingChangeId;
use ctxpin_model::resource::{Bodies, Resource, ResourceId};
use ctxpin_model::token::Credential;
use ctxpin_model::treatment::TreatedSnapshot;
use ctxpin_render::renderer::Renderer;
use ctxpin_store::database::Transaction;
use ctxpin_store::grant::{Granted, object, right};

use crate::contexts::renderer_of;
use crate::error::{Error, Result};
use crate::frame::{read_agent_bodies, read_bodies};
use crate::prompts::weight;
use crate::service::Service;
use crate::workshop::{Watch, is_light};

/// The most bytes of changes in one response.
const CHANGES_BYTES_MAX: u64 = 1024 * 1024;

/// The most bytes of a change that is requested by its resource.
const CHANGE_ALONE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// The most bytes of files that are read for one response. A prompt file has at most an eighth of it.
const READ_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// The longest comparison for one response.
const COMPARING_TIME_MAX: Duration = Duration::from_secs(2);

/// A request to compare two snapshots.
#[derive(Debug, Clone, Copy, Default)]
pub struct DiffRequest {
    /// A snapshot in the chat's history or in the agent's timeline. `None` stands for the chat's pin.
    pub from: Option<SnapshotId>,
    /// A snapshot in the chat's history or in the agent's timeline, or the head. `None` stands for the head.
    pub to: Option<SnapshotId>,
    /// Whether a snapshot can be one that was the head of the chat's agent.
    pub with_heads: bool,
    /// Compares only this resource, which either side may have.
    pub resource: Option<ResourceId>,
    /// Whether the response marks the words that differ in a line.
    pub with_words: bool,
    /// Whether a text that differs comes with all its lines.
    pub with_all_lines: bool,
}

/// The differences between two snapshots.
#[derive(Debug, Clone)]
pub struct DiffView {
    compared: Arc<Compared>,
    /// The requested changes by their place. `None` stands for a change that is too large for the response.
    differences: Vec<(usize, Option<Difference>)>,
}

/// Compares a chat's pin with its agent's head, or two snapshots of its history. Changes beyond 1 MiB are left
/// out; the caller requests them by their resource.
///
/// # Errors
///
/// Returns [`Error::Busy`] if too many of the user's requests wait already, and [`Error::Store`] if the caller
/// may not read the chat's bodies.
pub async fn diff(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    request: DiffRequest,
) -> Result<DiffView> {
    compare(service, credential, Compares::Chat(chat), request).await
}

/// Compares two snapshots of an agent's timeline. `request` names both. Changes beyond 1 MiB are left out, as in
/// [`diff`].
///
/// # Errors
///
/// Returns [`Error::Busy`] if too many of the user's requests wait already, and [`Error::Store`] if the caller
/// may not read the bodies of the agent's heads.
pub async fn of_heads(
    service: &Service,
    credential: Credential,
    agent: AgentId,
    request: DiffRequest,
) -> Result<DiffView> {
    compare(service, credential, Compares::Agent(agent), request).await
}

async fn compare(
    service: &Service,
    credential: Credential,
    compares: Compares,
    request: DiffRequest,
) -> Result<DiffView> {
    let (mut transaction, reader) = compares.read(service, credential).await?;
    let user = reader.user();
    let compared = Compared::read(&mut transaction, &reader, request).await?;
    let compared = Arc::new(compared);
    if is_light(compared.weight()) {
        let changes = compared.changes();
        let plan = Plan::of(&changes, request);
        if is_light(plan.bytes) {
            let bodies = compared.bodies(&mut transaction, &reader, &plan).await?;
            drop(transaction);
            let watch = Watch::lasting(COMPARING_TIME_MAX);
            let differences = compared.differences(&changes, &plan, &bodies, &watch);
            return Ok(DiffView {
                compared,
                differences,
            });
        }
    }
    drop(transaction);
    let slot = service.workshop.enter(user).await?;
    let planning = Arc::clone(&compared);
    let plan = move |_: &Watch| Plan::of(&planning.changes(), request);
    let plan = slot.run(COMPARING_TIME_MAX, plan).await?;
    let (mut transaction, reader) = compares.read(service, credential).await?;
    let bodies = compared.bodies(&mut transaction, &reader, &plan).await?;
    drop(transaction);
    let comparing = Arc::clone(&compared);
    let differences = move |watch: &Watch| {
        let changes = comparing.changes();
        comparing.differences(&changes, &plan, &bodies, watch)
    };
    let differences = slot.run(COMPARING_TIME_MAX, differences).await?;
    Ok(DiffView {
        compared,
        differences,
    })
}

/// The object whose snapshots are compared.
#[derive(Debug, Clone, Copy)]
enum Compares {
    Chat(ChatId),
    Agent(AgentId),
}

/// The grant that reads the snapshots and the bodies.
enum Reader {
    Chat(Granted<object::Chat, right::Body>),
    Agent(Granted<object::Agent, right::Body>),
}

impl Compares {
    async fn read(
        self,
        service: &Service,
        credential: Credential,
    ) -> Result<(Transaction, Reader)> {
        let operation = Operation::DiffRead;
        Ok(match self {
            Self::Chat(chat) => {
                let read = read_bodies(service, credential, operation, chat).await?;
                (read.0, Reader::Chat(read.1))
            }
            Self::Agent(agent) => {
                let read = read_agent_bodies(service, credential, operation, agent).await?;
                (read.0, Reader::Agent(read.1))
            }
        })
    }
}

impl Reader {
    /// Returns the user for whom the comparison works.
    fn user(&self) -> UserId {
        match self {
            Self::Chat(chat) => chat.works_for(),
            Self::Agent(agent) => agent.works_for(),
        }
    }

    /// Returns the pin and the head.
    fn usual_sides(&self) -> Result<[Option<SnapshotId>; 2]> {
        Ok(match self {
            Self::Chat(chat) => {
                let chat = chat.record()?;
                let pin = chat.pin.as_ref().map(|pin| pin.pin.snapshot);
                [pin, chat.head.map(|head| head.snapshot)]
            }
            Self::Agent(agent) => [None, agent.record()?.head.map(|head| head.snapshot)],
        })
    }

    async fn snapshot(
        &self,
        transaction: &mut Transaction,
        id: SnapshotId,
        with_heads: bool,
    ) -> Result<Arc<TreatedSnapshot>> {
        let (found, unknown) = match self {
            Self::Chat(chat) => (
                match with_heads {
                    true => chat.snapshot_or_head(transaction, id).await?,
                    false => chat.snapshot(transaction, id).await?,
                },
                "neither in the chat's history nor its agent's head; see the history for what can be compared",
            ),
            Self::Agent(agent) => (
                agent.snapshot(transaction, id).await?,
                "not in the agent's timeline; see the timeline for what can be compared",
            ),
        };
        found.ok_or_else(|| Error::Invalid(format!("{id} is {unknown}")))
    }

    async fn bodies_of(
        &self,
        transaction: &mut Transaction,
        snapshot: &TreatedSnapshot,
        hashes: &BTreeSet<BlobHash>,
    ) -> Result<Bodies> {
        Ok(match self {
            Self::Chat(chat) => chat.bodies_of(transaction, snapshot, hashes).await?,
            Self::Agent(agent) => agent.bodies_of(transaction, snapshot, hashes).await?,
        })
    }

    /// Returns whether tools are compared.
    fn with_tools(&self) -> Result<bool> {
        Ok(match self {
            Self::Chat(chat) => chat.record()?.tools.pins_tools(),
            Self::Agent(_) => true,
        })
    }

    /// Returns the number of the renderer whose treatments are compared.
    fn renderer(&self) -> Result<i64> {
        Ok(match self {
            Self::Chat(chat) => renderer_of(chat.record()?),
            Self::Agent(_) => Renderer::CURRENT.number(),
        })
    }

    /// Returns the mode of the chat, or the usual one for an agent's heads.
    fn mode(&self) -> Result<Mode> {
        Ok(match self {
            Self::Chat(chat) => chat.record()?.mode,
            Self::Agent(_) => Mode::default(),
        })
    }
}

impl DiffView {
    /// Returns the id of the first snapshot.
    pub fn pinned(&self) -> Option<SnapshotId> {
        self.compared.pinned.as_ref().map(|(id, _)| *id)
    }

    /// Returns the id of the second snapshot.
    pub fn head(&self) -> Option<SnapshotId> {
        self.compared.head.as_ref().map(|(id, _)| *id)
    }

    /// Returns the working directory of the second snapshot, or of the first without a second.
    pub fn directory(&self) -> Option<&str> {
        let Compared { pinned, head, .. } = &*self.compared;
        let (_, snapshot) = head.as_ref().or(pinned.as_ref())?;
        snapshot.facts.directory.as_deref()
    }

    /// Returns the changes, in order. `None` stands for a difference that is too large for the response; the
    /// caller requests it by its resource.
    pub fn changes(&self) -> Vec<(Change<'_>, Option<&Difference>)> {
        let changes = self.compared.changes();
        let differences = self.differences.iter();
        differences
            .map(|(index, found)| (changes[*index], found.as_ref()))
            .collect()
    }

    /// Returns the id of a change of the view. `None` if a side is missing, so that there are no changes.
    pub fn id_of(&self, change: &Change<'_>) -> Option<PendingChangeId> {
        let Compared { pinned, head, .. } = &*self.compared;
        let ((_, pinned), (_, head)) = (pinned.as_ref()?, head.as_ref()?);
        Some(PendingChangeId::of(change, pinned, head))
    }

    /// Returns about how many bytes the view has.
    pub fn weight(&self) -> u64 {
        let differences = self
            .differences
            .iter()
            .filter_map(|(_, found)| found.as_ref());
        self.compared.weight() + differences.map(Difference::bytes).sum::<u64>()
    }

    /// Returns the treatments of the bodies of both sides, by the renderer of the chat's prompt.
    pub fn sides(&self) -> Sides<'_> {
        let Compared { pinned, head, .. } = &*self.compared;
        Sides::of(
            pinned.as_ref().map(|(_, snapshot)| &**snapshot),
            head.as_ref().map(|(_, snapshot)| &**snapshot),
            self.compared.renderer,
            self.compared.mode,
        )
    }
}

/// Two snapshots to compare.
#[derive(Debug)]
struct Compared {
    pinned: Option<(SnapshotId, Arc<TreatedSnapshot>)>,
    head: Option<(SnapshotId, Arc<TreatedSnapshot>)>,
    /// Whether tools are compared.
    with_tools: bool,
    /// The number of the renderer of the chat's prompt, or of the newest one for an agent's heads. The comparison uses
    /// its treatments of both sides.
    renderer: i64,
    /// The mode of the chat.
    mode: Mode,
}

/// The selection of a comparison's changes for a response.
struct Plan {
    /// The requested changes, by their place.
    asked: Vec<usize>,
    /// Whether one resource is requested. Then the response names the files that exceed a limit.
    is_alone: bool,
    /// Whether the response marks the words that differ in a line.
    with_words: bool,
    with_all_lines: bool,
    /// The blobs to read: those that differ, of as many changes as fit.
    blobs: BTreeSet<BlobHash>,
    /// The bytes of these blobs.
    bytes: u64,
}

impl Plan {
    fn of(changes: &[Change<'_>], request: DiffRequest) -> Self {
        let is_asked = |change: &Change<'_>| {
            let mut sides = [change.pinned, change.head].into_iter().flatten();
            request
                .resource
                .is_none_or(|id| sides.any(|side| side.id() == id))
        };
        let asked = (0..changes.len()).filter(|index| is_asked(&changes[*index]));
        let mut plan = Self {
            asked: asked.collect(),
            is_alone: request.resource.is_some(),
            with_words: request.with_words,
            with_all_lines: request.with_all_lines,
            blobs: BTreeSet::new(),
            bytes: 0,
        };
        let asked = plan.asked.iter().map(|index| &changes[*index]);
        for pair in asked.flat_map(pairs) {
            let bytes: u64 = pair.stored().map(|stored| stored.size).sum();
            if plan.bytes + bytes <= READ_BYTES_MAX {
                plan.bytes += bytes;
                plan.blobs.extend(pair.stored().map(|stored| stored.hash));
            }
        }
        plan
    }
}

impl Compared {
    async fn read(
        transaction: &mut Transaction,
        reader: &Reader,
        request: DiffRequest,
    ) -> Result<Self> {
        let [pin, head] = reader.usual_sides()?;
        let mut sides = [None, None];
        for (side, id) in sides
            .iter_mut()
            .zip([request.from.or(pin), request.to.or(head)])
        {
            if let Some(id) = id {
                *side = Some((
                    id,
                    reader.snapshot(transaction, id, request.with_heads).await?,
                ));
            }
        }
        let [pinned, head] = sides;
        Ok(Self {
            pinned,
            head,
            with_tools: reader.with_tools()?,
            renderer: reader.renderer()?,
            mode: reader.mode()?,
        })
    }

    fn weight(&self) -> u64 {
        let sides = [&self.pinned, &self.head].into_iter().flatten();
        sides.map(|(_, snapshot)| weight(snapshot)).sum()
    }

    fn changes(&self) -> Vec<Change<'_>> {
        match (&self.pinned, &self.head) {
            (Some((_, pinned)), Some((_, head))) => changes(pinned, head, self.with_tools),
            _ => Vec::new(),
        }
    }

    async fn bodies(
        &self,
        transaction: &mut Transaction,
        reader: &Reader,
        plan: &Plan,
    ) -> Result<Bodies> {
        let mut bodies = Bodies::new();
        for (_, snapshot) in [&self.pinned, &self.head].into_iter().flatten() {
            let of_side = reader.bodies_of(transaction, snapshot, &plan.blobs);
            bodies.extend(of_side.await?);
        }
        Ok(bodies)
    }

    fn differences(
        &self,
        changes: &[Change<'_>],
        plan: &Plan,
        bodies: &Bodies,
        watch: &Watch,
    ) -> Vec<(usize, Option<Difference>)> {
        let (Some((_, pinned)), Some((_, head))) = (&self.pinned, &self.head) else {
            return Vec::new();
        };
        let snapshots = (&pinned.snapshot, &head.snapshot);
        let mut left = match plan.is_alone {
            true => CHANGE_ALONE_BYTES_MAX,
            false => CHANGES_BYTES_MAX,
        };
        let is_over = || watch.is_over();
        let differences = plan.asked.iter().map(|index| {
            let change = &changes[*index];
            let sides = [change.pinned, change.head].into_iter().flatten();
            let listing: u64 = sides.map(Resource::json_bytes).sum();
            let budget = |left: u64| Budget {
                bounds: Bounds {
                    bytes_max: left,
                    deadline: watch.deadline(),
                    with_words: plan.with_words,
                    context_lines: match plan.with_all_lines {
                        true => ALL_LINES,
                        false => CONTEXT_LINES,
                    },
                },
                is_over: &is_over,
            };
            // The facts are short, and cannot be requested alone.
            let is_whole = !plan.is_alone && change.subject != Subject::Facts;
            let difference = match is_whole {
                false => {
                    let budget = budget(left.saturating_sub(listing));
                    Some(Difference::within(change, snapshots, bodies, budget))
                }
                true => left
                    .checked_sub(listing)
                    .filter(|_| !is_over())
                    .and_then(|left| Difference::whole(change, snapshots, bodies, budget(left))),
            };
            if let Some(difference) = &difference {
                left = left.saturating_sub(listing + difference.bytes());
            }
            (*index, difference)
        });
        differences.collect()
    }
}
