//! A chat's pin history.

use ctxpin_model::hash::SnapshotId;
use ctxpin_model::history::{HistoryRequest, PinRecord, PinStep};
use ctxpin_model::id::ChatId;
use ctxpin_model::page::Page;

use crate::database::Transaction;
use crate::error::Result;
use crate::grant::{Granted, object::Account, object::Chat};
use crate::values::{Row, columns};

columns! {
    COLUMNS of PinRecord {
        seq: "p.seq",
        snapshot: "p.snapshot_id",
        context_hash: "s.context_hash",
        rendered: "p.prompt, p.renderer",
        agent: "p.agent_id",
        reason: "p.reason",
        mcp_settled: "p.mcp_settled",
        actor: "p.actor_kind, p.actor_id",
        actor_name: "coalesce(u.name, a.name)",
        door: "p.door",
        at: "p.pinned_at",
    }
}

const TABLES: &str = " from chat_pins p left join snapshots s on s.id = p.snapshot_id \
     left join users u on u.id = p.actor_id left join agents a on a.id = p.actor_id";

impl<R> Granted<Account, R> {
    /// Returns the moves of these chats' pins, by chat and then oldest first, at most `limit`. Leaves out chats that
    /// the caller may not read.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn pin_steps(
        &self,
        transaction: &mut Transaction,
        chats: &[ChatId],
        limit: i64,
    ) -> Result<Vec<PinStep>> {
        if chats.is_empty() {
            return Ok(Vec::new());
        }
        let owner = self.reads_of();
        let mut query = self
            .within(transaction)?
            .query(
                "select p.chat_id, p.pinned_at, (select max(e.seq) from agent_heads e \
                 where e.agent_id = c.agent_id and e.snapshot_id = p.snapshot_id) \
                 from chat_pins p join chats c on c.id = p.chat_id where p.chat_id in ",
            )
            .list(chats);
        if let Some(owner) = &owner {
            query = query.push(" and c.owner_id = ").value(owner);
        }
        let query = query
            .push(" order by p.chat_id, p.seq limit ")
            .value(&limit);
        query
            .all(|row| {
                Ok(PinStep {
                    chat: row.take()?,
                    at: row.take()?,
                    head_seq: row.take()?,
                })
            })
            .await
    }
}

impl<R> Granted<Chat, R> {
    /// Returns a page of the chat's pin history, newest first.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn history(
        &self,
        transaction: &mut Transaction,
        request: HistoryRequest,
    ) -> Result<Page<PinRecord, i64>> {
        let chat = self.id();
        let HistoryRequest { page } = request;
        let pins = self
            .within(transaction)?
            .query("select ")
            .push_all([COLUMNS, TABLES])
            .push(" where p.chat_id = $1 and p.seq < $2 order by p.seq desc limit $3")
            .bind(&chat)
            .bind(&page.after.unwrap_or(i64::MAX))
            .bind(&(page.limit + 1))
            .all(Row::take)
            .await?;
        Ok(Page::of(pins, page.limit, |pin| pin.seq))
    }

    /// Returns the newest row of the history that has the snapshot.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn history_of(
        &self,
        transaction: &mut Transaction,
        snapshot: SnapshotId,
    ) -> Result<Option<PinRecord>> {
        let chat = self.id();
        self.within(transaction)?
            .query("select ")
            .push_all([COLUMNS, TABLES])
            .push(" where p.chat_id = $1 and p.snapshot_id = $2 order by p.seq desc limit 1")
            .bind(&chat)
            .bind(&snapshot)
            .optional(Row::take)
            .await
    }

    /// Returns the row of the history with that number.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn history_at(
        &self,
        transaction: &mut Transaction,
        seq: i64,
    ) -> Result<Option<PinRecord>> {
        let chat = self.id();
        self.within(transaction)?
            .query("select ")
            .push_all([COLUMNS, TABLES])
            .push(" where p.chat_id = $1 and p.seq = $2")
            .bind(&chat)
            .bind(&seq)
            .optional(Row::take)
            .await
    }
}
