//! Watches: first the state, then what changes. A watch subscribes to wakes before it reads the
//! state, takes every wake for a hint to read it again, and reads it from time to time anyway; so a
//! lost hint costs at most one such interval. Each reading checks the caller's token and permission.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use ctxpin_model::access::Operation;
use ctxpin_model::agent::{AgentRecord, Head};
use ctxpin_model::chat::{ChatFilter, ChatRecord};
use ctxpin_model::drift::Drift;
use ctxpin_model::hash::SnapshotId;
use ctxpin_model::id::{AgentId, ChatId, UserId};
use ctxpin_model::moment::Moment;
use ctxpin_model::page::{PAGE_ITEMS_MAX, PageRequest};
use ctxpin_model::pin::{Policy, ToolsMode};
use ctxpin_model::token::Credential;
use ctxpin_model::turn::TurnRecord;
use ctxpin_store::grant::{Caller, Granted, object, right};
use ctxpin_store::wake::Topic;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::{Instant, sleep_until};

use crate::error::{Error, Result};
use crate::service::Service;

/// How often a watch reads the state without being woken, usually.
pub const RECHECK_EVERY: Duration = Duration::from_secs(30);

/// What a watcher is told.
#[derive(Debug, Clone)]
pub enum Event {
    /// A chat as it is now.
    Chat(Box<ChatRecord>),
    /// A turn has begun.
    Turn(ChatId, TurnRecord),
    /// An agent as it is now.
    Agent(Box<AgentRecord>),
    /// A chat is gone.
    Deleted(ChatId),
    /// An agent is gone.
    AgentDeleted(AgentId),
    /// The state was told; what follows is changes.
    Ready,
}

/// What is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// One chat.
    Chat(ChatId),
    /// The caller's own unarchived chats, and the caller's agents.
    Own,
}

/// What can be seen of a chat, to tell whether it changed. The members themselves are compared: by a
/// clock that was set back, a change may have the very time of an earlier one.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    updated_at: Moment,
    title: Option<String>,
    is_archived: bool,
    parent: Option<ChatId>,
    policy: Policy,
    tools: ToolsMode,
    pin_seq: i64,
    turn_count: i64,
    agent: Option<AgentId>,
    head: Option<(SnapshotId, bool)>,
    drift: Option<Drift>,
}

impl Seen {
    fn of(chat: &ChatRecord) -> Self {
        Self {
            updated_at: chat.updated_at,
            title: chat.title.clone(),
            is_archived: chat.archived_at.is_some(),
            parent: chat.parent,
            policy: chat.policy,
            tools: chat.tools,
            pin_seq: chat.pin_seq,
            turn_count: chat.turn_count,
            agent: chat.agent,
            head: chat.head.map(|head| (head.snapshot, chat.head_settled)),
            drift: chat.drift(),
        }
    }
}

/// What can be seen of an agent, to tell whether it changed. Its signs of life are not: they come
/// all the time.
#[derive(Debug, Clone, PartialEq)]
struct SeenAgent {
    process: (i64, i64),
    head: Option<Head>,
    mcp_settled: bool,
    replaced_by: Option<AgentId>,
    last_push_at: Option<Moment>,
}

impl SeenAgent {
    fn of(agent: &AgentRecord) -> Self {
        Self {
            process: (agent.epoch, agent.version),
            head: agent.head,
            mcp_settled: agent.mcp_settled,
            replaced_by: agent.replaced_by,
            last_push_at: agent.last_push_at,
        }
    }
}

/// A watch under way.
pub struct Watch {
    service: Service,
    credential: Credential,
    subject: Subject,
    hints: Receiver<Topic>,
    /// Taken from `hints` and not read to the end yet.
    topics: VecDeque<Topic>,
    chats: BTreeMap<ChatId, Seen>,
    agents: BTreeMap<AgentId, SeenAgent>,
    events: VecDeque<Event>,
    recheck_at: Instant,
    is_over: bool,
}

/// Begins to watch; fails if the caller may not.
pub async fn watch(service: &Service, credential: Credential, subject: Subject) -> Result<Watch> {
    let owner = owner(service, credential, subject).await?;
    let mut watch = Watch {
        service: service.clone(),
        credential,
        subject,
        hints: service.wakes.subscribe(owner),
        topics: VecDeque::new(),
        chats: BTreeMap::new(),
        agents: BTreeMap::new(),
        events: VecDeque::new(),
        recheck_at: Instant::now() + service.recheck_every,
        is_over: false,
    };
    watch.read_everything().await?;
    watch.events.push_back(Event::Ready);
    Ok(watch)
}

