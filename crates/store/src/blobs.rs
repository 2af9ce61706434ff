//! Blobs: bytes that are stored once, by their SHA-256.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ctxpin_model::hash::BlobHash;
use ctxpin_model::limits::{AGENT_UPLOAD_BYTES_MAX, AGENT_UPLOADS_MAX};
use ctxpin_model::moment::Moment;
use ctxpin_model::resource::Bodies;

use crate::database::{CHUNK, Transaction};
use crate::error::Result;
use crate::grant::{Granted, object::Agent, right::Write};

/// How long an uploaded blob waits for a push that uses it.
pub(crate) const UPLOAD_KEPT: Duration = Duration::from_secs(60 * 60);

/// The most bytes of blobs that one statement inserts. A single larger blob has a statement of its own.
const INSERT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Returns the bytes of the named blobs. The result leaves out those that are not stored.
pub(crate) async fn read(
    transaction: &mut Transaction,
    hashes: &BTreeSet<BlobHash>,
) -> Result<Bodies> {
    let mut bodies = BTreeMap::new();
    let hashes: Vec<_> = hashes.iter().copied().collect();
    for chunk in hashes.chunks(CHUNK) {
        let rows = transaction
            .query("select hash, bytes from blobs where hash in ")
            .list(chunk)
            .all(|row| Ok((row.take::<BlobHash>()?, row.take::<Vec<u8>>()?)))
            .await?;
        bodies.extend(
            rows.into_iter()
                .map(|(hash, bytes)| (hash, Arc::from(bytes))),
        );
    }
    Ok(bodies)
}

/// Inserts the blobs that are not stored yet, in the order of their hashes. Two transactions that insert
/// the same blobs then wait for each other and do not deadlock.
pub(crate) async fn insert(transaction: &mut Transaction, bodies: &Bodies) -> Result<()> {
    let mut chunk: Vec<(&BlobHash, &Arc<[u8]>)> = Vec::new();
    let mut bytes_of_chunk = 0;
    for body in bodies {
        if chunk.len() == CHUNK
            || (!chunk.is_empty() && bytes_of_chunk + body.1.len() > INSERT_BYTES_MAX)
        {
            insert_chunk(transaction, &chunk).await?;
            chunk.clear();
            bytes_of_chunk = 0;
        }
        bytes_of_chunk += body.1.len();
        chunk.push(body);
    }
    insert_chunk(transaction, &chunk).await
}

async fn insert_chunk(
    transaction: &mut Transaction,
    chunk: &[(&BlobHash, &Arc<[u8]>)],
) -> Result<()> {
    if chunk.is_empty() {
        return Ok(());
    }
    transaction
        .query("insert into blobs (hash, size, bytes) values ")
        .rows(chunk, |row, (hash, bytes)| {
            row.value(*hash)
                .value(&(bytes.len() as u64))
                .value(&bytes.to_vec())
        })
        .push(" on conflict do nothing")
        .execute()
        .await?;
    Ok(())
}

/// The outcome of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upload {
    /// The blob waits for a push.
    Kept,
    /// The agent has too many blobs or bytes waiting already.
    Full,
}

impl Granted<Agent, Write> {
    /// Stores bytes that the agent sends ahead of a push. Forgets uploads that have waited for longer than
    /// an hour.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn upload(
        &self,
        transaction: &mut Transaction,
        hash: BlobHash,
        bytes: &Arc<[u8]>,
        now: Moment,
    ) -> Result<Upload> {
        let agent = self.id();
        let transaction = self.within(transaction)?;
        transaction
            .query("delete from agent_uploads where agent_id = $1 and uploaded_at < $2")
            .bind(&agent)
            .bind(&now.before(UPLOAD_KEPT))
            .execute()
            .await?;
        let (waiting, count): (u64, u64) = transaction
            .query(
                "select cast(coalesce(sum(size), 0) as bigint), count(*) from agent_uploads \
                 where agent_id = $1 and hash <> $2",
            )
            .bind(&agent)
            .bind(&hash)
            .one(|row| Ok((row.take()?, row.take()?)))
            .await?;
        let size = bytes.len() as u64;
        if waiting + size > AGENT_UPLOAD_BYTES_MAX || count >= AGENT_UPLOADS_MAX {
            return Ok(Upload::Full);
        }
        insert(transaction, &BTreeMap::from([(hash, bytes.clone())])).await?;
        transaction
            .query(
                "insert into agent_uploads (agent_id, hash, uploaded_at, size) values ($1, $2, $3, $4) \
                 on conflict (agent_id, hash) do update set uploaded_at = excluded.uploaded_at",
            )
            .bind(&agent)
            .bind(&hash)
            .bind(&now)
            .bind(&size)
            .execute()
            .await?;
        Ok(Upload::Kept)
    }

    /// Inserts the blobs that a push carries itself.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn blobs_insert(&self, transaction: &mut Transaction, bodies: &Bodies) -> Result<()> {
        insert(self.within(transaction)?, bodies).await
    }

    /// Forgets the uploads that are part of the agent's head now.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn uploads_used(
        &self,
        transaction: &mut Transaction,
        used: &BTreeSet<BlobHash>,
    ) -> Result<()> {
        let agent = self.id();
        let transaction = self.within(transaction)?;
        let used: Vec<_> = used.iter().copied().collect();
        for chunk in used.chunks(CHUNK) {
            transaction
                .query("delete from agent_uploads where agent_id = ")
                .value(&agent)
                .push(" and hash in ")
                .list(chunk)
                .execute()
                .await?;
        }
        Ok(())
    }
}
