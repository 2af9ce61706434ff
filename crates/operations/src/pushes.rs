//! What an agent does: it opens a session, sends bytes ahead and pushes snapshots.

use std::collections::BTreeSet;
use std::sync::Arc;

use ctxpin_model::access::Operation;
use ctxpin_model::agent::{AgentRecord, Head};
use ctxpin_model::hash::{BlobHash, SnapshotId};
use ctxpin_model::id::{AgentId, ProcessId};
use ctxpin_model::limits::PROMPT_FILE_BYTES_MAX;
use ctxpin_model::moment::Moment;
use ctxpin_model::pin::Rendered;
use ctxpin_model::push::{Known, Offered, Verdict, verdict};
use ctxpin_model::resource::{Bodies, Resource};
use ctxpin_model::snapshot::{Addresses, Snapshot};
use ctxpin_model::token::Credential;
use ctxpin_model::treatment::{TreatedSnapshot, Treatments};
use ctxpin_model::warning::Note;
use ctxpin_render::renderer::Renderer;
use ctxpin_store::agents::PushMarks;
use ctxpin_store::blobs::Upload;
use ctxpin_store::database::Transaction;
use ctxpin_store::grant::{Caller, Granted, Sighting, object, right};
use ctxpin_store::wake::Topic;

use crate::error::{Error, Result, attempt};
use crate::ingest::{self, Proved};
use crate::prompts::Prompt;
use crate::service::Service;
use crate::treatments::treated;

/// What an agent pushes.
#[derive(Debug, Clone)]
pub struct Push {
    /// The epoch that its process was given.
    pub epoch: i64,
    /// Its number within the epoch, from 1 upwards.
    pub version: i64,
    /// Whether every MCP server has answered or failed.
    pub mcp_settled: bool,
    /// What was found, every hash being a claim.
    pub manifest: Snapshot,
    /// What there is to know of the workspace that no resource tells.
    pub notes: Vec<Note>,
    /// Bytes that come with it, by the hash that the sender says they have.
    pub inline: Bodies,
}

impl Push {
    fn marks(&self, at: Moment) -> PushMarks<'_> {
        PushMarks {
            version: self.version,
            mcp_settled: self.mcp_settled,
            notes: &self.notes,
            at,
        }
    }
}

/// What came of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pushed {
    /// What became of it; never [`Verdict::Fenced`], which is an error.
    pub verdict: Verdict,
    /// The head after it, if there is one.
    pub head: Option<Head>,
    /// How many chats it pinned.
    pub hydrated: u64,
}

/// An open session.
#[derive(Debug, Clone)]
pub struct Session {
    /// The process's number: it goes with every request.
    pub epoch: i64,
    /// The agent's head, if it has one.
    pub head: Option<Head>,
}

/// Opens the session of a process, or repeats the answer to it, which is also how an agent tells
/// that it lives. A process that a newer one replaced is refused as fenced.
pub async fn session_open(
    service: &Service,
    credential: Credential,
    process: ProcessId,
) -> Result<Session> {
    let outcome = attempt!(session_open_once(service, credential, process));
    service
        .audited(credential, Operation::SessionOpen, None, outcome)
        .await
}

async fn session_open_once(
    service: &Service,
    credential: Credential,
    process: ProcessId,
) -> Result<Session> {
    let caller = service.caller(credential);
    let mut reading = service.database.read().await?;
    let own = reading
        .grant_own_agent(&caller, Operation::SessionOpen)
        .await?;
    let agent = own.record()?.clone();
    demand_in_force(&agent)?;
    if let Some(epoch) = own.session(&mut reading, process).await? {
        // What an idle agent does every half a minute locks and writes nothing.
        let session = session_again(&agent, epoch)?;
        service.database.signs().agent(agent.id);
        return Ok(session);
    }
    let sighting = own.sighting(Operation::SessionOpen);
    drop(reading);
    let mut transaction = service.database.write().await?;
    let granted = lock_one(&mut transaction, &caller, sighting).await?;
    let agent = granted.record()?.clone();
    demand_in_force(&agent)?;
    if let Some(epoch) = granted.session(&mut transaction, process).await? {
        return session_again(&agent, epoch);
    }
    let epoch = agent.epoch + 1;
    granted
        .session_open(&mut transaction, process, epoch, caller.now)
        .await?;
    transaction.commit().await?;
    service.wakes.publish(Topic::Agent {
        owner: agent.owner,
        agent: agent.id,
    });
    Ok(Session {
        epoch,
        head: agent.head,
    })
}

/// The answer to a process that has opened its session before.
fn session_again(agent: &AgentRecord, epoch: i64) -> Result<Session> {
    if epoch == agent.epoch {
        Ok(Session {
            epoch,
            head: agent.head,
        })
    } else {
        Err(Error::Fenced {
            current: agent.epoch,
            offered: epoch,
        })
    }
}

