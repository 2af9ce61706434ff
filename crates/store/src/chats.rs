//! Chats: their records, lists and changes.

use std::collections::BTreeMap;

use ctxpin_model::access::ActorRef;
use ctxpin_model::chat::{
    ChatChange, ChatCounts, ChatCreate, ChatFilter, ChatNames, ChatRecord, ChatState, ChatSummary,
    PinState,
};
use ctxpin_model::chat_search::ChatSearch;
use ctxpin_model::drift::Hashes;
use ctxpin_model::evidence::Verdict;
use ctxpin_model::hash::{ContextHash, SnapshotId, ToolsHash};
use ctxpin_model::history::Decision;
use ctxpin_model::id::{AgentId, ChatId, UserId};
use ctxpin_model::moment::Moment;
use ctxpin_model::pin::{Pin, Rendered, Target};
use ctxpin_model::pin_move::RefreshFilter;

use crate::chat_times::{first_other_at, made_at};
use crate::database::{CHUNK, Transaction};
use crate::deed::Deed;
use crate::error::{Error, Result};
use crate::grant::{Granted, Owned, object::Account, object::Agent, object::Chat, right::Write};
use crate::pages::Sieve;
use crate::query::Query;
use crate::values::{Columns, Row, columns};
use ctxpin_model::page::{IdCursor, Page, PageRequest};

columns! {
    COLUMNS of ChatRecord {
        id: "c.id",
        owner: "c.owner_id",
        client: "c.client",
        reference: "c.reference",
        title: "c.title",
        agent: "c.agent_id",
        parent: "c.parent_id",
        archived_at: "c.archived_at",
        mode: "c.mode",
        policy: "c.policy",
        tools: "c.tools",
        declined: "c.declined_context, c.declined_tools",
        pin_seq: "c.pin_seq",
        pin: "c.pin_snapshot, ps.context_hash, ps.tools_hash, c.pin_prompt, c.pin_renderer, c.pinned_at, \
              (select p.unconfirmed from chat_pins p where p.chat_id = c.id and p.seq = c.pin_seq), ps.error",
        turn_count: "c.turn_count",
        last_verdict: "c.evidence_turn, c.evidence_verdict, c.evidence_witness",
        created_at: "c.created_at",
        updated_at: "c.updated_at",
        head_settled: "coalesce(a.mcp_settled, false)",
        agent_refused: "a.refused_limit, a.refused_at",
        head: "h.seq, h.snapshot_id, h.context_hash, h.tools_hash, h.received_at",
        first_other_at: first_other_at!(),
        made_at: made_at!(),
    }
    then { head_prompt }
}

/// Adds [`COLUMNS`], and the prompt that the renderer made of the head's context.
pub(crate) fn columns(query: Query<'_>, renderer: i64) -> Query<'_> {
    query
        .push(COLUMNS)
        .push(", (select p.prompt from prompts p where p.context_hash = h.context_hash and p.renderer = ")
        .number(renderer)
        .push(")")
}

/// Begins a statement that reads chats.
fn select(transaction: &mut Transaction) -> Query<'_> {
    let renderer = transaction.shared().renderer;
    columns(transaction.query("select "), renderer).push_all([" from chats c", JOINS])
}

/// What a [`ChatSummary`] adds to [`COLUMNS`].
const SUMMARY_COLUMNS: &str = ", (select u.name from users u where u.id = c.owner_id), a.workspace, a.last_seen_at, \
     (select max(e.seq) from agent_heads e where e.agent_id = c.agent_id \
      and e.context_hash = ps.context_hash and (c.tools = 'live' or e.tools_hash = ps.tools_hash)), \
     (select t.started_at from turns t where t.chat_id = c.id and t.number = c.turn_count), \
     (select t.delivery from turns t where t.chat_id = c.id and t.number = c.turn_count)";

/// Begins a statement that reads summaries of chats.
pub(crate) fn select_summary(transaction: &mut Transaction) -> Query<'_> {
    let renderer = transaction.shared().renderer;
    columns(transaction.query("select "), renderer).push_all([
        SUMMARY_COLUMNS,
        " from chats c",
        JOINS,
    ])
}

