//! The texts that a turn can have had: those of the snapshots around it.

use std::collections::BTreeSet;

use ctxpin_model::hash::{BlobHash, SnapshotId};
use ctxpin_model::held_text::HeldText;
use ctxpin_model::turn::TurnRecord;

use crate::database::{CHUNK, Transaction};
use crate::error::Result;
use crate::grant::{Granted, object::Chat};
use crate::values::{Row, columns};

/// How many pins, and how many heads, before and after that of a turn are looked at. Evidence compares a request with
/// those of about the same time.
const AROUND: i64 = 64;

/// The most contents that are looked for. A turn with more different ones has texts that are not found.
pub const CONTENTS_MAX: usize = CHUNK;

columns! {
    HELD of HeldText {
        kind: "kind",
        source: "source",
        content: "body",
        pin: "max(pin)",
        head: "max(head)",
    }
}

/// The pins of the chat `$1` from `$2` to `$3`, and the heads of its agent around the time `$4`.
const NAMED: &str = "with around as (select c.agent_id, coalesce((select max(e.seq) from agent_heads e \
       where e.agent_id = c.agent_id and e.received_at <= $4), 0) as seq from chats c where c.id = $1), \
     named as materialized ( \
       select snapshot_id, seq as pin, cast(null as bigint) as head from chat_pins \
         where chat_id = $1 and seq between $2 and $3 and snapshot_id is not null \
       union all \
       select h.snapshot_id, cast(null as bigint), h.seq from around a cross join agent_heads h \
         where h.agent_id = a.agent_id and h.seq between a.seq - $5 and a.seq + $5), ";

/// What these list. The time that this takes must not reveal whether another user holds a content, as in a search for
/// one. So the statement begins with the named snapshots.
const LISTED: &str = "listed as materialized (select n.pin, n.head, r.kind, r.source, r.body from named n \
       cross join snapshot_resources r where r.snapshot_id = n.snapshot_id and r.body is not null) ";

impl<R> Granted<Chat, R> {
    /// Returns which resources of the pins and heads around a turn have one of these contents, at most
    /// [`CONTENTS_MAX`].
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn held_texts(
        &self,
        transaction: &mut Transaction,
        turn: &TurnRecord,
        contents: &BTreeSet<BlobHash>,
    ) -> Result<Vec<HeldText>> {
        let chat = self.id();
        let contents: Vec<_> = contents.iter().copied().take(CONTENTS_MAX).collect();
        let pin = turn.pin_seq.unwrap_or(0);
        self.within(transaction)?
            .query(NAMED)
            .push_all([LISTED, "select ", HELD])
            .push(" from listed where body in ")
            .bind(&chat)
            .bind(&(pin - AROUND))
            .bind(&(pin + AROUND))
            .bind(&turn.started_at)
            .bind(&AROUND)
            .list(&contents)
            .push(" group by kind, source, body order by source, kind, body")
            .all(Row::take)
            .await
    }

    /// Returns the snapshot that holds a text: that of the pin, or else that of the head.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn snapshot_with(
        &self,
        transaction: &mut Transaction,
        text: &HeldText,
    ) -> Result<Option<SnapshotId>> {
        let chat = self.id();
        let statement = match text.pin {
            Some(_) => "select snapshot_id from chat_pins where chat_id = $1 and seq = $2",
            None => {
                "select h.snapshot_id from chats c join agent_heads h on h.agent_id = c.agent_id \
                 where c.id = $1 and h.seq = $2"
            }
        };
        let found = self
            .within(transaction)?
            .query(statement)
            .bind(&chat)
            .bind(&text.pin.or(text.head).unwrap_or(0))
            .optional(|row| row.take::<Option<SnapshotId>>())
            .await?;
        Ok(found.flatten())
    }
}
