//! Evidence: the rows of turns, what they say together, and the keys of owners.

use ctxpin_model::access::ActorRef;
use ctxpin_model::evidence::{CheckedRow, EvidenceRecord, LastVerdict, RowSummary, TurnEvidence};
use ctxpin_model::evidence_key::{EvidenceKey, EvidenceKeyName};
use ctxpin_model::hash::AnyHash;
use ctxpin_model::id::UserId;

use crate::database::{CHUNK, Transaction};
use crate::error::Result;
use crate::grant::{Granted, object::Account, object::Chat, right::Write};
use crate::usage::content_bytes_add;
use crate::values::{Columns, Row, columns};

columns! {
    COLUMNS of EvidenceRecord {
        key: "key",
        source: "source",
        summary: "witness, verdict, requests, whole, first_different, client_version",
        owner_key: "owner_key",
        size_bytes: "size",
        by: "actor_kind, actor_id",
        at: "handed_in_at",
    }
}

impl Columns for RowSummary {
    fn take(row: &mut Row) -> Result<Self> {
        Ok(Self {
            witness: row.take()?,
            verdict: row.take()?,
            requests: row.take()?,
            whole: row.take()?,
            first_different: row.take()?,
            client_version: row.take()?,
        })
    }
}

/// The columns of a turn's evidence in the table of turns.
macro_rules! turn_columns {
    () => {
        "evidence_verdict, evidence_witness, evidence_requests, evidence_client_version"
    };
}
pub(crate) use turn_columns;

impl Columns for Option<TurnEvidence> {
    fn take(row: &mut Row) -> Result<Self> {
        let verdict = row.take()?;
        let witness = row.take()?;
        let requests: Option<u64> = row.take()?;
        let client_version = row.take()?;
        Ok(match (verdict, witness, requests) {
            (Some(verdict), Some(witness), Some(requests)) => Some(TurnEvidence {
                verdict,
                witness,
                requests,
                client_version,
            }),
            _ => None,
        })
    }
}

impl Columns for Option<LastVerdict> {
    fn take(row: &mut Row) -> Result<Self> {
        let turn: Option<i64> = row.take()?;
        let verdict = row.take()?;
        let witness = row.take()?;
        Ok(match (turn, verdict, witness) {
            (Some(turn), Some(verdict), Some(witness)) => Some(LastVerdict {
                turn,
                verdict,
                witness,
            }),
            _ => None,
        })
    }
}

/// How much more content an owner may store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentRoom {
    pub used: u64,
    /// The owner's own quota, if an admin has set one.
    pub quota: Option<u64>,
}

impl<R> Granted<Account, R> {
    /// Returns the caller's key of evidence, if it was made.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn evidence_key(&self, transaction: &mut Transaction) -> Result<Option<EvidenceKey>> {
        let owner = self.owner();
        let transaction = self.within(transaction)?;
        key_of(transaction, &owner).await
    }
}

impl Granted<Account, Write> {
    /// Keeps a key of evidence for the caller, unless there is one. Returns whether it is kept.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn evidence_key_insert(
        &self,
        transaction: &mut Transaction,
        key: &EvidenceKey,
    ) -> Result<bool> {
        let owner = self.owner();
        let written = self
            .within(transaction)?
            .query("update users set evidence_key = $2 where id = $1 and evidence_key is null")
            .bind(&owner)
            .bind(key.reveal())
            .execute()
            .await?;
        Ok(written > 0)
    }
}

async fn key_of(transaction: &mut Transaction, owner: &UserId) -> Result<Option<EvidenceKey>> {
    let key: Option<[u8; 32]> = transaction
        .query("select evidence_key from users where id = $1")
        .bind(owner)
        .one(|row| row.take())
        .await?;
    Ok(key.map(EvidenceKey::new))
}