impl Columns for ChatSummary {
    fn take(row: &mut Row) -> Result<Self> {
        Ok(Self {
            chat: row.take()?,
            owner_name: row.take()?,
            workspace: row.take()?,
            agent_seen_at: row.take()?,
            pinned_seq: row.take()?,
            last_turn_at: row.take()?,
            last_delivery: row.take()?,
        })
    }
}

/// The joins that [`COLUMNS`] need: the chat is `c`, the snapshot of its pin `ps`, its agent `a` and the
/// head `h`.
pub(crate) const JOINS: &str = " left join snapshots ps on ps.id = c.pin_snapshot \
     left join agents a on a.id = c.agent_id \
     left join agent_heads h on h.agent_id = a.id and h.seq = a.head_seq";

impl Owned for Chat {
    const NOUN: &str = "chat";
    const ID: &str = "c.id";

    const TABLE: &str = "chats c";
    const JOINS: &str = JOINS;

    fn columns(query: Query<'_>, renderer: i64) -> Query<'_> {
        columns(query, renderer)
    }

    fn owner(chat: &ChatRecord) -> UserId {
        chat.owner
    }

    fn binding(chat: &ChatRecord) -> Option<AgentId> {
        chat.agent
    }
}

/// The condition that a row of [`JOINS`] has drifted. It is the rule of [`ctxpin_model::drift::drift`], as a filter.
pub(crate) const DIRTY: &str = "(c.pin_snapshot is not null and h.seq is not null and \
     (ps.context_hash <> h.context_hash or (c.tools = 'pinned' and ps.tools_hash <> h.tools_hash)))";

/// The condition that the chat of a row of [`JOINS`] has declined the agent's head. It compares the same
/// hashes as [`DIRTY`].
pub(crate) const DECLINED: &str = "(c.declined_context is not null and c.declined_context = h.context_hash \
     and (c.tools = 'live' or c.declined_tools = h.tools_hash))";

/// Adds the conditions of a filter and the page, newest first.
fn filtered<'q>(
    query: Query<'q>,
    owner: Option<&UserId>,
    filter: &ChatFilter,
    page: &PageRequest<IdCursor>,
) -> Query<'q> {
    conditions(query, owner, filter).page("c.id", page)
}

/// Adds the conditions of a filter.
pub(crate) fn conditions<'q>(
    query: Query<'q>,
    owner: Option<&UserId>,
    filter: &ChatFilter,
) -> Query<'q> {
    let mut query = query.push(" where true");
    if let Some(owner) = owner {
        query = query.push(" and c.owner_id = ").value(owner);
    }
    if let Some(owner) = &filter.owner {
        query = query.push(" and c.owner_id = ").value(owner);
    }
    if let Some(agent) = &filter.agent {
        query = query.push(" and c.agent_id = ").value(agent);
    }
    if let Some(client) = &filter.client {
        query = query.push(" and c.client = ").value(client);
    }
    if let Some(reference) = &filter.reference {
        query = query.push(" and c.reference = ").value(reference);
    }
    query = match filter.archived {
        Some(true) => query.push(" and c.archived_at is not null"),
        Some(false) => query.push(" and c.archived_at is null"),
        None => query,
    };
    if let Some(mode) = &filter.mode {
        query = query.push(" and c.mode = ").value(mode);
    }
    if let Some(verdict) = &filter.verdict {
        query = query
            .push(" and c.evidence_verdict in ")
            .list(verdict.selected());
    }
    query = match filter.dirty {
        Some(true) => query.push_all([" and ", DIRTY]),
        Some(false) => query.push_all([" and not ", DIRTY]),
        None => query,
    };
    match filter.state {
        Some(state) => query.push(" and ").push_all(of_state(state)),
        None => query,
    }
}

/// The most titles that one search reads. Its page continues there.
const SEARCHED_MAX: i64 = 10_000;

/// The titles that a statement of a search reads.
const SEARCHED_AT_ONCE: i64 = 1_000;

