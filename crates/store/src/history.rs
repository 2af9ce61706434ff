//! A chat's pin history.

use ctxpin_model::agent::Head;
use ctxpin_model::hash::SnapshotId;
use ctxpin_model::history::{
    Decision, DecisionRecord, HistoryEntry, HistoryPlace, HistoryRequest, PinRecord, PinStep,
    RecentMove, StepRequest, StepStand,
};
use ctxpin_model::page::{ListPart, Page};

use crate::database::Transaction;
use crate::error::Result;
use crate::grant::{Granted, object::Account, object::Chat};
use crate::values::{Columns, Row, columns};

columns! {
    COLUMNS of PinRecord {
        seq: "p.seq",
        snapshot: "p.snapshot_id",
        context_hash: "s.context_hash",
        rendered: "p.prompt, p.renderer",
        agent: "p.agent_id",
        reason: "p.reason",
        mcp_settled: "p.mcp_settled",
        unconfirmed: "p.unconfirmed",
        evidence_turn: "p.evidence_turn",
        actor: "p.actor_kind, p.actor_id",
        actor_name: "coalesce(u.name, a.name)",
        door: "p.door",
        at: "p.pinned_at",
    }
}

const TABLES: &str = " from chat_pins p";

const JOINS: &str = " left join snapshots s on s.id = p.snapshot_id \
     left join users u on u.id = p.actor_id left join agents a on a.id = p.actor_id";

/// The order and the number of entries of a part of a history.
const BACKWARDS: &str = " order by e.seq desc, e.decision desc limit $4";
const FORWARDS: &str = " order by e.seq, e.decision limit $4";

/// The moves on one side of the place `$2`, `$3` in the history of the chat `$1`, at most `$4`: the numbers of their
/// pins, and 0 as that of a decision.
const MOVES_BEFORE: &str = "select seq, 0 as decision from chat_pins where chat_id = $1 \
     and (seq < $2 or (seq = $2 and $3 > 0)) order by seq desc limit $4";
const MOVES_AFTER: &str = "select seq, 0 as decision from chat_pins where chat_id = $1 and seq > $2 \
     order by seq limit $4";

/// The decisions on one side of the place: the numbers of the pins that were kept, and their own.
const DECISIONS_BEFORE: &str = "select pin_seq, seq from chat_decisions where chat_id = $1 \
     and (pin_seq < $2 or (pin_seq = $2 and seq < $3)) order by seq desc limit $4";
const DECISIONS_AFTER: &str = "select pin_seq, seq from chat_decisions where chat_id = $1 \
     and (pin_seq > $2 or (pin_seq = $2 and seq > $3)) order by seq limit $4";

impl Columns for HistoryEntry {
    fn take(row: &mut Row) -> Result<Self> {
        let number: Option<i64> = row.take()?;
        let record: PinRecord = row.take()?;
        let Some(number) = number else {
            return Ok(Self::Move(record));
        };
        Ok(Self::Decision(DecisionRecord {
            number,
            kept: record,
            head: row.take()?,
            decision: match row.take()? {
                true => Decision::Decline,
                false => Decision::Undecline,
            },
            actor: row.take()?,
            actor_name: row.take()?,
            door: row.take()?,
            at: row.take()?,
        }))
    }
}

