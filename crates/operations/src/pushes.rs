//! The requests of agents: open a session, upload blobs, and push snapshots.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ctxpin_model::access::Operation;
use ctxpin_model::agent::{AgentRecord, PushRefused, Session, SessionRequest};
use ctxpin_model::hash::{BlobHash, SnapshotId};
use ctxpin_model::id::{AgentId, UserId};
use ctxpin_model::limits::{BLOB_UPLOAD_BYTES_MAX, format_bytes};
use ctxpin_model::manifest::agent_blobs::AgentBlobs;
use ctxpin_model::manifest::judge::judge;
use ctxpin_model::moment::Moment;
use ctxpin_model::pin::Rendered;
use ctxpin_model::push::{Position, Push, PushOutcome, Verdict, verdict};
use ctxpin_model::quota::{Limit, Rate, Stock, require_room};
use ctxpin_model::resource::Bodies;
use ctxpin_model::snapshot::{Addresses, Snapshot};
use ctxpin_model::token::Credential;
use ctxpin_model::treatment::{TreatedSnapshot, Treatments};
use ctxpin_render::renderer::Renderer;
use ctxpin_store::agents::PushMarks;
use ctxpin_store::blobs::Upload;
use ctxpin_store::database::Transaction;
use ctxpin_store::deed::Deed;
use ctxpin_store::grant::{Caller, Granted, Sighting, object, right};
use ctxpin_store::sealed::Sealed;

use crate::error::{Error, Result};
use crate::frame::{ATTEMPT_UNDER_LOCKS, audited, commit, retry, write};
use crate::prompts::{Prompt, Source, manifest_weight};
use crate::service::Service;
use crate::treatments::treated;

/// The longest work on one push. A snapshot at every limit takes a tenth of it.
const PUSHING_TIME_MAX: Duration = Duration::from_secs(10);

fn push_marks(push: &Push, at: Moment) -> PushMarks<'_> {
    PushMarks {
        version: push.position.version,
        mcp_settled: push.mcp_settled,
        notes: &push.notes,
        at,
    }
}

/// Opens the session of a process. A process that repeats the request gets its session again; agents do this to
/// show that they are alive, and to say whether they poll files.
///
/// # Errors
///
/// Returns [`Error::Fenced`] if a newer process has opened a session, and [`Error::AgentReplaced`] if another agent
/// has replaced this one.
pub async fn session_open(
    service: &Service,
    credential: Credential,
    request: impl Into<SessionRequest>,
) -> Result<Session> {
    let request = &request.into();
    write(service, credential, Operation::SessionOpen, None, |_| {
        session_open_once(service, credential, request)
    })
    .await
}

async fn session_open_once(
    service: &Service,
    credential: Credential,
    request: &SessionRequest,
) -> Result<Session> {
    let process = request.process;
    let caller = service.caller(credential);
    let mut reading = service.database.read().await?;
    let own = reading
        .grant_own_agent(&caller, Operation::SessionOpen)
        .await?;
    let agent = own.record()?.clone();
    require_not_replaced(&agent)?;
    if agent.polling == request.polling
        && let Some(epoch) = own.session(&mut reading, process).await?
    {
        // An idle agent does this every 30 seconds, so it takes no lock and writes nothing.
        let session = session_of(service, &agent, epoch)?;
        service.database.last_used().agent_seen(agent.id);
        return Ok(session);
    }
    let sighting = own.sighting();
    drop(reading);
    let mut transaction = service.database.write().await?;
    let granted = lock_agent(&mut transaction, &caller, sighting).await?;
    let agent = granted.record()?.clone();
    require_not_replaced(&agent)?;
    if let Some(epoch) = granted.session(&mut transaction, process).await? {
        let session = session_of(service, &agent, epoch)?;
        let polling = request.polling.as_ref();
        granted.polling_set(&mut transaction, polling).await?;
        let deed = granted.unaudited("how an agent notices changes moves nothing");
        commit(service, transaction, deed).await?;
        return Ok(session);
    }
    let epoch = agent.epoch + 1;
    granted
        .session_open(&mut transaction, request, epoch, caller.now)
        .await?;
    let deed = granted.unaudited("a session only changes which process may push");
    commit(service, transaction, deed).await?;
    Ok(Session {
        agent: agent.id,
        epoch,
        head: agent.head,
        profile: agent.profile,
        warnings: service.quota_warnings(agent.owner),
        token_expires_at: agent.token_expires_at,
    })
}

