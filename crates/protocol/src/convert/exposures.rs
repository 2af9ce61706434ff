//! The chats and turns in which a content was in force.

use ctxpin_model::exposure;
use ctxpin_model::hash::{HashBeginning, MalformedBeginning};
use ctxpin_model::moment::Moment;

use super::members::InvalidMember;
use crate::http::exposure::{
    ChatExposure, ExposedChat, ExposedPeriod, ExposedTurn, ExposedTurns, Exposure, KnownHash,
};

/// Reads the beginning of a hash.
///
/// # Errors
///
/// Fails if it is none.
pub fn hash_beginning(member: &str, text: &str) -> Result<HashBeginning, InvalidMember> {
    text.parse()
        .map_err(|malformed: MalformedBeginning| InvalidMember::new(member, malformed.to_string()))
}

/// Returns the wire shape of a hash that the server knows.
pub fn known_hash(known: exposure::KnownHash) -> KnownHash {
    KnownHash {
        kind: known.kind.to_string(),
        hash: known.hash.to_string(),
    }
}

/// Returns the wire shape of a chat that had something in force.
pub fn chat_exposure(exposed: exposure::ChatExposure) -> ChatExposure {
    ChatExposure {
        chat_id: exposed.chat.uuid(),
        title: exposed.title,
        workspace: exposed.workspace,
        archived: exposed.is_archived,
        periods: exposed.periods.into_iter().map(period).collect(),
        turns: exposed.turns.map(exposed_turns),
        given: exposed.given.map(exposed_turns),
        unlisted: exposed.unlisted.map(exposed_turns),
    }
}

fn exposed_turns(turns: exposure::ExposedTurns) -> ExposedTurns {
    ExposedTurns {
        count: turns.count,
        first: turns.first,
        last: turns.last,
    }
}

fn period(period: exposure::ExposedPeriod) -> ExposedPeriod {
    let (kind, source, path) = match period.place {
        Some(place) => (Some(place.kind.to_string()), Some(place.source), place.path),
        None => (None, None, None),
    };
    ExposedPeriod {
        kind,
        source,
        path,
        from_seq: period.from_seq,
        from: period.from.utc(),
        until: period.until.map(Moment::utc),
    }
}

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
