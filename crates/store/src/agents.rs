//! Agents, their sessions and their heads.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use ctxpin_model::agent::{
    AgentCounts, AgentRecord, AgentRequest, AgentState, Head, SessionRequest, connected_within,
};

use ctxpin_model::drift::Hashes;
use ctxpin_model::hash::SnapshotId;
use ctxpin_model::id::{AgentId, ProcessId, UserId};
use ctxpin_model::moment::Moment;
use ctxpin_model::profile::Profile;
use ctxpin_model::snapshot::Addresses;
use ctxpin_model::treatment::TreatedSnapshot;
use ctxpin_model::warning::{self, Note};

use crate::database::{CHUNK, Transaction};
use crate::error::{Error, Result};
use crate::grant::{Granted, Owned, object::Account, object::Agent, right::Body, right::Write};
use crate::query::Query;
use crate::snapshots;
use crate::tokens;
use crate::values::{Columns, Row, columns};
use ctxpin_model::page::{IdCursor, Page, PageRequest};

/// The parts of a push beside its snapshot.
#[derive(Debug, Clone)]
pub struct PushMarks<'p> {
    /// The number of the push within its epoch.
    pub version: i64,
    /// Whether every MCP server has answered or failed.
    pub mcp_settled: bool,
    /// Notes on the workspace that concern no single resource.
    pub notes: &'p [Note],
    /// When the server received the push.
    pub at: Moment,
}

/// An agent to insert.
#[derive(Debug, Clone)]
pub struct NewAgent {
    pub id: AgentId,
    /// The name of the workspace.
    pub workspace: String,
    /// The name of the agent within the workspace.
    pub name: String,
    /// Whether the agent may refresh its owner's chats.
    pub may_refresh: bool,
    /// The agent that this one replaces at its first accepted push.
    pub replaces: Option<AgentId>,
    pub profile: Profile,
    /// The directory of the tool's settings, if it is not the usual one.
    pub home: Option<String>,
    pub created_at: Moment,
}

columns! {
    COLUMNS of AgentRecord {
        id: "a.id",
        owner: "a.owner_id",
        workspace: "a.workspace",
        name: "a.name",
        may_refresh: "a.may_refresh",
        profile: "a.profile",
        home: "a.home",
        replaces: "a.replaces_id",
        replaced_by: "a.replaced_by",
        epoch: "a.epoch",
        version: "a.version",
        mcp_settled: "a.mcp_settled",
        last_push_at: "a.last_push_at",
        last_seen_at: "a.last_seen_at",
        polling: "a.polling",
        created_at: "a.created_at",
        refused: "a.refused_limit, a.refused_at",
        head: "h.seq, h.snapshot_id, h.context_hash, h.tools_hash, h.received_at",
        token_expires_at: "k.expires_at",
        token_revoked_at: "k.revoked_at",
    }
}

/// The joins that [`COLUMNS`] need: the agent is `a`, its head `h` and its token `k`.
const JOINS: &str = " left join agent_heads h on h.agent_id = a.id and h.seq = a.head_seq \
     left join tokens k on k.agent_id = a.id";

impl Owned for Agent {
    const NOUN: &str = "agent";
    const ID: &str = "a.id";

    const TABLE: &str = "agents a";
    const JOINS: &str = JOINS;

    fn columns(query: Query<'_>, _: i64) -> Query<'_> {
        query.push(COLUMNS)
    }

    fn owner(agent: &AgentRecord) -> UserId {
        agent.owner
    }

    fn binding(agent: &AgentRecord) -> Option<AgentId> {
        Some(agent.id)
    }
}

/// An agent has no head before its first accepted push.
impl Columns for Option<Head> {
    fn take(row: &mut Row) -> Result<Self> {
        let seq: Option<i64> = row.take()?;
        let snapshot: Option<SnapshotId> = row.take()?;
        let hashes: Option<Hashes> = row.take()?;
        let received_at: Option<Moment> = row.take()?;
        Ok(match (seq, snapshot, hashes, received_at) {
            (Some(seq), Some(snapshot), Some(hashes), Some(received_at)) => Some(Head {
                seq,
                snapshot,
                hashes,
                received_at,
            }),
            _ => None,
        })
    }
}

/// Adds the condition that the agent `a` is in a state. `connected` has the last request of a connected one.
fn in_state<'q>(
    query: Query<'q>,
    state: AgentState,
    connected: &RangeInclusive<Moment>,
) -> Query<'q> {
    let within = |query: Query<'q>| {
        query
            .push("a.last_seen_at between ")
            .value(connected.start())
            .push(" and ")
            .value(connected.end())
    };
    match state {
        AgentState::Refused => query.push("a.refused_at is not null"),
        AgentState::New => query.push("a.refused_at is null and a.last_seen_at is null"),
        AgentState::Connected => {
            within(query.push("a.refused_at is null and a.polling is null and "))
        }
        AgentState::Polling => {
            within(query.push("a.refused_at is null and a.polling is not null and "))
        }
        AgentState::Gone => within(query.push("a.refused_at is null and not ")),
    }
}

