//! The snapshots that a chat reaches, for those who may read its bodies.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ctxpin_model::hash::{BlobHash, SnapshotId};
use ctxpin_model::resource::Bodies;
use ctxpin_model::treatment::TreatedSnapshot;

use crate::database::Transaction;
use crate::error::Result;
use crate::grant::{Granted, object::Chat, right::Body};
use crate::snapshots::bodies_of_all;

impl Granted<Chat, Body> {
    /// Returns the snapshot of that id if the chat's history or one of its turns names it, or if it is the
    /// head of the chat's agent.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn snapshot(
        &self,
        transaction: &mut Transaction,
        id: SnapshotId,
    ) -> Result<Option<Arc<TreatedSnapshot>>> {
        self.snapshot_reached(transaction, id).await
    }

    /// Returns the snapshot of that id as [`Self::snapshot`] does, or if it was the head of the chat's agent.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn snapshot_or_head(
        &self,
        transaction: &mut Transaction,
        id: SnapshotId,
    ) -> Result<Option<Arc<TreatedSnapshot>>> {
        self.snapshot_of_timeline(transaction, id).await
    }

    /// Returns those of these snapshots that the chat's history has. The list must be short, because all are in
    /// memory at once.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn snapshots(
        &self,
        transaction: &mut Transaction,
        ids: &BTreeSet<SnapshotId>,
    ) -> Result<BTreeMap<SnapshotId, Arc<TreatedSnapshot>>> {
        self.snapshots_reached(transaction, ids).await
    }

    /// Returns the bytes of those of `hashes` that one of `snapshots` stores. The caller must have got `snapshots`
    /// through this chat.
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
        bodies_of_all(self.within(transaction)?, snapshots, hashes).await
    }
}