/// Returns the session of a process that has opened it before.
fn session_of(service: &Service, agent: &AgentRecord, epoch: i64) -> Result<Session> {
    if epoch == agent.epoch {
        Ok(Session {
            agent: agent.id,
            epoch,
            head: agent.head,
            profile: agent.profile,
            warnings: service.quota_warnings(agent.owner),
            token_expires_at: agent.token_expires_at,
        })
    } else {
        Err(Error::Fenced {
            current: agent.epoch,
            offered: epoch,
        })
    }
}

/// Locks one agent and checks the caller again.
pub(crate) async fn lock_agent(
    transaction: &mut Transaction,
    caller: &Caller,
    sighting: Sighting<AgentId>,
) -> Result<Granted<object::Agent, right::Write>> {
    let mut granted = transaction.grant_agents_locked(caller, &[sighting]).await?;
    granted.pop().ok_or_else(Error::overtaken)
}

/// Checks that no other agent has replaced this one.
pub(crate) fn require_not_replaced(agent: &AgentRecord) -> Result<()> {
    agent.replaced_by.map_or(Ok(()), |successor| {
        Err(Error::AgentReplaced(
            Some(successor).filter(|successor| *successor != agent.id),
        ))
    })
}

/// Checks that the process is the newest one, and that no other agent has replaced this one.
pub(crate) fn require_epoch(agent: &AgentRecord, offered: i64) -> Result<()> {
    require_not_replaced(agent)?;
    if agent.epoch == offered {
        Ok(())
    } else {
        Err(Error::Fenced {
            current: agent.epoch,
            offered,
        })
    }
}

/// Checks that a push is under the agent's profile.
fn require_profile(agent: &AgentRecord, push: &Push) -> Result<()> {
    let pushed = push.manifest.claims().facts.profile_rules().profile;
    match pushed == agent.profile {
        true => Ok(()),
        false => Err(Error::WrongProfile {
            agent: agent.profile,
            pushed,
        }),
    }
}

/// Stores a blob for a push that follows. The response does not reveal whether the server had it already.
///
/// # Errors
///
/// Returns [`Error::SyncPaused`] while the operator pauses all pushes, [`Error::TooLarge`] if the blob is too
/// large or too many of the agent's uploads wait for a push, [`Error::HashMismatch`] if the hash is not that of
/// the bytes, [`Error::QuotaExceeded`] if the blob exceeds the content quota of the agent's owner or the
/// agent's upload rate per minute, [`Error::Fenced`] if a newer process of the agent has taken over, and
/// [`Error::AgentReplaced`] if another agent has replaced this one.
pub async fn blob_upload(
    service: &Service,
    credential: Credential,
    epoch: i64,
    claimed: BlobHash,
    bytes: Arc<[u8]>,
) -> Result<()> {
    service.require_sync()?;
    if bytes.len() as u64 > BLOB_UPLOAD_BYTES_MAX {
        let most = format_bytes(BLOB_UPLOAD_BYTES_MAX);
        return Err(Error::TooLarge(format!("a file may have at most {most}")));
    }
    let computed = BlobHash::of(&bytes);
    if computed != claimed {
        return Err(Error::HashMismatch { claimed, computed });
    }
    let outcome =
        retry(|attempt| blob_upload_once(service, credential, epoch, claimed, &bytes, attempt))
            .await;
    record_exceeded(service, credential, Operation::BlobUpload, &outcome).await;
    audited(service, credential, Operation::BlobUpload, None, outcome).await
}

/// Records on the agent that it exceeded a quota or a rate, so that readers of its chats know that its head may
/// be out of date.
async fn record_exceeded<T>(
    service: &Service,
    credential: Credential,
    operation: Operation,
    outcome: &Result<T>,
) {
    let Err(Error::QuotaExceeded(exceeded)) = outcome else {
        return;
    };
    let limit = exceeded.limit;
    let recorded = retry(|_| record_exceeded_once(service, credential, operation, limit)).await;
    if let Err(error) = recorded {
        tracing::warn!(%error, "could not record that an agent exceeded a limit");
    }
}

