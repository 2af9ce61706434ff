//! Snapshots, pushed or composed. A snapshot is inserted once and never changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ctxpin_model::chat::ChatRecord;
use ctxpin_model::context::ContextView;
use ctxpin_model::drift::Hashes;
use ctxpin_model::hash::{BlobHash, SnapshotId};
use ctxpin_model::mcp::Detail;
use ctxpin_model::moment::Moment;
use ctxpin_model::resource::{Applies, Bodies, Content, Kind, Resource, SkillFile, Status};
use ctxpin_model::snapshot::{Addresses, Facts, Snapshot};
use ctxpin_model::treatment::{TreatedSnapshot, TreatmentKey, Treatments};

use crate::database::{CHUNK, Transaction};
use crate::error::{Error, Result};
use crate::grant::{
    Grantable, Granted, object::Agent, object::Chat, right::Body, right::UsesBodies, right::Write,
};
use crate::resource_columns::split;
use crate::sealed::Sealed;
use crate::treatments::JoinedTreatment;
use crate::values::{Row, columns};
use crate::{blobs, treatments};

/// Returns a snapshot, from memory if it was read recently. The caller must have checked that the actor may
/// read it.
async fn read(transaction: &mut Transaction, id: SnapshotId) -> Result<Arc<TreatedSnapshot>> {
    let mut found = read_all(transaction, &[id].into()).await?;
    found.remove(&id).ok_or_else(|| missing(id))
}

/// Returns snapshots, from memory those that were read recently. The caller must have checked that the actor
/// may read them. All are in memory at once, so the list must be short.
pub(crate) async fn read_all(
    transaction: &mut Transaction,
    ids: &BTreeSet<SnapshotId>,
) -> Result<BTreeMap<SnapshotId, Arc<TreatedSnapshot>>> {
    let (mut found, mut absent) = (BTreeMap::new(), Vec::new());
    for id in ids {
        match transaction.shared().snapshots.get(*id) {
            Some(kept) => _ = found.insert(*id, kept),
            None => absent.push(*id),
        }
    }
    for chunk in absent.chunks(CHUNK) {
        for (id, snapshot) in read_stored(transaction, chunk).await? {
            let snapshot = Arc::new(snapshot);
            let shared = transaction.shared();
            shared.snapshots.keep(id, &snapshot, shared.renderer);
            found.insert(id, snapshot);
        }
    }
    Ok(found)
}

/// Returns how many resources and files each of these snapshots has. The database counts those that were not read
/// recently.
async fn entry_counts(
    transaction: &mut Transaction,
    ids: &BTreeSet<SnapshotId>,
) -> Result<BTreeMap<SnapshotId, u64>> {
    let (mut counts, mut absent) = (BTreeMap::new(), Vec::new());
    for id in ids {
        match transaction.shared().snapshots.get(*id) {
            Some(kept) => {
                let resources = kept.resources.iter();
                let count: usize = resources.map(|resource| 1 + resource.files.len()).sum();
                counts.insert(*id, count as u64);
            }
            None => absent.push(*id),
        }
    }
    for chunk in absent.chunks(CHUNK) {
        let counted = transaction
            .query(
                "select s.id, cast(\
                 (select count(*) from snapshot_resources r where r.snapshot_id = s.id) + \
                 (select count(*) from skill_files f where f.snapshot_id = s.id) as bigint) \
                 from snapshots s where s.id in ",
            )
            .list(chunk)
            .all(|row| Ok((row.take::<SnapshotId>()?, row.take::<u64>()?)))
            .await?;
        counts.extend(counted);
    }
    Ok(counts)
}

/// Returns the bytes of those of `hashes` that one of `snapshots` stores. The caller must have checked that the actor
/// may read these.
pub(crate) async fn bodies_of_all(
    transaction: &mut Transaction,
    snapshots: &BTreeMap<SnapshotId, Arc<TreatedSnapshot>>,
    hashes: &BTreeSet<BlobHash>,
) -> Result<Bodies> {
    let stored = snapshots.values().flat_map(|snapshot| snapshot.stored());
    let hashes = stored.filter(|hash| hashes.contains(hash)).collect();
    blobs::read(transaction, &hashes).await
}

