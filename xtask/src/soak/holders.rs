//! The holders of chats: clients that create, move, bind, archive and delete chats and begin turns,
//! several of them at the same chats at once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use ctxpin_client::Prompt;
use ctxpin_model::hash::{BlobHash, SnapshotId};
use ctxpin_model::id::ChatId;
use ctxpin_protocol::http::chats::{Chat, ChatChange, ChatCreate};
use ctxpin_protocol::http::context::{Context, ContextMove};
use ctxpin_protocol::http::page::PageQuery;
use ctxpin_protocol::http::turns::TurnBegin;
use ctxpin_protocol::problem::ProblemName;
use rand::RngExt as _;
use uuid::Uuid;

use super::caller::{Caller, Outcome};
use super::ledger::{ChangeSeen, Field, Presence, RefreshSeen, Span};

/// The program that the chats are created for.
pub const CLIENT: &str = "soak";

/// Most chats of one round: past them the holders work on what there is.
const CHATS_MAX: usize = 48;

/// The chats and agents of one round, shared by its holders.
pub struct Round {
    /// Its number, from 1.
    pub number: u64,
    /// Its agents.
    pub agents: Vec<Uuid>,
    /// Its chats and how many were asked for.
    pub chats: Mutex<(Vec<Uuid>, usize)>,
}

/// A holder of chats.
pub struct Holder {
    caller: Caller,
    round: Arc<Round>,
    /// Its own number in the round, for names that are unique.
    number: usize,
    names: u64,
}

impl Holder {
    /// The holder of that number in the round.
    pub fn new(caller: Caller, round: Arc<Round>, number: usize) -> Self {
        Self {
            caller,
            round,
            number,
            names: 0,
        }
    }

    /// Works until `deadline`.
    pub async fn run(mut self, deadline: Instant) {
        while Instant::now() < deadline {
            match self.chat() {
                None => self.create(None).await,
                Some(chat) => self.step(chat).await,
            }
            self.caller.pause(60).await;
        }
    }

    async fn step(&mut self, chat: Uuid) {
        match self.caller.random.random_range(0..100) {
            0..12 => self.create(Some(chat)).await,
            12..32 => self.refresh(chat).await,
            32..40 => self.accept(chat).await,
            40..45 => self.decline(chat).await,
            45..51 => self.roll_back(chat).await,
            51..56 => self.unpin(chat).await,
            56..61 => self.rebind(chat).await,
            61..68 => self.archive(chat).await,
            68..72 => self.entitle(chat).await,
            72..73 => self.delete(chat).await,
            73..88 => self.turn(chat).await,
            88..94 => self.read_prompt(chat).await,
            _ => drop(self.read_context(chat).await),
        }
    }

    /// A chat of the round at random; none at times, and until there is one.
    fn chat(&mut self) -> Option<Uuid> {
        let chats = self.round.chats.lock();
        let chats = chats.unwrap_or_else(PoisonError::into_inner);
        let count = chats.0.len();
        (count > 0).then(|| chats.0[self.caller.random.random_range(0..count)])
    }

    fn agent(&mut self) -> Uuid {
        self.round.agents[self.caller.random.random_range(0..self.round.agents.len())]
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("{}-{}-{}", self.round.number, self.number, self.names)
    }

    /// Creates a chat and asks for it again; at times as a child of `parent`.
    async fn create(&mut self, parent: Option<Uuid>) {
        {
            let chats = self.round.chats.lock();
            let mut chats = chats.unwrap_or_else(PoisonError::into_inner);
            if chats.1 >= CHATS_MAX {
                return;
            }
            chats.1 += 1;
        }
        let parent = parent.filter(|_| self.caller.chance(25));
        let with_agent = parent.is_none() && self.caller.chance(85);
        let policy =
            ["manual", "manual", "follow", "additive"][self.caller.random.random_range(0..4)];
        let request = ChatCreate {
            client: Some(CLIENT.to_owned()),
            reference: Some(self.name()),
            agent_id: with_agent.then(|| self.agent()),
            parent_id: parent,
            title: None,
            policy: Some(policy.to_owned()),
            tools: None,
        };
        let Some(chat) = self.create_until_answered(&request).await else {
            return;
        };
        let is_rebound = self.caller.chance(35) || chat.agent_id.is_none();
        self.note_chat(&chat, &request, is_rebound);
        if let Some(again) = self.create_until_answered(&request).await {
            let mut state = self.caller.ledger.open();
            state.check(again.id == chat.id, || {
                let reference = &request.reference;
                format!(
                    "reference {reference:?} stands for {} and {}",
                    chat.id, again.id
                )
            });
        }
        let chats = self.round.chats.lock();
        chats
            .unwrap_or_else(PoisonError::into_inner)
            .0
            .push(chat.id);
    }