async fn record_exceeded_once(
    service: &Service,
    credential: Credential,
    operation: Operation,
    limit: Limit,
) -> Result<()> {
    let caller = service.caller(credential);
    let mut reading = service.database.read().await?;
    let own = reading.grant_own_agent(&caller, operation).await?;
    let refused = own.record()?.refused;
    if refused.is_some_and(|refused| refused.is_recorded(limit, caller.now)) {
        return Ok(());
    }
    let sighting = own.sighting();
    drop(reading);
    let mut transaction = service.database.write().await?;
    let granted = lock_agent(&mut transaction, &caller, sighting).await?;
    let refused = PushRefused {
        limit,
        at: caller.now,
    };
    granted.push_refused(&mut transaction, refused).await?;
    let deed = granted.unaudited("the agent's record shows it");
    commit(service, transaction, deed).await
}

async fn blob_upload_once(
    service: &Service,
    credential: Credential,
    epoch: i64,
    hash: BlobHash,
    bytes: &Arc<[u8]>,
    attempt: u32,
) -> Result<()> {
    let caller = service.caller(credential);
    let mut reading = service.database.read().await?;
    let own = reading
        .grant_own_agent(&caller, Operation::BlobUpload)
        .await?;
    let size = bytes.len() as u64;
    if attempt == 1 {
        service.require_rate(Rate::UploadBytes, own.id().uuid(), size, caller.now)?;
    }
    let sighting = own.sighting();
    drop(reading);
    let mut transaction = service.database.write().await?;
    let granted = lock_agent(&mut transaction, &caller, sighting).await?;
    require_epoch(granted.record()?, epoch)?;
    let contents = [(hash, size)].into();
    let new_bytes = record_contents(service, &mut transaction, &granted, &contents).await?;
    match granted
        .upload(&mut transaction, hash, bytes, caller.now)
        .await?
    {
        Upload::Kept => {
            add_content_bytes(service, &mut transaction, &granted, new_bytes).await?;
            let deed = Deed::unaudited("an upload has no effect until a push uses it");
            commit(service, transaction, deed).await
        }
        Upload::Full => Err(Error::TooLarge(
            "this agent has uploaded too much; push a snapshot that uses it first".into(),
        )),
    }
}

/// Records contents as sent by the agent's owner, before any of them is written. Returns how many bytes are new
/// to the owner. Fails if the owner has no room for them.
async fn record_contents(
    service: &Service,
    transaction: &mut Transaction,
    granted: &Granted<object::Agent, right::Write>,
    contents: &BTreeMap<BlobHash, u64>,
) -> Result<u64> {
    let sent = granted.contents_record(transaction, contents).await?;
    let quota_default = service.quotas.amounts.content_bytes;
    let quota = sent.quota.unwrap_or(quota_default);
    require_room(Stock::ContentBytes, sent.used, sent.new_bytes, quota)?;
    Ok(sent.new_bytes)
}

/// Adds the new bytes to the owner's total. This locks the owner, so it follows all locks of agents and chats.
async fn add_content_bytes(
    service: &Service,
    transaction: &mut Transaction,
    granted: &Granted<object::Agent, right::Write>,
    new_bytes: u64,
) -> Result<()> {
    if new_bytes == 0 {
        return Ok(());
    }
    let quota_default = service.quotas.amounts.content_bytes;
    let added = granted.content_bytes_add(transaction, new_bytes, quota_default);
    match added.await? {
        true => Ok(()),
        // Another agent used up the room meanwhile. The retry returns the quota error.
        false => Err(Error::overtaken()),
    }
}

/// Handles a push. [`verdict`] decides whether its snapshot becomes the agent's head; if so, the chats that wait
/// for a pin are pinned to it.
///
/// # Errors
///
/// Returns [`Error::SyncPaused`] while the operator pauses all pushes, [`Error::WrongProfile`] if the push is not
/// under the agent's profile, [`Error::MissingBlobs`] if the agent must upload blobs first, [`Error::QuotaExceeded`] if the push exceeds the content quota of the agent's owner
/// or the agent's push rate per minute, [`Error::Fenced`] if a newer process of the agent has taken over,
/// [`Error::AgentReplaced`] if another agent has replaced this one, and [`Error::Busy`] if too many of the
/// owner's requests wait already.
pub async fn push(service: &Service, credential: Credential, push: Push) -> Result<PushOutcome> {
    service.require_sync()?;
    let push = Arc::new(push);
    let outcome = retry(|attempt| push_once(service, credential, &push, attempt)).await;
    record_exceeded(service, credential, Operation::ContextPush, &outcome).await;
    audited(service, credential, Operation::ContextPush, None, outcome).await
}

