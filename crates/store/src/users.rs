//! Users.

use ctxpin_model::id::UserId;
use ctxpin_model::user::{UserChange, UserRecord};

use crate::database::Transaction;
use crate::error::Result;
use crate::grant::{Granted, Upkeep, object::Account, right::Write, task};
use crate::passes;
use crate::values::{Row, columns};
use ctxpin_model::page::{IdCursor, Page, PageRequest};

columns! {
    COLUMNS of UserRecord {
        id: "id",
        name: "name",
        roles: "roles",
        disabled: "disabled",
        created_at: "created_at",
    }
}

/// Inserts a user.
async fn insert(transaction: &mut Transaction, user: &UserRecord) -> Result<()> {
    transaction
        .query(
            "insert into users (id, name, roles, disabled, created_at) values ($1, $2, $3, $4, $5)",
        )
        .bind(&user.id)
        .bind(&user.name)
        .bind(&user.roles)
        .bind(&user.disabled)
        .bind(&user.created_at)
        .execute()
        .await?;
    Ok(())
}

impl Upkeep<'_, task::FirstUser> {
    /// Returns the user that was created first, or `None` in a new database.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn user_first(&self, transaction: &mut Transaction) -> Result<Option<UserRecord>> {
        transaction
            .query("select ")
            .push_all([COLUMNS, " from users order by id limit 1"])
            .optional(Row::take)
            .await
    }

    /// Inserts the first user of a new database.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Conflict`](crate::error::Error::Conflict) if the name is taken.
    pub async fn user_insert(
        &self,
        transaction: &mut Transaction,
        user: &UserRecord,
    ) -> Result<()> {
        insert(transaction, user).await
    }
}

impl Granted<Account, Write> {
    /// Inserts a user.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Conflict`](crate::error::Error::Conflict) if the name is taken.
    pub async fn user_insert(
        &self,
        transaction: &mut Transaction,
        user: &UserRecord,
    ) -> Result<()> {
        insert(self.within(transaction)?, user).await
    }

    /// Returns the user of that id.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn user(
        &self,
        transaction: &mut Transaction,
        user: UserId,
    ) -> Result<Option<UserRecord>> {
        let transaction = self.within(transaction)?;
        let query = transaction.query("select ");
        let query = query.push_all([COLUMNS, " from users where id = "]);
        query.value(&user).optional(Row::take).await
    }

    /// Returns whether a user of that name exists.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn user_name_taken(&self, transaction: &mut Transaction, name: &str) -> Result<bool> {
        let transaction = self.within(transaction)?;
        let found = transaction
            .query("select id from users where name = $1")
            .bind(&name.to_owned())
            .optional(|row| row.take::<UserId>())
            .await?;
        Ok(found.is_some())
    }

    /// Changes a user and returns the new record, or `None` if there is no such user. Ends the passes of a user who
    /// is disabled.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Conflict`](crate::error::Error::Conflict) if the new name is taken.
    pub async fn user_update(
        &self,
        transaction: &mut Transaction,
        user: UserId,
        change: &UserChange,
    ) -> Result<Option<UserRecord>> {
        let transaction = self.within(transaction)?;
        let changed = transaction
            .query(
                "update users set name = coalesce($2, name), roles = coalesce($3, roles), \
                 disabled = coalesce($4, disabled) where id = $1 returning ",
            )
            .push(COLUMNS)
            .bind(&user)
            .bind_optional(change.name.as_ref())
            .bind_optional(change.roles.as_ref())
            .bind_optional(change.disabled.as_ref())
            .optional(Row::take)
            .await?;
        if change.disabled == Some(true) {
            passes::end_those_of_user(transaction, user).await?;
        }
        Ok(changed)
    }
}

impl<R> Granted<Account, R> {
    /// Returns a page of all users, newest first.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn users(
        &self,
        transaction: &mut Transaction,
        page: &PageRequest<IdCursor>,
    ) -> Result<Page<UserRecord, IdCursor>> {
        let transaction = self.within(transaction)?;
        let query = transaction
            .query("select ")
            .push_all([COLUMNS, " from users where true"]);
        let users = query.page("id", page).all(Row::take).await?;
        Ok(Page::of(users, page, |user: &UserRecord| user.id.uuid()))
    }

    /// Returns the user of the caller. For an agent's token it is the owner.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn own_user(&self, transaction: &mut Transaction) -> Result<UserRecord> {
        let owner = self.owner();
        let transaction = self.within(transaction)?;
        let query = transaction.query("select ");
        let query = query.push_all([COLUMNS, " from users where id = "]);
        query.value(&owner).one(Row::take).await
    }
}
