//! The reference model: a sequential implementation of the lifecycle of agents and chats.
//!
//! It follows the rules of the lifecycle and uses nothing of the code under test. It compares
//! content as content, and finds differences in plain lists. A new event of the lifecycle must be
//! added here, in [`super::steps`] and in [`super::hands`].

use ctxpin_model::delivery::Delivery;
use ctxpin_model::evidence::Verdict;
use ctxpin_model::mode::Mode;
use ctxpin_model::moment::Moment;
use ctxpin_model::pin::Reason;
use ctxpin_model::policy::Policy;
use ctxpin_model::tools_mode::ToolsMode;

use super::content::{Content, DIRECTORIES, additive, partial, settle};
use super::deciding::Decided;
use super::steps::{Pushed, Seen, Version};

/// All agents and chats.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lifecycle {
    pub agents: Vec<Agent>,
    pub chats: Vec<Chat>,
}

/// An agent, which may be deleted.
#[derive(Debug, Clone, PartialEq)]
pub struct Agent {
    pub is_deleted: bool,
    pub directory: &'static str,
    /// The agent that it replaces at its first accepted push.
    pub replaces: Option<usize>,
    pub is_replaced: bool,
    /// The number of processes so far. The newest has this epoch.
    pub epoch: i64,
    pub version: i64,
    pub heads: Vec<(Content, Moment)>,
    pub is_settled: bool,
}

/// A row of a chat's history.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub content: Option<Content>,
    pub agent: Option<usize>,
    pub reason: Reason,
    pub is_settled: bool,
    /// Whether the client may have read newer files.
    pub is_unconfirmed: bool,
    /// The number of the turn whose evidence has shown the content.
    pub evidence_turn: Option<i64>,
    /// The agent that moved the pin, if it was not the owner.
    pub mover: Option<usize>,
    pub at: Moment,
    /// Since when the chat has been pinned to the content.
    pub pinned_at: Moment,
}

/// The stamp of a turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    pub reference: Option<u8>,
    pub content: Option<Content>,
    /// What the turn began with, if evidence has shown another content.
    pub believed: Option<Content>,
    /// The number of rows in the history with the turn's pin.
    pub pins: usize,
    pub tools_of: Option<Content>,
    pub delivery: Delivery,
    pub at: Moment,
    /// The rows of evidence: what each is about, and its verdict.
    pub rows: Vec<(u8, Verdict)>,
}

/// A chat, which may be deleted.
#[derive(Debug, Clone, PartialEq)]
pub struct Chat {
    pub is_deleted: bool,
    pub reference: Option<u8>,
    pub parent: Option<usize>,
    pub agent: Option<usize>,
    pub is_archived: bool,
    pub mode: Mode,
    pub policy: Policy,
    pub tools: ToolsMode,
    pub declined: Option<Content>,
    /// The last row is the pin.
    pub history: Vec<Row>,
    pub decisions: Vec<Decided>,
    pub turns: Vec<Turn>,
    pub updated_at: Moment,
}

/// The answer to a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Done,
    Refused(&'static str),
    Session {
        epoch: i64,
    },
    Pushed {
        became: &'static str,
        seq: i64,
        hydrated: u64,
    },
    Chat {
        is_new: bool,
    },
    Turn {
        number: i64,
        is_new: bool,
    },
    Evidence {
        is_new: bool,
        verdict: Verdict,
    },
    Refreshed {
        moved: u64,
        observed: u64,
    },
}

/// The request to create a chat.
#[derive(Debug, Clone, Copy)]
pub struct NewChat {
    pub agent: Option<usize>,
    pub parent: Option<usize>,
    pub reference: Option<u8>,
    pub mode: Option<Mode>,
    pub policy: Policy,
    pub tools: ToolsMode,
}

/// A push with its final content, epoch and version.
#[derive(Debug, Clone)]
pub struct Push {
    pub agent: usize,
    pub content: Content,
    pub is_settled: bool,
    pub epoch: i64,
    pub version: i64,
}

impl Agent {
    pub fn head(&self) -> Option<&Content> {
        self.heads.last().map(|(content, _)| content)
    }
}

impl Chat {
    pub fn pin(&self) -> Option<&Content> {
        self.history.last()?.content.as_ref()
    }