async fn read_one(transaction: &mut Transaction, agent: AgentId) -> Result<AgentRecord> {
    transaction
        .query("select ")
        .push_all([COLUMNS, " from agents a", JOINS, " where a.id = "])
        .value(&agent)
        .optional(Row::take)
        .await?
        .ok_or(Error::NotFound("agent"))
}

impl Granted<Account, Write> {
    /// Inserts an agent of the caller.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Conflict`] if the agent that it replaces was deleted at the same time.
    pub async fn agent_insert(
        &self,
        transaction: &mut Transaction,
        agent: &NewAgent,
    ) -> Result<Granted<Agent, Write>> {
        let owner = self.owner();
        self.within(transaction)?
            .query(
                "insert into agents \
                 (id, owner_id, workspace, name, may_refresh, replaces_id, profile, home, created_at) \
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            )
            .bind(&agent.id)
            .bind(&owner)
            .bind(&agent.workspace)
            .bind(&agent.name)
            .bind(&agent.may_refresh)
            .bind_optional(agent.replaces.as_ref())
            .bind(&agent.profile)
            .bind_optional(agent.home.as_ref())
            .bind(&agent.created_at)
            .execute()
            .await?;
        Ok(self.new_agent(agent.id))
    }

    /// Returns the newest agent of the caller that has the workspace, the name, the profile and the home of this
    /// request and has not been replaced.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn agent_same(
        &self,
        transaction: &mut Transaction,
        request: &AgentRequest,
    ) -> Result<Option<AgentId>> {
        let owner = self.owner();
        self.within(transaction)?
            .query(
                "select id from agents where owner_id = $1 and workspace = $2 and name = $3 \
                 and profile = $4 and coalesce(home, '') = $5 \
                 and replaced_by is null order by id desc limit 1",
            )
            .bind(&owner)
            .bind(&request.workspace)
            .bind(&request.name)
            .bind(&request.profile)
            .bind(&request.home.clone().unwrap_or_default())
            .optional(|row| row.take())
            .await
    }
}

impl<R> Granted<Account, R> {
    /// Returns a page of the agents that the caller may read, newest first: those in a state, or all for `None`.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn agents(
        &self,
        transaction: &mut Transaction,
        state: Option<AgentState>,
        page: &PageRequest<IdCursor>,
    ) -> Result<Page<AgentRecord, IdCursor>> {
        self.agents_of(transaction, self.reads_of(), state, page)
            .await
    }

    /// Returns how many agents that the caller may read are in each state.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn agent_counts(&self, transaction: &mut Transaction) -> Result<AgentCounts> {
        let (owner, connected) = (self.reads_of(), connected_within(self.at()));
        let mut query = self.within(transaction)?.query("select ");
        for (index, state) in AgentState::ALL.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            query = query.push(comma).push("cast(count(*) filter (where ");
            query = in_state(query, *state, &connected).push(") as bigint)");
        }
        query = query.push(" from agents a where true");
        if let Some(owner) = &owner {
            query = query.push(" and a.owner_id = ").value(owner);
        }
        query
            .one(|row| {
                Ok(AgentCounts {
                    connected: row.take()?,
                    polling: row.take()?,
                    refused: row.take()?,
                    gone: row.take()?,
                    new: row.take()?,
                })
            })
            .await
    }

    /// Returns a page of the caller's own agents, newest first.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn own_agents(
        &self,
        transaction: &mut Transaction,
        page: &PageRequest<IdCursor>,
    ) -> Result<Page<AgentRecord, IdCursor>> {
        let owner = Some(self.owner());
        self.agents_of(transaction, owner, None, page).await
    }

    async fn agents_of(
        &self,
        transaction: &mut Transaction,
        owner: Option<UserId>,
        state: Option<AgentState>,
        page: &PageRequest<IdCursor>,
    ) -> Result<Page<AgentRecord, IdCursor>> {
        let connected = connected_within(self.at());
        let transaction = self.within(transaction)?;
        let mut query = transaction.query("select ").push_all([
            COLUMNS,
            " from agents a",
            JOINS,
            " where true",
        ]);
        if let Some(owner) = &owner {
            query = query.push(" and a.owner_id = ").value(owner);
        }
        if let Some(state) = state {
            query = in_state(query.push(" and "), state, &connected);
        }
        let agents = query.page("a.id", page).all(Row::take).await?;
        Ok(Page::of(agents, page, |agent: &AgentRecord| {
            agent.id.uuid()
        }))
    }
}