fn missing(id: SnapshotId) -> Error {
    Error::Unexpected(format!("snapshot {id} is missing"))
}

/// The place of a resource: its snapshot, and its ordinal there.
type Place = (SnapshotId, i64);

async fn read_stored(
    transaction: &mut Transaction,
    ids: &[SnapshotId],
) -> Result<BTreeMap<SnapshotId, TreatedSnapshot>> {
    let snapshots = transaction
        .query(
            "select id, os, directory, profile, rules, settings, error from snapshots where id in ",
        )
        .list(ids)
        .all(|row| {
            let id: SnapshotId = row.take()?;
            let snapshot = Snapshot {
                facts: Facts {
                    os: row.take()?,
                    directory: row.take()?,
                    rules: row.take()?,
                },
                error: row.take()?,
                resources: Vec::new(),
            };
            Ok((id, snapshot))
        })
        .await?;
    let mut snapshots: BTreeMap<_, _> = snapshots
        .into_iter()
        .map(|(id, snapshot)| {
            let treatments = Treatments::default();
            let treated = TreatedSnapshot {
                snapshot,
                treatments,
            };
            (id, treated)
        })
        .collect();
    let resources = read_resources(transaction, ids, &mut snapshots).await?;
    let mut files = read_files(transaction, ids).await?;
    let details: BTreeSet<_> = resources
        .iter()
        .filter_map(|(_, _, detail)| *detail)
        .collect();
    let details = blobs::read(transaction, &details).await?;
    for (place, mut resource, detail) in resources {
        resource.files = files.remove(&place).unwrap_or_default();
        if let Some(json) = detail.and_then(|hash| details.get(&hash)) {
            let detail = Detail::from_canonical_json(json);
            resource.detail = Some(
                detail
                    .ok_or_else(|| Error::Unexpected(format!("detail of {}", resource.source)))?,
            );
        }
        let (id, _) = place;
        let snapshot = snapshots.get_mut(&id).ok_or_else(|| missing(id))?;
        snapshot.snapshot.resources.push(resource);
    }
    Ok(snapshots)
}

/// A resource without the files of a skill. The query returns a row for each treatment of the resource, or one
/// row if there is none.
struct ResourceRow {
    snapshot: SnapshotId,
    ordinal: i64,
    kind: Kind,
    source: String,
    status: Status,
    error: Option<String>,
    content: Option<Content>,
    size: u64,
    name: Option<String>,
    description: Option<String>,
    root: Option<String>,
    /// The hash of the detail.
    detail: Option<BlobHash>,
    applies: Option<Applies>,
    imported_by: Option<String>,
    treatment: JoinedTreatment,
}

columns! {
    RESOURCE of ResourceRow {
        snapshot: "r.snapshot_id",
        ordinal: "r.ordinal",
        kind: "r.kind",
        source: "r.source",
        status: "r.status",
        error: "r.error",
        content: "r.body, r.claimed",
        size: "r.size",
        name: "r.name",
        description: "r.description",
        root: "r.root",
        detail: "r.detail",
        applies: "r.applies",
        imported_by: "r.imported_by",
    }
    then { treatment }
}

columns! {
    FILE of SkillFile {
        path: "path",
        content: "body, claimed",
        size: "size",
        executable: "executable",
        error: "error",
    }
}

/// A resource with its place and the hash of its detail.
type PlacedResource = (Place, Resource, Option<BlobHash>);

