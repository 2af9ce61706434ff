//! Changes of a chat beside its pin: its agent, its title, whether it is archived, and its end.

use std::sync::PoisonError;
use std::time::Instant;

use ctxpin_model::id::ChatId;
use ctxpin_protocol::http::chats::ChatChange;
use uuid::Uuid;

use super::Holder;
use crate::caller::Outcome;
use crate::ledger::{ChangeSeen, Field, Presence};

impl Holder {
    pub(super) async fn rebind(&mut self, chat: Uuid) {
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

    pub(super) async fn archive(&mut self, chat: Uuid) {
        let archived = self.caller.chance(35);
        let change = ChatChange {
            archived: Some(archived),
            ..ChatChange::default()
        };
        let kind = if archived { "archive" } else { "unarchive" };
        self.change(kind, chat, &change, Field::Archived, archived.to_string())
            .await;
    }

    pub(super) async fn entitle(&mut self, chat: Uuid) {
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
                if field != Field::Agent || !self.is_ended(&seen.value) {
                    self.explain(chat, kind, *name);
                }
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

    pub(super) async fn delete(&mut self, chat: Uuid) {
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

    /// Returns whether somebody requested to delete that agent, so that it may be missing.
    fn is_ended(&self, agent: &str) -> bool {
        let state = self.caller.ledger.open();
        let book = agent.parse::<Uuid>().ok();
        let book = book.and_then(|agent| state.agents.get(&agent));
        book.is_some_and(|book| book.presence != Presence::There)
    }
}
