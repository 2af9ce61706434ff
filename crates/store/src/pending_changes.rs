//! The chats from which pending changes are collected, and the snapshots that they compare.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ctxpin_model::chat::ChatRecord;
use ctxpin_model::hash::{BlobHash, SnapshotId};
use ctxpin_model::id::AgentId;
use ctxpin_model::moment::Moment;
use ctxpin_model::resource::Bodies;
use ctxpin_model::treatment::TreatedSnapshot;

use crate::chats::{DECLINED, DIRTY, columns};
use crate::database::{CHUNK, Transaction};
use crate::error::Result;
use crate::grant::{Granted, Owned, object::Account, object::Chat, right::Body, right::Within};
use crate::sealed::Sealed;
use crate::snapshots;

/// A chat that has drifted and has not declined the head, with the workspace of its agent. Only a query makes
/// one.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DriftedChat {
    pub chat: ChatRecord,
    pub workspace: String,
}

impl DriftedChat {
    /// Returns the pin and the head.
    pub fn snapshots(&self) -> Option<[SnapshotId; 2]> {
        let pin = self.chat.pin.as_ref()?.pin.snapshot;
        Some([pin, self.chat.head?.snapshot])
    }
}

/// One of the newest heads of an agent. Only a query makes one.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct RecentHead {
    pub agent: AgentId,
    pub seq: i64,
    pub snapshot: SnapshotId,
    pub received_at: Moment,
}

impl Granted<Account, Within> {
    /// Returns the newest heads of the agents of drifted chats, at most `limit` of each: first the newest of all
    /// agents, then those before them.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn recent_heads(
        &self,
        transaction: &mut Transaction,
        chats: impl IntoIterator<Item = &DriftedChat> + Send,
        limit: i64,
    ) -> Result<Vec<RecentHead>> {
        let agents: BTreeSet<_> = chats.into_iter().filter_map(|one| one.chat.agent).collect();
        let transaction = self.within(transaction)?;
        let mut heads = Vec::new();
        for chunk in Vec::from_iter(agents).chunks(CHUNK) {
            let query = transaction
                .query(
                    "select h.agent_id, h.seq, h.snapshot_id, h.received_at from agents a \
                     join agent_heads h on h.agent_id = a.id and h.seq > a.head_seq - ",
                )
                .value(&limit)
                .push(" where a.id in ")
                .list(chunk)
                .push(" order by a.head_seq - h.seq, h.agent_id");
            let found = query.all(|row| {
                Ok(RecentHead {
                    agent: row.take()?,
                    seq: row.take()?,
                    snapshot: row.take()?,
                    received_at: row.take()?,
                })
            });
            heads.extend(found.await?);
        }
        Ok(heads)
    }

    /// Returns the snapshots of heads. The list must be short, because all are in memory at once.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn snapshots_of_heads(
        &self,
        transaction: &mut Transaction,
        heads: &[RecentHead],
    ) -> Result<Sealed<BTreeMap<SnapshotId, Arc<TreatedSnapshot>>>> {
        let ids = heads.iter().map(|head| head.snapshot).collect();
        let snapshots = snapshots::read_all(self.within(transaction)?, &ids).await?;
        Ok(Sealed::from(snapshots))
    }

    /// Returns the newest unarchived chats that have drifted and have not declined the head: those that the
    /// caller may read, or with `own` only the caller's.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn drifted_chats(
        &self,
        transaction: &mut Transaction,
        own: bool,
        limit: i64,
    ) -> Result<Vec<DriftedChat>> {
        let owner = if own {
            Some(self.owner())
        } else {
            self.reads_of()
        };
        let transaction = self.within(transaction)?;
        let renderer = transaction.shared().renderer;
        let mut query = columns(transaction.query("select "), renderer)
            .push(", a.workspace from chats c")
            .push_all([<Chat as Owned>::JOINS, " where c.archived_at is null and "])
            .push_all([DIRTY, " and not ", DECLINED]);
        if let Some(owner) = &owner {
            query = query.push(" and c.owner_id = ").value(owner);
        }
        let query = query.push(" order by c.id desc limit ").value(&limit);
        query
            .all(|row| {
                Ok(DriftedChat {
                    chat: row.take()?,
                    workspace: row.take()?,
                })
            })
            .await
    }

    /// Returns the pins and heads of drifted chats. The list must be short, because all are in memory at once.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn snapshots_of(
        &self,
        transaction: &mut Transaction,
        chats: impl IntoIterator<Item = &DriftedChat> + Send,
    ) -> Result<Sealed<BTreeMap<SnapshotId, Arc<TreatedSnapshot>>>> {
        let ids: BTreeSet<_> = chats
            .into_iter()
            .filter_map(DriftedChat::snapshots)
            .flatten()
            .collect();
        let snapshots = snapshots::read_all(self.within(transaction)?, &ids).await?;
        Ok(Sealed::from(snapshots))
    }
}

impl Granted<Account, Body> {
    /// Returns the pins and heads of drifted chats of the account's user, and leaves out other chats. The list must
    /// be short, because all are in memory at once.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn drifted_snapshots(
        &self,
        transaction: &mut Transaction,
        chats: impl IntoIterator<Item = &DriftedChat> + Send,
    ) -> Result<BTreeMap<SnapshotId, Arc<TreatedSnapshot>>> {
        let own = chats
            .into_iter()
            .filter(|drifted| drifted.chat.owner == self.owner());
        let ids: BTreeSet<_> = own.filter_map(DriftedChat::snapshots).flatten().collect();
        snapshots::read_all(self.within(transaction)?, &ids).await
    }

    /// Returns the bytes of those of `hashes` that one of `snapshots` stores. The caller must have got the snapshots
    /// through this grant.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn bodies_of_all(
        &self,
        transaction: &mut Transaction,
        snapshots: &BTreeMap<SnapshotId, Arc<TreatedSnapshot>>,
        hashes: &BTreeSet<BlobHash>,
    ) -> Result<Bodies> {
        snapshots::bodies_of_all(self.within(transaction)?, snapshots, hashes).await
    }
}