    async fn create_until_answered(&mut self, request: &ChatCreate) -> Option<Chat> {
        loop {
            let client = self.caller.client();
            let kind = if request.parent_id.is_some() {
                "child"
            } else {
                "create"
            };
            match self.caller.call(kind, client.chat_create(request)).await {
                Outcome::Acknowledged(opened, _) => return Some(opened.chat),
                Outcome::Refused(_) => return None,
                Outcome::Unknown if self.caller.await_any().await => {}
                Outcome::Unknown => return None,
            }
        }
    }

    fn note_chat(&self, chat: &Chat, request: &ChatCreate, is_rebound: bool) {
        let mut state = self.caller.ledger.open();
        let book = state.chats.entry(chat.id).or_default();
        book.reference = request.reference.clone().unwrap_or_default();
        book.agent = chat.agent_id;
        book.is_rebound = is_rebound;
        book.observed.insert(chat.context.snapshot.clone());
    }

    /// Moves the pin and notes what was answered.
    async fn move_pin(
        &mut self,
        kind: &'static str,
        chat: Uuid,
        to: &ContextMove,
        only_from: Option<SnapshotId>,
    ) -> Option<(Context, Span)> {
        let client = self.caller.client();
        let call = client.context_move(ChatId::from(chat), to, only_from);
        match self.caller.call(kind, call).await {
            Outcome::Acknowledged(context, span) => {
                let mut state = self.caller.ledger.open();
                state.observe(chat, context.pin.snapshot.clone());
                drop(state);
                Some((context, span))
            }
            Outcome::Refused(name) => {
                self.explain(chat, kind, name);
                None
            }
            Outcome::Unknown => {
                self.caller.await_any().await;
                None
            }
        }
    }

    /// A chat may be missing only once somebody has asked to delete it.
    fn explain(&self, chat: Uuid, kind: &str, name: Option<ProblemName>) {
        if name != Some(ProblemName::NotFound) {
            return;
        }
        let mut state = self.caller.ledger.open();
        let presence = state.chats.get(&chat).map(|book| book.presence);
        state.check(presence != Some(Presence::There), || {
            format!("{kind}: chat {chat} is not there although nobody deleted it")
        });
    }

    async fn read_context(&mut self, chat: Uuid) -> Option<Context> {
        let client = self.caller.client();
        let call = client.context(ChatId::from(chat));
        match self.caller.call("context", call).await {
            Outcome::Acknowledged(context, _) => {
                let mut state = self.caller.ledger.open();
                state.observe(chat, context.pin.snapshot.clone());
                Some(context)
            }
            Outcome::Refused(name) => {
                self.explain(chat, "context", name);
                None
            }
            Outcome::Unknown => {
                self.caller.await_any().await;
                None
            }
        }
    }

    async fn refresh(&mut self, chat: Uuid) {
        let to = ContextMove::default();
        let moved = self.move_pin("refresh", chat, &to, None).await;
        let Some((context, span)) = moved else { return };
        let mut state = self.caller.ledger.open();
        let Some(snapshot) = context.pin.snapshot else {
            state.violation(format!("chat {chat}: a refresh was answered without a pin"));
            return;
        };
        if let Some(book) = state.chats.get_mut(&chat) {
            book.refreshes.push(RefreshSeen { snapshot, span });
        }
    }