    pub(super) fn push_row(&mut self, content: Option<Content>, agent: Option<usize>, why: &Why) {
        self.history.push(Row {
            content,
            agent,
            reason: why.reason,
            is_settled: why.is_settled,
            is_unconfirmed: false,
            evidence_turn: None,
            mover: why.mover,
            at: why.at,
            pinned_at: why.at,
        });
    }

    /// Moves the pin, unless it has this content already.
    pub(super) fn move_pin(&mut self, content: Content, why: &Why) {
        if self.pin() != Some(&content) {
            self.push_row(Some(content), self.agent, why);
        }
    }
}

/// The cause and time of a move of a pin, and whether its new tools are those of settled servers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Why {
    pub reason: Reason,
    pub is_settled: bool,
    pub mover: Option<usize>,
    pub at: Moment,
}

impl Why {
    pub fn asked(reason: Reason, is_settled: bool, at: Moment) -> Self {
        Self {
            reason,
            is_settled,
            mover: None,
            at,
        }
    }
}

impl Lifecycle {
    /// Returns the head of a chat's agent.
    pub fn head_of(&self, chat: &Chat) -> Option<&Content> {
        self.agents[chat.agent?].head()
    }

    /// Returns a head of a chat's agent, counted back from the present one, or the first.
    pub fn earlier_head(&self, chat: &Chat, back: usize) -> Option<&Content> {
        let heads = &self.agents[chat.agent?].heads;
        let at = heads.len().checked_sub(1)?.saturating_sub(back);
        heads.get(at).map(|(content, _)| content)
    }

    pub fn is_head_settled(&self, chat: &Chat) -> bool {
        chat.agent
            .is_some_and(|agent| self.agents[agent].is_settled)
    }

    pub fn agent_create(&mut self, replaces: Option<usize>) -> Answer {
        if let Some(old) = replaces.map(|old| &self.agents[old]) {
            if old.is_deleted {
                return Answer::Refused("not-found");
            }
            if old.is_replaced {
                return Answer::Refused("agent-replaced");
            }
        }
        self.agents.push(Agent {
            is_deleted: false,
            directory: DIRECTORIES[self.agents.len() % 2],
            replaces,
            is_replaced: false,
            epoch: 1,
            version: 0,
            heads: Vec::new(),
            is_settled: false,
        });
        Answer::Done
    }

    pub fn agent_delete(&mut self, agent: usize, at: Moment) -> Answer {
        if self.agents[agent].is_deleted {
            return Answer::Refused("not-found");
        }
        self.agents[agent].is_deleted = true;
        for other in &mut self.agents {
            other.replaces = other.replaces.filter(|old| *old != agent);
        }
        for chat in self.chats.iter_mut().filter(|chat| !chat.is_deleted) {
            if chat.agent == Some(agent) {
                (chat.agent, chat.updated_at) = (None, at);
            }
        }
        Answer::Done
    }

    /// Returns the refusal of an agent that is deleted or replaced.
    fn refused(&self, agent: usize) -> Option<Answer> {
        let agent = &self.agents[agent];
        if agent.is_deleted {
            return Some(Answer::Refused("unauthenticated"));
        }
        let replaced = Answer::Refused("agent-replaced");
        agent.is_replaced.then_some(replaced)
    }

    /// Opens a session of the process with this number. A number one above the epoch is a new
    /// process.
    pub fn session(&mut self, agent: usize, process: i64) -> Answer {
        if let Some(refused) = self.refused(agent) {
            return refused;
        }
        let agent = &mut self.agents[agent];
        if process < agent.epoch {
            return Answer::Refused("fenced");
        }
        if process > agent.epoch {
            (agent.epoch, agent.version) = (process, 0);
        }
        Answer::Session { epoch: process }
    }

