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
    pub fn of(chat: &ChatRecord) -> Self {
        Self {
            hash: hash(&chat.visible()),
            turn_count: chat.turn_count,
            agent: chat.agent,
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