async fn lock_one(
    transaction: &mut Transaction,
    caller: &Caller,
    sighting: Sighting<AgentId>,
) -> Result<Granted<object::Agent, right::Write>> {
    let mut granted = transaction.grant_agents_locked(caller, &[sighting]).await?;
    granted.pop().ok_or_else(Error::overtaken)
}

/// Refuses an agent that was replaced.
pub(crate) fn demand_in_force(agent: &AgentRecord) -> Result<()> {
    agent.replaced_by.map_or(Ok(()), |successor| {
        Err(Error::AgentReplaced(
            Some(successor).filter(|successor| *successor != agent.id),
        ))
    })
}

/// Refuses a process that is not the newest one, and every process of an agent that was replaced.
pub(crate) fn demand_epoch(agent: &AgentRecord, offered: i64) -> Result<()> {
    demand_in_force(agent)?;
    if agent.epoch == offered {
        Ok(())
    } else {
        Err(Error::Fenced {
            current: agent.epoch,
            offered,
        })
    }
}

/// Keeps bytes that the agent sends ahead of a push. The answer does not tell whether the server
/// had them.
pub async fn blob_upload(
    service: &Service,
    credential: Credential,
    epoch: i64,
    claimed: BlobHash,
    bytes: Arc<[u8]>,
) -> Result<()> {
    service.demand_sync()?;
    if bytes.len() as u64 > PROMPT_FILE_BYTES_MAX {
        let most = PROMPT_FILE_BYTES_MAX / 1024;
        return Err(Error::TooLarge(format!(
            "no file is stored that has more than {most} KiB"
        )));
    }
    let computed = BlobHash::of(&bytes);
    if computed != claimed {
        return Err(Error::HashMismatch { claimed, computed });
    }
    let outcome = attempt!(blob_upload_once(
        service, credential, epoch, claimed, &bytes
    ));
    service
        .audited(credential, Operation::BlobUpload, None, outcome)
        .await
}

async fn blob_upload_once(
    service: &Service,
    credential: Credential,
    epoch: i64,
    hash: BlobHash,
    bytes: &Arc<[u8]>,
) -> Result<()> {
    let caller = service.caller(credential);
    let mut reading = service.database.read().await?;
    let own = reading
        .grant_own_agent(&caller, Operation::BlobUpload)
        .await?;
    let sighting = own.sighting(Operation::BlobUpload);
    drop(reading);
    let mut transaction = service.database.write().await?;
    let granted = lock_one(&mut transaction, &caller, sighting).await?;
    demand_epoch(granted.record()?, epoch)?;
    match granted
        .upload(&mut transaction, hash, bytes, caller.now)
        .await?
    {
        Upload::Kept => Ok(transaction.commit().await?),
        Upload::Full => Err(Error::TooLarge(
            "this agent has sent too many bytes ahead; push what uses them first".into(),
        )),
    }
}

/// Takes a push. See [`verdict`] for what becomes of it.
pub async fn push(service: &Service, credential: Credential, push: Push) -> Result<Pushed> {
    service.demand_sync()?;
    if push.version < 1 {
        return Err(Error::InvalidManifest("`version` counts from 1".into()));
    }
    let outcome = attempt!(push_once(service, credential, &push));
    service
        .audited(credential, Operation::ContextPush, None, outcome)
        .await
}

/// What was worked out before the writing transaction, and what it holds for.
struct Prepared {
    sighting: Sighting<AgentId>,
    replaced: Vec<Sighting<AgentId>>,
    head_before: Option<SnapshotId>,
    snapshot: Arc<TreatedSnapshot>,
    /// What was worked out of its bodies and is not kept yet.
    treatments: Treatments,
    addresses: Addresses,
    /// The prompt, if there were chats to pin.
    prompt: Option<Prompt>,
}

async fn push_once(service: &Service, credential: Credential, push: &Push) -> Result<Pushed> {
    let caller = service.caller(credential);
    let mut reading = service.database.read().await?;
    let own = reading
        .grant_own_agent(&caller, Operation::ContextPush)
        .await?;
    let prepared = match prepare(&mut reading, &own, push, caller.now).await? {
        Ok(prepared) => prepared,
        Err(pushed) => return Ok(pushed),
    };
    drop(reading);
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
        // What was proved by the old head may not be by the new one.
        return Err(Error::overtaken());
    }
    match judge(&agent, push, &prepared.addresses)? {
        Verdict::Accepted => {
            let locked = Locked {
                granted: &granted,
                replaced: &replaced,
                now: caller.now,
            };
            let pushed = accept(&mut transaction, &locked, push, &prepared).await?;
            transaction.commit().await?;
            service.wakes.publish(Topic::Agent {
                owner: agent.owner,
                agent: agent.id,
            });
            for old in &replaced {
                service.wakes.publish(Topic::Agent {
                    owner: agent.owner,
                    agent: old.id(),
                });
            }
            Ok(pushed)
        }
        verdict => {
            if verdict == Verdict::Unchanged {
                granted
                    .push_unchanged(&mut transaction, &push.marks(caller.now))
                    .await?;
                transaction.commit().await?;
                if agent.mcp_settled != push.mcp_settled {
                    service.wakes.publish(Topic::Agent {
                        owner: agent.owner,
                        agent: agent.id,
                    });
                }
            }
            Ok(Pushed {
                verdict,
                head: agent.head,
                hydrated: 0,
            })
        }
    }
}

