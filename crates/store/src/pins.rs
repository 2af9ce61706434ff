//! Moves of pins. Each updates the chat's row and appends a row to its history.

use bytes::Bytes;
use ctxpin_model::agent::Head;

use ctxpin_model::hash::{BlobHash, ContextHash, SnapshotId};
use ctxpin_model::id::{AgentId, ChatId, UserId};
use ctxpin_model::moment::Moment;
use ctxpin_model::pin::{Reason, Rendered};

use crate::blobs;
use crate::database::{Database, Transaction};
use crate::deed::Deed;
use crate::error::{Error, Result};
use crate::grant::{
    Caller, Granted, PRINCIPAL_COLUMNS, PRINCIPAL_TABLES, Sighting, object::Agent, object::Chat,
    principal, require, right::Body, right::UsesBodies, right::Write,
};
use crate::last_used::LastUsed;
use crate::query::Lock;
use crate::sealed::Sealed;
use crate::values::{Columns, Row};
use ctxpin_model::access::{Actor, ActorRef, Object, Operation, Reach};
use ctxpin_model::resource::Bodies;

/// A move: the change of a chat's pin to another snapshot or prompt, or its clearing.
#[derive(Debug, Clone, Copy)]
pub struct Move {
    /// The snapshot and its prompt, or `None` to clear the pin.
    pub to: Option<(SnapshotId, Rendered)>,
    /// The agent that the snapshot came from.
    pub agent: Option<AgentId>,
    pub reason: Reason,
    /// Whether the agent's MCP servers had settled.
    pub mcp_settled: bool,
    /// Whether the client of an observed chat may have read files that are newer than the snapshot.
    pub unconfirmed: bool,
    /// The number of the turn whose evidence has shown that the client read the snapshot.
    pub evidence_turn: Option<i64>,
    /// The time of the move.
    pub at: Moment,
    /// The time since which the chat has been pinned to the snapshot. It is `at` unless the snapshot stays.
    pub pinned_at: Moment,
}

impl Columns for Option<Rendered> {
    fn take(row: &mut Row) -> Result<Self> {
        let prompt: Option<BlobHash> = row.take()?;
        let renderer: Option<i64> = row.take()?;
        let rendered = prompt.zip(renderer);
        Ok(rendered.map(|(prompt, renderer)| Rendered { prompt, renderer }))
    }
}

impl Granted<Chat, Body> {
    /// Returns the bytes of the prompt of the chat's pin or of one of its turns.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Unexpected`] if neither the pin nor a turn has the prompt.
    pub async fn prompt_bytes(
        &self,
        transaction: &mut Transaction,
        prompt: BlobHash,
    ) -> Result<Vec<u8>> {
        let chat = self.id();
        self.within(transaction)?
            .query(
                "select b.bytes from blobs b where b.hash = $2 and (\
                 exists (select 1 from chats where id = $1 and pin_prompt = $2) \
                 or exists (select 1 from turns where chat_id = $1 and prompt = $2))",
            )
            .bind(&chat)
            .bind(&prompt)
            .one(|row| row.take())
            .await
    }
}

impl<R: UsesBodies> Granted<Chat, R> {
    /// Returns the prompt that the renderer has made of the context, if it is stored.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn prompt_find(
        &self,
        transaction: &mut Transaction,
        context: ContextHash,
        renderer: i64,
    ) -> Result<Option<BlobHash>> {
        prompt_find(self.within(transaction)?, context, renderer).await
    }
}