    /// Refreshes to the head that was seen, if the pin is still the one that was seen.
    async fn accept(&mut self, chat: Uuid) {
        let Some(seen) = self.read_context(chat).await else {
            return;
        };
        let Some(head) = seen.head else { return };
        let only_from = seen.pin.snapshot.and_then(|pin| pin.parse().ok());
        let to = ContextMove {
            head: Some(head.snapshot.clone()),
            ..ContextMove::default()
        };
        let moved = self.move_pin("accept", chat, &to, only_from).await;
        if let Some((context, _)) = moved {
            let mut state = self.caller.ledger.open();
            state.check(
                context.pin.snapshot.as_ref() == Some(&head.snapshot),
                || {
                    let pin = &context.pin.snapshot;
                    format!("chat {chat}: accepted {}, answered {pin:?}", head.snapshot)
                },
            );
        }
    }

    async fn decline(&mut self, chat: Uuid) {
        let Some(head) = self.read_context(chat).await.and_then(|seen| seen.head) else {
            return;
        };
        let to = ContextMove {
            decline: Some(head.snapshot),
            ..ContextMove::default()
        };
        self.move_pin("decline", chat, &to, None).await;
    }

    async fn roll_back(&mut self, chat: Uuid) {
        let client = self.caller.client();
        let page = PageQuery {
            limit: Some(500),
            ..PageQuery::default()
        };
        let call = client.history(ChatId::from(chat), &page);
        let Outcome::Acknowledged(history, _) = self.caller.call("history", call).await else {
            return;
        };
        let mut pins = history.items.into_iter().filter_map(|pin| pin.snapshot);
        let place = self.caller.random.random_range(0..8);
        let Some(snapshot) = pins.nth(place) else {
            return;
        };
        let to = ContextMove {
            snapshot: Some(snapshot.clone()),
            ..ContextMove::default()
        };
        let moved = self.move_pin("rollback", chat, &to, None).await;
        if let Some((context, _)) = moved {
            let mut state = self.caller.ledger.open();
            state.check(context.pin.snapshot.as_ref() == Some(&snapshot), || {
                let pin = &context.pin.snapshot;
                format!("chat {chat}: rolled back to {snapshot}, answered {pin:?}")
            });
        }
    }

    async fn unpin(&mut self, chat: Uuid) {
        let client = self.caller.client();
        let call = client.context_clear(ChatId::from(chat), None);
        match self.caller.call("unpin", call).await {
            Outcome::Acknowledged((), _) => {
                self.caller.ledger.open().observe(chat, None);
            }
            Outcome::Refused(name) => self.explain(chat, "unpin", name),
            Outcome::Unknown => {
                self.caller.await_any().await;
            }
        }
    }

    async fn rebind(&mut self, chat: Uuid) {
        let may = {
            let state = self.caller.ledger.open();
            state.chats.get(&chat).is_some_and(|book| book.is_rebound)
        };
        if !may {
            return;
        }
        let agent = (!self.caller.chance(15)).then(|| self.agent());
        let change = ChatChange {
            agent_id: Some(agent),
            ..ChatChange::default()
        };
        let value = agent.map(|agent| agent.to_string()).unwrap_or_default();
        self.change("rebind", chat, &change, Field::Agent, value)
            .await;
    }

    async fn archive(&mut self, chat: Uuid) {
        let archived = self.caller.chance(35);
        let change = ChatChange {
            archived: Some(archived),
            ..ChatChange::default()
        };
        let kind = if archived { "archive" } else { "unarchive" };
        self.change(kind, chat, &change, Field::Archived, archived.to_string())
            .await;
    }

    async fn entitle(&mut self, chat: Uuid) {
        let title = self.name();
        let change = ChatChange {
            title: Some(Some(title.clone())),
            ..ChatChange::default()
        };
        self.change("title", chat, &change, Field::Title, title)
            .await;
    }