/// To whom belongs what is watched: the agent that a chat is bound to as well.
async fn owner(service: &Service, credential: Credential, subject: Subject) -> Result<UserId> {
    let caller = service.caller(credential);
    match subject {
        Subject::Chat(chat) => {
            let sighted = service
                .database
                .sight_chat(&caller, Operation::ChatRead, chat)
                .await;
            Ok(sighted?.1.owner)
        }
        Subject::Own => {
            let mut reading = service.database.read().await?;
            let account: Granted<object::Account, right::Metadata> =
                reading.grant_account(&caller, Operation::ChatList).await?;
            Ok(account.owner())
        }
    }
}

impl Watch {
    /// Waits for the next event. `None` once there can be no more, for the one chat that was
    /// watched is gone. An error ends the watch: the caller may no longer see it.
    ///
    /// Dropping the wait loses nothing.
    pub async fn next(&mut self) -> Result<Option<Event>> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            if self.is_over {
                return Ok(None);
            }
            if let Some(topic) = self.topics.front().copied() {
                self.follow(topic).await?;
                // Only now, so that a wait that is dropped while it reads reads again.
                self.topics.pop_front();
                continue;
            }
            let hint = tokio::select! {
                hint = self.hints.recv() => hint,
                () = sleep_until(self.recheck_at) => Ok(Topic::Everything),
            };
            self.take(hint);
        }
    }

    /// Takes a hint, and those that came with it.
    fn take(&mut self, hint: std::result::Result<Topic, RecvError>) {
        let mut topics = VecDeque::from([hint.unwrap_or(Topic::Everything)]);
        loop {
            match self.hints.try_recv() {
                Ok(topic) if topics.contains(&topic) => {}
                Ok(topic) => topics.push_back(topic),
                Err(TryRecvError::Lagged(_)) => topics.push_back(Topic::Everything),
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        if topics.contains(&Topic::Everything) {
            topics = VecDeque::from([Topic::Everything]);
        }
        self.topics = topics;
    }

    /// Reads what a hint is about.
    async fn follow(&mut self, topic: Topic) -> Result<()> {
        match (self.subject, topic) {
            (_, Topic::Everything) => self.read_everything().await,
            (Subject::Chat(watched), Topic::Chat { chat, .. }) if chat == watched => {
                self.read_chat(chat).await
            }
            (Subject::Chat(watched), Topic::Agent { agent, .. })
                if self.is_bound(watched, agent) =>
            {
                self.read_chat(watched).await
            }
            (Subject::Own, Topic::Chat { chat, .. }) => self.read_chat(chat).await,
            (Subject::Own, Topic::Agent { agent, .. }) => self.read_agent(agent).await,
            _ => Ok(()),
        }
    }

    fn is_bound(&self, chat: ChatId, agent: AgentId) -> bool {
        self.chats
            .get(&chat)
            .is_some_and(|seen| seen.agent == Some(agent))
    }

    async fn read_everything(&mut self) -> Result<()> {
        self.recheck_at = Instant::now() + self.service.recheck_every;
        match self.subject {
            Subject::Chat(chat) => self.read_chat(chat).await,
            Subject::Own => {
                self.read_own_agents().await?;
                self.read_own(None).await
            }
        }
    }

    /// Reads one chat and tells what changed of it.
    async fn read_chat(&mut self, chat: ChatId) -> Result<()> {
        let caller = self.service.caller(self.credential);
        let sighted = self
            .service
            .database
            .sight_chat(&caller, Operation::ChatRead, chat)
            .await;
        let (_, mut record) = match sighted {
            Ok(sighted) => sighted,
            Err(ctxpin_store::error::Error::NotFound(_)) => return self.gone(chat),
            Err(error) => return Err(error.into()),
        };
        let known = self.chats.get(&chat).map(|seen| seen.turn_count);
        if known.is_some_and(|known| known < record.turn_count) {
            record = self.read_turns(&caller, chat).await?;
        }
        self.tell(record);
        Ok(())
    }

    /// Reads a chat together with its new turns, and tells these.
    async fn read_turns(&mut self, caller: &Caller, chat: ChatId) -> Result<ChatRecord> {
        let mut reading = self.service.database.read().await?;
        let granted = reading
            .grant_chat(caller, Operation::ChatRead, chat)
            .await?;
        let record = granted.record()?.clone();
        let known = self.chats.get(&chat).map(|seen| seen.turn_count);
        let new_turns = known.map_or(0, |known| record.turn_count - known);
        let page = PageRequest::newest(new_turns.clamp(0, PAGE_ITEMS_MAX));
        let turns = granted.turns(&mut reading, &page).await?;
        let told = turns.items.into_iter().rev();
        self.events.extend(told.map(|turn| Event::Turn(chat, turn)));
        Ok(record)
    }

    /// A chat that was known is gone; one that never was seen cannot be watched.
    fn gone(&mut self, chat: ChatId) -> Result<()> {
        let was_known = self.chats.remove(&chat).is_some();
        if was_known {
            self.events.push_back(Event::Deleted(chat));
        }
        if self.subject == Subject::Chat(chat) {
            self.is_over = true;
            if !was_known {
                return Err(Error::NotFound("chat"));
            }
        }
        Ok(())
    }

    /// Tells a chat if it is not as it was told last.
    fn tell(&mut self, chat: ChatRecord) {
        let seen = Seen::of(&chat);
        if self.subject == Subject::Own
            && chat.archived_at.is_some()
            && !self.chats.contains_key(&chat.id)
        {
            return;
        }
        if self.chats.insert(chat.id, seen.clone()).as_ref() != Some(&seen) {
            self.events.push_back(Event::Chat(Box::new(chat)));
        }
    }

    /// Reads an agent of the caller and the chats that are bound to it, or were.
    async fn read_agent(&mut self, agent: AgentId) -> Result<()> {
        let caller = self.service.caller(self.credential);
        let mut reading = self.service.database.read().await?;
        match reading
            .grant_agent(&caller, Operation::AgentRead, agent)
            .await
        {
            Ok(granted) => {
                let record = granted.record()?.clone();
                self.tell_agent(record);
            }
            Err(ctxpin_store::error::Error::NotFound(_)) => self.agent_gone(agent),
            Err(error) => return Err(error.into()),
        }
        drop(reading);
        self.read_own(Some(agent)).await?;
        let unbound: Vec<_> = self
            .chats
            .iter()
            .filter(|(_, seen)| seen.agent == Some(agent))
            .map(|(chat, _)| *chat)
            .collect();
        // Those that a deletion unbound are told one by one; the others are as they were.
        for chat in unbound {
            self.read_chat(chat).await?;
        }
        Ok(())
    }

    /// Tells an agent if it is not as it was told last.
    fn tell_agent(&mut self, agent: AgentRecord) {
        let seen = SeenAgent::of(&agent);
        if self.agents.insert(agent.id, seen.clone()).as_ref() != Some(&seen) {
            self.events.push_back(Event::Agent(Box::new(agent)));
        }
    }

    fn agent_gone(&mut self, agent: AgentId) {
        if self.agents.remove(&agent).is_some() {
            self.events.push_back(Event::AgentDeleted(agent));
        }
    }

    /// Reads the caller's own agents.
    async fn read_own_agents(&mut self) -> Result<()> {
        let mut page = PageRequest::newest(PAGE_ITEMS_MAX);
        let mut gone: BTreeSet<AgentId> = self.agents.keys().copied().collect();
        loop {
            let caller = self.service.caller(self.credential);
            let mut reading = self.service.database.read().await?;
            let account: Granted<object::Account, right::Metadata> =
                reading.grant_account(&caller, Operation::AgentList).await?;
            let agents = account.own_agents(&mut reading, &page).await?;
            for agent in agents.items {
                gone.remove(&agent.id);
                self.tell_agent(agent);
            }
            match agents.next {
                Some(next) => page.after = Some(next),
                None => break,
            }
        }
        gone.into_iter().for_each(|agent| self.agent_gone(agent));
        Ok(())
    }

    /// Reads the caller's own chats, all of them or those of one agent.
    async fn read_own(&mut self, agent: Option<AgentId>) -> Result<()> {
        let filter = ChatFilter {
            agent,
            archived: Some(false),
            own: true,
            ..ChatFilter::default()
        };
        let mut page = PageRequest::newest(PAGE_ITEMS_MAX);
        let mut known: Vec<ChatId> = match agent {
            None => self.chats.keys().copied().collect(),
            Some(_) => Vec::new(),
        };
        loop {
            let caller = self.service.caller(self.credential);
            let mut reading = self.service.database.read().await?;
            let account: Granted<object::Account, right::Metadata> =
                reading.grant_account(&caller, Operation::ChatList).await?;
            let chats = account.chats(&mut reading, &filter, &page).await?;
            drop(reading);
            for chat in chats.items {
                known.retain(|known| *known != chat.id);
                let seen = self.chats.get(&chat.id);
                if seen.is_some_and(|seen| seen.turn_count < chat.turn_count) {
                    // Its new turns are told too.
                    self.read_chat(chat.id).await?;
                } else {
                    self.tell(chat);
                }
            }
            match chats.next {
                Some(next) => page.after = Some(next),
                None => break,
            }
        }
        // What was known and is not listed has been archived or deleted.
        for chat in known {
            self.read_chat(chat).await?;
        }
        Ok(())
    }
}
