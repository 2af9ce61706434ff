//! What the entries of a chat's history say: what was done, by whom, and by which way.

use ctxpin_model::door::Door;
use ctxpin_model::history::{Decision, HistoryEntry, PinRecord};
use ctxpin_model::moment::Moment;
use ctxpin_model::pin::Reason;

use crate::pages::parts::time::Time;

/// The newest entry of a chat's history, in words.
pub(in crate::pages) struct LastEntry {
    /// What was done and by whom, as `Took changes (admin, on the page)`.
    pub words: String,
    pub ago: Time,
    /// The number of the decision, if the entry is one that left the pin where it was.
    pub decision: Option<i64>,
}

impl LastEntry {
    pub fn new(entry: &HistoryEntry, now: Moment) -> Self {
        let (what, who, at, decision) = match entry {
            HistoryEntry::Move(record) => (what(record.reason), who(record), record.at, None),
            HistoryEntry::Decision(decided) => (
                match decided.decision {
                    Decision::Decline => "Kept the pin",
                    Decision::Undecline => "Took back the decline",
                },
                who_at(decided.actor_name.as_deref(), decided.door),
                decided.at,
                Some(decided.number),
            ),
        };
        Self {
            words: format!("{what} ({who})"),
            ago: Time::ago(at, now),
            decision,
        }
    }
}

/// Returns what a move did, in words.
pub(crate) fn what(reason: Reason) -> &'static str {
    match reason {
        Reason::Create => "First pin",
        Reason::Hydrate => "Pinned by the workspace's push",
        Reason::Refresh => "Took changes",
        Reason::Rebind => "Bound to another workspace",
        Reason::Rollback => "Rolled back",
        Reason::Inherit => "Inherited from the parent",
        Reason::Follow => "Followed the workspace",
        Reason::Additive => "Took what is new",
        Reason::Settle => "Took the tools that were ready",
        Reason::Clear => "Unpinned",
        Reason::Render => "Rendered again",
        Reason::Observe => "Read by the client",
    }
}

/// Returns who made a move, and by which door.
pub(crate) fn who(record: &PinRecord) -> String {
    match (record.reason, record.door, record.actor_name.as_deref()) {
        // A client tells of its start by a hook, or by a request of its own.
        (Reason::Observe, Door::Api, Some(name)) => format!("{name}, by the client"),
        (_, door, name) => who_at(name, door),
    }
}

/// Returns the name of an actor, and the door.
pub(super) fn who_at(name: Option<&str>, door: Door) -> String {
    let name = name.unwrap_or(match door {
        Door::System => "the server",
        Door::Api | Door::Page | Door::Agent => "somebody who is deleted",
    });
    match door {
        // The command line and hooks call the API too.
        Door::Api => format!("{name}, by command or API"),
        Door::Page => format!("{name}, on the page"),
        Door::Agent => format!("agent {name}"),
        Door::System => name.to_owned(),
    }
}