impl<R> Granted<Agent, R> {
    /// Reads the agent of this grant again, as the transaction has changed it so far.
    ///
    /// # Errors
    ///
    /// Returns [`Error::NotFound`] if the agent was deleted.
    pub async fn agent(&self, transaction: &mut Transaction) -> Result<AgentRecord> {
        let agent = self.id();
        read_one(self.within(transaction)?, agent).await
    }

    /// Returns the notes on the agent's workspace. Returns none if the caller may not read bodies, because
    /// notes name what bodies contain.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Unexpected`] if the stored notes cannot be parsed.
    pub async fn notes(&self, transaction: &mut Transaction) -> Result<Vec<Note>> {
        if !self.tells_bodies() {
            return Ok(Vec::new());
        }
        let agent = self.id();
        let notes: Option<String> = self
            .within(transaction)?
            .query("select notes from agents where id = $1")
            .bind(&agent)
            .optional(|row| row.take())
            .await?;
        let notes = notes.unwrap_or_else(|| "[]".to_owned());
        warning::notes_from_json(&notes)
            .ok_or_else(|| Error::Unexpected("the stored notes of an agent are not a list".into()))
    }

    /// Returns a page of the agent's heads, newest first.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn heads(
        &self,
        transaction: &mut Transaction,
        page: &PageRequest<i64>,
    ) -> Result<Page<Head, i64>> {
        let agent = self.id();
        let transaction = self.within(transaction)?;
        let heads = transaction
            .query(
                "select seq, snapshot_id, context_hash, tools_hash, received_at from agent_heads \
                 where agent_id = ",
            )
            .value(&agent)
            .page("seq", page)
            .all(|row| {
                let head: Option<Head> = row.take()?;
                head.ok_or_else(|| Error::Unexpected("a column of a head is null".into()))
            })
            .await?;
        Ok(Page::of(heads, page, |head: &Head| head.seq))
    }
}

impl<R> Granted<Account, R> {
    /// Returns how many resources of the heads of these agents are too large, unreadable or invalid. Leaves out heads
    /// without any.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn unusable_counts(
        &self,
        transaction: &mut Transaction,
        agents: &[AgentRecord],
    ) -> Result<BTreeMap<SnapshotId, u64>> {
        let heads = agents.iter().filter_map(|agent| agent.head);
        let heads: BTreeSet<_> = heads.map(|head| head.snapshot).collect();
        let transaction = self.within(transaction)?;
        let mut counts = BTreeMap::new();
        for chunk in Vec::from_iter(heads).chunks(CHUNK) {
            let query = transaction
                .query(
                    "select snapshot_id, cast(count(*) as bigint) from snapshot_resources \
                     where status in ('oversize', 'unreadable', 'invalid') and snapshot_id in ",
                )
                .list(chunk)
                .push(" group by snapshot_id");
            let found = query.all(|row| Ok((row.take::<SnapshotId>()?, row.take::<u64>()?)));
            counts.extend(found.await?);
        }
        Ok(counts)
    }
}

impl Granted<Agent, Body> {
    /// Returns the snapshot of that id if it is in the agent's timeline.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn snapshot(
        &self,
        transaction: &mut Transaction,
        id: SnapshotId,
    ) -> Result<Option<Arc<TreatedSnapshot>>> {
        let agent = self.id();
        let transaction = self.within(transaction)?;
        let found = transaction
            .query(
                "select snapshot_id from agent_heads where agent_id = $1 and snapshot_id = $2 limit 1",
            )
            .bind(&agent)
            .bind(&id)
            .optional(|row| row.take::<SnapshotId>())
            .await?;
        match found {
            Some(id) => Ok(snapshots::read_all(transaction, &[id].into())
                .await?
                .remove(&id)),
            None => Ok(None),
        }
    }
}

impl<R> Granted<Agent, R> {
    /// Returns the epoch of a process, or `None` if it has not opened a session.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn session(
        &self,
        transaction: &mut Transaction,
        process: ProcessId,
    ) -> Result<Option<i64>> {
        let agent = self.id();
        self.within(transaction)?
            .query("select epoch from agent_sessions where agent_id = $1 and process = $2")
            .bind(&agent)
            .bind(&process)
            .optional(|row| row.take())
            .await
    }
}

impl Granted<Agent, Write> {
    /// Assigns the next epoch to a process that has none.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Conflict`] if the epoch or the process has a session already.
    pub async fn session_open(
        &self,
        transaction: &mut Transaction,
        request: &SessionRequest,
        epoch: i64,
        now: Moment,
    ) -> Result<()> {
        let agent = self.id();
        let transaction = self.within(transaction)?;
        transaction
            .together()
            .write(
                "update agents set epoch = $2, version = 0, last_seen_at = $3, polling = $4 where id = $1",
            )
            .bind(&agent)
            .bind(&epoch)
            .bind(&now)
            .bind_optional(request.polling.as_ref())
            .write("insert into agent_sessions (agent_id, epoch, process, opened_at) values ($1, $2, $3, $4)")
            .bind(&agent)
            .bind(&epoch)
            .bind(&request.process)
            .bind(&now)
            .execute()
            .await?;
        Ok(())
    }