/// Returns the chats of a page that a search finds, newest first. The comparison is not left to the databases, which
/// fold case in different ways. A page may have fewer items than its limit, or none, and be followed by another.
async fn searched(
    transaction: &mut Transaction,
    owner: Option<&UserId>,
    filter: &ChatFilter,
    search: &ChatSearch,
    page: &PageRequest<IdCursor>,
) -> Result<Page<ChatId, IdCursor>> {
    let mut found = Sieve::new(page);
    for _ in 0..SEARCHED_MAX / SEARCHED_AT_ONCE {
        // A filtered statement reads one row more than its page has.
        let part = PageRequest {
            part: found.rest(),
            limit: SEARCHED_AT_ONCE - 1,
        };
        let query = transaction
            .query("select c.id, c.title from chats c")
            .push(JOINS);
        let read = |row: &mut Row| Ok((row.take::<ChatId>()?, row.take::<Option<String>>()?));
        let lines = filtered(query, owner, filter, &part).all(read).await?;
        let is_last = (lines.len() as i64) < SEARCHED_AT_ONCE;
        for (id, title) in lines {
            let is_found = search.finds(id, title.as_deref());
            if found.take(id.uuid(), is_found.then_some(id)) {
                return Ok(found.page(true));
            }
        }
        if is_last {
            return Ok(found.page(false));
        }
    }
    Ok(found.page(true))
}

/// Completes a statement that reads the chats of these ids, newest first.
pub(crate) async fn of_ids<C: Columns>(query: Query<'_>, ids: &[ChatId]) -> Result<Vec<C>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let query = query.push(" where c.id in ").list(ids);
    query.push(" order by c.id desc").all(Row::take).await
}

/// Returns the condition of a row of [`JOINS`] that a state means. The conditions of two states exclude
/// each other, except that of an error.
fn of_state(state: ChatState) -> impl Iterator<Item = &'static str> {
    let parts: &[_] = match state {
        ChatState::Drifted => &[DIRTY, " and not ", DECLINED],
        ChatState::Declined => &[DIRTY, " and ", DECLINED],
        ChatState::Unpinned => &["c.pin_snapshot is null"],
        ChatState::Unbound => &["c.pin_snapshot is not null and c.agent_id is null"],
        ChatState::Error => &["ps.error is not null"],
    };
    parts.iter().copied()
}

impl Columns for Option<PinState> {
    fn take(row: &mut Row) -> Result<Self> {
        let snapshot: Option<SnapshotId> = row.take()?;
        let hashes: Option<Hashes> = row.take()?;
        let prompt: Option<Rendered> = row.take()?;
        let pinned_at: Option<Moment> = row.take()?;
        let unconfirmed: Option<bool> = row.take()?;
        let error = row.take()?;
        Ok(match (snapshot, hashes, prompt, pinned_at) {
            (Some(snapshot), Some(hashes), Some(prompt), Some(pinned_at)) => Some(PinState {
                pin: Pin {
                    snapshot,
                    hashes,
                    prompt,
                },
                pinned_at,
                unconfirmed: unconfirmed.unwrap_or(false),
                error,
            }),
            _ => None,
        })
    }
}

impl Columns for Option<Hashes> {
    fn take(row: &mut Row) -> Result<Self> {
        let context: Option<ContextHash> = row.take()?;
        let tools: Option<ToolsHash> = row.take()?;
        let hashes = context.zip(tools);
        Ok(hashes.map(|(context, tools)| Hashes { context, tools }))
    }
}

impl Granted<Account, Write> {
    /// Inserts a chat of the caller, unpinned, and counts it. Returns `None` if the caller has as many
    /// chats as their quota allows, which is `quota_default` unless an admin has set another.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Conflict`] if the caller has a chat of the same client and reference.
    pub async fn chat_insert(
        &self,
        transaction: &mut Transaction,
        id: ChatId,
        chat: &ChatCreate,
        at: Moment,
        quota_default: u64,
    ) -> Result<Option<Granted<Chat, Write>>> {
        let owner = self.owner();
        let transaction = self.within(transaction)?;
        let counted = transaction
            .query(
                "update users set chat_count = chat_count + 1 where id = $1 \
                 and chat_count < coalesce(chats_quota, $2)",
            )
            .bind(&owner)
            .bind(&quota_default)
            .execute()
            .await?;
        if counted == 0 {
            return Ok(None);
        }
        transaction
            .query(
                "insert into chats (id, owner_id, client, reference, title, agent_id, parent_id, mode, policy, tools, \
                 created_at, updated_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)",
            )
            .bind(&id)
            .bind(&owner)
            .bind_optional(chat.client.as_ref())
            .bind_optional(chat.reference.as_ref())
            .bind_optional(chat.title.as_ref())
            .bind_optional(chat.agent.as_ref())
            .bind_optional(chat.parent.as_ref())
            .bind(&chat.mode.unwrap_or_default())
            .bind(&chat.policy)
            .bind(&chat.tools)
            .bind(&at)
            .execute()
            .await?;
        Ok(Some(self.new_chat(id)))
    }
}