    /// Returns the content, the epoch and the version of a push at this moment.
    pub fn push_of(
        &self,
        agent: usize,
        content: &Pushed,
        version: Version,
        is_fenced: bool,
    ) -> (Content, i64, i64) {
        let state = &self.agents[agent];
        let content = match content {
            Pushed::New(sketch) => Content::of(sketch, state.directory),
            Pushed::Earlier(back) => {
                let at = (state.heads.len().saturating_sub(1)).saturating_sub(*back);
                match state.heads.get(at) {
                    Some((content, _)) => content.clone(),
                    None => Content {
                        directory: state.directory,
                        system: "linux",
                        error: None,
                        items: Vec::new(),
                    },
                }
            }
        };
        let version = match version {
            Version::Next => state.version + 1,
            Version::Skipping => state.version + 3,
            Version::Same => state.version.max(1),
            Version::Older => (state.version - 1).max(1),
        };
        (content, version, state.epoch - i64::from(is_fenced))
    }

    pub fn push(&mut self, push: &Push, at: Moment) -> Answer {
        if let Some(refused) = self.refused(push.agent) {
            return refused;
        }
        let agent = &mut self.agents[push.agent];
        if push.epoch != agent.epoch {
            return Answer::Refused("fenced");
        }
        let is_same = agent.head() == Some(&push.content);
        let became = match push.version - agent.version {
            ..=-1 => "not-newer",
            0 if !is_same => "not-newer",
            0 => "repeated",
            _ if is_same => "unchanged",
            _ => "accepted",
        };
        if matches!(became, "unchanged" | "accepted") {
            agent.version = push.version;
            agent.is_settled = push.is_settled;
        }
        let mut hydrated = 0;
        if became == "accepted" {
            agent.heads.push((push.content.clone(), at));
            hydrated = self.hydrate(push, at) + self.take_over(push, at);
        }
        let seq = self.agents[push.agent].heads.len() as i64;
        Answer::Pushed {
            became,
            seq,
            hydrated,
        }
    }

    /// Pins the unpinned chats of the agent to the pushed content.
    fn hydrate(&mut self, push: &Push, at: Moment) -> u64 {
        let why = Why {
            mover: Some(push.agent),
            ..Why::asked(Reason::Hydrate, push.is_settled, at)
        };
        let mut hydrated = 0;
        for chat in self.chats.iter_mut().filter(|chat| !chat.is_deleted) {
            if chat.agent == Some(push.agent) && chat.pin().is_none() && !chat.is_archived {
                chat.push_row(Some(push.content.clone()), chat.agent, &why);
                hydrated += 1;
            }
        }
        hydrated
    }

    /// Takes over the chats of the agent that this one replaces, and those of the agents that the
    /// replaced one was to replace and never did.
    fn take_over(&mut self, push: &Push, at: Moment) -> u64 {
        let why = Why {
            mover: Some(push.agent),
            ..Why::asked(Reason::Rebind, push.is_settled, at)
        };
        let mut moved = 0;
        let mut next = self.agents[push.agent].replaces;
        while let Some(old) = next.filter(|old| !self.agents[*old].is_replaced) {
            self.agents[old].is_replaced = true;
            next = self.agents[old].replaces;
            next = next.filter(|_| self.agents[old].heads.is_empty());
            for chat in self.chats.iter_mut().filter(|chat| !chat.is_deleted) {
                if chat.agent != Some(old) {
                    continue;
                }
                (chat.agent, chat.updated_at) = (Some(push.agent), at);
                if chat.pin().is_some() || !chat.is_archived {
                    chat.push_row(Some(push.content.clone()), chat.agent, &why);
                    moved += 1;
                }
            }
        }
        moved
    }

    /// Refreshes the agent's chats that have drifted, except those that declined the head.
    pub fn agent_refresh(&mut self, agent: usize, is_fenced: bool, at: Moment) -> Answer {
        if let Some(refused) = self.refused(agent) {
            return refused;
        }
        if is_fenced {
            return Answer::Refused("fenced");
        }
        let (mut moved, mut observed) = (0, 0);
        for index in 0..self.chats.len() {
            let chat = &self.chats[index];
            let is_drifted = self.drift_of(chat).is_some_and(|drift| !drift.is_declined);
            if chat.is_deleted || chat.is_archived || chat.agent != Some(agent) || !is_drifted {
                continue;
            }
            if chat.mode == Mode::Observed {
                observed += 1;
                continue;
            }
            let why = Why {
                mover: Some(agent),
                ..Why::asked(Reason::Refresh, self.is_head_settled(chat), at)
            };
            if let Some(head) = self.head_of(chat).cloned() {
                self.chats[index].move_pin(head, &why);
                moved += 1;
            }
        }
        Answer::Refreshed { moved, observed }
    }