/// The snapshot of a push, computed before the writing transaction, and what it is based on.
struct Prepared {
    sighting: Sighting<AgentId>,
    replaced: Vec<Sighting<AgentId>>,
    head_before: Option<SnapshotId>,
    snapshot: Sealed<Arc<TreatedSnapshot>>,
    /// The treatments of the snapshot's bodies, without the treatments that are stored already.
    treatments: Sealed<Treatments>,
    addresses: Addresses,
    /// `None` if no chat waited for a pin.
    prompt: Option<Prompt>,
}

async fn push_once(
    service: &Service,
    credential: Credential,
    push: &Arc<Push>,
    attempt: u32,
) -> Result<PushOutcome> {
    let caller = service.caller(credential);
    let prepared = match prepare(service, &caller, push, attempt).await? {
        Ok(prepared) => prepared,
        Err(pushed) => return Ok(pushed),
    };
    let mut transaction = service.database.write().await?;
    let sighted: Vec<_> = std::iter::once(prepared.sighting)
        .chain(prepared.replaced.iter().copied())
        .collect();
    let mut grants = transaction
        .grant_agents_locked(&caller, &sighted)
        .await?
        .into_iter();
    let granted = grants.next().ok_or_else(Error::overtaken)?;
    let replaced: Vec<_> = grants.collect();
    let agent = granted.record()?.clone();
    if agent.head.map(|head| head.snapshot) != prepared.head_before {
        // The agent may have the bytes of the old head, but not those of the new one.
        return Err(Error::overtaken());
    }
    match require_unfenced(&agent, push, &prepared.addresses)? {
        Verdict::Accepted => {
            let locked = LockedAgents {
                service,
                granted: &granted,
                replaced: &replaced,
                now: caller.now,
                attempt,
            };
            let pushed = accept(&mut transaction, &locked, push, &prepared).await?;
            let deed = granted.unaudited("the agent's timeline shows it");
            let deed = deed.waking(replaced.iter().map(Granted::topic));
            commit(service, transaction, deed).await?;
            Ok(pushed)
        }
        verdict
        @ (Verdict::Fenced | Verdict::NotNewer | Verdict::Repeated | Verdict::Unchanged) => {
            if verdict == Verdict::Unchanged {
                granted
                    .push_unchanged(&mut transaction, &push_marks(push, caller.now))
                    .await?;
                const REASON: &str = "the head stays as it is";
                let deed = match agent.mcp_settled == push.mcp_settled {
                    true => Deed::unaudited(REASON),
                    false => granted.unaudited(REASON),
                };
                commit(service, transaction, deed).await?;
            }
            Ok(PushOutcome {
                verdict,
                head: agent.head,
                hydrated: 0,
            })
        }
    }
}

fn require_unfenced(agent: &AgentRecord, push: &Push, addresses: &Addresses) -> Result<Verdict> {
    require_not_replaced(agent)?;
    let current = Position {
        epoch: agent.epoch,
        version: agent.version,
    };
    let is_head = agent.head.is_some_and(|head| head.snapshot == addresses.id);
    match verdict(current, push.position, is_head) {
        Verdict::Fenced => Err(Error::Fenced {
            current: current.epoch,
            offered: push.position.epoch,
        }),
        verdict @ (Verdict::NotNewer
        | Verdict::Repeated
        | Verdict::Unchanged
        | Verdict::Accepted) => Ok(verdict),
    }
}

/// The data that the snapshot of a push is computed from.
struct Basis {
    sighting: Sighting<AgentId>,
    user: UserId,
    /// Whether the push seems to repeat the head. Then only the fields above and the head are read.
    is_repeat: bool,
    replaced: Vec<Sighting<AgentId>>,
    head_before: Option<SnapshotId>,
    known: Sealed<Known>,
    /// The bodies of unchanged instruction files. `None` if no chat waits for a pin.
    stored: Option<Sealed<Bodies>>,
}

/// What the agent is known to have.
struct Known {
    head: Option<Arc<TreatedSnapshot>>,
    blobs: AgentBlobs,
}

impl Known {
    fn new(
        head: Option<Arc<TreatedSnapshot>>,
        uploads: BTreeMap<BlobHash, u64>,
        inline: &Bodies,
    ) -> Self {
        let head_plain = head.as_deref().map(|head| &head.snapshot);
        let mut blobs = AgentBlobs::new(head_plain, uploads);
        blobs.add(inline);
        Self { head, blobs }
    }

    fn with(mut self, bodies: &Bodies) -> Self {
        self.blobs.add(bodies);
        self
    }

    /// Returns the head without its treatments.
    fn head(&self) -> Option<&Snapshot> {
        self.head.as_deref().map(|head| &head.snapshot)
    }
}