impl<R> Granted<Chat, R> {
    /// Returns the key of evidence of the chat's owner, if it was made.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn owners_evidence_key(
        &self,
        transaction: &mut Transaction,
    ) -> Result<Option<EvidenceKey>> {
        let owner = self.owner();
        let transaction = self.within(transaction)?;
        key_of(transaction, &owner).await
    }

    /// Returns the rows of a turn without their resources, oldest first.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn evidence_records(
        &self,
        transaction: &mut Transaction,
        turn: i64,
    ) -> Result<Vec<EvidenceRecord>> {
        let chat = self.id();
        self.within(transaction)?
            .query("select ")
            .push(COLUMNS)
            .push(" from turn_evidence where chat_id = $1 and turn = $2 order by handed_in_at, key")
            .bind(&chat)
            .bind(&turn)
            .all(Row::take)
            .await
    }

    /// Returns the canonical JSON of some rows of a turn, in any order.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn evidence_contents(
        &self,
        transaction: &mut Transaction,
        turn: i64,
        keys: &[AnyHash],
    ) -> Result<Vec<Vec<u8>>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let chat = self.id();
        self.within(transaction)?
            .query("select content from turn_evidence where chat_id = $1 and turn = $2 and key in ")
            .bind(&chat)
            .bind(&turn)
            .list(keys)
            .all(|row| row.take())
            .await
    }
}

impl Granted<Chat, Write> {
    /// Inserts a row of a turn, with the names of the texts that its requests had or lacked, and sets what all rows of the turn say
    /// together. It is the chat's last verdict if no later turn has evidence.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn evidence_insert(
        &self,
        transaction: &mut Transaction,
        turn: i64,
        row: &CheckedRow,
        owner_key: EvidenceKeyName,
        together: &TurnEvidence,
    ) -> Result<()> {
        let chat = self.id();
        let by = ActorRef::of(self.actor());
        let transaction = self.within(transaction)?;
        let (content, summary) = (row.json().as_bytes().to_vec(), row.row().summary());
        transaction
            .together()
            .write(
                "insert into turn_evidence (chat_id, turn, key, source, witness, verdict, requests, whole, \
                 first_different, owner_key, size, content, actor_kind, actor_id, handed_in_at, client_version) \
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
            )
            .bind(&chat)
            .bind(&turn)
            .bind(&row.row().key)
            .bind(&row.row().source)
            .bind(&summary.witness)
            .bind(&summary.verdict)
            .bind(&summary.requests)
            .bind(&summary.whole)
            .bind_optional(summary.first_different.as_ref())
            .bind(&owner_key)
            .bind(&(content.len() as u64))
            .bind(&content)
            .bind(&by.kind().to_owned())
            .bind_optional(by.uuid().as_ref())
            .bind(&self.at())
            .bind_optional(summary.client_version.as_ref())
            .write(
                "update turns set evidence_verdict = $3, evidence_witness = $4, evidence_requests = $5, \
                 evidence_client_version = $6 where chat_id = $1 and number = $2",
            )
            .bind(&chat)
            .bind(&turn)
            .bind(&together.verdict)
            .bind(&together.witness)
            .bind(&together.requests)
            .bind_optional(together.client_version.as_ref())
            .write(
                "update chats set evidence_turn = $2, evidence_verdict = $3, evidence_witness = $4 \
                 where id = $1 and coalesce(evidence_turn, 0) <= $2",
            )
            .bind(&chat)
            .bind(&turn)
            .bind(&together.verdict)
            .bind(&together.witness)
            .execute()
            .await?;
        let had: Vec<_> = row.row().texts().collect();
        let lacked: Vec<_> = row.row().lacks().collect();
        for (table, names) in [
            ("turn_evidence_texts", had),
            ("turn_evidence_lacks", lacked),
        ] {
            for chunk in names.chunks(CHUNK) {
                transaction
                    .query("insert into ")
                    .push(table)
                    .push(" (chat_id, name, turn) values ")
                    .rows(chunk, |row, name| row.value(&chat).value(name).value(&turn))
                    .push(" on conflict do nothing")
                    .execute()
                    .await?;
            }
        }
        Ok(())
    }

    /// Adds to the bytes that the chat's owner stores. Returns `false` if the sum would exceed the quota. Call it after
    /// the locks on agents and chats.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn evidence_bytes_add(
        &self,
        transaction: &mut Transaction,
        bytes: u64,
        quota_default: u64,
    ) -> Result<bool> {
        let owner = self.owner();
        let transaction = self.within(transaction)?;
        content_bytes_add(transaction, &owner, bytes, quota_default).await
    }

    /// Returns how much the chat's owner stores.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn content_room(&self, transaction: &mut Transaction) -> Result<ContentRoom> {
        let owner = self.owner();
        self.within(transaction)?
            .query("select content_bytes, content_bytes_quota from users where id = $1")
            .bind(&owner)
            .one(|row| {
                Ok(ContentRoom {
                    used: row.take()?,
                    quota: row.take()?,
                })
            })
            .await
    }
}