/// Returns the resources in the order of their places, and adds their treatments to the snapshots.
async fn read_resources(
    transaction: &mut Transaction,
    ids: &[SnapshotId],
    snapshots: &mut BTreeMap<SnapshotId, TreatedSnapshot>,
) -> Result<Vec<PlacedResource>> {
    let rows: Vec<ResourceRow> = transaction
        .query("select ")
        .push_all([RESOURCE, ", ", treatments::COLUMNS])
        .push(
            " from snapshot_resources r left join treatments t on t.blob = r.body and t.kind = r.kind \
             where r.snapshot_id in ",
        )
        .list(ids)
        .push(" order by r.snapshot_id, r.ordinal")
        .all(Row::take)
        .await?;
    let mut resources: Vec<PlacedResource> = Vec::new();
    for row in rows {
        let ResourceRow {
            snapshot,
            ordinal,
            kind,
            source,
            status,
            error,
            content,
            size,
            name,
            description,
            root,
            detail,
            applies,
            imported_by,
            treatment,
        } = row;
        let body = content.and_then(Content::pinned);
        if let (Some(blob), Some((renderer, treatment))) = (body, treatment.treatment()?) {
            let key = TreatmentKey {
                blob,
                kind,
                renderer,
            };
            let snapshot = snapshots
                .get_mut(&snapshot)
                .ok_or_else(|| missing(snapshot))?;
            snapshot.treatments.insert(key, treatment);
        }
        let place = (snapshot, ordinal);
        if resources.last().is_some_and(|(last, ..)| *last == place) {
            continue;
        }
        let resource = Resource {
            error,
            content,
            size,
            name,
            description,
            root,
            applies,
            imported_by,
            ..Resource::new(kind, source, status)
        };
        resources.push((place, resource, detail));
    }
    Ok(resources)
}

async fn read_files(
    transaction: &mut Transaction,
    ids: &[SnapshotId],
) -> Result<BTreeMap<Place, Vec<SkillFile>>> {
    let rows: Vec<(Place, SkillFile)> = transaction
        .query("select snapshot_id, ordinal, ")
        .push(FILE)
        .push(" from skill_files where snapshot_id in ")
        .list(ids)
        .push(" order by snapshot_id, ordinal, path")
        .all(|row| Ok(((row.take()?, row.take()?), row.take()?)))
        .await?;
    let mut files: BTreeMap<Place, Vec<SkillFile>> = BTreeMap::new();
    for (place, file) in rows {
        files.entry(place).or_default().push(file);
    }
    Ok(files)
}

/// Inserts a snapshot whose blobs are stored, unless it is stored itself.
async fn insert(
    transaction: &mut Transaction,
    snapshot: &Snapshot,
    addresses: &Addresses,
    now: Moment,
) -> Result<()> {
    let rules = snapshot.facts.rules.as_ref();
    let profile = rules.map(|rules| rules.settings.profile());
    let settings = rules.map(|rules| rules.settings.canonical_json());
    let written = transaction
        .query(
            "insert into snapshots \
             (id, context_hash, tools_hash, os, directory, profile, rules, settings, error, created_at) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict do nothing",
        )
        .bind(&addresses.id)
        .bind(&addresses.context_hash)
        .bind(&addresses.tools_hash)
        .bind_optional(snapshot.facts.os.as_ref())
        .bind_optional(snapshot.facts.directory.as_ref())
        .bind_optional(profile.as_ref())
        .bind_optional(rules.map(|rules| &rules.version))
        .bind_optional(settings.as_ref())
        .bind_optional(snapshot.error.as_ref())
        .bind(&now)
        .execute()
        .await?;
    if written == 0 {
        return Ok(());
    }
    let details: Bodies = snapshot
        .resources
        .iter()
        .filter_map(|resource| resource.detail.as_ref())
        .map(|detail| {
            let json = detail.canonical_json();
            (BlobHash::of(&json), json.into())
        })
        .collect();
    blobs::insert(transaction, &details).await?;
    insert_resources(transaction, snapshot, addresses.id).await?;
    insert_files(transaction, snapshot, addresses.id).await
}

