//! The uses of tokens and sessions and the sightings of agents that wait to be written.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ctxpin_model::id::{AgentId, TokenId};
use ctxpin_model::pass::PassHash;

/// The tokens and sessions used and agents seen since the last write of them. Writing them later spares requests a
/// commit. Clones share one set.
#[derive(Debug, Default, Clone)]
pub struct LastUsed(Arc<Mutex<Uses>>);

/// A set of tokens and sessions used and agents seen.
#[derive(Debug, Default)]
pub struct Uses {
    pub tokens: BTreeSet<TokenId>,
    pub agents: BTreeSet<AgentId>,
    pub sessions: BTreeSet<PassHash>,
}

impl Uses {
    /// Returns whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty() && self.agents.is_empty() && self.sessions.is_empty()
    }
}

impl LastUsed {
    pub(crate) fn token_used(&self, token: TokenId) {
        self.lock().tokens.insert(token);
    }

    pub(crate) fn session_used(&self, session: PassHash) {
        self.lock().sessions.insert(session);
    }

    /// Records that an agent was seen.
    pub fn agent_seen(&self, agent: AgentId) {
        self.lock().agents.insert(agent);
    }

    /// Takes out everything recorded since the last call.
    pub fn take(&self) -> Uses {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Uses> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