impl<R> Granted<Account, R> {
    /// Returns the caller's chat of that client and reference.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn chat_of_reference(
        &self,
        transaction: &mut Transaction,
        client: &str,
        reference: &str,
    ) -> Result<Option<ChatRecord>> {
        let owner = self.owner();
        let transaction = self.within(transaction)?;
        select(transaction)
            .push(" where c.owner_id = $1 and c.client = $2 and c.reference = $3")
            .bind(&owner)
            .bind(&client.to_owned())
            .bind(&reference.to_owned())
            .optional(Row::take)
            .await
    }

    /// Returns a page of the chats that the caller may read, newest first.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn chats(
        &self,
        transaction: &mut Transaction,
        filter: &ChatFilter,
        page: &PageRequest<IdCursor>,
    ) -> Result<Page<ChatRecord, IdCursor>> {
        let owner = if filter.own {
            Some(self.owner())
        } else {
            self.reads_of()
        };
        let transaction = self.within(transaction)?;
        if let Some(search) = &filter.search {
            let found = searched(transaction, owner.as_ref(), filter, search, page).await?;
            let items = of_ids(select(transaction), &found.items).await?;
            return Ok(found.with(items));
        }
        let query = filtered(select(transaction), owner.as_ref(), filter, page);
        let chats = query.all(Row::take).await?;
        Ok(Page::of(chats, page, |chat: &ChatRecord| chat.id.uuid()))
    }

    /// Returns a page of summaries of the chats that the caller may read, newest first.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn chat_summaries(
        &self,
        transaction: &mut Transaction,
        filter: &ChatFilter,
        page: &PageRequest<IdCursor>,
    ) -> Result<Page<ChatSummary, IdCursor>> {
        let owner = self.reads_of();
        let transaction = self.within(transaction)?;
        if let Some(search) = &filter.search {
            let found = searched(transaction, owner.as_ref(), filter, search, page).await?;
            let items = of_ids(select_summary(transaction), &found.items).await?;
            return Ok(found.with(items));
        }
        let query = filtered(select_summary(transaction), owner.as_ref(), filter, page);
        let chats = query.all(Row::take).await?;
        Ok(Page::of(chats, page, |line: &ChatSummary| {
            line.chat.id.uuid()
        }))
    }

    /// Returns the titles of these chats, and the names of their clients. Leaves out chats that the caller may not read.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn chat_names(
        &self,
        transaction: &mut Transaction,
        chats: &[ChatId],
    ) -> Result<BTreeMap<ChatId, ChatNames>> {
        let owner = self.reads_of();
        let transaction = self.within(transaction)?;
        let mut names = BTreeMap::new();
        for chunk in chats.chunks(CHUNK) {
            let mut query = transaction
                .query("select c.id, c.title, c.client from chats c where c.id in ")
                .list(chunk);
            if let Some(owner) = &owner {
                query = query.push(" and c.owner_id = ").value(owner);
            }
            let found = query.all(|row| {
                let chat: ChatId = row.take()?;
                let (title, client) = (row.take()?, row.take()?);
                Ok((chat, ChatNames { title, client }))
            });
            names.extend(found.await?);
        }
        Ok(names)
    }

    /// Returns the summaries of these chats. Leaves out chats that the caller may not read.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn chat_summaries_of(
        &self,
        transaction: &mut Transaction,
        chats: &[ChatId],
    ) -> Result<Vec<ChatSummary>> {
        let owner = self.reads_of();
        let transaction = self.within(transaction)?;
        let mut summaries = Vec::with_capacity(chats.len());
        for chunk in chats.chunks(CHUNK) {
            let mut query = select_summary(transaction)
                .push(" where c.id in ")
                .list(chunk);
            if let Some(owner) = &owner {
                query = query.push(" and c.owner_id = ").value(owner);
            }
            summaries.extend(query.all(Row::take).await?);
        }
        Ok(summaries)
    }

    /// Returns how many chats the caller may read, by state: all, or only those of an agent or an owner.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn chat_counts(
        &self,
        transaction: &mut Transaction,
        agent: Option<AgentId>,
        of: Option<UserId>,
    ) -> Result<ChatCounts> {
        let owner = self.reads_of();
        let mut query = self.within(transaction)?.query("select ");
        for state in ChatState::ALL {
            query = query
                .push("cast(count(*) filter (where c.archived_at is null and ")
                .push_all(of_state(*state))
                .push(") as bigint), ");
        }
        query = query
            .push("cast(count(*) filter (where c.archived_at is null and c.owner_id = ")
            .value(&self.owner())
            .push(" and ")
            .push_all(of_state(ChatState::Drifted))
            .push(") as bigint), ");
        query = query.push(
            "cast(count(*) filter (where c.archived_at is null) as bigint), \
             cast(count(c.archived_at) as bigint), \
             cast(count(*) filter (where c.archived_at is null and c.mode = 'observed') as bigint), \
             cast(count(*) filter (where c.archived_at is null and c.evidence_verdict in ",
        );
        query = query
            .list(Verdict::Deviates.selected())
            .push(") as bigint), (select cast(count(*) as bigint) from agents g");
        if let Some(owner) = &owner {
            query = query.push(" where g.owner_id = ").value(owner);
        }
        query = query.push_all([") from chats c", JOINS, " where true"]);
        if let Some(owner) = &owner {
            query = query.push(" and c.owner_id = ").value(owner);
        }
        if let Some(agent) = &agent {
            query = query.push(" and c.agent_id = ").value(agent);
        }
        if let Some(of) = &of {
            query = query.push(" and c.owner_id = ").value(of);
        }
        query
            .one(|row| {
                Ok(ChatCounts {
                    drifted: row.take()?,
                    declined: row.take()?,
                    unpinned: row.take()?,
                    unbound: row.take()?,
                    error: row.take()?,
                    own_drifted: row.take()?,
                    all: row.take()?,
                    archived: row.take()?,
                    observed: row.take()?,
                    deviating: row.take()?,
                    agents: row.take()?,
                })
            })
            .await
    }

    /// Returns the unarchived, drifted chats of all users that the filter selects, oldest first.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn chats_to_refresh(
        &self,
        transaction: &mut Transaction,
        filter: RefreshFilter,
    ) -> Result<Vec<ChatId>> {
        let RefreshFilter { agent, content } = filter;
        let transaction = self.within(transaction)?;
        let mut query = transaction.query("select c.id from chats c").push_all([
            JOINS,
            " where ",
            DIRTY,
            " and c.archived_at is null",
        ]);
        if let Some(agent) = &agent {
            query = query.push(" and c.agent_id = ").value(agent);
        }
        if let Some(content) = &content {
            query = query
                .push(
                    " and exists (select 1 from snapshot_resources r left join skill_files f \
                     on f.snapshot_id = r.snapshot_id and f.ordinal = r.ordinal and f.body = ",
                )
                .value(content)
                .push(" where r.snapshot_id in (c.pin_snapshot, h.snapshot_id) and (r.body = ")
                .value(content)
                .push(" or r.detail = ")
                .value(content)
                .push(" or f.body is not null))");
        }
        query = query.push(" order by c.id");
        query.all(|row| row.take()).await
    }
}

