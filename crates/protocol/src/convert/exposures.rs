//! The chats and turns in which a content was in force.

use ctxpin_model::exposure;
use ctxpin_model::moment::Moment;

use crate::http::exposure::{ExposedChat, ExposedTurn, Exposure};

/// Returns the wire shape of the chats and turns in which a content was in force.
pub fn exposure(exposure: exposure::Exposure) -> Exposure {
    let chats = exposure.chats.into_iter().map(|exposed| ExposedChat {
        chat_id: exposed.chat.uuid(),
        kind: exposed.kind.to_string(),
        source: exposed.source,
        path: exposed.path,
        from_seq: exposed.from_seq,
        from: exposed.from.utc(),
        until: exposed.until.map(Moment::utc),
    });
    let turns = exposure.turns.into_iter().map(|exposed| ExposedTurn {
        chat_id: exposed.chat.uuid(),
        number: exposed.number,
        started_at: exposed.started_at.utc(),
        by_tools: exposed.by_tools,
    });
    Exposure {
        chats: chats.collect(),
        turns: turns.collect(),
    }
}
