//! The obvious design, for comparison: every agent has rows of resources with their bodies, every
//! chat has copies of them, and a push marks in each chat that it has drifted.
//!
//! It is written with care: it writes only what changed, handles many rows with one statement, and
//! has the index that each statement needs. It checks no permissions, keeps no history and no audit
//! log, and renders nothing. The product's figures include all of these.

mod schema;
#[cfg(test)]
mod tests;

use anyhow::Context as _;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::id::ChatId;
use uuid::Uuid;

use crate::database::{Fresh, Kind};
use crate::repository::Repository;
use crate::scene::now;
use crate::sql::{Pool, Value, Work};

/// The design on a database of its own.
pub struct Baseline {
    pub pool: Pool,
    fresh: Fresh,
}

impl Baseline {
    /// Creates the baseline's tables on a fresh database.
    pub async fn open(kind: &Kind) -> anyhow::Result<Self> {
        let fresh = kind.fresh().await?;
        let pool = fresh.pool().await?;
        pool.script(&schema::statements(pool.is_postgres())).await?;
        Ok(Self { pool, fresh })
    }

    /// Closes and removes everything.
    pub async fn finish(self) -> anyhow::Result<()> {
        self.pool.close().await;
        self.fresh.remove().await
    }

    /// Creates a new agent without resources.
    pub async fn agent(&self) -> anyhow::Result<Uuid> {
        let id = Uuid::new_v4();
        let sql = "insert into agents (id, hash, pushed_at) values ($1, null, null)";
        self.pool.run(sql, &[Value::Id(id)]).await?;
        Ok(id)
    }

    /// Creates many unpinned chats that are bound to an agent.
    pub async fn chats(&self, agent: Uuid, count: usize) -> anyhow::Result<Vec<Uuid>> {
        let now = now();
        let ids: Vec<Uuid> = (0..count).map(|_| ChatId::generate(now).uuid()).collect();
        let row = |id: &Uuid| {
            let now = Value::Time(now.utc());
            vec![Value::Id(*id), Value::Id(agent), now.clone(), now]
        };
        let rows: Vec<_> = ids.iter().map(row).collect();
        let head = "insert into chats (id, agent_id, created_at, updated_at)";
        self.pool.insert(head, &rows).await?;
        Ok(ids)
    }

    /// Accepts a push: stores the changes, copies everything into unpinned chats, and marks the
    /// chats that have drifted.
    pub async fn push(&self, agent: Uuid, repository: &Repository) -> anyhow::Result<()> {
        let mut work = self.pool.begin().await?;
        let hash = aggregate(repository);
        let sql = "update agents set hash = $2, pushed_at = $3 where id = $1";
        let now = Value::Time(now().utc());
        let values = [Value::Id(agent), Value::Bytes(hash.clone()), now.clone()];
        work.run(sql, &values).await?;
        self.store_changed(&mut work, agent, repository).await?;
        work.run(
            "insert into chat_resources (chat_id, source, kind, status, hash, body, size) \
             select c.id, r.source, r.kind, r.status, r.hash, r.body, r.size \
             from chats c join agent_resources r on r.agent_id = c.agent_id \
             where c.agent_id = $1 and c.pinned_hash is null",
            &[Value::Id(agent)],
        )
        .await?;
        let pin = "update chats set pinned_hash = $2 where agent_id = $1 and pinned_hash is null";
        work.run(pin, &[Value::Id(agent), Value::Bytes(hash.clone())])
            .await?;
        work.run(
            "update chats set dirty_since = $3 where agent_id = $1 and pinned_hash <> $2 \
             and dirty_since is null",
            &[Value::Id(agent), Value::Bytes(hash), now],
        )
        .await?;
        work.commit().await
    }

    async fn store_changed(
        &self,
        work: &mut Work,
        agent: Uuid,
        repository: &Repository,
    ) -> anyhow::Result<()> {
        let known = "select source, hash from agent_resources where agent_id = $1";
        let known: std::collections::BTreeMap<String, Vec<u8>> =
            work.pairs(known, agent).await?.into_iter().collect();
        let mut rows = Vec::new();
        for file in &repository.files {
            let source = repository.source(file);
            if known.get(&source).map(Vec::as_slice) == Some(file.hash.bytes().as_slice()) {
                continue;
            }
            rows.push(vec![
                Value::Id(agent),
                Value::Text(source),
                Value::Text("instruction_file".to_owned()),
                Value::Text("ok".to_owned()),
                Value::Bytes(file.hash.bytes().to_vec()),
                Value::Bytes(file.bytes.to_vec()),
                Value::Number(file.bytes.len() as i64),
            ]);
        }
        let head = "insert into agent_resources (agent_id, source, kind, status, hash, body, size)";
        let tail = "on conflict (agent_id, source) do update set kind = excluded.kind, \
             status = excluded.status, hash = excluded.hash, body = excluded.body, \
             size = excluded.size";
        work.insert(head, &rows, tail).await
    }

    /// Replaces a chat's copies by the agent's present content. This is a refresh, and also a
    /// rebind.
    pub async fn refresh(&self, chat: Uuid, agent: Uuid) -> anyhow::Result<()> {
        let mut work = self.pool.begin().await?;
        let ids = [Value::Id(chat), Value::Id(agent)];
        // This comes first, because it locks the chat.
        let pinned = work
            .run(
                "update chats set agent_id = $2, dirty_since = null, \
                 pinned_hash = (select hash from agents where id = $2) where id = $1",
                &ids,
            )
            .await?;
        (pinned == 1).then_some(()).context("the chat is gone")?;
        let clear = "delete from chat_resources where chat_id = $1";
        work.run(clear, &ids[..1]).await?;
        work.run(
            "insert into chat_resources (chat_id, source, kind, status, hash, body, size) \
             select $1, source, kind, status, hash, body, size from agent_resources \
             where agent_id = $2",
            &ids,
        )
        .await?;
        work.commit().await
    }

    /// Removes the marks from the chats of an agent, so that the next push finds them clean.
    pub async fn clean(&self, agent: Uuid, repository: &Repository) -> anyhow::Result<()> {
        let sql = "update chats set dirty_since = null, pinned_hash = $2 where agent_id = $1";
        let hash = Value::Bytes(aggregate(repository));
        self.pool.run(sql, &[Value::Id(agent), hash]).await?;
        Ok(())
    }

    /// Vacuums the chats on PostgreSQL, because updates leave dead rows.
    pub async fn vacuum_chats(&self) -> anyhow::Result<()> {
        if self.pool.is_postgres() {
            self.pool.script("vacuum chats").await?;
        }
        Ok(())
    }

    /// Deletes all copies.
    pub async fn forget_copies(&self) -> anyhow::Result<()> {
        let clear = if self.pool.is_postgres() {
            "truncate chat_resources"
        } else {
            "delete from chat_resources"
        };
        self.pool.script(clear).await
    }
}

/// Returns one hash of a whole repository, to compare a chat's pin with its agent.
fn aggregate(repository: &Repository) -> Vec<u8> {
    let mut text = Vec::new();
    for file in &repository.files {
        text.extend_from_slice(repository.source(file).as_bytes());
        text.push(0);
        text.extend_from_slice(file.hash.bytes());
    }
    BlobHash::of(&text).bytes().to_vec()
}
