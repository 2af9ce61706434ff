//! The ids of stored objects: UUIDs, with a type for each kind of object, so that the id of a chat
//! cannot be passed as the id of an agent.

use std::fmt;
use std::str::FromStr;

use uuid::{NoContext, Timestamp, Uuid};

use crate::moment::Moment;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Generates a UUIDv7 (RFC 9562) with the time `now`, so that ids sort by creation time.
            pub fn generate(now: Moment) -> Self {
                Self(generate(now))
            }

            /// Returns the least id of the millisecond of a time. It is no object's id.
            pub fn least(at: Moment) -> Self {
                let millis = at.since_unix_epoch().as_millis();
                Self(Uuid::from_u128(millis << 80))
            }

            /// Returns the id as a plain UUID.
            pub fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )+};
}

ids! {
    /// The id of a user.
    UserId,
    /// The id of a token of a user or of an agent.
    TokenId,
    /// The id of an agent, which stays the same across restarts of its process.
    AgentId,
    /// The id of one process of an agent. The agent generates it, and the server assigns it an epoch.
    ProcessId,
    /// The id of a chat.
    ChatId,
    /// The id of a row of the audit log.
    AuditId,
    /// The id of an enrolment code, derived from the code.
    EnrolmentCodeId,
}

fn generate(now: Moment) -> Uuid {
    let since_epoch = now.since_unix_epoch();
    Uuid::new_v7(Timestamp::from_unix(
        NoContext,
        since_epoch.as_secs(),
        since_epoch.subsec_nanos(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_a_later_moment_sort_later() {
        let early = ChatId::generate(Moment::from_unix_micros(1_000_000).unwrap());
        let late = ChatId::generate(Moment::from_unix_micros(2_000_000).unwrap());
        assert!(early < late);
        assert_eq!(early.to_string().parse::<ChatId>().unwrap(), early);
    }
}
