//! The pins and turns in which a content was in force.

use crate::hash::AnyHash;
use crate::id::ChatId;
use crate::moment::Moment;
use crate::resource::{Kind, spelled};

/// The pins and turns in which a content was in force, both newest first.
#[derive(Debug, Clone)]
pub struct Exposure {
    pub chats: Vec<PinnedExposure>,
    pub turns: Vec<TurnExposure>,
}

/// A period in which a chat's pin contained a content.
#[derive(Debug, Clone)]
pub struct PinnedExposure {
    pub chat: ChatId,
    /// The kind of the resource that had the content.
    pub kind: Kind,
    pub source: String,
    /// The path of the skill's file that had the content. `None` for the resource's own body.
    pub path: Option<String>,
    /// The number of the move that pinned it.
    pub from_seq: i64,
    pub from: Moment,
    /// The time of the move that removed it. `None` while it is pinned.
    pub until: Option<Moment>,
}

/// A turn for which a content was in force.
#[derive(Debug, Clone)]
pub struct TurnExposure {
    pub chat: ChatId,
    /// The turn's number in the chat.
    pub number: i64,
    pub started_at: Moment,
    /// Whether the content was part of the tools. Otherwise it was part of the pin.
    pub by_tools: bool,
}

spelled! {
    /// What a hash is the hash of.
    HashKind {
        Content = "content",
        Context = "context",
        Snapshot = "snapshot",
    }
}

/// A hash that the server knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownHash {
    pub kind: HashKind,
    pub hash: AnyHash,
}

/// A chat that had a content, a context or a snapshot in force, or really gave it to a model.
#[derive(Debug, Clone)]
pub struct ChatExposure {
    pub chat: ChatId,
    pub title: Option<String>,
    /// The workspace of the chat's agent.
    pub workspace: Option<String>,
    pub is_archived: bool,
    /// The periods in which the pin held it, newest first.
    pub periods: Vec<ExposedPeriod>,
    /// The turns that had it in force. `None` if no turn had.
    pub turns: Option<ExposedTurns>,
    /// The turns whose requests really had it, by their evidence. `None` if no turn has such evidence.
    pub given: Option<ExposedTurns>,
    /// The turns that had it in force and are `as-pinned` by their evidence, which does not list it. What was due was given
    /// then; whether the rest was, nobody knows. `None` if there is no such turn.
    pub unlisted: Option<ExposedTurns>,
}

/// A period in which a chat's pin held a content, a context or a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExposedPeriod {
    /// Where the pin held the content. `None` for a context or a snapshot, which is the pin itself.
    pub place: Option<ExposedPlace>,
    /// The number of the first move of the period.
    pub from_seq: i64,
    pub from: Moment,
    /// The time of the move that ended the period. `None` while it lasts.
    pub until: Option<Moment>,
}

/// A place of a content in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExposedPlace {
    pub kind: Kind,
    pub source: String,
    /// The path of the skill's file that had the content. `None` for the resource's own body.
    pub path: Option<String>,
}

/// The turns of a chat that had a content, a context or a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExposedTurns {
    pub count: u64,
    pub first: i64,
    pub last: i64,
}

/// Joins the periods of one chat that follow each other at one place. `periods` has one item for each move and each
/// place, the newest move first.
pub fn joined(periods: Vec<ExposedPeriod>) -> Vec<ExposedPeriod> {
    let mut joined: Vec<ExposedPeriod> = Vec::new();
    for period in periods {
        let continued = joined
            .iter_mut()
            .rev()
            .find(|later| later.place == period.place && later.from_seq == period.from_seq + 1);
        match continued {
            Some(later) => {
                later.from_seq = period.from_seq;
                later.from = period.from;
            }
            None => joined.push(period),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn periods_that_follow_each_other_are_one() {
        let at =
            |minute: u64| Moment::new(Default::default()).after(Duration::from_secs(minute * 60));
        let period = |source: &str, seq: i64, until: Option<u64>| ExposedPeriod {
            place: Some(ExposedPlace {
                kind: Kind::InstructionFile,
                source: source.to_owned(),
                path: None,
            }),
            from_seq: seq,
            from: at(seq as u64),
            until: until.map(at),
        };
        let moves = vec![
            period("a", 7, None),
            period("a", 6, Some(7)),
            period("b", 6, Some(7)),
            period("b", 5, Some(6)),
            period("a", 4, Some(5)),
            period("a", 3, Some(4)),
        ];
        let expected = [("a", 6, None), ("b", 5, Some(7)), ("a", 3, Some(5))];
        let expected = expected.map(|(source, seq, until)| period(source, seq, until));
        assert_eq!(joined(moves), expected);
    }
}