    async fn change(
        &mut self,
        kind: &'static str,
        chat: Uuid,
        change: &ChatChange,
        field: Field,
        value: String,
    ) {
        let mut seen = ChangeSeen {
            field,
            value,
            began: Instant::now(),
            ended: None,
            refused: false,
        };
        let client = self.caller.client();
        let call = client.chat_change(ChatId::from(chat), change);
        let outcome = self.caller.call(kind, call).await;
        let mut is_unknown = false;
        match &outcome {
            Outcome::Acknowledged(answer, span) => {
                seen.ended = Some(span.ended);
                let mut state = self.caller.ledger.open();
                state.observe(chat, answer.context.snapshot.clone());
            }
            Outcome::Refused(name) => {
                seen.ended = Some(Instant::now());
                seen.refused = true;
                self.explain(chat, kind, *name);
            }
            Outcome::Unknown => is_unknown = true,
        }
        if let Some(book) = self.caller.ledger.open().chats.get_mut(&chat) {
            book.changes.push(seen);
        }
        if is_unknown {
            self.caller.await_any().await;
        }
    }

    async fn delete(&mut self, chat: Uuid) {
        self.note_presence(chat, Presence::Doubtful);
        let client = self.caller.client();
        let call = client.chat_delete(ChatId::from(chat));
        match self.caller.call("delete", call).await {
            Outcome::Acknowledged((), _) => {
                self.note_presence(chat, Presence::Gone);
                let chats = self.round.chats.lock();
                let mut chats = chats.unwrap_or_else(PoisonError::into_inner);
                chats.0.retain(|other| *other != chat);
            }
            Outcome::Refused(_) => {}
            Outcome::Unknown => {
                self.caller.await_any().await;
            }
        }
    }

    fn note_presence(&self, chat: Uuid, presence: Presence) {
        let mut state = self.caller.ledger.open();
        if let Some(book) = state.chats.get_mut(&chat)
            && book.presence != Presence::Gone
        {
            book.presence = presence;
        }
    }

    /// Begins a turn until it is answered, and at times asks for the same one again.
    async fn turn(&mut self, chat: Uuid) {
        let begin = TurnBegin {
            reference: Some(self.name()),
            delivery: None,
        };
        let asked = if self.caller.chance(30) { 2 } else { 1 };
        for _ in 0..asked {
            loop {
                let client = self.caller.client();
                let call = client.turn_begin(ChatId::from(chat), &begin);
                match self.caller.call("turn", call).await {
                    Outcome::Acknowledged(begun, _) => {
                        self.note_turn(chat, &begun);
                        break;
                    }
                    Outcome::Refused(name) => return self.explain(chat, "turn", name),
                    Outcome::Unknown if self.caller.await_any().await => {}
                    Outcome::Unknown => return,
                }
            }
        }
    }

    fn note_turn(&self, chat: Uuid, begun: &ctxpin_protocol::http::turns::TurnBegun) {
        let mut state = self.caller.ledger.open();
        state.observe(chat, begun.turn.snapshot.clone());
        if let (Some(snapshot), Some(hash)) = (&begun.turn.snapshot, &begun.turn.prompt_hash) {
            let real = BlobHash::of(begun.prompt.as_bytes()).to_string();
            state.check(real == *hash, || {
                format!(
                    "chat {chat}: the prompt of turn {} is {real}, stamped {hash}",
                    begun.turn.number
                )
            });
            state.prompt(snapshot, hash);
        }
        if let Some(book) = state.chats.get_mut(&chat) {
            book.turns.push(begun.turn.clone());
        }
    }

    async fn read_prompt(&mut self, chat: Uuid) {
        let client = self.caller.client();
        let call = client.prompt(ChatId::from(chat), None);
        match self.caller.call("prompt", call).await {
            Outcome::Acknowledged(Prompt::Bytes { bytes, etag }, _) if !bytes.is_empty() => {
                let hash = BlobHash::of(&bytes).to_string();
                let mut state = self.caller.ledger.open();
                state.check(etag == Some(format!("\"{hash}\"")), || {
                    format!("chat {chat}: the prompt {hash} was sent as {etag:?}")
                });
            }
            Outcome::Acknowledged(..) => {}
            Outcome::Refused(name) => self.explain(chat, "prompt", name),
            Outcome::Unknown => {
                self.caller.await_any().await;
            }
        }
    }
}