/// Computes the snapshot of a push and renders its prompt, with no lock held and no transaction open. Returns the
/// outcome instead if the push is not newer.
async fn prepare(
    service: &Service,
    caller: &Caller,
    push: &Arc<Push>,
    attempt: u32,
) -> Result<std::result::Result<Prepared, PushOutcome>> {
    let basis = match read_basis(service, caller, push, attempt).await? {
        Ok(basis) => basis,
        Err(pushed) => return Ok(Err(pushed)),
    };
    let read = basis.known.disclose(|known| bytes_of(known.blobs.read()));
    let stored = basis.stored.as_ref();
    let stored = stored.map_or(0, |stored| stored.disclose(bytes_of));
    let bytes = read + stored + manifest_weight(&push.manifest);
    let (push, user) = (Arc::clone(push), basis.user);
    let work = move |_: &_| compute(basis, &push);
    let prepared = service.workshop.work(user, bytes, PUSHING_TIME_MAX, work);
    prepared.await?.map(Ok)
}

/// Returns the number of bytes of all bodies.
pub(crate) fn bytes_of(bodies: &Bodies) -> u64 {
    bodies.values().map(|bytes| bytes.len() as u64).sum()
}

/// Reads what the snapshot of a push is computed from, or returns the outcome if the push is not newer.
async fn read_basis(
    service: &Service,
    caller: &Caller,
    push: &Push,
    attempt: u32,
) -> Result<std::result::Result<Basis, PushOutcome>> {
    let mut reading = service.database.read().await?;
    let own = reading
        .grant_own_agent(caller, Operation::ContextPush)
        .await?;
    let agent = own.record()?;
    require_epoch(agent, push.position.epoch)?;
    require_profile(agent, push)?;
    if attempt == 1 {
        let inline = bytes_of(push.manifest.blobs());
        service.require_rate(Rate::Pushes, agent.id.uuid(), 1, caller.now)?;
        service.require_rate(Rate::UploadBytes, agent.id.uuid(), inline, caller.now)?;
    }
    if push.position.version < agent.version {
        return Ok(Err(PushOutcome {
            verdict: Verdict::NotNewer,
            head: agent.head,
            hydrated: 0,
        }));
    }
    let head_before = agent.head.map(|head| head.snapshot);
    let head = own.head_snapshot(&mut reading).await?;
    let uploads = own.uploads(&mut reading, caller.now).await?;
    let known = head.map(|head| Known::new(head, uploads, push.manifest.blobs()));
    let missing = known.disclose(|known| push.manifest.missing(&known.blobs));
    if !missing.is_empty() {
        return Err(Error::MissingBlobs(missing));
    }
    let to_read = known.disclose(|known| push.manifest.to_read(known.head(), &known.blobs));
    let read = own.proved_bodies(&mut reading, &to_read).await?;
    let known = known.zip(read).map(|(known, read)| known.with(&read));
    let seems_to_repeat = |head: &Snapshot| attempt == 1 && push.manifest.seems_to_repeat(head);
    let mut basis = Basis {
        sighting: own.sighting(),
        user: own.owner(),
        is_repeat: known.disclose(|known| known.head().is_some_and(seems_to_repeat)),
        replaced: Vec::new(),
        head_before,
        known,
        stored: None,
    };
    if basis.is_repeat {
        return Ok(Ok(basis));
    }
    basis.replaced = own.replaced_chain(&mut reading).await?;
    if own.has_chats_to_pin(&mut reading, &basis.replaced).await? {
        let hashes = push.manifest.instruction_bodies();
        let stored = hashes.filter(|hash| !push.manifest.blobs().contains_key(hash));
        basis.stored = Some(own.proved_bodies(&mut reading, &stored.collect()).await?);
    }
    Ok(Ok(basis))
}

