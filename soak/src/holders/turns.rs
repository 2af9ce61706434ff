//! Turns, and reading the prompt.

use ctxpin_client::Prompt;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::id::ChatId;
use ctxpin_protocol::http::turns::{TurnBegin, TurnBegun};
use uuid::Uuid;

use super::Holder;
use crate::caller::Outcome;

impl Holder {
    /// Begins a turn, until a response comes, and sometimes repeats the request.
    pub(super) async fn turn(&mut self, chat: Uuid) {
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

    fn note_turn(&self, chat: Uuid, begun: &TurnBegun) {
        let mut state = self.caller.ledger.open();
        state.observe(chat, begun.turn.snapshot.clone());
        if let (Some(snapshot), Some(hash)) = (&begun.turn.snapshot, &begun.turn.prompt_hash) {
            let real =
                BlobHash::of(begun.prompt.as_deref().unwrap_or_default().as_bytes()).to_string();
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

    pub(super) async fn read_prompt(&mut self, chat: Uuid) {
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