    pub fn chat_create(&mut self, new: &NewChat, at: Moment) -> Answer {
        let mut there = self.chats.iter().filter(|chat| !chat.is_deleted);
        if new.reference.is_some() && there.any(|chat| chat.reference == new.reference) {
            return Answer::Chat { is_new: false };
        }
        let mut chat = Chat {
            is_deleted: false,
            reference: new.reference,
            parent: new.parent,
            agent: new.agent,
            is_archived: false,
            mode: new.mode.unwrap_or_default(),
            policy: new.policy,
            tools: new.tools,
            declined: None,
            history: Vec::new(),
            decisions: Vec::new(),
            turns: Vec::new(),
            updated_at: at,
        };
        let mut inherited = None;
        if let Some(parent) = new.parent.map(|parent| &self.chats[parent]) {
            if parent.is_deleted {
                return Answer::Refused("not-found");
            }
            if new.agent.is_some() && new.agent != parent.agent {
                return Answer::Refused("invalid");
            }
            chat.agent = parent.agent;
            chat.mode = new.mode.unwrap_or(parent.mode);
            inherited = parent.history.last().filter(|row| row.content.is_some());
        }
        if let Some(row) = inherited {
            let why = Why::asked(Reason::Inherit, row.is_settled, at);
            let is_unconfirmed = row.is_unconfirmed && chat.mode == Mode::Observed;
            chat.push_row(row.content.clone(), row.agent, &why);
            if let Some(row) = chat.history.last_mut() {
                row.is_unconfirmed = is_unconfirmed;
            }
        } else if let Some(agent) = chat.agent.map(|agent| &self.agents[agent]) {
            if agent.is_deleted {
                return Answer::Refused("not-found");
            }
            if agent.is_replaced {
                return Answer::Refused("agent-replaced");
            }
            if let Some(head) = agent.head() {
                let why = Why::asked(Reason::Create, agent.is_settled, at);
                chat.move_pin(head.clone(), &why);
            }
        }
        if chat.mode == Mode::Observed && chat.policy != Policy::Manual {
            return Answer::Refused("observed-chat");
        }
        self.chats.push(chat);
        Answer::Chat { is_new: true }
    }

    pub fn chat_delete(&mut self, chat: usize) -> Answer {
        if self.chats[chat].is_deleted {
            return Answer::Refused("not-found");
        }
        self.chats[chat].is_deleted = true;
        for other in &mut self.chats {
            other.parent = other.parent.filter(|parent| *parent != chat);
        }
        Answer::Done
    }

    /// Returns the refusal if the pin or the head is not the expected one.
    pub(super) fn demand(&self, chat: usize, head: Option<Seen>, pin: Seen) -> Option<Answer> {
        let chat = &self.chats[chat];
        if chat.is_deleted {
            return Some(Answer::Refused("not-found"));
        }
        let moved_on = Some(Answer::Refused("precondition-failed"));
        if pin == Seen::Another || (pin == Seen::Present && chat.pin().is_none()) {
            return moved_on;
        }
        match head {
            Some(_) if self.head_of(chat).is_none() => Some(Answer::Refused("no-head")),
            Some(Seen::Another) => moved_on,
            Some(Seen::Earlier(back)) => {
                let (seen, head) = (self.earlier_head(chat, back)?, self.head_of(chat)?);
                moved_on.filter(|_| !seen.same(head, chat.tools))
            }
            _ => None,
        }
    }

    pub fn refresh(&mut self, chat: usize, head: Seen, pin: Seen, at: Moment) -> Answer {
        if let Some(refused) = self.chosen(chat) {
            return refused;
        }
        if let Some(refused) = self.demand(chat, Some(head), pin) {
            return refused;
        }
        let state = &self.chats[chat];
        let why = Why::asked(Reason::Refresh, self.is_head_settled(state), at);
        if let Some(head) = self.head_of(state).cloned() {
            self.chats[chat].move_pin(head, &why);
        }
        Answer::Done
    }

