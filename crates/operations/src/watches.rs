//! Watches: streams that begin with the state and continue with its changes. A watch subscribes to wakes
//! before it reads the state. It reads again after each wake, and every 30 seconds without one, so a lost
//! wake delays an event by at most 30 seconds. Each read checks the caller's token and permission. The state
//! is emitted page by page as the caller reads, and a page is read once for all watchers of its owner.

mod emitted;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use ctxpin_model::access::Operation;
use ctxpin_model::agent::AgentRecord;
use ctxpin_model::chat::{ChatFilter, ChatRecord};
use ctxpin_model::id::{AgentId, ChatId, UserId};
use ctxpin_model::page::{IdCursor, ListPart, PAGE_ITEMS_MAX, PageRequest};
use ctxpin_model::pass::Pass;
use ctxpin_model::token::Credential;
use ctxpin_model::watch::{Changed, Detail, Event, Subject};
use ctxpin_store::grant::{Caller, Granted, object, right};
use ctxpin_store::topic::Topic;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;
use tokio::time::{Instant, sleep_until};

use crate::error::{Error, Result};
use crate::news::NewsMark;
use crate::service::Service;
use crate::sign_in;
use crate::wakes::Hint;
use crate::watching::{OwnLists, WatchPlace};
use emitted::{EmittedAgent, EmittedChat};

/// How long a check of the token is valid for pages that another watcher has read.
const CHECKED_FOR: Duration = Duration::from_secs(1);

/// The most chats that are read one by one instead of by a list.
const READ_ALONE_MAX: usize = 64;

/// A watch: the stream of the changes of a caller's chats and agents.
pub struct Watch {
    service: Service,
    credential: Credential,
    subject: Subject,
    detail: Detail,
    /// The session of the web page that opened the watch.
    session: Option<Pass>,
    owner: UserId,
    hints: Receiver<Hint>,
    /// Received from `hints` and not handled yet.
    taken: VecDeque<Hint>,
    lists: Arc<OwnLists>,
    listing: Option<Listing>,
    /// Chats to read one by one.
    due: VecDeque<ChatId>,
    /// Whether the first state has not been emitted completely.
    is_beginning: bool,
    chats: BTreeMap<ChatId, EmittedChat>,
    agents: BTreeMap<AgentId, EmittedAgent>,
    events: VecDeque<Event>,
    recheck_at: Instant,
    is_over: bool,
    _place: WatchPlace,
}

/// A list that is read page by page, each after the caller has read the previous one.
#[derive(Debug, Clone)]
struct Listing {
    /// A page that another watcher read before this time is too old.
    since: Instant,
    /// When the token was last checked.
    checked_at: Option<Instant>,
    /// Whether the list is of agents, and not of chats.
    is_of_agents: bool,
    /// Restricts the list to the chats of one agent.
    agent: Option<AgentId>,
    after: Option<IdCursor>,
    /// Known agents that have not appeared in the list yet.
    agents: BTreeSet<AgentId>,
    /// Known chats that have not appeared in the list yet.
    chats: BTreeSet<ChatId>,
}

/// Opens a watch.
///
/// # Errors
///
/// Returns [`Error::Busy`] if the token has too many open watches, and [`Error::Store`] if the caller may
/// not read the subject.
pub async fn watch(
    service: &Service,
    credential: Credential,
    subject: Subject,
    detail: Detail,
) -> Result<Watch> {
    let place = service.watching.place(credential.id)?;
    let owner = owner(service, credential, subject).await?;
    let mut watch = Watch {
        service: service.clone(),
        credential,
        subject,
        detail,
        session: None,
        owner,
        hints: service.wakes.subscribe(owner),
        taken: VecDeque::new(),
        lists: service.watching.lists(owner),
        listing: None,
        due: VecDeque::new(),
        is_beginning: true,
        chats: BTreeMap::new(),
        agents: BTreeMap::new(),
        events: VecDeque::new(),
        recheck_at: Instant::now(),
        is_over: false,
        _place: place,
    };
    let now = Instant::now();
    watch.look_again_after(now);
    match (subject, detail) {
        (Subject::Chat(chat), _) => watch.read_chat(chat).await?,
        (Subject::Own, Detail::Full) => watch.list_everything(now),
        (Subject::Own, Detail::Ids) => {}
    }
    if detail == Detail::Ids {
        watch.events.clear();
    }
    Ok(watch)
}

