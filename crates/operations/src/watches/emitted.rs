//! The last emitted state of a chat or an agent, to find changes. It keeps a hash instead of the record, so
//! a watcher of thousands of chats takes little memory.

use std::hash::{DefaultHasher, Hash, Hasher};

use ctxpin_model::agent::AgentRecord;
use ctxpin_model::chat::ChatRecord;
use ctxpin_model::id::AgentId;

/// A chat as it was last emitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EmittedChat {
    hash: u64,
    pub turn_count: i64,
    pub agent: Option<AgentId>,
}

impl EmittedChat {
    /// Hashes the fields and not only a time, because after the clock was set back, two changes can have the
    /// same time. Every field of the record is named here, so that a new one is either hashed or left out on
    /// purpose.
    pub fn of(chat: &ChatRecord) -> Self {
        let ChatRecord {
            // These never change.
            id: _,
            owner: _,
            client: _,
            reference: _,
            created_at: _,
            // A move of the pin changes `pin_seq`.
            pin: _,
            // The drift says what these mean for the chat.
            declined: _,
            first_other_at: _,
            // It only says how dear a move is.
            head_prompt: _,
            title,
            agent,
            parent,
            archived_at,
            policy,
            tools,
            pin_seq,
            turn_count,
            updated_at,
            head,
            head_settled,
            agent_refused,
        } = chat;
        let head = head.map(|head| (head.snapshot, head_settled));
        let drift = chat.drift().map(|drift| (drift.since, drift.declined));
        let fields = (updated_at, title, archived_at.is_some());
        let choices = (policy, tools, parent, agent);
        let counts = (pin_seq, turn_count);
        let refused = agent_refused.map(|refused| refused.limit);
        Self {
            hash: hash(&(fields, choices, counts, head, drift, refused)),
            turn_count: *turn_count,
            agent: *agent,
        }
    }
}

/// An agent as it was last emitted, without `last_seen_at`, which changes all the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EmittedAgent {
    hash: u64,
}

impl EmittedAgent {
    pub fn of(agent: &AgentRecord) -> Self {
        let head = agent
            .head
            .map(|head| (head.snapshot, head.seq, head.received_at));
        let process = (agent.epoch, agent.version, agent.mcp_settled);
        let refused = agent.refused.map(|refused| refused.limit);
        let fields = (agent.replaced_by, agent.last_push_at, refused);
        let token = (agent.token_expires_at, agent.token_revoked_at);
        Self {
            hash: hash(&(head, process, fields, token)),
        }
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
