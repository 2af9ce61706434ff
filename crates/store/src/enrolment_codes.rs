//! Enrolment codes: passes that make an agent, with what the agent is to be.

use ctxpin_model::agent::AgentRequest;
use ctxpin_model::enrolment::{Enrolment, EnrolmentCodeRecord};
use ctxpin_model::id::{AgentId, EnrolmentCodeId, TokenId};
use ctxpin_model::moment::Moment;
use ctxpin_model::pass::{PassHash, PassKind};
use ctxpin_model::token::Credential;

use crate::database::{Database, Transaction};
use crate::error::Result;
use crate::grant::{Granted, object::Account, object::Agent, right::Write};

/// An enrolment code to insert. Its pass is inserted before it.
#[derive(Debug, Clone)]
pub struct NewEnrolmentCode<'r> {
    pub id: EnrolmentCodeId,
    /// The hash of its pass.
    pub secret_hash: PassHash,
    pub request: &'r AgentRequest,
}

impl Granted<Account, Write> {
    /// Inserts an enrolment code.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn enrolment_code_insert(
        &self,
        transaction: &mut Transaction,
        code: &NewEnrolmentCode<'_>,
    ) -> Result<()> {
        self.within(transaction)?
            .query(
                "insert into enrolment_codes \
                 (id, secret_hash, workspace, name, may_refresh, replaces, profile, home) \
                 values ($1, $2, $3, $4, $5, $6, $7, $8)",
            )
            .bind(&code.id)
            .bind(&code.secret_hash)
            .bind(&code.request.workspace)
            .bind(&code.request.name)
            .bind(&code.request.may_refresh)
            .bind_optional(code.request.replaces.as_ref())
            .bind(&code.request.profile)
            .bind_optional(code.request.home.as_ref())
            .execute()
            .await?;
        Ok(())
    }
}

impl<R> Granted<Account, R> {
    /// Returns the caller's code of this id. `None` if there is none, or it has expired.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn enrolment_code(
        &self,
        transaction: &mut Transaction,
        id: EnrolmentCodeId,
        now: Moment,
    ) -> Result<Option<EnrolmentCodeRecord>> {
        let owner = self.owner();
        self.within(transaction)?
            .query(
                "select e.id, e.workspace, e.profile, p.expires_at, e.agent_id from enrolment_codes e \
                 join passes p on p.secret_hash = e.secret_hash join tokens t on t.id = p.token_id \
                 where e.id = $1 and t.user_id = $2 and p.expires_at > $3",
            )
            .bind(&id)
            .bind(&owner)
            .bind(&now)
            .optional(|row| {
                Ok(EnrolmentCodeRecord {
                    id: row.take()?,
                    workspace: row.take()?,
                    profile: row.take()?,
                    expires_at: row.take()?,
                    agent: row.take()?,
                })
            })
            .await
    }
}

impl Granted<Agent, Write> {
    /// Records that a code has made this agent. Returns `false` and writes nothing if the code is gone or has made
    /// an agent before.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn enrolment_code_use(
        &self,
        transaction: &mut Transaction,
        code: EnrolmentCodeId,
    ) -> Result<bool> {
        let agent = self.id();
        let used = self
            .within(transaction)?
            .query("update enrolment_codes set agent_id = $2 where id = $1 and agent_id is null")
            .bind(&code)
            .bind(&agent)
            .execute()
            .await?;
        Ok(used == 1)
    }
}

impl<R> Granted<Agent, R> {
    /// Returns the id of the agent's token if the token's secret has this hash.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn token_with_secret(
        &self,
        transaction: &mut Transaction,
        secret_hash: &[u8; 32],
    ) -> Result<Option<TokenId>> {
        let agent = self.id();
        self.within(transaction)?
            .query("select id from tokens where agent_id = $1 and secret_hash = $2")
            .bind(&agent)
            .bind(secret_hash)
            .optional(|row| row.take())
            .await
    }
}

impl Database {
    /// Returns what the code with this hash makes. `None` if there is no such code, or it has expired. Whether its
    /// maker may still make an agent is checked where it is used.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn enrolment(
        &self,
        secret_hash: &PassHash,
        now: Moment,
    ) -> Result<Option<Enrolment>> {
        self.single(
            "select e.id, t.id, t.secret_hash, e.workspace, e.name, e.may_refresh, e.replaces, \
             e.profile, e.home, e.agent_id from passes p join enrolment_codes e on e.secret_hash = p.secret_hash \
             join tokens t on t.id = p.token_id \
             where p.secret_hash = $1 and p.kind = $2 and p.expires_at > $3",
        )
        .bind(secret_hash)
        .bind(&PassKind::EnrolmentCode)
        .bind(&now)
        .optional(|row| {
            Ok(Enrolment {
                id: row.take()?,
                made_by: Credential {
                    id: row.take()?,
                    secret_hash: row.take()?,
                    is_session: false,
                },
                request: AgentRequest {
                    workspace: row.take()?,
                    name: row.take()?,
                    may_refresh: row.take()?,
                    replaces: row.take()?,
                    profile: row.take()?,
                    home: row.take()?,
                },
                agent: row.take::<Option<AgentId>>()?,
            })
        })
        .await
    }
}