/// Computes the snapshot of a push, its treatments and its prompt.
fn compute(basis: Basis, push: &Push) -> Result<Prepared> {
    let Basis {
        sighting,
        is_repeat,
        replaced,
        head_before,
        known,
        stored,
        ..
    } = basis;
    let judged = known.map(|known| (judge(&push.manifest, known.head(), &known.blobs), known));
    let addresses = judged.disclose(|(snapshot, _)| snapshot.addresses());
    if is_repeat && head_before != Some(addresses.id) {
        // The push does not repeat the head after all. The next attempt reads the rest.
        return Err(Error::overtaken());
    }
    let (snapshot, rest) = judged
        .map(|(snapshot, known)| {
            let read = known.blobs.read();
            let (snapshot, treatments) = treated(snapshot, known.head.as_deref(), read);
            (Arc::new(snapshot), (treatments, known))
        })
        .unzip();
    let (treatments, known) = rest.unzip();
    let prompt = stored
        .filter(|_| head_before != Some(addresses.id))
        .map(|stored| {
            let bodies = stored.zip(known).map(|(mut bodies, known)| {
                bodies.extend(known.blobs.read().clone());
                bodies
            });
            Source::Bodies(snapshot.clone().zip(bodies)).rendered()
        });
    Ok(Prepared {
        sighting,
        replaced,
        head_before,
        snapshot,
        treatments,
        addresses,
        prompt,
    })
}

/// The locked agent that pushes, and the locked agents that it replaces.
struct LockedAgents<'g> {
    service: &'g Service,
    granted: &'g Granted<object::Agent, right::Write>,
    replaced: &'g [Granted<object::Agent, right::Write>],
    now: Moment,
    /// The number of the attempt, counted from 1.
    attempt: u32,
}

/// Writes an accepted push, and pins the chats that wait for a pin.
async fn accept(
    transaction: &mut Transaction,
    locked: &LockedAgents<'_>,
    push: &Push,
    prepared: &Prepared,
) -> Result<PushOutcome> {
    let (snapshot, addresses) = (&prepared.snapshot, &prepared.addresses);
    let LockedAgents {
        service,
        granted,
        replaced,
        now,
        attempt,
    } = *locked;
    let stored = snapshot.disclose(|snapshot| snapshot.stored());
    let mut inline = push.manifest.blobs().clone();
    inline.retain(|hash, _| stored.contains(hash));
    let contents = snapshot.disclose(|snapshot| contents_sent(snapshot, &inline));
    let new_bytes = record_contents(service, transaction, granted, &contents).await?;
    granted.blobs_insert(transaction, &inline).await?;
    let treatments = &prepared.treatments;
    granted.treatments_insert(transaction, treatments).await?;
    granted
        .snapshot_insert(transaction, snapshot, addresses, now)
        .await?;
    let head = granted
        .head_append(transaction, &push_marks(push, now), addresses)
        .await?;
    granted.uploads_used(transaction, &stored).await?;
    let mut hydrated = 0;
    if granted.lock_chats_to_pin(transaction, replaced).await? > 0 {
        let context = addresses.context_hash;
        let late;
        let prompt = match &prepared.prompt {
            Some(prompt) => prompt,
            // A chat began to wait since it was read.
            None if attempt < ATTEMPT_UNDER_LOCKS => return Err(Error::overtaken()),
            None => {
                let at_hand = push.manifest.blobs();
                let source = Source::of_push(transaction, granted, context, snapshot, at_hand);
                let source = source.await?;
                let bytes = source.weight();
                let render = move |_: &_| source.rendered();
                late = service.workshop.under_locks(bytes, render).await?;
                &late
            }
        };
        let renderer = Renderer::CURRENT.number();
        let prompt = match prompt {
            Prompt::Kept(hash) => *hash,
            Prompt::Rendered(text) => {
                granted
                    .prompt_keep(transaction, context, renderer, text)
                    .await?
            }
        };
        let rendered = Rendered { prompt, renderer };
        hydrated += granted
            .hydrate(transaction, &head, rendered, push.mcp_settled)
            .await?;
        for old in replaced {
            hydrated += granted
                .rebind_from(transaction, old, &head, rendered, push.mcp_settled)
                .await?;
        }
    }
    for old in replaced {
        old.mark_replaced(transaction, granted.id()).await?;
    }
    add_content_bytes(service, transaction, granted, new_bytes).await?;
    Ok(PushOutcome {
        verdict: Verdict::Accepted,
        head: Some(head),
        hydrated,
    })
}

/// Returns the sizes of the stored contents that came with a push: its blobs, and the details of resources,
/// which are part of the manifest. The server may have some of these contents already.
fn contents_sent(snapshot: &Snapshot, inline: &Bodies) -> BTreeMap<BlobHash, u64> {
    let inline = inline
        .iter()
        .map(|(hash, bytes)| (*hash, bytes.len() as u64));
    let details = snapshot.resources.iter().filter_map(|resource| {
        let json = resource.detail.as_ref()?.canonical_json();
        Some((BlobHash::of(&json), json.len() as u64))
    });
    inline.chain(details).collect()
}