    /// Records a contact of the agent, and why it polls files. `None` if it watches them.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn polling_set(
        &self,
        transaction: &mut Transaction,
        polling: Option<&String>,
    ) -> Result<()> {
        let (agent, now) = (self.id(), self.at());
        self.within(transaction)?
            .query("update agents set polling = $2, last_seen_at = $3 where id = $1")
            .bind(&agent)
            .bind_optional(polling)
            .bind(&now)
            .execute()
            .await?;
        Ok(())
    }

    /// Records a push whose content equals the head's: sets the version and the other marks, and clears an
    /// earlier refusal.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn push_unchanged(
        &self,
        transaction: &mut Transaction,
        marks: &PushMarks<'_>,
    ) -> Result<()> {
        let agent = self.id();
        self.within(transaction)?
            .query(
                "update agents set version = $2, mcp_settled = $3, last_push_at = $4, last_seen_at = $4, \
                 notes = $5, refused_limit = null, refused_at = null where id = $1",
            )
            .bind(&agent)
            .bind(&marks.version)
            .bind(&marks.mcp_settled)
            .bind(&marks.at)
            .bind(&warning::notes_to_json(marks.notes))
            .execute()
            .await?;
        Ok(())
    }

    /// Makes a stored snapshot the agent's head.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Unexpected`] if the agent was created in this transaction.
    pub async fn head_append(
        &self,
        transaction: &mut Transaction,
        marks: &PushMarks<'_>,
        addresses: &Addresses,
    ) -> Result<Head> {
        let agent = self.id();
        // The agent is locked, so no other transaction takes the same number.
        let seq = self.record()?.head.map_or(0, |head| head.seq) + 1;
        let transaction = self.within(transaction)?;
        transaction
            .together()
            .write(
                "update agents set version = $2, mcp_settled = $3, last_push_at = $4, last_seen_at = $4, \
                 head_seq = $6, head_snapshot = $5, notes = $7, refused_limit = null, refused_at = null \
                 where id = $1",
            )
            .bind(&agent)
            .bind(&marks.version)
            .bind(&marks.mcp_settled)
            .bind(&marks.at)
            .bind(&addresses.id)
            .bind(&seq)
            .bind(&warning::notes_to_json(marks.notes))
            .write(
                "insert into agent_heads (agent_id, seq, snapshot_id, context_hash, tools_hash, received_at) \
                 values ($1, $2, $3, $4, $5, $6)",
            )
            .bind(&agent)
            .bind(&seq)
            .bind(&addresses.id)
            .bind(&addresses.context_hash)
            .bind(&addresses.tools_hash)
            .bind(&marks.at)
            .execute()
            .await?;
        let hashes = Hashes {
            context: addresses.context_hash,
            tools: addresses.tools_hash,
        };
        Ok(Head {
            seq,
            snapshot: addresses.id,
            hashes,
            received_at: marks.at,
        })
    }

    /// Fences the agent for good in favour of `successor`. An agent that is fenced already stays as it is,
    /// because its successor has its chats.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn mark_replaced(
        &self,
        transaction: &mut Transaction,
        successor: AgentId,
    ) -> Result<()> {
        let agent = self.id();
        self.within(transaction)?
            .query("update agents set replaced_by = $2 where id = $1 and replaced_by is null")
            .bind(&agent)
            .bind(&successor)
            .execute()
            .await?;
        Ok(())
    }

    /// Deletes the agent with its heads, its sessions and its token. Its chats stay, unbound. The agents
    /// that it replaced stay fenced. Their successor becomes the deleted agent's own successor, or they
    /// themselves if it has none.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn delete(&self, transaction: &mut Transaction, now: Moment) -> Result<()> {
        let agent = self.id();
        let transaction = self.within(transaction)?;
        transaction
            .query("update chats set agent_id = null, updated_at = $2 where agent_id = $1")
            .bind(&agent)
            .bind(&now)
            .execute()
            .await?;
        transaction
            .query(
                "update agents set replaced_by = coalesce(\
                 (select s.replaced_by from agents s where s.id = $1 and s.replaced_by <> $1), id) \
                 where replaced_by = $1 and id <> $1",
            )
            .bind(&agent)
            .execute()
            .await?;
        tokens::keep_ended(transaction, tokens::OF_AGENT, &agent, now).await?;
        transaction
            .query("delete from agents where id = $1")
            .bind(&agent)
            .execute()
            .await?;
        Ok(())
    }
}