async fn insert_resources(
    transaction: &mut Transaction,
    snapshot: &Snapshot,
    id: SnapshotId,
) -> Result<()> {
    for (chunk_index, chunk) in snapshot.resources.chunks(CHUNK).enumerate() {
        transaction
            .query(
                "insert into snapshot_resources (snapshot_id, ordinal, kind, source, status, error, \
                 body, claimed, size, name, description, root, detail, applies, imported_by) values ",
            )
            .rows(chunk.iter().enumerate(), |row, (index, resource)| {
                let (body, claimed) = split(resource.content);
                let detail = resource.detail.as_ref();
                let detail = detail.map(|detail| BlobHash::of(&detail.canonical_json()));
                let applies = resource.applies.as_ref().map(Applies::canonical_json);
                row.value(&id)
                    .value(&((chunk_index * CHUNK + index) as u64))
                    .value(&resource.kind)
                    .value(&resource.source)
                    .value(&resource.status)
                    .value_optional(resource.error.as_ref())
                    .value_optional(body.as_ref())
                    .value_optional(claimed.as_ref())
                    .value(&resource.size)
                    .value_optional(resource.name.as_ref())
                    .value_optional(resource.description.as_ref())
                    .value_optional(resource.root.as_ref())
                    .value_optional(detail.as_ref())
                    .value_optional(applies.as_ref())
                    .value_optional(resource.imported_by.as_ref())
            })
            .execute()
            .await?;
    }
    Ok(())
}

async fn insert_files(
    transaction: &mut Transaction,
    snapshot: &Snapshot,
    id: SnapshotId,
) -> Result<()> {
    let files: Vec<_> = snapshot
        .resources
        .iter()
        .enumerate()
        .flat_map(|(ordinal, resource)| {
            resource
                .files
                .iter()
                .map(move |file| (ordinal as u64, file))
        })
        .collect();
    for chunk in files.chunks(CHUNK) {
        transaction
            .query(
                "insert into skill_files (snapshot_id, ordinal, path, body, claimed, size, executable, error) values ",
            )
            .rows(chunk, |row, (ordinal, file)| {
                let (body, claimed) = split(file.content);
                row.value(&id)
                    .value(ordinal)
                    .value(&file.path)
                    .value_optional(body.as_ref())
                    .value_optional(claimed.as_ref())
                    .value(&file.size)
                    .value(&file.executable)
                    .value_optional(file.error.as_ref())
            })
            .execute()
            .await?;
    }
    Ok(())
}

/// Returns whether the chat's record names the snapshot as its pin or its agent's head.
fn tells(chat: &ChatRecord, id: SnapshotId) -> bool {
    let pin = chat.pin.as_ref().map(|pin| pin.pin.snapshot);
    let head = chat.head.map(|head| head.snapshot);
    pin == Some(id) || head == Some(id)
}

/// Returns the hashes of the bodies that a render of the snapshot reads.
fn prompt_bodies(snapshot: &Snapshot) -> BTreeSet<BlobHash> {
    snapshot
        .rendered_resources()
        .filter_map(Resource::body)
        .collect()
}

impl Granted<Agent, Write> {
    /// Inserts a snapshot whose blobs are stored, unless it is stored itself.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn snapshot_insert(
        &self,
        transaction: &mut Transaction,
        snapshot: &Sealed<Arc<TreatedSnapshot>>,
        addresses: &Addresses,
        now: Moment,
    ) -> Result<()> {
        let snapshot = snapshot.content();
        let transaction = self.within(transaction)?;
        insert(transaction, snapshot, addresses, now).await?;
        // The next push is compared with it. If this transaction is not committed, nothing names it.
        let shared = transaction.shared();
        shared
            .snapshots
            .keep(addresses.id, snapshot, shared.renderer);
        Ok(())
    }
}

impl Granted<Chat, Write> {
    /// Inserts a snapshot that was composed of stored ones, unless it is stored itself.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn snapshot_insert(
        &self,
        transaction: &mut Transaction,
        snapshot: &Sealed<Arc<TreatedSnapshot>>,
        addresses: &Addresses,
        now: Moment,
    ) -> Result<()> {
        insert(
            self.within(transaction)?,
            snapshot.content(),
            addresses,
            now,
        )
        .await
    }
}

impl<O: Grantable, R: UsesBodies> Granted<O, R> {
    /// Returns how many resources and files each of these snapshots has. The caller must have got the ids through
    /// this grant.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn snapshot_entry_counts(
        &self,
        transaction: &mut Transaction,
        ids: &BTreeSet<SnapshotId>,
    ) -> Result<BTreeMap<SnapshotId, u64>> {
        entry_counts(self.within(transaction)?, ids).await
    }
}

