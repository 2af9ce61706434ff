//! The holders of chats: clients that create, move, bind, archive and delete chats and begin turns,
//! several of them at the same chats at once.

mod changes;
mod moves;
mod turns;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use ctxpin_protocol::http::chats::{Chat, ChatCreate};
use ctxpin_protocol::problem::ProblemName;
use rand::RngExt as _;
use rand::rngs::StdRng;
use uuid::Uuid;

use crate::caller::{Caller, Outcome};
use crate::ledger::Presence;

/// The program that the chats are created for.
pub const CLIENT: &str = "soak";

/// Most chats of one round. Past this number, the holders work on the existing chats.
const CHATS_MAX: usize = 48;

/// The chats and agents of one round, shared by its holders.
pub struct Round {
    /// Its number, from 1.
    pub number: u64,
    /// Its agents: those that chats may be bound to.
    pub agents: Mutex<Vec<Uuid>>,
    /// The chats, and the number of requested ones.
    pub chats: Mutex<(Vec<Uuid>, usize)>,
    /// Whether the servers' clocks jump in it.
    pub is_clock_moved: bool,
}

impl Round {
    /// Returns a random chat, or `None` if there is none yet.
    pub fn chat(&self, random: &mut StdRng) -> Option<Uuid> {
        let chats = self.chats.lock().unwrap_or_else(PoisonError::into_inner);
        let count = chats.0.len();
        (count > 0).then(|| chats.0[random.random_range(0..count)])
    }

    /// Adds an agent, and removes one.
    pub fn agents_change(&self, add: Option<Uuid>, remove: Option<Uuid>) {
        let agents = self.agents.lock();
        let mut agents = agents.unwrap_or_else(PoisonError::into_inner);
        agents.extend(add);
        agents.retain(|agent| Some(*agent) != remove);
    }
}

/// A holder of chats.
pub struct Holder {
    caller: Caller,
    round: Arc<Round>,
    /// The number in the round, for unique names.
    number: usize,
    names: u64,
}

impl Holder {
    /// Returns the holder with this number in the round.
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
            match self.round.chat(&mut self.caller.random) {
                None => self.create(None).await,
                Some(chat) => self.step(chat).await,
            }
            self.caller.pause(60).await;
        }
    }

    async fn step(&mut self, chat: Uuid) {
        match self.caller.random.random_range(0..100) {
            0..12 => self.create(Some(chat)).await,
            12..26 => self.refresh(chat).await,
            26..33 => self.accept(chat).await,
            33..40 => self.take_some(chat).await,
            40..44 => self.decline(chat).await,
            44..45 => self.undecline(chat).await,
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

    fn agent(&mut self) -> Uuid {
        let agents = self.round.agents.lock();
        let agents = agents.unwrap_or_else(PoisonError::into_inner);
        agents[self.caller.random.random_range(0..agents.len())]
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("{}-{}-{}", self.round.number, self.number, self.names)
    }

    /// Creates a chat, sometimes as a child of `parent`, and repeats the request.
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
            policy: Some(policy.to_owned()),
            ..ChatCreate::default()
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
        book.is_clock_moved = self.round.is_clock_moved;
        book.observed.insert(chat.context.snapshot.clone());
    }

    /// Checks that a missing chat is one that somebody has requested to delete.
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
}