impl<R> Granted<Agent, R> {
    /// Returns the unarchived, drifted chats that are bound to the agent and belong to its owner, oldest
    /// first. Leaves out chats that have declined the head.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn dirty_chats(&self, transaction: &mut Transaction) -> Result<Vec<ChatId>> {
        let (agent, owner) = (self.id(), self.owner());
        self.within(transaction)?
            .query("select c.id from chats c")
            .push(JOINS)
            .push(" where c.agent_id = $1 and c.owner_id = $2 and c.archived_at is null and ")
            .push_all([DIRTY, " and not ", DECLINED, " order by c.id"])
            .bind(&agent)
            .bind(&owner)
            .all(|row| row.take())
            .await
    }
}

impl<R> Granted<Chat, R> {
    /// Reads the chat of this grant again, as the transaction has changed it so far.
    ///
    /// # Errors
    ///
    /// Returns [`Error::NotFound`] if the chat was deleted.
    pub async fn chat(&self, transaction: &mut Transaction) -> Result<ChatRecord> {
        let chat = self.id();
        let transaction = self.within(transaction)?;
        select(transaction)
            .push(" where c.id = ")
            .value(&chat)
            .optional(Row::take)
            .await?
            .ok_or(Error::NotFound("chat"))
    }
}

impl<R> Granted<Chat, R> {
    /// Reads the chat's summary.
    ///
    /// # Errors
    ///
    /// Returns [`Error::NotFound`] if the chat was deleted.
    pub async fn summary(&self, transaction: &mut Transaction) -> Result<ChatSummary> {
        let chat = self.id();
        let transaction = self.within(transaction)?;
        select_summary(transaction)
            .push(" where c.id = ")
            .value(&chat)
            .optional(Row::take)
            .await?
            .ok_or(Error::NotFound("chat"))
    }
}