/// Returns the owner of what is watched. The agent of a chat has the same owner.
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
    /// Lets the watch end with this session. It ends as soon as the session does, if the replicas hear of each other.
    pub fn of_session(self, session: Option<Pass>) -> Self {
        Self { session, ..self }
    }

    /// Waits for the next event. Returns `None` if the only watched chat was deleted. The future can be dropped
    /// without losing an event.
    ///
    /// # Errors
    ///
    /// Fails if the database does, or if the caller may no longer read the subject. An error ends the watch.
    pub async fn next(&mut self) -> Result<Option<Event>> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            if self.is_over {
                return Ok(None);
            }
            // A step is removed only after it has ended. If the future is dropped during a read, the next call
            // reads again.
            if let Some(chat) = self.due.front().copied() {
                self.read_chat(chat).await?;
                self.due.pop_front();
            } else if let Some(listing) = self.listing.clone() {
                self.list(listing).await?;
            } else if std::mem::take(&mut self.is_beginning) {
                self.events.push_back(Event::Ready);
            } else if let Some(hint) = self.taken.front().copied() {
                self.follow(hint).await?;
                self.taken.pop_front();
            } else {
                let hint = tokio::select! {
                    hint = self.hints.recv() => hint.unwrap_or_else(|_| Hint::everything()),
                    () = sleep_until(self.recheck_at) => {
                        let at = self.recheck_at;
                        self.look_again_after(at);
                        Hint { topic: Topic::Everything, at }
                    }
                };
                self.take(hint);
            }
        }
    }

    /// Returns the present mark of the news that the watch emits. What was read at this mark needs no further read
    /// because of an event that the watch has emitted.
    pub fn mark(&self) -> NewsMark {
        self.service.wakes.news.mark(self.owner)
    }

    /// Schedules the next read without a hint. All watchers of an owner use the same moments, so one of them
    /// reads for all.
    fn look_again_after(&mut self, at: Instant) {
        let every = self.service.recheck_every;
        let now = Instant::now().max(at);
        let passed = now.duration_since(self.lists.since).as_nanos() / every.as_nanos().max(1);
        let next = every.saturating_mul(u32::try_from(passed + 1).unwrap_or(u32::MAX));
        self.recheck_at = self.lists.since + next;
    }

    /// Takes a hint and all others that have arrived.
    fn take(&mut self, first: Hint) {
        let mut taken = BTreeMap::from([(first.topic, first.at)]);
        loop {
            match self.hints.try_recv() {
                Ok(hint) => taken.insert(hint.topic, hint.at),
                Err(TryRecvError::Lagged(_)) => taken.insert(Topic::Everything, Instant::now()),
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            };
        }
        if let Some(at) = taken.get(&Topic::Everything).copied() {
            taken = BTreeMap::from([(Topic::Everything, at)]);
        }
        let taken = taken.into_iter();
        self.taken = taken.map(|(topic, at)| Hint { topic, at }).collect();
    }

    /// Checks that the session has not ended.
    async fn check_session(&self) -> Result<()> {
        match &self.session {
            Some(session) => sign_in::session_credential(&self.service, session)
                .await
                .map(|_| ()),
            None => Ok(()),
        }
    }

    /// Reads what a hint is about, and emits what changed.
    async fn follow(&mut self, hint: Hint) -> Result<()> {
        match (self.subject, hint.topic) {
            (_, Topic::Account { .. }) => {
                self.check(Operation::ChatList).await?;
                self.check_session().await?;
                // With a role goes what a page shows, and no other topic tells of that.
                let is_of_page = self.subject == Subject::Own && self.detail == Detail::Ids;
                let changed = is_of_page.then_some(Event::Changed(Changed::Everything));
                self.events.extend(changed);
                Ok(())
            }
            _ if self.detail == Detail::Ids => self.pass_on(hint.topic).await,
            (Subject::Chat(watched), Topic::Everything) => self.read_chat(watched).await,
            (Subject::Chat(watched), Topic::Chat { chat, .. }) if chat == watched => {
                self.read_chat(chat).await
            }
            (Subject::Chat(watched), Topic::Agent { agent, .. })
                if self.is_bound(watched, agent) =>
            {
                self.read_chat(watched).await
            }
            (Subject::Chat(_), _) => Ok(()),
            (Subject::Own, Topic::Everything) => {
                self.list_everything(hint.at);
                Ok(())
            }
            (Subject::Own, Topic::Chat { chat, .. }) => self.read_chat(chat).await,
            (Subject::Own, Topic::Agent { agent, .. }) => self.read_agent(agent, hint.at).await,
        }
    }

    /// Emits the topic of a hint, if the caller may still watch it.
    async fn pass_on(&mut self, topic: Topic) -> Result<()> {
        let changed = match (self.subject, topic) {
            (Subject::Chat(watched), topic) => {
                let bound = match topic {
                    Topic::Agent { agent, .. } => self.is_bound(watched, agent),
                    Topic::Chat { chat, .. } => chat == watched,
                    Topic::Account { .. } => false,
                    Topic::Everything => true,
                };
                if bound {
                    // The chat may be deleted, or bound to another agent.
                    self.read_chat(watched).await?;
                    let is_of_chat =
                        |event: &Event| matches!(event, Event::Chat(_) | Event::Turn(..));
                    self.events.retain(|event| !is_of_chat(event));
                }
                (bound && !self.is_over).then_some(Changed::Chat(watched))
            }
            (Subject::Own, topic) => {
                self.check(Operation::ChatList).await?;
                Some(match topic {
                    Topic::Chat { chat, .. } => Changed::Chat(chat),
                    Topic::Agent { agent, .. } => Changed::Agent(agent),
                    Topic::Account { .. } | Topic::Everything => Changed::Everything,
                })
            }
        };
        self.events.extend(changed.map(Event::Changed));
        Ok(())
    }

    async fn check(&self, operation: Operation) -> Result<()> {
        let caller = self.service.caller(self.credential);
        let database = &self.service.database;
        database.identify(&caller, Some(operation)).await?;
        Ok(())
    }

    fn is_bound(&self, chat: ChatId, agent: AgentId) -> bool {
        self.chats
            .get(&chat)
            .is_some_and(|emitted| emitted.agent == Some(agent))
    }

    /// Reads one chat and emits its changes.
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
        let known = self.chats.get(&chat).map(|emitted| emitted.turn_count);
        if known.is_some_and(|known| known < record.turn_count) {
            record = self.read_turns(&caller, chat).await?;
        }
        self.tell(&record);
        Ok(())
    }

    /// Reads a chat together with its new turns, and emits the turns.
    async fn read_turns(&mut self, caller: &Caller, chat: ChatId) -> Result<ChatRecord> {
        let mut reading = self.service.database.read().await?;
        let granted = reading
            .grant_chat(caller, Operation::ChatRead, chat)
            .await?;
        let record = granted.record()?.clone();
        let known = self.chats.get(&chat).map(|emitted| emitted.turn_count);
        let new_turns = known.map_or(0, |known| record.turn_count - known);
        let page = PageRequest::newest(new_turns.clamp(0, PAGE_ITEMS_MAX));
        let turns = granted.turns(&mut reading, &page).await?;
        let new = turns.items.into_iter().rev();
        self.events
            .extend(new.map(|turn| Event::Turn(chat, Box::new(turn))));
        Ok(record)
    }

    /// Handles a chat that was not found: emits its deletion if it was known.
    ///
    /// # Errors
    ///
    /// Returns [`Error::NotFound`] if the watched chat was never seen.
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

    /// Emits a chat if it differs from what was emitted last.
    fn tell(&mut self, chat: &ChatRecord) {
        let emitted = EmittedChat::of(chat);
        if self.subject == Subject::Own
            && chat.archived_at.is_some()
            && !self.chats.contains_key(&chat.id)
        {
            return;
        }
        if self.chats.insert(chat.id, emitted) != Some(emitted) {
            self.events.push_back(Event::Chat(Box::new(chat.clone())));
        }
    }

    /// Reads an agent of the caller, and then the chats that are or were bound to it.
    async fn read_agent(&mut self, agent: AgentId, since: Instant) -> Result<()> {
        let caller = self.service.caller(self.credential);
        let mut reading = self.service.database.read().await?;
        match reading
            .grant_agent(&caller, Operation::AgentRead, agent)
            .await
        {
            Ok(granted) => {
                let record = granted.record()?.clone();
                self.tell_agent(&record);
            }
            Err(ctxpin_store::error::Error::NotFound(_)) => self.agent_gone(agent),
            Err(error) => return Err(error.into()),
        }
        let emitted = self.chats.iter();
        let bound = emitted.filter(|(_, emitted)| emitted.agent == Some(agent));
        self.listing = Some(Listing {
            since,
            checked_at: None,
            is_of_agents: false,
            agent: Some(agent),
            after: None,
            agents: BTreeSet::new(),
            chats: bound.map(|(chat, _)| *chat).collect(),
        });
        Ok(())
    }

    /// Emits an agent if it differs from what was emitted last.
    fn tell_agent(&mut self, agent: &AgentRecord) {
        let emitted = EmittedAgent::of(agent);
        if self.agents.insert(agent.id, emitted) != Some(emitted) {
            self.events.push_back(Event::Agent(Box::new(agent.clone())));
        }
    }

    fn agent_gone(&mut self, agent: AgentId) {
        if self.agents.remove(&agent).is_some() {
            self.events.push_back(Event::AgentDeleted(agent));
        }
    }

    /// Begins to list all agents, and then all chats.
    fn list_everything(&mut self, since: Instant) {
        self.listing = Some(Listing {
            since,
            checked_at: None,
            is_of_agents: true,
            agent: None,
            after: None,
            agents: self.agents.keys().copied().collect(),
            chats: self.chats.keys().copied().collect(),
        });
    }

    /// Reads the next page of a list and emits its changes.
    async fn list(&mut self, mut listing: Listing) -> Result<()> {
        let next = match listing.is_of_agents {
            true => self.list_agents(&mut listing).await?,
            false => self.list_chats(&mut listing).await?,
        };
        listing.after = next;
        self.listing = match next {
            Some(_) => Some(listing),
            None => self.after_list(listing),
        };
        Ok(())
    }

    async fn list_agents(&mut self, listing: &mut Listing) -> Result<Option<IdCursor>> {
        let lists = Arc::clone(&self.lists);
        let page = self.page_request(listing);
        let read = async {
            let caller = self.service.caller(self.credential);
            let mut reading = self.service.database.read().await?;
            let account: Granted<object::Account, right::Metadata> =
                reading.grant_account(&caller, Operation::AgentList).await?;
            Ok(account.own_agents(&mut reading, &page).await?)
        };
        let place = (None, listing.after);
        let (page, is_own) = lists.agents.page(place, listing.since, read).await?;
        self.look_up(listing, is_own, Operation::AgentList).await?;
        for agent in &page.items {
            listing.agents.remove(&agent.id);
            self.tell_agent(agent);
        }
        Ok(page.next)
    }

    async fn list_chats(&mut self, listing: &mut Listing) -> Result<Option<IdCursor>> {
        let lists = Arc::clone(&self.lists);
        let (page, agent) = (self.page_request(listing), listing.agent);
        let read = async {
            let filter = ChatFilter {
                agent,
                archived: Some(false),
                own: true,
                ..ChatFilter::default()
            };
            let caller = self.service.caller(self.credential);
            let mut reading = self.service.database.read().await?;
            let account: Granted<object::Account, right::Metadata> =
                reading.grant_account(&caller, Operation::ChatList).await?;
            Ok(account.chats(&mut reading, &filter, &page).await?)
        };
        let place = (agent, listing.after);
        let (page, is_own) = lists.chats.page(place, listing.since, read).await?;
        self.look_up(listing, is_own, Operation::ChatList).await?;
        for chat in &page.items {
            listing.chats.remove(&chat.id);
            let emitted = self.chats.get(&chat.id);
            if emitted.is_some_and(|emitted| emitted.turn_count < chat.turn_count) {
                // Its new turns are emitted too.
                self.due.push_back(chat.id);
            } else {
                self.tell(chat);
            }
        }
        Ok(page.next)
    }

    fn page_request(&self, listing: &Listing) -> PageRequest<IdCursor> {
        PageRequest {
            part: ListPart::after(listing.after),
            limit: PAGE_ITEMS_MAX,
        }
    }

    /// Checks the token, if another watcher's token read the page.
    async fn look_up(
        &self,
        listing: &mut Listing,
        is_own: bool,
        operation: Operation,
    ) -> Result<()> {
        let now = Instant::now();
        let is_fresh = |checked_at: Instant| now.duration_since(checked_at) < CHECKED_FOR;
        if !is_own && !listing.checked_at.is_some_and(is_fresh) {
            self.check(operation).await?;
            listing.checked_at = Some(now);
        }
        Ok(())
    }

    /// Handles the known objects that are not in the list, and returns the next list.
    fn after_list(&mut self, listing: Listing) -> Option<Listing> {
        if listing.is_of_agents {
            let gone = listing.agents.into_iter();
            gone.for_each(|agent| self.agent_gone(agent));
            return Some(Listing {
                is_of_agents: false,
                agents: BTreeSet::new(),
                ..listing
            });
        }
        // Many chats lost their agent or were bound to another one. Listing all chats is quicker.
        if listing.agent.is_some() && listing.chats.len() > READ_ALONE_MAX {
            return Some(Listing {
                agent: None,
                chats: self.chats.keys().copied().collect(),
                ..listing
            });
        }
        // These are archived, deleted, or bound to another agent.
        self.due.extend(listing.chats);
        None
    }
}
