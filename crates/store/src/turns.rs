//! Turns: generations by the model, with the snapshot and prompt in force.

use ctxpin_model::pin::Pin;
use ctxpin_model::turn::TurnRecord;

use crate::database::Transaction;
use crate::error::Result;
use crate::evidence::turn_columns;
use crate::grant::{Granted, object::Chat, right::Write};
use crate::values::{Row, columns};
use ctxpin_model::page::{Page, PageRequest};

columns! {
    COLUMNS of TurnRecord {
        number: "number",
        snapshot: "snapshot_id",
        believed: "believed_snapshot_id",
        pin_seq: "pin_seq",
        prompt: "prompt",
        tools_snapshot: "tools_snapshot",
        delivery: "delivery",
        reference: "reference",
        started_at: "started_at",
        evidence: turn_columns!(),
    }
}

/// A turn with what the database knows of its prompt. Both are `None` if the chat had no pin.
#[derive(Debug)]
pub struct StampedTurn {
    pub turn: TurnRecord,
    pub size_bytes: Option<u64>,
    /// The version of the renderer that made the prompt.
    pub renderer: Option<i64>,
}

impl<R> Granted<Chat, R> {
    /// Returns the chat's turn of that number.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn turn_at(
        &self,
        transaction: &mut Transaction,
        number: i64,
    ) -> Result<Option<StampedTurn>> {
        let chat = self.id();
        self.within(transaction)?
            .query("select ")
            .push(COLUMNS)
            .push(
                ", (select b.size from blobs b where b.hash = turns.prompt), \
                 (select p.renderer from chat_pins p where p.chat_id = turns.chat_id \
                  and p.snapshot_id = turns.snapshot_id and p.prompt = turns.prompt order by p.seq desc limit 1) \
                 from turns where chat_id = $1 and number = $2",
            )
            .bind(&chat)
            .bind(&number)
            .optional(|row| {
                Ok(StampedTurn {
                    turn: row.take()?,
                    size_bytes: row.take()?,
                    renderer: row.take()?,
                })
            })
            .await
    }

    /// Returns a page of the chat's turns, newest first.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn turns(
        &self,
        transaction: &mut Transaction,
        page: &PageRequest<i64>,
    ) -> Result<Page<TurnRecord, i64>> {
        let chat = self.id();
        let turns = self
            .within(transaction)?
            .query("select ")
            .push(COLUMNS)
            .push(" from turns where chat_id = ")
            .value(&chat)
            .page("number", page)
            .all(Row::take)
            .await?;
        Ok(Page::of(turns, page, |turn: &TurnRecord| turn.number))
    }

    /// Returns the chat's turn with the caller's reference.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn turn_of_reference(
        &self,
        transaction: &mut Transaction,
        reference: &str,
    ) -> Result<Option<TurnRecord>> {
        let chat = self.id();
        self.within(transaction)?
            .query("select ")
            .push(COLUMNS)
            .push(" from turns where chat_id = $1 and reference = $2")
            .bind(&chat)
            .bind(&reference.to_owned())
            .optional(Row::take)
            .await
    }
}

impl Granted<Chat, Write> {
    /// Inserts a turn and sets the chat's count to its number, which is one more than the count read under
    /// the chat's lock.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Conflict`](crate::error::Error::Conflict) if the chat has a turn of the same reference.
    pub async fn turn_insert(
        &self,
        transaction: &mut Transaction,
        turn: &TurnRecord,
    ) -> Result<()> {
        let chat = self.id();
        let transaction = self.within(transaction)?;
        transaction
            .together()
            .write(
                "insert into turns (number, snapshot_id, pin_seq, prompt, tools_snapshot, delivery, reference, started_at, \
                 chat_id) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            )
            .bind(&turn.number)
            .bind_optional(turn.snapshot.as_ref())
            .bind_optional(turn.pin_seq.as_ref())
            .bind_optional(turn.prompt.as_ref())
            .bind_optional(turn.tools_snapshot.as_ref())
            .bind(&turn.delivery)
            .bind_optional(turn.reference.as_ref())
            .bind(&turn.started_at)
            .bind(&chat)
            .write("update chats set turn_count = $2, updated_at = $3 where id = $1")
            .bind(&chat)
            .bind(&turn.number)
            .bind(&turn.started_at)
            .execute()
            .await?;
        Ok(())
    }

    /// Stamps the turns that began with a pin with another one, unless they have evidence.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn turns_restamp(
        &self,
        transaction: &mut Transaction,
        believed_seq: i64,
        (seq, pin): (i64, &Pin),
    ) -> Result<()> {
        let chat = self.id();
        self.within(transaction)?
            .query(
                "update turns set believed_snapshot_id = snapshot_id, snapshot_id = $3, prompt = $4, pin_seq = $5 \
                 where chat_id = $1 and pin_seq = $2 and evidence_verdict is null",
            )
            .bind(&chat)
            .bind(&believed_seq)
            .bind(&pin.snapshot)
            .bind(&pin.prompt.prompt)
            .bind(&seq)
            .execute()
            .await?;
        Ok(())
    }
}