impl<R: UsesBodies> Granted<Agent, R> {
    /// Returns the snapshot of the agent's head, or `None` before its first accepted push.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Unexpected`] if the agent was created in this transaction.
    pub async fn head_snapshot(
        &self,
        transaction: &mut Transaction,
    ) -> Result<Sealed<Option<Arc<TreatedSnapshot>>>> {
        let Some(head) = self.record()?.head else {
            return Ok(None.into());
        };
        let transaction = self.within(transaction)?;
        let head = read(transaction, head.snapshot).await?;
        Ok(Some(head).into())
    }

    /// Returns the hashes and sizes of the agent's uploads that still wait for a push.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn uploads(
        &self,
        transaction: &mut Transaction,
        now: Moment,
    ) -> Result<BTreeMap<BlobHash, u64>> {
        let agent = self.id();
        let sent = self
            .within(transaction)?
            .query(
                "select u.hash, b.size from agent_uploads u join blobs b on b.hash = u.hash \
                 where u.agent_id = $1 and u.uploaded_at >= $2",
            )
            .bind(&agent)
            .bind(&now.before(blobs::UPLOAD_KEPT))
            .all(|row| Ok((row.take()?, row.take()?)))
            .await?;
        Ok(sent.into_iter().collect())
    }

    /// Returns the bytes of blobs. The caller must know that the agent has proved to have them.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn proved_bodies(
        &self,
        transaction: &mut Transaction,
        hashes: &BTreeSet<BlobHash>,
    ) -> Result<Sealed<Bodies>> {
        let bodies = blobs::read(self.within(transaction)?, hashes).await?;
        Ok(bodies.into())
    }
}

impl<R> Granted<Chat, R> {
    /// Returns the snapshot of that id if the chat reaches it. The callers decide who may read it.
    pub(crate) async fn snapshot_reached(
        &self,
        transaction: &mut Transaction,
        id: SnapshotId,
    ) -> Result<Option<Arc<TreatedSnapshot>>> {
        let chat = self.id();
        let is_told = self.record().is_ok_and(|chat| tells(chat, id));
        let transaction = self.within(transaction)?;
        if is_told {
            return read(transaction, id).await.map(Some);
        }
        let reached = transaction
            .query(
                "select id from snapshots where id = $2 and (\
                 exists (select 1 from chat_pins where chat_id = $1 and snapshot_id = $2) \
                 or exists (select 1 from chats c join agents a on a.id = c.agent_id \
                            where c.id = $1 and a.head_snapshot = $2) \
                 or exists (select 1 from turns where chat_id = $1 and tools_snapshot = $2))",
            )
            .bind(&chat)
            .bind(&id)
            .optional(|row| row.take::<SnapshotId>())
            .await?;
        match reached {
            Some(id) => read(transaction, id).await.map(Some),
            None => Ok(None),
        }
    }
}

impl<R> Granted<Chat, R> {
    /// Returns the snapshot of that id if the chat reaches it, or if it was the head of the chat's agent. The callers
    /// decide who may read it.
    pub(crate) async fn snapshot_of_timeline(
        &self,
        transaction: &mut Transaction,
        id: SnapshotId,
    ) -> Result<Option<Arc<TreatedSnapshot>>> {
        let reached = self.snapshot_reached(transaction, id).await?;
        match reached.is_none() && self.agent_head(transaction, id).await?.is_some() {
            true => read(self.within(transaction)?, id).await.map(Some),
            false => Ok(reached),
        }
    }

    /// Returns those of these snapshots that the chat's history has. The callers decide who may read them.
    pub(crate) async fn snapshots_reached(
        &self,
        transaction: &mut Transaction,
        ids: &BTreeSet<SnapshotId>,
    ) -> Result<BTreeMap<SnapshotId, Arc<TreatedSnapshot>>> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let chat = self.id();
        let transaction = self.within(transaction)?;
        let reached = transaction
            .query("select snapshot_id from chat_pins where chat_id = $1 and snapshot_id in ")
            .bind(&chat)
            .list(ids)
            .push(" union select head_snapshot from chat_decisions where chat_id = $1 and head_snapshot in ")
            .list(ids)
            .all(|row| row.take::<SnapshotId>())
            .await?;
        read_all(transaction, &reached.into_iter().collect()).await
    }
}

