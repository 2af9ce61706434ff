//! The events in a client at which it reads its files.

use crate::hash::SnapshotId;
use crate::profile::Profile;
use crate::resource::spelled;

spelled! {
    /// An event in a client at which it may read its files.
    ClientEvent {
        /// A session began.
        Startup = "startup",
        /// A session went on, in the same process or in another one.
        Resume = "resume",
        /// A session began with the conversation of another one.
        Fork = "fork",
        /// A session began in place of one that was cleared.
        Clear = "clear",
        /// The client replaced the conversation by a summary.
        Compact = "compact",
        /// A turn began.
        Turn = "turn",
    }
}

impl ClientEvent {
    /// Returns whether a client reads its files at this event. `client` is the name of a chat's client. A client
    /// that is not known reads at every event of which it tells.
    pub fn is_read_by(self, client: Option<&str>) -> bool {
        let known: Option<Profile> = client.and_then(|name| name.parse().ok());
        match known {
            Some(Profile::ClaudeCode) => match self {
                Self::Startup | Self::Resume | Self::Fork | Self::Clear | Self::Compact => true,
                Self::Turn => false,
            },
            // Behind a compaction it gives what it read before.
            Some(Profile::Codex) => match self {
                Self::Startup | Self::Resume | Self::Fork | Self::Clear => true,
                Self::Compact | Self::Turn => false,
            },
            Some(Profile::Opencode) => match self {
                Self::Turn => true,
                Self::Startup | Self::Resume | Self::Fork | Self::Clear | Self::Compact => false,
            },
            Some(Profile::Neutral) | None => true,
        }
    }

    /// Returns whether the subagents of a client read its files anew at this event. Others have what their session has.
    pub fn is_read_by_subagent(self, client: Profile) -> bool {
        match client {
            Profile::Codex => self.is_read_by(Some(client.as_str())),
            Profile::ClaudeCode | Profile::Opencode | Profile::Neutral => false,
        }
    }
}

/// A message of a chat's client, or of its hook, about an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientMessage {
    pub event: ClientEvent,
    /// The head of a scan that began after the event. `None` if no scan was awaited: the client may have read files
    /// that are newer than the head.
    pub head: Option<SnapshotId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_reads_at_its_own_events() {
        let check = |client: Option<&str>, expected: &str| {
            let events = ClientEvent::ALL.iter();
            let read = events.filter(|event| event.is_read_by(client));
            let read: Vec<_> = read.map(|event| event.as_str()).collect();
            assert_eq!(read.join(" "), expected, "{client:?}");
        };
        check(Some("claude-code"), "startup resume fork clear compact");
        check(Some("codex"), "startup resume fork clear");
        check(Some("opencode"), "turn");
        check(Some("aider"), "startup resume fork clear compact turn");
        check(None, "startup resume fork clear compact turn");
    }
}