    /// Returns the sources that a partial refresh can name, sorted. The empty source stands for the
    /// facts.
    pub fn sources(&self, chat: usize) -> Vec<String> {
        let chat = &self.chats[chat];
        let mut sources = vec![String::new()];
        for content in [chat.pin(), self.head_of(chat)].into_iter().flatten() {
            sources.extend(content.items.iter().map(|item| item.source.clone()));
        }
        sources.sort();
        sources.dedup();
        sources
    }

    pub fn take(&mut self, chat: usize, sources: &[String], is_known: bool, at: Moment) -> Answer {
        if let Some(refused) = self.chosen(chat) {
            return refused;
        }
        if let Some(refused) = self.demand(chat, Some(Seen::Any), Seen::Any) {
            return refused;
        }
        let state = &self.chats[chat];
        let (Some(pin), Some(head), true) = (state.pin(), self.head_of(state), is_known) else {
            return Answer::Refused("invalid");
        };
        let composed = partial(pin, head, sources, state.tools);
        let was_settled = state.history.last().is_some_and(|row| row.is_settled);
        let is_settled = if composed.tools() == head.tools() {
            self.is_head_settled(state)
        } else {
            was_settled
        };
        let why = Why::asked(Reason::Refresh, is_settled, at);
        self.chats[chat].move_pin(composed, &why);
        Answer::Done
    }

    /// Returns the content of an earlier row, counted back from the newest row with content.
    pub fn rollback_target(&self, chat: usize, back: usize) -> Option<&Content> {
        let rows = self.chats[chat].history.iter().rev();
        let pinned: Vec<_> = rows.filter_map(|row| row.content.as_ref()).collect();
        pinned.get(back % pinned.len().max(1)).copied()
    }

    pub fn rollback(&mut self, chat: usize, target: Option<&Content>, at: Moment) -> Answer {
        if let Some(refused) = self.chosen(chat) {
            return refused;
        }
        if self.chats[chat].is_deleted {
            return Answer::Refused("not-found");
        }
        let chat = &mut self.chats[chat];
        let mut rows = chat.history.iter().rev();
        let row = rows.find(|row| target.is_some() && row.content.as_ref() == target);
        let row = row.cloned();
        let Some(row) = row else {
            return Answer::Refused("invalid");
        };
        if chat.pin() != target {
            let why = Why::asked(Reason::Rollback, row.is_settled, at);
            chat.push_row(row.content, row.agent, &why);
        }
        if chat.policy != Policy::Manual {
            (chat.policy, chat.updated_at) = (Policy::Manual, at);
        }
        Answer::Done
    }

    pub fn clear(&mut self, chat: usize, pin: Seen, at: Moment) -> Answer {
        if let Some(refused) = self.chosen(chat) {
            return refused;
        }
        if let Some(refused) = self.demand(chat, None, pin) {
            return refused;
        }
        let why = Why::asked(Reason::Clear, self.is_head_settled(&self.chats[chat]), at);
        let chat = &mut self.chats[chat];
        if chat.pin().is_some() {
            chat.push_row(None, chat.agent, &why);
        }
        Answer::Done
    }

    pub fn bind(&mut self, chat: usize, agent: Option<usize>, at: Moment) -> Answer {
        let state = &mut self.chats[chat];
        if state.is_deleted {
            return Answer::Refused("not-found");
        }
        if state.agent == agent {
            return Answer::Done;
        }
        let Some(to) = agent else {
            (state.agent, state.updated_at) = (None, at);
            return Answer::Done;
        };
        let target = &self.agents[to];
        if target.is_deleted {
            return Answer::Refused("not-found");
        }
        if target.is_replaced {
            return Answer::Refused("agent-replaced");
        }
        let came_from = state
            .agent
            .or(state.history.last().and_then(|row| row.agent));
        (state.agent, state.updated_at) = (agent, at);
        let reason = match state.history.is_empty() {
            true => Reason::Hydrate,
            false => Reason::Rebind,
        };
        let why = Why::asked(reason, target.is_settled, at);
        let head = target.head().cloned();
        let moves = match state.pin() {
            Some(_) => came_from != agent,
            None => !state.is_archived && head.is_some(),
        };
        if moves {
            state.push_row(head, agent, &why);
        }
        Answer::Done
    }

