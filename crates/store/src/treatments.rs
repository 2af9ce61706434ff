//! Treatments: the results of rendering a body, stored beside it ([`Treatment`]).

use ctxpin_model::hash::BlobHash;
use ctxpin_model::treatment::{Removed, Treatment, TreatmentKey, Treatments};
use ctxpin_model::warning;

use crate::database::{CHUNK, Transaction};
use crate::error::{Error, Result};
use crate::grant::{Granted, Upkeep, object::Agent, right::Write, task};
use crate::sealed::Sealed;
use crate::values::columns;

/// A treatment as an outer join returns it: every column is null if the body has none.
pub(crate) struct JoinedTreatment {
    renderer: Option<i64>,
    given: Option<BlobHash>,
    removed_comment: Option<u64>,
    removed_invisible: Option<u64>,
    removed_blank: Option<u64>,
    warnings: Option<String>,
}

columns! {
    /// The columns of a treatment `t`, without its blob and its kind.
    pub(crate) COLUMNS of JoinedTreatment {
        renderer: "t.renderer",
        given: "t.given",
        removed_comment: "t.removed_comment",
        removed_invisible: "t.removed_invisible",
        removed_blank: "t.removed_blank",
        warnings: "t.warnings",
    }
}

impl JoinedTreatment {
    /// Returns the renderer and the treatment, or `None` if the body has no treatment.
    pub(crate) fn treatment(self) -> Result<Option<(i64, Treatment)>> {
        let Self {
            renderer: Some(renderer),
            given: Some(given),
            removed_comment: Some(comment),
            removed_invisible: Some(invisible),
            removed_blank: Some(blank),
            warnings: Some(warnings),
        } = self
        else {
            return Ok(None);
        };
        let warnings = warning::from_json(&warnings).ok_or_else(|| {
            Error::Unexpected("the stored warnings of a treatment are not a list".into())
        })?;
        let removed = Removed {
            comment,
            invisible,
            blank,
        };
        let treatment = Treatment {
            given,
            removed,
            warnings,
        };
        Ok(Some((renderer, treatment)))
    }
}

/// Inserts the treatments that are not stored yet.
async fn insert(transaction: &mut Transaction, treatments: &Treatments) -> Result<()> {
    let treatments: Vec<_> = treatments.iter().collect();
    for chunk in treatments.chunks(CHUNK) {
        transaction
            .query(
                "insert into treatments (blob, kind, renderer, given, removed_comment, removed_invisible, \
                 removed_blank, warnings) values ",
            )
            .rows(chunk, |row, (key, treatment)| {
                row.value(&key.blob)
                    .value(&key.kind)
                    .value(&key.renderer)
                    .value(&treatment.given)
                    .value(&treatment.removed.comment)
                    .value(&treatment.removed.invisible)
                    .value(&treatment.removed.blank)
                    .value(&warning::to_json(&treatment.warnings))
            })
            .push(" on conflict do nothing")
            .execute()
            .await?;
    }
    Ok(())
}

impl Granted<Agent, Write> {
    /// Inserts the treatments that are not stored yet. Their bodies must be stored.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn treatments_insert(
        &self,
        transaction: &mut Transaction,
        treatments: &Sealed<Treatments>,
    ) -> Result<()> {
        insert(self.within(transaction)?, treatments.content()).await
    }
}

/// A body of which a renderer's treatment is not stored.
#[derive(Debug, Clone)]
pub struct Untreated {
    pub key: TreatmentKey,
    pub bytes: Vec<u8>,
}

/// The task reads the bodies of all users, and stores only their treatments.
impl Upkeep<'_, task::Treatments> {
    /// Returns whether the renderer's treatments of all stored bodies are stored.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn is_treated(&self, renderer: i64) -> Result<bool> {
        let found = self
            .database
            .single("select renderer from treated_renderers where renderer = $1")
            .bind(&renderer)
            .optional(|row| row.take::<i64>())
            .await?;
        Ok(found.is_some())
    }

    /// Returns up to `count` bodies of which the renderer's treatment is not stored, in the order of
    /// their hashes, from `from` on.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn untreated(
        &self,
        renderer: i64,
        from: Option<BlobHash>,
        count: u64,
    ) -> Result<Vec<Untreated>> {
        let mut transaction = self.database.read().await?;
        let first = BlobHash::from([0; 32]);
        transaction
            .query(
                "select u.body, u.kind, b.bytes from (\
                 select distinct r.body, r.kind from snapshot_resources r \
                 where r.body >= $1 and r.kind in ('instruction_file', 'skill') and not exists (\
                 select 1 from treatments t where t.blob = r.body and t.kind = r.kind and t.renderer = $2) \
                 order by r.body, r.kind limit $3) u join blobs b on b.hash = u.body order by u.body, u.kind",
            )
            .bind(&from.unwrap_or(first))
            .bind(&renderer)
            .bind(&count)
            .all(|row| {
                let key = TreatmentKey {
                    blob: row.take()?,
                    kind: row.take()?,
                    renderer,
                };
                let bytes = row.take()?;
                Ok(Untreated { key, bytes })
            })
            .await
    }

    /// Inserts the treatments that are not stored yet, in a new transaction.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn treatments_insert(&self, treatments: &Treatments) -> Result<()> {
        let mut transaction = self.database.write().await?;
        insert(&mut transaction, treatments).await?;
        transaction.commit(self.unaudited()).await.map(drop)
    }

    /// Records that the renderer's treatments of all stored bodies are stored.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn mark_treated(&self, renderer: i64) -> Result<()> {
        let mut transaction = self.database.write().await?;
        transaction
            .query("insert into treated_renderers (renderer) values ($1) on conflict do nothing")
            .bind(&renderer)
            .execute()
            .await?;
        transaction.commit(self.unaudited()).await.map(drop)
    }
}
