//! Moves of a pin: refreshes to the present head, to a head that the caller saw, and of some
//! sources only; declining, rolling back and unpinning.

use ctxpin_model::hash::SnapshotId;
use ctxpin_model::id::ChatId;
use ctxpin_protocol::http::context::{Context, ContextMove, KindAndSource, Selector};
use ctxpin_protocol::http::history::HistoryQuery;
use ctxpin_protocol::http::resources::{Change, Resource};
use rand::RngExt as _;
use uuid::Uuid;

use super::Holder;
use crate::caller::Outcome;
use crate::ledger::{RefreshSeen, Span};
use crate::workspace::Listing;

impl Holder {
    /// Moves the pin and records the response.
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

    pub(super) async fn read_context(&mut self, chat: Uuid) -> Option<Context> {
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

    pub(super) async fn refresh(&mut self, chat: Uuid) {
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

    /// Refreshes to the head that the caller saw, if the pin is still the one that the caller saw.
    pub(super) async fn accept(&mut self, chat: Uuid) {
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

    /// Takes some of the changes that the caller saw, with that head and that pin as conditions.
    /// The result must hold exactly the pin's resources with these changes.
    pub(super) async fn take_some(&mut self, chat: Uuid) {
        let Some(seen) = self.read_context(chat).await else {
            return;
        };
        let only_from = seen.pin.snapshot.as_ref();
        let only_from = only_from.and_then(|pin| pin.parse::<SnapshotId>().ok());
        let (Some(head), Some(only_from)) = (&seen.head, only_from) else {
            return;
        };
        let mut taken = Vec::new();
        for change in seen.changes.iter().filter(|change| change.kind != "facts") {
            if taken.is_empty() || self.caller.chance(40) {
                taken.push(change);
            }
        }
        if taken.is_empty() {
            return;
        }
        let sources = taken.iter().map(|change| {
            Selector::Resource(KindAndSource {
                kind: change.kind.clone(),
                source: change.source.clone(),
            })
        });
        let to = ContextMove {
            head: Some(head.snapshot.clone()),
            sources: Some(sources.collect()),
            ..ContextMove::default()
        };
        let moved = self.move_pin("take some", chat, &to, Some(only_from)).await;
        let Some((context, _)) = moved else { return };
        let expected = composed(&seen.resources, &taken);
        let mut state = self.caller.ledger.open();
        let found = listing(&context.resources);
        state.check(found == expected, || {
            format!("chat {chat}: of {taken:?} came {found:?}, not {expected:?}")
        });
        if let Some(snapshot) = &context.pin.snapshot {
            state.listing(snapshot, expected);
        }
    }

    pub(super) async fn decline(&mut self, chat: Uuid) {
        let Some(head) = self.read_context(chat).await.and_then(|seen| seen.head) else {
            return;
        };
        let to = ContextMove {
            decline: Some(head.snapshot),
            ..ContextMove::default()
        };
        self.move_pin("decline", chat, &to, None).await;
    }

    pub(super) async fn undecline(&mut self, chat: Uuid) {
        let Some(head) = self.read_context(chat).await.and_then(|seen| seen.head) else {
            return;
        };
        let to = ContextMove {
            undecline: Some(head.snapshot),
            ..ContextMove::default()
        };
        self.move_pin("undecline", chat, &to, None).await;
    }

    pub(super) async fn roll_back(&mut self, chat: Uuid) {
        let client = self.caller.client();
        let query = HistoryQuery {
            limit: Some(500),
            ..HistoryQuery::default()
        };
        let call = client.history(ChatId::from(chat), &query);
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

    pub(super) async fn unpin(&mut self, chat: Uuid) {
        let client = self.caller.client();
        let call = client.context_clear(ChatId::from(chat), None);
        match self.caller.call("unpin", call).await {
            Outcome::Acknowledged((), span) => {
                let mut state = self.caller.ledger.open();
                state.observe(chat, None);
                if let Some(book) = state.chats.get_mut(&chat) {
                    book.unpins.push(Some(span.ended));
                }
            }
            Outcome::Refused(name) => self.explain(chat, "unpin", name),
            Outcome::Unknown => {
                if let Some(book) = self.caller.ledger.open().chats.get_mut(&chat) {
                    book.unpins.push(None);
                }
                self.caller.await_any().await;
            }
        }
    }
}

/// Returns the content of a pin.
fn listing(resources: &[Resource]) -> Listing {
    let hash = |resource: &Resource| resource.content_hash.clone().unwrap_or_default();
    resources
        .iter()
        .map(|resource| (resource.source.clone(), hash(resource)))
        .collect()
}

/// Returns the content of a pin with the changes `taken` of the head: added, replaced or removed
/// resources.
fn composed(pinned: &[Resource], taken: &[&Change]) -> Listing {
    let mut composed = listing(pinned);
    for change in taken {
        match &change.head {
            Some(resource) => composed.extend(listing(std::slice::from_ref(resource))),
            None => drop(composed.remove(&change.source)),
        }
    }
    composed
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn resource(source: &str, hash: &str) -> Resource {
        let resource = json!({"id": "0", "kind": "instruction_file", "source": source,
            "status": "ok", "content_hash": hash, "size_bytes": 1});
        serde_json::from_value(resource).expect("it is a resource")
    }

    #[test]
    fn what_is_taken_is_added_replaced_or_removed() {
        let change = |source: &str, head: Option<Resource>| Change {
            kind: "instruction_file".to_owned(),
            source: source.to_owned(),
            change: "modified".to_owned(),
            effect: "prompt".to_owned(),
            cause: None,
            pinned: None,
            head,
        };
        let pinned = [resource("a", "1"), resource("b", "1"), resource("c", "1")];
        let taken = [
            change("b", Some(resource("b", "2"))),
            change("c", None),
            change("d", Some(resource("d", "2"))),
        ];
        let expected = [resource("a", "1"), resource("b", "2"), resource("d", "2")];
        let taken: Vec<&Change> = taken.iter().collect();
        assert_eq!(composed(&pinned, &taken), listing(&expected));
    }
}