    pub fn archive(&mut self, chat: usize, is_archived: bool, at: Moment) -> Answer {
        let state = &self.chats[chat];
        if state.is_deleted {
            return Answer::Refused("not-found");
        }
        if state.is_archived == is_archived {
            return Answer::Done;
        }
        let why = Why::asked(Reason::Hydrate, self.is_head_settled(state), at);
        let head = self.head_of(state).cloned();
        let state = &mut self.chats[chat];
        (state.is_archived, state.updated_at) = (is_archived, at);
        if let (false, None, Some(head)) = (is_archived, state.pin(), head) {
            state.move_pin(head, &why);
        }
        Answer::Done
    }

    /// Changes a chat's policy and tools mode.
    pub fn set(&mut self, chat: usize, to: (Policy, ToolsMode), at: Moment) -> Answer {
        let chat = &mut self.chats[chat];
        if chat.is_deleted {
            return Answer::Refused("not-found");
        }
        if chat.mode == Mode::Observed && to.0 != Policy::Manual {
            return Answer::Refused("observed-chat");
        }
        if (chat.policy, chat.tools) != to {
            (chat.policy, chat.tools) = to;
            chat.updated_at = at;
        }
        Answer::Done
    }

    pub fn turn(&mut self, chat: usize, reference: Option<u8>, at: Moment) -> Answer {
        let state = &self.chats[chat];
        if state.is_deleted {
            return Answer::Refused("not-found");
        }
        let same = |turn: &Turn| reference.is_some() && turn.reference == reference;
        if let Some(before) = state.turns.iter().position(same) {
            let number = before as i64 + 1;
            let is_new = false;
            return Answer::Turn { number, is_new };
        }
        if state.is_archived && state.mode == Mode::Delivered {
            return Answer::Refused("archived");
        }
        self.apply_policy(chat, at);
        let head = self.head_of(&self.chats[chat]).cloned();
        let state = &mut self.chats[chat];
        let pin = state.pin().cloned();
        let live = head.filter(|_| state.tools == ToolsMode::Live);
        state.turns.push(Turn {
            reference,
            tools_of: live.or(pin.clone()),
            believed: None,
            pins: state.history.len(),
            content: pin,
            delivery: match state.mode {
                Mode::Delivered => Delivery::Delivered,
                Mode::Observed => Delivery::Observed,
            },
            at,
            rows: Vec::new(),
        });
        (state.is_archived, state.updated_at) = (false, at);
        Answer::Turn {
            number: state.turns.len() as i64,
            is_new: true,
        }
    }

    /// Moves the pin as the chat's policy demands, before a turn is stamped.
    fn apply_policy(&mut self, chat: usize, at: Moment) {
        let state = &self.chats[chat];
        let Some(head) = self.head_of(state).cloned() else {
            return;
        };
        let is_settled = self.is_head_settled(state);
        let drifted = self.drift_of(state).is_some_and(|drift| !drift.is_declined);
        let state = &mut self.chats[chat];
        let why = |reason| Why::asked(reason, is_settled, at);
        let Some(row) = state.history.last().filter(|row| row.content.is_some()) else {
            return state.move_pin(head, &why(Reason::Hydrate));
        };
        // Only the servers of the pin itself say whether its tools have settled.
        let wants_tools = state.mode == Mode::Delivered
            && state.tools == ToolsMode::Pinned
            && state.turns.is_empty()
            && is_settled
            && !row.is_settled;
        if drifted && state.policy == Policy::Follow {
            return state.move_pin(head, &why(Reason::Follow));
        }
        if drifted && state.policy == Policy::Additive {
            let added = state.pin().and_then(|pin| additive(pin, &head));
            if let Some(added) = added {
                let takes_all_tools = added.tools() == head.tools();
                let was_settled = state.history.last().is_some_and(|row| row.is_settled);
                let why = Why {
                    is_settled: if takes_all_tools {
                        is_settled
                    } else {
                        was_settled
                    },
                    ..why(Reason::Additive)
                };
                state.move_pin(added, &why);
            }
        }
        if wants_tools && let Some(pin) = state.pin() {
            let settled = settle(pin, &head);
            state.move_pin(settled, &why(Reason::Settle));
        }
    }
}