impl<R> Granted<Account, R> {
    /// Returns the newest moves of the user's chats, newest first. Leaves out chats that have no pin now.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn recent_moves(
        &self,
        transaction: &mut Transaction,
        limit: i64,
    ) -> Result<Vec<RecentMove>> {
        // The newest moves belong to the chats whose pins are newest.
        self.within(transaction)?
            .query("select c.id, c.title, ")
            .push(COLUMNS)
            .push(
                " from (select id, title, pin_seq from chats where owner_id = $1 and pinned_at is not null \
                 order by pinned_at desc limit $2) c \
                 join chat_pins p on p.chat_id = c.id and p.seq > c.pin_seq - $2",
            )
            .push_all([
                JOINS,
                " order by p.pinned_at desc, p.chat_id desc, p.seq desc limit $2",
            ])
            .bind(&self.owner())
            .bind(&limit)
            .all(|row| {
                Ok(RecentMove {
                    chat: row.take()?,
                    title: row.take()?,
                    record: row.take()?,
                })
            })
            .await
    }

    /// Returns the newest moves of the pins of an agent's unarchived chats, by chat and then oldest first. Leaves
    /// out chats that the caller may not read. A chat's moves are found by their numbers, so a long history costs
    /// no more than a short one.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn pin_steps(
        &self,
        transaction: &mut Transaction,
        request: StepRequest,
    ) -> Result<Vec<PinStep>> {
        let owner = self.reads_of();
        let mut query = self
            .within(transaction)?
            .query(
                "select p.chat_id, p.pinned_at, p.snapshot_id, (select max(e.seq) from agent_heads e \
                 where e.agent_id = c.agent_id and e.snapshot_id = p.snapshot_id) from (select id, agent_id, pin_seq \
                 from chats where archived_at is null and agent_id = ",
            )
            .value(&request.agent);
        if let Some(owner) = &owner {
            query = query.push(" and owner_id = ").value(owner);
        }
        query = query
            .push(" order by id desc limit ")
            .value(&request.chats_max)
            .push(") c join chat_pins p on p.chat_id = c.id and p.seq > c.pin_seq - ")
            .value(&request.moves_max)
            .push(" order by p.chat_id, p.seq");
        query
            .all(|row| {
                let (chat, at) = (row.take()?, row.take()?);
                let snapshot: Option<SnapshotId> = row.take()?;
                let head: Option<i64> = row.take()?;
                let stand = match (snapshot, head) {
                    (None, _) => StepStand::Unpinned,
                    (Some(_), None) => StepStand::Elsewhere,
                    (Some(_), Some(head)) => StepStand::Head(head),
                };
                Ok(PinStep { chat, at, stand })
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
    ) -> Result<Page<HistoryEntry, HistoryPlace>> {
        let chat = self.id();
        let HistoryRequest { page } = request;
        let newest = HistoryPlace {
            pin: i64::MAX,
            decision: 0,
        };
        let (place, moves, decisions, order) = match page.part {
            ListPart::First => (newest, MOVES_BEFORE, DECISIONS_BEFORE, BACKWARDS),
            ListPart::After(place) => (place, MOVES_BEFORE, DECISIONS_BEFORE, BACKWARDS),
            ListPart::Before(place) => (place, MOVES_AFTER, DECISIONS_AFTER, FORWARDS),
        };
        let entries = self
            .within(transaction)?
            .query("select d.seq, ")
            .push(COLUMNS)
            .push(
                ", d.head_snapshot, d.decline, d.actor_kind, d.actor_id, coalesce(du.name, da.name), d.door, \
                 d.decided_at from (select * from (",
            )
            .push_all([moves, ") m union all select * from (", decisions])
            .push(") n) e join chat_pins p on p.chat_id = $1 and p.seq = e.seq")
            .push(JOINS)
            .push(
                " left join chat_decisions d on d.chat_id = $1 and d.seq = e.decision \
                 left join users du on du.id = d.actor_id left join agents da on da.id = d.actor_id",
            )
            .push(order)
            .bind(&chat)
            .bind(&place.pin)
            .bind(&place.decision)
            .bind(&(page.limit + 1))
            .all(Row::take)
            .await?;
        Ok(Page::of(entries, &page, HistoryEntry::place))
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
            .push_all([COLUMNS, TABLES, JOINS])
            .push(" where p.chat_id = $1 and p.snapshot_id = $2 order by p.seq desc limit 1")
            .bind(&chat)
            .bind(&snapshot)
            .optional(Row::take)
            .await
    }

    /// Returns the newest head of the chat's agent with that snapshot.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn agent_head(
        &self,
        transaction: &mut Transaction,
        snapshot: SnapshotId,
    ) -> Result<Option<Head>> {
        let chat = self.id();
        self.within(transaction)?
            .query(
                "select h.seq, h.snapshot_id, h.context_hash, h.tools_hash, h.received_at from chats c \
                 join agent_heads h on h.agent_id = c.agent_id \
                 where c.id = $1 and h.snapshot_id = $2 order by h.seq desc limit 1",
            )
            .bind(&chat)
            .bind(&snapshot)
            .optional(|row| row.take::<Option<Head>>())
            .await
            .map(Option::flatten)
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
            .push_all([COLUMNS, TABLES, JOINS])
            .push(" where p.chat_id = $1 and p.seq = $2")
            .bind(&chat)
            .bind(&seq)
            .optional(Row::take)
            .await
    }
}
