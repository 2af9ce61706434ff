//! A bystander of a pause. While one replica is paused, it works at the other replicas, on chats
//! whose rows the paused replica may have locked. It records how long its requests wait.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ctxpin_client::Client;
use ctxpin_model::id::ChatId;
use ctxpin_protocol::http::chats::ChatChange;
use ctxpin_protocol::http::context::ContextMove;
use uuid::Uuid;

use crate::caller::{Caller, Outcome};
use crate::holders::Round;
use crate::ledger::{ChangeSeen, Field, RefreshSeen};

/// The longest wait for a response of a replica that is not paused. PostgreSQL ends a stopped
/// transaction after 5 seconds, and a wait for a lock after 10; the rest is for a busy machine.
const HELD_UP_MAX: Duration = Duration::from_secs(20);

/// How often it looks whether the pause has begun.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// Works while the replica `index` is paused. `clients` are those of all replicas, in their order.
pub async fn run(
    mut caller: Caller,
    clients: Vec<Client>,
    round: Arc<Round>,
    index: usize,
    deadline: Instant,
) {
    let others: Vec<Client> = clients
        .into_iter()
        .enumerate()
        .filter(|(other, _)| *other != index)
        .map(|(_, client)| client)
        .collect();
    let mut turn = 0;
    while Instant::now() < deadline {
        let is_paused = caller.ledger.open().paused == Some(index);
        let (true, Some(chat)) = (is_paused, round.chat(&mut caller.random)) else {
            tokio::time::sleep(LOOK_INTERVAL).await;
            continue;
        };
        turn += 1;
        let client = &others[turn % others.len()];
        let began = Instant::now();
        let answered = match turn % 3 {
            0 => refresh(&caller, client, chat).await,
            _ => entitle(&caller, client, chat, format!("beside-{turn}")).await,
        };
        let waited = began.elapsed();
        note(&caller, chat, answered, waited);
        caller.pause(200).await;
    }
}

fn note(caller: &Caller, chat: Uuid, answered: bool, waited: Duration) {
    let mut state = caller.ledger.open();
    if answered {
        state.faults.held_up_longest = state.faults.held_up_longest.max(waited);
    }
    state.check(waited < HELD_UP_MAX, || {
        format!("chat {chat}: a caller of another replica was held up {waited:?} by a pause")
    });
}

async fn refresh(caller: &Caller, client: &Client, chat: Uuid) -> bool {
    let to = ContextMove::default();
    let call = client.context_move(ChatId::from(chat), &to, None);
    match caller.call("refresh", call).await {
        Outcome::Acknowledged(context, span) => {
            let mut state = caller.ledger.open();
            state.observe(chat, context.pin.snapshot.clone());
            if let (Some(snapshot), Some(book)) = (context.pin.snapshot, state.chats.get_mut(&chat))
            {
                book.refreshes.push(RefreshSeen { snapshot, span });
            }
            true
        }
        Outcome::Refused(_) => true,
        Outcome::Unknown => false,
    }
}

async fn entitle(caller: &Caller, client: &Client, chat: Uuid, title: String) -> bool {
    let change = ChatChange {
        title: Some(Some(title.clone())),
        ..ChatChange::default()
    };
    let began = Instant::now();
    let call = client.chat_change(ChatId::from(chat), &change);
    let outcome = caller.call("title", call).await;
    let is_unknown = matches!(outcome, Outcome::Unknown);
    let seen = ChangeSeen {
        field: Field::Title,
        value: title,
        began,
        ended: (!is_unknown).then(Instant::now),
        refused: matches!(outcome, Outcome::Refused(_)),
    };
    if let Some(book) = caller.ledger.open().chats.get_mut(&chat) {
        book.changes.push(seen);
    }
    !is_unknown
}