impl Granted<Chat, Write> {
    /// Moves or clears the pin, appends to the history, and writes the lines of the deed to the audit log,
    /// in one round trip. `seq` is the chat's last number, read under the chat's lock.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn pin_move(
        &self,
        transaction: &mut Transaction,
        seq: i64,
        to: &Move,
        deed: &mut Deed,
    ) -> Result<()> {
        let chat = self.id();
        let actor = ActorRef::of(self.actor());
        let (snapshot, rendered) = to.to.unzip();
        let (prompt, renderer) = columns(rendered);
        let pinned_at = snapshot.map(|_| to.pinned_at);
        let transaction = self.within(transaction)?;
        transaction
            .together()
            .write(
                "update chats set pin_seq = $2, pin_snapshot = $3, pin_prompt = $4, pin_renderer = $5, pinned_at = $6 \
                 where id = $1",
            )
            .bind(&chat)
            .bind(&(seq + 1))
            .bind_optional(snapshot.as_ref())
            .bind_optional(prompt.as_ref())
            .bind_optional(renderer.as_ref())
            .bind_optional(pinned_at.as_ref())
            .write(
                "insert into chat_pins (chat_id, seq, snapshot_id, prompt, renderer, agent_id, reason, \
                 mcp_settled, unconfirmed, evidence_turn, actor_kind, actor_id, door, pinned_at) \
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
            )
            .bind(&chat)
            .bind(&(seq + 1))
            .bind_optional(snapshot.as_ref())
            .bind_optional(prompt.as_ref())
            .bind_optional(renderer.as_ref())
            .bind_optional(to.agent.as_ref())
            .bind(&to.reason)
            .bind(&to.mcp_settled)
            .bind(&to.unconfirmed)
            .bind_optional(to.evidence_turn.as_ref())
            .bind(&actor.kind().to_owned())
            .bind_optional(actor.uuid().as_ref())
            .bind(&self.door())
            .bind(&to.at)
            .audit(deed)
            .execute()
            .await?;
        Ok(())
    }

    /// Stores a rendered prompt and returns its hash. If another replica has stored one for the same
    /// context and renderer, it has the same bytes.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn prompt_keep(
        &self,
        transaction: &mut Transaction,
        context: ContextHash,
        renderer: i64,
        prompt: &Sealed<String>,
    ) -> Result<BlobHash> {
        prompt_keep(self.within(transaction)?, context, renderer, prompt).await
    }
}

async fn prompt_find(
    transaction: &mut Transaction,
    context: ContextHash,
    renderer: i64,
) -> Result<Option<BlobHash>> {
    transaction
        .query("select prompt from prompts where context_hash = $1 and renderer = $2")
        .bind(&context)
        .bind(&renderer)
        .optional(|row| row.take())
        .await
}

async fn prompt_keep(
    transaction: &mut Transaction,
    context: ContextHash,
    renderer: i64,
    prompt: &Sealed<String>,
) -> Result<BlobHash> {
    let prompt = prompt.content();
    let hash = BlobHash::of(prompt.as_bytes());
    blobs::insert(
        transaction,
        &Bodies::from([(hash, prompt.as_bytes().into())]),
    )
    .await?;
    transaction
        .query(
            "insert into prompts (context_hash, renderer, prompt) values ($1, $2, $3) on conflict do nothing",
        )
        .bind(&context)
        .bind(&renderer)
        .bind(&hash)
        .execute()
        .await?;
    Ok(hash)
}

/// Returns the values of the two columns of a prompt.
fn columns(rendered: Option<Rendered>) -> (Option<BlobHash>, Option<i64>) {
    let columns = rendered.map(|rendered| (rendered.prompt, rendered.renderer));
    columns.unzip()
}

/// The chats of an agent that its next head pins.
const UNPINNED: &str = "agent_id = $1 and pin_snapshot is null and archived_at is null";

/// The chats of a replaced agent, `$1`, whose pins move to the head of its successor.
const REBOUND: &str = "agent_id = $1 and (pin_snapshot is not null or archived_at is null)";

/// The prompt of such a chat: its own if its pin has the context `$3`, else `$4`.
const REBOUND_PROMPT: &str = "case when exists (select 1 from snapshots s where s.id = chats.pin_snapshot \
     and s.context_hash = $3) then pin_prompt else $4 end";

/// The renderer of that prompt, else `$5`.
const REBOUND_RENDERER: &str = "case when exists (select 1 from snapshots s where s.id = chats.pin_snapshot \
     and s.context_hash = $3) then pin_renderer else $5 end";

impl<R: UsesBodies> Granted<Agent, R> {
    /// Returns whether a push would pin a chat of this agent or of those that it replaces.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn has_chats_to_pin(
        &self,
        transaction: &mut Transaction,
        replaced: &[Sighting<AgentId>],
    ) -> Result<bool> {
        let agent = self.id();
        let replaced: Vec<_> = replaced.iter().map(Sighting::id).collect();
        let transaction = self.within(transaction)?;
        let mut query = transaction
            .query("select id from chats where ")
            .push(UNPINNED)
            .bind(&agent);
        if !replaced.is_empty() {
            query = query
                .push(" union all select id from chats where agent_id in ")
                .list(&replaced);
        }
        let found = query
            .push(" limit 1")
            .optional(|row| row.take::<ChatId>())
            .await?;
        Ok(found.is_some())
    }

    /// Returns the prompt that the renderer has made of the context, if it is stored.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn prompt_find(
        &self,
        transaction: &mut Transaction,
        context: ContextHash,
        renderer: i64,
    ) -> Result<Option<BlobHash>> {
        prompt_find(self.within(transaction)?, context, renderer).await
    }

    /// Returns the agents that this agent replaces at its first accepted push: the agent that it names, the
    /// agent that the named one was to replace, and so on. Leaves out agents that have been replaced
    /// already.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn replaced_chain(
        &self,
        transaction: &mut Transaction,
    ) -> Result<Vec<Sighting<AgentId>>> {
        let agent = self.id();
        self.within(transaction)?
            .query(
                "with recursive chain (id) as (\
                 select o.id from agents a join agents o on o.id = a.replaces_id \
                 where a.id = $1 and o.replaced_by is null \
                 union select o.id from chain join agents a on a.id = chain.id \
                 join agents o on o.id = a.replaces_id \
                 where a.head_seq = 0 and o.replaced_by is null) \
                 select id from chain where id <> $1 order by id",
            )
            .bind(&agent)
            .all(|row| Ok(self.sighting_of(row.take()?)))
            .await
    }
}