impl Granted<Chat, Write> {
    /// Writes the fields of the change that are set, and `updated_at`. A chat that is archived gets the
    /// time `now`.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Conflict`] if the new agent or the parent was deleted at the same time.
    pub async fn update(
        &self,
        transaction: &mut Transaction,
        change: &ChatChange,
        now: Moment,
    ) -> Result<()> {
        let ChatChange {
            title,
            archived,
            agent,
            parent,
            mode,
            policy,
            tools,
        } = change;
        let chat = self.id();
        let mut query = self
            .within(transaction)?
            .query("update chats set updated_at = ")
            .value(&now);
        if let Some(title) = title {
            query = query.push(", title = ").value_optional(title.as_ref());
        }
        if let Some(archived) = archived {
            query = query
                .push(", archived_at = ")
                .value_optional(archived.then_some(now).as_ref());
        }
        if let Some(agent) = agent {
            query = query.push(", agent_id = ").value_optional(agent.as_ref());
        }
        if let Some(parent) = parent {
            query = query.push(", parent_id = ").value(parent);
        }
        if let Some(mode) = mode {
            query = query.push(", mode = ").value(mode);
        }
        if let Some(policy) = policy {
            query = query.push(", policy = ").value(policy);
        }
        if let Some(tools) = tools {
            query = query.push(", tools = ").value(tools);
        }
        query = query.push(" where id = ").value(&chat);
        query.execute().await?;
        Ok(())
    }

    /// Records a decision about a head, in the chat, in its history and in the audit log. `pin` is the number of the
    /// pin that is kept.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn decide(
        &self,
        transaction: &mut Transaction,
        decision: Decision,
        head: &Target,
        pin: i64,
        deed: &mut Deed,
    ) -> Result<()> {
        let chat = self.id();
        let declined = match decision {
            Decision::Decline => Some(head.hashes),
            Decision::Undecline => None,
        };
        let (context, tools) = declined.map(|head| (head.context, head.tools)).unzip();
        let actor = ActorRef::of(self.actor());
        self.within(transaction)?
            .together()
            .write("update chats set declined_context = $2, declined_tools = $3 where id = $1")
            .bind(&chat)
            .bind_optional(context.as_ref())
            .bind_optional(tools.as_ref())
            .write(
                "insert into chat_decisions (chat_id, seq, pin_seq, head_snapshot, decline, actor_kind, actor_id, door, \
                 decided_at) select $1, coalesce(max(seq), 0) + 1, $2, $3, $4, $5, $6, $7, $8 from chat_decisions \
                 where chat_id = $1",
            )
            .bind(&chat)
            .bind(&pin)
            .bind(&head.snapshot)
            .bind(&(decision == Decision::Decline))
            .bind(&actor.kind().to_owned())
            .bind_optional(actor.uuid().as_ref())
            .bind(&self.door())
            .bind(&self.at())
            .audit(deed)
            .execute()
            .await?;
        Ok(())
    }

    /// Deletes the chat with its history, turns and evidence, and lowers what its owner stores. Its children stay,
    /// without a parent.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn delete(&self, transaction: &mut Transaction) -> Result<()> {
        let (chat, owner) = (self.id(), self.owner());
        self.within(transaction)?
            .together()
            .write(
                "update users set chat_count = chat_count - 1, content_bytes = content_bytes \
                 - (select cast(coalesce(sum(e.size), 0) as bigint) from turn_evidence e where e.chat_id = $2) \
                 where id = $1 and chat_count > 0",
            )
            .bind(&owner)
            .bind(&chat)
            .write("delete from chats where id = $1")
            .bind(&chat)
            .execute()
            .await?;
        Ok(())
    }
}