fn judge(agent: &AgentRecord, push: &Push, addresses: &Addresses) -> Result<Verdict> {
    demand_in_force(agent)?;
    let known = Known {
        epoch: agent.epoch,
        version: agent.version,
        replaced: false,
    };
    let same_content = agent.head.is_some_and(|head| head.snapshot == addresses.id);
    let offered = Offered {
        epoch: push.epoch,
        version: push.version,
        same_content,
    };
    match verdict(&known, &offered) {
        Verdict::Fenced => Err(Error::Fenced {
            current: agent.epoch,
            offered: push.epoch,
        }),
        verdict => Ok(verdict),
    }
}

/// Hashes, derives and renders before anything is locked. Answers a push at once that is not newer.
async fn prepare(
    reading: &mut Transaction,
    own: &Granted<object::Agent, right::Body>,
    push: &Push,
    now: Moment,
) -> Result<std::result::Result<Prepared, Pushed>> {
    let agent = own.record()?;
    demand_epoch(agent, push.epoch)?;
    if push.version < agent.version {
        return Ok(Err(Pushed {
            verdict: Verdict::NotNewer,
            head: agent.head,
            hydrated: 0,
        }));
    }
    let treated_head = own.head_snapshot(reading).await?;
    let head = treated_head.as_deref().map(|head| &head.snapshot);
    let mut proved = Proved::new(head, own.uploads(reading, now).await?);
    proved.add_inline(push.inline.clone())?;
    let missing = ingest::missing(&push.manifest, &proved);
    if !missing.is_empty() {
        return Err(Error::MissingBlobs(missing));
    }
    let to_read = ingest::to_read(&push.manifest, head, &proved);
    proved
        .bodies
        .extend(own.proved_bodies(reading, &to_read).await?);
    let snapshot = ingest::ingest(push.manifest.clone(), head, &proved)?;
    let addresses = snapshot.addresses();
    let (snapshot, treatments) = treated(snapshot, treated_head.as_deref(), &proved.bodies);
    let snapshot = Arc::new(snapshot);
    let head_before = agent.head.map(|head| head.snapshot);
    let (mut replaced, mut prompt) = (Vec::new(), None);
    if head_before != Some(addresses.id) {
        replaced = own.replaced_chain(reading).await?;
        if own.has_chats_to_pin(reading, &replaced).await? {
            let context = addresses.context_hash;
            prompt = Some(Prompt::of_push(reading, own, context, &snapshot, &proved.bodies).await?);
        }
    }
    let sighting = own.sighting(Operation::ContextPush);
    Ok(Ok(Prepared {
        sighting,
        replaced,
        head_before,
        snapshot,
        treatments,
        addresses,
        prompt,
    }))
}

/// The agent that pushes and those that it replaces, locked.
struct Locked<'g> {
    granted: &'g Granted<object::Agent, right::Write>,
    replaced: &'g [Granted<object::Agent, right::Write>],
    now: Moment,
}

/// Writes what became of an accepted push.
async fn accept(
    transaction: &mut Transaction,
    locked: &Locked<'_>,
    push: &Push,
    prepared: &Prepared,
) -> Result<Pushed> {
    let (snapshot, addresses) = (&prepared.snapshot, &prepared.addresses);
    let Locked {
        granted,
        replaced,
        now,
    } = *locked;
    let inline = ingest::to_store(snapshot, &push.inline);
    granted.blobs_insert(transaction, &inline).await?;
    let treatments = &prepared.treatments;
    granted.treatments_insert(transaction, treatments).await?;
    granted
        .snapshot_insert(transaction, snapshot, addresses, now)
        .await?;
    let head = granted
        .head_append(transaction, &push.marks(now), addresses)
        .await?;
    let stored: BTreeSet<_> = snapshot
        .resources
        .iter()
        .flat_map(Resource::stored)
        .collect();
    granted.uploads_used(transaction, &stored).await?;
    let mut hydrated = 0;
    if granted.lock_chats_to_pin(transaction, replaced).await? > 0 {
        let context = addresses.context_hash;
        let late;
        let prompt = match &prepared.prompt {
            Some(prompt) => prompt,
            // A chat came since the look before.
            None => {
                let at_hand = &push.inline;
                late = Prompt::of_push(transaction, granted, context, snapshot, at_hand).await?;
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
        old.replaced(transaction, granted.id()).await?;
    }
    Ok(Pushed {
        verdict: Verdict::Accepted,
        head: Some(head),
        hydrated,
    })
}