impl Granted<Agent, Write> {
    /// Stores a rendered prompt and returns its hash.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn prompt_keep(
        &self,
        transaction: &mut Transaction,
        context: ContextHash,
        renderer: i64,
        prompt: &Sealed<String>,
    ) -> Result<BlobHash> {
        prompt_keep(self.within(transaction)?, context, renderer, prompt).await
    }

    /// Locks the chats that are bound to the agent, in the order of their ids.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn lock_chats(&self, transaction: &mut Transaction) -> Result<()> {
        let agent = self.id();
        self.within(transaction)?
            .query("select id from chats where agent_id = $1 order by id")
            .bind(&agent)
            .locking(Lock::Update)
            .all(|row| row.take::<ChatId>())
            .await?;
        Ok(())
    }

    /// Locks the chats that the agent's new head pins, in the order of their ids, and returns how many
    /// there are: its own unpinned ones, and all chats of the agents that it replaces.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn lock_chats_to_pin(
        &self,
        transaction: &mut Transaction,
        replaced: &[Granted<Agent, Write>],
    ) -> Result<usize> {
        let agent = self.id();
        let replaced: Vec<_> = replaced.iter().map(Granted::id).collect();
        let mut query = self
            .within(transaction)?
            .query("select id from chats where (")
            .push_all([UNPINNED, ")"])
            .bind(&agent);
        if !replaced.is_empty() {
            query = query.push(" or agent_id in ").list(&replaced);
        }
        let locked = query
            .push(" order by id")
            .locking(Lock::Update)
            .all(|row| row.take::<ChatId>())
            .await?;
        Ok(locked.len())
    }

    /// Pins the unpinned, unarchived chats of the agent to its head, and returns how many there were.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn hydrate(
        &self,
        transaction: &mut Transaction,
        head: &Head,
        rendered: Rendered,
        mcp_settled: bool,
    ) -> Result<u64> {
        let agent = self.id();
        let actor = ActorRef::of(self.actor());
        let transaction = self.within(transaction)?;
        transaction
            .query(
                "insert into chat_pins (chat_id, seq, snapshot_id, prompt, renderer, agent_id, reason, \
                 mcp_settled, actor_kind, actor_id, door, pinned_at) \
                 select id, pin_seq + 1, $2, $3, $4, $1, $5, $6, $7, $8, $9, $10 from chats where ",
            )
            .push(UNPINNED)
            .bind(&agent)
            .bind(&head.snapshot)
            .bind(&rendered.prompt)
            .bind(&rendered.renderer)
            .bind(&Reason::Hydrate)
            .bind(&mcp_settled)
            .bind(&actor.kind().to_owned())
            .bind_optional(actor.uuid().as_ref())
            .bind(&self.door())
            .bind(&head.received_at)
            .execute()
            .await?;
        transaction
            .query(
                "update chats set pin_seq = pin_seq + 1, pin_snapshot = $2, pin_prompt = $3, \
                 pin_renderer = $4, pinned_at = $5 where ",
            )
            .push(UNPINNED)
            .bind(&agent)
            .bind(&head.snapshot)
            .bind(&rendered.prompt)
            .bind(&rendered.renderer)
            .bind(&head.received_at)
            .execute()
            .await
    }

    /// Binds the chats of a replaced agent to this one and moves their pins to its head, except those of
    /// archived chats without a pin. A pin of an equal context keeps its prompt. Returns how many pins
    /// moved.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn rebind_from(
        &self,
        transaction: &mut Transaction,
        replaced: &Granted<Agent, Write>,
        head: &Head,
        rendered: Rendered,
        mcp_settled: bool,
    ) -> Result<u64> {
        let (agent, old) = (self.id(), replaced.id());
        let actor = ActorRef::of(self.actor());
        let transaction = self.within(transaction)?;
        transaction
            .query(
                "insert into chat_pins (chat_id, seq, snapshot_id, prompt, renderer, agent_id, reason, \
                 mcp_settled, actor_kind, actor_id, door, pinned_at) select id, pin_seq + 1, $2, ",
            )
            .push_all([REBOUND_PROMPT, ", ", REBOUND_RENDERER])
            .push(", $6, $7, $8, $9, $10, $11, $12 from chats where ")
            .push(REBOUND)
            .bind(&old)
            .bind(&head.snapshot)
            .bind(&head.hashes.context)
            .bind(&rendered.prompt)
            .bind(&rendered.renderer)
            .bind(&agent)
            .bind(&Reason::Rebind)
            .bind(&mcp_settled)
            .bind(&actor.kind().to_owned())
            .bind_optional(actor.uuid().as_ref())
            .bind(&self.door())
            .bind(&head.received_at)
            .execute()
            .await?;
        let pinned = transaction
            .query("update chats set pin_seq = pin_seq + 1, pin_snapshot = $2, pin_prompt = ")
            .push_all([REBOUND_PROMPT, ", pin_renderer = ", REBOUND_RENDERER])
            .push_all([", pinned_at = $6 where ", REBOUND])
            .bind(&old)
            .bind(&head.snapshot)
            .bind(&head.hashes.context)
            .bind(&rendered.prompt)
            .bind(&rendered.renderer)
            .bind(&head.received_at)
            .execute()
            .await?;
        transaction
            .query("update chats set agent_id = $2, updated_at = $3 where agent_id = $1")
            .bind(&old)
            .bind(&agent)
            .bind(&head.received_at)
            .execute()
            .await?;
        Ok(pinned)
    }
}