impl<R: UsesBodies> Granted<Chat, R> {
    /// Returns the snapshot of that id if the chat's history or one of its turns names it, or if it is or
    /// was the head of the chat's agent.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn snapshot_sealed(
        &self,
        transaction: &mut Transaction,
        id: SnapshotId,
    ) -> Result<Option<Sealed<Arc<TreatedSnapshot>>>> {
        let found = self.snapshot_of_timeline(transaction, id).await?;
        Ok(found.map(Sealed::from))
    }

    /// Returns the view of the chat with its pin and its head. `chat` is the chat's record, and
    /// `latest_renderer` the version of the latest renderer. The view says whether the caller may read bodies.
    /// If not, its translation to JSON leaves them out.
    ///
    /// # Errors
    ///
    /// Returns [`Error::NotFound`] if the chat no longer reaches its pin or its head.
    pub async fn context_view(
        &self,
        transaction: &mut Transaction,
        mut chat: ChatRecord,
        latest_renderer: i64,
    ) -> Result<ContextView> {
        let pin = chat.pin.as_ref().map(|pin| pin.pin.snapshot);
        let head = chat.head.map(|head| head.snapshot);
        let pinned = match pin {
            Some(id) => self.snapshot_reached(transaction, id).await?,
            None => None,
        };
        let head = match head {
            Some(id) if Some(id) == pin => pinned.clone(),
            Some(id) => self.snapshot_reached(transaction, id).await?,
            None => None,
        };
        if pin.is_some() != pinned.is_some() || chat.head.is_some() != head.is_some() {
            return Err(Error::NotFound("snapshot"));
        }
        // The record of a move that was just made lacks it.
        if let (Some(pin), Some(pinned)) = (&mut chat.pin, &pinned) {
            pin.error.clone_from(&pinned.error);
        }
        Ok(ContextView {
            chat,
            pinned,
            head,
            tells_bodies: self.tells_bodies(),
            latest_renderer,
        })
    }

    /// Returns those of these snapshots that the chat's history has. The list must be short, because all are in
    /// memory at once.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn snapshots_sealed(
        &self,
        transaction: &mut Transaction,
        ids: &BTreeSet<SnapshotId>,
    ) -> Result<Sealed<BTreeMap<SnapshotId, Arc<TreatedSnapshot>>>> {
        Ok(self.snapshots_reached(transaction, ids).await?.into())
    }

    /// Returns the hashes of a snapshot of the chat's history.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn snapshot_hashes(
        &self,
        transaction: &mut Transaction,
        id: SnapshotId,
    ) -> Result<Option<Hashes>> {
        let chat = self.id();
        self.within(transaction)?
            .query(
                "select context_hash, tools_hash from snapshots where id = $2 \
                 and exists (select 1 from chat_pins where chat_id = $1 and snapshot_id = $2)",
            )
            .bind(&chat)
            .bind(&id)
            .optional(|row| {
                Ok(Hashes {
                    context: row.take()?,
                    tools: row.take()?,
                })
            })
            .await
    }

    /// Returns the bodies that a render of `snapshot` reads. The caller must have got `snapshot` through
    /// this chat.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn prompt_bodies(
        &self,
        transaction: &mut Transaction,
        snapshot: &Sealed<Arc<TreatedSnapshot>>,
    ) -> Result<Sealed<Bodies>> {
        let hashes = prompt_bodies(snapshot.content());
        let bodies = blobs::read(self.within(transaction)?, &hashes).await?;
        Ok(bodies.into())
    }
}

impl<O: Grantable> Granted<O, Body> {
    /// Returns the bytes of those of `hashes` that `snapshot` stores. The caller must have got `snapshot`
    /// through this object.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn bodies_of(
        &self,
        transaction: &mut Transaction,
        snapshot: &Snapshot,
        hashes: &BTreeSet<BlobHash>,
    ) -> Result<Bodies> {
        let stored = snapshot.stored();
        let hashes = hashes.intersection(&stored).copied().collect();
        blobs::read(self.within(transaction)?, &hashes).await
    }
}
