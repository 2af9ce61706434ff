//! The events of a watch.

use ctxpin_model::moment::Moment;
use ctxpin_model::watch::{Changed, Detail, Event};

use super::{agents, chats, turns};
use crate::watch as wire;

/// Returns the detail that a query asks for: whole objects, unless it has `state=false`.
pub fn detail(query: &wire::WatchQuery) -> Detail {
    match query.state {
        Some(false) => Detail::Ids,
        _ => Detail::Full,
    }
}

/// Returns the wire shape of an event. `now` decides whether an agent counts as connected.
pub fn event(event: Event, now: Moment) -> wire::Event {
    match event {
        Event::Chat(chat) => wire::Event::Chat(Box::new(chats::chat(&chat))),
        Event::Turn(chat, turn) => wire::Event::Turn(wire::ChatTurn {
            chat_id: chat.uuid(),
            turn: turns::turn(&turn),
        }),
        Event::Agent(agent) => wire::Event::Agent(agents::agent(&agent, now)),
        Event::Deleted(chat) => wire::Event::Deleted(wire::Deleted { id: chat.uuid() }),
        Event::AgentDeleted(agent) => wire::Event::Deleted(wire::Deleted { id: agent.uuid() }),
        Event::Changed(changed) => wire::Event::Changed(match changed {
            Changed::Chat(chat) => wire::Changed::Chat(chat.uuid()),
            Changed::Agent(agent) => wire::Changed::Agent(agent.uuid()),
            Changed::Everything => wire::Changed::Everything,
        }),
        Event::Ready => wire::Event::Ready,
    }
}