/// A chat's prompt.
#[derive(Debug, Clone)]
pub struct PromptRead {
    /// The hash of the prompt, or `None` while the chat is unpinned.
    pub hash: Option<BlobHash>,
    /// The bytes of the prompt, unless the caller has them.
    pub bytes: Option<Bytes>,
}

impl Database {
    /// Reads a chat's prompt. Checks and reads in one statement, which reads no bytes that the caller or
    /// this process has already.
    ///
    /// # Errors
    ///
    /// Fails if the [check](crate::grant) does.
    pub async fn prompt(
        &self,
        caller: &Caller,
        chat: ChatId,
        known: Option<BlobHash>,
    ) -> Result<PromptRead> {
        let prompts = &self.shared().prompts;
        let kept = prompts.last_of(chat);
        let kept_hash = kept.as_ref().map(|(hash, _)| *hash);
        let mut read = self
            .single("select ")
            .push_all([
                PRINCIPAL_COLUMNS,
                ", o.owner_id, o.pin_prompt, b.bytes from ",
                PRINCIPAL_TABLES,
            ])
            .push(
                " left join chats o on o.id = $2 \
                 left join blobs b on b.hash = o.pin_prompt and ($3 is null or b.hash <> $3) \
                 and ($4 is null or b.hash <> $4) where t.id = $1",
            )
            .bind(&caller.credential.id)
            .bind(&chat)
            .bind_optional(known.as_ref())
            .bind_optional(kept_hash.as_ref())
            .optional(|row| read_prompt(row, caller, self.last_used()))
            .await?
            .ok_or(Error::Unauthenticated)?;
        match (read.hash, &read.bytes, kept) {
            (Some(hash), Some(bytes), _) => prompts.keep(chat, hash, bytes),
            (Some(hash), None, Some((kept_hash, bytes)))
                if hash == kept_hash && known != Some(hash) =>
            {
                read.bytes = Some(bytes);
            }
            _ => {}
        }
        Ok(read)
    }
}

fn read_prompt(row: &mut Row, caller: &Caller, last_used: &LastUsed) -> Result<PromptRead> {
    let actor = principal(row, caller, last_used)?;
    let owner: Option<UserId> = row.take()?;
    let object = owner.map_or(Object::Collection, Object::Owned);
    let mut reach = Reach::Metadata;
    if owner.is_some() || matches!(actor, Actor::Agent { .. }) {
        reach = require(&actor, Operation::PromptRead, object, "chat")?;
    }
    if owner.is_none() || reach != Reach::Bodies {
        return Err(Error::NotFound("chat"));
    }
    let hash = row.take()?;
    let bytes: Option<Vec<u8>> = row.take()?;
    Ok(PromptRead {
        hash,
        bytes: bytes.map(Bytes::from),
    })
}
