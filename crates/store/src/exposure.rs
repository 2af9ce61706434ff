//! Who had a content in force: the way from bytes back to chats and turns.

use ctxpin_model::exposure::{PinnedExposure, TurnExposure};
use ctxpin_model::hash::BlobHash;

use crate::database::Transaction;
use crate::error::Result;
use crate::grant::{Granted, object::Account};

/// Most chats, and most turns, that one answer tells.
pub const EXPOSURES_MAX: i64 = 1_000;

/// The places of a content in snapshots: bodies, tools and shapes, and skills' files. `$1` is its
/// hash.
const PLACES: &str = "(select snapshot_id, kind, source, null as path from snapshot_resources \
       where body = $1 or detail = $1 \
     union all \
     select f.snapshot_id, r.kind, r.source, f.path from skill_files f \
       join snapshot_resources r on r.snapshot_id = f.snapshot_id and r.ordinal = f.ordinal \
       where f.body = $1)";

impl<R> Granted<Account, R> {
    /// The stays of a content in the pins of chats whose metadata the caller may read, newest
    /// first, at most [`EXPOSURES_MAX`].
    pub async fn pinned_exposures(
        &self,
        transaction: &mut Transaction,
        content: BlobHash,
    ) -> Result<Vec<PinnedExposure>> {
        let owner = self.reads_of();
        let transaction = self.within(transaction)?;
        let of_owner = if owner.is_some() {
            "where c.owner_id = $3"
        } else {
            ""
        };
        let mut query = transaction
            .query(format!(
                "select p.chat_id, x.kind, x.source, x.path, p.seq, p.pinned_at, n.pinned_at \
                 from {PLACES} x join chat_pins p on p.snapshot_id = x.snapshot_id \
                 join chats c on c.id = p.chat_id \
                 left join chat_pins n on n.chat_id = p.chat_id and n.seq = p.seq + 1 {of_owner} \
                 order by p.pinned_at desc, p.chat_id, p.seq desc, x.source limit $2"
            ))
            .bind(&content)
            .bind(&EXPOSURES_MAX);
        if let Some(owner) = &owner {
            query = query.bind(owner);
        }
        query
            .all(|row| {
                Ok(PinnedExposure {
                    chat: row.take()?,
                    kind: row.take()?,
                    source: row.take()?,
                    path: row.take_optional()?,
                    from_seq: row.take()?,
                    from: row.take()?,
                    until: row.take_optional()?,
                })
            })
            .await
    }

    /// The turns, of chats whose metadata the caller may read, that had a content in force, newest
    /// first, at most [`EXPOSURES_MAX`].
    pub async fn turn_exposures(
        &self,
        transaction: &mut Transaction,
        content: BlobHash,
    ) -> Result<Vec<TurnExposure>> {
        let owner = self.reads_of();
        let transaction = self.within(transaction)?;
        let of_owner = if owner.is_some() {
            "and c.owner_id = $3"
        } else {
            ""
        };
        // What reaches a model from the pin is its instruction files and skills; its tools come
        // from the turn's own snapshot.
        let has = |snapshot: &str, kinds: &str| {
            format!(
                "exists (select 1 from {PLACES} x where x.snapshot_id = t.{snapshot} and x.kind in {kinds})"
            )
        };
        let by_pin = has("snapshot_id", "('instruction_file', 'skill')");
        let by_tools = has("tools_snapshot", "('mcp_config', 'mcp_server')");
        let mut query = transaction
            .query(format!(
                "select t.chat_id, t.number, t.started_at, not {by_pin} from turns t \
                 join chats c on c.id = t.chat_id where ({by_pin} or {by_tools}) {of_owner} \
                 order by t.started_at desc, t.chat_id, t.number desc limit $2"
            ))
            .bind(&content)
            .bind(&EXPOSURES_MAX);
        if let Some(owner) = &owner {
            query = query.bind(owner);
        }
        query
            .all(|row| {
                Ok(TurnExposure {
                    chat: row.take()?,
                    number: row.take()?,
                    started_at: row.take()?,
                    by_tools: row.take()?,
                })
            })
            .await
    }
}
